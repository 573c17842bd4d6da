"""What a database server refuses, said without its address, its accounts or what a cell held.

Its own messages are shown only where they speak of the query, before it has looked at a row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ccanalysis.errors import CcanalysisError, ContractError, EnvironmentFaultError, SettingsError, place
from ccanalysis.workspace import SETTINGS_FILE, Source

if TYPE_CHECKING:
    import psycopg


def at(source: Source) -> str:
    """Return the place of a source in the settings."""
    return place(SETTINGS_FILE, line=source.line)


def not_connected(source: Source, error: psycopg.OperationalError) -> EnvironmentFaultError:
    """Say why there is no connection; the client's own message names host and account and is not shown."""
    told, said = str(error), error.pgconn
    if "password authentication failed" in told or "no password supplied" in told or (said and said.needs_password):
        problem, remedy = "refuses the account or its password", "Correct the string in it"
    elif re.search(r'database ".*" does not exist', told):
        problem, remedy = "has no database of that name", "Correct the string in it"
    elif "too many" in told or "remaining connection slots" in told:
        problem, remedy = "takes no further connection now", "Run again later"
    else:
        problem, remedy = "cannot be reached or refuses", "Check that it runs, and host and port of the string in it"
    return EnvironmentFaultError(
        f"the database server that {source.connection} names {problem}", remedy=remedy, place=at(source)
    )


@contextmanager
def server_faults(source: Source) -> Iterator[None]:
    """Turn what the server refuses into an error of ours, which shows no value and no address."""
    try:
        import psycopg  # noqa: PLC0415
    except ImportError:  # said where it is needed
        yield
        return
    try:
        yield
    except psycopg.Error as error:
        raise _refusal(source, error) from None
    except UnicodeDecodeError:
        raise ContractError(
            f"the database of source {source.name!r} delivers text that is not UTF-8",
            remedy="Give the database an encoding, or convert the column in the query",
            place=at(source),
        ) from None


_SAID: Mapping[str, tuple[type[CcanalysisError], str, str]] = {
    "25006": (
        SettingsError,
        "the query of source {source!r} writes, and a source may only read",
        "Write a SELECT that changes nothing",
    ),
    "0A000": (
        SettingsError,
        "the query of source {source!r} writes or does what a reading query cannot",
        "Write a SELECT that changes nothing",
    ),
    "57014": (
        EnvironmentFaultError,
        "the database took longer than {timeout} s over source {source!r}",
        "Ask for less, have the query made quicker, or raise 'timeout_s'",
    ),
    "55P03": (
        EnvironmentFaultError,
        "a relation of source {source!r} is locked by somebody else",
        "Run again later",
    ),
    "42501": (
        EnvironmentFaultError,
        "the account may not read what source {source!r} asks for",
        "Have SELECT granted to it, and USAGE on the schema",
    ),
}


def _refusal(source: Source, error: psycopg.Error) -> CcanalysisError:
    state = error.sqlstate or ""
    if state in _SAID:
        kind, problem, remedy = _SAID[state]
        return kind(problem.format(source=source.name, timeout=source.timeout_s), remedy=remedy, place=at(source))
    if state.startswith("42"):  # of the query alone, before a row was looked at
        said = (error.diag.message_primary or "").rstrip(".")
        return SettingsError(
            f"the database does not take the query of source {source.name!r}: {said}",
            remedy="Correct it; it must be one SELECT",
            place=at(source),
        )
    if state.startswith(("21", "22")):
        return ContractError(
            f"the query of source {source.name!r} fails on the value of a row (SQLSTATE {state})",
            remedy="Write the query so that it gives such rows as they are; the mapping sorts them out",
            place=at(source),
        )
    if not state or state.startswith(("08", "57P")):
        return EnvironmentFaultError(
            f"the connection broke while the rows of source {source.name!r} were read",
            remedy="Run again when the server is there",
            place=at(source),
        )
    return EnvironmentFaultError(
        f"the database refuses source {source.name!r} (SQLSTATE {state})",
        remedy="Ask who runs the server",
        place=at(source),
    )

"""PostgreSQL as a source: a read-only look at one moment, in the order of the key, masked before a row is written.

The server itself writes each value as text, typed ones with the marks of `cells`, and sorts them, so that the same data
give the same bytes. Rows come in batches through a cursor of the server.

Source:
    PostgreSQL 15, SET TRANSACTION (READ ONLY), DECLARE; psycopg 3, server-side cursors.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccanalysis.contracts import Table
from ccanalysis.engine import literal, quoted
from ccanalysis.errors import ContractError, EnvironmentFaultError, NoInputError, SettingsError, nearest
from ccanalysis.sources.cells import wanted_columns
from ccanalysis.sources.csv_files import INNER_NEWLINE, MAX_ROW, Records
from ccanalysis.sources.door import Door, identifying
from ccanalysis.sources.refusals import at, not_connected, server_faults
from ccanalysis.workspace import Source

if TYPE_CHECKING:
    import psycopg

BATCH = 2_000  # rows
CONNECT_S = 30
# A session in which values are written in one way, whatever the server's own settings.
_SESSION = {
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "extra_float_digits": "1",
    "lock_timeout": f"{CONNECT_S}s",
}
_UNREADABLE = ("bytea", "json", "jsonb", "xml", "money", "tsvector", "tsquery", "hstore", "refcursor")
_UNREADABLE_CATEGORIES = "ACGPRZ"  # arrays, composites, geometry, pseudo-types, ranges, internal
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LINES = re.compile("\r\n|\r|\n")


@dataclass
class Delivered:
    """What a database delivered for one source.

    Attributes:
        file: The rows as numbered records, card data masked.
        records: What was found; its digest is that of the rows before masking.
        door: What masked card data in them.
        bytes: Their size.
        notes: What a reader must know.
    """

    file: Path
    records: Records
    door: Door
    bytes: int = 0
    notes: list[str] = field(default_factory=list)


class Databases:
    """The databases of a workspace, each looked at in one read-only transaction: all its tables are of one moment.

    Args:
        folder: Where rows are written; made when the first come, and taken away at the end.
        progress: Told one short line per source.
    """

    def __init__(self, folder: Path, progress: Callable[[str], None]) -> None:
        self.folder, self.progress = folder, progress
        self._open: dict[str, psycopg.Connection[Any]] = {}

    def __enter__(self) -> Databases:
        """Return this; a connection is opened when a source asks for it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close every connection and take what was delivered away."""
        for connection in self._open.values():
            connection.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def deliver(self, source: Source, table: Table, *, number: int) -> Delivered:
        """Ask a database for the rows of one source.

        Args:
            source: The source.
            table: Its contract table.
            number: The number that begins every line.

        Raises:
            SettingsError: The variable is not set, or a relation, column or query cannot be followed.
            ContractError: A mapped column holds what no mapping can read, or the query fails on a value.
            NoInputError: There is no row.
            EnvironmentFaultError: The package or the server is not there, or the server refuses.
        """
        self.progress(f"asking the database for {source.name}")
        with server_faults(source):
            connection = self._connected(source)
            _set(connection, "statement_timeout", f"{source.timeout_s}s")
            asked = _Asked(connection, source, table)
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                return asked.deliver(self.folder / f"delivered-{number}.csv", number)
            except OSError as error:
                raise EnvironmentFaultError(
                    f"the rows of source {source.name!r} cannot be written ({error.strerror})",
                    remedy="Make room, or give this account the right to write in the workspace",
                ) from None

    def _connected(self, source: Source) -> psycopg.Connection[Any]:
        if source.connection in self._open:
            return self._open[source.connection]
        try:
            import psycopg  # noqa: PLC0415  only where a source is a database
        except ImportError:
            raise EnvironmentFaultError(
                f"source {source.name!r} is a PostgreSQL database, and the package that reads it is not installed",
                remedy="Install ccanalysis with the extra: pip install 'ccanalysis[postgres]'",
                place=at(source),
            ) from None
        string = os.environ.get(source.connection, "").strip()
        if not string:
            raise SettingsError(
                f"source {source.name!r} needs the environment variable {source.connection}, and it is not set",
                remedy="Set it to a connection string, as postgresql://reader@server/centre",
                place=at(source),
            )
        try:
            told = psycopg.conninfo.conninfo_to_dict(string)
        except psycopg.Error:
            raise SettingsError(
                f"the environment variable {source.connection} holds no connection string",
                remedy="Write it as postgresql://reader@server/centre, special characters as %40",
                place=at(source),
            ) from None
        own = {"application_name": "ccanalysis", "connect_timeout": CONNECT_S, "client_encoding": "UTF8"}
        try:
            more: dict[str, Any] = {name: value for name, value in own.items() if name not in told}
            connection = psycopg.connect(string, **more)
        except psycopg.OperationalError as error:
            raise not_connected(source, error) from None
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._open[source.connection] = connection
        for name, value in _SESSION.items():
            _set(connection, name, value)
        return connection


def _set(connection: psycopg.Connection[Any], name: str, value: str) -> None:
    connection.execute("SELECT set_config(%s, %s, true)", [name, value])


class _Asked:
    """One source and what it asks."""

    def __init__(self, connection: psycopg.Connection[Any], source: Source, table: Table) -> None:
        self.connection, self.source, self.table = connection, source, table
        self.wanted = list(wanted_columns(source))
        self.notes: list[str] = []

    def deliver(self, file: Path, number: int) -> Delivered:
        inner = self._relation() if self.source.relation else f"(\n{self.source.query}\n)"
        columns = self._columns(inner)
        texts, typed = [], []
        for place_, (name, kind, category) in enumerate(columns):
            text, marked = self._text(quoted(name), kind, category, name)
            texts.append(f"{text} AS c{place_}")
            typed += [marked]
        order = ", ".join(f'c{place_} COLLATE "C"' for place_ in self._order())
        query = f"SELECT * FROM (SELECT {', '.join(texts)} FROM {inner} AS delivered) AS texts ORDER BY {order}"
        door = Door(identifying(self.source, self.table), delimiter=",", quote='"')
        came = Delivered(file, Records(header=self.wanted, header_row=1), door, notes=self.notes)
        written = [place_ for place_, marked in enumerate(typed) if not marked]
        digest = hashlib.sha256("\x1f".join(self.wanted).encode())
        with self.connection.cursor(name="delivered") as cursor, file.open("w", encoding="utf-8", newline="\n") as out:
            cursor.execute(query.encode())
            while rows := cursor.fetchmany(BATCH):
                lines = _lines(rows, written, came.records)
                block = "".join(f"{row},{line}\n" for row, line in lines)
                digest.update(block.encode())
                came.bytes += len(block.encode())
                out.write(
                    door.screen("".join(f"{number},{row},{line}\n" for row, line in lines), self.wanted, before=2)
                )
        for row, rule in came.records.faults:
            digest.update(f"{row} {rule}\n".encode())
        came.records.sha256 = digest.hexdigest()
        if not came.records.lines:
            raise NoInputError(
                f"the database has no row for source {self.source.name!r}",
                remedy="Correct the query, or take the source out of the settings",
                place=at(self.source),
            )
        return came

    def _relation(self) -> str:
        return ".".join(quoted(part) for part in self.source.relation.split("."))

    def _columns(self, inner: str) -> list[tuple[str, str, str]]:
        """Return name, type and category of each wanted column, in the order of the mapping."""
        import psycopg  # noqa: PLC0415

        listed = ", ".join(map(quoted, self.wanted)) if self.source.relation else "*"
        try:
            looked = self.connection.execute(
                f"SELECT {listed} FROM {inner} AS delivered LIMIT 0".encode(), prepare=True
            )
        except psycopg.errors.UndefinedColumn:
            if self.source.query:
                raise
            raise self._no_column(self._names_of_relation()) from None
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            if self.source.query:
                raise
            raise self._no_relation() from None
        found = {column.name: column.type_code for column in looked.description or ()}
        if self.source.query:
            names = [column.name for column in looked.description or ()]
            twice = [name for name in self.wanted if names.count(name) > 1]
            if twice:
                raise self._refused(
                    f"the query gives the column {twice[0]!r} twice", "Give each a name of its own, with AS"
                )
            if any(name not in found for name in self.wanted):
                raise self._no_column(names)
            if left := [name for name in names if name not in self.wanted]:
                shown = ", ".join(map(repr, left))
                self.notes.append(f"columns of source {self.source.name!r} that are not mapped stay outside: {shown}")
        kinds = {
            oid: (name, category)
            for oid, name, category in self.connection.execute(
                "SELECT oid, typname::text, typcategory::text FROM pg_catalog.pg_type WHERE oid = ANY(%s)",
                [list(found.values())],
            )
        }
        return [(name, *kinds[found[name]]) for name in self.wanted]

    def _text(self, name: str, kind: str, category: str, shown: str) -> tuple[str, bool]:
        """Write a value as text, and tell whether the server wrote it all; infinite ones stay texts."""
        if kind in _UNREADABLE or category in _UNREADABLE_CATEGORIES:
            called = kind.removeprefix("_") + ("[]" if category == "A" else "")
            raise ContractError(
                f"the column holds {called}, which no mapping can read",
                remedy="Write a query that gives it as text, number, date or time",
                place=f"{self.source.name}, column {shown!r}",
            )
        day, clock = literal("d"), literal("t")
        if kind in ("timestamp", "timestamptz", "date"):
            midnight = " || ' 00:00:00'" if kind == "date" else ""
            marked = f"chr(31) || {day} || {name}::text{midnight}"
            return f"CASE WHEN isfinite({name}) THEN {marked} ELSE {name}::text END", True
        if kind in ("time", "timetz"):
            return f"chr(31) || {clock} || {name}::text", True
        if kind == "interval":  # a month has no length of its own
            months = f"extract(year FROM {name}) = 0 AND extract(month FROM {name}) = 0"
            hours = f"make_interval(secs => extract(epoch FROM {name})::float8)::text"
            return (
                f"CASE WHEN isfinite({name}) AND {months} THEN chr(31) || {clock} || {hours} ELSE {name}::text END",
                True,
            )
        if category == "N" and self.source.decimal != ".":
            return f"replace({name}::text, '.', {literal(self.source.decimal)})", True
        return f"{name}::text", category == "N" or kind == "bool"

    def _order(self) -> list[int]:
        """The places of the key's columns, then of all others."""
        keys = [
            name for key in self.table.key if key in self.source.columns for name in self.source.columns[key].columns
        ]
        return [self.wanted.index(name) for name in dict.fromkeys([*keys, *self.wanted])]

    def _no_column(self, names: Sequence[str]) -> SettingsError:
        missing = [name for name in self.wanted if name not in names]
        told = ", ".join(repr(name) for name in missing)
        what = f"the relation {self.source.relation!r}" if self.source.relation else "the query"
        plural = "s" if len(missing) > 1 else ""
        return self._refused(
            f"{what} has no column{plural} {told}, which source {self.source.name!r} maps",
            nearest(missing[0], list(names)) if missing and names else "Correct the mapping",
        )

    def _names_of_relation(self) -> list[str]:
        self.connection.rollback()
        schema, _, name = self.source.relation.rpartition(".")
        rows = self.connection.execute(
            "SELECT attname::text FROM pg_catalog.pg_attribute AS a "
            "JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid "
            "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relname = %s AND attnum > 0 "
            "AND NOT attisdropped AND CASE WHEN %s = '' THEN pg_table_is_visible(c.oid) ELSE n.nspname = %s END",
            [name, schema, schema],
        )
        return [name for (name,) in rows]

    def _no_relation(self) -> SettingsError:
        self.connection.rollback()
        rows = self.connection.execute(
            "SELECT n.nspname::text, c.relname::text, pg_table_is_visible(c.oid) FROM pg_catalog.pg_class AS c "
            "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') "
            "AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%%' "
            "AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT') "
            "ORDER BY 1, 2 LIMIT 2000",
            [],
        )
        whole = "." in self.source.relation
        known = [f"{schema}.{name}" if whole or not seen else name for schema, name, seen in rows]
        remedy = "The account may read none: grant it the right"
        if known:
            close = nearest(self.source.relation, known)
            remedy = close if len(known) <= 20 or close.startswith("Did") else "Correct 'relation'"
        return self._refused(
            f"the database of source {self.source.name!r} has no relation {self.source.relation!r}", remedy
        )

    def _refused(self, problem: str, remedy: str) -> SettingsError:
        return SettingsError(problem, remedy=remedy, place=at(self.source))


def _lines(rows: Sequence[tuple[str | None, ...]], written: Sequence[int], records: Records) -> list[tuple[int, str]]:
    """Write rows as lines of CSV with their numbers; what people wrote in them may break a line or hold a control."""
    joined = "".join(row[place_] or "" for row in rows for place_ in written)
    plain = not _CONTROL.search(joined) and "\n" not in joined and "\r" not in joined
    kept: list[tuple[int, Sequence[str | None]]] = []
    for number, row in enumerate(rows, records.lines + 2):  # the header would stand in row 1
        if not plain:
            texts = [row[place_] or "" for place_ in written]
            if any(_CONTROL.search(text) for text in texts):
                records.faults.append((number, "control"))
                continue
            records.inner_lines += sum(len(_LINES.findall(text)) for text in texts)
            row = tuple(None if cell is None else _LINES.sub(INNER_NEWLINE, cell) for cell in row)  # noqa: PLW2901
        if len(joined) > MAX_ROW and sum(map(len, filter(None, row))) > MAX_ROW:
            records.faults.append((number, "length"))
            continue
        kept.append((number, row))
    records.lines += len(rows)
    records.written += len(kept)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(row for _, row in kept)
    return list(zip((number for number, _ in kept), out.getvalue().split("\n"), strict=False))

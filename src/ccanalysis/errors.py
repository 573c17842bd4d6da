"""What can go wrong, what to do about it, and the exit code it ends a command with.

An error names the place, says what was expected and what to do. It may show names of files, columns and
settings, row numbers and counts; it never shows a cell value, for those are people's data.
"""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """What a command's exit code says; the same for every command."""

    ALL_MADE = 0
    SOME_FAILED = 1
    WRONG_SETTINGS = 2
    NO_USABLE_INPUT = 3
    ENVIRONMENT = 4
    LOCKED = 5


class CcanalysisError(Exception):
    """The base of every error that a user can cause and put right."""

    exit_code: ExitCode = ExitCode.WRONG_SETTINGS

    def __init__(self, problem: str, *, remedy: str = "", place: str = "") -> None:
        """Say what is wrong, where, and what to do.

        Args:
            problem: What was found and what was expected, as one sentence without a full stop.
            remedy: What the user can do, as one sentence.
            place: File with line or row and column, as `kpis.yml:12` or `contacts.csv, row 7, column 'Wait'`.
        """
        self.problem = problem
        self.remedy = remedy
        self.place = place
        text = f"{place}: {problem}" if place else problem
        super().__init__(f"{text}. {remedy}" if remedy else text)


class SettingsError(CcanalysisError):
    """A workspace file, a register or a command line says something that cannot be followed."""


class RegisterError(SettingsError):
    """The KPI register has a field that is missing, unknown or not measurable."""


class ExpressionError(SettingsError):
    """A measure or a population is not in the small language that ccanalysis understands."""


class ParameterError(SettingsError):
    """A notebook was given a parameter that it does not declare, or of another type."""


class ContractError(CcanalysisError):
    """An export does not keep the contract of its table."""

    exit_code = ExitCode.NO_USABLE_INPUT


class NoInputError(CcanalysisError):
    """There is nothing to work on: no file, no row, or no row in the period asked for."""

    exit_code = ExitCode.NO_USABLE_INPUT


class StatisticsError(CcanalysisError, ValueError):
    """A statistical function was given values that it has no answer for."""


class ReportError(CcanalysisError):
    """One report did not finish; the others are not affected."""

    exit_code = ExitCode.SOME_FAILED


class EnvironmentFaultError(CcanalysisError):
    """Disk, permission or a missing system part stops the run."""

    exit_code = ExitCode.ENVIRONMENT


class LockedError(CcanalysisError):
    """Another run holds the workspace."""

    exit_code = ExitCode.LOCKED


def place(path: Path | str, *, line: int | None = None, row: int | None = None, column: str | None = None) -> str:
    """Write a place in a file the one way that ccanalysis writes it.

    Args:
        path: The file; its name alone is shown when it is absolute.
        line: A line of a settings file, counted from 1.
        row: A row of an export, counted from 1 with the header as row 1.
        column: A column of an export, by its own name.

    Examples:
        >>> place("kpis.yml", line=12)
        'kpis.yml:12'
        >>> place("contacts.csv", row=7, column="Wait")
        "contacts.csv, row 7, column 'Wait'"
    """
    path = Path(path)
    text = path.name if path.is_absolute() else path.as_posix()
    if line is not None:
        text += f":{line}"
    if row is not None:
        text += f", row {row}"
    if column is not None:
        text += f", column {column!r}"
    return text


def nearest(name: str, known: list[str] | tuple[str, ...]) -> str:
    """Offer the known name nearest to one that was mistyped, as a remedy.

    Examples:
        >>> nearest("tema", ["team", "site"])
        "Did you mean 'team'?"
        >>> nearest("x", ["team", "site"])
        'Known are: site, team'
    """
    from difflib import get_close_matches  # noqa: PLC0415  only when something was mistyped

    folded = {one.casefold(): one for one in known}
    close = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return f"Did you mean {folded[close[0]]!r}?" if close else "Known are: " + ", ".join(sorted(known))

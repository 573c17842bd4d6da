"""A staged table in weekly partitions: one Parquet file per local ISO week, each day known by a digest of its rows.

What follows from a week is looked up by these digests, so it is worked out again only where rows changed. A week
whose rows are those of an earlier staging is linked from there and not written again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccanalysis.contracts import LINEAGE, Table
from ccanalysis.engine import literal, quoted
from ccanalysis.periods import Period

if TYPE_CHECKING:
    import duckdb

INDEX = "index.json"
# Tables with fewer rows stay one file: counting them anew takes no longer than looking up what is known of each week.
PARTITION_FROM = 200_000


@dataclass(frozen=True)
class Week:
    """One partition.

    Attributes:
        start: Its Monday.
        path: Its file.
        rows: How many rows.
        digest: Of all its rows, with where they came from.
        days: Local day -> digest of what its rows say.
        held: Columns with a value in at least one row.
        times: The first and the last day of any time in it.
        sha256: Of the file's bytes as it was written; empty where it was not told.
    """

    start: date
    path: Path
    rows: int
    digest: str
    days: dict[date, str]
    held: frozenset[str]
    times: tuple[date, date]
    sha256: str = ""

    @property
    def end(self) -> date:
        """The Monday after."""
        return self.start + timedelta(days=7)


@dataclass(frozen=True)
class Partitions:
    """The partitions of one table, the oldest first."""

    weeks: tuple[Week, ...]

    def within(self, start: date, end: date) -> tuple[Week, ...]:
        """List the weeks that share a day with the days from a start to before an end."""
        return tuple(week for week in self.weeks if week.start < end and week.end > start)

    def digest(self, start: date, end: date) -> str:
        """Return a digest of what the rows of the days from a start to before an end say."""
        known, day, listed = self._days, start, []
        while day < end:
            listed.append((day.toordinal(), known.get(day)))
            day += timedelta(days=1)
        return hashlib.sha256(repr(listed).encode()).hexdigest()

    @cached_property
    def _days(self) -> dict[date, str]:
        return {day: digest for week in self.weeks for day, digest in week.days.items()}

    @property
    def held(self) -> frozenset[str]:
        """Columns with a value in at least one row."""
        return frozenset().union(*(week.held for week in self.weeks))

    @property
    def times(self) -> tuple[date, date]:
        """The first and the last day of any time."""
        return min(week.times[0] for week in self.weeks), max(week.times[1] for week in self.weeks)


def read(folder: Path) -> Partitions | None:
    """Read the index of a folder of partitions; nothing where the path is a single file."""
    index = folder / INDEX
    return _read(folder, index.stat().st_mtime_ns) if index.is_file() else None


@lru_cache(maxsize=64)  # a run asks several times
def _read(folder: Path, changed: int) -> Partitions:
    weeks = []
    for label, told in sorted(json.loads((folder / INDEX).read_text(encoding="utf-8")).items()):
        days = {date.fromisoformat(day): digest for day, digest in told["days"].items()}
        first, last = map(date.fromisoformat, told["times"])
        start, path = Period.parse(label).start, folder / f"{label}.parquet"
        held = frozenset(told["held"])
        weeks.append(Week(start, path, told["rows"], told["digest"], days, held, (first, last), told.get("sha256", "")))
    return Partitions(tuple(weeks))


def split(
    connection: duckdb.DuckDBPyConnection, path: Path, table: Table, folder: Path, *, earlier: Iterable[Path] = ()
) -> bool:
    """Split a staged table into weekly partitions, and write their index.

    Args:
        connection: May read the table and the earlier folders, and write the new one.
        path: The whole table, sorted.
        table: Its contract.
        folder: Where the partitions go; it does not exist.
        earlier: Folders of earlier partitions of the same table; a week that has not changed is linked from there.

    Returns:
        Whether it was split: not where a row has no local day.
    """
    index = described(connection, f"read_parquet({literal(path)})", table)
    if index is None:
        return False
    day = quoted(table.local_day)
    past = [found for one in earlier if (found := read(one))]
    known = {(week.start, week.digest): week for found in past for week in found.weeks}
    folder.mkdir()
    for label, told in index.items():
        week, target = Period.parse(label), folder / f"{label}.parquet"
        same = known.get((week.start, told["digest"]))
        if same is not None and _linked(same, target):
            told["sha256"] = same.sha256
            continue
        connection.execute(
            f"COPY (SELECT * FROM read_parquet({literal(path)}) WHERE {day} >= DATE '{week.start}' "
            f"AND {day} < DATE '{week.end}' ORDER BY {day}, source_file, source_row) "
            f"TO {literal(target)} (FORMAT parquet, COMPRESSION zstd)"
        )
        told["sha256"] = _sha256(target)
    write_index(folder, index)
    return True


def write_index(folder: Path, index: Mapping[str, Mapping[str, Any]]) -> None:
    """Write what `described` told of partitions that lie in a folder, each in a file named after its week."""
    (folder / INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")


def described(connection: duckdb.DuckDBPyConnection, source: str, table: Table) -> dict[str, dict[str, Any]] | None:
    """Tell of each ISO week what its partition is known by.

    Args:
        connection: May read the source.
        source: Where the rows come from, as SQL.
        table: Their contract.

    Returns:
        Week's label -> `rows`, `digest`, `days`, `held` and `times`, as `Week` has them; nothing where a row has no
        local day, or where there is no row.
    """
    lineage = {column.name for column in LINEAGE}
    figures = ", ".join(quoted(column.name) for column in table.columns if column.name not in lineage)
    whence = ", ".join(quoted(name) for name in sorted(lineage & {column.name for column in table.columns}))
    times = [quoted(column.name) for column in table.columns if column.type in ("instant", "date")]
    held = ", ".join(f"bool_or({quoted(column.name)} IS NOT NULL)" for column in table.columns)
    least = f"least({', '.join(f'min({time})::DATE' for time in times)})"
    most = f"greatest({', '.join(f'max({time})::DATE' for time in times)})"
    rows = connection.execute(
        f"SELECT {quoted(table.local_day)} AS _day, count(*), {_digest('_figures')}, "
        f"{_digest(f'hash(_figures, {whence})')}, {least}, {most}, [{held}] "
        f"FROM (SELECT *, hash({figures}) AS _figures FROM {source}) GROUP BY _day ORDER BY _day"
    ).fetchall()
    if not rows or any(row[0] is None for row in rows):
        return None
    weeks: dict[Period, list[tuple]] = {}
    for row in rows:
        weeks.setdefault(Period.containing(row[0], "week"), []).append(row)
    return {
        week.label: {
            "rows": sum(one[1] for one in days),
            "digest": hashlib.sha256(repr([(one[0], one[3]) for one in days]).encode()).hexdigest(),
            "days": {one[0].isoformat(): one[2] for one in days},
            "held": [column.name for n, column in enumerate(table.columns) if any(one[6][n] for one in days)],
            "times": [min(one[4] for one in days).isoformat(), max(one[5] for one in days).isoformat()],
        }
        for week, days in weeks.items()
    }


def _digest(hashed: str) -> str:
    """Write a digest of the rows of a group whatever their order: how many, and parity and sum of their hashes."""
    return f"concat_ws('-', count(*), bit_xor({hashed}), sum(({hashed})::HUGEINT))"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _linked(same: Week, target: Path) -> bool:
    """Make an earlier file appear here too, if it is whole; copy it where the disk knows no links."""
    try:
        if _sha256(same.path) != same.sha256:
            return False
        try:
            os.link(same.path, target)
        except OSError:
            shutil.copyfile(same.path, target)
    except OSError:
        return False
    return True


def batches(weeks: Sequence[Week], rows: int) -> list[list[Week]]:
    """Put weeks that follow each other together, up to so many rows; one week may have more."""
    found: list[list[Week]] = []
    held = 0
    for week in weeks:
        if found and found[-1][-1].end == week.start and held + week.rows <= rows:
            found[-1].append(week)
            held += week.rows
        else:
            found.append([week])
            held = week.rows
    return found

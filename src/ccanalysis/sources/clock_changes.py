"""Local times and instants: offsets day by day, and the local times that a zone skipped or lived twice.

The engine's own zone conversion costs about 0.4 µs a value and tells nothing of doubtful times. On all but two days
a year a zone keeps one offset from midnight to midnight, so a table of days answers both: the offset, or the change.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ccanalysis.engine import literal

if TYPE_CHECKING:
    import duckdb

FIRST_YEAR, LAST_YEAR = 1970, 2099


@dataclass(frozen=True)
class ClockChange:
    """One clock change of a zone.

    Attributes:
        instant: When it happens, UTC without zone.
        start: The first local time that is skipped, or that comes twice.
        end: The first local time after them.
        after_s: The offset from then on, seconds east of UTC.
        twice: Whether these times come twice; otherwise they never are.
    """

    instant: datetime
    start: datetime
    end: datetime
    after_s: int
    twice: bool


@lru_cache(maxsize=64)
def clock_changes(zone: str) -> tuple[int, tuple[ClockChange, ...]]:
    """Return the offset of a zone at the start of 1970, and its clock changes to the end of 2099 in time order.

    Examples:
        >>> [change] = [c for c in clock_changes("Europe/London")[1] if c.twice and c.start.year == 2026]
        >>> change.start, change.end
        (datetime.datetime(2026, 10, 25, 1, 0), datetime.datetime(2026, 10, 25, 2, 0))
    """
    info = ZoneInfo(zone)

    def offset(at: datetime) -> timedelta:
        return at.astimezone(info).utcoffset() or timedelta(0)

    changes = []
    # No zone has had two changes within one week since 1970.
    at = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
    first = before = offset(at)
    while at.year <= LAST_YEAR:
        following = at + timedelta(days=7)
        after = offset(following)
        if after != before:
            low, high = at, following
            while high - low > timedelta(seconds=1):
                middle = (low + (high - low) / 2).replace(microsecond=0)
                low, high = (middle, high) if offset(middle) == before else (low, middle)
            instant = high.replace(tzinfo=None)
            old, new = instant + before, instant + after
            changes.append(
                ClockChange(instant, min(old, new), max(old, new), int(after.total_seconds()), twice=after < before)
            )
        at, before = following, after
    return int(first.total_seconds()), tuple(changes)


def add_day_tables(connection: duckdb.DuckDBPyConnection, zone: str, name: str) -> None:
    """Make two tables of days of a zone, from 1970 to 2099.

    `<name>_local`: per local `day` its `offset_us`, NULL on the day of a clock change, which instead has the local
    times from `start` to before `stop` that are not to be trusted and a `fault`. `<name>_utc`: per UTC `day` its
    `offset_us`, NULL on the day of a clock change.
    """
    first, changes = clock_changes(zone)
    offsets = [("0001-01-01", "0001-01-01", first), *((c.end, c.instant, c.after_s) for c in changes)]
    windows = []
    for change in changes:
        day = change.start.date()
        while datetime(day.year, day.month, day.day) < change.end:  # noqa: DTZ001  local times
            rule = "time_twice" if change.twice else "time_skipped"
            windows.append((day, change.start, change.end, f"{rule}|{change.start:%Y-%m-%d}"))
            day += timedelta(days=1)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name}_since (local TIMESTAMP, utc TIMESTAMP, offset_us BIGINT)")
    connection.execute(
        f"INSERT INTO {name}_since VALUES "
        + ", ".join(
            f"(TIMESTAMP {literal(str(end))}, TIMESTAMP {literal(str(utc))}, {s}000000)" for end, utc, s in offsets
        )
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {name}_window (day DATE, start TIMESTAMP, stop TIMESTAMP, fault VARCHAR)"
    )
    if windows:
        connection.execute(
            f"INSERT INTO {name}_window VALUES "
            + ", ".join(f"('{day}', '{start}', '{end}', {literal(fault)})" for day, start, end, fault in windows)
        )
    days = f"range(TIMESTAMP '{FIRST_YEAR}-01-01', TIMESTAMP '{LAST_YEAR + 1}-01-01', INTERVAL 1 DAY) AS days(d)"
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE {name}_local AS
        SELECT d::DATE AS day, CASE WHEN w.day IS NULL THEN s.offset_us END AS offset_us, w.start, w.stop, w.fault
        FROM {days} ASOF JOIN {name}_since AS s ON d >= s.local LEFT JOIN {name}_window AS w ON w.day = d::DATE"""
    )
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE {name}_utc AS
        SELECT d::DATE AS day, CASE WHEN n.utc IS NULL THEN s.offset_us END AS offset_us
        FROM {days} ASOF JOIN {name}_since AS s ON d >= s.utc
        LEFT JOIN {name}_since AS n ON n.utc::DATE = d::DATE AND n.utc > d"""
    )


def instant_sql(zone: str, local: str, day: str) -> str:
    """Write SQL for the instant of a local time, given the joined row `day` of the zone's local days."""
    return (
        f"CASE WHEN {day}.offset_us IS NOT NULL THEN make_timestamptz(epoch_us({local}) - {day}.offset_us) "
        f"ELSE timezone({literal(zone)}, {local}) END"
    )


def local_sql(zone: str, instant: str, day: str) -> str:
    """Write SQL for the local time of an instant, given the joined row `day` of the zone's UTC days."""
    return (
        f"CASE WHEN {day}.offset_us IS NOT NULL THEN make_timestamp(epoch_us({instant}) + {day}.offset_us) "
        f"ELSE timezone({literal(zone)}, {instant}) END"
    )

"""The local times that a zone skipped or lived twice, where a time without an offset cannot be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

FIRST_YEAR, LAST_YEAR = 1970, 2099


@dataclass(frozen=True)
class ClockChange:
    """One clock change of a zone.

    Attributes:
        start: The first local time that was skipped, or that came twice.
        end: The first local time after them.
        twice: Whether these times came twice; otherwise they never were.
    """

    start: datetime
    end: datetime
    twice: bool


@lru_cache(maxsize=64)
def clock_changes(zone: str) -> tuple[ClockChange, ...]:
    """List the clock changes of a zone from 1970 to 2099, in time order.

    Examples:
        >>> [c for c in clock_changes("Europe/London") if c.start.year == 2026][1]  # doctest: +NORMALIZE_WHITESPACE
        ClockChange(start=datetime.datetime(2026, 10, 25, 1, 0), end=datetime.datetime(2026, 10, 25, 2, 0),
            twice=True)
    """
    info = ZoneInfo(zone)

    def offset(at: datetime) -> timedelta:
        return at.astimezone(info).utcoffset() or timedelta(0)

    changes = []
    day = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
    before = offset(day)
    while day.year <= LAST_YEAR:
        following = day + timedelta(days=1)
        after = offset(following)
        if after != before:
            low, high = day, following
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) / 2
                middle = middle.replace(microsecond=0)
                low, high = (middle, high) if offset(middle) == before else (low, middle)
            old, new = (high + before).replace(tzinfo=None), (high + after).replace(tzinfo=None)
            changes.append(ClockChange(min(old, new), max(old, new), twice=after < before))
        day, before = following, after
    return tuple(changes)

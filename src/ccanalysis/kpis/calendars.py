"""Business calendars: which local days count, and how long a centre was open, as relations that queries join.

A clock that law or contract sets runs in business days of a nation, or in opening hours; both are worked out once per
query for the days that occur, never row by row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any

import numpy as np
import pandas as pd

from ccanalysis.contracts import DAY_S
from ccanalysis.errors import RegisterError
from ccanalysis.workspace import WEEKDAYS, Centre, Opening


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """What the clocks of a centre run by.

    Attributes:
        zone: IANA zone in which days begin.
        nation: Nation or region of the bank holidays, as `GB-ENG`; empty where the centre names none.
        opening: Channel -> weekday (`mon` .. `sun`, `holiday`) -> opening and closing time, or None when closed.
    """

    zone: str
    nation: str = ""
    opening: Mapping[str, Mapping[str, Opening]] = field(default_factory=dict)

    @classmethod
    def of(cls, centre: Centre) -> Calendar:
        """Take the calendar of a centre from its settings."""
        return cls(zone=centre.time_zone, nation=centre.holidays, opening=centre.opening)


def is_business_day(nation: str, days: pd.DatetimeIndex) -> np.ndarray:
    """Tell which days are business days: no weekend of the nation, unless declared a day of work, and no holiday.

    Args:
        nation: Nation, or nation and region, as `GB-SCT`.
        days: Local days.

    Examples:
        >>> is_business_day("GB-SCT", pd.DatetimeIndex(["2026-01-02", "2026-01-05"])).tolist()
        [False, True]

    Source:
        The `holidays` library, which keeps the calendars of nations and their parts.
    """
    if not len(days):
        return np.zeros(0, dtype=bool)
    kept = _holidays(nation, days)
    return np.array([kept.is_working_day(day) for day in days.date], dtype=bool)


def _holidays(nation: str, days: pd.DatetimeIndex) -> Any:
    """Return the library's calendar of a nation for the years of some days."""
    import holidays  # noqa: PLC0415  only where a measure asks for a calendar

    country, _, part = nation.partition("-")
    years = range(days[0].year, days[-1].year + 1)
    return holidays.country_holidays(country, subdiv=part or None, years=years)


def business_days(nation: str, first: date, last: date) -> pd.DataFrame:
    """Number the business days from a first to a last day.

    Returns:
        `day`, and `n`: twice the business days up to and with the day, and one more on a day that is none.

    Raises:
        RegisterError: No nation is given.
    """
    if not nation:
        raise RegisterError(
            "business days need the holidays of a nation",
            remedy='Write holidays = "GB-ENG" under [centre], or name the nation in the measure',
            place="ccanalysis.toml",
        )
    days = pd.date_range(first, last)
    counts = is_business_day(nation, days)
    return pd.DataFrame({"day": days.date, "n": 2 * np.cumsum(counts) + ~counts})


def open_hours(calendar: Calendar, first: date, last: date, overrides: pd.DataFrame) -> pd.DataFrame:
    """Add up the opening hours of each channel from a first to a last day.

    Args:
        calendar: The centre's.
        first: First local day.
        last: Last local day.
        overrides: Days with hours of their own: `on_date`, `channel` (empty for all), `opens`, `closes` as 08:00
            (empty `opens` for closed).

    Returns:
        `channel`, `day`, `opens_s` and `closes_s` (seconds since midnight, equal when closed) and `before_s` (open
        seconds before the day). No row for a channel without opening hours.
    """
    days = pd.date_range(first, last)
    kept = sorted(_holidays(calendar.nation, days)) if calendar.nation else []
    free = days.isin(pd.DatetimeIndex(kept))
    weekdays = days.day_of_week.to_numpy()
    special = {
        (pd.Timestamp(row.on_date).date(), None if pd.isna(row.channel) else row.channel): (row.opens, row.closes)
        for row in overrides.itertuples()
    }
    frames = []
    for channel, hours in calendar.opening.items():
        opens, closes = (np.zeros(len(days), dtype=np.int64) for _ in range(2))
        for at, day in enumerate(days):
            usual = hours.get("holiday" if free[at] and "holiday" in hours else WEEKDAYS[weekdays[at]])
            found = (_seconds(usual[0]), _seconds(usual[1])) if usual else (0, 0)
            key = next((key for key in ((day.date(), channel), (day.date(), None)) if key in special), None)
            if key is not None:
                start, end = special[key]
                found = (_read(start), _read(end)) if not pd.isna(start) and not pd.isna(end) else (0, 0)
            opens[at], closes[at] = found
        length = np.maximum(closes - opens, 0)
        frames.append(
            pd.DataFrame(
                {
                    "channel": channel,
                    "day": days.date,
                    "opens_s": opens,
                    "closes_s": np.maximum(opens, closes),
                    "before_s": np.cumsum(length) - length,
                }
            )
        )
    columns = ["channel", "day", "opens_s", "closes_s", "before_s"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _seconds(of: time) -> int:
    return DAY_S if of == time.max else of.hour * 3600 + of.minute * 60


def _read(text: str) -> int:
    hours, _, minutes = str(text).partition(":")
    return int(hours) * 3600 + int(minutes[:2] or 0) * 60

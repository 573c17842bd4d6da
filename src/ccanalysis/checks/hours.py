"""Which hours a centre was open, and which of them its data covers.

An hour that usually brings contacts and has none is missing, not quiet: a part of the day was not exported.
"""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING

import pandas as pd

from ccanalysis.checks.calendar import bank_holidays, starts
from ccanalysis.workspace import WEEKDAYS

if TYPE_CHECKING:
    from ccanalysis.checks.batches import Scope

# An hour is expected where so many rows are usual in it: by chance it has none in under 1 of 1,000,000 (Poisson).
USUAL_ROWS = 15
# What is usual is told from so many days of the same weekday at least.
USUAL_DAYS = 4
COLUMNS = ["level", "unit", "on_date", "hour", "expected", "open", "usual", "n_rows", "_period", "_team", "_channel"]


def opening_times(scope: Scope, channels: list[str], overrides: pd.DataFrame) -> pd.DataFrame:
    """Say for each channel and day of the baseline from when to when the centre was open.

    Args:
        scope: The time that is looked at, with the centre's opening hours.
        channels: The channels to say it for.
        overrides: Days with hours of their own: on_date, channel (empty for all), opens and closes (empty for closed).

    Returns:
        channel, on_date, first (first whole hour), end (the hour after the last whole one; not above `first` where the
        centre was closed), began and ended (the hours in which it was open at all); no row for a channel without
        opening hours.
    """
    days = pd.date_range(scope.periods[0].start, scope.period.end, inclusive="left")
    holidays = bank_holidays(scope.centre, range(days[0].year, days[-1].year + 1))
    special = {
        (pd.Timestamp(row.on_date), None if pd.isna(row.channel) else row.channel): _told(row.opens, row.closes)
        for row in overrides.itertuples()
    }
    found = []
    for channel in channels:
        hours = scope.centre.opening.get(channel)
        if hours is None:
            continue
        for day in days:
            name = "holiday" if day in holidays and "holiday" in hours else WEEKDAYS[day.weekday()]
            times = special.get((day, channel), special.get((day, None), hours.get(name)))
            found.append((channel, day, *_hours(times)))
    return pd.DataFrame(found, columns=["channel", "on_date", "first", "end", "began", "ended"])


def _told(opens: object, closes: object) -> tuple[time, time] | None:
    try:
        return time.fromisoformat(str(opens)), time.fromisoformat(str(closes))
    except ValueError:
        return None


def _hours(times: tuple[time, time] | None) -> tuple[int, int, int, int]:
    """Return the whole hours of an opening, and the hours that it touches; closing at 23:59 is midnight."""
    if times is None:
        return 0, 0, 0, 0
    opens, closes = (moment.hour * 60 + moment.minute for moment in times)
    closes = 1440 if closes == 1439 or closes <= opens else closes
    return -(-opens // 60), closes // 60, opens // 60, -(-closes // 60)


def hours_batch(scope: Scope, counted: pd.DataFrame, overrides: pd.DataFrame) -> pd.DataFrame:
    """Return one row per channel, day and hour, and per day and hour of the whole centre.

    A day without any row is left to the rule on days: its hours are not missing one by one.

    Args:
        scope: The time that is looked at.
        counted: on_date, hour, channel, n_rows.
        overrides: As for `opening_times`.

    Returns:
        level (centre, channel), unit, on_date, hour, expected (whether it was open and usually brings rows), open
        (whether the centre was open; missing where no opening hours are known), usual (rows of that weekday and hour),
        n_rows, and what the row belongs to.
    """
    if not len(counted):
        return pd.DataFrame(columns=COLUMNS)
    counted = counted.assign(channel=counted["channel"].fillna(""))
    told = opening_times(scope, sorted(set(counted["channel"]) - {""}), overrides)
    parts = [_grid(rows, told[told["channel"] == channel], "channel", channel) for channel, rows in _by(counted)]
    channels = pd.concat(parts, ignore_index=True)
    whole = channels.groupby(["on_date", "hour"], as_index=False).agg(
        n_rows=("n_rows", "sum"), within=("within", "any"), open=("open", "any"), known=("known", "all")
    )
    every = pd.concat([channels, _usual(whole.assign(level="centre", unit=""))], ignore_index=True)
    every = every[_exists(every, scope)]
    every["expected"] = every["within"] & (every["usual"] >= USUAL_ROWS)
    every["open"] = every["open"].astype("boolean").where(every["known"])
    every["_period"] = starts(scope, every["on_date"])
    every["_team"] = None
    every["_channel"] = every["unit"].where(every["level"] == "channel", None)
    kept = every[(every["n_rows"] > 0) | every["expected"]]
    return kept[COLUMNS].reset_index(drop=True)


def _by(counted: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(channel), rows) for channel, rows in counted.groupby("channel")]


def _grid(rows: pd.DataFrame, told: pd.DataFrame, level: str, unit: str) -> pd.DataFrame:
    """Put every hour of the day beside every day that has rows."""
    came = rows.groupby(["on_date", "hour"])["n_rows"].sum()
    days = came[came > 0].index.get_level_values("on_date").unique()
    grid = came.reindex(pd.MultiIndex.from_product([days, range(24)], names=["on_date", "hour"]), fill_value=0)
    frame = grid.rename("n_rows").reset_index()
    frame["known"] = bool(len(told))
    if len(told):
        frame = frame.merge(told.drop(columns="channel"), on="on_date", how="left")
        frame["within"] = (frame["hour"] >= frame["first"]) & (frame["hour"] < frame["end"])
        frame["open"] = (frame["hour"] >= frame["began"]) & (frame["hour"] < frame["ended"])
    else:
        frame["within"], frame["open"] = True, True
    return _usual(frame.assign(level=level, unit=unit))


def _usual(frame: pd.DataFrame) -> pd.DataFrame:
    same = frame.groupby([frame["on_date"].dt.day_of_week, "hour"])["n_rows"]
    enough = same.transform("size") >= USUAL_DAYS
    return frame.assign(usual=same.transform("median").where(enough, 0.0))


def _exists(frame: pd.DataFrame, scope: Scope) -> pd.Series:
    """Leave out the hour that the change to summer time skips."""
    at = pd.to_datetime(frame["on_date"]) + pd.to_timedelta(frame["hour"], unit="h")
    there = at.dt.tz_localize(scope.centre.zone, nonexistent="NaT", ambiguous=[True] * len(at))
    return there.notna()

"""Which days a centre was open, and which of them its data covers.

A day without rows is missing, not zero: nobody knows whether no contact came or no export.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from ccanalysis.workspace import WEEKDAYS, Centre

if TYPE_CHECKING:
    from ccanalysis.checks.batches import Scope

# A weekday belongs to a unit's pattern when so many rows came on half of its occurrences in the baseline. With ten
# usual, a day without any is no chance: its probability is under 0.0001 (Poisson).
USUAL_ROWS = 10
# The last open day is whole when rows come up to so many hours before closing, or as late as they ever did.
CLOSING_SLACK_HOURS = 2
LEVELS = ("channel", "site", "channel_site", "team")
COLUMNS = ["level", "unit", "period", "days_expected", "days_present", "n_rows", "settled", "reason", "n_per_day"]


def bank_holidays(centre: Centre, years: range) -> set[pd.Timestamp]:
    """Return the bank holidays of the centre's nation or region.

    Source:
        The `holidays` library, which keeps the calendars of nations and their parts.
    """
    if not centre.holidays:
        return set()
    import holidays  # noqa: PLC0415  only where a centre names its calendar

    nation, _, part = centre.holidays.partition("-")
    return {pd.Timestamp(day) for day in holidays.country_holidays(nation, subdiv=part or None, years=years)}


def opening_days(scope: Scope, channels: list[str], overrides: pd.DataFrame) -> pd.DataFrame:
    """Say for each channel and day of the baseline whether the centre was open.

    Args:
        scope: The time that is looked at, with the centre's opening hours.
        channels: The channels to say it for.
        overrides: Days with hours of their own: on_date, channel (empty for all), opens (empty for closed).

    Returns:
        channel, on_date, expected, closes (hour, missing where unknown); no row for a channel without opening hours.
    """
    days = pd.date_range(scope.periods[0].start, scope.period.end, inclusive="left")
    holidays = bank_holidays(scope.centre, range(days[0].year, days[-1].year + 1))
    special = {
        (pd.Timestamp(row.on_date), None if pd.isna(row.channel) else row.channel): not pd.isna(row.opens)
        for row in overrides.itertuples()
    }
    found = []
    for channel in channels:
        hours = scope.centre.opening.get(channel)
        if hours is None:
            continue
        for day in days:
            name = "holiday" if day in holidays and "holiday" in hours else WEEKDAYS[day.weekday()]
            opening = hours.get(name)
            is_open = special.get((day, channel), special.get((day, None), opening is not None))
            closes = opening[1].hour if opening else None
            found.append((channel, day, is_open, closes))
    return pd.DataFrame(found, columns=["channel", "on_date", "expected", "closes"])


def expected_days(scope: Scope, counted: pd.DataFrame, *, overrides: pd.DataFrame) -> pd.DataFrame:
    """Say for each channel, site and team which days it should have rows on.

    A channel follows its opening hours; where the workspace gives none, its own usual weekdays. Sites, channels at
    sites and teams follow their usual weekdays on days the centre was open.

    Args:
        scope: The time that is looked at.
        counted: on_date, n_rows and any of channel, site, team.
        overrides: As for `opening_days`.

    Returns:
        level, unit, on_date, expected, closes, with one row per unit and day of the baseline.
    """
    days = pd.date_range(scope.periods[0].start, scope.period.end, inclusive="left")
    parts = []
    seen = sorted(map(str, counted["channel"].dropna().unique())) if "channel" in counted else []
    told = opening_days(scope, seen, overrides)
    parts.append(told.rename(columns={"channel": "unit"}).assign(level="channel"))
    for level in LEVELS:
        if level not in counted:
            continue
        present = counted[(counted["n_rows"] > 0) & counted[level].notna()]
        for unit, rows in present.groupby(level):
            if level == "channel" and unit in set(told["channel"]):
                continue
            came = rows.groupby("on_date")["n_rows"].sum().reindex(days, fill_value=0)
            usual = came.groupby(days.day_of_week).median() >= USUAL_ROWS
            parts.append(
                pd.DataFrame(
                    {"level": level, "unit": unit, "on_date": days, "expected": usual.loc[days.day_of_week].to_numpy()}
                )
            )
    # An empty part, as of a centre without opening hours, would take the others' types with it.
    expected = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    expected["expected"] = expected["expected"].astype(bool)
    expected["on_date"] = pd.to_datetime(expected["on_date"])
    channels = expected[expected["level"] == "channel"]
    if len(channels):
        shut = ~expected["on_date"].isin(channels.loc[channels["expected"], "on_date"])
        of_channel = expected["unit"].astype("str").str.split(" at ", n=1).str[0]
        closed = pd.MultiIndex.from_frame(channels.loc[~channels["expected"], ["unit", "on_date"]])
        in_pair = pd.MultiIndex.from_arrays([of_channel, expected["on_date"]]).isin(closed)
        expected.loc[shut & (expected["level"] != "channel"), "expected"] = False
        expected.loc[in_pair & (expected["level"] == "channel_site"), "expected"] = False
    return expected.reindex(columns=["level", "unit", "on_date", "expected", "closes"])


def days_batch(scope: Scope, counted: pd.DataFrame, expected: pd.DataFrame) -> pd.DataFrame:
    """Return one row per channel, site or team and day, with its rows; days without any have 0."""
    rows = _by_level(counted)
    merged = expected.merge(rows, on=["level", "unit", "on_date"], how="left")
    merged["n_rows"] = merged["n_rows"].fillna(0).astype("int64")
    merged["_period"] = starts(scope, merged["on_date"])
    level, unit = merged["level"], merged["unit"].astype("str")
    merged["_team"] = unit.where(level == "team", None)
    pair = unit.str.split(" at ", n=1)
    merged["_channel"] = unit.where(level == "channel", pair.str[0].where(level == "channel_site", None))
    merged["_site"] = unit.where(level == "site", pair.str[1].where(level == "channel_site", None))
    return merged[["level", "unit", "on_date", "expected", "n_rows", "_period", "_team", "_channel", "_site"]]


def coverage(
    scope: Scope,
    counted: pd.DataFrame,
    expected: pd.DataFrame,
    *,
    daily: bool,
    later: bool,
    hours: Mapping[pd.Timestamp, int],
) -> pd.DataFrame:
    """Say per unit and period how many of its open days have rows.

    Args:
        scope: The time that is looked at.
        counted: on_date, n_rows and any of channel, site, team.
        expected: What `expected_days` says.
        daily: Whether a day without rows is a gap; complaints may well miss a day.
        later: Whether the table has any row after the period.
        hours: Local day -> the last hour with a row.

    Returns:
        level (centre, channel, site, channel_site, team), unit, period, days_expected, days_present, n_rows,
        settled, reason, n_per_day.
        `days_expected` is missing where no opening is known.
    """
    labels = pd.Series(
        {pd.Timestamp(period.start): period.label for period in scope.periods}, dtype="object", name="period"
    )
    open_days = expected[expected["level"] == "channel"] if len(expected) else expected
    if not len(open_days):
        open_days = expected
    centre = counted.groupby("on_date", as_index=False)["n_rows"].sum().assign(level="centre", unit="")
    centre_days = open_days.groupby("on_date", as_index=False)["expected"].any().assign(level="centre", unit="")
    rows = pd.concat([centre, _by_level(counted)], ignore_index=True)
    wanted = pd.concat([centre_days, expected], ignore_index=True)
    units = pd.concat([wanted, rows])[["level", "unit"]].drop_duplicates()
    if not (units["level"] == "centre").any():
        units = pd.concat([pd.DataFrame({"level": ["centre"], "unit": [""]}), units])
    grid = units.merge(pd.DataFrame({"_period": labels.index, "period": labels.to_numpy()}), how="cross")
    present = (
        rows[rows["n_rows"] > 0]
        .assign(_period=lambda frame: starts(scope, frame["on_date"]))
        .groupby(["level", "unit", "_period"])
        .agg(days_present=("on_date", "nunique"), n_rows=("n_rows", "sum"))
    )
    should = (
        wanted[wanted["expected"].astype(bool)]
        .assign(_period=lambda frame: starts(scope, frame["on_date"]))
        .groupby(["level", "unit", "_period"])
        .agg(days_expected=("on_date", "nunique"))
    )
    keys = ["level", "unit", "_period"]
    judged = grid.join(present, on=keys).join(should, on=keys)
    for column in ("days_present", "n_rows", "days_expected"):
        judged[column] = judged[column].fillna(0).astype("int64")
    # A day that only one channel is open on brings less than a day of all: volume is told per channel and open day.
    open_at = open_days[open_days["expected"].astype(bool)] if len(open_days) else open_days
    channel_days = (
        open_at.groupby(starts(scope, open_at["on_date"])).size() if len(open_at) else pd.Series(dtype="int64")
    )
    judged["n_per_day"] = judged["n_rows"] / judged["_period"].map(channel_days).fillna(1).clip(lower=1)
    judged["settled"] = pd.Series(True, index=judged.index, dtype="boolean")
    settled, why = _settled(scope, wanted, rows, daily=daily, later=later, hours=hours)
    judged.loc[judged["period"] == scope.period.label, "settled"] = settled
    missing = judged["days_expected"] - judged["days_present"].clip(upper=judged["days_expected"])
    judged["reason"] = ""
    if daily:
        gaps = missing > 0
        judged.loc[gaps, "reason"] = [
            f"{gap:,} of {all_days:,} open days {'has' if gap == 1 else 'have'} no rows"
            for gap, all_days in zip(missing[gaps], judged.loc[gaps, "days_expected"], strict=True)
        ]
    judged.loc[judged["n_rows"] == 0, "reason"] = "there are no rows"
    last = (judged["period"] == scope.period.label) & (judged["reason"] == "")
    judged.loc[last, "reason"] = why
    if not daily:
        judged["days_expected"] = pd.Series(pd.NA, index=judged.index, dtype="Int64")
    return judged[COLUMNS].sort_values(["level", "unit", "period"], ignore_index=True)


def _settled(
    scope: Scope,
    wanted: pd.DataFrame,
    rows: pd.DataFrame,
    *,
    daily: bool,
    later: bool,
    hours: Mapping[pd.Timestamp, int],
) -> tuple[object, str]:
    """Tell whether the export was taken after the period had ended, and why not; missing where nothing says so."""
    ended = pd.Timestamp(scope.period.end).tz_localize(scope.centre.zone)
    if scope.told and pd.Timestamp(scope.as_of) < ended:
        return False, "the export was taken before the period had ended"
    if later or not daily:
        return (True, "") if later or scope.told else (pd.NA, "")
    start, end = pd.Timestamp(scope.period.start), pd.Timestamp(scope.period.end)
    open_days = wanted.loc[
        wanted["expected"].astype(bool)
        & (wanted["level"] != "team")
        & (wanted["on_date"] >= start)
        & (wanted["on_date"] < end),
        ["on_date", "closes"],
    ]
    if not len(open_days):
        return pd.NA, ""
    last = open_days["on_date"].max()
    if last not in set(rows.loc[rows["n_rows"] > 0, "on_date"]):
        return False, "the last open day has no rows, so the export may have been taken before the period had ended"
    closes = open_days.loc[open_days["on_date"] == last, "closes"].max()
    before = [hour for day, hour in hours.items() if day < last and day.weekday() == last.weekday()]
    enough = min([*before, *([closes - CLOSING_SLACK_HOURS] if pd.notna(closes) else [])], default=None)
    if last in hours and enough is not None and hours[last] < enough:
        return False, (
            f"rows of the last open day end at {hours[last]:02d}:59, so the export may have been taken before it ended"
        )
    return True, ""


def _by_level(counted: pd.DataFrame) -> pd.DataFrame:
    parts = [
        counted.groupby([level, "on_date"], as_index=False)["n_rows"]
        .sum()
        .rename(columns={level: "unit"})
        .assign(level=level)
        for level in LEVELS
        if level in counted
    ]
    return (
        pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["level", "unit", "on_date", "n_rows"])
    )


def starts(scope: Scope, days: pd.Series) -> pd.Series:
    """Return the first day of the period that each day lies in, for days of the baseline."""
    edges = pd.to_datetime([period.start for period in scope.periods])
    return pd.Series(edges[edges.searchsorted(pd.to_datetime(days), side="right") - 1], index=days.index)

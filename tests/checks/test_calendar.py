"""Which days should be there: opening hours, holidays, days of their own, and the usual where nothing is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest

from ccanalysis.checks.batches import Scope
from ccanalysis.checks.calendar import coverage, days_batch, expected_days
from ccanalysis.periods import Period

from .conftest import CENTRE

NOTHING = pd.DataFrame({"on_date": [], "channel": [], "opens": []})


def scope(label: str = "2026-W36", *, baseline: int = 6, centre=CENTRE, as_of=None) -> Scope:
    taken = as_of or datetime(2027, 1, 1, tzinfo=UTC)
    return Scope(period=Period.parse(label), baseline=baseline, centre=centre, as_of=taken, told=as_of is not None)


def counted(asked: Scope, *, days=range(5), rows: int = 40, gone: tuple[str, ...] = ()) -> pd.DataFrame:
    """Rows of one channel, site and team on some weekdays of the baseline."""
    every = pd.date_range(asked.periods[0].start, asked.period.end, inclusive="left")
    there = every[every.day_of_week.isin(list(days)) & ~every.isin(pd.to_datetime(list(gone)))]
    return pd.DataFrame(
        {
            "on_date": there,
            "channel": "voice",
            "site": "Leeds",
            "channel_site": "voice at Leeds",
            "team": "North",
            "n_rows": rows,
        }
    )


def expected(asked: Scope, rows: pd.DataFrame, overrides: pd.DataFrame = NOTHING, level: str = "channel") -> set[str]:
    found = expected_days(asked, rows, overrides=overrides)
    found = found[found["expected"] & (found["level"] == level) & (found["on_date"] >= str(asked.period.start))]
    return {f"{day:%a}" for day in found["on_date"]}


def test_a_channel_is_open_when_the_settings_say_so():
    """Monday 31 August 2026 is a bank holiday in England; Saturday and Sunday are closed."""
    asked = scope()
    assert expected(asked, counted(asked)) == {"Tue", "Wed", "Thu", "Fri"}
    assert expected(asked, counted(asked), level="team") == {"Tue", "Wed", "Thu", "Fri"}


def test_without_a_calendar_of_holidays_every_weekday_is_open():
    """No nation is assumed."""
    asked = scope(centre=replace(CENTRE, holidays=""))
    assert expected(asked, counted(asked)) == {"Mon", "Tue", "Wed", "Thu", "Fri"}


@pytest.mark.parametrize(
    ("override", "open_days"),
    [
        pytest.param(("2026-08-31", "voice", "10:00"), {"Mon", "Tue", "Wed", "Thu", "Fri"}, id="open_on_a_holiday"),
        pytest.param(("2026-09-02", None, None), {"Tue", "Thu", "Fri"}, id="closed_on_every_channel"),
        pytest.param(("2026-09-02", "chat", None), {"Tue", "Wed", "Thu", "Fri"}, id="closed_on_another_channel"),
    ],
)
def test_a_day_of_its_own_overrules_the_settings(override, open_days):
    """The table `calendar` says where a day differs."""
    asked = scope()
    overrides = pd.DataFrame([override], columns=["on_date", "channel", "opens"])
    assert expected(asked, counted(asked), overrides) == open_days


def test_without_opening_hours_the_usual_weekdays_are_expected():
    """Learnt from the baseline, where ten rows or more are usual."""
    asked = scope(centre=replace(CENTRE, opening={}, holidays=""))
    assert expected(asked, counted(asked, days=[0, 2, 5])) == {"Mon", "Wed", "Sat"}
    assert expected(asked, counted(asked, days=[0, 2, 5], rows=9)) == set()


def judged(asked: Scope, rows: pd.DataFrame, **more) -> pd.DataFrame:
    wanted = expected_days(asked, rows, overrides=NOTHING)
    more = {"daily": True, "later": True, "hours": {}} | more
    found = coverage(asked, rows, wanted, **more)
    return found[found["period"] == asked.period.label].set_index(["level", "unit"])


def test_a_day_without_rows_is_missing_not_zero():
    """It is counted, and said in words."""
    asked = scope("2026-W46")
    centre = judged(asked, counted(asked, gone=("2026-11-11",))).loc[("centre", "")]
    assert (centre["days_expected"], centre["days_present"]) == (5, 4)
    assert centre["reason"] == "1 of 5 open days has no rows"


def test_a_day_of_zeros_is_missing_too():
    """An interval report that shows nothing but zeros says nothing."""
    asked = scope("2026-W46")
    rows = counted(asked)
    rows.loc[rows["on_date"].isin(pd.to_datetime(["2026-11-12", "2026-11-13"])), "n_rows"] = 0
    assert judged(asked, rows).loc[("centre", ""), "reason"] == "2 of 5 open days have no rows"


def test_a_table_that_may_miss_a_day_has_no_days_to_expect():
    """A day without complaints is a good day."""
    asked = scope("2026-W46")
    centre = judged(asked, counted(asked, gone=("2026-11-11",)), daily=False).loc[("centre", "")]
    assert pd.isna(centre["days_expected"])
    assert centre["reason"] == ""


def test_days_without_rows_are_rows_of_the_batch_with_a_count_of_zero():
    """So that Great Expectations sees what is not there."""
    asked = scope("2026-W46", baseline=1)
    rows = counted(scope("2026-W46"), gone=("2026-11-11",))
    wanted = expected_days(asked, rows[rows["on_date"] >= "2026-11-09"], overrides=NOTHING)
    batch = days_batch(asked, rows, wanted)
    gap = batch[(batch["on_date"] == "2026-11-11") & (batch["level"] == "channel")].iloc[0]
    assert (gap["unit"], gap["expected"], gap["n_rows"]) == ("voice", True, 0)


@pytest.mark.parametrize(
    ("more", "settled", "reason"),
    [
        pytest.param({"later": True}, True, "", id="rows_after_the_period"),
        pytest.param({"later": False}, True, "", id="rows_on_the_last_open_day"),
        pytest.param(
            {"later": False, "hours": {pd.Timestamp("2026-11-13"): 11}},
            False,
            "rows of the last open day end at 11:59, so the export may have been taken before it ended",
            id="rows_end_at_noon",
        ),
        pytest.param(
            {"later": False, "hours": {pd.Timestamp("2026-11-13"): 11, pd.Timestamp("2026-11-06"): 11}},
            True,
            "",
            id="rows_end_at_noon_as_they_did_the_week_before",
        ),
    ],
)
def test_whether_the_export_was_taken_after_the_period_had_ended(more, settled, reason):
    """The centre closes at 18:00; rows until two hours before are whole."""
    asked = scope("2026-W46")
    centre = judged(asked, counted(asked), **more).loc[("centre", "")]
    assert (centre["settled"], centre["reason"]) == (settled, reason)


def test_a_last_open_day_without_rows_is_not_settled():
    """The export may have been taken on the Thursday."""
    asked = scope("2026-W46")
    assert not judged(asked, counted(asked, gone=("2026-11-13",)), later=False).loc[("centre", ""), "settled"]


@pytest.mark.parametrize("label", ["2026-11-12", "2026-W46", "2026-11", "2026-Q4", "2026"])
def test_every_kind_of_period_is_covered(label):
    """Days lie in the period that they lie in."""
    asked = scope(label, baseline=2)
    rows = counted(asked)
    found = coverage(asked, rows, expected_days(asked, rows, overrides=NOTHING), daily=True, later=True, hours={})
    centre = found[found["level"] == "centre"]
    assert list(centre["period"]) == asked.labels
    assert centre["n_rows"].sum() == rows["n_rows"].sum()

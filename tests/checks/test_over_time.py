"""What history leads to expect: bounds, mixes, hours and parts, each as a pure function of small frames."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time

import numpy as np
import pandas as pd
import pytest

from ccanalysis.checks import hours, over_time
from ccanalysis.checks.batches import Scope
from ccanalysis.periods import Period

from .conftest import CENTRE, PERIOD

SCOPE = Scope(period=PERIOD, baseline=10, centre=CENTRE, as_of=datetime(2026, 11, 16, tzinfo=UTC), told=True)
NONE = pd.DataFrame({"on_date": [], "channel": [], "opens": [], "closes": []})


def periods(**columns: list[float]) -> pd.DataFrame:
    """One row per period of the baseline, the last of them the one reported on."""
    starts = pd.to_datetime([period.start for period in SCOPE.periods])
    return pd.DataFrame({"n_rows": 400, "_period": starts, **columns})


def test_bounds_lie_so_many_median_deviations_from_the_median():
    """One wild week among the earlier ones moves them next to nothing."""
    steady = [100, 110, 90, 105, 95, 100, 120, 80, 100, 100]
    wild = [*steady[:8], 100_000, 100]
    low, high = (over_time.bounds(periods(n_per_day=values), SCOPE)[0]["volume_high"] for values in (steady, wild))
    assert 120 < low <= high < 150


def test_the_period_reported_on_does_not_move_its_own_bounds():
    calm = [100.0] * 9
    first, _ = over_time.bounds(periods(n_per_day=[*calm, 100.0]), SCOPE)
    other, _ = over_time.bounds(periods(n_per_day=[*calm, 900.0]), SCOPE)
    assert first == other


def test_too_little_history_bounds_nothing():
    """Eight earlier periods are needed, of those that have rows."""
    frame = periods(n_per_day=[100.0] * 10)
    frame.loc[:1, "n_rows"] = 0
    found, unknown = over_time.bounds(frame, SCOPE)
    assert found == {}
    assert unknown == set(over_time.PARAMETERS)


def test_a_shift_is_the_share_that_would_have_to_be_of_another_value():
    """From nine in ten by voice to six in ten: three in ten have moved."""
    days = [pd.Timestamp(period.start) for period in SCOPE.periods]
    rows = [
        (day, channel, n)
        for day in days
        for channel, n in (("voice", 60 if day == days[-1] else 90), ("chat", 40 if day == days[-1] else 10))
    ]
    found = over_time.shifts(SCOPE, pd.DataFrame(rows, columns=["on_date", "channel", "n_rows"]), "channel")
    assert found.iloc[-1] == pytest.approx(0.3)
    assert found.iloc[:-1].max() == pytest.approx(0)


def test_a_mix_of_one_value_has_no_shift():
    days = [pd.Timestamp(period.start) for period in SCOPE.periods]
    frame = pd.DataFrame({"on_date": days, "channel": "voice", "n_rows": 5})
    assert over_time.shifts(SCOPE, frame, "channel").isna().all()


def test_a_part_whose_unit_changed_is_so_many_times_the_others():
    """The geometric mean of a thousand times longer durations is a thousand times the usual, whatever the spread."""
    rows = [
        {"source_file": "a.csv", "on_date": pd.Timestamp(day), "channel": "voice", "n_talk_s": 50, "log_talk_s": total}
        for day, total in zip(
            pd.bdate_range("2026-11-09", periods=5), [50 * np.log(200)] * 4 + [50 * np.log(200_000)], strict=True
        )
    ]
    found = over_time.parts_batch(SCOPE, pd.DataFrame(rows), {"talk_s": "talk_s"})
    assert found["factor"].round(6).tolist() == [1, 1, 1, 1, 1000]


@pytest.mark.parametrize(
    ("opens", "closes", "whole"),
    [
        pytest.param(time(8), time(18), (8, 18, 8, 18), id="whole_hours"),
        pytest.param(time(8, 30), time(17, 30), (9, 17, 8, 18), id="half_hours_are_not_whole"),
        pytest.param(time(0), time(23, 59), (0, 24, 0, 24), id="to_midnight"),
    ],
)
def test_the_whole_hours_of_an_opening(opens, closes, whole):
    """Only an hour that lies wholly within them can be missed."""
    days = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday"), (opens, closes))
    scope = replace(SCOPE, centre=replace(CENTRE, opening={"voice": days}))
    told = hours.opening_times(scope, ["voice"], NONE).iloc[0]
    assert (told["first"], told["end"], told["began"], told["ended"]) == whole


def counted(n: int) -> pd.DataFrame:
    days = pd.bdate_range(SCOPE.periods[0].start, PERIOD.end, inclusive="left")
    grid = pd.MultiIndex.from_product([days, range(8, 18)], names=["on_date", "hour"]).to_frame(index=False)
    return grid.assign(channel="voice", n_rows=n)


@pytest.mark.parametrize(("n", "missing"), [(hours.USUAL_ROWS, 2), (hours.USUAL_ROWS - 1, 0)])
def test_an_hour_is_missed_only_where_many_rows_are_usual(n, missing):
    """Once for the channel and once for the centre; where few are usual, none may come by chance."""
    frame = counted(n)
    gone = (frame["on_date"] == "2026-11-11") & (frame["hour"] == 10)
    found = hours.hours_batch(SCOPE, frame[~gone], NONE)
    empty = found[found["expected"] & (found["n_rows"] == 0)]
    assert len(empty) == missing


def test_a_shorter_opening_in_the_calendar_is_no_gap():
    """Hours of a single day stand before those of the workspace."""
    frame = counted(40)
    gone = (frame["on_date"] == "2026-11-11") & (frame["hour"] >= 12)
    told = pd.DataFrame({"on_date": ["2026-11-11"], "channel": [None], "opens": ["08:00"], "closes": ["12:00"]})
    found = hours.hours_batch(SCOPE, frame[~gone], told)
    assert found[found["expected"] & (found["n_rows"] == 0)].empty


def test_the_hour_that_summer_time_skips_is_not_missed():
    """At one in the morning of the last Sunday of March there is no such hour in London."""
    period = Period.parse("2026-W13")
    always = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday"), (time(0), time(23, 59)))
    scope = replace(SCOPE, period=period, centre=replace(CENTRE, opening={"voice": always}))
    days = pd.date_range(scope.periods[0].start, period.end, inclusive="left")
    grid = pd.MultiIndex.from_product([days, range(24)], names=["on_date", "hour"]).to_frame(index=False)
    frame = grid.assign(channel="voice", n_rows=50)
    skipped = (frame["on_date"] == "2026-03-29") & (frame["hour"] == 1)
    found = hours.hours_batch(scope, frame[~skipped], NONE)
    assert found[found["expected"] & (found["n_rows"] == 0)].empty

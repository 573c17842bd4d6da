"""Periods: ISO weeks over every year end, months, quarters and years, in words and backwards."""

from __future__ import annotations

from datetime import date, time, timedelta
from itertools import pairwise
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ccanalysis.contracts import TABLES
from ccanalysis.errors import NoInputError, SettingsError
from ccanalysis.periods import KINDS, Period
from ccanalysis.results import last_complete
from ccanalysis.workspace import WEEKDAYS, Centre, Workspace

FORMS = "Give a week as 2026-W46, a month as 2026-11, a quarter as 2026-Q4, a year as 2026 or a day as 2026-11-12"
days = st.dates(date(1970, 1, 1), date(2100, 12, 31))
kinds = st.sampled_from(KINDS)


@given(days)
@example(date(2024, 12, 30))
@example(date(2027, 1, 1))
@example(date(2021, 1, 3))
def test_a_week_is_the_week_of_iso_8601(day):
    """Number, year of the number, Monday and Sunday are those of the standard library."""
    week = Period.containing(day, "week")
    year, number, _ = day.isocalendar()
    assert week.label == f"{year}-W{number:02d}"
    assert week.start == date.fromisocalendar(year, number, 1)
    assert week.end == week.start + timedelta(days=7)


@pytest.mark.parametrize(
    ("day", "label"),
    [
        (date(2024, 12, 30), "2025-W01"),
        (date(2026, 12, 31), "2026-W53"),
        (date(2027, 1, 1), "2026-W53"),
        (date(2027, 1, 4), "2027-W01"),
        (date(2021, 1, 3), "2020-W53"),
    ],
)
def test_days_about_the_new_year_keep_the_year_of_their_week(day, label):
    """30 December 2024 lies in the first week of 2025; 1 January 2027 in the last of 2026."""
    assert Period.containing(day, "week").label == label


@given(days, kinds)
def test_a_day_lies_in_its_period_and_the_label_reads_back(day, kind):
    """What a label names is the period it was written for."""
    period = Period.containing(day, kind)
    assert period.start <= day < period.end
    assert Period.parse(period.label) == period
    assert Period.containing(period.start, kind) == period
    assert Period.containing(period.end - timedelta(days=1), kind) == period
    assert period.days == (period.end - period.start).days


@given(days, kinds, st.integers(-60, 60), st.integers(-60, 60))
def test_shifts_add_up_and_leave_no_gap(day, kind, first, second):
    """Two shifts are one; the next period begins where this one ends."""
    period = Period.containing(day, kind)
    assert period.shift(first).shift(second) == period.shift(first + second)
    assert period.shift(1).start == period.end
    assert period.shift(0) == period


@given(days, kinds, st.integers(1, 80))
def test_back_lists_the_periods_up_to_this_one_without_a_gap(day, kind, count):
    """The oldest comes first, this one last, and each begins where the one before ends."""
    period = Period.containing(day, kind)
    listed = list(period.back(count))
    assert len(listed) == count
    assert listed[-1] == period
    assert all(later.start == earlier.end for earlier, later in pairwise(listed))


@given(days, kinds, st.integers(1, 40))
def test_labels_of_one_kind_sort_as_their_periods_do(day, kind, later):
    """Frames sort and compare labels as text."""
    period = Period.containing(day, kind)
    assert period.label < period.shift(later).label


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("2026-W46", "week 46, Monday 9 to Sunday 15 November 2026"),
        ("2026-W49", "week 49, Monday 30 November to Sunday 6 December 2026"),
        ("2026-W53", "week 53, Monday 28 December 2026 to Sunday 3 January 2027"),
        ("2026-11", "November 2026"),
        ("2026-Q4", "October to December 2026"),
        ("2026", "the year 2026"),
        ("2026-11-12", "Thursday 12 November 2026"),
    ],
)
def test_a_period_in_words_is_unambiguous_in_any_country(label, text):
    """Weekday and month are written out."""
    assert Period.parse(label).text == text


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("2026-W54", "there is no period '2026-W54' in the calendar"),
        ("2025-W53", "there is no period '2025-W53' in the calendar"),
        ("2026-W00", "there is no period '2026-W00' in the calendar"),
        ("2026-13", "there is no period '2026-13' in the calendar"),
        ("2026-02-30", "there is no period '2026-02-30' in the calendar"),
        ("2026-Q5", "the period '2026-Q5' cannot be read"),
        ("last week", "the period 'last week' cannot be read"),
        ("", "the period '' cannot be read"),
        ("2026-W46\n", "the period '2026-W46\\n' cannot be read"),
        ("12/11/2026", "the period '12/11/2026' cannot be read"),
        ("٢٠٢٦-11", "the period '٢٠٢٦-11' cannot be read"),
        ("0026-W46", "the period '0026-W46' lies outside 1900 to 2199"),
        ("9999-12-31", "the period '9999-12-31' lies outside 1900 to 2199"),
    ],
)
def test_a_label_that_names_no_period_is_refused_with_the_forms(label, message):
    """The error says what was given and how to write it."""
    with pytest.raises(SettingsError) as refused:
        Period.parse(label)
    assert str(refused.value) == f"{message}. {FORMS}"
    assert refused.value.exit_code == 2


@given(st.text(max_size=12))
def test_any_text_is_a_period_or_a_settings_error(text):
    """No text ends in another kind of error."""
    try:
        assert Period.parse(text).label == text
    except SettingsError as error:
        assert repr(text) in str(error)


OPEN = (time(8), time(20))
HOURS = {"weekdays": dict.fromkeys(WEEKDAYS[:5], OPEN), "all_week": dict.fromkeys(WEEKDAYS, OPEN), "unknown": {}}


@pytest.mark.parametrize(
    ("newest", "kind", "hours", "label"),
    [
        pytest.param("2026-11-15", "week", "unknown", "2026-W46", id="sunday_ends_the_week"),
        pytest.param("2026-11-13", "week", "unknown", "2026-W46", id="a_weekend_may_lack"),
        pytest.param("2026-11-12", "week", "unknown", "2026-W45", id="a_friday_may_not"),
        pytest.param("2026-11-09", "week", "unknown", "2026-W45", id="a_week_has_just_begun"),
        pytest.param("2026-11-13", "week", "weekdays", "2026-W46", id="closed_days_may_lack"),
        pytest.param("2026-11-14", "week", "all_week", "2026-W45", id="an_open_sunday_may_not"),
        pytest.param("2026-11-30", "month", "unknown", "2026-11", id="the_month_is_over"),
        pytest.param("2026-11-20", "month", "unknown", "2026-10", id="two_thirds_are_no_month"),
        pytest.param("2026-10-30", "month", "unknown", "2026-10", id="it_ends_on_a_weekend"),
        pytest.param("2026-11-12", "day", "unknown", "2026-11-12", id="a_day_is_whole"),
        pytest.param("2026-12-31", "year", "unknown", "2026", id="so_is_a_year_on_its_last_day"),
    ],
)
def test_the_last_complete_period_lacks_no_day_that_was_open(tmp_path, newest, kind, hours, label):
    """A report that nobody asked a period for is not made of half of one."""
    path = tmp_path / "contacts.parquet"
    pq.write_table(pa.table({"local_date": [date(2026, 9, 1), date.fromisoformat(newest)]}), path)
    centre = Centre(name="A", time_zone="Europe/London", opening={"voice": HOURS[hours]})
    workspace = Workspace(root=tmp_path, centre=centre, sources=(), tables=TABLES, paths={}, frequency=kind)
    assert last_complete(workspace, SimpleNamespace(tables={"contacts": path})).label == label


def test_the_counts_of_a_month_cover_it_to_its_end(tmp_path):
    """A row of interval counts stands for its whole length."""
    path = tmp_path / "intervals.parquet"
    pq.write_table(pa.table({"starts_on": [date(2026, 10, 1)], "length": ["month"]}), path)
    centre = Centre(name="A", time_zone="Europe/London")
    workspace = Workspace(root=tmp_path, centre=centre, sources=(), tables=TABLES, paths={}, frequency="month")
    assert last_complete(workspace, SimpleNamespace(tables={"intervals": path})).label == "2026-10"


def test_no_row_has_no_last_period(tmp_path):
    """The table is named, and where to look."""
    path = tmp_path / "contacts.parquet"
    pq.write_table(pa.table({"local_date": pa.array([], pa.date32())}), path)
    centre = Centre(name="A", time_zone="Europe/London")
    workspace = Workspace(root=tmp_path, centre=centre, sources=(), tables=TABLES, paths={})
    with pytest.raises(NoInputError) as refused:
        last_complete(workspace, SimpleNamespace(tables={"contacts": path}))
    assert str(refused.value) == ("the table 'contacts' has no row. Look at the quarantine with `ccanalysis check`")

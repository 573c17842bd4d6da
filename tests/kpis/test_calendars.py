"""Business calendars against the library that keeps the holidays, over years and nations."""

from __future__ import annotations

from datetime import date, timedelta

import holidays
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccanalysis.kpis.calendars import Calendar, business_days, is_business_day, open_hours

NATIONS = ("GB-ENG", "GB-SCT", "GB-NIR", "GB-WLS", "IE", "DE-BY", "US", "IL", "AE", "CN")


@pytest.mark.parametrize("nation", NATIONS)
def test_business_days_are_those_of_the_library(nation):
    """Every day of twelve years, weekends of the nation and declared days of work included."""
    days = pd.date_range("2018-01-01", "2029-12-31")
    country, _, part = nation.partition("-")
    library = holidays.country_holidays(country, subdiv=part or None)
    assert is_business_day(nation, days).tolist() == [library.is_working_day(day) for day in days.date]


@given(
    st.sampled_from(NATIONS[:4]),
    st.dates(date(2018, 1, 1), date(2029, 6, 1)),
    st.integers(0, 90),
)
def test_business_days_between_are_counted_as_the_library_counts(nation, earlier, length):
    """After the earlier day, up to and with the later; on a day that is none, the next one has begun."""
    later = earlier + timedelta(days=length)
    table = business_days(nation, earlier, later).set_index("day")["n"]
    between = (int(table[later]) + 1) // 2 - int(table[earlier]) // 2
    library = holidays.country_holidays(*nation.split("-"))
    worked = sum(library.is_working_day(earlier + timedelta(days=n)) for n in range(1, length + 1))
    assert between == worked + (not library.is_working_day(later))


def test_published_bank_holidays_of_three_nations():
    """2 January 2026 in Scotland, 12 July (on the 13th) in Northern Ireland, 31 August in England.

    Source:
        gov.uk, bank holidays 2026.
    """
    known = {"GB-SCT": "2026-01-02", "GB-NIR": "2026-07-13", "GB-ENG": "2026-08-31"}
    for nation, day in known.items():
        free = {other: not is_business_day(other, pd.DatetimeIndex([day]))[0] for other in known}
        assert free[nation]
        assert [other for other, closed in free.items() if closed] != list(known)


def test_opening_hours_add_up_and_a_channel_without_any_has_none():
    """24:00 is the whole day, a holiday goes by its own hours."""
    from datetime import time

    opening = {"voice": {"thu": (time(8), time(20)), "fri": (time(0), time.max), "holiday": None}}
    calendar = Calendar(zone="Europe/London", nation="GB-ENG", opening=opening)
    nothing = pd.DataFrame(columns=["on_date", "channel", "opens", "closes"])
    frame = open_hours(calendar, date(2026, 3, 26), date(2026, 4, 4), nothing)
    assert frame["before_s"].tolist() == [0, 43_200, *[129_600] * 6, 172_800, 172_800]  # Good Friday is closed
    assert open_hours(Calendar(zone="UTC"), date(2026, 1, 1), date(2026, 1, 9), nothing).empty

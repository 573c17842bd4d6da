"""Times: only the declared format, only the declared zone, and clock changes that are never guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccanalysis.engine import connect
from ccanalysis.sources.clock_changes import add_day_tables, clock_changes, instant_sql, local_sql

from .conftest import faults, rows

BASE = """
contact_id = "id"
channel = { value = "voice" }
outcome = { value = "answered" }
"""
SLASH = "%d/%m/%Y %H:%M:%S"


def read(desk, form, *cells, zone="Europe/London", table_zone="Europe/London"):
    """Read times; give back instants by row, and the rules that were broken by row."""
    desk.time_zone = table_zone
    desk.write("cells.csv", "id;cell\n" + "".join(f"r{n};{cell}\n" for n, cell in enumerate(cells)) + "z;\n")
    more = 'delimiter = ";"' + (f'\nzone = "{zone}"' if zone else "")
    mapping = (
        f'offered_at = {{ value = "2026-11-09T08:00:00+00:00" }}\nended_at = {{ column = "cell", format = "{form}" }}'
    )
    desk.source("data/cells.csv", BASE + mapping, more=more)
    staged = desk.stage()
    values = {int(row) - 2: value for row, value in rows(staged.tables["contacts"], "source_row", "ended_at")}
    wrong = {row - 2: rule for row, name, rule in faults(staged) if name == "ended_at"}
    return [wrong.get(n, values.get(n)) for n in range(len(cells))]


@pytest.mark.parametrize(
    ("form", "cells", "values"),
    [
        pytest.param(
            SLASH,
            [
                "03/04/2026 10:00:00",
                "3/4/2026 9:05:00",
                "13/04/2026 10:00:00",
                "04/13/2026 10:00:00",
                "2026-04-03 10:00:00",
            ],
            ["2026-04-03 09:00:00+00", "2026-04-03 08:05:00+00", "2026-04-13 09:00:00+00", "time", "time"],
            id="day_first_and_nothing_else",
        ),
        pytest.param(
            SLASH,
            ["31/02/2026 10:00:00", "03/04/26 10:00:00", "03/04/2026 24:00:00", "03/04/2026", "03/04/2026 10:00:00 x"],
            ["time", "year", "time", "time", "time"],
            id="no_such_time",
        ),
        pytest.param(
            "%Y-%m-%d %H:%M:%S%z",
            ["2026-04-03 10:00:00+02:00", "2026-04-03 10:00:00"],
            ["2026-04-03 08:00:00+00", "time"],
            id="offset_in_the_pattern",
        ),
        pytest.param(
            "iso",
            [
                "2026-10-25T01:30:00+01:00",
                "2026-10-25T01:30:00+00:00",
                "2026-10-25T01:30:00Z",
                "2026-10-25 01:30:00.250-0530",
                "2026-07-01T12:00",
                "2026-07-01 12:00:00",
                "2026-07-01",
                "20260701T120000",
                "2026-7-1 12:00:00",
                "2026-07-01T12:00:00 Europe/London",
            ],
            [
                "2026-10-25 00:30:00+00",
                "2026-10-25 01:30:00+00",
                "2026-10-25 01:30:00+00",
                "2026-10-25 07:00:00.25+00",
                "2026-07-01 11:00:00+00",
                "2026-07-01 11:00:00+00",
                *["time"] * 4,
            ],
            id="iso",
        ),
        pytest.param(
            "epoch_s",
            ["1790000000", "1790000000.5", "0", "-1", "1e9", "99999999999", "x"],
            [
                *("2026-09-21 14:13:20+00", "2026-09-21 14:13:20.5+00", "1970-01-01 00:00:00+00", "year"),
                *("2001-09-09 01:46:40+00", "year", "time"),
            ],
            id="epoch_seconds",
        ),
        pytest.param("epoch_ms", ["1790000000123"], ["2026-09-21 14:13:20.123+00"], id="epoch_milliseconds"),
        pytest.param(
            "excel",
            ["46335.5", "46335", "46335.520833333336", "3", "2026-11-09 08:00:00"],
            ["2026-11-09 12:00:00+00", "2026-11-09 00:00:00+00", "2026-11-09 12:30:00+00", "time", "time"],
            id="excel_days",
        ),
    ],
)
def test_a_time_is_read_in_the_declared_format_alone(desk, form, cells, values):
    """Never guessed, never another day."""
    assert read(desk, form, *cells) == values


def test_local_times_are_told_in_the_declared_zone(desk):
    """The source's zone, not the centre's."""
    assert read(desk, SLASH, "01/07/2026 12:00:00", zone="America/New_York") == ["2026-07-01 16:00:00+00"]


def test_without_a_declared_zone_the_centres_is_taken_and_noted(desk):
    """Said, not silent; and only where a time came without an offset."""
    assert read(desk, "iso", "2026-07-01T12:00:00", zone="") == ["2026-07-01 11:00:00+00"]
    note = (
        "source 'source 1' declares no zone; its times without an offset are read in the centre's zone, Europe/London"
    )
    assert note in desk.stage().notes
    desk.sources.clear()
    assert read(desk, "iso", "2026-07-01T12:00:00Z", zone="") == ["2026-07-01 12:00:00+00"]
    assert note not in desk.stage().notes


def test_clock_changes_quarantine_what_cannot_be_told(desk):
    """In spring an hour never was; in autumn an hour came twice; a second before and after is exact."""
    assert read(
        desk,
        SLASH,
        "29/03/2026 00:59:59",
        "29/03/2026 01:00:00",
        "29/03/2026 01:59:59",
        "29/03/2026 02:00:00",
        "25/10/2026 00:59:59",
        "25/10/2026 01:00:00",
        "25/10/2026 01:59:59",
        "25/10/2026 02:00:00",
    ) == [
        "2026-03-29 00:59:59+00",
        "time_skipped",
        "time_skipped",
        "2026-03-29 01:00:00+00",
        "2026-10-24 23:59:59+00",
        "time_twice",
        "time_twice",
        "2026-10-25 02:00:00+00",
    ]
    assert set(pd.read_parquet(desk.stage().quarantine)["reason"]) == {
        "ended_at is a local time that did not exist: clocks went forward on 2026-03-29 (export column 'cell')",
        "ended_at is a local time that came twice: clocks went back on 2026-10-25; give an offset "
        "(export column 'cell')",
    }


@pytest.mark.parametrize("days", [23, 25], ids=["spring", "autumn"])
def test_a_day_has_as_many_local_hours_as_its_zone_gives_it(desk, days):
    """23 in spring; in autumn 25 instants fall on 24 hours of the clock."""
    first = datetime(2026, 3, 29, tzinfo=UTC) if days == 23 else datetime(2026, 10, 24, 23, tzinfo=UTC)
    times = [(first + timedelta(hours=n)).isoformat() for n in range(days)]
    desk.write("a.csv", "id,t\n" + "".join(f"{n},{time}\n" for n, time in enumerate(times)))
    desk.source("data/a.csv", f'{BASE}\noffered_at = {{ column = "t", format = "iso" }}')
    found = rows(desk.stage().tables["contacts"], "local_date", "local_hour")
    assert len({date for date, _ in found}) == 1
    assert len({hour for _, hour in found}) == {23: 23, 25: 24}[days]


def test_a_date_column_takes_days_and_an_instant_gives_its_local_day(desk):
    """23:30 UTC in summer is the next day in London."""
    desk.write(
        "roster.csv",
        "agent,team,a,b,c\n1,T,2026-07-01,1/7/2026,1782947400\n2,T,2026-07-01T00:00:00,31/12/9999,1782947400\n"
        "3,T,2026-07-01T10:00:00,1/7/2026,\n4,T,2026-07-01,1/7/26,\n",
    )
    desk.source(
        "data/roster.csv",
        """
agent_id = "agent"
team = "team"
valid_from = { column = "a", format = "iso" }
valid_to = { column = "b", format = "%d/%m/%Y" }
employed_from = { column = "c", format = "epoch_s" }
""",
        table="agents",
    )
    desk.source("data/none.csv", BASE + 'offered_at = { value = "2026-11-09T08:00:00Z" }')
    desk.write("none.csv", "id\n1\n")
    staged = desk.stage()
    assert rows(staged.tables["agents"], "valid_from", "valid_to", "employed_from") == [
        ("2026-07-01", "2026-07-01", "2026-07-02"),
        ("2026-07-01", "9999-12-31", "2026-07-02"),
    ]
    assert faults(staged) == [(4, "valid_from", "date"), (5, "valid_to", "year")]


ZONES = [
    "Europe/London",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kolkata",
    "Pacific/Apia",
    "UTC",
]


@pytest.fixture(scope="module")
def engine():
    """Days of all zones."""
    with connect() as connection:
        for number, zone in enumerate(ZONES):
            add_day_tables(connection, zone, f"z{number}")
        yield connection


@given(st.sampled_from(range(len(ZONES))), st.datetimes(datetime(1971, 1, 1), datetime(2098, 12, 31)))  # noqa: DTZ001
def test_instants_and_local_times_agree_with_the_standard_library(engine, number, at):
    """Any instant, in seven zones: there and back."""
    zone, at = ZONES[number], at.replace(microsecond=0)
    local = at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    told = local_sql(zone, f"TIMESTAMPTZ '{at}+00'", "d")
    query = f"SELECT ({told})::VARCHAR FROM z{number}_utc AS d WHERE d.day = DATE '{at.date()}'"
    assert engine.execute(query).fetchall() == [(str(local),)]
    back = instant_sql(zone, f"TIMESTAMP '{local}'", "d")
    doubt = f"TIMESTAMP '{local}' >= d.start AND TIMESTAMP '{local}' < d.stop"
    query = f"SELECT ({back})::VARCHAR, {doubt} FROM z{number}_local AS d WHERE d.day = DATE '{local.date()}'"
    [(instant, doubtful)] = engine.execute(query).fetchall()
    folded = local.replace(tzinfo=ZoneInfo(zone))
    twice = folded.utcoffset() != folded.replace(fold=1).utcoffset()
    assert bool(doubtful) == twice
    assert doubtful or instant == f"{at}+00"


@pytest.mark.parametrize("zone", ZONES)
def test_every_clock_change_is_where_the_standard_library_has_it(zone):
    """The offset differs from one second to the next, by the length of the doubtful span."""
    _, changes = clock_changes(zone)
    info = ZoneInfo(zone)
    for change in changes:
        at = change.instant.replace(tzinfo=UTC)
        before, after = (moment.astimezone(info).utcoffset() for moment in (at - timedelta(seconds=1), at))
        assert abs(after - before) == change.end - change.start
        assert change.twice == (after < before)
        assert after.total_seconds() == change.after_s

"""Proposing a mapping: what names, values and the arithmetic of an export prove, and what they leave open."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccanalysis.sources.proposing import propose


def proposed(columns, **more):
    """Propose for an export given as column -> texts."""
    names = list(columns)
    rows = [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return propose(names, rows, **more)


def test_the_mapping_of_the_tutorials_export_is_found_whole(root):
    """Times in two columns, a unit that only the stamps prove, durations as h:mm:ss, a text without a plain meaning."""
    with (root / "docs" / "tutorial" / "calls.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = propose(list(rows[0]), rows, channel="voice")
    assert list(found.lines.values()) == [
        'contact_id = "Call"',
        'offered_at = { column = ["Date", "Offered"], format = "%d/%m/%Y %H:%M:%S" }',
        'answered_at = { column = ["Date", "Answered"], format = "%d/%m/%Y %H:%M:%S" }',
        'ended_at = { column = ["Date", "Ended"], format = "%d/%m/%Y %H:%M:%S" }',
        'channel = { value = "voice" }',
        'outcome = { column = "Result", codes = { "Abandoned" = "abandoned", "Answered" = "answered" } }',
        'queue = "Queue"',
        'team = "Team"',
        'agent_id = "Agent"',
        'wait_s = { column = "Queue time", unit = "s" }',
        'talk_s = { column = "Talk time", unit = "hh:mm:ss" }',
        'hold_s = { column = "Hold time", unit = "s" }',
        'acw_s = { column = "Wrap time", unit = "s" }',
    ]
    assert (dict(found.open), found.unlisted, found.local) == ({}, 1, True)


@pytest.mark.parametrize(
    ("values", "line", "why"),
    [
        pytest.param(["13/02/2026 09:00"], '"%d/%m/%Y %H:%M"', "", id="a_day_above_twelve"),
        pytest.param(["02/13/2026 09:00"], '"%m/%d/%Y %H:%M"', "", id="a_month_in_front"),
        pytest.param(
            ["03/02/2026 09:00"], "", "can be read as %d/%m/%Y %H:%M and as %m/%d/%Y %H:%M; say which", id="either"
        ),
        pytest.param(["05/05/2026 09:00"], '"%d/%m/%Y %H:%M"', "", id="either_and_the_same"),
        pytest.param(["2026-02-03T09:00:00Z"], '"iso"', "", id="iso"),
        pytest.param(
            ["13/02/2026 09:00", "yesterday"], "", "is written in no way that is known", id="a_text_among_them"
        ),
        pytest.param(["09:00:00"], "", "holds times of day, and no column of the day was found", id="no_day"),
        pytest.param(["", ""], "", "is empty in the rows that were looked at", id="empty"),
    ],
)
def test_a_time_is_proposed_only_where_one_order_of_day_and_month_reads_it(values, line, why):
    """Day and month are never guessed."""
    found = proposed({"Call": [str(n) for n in range(len(values))], "Start": values})
    assert found.lines.get("offered_at", "").partition("format = ")[2].removesuffix(" }") == line
    assert found.open.get("offered_at", "").removeprefix("'Start' ") == why


@given(unit=st.sampled_from(["s", "ms", "min"]), waits=st.lists(st.integers(5, 40), min_size=3, max_size=20))
def test_the_unit_of_a_wait_is_that_which_the_stamps_prove(unit, waits):
    """Whole minutes, seconds and milliseconds look alike; the time between two stamps does not."""
    begun = [datetime(2026, 2, 13, 9, tzinfo=UTC) + timedelta(hours=n) for n in range(len(waits))]
    size = {"s": 1, "ms": 0.001, "min": 60}[unit]
    shown = {"s": 1, "ms": 1000, "min": 1}[unit]
    found = proposed(
        {
            "Call": [str(n) for n in range(len(waits))],
            "Offered": [time.isoformat() for time in begun],
            "Answered": [
                (time + timedelta(seconds=wait * shown * size)).isoformat()
                for time, wait in zip(begun, waits, strict=True)
            ],
            "Wait": [str(wait * shown) for wait in waits],
        }
    )
    assert found.lines["wait_s"] == f'wait_s = {{ column = "Wait", unit = "{unit}" }}'


def test_a_unit_that_nothing_proves_is_left_open_with_what_speaks_for_one():
    """Twelve may be seconds or minutes."""
    found = proposed({"Call": ["1", "2", "3"], "Wait": ["9", "12", "40"]})
    assert "wait_s" not in found.lines
    assert found.open["wait_s"] == "'Wait': its median is 12, and nothing in the export says its unit"


def test_a_unit_that_a_header_names_is_taken_and_stands_for_its_like():
    """`Talk (sec)` says it; an export writes its durations alike."""
    found = proposed({"Call": ["1"], "Talk (sec)": ["80"], "Hold": ["5"], "ACW_ms": ["3000"]})
    assert found.lines["talk_s"] == 'talk_s = { column = "Talk (sec)", unit = "s" }'
    assert found.lines["acw_s"] == 'acw_s = { column = "ACW_ms", unit = "ms" }'
    assert "hold_s" in found.open  # two units are in use, so neither stands for it


def test_a_wait_that_contradicts_the_stamps_proves_nothing():
    """A column called Wait that is no wait between these stamps."""
    found = proposed(
        {
            "Call": ["1", "2"],
            "Offered": ["2026-02-13T09:00:00", "2026-02-13T10:00:00"],
            "Answered": ["2026-02-13T09:00:30", "2026-02-13T10:00:50"],
            "Wait": ["7", "400"],
        }
    )
    assert "wait_s" in found.open


def test_no_export_column_fills_two_contract_columns():
    """One name may sound like several."""
    found = proposed({"Start": ["2026-02-13T09:00:00"], "Call": ["7"], "Agent": ["a"], "Group": ["x"]})
    columns = [line.partition(" = ")[2] for line in found.lines.values()]
    assert len(columns) == len(set(columns))


@given(st.lists(st.tuples(st.text(max_size=8), st.lists(st.text(max_size=12), min_size=2, max_size=2)), max_size=6))
def test_whatever_an_export_holds_proposing_does_not_fail(columns):
    """Names and values are anybody's."""
    proposed(dict(columns))

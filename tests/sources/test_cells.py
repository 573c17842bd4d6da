"""From the text of a cell to the value of a contract column, exactly as the mapping declares it."""

from __future__ import annotations

import pandas as pd
import pytest

from ccanalysis.errors import SettingsError

from .conftest import counts, faults, rows

BASE = """
contact_id = "id"
offered_at = { value = "2026-11-09T08:00:00+00:00" }
channel = { value = "voice" }
outcome = { value = "answered" }
"""
INTERVALS = """
starts_on = { value = "2026-11-09" }
length = { value = "day" }
team = "id"
"""


def read(desk, column, mapping, *cells, base=BASE, table="contacts", more=""):
    """Read cells of one column; give back the values by row, and the rules that were broken by row."""
    text = "id;cell;other\n" + "".join(f"r{n};{cell};\n" for n, cell in enumerate(cells, start=2))
    desk.write("cells.csv", text + "good;;\n")
    desk.source("data/cells.csv", f"{base}\n{column} = {mapping}", table=table, more=f'delimiter = ";"\n{more}')
    staged = desk.stage()
    values = {int(row) - 2: value for row, value in rows(staged.tables[table], "source_row", column)}
    wrong = {row - 2: rule for row, name, rule in faults(staged) if name == column}
    assert counts(staged)["read"] == len(cells) + 1
    return [wrong.get(n, values.get(n)) for n in range(len(cells))]


# Text


def test_ids_stay_exact_text(desk):
    """Leading zeros, exponents and long numbers are not numbers."""
    ids = ["007", "1E5", "9007199254740993", "0x1F", "12.0", "-0", "1_000", "2010-08-01", "true"]
    assert read(desk, "customer_id", '"cell"', *ids) == ids


def test_a_team_called_none_is_kept(desk):
    """Only an empty cell is empty."""
    names = ["NA", "None", "null", "nan", "N/A", "NaN", "-", "#N/A"]
    assert read(desk, "team", '"cell"', *names, "", '""', "  ") == [*names, None, None, None]


def test_blanks_around_a_value_do_not_belong_to_it(desk):
    """Neither do no-break spaces; those inside do."""
    assert read(desk, "team", '"cell"', " A B ", "\u00a0A\u00a0B\u00a0", "\tA", '" A"') == ["A B", "A\u00a0B", "A", "A"]


def test_texts_that_mean_no_value_are_declared(desk):
    """Besides the empty text, only what the mapping lists."""
    assert read(desk, "team", '{ column = "cell", missing = ["-", "n/a"] }', "-", "n/a", "N/A") == [None, None, "N/A"]


def test_columns_are_joined_with_a_space(desk):
    """A first and a last name, with either missing."""
    desk.write("a.csv", "id,x,y\n1,A,B\n2,A,\n3,,B\n4,,\n5,-,B\n")
    desk.source("data/a.csv", f'{BASE}\nteam = {{ column = ["x", "y"], missing = "-" }}')
    assert rows(desk.stage().tables["contacts"], "team") == ["A B", "A", "B", None, "B"]


def test_codes_are_looked_up_and_an_unknown_one_is_never_other(desk):
    """A new code waits in quarantine until somebody says what it means."""
    codes = '{ column = "cell", codes = { TEL = "voice", WEB = "chat", "" = "post" } }'
    base = BASE.replace('channel = { value = "voice" }', "")
    assert read(desk, "channel", codes, "TEL", " WEB ", "tel", "FAX", "", base=base) == [
        "voice",
        "chat",
        "code",
        "code",
        "post",
    ]


def test_a_value_outside_the_contract_is_named_with_what_is_allowed(desk):
    """The export's words must be mapped to the contract's."""
    base = BASE.replace('channel = { value = "voice" }', "")
    assert read(desk, "channel", '"cell"', "voice", "Voice", "phone", base=base) == ["voice", "values", "values"]
    reasons = set(pd.read_parquet(desk.stage().quarantine).query("rule == 'values'")["reason"])
    assert reasons == {"channel is not one of voice, chat, email, social, sms, video, post (export column 'cell')"}


def test_a_missing_value_that_every_row_needs_is_quarantined(desk):
    """An id that is empty, or missing by declaration."""
    desk.write("a.csv", "id,b\n1,x\n,x\n-,x\n")
    desk.source("data/a.csv", BASE.replace('"id"', '{ column = "id", missing = "-" }'))
    assert faults(desk.stage()) == [(3, "contact_id", "required"), (4, "contact_id", "required")]


def test_cases_are_tried_in_order_and_none_that_holds_is_a_fault(desk):
    """The first that holds wins; an empty cell can be a case."""
    desk.write("a.csv", "id,result,queue\n1,HANG,Q\n2,HANG,\n3,AGENT,\n4,?,Q\n")
    cases = """outcome = { cases = [
  { where = { result = "AGENT" }, value = "answered" },
  { where = { result = ["HANG", "DROP"], queue = "" }, value = "left_menu" },
  { where = { result = ["HANG", "DROP"] }, value = "abandoned" },
] }"""
    desk.source("data/a.csv", BASE.replace('outcome = { value = "answered" }', cases))
    staged = desk.stage()
    assert rows(staged.tables["contacts"], "outcome") == ["abandoned", "left_menu", "answered"]
    assert faults(staged) == [(5, "outcome", "cases")]


# Flags


@pytest.mark.parametrize(
    ("mapping", "cells", "values"),
    [
        ('"cell"', ["true", "False", "TRUE", "yes", "1"], ["true", "false", "true", "flag", "flag"]),
        (
            '{ column = "cell", true = ["Y", "J"], false = "N" }',
            ["Y", "J", "N", "y"],
            ["true", "true", "false", "flag"],
        ),
        ('{ column = "cell", true = "1", false = "0", missing = "-" }', ["1", "0", "-"], ["true", "false", None]),
        ('{ column = "cell", codes = { A = "true", B = "false" } }', ["A", "B", "C"], ["true", "false", "code"]),
        ("{ value = true }", ["x"], ["true"]),
    ],
)
def test_a_flag_is_yes_or_no_in_declared_texts(desk, mapping, cells, values):
    """Everything else is neither."""
    assert read(desk, "resolved", mapping, *cells) == values


# Numbers


@pytest.mark.parametrize(
    ("more", "cells", "values"),
    [
        pytest.param(
            "",
            ["7", "007", "+7", "7.0", "7.5", "1,234", "81%", "£5", "1e3", "1_000", "0x10", "seven", "-1", "٧"],
            ["7", "7", "7", "7", *["whole"] * 8, "low", "whole"],
            id="plain",
        ),
        pytest.param(
            'thousands = ","',
            ["1,234", "1,234,567", "1234", "1,23", "12,34,567", ",123"],
            ["1234", "1234567", "1234", "whole", "whole", "whole"],
            id="thousands",
        ),
        pytest.param(
            'thousands = "."\ndecimal = ","',
            ["1.234", "1.234,0", "7,5", "1.5"],
            ["1234", "1234", "whole", "whole"],
            id="german",
        ),
        pytest.param('thousands = " "', ["1 234", "1\u00a0234", "1\u202f234"], ["1234"] * 3, id="french"),
        pytest.param("", ["9223372036854775807", "9223372036854775808"], ["9223372036854775807", "whole"], id="large"),
    ],
)
def test_counts_are_whole_numbers_as_declared(desk, more, cells, values):
    """A mark that was not declared is not a number, never another number."""
    assert read(desk, "transfers", '"cell"', *cells, more=more) == values


@pytest.mark.parametrize(
    ("more", "cells", "values"),
    [
        ("", ["7.25", ".5", "5.", "1e3", "1,5"], ["7.25", "0.5", "5.0", "1000.0", "number"]),
        ("", ["inf", "nan", "Infinity", "1e999", "-inf"], ["number"] * 5),
        ('decimal = ","', ["7,25", "7.25", "1.234,5"], ["7.25", "number", "number"]),
        ('decimal = ","\nthousands = "."', ["1.234,5", "1.234.567,25"], ["1234.5", "1234567.25"]),
        ("", ["-0.5"], ["low"]),
    ],
)
def test_numbers_are_read_with_the_declared_marks(desk, more, cells, values):
    """Infinite ones are none."""
    column = '{ column = "cell" }'
    assert read(desk, "asa_s", column, *cells, base=INTERVALS, table="intervals", more=more) == values


def test_per_cent_becomes_a_share_where_the_mapping_says_so(desk):
    """Divided by a hundred, so that 57 % is 0.57 to the last digit."""
    mapping = '{ column = "cell", scale = 0.01 }'
    cells, values = (
        ["57", "57%", "57 %", "100", "0.5", "101", "57%%"],
        ["0.57"] * 3 + ["1.0", "0.005", "high", "number"],
    )
    assert read(desk, "service_level_share", mapping, *cells, base=INTERVALS, table="intervals") == values


@pytest.mark.parametrize(
    ("unit", "cells", "values"),
    [
        ("s", ["12", "12.4", "12.5", "-1", "604801", "2m"], ["12", "12", "13", "low", "high", "duration"]),
        ("ms", ["12499", "12500", "0", "x"], ["12", "13", "0", "duration"]),
        ("min", ["1.5", "2"], ["90", "120"]),
        ("h", ["0.25"], ["900"]),
        ("day", ["0.5", "0.000694444444444444"], ["43200", "60"]),
        (
            "hh:mm:ss",
            [
                "0:10:10",
                "00:10:10",
                "27:00:00",
                "0:00:59.6",
                "-0:00:05",
                "10:10",
                "0:60:00",
                "0:0:5",
                "90",
                "1 day 0:00:01",
            ],
            ["610", "610", "97200", "60", "low", *["duration"] * 5],
        ),
    ],
)
def test_durations_become_whole_seconds(desk, unit, cells, values):
    """Every unit; halves go up; a wait below zero or above a week is no wait."""
    assert read(desk, "wait_s", f'{{ column = "cell", unit = "{unit}" }}', *cells) == values


def test_the_time_between_two_columns_is_a_duration(desk):
    """Exact across a clock change, empty where either is, quarantined where it runs backwards."""
    desk.write(
        "a.csv",
        "id,a,b\n1,28/03/2026 23:59:00,28/03/2026 23:59:30\n2,29/03/2026 00:59:00,29/03/2026 02:01:00\n"
        "3,28/03/2026 10:00:00,\n4,28/03/2026 10:00:00,28/03/2026 09:59:59\n",
    )
    form = 'format = "%d/%m/%Y %H:%M:%S"'
    base = BASE.replace('{ value = "2026-11-09T08:00:00+00:00" }', f'{{ column = "a", {form} }}')
    between = 'wait_s = { seconds_between = ["offered_at", "answered_at"] }'
    desk.source("data/a.csv", f'{base}\nanswered_at = {{ column = "b", {form} }}\n{between}')
    staged = desk.stage()
    assert rows(staged.tables["contacts"], "wait_s") == ["30", "120", None]
    assert faults(staged) == [(5, "wait_s", "low")]


def test_a_product_of_columns_is_rounded_to_a_whole_number(desk):
    """An average times its count gives back the sum."""
    desk.write("a.csv", "d,asa,n\n1,0.80083857442348,477\n2,,477\n3,12.5,0\n")
    desk.source(
        "data/a.csv",
        """
starts_on = { value = "2026-11-09" }
length = { value = "day" }
team = "d"
asa_s = "asa"
n_answered = "n"
wait_s_sum = { product = ["asa_s", "n_answered"] }
""",
        table="intervals",
    )
    assert rows(desk.stage().tables["intervals"], "wait_s_sum") == ["382", None, "0"]


def test_the_hour_of_an_interval_may_come_as_a_time_of_day(desk):
    """With a format, an hour column takes the hour of what it reads."""
    mapping = '{ column = "cell", format = "%H:%M" }'
    assert read(desk, "starts_hour", mapping, "08:30", "23:59", "24:00", "8", base=INTERVALS, table="intervals") == [
        "8",
        "23",
        "time",
        "time",
    ]


# Constants and mappings that cannot be followed


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("wait_s = { value = 1.5 }", "'wait_s' is given '1.5'. Give a whole number"),
        ('resolved = { value = "maybe" }', "'resolved' is given 'maybe'. Give true or false"),
        (
            'answered_at = { value = "2026-11-09 08:00" }',
            "'answered_at' is given '2026-11-09 08:00'. Give a time with its offset such as 2026-11-09T08:00:00+00:00",
        ),
        (
            'answered_at = { column = "id", format = "%Q" }',
            "the format '%Q' is not a pattern of times. "
            'Write for example "%d/%m/%Y %H:%M:%S", "iso", "epoch_s", "epoch_ms" or "excel"; offsets are %z',
        ),
        (
            'answered_at = { column = "id", format = "%H:%M %Z" }',
            "the format '%H:%M %Z' is not a pattern of times. "
            'Write for example "%d/%m/%Y %H:%M:%S", "iso", "epoch_s", "epoch_ms" or "excel"; offsets are %z',
        ),
        (
            'wait_s = { seconds_between = ["offered_at", "ended_at"] }',
            "'wait_s' needs the time 'ended_at', which this source does not map. Did you mean 'offered_at'?",
        ),
        (
            'wait_s = { product = ["transfers", "talk_s"] }',
            "'wait_s' multiplies 'transfers', which this source does not map as a number. Known are: wait_s",
        ),
    ],
)
def test_a_mapping_that_cannot_be_followed_is_refused(desk, line, text):
    """With the line of the source."""
    desk.write("a.csv", "id,b\n1,2\n")
    desk.source("data/a.csv", f"{BASE}\n{line}")
    with pytest.raises(SettingsError) as error:
        desk.stage()
    assert str(error.value) == f"ccanalysis.toml:4: source 'source 1': {text}"


def test_every_fault_of_a_row_is_listed_and_the_row_counts_once(desk):
    """A reader can put the whole row right at once."""
    desk.write("a.csv", "id,w,t\n1,1,1\n2,x,y\n")
    desk.source("data/a.csv", f'{BASE}\nwait_s = {{ column = "w", unit = "s" }}\ntransfers = "t"')
    staged = desk.stage()
    assert faults(staged) == [(3, "transfers", "whole"), (3, "wait_s", "duration")]
    assert counts(staged)["quarantined"] == 1

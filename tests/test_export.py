"""Rows for machines and spreadsheets: what is written comes back, and nothing in it is run."""

from __future__ import annotations

import csv
import io
import json
import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ccanalysis.export import (
    FINDING_COLUMNS,
    FORMATS,
    VERDICT_COLUMNS,
    rows,
    safe_cell,
    to_csv,
    to_json,
    to_text,
    with_verdicts,
)
from ccanalysis.findings import COLUMNS
from ccanalysis.verdicts import VERDICT_COLUMNS as JUDGED_COLUMNS

NAN = float("nan")
FORMULAS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "\u22121+1",
    "@SUM(A1)",
    "|calc",
    "%0A=1+1",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\r\n=1+1",
    "\x0b=1+1",
    "\x00=1+1",
    "\x85=1+1",
    " =1+1",
    "\u00a0=1+1",
    "\u2003=1+1",
    "\u2028=1+1",
    "\u200b=1+1",
    "\ufeff=1+1",
    "\u00ad=1+1",
    "\u202e=1+1",
    "\u2066=1+1",
    "\uff1d1+1",
    "\uff0b1+1",
    "\uff0d1+1",
    "\uff20SUM(A1)",
    "\ufe66=1+1",
    "\uff5ccalc",
    "\uff05x",
    "\ud800=1+1",
]


def shown(cell):
    """Return a cell as a spreadsheet may read it: compatibility forms as usual ones, without what cannot be seen."""
    usual = unicodedata.normalize("NFKC", cell)
    return "".join(c for c in usual if unicodedata.category(c) not in ("Cf", "Cc", "Zs", "Zl", "Zp", "Cs"))


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_begins_a_formula(text):
    """Whatever it hides the sign behind."""
    cell = safe_cell(text)
    assert cell.startswith("'")
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in cell)


@pytest.mark.parametrize(
    "text", ["North", "O'Connor", "80% of calls", "a=b", "Zürich", "東京", "", "3 of 4", "'quoted"]
)
def test_plain_texts_stay_as_they_are(text):
    """Only what begins like a formula is marked."""
    assert safe_cell(text) == text


@given(st.text(max_size=30))
@example("\r=1+1")
@example("\uff1d1+1")
def test_a_safe_cell_is_shown_and_not_run(text):
    """For any text; and what is safe stays as it is."""
    cell = safe_cell(text)
    assert not shown(cell).startswith(("=", "+", "-", "\u2212", "@", "|", "%"))
    assert safe_cell(cell) == cell
    assert not set("\r\n\t\0") & set(cell)
    cell.encode("utf-8")


@pytest.mark.parametrize("text", FORMULAS[:-1])  # a frame cannot hold half a character
def test_a_formula_in_the_middle_of_a_file_starts_no_row(text):
    """A bare carriage return begins a new row in some spreadsheets; none is left in the file."""
    frame = pd.DataFrame({"unit": [f"North{text}", text], "n": [1, 2]})
    written = to_csv(frame, ["unit", "n"])
    body = written.split("\r\n")
    assert len(body) == 4 and body[-1] == ""
    assert "\r" not in "".join(body) and "\n" not in "".join(body)
    assert len(list(csv.reader(io.StringIO(written)))) == 3


def test_every_text_of_a_csv_stands_in_quotation_marks():
    """Numbers do not, so that they stay numbers."""
    frame = pd.DataFrame({"unit": ['a "b", c', "d"], "value": [0.5, NAN], "n": [3.0, 4.0], "reasons": [("x", "y"), ()]})
    assert to_csv(frame, ["unit", "value", "n", "reasons"]) == (
        '"unit","value","n","reasons"\r\n"a ""b"", c",0.5,3,"x; y"\r\n"d","",4,""\r\n'
    )


cells = st.one_of(
    st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp")), max_size=20).filter(
        lambda text: safe_cell(text) == text
    ),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False, width=64),
    st.none(),
)


@settings(max_examples=60)
@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=5))
def test_what_is_written_comes_back(values):
    """CSV and JSON keep texts, numbers to the last bit, and what is missing."""
    frame = pd.DataFrame({"a": pd.Series([a for a, _ in values], dtype=object), "b": [b for _, b in values]})
    frame = frame.astype(object).where(frame.notna(), None)
    read = list(csv.reader(io.StringIO(to_csv(frame, ["a", "b"]))))
    assert read[0] == ["a", "b"]
    for (a, b), cells_read in zip(values, read[1:], strict=True):
        for value, cell in ((a, cells_read[0]), (b, cells_read[1])):
            assert cell == "" if value is None else cell == value if isinstance(value, str) else float(cell) == value
    assert [[row["a"], row["b"]] for row in json.loads(to_json(frame, ["a", "b"]))] == [list(pair) for pair in values]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (NAN, None),
        (float("inf"), None),
        (float("-inf"), None),
        (None, None),
        (pd.NA, None),
        (pd.NaT, None),
        (np.float64("nan"), None),
        (np.float64(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (3.0, 3),
        (1e300, 1e300),
        (("a", "b"), ["a", "b"]),
        (["a"], ["a"]),
        (np.array(["a", "b"]), ["a", "b"]),
        ((), []),
        ("x", "x"),
    ],
)
def test_values_become_plain(value, plain):
    """What JSON has no word for is null; whole numbers have no point."""
    frame = pd.DataFrame({"a": pd.Series([value], dtype=object)})
    found = rows(frame, ["a"])[0]["a"]
    assert found == plain and type(found) is type(plain)
    assert json.loads(to_json(frame, ["a"])) == [{"a": plain}]


@pytest.mark.parametrize(("reasons", "cell"), [(("a", "=b"), "a; =b"), ((), ""), (("=a",), "'=a")])
def test_lists_are_joined_where_a_row_has_cells(reasons, cell):
    """CSV and the terminal have one cell for them; JSON keeps them apart."""
    frame = pd.DataFrame({"reasons": pd.Series([reasons], dtype=object)})
    assert list(csv.reader(io.StringIO(to_csv(frame, ["reasons"]))))[1] == [cell]
    assert to_text(frame, ["reasons"]).splitlines()[1].strip() == cell


def test_without_a_target_there_is_no_tolerance():
    """A tolerance of nothing is none, not nought."""
    frame = pd.DataFrame({"target": [0.8, NAN], "tolerance": [0.0, 0.0]})
    assert [row["tolerance"] for row in rows(frame, ["target", "tolerance"])] == [0, None]


def test_each_finding_has_its_verdict_beside_it():
    """One row for each finding, also for one of a unit that has no verdict, and none where nothing was found."""
    keys = {"kpi": "k", "level": "team", "unit": "North", "period": "2026-W46"}
    verdict = dict.fromkeys(VERDICT_COLUMNS, 1.0) | keys | {"data": "fit", "reasons": ("why",)}
    findings = pd.DataFrame([keys | {"tier": "act"}, keys | {"tier": "note"}, keys | {"unit": "Gone", "tier": "note"}])
    found = with_verdicts(findings, pd.DataFrame([verdict]))
    assert found["data"].fillna("").tolist() == ["fit", "fit", ""]
    assert found["tier"].tolist() == ["act", "note", "note"]
    assert with_verdicts(findings.iloc[:0], pd.DataFrame([verdict])).columns.tolist() == FINDING_COLUMNS


def test_json_keeps_hostile_texts_as_texts():
    """A machine reads what is there; it has no formula to start."""
    frame = pd.DataFrame({"unit": ["=1+1", "</script>"]})
    assert json.loads(to_json(frame, ["unit"])) == [{"unit": "=1+1"}, {"unit": "</script>"}]


def test_columns_of_a_terminal_are_aligned():
    """Texts to the left, numbers to the right, missing values empty, no control character."""
    frame = pd.DataFrame({"unit": ["North\x1b[31m", "S"], "value": [0.123456, NAN], "n": [5.0, 1200.0]})
    assert to_text(frame, ["unit", "value", "n"]) == (
        "unit         value     n\nNorth [31m  0.1235     5\nS                   1200\n"
    )


@pytest.mark.parametrize("columns", [[], ["unit", "n"]])
def test_no_rows_are_said_to_be_none(columns):
    """Also of a frame that has no columns yet."""
    frame = pd.DataFrame(columns=columns)
    assert to_text(frame, ["unit", "n"]) == "no rows\n"
    assert to_csv(frame, ["unit", "n"]) == '"unit","n"\r\n'
    assert json.loads(to_json(frame, ["unit", "n"])) == []


def test_the_columns_that_are_written_are_columns_that_are_made():
    """Verdicts and findings have all of them."""
    assert set(VERDICT_COLUMNS) <= set(JUDGED_COLUMNS)
    assert set(FINDING_COLUMNS) <= set(COLUMNS) | set(VERDICT_COLUMNS)
    assert set(FORMATS) == {"text", "csv", "json"}

"""Workbooks beside the reports: typed, the same bytes again, and nothing in them is run."""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from datetime import date
from xml.etree import ElementTree

import numpy as np
import openpyxl
import pandas as pd
import pytest
import python_calamine
from hypothesis import example, given
from hypothesis import strategies as st

from ccanalysis import export, workspace
from ccanalysis.questions import QUESTIONS
from ccanalysis.reports import tables, workbook
from ccanalysis.reports.workbook import Sheet, build, safe_text
from ccanalysis.results import Results

DAY = date(2026, 11, 16)
HOSTILE = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil.example","x")',
    "+1+1",
    "-1+1",
    "\u22121+1",
    "@SUM(A1)",
    "|calc",
    "%0A=1+1",
    "\t=1+1",
    "\r=1+1",
    "\r\n=1+1",
    "\x00=1+1",
    "\x85=1+1",
    " =1+1",
    "\u00a0=1+1",
    "\u2028=1+1",
    "\u200b=1+1",
    "\ufeff=1+1",
    "\u202e=1+1",
    "\uff1d1+1",
    "\uff20SUM(A1)",
    "\ud800=1+1",
    "\uffff=1+1",
    "_x003D_1+1",
    "_x000D_=1+1",
    "#N/A",
    "#REF!",
    "</t></is></c><c><f>1+1</f></c>",
    "]]><f>1+1</f>",
    "&lt;f&gt;1+1",
]


def one(value):
    """Return a workbook with one cell below its heading."""
    return build([Sheet(name="Rows", columns=["unit"], rows=[[value]])], title="t", day=DAY)


def opened(content):
    """Return what two readers of spreadsheets see in the first sheet."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    seen = python_calamine.load_workbook(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    return book.worksheets[0], seen


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_a_formula(text):
    """A text stays a text for every reader, and the file has no formula, link or error in it."""
    content = one(text)
    page, seen = opened(content)
    assert page["A2"].data_type == "s"
    assert isinstance(seen[1][0], str)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            written = archive.read(name).decode()
            assert not re.search(r"<(?:\w+:)?f[ >]|<hyperlink|externalLink|t=\"e\"", written), name
            ElementTree.fromstring(written)


@given(st.text(max_size=30))
@example("_x003D_1+1")
@example("\uff1d1+1")
@example("\ufffe=1+1")
def test_a_text_comes_back_as_a_text_that_starts_no_formula(text):
    """For any text: what a spreadsheet makes of the codes of characters in it starts no formula either."""
    written = safe_text(text)
    decoded = re.sub(r"_x([0-9A-Fa-f]{4})_", lambda code: chr(int(code[1], 16)), written)
    shown = "".join(
        c for c in unicodedata.normalize("NFKC", decoded) if unicodedata.category(c) not in ("Cf", "Cc", "Zs", "Cs")
    )
    assert not shown.startswith(("=", "+", "-", "\u2212", "@", "|", "%"))


def test_values_keep_their_types():
    """Numbers are numbers, days are days, true is true, lists are one text, and no data is an empty cell."""
    row = [3.0, 0.25, np.int64(7), True, DAY, ("a", "b"), None, float("nan"), pd.NaT, "North"]
    content = build([Sheet(name="Rows", columns=[str(n) for n in range(10)], rows=[row])], title="t", day=DAY)
    page, seen = opened(content)
    found = [cell.value for cell in page[2]]
    assert found[:4] == [3, 0.25, 7, True]
    assert found[4].date() == DAY
    assert found[5:] == ["a; b", None, None, None, "North"]
    assert seen[1] == [3.0, 0.25, 7.0, True, DAY, "a; b", "", "", "", "North"]


def test_the_same_rows_give_the_same_bytes(monkeypatch):
    """No clock is in it."""
    first = one("North")
    monkeypatch.setattr("time.time", lambda: 4e9)
    monkeypatch.setattr("time.localtime", lambda *_: (2096, 10, 2, 7, 6, 40, 1, 276, 0))
    assert one("North") == first
    assert openpyxl.load_workbook(io.BytesIO(first)).properties.modified.date() == DAY


def test_nothing_of_a_workbook_lies_in_a_temporary_file(monkeypatch):
    """What stands in it may be about a person."""

    def refused(*_, **__):
        raise AssertionError("a temporary file was made")

    monkeypatch.setattr("tempfile._get_default_tempdir", refused)
    monkeypatch.setattr("tempfile.mkstemp", refused)
    monkeypatch.setattr("openpyxl.worksheet._writer.NamedTemporaryFile", refused)
    assert one("North")


def test_a_text_longer_than_a_cell_is_cut_and_says_so():
    """A spreadsheet would call the file damaged."""
    page, _ = opened(one("x" * 40_000))
    assert len(page["A2"].value) == 32_767
    assert page["A2"].value.endswith("…")


def test_every_column_that_is_written_is_explained():
    """Verdicts, findings, rows at fault and rules."""
    rows = ["table", "source_file", "source_row", "rule", "counted", "reason"]
    names = {*export.VERDICT_COLUMNS, *export.FINDING_COLUMNS, *tables.RULE_COLUMNS, *rows}
    assert names == set(tables.MEANINGS)


@pytest.fixture(scope="module")
def books(sample_run):
    """The workbooks of the sample centre's week, by the folder they lie in."""
    published = sample_run.folder / "reports" / "2026-W46"
    every = {path.parent.relative_to(published).as_posix(): path for path in published.rglob(tables.WORKBOOK)}
    return {name: path for name, path in every.items() if path.parent.name not in QUESTIONS}


def test_each_report_on_a_question_has_a_workbook_with_the_rows_of_its_csv_files(sample_run):
    """A sheet per frame, named as the file."""
    published = sample_run.folder / "reports" / "2026-W46"
    books = [path for path in published.rglob(tables.WORKBOOK) if path.parent.name in QUESTIONS]
    assert books
    for path in books:
        book = openpyxl.load_workbook(path, read_only=True)
        frames = {file.stem: pd.read_csv(file) for file in path.parent.glob("*.csv")}
        assert set(book.sheetnames) == {name[:31] for name in frames} | {"About"}
        for name, frame in frames.items():
            rows = list(book[name[:31]].iter_rows(values_only=True))
            assert list(rows[0]) == list(frame.columns)
            assert len(rows) - 1 == len(frame)


def test_each_report_has_a_workbook_with_the_rows_of_its_csv(books):
    """Same rows, same order, to the 15 digits that a spreadsheet has; what the sheet is about stands in it."""
    assert len(books) == 14
    for path in books.values():
        book = openpyxl.load_workbook(path, read_only=True)
        data = path.parent.name == "data-quality"
        assert book.sheetnames == (["Rows", "Rules", "About"] if data else ["Verdicts", "Findings", "About"])
        for sheet, name in (("Rows", "rows"),) if data else (("Verdicts", "verdicts"), ("Findings", "findings")):
            kept = pd.read_csv(path.parent / f"{name}.csv")
            rows = list(book[sheet].iter_rows(values_only=True))
            assert list(rows[0]) == list(kept.columns)
            assert len(rows) - 1 == len(kept)
            for column in kept.columns[kept.dtypes == "float64"]:
                place = rows[0].index(column)
                mine = pd.Series([row[place] for row in rows[1:]], dtype=float)
                pd.testing.assert_series_equal(mine, kept[column], check_names=False, rtol=1e-14)
        about = [row for row in book["About"].iter_rows(values_only=True) if row[0]]
        assert {"Centre", "Period", "Data fingerprint", "Definitions of the KPIs"} <= {row[0] for row in about}


def test_a_workbook_shows_nobody_whom_its_reader_may_not_see(books, sample_run):
    """No person in a team's, no other manager's people in a line manager's."""

    kept = next((workspace.Workspace.open(sample_run.folder).cache_path / "results").glob("2026-W46-*"))
    people = Results.read(kept).people
    for where, path in books.items():
        with zipfile.ZipFile(path) as archive:
            content = "".join(archive.read(name).decode() for name in archive.namelist())
        own = set()
        if where.startswith("line-managers"):
            about = openpyxl.load_workbook(path)["About"]
            own = set(people.loc[people["line_manager"] == about["C3"].value, "agent_id"])
            assert own
        assert [agent for agent in set(people["agent_id"]) - own if re.search(rf"\b{agent}\b", content)] == []


def test_a_long_list_is_cut_and_says_so(monkeypatch, sample_run, tmp_path):
    """The workbook has the first rows; the CSV file has all."""
    from ccanalysis.editions import Reader
    from ccanalysis.results import Results

    monkeypatch.setattr(workbook, "MOST_ROWS", 60)
    kept = Results.read(next((sample_run.folder / ".ccanalysis" / "results").glob("2026-W46-*")))
    tables.write(kept, Reader("analyst"), tmp_path)
    book = openpyxl.load_workbook(tmp_path / tables.WORKBOOK)
    assert book["Rows"].max_row == 61
    assert len(pd.read_csv(tmp_path / "rows.csv")) > 60
    said = [row[2] for row in book["About"].iter_rows(values_only=True) if row[0] == "Sheet Rows"]
    assert re.fullmatch(r"The first 60 of \d+; all are in the CSV file", said[0])

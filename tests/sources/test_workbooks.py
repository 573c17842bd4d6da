"""Excel workbooks: typed cells, texts that look like numbers, and workbooks made to do harm."""

from __future__ import annotations

import zipfile
from datetime import datetime, time, timedelta

import pytest
from openpyxl import Workbook

from ccanalysis.errors import ContractError, NoInputError
from ccanalysis.sources import workbooks

from .conftest import counts, faults, rows

HEADER = ["id", "day", "clock", "wait", "team", "done"]
COLUMNS = """
contact_id = "id"
offered_at = { column = ["day", "clock"], format = "excel" }
channel = { value = "voice" }
outcome = { value = "answered" }
wait_s = { column = "wait", unit = "hh:mm:ss" }
team = "team"
resolved = "done"
"""
DAY = datetime(2026, 7, 1)  # noqa: DTZ001  cells have no zone


def book(desk, *lines, name="calls.xlsx", sheets=("Sheet",), header=HEADER, above=0):
    """Write a workbook."""
    content = Workbook()
    content.remove(content.active)
    for title in sheets:
        sheet = content.create_sheet(title)
        for _ in range(above):
            sheet.append([])
        sheet.append(header)
        for line in lines:
            sheet.append(line)
    path = desk.root / "data" / name
    content.save(path)
    if not desk.sources:
        desk.source("data/*.xlsx", COLUMNS, more='format = "excel"')
    return path


def row(contact="c1", day=DAY, clock=time(8, 30), wait=timedelta(seconds=75), team="A", done=True):
    """One row with cells of the right types."""
    return [contact, day, clock, wait, team, done]


def edit(path, change):
    """Change the XML of the first sheet."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/worksheets/sheet1.xml"] = change(parts["xl/worksheets/sheet1.xml"])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def test_typed_cells_keep_their_types(desk):
    """A date cell and a time cell make an instant; a duration over a day stays one."""
    book(desk, row(), row("c2", wait=timedelta(hours=30)), row("c3", wait="0:01:15", done=False), row("c4", None, None))
    staged = desk.stage()
    assert rows(staged.tables["contacts"], "offered_at", "wait_s", "resolved", "source_row") == [
        ("2026-07-01 07:30:00+00", "75", "true", "2"),
        ("2026-07-01 07:30:00+00", "108000", "true", "3"),
        ("2026-07-01 07:30:00+00", "75", "false", "4"),
    ]
    assert faults(staged) == [(5, "offered_at", "required")]


def test_a_text_that_looks_like_a_number_stays_text(desk):
    """00042 is an id; a number cell of an id has no decimals."""
    book(desk, row("00042"), row("1E5"), row(7), row(7.5), row("NA"), row("x", team="null"), row("y", team="N/A"))
    assert rows(desk.stage().tables["contacts"], "contact_id", "team")[:7] == [
        ("00042", "A"),
        ("1E5", "A"),
        ("7", "A"),
        ("7.5", "A"),
        ("NA", "A"),
        ("x", "null"),
        ("y", "N/A"),
    ]


def test_a_real_date_under_a_text_pattern_is_quarantined_with_the_remedy(desk):
    """Where some dates were turned into cells they may have changed day and month; nothing is guessed."""
    desk.source(
        "data/*.xlsx",
        COLUMNS.replace('{ column = ["day", "clock"], format = "excel" }', '{ column = "day", format = "%d/%m/%Y" }'),
        more='format = "excel"',
    )
    book(desk, row(day="13/07/2026"), row("c2", day=DAY))
    staged = desk.stage()
    assert faults(staged) == [(3, "offered_at", "time")]
    assert rows(staged.tables["contacts"], "offered_at") == ["2026-07-12 23:00:00+00"]


def test_serial_days_are_read_where_cells_lost_their_format(desk):
    """46204.354166666664 is half past eight on 1 July 2026."""
    desk.source("data/*.xlsx", COLUMNS.replace('["day", "clock"]', '"day"'), more='format = "excel"')
    book(desk, row(day=46204.354166666664))
    assert rows(desk.stage().tables["contacts"], "offered_at") == ["2026-07-01 07:30:00+00"]


def test_numbers_do_not_depend_on_the_decimal_mark_of_texts(desk):
    """A number cell is a number; a text beside it is read as declared."""
    desk.source(
        "data/*.xlsx",
        'starts_on = { column = "day", format = "excel" }\nlength = { value = "day" }\nteam = "id"\nasa_s = "wait"',
        table="intervals",
        more='format = "excel"\ndecimal = ","\nthousands = "."',
    )
    book(desk, row(wait=1234.5), row("c2", wait="1.234,5"), row("c3", wait=7), row("c4", wait="1234.5"))
    staged = desk.stage()
    assert rows(staged.tables["intervals"], "asa_s") == ["1234.5", "1234.5", "7.0"]
    assert faults(staged) == [(5, "asa_s", "number")]


def test_an_error_cell_is_not_an_empty_cell(desk):
    """#N/A in a mapped column is quarantined, not taken for missing."""
    path = book(desk, row())
    content = Workbook()
    sheet = content.active
    for line in (HEADER, row(), row("c2"), row("c3")):
        sheet.append(line)
    sheet["E3"] = "#N/A"
    content.save(path)
    staged = desk.stage()
    assert faults(staged) == [(3, "team", "error_cell")]
    assert counts(staged)["kept"] == 2


def test_a_formula_that_was_never_calculated_is_refused(desk):
    """Its cell looks empty to every reader."""
    book(desk, row(), row("c2", team='=CONCATENATE("A","B")'))
    with pytest.raises(ContractError) as error:
        desk.stage()
    assert str(error.value) == (
        "calls.xlsx, row 3: 1 cells of the sheet 'Sheet' are formulas without a stored value. "
        "Open the workbook, let it calculate, and save it"
    )


def test_rows_keep_their_number_and_blank_ones_are_no_records(desk):
    """Empty rows above the header and between rows."""
    book(desk, row(), [], [None, " "], row("c2"), above=3)
    staged = desk.stage()
    assert rows(staged.tables["contacts"], "source_row") == ["5", "8"]
    assert counts(staged)["read"] == 2


def test_a_title_above_the_header_is_skipped_where_declared(desk):
    """skip_lines counts rows of the sheet."""
    desk.source("data/*.xlsx", COLUMNS, more='format = "excel"\nskip_lines = 1')
    path = book(desk, row())
    content = Workbook()
    for line in (["Calls of July"], HEADER, row()):
        content.active.append(line)
    content.save(path)
    assert rows(desk.stage().tables["contacts"], "source_row") == ["3"]


def test_line_breaks_and_control_characters_in_cells(desk):
    """The first are kept; a row with the second is quarantined."""
    path = book(desk, row(team='A\n"B", C'), row("c2", team="KEEP"), row("c3"))
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts = {name: content.replace(b"KEEP", b"A_x0007_B\x7f") for name, content in parts.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    staged = desk.stage()
    assert rows(staged.tables["contacts"], "team") == ['A\n"B", C', "A"]
    assert faults(staged) == [(3, None, "control")]


@pytest.mark.parametrize(
    ("sheet", "sheets", "text"),
    [
        ("", ("A", "B"), "the workbook has 2 sheets and the mapping names none. Add sheet = one of 'A', 'B'"),
        ("C", ("A", "B"), "there is no sheet 'C'. The sheets are: 'A', 'B'"),
    ],
)
def test_the_sheet_must_be_told(desk, sheet, sheets, text):
    """Only a single sheet goes without saying."""
    desk.source("data/*.xlsx", COLUMNS, more=f'format = "excel"\nsheet = "{sheet}"')
    book(desk, row(), sheets=sheets)
    with pytest.raises(ContractError) as error:
        desk.stage()
    assert str(error.value) == f"calls.xlsx: {text}"


def test_the_declared_sheet_is_read(desk):
    """By its name."""
    desk.source("data/*.xlsx", COLUMNS, more='format = "excel"\nsheet = "B"')
    book(desk, row(), sheets=("A", "B"))
    assert counts(desk.stage())["kept"] == 1


def test_a_sheet_without_rows_is_no_input(desk):
    """Neither is one without a header."""
    book(desk)
    with pytest.raises(NoInputError, match="has a header and no row"):
        desk.stage()
    book(desk, header=[])
    with pytest.raises(NoInputError, match=r"calls\.xlsx: the sheet has no row"):
        desk.stage()


def far_cell(xml):
    """Put one cell into the last corner of the sheet."""
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    return xml.replace(b"</sheetData>", far)


def entities(xml):
    """Nest entities until they would fill the memory."""
    levels = b"".join(b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, 12))
    head = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "eeeeeeeeee">' + levels + b"]>"
    return head + xml.partition(b"?>")[2].replace(b"<sheetData>", b'<sheetData><row><c t="str"><v>&e11;</v></c></row>')


@pytest.mark.slow
@pytest.mark.parametrize("bomb", [far_cell, entities])
def test_a_bomb_ends_its_own_process_and_no_other(desk, bomb):
    """It is refused in words, and the next file is read."""
    edit(book(desk, row()), bomb)
    with pytest.raises((ContractError, NoInputError)) as error:
        desk.stage()
    assert str(error.value).startswith("calls.xlsx")
    book(desk, row())
    assert counts(desk.stage())["kept"] == 1


def test_an_archive_that_unpacks_to_too_much_is_refused(desk, monkeypatch):
    """Before it is unpacked."""
    monkeypatch.setattr(workbooks, "MAX_UNPACKED", 2 << 20)
    edit(book(desk, row()), lambda xml: xml + b" " * (3 << 20))
    with pytest.raises(ContractError) as error:
        desk.stage()
    assert str(error.value) == ("calls.xlsx: the workbook unpacks to 3 MiB. Export the table as CSV or Parquet instead")


def test_a_sheet_over_the_cap_is_refused(desk, monkeypatch):
    """The cap is two million cells; a smaller one shows the same."""
    monkeypatch.setattr(workbooks, "MAX_CELLS", 12)
    book(desk, row(), row("c2"))
    with pytest.raises(ContractError) as error:
        desk.stage()
    assert str(error.value) == (
        "calls.xlsx: the sheet 'Sheet' has 3 rows and 6 columns, more than 12 cells. "
        "Delete what lies beside the table, or export CSV or Parquet"
    )


def test_a_child_that_runs_out_of_memory_or_time_is_told_from_a_bad_file(desk, monkeypatch):
    """The limits are named."""
    book(desk, *(row(f"c{n}", team="x" * 1000) for n in range(500)))
    monkeypatch.setattr(workbooks, "MEMORY", 20 << 20)
    with pytest.raises(ContractError, match="the workbook cannot be read within"):
        desk.stage()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"PK\x03\x04 not an archive", "the file is not a workbook that can be read"),
        (b"just text", "the file is not a workbook that can be read"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "the file is not a workbook that can be read"),
    ],
    ids=["archive", "text", "old_workbook"],
)
def test_a_file_that_is_no_workbook_is_refused(desk, content, text):
    """With what to do."""
    desk.write("calls.xlsx", content)
    desk.source("data/*.xlsx", COLUMNS, more='format = "excel"')
    with pytest.raises(ContractError) as error:
        desk.stage()
    assert str(error.value) == f"calls.xlsx: {text}. Save it again as .xlsx, or as CSV"


def test_a_cut_workbook_is_refused(desk):
    """Half of its bytes."""
    path = book(desk, row())
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ContractError, match="not a workbook that can be read"):
        desk.stage()

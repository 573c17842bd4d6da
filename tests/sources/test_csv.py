"""CSV exports: encodings, dialects, headers, broken rows; every physical line is accounted for."""

from __future__ import annotations

import codecs
import os
import threading

import pandas as pd
import pytest

from ccanalysis.errors import CcanalysisError, ContractError, NoInputError, SettingsError
from ccanalysis.sources import csv_files, reading
from ccanalysis.sources.csv_files import number_records
from ccanalysis.sources.door import Door
from ccanalysis.workspace import Source

from .conftest import CALLS_COLUMNS, CALLS_HEADER, call, counts, faults, rows


def many(count, start=1):
    """Write good rows."""
    return [call(f"c{n}") for n in range(start, start + count)]


# Encodings


def open_door():
    """A door that keeps no column as it is."""
    return Door(set(), delimiter=",", quote='"')


@pytest.mark.parametrize(
    ("encoding", "mark", "declared"),
    [
        pytest.param("utf-8", b"", "utf-8", id="utf8"),
        pytest.param("utf-8", codecs.BOM_UTF8, "utf-8", id="utf8_with_a_mark"),
        pytest.param("utf-8", codecs.BOM_UTF8, "cp1252", id="the_mark_wins_over_the_declaration"),
        pytest.param("utf-16-le", codecs.BOM_UTF16_LE, "utf-8", id="utf16_by_its_mark"),
        pytest.param("utf-16-be", codecs.BOM_UTF16_BE, "utf-8", id="utf16_big_endian_by_its_mark"),
        pytest.param("utf-16-le", b"", "utf-16-le", id="utf16_declared"),
        pytest.param("cp1252", b"", "cp1252", id="cp1252_declared"),
        pytest.param("cp850", b"", "cp850", id="cp850_declared"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old_mac"])
def test_the_same_rows_come_from_every_encoding(desk, encoding, mark, declared, end):
    """Letters beyond ASCII arrive whole, whatever the encoding and the line ends."""
    text = end.join([CALLS_HEADER, call(team="Crédit"), call("c2", team="Ångström")]) + end
    desk.write("calls.csv", mark + text.encode(encoding))
    desk.source("data/calls.csv", CALLS_COLUMNS, more=f'encoding = "{declared}"')
    staged = desk.stage()
    assert rows(staged.tables["contacts"], "team", "source_row") == [("Crédit", "2"), ("Ångström", "3")]


def test_a_tab_separated_unicode_text_is_read(desk):
    """Excel's "Unicode text" is UTF-16 with tabs."""
    text = "\r\n".join([CALLS_HEADER, call()]).replace(",", "\t") + "\r\n"
    desk.write("calls.csv", codecs.BOM_UTF16_LE + text.encode("utf-16-le"))
    desk.source("data/calls.csv", CALLS_COLUMNS, more='delimiter = "\\t"')
    assert counts(desk.stage())["kept"] == 1


@pytest.mark.parametrize(
    ("declared", "content", "text"),
    [
        pytest.param(
            "utf-8",
            "\n".join([CALLS_HEADER, call(), call("c2", team="Café")]).encode("cp1252") + b"\n",
            "calls.csv, row 3: character 49 of this row cannot be read as utf-8. "
            "Add encoding = \"cp1252\" to source 'source 1' (ccanalysis.toml:4)",
            id="cp1252_not_declared",
        ),
        pytest.param(
            "ascii",
            "\n".join([CALLS_HEADER, call(team="Café")]).encode() + b"\n",
            "calls.csv, row 2: character 49 of this row cannot be read as ascii. "
            "Add encoding = \"utf-8\" to source 'source 1' (ccanalysis.toml:4)",
            id="utf8_declared_as_something_else",
        ),
        pytest.param(
            "utf-8",
            b"\xff" + "\n".join([CALLS_HEADER, call()]).encode() + b"\n",
            "calls.csv, row 1: character 1 of this row cannot be read as utf-8. "
            "Add encoding = \"cp1252\" to source 'source 1' (ccanalysis.toml:4)",
            id="in_the_header",
        ),
    ],
)
def test_bytes_of_another_encoding_are_refused_with_their_place(desk, declared, content, text):
    """The place, and the line to add to the settings; never a guess."""
    desk.write("calls.csv", content)
    desk.source("data/calls.csv", CALLS_COLUMNS, more=f'encoding = "{declared}"')
    with pytest.raises(ContractError) as error:
        desk.stage()
    assert str(error.value) == text


def test_an_undecodable_byte_far_into_the_file_is_found(desk):
    """The row is right beyond the first chunks, and after two-byte letters."""
    lines = [CALLS_HEADER, *(call(f"c{n}", team="Crédit") for n in range(150_000))]
    content = "\n".join(lines).encode() + b"\nbad\xff\n"
    desk.write("calls.csv", content)
    desk.source("data/calls.csv", CALLS_COLUMNS)
    with pytest.raises(ContractError, match=r"calls\.csv, row 150002: character 4 of this row"):
        desk.stage()


def test_an_unknown_encoding_is_refused(desk):
    """Before any file is read."""
    desk.calls(call(), more='encoding = "windows-9999"')
    with pytest.raises(SettingsError, match="there is no encoding 'windows-9999'"):
        desk.stage()


def test_utf8_read_as_a_code_page_is_noted_per_column(desk):
    """Three cells are double-encoded; the note counts them and shows none."""
    twice = "Café".encode().decode("cp1252")
    desk.calls(call("c1", team=twice), call("c2", team=twice, agent=twice), call("c3", team="Não"))
    notes = [note for note in desk.stage().notes if "UTF-8" in note]
    assert notes == [
        "data/calls.csv, column 'Agent': 1 cells look like UTF-8 that was read in another encoding; "
        "check 'encoding' of source 'source 1'",
        "data/calls.csv, column 'Team': 2 cells look like UTF-8 that was read in another encoding; "
        "check 'encoding' of source 'source 1'",
    ]


# Dialects


def test_delimiter_quote_and_title_lines_are_taken_as_declared(desk):
    """Single quotes, semicolons and two lines above the header."""
    header, row = CALLS_HEADER.replace(",", ";"), call(team="'A;B'").replace(",", ";")
    desk.write("calls.csv", f"Report of 9 November\n\n{header}\n{row}\n")
    desk.source("data/calls.csv", CALLS_COLUMNS, more='delimiter = ";"\nquote = "\'"\nskip_lines = 2')
    assert rows(desk.stage().tables["contacts"], "team", "source_row") == [("A;B", "4")]


def test_without_a_quote_character_quotes_are_letters(desk):
    """quote = "" takes every quotation mark as it stands."""
    desk.calls(call(team='"A'), call("c2", team='B"'), more='quote = ""')
    assert rows(desk.stage().tables["contacts"], "team") == ['"A', 'B"']


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ('delimiter = ""', "'delimiter' must be one printable character or a tab"),
        ('delimiter = "||"', "'delimiter' must be one printable character or a tab"),
        ('delimiter = "\\u001f"', "'delimiter' must be one printable character or a tab"),
        ('quote = ","', "'quote' must be one printable character other than the delimiter, or empty"),
        ('thousands = "."', "'thousands' and 'decimal' are the same mark"),
        ('thousands = "00"', "'thousands' must be one mark such as a comma, or empty"),
        ("skip_lines = -1", "'skip_lines' is negative"),
    ],
)
def test_a_dialect_that_cannot_be_read_is_refused(desk, more, problem):
    """The line of the source is named."""
    desk.calls(call(), more=more)
    with pytest.raises(SettingsError) as error:
        desk.stage()
    assert str(error.value).startswith(f"ccanalysis.toml:4: source 'source 1': {problem}. ")


def test_another_delimiter_is_offered(desk):
    """One column that holds the mapped names between semicolons."""
    desk.write("calls.csv", f"{CALLS_HEADER}\n{call()}\n".replace(",", ";"))
    desk.source("data/calls.csv", CALLS_COLUMNS)
    with pytest.raises(ContractError) as error:
        desk.stage()
    assert str(error.value) == (
        "calls.csv, row 1: the columns are not separated by ','. Set delimiter = \";\" in source 'source 1'"
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"PK\x03\x04rest", 'is a workbook or an archive, not a CSV file. Set format = "excel", or unpack it'),
        (b"PAR1rest", 'is a Parquet file, not a CSV file. Set format = "parquet"'),
        (b"\x1f\x8brest", "is compressed. Unpack it first"),
    ],
)
def test_another_kind_of_file_is_told_by_its_first_bytes(desk, content, text):
    """The ending of the name says nothing."""
    desk.write("calls.csv", content)
    desk.source("data/calls.csv", CALLS_COLUMNS)
    with pytest.raises(ContractError) as error:
        desk.stage()
    assert str(error.value) == f"calls.csv: the file {text}"


# Headers


def test_a_header_is_matched_in_spite_of_case_and_blanks_and_noted(desk):
    """A no-break space, capitals and a blank at the end."""
    header = CALLS_HEADER.replace("Call ID", "CALL\u00a0id").replace("Team", "team ")
    desk.write("calls.csv", f"{header}\n{call()}\n")
    desk.source("data/calls.csv", CALLS_COLUMNS)
    staged = desk.stage()
    assert rows(staged.tables["contacts"], "contact_id", "team") == [("c1", "Billing")]
    assert staged.notes[0] == "column 'Call ID' is written 'CALL\\xa0id' in calls.csv"
    assert "column 'Team' is written 'team' in calls.csv" in staged.notes


def test_a_header_that_names_a_mapped_column_twice_is_refused(desk):
    """Both positions are named."""
    desk.write("calls.csv", f"{CALLS_HEADER},Team\n{call()},Claims\n")
    desk.source("data/calls.csv", CALLS_COLUMNS)
    with pytest.raises(ContractError) as error:
        desk.stage()
    assert str(error.value) == (
        "calls.csv, row 1, column 'Team': the header has this name twice, in columns 8 and 9. "
        "Give each column of the export a name of its own"
    )


def test_two_headers_that_differ_in_case_alone_are_refused_where_neither_is_exact(desk):
    """TEAM and team, with Team in the mapping."""
    desk.write("calls.csv", f"{CALLS_HEADER.replace('Team', 'TEAM')},team\n{call()},Claims\n")
    desk.source("data/calls.csv", CALLS_COLUMNS)
    with pytest.raises(ContractError, match="twice, in columns 8 and 9"):
        desk.stage()


def test_a_missing_column_is_refused_with_the_nearest_name(desk):
    """Before anything is staged."""
    desk.write("calls.csv", f"{CALLS_HEADER.replace('Wait', 'Waits')}\n{call()}\n")
    desk.source("data/calls.csv", CALLS_COLUMNS)
    with pytest.raises(ContractError) as error:
        desk.stage()
    assert str(error.value) == (
        "calls.csv, row 1: the header has no column 'Wait', which source 'source 1' maps. Did you mean 'Waits'?"
    )
    assert not list((desk.root / ".ccanalysis").rglob("*.parquet"))


def test_a_header_of_which_most_is_missing_shows_none_of_its_names(desk):
    """It may have run into the first row."""
    desk.write("calls.csv", f"Call ID,Start,Jane Doe\n{call()}\n")
    desk.source("data/calls.csv", CALLS_COLUMNS)
    with pytest.raises(ContractError) as error:
        desk.stage()
    assert str(error.value) == (
        "calls.csv, row 1: the header has no columns 'Channel', 'Result', 'Wait', 'Talk', 'Agent', 'Team', "
        "which source 'source 1' maps. Correct the mapping, or export the file again"
    )


@pytest.mark.parametrize("first", [call(), "Calls of week 46"], ids=["no_header", "a_title_above"])
def test_a_first_row_that_is_no_header_is_refused_and_not_shown(desk, first):
    """Its cells may be people's data."""
    desk.write("calls.csv", f"{first}\n{call('c2')}\n")
    desk.source("data/calls.csv", CALLS_COLUMNS)
    with pytest.raises(ContractError) as error:
        desk.stage()
    assert "has none of the columns that source 'source 1' maps" in str(error.value)
    assert "Billing" not in str(error.value) and "46" not in str(error.value)


def test_columns_that_are_not_mapped_stay_outside_and_are_named(desk):
    """Sick days travel no further."""
    desk.write("calls.csv", f"{CALLS_HEADER},sick_days,,Notes\n{call()},17,,very ill\n")
    desk.source("data/calls.csv", CALLS_COLUMNS)
    staged = desk.stage()
    assert staged.notes[0] == (
        "columns of source 'source 1' that are not mapped stay outside: 'sick_days', column 10 without a name, 'Notes'"
    )
    every_byte = b"".join(path.read_bytes() for path in staged.folder.iterdir())
    assert b"very ill" not in every_byte


def test_a_header_may_run_over_two_lines(desk):
    """A line break inside a quoted name."""
    desk.write("calls.csv", f'"Call\nID",{CALLS_HEADER.partition(",")[2]}\n{call()}\n')
    desk.source("data/calls.csv", CALLS_COLUMNS)
    assert rows(desk.stage().tables["contacts"], "contact_id", "source_row") == [("c1", "3")]


# Broken rows


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        pytest.param("bad,row", "fields_missing", id="too_short"),
        pytest.param(call("x") + ",1", "fields_extra", id="too_long"),
        pytest.param(call("x", team='"Bil'), "quote", id="unclosed_quote"),
        pytest.param(call("x", team='"Bil"ling'), "quote", id="text_after_a_quote"),
        pytest.param(call('"x', team='"Bil'), "quote", id="two_quotes_and_still_open"),
        pytest.param(call("x", team="Bil\x00ling"), "control", id="nul"),
        pytest.param(call("x", team="Bil\x1bling"), "control", id="escape"),
        pytest.param(call("x", team="Bil\x1eling"), "control", id="our_own_mark"),
        pytest.param(call("x", team="Bil\x85ling"), "control", id="control_of_the_upper_half"),
        pytest.param(call("x", team="B" * 1_000_001), "length", id="a_million_characters"),
    ],
)
def test_a_broken_row_is_quarantined_with_its_row_and_costs_no_other(desk, line, rule):
    """Its neighbours are read; nothing shifts."""
    desk.calls(*many(150), line, *many(50, start=151))
    staged = desk.stage()
    assert faults(staged) == [(152, None, rule)]
    assert counts(staged) == {"read": 201, "kept": 200, "quarantined": 1, "duplicates": 0, "set_aside": 0}
    found = rows(staged.tables["contacts"], "contact_id", "team", "source_row")
    assert found[149:151] == [("c150", "Billing", "151"), ("c151", "Billing", "153")]


def test_a_quote_inside_an_unquoted_value_is_a_letter(desk):
    """9" is nine inches."""
    desk.calls(call(team='9" line'), call("c2"))
    assert rows(desk.stage().tables["contacts"], "team") == ['9" line', "Billing"]


def test_an_unclosed_quote_does_not_swallow_rows_that_follow(desk):
    """Not even where a later quote closes it: rows in between are rows of their own."""
    desk.calls(*many(300), call("x", team='"Bil'), *many(20, start=301), call("y", team='"A, B"'), *many(20, start=321))
    staged = desk.stage()
    assert faults(staged) == [(302, None, "quote")]
    assert counts(staged)["kept"] == 341


def test_a_value_may_hold_delimiters_quotes_and_line_breaks(desk):
    """All of it comes back as it was, and rows keep their physical number."""
    desk.calls(call("c1", team='"A ""B"", C\nD\n\nE"'), call("c2"))
    staged = desk.stage()
    assert rows(staged.tables["contacts"], "team", "source_row") == [('A "B", C\nD\n\nE', "2"), ("Billing", "6")]


def test_a_row_of_row_three_hundred_thousand_is_named(desk):
    """The number is that of the file, whatever was read in parallel."""
    desk.calls(*many(300_000), call("x", wait="soon"))
    staged = desk.stage()
    assert faults(staged) == [(300_002, "wait_s", "duration")]
    assert pd.read_parquet(staged.quarantine)["reason"].tolist() == [
        "wait_s is not a duration in the declared unit s (export column 'Wait')"
    ]


@pytest.mark.parametrize(
    ("good", "bad", "refused"),
    [
        pytest.param(0, 3, True, id="every_row_is_one_field_too_long"),
        pytest.param(98, 2, True, id="two_in_a_hundred"),
        pytest.param(198, 2, False, id="one_in_a_hundred"),
        pytest.param(10, 1, False, id="a_single_one_in_a_small_file"),
    ],
)
def test_more_than_one_ragged_row_in_a_hundred_is_refused(desk, good, bad, refused):
    """Then the file is not what was declared."""
    desk.calls(*many(good), *(call(f"x{n}") + ",1" for n in range(bad)))
    if refused:
        with pytest.raises(ContractError) as error:
            desk.stage()
        assert str(error.value) == (
            f"calls.csv: {bad:,} of {good + bad:,} rows do not have the 8 fields of the header. "
            "Check 'delimiter' and 'quote' of source 'source 1', or export the file again"
        )
    else:
        assert counts(desk.stage())["quarantined"] == bad


def test_blank_lines_and_rows_of_empty_cells_are_no_records(desk):
    """Excel leaves both behind."""
    desk.calls("", call(), ",,,,,,,", "   ", '"","",,,,,,', call("c2"), "")
    staged = desk.stage()
    assert counts(staged) == {"read": 2, "kept": 2, "quarantined": 0, "duplicates": 0, "set_aside": 0}
    assert rows(staged.tables["contacts"], "source_row") == ["3", "7"]


def test_a_repeated_header_is_set_aside_and_noted(desk):
    """Files that were joined by hand."""
    desk.calls(call(), CALLS_HEADER, call("c2"))
    staged = desk.stage()
    assert counts(staged)["read"] == counts(staged)["kept"] == 2
    assert "data/calls.csv: the header stands 1 times between the rows; these are set aside" in staged.notes


def test_rows_declared_not_to_be_records_are_set_aside(desk):
    """A total, whole and short, is no contact."""
    total = call("Total", "", "", "", "999", "", "", "")
    desk.calls(*many(3), total, "Total", more='ignore_where = { "Call ID" = ["Total", "Sum"] }')
    assert counts(desk.stage()) == {"read": 3, "kept": 3, "quarantined": 0, "duplicates": 0, "set_aside": 2}


def test_a_total_that_is_not_declared_is_quarantined(desk):
    """And not added to the rows it sums up."""
    desk.calls(*many(3), call("Total", "", "", "", "36", "", "", ""))
    assert counts(desk.stage())["quarantined"] == 1


# The end of a file


@pytest.mark.parametrize("cut", [1, 5, 20, 45], ids=lambda cut: f"{cut}_characters")
def test_a_file_that_was_cut_never_gives_the_cut_row(desk, cut):
    """A row with fields missing at the end refuses the file; with all fields, the row alone is doubted."""
    desk.write("calls.csv", "\n".join([CALLS_HEADER, *many(200)])[:-cut])
    desk.source("data/calls.csv", CALLS_COLUMNS)
    if cut <= len("Billing"):
        assert faults(desk.stage()) == [(201, None, "cut")]
    else:
        with pytest.raises(ContractError) as error:
            desk.stage()
        assert str(error.value) == (
            "calls.csv, row 201: the file ends in the middle of this row, so it was cut or is still being written. "
            "Export it again, or run when the export is complete"
        )


def test_a_file_cut_inside_quotes_is_refused(desk):
    """The last value is still open."""
    desk.write("calls.csv", "\n".join([CALLS_HEADER, *many(200), call("x", team='"Bill')]))
    desk.source("data/calls.csv", CALLS_COLUMNS)
    with pytest.raises(ContractError, match="row 202: the file ends in the middle of this row"):
        desk.stage()


def test_a_last_row_that_ends_with_a_closing_quote_is_whole(desk):
    """No line end is needed after it."""
    desk.write("calls.csv", "\n".join([CALLS_HEADER, call(team='"Billing"')]))
    desk.source("data/calls.csv", CALLS_COLUMNS)
    assert counts(desk.stage())["kept"] == 1


def test_a_file_replaced_while_it_is_read_is_refused(desk, monkeypatch):
    """What is read must be what was hashed."""
    path = desk.calls(*many(3))
    real = csv_files.number_records

    def replaced(*args, **more):
        path.write_text(path.read_text() + call("late") + "\n", encoding="utf-8")
        return real(*args, **more)

    monkeypatch.setattr(reading.csv_files, "number_records", replaced)
    with pytest.raises(ContractError) as error:
        desk.stage()
    assert str(error.value) == ("calls.csv: the file changed while it was read. Run again when the export is complete")
    assert list((desk.root / ".ccanalysis" / "staged").iterdir()) == []


# Nothing to read


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "calls.csv: the file of source 'source 1' is empty (0 bytes). Export it again, or take it away"),
        ("\n\n", "calls.csv: the file has no line with text. Export it again"),
        (
            f"{CALLS_HEADER}\n",
            "calls.csv: the file of source 'source 1' has a header and no row. "
            "Export it again, or take the source out of the settings",
        ),
    ],
    ids=["no_byte", "blank_lines", "header_only"],
)
def test_a_file_without_rows_is_no_input(desk, content, text):
    """It is not a week without contacts."""
    desk.write("calls.csv", content)
    desk.source("data/calls.csv", CALLS_COLUMNS)
    with pytest.raises(NoInputError) as error:
        desk.stage()
    assert str(error.value) == text
    assert int(error.value.exit_code) == 3


def test_one_empty_day_among_others_is_noted(desk):
    """A source needs a row; each of its files does not."""
    desk.calls(call())
    desk.write("sunday.csv", CALLS_HEADER + "\n")
    staged = desk.stage()
    assert staged.intake["read"].tolist() == [1, 0]
    assert "data/sunday.csv has a header and no row" in staged.notes


def test_a_source_without_a_file_is_no_input(desk):
    """The pattern is named."""
    desk.source("data/*.csv", CALLS_COLUMNS)
    with pytest.raises(NoInputError, match=r"source 'source 1' matches no file with 'data/\*\.csv'"):
        desk.stage()


def test_a_source_of_which_no_row_keeps_the_contract_is_refused(desk):
    """The most frequent reason is said, with its first row."""
    desk.calls(*(call(f"c{n}", start="2026-11-09 08:00:00") for n in range(3)))
    with pytest.raises(ContractError) as error:
        desk.stage()
    assert str(error.value) == (
        "data/calls.csv, row 2: none of the 3 rows of source 'source 1' keeps the contract of 'contacts'; 3 times: "
        "offered_at is not a time written as %d/%m/%Y %H:%M:%S (export column 'Start'). "
        "Correct the mapping of this column, or the export"
    )


# Names


def test_a_file_name_is_never_a_pattern(desk):
    """team[1].csv is read as itself beside team1.csv, declared by name or found by a pattern."""
    desk.write("team[1].csv", f"{CALLS_HEADER}\n{call('right')}\n")
    desk.write("team1.csv", f"{CALLS_HEADER}\n{call('other')}\n")
    desk.source("data/team[1].csv", CALLS_COLUMNS)
    assert rows(desk.stage().tables["contacts"], "contact_id") == ["right"]
    desk.sources.clear()
    desk.source("data/*.csv", CALLS_COLUMNS)
    assert rows(desk.stage().tables["contacts"], "contact_id", "source_file") == [
        ("other", "data/team1.csv"),
        ("right", "data/team[1].csv"),
    ]


@pytest.mark.parametrize("name", ["it's.csv", "a b.csv", "Ärger;drop.csv", "x?.csv", "{x}.csv", "a'; SELECT 1; --.csv"])
def test_a_hostile_file_name_is_just_a_name(desk, name):
    """It reaches no query as anything but a text."""
    desk.calls(call(), name=name)
    assert rows(desk.stage().tables["contacts"], "source_file") == [f"data/{name}"]


def test_hostile_header_names_and_values_reach_no_query(desk):
    """They are texts too."""
    evil = "x'); DROP TABLE quarantine; --"
    columns = CALLS_COLUMNS.replace('team = "Team"', f'team = "{evil}"')
    desk.write("calls.csv", f"{CALLS_HEADER.replace('Team', evil)}\n{call(team=evil)}\n")
    desk.source("data/calls.csv", columns)
    assert rows(desk.stage().tables["contacts"], "team") == [evil]


# The pass itself


MESSY = "\ufeff" + "\r\n".join(
    [
        "Title above",
        CALLS_HEADER,
        "",
        *many(400),
        call("q1", team='"two\r\nlines"'),
        call("q2", team='"open'),
        CALLS_HEADER,
        "too,short",
        call("long") + ",x",
        call("nul", team="\x00"),
        ",,,,,,,",
        call("Total"),
        call("e", team='"a""b"'),
        call("t", team='"a"b'),
        *many(100, start=401),
        "",
    ]
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"], ids=["windows", "unix", "old_mac"])
def test_every_physical_line_is_accounted_for(desk, encoding, end):
    """Title, header, blank, repeated header, inner line, record read or set aside: they add up to the file's lines."""
    text = MESSY.replace("\r\n", end)
    path = desk.write("calls.csv", text.encode(encoding) if encoding == "utf-8" else text[1:].encode(encoding))
    more = 'skip_lines = 1\nignore_where = { "Call ID" = "Total" }'
    desk.source("data/calls.csv", CALLS_COLUMNS, more=more)
    staged = desk.stage()
    assert counts(staged) == {"read": 507, "kept": 502, "quarantined": 5, "duplicates": 0, "set_aside": 1}
    source = desk.open().sources[0]
    records = number_records(source, path, desk.root / "work.csv", number=0, door=open_door())
    assert records.lines == len(text.split(end)) - 1
    explained = (
        records.title_lines
        + records.header_lines
        + records.blank
        + records.repeated
        + records.inner_lines
        + counts(staged)["read"]
        + counts(staged)["set_aside"]
    )
    assert explained == records.lines
    assert [rule for _, _, rule in faults(staged)] == ["quote", "fields_missing", "fields_extra", "control", "quote"]


def test_careful_and_quick_passes_find_the_same_in_a_well_quoted_file(tmp_path):
    """Counting quotes and following them agree."""
    path = tmp_path / "calls.csv"
    lines = [f'"{n}","a ""b"", {n}","line\nbreak"' for n in range(100)]
    path.write_text("\n".join(["x,y,z", *lines]) + "\n", encoding="utf-8")
    source = Source(name="s", table="contacts", files="*")
    quick = number_records(source, path, tmp_path / "quick.csv", number=0, door=open_door())
    careful = number_records(source, path, tmp_path / "careful.csv", number=0, door=open_door(), careful=True)
    assert (tmp_path / "quick.csv").read_bytes() == (tmp_path / "careful.csv").read_bytes()
    assert quick == careful


def test_a_pipe_is_not_waited_for(desk):
    """Only regular files are exports."""
    desk.calls(call())
    os.mkfifo(desk.root / "data" / "pipe.csv")
    done = threading.Event()
    threading.Thread(target=lambda: (desk.stage(), done.set()), daemon=True).start()
    assert done.wait(60)


def test_an_error_never_shows_a_cell(desk):
    """Of all refusals above, none quotes what a person wrote."""
    secret = "Jane-Doe-4111111111111111"
    for content in (
        f"{CALLS_HEADER}\n{call(secret)},x\n{call(secret)},x\n",
        f"{secret},b\n1,2\n",
        f"{CALLS_HEADER}\n{call(start=secret)}\n",
        f"{CALLS_HEADER}\n{secret}",
    ):
        desk.sources.clear()
        desk.write("calls.csv", content)
        desk.source("data/calls.csv", CALLS_COLUMNS)
        with pytest.raises(CcanalysisError) as error:
            desk.stage()
        assert secret not in str(error.value)

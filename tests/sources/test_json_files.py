"""JSON as it comes: however it is laid out, every record has its line, and every damage its place."""

from __future__ import annotations

import json

import pytest

from ccanalysis.errors import CcanalysisError, ContractError
from ccanalysis.sources import json_files, vendor_files

from . import vendor_exports as made
from .conftest import Desk, faults, rows
from .vendor_reading import (
    TALK,
    of,
    read,
)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(made.lines([made.talk_call(1), made.talk_call(2)]), id="lines"),
        pytest.param("\ufeff" + made.lines([made.talk_call(1), made.talk_call(2)]).replace("\n", "\r\n"), id="windows"),
        pytest.param(json.dumps([made.talk_call(1), made.talk_call(2)]), id="a_list_in_one_line"),
        pytest.param(json.dumps([made.talk_call(1), made.talk_call(2)], indent=2), id="a_list_over_many_lines"),
        pytest.param(json.dumps({"calls": [made.talk_call(1), made.talk_call(2)]}), id="a_document_in_one_line"),
        pytest.param(
            json.dumps({"count": 2, "calls": [made.talk_call(1), made.talk_call(2)]}, indent=1), id="a_document"
        ),
        pytest.param("[\n" + ",\n".join(json.dumps(made.talk_call(n)) for n in (1, 2)) + "\n]\n", id="a_list_of_lines"),
        pytest.param(
            "".join(json.dumps({"calls": [made.talk_call(n)]}) + "\n" for n in (1, 2)), id="a_page_in_each_line"
        ),
    ],
)
def test_json_is_read_however_it_is_laid_out(desk, content):
    """The same two calls, whatever stands around them."""
    staged = read(desk, TALK, content, "contacts", name="calls.json")
    assert rows(staged.tables["contacts"], "contact_id", "wait_s", order="contact_id") == [("1", "25"), ("2", "25")]
    assert of(staged, "contacts") == {"read": 2, "kept": 2, "quarantined": 0, "duplicates": 0, "set_aside": 0}


def test_each_record_of_a_document_has_its_own_line(desk):
    """A fault names the line that its record begins on."""
    content = json.dumps([made.talk_call(1), made.talk_call(2, "odd"), made.talk_call(3)], indent=1)
    begins = [n for n, line in enumerate(content.splitlines(), 1) if line == " {"]
    assert faults(read(desk, TALK, content, "contacts", name="calls.json")) == [(begins[1], "outcome", "code")]


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        pytest.param('{"id": NaN, "completion_status": "completed"}', "json", id="not_a_number"),
        pytest.param('{"id": ' + "9" * 5_000 + "}", "json", id="a_number_without_end"),
        pytest.param("[" * 5_000, "json", id="nested_without_end"),
        pytest.param('{"id": 1, "completion_status": "a"} tail', "json", id="text_behind_it"),
        pytest.param('"text"', "record", id="no_object"),
        pytest.param('{"id": [1], "completion_status": "completed"}', "record", id="a_list_for_a_value"),
        pytest.param('{"id": "\\ud800", "completion_status": "completed"}', "control", id="half_a_character"),
        pytest.param('{"id": "a\\u0000", "completion_status": "completed"}', "control", id="a_control_character"),
    ],
)
def test_json_that_is_none_is_quarantined_by_line(desk, bad, rule):
    """Nothing in a line ends in a traceback, or in another line."""
    content = "\n".join([json.dumps(made.talk_call(1)), bad, json.dumps(made.talk_call(3)), ""])
    staged = read(desk, TALK, content, "contacts")
    assert faults(staged) == [(2, None, rule)]
    assert rows(staged.tables["contacts"], "contact_id") == ["1", "3"]


def test_bytes_that_are_not_utf_8_are_quarantined_by_line(desk):
    """A line in another encoding is not half read."""
    good = json.dumps(made.talk_call(1)).encode()
    desk.write("c.jsonl", good + b"\n" + good.replace(b"completed", b"compl\xe9ted") + b"\n")
    desk.source("data/c.jsonl", "", more=f'vendor = "{TALK}"\n')
    assert faults(desk.stage()) == [(2, None, "json")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x1f\x8b\x08\x00data", "c.jsonl: the file is compressed. Unpack it first"),
        (b"PAR1data", 'c.jsonl: the file is a Parquet file. Take vendor out and set format = "parquet"'),
        (b" \n\n", "c.jsonl: the file has no line with text. Export it again"),
        (b"[\n{},\n", "c.jsonl, row 3: the file is not whole JSON, so it is damaged, cut or still being written."),
    ],
)
def test_files_that_are_no_json_are_refused(desk, content, message):
    """By how they begin, or where they end."""
    desk.write("c.jsonl", content)
    desk.source("data/c.jsonl", "", more=f'vendor = "{TALK}"\n')
    with pytest.raises(CcanalysisError) as refused:
        desk.stage()
    assert str(refused.value).startswith(message)


def test_what_would_not_fit_into_memory_is_refused(desk, monkeypatch):
    """One document, or one line, beyond the bound; lines below it are read however many there are."""
    monkeypatch.setattr(json_files, "MAX_DOCUMENT", 2_000)
    many = [made.talk_call(n) for n in range(1, 11)]
    staged = read(desk, TALK, made.lines(many), "contacts")
    assert of(staged, "contacts")["kept"] == 10
    for content, message in (
        (json.dumps(many, indent=1), "the file is one JSON document of more than 0 MiB"),
        (json.dumps({"calls": many}), "a line is longer than 0 MiB"),
    ):
        with pytest.raises(ContractError, match=message):
            read(Desk(desk.root), TALK, content, "contacts")


def test_a_file_that_changes_while_it_is_read_is_refused(desk, monkeypatch):
    """Its digest is taken again from the bytes that were read."""
    real = vendor_files.json_records

    def changing(path, records, **more):
        path.write_text(made.lines([made.talk_call(1), made.talk_call(2)]))
        yield from real(path, records, **more)

    monkeypatch.setattr(vendor_files, "json_records", changing)
    with pytest.raises(ContractError, match=r"export.txt: the file changed while it was read"):
        read(desk, TALK, made.lines([made.talk_call(1)]), "contacts")

"""What all vendors' formats share: recognition, settings, damage, and masking at the door."""

from __future__ import annotations

import re
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccanalysis import vendors
from ccanalysis.contracts import TABLES
from ccanalysis.errors import CcanalysisError, ContractError, SettingsError

from . import vendor_exports as made
from .conftest import CALLS_COLUMNS, Desk, faults, rows
from .vendor_reading import (
    AMAZON,
    CXONE,
    TALKDESK,
    of,
    read,
    utc,
)


@pytest.mark.parametrize("name", made.FILES)
def test_each_format_is_recognised_as_itself_alone(tmp_path, name):
    """By fields that no other format has together."""
    file, content = made.FILES[name]
    path = tmp_path / file
    path.write_text(content(), encoding="utf-8")
    head = vendors.read_head(path)
    found = vendors.recognise(head)
    assert found is not None
    assert found[0].name == name
    assert vendors.declared(head) is None
    others = [f for f in vendors.FORMATS.values() if f.name != name and f.marks and head.kind in f.readers]
    assert [f.name for f in others if set(f.marks) <= set(head.names)] == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("calls.csv", "Call ID,Start\n1,2\n"),
        ("x.json", '{"a": 1}\n'),
        ("x.json", "{"),
        ("x.parquet", "PAR1\x00\x00"),
        ("empty.txt", "\n"),
        ("pipes.txt", "a|b|c|d|e\n"),
    ],
)
def test_what_is_no_vendors_file_is_not_recognised(tmp_path, name, content):
    """Nothing is recognised by its name or by one field."""
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert vendors.recognise(vendors.read_head(path)) is None


@pytest.mark.parametrize("name", vendors.FORMATS)
def test_every_format_states_its_facts_and_maps_only_what_it_has(name):
    """Units, clock, key, delivery and source are there; every mapped column is one of its flat columns."""
    form = vendors.FORMATS[name]
    assert all([form.units, form.clock, form.key, form.delivery, form.published, form.traps, form.written])
    assert name in made.FILES
    for table, mapping in form.tables.items():
        for column, source in tomllib.loads(mapping).items():
            assert column in TABLES[table]
            told = source if isinstance(source, str) else source.get("column", ())
            assert {told} if isinstance(told, str) else set(told) <= set(form.header[table]), column


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('vendor = "amazon_connect.contacts"\n', "there is no vendor format 'amazon_connect.contacts'. Did you mean"),
        (
            'vendor = "talkdesk.calls"\nformat = "excel"\n',
            "talkdesk.calls says itself how its files are built. Take 'format' out",
        ),
        (
            'vendor = "amazon_connect.evaluations"\n',
            "amazon_connect.evaluations does not fill 'contacts'. It fills evaluations",
        ),
    ],
)
def test_a_vendor_that_cannot_be_followed_is_refused_by_line(desk, more, message):
    """Unknown, doubly told, or for another table."""
    desk.source("data/*.csv", "", more=more)
    with pytest.raises(SettingsError, match=re.escape(message)):
        desk.open()


def test_a_file_of_another_format_is_refused_with_what_it_lacks(desk):
    """The header is compared before anything is counted."""
    with pytest.raises(ContractError) as refused:
        read(desk, TALKDESK, "call_id,type,start_at,end_at,total_time,talk_time\n", "contacts")
    assert str(refused.value) == (
        "export.txt, row 1: the header has no column 'wait_time', which Talkdesk Calls have. Did you mean 'talk_time'?"
    )


def test_json_of_any_source_is_read_by_a_declared_mapping(desk):
    """Fields below others are named with points; the ending of `files` says that it is JSON."""
    desk.write("calls.jsonl", '{"id": "1", "at": {"start": "2026-11-09T08:00:00Z"}, "wait": 12}\n{"id": "2"}\n')
    desk.source(
        "data/*.jsonl",
        'contact_id = "id"\noffered_at = { column = "at.start", format = "iso" }\nchannel = { value = "voice" }\n'
        'outcome = { value = "answered" }\nwait_s = { column = "wait", unit = "s" }',
    )
    staged = desk.stage()
    assert rows(staged.tables["contacts"], "contact_id", "offered_at", "wait_s") == [("1", utc("08:00:00"), "12")]
    assert faults(staged) == [(2, "offered_at", "required")]


def test_the_ending_of_the_pattern_tells_the_format(desk):
    """A Parquet file that is none is refused as one, and not read as text."""
    desk.write("calls.parquet", "junk,that,is,no\nparquet,file,at,all\n")
    desk.source("data/*.parquet", CALLS_COLUMNS)
    with pytest.raises(ContractError, match=r"calls.parquet: the file is not a whole Parquet file"):
        desk.stage()


def test_a_source_whose_records_are_all_something_else_has_no_input(desk):
    """Tasks alone are no contacts."""
    with pytest.raises(CcanalysisError) as refused:
        read(desk, AMAZON, made.lines([made.amazon(Channel="TASK")]), "contacts")
    assert str(refused.value) == (
        "export.txt: no record of source 'contacts' is a row of 'contacts'. Export it again, or take the source out "
        "of the settings"
    )


@settings(max_examples=30, deadline=None)
@given(cut=st.integers(1, 5_000), junk=st.binary(max_size=30))
def test_no_damage_of_a_file_ends_in_anything_but_a_count_or_an_error(tmp_path_factory, cut, junk):
    """Cut anywhere and followed by anything, a file is counted line by line or refused with a reason."""
    desk = Desk(tmp_path_factory.mktemp("damage"))
    content = made.amazon_file().encode()
    desk.write("export.txt", content[: min(cut, len(content))] + junk + b"\n" + content)
    desk.source("data/export.txt", "", more=f'vendor = "{AMAZON}"\n')
    try:
        staged = desk.stage()
    except CcanalysisError as error:
        assert str(error).startswith("export.txt")
    else:
        found = of(staged, "contacts")
        assert found["read"] == found["kept"] + found["quarantined"] + found["duplicates"]
        assert found["kept"] == 7


CARD = "4111 1111 1111 1111"


def test_card_numbers_of_vendors_texts_are_masked_and_counted(desk):
    """In a text that the mapping asks for; an identifier of as many digits stays as it is."""
    record = made.amazon("4111111111111111", Attributes={"reason": f"paid with {CARD}"})
    staged = read(desk, AMAZON, made.lines([record]), "contacts", columns='reason = "Attributes.reason"')
    [(contact, reason)] = rows(staged.tables["contacts"], "contact_id", "reason")
    assert contact == "4111111111111111"
    assert CARD not in reason and reason.startswith("paid with ")
    assert "data/export.txt: card numbers were masked once; take them out at the source" in staged.notes


def test_card_numbers_of_a_vendors_table_are_masked_where_people_write(desk):
    """In the name of a queue, and in a column that stays outside; the contact's number is none."""
    content = (
        made.cxone_file()
        .replace("Billing", CARD, 1)
        .replace("+441632960001", CARD, 1)
        .replace("101", "4111111111111111")
    )
    staged = read(desk, CXONE, content, "contacts", more='zone = "America/Denver"\n')
    first = rows(staged.tables["contacts"], "contact_id", "queue")[0]
    assert first[0] == "4111111111111111"
    assert CARD not in first[1]
    assert "data/export.txt: card numbers were masked 2 times; take them out at the source" in staged.notes

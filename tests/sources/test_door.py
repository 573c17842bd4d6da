"""Card data stay outside: in no file that is written, for no moment, and identifiers stay what they are."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccanalysis.sources.csv_files import number_records
from ccanalysis.sources.door import Door, identifying, suspect

from .conftest import call, rows

CARD = "4111111111111111"
SPOKEN = "four one one one, one one one one, one one one one, one one one one"
SAID = "took 4111 1111 1111 1111 exp 12/27, code on the back is 123"
COLUMNS = """
survey_id = "Survey"
contact_id = "Call ID"
invited_at = { column = "Asked", format = "%Y-%m-%d %H:%M:%S" }
channel = { column = "Channel", codes = { Phone = "voice" } }
csat = "Score"
comment = "Words"
"""
HEADER = ["Survey", "Call ID", "Asked", "Channel", "Score", "Words", "Agent notes"]
ANSWERS = [
    ["s1", CARD, "2026-11-09 08:00:00", "Phone", "5", "Thanks; my card is " + CARD, "typed " + SAID],
    ["s2", "c2", "2026-11-09 09:00:00", "Phone", "1", SPOKEN, "4111-1111-1111-1111"],
    ["s3", "c3", "2026-11-09 10:00:00", "Phone", "3", "4111 1111 and then 1111 1111", "nothing"],
    ["s4", "c4", "2026-11-09 11:00:00", "Phone", "4", "Rang 07700 900123 twice", "order 2026110900001"],
]


def written(desk, form):
    """Write the answers as one kind of file, and declare it."""
    frame = pd.DataFrame(ANSWERS, columns=HEADER)
    path = desk.write(f"answers.{form}", b"")
    if form == "csv":
        frame.to_csv(path, index=False)
    elif form == "xlsx":
        frame.to_excel(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    desk.calls(call(), name="calls/calls.csv")
    desk.sources[0] = desk.sources[0].replace("data/*.csv", "data/calls/*.csv")
    kind = {"csv": "csv", "xlsx": "excel", "parquet": "parquet"}[form]
    desk.source(f"data/answers.{form}", COLUMNS, table="surveys", more=f'format = "{kind}"')


@pytest.mark.parametrize("form", ["csv", "xlsx", "parquet"])
def test_no_card_data_are_kept_of_a_survey(desk, form):
    """However the file is delivered; the contact whose number looks like a card's keeps it."""
    written(desk, form)
    desk.sources.append('[privacy]\nfree_text = ["surveys.comment"]\n')
    staged = desk.stage()
    assert rows(staged.tables["surveys"], "contact_id") == [CARD, "c2", "c3", "c4"]
    assert rows(staged.texts["surveys"], "survey_id", "comment", order="1") == [
        ("s1", "Thanks; my card is [card]"),
        ("s2", "[card]"),
        ("s3", "[card]"),
        ("s4", "Rang 07700 900123 twice"),
    ]
    left = [path for path in (desk.root / ".ccanalysis").rglob("*") if path.is_file() and path.suffix != ".parquet"]
    for path in left:
        assert CARD.encode() not in path.read_bytes().replace(b" ", b"").replace(b"-", b"")


def test_what_was_masked_is_counted_and_said(desk):
    """So that it is mended at the source; the note holds no number."""
    written(desk, "csv")
    notes = desk.stage().notes
    assert "data/answers.csv: card numbers were masked 4 times; take them out at the source" in notes
    assert "data/answers.csv: security codes of cards were masked once; they may not be kept at all" in notes
    assert not any(CARD[:6] in note for note in notes)


def test_the_working_copy_of_a_file_holds_no_card_data_either(desk):
    """Not even for the moment in which a file is read; columns that are not mapped are no exception."""
    written(desk, "csv")
    workspace = desk.open()
    source = workspace.sources[1]
    door = Door(identifying(source, workspace.tables["surveys"]), delimiter=",", quote='"')
    work = desk.root / "work.csv"
    number_records(source, desk.root / "data" / "answers.csv", work, number=0, door=door)
    copied = work.read_text(encoding="utf-8")
    assert copied.count(CARD) == 1  # the identifier
    assert "4111 1111 1111 1111" not in copied
    assert "4111-1111-1111-1111" not in copied
    assert copied.count("[card]") == door.cards == 4
    assert "is [cvv]" in copied


def test_quoted_cells_stay_whole():
    """What is masked is written again with its quotes, line breaks and commas."""
    door = Door({"id"}, delimiter=",", quote='"')
    line = f'7,12,{CARD},"said ""{CARD}"", twice",plain'
    assert door.screen(line, ["id", "words", "more"], before=2) == f'7,12,"{CARD}","said ""[card]"", twice","plain"'
    assert (door.cards, door.codes) == (1, 0)


def test_numbers_that_stand_side_by_side_are_no_card():
    """Four columns of four digits are four figures."""
    door = Door(set(), delimiter=",", quote='"')
    line = "7,12,4111,1111,1111,1111"
    assert door.screen(line, ["a", "b", "c", "d"], before=2) == line


@given(st.text(alphabet=st.characters(exclude_characters="0123456789", max_codepoint=0x2FF), max_size=40))
def test_a_number_is_suspect_whatever_stands_around_it(around):
    """The quick look never lets a plain number pass."""
    assert suspect(f"{around}{CARD}{around}")
    assert suspect(f"{around} 4111-1111-1111-1111 {around}")

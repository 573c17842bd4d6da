"""Free text: what people wrote is not read by default; where it is asked for, it is kept apart and masked."""

from __future__ import annotations

import pandas as pd
import pytest

from ccanalysis.contracts import TABLES
from ccanalysis.errors import SettingsError
from ccanalysis.kpis import expressions

from .conftest import CALLS_COLUMNS, call, rows

CANARY = "Kanarienvogel"
SAID = {"contacts": "notes", "surveys": "comment", "evaluations": "comment", "complaints": "words"}
COLUMNS = {
    "surveys": 'survey_id = "ID"\ninvited_at = { column = "At", format = "iso" }\n',
    "evaluations": 'evaluation_id = "ID"\ncriterion = "ID"\nevaluated_at = { column = "At", format = "iso" }\n'
    'source = { value = "self" }\n',
    "complaints": 'complaint_id = "ID"\nreceived_at = { column = "At", format = "iso" }\n',
}


def declare(desk, *, form="csv", kept=None):
    """Declare exports with words in every table that takes them."""
    for table, columns in COLUMNS.items():
        frame = pd.DataFrame({"ID": ["a", "b"], "At": ["2026-11-09T08:00:00Z"] * 2, "Words": [f"{CANARY} {table}", ""]})
        path = desk.write(f"{table}.{form}", b"")
        frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path, index=False)
        desk.source(f"data/{table}.{form}", f'{columns}{SAID[table]} = "Words"', table=table, name=table)
    header = "Call ID,Start,Channel,Result,Wait,Talk,Agent,Team,Notes"
    desk.write("calls.csv", f"{header}\n{call('c1')},{CANARY} of the agent\n{call('c2')},\n")
    desk.source("data/calls.csv", CALLS_COLUMNS + 'notes = "Notes"', name="calls")
    if kept is not None:
        desk.sources.append(f"[privacy]\nfree_text = {kept}\n")


def holding(folder) -> list[str]:
    """List the files in which the canary stands, whatever they pack their texts into."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
            texts = " ".join(map(str, frame.to_numpy().ravel()))
        else:
            texts = path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""
        if CANARY in texts or (path.is_file() and CANARY.encode() in path.read_bytes()):
            found.append(path.name)
    return found


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_by_default_no_file_of_the_cache_holds_what_people_wrote(desk, form):
    """The mapping may name it; nothing is read, and a note says so."""
    declare(desk, form=form)
    staged = desk.stage()
    assert holding(desk.root / ".ccanalysis") == []
    assert staged.texts == {}
    assert "surveys: free text is left out (comment); 'free_text' under [privacy] keeps it" in staged.notes
    assert len(pd.read_parquet(staged.tables["surveys"])) == 2


def test_what_is_asked_for_is_kept_apart_with_the_key_alone(desk):
    """In one file that only its owner may read; no contract table has it."""
    declare(desk, kept="true")
    staged = desk.stage()
    assert sorted(staged.texts) == sorted(SAID)
    assert holding(desk.root / ".ccanalysis") == [f"{table}__text.parquet" for table in sorted(SAID)]
    for table, column in SAID.items():
        path = staged.texts[table]
        assert list(pd.read_parquet(path).columns) == [*TABLES[table].key, column]
        assert len(pd.read_parquet(path)) == 1  # a row without a word has nothing to keep
        assert path.stat().st_mode & 0o077 == 0
    assert rows(staged.texts["contacts"], "contact_id", "notes", order="1") == [("c1", f"{CANARY} of the agent")]
    assert "contacts: free text is kept apart (notes); no rule or figure reads it" in staged.notes


def test_only_what_is_named_is_kept(desk):
    """One table's words do not bring another's."""
    declare(desk, kept='["complaints.words"]')
    staged = desk.stage()
    assert list(staged.texts) == ["complaints"]
    assert holding(desk.root / ".ccanalysis") == ["complaints__text.parquet"]


def test_of_two_deliveries_the_later_words_are_kept(desk):
    """Words go with the row that holds."""
    columns = COLUMNS["surveys"] + 'comment = "Words"'
    desk.calls(call(), name="calls/calls.csv")
    desk.sources[0] = desk.sources[0].replace("data/*.csv", "data/calls/*.csv")
    for day, words in (("1", "first"), ("2", "later")):
        desk.write(f"s{day}.csv", f"ID,At,Words\na,2026-11-09T08:00:00Z,{words}\n")
    desk.source("data/s*.csv", columns, table="surveys")
    desk.sources.append("[privacy]\nfree_text = true\n")
    assert rows(desk.stage().texts["surveys"], "survey_id", "comment", order="1") == [("a", "later")]


def test_a_measure_cannot_read_it():
    """Free text is no column of its table."""
    with pytest.raises(SettingsError, match="'complaints' has no column 'words'"):
        expressions.parse("words is not null", TABLES["complaints"])


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ('["surveys.coment"]', "'free_text' names 'surveys.coment', which is no free text. "
         "Did you mean 'surveys.comment'?"),
        ('["contacts.reason"]', "'free_text' names 'contacts.reason', which is no free text. "
         "Did you mean 'contacts.notes'?"),
        ('"all"', "'free_text' in [privacy] must be true or false or a list"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_followed_names_its_line(desk, given, problem):
    """Only free text can be named."""
    desk.calls(call())
    desk.sources.append(f"[privacy]\nfree_text = {given}\n")
    with pytest.raises(SettingsError) as told:
        desk.open()
    text = str(told.value)
    assert text.partition(": ")[0].startswith("ccanalysis.toml:")
    assert text.partition(": ")[2] == problem

"""Staged tables: exactly the contract, each contact once, filled from the roster, written whole or not at all."""

from __future__ import annotations

import json
import os

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccanalysis import sources
from ccanalysis.contracts import LINEAGE, TABLES
from ccanalysis.errors import CcanalysisError, ContractError, EnvironmentFaultError
from ccanalysis.sources import staging

from .conftest import CALLS_COLUMNS, CALLS_HEADER, Desk, call, counts, faults, rows

VERSIONED = CALLS_COLUMNS.replace('team = "Team"', 'updated_at = { column = "Team", format = "epoch_s" }')
ROSTER = """
agent_id = "agent"
team = "team"
site = "site"
line_manager = "boss"
valid_from = { column = "from", format = "iso" }
valid_to = { column = "to", format = "iso" }
"""


def roster(desk, *lines):
    """Write and declare a roster."""
    desk.write("roster.txt", "\n".join(["agent,team,site,boss,from,to", *lines]) + "\n")
    desk.source("data/roster.txt", ROSTER, table="agents", name="roster")


# The contract


def test_a_staged_table_has_exactly_the_columns_of_its_contract(desk):
    """In order, with their types; what no export gives is empty."""
    desk.calls(call())
    schema = pq.read_schema(desk.stage().tables["contacts"])
    contract = TABLES["contacts"]
    assert schema.names == [column.name for column in contract.columns]
    kinds = {"VARCHAR": "string", "BIGINT": "int64", "DOUBLE": "double", "BOOLEAN": "bool", "DATE": "date32[day]"}
    for column in contract.columns:
        expected = kinds.get(column.sql_type, "timestamp[us, tz=UTC]")
        assert str(schema.field(column.name).type) == expected, column.name
    assert rows(desk.stage().tables["contacts"], "queue", "updated_at", "resolved") == [(None, None, None)]


def test_a_workspaces_own_columns_are_staged(desk):
    """Declared in the settings, mapped like any other."""
    desk.sources.append('[tables.intervals.columns]\nn_triaged = { type = "integer", about = "triaged" }\n')
    desk.write("i.csv", "d,n,t\n2026-11-09,5,3\n2026-11-10,5,-3\n")
    columns = (
        'starts_on = { column = "d", format = "iso" }\nlength = { value = "day" }\nn_offered = "n"\nn_triaged = "t"'
    )
    desk.source("data/i.csv", columns, table="intervals")
    staged = desk.stage()
    assert rows(staged.tables["intervals"], "n_triaged", "n_offered") == [("3", "5")]
    assert faults(staged) == [(3, "n_triaged", "low")]


def test_every_row_knows_where_it_came_from(desk):
    """File, row and a digest of bytes and mapping."""
    desk.calls(call(), call("c2"))
    found = rows(desk.stage().tables["contacts"], *(column.name for column in LINEAGE))
    assert [row[:2] for row in found] == [("data/calls.csv", "2"), ("data/calls.csv", "3")]
    assert len({row[2] for row in found}) == 1
    desk.calls(call(), call("c3"))
    assert rows(desk.stage().tables["contacts"], "ingest")[0] != found[0][2]


def test_rows_are_sorted_by_local_day(desk):
    """Then by file and row."""
    starts = ["11/11/2026 08:00:00", "09/11/2026 23:00:00", "10/11/2026 08:00:00", "09/11/2026 01:00:00"]
    desk.calls(*(call(f"c{n}", start=start) for n, start in enumerate(starts)))
    frame = pd.read_parquet(desk.stage().tables["contacts"], columns=["contact_id"])
    assert frame["contact_id"].tolist() == ["c1", "c3", "c2", "c0"]


def test_local_day_and_hour_are_the_centres(desk):
    """An export in New York time, a centre in London."""
    desk.calls(call(start="08/11/2026 21:30:00"), more='zone = "America/New_York"')
    assert rows(desk.stage().tables["contacts"], "local_date", "local_hour") == [("2026-11-09", "2")]


# Duplicates


def test_the_same_export_twice_counts_once(desk):
    """Overlapping files: every repeat is counted, none is kept twice."""
    lines = [call(f"c{n}") for n in range(20)]
    desk.calls(*lines, name="1.csv")
    desk.calls(*lines[10:], call("new"), name="2.csv")
    staged = desk.stage()
    assert counts(staged) == {"read": 31, "kept": 21, "quarantined": 0, "duplicates": 10, "set_aside": 0}
    assert staged.intake["duplicates"].tolist() == [10, 0]
    assert not [note for note in staged.notes if "differ" in note]


def test_of_differing_versions_the_latest_update_stays(desk):
    """Wherever it stands; the others are counted, and that they differ is noted."""
    desk.calls(call(wait="1", team="300"), call(wait="2", team="100"), name="1.csv", columns=VERSIONED)
    desk.calls(call(wait="3", team="200"), call(wait="4", team=""), name="2.csv")
    staged = desk.stage()
    assert rows(staged.tables["contacts"], "wait_s", "source_file") == [("1", "data/1.csv")]
    assert counts(staged)["duplicates"] == 3
    assert staged.notes[-1] == (
        "contacts: 3 rows have the key of another row and differ from it; of each key the one with the latest "
        "'updated_at', else the one of the later file or row is kept"
    )


def test_without_an_update_the_later_file_and_row_stay(desk):
    """By name, whatever the order of sources."""
    desk.write("a.csv", f"{CALLS_HEADER}\n{call(wait='1')}\n{call(wait='2')}\n")
    desk.write("b.csv", f"{CALLS_HEADER}\n{call(wait='3')}\n{call('c2', wait='4')}\n{call('c2', wait='5')}\n")
    desk.source("data/b.csv", CALLS_COLUMNS, name="b")
    desk.source("data/a.csv", CALLS_COLUMNS, name="a")
    staged = desk.stage()
    assert rows(staged.tables["contacts"], "contact_id", "wait_s") == [("c1", "3"), ("c2", "5")]
    assert staged.intake.set_index("source")["duplicates"].to_dict() == {"b": 1, "a": 2}


def test_missing_parts_of_a_key_are_equal(desk):
    """Two rows without a team on one day are the same interval."""
    desk.write("i.csv", "d,team,n\n2026-11-09,,5\n2026-11-09,,5\n2026-11-09,A,5\n")
    columns = 'starts_on = { column = "d", format = "iso" }\nlength = { value = "day" }\nn_offered = "n"\nteam = "team"'
    desk.source("data/i.csv", columns, table="intervals")
    assert counts(desk.stage()) == {"read": 3, "kept": 2, "quarantined": 0, "duplicates": 1, "set_aside": 0}


def test_half_hours_on_one_key_are_refused_rather_than_lost(desk):
    """The contract keeps the hour; two halves of it are no repeat."""
    desk.write("i.csv", "d,h,n\n2026-11-09,8,5\n2026-11-09,8,7\n2026-11-09,9,7\n")
    columns = 'starts_on = { column = "d", format = "iso" }\nstarts_hour = "h"\nn_offered = "n"\n'
    desk.source("data/i.csv", columns + 'length = { value = "30min" }', table="intervals")
    with pytest.raises(ContractError) as error:
        desk.stage()
    assert str(error.value) == (
        "i.csv: 1 intervals within one hour cannot be told apart, for the contract keeps the hour alone. "
        "Export whole hours, or add them up before"
    )


def test_a_broken_row_is_no_version_of_a_good_one(desk):
    """Quarantine comes first."""
    desk.calls(call(wait="1"), call(wait="x"))
    staged = desk.stage()
    assert rows(staged.tables["contacts"], "wait_s") == ["1"]
    assert counts(staged) == {"read": 2, "kept": 1, "quarantined": 1, "duplicates": 0, "set_aside": 0}


def test_several_sources_fill_one_table(desk):
    """Another export, another mapping, the same contract."""
    desk.calls(call())
    desk.write("mail.txt", "n|t\nm1|2026-11-09T09:00:00Z\n")
    columns = 'contact_id = "n"\noffered_at = { column = "t", format = "iso" }\n'
    columns += 'channel = { value = "email" }\noutcome = { value = "answered" }'
    desk.source("data/mail.txt", columns, more='delimiter = "|"')
    staged = desk.stage()
    assert rows(staged.tables["contacts"], "contact_id", "channel") == [("c1", "voice"), ("m1", "email")]
    assert staged.intake["table"].tolist() == ["contacts", "contacts"]


# The roster


def test_team_site_and_manager_come_from_the_stay_in_force(desk):
    """On the row's local day; the first and the last day of a stay belong to it."""
    roster(
        desk,
        "a1,North,Leeds,Ann,2026-11-01,2026-11-09",
        "a1,South,Hull,Bob,2026-11-10,",
        "a2,East,York,Cid,2026-11-10,2026-11-10",
    )
    desk.write(
        "calls.csv",
        "\n".join(
            [
                CALLS_HEADER,
                call("1", "09/11/2026 23:59:59", team=""),
                call("2", "10/11/2026 00:00:00", team=""),
                call("3", "10/11/2026 08:00:00", team="", agent="a2"),
                call("4", "11/11/2026 08:00:00", team="", agent="a2"),
                call("5", "11/11/2026 08:00:00", team="Own"),
                call("6", "11/11/2026 08:00:00", team="", agent=""),
            ]
        )
        + "\n",
    )
    desk.source("data/calls.csv", CALLS_COLUMNS)
    staged = desk.stage()
    assert rows(staged.tables["contacts"], "contact_id", "team", "site", "line_manager") == [
        ("1", "North", "Leeds", "Ann"),
        ("2", "South", "Hull", "Bob"),
        ("3", "East", "York", "Cid"),
        ("4", None, None, None),
        ("5", "Own", "Hull", "Bob"),
        ("6", None, None, None),
    ]
    assert "contacts: 1 rows name an agent without a stay in the roster on that day" in staged.notes


def test_overlapping_stays_count_a_contact_once(desk):
    """The stay that began last counts, and the overlap is noted."""
    roster(desk, "a1,North,Leeds,Ann,2026-11-01,", "a1,South,Hull,Bob,2026-11-05,")
    desk.calls(call(team=""), call("c2", team=""))
    desk.source("data/calls.csv", CALLS_COLUMNS)
    staged = desk.stage()
    assert rows(staged.tables["contacts"], "contact_id", "team") == [("c1", "South"), ("c2", "South")]
    assert staged.notes[-1] == (
        "contacts: on 1 agent days the roster has more than one stay in force; the one that began last counts"
    )


def test_names_written_in_two_ways_are_noted_and_kept_apart(desk):
    """Case, blanks and composed letters."""
    desk.calls(
        call("1", team="Billing"), call("2", team="billing"), call("3", team="Caf\u00e9"), call("4", team="Cafe\u0301")
    )
    staged = desk.stage()
    assert len(set(rows(staged.tables["contacts"], "team"))) == 4
    assert [note for note in staged.notes if "seem to be one" in note] == [
        "contacts: team 'Billing' and 'billing' seem to be one, and are kept apart",
        r"contacts: team 'Cafe\u0301' and 'Caf\xe9' seem to be one, and are kept apart",
    ]


# Writing


def test_what_did_not_change_is_not_read_again(desk):
    """The same folder is used until a byte of an export or a mapping differs."""
    desk.calls(call())
    first = desk.stage()
    told = []
    again = sources.stage(desk.open(), progress=told.append)
    assert told == ["nothing changed since the last reading"]
    assert again.folder == first.folder
    pd.testing.assert_frame_equal(again.intake, first.intake)
    assert again.notes == first.notes
    desk.calls(call(wait="13"))
    assert desk.stage().fingerprint != first.fingerprint
    desk.calls(call())
    assert desk.stage().fingerprint == first.fingerprint
    desk.sources[0] = desk.sources[0].replace('unit = "s"', 'unit = "min"')
    assert desk.stage().fingerprint != first.fingerprint


def test_a_damaged_staged_file_is_staged_again(desk):
    """One flipped bit in any file is seen."""
    desk.calls(call())
    staged = desk.stage()
    whole = {path.name: path.read_bytes() for path in staged.folder.iterdir()}
    for name in ("contacts.parquet", "quarantine.parquet"):
        content = bytearray(whole[name])
        content[len(content) // 2] ^= 1
        (staged.folder / name).write_bytes(bytes(content))
        desk.stage()
        assert {path.name: path.read_bytes() for path in staged.folder.iterdir()} == whole


def test_the_same_input_gives_the_same_bytes(desk, tmp_path_factory):
    """In another folder, in another process, with files written in another order."""
    first = desk
    second = Desk(tmp_path_factory.mktemp("other"))
    for place, order in ((first, [1, 2]), (second, [2, 1])):
        for number in order:
            place.calls(*(call(f"c{number}-{n}") for n in range(3000)), "bad", name=f"{number}.csv")
    one, two = first.stage(), second.stage()
    assert one.fingerprint == two.fingerprint
    for path in one.folder.iterdir():
        assert path.read_bytes() == (two.folder / path.name).read_bytes(), path.name


def test_a_refusal_leaves_nothing_behind_and_keeps_what_was(desk):
    """The staged tables of the last good reading stay."""
    desk.calls(call())
    good = desk.stage()
    desk.calls(*(call() + ",x" for _ in range(5)))
    with pytest.raises(Exception, match="do not have the 8 fields"):
        desk.stage()
    home = desk.root / ".ccanalysis" / "staged"
    assert [path.name for path in home.iterdir()] == [good.fingerprint]


def test_what_a_killed_run_left_is_cleaned(desk):
    """Its process is gone; a living one's is left alone."""
    home = desk.root / ".ccanalysis" / "staged"
    dead, alive = home / ".writing-abc-999999999", home / f".writing-abc-{os.getppid()}"
    for folder in (dead, alive):
        folder.mkdir(parents=True)
        (folder / "work-0.csv").write_text("left", encoding="utf-8")
    desk.calls(call())
    desk.stage()
    assert not dead.exists()
    assert alive.exists()


def test_a_full_disk_is_named_as_such(desk, monkeypatch):
    """Not as a fault of the export."""
    desk.calls(call())

    def full(*args, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(staging, "_assemble", full)
    with pytest.raises(EnvironmentFaultError, match=r"cannot be written or read \(No space left on device; [\d,]+ MiB"):
        desk.stage()


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_an_export_that_may_not_be_read_is_an_environment_fault(desk):
    """With the file's name."""
    desk.calls(call()).chmod(0)
    with pytest.raises(EnvironmentFaultError, match=r"calls\.csv: it cannot be read"):
        desk.stage()


def test_progress_is_told_file_by_file(desk):
    """One line each."""
    desk.calls(call(), name="1.csv")
    desk.calls(call("c2"), name="2.csv")
    told = []
    sources.stage(desk.open(), progress=told.append)
    assert told == ["reading data/1.csv", "reading data/2.csv", "staging contacts"]


def test_quarantine_never_holds_a_cell(desk):
    """Nor does the intake, nor a note."""
    secret = "Jane Doe 4111111111111111"
    desk.calls(
        call(), call("2", wait=secret), call("3", start=secret), call("4", result=secret), secret, call(secret + '"')
    )
    staged = desk.stage()
    told = pd.read_parquet(staged.quarantine).to_csv() + json.dumps(
        staged.intake.to_dict(orient="records"), default=str
    )
    assert secret not in told + "".join(staged.notes)
    assert list(pd.read_parquet(staged.quarantine).columns) == [
        *("table", "source", "source_file", "source_row", "column", "rule", "reason"),
    ]


# Every table


def example(column):
    """A mapping that keeps the contract of a column."""
    if column.type in ("instant", "date"):
        return '{ column = "t", format = "iso" }'
    if column.type == "boolean":
        return "{ value = true }"
    if column.type == "text":
        allowed = column.values  # noqa: PD011  not a frame
        return f'{{ value = "{allowed[0]}" }}' if allowed else '{ column = "x" }'
    return f"{{ value = {int(column.low or 0)} }}"


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_contract_table_can_be_staged(desk, name):
    """All of its columns mapped, one row."""
    desk.write("t.csv", "x,t\na,2026-11-09T08:00:00Z\n")
    desk.write("d.csv", "x,t\na,2026-11-09\n")
    table = TABLES[name]
    columns = "\n".join(f"{column.name} = {example(column)}" for column in table.fillable)
    instants = any(column.type == "instant" for column in table.mapped)
    days = any(column.type == "date" for column in table.mapped)
    if instants and days:
        pytest.skip("has both kinds")
    desk.source(f"data/{'t' if instants else 'd'}.csv", columns, table=name, name="one")
    if name not in ("contacts", "intervals"):
        desk.calls(call(), name="calls.csv")
        desk.source("data/calls.csv", CALLS_COLUMNS)
    staged = desk.stage()
    assert counts(staged)["quarantined"] == 0
    assert len(pd.read_parquet(staged.tables[name])) == 1


# Counts add up, whatever comes


CELL = st.sampled_from(["", "x", '"', '""', '"a,b"', '"a\nb"', "12", "-1", "0:01:00", "\x00", " ", "Total", "c1", "é"])
LINE = st.one_of(
    st.builds(call, st.sampled_from(["c1", "c2", "c3", ""]), wait=st.sampled_from(["12", "x", "-1", "13"])),
    st.builds(call, st.uuids().map(str), team=st.sampled_from(["A", '"A', '"A""B"', 'A"', '"A\nB"'])),
    st.lists(CELL, min_size=1, max_size=10).map(",".join),
    st.just(CALLS_HEADER),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=40),
)


@settings(max_examples=60)
@given(st.lists(LINE, max_size=25), st.sampled_from(["\n", "\r\n"]))
def test_counts_add_up_for_any_file(tmp_path_factory, lines, end):
    """read = kept + quarantined + duplicates, in words of the intake, the table and the quarantine."""
    desk = Desk(tmp_path_factory.mktemp("any"))
    good = [call(f"good{n}") for n in range(len(lines) * 101)]  # so that ragged rows are fewer than one in a hundred
    desk.write("calls.csv", end.join([CALLS_HEADER, *good[:50], *lines, *good[50:], call("last")]) + end)
    desk.source("data/calls.csv", CALLS_COLUMNS, more='ignore_where = { "Call ID" = "Total" }')
    try:
        staged = desk.stage()
    except CcanalysisError as refusal:
        assert "fields of the header" in str(refusal)  # any other refusal is a fault
        return
    total = counts(staged)
    assert total["read"] == total["kept"] + total["quarantined"] + total["duplicates"]
    kept = pd.read_parquet(staged.tables["contacts"], columns=["contact_id", "source_row"])
    assert len(kept) == total["kept"]
    assert kept["contact_id"].is_unique
    broken = set(pd.read_parquet(staged.quarantine)["source_row"])
    assert len(broken) == total["quarantined"]
    assert not broken & set(kept["source_row"])
    assert {f"good{n}" for n in range(len(good))} <= set(kept["contact_id"])

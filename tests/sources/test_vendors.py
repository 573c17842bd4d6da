"""Exports of vendors: each format to its tables with exact rows, and each of its traps."""

from __future__ import annotations

import json
import re
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccanalysis import vendors
from ccanalysis.contracts import TABLES
from ccanalysis.errors import CcanalysisError, ContractError, SettingsError
from ccanalysis.sources import json_files, vendor_files

from . import vendor_exports as made
from .conftest import CALLS_COLUMNS, Desk, faults, rows

CONTACTS = ("contact_id", "offered_at", "answered_at", "outcome", "queue", "agent_id", "wait_s", "talk_s", "transfers")
AMAZON, QUEUE_LOG = "amazon_connect.contact_records", "asterisk.queue_log"


def read(desk, vendor, content, *tables, name="export.txt", columns="", more=""):
    """Stage one vendor's file into some tables; a table of contacts is always there."""
    for number, one in enumerate([content] if isinstance(content, str) else content):
        desk.write(name if number == 0 else f"{number}-{name}", one)
    if "contacts" not in tables:
        desk.write("z.csv", "a,b\n1,2026-11-09T00:00:00Z\n")
        mapping = (
            'contact_id = "a"\noffered_at = { column = "b", format = "iso" }\nchannel = { value = "voice" }\n'
            'outcome = { value = "answered" }'
        )
        desk.source("data/z.csv", mapping)
    for table in tables:
        desk.source(f"data/*{name}", columns, table=table, name=table, more=f'vendor = "{vendor}"\n{more}')
    return desk.stage()


def of(staged, table):
    """Return the counts of one source's files, added up."""
    mine = staged.intake[staged.intake["table"] == table]
    return {name: int(mine[name].sum()) for name in ("read", "kept", "quarantined", "duplicates", "set_aside")}


def utc(clock):
    """Write an instant of 9 November 2026 as staged tables show it."""
    return f"2026-11-09 {clock}+00" if clock else None


# --- Amazon Connect contact records -----------------------------------------------------------------------------------


def test_amazon_records_become_contacts(desk):
    """Each way out of a queue, a chain of transfers as one contact, a callback as a contact of its own."""
    staged = read(desk, AMAZON, made.amazon_file(), "contacts")
    table = staged.tables["contacts"]
    expected = [
        ("c-1", "08:00:10", "08:00:30", "answered", "Billing", "imogen.fell", 20, 280, 0),
        ("t-1", "08:00:10", "08:00:30", "answered", "Billing", "imogen.fell", 20, 380, 1),
        ("a-1", "08:10:00", None, "abandoned", "Billing", None, 65, None, 0),
        ("m-1", "08:00:00", None, "left_menu", None, None, None, None, 0),
        ("f-1", "08:20:00", None, "flowed_out", "Billing", None, 300, None, 0),
        ("p-1", "08:30:00", None, "callback_promised", "Billing", None, 30, None, 0),
        ("p-2", "08:40:00", "08:41:30", "answered", "Billing", "imogen.fell", 90, 280, 0),
    ]
    wanted = [
        (c, utc(offered), utc(answered), *rest[:3], *(None if n is None else str(n) for n in rest[3:]))
        for c, offered, answered, *rest in expected
    ]
    assert rows(table, *CONTACTS) == wanted
    assert rows(table, "direction") == ["inbound"] * 6 + ["callback"]
    assert rows(table, "menu_s") == ["10", "10", "600", "40", "1200", "1800", "2400"]
    assert of(staged, "contacts") == {"read": 7, "kept": 7, "quarantined": 0, "duplicates": 0, "set_aside": 2}
    assert rows(table, "source_row") == ["1", "3", "4", "5", "6", "8", "9"]


def test_amazon_records_become_segments_of_their_contacts(desk):
    """One segment per record; both records of a transfer name one contact."""
    staged = read(desk, AMAZON, made.lines(made.amazon_transfer()), "segments")
    columns = ("segment_id", "contact_id", "kind", "queue", "agent_id", "wait_s", "talk_s", "acw_s")
    assert rows(staged.tables["segments"], *columns) == [
        ("t-1", "t-1", "agent", "Billing", "imogen.fell", "20", "280", "25"),
        ("t-2", "t-1", "agent", "Specialists", "tobias.wren", "45", "100", "5"),
    ]


def test_amazon_delivers_at_least_once_and_the_latest_update_holds(desk):
    """Whatever the order of lines and files; the others are duplicates."""
    old = made.amazon("c-1", LastUpdateTimestamp="2026-11-09T08:06:00Z", Queue=made.amazon_queue("08:00:10", 99))
    new = made.amazon("c-1", LastUpdateTimestamp="2026-11-09T09:00:00Z")
    staged = read(desk, AMAZON, [made.lines([new, old]), made.lines([old])], "contacts")
    assert rows(staged.tables["contacts"], "contact_id", "wait_s", "source_row") == [("c-1", "20", "1")]
    assert of(staged, "contacts") == {"read": 3, "kept": 1, "quarantined": 0, "duplicates": 2, "set_aside": 0}
    assert dict(zip(staged.intake["file"], staged.intake["duplicates"], strict=True)) == {
        "data/1-export.txt": 1,
        "data/export.txt": 1,
    }


def test_amazon_transfers_are_one_contact_across_files(desk):
    """The second record of a chain may come in the next file, or before the first."""
    one, other = made.amazon_transfer()
    staged = read(desk, AMAZON, [made.lines([other]), made.lines([one])], "contacts")
    assert rows(staged.tables["contacts"], "contact_id", "agent_id", "talk_s", "transfers", "source_file") == [
        ("t-1", "imogen.fell", "380", "1", "data/export.txt")
    ]


def test_amazon_records_may_stand_behind_one_another(desk):
    """A delivery stream writes no line ends between records unless it is told to."""
    text = "".join(json.dumps(made.amazon(name)) for name in ("a", "b", "c"))
    staged = read(desk, AMAZON, text, "contacts")
    assert rows(staged.tables["contacts"], "contact_id", "source_row", order="contact_id") == [
        ("a", "1"),
        ("b", "1"),
        ("c", "1"),
    ]


def test_a_damaged_line_is_quarantined_with_its_number(desk):
    """Cut in the middle, cut at the end of a growing file, not an object, without its key, with a control character."""
    whole = json.dumps(made.amazon("a"))
    bad = [whole[:200], "[1]", json.dumps({"ContactId": "x"}), json.dumps(made.amazon("n\x00"))]
    broken = json.dumps(made.amazon("q", Queue=[1]))
    fine = [json.dumps(made.amazon(f"c{n}")) for n in range(3)]
    staged = read(desk, AMAZON, "\n".join([*fine, *bad, broken, whole[:-10]]), "contacts")
    assert faults(staged) == [
        (4, None, "json"),
        (5, None, "record"),
        (6, None, "record"),
        (7, None, "control"),
        (8, None, "record"),
        (9, None, "json"),
    ]
    assert of(staged, "contacts") == {"read": 9, "kept": 3, "quarantined": 6, "duplicates": 0, "set_aside": 0}


def test_an_unknown_code_of_amazon_is_quarantined_and_can_be_declared(desk):
    """A new channel or reason is never `other`; a code that the settings add is added to the vendor's."""
    odd = made.amazon("v-1", Channel="VIDEO")
    staged = read(desk, AMAZON, made.lines([odd, made.amazon("c-1")]), "contacts")
    assert faults(staged) == [(1, "channel", "code")]
    other = Desk(desk.root)
    staged = read(
        other,
        AMAZON,
        made.lines([odd, made.amazon("c-1")]),
        "contacts",
        columns='channel = { codes = { VIDEO = "video" } }',
    )
    assert rows(staged.tables["contacts"], "contact_id", "channel") == [("v-1", "video"), ("c-1", "voice")]


def test_personal_fields_are_dropped_by_name_and_what_a_mapping_names_is_kept(desk):
    """Telephone numbers and attributes stay outside; one attribute that the settings name comes in."""
    staged = read(desk, AMAZON, made.lines([made.amazon()]), "contacts", columns='reason = "Attributes.reason"')
    assert rows(staged.tables["contacts"], "reason", "customer_id") == [("bill too high", None)]
    assert (
        "personal fields of source 'contacts' are dropped at the door: 'Attributes', 'CustomerEndpoint', 'Recording', "
        "'SystemEndpoint', 'TransferredToEndpoint'"
    ) in staged.notes
    everything = b"".join(path.read_bytes() for path in staged.folder.iterdir())
    assert b"01632" not in everything and b"Rosalind" not in everything


def test_a_name_that_no_record_has_is_noted(desk):
    """A mistyped attribute would otherwise be empty without a word."""
    staged = read(desk, AMAZON, made.lines([made.amazon()]), "contacts", columns='reason = "Attributes.reasn"')
    assert "no record of source 'contacts' has 'Attributes.reasn'" in staged.notes


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(9)), copies=st.lists(st.integers(0, 8), max_size=4))
def test_neither_order_nor_repeats_change_amazon_contacts(tmp_path_factory, order, copies):
    """Records may come in any order and any number of times: every line is kept, a duplicate or set aside."""
    desk = Desk(tmp_path_factory.mktemp("amazon"))
    records = made.amazon_file().splitlines()
    chosen = [records[n] for n in [*order, *copies]]
    staged = read(desk, AMAZON, "\n".join(chosen) + "\n", "contacts")
    told = rows(staged.tables["contacts"], "contact_id", "outcome", "wait_s", "talk_s", order="contact_id")
    assert [row[0] for row in told] == ["a-1", "c-1", "f-1", "m-1", "p-1", "p-2", "t-1"]
    assert told[-1] == ("t-1", "answered", "20", "380")
    found = of(staged, "contacts")
    assert found["read"] == found["kept"] + found["quarantined"] + found["duplicates"]
    assert found["read"] + found["set_aside"] == len(chosen)


# --- Asterisk queue_log -----------------------------------------------------------------------------------------------


def test_queue_log_becomes_contacts(desk):
    """One row per call, at the line of the event that ends it."""
    staged = read(desk, QUEUE_LOG, made.queue_log_file(), "contacts")
    columns = (
        "contact_id",
        "offered_at",
        "answered_at",
        "outcome",
        "queue",
        "agent_id",
        "wait_s",
        "talk_s",
        "source_row",
    )
    assert rows(staged.tables["contacts"], *columns) == [
        ("c.1", utc("08:00:00"), utc("08:00:12"), "answered", "billing", "SIP/fell", "12", "120", "7"),
        ("a.1", utc("08:03:20"), None, "abandoned", "billing", None, "45", None, "9"),
        ("w.1", utc("08:05:00"), utc("08:06:11"), "answered", "overflow", "SIP/wren", "70", "100", "14"),
        ("k.1", utc("08:08:20"), None, "flowed_out", "billing", None, "20", None, "16"),
        ("e.1", utc("08:10:00"), None, "refused", "billing", None, "1", None, "18"),
    ]
    assert faults(staged) == [(19, None, "unended")]
    assert of(staged, "contacts") == {"read": 6, "kept": 5, "quarantined": 1, "duplicates": 0, "set_aside": 18}
    assert b"01632" not in b"".join(path.read_bytes() for path in staged.folder.iterdir())


def test_queue_log_becomes_segments(desk):
    """Each stay in a queue is one; the call that timed out and went on has two."""
    staged = read(desk, QUEUE_LOG, made.queue_log_file(), "segments")
    found = rows(staged.tables["segments"], "segment_id", "contact_id", "kind", "queue", "wait_s", "talk_s")
    assert [row for row in found if row[1] == "w.1"] == [
        ("w.1/1", "w.1", "queue", "billing", "60", None),
        ("w.1/2", "w.1", "agent", "overflow", "10", "100"),
    ]
    assert len(found) == 6


def test_queue_log_becomes_agent_states(desk):
    """Logged in and free, on a contact, and paused, added up per local day; the pause reason is the centre's own."""
    columns = 'state = { codes = { "PAUSE Lunch" = "break" } }'
    staged = read(desk, QUEUE_LOG, made.queue_log_file(), "agent_states", columns=columns)
    assert rows(staged.tables["agent_states"], "agent_id", "on_date", "state", "actual_s", order="1, 3") == [
        ("SIP/fell", "2026-11-09", "available", "1330"),
        ("SIP/fell", "2026-11-09", "break", "600"),
        ("SIP/fell", "2026-11-09", "contact", "120"),
        ("SIP/wren", "2026-11-09", "available", "1940"),
        ("SIP/wren", "2026-11-09", "contact", "100"),
    ]


def test_a_pause_reason_that_is_not_declared_is_quarantined(desk):
    """It could be a break, a meeting or training."""
    staged = read(desk, QUEUE_LOG, made.queue_log_file(), "agent_states")
    assert [(column, rule) for _, column, rule in faults(staged)] == [("state", "code")]


def test_reasons_of_one_state_are_added_up_and_days_are_local(desk):
    """Two reasons that both are breaks give one row a day; a login over midnight gives two days."""
    desk.time_zone = "America/New_York"  # midnight is five hours after that of UTC
    evening = 4 * 3600 + 13 * 3600 - 3600  # 00:00 UTC of the next day; 19:00 there
    log = [
        made.event(evening, "NONE", "ADDMEMBER", agent="SIP/fell"),
        made.event(evening + 100, "NONE", "PAUSE", "Tea", agent="SIP/fell"),
        made.event(evening + 400, "NONE", "PAUSE", "Lunch", agent="SIP/fell"),
        made.event(evening + 900, "NONE", "UNPAUSE", agent="SIP/fell"),
        made.event(evening + 6 * 3600, "NONE", "REMOVEMEMBER", agent="SIP/fell"),
    ]
    columns = 'state = { codes = { "PAUSE Lunch" = "break", "PAUSE Tea" = "break" } }'
    staged = read(desk, QUEUE_LOG, "\n".join([*log, ""]), "agent_states", columns=columns)
    assert rows(staged.tables["agent_states"], "on_date", "state", "actual_s", order="1, 2") == [
        ("2026-11-09", "available", str(5 * 3600 - 800)),
        ("2026-11-09", "break", "800"),
        ("2026-11-10", "available", "3600"),
    ]


def test_ringnoanswer_is_milliseconds_and_all_else_seconds(desk):
    """Five thousand are five seconds of ringing; the wait of the same call stays twelve."""
    desk.sources.append(
        '[tables.contacts.columns]\nn_rang = { type = "integer", about = "offers not accepted" }\n'
        'rang_s = { type = "number", about = "ringing without answer, seconds" }\n'
    )
    columns = 'n_rang = "rang without answer"\nrang_s = "ring seconds"'
    staged = read(desk, QUEUE_LOG, made.queue_log_file(), "contacts", columns=columns)
    assert rows(staged.tables["contacts"], "contact_id", "n_rang", "rang_s", "wait_s")[0] == ("c.1", "1", "5.0", "12")


def test_an_answered_call_whose_end_is_lost_stays_answered_and_is_noted(desk):
    """Its wait is known; leaving it out would make the service level better or worse than it was."""
    log = [
        made.event(0, "c.1", "ENTERQUEUE", "", "", 1),
        made.event(9, "c.1", "CONNECT", 9, "b", 2, agent="SIP/fell"),
        "",
    ]
    staged = read(desk, QUEUE_LOG, "\n".join(log), "contacts")
    assert rows(staged.tables["contacts"], "outcome", "wait_s", "talk_s", "ended_at") == [("answered", "9", None, None)]
    assert (
        "source 'contacts': answered calls whose end the log does not tell are kept without talk time (1)"
        in staged.notes
    )


def test_a_log_that_begins_or_ends_within_a_call_says_so(desk):
    """An end without beginning, a line without its end, and one that is no event."""
    log = [
        made.event(0, "b.1", "COMPLETEAGENT", 5, 60, 1, agent="SIP/fell"),
        "restarted by hand",
        *(
            line
            for n in range(5)
            for line in (made.event(n, f"d.{n}", "ENTERQUEUE"), made.event(n + 9, f"d.{n}", "ABANDON", 1, 1, 9))
        ),
        made.event(99, "e.1", "ENTERQUEUE", "", "", 1),
        made.event(120, "e.1", "ABANDON", 1, 1, 21)[:-1],
    ]
    staged = read(desk, QUEUE_LOG, "\n".join(log), "contacts")
    assert faults(staged) == [(1, None, "unbegun"), (2, None, "event"), (13, None, "unended"), (14, None, "cut")]
    found = of(staged, "contacts")
    assert found == {"read": 9, "kept": 5, "quarantined": 4, "duplicates": 0, "set_aside": 5}


def test_transfers_end_a_leg_with_their_own_talk_time(desk):
    """Blind and attended transfers tell wait and talk in their last three fields; a later COMPLETE changes nothing."""
    log = []
    transfers = {
        "BLINDTRANSFER": ("200", "internal", 4, 50, 1),
        "ATTENDEDTRANSFER": ("BRIDGE", "b-9", 4, 51, 1),
        "TRANSFER": ("200", "internal", 4, 52, 1),
    }
    for n, (name, parameters) in enumerate(transfers.items()):
        log += [
            made.event(n, f"c.{n}", "ENTERQUEUE", "", "", 1),
            made.event(n + 4, f"c.{n}", "CONNECT", 4, "b", 1, agent="SIP/fell"),
            made.event(n + 54, f"c.{n}", name, *parameters, agent="SIP/fell"),
            made.event(n + 60, f"c.{n}", "COMPLETECALLER", 4, 999, 1, agent="SIP/fell"),
        ]
    staged = read(desk, QUEUE_LOG, "\n".join([*log, ""]), "contacts")
    assert rows(staged.tables["contacts"], "contact_id", "talk_s", "transfers") == [
        ("c.0", "50", "1"),
        ("c.1", "51", "1"),
        ("c.2", "52", "1"),
    ]


def test_events_of_the_dial_plans_own_are_named(desk):
    """Anybody may write events; they are no row, and no secret."""
    log = [
        made.event(0, "c.1", "ENTERQUEUE"),
        made.event(1, "c.1", "SURVEY", 5),
        made.event(2, "c.1", "ABANDON", 1, 1, 2),
        "",
    ]
    staged = read(desk, QUEUE_LOG, "\n".join(log), "contacts")
    assert "events of source 'contacts' that ccanalysis does not know stay outside: SURVEY (1)" in staged.notes
    assert of(staged, "contacts") == {"read": 1, "kept": 1, "quarantined": 0, "duplicates": 0, "set_aside": 2}


def test_a_call_whose_log_was_rotated_is_whole_again(desk):
    """The beginning stands in yesterday's file, the end in today's."""
    begun, ended = made.event(0, "c.1", "ENTERQUEUE", "", "", 1), made.event(30, "c.1", "ABANDON", 1, 1, 30)
    staged = read(desk, QUEUE_LOG, [ended + "\n", begun + "\n"], "contacts", name="queue_log")
    assert rows(staged.tables["contacts"], "contact_id", "wait_s", "source_file") == [("c.1", "30", "data/queue_log")]


# --- Amazon Connect evaluations ---------------------------------------------------------------------------------------

EVALUATIONS = "amazon_connect.evaluations"
SCORES = ("evaluation_id", "criterion", "contact_id", "source", "form_version", "points", "max_points", "auto_fail")


def test_an_amazon_evaluation_becomes_its_questions(desk):
    """A question that does not apply and one in words have no points, which is not nought; notes stay outside."""
    columns = 'weight = { column = "questionRefId", codes = { greeting = "60", payment = "40" } }'
    staged = read(desk, EVALUATIONS, made.amazon_evaluation(), "evaluations", name="evaluation.json", columns=columns)
    assert rows(staged.tables["evaluations"], "weight") == ["60.0", "40.0"]
    assert rows(staged.tables["evaluations"], *SCORES) == [
        ("e-1", "greeting", "c-1", "call_monitoring", "3", "80.0", "100.0", "false"),
        ("e-1", "payment", "c-1", "call_monitoring", "3", None, "100.0", "false"),
    ]
    assert b"Rosalind" not in b"".join(path.read_bytes() for path in staged.folder.iterdir())


def test_a_question_in_words_counts_where_it_was_scored_and_a_calibration_is_marked(desk):
    """Whether a question is a criterion is told by its score, not by its kind."""
    record = json.loads(made.amazon_evaluation())
    record["questions"][2]["score"] = {"percentage": 50}
    record["metadata"]["calibrationSessionId"] = "k-1"
    staged = read(desk, EVALUATIONS, json.dumps(record), "evaluations", name="evaluation.json")
    assert rows(staged.tables["evaluations"], "criterion", "points", "source") == [
        ("greeting", "80.0", "calibration"),
        ("payment", None, "calibration"),
        ("remarks", "50.0", "calibration"),
    ]


def test_agents_of_contacts_and_of_evaluations_can_meet(desk):
    """Evaluations name the agent by the end of the resource name; contacts offer it beside the user name."""
    staged = read(desk, AMAZON, made.amazon_file(), "contacts", columns='agent_id = "Agent.Id"')
    assert rows(staged.tables["contacts"], "agent_id")[:3] == ["0001-fell", "0001-fell", None]


def test_two_files_of_one_evaluation_count_once_by_submission(desk):
    """The file that was submitted last counts whole, whatever its name; the other's questions are duplicates."""
    files = [made.amazon_evaluation(submitted="2026-11-11T10:00:00Z", points=60), made.amazon_evaluation()]
    staged = read(desk, EVALUATIONS, files, "evaluations", name="evaluation.json")
    assert rows(staged.tables["evaluations"], "criterion", "points", "source_file") == [
        ("greeting", "60.0", "data/evaluation.json"),
        ("payment", None, "data/evaluation.json"),
    ]
    assert of(staged, "evaluations") == {"read": 4, "kept": 2, "quarantined": 0, "duplicates": 2, "set_aside": 0}


def test_one_evaluation_that_was_written_to_two_places_counts_once(desk):
    """The same document below the old and the new path."""
    staged = read(desk, EVALUATIONS, [made.amazon_evaluation()] * 2, "evaluations", name="evaluation.json")
    assert of(staged, "evaluations") == {"read": 4, "kept": 2, "quarantined": 0, "duplicates": 2, "set_aside": 0}


def test_a_cut_document_is_refused_with_its_line(desk):
    """A document that ends early has no row that could be trusted to be the last."""
    with pytest.raises(ContractError) as refused:
        read(desk, EVALUATIONS, made.amazon_evaluation()[:700], "evaluations", name="evaluation.json")
    assert str(refused.value).startswith("evaluation.json, row ")
    assert "the file is not whole JSON, so it is damaged, cut or still being written" in str(refused.value)


# --- NICE CXone -------------------------------------------------------------------------------------------------------

CXONE = "nice_cxone.call_detail"
ZONE = 'zone = "America/Denver"\n'


def test_cxone_rows_become_contacts(desk):
    """Two transfers in a row are one contact; abandoned before the queue is not abandoned in it."""
    staged = read(desk, CXONE, made.cxone_file(), "contacts", more=ZONE)
    columns = (
        "contact_id",
        "offered_at",
        "channel",
        "outcome",
        "agent_id",
        "menu_s",
        "wait_s",
        "talk_s",
        "acw_s",
        "transfers",
    )
    assert rows(staged.tables["contacts"], *columns) == [
        ("101", "2026-11-09 15:00:00+00", "voice", "answered", "7", "30", "20", "200", "15", "0"),
        ("102", "2026-11-09 15:01:00+00", "voice", "answered", "7", "30", "95", "200", "15", "0"),
        ("103", "2026-11-09 15:02:00+00", "voice", "abandoned", None, "30", "40", "0", "0", "0"),
        ("104", "2026-11-09 15:03:00+00", "voice", "left_menu", None, "30", "0", "0", "0", "0"),
        ("105", "2026-11-09 15:04:00+00", "voice", "answered", "7", "30", "20", "310", "25", "2"),
        ("108", "2026-11-09 15:05:00+00", "chat", "answered", "7", "30", "20", "200", "15", "0"),
    ]
    assert of(staged, "contacts") == {"read": 6, "kept": 6, "quarantined": 0, "duplicates": 0, "set_aside": 2}
    dropped = (
        "personal fields of source 'contacts' are dropped at the door: 'ANI_Dialnum', 'Agent_Name', 'Contact_Name'"
    )
    assert dropped in staged.notes


def test_cxone_rows_become_segments_of_the_first_master(desk):
    """A contact that is transferred twice gets a new master; the chain is followed to its beginning."""
    staged = read(desk, CXONE, made.cxone_file(), "segments", more=ZONE)
    found = rows(staged.tables["segments"], "segment_id", "contact_id", "agent_id", "talk_s")
    assert [row for row in found if row[1] == "105"] == [
        ("105", "105", "7", "200"),
        ("106", "105", "8", "50"),
        ("107", "105", "9", "60"),
    ]


def test_the_flag_of_cxone_is_turned_round(desk):
    """0 was handled within the level, 1 was not, -1 does not count; anything else is quarantined."""
    desk.sources.append('[tables.contacts.columns]\nwithin = { type = "text", about = "within the service level" }\n')
    content = made.cxone_file() + made.cxone("109", sla="2") + "\n"
    staged = read(desk, CXONE, content, "contacts", more=ZONE, columns='within = "Within service level"')
    assert dict(rows(staged.tables["contacts"], "contact_id", "within"))["101"] == "yes"
    assert dict(rows(staged.tables["contacts"], "contact_id", "within"))["102"] == "no"
    assert dict(rows(staged.tables["contacts"], "contact_id", "within"))["103"] is None
    assert faults(staged) == [(10, None, "record")]


def test_cxone_needs_a_zone(desk):
    """Local times of an unknown zone cannot be placed in time."""
    with pytest.raises(SettingsError) as refused:
        read(desk, CXONE, made.cxone_file(), "contacts")
    assert str(refused.value) == (
        "ccanalysis.toml:4: source 'contacts' does not say its 'zone': CXone writes local times and not of which zone. "
        'Add zone = "Europe/London", with the zone that the export was made in'
    )


def test_a_cxone_file_that_is_written_day_first_is_refused_whole(desk):
    """One month above 12 shows that all the others were read wrongly without a word."""
    content = "\n".join([made.CXONE_HEADER, made.cxone("1", day="05/11/2026"), made.cxone("2", day="13/11/2026"), ""])
    with pytest.raises(ContractError) as refused:
        read(desk, CXONE, content, "contacts", more=ZONE)
    assert str(refused.value) == (
        "export.txt, row 3: Start_Date has a month above 12, so this file is not written month first as CXone "
        "publishes it. Export it again with US dates, or declare it without vendor and with its own format"
    )


def test_a_cxone_row_that_two_exports_repeat_counts_once(desk):
    """Overlapping days; also for a contact of several rows."""
    staged = read(desk, CXONE, [made.cxone_file(), made.cxone_file()], "contacts", more=ZONE)
    assert of(staged, "contacts") == {"read": 14, "kept": 6, "quarantined": 0, "duplicates": 8, "set_aside": 2}
    assert dict(rows(staged.tables["contacts"], "contact_id", "talk_s"))["105"] == "310"


def test_a_local_time_that_came_twice_is_not_guessed(desk):
    """Clocks in Denver went back on 1 November 2026 at two."""
    content = "\n".join([made.CXONE_HEADER, made.cxone("1", day="11/01/2026", clock="01:30:00"), made.cxone("2"), ""])
    staged = read(desk, CXONE, content, "contacts", more=ZONE)
    assert faults(staged) == [(2, "offered_at", "time_twice")]


# --- Zendesk ----------------------------------------------------------------------------------------------------------

TICKETS, TALK = "zendesk.ticket_metrics", "zendesk.talk_calls"
EMAIL = 'channel = { value = "email" }'


def test_zendesk_minutes_become_seconds(desk):
    """Ninety minutes are 5,400 seconds; a ticket that waits is set aside, one solved without reply flowed out."""
    staged = read(desk, TICKETS, made.tickets_file(), "contacts", columns=EMAIL)
    begins = made.tickets_file().splitlines().index('   "ticket_id": 3,') - 1  # the brace and the record's own id
    columns = ("contact_id", "answered_at", "outcome", "wait_s", "resolved", "transfers", "source_row")
    assert rows(staged.tables["contacts"], *columns) == [
        ("1", "2026-11-09 09:30:00+00", "answered", "5400", "true", "1", "3"),
        ("3", None, "flowed_out", None, "true", "1", str(begins)),
    ]
    assert of(staged, "contacts") == {"read": 2, "kept": 2, "quarantined": 0, "duplicates": 0, "set_aside": 1}


def test_zendesk_business_minutes_are_asked_for_by_one_line(desk):
    """The calendar is the default; the schedule behind business minutes may change."""
    columns = EMAIL + '\nwait_s = { column = "reply_time_in_minutes.business", unit = "min" }'
    staged = read(desk, TICKETS, made.tickets_file(), "contacts", columns=columns)
    assert rows(staged.tables["contacts"], "wait_s") == ["1800", None]


def test_zendesk_tickets_do_not_say_their_channel(desk):
    """The settings must."""
    with pytest.raises(SettingsError) as refused:
        read(desk, TICKETS, made.tickets_file(), "contacts")
    assert "source 'contacts' does not say where 'channel' comes from (medium)" in str(refused.value)


def test_zendesk_tickets_are_read_from_csv_too(desk):
    """Nested fields are columns there, joined by an underscore or a point; the latest version of a ticket holds."""
    header = (
        "ticket_id,created_at,solved_at,updated_at,reopens,replies,assignee_stations,reply_time_in_minutes_calendar"
    )
    old = "1,2026-11-09T08:00:00Z,,2026-11-09T09:00:00Z,0,1,1,12"
    new = "1,2026-11-09T08:00:00Z,2026-11-09T10:00:00Z,2026-11-09T10:00:00Z,0,1,1,12"
    staged = read(desk, TICKETS, "\n".join([header, new, old, ""]), "contacts", columns=EMAIL)
    assert rows(staged.tables["contacts"], "contact_id", "wait_s", "resolved") == [("1", "720", "true")]
    assert of(staged, "contacts")["duplicates"] == 1


def test_zendesk_talk_tells_how_each_call_ended(desk):
    """Abandoned on hold had been answered; abandoned in the menu never queued; with voicemail nobody answered."""
    staged = read(desk, TALK, made.talk_file(), "contacts")
    columns = ("contact_id", "outcome", "direction", "answered_at", "wait_s", "acw_s", "recording_paused")
    answered = "2026-11-09 08:00:40+00"
    assert rows(staged.tables["contacts"], *columns) == [
        ("1", "answered", "inbound", answered, "25", "20", "false"),
        ("2", "abandoned", "inbound", None, "25", "20", "false"),
        ("3", "left_menu", "inbound", None, "25", "20", "false"),
        ("4", "answered", "inbound", answered, "25", "20", "false"),
        ("5", "abandoned", "inbound", None, "25", "20", "false"),
        ("6", "voicemail", "inbound", None, "25", "20", "false"),
        ("7", "answered", "inbound", answered, "25", "20", "true"),
        ("8", "answered", "callback", answered, "25", "20", "false"),
        ("9", "flowed_out", "inbound", None, "25", "20", "false"),
    ]


def test_a_status_of_zendesk_talk_that_is_not_listed_is_quarantined(desk):
    """And a page of the interface is read as well as JSON lines."""
    page = json.dumps({"calls": [made.talk_call(1), made.talk_call(2, "lost_in_space")], "count": 2})
    staged = read(desk, TALK, page, "contacts")
    assert faults(staged) == [(1, "outcome", "code")]
    assert rows(staged.tables["contacts"], "contact_id") == ["1"]


# --- Talkdesk ---------------------------------------------------------------------------------------------------------

TALKDESK = "talkdesk.calls"
DUBLIN = 'zone = "Europe/Dublin"\n'


def test_talkdesk_is_read_on_both_sides_of_its_change(desk):
    """One history of two files: fractions of a day and seconds give the same six seconds."""
    desk.sources.append('[tables.contacts.columns]\nmoved = { type = "text", about = "whether it was transferred" }\n')
    staged = read(
        desk,
        TALKDESK,
        [made.talkdesk_new(), made.talkdesk_old()],
        "contacts",
        more=DUBLIN,
        columns='moved = "is_transfer"',
    )
    columns = ("contact_id", "offered_at", "outcome", "direction", "wait_s", "talk_s", "moved")
    assert rows(staged.tables["contacts"], *columns, order="contact_id") == [
        ("k1", "2026-05-09 07:00:00+00", "answered", "inbound", "6", "280", "true"),
        ("k2", "2026-05-09 08:00:00+00", "abandoned", "inbound", "6", "0", "false"),
        ("k3", "2026-05-12 08:00:00+00", "answered", "inbound", "6", "280", "true"),
        ("k4", "2026-05-12 09:00:00+00", "abandoned", "inbound", "60", "0", "false"),
        ("k5", "2026-05-12 10:00:00+00", "voicemail", "inbound", "30", "0", "false"),
        ("k6", "2026-05-12 11:00:00+00", "void", "outbound", "0", "0", "false"),
    ]
    assert "personal fields of source 'contacts' are dropped at the door: 'user_email'" in staged.notes


def test_a_talkdesk_file_with_both_writings_is_refused(desk):
    """The form of the times decides for the whole file; nothing is told from the size of a number."""
    content = made.talkdesk_old() + made.talkdesk_new().split("\n", 1)[1]
    with pytest.raises(ContractError) as refused:
        read(desk, TALKDESK, content, "contacts", more=DUBLIN)
    assert str(refused.value).startswith("export.txt, row 4: from this row on times are written in the other way")
    assert str(refused.value).endswith("Export the days before and from 11 May 2026 into files of their own")


@settings(max_examples=20, deadline=None)
@given(seconds=st.integers(0, 86_399))
def test_every_second_of_a_day_survives_talkdesks_fractions(seconds):
    """A fraction of a day with nine decimals tells every second apart."""
    from ccanalysis.vendors.talkdesk_calls import OLD, _seconds

    assert _seconds(f"{seconds / 86_400:.9f}", OLD) == str(seconds)


def test_a_number_of_talkdesk_that_does_not_fit_the_form_is_quarantined(desk):
    """A fraction in a file of seconds is not taken for one."""
    content = made.talkdesk_new().replace(",280,6,", ",280,0.000069444446,")
    assert faults(read(desk, TALKDESK, content, "contacts")) == [(2, None, "record")]


# --- Genesys Cloud ----------------------------------------------------------------------------------------------------

GENESYS = "genesys_cloud.conversations"


def test_genesys_conversations_become_contacts(desk):
    """Milliseconds become seconds; a flow-out is neither answered nor abandoned; one that goes on is set aside."""
    staged = read(desk, GENESYS, made.genesys_file(), "contacts", name="conversations.json")
    columns = (
        "contact_id",
        "offered_at",
        "answered_at",
        "outcome",
        "queue",
        "agent_id",
        "team",
        "wait_s",
        "talk_s",
        "hold_s",
        "acw_s",
    )
    offered, answered = "2026-11-09 08:00:10+00", "2026-11-09 08:00:25.4+00"
    assert rows(staged.tables["contacts"], *columns) == [
        ("v-1", offered, answered, "answered", "q-billing", "u-fell", "team-leeds", "15", "150", "9", "21"),
        ("b-1", offered, None, "abandoned", "q-billing", None, None, "61", None, None, None),
        ("s-1", offered, None, "abandoned", "q-billing", None, None, "2", None, None, None),
        ("f-1", offered, None, "flowed_out", "q-billing", None, None, "90", None, None, None),
        ("m-1", "2026-11-09 08:00:00+00", None, "left_menu", None, None, None, None, None, None, None),
    ]
    assert of(staged, "contacts") == {"read": 5, "kept": 5, "quarantined": 0, "duplicates": 0, "set_aside": 1}
    assert b"Rosalind" not in b"".join(path.read_bytes() for path in staged.folder.iterdir())


def test_a_genesys_conversation_has_segments(desk):
    """One per session at a queue and at an agent, all on the line of their conversation."""
    staged = read(desk, GENESYS, made.lines([made.conversation()]), "segments")
    assert rows(staged.tables["segments"], "segment_id", "contact_id", "kind", "wait_s", "talk_s", "source_row") == [
        ("v-1-q", "v-1", "queue", "15", None, "1"),
        ("v-1-a", "v-1", "agent", None, "150", "1"),
    ]


def test_a_genesys_conversation_that_spans_two_extracts_counts_once(desk):
    """First without its end, then whole; the later one holds."""
    whole = made.conversation()
    part = made.conversation(ended=False)
    for participant in part["participants"]:
        for session in participant["sessions"]:
            for one in session.get("metrics", ()):
                one["emitDate"] = "2026-11-09T08:01:00.000Z"
    staged = read(desk, GENESYS, [made.lines([whole]), made.lines([part])], "contacts")
    assert rows(staged.tables["contacts"], "contact_id", "ended_at") == [("v-1", "2026-11-09 08:03:30+00")]
    assert of(staged, "contacts")["duplicates"] == 1
    segments = Desk(desk.root)
    staged = read(segments, GENESYS, [made.lines([whole]), made.lines([part])], "segments")
    assert of(staged, "segments") == {"read": 4, "kept": 2, "quarantined": 0, "duplicates": 2, "set_aside": 0}


def test_rescored_deleted_and_calibrated_evaluations_of_genesys(desk):
    """A rescore takes the old one's place; a deleted or unfinished one leaves none; a calibration is marked."""
    later = "2026-11-12T09:00:00.000Z"
    versions = [
        made.genesys_evaluation("e-1", 90),
        made.genesys_evaluation("e-1", 70, later, rescored=True),
        made.genesys_evaluation("e-2", 50),
        made.genesys_evaluation("e-2", 50, later, deleted=True),
        made.genesys_evaluation("e-3", 88, calibrationId="k-1", oTotalCriticalScore=None),
        made.genesys_evaluation("e-4", 10, evaluationStatus="INPROGRESS"),
    ]
    content = made.lines([made.conversation(f"v-{n}", evaluations=[one]) for n, one in enumerate(versions)])
    staged = read(desk, GENESYS, content, "evaluations")
    assert rows(staged.tables["evaluations"], "evaluation_id", "criterion", "source", "points") == [
        ("e-1", "total score", "call_monitoring", "70.0"),
        ("e-1", "total critical score", "call_monitoring", "100.0"),
        ("e-3", "total score", "calibration", "88.0"),
    ]
    assert of(staged, "evaluations") == {"read": 7, "kept": 3, "quarantined": 0, "duplicates": 4, "set_aside": 4}


def test_a_medium_that_may_be_several_must_be_declared(desk):
    """`message` stands for text messages, web messaging and social media."""
    odd = made.conversation("x-1")
    for participant in odd["participants"]:
        for session in participant["sessions"]:
            session["mediaType"] = "message"
    content = made.lines([odd, made.conversation()])
    assert faults(read(desk, GENESYS, content, "contacts")) == [(1, "channel", "code")]


# --- recognition ------------------------------------------------------------------------------------------------------


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


# --- settings ---------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("method", "channel", "direction", "rule"),
    [
        ("API", "VOICE", "outbound", None),
        ("API", "CHAT", "inbound", None),
        ("OUTBOUND", "VOICE", "outbound", None),
        ("TRANSFER", "VOICE", None, None),  # the chain began before the files did
        ("CARRIER_PIGEON", "VOICE", None, "code"),
    ],
)
def test_who_began_an_amazon_contact(desk, method, channel, direction, rule):
    """A voice call by the interface is outbound, a chat is not; a way that is not listed is quarantined."""
    odd = made.amazon("x-1", InitiationMethod=method, Channel=channel, InitialContactId="x-0")
    staged = read(desk, AMAZON, made.lines([odd, made.amazon()]), "contacts")
    assert faults(staged) == ([(1, "direction", rule)] if rule else [])
    told = dict(rows(staged.tables["contacts"], "contact_id", "direction"))
    assert told == {"c-1": "inbound", **({} if rule else {"x-0": direction})}


def test_an_amazon_contact_that_reached_nobody_and_has_no_reason_is_counted_and_noted(desk):
    """Amazon leaves the reason empty for many contacts; the settings may say what that means at this centre."""
    alone = {"Agent": None, "DisconnectReason": None}
    records = made.lines([made.amazon("n-1", **alone), made.amazon("c-1")])
    staged = read(desk, AMAZON, records, "contacts")
    assert dict(rows(staged.tables["contacts"], "contact_id", "outcome")) == {"n-1": "abandoned", "c-1": "answered"}
    assert (
        "source 'contacts': contacts that reached nobody have no DisconnectReason and count as abandoned; Amazon also "
        "leaves it empty where a flow ended the contact: change 'queue' under codes of outcome if yours do so (1)"
    ) in staged.notes
    columns = 'outcome = { codes = { queue = "flowed_out" } }'
    staged = read(Desk(desk.root), AMAZON, records, "contacts", columns=columns)
    assert dict(rows(staged.tables["contacts"], "contact_id", "outcome"))["n-1"] == "flowed_out"


def test_an_amazon_contact_that_a_flow_sent_elsewhere_flowed_out(desk):
    """From the menu or the queue to another number; the number itself stays outside."""
    away = {"Agent": None, "TransferredToEndpoint": {"Type": "TELEPHONE_NUMBER", "Address": "+441632960777"}}
    staged = read(
        desk, AMAZON, made.lines([made.amazon("x-1", **away), made.amazon("y-1", Queue=None, **away)]), "contacts"
    )
    assert rows(staged.tables["contacts"], "outcome") == ["flowed_out", "flowed_out"]
    assert b"960777" not in b"".join(path.read_bytes() for path in staged.folder.iterdir())


def test_a_source_whose_records_are_all_something_else_has_no_input(desk):
    """Tasks alone are no contacts."""
    with pytest.raises(CcanalysisError) as refused:
        read(desk, AMAZON, made.lines([made.amazon(Channel="TASK")]), "contacts")
    assert str(refused.value) == (
        "export.txt: no record of source 'contacts' is a row of 'contacts'. Export it again, or take the source out "
        "of the settings"
    )


def test_a_field_that_the_mapping_asks_for_is_that_of_the_first_leg_that_has_it(desk):
    """A reason that only the second agent recorded is the contact's."""
    one, other = made.amazon_transfer()
    one["Attributes"], other["Attributes"] = {}, {"reason": "late parcel"}
    staged = read(desk, AMAZON, made.lines([one, other]), "contacts", columns='reason = "Attributes.reason"')
    assert rows(staged.tables["contacts"], "reason") == ["late parcel"]


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


def test_a_copy_of_a_log_adds_nothing(desk):
    """Events that another file repeats word by word are duplicates, for contacts, segments and states alike."""
    columns = 'state = { codes = { "PAUSE Lunch" = "break" } }'
    once = read(desk, QUEUE_LOG, made.queue_log_file(), "agent_states", columns=columns)
    states = rows(once.tables["agent_states"], "agent_id", "state", "actual_s", order="1, 2")
    other = Desk(desk.root)
    twice = read(other, QUEUE_LOG, [made.queue_log_file()] * 2, "contacts", "segments")
    assert of(twice, "contacts")["kept"] == 5
    assert rows(twice.tables["segments"], "segment_id", "talk_s")[0] == ("c.1/1", "120")
    third = Desk(desk.root)
    again = read(third, QUEUE_LOG, [made.queue_log_file()] * 2, "agent_states", columns=columns)
    assert rows(again.tables["agent_states"], "agent_id", "state", "actual_s", order="1, 2") == states


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
    staged = read(desk, CXONE, content, "contacts", more=ZONE)
    first = rows(staged.tables["contacts"], "contact_id", "queue")[0]
    assert first[0] == "4111111111111111"
    assert CARD not in first[1]
    assert "data/export.txt: card numbers were masked 2 times; take them out at the source" in staged.notes


# --- JSON as it comes -------------------------------------------------------------------------------------------------


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


@settings(max_examples=25, deadline=None)
@given(kept=st.sets(st.integers(0, 24)), cut=st.booleans())
def test_whatever_a_log_lost_every_line_is_accounted_for(tmp_path_factory, kept, cut):
    """Lines may be missing anywhere; each that is there is a row, a fault or set aside, for every table."""
    log = made.queue_log_file().splitlines()
    chosen = [line for n, line in enumerate(log) if n in kept]
    desk = Desk(tmp_path_factory.mktemp("log"))
    content = "\n".join([*chosen, *log]) + ("" if cut else "\n")
    staged = read(desk, QUEUE_LOG, content, "contacts", "segments")
    for table in ("contacts", "segments"):
        found = of(staged, table)
        assert found["read"] == found["kept"] + found["quarantined"] + found["duplicates"]
        assert found["read"] + found["set_aside"] == len(chosen) + len(log)

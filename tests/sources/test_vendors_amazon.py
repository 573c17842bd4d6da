"""Amazon Connect: contact records and evaluations to their tables with exact rows, and each of their traps."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccanalysis.errors import ContractError

from . import vendor_exports as made
from .conftest import Desk, faults, rows
from .vendor_reading import (
    AMAZON,
    CONTACTS,
    EVALUATIONS,
    of,
    read,
    utc,
)


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


def test_a_field_that_the_mapping_asks_for_is_that_of_the_first_leg_that_has_it(desk):
    """A reason that only the second agent recorded is the contact's."""
    one, other = made.amazon_transfer()
    one["Attributes"], other["Attributes"] = {}, {"reason": "late parcel"}
    staged = read(desk, AMAZON, made.lines([one, other]), "contacts", columns='reason = "Attributes.reason"')
    assert rows(staged.tables["contacts"], "reason") == ["late parcel"]

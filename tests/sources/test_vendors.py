"""Exports of vendors: each format to its tables with exact rows, and each of its traps."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from . import vendor_exports as made
from .conftest import Desk, faults, rows

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
        ("p-2", "08:40:00", "08:00:30", "answered", "Billing", "imogen.fell", 90, 280, 0),
    ]
    wanted = [
        (c, utc(offered), utc(answered), *rest[:3], *(None if n is None else str(n) for n in rest[3:]))
        for c, offered, answered, *rest in expected
    ]
    assert rows(table, *CONTACTS) == wanted
    assert rows(table, "direction") == ["inbound"] * 6 + ["callback"]
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

"""Asterisk: a queue log to its tables with exact rows, and each of its traps."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from . import vendor_exports as made
from .conftest import Desk, faults, rows
from .vendor_reading import (
    QUEUE_LOG,
    of,
    read,
    utc,
)


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

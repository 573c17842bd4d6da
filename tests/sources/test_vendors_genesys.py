"""Genesys Cloud: conversations and evaluations to their tables with exact rows, and each of their traps."""

from __future__ import annotations

from . import vendor_exports as made
from .conftest import Desk, faults, rows
from .vendor_reading import (
    GENESYS,
    of,
    read,
)


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

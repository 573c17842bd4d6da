"""Zendesk Talk calls: JSON or CSV, seconds, a closed list of how calls ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from ccanalysis.vendors.common import Reading, Record, VendorFormat

FIELDS = (
    "id",
    "created_at",
    "updated_at",
    "agent_id",
    "ticket_id",
    "direction",
    "duration",
    "wait_time",
    "time_to_answer",
    "talk_time",
    "hold_time",
    "wrap_up_time",
    "consultation_time",
    "completion_status",
    "exceeded_queue_wait_time",
    "outside_business_hours",
    "voicemail",
    "callback",
    "overflowed",
    "recording_time",
    "not_recording_time",
    "recording_control_interactions",
    "call_recording_consent",
)
HEADER = (*FIELDS, "left", "way", "answered_at", "recording paused")
CONTACTS = """
contact_id = "id"
offered_at = { column = "created_at", format = "iso" }
answered_at = { column = "answered_at", format = "iso" }
updated_at = { column = "updated_at", format = "iso" }
channel = { value = "voice" }
direction = { column = "way", codes = { inbound = "inbound", outbound = "outbound", callback = "callback" } }
agent_id = "agent_id"
wait_s = { column = "wait_time", unit = "s" }
talk_s = { column = "talk_time", unit = "s" }
hold_s = { column = "hold_time", unit = "s" }
acw_s = { column = "wrap_up_time", unit = "s" }
recording_paused = "recording paused"
[outcome]
column = "left"
[outcome.codes]
completed = "answered"
abandoned_on_hold = "answered"
abandoned_in_queue = "abandoned"
abandoned_in_voicemail = "abandoned"
abandoned_in_ivr = "left_menu"
voicemail = "voicemail"
"completed without agent" = "flowed_out"
"""
YES, NO = (True, "true", "True", "TRUE"), (False, None, "", "false", "False", "FALSE")


def flatten(record: Record, table: str, reading: Reading) -> Iterator[Mapping[str, Any]]:
    """Give a call, with the ending that its status and its voicemail tell together."""
    if not record.get("id") or "completion_status" not in record:
        raise ValueError("not a call of Zendesk Talk")
    values: dict[str, Any] = {name: record.get(name) for name in FIELDS}
    status = values["completion_status"]
    values["left"] = status
    if status == "completed" and _flag(values["voicemail"]):
        values["left"] = "voicemail"
    elif status == "completed" and not values["agent_id"] and not int(values["talk_time"] or 0):
        values["left"] = "completed without agent"
    values["way"] = "callback" if _flag(values["callback"]) else values["direction"]
    answer = values["time_to_answer"]
    if values["left"] in ("completed", "abandoned_on_hold") and answer is not None:
        created = datetime.fromisoformat(str(values["created_at"]))
        values["answered_at"] = (created + timedelta(seconds=float(answer))).isoformat()
    controls, silent = values["recording_control_interactions"], values["not_recording_time"]
    if controls is not None and silent is not None:
        values["recording paused"] = int(controls) > 0 and int(silent) > 0
    yield values


def _flag(value: Any) -> bool:
    if value not in (*YES, *NO):
        raise ValueError("not a flag")
    return value in YES


FORMAT = VendorFormat(
    name="zendesk.talk_calls",
    title="Zendesk Talk calls",
    written="JSON (pages of the incremental export, or JSON lines), or CSV with a header",
    readers=("json", "csv"),
    units="whole seconds",
    clock="UTC, written 2026-11-09T08:00:00Z; the paging of the interface alone counts seconds since 1970",
    key="id",
    delivery="pages overlap, and a call comes again when it changes; the latest updated_at holds",
    published="Zendesk developer documentation, Talk, Incremental Exports",
    traps=(
        "completion_status is a closed list; a status that is not on it goes to quarantine.",
        "A call that was abandoned on hold had been answered; one that was abandoned in the menu never queued.",
        "A completed call with voicemail reached no agent, nor did one without an agent and without talk time.",
        "Recording counts as paused only where a control was used and some time was not recorded.",
    ),
    tables={"contacts": CONTACTS},
    header={"contacts": HEADER},
    marks=("id", "completion_status", "wait_time", "talk_time", "wrap_up_time"),
    flatten=flatten,
    personal=("customer_id", "customer_requested_voicemail", "phone_number", "call_recording_consent_keypress"),
    envelope="calls",
)

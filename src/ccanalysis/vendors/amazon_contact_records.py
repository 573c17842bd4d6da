"""Amazon Connect contact records: JSON, one record per contact and transfer, delivered at least once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ccanalysis.vendors.common import (
    ASIDE,
    REPEAT,
    Asked,
    Leg,
    Reading,
    Record,
    Told,
    VendorFormat,
    at,
    first,
    pick,
    total,
)

FIELDS = (
    "ContactId",
    "InitialContactId",
    "PreviousContactId",
    "NextContactId",
    "Channel",
    "InitiationMethod",
    "InitiationTimestamp",
    "ConnectedToSystemTimestamp",
    "DisconnectTimestamp",
    "LastUpdateTimestamp",
    "TransferCompletedTimestamp",
    "TransferredToEndpoint.Type",
    "DisconnectReason",
    "Queue.Name",
    "Queue.EnqueueTimestamp",
    "Queue.DequeueTimestamp",
    "Queue.Duration",
    "Agent.Username",
    "Agent.RoutingProfile.Name",
    "Agent.ConnectedToAgentTimestamp",
    "Agent.AgentInteractionDuration",
    "Agent.CustomerHoldDuration",
    "Agent.NumberOfHolds",
    "Agent.AfterContactWorkDuration",
)
TOGETHER = (
    "Agent.Id",
    "Contact",
    "Direction",
    "Offered",
    "Answered",
    "Ended",
    "Updated",
    "Left",
    "Wait",
    "Talk",
    "Hold",
    "AfterContactWork",
    "Transfers",
    "Leg.Kind",
    "Menu",
)
DIRECTIONS = {
    "INBOUND": "inbound",
    "WEBRTC_API": "inbound",
    "OUTBOUND": "outbound",
    "EXTERNAL_OUTBOUND": "outbound",
    "AGENT_REPLY": "outbound",
    "CALLBACK": "callback",
    "TRANSFER": None,
    "QUEUE_TRANSFER": None,
    "DISCONNECT": None,
}
CONTACTS = """
contact_id = "Contact"
offered_at = { column = "Offered", format = "iso" }
answered_at = { column = "Answered", format = "iso" }
ended_at = { column = "Ended", format = "iso" }
updated_at = { column = "Updated", format = "iso" }
channel = { column = "Channel", codes = { VOICE = "voice", CHAT = "chat", EMAIL = "email", SMS = "sms" } }
direction = { column = "Direction", codes = { inbound = "inbound", outbound = "outbound", callback = "callback" } }
queue = "Queue.Name"
agent_id = "Agent.Username"
wait_s = { column = "Wait", unit = "s" }
talk_s = { column = "Talk", unit = "s" }
hold_s = { column = "Hold", unit = "s" }
acw_s = { column = "AfterContactWork", unit = "s" }
menu_s = { column = "Menu", unit = "s" }
transfers = "Transfers"
[outcome]
column = "Left"
[outcome.codes]
agent = "answered"
callback = "callback_promised"
menu = "left_menu"
"not reached" = "void"
"transferred out" = "flowed_out"
queue = "abandoned"
"queue: CUSTOMER_DISCONNECT" = "abandoned"
"queue: TELECOM_PROBLEM" = "abandoned"
"queue: OTHER" = "abandoned"
"queue: CONTACT_FLOW_DISCONNECT" = "flowed_out"
"queue: THIRD_PARTY_DISCONNECT" = "flowed_out"
"queue: EXPIRED" = "flowed_out"
"queue: API" = "flowed_out"
"queue: AGENT_DISCONNECT" = "refused"
"queue: IDLE_DISCONNECT" = "abandoned"
"""
SEGMENTS = """
segment_id = "ContactId"
contact_id = "Contact"
started_at = { column = "Offered", format = "iso" }
ended_at = { column = "DisconnectTimestamp", format = "iso" }
kind = { column = "Leg.Kind", codes = { agent = "agent", queue = "queue", menu = "menu" } }
queue = "Queue.Name"
agent_id = "Agent.Username"
wait_s = { column = "Queue.Duration", unit = "s" }
talk_s = { column = "Agent.AgentInteractionDuration", unit = "s" }
hold_s = { column = "Agent.CustomerHoldDuration", unit = "s" }
acw_s = { column = "Agent.AfterContactWorkDuration", unit = "s" }
"""


def flatten(record: Record, table: str, reading: Reading) -> Iterator[Mapping[str, Any]]:
    """Give a record's own fields, and the chain that it belongs to."""
    if not record.get("ContactId") or not record.get("Channel"):
        raise ValueError("not a contact record")
    if record["Channel"] == "TASK" or record.get("InitiationMethod") == "MONITOR":
        return  # no customer is in it
    values = pick(record, FIELDS)
    resource = at(record, "Agent.ARN")
    values["Agent.Id"] = str(resource).rpartition("/")[2] if resource else None
    values["Contact"] = values["InitialContactId"] or values["ContactId"]
    yield values


def merge(legs: Sequence[Leg], asked: Asked) -> Iterable[Told]:
    """Keep the latest delivery of each record, and make one contact of a chain of transfers."""
    latest: dict[str | None, Leg] = {}
    for leg in legs:  # these come in the order of files and lines
        held = latest.get(leg.values["ContactId"])
        if held is None or (leg.values["LastUpdateTimestamp"] or "") >= (held.values["LastUpdateTimestamp"] or ""):
            if held is not None:
                yield Told(held.file, held.row, REPEAT, {})
            latest[leg.values["ContactId"]] = leg
        else:
            yield Told(leg.file, leg.row, REPEAT, {})
    chain = sorted(latest.values(), key=lambda leg: (leg.values["InitiationTimestamp"] or "", leg.file, leg.row))
    starts = [n for n, leg in enumerate(chain) if leg.values["InitiationMethod"] == "CALLBACK"]
    ends = [*starts, len(chain)]
    parts = [chain[begin:end] for begin, end in zip([0, *starts], ends, strict=True) if begin < end]
    for number, part in enumerate(parts):
        promised = number + 1 < len(parts)
        whole = number == 0 and part[0].values["InitiationMethod"] != "CALLBACK"
        contact = part[0].values["Contact"] if whole else part[0].values["ContactId"]
        if asked.table == "segments":
            for leg in part:
                kind = "agent" if _answered(leg) else "queue" if _queued(leg) else "menu"
                own = {"Contact": contact, "Offered": _offered(leg), "Leg.Kind": kind}
                yield Told(leg.file, leg.row, "", {**leg.values, **own})
        else:
            yield from _contact(contact, part, asked, promised=promised)


def _contact(contact: str | None, legs: Sequence[Leg], asked: Asked, *, promised: bool) -> Iterator[Told]:
    start, last = legs[0].values, legs[-1]
    by_agents = [leg.values for leg in legs if _answered(leg)]
    until = next((n for n, leg in enumerate(legs) if _answered(leg)), len(legs) - 1)
    queued = [leg.values for leg in legs if _queued(leg)]
    direction = _direction(start["InitiationMethod"], start["Channel"])
    if by_agents:
        left = "agent"
    elif promised:
        left = "callback"
    elif direction in ("outbound", "callback"):
        left = "not reached"
    elif any(leg.values["TransferredToEndpoint.Type"] for leg in legs):
        left = "transferred out"
    elif queued:
        reason = queued[-1]["DisconnectReason"]
        left = f"queue: {reason}" if reason else "queue"
        if not reason:
            asked.note(
                "contacts that reached nobody have no DisconnectReason and count as abandoned; Amazon also leaves it "
                "empty where a flow ended the contact: change 'queue' under codes of outcome if yours do so"
            )
    else:
        left = "menu"
    told = by_agents[0] if by_agents else queued[-1] if queued else start
    values = {
        **start,
        "Contact": contact,
        "Direction": direction,
        "Offered": first(leg["Queue.EnqueueTimestamp"] for leg in queued) or start["InitiationTimestamp"],
        "Answered": by_agents[0]["Agent.ConnectedToAgentTimestamp"] if by_agents else None,
        "Ended": max((leg.values["DisconnectTimestamp"] or "" for leg in legs), default=None),
        "Updated": max((leg.values["LastUpdateTimestamp"] or "" for leg in legs), default=None),
        "Left": left,
        "Queue.Name": told["Queue.Name"],
        "Agent.Username": told["Agent.Username"],
        "Agent.Id": told["Agent.Id"],
        "Wait": total(leg.values["Queue.Duration"] for leg in legs[: until + 1]),
        "Talk": total(leg["Agent.AgentInteractionDuration"] for leg in by_agents),
        "Hold": total(leg["Agent.CustomerHoldDuration"] for leg in by_agents),
        "AfterContactWork": total(leg["Agent.AfterContactWorkDuration"] for leg in by_agents),
        "Menu": _seconds(
            start["ConnectedToSystemTimestamp"],
            start["Queue.EnqueueTimestamp"] or (start["DisconnectTimestamp"] if left == "menu" else None),
        ),
        "Transfers": str(sum(leg.values["InitiationMethod"] in {"TRANSFER", "QUEUE_TRANSFER"} for leg in legs)),
    }
    for leg in legs[:-1]:
        yield Told(leg.file, leg.row, ASIDE, {})
    yield Told(last.file, last.row, "", values)


def _seconds(earlier: str | None, later: str | None) -> str | None:
    """Return the whole seconds between two times, or None where they do not tell."""
    try:
        apart = datetime.fromisoformat(earlier or "") - datetime.fromisoformat(later or "")
    except (ValueError, TypeError):  # a time that cannot be read is quarantined where the mapping names it
        return None
    return str(round(-apart.total_seconds())) if apart.total_seconds() <= 0 else None


def _direction(method: str | None, channel: str | None) -> str | None:
    """Tell who began a contact; None for a chain whose beginning is in none of the files."""
    if method == "API":  # a voice call by the interface is outbound, a chat is the customer's
        return "outbound" if channel == "VOICE" else "inbound"
    return DIRECTIONS.get(method or "", method)


def _answered(leg: Leg) -> bool:
    return bool(leg.values["Agent.ConnectedToAgentTimestamp"])


def _queued(leg: Leg) -> bool:
    return bool(leg.values["Queue.EnqueueTimestamp"])


def _offered(leg: Leg) -> str | None:
    return leg.values["Queue.EnqueueTimestamp"] or leg.values["InitiationTimestamp"]


FORMAT = VendorFormat(
    name="amazon_connect.contact_records",
    title="Amazon Connect contact records",
    written="JSON lines; records may also stand behind one another without line ends",
    readers=("json",),
    units="whole seconds",
    clock="UTC, written 2026-11-09T08:00:00Z",
    key="ContactId; transfers of one contact share InitialContactId",
    delivery="at least once; a record comes again when it changes, the latest LastUpdateTimestamp holds",
    published="Amazon Connect Administrator Guide, Data model for contact records",
    traps=(
        "A record can come several times; only the latest LastUpdateTimestamp counts.",
        "A transfer makes a new record; a chain by InitialContactId is one contact, each record one segment.",
        "A callback is a contact of its own; the contact that asked for it left its queue by that promise.",
        "DisconnectReason may be empty, also where a flow ended the contact; one that was queued and reached nobody "
        "then counts as abandoned, and a note says how many.",
        "Tasks and supervisors who listen in are set aside: no customer is in them.",
    ),
    tables={"contacts": CONTACTS, "segments": SEGMENTS},
    header={"contacts": FIELDS + TOGETHER, "segments": FIELDS + TOGETHER},
    marks=("ContactId", "Channel", "InitiationMethod", "InitiationTimestamp", "LastUpdateTimestamp"),
    flatten=flatten,
    group={"contacts": "Contact", "segments": "Contact"},
    merge=merge,
    personal=(
        "CustomerEndpoint",
        "SystemEndpoint",
        "TransferredToEndpoint",
        "Attributes",
        "CustomerVoiceActivity",
        "VoiceIdResult",
        "Recording",
        "Recordings",
        "References",
        "ContactDetails",
        "CustomerId",
        "Name",
        "Description",
    ),
)

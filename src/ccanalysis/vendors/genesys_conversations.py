"""Genesys Cloud conversation details: nested JSON, durations in milliseconds, evaluations inside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ccanalysis.vendors.common import ASIDE, REPEAT, Asked, Leg, Reading, Record, Told, VendorFormat

CONTACT_COLUMNS = (
    "conversationId",
    "conversationStart",
    "conversationEnd",
    "originatingDirection",
    "mediaType",
    "way",
    "offered",
    "answered",
    "updated",
    "left",
    "queueId",
    "userId",
    "teamId",
    "tWait",
    "tTalk",
    "tHeld",
    "tAcw",
    "nTransferred",
)
SEGMENT_COLUMNS = (
    "sessionId",
    "conversationId",
    "purpose",
    "started",
    "ended",
    "queueId",
    "userId",
    "teamId",
    "tAcd",
    "tTalk",
    "tHeld",
    "tAcw",
)
EVALUATION_COLUMNS = (
    "evaluationId",
    "conversationId",
    "criterion",
    "evaluatorId",
    "userId",
    "formId",
    "formName",
    "source",
    "eventTime",
    "points",
    "deleted",
)
CONTACTS = """
contact_id = "conversationId"
offered_at = { column = "offered", format = "iso" }
answered_at = { column = "answered", format = "iso" }
ended_at = { column = "conversationEnd", format = "iso" }
updated_at = { column = "updated", format = "iso" }
channel = { column = "mediaType", codes = { voice = "voice", callback = "voice", chat = "chat", email = "email" } }
direction = { column = "way", codes = { inbound = "inbound", outbound = "outbound", callback = "callback" } }
queue = "queueId"
team = "teamId"
agent_id = "userId"
wait_s = { column = "tWait", unit = "ms" }
talk_s = { column = "tTalk", unit = "ms" }
hold_s = { column = "tHeld", unit = "ms" }
acw_s = { column = "tAcw", unit = "ms" }
transfers = "nTransferred"
[outcome]
column = "left"
[outcome.codes]
tAnswered = "answered"
tAbandon = "abandoned"
tShortAbandon = "abandoned"
tFlowOut = "flowed_out"
tVoicemail = "voicemail"
"no queue" = "left_menu"
"not reached" = "void"
"""
SEGMENTS = """
segment_id = "sessionId"
contact_id = "conversationId"
started_at = { column = "started", format = "iso" }
ended_at = { column = "ended", format = "iso" }
kind = { column = "purpose", codes = { acd = "queue", agent = "agent", ivr = "menu" } }
queue = "queueId"
team = "teamId"
agent_id = "userId"
wait_s = { column = "tAcd", unit = "ms" }
talk_s = { column = "tTalk", unit = "ms" }
hold_s = { column = "tHeld", unit = "ms" }
acw_s = { column = "tAcw", unit = "ms" }
"""
EVALUATIONS = """
evaluation_id = "evaluationId"
criterion = "criterion"
contact_id = "conversationId"
evaluated_at = { column = "eventTime", format = "iso" }
source = { column = "source", codes = { standard = "call_monitoring", calibration = "calibration" } }
evaluator_id = "evaluatorId"
agent_id = "userId"
form = "formName"
form_version = "formId"
points = "points"
max_points = { value = 100 }
"""
KINDS = ("acd", "agent", "ivr")
TIMES = ("tTalk", "tHeld", "tAcw")


def flatten(record: Record, table: str, reading: Reading) -> Iterator[Mapping[str, Any]]:
    """Give a conversation, its sessions at menus, queues and agents, or its evaluations."""
    if not record["conversationId"] or not record["conversationStart"]:
        raise ValueError("not a conversation")
    if table == "evaluations":
        yield from _evaluations(record)
    elif table == "segments":
        yield from _sessions(record)
    else:
        yield from _conversation(record)


def _all_sessions(record: Record) -> Iterator[tuple[Record, Record]]:
    for participant in record["participants"]:
        for session in participant.get("sessions") or ():
            yield participant, session


def _metrics(sessions: Iterable[Record]) -> dict[str, list[tuple[str, float]]]:
    found: dict[str, list[tuple[str, float]]] = {}
    for session in sessions:
        for metric in session.get("metrics") or ():
            found.setdefault(metric["name"], []).append((metric.get("emitDate") or "", metric.get("value") or 0))
    return found


def _sum(metrics: Mapping[str, list[tuple[str, float]]], name: str) -> float | None:
    return sum(value for _, value in metrics[name]) if name in metrics else None


def _starts(session: Record, kind: str = "") -> list[str]:
    segments = session.get("segments") or ()
    return [s["segmentStart"] for s in segments if not kind or s.get("segmentType") == kind]


def _queue(session: Record) -> str | None:
    return next((s["queueId"] for s in session.get("segments") or () if s.get("queueId")), None)


def _conversation(record: Record) -> Iterator[Mapping[str, Any]]:
    pairs = list(_all_sessions(record))
    metrics = _metrics(session for _, session in pairs)
    queued = [session for participant, session in pairs if participant.get("purpose") == "acd"]
    agents = [(p, s) for p, s in pairs if p.get("purpose") == "agent" and _starts(s, "interact")]
    direction = record.get("originatingDirection")
    exits = ("tAnswered", "tVoicemail", "tShortAbandon", "tAbandon", "tFlowOut")
    left = next((name for name in exits if name in metrics), "")
    if not left and agents:
        left = "tAnswered"
    if not left and not record.get("conversationEnd"):
        return  # it goes on, and comes again when it has ended
    if not left:
        left = "not reached" if direction == "outbound" else "no queue"
    media = next((s.get("mediaType") for _, s in [*agents, *pairs] if s.get("mediaType")), None)
    wait = "tAbandon" if left == "tShortAbandon" and "tAbandon" in metrics else left
    waits = sorted(metrics.get(wait, []))
    first_agent = min(agents, key=lambda pair: min(_starts(pair[1], "interact")), default=None)
    starts = [start for session in queued for start in _starts(session)]
    yield {
        "conversationId": record["conversationId"],
        "conversationStart": record["conversationStart"],
        "conversationEnd": record.get("conversationEnd"),
        "originatingDirection": direction,
        "mediaType": media,
        "way": "callback" if media == "callback" else direction,
        "offered": min(starts, default=record["conversationStart"]),
        "answered": min(_starts(first_agent[1], "interact")) if first_agent else None,
        "updated": max((date for values in metrics.values() for date, _ in values), default=None)
        or record.get("conversationEnd"),
        "left": left,
        "queueId": next((q for session in queued if (q := _queue(session))), None),
        "userId": first_agent[0].get("userId") if first_agent else None,
        "teamId": first_agent[0].get("teamId") if first_agent else None,
        "tWait": waits[0][1] if waits else None,
        **{name: _sum(metrics, name) for name in TIMES},
        "nTransferred": int(_sum(metrics, "nTransferred") or 0),
    }


def _sessions(record: Record) -> Iterator[Mapping[str, Any]]:
    for participant, session in _all_sessions(record):
        if participant.get("purpose") in KINDS and _starts(session):
            metrics = _metrics([session])
            ends = [s["segmentEnd"] for s in session["segments"] if s.get("segmentEnd")]
            yield {
                "sessionId": session["sessionId"],
                "conversationId": record["conversationId"],
                "purpose": participant["purpose"],
                "started": min(_starts(session)),
                "ended": max(ends, default=None),
                "queueId": _queue(session),
                "userId": participant.get("userId"),
                "teamId": participant.get("teamId"),
                "tAcd": _sum(metrics, "tAcd"),
                **{name: _sum(metrics, name) for name in TIMES},
            }


def _evaluations(record: Record) -> Iterator[Mapping[str, Any]]:
    for one in record.get("evaluations") or ():
        values = {name: one.get(name) for name in EVALUATION_COLUMNS}
        values |= {
            "conversationId": record["conversationId"],
            "source": "calibration" if one.get("calibrationId") else "standard",
            "deleted": "true" if one.get("deleted") or one.get("evaluationStatus") not in (None, "FINISHED") else None,
        }
        for criterion, score in (("total score", "oTotalScore"), ("total critical score", "oTotalCriticalScore")):
            if one.get(score) is not None or criterion == "total score":
                yield {**values, "criterion": criterion, "points": one.get(score)}


def merge(legs: Sequence[Leg], asked: Asked) -> Iterable[Told]:
    """Keep the latest version of an evaluation: a rescored one takes the old one's place, a deleted one leaves none."""
    latest: dict[str | None, Leg] = {}
    for leg in legs:
        held = latest.get(leg.values["criterion"])
        if held is None or (leg.values["eventTime"] or "") >= (held.values["eventTime"] or ""):
            latest[leg.values["criterion"]] = leg
    newest = max((leg.values["eventTime"] or "" for leg in latest.values()), default="")
    gone = any(leg.values["deleted"] and (leg.values["eventTime"] or "") == newest for leg in latest.values())
    for leg in legs:
        if latest[leg.values["criterion"]] is not leg:
            yield Told(leg.file, leg.row, REPEAT, {})
        else:
            yield Told(leg.file, leg.row, ASIDE if gone or leg.values["deleted"] else "", leg.values)


FORMAT = VendorFormat(
    name="genesys_cloud.conversations",
    title="Genesys Cloud conversation details",
    written="JSON: a document with conversations, or JSON lines",
    readers=("json",),
    units="milliseconds in every metric whose name begins with t",
    clock="UTC, written 2026-11-09T08:00:00.000Z",
    key="conversationId; sessions of participants are its segments",
    delivery="a conversation that spans two extracts comes twice, first without its end; the later one holds",
    published="Genesys Cloud developer documentation, Analytics, Conversation detail query; client library for Python",
    traps=(
        "Metrics that begin with t are milliseconds.",
        "A conversation that has not ended and was not answered is set aside until it comes again.",
        "Flow-outs left the queue for another place; they are neither answered nor abandoned.",
        "A rescored evaluation takes the place of the old one; a deleted or unfinished one is set aside.",
        "Evaluations of a calibration are marked as such.",
        "mediaType message stands for several media: declare which, under codes of channel.",
    ),
    tables={"contacts": CONTACTS, "segments": SEGMENTS, "evaluations": EVALUATIONS},
    header={"contacts": CONTACT_COLUMNS, "segments": SEGMENT_COLUMNS, "evaluations": EVALUATION_COLUMNS},
    marks=("conversationId", "conversationStart", "participants"),
    flatten=flatten,
    group={"evaluations": "evaluationId"},
    merge=merge,
    personal=("externalTag", "participants.attributes", "knowledgeBaseIds"),
    envelope="conversations",
)

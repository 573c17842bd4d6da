"""Asterisk queue_log: one line per event, several lines per call, times in seconds but for one in milliseconds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ccanalysis.vendors.common import ASIDE, REPEAT, Asked, Leg, Reading, Record, Told, VendorFormat, total

LINE = ("time", "call", "queue", "agent", "event", "p1", "p2", "p3", "p4", "p5", "p6")
EXITS = ("ABANDON", "EXITWITHTIMEOUT", "EXITWITHKEY", "EXITEMPTY")
ENDS = ("COMPLETEAGENT", "COMPLETECALLER", "TRANSFER", "BLINDTRANSFER", "ATTENDEDTRANSFER", "AGENTDUMP")
TRANSFERS = ("TRANSFER", "BLINDTRANSFER", "ATTENDEDTRANSFER")
CALLS = ("ENTERQUEUE", "CONNECT", "RINGNOANSWER", "RINGCANCELED", "SYSCOMPAT", *EXITS, *ENDS)
LOGINS = ("ADDMEMBER", "AGENTLOGIN", "AGENTCALLBACKLOGIN")
LOGOUTS = ("REMOVEMEMBER", "AGENTLOGOFF", "AGENTCALLBACKLOGOFF")
PAUSES = ("PAUSE", "PAUSEALL")
UNPAUSES = ("UNPAUSE", "UNPAUSEALL")
SYSTEM = ("QUEUESTART", "CONFIGRELOAD", "DID", "INFO", "MEMBERPENALTY", "QUEUESTOP")
CALL_COLUMNS = (
    "call",
    "leg",
    "queue",
    "first queue",
    "agent",
    "entered",
    "connected",
    "ended",
    "left by",
    "wait",
    "talk",
    "transfers",
    "kind",
    "key",
    "rang without answer",
    "ring seconds",
    "legs",
)
STATE_COLUMNS = ("agent", "day", "state", "seconds")
HEADER = {"contacts": CALL_COLUMNS, "segments": CALL_COLUMNS, "agent_states": STATE_COLUMNS}
CONTACTS = """
contact_id = "call"
offered_at = { column = "entered", format = "epoch_s" }
answered_at = { column = "connected", format = "epoch_s" }
ended_at = { column = "ended", format = "epoch_s" }
channel = { value = "voice" }
direction = { value = "inbound" }
queue = "queue"
agent_id = "agent"
wait_s = { column = "wait", unit = "s" }
talk_s = { column = "talk", unit = "s" }
transfers = "transfers"
[outcome]
column = "left by"
[outcome.codes]
CONNECT = "answered"
ABANDON = "abandoned"
EXITWITHTIMEOUT = "flowed_out"
EXITWITHKEY = "flowed_out"
EXITEMPTY = "refused"
"""
SEGMENTS = """
segment_id = "leg"
contact_id = "call"
started_at = { column = "entered", format = "epoch_s" }
ended_at = { column = "ended", format = "epoch_s" }
kind = { column = "kind", codes = { agent = "agent", queue = "queue" } }
queue = "queue"
agent_id = "agent"
wait_s = { column = "wait", unit = "s" }
talk_s = { column = "talk", unit = "s" }
"""
AGENT_STATES = """
agent_id = "agent"
on_date = { column = "day", format = "iso" }
state = { column = "state", codes = { available = "available", contact = "contact", PAUSE = "break" } }
actual_s = { column = "seconds", unit = "s" }
"""


def flatten(record: Record, table: str, reading: Reading) -> Iterator[Mapping[str, Any]]:
    """Keep the events that tell of the table, held together by call or by agent."""
    event = record["event"]
    if table == "agent_states":
        if event in (*LOGINS, *LOGOUTS, *PAUSES, *UNPAUSES, "CONNECT", *ENDS) and record["agent"] not in ("", "NONE"):
            yield {**record, "together": record["agent"]}
    elif event in CALLS and record["call"] not in ("", "NONE"):
        caller = {"p2": None} if event == "ENTERQUEUE" else {}  # the caller's number stays outside
        yield {**record, **caller, "together": record["call"]}


@dataclass
class _Leg:
    """One stay of a call in a queue."""

    start: Leg
    last: Leg
    number: int
    connected: Leg | None = None
    exit: Leg | None = None
    end: Leg | None = None
    wait: str | None = None
    talk: str | None = None
    transferred: int = 0
    rang: list[int] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return self.exit is not None or self.end is not None


def merge(events: Sequence[Leg], asked: Asked) -> Iterable[Told]:
    """Make one contact of the events of a call, one segment of each stay in a queue, or states of an agent's events."""
    events, copies = _once(events)
    yield from copies
    if asked.table == "agent_states":
        yield from _states(events, asked)
        return
    legs: list[_Leg] = []
    loose: list[Leg] = []
    for event in sorted(events, key=lambda one: int(one.values["time"] or 0)):  # stable: lines of one second in order
        name = event.values["event"]
        current = legs[-1] if legs else None
        if name == "ENTERQUEUE":
            legs.append(_Leg(event, event, len(legs) + 1))
        elif current is None or not _takes(current, event):
            loose.append(event)
        else:
            current.last = event
    used: set[tuple[int, int]] = set()
    if asked.table == "segments":
        for leg in legs:
            used.add((leg.last.file, leg.last.row))
            yield Told(leg.last.file, leg.last.row, "" if leg.over or leg.connected else "unended", _segment(leg))
    elif legs:
        last = legs[-1].last
        used.add((last.file, last.row))
        told = any(leg.connected for leg in legs) or legs[-1].over
        yield Told(last.file, last.row, "" if told else "unended", _call(legs))
    elif any(event.values["event"] in (*EXITS, *ENDS) for event in loose):
        last = loose[-1]
        used.add((last.file, last.row))
        yield Told(last.file, last.row, "unbegun", {})
    answered_open = sum(1 for leg in legs if leg.connected and not leg.over)
    if answered_open:
        asked.note("answered calls whose end the log does not tell are kept without talk time")
    for event in events:
        if (event.file, event.row) not in used:
            yield Told(event.file, event.row, ASIDE, {})


def _once(events: Sequence[Leg]) -> tuple[list[Leg], list[Told]]:
    """Part the events from those that another file repeats word by word, as a copy of a log does."""
    first: dict[tuple[str | None, ...], int] = {}
    kept, copies = [], []
    for event in events:
        written = tuple(event.values.values())
        if first.setdefault(written, event.file) == event.file:
            kept.append(event)
        else:
            copies.append(Told(event.file, event.row, REPEAT, {}))
    return kept, copies


def _takes(leg: _Leg, event: Leg) -> bool:
    """Add an event to a leg; False where the leg is over already."""
    values = event.values
    name = values["event"]
    parameters = [values[f"p{n}"] for n in range(1, 7)]
    if name == "CONNECT":
        if leg.over:
            return False
        leg.connected, leg.wait = event, parameters[0]
    elif name == "RINGNOANSWER":
        leg.rang.append(int(parameters[0] or 0))  # milliseconds, unlike every other time of the log
    elif name in EXITS:
        if leg.over:
            return False
        leg.exit = event
        leg.wait = parameters[3] if name == "EXITWITHKEY" else parameters[2]
    elif name in ENDS:
        if leg.connected is None:
            return False
        if name in TRANSFERS:
            given = [one for one in parameters if one is not None]
            leg.transferred += 1
            if leg.talk is None and len(given) >= 4:  # ...|hold|call|original position
                leg.talk = given[-2]
        elif name != "AGENTDUMP" and leg.talk is None:
            leg.talk = parameters[1]
        leg.end = event
    return True


def _segment(leg: _Leg) -> dict[str, Any]:
    ended = leg.end or leg.exit
    start = leg.start.values
    return {
        "call": start["call"],
        "leg": f"{start['call']}/{leg.number}",
        "queue": start["queue"],
        "first queue": start["queue"],
        "agent": leg.connected.values["agent"] if leg.connected else None,
        "entered": start["time"],
        "connected": leg.connected.values["time"] if leg.connected else None,
        "ended": ended.values["time"] if ended else None,
        "left by": "CONNECT" if leg.connected else leg.exit.values["event"] if leg.exit else None,
        "wait": leg.wait,
        "talk": leg.talk,
        "transfers": str(leg.transferred),
        "kind": "agent" if leg.connected else "queue",
        "key": leg.exit.values["p1"] if leg.exit and leg.exit.values["event"] == "EXITWITHKEY" else None,
        "rang without answer": str(len(leg.rang)),
        "ring seconds": f"{sum(leg.rang) / 1000:g}",
        "legs": "1",
    }


def _call(legs: Sequence[_Leg]) -> dict[str, Any]:
    answered = next((n for n, leg in enumerate(legs) if leg.connected), None)
    until = len(legs) - 1 if answered is None else answered
    rang = [time for leg in legs for time in leg.rang]
    return {
        **_segment(legs[until]),
        "first queue": legs[0].start.values["queue"],
        "entered": legs[0].start.values["time"],
        "ended": _segment(legs[-1])["ended"],
        "wait": total(leg.wait for leg in legs[: until + 1]),
        "talk": total(leg.talk for leg in legs),
        "transfers": str(sum(leg.transferred for leg in legs)),
        "rang without answer": str(len(rang)),
        "ring seconds": f"{sum(rang) / 1000:g}",
        "legs": str(len(legs)),
    }


@dataclass
class _Agent:
    """What an agent is doing, as far as the events up to now tell."""

    places: set[str | None] = field(default_factory=set)
    paused: dict[str | None, str] = field(default_factory=dict)
    talking: str | None = None

    @property
    def state(self) -> str:
        """On a contact, else paused for a reason, else free; empty when not logged in."""
        if self.talking:
            return "contact"
        return next(iter(self.paused.values()), "available") if self.places else ""

    def take(self, values: Mapping[str, str | None]) -> None:
        """Follow one event."""
        name, queue = values["event"], values["queue"]
        if name in LOGINS:
            self.places.add(queue)
        elif name in LOGOUTS:
            self.places.discard(queue)
            if not self.places:
                self.paused, self.talking = {}, None
        elif name in PAUSES:
            self.paused[queue] = f"PAUSE {values['p1']}" if values["p1"] else "PAUSE"
        elif name == "UNPAUSEALL":
            self.paused = {}
        elif name == "UNPAUSE":
            self.paused.pop(queue, None)
        elif name == "CONNECT":
            self.talking = values["call"]
        elif self.talking == values["call"]:  # the call ends
            self.talking = None


def _states(events: Sequence[Leg], asked: Asked) -> Iterator[Told]:
    """Add up what an agent did, day by day."""
    seconds: dict[tuple[str, str], int] = defaultdict(int)
    stands: dict[tuple[str, str], Leg] = {}
    agent, since = _Agent(), 0
    for event in sorted(events, key=lambda one: int(one.values["time"] or 0)):
        now, before = int(event.values["time"] or 0), agent.state
        while before and since < now:
            on, until = asked.day_of(since)
            seconds[on.isoformat(), before] += min(until, now) - since
            stands[on.isoformat(), before] = event
            since = min(until, now)
        agent.take(event.values)
        since = now
    if agent.state:
        asked.note("agents who are logged in at the end of the log count up to their last event")
    # Reasons of one state are added up here, for a state has one row a day.
    grouped: dict[tuple[str, str], tuple[str, int, Leg]] = {}
    for (day, state), spent in sorted(seconds.items()):
        told = asked.states.get(state, state)
        named, so_far, _ = grouped.get((day, told), (state, 0, stands[day, state]))
        grouped[day, told] = (named, spent + so_far, stands[day, state])
    for (day, _), (state, spent, event) in grouped.items():
        values = {"agent": event.values["agent"], "day": day, "state": state, "seconds": str(spent)}
        yield Told(event.file, event.row, "", values)
    used = {(event.file, event.row) for _, _, event in grouped.values()}
    yield from (Told(e.file, e.row, ASIDE, {}) for e in events if (e.file, e.row) not in used)


FORMAT = VendorFormat(
    name="asterisk.queue_log",
    title="Asterisk queue_log",
    written="text, one event a line, fields between vertical bars",
    readers=("log",),
    units="seconds; RINGNOANSWER alone in milliseconds",
    clock="seconds since 1970 (UTC)",
    key="the call's unique identifier; several ENTERQUEUE of one call are its segments",
    delivery="written as it happens; rotation and restarts cut calls in two",
    published="Asterisk documentation, Operation, Logging, Queue Logs",
    traps=(
        "RINGNOANSWER gives milliseconds where all other events give seconds.",
        "A restart loses calls: a call that entered a queue and has no end goes to quarantine, and is counted.",
        "A call that enters several queues is one contact; it is answered if any of them answered it.",
        "A timeout that the dial plan does not log leaves no event, so the call has no end here.",
        'Pause reasons are the centre\'s own: list each under codes of state, as "PAUSE Lunch".',
    ),
    tables={"contacts": CONTACTS, "segments": SEGMENTS, "agent_states": AGENT_STATES},
    header=HEADER,
    marks=(),
    flatten=flatten,
    group=dict.fromkeys(HEADER, "together"),
    merge=merge,
    personal=("callerid",),
    line=LINE,
    events=frozenset((*CALLS, *LOGINS, *LOGOUTS, *PAUSES, *UNPAUSES, *SYSTEM)),
)

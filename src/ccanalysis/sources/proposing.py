"""Propose a mapping for an export of no known format: what its names, its values and its own arithmetic say.

A proposal stands only on evidence. A time format must read every sampled value, and no other order of day and month
may; the unit of a duration must agree with the stamps of the same rows. What remains open is left to be filled in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from ccanalysis.contracts import CONTACTS

Row = Mapping[str, str]

# Words of headers -> contract column, the surest first. Compared without case, blanks and punctuation.
_NAMES: dict[str, tuple[str, ...]] = {
    "contact_id": (
        "contactid", "callid", "interactionid", "conversationid", "ticketid", "caseid", "uniqueid", "callref",
        "callreference", "contactref", "reference", "callnumber", "contact", "call", "ticket", "id",
    ),
    "offered_at": (
        "offeredat", "offered", "offeredtime", "queuedat", "queuetimestamp", "arrivedat", "arrived", "arrivaltime",
        "receivedat", "received", "startedat", "starttime", "start", "callstart", "created", "createdat", "calltime",
        "datetime", "timestamp",
    ),
    "answered_at": ("answeredat", "answered", "answertime", "answeredtime", "connectedat", "connected", "pickup"),
    "ended_at": (
        "endedat", "ended", "endtime", "end", "callend", "disconnectedat", "disconnected", "hangup", "closedat",
    ),
    "channel": ("channel", "media", "mediatype", "medium", "contactchannel"),
    "direction": ("direction", "calldirection"),
    "outcome": ("outcome", "result", "callresult", "status", "callstatus", "disposition", "callresulttext"),
    "queue": ("queue", "queuename", "skill", "skillname", "huntgroup", "service", "line"),
    "reason": ("contactreason", "reason", "callreason", "category", "topic", "wrapupcode", "wrapcode"),
    "customer_id": ("customerid", "customer", "customerref", "accountid", "clientid"),
    "site": ("site", "location", "office", "centre", "center"),
    "team": ("team", "teamname", "agentteam", "agentgroup", "group"),
    "agent_id": (
        "agentid", "agentno", "agentlogin", "agent", "userid", "user", "advisorid", "advisor", "operatorid", "operator",
        "extension",
    ),
    "wait_s": (
        "wait", "waittime", "waiting", "waitingtime", "queuetime", "timeinqueue", "queuewait", "queueduration",
        "speedofanswer",
    ),
    "talk_s": ("talk", "talktime", "talkduration", "conversationtime"),
    "hold_s": ("hold", "holdtime", "holdduration"),
    "acw_s": (
        "acw", "wrap", "wraptime", "wrapup", "wrapuptime", "aftercallwork", "aftercallworktime", "aftercontactwork",
        "afterwork",
    ),
    "transfers": ("transfers", "transfercount", "numberoftransfers"),
}  # fmt: skip
_DATES = ("date", "calldate", "day", "contactdate")
# Texts of an outcome whose meaning nobody disputes; any other is left to the centre.
_OUTCOMES = {
    "answered": ("answered", "answer", "handled", "connected", "completed", "complete"),
    "abandoned": ("abandoned", "abandon", "abandonedinqueue", "hungup", "lost"),
    "voicemail": ("voicemail",),
}
_CHANNELS = {
    "voice": ("voice", "phone", "telephone", "call", "telephony"),
    "chat": ("chat", "webchat", "livechat"),
    "email": ("email", "mail"),
    "social": ("social", "socialmedia"),
    "sms": ("sms", "text"),
    "video": ("video",),
    "post": ("post", "letter"),
}
_DIRECTIONS = {"inbound": ("inbound", "in", "incoming"), "outbound": ("outbound", "out", "outgoing")}
_DAYS = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%d/%m/%y", "%m/%d/%y")
_CLOCKS = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d)?( ?[AaPp][Mm])?")
_UNIT_WORDS = {"s": ("s", "sec", "secs", "second", "seconds"), "ms": ("ms", "millis", "milliseconds"),
               "min": ("min", "mins", "minutes")}  # fmt: skip
_SECONDS = {"s": 1.0, "ms": 0.001, "min": 60.0}
AGREE_SHARE, AGREE_S = 0.9, 2.0
MOST_CODES = 20


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What a mapping could be.

    Attributes:
        lines: Contract column -> its line of settings, in the order of the contract.
        open: Contract column -> why its line needs somebody: what was found, without a value of the export.
        unlisted: How many different texts of the outcome no code is proposed for.
        local: Whether times are written without an offset.
    """

    lines: Mapping[str, str]
    open: Mapping[str, str]
    unlisted: int = 0
    local: bool = False


def propose(names: Sequence[str], rows: Sequence[Row], *, channel: str = "") -> Proposal:
    """Propose how an export fills `contacts`.

    Args:
        names: The header.
        rows: Some rows, export column -> text; empty where nothing stands there.
        channel: The medium of every row, where somebody has said so.
    """
    held = {name: [row.get(name, "") for row in rows] for name in names}
    found = _by_name(names)
    lines: dict[str, str] = {}
    still: dict[str, str] = {}
    stamps: dict[str, list[datetime | None]] = {}
    local = False
    for column in ("offered_at", "answered_at", "ended_at"):
        told = _instant(found.get(column), found.get("_date"), held)
        if isinstance(told, _Instant):
            lines[column], stamps[column] = told.line(column), told.read(held)
            local = local or told.local
        elif told:
            still[column] = told
    for column in ("contact_id", "queue", "reason", "customer_id", "site", "team", "agent_id", "transfers"):
        if (name := found.get(column)) is not None:
            lines[column] = f"{column} = {_text(name)}"
    if channel:
        lines["channel"] = f"channel = {{ value = {_text(channel)} }}"
    elif (name := found.get("channel")) is not None:
        lines["channel"] = _coded("channel", name, held[name], _CHANNELS)[0]
    if (name := found.get("direction")) is not None:
        lines["direction"] = _coded("direction", name, held[name], _DIRECTIONS)[0]
    unlisted = 0
    if (name := found.get("outcome")) is not None:
        lines["outcome"], unlisted = _coded("outcome", name, held[name], _OUTCOMES)
    for column, line, why in _durations(found, held, stamps):
        if why:
            still[column] = why
        else:
            lines[column] = line
    ordered = {column.name: lines[column.name] for column in CONTACTS.mapped if column.name in lines}
    return Proposal(lines=ordered, open=still, unlisted=unlisted, local=local)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _by_name(names: Sequence[str]) -> dict[str, str]:
    """Find the export column of each contract column; a unit at the end of a name counts for nothing here."""
    units = "|".join(word for words in _UNIT_WORDS.values() for word in words)
    plain: dict[str, str] = {}
    for name in names:
        bare = re.sub(rf"[\s_(\[]+({units})[)\]]?$", "", name.strip(), flags=re.IGNORECASE)
        plain.setdefault(_plain(name), name)
        plain.setdefault(_plain(bare), name)
    found: dict[str, str] = {}
    for column, words in _NAMES.items():
        for word in words:
            if word in plain and plain[word] not in found.values():
                found[column] = plain[word]
                break
    for word in _DATES:
        if word in plain and plain[word] not in found.values():
            found["_date"] = plain[word]
            break
    return found


# --- times ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Instant:
    """How a stamp is written: its columns and its format."""

    columns: tuple[str, ...]
    format: str
    local: bool

    def line(self, column: str) -> str:
        named = _text(self.columns[0]) if len(self.columns) == 1 else f"[{', '.join(map(_text, self.columns))}]"
        return f"{column} = {{ column = {named}, format = {_text(self.format)} }}"

    def read(self, held: Mapping[str, Sequence[str]]) -> list[datetime | None]:
        """Return the stamps of the rows; None where one is empty."""
        rows = zip(*(held[name] for name in self.columns), strict=True)
        return [_stamp(" ".join(parts), self.format) if all(parts) else None for parts in rows]


def _stamp(value: str, form: str) -> datetime | None:
    try:
        read = datetime.fromisoformat(value) if form == "iso" else datetime.strptime(value, form)  # noqa: DTZ007
    except ValueError:
        return None
    return read.replace(tzinfo=None) if read.tzinfo is None else (read - (read.utcoffset() or timedelta())).replace(
        tzinfo=None
    )  # fmt: skip


def _instant(name: str | None, date: str | None, held: Mapping[str, Sequence[str]]) -> _Instant | str:
    """Find out how a stamp is written, or say why it cannot be known; nothing where there is no such column."""
    if name is None:
        return ""
    values = [value for value in held[name] if value]
    columns: tuple[str, ...] = (name,)
    if values and all(_CLOCK.fullmatch(value) for value in values):
        if date is None:
            return f"{name!r} holds times of day, and no column of the day was found"
        columns = (date, name)
        values = [f"{day} {clock}" for day, clock in zip(held[date], held[name], strict=True) if day and clock]
    if not values:
        return f"{name!r} is empty in the rows that were looked at"
    if len(columns) == 1 and all(_ISO.fullmatch(value) for value in values):
        return _Instant(columns, "iso", any(not re.search(r"(Z|[+-]\d\d:?\d\d)$", value) for value in values))
    reading = [form for form in _formats() if all(_stamp(value, form) for value in values)]
    if not reading:
        return f"{name!r} is written in no way that is known"
    if len(reading) > 1 and len({tuple(_stamp(value, form) for value in values) for form in reading}) > 1:
        return f"{name!r} can be read as {' and as '.join(reading)}; say which"
    return _Instant(columns, reading[0], local=True)


def _formats() -> list[str]:
    return [f"{day} {clock}" for day in _DAYS for clock in _CLOCKS]


# --- codes ------------------------------------------------------------------------------------------------------------


def _coded(column: str, name: str, values: Sequence[str], words: Mapping[str, Sequence[str]]) -> tuple[str, int]:
    """Propose codes for the texts whose meaning is plain; how many are not."""
    seen = sorted({value for value in values if value})
    codes = {
        raw: meant for raw in seen for meant, listed in words.items() if _plain(raw) in listed
    }  # fmt: skip
    listed = ", ".join(f"{_text(raw)} = {_text(meant)}" for raw, meant in codes.items())
    body = f" {listed} " if listed else " "
    return f"{column} = {{ column = {_text(name)}, codes = {{{body}}} }}", len(seen) - len(codes)


# --- durations --------------------------------------------------------------------------------------------------------


def _durations(
    found: Mapping[str, str], held: Mapping[str, Sequence[str]], stamps: Mapping[str, Sequence[datetime | None]]
) -> list[tuple[str, str, str]]:
    """Propose the unit of each duration: column, line, or why it is open."""
    own = {column: found[column] for column in ("wait_s", "talk_s", "hold_s", "acw_s") if column in found}
    units: dict[str, str] = {}
    for column, name in own.items():
        values = [value for value in held[name] if value]
        if values and all(re.fullmatch(r"\d+:\d\d:\d\d", value) for value in values):
            units[column] = "hh:mm:ss"
        elif (told := _unit_in(name)) and _numbers(held[name]) is not None:
            units[column] = told
    proven = _proven(own, held, stamps, units)
    counted = {unit for column, unit in (units | proven).items() if unit != "hh:mm:ss"}
    out = []
    for column, name in own.items():
        unit = units.get(column) or proven.get(column)
        if unit is None and len(counted) == 1 and _numbers(held[name]) is not None:
            [unit] = counted  # an export writes its durations alike
        if unit is None:
            numbers = [value for value in _numbers(held[name]) or [] if value]
            middle = f"its median is {median(numbers):g}" if numbers else "it holds no number"
            out.append((column, "", f"{name!r}: {middle}, and nothing in the export says its unit"))
        else:
            out.append((column, f"{column} = {{ column = {_text(name)}, unit = {_text(unit)} }}", ""))
    return out


def _unit_in(name: str) -> str:
    """Return the unit that a header names at its end."""
    last = re.split(r"[\s_()\[\]]+", name.strip().strip(")]").lower())[-1]
    return next((unit for unit, words in _UNIT_WORDS.items() if last in words and last != name.lower()), "")


def _numbers(values: Sequence[str]) -> list[float | None] | None:
    """Return a column as numbers, None where one is empty; nothing where a text stands there."""
    if not all(re.fullmatch(r"-?\d+(\.\d+)?", value) for value in values if value):
        return None
    return [float(value) if value else None for value in values]


def _proven(
    own: Mapping[str, str],
    held: Mapping[str, Sequence[str]],
    stamps: Mapping[str, Sequence[datetime | None]],
    units: Mapping[str, str],
) -> dict[str, str]:
    """Return the units that the stamps of the same rows prove."""
    proven: dict[str, str] = {}
    spans: tuple[tuple[str, str, str], ...] = (
        ("wait_s", "offered_at", "answered_at"),
        ("talk_s", "answered_at", "ended_at"),
    )
    for column, earlier, later in spans:
        if column not in own or column in units or not {earlier, later} <= set(stamps):
            continue
        numbers = _numbers(held[own[column]])
        if numbers is None:
            continue
        more = _numbers(held[own["hold_s"]]) if column == "talk_s" and "hold_s" in own else None
        pairs = [
            (value + ((more[n] or 0) if more else 0), (until - since).total_seconds())
            for n, (value, since, until) in enumerate(zip(numbers, stamps[earlier], stamps[later], strict=True))
            if value is not None and since is not None and until is not None
        ]
        units_that_agree = [unit for unit, seconds in _SECONDS.items() if _agrees(pairs, seconds)]
        if len(units_that_agree) == 1:
            proven[column] = units_that_agree[0]
    return proven


def _agrees(pairs: Sequence[tuple[float, float]], seconds: float) -> bool:
    """Tell whether values of a unit are the spans beside them, in nearly every row; short spans agree with any unit."""
    told = [pair for pair in pairs if pair[1] > 2 * AGREE_S]
    close = sum(abs(value * seconds - span) <= AGREE_S for value, span in told)
    return bool(told) and close >= AGREE_SHARE * len(told)

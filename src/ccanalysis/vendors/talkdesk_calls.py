"""Talkdesk Calls: CSV or JSON, in one writing before and another after 11 May 2026; a file has one of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ccanalysis.vendors.common import Reading, Record, RefusedError, VendorFormat

DURATIONS = ("total_time", "talk_time", "wait_time", "hold_time", "abandon_time")
FIELDS = ("call_id", "type", "start_at", "end_at", *DURATIONS, "user_id")
DAY_S = 86_400
OLD, NEW = "fractions of a day", "whole seconds"
_OLD_TIME = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d+)?")
_NEW_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z")
_FLAGS = {"TRUE": "true", "Yes": "true", "true": "true", "FALSE": "false", "No": "false", "false": "false"}
CONTACTS = """
contact_id = "call_id"
offered_at = { column = "start_at", format = "iso" }
ended_at = { column = "end_at", format = "iso" }
channel = { value = "voice" }
agent_id = "user_id"
wait_s = { column = "wait_time", unit = "s" }
talk_s = { column = "talk_time", unit = "s" }
hold_s = { column = "hold_time", unit = "s" }
[outcome]
column = "type"
[outcome.codes]
inbound = "answered"
outbound = "answered"
abandoned = "abandoned"
missed = "abandoned"
short_abandoned = "abandoned"
voicemail = "voicemail"
outbound_missed = "void"
[direction]
column = "type"
[direction.codes]
inbound = "inbound"
abandoned = "inbound"
missed = "inbound"
short_abandoned = "inbound"
voicemail = "inbound"
outbound = "outbound"
outbound_missed = "outbound"
"""


def flatten(record: Record, table: str, reading: Reading) -> Iterator[Mapping[str, Any]]:
    """Give a call in seconds; the form of the times of a file, and never the size of a number, says its unit."""
    if not record.get("call_id"):
        raise ValueError("not a call of Talkdesk")
    values: dict[str, Any] = {name: record.get(name) for name in FIELDS}
    for name in ("start_at", "end_at"):
        if values[name]:
            _decide(str(values[name]), reading)
    for name in DURATIONS:
        if values[name] is not None:
            values[name] = _seconds(values[name], reading.form)
    for name, value in record.items():
        if name not in values and str(value) in _FLAGS:
            values[name] = _FLAGS[str(value)]
    yield values


def _decide(written: str, reading: Reading) -> None:
    form = OLD if _OLD_TIME.fullmatch(written) else NEW if _NEW_TIME.fullmatch(written) else ""
    if form and reading.form and form != reading.form:
        raise RefusedError(
            "from this row on times are written in the other way (Talkdesk changed from 2026-05-10 08:00:00 and "
            "fractions of a day to 2026-05-11T08:00:00Z and seconds), so the units of this file cannot be told",
            "Export the days before and from 11 May 2026 into files of their own",
        )
    reading.form = reading.form or form


def _seconds(value: Any, form: str) -> str:
    number = float(value)
    if form == OLD:
        return str(round(number * DAY_S))
    if form == NEW and number == int(number):
        return str(int(number))
    raise ValueError("the unit is not known, or seconds are not whole")


FORMAT = VendorFormat(
    name="talkdesk.calls",
    title="Talkdesk Calls",
    written="CSV with a header, or JSON",
    readers=("csv", "json"),
    units="until 11 May 2026 fractions of a day (0.000069444446 is 6 seconds), from then on whole seconds",
    clock="until 11 May 2026 2026-05-10 08:00:00 without a zone, from then on UTC, written 2026-05-11T08:00:00Z",
    key="call_id",
    delivery="a report of a range of days; overlapping exports repeat calls",
    published="Talkdesk documentation, Calls report",
    traps=(
        "The unit changed on 11 May 2026; each file is read by the form of its times, and no cell by its size.",
        "A file that holds both forms is refused.",
        "Flags were TRUE and No, and are true and false now; both are read.",
        "Times without a zone are read in the zone of the source, else in the centre's.",
        "missed and short_abandoned are abandoned; both words stay visible in type.",
    ),
    tables={"contacts": CONTACTS},
    header={"contacts": FIELDS},
    marks=("call_id", "type", "start_at", "end_at", "total_time", "talk_time", "wait_time"),
    flatten=flatten,
    personal=(
        "user_email",
        "user_name",
        "contact_phone_number",
        "talkdesk_phone_number",
        "notes",
        "user_voice_rating_reason",
    ),
)

"""NICE CXone Call Detail: CSV, US dates without a zone, and a service-level flag that reads the wrong way round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ccanalysis.vendors.common import ASIDE, Asked, Leg, Reading, Record, RefusedError, Told, VendorFormat, total

FIELDS = (
    "Contact_ID",
    "Master_Contact_ID",
    "Media_Name",
    "Skill_No",
    "Skill_Name",
    "Campaign_No",
    "Campaign_Name",
    "Agent_No",
    "Team_No",
    "Team_Name",
    "SLA",
    "Start_Date",
    "Start_Time",
    "PreQueue",
    "InQueue",
    "Agent_Time",
    "PostQueue",
    "ACW_Seconds",
    "Abandon",
    "Abandon_Time",
)
HEADER = (*FIELDS, "Contact", "Left", "Within service level", "Kind", "Transfers")
WITHIN = {"0": "yes", "1": "no", "-1": None}  # the flag says whether the level was missed
CONTACTS = """
contact_id = "Contact"
offered_at = { column = ["Start_Date", "Start_Time"], format = "%m/%d/%Y %H:%M:%S" }
queue = "Skill_Name"
team = "Team_Name"
agent_id = "Agent_No"
wait_s = { column = "InQueue", unit = "s" }
talk_s = { column = "Agent_Time", unit = "s" }
acw_s = { column = "ACW_Seconds", unit = "s" }
menu_s = { column = "PreQueue", unit = "s" }
transfers = "Transfers"
[channel]
column = "Media_Name"
codes = { Call = "voice", "Phone Call" = "voice", Chat = "chat", Email = "email", "E-Mail" = "email" }
[outcome]
column = "Left"
[outcome.codes]
agent = "answered"
"abandoned in queue" = "abandoned"
"abandoned before queue" = "left_menu"
"ended without agent" = "flowed_out"
"""
SEGMENTS = """
segment_id = "Contact_ID"
contact_id = "Contact"
started_at = { column = ["Start_Date", "Start_Time"], format = "%m/%d/%Y %H:%M:%S" }
kind = { column = "Kind", codes = { agent = "agent", queue = "queue", menu = "menu" } }
queue = "Skill_Name"
team = "Team_Name"
agent_id = "Agent_No"
wait_s = { column = "InQueue", unit = "s" }
talk_s = { column = "Agent_Time", unit = "s" }
acw_s = { column = "ACW_Seconds", unit = "s" }
"""


def flatten(record: Record, table: str, reading: Reading) -> Iterator[Mapping[str, Any]]:
    """Give the row with its flag turned round; a file whose dates are not in US order is refused."""
    values = {name: record.get(name) for name in FIELDS}
    month = str(values["Start_Date"] or "").partition("/")[0]
    if month.isdigit() and len(month) <= 2 and int(month) > 12:
        raise RefusedError(
            "Start_Date has a month above 12, so this file is not written month first as CXone publishes it",
            "Export it again with US dates, or declare it without vendor and with its own format",
        )
    abandoned, agent = values["Abandon"], values["Agent_No"] not in (None, "0")
    if abandoned not in ("Y", "N") or values["SLA"] not in WITHIN:
        raise ValueError("a flag that CXone does not publish")
    in_queue = int(values["InQueue"] or 0) > 0
    values["Within service level"] = WITHIN[values["SLA"]]
    values["Agent_No"] = values["Agent_No"] if agent else None
    values["Left"] = (
        ("abandoned in queue" if in_queue else "abandoned before queue")
        if abandoned == "Y"
        else "agent"
        if agent
        else "ended without agent"
    )
    values["Kind"] = "agent" if values["Left"] == "agent" else "queue" if in_queue else "menu"
    yield values


def merge(legs: Sequence[Leg], asked: Asked) -> Iterable[Told]:
    """Make one contact of a master contact and what was transferred from it."""
    ordered = sorted(legs, key=_start)
    ids = {leg.values["Contact_ID"] for leg in ordered}
    start = next(
        (leg for leg in ordered if leg.values["Master_Contact_ID"] not in ids - {leg.values["Contact_ID"]}), ordered[0]
    )
    contact = start.values["Master_Contact_ID"] or start.values["Contact_ID"]
    if asked.table == "segments":
        yield from (Told(leg.file, leg.row, "", {**leg.values, "Contact": contact}) for leg in ordered)
        return
    kept: dict[str | None, Leg] = {}
    for leg in ordered:
        kept[leg.values["Contact_ID"]] = leg  # a row that an overlapping export repeats counts once
    chain = list(kept.values())
    answered = next((n for n, leg in enumerate(chain) if leg.values["Left"] == "agent"), None)
    until = len(chain) - 1 if answered is None else answered
    last = chain[-1]
    values = {
        **chain[until].values,
        "Contact": contact,
        "Start_Date": chain[0].values["Start_Date"],
        "Start_Time": chain[0].values["Start_Time"],
        "PreQueue": chain[0].values["PreQueue"],
        "InQueue": total(leg.values["InQueue"] for leg in chain[: until + 1]),
        "Agent_Time": total(leg.values["Agent_Time"] for leg in chain),
        "ACW_Seconds": total(leg.values["ACW_Seconds"] for leg in chain),
        "Transfers": str(len(chain) - 1),
    }
    held = {(leg.file, leg.row) for leg in chain}
    for leg in ordered:
        if (leg.file, leg.row) not in held:
            yield Told(leg.file, leg.row, "repeat", {})
        elif leg is not last:
            yield Told(leg.file, leg.row, ASIDE, {})
    yield Told(last.file, last.row, "", values)


def _start(leg: Leg) -> tuple[str, int, int]:
    written = f"{leg.values['Start_Date']} {leg.values['Start_Time']}"
    try:
        moment = datetime.strptime(written, "%m/%d/%Y %H:%M:%S").isoformat()  # noqa: DTZ007  only for their order
    except ValueError:
        moment = ""
    return moment, leg.file, leg.row


FORMAT = VendorFormat(
    name="nice_cxone.call_detail",
    title="NICE CXone Call Detail",
    written="CSV with a header",
    readers=("csv",),
    units="whole seconds",
    clock="local time without a zone, month first: 11/09/2026 08:00:00",
    key="Contact_ID; a transferred contact points to the one that created it with Master_Contact_ID",
    delivery="a report of a range of days; a contact may stand in two overlapping exports",
    published="NICE CXone help, Data Download reports, Call Detail",
    traps=(
        "SLA reads the wrong way round: 0 was handled within the level, 1 was not, -1 does not count.",
        "Dates are written month first; a file with a month above 12 is refused whole.",
        "Times carry no zone, so the source must declare the one that the report was run in.",
        "A contact that is transferred twice gets a new master; chains are followed to their beginning.",
    ),
    tables={"contacts": CONTACTS, "segments": SEGMENTS},
    header={"contacts": HEADER, "segments": HEADER},
    marks=("Contact_ID", "Master_Contact_ID", "Media_Name", "SLA", "Start_Date", "Start_Time", "InQueue", "Abandon"),
    flatten=flatten,
    group={"contacts": "Contact_ID", "segments": "Contact_ID"},
    parent="Master_Contact_ID",
    merge=merge,
    personal=("Contact_Name", "ANI_Dialnum", "Agent_Name"),
    ask={"zone": "CXone writes local times and not of which zone"},
)

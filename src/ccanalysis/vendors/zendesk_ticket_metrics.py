"""Zendesk ticket metrics: JSON or CSV, durations in minutes, each by the calendar and by business hours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from ccanalysis.vendors.common import Reading, Record, VendorFormat, at

TIMES = (
    "created_at",
    "assigned_at",
    "initially_assigned_at",
    "solved_at",
    "updated_at",
    "status_updated_at",
    "assignee_updated_at",
    "requester_updated_at",
    "latest_comment_added_at",
)
COUNTS = ("reopens", "replies", "assignee_stations", "group_stations")
MINUTES = (
    "reply_time_in_minutes",
    "first_resolution_time_in_minutes",
    "full_resolution_time_in_minutes",
    "agent_wait_time_in_minutes",
    "requester_wait_time_in_minutes",
    "on_hold_time_in_minutes",
)
HEADER = (
    "ticket_id",
    *TIMES,
    *COUNTS,
    *(f"{name}.{kind}" for name in MINUTES for kind in ("calendar", "business")),
    "first_replied_at",
    "left",
    "solved",
    "passed on",
)
CONTACTS = """
contact_id = "ticket_id"
offered_at = { column = "created_at", format = "iso" }
answered_at = { column = "first_replied_at", format = "iso" }
ended_at = { column = "solved_at", format = "iso" }
updated_at = { column = "updated_at", format = "iso" }
outcome = { column = "left", codes = { replied = "answered", "solved without reply" = "flowed_out" } }
wait_s = { column = "reply_time_in_minutes.calendar", unit = "min" }
transfers = "passed on"
resolved = "solved"
"""


def flatten(record: Record, table: str, reading: Reading) -> Iterator[Mapping[str, Any]]:
    """Give a ticket that was replied to or solved; one that still waits has not left the queue."""
    if not record.get("ticket_id") or not record.get("created_at"):
        raise ValueError("not a ticket metric")
    values: dict[str, Any] = {name: record.get(name) for name in ("ticket_id", *TIMES, *COUNTS)}
    for name in MINUTES:
        for kind in ("calendar", "business"):
            values[f"{name}.{kind}"] = _minutes(record, name, kind)
    waited = values["reply_time_in_minutes.calendar"]
    if waited is not None:
        created = datetime.fromisoformat(str(values["created_at"]))
        values["first_replied_at"] = (created + timedelta(minutes=float(waited))).isoformat()
    elif not values["solved_at"]:
        return
    values["left"] = "replied" if waited is not None else "solved without reply"
    values["solved"] = bool(values["solved_at"])
    stations = values["assignee_stations"]
    values["passed on"] = max(int(stations) - 1, 0) if stations is not None else None
    yield values


def _minutes(record: Record, name: str, kind: str) -> Any:
    """Return a duration, whichever way the nested field was written: as an object, or as columns of a CSV file."""
    for written in (f"{name}.{kind}", f"{name}_{kind}", f"{name}__{kind}"):
        if written in record:
            return record[written]
    return at(record, f"{name}.{kind}")


FORMAT = VendorFormat(
    name="zendesk.ticket_metrics",
    title="Zendesk ticket metrics",
    written="JSON (pages of the interface, or JSON lines), or CSV with a header",
    readers=("json", "csv"),
    units="minutes, each duration twice: calendar and business",
    clock="UTC, written 2026-11-09T08:00:00Z",
    key="ticket_id",
    delivery="a ticket changes until it is closed and may be reopened; the latest updated_at holds",
    published="Zendesk developer documentation, Ticket Metrics",
    traps=(
        "Durations are minutes; wait_s is 60 times the calendar minutes to the first reply.",
        "Business minutes follow a schedule that may change; the mapping takes calendar minutes unless told otherwise.",
        "Tickets without reply and not solved still wait; they are set aside and counted.",
        "A ticket may be solved without any reply (merged, or spam); it is neither answered nor abandoned.",
        "The record does not say by which medium the ticket came: the source must say the channel.",
    ),
    tables={"contacts": CONTACTS},
    header={"contacts": HEADER},
    marks=("ticket_id", "created_at", "solved_at", "reopens", "replies", "assignee_stations"),
    flatten=flatten,
    envelope="ticket_metrics",
)

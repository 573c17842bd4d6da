"""Small random centres: rows of every contract table that a measure reads, with gaps everywhere a gap can be."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ccanalysis import contracts
from ccanalysis.contracts import TABLES
from ccanalysis.kpis.calendars import Calendar

from .conftest import write_table

Rows = dict[str, list[dict[str, Any]]]
LONDON = ZoneInfo("Europe/London")
HOURS = dict.fromkeys(("sat", "sun", "holiday"))
# Five weeks about a new year, a change of clocks in spring, and one in autumn.
BEGINNINGS = (date(2024, 12, 16), date(2026, 3, 16), date(2026, 10, 12))
DAYS = 35

# What a column may hold, where its type does not say it all. Texts are awkward on purpose.
VALUES: dict[str, Sequence[Any]] = {
    "site": ("Leeds", "Zürich"),
    "team": ("Aire", "Taff", "NA", "unassigned"),
    "agent_id": ("007", "8", "a'b", "A\\n", "ä", "Z"),
    "decided_by": ("007", "8", "ä"),
    "line_manager": ("Ann", "ann", "Bo"),
    "queue": ("Billing", "account"),
    "reason": ("Bill", "Fault"),
    "criterion": ("Complaint logged", "Tone", "It's clear"),
    "evaluator_id": ("E1", "E2", "E3"),
    "form": ("F", "G"),
    "role": ("agent", "lead"),
    "decision": ("refund", "goodwill"),
    "kind": ("refund", "goodwill"),
    "root_cause": ("bill run", "app"),
    "requirement_id": ("R1", "R2"),
    "points": (0.0, 0.5, 1.0, 2.0, 1.55),
    "max_points": (2.0, 4.0),
    "weight": (10.0, 12.5, 33.33, 0.07),
    "amount": (10.0, 19.99, 25.01, 50.0, 120.1),
    "limit": (20.0, 50.0, 45.0),
    "redress": (0.0, 10.0),
    "csat": (1.0, 2.0, 3.0, 4.0, 5.0),
    "nps": tuple(float(n) for n in range(11)),
    "effort": (1.0, 2.0, 3.0, 3.33, 5.0),
    "asa_s": (0.0, 12.5, 7.77),
    "wait_s": (0, 3, 5, 20, 21, 90),
    "menu_s": (5, 30),
    "hold_s": (0, 0, 30, 60),
    "transfers": (0, 0, 1, 2),
    "reopens": (0, 0, 1),
    "n_statements_required": (0, 1, 3),
    "n_statements_made": (0, 1, 3, 4),
    "starts_hour": (9, 10, 23),
}
SIZES = {
    "contacts": 220,
    "segments": 60,
    "intervals": 60,
    "evaluations": 160,
    "surveys": 80,
    "complaints": 60,
    "breaches": 50,
    "escalations": 60,
    "agent_states": 90,
    "reports": 20,
    "actions": 12,
}


def world(seed: int) -> Rows:
    """Return rows of every table that a measure of the catalogue reads."""
    draw = random.Random(seed)
    begin = draw.choice(BEGINNINGS)
    made = {name: [_row(draw, name, number, begin) for number in range(size)] for name, size in SIZES.items()}
    made["agents"] = [
        {
            "agent_id": one,
            "team": "Aire",
            "role": draw.choice(("agent", "lead", None)),
            "valid_from": begin + _days(from_),
        }
        | {"valid_to": None if last else begin + _days(19)}
        for one in VALUES["agent_id"]
        for from_, last in ((-9, False), (20, True))
    ]
    made["delegations"] = [
        {"role": role, "kind": kind, "limit": draw.choice(VALUES["limit"]), "valid_from": begin + _days(from_)}
        | {"valid_to": None if last else begin + _days(9)}
        for role in VALUES["role"]
        for kind in VALUES["kind"]
        for from_, last in ((-9, False), (10, True))
    ]
    for table, rows in made.items():
        for number, row in enumerate(rows):
            row |= {"source_file": f"{table}.csv", "source_row": number + 2}
    return made


def _days(number: int) -> timedelta:
    return timedelta(days=number)


def _row(draw: random.Random, name: str, number: int, begin: date) -> dict[str, Any]:
    """Return one row; required columns have a value, all others may lack it."""
    table = TABLES[name]
    local = datetime.combine(begin + _days(draw.randrange(DAYS)), datetime.min.time(), LONDON)
    moment = (local + timedelta(seconds=draw.choice((0, 9 * 3600, 86_399, *range(0, 86_400, 3607))))).astimezone(UTC)
    row: dict[str, Any] = {}
    for column in table.columns:
        if column.name in ("local_date", "local_hour", "source_file", "source_row", "ingest"):
            continue
        if column.required or column.name in ("channel", "valid_from") or draw.random() > 0.2:
            row[column.name] = _value(draw, column, moment, number)
    row |= {key: f"{name[0]}{number:04}" for key in table.key[:1] if key.endswith("_id") and key not in VALUES}
    if name == "contacts":
        row |= {"outcome": draw.choice(["answered"] * 5 + ["abandoned", "abandoned", "callback_promised", "void"])}
        row["customer_id"] = draw.choice([None, *(f"k{n}" for n in range(20))])
    if name in ("evaluations", "escalations"):
        row["contact_id"] = draw.choice([None, *(f"c{n:04}" for n in range(12))])
    if name == "evaluations":
        row |= {"evaluation_id": f"e{number // 3}", "criterion": VALUES["criterion"][number % 3]}
        row["source"] = draw.choice(["call_monitoring"] * 3 + ["calibration"] * 3 + ["self"])
        row["withdrawn"] = draw.choice([None, False, False, True])
    if table.instant:
        wall = moment.astimezone(LONDON)
        row |= {table.instant: moment, "local_date": wall.date(), "local_hour": wall.hour}
    if name == "reports":
        row["due_on"] = local.date()
    return row


def _value(draw: random.Random, column: contracts.Column, moment: datetime, number: int) -> Any:
    """Draw a value; times come some days and halves of a second after the row's own."""
    if column.values:
        return draw.choice(column.values)
    if column.name in VALUES:
        return draw.choice(VALUES[column.name])
    if column.type == "boolean":
        return draw.random() < 0.6
    later = timedelta(days=draw.choice((0, 0, 1, 3, 9, 40)), seconds=draw.randrange(0, 40_000))
    if column.type == "instant":
        return moment + later + draw.choice((timedelta(0), timedelta(microseconds=500_000), timedelta(microseconds=1)))
    if column.type == "date":
        return (moment + later).date()
    if column.type == "text":
        return f"{column.name}{draw.randrange(5)}"
    return draw.randrange(600) if column.type == "integer" else float(draw.randrange(100))


def files(folder: Path, rows: Rows) -> dict[str, Path]:
    """Write a world as Parquet files."""
    return {name: write_table(folder / f"{name}.parquet", TABLES[name], listed) for name, listed in rows.items()}


def calendar() -> Calendar:
    """Weekdays from 8 to 18, in England."""
    from datetime import time

    week = {day: (time(8), time(18)) for day in ("mon", "tue", "wed", "thu", "fri")} | HOURS
    opening = dict.fromkeys(("voice", "chat", "email"), week)
    return Calendar(zone="Europe/London", nation="GB-ENG", opening=opening)  # type: ignore[arg-type]

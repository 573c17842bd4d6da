"""The files that the vendors of the invented centre would deliver, with their habits and their flaws.

Every export is built as rows of text first; flaws are planted there, so that the answer sheet knows each of
them by file and row. Rows are counted as the reader counts them: lines of a text, rows of a sheet, records of a
Parquet file, from 1.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ccanalysis.samples import centre, records
from ccanalysis.samples.centre import CHANNELS, REASONS, TEAMS, Plan
from ccanalysis.samples.simulate import DAY_S, EPOCH, World, bank_holidays, late_opening, utc_offset_s

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
# What is wrong with a planted row: an unreadable or non-existent time, an unreadable number, a text that no code lists,
# a value below its least, a missing identifier. The words are those of the reader's own rules.
Rule = Literal["time", "time_skipped", "number", "whole", "duration", "code", "cases", "low", "high", "required"]


@dataclass
class Row:
    """One row of an export: its cells, and what is wrong with it, if anything is."""

    cells: list[Any]
    flaw: str = ""  # a Rule, `duplicate` or `superseded`
    column: str = ""


@dataclass(frozen=True)
class Flaw:
    """A bad row to plant: a real row again, with a new identifier and one spoilt cell."""

    rule: Rule
    column: str  # of the export
    value: Any
    count: int = 1
    blank: str = ""  # a column to empty besides, so that the row has one fault only


@dataclass
class Export:
    """All files of one source.

    Attributes:
        source: As named in `ccanalysis.toml`.
        table: The contract table that it fills.
        header: The vendor's column names.
        files: Path below the sample folder -> rows.
        totals: How many rows are not records, such as a total line.
        first_row: The number of the first record: 2 below a header, 1 where there is none, more below title lines.
        write: Turns header and rows into the bytes of a file.
    """

    source: str
    table: str
    header: list[str]
    write: Callable[[list[str], list[list[Any]]], bytes]
    files: dict[str, list[Row]] = field(default_factory=dict)
    totals: int = 0
    first_row: int = 2

    def plant(self, plan: Plan, flaws: Iterable[Flaw], *, key: str | None, fresh: Callable[[int], str] = str) -> None:
        """Plant bad rows at random places; `key` is the column that gets a fresh identifier."""
        rng = plan.stream("flaws", self.source)
        names = sorted(self.files)
        number = 0
        for flaw in flaws:
            for _ in range(flaw.count):
                name = names[int(rng.integers(0, len(names)))]
                rows = self.files[name]
                clean = [row for row in rows if not row.flaw]
                cells = list(clean[int(rng.integers(0, len(clean)))].cells)
                number += 1
                if key is not None:
                    cells[self.header.index(key)] = fresh(number)
                if flaw.blank:
                    cells[self.header.index(flaw.blank)] = ""
                cells[self.header.index(flaw.column)] = flaw.value
                rows.insert(int(rng.integers(1, len(rows) + 1)), Row(cells, flaw.rule, flaw.column))

    def counts(self) -> dict[str, int]:
        """Count the rows by flaw; clean ones under the empty name."""
        found: dict[str, int] = {}
        for rows in self.files.values():
            for row in rows:
                found[row.flaw] = found.get(row.flaw, 0) + 1
        return found


# Writers.
def delimited(
    delimiter: str = ",", *, encoding: str = "utf-8", newline: str = "\n", quote_header: bool = False
) -> Callable[[list[str], list[list[Any]]], bytes]:
    """Return a writer of delimited text."""

    def write(header: list[str], rows: list[list[Any]]) -> bytes:
        text = io.StringIO()
        if quote_header:
            csv.writer(text, delimiter=delimiter, lineterminator=newline, quoting=csv.QUOTE_ALL).writerow(header)
        writer = csv.writer(text, delimiter=delimiter, lineterminator=newline)
        if not quote_header:
            writer.writerow(header)
        writer.writerows(rows)
        return text.getvalue().encode(encoding)

    return write


def workbook(
    sheet: str,
    *,
    titles: Sequence[str] = (),
    notes: str = "",
    total: Callable[[list[list[Any]]], list[Any]] | None = None,
) -> Callable[[list[str], list[list[Any]]], bytes]:
    """Return a writer of an Excel workbook whose bytes depend on its content alone."""

    def write(header: list[str], rows: list[list[Any]]) -> bytes:
        from openpyxl import Workbook  # noqa: PLC0415  slow, and only workbooks need it

        book = Workbook(write_only=True)
        book.properties.creator = centre.NAME
        if notes:
            book.create_sheet("Notes").append([notes])
        page = book.create_sheet(sheet)
        for title in titles:
            page.append([title])
        page.append(header)
        for row in rows:
            page.append([None if cell == "" else cell for cell in row])
        if total is not None:
            page.append(total(rows))
        made = io.BytesIO()
        book.save(made)
        return _timeless(made.getvalue())

    return write


def _timeless(content: bytes) -> bytes:
    """Take the times of writing out of a workbook."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2026-01-01T00:00:00Z", data)
            new.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


def parquet(header: list[str], rows: list[list[Any]]) -> bytes:
    """Write typed columns to Parquet."""
    import pyarrow as pa  # noqa: PLC0415  slow, and only this writer needs it
    import pyarrow.parquet as pq  # noqa: PLC0415

    columns = [list(values) for values in zip(*rows, strict=True)]
    types = [pa.string(), pa.date32(), pa.string(), pa.int32(), pa.int32(), pa.int32()]
    arrays = [pa.array(values, type=kind) for values, kind in zip(columns, types, strict=True)]
    out = io.BytesIO()
    pq.write_table(pa.table(dict(zip(header, arrays, strict=True))), out, compression="zstd")
    return out.getvalue()


# Times as vendors write them.
def stamp(local_s: Iterable[int], pattern: str) -> list[str]:
    """Write local wall-clock seconds with a numeric pattern; negative seconds are no time."""
    values = np.asarray(list(local_s), dtype=np.int64)
    text = pd.Series(pd.to_datetime(values, unit="s")).dt.strftime(pattern)
    return ["" if value < 0 else written for value, written in zip(values.tolist(), text, strict=True)]


def british(local_s: Iterable[int]) -> list[str]:
    """Write local times as `18 May 2026 10:12`, whatever the locale."""
    texts = []
    for value in local_s:
        at = datetime(1970, 1, 1) + timedelta(seconds=int(value))  # noqa: DTZ001  wall clock
        texts.append("" if value < 0 else f"{at.day:02d} {MONTHS[at.month - 1]} {at.year} {at:%H:%M}")
    return texts


def _instants(local_s: Iterable[int]) -> list[datetime | str]:
    start = datetime(1970, 1, 1)  # noqa: DTZ001  wall clock
    return ["" if value < 0 else start + timedelta(seconds=int(value)) for value in local_s]


def utc(local_s: Iterable[int]) -> list[int]:
    """Turn local wall-clock seconds outside doubled hours into UTC seconds; negative stays negative."""
    offsets: dict[int, int] = {}
    out = []
    for value in local_s:
        day = int(value) // DAY_S
        if day not in offsets:
            offsets[day] = utc_offset_s(EPOCH + timedelta(days=day))
        out.append(int(value) - offsets[day] if value >= 0 else -1)
    return out


def clock(seconds: int) -> str:
    """Write a duration as `0:05:12` would be written by a switch: `00:05:12`."""
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"


def comma(value: float, places: int) -> str:
    """Write a number with a decimal comma and dots for thousands."""
    return f"{value:,.{places}f}".translate(str.maketrans(",.", ".,"))


def _week_label(plan: Plan, week: int) -> str:
    return plan.weeks[week].label


def _codes(frame: pd.DataFrame, column: str, codes: Sequence[str]) -> list[str]:
    return np.array(codes, dtype=object)[frame[column].to_numpy()].tolist()


def _flag(values: pd.Series, answered: list[bool], yes: str, no: str) -> list[str]:
    return ["" if not here else (yes if value else no) for value, here in zip(values, answered, strict=True)]


def _three(first: pd.Series, second: pd.Series, letters: str) -> list[str]:
    """Write two flags as one letter: both, only the first, neither."""
    return [letters[0] if b else (letters[1] if a else letters[2]) for a, b in zip(first, second, strict=True)]


def _only(values: Iterable[Any], answered: list[bool]) -> list[str]:
    return [str(value) if here else "" for value, here in zip(values, answered, strict=True)]


def _by_file(rows: Iterable[list[Any]], names: Iterable[str]) -> dict[str, list[Row]]:
    files: dict[str, list[Row]] = {}
    for cells, name in zip(rows, names, strict=True):
        files.setdefault(name, []).append(Row(list(cells)))
    return files


# Contacts.
LEEDS_HEADER = [
    "N° appel",
    "Début",
    "File",
    "Équipe",
    "Résultat",
    "Agent",
    "Client",
    "Motif",
    "Attente",
    "Com.",
    "Garde",
    "Post-appel",
    "Transferts",
    "Escalade",
    "Résolu",
    "Identité",
    "Paiement",
]


def telephony_leeds(world: World) -> Export:
    """Calls of Leeds: a French switch, zone-less day-first times, semicolons, Windows-1252, whole seconds."""
    plan, frame = world.plan, world.contacts[world.contacts["system"] == 0]
    answered = (~frame["abandoned"]).tolist()
    rows = zip(
        frame["contact_id"],
        stamp(frame["local_s"], "%d/%m/%Y %H:%M:%S"),
        _codes(frame, "queue", centre.QUEUE_CODES_LEEDS),
        _codes(frame, "team", [team.code for team in TEAMS]),
        ["RÉP" if here else "ABD" for here in answered],
        frame["agent"],
        [f"K{number:05d}" for number in frame["customer"]],
        _only(_codes(frame, "reason", [reason.leeds for reason in REASONS]), answered),
        frame["wait_s"].tolist(),
        _only(frame["talk_s"], answered),
        _only(frame["hold_s"], answered),
        _only(frame["acw_s"], answered),
        _only(frame["transfers"], answered),
        _flag(frame["escalated"], answered, "1", "0"),
        _flag(frame["resolved"], answered, "1", "0"),
        _three(frame["disclosure"], frame["validated"], "VN-"),
        _three(frame["payment"], frame["paused"], "PN-"),
        strict=True,
    )
    names = [f"telephony/leeds_appels_{_week_label(plan, week)}.csv" for week in frame["week"]]
    writer = delimited(";", encoding="cp1252", newline="\r\n")
    export = Export("telephony_leeds", "contacts", LEEDS_HEADER, writer, _by_file(map(list, rows), names))
    rng = plan.stream("duplicates", "leeds")
    for name in sorted(export.files):  # at least once: some lines are sent twice
        doubled = set(rng.choice(len(export.files[name]), 2, replace=False).tolist())
        export.files[name] = [
            copy
            for index, row in enumerate(export.files[name])
            for copy in ([row, Row(list(row.cells), "duplicate")] if index in doubled else [row])
        ]
    flaws = (
        Flaw("time", "Début", "31/02/2026 10:15:00", 4),
        Flaw("time_skipped", "Début", "29/03/2026 01:30:00", 2),
        Flaw("code", "Résultat", "TST", 5),
        Flaw("low", "Attente", "-7", 3),
        Flaw("duration", "Com.", "12s", 2),
        Flaw("required", "N° appel", "", 3),
    )
    export.plant(plan, flaws, key="N° appel", fresh="L19{:05d}".format)
    return export


CARDIFF_HEADER = [
    "Contact_ID",
    "Skill_Name",
    "Team_No",
    "Agent_No",
    "Customer",
    "Disposition",
    "Start_Date",
    "Start_Time",
    "InQueue",
    "Talk_Time",
    "Hold_Time",
    "ACW_Time",
    "Abandon",
    "Transfers",
    "Escalated",
    "Resolved",
    "IDV",
    "PCI",
]


def telephony_cardiff(world: World) -> Export:
    """Calls of Cardiff: month-first dates, talk as hh:mm:ss, a byte order mark, overlapping files."""
    plan = world.plan
    frame = world.contacts[(world.contacts["system"] == 1) & ~world.contacts["lost"]]
    answered = (~frame["abandoned"]).tolist()
    rows = zip(
        frame["contact_id"],
        _codes(frame, "queue", centre.QUEUES),
        _codes(frame, "team", [team.code for team in TEAMS]),
        frame["agent"],
        [f"K{number:05d}" for number in frame["customer"]],
        _only(_codes(frame, "reason", [reason.topic.upper() for reason in REASONS]), answered),
        stamp(frame["local_s"], "%m/%d/%Y"),
        stamp(frame["local_s"], "%H:%M:%S"),
        frame["wait_s"].tolist(),
        _only(map(clock, frame["talk_s"]), answered),
        _only(frame["hold_s"], answered),
        _only(frame["acw_s"], answered),
        ["0" if here else "1" for here in answered],
        _only(frame["transfers"], answered),
        _flag(frame["escalated"], answered, "Y", "N"),
        _flag(frame["resolved"], answered, "Y", "N"),
        _three(frame["disclosure"], frame["validated"], "YN-"),
        _three(frame["payment"], frame["paused"], "YN-"),
        strict=True,
    )
    labels = [_week_label(plan, week) for week in frame["week"]]
    names = [f"telephony/cardiff_calldetail_{label}.csv" for label in labels]
    writer = delimited(",", encoding="utf-8-sig", newline="\r\n", quote_header=True)
    export = Export("telephony_cardiff", "contacts", CARDIFF_HEADER, writer, _by_file(map(list, rows), names))
    ordered = sorted(export.files)
    for index in range(4, len(ordered), 7):  # some files begin with the Saturday before
        last = export.files[ordered[index - 1]]
        saturday = [row for row in last if row.cells[6] == last[-1].cells[6]]
        copies = [Row(list(row.cells), "duplicate") for row in saturday]
        export.files[ordered[index]] = copies + export.files[ordered[index]]
    flaws = (
        Flaw("time", "Start_Date", "13/45/2026", 4),
        Flaw("cases", "Abandon", "9", 4),
        Flaw("low", "InQueue", "-3", 2),
        Flaw("duration", "Talk_Time", "5 min", 3),
        Flaw("required", "Contact_ID", "", 2),
    )
    export.plant(plan, flaws, key="Contact_ID", fresh="8899{:05d}".format)
    return export


CHAT_HEADER = [
    "chat_id",
    "created_at",
    "updated_at",
    "department",
    "queue",
    "agent",
    "visitor",
    "topic",
    "status",
    "wait_ms",
    "chat_ms",
    "wrap_ms",
    "transfers",
    "escalated",
    "solved",
    "verified",
]


def chat(world: World) -> Export:
    """Chats: UTC with a Z, milliseconds, later versions of a row in the next file, one file in seconds."""
    plan, frame = world.plan, world.contacts[world.contacts["system"] == 2]
    answered = (~frame["abandoned"]).tolist()
    broken = plan.weeks.index(plan.broken_week) if plan.broken_week in plan.weeks else -1
    unit = np.where(frame["week"] == broken, 1, 1000)
    ended = frame["utc_s"] + frame["wait_s"] + frame["talk_s"] + frame["acw_s"]
    rows = zip(
        frame["contact_id"],
        stamp(frame["utc_s"], "%Y-%m-%dT%H:%M:%SZ"),
        stamp(ended + 5, "%Y-%m-%dT%H:%M:%SZ"),
        _codes(frame, "team", [team.name.lower() for team in TEAMS]),
        _codes(frame, "queue", [queue[0].lower() for queue in centre.QUEUES]),
        frame["agent"],
        [f"K{number:05d}" for number in frame["customer"]],
        _only(_codes(frame, "reason", [reason.topic for reason in REASONS]), answered),
        ["served" if here else "missed" for here in answered],
        (frame["wait_s"] * unit).tolist(),
        _only(frame["talk_s"] * unit, answered),
        _only(frame["acw_s"] * unit, answered),
        _only(frame["transfers"], answered),
        _flag(frame["escalated"], answered, "t", "f"),
        _flag(frame["resolved"], answered, "t", "f"),
        _three(frame["disclosure"], frame["validated"], "YN-"),
        strict=True,
    )
    names = [f"chat/chats_{_week_label(plan, week)}.csv" for week in frame["week"]]
    export = Export("chat", "contacts", CHAT_HEADER, delimited(","), _by_file(map(list, rows), names))
    _redeliver(plan, export, broken)
    flaws = (
        Flaw("time", "created_at", "2026-02-30T10:00:00Z", 3),
        Flaw("code", "status", "bot_closed", 4),
        Flaw("low", "chat_ms", "-4000", 2),
        Flaw("duration", "wait_ms", "n/k", 2),
        Flaw("required", "chat_id", "", 2),
    )
    export.plant(plan, flaws, key="chat_id", fresh="c-9{:05d}".format)
    return export


def _redeliver(plan: Plan, export: Export, broken: int) -> None:
    """Let some chats appear again in the next file, changed since: solved after all."""
    rng = plan.stream("duplicates", "chat")
    solved, updated = export.header.index("solved"), export.header.index("updated_at")
    ordered = sorted(export.files)
    again = 0  # rows at the beginning of the file that are later versions themselves
    for index in range(len(ordered) - 1):
        if broken in (index, index + 1):
            again = 0
            continue
        rows = [row for row in export.files[ordered[index]][again:] if row.cells[solved] == "t"]
        later = []
        for at in sorted(rng.choice(len(rows), 8, replace=False).tolist()):
            row = rows[at]
            monday = plan.weeks[index + 1].start
            changed = [*row.cells]
            changed[updated] = f"{monday.isoformat()}T09:{int(rng.integers(0, 60)):02d}:00Z"
            later.append(Row(changed))
            row.cells = [*row.cells]
            row.cells[solved], row.flaw = "f", "superseded"
        export.files[ordered[index + 1]] = later + export.files[ordered[index + 1]]
        again = len(later)


EMAIL_HEADER = [
    "Ticket",
    "Received",
    "First reply",
    "Mailbox",
    "Owner",
    "Customer",
    "Category",
    "Status",
    "Handling (min)",
    "Wrap (min)",
    "Passed on",
    "Escalated",
    "Solved",
    "Identity check",
]


def email_desk(world: World) -> Export:
    """E-mails: a workbook a month with two title lines and a total line, Excel dates, minutes."""
    plan, frame = world.plan, world.contacts[world.contacts["system"] == 3]
    answered = (~frame["abandoned"]).tolist()
    sites = [team.site.lower() for team in TEAMS]
    boxes = [f"{centre.QUEUES[q].lower()}.{sites[t]}" for q, t in zip(frame["queue"], frame["team"], strict=True)]
    replied = np.where(answered, frame["local_s"] + frame["wait_s"], -1)
    rows = zip(
        frame["contact_id"],
        _instants(frame["local_s"]),
        _instants(replied),
        boxes,
        frame["agent"],
        [f"K{number:05d}" for number in frame["customer"]],
        _only(_codes(frame, "reason", [reason.name for reason in REASONS]), answered),
        ["Answered" if here else "Withdrawn" for here in answered],
        [round(value / 60, 1) if here else "" for value, here in zip(frame["talk_s"], answered, strict=True)],
        [round(value / 60, 1) if here else "" for value, here in zip(frame["acw_s"], answered, strict=True)],
        [value if here else "" for value, here in zip(frame["transfers"].tolist(), answered, strict=True)],
        _flag(frame["escalated"], answered, "Yes", "No"),
        _flag(frame["resolved"], answered, "Yes", "No"),
        _three(frame["disclosure"], frame["validated"], "YN-"),
        strict=True,
    )
    months = [name[:7] for name in stamp(frame["local_s"], "%Y-%m-%d")]
    files = _by_file(map(list, rows), [f"email/desk_{month}.xlsx" for month in months])

    def total(rows: list[list[Any]]) -> list[Any]:
        handled = [row[8] for row in rows if isinstance(row[8], float)]
        return ["Total", None, None, None, None, None, None, len(rows), round(sum(handled), 1)]

    titles = (f"{centre.NAME}: e-mail desk", "Tickets received in the month, local time")
    writer = workbook("Tickets", titles=titles, total=total)
    export = Export("email_desk", "contacts", EMAIL_HEADER, writer, files, totals=len(files), first_row=4)
    flaws = (
        Flaw("time", "Received", "yesterday", 2),
        Flaw("time_skipped", "Received", datetime(2026, 3, 29, 1, 30), 1, "First reply"),  # noqa: DTZ001
        Flaw("code", "Status", "Merged", 3),
        Flaw("low", "Handling (min)", -4.0, 2),
        Flaw("required", "Ticket", "", 2),
    )
    export.plant(plan, flaws, key="Ticket", fresh="EM-9{:04d}".format)
    return export


# People.
def roster(world: World) -> Export:
    """The roster: a workbook with a sheet of notes before it, one row per agent and stay."""
    header = ["Agent", "Name", "Team", "Site", "Line manager", "Role", "Employed from", "In team from", "In team to"]
    rows = [
        [
            *(stay.agent, stay.name, TEAMS[stay.team].name, TEAMS[stay.team].site, TEAMS[stay.team].line_manager),
            *(stay.role, stay.employed, stay.start, stay.end or ""),
        ]
        for stay in world.plan.stays
    ]
    writer = workbook("Roster", notes="One row per agent and stay in a team; invented people")
    return Export("roster", "agents", header, writer, {"people/roster.xlsx": [Row(row) for row in rows]})


def agent_states(world: World, done: pd.DataFrame) -> Export:
    """Time per agent, day and state: Parquet, a file a month, seconds."""
    frame = records.agent_states(world, done)
    header = ["employee", "work_date", "activity", "planned_sec", "actual_sec", "in_adherence_sec"]
    words = {"available": "READY", "contact": "BUSY", "acw": "WRAP", "break": "BREAK"}
    words |= {"meeting": "MEETING", "training": "TRAINING", "absent": "ABSENT"}
    days = [EPOCH + timedelta(days=number) for number in frame["day"].tolist()]
    rows = zip(
        frame["agent_id"].tolist(),
        days,
        frame["state"].map(words).tolist(),
        frame["scheduled_s"].tolist(),
        frame["actual_s"].tolist(),
        frame["adherent_s"].tolist(),
        strict=True,
    )
    names = [f"workforce/states_{day:%Y-%m}.parquet" for day in days]
    export = Export("agent_states", "agent_states", header, parquet, _by_file(map(list, rows), names), first_row=1)
    flaws = (
        Flaw("code", "activity", "LUNCH", 3),
        Flaw("low", "actual_sec", -60, 2),
        Flaw("required", "employee", None, 1),
    )
    export.plant(world.plan, flaws, key="employee", fresh="A9{:02d}".format)
    return export


def activities(done: pd.DataFrame) -> Export:
    """Training, coaching, observation and buddying: hours with decimals."""
    header = ["id", "agent", "type", "subject", "need", "date", "hours", "by"]
    rows = zip(
        done["activity_id"],
        done["agent_id"],
        done["kind"].str.capitalize(),
        done["topic"],
        done["need"],
        [day.strftime("%d.%m.%Y") for day in done["done_on"]],
        [f"{hours:.1f}" for hours in done["hours"]],
        done["given_by"],
        strict=True,
    )
    files = {"people/development.csv": [Row(list(row)) for row in rows]}
    return Export("activities", "activities", header, delimited(","), files)


# Quality and customers.
SOURCE_CODES = {
    "call_monitoring": "CM",
    "self": "SE",
    "peer_observation": "PO",
    "peer_feedback": "PF",
    "customer_feedback": "CU",
    "calibration": "CA",
}
CRITERION_CODES = {name: f"C{number}" for number, (name, _) in enumerate(centre.CRITERIA, start=1)}


def evaluations(world: World, judged: pd.DataFrame) -> Export:
    """Evaluations: tab-delimited, a file a month, one line per criterion, short codes."""
    header = ["eval", "crit", "contact", "submitted", "src", "by", "medium", "agent", "pts", "weight", "crit_err"]
    header.append("fail")
    rows = zip(
        judged["evaluation_id"],
        judged["criterion"].map(CRITERION_CODES),
        judged["contact_id"],
        stamp(judged["local_s"], "%Y-%m-%d %H:%M"),
        judged["source"].map(SOURCE_CODES),
        judged["evaluator_id"],
        [CHANNELS[index][0].upper() for index in judged["channel"]],
        judged["agent_id"],
        ["n/a" if pd.isna(value) else str(int(value)) for value in judged["points"]],
        judged["weight"].tolist(),
        judged["critical"],
        ["1" if failed else "0" for failed in judged["auto_fail"]],
        strict=True,
    )
    names = [f"quality/evaluations_{month[:7]}.tsv" for month in stamp(judged["local_s"], "%Y-%m-%d")]
    export = Export("evaluations", "evaluations", header, delimited("\t"), _by_file(map(list, rows), names))
    flaws = (
        Flaw("time", "submitted", "2026-02-30 10:00", 2),
        Flaw("code", "src", "XX", 3),
        Flaw("low", "pts", "-1", 2),
        Flaw("number", "pts", "4/5", 2),
        Flaw("required", "crit", "", 1),
    )
    export.plant(world.plan, flaws, key="eval", fresh="V9{:04d}".format)
    return export


def surveys(world: World, asked: pd.DataFrame) -> Export:
    """Surveys: semicolons, decimal commas, customers' words."""
    header = [
        "Survey",
        "Contact",
        "Sent",
        "Returned",
        "Medium",
        "Agent",
        "CSAT",
        "NPS",
        "Effort",
        "First time",
        "Words",
    ]
    here = asked["answers"].tolist()
    rows = zip(
        asked["survey_id"],
        asked["contact_id"],
        stamp(asked["invited_s"], "%Y-%m-%d %H:%M"),
        stamp(np.where(here, asked["answered_s"], -1), "%Y-%m-%d %H:%M"),
        _codes(asked, "channel", ("Phone", "Chat", "Mail")),
        asked["agent"],
        _only((comma(value, 1) for value in asked["true_csat"]), here),
        _only(asked["nps"], here),
        _only((comma(value, 1) for value in asked["effort"]), here),
        _flag(asked["first_time"], here, "ja", "nein"),
        asked["comment"],
        strict=True,
    )
    names = [f"surveys/returns_{month[:7]}.csv" for month in stamp(asked["invited_s"], "%Y-%m-%d")]
    export = Export("surveys", "surveys", header, delimited(";"), _by_file(map(list, rows), names))
    flaws = (
        Flaw("time", "Sent", "2026-13-40 10:00", 2),
        Flaw("code", "Medium", "Pigeon", 2),
        Flaw("high", "CSAT", "7,0", 3),
        Flaw("number", "NPS", "ten", 2),
        Flaw("required", "Survey", "", 1),
    )
    export.plant(world.plan, flaws, key="Survey", fresh="S9{:04d}".format)
    return export


def complaints(world: World, made: pd.DataFrame) -> Export:
    """Complaints: English month names, money with a thousands mark, the state on the day of the export."""
    header = ["Ref", "Contact", "Received", "Summary sent", "Final response", "Closed", "Via", "Agent", "About"]
    header += ["Root cause", "Outcome", "Redress", "High risk", "In their words"]
    outcomes = {"upheld": "Upheld", "part_upheld": "Partly upheld", "rejected": "Not upheld", "withdrawn": "Withdrawn"}
    rows = zip(
        made["complaint_id"],
        made["contact_id"],
        british(made["received_s"]),
        british(made["summary_s"]),
        british(made["responded_s"]),
        british(made["closed_s"]),
        _codes(made, "channel", ("Phone", "Chat", "E-mail")),
        made["agent"],
        made["category"],
        made["root_cause"],
        [outcomes.get(value, "") for value in made["outcome"]],
        [f"{value:,.2f}" if value else "" for value in made["redress"]],
        ["Y" if value else "N" for value in made["high_risk"]],
        made["words"],
        strict=True,
    )
    files = {"complaints/complaints.csv": [Row(list(row)) for row in rows]}
    export = Export("complaints", "complaints", header, delimited(","), files)
    flaws = (
        Flaw("time", "Received", "31 Feb 2026 09:00", 2),
        Flaw("code", "Via", "Pigeon", 1),
        Flaw("low", "Redress", "-25.00", 1),
        Flaw("required", "Ref", "", 1),
    )
    export.plant(world.plan, flaws, key="Ref", fresh="CMP-9{:04d}".format)
    return export


# Requirements, authority, money and time.
def breaches(world: World, found: pd.DataFrame) -> Export:
    """Breaches: UTC seconds since 1970."""
    header = ["breach", "requirement", "contact", "found", "closed", "agent", "severity", "action"]
    rows = zip(
        found["breach_id"],
        found["requirement_id"],
        found["contact_id"],
        utc(found["found_s"]),
        ["" if value < 0 else value for value in utc(found["closed_s"])],
        found["agent"],
        found["severity"].str.upper(),
        found["action"],
        strict=True,
    )
    files = {"compliance/breaches.csv": [Row(list(row)) for row in rows]}
    export = Export("breaches", "breaches", header, delimited(","), files)
    flaws = (Flaw("code", "severity", "HUGE", 1), Flaw("required", "breach", "", 1))
    export.plant(world.plan, flaws, key="breach", fresh="BR9{:03d}".format)
    return export


def escalations(world: World, referred: pd.DataFrame) -> Export:
    """Escalations and decisions under delegated authority."""
    header = ["Ref", "Contact", "Referred", "Resolved", "Agent", "Why", "Route", "Decided by", "Amount", "Reasons kept"]
    words = {
        "specialist_knowledge": "Specialist",
        "authority_limit": "Limit",
        "customer_demand": "Customer asked",
        "regulatory": "Regulatory",
        "": "",
    }
    rows = zip(
        referred["escalation_id"],
        referred["contact_id"],
        stamp(referred["referred_s"], "%d-%m-%Y %H:%M"),
        stamp(referred["resolved_s"], "%d-%m-%Y %H:%M"),
        referred["agent"],
        referred["why"].map(words),
        referred["route"].str.capitalize(),
        referred["decided_by"],
        ["" if pd.isna(value) else f"{value:.2f}" for value in referred["amount"]],
        ["yes" if value else "no" for value in referred["rationale"]],
        strict=True,
    )
    files = {"compliance/referrals.csv": [Row(list(row)) for row in rows]}
    export = Export("escalations", "escalations", header, delimited(","), files)
    flaws = (
        Flaw("time", "Referred", "00-00-2026 00:00", 1),
        Flaw("code", "Why", "Because", 2),
        Flaw("number", "Amount", "about 50", 1),
    )
    export.plant(world.plan, flaws, key="Ref", fresh="X9{:04d}".format)
    return export


def _small(source: str, table: str, path: str, header: list[str], rows: Iterable[Sequence[Any]]) -> Export:
    return Export(source, table, header, delimited(","), {path: [Row(list(row)) for row in rows]})


def delegations(plan: Plan) -> Export:
    """Limits of authority; the one of agents was raised."""
    before, raised = plan.back(130), plan.back(15)
    rows = [
        ("Agent", "refund", "40.00", before.isoformat(), (raised - timedelta(days=1)).isoformat()),
        ("Agent", "refund", "50.00", raised.isoformat(), ""),
        ("Senior agent", "refund", "100.00", before.isoformat(), ""),
        ("Line manager", "refund", "250.00", before.isoformat(), ""),
    ]
    header = ["role", "decision", "limit_gbp", "from", "to"]
    return _small("delegations", "delegations", "compliance/delegations.csv", header, rows)


REQUIREMENTS = """
id|title|origin|objective|procedure|criterion|from|to|source|checked
REQ-01|Final response within 8 weeks|regulatory|Fair treatment|P-07|Complaint logged|{start}||FCA DISP 1.6.2R|yes
REQ-02|Identity before disclosure|organisational|Privacy|P-02|Opening and identity|{start}||Policy P-02|yes
REQ-03|Recording paused across the card step|code_of_practice|Privacy|P-03||{start}||PCI DSS 4.0.1|no
REQ-04|Every dissatisfaction logged|regulatory|Fair treatment|P-07|Complaint logged|{start}||FCA DISP 1.3|no
REQ-05|Calls answered within 20 seconds|organisational|Access|P-01||{start}||Board paper|yes
REQ-06|Charges statement in account calls|organisational|Clear charges|P-09||{statement}||Policy P-09|yes
REQ-07|Abandoned dialler calls at most 3 per cent|regulatory|Access|||2010-02-01|2017-02-28|Ofcom (withdrawn)|no
REQ-08|Vulnerable customers offered a call back|code_of_practice|Fair treatment|||{start}||Internal code|yes
"""


def _lines(text: str) -> tuple[list[str], list[list[str]]]:
    """Split a small table written in this file into its header and rows."""
    header, *rows = [line.split("|") for line in text.strip().splitlines()]
    return header, rows


def requirements(plan: Plan) -> Export:
    """Requirements on the centre, dated, each with its source and whether that was checked."""
    text = REQUIREMENTS.format(start=plan.back(130).isoformat(), statement=plan.requirement_from.isoformat())
    return _small("requirements", "requirements", "compliance/requirements.csv", *_lines(text))


def costs(plan: Plan) -> Export:
    """Costs per whole month: decimal commas, dots for thousands."""
    frame = records.costs(plan)
    words = {"voice": "Telephone", "chat": "Chat", "email": "E-mail"}
    rows = [
        [day.strftime("%Y%m%d"), words[channel], kind, comma(amount, 2)]
        for day, channel, kind, amount in frame.itertuples(index=False)
    ]
    header = ["Monat", "Medium", "Art", "Betrag"]
    return Export("costs", "costs", header, delimited(";"), {"finance/costs.csv": [Row(row) for row in rows]})


def calendar(plan: Plan) -> Export:
    """Days that differ from the opening hours."""
    rows: list[tuple[str, ...]] = []
    for day, name in sorted(bank_holidays(plan).items()):
        if plan.first_day <= day < plan.end:
            for channel in CHANNELS:
                open_chat = channel == "chat" and day.month >= 8
                hours = ("10:00", "16:00") if open_chat else ("", "")
                rows.append((day.isoformat(), channel, *hours, name))
    if plan.first_day <= late_opening(plan):
        rows += [
            (late_opening(plan).isoformat(), channel, "10:00", "20:00", "All-staff meeting") for channel in CHANNELS
        ]
    header = ["day", "channel", "opens", "closes", "note"]
    return _small("calendar", "calendar", "calendar.csv", header, rows)


ACTIONS = """
id|decided|starts|what|owner|kpi|level|unit|expected|state
ACT-01|17|16|Post refunds daily instead of weekly|Finance|complaints|centre||-4|done
ACT-02|18|17|Coach four agents of Aire on tone|Aire|qa_score|team|Aire|0.05|done
ACT-03|14|12|Route by the queue of the last contact|Planning|transfer_rate|centre||-0.04|done
ACT-04|13|12|Coach all of Calder on call structure|Calder|qa_score|team|Calder|0.08|done
ACT-05|9|8|Answer templates and search at Taff|Taff|aht_voice|team|Taff|-40|running
ACT-06|7|6|Move breaks at Ely away from late morning|Ely|service_level|team|Ely|0.05|running
ACT-07|2|-2|Listen to Technical calls at Aire|Aire|aht_voice|team|Aire|-30|planned
ACT-08|20||Ask for answers to surveys in Welsh|Planning|csat|site|Cardiff|0.02|dropped
"""


def actions(plan: Plan) -> Export:
    """The register of actions; the text cannot tell which of them worked. Weeks are counted back from the last."""
    managers = {team.name: team.line_manager for team in TEAMS}
    header, rows = _lines(ACTIONS)
    for row in rows:
        row[1:3] = [plan.back(int(weeks)).isoformat() if weeks else "" for weeks in row[1:3]]
        row[4] = managers.get(row[4], row[4])
    rows = [row for row in rows if row[1] >= plan.first_day.isoformat()]
    return _small("actions", "actions", "actions.csv", header, rows)


def control_totals(world: World) -> Export:
    """Daily totals of the switches: counted apart from the exports."""
    totals = records.control_totals(world)
    days = [(EPOCH + timedelta(days=number)).strftime("%Y%m%d") for number in totals["day"].tolist()]
    rows = zip(days, _codes(totals, "channel", CHANNELS), totals["site"], totals["n_offered"].tolist(), strict=True)
    header = ["date", "medium", "site", "offered"]
    return _small("control_totals", "control_totals", "control/switch_totals.csv", header, rows)


@dataclass(frozen=True)
class Truth:
    """All exports of a world, with the frames behind those that the answer sheet needs."""

    world: World
    exports: tuple[Export, ...]
    evaluations: pd.DataFrame
    surveys: pd.DataFrame
    complaints: pd.DataFrame
    breaches: pd.DataFrame
    escalations: pd.DataFrame
    activities: pd.DataFrame


def everything(world: World) -> Truth:
    """Build every export of a world."""
    plan = world.plan
    judged = records.evaluations(world)
    asked, made = records.surveys(world), records.complaints(world)
    found, referred = records.breaches(world), records.escalations(world)
    done = records.activities(world, judged)
    exports = (
        telephony_leeds(world),
        telephony_cardiff(world),
        chat(world),
        email_desk(world),
        roster(world),
        agent_states(world, done),
        activities(done),
        evaluations(world, judged),
        surveys(world, asked),
        complaints(world, made),
        breaches(world, found),
        escalations(world, referred),
        delegations(plan),
        requirements(plan),
        costs(plan),
        calendar(plan),
        actions(plan),
        control_totals(world),
    )
    return Truth(world, exports, judged, asked, made, found, referred, done)


def write_files(folder: Path, exports: Iterable[Export]) -> None:
    """Write every file of every export below a folder."""
    for export in exports:
        for name, rows in export.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(export.write(export.header, [row.cells for row in rows]))

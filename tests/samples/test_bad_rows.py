"""Every bad row of the files is on the answer sheet, and every one on the sheet is in the files.

The files are read here with other means than the product's, and judged by rules written down anew.
"""

import re
from collections import Counter
from datetime import date, datetime

import openpyxl
import pyarrow.parquet as pq
import pytest


def a_time(pattern):
    def broken(cell):
        try:
            moment = datetime.strptime(cell, pattern)  # noqa: DTZ007  wall clock of an export
        except ValueError:
            return "time"
        return "time_skipped" if (moment.month, moment.day, moment.hour) == (3, 29, 1) else None

    return broken


def one_of(*codes, rule="code"):
    return lambda cell: None if cell in codes else rule


def filled(cell):
    return None if cell else "required"


def seconds(cell):
    if not re.fullmatch(r"-?\d*", cell):
        return "duration"
    return "low" if cell.startswith("-") else None


def clock(cell):
    return None if re.fullmatch(r"(\d\d:\d\d:\d\d)?", cell) else "duration"


def number(low, high=None, decimal="."):
    def broken(cell):
        if not re.fullmatch(rf"-?[\d,]*({re.escape(decimal)}\d+)?", cell):
            return "number"
        value = float(cell.replace(decimal, ".") or low) if decimal == "," else float(cell.replace(",", "") or low)
        if value < low:
            return "low"
        return "high" if high is not None and value > high else None

    return broken


TEXTS = {
    "telephony_leeds": (
        ("telephony/leeds_*.csv", "cp1252", ";"),
        {
            "N° appel": filled,
            "Début": a_time("%d/%m/%Y %H:%M:%S"),
            "Résultat": one_of("RÉP", "ABD"),
            "Attente": seconds,
            "Com.": seconds,
            "Garde": seconds,
            "Post-appel": seconds,
        },
    ),
    "telephony_cardiff": (
        ("telephony/cardiff_*.csv", "utf-8-sig", ","),
        {
            "Contact_ID": filled,
            "Start_Date": a_time("%m/%d/%Y"),
            "Abandon": one_of("0", "1", rule="cases"),
            "InQueue": seconds,
            "Talk_Time": clock,
            "Hold_Time": seconds,
            "ACW_Time": seconds,
        },
    ),
    "chat": (
        ("chat/*.csv", "utf-8", ","),
        {
            "chat_id": filled,
            "created_at": a_time("%Y-%m-%dT%H:%M:%SZ"),
            "status": one_of("served", "missed"),
            "wait_ms": seconds,
            "chat_ms": seconds,
            "wrap_ms": seconds,
        },
    ),
    "evaluations": (
        ("quality/*.tsv", "utf-8", "\t"),
        {
            "eval": filled,
            "crit": filled,
            "submitted": a_time("%Y-%m-%d %H:%M"),
            "src": one_of("CM", "SE", "PO", "PF", "CU", "CA"),
            "pts": lambda cell: None if cell == "n/a" else number(0, 5)(cell),
        },
    ),
    "surveys": (
        ("surveys/*.csv", "utf-8", ";"),
        {
            "Survey": filled,
            "Sent": a_time("%Y-%m-%d %H:%M"),
            "Medium": one_of("Phone", "Chat", "Mail"),
            "CSAT": lambda cell: number(1, 5, ",")(cell) if cell else None,
            "NPS": lambda cell: number(0, 10)(cell) if cell else None,
        },
    ),
    "complaints": (
        ("complaints/*.csv", "utf-8", ","),
        {
            "Ref": filled,
            "Received": a_time("%d %b %Y %H:%M"),
            "Via": one_of("Phone", "Chat", "E-mail"),
            "Redress": number(0),
        },
    ),
    "breaches": (
        ("compliance/breaches.csv", "utf-8", ","),
        {"breach": filled, "severity": one_of("MINOR", "MAJOR", "CRITICAL")},
    ),
    "escalations": (
        ("compliance/referrals.csv", "utf-8", ","),
        {
            "Ref": filled,
            "Referred": a_time("%d-%m-%Y %H:%M"),
            "Why": one_of("Specialist", "Limit", "Customer asked", "Regulatory", ""),
            "Amount": number(0),
        },
    ),
}


def listed(answers, source):
    rows = [row for row in answers["bad_rows"] if row["source"] == source]
    return {(row["file"], row["row"], row["column"], row["rule"]) for row in rows}


@pytest.mark.parametrize("source", TEXTS)
def test_the_bad_rows_of_a_text_export_are_exactly_those_on_the_sheet(source, answers, read):
    """File, line, column and rule agree, in both directions."""
    (pattern, encoding, delimiter), rules = TEXTS[source]
    rows = read(pattern, encoding=encoding, delimiter=delimiter)
    found = {
        (file, line, column, rule)
        for file, line, row in rows
        for column, broken in rules.items()
        if (rule := broken(row[column]))
    }
    assert found == listed(answers, source)
    assert len(rows) == answers["sources"][source]["rows"]
    assert Counter(rule for *_, rule in found) == answers["sources"][source]["bad"]


def test_the_bad_rows_of_the_workbooks_are_exactly_those_on_the_sheet(answers, folder):
    """Rows are counted as a spreadsheet shows them; the total line is no record."""
    found, records, totals = set(), 0, 0
    for path in sorted(folder.glob("email/*.xlsx")):
        page = openpyxl.load_workbook(path, read_only=True)["Tickets"]
        name = path.relative_to(folder).as_posix()
        for number_of, row in enumerate(page.iter_rows(values_only=True), start=1):
            if number_of <= 3:
                continue
            if row[0] == "Total":
                totals += 1
                continue
            records += 1
            faults = {
                "Ticket": "required" if row[0] is None else None,
                "Received": None if isinstance(row[1], datetime) else "time",
                "Status": None if row[7] in ("Answered", "Withdrawn") else "code",
                "Handling (min)": "low" if row[8] is not None and row[8] < 0 else None,
            }
            if isinstance(row[1], datetime) and row[1].month == 3:
                faults["Received"] = "time_skipped"
            found |= {(name, number_of, column, rule) for column, rule in faults.items() if rule}
    assert found == listed(answers, "email_desk")
    assert (records, totals) == (
        answers["sources"]["email_desk"]["rows"],
        answers["sources"]["email_desk"]["set_aside"],
    )


def test_the_bad_rows_of_the_agent_states_are_exactly_those_on_the_sheet(answers, folder):
    """Records of a Parquet file are counted from 1."""
    words = {"READY", "BUSY", "WRAP", "BREAK", "MEETING", "TRAINING", "ABSENT"}
    found, records = set(), 0
    for path in sorted(folder.glob("workforce/*.parquet")):
        name = path.relative_to(folder).as_posix()
        for number_of, row in enumerate(pq.read_table(path).to_pylist(), start=1):
            records += 1
            if row["employee"] is None:
                found.add((name, number_of, "employee", "required"))
            if row["activity"] not in words:
                found.add((name, number_of, "activity", "code"))
            if row["actual_sec"] < 0:
                found.add((name, number_of, "actual_sec", "low"))
    assert found == listed(answers, "agent_states")
    assert records == answers["sources"]["agent_states"]["rows"]


@pytest.mark.parametrize("source", ["telephony_leeds", "telephony_cardiff"])
def test_lines_that_were_sent_twice_are_counted(source, answers, read):
    """The switches deliver at least once; a copy is the same to the letter."""
    (pattern, encoding, delimiter), _ = TEXTS[source]
    lines = Counter(tuple(row.values()) for _, _, row in read(pattern, encoding=encoding, delimiter=delimiter))
    twice = sum(count - 1 for count in lines.values())
    assert twice == answers["sources"][source]["duplicates"] > 0


def test_chats_that_came_again_changed_are_counted(answers, read):
    """A later version of a chat has a later time of change and differs."""
    versions = {}
    for _, _, row in read("chat/*.csv"):
        if row["chat_id"]:
            versions.setdefault(row["chat_id"], []).append(row)
    again = [rows for rows in versions.values() if len(rows) > 1]
    assert sum(len(rows) - 1 for rows in again) == answers["sources"]["chat"]["superseded"] > 0
    assert all(first["updated_at"] < last["updated_at"] for first, last in again)
    assert all((first["solved"], last["solved"]) == ("f", "t") for first, last in again)


def test_no_contact_lies_in_the_hour_that_comes_twice(read):
    """On 25 October clocks go back; the centre is closed then, so zone-less times are unambiguous."""
    for pattern, encoding, delimiter, column, day in (
        ("telephony/leeds_*.csv", "cp1252", ";", "Début", "25/10/2026"),
        ("telephony/cardiff_*.csv", "utf-8-sig", ",", "Start_Date", "10/25/2026"),
    ):
        rows = read(pattern, encoding=encoding, delimiter=delimiter)
        assert not [1 for _, _, row in rows if row[column].startswith(day)]
    assert date(2026, 10, 25).isoweekday() == 7

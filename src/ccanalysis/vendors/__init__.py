"""Export formats of vendors: their units, clocks, codes, keys and delivery, how they are known, and how they are read.

A source names one with `vendor = "system.record"`. Its module says what the vendor publishes, brings a mapping, and
makes flat records of what is not a flat table; casting, quarantine and counting are those of every other export.
"""

from __future__ import annotations

from pathlib import Path

from ccanalysis.errors import SettingsError, nearest
from ccanalysis.vendors import (
    amazon_contact_records,
    amazon_evaluations,
    asterisk_queue_log,
    genesys_conversations,
    nice_cxone_call_detail,
    talkdesk_calls,
    zendesk_talk_calls,
    zendesk_ticket_metrics,
)
from ccanalysis.vendors.common import Head, VendorFormat, read_head

__all__ = [
    "DECLARED",
    "FORMATS",
    "Head",
    "VendorFormat",
    "declared",
    "format_named",
    "listed",
    "read_head",
    "recognise",
]

FORMATS: dict[str, VendorFormat] = {
    module.FORMAT.name: module.FORMAT
    for module in (
        amazon_contact_records,
        amazon_evaluations,
        asterisk_queue_log,
        genesys_conversations,
        nice_cxone_call_detail,
        talkdesk_calls,
        zendesk_talk_calls,
        zendesk_ticket_metrics,
    )
}


# Formats that a declared mapping reads: title and the columns that all of their exports have. The mappings lie beside
# this module and, to copy, in examples/mappings.
DECLARED: dict[str, tuple[str, tuple[str, ...]]] = {
    "five9": ("Five9 call log", ("CALL ID", "TIMESTAMP", "CAMPAIGN", "CALL TYPE", "QUEUE WAIT TIME", "ABANDONED")),
    "vicidial": (
        "VICIdial vicidial_closer_log",
        ("closecallid", "call_date", "start_epoch", "queue_seconds", "term_reason"),
    ),
}


def declared(head: Head) -> tuple[str, str, str] | None:
    """Return title, evidence and settings of a format that a declared mapping reads, or None."""
    for name, (title, marks) in DECLARED.items():
        if head.kind == "csv" and set(marks) <= set(head.names):
            text = (Path(__file__).parent / "mappings" / f"{name}.toml").read_text(encoding="utf-8")
            return title, f"its header has {', '.join(marks[:-1])} and {marks[-1]}", text
    return None


def format_named(name: str) -> VendorFormat:
    """Return a vendor format by name.

    Raises:
        SettingsError: There is none of that name; the nearest is offered.
    """
    if name not in FORMATS:
        raise SettingsError(f"there is no vendor format {name!r}", remedy=nearest(name, list(FORMATS)))
    return FORMATS[name]


def recognise(head: Head) -> tuple[VendorFormat, str] | None:
    """Tell which vendor format a file seems to have, and by what; None where there is none, or more than one.

    Examples:
        >>> recognise(Head("csv", names=("Call", "Wait"))) is None
        True
    """
    found = []
    for form in FORMATS.values():
        if head.kind not in form.readers:
            continue
        if head.kind == "log":
            found.append((form, "its first line is an event of a log: seconds since 1970 and fields between bars"))
        elif form.marks and set(form.marks) <= set(head.names):
            where = "its header" if head.kind == "csv" else "its first record"
            found.append((form, f"{where} has {', '.join(form.marks[:-1])} and {form.marks[-1]}"))
    found.sort(key=lambda pair: -len(pair[0].marks))
    if len(found) > 1 and len(found[0][0].marks) == len(found[1][0].marks):
        return None
    return found[0] if found else None


def listed() -> str:
    """Return what is known of every format, as plain text."""
    lines = []
    for form in FORMATS.values():
        facts = {
            "fills": ", ".join(form.tables),
            "file": form.written,
            "durations": form.units,
            "times": form.clock,
            "key": form.key,
            "delivery": form.delivery,
        }
        lines += [f"{form.name}: {form.title}", *(f"  {name:<9}  {said}" for name, said in facts.items()), ""]
    known = ", ".join(title for title, _ in DECLARED.values())
    lines.append(f"By a declared mapping that `ccanalysis sources try` writes: {known}.")
    return "\n".join([*lines, "Any other table (CSV, workbook, Parquet, JSON): by a mapping of your own.", ""])

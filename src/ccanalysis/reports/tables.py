"""The figures of a report beside it: tidy CSV files, and one workbook that explains itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ccanalysis import __version__, editions, export, text, views
from ccanalysis.editions import Reader
from ccanalysis.questions import Answer
from ccanalysis.reports import workbook
from ccanalysis.reports.workbook import Sheet
from ccanalysis.results import Results

WORKBOOK = "figures.xlsx"
RULE_COLUMNS = ["rule", "table", "verdict", "severity", "outcome", "n", "n_failed", "reason", "remedy"]
MEANINGS = {
    "kpi": "The KPI's name in the register; it is explained below",
    "level": "What the row is about: the centre, a team, a site, a queue, ...",
    "unit": "Which team, site or queue",
    "period": "The period, as 2026-W46 or 2026-11",
    "numerator": "The upper side of the KPI: what is counted",
    "denominator": "The lower side: what it is counted among",
    "value": "Numerator over denominator, in the unit of the KPI; a share is 0 to 1, a duration is in seconds",
    "ci_low": "Lower end of the 95% interval; the value could as well be this low",
    "ci_high": "Upper end of the 95% interval",
    "target": "The target in force in the period",
    "target_high": "Upper end of the target, where it is a band",
    "tolerance": "How far from the target is agreed to be near enough",
    "status": "The verdict: " + ", ".join(f"{key} ({word.lower()})" for key, word in text.STATUS_WORDS.items()),
    "variation": "The course: " + ", ".join(f"{key} ({word.lower()})" for key, word in text.VARIATION_WORDS.items()),
    "assurance": "What the process can do: "
    + ", ".join(f"{key} ({word.lower()})" for key, word in text.ASSURANCE_WORDS.items()),
    "data": "How far the data can be believed: " + ", ".join(text.RATING_WORDS),
    "reasons": "Why the verdict is what it is, where it needs saying",
    "tier": "act, watch or note: how certain a finding is",
    "kind": "What kind of finding it is",
    "gap_shrunk": "The gap to the target that is left after allowing for small numbers",
    "impact": "How many contacts, or seconds, the gap amounts to in the period",
    "q_value": "Of findings at least as clear as this one, the share that chance may have given (Benjamini-Hochberg)",
    "comparisons": "How many units were compared",
    "sentence": "The finding in words",
    "action": "What to do",
    "table": "The table of the contract",
    "source_file": "The export",
    "source_row": "The row of the export, its header is row 1",
    "rule": "The rule that the row broke",
    "counted": "no: the row is kept apart; yes: it stays in the figures",
    "reason": "What is wrong, without any value of the row",
    "verdict": "What the rule decides about: accuracy or suitability",
    "severity": "How much it weighs",
    "outcome": "What the rule found",
    "n": "How many rows were looked at",
    "n_failed": "How many of them failed",
    "remedy": "What to do about it",
}


def write(computed: Results, reader: Reader, folder: Path) -> None:
    """Put the figures of a report beside its page: CSV files, and the same rows in a workbook.

    Args:
        computed: The uncut results; what is written is cut for the reader.
        reader: Whom the report is for.
        folder: Where the page lies.
    """
    if reader.audience == "analyst":
        listed = views.rows_at_fault(computed)
        parts = [("Rows", "rows", listed, list(listed.columns)), ("Rules", "", computed.expectations, RULE_COLUMNS)]
    else:
        frames = editions.cut(computed, reader)
        found = export.with_verdicts(frames["findings"], frames["verdicts"])
        parts = [
            ("Verdicts", "verdicts", frames["verdicts"], export.VERDICT_COLUMNS),
            ("Findings", "findings", found, export.FINDING_COLUMNS),
        ]
    sheets = []
    for heading, name, frame, columns in parts:
        if name == "rows":
            frame.to_parquet(folder / "rows.parquet", index=False)
        if name:
            (folder / f"{name}.csv").write_text(export.to_csv(frame, columns), encoding="utf-8", newline="")
        rows = [list(row.values()) for row in export.rows(frame.head(workbook.MOST_ROWS), columns)]
        sheets.append(Sheet(name=heading, columns=columns, rows=rows))
    sheets.append(_about(computed, reader, parts))
    book = workbook.build(sheets, title=f"{computed.facts['centre']}, {computed.period.label}", day=computed.period.end)
    (folder / WORKBOOK).write_bytes(book)


def write_answer(computed: Results, answer: Answer, reader: Reader, folder: Path) -> None:
    """Put the figures of a question beside its page, as `write` does for those of the KPIs.

    Args:
        computed: The uncut results.
        answer: The uncut answer; what is written is cut for the reader.
        reader: Whom the report is for.
        folder: Where the page lies.
    """
    sheets, told = [], []
    for name, frame in editions.cut_answer(computed, answer, reader).items():
        columns = [str(column) for column in frame.columns]
        (folder / f"{name}.csv").write_text(export.to_csv(frame, columns), encoding="utf-8", newline="")
        rows = [list(row.values()) for row in export.rows(frame.head(workbook.MOST_ROWS), columns)]
        sheets.append(Sheet(name=name, columns=columns, rows=rows))
        told.append([f"Sheet {name}", len(frame), f"One row per {', '.join(answer.keys[name]) or 'figure'}"])
    facts = computed.facts
    about: list[list[Any]] = [
        ["Centre", facts["centre"]],
        ["Question", answer.facts["title"]],
        ["Edition", reader.audience.replace("_", " "), reader.unit],
        ["First day", answer.facts["since"]],
        ["Last day", answer.facts["until"]],
        ["Time zone", facts["time_zone"]],
        ["Data fingerprint", facts["fingerprint"], "Reports of the same fingerprint are made from the same data"],
        ["Made by", f"ccanalysis {__version__}"],
        ["Units", "A share is 0 to 1, a duration is in seconds, money in the centre's currency"],
        [],
        *told,
    ]
    sheets.append(Sheet(name="About", columns=["What", "Says", "More"], rows=about))
    book = workbook.build(sheets, title=f"{facts['centre']}, {answer.facts['title']}", day=computed.period.end)
    (folder / WORKBOOK).write_bytes(book)


def _about(computed: Results, reader: Reader, parts: Sequence[tuple[str, str, pd.DataFrame, list[str]]]) -> Sheet:
    """Say what the workbook is, what each column means, and how each KPI is defined."""
    facts, period = computed.facts, computed.period
    rows: list[list[Any]] = [
        ["Centre", facts["centre"]],
        ["Edition", reader.audience.replace("_", " "), reader.unit],
        ["Period", period.label, period.text],
        ["First day", period.start],
        ["Last day", (pd.Timestamp(period.end) - pd.Timedelta(days=1)).date()],
        ["Time zone", facts["time_zone"]],
        ["Data fingerprint", facts["fingerprint"], "Reports of the same fingerprint are made from the same data"],
        ["Made by", f"ccanalysis {__version__}"],
        ["Figures again", f"ccanalysis kpis --period {period.label}"],
        [],
    ]
    for heading, _, frame, columns in parts:
        most = workbook.MOST_ROWS
        left = f"The first {most:,} of {len(frame):,}; all are in the CSV file" if len(frame) > most else ""
        rows += [[f"Sheet {heading}", len(frame), left], *([name, MEANINGS[name]] for name in columns), []]
    own = Results(Path(), {**facts, "audience": reader.audience, "unit": reader.unit}, {"kpis": computed.kpis})
    table = views.definitions_table(own)
    rows.append(["Definitions of the KPIs", *(column.label for column in table.columns[1:])])
    rows += [[cell.text for cell in row] for row in table.rows]
    return Sheet(name="About", columns=["What", "Says", "More"], rows=rows)

"""Rows for machines and spreadsheets: CSV and JSON that keep their meaning and start no formula.

Source:
    OWASP, CSV Injection: a cell that begins with = + - @, tab or return is run by spreadsheets.
"""

from __future__ import annotations

import csv
import io
import json
import math
import unicodedata
from typing import Any

import numpy as np
import pandas as pd

VERDICT_COLUMNS = [
    "kpi",
    "level",
    "unit",
    "period",
    "numerator",
    "denominator",
    "value",
    "ci_low",
    "ci_high",
    "target",
    "tolerance",
    "status",
    "variation",
    "assurance",
    "data",
    "reasons",
    "target_high",
]
FINDING_COLUMNS = [
    "tier",
    "kind",
    *VERDICT_COLUMNS,
    "gap_shrunk",
    "impact",
    "q_value",
    "comparisons",
    "sentence",
    "action",
]
_STARTERS = ("=", "+", "-", "\u2212", "@", "|", "%")  # with the minus sign that is no hyphen
# Categories of characters that break a row, turn the reading direction or cannot be seen.
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def safe_cell(text: str) -> str:
    """Return a text that a spreadsheet shows and does not run.

    Examples:
        >>> safe_cell("=1+1"), safe_cell("North"), safe_cell("\\uff1dcmd")
        ("'=1+1", 'North', "'\\uff1dcmd")
    """
    plain = "".join(" " if unicodedata.category(c) in _UNSEEN else c for c in text)
    begins = unicodedata.normalize("NFKC", plain).strip()
    return "'" + plain if begins.startswith(_STARTERS) else plain


def with_verdicts(findings: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Put beside each finding the verdict that it rests on: both sides, interval, tolerance, course, data, reasons."""
    keys = ["kpi", "level", "unit", "period"]
    if findings.empty or verdicts.empty:
        return findings.reindex(columns=FINDING_COLUMNS)
    more = [name for name in VERDICT_COLUMNS if name not in findings]
    return findings.merge(verdicts[[*keys, *more]], on=keys, how="left", validate="many_to_one")


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: lists of texts, None where there is no data, whole numbers without a point."""
    if isinstance(value, (tuple, list, np.ndarray)):
        return [str(item) for item in value]
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value.item() if hasattr(value, "item") else value


def rows(frame: pd.DataFrame, columns: list[str]) -> list[dict[str, Any]]:
    """Return a frame as plain records: lists as lists, missing values None, no tolerance where there is no target."""
    if frame.empty:
        return []
    if "tolerance" in columns:
        frame = frame.assign(tolerance=frame["tolerance"].where(frame["target"].notna()))
    return [dict(zip(columns, map(plain, values), strict=True)) for values in frame[columns].itertuples(index=False)]


def _joined(value: Any) -> Any:
    return "; ".join(value) if isinstance(value, list) else "" if value is None else value


def to_csv(frame: pd.DataFrame, columns: list[str]) -> str:
    """Write a frame as CSV (RFC 4180, every text quoted, missing values empty)."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows(frame, columns):
        joined = map(_joined, row.values())
        writer.writerow([safe_cell(value) if isinstance(value, str) else value for value in joined])
    return out.getvalue()


def to_json(frame: pd.DataFrame, columns: list[str]) -> str:
    """Write a frame as a JSON list of records, missing values null."""
    return json.dumps(rows(frame, columns), indent=1, ensure_ascii=False) + "\n"


def to_text(frame: pd.DataFrame, columns: list[str]) -> str:
    """Write a frame as columns for a terminal."""
    if frame.empty:
        return "no rows\n"
    shown = pd.DataFrame(rows(frame, columns), columns=columns, dtype=object)
    cells = [[_short(value) for value in row] for row in shown.itertuples(index=False)]
    numeric = [all(isinstance(v, (int, float)) or v is None for v in shown[column]) for column in columns]
    widths = [max(len(name), *(len(row[i]) for row in cells)) for i, name in enumerate(columns)]
    aligned = [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in [columns, *cells]
    ]
    return "\n".join(aligned) + "\n"


def _short(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else safe_cell(str(_joined(value)))


FORMATS = {"text": to_text, "csv": to_csv, "json": to_json}

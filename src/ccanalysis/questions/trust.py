"""How far the tables of a question can be believed, and which of their periods are left out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pandas as pd

from ccanalysis.periods import Period
from ccanalysis.questions.data import Span
from ccanalysis.results import Results

_OF_SEVERITY = {"block": "not fit", "caution": "caution", "note": "fit"}
_RANK = {rating: rank for rank, rating in enumerate(("fit", "caution", "unknown", "not fit"))}


def trust(
    results: Results, uses: Sequence[str], present: Sequence[str], since: date, until: date
) -> tuple[list[dict[str, Any]], dict[str, list[Span]]]:
    """Rate the tables of a question over its window, for the whole centre.

    A period in which a rule blocks is left out and said; it does not make the whole window unfit. Where every period
    is blocked, the table is not fit and nothing is left out: what is shown then is shown as not fit.

    Args:
        results: The uncut results.
        uses: The tables that the question reads.
        present: The tables that were given.
        since: The first local day of the window.
        until: The first local day after it.

    Returns:
        One mapping per present table (`table`, `rating`, `reasons`), and the spans left out per table.
    """
    rules, history = results.expectations, results.rule_history
    told: list[dict[str, Any]] = []
    left_out: dict[str, list[Span]] = {}
    for table in uses:
        if table not in present:
            continue
        marks = _marks(rules, history, table, since, until)
        blocked = marks[marks["rating"] == "not fit"]
        spans = {label: Period.parse(label) for label in blocked["period"].unique()}
        looked_at = marks["period"].nunique()
        if spans and len(spans) < looked_at:
            left_out[table] = [(label, span.start, span.end) for label, span in sorted(spans.items())]
            marks = marks[~marks["period"].isin(list(spans))]
        worst = max(marks["rating"], key=_RANK.__getitem__) if len(marks) else "unknown"
        said = marks[(marks["rating"] == worst) & (marks["reason"] != "")] if worst != "fit" else marks.iloc[:0]
        reasons = list(dict.fromkeys(said["reason"])) or ([] if len(marks) else [f"No rule looked at {table!r}"])
        told.append({"table": table, "rating": worst, "reasons": reasons[:5]})
    return told, left_out


def _marks(rules: pd.DataFrame, history: pd.DataFrame, table: str, since: date, until: date) -> pd.DataFrame:
    """Rate each rule and period of a table within the window: period, rating, reason."""
    if rules.empty or history.empty:
        return pd.DataFrame(columns=["period", "rating", "reason"])
    own = rules.loc[rules["table"] == table, ["rule", "severity", "kpis"]]
    own = own[[not kpis for kpis in own["kpis"]]]  # a rule on one KPI is not held against the table
    marks = history[history["level"] == "centre"].merge(own[["rule", "severity"]], on="rule")
    spans = {label: Period.parse(label) for label in marks["period"].unique()}
    inside = {label for label, span in spans.items() if span.start >= since and span.end <= until}
    marks = marks[marks["period"].isin(inside)]
    rating = marks["severity"].map(_OF_SEVERITY).where(marks["outcome"] == "failed", "fit")
    broken = (marks["outcome"] == "not assessed") & (marks["cause"] != "nothing")
    return marks.assign(rating=rating.mask(broken, "unknown"), reason=marks["reason"].fillna(""))[
        ["period", "rating", "reason"]
    ]

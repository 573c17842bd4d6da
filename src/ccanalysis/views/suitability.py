"""Is each figure fit for the decision at hand: what it covers, how sure it is, and how much history it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ccanalysis import text
from ccanalysis.display import Column, Table
from ccanalysis.results import Results
from ccanalysis.verdicts import FULL_BASELINE, SHORT_BASELINE, VERDICT_COLUMNS
from ccanalysis.views import common


def suitability_table(results: Results) -> Table:
    """Show for each figure of the centre what it rests on: days, settling, cases, interval and earlier periods."""
    judged = common.frame(results, "verdicts", VERDICT_COLUMNS)
    coverage = common.frame(results, "coverage", ["table", "level", "period", "days_expected", "days_present"])
    coverage = coverage[(coverage["level"] == "centre") & (coverage["period"] == results.period.label)]
    rows: list[list[Any]] = []
    for _, row in judged[judged["level"] == "centre"].iterrows():
        about = common.about(results, row["kpi"])
        read = coverage[coverage["table"].isin(list(about.get("tables", ())))]
        rows.append(
            [
                about["name"],
                _days(read),
                _settled(row, read),
                _cases(row, int(about["minimum_n"])),
                _interval(row),
                _history(row),
            ]
        )
    columns: list[str | Column] = ["KPI", "Open days with rows", "Settled", "Cases", "Interval", "Earlier periods"]
    note = (
        "Half the interval is held against the tolerance. Where it is wider, a value near the target cannot be told"
        f" from it. Limits are drawn from {SHORT_BASELINE} points on, and hold from {FULL_BASELINE}."
    )
    return Table(columns=columns, rows=rows, caption="What each figure rests on", note=note)


def _days(read: pd.DataFrame) -> str:
    daily = read[read["days_expected"].notna()]
    if daily.empty:
        return "not told by day"
    worst = daily.loc[(daily["days_present"] / daily["days_expected"].clip(lower=1)).astype(float).idxmin()]
    present = min(int(worst["days_present"]), int(worst["days_expected"]))
    return f"{present} of {int(worst['days_expected'])}"


def _settled(row: Mapping[str, Any], read: pd.DataFrame) -> str:
    if row["provisional"]:
        return "no: provisional"
    told = read["settled"].dropna() if "settled" in read else pd.Series(dtype=bool)
    return "not told" if told.empty else "yes" if bool(told.all()) else "no: taken too early"


def _cases(row: Mapping[str, Any], least: int) -> str:
    n = 0 if pd.isna(row["n"]) else int(row["n"])
    return f"{text.number(n)}, enough" if n >= least else f"{text.number(n)} of {text.number(least)} needed"


def _interval(row: Mapping[str, Any]) -> str:
    if pd.isna(row["ci_low"]) or pd.isna(row["ci_high"]):
        return "none can be given"
    half, tolerance = (row["ci_high"] - row["ci_low"]) / 2, row["tolerance"]
    told = f"± {text.difference(half, row['unit_of_value'])}"
    if pd.isna(row["target"]):
        return f"{told}, no target"
    allowed = text.difference(tolerance, row["unit_of_value"])
    if not tolerance:
        return f"{told}, no tolerance"
    return f"{told}, within the tolerance of {allowed}" if half <= tolerance else f"{told}, wider than {allowed}"


def _history(row: Mapping[str, Any]) -> str:
    n = int(row["n_baseline"])
    if n < SHORT_BASELINE:
        return f"{n}, too few for limits"
    return f"{n}, enough" if n >= FULL_BASELINE else f"{n}, limits may still move"

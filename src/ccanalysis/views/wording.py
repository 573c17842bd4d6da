"""How figures of the other questions are worded: value, interval and n together, and whether a unit stands out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ccanalysis import text
from ccanalysis.display import Cell
from ccanalysis.results import Results
from ccanalysis.views import common

AGAINST = {
    "more": "more than the others, beyond chance",
    "fewer": "fewer than the others, beyond chance",
    "none": "no more than chance",
    "cannot tell": "cannot tell yet",
}


def _between(row: Mapping[str, Any], unit: str) -> str:
    """Write an interval in few words: 8.49 to 9.92; nothing where there is none."""
    if pd.isna(row["ci_low"]) or pd.isna(row["ci_high"]):
        return ""
    low, high = (text.value(row[end], unit).removesuffix(" per 1,000") for end in ("ci_low", "ci_high"))
    return f"{low} to {high}"


def measured(row: Mapping[str, Any], unit: str = "share", *, of: str = "") -> str:
    """Write a figure with its interval and n: 98.8% (likely 98.7% to 99.0%, n 38,942)."""
    around = f"likely {_between(row, unit)}" if _between(row, unit) else ""
    n = f"n {text.number(row['n'])}" + (f" {of}" if of else "")
    return f"{text.value(row['value'], unit)} ({', '.join(filter(None, [around, n]))})"


def figure(row: Mapping[str, Any], unit: str = "share") -> Cell:
    """Write a figure as a cell, with its interval beneath; the heading tells its unit. A hidden one says so."""
    if pd.isna(row["n"]):
        return Cell(text="not shown", note="few cases")
    return Cell(text=text.value(row["value"], unit).removesuffix(" per 1,000"), note=_between(row, unit))


def against(row: Mapping[str, Any]) -> Cell:
    """Say as a cell how a unit compares with its peers, and how many cases it would take to tell."""
    outcome = row.get("outcome")
    if not isinstance(outcome, str):
        return Cell(text="")
    needed = float(row.get("needed", float("nan")))
    note = f"from n {text.number(needed)}" if outcome == "cannot tell" and pd.notna(needed) else ""
    return Cell(text=AGAINST[outcome].capitalize(), note=note)


def count(value: Any) -> str:
    """Write a count of a table; a hidden one says so."""
    return "not shown" if pd.isna(value) else text.number(float(value))


def of_own(results: Results, frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows that an edition is about: the centre's, or those of a line manager's own teams."""
    if frame.empty:
        return frame
    if results.facts.get("audience") != "line_manager":
        return frame[frame["level"] == "centre"]
    _, units = common.own_units(results)
    return frame[(frame["level"] == "team") & frame["unit"].isin(units)]


def who(results: Results, row: Mapping[str, Any]) -> str:
    """Name the unit of a row as a sentence begins with it."""
    if row["level"] == "centre":
        return "The centre"
    return common.person(results, str(row["unit"])) if row["level"] == "agent" else str(row["unit"])

"""What the marks of a control chart say: which rule a point fits, and whether that is good news.

The shape tells the rule, the filling tells the meaning, the colour repeats the meaning. A point is marked only where
its verdict would be given: `verdicts` says from how many periods on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ccanalysis.charts.common import CHANGED, IMPROVING, INK, MUTED, WORSENING
from ccanalysis.verdicts import FULL_BASELINE, SHORT_BASELINE

# kind -> colour, filled, outline, word in the key, words in the table
_MEANINGS = {
    "improvement": (IMPROVING, True, 0, "better", "real improvement"),
    "concern": (WORSENING, True, 2, "worse", "real worsening"),
    "neutral": (CHANGED, False, 2, "changed", "real change"),
}
# rule -> shape, words in the key, words in the table by direction
_RULES = {
    "outside_limits": ("diamond", "outside the usual range", ("above the usual range", "below the usual range")),
    "trend": (
        "triangle",
        "7 in a row one way",
        ("one of seven periods in a row that rise", "one of seven periods in a row that fall"),
    ),
    "two_of_three": (
        "square",
        "2 of 3 near a limit",
        (
            "one of two in three periods close to the upper end of the usual range",
            "one of two in three periods close to the lower end of the usual range",
        ),
    ),
    "shift": (
        "cross",
        "7 in a row on one side",
        ("one of seven periods in a row above the average", "one of seven periods in a row below the average"),
    ),
}
_LEFT_OUT = {"unfit": "data not fit to use, so it is left out", "unsettled": "not settled yet, so it is left out"}
SIGNALS = tuple(_MEANINGS)


@dataclass(frozen=True)
class Mark:
    """How one kind of point is drawn and what it is called.

    Attributes:
        symbol: Plotly's name of the shape.
        colour: The colour.
        outline: Width of an outline in ink; 0 for none.
        key: What the key of the chart says.
        words: What hover and table say.
    """

    symbol: str
    colour: str
    outline: int
    key: str
    words: str


def kinds(line: pd.DataFrame) -> list[str]:
    """Say of each point what it is: `gap`, `unfit`, `unsettled`, `common`, or one of `SIGNALS`.

    Args:
        line: Rows of the series frame of one KPI, level and unit, in time order.
    """
    value, left_out = line["value"].astype(float), line["excluded"].astype(bool)
    told = line["rule"].astype(str).ne("") & line["centre"].notna()
    base = baselines(line)
    told &= (base >= SHORT_BASELINE) & ~((line["rule"] == "outside_limits") & (base < FULL_BASELINE))
    meanings = line["point"].astype(str).str.partition("_")[0]
    found = meanings.where(told & meanings.isin(SIGNALS), "common")
    unfit = line["rating"].eq("not fit") | ~line["provisional"].astype(bool)
    found = found.mask(left_out & unfit, "unfit").mask(left_out & ~unfit, "unsettled")
    return found.mask(value.isna(), "gap").tolist()


def baselines(line: pd.DataFrame) -> pd.Series:
    """Count for each point the periods that its usual range rests on, as verdicts count them."""
    used = line["value"].notna() & ~line["excluded"].astype(bool)
    return used.groupby(line["part"]).transform("sum")


def mark_of(row: Mapping[str, Any], kind: str) -> Mark | None:
    """Return how a point is marked; None for a gap and for the usual ups and downs."""
    if kind in _LEFT_OUT:
        return Mark("circle-open", MUTED, 0, "left out: not fit or not settled", _LEFT_OUT[kind])
    if kind not in _MEANINGS:
        return None
    colour, filled, outline, word, words = _MEANINGS[kind]
    rule, low = str(row["rule"]), str(row["point"]).endswith("low")
    shape, key, told = _RULES.get(rule, ("diamond", rule.replace("_", " "), (rule.replace("_", " "),) * 2))
    symbol = shape if shape != "triangle" else "triangle-down" if low else "triangle-up"
    return Mark(
        symbol if filled else f"{symbol}-open",
        colour,
        outline if filled else 0,
        f"{word}: {key}",
        f"{words}: {told[low]}",
    )


def marker(mark: Mark) -> dict[str, Any]:
    """Return plotly's settings of a mark."""
    line = {"color": INK, "width": mark.outline} if mark.outline else {"width": 2 if "-open" in mark.symbol else 0}
    return {"color": mark.colour, "symbol": mark.symbol, "size": 8 if mark.colour == MUTED else 11, "line": line}

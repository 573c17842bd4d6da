"""Colours, units, names and layout that all charts share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ccanalysis.display import COLOURS, clean

INK, MUTED, LINE, BAND = (COLOURS[name][0] for name in ("ink", "muted", "line", "band"))
SERIES, TARGET, MISSED = (COLOURS[name][0] for name in ("series_1", "target", "missed"))
IMPROVING, WORSENING, CHANGED = (COLOURS[name][0] for name in ("improving", "worsening", "changed"))
LONGEST_NAME = 24
_AXES = {"share": "%", "s": "seconds", "per_1000": "per 1,000", "points": "points"}
_HOVER = {"share": ".1f}%", "s": ",.1f} s", "per_1000": ",.2f} per 1,000", "points": ",.1f} points", "money": ",.2f}"}


def factor_of(unit: str) -> float:
    """Return what values of a unit are multiplied by for display: shares are shown in per cent."""
    return 100.0 if unit == "share" else 1.0


def scaled(values: pd.Series, unit: str, *, digits: int = 3) -> list[float | None]:
    """Return values as they are drawn; what is missing stays a gap."""
    factor = factor_of(unit)
    return [None if np.isnan(value) else round(value * factor, digits) for value in values.astype(float)]


def possible(values: pd.Series, unit: str) -> pd.Series:
    """Keep limits within what the unit allows: a share lies between 0 and 1, and only points fall below 0."""
    values = values.astype(float)
    if unit == "share":
        return values.clip(0.0, 1.0)
    return values if unit == "points" else values.clip(lower=0.0)


def axis(unit: str) -> str:
    """Name an axis by its unit; the chart's heading names the KPI."""
    return _AXES.get(unit, "")


def hover(letter: str, unit: str) -> str:
    """Return plotly's placeholder for a value with its unit."""
    return f"%{{{letter}:{_HOVER.get(unit, ',.1f}')}"


def span(values: Iterable[float | None], unit: str) -> list[float] | None:
    """Return a range that holds these drawn values with some room, and no share beyond 0 to 100 %."""
    known = [value for value in values if value is not None and not np.isnan(value)]
    if not known:
        return None
    low, high = min(known), max(known)
    room = max(0.08 * (high - low), 0.01 * max(abs(low), abs(high)), 0.5 if unit == "share" else 0.05)
    ends = [low - room, high + room]
    if unit == "share":  # half a mark of room beyond the ends
        ends = [max(ends[0], -1.5), min(ends[1], 101.5)]
    elif unit != "points" and low >= 0:
        ends[0] = max(ends[0], -0.02 * (high + room))
    return [round(end, 3) for end in ends]


def short(name: str) -> str:
    """Return a name that fits beside an axis, its end kept, for that is where long names differ.

    Examples:
        >>> short("North"), short("Customer Services North West, Team 12")
        ('North', 'Customer Servic… Team 12')
    """
    name = clean(name)
    return name if len(name) <= LONGEST_NAME else f"{name[:15]}…{name[-8:]}"


def named(names: Sequence[str]) -> dict[str, Any]:
    """Return what a category axis needs to show these names, the long ones shortened."""
    settings: dict[str, Any] = {"type": "category", "categoryorder": "array", "categoryarray": list(names)}
    if any(len(name) > LONGEST_NAME for name in names):
        settings |= {"tickmode": "array", "tickvals": list(names), "ticktext": [short(name) for name in names]}
    return settings


def lay_out(figure: go.Figure, axis: str, *, height: int = 320) -> None:
    """Give a chart the look of all charts; `axis` names its upright axis."""
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 64, "r": 16, "t": 84, "b": 48},
        font={"color": INK, "size": 12},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hovermode="closest",
    )
    figure.update_xaxes(type="category", nticks=9, linecolor=LINE, tickangle=0, showgrid=False)
    figure.update_yaxes(title={"text": axis, "standoff": 8}, gridcolor=LINE, zeroline=False)

"""Units side by side with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ccanalysis import text
from ccanalysis.charts.common import (
    INK,
    LINE,
    MISSED,
    MUTED,
    SERIES,
    TARGET,
    axis,
    hover,
    lay_out,
    named,
    scaled,
)
from ccanalysis.display import COLOURS, Column, Figure, Table

# Each verdict has a shape of its own. The colour of a miss is for real misses only, where no interval reaches the
# target; what could be chance is drawn hollow.
STATUS_MARKS = {
    "met": ("circle", SERIES),
    "within_tolerance": ("circle-open", SERIES),
    "missed_chance": ("triangle-up-open", COLOURS["series_5"][0]),
    "missed_real": ("triangle-up", MISSED),
    "cannot_meet": ("square", MISSED),
    "not_judged": ("diamond-open", MUTED),
    "no_target": ("diamond", INK),
}


def comparison_chart(
    verdicts: pd.DataFrame, about: Mapping[str, Any], *, title: str, names: Mapping[str, str] | None = None
) -> Figure:
    """Draw the units of one level side by side with their intervals and the target, in name order: no ranking.

    Args:
        verdicts: Rows of the verdicts frame of one KPI and level; one without a value is left to the table.
        about: The KPI's row of the register frame.
        title: What stands above it.
        names: What to call units, where not by their own names.
    """
    unit = about["unit_of_value"]
    called = verdicts["unit"].map(lambda own: (names or {}).get(own, own)).astype(str)
    rows = verdicts.assign(called=called).sort_values("called", ascending=False)
    shown = rows[rows["value"].notna()]
    figure = go.Figure()
    for status, (symbol, colour) in STATUS_MARKS.items():
        part = shown[shown["status"] == status]
        if len(part):
            _add_status(figure, part, unit, name=text.STATUS_WORDS[status], symbol=symbol, colour=colour)
    for column in ("target", "target_high"):
        aimed = shown[shown[column].notna()]
        if len(aimed):
            figure.add_scatter(
                x=scaled(aimed[column], unit),
                y=aimed["called"].tolist(),
                mode="markers",
                marker={"symbol": "line-ns-open", "color": TARGET, "size": 16, "line": {"width": 2}},
                name="Target",
                showlegend=column == "target",
                hovertemplate=f"target {hover('x', unit)}<extra></extra>",
            )
    lay_out(figure, "", height=120 + 34 * len(shown))
    figure.update_xaxes(type="linear", title={"text": axis(unit)}, gridcolor=LINE, showgrid=True, nticks=8)
    figure.update_yaxes(automargin=True, showgrid=False, **named(shown["called"].tolist()))
    return Figure(figure, title=title, alt=_told(rows, about, title), data=_table(rows, about, title))


def _add_status(figure: go.Figure, part: pd.DataFrame, unit: str, *, name: str, symbol: str, colour: str) -> None:
    values, low, high = (scaled(part[column], unit) for column in ("value", "ci_low", "ci_high"))
    ends = list(zip(values, low, high, strict=True))
    figure.add_scatter(
        x=values,
        y=part["called"].tolist(),
        mode="markers",
        marker={
            "color": colour,
            "symbol": symbol,
            "size": 13 if symbol.startswith("triangle") else 10,
            "opacity": 1,
            "line": {"width": 2 if symbol.endswith("-open") else 0},
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [0 if end is None or value is None else round(end - value, 3) for value, _, end in ends],
            "arrayminus": [0 if end is None or value is None else round(value - end, 3) for value, end, _ in ends],
            "color": MUTED,
            "thickness": 1.5,
        },
        name=name,
        showlegend=True,
        hovertemplate=f"%{{y}}: {hover('x', unit)}<br>{name}<extra></extra>",
    )


def _told(rows: pd.DataFrame, about: Mapping[str, Any], title: str) -> str:
    unit, known = about["unit_of_value"], rows["value"].dropna()
    if known.empty:
        return f"{title}: no data."
    counts = rows["status"].value_counts()
    words = [f"{text.STATUS_WORDS[status].lower()} {counts[status]}" for status in STATUS_MARKS if status in counts]
    return (
        f"{title}, {text.count(len(rows), 'unit')} with intervals, between {text.value(known.min(), unit)} and "
        f"{text.value(known.max(), unit)}: {', '.join(words)}."
    )


def _table(rows: pd.DataFrame, about: Mapping[str, Any], title: str) -> Table:
    unit = about["unit_of_value"]
    columns: list[str | Column] = [
        "Unit",
        Column(label=about["name"], align="right"),
        Column(label="n", align="right"),
        "Likely between",
        "Target",
        "Verdict",
    ]
    shown = [
        [
            row["called"],
            text.value(row["value"], unit),
            None if np.isnan(row["n"]) else int(row["n"]),
            text.interval(row).removeprefix("likely between "),
            text.target(row["target"], row["target_high"], row["better"], unit),
            text.STATUS_WORDS[row["status"]],
        ]
        for _, row in rows.iloc[::-1].iterrows()
    ]
    return Table(columns=columns, rows=shown, caption=title)

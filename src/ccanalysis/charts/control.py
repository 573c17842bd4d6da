"""The control chart: the course of one KPI with its usual range and target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ccanalysis import text
from ccanalysis.charts.common import IMPROVING, INK, MUTED, SERIES, TARGET, WORSENING, axis, lay_out, scaled
from ccanalysis.display import COLOURS, Column, Figure, Table

# A mark's shape tells what its colour tells.
_MARKS = {
    "improvement": (IMPROVING, "diamond", "real improvement"),
    "concern": (WORSENING, "square", "real worsening"),
    "neutral": (COLOURS["series_4"][0], "triangle-up", "real change"),
    "common": (INK, "circle", "usual ups and downs"),
}


def control_chart(line: pd.DataFrame, about: Mapping[str, Any], *, title: str = "") -> Figure:
    """Draw the course of one KPI of one unit with its usual range and target.

    Args:
        line: Rows of the series frame of one KPI, level and unit, in time order.
        about: The KPI's row of the register frame.
        title: What stands above it; the KPI and the unit where not given.

    Returns:
        The chart, with its data as a table.
    """
    unit = about["unit_of_value"]
    factor, suffix = (100.0, "%") if unit == "share" else (1.0, "")
    periods, values = line["period"].tolist(), scaled(line["value"], factor)
    kinds = [_kind(point, excluded) for point, excluded in zip(line["point"], line["excluded"], strict=True)]
    figure = go.Figure()
    for column, dash in (("upper", "dot"), ("lower", "dot"), ("centre", "dash")):
        shown = line[column].clip(lower=0, upper=1) if unit == "share" else line[column].clip(lower=0)
        name = "average" if column == "centre" else "usual range"
        figure.add_scatter(
            x=periods,
            y=scaled(shown, factor),
            mode="lines",
            line={"color": MUTED, "width": 1, "dash": dash},
            name=name,
            showlegend=column != "lower",
            hoverinfo="skip",
        )
    for column in ("target", "target_high"):
        if line[column].notna().any():
            figure.add_scatter(
                x=periods,
                y=scaled(line[column], factor),
                mode="lines",
                line={"color": TARGET, "width": 1.5},
                name="target",
                showlegend=column == "target",
                hoverinfo="skip",
            )
    figure.add_scatter(
        x=periods,
        y=values,
        mode="lines+markers",
        line={"color": SERIES, "width": 1.5},
        marker={
            "color": [MUTED if kind == "excluded" else _MARKS[kind][0] for kind in kinds],
            "symbol": ["circle-open" if kind == "excluded" else _MARKS[kind][1] for kind in kinds],
            "size": [9 if kind not in ("common", "excluded") else 6 for kind in kinds],
        },
        name=about["name"],
        showlegend=False,
        hovertemplate="%{x}: %{y:.1f}" + suffix + "<extra></extra>",
    )
    who = "the centre" if line["level"].iloc[0] == "centre" else str(line["unit"].iloc[0])
    lay_out(figure, axis(about["name"], unit))
    return Figure(
        figure,
        title=title or f"{about['name']}: {who}",
        alt=_course(line, about, who, kinds),
        data=_series_table(line, about, who),
    )


def _kind(point: str, excluded: bool) -> str:
    return "excluded" if excluded else point.split("_", maxsplit=1)[0]


def _course(line: pd.DataFrame, about: Mapping[str, Any], who: str, kinds: list[str]) -> str:
    known = line[line["value"].notna()]
    if known.empty:
        return f"{about['name']} of {who}: no data."
    unit, latest = about["unit_of_value"], known.iloc[-1]
    words = [f"{about['name']} of {who} from {known['period'].iloc[0]} to {latest['period']}:"]
    low, high = text.value(known["value"].min(), unit), text.value(known["value"].max(), unit)
    words.append(f"between {low} and {high}, last {text.value(latest['value'], unit)}.")
    marked = sum(kind in ("improvement", "concern", "neutral") for kind in kinds)
    words.append(f"{text.count(marked, 'period').capitalize()} marked as a real change.")
    missing = int(line["value"].isna().sum())
    if missing:
        words.append(f"{text.count(missing, 'period').capitalize()} without data.")
    return " ".join(words)


def _series_table(line: pd.DataFrame, about: Mapping[str, Any], who: str) -> Table:
    unit = about["unit_of_value"]
    rows = []
    for _, row in line.iterrows():
        mark = _mark(row)
        usual = (
            ""
            if np.isnan(row["lower"])
            else f"{text.value(max(row['lower'], 0), unit)} to {text.value(row['upper'], unit)}"
        )
        n = None if np.isnan(row["n"]) else int(row["n"])
        rows.append([row["period"], text.value(row["value"], unit), n, usual, mark])
    columns: list[str | Column] = [
        "Period",
        Column(label=about["name"], align="right"),
        Column(label="n", align="right"),
        Column(label="Usual range", align="right"),
        "Mark",
    ]
    return Table(columns=columns, rows=rows, caption=f"{about['name']}, {who}")


def _mark(row: Mapping[str, Any]) -> str:
    """Say in words what the shape of a point says."""
    if np.isnan(row["value"]):
        return ""
    kind = _kind(row["point"], row["excluded"])
    if kind == "excluded":
        return "not fit or not settled"
    return "" if kind == "common" else _MARKS[kind][2]

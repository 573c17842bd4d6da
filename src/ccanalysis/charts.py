"""Charts: frames in, figures out. They draw columns that are already there and compute nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ccanalysis import text
from ccanalysis.display import COLOURS, Column, Figure, Table

_INK, _MUTED, _LINE, _BAND = (COLOURS[name][0] for name in ("ink", "muted", "line", "band"))
_SERIES, _IMPROVING, _WORSENING, _TARGET = (
    COLOURS[name][0] for name in ("series_1", "improving", "worsening", "target")
)
# A mark's shape tells what its colour tells.
_MARKS = {
    "improvement": (_IMPROVING, "diamond", "real improvement"),
    "concern": (_WORSENING, "square", "real worsening"),
    "neutral": (COLOURS["series_4"][0], "triangle-up", "real change"),
    "common": (_INK, "circle", "usual ups and downs"),
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
    periods, values = line["period"].tolist(), _scaled(line["value"], factor)
    kinds = [_kind(point, excluded) for point, excluded in zip(line["point"], line["excluded"], strict=True)]
    figure = go.Figure()
    for column, dash in (("upper", "dot"), ("lower", "dot"), ("centre", "dash")):
        shown = line[column].clip(lower=0, upper=1) if unit == "share" else line[column].clip(lower=0)
        name = "average" if column == "centre" else "usual range"
        figure.add_scatter(
            x=periods,
            y=_scaled(shown, factor),
            mode="lines",
            line={"color": _MUTED, "width": 1, "dash": dash},
            name=name,
            showlegend=column != "lower",
            hoverinfo="skip",
        )
    for column in ("target", "target_high"):
        if line[column].notna().any():
            figure.add_scatter(
                x=periods,
                y=_scaled(line[column], factor),
                mode="lines",
                line={"color": _TARGET, "width": 1.5},
                name="target",
                showlegend=column == "target",
                hoverinfo="skip",
            )
    figure.add_scatter(
        x=periods,
        y=values,
        mode="lines+markers",
        line={"color": _SERIES, "width": 1.5},
        marker={
            "color": [_MUTED if kind == "excluded" else _MARKS[kind][0] for kind in kinds],
            "symbol": ["circle-open" if kind == "excluded" else _MARKS[kind][1] for kind in kinds],
            "size": [9 if kind not in ("common", "excluded") else 6 for kind in kinds],
        },
        name=about["name"],
        showlegend=False,
        hovertemplate="%{x}: %{y:.1f}" + suffix + "<extra></extra>",
    )
    who = "the centre" if line["level"].iloc[0] == "centre" else str(line["unit"].iloc[0])
    _lay_out(figure, _axis(about["name"], unit))
    return Figure(
        figure,
        title=title or f"{about['name']}: {who}",
        alt=_course(line, about, who, kinds),
        data=_series_table(line, about, who),
    )


def _scaled(values: pd.Series, factor: float) -> list[float | None]:
    return [None if np.isnan(value) else round(value * factor, 4) for value in values.astype(float)]


def _kind(point: str, excluded: bool) -> str:
    return "excluded" if excluded else point.split("_", maxsplit=1)[0]


def _axis(name: str, unit: str) -> str:
    return {"share": f"{name}, %", "s": f"{name}, seconds", "per_1000": f"{name}"}.get(unit, name)


def _lay_out(figure: go.Figure, axis: str, *, height: int = 320) -> None:
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 64, "r": 16, "t": 16, "b": 56},
        font={"color": _INK, "size": 12},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": 1.12, "x": 0},
        hovermode="closest",
    )
    figure.update_xaxes(type="category", nticks=9, linecolor=_LINE, tickangle=0, showgrid=False)
    figure.update_yaxes(title={"text": axis, "standoff": 8}, gridcolor=_LINE, zeroline=False)


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


def comparison_chart(verdicts: pd.DataFrame, about: Mapping[str, Any], *, title: str) -> Figure:
    """Draw the units of one level side by side with their intervals and the target, in name order: no ranking.

    Args:
        verdicts: Rows of the verdicts frame of one KPI and level.
        about: The KPI's row of the register frame.
        title: What stands above it.
    """
    unit = about["unit_of_value"]
    factor = 100.0 if unit == "share" else 1.0
    rows = verdicts.sort_values("unit", ascending=False)
    figure = go.Figure()
    colours = {"missed_real": _WORSENING, "cannot_meet": _WORSENING}
    values = _scaled(rows["value"], factor)
    above = (rows["ci_high"] - rows["value"]) * factor
    below = (rows["value"] - rows["ci_low"]) * factor
    figure.add_scatter(
        x=values,
        y=rows["unit"].tolist(),
        mode="markers",
        marker={
            "color": [colours.get(status, _SERIES) for status in rows["status"]],
            "symbol": ["square" if status in colours else "circle" for status in rows["status"]],
            "size": 9,
        },
        error_x={
            "type": "data",
            "array": above.fillna(0).round(4).tolist(),
            "arrayminus": below.fillna(0).round(4).tolist(),
            "color": _MUTED,
            "thickness": 1.5,
        },
        showlegend=False,
        hovertemplate="%{y}: %{x:.1f}<extra></extra>",
    )
    for bound in (rows["target"].max(), rows["target_high"].max()):
        if not np.isnan(bound):
            figure.add_scatter(
                x=[bound * factor] * 2,
                y=[rows["unit"].iloc[0], rows["unit"].iloc[-1]],
                mode="lines",
                line={"color": _TARGET, "width": 1.5},
                name="target",
                hoverinfo="skip",
                showlegend=bool(bound == rows["target"].max()),
            )
    _lay_out(figure, "", height=90 + 34 * len(rows))
    figure.update_xaxes(type="linear", title={"text": _axis(about["name"], unit)}, gridcolor=_LINE, showgrid=True)
    figure.update_yaxes(type="category", automargin=True, showgrid=False)
    table = Table(
        columns=[
            "Unit",
            Column(label=about["name"], align="right"),
            Column(label="n", align="right"),
            "Likely between",
            "Verdict",
        ],
        rows=[
            [
                row["unit"],
                text.value(row["value"], unit),
                None if np.isnan(row["n"]) else int(row["n"]),
                text.interval(row).removeprefix("likely between "),
                text.STATUS_WORDS[row["status"]],
            ]
            for _, row in verdicts.sort_values("unit").iterrows()
        ],
        caption=title,
    )
    missed = int(rows["status"].isin(list(colours)).sum())
    alt = f"{about['name']} of {len(rows)} units with intervals; {text.count(missed, 'unit')} with a real miss."
    return Figure(figure, title=title, alt=alt, data=table)


def history_chart(history: pd.DataFrame, *, title: str, caption: str) -> Figure:
    """Draw how many rules failed in each period: is the data getting better?

    Args:
        history: `period` and `n_failed_rules`, in time order.
        title: What stands above it.
        caption: What the table shows.
    """
    figure = go.Figure()
    figure.add_bar(
        x=history["period"].tolist(),
        y=history["n_failed_rules"].tolist(),
        marker={"color": _SERIES},
        hovertemplate="%{x}: %{y} rules<extra></extra>",
    )
    _lay_out(figure, "rules that failed", height=260)
    rows = [[period, int(n)] for period, n in zip(history["period"], history["n_failed_rules"], strict=True)]
    worst = history.loc[history["n_failed_rules"].idxmax()]
    alt = f"Rules that failed per period; most in {worst['period']} ({int(worst['n_failed_rules'])})."
    columns: list[str | Column] = ["Period", Column(label="Rules that failed", align="right")]
    return Figure(figure, title=title, alt=alt, data=Table(columns=columns, rows=rows, caption=caption))

"""What a change and a gap are made of: the waterfall and the Pareto chart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from ccanalysis import text
from ccanalysis.charts.common import (
    CHANGED,
    IMPROVING,
    INK,
    LINE,
    MUTED,
    WORSENING,
    axis,
    factor_of,
    hover,
    lay_out,
    short,
    span,
)
from ccanalysis.display import Column, Figure, Table
from ccanalysis.drivers import DIGITS, part_name

# How much of a row a bar takes, whichever rows its trace has.
_WIDE = 0.7
_UNITS = {"share": "percentage points"}
_DIFFERENCES = {"share": "points", "s": "s", "per_1000": "per 1,000", "points": "points"}


def change_waterfall_chart(
    steps: pd.DataFrame, about: Mapping[str, Any], *, title: str, dimension: str, word: str, before: str, now: str
) -> Figure:
    """Draw how a figure came from the period before to this one: its mix, the parts, all others.

    A bar that ends in an arrow to the right raises the figure, one to the left lowers it; the colour says whether that
    is better. The two whole figures are diamonds.

    Args:
        steps: What `drivers.steps` returned.
        about: The KPI's row of the register frame.
        title: What stands above it.
        dimension: What the parts are.
        word: What the dimension is called here.
        before: The period before.
        now: The period.
    """
    unit, factor = about["unit_of_value"], factor_of(about["unit_of_value"])
    named = {"before": before, "now": now, "mix": f"another mix by {word}"}
    labels = [named.get(part, part_name(part, dimension)) for part in steps["part"]]
    moves, amounts = steps[steps["kind"] != "whole"], steps["printed"].tolist()
    places = list(range(len(steps)))
    ends = [round(float(end) * factor, 4) for end in steps["end"]]
    figure = go.Figure()
    links: list[float | None] = []
    heights: list[float | None] = []
    for place in places[:-1]:
        links += [ends[place], ends[place], None]
        heights += [place, place + 1, None]
    figure.add_scatter(
        x=links,
        y=heights,
        mode="lines",
        line={"color": MUTED, "width": 1, "dash": "dot"},
        showlegend=False,
        hoverinfo="skip",
    )
    for rises in (True, False):
        part = moves[(moves["amount"] > 0) if rises else (moves["amount"] < 0)]
        if part.empty:
            continue
        colour, name = _meaning(rises, str(about["better"]))
        rows = part.index.tolist()
        figure.add_bar(
            x=[round(float(amount) * factor, 4) for amount in part["amount"]],
            y=rows,
            base=[round(float(begin) * factor, 4) for begin in part["begin"]],
            orientation="h",
            width=_WIDE,
            marker={"color": colour},
            showlegend=False,
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=[ends[row] for row in rows],
            y=rows,
            mode="markers",
            marker={"symbol": "triangle-right" if rises else "triangle-left", "size": 13, "color": colour},
            name=name,
            customdata=[f"{labels[row]}: {_signed(amounts[row], unit)} {_DIFFERENCES.get(unit, '')}" for row in rows],
            hovertemplate="%{customdata}<extra></extra>",
        )
    whole = steps.index[steps["kind"] == "whole"].tolist()
    figure.add_scatter(
        x=[ends[row] for row in whole],
        y=whole,
        mode="markers",
        marker={"symbol": "diamond", "size": 12, "color": INK},
        name="whole figure",
        customdata=[labels[row] for row in whole],
        hovertemplate=f"%{{customdata}}: {hover('x', unit)}<extra></extra>",
    )
    _lay_out_parts(figure, [_label(labels[row], amounts, row, steps, unit) for row in places])
    drawn = [*ends, *(round(float(begin) * factor, 4) for begin in steps["begin"])]
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(type="linear", title={"text": axis(unit)}, range=_room(span(drawn, unit)), nticks=6)
    return Figure(
        figure,
        title=title,
        alt=_course(steps, labels, amounts, unit, title),
        data=_steps_table(steps, labels, amounts, about, title, word),
    )


def gap_pareto_chart(parts: pd.DataFrame, about: Mapping[str, Any], *, title: str, dimension: str, word: str) -> Figure:
    """Draw which parts a gap comes from, the largest first, with their running total.

    A part that is named as a driver has a full bar with a diamond; the others could be chance. What lies left of the
    line makes up for some of the gap.

    Args:
        parts: What `drivers.vital_few` returned.
        about: The KPI's row of the register frame.
        title: What stands above it.
        dimension: What the parts are.
        word: What the dimension is called here.
    """
    unit, factor = about["unit_of_value"], factor_of(about["unit_of_value"])
    amounts = parts["printed"].tolist()
    labels = [part_name(part, dimension) for part in parts["part"]]
    drawn = [round(float(amount) * factor, 4) for amount in parts["amount"]]
    running = [round(float(value) * factor, 4) for value in parts["running"]]
    places = list(range(len(parts)))
    groups = (
        ("more than chance", WORSENING, parts["driver"].astype(bool)),
        ("could be chance", MUTED, ~parts["driver"].astype(bool) & (parts["amount"] > 0)),
        ("makes up for some", IMPROVING, ~parts["driver"].astype(bool) & (parts["amount"] <= 0)),
    )
    figure = go.Figure()
    for name, colour, chosen in groups:
        rows = parts.index[chosen].tolist()
        if rows:
            figure.add_bar(
                x=[drawn[row] for row in rows],
                y=rows,
                orientation="h",
                width=_WIDE,
                marker={"color": colour},
                name=name,
                customdata=[f"{labels[row]}: {_signed(amounts[row], unit)}" for row in rows],
                hovertemplate=f"%{{customdata}} {_DIFFERENCES.get(unit, '')}<br>{name}<extra></extra>",
            )
    sure = parts.index[parts["driver"].astype(bool)].tolist()
    if sure:
        figure.add_scatter(
            x=[drawn[row] for row in sure],
            y=sure,
            mode="markers",
            marker={"symbol": "diamond", "size": 12, "color": WORSENING, "line": {"color": INK, "width": 1}},
            showlegend=False,
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=running,
        y=places,
        mode="lines+markers",
        line={"color": INK, "width": 1.5},
        marker={"symbol": "circle-open", "size": 8, "color": INK},
        name="running total",
        customdata=[f"{share:.0%}" for share in parts["share"]],
        hovertemplate="running total: %{customdata} of the gap<extra></extra>",
    )
    _lay_out_parts(
        figure, [f"{short(label)} {_signed(amount, unit)}" for label, amount in zip(labels, amounts, strict=True)]
    )
    figure.update_layout(barmode="overlay")
    low, high = min(0.0, *drawn, *running), max(0.0, *drawn, *running)
    figure.update_xaxes(
        type="linear",
        title={"text": f"{_UNITS.get(unit, axis(unit))} of the gap"},
        range=[round(low - 0.06 * (high - low), 3), round(high + 0.06 * (high - low), 3)],
        zeroline=True,
        zerolinecolor=INK,
        nticks=6,
    )
    return Figure(
        figure,
        title=title,
        alt=_gap_told(parts, labels, amounts, unit, title),
        data=_gap_table(parts, labels, amounts, about, title, word),
    )


def _meaning(rises: bool, better: str) -> tuple[str, str]:
    """Return the colour and the word of a step by whether it is for the better."""
    arrow = "raises it" if rises else "lowers it"
    if better == "within":
        return CHANGED, arrow
    good = rises == (better == "up")
    return (IMPROVING, f"{arrow}: better") if good else (WORSENING, f"{arrow}: worse")


def _signed(amount: float, unit: str) -> str:
    return f"{amount:+z,.{DIGITS.get(unit, 1)}f}"


def _label(label: str, amounts: list[float], row: int, steps: pd.DataFrame, unit: str) -> str:
    if steps["kind"].iloc[row] == "whole":
        return f"{short(label)} {text.value(float(steps['end'].iloc[row]), unit)}"
    return f"{short(label)} {_signed(amounts[row], unit)}"


def _lay_out_parts(figure: go.Figure, labels: list[str]) -> None:
    """Set one part a row, the first at the top, with its amount beside its name: there is no room for it on a phone."""
    lay_out(figure, "", height=140 + 30 * len(labels))
    figure.update_xaxes(gridcolor=LINE, showgrid=True)
    figure.update_yaxes(
        type="linear",
        tickmode="array",
        tickvals=list(range(len(labels))),
        ticktext=labels,
        range=[len(labels) - 0.5, -0.5],
        automargin=True,
        showgrid=False,
    )


def _room(ends: list[float] | None) -> list[float] | None:
    """Leave room for the arrows."""
    if ends is None:
        return None
    room = 0.04 * (ends[1] - ends[0])
    return [round(ends[0] - room, 3), round(ends[1] + room, 3)]


def _course(steps: pd.DataFrame, labels: list[str], amounts: list[float], unit: str, title: str) -> str:
    start, end = float(steps["end"].iloc[0]), float(steps["end"].iloc[-1])
    moves = [f"{labels[row]} {_signed(amounts[row], unit)}" for row in steps.index[steps["kind"] != "whole"]]
    between = f"from {text.value(start, unit)} to {text.value(end, unit)}"
    return f"{title}: {between}, in {_UNITS.get(unit, axis(unit))}: {', '.join(moves)}."


def _steps_table(
    steps: pd.DataFrame,
    labels: list[str],
    amounts: list[float],
    about: Mapping[str, Any],
    title: str,
    word: str,
) -> Table:
    unit = about["unit_of_value"]
    words = {"whole": "", "mix": "mix", "part": "rate", "rest": "rate"}
    rows = [
        [
            labels[row],
            "" if kind == "whole" else _signed(amounts[row], unit),
            text.value(float(steps["end"].iloc[row]), unit),
            words[kind] + (", more than chance" if steps["driver"].iloc[row] else ""),
        ]
        for row, kind in enumerate(steps["kind"])
    ]
    columns: list[str | Column] = [
        word.capitalize(),
        Column(label="Step", unit=_UNITS.get(unit, axis(unit)), align="right"),
        Column(label=str(about["name"]), align="right"),
        "What it is",
    ]
    return Table(columns=columns, rows=rows, caption=title, note="The steps add up to the change exactly.")


def _gap_told(parts: pd.DataFrame, labels: list[str], amounts: list[float], unit: str, title: str) -> str:
    listed = ", ".join(f"{label} {_signed(amount, unit)}" for label, amount in zip(labels, amounts, strict=True))
    named = [label for label, driver in zip(labels, parts["driver"], strict=True) if driver]
    sure = f"More than chance: {text.listed(named)}." if named else "Each of them could be chance."
    return f"{title}, in {_UNITS.get(unit, axis(unit))}: {listed}. {sure}"


def _gap_table(
    parts: pd.DataFrame,
    labels: list[str],
    amounts: list[float],
    about: Mapping[str, Any],
    title: str,
    word: str,
) -> Table:
    unit = about["unit_of_value"]
    running = [sum(amounts[: row + 1]) for row in range(len(amounts))]
    rows = [
        [
            label,
            _signed(amounts[row], unit),
            _signed(running[row], unit),
            f"{parts['share'].iloc[row]:.0%}",
            "more than chance" if parts["driver"].iloc[row] else "",
        ]
        for row, label in enumerate(labels)
    ]
    columns: list[str | Column] = [
        word.capitalize(),
        Column(label="Adds to the gap", unit=_UNITS.get(unit, axis(unit)), align="right"),
        Column(label="Running total", unit=_UNITS.get(unit, axis(unit)), align="right"),
        Column(label="Share of the gap", align="right"),
        "Driver",
    ]
    return Table(
        columns=columns,
        rows=rows,
        caption=title,
        note="The parts add up to the gap exactly; those that meet the target make up for some of it.",
    )

"""The funnel: units against how many cases they have, with the limits of chance about the whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ccanalysis import text
from ccanalysis.charts.common import CHANGED, LINE, MUTED, SERIES, TARGET, axis, hover, lay_out, possible, scaled, short
from ccanalysis.display import Column, Figure, Table

# How far out a unit lies -> shape, colour, words in the key. To differ from the others is no miss: neither colour of
# good or bad is used.
FUNNEL_MARKS = {
    "": ("circle", SERIES, "within chance"),
    "95": ("circle-open", SERIES, "near the limit"),
    "998": ("diamond", CHANGED, "more than chance"),
}
_WORDS = {
    "": "no more different than chance makes it",
    "low_95": "low, but one in twenty is by chance",
    "high_95": "high, but one in twenty is by chance",
    "low_998": "lower than chance explains",
    "high_998": "higher than chance explains",
}
# What takes the place of "chance" where the limits allow for the usual differences between units.
_USUAL = {
    "": "no more different than units here usually are",
    "low_95": "low, but within what is usual in one of twenty",
    "high_95": "high, but within what is usual in one of twenty",
    "low_998": "lower than units here usually are",
    "high_998": "higher than units here usually are",
}
_LINES = {"95": "dot", "998": "dash"}


def funnel_chart(
    units: pd.DataFrame,
    limits: pd.DataFrame,
    about: Mapping[str, Any],
    *,
    title: str,
    centre: float,
    target: tuple[float, float] = (np.nan, np.nan),
    adjusted: bool = False,
) -> Figure:
    """Draw units by size and value, with the limits that chance alone would keep them in.

    Args:
        units: `called`, `n`, `value` and `flag` ("", "low_95", "high_95", "low_998" or "high_998") of each unit.
        limits: `n` ascending, with `lower_95`, `upper_95`, `lower_998` and `upper_998`, in the unit of the value.
        about: The KPI's row of the register frame.
        title: What stands above it.
        centre: The value of the whole.
        target: The target, or both ends of it; NaN for none.
        adjusted: Whether the limits allow for the usual spread between units.
    """
    unit = about["unit_of_value"]
    figure = go.Figure()
    across = limits["n"].round(1).tolist()
    for suffix, dash in _LINES.items():
        share = {"95": "95 %", "998": "99.8 %"}[suffix]
        for side in ("lower", "upper"):
            figure.add_scatter(
                x=across,
                y=scaled(possible(limits[f"{side}_{suffix}"], unit), unit),
                mode="lines",
                line={"color": MUTED, "width": 1.2, "dash": dash},
                name=f"{share} limit",
                showlegend=side == "lower",
                hoverinfo="skip",
            )
    ends = [across[0], across[-1]]
    levels = [(centre, "the whole", MUTED, 1.2), *((bound, "target", TARGET, 2.0) for bound in target)]
    for number, (level, name, colour, width) in enumerate(levels):
        if not np.isnan(level):
            figure.add_scatter(
                x=ends,
                y=scaled(pd.Series([level, level]), unit),
                mode="lines",
                line={"color": colour, "width": width},
                name=name,
                showlegend=number < 2,
                hoverinfo="skip",
            )
    for suffix, (symbol, colour, name) in FUNNEL_MARKS.items():
        part = units[units["flag"].str.rpartition("_")[2] == suffix]
        if len(part):
            _add_units(figure, part, unit, name=name, symbol=symbol, colour=colour)
    lay_out(figure, axis(unit), height=340)
    figure.update_xaxes(type="linear", title={"text": "cases (n)"}, gridcolor=LINE, nticks=8)
    return Figure(
        figure,
        title=title,
        alt=_told(units, about, title, centre, adjusted=adjusted),
        data=_table(units, about, title, centre=centre, target=target, adjusted=adjusted),
    )


def _add_units(figure: go.Figure, part: pd.DataFrame, unit: str, *, name: str, symbol: str, colour: str) -> None:
    out = symbol == "diamond"
    names = part["called"].astype(str).tolist()
    figure.add_scatter(
        x=part["n"].astype(float).round(1).tolist(),
        y=scaled(part["value"], unit),
        mode="markers+text" if out else "markers",
        text=[short(one) for one in names] if out else None,
        textposition="top center",
        hovertext=names,
        marker={
            "color": colour,
            "symbol": symbol,
            "size": 12 if out else 9,
            "line": {"width": 2 if symbol.endswith("-open") else 0},
        },
        name=name,
        showlegend=True,
        hovertemplate=f"%{{hovertext}}: {hover('y', unit)}<br>n %{{x:,}}<br>{name}<extra></extra>",
    )


def _told(units: pd.DataFrame, about: Mapping[str, Any], title: str, centre: float, *, adjusted: bool) -> str:
    out = units[units["flag"].str.endswith("998")]
    who = f" ({text.listed(sorted(out['called'].astype(str)))})" if len(out) else ""
    return (
        f"{title}: {text.count(len(units), 'unit')} about {text.value(centre, about['unit_of_value'])}; "
        f"{text.count(len(out), 'unit')} beyond {'what is usual here' if adjusted else 'what chance explains'}{who}."
    )


def _table(
    units: pd.DataFrame,
    about: Mapping[str, Any],
    title: str,
    *,
    centre: float,
    target: tuple[float, float],
    adjusted: bool,
) -> Table:
    unit, words = about["unit_of_value"], _USUAL if adjusted else _WORDS
    rows = [
        [row["called"], text.value(row["value"], unit), int(row["n"]), words[row["flag"]]]
        for _, row in units.sort_values("called").iterrows()
    ]
    aim = text.target(*target, about["better"], unit)
    notes = [f"The whole: {text.value(centre, unit)}; {aim if aim == 'no target' else f'target {aim}'}."]
    if adjusted:
        notes.append(
            "The limits allow for the usual differences between units besides chance, so a unit within them can still "
            "miss its target for certain."
        )
    notes.append("Units stand in name order; this is no ranking.")
    columns: list[str | Column] = [
        "Unit",
        Column(label=about["name"], align="right"),
        Column(label="n", align="right"),
        "Against the whole",
    ]
    return Table(columns=columns, rows=rows, caption=title, note=" ".join(notes))

"""Small multiples: one small control chart per unit, all on the same scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ccanalysis import text
from ccanalysis.charts import marks
from ccanalysis.charts.common import INK, MUTED, SERIES, TARGET, axis, hover, lay_out, scaled, short, span
from ccanalysis.charts.control import add_band, course, lines_told, ready, stretches
from ccanalysis.display import ICONS, Assurance, Column, Figure, Panel, Table, Variation

COLUMNS = 3
_ROW = 190
_LINES: dict[str, dict[str, Any]] = {
    "centre": {"color": MUTED, "width": 1, "dash": "dash"},
    "target": {"color": TARGET, "width": 2},
    "target_high": {"color": TARGET, "width": 2},
}


def multiples_chart(
    lines: pd.DataFrame,
    about: Mapping[str, Any],
    *,
    title: str,
    signs: Mapping[str, tuple[Variation | None, Assurance | None]] | None = None,
) -> Figure:
    """Draw a small control chart for each unit, in name order and on one scale.

    Args:
        lines: Rows of the series frame of one KPI and level; at least one unit.
        about: The KPI's row of the register frame.
        title: What stands above it.
        signs: The verdicts on course and target by unit; their icons stand with the names.

    Returns:
        The chart, with one panel per unit and one table for all.
    """
    unit = about["unit_of_value"]
    names = sorted(lines["unit"].astype(str).unique())
    figure, drawn, panels = go.Figure(), [], []
    parts = {name: ready(lines[lines["unit"] == name], unit) for name in names}
    kinds = {name: marks.kinds(part) for name, part in parts.items()}
    for number, (name, part) in enumerate(parts.items(), start=1):
        drawn += _add_panel(figure, part, unit, kinds[name], end="" if number == 1 else str(number))
        variation, assurance = (signs or {}).get(name, (None, None))
        alt = course(part, about, name, kinds[name])
        panels.append(Panel(name=name, alt=alt, variation=variation, assurance=assurance))
    lay_out(figure, "", height=_ROW * math.ceil(len(names) / COLUMNS) + 90)
    figure.update_layout(showlegend=False)
    _place(figure, panels, list(parts.values()), span(drawn, unit), unit)
    return Figure(
        figure,
        title=title,
        alt=f"{title}: {text.count(len(names), 'small chart')} on one scale, {axis(unit) or 'in the unit of the KPI'}.",
        data=_table(parts, kinds, about, title),
        panels=panels,
    )


def _add_panel(figure: go.Figure, part: pd.DataFrame, unit: str, kinds: list[str], *, end: str) -> list[float | None]:
    """Draw one unit with as few parts as can be, for there are many; return all that was drawn."""
    axes = {"xaxis": f"x{end}", "yaxis": f"y{end}", "showlegend": False}
    add_band(figure, part, unit, end=end, edge=True)
    for column, style in _LINES.items():
        for first, last, row in stretches(part, (column,)):
            if not np.isnan(row[column]):
                (level,) = scaled(pd.Series([row[column]]), unit, digits=2)
                ends = {"x0": first - 0.5, "x1": last + 0.5, "y0": level, "y1": level}
                figure.add_shape(type="line", xref=f"x{end}", yref=f"y{end}", line=style, **ends)
    values = scaled(part["value"], unit, digits=2)
    neighbours = zip([None, *values], values, [*values[1:], None], strict=False)
    alone = any(value is not None and before is None and after is None for before, value, after in neighbours)
    figure.add_scatter(
        x=part["period"].tolist(),
        y=values,
        mode="lines+markers" if alone else "lines",
        line={"color": SERIES, "width": 1.5},
        marker={"color": SERIES, "size": 4} if alone else None,
        hovertemplate=f"%{{x}}: {hover('y', unit)}<extra></extra>",
        **axes,
    )
    found = [marks.mark_of(row, kind) for row, kind in zip(part.to_dict("records"), kinds, strict=True)]  # type: ignore[arg-type]
    marked = [(period, value, mark) for period, value, mark in zip(part["period"], values, found, strict=True) if mark]
    if marked:
        looks = [marks.marker(mark) for _, _, mark in marked]
        edges = [look["line"].get("color", look["color"]) for look in looks]
        figure.add_scatter(
            x=[period for period, _, _ in marked],
            y=[value for _, value, _ in marked],
            mode="markers",
            marker={
                "color": [look["color"] for look in looks],
                "symbol": [look["symbol"] for look in looks],
                "size": [9 if look["symbol"] == "cross" else 8 for look in looks],
                "opacity": 1,
                "line": {"color": edges, "width": 1},
            },
            hovertext=[mark.words for _, _, mark in marked],
            hovertemplate=f"%{{x}}: {hover('y', unit)}<br>%{{hovertext}}<extra></extra>",
            **axes,
        )
    lines = part[["lower", "upper", *_LINES]].drop_duplicates()
    return values + [level for column in lines for level in scaled(lines[column], unit)]


def _place(
    figure: go.Figure, panels: list[Panel], parts: list[pd.DataFrame], scale: list[float] | None, unit: str
) -> None:
    """Give each panel its axes, three in a row, and its heading for notebooks."""
    rows = math.ceil(len(panels) / COLUMNS)
    for number, (panel, part) in enumerate(zip(panels, parts, strict=True)):
        row, column = divmod(number, COLUMNS)
        end = "" if number == 0 else str(number + 1)
        left, top = column / COLUMNS, 1 - row / rows
        periods = part["period"].tolist()
        figure.update_layout(
            {
                f"xaxis{end}": {
                    "type": "category",
                    "anchor": f"y{end}",
                    "domain": [round(left + 0.025, 4), round(left + 1 / COLUMNS - 0.05, 4)],
                    "range": [-0.5, len(periods) - 0.5],
                    "tickvals": [periods[0], periods[-1]] if len(periods) > 1 else periods,
                    "tickangle": 0,
                },
                f"yaxis{end}": {
                    "anchor": f"x{end}",
                    "domain": [round(top - 1 / rows + 0.09, 4), round(top - 0.09, 4)],
                    "range": scale,
                    "nticks": 4,
                    "title": {"text": axis(unit)} if column == 0 else None,
                },
            }
        )
        words = [ICONS[key].word for key in panel.signs[:1]]
        figure.add_annotation(
            x=0,
            y=1,
            xref=f"x{end} domain",
            yref=f"y{end} domain",
            xanchor="left",
            yanchor="bottom",
            showarrow=False,
            name="head",
            text=": ".join([short(panel.name).replace("<", "&lt;"), *words]),
            font={"size": 12, "color": INK},
        )


def _table(
    parts: Mapping[str, pd.DataFrame], kinds: Mapping[str, list[str]], about: Mapping[str, Any], title: str
) -> Table:
    """Return what the panels draw: one column per unit, the lines of each in the note."""
    unit = about["unit_of_value"]
    periods = sorted({period for part in parts.values() for period in part["period"]})
    values = {
        name: {
            period: text.value(value, unit) + ("*" if kind in marks.SIGNALS else "°" if kind.startswith("un") else "")
            for period, value, kind in zip(part["period"], part["value"], kinds[name], strict=True)
        }
        for name, part in parts.items()
    }
    rows = [[period, *(values[name].get(period) for name in parts)] for period in periods]
    columns: list[str | Column] = ["Period", *(Column(label=name, align="right") for name in parts)]
    told = [f"{name}: {lines_told(part, about)}" for name, part in parts.items() if lines_told(part, about)]
    note = " ".join(["* a real change; ° left out, not fit or not settled.", *told])
    return Table(columns=columns, rows=rows, caption=title, note=note)

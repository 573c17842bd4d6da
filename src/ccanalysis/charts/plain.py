"""Charts of the other questions: figures with intervals side by side, courses on one axis, and bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from ccanalysis import text
from ccanalysis.charts.common import LINE, MUTED, TARGET, axis, hover, lay_out, named, scaled, span
from ccanalysis.display import COLOURS, Column, Figure, Table

_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_HUES = tuple(COLOURS[f"series_{number}"][0] for number in range(1, 7))


def intervals_chart(
    rows: pd.DataFrame,
    unit: str,
    *,
    title: str,
    alt: str,
    name: str = "name",
    kind: str = "",
    heading: str = "",
    reference: float | None = None,
    reference_name: str = "average",
) -> Figure:
    """Draw figures with their intervals, one line each, in the order given; kinds differ in mark and colour.

    Args:
        rows: `value`, `ci_low`, `ci_high`, `n`, and the columns that `name` and `kind` tell; one without a value is
            left to the table.
        unit: The unit of the values, as in the register: `share`, `s`, `per_1000`, `points`, or words of its own.
        title: What stands above it.
        alt: What one sees in it, in words.
        name: The column that names each line.
        kind: The column that tells kinds of figures apart; one kind where empty.
        heading: What the names are, as the table's heading.
        reference: A value that is drawn across, such as the average.
        reference_name: What it is called.
    """
    rows = rows.reset_index(drop=True)
    shown = rows[rows["value"].notna()]
    figure = go.Figure()
    kinds = list(dict.fromkeys(shown[kind])) if kind else [""]
    for place, one in enumerate(kinds):
        part = shown[shown[kind] == one] if kind else shown
        values, low, high = (scaled(part[column], unit) for column in ("value", "ci_low", "ci_high"))
        ends = list(zip(values, low, high, strict=True))
        figure.add_scatter(
            x=values,
            y=part[name].astype(str).tolist(),
            mode="markers",
            marker={"color": _HUES[place % 6], "symbol": _SYMBOLS[place % 6], "size": 10, "opacity": 1},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [0 if end is None or value is None else round(end - value, 3) for value, _, end in ends],
                "arrayminus": [0 if end is None or value is None else round(value - end, 3) for value, end, _ in ends],
                "color": MUTED,
                "thickness": 1.5,
            },
            name=str(one),
            showlegend=bool(kind),
            hovertemplate=f"%{{y}}: {hover('x', unit)}<extra></extra>",
        )
    names = list(dict.fromkeys(shown[name].astype(str)))[::-1]
    if reference is not None and names:
        placed = scaled(pd.Series([reference] * len(names)), unit)
        figure.add_scatter(
            x=placed,
            y=names,
            mode="lines",
            line={"color": TARGET, "width": 1.5, "dash": "dash"},
            name=reference_name,
            showlegend=True,
            hoverinfo="skip",
        )
    lay_out(figure, "", height=120 + 30 * max(len(names), 1))
    figure.update_xaxes(type="linear", title={"text": axis(unit)}, gridcolor=LINE, showgrid=True, nticks=8)
    figure.update_yaxes(automargin=True, showgrid=False, **named(names))
    columns: list[str | Column] = [heading or "Name", *(["Kind"] if kind else [])]
    columns += [Column(label=label, align="right") for label in ("Value", "95% interval", "n")]
    table = [
        [
            str(row[name]),
            *([str(row[kind])] if kind else []),
            text.value(row["value"], unit),
            text.interval({**row, "unit_of_value": unit}),
            text.number(row["n"]),
        ]
        for row in rows.to_dict("records")
    ]
    return Figure(figure, title=title, alt=alt, data=Table(columns=columns, rows=table, caption=title))


def courses_chart(
    rows: pd.DataFrame,
    unit: str,
    *,
    title: str,
    alt: str,
    lines: Mapping[str, str],
    mark: str = "",
    mark_name: str = "",
) -> Figure:
    """Draw one or more courses on one axis; what is missing is a gap.

    Args:
        rows: `period` and a column per line, in time order.
        unit: The unit of the values.
        title: What stands above it.
        alt: What one sees in it, in words.
        lines: Column -> what the line is called; at most six.
        mark: A period at whose beginning an upright line stands, such as the first one after a change.
        mark_name: What it is called.
    """
    rows = rows.reset_index(drop=True)
    figure = go.Figure()
    drawn: list[float | None] = []
    for place, (column, name) in enumerate(lines.items()):
        values = scaled(rows[column], unit)
        drawn += values
        figure.add_scatter(
            x=rows["period"].tolist(),
            y=values,
            mode="lines+markers",
            line={"color": _HUES[place % 6], "width": 1.8, "dash": _DASHES[place % 6]},
            marker={"color": _HUES[place % 6], "symbol": _SYMBOLS[place % 6], "size": 6, "line": {"width": 0}},
            name=name,
            showlegend=len(lines) > 1,
            connectgaps=False,
            hovertemplate=f"{name}, %{{x}}: {hover('y', unit)}<extra></extra>",
        )
    periods = rows["period"].tolist()
    if mark in periods:
        place = periods.index(mark) - 0.5
        line = {"color": MUTED, "width": 1.5, "dash": "dash"}
        figure.add_shape(type="line", xref="x", yref="y domain", x0=place, x1=place, y0=0, y1=1, line=line)
        figure.add_annotation(
            x=place, y=1, yref="paper", yanchor="top", xanchor="left", text=f" {mark_name}", showarrow=False
        )
    lay_out(figure, axis(unit))
    figure.update_yaxes(range=span(drawn, unit))
    columns: list[str | Column] = ["Period", *(Column(label=name, align="right") for name in lines.values())]
    table = [
        [str(row["period"]), *(text.value(row[column], unit) for column in lines)] for row in rows.to_dict("records")
    ]
    note = f"{mark_name} from {mark}." if mark in periods and mark_name else ""
    data = Table(columns=columns, rows=table, caption=title, note=note)
    return Figure(figure, title=title, alt=alt, data=data)


def bars_chart(
    rows: pd.DataFrame,
    unit: str,
    *,
    title: str,
    alt: str,
    name: str,
    bars: Mapping[str, str],
    stacked: bool = False,
    heading: str = "",
    more: Sequence[Column] = (),
    cells: Sequence[Sequence[object]] = (),
) -> Figure:
    """Draw lying bars, one or more per name, in the order given.

    Args:
        rows: A column of names and a column per kind of bar.
        unit: The unit of the values.
        title: What stands above it.
        alt: What one sees in it, in words.
        name: The column of names.
        bars: Column -> what that kind of bar is called.
        stacked: Whether the kinds add up.
        heading: What the names are, as the table's heading.
        more: Further columns of the table.
        cells: Their cells, one sequence per row.
    """
    rows = rows.reset_index(drop=True)
    figure = go.Figure()
    names = rows[name].astype(str).tolist()
    for place, (column, called) in enumerate(bars.items()):
        figure.add_bar(
            x=scaled(rows[column], unit),
            y=names,
            orientation="h",
            marker={"color": _HUES[place % 6]},
            name=called,
            showlegend=len(bars) > 1,
            hovertemplate=f"%{{y}}, {called}: {hover('x', unit)}<extra></extra>",
        )
    lay_out(
        figure, "", height=120 + (22 if stacked or len(bars) == 1 else 16 * len(bars) + 12) * max(len(names), 1) + 20
    )
    figure.update_layout(barmode="stack" if stacked else "group", bargap=0.3)
    figure.update_xaxes(type="linear", title={"text": axis(unit)}, gridcolor=LINE, showgrid=True, nticks=8)
    figure.update_yaxes(automargin=True, showgrid=False, **named(names[::-1]))
    columns: list[str | Column] = [heading or "Name", *(Column(label=label, align="right") for label in bars.values())]
    table = [
        [str(row[name]), *(text.value(row[column], unit) for column in bars), *(cells[place] if cells else ())]
        for place, row in enumerate(rows.to_dict("records"))
    ]
    data = Table(columns=[*columns, *more], rows=table, caption=title)
    return Figure(figure, title=title, alt=alt, data=data)

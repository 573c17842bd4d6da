"""The control chart: the course of one KPI with its usual range and target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ccanalysis import text
from ccanalysis.charts import marks
from ccanalysis.charts.common import BAND, MUTED, SERIES, TARGET, axis, hover, lay_out, possible, scaled, span
from ccanalysis.display import Assurance, Column, Figure, Table, Variation
from ccanalysis.verdicts import FULL_BASELINE, SHORT_BASELINE


def control_chart(
    line: pd.DataFrame,
    about: Mapping[str, Any],
    *,
    title: str = "",
    who: str = "",
    variation: Variation | None = None,
    assurance: Assurance | None = None,
) -> Figure:
    """Draw the course of one KPI of one unit with its usual range and target.

    Points that fit a rule are marked where a verdict would be given too; periods left out are open; missing periods
    are gaps; the usual range starts anew where the register says so; the target steps where it changed.

    Args:
        line: Rows of the series frame of one KPI, level and unit, in time order; at least one.
        about: The KPI's row of the register frame.
        title: What stands above it; the KPI and the unit where not given.
        who: What to call the unit; its own name where not given.
        variation: The verdict on its course; its icon stands with the title.
        assurance: The verdict on its target; likewise.

    Returns:
        The chart, with its data as a table.
    """
    unit = about["unit_of_value"]
    line = ready(line, unit)
    kinds = marks.kinds(line)
    figure = go.Figure()
    drawn = _add_lines(figure, line, unit) + _add_values(figure, line, unit, kinds)
    _add_marks(figure, line, unit, kinds)
    own = str(line["unit"].iloc[0])
    who = who or ("the centre" if line["level"].iloc[0] == "centre" else own)
    lay_out(figure, axis(unit))
    figure.update_yaxes(range=span(drawn, unit))
    return Figure(
        figure,
        title=title or f"{about['name']}: {who}",
        alt=course(line, about, who, kinds),
        data=_table(line, about, who, kinds),
        variation=variation,
        assurance=assurance,
    )


def ready(line: pd.DataFrame, unit: str) -> pd.DataFrame:
    """Return a line with limits as they are shown: none on too few periods, and none beyond what the unit allows."""
    line = line.reset_index(drop=True)
    enough = marks.baselines(line) >= SHORT_BASELINE
    limits = {name: possible(line[name], unit).where(enough) for name in ("lower", "upper")}
    return line.assign(**limits, centre=line["centre"].astype(float).where(enough))


def _add_lines(figure: go.Figure, line: pd.DataFrame, unit: str) -> list[float | None]:
    """Draw band, limits, average and target; return their values."""
    periods = line["period"].tolist()
    add_band(figure, line, unit)
    trial = bool((marks.baselines(line)[line["centre"].notna()] < FULL_BASELINE).any())
    usual = "usual range" + (", on few periods" if trial else "")
    thin, thick = {"color": MUTED, "width": 1}, {"color": TARGET, "width": 2}
    styles: list[tuple[str, str, dict[str, Any]]] = [
        ("upper", usual, thin | {"dash": "dot"}),
        ("lower", "", thin | {"dash": "dot"}),
        ("centre", "average", thin | {"dash": "dash"}),
        ("target", "target", thick),
        ("target_high", "", thick),
    ]
    drawn: list[float | None] = []
    for column, name, style in styles:
        if line[column].notna().any():
            values = scaled(line[column], unit)
            drawn += values
            figure.add_scatter(
                x=periods,
                y=values,
                mode="lines",
                line=style | {"shape": "hvh"},
                name=name,
                showlegend=bool(name),
                hoverinfo="skip",
            )
    return drawn


def _add_values(figure: go.Figure, line: pd.DataFrame, unit: str, kinds: list[str]) -> list[float | None]:
    """Draw the values, joined where nothing is missing between them; return them."""
    values = scaled(line["value"], unit)
    sizes = [0 if kind in ("unfit", "unsettled") else 5 for kind in kinds]
    figure.add_scatter(
        x=line["period"].tolist(),
        y=values,
        customdata=[None if np.isnan(n) else int(n) for n in line["n"].astype(float)],
        mode="lines+markers",
        line={"color": SERIES, "width": 1.5},
        marker={"color": SERIES, "size": sizes if 0 in sizes else 5, "opacity": 1, "line": {"width": 0}},
        name="",
        showlegend=False,
        hovertemplate=f"%{{x}}: {hover('y', unit)}<br>n %{{customdata:,}}<extra></extra>",
    )
    return values


def _add_marks(figure: go.Figure, line: pd.DataFrame, unit: str, kinds: list[str]) -> None:
    """Draw each kind of mark with its own shape, and say what it means where the pointer rests on it."""
    groups: dict[marks.Mark, list[int]] = {}
    for position, (row, kind) in enumerate(zip(line.to_dict("records"), kinds, strict=True)):
        if mark := marks.mark_of(row, kind):  # type: ignore[arg-type]
            groups.setdefault(mark, []).append(position)
    named: set[str] = set()
    for mark, positions in groups.items():
        part = line.iloc[positions]
        figure.add_scatter(
            x=part["period"].tolist(),
            y=scaled(part["value"], unit),
            mode="markers",
            marker=marks.marker(mark),
            name=mark.key,
            showlegend=mark.key not in named,
            hovertemplate=f"%{{x}}: {hover('y', unit)}<br>{mark.words}<extra></extra>",
        )
        named.add(mark.key)


def add_band(figure: go.Figure, line: pd.DataFrame, unit: str, *, end: str = "", edge: bool = False) -> None:
    """Shade the usual range, and draw an upright line where it starts anew.

    Args:
        figure: What it is added to.
        line: What `ready` returned.
        unit: The unit of the values.
        end: The number of the axes, empty for the first.
        edge: Whether the band has an edge of its own.
    """
    for first, last, row in stretches(line, ("lower", "upper")):
        if not np.isnan(row["lower"]):
            low, high = scaled(pd.Series([row["lower"], row["upper"]]), unit)
            figure.add_shape(
                type="rect",
                layer="below",
                xref=f"x{end}",
                yref=f"y{end}",
                x0=first - 0.5,
                x1=last + 0.5,
                y0=low,
                y1=high,
                fillcolor=BAND,
                line={"color": MUTED, "width": 1, "dash": "dot"} if edge else {"width": 0},
            )
    for first, _, _ in stretches(line, ("part",)):
        if first:
            upright(figure, first - 0.5, end)


def upright(figure: go.Figure, place: float, end: str = "") -> None:
    """Draw the line at which the usual range starts anew, with a word in a large chart."""
    line = {"color": MUTED, "width": 1.5, "dash": "dash"}
    figure.add_shape(type="line", xref=f"x{end}", yref=f"y{end} domain", x0=place, x1=place, y0=0, y1=1, line=line)
    if not end:
        figure.add_annotation(
            x=place, y=1, yref="paper", yanchor="top", xanchor="left", text=" from here anew", showarrow=False
        )


def stretches(line: pd.DataFrame, columns: tuple[str, ...]) -> Iterator[tuple[int, int, pd.Series]]:
    """Yield first and last position, and a row, of each stretch over which columns stay the same."""
    kept = line[list(columns)].astype(float).round(9).fillna(np.inf)
    group = kept.ne(kept.shift()).any(axis=1).cumsum()
    for _, part in line.groupby(group, sort=False):
        yield int(part.index[0]), int(part.index[-1]), part.iloc[0]


def course(line: pd.DataFrame, about: Mapping[str, Any], who: str, kinds: list[str]) -> str:
    """Say in a few words what a course shows, for those who do not see it."""
    known = line[line["value"].notna()]
    if known.empty:
        return f"{about['name']} of {who}: no data."
    unit, latest = about["unit_of_value"], known.iloc[-1]
    low, high = text.value(known["value"].min(), unit), text.value(known["value"].max(), unit)
    words = [f"{about['name']} of {who} from {known['period'].iloc[0]} to {latest['period']}:"]
    words.append(f"between {low} and {high}, last {text.value(latest['value'], unit)}.")
    marked = sum(kind in marks.SIGNALS for kind in kinds)
    words.append(f"{text.count(marked, 'period').capitalize()} marked as a real change.")
    if (left_out := sum(kind in ("unfit", "unsettled") for kind in kinds)) > 0:
        words.append(f"{text.count(left_out, 'period').capitalize()} left out of the usual range.")
    if missing := kinds.count("gap"):
        words.append(f"{text.count(missing, 'period').capitalize()} without data.")
    return " ".join(words)


def _table(line: pd.DataFrame, about: Mapping[str, Any], who: str, kinds: list[str]) -> Table:
    """Return what the chart draws: values and marks by period, and the lines in the note."""
    unit = about["unit_of_value"]
    rows = []
    for row, kind in zip(line.to_dict("records"), kinds, strict=True):
        mark = marks.mark_of(row, kind)  # type: ignore[arg-type]
        n = None if np.isnan(row["n"]) else int(row["n"])
        rows.append([row["period"], text.value(row["value"], unit), n, mark.words if mark else ""])
    columns: list[str | Column] = [
        "Period",
        Column(label=about["name"], align="right"),
        Column(label="n", align="right"),
        "Mark",
    ]
    return Table(columns=columns, rows=rows, caption=f"{about['name']}, {who}", note=lines_told(line, about))


def lines_told(line: pd.DataFrame, about: Mapping[str, Any]) -> str:
    """Say the average, the usual range and the target, for each stretch of time over which they were the same."""
    unit, better, told = about["unit_of_value"], about["better"], []
    for first, last, row in stretches(line, ("centre", "lower", "upper", "target", "target_high")):
        parts = []
        if not np.isnan(row["centre"]):
            parts.append(f"average {text.value(row['centre'], unit)}")
            parts.append(f"usual range {text.value(row['lower'], unit)} to {text.value(row['upper'], unit)}")
        if not np.isnan(row["target"]):
            parts.append(f"target {text.target(row['target'], row['target_high'], better, unit)}")
        periods = line["period"].iloc[first], line["period"].iloc[last]
        when = periods[0] if first == last else f"{periods[0]} to {periods[1]}"
        told.append(f"{when}: {', '.join(parts)}." if parts else "")
    return " ".join(filter(None, told))

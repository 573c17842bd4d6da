"""Units side by side with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ccanalysis import text
from ccanalysis.charts.common import LINE, MUTED, SERIES, TARGET, WORSENING, axis, lay_out, scaled
from ccanalysis.display import Column, Figure, Table


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
    colours = {"missed_real": WORSENING, "cannot_meet": WORSENING}
    values = scaled(rows["value"], factor)
    above = (rows["ci_high"] - rows["value"]) * factor
    below = (rows["value"] - rows["ci_low"]) * factor
    figure.add_scatter(
        x=values,
        y=rows["unit"].tolist(),
        mode="markers",
        marker={
            "color": [colours.get(status, SERIES) for status in rows["status"]],
            "symbol": ["square" if status in colours else "circle" for status in rows["status"]],
            "size": 9,
        },
        error_x={
            "type": "data",
            "array": above.fillna(0).round(4).tolist(),
            "arrayminus": below.fillna(0).round(4).tolist(),
            "color": MUTED,
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
                line={"color": TARGET, "width": 1.5},
                name="target",
                hoverinfo="skip",
                showlegend=bool(bound == rows["target"].max()),
            )
    lay_out(figure, "", height=90 + 34 * len(rows))
    figure.update_xaxes(type="linear", title={"text": axis(about["name"], unit)}, gridcolor=LINE, showgrid=True)
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

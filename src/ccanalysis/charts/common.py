"""Colours and layout that all charts share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ccanalysis.display import COLOURS

INK, MUTED, LINE, BAND = (COLOURS[name][0] for name in ("ink", "muted", "line", "band"))
SERIES, IMPROVING, WORSENING, TARGET = (COLOURS[name][0] for name in ("series_1", "improving", "worsening", "target"))


def scaled(values: pd.Series, factor: float) -> list[float | None]:
    """Multiply for display; what is missing stays a gap."""
    return [None if np.isnan(value) else round(value * factor, 4) for value in values.astype(float)]


def axis(name: str, unit: str) -> str:
    """Name an axis with its unit."""
    return {"share": f"{name}, %", "s": f"{name}, seconds", "per_1000": f"{name}"}.get(unit, name)


def lay_out(figure: go.Figure, axis: str, *, height: int = 320) -> None:
    """Give a chart the look of all charts; `axis` names its upright axis."""
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 64, "r": 16, "t": 16, "b": 56},
        font={"color": INK, "size": 12},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": 1.12, "x": 0},
        hovermode="closest",
    )
    figure.update_xaxes(type="category", nticks=9, linecolor=LINE, tickangle=0, showgrid=False)
    figure.update_yaxes(title={"text": axis, "standoff": 8}, gridcolor=LINE, zeroline=False)

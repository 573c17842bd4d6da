"""How many rules failed, period by period."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from ccanalysis.charts.common import SERIES, lay_out
from ccanalysis.display import Column, Figure, Table


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
        marker={"color": SERIES},
        hovertemplate="%{x}: %{y} rules<extra></extra>",
    )
    lay_out(figure, "rules that failed", height=260)
    rows = [[period, int(n)] for period, n in zip(history["period"], history["n_failed_rules"], strict=True)]
    worst = history.loc[history["n_failed_rules"].idxmax()]
    alt = f"Rules that failed per period; most in {worst['period']} ({int(worst['n_failed_rules'])})."
    columns: list[str | Column] = ["Period", Column(label="Rules that failed", align="right")]
    return Figure(figure, title=title, alt=alt, data=Table(columns=columns, rows=rows, caption=caption))

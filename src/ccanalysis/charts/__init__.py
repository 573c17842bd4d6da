"""Charts: frames in, figures out. They draw columns that are already there and compute nothing."""

from ccanalysis.charts.comparison import comparison_chart
from ccanalysis.charts.control import control_chart
from ccanalysis.charts.drivers import change_waterfall_chart, gap_pareto_chart
from ccanalysis.charts.funnel import funnel_chart
from ccanalysis.charts.history import history_chart
from ccanalysis.charts.multiples import multiples_chart

__all__ = [
    "change_waterfall_chart",
    "comparison_chart",
    "control_chart",
    "funnel_chart",
    "gap_pareto_chart",
    "history_chart",
    "multiples_chart",
]

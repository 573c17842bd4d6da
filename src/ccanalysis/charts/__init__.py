"""Charts: frames in, figures out. They draw columns that are already there and compute nothing."""

from ccanalysis.charts.comparison import comparison_chart
from ccanalysis.charts.control import control_chart
from ccanalysis.charts.drivers import change_waterfall_chart, gap_pareto_chart
from ccanalysis.charts.funnel import funnel_chart
from ccanalysis.charts.history import history_chart
from ccanalysis.charts.multiples import multiples_chart
from ccanalysis.charts.plain import bars_chart, courses_chart, intervals_chart

__all__ = [
    "bars_chart",
    "change_waterfall_chart",
    "comparison_chart",
    "control_chart",
    "courses_chart",
    "funnel_chart",
    "gap_pareto_chart",
    "history_chart",
    "intervals_chart",
    "multiples_chart",
]

"""Control charts: limits, named rule sets, and the verdicts on the latest point and on the target."""

from ccanalysis.statistics.spc.attributes import c_chart, g_chart, p_chart, p_prime_chart, u_chart, u_prime_chart
from ccanalysis.statistics.spc.judge import POINT_TYPES
from ccanalysis.statistics.spc.limits import (
    How,
    clipped,
    i_chart,
    i_prime_chart,
    mr_chart,
    run_chart,
    run_test,
    s_chart,
    t_chart,
    xbar_chart,
)
from ccanalysis.statistics.spc.rules import RULE_SETS, RuleSet
from ccanalysis.statistics.spc.verdict import (
    Assurance,
    Variation,
    assurance,
    assurance_many,
    autocorrelation,
    autocorrelation_many,
    charts_assurance,
    variation,
)
from ccanalysis.statistics.spc.weighted import cusum, ewma
from ccanalysis.statistics.spc.xmr import Charts, xmr, xmr_many

__all__ = [
    "POINT_TYPES",
    "RULE_SETS",
    "Assurance",
    "Charts",
    "How",
    "RuleSet",
    "Variation",
    "assurance",
    "assurance_many",
    "autocorrelation",
    "autocorrelation_many",
    "c_chart",
    "charts_assurance",
    "clipped",
    "cusum",
    "ewma",
    "g_chart",
    "i_chart",
    "i_prime_chart",
    "mr_chart",
    "p_chart",
    "p_prime_chart",
    "run_chart",
    "run_test",
    "s_chart",
    "t_chart",
    "u_chart",
    "u_prime_chart",
    "variation",
    "xbar_chart",
    "xmr",
    "xmr_many",
]

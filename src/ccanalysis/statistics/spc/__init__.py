"""Control charts: limits, named rule sets, and the verdicts on the latest point and on the target.

`RULE_SETS` holds the rule sets by name; each is a `RuleSet` with its rules, habits and source:

- `ptd` (default): a point outside the limits, a trend of 7, two of three near a limit, a shift of 7; extreme moving
  ranges are left out once. NHS-R community, NHSRplotthedots 0.2.2 (plot the dots).
- `mdc`: the same rules with points outside the limits counting as near, no moving range left out, improvement named
  first, and a target that equals a limit beyond it. NHS England, Making Data Count: the spreadsheet tool since
  November 2023.
- `mdc_6`: as `mdc`, with trends and shifts of 6. The same source.
- `anhoej`: runs longer than chance explains, and too few crossings of the median. Anhoej & Olesen (2014), PLoS ONE
  9(11): e113825.
- `western_electric`: a point outside the limits, 2 of 3 beyond two and 4 of 5 beyond one standard deviation, 8 on one
  side. Western Electric, Statistical Quality Control Handbook (1956).
- `nelson`: eight rules. Nelson (1984), Journal of Quality Technology 16(4): 237-239.

`POINT_TYPES` lists what a point can be: `common_cause`, `improvement_high`, `improvement_low`, `concern_high`,
`concern_low`, `neutral_high` and `neutral_low`; high or low is the side of the centre line, or the direction of a
trend. Charts as arrays (`Charts`) hold positions in that list.
"""

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

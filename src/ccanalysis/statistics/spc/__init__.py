"""Control charts: limits, named rule sets, and the verdicts on the latest point and on the target."""

from ccanalysis.statistics.spc.rules import RULE_SETS, RuleSet
from ccanalysis.statistics.spc.verdict import (
    Assurance,
    Variation,
    assurance,
    assurance_many,
    autocorrelation,
    charts_assurance,
    variation,
)
from ccanalysis.statistics.spc.xmr import POINT_TYPES, Charts, xmr, xmr_many

__all__ = [
    "POINT_TYPES",
    "RULE_SETS",
    "Assurance",
    "Charts",
    "RuleSet",
    "Variation",
    "assurance",
    "assurance_many",
    "autocorrelation",
    "charts_assurance",
    "variation",
    "xmr",
    "xmr_many",
]

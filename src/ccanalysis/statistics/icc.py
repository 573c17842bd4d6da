"""Intraclass correlation: agreement of scores on a scale, such as evaluation totals."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ccanalysis.errors import StatisticsError
from ccanalysis.statistics.intervals import Interval


class IntraclassCorrelation(NamedTuple):
    """An intraclass correlation, its interval and the F test that it is 0."""

    estimate: float
    interval: Interval
    f: float
    degrees_of_freedom: tuple[float, float]
    p: float


def icc(
    scores: ArrayLike,
    *,
    model: Literal["oneway", "twoway"] = "twoway",
    kind: Literal["agreement", "consistency"] = "agreement",
    average: bool = False,
    level: float = 0.95,
) -> IntraclassCorrelation:
    """Intraclass correlation of scores on a scale.

    Args:
        scores: Units in rows, raters in columns; units with a missing score are left out.
        model: "twoway" where the same raters score all units, "oneway" where they change.
        kind: "agreement" where raters should give the same score, "consistency" where the same order is
            enough; of no consequence for "oneway".
        average: The reliability of the mean of all raters instead of a single one.
        level: Confidence level, a share.

    Returns:
        The coefficient; NaN where no score varies.

    Raises:
        StatisticsError: Fewer than two raters or two complete units.

    Examples:
        >>> scores = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
        >>> round(icc(scores).estimate, 2), round(icc(scores, kind="consistency").estimate, 2)
        (0.29, 0.71)

    Source:
        McGraw & Wong (1996), Psychological Methods 1: 30-46. The example is Shrout & Fleiss (1979).
    """
    table = np.asarray(scores, dtype=float)
    table = table[np.isfinite(table).all(axis=1)]
    n, k = table.shape
    if n < 2 or k < 2:
        raise StatisticsError(f"{n} complete units and {k} raters, expected at least 2 of each")
    grand = table.mean()
    between = k * ((table.mean(axis=1) - grand) ** 2).sum() / (n - 1)
    raters = n * ((table.mean(axis=0) - grand) ** 2).sum() / (k - 1)
    total = ((table - grand) ** 2).sum()
    within = (total - between * (n - 1)) / (n * (k - 1))
    error = max(0.0, (total - between * (n - 1) - raters * (k - 1)) / ((n - 1) * (k - 1)))
    if total == 0:
        nothing = Interval(float("nan"), float("nan"))
        return IntraclassCorrelation(float("nan"), nothing, float("nan"), (float("nan"),) * 2, float("nan"))
    if model == "oneway":
        return _f_based(between, within, n - 1, n * (k - 1), k, average=average, level=level)
    if kind == "consistency":
        return _f_based(between, error, n - 1, (n - 1) * (k - 1), k, average=average, level=level)
    return _absolute(between, raters, error, n, k, average=average, level=level)


def _divided(above: float, below: float) -> float:
    return above / below if below > 0 else float("inf")


def _f_based(
    between: float, error: float, df1: int, df2: int, k: int, *, average: bool, level: float
) -> IntraclassCorrelation:
    """One-way, and two-way for consistency: a function of one F ratio."""
    f = _divided(between, error)

    def of(ratio: float) -> float:
        if np.isinf(ratio):
            return 1.0
        return 1 - 1 / ratio if average else (ratio - 1) / (ratio + k - 1)

    low = f / stats.f.ppf((1 + level) / 2, df1, df2)
    high = f * stats.f.ppf((1 + level) / 2, df2, df1)
    return IntraclassCorrelation(
        float(of(f)), Interval(float(of(low)), float(of(high))), float(f), (df1, df2), float(stats.f.sf(f, df1, df2))
    )


def _absolute(
    between: float, raters: float, error: float, n: int, k: int, *, average: bool, level: float
) -> IntraclassCorrelation:
    """Two-way for agreement: McGraw and Wong, table 7, with Satterthwaite's degrees of freedom."""
    single = (between - error) / (between + (k - 1) * error + k / n * (raters - error))
    mean = (between - error) / (between + (raters - error) / n)

    def satterthwaite(rho: float) -> float:
        a = k * rho / (n * (1 - rho))
        b = 1 + k * rho * (n - 1) / (n * (1 - rho))
        below = (a * raters) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
        return (a * raters + b * error) ** 2 / below

    f, df1 = _divided(between, error), n - 1
    if single >= 1:
        return IntraclassCorrelation(1.0, Interval(1.0, 1.0), f, (df1, float("inf")), 0.0)
    estimate = mean if average else single
    v = satterthwaite(estimate)
    f_low, f_high = stats.f.ppf((1 + level) / 2, df1, v), stats.f.ppf((1 + level) / 2, v, df1)
    if average:
        low = n * (between - f_low * error) / (f_low * (raters - error) + n * between)
        high = n * (f_high * between - error) / (raters - error + n * f_high * between)
    else:
        spread = k * raters + (k * n - k - n) * error
        low = n * (between - f_low * error) / (f_low * spread + n * between)
        high = n * (f_high * between - error) / (spread + n * f_high * between)
    return IntraclassCorrelation(
        float(estimate), Interval(float(low), float(high)), float(f), (df1, float(v)), float(stats.f.sf(f, df1, v))
    )

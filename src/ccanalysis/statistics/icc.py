"""Intraclass correlation: agreement of scores on a scale, such as evaluation totals."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ccanalysis.errors import StatisticsError
from ccanalysis.statistics._options import one_of
from ccanalysis.statistics.intervals import EQUAL, Interval


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
        The coefficient, at least -1 / (raters - 1) for a single rater. NaN where no score varies, and for
        "consistency" where only the raters differ; 0 without an interval for "agreement" there. The
        reliability of a mean is minus infinity where the units' means do not differ but the scores do.

    Raises:
        StatisticsError: Scores that are no table, an unknown model or kind, or fewer than two raters or
            two complete units.

    Examples:
        >>> scores = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
        >>> round(icc(scores).estimate, 2), round(icc(scores, kind="consistency").estimate, 2)
        (0.29, 0.71)

    Source:
        McGraw & Wong (1996), Psychological Methods 1: 30-46. The example is Shrout & Fleiss (1979).
    """
    one_of(("oneway", "twoway"), model=model)
    one_of(("agreement", "consistency"), kind=kind)
    table = np.asarray(scores, dtype=float)
    if table.ndim != 2:
        raise StatisticsError(f"scores have {table.ndim} dimensions, expected units in rows and raters in columns")
    table = table[np.isfinite(table).all(axis=1)]
    n, k = table.shape
    if n < 2 or k < 2:
        raise StatisticsError(f"{n} complete units and {k} raters, expected at least 2 of each")
    grand = table.mean()
    of_units, of_raters = table.mean(axis=1, keepdims=True), table.mean(axis=0, keepdims=True)
    parts = (
        np.broadcast_to(of_units - grand, table.shape),
        np.broadcast_to(of_raters - grand, table.shape),
        table - of_units,
        table - of_units - of_raters + grand,
        table - grand,
    )
    # squares no larger than the last digits of floats make are none
    none = (EQUAL * np.abs(table).max()) ** 2 * n * k
    squares = [float((part**2).sum()) for part in parts]
    about_units, about_raters, inside, rest, total = (0.0 if found <= none else found for found in squares)
    between, raters = about_units / (n - 1), about_raters / (k - 1)
    within, error = inside / (n * (k - 1)), rest / ((n - 1) * (k - 1))
    if total == 0:
        return _UNKNOWN
    if model == "oneway":
        return _f_based(between, within, n - 1, n * (k - 1), k, average=average, level=level)
    if kind == "consistency":
        return _f_based(between, error, n - 1, (n - 1) * (k - 1), k, average=average, level=level)
    return _absolute(between, raters, error, n, k, average=average, level=level)


_NAN = float("nan")
_UNKNOWN = IntraclassCorrelation(_NAN, Interval(_NAN, _NAN), _NAN, (_NAN, _NAN), _NAN)


def _divided(above: float, below: float) -> float:
    if below > 0:
        return above / below
    return float("inf") if above > 0 else _NAN


def _f_based(
    between: float, error: float, df1: int, df2: int, k: int, *, average: bool, level: float
) -> IntraclassCorrelation:
    """One-way, and two-way for consistency: a function of one F ratio."""
    f = _divided(between, error)
    if np.isnan(f):
        return _UNKNOWN

    def of(ratio: float) -> float:
        if np.isinf(ratio):
            return 1.0
        if average and ratio == 0:
            return -np.inf
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
    lowest = -1 / (k - 1)  # no lower correlation can hold between each two of k raters
    single = max(single, lowest)
    in_mean = between + (raters - error) / n
    mean = (between - error) / in_mean if in_mean > 0 else -np.inf

    def satterthwaite(rho: float) -> float:
        a = k * rho / (n * (1 - rho))
        b = 1 + k * rho * (n - 1) / (n * (1 - rho))
        below = (a * raters) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
        return (a * raters + b * error) ** 2 / below

    f, df1 = _divided(between, error), n - 1
    if single >= 1:
        return IntraclassCorrelation(1.0, Interval(1.0, 1.0), f, (df1, float("inf")), 0.0)
    if between == 0 and error == 0:  # the raters differ, each always by as much: the units do not
        return IntraclassCorrelation(0.0, Interval(_NAN, _NAN), _NAN, (df1, _NAN), _NAN)
    estimate = mean if average else single
    v = satterthwaite(estimate if np.isfinite(estimate) else single)
    if average and not np.isfinite(estimate):
        return IntraclassCorrelation(estimate, Interval(-np.inf, -np.inf), f, (df1, v), float(stats.f.sf(f, df1, v)))
    f_low, f_high = stats.f.ppf((1 + level) / 2, df1, v), stats.f.ppf((1 + level) / 2, v, df1)
    if average:
        low = n * (between - f_low * error) / (f_low * (raters - error) + n * between)
        high = n * (f_high * between - error) / (raters - error + n * f_high * between)
    else:
        spread = k * raters + (k * n - k - n) * error
        low = n * (between - f_low * error) / (f_low * spread + n * between)
        high = n * (f_high * between - error) / (spread + n * f_high * between)
        low, high = max(low, lowest), max(high, lowest)
    return IntraclassCorrelation(
        float(estimate), Interval(float(low), float(high)), float(f), (df1, float(v)), float(stats.f.sf(f, df1, v))
    )

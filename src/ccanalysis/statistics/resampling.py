"""Bootstrap intervals: for smooth statistics, and for ratios of clustered contacts.

Random numbers are seeded, so the same data give the same interval.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ccanalysis.statistics.intervals import Interval


def bootstrap(
    values: ArrayLike,
    statistic: Callable[..., Any] = np.mean,
    *,
    level: float = 0.95,
    method: Literal["BCa", "percentile", "basic"] = "BCa",
    resamples: int = 9999,
    seed: int = 1,
) -> Interval:
    """Bootstrap interval of a smooth statistic such as a mean.

    Not for percentiles, where BCa is unsafe in small samples: use `quantile_order`.

    Args:
        values: One value per case, NaN left out.
        statistic: From values to one number; must accept `axis`.
        level: Confidence level, a share.
        method: As in `scipy.stats.bootstrap`.
        resamples: Samples drawn.
        seed: Seed of the random numbers, so that the same data give the same interval.

    Returns:
        Ends of the interval, in the unit of the statistic; NaN with fewer than two values.

    Examples:
        >>> low, high = bootstrap([3, 4, 5, 6, 7, 8, 9, 10])
        >>> 4.5 < low < 5.5 and 7.5 < high < 8.5
        True

    Source:
        Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 14.
    """
    data = np.asarray(values, dtype=float).ravel()
    data = data[np.isfinite(data)]
    if data.size < 2 or np.ptp(data) == 0:
        constant = float(statistic(data, axis=0)) if data.size > 1 else float("nan")
        return Interval(constant, constant)
    ends = stats.bootstrap(
        (data,),
        statistic,
        confidence_level=level,
        method=method,
        n_resamples=resamples,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(float(ends.low), float(ends.high))


def cluster_ratio(
    numerator: ArrayLike, denominator: ArrayLike, *, level: float = 0.95, resamples: int = 4999, seed: int = 1
) -> Interval:
    """Percentile bootstrap interval of a ratio of sums, drawing whole clusters.

    The contacts of one agent resemble each other, so the interval of a team must draw agents.

    Args:
        numerator: Sum of the numerator per cluster (agent).
        denominator: Sum of the denominator per cluster.
        level: Confidence level, a share.
        resamples: Samples drawn.
        seed: Seed of the random numbers.

    Returns:
        Ends of the interval of the ratio; NaN with fewer than two clusters.

    Examples:
        >>> low, high = cluster_ratio([18, 20, 9, 15, 12], [20, 22, 20, 18, 20])
        >>> low < (18 + 20 + 9 + 15 + 12) / 100 < high
        True

    Source:
        Davison & Hinkley, Bootstrap Methods and their Application (1997), 3.8.
    """
    above, below = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    known = np.isfinite(above) & np.isfinite(below)
    above, below = above[known], below[known]
    if above.size < 2:
        return Interval(float("nan"), float("nan"))
    drawn = np.random.default_rng(seed).integers(0, above.size, size=(resamples, above.size))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = above[drawn].sum(axis=1) / below[drawn].sum(axis=1)
    low, high = np.nanquantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))

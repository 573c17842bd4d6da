"""Tests against a target and between groups, and what many of them at once still mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ccanalysis.errors import StatisticsError
from ccanalysis.statistics.intervals import EQUAL, Interval, poisson_exact, rate_ratio, squares_about_mean


def _adjust(p: ArrayLike, factor: Any) -> NDArray:
    """Adjust p-values step-up; NaN is left out of the count and stays NaN."""
    values = np.asarray(p, dtype=float)
    known = ~np.isnan(values)
    tested = values[known]
    if ((tested < 0) | (tested > 1)).any():
        raise StatisticsError(f"{int(((tested < 0) | (tested > 1)).sum())} p-values are outside 0 to 1")
    result = np.full(values.shape, np.nan)
    if not tested.size:
        return result
    order = np.argsort(tested)[::-1]
    scaled = tested[order] * factor(tested.size)
    adjusted = np.empty(tested.size)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled), 1.0)
    result[known] = adjusted
    return result


def benjamini_hochberg(p: ArrayLike) -> NDArray:
    """Adjust p-values so that rejecting those below q keeps the share of false alarms below q.

    Args:
        p: p-values of all comparisons made, any shape; NaN where none was possible.

    Returns:
        Adjusted p-values (q-values), same shape, NaN where `p` is NaN.

    Raises:
        StatisticsError: A p-value outside 0 to 1.

    Examples:
        >>> benjamini_hochberg([0.01, float("nan"), 0.02, 0.5]).round(3).tolist()
        [0.03, nan, 0.03, 0.5]

    Source:
        Benjamini & Hochberg (1995), JRSS B 57: 289-300.
    """
    return _adjust(p, lambda m: m / np.arange(m, 0, -1))


def benjamini_yekutieli(p: ArrayLike) -> NDArray:
    """Adjust p-values as `benjamini_hochberg`, for comparisons that depend on each other in any way.

    Args:
        p: p-values, any shape; NaN where no comparison was possible.

    Returns:
        Adjusted p-values, same shape, NaN where `p` is NaN.

    Examples:
        >>> benjamini_yekutieli([0.01, 0.02]).tolist()
        [0.03, 0.03]

    Source:
        Benjamini & Yekutieli (2001), Annals of Statistics 29: 1165-1188.
    """
    return _adjust(p, lambda m: (1 / np.arange(1, m + 1)).sum() * m / np.arange(m, 0, -1))


def holm(p: ArrayLike) -> NDArray:
    """Adjust p-values so that the chance of any false alarm stays below the level.

    Args:
        p: p-values, any shape; NaN where no comparison was possible.

    Returns:
        Adjusted p-values, same shape, NaN where `p` is NaN.

    Examples:
        >>> holm([0.01, 0.02, 0.5]).tolist()
        [0.03, 0.04, 0.5]

    Source:
        Holm (1979), Scandinavian Journal of Statistics 6: 65-70.
    """
    values = np.asarray(p, dtype=float)
    known = ~np.isnan(values)
    tested = values[known]
    order = np.argsort(tested)
    adjusted = np.empty(tested.size)
    adjusted[order] = np.minimum(np.maximum.accumulate(tested[order] * np.arange(tested.size, 0, -1)), 1.0)
    result = np.full(values.shape, np.nan)
    result[known] = adjusted
    return result


def proportion_below_target(successes: ArrayLike, n: ArrayLike, target: ArrayLike) -> NDArray:
    """One-sided exact p: how likely so few successes are if the true share meets its target.

    Args:
        successes: Number of successes.
        n: Number of trials; 0 gives NaN.
        target: Target share, 0 to 1.

    Returns:
        The chance of `successes` or fewer at the target.

    Examples:
        >>> round(float(proportion_below_target(682, 925, 0.75)), 6)
        0.196009

    Source:
        Exact binomial test: Conover, Practical Nonparametric Statistics (1971), p. 97.
    """
    x, trials, wanted = (np.asarray(one, dtype=float) for one in (successes, n, target))
    return np.where(trials > 0, stats.binom.cdf(x, trials, wanted), np.nan)[()]


def proportion_above_target(successes: ArrayLike, n: ArrayLike, target: ArrayLike) -> NDArray:
    """One-sided exact p: how likely so many successes are if the true share stays within its target.

    Args:
        successes: Number of successes.
        n: Number of trials; 0 gives NaN.
        target: Target share that should not be exceeded, 0 to 1.

    Returns:
        The chance of `successes` or more at the target.

    Examples:
        >>> round(float(proportion_above_target(3, 20, 0.05)), 6)
        0.075484

    Source:
        Exact binomial test: Conover, Practical Nonparametric Statistics (1971), p. 97.
    """
    x, trials, wanted = (np.asarray(one, dtype=float) for one in (successes, n, target))
    return np.where(trials > 0, stats.binom.sf(np.ceil(x) - 1, trials, wanted), np.nan)[()]


def count_above_target(count: ArrayLike, exposure: ArrayLike, target: ArrayLike) -> NDArray:
    """One-sided exact p: how likely so many events are if the true rate stays within its target.

    Args:
        count: Number of events.
        exposure: What they are divided by; 0 gives NaN.
        target: Target rate, events per unit of exposure.

    Returns:
        The chance of `count` or more at the target.

    Examples:
        >>> round(float(count_above_target(10, 4, 2)), 4)
        0.2834

    Source:
        Exact Poisson test: Garwood (1936), Biometrika 28: 437-442.
    """
    x, time, wanted = (np.asarray(one, dtype=float) for one in (count, exposure, target))
    return np.where(time > 0, stats.poisson.sf(np.ceil(x) - 1, time * wanted), np.nan)[()]


def count_below_target(count: ArrayLike, exposure: ArrayLike, target: ArrayLike) -> NDArray:
    """One-sided exact p: how likely so few events are if the true rate meets its target.

    Args:
        count: Number of events.
        exposure: What they are divided by; 0 gives NaN.
        target: Target rate, events per unit of exposure.

    Returns:
        The chance of `count` or fewer at the target.

    Examples:
        >>> round(float(count_below_target(10, 4, 2)), 4)
        0.8159

    Source:
        Exact Poisson test: Garwood (1936), Biometrika 28: 437-442.
    """
    x, time, wanted = (np.asarray(one, dtype=float) for one in (count, exposure, target))
    return np.where(time > 0, stats.poisson.cdf(x, time * wanted), np.nan)[()]


def mean_vs_target_from_sums(
    total: ArrayLike, total_of_squares: ArrayLike, n: ArrayLike, target: ArrayLike, *, miss: str = "below"
) -> NDArray:
    """One-sided p of a t test of a mean against its target, from sums that add up.

    For skewed times pass the sums of their logarithms and the logarithm of the target.

    Args:
        total: Sum of the values.
        total_of_squares: Sum of their squares.
        n: How many there are; fewer than two give NaN.
        target: In the unit of the values.
        miss: "below" where the target is a floor, "above" where it is a ceiling.

    Returns:
        The chance of a mean so far on the wrong side if the true mean is on target. Values that do
        not vary give 0 or 1, and a half where they are the target, up to the last digits of floats.

    Raises:
        StatisticsError: `miss` is neither "below" nor "above".

    Examples:
        >>> round(float(mean_vs_target_from_sums(22, 126, 4, 7)), 4)
        0.0514

    Source:
        Student (1908), Biometrika 6: 1-25.
    """
    if miss not in ("below", "above"):
        raise StatisticsError(f"miss is {miss!r}, expected 'below' or 'above'")
    sums, squares, count, wanted = np.broadcast_arrays(
        *(np.asarray(one, dtype=float) for one in (total, total_of_squares, n, target))
    )
    size = np.where(count > 1, count, np.nan)
    mean = sums / size
    variance = squares_about_mean(sums, squares, size) / (size - 1)
    sign = 1 if miss == "below" else -1
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = sign * (mean - wanted)
        distance = np.where(np.abs(distance) <= EQUAL * np.maximum(np.abs(mean), np.abs(wanted)), 0.0, distance)
        t = np.where(distance == 0, 0.0, distance / np.sqrt(variance / size))
    t = np.where(np.isnan(mean), np.nan, t)
    return stats.t.cdf(t, size - 1)[()]


class Tested(NamedTuple):
    """A test: its statistic, degrees of freedom (NaN for exact tests), two-sided p and estimate with interval."""

    statistic: float
    degrees_of_freedom: float
    p: float
    estimate: float
    interval: Interval


_NAN = float("nan")
_NOTHING = Tested(_NAN, _NAN, _NAN, _NAN, Interval(_NAN, _NAN))


def _check_rates(*values: float) -> None:
    if min(values) < 0:
        raise StatisticsError("counts, exposures or targets are negative")


def proportion_test(successes: int, n: int, target: float, *, level: float = 0.95) -> Tested:
    """Two-sided exact test of a share against a target.

    Args:
        successes: Number of successes.
        n: Number of trials.
        target: Target share, 0 to 1.
        level: Confidence level of the interval.

    Returns:
        The test; its statistic is the number of successes, its interval Clopper and Pearson's. NaN without
        a trial.

    Raises:
        StatisticsError: Successes below 0 or above `n`, or a target that is no share.

    Examples:
        >>> round(proportion_test(682, 925, 0.75).p, 4)
        0.3825

    Source:
        Conover (1971), p. 97. Two-sided p: all outcomes no more likely than the one seen.
    """
    if not 0 <= successes <= n:
        raise StatisticsError("there are fewer than 0 or more than n successes", remedy="Check both sides.")
    if not 0 <= target <= 1:
        raise StatisticsError(f"target is {target}, expected a share from 0 to 1")
    if n == 0:
        return _NOTHING
    result = stats.binomtest(int(successes), int(n), float(target))
    ends = result.proportion_ci(confidence_level=level)
    return Tested(
        float(successes), float("nan"), float(result.pvalue), successes / n, Interval(float(ends.low), float(ends.high))
    )


def rate_test(count: int, exposure: float, target: float, *, level: float = 0.95) -> Tested:
    """Two-sided exact test of a Poisson rate against a target.

    Args:
        count: Number of events.
        exposure: What they are divided by.
        target: Target rate, events per unit of exposure.
        level: Confidence level of the interval.

    Returns:
        The test; its statistic is the number of events, its interval the exact one. NaN without exposure.

    Raises:
        StatisticsError: Negative counts, exposures or targets.

    Examples:
        >>> round(rate_test(10, 4, 2).p, 4)
        0.4746

    Source:
        Two-sided p: all counts no more likely than the one seen, as R's `poisson.test`; doubling the
        smaller tail gives a larger one.
    """
    _check_rates(count, exposure, target)
    if exposure == 0:
        return _NOTHING
    return Tested(
        float(count),
        float("nan"),
        _poisson_p(count, exposure * target),
        count / exposure,
        poisson_exact(count, exposure, level=level),
    )


#: Two probabilities closer than this are equally likely, as in R.
_LIKELIHOOD_TOLERANCE = 1 + 1e-7


def _poisson_p(count: int, expected: float) -> float:
    if expected == 0:
        return 1.0 if count == 0 else 0.0
    # on the log scale, for the chances of what was seen and of the far tail may be below the smallest float
    limit = stats.poisson.logpmf(count, expected) + np.log(_LIKELIHOOD_TOLERANCE)

    def no_more_likely(other: int) -> bool:
        return bool(stats.poisson.logpmf(other, expected) <= limit)

    if count <= expected:
        # from the mean on, counts are ever less likely: the far tail starts at the first no more likely one
        first = max(count + 1, int(np.ceil(expected)))
        last = first + 1
        while not no_more_likely(last):
            last *= 2
        start = _first_where(no_more_likely, first, last)
        return float(min(1.0, stats.poisson.cdf(count, expected) + stats.poisson.sf(start - 1, expected)))
    # up to the mean, counts are ever more likely: the far tail ends before the first that is more so
    end = _first_where(lambda other: not no_more_likely(other), 0, int(np.floor(expected)) + 1)
    return float(min(1.0, stats.poisson.cdf(end - 1, expected) + stats.poisson.sf(count - 1, expected)))


def _first_where(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Find the first whole number from `low` that a rising condition holds for; it holds at `high` at the latest."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def rate_ratio_test(count_1: int, exposure_1: float, count_2: int, exposure_2: float, *, level: float = 0.95) -> Tested:
    """Two-sided exact test that two Poisson rates are equal.

    Args:
        count_1: Events of the first group.
        exposure_1: What they are divided by.
        count_2: Events of the second group.
        exposure_2: What they are divided by.
        level: Confidence level of the interval.

    Returns:
        The test; its statistic is `count_1`, its estimate the ratio of the first rate to the second. NaN
        without an event in either group, or without an exposure.

    Raises:
        StatisticsError: Negative counts or exposures.

    Examples:
        >>> result = rate_ratio_test(11, 800, 23, 3011)
        >>> round(result.estimate, 2), round(result.p, 4)
        (1.8, 0.1366)

    Source:
        Given the sum of both counts the first is binomial: Lehmann & Romano (2005), 4.5.
    """
    _check_rates(count_1, exposure_1, count_2, exposure_2)
    if not (count_1 + count_2 and exposure_1 and exposure_2):
        return _NOTHING
    share = exposure_1 / (exposure_1 + exposure_2)
    p = stats.binomtest(int(count_1), int(count_1 + count_2), share).pvalue
    ratio = (count_1 / exposure_1) / (count_2 / exposure_2) if count_2 else float("inf")
    interval = rate_ratio(count_1, exposure_1, count_2, exposure_2, level=level)
    return Tested(float(count_1), float("nan"), float(p), ratio, interval)


def heterogeneity(successes: ArrayLike, n: ArrayLike) -> Tested:
    """Chi-square test that the shares of several groups are the same.

    Args:
        successes: Number of successes per group; groups with NaN are left out.
        n: Number of trials per group; groups with none are left out.

    Returns:
        The test; its estimate is the pooled share and it has no interval (NaN). All NaN with fewer than
        two groups, p 1 where every group has only successes or only failures.

    Examples:
        >>> result = heterogeneity([83, 90, 129, 70], [86, 93, 136, 82])
        >>> round(result.statistic, 1), round(result.p, 6)
        (12.6, 0.005585)

    Source:
        Fleiss, Statistical Methods for Rates and Proportions (1981), p. 139.
    """
    x, trials = np.asarray(successes, dtype=float), np.asarray(n, dtype=float)
    used = (trials > 0) & ~np.isnan(x)
    x, trials = x[used], trials[used]
    nothing = Interval(float("nan"), float("nan"))
    if x.size < 2:
        return Tested(float("nan"), float("nan"), float("nan"), float("nan"), nothing)
    pooled = x.sum() / trials.sum()
    if pooled in (0.0, 1.0):
        return Tested(0.0, float(x.size - 1), 1.0, float(pooled), nothing)
    chi_square = float(((x - trials * pooled) ** 2 / (trials * pooled * (1 - pooled))).sum())
    p = float(stats.chi2.sf(chi_square, x.size - 1))
    return Tested(chi_square, float(x.size - 1), p, float(pooled), nothing)


def welch(first: ArrayLike, second: ArrayLike, *, level: float = 0.95) -> Tested:
    """Welch's t test of two means, first minus second, without assuming equal variances.

    Args:
        first: Values of the first group, NaN left out.
        second: Values of the second group.
        level: Confidence level of the interval.

    Returns:
        The test; its estimate is the difference of the means, in the unit of the values. With fewer than
        two values in a group all but the estimate is NaN. Where neither group varies p is 0, or 1 where the
        means are the same, and the interval has no width.

    Examples:
        >>> result = welch([4.8, 4.2, 4.4, 3.6], [6.3, 5.1, 5.5, 5.5])
        >>> round(result.estimate, 2), result.p < 0.05
        (-1.35, True)

    Source:
        Welch (1947), Biometrika 34: 28-35.
    """
    x, y = (np.asarray(one, dtype=float) for one in (first, second))
    (mean_x, error_x, n_x), (mean_y, error_y, n_y) = (_mean_and_error(one[np.isfinite(one)]) for one in (x, y))
    squared = error_x**2 + error_y**2
    degrees = squared**2 / (error_x**4 / (n_x - 1) + error_y**4 / (n_y - 1)) if squared > 0 else _NAN
    scale = max(abs(mean_x), abs(mean_y))
    return _t_test(mean_x - mean_y, 0.0, np.sqrt(squared), degrees, scale, level)


def _mean_and_error(values: NDArray) -> tuple[float, float, int]:
    """Give the mean, its standard error (0 for values that do not vary, NaN for fewer than two) and their number."""
    if values.size < 2:
        return (float(values[0]) if values.size else _NAN), _NAN, values.size
    spread = float(values.std(ddof=1))
    constant = spread <= EQUAL * float(np.abs(values).max())
    return float(values.mean()), 0.0 if constant else spread / float(np.sqrt(values.size)), values.size


def _t_test(estimate: float, null: float, error: float, degrees: float, scale: float, level: float) -> Tested:
    """Test an estimate against a value; without an error it is on it, or off it for certain."""
    distance = estimate - null
    if np.isnan(error):
        return _NOTHING._replace(estimate=float(estimate))
    if error == 0:
        t = 0.0 if abs(distance) <= EQUAL * scale else float(np.copysign(np.inf, distance))
        return Tested(t, _NAN, 1.0 if t == 0 else 0.0, float(estimate), Interval(float(estimate), float(estimate)))
    t, reach = distance / error, stats.t.ppf((1 + level) / 2, degrees) * error
    p = 2 * stats.t.sf(abs(t), degrees)
    return Tested(
        float(t), float(degrees), float(p), float(estimate), Interval(float(estimate - reach), float(estimate + reach))
    )


def ratio_of_geometric_means(first: ArrayLike, second: ArrayLike, *, level: float = 0.95) -> Tested:
    """Welch's t test of two skewed times on the log scale, as a ratio of typical values.

    Args:
        first: Positive values of the first group.
        second: Positive values of the second group.
        level: Confidence level of the interval.

    Returns:
        The test; its estimate is the ratio of the geometric means, first over second.

    Raises:
        StatisticsError: Values of 0 or less.

    Examples:
        >>> round(ratio_of_geometric_means([100, 200, 400], [50, 100, 200]).estimate, 6)
        2.0

    Source:
        Bland & Altman (1996), BMJ 312: 1153.
    """
    x, y = (np.asarray(one, dtype=float) for one in (first, second))
    wrong = int((x <= 0).sum() + (y <= 0).sum())
    if wrong:
        raise StatisticsError(f"{wrong} values are 0 or less and have no logarithm")
    result = welch(np.log(x), np.log(y), level=level)
    low, high = result.interval
    return result._replace(estimate=float(np.exp(result.estimate)), interval=Interval(np.exp(low), np.exp(high)))


def mean_test(values: ArrayLike, target: float, *, level: float = 0.95) -> Tested:
    """Two-sided t test of a mean against a target.

    Args:
        values: One value per case, NaN left out.
        target: In the unit of the values.
        level: Confidence level of the interval.

    Returns:
        The test; its estimate is the mean. With fewer than two values all else is NaN. Where the values do
        not vary p is 0, or 1 where they are the target, and the interval has no width.

    Examples:
        >>> round(mean_test([4, 5, 6, 7], 7).p, 4)
        0.1027

    Source:
        Student (1908), Biometrika 6: 1-25.
    """
    data = np.asarray(values, dtype=float)
    mean, error, n = _mean_and_error(data[np.isfinite(data)])
    return _t_test(mean, float(target), error, n - 1, max(abs(mean), abs(target)), level)


def hodges_lehmann(first: ArrayLike, second: ArrayLike, *, level: float = 0.95) -> Tested:
    """Rank-sum test of two groups, with the typical difference and its interval.

    Args:
        first: Values of the first group, NaN left out.
        second: Values of the second group.
        level: Confidence level of the interval.

    Returns:
        The test; its statistic is the number of pairs in which the first exceeds the second (ties count
        a half), its estimate the median of all differences, first minus second. Exact without ties in
        groups of up to 50, else by the normal approximation with continuity correction. NaN where a group
        has no value.

    Examples:
        >>> hodges_lehmann([5, 7, 9], [1, 2, 3]).estimate
        5.0

    Source:
        Hollander & Wolfe, Nonparametric Statistical Methods (1973), chapter 4.
    """
    x, y = (np.asarray(one, dtype=float) for one in (first, second))
    x, y = x[np.isfinite(x)], y[np.isfinite(y)]
    if not x.size or not y.size:
        return _NOTHING
    differences = np.sort((x[:, None] - y[None, :]).ravel())
    tied = np.unique(np.concatenate([x, y])).size < x.size + y.size
    exact = not tied and max(x.size, y.size) < 50
    method = "exact" if exact else "asymptotic"
    result = stats.mannwhitneyu(x, y, method=method)
    tail = (1 - level) / 2
    if exact:
        rank = _rank_sum_quantile(x.size, y.size, tail)
    else:
        spread = np.sqrt(x.size * y.size * (x.size + y.size + 1) / 12)
        rank = round(x.size * y.size / 2 - stats.norm.ppf(1 - tail) * spread)
    rank = max(rank, 1)
    interval = Interval(float(differences[rank - 1]), float(differences[-rank]))
    return Tested(float(result.statistic), float("nan"), float(result.pvalue), float(np.median(differences)), interval)


def _rank_sum_quantile(m: int, n: int, share: float) -> int:
    """Find the smallest count of pairs whose cumulative chance reaches `share`, all orders equally likely."""
    ways = np.zeros((m + 1, m * n + 1))  # by members of the first group placed so far, and pairs won
    ways[0, 0] = 1.0
    for below in range(n + 1):
        for placed in range(1, m + 1):  # each member of the first group lies above `below` of the second
            ways[placed, below:] += ways[placed - 1, : m * n + 1 - below]
    return int(np.searchsorted(np.cumsum(ways[m]) / ways[m].sum(), share))

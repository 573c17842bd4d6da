"""Confidence intervals: vectorised, from sums wherever sums are enough.

Every function returns an `Interval` of two arrays (or two floats for scalars) in the unit of the
estimate, and NaN where there is nothing to estimate from.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ccanalysis.errors import StatisticsError

#: Below this many events the exact Poisson interval replaces Byar's approximation.
BYAR_FROM = 10


#: What one addition may lose, a few times over; sums of n values lose about the root of n as much.
_ROUNDING = 4 * np.finfo(float).eps
#: Two figures closer than this share of the larger one are taken as equal.
EQUAL = 1e-9


class Interval(NamedTuple):
    """Lower and upper end of a confidence interval, in the unit of the estimate."""

    low: Any
    high: Any


def _arrays(*values: ArrayLike) -> list[NDArray]:
    return list(np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in values)))


def _interval(low: NDArray, high: NDArray) -> Interval:
    return Interval(low[()], high[()])  # an array of no dimension becomes a float


def _alpha(level: float) -> float:
    if not 0 < level < 1:
        raise StatisticsError(f"level is {level}, expected a share between 0 and 1 such as 0.95")
    return 1 - level


def _z(level: float) -> float:
    return float(stats.norm.ppf(1 - _alpha(level) / 2))


def _check_share(successes: NDArray, n: NDArray) -> None:
    wrong = int(((successes < 0) | (successes > n)).sum())
    if wrong:
        raise StatisticsError(f"{wrong} rows have fewer than 0 or more than n successes", remedy="Check both sides.")


def _check_not_negative(**named: NDArray) -> None:
    for name, values in named.items():
        if (values < 0).any():
            raise StatisticsError(f"{int((values < 0).sum())} entries of {name} are negative")


def wilson(successes: ArrayLike, n: ArrayLike, *, level: float = 0.95, population: ArrayLike | None = None) -> Interval:
    """Wilson score interval of a proportion, without continuity correction.

    Args:
        successes: Number of successes; need not be whole.
        n: Number of trials; 0 gives NaN.
        level: Confidence level, a share.
        population: Size of the finite population that was sampled, for its own quality in that
            period. Leave it out, or infinite, for the underlying rate of an agent or a process.

    Returns:
        Ends of the interval, shares from 0 to 1.

    Raises:
        StatisticsError: Successes below 0 or above `n`, or a population smaller than the sample.

    Examples:
        >>> low, high = wilson(65, 100)
        >>> round(float(low), 4), round(float(high), 4)
        (0.5525, 0.7364)

    Source:
        Wilson (1927), JASA 22: 209-212. Public Health England, Technical Guide: Confidence Intervals
        (2018). Finite population: n is divided by the correction (N - n) / (N - 1), Cochran (1977), 2.15.
    """
    x, trials = _arrays(successes, n)
    _check_share(x, trials)
    effective = trials
    if population is not None:
        x, trials, size = _arrays(x, trials, population)
        if (size < trials).any():
            raise StatisticsError(f"{int((size < trials).sum())} rows have a population smaller than the sample")
        with np.errstate(invalid="ignore", divide="ignore"):
            finite = np.where(size > 1, trials * (size - 1) / (size - trials), np.inf)
            effective = np.where(np.isinf(size), trials, finite)
    z = _z(level)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = np.where(trials > 0, x / trials, np.nan)
        ratio = z * z / effective
        middle = (p + ratio / 2) / (1 + ratio)
        reach = np.sqrt(p * (1 - p) * ratio + ratio**2 / 4) / (1 + ratio)
    low = np.where(p == 0, 0.0, np.clip(middle - reach, 0.0, 1.0))
    high = np.where(p == 1, 1.0, np.clip(middle + reach, 0.0, 1.0))
    return _interval(low, high)


def clopper_pearson(successes: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> Interval:
    """Exact binomial interval of a proportion.

    Args:
        successes: Number of successes.
        n: Number of trials; 0 gives NaN.
        level: Confidence level, a share.

    Returns:
        Ends of the interval, shares from 0 to 1.

    Raises:
        StatisticsError: Successes below 0 or above `n`.

    Examples:
        >>> low, high = clopper_pearson(682, 925)
        >>> round(float(low), 4), round(float(high), 4)
        (0.7077, 0.7654)

    Source:
        Clopper & Pearson (1934), Biometrika 26: 404-413. The example is Conover (1971), p. 97.
    """
    x, trials = _arrays(successes, n)
    _check_share(x, trials)
    tail = _alpha(level) / 2
    low = np.where(x == 0, 0.0, stats.beta.ppf(tail, x, trials - x + 1))
    high = np.where(x == trials, 1.0, stats.beta.ppf(1 - tail, x + 1, trials - x))
    known = trials > 0
    return _interval(np.where(known, low, np.nan), np.where(known, high, np.nan))


def newcombe(
    successes_1: ArrayLike, n_1: ArrayLike, successes_2: ArrayLike, n_2: ArrayLike, *, level: float = 0.95
) -> Interval:
    """Interval of the difference of two independent proportions, first minus second.

    Args:
        successes_1: Successes of the first group.
        n_1: Trials of the first group; 0 gives NaN.
        successes_2: Successes of the second group.
        n_2: Trials of the second group.
        level: Confidence level, a share.

    Returns:
        Ends of the interval of the difference, from -1 to 1.

    Examples:
        >>> low, high = newcombe(30, 40, 22, 40)
        >>> round(float(low), 4), round(float(high), 4)
        (-0.0086, 0.3863)

    Source:
        Newcombe (1998), Statistics in Medicine 17: 873-890, method 10.
    """
    x1, trials1, x2, trials2 = _arrays(successes_1, n_1, successes_2, n_2)
    low1, high1 = wilson(x1, trials1, level=level)
    low2, high2 = wilson(x2, trials2, level=level)
    with np.errstate(invalid="ignore", divide="ignore"):
        p1, p2 = x1 / trials1, x2 / trials2
    difference = p1 - p2
    low = difference - np.sqrt((p1 - low1) ** 2 + (high2 - p2) ** 2)
    high = difference + np.sqrt((high1 - p1) ** 2 + (p2 - low2) ** 2)
    return _interval(np.asarray(low), np.asarray(high))


def poisson_exact(count: ArrayLike, exposure: ArrayLike = 1.0, *, level: float = 0.95) -> Interval:
    """Exact interval of a Poisson count, or of a rate where an exposure is given.

    Args:
        count: Number of events.
        exposure: What the events are divided by; 0 gives NaN.
        level: Confidence level, a share.

    Returns:
        Ends of the interval, events per unit of exposure.

    Raises:
        StatisticsError: Negative counts or exposures.

    Examples:
        >>> low, high = poisson_exact(5, 100)
        >>> round(float(low), 5), round(float(high), 5)
        (0.01623, 0.11668)

    Source:
        Garwood (1936), Biometrika 28: 437-442.
    """
    x, time = _arrays(count, exposure)
    _check_not_negative(count=x, exposure=time)
    tail = _alpha(level) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        per = np.where(time > 0, 1 / time, np.nan)
        low = np.where(x == 0, 0.0, stats.chi2.ppf(tail, 2 * x) / 2)
    return _interval(low * per, stats.chi2.ppf(1 - tail, 2 * x + 2) / 2 * per)


def byar(count: ArrayLike, exposure: ArrayLike = 1.0, *, level: float = 0.95, exact_below: int = BYAR_FROM) -> Interval:
    """Interval of a count or rate by Byar's approximation, exact below ten events.

    Args:
        count: Number of events.
        exposure: What the events are divided by; 0 gives NaN.
        level: Confidence level, a share.
        exact_below: Counts below this get the exact interval; 0 for Byar throughout.

    Returns:
        Ends of the interval, events per unit of exposure. A lower end below 0 is NaN.

    Raises:
        StatisticsError: Negative counts or exposures.

    Examples:
        >>> low, high = byar(65)
        >>> round(float(low), 3), round(float(high), 3)
        (50.163, 82.849)

    Source:
        Breslow & Day (1987), Statistical Methods in Cancer Research II, p. 69; Public Health England,
        Technical Guide: Confidence Intervals (2018), for the change at ten.
    """
    x, time = _arrays(count, exposure)
    exact = poisson_exact(x, time, level=level)
    z = _z(level)
    with np.errstate(invalid="ignore", divide="ignore"):
        per = np.where(time > 0, 1 / time, np.nan)
        low = x * (1 - 1 / (9 * x) - z / (3 * np.sqrt(x))) ** 3
        high = (x + 1) * (1 - 1 / (9 * (x + 1)) + z / (3 * np.sqrt(x + 1))) ** 3
    low = np.where(low < 0, np.nan, low) * per
    few = x < exact_below
    return _interval(np.where(few, exact.low, low), np.where(few, exact.high, high * per))


def rate_ratio(
    count_1: ArrayLike, exposure_1: ArrayLike, count_2: ArrayLike, exposure_2: ArrayLike, *, level: float = 0.95
) -> Interval:
    """Exact interval of the ratio of two Poisson rates, first over second.

    Args:
        count_1: Events of the first group.
        exposure_1: What they are divided by.
        count_2: Events of the second group; none gives an infinite upper end.
        exposure_2: What they are divided by.
        level: Confidence level, a share.

    Returns:
        Ends of the interval of the ratio; NaN where neither group has an event.

    Examples:
        >>> low, high = rate_ratio(11, 800, 23, 3011)
        >>> round(float(low), 4), round(float(high), 4)
        (0.7922, 3.8439)

    Source:
        Given the sum of both counts the first is binomial: Lehmann & Romano (2005), 4.5.
    """
    x1, time1, x2, time2 = _arrays(count_1, exposure_1, count_2, exposure_2)
    share = clopper_pearson(x1, x1 + x2, level=level)
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = (np.asarray(end / (1 - end) * time2 / time1) for end in share)
    return _interval(low, high)


def mean_t(values: ArrayLike, *, level: float = 0.95) -> Interval:
    """Student's t interval of a mean.

    Args:
        values: One value per case, NaN left out; for a table, one group per column.
        level: Confidence level, a share.

    Returns:
        Ends of the interval, in the unit of `values`; NaN with fewer than two values.

    Examples:
        >>> low, high = mean_t([4, 5, 6, 7])
        >>> round(float(low), 3), round(float(high), 3)
        (3.446, 7.554)

    Source:
        Student (1908), Biometrika 6: 1-25.
    """
    data = np.asarray(values, dtype=float)
    n = np.isfinite(data).sum(axis=0)
    total = np.nansum(data, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / np.where(n > 0, n, np.nan)
    squares = np.nansum((data - mean) ** 2, axis=0)
    return _t_interval(np.asarray(mean), np.asarray(squares), np.asarray(n, dtype=float), level)


def mean_from_sums(total: ArrayLike, total_of_squares: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> Interval:
    """Student's t interval of a mean, from sums that add up over any grouping.

    Args:
        total: Sum of the values.
        total_of_squares: Sum of their squares.
        n: How many there are.
        level: Confidence level, a share.

    Returns:
        Ends of the interval, in the unit of the values; NaN with fewer than two values. Squares of values
        that lie far from 0 and close together leave few digits to tell their spread by: of three values near
        a million that differ by 0.1 the half-width is off by one part in a hundred. Take `mean_t`, or sums of
        the distances from a round figure near them; a spread that rounding alone can make counts as none.

    Examples:
        >>> low, high = mean_from_sums(22, 126, 4)
        >>> round(float(low), 3), round(float(high), 3)
        (3.446, 7.554)

    Source:
        Student (1908), Biometrika 6: 1-25.
    """
    sums, squares, count = _arrays(total, total_of_squares, n)
    _check_not_negative(n=count)
    mean = _divide(sums, count)
    return _t_interval(mean, squares_about_mean(sums, squares, count), count, level)


def squares_about_mean(total: ArrayLike, total_of_squares: ArrayLike, n: ArrayLike) -> NDArray:
    """Give the sum of squares about the mean, from sums; 0 where it is no more than what rounding leaves.

    Args:
        total: Sum of the values.
        total_of_squares: Sum of their squares.
        n: How many there are; 0 gives 0.

    Returns:
        Sum of squares, in the squared unit of the values.

    Examples:
        >>> squares_about_mean(22, 126, 4).item(), squares_about_mean(3 * 0.29, 3 * 0.29**2, 3).item()
        (5.0, 0.0)

    Source:
        Chan, Golub & LeVeque (1983), The American Statistician 37: 242-247, on what the difference of two
        such sums loses.
    """
    sums, squares, count = _arrays(total, total_of_squares, n)
    mean = np.divide(sums, count, out=np.zeros(sums.shape), where=count > 0)
    found = squares - sums * mean
    noise = _ROUNDING * squares * np.sqrt(np.maximum(count, 1))
    return np.where(found <= noise, 0.0, found)


def _divide(numerator: NDArray, denominator: NDArray) -> NDArray:
    return np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator > 0)


def _t_interval(mean: NDArray, squares: NDArray, n: NDArray, level: float) -> Interval:
    tail = _alpha(level) / 2
    degrees = np.where(n > 1, n - 1, np.nan)
    reach = stats.t.ppf(1 - tail, degrees) * np.sqrt(squares / degrees / np.where(n > 0, n, np.nan))
    return _interval(np.asarray(mean - reach), np.asarray(mean + reach))


def log_mean(
    total_log: ArrayLike,
    total_log_squares: ArrayLike,
    n: ArrayLike,
    *,
    level: float = 0.95,
    method: Literal["zou", "cox", "geometric"] = "zou",
) -> Interval:
    """Interval of the mean of a skewed, log-normal time, from sums of its logarithms.

    Args:
        total_log: Sum of the natural logarithms of the values.
        total_log_squares: Sum of their squares.
        n: How many there are.
        level: Confidence level, a share.
        method: "zou" and "cox" for the arithmetic mean, which staffing needs; "geometric" for the
            geometric mean, the typical value.

    Returns:
        Ends of the interval, in the unit of the values; NaN with fewer than two values.

    Raises:
        StatisticsError: Unknown method.

    Examples:
        >>> logs = np.log([120.0, 180.0, 240.0, 600.0])
        >>> low, high = log_mean(logs.sum(), (logs**2).sum(), logs.size)
        >>> round(float(low)), round(float(high))
        (150, 6542)

    Source:
        Zou, Taleban & Huo (2009), Computational Statistics & Data Analysis 53: 3755-3764 (MOVER);
        Zhou & Gao (1997), Statistics in Medicine 16: 783-790, for Cox's method.
    """
    sums, squares, count = _arrays(total_log, total_log_squares, n)
    tail = _alpha(level) / 2
    mean = _divide(sums, count)
    degrees = np.where(count > 1, count - 1, np.nan)
    variance = squares_about_mean(sums, squares, count) / degrees
    size = np.where(count > 0, count, np.nan)
    if method == "geometric":
        reach = stats.t.ppf(1 - tail, degrees) * np.sqrt(variance / size)
        return _interval(np.exp(mean - reach), np.exp(mean + reach))
    middle = mean + variance / 2
    if method == "cox":
        reach = stats.t.ppf(1 - tail, degrees) * np.sqrt(variance / size + variance**2 / (2 * (count + 1)))
        return _interval(np.exp(middle - reach), np.exp(middle + reach))
    if method != "zou":
        raise StatisticsError(f"method is {method!r}, expected 'zou', 'cox' or 'geometric'")
    of_mean = stats.norm.ppf(1 - tail) ** 2 * variance / size
    half = variance / 2
    below = half * (1 - degrees / stats.chi2.ppf(1 - tail, degrees))
    above = half * (degrees / stats.chi2.ppf(tail, degrees) - 1)
    return _interval(np.exp(middle - np.sqrt(of_mean + below**2)), np.exp(middle + np.sqrt(of_mean + above**2)))


def _check_quantile(share: float) -> None:
    if not 0 < share < 1:
        raise StatisticsError(f"share is {share}, expected a share between 0 and 1 such as 0.9")


def quantile_order(values: ArrayLike, share: float, *, level: float = 0.95) -> Interval:
    """Distribution-free interval of a percentile, between two of the observed values.

    Args:
        values: One value per case, NaN left out.
        share: Which percentile, as a share: 0.9 for the 90th.
        level: Confidence level, a share; each tail keeps half of the rest.

    Returns:
        Ends of the interval, in the unit of `values`; NaN at an end that the sample is too small for
        (the 90th percentile at 95 % needs 36 values).

    Raises:
        StatisticsError: `share` is not between 0 and 1.

    Examples:
        >>> quantile_order(range(1, 101), 0.9)
        Interval(low=84.0, high=96.0)

    Source:
        Conover, Practical Nonparametric Statistics (1999), 3.2.
    """
    _check_quantile(share)
    data = _present(values)
    if not data.size:
        return Interval(float("nan"), float("nan"))
    ends = stats.quantile_test(data, q=0.0, p=share).confidence_interval(confidence_level=level)
    return Interval(float(ends.low), float(ends.high))


def quantile(values: ArrayLike, share: float, *, method: Any = "linear") -> float:
    """Give a percentile of the observed values, by a named definition.

    Args:
        values: One value per case, NaN left out.
        share: Which percentile, as a share: 0.9 for the 90th.
        method: As in `numpy.quantile`: all nine definitions of Hyndman and Fan; "linear" is their type 7.

    Returns:
        The percentile, in the unit of `values`; NaN without any.

    Raises:
        StatisticsError: `share` is below 0 or above 1.

    Examples:
        >>> quantile([10, 20, 30, 40], 0.9), quantile([10, 20, 30, 40], 0.9, method="inverted_cdf")
        (37.0, 40.0)

    Source:
        Hyndman & Fan (1996), The American Statistician 50: 361-365.
    """
    if not 0 <= share <= 1:
        raise StatisticsError(f"share is {share}, expected a share from 0 to 1 such as 0.9")
    data = _present(values)
    return float(np.quantile(data, share, method=method)) if data.size else float("nan")


class Quantile(NamedTuple):
    """An estimated percentile and its standard error, in the unit of the values."""

    estimate: float
    standard_error: float


def harrell_davis(values: ArrayLike, share: float) -> Quantile:
    """Estimate a percentile as a weighted mean of all values, steadier than one of them.

    Args:
        values: One value per case, NaN left out.
        share: Which percentile, as a share: 0.9 for the 90th.

    Returns:
        The estimate and its jackknife standard error (NaN with fewer than two values).

    Raises:
        StatisticsError: `share` is not between 0 and 1.

    Examples:
        >>> round(harrell_davis(range(1, 12), 0.5).estimate, 9)
        6.0

    Source:
        Harrell & Davis (1982), Biometrika 69: 635-640.
    """
    _check_quantile(share)
    data = np.sort(_present(values))
    n = data.size
    if n == 0:
        return Quantile(float("nan"), float("nan"))
    estimate = float(_hd_weights(n, share) @ data)
    if n == 1:
        return Quantile(estimate, float("nan"))
    weights = _hd_weights(n - 1, share)
    # without value i the values before it keep their weight, those after it move up one place
    before = np.concatenate([[0.0], np.cumsum(weights * data[:-1])])
    after = np.concatenate([np.cumsum((weights * data[1:])[::-1])[::-1], [0.0]])
    left_out = before + after
    return Quantile(estimate, float(np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())))


def _hd_weights(n: int, share: float) -> NDArray:
    return np.diff(stats.beta.cdf(np.arange(n + 1) / n, (n + 1) * share, (n + 1) * (1 - share)))


def _present(values: ArrayLike) -> NDArray:
    data = np.asarray(values if not isinstance(values, range) else list(values), dtype=float).ravel()
    return data[np.isfinite(data)]

"""Shrinkage: what a unit's figure is likely to be once its sample size is taken into account.

Few cases say little, so a unit's own figure is drawn towards its peers, the more the less it has.
Reliability says how much of the figure is the unit's own: 0.7 is usually asked for to compare groups and
0.9 to judge individuals.

The intervals allow for the peers' mean being an estimate and take their spread as known. With few cases per unit they
are a little short: `benchmarks/simulations.py` prints how often they hold the true figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from ccanalysis.errors import StatisticsError
from ccanalysis.statistics.intervals import Interval

#: A prior worth this many cases and more means that the units do not differ beyond chance.
NO_DIFFERENCE = 1e8


@dataclass(frozen=True)
class Shrunken:
    """Figures of several units drawn towards their peers; arrays with one entry per unit.

    Attributes:
        value: Shrunken figure, in the unit of the input; that of the peers for a unit without cases.
        low: Lower end of the interval at `level`.
        high: Upper end.
        low_80: Lower end of the 80 % interval, for gates and print.
        high_80: Upper end.
        reliability: Share of a unit's figure that is its own, 0 to 1.
        prior: What the peers are like: `mean`, `sd` and the parameters of the distribution.
        level: Level of `low` and `high`.
    """

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    low_80: NDArray[np.float64]
    high_80: NDArray[np.float64]
    reliability: NDArray[np.float64]
    prior: Mapping[str, float]
    level: float
    posterior: Any = field(repr=False)

    def interval(self, level: float) -> Interval:
        """Give the interval of each unit at another level, a share."""
        return Interval(*self.posterior.interval(level))

    def probability_below(self, target: ArrayLike) -> NDArray[np.float64]:
        """Give the chance that each unit's true figure is below a target, in its unit."""
        return self.posterior.cdf(np.asarray(target, dtype=float))

    def frame(self, index: pd.Index | None = None) -> pd.DataFrame:
        """Write the figures as a frame, one row a unit."""
        names = ("value", "low", "high", "low_80", "high_80", "reliability")
        return pd.DataFrame({name: getattr(self, name) for name in names}, index=index)


def _shrunken(
    value: NDArray, posterior: Any, reliability: NDArray, prior: Mapping[str, float], level: float
) -> Shrunken:
    low, high = posterior.interval(level)
    low_80, high_80 = posterior.interval(0.8)
    return Shrunken(value, low, high, low_80, high_80, reliability, prior, level, posterior)


def beta_binomial(successes: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> Shrunken:
    """Shrink proportions towards their peers; the peers' spread is estimated by maximum likelihood.

    Args:
        successes: Number of successes per unit; NaN where it is not known.
        n: Number of trials per unit; units without any, or without known successes, get the peers' figure
            and reliability 0.
        level: Level of `low` and `high`, a share.

    Returns:
        Shares from 0 to 1. `prior` has `mean`, `sd`, `alpha` and `beta`. Where the units differ no more
        than chance explains, all get the pooled share and reliability 0. The intervals are those of a beta
        distribution whose variance is that of the unit's figure given the peers, and that of their mean.

    Raises:
        StatisticsError: No unit has a trial and known successes, or successes are below 0 or above `n`.

    Examples:
        >>> shrunken = beta_binomial([18, 14, 10, 3], [20, 20, 20, 20])
        >>> shrunken.value.round(2).tolist()
        [0.85, 0.68, 0.51, 0.2]

    Source:
        Griffiths (1973), Biometrics 29: 637-648; Morris (1983), JASA 78: 47-55, for the variance that the
        peers' mean adds. Reliability: Adams (2009), RAND TR-653.
    """
    x, trials = (np.asarray(one, dtype=float) for one in (successes, n))
    wrong = int(((x < 0) | (x > trials)).sum())
    if wrong:
        raise StatisticsError(f"{wrong} units have fewer than 0 or more than n successes", remedy="Check both sides.")
    used = (trials > 0) & ~np.isnan(x)
    if not used.any():
        raise StatisticsError("no unit has a trial and known successes, so there is nothing to shrink towards")
    hits, tries = x[used], trials[used]
    pooled = hits.sum() / tries.sum()
    mean, size = _fit_beta_binomial(hits, tries) if 0 < pooled < 1 else (pooled, NO_DIFFERENCE)
    count = np.where(used, trials, 0.0)
    scored = np.where(used, x, 0.0)
    # all successes or all failures so far: half a case keeps the distribution proper
    alpha, beta = max(mean * size, 0.5), max((1 - mean) * size, 0.5)
    value = (mean * size + scored) / (size + count)
    prior = {"mean": mean, "sd": float(np.sqrt(mean * (1 - mean) / (size + 1))), "alpha": alpha, "beta": beta}
    reliability = count / (count + size)
    if 0 < pooled < 1:
        # of each unit's share about the peers' mean: by chance, and because the units differ
        variance = mean * (1 - mean) / tries * (1 + (tries - 1) / (size + 1))
        posterior = _wider_beta(alpha + scored, beta + count - scored, (1 - reliability) ** 2 / (1 / variance).sum())
    else:
        posterior = stats.beta(*np.broadcast_arrays(hits.sum() + 0.5, (tries - hits).sum() + 0.5, value)[:2])
    return _shrunken(value, posterior, reliability, prior, level)


def _wider_beta(alpha: NDArray, beta: NDArray, variance: NDArray) -> Any:
    """Give the beta distribution with the mean of another one and a variance that is so much larger."""
    total = alpha + beta
    mean = alpha / total
    own = mean * (1 - mean) / (total + 1)
    wider = np.maximum(mean * (1 - mean) / (own + variance) - 1, 1.0)
    return stats.beta(mean * wider, (1 - mean) * wider)


def _fit_beta_binomial(x: NDArray, n: NDArray) -> tuple[float, float]:
    """Find the mean and the size (alpha + beta) of the prior that make the counts most likely."""

    def loss(parameters: NDArray) -> tuple[float, NDArray]:
        mean, size = special.expit(parameters[0]), np.exp(parameters[1])
        a, b = mean * size, (1 - mean) * size
        value = (
            special.gammaln(x + a) - special.gammaln(a)
            + special.gammaln(n - x + b) - special.gammaln(b)
            - special.gammaln(n + size) + special.gammaln(size)
        ).sum()  # fmt: skip
        by_a = (special.digamma(x + a) - special.digamma(a)).sum()
        by_b = (special.digamma(n - x + b) - special.digamma(b)).sum()
        by_size = (special.digamma(size) - special.digamma(n + size)).sum()
        gradient = np.array(
            [(by_a - by_b) * size * mean * (1 - mean), (by_a * mean + by_b * (1 - mean) + by_size) * size]
        )
        return -value, -gradient

    start = special.logit(np.clip(x.sum() / n.sum(), 1e-6, 1 - 1e-6))
    bounds = [(-20, 20), (np.log(1e-2), np.log(1e7))]
    fits = [
        optimize.minimize(loss, [start, np.log(size)], jac=True, method="L-BFGS-B", bounds=bounds, tol=1e-12)
        for size in (5.0, 500.0)
    ]
    best = min(fits, key=lambda fit: fit.fun)
    mean, size = float(special.expit(best.x[0])), float(np.exp(best.x[1]))
    flat = _binomial_loss(x, n)
    if flat <= best.fun + 1e-9:
        return float(x.sum() / n.sum()), NO_DIFFERENCE
    return mean, size


def _binomial_loss(x: NDArray, n: NDArray) -> float:
    p = x.sum() / n.sum()
    return -float((special.xlogy(x, p) + special.xlogy(n - x, 1 - p)).sum())


def gamma_poisson(count: ArrayLike, exposure: ArrayLike, *, level: float = 0.95) -> Shrunken:
    """Shrink rates of events towards their peers; the peers' spread is estimated by maximum likelihood.

    Args:
        count: Number of events per unit; NaN where it is not known.
        exposure: What they are divided by; units without any, or without a known count, get the peers' rate
            and reliability 0.
        level: Level of `low` and `high`, a share.

    Returns:
        Events per unit of exposure. `prior` has `mean`, `sd`, `shape` and `rate`. Where the units differ
        no more than chance explains, all get the pooled rate and reliability 0. The intervals are those of
        a gamma distribution whose variance is that of the unit's rate given the peers, and that of their
        mean.

    Raises:
        StatisticsError: No unit has an exposure and a known count, or counts are negative.

    Examples:
        >>> shrunken = gamma_poisson([2, 8, 30], [100, 100, 100])
        >>> shrunken.value.round(3).tolist()
        [0.029, 0.084, 0.287]

    Source:
        Clayton & Kaldor (1987), Biometrics 43: 671-681; Morris (1983), JASA 78: 47-55, for the variance
        that the peers' mean adds. Reliability: Adams (2009), RAND TR-653.
    """
    x, time = (np.asarray(one, dtype=float) for one in (count, exposure))
    if (x < 0).any() or (time < 0).any():
        raise StatisticsError("counts or exposures are negative")
    used = (time > 0) & ~np.isnan(x)
    if not used.any():
        raise StatisticsError("no unit has an exposure and a known count, so there is nothing to shrink towards")
    events, weight = np.where(used, x, 0.0), np.where(used, time, 0.0)
    pooled = events.sum() / weight.sum()
    mean, rate = _fit_gamma_poisson(events[used], weight[used]) if pooled > 0 else (0.0, np.inf)
    if np.isinf(rate):
        rate = NO_DIFFERENCE * weight[used].mean()
    shape = max(mean * rate, 0.5)
    value = (mean * rate + events) / (rate + weight)
    prior = {"mean": float(mean), "sd": float(np.sqrt(mean / rate)), "shape": float(shape), "rate": float(rate)}
    reliability = weight / (weight + rate)
    if pooled > 0:
        # of each unit's rate about the peers' mean: by chance, and because the units differ
        variance = mean / weight[used] + mean / rate
        about_mean = (1 - reliability) ** 2 / (1 / variance).sum()
        centre = (shape + events) / (rate + weight)
        spread = centre / (rate + weight) + about_mean
        posterior = stats.gamma(centre**2 / spread, scale=spread / centre)
    else:
        posterior = stats.gamma(np.full(value.shape, 0.5), scale=1 / weight.sum())
    return _shrunken(value, posterior, reliability, prior, level)


def _fit_gamma_poisson(x: NDArray, time: NDArray) -> tuple[float, float]:
    """Find the mean and the rate of the prior that make the counts most likely; infinite without spread."""

    pooled = x.sum() / time.sum()
    start, unit = np.log(pooled), time.mean()
    flat = -float((special.xlogy(x, pooled) - pooled * time).sum())

    def loss(parameters: NDArray) -> tuple[float, NDArray]:
        """Minus the log likelihood beyond that of units that do not differ, and its gradient."""
        mean, rate = np.exp(parameters)
        shape = mean * rate
        value = special.gammaln(x + shape) - special.gammaln(shape)
        value += shape * np.log(rate / (rate + time)) - x * np.log(rate + time)
        by_shape = (special.digamma(x + shape) - special.digamma(shape) + np.log(rate / (rate + time))).sum() * shape
        by_rate = (shape - rate * (shape + x) / (rate + time)).sum()
        return -float(value.sum()) - flat, -np.array([by_shape, by_shape + by_rate])

    bounds = [(start - 5, start + 5), (np.log(unit * 1e-8), np.log(unit * 1e6))]
    fits = [
        optimize.minimize(loss, [start, np.log(size * unit)], jac=True, method="L-BFGS-B", bounds=bounds, tol=1e-12)
        for size in (1e-4, 0.5, 50.0)
    ]
    best = min(fits, key=lambda fit: fit.fun)
    if best.fun >= -1e-9:
        return float(pooled), float("inf")
    return float(np.exp(best.x[0])), float(np.exp(best.x[1]))


def normal_normal(
    y: ArrayLike,
    se: ArrayLike,
    *,
    level: float = 0.95,
    method: Literal["REML", "DL", "PM", "EB"] = "REML",
    stop: Literal["converged", "metafor"] = "converged",
) -> Shrunken:
    """Shrink figures with known standard errors towards their mean.

    Args:
        y: Figure per unit, in any unit; on the log scale for skewed times. NaN gets the peers' mean.
        se: Standard error of each, above 0, in the same unit.
        level: Level of `low` and `high`, a share.
        method: How the variance between units is estimated, as in `between_variance`.
        stop: As in `between_variance`.

    Returns:
        In the unit of `y`. `prior` has `mean`, `se_mean`, `tau2` (variance between units), `sd`, `q` and
        `i2` (share of the variance that lies between units, 0 to 100).

    Raises:
        StatisticsError: Unknown method, no figure, or a standard error that is not above 0.

    Examples:
        >>> shrunken = normal_normal([10.0, 12.0, 20.0], [1.0, 1.0, 5.0], method="DL")
        >>> shrunken.value.round(2).tolist()
        [10.4, 11.9, 12.5]

    Source:
        Morris (1983), JASA 78: 47-55; Raudenbush & Bryk (1985), Journal of Educational Statistics 10:
        75-98; Viechtbauer (2005), Journal of Educational and Behavioral Statistics 30: 261-293, for the
        estimators. Reliability: Adams (2009), RAND TR-653.
    """
    figures, errors = np.broadcast_arrays(np.asarray(y, dtype=float), np.asarray(se, dtype=float))
    used = ~np.isnan(figures) & ~np.isnan(errors)
    if not used.any():
        raise StatisticsError("no unit has a figure, so there is nothing to shrink towards")
    if (errors[used] <= 0).any():
        raise StatisticsError(f"{int((errors[used] <= 0).sum())} standard errors are not above 0")
    known, variance = figures[used], errors[used] ** 2
    tau2 = between_variance(known, variance, method=method, stop=stop)
    weight = 1 / (variance + tau2)
    mean, var_mean = float((weight * known).sum() / weight.sum()), float(1 / weight.sum())
    fixed = 1 / variance
    q = float((fixed * (known - (fixed * known).sum() / fixed.sum()) ** 2).sum())
    typical = (known.size - 1) / (fixed.sum() - (fixed**2).sum() / fixed.sum()) if known.size > 1 else np.inf
    reliability = np.where(used, tau2 / (tau2 + np.where(used, errors, 1.0) ** 2), 0.0)
    value = np.where(used, reliability * np.where(used, figures, 0.0), 0.0) + (1 - reliability) * mean
    within = np.where(used, reliability * np.where(used, errors, 1.0) ** 2, tau2)
    spread = np.sqrt(within + (1 - reliability) ** 2 * var_mean)
    prior = {
        "mean": mean,
        "se_mean": float(np.sqrt(var_mean)),
        "tau2": tau2,
        "sd": float(np.sqrt(tau2)),
        "q": q,
        "i2": float(100 * tau2 / (tau2 + typical)),
    }
    return _shrunken(value, stats.norm(value, spread), reliability, prior, level)


def between_variance(
    y: ArrayLike,
    variance: ArrayLike,
    *,
    method: Literal["REML", "DL", "PM", "EB"] = "REML",
    stop: Literal["converged", "metafor"] = "converged",
) -> float:
    """Estimate the variance between units beyond their sampling error.

    Args:
        y: Figure per unit.
        variance: Sampling variance of each.
        method: "REML", "DL" (DerSimonian and Laird), "PM" (Paule and Mandel), or "EB" (Morris), which
            solves the same equation as "PM".
        stop: When to stop: at the solution, or where the R package metafor does, up to 1e-5 (PM: 1e-4)
            away from it in absolute terms, to compare with its output.

    Returns:
        The variance, in the squared unit of `y`; 0 where chance explains all differences.

    Raises:
        StatisticsError: Unknown method.

    Examples:
        >>> round(between_variance([10.0, 12.0, 20.0], [1.0, 1.0, 25.0], method="DL"), 3)
        3.0

    Source:
        Viechtbauer (2005), Journal of Educational and Behavioral Statistics 30: 261-293. Morris (1983),
        JASA 78: 47-55.
    """
    figures, errors = np.asarray(y, dtype=float), np.asarray(variance, dtype=float)
    if method not in ("REML", "DL", "PM", "EB"):
        raise StatisticsError(f"method is {method!r}, expected 'REML', 'DL', 'PM' or 'EB'")
    if figures.size < 2:
        return 0.0
    if method == "DL":
        weight = 1 / errors
        scale = weight.sum() - (weight**2).sum() / weight.sum()
        return max(0.0, float(_excess(figures, errors, 0.0) / scale))
    if stop == "metafor" and method in ("REML", "EB"):
        return _scored(figures, errors, method)
    return _maximised(figures, errors) if method == "REML" else _solved(figures, errors, stop)


def _maximised(y: NDArray, variance: NDArray) -> float:
    loss = partial(_restricted_loss, y, variance)
    high = float(np.ptp(y) ** 2 + variance.max())
    fit = optimize.minimize_scalar(loss, bounds=(0.0, high), method="bounded", options={"xatol": 1e-9 * high})
    return 0.0 if loss(0.0) <= fit.fun else float(fit.x)


def _solved(y: NDArray, variance: NDArray, stop: str) -> float:
    excess = partial(_excess, y, variance)
    if excess(0.0) <= 0:
        return 0.0
    if stop == "metafor":
        return float(optimize.brentq(excess, 0.0, 100.0, xtol=float(np.finfo(float).eps ** 0.25)))
    high = 1e3 * float(np.ptp(y) ** 2 + variance.max())
    return float(optimize.brentq(excess, 0.0, high, xtol=1e-15 * high))


def _excess(y: NDArray, variance: NDArray, tau2: float) -> float:
    """How much further the figures scatter than they should if `tau2` were right."""
    weight = 1 / (variance + tau2)
    return float((weight * (y - (weight * y).sum() / weight.sum()) ** 2).sum()) - (y.size - 1)


def _restricted_loss(y: NDArray, variance: NDArray, tau2: float) -> float:
    weight = 1 / (variance + tau2)
    return 0.5 * float(-np.log(weight).sum() + np.log(weight.sum()) + _excess(y, variance, tau2))


def _scored(y: NDArray, variance: NDArray, method: str) -> float:
    """Fisher scoring from Hedges' estimate until a step is shorter than 1e-5."""
    tau2 = max(0.0, float(y.var(ddof=1) - variance.mean()))
    for _ in range(100):
        weight = 1 / (variance + tau2)
        projection = np.diag(weight) - np.outer(weight, weight) / weight.sum()
        residual = projection @ y
        if method == "REML":
            step = (residual @ residual - np.trace(projection)) / np.trace(projection @ projection)
        else:
            step = (y.size / (y.size - 1) * (y @ residual) - y.size) / weight.sum()
        before, tau2 = tau2, max(0.0, float(tau2 + step))
        if abs(tau2 - before) <= 1e-5:
            break
    return tau2


def james_stein(y: ArrayLike, variance: float) -> NDArray[np.float64]:
    """Shrink figures of one common sampling variance towards their mean.

    Args:
        y: Figure per unit, at least four.
        variance: Sampling variance of each, in the squared unit of `y`.

    Returns:
        Shrunken figures, in the unit of `y`; never beyond the mean.

    Raises:
        StatisticsError: Fewer than four units.

    Examples:
        >>> james_stein([1.0, 2.0, 3.0, 4.0, 5.0], 1.0).round(1).tolist()
        [1.4, 2.2, 3.0, 3.8, 4.6]

    Source:
        Efron & Morris (1977), Scientific American 236(5): 119-127.
    """
    figures = np.asarray(y, dtype=float)
    if figures.size < 4:
        raise StatisticsError(f"{figures.size} units, expected at least 4", remedy="Show them unshrunken.")
    mean = figures.mean()
    scatter = ((figures - mean) ** 2).sum()
    kept = max(0.0, 1 - (figures.size - 3) * variance / scatter) if scatter > 0 else 0.0
    return mean + kept * (figures - mean)


def random_intercept(values: ArrayLike, unit: ArrayLike, *, level: float = 0.95) -> Shrunken:
    """Shrink the means of units towards their mean, from single values with one common spread.

    Args:
        values: One value per case, in any unit; NaN left out.
        unit: The unit of each case.
        level: Level of `low` and `high`, a share.

    Returns:
        One entry per unit in sorted order, in the unit of `values`. `prior` has `mean`, `sd`,
        `variance_between`, `variance_within` and `icc` (share of the variance that lies between units).

    Raises:
        StatisticsError: Fewer than two units, or no unit with two cases.

    Examples:
        >>> shrunken = random_intercept([1, 2, 3, 7, 8, 9], ["a", "a", "a", "b", "b", "b"])
        >>> shrunken.value.round(2).tolist()
        [2.06, 7.94]

    Source:
        Searle, Casella & McCulloch, Variance Components (1992), chapter 3: restricted maximum likelihood.
    """
    data = pd.DataFrame({"value": np.asarray(values, dtype=float), "unit": np.asarray(unit)}).dropna()
    groups = data.groupby("unit")["value"]
    n, mean = groups.size().to_numpy(dtype=float), groups.mean().to_numpy()
    k, cases = n.size, n.sum()
    if k < 2 or cases <= k:
        raise StatisticsError(f"{k} units with {int(cases)} values, expected two units and a unit with two values")
    within = float(((data["value"] - groups.transform("mean")) ** 2).sum())

    def parts(ratio: float) -> tuple[NDArray, float, float]:
        """Weights of the unit means, their mean, and the variance within, if between / within were `ratio`."""
        weight = n / (1 + n * ratio)
        centre = float((weight * mean).sum() / weight.sum())
        return weight, centre, (within + float((weight * (mean - centre) ** 2).sum())) / (cases - 1)

    def loss(ratio: float) -> float:
        weight, _, variance = parts(ratio)
        return float((cases - 1) * np.log(variance) + np.log1p(n * ratio).sum() + np.log(weight.sum()))

    if within == 0:
        raise StatisticsError("the values of each unit are all the same, so their spread is unknown")
    high = 10 * float(mean.var(ddof=1)) / (within / (cases - k)) + 1e-9
    fit = optimize.minimize_scalar(loss, bounds=(0.0, high), method="bounded", options={"xatol": 1e-10 * high})
    ratio = 0.0 if loss(0.0) <= fit.fun else float(fit.x)
    weight, centre, variance = parts(ratio)
    between = ratio * variance
    reliability = n * ratio / (1 + n * ratio)
    value = centre + reliability * (mean - centre)
    spread = np.sqrt(reliability * variance / n + (1 - reliability) ** 2 * variance / weight.sum())
    prior = {
        "mean": centre,
        "sd": float(np.sqrt(between)),
        "variance_between": float(between),
        "variance_within": float(variance),
        "icc": float(ratio / (1 + ratio)),
    }
    return _shrunken(value, stats.norm(value, spread), reliability, prior, level)

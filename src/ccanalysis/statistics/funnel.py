"""Funnels: which units differ from their peers by more than chance, given how much each has.

With large denominators nearly every unit lies outside plain limits, because units truly differ. Funnels
therefore estimate that spread (tau squared) and widen the limits by it where it is there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ccanalysis.errors import StatisticsError
from ccanalysis.statistics._options import one_of
from ccanalysis.statistics.intervals import Interval, byar, poisson_exact, wilson

#: Levels of the limits, by the suffix of their columns.
LEVELS = {"95": 0.95, "998": 0.998}

Transform = Literal["arcsine", "log", "root", "log_half"]


class Dispersion(NamedTuple):
    """How much more units differ than chance explains.

    Attributes:
        phi: Mean squared z-score; about 1 when chance explains all.
        tau2: Variance between units, on the scale of the transformed figure.
    """

    phi: float
    tau2: float


@dataclass(frozen=True)
class Funnel:
    """A funnel and what it was drawn from.

    Attributes:
        units: One row per unit with `value`, `lower_95`, `upper_95`, `lower_998`, `upper_998`, `z` and
            `flag` ("low_998", "low_95", "", "high_95" or "high_998").
        centre: The peers' pooled figure.
        phi: Mean squared z-score.
        tau2: Variance between units, on the transformed scale.
        adjusted: Whether the limits allow for it.
    """

    units: pd.DataFrame = field(repr=False)
    centre: float
    phi: float
    tau2: float
    adjusted: bool


def dispersion(
    z: ArrayLike, s: ArrayLike, *, trim: float = 0.1, outliers: Literal["winsorise", "truncate"] = "winsorise"
) -> Dispersion:
    """Estimate over-dispersion from z-scores, without letting the extreme units decide it.

    Args:
        z: z-score of each unit; NaN left out.
        s: Standard error of each, on the same transformed scale.
        trim: Share at each end that counts as extreme.
        outliers: Pull extreme z-scores in to the percentile ("winsorise") or leave them out ("truncate",
            by groups of rank).

    Returns:
        phi and tau squared; tau squared is 0 where chance explains all.

    Raises:
        StatisticsError: An unknown way with outliers, or a `trim` below 0 or of a half and more.

    Examples:
        >>> dispersion([-3.0, 3.0, -2.5, 2.5], [0.1, 0.1, 0.1, 0.1], trim=0.0).phi
        7.625

    Source:
        Spiegelhalter (2005), Quality and Safety in Health Care 14: 347-351; DerSimonian & Laird (1986).
        Truncation as in NHS Digital, Summary Hospital-level Mortality Indicator.
    """
    one_of(("winsorise", "truncate"), outliers=outliers)
    if not 0 <= trim < 0.5:
        raise StatisticsError(f"trim is {trim}, expected a share from 0 up to below a half such as 0.1")
    scores, errors = np.asarray(z, dtype=float), np.asarray(s, dtype=float)
    known = np.isfinite(scores)
    scores, errors = scores[known], errors[known]
    if outliers == "truncate" and trim:
        groups = round(1 / trim)
        group = np.floor(stats.rankdata(scores) * groups / (scores.size + 1))
        kept = (group > 0) & (group < groups - 1)
        scores, errors = scores[kept], errors[kept]
    elif outliers == "winsorise" and scores.size:
        low, high = np.quantile(scores, [trim, 1 - trim])
        scores = np.clip(scores, low, high)
    n = scores.size
    if n < 2:
        return Dispersion(float("nan"), 0.0)
    phi = float((scores**2).mean())
    weight = 1 / errors**2
    scale = weight.sum() - (weight**2).sum() / weight.sum()
    excess = n * phi - (n - 1)
    return Dispersion(phi, max(0.0, float(excess / scale)) if scale > 0 else 0.0)


def _flags(low: dict[str, NDArray], high: dict[str, NDArray], value: NDArray) -> NDArray:
    conditions, names = [], []
    for suffix in ("998", "95"):
        conditions += [value < low[suffix], value > high[suffix]]
        names += [f"low_{suffix}", f"high_{suffix}"]
    return np.select(conditions, names, "").astype(object)


def _funnel(
    value: NDArray,
    centre: float,
    limits: dict[str, Interval],
    z: NDArray,
    spread: Dispersion,
    *,
    adjusted: bool,
    index: pd.Index | None,
) -> Funnel:
    low = {suffix: np.asarray(ends.low) for suffix, ends in limits.items()}
    high = {suffix: np.asarray(ends.high) for suffix, ends in limits.items()}
    with np.errstate(invalid="ignore"):
        flag = _flags(low, high, value)
    units = pd.DataFrame({"value": value}, index=index)
    for suffix in LEVELS:
        units[f"lower_{suffix}"], units[f"upper_{suffix}"] = low[suffix], high[suffix]
    return Funnel(units.assign(z=z, flag=flag), centre, spread.phi, spread.tau2, adjusted)


def _index(values: ArrayLike) -> pd.Index | None:
    return values.index if isinstance(values, pd.Series) else None


def _z_of(level: float) -> float:
    return float(stats.norm.ppf((1 + level) / 2))


def proportion_limits(
    n: ArrayLike, centre: float, *, level: float = 0.95, scale: Literal["score", "arcsine"] = "score"
) -> Interval:
    """Give the shares at which a unit just differs from the peers' share.

    Args:
        n: Trials of each unit; 0 gives NaN.
        centre: The peers' share, 0 to 1.
        level: Confidence level, a share.
        scale: Where the unit's Wilson interval just reaches the centre ("score"), or symmetric on the
            arcsine scale.

    Returns:
        Limits, shares from 0 to 1.

    Examples:
        >>> low, high = proportion_limits(100, 0.8)
        >>> round(float(low), 4), round(float(high), 4)
        (0.7216, 0.8784)

    Source:
        Wilson (1927), solved for the share; Public Health England, Technical Guide: Funnel plots.
    """
    trials = np.asarray(n, dtype=float)
    trials = np.where(trials > 0, trials, np.nan)
    if scale == "arcsine":
        target = float(np.arcsin(np.sqrt(centre)))
        return Interval(*_limits_on(target, 1 / (2 * np.sqrt(trials)), "arcsine", level=level))
    reach = _z_of(level) * np.sqrt(centre * (1 - centre) / trials)
    return Interval(np.clip(centre - reach, 0, 1)[()], np.clip(centre + reach, 0, 1)[()])


def rate_limits(
    events: ArrayLike, centre: float, *, level: float = 0.95, years: float = 1.0, multiply: float = 1.0
) -> pd.DataFrame:
    """Give the exposures and rates at which a number of events just differs from the peers' rate.

    Args:
        events: Numbers of events, above 0.
        centre: The peers' rate, events per `multiply` units of exposure.
        level: Confidence level, a share.
        years: Periods over which the events were counted; the exposures are given per period.
        multiply: Unit of exposure that rates are shown for.

    Returns:
        One row per number of events: `lower_exposure` and `lower` (the exposure above which it is too
        few, and the rate there), `upper_exposure` and `upper`.

    Examples:
        >>> rate_limits([1], 114.8591735, years=3, multiply=100_000)["lower"].round(3).tolist()
        [20.615]

    Source:
        Public Health England, Technical Guide: Funnel plots; exact Poisson limits (Garwood 1936).
    """
    count = np.asarray(events, dtype=float)
    ends = poisson_exact(count, level=level)
    lower = np.asarray(ends.high) / centre * multiply / years
    upper = np.asarray(ends.low) / centre * multiply / years
    return pd.DataFrame(
        {
            "lower_exposure": lower,
            "lower": count / (lower * years) * multiply,
            "upper_exposure": upper,
            "upper": count / (upper * years) * multiply,
        }
    )


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below > 0 else float("nan")


def _interval_flags(ends: dict[str, Interval], centre: float) -> NDArray:
    """Flag units whose own interval misses the centre."""
    with np.errstate(invalid="ignore"):
        return np.select(
            [
                np.asarray(ends["998"].high) < centre,
                np.asarray(ends["998"].low) > centre,
                np.asarray(ends["95"].high) < centre,
                np.asarray(ends["95"].low) > centre,
            ],
            ["low_998", "high_998", "low_95", "high_95"],
            "",
        ).astype(object)


def proportion_flags(successes: ArrayLike, n: ArrayLike, *, centre: float | None = None) -> NDArray:
    """Flag units whose Wilson interval misses the peers' share; no allowance for spread between units.

    Args:
        successes: Successes of each unit; NaN is never flagged.
        n: Trials of each.
        centre: The peers' share; by default all successes over all trials of the units that have both.

    Returns:
        "low_998", "low_95", "", "high_95" or "high_998" per unit.

    Examples:
        >>> proportion_flags([60, 80, 95], [100, 100, 100]).tolist()
        ['low_998', '', 'high_998']

    Source:
        Public Health England, Technical Guide: Funnel plots.
    """
    x, trials = np.asarray(successes, dtype=float), np.asarray(n, dtype=float)
    known = ~np.isnan(x) & ~np.isnan(trials)
    pooled = _ratio(x[known].sum(), trials[known].sum()) if centre is None else centre
    return _interval_flags({name: wilson(x, trials, level=level) for name, level in LEVELS.items()}, pooled)


def rate_flags(count: ArrayLike, exposure: ArrayLike, *, centre: float | None = None) -> NDArray:
    """Flag units whose interval of a rate misses the peers' rate; no allowance for spread between units.

    Args:
        count: Events of each unit; NaN is never flagged.
        exposure: What they are divided by.
        centre: The peers' rate; by default all events over all exposure.

    Returns:
        "low_998", "low_95", "", "high_95" or "high_998" per unit.

    Examples:
        >>> rate_flags([5, 20, 60], [100, 100, 100]).tolist()
        ['low_998', '', 'high_998']

    Source:
        Public Health England, Technical Guide: Funnel plots: Byar's interval, exact below ten events.
    """
    x, time = np.asarray(count, dtype=float), np.asarray(exposure, dtype=float)
    known = ~np.isnan(x) & ~np.isnan(time)
    pooled = _ratio(x[known].sum(), time[known].sum()) if centre is None else centre
    return _interval_flags({name: byar(x, time, level=level) for name, level in LEVELS.items()}, pooled)


def _limits_on(centre: float, reach: NDArray, transform: Transform, *, level: float) -> tuple[NDArray, NDArray]:
    """Limits about a transformed centre, back on the scale of the figure."""
    low, high = centre - _z_of(level) * reach, centre + _z_of(level) * reach
    if transform == "arcsine":
        return np.sin(np.clip(low, 0, np.pi / 2)) ** 2, np.sin(np.clip(high, 0, np.pi / 2)) ** 2
    if transform == "root":
        return np.maximum(low, 0) ** 2, high**2
    return np.exp(low), np.exp(high)


def proportion_funnel(
    successes: ArrayLike, n: ArrayLike, *, centre: float | None = None, trim: float = 0.1, adjust: bool = True
) -> Funnel:
    """Draw a funnel of proportions.

    Args:
        successes: Successes of each unit; NaN has limits by its trials, and no flag.
        n: Trials of each; units without any have no limits and no flag.
        centre: The peers' share; by default all successes over all trials of the units that have both.
        trim: Share of units at each end that may not decide the spread.
        adjust: Widen the limits by the spread between units where phi is above 1.

    Returns:
        The funnel, in shares. Without spread the limits are `proportion_limits`.

    Raises:
        StatisticsError: No unit has a trial and known successes, or successes are below 0 or above `n`.

    Examples:
        >>> funnel = proportion_funnel([80, 82, 78, 81, 79, 60], [100] * 6, trim=0.2)
        >>> funnel.units["flag"].tolist(), funnel.adjusted
        (['', '', '', '', '', 'low_998'], False)

    Source:
        Spiegelhalter (2005), Statistics in Medicine 24: 1185-1202, arcsine scale; FunnelPlotR 0.6.0.
    """
    x, trials = np.asarray(successes, dtype=float), np.asarray(n, dtype=float)
    wrong = int(((x < 0) | (x > trials)).sum())
    if wrong:
        raise StatisticsError(f"{wrong} units have fewer than 0 or more than n successes", remedy="Check both sides.")
    x, trials = np.where(trials > 0, x, np.nan), np.where(trials > 0, trials, np.nan)
    known = ~np.isnan(x)
    if not known.any():
        raise StatisticsError("no unit has a trial and known successes, so there is nothing to compare with")
    pooled = float(x[known].sum() / trials[known].sum()) if centre is None else centre
    target = float(np.arcsin(np.sqrt(pooled)))
    s = 1 / (2 * np.sqrt(trials))
    z = (np.arcsin(np.sqrt(x / trials)) - target) / s
    spread = dispersion(z, s, trim=trim)
    adjusted = adjust and spread.phi > 1 and spread.tau2 > 0
    if adjusted:
        reach = np.sqrt(s**2 + spread.tau2)
        limits = {name: Interval(*_limits_on(target, reach, "arcsine", level=level)) for name, level in LEVELS.items()}
    else:
        limits = {name: proportion_limits(trials, pooled, level=level) for name, level in LEVELS.items()}
    return _funnel(x / trials, pooled, limits, z, spread, adjusted=adjusted, index=_index(successes))


def ratio_funnel(
    observed: ArrayLike,
    expected: ArrayLike,
    *,
    method: Literal["log", "root"] = "root",
    trim: float = 0.1,
    adjust: bool = True,
) -> Funnel:
    """Draw a funnel of observed over expected events, such as complaints given a unit's contacts.

    Args:
        observed: Events of each unit.
        expected: Events expected of each, above 0; for a rate, exposure times the peers' rate.
        method: "root" works with units that had no event; "log" leaves them out of the spread and cuts
            extreme units off instead of pulling them in, as NHS Digital does.
        trim: Share of units at each end that may not decide the spread.
        adjust: Widen the limits by the spread between units where phi is above 1.

    Returns:
        The funnel, as ratios about 1. Without spread the limits are exact Poisson limits.

    Raises:
        StatisticsError: Negative events, or none expected.

    Examples:
        >>> ratio_funnel([12, 9, 30, 11], [10, 10, 10, 10], adjust=False).units["flag"].tolist()
        ['', '', 'high_998', '']

    Source:
        Spiegelhalter (2005), Quality and Safety in Health Care 14: 347-351; FunnelPlotR 0.6.0, which
        leaves the "root" limits unsquared.
    """
    one_of(("log", "root"), method=method)
    o, e = np.asarray(observed, dtype=float), np.asarray(expected, dtype=float)
    if (o < 0).any() or (e <= 0).any():
        raise StatisticsError("observed events are negative, or no event was expected of a unit")
    ratio = o / e
    with np.errstate(divide="ignore"):
        z = np.sqrt(e) * np.log(ratio) if method == "log" else 2 * np.sqrt(e) * (np.sqrt(ratio) - 1)
    s = 1 / np.sqrt(e) if method == "log" else 1 / (2 * np.sqrt(e))
    spread = dispersion(z, s, trim=trim, outliers="truncate" if method == "log" else "winsorise")
    adjusted = adjust and spread.phi > 1 and spread.tau2 > 0
    limits = {}
    for name, level in LEVELS.items():
        tail = (1 - level) / 2
        if adjusted:
            target = 0.0 if method == "log" else 1.0
            limits[name] = Interval(*_limits_on(target, np.sqrt(s**2 + spread.tau2), method, level=level))
        else:
            limits[name] = Interval(stats.chi2.ppf(tail, 2 * e) / 2 / e, stats.chi2.ppf(1 - tail, 2 * (e + 1)) / 2 / e)
    return _funnel(ratio, 1.0, limits, z, spread, adjusted=adjusted, index=_index(observed))


def count_ratio_funnel(
    numerator: ArrayLike, denominator: ArrayLike, *, trim: float = 0.1, adjust: bool = True
) -> Funnel:
    """Draw a funnel of ratios of two counts, such as transfers per complaint.

    Args:
        numerator: Count of each unit, at least 0; NaN has limits by its denominator, and no flag.
        denominator: Count of each unit, above 0.
        trim: Share of units at each end that may not decide the spread.
        adjust: Widen the limits by the spread between units where phi is above 1.

    Returns:
        The funnel, as ratios about the pooled ratio, on the log scale with half a count added. Where no unit
        has anything above the line the centre and the limits are 0, nothing is flagged and z is NaN.

    Raises:
        StatisticsError: Negative counts, empty denominators, or no unit with both.

    Examples:
        >>> count_ratio_funnel([40, 38, 90, 41], [10, 10, 10, 10], trim=0.0).adjusted
        True

    Source:
        Spiegelhalter (2005), Statistics in Medicine 24: 1185-1202; FunnelPlotR 0.6.0.
    """
    o, e = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    if (o < 0).any() or (e <= 0).any():
        raise StatisticsError("numerators are negative, or denominators are not above 0")
    known = ~np.isnan(o) & ~np.isnan(e)
    if not known.any():
        raise StatisticsError("no unit has both counts, so there is nothing to compare with")
    centre = float(o[known].sum() / e[known].sum())
    target = float(np.log(centre)) if centre > 0 else -np.inf
    own = np.sqrt(o / (o + 0.5) ** 2 + e / (e + 0.5) ** 2)
    z = (np.log((o + 0.5) / (e + 0.5)) - target) / own if centre > 0 else np.full(o.shape, np.nan)
    s = 1 / (2 * np.sqrt(e))
    spread = dispersion(z, own, trim=trim)
    adjusted = adjust and spread.phi > 1 and spread.tau2 > 0
    reach = np.sqrt(s**2 + (spread.tau2 if adjusted else 0.0))
    limits = {name: Interval(*_limits_on(target, reach, "log", level=level)) for name, level in LEVELS.items()}
    return _funnel(o / e, centre, limits, z, spread, adjusted=adjusted, index=_index(numerator))


def mean_funnel(mean: ArrayLike, sd: ArrayLike, n: ArrayLike, *, trim: float = 0.1, adjust: bool = True) -> Funnel:
    """Draw a funnel of means, such as handling times; pass logarithms for skewed times.

    Args:
        mean: Mean of each unit, in any unit; NaN has limits, and no part in the centre and the spread.
        sd: Standard deviation of the cases of each.
        n: Cases of each; fewer than 2 have no limits and no flag.
        trim: Share of units at each end that may not decide the spread.
        adjust: Widen the limits by the spread between units where phi is above 1.

    Returns:
        The funnel, in the unit of `mean`, about the mean of all cases.

    Raises:
        StatisticsError: No unit has two cases.

    Examples:
        >>> mean_funnel([300.0, 310.0, 290.0, 500.0], [60.0] * 4, [50] * 4, trim=0.25).units["flag"].tolist()
        ['', '', '', 'high_998']

    Source:
        Spiegelhalter (2005), Statistics in Medicine 24: 1185-1202.
    """
    size = np.asarray(n, dtype=float)
    figures = np.where(size > 1, np.asarray(mean, dtype=float), np.nan)
    size = np.where(size > 1, size, np.nan)
    if np.isnan(figures).all():
        raise StatisticsError("no unit has two cases, so there is nothing to compare with")
    spread_of = np.asarray(sd, dtype=float)
    known = ~np.isnan(figures) & ~np.isnan(spread_of)
    centre = float((figures * size)[known].sum() / size[known].sum())
    pooled = ((size - 1) * spread_of**2)[known].sum() / (size - 1)[known].sum()
    s = np.sqrt(pooled / size)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (figures - centre) / s
    spread = dispersion(z, s, trim=trim) if pooled > 0 else Dispersion(float("nan"), 0.0)
    adjusted = adjust and spread.phi > 1 and spread.tau2 > 0
    reach = np.sqrt(s**2 + (spread.tau2 if adjusted else 0.0))
    limits = {
        name: Interval(centre - _z_of(level) * reach, centre + _z_of(level) * reach) for name, level in LEVELS.items()
    }
    return _funnel(figures, centre, limits, z, spread, adjusted=adjusted, index=_index(mean))

"""Control charts of counts, rates and shares: c, u, u', p, p' and g."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Unpack

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ccanalysis.errors import StatisticsError
from ccanalysis.statistics.spc.limits import How, draw, moving_sigma, two_sides
from ccanalysis.statistics.spc.rules import Mask


def c_chart(count: ArrayLike, **how: Unpack[How]) -> pd.DataFrame:
    """Draw a chart of counts over equal opportunities.

    Args:
        count: Events per period; NaN is left out.
        **how: See `How`.

    Returns:
        One row per period, in events.

    Examples:
        >>> c_chart([21, 24, 16, 12, 15])["centre"].iloc[0]
        np.float64(17.6)

    Source:
        Montgomery, Statistical Quality Control (2013), 7.3.
    """
    counts, _ = two_sides(count, 1.0, ("count", "exposure"))

    def lines(part: dict[str, NDArray], base: Mask) -> tuple[Any, Any, Any]:
        mean = part["y"][base].mean()
        return mean, mean, np.sqrt(mean)

    return draw(counts, lines, {}, **how)


def u_chart(count: ArrayLike, exposure: ArrayLike, *, multiply: float = 1.0, **how: Unpack[How]) -> pd.DataFrame:
    """Draw a chart of rates over unequal opportunities.

    Args:
        count: Events per period.
        exposure: What they are divided by; 0 makes a gap.
        multiply: Show the rate per this many units of exposure.
        **how: See `How`.

    Returns:
        One row per period, in events per `multiply` units of exposure.

    Examples:
        >>> u_chart([14, 12, 20], [500, 400, 650], multiply=50)["value"].round(2).tolist()
        [1.4, 1.5, 1.54]

    Source:
        Montgomery, Statistical Quality Control (2013), 7.3.
    """
    counts, exposures = two_sides(count, exposure, ("count", "exposure"))
    rate = counts / exposures * multiply

    def lines(part: dict[str, NDArray], base: Mask) -> tuple[Any, Any, Any]:
        mean = part["count"][base].sum() / part["n"][base].sum()
        return mean * multiply, mean * multiply, multiply * np.sqrt(mean / part["n"])

    return draw(rate, lines, {"count": counts.to_numpy(), "n": exposures}, **how)


def u_prime_chart(
    count: ArrayLike,
    exposure: ArrayLike,
    *,
    multiply: float = 1.0,
    screened: bool = True,
    ordered: bool = True,
    at_least_poisson: bool = False,
    **how: Unpack[How],
) -> pd.DataFrame:
    """Draw a chart of rates whose limits also allow for variation between periods (Laney).

    Args:
        count: Events per period.
        exposure: What they are divided by; 0 makes a gap.
        multiply: Show the rate per this many units of exposure.
        screened: Leave extreme moving ranges out of the limits, once.
        ordered: The rows are in time order; if not, the variation is their standard deviation.
        at_least_poisson: Never draw limits narrower than those of a u chart.
        **how: See `How`.

    Returns:
        One row per period; `sigma_z` says by what the limits of a u chart are multiplied.

    Examples:
        >>> u_prime_chart([14, 12, 20, 11], [500, 400, 650, 500])["sigma_z"].round(2).iloc[0]
        np.float64(0.49)

    Source:
        Laney (2002), Quality Engineering 14: 531-537.
    """
    counts, exposures = two_sides(count, exposure, ("count", "exposure"))

    def spread(mean: Any, n: NDArray) -> NDArray:
        return np.sqrt(mean / n)

    return _laney(
        counts, exposures, spread, multiply, screened=screened, ordered=ordered, floor=at_least_poisson, **how
    )


def p_chart(successes: ArrayLike, n: ArrayLike, *, multiply: float = 1.0, **how: Unpack[How]) -> pd.DataFrame:
    """Draw a chart of shares.

    With large denominators real variation between periods makes its limits too narrow: see `p_prime_chart`.

    Args:
        successes: Successes per period.
        n: Trials per period; 0 makes a gap.
        multiply: 100 to show percentages.
        **how: See `How`.

    Returns:
        One row per period, shares times `multiply`.

    Raises:
        StatisticsError: More successes than trials, or negative numbers.

    Examples:
        >>> p_chart([12, 15, 8], [50, 50, 50])["upper"].round(4).iloc[0]
        np.float64(0.4128)

    Source:
        Montgomery, Statistical Quality Control (2013), 7.2.
    """
    scored, trials = _shares(successes, n)

    def lines(part: dict[str, NDArray], base: Mask) -> tuple[Any, Any, Any]:
        mean = part["count"][base].sum() / part["n"][base].sum()
        return mean * multiply, mean * multiply, multiply * np.sqrt(mean * (1 - mean) / part["n"])

    return draw(scored / trials * multiply, lines, {"count": scored.to_numpy(), "n": trials}, **how)


def p_prime_chart(
    successes: ArrayLike,
    n: ArrayLike,
    *,
    multiply: float = 1.0,
    screened: bool = True,
    ordered: bool = True,
    at_least_binomial: bool = False,
    **how: Unpack[How],
) -> pd.DataFrame:
    """Draw a chart of shares whose limits also allow for variation between periods (Laney).

    Args:
        successes: Successes per period.
        n: Trials per period; 0 makes a gap.
        multiply: 100 to show percentages.
        screened: Leave extreme moving ranges out of the limits, once.
        ordered: The rows are in time order; if not, the variation is their standard deviation.
        at_least_binomial: Never draw limits narrower than those of a p chart.
        **how: See `How`.

    Returns:
        One row per period; `sigma_z` says by what the limits of a p chart are multiplied.

    Raises:
        StatisticsError: More successes than trials, or negative numbers.

    Examples:
        >>> p_prime_chart([800, 860, 790, 840], [1000, 1000, 1000, 1000])["sigma_z"].round(1).iloc[0]
        np.float64(4.4)

    Source:
        Laney (2002), Quality Engineering 14: 531-537.
    """
    scored, trials = _shares(successes, n)

    def spread(mean: Any, size: NDArray) -> NDArray:
        return np.sqrt(mean * (1 - mean) / size)

    return _laney(scored, trials, spread, multiply, screened=screened, ordered=ordered, floor=at_least_binomial, **how)


def _laney(
    counts: pd.Series,
    n: NDArray,
    spread: Callable[[Any, NDArray], NDArray],
    multiply: float,
    *,
    screened: bool,
    ordered: bool,
    floor: bool,
    **how: Unpack[How],
) -> pd.DataFrame:
    def lines(part: dict[str, NDArray], base: Mask) -> tuple[Any, Any, Any]:
        mean = part["count"][base].sum() / part["n"][base].sum()
        within = spread(mean, part["n"])
        if not (within[base] > 0).all():  # all successes, or none: nothing varies
            return mean * multiply, mean * multiply, 0.0
        z = (part["y"] / multiply - mean) / within
        sigma_z = moving_sigma(z, base, screened=screened) if ordered else _sd(z[base])
        return mean * multiply, mean * multiply, multiply * within * (max(1.0, sigma_z) if floor else sigma_z)

    chart = draw(counts / n * multiply, lines, {"count": counts.to_numpy(), "n": n}, **how)
    narrow = multiply * spread(chart["centre"].to_numpy() / multiply, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        return chart.assign(sigma_z=(chart["upper"] - chart["centre"]) / 3 / narrow)


def _sd(values: NDArray) -> float:
    return float(values.std(ddof=1)) if values.size > 1 else float("nan")


def _shares(successes: ArrayLike, n: ArrayLike) -> tuple[pd.Series, NDArray]:
    above, below = two_sides(successes, n, ("successes", "n"))
    more = int((above.to_numpy() > below).sum())
    if more:
        raise StatisticsError(f"{more} periods have more successes than trials", remedy="Check both sides.")
    return above, below


def g_chart(between: ArrayLike, **how: Unpack[How]) -> pd.DataFrame:
    """Draw a chart of the number of cases between rare events.

    Args:
        between: Cases between one event and the next, whole numbers from 0.
        **how: See `How`.

    Returns:
        One row per event. The centre line is the median, so that runs about it mean something; the limits
        lie about the mean.

    Examples:
        >>> g_chart([22, 38, 14, 33, 0])[["centre", "upper"]].round(1).iloc[0].tolist()
        [22.0, 87.1]

    Source:
        Benneyan (2001), Health Care Management Science 4: 305-318.
    """
    cases, _ = two_sides(between, 1.0, ("between", "exposure"))

    def lines(part: dict[str, NDArray], base: Mask) -> tuple[Any, Any, Any]:
        y = part["y"][base]
        mean = y.mean()
        return np.median(y), mean, np.sqrt(mean * (mean + 1))

    return draw(cases, lines, {}, **how)

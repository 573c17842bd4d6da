"""How many: sample sizes for shares, means, percentiles and agents, and what a sample size can show."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.stats.power import TTestIndPower

from ccanalysis.errors import StatisticsError
from ccanalysis.statistics._options import one_of

#: A difference of so many standard deviations is found in any sample; the noncentral t goes no further.
_LARGE = 30.0


def _z(level: float) -> float:
    if not 0 < level < 1:
        raise StatisticsError(f"level is {level}, expected a share between 0 and 1 such as 0.95")
    return float(stats.norm.ppf((1 + level) / 2))


def _check_open_share(**named: ArrayLike) -> None:
    for name, value in named.items():
        shares = np.asarray(value, dtype=float)
        if ((shares <= 0) | (shares >= 1)).any():
            raise StatisticsError(f"{name} is not between 0 and 1", remedy="Give shares, such as 0.05 for 5 %.")


def sample_size_proportion(
    margin: ArrayLike, *, share: ArrayLike = 0.5, population: ArrayLike = np.inf, level: float = 0.95
) -> NDArray[np.float64]:
    """Give how many cases to check so that a share is known to within a margin.

    Args:
        margin: Half the width of the interval, a share: 0.05 for five points either way.
        share: The share expected; 0.5 is the worst case.
        population: Cases there are; infinite for the underlying rate of an agent or a process.
        level: Confidence level, a share.

    Returns:
        Number of cases, rounded up, never more than the population.

    Raises:
        StatisticsError: A margin or share that is not between 0 and 1, or a population below 1.

    Examples:
        >>> sample_size_proportion(0.05).item(), sample_size_proportion(0.05, population=400).item()
        (385.0, 196.0)

    Source:
        Kauermann & Kuechenhoff, Stichproben (2011), 2.4; Cochran, Sampling Techniques (1977), 4.4.
    """
    _check_open_share(margin=margin, share=share)
    size = np.asarray(population, dtype=float)
    if (size < 1).any():
        raise StatisticsError(f"{int((size < 1).sum())} populations are below 1")
    p, e = np.asarray(share, dtype=float), np.asarray(margin, dtype=float)
    exact = p * (1 - p) / (e**2 / _z(level) ** 2 + p * (1 - p) / size)
    return np.ceil(np.round(exact, 9))


def sample_size_krejcie_morgan(population: ArrayLike) -> NDArray[np.float64]:
    """Give the sample size of the table of Krejcie and Morgan: five points either way at 95 %.

    Args:
        population: Cases there are.

    Returns:
        Number of cases, rounded to the nearest, as the table is; `sample_size_proportion` rounds up.

    Examples:
        >>> sample_size_krejcie_morgan([100, 500, 9000]).tolist()
        [80.0, 217.0, 368.0]

    Source:
        Krejcie & Morgan (1970), Educational and Psychological Measurement 30: 607-610, table 1.
    """
    size = np.asarray(population, dtype=float)
    chi_square = 3.841  # as printed
    return np.floor(chi_square * size * 0.25 / (0.05**2 * (size - 1) + chi_square * 0.25) + 0.5)


def margin_of_error(
    n: ArrayLike, *, share: ArrayLike = 0.5, population: ArrayLike = np.inf, level: float = 0.95
) -> NDArray[np.float64]:
    """Give the margin to which a number of checked cases tells a share.

    Args:
        n: Cases checked; 0 gives NaN.
        share: The share expected.
        population: Cases there are.
        level: Confidence level, a share.

    Returns:
        Half the width of the interval, a share; 0 where all cases were checked.

    Raises:
        StatisticsError: More cases checked than there are.

    Examples:
        >>> round(margin_of_error(385).item(), 3)
        0.05

    Source:
        Cochran, Sampling Techniques (1977), 3.2 and 4.4, consistent with `sample_size_proportion`.
    """
    size, drawn, p = (np.asarray(one, dtype=float) for one in (population, n, share))
    if (drawn > size).any():
        raise StatisticsError(f"{int((drawn > size).sum())} samples are larger than their population")
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(drawn > 0, p * (1 - p) * (1 / drawn - 1 / size), np.nan)
    return _z(level) * np.sqrt(np.maximum(variance, 0))


def sample_size_two_proportions(share_1: float, share_2: float, *, power: float = 0.8, level: float = 0.95) -> float:
    """Give how many cases per group it takes to find a difference of two shares.

    Args:
        share_1: Share of the first group.
        share_2: Share of the second group.
        power: Chance of finding the difference, a share.
        level: 1 minus the two-sided significance level.

    Returns:
        Cases per group, not rounded.

    Raises:
        StatisticsError: Shares that are not between 0 and 1, or equal.

    Examples:
        >>> round(sample_size_two_proportions(0.5, 0.75, power=0.9), 1)
        76.7

    Source:
        Fleiss, Levin & Paik, Statistical Methods for Rates and Proportions (2003), 4.2, without continuity
        correction.
    """
    _check_open_share(share_1=share_1, share_2=share_2, power=power)
    if share_1 == share_2:
        raise StatisticsError("both shares are the same, so no sample finds their difference")
    mean = (share_1 + share_2) / 2
    together = _z(level) * np.sqrt(2 * mean * (1 - mean))
    apart = stats.norm.ppf(power) * np.sqrt(share_1 * (1 - share_1) + share_2 * (1 - share_2))
    return float(((together + apart) / (share_1 - share_2)) ** 2)


def sample_size_two_means(difference: float, sd: float, *, power: float = 0.8, level: float = 0.95) -> float:
    """Give how many cases per group it takes to find a difference of two means.

    Args:
        difference: Difference of the means, in any unit.
        sd: Standard deviation within each group, in the same unit.
        power: Chance of finding the difference, a share.
        level: 1 minus the two-sided significance level.

    Returns:
        Cases per group, not rounded; never fewer than two.

    Raises:
        StatisticsError: No difference, or a standard deviation that is not above 0.

    Examples:
        >>> round(sample_size_two_means(1, 1, power=0.9), 2)
        22.02

    Source:
        Cohen, Statistical Power Analysis (1988), 2.4, by the noncentral t distribution.
    """
    _check_open_share(power=power)
    if difference == 0 or sd <= 0:
        raise StatisticsError("the difference is 0 or the standard deviation is not above 0")
    # one tail, as R: a difference found with the wrong sign is not a finding
    size, alpha = min(abs(difference) / sd, _LARGE), (1 - level) / 2
    test = TTestIndPower()
    if test.power(size, 2, alpha, alternative="larger") >= power:
        return 2.0
    return float(test.solve_power(size, alpha=alpha, power=power, alternative="larger"))


def smallest_for_quantile(share: float, *, level: float = 0.95) -> int:
    """Give the fewest values from which a percentile has an interval with two ends.

    Args:
        share: Which percentile, as a share: 0.9 for the 90th.
        level: Confidence level, a share.

    Returns:
        Number of values.

    Raises:
        StatisticsError: A share that is not between 0 and 1.

    Examples:
        >>> smallest_for_quantile(0.9)
        36

    Source:
        Conover, Practical Nonparametric Statistics (1999), 3.2.
    """
    _check_open_share(share=share)
    tail = (1 - level) / 2
    return int(np.ceil(np.log(tail) / np.log(max(share, 1 - share))))


def checks_for_reliability(within: float, between: float, *, reliability: float = 0.7) -> int:
    """Give how many checks per agent it takes before agents can be told apart.

    Args:
        within: Variance of single checks of one agent; for pass or fail, about p (1 - p).
        between: Variance between agents, in the same squared unit.
        reliability: Share of a score that should be the agent's own: 0.7 for groups, 0.9 for individuals.

    Returns:
        Number of checks per agent, rounded up.

    Raises:
        StatisticsError: Variances or a reliability that allow no answer.

    Examples:
        >>> checks_for_reliability(0.09, 0.0016)
        132

    Source:
        Adams (2009), The Reliability of Provider Profiling, RAND TR-653.
    """
    _check_open_share(reliability=reliability)
    if within < 0 or between <= 0:
        raise StatisticsError("agents do not differ, so no number of checks tells them apart")
    return int(np.ceil(np.round(reliability / (1 - reliability) * within / between, 9)))


Allocation = Literal["equal", "proportional", "neyman"]


def allocate(
    total: int, volume: ArrayLike, *, sd: ArrayLike | None = None, how: Allocation = "proportional"
) -> NDArray[np.int64]:
    """Share a number of checks out over teams or agents.

    Args:
        total: Checks there are time for.
        volume: Contacts of each.
        sd: Spread of the scores of each, for "neyman".
        how: The same for each, by volume, or by volume times spread, which tells the centre's figure best.

    Returns:
        Checks for each, adding up to `total` unless there are fewer contacts; never more than contacts.

    Raises:
        StatisticsError: Unknown way, "neyman" without `sd`, or negative volumes.

    Examples:
        >>> allocate(10, [100, 300, 600]).tolist()
        [1, 3, 6]

    Source:
        Cochran, Sampling Techniques (1977), 5.5 and 5.9.
    """
    one_of(("equal", "proportional", "neyman"), how=how)
    size = np.asarray(volume, dtype=float)
    if (size < 0).any():
        raise StatisticsError(f"{int((size < 0).sum())} volumes are negative")
    if how == "neyman" and sd is None:
        raise StatisticsError("allocation by spread needs the spread of each", remedy="Pass sd.")
    spread = np.ones(size.shape) if how != "neyman" else np.asarray(sd, dtype=float)
    weight = (size > 0).astype(float) if how == "equal" else size * spread
    drawn = np.zeros(size.shape, dtype=np.int64)
    room = np.floor(size)
    left = int(min(total, room.sum()))
    while left > 0 and (weight * (drawn < room)).sum() > 0:
        open_weight = weight * (drawn < room)
        wanted = np.minimum(left * open_weight / open_weight.sum(), room - drawn)
        whole = np.floor(wanted).astype(np.int64)
        if whole.sum() == 0:  # give the last ones to the largest remainders
            order = np.lexsort((np.arange(size.size), -wanted))[:left]
            order = order[wanted[order] > 0]
            drawn[order] += 1
            left -= order.size
        else:
            drawn += whole
            left -= int(whole.sum())
    return drawn

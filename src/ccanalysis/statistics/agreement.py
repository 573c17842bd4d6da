"""Agreement between raters, such as two evaluators scoring the same contacts.

Ratings are a table with one row per unit (contact) and one column per rater; a missing rating is NaN or
None. Kappa alone collapses when nine contacts in ten pass, so report percent agreement, AC1 and alpha
with it. "Ordinal" differs by author: Krippendorff's ordinal metric is not Gwet's ordinal weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import krippendorff
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ccanalysis.errors import StatisticsError
from ccanalysis.statistics.intervals import Interval

Weights = Literal["none", "linear", "quadratic"]


class Agreement(NamedTuple):
    """A coefficient of agreement.

    Attributes:
        estimate: 1 for perfect agreement, 0 for agreement no better than chance.
        standard_error: Of the estimate, over units drawn from many.
        interval: Its interval at the level asked for; the upper end is at most 1.
        observed: Share of pairs of ratings of one unit that agree, with partial credit by the weights.
        expected: The share that chance would give.
        n: Units with at least two ratings.
    """

    estimate: float
    standard_error: float
    interval: Interval
    observed: float
    expected: float
    n: int


def weight_matrix(n_categories: int, weights: Weights = "none") -> NDArray[np.float64]:
    """Give the credit for each pair of categories: 1 for the same, less the further apart.

    Args:
        n_categories: Number of categories, in order.
        weights: "none", "linear" or "quadratic" in the distance of their places.

    Returns:
        Shape (n_categories, n_categories).

    Raises:
        StatisticsError: Unknown weights.

    Examples:
        >>> weight_matrix(3, "linear").tolist()
        [[1.0, 0.5, 0.0], [0.5, 1.0, 0.5], [0.0, 0.5, 1.0]]

    Source:
        Cohen (1968), Psychological Bulletin 70: 213-220.
    """
    if weights not in ("none", "linear", "quadratic"):
        raise StatisticsError(f"weights is {weights!r}, expected 'none', 'linear' or 'quadratic'")
    if weights == "none" or n_categories < 2:
        return np.eye(n_categories)
    place = np.arange(n_categories)
    distance = np.abs(place[:, None] - place[None, :]) / (n_categories - 1)
    return 1 - (distance if weights == "linear" else distance**2)


def _codes(ratings: Any, categories: Sequence[Any] | None) -> tuple[NDArray[np.int64], int]:
    """Number the categories of a table of ratings; -1 where missing."""
    table = pd.DataFrame(ratings)
    values = table.to_numpy(dtype=object)
    missing = pd.isna(values)
    known = _sorted(values[~missing].tolist()) if categories is None else list(categories)
    place = {category: i for i, category in enumerate(known)}
    unknown = [value for value in values[~missing] if value not in place]
    if unknown:
        raise StatisticsError(f"{len(unknown)} ratings are not among the categories")
    codes = np.full(values.shape, -1, dtype=np.int64)
    codes[~missing] = [place[value] for value in values[~missing]]
    return codes, len(known)


def _sorted(values: list[Any]) -> list[Any]:
    try:
        return sorted(set(values))
    except TypeError:
        kinds = ", ".join(sorted({type(value).__name__ for value in values}))
        raise StatisticsError(
            f"ratings of different types ({kinds}) have no order", remedy="Make them one type, or pass categories."
        ) from None


def _both(ratings: Any, categories: Sequence[Any] | None) -> tuple[NDArray[np.int64], int]:
    """Number the categories of the units that both of two raters rated."""
    codes, q = _codes(ratings, categories)
    if codes.shape[1] != 2:
        raise StatisticsError(f"{codes.shape[1]} raters, expected 2", remedy="Use fleiss_kappa or gwet_ac.")
    codes = codes[(codes >= 0).all(axis=1)]
    if not len(codes):
        raise StatisticsError("no unit has two ratings, so there is no agreement to measure")
    return codes, q


def _counts(codes: NDArray[np.int64], n_categories: int) -> NDArray[np.float64]:
    return (codes[:, :, None] == np.arange(n_categories)).sum(axis=1).astype(float)


def _result(units: NDArray, estimate: float, observed: float, expected: float, n: int, level: float) -> Agreement:
    """Make the result from the linearised contributions of the units."""
    size = units.size
    variance = ((units - estimate) ** 2).sum() / (size * (size - 1)) if size > 1 else np.nan
    error = float(np.sqrt(variance))
    reach = float(stats.t.ppf((1 + level) / 2, size - 1)) * error if size > 1 else np.nan
    return Agreement(
        float(estimate),
        error,
        Interval(estimate - reach, min(1.0, estimate + reach)),
        float(observed),
        float(expected),
        n,
    )


def _chance_corrected(
    counts: NDArray, weights: NDArray, expected: float, by_unit: NDArray | float, level: float
) -> Agreement:
    """Correct observed agreement for chance, for any number of raters.

    Args:
        counts: Ratings by unit and category.
        weights: Credit for each pair of categories.
        expected: Agreement expected by chance.
        by_unit: What each unit contributes to it (its mean is `expected`).
        level: Confidence level.
    """
    n_ratings = counts.sum(axis=1)
    rated = n_ratings > 0
    counts, n_ratings = counts[rated], n_ratings[rated]
    by_unit = by_unit[rated] if isinstance(by_unit, np.ndarray) else by_unit
    paired = n_ratings >= 2
    if not paired.any():
        raise StatisticsError("no unit has two ratings, so there is no agreement to measure")
    credit = (counts * (counts @ weights - 1)).sum(axis=1)
    agree = np.divide(credit, n_ratings * (n_ratings - 1), out=np.zeros(credit.size), where=paired)
    observed = agree[paired].mean()
    if expected >= 1:  # one category only: chance explains everything, and everything agrees
        nothing = Interval(float("nan"), float("nan"))
        return Agreement(float("nan"), float("nan"), nothing, float(observed), 1.0, int(paired.sum()))
    estimate = (observed - expected) / (1 - expected)
    share = np.where(paired, paired.size / paired.sum() * (agree - expected) / (1 - expected), 0.0)
    units = share - 2 * (1 - estimate) * (by_unit - expected) / (1 - expected)
    return _result(units, estimate, observed, expected, int(paired.sum()), level)


def percent_agreement(ratings: Any, *, weights: Weights = "none", categories: Sequence[Any] | None = None) -> float:
    """Give the share of pairs of ratings of one unit that agree.

    Args:
        ratings: Units in rows, raters in columns.
        weights: Credit for near misses.
        categories: All categories in order; by default those that occur, sorted.

    Returns:
        Share from 0 to 1.

    Examples:
        >>> percent_agreement([["pass", "pass"], ["pass", "fail"], ["fail", "fail"], ["pass", "pass"]])
        0.75

    Source:
        Gwet, Handbook of Inter-Rater Reliability (2014), 2.2.
    """
    codes, q = _codes(ratings, categories)
    return _chance_corrected(_counts(codes, q), weight_matrix(q, weights), 0.0, 0.0, 0.95).observed


def unanimous(ratings: Any) -> float:
    """Give the share of units on which all raters agree; units with fewer than two ratings are left out.

    Args:
        ratings: Units in rows, raters in columns.

    Returns:
        Share from 0 to 1.

    Examples:
        >>> unanimous([["a", "a", "a"], ["a", "a", "b"]])
        0.5

    Source:
        Gwet, Handbook of Inter-Rater Reliability (2014), 2.2.
    """
    codes, q = _codes(ratings, None)
    counts = _counts(codes, q)
    paired = counts.sum(axis=1) >= 2
    if not paired.any():
        raise StatisticsError("no unit has two ratings, so there is no agreement to measure")
    return float((counts[paired].max(axis=1) == counts[paired].sum(axis=1)).mean())


def cohen_kappa(
    ratings: Any, *, weights: Weights = "none", categories: Sequence[Any] | None = None, level: float = 0.95
) -> Agreement:
    """Cohen's kappa of two raters, plain or weighted.

    Args:
        ratings: Units in rows, the two raters in columns; units that lack a rating are left out.
        weights: Credit for near misses between ordered categories.
        categories: All categories in order; by default those that occur, sorted.
        level: Confidence level, a share.

    Returns:
        The coefficient; NaN where both raters use one category only.

    Raises:
        StatisticsError: Not two raters, or no unit rated by both.

    Examples:
        >>> table = [["a", "a"]] * 20 + [["a", "b"]] * 5 + [["b", "a"]] * 10 + [["b", "b"]] * 15
        >>> round(cohen_kappa(table).estimate, 3)
        0.4

    Source:
        Cohen (1960), Educational and Psychological Measurement 20: 37-46; (1968), Psychological Bulletin
        70: 213-220. Standard error: Gwet (2014), 5.2.
    """
    codes, q = _both(ratings, categories)
    credit = weight_matrix(q, weights)
    first, second = (np.bincount(codes[:, rater], minlength=q) / len(codes) for rater in (0, 1))
    observed = credit[codes[:, 0], codes[:, 1]]
    expected = float(first @ credit @ second)
    if expected >= 1:
        nothing = Interval(float("nan"), float("nan"))
        return Agreement(float("nan"), float("nan"), nothing, float(observed.mean()), 1.0, len(codes))
    estimate = (observed.mean() - expected) / (1 - expected)
    by_unit = ((credit @ second)[codes[:, 0]] + (first @ credit)[codes[:, 1]]) / 2
    units = (observed - expected) / (1 - expected) - 2 * (1 - estimate) * (by_unit - expected) / (1 - expected)
    return _result(units, estimate, observed.mean(), expected, len(codes), level)


def fleiss_kappa(
    ratings: Any, *, weights: Weights = "none", categories: Sequence[Any] | None = None, level: float = 0.95
) -> Agreement:
    """Fleiss' kappa of any number of raters; of two raters it is Scott's pi.

    Args:
        ratings: Units in rows, raters in columns; the raters may differ from unit to unit.
        weights: Credit for near misses between ordered categories.
        categories: All categories in order; by default those that occur, sorted.
        level: Confidence level, a share.

    Returns:
        The coefficient; NaN where one category only is used.

    Raises:
        StatisticsError: No unit has two ratings.

    Examples:
        >>> round(fleiss_kappa([["a", "a", "b"], ["b", "b", "b"], ["a", "a", "a"]]).estimate, 3)
        0.55

    Source:
        Fleiss (1971), Psychological Bulletin 76: 378-382. Standard error: Gwet (2014), 5.3.
    """
    codes, q = _codes(ratings, categories)
    counts, credit = _counts(codes, q), weight_matrix(q, weights)
    share = _shares(counts)
    mean = share[counts.sum(axis=1) > 0].mean(axis=0)
    return _chance_corrected(counts, credit, float(mean @ credit @ mean), share @ credit @ mean, level)


def fleiss_z(ratings: Any) -> float:
    """Give the z of Fleiss' kappa against no agreement beyond chance, with the same raters throughout.

    Args:
        ratings: Units in rows, raters in columns, none missing.

    Returns:
        The z-score; NaN where one category only is used.

    Raises:
        StatisticsError: Missing ratings.

    Examples:
        >>> round(fleiss_z([["a", "a", "b"], ["b", "b", "b"], ["a", "a", "a"]]), 3)
        1.65

    Source:
        Fleiss, Nee & Landis (1979), Psychological Bulletin 86: 974-977.
    """
    codes, q = _codes(ratings, None)
    if (codes < 0).any():
        raise StatisticsError(f"{int((codes < 0).sum())} ratings are missing", remedy="Use fleiss_kappa's interval.")
    n, k = codes.shape
    share = _counts(codes, q).sum(axis=0) / (n * k)
    unlike = share * (1 - share)
    if unlike.sum() == 0:
        return float("nan")
    variance = 2 * (unlike.sum() ** 2 - (unlike * (1 - 2 * share)).sum()) / (n * k * (k - 1) * unlike.sum() ** 2)
    return float(fleiss_kappa(ratings).estimate / np.sqrt(variance))


def cohen_z(ratings: Any, *, weights: Weights = "none", categories: Sequence[Any] | None = None) -> float:
    """Give the z of Cohen's kappa against no agreement beyond chance.

    Args:
        ratings: Units in rows, the two raters in columns; units that lack a rating are left out.
        weights: Credit for near misses between ordered categories.
        categories: All categories in order; by default those that occur, sorted.

    Returns:
        The z-score; NaN where both raters use one category only.

    Raises:
        StatisticsError: Not two raters, or no unit rated by both.

    Examples:
        >>> table = [["a", "a"]] * 20 + [["a", "b"]] * 5 + [["b", "a"]] * 10 + [["b", "b"]] * 15
        >>> round(cohen_z(table), 2)
        2.89

    Source:
        Fleiss, Cohen & Everitt (1969), Psychological Bulletin 72: 323-327.
    """
    codes, q = _both(ratings, categories)
    credit = weight_matrix(q, weights)
    first, second = (np.bincount(codes[:, rater], minlength=q) / len(codes) for rater in (0, 1))
    expected = first @ credit @ second
    marginal = (credit @ second)[:, None] + (first @ credit)[None, :]
    variance = (np.outer(first, second) * (credit - marginal) ** 2).sum() - expected**2
    estimate = cohen_kappa(ratings, weights=weights, categories=categories).estimate
    return float(estimate * (1 - expected) * np.sqrt(len(codes) / variance)) if variance > 0 else float("nan")


def _shares(counts: NDArray) -> NDArray:
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)


def conger_kappa(ratings: Any, *, weights: Weights = "none", categories: Sequence[Any] | None = None) -> float:
    """Conger's kappa: Cohen's for more than two fixed raters, each with their own habits.

    Args:
        ratings: Units in rows, raters in columns, none missing.
        weights: Credit for near misses between ordered categories.
        categories: All categories in order; by default those that occur, sorted.

    Returns:
        The coefficient; NaN where one category only is used.

    Raises:
        StatisticsError: Missing ratings, fewer than two raters, or no unit.

    Examples:
        >>> round(conger_kappa([["a", "a", "b"], ["b", "b", "b"], ["a", "a", "a"]]), 3)
        0.571

    Source:
        Conger (1980), Psychological Bulletin 88: 322-328.
    """
    codes, q = _codes(ratings, categories)
    if (codes < 0).any():
        raise StatisticsError(f"{int((codes < 0).sum())} ratings are missing", remedy="Use fleiss_kappa or gwet_ac.")
    if not codes.size or codes.shape[1] < 2:
        raise StatisticsError("no unit has two ratings, so there is no agreement to measure")
    credit = weight_matrix(q, weights)
    habits = np.stack([np.bincount(rater, minlength=q) / len(codes) for rater in codes.T])
    together = habits @ credit @ habits.T
    pairs = ~np.eye(len(habits), dtype=bool)
    expected = together[pairs].mean()
    observed = _chance_corrected(_counts(codes, q), credit, 0.0, 0.0, 0.95).observed
    return float((observed - expected) / (1 - expected)) if expected < 1 else float("nan")


def gwet_ac(
    ratings: Any, *, weights: Weights = "none", categories: Sequence[Any] | None = None, level: float = 0.95
) -> Agreement:
    """Gwet's AC1, or AC2 with weights: steady where nearly everything falls into one category.

    Args:
        ratings: Units in rows, raters in columns; the raters may differ from unit to unit.
        weights: "none" for AC1; "linear" or "quadratic" for AC2.
        categories: All categories in order; by default those that occur, sorted.
        level: Confidence level, a share.

    Returns:
        The coefficient; 1 where one category only is used.

    Raises:
        StatisticsError: No unit has two ratings.

    Examples:
        >>> ratings = [["pass", "pass"]] * 90 + [["pass", "fail"], ["fail", "pass"]] * 5
        >>> round(gwet_ac(ratings).estimate, 2), round(cohen_kappa(ratings).estimate, 2)
        (0.89, -0.05)

    Source:
        Gwet (2008), British Journal of Mathematical and Statistical Psychology 61: 29-48; Handbook of
        Inter-Rater Reliability (2014), 5.3.
    """
    codes, q = _codes(ratings, categories)
    counts, credit = _counts(codes, q), weight_matrix(q, weights)
    if q < 2:
        return _chance_corrected(counts, credit, 0.0, 0.0, level)
    share = _shares(counts)
    mean = share[counts.sum(axis=1) > 0].mean(axis=0)
    scale = credit.sum() / (q * (q - 1))
    return _chance_corrected(
        counts, credit, float(scale * (mean * (1 - mean)).sum()), scale * (share @ (1 - mean)), level
    )


def brennan_prediger(
    ratings: Any, *, weights: Weights = "none", categories: Sequence[Any] | None = None, level: float = 0.95
) -> Agreement:
    """Brennan and Prediger's coefficient: chance as if raters picked categories blindly.

    Args:
        ratings: Units in rows, raters in columns.
        weights: Credit for near misses between ordered categories.
        categories: All categories in order; by default those that occur, sorted.
        level: Confidence level, a share.

    Returns:
        The coefficient.

    Examples:
        >>> round(brennan_prediger([["a", "a"], ["b", "b"], ["a", "b"], ["b", "b"]]).estimate, 2)
        0.5

    Source:
        Brennan & Prediger (1981), Educational and Psychological Measurement 41: 687-699.
    """
    codes, q = _codes(ratings, categories)
    credit = weight_matrix(q, weights)
    return _chance_corrected(_counts(codes, q), credit, float(credit.sum() / q**2), float(credit.sum() / q**2), level)


def _places(ratings: Any, measurement: str, categories: Sequence[Any] | None, q: int) -> NDArray[np.float64]:
    """Give the number that stands for each category."""
    if measurement == "nominal" or (measurement == "ordinal" and categories is not None):
        return np.arange(q, dtype=float)
    table = pd.DataFrame(ratings).to_numpy(dtype=object)
    domain = _sorted(table[~pd.isna(table)].tolist()) if categories is None else list(categories)
    try:
        return np.array(domain, dtype=float)
    except (TypeError, ValueError):
        remedy = "Pass categories in their order." if measurement == "ordinal" else "Rate by numbers or take 'ordinal'."
        raise StatisticsError(f"ratings are no numbers, which {measurement!r} needs", remedy=remedy) from None


Measurement = Literal["nominal", "ordinal", "interval", "ratio"]


def krippendorff_alpha(
    ratings: Any,
    *,
    measurement: Measurement = "nominal",
    categories: Sequence[Any] | None = None,
    level: float = 0.95,
    resamples: int = 999,
    seed: int = 1,
) -> Agreement:
    """Krippendorff's alpha, for any number of raters, missing ratings and any level of measurement.

    Args:
        ratings: Units in rows, raters in columns; numbers for "interval" and "ratio".
        measurement: What distance between two ratings means.
        categories: All categories, in order for "ordinal"; by default those that occur, sorted. "ordinal"
            needs them where the ratings are texts.
        level: Confidence level, a share.
        resamples: Samples of units drawn for the interval; 0 for none.
        seed: Seed of the random numbers.

    Returns:
        The coefficient with a bootstrap interval over units. `observed` and `expected` are NaN, as alpha
        compares disagreements; NaN throughout where all ratings are the same.

    Raises:
        StatisticsError: No unit has two ratings, an unknown measurement, or texts where numbers or an order
            are needed.

    Examples:
        >>> ratings = [[1, 1], [2, 2], [3, 3], [3, 4], [4, 4], [1, 2]]
        >>> round(krippendorff_alpha(ratings, measurement="ordinal", resamples=0).estimate, 3)
        0.878

    Source:
        Krippendorff, Content Analysis (2019), 12; the package `krippendorff` for the coefficient.
    """
    if measurement not in ("nominal", "ordinal", "interval", "ratio"):
        raise StatisticsError(f"measurement is {measurement!r}, expected 'nominal', 'ordinal', 'interval' or 'ratio'")
    codes, q = _codes(ratings, categories)
    counts = _counts(codes, q)
    counts = counts[counts.sum(axis=1) >= 2]
    nothing = Interval(float("nan"), float("nan"))
    if not len(counts):
        raise StatisticsError("no unit has two ratings, so there is no agreement to measure")
    if (counts.sum(axis=0) > 0).sum() < 2:
        return Agreement(float("nan"), float("nan"), nothing, float("nan"), float("nan"), len(counts))
    values = _places(ratings, measurement, categories, q)

    def alpha(drawn: NDArray) -> float:
        if (drawn.sum(axis=0) > 0).sum() < 2:
            return float("nan")
        return float(krippendorff.alpha(value_counts=drawn, value_domain=values, level_of_measurement=measurement))

    estimate = alpha(counts)
    random = np.random.default_rng(seed)
    samples = np.array([alpha(counts[random.integers(0, len(counts), len(counts))]) for _ in range(resamples)])
    samples = samples[np.isfinite(samples)]
    if samples.size < 2:
        return Agreement(estimate, float("nan"), nothing, float("nan"), float("nan"), len(counts))
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    return Agreement(
        estimate, float(samples.std(ddof=1)), Interval(float(low), float(high)), float("nan"), float("nan"), len(counts)
    )

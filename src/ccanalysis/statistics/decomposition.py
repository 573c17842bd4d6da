"""What a change is made of: mix and rate, several factors at once, and share of the whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ccanalysis.errors import StatisticsError


def kitagawa(weights_0: ArrayLike, rates_0: ArrayLike, weights_1: ArrayLike, rates_1: ArrayLike) -> pd.DataFrame:
    """Split the change of an overall rate into mix (who) and rate (how well), category by category.

    Args:
        weights_0: Size of each category before, such as contacts; made into shares here.
        rates_0: Rate of each category before, in any unit. Where a category had no weight, the rate of
            the other period stands in, so that its coming or going is all mix.
        weights_1: Size of each category after.
        rates_1: Rate of each category after.

    Returns:
        One row per category, with the index of `weights_0` if it has one: `mix`, `rate` and `total`, in
        the unit of the rates. All rows together are the change of the overall rate. `mix` is how much
        the share grew times how far the category lies from the overall rate.

    Raises:
        StatisticsError: Different lengths, negative or missing sizes, no size at all, or a missing rate
            of a category that has weight.

    Examples:
        >>> parts = kitagawa([50, 50], [0.9, 0.5], [20, 80], [0.9, 0.6])
        >>> parts.round(3).to_dict("list")
        {'mix': [-0.066, -0.039], 'rate': [0.0, 0.065], 'total': [-0.066, 0.026]}

    Source:
        Kitagawa (1955), JASA 50: 1168-1194: both effects at the average of the other.
    """
    index = weights_0.index if isinstance(weights_0, pd.Series) else None
    sizes = [np.asarray(one, dtype=float) for one in (weights_0, weights_1)]
    rates = [np.asarray(one, dtype=float) for one in (rates_0, rates_1)]
    if len({one.shape for one in (*sizes, *rates)}) > 1:
        raise StatisticsError("weights and rates have different lengths", remedy="Give one entry per category.")
    for size, rate in zip(sizes, rates, strict=True):
        if not (size >= 0).all():
            raise StatisticsError(f"{int((~(size >= 0)).sum())} weights are negative or missing")
        if not size.sum() > 0:
            raise StatisticsError("no category has any weight, so there is no overall rate")
        if np.isnan(rate[size > 0]).any():
            raise StatisticsError(f"{int(np.isnan(rate[size > 0]).sum())} categories have weight but no rate")
    share_0, share_1 = (size / size.sum() for size in sizes)
    before = np.where(share_0 > 0, rates[0], rates[1])
    after = np.where(share_1 > 0, rates[1], before)
    nowhere = (share_0 == 0) & (share_1 == 0)
    before, after = np.where(nowhere, 0.0, before), np.where(nowhere, 0.0, after)
    overall = ((share_0 * before).sum() + (share_1 * after).sum()) / 2
    mix = (share_1 - share_0) * ((before + after) / 2 - overall)
    rate_effect = (after - before) * (share_0 + share_1) / 2
    return pd.DataFrame({"mix": mix, "rate": rate_effect, "total": mix + rate_effect}, index=index)


def _product_sum(factors: Mapping[str, NDArray]) -> float:
    product: NDArray | float = 1.0
    for values in factors.values():
        product = product * values
    return float(np.sum(product))


def das_gupta(
    before: Mapping[str, ArrayLike],
    after: Mapping[str, ArrayLike],
    *,
    rate: Callable[[Mapping[str, NDArray]], float] = _product_sum,
) -> pd.DataFrame:
    """Split the change of a rate over any number of factors, the same whatever their order.

    Args:
        before: The factors before: a number each, or one entry per category.
        after: The same factors after.
        rate: How the factors make the rate; by default the sum over categories of their product.

    Returns:
        One row per factor, in the order of `before`: `before` and `after` (the rate standardised for all
        other factors) and `effect`. The effects add up to the change of the rate.

    Raises:
        StatisticsError: Different factors before and after, or more than 12.

    Examples:
        >>> das_gupta({"calls": 100, "aht_s": 300}, {"calls": 120, "aht_s": 280})["effect"].to_dict()
        {'calls': 5800.0, 'aht_s': -2200.0}

    Source:
        Das Gupta (1993), Standardization and Decomposition of Rates, US Census Bureau P23-186.
    """
    names = list(before)
    if set(names) != set(after):
        raise StatisticsError("the factors before and after are not the same")
    if not names or len(names) > 12:
        raise StatisticsError(f"{len(names)} factors, expected 1 to 12")
    sides = [{name: np.asarray(side[name], dtype=float) for name in names} for side in (before, after)]
    value = {
        chosen: rate({name: sides[name in chosen][name] for name in names})
        for size in range(len(names) + 1)
        for chosen in map(frozenset, combinations(names, size))
    }
    rows = {}
    for name in names:
        standardised = [0.0, 0.0]
        for chosen, result in value.items():
            others = len(chosen - {name})
            weight = factorial(others) * factorial(len(names) - 1 - others) / factorial(len(names))
            standardised[name in chosen] += weight * result
        rows[name] = {
            "before": standardised[0],
            "after": standardised[1],
            "effect": standardised[1] - standardised[0],
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("factor")


def structure_factors(sizes: pd.Series, variables: Sequence[str]) -> dict[str, NDArray]:
    """Split shares of a cross-classified whole into one factor per variable, for `das_gupta`.

    Args:
        sizes: Size of each cell, above 0, indexed by at least the variables.
        variables: Names of the index levels to split the structure by.

    Returns:
        One entry per cell for every variable; their product is the cell's share of the whole.

    Raises:
        StatisticsError: A variable that the index lacks, or cells without size.

    Examples:
        >>> index = pd.MultiIndex.from_product([["a", "b"], ["x", "y"]], names=["team", "queue"])
        >>> factors = structure_factors(pd.Series([10, 20, 30, 40], index=index), ["team", "queue"])
        >>> (factors["team"] * factors["queue"]).round(2).tolist()
        [0.1, 0.2, 0.3, 0.4]

    Source:
        Das Gupta (1993), US Census Bureau P23-186, chapter 5 (his equation 5.36 for two variables).
    """
    missing = [name for name in variables if name not in sizes.index.names]
    if missing:
        raise StatisticsError(f"the sizes are not indexed by {', '.join(missing)}")
    if not (sizes > 0).all():
        raise StatisticsError(f"{int((~(sizes > 0)).sum())} cells have no size", remedy="Merge them with a neighbour.")
    marginal = {
        chosen: (sizes.groupby(level=list(chosen)).transform("sum") if chosen else sizes * 0 + sizes.sum()).to_numpy()
        for size in range(len(variables) + 1)
        for chosen in combinations(variables, size)
    }
    factors = {}
    for name in variables:
        factor = np.ones(len(sizes))
        others = [one for one in variables if one != name]
        for size in range(len(others) + 1):
            weight = factorial(size) * factorial(len(variables) - 1 - size) / factorial(len(variables))
            for chosen in combinations(others, size):
                both = tuple(one for one in variables if one in (*chosen, name))
                factor *= (marginal[both] / marginal[chosen]) ** weight
        factors[name] = factor
    return factors


def cross_classified(
    before: pd.DataFrame, after: pd.DataFrame, *, variables: Sequence[str], size: str = "size", rate: str = "rate"
) -> pd.DataFrame:
    """Split the change of an overall rate into rate and the mix of each of several variables.

    Args:
        before: One row per cell, indexed by at least the variables, with columns for size and rate.
        after: The same cells afterwards, in the same order.
        variables: Names of the index levels whose mix is told apart, such as team and queue.
        size: Column with the sizes, above 0.
        rate: Column with the rates, in any unit.

    Returns:
        As `das_gupta`, with one row per variable and a last one named `rate`.

    Raises:
        StatisticsError: Different cells, a variable that the index lacks, or cells without size.

    Examples:
        >>> index = pd.MultiIndex.from_product([["a", "b"], ["x", "y"]], names=["team", "queue"])
        >>> before = pd.DataFrame({"size": [10, 20, 30, 40], "rate": [0.9, 0.8, 0.7, 0.6]}, index=index)
        >>> cross_classified(before, before, variables=["team", "queue"])["effect"].tolist()
        [0.0, 0.0, 0.0]

    Source:
        Das Gupta (1993), US Census Bureau P23-186, chapter 5: first mix and rate, then the mix of each
        variable at the average rates.
    """
    if not before.index.equals(after.index):
        raise StatisticsError("the cells before and after are not the same")
    sides = [structure_factors(table[size], variables) for table in (before, after)]
    average = (before[rate] + after[rate]).to_numpy(dtype=float) / 2
    mix = das_gupta(*sides, rate=lambda factors: _product_sum({**factors, "rate": average}))
    shares = sum(table[size] / table[size].sum() for table in (before, after)) / 2
    standardised = [float((shares * table[rate]).sum()) for table in (before, after)]
    mix.loc["rate"] = [*standardised, standardised[1] - standardised[0]]
    return mix


def shift_share(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    whole_before: ArrayLike | None = None,
    whole_after: ArrayLike | None = None,
) -> pd.DataFrame:
    """Split the growth of each unit into the growth of the whole, its mix, and its own.

    Args:
        before: Volume of each unit (rows) in each category (columns), such as contacts of teams by queue.
        after: The same afterwards.
        whole_before: Volume of the whole by category; by default the sum over the units.
        whole_after: The same afterwards.

    Returns:
        One row per unit: `growth`, `whole` (had it grown as the whole), `mix` (because of its categories),
        `own` (what is left), which add up, and `own_at_whole_mix` with `allocation`, which split `own`
        into what it would be with the whole's mix and what comes of its specialising. In the unit of the
        volumes.

    Raises:
        StatisticsError: Different units or categories, or a category the whole did not have before.

    Examples:
        >>> before = pd.DataFrame({"sales": [10, 30], "care": [40, 20]}, index=["a", "b"])
        >>> after = pd.DataFrame({"sales": [20, 30], "care": [40, 30]}, index=["a", "b"])
        >>> shift_share(before, after)[["growth", "whole", "mix", "own"]].round(2).loc["a"].tolist()
        [10.0, 10.0, -0.83, 0.83]

    Source:
        Dunn (1960), Papers of the Regional Science Association 6: 97-112; Esteban-Marquillas (1972) for
        the last two columns.
    """
    if not (before.index.equals(after.index) and before.columns.equals(after.columns)):
        raise StatisticsError("the units or categories before and after are not the same")
    base, end = before.to_numpy(dtype=float), after.to_numpy(dtype=float)
    whole_0 = base.sum(axis=0) if whole_before is None else np.asarray(whole_before, dtype=float)
    whole_1 = end.sum(axis=0) if whole_after is None else np.asarray(whole_after, dtype=float)
    if not (whole_0 > 0).all():
        raise StatisticsError(f"{int((~(whole_0 > 0)).sum())} categories had no volume before", remedy="Merge them.")
    total_growth = whole_1.sum() / whole_0.sum() - 1
    category_growth = whole_1 / whole_0 - 1
    unit_growth = end - base * (1 + category_growth)  # e (g_ir - g_i), defined also where a unit had none
    at_whole_mix = base.sum(axis=1, keepdims=True) * whole_0 / whole_0.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        own_at_whole_mix = np.where(base > 0, at_whole_mix * (end / base - 1 - category_growth), 0.0)
    own = unit_growth.sum(axis=1)
    return pd.DataFrame(
        {
            "growth": (end - base).sum(axis=1),
            "whole": base.sum(axis=1) * total_growth,
            "mix": (base * (category_growth - total_growth)).sum(axis=1),
            "own": own,
            "own_at_whole_mix": own_at_whole_mix.sum(axis=1),
            "allocation": own - own_at_whole_mix.sum(axis=1),
        },
        index=before.index,
    )

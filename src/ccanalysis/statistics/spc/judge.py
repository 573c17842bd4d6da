"""Holding points against a centre line and limits by a named rule set, the same way on every chart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ccanalysis.errors import StatisticsError, nearest
from ccanalysis.statistics.spc.rules import RULE_SETS, Flags, Mask, RuleSet, outside_limits, see

Better = Literal["up", "down", "neither"]

#: Limits from fewer points than this are called trial limits.
FULL_BASELINE = 13

#: What a point can be; charts as arrays hold positions in this list.
POINT_TYPES = (
    "common_cause",
    "improvement_high",
    "improvement_low",
    "concern_high",
    "concern_low",
    "neutral_high",
    "neutral_low",
)

_SIGN = {"up": 1, "down": -1, "neither": 0}


def rule_set_named(rule_set: str | RuleSet) -> RuleSet:
    """Look a rule set up by its name; a `RuleSet` of one's own is returned as it is."""
    if isinstance(rule_set, RuleSet):
        return rule_set
    if rule_set not in RULE_SETS:
        raise StatisticsError(f"no rule set is named {rule_set!r}", remedy=nearest(rule_set, list(RULE_SETS)))
    return RULE_SETS[rule_set]


def improvement_sign(better: str) -> int:
    """Turn "up", "down" or "neither" into +1, -1 or 0."""
    if better not in _SIGN:
        raise StatisticsError(
            f"better is {better!r}, expected 'up', 'down' or 'neither'", remedy=nearest(str(better), list(_SIGN))
        )
    return _SIGN[better]


def kept_first(excluded: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Order the points of each row with the excluded ones last, and the way back."""
    order = np.argsort(excluded, axis=1, kind="stable")
    return order, np.argsort(order, axis=1)


def fit(
    values: NDArray, excluded: Mask, rules: RuleSet, *, centre: NDArray, middle: NDArray, sigma: NDArray
) -> NDArray[np.int8]:
    """Let every rule look at every point of one part, one series a row.

    Args:
        values: Shape (series, periods), NaN where missing.
        excluded: Points left out of the runs; they are only held against the limits.
        rules: The rules.
        centre: The line that runs are counted about; broadcastable to `values`.
        middle: The middle between the limits; mostly the same.
        sigma: A third of the distance from the middle to a limit.

    Returns:
        Shape (rules, series, periods): what each rule says of each point.
    """
    centre, middle, sigma = (np.broadcast_to(one, values.shape) for one in (centre, middle, sigma))
    if not excluded.any():
        points = see(values, centre, sigma, middle)
        return np.stack([rule(points) for rule in rules.rules.values()])
    order, back = kept_first(excluded)
    kept = np.where(np.take_along_axis(excluded, order, axis=1), np.nan, np.take_along_axis(values, order, axis=1))
    points = see(kept, *(np.take_along_axis(one, order, axis=1) for one in (centre, sigma, middle)))
    fits = np.stack([np.take_along_axis(rule(points), back, axis=1) for rule in rules.rules.values()])
    if "outside_limits" in rules.rules:
        alone = outside_limits(see(values, centre, sigma, middle))
        position = list(rules.rules).index("outside_limits")
        fits[position] = np.where(excluded, alone, fits[position])
    return fits


def label(fits: NDArray[np.int8], sign: NDArray, rules: RuleSet) -> tuple[Flags, Flags]:
    """Choose each point's rule (its position + 1, or 0) and point type among the rules it fits.

    Args:
        fits: Shape (rules, ...), what `fit` returns.
        sign: Broadcastable to the rest of the shape: +1 where high is an improvement, -1 where low is.
        rules: The rules, the one that names a point first.

    Returns:
        Rule and position in `POINT_TYPES`, of the shape of `fits` without its first dimension.
    """
    rule = np.zeros(fits.shape[1:], dtype=np.int8)
    direction = np.zeros(fits.shape[1:], dtype=np.int8)
    for favourable in (True, False) if rules.improvement_first else (False,):
        for position, says in enumerate(fits, start=1):
            new = (rule == 0) & (says != 0)
            if favourable:
                new &= (says == sign) & (sign != 0)
            rule[new] = position
            direction[new] = says[new]
    sided = np.abs(direction) == 1
    low = direction < 0
    point = np.select(
        [direction == 0, sided & (direction == sign), sided & (direction == -sign)], [0, 1 + low, 3 + low], 5 + low
    )
    return rule, point.astype(np.int8)


def rule_texts(fits: NDArray[np.int8], names: Sequence[str]) -> list[str]:
    """Write the names of the rules that fit each point, separated by spaces.

    Args:
        fits: Shape (rules, points).
        names: Their names.
    """
    weights = 1 << np.arange(len(names))
    combination = weights @ (fits != 0)
    texts = {
        int(code): " ".join(name for name, weight in zip(names, weights, strict=True) if code & weight)
        for code in np.unique(combination)
    }
    return [texts[int(code)] for code in combination]

"""Rules that tell special causes from common cause, and the named sets they come in.

A rule looks at the points of one part of a chart, in time order, one series a row, and returns a
number per point: 0 not flagged, +1 or -1 flagged high or low (rising or falling), +2 or -2 flagged
above or below the centre line by a rule that speaks of neither improvement nor concern.

The anchors disagree, so each set is named and none is "the" rules: see `RULE_SETS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

Flags = NDArray[np.int8]
Mask = NDArray[np.bool_]

#: Two figures closer than this share of the largest one are taken as equal.
RELATIVE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Points:
    """The points of one part of a chart as the rules see them; arrays of shape (series, periods).

    Attributes:
        side: +1 above the centre line, -1 below, 0 on it or missing.
        step: +1 where a point lies above the one before it, -1 below, 0 level or no neighbour.
        linked: The point and the one before it are both present.
        present: The point is not missing.
        beyond: For 1, 2 and 3 standard deviations: the point lies strictly further out.
    """

    side: Flags
    step: Flags
    linked: Mask
    present: Mask
    beyond: Mapping[int, Mask]


Rule = Callable[[Points], Flags]


def see(values: NDArray, centre: NDArray, sigma: NDArray, middle: NDArray | None = None) -> Points:
    """Describe values against a centre line and a standard deviation, with a tolerance for floats.

    Args:
        values: Shape (series, periods), NaN where missing.
        centre: The line that runs are counted about, broadcastable to `values`.
        sigma: Broadcastable to `values`; 0 for a series that never varied.
        middle: The middle between the limits, where it is not the centre line.

    Returns:
        What the rules need to know of each point.
    """
    present = ~np.isnan(values)
    magnitude = np.where(present, np.abs(values), 0.0).max(axis=1, keepdims=True, initial=0.0)
    tolerance = RELATIVE_TOLERANCE * magnitude
    with np.errstate(invalid="ignore"):
        distance = values - (centre if middle is None else middle)
        side = _sign(values - centre, tolerance)
        change = np.diff(values, axis=1, prepend=np.nan)
        beyond = {k: np.abs(distance) > k * sigma + tolerance for k in (1, 2, 3)}
    linked = present.copy()
    linked[:, 0] = False
    linked[:, 1:] &= present[:, :-1]
    return Points(side, _sign(change, tolerance), linked, present, beyond)


def _sign(difference: NDArray, tolerance: NDArray) -> Flags:
    return (difference > tolerance).astype(np.int8) - (difference < -tolerance).astype(np.int8)


def _in_a_row(true: Mask, length: int) -> Mask:
    """Mark the last of every `length` consecutive true points."""
    result = true.copy()
    for back in range(1, length):
        result[:, back:] &= true[:, :-back]
        result[:, :back] = False
    return result


def _members(ends: Mask, length: int) -> Mask:
    """Mark all points of the windows of `length` whose last points are marked."""
    result = ends.copy()
    for back in range(1, length):
        result[:, :-back] |= ends[:, back:]
    return result


def _count(true: Mask, length: int) -> NDArray[np.int16]:
    """Count true points in the window of `length` that ends at each point."""
    result = true.astype(np.int16)
    for back in range(1, length):
        result[:, back:] += true[:, :-back]
    return result


def outside_limits(points: Points) -> Flags:
    """Flag points strictly beyond the control limits."""
    return points.side * points.beyond[3]


def shift(points: Points, *, length: int, flag: Literal["all", "end"] = "all") -> Flags:
    """Flag a run of `length` points on one side of the centre line.

    A missing point, or one on the line, ends the run. `flag="all"` marks every point of the run,
    "end" only those at which the run is long enough.
    """
    result = np.zeros_like(points.side)
    for sign in (1, -1):
        run = _in_a_row(points.side == sign, length)
        result[_members(run, length) if flag == "all" else run] = sign
    return result


def trend(points: Points, *, length: int, flag: Literal["all", "end"] = "all") -> Flags:
    """Flag `length` points that rise, or fall, at every step; a tie or a missing point ends it.

    A turning point that belongs to two trends takes the direction of the later one.
    """
    marks = {}
    for sign in (1, -1):
        ends = _in_a_row(points.step == sign, length - 1)
        marks[sign] = _members(ends, length) if flag == "all" else ends
    result = marks[1].astype(np.int8) - marks[-1].astype(np.int8)
    following = np.zeros_like(points.step)
    following[:, :-1] = points.step[:, 1:]
    return np.where(marks[1] & marks[-1], following, result)


def two_of_three(points: Points, *, beyond_limits: bool) -> Flags:
    """Flag points near a limit when two of three consecutive ones, all on one side, are near it.

    Near means further than two standard deviations from the centre line. Only the near points are
    flagged.

    Args:
        points: What the rules see.
        beyond_limits: Whether a point outside the limits counts as near.
    """
    near = points.beyond[2] if beyond_limits else points.beyond[2] & ~points.beyond[3]
    result = np.zeros_like(points.side)
    for sign in (1, -1):
        same_side = points.side == sign
        ends = _in_a_row(same_side, 3) & (_count(near & same_side, 3) >= 2)
        result[_members(ends, 3) & near & same_side] = sign
    return result


def most_beyond(points: Points, *, least: int, length: int, sigmas: int) -> Flags:
    """Flag the point that makes it `least` of `length` beyond `sigmas` on one side.

    The remaining points may lie anywhere; a missing point ends the window.
    """
    whole = _in_a_row(points.present, length)
    result = np.zeros_like(points.side)
    for sign in (1, -1):
        far = points.beyond[sigmas] & (points.side == sign)
        result[whole & far & (_count(far, length) >= least)] = sign
    return result


def alternating(points: Points, *, length: int) -> Flags:
    """Flag the last of `length` points that go up and down in turn."""
    turn = np.zeros_like(points.linked)
    turn[:, 1:] = (points.step[:, 1:] * points.step[:, :-1]) == -1
    return _unsided(_in_a_row(turn, length - 2), points)


def hugging(points: Points, *, length: int) -> Flags:
    """Flag the last of `length` points that all lie within one standard deviation."""
    return _unsided(_in_a_row(points.present & ~points.beyond[1], length), points)


def avoiding(points: Points, *, length: int) -> Flags:
    """Flag the last of `length` points that all lie beyond one standard deviation, on either side."""
    return _unsided(_in_a_row(points.present & points.beyond[1], length), points)


def _unsided(flagged: Mask, points: Points) -> Flags:
    return np.where(flagged, np.where(points.side < 0, -2, 2), 0).astype(np.int8)


@dataclass(frozen=True)
class Runs:
    """What a run chart counts, per series.

    Attributes:
        useful: Points that are present and not on the centre line.
        longest: The longest run on one side.
        longest_allowed: The longest run that chance explains.
        crossings: How often the line is crossed.
        crossings_expected: The fewest crossings that chance explains.
        length: For each point, the length of the run it belongs to (0 for points that are not useful).
    """

    useful: NDArray[np.int64]
    longest: NDArray[np.int64]
    longest_allowed: NDArray[np.int64]
    crossings: NDArray[np.int64]
    crossings_expected: NDArray[np.int64]
    length: NDArray[np.int64]


@cache
def _fewest_crossings(useful: int) -> int:
    return int(binom.ppf(0.05, useful - 1, 0.5)) if useful > 1 else 0


def count_runs(points: Points) -> Runs:
    """Count runs and crossings of the centre line.

    Points on the line are passed over. A missing point ends a run, but the line counts as crossed
    when the sides before and after it differ.

    Source:
        Anhoej & Olesen (2014), PLoS ONE 9(11): e113825: a run longer than log2(n) + 3 (rounded), or
        fewer crossings than the 5 % point of a binomial with n - 1 trials of one half.
    """
    series, periods = points.side.shape
    before = np.zeros(series, dtype=np.int8)
    running = np.zeros(series, dtype=np.int64)
    crossings = np.zeros(series, dtype=np.int64)
    counted = np.zeros((series, periods), dtype=np.int64)
    for t in range(periods):
        side = points.side[:, t]
        running[~points.present[:, t]] = 0
        useful = side != 0
        same = useful & (side == before)
        crossings += useful & (before != 0) & (side != before)
        running = np.where(useful, np.where(same, running + 1, 1), running)
        counted[:, t] = np.where(useful, running, 0)
        before = np.where(useful, side, before)
    length = counted.copy()
    reach = np.zeros(series, dtype=np.int64)
    for t in range(periods - 1, -1, -1):
        useful = counted[:, t] > 0
        reach = np.where(useful, np.maximum(reach, counted[:, t]), reach)
        length[:, t] = np.where(useful, reach, 0)
        reach = np.where(useful & (counted[:, t] == 1), 0, reach)
    n_useful = (points.side != 0).sum(axis=1)
    allowed = np.round(np.log2(np.maximum(n_useful, 1))).astype(np.int64) + 3
    expected = np.array([_fewest_crossings(int(n)) for n in n_useful], dtype=np.int64)
    return Runs(n_useful, length.max(axis=1, initial=0), allowed, crossings, expected, length)


def long_run(points: Points, *, at_least: int = 10) -> Flags:
    """Flag runs longer than chance explains, in a chart of `at_least` useful points."""
    runs = count_runs(points)
    signal = (runs.length > runs.longest_allowed[:, None]) & (runs.useful >= at_least)[:, None]
    return points.side * signal


def few_crossings(points: Points, *, at_least: int = 10) -> Flags:
    """Flag every useful point of a chart that crosses its centre line less often than chance explains."""
    runs = count_runs(points)
    signal = (runs.crossings < runs.crossings_expected) & (runs.useful >= at_least)
    return _unsided((points.side != 0) & signal[:, None], points)


@dataclass(frozen=True)
class RuleSet:
    """Rules under one name, with the habits that belong to them.

    Attributes:
        name: What to call it in `xmr(rule_set=...)`.
        rules: Rule by name, the one that gives a point its label first.
        screened: Whether extreme moving ranges are left out before the limits are drawn.
        improvement_first: Whether improvement is shown where a point fits rules of both directions.
        inclusive: Whether a target that equals a limit counts as beyond it.
        median: Whether the centre line is the median.
        least_freeze: The fewest periods that may be frozen.
        source: Where it is laid down.
    """

    name: str
    rules: Mapping[str, Rule] = field(hash=False)
    screened: bool
    source: str
    improvement_first: bool = False
    inclusive: bool = False
    median: bool = False
    least_freeze: int = 2


def _making_data_count(name: str, length: int) -> RuleSet:
    return RuleSet(
        name=name,
        rules={
            "outside_limits": outside_limits,
            "trend": partial(trend, length=length),
            "two_of_three": partial(two_of_three, beyond_limits=True),
            "shift": partial(shift, length=length),
        },
        screened=False,
        improvement_first=True,
        inclusive=True,
        least_freeze=12,
        source="NHS England, Making Data Count: the spreadsheet tool since November 2023",
    )


_SETS = (
    RuleSet(
        name="ptd",
        rules={
            "outside_limits": outside_limits,
            "trend": partial(trend, length=7),
            "two_of_three": partial(two_of_three, beyond_limits=False),
            "shift": partial(shift, length=7),
        },
        screened=True,
        least_freeze=12,
        source="NHS-R community, NHSRplotthedots 0.2.2 (plot the dots)",
    ),
    _making_data_count("mdc", 7),
    _making_data_count("mdc_6", 6),
    RuleSet(
        name="anhoej",
        rules={"long_run": long_run, "few_crossings": few_crossings},
        screened=True,
        median=True,
        source="Anhoej & Olesen (2014), PLoS ONE 9(11): e113825",
    ),
    RuleSet(
        name="western_electric",
        rules={
            "outside_limits": outside_limits,
            "two_of_three": partial(most_beyond, least=2, length=3, sigmas=2),
            "four_of_five": partial(most_beyond, least=4, length=5, sigmas=1),
            "shift": partial(shift, length=8, flag="end"),
        },
        screened=False,
        source="Western Electric, Statistical Quality Control Handbook (1956)",
    ),
    RuleSet(
        name="nelson",
        rules={
            "outside_limits": outside_limits,
            "shift": partial(shift, length=9, flag="end"),
            "trend": partial(trend, length=6, flag="end"),
            "alternating": partial(alternating, length=14),
            "two_of_three": partial(most_beyond, least=2, length=3, sigmas=2),
            "four_of_five": partial(most_beyond, least=4, length=5, sigmas=1),
            "hugging": partial(hugging, length=15),
            "avoiding": partial(avoiding, length=8),
        },
        screened=False,
        source="Nelson (1984), Journal of Quality Technology 16(4): 237-239",
    ),
)

#: Rule sets by name: `ptd` (default), `mdc`, `mdc_6`, `anhoej`, `western_electric`, `nelson`.
RULE_SETS: Mapping[str, RuleSet] = MappingProxyType({rule_set.name: rule_set for rule_set in _SETS})

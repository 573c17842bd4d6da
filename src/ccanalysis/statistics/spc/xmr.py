"""XmR charts: natural process limits of single values, and which points they call special.

`xmr` draws one chart; `xmr_many` draws thousands of equal length in one pass, with the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ccanalysis.errors import StatisticsError, nearest
from ccanalysis.statistics.spc.rules import RULE_SETS, Flags, Mask, RuleSet, outside_limits, see

Better = Literal["up", "down", "neither"]

#: Natural process limits lie this many average moving ranges from the mean (3 / 1.128, as published).
LIMIT_FACTOR = 2.66
#: A moving range beyond this multiple of their average is left out by screening (3.267 = D4 for n = 2).
SCREEN_FACTOR = 3.267
#: Limits from fewer points than this are called trial limits.
FULL_BASELINE = 13

_SIGN = {"up": 1, "down": -1, "neither": 0}

#: Point types by code; `Charts.point` holds the codes.
POINT_TYPES = (
    "common_cause",
    "improvement_high",
    "improvement_low",
    "concern_high",
    "concern_low",
    "neutral_high",
    "neutral_low",
)


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


@dataclass(frozen=True)
class Judged:
    """Limits and labels of rows that are each one part of a chart; arrays of shape (rows, periods)."""

    centre: NDArray[np.float64]
    limits_centre: NDArray[np.float64]
    sigma: NDArray[np.float64]
    n_baseline: NDArray[np.int64]
    moving_range: NDArray[np.float64]
    fits: NDArray[np.int8]  # (rules, rows, periods): what each rule says of each point


def _judge(values: NDArray, baseline: Mask, rules: RuleSet, *, screened: bool) -> Judged:
    moving_range = np.abs(np.diff(values, axis=1, prepend=np.nan))
    average = _average_moving_range(np.where(baseline, moving_range, np.nan), screened=screened)
    used = baseline & ~np.isnan(values)
    n_baseline = used.sum(axis=1)
    with np.errstate(invalid="ignore"):
        mean = np.where(used, values, 0.0).sum(axis=1) / np.where(n_baseline > 0, n_baseline, np.nan)
    centre = _row_median(np.where(used, values, np.nan)) if rules.median else mean
    sigma = LIMIT_FACTOR / 3 * average
    points = see(values, centre[:, None], sigma[:, None])
    fits = np.stack([rule(points) for rule in rules.rules.values()])
    return Judged(centre, mean, sigma, n_baseline, moving_range, fits)


def _row_median(values: NDArray) -> NDArray:
    """Take the median of each row, NaN left out; NaN for a row without a value."""
    ordered = np.sort(values, axis=1)  # NaN last
    n = (~np.isnan(values)).sum(axis=1)
    rows = np.arange(len(values))
    low, high = np.maximum((n - 1) // 2, 0), np.maximum(n // 2, 0)
    high = np.minimum(high, values.shape[1] - 1)
    return (ordered[rows, low] + ordered[rows, high]) / 2


def _row_mean(values: NDArray) -> NDArray:
    present = ~np.isnan(values)
    n = present.sum(axis=1)
    return np.where(present, values, 0.0).sum(axis=1) / np.where(n > 0, n, np.nan)


def _average_moving_range(moving_range: NDArray, *, screened: bool) -> NDArray:
    """Average each row; screening leaves out extreme ranges once, unless nothing but zeros would stay."""
    average = _row_mean(moving_range)
    if not screened:
        return average
    with np.errstate(invalid="ignore"):
        kept = moving_range < SCREEN_FACTOR * average[:, None]
    again = _row_mean(np.where(kept, moving_range, np.nan))
    return np.where(again > 0, again, average)


def _label(fits: NDArray[np.int8], sign: NDArray, rules: RuleSet) -> tuple[Flags, Flags]:
    """Choose each point's rule (its position + 1, or 0) and point type among the rules it fits.

    `fits` has shape (rules, ...) and `sign` broadcasts to the rest: +1 where high is an improvement.
    """
    rule = np.zeros(fits.shape[1:], dtype=np.int8)
    direction = np.zeros(fits.shape[1:], dtype=np.int8)
    for favourable in (True, False) if rules.improvement_first else (False,):
        for position, fit in enumerate(fits, start=1):
            new = (rule == 0) & (fit != 0)
            if favourable:
                new &= (fit == sign) & (sign != 0)
            rule[new] = position
            direction[new] = fit[new]
    sided = np.abs(direction) == 1
    improvement = sided & (direction == sign)
    concern = sided & (direction == -sign)
    low = direction < 0
    point = np.select([direction == 0, improvement, concern], [0, 1 + low, 3 + low], 5 + low)
    return rule, point.astype(np.int8)


@dataclass(frozen=True)
class Charts:
    """Many XmR charts of equal length; arrays of shape (series, periods).

    Attributes:
        value: The values, in their own unit; NaN for a gap.
        part: Part number, from 0; a part starts at each rebase.
        centre: Centre line of the part.
        lower: Lower natural process limit, not clipped.
        upper: Upper natural process limit, not clipped.
        sigma: A third of the distance from centre to limit.
        moving_range: Distance to the point before, NaN at the start of a part and after a gap.
        n_baseline: Points that set the limits of the part.
        rule: 0, or the position (from 1) of the rule in `rule_names`.
        point: Position in `POINT_TYPES`.
        fits: All rules, of shape (rules, series, periods): 0, or the direction in which a point fits.
        rule_names: The names of the rules, the first to name a point first.
        excluded: Points left out of limits and runs.
    """

    value: NDArray[np.float64]
    part: NDArray[np.int64]
    centre: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    sigma: NDArray[np.float64]
    moving_range: NDArray[np.float64]
    n_baseline: NDArray[np.int64]
    rule: Flags
    point: Flags
    fits: NDArray[np.int8] = field(repr=False)
    rule_names: tuple[str, ...]
    excluded: Mask = field(repr=False)

    def frame(self, series: int, index: pd.Index | None = None) -> pd.DataFrame:
        """Write one chart as a frame, with the columns `xmr` describes."""
        names = np.array(["", *self.rule_names], dtype=object)
        lower, upper = self.lower[series], self.upper[series]
        near = 2 * self.sigma[series]
        middle = (lower + upper) / 2
        return pd.DataFrame(
            {
                "value": self.value[series],
                "part": self.part[series],
                "centre": self.centre[series],
                "lower": lower,
                "upper": upper,
                "lower_near": middle - near,
                "upper_near": middle + near,
                "moving_range": self.moving_range[series],
                "rule": names[self.rule[series]],
                "point": np.array(POINT_TYPES, dtype=object)[self.point[series]],
                "rules": self._all_rules(series),
                "n_baseline": self.n_baseline[series],
                "excluded": self.excluded[series],
            },
            index=index,
        )

    def _all_rules(self, series: int) -> list[str]:
        fits = self.fits[:, series, :].T != 0
        return [" ".join(name for name, yes in zip(self.rule_names, row, strict=True) if yes) for row in fits]

    def latest(self) -> pd.DataFrame:
        """Give the last present point of every chart, one row a series, as `variation` judges it.

        Returns:
            Columns `period` (position, -1 without any value), `value`, `part`, `centre`, `lower`,
            `upper`, `rule`, `point`, `rules` and `n_baseline`.
        """
        present = ~np.isnan(self.value)
        n_periods = self.value.shape[1]
        any_value = present.any(axis=1)
        at = np.where(any_value, n_periods - 1 - present[:, ::-1].argmax(axis=1), -1)
        rows = np.arange(len(at))
        names = np.array(["", *self.rule_names], dtype=object)
        fits = self.fits[:, rows, at] != 0
        weights = 1 << np.arange(len(self.rule_names))
        combination = weights @ fits
        text = {
            int(code): " ".join(name for name, weight in zip(self.rule_names, weights, strict=True) if code & weight)
            for code in np.unique(combination)
        }
        return pd.DataFrame(
            {
                "period": at,
                "value": self.value[rows, at],
                "part": self.part[rows, at],
                "centre": self.centre[rows, at],
                "lower": self.lower[rows, at],
                "upper": self.upper[rows, at],
                "rule": names[self.rule[rows, at]],
                "point": np.array(POINT_TYPES, dtype=object)[self.point[rows, at]],
                "rules": [text[int(code)] for code in combination],
                "n_baseline": self.n_baseline[rows, at],
            }
        )


def xmr_many(
    values: ArrayLike,
    *,
    rule_set: str | RuleSet = "ptd",
    better: str | Sequence[str] = "neither",
    freeze: int | None = None,
    rebase: Iterable[int] = (),
    exclude: ArrayLike | None = None,
    screened: bool | None = None,
) -> Charts:
    """Draw one XmR chart per row, all in one pass.

    Args:
        values: Shape (series, periods), in time order, equal steps; NaN for a missing period.
        rule_set: A name in `RULE_SETS`, or a `RuleSet`.
        better: The direction that is an improvement: one for all, or one per series.
        freeze: Set the limits of each part by its first `freeze` periods.
        rebase: Positions at which a new part starts, the same for all series.
        exclude: True where a point is left out of limits and runs; it is still shown and held
            against the limits. Same shape as `values`.
        screened: Leave extreme moving ranges out of the limits; by default as the rule set does.

    Returns:
        The charts, as arrays.

    Raises:
        StatisticsError: Unknown rule set or direction, a position outside the series, or infinite values.

    Examples:
        >>> charts = xmr_many([[5, 6, 5, 7, 6, 20], [1, 1, 1, 1, 1, 1]], better="down")
        >>> charts.latest()["point"].tolist()
        ['concern_high', 'common_cause']

    Source:
        Wheeler, Understanding Variation (1993); the habits of the named rule set, see `RULE_SETS`.
    """
    rules = rule_set_named(rule_set)
    value = np.atleast_2d(np.asarray(values, dtype=float))
    if value.ndim != 2:
        raise StatisticsError(f"values have {value.ndim} dimensions, expected series in rows and periods in columns")
    if np.isinf(value).any():
        raise StatisticsError(
            f"{int(np.isinf(value).sum())} values are infinite", remedy="Pass NaN where a period has no value."
        )
    series, periods = value.shape
    sign = _signs(better, series)
    if freeze is not None and freeze < rules.least_freeze:
        raise StatisticsError(
            f"freeze={freeze}, but the rule set {rules.name!r} freezes no fewer than {rules.least_freeze} periods"
        )
    excluded = np.zeros(value.shape, dtype=bool) if exclude is None else np.asarray(exclude, dtype=bool)
    excluded = np.broadcast_to(excluded, value.shape)
    screen = rules.screened if screened is None else screened
    starts = sorted({0, *_positions(rebase, periods)})

    shape = value.shape
    part = np.zeros(shape, dtype=np.int64)
    centre, limits_centre, sigma = (np.full(shape, np.nan) for _ in range(3))
    moving_range = np.full(shape, np.nan)
    n_baseline = np.zeros(shape, dtype=np.int64)
    fits = np.zeros((len(rules.rules), *shape), dtype=np.int8)
    for number, (start, stop) in enumerate(zip(starts, [*starts[1:], periods], strict=True)):
        span = slice(start, stop)
        judged = _judge_kept(value[:, span], excluded[:, span], freeze, rules, screened=screen)
        part[:, span] = number
        centre[:, span] = judged.centre[:, None]
        limits_centre[:, span] = judged.limits_centre[:, None]
        sigma[:, span] = judged.sigma[:, None]
        n_baseline[:, span] = judged.n_baseline[:, None]
        moving_range[:, span] = judged.moving_range
        fits[:, :, span] = judged.fits
    rule, point = _label(fits, sign[:, None], rules)
    return Charts(
        value=value,
        part=part,
        centre=centre,
        lower=limits_centre - 3 * sigma,
        upper=limits_centre + 3 * sigma,
        sigma=sigma,
        moving_range=moving_range,
        n_baseline=n_baseline,
        rule=rule,
        point=point,
        fits=fits,
        rule_names=tuple(rules.rules),
        excluded=excluded,
    )


def _judge_kept(values: NDArray, excluded: Mask, freeze: int | None, rules: RuleSet, *, screened: bool) -> Judged:
    """Judge one part; excluded points are taken out first, and only held against the limits."""
    baseline = np.ones(values.shape, dtype=bool)
    if freeze is not None:
        baseline[:, freeze:] = False
    if not excluded.any():
        return _judge(values, baseline, rules, screened=screened)
    order = np.argsort(excluded, axis=1, kind="stable")  # kept points first, in their order
    kept = np.where(np.take_along_axis(excluded, order, axis=1), np.nan, np.take_along_axis(values, order, axis=1))
    judged = _judge(kept, np.take_along_axis(baseline, order, axis=1), rules, screened=screened)
    back = np.argsort(order, axis=1)
    fits = np.take_along_axis(judged.fits, np.broadcast_to(back, judged.fits.shape), axis=2)
    if "outside_limits" in rules.rules:
        alone = outside_limits(see(values, judged.limits_centre[:, None], judged.sigma[:, None]))
        position = list(rules.rules).index("outside_limits")
        fits[position] = np.where(excluded, alone, fits[position])
    return Judged(
        centre=judged.centre,
        limits_centre=judged.limits_centre,
        sigma=judged.sigma,
        n_baseline=judged.n_baseline,
        moving_range=np.take_along_axis(judged.moving_range, back, axis=1),
        fits=fits,
    )


def _signs(better: str | Sequence[str], series: int) -> NDArray[np.int8]:
    if isinstance(better, str):
        return np.full(series, improvement_sign(better), dtype=np.int8)
    if len(better) != series:
        raise StatisticsError(f"better has {len(better)} entries for {series} series")
    return np.array([improvement_sign(one) for one in better], dtype=np.int8)


def _positions(rebase: Iterable[int], periods: int) -> list[int]:
    positions = list(rebase)
    for position in positions:
        if not 0 <= position < periods:
            raise StatisticsError(f"rebase at position {position}, but the series has {periods} periods, from 0")
    return positions


def xmr(
    values: pd.Series | ArrayLike,
    *,
    rule_set: str | RuleSet = "ptd",
    better: Better = "neither",
    target: ArrayLike | None = None,
    freeze: int | None = None,
    rebase: Any = (),
    exclude: Any = None,
    screened: bool | None = None,
) -> pd.DataFrame:
    """Draw an XmR chart: mean, natural process limits, and the points that are no common cause.

    Limits are the mean plus and minus 2.66 average moving ranges, not clipped to what is possible:
    clip them for display only. A series that never varies gets limits on the line itself.

    Args:
        values: One value per period, in time order and equal steps, in any unit. NaN is a gap: it
            breaks moving ranges and runs. The index labels the periods.
        rule_set: `ptd` (default), `mdc`, `mdc_6`, `anhoej`, `western_electric`, `nelson`, or a `RuleSet`.
        better: Whether more is an improvement ("up"), or less ("down"), or "neither".
        target: Target, in the unit of `values`: one, or one per period. Kept as a column for `assurance`.
        freeze: Set the limits of each part by its first `freeze` periods.
        rebase: Labels of the index at which a new part starts; limits and runs restart there.
        exclude: Labels of the index, or one flag per value: left out of limits and runs, still shown and
            held against the limits.
        screened: Leave moving ranges of 3.267 times their average or more out of the limits, once; by
            default as the rule set does. Not done where it would leave only ranges of 0.

    Returns:
        A frame with the index of `values` and columns `value`, `part` (from 0), `centre`, `lower`,
        `upper`, `lower_near`, `upper_near` (two thirds of the way), `moving_range`, `rule` (empty, or
        the rule that names the point), `point` (`common_cause`, `improvement_high` and so on), `rules`
        (all rules the point fits, separated by spaces), `n_baseline` (points that set the limits),
        `excluded` and `target`.

    Raises:
        StatisticsError: Labels that the index lacks, repeated or unordered periods, unknown names,
            infinite values, or no value at all.

    Examples:
        >>> chart = xmr([3, 5, 4, 6, 5], better="up")
        >>> chart[["centre", "lower", "upper"]].iloc[-1].round(2).tolist()
        [4.6, 0.61, 8.59]

    Source:
        Wheeler, Understanding Variation (1993). Rule sets: see `RULE_SETS`.
    """
    series = values if isinstance(values, pd.Series) else pd.Series(np.asarray(values, dtype=float))
    if series.empty:
        raise StatisticsError("there is no value to chart")
    _check_periods(series.index)
    wanted = np.full(len(series), np.nan) if target is None else np.asarray(target, dtype=float)
    if wanted.ndim and len(wanted) != len(series):
        raise StatisticsError(f"target has {len(wanted)} entries for {len(series)} values")
    charts = xmr_many(
        series.to_numpy(dtype=float, na_value=np.nan)[None, :],
        rule_set=rule_set,
        better=better,
        freeze=freeze,
        rebase=_locate(series.index, rebase, "rebase"),
        exclude=_mask(series.index, exclude),
        screened=screened,
    )
    return charts.frame(0, series.index).assign(target=wanted)


def _check_periods(index: pd.Index) -> None:
    if not index.is_unique:
        raise StatisticsError(
            f"{int(index.duplicated().sum())} periods occur more than once",
            remedy="Add up both sides of the measure per period before charting.",
        )
    timed = isinstance(index, pd.DatetimeIndex | pd.PeriodIndex)
    if timed and not index.is_monotonic_increasing:
        raise StatisticsError("the periods are not in time order", remedy="Sort the values by their index.")


def _locate(index: pd.Index, labels: Any, name: str) -> list[int]:
    """Find the positions of labels in an index; every label must be there."""
    wanted = [labels] if isinstance(labels, str) or not isinstance(labels, Iterable) else list(labels)
    if not wanted:
        return []
    if isinstance(index, pd.DatetimeIndex):
        sought: pd.Index = pd.DatetimeIndex(wanted, tz=index.tz)
    elif isinstance(index, pd.PeriodIndex):
        sought = pd.PeriodIndex(wanted, freq=index.freq)
    else:
        sought = pd.Index(wanted)
    found = index.get_indexer(sought)
    if (found < 0).any():
        missing = ", ".join(str(label) for label, at in zip(sought, found, strict=True) if at < 0)
        raise StatisticsError(
            f"{name} names periods that are not in the series: {missing}", remedy="Name periods of its index."
        )
    return [int(at) for at in found]


def _mask(index: pd.Index, exclude: Any) -> NDArray[np.bool_] | None:
    if exclude is None:
        return None
    flags = np.asarray(exclude)
    if flags.dtype == bool:
        if len(flags) != len(index):
            raise StatisticsError(f"exclude has {len(flags)} flags for {len(index)} values")
        return flags[None, :]
    mask = np.zeros((1, len(index)), dtype=bool)
    mask[0, _locate(index, exclude, "exclude")] = True
    return mask

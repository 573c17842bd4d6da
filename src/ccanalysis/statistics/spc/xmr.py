"""XmR charts: natural process limits of single values, and which points they call special.

`xmr` draws one chart; `xmr_many` draws thousands of equal length in one pass, with the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ccanalysis.errors import StatisticsError
from ccanalysis.statistics.spc.judge import (
    POINT_TYPES,
    Better,
    fit,
    improvement_sign,
    kept_first,
    label,
    rule_set_named,
    rule_texts,
)
from ccanalysis.statistics.spc.parts import check_periods, locate, mask
from ccanalysis.statistics.spc.rules import Flags, Mask, RuleSet

#: Natural process limits lie this many average moving ranges from the mean (3 / 1.128, as published).
LIMIT_FACTOR = 2.66
#: A moving range beyond this multiple of their average is left out by screening (3.267 = D4 for n = 2).
SCREEN_FACTOR = 3.267


def _limits(
    values: NDArray, excluded: Mask, freeze: int | None, rules: RuleSet, *, screened: bool
) -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray]:
    """Draw the lines of one part, one series a row.

    Returns:
        Centre line, middle of the limits, a third of their distance and the points that set them, each
        of shape (series,), and the moving ranges, of the shape of `values`. Neighbours of a moving range
        are neighbours among the points that are not excluded.
    """
    baseline = ~excluded
    if freeze is not None:
        baseline[:, freeze:] = False
    order, back = kept_first(excluded)
    kept, base = values, baseline
    if excluded.any():
        kept = np.where(excluded, np.nan, values)
        kept, base = np.take_along_axis(kept, order, axis=1), np.take_along_axis(baseline, order, axis=1)
    moving_range = np.abs(np.diff(kept, axis=1, prepend=np.nan))
    average = _average_moving_range(np.where(base, moving_range, np.nan), screened=screened)
    used = base & ~np.isnan(kept)
    mean = _row_mean(np.where(used, kept, np.nan))
    centre = _row_median(np.where(used, kept, np.nan)) if rules.median else mean
    if excluded.any():
        moving_range = np.take_along_axis(moving_range, back, axis=1)
    return centre, mean, LIMIT_FACTOR / 3 * average, used.sum(axis=1), moving_range


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
        inclusive: Whether the rule set takes a target that equals a limit as beyond it.
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
    inclusive: bool = False

    def frame(self, series: int, index: pd.Index | None = None) -> pd.DataFrame:
        """Write one chart as a frame, with the columns `xmr` describes."""
        names = np.array(["", *self.rule_names], dtype=object)
        lower, upper = self.lower[series], self.upper[series]
        near = 2 * self.sigma[series]
        middle = (lower + upper) / 2
        chart = pd.DataFrame(
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
                "rules": rule_texts(self.fits[:, series], self.rule_names),
                "n_baseline": self.n_baseline[series],
                "excluded": self.excluded[series],
            },
            index=index,
        )
        chart.attrs["inclusive"] = self.inclusive
        return chart

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
                "rules": rule_texts(self.fits[:, rows, at], self.rule_names),
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
        StatisticsError: Unknown rule set or direction, a position outside the series, infinite values, or no
            period at all.

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
    if not periods:
        raise StatisticsError("there is no value to chart")
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
    centre, middle, sigma = (np.full(shape, np.nan) for _ in range(3))
    moving_range = np.full(shape, np.nan)
    n_baseline = np.zeros(shape, dtype=np.int64)
    fits = np.zeros((len(rules.rules), *shape), dtype=np.int8)
    for number, (start, stop) in enumerate(zip(starts, [*starts[1:], periods], strict=True)):
        span = slice(start, stop)
        lines = _limits(value[:, span], excluded[:, span], freeze, rules, screened=screen)
        part[:, span] = number
        moving_range[:, span] = lines[4]
        for whole, line in zip((centre, middle, sigma, n_baseline), lines[:4], strict=True):
            whole[:, span] = line[:, None]
        fits[:, :, span] = fit(
            value[:, span],
            excluded[:, span],
            rules,
            centre=centre[:, span],
            middle=middle[:, span],
            sigma=sigma[:, span],
        )
    rule, point = label(fits, sign[:, None], rules)
    return Charts(
        value=value,
        part=part,
        centre=centre,
        lower=middle - 3 * sigma,
        upper=middle + 3 * sigma,
        sigma=sigma,
        moving_range=moving_range,
        n_baseline=n_baseline,
        rule=rule,
        point=point,
        fits=fits,
        rule_names=tuple(rules.rules),
        excluded=excluded,
        inclusive=rules.inclusive,
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
        `excluded` and `target`. Its `attrs` say whether the rule set judges a target that equals a limit as
        beyond it (`inclusive`).

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
    check_periods(series.index)
    wanted = np.full(len(series), np.nan) if target is None else np.asarray(target, dtype=float)
    if wanted.ndim and len(wanted) != len(series):
        raise StatisticsError(f"target has {len(wanted)} entries for {len(series)} values")
    charts = xmr_many(
        series.to_numpy(dtype=float, na_value=np.nan)[None, :],
        rule_set=rule_set,
        better=better,
        freeze=freeze,
        rebase=locate(series.index, rebase, "rebase"),
        exclude=mask(series.index, exclude)[None, :],
        screened=screened,
    )
    return charts.frame(0, series.index).assign(target=wanted)

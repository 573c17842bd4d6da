"""Control charts of figures beside XmR: run, I, MR, I', t, x-bar and s; and what all charts share.

All take the same keywords, `How`, and return the same columns. `lower` and `upper` are not clipped to
what is possible, because points are judged on them as they are; `clipped` prepares them for display.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict, Unpack

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from ccanalysis.errors import StatisticsError, nearest
from ccanalysis.statistics.spc.judge import POINT_TYPES, fit, improvement_sign, label, rule_set_named, rule_texts
from ccanalysis.statistics.spc.parts import check_periods, locate, mask
from ccanalysis.statistics.spc.rules import Mask, RuleSet, count_runs, see

#: Average moving range of a normal process, in standard deviations (d2 for n = 2).
D2 = 1.128
#: Upper limit of a moving range, in average moving ranges (D4 for n = 2).
D4 = 3.267
#: The same for the I' chart, to one place more, as published.
D4_PRIME = 3.2665
#: Power that makes exponential waiting times nearly normal (Nelson 1994).
WAITING_POWER = 3.6


class How(TypedDict, total=False):
    """Keywords that all charts share.

    Attributes:
        rule_set: A name in `RULE_SETS`, or a `RuleSet`; `ptd` unless said otherwise.
        better: "up", "down" or "neither" (default).
        freeze: Set the limits of each part by its first `freeze` periods.
        rebase: Labels of the index at which a new part starts.
        exclude: Labels, or one flag per period: left out of limits and runs.
    """

    rule_set: str | RuleSet
    better: str
    freeze: int | None
    rebase: Any
    exclude: Any


#: From the inputs of one part (`y` is what is charted) and the points that set its limits: centre line, middle of
#: the limits, a third of the distance from there to a limit.
Lines = Callable[[dict[str, NDArray], Mask], tuple[Any, Any, Any]]


def draw(value: pd.Series, lines: Lines, inputs: dict[str, NDArray], **how: Unpack[How]) -> pd.DataFrame:
    """Draw the lines of every part and hold the points against them.

    Args:
        value: What is charted, one value per period; NaN is a gap.
        lines: Draws the lines of one part.
        inputs: What else the lines are drawn from, one entry per period.
        **how: See `How`.

    Returns:
        One row per period, with the columns that all charts have. Its `attrs` say whether the rule set takes a
        target that equals a limit as beyond it, for `assurance`.

    Raises:
        StatisticsError: A keyword that `How` does not have, unknown names, or labels that the index lacks.
    """
    index = value.index
    check_periods(index)
    unknown = [name for name in how if name not in How.__annotations__]
    if unknown:
        raise StatisticsError(
            f"charts have no keyword {unknown[0]!r}", remedy=nearest(unknown[0], tuple(How.__annotations__))
        )
    rules = rule_set_named(how.get("rule_set", "ptd"))
    sign = np.array(improvement_sign(how.get("better", "neither")))
    excluded = mask(index, how.get("exclude"))
    freeze = how.get("freeze")
    if freeze is not None and freeze < 2:
        raise StatisticsError(f"freeze={freeze}, expected at least 2 periods")
    starts = sorted({0, *locate(index, how.get("rebase", ()), "rebase")})
    y = value.to_numpy(dtype=float)
    columns = {name: np.full(y.size, np.nan) for name in ("centre", "middle", "sigma")}
    part, n_baseline = np.zeros(y.size, dtype=np.int64), np.zeros(y.size, dtype=np.int64)
    fits = np.zeros((len(rules.rules), y.size), dtype=np.int8)
    for number, (start, stop) in enumerate(zip(starts, [*starts[1:], y.size], strict=True)):
        span = slice(start, stop)
        base = ~excluded[span] & ~np.isnan(y[span])
        if freeze is not None:
            base[freeze:] = False
        part[span] = number
        n_baseline[span] = base.sum()
        if base.any():
            drawn = lines({"y": y[span], **{name: given[span] for name, given in inputs.items()}}, base)
            for name, line in zip(columns, drawn, strict=True):
                columns[name][span] = line
        here = {name: column[None, span] for name, column in columns.items()}
        fits[:, span] = fit(y[None, span], excluded[None, span], rules, **here)[:, 0]
    rule, point = label(fits, sign, rules)
    middle, sigma = columns["middle"], columns["sigma"]
    chart = pd.DataFrame(
        {
            "value": y,
            "part": part,
            "centre": columns["centre"],
            "lower": middle - 3 * sigma,
            "upper": middle + 3 * sigma,
            "lower_near": middle - 2 * sigma,
            "upper_near": middle + 2 * sigma,
            "rule": np.array(["", *rules.rules], dtype=object)[rule],
            "point": np.array(POINT_TYPES, dtype=object)[point],
            "rules": rule_texts(fits, list(rules.rules)),
            "n_baseline": n_baseline,
            "excluded": excluded,
        },
        index=index,
    )
    chart.attrs["inclusive"] = rules.inclusive
    return chart


_LINES = ["value", "centre", "lower", "upper", "lower_near", "upper_near"]


def clipped(chart: pd.DataFrame, low: float = 0.0, high: float = np.inf) -> pd.DataFrame:
    """Clip the limits of a chart to what is possible, for display.

    Args:
        chart: What a chart function returns.
        low: The lowest possible value.
        high: The highest possible value.

    Returns:
        The chart with its limits inside `low` and `high`; labels are as they were.

    Examples:
        >>> clipped(i_chart([1, 0, 2, 1]))["lower"].tolist()
        [0.0, 0.0, 0.0, 0.0]

    Source:
        qicharts2 0.8.1 draws counts and shares so.
    """
    columns = [name for name in _LINES if name.startswith(("lower", "upper"))]
    return chart.assign(**{name: chart[name].clip(low, high) for name in columns})


def run_test(chart: pd.DataFrame) -> pd.DataFrame:
    """Count runs and crossings of the centre line in each part of a chart.

    Args:
        chart: What a chart function, or `xmr`, returns.

    Returns:
        One row per part with `n` (points not excluded), `n_useful` (not on the line), `longest_run`,
        `longest_run_max`, `crossings`, `crossings_min` and `signal`.

    Examples:
        >>> run_test(run_chart([1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2]))["signal"].tolist()
        [False]

    Source:
        Anhoej & Olesen (2014), PLoS ONE 9(11): e113825.
    """
    rows = {}
    for number, part in chart.groupby("part"):
        kept = part[~part["excluded"]]
        values = kept["value"].to_numpy(dtype=float)[None, :]
        runs = count_runs(see(values, kept["centre"].to_numpy(dtype=float)[None, :], np.zeros((1, 1))))
        rows[number] = {
            "n": len(kept),
            "n_useful": int(runs.useful[0]),
            "longest_run": int(runs.longest[0]),
            "longest_run_max": int(runs.longest_allowed[0]),
            "crossings": int(runs.crossings[0]),
            "crossings_min": int(runs.crossings_expected[0]),
            "signal": bool(runs.longest[0] > runs.longest_allowed[0] or runs.crossings[0] < runs.crossings_expected[0]),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("part")


def _series(values: ArrayLike, name: str = "values") -> pd.Series:
    series = values if isinstance(values, pd.Series) else pd.Series(np.asarray(values))
    series = series.astype(float)
    if np.isinf(series.to_numpy()).any():
        raise StatisticsError(f"{name} has infinite entries", remedy="Pass NaN where a period has no value.")
    return series


def two_sides(numerator: ArrayLike, denominator: ArrayLike, names: tuple[str, str]) -> tuple[pd.Series, NDArray]:
    """Check two sides of a ratio; a period without denominator is a gap."""
    above = _series(numerator, names[0])
    below = np.asarray(denominator, dtype=float)
    if below.ndim == 0:
        below = np.full(len(above), float(below))
    if len(below) != len(above):
        raise StatisticsError(f"{names[0]} has {len(above)} entries, {names[1]} has {len(below)}")
    for name, side in zip(names, (above.to_numpy(), below), strict=True):
        if (side < 0).any():
            raise StatisticsError(f"{int((side < 0).sum())} entries of {name} are negative")
    return above.where(below > 0), np.where(below > 0, below, np.nan)


def moving_sigma(values: NDArray, base: Mask, *, screened: bool) -> float:
    """Estimate a standard deviation from moving ranges between neighbours among the kept points."""
    moving_range = np.abs(np.diff(values[base]))
    average = moving_range.mean() if moving_range.size else np.nan
    if screened and moving_range.size:
        kept = moving_range[moving_range < D4 * average]
        if kept.size and kept.max() > 0:
            average = kept.mean()
    return float(average / D2)


def run_chart(values: ArrayLike, **how: Unpack[How]) -> pd.DataFrame:
    """Draw a run chart: the median, and runs about it; there are no limits.

    Args:
        values: One value per period, in any unit; NaN is a gap.
        **how: See `How`; the rule set is `anhoej`.

    Returns:
        As the other charts, with NaN for limits.

    Examples:
        >>> run_chart([3, 1, 2])["centre"].tolist()
        [2.0, 2.0, 2.0]

    Source:
        Anhoej & Olesen (2014), PLoS ONE 9(11): e113825.
    """
    how.setdefault("rule_set", "anhoej")
    return draw(_series(values), lambda part, base: (np.median(part["y"][base]), np.nan, np.nan), {}, **how)


def i_chart(values: ArrayLike, *, screened: bool = True, **how: Unpack[How]) -> pd.DataFrame:
    """Draw a chart of individual values with limits at 3 / 1.128 average moving ranges.

    `xmr` is the same with the rounded factor 2.66 and more to say.

    Args:
        values: One value per period, in any unit; NaN is left out.
        screened: Leave extreme moving ranges out of the limits, once.
        **how: See `How`.

    Returns:
        One row per period.

    Examples:
        >>> i_chart([3, 5, 4, 6, 5])["upper"].iloc[0].round(3)
        np.float64(8.589)

    Source:
        Montgomery, Statistical Quality Control (2013), 6.4.
    """

    def lines(part: dict[str, NDArray], base: Mask) -> tuple[Any, Any, Any]:
        mean = part["y"][base].mean()
        return mean, mean, moving_sigma(part["y"], base, screened=screened)

    return draw(_series(values), lines, {}, **how)


def mr_chart(values: ArrayLike, **how: Unpack[How]) -> pd.DataFrame:
    """Draw a chart of the moving ranges, with an upper limit of 3.267 times their mean.

    Args:
        values: One value per period, in any unit.
        **how: See `How`.

    Returns:
        One row per period; the first value of each part is NaN and the lower limits are 0.

    Examples:
        >>> mr_chart([3, 5, 4, 6, 5])["upper"].iloc[0].round(4)
        np.float64(4.9005)

    Source:
        Montgomery, Statistical Quality Control (2013), 6.4.
    """
    series = _series(values)
    check_periods(series.index)
    moving_range = series.diff().abs()
    moving_range.iloc[locate(series.index, how.get("rebase", ()), "rebase")] = np.nan

    def lines(part: dict[str, NDArray], base: Mask) -> tuple[Any, Any, Any]:
        mean = part["y"][base].mean()
        return mean, mean, (D4 - 1) / 3 * mean

    chart = draw(moving_range, lines, {}, **how)
    return chart.assign(lower=0.0, lower_near=0.0, upper_near=chart["upper"] * 2 / 3)


def i_prime_chart(values: ArrayLike, n: ArrayLike, *, screened: bool = True, **how: Unpack[How]) -> pd.DataFrame:
    """Draw a chart of individual means or ratios that allows for their unequal sizes (Taylor).

    Args:
        values: One mean, share or rate per period, in any unit.
        n: The number of cases behind each, or one number for all; 0 makes a gap.
        screened: Leave extreme moving ranges out of the limits, once.
        **how: See `How`.

    Returns:
        One row per period.

    Examples:
        >>> chart = i_prime_chart([300.0, 310.0, 295.0, 305.0], [100, 400, 100, 400])
        >>> (chart["upper"] - chart["centre"]).round(1).tolist()
        [39.2, 19.6, 39.2, 19.6]

    Source:
        Taylor (2017), Normalized Individuals (I_N) Control Chart, variation.com.
    """
    series = _series(values)
    size = _sizes(n, series)
    size = np.where(size > 0, size, np.nan)

    def lines(part: dict[str, NDArray], base: Mask) -> tuple[Any, Any, Any]:
        y, weight = part["y"][base], part["n"][base]
        mean = (y * weight).sum() / weight.sum()
        each = np.sqrt(np.pi / 2) * np.abs(np.diff(y)) / np.sqrt(1 / weight[1:] + 1 / weight[:-1])
        sigma = each.mean() if each.size else np.nan
        if screened and each.size and sigma > 0:
            kept = each[each < D4_PRIME * sigma]
            sigma = kept.mean() if kept.size and kept.max() > 0 else sigma
        return mean, mean, sigma / np.sqrt(part["n"])

    return draw(series.where(~np.isnan(size)), lines, {"n": size}, **how)


def t_chart(between: ArrayLike, *, screened: bool = True, **how: Unpack[How]) -> pd.DataFrame:
    """Draw a chart of the time between rare events.

    Args:
        between: Time between one event and the next, above 0, in any unit.
        screened: Leave extreme moving ranges out of the limits, once.
        **how: See `How`.

    Returns:
        One row per event, in the unit of `between`. It is judged on the scale on which such times are
        nearly normal; a limit below that scale is 0.

    Raises:
        StatisticsError: Times of 0 or less.

    Examples:
        >>> t_chart([286, 948, 536, 124, 816])["centre"].round(1).iloc[0]
        np.float64(463.2)

    Source:
        Nelson (1994), Journal of Quality Technology 26: 239-240.
    """
    times = _series(between)
    wrong = int((times <= 0).sum())
    if wrong:
        raise StatisticsError(f"{wrong} times are 0 or less", remedy="Chart events that share a time as one.")
    chart = i_chart(times ** (1 / WAITING_POWER), screened=screened, **how)
    lines = {name: chart[name].clip(lower=0) ** WAITING_POWER for name in _LINES if name != "value"}
    return chart.assign(**lines, value=times)


def _c4(n: NDArray) -> NDArray:
    """Mean of the standard deviation of n normal values, in standard deviations."""
    return np.sqrt(2 / (n - 1)) * np.exp(gammaln(n / 2) - gammaln((n - 1) / 2))


def _sizes(n: ArrayLike, series: pd.Series) -> NDArray:
    size = np.asarray(n, dtype=float)
    size = np.full(len(series), float(size)) if size.ndim == 0 else size
    if len(size) != len(series):
        raise StatisticsError(f"values has {len(series)} entries, n has {len(size)}")
    return size


def _subgroups(first: ArrayLike, sd: ArrayLike, n: ArrayLike) -> tuple[pd.Series, NDArray, NDArray]:
    """Check subgroups; one of fewer than two cases, or without a standard deviation, is a gap."""
    series = _series(first)
    size, spread = _sizes(n, series), np.asarray(sd, dtype=float)
    if len(spread) != len(series):
        raise StatisticsError(f"values has {len(series)} entries, sd has {len(spread)}")
    known = (size >= 2) & ~np.isnan(spread)
    if not known.any():
        raise StatisticsError("no subgroup has two cases and a standard deviation", remedy="Use an XmR chart.")
    return series.where(known), np.where(known, spread, np.nan), np.where(known, size, np.nan)


def _typical_sd(sd: NDArray, n: NDArray) -> float:
    """Mean standard deviation of equal subgroups, pooled standard deviation of unequal ones."""
    if np.ptp(n) == 0:
        return float(sd.mean())
    return float(np.sqrt(((n - 1) * sd**2).sum() / (n - 1).sum()))


def xbar_chart(mean: ArrayLike, sd: ArrayLike, n: ArrayLike, **how: Unpack[How]) -> pd.DataFrame:
    """Draw a chart of subgroup means, with limits from the variation within subgroups.

    Contacts of one day differ less than days do, so these limits are mostly too narrow for contact-centre
    figures: prefer `i_prime_chart`.

    Args:
        mean: Mean per subgroup, in any unit.
        sd: Standard deviation within each; NaN makes a gap.
        n: Cases in each; fewer than 2 make a gap.
        **how: See `How`.

    Returns:
        One row per subgroup.

    Raises:
        StatisticsError: No subgroup has two cases and a standard deviation.

    Examples:
        >>> xbar_chart([10.0, 11.0, 10.5], [1.0, 1.2, 0.8], 5)["upper"].round(3).iloc[0]
        np.float64(11.927)

    Source:
        Montgomery, Statistical Quality Control (2013), 6.3.
    """
    means, spreads, size = _subgroups(mean, sd, n)

    def lines(part: dict[str, NDArray], base: Mask) -> tuple[Any, Any, Any]:
        weight = part["n"][base]
        centre = (part["y"][base] * weight).sum() / weight.sum()
        return centre, centre, _typical_sd(part["sd"][base], weight) / _c4(part["n"]) / np.sqrt(part["n"])

    return draw(means, lines, {"sd": spreads, "n": size}, **how)


def s_chart(sd: ArrayLike, n: ArrayLike, **how: Unpack[How]) -> pd.DataFrame:
    """Draw a chart of the standard deviations within subgroups.

    Args:
        sd: Standard deviation within each subgroup, in any unit; NaN makes a gap.
        n: Cases in each; fewer than 2 make a gap.
        **how: See `How`.

    Returns:
        One row per subgroup.

    Raises:
        StatisticsError: No subgroup has two cases and a standard deviation.

    Examples:
        >>> s_chart([1.0, 1.2, 0.8], 5)["upper"].round(3).iloc[0]
        np.float64(2.089)

    Source:
        Montgomery, Statistical Quality Control (2013), 6.3.
    """
    spreads, _, size = _subgroups(sd, sd, n)

    def lines(part: dict[str, NDArray], base: Mask) -> tuple[Any, Any, Any]:
        centre = _typical_sd(part["y"][base], part["n"][base])
        c4 = _c4(part["n"])
        return centre, centre, centre * np.sqrt(1 - c4**2) / c4

    return draw(spreads, lines, {"n": size}, **how)

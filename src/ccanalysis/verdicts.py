"""Verdicts: KPI x unit x period -> one verdict with its reasons.

A verdict joins the target in force then, the tolerance, the interval, the process's own variation, whether there is
enough data, and how far the data can be believed. `docs/explanation/verdicts.md` says it in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ccanalysis import text
from ccanalysis.kpis.components import CENTRE, KEYS, Components
from ccanalysis.kpis.register import Kpi
from ccanalysis.periods import Period
from ccanalysis.statistics import intervals, spc

# Points from which the limits of a chart may be used, and from which its run rules may.
# NHS England, Making Data Count: limits from 13 points; NHS England South West: SPC from 10.
FULL_BASELINE = 13
SHORT_BASELINE = 10
# Lag-1 autocorrelation above which the limits of an XmR chart are too narrow. Of series whose periods are independent
# 3 in 100 exceed it; of those that exceed it, the chart marks the latest of 26 periods by chance in 9 to 40 of 100,
# against 2 of 100 (measured over 4,000 simulated series for each of seven strengths).
HIGH_AUTOCORRELATION = 0.3
# Cases of the rarer kind that a share must have in a usual period before its course says anything: below, one miss more
# or less is a jump, and a run of periods without any is no improvement (Poisson: of one such case a period, 37 in 100
# periods have none).
RARER_CASES = 1.0
# Share of a normal distribution that lies beyond limits of three standard deviations.
BEYOND_LIMITS = 0.0027
# How many periods a cycle has, and what it is called; a day's cycle is the week.
_CYCLES = {
    "day": (7, "the day of the week", "the same day of the week before"),
    "week": (52, "the time of the year", "the same week of the year before"),
    "month": (12, "the time of the year", "the same month of the year before"),
    "quarter": (4, "the time of the year", "the same quarter of the year before"),
}
# A cycle is spoken of where the periods of one cycle tell those of the next so well, and half a cycle away do not. Of
# 3,000 series of two years of months 1 in 1,000 of pure chance is taken for one, 13 of random walks.
_CLEAR_CYCLE = 0.5
_CLEARER = 0.7
_BY_CHANCE = 0.002
# Fewer cases than this are not spoken of where a single earlier period is named.
_FEWEST_NAMED = 8
# How many periods the evidence on a person is pooled over: a quarter of weeks.
POOLED_PERIODS = 13
_SUMS = ("numerator", "denominator", "n", "squares")
POOLED = (*(f"pooled_{name}" for name in _SUMS), "pooled_periods")
_Z95 = 1.959963985
_EPSILON = 1e-9

# What is said where each period resembles the one before it.
RESEMBLANCE = (
    "successive periods resemble each other, so a mark on its chart comes about by chance several times as often as "
    "usual: wait for a second one"
)
_MISSES = ("missed_chance", "missed_real", "cannot_meet")

SERIES_COLUMNS = [
    "kpi",
    "level",
    "unit",
    "period",
    "numerator",
    "denominator",
    "n",
    "squares",
    "value",
    "ci_low",
    "ci_high",
    "target",
    "target_high",
    "tolerance",
    "centre",
    "lower",
    "upper",
    "rule",
    "point",
    "part",
    "excluded",
    "provisional",
    "rating",
]
VERDICT_COLUMNS = [
    "kpi",
    "name",
    "level",
    "unit",
    "period",
    "numerator",
    "denominator",
    "n",
    "value",
    "ci_low",
    "ci_high",
    "target",
    "target_high",
    "tolerance",
    "centre",
    "lower",
    "upper",
    "provisional",
    "status",
    "certain",
    "variation",
    "rules",
    "assurance",
    "hit_rate",
    "n_judged",
    "data",
    "reasons",
    "unit_of_value",
    "better",
    "n_baseline",
    "previous",
    "autocorrelation",
    "cycle_before",
    "seasonal",
    *POOLED,
    "experimental",
]


def series(
    components: Components,
    kpis: Sequence[Kpi],
    periods: Sequence[Period],
    ratings: pd.DataFrame,
    *,
    last_day: date | None = None,
) -> pd.DataFrame:
    """Turn components into values with intervals, targets, limits and marks, one row per unit and period.

    Args:
        components: Both sides of every KPI.
        kpis: The KPIs.
        periods: All periods of the look-back, the oldest first; one without a row becomes a gap.
        ratings: The gate: `kpi`, `level`, `unit`, `period` (a label), `rating`.
        last_day: Last local day in the data; figures that settle later are provisional.

    Returns:
        Columns `SERIES_COLUMNS`, sorted; `period` is the period's label.
    """
    within = components.sums["period"].isin([period.start for period in periods])
    measured = set(components.sums.loc[within, "kpi"].unique())
    frames = [
        _kpi_series(components, kpi, list(periods), ratings[ratings["kpi"] == kpi.id], last_day)
        for kpi in kpis
        if kpi.id in measured
    ]
    if not frames:
        return pd.DataFrame(columns=SERIES_COLUMNS)
    return pd.concat(frames, ignore_index=True)[SERIES_COLUMNS]


def _kpi_series(
    components: Components, kpi: Kpi, periods: list[Period], ratings: pd.DataFrame, last_day: date | None
) -> pd.DataFrame:
    starts = {period.start: period.label for period in periods}
    grid = _grid(components.sums[components.sums["kpi"] == kpi.id], starts).assign(kpi=kpi.id)
    _add_values(grid, kpi, components.histograms, starts)
    _add_targets(grid, kpi, periods)
    grid["rating"] = _ratings(grid, ratings, list(starts.values()))
    unsettled = np.array([_provisional(kpi, period, last_day) for period in periods])
    grid["provisional"] = unsettled[grid["order"]]
    _add_limits(grid, kpi, periods)
    if kpi.measure.kind == "ratio":
        spread = (grid["upper"] - grid["lower"]) / 6  # limits lie three standard deviations from the centre
        spread = spread.where(grid["n_baseline"] >= SHORT_BASELINE)  # fewer moving ranges say next to nothing
        low, high = grid["value"] - _Z95 * spread, grid["value"] + _Z95 * spread
        if kpi.measure.unit != "points":
            low = low.clip(lower=0.0)
        if kpi.measure.unit == "share":
            high = high.clip(upper=grid["value"].clip(lower=1.0))
        grid["ci_low"], grid["ci_high"] = low, high
    return grid


def _grid(sums: pd.DataFrame, starts: dict[date, str]) -> pd.DataFrame:
    """Give every unit a row for each period, in order; a period without a row of sums is a gap."""
    order = pd.Index(starts).get_indexer(sums["period"])
    sums, order = sums[order >= 0], order[order >= 0]
    grouped = sums.groupby(["level", "unit"], sort=True)
    units = grouped.size().index.to_frame(index=False)
    place = grouped.ngroup().to_numpy() * len(starts) + order
    length = len(units) * len(starts)
    grid = units.loc[np.repeat(np.arange(len(units)), len(starts))].reset_index(drop=True)
    grid["order"] = np.tile(np.arange(len(starts)), len(units))
    grid["period"] = pd.array(list(starts.values()), dtype="str").take(grid["order"].to_numpy())
    for name in [column for column in sums.columns if column not in KEYS]:
        whole = sums[name].to_numpy()
        cells = np.empty(length, whole.dtype) if len(sums) == length else np.full(length, np.nan)
        cells[place] = whole
        grid[name] = cells
    return grid


def _add_values(grid: pd.DataFrame, kpi: Kpi, histograms: pd.DataFrame, starts: dict[date, str]) -> None:
    above = grid["numerator"].to_numpy(dtype=float)
    below = grid["denominator"].to_numpy(dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        grid["value"] = above / below * kpi.measure.factor
    grid["n"] = grid["n"].astype(float)
    if kpi.measure.kind == "percentile":
        own = histograms[histograms["kpi"] == kpi.id]
        found = _percentiles(own, kpi.measure.quantile or 0.5, starts, survival=kpi.measure.censored is not None)
        joined = grid[["level", "unit", "period"]].merge(found, how="left", on=["level", "unit", "period"])
        grid["value"] = joined["value"].to_numpy()
        low, high = joined["low"].to_numpy(), joined["high"].to_numpy()
    else:
        low, high = interval(kpi, above, below, n=grid["n"].to_numpy(), squares=grid["squares"].to_numpy(dtype=float))
    grid["ci_low"], grid["ci_high"] = low, high


def interval(
    kpi: Kpi, above: np.ndarray, below: np.ndarray, *, n: np.ndarray, squares: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95 % interval of each ratio by the kind of the measure, in the unit of the KPI.

    Args:
        kpi: The KPI.
        above: Sums above the line.
        below: Sums below it.
        n: Cases.
        squares: Sums of squares, for means.

    Returns:
        Low and high ends; NaN where the sums alone give none (ratios of sums, percentiles).
    """
    kind, factor = kpi.measure.kind, kpi.measure.factor
    if kind == "share":
        possible = (above >= 0) & (above <= below)
        around = intervals.wilson(np.where(possible, above, np.nan), np.where(possible, below, np.nan))
        return np.asarray(around.low), np.asarray(around.high)
    if kind == "mean":
        around = intervals.mean_from_sums(above, squares, n)
        low = np.asarray(around.low) * factor
        return low if kpi.measure.unit == "points" else np.maximum(low, 0.0), np.asarray(around.high) * factor
    if kind == "rate":
        around = intervals.byar(above, below)
        return np.asarray(around.low) * factor, np.asarray(around.high) * factor
    nothing = np.full(len(above), np.nan)
    return nothing, nothing


def _percentiles(
    histogram: pd.DataFrame, share: float, starts: dict[date, str], *, survival: bool = False
) -> pd.DataFrame:
    """Quantile and its interval from histograms: type 7 with order statistics, or Kaplan and Meier's."""
    rows = []
    wanted = histogram[histogram["period"].isin(starts)]
    for (level, unit, start), group in wanted.groupby(["level", "unit", "period"], sort=False, observed=True):
        label = starts[start]  # type: ignore[index]
        counted = group.groupby("bin")[["n", "censored"] if survival else ["n"]].sum()
        values, counts = counted.index.to_numpy(dtype=float), counted["n"].to_numpy(dtype=np.int64)
        if survival:
            found = survival_quantile(values, counts, counted["censored"].to_numpy(dtype=np.int64), share)
        else:
            found = quantile(values, counts, share)
        rows.append((level, unit, label, *found))
    return pd.DataFrame(rows, columns=["level", "unit", "period", "value", "low", "high"])


def quantile(values: np.ndarray, counts: np.ndarray, share: float) -> tuple[float, float, float]:
    """Return a quantile (type 7) and the ends of its 95 % interval, of values told by how often each occurs.

    The same as `numpy.quantile` and `intervals.quantile_order` of the values written out one by one, which tens of
    millions of contacts would not fit into memory for.

    Args:
        values: The values, ascending.
        counts: How often each occurs.
        share: Which quantile, between 0 and 1.

    Examples:
        >>> quantile(np.array([5.0, 9.0]), np.array([60, 40]), 0.5)
        (5.0, 5.0, 9.0)
    """
    upto = np.cumsum(counts)
    n = int(upto[-1])

    def at(position: int) -> float:
        return float(values[np.searchsorted(upto, position, side="right")]) if 0 <= position < n else np.nan

    exact = (n - 1) * share
    below, above = at(int(exact)), at(min(int(exact) + 1, n - 1))
    spread = stats.binom(n, share)
    return below + (above - below) * (exact - int(exact)), at(int(spread.ppf(0.025)) - 1), at(int(spread.isf(0.025)))


def survival_quantile(
    values: np.ndarray, counts: np.ndarray, censored: np.ndarray, share: float
) -> tuple[float, float, float]:
    """Return the value that a share of all would not exceed, had none been censored, with its 95 % interval.

    Args:
        values: The values, ascending.
        counts: How often the event came at each.
        censored: How often only is known that it came later.
        share: Which quantile, between 0 and 1.

    Returns:
        The quantile and the ends of its interval; NaN where the values that were seen do not reach so far.

    Examples:
        >>> survival_quantile(np.array([5.0, 9.0, 20.0]), np.array([40, 0, 40]), np.array([0, 20, 0]), 0.5)[0]
        20.0

    Source:
        Kaplan and Meier (1958); Brookmeyer and Crowley (1982) with the log-log transform.
    """
    at_risk = np.cumsum((counts + censored)[::-1])[::-1].astype(float)
    events = counts > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        surviving = np.cumprod(1.0 - counts / at_risk)
        variance = np.cumsum(np.where(events, counts / (at_risk * (at_risk - counts)), 0.0))
        spread = np.sqrt(variance) / np.abs(np.log(surviving))
        middle = np.log(-np.log(surviving))
        upper = np.exp(-np.exp(middle - _Z95 * spread))
        lower = np.exp(-np.exp(middle + _Z95 * spread))
    # where nothing has happened yet the transform has no value; where all are gone it has none either, and no end
    upper, lower = np.where(surviving >= 1, 1.0, upper), np.where(surviving >= 1, 1.0, lower)

    def reached(curve: np.ndarray) -> float:
        within = events & (curve <= 1.0 - share + _EPSILON)
        return float(values[within.argmax()]) if within.any() else np.nan

    return reached(surviving), reached(lower), reached(upper)


def _add_targets(grid: pd.DataFrame, kpi: Kpi, periods: list[Period]) -> None:
    """Judge each period by the target that was in force on its last day."""
    bounds = np.full((len(kpi.levels), len(periods), 3), np.nan)
    for column, period in enumerate(periods):
        bounds[:, column, 2] = 0.0
        target = kpi.target_on(period.end - timedelta(days=1))
        if target is None:
            continue
        for row, level in enumerate(kpi.levels):
            bound = target.at(level)
            bounds[row, column] = (*(bound if isinstance(bound, tuple) else (bound, None)), target.tolerance_at(level))
    level_of = pd.Index(kpi.levels).get_indexer(grid["level"])
    found = bounds[level_of, grid["order"].to_numpy()]
    grid["target"], grid["target_high"], grid["tolerance"] = found.T


def _ratings(grid: pd.DataFrame, ratings: pd.DataFrame, labels: list[str]) -> pd.Series:
    """Give each figure the rating of its own unit, or of the centre where the gate has none of that level."""
    whole = (ratings["level"] == CENTRE).to_numpy()
    centre = ratings[whole].drop_duplicates("period").set_index("period")["rating"].reindex(labels).fillna("unknown")
    found = centre.to_numpy(dtype=object)[grid["order"]]
    own = ratings[~whole].drop_duplicates(["level", "unit", "period"])
    if len(own):
        mine = grid[["level", "unit", "period"]].merge(own, how="left", on=["level", "unit", "period"])["rating"]
        found = np.where(mine.isna(), found, mine)
    return pd.Series(found, index=grid.index, dtype="str")


def _provisional(kpi: Kpi, period: Period, last_day: date | None) -> bool:
    """Tell whether rows that settle the figure can still come."""
    settle = kpi.measure.settle_days
    return bool(settle) and last_day is not None and (last_day - period.end).days + 1 < settle


def _add_limits(grid: pd.DataFrame, kpi: Kpi, periods: list[Period]) -> None:
    """Draw one XmR chart per unit; periods that are not fit or not settled are shown but set no limit."""
    shape = (len(grid) // len(periods), len(periods))
    values = grid["value"].to_numpy(dtype=float).reshape(shape)
    excluded = ((grid["rating"] == "not fit") | grid["provisional"]).to_numpy().reshape(shape)
    positions = []
    for day, _ in kpi.rebase:
        at = next((i for i, period in enumerate(periods) if period.start <= day < period.end), None)
        if at:
            positions.append(at)
    better = {"up": "up", "down": "down", "within": "neither"}[kpi.better]
    charts = spc.xmr_many(values, better=better, rebase=positions, exclude=excluded)
    names = np.array(["", *charts.rule_names], dtype=object)
    points = np.array(spc.POINT_TYPES, dtype=object)
    grid["centre"], grid["lower"], grid["upper"] = charts.centre.ravel(), charts.lower.ravel(), charts.upper.ravel()
    told = ~_too_rare(grid, kpi, ~excluded & ~np.isnan(values)).ravel()
    grid["rule"], grid["point"] = names[charts.rule.ravel() * told], points[charts.point.ravel() * told]
    grid["excluded"] = excluded.ravel()
    grid["part"], grid["n_baseline"] = charts.part.ravel(), charts.n_baseline.ravel()


def _too_rare(grid: pd.DataFrame, kpi: Kpi, used: np.ndarray) -> np.ndarray:
    """Tell of which periods nothing may be said of the course, because the rarer kind of case hardly occurs.

    A period with clearly more of them than usual is spoken of all the same.
    """
    if kpi.measure.kind not in ("share", "rate"):
        return np.zeros(used.shape, dtype=bool)
    above, below = (grid[name].to_numpy(dtype=float).reshape(used.shape) for name in ("numerator", "denominator"))
    kinds = [above] if kpi.measure.kind == "rate" else [above, below - above]
    counts = np.stack([np.where(used, np.maximum(kind, 0.0), 0.0) for kind in kinds])
    usual = counts.sum(axis=2) / np.maximum(used.sum(axis=1), 1)
    rarer = usual.argmin(axis=0)
    count = np.take_along_axis(counts, rarer[np.newaxis, :, np.newaxis], axis=0)[0]
    rate = usual.min(axis=0)[:, np.newaxis]
    return (rate < RARER_CASES) & (stats.poisson.sf(count - 1, rate) > BEYOND_LIMITS)


def shortfall(value: Any, low: Any, high: Any, better: str) -> Any:
    """How far a value is on the wrong side of its target, in the unit of the value; 0 where it meets it.

    Examples:
        >>> float(shortfall(0.75, 0.8, float("nan"), "up")), float(shortfall(500, 360, 480, "within"))
        (0.050000000000000044, 20.0)
    """
    if better == "up":
        return np.maximum(low - value, 0.0)
    if better == "down":
        return np.maximum(value - low, 0.0)
    return np.maximum(np.maximum(low - value, value - high), 0.0)


def _noise(target: Any) -> Any:
    """How far two figures may differ and still be the same but for the noise of floating point."""
    return _EPSILON * np.maximum(np.abs(target), 1.0)


def judge(
    frame: pd.DataFrame,
    kpis: Sequence[Kpi],
    period: Period,
    ratings: pd.DataFrame,
) -> pd.DataFrame:
    """Give each KPI and unit its verdict for one period.

    Args:
        frame: What `series` returned for periods up to this one.
        kpis: The KPIs.
        period: The period to judge.
        ratings: The gate, with `reasons` beside `rating`.

    Returns:
        One row per KPI, level and unit, with the columns `VERDICT_COLUMNS`. `status` is `met`, `within_tolerance`,
        `missed_chance`, `missed_real`, `cannot_meet`, `no_target` or `not_judged`; `reasons` says why.
    """
    rows: list[dict[str, Any]] = []
    reasons = _gate_reasons(ratings, period)
    upto = frame[frame["period"].isin([label for label in frame["period"].unique() if label <= period.label])]
    parts = dict(list(upto.groupby("kpi", sort=False)))
    for kpi in kpis:
        if kpi.id in parts:
            rows += _verdicts(kpi, parts[kpi.id], period, reasons)
    return pd.DataFrame(rows, columns=None if rows else VERDICT_COLUMNS)


def _gate_reasons(ratings: pd.DataFrame, period: Period) -> dict[tuple[str, str, str], tuple[str, ...]]:
    now = ratings[ratings["period"] == period.label]
    units = now["unit"].mask(now["level"] == CENTRE, CENTRE)  # the gate gives the whole centre no unit
    keys = zip(now["kpi"], now["level"], units, strict=True)
    return dict(zip(keys, (tuple(reasons) for reasons in now["reasons"]), strict=True))


def _verdicts(
    kpi: Kpi, own: pd.DataFrame, period: Period, gate: dict[tuple[str, str, str], tuple[str, ...]]
) -> list[dict[str, Any]]:
    """Judge all units of one KPI; each has one row per period, the latest last."""
    history = _history(kpi, own)
    history |= _cycle(own, period.kind, history["same"])
    latest = own[own["period"] == period.label]
    experimental = not kpi.approved_on(period.start)
    rows = []
    records: list[dict[str, Any]] = latest.to_dict("records")  # type: ignore[assignment]
    for number, row in enumerate(records):
        level, unit = row["level"], row["unit"]
        past = {name: column[number].item() for name, column in history.items() if name != "same"}
        baseline = past["baseline"]
        whole = gate.get((kpi.id, CENTRE, CENTRE), ())
        reasons = list(gate.get((kpi.id, level, unit), whole))
        if experimental:
            reasons.append("experimental: the KPI is not approved for this period")
        variation, rules = _variation(row, baseline)
        resembling = baseline >= FULL_BASELINE and past["autocorrelation"] > HIGH_AUTOCORRELATION
        if resembling and rules and not past["marked_before"]:
            reasons.append(RESEMBLANCE)
        assurance = _assurance(kpi, row, baseline)
        status, certain, why = _status(kpi, row, baseline, assurance, variation)
        reasons += _season_words(kpi, row, past, period.kind, remarkable=bool(rules) or status in _MISSES)
        kept = ("level", "unit", "period", "numerator", "denominator", "n", "value", "ci_low", "ci_high")
        limits = ("target", "target_high", "tolerance", "centre", "lower", "upper", "provisional")
        rows.append(
            {
                "kpi": kpi.id,
                "name": kpi.name,
                **{name: row[name] for name in (*kept, *limits)},
                "status": status,
                "certain": certain,
                "variation": variation,
                "rules": rules,
                "assurance": assurance,
                "hit_rate": past["hit_rate"],
                "n_judged": past["judged"],
                "data": row["rating"],
                "reasons": (*why, *reasons),
                "unit_of_value": kpi.measure.unit,
                "better": kpi.better,
                "n_baseline": baseline,
                "previous": past["previous"],
                "autocorrelation": past["autocorrelation"],
                "cycle_before": past["cycle_before"],
                "seasonal": past["seasonal"],
                **{name: past[name] for name in POOLED},
                "experimental": experimental,
            }
        )
    return rows


def _history(kpi: Kpi, own: pd.DataFrame) -> dict[str, np.ndarray]:
    """What the periods of each unit say together: points in the baseline, share of hits, the value before."""
    periods = own["period"].nunique()

    def table(name: str) -> np.ndarray:
        return own[name].to_numpy().reshape(-1, periods)

    value, part = table("value").astype(float), table("part")
    used = ~np.isnan(value) & ~table("excluded").astype(bool)
    same = used & (part == part[:, -1:])
    kept = np.where(same, value, np.nan)
    target = table("target").astype(float)
    judged = same & ~np.isnan(target)
    with np.errstate(invalid="ignore", divide="ignore"):
        short = shortfall(value, target, table("target_high").astype(float), kpi.better)
        met = judged & (short <= _noise(target))
        hit_rate = met.sum(axis=1) / judged.sum(axis=1)
    return {
        "baseline": same.sum(axis=1),
        "judged": judged.sum(axis=1),
        "hit_rate": hit_rate,
        **_pooled(table, used),
        "marked_before": table("rule")[:, -2] != "" if periods > 1 else np.zeros(len(value), dtype=bool),
        "previous": value[:, -2] if periods > 1 else np.full(len(value), np.nan),
        "autocorrelation": np.nan_to_num(spc.autocorrelation_many(kept)),
        "same": same,
    }


def _cycle(own: pd.DataFrame, kind: str, same: np.ndarray) -> dict[str, np.ndarray]:
    """Say of each unit whether it follows the season, and what it was one cycle before; nothing without two cycles."""
    value = own["value"].to_numpy(dtype=float).reshape(same.shape)
    length = _CYCLES[kind][0] if kind in _CYCLES else 0
    kept = np.where(same, value, np.nan)
    nothing = np.full(len(value), np.nan)
    found = {"cycle_before": nothing, "cycle_low": nothing, "cycle_high": nothing, "cycle_n": nothing}
    if not length or same.shape[1] <= length:
        return found | {"seasonal": np.zeros(len(value), dtype=bool)}
    for name, column in (("low", "ci_low"), ("high", "ci_high"), ("n", "n")):
        found[f"cycle_{name}"] = own[column].to_numpy(dtype=float).reshape(same.shape)[:, -1 - length]
    found["cycle_before"] = kept[:, -1 - length]
    whole, pairs = _echo(kept, length)
    half, _ = _echo(kept, length // 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        chance = stats.t.sf(whole * np.sqrt((pairs - 2) / (1 - whole**2)), pairs - 2)
    clear = (whole >= _CLEAR_CYCLE) & (whole - half >= _CLEARER) & (chance <= _BY_CHANCE)
    return found | {"seasonal": clear & (pairs >= length)}


def _echo(kept: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """Correlate each period with the one `lag` periods before, unit by unit; also how many such pairs there are."""
    first, then = kept[:, :-lag], kept[:, lag:]
    known = ~np.isnan(first) & ~np.isnan(then)
    pairs = known.sum(axis=1)

    def apart(side: np.ndarray) -> np.ndarray:
        filled = np.where(known, side, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(known, filled - (filled.sum(axis=1) / pairs)[:, np.newaxis], 0.0)

    x, y = apart(first), apart(then)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    return np.where(np.isfinite(found), np.clip(found, -1 + _EPSILON, 1 - _EPSILON), 0.0), pairs


def _season_words(
    kpi: Kpi, row: Mapping[str, Any], past: Mapping[str, Any], kind: str, *, remarkable: bool
) -> list[str]:
    """Say that a figure follows the season, or that a remarkable one was much the same one cycle before."""
    if kind not in _CYCLES:
        return []
    _, season, before = _CYCLES[kind]
    if past["seasonal"]:
        return [f"it follows {season}: {before} is the fairer comparison"]
    ends = [row["ci_low"], row["ci_high"], past["cycle_low"], past["cycle_high"], past["cycle_before"]]
    enough = past["cycle_n"] >= max(kpi.minimum_n, _FEWEST_NAMED)
    if not remarkable or not enough or np.isnan(ends).any():
        return []
    low, high, low_then, high_then, _ = ends
    if low <= high_then and low_then <= high:
        return [f"it was much the same in {before}, so this may be {season}"]
    return []


def _pooled(table: Callable[[str], np.ndarray], used: np.ndarray) -> dict[str, np.ndarray]:
    """Sum both sides over the last usable periods of each unit; single weeks of a person are too few cases."""
    recent = used & (np.cumsum(used[:, ::-1], axis=1)[:, ::-1] <= POOLED_PERIODS)
    sums = {f"pooled_{name}": np.where(recent, table(name).astype(float), 0.0).sum(axis=1) for name in _SUMS}
    return {**sums, "pooled_periods": recent.sum(axis=1)}


def _variation(latest: Mapping[str, Any], baseline: int) -> tuple[str, str]:
    if baseline < SHORT_BASELINE or np.isnan(latest["value"]) or latest["excluded"]:
        return "not_enough_data", ""
    rule = str(latest["rule"])
    if rule == "outside_limits" and baseline < FULL_BASELINE:
        return "not_enough_data", ""
    point = str(latest["point"])
    if point == "common_cause":
        return "common_cause", ""
    word = {
        "improvement": "improving",
        "concern": "worsening",
        "neutral": "higher" if point.endswith("high") else "lower",
    }[point.partition("_")[0]]
    return word, rule


def _assurance(kpi: Kpi, latest: Mapping[str, Any], baseline: int) -> str:
    """Hold the usual range against the target; of a band, both sides must hold."""
    target, high = float(latest["target"]), float(latest["target_high"])
    if baseline < FULL_BASELINE or np.isnan(target) or np.isnan(latest["lower"]):
        return "none"
    lower, upper = float(latest["lower"]), float(latest["upper"])
    constant = upper - lower <= _EPSILON * max(abs(upper), 1.0)
    floor = target if kpi.better != "down" else -np.inf
    ceiling = {"up": np.inf, "down": target, "within": high}[kpi.better]
    reach = _EPSILON * max(abs(upper), 1.0) * (1 if constant else 0)
    if lower >= floor - reach and upper <= ceiling + reach:
        return "hits"
    if upper < floor - reach or lower > ceiling + reach:
        return "misses"
    return "hit_or_miss"


def _status(
    kpi: Kpi, latest: Mapping[str, Any], baseline: int, assurance: str, variation: str
) -> tuple[str, bool, list[str]]:
    """Judge the value against its target.

    A miss is called real only where the whole interval lies beyond target and tolerance, and the process agrees: it
    has changed for the worse, or its usual level misses the target too, or there is too little history to say.
    """
    value, n = float(latest["value"]), float(latest["n"])
    if np.isnan(value):
        return "not_judged", False, ["there is no data for this period"]
    if latest["rating"] in ("not fit", "unknown"):
        word = text.RATING_WORDS[latest["rating"]].lower()
        return "not_judged", False, [word]
    if latest["provisional"]:
        return "not_judged", False, [f"provisional: it settles {kpi.measure.settle_days} days after the period"]
    if n < kpi.minimum_n:
        return "not_judged", False, [f"only {text.count(n, 'case')}, and at least {kpi.minimum_n} are needed"]
    target, high, tolerance = float(latest["target"]), float(latest["target_high"]), float(latest["tolerance"])
    if np.isnan(target):
        return "no_target", False, []
    low_end, high_end = float(latest["ci_low"]), float(latest["ci_high"])
    known = not (np.isnan(low_end) or np.isnan(high_end))
    worst = max(shortfall(low_end, target, high, kpi.better), shortfall(high_end, target, high, kpi.better))
    best = (
        0.0
        if not known or _reaches(low_end, high_end, target, high, kpi.better)
        else min(shortfall(low_end, target, high, kpi.better), shortfall(high_end, target, high, kpi.better))
    )
    short, noise = float(shortfall(value, target, high, kpi.better)), float(_noise(target))
    if short <= noise:
        return "met", bool(known and worst <= noise), []
    if short <= tolerance + noise:
        return "within_tolerance", False, []
    if not known:
        return "missed_chance", False, ["no interval can be given for this figure yet"]
    if best <= tolerance + noise:
        return "missed_chance", False, [text.REACHES if best <= noise else text.REACHES_TOLERANCE]
    if assurance == "misses":
        return "cannot_meet", True, []
    usual = float(shortfall(float(latest["centre"]), target, high, kpi.better))
    if baseline >= SHORT_BASELINE and variation == "common_cause" and usual <= noise:
        why = "the usual level meets the target, and this period is within the usual ups and downs"
        return "missed_chance", False, [why]
    return "missed_real", True, []


def _reaches(low_end: float, high_end: float, target: float, high: float, better: str) -> bool:
    """Tell whether some value of an interval meets the target."""
    if better == "up":
        return high_end >= target
    if better == "down":
        return low_end <= target
    return low_end <= high and high_end >= target

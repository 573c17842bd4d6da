"""Drivers: which queue, channel, reason, hour, team or site a gap or a change comes from, adding up exactly.

A ratio of sums is the average of its parts, weighted by their shares. So its gap to the target is the sum over the
parts of share times distance from the target, and its change the sum of mix (another share of the work) and rate
(another figure within the part). What is named as a driver must besides be more than noise, after correction for how
many parts were compared. A driver says where, not why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ccanalysis import text
from ccanalysis.errors import StatisticsError
from ccanalysis.kpis.components import DIMENSIONS, NOT_RECORDED, UNASSIGNED
from ccanalysis.kpis.register import Kpi
from ccanalysis.periods import Period
from ccanalysis.statistics import comparison, decomposition, intervals
from ccanalysis.statistics.pareto import pareto
from ccanalysis.verdicts import shortfall

# Chance that a report names a driver where there is none, all its comparisons taken together (Holm, 1979).
FALSE_ALARM = 0.05
# A driver makes at least so much of the gap or of the change; less is not worth a sentence.
MATERIAL = 0.1
# Share of rows without a value from which a dimension is shown but names nothing.
MOST_NOT_RECORDED = 0.05
# How unlikely it must be that rows lack their value regardless of how they fared.
_INFORMATIVE = 0.01
# Cases from which a mean of times may be compared, and expected events from which two shares may.
_CASES, _EVENTS = 30, 5
_Z95 = 1.959963985
# Parts that a sentence names at most.
_MOST_NAMED = 2
OTHER = "other"
KEYS = ["kpi", "level", "unit", "dimension", "part"]
_UNIT = ["kpi", "level", "unit"]
_GROUP = [*_UNIT, "dimension"]
# Decimals of a contribution, one more than of a share: parts are smaller than the whole.
DIGITS = {"share": 2, "s": 1, "per_1000": 2, "points": 2}
_SIDES = ("numerator", "denominator", "n", "squares", "people")
_ENDS = {"now": "", "before": "_before", "others": "_others"}
COMPONENTS = [f"{side}{suffix}" for suffix in _ENDS.values() for side in _SIDES]
_ABOUT = ["kind", "factor", "bound", "missed", "peers"]
# What is measured of a part, and of a dimension as a whole (the same on all its rows).
MEASURED = [
    *("value", "value_low", "value_high", "share", "value_before", "share_before"),
    *("gap", "gap_low", "gap_high"),
    *("mix", "rate", "change", "rate_low", "rate_high"),
]
AGAINST_OTHERS = ["value_others", "mix_others", "rate_others"]
WHOLE = ["total", "total_before", "total_others", "mix_total_others", "rate_total_others"]
NAMED = ["gap_driver", "change_driver", "others_driver"]
NAMED_WHOLE = [
    "moved",
    "apart",
    "comparable",
    "compared",
    "not_compared",
    "mix_driver",
    "others_mix_driver",
    "others_rate_driver",
    "spread_gap",
    "spread_change",
]
COLUMNS = [*KEYS, *COMPONENTS, *_ABOUT, *MEASURED, *AGAINST_OTHERS, *WHOLE, *NAMED, *NAMED_WHOLE]
# A miss of the whole that could be chance may still hold a part that misses for certain.
_MISSED = ("missed_real", "cannot_meet", "missed_chance")


def drivers(
    parts: pd.DataFrame, judged: pd.DataFrame, line: pd.DataFrame, kpis: Sequence[Kpi], period: Period
) -> pd.DataFrame:
    """Take the figures of a period apart: against the target, the period before, and the other teams.

    Args:
        parts: What `kpis.components.parts` returned for this period and the one before.
        judged: The verdicts of the period. A figure that is not judged is not taken apart.
        line: The series. A period before that is not fit, not settled or without data is compared with nothing.
        kpis: The KPIs.
        period: The period.

    Returns:
        One row per KPI, level, unit, dimension and part, with the columns `COLUMNS`; a dimension with one part only
        explains nothing and has no row. In the unit of the KPI, `gap` adds up over the parts of a dimension to value
        less target, and `mix` and `rate` to the change. `gap_driver`, `change_driver` and `mix_driver` tell what may
        be named.
    """
    figures = judged[judged["status"] != "not_judged"] if len(judged) else judged
    if figures.empty or parts.empty:
        return pd.DataFrame(columns=COLUMNS)
    measures = {kpi.id: kpi.measure for kpi in kpis}
    usable = _usable_before(line, period.shift(-1))
    records: list[dict[str, Any]] = figures.to_dict("records")  # type: ignore[assignment]
    about = pd.DataFrame(
        {
            **{key: row[key] for key in _UNIT},
            "kind": measures[row["kpi"]].kind,
            "factor": measures[row["kpi"]].factor,
            "bound": _bound(float(row["value"]), float(row["target"]), float(row["target_high"]), row["better"]),
            "missed": row["status"] in _MISSED,
            "_usable": tuple(row[key] for key in _UNIT) in usable,
        }
        for row in records
    )
    frame = _beside(parts, about[_UNIT], period).merge(about, on=_UNIT)
    before = [f"{side}_before" for side in _SIDES]
    frame[before] = frame[before].where(frame["_usable"])
    frame = frame[frame.groupby(_GROUP)["part"].transform("size") > 1]
    order = {name: number for number, name in enumerate(DIMENSIONS)}
    frame = frame.assign(_order=frame["dimension"].map(order)).sort_values(
        [*_UNIT, "_order", "part"], ignore_index=True
    )
    return named(measured(frame))[COLUMNS]


def _usable_before(line: pd.DataFrame, before: Period) -> set[tuple[str, str, str]]:
    """List the figures of the period before that a change may be counted from."""
    if line.empty:
        return set()
    rows = line[(line["period"] == before.label) & line["value"].notna()]
    rows = rows[rows["rating"].isin(["fit", "caution"]) & ~rows["provisional"].astype(bool)]
    return set(zip(rows["kpi"], rows["level"], rows["unit"], strict=True))


def _bound(value: float, low: float, high: float, better: str) -> float:
    """Return the end of the target that a gap is counted from; inside a band there is none."""
    if better != "within":
        return low
    missed = float(shortfall(value, low, high, better)) > 0
    return (low if value < low else high) if missed else np.nan


def _beside(parts: pd.DataFrame, figures: pd.DataFrame, period: Period) -> pd.DataFrame:
    """Put the parts of the period, of the one before and of the other units beside each other; absent is zero."""
    level, sides = ["kpi", "level"], list(_SIDES)
    place = [*level, "dimension", "part"]
    now = parts[parts["period"] == period.start]
    before = parts[parts["period"] == period.shift(-1).start]
    units = now.loc[now["unit"] != UNASSIGNED, [*level, "unit"]].drop_duplicates().groupby(level).size()
    frame = figures.merge(parts[place].drop_duplicates(), on=level)
    for suffix, rows in (("", now), ("_before", before)):
        renamed = rows[[*KEYS, *sides]].rename(columns={side: f"{side}{suffix}" for side in sides})
        frame = frame.merge(renamed, how="left", on=KEYS)
    whole = now.groupby(place, as_index=False)[sides].sum().rename(columns={side: f"{side}_others" for side in sides})
    frame = frame.merge(whole, how="left", on=place)
    frame[COMPONENTS] = frame[COMPONENTS].fillna(0).astype(float)
    for side in sides:
        frame[f"{side}_others"] -= frame[side]
    told = [f"{side}{suffix}" for suffix in _ENDS.values() for side in ("numerator", "denominator")]
    frame = frame[(frame[told] != 0).any(axis=1)]
    own = frame["unit"] != UNASSIGNED
    peers = pd.MultiIndex.from_frame(frame[level]).map(units.to_dict()).to_numpy(dtype=float)
    return frame.assign(peers=np.nan_to_num(peers) - own)


# --- what adds up ---------------------------------------------------------------------------------------------------


class _Groups:
    """The dimensions of a frame, and sums over the parts of each."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.codes = frame.groupby(_GROUP, sort=False).ngroup().to_numpy()
        self.number = int(self.codes.max()) + 1 if len(frame) else 0
        self.first = np.unique(self.codes, return_index=True)[1]

    def total(self, values: Any) -> NDArray:
        """Add up over each dimension, and give every part the sum of its dimension."""
        return np.bincount(self.codes, weights=np.asarray(values, dtype=float), minlength=self.number)[self.codes]

    def __iter__(self) -> Any:
        """Yield the rows of each dimension."""
        order = np.argsort(self.codes, kind="stable")
        return iter(np.split(order, np.cumsum(np.bincount(self.codes, minlength=self.number))[:-1]))


def _column(frame: pd.DataFrame, side: str, end: str) -> NDArray:
    return frame[f"{side}{_ENDS[end]}"].to_numpy(dtype=float)


def _divided(above: NDArray, below: NDArray) -> NDArray:
    """Divide; nothing below is no value."""
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)


def measured(frame: pd.DataFrame) -> pd.DataFrame:
    """Compute values, shares and contributions of parts from their components.

    Args:
        frame: `KEYS`, `COMPONENTS`, `kind`, `factor` and `bound`; components of a period or of peers that nothing is
            compared with are NaN.

    Returns:
        The frame with `MEASURED`, `AGAINST_OTHERS` and `WHOLE`. Per dimension `gap` adds up to `total` less `bound`,
        `mix` and `rate` to `total` less `total_before`, `mix_others` and `rate_others` to `total` less
        `total_others`.

    Source:
        Kitagawa (1955), JASA 50: 1168-1194.
    """
    frame = frame.reset_index(drop=True)
    groups, factor = _Groups(frame), frame["factor"].to_numpy(dtype=float)
    above, below = _column(frame, "numerator", "now"), _column(frame, "denominator", "now")
    whole = groups.total(below)
    bound = frame["bound"].to_numpy(dtype=float)
    value, share = _divided(above, below) * factor, _divided(below, whole)
    low, high = _interval(frame, "now")
    out = {
        "value": value,
        "value_low": low,
        "value_high": high,
        "share": share,
        "total": _divided(groups.total(above), whole) * factor,
        "gap": _divided(above * factor - below * bound, whole),
        "gap_low": share * (low - bound),
        "gap_high": share * (high - bound),
    }
    for end in ("before", "others"):
        base = _column(frame, "denominator", end)
        out[f"value_{end}"] = _divided(_column(frame, "numerator", end), base) * factor
        whole_base = groups.total(base)
        out[f"total_{end}"] = _divided(groups.total(_column(frame, "numerator", end)), whole_base) * factor
        if end == "before":
            out["share_before"] = _divided(base, whole_base)
        mix, rate = _mix_and_rate(frame, groups, end)
        suffix = "" if end == "before" else "_others"
        out[f"mix{suffix}"], out[f"rate{suffix}"] = mix, rate
    out["change"] = out["mix"] + out["rate"]
    weight = (share + out["share_before"]) / 2
    base_low, base_high = _interval(frame, "before")
    step = value - out["value_before"]
    out["rate_low"] = weight * (step - np.hypot(value - low, base_high - out["value_before"]))
    out["rate_high"] = weight * (step + np.hypot(high - value, out["value_before"] - base_low))
    out["mix_total_others"], out["rate_total_others"] = (
        groups.total(out["mix_others"]),
        groups.total(out["rate_others"]),
    )
    return frame.assign(**out)


def _interval(frame: pd.DataFrame, end: str) -> tuple[NDArray, NDArray]:
    """Return the 95 % interval of each part's value, in the unit of the KPI; NaN where the sums give none."""
    above, below, n, squares = (_column(frame, side, end) for side in ("numerator", "denominator", "n", "squares"))
    return _ends(frame["kind"].to_numpy(), frame["factor"].to_numpy(dtype=float), above, below, n, squares)


def _ends(
    kind: NDArray, factor: NDArray, above: NDArray, below: NDArray, n: NDArray, squares: NDArray
) -> tuple[NDArray, NDArray]:
    low, high = np.full(len(above), np.nan), np.full(len(above), np.nan)
    methods: dict[str, Any] = {
        "share": (lambda at: intervals.wilson(above[at], below[at]), (above >= 0) & (above <= below) & (below > 0)),
        "mean": (lambda at: intervals.mean_from_sums(above[at], squares[at], n[at]), n > 1),
        "rate": (lambda at: intervals.byar(above[at], below[at]), (above >= 0) & (below > 0)),
    }
    for name, (method, possible) in methods.items():
        at = (kind == name) & possible
        if at.any():
            found = method(at)
            low[at], high[at] = np.asarray(found.low) * factor[at], np.asarray(found.high) * factor[at]
    return low, high


def _mix_and_rate(frame: pd.DataFrame, groups: _Groups, end: str) -> tuple[NDArray, NDArray]:
    """Split the difference to a base by part; what is counted above nothing is all rate."""
    above, below, base_above, base_below = (
        _column(frame, side, which) for which in ("now", end) for side in ("numerator", "denominator")
    )
    factor = frame["factor"].to_numpy(dtype=float)
    mix, rate = np.full(len(frame), np.nan), np.full(len(frame), np.nan)
    for rows in groups:
        one, other = below[rows], base_below[rows]
        if not (one.sum() > 0 and other.sum() > 0) or (one < 0).any() or (other < 0).any():
            continue
        split = decomposition.kitagawa(
            other, _divided(base_above[rows], other) * factor[rows], one, _divided(above[rows], one) * factor[rows]
        )
        orphans = (
            np.where(one == 0, above[rows], 0) / one.sum() - np.where(other == 0, base_above[rows], 0) / other.sum()
        )
        mix[rows], rate[rows] = split["mix"], split["rate"] + orphans * factor[rows]
    return mix, rate


# --- what may be named ----------------------------------------------------------------------------------------------


def named(frame: pd.DataFrame) -> pd.DataFrame:
    """Mark the parts that explain a gap or a change by more than noise.

    A part explains a gap where its own figure lies beyond the target for certain and is worse than that of
    the other parts together; it explains a change where it moved otherwise than they did. All parts of all dimensions
    and KPIs of one unit are one family of comparisons. A dimension in which many rows, or rows of their own kind, have
    no value names nothing, and neither does the part of those rows.

    Args:
        frame: What `measured` returned.

    Returns:
        The frame with `NAMED` and `NAMED_WHOLE`. `spread_gap` and `spread_change` say how far the parts of a dimension
        lie from each other beyond what chance alone gives that many parts, in the unit of the KPI.
    """
    frame = frame.reset_index(drop=True)
    groups = _Groups(frame)
    nameable = ~frame["part"].isin([NOT_RECORDED, UNASSIGNED, OTHER]).to_numpy()
    comparable = _comparable(frame, groups)
    frame = frame.assign(moved=_differs(frame, groups, "before"), apart=_differs(frame, groups, "others"))
    gap_total = groups.total(frame["gap"])
    missed = frame["missed"].to_numpy(dtype=bool) & (np.nan_to_num(gap_total) != 0)
    p: dict[str, NDArray] = {
        "gap": np.where(missed & comparable & nameable, _worse_than_rest(frame, groups, np.sign(gap_total)), np.nan)
    }
    for end, name, gate in (("before", "change", "moved"), ("others", "others", "apart")):
        total = frame["total"].to_numpy() - frame[f"total_{end}"].to_numpy()
        tested = _tested(frame, groups, end, np.sign(total))
        open_ = frame[gate].to_numpy(dtype=bool) & comparable
        p[name] = np.where(open_ & nameable, tested["part"], np.nan)
        for whole in ("mix", "rate"):
            p[f"{name}_{whole}"] = np.full(len(frame), np.nan)
            # harder work is worth knowing also where it is made up for
            told = comparable if (end, whole) == ("others", "mix") else open_
            p[f"{name}_{whole}"][groups.first] = np.where(told, tested[whole], np.nan)[groups.first]
    del p["change_rate"]  # that all parts changed alike needs no test: what is not mix is rate
    q = _corrected(frame, p)
    with np.errstate(invalid="ignore"):
        sure = {name: values <= FALSE_ALARM for name, values in q.items()}
        beyond = np.where(gap_total > 0, frame["gap_low"] > 0, frame["gap_high"] < 0)
    mix, rate_others = groups.total(frame["mix"]), groups.total(frame["rate_others"])
    change = (frame["total"] - frame["total_before"]).to_numpy()
    apart = (frame["total"] - frame["total_others"]).to_numpy()
    spread = _spreads(frame, groups)
    compared, not_compared = _dimensions(frame, comparable)
    return frame.assign(
        compared=compared,
        not_compared=not_compared,
        gap_driver=sure["gap"] & beyond & _material(frame["gap"], gap_total),
        change_driver=sure["change"] & _material(frame["rate"], change),
        others_driver=sure["others"] & _material(frame["rate_others"], apart),
        comparable=comparable,
        mix_driver=_whole(sure["change_mix"], groups) & _material(mix, change),
        others_mix_driver=_whole(sure["others_mix"], groups),
        others_rate_driver=_whole(sure["others_rate"], groups) & _material(rate_others, apart),
        spread_gap=spread[0],
        spread_change=spread[1],
    )


def _differs(frame: pd.DataFrame, groups: _Groups, end: str) -> NDArray:
    """Tell whether a whole figure differs from its base by more than sampling, among all figures of its unit.

    Source:
        Zou and Donner (2008), Statistics in Medicine 27: 1693-1702, for the interval of a difference (Newcombe's, for
        shares).
    """
    first, kind = groups.first, frame["kind"].to_numpy()
    factor = frame["factor"].to_numpy(dtype=float)
    found = []
    for which in ("now", end):
        sums = [
            groups.total(_column(frame, side, which))[first] for side in ("numerator", "denominator", "n", "squares")
        ]
        found.append((_divided(sums[0], sums[1]) * factor[first], *_ends(kind[first], factor[first], *sums)))
    (value, low, high), (base, base_low, base_high) = found
    step = value - base
    reach = np.where(step > 0, np.hypot(value - low, base_high - base), np.hypot(high - value, base - base_low))
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2 * stats.norm.sf(_Z95 * np.abs(step) / reach)
    whole = frame.iloc[first][_UNIT].assign(_p=p).drop_duplicates(_UNIT)  # all dimensions have the same whole
    whole["_q"] = whole.groupby(["level", "unit"])["_p"].transform(lambda one: comparison.holm(one.to_numpy()))
    return (frame[_UNIT].merge(whole, how="left", on=_UNIT)["_q"] <= FALSE_ALARM).to_numpy()


def _dimensions(frame: pd.DataFrame, comparable: NDArray) -> tuple[pd.Series, pd.Series]:
    """List for every figure by which dimensions it was compared, and by which it could not be."""
    names = frame.assign(_told=comparable).drop_duplicates(_GROUP)
    keys = pd.MultiIndex.from_frame(frame[_UNIT])
    listed = []
    for told in (True, False):
        found = names[names["_told"] == told].groupby(_UNIT, sort=False)["dimension"].agg(" ".join)
        listed.append(pd.Series(found.reindex(keys).fillna("").to_numpy(dtype=object), index=frame.index))
    return listed[0], listed[1]


def _material(part: Any, whole: NDArray) -> NDArray:
    """Tell whether a part goes the way of the whole and makes enough of it."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(part, dtype=float) / whole >= MATERIAL


def _whole(flags: NDArray, groups: _Groups) -> NDArray:
    """Give every part what is known of its dimension."""
    return flags[groups.first][groups.codes]


def _corrected(frame: pd.DataFrame, p: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Correct for all comparisons that are made for one unit."""
    families = frame.groupby(["level", "unit"], sort=False).ngroup().to_numpy()
    q = {name: np.full(len(frame), np.nan) for name in p}
    for family in range(int(families.max()) + 1 if len(frame) else 0):
        rows = np.flatnonzero(families == family)
        adjusted = comparison.holm(np.concatenate([p[name][rows] for name in p]))
        for number, name in enumerate(p):
            q[name][rows] = adjusted[number * len(rows) : (number + 1) * len(rows)]
    return q


def _comparable(frame: pd.DataFrame, groups: _Groups) -> NDArray:
    """Tell in which dimensions the recorded parts speak for all rows."""
    lacking = frame["part"].isin([NOT_RECORDED, UNASSIGNED]).to_numpy()
    share = groups.total(np.where(lacking, np.nan_to_num(frame["share"].to_numpy()), 0.0))
    worse, better = (_worse_than_rest(frame, groups, np.full(len(frame), side)) for side in (1.0, -1.0))
    with np.errstate(invalid="ignore"):
        own_kind = lacking & (2 * np.fmin(worse, better) < _INFORMATIVE)
    return (share <= MOST_NOT_RECORDED) & (groups.total(own_kind) == 0)


def _worse_than_rest(frame: pd.DataFrame, groups: _Groups, side: NDArray) -> NDArray:
    """One-sided p of each part against the other parts together; `side` is +1 where high is tested, -1 where low is.

    Shares by the hypergeometric distribution (Fisher's exact test), rates by the binomial (both given the totals),
    means by Welch's test.
    """
    kind = frame["kind"].to_numpy()
    above, below, n, squares = (_column(frame, one, "now") for one in ("numerator", "denominator", "n", "squares"))
    all_above, all_below, all_n, all_squares = (groups.total(one) for one in (above, below, n, squares))
    p = np.full(len(frame), np.nan)
    apart = (below > 0) & (below < all_below)
    at = (kind == "share") & apart & (above >= 0) & (above <= below) & (all_above <= all_below)
    drawn = (all_below[at], all_above[at], below[at])
    p[at] = np.where(side[at] > 0, stats.hypergeom.sf(above[at] - 1, *drawn), stats.hypergeom.cdf(above[at], *drawn))
    at = (kind == "rate") & apart & (above >= 0)
    share = below[at] / all_below[at]
    few, many = stats.binom.cdf(above[at], all_above[at], share), stats.binom.sf(above[at] - 1, all_above[at], share)
    p[at] = np.where(side[at] > 0, many, few)
    at = (kind == "mean") & apart & (n >= _CASES) & (all_n - n >= _CASES)
    own = _mean(above[at], squares[at], n[at])
    rest = _mean((all_above - above)[at], (all_squares - squares)[at], (all_n - n)[at])
    found = stats.ttest_ind_from_stats(*own, *rest, equal_var=False)
    p[at] = np.where(side[at] > 0, stats.norm.sf(found.statistic), stats.norm.cdf(found.statistic))
    return p


def _mean(total: NDArray, squares: NDArray, n: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return mean, standard deviation and n from sums."""
    return total / n, np.sqrt(np.maximum(squares - total**2 / n, 0) / (n - 1)), n


def _variance(frame: pd.DataFrame, end: str) -> tuple[NDArray, NDArray]:
    """Return the sampling variance of each part's difference to its base, and whether there are cases enough."""
    kind, factor = frame["kind"].to_numpy(), frame["factor"].to_numpy(dtype=float)
    one, other = (
        [_column(frame, side, which) for side in ("numerator", "denominator", "n", "squares")] for which in ("now", end)
    )
    variance, enough = np.full(len(frame), np.nan), np.zeros(len(frame), dtype=bool)
    both = (one[1] > 0) & (other[1] > 0)
    at = (kind == "share") & both
    pooled = (one[0][at] + other[0][at] + 1) / (one[1][at] + other[1][at] + 2)
    variance[at] = pooled * (1 - pooled) * (1 / one[1][at] + 1 / other[1][at])
    enough[at] = np.minimum(one[1][at], other[1][at]) * np.minimum(pooled, 1 - pooled) >= _EVENTS
    at = (kind == "rate") & both
    pooled = (one[0][at] + other[0][at] + 1) / (one[1][at] + other[1][at])
    variance[at] = pooled * (1 / one[1][at] + 1 / other[1][at])
    enough[at] = np.minimum(one[1][at], other[1][at]) * pooled >= _EVENTS
    at = (kind == "mean") & (one[2] > 1) & (other[2] > 1)
    variance[at] = sum(_mean(side[0][at], side[3][at], side[2][at])[1] ** 2 / side[2][at] for side in (one, other))
    enough[at] = np.minimum(one[2][at], other[2][at]) >= _CASES
    return variance * factor**2, enough


def _tested(frame: pd.DataFrame, groups: _Groups, end: str, side: NDArray) -> dict[str, NDArray]:
    """P-values of mix, of rate, and of each part's own rate, one-sided in the direction of the whole difference.

    The mix of a unit is told apart from that of the others in both directions: it may be made up for.
    """
    value, base = frame["value"].to_numpy(), frame[f"value_{end}"].to_numpy()
    sizes = [_column(frame, "denominator", which) for which in ("now", end)]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = [_divided(size, groups.total(size)) for size in sizes]
        weight = (shares[0] + shares[1]) / 2
        variance, enough = _variance(frame, end)
        known = ~np.isnan(variance)
        own, step = np.where(known, weight, 0.0), np.where(known, value - base, 0.0)
        noise = own**2 * np.where(known, variance, 0.0)
        rest = groups.total(own) - own
        moved = (groups.total(own * step) - own * step) / rest
        error = np.sqrt(variance + (groups.total(noise) - noise) / rest**2)
        part = np.where(enough & known, stats.norm.sf(side * (step - moved) / error), np.nan)
        rate = stats.norm.sf(side * groups.total(own * step) / np.sqrt(groups.total(noise)))
        # mix: how far shares of so many cases wander by themselves (multinomial), given the figures of the parts
        cases = [groups.total(_column(frame, "n", which)) for which in ("now", end)]
        counted = np.isin(frame["kind"].to_numpy(), ["share", "mean", "rate"])
        figure = np.where(np.isnan(base), value, np.where(np.isnan(value), base, (value + base) / 2))
        figure = np.nan_to_num(figure)
        centre = groups.total(np.nan_to_num(weight) * figure)
        wander = groups.total(np.nan_to_num(weight) * (figure - centre) ** 2) * (1 / cases[0] + 1 / cases[1])
        mix_total = groups.total((shares[0] - shares[1]) * figure)
        z = mix_total / np.sqrt(wander)
        one_sided = stats.norm.sf(side * z) if end == "before" else 2 * stats.norm.sf(np.abs(z))
        mix = np.where(counted & (wander > 0), one_sided, np.nan)
    return {"part": part, "rate": rate, "mix": mix}


def _spreads(frame: pd.DataFrame, groups: _Groups) -> tuple[NDArray, NDArray]:
    """How far parts lie apart beyond chance: in their figures, and in their changes."""
    kind, factor = frame["kind"].to_numpy(), frame["factor"].to_numpy(dtype=float)
    above, below, n, squares = (_column(frame, one, "now") for one in ("numerator", "denominator", "n", "squares"))
    overall = _divided(groups.total(above), groups.total(below))
    with np.errstate(invalid="ignore", divide="ignore"):
        noise = np.select(
            [kind == "share", kind == "rate", kind == "mean"],
            [
                np.maximum(overall * (1 - overall), 0) / below,
                overall / below,
                np.maximum(squares - above**2 / n, 0) / (n - 1) / n,
            ],
            np.nan,
        )
        share, distance = frame["share"].to_numpy(), _divided(above, below) - overall
        excess = share * (distance**2 - noise * (1 - share))
        first = np.sqrt(np.maximum(groups.total(np.nan_to_num(excess)), 0)) * factor
        weight = ((frame["share"] + frame["share_before"]) / 2).to_numpy()
        variance, _ = _variance(frame, "before")
        step = (frame["value"] - frame["value_before"]).to_numpy()
        known = ~np.isnan(variance) & ~np.isnan(step)
        weight, step = np.where(known, weight, 0.0), np.where(known, step, 0.0)
        usual = groups.total(weight * step) / groups.total(weight)
        excess = weight * ((step - usual) ** 2 - np.nan_to_num(variance) * (1 - weight))
        second = np.sqrt(np.maximum(groups.total(np.where(known, excess, 0.0)), 0))
    return first, second


# --- for readers of few ---------------------------------------------------------------------------------------------


def gathered(frame: pd.DataFrame, *, smallest: int, fewest: int, more: pd.Series | None = None) -> pd.DataFrame:
    """Merge small parts so that nobody can be made out, and keep one dimension of each KPI and unit.

    Parts of fewer than `smallest` cases, or of one or a few people, in either period become one part, with as many
    others as it takes for that one to be large enough. Of several dimensions only the one that explains most is kept:
    from two of them the difference of two sums could tell of a few.

    Args:
        frame: Rows of `drivers`.
        smallest: Cases from which a part is shown.
        fewest: People from which a part is shown, where people are known at all.
        more: Marks further parts to merge.

    Returns:
        The frame with merged parts; contributions add up as before. What names a part is kept from the whole.
    """
    kept = []
    for _, unit in frame.groupby(_UNIT, sort=False):
        choices = [
            one
            for _, part in unit.groupby("dimension", sort=False)
            if (one := merged(part, smallest, fewest, None if more is None else more[part.index])) is not None
        ]
        if choices:
            kept.append(max(choices, key=_says_most))
    return pd.concat(kept, ignore_index=True)[COLUMNS] if kept else frame.iloc[:0]


def _says_most(part: pd.DataFrame) -> tuple[bool, bool, bool, bool, float]:
    first = part.iloc[0]
    change = bool(part["change_driver"].any() or first["mix_driver"])
    others = bool(first["others_mix_driver"] or first["others_rate_driver"])
    spread = float(first["spread_gap"] + first["spread_change"])
    return bool(part["gap_driver"].any()), change, bool(first["comparable"]), others, spread


def _small(frame: pd.DataFrame, smallest: int, fewest: int) -> NDArray:
    """Mark parts that rest on few cases or people in one of the periods."""
    small = np.zeros(len(frame), dtype=bool)
    for end in ("now", "before"):
        n, people, above = (np.nan_to_num(_column(frame, side, end)) for side in ("n", "people", "numerator"))
        small |= ((n > 0) & (n < smallest)) | ((people > 0) & (people < fewest)) | ((n == 0) & (above != 0))
    return small


def merged(part: pd.DataFrame, smallest: int, fewest: int, more: pd.Series | None = None) -> pd.DataFrame | None:
    """Merge the small parts of a dimension, and those marked by `more`; None where too little is left to tell apart."""
    small = _small(part, smallest, fewest)
    if more is not None:
        small |= more.to_numpy(dtype=bool)
    part = part.reset_index(drop=True)
    if small.any():
        small |= (part["part"] == OTHER).to_numpy()
        for row in np.argsort(part["n"].to_numpy() + np.nan_to_num(part["n_before"].to_numpy()), kind="stable"):
            if small.sum() > 1 and not _small(_summed(part[small]), smallest, fewest)[0]:
                break
            small[row] = True
    left = int((~small).sum()) + bool(small.any())
    if left < 2 or (small.any() and _small(_summed(part[small]), smallest, fewest)[0]):
        return None
    if not small.any():
        return part
    other = pd.concat([part[~small], _summed(part[small])], ignore_index=True)
    again = measured(other)
    for column in ("mix_total_others", "rate_total_others", "total_others"):  # as the whole dimension tells
        again[column] = part[column].iloc[0]
    return again


def _summed(parts: pd.DataFrame) -> pd.DataFrame:
    """Make one part of several; people of several parts may be the same, so the most of one part is what is sure."""
    row = parts.iloc[[0]].copy().reset_index(drop=True)
    for column in COMPONENTS:
        values = parts[column]
        row[column] = values.max() if column.startswith("people") else values.sum(min_count=1)
    return row.assign(part=OTHER, gap_driver=False, change_driver=False, others_driver=False)


def without_others(frame: pd.DataFrame, *, fewest: int) -> pd.DataFrame:
    """Take out the figures of other units part by part; sums of mix and rate stay where several units are behind them.

    Args:
        frame: Rows of `drivers`.
        fewest: Other units from which the sums are kept.
    """
    gone = [*AGAINST_OTHERS, *(f"{side}_others" for side in _SIDES)]
    frame = frame.assign(**dict.fromkeys(gone, np.nan))
    few = (frame["peers"] < fewest).to_numpy(dtype=bool)
    totals = ("total_others", "mix_total_others", "rate_total_others")
    frame = frame.assign(**{column: frame[column].mask(few) for column in totals})
    flags = ("apart", "others_driver", "others_mix_driver", "others_rate_driver")
    return frame.assign(**{column: frame[column].astype(bool) & ~few for column in flags})


# --- words ----------------------------------------------------------------------------------------------------------

DIMENSION_WORDS = {"hour": ("hour", "hours"), **{name: text.LEVEL_WORDS[name] for name in DIMENSIONS if name != "hour"}}


def dimension_word(name: str, n: float = 1, names: Mapping[str, str] | None = None) -> str:
    """Return what a dimension is called, in this centre's own words where it has some.

    Examples:
        >>> dimension_word("reason", 2), dimension_word("hour")
        ('contact reasons', 'hour')
    """
    return DIMENSION_WORDS["hour"][0 if n == 1 else 1] if name == "hour" else text.level(name, n, names)


def part_name(part: str, dimension: str) -> str:
    """Return what a part is called in a sentence.

    Examples:
        >>> part_name("09:00", "hour"), part_name("not recorded", "reason"), part_name("Billing", "queue")
        ('09:00 to 10:00', 'contact reason not recorded', 'Billing')
    """
    if part == NOT_RECORDED:
        return f"{dimension_word(dimension)} not recorded"
    if dimension == "hour" and part.endswith(":00"):
        return f"{part} to {(int(part[:2]) + 1) % 24:02}:00"
    return part


def exactly(values: Sequence[float], total: float, digits: int) -> list[float]:
    """Round parts so that what is printed adds up to the rounded whole (largest remainder).

    Args:
        values: The parts.
        total: What they add up to.
        digits: Decimals that are printed.

    Raises:
        StatisticsError: The parts do not add up to the whole.

    Examples:
        >>> exactly([0.333, 0.333, 0.334], 1.0, 1)
        [0.3, 0.3, 0.4]
    """
    scaled = np.asarray(values, dtype=float) * 10**digits
    if not np.isfinite(scaled).all():
        return [float("nan")] * len(scaled)
    floors = np.floor(scaled + 1e-9)
    left = round(total * 10**digits) - int(floors.sum())
    if abs(left) > len(floors):
        raise StatisticsError("the parts do not add up to the whole")
    order = np.argsort(-(scaled - floors), kind="stable")
    for place in range(abs(left)):
        floors[order[place % len(order)] if left > 0 else order[::-1][place % len(order)]] += np.sign(left)
    return [float(value) / 10**digits + 0.0 for value in floors]


def printed(rows: pd.DataFrame, column: str, unit: str) -> list[float]:
    """Round the contributions of all parts so that they add up as printed, in tables and charts alike.

    Args:
        rows: Rows of `drivers` of one KPI, unit and dimension.
        column: `gap`, `mix` or `rate`.
        unit: The unit of the KPI; shares are printed in percentage points.
    """
    factor = 100.0 if unit == "share" else 1.0
    return exactly((rows[column] * factor).tolist(), float(rows[column].sum()) * factor, DIGITS.get(unit, 1))


def steps(rows: pd.DataFrame, unit: str, *, most: int = 6) -> pd.DataFrame:
    """Lay out a change as steps: the period before, mix, the parts with the largest effects, all others, now.

    Args:
        rows: Rows of `drivers` of one KPI, unit and dimension.
        unit: The unit of the KPI.
        most: How many parts stand for themselves.

    Returns:
        `part` (`before`, `mix`, names, `all others`, `now`), `kind` (`whole`, `mix`, `part` or `rest`), `amount`,
        `printed` (rounded, so that all add up), `begin`, `end` and `driver`; each step begins where the one before
        ended, and a whole is a step of nothing.
    """
    first = rows.iloc[0]
    ranked = rows.assign(_size=rows["rate"].abs(), _printed=printed(rows, "rate", unit))
    ranked = ranked.sort_values(["_size", "part"], ascending=[False, True])
    shown, rest = ranked.head(most), ranked.iloc[most:]
    found: list[tuple[str, str, float, float, bool]] = [
        ("mix", "mix", float(rows["mix"].sum()), sum(printed(rows, "mix", unit)), bool(first["mix_driver"]))
    ]
    found += [
        (str(row["part"]), "part", float(row["rate"]), float(row["_printed"]), bool(row["change_driver"]))
        for row in shown.to_dict("records")
    ]
    if len(rest):
        found.append(("all others", "rest", float(rest["rate"].sum()), float(rest["_printed"].sum()), False))
    begin, end = float(first["total_before"]), float(first["total"])
    laid: list[tuple[Any, ...]] = [("before", "whole", 0.0, 0.0, begin, begin, False)]
    for part, kind, amount, shown_as, driver in found:
        laid.append((part, kind, amount, shown_as, laid[-1][5], laid[-1][5] + amount, driver))
    laid.append(("now", "whole", 0.0, 0.0, end, end, False))
    return pd.DataFrame(laid, columns=["part", "kind", "amount", "printed", "begin", "end", "driver"])


def vital_few(rows: pd.DataFrame, unit: str, *, most: int = 8) -> pd.DataFrame:
    """Order the parts of a gap by how much they add to it, with running totals.

    Args:
        rows: Rows of `drivers` of one KPI, unit and dimension that misses its target.
        unit: The unit of the KPI.
        most: How many parts stand for themselves.

    Returns:
        `part`, `kind` (`part`, `rest`, or `better` for those that meet the target), `amount` (positive where it adds
        to the gap), `printed` (rounded, so that all add up), `running`, `share` of the gap and `driver`. The last
        running total is the whole gap.
    """
    side = float(np.sign(rows["gap"].sum())) or 1.0
    parts = rows.set_index("part").assign(_printed=[side * one for one in printed(rows, "gap", unit)])
    amounts = side * parts["gap"]
    worse, better = amounts[amounts > 0], amounts[amounts <= 0]
    order = [str(part) for part in pareto(worse, other=None).index]
    lines: list[tuple[str, str, list[str]]] = [(part, "part", [part]) for part in order[:most]]
    lines += [("all others", "rest", order[most:])] if len(order) > most else []
    lines += [("better than the target", "better", list(better.index))] if len(better) else []
    frame = pd.DataFrame(
        [
            (
                name,
                kind,
                float(amounts[members].sum()),
                float(parts.loc[members, "_printed"].sum()),
                kind == "part" and bool(parts.loc[name, "gap_driver"]),
            )
            for name, kind, members in lines
        ],
        columns=["part", "kind", "amount", "printed", "driver"],
    )
    running = frame["amount"].cumsum()
    return frame.assign(running=running, share=running / running.iloc[-1])


def telling(rows: pd.DataFrame, what: str) -> str:
    """Return the dimension that explains most of one KPI and unit; empty where none has a part to name.

    Dimensions are compared by how far their parts lie apart beyond what chance gives so many parts: hours would else
    explain more than queues because there are more of them.

    Args:
        rows: Rows of `drivers` of one KPI and unit.
        what: `gap` or `change`.
    """
    flags = rows["gap_driver"] if what == "gap" else rows["change_driver"] | rows["mix_driver"]
    named_rows = rows[flags.astype(bool)]
    if named_rows.empty:
        return ""
    return str(named_rows.loc[named_rows[f"spread_{what}"].idxmax(), "dimension"])


def gap_sentence(
    rows: pd.DataFrame, verdict: Mapping[str, Any], *, period: str, who: str, names: Mapping[str, str] | None = None
) -> str:
    """Say in one sentence how far a figure misses its target and which parts explain that, or that none does.

    Args:
        rows: Rows of `drivers` of this KPI and unit, all dimensions.
        verdict: Its row of the verdicts frame.
        period: The period in words.
        who: What to call the unit.
        names: This centre's own words for levels.
    """
    unit = verdict["unit_of_value"]
    head = _head(verdict, period, who)
    if rows.empty:
        return f"{head}; it has no parts that would add up to it."
    gap = float(rows.loc[rows["dimension"] == rows["dimension"].iloc[0], "gap"].sum())
    if np.isnan(gap):
        return f"{head}."
    head += f", {text.difference(gap, unit)} away"
    dimension = telling(rows, "gap")
    if not dimension:
        return f"{head}; {_nobody(rows, 'explains the gap', names)}."
    own = rows[rows["dimension"] == dimension]
    parts = _largest(own, "gap_driver", "gap")
    *sizes, left = _fitting([*parts["gap"], gap - parts["gap"].sum()], gap, unit)
    said = _accounts(
        (f"{part_name(row['part'], dimension)} ({_evidence(row, unit)})", text.difference(size, unit))
        for row, size in zip(parts.to_dict("records"), sizes, strict=True)
    )
    tail = _remainder(left, gap, len(own) - len(parts), dimension, unit, names)
    return f"{head}; by {dimension_word(dimension, 1, names)}, {said}{tail}."


def change_sentence(
    rows: pd.DataFrame,
    verdict: Mapping[str, Any],
    *,
    period: str,
    before: str,
    who: str,
    names: Mapping[str, str] | None = None,
) -> str:
    """Say in one sentence how a figure changed since the period before and which parts explain that, or that none does.

    Args:
        rows: Rows of `drivers` of this KPI and unit, all dimensions.
        verdict: Its row of the verdicts frame.
        period: The period in words.
        before: The period before in words.
        who: What to call the unit.
        names: This centre's own words for levels.
    """
    unit = verdict["unit_of_value"]
    head = _head(verdict, period, who)
    if rows.empty or np.isnan(rows["total_before"].iloc[0]):
        return f"{head}; there is nothing before it to count a change from."
    first = rows.iloc[0]
    change = float(first["total"] - first["total_before"])
    n = rows.loc[rows["dimension"] == first["dimension"], "n_before"].sum()
    head += f", after {text.value(first['total_before'], unit)} in {before} (n {text.number(n)})"
    if not first["moved"]:
        return f"{head}; the change of {text.difference(change, unit)} could be chance, so there is nothing to explain."
    usual = " within its usual ups and downs" if verdict.get("variation") == "common_cause" else ""
    way = "rise" if change > 0 else "fall"
    dimension = telling(rows, "change")
    if not dimension:
        why = _nobody(rows, f"explains the {way} of {text.difference(change, unit)}", names)
        return f"{head}; {why}."
    own = rows[rows["dimension"] == dimension]
    parts = _largest(own, "change_driver", "rate")
    word = dimension_word(dimension, 1, names)
    found = [
        (
            f"{part_name(row['part'], dimension)} (from {text.value(row['value_before'], unit)}, n "
            f"{text.number(row['n_before'])}, to {_evidence(row, unit)})",
            text.difference(row["rate"], unit),
        )
        for row in parts.to_dict("records")
    ]
    mix = float(own["mix"].sum())
    if own["mix_driver"].iloc[0]:
        found.append((f"another mix of {dimension_word(dimension, 2, names)}", text.difference(mix, unit)))
    return f"{head}, a {way} of {text.difference(change, unit)}{usual}; by {word}, {_accounts(found)}."


def others_sentence(
    rows: pd.DataFrame, verdict: Mapping[str, Any], *, period: str, who: str, names: Mapping[str, str] | None = None
) -> str:
    """Say in one sentence what sets a unit apart from the others: the mix of its work, or how it does it.

    Args:
        rows: Rows of `drivers` of this KPI and unit, all dimensions.
        verdict: Its row of the verdicts frame.
        period: The period in words.
        who: What to call the unit.
        names: This centre's own words for levels.

    Returns:
        The sentence; empty where nothing sets the unit apart, or nothing may be said of the others.
    """
    told = rows[(rows["others_mix_driver"] | rows["others_rate_driver"]).astype(bool)]
    if told.empty:
        return ""
    unit = verdict["unit_of_value"]
    told = told.assign(_mix=told["mix_total_others"].abs().where(told["others_mix_driver"].astype(bool), -1))
    dimension = told.loc[told["_mix"].idxmax(), "dimension"]
    own = rows[rows["dimension"] == dimension]
    first = own.iloc[0]
    word, level = dimension_word(dimension, 1, names), text.level(str(verdict["level"]), 2, names)
    mix, rate = float(first["mix_total_others"]), float(first["rate_total_others"])
    parts = _largest(own, "others_driver", "rate_others")
    listed_parts = text.listed([part_name(part, dimension) for part in parts["part"]])
    within = f"how it does within each {word}" + (f", {listed_parts} above all," if len(parts) else "")
    chance = "" if first["others_rate_driver"] else ", which could be chance"
    way = {True: "raises", False: "lowers"}
    mixed = f"{text.difference(mix, unit)}" + ("" if first["others_mix_driver"] else ", which could be chance")
    return (
        f"{_head(verdict, period, who)}; in the other {level} it was {text.value(first['total_others'], unit)}: "
        f"its mix of work by {word} {way[mix > 0]} it by {mixed}, and {within} {way[rate > 0]} it by "
        f"{text.difference(rate, unit)}{chance}."
    )


def _fitting(values: Sequence[float], total: float, unit: str) -> list[float]:
    """Round amounts as sentences print them, so that they add up there too."""
    digits, factor = (2 if unit == "per_1000" else 1), (100.0 if unit == "share" else 1.0)
    return [value / factor for value in exactly([value * factor for value in values], total * factor, digits)]


def _largest(rows: pd.DataFrame, flag: str, column: str) -> pd.DataFrame:
    """Return the parts that are named, the largest first, as many as a sentence holds."""
    sure = rows[rows[flag].astype(bool)]
    return sure.loc[sure[column].abs().sort_values(ascending=False, kind="stable").index[:_MOST_NAMED]]


def _accounts(found: Iterable[tuple[str, str]]) -> str:
    """Say who accounts for how much of what the sentence was about."""
    said = [
        f"{who} accounts for {size} of that" if n == 0 else f"{who} for {size}" for n, (who, size) in enumerate(found)
    ]
    return text.listed(said)


def _head(verdict: Mapping[str, Any], period: str, who: str) -> str:
    unit, around = verdict["unit_of_value"], text.interval(verdict)
    aim = text.target(verdict["target"], verdict["target_high"], verdict["better"], unit)
    evidence = f"n {text.number(verdict['n'])}" + (f", {around}" if around else "")
    said = f"{who}: {verdict['name']} was {text.value(verdict['value'], unit)} in {period} ({evidence})"
    return said if aim == "no target" else f"{said}, with a target of {aim}"


def _evidence(row: Mapping[str, Any], unit: str) -> str:
    """Write a part's own figure with n and interval."""
    said = f"{text.value(row['value'], unit)}, n {text.number(row['n'])}"
    low, high = row["value_low"], row["value_high"]
    if np.isnan(low) or np.isnan(high):
        return said
    return f"{said}, likely between {text.value(low, unit)} and {text.value(high, unit)}"


def _nobody(rows: pd.DataFrame, verb: str, names: Mapping[str, str] | None) -> str:
    """Say that no part explains it, and by which dimensions it could not be told."""
    first = rows.iloc[0]
    known, lacking = (
        [dimension_word(name, 1, names) for name in str(first[column]).split()]
        for column in ("compared", "not_compared")
    )
    said = f"no single {_or(known)} {verb}: none stands out by more than chance" if known else ""
    if lacking:
        aside = f"by {_or(lacking)} it cannot be told, as the rows without one are many or of their own kind"
        return f"{said} ({aside})" if said else aside
    return said


def _or(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} or {items[-1]}"


def _remainder(left: float, gap: float, number: int, dimension: str, unit: str, names: Mapping[str, str] | None) -> str:
    """Say what the parts that are not named come to."""
    if number < 1:
        return ""
    others = f"the other {number} {dimension_word(dimension, number, names)}"
    others = f"the other {dimension_word(dimension, 1, names)}" if number == 1 else others
    if abs(left) < MATERIAL / 10 * abs(gap):
        return f", and {others} for next to nothing"
    if left * gap > 0:
        return f", and {others} for the remaining {text.difference(left, unit)}"
    return f", while {others} make{'s' if number == 1 else ''} up for {text.difference(left, unit)}"


__all__ = [
    "COLUMNS",
    "DIGITS",
    "DIMENSION_WORDS",
    "FALSE_ALARM",
    "KEYS",
    "MATERIAL",
    "MOST_NOT_RECORDED",
    "OTHER",
    "change_sentence",
    "dimension_word",
    "drivers",
    "exactly",
    "gap_sentence",
    "gathered",
    "measured",
    "named",
    "others_sentence",
    "part_name",
    "printed",
    "steps",
    "telling",
    "vital_few",
    "without_others",
]

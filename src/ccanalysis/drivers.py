"""Drivers: which queue, channel, reason, hour, team or site a gap or a change comes from, adding up exactly.

A ratio of sums is the average of its parts, weighted by their shares. So its gap to the target is the sum over the
parts of share times distance from the target, and its change the sum of mix (another share of the work) and rate
(another figure within the part). What is named as a driver must besides be more than noise, after correction for how
many parts were compared. A driver says where, not why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ccanalysis import text
from ccanalysis.kpis.components import DIMENSIONS, NOT_RECORDED, PART_KEYS, UNASSIGNED
from ccanalysis.kpis.register import Kpi
from ccanalysis.periods import Period
from ccanalysis.statistics import comparison, decomposition, intervals
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
OTHER = "other"
KEYS = ["kpi", "level", "unit", "dimension", "part"]
_UNIT = ["kpi", "level", "unit"]
_GROUP = [*_UNIT, "dimension"]
_SIDES = ("numerator", "denominator", "n", "squares", "people")
_ENDS = {"now": "", "before": "_before", "others": "_others"}
COMPONENTS = [f"{side}{suffix}" for suffix in _ENDS.values() for side in _SIDES]
_ABOUT = ["kind", "factor", "bound", "missed", "peers"]
# What is measured of a part, and of a dimension as a whole (the same on all its rows).
MEASURED = [
    *("value", "share", "value_before", "share_before"),
    *("gap", "gap_low", "gap_high"),
    *("mix", "rate", "change", "rate_low", "rate_high"),
]
AGAINST_OTHERS = ["value_others", "mix_others", "rate_others"]
WHOLE = ["total", "total_before", "total_others", "moved", "apart", "mix_total_others", "rate_total_others"]
NAMED = ["gap_driver", "change_driver", "others_driver"]
NAMED_WHOLE = ["comparable", "mix_driver", "others_mix_driver", "others_rate_driver", "spread_gap", "spread_change"]
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
    out["moved"] = _differs(frame, groups, "before")
    out["apart"] = _differs(frame, groups, "others")
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


def _differs(frame: pd.DataFrame, groups: _Groups, end: str) -> NDArray:
    """Tell whether the whole differs from its base by more than sampling (95 %, MOVER; Zou and Donner, 2008)."""
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
    with np.errstate(invalid="ignore"):
        differs = (step - np.hypot(value - low, base_high - base) > 0) | (
            step + np.hypot(high - value, base - base_low) < 0
        )
    return differs[groups.codes]


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
    return frame.assign(
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
    drawn = (all_above[at], below[at] / all_below[at])
    p[at] = np.where(side[at] > 0, stats.binom.sf(above[at] - 1, *drawn), stats.binom.cdf(above[at], *drawn))
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


def gathered(frame: pd.DataFrame, *, smallest: int, fewest: int) -> pd.DataFrame:
    """Merge small parts so that nobody can be made out, and keep one dimension of each KPI and unit.

    Parts of fewer than `smallest` cases, or of one or a few people, in either period become one part, with as many
    others as it takes for that one to be large enough. Of several dimensions only the one that explains most is kept:
    from two of them the difference of two sums could tell of a few.

    Args:
        frame: Rows of `drivers`.
        smallest: Cases from which a part is shown.
        fewest: People from which a part is shown, where people are known at all.

    Returns:
        The frame with merged parts; contributions add up as before. What names a part is kept from the whole.
    """
    kept = []
    for _, unit in frame.groupby(_UNIT, sort=False):
        choices = [
            merged
            for _, part in unit.groupby("dimension", sort=False)
            if (merged := _merged(part, smallest, fewest)) is not None
        ]
        if choices:
            kept.append(max(choices, key=_says_most))
    return pd.concat(kept, ignore_index=True)[COLUMNS] if kept else frame.iloc[:0]


def _says_most(part: pd.DataFrame) -> tuple[bool, bool, float]:
    row = part.iloc[0]
    change = bool(part["change_driver"].any() or row["mix_driver"])
    return bool(part["gap_driver"].any()), change, float(row["spread_gap"] + row["spread_change"])


def _small(frame: pd.DataFrame, smallest: int, fewest: int) -> NDArray:
    """Mark parts that rest on few cases or people in one of the periods."""
    small = np.zeros(len(frame), dtype=bool)
    for end in ("now", "before"):
        n, people, above = (np.nan_to_num(_column(frame, side, end)) for side in ("n", "people", "numerator"))
        small |= ((n > 0) & (n < smallest)) | ((people > 0) & (people < fewest)) | ((n == 0) & (above != 0))
    return small


def _merged(part: pd.DataFrame, smallest: int, fewest: int) -> pd.DataFrame | None:
    """Merge the small parts of one dimension; None where too little is left to tell apart."""
    part = part.reset_index(drop=True)
    small = _small(part, smallest, fewest)
    if small.any():
        small |= (part["part"] == OTHER).to_numpy()
        for row in np.argsort(part["n"].to_numpy() + np.nan_to_num(part["n_before"].to_numpy()), kind="stable"):
            if not _small(_summed(part[small]), smallest, fewest)[0]:
                break
            small[row] = True
    left = int((~small).sum()) + bool(small.any())
    if left < 2 or (small.any() and _small(_summed(part[small]), smallest, fewest)[0]):
        return None
    if not small.any():
        return part
    other = pd.concat([part[~small], _summed(part[small])], ignore_index=True)
    again = measured(other)
    for column in ("mix_total_others", "rate_total_others", "total_others", "apart"):  # as the whole dimension tells
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
    """Take out what tells of other units part by part; how mix and rate add up stays where several units are behind it.

    Args:
        frame: Rows of `drivers`.
        fewest: Other units from which the sums are kept.
    """
    gone = [*AGAINST_OTHERS, *(f"{side}_others" for side in _SIDES)]
    frame = frame.assign(**dict.fromkeys(gone, np.nan), others_driver=False)
    few = (frame["peers"] < fewest).to_numpy(dtype=bool)
    totals = ("total_others", "mix_total_others", "rate_total_others")
    frame = frame.assign(**{column: frame[column].mask(few) for column in totals})
    flags = ("apart", "others_mix_driver", "others_rate_driver")
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

    Examples:
        >>> exactly([0.333, 0.333, 0.334], 1.0, 1)
        [0.3, 0.3, 0.4]
    """
    scaled = np.asarray(values, dtype=float) * 10**digits
    floors = np.floor(scaled)
    left = round(total * 10**digits) - int(floors.sum())
    order = np.argsort(-(scaled - floors), kind="stable")
    for place in range(abs(left)):
        floors[order[place % len(order)] if left > 0 else order[::-1][place % len(order)]] += np.sign(left)
    return [float(value) / 10**digits + 0.0 for value in floors]


__all__ = [
    "COLUMNS",
    "DIMENSION_WORDS",
    "FALSE_ALARM",
    "KEYS",
    "MATERIAL",
    "MOST_NOT_RECORDED",
    "OTHER",
    "PART_KEYS",
    "dimension_word",
    "drivers",
    "exactly",
    "gathered",
    "measured",
    "named",
    "part_name",
    "without_others",
]

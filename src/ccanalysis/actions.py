"""Actions: what became of each action of the register, beyond what was to be expected without it.

A unit is mostly chosen for an action because its latest figures were bad, and the worst come back towards their usual
level by themselves. So the figure since the action is held against what was to be expected anyway: the unit's own
usual level, drawn towards its peers by how unreliable it is, and moved by what all comparable units moved in the same
time. Nothing here is proof of a cause: no action was given out by lot.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ccanalysis import text
from ccanalysis.errors import StatisticsError
from ccanalysis.kpis.components import CENTRE, UNASSIGNED
from ccanalysis.kpis.register import LEVELS, Kpi
from ccanalysis.periods import Period
from ccanalysis.statistics import change, shrinkage, spc
from ccanalysis.verdicts import shortfall

#: With fewer periods than this before an action its usual level is not known, with fewer after it nothing is told.
FEWEST_BEFORE = 6
FEWEST_AFTER = 4
#: Fewer comparable units than this are no group to compare with.
FEWEST_PEERS = 3
#: How many periods before the decision are shown as what the decision was made on.
RECENT = 4
#: More further periods than this are not worth waiting for.
MOST_FURTHER = 52
#: What `judge` adds to the register of actions.
COLUMNS = [
    "name",
    "is_open",
    "problems",
    "outcome",
    "recent",
    "usual",
    "expected",
    "after",
    "beyond",
    "low",
    "high",
    "n_before",
    "n_after",
    "cases_before",
    "cases_after",
    "peers",
    "more_periods",
    "unit_of_value",
    "better",
    "target",
    "target_high",
    "sentence",
]
_REGISTER = (
    "action_id",
    "decided_on",
    "starts_on",
    "what",
    "owner",
    "kpi",
    "level",
    "unit",
    "expected_effect",
    "state",
)
_POWER = 1.959963985 + 0.841621234  # to see an effect four times in five, at 95 %
_STEADY_TREND = 0.05
_MOST_AUTOCORRELATION = 0.8
_MAD = 1.4826  # from the median distance to a standard deviation, of a normal distribution
_BROKE_AWAY = 4.0
_NEARLY_ALL = 0.75
_TINY = 1e-12


@dataclass(frozen=True)
class Outcome:
    """What became of a figure since a day, beyond what was to be expected.

    All figures are in the unit of the values. `key` is `worked`, `moved`, `no_change`, `worse` or `cannot_tell`.

    Attributes:
        key: The outcome.
        recent: What it was in the last periods before the decision.
        usual: The usual level before.
        expected: What was to be expected without the action.
        after: What it has been since.
        beyond: `after` less `expected`.
        low: Lower end of the 95 % interval of `beyond`.
        high: Upper end.
        before: Positions of the periods that the usual level rests on.
        since: Positions of the periods since.
        peers: Comparable units it was held against; 0 where there are too few.
        more_periods: Further periods that would tell, NaN where none would, or where it is told.
        trending: Whether it was moving that way before already.
    """

    key: str
    recent: float = math.nan
    usual: float = math.nan
    expected: float = math.nan
    after: float = math.nan
    beyond: float = math.nan
    low: float = math.nan
    high: float = math.nan
    before: tuple[int, ...] = ()
    since: tuple[int, ...] = ()
    peers: int = 0
    more_periods: float = math.nan
    trending: bool = False


def outcome(
    values: pd.DataFrame,
    weights: pd.DataFrame,
    unit: str,
    *,
    decided: int,
    starts: int,
    before: int | None = None,
    sign: int,
    size: float | None = None,
) -> Outcome:
    """Say what became of a unit's figure since an action began, beyond what was to be expected without it.

    Args:
        values: One row per period in time order, one column per unit of a level, in any unit; NaN where a period is
            not usable. Other units than `unit` are what it is compared with, if there are three or more.
        weights: The cases behind each value.
        unit: The column of the unit.
        decided: Position of the first period that was not over when it was decided.
        starts: Position of the first whole period since it began.
        before: Position of the first period that is no longer wholly before it began; `starts` where not given.
        sign: 1 where higher is better, -1 where lower is.
        size: The change that was hoped for or that would be of use, above 0; where not given, one that is as large as
            the usual difference between two periods.

    Returns:
        The outcome. `worked` and `worse` need the whole interval on one side. Where it does not rule out `size`, it is
        `cannot_tell`.

    Source:
        Barnett, van der Pols & Dobson (2005), International Journal of Epidemiology 34: 215-220, for regression to the
        mean; Abadie, Diamond & Hainmueller (2010), JASA 105: 493-505, for the placebo spread; Adams (2009), RAND
        TR-653, for reliability.
    """
    before = starts if before is None else before
    figures = values.to_numpy(dtype=float)
    cases = np.where(np.isnan(figures), 0.0, np.nan_to_num(weights.to_numpy(dtype=float)))
    me = values.columns.get_loc(unit)
    own, mine = figures[:, me], cases[:, me]
    order = np.arange(len(own))
    early, late = order[~np.isnan(own) & (order < before)], order[~np.isnan(own) & (order >= starts)]
    looked_at = early[early < decided]
    # the very period that was looked at when the unit was chosen says least about its usual level
    if len(looked_at) and len(early) > FEWEST_BEFORE:
        early = early[early != looked_at[-1]]
    told = Outcome(
        "cannot_tell",
        recent=_mean(own, mine, looked_at[-RECENT:]),
        usual=_mean(own, mine, early),
        after=_mean(own, mine, late),
        before=tuple(early.tolist()),
        since=tuple(late.tolist()),
    )
    if len(early) < FEWEST_BEFORE or len(late) < FEWEST_AFTER:
        needed = FEWEST_AFTER - len(late) if len(early) >= FEWEST_BEFORE else math.nan
        return replace(told, more_periods=float(needed) if needed > 0 else math.nan)
    present = _present(figures, me, early, late)
    resemblance = _resemblance(figures[early][:, [me, *present]])
    peers, drift = _comparable(figures, cases, present, early, late, resemblance)
    common = _common(figures, cases, peers, early)
    line = own - common
    spread, degrees, error = _error(line, mine, early, late, resemblance)
    error = math.hypot(error, drift)
    settled = _settled(figures, cases, [me, *peers], early, resemblance)
    common_change = _mean(common, mine, late) - _mean(common, mine, early)
    expected = settled + common_change
    beyond = told.after - expected
    reach = float(stats.t.ppf(0.975, degrees)) * error
    low, high = beyond - reach, beyond + reach
    trending = _trending(line, early, sign)
    if trending:
        beyond, low, high = _jump(line, early, late, (beyond, low, high), sign)
    unmoved = told.after - told.usual - common_change  # a poor unit that stays as it is has not become worse
    wanted = abs(size) if size else spread
    told = replace(
        told, expected=told.after - beyond, beyond=beyond, low=low, high=high, peers=len(peers), trending=trending
    )
    best, worst = (high, low) if sign > 0 else (low, high)
    if sign * worst > 0:
        return replace(told, key="worked")
    if sign * best < 0 and sign * unmoved + reach < 0:
        return replace(told, key="worse")
    if sign * best >= wanted:
        return replace(told, more_periods=_further(spread, wanted, len(early), len(late), error))
    raw = sign * (told.after - told.recent)
    moved = raw > 0 and raw > sign * max(sign * beyond, 0.0) and raw >= min(wanted, spread)
    return replace(told, key="moved" if moved else "no_change")


def _mean(values: NDArray, weights: NDArray, at: NDArray) -> float:
    """The figure of several periods together."""
    if not len(at) or weights[at].sum() <= 0:
        return math.nan
    return float((values[at] * weights[at]).sum() / weights[at].sum())


def _present(figures: NDArray, me: int, early: NDArray, late: NDArray) -> list[int]:
    """Units that have nearly all the periods, on both sides."""
    known = ~np.isnan(figures)
    enough = (known[early].mean(axis=0) >= _NEARLY_ALL) & (known[late].mean(axis=0) >= _NEARLY_ALL)
    return [int(number) for number in np.flatnonzero(enough) if number != me]


def _common(figures: NDArray, cases: NDArray, peers: list[int], early: NDArray) -> NDArray[np.float64]:
    """What the peers did period by period, as the difference to the usual level of each; nothing without peers."""
    if not peers:
        return np.zeros(len(figures))
    theirs, weight = np.nan_to_num(figures[:, peers]), cases[:, peers]
    usual = (theirs[early] * weight[early]).sum(axis=0) / np.maximum(weight[early].sum(axis=0), _TINY)
    total = weight.sum(axis=1)
    line = (weight * (theirs - usual)).sum(axis=1) / np.maximum(total, _TINY)
    return np.where(total > 0, line, 0.0)


def _resemblance(figures: NDArray) -> float:
    """How much a period resembles the one before it, over all units: one line is too short to say."""
    found = [spc.autocorrelation(column) for column in figures.T]
    known = [one for one in found if not math.isnan(one)]
    return float(np.clip(np.mean(known), 0.0, _MOST_AUTOCORRELATION)) if known else 0.0


def _error(
    line: NDArray, weights: NDArray, early: NDArray, late: NDArray, resemblance: float
) -> tuple[float, float, float]:
    """The usual difference of a period from its level, degrees of freedom, and the error of a change of level."""
    spread2, degrees, share = 0.0, 0.0, 0.0
    for side in (early, late):
        cases = np.maximum(weights[side], _TINY)
        level = (line[side] * cases).sum() / cases.sum()
        spread2 += float((cases * (line[side] - level) ** 2).sum() / cases.mean())
        degrees += len(side) - 1
        share += float((cases**2).sum() / cases.sum() ** 2)
    spread = math.sqrt(spread2 / degrees)
    inflation = (1 + resemblance) / (1 - resemblance)
    return spread, degrees / inflation, math.sqrt(share * inflation) * spread


def _comparable(
    figures: NDArray, cases: NDArray, present: list[int], early: NDArray, late: NDArray, resemblance: float
) -> tuple[list[int], float]:
    """Units that went no way of their own, and how far such units drift apart beyond their own ups and downs.

    A unit whose own figure broke away in the same time says nothing of what would have become of another.
    """
    if len(present) < FEWEST_PEERS:
        return [], 0.0
    moved, chance = [], []
    for number in present:
        line, weight = figures[:, number], cases[:, number]
        first, then = (side[~np.isnan(line[side])] for side in (early, late))
        moved.append(_mean(line, weight, then) - _mean(line, weight, first))
        chance.append(_error(line, weight, first, then, resemblance)[2])
    apart = np.abs(np.array(moved) - np.median(moved))
    scale = max(float(np.median(apart)) * _MAD, float(np.median(chance)))
    kept = apart <= _BROKE_AWAY * scale
    if kept.sum() < FEWEST_PEERS:
        return [], 0.0
    peers = [number for number, stays in zip(present, kept, strict=True) if stays]
    untreated = pd.DataFrame(figures[np.concatenate([early, late])][:, peers])
    placebo = change.placebo_effects(untreated, len(early)).to_numpy(dtype=float)
    by_chance = float((np.array(chance)[kept] ** 2).mean())
    return peers, math.sqrt(max(0.0, float((placebo**2).sum() / (len(peers) - 1)) - by_chance))


def _settled(figures: NDArray, cases: NDArray, units: list[int], early: NDArray, resemblance: float) -> float:
    """The usual level of the first of some units, drawn towards the others by how unreliable it is."""
    means, errors = [], []
    for number in units:
        line, weight = figures[:, number], cases[:, number]
        at = early[~np.isnan(line[early])]
        means.append(_mean(line, weight, at))
        errors.append(_error(line, weight, at, at, resemblance)[2] / math.sqrt(2))
    if len(units) <= FEWEST_PEERS or min(errors) <= 0:
        return means[0]
    drawn = shrinkage.normal_normal(means, errors)
    return float(change.expected_without_change(means[0], drawn.prior["mean"], drawn.reliability[0]))


def _trending(line: NDArray, early: NDArray, sign: int) -> bool:
    """Tell whether the figure moved the good way before anything was done."""
    if len(early) < change.FEWEST_PER_SIDE or np.ptp(line[early]) == 0:
        return False
    slope = stats.linregress(early, line[early])
    return bool(slope.pvalue < _STEADY_TREND and sign * slope.slope > 0)


def _jump(
    line: NDArray, early: NDArray, late: NDArray, plain: tuple[float, float, float], sign: int
) -> tuple[float, float, float]:
    """The jump beside a trend that was there before, where it is the less favourable of the two."""
    used = np.full(len(line), np.nan)
    for side in (early, late):
        used[side] = line[side]
    try:
        fitted = change.interrupted_time_series(used, int(late[0]))
    except StatisticsError:
        return plain
    jump = (fitted.effect[0], fitted.effect[1].low, fitted.effect[1].high)
    ends = (1, -1) if sign > 0 else (2, 1)
    return jump if sign * jump[ends[0]] < sign * plain[ends[0]] else plain


def _further(spread: float, wanted: float, n_before: int, n_after: int, error: float) -> float:
    """How many further periods show a change of this size four times in five; NaN where no number does."""
    if spread <= 0 or error <= 0:
        return math.nan
    inflation = (error / spread) ** 2 / (1 / n_before + 1 / n_after)  # what resemblance, drift and weights add
    room = (wanted / (_POWER * spread)) ** 2 / inflation - 1 / n_before
    if room <= 0:
        return math.nan
    further = math.ceil(1 / room) - n_after
    return float(max(further, 1)) if further <= MOST_FURTHER else math.nan


def judge(register: pd.DataFrame, line: pd.DataFrame, kpis: Sequence[Kpi], period: Period) -> pd.DataFrame:
    """Say what became of each action of the register by the end of a period.

    Args:
        register: The register of actions, the contract table `actions`.
        line: What `verdicts.series` returned for periods up to this one.
        kpis: The KPIs that are judged.
        period: The period.

    Returns:
        The register, one row per action in the order of the decisions, with the columns `COLUMNS` beside its own.
        `level` and `unit` name the unit as other frames do. `outcome` is `worked`, `moved` (but no more than expected
        without it), `no_change`, `worse`, `cannot_tell` or `not_judged`; `problems` says what the register lacks;
        figures are in the unit of the KPI; `n_before` and `n_after` count periods, `cases_*` the cases behind them.
        Actions decided after the period are left out.
    """
    register = register.reindex(columns=[*_REGISTER, *[c for c in register.columns if c not in _REGISTER]])
    if len(register):
        register = register[pd.to_datetime(register["decided_on"]).dt.date < period.end]
        register = register.sort_values(["decided_on", "action_id"], ignore_index=True)
    by_id = {kpi.id: kpi for kpi in kpis}
    placed = [_placed(row, line) for _, row in register.iterrows()]
    placed = [row | {"at": number} for number, row in enumerate(placed)]
    rows = [_row(row, placed, line, by_id.get(str(row["kpi"])), period) for row in placed]
    found = pd.DataFrame(rows, columns=[*_REGISTER, *COLUMNS])
    others = register[[column for column in register.columns if column not in _REGISTER]].reset_index(drop=True)
    return pd.concat([found, others], axis=1)


def _placed(row: pd.Series, line: pd.DataFrame) -> dict[str, Any]:
    """Name the unit of an action as the series does: a unit without a level is looked for, none is the centre."""
    given = {name: None if _absent(row[name]) else row[name] for name in row.index}
    level, unit = given["level"], given["unit"]
    if level == CENTRE or (level is None and unit is None):
        level, unit = CENTRE, CENTRE
    elif level is None and len(line):
        own = line[(line["unit"] == unit) & (line["kpi"] == given["kpi"])]
        levels = own["level"].unique().tolist()
        level = levels[0] if len(levels) == 1 else None
    return given | {"level": level, "unit": unit}


def _absent(value: Any) -> bool:
    return value is None or (not isinstance(value, str) and pd.isna(value)) or (isinstance(value, str) and not value)


def _day(value: Any) -> date | None:
    return None if value is None else pd.Timestamp(value).date()


def _row(
    action: dict[str, Any], others: list[dict[str, Any]], line: pd.DataFrame, kpi: Kpi | None, period: Period
) -> dict[str, Any]:
    decided, starts = _day(action["decided_on"]), _day(action["starts_on"])
    begun = starts or decided
    problems = [*_problems(action, kpi, begun, period)]
    base: dict[str, Any] = {
        **{name: action.get(name) for name in _REGISTER},
        "expected_effect": math.nan if action["expected_effect"] is None else float(action["expected_effect"]),
        **dict.fromkeys(COLUMNS, math.nan),
        "name": kpi.name if kpi else "",
        "is_open": action["state"] in ("planned", "running"),
        "outcome": "not_judged",
        "n_before": 0,
        "n_after": 0,
        "peers": 0,
        "unit_of_value": kpi.measure.unit if kpi else "",
        "better": kpi.better if kpi else "",
    }
    why = _unjudged(action, kpi, begun, line, period)
    if why or kpi is None or begun is None or decided is None:
        key, reason = why or ("not_judged", "")
        return base | {"problems": tuple(problems), "outcome": key, "sentence": reason}
    own = line[(line["kpi"] == kpi.id) & (line["level"] == action["level"])]
    labels = sorted(own["period"].unique(), key=lambda label: Period.parse(label).start)
    spans = [Period.parse(label) for label in labels]
    at_decision = sum(span.end <= decided for span in spans)
    before = sum(span.end <= begun for span in spans)
    first = sum(span.start < begun for span in spans)
    values, weights = _tables(own, kpi, labels)
    unit = str(action["unit"])
    touched = {
        str(other["unit"])
        for other in others
        if other["kpi"] == kpi.id and other["level"] == action["level"] and other["state"] != "dropped"
    } - {unit}
    apart = [name for name in values.columns if name != UNASSIGNED and name not in touched]
    sign = _sign(kpi, base["expected_effect"], own, unit)
    if values[unit].notna().sum() == 0:
        reason = f"{_figure(kpi, action)} has no period whose data are fit to be compared."
        return base | {"problems": tuple(problems), "sentence": reason}
    if sign == 0:
        way = "the register does not say which way it should move"
        reason = f"{_figure(kpi, action)} lies within its agreed range, and {way}."
        return base | {"problems": tuple(problems), "sentence": reason}
    size = _size(kpi, base["expected_effect"], own, unit)
    found = outcome(
        values[apart], weights[apart], unit, decided=at_decision, starts=first, before=before, sign=sign, size=size
    )
    now = own[(own["unit"] == unit) & (own["period"] == period.label)]
    target, high = (float(now[name].iloc[0]) if len(now) else math.nan for name in ("target", "target_high"))
    cases = own[own["unit"] == unit].set_index("period")["n"].reindex(labels).to_numpy(dtype=float)
    base |= {
        name: getattr(found, name)
        for name in ("recent", "usual", "expected", "after", "beyond", "low", "high", "peers")
    }
    base |= {
        "outcome": found.key,
        "more_periods": found.more_periods,
        "target": target,
        "target_high": high,
        "n_before": len(found.before),
        "n_after": len(found.since),
        "cases_before": float(cases[list(found.before)].sum()),
        "cases_after": float(cases[list(found.since)].sum()),
    }
    problems += _shared(action, others, begun, period)
    sentence = _sentence(base, found, kpi, action, begun, period)
    return base | {"problems": tuple(problems), "sentence": sentence}


def _tables(own: pd.DataFrame, kpi: Kpi, labels: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Values and weights, one row per period and one column per unit; what is not fit is left out."""
    usable = ~own["excluded"].astype(bool) & ~own["rating"].isin(["not fit", "unknown"])
    cases = "n" if kpi.measure.kind == "percentile" else "denominator"
    own = own.assign(value=own["value"].astype(float).where(usable), weight=own[cases].astype(float))
    values = own.pivot_table(index="period", columns="unit", values="value", dropna=False, observed=False)
    weights = own.pivot_table(index="period", columns="unit", values="weight", dropna=False, observed=False)
    names = sorted(own["unit"].astype(str).unique())
    values = values.reindex(index=labels, columns=names)
    weights = weights.reindex(index=labels, columns=names)
    return values.where(weights > 0), weights


def _sign(kpi: Kpi, expected: float, own: pd.DataFrame, unit: str) -> int:
    """Which way is better; of a band, the way that was hoped for, or towards it."""
    if kpi.better != "within":
        return 1 if kpi.better == "up" else -1
    if not math.isnan(expected) and expected != 0:
        return 1 if expected > 0 else -1
    mine = own[own["unit"] == unit].dropna(subset=["value", "target", "target_high"])
    if mine.empty:
        return 0
    value, low, high = mine["value"].mean(), mine["target"].iloc[-1], mine["target_high"].iloc[-1]
    return -1 if value > high else int(value < low)


def _size(kpi: Kpi, expected: float, own: pd.DataFrame, unit: str) -> float | None:
    """The change that would be of use: what was hoped for, or else the usual gap to the target."""
    if not math.isnan(expected) and expected != 0 and not _impossible(kpi, expected):
        return abs(expected)
    mine = own[own["unit"] == unit].dropna(subset=["value", "target"])
    if mine.empty:
        return None
    gap = float(shortfall(mine["value"].mean(), mine["target"].iloc[-1], mine["target_high"].iloc[-1], kpi.better))
    return gap if gap > 0 else None


def _impossible(kpi: Kpi, expected: float) -> bool:
    return kpi.measure.unit == "share" and abs(expected) > 1


def _problems(action: Mapping[str, Any], kpi: Kpi | None, begun: date | None, period: Period) -> Iterator[str]:
    """Name what the register lacks of an action."""
    if action["kpi"] is None:
        yield "no KPI is named"
    if action["owner"] is None:
        yield "nobody is named to do it"
    if action["starts_on"] is None and action["state"] != "dropped":
        yield "no day is given on which it takes effect"
    if action["state"] is None:
        yield "no state is given"
    if begun and action["state"] == "planned" and begun < period.end:
        yield f"overdue: it was to begin on {_written(begun)} and still stands as planned"
    if action["expected_effect"] is None:
        yield "no expected effect was written down"
    elif kpi and _impossible(kpi, float(action["expected_effect"])):
        yield "the expected effect is larger than a share can be; 5 percentage points are written 0.05"
    elif kpi and kpi.better != "within" and float(action["expected_effect"]) * (1 if kpi.better == "up" else -1) < 0:
        yield "the expected effect is one for the worse"


def _shared(action: Mapping[str, Any], others: list[dict[str, Any]], begun: date, period: Period) -> Iterator[str]:
    """Say where another action on the same figure cannot be told apart from this one."""
    for other in others:
        same = all(other[name] == action[name] for name in ("kpi", "level", "unit")) and other["at"] != action["at"]
        day = _day(other["starts_on"]) or _day(other["decided_on"])
        active = other["state"] in ("running", "done", None)
        if same and active and day and begun <= day < period.end:
            yield f"another action on the same figure began on {_written(day)}; the two cannot be told apart"


def _unjudged(
    action: Mapping[str, Any], kpi: Kpi | None, begun: date | None, line: pd.DataFrame, period: Period
) -> tuple[str, str] | None:
    """Say why nothing can be said of an action, or None where something can."""
    if action["state"] == "dropped":
        return "not_judged", "It was dropped."
    if action["kpi"] is None:
        return "not_judged", "It names no KPI, so nothing shows what became of it."
    if kpi is None:
        return "not_judged", "Its KPI is not among those that are judged."
    if begun and begun >= period.end:
        return "cannot_tell", f"It begins on {_written(begun)}."
    if action["state"] == "planned":
        return (
            "not_judged",
            f"It was to begin on {_written(begun)} and has not begun." if begun else "It has not begun.",
        )
    if action["level"] not in LEVELS:
        return "not_judged", "Its unit is not among those that are judged."
    own = line[(line["kpi"] == kpi.id) & (line["level"] == action["level"]) & (line["unit"] == action["unit"])]
    if own.empty:
        return "not_judged", f"{kpi.name} is not measured for its unit."
    return None


def _written(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _figure(kpi: Kpi, action: Mapping[str, Any]) -> str:
    return f"{'The centre' if action['level'] == CENTRE else action['unit']}: {kpi.name}"


def _moved(amount: float, unit: str) -> str:
    """Write a difference with its direction."""
    return f"{text.difference(amount, unit)} {'higher' if amount >= 0 else 'lower'}"


def _between(low: float, high: float, unit: str) -> str:
    if low < 0 <= high:
        return f"likely between {_moved(low, unit)} and {_moved(high, unit)}"
    small, large = sorted((abs(low), abs(high)))
    return f"likely between {text.difference(small, unit)} and {text.difference(large, unit)}"


def _sentence(
    row: Mapping[str, Any], found: Outcome, kpi: Kpi, action: Mapping[str, Any], begun: date, period: Period
) -> str:
    """Say what became of an action: values, n, interval, target, periods, and what follows."""
    unit = kpi.measure.unit
    since = f"{text.count(row['n_after'], period.kind)} since {_written(begun)} (n {text.number(row['cases_after'])})"
    if not row["n_after"]:
        more = f" {_capital(text.count(FEWEST_AFTER, f'full {period.kind}'))} are needed."
        return f"{_figure(kpi, action)} has no usable {period.kind} since {_written(begun)}.{more}"
    before = f"{text.count(row['n_before'], period.kind)} before (n {text.number(row['cases_before'])})"
    said = f"{_figure(kpi, action)} was {text.value(found.after, unit)} in the {since}"
    if not row["n_before"]:
        return f"{said}. No {period.kind} before it can be used, so nothing shows whether that is a change."
    said += f", after {text.value(found.usual, unit)} in the {before}"
    aim = text.target(row["target"], row["target_high"], kpi.better, unit)
    aim = "" if aim == "no target" else f"; the target is {aim}"
    if math.isnan(found.beyond):
        return f"{said}{aim}. {_too_few(found, period)}"
    said += (
        f"; without the action {text.value(found.expected, unit)} was to be expected. The difference is "
        f"{_moved(found.beyond, unit)}, {_between(found.low, found.high, unit)}"
    )
    return f"{said}{_hoped(row, kpi)}{aim}. {_meaning(row, found, kpi, action, period)}"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _too_few(found: Outcome, period: Period) -> str:
    if math.isnan(found.more_periods):
        needed = f"at least {FEWEST_BEFORE} are needed"
        return f"Too few {period.kind}s before the action to know the usual level: {needed}."
    return f"Too early to tell: {text.count(found.more_periods, f'more {period.kind}')} will."


def _hoped(row: Mapping[str, Any], kpi: Kpi) -> str:
    expected = row["expected_effect"]
    if math.isnan(expected) or expected == 0 or _impossible(kpi, expected):
        return ""
    return f"; {_moved(expected, kpi.measure.unit)} was hoped for"


def _meaning(row: Mapping[str, Any], found: Outcome, kpi: Kpi, action: Mapping[str, Any], period: Period) -> str:
    compared = (
        f"Held against {found.peers} other {text.level(str(action['level']), found.peers)} in the same time"
        if found.peers
        else ""
    )
    alone = f"nothing comparable to hold it against, so something else in these {period.kind}s may be the reason"
    if found.key == "worked":
        if compared:
            return f"{compared}, it worked: it moved by more than it would have by itself."
        return f"It moved by more than its usual ups and downs. There is {alone}."
    if found.key == "worse":
        if compared:
            return f"{compared}, it got worse."
        return f"It got worse by more than its usual ups and downs. There is {alone}."
    already = " It was moving that way before already." if found.trending else ""
    if found.key == "moved":
        return (
            f"It moved, but no more than expected without the action: after poor {period.kind}s a figure comes back "
            f"by itself, and other units may have moved alike.{already}"
        )
    if found.key == "no_change":
        return f"No change yet: a change of a useful size would show by now.{already}"
    if math.isnan(found.more_periods):
        return f"Cannot tell: the ups and downs are too large for a change of this size ever to show here.{already}"
    return (
        f"Cannot tell yet: {text.count(found.more_periods, f'more {period.kind}')} would show a change of a useful "
        f"size.{already}"
    )

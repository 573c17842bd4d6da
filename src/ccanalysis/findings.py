"""Findings: verdicts -> what to improve first, what to recognise, who needs support, which targets to review.

Nothing is ranked on noise: a finding says "act" only where a miss is real, where it survives the correction for the
number of comparisons made, and where the gap that is left after shrinking towards peers is not nil.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ccanalysis import text, verdicts
from ccanalysis.kpis.components import CENTRE, UNASSIGNED
from ccanalysis.kpis.register import Kpi
from ccanalysis.periods import Period
from ccanalysis.statistics import comparison, shrinkage
from ccanalysis.verdicts import SHORT_BASELINE, shortfall

# Share of false findings that is accepted among those called "act": where all units are alike, hardly one week in
# twenty names one of them (measured over 200 simulated weeks of eight teams).
FALSE_DISCOVERY = 0.05
_SUM_OF_TWO_TAILS = 2 * 1.959963985
_Z80 = 1.281551566
_REAL = ("missed_real", "cannot_meet")
_MISSED = (*_REAL, "missed_chance")
# A single person is spoken of only where the figures tell people apart, or the miss is clear by itself.
RELIABLE = 0.7
CLEAR = 0.01
_SIGNAL_LEVELS = ("centre", "site", "team")
# A real miss, or a rule that fails, of so many periods in a row without an action is one that nobody acts on.
UNTOUCHED = 4
# A target drifts out of use where these last periods all lie on one side of it, unlike as many before them at least.
RECENT = 8
# More cases than so many times those of a period never come.
_NEVER = 20
_HOUR = 3600
_XMR = 2.66  # from the average moving range to the limits of an XmR chart
COLUMNS = [
    "kind",
    "tier",
    "kpi",
    "name",
    "level",
    "unit",
    "period",
    "status",
    "value",
    "target",
    "gap",
    "gap_shrunk",
    "n",
    "impact",
    "impact_low",
    "money",
    "q_value",
    "reliability",
    "effect",
    "comparisons",
    "sentence",
    "action",
]
_KINDS = (
    *("data", "improve", "system", "worsening", "recognise", "changed", "development", "review_target"),
    *("not_acted_on", "rule_not_acted_on", "cannot_tell"),
)


def findings(
    judged: pd.DataFrame,
    kpis: Sequence[Kpi],
    period: Period,
    *,
    line: pd.DataFrame | None = None,
    actions: pd.DataFrame | None = None,
    rules: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Order what follows from the verdicts of one period by certainty and effect.

    Args:
        judged: What `verdicts.judge` returned for the period.
        kpis: The KPIs.
        period: The period.
        line: What `verdicts.series` returned; without it no target is found to drift, and no KPI to be left alone.
        actions: The register of actions; without one it is not said what nobody acts on.
        rules: One row per rule of the checks and period, of the whole centre, with `rule`, `period`, `outcome`,
            `reason`, `severity` and `remedy`.

    Returns:
        One row per finding with the columns `COLUMNS`. `tier` is `act`, `watch` or `note`; `impact` is the shrunken
        gap times the volume, in contacts, seconds or events; `money` is what that is worth, where the register says
        what a unit of it is worth; `effect` is the same in contacts' worth. Rows of one tier
        stand in the order of the register, the centre's own priorities, and within a KPI by effect: two KPIs have no
        common currency. `comparisons` says how many units were compared.
    """
    rows: list[dict[str, Any]] = []
    if len(judged):  # whoever is not assigned is nobody who could act
        judged = judged[~judged["experimental"] & (judged["unit"] != UNASSIGNED)]
    parts = {kpi.id: judged[judged["kpi"] == kpi.id] for kpi in kpis} if len(judged) else {}
    weighed = _corrected({kpi.id: _compared(parts[kpi.id], kpi) for kpi in kpis if len(parts.get(kpi.id, ()))})
    for kpi in kpis:
        if kpi.id not in weighed:
            continue
        own, compared = parts[kpi.id], weighed[kpi.id]
        rows += _data(own, period)
        rows += _improvements(compared, kpi, period)
        rows += _signals(own, kpi, period)
        rows += _targets(own, kpi, period)
        rows += _cannot_tell(own, kpi, period)
        if line is not None and len(line):
            past = line[line["kpi"] == kpi.id]
            rows += _drifting(own, past, kpi, period)
            if actions is not None:
                rows += _untouched(own, past, actions, kpi, period)
    rows += _rules(rules, period)
    frame = pd.DataFrame(rows, columns=COLUMNS)
    order = {"act": 0, "watch": 1, "note": 2}
    position = {kpi.id: number for number, kpi in enumerate(kpis)}
    frame = frame.assign(
        _tier=frame["tier"].map(order), _kind=frame["kind"].map(_KINDS.index), _kpi=frame["kpi"].map(position)
    )
    frame = frame.sort_values(["_tier", "_kind", "_kpi", "effect", "unit"], ascending=[True, True, True, False, True])
    return frame.drop(columns=["_tier", "_kind", "_kpi"]).reset_index(drop=True)


def changes(verdicts: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """List the KPIs and units whose status or variation is another than in the period before.

    Returns:
        `kpi, name, level, unit, status_before, status, variation_before, variation, sentence`.
    """
    keys = ["kpi", "level", "unit"]
    columns = ["name", *keys, "status_before", "status", "variation_before", "variation", "sentence"]
    if verdicts.empty or before.empty:
        return pd.DataFrame(columns=columns)
    told = ["status", "variation", "value", "n", "period"]
    joined = verdicts.merge(before[[*keys, *told]], on=keys, suffixes=("", "_before"))
    moved = (joined["status"] != joined["status_before"]) | (joined["variation"] != joined["variation_before"])
    joined = joined[moved]
    if joined.empty:
        return pd.DataFrame(columns=columns)
    period, earlier = (Period.parse(str(joined[name].iloc[0])).short for name in ("period", "period_before"))
    sentences = [
        text.changed(row, {name: row[f"{name}_before"] for name in told}, period=period, earlier=earlier)
        for row in joined.to_dict("records")
    ]
    return joined.assign(sentence=sentences)[columns]


def _compared(own: pd.DataFrame, kpi: Kpi) -> pd.DataFrame:
    """Add p-values against the target, and gaps shrunken to the peers of a level."""
    parts = []
    for level, group in own.groupby("level", sort=False):
        part = group.copy()
        evidence = _pooled(part, kpi) if level == "agent" else part
        usable = ~part["status"].isin(["not_judged", "no_target"]) & part["value"].notna()
        part["p_value"] = np.where(usable, _p_values(evidence, kpi), np.nan)
        missed = part["status"].isin(_REAL).any()  # shrinking takes time, and only what was missed is weighed
        shrunk, low, reliability = _shrunken(evidence, kpi, usable.to_numpy() & missed)
        part["shrunk"], part["reliability"] = shrunk, reliability
        part["gap"] = shortfall(part["value"], part["target"], part["target_high"], kpi.better)
        part["gap_shrunk"] = shortfall(shrunk, part["target"], part["target_high"], kpi.better)
        part["gap_low"] = shortfall(low, part["target"], part["target_high"], kpi.better)
        part["volume"] = part["n"] / (1000.0 if kpi.measure.unit == "per_1000" else 1.0)
        part["impact"], part["impact_low"] = part["gap_shrunk"] * part["volume"], part["gap_low"] * part["volume"]
        size = part["value"].abs().where(part["value"].abs() > 0, np.nan)
        part["effect"] = part["impact"] / size if kpi.measure.unit == "s" else part["impact"]
        if kpi.measure.kind == "percentile":  # it is the wait of one contact, not a sum over all of them
            part["impact"] = np.nan
        part["money"] = part["impact"] / (_HOUR if kpi.measure.unit == "s" else 1) * (kpi.worth or np.nan)
        parts.append(part)
    return pd.concat(parts)


def _corrected(compared: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Add q-values over all comparisons of the period, and how many they are.

    All KPIs, levels and units are one family, so that a centre with many of them is told of no more by chance than one
    with few; people are a family of their own.
    """
    if not compared:
        return {}
    p_values = pd.concat({kpi: part.set_index(["level", "unit"])["p_value"] for kpi, part in compared.items()})
    family = p_values.groupby(p_values.index.get_level_values("level") == "agent")
    q_values = family.transform(lambda p: comparison.benjamini_hochberg(p.to_numpy()))
    counted = family.transform("count").astype(int)
    return {
        kpi: part.assign(q_value=q_values.loc[kpi].to_numpy(), comparisons=counted.loc[kpi].to_numpy())
        for kpi, part in compared.items()
    }


def _pooled(part: pd.DataFrame, kpi: Kpi) -> pd.DataFrame:
    """Weigh people by their last periods together: one period of one person is too few cases to say anything."""
    sums = {name: part[f"pooled_{name}"].to_numpy(dtype=float) for name in ("numerator", "denominator", "n", "squares")}
    low, high = verdicts.interval(kpi, sums["numerator"], sums["denominator"], n=sums["n"], squares=sums["squares"])
    with np.errstate(invalid="ignore", divide="ignore"):
        value = sums["numerator"] / sums["denominator"] * kpi.measure.factor
    return part.assign(**sums, value=value, ci_low=low, ci_high=high)


def _p_values(part: pd.DataFrame, kpi: Kpi) -> np.ndarray:
    """One-sided p-value of a miss; exact where the two sides are counts, else from the interval."""
    target = part["target"].to_numpy(dtype=float)
    above, below = part["numerator"].to_numpy(dtype=float), part["denominator"].to_numpy(dtype=float)
    if kpi.measure.kind == "share" and kpi.better != "within":
        test = comparison.proportion_below_target if kpi.better == "up" else comparison.proportion_above_target
        possible = (above <= below) & ~np.isnan(target)
        return np.where(possible, test(*(np.where(possible, x, 0.0) for x in (above, below, target))), np.nan)
    if kpi.measure.kind == "rate" and kpi.better == "down":
        known = ~np.isnan(target)
        return np.where(
            known,
            comparison.count_above_target(above, below, np.where(known, target, 1.0) / kpi.measure.factor),
            np.nan,
        )
    error = (part["ci_high"] - part["ci_low"]).to_numpy(dtype=float) / _SUM_OF_TWO_TAILS
    value, high = part["value"].to_numpy(dtype=float), part["target_high"].to_numpy(dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        under, over = stats.norm.cdf((value - target) / error), stats.norm.sf((value - target) / error)
        if kpi.better == "up":
            return under
        if kpi.better == "down":
            return over
        return 2 * np.minimum(np.minimum(under, stats.norm.sf((value - high) / error)), 0.5)


def _shrunken(part: pd.DataFrame, kpi: Kpi, usable: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw each value towards its peers; the second array is the 80 % end on the good side of it."""
    value = part["value"].to_numpy(dtype=float)
    error = (part["ci_high"] - part["ci_low"]).to_numpy(dtype=float) / _SUM_OF_TWO_TAILS
    usable = usable & ~np.isnan(error) & (error > 0)
    shrunk, reliability = value.copy(), np.full(len(part), np.nan)
    low, high = value - _Z80 * error, value + _Z80 * error
    if usable.sum() >= 3:
        if kpi.measure.kind == "share":
            peers = shrinkage.beta_binomial(
                part["numerator"].to_numpy()[usable], part["denominator"].to_numpy()[usable]
            )
        else:
            peers = shrinkage.normal_normal(value[usable], error[usable])
        shrunk[usable], reliability[usable] = peers.value, peers.reliability
        low[usable], high[usable] = peers.low_80, peers.high_80
    if kpi.better == "up":
        return shrunk, high, reliability
    if kpi.better == "down":
        return shrunk, low, reliability
    above = value > part["target_high"].to_numpy(dtype=float)
    return shrunk, np.where(above, low, high), reliability


def _finding(row: pd.Series, kind: str, tier: str, sentence: str, action: str) -> dict[str, Any]:
    return {
        **{column: row.get(column, np.nan) for column in COLUMNS},
        "effect": float(np.nan_to_num(row.get("effect", 0.0))),
        "kind": kind,
        "tier": tier,
        "sentence": sentence,
        "action": action,
    }


def _data(own: pd.DataFrame, period: Period) -> list[dict[str, Any]]:
    """Say first where a figure of the whole centre cannot be judged because of its data."""
    blocked = own[(own["level"] == CENTRE) & own["data"].isin(["not fit", "unknown"])]
    return [
        _finding(
            row,
            "data",
            "act",
            f"{row['name']} cannot be judged in {period.short}: {'; '.join(row['reasons'])}.",
            "Have the export corrected; see the data-quality report.",
        )
        for _, row in blocked.iterrows()
    ]


def _improvements(compared: pd.DataFrame, kpi: Kpi, period: Period) -> list[dict[str, Any]]:
    """Say who misses a target for certain, or that nobody stands out and the whole does."""
    rows: list[dict[str, Any]] = []
    systems: list[pd.DataFrame] = []
    for level, part in compared.groupby("level", sort=False):
        missed = part[part["status"].isin(_REAL)]
        if level in (CENTRE, "line_manager") or missed.empty:
            continue
        if level != "agent" and _is_system(part):
            systems.append(_judged(part))
            continue
        for _, row in missed.iterrows():
            rows.append(_improvement(row, str(level), kpi, period))
    if systems:  # told once, at the level with most units
        rows.append(_system(compared, kpi, max(systems, key=len)))
    elif not any(row["tier"] == "act" and row["kind"] == "improve" for row in rows):
        rows += _whole(compared, kpi, period)
    return rows


def _improvement(row: pd.Series, level: str, kpi: Kpi, period: Period) -> dict[str, Any]:
    certain = row["q_value"] <= FALSE_DISCOVERY and row["impact_low"] > 0
    told_apart = level != "agent" or row["reliability"] >= RELIABLE or row["q_value"] <= CLEAR
    tier = "act" if certain and told_apart else "watch"
    kind = "development" if level == "agent" else "improve"
    sentence = text.verdict(row, period=period.short)
    if level == "agent" and row["pooled_periods"] > 1:
        sentence += f" {_together(row, kpi, period)}"
    if tier == "watch":
        sentence += _by_chance(row)
    action = kpi.action_after_review
    if row["status"] == "cannot_meet":
        action = f"More of the same will not do: change the way of working, or the target. {action}"
    return _finding(row, kind, tier, sentence, action)


def _together(row: pd.Series, kpi: Kpi, period: Period) -> str:
    """Say what the last periods of a person are together, which the finding rests on."""
    pooled = _pooled(pd.DataFrame([row]), kpi).iloc[0]
    around = text.interval(pooled)
    evidence = f"n {text.number(pooled['n'])}" + (f", {around}" if around else "")
    value = text.value(pooled["value"], kpi.measure.unit)
    return f"It rests on {text.count(row['pooled_periods'], period.kind)} together: {value} ({evidence})."


def _by_chance(row: pd.Series) -> str:
    among = text.count(row["comparisons"], "comparison")
    return f" Among {among}, though, one like it can come about by chance."


def _judged(part: pd.DataFrame) -> pd.DataFrame:
    return part[~part["status"].isin(["not_judged", "no_target"])]


def _is_system(part: pd.DataFrame) -> bool:
    """Tell whether all units miss the target with nothing but common cause: then the system is the finding."""
    judged = _judged(part)
    if len(judged) < 3:
        return False
    return bool(judged["status"].isin(_MISSED).all() and (judged["variation"] == "common_cause").all())


def _system(compared: pd.DataFrame, kpi: Kpi, part: pd.DataFrame) -> dict[str, Any]:
    centre = compared[compared["level"] == CENTRE]
    row = (centre if len(centre) else part).iloc[0].copy()
    row["effect"] = float(part["effect"].sum())
    row["comparisons"] = len(part)
    if centre.empty:
        row["level"], row["unit"] = CENTRE, CENTRE
    sentence = (
        f"All {len(part)} {text.level(part['level'].iloc[0], 2)} miss the target for {row['name']}, and none stands "
        "out: the cause lies in how the work is organised, not with one of them."
    )
    return _finding(row, "system", "act", sentence, kpi.action_after_review)


def _whole(compared: pd.DataFrame, kpi: Kpi, period: Period) -> list[dict[str, Any]]:
    """Say that the whole centre misses its target where no part of it accounts for that."""
    centre = compared[(compared["level"] == CENTRE) & compared["status"].isin(_REAL)]
    parts = _judged(compared[~compared["level"].isin([CENTRE, "agent", "line_manager"])])
    rows = []
    for _, row in centre.iterrows():
        sentence = text.verdict(row, period=period.short)
        if len(parts):
            sentence += " No single part of it stands out."
        tier = "act" if row["q_value"] <= FALSE_DISCOVERY else "watch"
        if tier == "watch":
            sentence += _by_chance(row)
        rows.append(_finding(row, "system", tier, sentence, kpi.action_after_review))
    return rows


def _signals(own: pd.DataFrame, kpi: Kpi, period: Period) -> list[dict[str, Any]]:
    """Recognise good performance by signal, not by rank; warn of a worsening before the target is missed."""
    rows = []
    wanted = own[own["level"].isin(_SIGNAL_LEVELS) & ~own["status"].isin(["not_judged"])]
    for _, row in wanted.iterrows():
        why = text.RULE_WORDS.get(row["rules"], "")
        if row["variation"] == "improving":
            sentence = f"{text.verdict(row, period=period.short)} The change is real: {why}."
            rows.append(
                _finding(
                    row, "recognise", "note", sentence, "Say so to the people concerned, and find out what they did."
                )
            )
        elif row["variation"] == "worsening" and row["status"] not in _REAL:
            sentence = f"{text.verdict(row, period=period.short)} The change is real: {why}."
            missed = row["status"] == "missed_chance"
            action = "Find out what changed." if missed else "Find out what changed before the target is missed."
            rows.append(_finding(row, "worsening", "watch", sentence, action))
        elif row["variation"] in ("higher", "lower"):
            sentence = f"{text.verdict(row, period=period.short)} It is {row['variation']} than usual: {why}."
            action = "Find out what changed; whether it is good news depends on the reason."
            rows.append(_finding(row, "changed", "note", sentence, action))
    return rows


def _targets(own: pd.DataFrame, kpi: Kpi, period: Period) -> list[dict[str, Any]]:
    """Put targets up for review that are always met, or never; a short history has no usual range to ask besides.

    A target is the whole centre's; of its parts only one is named that cannot meet it as it works now.
    """
    never = (own["status"] == "cannot_meet") & own["level"].isin(_SIGNAL_LEVELS)
    part = own[((own["level"] == CENTRE) | never) & (own["n_judged"] >= SHORT_BASELINE)]
    rows = []
    for _, row in part.iterrows():
        lasting = text.count(row["n_judged"], period.kind)
        if row["assurance"] in ("hits", "none") and row["hit_rate"] == 1.0 and kpi.better != "within":
            sentence = f"{text.verdict(row, period=period.short)} The target was met in each of the last {lasting}."
            rows.append(
                _finding(row, "review_target", "note", sentence, "Ask whether the target still asks for anything.")
            )
        elif row["assurance"] in ("misses", "none") and row["hit_rate"] == 0.0:
            sentence = f"{text.verdict(row, period=period.short)} The target was missed in each of the last {lasting}."
            rows.append(_finding(row, "review_target", "note", sentence, "Change the way of working, or the target."))
    return rows


def _drifting(own: pd.DataFrame, past: pd.DataFrame, kpi: Kpi, period: Period) -> list[dict[str, Any]]:
    """Put a target up for review that told good periods from poor ones, until the usual level moved away from it.

    The last eight periods lie on one side of it, and so does their whole usual range; of at least eight before them,
    under the same target, at least two met it and two did not; and the levels differ by more than chance.
    """
    rows = []
    for _, row in own[(own["level"] == CENTRE) & own["target"].notna()].iterrows():
        line = past[(past["level"] == CENTRE) & _usable(past) & (past["target"] == row["target"])].sort_values("period")
        line = line[line["part"] == line["part"].max()]
        if len(line) < 2 * RECENT:
            continue
        latest, earlier = line.iloc[-RECENT:], line.iloc[:-RECENT]
        values = latest["value"].to_numpy(dtype=float)
        reach = _XMR * float(np.abs(np.diff(values)).mean())
        usual = np.array([*values, values.mean() - reach, values.mean() + reach])
        sides = _side(usual, row, kpi)
        hits = int((_side(earlier["value"].to_numpy(dtype=float), row, kpi) == 0).sum())
        same, told = (sides == sides[0]).all(), 2 <= hits <= len(earlier) - 2
        kept_in_band = kpi.better == "within" and sides[0] == 0  # as it should be
        if not same or not told or kept_in_band:
            continue
        tested = comparison.welch(values, earlier["value"], level=0.99)
        if tested.interval.low <= 0 <= tested.interval.high:
            continue
        sentence = _drifted(row, latest, earlier, hits, met=sides[0] == 0, kpi=kpi, period=period)
        action = "Ask whether the target should follow the level, or the level be brought back."
        rows.append(_finding(row, "review_target", "note", sentence, action))
    return rows


def _side(values: np.ndarray, row: pd.Series, kpi: Kpi) -> np.ndarray:
    """On which side of the target values lie: 0 where they meet it, else 1 above and -1 below."""
    missed = shortfall(values, row["target"], row["target_high"], kpi.better) > 0
    return np.where(missed, np.where(values > row["target"], 1, -1), 0)


def _drifted(
    row: pd.Series, latest: pd.DataFrame, earlier: pd.DataFrame, hits: int, *, met: bool, kpi: Kpi, period: Period
) -> str:
    unit = kpi.measure.unit
    now, then = (float(part["value"].mean()) for part in (latest, earlier))
    n = text.number(float(latest["n"].sum()))
    aim = text.target(row["target"], row["target_high"], kpi.better, unit)
    each = "each" if met else "none"
    return (
        f"{row['name']}: it was {text.value(now, unit)} on average in the last {text.count(len(latest), period.kind)} "
        f"up to {period.short} (n {n}), after {text.value(then, unit)} on average in the {len(earlier)} before; the "
        f"target, {aim}, was met in {hits} of the {len(earlier)} before and in {each} of "
        f"the last {len(latest)}, so it no longer tells a good {period.kind} from a poor one."
    )


def _usable(line: pd.DataFrame) -> pd.Series:
    fit = ~line["excluded"].astype(bool) & ~line["rating"].isin(["not fit", "unknown"])
    return fit & line["value"].notna()


def _untouched(
    own: pd.DataFrame, past: pd.DataFrame, actions: pd.DataFrame, kpi: Kpi, period: Period
) -> list[dict[str, Any]]:
    """Name real misses that have lasted for periods and that no action of the register is about."""
    rows = []
    wanted = own[own["level"].isin(_SIGNAL_LEVELS) & own["status"].isin(_REAL)]
    for _, row in wanted.iterrows():
        line = past[(past["level"] == row["level"]) & (past["unit"] == row["unit"])].sort_values("period")
        line = line[_usable(line)]
        ends = [shortfall(line[end], line["target"], line["target_high"], kpi.better) for end in ("ci_low", "ci_high")]
        reached = (line["ci_low"] <= line["target_high"].fillna(line["target"])) & (line["ci_high"] >= line["target"])
        certain = (np.minimum(*ends) > line["tolerance"]) & ~reached
        lasting = int(certain[::-1].cumprod().sum())
        if lasting < UNTOUCHED or _acted_on(
            actions, kpi, row, Period.parse(line["period"].iloc[-lasting]).start, period
        ):
            continue
        sentence = (
            f"{text.verdict(row, period=period.short)} It has been missed in each of the last "
            f"{text.count(lasting, period.kind)}, and no action in the register is about it."
        )
        action = "Decide what is done about it and enter it in the register of actions, or change the target."
        rows.append(_finding(row, "not_acted_on", "watch", sentence, action))
    return rows


def _acted_on(actions: pd.DataFrame, kpi: Kpi, row: pd.Series, since: Any, period: Period) -> bool:
    """Tell whether an action that can concern the unit is under way, or was decided since the misses began."""
    if actions.empty:
        return False
    about = actions[(actions["kpi"] == kpi.id) & (actions["state"] != "dropped")]
    decided = pd.to_datetime(about["decided_on"]).dt.date
    live = (decided < period.end) & (about["state"].isin(["planned", "running"]) | (decided >= since))
    whole = about["level"].isna() | (about["level"] == CENTRE) | about["unit"].isna()
    mine = (about["level"] == row["level"]) & (about["unit"] == row["unit"])
    part = row["level"] in (CENTRE, "site")  # what is done for a team is done for its site, and for the centre
    return bool((live & (whole | mine | part)).any())


def _rules(rules: pd.DataFrame | None, period: Period) -> list[dict[str, Any]]:
    """Name the rules of the checks that fail period after period; those that only note something are left out."""
    if rules is None or rules.empty:
        return []
    rows = []
    for _, history in rules[rules["severity"] != "note"].groupby("rule", sort=True):
        past = history[(history["period"] <= period.label) & (history["outcome"] != "not assessed")].sort_values(
            "period"
        )
        lasting = int((past["outcome"] == "failed")[::-1].cumprod().sum())
        if lasting < UNTOUCHED or past["period"].iloc[-1] != period.label:
            continue
        last = past.iloc[-1]
        row = pd.Series(
            {"kpi": "", "name": "", "level": CENTRE, "unit": CENTRE, "period": period.label, "n": last["n"]}
        )
        sentence = (
            f"{last['reason']} in {period.short}. This rule has failed in each of the last "
            f"{text.count(lasting, period.kind)}: nobody acts on it."
        )
        rows.append(
            _finding(row, "rule_not_acted_on", "watch", sentence, f"{last['remedy'].rstrip('.')}, or drop the rule.")
        )
    return rows


def _cannot_tell(own: pd.DataFrame, kpi: Kpi, period: Period) -> list[dict[str, Any]]:
    """Say once per KPI where too few cases leave it open whether the target is missed, and how many would tell."""
    groups = own[~own["level"].isin(["agent", "line_manager"])]
    why = groups["reasons"].map(lambda reasons: reasons[0] if len(reasons) else "")
    open_ones = groups[(groups["status"] == "missed_chance") & why.isin([text.REACHES, text.REACHES_TOLERANCE])]
    few = groups[
        (groups["status"] == "not_judged") & (groups["n"] < kpi.minimum_n) & groups["data"].isin(["fit", "caution"])
    ]
    whole = own[own["level"] == CENTRE]
    if whole["status"].isin(_REAL).any():  # what the whole misses for certain is found already
        open_ones = open_ones.iloc[:0]
    needed = _cases_needed(open_ones, kpi)
    open_ones = open_ones[needed <= _NEVER * open_ones["n"]]  # a gap so small that no period tells it is next to none
    needed = needed.reindex(open_ones.index)
    rows = []
    action = "Wait for more cases, or judge longer periods; do not act on it yet."
    if len(open_ones) == 1:
        row = open_ones.iloc[0]
        sentence = f"{text.verdict(row, period=period.short)} {_told_by(row, needed.iloc[0])}"
        rows.append(_finding(row, "cannot_tell", "note", sentence, action))
    elif len(open_ones):
        row = _of_centre(open_ones.iloc[0])
        aim = text.target(row["target"], row["target_high"], kpi.better, kpi.measure.unit)
        tolerance = text.difference(row["tolerance"], kpi.measure.unit)
        missed = f"is missed by more than the agreed tolerance of {tolerance}" if row["tolerance"] else "is missed"
        whole = open_ones["level"] == CENTRE
        nearest = needed[whole].index[0] if whole.any() else needed.idxmin()
        level = str(open_ones.loc[nearest, "level"])
        size = f"the size that {'the centre' if whole.any() else f'one {text.level(level)}'} has"
        sentence = (
            f"{kpi.name}: whether the target, {aim}, {missed} cannot be told yet for {_whom(open_ones)} in "
            f"{period.short}. {_told_by(open_ones.loc[nearest], needed[nearest], size)}"
        )
        rows.append(_finding(row, "cannot_tell", "note", sentence, action))
    if len(few):
        sentence = (
            f"{kpi.name}: {_whom(few)} had fewer than {text.number(kpi.minimum_n)} cases in {period.short}, too few to "
            "hold against a target."
        )
        rows.append(_finding(_of_centre(few.iloc[0]), "cannot_tell", "note", sentence, action))
    return rows


def _of_centre(row: pd.Series) -> pd.Series:
    """A finding about several units belongs to the whole centre and shows the figure of none."""
    hidden = {name: np.nan for name in ("value", "n", "gap", "ci_low", "ci_high") if name in row}
    return pd.Series({**row.to_dict(), **hidden, "level": CENTRE, "unit": CENTRE, "status": "missed_chance"})


def _cases_needed(rows: pd.DataFrame, kpi: Kpi) -> pd.Series:
    """How many cases would show gaps like these: an interval narrows with the root of the cases."""
    gap = shortfall(rows["value"], rows["target"], rows["target_high"], kpi.better) - rows["tolerance"]
    over = rows["value"] > rows["target"]
    reach = (rows["value"] - rows["ci_low"]).where(over, rows["ci_high"] - rows["value"])
    return rows["n"] * (reach / gap) ** 2


def _told_by(row: pd.Series, needed: float, size: str = "this size") -> str:
    return (
        f"About {text.number(float(f'{needed:.2g}'))} cases would tell a gap of {size}; there are "
        f"{text.number(row['n'])}."
    )


def _whom(rows: pd.DataFrame) -> str:
    """Count units by their level, without naming them."""
    parts = []
    for level, group in rows.groupby("level", sort=False):
        parts.append("the centre" if level == CENTRE else f"{len(group)} {text.level(str(level), len(group))}")
    return text.listed(parts)

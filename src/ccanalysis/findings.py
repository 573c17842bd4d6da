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
    "q_value",
    "reliability",
    "effect",
    "comparisons",
    "sentence",
    "action",
]
_KINDS = ("data", "improve", "system", "worsening", "recognise", "changed", "development", "review_target")


def findings(judged: pd.DataFrame, kpis: Sequence[Kpi], period: Period) -> pd.DataFrame:
    """Order what follows from the verdicts of one period by certainty and effect.

    Args:
        judged: What `verdicts.judge` returned for the period.
        kpis: The KPIs.
        period: The period.

    Returns:
        One row per finding with the columns `COLUMNS`. `tier` is `act`, `watch` or `note`; `impact` is the shrunken
        gap times the volume, in contacts, seconds or events; `effect` is the same in contacts' worth. Rows of one tier
        stand in the order of the register, the centre's own priorities, and within a KPI by effect: two KPIs have no
        common currency. `comparisons` says how many units were compared.
    """
    rows: list[dict[str, Any]] = []
    if len(judged):  # whoever is not assigned is nobody who could act
        judged = judged[~judged["experimental"] & (judged["unit"] != UNASSIGNED)]
    for kpi in kpis:
        own = judged[judged["kpi"] == kpi.id] if len(judged) else judged
        if own.empty:
            continue
        compared = _compared(own, kpi)
        rows += _data(own, period)
        rows += _improvements(compared, kpi, period)
        rows += _signals(own, kpi, period)
        rows += _targets(own, kpi, period)
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
        `kpi, name, level, unit, status_before, status, variation_before, variation`.
    """
    keys = ["kpi", "level", "unit"]
    if verdicts.empty or before.empty:
        return pd.DataFrame(columns=["name", *keys, "status_before", "status", "variation_before", "variation"])
    joined = verdicts.merge(before[[*keys, "status", "variation"]], on=keys, suffixes=("", "_before"))
    moved = (joined["status"] != joined["status_before"]) | (joined["variation"] != joined["variation_before"])
    return joined.loc[moved, ["name", *keys, "status_before", "status", "variation_before", "variation"]]


def _compared(own: pd.DataFrame, kpi: Kpi) -> pd.DataFrame:
    """Add p- and q-values against the target, and gaps shrunken to the peers of a level.

    The units of all levels are one family of comparisons, so that a KPI with many levels names no more by chance than
    one with few; people are a family of their own.
    """
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
        parts.append(part)
    compared = pd.concat(parts)
    family = compared["p_value"].groupby(compared["level"] == "agent")
    compared["q_value"] = family.transform(lambda p: comparison.benjamini_hochberg(p.to_numpy()))
    compared["comparisons"] = family.transform("count").astype(int)
    return compared


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
            # the peers' own mean is estimated too; normal_normal allows for it already
            about = 1 / np.sqrt((1 / (error[usable] ** 2 + peers.prior["sd"] ** 2)).sum())
        else:
            peers, about = shrinkage.normal_normal(value[usable], error[usable]), 0.0
        shrunk[usable], reliability[usable] = peers.value, peers.reliability
        drift = _Z80 * (1 - peers.reliability) * about
        low[usable] = peers.value - np.hypot(peers.value - peers.low_80, drift)
        high[usable] = peers.value + np.hypot(peers.high_80 - peers.value, drift)
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
        sentence += f" It rests on {row['pooled_periods']} periods together, {text.number(row['pooled_n'])} cases."
    if tier == "watch":
        sentence += _by_chance(row)
    return _finding(row, kind, tier, sentence, kpi.action_after_review)


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
            rows.append(
                _finding(row, "worsening", "watch", sentence, "Find out what changed before the target is missed.")
            )
        elif row["variation"] in ("higher", "lower"):
            sentence = f"{text.verdict(row, period=period.short)} It is {row['variation']} than usual: {why}."
            action = "Find out what changed; whether it is good news depends on the reason."
            rows.append(_finding(row, "changed", "note", sentence, action))
    return rows


def _targets(own: pd.DataFrame, kpi: Kpi, period: Period) -> list[dict[str, Any]]:
    """Put targets up for review that are always met, or never; a short history has no usual range to ask besides."""
    part = own[(own["level"] == CENTRE) & (own["n_judged"] >= SHORT_BASELINE)]
    rows = []
    for _, row in part.iterrows():
        if row["assurance"] in ("hits", "none") and row["hit_rate"] == 1.0 and kpi.better != "within":
            sentence = f"{row['name']}: the target was met in each of the last {row['n_judged']} periods."
            rows.append(
                _finding(row, "review_target", "note", sentence, "Ask whether the target still asks for anything.")
            )
        elif row["assurance"] in ("misses", "none") and row["hit_rate"] == 0.0:
            sentence = f"{row['name']}: the target was missed in each of the last {row['n_judged']} periods."
            rows.append(_finding(row, "review_target", "note", sentence, "Change the way of working, or the target."))
    return rows

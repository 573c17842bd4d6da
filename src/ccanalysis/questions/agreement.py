"""How far evaluators agree, who marks apart, what scores were without that, and what to evaluate next month.

Agreement is measured on contacts that several evaluators scored. No single coefficient tells it: equal points are
frequent by chance where nearly all pass, and kappa collapses there, so several stand side by side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ccanalysis.errors import StatisticsError
from ccanalysis.questions import evaluations as rated
from ccanalysis.questions.data import Data, Frame
from ccanalysis.statistics import agreement, comparison, intervals, sampling
from ccanalysis.statistics.icc import IntraclassCorrelation, icc

# From when on scores support conclusions, and tentative ones (Krippendorff, Content Analysis, 2019, chapter 12).
RELIABLE, TENTATIVE = 0.8, 0.667
# A difference of so much of a score between evaluators is worth calibrating; one whose interval lies within it is none.
ALIKE = 0.05
# Half the width of the interval that a team's score of a month should have.
MARGIN = 0.03
# From when on the evaluated contacts differ from all contacts in a way that matters: in shares.
MATERIAL = 0.05
# Fewest contacts with several evaluators for agreement to be told.
FEWEST_CONTACTS = 10
# The measures of agreement, in the order of the report.
MEASURES = ("equal", "ac1", "ac2", "kappa", "alpha", "alpha_corrected", "icc")
ALL = "all evaluators"
_RESAMPLES = 499
_AGREEMENT = ["criterion", "measure", "n", "evaluators", "value", "ci_low", "ci_high", "outcome"]
_EVALUATORS = [
    *("level", "unit", "n_same", "same", "same_low", "same_high", "same_q", "n_met", "met", "met_low", "met_high"),
    *("met_q", "n_expert", "expert", "expert_low", "expert_high", "consistency", "consistency_low"),
    *("consistency_high", "outcome", "needed"),
]
_CRITERIA = ["level", "unit", "criterion", "n_same", "value", "ci_low", "ci_high", "q_value", "outcome"]
_TEAMS = ["level", "unit", "n", "people", "value", "adjusted", "ci_low", "ci_high", "difference", "by_apart"]
_PAIRS = ["level", "unit", "other", "n_same", "value", "ci_low", "ci_high", "difference", "low", "high", "q_value"]
_CALIBRATE = ["level", "unit", "other", "criterion", "reason"]
_PLAN = ["level", "unit", "channel", "contacts", "evaluated", "margin", "wanted", "planned", "planned_margin", "sd"]
_DRAW = ["level", "unit", "use", "place", "team", "channel", "contact_id"]
_AUDIT = [
    *("dimension", "category", "contacts", "n", "share", "evaluated", "ci_low", "ci_high", "difference", "q_value"),
    "outcome",
]
_COVERAGE = ["contacts", "n", "share", "people", "people_without", "evaluators", "calibrated"]


def answer(data: Data) -> Mapping[str, Frame]:
    """Return the frames of the question.

    Args:
        data: The tables of the window.

    Returns:
        `agreement`: per criterion (empty is the whole form) and measure, its value with its interval. `evaluators`:
        by how much each marks above the others, on the `same` contacts and over those `met`, against the `expert`,
        and the `outcome`. `criteria`: the same by criterion. `teams`: scores as they are and corrected. `pairs`:
        agreement of each two. `calibrate`: who should calibrate with whom, on what. `plan`: how many to evaluate next
        month, per team and channel. `draw`: contacts of the last month, drawn at random, with the evaluator each
        falls to. `audit`: the evaluated contacts beside all contacts. `coverage`: one row, of the last month.
    """
    rows = rated.read(data)
    nought = rated.failed_count_as_nought(data)
    points = rated.scored(rows, nought=nought)
    monitored, _ = rated.labelled(points[points["source"] == rated.MONITORING])
    monitored = monitored[monitored["current"]]
    whole = rated.wholes(monitored)
    several = _several(data, points)
    sessions = rated.wholes(several)
    evaluators = _evaluators(sessions, whole)
    criteria = _criteria(several)
    apart = _apart(evaluators)
    plan, draw = _planned(data, whole, evaluators)
    return {
        "agreement": Frame(_agreement(several, sessions, apart), ["criterion", "measure"]),
        "evaluators": Frame(evaluators, ["level", "unit"]),
        "criteria": Frame(criteria, ["level", "unit", "criterion"]),
        "teams": Frame(_teams(monitored, apart), ["level", "unit"]),
        "pairs": Frame(_pairs(sessions), ["level", "unit", "other"]),
        "calibrate": Frame(_calibrate(evaluators, criteria, sessions), ["level", "unit", "other"]),
        "plan": Frame(plan, ["level", "unit", "channel"]),
        "draw": Frame(draw, ["level", "unit", "contact_id"]),
        "audit": Frame(_audit(data), ["dimension", "category"]),
        "coverage": Frame(_coverage(data, whole, sessions), ["contacts"]),
    }


def _several(data: Data, points: pd.DataFrame) -> pd.DataFrame:
    """Return the points of contacts that several evaluators scored: of calibration, else of call monitoring."""
    known = points.dropna(subset=["contact_id", "evaluator_id"])
    for source in (rated.CALIBRATION, rated.MONITORING):
        part = known[known["source"] == source]
        part = part[part.groupby("contact_id")["evaluator_id"].transform("nunique") > 1]
        if len(part):
            if source == rated.MONITORING:
                data.notes.append("No calibration was given; contacts that several evaluators monitored stand for it.")
            # an evaluator who scored a contact twice counts once, with the later one
            part = part.sort_values(["day", "evaluation_id"])
            last = part.groupby(["contact_id", "evaluator_id"])["evaluation_id"].transform("last")
            return part[part["evaluation_id"] == last]
    data.notes.append("No contact was scored by several evaluators, so their agreement is not known.")
    return known.iloc[:0]


def _table(part: pd.DataFrame, value: str) -> pd.DataFrame:
    """Lay values out with a row per contact and a column per evaluator."""
    return part.pivot_table(index="contact_id", columns="evaluator_id", values=value, aggfunc="last", sort=True)


def _agreement(several: pd.DataFrame, sessions: pd.DataFrame, apart: pd.DataFrame) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    effects = apart.loc[~apart["reference"].astype(bool)].set_index("unit")["value"]
    for criterion, part in several.groupby("criterion", sort=True):
        table = _table(part, "points")
        about = {"criterion": criterion, "n": len(table), "evaluators": table.shape[1], "outcome": ""}
        if len(table) < FEWEST_CONTACTS:
            blank = dict.fromkeys(("value", "ci_low", "ci_high"), np.nan)
            rows += [about | {"measure": measure, "outcome": "cannot tell"} | blank for measure in MEASURES]
            continue
        highest = float(part["max_points"].max())
        shift = part["evaluator_id"].map(effects).astype(float).fillna(0.0) * highest
        for measure, found in _measures(table, _table(part.assign(points=part["points"] - shift), "points")).items():
            rows.append(about | {"measure": measure} | found)
    if len(sessions):
        shift = sessions["evaluator_id"].map(effects).astype(float).fillna(0.0)
        without = sessions.assign(score=sessions["score"] - shift)
        for measure, part in (("icc", sessions), ("icc_corrected", without)):
            table = _table(part, "score")
            about = {"criterion": "", "n": len(table), "evaluators": table.shape[1], "outcome": "", "measure": measure}
            rows.append(about | _ends(_icc(table) if len(table) >= FEWEST_CONTACTS else None))
    frame = pd.DataFrame(rows, columns=_AGREEMENT)
    judged = frame["measure"].isin(["alpha", "alpha_corrected", "icc", "icc_corrected"])
    told = np.select(
        [frame["ci_low"] >= RELIABLE, frame["ci_low"] >= TENTATIVE, frame["ci_high"] < TENTATIVE],
        ["reliable", "tentative", "not reliable"],
        "cannot tell",
    )
    return frame.assign(outcome=np.where(judged, told, frame["outcome"]))


def _measures(table: pd.DataFrame, corrected: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the measures of agreement on one criterion."""
    each = [agreement.percent_agreement([row]) for row in table.to_numpy() if np.isfinite(row).sum() > 1]
    low, high = intervals.mean_t(each)
    found = {"equal": {"value": float(np.mean(each)), "ci_low": max(float(low), 0.0), "ci_high": min(float(high), 1.0)}}
    pair = table.shape[1] == 2
    kappa = agreement.cohen_kappa if pair else agreement.fleiss_kappa
    for name, made in (
        ("ac1", lambda: agreement.gwet_ac(table)),
        ("ac2", lambda: agreement.gwet_ac(table, weights="linear")),
        ("kappa", lambda: kappa(table, weights="linear")),
        ("alpha", lambda: agreement.krippendorff_alpha(table, measurement="ordinal", resamples=_RESAMPLES)),
        (
            "alpha_corrected",
            lambda: agreement.krippendorff_alpha(corrected, measurement="interval", resamples=_RESAMPLES),
        ),
    ):
        try:
            one = made()
        except StatisticsError:
            found[name] = _ends(None)
            continue
        found[name] = {"value": one.estimate, "ci_low": one.interval.low, "ci_high": one.interval.high}
    found["icc"] = _ends(_icc(table))
    return found


def _icc(table: pd.DataFrame) -> IntraclassCorrelation | None:
    """Return the intraclass correlation of single scores: of the same evaluators throughout where there are such."""
    try:
        if len(table.dropna()) >= FEWEST_CONTACTS:
            return icc(table.to_numpy())
        counts = table.notna().sum(axis=1)
        fewest = int(counts[counts > 1].min()) if (counts > 1).any() else 0
        given = [row[np.isfinite(row)][:fewest] for row in table[counts >= max(fewest, 2)].to_numpy()]
        return icc(np.array(given), model="oneway") if len(given) >= FEWEST_CONTACTS else None
    except StatisticsError:
        return None


def _ends(found: IntraclassCorrelation | None) -> dict[str, float]:
    if found is None:
        return dict.fromkeys(("value", "ci_low", "ci_high"), np.nan)
    return {"value": found.estimate, "ci_low": found.interval.low, "ci_high": found.interval.high}


def _evaluators(sessions: pd.DataFrame, whole: pd.DataFrame) -> pd.DataFrame:
    """Say by how much each evaluator marks above the others: on the same contacts, and over whom they met."""
    same = rated.severity(sessions, "contact_id").set_index("unit")
    met = rated.in_monitoring(whole).set_index("unit") if len(whole) else same.iloc[:0]
    rows = []
    for unit in sorted(set(same.index) | set(met.index)):
        row: dict[str, Any] = dict.fromkeys(_EVALUATORS, np.nan) | {"level": "evaluator", "unit": str(unit)}
        stands = []
        for name, found in (("same", same), ("met", met)):
            row[f"n_{name}"] = 0
            if unit not in found.index:
                continue
            one = found.loc[unit]
            row |= {f"n_{name}": int(one["n"]), name: one["value"], f"{name}_low": one["ci_low"]}
            row |= {f"{name}_high": one["ci_high"], f"{name}_q": one["q_value"]}
            if one["q_value"] <= rated.FALSE_DISCOVERIES:
                stands.append(float(one["value"]))
        row |= _beside(sessions, str(unit))
        row |= {"outcome": _outcome(row, stands)}
        if row["outcome"] == "cannot tell":
            row["needed"] = _needed(same, str(unit))
        rows.append(row)
    return pd.DataFrame(rows, columns=_EVALUATORS)


def _outcome(row: Mapping[str, Any], stands: list[float]) -> str:
    """One who stands apart both ways, or in one way and not the other, is called so; opposite findings tell nothing."""
    if stands and (min(stands) > 0 or max(stands) < 0):
        return "severe" if stands[0] < 0 else "lenient"
    within = [
        row[f"{name}_low"] >= -ALIKE and row[f"{name}_high"] <= ALIKE
        for name in ("same", "met")
        if np.isfinite(row[f"{name}_low"])
    ]
    return "as others" if any(within) and not stands else "cannot tell"


def _beside(sessions: pd.DataFrame, unit: str) -> dict[str, Any]:
    """Hold an evaluator against the expert, and say whether they order contacts as the mean of the others does."""
    row: dict[str, Any] = {"n_expert": 0}
    if sessions.empty or not (sessions["evaluator_id"] == unit).any():
        return row
    table = _table(sessions, "score")
    own = table[unit]
    others = table.drop(columns=[unit]).mean(axis=1)
    both = pd.concat([own, others], axis=1).dropna()
    if len(both) >= FEWEST_CONTACTS:
        found = icc(both.to_numpy(), kind="consistency")
        row |= {"consistency": found.estimate, "consistency_low": found.interval.low}
        row |= {"consistency_high": found.interval.high}
    marked = sessions[sessions["expert"].astype(bool)]
    experts = marked[marked["evaluator_id"] != unit].groupby("contact_id")["score"].mean()
    apart = (own - experts).dropna()
    row["n_expert"] = len(apart)
    if len(apart) >= FEWEST_CONTACTS:
        tested = comparison.mean_test(apart, 0.0)
        row |= {"expert": tested.estimate, "expert_low": tested.interval.low, "expert_high": tested.interval.high}
    return row


def _needed(same: pd.DataFrame, unit: str) -> float:
    """Return how many contacts, scored with the others, would tell an evaluator's severity to within what matters."""
    if unit not in same.index or not np.isfinite(same.loc[unit, "se"]):
        return float(FEWEST_CONTACTS)
    spread = float(same.loc[unit, "se"]) * float(np.sqrt(same.loc[unit, "n"]))
    wanted = float(sampling.sample_size_proportion(ALIKE / 2, share=rated.share_of_spread(spread)))
    return max(wanted, float(same.loc[unit, "n"]) + 1)


def _apart(evaluators: pd.DataFrame) -> pd.DataFrame:
    """Return by what the points of evaluators who mark apart are corrected: as seen over many, else on the same."""
    stands = evaluators["outcome"].isin(["severe", "lenient"])
    return pd.DataFrame(
        {
            "unit": evaluators["unit"],
            "value": evaluators["met"].fillna(evaluators["same"]).astype(float).fillna(0.0),
            "reference": ~stands,
        }
    )


def _criteria(several: pd.DataFrame) -> pd.DataFrame:
    """Say on which criteria an evaluator marks apart, on the same contacts."""
    parts = []
    for criterion, part in several.groupby("criterion", sort=True):
        found = rated.severity(part, "contact_id", value="share")
        parts.append(found.assign(criterion=criterion))
    if not parts:
        return pd.DataFrame(columns=_CRITERIA)
    frame = pd.concat(parts, ignore_index=True)
    frame["q_value"] = rated.q_values(frame["p_value"])
    stands = frame["q_value"] <= rated.FALSE_DISCOVERIES
    frame["outcome"] = np.select(
        [stands & (frame["value"] < 0), stands & (frame["value"] > 0)], ["severe", "lenient"], "not apart"
    )
    return frame.assign(level="evaluator").rename(columns={"n": "n_same"})[_CRITERIA]


def _teams(monitored: pd.DataFrame, apart: pd.DataFrame) -> pd.DataFrame:
    """Return the score of the centre and of each team, as it is and without what evaluators who mark apart add."""
    known = set(apart.loc[~apart["reference"].astype(bool), "unit"])
    whole = rated.wholes(monitored)
    without = rated.wholes(rated.corrected(monitored, apart))
    groups = [("centre", "centre", whole.index)] if len(whole) else []
    for team, part in whole.dropna(subset=["team"]).groupby("team", sort=True):
        people = part["agent_id"].nunique()
        if people == 0 or people >= rated.FEWEST_PEOPLE:
            groups.append(("team", str(team), part.index))
    rows = []
    for level, unit, index in groups:
        plain, found = rated.ratio(whole.loc[index]), rated.ratio(without.loc[index])
        row = {"level": level, "unit": unit, "n": plain["n"], "people": plain["people"], "value": plain["value"]}
        row |= {"adjusted": found["value"], "ci_low": found["ci_low"], "ci_high": found["ci_high"]}
        row |= {"difference": found["value"] - plain["value"]}
        row["by_apart"] = float(whole.loc[index, "evaluator_id"].isin(known).mean())
        rows.append(row)
    return pd.DataFrame(rows, columns=_TEAMS)


def _pairs(sessions: pd.DataFrame) -> pd.DataFrame:
    """Compare each two evaluators on the contacts that both scored."""
    if sessions.empty:
        return pd.DataFrame(columns=_PAIRS)
    table = _table(sessions, "score")
    rows, p_values = [], []
    for place, first in enumerate(table.columns):
        for second in table.columns[place + 1 :]:
            both = table[[first, second]].dropna()
            row: dict[str, Any] = dict.fromkeys(_PAIRS, np.nan)
            row |= {"level": "evaluator", "unit": str(first), "other": str(second), "n_same": len(both)}
            p_value = np.nan
            if len(both) >= FEWEST_CONTACTS:
                tested = comparison.mean_test(both[first] - both[second], 0.0)
                row |= _ends(icc(both.to_numpy()))
                row |= {"difference": tested.estimate, "low": tested.interval.low, "high": tested.interval.high}
                p_value = tested.p
            rows.append(row)
            p_values.append(p_value)
    return pd.DataFrame(rows, columns=_PAIRS).assign(q_value=rated.q_values(p_values))


def _calibrate(evaluators: pd.DataFrame, criteria: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """Say who should calibrate with whom: whoever marks apart with the expert, else with who lies in the middle."""
    experts = sessions.loc[sessions["expert"].astype(bool), "evaluator_id"] if len(sessions) else pd.Series(dtype=str)
    usual = evaluators[~evaluators["outcome"].isin(["severe", "lenient"])]
    usual = usual.assign(far=usual["met"].fillna(usual["same"]).astype(float).abs()).sort_values(["far", "unit"])
    rows = []
    for row in evaluators[evaluators["outcome"].isin(["severe", "lenient"])].to_dict("records"):
        known = [str(one) for one in experts.value_counts().index if one != row["unit"]]
        middle = usual["unit"].tolist()
        other = next(iter([*known, *middle]), "")
        own = criteria[(criteria["unit"] == row["unit"]) & (criteria["outcome"] == row["outcome"])]
        widest = own.loc[own["value"].abs().idxmax(), "criterion"] if len(own) else ""
        reason = "the expert" if known else "nearest to the middle"
        rows.append({"level": "evaluator", "unit": row["unit"], "other": other, "criterion": widest, "reason": reason})
    return pd.DataFrame(rows, columns=_CALIBRATE)


def _planned(data: Data, whole: pd.DataFrame, evaluators: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Say how many contacts of each team and channel to evaluate next month, and draw them from the last one."""
    nothing = pd.DataFrame(columns=_PLAN), pd.DataFrame(columns=_DRAW)
    if not data.fills("contacts", "team") or whole.empty:
        return nothing
    handled = data.sql(
        f"SELECT contact_id, team, coalesce(channel, '') AS channel FROM {data.window('contacts', since=_start(data))} "
        "WHERE outcome = 'answered' AND team IS NOT NULL ORDER BY contact_id"
    )
    if handled.empty:
        return nothing
    late = whole[whole["day"] >= pd.Timestamp(_start(data))]
    spread = whole.groupby("team")["score"].std(ddof=1)
    usual = float(whole["score"].std(ddof=1))
    teams = handled.groupby("team").size().rename("contacts").reset_index()
    teams["sd"] = teams["team"].map(spread).astype(float).fillna(usual if np.isfinite(usual) else 0.5)
    teams["evaluated"] = teams["team"].map(late.groupby("team").size()).fillna(0).astype(int)
    shares = [rated.share_of_spread(sd) for sd in teams["sd"]]
    teams["wanted"] = sampling.sample_size_proportion(MARGIN, share=shares, population=teams["contacts"])
    time = int(teams["evaluated"].sum())
    enough = time == 0 or teams["wanted"].sum() <= time
    teams["planned"] = teams["wanted"] if enough else sampling.allocate(time, teams["wanted"])
    for name, column in (("evaluated", "margin"), ("planned", "planned_margin")):
        drawn = np.minimum(teams[name], teams["contacts"])
        teams[column] = sampling.margin_of_error(drawn, share=shares, population=teams["contacts"])
    rows = []
    for team in teams.itertuples():
        about = {"level": "team", "unit": team.team}
        rows.append(about | {"channel": ""} | {name: getattr(team, name) for name in _PLAN[3:]})
        part = handled[handled["team"] == team.team].groupby("channel").size()
        counts = sampling.allocate(int(team.planned), part.to_numpy())
        done = late[late["team"] == team.team].groupby("channel").size()
        for channel, contacts, planned in zip(part.index, part, counts, strict=True):
            row = about | {"channel": channel, "contacts": contacts, "planned": planned}
            rows.append(row | {"evaluated": int(done.get(channel, 0))})
    plan = pd.DataFrame(rows, columns=_PLAN)
    return plan, _drawn(data, handled, plan, late, evaluators)


def _start(data: Data) -> Any:
    return max(data.period.start, data.since)


def seed(centre: str, period: str) -> int:
    """Return the seed of the draw of a month: it follows from the names alone, so nobody can choose it."""
    return int(hashlib.sha256(f"{centre} {period}".encode()).hexdigest()[:8], 16)


def _drawn(
    data: Data, handled: pd.DataFrame, plan: pd.DataFrame, late: pd.DataFrame, evaluators: pd.DataFrame
) -> pd.DataFrame:
    """Draw contacts that nobody has evaluated yet; each falls to an evaluator at random, as evenly as can be.

    Beside them as many are drawn for calibration, which all evaluators score, as tell in half a year who marks apart.
    """
    number = seed(str(data.results.facts["centre"]), data.period.label)
    data.notes.append(
        f"The draw follows from the random seed {number}, made from the names of the centre and the month: the same "
        "data give the same contacts, and nobody chooses them."
    )
    random = np.random.default_rng(number)
    done = set(data.sql("SELECT DISTINCT contact_id FROM evaluations WHERE contact_id IS NOT NULL")["contact_id"])
    free = handled[~handled["contact_id"].isin(done)]
    active = sorted(late["evaluator_id"].dropna().astype(str).unique()) or sorted(evaluators["unit"])
    parts = []
    for row in plan[(plan["channel"] != "") | ~plan["unit"].duplicated(keep=False)].itertuples():
        part = free[(free["team"] == row.unit) & (free["channel"] == row.channel)]
        take = min(int(row.planned), len(part))
        parts.append(part.iloc[np.sort(random.choice(len(part), take, replace=False))] if take else part.iloc[:0])
    chosen = pd.concat(parts) if parts else free.iloc[:0]
    # one draw after the other falls to the next evaluator: each meets each team about as often
    chosen = chosen.iloc[random.permutation(len(chosen))].sort_values("team", kind="stable")
    order = list(random.permutation(active)) if active else [""]
    chosen = chosen.assign(unit=[str(order[place % len(order)]) for place in range(len(chosen))], use="evaluation")
    rest = free[~free["contact_id"].isin(chosen["contact_id"])]
    take = min(calibrations(evaluators), len(rest)) if len(active) > 1 else 0
    common = rest.iloc[np.sort(random.choice(len(rest), take, replace=False))] if take else rest.iloc[:0]
    found = pd.concat([common.assign(unit=ALL, use="calibration"), chosen], ignore_index=True)
    found["place"] = random.permutation(len(found)) + 1
    return found.assign(level="evaluator")[_DRAW].sort_values(["unit", "place"])


# How many months calibration may take to tell who marks apart, and the fewest contacts a month.
_MONTHS, _FEWEST_A_MONTH = 6, 4


def calibrations(evaluators: pd.DataFrame) -> int:
    """Return how many contacts a month all evaluators should score, so that half a year tells who marks apart."""
    known = evaluators.dropna(subset=["same_low", "same_high"])
    if known.empty:
        return _FEWEST_A_MONTH
    # a half-width of the interval now, of so many contacts; it shrinks with the root of their number
    half = float(((known["same_high"] - known["same_low"]) / 2).median())
    wanted = float(known["n_same"].median()) * (half / (ALIKE / 2)) ** 2
    return max(_FEWEST_A_MONTH, int(np.ceil(wanted / _MONTHS)))


_DIMENSIONS = {
    "queue": "queue",
    "channel": "channel",
    "team": "team",
    "hour of the day": "CASE WHEN local_hour < 10 THEN 'before 10:00' WHEN local_hour < 13 THEN '10:00 to 13:00' "
    "WHEN local_hour < 16 THEN '13:00 to 16:00' ELSE 'from 16:00' END",
    "day of the week": "dayname(local_date)",
    "handling time": "CASE ntile(4) OVER (PARTITION BY channel ORDER BY coalesce(talk_s, 0) + coalesce(hold_s, 0) + "
    "coalesce(acw_s, 0), contact_id) WHEN 1 THEN 'shortest quarter' WHEN 2 THEN 'second quarter' "
    "WHEN 3 THEN 'third quarter' ELSE 'longest quarter' END",
}
_READS = {"hour of the day": "local_hour", "day of the week": "local_date", "handling time": "talk_s"}


def _audit(data: Data) -> pd.DataFrame:
    """Hold the evaluated contacts against all contacts: is each kind among them as often as it should be?"""
    if not data.fills("contacts", "contact_id") or not data.fills("evaluations", "contact_id"):
        return pd.DataFrame(columns=_AUDIT)
    rows: list[dict[str, Any]] = []
    p_values = {}
    for dimension, kind in _DIMENSIONS.items():
        if not data.fills("contacts", _READS.get(dimension, dimension)):
            continue
        found = data.sql(
            f"WITH every AS (SELECT contact_id, {kind} AS category FROM {data.window('contacts')} "
            "WHERE outcome = 'answered'), "
            f"seen AS (SELECT DISTINCT contact_id FROM {data.window('evaluations')} WHERE source = $source "
            "AND NOT coalesce(withdrawn, false)) "
            "SELECT category, count(*) AS contacts, count(seen.contact_id) AS n FROM every LEFT JOIN seen "
            "USING (contact_id) WHERE category IS NOT NULL GROUP BY category ORDER BY category",
            {"source": rated.MONITORING},
        )
        if len(found) < 2 or found["n"].sum() == 0:
            continue
        total, seen = int(found["contacts"].sum()), int(found["n"].sum())
        p_values[dimension] = comparison.heterogeneity(found["n"], found["contacts"]).p
        for row in found.itertuples():
            low, high = intervals.wilson(row.n, seen)
            share, evaluated = row.contacts / total, row.n / seen
            one = {"dimension": dimension, "category": row.category, "contacts": row.contacts, "n": row.n}
            one |= {"share": share, "evaluated": evaluated, "ci_low": float(low), "ci_high": float(high)}
            rows.append(one | {"difference": evaluated - share})
    frame = pd.DataFrame(rows, columns=_AUDIT)
    if frame.empty:
        return frame
    frame["q_value"] = frame["dimension"].map(dict(zip(p_values, rated.q_values(list(p_values.values())), strict=True)))
    widest = frame["difference"].abs().groupby(frame["dimension"]).transform("max")
    ends = np.maximum((frame["ci_high"] - frame["share"]).abs(), (frame["ci_low"] - frame["share"]).abs())
    reach = ends.groupby(frame["dimension"]).transform("max")
    frame["outcome"] = np.select(
        [(frame["q_value"] <= rated.FALSE_DISCOVERIES) & (widest >= MATERIAL), reach < 2 * MATERIAL],
        ["differs", "alike"],
        "cannot tell",
    )
    return frame


def _coverage(data: Data, whole: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """Count what was evaluated in the last month, of what, and how many people nobody evaluated."""
    if whole.empty:
        return pd.DataFrame(columns=_COVERAGE)
    late = whole[whole["day"] >= pd.Timestamp(_start(data))]
    row: dict[str, Any] = dict.fromkeys(_COVERAGE, np.nan) | {"n": len(late)}
    row |= {"evaluators": late["evaluator_id"].nunique()}
    row["calibrated"] = (
        int(sessions.loc[sessions["day"] >= pd.Timestamp(_start(data)), "contact_id"].nunique()) if len(sessions) else 0
    )
    if data.has("contacts"):
        handled = data.sql(
            "SELECT count(*) AS contacts, count(DISTINCT agent_id) AS people, count(DISTINCT agent_id) FILTER "
            "(WHERE agent_id NOT IN (SELECT unnest($known))) AS people_without "
            f"FROM {data.window('contacts', since=_start(data))} WHERE outcome = 'answered'",
            {"known": late["agent_id"].dropna().astype(str).tolist() or [""]},
        ).iloc[0]
        row |= {name: float(handled[name]) for name in ("contacts", "people", "people_without")}
        row["share"] = len(late) / handled["contacts"] if handled["contacts"] else np.nan
    return pd.DataFrame([row], columns=_COVERAGE)

"""The monitoring of the monitoring: what is looked at, how surely, what it tells, what it costs, and what to change.

Nothing here is about one person: of agents there are counts alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from ccanalysis.errors import StatisticsError
from ccanalysis.periods import Period
from ccanalysis.questions.data import Data, Frame
from ccanalysis.statistics import agreement, intervals, sampling
from ccanalysis.statistics.comparison import benjamini_hochberg, heterogeneity
from ccanalysis.verdicts import shortfall

# No table says how long an evaluation takes. Listening takes as long as the contact did; filling in the form and
# talking it over are assumed to take so many minutes.
MINUTES_PER_FORM = 10.0
# A share of a unit is wanted to so many points either way; a centre that wants other evidence changes this.
MARGIN = 0.05
FALSE_DISCOVERIES = 0.05
# So many evaluations of an agent in a period say next to nothing of that agent.
FEW_PER_AGENT = 3
# Periods from which on it is said that something always or never happens.
FEWEST_PERIODS = 8
# Sources that colleagues spend time on; what customers fill in costs the centre none.
_BY_COLLEAGUES = ("call_monitoring", "self", "peer_observation", "peer_feedback", "calibration")
_IN_A_MONTH = {"hour": 30.4 * 24, "day": 30.4, "week": 30.4 / 7}
_PERSONS = ("agent", "line_manager", "evaluator")
_SURVEYED = ("csat", "nps", "customer_effort", "low_effort", "fcr_survey")

_COVERAGE = ["level", "unit", "contacts", "n", "share", "ci_low", "ci_high", "margin", "wanted"]
_TESTED = ["by", "units", "n", "p_value", "q_value", "outcome"]
_PEOPLE = ["agents", "without", "few", "median"]
_AGREEMENT = ["contacts", "raters", "n", "value", "ci_low", "ci_high", "basis"]
_RULES = ["rule", "table", "about", "severity", "periods", "failed", "cases", "state", "most_share"]
_KPIS = [
    "kpi",
    "name",
    "at",
    "unit_of_value",
    "frequency",
    "figures",
    "units",
    "n_median",
    "n_to_tell",
    "met",
    "signals",
]
_KPIS += ["signal_share", "state", "proposal"]
_FOUND = ["kind", "kpi", "name", "level", "unit", "sentence", "action"]
_TIME = ["source", "n", "listening_h", "forms_h", "hours", "money"]
_REPORTS = ["due", "issued", "on_time", "passed"]
_PROPOSALS = ["kpi", "why", "block"]


def answer(data: Data) -> Mapping[str, Frame]:
    """Return the frames of the question.

    Args:
        data: The tables of the window.

    Returns:
        `coverage`: contacts of the last period and how many of them were evaluated, of the centre and by team and
        channel, with the margin to which a share is told and how many evaluations the wanted one takes. `tested`:
        whether coverage differs by team or channel. `people`: how many agents had no evaluation. `agreement`: one
        figure with its interval. `rules`: what each rule of the checks did in the window. `kpis`: how often figures
        of a KPI met their target, gave a signal, and how often to report it. `found`: targets to review and what
        nobody acts on. `time`: evaluations, hours and, where costs are given, money of the period. `reports`: reports
        due and issued. `proposals`: KPIs that are missing, ready for the register.
    """
    drawn = _evaluated(data)
    coverage = _coverage(drawn)
    return {
        "coverage": Frame(coverage, ["level", "unit"]),
        "tested": Frame(_tested(coverage), ["by"]),
        "people": Frame(_people(drawn), []),
        "agreement": Frame(_agreement(data), []),
        "rules": Frame(_rules(data), ["rule"]),
        "kpis": Frame(_kpis(data), ["kpi", "at"]),
        "found": Frame(_found(data), ["kind", "kpi", "level", "unit"]),
        "time": Frame(_time(data), ["source"]),
        "reports": Frame(_reports(data), []),
        "proposals": Frame(_proposals(data, coverage), ["kpi"]),
    }


def _held(data: Data) -> str:
    """A condition on evaluations that hold."""
    return "NOT coalesce(withdrawn, false)" if data.fills("evaluations", "withdrawn") else "true"


# What is looked at.
def _evaluated(data: Data) -> pd.DataFrame:
    """One row per answered contact of the last period: whether it was evaluated, other than for calibration."""
    if not data.has("contacts", "evaluations"):
        return pd.DataFrame(columns=["team", "channel", "agent_id", "evaluated"])
    return data.sql(
        f"SELECT c.team, c.channel, c.agent_id, e.contact_id IS NOT NULL AS evaluated "
        f"FROM {data.window('contacts', since=data.period.start)} c LEFT JOIN (SELECT DISTINCT contact_id "
        f"FROM evaluations WHERE source NOT IN ('calibration', 'customer_feedback') AND {_held(data)}) e "
        "ON e.contact_id = c.contact_id WHERE c.outcome = 'answered'"
    )


def _coverage(drawn: pd.DataFrame) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    parts = [("centre", "centre", drawn)] if len(drawn) else []
    for level in ("team", "channel"):
        parts += [(level, str(unit), part) for unit, part in drawn[drawn[level].notna()].groupby(level)]
    for level, unit, part in parts:
        contacts, n = len(part), int(part["evaluated"].sum())
        ends = intervals.wilson(n, contacts)
        rows.append(
            {
                "level": level,
                "unit": unit,
                "contacts": contacts,
                "n": n,
                "share": n / contacts,
                "ci_low": float(ends.low),
                "ci_high": float(ends.high),
                "margin": float(sampling.margin_of_error(n, population=contacts)),
                "wanted": float(sampling.sample_size_proportion(MARGIN, population=contacts)),
            }
        )
    return pd.DataFrame(rows, columns=_COVERAGE)


def _tested(coverage: pd.DataFrame) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for level in ("team", "channel"):
        part = coverage[coverage["level"] == level]
        if len(part) > 1:
            p = heterogeneity(part["n"], part["contacts"]).p
            rows.append({"by": level, "units": len(part), "n": int(part["n"].sum()), "p_value": p})
    found = pd.DataFrame(rows, columns=_TESTED)
    if len(found):
        found["q_value"] = benjamini_hochberg(found["p_value"])
        found["outcome"] = np.where(found["q_value"] <= FALSE_DISCOVERIES, "differs", "no difference found")
    return found


def _people(drawn: pd.DataFrame) -> pd.DataFrame:
    """Count agents by how many of their contacts were evaluated; who they are is not told."""
    known = drawn[drawn["agent_id"].notna()]
    if known.empty:
        return pd.DataFrame(columns=_PEOPLE)
    each = known.groupby("agent_id")["evaluated"].sum()
    row = {"agents": len(each), "without": int((each == 0).sum()), "few": int(each.between(1, FEW_PER_AGENT).sum())}
    return pd.DataFrame([row | {"median": float(each.median())}], columns=_PEOPLE)


# How surely.
def _agreement(data: Data) -> pd.DataFrame:
    """How far evaluators of one contact agree on its score: Krippendorff's alpha of whole scores."""
    if not data.fills("evaluations", "contact_id", "points", "max_points"):
        return pd.DataFrame(columns=_AGREEMENT)
    weight = "coalesce(weight, 1)" if data.fills("evaluations", "weight") else "1"
    scores = data.sql(
        f"SELECT contact_id, coalesce(evaluator_id, evaluation_id) AS rater, source, "
        f"round(sum(points * {weight}) / sum(max_points * {weight}), 4) AS score "
        f"FROM {data.window('evaluations')} WHERE source IN ('calibration', 'call_monitoring') AND points IS NOT NULL "
        f"AND max_points > 0 AND contact_id IS NOT NULL AND {_held(data)} "
        "GROUP BY ALL ORDER BY contact_id, rater, source"
    )
    for source, basis in (("calibration", "calibration sessions"), ("call_monitoring", "contacts evaluated twice")):
        table = scores[scores["source"] == source].pivot_table(index="contact_id", columns="rater", values="score")
        table = table[table.notna().sum(axis=1) >= 2]
        if len(table) < 2:
            continue
        try:
            found = agreement.krippendorff_alpha(table.to_numpy(), measurement="interval")
        except StatisticsError:
            continue
        row = {"contacts": len(table), "raters": int(table.notna().any().sum()), "n": int(table.notna().sum().sum())}
        ends = {"ci_low": float(found.interval.low), "ci_high": float(found.interval.high)}
        return pd.DataFrame([row | ends | {"value": found.estimate, "basis": basis}], columns=_AGREEMENT)
    return pd.DataFrame(columns=_AGREEMENT)


# What it tells.
def _inside(labels: pd.Series, since: date, until: date) -> pd.Series:
    spans = {label: Period.parse(label) for label in labels.unique()}
    return labels.map(lambda label: spans[label].start >= since and spans[label].end <= until).astype(bool)


def _rules(data: Data) -> pd.DataFrame:
    """Say what every rule did: works, never failed, nothing to look at, fails always or mostly."""
    history = data.results.rule_history
    history = history[history["level"] == "centre"] if len(history) else history
    if history.empty:
        return pd.DataFrame(columns=_RULES)
    history = history[_inside(history["period"], data.since, data.until)]
    assessed = history[history["outcome"] != "not assessed"].groupby("rule")
    failed = (history["outcome"] == "failed").groupby(history["rule"]).sum()
    rules = data.results.expectations[["rule", "table", "about", "severity"]].copy()
    rules["periods"] = rules["rule"].map(assessed.size()).fillna(0).astype(int)
    rules["cases"] = rules["rule"].map(assessed["n"].sum()).fillna(0).astype(int)
    rules["failed"] = rules["rule"].map(failed).fillna(0).astype(int)
    enough = rules["periods"] >= FEWEST_PERIODS
    rules["state"] = np.select(
        [
            rules["cases"] == 0,
            enough & (rules["failed"] == rules["periods"]),
            enough & (rules["failed"] > rules["periods"] / 2),
            rules["failed"] == 0,
        ],
        ["nothing to look at", "always fails", "mostly fails", "never failed"],
        "works",
    )
    # how often a rule that never failed may fail all the same
    rules["most_share"] = np.asarray(intervals.clopper_pearson(rules["failed"], rules["periods"]).high, dtype=float)
    return rules.sort_values(["state", "table", "rule"])[_RULES].reset_index(drop=True)


def _kpis(data: Data) -> pd.DataFrame:
    """Hold how often a KPI gave a signal against how often it is reported, at the centre and over its teams."""
    line, about = data.results.series, data.results.kpis
    if line.empty or about.empty:
        return pd.DataFrame(columns=_KPIS)
    line = line[line["level"].isin(["centre", "team"]) & line["value"].notna() & ~line["excluded"].astype(bool)]
    line = line[_inside(line["period"], data.since, data.until)]
    rows = []
    for kpi in about.to_dict("records"):
        for at in ("centre", "team"):
            part = line[(line["kpi"] == kpi["kpi"]) & (line["level"] == at)]
            if len(part):
                rows.append(_kpi(kpi, at, part))
    return pd.DataFrame(rows, columns=_KPIS)


def _kpi(kpi: Mapping[str, Any], at: str, part: pd.DataFrame) -> dict[str, Any]:
    aimed = part[part["target"].notna()]
    met = shortfall(aimed["value"], aimed["target"], aimed["target_high"], kpi["better"]) == 0
    signals = int((part["point"] != "common_cause").sum())
    n, periods = float(part["n"].median()), part["period"].nunique()
    # the interval narrows with the root of the cases, until it is no wider than the tolerance
    half, tolerance = float(((part["ci_high"] - part["ci_low"]) / 2).median()), float(part["tolerance"].median())
    needed = (
        float(np.ceil(round(n * (half / tolerance) ** 2, 6))) if tolerance > 0 and np.isfinite(half) else float("nan")
    )
    always = len(aimed) >= FEWEST_PERIODS
    state = "mixed"
    if always and met.all():
        state = "always met"
    elif always and not met.any():
        state = "always missed"
    elif aimed.empty:
        state = "no target"
    monthly = n * _IN_A_MONTH.get(str(kpi["frequency"]), 1.0)
    proposal = "keep"
    if str(kpi["frequency"]) in _IN_A_MONTH:
        if needed > n:
            proposal = "month" if monthly >= needed else "quarter" if 3 * monthly >= needed else "whole centre only"
            proposal = "longer" if proposal == "whole centre only" and at == "centre" else proposal
        elif not signals and periods >= FEWEST_PERIODS:
            proposal = "month"
    return {
        "kpi": kpi["kpi"],
        "name": kpi["name"],
        "at": at,
        "unit_of_value": kpi["unit_of_value"],
        "frequency": kpi["frequency"],
        "figures": len(part),
        "units": part["unit"].nunique(),
        "n_median": n,
        "n_to_tell": needed,
        "met": float(met.mean()) if len(aimed) else float("nan"),
        "signals": signals,
        "signal_share": signals / len(part),
        "state": state,
        "proposal": proposal,
    }


def _found(data: Data) -> pd.DataFrame:
    found = data.results.findings
    if found.empty:
        return pd.DataFrame(columns=_FOUND)
    kinds = ("review_target", "not_acted_on", "rule_not_acted_on")
    return found[found["kind"].isin(kinds) & ~found["level"].isin(_PERSONS)][_FOUND].reset_index(drop=True)


# What it costs.
def _time(data: Data) -> pd.DataFrame:
    """Count the evaluations of the last period and the hours that they took."""
    if not data.has("evaluations"):
        return pd.DataFrame(columns=_TIME)
    listened = "NULL::DOUBLE"
    joined = ""
    if data.fills("contacts", "talk_s"):
        listened = "c.talk_s + coalesce(c.hold_s, 0)"
        joined = "LEFT JOIN contacts c ON c.contact_id = e.contact_id"
    each = data.sql(
        f"SELECT e.source, e.evaluation_id, any_value({listened}) AS listened_s "
        f"FROM {data.window('evaluations', since=data.period.start)} e {joined} WHERE {_held(data)} "
        "GROUP BY ALL ORDER BY 1, 2"
    )
    each = each[each["source"].isin(_BY_COLLEAGUES)]
    rows = []
    for source, part in each.groupby("source"):
        # a contact whose length is not known took as long as the others did
        known = part["listened_s"].astype(float)
        listening = known.fillna(known.mean()).sum() / 3600 if known.notna().any() else float("nan")
        forms = len(part) * MINUTES_PER_FORM / 60
        hours = forms + (0.0 if np.isnan(listening) else listening)
        rows.append({"source": source, "n": len(part), "listening_h": listening, "forms_h": forms, "hours": hours})
    found = pd.DataFrame(rows, columns=_TIME)
    return found.assign(money=found["hours"].astype(float) * _hourly_cost(data))[_TIME]


def _hourly_cost(data: Data) -> float:
    """Staff cost of an hour of handling contacts, over the months given in the window; NaN where it is not known."""
    if not data.has("costs") or not data.fills("contacts", "talk_s"):
        return float("nan")
    found = data.sql(
        f"""SELECT sum(amount) AS amount, sum(hours) AS hours FROM
        (SELECT date_trunc('month', month) AS month, sum(amount) AS amount FROM {data.window("costs")}
         WHERE kind = 'staff' GROUP BY 1)
        JOIN (SELECT date_trunc('month', local_date) AS month,
              sum(coalesce(talk_s, 0) + coalesce(hold_s, 0) + coalesce(acw_s, 0)) / 3600.0 AS hours
              FROM {data.window("contacts")} GROUP BY 1) USING (month)"""
    ).iloc[0]
    return float(found["amount"] / found["hours"]) if found["hours"] and found["hours"] > 0 else float("nan")


def _reports(data: Data) -> pd.DataFrame:
    """Count the reports that were due, issued, in time, and let through by every gate."""
    if not data.has("reports"):
        return pd.DataFrame(columns=_REPORTS)
    found = data.sql(
        "SELECT count(*) AS due, count(issued_at) AS issued, "
        "count(*) FILTER (issued_at::DATE <= due_on) AS on_time, "
        f"count(*) FILTER (gates_passed) AS passed FROM {data.window('reports')}"
    )
    return found.loc[found["due"] > 0, _REPORTS]


# What to add.
def _proposals(data: Data, coverage: pd.DataFrame) -> pd.DataFrame:
    """Write KPIs that the register lacks and the data can carry, as drafts: approval is for people."""
    register = data.results.kpis
    if register.empty:
        return pd.DataFrame(columns=_PROPOSALS)
    known, owners = set(register["kpi"]), dict(zip(register["kpi"], register["owner"], strict=True))
    wanted: list[tuple[str, str, dict[str, Any]]] = []
    surveyed = [kpi for kpi in _SURVEYED if kpi in known]
    if surveyed and data.fills("surveys", "answered_at"):
        rate = data.sql(f"SELECT count(answered_at) / count(*) AS rate FROM {data.window('surveys')}")["rate"].iloc[0]
        why = "Scores of surveys say nothing without the share who answered beside them."
        block = {
            "id": "survey_response_rate",
            "name": "Customers asked who answered",
            "purpose": "Scores speak for all customers only where enough of them answer.",
            "objective": "Figures that can be believed",
            "measure": "survey_response_rate",
            "levels": ["centre", "channel"],
            "target": (rate, 0.02),
            "owner": owners[surveyed[0]],
            "action_after_review": "Ask in another way where few answer, and read scores with the weighted estimate.",
        }
        wanted.append(("survey_response_rate", why, block))
    centre = coverage[coverage["level"] == "centre"]
    monitored = _monitored(data)
    if len(centre) and monitored:
        why = "Quality scores rest on the contacts that are evaluated; nobody sees when these become few."
        block = {
            "id": "evaluation_coverage",
            "name": "Contacts evaluated",
            "purpose": "Quality can be told only where enough contacts of every team are evaluated.",
            "objective": "Figures that can be believed",
            "measure": "evaluation_coverage",
            "levels": ["centre", "team"],
            "target": (monitored / float(centre["contacts"].iloc[0]), 0.005),
            "owner": owners.get("qa_score", str(register["owner"].iloc[0])),
            "action_after_review": "Draw contacts at random in every team, and plan the time of evaluators by it.",
        }
        wanted.append(("evaluation_coverage", why, block))
    rows = [
        {"kpi": kpi, "why": why, "block": _block(block, data.until)} for kpi, why, block in wanted if kpi not in known
    ]
    return pd.DataFrame(rows, columns=_PROPOSALS)


def _monitored(data: Data) -> int:
    """How many evaluations by call monitoring the last period has."""
    if not data.has("evaluations"):
        return 0
    found = data.sql(
        f"SELECT count(DISTINCT evaluation_id) AS n FROM {data.window('evaluations', since=data.period.start)} "
        f"WHERE source = 'call_monitoring' AND {_held(data)}"
    )
    return int(found["n"].iloc[0])


def _block(block: dict[str, Any], since: date) -> str:
    """Write an entry of the register in one line of YAML: JSON is YAML too."""
    level, tolerance = block["target"]
    # the level of today, rounded down, is a beginning; the owner sets the target
    lowest = round(float(max(np.floor(level / tolerance) * tolerance, 0.0)), 4)
    within = block["measure"] == "evaluation_coverage"  # more than planned is as telling as less
    target = [lowest, round(lowest + 2 * tolerance, 4)] if within else lowest
    entry = {key: value for key, value in block.items() if key != "target"} | {
        "targets": [{"from": since.isoformat(), "team": target, "tolerance": {"absolute": tolerance}}],
        "frequency": "month",
        "minimum_n": 30,
        "approval": {"state": "draft"},
        "review_on": since.replace(year=since.year + 1, day=1).isoformat(),
    }
    text = json.dumps(entry, ensure_ascii=False)
    for day in (since.isoformat(), str(entry["review_on"])):
        text = text.replace(f'"{day}"', day)  # a day, not a text
    return f"- {text}"

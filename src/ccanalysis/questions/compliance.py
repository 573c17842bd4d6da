"""Contacts against agreed criteria, breaches and their closing, and what no monitoring looks at.

A requirement judges the days on which it is in force, and no other. A check of contacts serves the requirement that
names its KPI; where none does, the one whose logged breaches lie on the contacts that fail the check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ccanalysis.contracts import SEVERITIES
from ccanalysis.kpis import register
from ccanalysis.kpis.quality import VALID
from ccanalysis.questions import compared, requirements
from ccanalysis.questions.data import Data, Frame
from ccanalysis.statistics import intervals

# Days within which a breach is to be closed. No regulation sets one: it is what the measure `breach_closure` takes
# where the register says nothing else, and what a monthly review can still see.
CLOSURE_DAYS = 30
# A breach is a repeat where the same agent broke the same requirement so many days before (as `breach_repeats`).
REPEAT_DAYS = 90
# Age bands of open breaches, in days: up to a week, up to the limit, beyond it.
_BANDS = ((7, "up to 7 days"), (CLOSURE_DAYS, f"8 to {CLOSURE_DAYS} days"), (None, f"over {CLOSURE_DAYS} days"))
# Weeks that count as recent, and breaches from which a check is linked with a requirement.
RECENT_WEEKS, FEWEST_LINKED = 4, 5
_LEVELS = {"centre": "'centre'", "site": "site", "team": "team", "channel": "channel", "agent": "agent_id"}
_BREACH_LEVELS = ("centre", "site", "team", "agent")
# How many times the peers' rate matters: of one person fewer contacts are at hand, so only more can be told.
_FACTORS = {"team": 2.0, "agent": 4.0}


@dataclass(frozen=True)
class Check:
    """A check that every contact carries in its own columns.

    Attributes:
        key: Its short name, which is that of its measure.
        name: What is checked.
        columns: The columns it reads.
        asked: How often it is asked of a contact: 1 or 0, or a count.
        passed: How often it was fulfilled, where it was asked; empty where that is not recorded.
        missing_fails: Whether what is not recorded counts as not fulfilled.
    """

    key: str
    name: str
    columns: tuple[str, ...]
    asked: str
    passed: str
    missing_fails: bool = False


CHECKS = (
    Check(
        "identity_validation",
        "Identity validated before disclosure",
        ("disclosure", "identity_validated"),
        "CAST(disclosure AS INTEGER)",
        "CAST(identity_validated AS INTEGER)",
    ),
    Check(
        "recording_paused",
        "Recording paused across the card step",
        ("payment", "recording_paused"),
        "CAST(payment AS INTEGER)",
        "CAST(recording_paused AS INTEGER)",
        missing_fails=True,
    ),
    Check(
        "statement_compliance",
        "Mandatory statements made",
        ("n_statements_required", "n_statements_made"),
        "n_statements_required",
        "least(n_statements_made, n_statements_required)",
    ),
)

_CHECKED = [
    *("check", "name", "requirement_id", "level", "unit", "n", "passed", "failed", "missing", "value", "ci_low"),
    *("ci_high", "recent_n", "recent_failed", *compared.COLUMNS),
]
_BREACHES = [
    *("requirement_id", "level", "unit", "n", *SEVERITIES, "n_due", "n_in_time", "value", "ci_low", "ci_high"),
    *("n_open", "n_late", "oldest_days", "n_repeats", "repeat_share"),
]
_SCOPE = [
    *("requirement_id", "title", "origin", "objective", "procedure", "criterion", "kpi", "check", "valid_from"),
    *("valid_to", "source", "verified", "state", "n_evaluations", "n_breaches", "shared", "monitored"),
]
_CRITERIA = ["requirement_id", "criterion", "n", "value", "ci_low", "ci_high", "errors"]
_LOGGED = ["check", "name", "level", "unit", "n", "logged", "value", "ci_low", "ci_high", *compared.COLUMNS]
_WEEKS = ["week", "identity_validation", "recording_paused", "statement_compliance", "n_found", "n_closed"]
_CASES = [
    "level",
    "unit",
    "breach",
    "contact",
    "requirement_id",
    "severity",
    "found_on",
    "action",
    "days",
    "open",
    "repeat",
]


def answer(data: Data) -> Mapping[str, Frame]:
    """Return the frames of the question.

    Args:
        data: The tables of the window.

    Returns:
        `scope`: one row per requirement, with what looks at it and `monitored` (by what is named, `by a check`, `by
        breaches`, `a procedure only`, `nothing`; empty where it is not in force).
        `checks`: the checks of contacts by unit, with what is `missing`, and `outcome` against the others.
        `criteria`: the evaluation criterion of each requirement.
        `logged`: how many contacts that fail a check are logged as breaches.
        `breaches`: breaches by requirement (empty: all) and unit, their closing and repeats.
        `actions`: what was done, by severity. `ageing`: open breaches by age. `weeks`: the course by ISO week.
        `unjudged`: breaches of requirements that were not in force on their day.
        `cases`: the breaches of single agents, for their line manager.
    """
    listed = requirements.in_force(data)
    linked = _links(data, listed)
    found, unjudged = _breaches(data, listed)
    checks = _checks(data, listed, linked)
    return {
        "scope": Frame(_scope(data, listed, linked, found), ["requirement_id", "valid_from"]),
        "checks": Frame(checks, ["check", "requirement_id", "level", "unit"]),
        "criteria": Frame(_criteria(data, listed), ["requirement_id", "criterion"]),
        "logged": Frame(_logged(data), ["check", "level", "unit"]),
        "breaches": Frame(_by_unit(found), ["requirement_id", "level", "unit"]),
        "actions": Frame(_actions(found), ["severity", "action"]),
        "ageing": Frame(_ageing(found), ["band"]),
        "weeks": Frame(_weeks(data, found), ["week"]),
        "unjudged": Frame(unjudged, ["requirement_id"]),
        "cases": Frame(_cases(found), ["level", "unit", "breach"]),
    }


# --- requirements and the checks that serve them --------------------------------------------------------------------


def _links(data: Data, listed: pd.DataFrame) -> dict[str, str]:
    """Say which requirement each check of contacts serves: requirement by the name of the check."""
    given = [check for check in CHECKS if data.fills("contacts", *check.columns)]
    known = register.load(data.workspace.register_path, data.workspace.tables).kpis
    measures = {kpi.id: kpi.measure.key for kpi in known}
    linked: dict[str, str] = {}
    for row in listed.itertuples():
        measure = measures.get(row.kpi, row.kpi) if isinstance(row.kpi, str) else ""
        if measure in {check.key for check in given}:
            linked.setdefault(str(measure), row.requirement_id)
    if not data.has("breaches"):
        return linked
    for check in given:
        if check.key in linked:
            continue
        counts = data.sql(
            f"SELECT b.requirement_id, count(*) AS n, count(*) FILTER ({_failed(check)}) AS failing "
            "FROM breaches b JOIN contacts c USING (contact_id) GROUP BY ALL ORDER BY failing DESC, requirement_id"
        )
        counts = counts[(counts["failing"] >= FEWEST_LINKED) & (2 * counts["failing"] > counts["n"])]
        if len(counts):
            linked[check.key] = str(counts["requirement_id"].iloc[0])
    return linked


def _failed(check: Check, alias: str = "c") -> str:
    """A condition on contacts that fail a check, of whom it is recorded."""
    where = f"{check.asked} > 0 AND {check.passed} < {check.asked}"
    for column in check.columns:
        where = where.replace(column, f"{alias}.{column}")
    return f"WHERE {where}"


def _scope(data: Data, listed: pd.DataFrame, linked: Mapping[str, str], found: pd.DataFrame) -> pd.DataFrame:
    """Say of every requirement what looks at it."""
    if listed.empty:
        return pd.DataFrame(columns=_SCOPE)
    used = _used(data)
    names = {check.key: check.name for check in CHECKS}
    served = {requirement: names[key] for key, requirement in linked.items()}
    by = found["requirement_id"].value_counts() if len(found) else pd.Series(dtype=int)
    present = listed[listed["state"].isin(["in force", "new", "ended"])]
    shared = present["criterion"].dropna()[lambda one: one.duplicated(keep=False)]
    rows = []
    for row in listed.to_dict("records"):
        row |= {"check": served.get(row["requirement_id"], ""), "n_evaluations": float(used.get(row["criterion"], 0))}
        row |= {"n_breaches": float(by.get(row["requirement_id"], 0)), "shared": row["criterion"] in set(shared)}
        row["monitored"] = _monitored(row)
        rows.append(row)
    return pd.DataFrame(rows, columns=_SCOPE)


def _monitored(row: Mapping[str, Any]) -> str:
    if row["state"] in ("expired", "not yet in force"):
        return ""
    if isinstance(row["kpi"], str) or (isinstance(row["criterion"], str) and row["n_evaluations"]):
        return "what is named"
    if row["check"]:
        return "a check of contacts"
    if row["n_breaches"]:
        return "breaches that were found"
    return "a procedure only" if isinstance(row["procedure"], str) else "nothing"


def _used(data: Data) -> Mapping[str, int]:
    """Count the evaluations of each criterion in the window."""
    if not data.has("evaluations"):
        return {}
    counts = data.sql(
        f"SELECT criterion, count(DISTINCT evaluation_id) AS n FROM {data.window('evaluations')} "
        f"WHERE {VALID} AND points IS NOT NULL GROUP BY ALL"
    )
    return dict(zip(counts["criterion"], counts["n"], strict=True))


def _spans(listed: pd.DataFrame, requirement: str, day: str) -> str:
    """A condition on the days on which a requirement is in force."""
    spans = [
        f"({day} >= {_date(row.valid_from)}"
        + ("" if pd.isna(row.valid_to) else f" AND {day} <= {_date(row.valid_to)}")
        + ")"
        for row in listed[listed["requirement_id"] == requirement].itertuples()
    ]
    return f"({' OR '.join(spans)})" if spans else "TRUE"


def _date(day: Any) -> str:
    return f"DATE '{pd.Timestamp(day):%Y-%m-%d}'"


# --- contacts and evaluations ---------------------------------------------------------------------------------------


def _checks(data: Data, listed: pd.DataFrame, linked: Mapping[str, str]) -> pd.DataFrame:
    """Count the checks of contacts by unit, and hold teams and agents against their peers."""
    frames = []
    for check in CHECKS:
        if not data.fills("contacts", *check.columns):
            continue
        requirement = linked.get(check.key, "")
        for level, unit in _LEVELS.items():
            part = _counted(data, check, unit, _spans(listed, requirement, "local_date") if requirement else "TRUE")
            if part.empty:
                continue
            part = part.assign(check=check.key, name=check.name, requirement_id=requirement, level=level)
            part["value"] = part["passed"] / part["n"]
            part["ci_low"], part["ci_high"] = intervals.wilson(part["passed"], part["n"])
            frames.append(part)
    if not frames:
        return pd.DataFrame(columns=_CHECKED)
    whole = pd.concat(frames, ignore_index=True)
    return compared.with_peers(whole, "failed", "n", levels=_FACTORS, group="check")[_CHECKED]


def _counted(data: Data, check: Check, unit: str, where: str) -> pd.DataFrame:
    recent = f"local_date >= {_date(pd.Timestamp(data.until) - pd.Timedelta(weeks=RECENT_WEEKS))}"
    known = "asked" if check.missing_fails else "asked * CAST(passed IS NOT NULL AS INTEGER)"
    counts = data.sql(
        f"SELECT unit, sum({known}) AS n, sum(coalesce(passed, 0)) AS passed, "
        "sum(asked) FILTER (passed IS NULL) AS missing, "
        f"sum({known}) FILTER ({recent}) AS recent_n, sum(coalesce(passed, 0)) FILTER ({recent}) AS recent_passed "
        f"FROM (SELECT {unit} AS unit, local_date, {check.asked} AS asked, "
        f"CASE WHEN {check.asked} > 0 THEN {check.passed} END AS passed "
        f"FROM {data.window('contacts')} WHERE outcome = 'answered' AND {where}) "
        "WHERE asked > 0 AND unit IS NOT NULL GROUP BY ALL ORDER BY unit"
    ).fillna(0)
    counts = counts[counts["n"] > 0]
    return counts.assign(
        failed=counts["n"] - counts["passed"] - (counts["missing"] if check.missing_fails else 0),
        recent_failed=counts["recent_n"] - counts["recent_passed"],
    ).drop(columns="recent_passed")


def _criteria(data: Data, listed: pd.DataFrame) -> pd.DataFrame:
    """Give the points of the criterion of each requirement, on the days on which it is in force."""
    if listed.empty or not data.has("evaluations"):
        return pd.DataFrame(columns=_CRITERIA)
    rows = []
    for (requirement, criterion), _ in listed.groupby(["requirement_id", "criterion"], sort=False):
        found = data.sql(
            "SELECT count(*) AS n, sum(points / max_points) AS total, sum((points / max_points) ** 2) AS squares, "
            "count(*) FILTER (critical = 'compliance') AS errors, count(DISTINCT points / max_points) AS steps "
            f"FROM {data.window('evaluations')} WHERE {VALID} AND criterion = $criterion AND points IS NOT NULL "
            f"AND max_points > 0 AND {_spans(listed, str(requirement), 'local_date')}",
            {"criterion": criterion},
        ).iloc[0]
        if not found["n"]:
            continue
        ends = (
            intervals.wilson(found["total"], found["n"])  # yes or no
            if found["steps"] <= 2 and np.isclose(found["total"], found["squares"])
            else intervals.mean_from_sums(found["total"], found["squares"], found["n"])
        )
        rows.append(
            {
                "requirement_id": requirement,
                "criterion": criterion,
                "n": float(found["n"]),
                "value": found["total"] / found["n"],
                "ci_low": max(float(ends.low), 0.0),
                "ci_high": min(float(ends.high), 1.0),
                "errors": float(found["errors"]),
            }
        )
    return pd.DataFrame(rows, columns=_CRITERIA)


def _logged(data: Data) -> pd.DataFrame:
    """Say how many of the contacts that fail a check were logged as a breach."""
    frames = []
    for check in CHECKS:
        if not data.has("breaches") or not data.fills("contacts", *check.columns):
            continue
        for level in ("centre", "site", "team"):
            part = data.sql(
                f"SELECT {_LEVELS[level]} AS unit, count(*) AS n, count(*) FILTER (contact_id IN "
                f"(SELECT contact_id FROM breaches)) AS logged FROM {data.window('contacts')} c {_failed(check)} "
                "AND outcome = 'answered' GROUP BY ALL HAVING unit IS NOT NULL ORDER BY unit"
            )
            if part.empty:
                continue
            part["value"] = part["logged"] / part["n"]
            part["ci_low"], part["ci_high"] = intervals.wilson(part["logged"], part["n"])
            frames.append(part.assign(check=check.key, name=check.name, level=level))
    if not frames:
        return pd.DataFrame(columns=_LOGGED)
    whole = pd.concat(frames, ignore_index=True)
    return compared.with_peers(whole, "logged", "n", levels={"team": 2.0}, group="check")[_LOGGED]


# --- breaches -------------------------------------------------------------------------------------------------------


def _breaches(data: Data, listed: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the breaches found in the window, with their clock and whether they repeat; and those that none judges."""
    columns = ["breach_id", "contact_id", "requirement_id", "day", "found_at", "closed_at", "local_date"]
    columns += ["site", "team", "agent_id", "severity", "action", "repeat", "closed_on", "days", "open"]
    empty = pd.DataFrame(columns=columns), pd.DataFrame(columns=["requirement_id", "n"])
    if not data.has("breaches"):
        return empty
    happened = "c.local_date" if data.has("contacts") else "NULL"
    joined = "LEFT JOIN contacts c USING (contact_id)" if data.has("contacts") else ""
    left = " AND ".join(
        f"NOT (b.local_date >= {_date(begin)} AND b.local_date < {_date(end)})"
        for _, begin, end in data.left_out.get("breaches", ())
    )
    rows = data.sql(
        f"SELECT b.breach_id, b.contact_id, b.requirement_id, coalesce({happened}, b.local_date) AS day, b.found_at, "
        "b.closed_at, b.local_date, b.site, b.team, b.agent_id, b.severity, b.action, "
        "b.agent_id IS NOT NULL AND b.found_at - lag(b.found_at) OVER "
        "(PARTITION BY b.agent_id, b.requirement_id ORDER BY b.found_at, b.breach_id) "
        f"<= INTERVAL {REPEAT_DAYS} DAY AS repeat "
        f"FROM breaches b {joined} WHERE b.local_date < {_date(data.until)}{f' AND {left}' if left else ''} "
        "ORDER BY b.found_at, b.breach_id"
    )
    rows = rows[pd.to_datetime(rows["local_date"]) >= pd.Timestamp(data.since)].reset_index(drop=True)
    if rows.empty:
        return empty
    closed = pd.to_datetime(rows["closed_at"], utc=True).dt.tz_convert(data.workspace.centre.time_zone)
    closed_on = closed.dt.tz_localize(None).dt.normalize()
    closed_on = closed_on.where(closed_on < pd.Timestamp(data.until))  # as it stood at the end of the window
    until = closed_on.fillna(pd.Timestamp(data.last_day))
    rows = rows.assign(
        repeat=rows["repeat"].fillna(False).astype(bool),
        closed_on=closed_on,
        open=closed_on.isna(),
        days=(until - pd.to_datetime(rows["local_date"])).dt.days,
    )
    known = listed["requirement_id"]
    judged = np.zeros(len(rows), dtype=bool)
    for rule in listed.itertuples():
        day = pd.to_datetime(rows["day"])
        inside = (day >= pd.Timestamp(rule.valid_from)) & ~(day > pd.Timestamp(rule.valid_to))
        judged |= ((rows["requirement_id"] == rule.requirement_id) & inside).to_numpy(dtype=bool)
    judged |= ~rows["requirement_id"].isin(known).to_numpy(dtype=bool) if listed.empty else False
    untold = rows[~judged].groupby("requirement_id").size().rename("n").reset_index()
    return rows[judged].reset_index(drop=True), untold.astype({"n": float})


def _by_unit(found: pd.DataFrame) -> pd.DataFrame:
    """Count breaches by requirement and unit: severities, closing within the limit, what is open, repeats."""
    rows: list[dict[str, Any]] = []
    for requirement in ["", *sorted(found["requirement_id"].unique())]:
        own = found[found["requirement_id"] == requirement] if requirement else found
        for level in _BREACH_LEVELS:
            unit = pd.Series("centre", index=own.index) if level == "centre" else own[_LEVELS[level]]
            rows += [
                {"requirement_id": requirement, "level": level, "unit": name} | _counts(part)
                for name, part in own.groupby(unit, sort=True)
            ]
    frame = pd.DataFrame(rows, columns=_BREACHES)
    if len(frame):
        frame["ci_low"], frame["ci_high"] = intervals.wilson(frame["n_in_time"], frame["n_due"])
    return frame


def _counts(part: pd.DataFrame) -> dict[str, Any]:
    late = part["days"] > CLOSURE_DAYS
    # due: closed, or open for longer than the limit; one that is open and young is not judged
    due = ~part["open"] | late
    in_time = int((due & ~late).sum())
    opened = part[part["open"]]
    return {
        "n": float(len(part)),
        **{severity: float((part["severity"] == severity).sum()) for severity in SEVERITIES},
        "n_due": float(due.sum()),
        "n_in_time": float(in_time),
        "value": in_time / due.sum() if due.any() else np.nan,
        "n_open": float(len(opened)),
        "n_late": float((opened["days"] > CLOSURE_DAYS).sum()),
        "oldest_days": float(opened["days"].max()) if len(opened) else np.nan,
        "n_repeats": float(part["repeat"].sum()),
        "repeat_share": part["repeat"].mean(),
    }


def _actions(found: pd.DataFrame) -> pd.DataFrame:
    action = found["action"].fillna("not recorded").replace("", "not recorded")
    counts = found.assign(action=action).groupby(["severity", "action"]).size().rename("n").reset_index()
    return counts.astype({"n": float}) if len(counts) else pd.DataFrame(columns=["severity", "action", "n"])


def _ageing(found: pd.DataFrame) -> pd.DataFrame:
    days = found.loc[found["open"].astype(bool), "days"] if len(found) else pd.Series(dtype=float)
    rows, low = [], -1.0
    for most, band in _BANDS:
        high = np.inf if most is None else float(most)
        rows.append({"band": band, "n": float(((days > low) & (days <= high)).sum())})
        low = high
    return pd.DataFrame(rows, columns=["band", "n"])


def _weeks(data: Data, found: pd.DataFrame) -> pd.DataFrame:
    """Give the course of the checks and of breaches found and closed, by ISO week; a week left out is empty."""
    frame = data.weeks()
    for check in CHECKS:
        if not data.fills("contacts", *check.columns):
            frame[check.key] = np.nan
            continue
        course = _counted(data, check, "CAST(date_trunc('week', local_date) AS DATE)", "TRUE")
        values = dict(zip(pd.to_datetime(course["unit"]), course["passed"] / course["n"], strict=True))
        frame[check.key] = [values.get(pd.Timestamp(day), np.nan) for day in frame["starts_on"]]
    for column, of in (("n_found", "local_date"), ("n_closed", "closed_on")):
        day = pd.to_datetime(found[of]).dropna()
        counts = (day - pd.to_timedelta(day.dt.day_of_week, unit="D")).value_counts()
        frame[column] = [float(counts.get(pd.Timestamp(start), 0)) for start in frame["starts_on"]]
    return frame[_WEEKS]


def _cases(found: pd.DataFrame) -> pd.DataFrame:
    """List the breaches of single agents, the latest first."""
    own = found[found["agent_id"].notna()].sort_values("local_date", ascending=False, kind="stable")
    rows = own.assign(level="agent", unit=own["agent_id"], found_on=own["local_date"])
    rows = rows.rename(columns={"breach_id": "breach", "contact_id": "contact"})
    return rows[_CASES].reset_index(drop=True)

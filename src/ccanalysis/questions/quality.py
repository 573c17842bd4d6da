"""How well contacts are handled: scores by criterion, critical errors by class, and five sources held side by side.

The score is that of call monitoring alone, as the KPI register counts it. What people say of themselves, what
colleagues and what customers say stands beside it and is never mixed into it: what they differ in is the finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from ccanalysis.errors import StatisticsError
from ccanalysis.questions import evaluations as rated
from ccanalysis.questions.data import Data, Frame
from ccanalysis.statistics import change, comparison, intervals, sampling, shrinkage
from ccanalysis.statistics.icc import icc
from ccanalysis.statistics.spc import limits

# The sources that are held against call monitoring, in the order of the report.
SOURCES = ("self", "peer_observation", "peer_feedback", "customer_feedback")
ERRORS = ("customer", "business", "compliance")
AUTO_FAIL = "auto_fail"
# A difference of so much of a score is worth acting on; one whose interval lies within it is none.
ALIKE = 0.05
# Weeks that count for what to develop now.
DEVELOPMENT_WEEKS = 13
# From when on a person's or a team's figure is its own enough to act on (Adams, RAND TR-653, 2009), or so unlikely to
# be chance that it is acted on all the same.
RELIABLE, CERTAIN = 0.7, 0.01
# Fewest evaluations of one criterion for a unit to be compared, and people for two sources to be.
FEWEST_EVALUATIONS, FEWEST_COMPARED = 5, 10
# Fewest units of a level that are compared with each other.
FEWEST_UNITS = 4
# Fewest weeks on each side of a change.
FEWEST_WEEKS = 4
# A team was coached where at least this share of it was within this many days; how long after it begins an action
# may take effect.
_COACHED, _CAMPAIGN_DAYS, _EFFECT_DAYS = 0.5, 14, 42
_SCORES = [
    *("level", "unit", "expression", "criterion", "n", "people", "value", "ci_low", "ci_high", "weight"),
    *("not_applicable", "other"),
]
_COURSES = ["level", "unit", "expression", "version", "period", "n", "value"]
_CHANGES = [
    *("level", "unit", "since", "reason", "action", "n", "n_before", "n_after", "before", "after", "effect", "ci_low"),
    *("ci_high", "p_value", "q_value", "others", "others_as_much", "outcome"),
]
_CRITICAL = ["level", "unit", "kind", "n", "errors", "value", "ci_low", "ci_high", "q_value", "outcome"]
_SOURCES = ["source", "expression", "criterion", "n", "people", "value", "ci_low", "ci_high"]
_DIFFERENCES = [
    *("source", "criterion", "basis", "n", "people", "value", "ci_low", "ci_high", "p_value", "q_value", "outcome"),
    *("needed", "order", "order_low", "order_high"),
]
_DEVELOPMENT = [
    *("level", "unit", "criterion", "n", "raw", "value", "ci_low", "ci_high", "peers", "reliability", "p_value"),
    *("q_value", "outcome", "needed"),
]
_CASES = ["level", "unit", "contact_id", "kind", "criterion", "channel", "day", "value"]
_FORMS = ["form", "version", "label", "first_day", "last_day", "n", "weights", "total", "criteria", "current"]


def answer(data: Data) -> Mapping[str, Frame]:
    """Return the frames of the question.

    Args:
        data: The tables of the window.

    Returns:
        `scores`: the score of each unit, whole (`criterion` empty) and by criterion, verbal and written apart
        (`expression` empty is both, as the KPI register counts). `courses`: scores by week and version of the form.
        `changes`: one row per team: since when it changed, and by how much more than the others. `critical`: share of
        evaluations without a critical error, per class, and of those that were failed as a whole. `sources` and
        `differences`: the five sources, and what the others say less what call monitoring says of the same people.
        `development`: what units are better or worse at than their peers, drawn towards these, and whether that can
        be told. `cases`: contacts of a line manager's own people to listen to. `forms`: versions and weights.
    """
    rows = rated.read(data)
    nought = rated.failed_count_as_nought(data)
    monitored = rows[rows["source"] == rated.MONITORING]
    monitored, forms = rated.labelled(monitored)
    _say_versions(data, forms, monitored)
    current = monitored[monitored["current"]]
    points = rated.scored(current, nought=nought)
    whole = rated.wholes(points)
    changes = _changes(data, whole)
    apart = rated.in_monitoring(whole)
    _say_severity(data, apart)
    recent = _recent(data, rated.corrected(points, apart), changes)
    development = _development(recent)
    return {
        "scores": Frame(_scores(current, points, whole, nought=nought), ["level", "unit", "expression", "criterion"]),
        "courses": Frame(
            _courses(data, rated.wholes(rated.scored(monitored, nought=nought))),
            ["level", "unit", "expression", "version", "period"],
        ),
        "changes": Frame(changes, ["level", "unit"]),
        "critical": Frame(_critical(data, monitored), ["level", "unit", "kind"]),
        "sources": Frame(_sources(rows, current, nought=nought), ["source", "expression", "criterion"]),
        "differences": Frame(_differences(rows, current, apart, nought=nought), ["source", "criterion"]),
        "development": Frame(development, ["level", "unit", "criterion"]),
        "cases": Frame(_cases(data, monitored, recent, development), ["level", "unit", "contact_id", "kind"]),
        "forms": Frame(forms[_FORMS], ["label"]),
    }


def _say_versions(data: Data, forms: pd.DataFrame, monitored: pd.DataFrame) -> None:
    """Note changes of forms and of weights, and weights that do not add up."""
    for row in forms[~forms["current"]].to_dict("records"):
        data.notes.append(
            f"{row['label']} was replaced; its {row['n']:,} evaluations until {_day(row['last_day'])} are drawn as a "
            "course of their own and count in no score."
        )
    for row in forms[forms["current"]].to_dict("records"):
        if np.isfinite(row["total"]) and abs(row["total"] - 100) > 0.5:
            data.notes.append(f"The weights of {row['label']} add up to {row['total']:g}, not to 100.")
    if len(monitored) and monitored["expression"].eq("").all():
        data.notes.append("Verbal and written contacts are not told apart: the column expression is empty.")


def _say_severity(data: Data, apart: pd.DataFrame) -> None:
    known = int((~apart["reference"].astype(bool)).sum())
    if known:
        data.notes.append(
            f"{known} of {len(apart)} evaluators mark apart from the others; what is compared between people, teams "
            "and sources is corrected for it, the scores themselves are not."
        )


def _day(value: Any) -> str:
    return f"{pd.Timestamp(value).day} {pd.Timestamp(value):%B %Y}"


def _units(frame: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Return the rows of the centre, of each team and of each channel; of teams of too few people none."""
    parts: list[tuple[str, str, pd.DataFrame]] = [("centre", "centre", frame)] if len(frame) else []
    for level in ("team", "channel"):
        for unit, part in frame.dropna(subset=[level]).groupby(level, sort=True):
            known = part["agent_id"].nunique()
            if known == 0 or known >= rated.FEWEST_PEOPLE:
                parts.append((level, str(unit), part))
    return parts


def _scores(current: pd.DataFrame, points: pd.DataFrame, whole: pd.DataFrame, *, nought: bool) -> pd.DataFrame:
    if points.empty:
        return pd.DataFrame(columns=_SCORES)
    other = rated.wholes(rated.scored(current, nought=not nought)).set_index("evaluation_id")["earned"]
    weights = current.dropna(subset=["weight"]).sort_values("day").groupby("criterion")["weight"].last()
    asked = current.groupby(["expression", "criterion"])["evaluation_id"].nunique()
    rows = []
    for level, unit, part in _units(whole):
        apart = {name: some for name, some in part.groupby("expression") if name}
        # a sum beside two parts, one of which is hidden, would tell it
        tells = level == "team" and any(len(some) < rated.FEWEST_CASES for some in apart.values()) and len(apart) > 1
        for expression, some in [*([] if tells else [("", part)]), *apart.items()]:
            row = {"level": level, "unit": unit, "expression": expression, "criterion": ""} | rated.ratio(some)
            row["other"] = float(some["evaluation_id"].map(other).sum() / some["possible"].sum())
            rows.append(row)
    for level, unit, part in _units(points):
        for (expression, criterion), some in part.groupby(["expression", "criterion"], sort=True):
            row = {"level": level, "unit": unit, "expression": expression, "criterion": criterion} | rated.ratio(some)
            row["weight"] = weights.get(criterion, np.nan)
            if level == "centre":
                row["not_applicable"] = 1 - len(some) / asked[expression, criterion]
            rows.append(row)
    return pd.DataFrame(rows, columns=_SCORES)


def _courses(data: Data, whole: pd.DataFrame) -> pd.DataFrame:
    """Return the score of each whole week: of the centre also by expression, each version of the form for itself."""
    weeks = data.weeks()
    if whole.empty or weeks.empty:
        return pd.DataFrame(columns=_COURSES)
    whole = whole.assign(period=_weeks(whole["day"]))
    whole = whole[whole["period"].isin(weeks["week"])]
    rows = []
    for level, unit, part in _units(whole):
        if level == "channel":
            continue
        kinds = [("", part)]
        kinds += [(name, some) for name, some in part.groupby("expression") if name and level == "centre"]
        for expression, some in kinds:
            sums = some.groupby(["label", "period"]).agg(
                n=("score", "size"), earned=("earned", "sum"), possible=("possible", "sum")
            )
            sums["value"] = sums["earned"] / sums["possible"]
            about = {"level": level, "unit": unit, "expression": expression}
            rows += [
                about | {"version": label, "period": period, "n": row.n, "value": row.value}
                for (label, period), row in zip(sums.index, sums.itertuples(), strict=True)
            ]
    return pd.DataFrame(rows, columns=_COURSES)


def _weeks(days: pd.Series) -> pd.Series:
    parts = days.dt.isocalendar()
    return parts["year"].astype(str) + "-W" + parts["week"].astype(str).str.zfill(2)


def _changes(data: Data, whole: pd.DataFrame) -> pd.DataFrame:
    """Say of each team since when its score changed, by how much more than that of the others.

    The day is that of coaching on one topic that reached half of the team, of an action that aims at the score, or the
    first week that a control chart marks; a change is one where the effect survives the correction for the teams looked
    at and no other team changed as much at that time. Teams that changed are no part of what the others are held
    against.
    """
    whole = whole.dropna(subset=["team"]) if len(whole) else whole
    rows: dict[str, dict[str, Any]] = {}
    when: dict[str, dict[str, Any]] = {}
    teams = [unit for level, unit, _ in _units(whole) if level == "team"]
    for team in teams:
        own = whole[whole["team"] == team]
        about = dict.fromkeys(_CHANGES, np.nan) | {"level": "team", "unit": team, "n": len(own), "reason": ""}
        enough = _weeks(own["day"]).nunique() >= 2 * FEWEST_WEEKS
        rows[team] = about | {"action": "", "outcome": "none" if enough else "cannot tell", "since": pd.NaT}
        found = _dates(data, team, own)
        if found:
            when[team] = found
    changed: list[str] = []
    open_teams = list(when)
    while open_teams:
        fits = {}
        for team in open_teams:
            others = [other for other in teams if other != team and other not in changed]
            fits[team] = _effect(whole, team, others, when[team]["since"])
        q_values = rated.q_values([fit["p_value"] for fit in fits.values()])
        for (team, fit), q_value in zip(fits.items(), q_values, strict=True):
            rows[team] |= when[team] | fit | {"q_value": float(q_value)}
            stands = q_value <= rated.FALSE_DISCOVERIES and fit["others_as_much"] == 0
            if stands:
                rows[team]["outcome"] = "improved" if fit["effect"] > 0 else "worsened"
            elif np.isnan(fit["p_value"]):
                rows[team]["outcome"] = "cannot tell"
            else:
                rows[team]["outcome"] = "none"
        stand = [team for team in open_teams if rows[team]["outcome"] in ("improved", "worsened")]
        if not stand:
            break
        first = min(stand, key=lambda team: rows[team]["p_value"])
        changed.append(first)
        open_teams.remove(first)
    return pd.DataFrame(list(rows.values()), columns=_CHANGES)


def _dates(data: Data, team: str, own: pd.DataFrame) -> dict[str, Any]:
    """Find the day from which on a team's score may have changed, and why."""
    action, begins = _action(data, team)
    coached = _coached(data, team, own)
    if coached is not None:
        last, n = coached
        aimed = action if begins is not None and begins <= last + timedelta(days=_EFFECT_DAYS) else ""
        since = last - timedelta(days=last.weekday()) + timedelta(days=7)  # the Monday after it
        return {"since": since, "reason": f"coaching of {n} people until {_day(last)}", "action": aimed}
    if begins is not None:
        return {"since": begins, "reason": "an action", "action": action}
    marked = _marked(own)
    return {"since": marked, "reason": "its course", "action": ""} if marked is not None else {}


def _action(data: Data, team: str) -> tuple[str, pd.Timestamp | None]:
    """The first action in the window that aims at the score of a team."""
    listed = data.results.actions
    if listed.empty or not {"kpi", "level", "unit", "starts_on"} <= set(listed.columns):
        return "", None
    own = listed[(listed["level"] == "team") & (listed["unit"] == team) & listed["kpi"].isin(rated.quality_kpis(data))]
    own = own.assign(starts_on=pd.to_datetime(own["starts_on"])).dropna(subset=["starts_on"])
    own = own[(own["starts_on"] >= pd.Timestamp(data.since)) & (own["starts_on"] < pd.Timestamp(data.until))]
    if own.empty:
        return "", None
    first = own.sort_values("starts_on").iloc[0]
    return str(first["action_id"]), first["starts_on"]


def _coached(data: Data, team: str, own: pd.DataFrame) -> tuple[pd.Timestamp, int] | None:
    """The last day and the reach of coaching that came to half of a team within two weeks; the widest, if several."""
    people = set(own["agent_id"].dropna())
    if not people or not data.has("activities"):
        return None
    given = data.sql(
        f"SELECT agent_id, done_on, coalesce(topic, '') AS topic FROM {data.window('activities')} "
        "WHERE kind = 'coaching'"
    )
    given = given[given["agent_id"].isin(people)].assign(done_on=lambda rows: pd.to_datetime(rows["done_on"]))
    best: tuple[int, pd.Timestamp] | None = None
    for _, part in given.groupby("topic", sort=True):
        for begin in sorted(part["done_on"].unique()):
            inside = part[part["done_on"].between(begin, begin + timedelta(days=_CAMPAIGN_DAYS - 1))]
            reach = inside["agent_id"].nunique()
            if reach >= _COACHED * len(people) and (best is None or reach > best[0]):
                best = reach, inside["done_on"].max()
    return None if best is None else (best[1], best[0])


def _marked(own: pd.DataFrame) -> pd.Timestamp | None:
    """The Monday of the first week that a control chart of a team's weekly scores marks."""
    course = own.assign(week=own["day"] - pd.to_timedelta(own["day"].dt.day_of_week, unit="D")).groupby("week")
    sums = course.agg(n=("score", "size"), value=("score", "mean"))
    if len(sums) < 2 * FEWEST_WEEKS:
        return None
    chart = limits.i_prime_chart(sums["value"], sums["n"].to_numpy(), better="up")
    found = chart.index[chart["point"] != "common_cause"]
    return pd.Timestamp(found[0]) if len(found) else None


def _effect(whole: pd.DataFrame, team: str, others: list[str], since: pd.Timestamp) -> dict[str, Any]:
    """Compare a team's change at a day with that of the others at the same day."""
    part = whole[whole["team"].isin([team, *others])]
    own, late = part["team"] == team, part["day"] >= since
    row = dict.fromkeys(("before", "after", "effect", "ci_low", "ci_high", "p_value", "others_as_much"), np.nan)
    row |= {"n_before": int((own & ~late).sum()), "n_after": int((own & late).sum()), "others": len(others)}
    for name, side in (("before", own & ~late), ("after", own & late)):
        some = part[side]
        row[name] = float(some["earned"].sum() / some["possible"].sum()) if len(some) else np.nan
    weeks = part.assign(week=part["day"].dt.to_period("W"))
    sides = [weeks.loc[own & side, "week"].nunique() for side in (~late, late)]
    if min(sides) < FEWEST_WEEKS or not others:
        return row
    try:
        fit = change.difference_in_differences(part["score"], own, late)
    except StatisticsError:
        return row
    row |= {"effect": fit.effect, "ci_low": fit.interval.low, "ci_high": fit.interval.high, "p_value": fit.p}
    row["others_as_much"] = 0
    if len(others) >= 2:
        line = weeks[~own].pivot_table(index="week", columns="team", values="score")
        placebos = change.placebo_effects(line, int((line.index.start_time < since).sum()))
        row["others_as_much"] = int((placebos.abs() >= abs(fit.effect)).sum())
    return row


def _critical(data: Data, monitored: pd.DataFrame) -> pd.DataFrame:
    """Count evaluations without a critical error, each class for itself, and those that were failed as a whole."""
    if monitored.empty:
        return pd.DataFrame(columns=_CRITICAL)
    kinds: dict[str, pd.Series] = {}
    if data.fills("evaluations", "critical"):
        kinds |= {kind: monitored["critical"] == kind for kind in ERRORS}
    if monitored["auto_fail"].any():
        kinds[AUTO_FAIL] = monitored["auto_fail"].astype(bool)
    rows = []
    for kind, marks in kinds.items():
        each = (
            monitored.assign(error=marks)
            .groupby("evaluation_id")
            .agg(
                team=("team", "first"),
                channel=("channel", "first"),
                agent_id=("agent_id", "first"),
                error=("error", "max"),
            )
        )
        errors, n = int(each["error"].sum()), len(each)
        found = []
        for level, unit, part in _units(each):
            wrong = int(part["error"].sum())
            good = len(part) - wrong
            low, high = intervals.wilson(good, len(part))
            row = {"level": level, "unit": unit, "kind": kind, "n": len(part), "errors": wrong}
            row |= {"value": good / len(part), "ci_low": float(low), "ci_high": float(high), "outcome": ""}
            rest = n - len(part)
            row["p_value"] = (
                comparison.heterogeneity([wrong, errors - wrong], [len(part), rest]).p
                if level != "centre" and rest
                else np.nan
            )
            found.append(row)
        frame = pd.DataFrame(found)
        for level in ("team", "channel"):
            own = frame["level"] == level
            frame.loc[own, "q_value"] = rated.q_values(frame.loc[own, "p_value"])
        told = frame.get("q_value", pd.Series(np.nan, index=frame.index))
        more = frame["errors"] / frame["n"] > errors / n
        enough = frame["errors"] >= FEWEST_EVALUATIONS
        frame["outcome"] = np.select(
            [frame["level"] == "centre", (told <= rated.FALSE_DISCOVERIES) & more & enough],
            ["", "more than others"],
            "no difference beyond chance",
        )
        rows.append(frame.assign(q_value=told))
    return pd.concat(rows, ignore_index=True)[_CRITICAL] if rows else pd.DataFrame(columns=_CRITICAL)


def _all_sources(rows: pd.DataFrame, current: pd.DataFrame, *, nought: bool) -> pd.DataFrame:
    """Return the points of all five sources; of criteria that monitoring has too, with its weights."""
    weights = current.dropna(subset=["weight"]).sort_values("day").groupby("criterion")["weight"].last()
    known = set(current["criterion"].dropna())
    others = rows[rows["source"].isin(SOURCES) & rows["criterion"].isin(known)]
    both = pd.concat([current[rated.ROWS], others[rated.ROWS]], ignore_index=True)
    points = rated.scored(both, nought=nought)
    weight = points["criterion"].map(weights).fillna(1.0)
    return points.assign(earned=points["share"] * weight, possible=weight)


def _sources(rows: pd.DataFrame, current: pd.DataFrame, *, nought: bool) -> pd.DataFrame:
    points = _all_sources(rows, current, nought=nought)
    found = []
    for (source, expression, criterion), part in points.groupby(["source", "expression", "criterion"], sort=True):
        known = rated.ratio(part)
        if known["n"] >= rated.FEWEST_CASES and known["people"] >= rated.FEWEST_PEOPLE:
            found.append({"source": source, "expression": expression, "criterion": criterion} | known)
    for (source, expression), part in rated.wholes(points).groupby(["source", "expression"], sort=True):
        known = rated.ratio(part)
        if known["n"] >= rated.FEWEST_CASES and known["people"] >= rated.FEWEST_PEOPLE:
            found.append({"source": source, "expression": expression, "criterion": ""} | known)
    return pd.DataFrame(found, columns=_SOURCES)


def _differences(rows: pd.DataFrame, current: pd.DataFrame, apart: pd.DataFrame, *, nought: bool) -> pd.DataFrame:
    """Hold each source against call monitoring: on the same contacts where there are enough, else on the same people.

    Call monitoring is corrected for evaluators who mark apart, else their severity would be taken for a difference.
    """
    points = _all_sources(rows, current, nought=nought)
    monitored = points["source"] == rated.MONITORING
    points = pd.concat([rated.corrected(points[monitored], apart), points[~monitored]])
    found = []
    for source in SOURCES:
        if not (points["source"] == source).any():
            continue
        both = points[points["source"].isin([source, rated.MONITORING])]
        asked = set(both.loc[both["source"] == source, "criterion"])
        both = both[both["criterion"].isin(asked)]
        whole = rated.wholes(both)
        found.append(_difference(whole.assign(share=whole["score"]), source) | {"criterion": ""})
        found += [
            _difference(part, source) | {"criterion": name} for name, part in both.groupby("criterion", sort=True)
        ]
    frame = pd.DataFrame(found, columns=_DIFFERENCES)
    frame["q_value"] = rated.q_values(frame["p_value"]) if len(frame) else frame["p_value"]
    stands = frame["q_value"] <= rated.FALSE_DISCOVERIES
    frame["outcome"] = np.select(
        [
            frame["p_value"].isna(),
            stands & (frame["value"] > 0),
            stands & (frame["value"] < 0),
            (frame["ci_low"] >= -ALIKE) & (frame["ci_high"] <= ALIKE),
        ],
        ["cannot tell", "higher", "lower", "alike"],
        "cannot tell",
    )
    frame["needed"] = frame["needed"].where(frame["outcome"] == "cannot tell")
    return frame


def _difference(part: pd.DataFrame, source: str) -> dict[str, Any]:
    """Compare two sources, one value per contact or person: the source less call monitoring."""
    other = part["source"] == source
    row = dict.fromkeys(_DIFFERENCES, np.nan) | {"source": source, "n": int(other.sum()), "outcome": ""}
    basis, pairs = "people", pd.DataFrame()
    for name, keys in (("contacts", ["contact_id"]), ("people", ["agent_id", "expression"])):
        known = part.assign(other=other).dropna(subset=[keys[0]])
        means = known.pivot_table(index=keys, columns="other", values="share")
        pairs = means.reindex(columns=[False, True]).dropna()
        basis = name
        if name == "contacts" and len(pairs) >= 2 * FEWEST_COMPARED:
            break
        if name == "people" and len(pairs):
            pairs = pairs.groupby(level=0).mean()
    row |= {"basis": basis, "people": len(pairs)}
    if len(pairs) < FEWEST_COMPARED:
        return row | {"needed": float(FEWEST_COMPARED)}
    apart = pairs[True] - pairs[False]
    tested = comparison.mean_test(apart, 0.0)
    spread = rated.share_of_spread(float(apart.std(ddof=1)))
    # from so many on, the interval excludes none or lies within what counts as alike, whichever needs fewer
    margin = max(abs(tested.estimate), ALIKE - abs(tested.estimate))
    needed = float(sampling.sample_size_proportion(margin, share=spread))
    row |= {"value": tested.estimate, "ci_low": tested.interval.low, "ci_high": tested.interval.high}
    row |= {"p_value": tested.p, "needed": max(needed, len(pairs) + 1.0)}
    order = icc(pairs.to_numpy(), kind="consistency")
    return row | {"order": order.estimate, "order_low": order.interval.low, "order_high": order.interval.high}


def _recent(data: Data, points: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Return what counts for development now: the last weeks, and of a team that changed only what came after.

    Each share is taken beside those of the same criterion and channel, so that who meets a harder channel is not held
    to an easier one.
    """
    begin = pd.Timestamp(data.until) - timedelta(weeks=DEVELOPMENT_WEEKS)
    late = points[points["day"] >= begin]
    for row in changes[changes["outcome"].isin(["improved", "worsened"])].to_dict("records"):
        late = late[(late["team"] != row["unit"]) | (late["day"] >= row["since"])]
    late = late.assign(
        expected=late.groupby(["criterion", "channel"], dropna=False)["share"].transform("mean"),
        usual=late.groupby("criterion")["share"].transform("mean"),
    )
    return late.assign(value=late["share"] - late["expected"] + late["usual"])


def _development(recent: pd.DataFrame) -> pd.DataFrame:
    """Compare teams with teams and people with people on each criterion, drawn towards their peers."""
    found: list[dict[str, Any]] = []
    for level, column in (("team", "team"), ("agent", "agent_id")):
        rows: list[dict[str, Any]] = []
        for criterion, part in recent.dropna(subset=[column]).groupby("criterion", sort=True):
            counts = part.groupby(column)["value"].size()
            enough = counts.index[counts >= FEWEST_EVALUATIONS]
            if len(enough) >= FEWEST_UNITS:
                rows += _compared(part[part[column].isin(enough)], level, column, str(criterion))
        q_values = rated.q_values([row["p_value"] for row in rows])
        for row, q_value in zip(rows, q_values, strict=True):
            row["q_value"] = float(q_value)
            row["outcome"] = _outcome(row)
        found += rows
    return pd.DataFrame(found, columns=_DEVELOPMENT)


def _compared(part: pd.DataFrame, level: str, column: str, criterion: str) -> list[dict[str, Any]]:
    try:
        drawn = shrinkage.random_intercept(part["value"], part[column].astype(str))
    except StatisticsError:
        return []
    within, between = drawn.prior["variance_within"], drawn.prior["variance_between"]
    needed = sampling.checks_for_reliability(within, between) if between > within / 10_000 else np.nan
    rows = []
    for place, (unit, own) in enumerate(part.groupby(part[column].astype(str), sort=True)):
        rest = part.loc[part[column].astype(str) != unit, "value"]
        rows.append(
            {
                "level": level,
                "unit": unit,
                "criterion": criterion,
                "n": len(own),
                "raw": float(own["value"].mean()),
                "value": float(drawn.value[place]),
                "ci_low": float(drawn.low[place]),
                "ci_high": float(drawn.high[place]),
                "peers": drawn.prior["mean"],
                "reliability": float(drawn.reliability[place]),
                "p_value": comparison.welch(own["value"], rest).p,
                "needed": needed,
            }
        )
    return rows


def _outcome(row: Mapping[str, Any]) -> str:
    """Act only where a figure is the unit's own, or too unlikely to be chance."""
    sure = row["q_value"] <= CERTAIN
    own = row["reliability"] >= RELIABLE
    if row["raw"] < row["peers"] and (sure or (own and row["ci_high"] < row["peers"])):
        return "develop"
    if row["raw"] > row["peers"] and (sure or (own and row["ci_low"] > row["peers"])):
        return "strength"
    return "as peers" if own else "cannot tell"


def _cases(data: Data, monitored: pd.DataFrame, recent: pd.DataFrame, development: pd.DataFrame) -> pd.DataFrame:
    """Return contacts of each person to listen to: critical errors of the last period, and what shows a need."""
    known = monitored.dropna(subset=["agent_id", "contact_id"])
    late = known[(known["day"] >= pd.Timestamp(data.period.start)) & (known["day"] < pd.Timestamp(data.until))]
    wrong = late[late["critical"].notna() | late["auto_fail"]]
    wrong = wrong.assign(kind=wrong["critical"].where(wrong["critical"].notna(), AUTO_FAIL), value=np.nan)
    parts = [wrong]
    own = development[(development["level"] == "agent") & (development["outcome"] == "develop")]
    for row in own.to_dict("records"):
        part = recent[(recent["agent_id"].astype(str) == row["unit"]) & (recent["criterion"] == row["criterion"])]
        part = part.dropna(subset=["contact_id"]).sort_values(["share", "day"], ascending=[True, False]).head(3)
        parts.append(part.assign(kind="develop", value=part["share"]))
    found = pd.concat(parts, ignore_index=True)
    found = found.assign(level="agent", unit=found["agent_id"].astype(str))
    found = found.drop_duplicates(["unit", "contact_id", "kind", "criterion"])
    return found[_CASES].sort_values(["unit", "day", "contact_id", "kind"])

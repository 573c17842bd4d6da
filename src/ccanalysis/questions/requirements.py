"""What a rule, policy or procedure change did to the KPIs, and what complying with it costs in time.

Each weekly course of a KPI is taken as a trend with a jump at the first day in force (interrupted time series). A jump
is called an effect only where it survives the correction for the number of courses looked at, and where no placebo
date before the change gives one as large.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ccanalysis.errors import StatisticsError
from ccanalysis.periods import Period
from ccanalysis.questions.data import Data, Frame
from ccanalysis.statistics import change
from ccanalysis.statistics.comparison import benjamini_hochberg

# Periods that must lie before and after a change for its effect to be estimated.
FEWEST_BEFORE, FEWEST_AFTER = 8, 4
# The share of effects that may be chance.
FALSE_DISCOVERIES = 0.05
# Periods in a year, and from how many periods on a season of a year can be told from a trend.
_YEAR = {"week": 52, "month": 12}
_LEVELS = ("centre", "channel", "queue", "reason")
_IN_FORCE = [
    *("requirement_id", "title", "origin", "objective", "procedure", "criterion", "kpi"),
    *("valid_from", "valid_to", "source", "verified", "state"),
]
_EFFECTS = [
    *("requirement_id", "kpi", "name", "unit_of_value", "better", "level", "unit", "n_before", "n_after", "n"),
    *("before", "effect", "ci_low", "ci_high", "p_value", "q_value", "placebos", "placebos_as_large", "outcome"),
    *("method", "season", "warnings", "contacts", "hours", "money"),
]
_COURSES = ["requirement_id", "kpi", "level", "unit", "period", "in_force", "value", "without", "n"]


def answer(data: Data) -> Mapping[str, Frame]:
    """Return the frames of the question.

    Args:
        data: The tables of the window.

    Returns:
        `in_force`: one row per requirement with its `state` (in force, new, expired, not yet in force).
        `effects`: one row per new requirement and course of a KPI: the jump at the first day in force in the KPI's
        unit with its interval, how many of the placebo dates gave one as large, and its `outcome` (effect, none,
        cannot tell); for an effect on time also contacts and hours a week, and money a week where costs are given.
        `courses`: the courses that show an effect, and what they were without it.
    """
    listed = in_force(data)
    effects, courses = _effects(data, listed)
    return {
        "in_force": Frame(listed, ["requirement_id", "valid_from"]),
        "effects": Frame(_with_costs(data, effects), ["requirement_id", "kpi", "level", "unit"]),
        "courses": Frame(courses, ["requirement_id", "kpi", "level", "unit", "period"]),
    }


def in_force(data: Data) -> pd.DataFrame:
    """List the requirements with their `state` in the window: in force, new, ended, expired, not yet in force."""
    if not data.has("requirements"):
        return pd.DataFrame(columns=_IN_FORCE)
    listed = data.sql(
        "SELECT requirement_id, title, origin, objective, procedure, criterion, kpi, "
        "valid_from, valid_to, source, verified FROM requirements ORDER BY valid_from, requirement_id"
    )
    since, until = pd.Timestamp(data.since), pd.Timestamp(data.until)
    begins, ends = pd.to_datetime(listed["valid_from"]), pd.to_datetime(listed["valid_to"])
    state = np.select(
        [ends < since, begins >= until, ends < until, begins > since],
        ["expired", "not yet in force", "ended", "new"],
        "in force",
    )
    return listed.assign(state=state)[_IN_FORCE]


def _effects(data: Data, listed: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit every course at the first day of every new requirement."""
    line, kpis = data.results.series, data.results.kpis.set_index("kpi")
    rows: list[dict[str, Any]] = []
    courses: list[dict[str, Any]] = []
    for rule in listed[listed["state"] == "new"].itertuples():
        fits: list[tuple[dict[str, Any], pd.DataFrame]] = []
        for (kpi, level, unit), part in line[line["level"].isin(_LEVELS)].groupby(["kpi", "level", "unit"], sort=False):
            course = _course(part, data)
            about = kpis.loc[kpi]
            row = {"requirement_id": rule.requirement_id, "kpi": kpi, "name": about["name"], "level": level}
            row |= {"unit": unit, "unit_of_value": about["unit_of_value"], "better": about["better"]}
            found = _fit(course, pd.Timestamp(rule.valid_from))
            if found is not None:
                fits.append((found | row, course))
        if not fits:
            continue
        known = [place for place, (row, _) in enumerate(fits) if not np.isnan(row["p_value"])]
        if not known:
            rows += [row for row, _ in fits]
            continue
        q_values = benjamini_hochberg([fits[place][0]["p_value"] for place in known])
        for place, q_value in zip(known, q_values, strict=True):
            row, course = fits[place]
            row["q_value"] = float(q_value)
            # a course of few placebo dates cannot be held against them
            stands_out = row["placebos_as_large"] == 0
            row["outcome"] = "effect" if q_value <= FALSE_DISCOVERIES and stands_out else "none"
            if row["outcome"] == "effect":
                courses += _drawn(row, course, pd.Timestamp(rule.valid_from))
        rows += [row for row, _ in fits]
    return pd.DataFrame(rows, columns=_EFFECTS), pd.DataFrame(courses, columns=_COURSES)


def _course(part: pd.DataFrame, data: Data) -> pd.DataFrame:
    """Return the periods of a course within the window, in order; a figure that is not fit or provisional is empty."""
    spans = {label: Period.parse(label) for label in part["period"]}
    starts = pd.to_datetime([spans[label].start for label in part["period"]])
    inside = [spans[label].start >= data.since and spans[label].end <= data.until for label in part["period"]]
    unsure = part["excluded"].astype(bool) | part["provisional"].astype(bool)
    course = part.assign(starts_on=starts, value=part["value"].mask(unsure))[np.array(inside, dtype=bool)]
    return course.sort_values("starts_on").reset_index(drop=True)


def _fit(course: pd.DataFrame, day: pd.Timestamp) -> dict[str, Any] | None:
    """Estimate the jump at a day; None where the course has no value on one side."""
    values = course["value"].to_numpy(dtype=float)
    start = int((course["starts_on"] < day).sum())
    before, after = int((~np.isnan(values[:start])).sum()), int((~np.isnan(values[start:])).sum())
    if not before or not after:
        return None
    row: dict[str, Any] = dict.fromkeys(_EFFECTS, float("nan")) | {
        "n_before": before,
        "n_after": after,
        "n": int(course["n"].sum()),
        "before": float(np.nanmean(values[:start])),
        "outcome": "cannot tell",
        "method": "",
        "season": "not allowed for",
        "warnings": "",
        "contacts": float(course["n"].iloc[start:].mean()),
    }
    if before < FEWEST_BEFORE or after < FEWEST_AFTER or np.nanstd(values) == 0:
        return row
    period = _YEAR.get(Period.parse(course["period"].iloc[0]).kind)
    period = period if period and before >= 2 * period else None
    try:
        fit = change.interrupted_time_series(values, start, period=period)
    except StatisticsError:
        return row
    jump, ends = fit.effect[0], (fit.effect[1].low, fit.effect[1].high)
    p_value, method = float(fit.coefficients.loc["level", "p"]), "trend with a jump"
    if fit.durbin_watson < 1.5:
        jump, ends, p_value = _with_autocorrelation(values, start)
        method = "trend with a jump, allowing for autocorrelation"
    placebos = _placebos(values[:start], after)
    row |= {"effect": float(jump), "ci_low": float(ends[0]), "ci_high": float(ends[1]), "p_value": p_value}
    row |= {
        "method": method,
        "placebos": len(placebos),
        "placebos_as_large": int((np.abs(placebos) >= abs(jump)).sum()),
    }
    row["season"] = "allowed for" if period else "not allowed for"
    row["warnings"] = " ".join(warning for warning in fit.warnings if "gls_ar1" not in warning)
    return row


def _with_autocorrelation(values: NDArray, start: int) -> tuple[float, tuple[float, float], float]:
    if np.isnan(values).any():  # neighbours are not known then; the standard errors are widened instead
        wide = change.interrupted_time_series(values, start, lags=2)
        jump, (low, high) = wide.effect
        return jump, (low, high), float(wide.coefficients.loc["level", "p"])
    time = np.arange(values.size, dtype=float)
    design = pd.DataFrame({"constant": 1.0, "trend": time, "level": (time >= start).astype(float)})
    fit = change.gls_ar1(values, design)
    found = fit.coefficients.loc["level"]
    return float(found["estimate"]), (float(found["low"]), float(found["high"])), float(found["p"])


def _placebos(before: NDArray, after: int) -> NDArray:
    """Estimate the jump at dates at which nothing happened: those before the change, with as many periods after."""
    found = []
    for start in range(FEWEST_AFTER, before.size - FEWEST_AFTER + 1):
        course = before[: start + max(after, FEWEST_AFTER)]
        if min((~np.isnan(course[:start])).sum(), (~np.isnan(course[start:])).sum()) < FEWEST_AFTER:
            continue
        try:
            found.append(change.interrupted_time_series(course, start).effect[0])
        except StatisticsError:
            continue
    return np.array(found, dtype=float)


def _drawn(row: Mapping[str, Any], course: pd.DataFrame, day: pd.Timestamp) -> list[dict[str, Any]]:
    """Return a course with what it would have been without the jump, from the change on."""
    about = {key: row[key] for key in ("requirement_id", "kpi", "level", "unit")}
    return [
        about
        | {
            "period": one.period,
            "value": one.value,
            "in_force": one.starts_on >= day,
            "without": one.value - row["effect"] if one.starts_on >= day else float("nan"),
            "n": one.n,
        }
        for one in course.itertuples()
    ]


def _with_costs(data: Data, effects: pd.DataFrame) -> pd.DataFrame:
    """Say what an effect on handling time amounts to a week, in hours and, where costs are given, in money."""
    on_time = (
        (effects["unit_of_value"] == "s") & effects["kpi"].str.startswith("aht") & (effects["outcome"] == "effect")
    )
    hours = (effects["effect"] * effects["contacts"] / 3600).where(on_time)
    return effects.assign(hours=hours, money=hours * _hourly_cost(data))[_EFFECTS]


def _hourly_cost(data: Data) -> float:
    """Staff cost of an hour of handling contacts, over the window; NaN where costs or handling times are not given."""
    if not data.has("costs", "contacts") or not data.fills("contacts", "talk_s"):
        return float("nan")
    months = data.sql(
        f"SELECT date_trunc('month', month) AS month, sum(amount) AS amount FROM {data.window('costs')} "
        "WHERE kind = 'staff' GROUP BY ALL"
    )
    handled = data.sql(
        "SELECT date_trunc('month', local_date) AS month, "
        "sum(coalesce(talk_s, 0) + coalesce(hold_s, 0) + coalesce(acw_s, 0)) / 3600.0 AS hours "
        f"FROM {data.window('contacts')} GROUP BY ALL"
    )
    both = months.merge(handled, on="month")
    return float(both["amount"].sum() / both["hours"].sum()) if len(both) and both["hours"].sum() > 0 else float("nan")

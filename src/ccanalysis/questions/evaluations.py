"""What the questions on quality and on agreement share: evaluations as rows and as wholes, forms, and severity.

A score is weighted points of those possible, over the criteria that applied: one that did not apply has no points and
no weight. Evaluations that were withdrawn are never looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ccanalysis.errors import StatisticsError
from ccanalysis.kpis import register
from ccanalysis.questions.data import Data
from ccanalysis.statistics import change, intervals, resampling
from ccanalysis.statistics.comparison import benjamini_hochberg

MONITORING, CALIBRATION = "call_monitoring", "calibration"
# Figures of fewer cases or people are not given for the whole centre: they would tell of one person.
FEWEST_CASES, FEWEST_PEOPLE = 8, 3
# The share of findings that may be chance.
FALSE_DISCOVERIES = 0.05
# From how many people on an interval draws people; of fewer it draws evaluations, up to the number given second.
_FEWEST_DRAWN, _MOST_DRAWN = 8, 2_000
_RESAMPLES = 999
# Fewest people, contacts or cells that evaluators have in common for one of them to be held against the others.
_FEWEST_MET = 10
ROWS = [
    *("evaluation_id", "criterion", "contact_id", "source", "evaluator_id", "form", "version", "channel"),
    *("expression", "team", "agent_id", "points", "max_points", "weight", "critical", "auto_fail", "expert", "day"),
]
SEVERITY = ["unit", "n", "value", "ci_low", "ci_high", "p_value", "q_value", "reference", "se"]


def read(data: Data) -> pd.DataFrame:
    """Return the evaluations of the window that still stand, one row per evaluation and criterion.

    Args:
        data: The tables of the window.

    Returns:
        The columns of `ROWS`; no row where evaluations were not given.
    """
    if not data.has("evaluations"):
        numbers = dict.fromkeys(("points", "max_points", "weight"), float) | {"auto_fail": bool, "expert": bool}
        return pd.DataFrame(columns=ROWS).astype(numbers | {"day": "datetime64[us]"})
    found = data.sql(
        "SELECT evaluation_id, criterion, contact_id, source, evaluator_id, coalesce(form, '') AS form, "
        "coalesce(form_version, '') AS version, channel, coalesce(expression, '') AS expression, team, agent_id, "
        "points, max_points, weight, critical, coalesce(auto_fail, false) AS auto_fail, "
        f"coalesce(expert, false) AS expert, local_date AS day FROM {data.window('evaluations')} "
        "WHERE NOT coalesce(withdrawn, false) ORDER BY evaluation_id, criterion"
    )
    found["day"] = pd.to_datetime(found["day"])
    for column in ("points", "max_points", "weight"):
        found[column] = found[column].astype(float)
    return found[ROWS]


def failed_count_as_nought(data: Data) -> bool:
    """Tell whether an evaluation that one criterion failed counts as nought: as the KPI register says, else yes."""
    listed = register.load(data.workspace.register_path, data.workspace.tables).kpis
    own = [kpi.measure for kpi in listed if kpi.measure.key == "qa_score"]
    return not own or "auto_fails" in str(own[0].numerator.of)


def quality_kpis(data: Data) -> list[str]:
    """Return the ids of the KPIs of the register that are the quality score."""
    listed = register.load(data.workspace.register_path, data.workspace.tables).kpis
    return [kpi.id for kpi in listed if kpi.measure.key == "qa_score"]


def scored(rows: pd.DataFrame, *, nought: bool = False) -> pd.DataFrame:
    """Return the rows of criteria that applied, with `earned` and `possible` weighted points and their `share`.

    Args:
        rows: What `read` returns.
        nought: Whether an evaluation that one criterion failed as a whole has no points.
    """
    failed = rows.groupby("evaluation_id")["auto_fail"].transform("max").astype(bool)
    applied = rows["points"].notna() & rows["max_points"].notna() & (rows["max_points"] > 0)
    weight = rows["weight"].fillna(1.0)
    points = rows["points"].mask(failed, 0.0) if nought else rows["points"]
    made = rows.assign(
        failed=failed,
        earned=points * weight,
        possible=rows["max_points"] * weight,
        share=points / rows["max_points"],
    )
    return made[applied]


_ABOUT = ["source", "contact_id", "evaluator_id", "channel", "expression", "team", "agent_id", "expert", "day", "label"]


def wholes(points: pd.DataFrame) -> pd.DataFrame:
    """Return one row per evaluation: what it is about, `earned`, `possible` and `score`.

    Args:
        points: What `scored` returns.
    """
    about = {name: (name, "first") for name in _ABOUT if name in points}
    whole = points.groupby("evaluation_id", sort=True).agg(
        **about, failed=("failed", "max"), earned=("earned", "sum"), possible=("possible", "sum")
    )
    whole = whole[whole["possible"] > 0]
    return whole.assign(score=whole["earned"] / whole["possible"]).reset_index()


def ratio(part: pd.DataFrame) -> dict[str, Any]:
    """Return the score of some evaluations with its interval, which draws people, for theirs resemble each other.

    Args:
        part: Rows with `earned`, `possible` and `agent_id`: evaluations, or one criterion of them.

    Returns:
        `value`, `ci_low`, `ci_high`, `n` (rows) and `people`; NaN where there is nothing.
    """
    people = int(part["agent_id"].nunique())
    known = {"n": len(part), "people": people}
    if not len(part) or part["possible"].sum() <= 0:
        return known | {"value": np.nan, "ci_low": np.nan, "ci_high": np.nan}
    value = float(part["earned"].sum() / part["possible"].sum())
    if people >= _FEWEST_DRAWN:
        sums = part.groupby("agent_id")[["earned", "possible"]].sum()
        low, high = resampling.cluster_ratio(sums["earned"], sums["possible"], resamples=_RESAMPLES)
    elif len(part) <= _MOST_DRAWN:
        low, high = resampling.cluster_ratio(part["earned"], part["possible"], resamples=_RESAMPLES)
    else:
        low, high = intervals.mean_t(part["earned"] / part["possible"])
    return known | {"value": value, "ci_low": float(low), "ci_high": float(high)}


def labelled(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tell versions of forms apart: by their own numbers, and where a weight changes under the same number.

    Args:
        rows: Rows of `read`, of one source.

    Returns:
        The rows with `label` (form, version and, where weights changed, from when) and `current` (whether it is the
        latest of its form); and one row per label: form, version, label, first_day, last_day, n (evaluations),
        weights (text), total (their sum), criteria, current.
    """
    labels = pd.Series("", index=rows.index, dtype=object)
    for (form, version), part in rows.groupby(["form", "version"], sort=True):
        name = ", ".join(filter(None, [form or "Form", f"version {version}" if version else ""]))
        marks = sorted(_weight_changes(part))
        place = np.searchsorted(np.array(marks, dtype="datetime64[ns]"), part["day"].to_numpy(), side="right")
        told = [name, *(f"{name}, weights of {day.day} {day:%B %Y}" for day in map(pd.Timestamp, marks))]
        labels[part.index] = [told[one] for one in place]
    rows = rows.assign(label=labels)
    listed = []
    for (form, version, label), part in rows.groupby(["form", "version", "label"], sort=True):
        weights = part.dropna(subset=["weight"]).sort_values("day").groupby("criterion")["weight"].last()
        listed.append(
            {
                "form": form,
                "version": version,
                "label": label,
                "first_day": part["day"].min(),
                "last_day": part["day"].max(),
                "n": part["evaluation_id"].nunique(),
                "weights": "; ".join(f"{name} {value:g}" for name, value in weights.items()),
                "total": float(weights.sum()) if len(weights) else np.nan,
                "criteria": "; ".join(sorted(part["criterion"].dropna().unique())),
            }
        )
    columns = ["form", "version", "label", "first_day", "last_day", "n", "weights", "total", "criteria"]
    forms = pd.DataFrame(listed, columns=columns).sort_values(["form", "first_day", "label"], ignore_index=True)
    forms["current"] = ~forms["form"].duplicated(keep="last")
    current = set(forms.loc[forms["current"], "label"])
    return rows.assign(current=rows["label"].isin(current)), forms


def _weight_changes(rows: pd.DataFrame) -> set[pd.Timestamp]:
    """Return the days from which on a criterion has another weight; weights that are used side by side are none."""
    days = rows.dropna(subset=["weight"]).groupby(["criterion", "weight"])["day"].agg(["min", "max"]).reset_index()
    marks = set()
    for _, part in days.sort_values("min").groupby("criterion"):
        for before, after in zip(part["max"], part["min"].iloc[1:], strict=False):
            if after > before:
                marks.add(after)
    return marks


def severity(whole: pd.DataFrame, case: str, time: Sequence[Any] | None = None, value: str = "score") -> pd.DataFrame:
    """Say by how much each evaluator marks higher than the others would have marked the same.

    Who marks apart is found one after the other, and is no part of what the others are held against: one severe
    evaluator would make all others look lenient.

    Args:
        whole: Evaluations with `evaluator_id` and the columns named below; one without an evaluator is left out.
        case: The column that says what was evaluated: evaluators are compared within it (a contact, an agent).
        time: What else differs and is allowed for, one entry per evaluation: such as month and channel.
        value: The column that is compared.

    Returns:
        One row per evaluator: `unit`, `n`, `value` (a difference of shares) with its interval, `p_value`, `q_value`,
        `reference` (whether the others are held against them) and `se`. NaN where they met too few in common.
    """
    given = pd.Series(0 if time is None else time, index=whole.index, name="_time")
    kept = whole[[case, "evaluator_id", value]].assign(_time=given).dropna()
    kept = kept[kept.groupby(case)["evaluator_id"].transform("nunique") > 1]
    every = sorted(kept["evaluator_id"].unique())
    apart: list[str] = []
    found = _each(kept, case, value, every, apart)
    while len(every) - len(apart) > 2:
        open_rows = found[found["unit"].isin(set(every) - set(apart))]
        stands = open_rows[open_rows["q_value"] <= FALSE_DISCOVERIES]
        if stands.empty:
            break
        apart.append(str(stands.loc[stands["p_value"].idxmin(), "unit"]))
        found = _each(kept, case, value, every, apart)
    return found.assign(reference=~found["unit"].isin(apart))[SEVERITY]


def _each(kept: pd.DataFrame, case: str, value: str, every: Sequence[str], apart: Sequence[str]) -> pd.DataFrame:
    """Compare each evaluator with those who are not apart."""
    rows = []
    for evaluator in every:
        others = set(every) - set(apart) - {evaluator}
        part = kept[(kept["evaluator_id"] == evaluator) | kept["evaluator_id"].isin(others)]
        part = part[part.groupby(case)["evaluator_id"].transform("nunique") > 1]
        own = part["evaluator_id"] == evaluator
        row: dict[str, Any] = dict.fromkeys(SEVERITY, np.nan) | {"unit": evaluator, "n": int(own.sum())}
        if part[case].nunique() < _FEWEST_MET:
            rows.append(row)
            continue
        try:
            fit = change.two_way_effects(part[value], part[case], part["_time"], own.astype(float))
        except (StatisticsError, ValueError):
            rows.append(row)
            continue
        if np.isfinite(fit.p) and fit.standard_error > 0:
            row |= {"value": fit.effect, "ci_low": fit.interval.low, "ci_high": fit.interval.high, "p_value": fit.p}
            row["se"] = fit.standard_error
        rows.append(row)
    found = pd.DataFrame(rows, columns=SEVERITY)
    return found.assign(q_value=q_values(found["p_value"]))


# Of more people than this, evaluators are compared within team, channel and month, not within the people they met.
_MOST_MET = 150


def in_monitoring(whole: pd.DataFrame) -> pd.DataFrame:
    """Say by how much each evaluator marks higher than others, adjusted for whom they met, on which channel and when.

    Args:
        whole: Evaluations of call monitoring, as `wholes` returns them.

    Returns:
        What `severity` returns.
    """
    month = whole["day"].dt.strftime("%Y-%m") + " " + whole["channel"].fillna("").astype(str)
    if _FEWEST_MET <= whole["agent_id"].nunique() <= _MOST_MET:
        return severity(whole, "agent_id", month.tolist())
    cell = whole["team"].fillna("").astype(str) + " " + month
    return severity(whole.assign(cell=cell), "cell")


def corrected(points: pd.DataFrame, apart: pd.DataFrame) -> pd.DataFrame:
    """Take from shares and points what evaluators who mark apart from the others add to them.

    Args:
        points: What `scored` returns.
        apart: What `severity` returns; only who is no reference is corrected, by the estimate.
    """
    effects = apart.loc[~apart["reference"].astype(bool)].set_index("unit")["value"]
    effect = points["evaluator_id"].map(effects).astype(float).fillna(0.0)
    return points.assign(share=points["share"] - effect, earned=points["earned"] - effect * points["possible"])


def q_values(p_values: ArrayLike) -> Any:
    """Correct p-values for how many were looked at; NaN stays NaN."""
    given = np.asarray(p_values, dtype=float)
    return benjamini_hochberg(given) if given.size else given


def share_of_spread(sd: float) -> float:
    """Return the share whose single cases vary as a score does, so that sample sizes for shares serve for scores.

    Args:
        sd: Standard deviation of a score between 0 and 1; more than 0.5 counts as 0.5, the most there can be.
    """
    return float((1 - np.sqrt(max(1 - 4 * min(max(sd, 0.01), 0.5) ** 2, 0.0))) / 2)

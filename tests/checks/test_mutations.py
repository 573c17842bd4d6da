"""One rule broken at a time: that rule fails, and the KPIs that read its columns change their rating; no other does.

Each mutation has a week of its own in one run, for suites apply the same thresholds to every period.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd
import pytest

from ccanalysis.checks import check, gate
from ccanalysis.contracts import TABLES

from .conftest import CENTRE, PERIOD, SUITES, agents, contacts, evaluations, intervals, surveys, write

Break = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Mutation:
    """What is done to a week of a table, and which rules besides the one in mind see it too."""

    rule: str
    broken: Break
    also: frozenset[str] = frozenset()


def put(column: str, value: object, rows: int = 1, where: Break | None = None) -> Break:
    """Write a value, or what a function makes of the row's own, into the first rows of a week."""

    def broken(week: pd.DataFrame) -> pd.DataFrame:
        chosen = (where(week) if where else week).index[:rows]
        assert len(chosen) == rows or rows > 10_000
        week.loc[chosen, column] = value(week.loc[chosen]) if callable(value) else value
        return week

    return broken


def answered(week):
    return week[week["outcome"] == "answered"]


def abandoned(week):
    return week[week["outcome"] == "abandoned"]


def voice(week):
    return week[(week["channel"] == "voice") & (week["outcome"] == "answered")]


def chat(week):
    return week[(week["channel"] == "chat") & (week["outcome"] == "answered")]


def replied(week):
    return week[week["answered_at"].notna()]


def silent(week):
    return week[week["answered_at"].isna()]


def plus(column: str, seconds: int):
    return lambda rows: rows[column] + pd.Timedelta(seconds=seconds)


def more(column: str, amount: float):
    return lambda rows: rows[column] + amount


def times(column: str, factor: int):
    return lambda rows: rows[column] * factor


ALL = 1_000_000
CONTACTS = [
    ("key_unique", put("contact_id", lambda rows: "again", 2)),
    ("contact_id_given", put("contact_id", None)),
    ("channel_given", put("channel", None)),
    ("outcome_given", put("outcome", None)),
    ("channel_known", put("channel", "fax")),
    ("direction_known", put("direction", "sideways")),
    ("outcome_known", put("outcome", "lost")),
    ("wait_s_range", put("wait_s", -5)),
    ("talk_s_range", put("talk_s", 100_000, where=chat)),
    ("hold_s_range", put("hold_s", -1)),
    ("acw_s_range", put("acw_s", -1)),
    ("menu_s_range", put("menu_s", -1)),
    ("transfers_range", put("transfers", -1)),
    ("queue_trimmed", put("queue", " general")),
    ("reason_trimmed", put("reason", "billing\n")),
    ("site_trimmed", put("site", "Leeds ")),
    ("team_trimmed", put("team", "North ")),
    ("order_answered", put("offered_at", plus("answered_at", 1), where=answered)),
    ("order_answered_often", put("offered_at", plus("answered_at", 1), 20, answered), "order_answered wait_agrees"),
    ("order_ended", put("ended_at", plus("answered_at", -1), where=answered)),
    ("order_ended_often", put("ended_at", plus("answered_at", -1), 20, answered), "order_ended handling_fits"),
    ("order_offered_ended", put("ended_at", plus("offered_at", -1), where=abandoned)),
    ("answered_has_time", put("answered_at", None, 4, answered)),
    ("answered_has_agent", put("agent_id", None, 4, answered)),
    ("unanswered_has_no_time", put("answered_at", plus("offered_at", 0), where=abandoned)),
    ("abandoned_has_no_talk", put("talk_s", 5, where=abandoned)),
    ("wait_agrees", put("wait_s", more("wait_s", 30), 4, answered)),
    ("handling_fits", put("talk_s", more("talk_s", 1000), 4, answered)),
    ("talk_unit", put("talk_s", times("talk_s", 100), ALL, voice), "talk_very_long handling_fits"),
    ("talk_unit_chat", put("talk_s", 0, ALL, chat)),
    ("wait_unit", put("wait_s", times("wait_s", 1000), ALL, voice), "wait_agrees"),
    ("acw_unit", put("acw_s", times("acw_s", 1000), ALL, voice)),
    ("talk_very_long", put("talk_s", 15_000, where=voice)),
    ("ended_given", put("ended_at", None, 4, answered)),
    ("agent_listed", put("agent_id", "stranger", 4, answered)),
    ("paused_only_for_payment", put("recording_paused", True, 4, lambda week: week[~week["payment"]])),
    ("days_present", lambda week: week[(week["channel"] != "chat") | (week["local_date"] != week["local_date"].min())]),
    (
        "days_mostly_present",
        lambda week: week[week["local_date"] > sorted(set(week["local_date"]))[1]],
        "days_present volume_usual",
    ),
    ("volume_usual", lambda week: week.iloc[::3]),
    ("rows_enough", lambda week: week.iloc[::15], "volume_usual"),
    ("team_enough", put("team", None, 20, answered)),
    ("site_enough", put("site", None, 20)),
    ("queue_enough", put("queue", None, 20)),
    ("reason_enough", put("reason", None, 20)),
    ("direction_enough", put("direction", None, 20)),
    ("customer_id_enough", put("customer_id", None, 70)),
    ("agent_id_enough", put("agent_id", None, 20, answered), "answered_has_agent"),
    ("wait_s_enough", put("wait_s", None, 20, answered)),
    ("talk_s_enough", put("talk_s", None, 20, answered)),
    ("hold_s_enough", put("hold_s", None, 20, answered)),
    ("acw_s_enough", put("acw_s", None, 20, answered)),
    ("menu_s_enough", put("menu_s", None, 20)),
    ("transfers_enough", put("transfers", None, 20)),
    ("escalated_enough", put("escalated", None, 20)),
    ("resolved_enough", put("resolved", None, 20)),
    ("disclosure_enough", put("disclosure", None, 20)),
    ("payment_enough", put("payment", None, 20)),
    ("identity_validated_enough", put("identity_validated", None, 20, lambda week: week[week["disclosure"]])),
    ("recording_paused_enough", put("recording_paused", None, 20, lambda week: week[week["payment"]])),
    ("answered_at_enough", put("answered_at", None, 20, answered), "answered_has_time"),
    ("ended_at_enough", put("ended_at", None, 20), "ended_given"),
]
INTERVALS = [
    ("key_unique", lambda week: pd.concat([week, week.head(1)])),
    ("length_known", put("length", "fortnight")),
    ("channel_known", put("channel", "fax"), "days_present"),
    ("n_offered_range", put("n_offered", -1), "total_offered answered_offered abandoned_offered days_present"),
    ("n_in_threshold_range", put("n_in_threshold", -1)),
    ("wait_s_sum_range", put("wait_s_sum", -1), "asa_agrees"),
    ("asa_s_range", put("asa_s", -1.0), "asa_agrees"),
    ("service_level_share_range", put("service_level_share", 80.0)),
    ("total_offered", put("n_abandoned", more("n_abandoned", 1))),
    ("answered_offered", put("n_answered", more("n_offered", 1)), "total_offered asa_agrees"),
    ("abandoned_offered", put("n_abandoned", more("n_offered", 1)), "total_offered"),
    ("threshold_answered", put("n_in_threshold", more("n_answered", 1))),
    ("asa_agrees", put("asa_s", 25.0)),
    ("handle_unit", put("handle_s_sum", times("handle_s_sum", 1000), ALL)),
    ("wait_unit", put("wait_s_sum", times("wait_s_sum", 1000), ALL), "asa_agrees"),
    ("days_present", put("n_offered", 0), "total_offered answered_offered abandoned_offered"),
    ("team_enough", put("team", None)),
    ("n_offered_enough", put("n_offered", None), "days_present"),
]
EVALUATIONS = [
    ("key_unique", lambda week: pd.concat([week, week.head(1)]), "weights_sum given_once"),
    ("evaluation_id_given", put("evaluation_id", None), "weights_sum"),
    ("criterion_given", put("criterion", None)),
    ("source_known", put("source", "gossip"), "no_calibration"),
    ("expression_known", put("expression", "sung")),
    ("critical_known", put("critical", "enormous")),
    ("points_range", put("points", -1.0)),
    ("weight_range", put("weight", 150.0), "weights_sum"),
    ("points_possible", put("points", 6.0)),
    ("weights_sum", put("weight", 40.0)),
    ("max_points_positive", put("max_points", 0.0), "points_possible"),
    ("given_once", put("contact_id", lambda rows: rows["contact_id"].iloc[0], 2)),
    ("no_calibration", put("source", "calibration")),
    ("agent_listed", put("agent_id", "stranger")),
    ("contact_listed", put("contact_id", lambda rows: [f"stranger {n}" for n in range(len(rows))], 5)),
    ("form_version_enough", put("form_version", None, 5)),
    ("team_enough", put("team", None, 5)),
]
SURVEYS = [
    ("key_unique", put("survey_id", lambda rows: "again", 2)),
    ("survey_id_given", put("survey_id", None)),
    ("channel_known", put("channel", "fax")),
    ("csat_range", put("csat", 6.0, where=replied)),
    ("nps_range", put("nps", 11.0, where=replied)),
    ("effort_range", put("effort", 0.0, where=replied)),
    ("order_answered", put("answered_at", plus("invited_at", -1), where=replied)),
    ("answered_has_score", put(["csat", "nps", "effort", "resolved_first_time"], None, 10, replied)),
    ("unanswered_has_no_score", put("csat", 3.0, 5, silent)),
    ("contact_listed", put("contact_id", "stranger", 20)),
    ("csat_enough", put("csat", None, 80, replied)),
    ("team_enough", put("team", None, 20)),
]


def mutations(table: str, listed: list) -> list[Mutation]:
    return [
        Mutation(f"{table}.{name}", broken, frozenset(f"{table}.{other}" for word in also for other in word.split()))
        for name, broken, *also in listed
    ]


PLANS = {
    "contacts": (contacts, mutations("contacts", CONTACTS)),
    "intervals": (intervals, mutations("intervals", INTERVALS)),
    "evaluations": (evaluations, mutations("evaluations", EVALUATIONS)),
    "surveys": (surveys, mutations("surveys", SURVEYS)),
}


def plan_periods(planned: list[Mutation]) -> dict[str, str]:
    """The week of each mutation; the report week stays clean."""
    return {mutation.rule: PERIOD.shift(-1 - number).label for number, mutation in enumerate(planned)}


def week_of(frame: pd.DataFrame, table: str) -> pd.Series:
    days = pd.to_datetime(frame[TABLES[table].local_day])
    return days.dt.strftime("%G-W%V")


@pytest.fixture(scope="module")
def mutated(tmp_path_factory):
    """All tables with one mutation a week, checked once."""
    folder = tmp_path_factory.mktemp("mutated")
    weeks = max(len(planned) for _, planned in PLANS.values()) + 1
    tables = {"agents": write(agents(), TABLES["agents"], folder)}
    for name, (make, planned) in PLANS.items():
        frame = make(weeks)
        labels = week_of(frame, name)
        broken = {label: mutation for mutation, label in zip(planned, plan_periods(planned).values(), strict=True)}
        parts = [
            broken[label].broken(week.copy()) if label in broken else week for label, week in frame.groupby(labels)
        ]
        tables[name] = write(pd.concat(parts), TABLES[name], folder)
    checked = check(tables, SUITES, period=PERIOD, centre=replace(CENTRE, holidays=""), baseline=weeks)
    reads = pd.DataFrame(
        [
            {"kpi": f"{table}.{column.name}", "table": table, "columns": (column.name,)}
            for table in PLANS
            for column in TABLES[table].mapped
        ]
    )
    ratings = gate(checked, reads)
    return checked, ratings[ratings["level"] == "centre"]


CASES = [(table, mutation) for table, (_, planned) in PLANS.items() for mutation in planned]


@pytest.mark.slow
@pytest.mark.parametrize(("table", "mutation"), CASES, ids=[mutation.rule for _, mutation in CASES])
def test_exactly_the_broken_rule_fails(mutated, table, mutation):
    """No rule sees what it does not speak of, and none misses what it does."""
    checked, _ = mutated
    week = plan_periods(PLANS[table][1])[mutation.rule]
    found = checked.by_period
    found = found[(found["period"] == week) & (found["level"] == "centre") & (found["outcome"] == "failed")]
    assert {rule for rule in found["rule"] if rule.startswith(f"{table}.")} == {mutation.rule} | mutation.also


@pytest.mark.slow
@pytest.mark.parametrize(("table", "mutation"), CASES, ids=[mutation.rule for _, mutation in CASES])
def test_exactly_the_kpis_that_read_its_columns_change(mutated, table, mutation):
    """From rule to column to KPI, and no further; a note changes nothing."""
    checked, ratings = mutated
    week = plan_periods(PLANS[table][1])[mutation.rule]
    rules = checked.expectations.set_index("rule")
    expected = set()
    for rule in {mutation.rule} | mutation.also:
        if rules.loc[rule, "severity"] != "note":
            columns = rules.loc[rule, "columns"] or [column.name for column in TABLES[table].mapped]
            expected |= {f"{table}.{column}" for column in columns}
    own = ratings[ratings["kpi"].str.startswith(f"{table}.")].pivot_table(
        index="kpi", columns="period", values="rating", aggfunc="first"
    )
    fit = own[own[PERIOD.label] == "fit"]
    changed = set(fit.index[fit[week] != "fit"])
    assert changed == expected & set(fit.index)


@pytest.mark.slow
def test_every_failing_row_is_referred_to(mutated):
    """The rows of the failures table are as many as the counts say."""
    checked, _ = mutated
    failures = pd.read_parquet(checked.failures)
    counted = failures.groupby(["rule", "period"]).size()
    history = checked.by_period.merge(checked.expectations[["rule", "table", "verdict", "expectation"]], on="rule")
    history = history[(history["level"] == "centre") & (history["verdict"] == "accuracy") & (history["n_failed"] > 0)]
    said = history.set_index(["rule", "period"])["n_failed"].astype("int64")
    general = [rule for rule in said.index if rule not in counted.index]
    assert counted.sort_index().to_dict() == said.drop(general).sort_index().to_dict()
    assert {rule.split(".")[1] for rule, _ in general} <= {"control_totals_near", "control_totals_far"}

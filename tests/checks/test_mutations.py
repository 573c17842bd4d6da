"""One rule broken at a time: that rule fails, and the KPIs that read its columns change their rating; no other does.

Rules on the rows, days, hours and parts of a week: each mutation has a week of its own in one run, for suites apply the
same thresholds to every period. `test_alone` breaks the others, and `test_every_rule` finds rules that nobody breaks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd
import pytest

from ccanalysis.checks import Checked, check, gate, suites
from ccanalysis.contracts import TABLES

from . import mutations, whole
from .alone import reads
from .conftest import CENTRE, PERIOD, SUITES, write
from .mutate import Broken, spoil

RULES, _ = suites.load(SUITES, TABLES)
BROKEN = ("contacts",), tuple(table for table in whole.TIMED if table not in ("contacts", "control_totals"))
# Batches and rules that need more than a week of one table.
ELSEWHERE = ("all", "issued", "control", "intervals", "sample")


def by_week(table: str) -> dict[str, Broken]:
    """How each rule of a table is broken that a week of its own can break."""
    found: dict[str, Broken] = {}
    for rule in RULES[table]:
        name = rule.id.split(".")[1]
        if rule.on in ELSEWHERE or name in ("period_settled", "response_enough", "response_usual"):
            continue
        if name == f"{TABLES[table].day}_given" or rule.kwargs.get("value_set") == [True, False]:
            continue
        if rule.type == "expect_table_row_count_to_be_between" and rule.kwargs["min_value"] == 1:
            continue
        again = name == "key_unique"
        found[rule.id] = mutations.EXPLICIT.get(rule.id) or (mutations.again() if again else spoil(rule))
    return found


PLANS = {table: by_week(table) for tables in BROKEN for table in tables}


def week_of(table: str, rule: str) -> str:
    """The week of a mutation; the report week stays clean."""
    return PERIOD.shift(-1 - list(PLANS[table]).index(rule)).label


@dataclass(frozen=True)
class Mutated:
    """What the suites said, and how the gate rated each column."""

    checked: Checked
    ratings: pd.DataFrame


@pytest.fixture(scope="module")
def mutated(tmp_path_factory) -> dict[str, Mutated]:
    """All tables with one mutation a week: contacts in one run, and what names contacts in another."""
    found = {}
    for tables in BROKEN:
        weeks = max(len(PLANS[table]) for table in tables) + 1
        folder = tmp_path_factory.mktemp("mutated")
        frames = {**whole.standing(), **{name: whole.TIMED[name](weeks) for name in {*tables, "contacts"}}}
        for table in tables:
            frames[table] = _mutated(frames[table], table)
        paths = {name: write(frame, TABLES[name], folder) for name, frame in frames.items()}
        checked = check(paths, SUITES, period=PERIOD, centre=replace(CENTRE, holidays=""), baseline=weeks)
        ratings = gate(checked, reads(*tables))
        found |= dict.fromkeys(tables, Mutated(checked, ratings[ratings["level"] == "centre"]))
    return found


def _mutated(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    labels = pd.to_datetime(frame[TABLES[table].local_day]).dt.strftime("%G-W%V")
    broken = {week_of(table, rule): how for rule, how in PLANS[table].items()}
    parts = [broken[label](week) if label in broken else week for label, week in frame.groupby(labels)]
    joined = pd.concat(parts, ignore_index=True)
    return joined.assign(source_row=range(2, len(joined) + 2))


CASES = [(table, rule) for table, planned in PLANS.items() for rule in planned]


@pytest.mark.slow
@pytest.mark.parametrize(("table", "rule"), CASES, ids=[rule for _, rule in CASES])
def test_exactly_the_broken_rule_fails(mutated, table, rule):
    """No rule sees what it does not speak of, and none misses what it does."""
    found = mutated[table].checked.by_period
    found = found[(found["period"] == week_of(table, rule)) & (found["level"] == "centre")]
    failed = {one for one in found.loc[found["outcome"] == "failed", "rule"] if one.startswith(f"{table}.")}
    assert failed == concerned(table, rule)


def concerned(table: str, rule: str) -> set[str]:
    return {rule} | {f"{table}.{name}" for name in mutations.ALSO.get(rule, "").split()}


@pytest.mark.slow
@pytest.mark.parametrize(("table", "rule"), CASES, ids=[rule for _, rule in CASES])
def test_exactly_the_kpis_that_read_its_columns_change(mutated, table, rule):
    """From rule to column to KPI, and no further; a note changes nothing."""
    about = mutated[table].checked.expectations.set_index("rule")
    expected: set[str] = set()
    for one in concerned(table, rule):
        if about.loc[one, "severity"] != "note":
            columns = about.loc[one, "columns"] or [column.name for column in TABLES[table].mapped]
            expected |= {f"{table}.{column}" for column in columns}
    ratings = mutated[table].ratings
    own = ratings[ratings["kpi"].str.startswith(f"{table}.")].pivot_table(
        index="kpi", columns="period", values="rating", aggfunc="first"
    )
    fit = own[own[PERIOD.label] == "fit"]
    assert set(fit.index[fit[week_of(table, rule)] != "fit"]) == expected & set(fit.index)


@pytest.mark.slow
@pytest.mark.parametrize("table", PLANS)
def test_a_week_that_nobody_broke_passes_every_rule(mutated, table):
    """What the suites call wrong is wrong, not usual; and nothing passes unseen."""
    found = mutated[table].checked.expectations
    found = found[(found["table"] == table) & found["rule"].isin(list(PLANS[table]))]
    unseen = {"contacts.abandoned_has_no_talk", "complaints.open_has_no_outcome"}  # of what must not be there
    assert set(found.loc[found["outcome"] != "passed", "rule"]) <= unseen


@pytest.mark.slow
@pytest.mark.parametrize("table", PLANS)
def test_every_failing_row_is_referred_to(mutated, table):
    """The rows of the failures table are as many as the counts say."""
    checked = mutated[table].checked
    rules = checked.expectations
    rules = rules[(rules["table"] == table) & (rules["verdict"] == "accuracy") & rules["on"].isin(["rows", "all"])]
    failures = pd.read_parquet(checked.failures)
    counted = failures[failures["rule"].isin(rules["rule"])].groupby(["rule", "period"]).size()
    history = checked.by_period[checked.by_period["rule"].isin(rules["rule"])]
    history = history[(history["level"] == "centre") & (history["n_failed"] > 0)]
    said = history.set_index(["rule", "period"])["n_failed"].astype("int64")
    assert counted.sort_index().to_dict() == said.sort_index().to_dict()

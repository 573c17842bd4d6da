"""Every rule of every suite is broken by some test, and nothing passes for want of rows or rules."""

from __future__ import annotations

import pytest

from ccanalysis.checks import check, gate, suites
from ccanalysis.contracts import TABLES

from . import test_alone, test_mutations, whole
from .alone import PLAIN, reads
from .conftest import PERIOD, SUITES, write

RULES, _ = suites.load(SUITES, TABLES)
EVERY = [rule for rules in RULES.values() for rule in rules]


def test_no_rule_is_without_a_mutation():
    """A new rule comes with the row that breaks it."""
    broken = {rule for planned in test_mutations.PLANS.values() for rule in planned} | test_alone.BROKEN
    cannot = {rule.id for rule in EVERY if is_typed(rule) or needs_a_row(rule)}
    assert {rule.id for rule in EVERY} - broken - cannot == set()
    assert broken - {rule.id for rule in EVERY} == set()


def is_typed(rule) -> bool:
    """A staged column of flags holds true, false or nothing, for the door lets nothing else in."""
    if rule.kwargs.get("value_set") != [True, False]:
        return False
    assert TABLES[rule.table].column(rule.kwargs["column"]).type == "boolean"
    return True


def needs_a_row(rule) -> bool:
    """Where a rule asks for one row, a table without any is not assessed: the tests below hold that."""
    return rule.type == "expect_table_row_count_to_be_between" and rule.kwargs["min_value"] == 1


@pytest.fixture(scope="module")
def frames():
    return {name: make(2) for name, make in whole.TIMED.items()} | whole.standing()


@pytest.mark.parametrize("table", TABLES)
def test_a_table_without_rows_passes_nothing(frames, tmp_path, table):
    """No row is no evidence, whatever the other tables hold."""
    paths = {table: write(frames[table].head(0), TABLES[table], tmp_path)}
    checked = check(paths, SUITES, period=PERIOD, centre=PLAIN, baseline=2)
    own = checked.expectations[checked.expectations["table"] == table]
    assert len(own) >= 5
    assert set(own["outcome"]) == {"not assessed"}
    assert set(gate(checked, reads(table))["rating"]) == {"unknown"}


@pytest.mark.parametrize("table", TABLES)
def test_a_table_with_an_empty_suite_passes_nothing(frames, tmp_path, table):
    """No rule is no evidence either."""
    suite = tmp_path / "expectations"
    suite.mkdir()
    (suite / f"{table}.json").write_text(f'{{"name": "{table}", "expectations": []}}')
    paths = {table: write(frames[table], TABLES[table], tmp_path)}
    checked = check(paths, suite, period=PERIOD, centre=PLAIN, baseline=2)
    assert checked.expectations.empty
    assert set(gate(checked, reads(table))["rating"]) == {"unknown"}

"""The whole way from staged tables to ratings."""

from __future__ import annotations

import pandas as pd
import pytest

from ccanalysis.checks import failing_rows, gate

READS = pd.DataFrame(
    [
        {"kpi": "service_level", "table": "contacts", "columns": ("outcome", "wait_s")},
        {"kpi": "csat", "table": "surveys", "columns": ("csat",)},
        {"kpi": "breaches", "table": "breaches", "columns": ("severity",)},
    ]
)


def test_no_rule_fails_on_clean_tables(checked):
    """What the suites call wrong is wrong, not usual."""
    found = checked.expectations
    assert found[found["outcome"] == "failed"][["rule", "reason"]].to_dict("records") == []
    assert found[found["cause"] == "error"][["rule", "reason"]].to_dict("records") == []


def test_figures_on_clean_tables_are_fit_and_those_on_an_absent_table_unknown(checked):
    """An absent table takes along only the KPIs that read it."""
    ratings = gate(checked, READS)
    now = ratings[(ratings["period"] == "2026-W46") & (ratings["level"] == "centre")].set_index("kpi")
    assert now["rating"].to_dict() == {"service_level": "fit", "csat": "fit", "breaches": "unknown"}
    assert now.loc["breaches", "reasons"][0] == "The table 'breaches' is absent"


def test_failures_hold_references_only(checked):
    """Names of files, row numbers, rules and units: no cell value of a contact."""
    columns = pd.read_parquet(checked.failures).columns.tolist()
    assert columns == ["table", "rule", "source_file", "source_row", "period", "team"]


@pytest.mark.parametrize("level", ["centre", "team"])
def test_every_period_of_the_baseline_is_rated(checked, level):
    """History is judged by the same thresholds, for the centre and its teams."""
    ratings = gate(checked, READS.head(1))
    some = ratings[ratings["level"] == level]
    assert some["period"].nunique() == 10
    assert set(some["rating"]) == {"fit"}


def test_clean_rows_are_those_that_fail_no_rule_on_the_columns(checked, clean):
    """Nothing to leave out of clean tables."""
    from ccanalysis import engine

    with engine.connect(clean, folders=[checked.failures.parent]) as connection:
        assert failing_rows(connection, checked, "contacts", ["wait_s"]).fetchall() == []

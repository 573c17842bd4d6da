"""What a rule found, in words."""

from __future__ import annotations

import doctest

import pytest

from ccanalysis.checks import words
from ccanalysis.checks.suites import Rule


def rule(kind: str = "expect_column_values_to_be_between", about: str = "have no team", **more) -> Rule:
    known = {
        "id": "contacts.x",
        "table": "contacts",
        "on": "rows",
        "expectation": {"type": kind, "kwargs": more.pop("kwargs", {})},
        "dimension": "validity",
        "verdict": "accuracy",
        "severity": "block",
        "columns": (),
        "kpis": (),
        "about": about,
        "remedy": "",
    }
    return Rule(**(known | more))


def test_examples():
    """The examples in the docstrings hold."""
    assert doctest.testmod(words).failed == 0


@pytest.mark.parametrize(
    ("asked", "found", "text"),
    [
        pytest.param(rule(), {"n": 20, "n_failed": 20}, "20 of 20 contacts (100.0 %) have no team", id="all"),
        pytest.param(
            rule(kwargs={"mostly": 0.95}),
            {"n": 1000, "n_failed": 12},
            "12 of 1,000 contacts (1.2 %) have no team, within the 5.0 % allowed",
            id="within_what_is_allowed",
        ),
        pytest.param(
            rule(on="days", about="have no contacts"),
            {"n": 15, "n_failed": 2},
            "2 of 15 open days of channels and sites (13.3 %) have no contacts",
            id="days_of_the_centre",
        ),
        pytest.param(
            rule(on="days", about="have no contacts"),
            {"n": 5, "n_failed": 2, "level": "team"},
            "2 of 5 open days (40.0 %) have no contacts",
            id="days_of_a_team",
        ),
        pytest.param(
            rule("expect_column_median_to_be_between", "the talk time is unlikely"),
            {"n": 9, "n_failed": None, "value": 240_000.0, "kwargs": {"min_value": 5, "max_value": 3600}},
            "The talk time is unlikely: the median is 240,000, expected 5 to 3,600",
            id="a_value",
        ),
        pytest.param(
            rule("expect_table_row_count_to_be_between", "there are too few contacts"),
            {"n": 7, "n_failed": None, "value": 7, "kwargs": {"min_value": 30}},
            "There are too few contacts: the number of rows is 7, expected 30 or more",
            id="a_number_of_rows",
        ),
        pytest.param(
            rule(on="period", about="the number of contacts is unlike the periods before"),
            {"n": 1, "n_failed": 1, "value": 81.25, "kwargs": {"min_value": 100.0, "max_value": 140.6}},
            "The number of contacts is unlike the periods before: 81.2, expected 100 to 141",
            id="a_period",
        ),
        pytest.param(
            rule("expect_column_values_to_be_in_set", "the export was taken too early", on="period"),
            {"n": 1, "n_failed": 1, "kwargs": {"value_set": [True]}},
            "The export was taken too early",
            id="a_fact",
        ),
        pytest.param(
            rule("expect_table_row_count_to_be_between", "there are no actions to read"),
            {"n": 8, "n_failed": None, "value": 8, "kwargs": {"min_value": 1}, "passed": True},
            "As expected: the number of rows is 8 (1 or more)",
            id="a_number_of_rows_that_is_right",
        ),
        pytest.param(
            rule(on="period", about="the number of contacts is unlike the periods before"),
            {"n": 1, "n_failed": 0, "value": 120.0, "kwargs": {"min_value": 100.0, "max_value": 140.6}, "passed": True},
            "As expected: 120 (100 to 141)",
            id="a_period_that_is_right",
        ),
        pytest.param(
            rule("expect_column_values_to_be_in_set", "the export was taken too early", on="period"),
            {"n": 1, "n_failed": 0, "kwargs": {"value_set": [True]}, "passed": True},
            "As expected",
            id="a_fact_that_is_right",
        ),
    ],
)
def test_sentences(asked, found, text):
    """Counts first, with their share; then what is wrong."""
    assert words.found(asked, **({"value": None, "kwargs": {}, "passed": False} | found)) == text


def test_a_heading_says_what_is_looked_for():
    """Of rows and days it names what is counted; of one value it is the sentence itself."""
    assert words.title(rule()) == "Contacts that have no team"
    days = rule(on="days", about="have no contacts")
    assert words.title(days) == "Open days of channels and sites that have no contacts"
    assert words.title(rule("expect_table_row_count_to_be_between", "there are no actions")) == "There are no actions"


def test_what_was_not_assessed_is_a_sentence_of_its_own():
    """A rule on one value is not worded as one on rows."""
    assert words.not_assessed(rule(), "the table is absent") == (
        "Whether any of the contacts have no team was not assessed: the table is absent"
    )
    assert words.not_assessed(rule(on="period", about="the number of contacts is unlike the periods before"), "x") == (
        "Whether the number of contacts is unlike the periods before was not assessed: x"
    )

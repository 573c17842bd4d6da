"""What all questions share: their period, what is left out, who sees what, and that one that fails stops no other."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from ccanalysis import disclosure, questions
from ccanalysis.errors import SettingsError
from ccanalysis.periods import Period
from ccanalysis.questions.trust import trust


@pytest.mark.parametrize(
    ("judged", "every", "asked"),
    [
        ("2026-W46", None, "2026-W46"),
        ("2026-W46", "month", "2026-10"),
        ("2026-W44", "month", "2026-10"),  # it ends on 1 November: October is whole
        ("2026-11", "month", "2026-11"),
        ("2026-12", "quarter", "2026-Q4"),
        ("2026-11", "quarter", "2026-Q3"),
    ],
)
def test_a_question_looks_at_the_last_whole_period_of_its_own_frequency(judged, every, asked):
    """A month that is under way is not looked at."""
    found = questions.as_of(SimpleNamespace(period=Period.parse(judged)), every)
    assert found.label == asked


def test_an_unknown_question_is_refused_with_the_nearest():
    """A typing error is answered with a proposal."""
    with pytest.raises(SettingsError, match=r"there is no question 'qualty'\. Did you mean 'quality'"):
        questions.question("qualty")


def history(*rows):
    return pd.DataFrame(
        [("t.rule", "centre", "", period, outcome, "", why) for period, outcome, why in rows],
        columns=["rule", "level", "unit", "period", "outcome", "cause", "reason"],
    )


def rated(severity, *rows):
    rules = pd.DataFrame([("t.rule", "contacts", severity, ())], columns=["rule", "table", "severity", "kpis"])
    results = SimpleNamespace(expectations=rules, rule_history=history(*rows))
    week = Period.parse("2026-W40")
    return trust(results, ("contacts", "surveys"), ("contacts",), week.start, week.shift(4).start)


def test_a_week_that_a_rule_blocks_is_left_out_and_said():
    """The others are fit."""
    told, left_out = rated("block", ("2026-W40", "passed", ""), ("2026-W41", "failed", "Days are missing"))
    assert told == [{"table": "contacts", "rating": "fit", "reasons": []}]
    assert [label for label, _, _ in left_out["contacts"]] == ["2026-W41"]


def test_where_every_week_is_blocked_the_table_is_not_fit_and_nothing_is_left_out():
    """Leaving out all of it would leave nothing to say."""
    told, left_out = rated("block", ("2026-W40", "failed", "Days are missing"))
    assert told == [{"table": "contacts", "rating": "not fit", "reasons": ["Days are missing"]}]
    assert left_out == {}


def test_a_caution_is_said_and_leaves_nothing_out():
    """What is outside the window counts for nothing."""
    told, left_out = rated("caution", ("2026-W40", "failed", "Few rows"), ("2026-W20", "failed", "Other"))
    assert told == [{"table": "contacts", "rating": "caution", "reasons": ["Few rows"]}]
    assert left_out == {}


def units(**n):
    return pd.DataFrame(
        [("centre", "", 100, 0.5, "as usual")] + [("team", name, cases, 0.4, "worse") for name, cases in n.items()],
        columns=["level", "unit", "n", "value", "verdict"],
    )


def test_figures_of_few_cases_are_hidden_with_one_more_that_would_tell_them():
    """The total less the others is the hidden one."""
    shown = disclosure.without_few(units(a=5, b=30, c=12), ["level", "unit"])
    assert shown["n"].isna().tolist() == [False, True, False, True]
    assert shown["value"].isna().tolist() == shown["verdict"].isna().tolist() == [False, True, False, True]


def test_two_hidden_figures_hide_each_other():
    """Nothing more is taken, and none is where all have cases enough."""
    assert disclosure.without_few(units(a=5, b=6, c=12), ["level", "unit"])["n"].isna().sum() == 2
    assert disclosure.without_few(units(a=50, b=60), ["level", "unit"])["n"].isna().sum() == 0


@pytest.mark.slow
def test_an_answer_that_fails_is_said_and_raises_nothing(centre, results, monkeypatch):
    """Its report is not made; the others are."""

    def broken(*given):
        raise ZeroDivisionError

    monkeypatch.setattr(questions, "_made", broken)
    monkeypatch.setattr(questions, "_fingerprint", lambda *given: "never-made")
    assert questions.attempt(centre, results, "requirements").facts["error"] == "ZeroDivisionError"

"""Numbers and verdicts in plain words: one unit with every number, British English, no jargon."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccanalysis import text
from ccanalysis.kpis.register import LEVELS
from ccanalysis.statistics.spc import RULE_SETS
from ccanalysis.text import (
    count,
    difference,
    duration,
    interval,
    level,
    listed,
    meaning,
    number,
    target,
    value,
    verdict,
)

NAN = float("nan")
JARGON = (
    "sigma", "p-value", "p value", "special cause", "common cause", "common_cause", "xmr", "spc", "funnel", "null",
    "nan", "significan", "hypothesis", "percentile", "standard deviation", "confidence", "benjamini", "shrink",
    "posterior", "outlier", "baseline", "assurance", "variance", "control limit", "none", "_",
)  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "digits", "written"),
    [
        (0, 0, "0"),
        (10_233, 0, "10,233"),
        (1234.56, 1, "1,234.6"),
        (-0.4, 0, "0"),
        (-1234.5, 2, "-1,234.50"),
        (NAN, 0, "no data"),
        (None, 0, "no data"),
    ],
)
def test_a_number_has_a_comma_at_thousands(amount, digits, written):
    """And nought has no sign."""
    assert number(amount, digits) == written


@pytest.mark.parametrize(
    ("n", "words", "written"),
    [
        (0, ("team",), "no teams"),
        (1, ("team",), "1 team"),
        (1.0, ("team",), "1 team"),
        (2, ("team",), "2 teams"),
        (1500, ("enquiry", "enquiries"), "1,500 enquiries"),
        (0, ("miss", "misses"), "no misses"),
    ],
)
def test_a_count_agrees_with_its_word(n, words, written):
    """One, none and many."""
    assert count(n, *words) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0.0 s"),
        (-0.01, "0.0 s"),
        (73.84, "73.8 s"),
        (119.94, "119.9 s"),
        (119.95, "2 min 00 s"),
        (372, "6 min 12 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (11_100, "3 h 05 min"),
        (3_600_000, "1,000 h 00 min"),
        (-372, "-6 min 12 s"),
        (NAN, "no data"),
    ],
)
def test_a_duration_reads_at_a_glance(seconds, written):
    """Tenths of seconds below two minutes, then minutes and seconds, then hours and minutes."""
    assert duration(seconds) == written


@given(st.floats(0, 1e7))
def test_a_duration_can_be_read_back(seconds):
    """To half of the last unit that is shown; no minute has sixty seconds."""
    written = duration(seconds)
    parts = {unit: float(n.replace(",", "")) for n, unit in re.findall(r"([\d,.]+) (s|min|h)", written)}
    read = parts.get("s", 0) + 60 * parts.get("min", 0) + 3600 * parts.get("h", 0)
    assert abs(read - seconds) <= (0.05 if "min" not in parts else 0.5 if "s" in parts else 30) + 1e-6
    assert parts.get("min", 0) < 60
    assert parts.get("s", 0) < (120 if "min" not in parts else 60)


@pytest.mark.parametrize(
    ("amount", "unit", "written"),
    [
        (0.8124, "share", "81.2%"),
        (1, "share", "100.0%"),
        (-1e-9, "share", "0.0%"),
        (372.4, "s", "6 min 12 s"),
        (4.2, "per_1000", "4.20 per 1,000"),
        (1204.5, "per_1000", "1,204.50 per 1,000"),
        (7.25, "points", "7.2 points"),
        (12, "count", "12"),
        (12.4, "count", "12.4"),
        (NAN, "share", "no data"),
        (None, "points", "no data"),
    ],
)
def test_a_value_has_its_unit(amount, unit, written):
    """Every unit of the register."""
    assert value(amount, unit) == written


@pytest.mark.parametrize(
    ("bounds", "better", "unit", "written"),
    [
        ((0.8, NAN), "up", "share", "at least 80.0%"),
        ((30, NAN), "down", "s", "at most 30.0 s"),
        ((360, 480), "within", "s", "6 to 8 min"),
        ((370, 480), "within", "s", "6 min 10 s to 8 min 00 s"),
        ((NAN, NAN), "up", "share", "no target"),
        ((None, None), "within", "share", "no target"),
    ],
)
def test_a_target_has_its_direction(bounds, better, unit, written):
    """At least, at most, or from one end to the other."""
    assert target(*bounds, better, unit) == written


@pytest.mark.parametrize(
    ("amount", "unit", "written"),
    [
        (-0.031, "share", "3.1 percentage points"),
        (0.031, "share", "3.1 percentage points"),
        (-12, "s", "12.0 s"),
        (2.5, "per_1000", "2.50 per 1,000"),
    ],
)
def test_a_difference_of_shares_is_in_percentage_points(amount, unit, written):
    """It has a size and no sign."""
    assert difference(amount, unit) == written


@pytest.mark.parametrize(
    ("items", "written"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_a_list_reads_as_a_sentence_does(items, written):
    """Without a comma before the last."""
    assert listed(items) == written


@pytest.mark.parametrize(
    ("name", "n", "names", "written"),
    [
        ("team", 1, None, "team"),
        ("team", 0, None, "teams"),
        ("agent", 2, {}, "agents"),
        ("reason", 2, None, "contact reasons"),
        ("team", 1, {"team": "provider"}, "provider"),
        ("team", 2, {"team": "provider"}, "providers"),
        ("site", 2, {"team": "provider"}, "sites"),
        ("team", 2, {"team": "agency"}, "agencies"),
        ("team", 2, {"team": "relay"}, "relays"),
        ("team", 2, {"team": "branch"}, "branches"),
    ],
)
def test_a_level_is_called_as_the_centre_calls_it(name, n, names, written):
    """Its own word where it has one, in one and in many."""
    assert level(name, n, names) == written


def test_every_level_and_rule_has_words():
    """Also one that is added later."""
    assert set(text.LEVEL_WORDS) == set(LEVELS)
    assert set(text.RULE_WORDS) == set(RULE_SETS["ptd"].rules)


ROW = {
    "level": "team",
    "unit": "Billing",
    "name": "Calls answered within 20 seconds",
    "value": 0.7528,
    "n": 1790,
    "ci_low": 0.7322,
    "ci_high": 0.7722,
    "target": 0.8,
    "target_high": NAN,
    "tolerance": 0.02,
    "better": "up",
    "unit_of_value": "share",
    "status": "missed_real",
    "certain": True,
    "variation": "common_cause",
    "reasons": (),
}
EVIDENCE = "(n 1,790, likely between 73.2% and 77.2%); the target is at least 80.0%."
SAID = "Billing: Calls answered within 20 seconds was 75.3% in week 46 of 2026 " + EVIDENCE


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"status": "met", "certain": True}, "Met."),
        ({"status": "met", "certain": False}, "Met, but a miss cannot be ruled out."),
        ({"status": "met", "certain": False, "ci_low": NAN}, "Met, as far as can be told."),
        ({"status": "within_tolerance"}, "Just short of it, within the agreed tolerance."),
        ({"status": "within_tolerance", "better": "down"}, "Just over it, within the agreed tolerance."),
        ({"status": "within_tolerance", "better": "within"}, "Just outside it, within the agreed tolerance."),
        ({"status": "missed_chance"}, "Missed, but this could be chance: do not act on this one figure."),
        (
            {"status": "missed_chance", "reasons": (text.REACHES_TOLERANCE,)},
            "Missed; whether by more than the agreed tolerance of 2.0 percentage points could be chance.",
        ),
        ({"status": "missed_real"}, "Missed, and the gap is real."),
        (
            {"status": "cannot_meet"},
            "Missed, as nearly always: this process cannot meet it, so change the process or the target.",
        ),
        ({"status": "no_target"}, ""),
        ({"status": "no_target", "variation": "improving"}, "It is improving."),
        ({"status": "not_judged", "reasons": ("only 4 cases, and at least 50 are needed", "two days are missing")},
         "Not judged: only 4 cases, and at least 50 are needed; two days are missing."),
        ({"status": "not_judged"}, "Not judged: too little data."),
        ({"variation": "worsening"}, "Missed, and the gap is real. It is getting worse."),
        ({"status": "met", "variation": "improving"}, "Met. It is improving."),
        (
            {"status": "met", "variation": "improving", "rules": "shift"},
            "Met. It has settled at a better level than before.",
        ),
        (
            {"status": "missed_chance", "variation": "worsening", "rules": "shift"},
            "Missed: the gap itself could be chance, but it has settled at a worse level than before.",
        ),
        ({"variation": "not_enough_data"}, "Missed, and the gap is real."),
        ({"variation": "higher"}, "Missed, and the gap is real."),
    ],
)  # fmt: skip
def test_a_status_says_what_it_means_for_action(changed, sentence):
    """One sentence each, and one more where it changes for certain."""
    assert meaning(ROW | changed) == sentence


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({}, SAID + " Missed, and the gap is real."),
        ({"status": "not_judged", "reasons": ("data not fit to use",)}, SAID + " Not judged: data not fit to use."),
        (
            {"level": "centre", "unit": "centre"},
            SAID.replace("Billing:", "The centre:") + " Missed, and the gap is real.",
        ),
        (
            {"target": NAN, "status": "no_target"},
            "Billing: Calls answered within 20 seconds was 75.3% in week 46 of 2026 (n 1,790, likely between 73.2% "
            "and 77.2%).",
        ),
        (
            {"ci_low": NAN},
            "Billing: Calls answered within 20 seconds was 75.3% in week 46 of 2026 (n 1,790); the target is at "
            "least 80.0%. Missed, and the gap is real.",
        ),
        ({"value": NAN}, "Billing: Calls answered within 20 seconds has no data in week 46 of 2026."),
        (
            {"name": "Average handling time", "value": 500.0, "ci_low": 490.0, "ci_high": 510.0, "target": 330.0,
             "target_high": 450.0, "better": "within", "unit_of_value": "s", "n": 1.0},
            "Billing: Average handling time was 8 min 20 s in week 46 of 2026 (n 1, likely between 8 min 10 s and "
            "8 min 30 s); the target is 5 min 30 s to 7 min 30 s. Missed, and the gap is real.",
        ),
    ],
)  # fmt: skip
def test_a_verdict_says_value_cases_interval_target_and_meaning(changed, sentence):
    """In two sentences at most, and without a target in one."""
    assert verdict(ROW | changed, period="week 46 of 2026") == sentence


def test_a_verdict_may_call_the_unit_by_another_name():
    """A person by their name, where the reader may see it."""
    assert verdict(ROW, period="week 46 of 2026", who="Ann (a7)").startswith("Ann (a7): Calls answered")


def test_an_interval_needs_both_its_ends():
    """Half of one says nothing."""
    assert interval(ROW) == "likely between 73.2% and 77.2%"
    assert interval(ROW | {"ci_high": NAN}) == interval(ROW | {"ci_low": None}) == ""


@pytest.mark.parametrize(
    ("before", "end"),
    [
        (
            {"status": "met", "variation": "worsening", "value": 0.81, "n": 1500},
            "In week 45 of 2026 it was 81.0% (n 1,500): met; worsening.",
        ),
        (
            {"status": "missed_real", "variation": "worsening", "value": 0.71, "n": 900},
            "In week 45 of 2026 it was 71.0% (n 900): worsening.",
        ),
        (
            {"status": "not_judged", "variation": "common_cause", "value": NAN, "n": NAN},
            "In week 45 of 2026 there was no figure.",
        ),
    ],
)
def test_a_change_says_what_it_was_before(before, end):
    """The verdict of now, then value, cases, status and course of the period before."""
    row = ROW | {"variation": "common_cause"}
    said = text.changed(row, before, period="week 46 of 2026", earlier="week 45 of 2026")
    assert said == f"{SAID} Missed, and the gap is real. {end}"


@pytest.mark.parametrize("code", ["GBP", "EUR", "USD", "CHF"])
def test_money_names_its_currency(code):
    """By its sign, or by its code."""
    assert re.fullmatch(r"([£€$]1,235|1,235 CHF)", text.money(1234.6, code))


def sentences():
    """Give every sentence that the words and verdicts can make."""
    for status, variation, better, certain in itertools.product(
        text.STATUS_WORDS, text.VARIATION_WORDS, ("up", "down", "within"), (True, False)
    ):
        row = ROW | {"status": status, "variation": variation, "better": better, "certain": certain}
        row |= {"target_high": 0.9, "reasons": ("data not fit to use",)}
        yield verdict(row, period="week 46 of 2026")
        before = {"status": "met", "variation": "common_cause", "value": 0.8, "n": 20}
        yield text.changed(row, before, period="week 46 of 2026", earlier="week 45 of 2026")
    for words in (
        text.STATUS_WORDS,
        text.VARIATION_WORDS,
        text.ASSURANCE_WORDS,
        text.RATING_WORDS,
        text.RULE_WORDS,
        text.OUTCOME_WORDS,
    ):
        yield from words.values()


def test_no_sentence_needs_a_course_in_statistics():
    """Nor does one shout, or end without a stop, or have a space too many."""
    for sentence in sentences():
        lowered = sentence.lower()
        assert not [word for word in JARGON if re.search(rf"(?<![a-z]){re.escape(word)}", lowered)], sentence
        assert "  " not in sentence and sentence == sentence.strip()
        assert "!" not in sentence
        if sentence.startswith("Billing"):
            assert sentence.endswith(".") and ".." not in sentence


def test_words_are_spelt_as_in_britain():
    """Centre, colour, recognise."""
    american = re.compile(r"\b(center|color|behavior|analyz|recogniz|organiz|favor|labor)", re.IGNORECASE)
    assert not [sentence for sentence in sentences() if american.search(sentence)]


def test_six_outcomes_are_told_apart():
    """And that there is no target."""
    words = list(text.STATUS_WORDS.values())
    assert words == [
        "Met",
        "Within tolerance",
        "Missed, could be chance",
        "Missed, real",
        "This process cannot meet it",
        "No target",
        "Not judged",
    ]
    assert len(set(words)) == len(words)

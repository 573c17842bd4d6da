"""Findings: nothing is ranked on noise, what is planted is found, and the whole is named where nobody stands out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ccanalysis import views
from ccanalysis.findings import CLEAR, COLUMNS, FALSE_DISCOVERY, RELIABLE, changes, findings
from ccanalysis.kpis.components import KEYS, Components
from ccanalysis.kpis.measures import from_catalogue
from ccanalysis.kpis.register import Approval, Kpi, Target
from ccanalysis.periods import Period
from ccanalysis.results import Results
from ccanalysis.statistics import intervals
from ccanalysis.verdicts import VERDICT_COLUMNS, judge, series

NOW = Period.parse("2026-W46")
SHARE, MEAN, RATE = (from_catalogue(name, {}) for name in ("answer_rate", "asa", "complaints_per_1000"))


def kpi_of(measure=SHARE, *, better="up", team=0.8, individual=0.8, **changed):
    """Return an approved KPI with one target in force for years."""
    given = {
        "id": "kpi",
        "name": "The KPI",
        "purpose": "To see.",
        "measure": measure,
        "better": better,
        "levels": ("centre", "team", "agent"),
        "targets": (Target(since=date(2020, 1, 1), team=team, individual=individual),),
        "frequency": "week",
        "minimum_n": 1,
        "owner": "Head of Operations",
        "approval": Approval(state="approved", by="Board", on=date(2020, 1, 1)),
        "action_after_review": "Look at the rota.",
    }
    return Kpi(**(given | changed))


def judged_of(units, kpis=None, **more):
    """Return the verdicts of units; see `lined_of`."""
    return lined_of(units, kpis, **more)[1]


def lined_of(units, kpis=None, *, n=1000, weeks=1, rating="fit", squares=0, centre=True):
    """Measure and judge units given as `{(level, unit): [numerator, ...]}`, the last week last.

    The centre is the sum of the teams.

    A number in place of a list stands for every week; `n` is one for all, or one per unit.
    """
    kpis = kpis or [kpi_of()]
    periods = list(NOW.back(weeks))
    size = n if isinstance(n, dict) else dict.fromkeys(units, n)
    lines = {key: list(line) if isinstance(line, (list, tuple)) else [line] * weeks for key, line in units.items()}
    teams = [key for key in lines if key[0] == "team"]
    if centre and teams and ("centre", "centre") not in lines:
        lines[("centre", "centre")] = [sum(lines[key][week] for key in teams) for week in range(weeks)]
        size = size | {("centre", "centre"): sum(size[key] for key in teams)}
    rows = [
        (kpi.id, *key, period.start, value, size[key], size[key], squares)
        for kpi in kpis
        for key, line in lines.items()
        for period, value in zip(periods, line, strict=True)
    ]
    sums = pd.DataFrame(rows, columns=[*KEYS, "numerator", "denominator", "n", "squares"])
    gate = pd.DataFrame(
        [(kpi.id, "centre", "", period.label, rating, ()) for kpi in kpis for period in periods],
        columns=["kpi", "level", "unit", "period", "rating", "reasons"],
    )
    line = series(Components(sums, pd.DataFrame(columns=[*KEYS, "bin", "n"])), kpis, periods, gate)
    return line, judge(line, kpis, NOW, gate)


def known_of(units, kpis, *, actions=None, weeks=1, n=1000, **more):
    """Return the findings of units with their past at hand."""
    line, judged = lined_of(units, kpis, weeks=weeks, n=n, **more)
    return findings(judged, kpis, NOW, line=line, actions=actions)


def reviewed(units, kpis=None, **more):
    """Return the sentences on targets to review."""
    found = known_of(units, kpis or [kpi_of()], **more)
    return found.loc[found["kind"] == "review_target", "sentence"].tolist()


def found_of(units, kpis=None, **more):
    """Return the findings of units."""
    kpis = kpis or [kpi_of()]
    return findings(judged_of(units, kpis, **more), kpis, NOW)


def teams(*values):
    """Name teams a, b, c by their values."""
    return {("team", chr(ord("a") + number)): value for number, value in enumerate(values)}


# Noise and signal.


def by_hand(counts, n, kpi):
    """Give verdicts without history for a simulation of many weeks: a miss is real where the interval lies beyond."""
    share = kpi.targets[0].team
    numerator = np.array([*counts, counts.sum()])
    below = np.full(len(numerator), n)
    below[-1] = n * len(counts)
    low, high = intervals.wilson(numerator, below)
    beyond = high < share if kpi.better == "up" else low > share
    units = [f"t{number}" for number in range(len(counts))]
    return pd.DataFrame(
        {
            "kpi": kpi.id,
            "name": kpi.name,
            "level": ["team"] * len(counts) + ["centre"],
            "unit": [*units, "centre"],
            "period": NOW.label,
            "numerator": numerator,
            "denominator": below,
            "n": below,
            "value": numerator / below,
            "ci_low": low,
            "ci_high": high,
            "target": share,
            "target_high": np.nan,
            "tolerance": 0.0,
            "status": np.where(beyond, "missed_real", "missed_chance"),
            "certain": beyond,
            "variation": "not_enough_data",
            "rules": "",
            "assurance": "none",
            "hit_rate": np.nan,
            "n_judged": 1,
            "data": "fit",
            "reasons": [()] * len(numerator),
            "unit_of_value": "share",
            "better": kpi.better,
            "experimental": False,
        }
    )


@pytest.mark.parametrize(("better", "share", "n"), [("up", 0.8, 300), ("down", 0.06, 400)])
def test_equal_units_are_hardly_ever_told_to_act(better, share, n):
    """Two hundred weeks of eight teams that are on target in truth: at most one in twenty calls for action."""
    kpi = kpi_of(better=better, team=share)
    named = 0
    for seed in range(200):
        verdicts = by_hand(np.random.default_rng(seed).binomial(n, share, 8), n, kpi)
        if verdicts["certain"].any():
            named += int((findings(verdicts, [kpi], NOW)["tier"] == "act").any())
    assert named <= 0.05 * 200


def test_a_planted_bad_team_is_found_and_no_other():
    """One of eight misses by ten points: it is named in each of twenty weeks, the others hardly ever."""
    right = wrong = 0
    for seed in range(20):
        counts = np.random.default_rng(seed).binomial(800, [0.70] + [0.81] * 7)
        found = findings(by_hand(counts, 800, kpi_of()), [kpi_of()], NOW)
        act = set(found.loc[found["tier"] == "act", "unit"])
        right += int("t0" in act)
        wrong += int(bool(act - {"t0"}))
    assert right == 20
    assert wrong <= 1


def test_a_miss_that_may_be_chance_calls_for_nothing():
    """The interval reaches the target: it cannot be told yet."""
    assert found_of(teams(790, 810, 805))[["kind", "tier"]].to_numpy().tolist() == [["cannot_tell", "note"]]


def test_a_real_miss_says_what_to_do_and_how_large_it_is():
    """The gap is drawn towards the peers, and what closing it is worth counted in contacts."""
    found = found_of(teams(700, 820, 830, 810), n=1000)
    row = found.iloc[0]
    assert (row["kind"], row["tier"], row["level"], row["unit"], row["status"]) == (
        "improve",
        "act",
        "team",
        "a",
        "missed_real",
    )
    assert row["gap"] == pytest.approx(0.1)
    assert 0 < row["gap_shrunk"] < row["gap"]
    assert row["impact"] == pytest.approx(row["gap_shrunk"] * 1000)
    assert row["effect"] == row["impact"]
    assert 0 < row["impact_low"] < row["impact"]
    assert row["comparisons"] == 5
    assert row["q_value"] <= FALSE_DISCOVERY
    assert row["action"] == "Look at the rota."
    assert row["sentence"] == (
        "a: The KPI was 70.0% in week 46 of 2026 (n 1,000, likely between 67.1% and 72.8%); the target is at least "
        "80.0%. Missed, and the gap is real."
    )
    assert list(found.columns) == COLUMNS


def test_a_real_miss_that_many_comparisons_explain_is_watched():
    """One of sixty teams misses by what one of sixty misses by chance; the sentence says so."""
    values = {("team", f"t{k:02}"): 162 for k in range(59)} | {("team", "zz"): 146}
    row = found_of(values, n=200).query("unit == 'zz'").iloc[0]
    assert row["status"] == "missed_real"
    assert row["q_value"] > FALSE_DISCOVERY
    assert row["tier"] == "watch"
    assert row["sentence"].endswith(" Among 61 comparisons, though, one like it can come about by chance.")


@pytest.mark.parametrize(
    ("measure", "better", "team", "bad", "good", "squares"),
    [
        (SHARE, "down", 0.05, 120, 40, 0),
        (SHARE, "within", (0.4, 0.6), 700, 500, 0),
        (SHARE, "within", (0.4, 0.6), 300, 500, 0),
        (MEAN, "down", 20.0, 30_000, 18_000, 1_300_000),
        (MEAN, "within", (18.0, 22.0), 10_000, 20_000, 900_000),
        (RATE, "down", 12.0, 60, 10, 0),
    ],
)
def test_a_planted_bad_team_is_found_in_every_kind_of_measure(measure, better, team, bad, good, squares):
    """Lower is better, a band, a mean time and a rate of events."""
    kpi = kpi_of(measure, better=better, team=team)
    found = found_of(teams(bad, good, good + 1, good - 1, good), [kpi], squares=squares)
    act = found[found["tier"] == "act"]
    assert act["unit"].tolist() == ["a"]
    assert (act["gap_shrunk"] > 0).all()
    assert (act["impact"] > 0).all()


def test_two_teams_are_not_shrunk_towards_each_other():
    """Under three peers there is nothing to draw towards; the gap is the raw one."""
    row = found_of(teams(700, 830)).iloc[0]
    assert (row["tier"], row["gap_shrunk"]) == ("act", pytest.approx(0.1))
    assert np.isnan(row["reliability"])


# The system.


def test_where_all_miss_alike_the_system_is_the_finding():
    """Not one finding per team, and none of them is the worst."""
    steady = [700, 705, 695, 702, 698] * 3
    found = found_of(teams(*[steady] * 4), weeks=15)
    act = found[found["tier"] == "act"]
    assert act["kind"].tolist() == ["system"]
    row = act.iloc[0]
    assert (row["level"], row["unit"], row["comparisons"]) == ("centre", "centre", 4)
    assert row["effect"] == pytest.approx(4 * 0.102 * 1000, rel=0.01)
    assert row["sentence"] == (
        "All 4 teams miss the target for The KPI, and none stands out: the cause lies in how the work is organised, "
        "not with one of them."
    )


def test_the_system_is_told_once_at_the_level_with_most_units():
    """Sites that miss as their teams do are the same finding."""
    steady = [700, 705, 695, 702, 698] * 3
    units = {("site", f"s{k}"): steady for k in range(3)} | teams(*[steady] * 5)
    found = found_of(units, [kpi_of(levels=("centre", "site", "team"))], weeks=15)
    assert found["kind"].tolist().count("system") == 1
    assert found.iloc[0]["sentence"].startswith("All 5 teams miss")


def test_only_units_that_were_judged_are_counted_among_all():
    """A team without data this week does not miss its target."""
    steady = [700, 705, 695, 702, 698] * 3
    judged = judged_of(teams(*[steady] * 4), weeks=15)
    judged.loc[judged["unit"] == "d", "status"] = "not_judged"
    sentence = findings(judged, [kpi_of()], NOW).iloc[0]["sentence"]
    assert sentence.startswith("All 3 teams miss the target")
    judged.loc[judged["unit"] == "c", "status"] = "not_judged"
    assert "system" not in set(findings(judged, [kpi_of()], NOW).query("level == 'team'")["kind"])


def test_a_signal_in_one_team_is_no_system():
    """All miss, and one has just become worse: it is named."""
    steady = [700, 705, 695, 702, 698] * 3
    found = found_of(teams(steady, steady, [*steady[:-1], 600]), weeks=15)
    assert "system" not in set(found["kind"])
    assert set(found.loc[found["kind"] == "improve", "unit"]) == {"a", "b", "c"}


def test_a_centre_that_misses_without_a_team_that_does_is_named_itself():
    """Each team's miss could be chance, that of the whole cannot."""
    found = found_of(teams(*[184] * 10), n=240)
    assert found[["kind", "tier", "unit", "status"]].to_numpy().tolist() == [
        ["system", "act", "centre", "missed_real"]
    ]  # fmt: skip
    assert found.iloc[0]["sentence"].endswith("Missed, and the gap is real. No single part of it stands out.")


def test_a_kpi_of_the_centre_alone_has_its_finding():
    """There are no parts to speak of."""
    found = found_of({("centre", "centre"): 700}, [kpi_of(levels=("centre",))])
    assert (found.iloc[0]["kind"], found.iloc[0]["tier"]) == ("system", "act")
    assert found.iloc[0]["sentence"].endswith("Missed, and the gap is real.")


def test_a_centre_that_only_just_misses_is_watched():
    """Its interval ends below the target; among so many comparisons one does by chance."""
    row = found_of(teams(*[187] * 10), n=240).iloc[0]
    assert (row["unit"], row["status"]) == ("centre", "missed_real")
    assert row["q_value"] > FALSE_DISCOVERY
    assert (row["kind"], row["tier"]) == ("system", "watch")
    assert row["sentence"].endswith(
        "No single part of it stands out. Among 11 comparisons, though, one like it can come about by chance."
    )


def test_a_centre_that_misses_because_of_one_team_is_not_named_besides():
    """The team is the finding."""
    found = found_of(teams(300, 820, 830, 825))
    assert found.loc[found["tier"] == "act", "unit"].tolist() == ["a"]
    assert "system" not in set(found["kind"])


# People.


def agents(*values):
    """Name agents 1, 2, 3 by their values."""
    return {("agent", str(number)): value for number, value in enumerate(values, start=1)}


def test_nobody_is_named_where_the_figures_do_not_tell_people_apart():
    """Reliability below 0.7 and no clear miss: watch, and say how many were compared."""
    for seed in range(5):
        draw = np.random.default_rng(seed)
        found = found_of(agents(*map(int, draw.binomial(60, 0.76, 20))), n=60)
        people = found[found["level"] == "agent"]
        unclear = people[(people["reliability"] < RELIABLE) & (people["q_value"] > CLEAR)]
        assert (unclear["tier"] != "act").all()
        assert (people["kind"] == "development").all()


@pytest.mark.parametrize(
    ("reliability", "q_value", "tier"),
    [(0.69, 0.02, "watch"), (0.70, 0.02, "act"), (0.69, 0.005, "act"), (NAN := float("nan"), 0.02, "watch")],
)
def test_a_person_is_named_by_reliability_or_by_a_clear_miss(monkeypatch, reliability, q_value, tier):
    """With too few peers there is no reliability, and that is not enough."""
    from ccanalysis import findings as module

    judged = judged_of(agents(600, 820, 830, 840))

    def weighed(part, kpi, usable):
        values = part["value"].to_numpy(dtype=float)
        return values, values, np.full(len(part), reliability)

    monkeypatch.setattr(module, "_shrunken", weighed)
    monkeypatch.setattr(module.comparison, "benjamini_hochberg", lambda p: np.where(p < 0.01, q_value, 1.0))
    found = findings(judged, [kpi_of()], NOW)
    assert found.loc[found["unit"] == "1", "tier"].tolist() == [tier]


def test_the_evidence_on_a_person_is_that_of_a_quarter():
    """One week of forty contacts says little; thirteen weeks together say it, and the sentence says so."""
    weeks = {("agent", "1"): [28] * 13} | {("agent", str(k)): [34] * 13 for k in range(2, 9)}
    judged = judged_of(weeks, n=40, weeks=13)
    judged.loc[judged["unit"] == "1", ["status", "certain"]] = ["missed_real", True]
    row = findings(judged, [kpi_of()], NOW).query("unit == '1'").iloc[0]
    assert row["tier"] == "act"
    assert row["sentence"].endswith(" It rests on 13 weeks together: 70.0% (n 520, likely between 65.9% and 73.8%).")


def test_who_is_not_assigned_is_nobody_to_speak_of():
    """Contacts without a team or an agent are in the whole, and in no finding or comparison."""
    units = teams(830, 820, 825) | {("team", "unassigned"): 300, ("agent", "unassigned"): 300, ("agent", "1"): 850}
    judged = judged_of(units)
    assert judged.loc[judged["unit"] == "unassigned", "status"].tolist() == ["missed_real"] * 2
    found = findings(judged, [kpi_of()], NOW)
    assert "unassigned" not in set(found["unit"])
    assert set(found["unit"]) == {"centre"}


def test_there_is_no_rank():
    """A finding has no place in a table of people."""
    assert not {"rank", "position", "percentile"} & set(COLUMNS)


# Signals, data and targets.

STEADY = [800, 790, 810, 795, 805, 800, 785, 815, 800, 790, 810, 795, 805]


@pytest.mark.parametrize(
    ("latest", "kinds"),
    [
        pytest.param(800, [], id="no_signal"),
        pytest.param(815, [], id="the_best_of_all_is_not_recognised_without_a_signal"),
        pytest.param(900, ["recognise"], id="a_signal_is"),
        pytest.param(735, ["worsening"], id="and_so_is_a_warning_before_the_target_is_missed"),
    ],
)
def test_recognition_and_warning_follow_from_signals_alone(latest, kinds):
    """Not from being first or last."""
    found = found_of(teams([*STEADY, latest], [*STEADY, 795], [*STEADY, 798]), [kpi_of(team=0.72)], weeks=14)
    own = found[found["unit"] == "a"]
    assert own["kind"].tolist() == kinds
    if kinds == ["recognise"]:
        assert own.iloc[0]["tier"] == "note"
        assert own.iloc[0]["sentence"].endswith(
            "It is improving. The change is real: the latest point lies outside the usual range."
        )
        assert own.iloc[0]["action"] == "Say so to the people concerned, and find out what they did."
    if kinds == ["worsening"]:
        assert own.iloc[0]["tier"] == "watch"
        assert own.iloc[0]["action"] == "Find out what changed before the target is missed."


def test_a_person_is_not_recognised_in_a_list():
    """Signals are told of the centre, sites and teams."""
    found = found_of({("agent", "1"): [*STEADY, 900]}, [kpi_of(team=0.72)], weeks=14)
    assert found.empty


def test_a_band_that_was_left_is_a_change_without_praise():
    """Higher or lower than usual is neither good nor bad of itself."""
    found = found_of(teams([*STEADY, 900]), [kpi_of(better="within", team=(0.7, 0.95))], weeks=14)
    row = found[found["unit"] == "a"].iloc[0]
    assert (row["kind"], row["tier"]) == ("changed", "note")
    assert row["sentence"].endswith("It is higher than usual: the latest point lies outside the usual range.")


@pytest.mark.parametrize("rating", ["not fit", "unknown"])
def test_a_figure_of_the_centre_that_cannot_be_judged_comes_first(rating):
    """Nothing else is found of it."""
    found = found_of(teams(300, 820, 830), rating=rating)
    assert found[["kind", "tier", "unit"]].to_numpy().tolist() == [["data", "act", "centre"]]
    word = {"not fit": "data not fit to use", "unknown": "data not assessed"}[rating]
    assert found.iloc[0]["sentence"] == f"The KPI cannot be judged in week 46 of 2026: {word}."
    assert found.iloc[0]["action"] == "Have the export corrected; see the data-quality report."


def test_an_experimental_kpi_has_no_findings():
    """It is shown, and nobody acts on it."""
    kpi = kpi_of(approval=Approval(state="consulted"))
    judged = judged_of(teams(300, 820, 830), [kpi])
    assert (judged["status"] == "missed_real").any()
    assert findings(judged, [kpi], NOW).empty


def test_no_verdicts_give_no_findings():
    """With the columns that readers expect."""
    assert list(findings(pd.DataFrame(columns=VERDICT_COLUMNS), [kpi_of()], NOW).columns) == COLUMNS


@pytest.mark.parametrize(
    ("team", "better", "weeks", "sentence"),
    [
        (0.70, "up", 14, "met in each of the last 14 weeks."),
        (0.90, "up", 14, "missed in each of the last 14 weeks."),
        (0.90, "down", 14, "met in each of the last 14 weeks."),
        (0.70, "up", 9, None),
        (0.80, "up", 14, None),
        ((0.70, 0.90), "within", 14, None),
        ((0.85, 0.90), "within", 14, "missed in each of the last 14 weeks."),
    ],
)
def test_a_target_that_is_always_or_never_met_is_put_up_for_review(team, better, weeks, sentence):
    """After ten periods at least; a band that is kept is as it should be."""
    found = found_of({("centre", "centre"): [*STEADY, 802][-weeks:]}, [kpi_of(team=team, better=better)], weeks=weeks)
    review = found[found["kind"] == "review_target"]
    assert len(review) == bool(sentence)
    for said in review["sentence"]:
        assert said.startswith("The centre: The KPI was 80.2% in week 46 of 2026 (n 1,000, likely between 77.6% and ")
        assert said.endswith(f" The target was {sentence}")
    assert (review["tier"] == "note").all()


def test_only_periods_that_had_a_target_are_said_to_have_met_it():
    """A target of twelve weeks was not met in each of fourteen."""
    kpi = kpi_of(targets=(Target(since=list(NOW.back(14))[2].start, team=0.7, individual=None),))
    found = found_of({("centre", "centre"): [*STEADY, 802]}, [kpi], weeks=14)
    assert found["sentence"].tolist() == [
        "The centre: The KPI was 80.2% in week 46 of 2026 (n 1,000, likely between 77.6% and 82.6%); the target is at "
        "least 70.0%. Met. The target was met in each of the last 12 weeks."
    ]
    young = kpi_of(targets=(Target(since=list(NOW.back(14))[6].start, team=0.7, individual=None),))
    assert found_of({("centre", "centre"): [*STEADY, 802]}, [young], weeks=14).empty


STEADY_16 = [*STEADY, 802, 795, 803]


def test_a_target_that_the_usual_level_has_left_behind_is_put_up_for_review():
    """It told weeks apart; for eight weeks every week meets it by far."""
    early = [760, 840, 790, 820, 775, 830, 810, 780, 845, 790]
    found = reviewed({("centre", "centre"): [*early, *[930, 925, 935, 930, 928, 932, 929, 931]]}, weeks=18)
    assert found == [
        "The KPI: it was 93.0% on average in the last 8 weeks up to week 46 of 2026 (n 8,000), after 80.4% on average "
        "in the 10 before; the target, at least 80.0%, was met in 5 of the 10 before and in each of the last 8, so it "
        "no longer tells a good week from a poor one."
    ]
    below = reviewed({("centre", "centre"): [*early, *[630, 625, 635, 630, 628, 632, 629, 631]]}, weeks=18)
    assert "was met in 5 of the 10 before and in none of the last 8" in below[0]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param([*[760, 840, 790, 820, 775, 830, 810, 780, 845, 790] * 2][:18], id="no_move"),
        pytest.param([760, 840, 790, 820, 775, 830, 810, 780, 845, 790, *[930, 840] * 4], id="not_out_of_reach"),
        pytest.param([840] * 10 + [930] * 8, id="it_told_nothing_before"),
        pytest.param([760, 840, 790, 820, 775, 830, 810, *[930] * 8], id="too_short_a_past"),
        pytest.param([760, 840, 790, 820, 775, 830, 810, 780, 845, 790, *[930] * 7, 790], id="not_all_on_one_side"),
    ],
)
def test_a_target_that_still_tells_weeks_apart_is_left_alone(line):
    """A few good weeks are no new level."""
    assert not any("no longer tells a good" in one for one in reviewed({("centre", "centre"): line}, weeks=len(line)))


def test_a_band_that_is_kept_at_last_is_no_target_to_review():
    """That is as it should be."""
    line = [760, 840, 790, 820, 775, 830, 810, 780, 845, 790, *[930, 925, 935, 930, 928, 932, 929, 931]]
    band = kpi_of(better="within", team=(0.8, 0.97))
    assert reviewed({("centre", "centre"): line}, [band], weeks=18) == []


def test_steady_chance_is_hardly_ever_taken_for_a_drift():
    """Of 100 centres whose weeks go up and down around the target at most one."""
    found = 0
    for seed in range(100):
        line = np.random.default_rng(seed).binomial(400, 0.8, 26).tolist()
        found += bool(reviewed({("centre", "centre"): line}, weeks=26, n=400))
    assert found <= 1


# What nobody acts on.


def lasting(units, actions=None, *, kpis=None, weeks=8, **more):
    """Return the findings with a register of actions at hand, on top of what is judged."""
    kpis = kpis or [kpi_of()]
    return known_of(units, kpis, weeks=weeks, actions=register_of() if actions is None else actions, **more)


def register_of(*actions):
    """Return a register of actions; what is not given is a running action on team a."""
    full = {"kpi": "kpi", "level": "team", "unit": "a", "state": "running", "decided_on": NOW.shift(-1).start}
    return pd.DataFrame([full | given for given in actions], columns=list(full))


def test_a_real_miss_of_weeks_without_an_action_is_said():
    """With value, n, interval, target, and for how long."""
    found = lasting({("team", "a"): 700, ("team", "b"): 850, ("team", "c"): 845})
    row = found[found["kind"] == "not_acted_on"].iloc[0]
    assert (row["tier"], row["level"], row["unit"]) == ("watch", "team", "a")
    assert row["sentence"] == (
        "a: The KPI was 70.0% in week 46 of 2026 (n 1,000, likely between 67.1% and 72.8%); the target is at least "
        "80.0%. Missed, and the gap is real. It has been missed in each of the last 8 weeks, and no action in the "
        "register is about it."
    )
    assert row["action"] == (
        "Decide what is done about it and enter it in the register of actions, or change the target."
    )


@pytest.mark.parametrize(
    ("action", "named"),
    [
        ({}, False),
        ({"level": "centre", "unit": None}, False),
        ({"level": None, "unit": None}, False),
        ({"state": "planned"}, False),
        ({"state": "done"}, False),
        ({"state": "done", "decided_on": NOW.shift(-40).start}, True),
        ({"state": "dropped"}, True),
        ({"unit": "b"}, True),
        ({"kpi": "other"}, True),
        ({"decided_on": NOW.end}, True),
    ],
)
def test_an_action_under_way_or_decided_since_is_something_done(action, named):
    """On the same KPI, and on the unit or on the whole centre."""
    found = lasting({("team", "a"): 700, ("team", "b"): 850, ("team", "c"): 845}, register_of(action))
    assert ("not_acted_on" in set(found["kind"])) == named


@pytest.mark.parametrize(("line", "named"), [([850] * 4 + [700] * 4, True), ([850] * 5 + [700] * 3, False)])
def test_a_young_miss_is_not_yet_one_that_nobody_acts_on(line, named):
    """Four weeks in a row at least."""
    found = lasting({("team", "a"): line, ("team", "b"): 850, ("team", "c"): 845})
    assert ("not_acted_on" in set(found["kind"])) == named


def test_without_a_register_it_is_not_said_that_nobody_acts():
    """Nobody knows."""
    units = {("team", "a"): 700, ("team", "b"): 850, ("team", "c"): 845}
    assert "not_acted_on" not in set(known_of(units, [kpi_of()], weeks=8)["kind"])


def rules_of(outcomes, **given):
    """Return the history of one rule, the last week last."""
    weeks = [week.label for week in NOW.back(len(outcomes))]
    about = {"rule": "contacts.reason", "severity": "caution", "remedy": "Fill it in", "n": 300, "n_failed": 12}
    about |= {"reason": "12 of 300 contacts (4.0 %) have no reason"}
    return pd.DataFrame(
        [about | given | {"period": week, "outcome": one} for week, one in zip(weeks, outcomes, strict=True)]
    )


def test_a_rule_that_fails_week_after_week_is_said():
    """With what it found, and for how long."""
    found = findings(judged_of(teams(810, 820, 830)), [kpi_of()], NOW, rules=rules_of(["passed"] + ["failed"] * 5))
    row = found[found["kind"] == "rule_not_acted_on"].iloc[0]
    assert (row["tier"], row["level"], row["kpi"]) == ("watch", "centre", "")
    assert row["sentence"] == (
        "12 of 300 contacts (4.0 %) have no reason in week 46 of 2026. This rule has failed in each of the last "
        "5 weeks: nobody acts on it."
    )
    assert row["action"] == "Fill it in, or drop the rule."


@pytest.mark.parametrize(
    ("outcomes", "given"),
    [
        (["failed"] * 3, {}),
        (["failed"] * 6 + ["passed"], {}),
        (["failed"] * 6 + ["not assessed"], {}),
        (["failed", "failed", "passed", "failed", "failed"], {}),
        (["failed"] * 6, {"severity": "note"}),
    ],
)
def test_a_rule_that_holds_now_and_then_is_not_left_alone(outcomes, given):
    """Nor one that only notes something."""
    found = findings(judged_of(teams(810, 820, 830)), [kpi_of()], NOW, rules=rules_of(outcomes, **given))
    assert "rule_not_acted_on" not in set(found["kind"])


# Cannot tell yet.


def untold(units, kpis=None, **more):
    """Return the sentences on what cannot be told yet."""
    found = found_of(units, kpis, **more)
    return found.loc[found["kind"] == "cannot_tell", ["tier", "level", "unit", "sentence"]].to_numpy().tolist()


def test_what_cannot_be_told_yet_says_how_many_cases_would():
    """One unit is named with its figures."""
    assert untold(teams(76, 81, 82), n=100) == [
        [
            "note",
            "team",
            "a",
            "a: The KPI was 76.0% in week 46 of 2026 (n 100, likely between 66.8% and 83.3%); the target is at least "
            "80.0%. Missed, but this could be chance: do not act on this one figure. About 330 cases would tell a gap "
            "of this size; there are 100.",
        ]
    ]


def test_several_units_are_told_together_and_none_is_named():
    """So that a team reads nothing of another."""
    assert untold(teams(76, 75, 90), n=100) == [
        [
            "note",
            "centre",
            "centre",
            "The KPI: whether the target, at least 80.0%, is missed cannot be told yet for 2 teams in week 46 of 2026. "
            "About 220 cases would tell a gap of the size that one team has; there are 100.",
        ]
    ]


def test_a_gap_that_no_number_of_cases_tells_is_not_spoken_of():
    """It is next to none."""
    assert untold(teams(799, 830, 840)) == []


def test_units_with_too_few_cases_are_counted():
    """The register says how many are needed."""
    assert untold(teams(4, 4, 90), [kpi_of(minimum_n=20)], n={**dict.fromkeys(teams(4, 4), 5), ("team", "c"): 100}) == [
        [
            "note",
            "centre",
            "centre",
            "The KPI: 2 teams had fewer than 20 cases in week 46 of 2026, too few to hold against a target.",
        ]
    ]


def test_what_the_whole_misses_for_certain_is_not_said_to_be_open():
    """Each team's miss could be chance; that of all together cannot."""
    assert untold(teams(*[184] * 10), n=240) == []


def test_people_are_not_counted_among_what_cannot_be_told():
    """Their verdicts say so to their line manager."""
    assert untold(agents(46, 47, 49), n=60) == []


# Money.


@pytest.mark.parametrize(
    ("kpi", "values", "squares", "money"),
    [
        pytest.param(kpi_of(worth=4.5), (700, 850), 0, 0.1 * 1000 * 4.5, id="contacts"),
        pytest.param(
            kpi_of(MEAN, better="down", team=20.0, worth=18.0),
            (30_000, 18_000),
            1_300_000,
            10_000 / 3600 * 18,
            id="hours",
        ),
        pytest.param(kpi_of(RATE, better="down", team=12.0, worth=60.0), (60, 11), 0, 48 * 60, id="events"),
    ],
)
def test_what_closing_a_gap_is_worth_is_said_in_money_where_the_register_weighs_it(kpi, values, squares, money):
    """A contact, an hour, an event has its price; without one there is none."""
    row = found_of(teams(*values), [kpi], squares=squares).query("unit == 'a'").iloc[0]
    assert row["money"] == pytest.approx(money, rel=1e-6)
    plain = found_of(teams(*values), [replace(kpi, worth=None)], squares=squares).query("unit == 'a'").iloc[0]
    assert np.isnan(plain["money"])


def test_the_report_says_both_what_a_gap_is_worth_in_contacts_and_in_money():
    """In the centre's currency, and in contacts alone where no worth is given."""
    for kpi, words in (
        (kpi_of(worth=4.5), "Closing the gap is worth about 100 contacts, or €450, in the period. Look at the rota."),
        (kpi_of(), "Closing the gap is worth about 100 contacts in the period. Look at the rota."),
    ):
        found = found_of(teams(700, 850), [kpi])
        about = pd.DataFrame([{"kpi": "kpi", "unit_of_value": "share", "name": "The KPI", "better": "up"}])
        results = Results(Path("nowhere"), {"currency": "EUR"}, {"findings": found, "kpis": about})
        assert views.findings_note(results, "improve", empty="-").items[0].detail == words


# Order.


def test_findings_stand_by_certainty_then_register_then_effect():
    """Act before watch before note; a KPI named first in the register first; within it the larger effect."""
    first, second = kpi_of(id="first"), kpi_of(id="second")
    judged = pd.concat(
        [
            judged_of(teams(600, 700, 820, 830, 825, 815), [second]),
            judged_of(teams(700, 600, 820, 830, 825, 815), [first]),
        ]
    )
    found = findings(judged, [first, second], NOW)
    act = found[found["tier"] == "act"]
    assert act[["kpi", "unit"]].to_numpy().tolist() == [
        ["first", "b"],
        ["first", "a"],
        ["second", "a"],
        ["second", "b"],
    ]
    assert found["tier"].tolist() == sorted(found["tier"], key=["act", "watch", "note"].index)
    shuffled = findings(judged.sample(frac=1, random_state=3), [first, second], NOW)
    assert shuffled["sentence"].tolist() == found["sentence"].tolist()


def test_a_gap_of_a_percentile_is_no_sum_over_contacts():
    """It is how long one contact waited: nothing adds up, and nothing is worth money."""
    measure = from_catalogue("answer_time_percentile", {"per_cent": 90})
    kpi = kpi_of(measure, better="down", team=20.0, individual=20.0, worth=30.0)
    waits = [(wait, count) for wait, count in enumerate([40] * 60)]
    rows = [("kpi", level, unit, NOW.start, wait, n) for level, unit in (("centre", "centre"), ("team", "a"))
            for wait, n in waits]  # fmt: skip
    histogram = pd.DataFrame(rows, columns=[*KEYS, "bin", "n"])
    total = sum(n for _, n in waits)
    sums = pd.DataFrame(
        [("kpi", "centre", "centre", NOW.start, 70_800, total, total, 0), ("kpi", "team", "a", NOW.start, 70_800, total,
         total, 0)],
        columns=[*KEYS, "numerator", "denominator", "n", "squares"],
    )  # fmt: skip
    gate = pd.DataFrame(
        [("kpi", "centre", "", NOW.label, "fit", ())],
        columns=["kpi", "level", "unit", "period", "rating", "reasons"],
    )
    judged = judge(series(Components(sums, histogram), [kpi], [NOW], gate), [kpi], NOW, gate)
    found = findings(judged, [kpi], NOW)
    found = found[found["kind"] == "improve"]
    assert len(found)
    assert found["impact"].isna().all()
    assert found["money"].isna().all()


def test_an_effect_in_seconds_is_counted_in_contacts():
    """A thousand calls that take a tenth too long are as much work as a hundred calls."""
    kpi = kpi_of(MEAN, better="down", team=20.0)
    found = found_of(teams(30_000, 18_000), [kpi], squares=1_300_000)
    row = found[found["unit"] == "a"].iloc[0]
    assert row["impact"] == pytest.approx(10_000)
    assert row["effect"] == pytest.approx(10_000 / 30)


def test_an_impact_per_thousand_is_counted_in_events():
    """Sixty complaints per 1,000 against twelve are 48 too many of 1,000 contacts."""
    found = found_of(teams(60, 11), [kpi_of(RATE, better="down", team=12.0)])
    assert found[found["unit"] == "a"].iloc[0]["impact"] == pytest.approx(48.0)


# Changes.


def test_changes_list_what_has_another_status_or_course():
    """The same verdict twice is no change; a unit that is new has nothing to compare with."""
    before = judged_of(teams(820, 820, 700, 820)).assign(period="2026-W45")
    now = judged_of(teams(820, 700, 820, 820) | {("team", "new"): 700})
    now.loc[now["unit"] == "d", "variation"] = "improving"
    moved = changes(now, before).set_index("unit")
    assert sorted(moved.index) == ["b", "c", "centre", "d"]
    assert moved.loc["b", ["status_before", "status"]].tolist() == ["met", "missed_real"]
    assert moved.loc["c", ["status_before", "status"]].tolist() == ["missed_real", "met"]
    assert moved.loc["d", ["variation_before", "variation"]].tolist() == ["not_enough_data", "improving"]
    assert changes(now, now).empty
    assert moved.loc["b", "sentence"] == (
        "b: The KPI was 70.0% in week 46 of 2026 (n 1,000, likely between 67.1% and 72.8%); the target is at least "
        "80.0%. Missed, and the gap is real. In week 45 of 2026 it was 82.0% (n 1,000): met."
    )
    columns = list(changes(now, before).columns)
    assert columns == list(changes(now, before.iloc[:0]).columns) == list(changes(now.iloc[:0], before).columns)


def test_a_retired_target_leaves_the_finding_out():
    """Without a target there is nothing to miss."""
    kpi = replace(kpi_of(), targets=())
    assert found_of(teams(300, 820, 830), [kpi]).empty


def test_a_miss_counts_for_less_the_more_kpis_are_compared():
    """With nineteen KPIs that are met beside it, one like it can come about by chance."""
    alone = kpi_of(levels=("centre", "team"))
    others = [replace(alone, id=f"kpi_{number}") for number in range(19)]
    missed, met = judged_of(teams(765, 850, 850), [alone]), judged_of(teams(850, 850, 850), others)
    before = findings(missed, [alone], NOW)
    after = findings(pd.concat([missed, met], ignore_index=True), [alone, *others], NOW)
    assert before.loc[before["unit"] == "a", ["tier", "comparisons"]].to_numpy().tolist() == [["act", 4]]
    assert after.loc[after["unit"] == "a", ["tier", "comparisons"]].to_numpy().tolist() == [["watch", 80]]


def test_a_part_that_cannot_meet_its_target_puts_it_up_for_review():
    """The centre as a whole meets it; one team never did, and lies below it with its whole usual range."""
    weeks = {("team", "a"): [600, 610] * 13, ("team", "b"): [900, 905] * 13, ("team", "c"): [910, 900] * 13}
    found = found_of(weeks, [kpi_of(levels=("centre", "team"))], weeks=26)
    row = found[found["kind"] == "review_target"].iloc[0]
    assert row["sentence"] == (
        "a: The KPI was 61.0% in week 46 of 2026 (n 1,000, likely between 57.9% and 64.0%); the target is at least "
        "80.0%. Missed, as nearly always: this process cannot meet it, so change the process or the target. The target "
        "was missed in each of the last 26 weeks."
    )
    assert row["action"] == "Change the way of working, or the target."

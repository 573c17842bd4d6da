"""Actions: what worked is found, what came back by itself is not called a success, and what cannot be told is said."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ccanalysis import views
from ccanalysis.actions import COLUMNS, FEWEST_AFTER, FEWEST_BEFORE, judge, outcome
from ccanalysis.kpis.components import KEYS, Components
from ccanalysis.kpis.measures import from_catalogue
from ccanalysis.kpis.register import Approval, Kpi, Target
from ccanalysis.periods import Period
from ccanalysis.results import Results
from ccanalysis.verdicts import series

NOW = Period.parse("2026-W46")
NAN = float("nan")
SHARE, MEAN = (from_catalogue(name, {}) for name in ("answer_rate", "asa"))
WEEKS = 20
AFTER = 8
START = next(iter(NOW.back(AFTER))).start


def kpi_of(measure=SHARE, *, better="up", team=0.8, **changed):
    """Return an approved KPI with one target in force for years."""
    given = {
        "id": "kpi",
        "name": "The KPI",
        "purpose": "To see.",
        "measure": measure,
        "better": better,
        "levels": ("centre", "team", "agent"),
        "targets": (Target(since=date(2020, 1, 1), team=team, individual=team),),
        "frequency": "week",
        "minimum_n": 1,
        "owner": "Head of Operations",
        "approval": Approval(state="approved", by="Board", on=date(2020, 1, 1)),
        "action_after_review": "Look again.",
    }
    return Kpi(**(given | changed))


def line_of(units, kpi=None, *, n=1000, unfit=(), level="team"):
    """Return the series of units given as `{unit: [value, ...]}`, the last week last."""
    kpi = kpi or kpi_of()
    lengths = {len(values) for values in units.values()}
    periods = list(NOW.back(max(lengths)))
    rows = [
        ("kpi", "centre" if unit == "centre" else level, unit, week.start, round(value * n), n, n, 0)
        for unit, values in units.items()
        for week, value in zip(periods, values, strict=True)
        if value is not None
    ]
    sums = pd.DataFrame(rows, columns=[*KEYS, "numerator", "denominator", "n", "squares"])
    gate = pd.DataFrame(
        [("kpi", "centre", "", week.label, "not fit" if week.label in unfit else "fit", ()) for week in periods],
        columns=["kpi", "level", "unit", "period", "rating", "reasons"],
    )
    return series(Components(sums, pd.DataFrame(columns=[*KEYS, "bin", "n"])), [kpi], periods, gate)


def register_of(*actions):
    """Return a register of actions; what is not given is an action on team a with all that belongs to it."""
    full = {
        "action_id": "1",
        "decided_on": START - timedelta(days=7),
        "starts_on": START,
        "what": "New rota",
        "owner": "Planning",
        "kpi": "kpi",
        "level": "team",
        "unit": "a",
        "expected_effect": 0.05,
        "state": "running",
    }
    rows = [full | {"action_id": str(number)} | given for number, given in enumerate(actions, start=1)]
    frame = pd.DataFrame(rows)
    return frame.assign(decided_on=pd.to_datetime(frame["decided_on"]), starts_on=pd.to_datetime(frame["starts_on"]))


def wobble(level, step=0.0, *, seed=0, weeks=WEEKS, after=AFTER):
    """Return weeks that go up and down by one point or two around a level, and by `step` more at the end."""
    draw = np.random.default_rng(seed)
    return [
        level + 0.01 * float(draw.standard_normal()) + (step if week >= weeks - after else 0.0) for week in range(weeks)
    ]


def centre_of(step=0.0, *, others=5, common=0.0):
    """Return team a, which moves by `step`, among others that do not."""
    names = [chr(ord("b") + number) for number in range(others)]
    return {"a": wobble(0.75, step + common)} | {
        name: wobble(0.8, common, seed=number) for number, name in enumerate(names, start=1)
    }


def one(units, *actions, kpi=None, period=NOW, **more):
    """Judge one action on team a and return its row."""
    kpi = kpi or kpi_of()
    found = judge(register_of(*(actions or ({},))), line_of(units, kpi, **more), [kpi], period)
    return found.iloc[0]


# Chance.


def drawn(
    seed, *, units=8, before=13, after=8, n=300, apart=0.03, own=0.02, common=0.02, like=0.0, effect=0.0, latest=1
):
    """Draw a centre, choose the unit that was worst in its latest weeks, and say what became of it."""
    draw = np.random.default_rng(seed)
    weeks = before + after
    noise = draw.standard_normal((weeks, units))
    for week in range(1, weeks):
        noise[week] = like * noise[week - 1] + math.sqrt(1 - like**2) * noise[week]
    share = 0.8 + apart * draw.standard_normal(units) + own * noise + common * draw.standard_normal((weeks, 1))
    cases = draw.poisson(n, (weeks, units)).clip(1)
    counted = draw.binomial(cases, share.clip(0.02, 0.98))
    worst = int(np.argmin((counted / cases)[before - latest : before].mean(axis=0)))
    if effect:
        share[before:, worst] += effect
        counted[before:] = draw.binomial(cases[before:], share[before:].clip(0.02, 0.98))
    names = [f"u{number}" for number in range(units)]
    values, weights = (pd.DataFrame(table, columns=names) for table in (counted / cases, cases.astype(float)))
    return outcome(values, weights, f"u{worst}", decided=before, starts=before, sign=1, size=0.05)


@pytest.mark.parametrize(
    "world",
    [
        pytest.param({}, id="the_worst_latest_week_of_eight_teams"),
        pytest.param({"latest": 4}, id="the_worst_four_weeks"),
        pytest.param({"apart": 0.0}, id="teams_that_are_all_alike"),
        pytest.param({"like": 0.4}, id="weeks_that_resemble_each_other"),
        pytest.param({"units": 2, "common": 0.0}, id="nobody_to_compare_with"),
        pytest.param({"units": 4, "before": 8, "after": 4}, id="a_short_history"),
        pytest.param({"units": 30, "n": 25}, id="people_with_few_cases"),
    ],
)
def test_of_units_chosen_for_their_worst_week_hardly_any_is_said_to_have_improved(world):
    """Nothing was done to any of 100: at most one in twenty is called worked."""
    found = Counter(drawn(seed, **world).key for seed in range(100))
    assert found["worked"] <= 0.05 * 100, found


@pytest.mark.parametrize("units", [8, 3])
def test_an_effect_of_useful_size_is_found(units):
    """Eight points more, in eight weeks: nine in ten are called worked, with a group to compare with or without."""
    found = Counter(drawn(seed, units=units, effect=0.08).key for seed in range(60))
    assert found["worked"] >= 0.9 * 60, found


def test_a_unit_that_stays_poor_has_not_become_worse():
    """It is expected to come back a little; that it did not is no harm done."""
    found = Counter(drawn(seed, apart=0.06).key for seed in range(100))
    assert found["worse"] <= 0.05 * 100, found


# The outcomes.


def test_an_action_that_worked_is_said_with_its_figures():
    """Values, n, interval, target, periods, and with whom it was compared."""
    row = one(centre_of(0.08))
    assert (row["outcome"], row["peers"], row["n_before"], row["n_after"]) == ("worked", 5, 11, 8)
    assert row["low"] < row["beyond"] < row["high"]
    assert row["low"] > 0
    assert row["beyond"] == pytest.approx(row["after"] - row["expected"])
    assert row["beyond"] == pytest.approx(0.08, abs=0.02)
    assert row["sentence"] == (
        "a: The KPI was 82.5% in the 8 weeks since 21 September 2026 (n 8,000), after 75.1% in the 11 weeks before "
        "(n 11,000); without the action 74.9% was to be expected. The difference is 7.6 percentage points higher, "
        "likely between 6.6 percentage points and 8.7 percentage points; 5.0 percentage points higher was hoped for; "
        "the target is at least 80.0%. Held against 5 other teams in the same time, it worked: it moved by more than "
        "it would have by itself."
    )


def test_with_no_group_to_compare_with_no_cause_is_named():
    """Two other teams are none, and the centre has no peers: the move is said, and that it may have another reason."""
    row = one(centre_of(0.08, others=2))
    assert (row["outcome"], row["peers"]) == ("worked", 0)
    assert row["sentence"].endswith(
        "It moved by more than its usual ups and downs. There is nothing comparable to hold it against, so something "
        "else in these weeks may be the reason."
    )
    whole = {"centre": wobble(0.75, 0.08)}
    row = one(whole, {"level": "centre", "unit": None})
    assert (row["outcome"], row["level"], row["unit"], row["peers"]) == ("worked", "centre", "centre", 0)
    assert row["sentence"].startswith("The centre: The KPI was ")


def test_what_all_units_did_is_not_the_action():
    """Everybody rose by eight points, so the one with an action did not rise because of it."""
    row = one(centre_of(0.0, common=0.08))
    assert row["outcome"] == "moved"
    assert row["after"] - row["usual"] > 0.06
    assert row["expected"] == pytest.approx(row["after"], abs=0.02)
    assert row["sentence"].endswith(
        "It moved, but no more than expected without the action: after poor weeks a figure comes back by itself, and "
        "other units may have moved alike."
    )


def test_a_unit_that_broke_away_is_no_measure_for_another():
    """One team collapses after the action began elsewhere: it is left out of the comparison."""
    units = centre_of(0.0)
    units["f"] = wobble(0.8, -0.25, seed=9)
    row = one(units)
    assert (row["outcome"], row["peers"]) == ("no_change", 4)


def test_units_with_an_action_of_their_own_are_not_compared_with():
    """Half the teams had the same action: the others are the group."""
    units = centre_of(0.08, others=6)
    units["b"] = wobble(0.8, 0.08, seed=1)
    found = judge(register_of({}, {"unit": "b"}, {"unit": "c", "state": "dropped"}), line_of(units), [kpi_of()], NOW)
    assert found["outcome"].tolist() == ["worked", "worked", "not_judged"]
    assert found["peers"].tolist()[:2] == [5, 5]


def test_after_a_few_poor_weeks_a_figure_comes_back_by_itself():
    """Chosen after four weeks ten points below its usual level, it is back since, and that is no success."""
    units = centre_of(0.0)
    units["a"] = [*wobble(0.80)[:7], *[0.70] * 3, 0.71, *wobble(0.8, seed=3)[11:]]
    row = one(units)
    assert row["outcome"] == "moved"
    assert row["recent"] == pytest.approx(0.7025)
    assert row["after"] == pytest.approx(0.8, abs=0.01)


def test_no_change_is_told_from_not_knowing():
    """The interval rules out what was hoped for, or it does not and says how many weeks more would tell."""
    row = one(centre_of(0.0))
    assert row["outcome"] == "no_change"
    assert row["sentence"].endswith("No change yet: a change of a useful size would show by now.")
    begins = NOW.end - timedelta(days=28)
    young = {"starts_on": begins, "decided_on": begins - timedelta(days=7)}
    small = one(centre_of(0.0), young | {"expected_effect": 0.014})
    assert (small["outcome"], small["more_periods"]) == ("cannot_tell", 3)
    assert small["sentence"].endswith("Cannot tell yet: 3 more weeks would show a change of a useful size.")
    tiny = one(centre_of(0.0), {"expected_effect": 0.002})
    assert np.isnan(tiny["more_periods"])
    assert tiny["sentence"].endswith(
        "Cannot tell: the ups and downs are too large for a change of this size ever to show here."
    )


def test_a_change_for_the_worse_is_said():
    """Eight points down."""
    row = one(centre_of(-0.08))
    assert row["outcome"] == "worse"
    assert row["sentence"].endswith("Held against 5 other teams in the same time, it got worse.")


@pytest.mark.parametrize(("since", "more"), [(0, 4), (1, 3), (3, 1)])
def test_a_young_action_says_how_many_weeks_will_tell(since, more):
    """Fewer than four full weeks tell nothing."""
    begins = NOW.end - timedelta(days=7 * since)
    row = one(centre_of(0.08), {"decided_on": begins - timedelta(days=7), "starts_on": begins - timedelta(days=1)})
    assert (row["outcome"], row["n_after"], row["more_periods"]) == ("cannot_tell", since, more)
    if since:
        weeks = "1 more week" if more == 1 else f"{more} more weeks"
        assert row["sentence"].endswith(f"Too early to tell: {weeks} will.")
    else:
        assert row["sentence"] == "a: The KPI has no usable week since 15 November 2026. 4 full weeks are needed."


def test_a_week_that_the_action_began_in_counts_on_neither_side():
    """It is half one and half the other."""
    row = one(centre_of(0.08), {"starts_on": START + timedelta(days=2)})
    assert (row["n_before"], row["n_after"]) == (11, 7)


def test_too_short_a_past_is_said():
    """Five weeks before are no usual level."""
    units = {name: values[-AFTER - 5 :] for name, values in centre_of(0.08).items()}
    row = one(units)
    assert (row["outcome"], row["n_before"]) == ("cannot_tell", FEWEST_BEFORE - 1)
    assert row["sentence"].endswith("Too few weeks before the action to know the usual level: at least 6 are needed.")


def test_a_figure_that_was_rising_already_is_not_a_success():
    """It goes on rising as it did before anything was done."""
    units = centre_of(0.0)
    units["a"] = [0.70 + 0.008 * week + 0.003 * (-1) ** week for week in range(WEEKS)]
    row = one(units)
    assert row["outcome"] != "worked"
    assert row["sentence"].endswith("It was moving that way before already.")


def test_weeks_whose_data_are_not_fit_are_left_out():
    """On both sides; where none is left there is nothing to judge."""
    weeks = [week.label for week in NOW.back(WEEKS)]
    row = one(centre_of(0.08), unfit=(weeks[2], weeks[-2]))
    assert (row["n_before"], row["n_after"]) == (10, 7)
    none = one(centre_of(0.08), unfit=weeks)
    assert none["outcome"] == "not_judged"
    assert none["sentence"] == "a: The KPI has no period whose data are fit to be compared."


def test_a_band_is_judged_by_what_was_hoped_for():
    """Handling time has two wrong sides; the action says which way."""
    kpi = kpi_of(better="within", team=(0.4, 0.9))
    assert one(centre_of(-0.08), {"expected_effect": -0.05}, kpi=kpi)["outcome"] == "worked"
    assert one(centre_of(-0.08), {"expected_effect": 0.05}, kpi=kpi)["outcome"] == "worse"
    silent = one(centre_of(-0.08), {"expected_effect": NAN}, kpi=kpi)
    assert (silent["outcome"], silent["sentence"]) == (
        "not_judged",
        "a: The KPI lies within its agreed range, and the register does not say which way it should move.",
    )
    above = kpi_of(better="within", team=(0.4, 0.6))
    assert one(centre_of(-0.08), {"expected_effect": NAN}, kpi=above)["outcome"] == "worked"


def test_where_less_is_better_a_fall_is_a_success():
    """Fewer calls given up."""
    assert one(centre_of(-0.08), {"expected_effect": -0.05}, kpi=kpi_of(better="down", team=0.7))["outcome"] == "worked"


# The register.


@pytest.mark.parametrize(
    ("given", "outcome", "sentence"),
    [
        ({"state": "dropped"}, "not_judged", "It was dropped."),
        ({"kpi": None}, "not_judged", "It names no KPI, so nothing shows what became of it."),
        ({"kpi": "moods"}, "not_judged", "Its KPI is not among those that are judged."),
        ({"unit": "zz"}, "not_judged", "The KPI is not measured for its unit."),
        ({"level": "floor"}, "not_judged", "Its unit is not among those that are judged."),
        ({"starts_on": NOW.end + timedelta(days=7)}, "cannot_tell", "It begins on 23 November 2026."),
        ({"state": "planned"}, "not_judged", "It was to begin on 21 September 2026 and has not begun."),
    ],
)
def test_what_cannot_be_judged_says_why(given, outcome, sentence):
    """In one sentence, and with no figure."""
    row = one(centre_of(0.08), given)
    assert (row["outcome"], row["sentence"]) == (outcome, sentence)
    assert np.isnan(row["beyond"])


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({}, ()),
        ({"kpi": None}, ("no KPI is named",)),
        ({"owner": None}, ("nobody is named to do it",)),
        ({"starts_on": pd.NaT}, ("no day is given on which it takes effect",)),
        ({"state": None}, ("no state is given",)),
        ({"state": "planned"}, ("overdue: it was to begin on 21 September 2026 and still stands as planned",)),
        ({"state": "planned", "starts_on": NOW.end}, ()),
        ({"expected_effect": NAN}, ("no expected effect was written down",)),
        ({"expected_effect": -0.05}, ("the expected effect is one for the worse",)),
        (
            {"expected_effect": 5.0},
            ("the expected effect is larger than a share can be; 5 percentage points are written 0.05",),
        ),
    ],
)
def test_what_the_register_lacks_is_named(given, problems):
    """An action without KPI, owner, day or effect, and one that is overdue."""
    assert one(centre_of(0.08), given)["problems"] == problems


@pytest.mark.parametrize(("state", "is_open"), [("planned", True), ("running", True), ("done", False), (None, False)])
def test_open_actions_are_marked(state, is_open):
    """Planned and running ones."""
    assert bool(one(centre_of(0.08), {"state": state})["is_open"]) == is_open


def test_two_actions_on_one_figure_cannot_be_told_apart():
    """The earlier one says that another began since."""
    later = {"starts_on": START + timedelta(days=21), "decided_on": START + timedelta(days=14)}
    found = judge(register_of({}, later), line_of(centre_of(0.08)), [kpi_of()], NOW)
    assert found["problems"].tolist() == [
        ("another action on the same figure began on 12 October 2026; the two cannot be told apart",),
        (),
    ]


def test_a_unit_without_a_level_is_looked_for_and_none_is_the_centre():
    """As a register kept by hand has it."""
    units = centre_of(0.08) | {"centre": wobble(0.8)}
    found = judge(register_of({"level": None}, {"level": None, "unit": None}), line_of(units), [kpi_of()], NOW)
    assert found[["level", "unit"]].to_numpy().tolist() == [["team", "a"], ["centre", "centre"]]


def test_actions_decided_after_the_period_are_not_in_its_report():
    """A report of an earlier week says what was known then."""
    found = judge(register_of({}, {"decided_on": NOW.end}), line_of(centre_of()), [kpi_of()], NOW)
    assert found["action_id"].tolist() == ["1"]


def test_an_empty_register_gives_an_empty_frame_with_its_columns():
    """Readers find what they expect."""
    found = judge(register_of({}).iloc[:0], line_of(centre_of()), [kpi_of()], NOW)
    assert found.empty
    assert set(COLUMNS) < set(found.columns)


def test_fewer_weeks_than_are_needed_after_are_never_called_a_success():
    """However large the step."""
    for weeks in range(FEWEST_AFTER):
        begins = NOW.end - timedelta(days=7 * weeks)
        row = one(
            {name: wobble(0.7, 0.2, seed=number, after=weeks) for number, name in enumerate("abcde")},
            {"decided_on": begins - timedelta(days=7), "starts_on": begins - timedelta(days=1)},
        )
        assert row["outcome"] == "cannot_tell"


# What reports show.


def shown(*actions, units=None, **facts):
    """Return results that hold judged actions, as an edition has them."""
    register = register_of(*actions)
    found = judge(register, line_of(units or centre_of(0.08)), [kpi_of()], NOW).assign(who="Planning")
    return Results(Path("nowhere"), {"period": NOW.label, "centre": "Northgate"} | facts, {"actions": found})


def test_the_table_says_what_who_when_which_kpi_the_hope_and_what_became_of_it():
    """The latest decision first; what the register lacks stands with it."""
    later = {"decided_on": NOW.start, "starts_on": NOW.end, "expected_effect": NAN, "state": "planned"}
    table = views.actions_table(shown({}, later))
    first, second = ([cell.text for cell in row] for row in table.rows)
    assert [column.label for column in table.columns] == [
        "Action",
        "Who",
        "When",
        "KPI",
        "Expected",
        "What became of it",
    ]
    assert first == ["New rota", "Planning", "From 16 November 2026", "The KPI", "None written down", "Cannot tell yet"]
    assert second == [
        "New rota",
        "Planning",
        "From 21 September 2026",
        "The KPI",
        "5.0 percentage points higher",
        "Worked",
    ]
    assert table.rows[0][-1].note == "It begins on 16 November 2026. No expected effect was written down."
    assert table.rows[1][-1].note == "82.5%, where 74.9% was to be expected without it"
    assert table.rows[1][2].note == "decided on 14 September 2026; running"


def test_the_summary_is_in_sentences_and_leaves_out_what_was_dropped():
    """One item per action: what it is, its outcome, and the evidence."""
    note = views.actions_note(shown({}, {"state": "dropped"}))
    (item,) = note.items
    assert item.text == "New rota: worked."
    assert item.detail.startswith("a: The KPI was 82.5% in the 8 weeks since 21 September 2026")
    assert views.actions_note(shown({"state": "dropped"})).text == ["No action of the register is under way or done."]


def test_a_success_with_nothing_to_compare_with_is_not_called_one():
    """It moved as hoped."""
    note = views.actions_note(shown({}, units=centre_of(0.08, others=2)))
    assert note.items[0].text == "New rota: moved as hoped, with nothing to compare with."


def test_without_a_register_that_is_said():
    """Not an empty table."""
    empty = Results(Path("nowhere"), {"period": NOW.label}, {"actions": pd.DataFrame()})
    assert views.actions_table(empty).text == views.actions_note(empty).text == ["No register of actions was given."]

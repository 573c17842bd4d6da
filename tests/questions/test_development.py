"""Whether development worked: what was planted is found beyond regression to the mean, and nothing else."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from ccanalysis.editions import Reader, cut_answer
from ccanalysis.questions import Answer, development
from ccanalysis.results import Results
from ccanalysis.views import development as view

pytestmark = pytest.mark.slow

SINCE, UNTIL = date(2026, 5, 4), date(2026, 11, 2)
QUALITY, TIME, IDENTITY = development.QUALITY, development.TIME, development.IDENTITY


@pytest.fixture(scope="module")
def answer(answered):
    """The answer on the sample centre for October."""
    return answered("development", "month")


@pytest.fixture(scope="module")
def programmes(answer):
    """The programmes by team and measure."""
    effects = answer.frames["effects"]
    return effects[effects["group"] == "programme"].set_index(["unit", "measure"])


def sliced(results, answer, tmp_path, audience, unit="") -> Results:
    """Return results with what a reader is given of an answer."""
    reader = Reader(audience, unit or results.facts["centre"])
    found = Results(tmp_path, results.facts | {"audience": audience, "unit": unit, "question": answer.facts})
    people = results.people
    found._frames["people"] = people[people["line_manager"] == unit] if unit else people.iloc[:0]
    found._frames["actions"] = results.actions
    for name, frame in cut_answer(results, answer, reader).items():
        found._frames[f"answer_{name}"] = frame
    return found


# --- the sample centre ------------------------------------------------------------------------------------------------


def test_the_coaching_of_calder_worked_and_its_effect_lies_in_the_interval(programmes, truths):
    """Against the other teams, none of which moved as much."""
    truth = truths["improved_after_coaching"]
    row = programmes.loc[truth["unit"], QUALITY]
    planted = truth["planted"]["after"] - truth["planted"]["before"]
    assert row["outcome"] == "worked" and row["ci_low"] <= planted <= row["ci_high"]
    assert (row["placebos"], row["placebos_as_large"]) == (5, 0)
    assert programmes.loc[truth["unit"], "Score on Accuracy and tone"]["outcome"] == "worked"
    assert programmes.loc[truth["unit"], TIME]["outcome"] not in ("shorter", "longer")


def test_the_coaching_of_four_in_aire_cannot_be_said_to_have_worked(programmes, answer, truths):
    """They were chosen for low scores: what they gained was to be expected."""
    truth = truths["coaching_without_effect"]
    rows = programmes.loc[truth["expect"] and "Aire"]
    assert set(rows["outcome"]) == {truth["expect"]["effect"].replace("_", " ")}
    row = rows.loc[QUALITY]
    assert row["people"] == len(truth["unit"]) and row["ci_low"] <= 0 <= row["ci_high"]
    assert row["before"] < row["expected"] and row["needed"] > row["compared"]
    own = answer.frames["people"]
    own = own[own["unit"].isin(truth["unit"]) & (own["need"] == "Tone")]
    assert set(own["unit"]) == set(truth["unit"]) and set(own["outcome"]) == {"cannot tell"}


def test_everyday_activities_show_no_effect_for_none_was_planted(answer):
    """Sixty comparisons, and none stands; nor does any person's, but of the team that got better."""
    effects = answer.frames["effects"]
    everyday = effects[effects["group"] != "programme"]
    assert len(everyday) > 40 and set(everyday["outcome"]) <= {"cannot tell", "no useful effect"}
    people = answer.frames["people"]
    stands = people[people["outcome"] != "cannot tell"]
    assert set(stands["need"]) <= {"Accuracy and tone"} and set(stands["measure"]) <= {QUALITY}


def test_the_people_who_stand_out_are_those_who_were_planted(answer, truths):
    """One is slow, one skips identity checks; nobody else's figures ask for help."""
    needs = answer.frames["needs"]
    shown = needs[(needs["source"] == "figures") & (needs["level"] == "agent")].set_index("need")["unit"]
    assert shown.to_dict() == {TIME: truths["slow_agent"]["unit"], IDENTITY: truths["identity_not_checked"]["unit"]}


def test_moving_breaks_at_ely_is_said_to_have_changed_nothing(answer, results, truths, tmp_path):
    """The register of actions has it; coaching of Calder beside it worked."""
    truth = truths["nothing_action_without_effect"]
    told = view.actions_note(sliced(results, answer, tmp_path, "centre")).plain()
    assert f"({truth['action']}, Ely): no change yet." in told
    assert "(ACT-04, Calder): worked." in told


def test_the_centre_and_the_quality_lead_see_no_person(answer, results, tmp_path):
    """Neither an id nor a name, also not in words."""
    names = set(results.people["agent_id"]) | set(results.people["agent_name"].dropna())
    for audience in ("centre", "quality_lead"):
        report = sliced(results, answer, tmp_path, audience)
        frames = [report.answered(name) for name in answer.frames]
        assert all(set(frame["level"]) <= {"centre", "team"} for frame in frames if len(frame))
        told = " ".join([*(frame.to_csv() for frame in frames), view.lead(report).plain(), view.to_do(report).plain()])
        assert not [name for name in names if name in told]
        assert view.own_needs(report) is view.own_people(report) is view.own_activities(report) is None


def test_a_line_manager_sees_their_own_people_alone(answer, results, tmp_path):
    """Of other teams only what the whole centre is."""
    own = results.people[results.people["line_manager"] == "Seán Brennan"]
    report = sliced(results, answer, tmp_path, "line_manager", "Seán Brennan")
    for name in answer.frames:
        frame = report.answered(name)
        assert set(frame.loc[frame["level"] == "agent", "unit"]) <= set(own["agent_id"])
        assert set(frame.loc[frame["level"] == "team", "unit"]) <= {"Rhymney"}
    assert "A057" in view.own_needs(report).plain() and "A014" not in view.own_needs(report).plain()
    assert "Go through missed identity checks with" in view.to_do(report).plain()
    assert len(view.own_people(report).plain()) > 200 and len(view.own_activities(report).plain()) > 100
    assert "Calder" not in view.lead(report).plain()


def test_the_page_says_what_worked_and_what_cannot_be_told(answer, results, tmp_path):
    """In words, with what is to be done about each."""
    report = sliced(results, answer, tmp_path, "centre")
    assert view.headline(report).startswith("Coaching at Calder on accuracy and tone worked: quality score is ")
    lead, todo = view.lead(report).plain(), view.to_do(report).plain()
    assert "Coaching at Aire on tone: cannot tell yet." in lead and "low figures rise by themselves" in lead
    assert "Do not call coaching at Aire on tone a success or a failure yet." in todo
    assert "people on each side" in todo and "Have the need recorded" in todo
    for show in (
        *(view.needs_table, view.done_chart, view.done_table, view.effects_chart, view.programmes_table),
        *(view.methods_table, view.fade_chart, view.fade_table),
    ):
        assert len(show(report).plain()) > 100


# --- worked by hand ---------------------------------------------------------------------------------------------------

BEGIN = pd.Timestamp("2026-08-03")


def scored(*people) -> pd.DataFrame:
    """Evaluations of people: id, team, scores before 3 August, scores after, a week apart, of 10 points."""
    rows = []
    for agent, team, before, after in people:
        for side, start in ((before, BEGIN - pd.Timedelta(weeks=len(before))), (after, BEGIN + pd.Timedelta(weeks=1))):
            for number, points in enumerate(side):
                rows.append((agent, team, start + pd.Timedelta(weeks=number), float(points)))
    frame = pd.DataFrame(rows, columns=["agent_id", "team", "local_date", "points"])
    given = {"criterion": "Tone", "source": "call_monitoring", "evaluator_id": "E", "max_points": 10.0, "weight": 100.0}
    more = {"withdrawn": False, "score_share": np.nan, "contact_id": None, "channel": "voice"}
    ids = [f"V{number}" for number in range(len(frame))]
    return frame.assign(**given, **more, evaluation_id=ids)


def activities(*rows) -> pd.DataFrame:
    """Activities of person, kind, topic, need and day, an hour each."""
    frame = pd.DataFrame(rows, columns=["agent_id", "kind", "topic", "need", "done_on"])
    return frame.assign(done_on=pd.to_datetime(frame["done_on"]), duration_s=3600, given_by="M")


def roster(people, valid_to=None) -> pd.DataFrame:
    frame = pd.DataFrame([(agent, team) for agent, team, *_ in people], columns=["agent_id", "team"])
    return frame.assign(valid_from=pd.Timestamp("2025-01-01"), valid_to=pd.Series([pd.NaT] * len(frame)))


def of(of_tables, tables):
    data = of_tables(tables, since=SINCE, until=UNTIL)
    return {name: frame.rows for name, frame in development.answer(data).items()}


def test_activities_four_weeks_apart_are_one_and_a_day_more_makes_two():
    """Sessions and hours add up."""
    rows = activities(
        ("A", "coaching", "Tone", "Tone", "2026-07-01"),
        ("A", "coaching", "Tone", "Tone", "2026-07-29"),
        ("A", "coaching", "Tone", "Tone", "2026-08-27"),
        ("A", "training", "Tone", "Tone", "2026-07-02"),
    ).assign(hours=1.0)
    found = development._episodes(rows)
    assert found[["kind", "sessions", "hours"]].to_numpy().tolist() == [
        ["coaching", 2, 2.0],
        ["coaching", 1, 1.0],
        ["training", 1, 1.0],
    ]


def test_three_people_of_a_team_with_one_need_make_a_programme_and_two_do_not(of_tables):
    """A need that is not recorded makes none."""
    people = [(f"{team}{number}", team, [7, 8, 9, 8], [8, 7, 9, 8]) for team in "XYZ" for number in range(6)]
    done = activities(
        *((f"X{number}", "coaching", "Calls", "Tone", "2026-08-03") for number in range(3)),
        *((f"Y{number}", "coaching", "Calls", "Tone", "2026-08-03") for number in range(2)),
        *((f"Z{number}", "coaching", "Calls", None, "2026-08-03") for number in range(4)),
    )
    found = of(of_tables, {"evaluations": scored(*people), "activities": done, "agents": roster(people)})["effects"]
    listed = found[(found["group"] == "programme") & (found["measure"] == QUALITY)]
    assert listed[["unit", "people", "need"]].to_numpy().tolist() == [["X", 3, "Tone"]]


def test_what_a_team_gained_beyond_the_other_teams_is_its_effect(of_tables):
    """All teams rise by half a point; the one that was trained by two and a half: two points of ten are its own."""
    wobble = [0.2, -0.2, 0.1, -0.1]
    people = []
    for team in "WXYZ":
        for number in range(6):
            before = [6 + one + 0.05 * number for one in wobble]
            gain = 2.5 if team == "W" else 0.5
            people.append((f"{team}{number}", team, before, [one + gain + 0.02 * (number % 3) for one in before]))
    done = activities(*((f"W{number}", "training", "Calls", "Tone", "2026-08-03") for number in range(6)))
    found = of(of_tables, {"evaluations": scored(*people), "activities": done, "agents": roster(people)})["effects"]
    row = found[(found["group"] == "programme") & (found["measure"] == QUALITY)].iloc[0]
    assert row["effect"] == pytest.approx(0.2, abs=0.005) and row["outcome"] == "worked"
    assert row["ci_low"] <= 0.2 <= row["ci_high"]
    assert (row["people"], row["compared"], row["placebos"], row["placebos_as_large"]) == (6, 6, 3, 0)
    assert row["n"] == 24


def test_people_chosen_for_chance_low_scores_are_not_said_to_have_gained(of_tables):
    """Everybody is alike; the lowest of each team are trained, and rise to the others by themselves."""
    draws = np.random.default_rng(7)
    people = [
        (f"{team}{number}", team, draws.normal(7, 1, 6).clip(0, 10), draws.normal(7, 1, 6).clip(0, 10))
        for team in "WXYZ"
        for number in range(12)
    ]
    lowest = [
        agent
        for team in "WXYZ"
        for agent, *_ in sorted((one for one in people if one[1] == team), key=lambda one: one[2].mean())[:3]
    ]
    done = activities(*((agent, "training", "Calls", None, "2026-08-03") for agent in lowest))
    found = of(of_tables, {"evaluations": scored(*people), "activities": done, "agents": roster(people)})
    row = found["effects"].query("group == 'method' and measure == @QUALITY").iloc[0]
    assert row["after"] > row["before"]  # seen by itself it looks like a success
    assert row["expected"] - row["before"] > abs(row["effect"])  # most of it was to be expected
    assert row["ci_low"] <= 0 <= row["ci_high"] and row["outcome"] not in ("worked", "worse")
    assert set(found["people"]["outcome"]) == {"cannot tell"}


def test_a_person_without_cases_before_is_listed_with_the_reason(of_tables):
    """A new starter has no time before."""
    people = [(f"X{number}", "X", [7, 8, 9, 8], [8, 7, 9, 8]) for number in range(6)] + [("N", "X", [], [7, 8, 9])]
    done = activities(("N", "buddying", "First weeks", "New starter", "2026-08-03"))
    found = of(of_tables, {"evaluations": scored(*people), "activities": done, "agents": roster(people)})
    row = found["people"].iloc[0]
    assert (row["unit"], row["outcome"], row["why"]) == ("N", "cannot tell", "too few cases before")
    assert found["needs"].query("level == 'agent'")[["unit", "need", "source"]].to_numpy().tolist() == [
        ["N", "New starter", "recorded"]
    ]


def test_an_evaluator_who_marks_lower_makes_no_effect(of_tables):
    """The strict one comes after; what is left of their marks is the person's."""
    people = [(f"X{number}", "X", [7, 8, 9, 8], [5, 4, 6, 5]) for number in range(6)]
    rows = scored(*people)
    rows["evaluator_id"] = np.where(rows["local_date"] < BEGIN, "kind", "strict")
    data = of_tables({"evaluations": rows}, since=SINCE, until=UNTIL)
    found = development._scores(data)
    early = found["day"] < BEGIN
    assert found.loc[early, "y"].mean() == pytest.approx(found.loc[~early, "y"].mean())


@pytest.mark.parametrize(
    ("words", "criteria"),
    [
        ("Accuracy and tone", ["Accuracy", "Tone"]),
        ("Tone", ["Tone"]),
        ("Ringtones", []),
        ("tone, then accuracy", ["Tone", "Accuracy"]),
        ("", []),
    ],
)
def test_a_need_is_about_the_criteria_that_it_names(words, criteria):
    """Whole words, in their order."""
    assert development._criteria_in(["Accuracy", "Tone", "Next steps"], words) == criteria


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        ({"q_value": 0.01, "effect": 0.1}, "worked"),
        ({"q_value": 0.01, "effect": -0.1}, "worse"),
        ({"q_value": 0.01, "effect": -9.0, "better": ""}, "shorter"),
        ({"q_value": 0.5, "effect": 0.01, "ci_low": -0.02, "ci_high": 0.04}, "no useful effect"),
        ({"q_value": 0.5, "effect": 0.01, "ci_low": -0.02, "ci_high": 0.04, "compared": 4}, "cannot tell"),
        ({"q_value": 0.5, "effect": 0.01, "ci_low": -0.06, "ci_high": 0.04}, "cannot tell"),
        ({"effect": float("nan"), "q_value": 0.01}, "cannot tell"),
    ],
)
def test_an_effect_is_named_by_what_can_be_said_of_it(given, outcome):
    """Useful is five points; it takes ten people to tell."""
    row = {"better": "up", "useful": 0.05, "needed": 10, "compared": 20, "ci_low": 0.0, "ci_high": 0.2}
    assert development._outcome(row | given) == outcome


# --- what is lacking --------------------------------------------------------------------------------------------------


def test_a_centre_without_tables_gets_empty_frames_and_a_page_that_says_so(of_tables, results, tmp_path):
    """Every function of the page still works, for both editions."""
    found = of(of_tables, {})
    assert all(frame.empty and len(frame.columns) for frame in found.values())
    for audience in ("centre", "line_manager"):
        for frames in (found, {}):
            report = sliced(results, Answer({}, frames, dict.fromkeys(frames, ())), tmp_path, audience)
            assert view.headline(report) == "No development activities were given."
            assert view.lead(report).plain().startswith(view.headline(report))
            for show in (
                *(view.to_do, view.needs_table, view.done_chart, view.done_table, view.effects_chart),
                *(view.programmes_table, view.methods_table, view.fade_chart, view.fade_table, view.actions_note),
            ):
                assert show(report).plain()
            for show in (view.own_needs, view.own_people, view.own_activities):
                shown = show(report)
                assert (shown is None) == (audience == "centre")


def test_activities_without_evaluations_and_contacts_are_counted_and_not_judged(of_tables, results, tmp_path):
    """What was done is shown; whether it worked cannot be."""
    done = activities(("A", "coaching", "Tone", None, "2026-08-03"), ("B", "training", None, None, "2026-08-04"))
    found = of(of_tables, {"activities": done})
    assert found["effects"].empty and found["people"].empty
    centre = found["done"].query("level == 'centre' and topic == ''")
    assert centre[["kind", "n", "hours"]].to_numpy().tolist() == [["coaching", 1, 1.0], ["training", 1, 1.0]]

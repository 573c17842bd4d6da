"""Quality: what was planted in the sample is found and nothing else, and small tables give what a hand computes."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from ccanalysis import views
from ccanalysis.editions import Reader, cut_answer, write
from ccanalysis.questions import evaluations as rated
from ccanalysis.questions import quality
from ccanalysis.views import quality as page

pytestmark = pytest.mark.slow

WINDOW = {"since": date(2026, 5, 4), "until": date(2026, 11, 2)}
COLUMNS = {
    "evaluation_id": "V1",
    "criterion": "Tone",
    "contact_id": "C1",
    "source": "call_monitoring",
    "evaluator_id": "E1",
    "form": "Form",
    "form_version": "1",
    "channel": "voice",
    "expression": "verbal",
    "site": "Leeds",
    "team": "Aire",
    "agent_id": "A1",
    "line_manager": None,
    "points": 4.0,
    "max_points": 5.0,
    "weight": 50.0,
    "score_share": np.nan,
    "critical": None,
    "auto_fail": False,
    "expert": False,
    "withdrawn": False,
    "local_date": pd.Timestamp("2026-10-05"),
}


def table(*rows):
    """Evaluations from what differs from the first one."""
    frame = pd.DataFrame([COLUMNS | row for row in rows])
    for column in ("critical", "line_manager", "agent_id", "expression"):
        frame[column] = frame[column].astype("string")
    return frame


@pytest.fixture(scope="module")
def answer(answered):
    """The answer on the sample centre, for October."""
    return answered("quality", "month")


@pytest.fixture
def asked(of_tables):
    """A function that answers the question on some evaluations, and returns the rows of each frame."""

    def ask(frame, **more):
        found = quality.answer(of_tables({"evaluations": frame, **more}, **WINDOW))
        return {name: one.rows for name, one in found.items()}

    return ask


def of(frame, **keys):
    """The rows of a frame with these values."""
    for column, value in keys.items():
        frame = frame[frame[column] == value]
    return frame


@pytest.mark.parametrize("every", ["month", None])
def test_the_team_that_was_coached_improved_by_as_much_as_was_planted(answered, truths, every):
    """More than the other teams, none of which moved as much; the others are not said to have changed."""
    truth, nothing = truths["improved_after_coaching"], truths["nothing_qa_score"]
    changes = answered("quality", every).frames["changes"].set_index("unit")
    own = changes.loc[truth["unit"]]
    planted = truth["planted"]["after"] - truth["planted"]["before"]
    assert own["outcome"] == "improved" and own["ci_low"] <= planted <= own["ci_high"]
    assert (str(own["since"].date()), own["action"]) == (truth["from"], truth["action"])
    assert own["others_as_much"] == 0
    assert set(changes.loc[nothing["unit"], "outcome"]) == {"none"}


def test_people_mark_themselves_higher_by_as_much_as_was_planted(answer, truths):
    """Once the severity of an evaluator is taken out; customers, who were given no offset, mark alike."""
    truth = truths["self_marks_higher"]
    found = of(answer.frames["differences"], criterion="").set_index("source")
    own = found.loc[truth["source"]]
    assert own["outcome"] == "higher"
    assert own["ci_low"] <= truth["planted"]["difference"] <= own["ci_high"]
    assert found.loc["customer_feedback", "outcome"] == "alike"
    assert found["value"].idxmax() == truth["source"]


def test_teams_of_one_quality_are_not_told_apart(answer):
    """Nor are people, who were drawn alike: what they differ in is chance."""
    found = answer.frames["development"]
    assert {"team", "agent"} == set(found["level"])
    assert set(found["outcome"]) == {"cannot tell"}


def test_the_score_is_the_one_of_the_kpi_register(answer, results):
    """Week by week, of the centre and of every team."""
    own = of(answer.frames["courses"], expression="")
    series = of(results.series, kpi="qa_score")
    both = own.merge(series, on=["level", "unit", "period"], suffixes=("", "_kpi"))
    assert len(both) == len(own) > 100
    assert np.allclose(both["value"], both["value_kpi"])


def test_a_criterion_that_did_not_apply_has_no_weight(asked):
    """(4 x 20 + 5 x 30) of (5 x 20 + 5 x 30): the third criterion is not nought."""
    found = asked(
        table(
            {"criterion": "A", "points": 4.0, "weight": 20.0},
            {"criterion": "B", "points": 5.0, "weight": 30.0},
            {"criterion": "C", "points": np.nan, "weight": 50.0},
        )
    )["scores"]
    whole = of(found, level="centre", criterion="", expression="").iloc[0]
    assert whole["value"] == pytest.approx(230 / 250)
    assert "C" not in set(found["criterion"])


def test_a_failed_evaluation_has_no_points_where_that_is_the_rule():
    """Both rules stand side by side in the answer; the register says which is the score."""
    rows = table(
        {"criterion": "A", "points": 5.0, "auto_fail": True},
        {"criterion": "B", "points": 3.0},
        {"evaluation_id": "V2", "criterion": "A", "points": 4.0},
    )
    rows = rows.assign(day=rows["local_date"], version=rows["form_version"])
    kept, nought = (rated.wholes(rated.scored(rows, nought=nought))["score"].tolist() for nought in (False, True))
    assert kept == pytest.approx([0.8, 0.8]) and nought == pytest.approx([0.0, 0.8])


def test_withdrawn_and_calibration_are_not_in_the_score(asked):
    """Only the first one counts."""
    found = asked(
        table(
            {"points": 3.0},
            {"evaluation_id": "V2", "points": 0.0, "withdrawn": True},
            {"evaluation_id": "V3", "points": 0.0, "source": "calibration"},
            {"evaluation_id": "V4", "points": 0.0, "source": "self"},
        )
    )["scores"]
    whole = of(found, level="centre", criterion="", expression="").iloc[0]
    assert (whole["value"], whole["n"]) == (0.6, 1)


def test_verbal_and_written_are_kept_apart(asked):
    """One is 4 of 5, the other 2 of 5."""
    found = of(
        asked(table({}, {"evaluation_id": "V2", "expression": "written", "points": 2.0}))["scores"], level="centre"
    )
    by = of(found, criterion="Tone").set_index("expression")["value"]
    assert by.to_dict() == {"verbal": 0.8, "written": 0.4}


def weeks_of(first, n, **same):
    """An evaluation of each of three people every week."""
    return [
        {"evaluation_id": f"{same.get('form_version', '1')}-{first}-{week}-{one}", "agent_id": f"A{one}"}
        | {"local_date": pd.Timestamp(first) + pd.Timedelta(weeks=week)}
        | same
        for week in range(n)
        for one in range(3)
    ]


def test_versions_of_a_form_are_two_courses_and_only_the_latest_is_scored(asked):
    """The old one is named in a note."""
    frame = table(
        *weeks_of("2026-06-01", 4, form_version="1", points=1.0),
        *weeks_of("2026-06-29", 4, form_version="2", points=4.0),
    )
    found = asked(frame)
    courses = of(found["courses"], level="centre", expression="")
    assert courses.groupby("version")["value"].unique().map(list).to_dict() == {
        "Form, version 1": [0.2],
        "Form, version 2": [0.8],
    }
    assert set(of(found["scores"], level="centre", criterion="Tone")["value"]) == {0.8}


def test_a_weight_that_changes_under_the_same_version_begins_a_new_course(of_tables):
    """And weights that do not add up to 100 are said."""
    frame = table(*weeks_of("2026-06-01", 4, weight=40.0), *weeks_of("2026-06-29", 4, weight=60.0, form="Form"))
    frame["evaluation_id"] = [f"V{place}" for place in range(len(frame))]
    data = of_tables({"evaluations": frame}, **WINDOW)
    forms = quality.answer(data)["forms"].rows
    assert forms["label"].tolist() == ["Form, version 1", "Form, version 1, weights of 29 June 2026"]
    assert forms["current"].tolist() == [False, True]
    assert any("12 evaluations until 22 June 2026" in note for note in data.notes)
    assert any("add up to 60, not to 100" in note for note in data.notes)


def test_weights_used_side_by_side_are_no_change(asked):
    """As those of two channels are."""
    rows = [
        row | {"weight": weight, "evaluation_id": f"{row['evaluation_id']}-{weight}"}
        for row in weeks_of("2026-06-01", 4)
        for weight in (40.0, 60.0)
    ]
    assert len(asked(table(*rows))["forms"]) == 1


def test_critical_errors_are_counted_once_an_evaluation_and_class(asked):
    """Ten evaluations: two with an error for the customer (one on two criteria), one for compliance."""
    rows = [{"evaluation_id": f"V{place}"} for place in range(10)]
    rows[0] |= {"critical": "customer"}
    rows[1] |= {"critical": "compliance", "auto_fail": True}
    rows[2] |= {"critical": "customer"}
    rows.append({"evaluation_id": "V0", "criterion": "Accuracy", "critical": "customer"})
    found = of(asked(table(*rows))["critical"], level="centre").set_index("kind")
    assert found["errors"].to_dict() == {"customer": 2, "business": 0, "compliance": 1, "auto_fail": 1}
    assert found["value"].to_dict() == pytest.approx(
        {"customer": 0.8, "business": 1.0, "compliance": 0.9, "auto_fail": 0.9}
    )


def pairs(shift, n=12, source="self"):
    """Evaluations of some people by evaluators and, `shift` points higher, by another source."""
    rows = []
    for one in range(n):
        base = 2.0 + one % 2
        about = {"agent_id": f"A{one}", "evaluator_id": None, "contact_id": None}
        rows.append(about | {"evaluation_id": f"M{one}", "points": base})
        rows.append(
            about | {"evaluation_id": f"S{one}", "points": base + shift + 0.1 * (one % 3 - 1), "source": source}
        )
    return table(*rows)


def test_a_difference_of_sources_is_that_of_the_same_people(asked):
    """One point of five is 0.2; people who have only one of the sources count in neither."""
    frame = pd.concat([pairs(1.0), table({"evaluation_id": "X", "agent_id": "Z", "points": 0.0})])
    own = of(asked(frame)["differences"], criterion="", source="self").iloc[0]
    assert own["value"] == pytest.approx(0.2) and own["outcome"] == "higher"
    assert (own["basis"], own["people"]) == ("people", 12)


def test_customers_who_mark_lower_are_a_blind_spot(asked):
    """By half a point of five."""
    own = of(asked(pairs(-0.5, source="customer_feedback"))["differences"], criterion="Tone").iloc[0]
    assert own["outcome"] == "lower" and own["value"] == pytest.approx(-0.1)


def test_with_few_people_in_common_it_cannot_be_told(asked):
    """Nine are one too few, and how many would do is said."""
    own = of(asked(pairs(1.0, n=9))["differences"], criterion="", source="self").iloc[0]
    assert (own["outcome"], own["needed"]) == ("cannot tell", 10) and np.isnan(own["value"])


def test_a_person_far_below_is_to_be_developed_and_the_contacts_are_named(asked):
    """One of eight has half the points of the others, thirty times; the lowest contacts are the evidence."""
    random = np.random.default_rng(1)
    rows = []
    for one in range(8):
        for place in range(30):
            points = (2.0 if one == 0 else 4.0) + random.choice([-1.0, 0.0, 1.0])
            about = {"evaluation_id": f"V{one}-{place}", "contact_id": f"C{one}-{place}", "agent_id": f"A{one}"}
            rows.append(about | {"points": points, "evaluator_id": None, "team": "Aire"})
    found = asked(table(*rows))
    people = of(found["development"], level="agent").set_index("unit")
    assert people.loc["A0", "outcome"] == "develop" and people.loc["A0", "reliability"] >= quality.RELIABLE
    assert "develop" not in set(people.drop(index="A0")["outcome"])
    cases = found["cases"]
    assert set(cases["unit"]) == {"A0"} and len(cases) == 3 and (cases["value"] == 0.2).all()


def test_one_low_mark_is_no_development_area(asked):
    """Five evaluations of everybody, one of them nought."""
    rows = [
        {"evaluation_id": f"V{one}-{place}", "agent_id": f"A{one}", "points": 3.0 + place % 3, "evaluator_id": None}
        for one in range(8)
        for place in range(5)
    ]
    rows[0] |= {"points": 0.0}
    people = of(asked(table(*rows))["development"], level="agent").set_index("unit")
    assert people.loc["A0", "outcome"] == "cannot tell"


def test_a_team_of_two_has_no_row(asked):
    """Each would know the other's score."""
    rows = [
        {"evaluation_id": f"V{team}{place}", "team": team, "agent_id": f"{team}{place % people}"}
        for team, people in (("Aire", 3), ("Pair", 2))
        for place in range(12)
    ]
    rows[0] |= {"critical": "customer"}
    found = asked(table(*rows))
    for name in ("scores", "courses", "changes", "critical"):
        assert set(of(found[name], level="team")["unit"]) == {"Aire"}


def test_without_evaluations_every_frame_is_empty_and_the_page_says_so(of_tables, results, tmp_path):
    """With the columns that the page reads."""
    found = quality.answer(of_tables({}, **WINDOW))
    assert all(frame.rows.empty and len(frame.rows.columns) for frame in found.values())


def test_columns_that_are_wholly_empty_stop_nothing(asked):
    """Neither team, agent, expression nor class of error is known."""
    frame = table(*weeks_of("2026-08-31", 6))
    for column in ("team", "agent_id", "expression", "critical", "channel", "evaluator_id", "contact_id"):
        frame[column] = pd.Series([None] * len(frame), dtype="string")
    found = asked(frame)
    assert of(found["scores"], level="centre", criterion="").iloc[0]["value"] == 0.8
    assert found["critical"].empty and found["development"].empty


@pytest.fixture(scope="module")
def slices(answer, results, tmp_path_factory):
    """A function that opens the page of a reader."""

    def cut(audience, unit):
        return write(results, Reader(audience, unit), tmp_path_factory.mktemp("slice"), answer)

    return cut


MANAGER = "Zoë Whitfield"


def test_no_person_is_in_the_edition_of_the_centre(answer, results):
    """Neither by id nor by name; no contact either."""
    people = set(results.people["agent_id"]) | set(results.people["agent_name"].dropna())
    for audience in ("centre", "analyst"):
        kept = cut_answer(results, answer, Reader(audience, "centre"))
        assert kept["cases"].empty
        for frame in kept.values():
            for column in frame.select_dtypes(include=["object", "string"]):
                assert not people & set(frame[column].dropna())


def test_a_line_manager_sees_their_own_people_and_team_alone(answer, results):
    """And of other teams nothing."""
    own = results.people[results.people["line_manager"] == MANAGER]
    kept = cut_answer(results, answer, Reader("line_manager", MANAGER))
    people = set(of(kept["development"], level="agent")["unit"])
    assert people and people <= set(own["agent_id"])
    for name in ("scores", "changes", "courses", "critical", "development"):
        assert set(of(kept[name], level="team")["unit"]) == {"Calder"}


def test_the_page_of_the_centre_says_what_was_planted(slices, truths):
    """In words: who improved, since when and by which action; that people mark themselves higher."""
    opened = slices("centre", "centre")
    lead = page.lead(opened).plain()
    assert "Calder improved since 31 August 2026" in lead and "(ACT-04)" in lead
    assert "People mark themselves" in lead and "higher than evaluators do" in lead
    assert "Calder improved" in page.headline(opened)
    todo = page.to_do(opened).plain()
    assert "Recognise Calder" in todo and "Recognise Aire" not in todo
    assert page.people_note(opened) is None and page.people_table(opened) is None and page.cases_table(opened) is None
    assert "no team to coach" in page.development_note(opened).plain()


def test_the_page_of_a_line_manager_names_their_own_people(slices, results):
    """With what cannot be told yet."""
    opened = slices("line_manager", MANAGER)
    assert "The quality score of Calder is" in page.lead(opened).plain()
    assert "Cannot tell yet" in page.people_note(opened).plain()
    own = of(results.people, line_manager=MANAGER)["agent_name"].dropna()
    shown = page.people_table(opened).plain()
    assert any(name in shown for name in own)
    others = results.people.loc[results.people["line_manager"] != MANAGER, "agent_name"].dropna()
    assert not any(name in shown for name in set(others) - set(own))


EVERY = [
    *("lead", "to_do", "scores_table", "units_chart", "courses", "changes_table", "critical_note", "critical_table"),
    *("sources_charts", "blind_spots", "sources_table", "development_note", "teams_table", "people_note"),
    *("people_table", "cases_table", "forms_table"),
]


@pytest.mark.parametrize("audience", ["centre", "line_manager"])
def test_a_page_without_evaluations_says_what_lacks(answer, results, tmp_path, audience):
    """Every part of it still works."""
    nothing = type(answer)(answer.facts, {name: frame.iloc[:0] for name, frame in answer.frames.items()}, answer.keys)
    opened = write(results, Reader(audience, MANAGER if audience == "line_manager" else "centre"), tmp_path, nothing)
    for name in EVERY:
        getattr(page, name)(opened)
    assert page.lead(opened).plain() == page.headline(opened)
    assert page.headline(opened).startswith("No evaluation by call monitoring was given")
    assert "Looked at" in views.window_note(opened).plain()

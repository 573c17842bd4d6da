"""Evaluators: the severe one of the sample is found and no other, and small tables give what a hand computes."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from ccanalysis.editions import Reader, cut_answer, write
from ccanalysis.questions import agreement
from ccanalysis.questions import evaluations as rated
from ccanalysis.views import agreement as page

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


def of(frame, **keys):
    """The rows of a frame with these values."""
    for column, value in keys.items():
        frame = frame[frame[column] == value]
    return frame


@pytest.fixture(scope="module")
def answer(answered):
    """The answer on the sample centre, for October."""
    return answered("agreement", "month")


@pytest.fixture
def asked(of_tables):
    """A function that answers the question on some tables, and returns the rows of each frame."""

    def ask(frame, **more):
        found = agreement.answer(of_tables({"evaluations": frame, **more}, **WINDOW))
        return {name: one.rows for name, one in found.items()}

    return ask


def session(scores, *, source="calibration", expert=""):
    """Evaluations of contacts (rows) by evaluators (columns): points of 5 on one criterion."""
    rows = [
        COLUMNS
        | {"evaluation_id": f"V{contact}-{evaluator}", "contact_id": f"C{contact}", "evaluator_id": evaluator}
        | {"points": float(points), "source": source, "expert": evaluator == expert}
        for contact, line in enumerate(scores)
        for evaluator, points in line.items()
    ]
    frame = pd.DataFrame(rows)
    return frame.astype({"critical": "string", "line_manager": "string"})


@pytest.mark.parametrize("every", ["month", None])
def test_the_severe_evaluator_is_found_and_no_other(answered, truths, every):
    """On the same contacts by as much as was planted; over all they met likewise lower."""
    truth, nothing = truths["severe_evaluator"], truths["nothing_evaluators"]
    found = answered("agreement", every).frames["evaluators"].set_index("unit")
    own = found.loc[truth["unit"]]
    assert own["outcome"] == "severe"
    assert own["same_low"] <= truth["planted"]["difference"] <= own["same_high"]
    assert own["met_high"] < 0
    assert set(found.loc[nothing["unit"], "outcome"]) == {"as others"}


def test_no_two_of_the_others_differ(answer, truths):
    """On no criterion does one of them mark apart."""
    usual = truths["nothing_evaluators"]["unit"]
    pairs = answer.frames["pairs"]
    own = pairs[pairs["unit"].isin(usual) & pairs["other"].isin(usual)]
    assert len(own) == 10 and (own["q_value"] > rated.FALSE_DISCOVERIES).all()
    criteria = answer.frames["criteria"]
    assert set(criteria.loc[criteria["unit"].isin(usual), "outcome"]) == {"not apart"}


def test_only_who_marks_apart_is_to_calibrate_and_with_one_of_the_others(answer, truths):
    """On a criterion on which they are apart."""
    found = answer.frames["calibrate"]
    assert found["unit"].tolist() == truths["severe_evaluator"]["expect"]["severe"]
    assert found["other"].iloc[0] in truths["nothing_evaluators"]["unit"]
    assert found["criterion"].iloc[0]


def test_without_severity_no_team_but_the_coached_one_lies_apart(answer, truths):
    """Who met the severe evaluator more often gains more."""
    found = of(answer.frames["teams"], level="team").set_index("unit")
    assert found["difference"].corr(found["by_apart"]) > 0.9
    usual = found.loc[truths["nothing_qa_score"]["unit"]]
    assert usual["ci_low"].max() <= usual["ci_high"].min()


def test_agreement_without_severity_is_higher(answer):
    """On the whole form."""
    found = of(answer.frames["agreement"], criterion="").set_index("measure")["value"]
    assert found["icc_corrected"] > found["icc"]


def test_the_evaluated_contacts_of_the_sample_are_like_all(answer):
    """They were drawn at random within week and team."""
    found = answer.frames["audit"]
    assert set(found["outcome"]) == {"alike"}
    assert {"queue", "channel", "hour of the day", "handling time"} <= set(found["dimension"])
    assert of(found, dimension="queue")["share"].sum() == pytest.approx(1)


def test_two_evaluators_who_agree_on_three_of_four_contacts(asked):
    """Equal points on 9 of 12; Cohen's kappa of points 4 and 5 by hand: (0.75 - 0.5) / (1 - 0.5)."""
    lines = [{"E1": 4, "E2": 4}] * 5 + [{"E1": 5, "E2": 5}] * 4 + [{"E1": 4, "E2": 5}] + [{"E1": 5, "E2": 4}] * 2
    found = of(asked(session(lines))["agreement"], criterion="Tone").set_index("measure")
    assert found.loc["equal", "value"] == pytest.approx(9 / 12)
    # both say 4 in 6 and 7 of 12: expected 6/12 * 7/12 + 6/12 * 5/12 = 0.5
    assert found.loc["kappa", "value"] == pytest.approx(0.5)
    assert found.loc["equal", "n"] == 12


def test_where_all_give_the_same_points_kappa_is_not_known_and_ac1_is_full(asked):
    """Which is why no coefficient stands alone."""
    found = of(asked(session([{"E1": 5, "E2": 5, "E3": 5}] * 12))["agreement"], criterion="Tone").set_index("measure")
    assert found.loc["equal", "value"] == found.loc["ac1", "value"] == 1.0
    assert np.isnan(found.loc["kappa", "value"])


def test_few_contacts_in_common_tell_nothing(asked):
    """Nine are one too few."""
    found = asked(session([{"E1": 5, "E2": 3}] * 9))
    assert of(found["agreement"], criterion="Tone")["value"].isna().all()
    assert set(found["evaluators"]["outcome"]) == {"cannot tell"} and found["calibrate"].empty


def marks(shift, n=24, seed=1):
    """Contacts scored by four evaluators, the last one `shift` points apart."""
    random = np.random.default_rng(seed)
    lines = []
    for _ in range(n):
        base = 2.0 + random.integers(0, 2)
        line = {f"E{one}": base + random.choice([-0.5, 0.0, 0.5]) for one in range(1, 5)}
        lines.append(line | {"E4": line["E4"] + shift})
    return lines


@pytest.mark.parametrize(("shift", "outcome"), [(-1.0, "severe"), (1.0, "lenient")])
def test_who_marks_a_point_apart_is_found_and_makes_nobody_else_look_apart(asked, shift, outcome):
    """A point of five is 0.2; without taking them out, the others would lie 0.07 to the other side."""
    found = asked(session(marks(shift)))["evaluators"].set_index("unit")
    assert found["outcome"].to_dict()["E4"] == outcome
    assert found.loc["E4", "same_low"] <= shift / 5 <= found.loc["E4", "same_high"]
    assert not {"severe", "lenient"} & set(found.drop(index="E4")["outcome"])


def test_an_expert_is_whom_to_calibrate_with_and_stands_beside_each(asked):
    """The difference to the expert is a figure of its own."""
    found = asked(session(marks(-1.0), expert="E2"))
    assert found["calibrate"][["unit", "other", "reason"]].to_numpy().tolist() == [["E4", "E2", "the expert"]]
    own = found["evaluators"].set_index("unit")
    assert own.loc["E4", "expert_high"] < 0 and own.loc["E2", "n_expert"] == 0


def test_the_later_score_of_a_contact_counts(asked):
    """An evaluator who scores a contact again corrects themselves."""
    first = session([{"E1": 5, "E2": 3}] * 12)
    again = first[first["evaluator_id"] == "E2"].assign(
        evaluation_id=lambda rows: rows["evaluation_id"] + "b", points=5.0, local_date=pd.Timestamp("2026-10-06")
    )
    found = of(asked(pd.concat([first, again]))["agreement"], criterion="Tone", measure="equal").iloc[0]
    assert found["value"] == 1.0


def test_without_calibration_contacts_monitored_twice_stand_for_it(of_tables):
    """And that is said."""
    data = of_tables({"evaluations": session(marks(0.0), source="call_monitoring")}, **WINDOW)
    found = agreement.answer(data)["agreement"].rows
    assert len(found) and any("No calibration was given" in note for note in data.notes)


def contacts(n, **more):
    """Contacts of October, half of them of each team."""
    rows = [
        {"contact_id": f"K{place:04}", "team": "Aire" if place % 2 else "Ely", "channel": "voice", "queue": "Billing"}
        | {"agent_id": f"A{place % 9}", "outcome": "answered", "local_date": pd.Timestamp("2026-10-30")}
        | {"local_hour": 9 + place % 8, "talk_s": 100 + place, "hold_s": 0, "acw_s": 30}
        | more
        for place in range(n)
    ]
    return pd.DataFrame(rows)


def monitored(given, share=0.25):
    """Every so-many-th contact evaluated by one of two evaluators."""
    chosen = given.iloc[:: round(1 / share)]
    rows = [
        COLUMNS
        | {"evaluation_id": f"V{place}", "contact_id": one.contact_id, "team": one.team, "agent_id": one.agent_id}
        | {"points": 3.0 + place % 3, "evaluator_id": f"E{place % 2}", "local_date": pd.Timestamp("2026-10-30")}
        for place, one in enumerate(chosen.itertuples())
    ]
    return pd.DataFrame(rows).astype({"critical": "string", "line_manager": "string"})


def test_the_draw_is_the_same_twice_and_of_contacts_that_nobody_evaluated(asked):
    """As many of each team as planned, each with an evaluator; the seed follows from centre and month."""
    given = contacts(400)
    rows = monitored(given, share=1 / 5)
    first, second = (asked(rows, contacts=given) for _ in range(2))
    assert first["draw"].equals(second["draw"]) and len(first["draw"])
    assert not set(first["draw"]["contact_id"]) & set(rows["contact_id"])
    assert first["draw"]["contact_id"].is_unique
    planned = of(first["plan"], channel="").set_index("unit")["planned"]
    drawn = of(first["draw"], use="evaluation").groupby("team").size()
    assert drawn.to_dict() == planned.to_dict()
    each = of(first["draw"], use="evaluation").pivot_table(index="team", columns="unit", values="place", aggfunc="size")
    assert (each.max(axis=1) - each.min(axis=1)).max() <= 1


def test_another_month_is_another_draw():
    """Nobody can choose the seed."""
    assert agreement.seed("Northgate", "2026-10") != agreement.seed("Northgate", "2026-11")


def test_the_plan_is_that_of_a_finite_population(asked):
    """All contacts of a small team are at most drawn; n = s2 / (e2 / z2 + s2 / N), rounded up."""
    given = contacts(400)
    found = of(asked(monitored(given), contacts=given)["plan"], channel="").set_index("unit")
    own = found.loc["Aire"]
    by_hand = own["sd"] ** 2 / (agreement.MARGIN**2 / 1.959964**2 + own["sd"] ** 2 / own["contacts"])
    assert own["wanted"] == np.ceil(by_hand) <= own["contacts"] == 200
    assert found["planned"].sum() <= found["evaluated"].sum()


def test_a_sample_of_long_contacts_is_not_like_all(asked):
    """Only the longest quarter was evaluated."""
    given = contacts(800)
    rows = monitored(given[given["talk_s"] > 700], share=1 / 2)
    found = asked(rows, contacts=given)["audit"]
    assert set(of(found, dimension="handling time")["outcome"]) == {"differs"}
    longest = of(found, dimension="handling time", category="longest quarter").iloc[0]
    assert longest["evaluated"] == 1.0 and longest["share"] == 0.25


def test_without_evaluations_every_frame_is_empty(of_tables):
    """With the columns that the page reads."""
    found = agreement.answer(of_tables({}, **WINDOW))
    assert all(frame.rows.empty and len(frame.rows.columns) for frame in found.values())


def test_columns_that_are_wholly_empty_stop_nothing(asked):
    """Neither evaluators nor contacts nor teams are known."""
    frame = session(marks(0.0), source="call_monitoring")
    for column in ("evaluator_id", "contact_id", "team", "agent_id", "channel"):
        frame[column] = pd.Series([None] * len(frame), dtype="string")
    found = asked(frame)
    assert found["evaluators"].empty and found["agreement"].empty and found["plan"].empty


def test_evaluators_and_drawn_contacts_are_for_the_quality_lead_alone(answer, results):
    """No other edition has one row of them, and no agent is in any."""
    people = set(results.people["agent_id"]) | set(results.people["agent_name"].dropna())
    personal = ("evaluators", "criteria", "pairs", "calibrate", "draw")
    lead = cut_answer(results, answer, Reader("quality_lead", "centre"))
    assert all(len(lead[name]) for name in personal)
    for reader in (Reader("centre", "centre"), Reader("analyst", "centre"), Reader("line_manager", "Zoë Whitfield")):
        kept = cut_answer(results, answer, reader)
        assert all(kept[name].empty for name in personal)
    for frame in lead.values():
        for column in frame.select_dtypes(include=["object", "string"]):
            assert not people & set(frame[column].dropna())


def test_the_page_says_who_is_severe_and_what_it_does_not_say(answer, results, tmp_path):
    """With whom to calibrate, and that it says nothing of the people met."""
    opened = write(results, Reader("quality_lead", "centre"), tmp_path, answer)
    assert page.headline(opened) == "1 evaluator of 6 marks apart from the others: E04 (severe)."
    lead = page.lead(opened).plain()
    assert "E04 marks lower than the others" in lead and "The other 5 evaluators mark alike" in lead
    assert "like all contacts" in lead
    todo = page.to_do(opened).plain()
    assert "Let E04 calibrate with" in todo and "says nothing about these people" in todo
    assert len(page.draw_table(opened).rows) == len(opened.answered("draw"))


EVERY = [
    *("lead", "to_do", "agreement_chart", "measures_table", "severity_chart", "evaluators_table", "criteria_table"),
    *("pairs_table", "teams_table", "plan_table", "draw_table", "audit_note", "audit_table", "coverage_note"),
]


def test_a_page_without_evaluations_says_what_lacks(answer, results, tmp_path):
    """Every part of it still works."""
    nothing = type(answer)(answer.facts, {name: frame.iloc[:0] for name, frame in answer.frames.items()}, answer.keys)
    opened = write(results, Reader("quality_lead", "centre"), tmp_path, nothing)
    for name in EVERY:
        getattr(page, name)(opened)
    assert page.lead(opened).plain() == page.headline(opened)
    assert page.headline(opened).startswith("No evaluation was given")

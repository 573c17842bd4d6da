"""The monitoring of the monitoring: what is looked at, what tells nothing, what it costs, and what may be approved."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import pandas as pd
import pytest

from ccanalysis import editions
from ccanalysis.kpis import register
from ccanalysis.kpis.lint import lint
from ccanalysis.questions import Answer, review
from ccanalysis.views import review as view
from ccanalysis.workspace import filled_columns

pytestmark = pytest.mark.slow
WINDOW = {"since": date(2026, 5, 18), "until": date(2026, 11, 16)}
DAY = pd.Timestamp("2026-11-10")  # in the week that `of_tables` takes for the last period


@pytest.fixture(scope="module")
def answer(answered):
    """The answer on the sample centre, of October."""
    return answered("review", "month")


@pytest.fixture
def slice_of(results, answer):
    """A function that gives what the analyst's edition shows; frames are replaced where given."""

    def cut(**frames):
        given = Answer(answer.facts, {**answer.frames, **frames}, answer.keys)
        shown = editions.cut_answer(results, given, editions.Reader("analyst", "Northgate Services"))
        facts = {**results.facts, "question": answer.facts, "audience": "analyst", "unit": "Northgate Services"}
        return SimpleNamespace(facts=facts, people=results.people, answered=lambda name: shown[name])

    return cut


def test_coverage_is_that_of_the_plan_and_no_team_or_channel_is_said_to_be_favoured(answer):
    """Seventeen contacts of each team are evaluated every week, other than by customers; about 480 are handled."""
    coverage = answer.frames["coverage"].set_index(["level", "unit"])
    assert len(coverage.loc["team"]) == 6 and len(coverage.loc["channel"]) == 3
    for _, row in coverage.iterrows():
        assert row["ci_low"] <= 17 * 6 / 2870 <= row["ci_high"]
        assert row["margin"] > 0.04 and row["n"] < row["contacts"]
    assert set(answer.frames["tested"]["outcome"]) == {"no difference found"}


def test_evaluators_do_not_agree_where_one_is_severe(answer, truths):
    """One of six marks the same contacts 14 points lower."""
    row = answer.frames["agreement"].iloc[0]
    assert (row["raters"], row["basis"]) == (6, "calibration sessions")
    assert row["ci_low"] < row["value"] < row["ci_high"] < view.TENTATIVE
    assert truths["severe_evaluator"]["planted"]["difference"] == -0.14


def test_what_is_found_has_the_planted_truths_and_no_person(answer, truths):
    """Ely cannot meet its target; Rhymney is missed and nobody acts; transfers have left their target behind."""
    found = answer.frames["found"]
    seen = set(zip(found["kind"], found["kpi"], found["unit"], strict=True))
    planted = truths["cannot_meet_target"], truths["worsening_team"]
    assert ("review_target", planted[0]["kpi"], planted[0]["unit"]) in seen
    assert ("not_acted_on", planted[1]["kpi"], planted[1]["unit"]) in seen
    assert ("review_target", "transfer_rate", "centre") in seen
    assert not set(found["level"]) & {"agent", "line_manager", "evaluator"}


def test_rules_are_told_apart_by_what_they_did(of_tables):
    """Always, mostly, never, now and then, and nothing to look at; another level counts for nothing."""
    weeks = [f"2026-W{week}" for week in range(30, 40)]
    plan = {"a": "f" * 10, "m": "f" * 6 + "p" * 4, "n": "p" * 10, "w": "f" + "p" * 9, "o": "-" * 10}
    names = {"f": "failed", "p": "passed", "-": "not assessed"}
    rows = [
        (rule, "centre", week, 0 if sign == "-" else 5, names[sign])
        for rule, signs in plan.items()
        for week, sign in zip(weeks, signs, strict=True)
    ] + [("n", "team", week, 5, "failed") for week in weeks]
    history = pd.DataFrame(rows, columns=["rule", "level", "period", "n", "outcome"])
    rules = pd.DataFrame({"rule": list(plan), "table": "t", "about": "x", "severity": "block"})
    data = of_tables({}, **WINDOW)
    data.results = SimpleNamespace(rule_history=history, expectations=rules)
    found = review._rules(data).set_index("rule")
    assert found["state"].to_dict() == {
        "a": "always fails", "m": "mostly fails", "n": "never failed", "w": "works", "o": "nothing to look at"
    }  # fmt: skip
    assert found.loc["n", ["periods", "failed", "cases"]].tolist() == [10, 0, 50]
    assert found.loc["n", "most_share"] == pytest.approx(1 - 0.025**0.1)  # none of ten


KPI = {"kpi": "k", "name": "K", "better": "up", "unit_of_value": "share", "frequency": "week"}


def figures(n=100, half=0.05, tolerance=0.05, value=0.9, target=0.8, point="common_cause", periods=10):
    return pd.DataFrame(
        {
            "unit": "centre",
            "period": [f"2026-W{30 + place}" for place in range(periods)],
            "value": value,
            "ci_low": value - half,
            "ci_high": value + half,
            "n": n,
            "target": target,
            "target_high": float("nan"),
            "tolerance": tolerance,
            "point": point,
        }
    )


@pytest.mark.parametrize(
    ("given", "wanted", "proposal", "state"),
    [
        ({"half": 0.05, "point": "concern_low"}, 100, "keep", "always met"),
        ({"half": 0.10}, 400, "month", "always met"),  # 100 a week are 434 a month
        ({"half": 0.15, "value": 0.7}, 900, "quarter", "always missed"),
        ({"half": 0.50}, 10_000, "longer", "always met"),
        ({"half": 0.04}, 64, "month", "always met"),  # cases enough, and never a signal
        ({"half": 0.04, "periods": 4}, 64, "keep", "mixed"),  # too few to say never or always
        ({"half": 0.04, "target": float("nan"), "point": "neutral_high"}, 64, "keep", "no target"),
    ],
)
def test_a_frequency_is_proposed_by_the_cases_that_would_tell(given, wanted, proposal, state):
    """An interval of twice the tolerance takes four times the cases."""
    row = review._kpi(KPI, "centre", figures(**given))
    assert (row["n_to_tell"], row["proposal"], row["state"]) == (pytest.approx(wanted, abs=1), proposal, state)


def test_teams_of_few_answers_are_sent_to_the_whole_centre_in_the_sample(answer):
    """22 answers a week and team do not tell two points of satisfaction; an always met KPI stands in the table."""
    rows = answer.frames["kpis"].set_index(["kpi", "at"])
    assert rows.loc[("csat", "team"), "proposal"] == "whole centre only"
    assert rows.loc[("csat", "team"), "n_to_tell"] > 20 * rows.loc[("csat", "team"), "n_median"]
    assert rows.loc[("abandon_rate", "centre"), "state"] == "always met"
    assert rows.loc[("transfer_rate", "centre"), "signal_share"] > 0.5


def evaluated(of_tables):
    """Two contacts of half an hour, of four; one is evaluated, by a colleague and by the customer."""
    contacts = pd.DataFrame(
        {
            "contact_id": ["a", "b", "c", "d"],
            "local_date": DAY,
            "outcome": ["answered"] * 4,
            "team": "A",
            "channel": "voice",
            "agent_id": ["x", "x", "y", "y"],
            "talk_s": [1500, 900, 900, 900],
            "hold_s": [300, 0, 0, 0],
            "acw_s": 0,
        }
    )
    evaluations = pd.DataFrame(
        {
            "evaluation_id": ["1", "1", "2", "3"],
            "contact_id": ["a", "a", "c", "d"],
            "local_date": DAY,
            "source": ["call_monitoring", "call_monitoring", "customer_feedback", "calibration"],
            "points": [5, 4, 3, 2],
            "max_points": 5,
            "weight": 50,
            "evaluator_id": "E",
            "withdrawn": None,
        }
    ).astype({"withdrawn": "boolean"})
    return of_tables({"contacts": contacts, "evaluations": evaluations}, **WINDOW)


def test_coverage_people_and_time_by_hand(of_tables):
    """One contact of four; one agent of two without; 30 and 15 minutes of listening and two forms."""
    data = evaluated(of_tables)
    drawn = review._evaluated(data)
    centre = review._coverage(drawn).iloc[0]
    assert (centre["contacts"], centre["n"], centre["share"]) == (4, 1, 0.25)
    assert review._people(drawn).iloc[0].to_dict() == {"agents": 2, "without": 1, "few": 1, "median": 0.5}
    time = review._time(data).set_index("source")
    assert time.loc["call_monitoring", ["n", "listening_h"]].tolist() == [1, 0.5]
    assert time.loc["calibration", "hours"] == pytest.approx(0.25 + review.MINUTES_PER_FORM / 60)
    assert "customer_feedback" not in time.index and time["money"].isna().all()
    assert review._agreement(data).empty  # no contact was scored twice


def test_reports_are_counted_by_their_day(of_tables):
    """One in time, one late, one never."""
    days = pd.to_datetime(["2026-11-02", "2026-11-03", "2026-11-04"])
    issued = pd.to_datetime(["2026-11-02 08:00", "2026-11-05 08:00", None])
    table = pd.DataFrame(
        {"report_id": list("abc"), "due_on": days, "issued_at": issued, "gates_passed": [True, True, None]}
    )
    row = review._reports(of_tables({"reports": table}, **WINDOW)).iloc[0]
    assert row.to_dict() == {"due": 3, "issued": 2, "on_time": 1, "passed": 2}


def test_the_proposed_entries_are_accepted_by_the_lint_of_the_register(answer, centre, tmp_path, slice_of):
    """Put under kpis: as they stand; a draft is printed as experimental, and nothing is refused."""
    proposals = answer.frames["proposals"]
    assert set(proposals["kpi"]) == {"survey_response_rate", "evaluation_coverage"}
    shown = view.proposals_table(slice_of()).payload()
    cells = [str(cell) for row in shown["rows"] for cell in row]
    assert all(any(kpi in cell for cell in cells) for kpi in proposals["kpi"])
    path = tmp_path / "kpis.yml"
    old = centre.register_path.read_text(encoding="utf-8").rstrip("\n")
    path.write_text("\n".join([old, *(f"  {block}" for block in proposals["block"])]) + "\n", encoding="utf-8")
    kept = register.load(path, centre.tables)
    asked = lint(kept, day=date(2026, 11, 16), tables=centre.tables, filled=filled_columns(centre))
    own = [one for one in asked if one.kpi in set(proposals["kpi"])]
    assert not [one for one in asked if one.refused]
    assert {one.asks for one in own} == {"Who let it be used?"}


def test_the_page_says_the_truth_in_words(slice_of):
    """Coverage, agreement, what rests on too few cases, and what to do about it."""
    shown = slice_of()
    lead, done = view.lead(shown).plain(), view.to_do(shown).plain()
    assert "were evaluated (3.5%)" in lead and "too little for scores to be compared" in lead
    assert "rest on too few cases" in view.headline(shown)
    assert "escalations.reason_enough" in done and "Calls answered within 20 seconds (Ely)" in done
    assert "10 minutes are assumed" in view.time_table(shown).plain()


def test_no_person_stands_in_the_answer(slice_of, results):
    """The analyst sees counts of agents, and no agent."""
    people = results.people
    wanted = {*people["agent_id"], *people["agent_name"].dropna()}
    shown = slice_of()
    for name in ("coverage", "people", "agreement", "kpis", "found", "time", "proposals"):
        frame = shown.answered(name)
        assert not {str(value) for value in frame.to_numpy().ravel()} & wanted
        assert not [value for value in frame.to_numpy().ravel() if any(f" {one} " in f" {value} " for one in wanted)]


def test_a_centre_without_any_table_gets_empty_frames_and_a_page(of_tables, slice_of):
    """With the columns that the report reads; what the run itself knows is still told."""
    data = of_tables({}, **WINDOW)
    empty = pd.DataFrame()
    data.results = SimpleNamespace(rule_history=empty, series=empty, kpis=empty, findings=empty, expectations=empty)
    found = {name: frame.rows for name, frame in review.answer(data).items()}
    assert all(frame.empty and len(frame.columns) for frame in found.values())
    shown = slice_of(**found)
    parts = (view.lead, view.to_do, view.coverage_chart, view.coverage_table, view.people_note, view.agreement_note)
    parts += (
        view.kpis_table,
        view.found_note,
        view.rules_note,
        view.time_table,
        view.reports_note,
        view.proposals_table,
    )
    assert all(part(shown).plain() for part in parts)
    assert "cannot be told" in view.headline(shown) and view.rules_table(shown) is None

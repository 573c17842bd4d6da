"""Complaints and escalations: causes that came back, what nobody recorded, limits of authority, and who is told."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from ccanalysis import editions
from ccanalysis.editions import Reader
from ccanalysis.questions import complaints
from ccanalysis.views import complaints as view

pytestmark = pytest.mark.slow

SINCE, UNTIL = date(2026, 5, 18), date(2026, 11, 16)


@pytest.fixture(scope="module")
def answer(answered):
    """The answer on the sample centre."""
    return answered("complaints")


@pytest.fixture(scope="module")
def edition(results, answer, tmp_path_factory):
    """A function that returns the slice of a reader."""

    def of(audience, unit=""):
        return editions.write(results, Reader(audience, unit), tmp_path_factory.mktemp("slice"), answer)

    return of


def test_the_root_cause_that_came_back_is_found_though_no_action_names_it(answer, truths):
    """Its rates before, in the quiet time and since, and the week it came back; no other cause is named."""
    truth = truths["recurring_root_cause"]
    found = answer.frames["recurrence"]
    assert found["root_cause"].tolist() == [truth["root_cause"]]
    own = found.iloc[0]
    assert (own["action_id"], own["outcome"], own["back_from"]) == (truth["action"], "came back", truth["from_week"])
    seen = truth["observed"]
    assert own["before"] == pytest.approx(seen["per_week_before"], abs=0.05)
    assert own["quiet"] == pytest.approx(seen["per_week_quiet"], abs=0.05)
    assert own["back"] == pytest.approx(seen["per_week_after"], abs=0.05)
    assert own["ratio_low"] > 1


def test_what_is_not_recorded_is_estimated_with_the_truth_in_its_interval(answer, truths):
    """Most dissatisfaction is not logged, and of the teams the worst is the one with few complaints."""
    truth = truths["under_recording"]
    seen = truth["observed"]
    centre = answer.frames["capture"].query("level == 'centre'").iloc[0]
    assert centre["unrecorded_low"] <= seen["dissatisfied"] - seen["logged"] <= centre["unrecorded_high"]
    assert centre["ci_low"] <= seen["logged"] / seen["dissatisfied"] <= centre["ci_high"]
    rates = answer.frames["rates"].query("level == 'team'").set_index("unit")
    assert rates.index[rates["under_recorded"].astype(bool)].tolist() == [truth["worst_team"]]
    assert rates.loc[truth["worst_team"], "outcome"] == "fewer"
    assert all(
        rates.loc[team, "ci_low"] < value < rates.loc[team, "ci_high"] for team, value in seen["per_1000"].items()
    )


def test_no_other_team_stands_out_in_complaints(answer, truths):
    """One rate for all five."""
    rates = answer.frames["rates"].query("level == 'team'").set_index("unit")
    assert set(rates.loc[truths["nothing_complaints"]["unit"], "outcome"]) == {"none"}
    assert set(answer.frames["causes"]["course"]) == {"none"}


def test_splitting_is_found_with_its_agent_and_no_single_decision_is_called_too_high(answer, truths):
    """Two refunds on one contact, together above the limit."""
    truth = truths["limit_splitting"]
    found = answer.frames["authority"].set_index(["level", "unit"])
    agents = found.loc["agent"]
    assert agents.index[agents["split"] > 0].tolist() == truth["expect"]["agents"]
    assert found.loc[("centre", "centre"), "split"] == truth["planted"]["pairs"]
    own = found.loc[("agent", truth["unit"])]
    assert (own["over"], own["split"]) == (0, truth["planted"]["pairs"])


def test_decisions_above_the_limit_of_that_day_are_found_and_no_others(answer, truths):
    """A refund of 45 pounds is within a limit that was raised to 50."""
    truth = truths["over_limit"]
    found = answer.frames["decisions"]
    assert set(found.loc[found["kind"] == "over", "reference"]) == set(truth["observed"]["escalation_ids"])
    centre = answer.frames["authority"].query("level == 'centre'").iloc[0]
    assert (centre["over"], centre["unknown"]) == (truth["expect"]["decisions"], 0)


def test_no_team_is_said_to_refer_less_or_to_reason_less_than_others(answer):
    """All refer alike in the sample centre."""
    for name in ("escalations", "rationale"):
        found = answer.frames[name]
        assert not set(found["outcome"].dropna()) & {"fewer", "more"}


def test_the_centre_sees_counts_and_no_person(edition, results, truths):
    """Neither in a frame nor in a sentence."""
    agent = truths["limit_splitting"]["unit"]
    name = results.people.set_index("agent_id").loc[agent, "agent_name"]
    for audience, unit in (("centre", ""), ("quality_lead", ""), ("line_manager", "Zoë Whitfield")):
        slice_ = edition(audience, unit)
        told = [slice_.answered(frame).to_csv() for frame in ("authority", "decisions", "open_cases", "rates")]
        told += [view.lead(slice_).plain(), view.to_do(slice_).plain(), view.headline(slice_)]
        assert not any(agent in one or name in one for one in told)
        levels = {
            level for frame in ("authority", "decisions", "open_cases") for level in slice_.answered(frame)["level"]
        }
        assert ("agent" in levels) == (audience == "line_manager")
    assert "18 contacts with decisions split under it" in view.lead(edition("centre")).plain()


def test_the_line_manager_is_told_who_split_and_on_which_contacts(edition, truths):
    """With the question to ask, not with a judgement."""
    own = edition("line_manager", "Niamh O'Connor")
    agent = truths["limit_splitting"]["unit"]
    assert agent in view.headline(own) and agent in view.decisions_table(own).plain()
    assert "before you judge" in view.to_do(own).plain()


def test_a_team_of_few_complaints_is_nowhere_praised(edition, truths):
    """Neither to the centre nor to its own line manager."""
    worst = truths["under_recording"]["worst_team"]
    for slice_ in (edition("centre"), edition("line_manager", "Amélie Durand")):
        told = view.lead(slice_).plain()
        assert f"{worst} records 3.5" in told and "a sign of too little recording, not of good work" in told
        assert "Have every" in view.to_do(slice_).plain()
        assert "Too little recorded" in view.recording_table(slice_).plain()


def test_the_lead_says_the_truths_in_words(edition):
    """The cause that came back, with numbers and interval."""
    told = view.lead(edition("centre")).plain()
    assert "Late refund came back: 4.0 a week before ACT-01, 0.6 a week for 7 weeks after it, and 3.8 a week" in told
    assert "3 decisions above the limit" in told
    assert "Reopen ACT-01" in view.to_do(edition("centre")).plain()


def test_without_any_table_every_frame_has_its_columns_and_the_page_says_what_lacks(of_tables, results, tmp_path):
    """Nothing is made up."""
    found = complaints.answer(of_tables({}, since=SINCE, until=UNTIL))
    assert all(len(frame.rows.columns) for frame in found.values())
    assert all(frame.rows.empty for name, frame in found.items() if name != "ageing")
    slice_ = type(results)(tmp_path, dict(results.facts) | {"audience": "centre", "unit": ""})
    for name, frame in found.items():
        slice_.take(f"answer_{name}", frame.rows)
    assert view.headline(slice_) == view.lead(slice_).plain() == "No complaints were given."
    assert "Nothing to do" in view.to_do(slice_).plain()
    shown = [view.rates_chart, view.recording_table, view.clocks_table, view.outcomes_table, view.ageing_chart]
    shown += [view.high_risk_note, view.causes_chart, view.recurrence_table, view.prizes_table]
    shown += [view.escalations_chart, view.escalations_table, view.authority_table, view.rationale_table]
    assert all("given" in one(slice_).plain() or "No " in one(slice_).plain() for one in shown)
    assert view.recurrence_charts(slice_) == []
    assert view.open_cases_table(slice_) is None and view.decisions_table(slice_) is None


# --- worked by hand --------------------------------------------------------------------------------------------------


def made(*rows, cause=None):
    """Complaints as (received day, summary day, response day, outcome, redress); closed on the day of either."""
    frame = pd.DataFrame(rows, columns=["received", "summary", "response", "outcome", "redress"])
    noon = pd.Timedelta(hours=11)
    instants = {
        column: pd.to_datetime(frame[of], utc=True) + noon
        for column, of in (("received_at", "received"), ("summary_sent_at", "summary"), ("responded_at", "response"))
    }
    frame = frame.assign(**instants, local_date=pd.to_datetime(frame["received"]))
    frame["closed_at"] = frame["summary_sent_at"].fillna(frame["responded_at"])
    frame["redress"] = frame["redress"].astype(float)
    frame["outcome"] = frame["outcome"].astype(object)
    blank = {"site": "S", "team": "T", "agent_id": "A1", "high_risk": False, "channel": "voice"}
    frame["contact_id"] = pd.Series([None] * len(frame), dtype=object)
    frame["root_cause"] = pd.Series([cause] * len(frame), dtype=object)
    return frame.assign(complaint_id=[f"M{at:03d}" for at in range(len(frame))], **blank).drop(
        columns=["received", "summary", "response"]
    )


def clocks(found):
    return found["clocks"].rows.query("level == 'centre'").set_index("clock")


def test_the_third_business_day_passes_over_the_weekend_and_a_bank_holiday(of_tables):
    """Received on the Friday before the bank holiday of 31 August: the third business day is Thursday 3 September."""
    rows = made(
        ("2026-08-28", "2026-09-03", None, "rejected", None),
        ("2026-08-28", "2026-09-04", None, "rejected", None),
        ("2026-11-13", None, None, None, None),  # its third business day has not passed: not judged
    )
    own = clocks(complaints.answer(of_tables({"complaints": rows}, since=SINCE, until=UNTIL))).loc["summary"]
    assert (own["n"], own["n_in_time"]) == (2, 1)


def test_eight_weeks_are_judged_once_they_have_passed_answered_or_not(of_tables):
    """Due: on the 56th day, on the 57th, and never; not due: resolved by summary, and received three weeks ago."""
    rows = made(
        ("2026-06-01", None, "2026-07-27", "upheld", 10),
        ("2026-06-01", None, "2026-07-28", "rejected", 5),
        ("2026-06-01", None, None, None, None),
        ("2026-06-01", "2026-06-02", None, "part_upheld", None),
        ("2026-10-26", None, "2026-10-30", "rejected", None),
    )
    found = complaints.answer(of_tables({"complaints": rows}, since=SINCE, until=UNTIL))
    own = clocks(found).loc["final"]
    assert (own["n"], own["n_in_time"]) == (3, 1)
    ageing = found["ageing"].rows.set_index("band")["n"]
    assert ageing["over 8 weeks"] == 1 and ageing.sum() == 1
    outcomes = found["outcomes"].rows.query("level == 'centre'").iloc[0]
    assert (outcomes["n"], outcomes["upheld"], outcomes["redress"], outcomes["paid"]) == (4, 2, 15, 2)


def weekly(counts, *, since=date(2026, 5, 18)):
    """So many complaints of one cause in each week, closed the next day."""
    rows = []
    for week, n in enumerate(counts):
        day = pd.Timestamp(since) + pd.Timedelta(weeks=week, days=1)
        rows += [(day, day + pd.Timedelta(days=1), None, "upheld", 20)] * n
    return made(*rows, cause="Late refund")


def action(starts, cause="late refund"):
    return pd.DataFrame(
        {
            "action_id": ["ACT"],
            "what": ["Mend it"],
            "decided_on": pd.to_datetime([starts]),
            "starts_on": pd.to_datetime([starts]),
            "kpi": pd.Series([None], dtype=object),
            "level": pd.Series([None], dtype=object),
            "root_cause": pd.Series([cause], dtype=object),
            "state": ["done"],
        }
    )


def fate(of_tables, counts, cause="late refund"):
    tables = {"complaints": weekly(counts), "actions": action("2026-07-13", cause)}
    return complaints.answer(of_tables(tables, since=SINCE, until=UNTIL))


def test_a_fix_that_holds_is_said_to_hold_and_one_that_did_nothing_is_named(of_tables):
    """Eight weeks before, eighteen after."""
    held = fate(of_tables, [5] * 8 + [0, 1] * 9)["recurrence"].rows.iloc[0]
    assert (held["outcome"], held["named"]) == ("held", True) and pd.isna(held["back"])


def test_a_fix_that_changed_nothing_is_named(of_tables):
    """It is a fix of this cause by its name alone."""
    same = fate(of_tables, [5] * 26)["recurrence"].rows.iloc[0]
    assert same["outcome"] == "no change"


def test_of_a_rare_cause_it_cannot_be_told(of_tables):
    """One in eight weeks and none after could be chance, whatever the fix did."""
    rare = fate(of_tables, [1] + [0] * 25)["recurrence"].rows.iloc[0]
    assert rare["outcome"] == "cannot tell"


def test_the_prize_is_what_it_is_now_less_what_it_was_after_the_fix(of_tables):
    """6 a week less 0.5 a week, for a year; 20 pounds each."""
    found = fate(of_tables, [5] * 8 + [0, 1] * 4 + [6] * 10)
    prize = found["prizes"].rows.iloc[0]
    assert found["recurrence"].rows["back_from"].tolist() == ["2026-W37"]
    assert prize["complaints"] == pytest.approx(5.5 * 365.25 / 7)
    assert prize["redress"] == pytest.approx(20 * prize["complaints"])
    assert prize["complaints_low"] < prize["complaints"] < prize["complaints_high"] < 6 * 365.25 / 7


def decisions(*rows):
    """Decisions as (day, contact, decided by, amount, reason)."""
    frame = pd.DataFrame(rows, columns=["local_date", "contact_id", "decided_by", "amount", "reason"])
    at = pd.to_datetime(frame["local_date"], utc=True) + pd.Timedelta(hours=9)
    return frame.assign(
        escalation_id=[f"X{at}" for at in range(len(frame))],
        local_date=pd.to_datetime(frame["local_date"]),
        reason=frame["reason"].astype(object),
        amount=frame["amount"].astype(float),
        referred_at=at,
        resolved_at=at + pd.Timedelta(hours=1),
        site="S",
        team="T",
        agent_id="A1",
        route="verbal",
        decision=pd.Series([None] * len(frame), dtype=object),
        rationale_recorded=True,
    )


ROSTER = pd.DataFrame(
    {
        "agent_id": ["A1", "A1", "A2"],
        "agent_name": ["One, A", "One, A", "Two, B"],
        "team": "T",
        "site": "S",
        "line_manager": "Boss, C",
        "role": ["Agent", "Senior agent", "Agent"],
        "valid_from": pd.to_datetime(["2026-01-01", "2026-09-01", "2026-01-01"]),
        "valid_to": pd.to_datetime(["2026-08-31", None, None]),
    }
)
LIMITS = pd.DataFrame(
    {
        "role": ["Agent", "Agent", "Senior agent", "Line manager"],
        "kind": "refund",
        "limit": [40.0, 50.0, 100.0, 250.0],
        "valid_from": pd.to_datetime(["2026-01-01", "2026-07-27", "2026-01-01", "2026-01-01"]),
        "valid_to": pd.to_datetime(["2026-07-26", None, None, None]),
    }
)


def authority(of_tables, rows, limits=LIMITS, level="centre"):
    tables = {"escalations": rows, "agents": ROSTER, "delegations": limits}
    found = complaints.answer(of_tables(tables, since=SINCE, until=UNTIL))["authority"].rows
    return found[found["level"] == level].set_index("unit")


def test_each_decision_is_held_against_the_limit_of_the_role_on_its_day(of_tables):
    """45 was too much before 27 July and is not since; a promotion and a line manager have limits of their own."""
    rows = decisions(
        ("2026-07-20", "C1", "A1", 45, None),  # above 40
        ("2026-08-03", "C2", "A1", 45, None),  # within 50
        ("2026-08-03", "C3", "A2", 50, None),  # just the limit is within it
        ("2026-09-10", "C4", "A1", 90, None),  # senior since
        ("2026-09-10", "C5", "Boss, C", 240, "authority_limit"),
        ("2026-09-10", "C6", "Boss, C", 260, "authority_limit"),  # above 250, though referred
        ("2026-09-10", "C7", "Stranger", 10, None),  # no role: not judged
    )
    own = authority(of_tables, rows).loc["centre"]
    assert (own["n"], own["judged"], own["over"], own["over_own"], own["unknown"]) == (7, 6, 2, 1, 1)
    agents = authority(of_tables, rows, level="agent")
    assert agents["over"].to_dict() == {"A1": 1, "A2": 0}


def test_splitting_needs_one_person_one_contact_and_a_sum_above_the_limit(of_tables):
    """Two of one person together above; two of two persons, two on two contacts and a small sum are none."""
    day = "2026-08-03"
    rows = decisions(
        (day, "C1", "A1", 30, None),
        (day, "C1", "A1", 30, None),
        (day, "C2", "A1", 30, None),
        (day, "C2", "A2", 30, None),
        (day, "C3", "A1", 30, None),
        (day, "C4", "A2", 20, None),
        (day, "C4", "A2", 30, None),
    )
    own = authority(of_tables, rows).loc["centre"]
    assert (own["split"], own["split_amount"], own["over"]) == (1, 60, 0)


def test_without_a_limit_no_decision_is_judged(of_tables):
    """Nor is any where a decision names no kind and several kinds are delegated."""
    rows = decisions(("2026-08-03", "C1", "A1", 900, None))
    several = pd.concat([LIMITS, LIMITS.assign(kind="credit")], ignore_index=True)
    for limits in (LIMITS.iloc[:0], several):
        own = authority(of_tables, rows, limits).loc["centre"]
        assert (own["judged"], own["over"], own["unknown"]) == (0, 0, 1) and pd.isna(own["value"])

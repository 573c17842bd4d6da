"""Compliance: the planted agent is found and shown to their line manager alone; what is not in force judges nothing."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from ccanalysis import editions
from ccanalysis.editions import Reader
from ccanalysis.questions import compliance
from ccanalysis.views import compliance as view

pytestmark = pytest.mark.slow

SINCE, UNTIL = date(2026, 5, 18), date(2026, 11, 16)
IDENTITY = "identity_validation"


@pytest.fixture(scope="module")
def answer(answered):
    """The answer on the sample centre."""
    return answered("compliance")


@pytest.fixture(scope="module")
def edition(results, answer, tmp_path_factory):
    """A function that returns the slice of a reader."""

    def of(audience, unit=""):
        return editions.write(results, Reader(audience, unit), tmp_path_factory.mktemp("slice"), answer)

    return of


def checks(answer, level, check=IDENTITY):
    found = answer.frames["checks"]
    return found[(found["check"] == check) & (found["level"] == level)].set_index("unit")


def test_the_agent_who_does_not_check_identity_is_found_and_nobody_else(answer, truths):
    """One disclosure in five without a completed check."""
    truth = truths["identity_not_checked"]
    agents = checks(answer, "agent")
    own = agents.loc[truth["unit"]]
    assert own["ci_low"] <= truth["planted"]["agent"] <= own["ci_high"]
    assert agents.index[agents["outcome"] == "more"].tolist() == [truth["unit"]]
    assert own["others"] == pytest.approx(1 - truth["planted"]["others"], abs=0.001)
    assert set(checks(answer, "agent", "recording_paused")["outcome"]) <= {"none", "cannot tell"}


def test_no_other_team_stands_out(answer, truths):
    """Five teams have one rate, and none is said to be better for another one's sake."""
    teams = checks(answer, "team")
    assert set(teams.loc[truths["nothing_identity_validation"]["unit"], "outcome"]) == {"none"}
    assert teams.loc[truths["identity_not_checked"]["team"], "outcome"] == "more"


def test_breaches_are_counted_with_those_of_the_agent(answer, truths):
    """By the log."""
    seen = truths["identity_not_checked"]["observed"]
    found = answer.frames["breaches"].set_index(["requirement_id", "level", "unit"])["n"]
    assert found["", "centre", "centre"] == seen["breaches_found_all"]
    assert found["", "agent", truths["identity_not_checked"]["unit"]] == seen["breaches_found"]


def test_a_requirement_that_is_not_in_force_judges_nothing(answer, truths):
    """Its last day was in 2017."""
    expired = truths["expired_requirement"]["requirement"]
    scope = answer.frames["scope"].set_index("requirement_id")
    assert (scope.loc[expired, "state"], scope.loc[expired, "monitored"]) == ("expired", "")
    for name in ("checks", "criteria", "breaches"):
        assert expired not in set(answer.frames[name]["requirement_id"])


def test_what_is_monitored_by_nothing_is_found(answer):
    """REQ-08 has neither procedure nor criterion nor KPI; two others have a procedure that nothing looks at."""
    scope = answer.frames["scope"].set_index("requirement_id")["monitored"]
    assert scope.index[scope == "nothing"].tolist() == ["REQ-08"]
    assert set(scope.index[scope == "a procedure only"]) == {"REQ-05", "REQ-06"}
    assert scope["REQ-03"] == "a check of contacts"


def test_the_centre_is_told_of_no_person_and_others_not_of_the_agent(edition, results, truths):
    """Neither an id nor a name, in any frame or sentence."""
    truth = truths["identity_not_checked"]
    name = results.people.set_index("agent_id").loc[truth["unit"], "agent_name"]
    for audience, unit in (("centre", ""), ("quality_lead", ""), ("line_manager", "Zoë Whitfield")):
        slice_ = edition(audience, unit)
        told = [slice_.answered(frame).to_csv() for frame in ("checks", "breaches", "cases", "logged", "actions")]
        told += [str(view.lead(slice_)), str(view.to_do(slice_)), view.headline(slice_)]
        assert not any(truth["unit"] in one or name in one for one in told)
        levels = {level for frame in ("checks", "breaches", "cases") for level in slice_.answered(frame)["level"]}
        assert ("agent" in levels) == (audience == "line_manager")


def test_the_line_manager_is_told_who_and_what_to_do(edition, truths):
    """By name, with interval and n."""
    truth = truths["identity_not_checked"]
    own = edition("line_manager", "Seán Brennan")
    assert truth["unit"] in view.headline(own) and truth["unit"] in str(view.lead(own))
    assert f"({truth['unit']})" in view.to_do(own).plain().splitlines()[1]
    assert truth["unit"] in view.people_table(own).plain() and truth["unit"] in view.cases_table(own).plain()


def test_the_lead_of_the_centre_says_the_truths_in_words(edition):
    """What, where, how sure, and what nothing looks at."""
    centre = edition("centre")
    told = view.lead(centre).plain()
    assert "Rhymney fails it more often than the other teams" in told
    assert "Nothing looks at Vulnerable customers offered a call back (REQ-08)" in told
    assert "does not say that all of the team is careless" in view.to_do(centre).plain()
    assert view.people_table(centre) is None and view.cases_table(centre) is None
    assert "it judges nothing of this window" in view.scope_note(centre).plain()
    assert "PCI DSS 4.0.1, not verified" in view.scope_table(centre).plain()


def test_without_any_table_every_frame_is_empty_and_the_page_says_what_lacks(of_tables, results, tmp_path):
    """With the columns that the report reads."""
    found = compliance.answer(of_tables({}, since=SINCE, until=UNTIL))
    assert all(len(frame.rows.columns) for frame in found.values())
    assert all(frame.rows.empty for name, frame in found.items() if name not in ("weeks", "ageing"))
    bare = bare_slice(results, found, tmp_path)
    assert view.headline(bare) == "Neither contacts with compliance checks nor requirements nor breaches were given."
    assert view.lead(bare).plain() == view.headline(bare)
    assert "Nothing to do" in view.to_do(bare).plain()
    shown = [view.checks_table, view.criteria_table, view.breaches_table, view.scope_note, view.scope_table]
    shown += [view.ageing_chart, view.weeks_chart, view.origins_table]
    assert all("given" in one(bare).plain() or "No " in one(bare).plain() for one in shown)
    assert view.units_chart(bare) == [] and view.actions_table(bare) is None


def bare_slice(results, frames, folder):
    """Results of the centre with the frames of an answer."""
    slice_ = type(results)(folder, dict(results.facts) | {"audience": "centre", "unit": ""})
    for name, frame in frames.items():
        slice_.take(f"answer_{name}", frame.rows)
    return slice_


# --- worked by hand --------------------------------------------------------------------------------------------------


def contacts(*rows, column="disclosure", done="identity_validated"):
    """Contacts as (day, team, asked, done)."""
    frame = pd.DataFrame(rows, columns=["local_date", "team", column, done])
    blank = {"site": "S", "channel": "voice", "agent_id": "A1", "outcome": "answered"}
    others = ("disclosure", "identity_validated", "payment", "recording_paused")
    frame = frame.assign(contact_id=[f"C{at}" for at in range(len(frame))], **blank)
    for one in others:
        frame[one] = frame[one].astype("boolean") if one in frame else pd.array([None] * len(frame), "boolean")
    return frame.assign(
        local_date=pd.to_datetime(frame["local_date"]),
        n_statements_required=pd.array([None] * len(frame), "Int64"),
        n_statements_made=pd.array([None] * len(frame), "Int64"),
    )


def test_missing_is_not_paused_and_is_said_apart(of_tables):
    """Of four card payments two were paused, one was not, and of one it is not recorded: a half."""
    day = "2026-06-01"
    rows = contacts(
        (day, "T", True, True),
        (day, "T", True, True),
        (day, "T", True, False),
        (day, "T", True, None),
        (day, "T", False, None),
        column="payment",
        done="recording_paused",
    )
    found = compliance.answer(of_tables({"contacts": rows}, since=SINCE, until=UNTIL))["checks"].rows
    own = found[found["level"] == "centre"].iloc[0]
    assert (own["n"], own["passed"], own["failed"], own["missing"], own["value"]) == (4, 2, 1, 1, 0.5)


def test_identity_that_is_not_recorded_is_not_in_the_figure(of_tables):
    """As in the KPI: one of two that are known, and one apart."""
    day = "2026-06-01"
    rows = contacts((day, "T", True, True), (day, "T", True, False), (day, "T", True, None))
    found = compliance.answer(of_tables({"contacts": rows}, since=SINCE, until=UNTIL))["checks"].rows
    own = found[found["level"] == "centre"].iloc[0]
    assert (own["n"], own["failed"], own["missing"], own["value"]) == (2, 1, 1, 0.5)


def requirement(since, until=None, *, kpi=None, criterion=None, procedure=None):
    return pd.DataFrame(
        {
            "requirement_id": ["R"],
            "title": ["Identity"],
            "origin": ["regulatory"],
            "objective": ["Privacy"],
            "procedure": pd.Series([procedure], dtype=object),
            "criterion": pd.Series([criterion], dtype=object),
            "kpi": pd.Series([kpi], dtype=object),
            "valid_from": pd.to_datetime([since]),
            "valid_to": pd.to_datetime([until]),
            "source": ["Law"],
            "verified": [True],
        }
    )


def test_contacts_before_a_requirement_is_in_force_are_not_judged_by_it(of_tables):
    """Of three disclosures one lies before its first day and one after its last."""
    rows = contacts(("2026-06-01", "T", True, False), ("2026-07-15", "T", True, True), ("2026-09-01", "T", True, False))
    rules = requirement("2026-07-01", "2026-07-31", kpi="identity_validation")
    found = compliance.answer(of_tables({"contacts": rows, "requirements": rules}, since=SINCE, until=UNTIL))
    own = found["checks"].rows.query("level == 'centre'").iloc[0]
    assert (own["requirement_id"], own["n"], own["failed"]) == ("R", 1, 0)


def breaches(*rows):
    """Breaches as (requirement, agent, found day, closed day, severity)."""
    frame = pd.DataFrame(rows, columns=["requirement_id", "agent_id", "found", "closed", "severity"])
    noon = pd.Timedelta(hours=12)
    return frame.assign(
        breach_id=[f"B{at}" for at in range(len(frame))],
        contact_id=pd.Series([None] * len(frame), dtype=object),
        local_date=pd.to_datetime(frame["found"]),
        found_at=pd.to_datetime(frame["found"], utc=True) + noon,
        closed_at=pd.to_datetime(frame["closed"], utc=True) + noon,
        site="S",
        team="T",
        action=pd.Series(["Reminded"] * len(frame), dtype=object),
    ).drop(columns=["found", "closed"])


def test_closing_open_ageing_and_repeats_worked_by_hand(of_tables):
    """Limit 30 days: one closed in time, one late, one open and late, one open and young; one repeat of two."""
    rows = breaches(
        ("R", "A1", "2026-06-01", "2026-07-01", "minor"),  # on the 30th day: in time
        ("R", "A1", "2026-08-30", "2026-10-01", "critical"),  # the 90th day after: a repeat; closed on the 32nd
        ("R", "A2", "2026-09-01", None, "major"),
        ("R", "A3", "2026-11-10", None, "minor"),
        ("Q", "A3", "2026-11-11", None, "minor"),  # another requirement is no repeat
    )
    found = compliance.answer(of_tables({"breaches": rows}, since=SINCE, until=UNTIL))
    own = found["breaches"].rows.set_index(["requirement_id", "level", "unit"]).loc[("R", "centre", "centre")]
    assert (own["n"], own["n_due"], own["n_in_time"], own["value"]) == (4, 3, 1, pytest.approx(1 / 3))
    assert (own["n_open"], own["n_late"], own["oldest_days"], own["n_repeats"]) == (2, 1, 75, 1)
    assert (own["critical"], own["major"], own["minor"]) == (1, 1, 2)
    assert found["ageing"].rows["n"].tolist() == [2, 0, 1]


def test_a_breach_that_closed_after_the_window_was_open_at_its_end(of_tables):
    """A report on a past week says what was so then."""
    rows = breaches(("R", "A1", "2026-06-01", "2026-06-20", "minor"))
    found = compliance.answer(of_tables({"breaches": rows}, since=date(2026, 5, 18), until=date(2026, 6, 8)))
    own = found["breaches"].rows.iloc[0]
    assert (own["n_open"], own["oldest_days"]) == (1, 6)


def test_a_breach_of_a_requirement_not_in_force_that_day_is_not_judged_and_said(of_tables):
    """One of two."""
    rows = breaches(("R", "A1", "2026-06-01", None, "minor"), ("R", "A1", "2026-08-01", None, "minor"))
    tables = {"breaches": rows, "requirements": requirement("2026-07-01")}
    found = compliance.answer(of_tables(tables, since=SINCE, until=UNTIL))
    assert found["breaches"].rows["n"].max() == 1
    assert found["unjudged"].rows.to_dict("records") == [{"requirement_id": "R", "n": 1.0}]


@pytest.mark.parametrize(
    ("named", "looked_at"),
    [
        ({}, "nothing"),
        ({"procedure": "P-1"}, "a procedure only"),
        ({"kpi": "fcr"}, "what is named"),
        ({"criterion": "Never used"}, "nothing"),
    ],
)
def test_a_criterion_that_no_evaluation_has_looks_at_nothing(of_tables, named, looked_at):
    """A name in a table is no monitoring."""
    tables = {"requirements": requirement("2026-01-01", **named)}
    found = compliance.answer(of_tables(tables, since=SINCE, until=UNTIL))
    assert found["scope"].rows["monitored"].tolist() == [looked_at]

"""The catalogue: each measure that needs more than a row, by a few rows counted by hand, and each published trap."""

from __future__ import annotations

import importlib
import inspect
import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccanalysis.contracts import TABLES
from ccanalysis.errors import RegisterError
from ccanalysis.kpis.calendars import Calendar
from ccanalysis.kpis.components import LEVELS, components, dimensions, lacking, parts
from ccanalysis.kpis.measures import CATALOGUE, choices, from_catalogue
from ccanalysis.kpis.published import PUBLISHED
from ccanalysis.kpis.sides import COARSE_ERROR
from ccanalysis.periods import Period

from .conftest import make_kpi, write_table

LONDON = ZoneInfo("Europe/London")
ENGLAND = Calendar(zone="Europe/London", nation="GB-ENG")
KEYS = {
    "contacts": "contact_id",
    "segments": "segment_id",
    "evaluations": "evaluation_id",
    "surveys": "survey_id",
    "complaints": "complaint_id",
    "breaches": "breach_id",
    "escalations": "escalation_id",
    "actions": "action_id",
    "reports": "report_id",
}
MONDAY = datetime(2026, 3, 2, 10, tzinfo=LONDON)  # of 2026-W10; no holiday is near


def at(days=0, hour=10, minute=0):
    """Return a London time so many days after the Monday."""
    return (MONDAY + timedelta(days=days)).replace(hour=hour, minute=minute)


def rows(table, *listed):
    """Return rows with key, time, local day and lineage filled in where a case does not name them."""
    found = []
    for number, given_row in enumerate(listed):
        made = {"source_file": f"{table}.csv", "source_row": number + 2}
        if table in KEYS:
            made[KEYS[table]] = f"{table[0]}{number:03}"
        instant = TABLES[table].instant
        if instant:
            moment = given_row.get(instant, MONDAY)
            local = moment.astimezone(LONDON)
            made |= {instant: moment, "local_date": local.date(), "local_hour": local.hour}
        if table == "contacts":
            made |= {"channel": "voice", "outcome": "answered"}
        if table == "agent_states":
            made |= {"agent_id": "7", "on_date": MONDAY.date()}
        if table == "evaluations":
            made |= {"criterion": "Tone", "source": "call_monitoring"}
        if table == "surveys":
            made |= {"answered_at": MONDAY}
        found.append(made | given_row)
    return found


def states(**seconds):
    """Return one agent's day: state -> (scheduled, actual, adherent)."""
    return [{"state": state, "scheduled_s": s, "actual_s": a, "adherent_s": d} for state, (s, a, d) in seconds.items()]


DAY = states(
    available=(600, 500, 450),
    contact=(2000, 1900, 1800),
    acw=(400, 300, 300),
    **{"break": (300, 400, 300)},
    training=(200, 200, None),
    absent=(None, 100, None),
)
ROSTER = [
    {"agent_id": "a", "team": "T", "role": "agent", "valid_from": date(2026, 1, 1)},
    {"agent_id": "b", "team": "T", "role": "lead", "valid_from": date(2026, 1, 1), "valid_to": date(2026, 3, 3)},
    {"agent_id": "n", "team": "T", "role": "nobody", "valid_from": date(2026, 1, 1)},
]
LIMITS = [
    {"role": "agent", "kind": "refund", "limit": 30.0, "valid_from": date(2026, 1, 1), "valid_to": date(2026, 3, 2)},
    {"role": "agent", "kind": "refund", "limit": 50.0, "valid_from": date(2026, 3, 3)},
    {"role": "lead", "kind": "refund", "limit": 200.0, "valid_from": date(2026, 1, 1)},
    {"role": "lead", "kind": "goodwill", "limit": 20.0, "valid_from": date(2026, 1, 1)},
]


def decision(amount, by, first="a", days=1, **more):
    """Return one decision under delegated authority."""
    referred = at(days)
    return {
        "referred_at": referred,
        "resolved_at": referred + timedelta(hours=2),
        "agent_id": first,
        "decided_by": by,
        "amount": amount,
        "decision": "refund",
        **more,
    }


def calibrated(by, points, contact="c1", **more):
    """Return the points that one evaluator gave in a calibration."""
    return {
        "evaluation_id": f"{contact}{by}",
        "contact_id": contact,
        "source": "calibration",
        "evaluator_id": by,
        "points": points,
        "max_points": 5.0,
        **more,
    }


# Measure, parameters, rows per table, both sides by hand. What each case proves stands beside it.
SMALL = [
    ("callback_success", {}, {"contacts": [
        {"outcome": "callback_promised", "callback_reached": True},
        {"outcome": "callback_promised", "callback_reached": False},
        {"outcome": "callback_promised"},  # a promise without a record was not kept
        {"outcome": "answered", "callback_reached": True},
    ]}, (1, 3)),
    ("adjusted_demand", {}, {"contacts": [
        {"customer_id": "k", "outcome": "abandoned"},
        {"customer_id": "k", "offered_at": at(0, 11), "reason": "other"},  # the same demand, whatever the reason
        {"customer_id": "k", "offered_at": at(3)},  # three days on it is another
        {}, {},  # withheld numbers are demands of their own
        {"customer_id": "k", "outcome": "left_menu", "offered_at": at(6)},
    ]}, (4, 5)),
    ("answer_time_survival", {}, {"contacts": [
        {"wait_s": 5}, {"outcome": "abandoned", "wait_s": 7}, {"outcome": "abandoned"},
        {"outcome": "left_menu", "wait_s": 9},
    ]}, (5, 2)),
    ("within_authority", {}, {"agents": ROSTER, "delegations": LIMITS, "escalations": [
        decision(40, "a"),  # within, and decided by the first owner
        decision(40, "b"),  # within, and passed on: under-used
        decision(40, "a", days=0),  # the limit was 30 on that day
        decision(60, "b"),  # above the first owner's limit
        decision(10, "n", first="n"),  # nobody knows the limit
        decision(10, "a", resolved_at=None),
        decision(None, "a"),
    ]}, (1, 3)),
    ("authority_breaches", {}, {"agents": ROSTER, "delegations": LIMITS, "escalations": [
        decision(60, "a"),  # above 50
        decision(30, "a", contact_id="split"), decision(25, "a", contact_id="split"),  # 55 in two parts
        decision(30, "a", contact_id="one"), decision(20, "a", contact_id="one"),  # exactly at the limit
        decision(60, "b", days=1), decision(60, "b", days=1, decision="goodwill"),  # one limit for each kind
        decision(10, "b", days=1, decision=None),  # of two kinds nobody can tell which
        decision(60, "b", days=2),  # no longer in the roster
    ]}, (4, 7)),
    ("escalated_for", {"reason": "regulatory"}, {"escalations": [
        {"reason": "regulatory"}, {"reason": "customer_demand"}, {},
    ]}, (1, 2)),
    ("referral_time_percentile", {}, {"escalations": [
        {"referred_at": at(0), "resolved_at": at(1)}, {"referred_at": at(0)},
        {"referred_at": at(1), "resolved_at": at(0)},  # resolved before it was referred: no time at all
    ]}, (86_400, 1)),
    ("reopen_rate", {}, {"contacts": [
        {"resolved": True, "reopens": 0}, {"resolved": False, "reopens": 2},  # was solved once, and is open again
        {"resolved": False, "reopens": 0}, {"resolved": True},
    ]}, (1, 2)),
    ("reopen_rate", {"of": "created"}, {"contacts": [
        {"resolved": True, "reopens": 0}, {"resolved": False, "reopens": 2}, {"resolved": False, "reopens": 0},
    ]}, (1, 3)),
    ("first_reply_percentile", {}, {"contacts": [
        {"answered_at": at(0, 11)}, {"outcome": "abandoned", "answered_at": at(0, 11)}, {},
    ]}, (3600, 1)),
    ("resolution_percentile", {}, {"contacts": [{"resolved_at": at(0, 12)}, {}]}, (7200, 1)),
    ("backlog_over", {"limit_days": 5}, {"contacts": [
        {"resolved_at": at(7)},  # open at the end of the week, six days old
        {"resolved_at": at(6, 23)},  # resolved on its last day
        {"offered_at": at(2)}, {"offered_at": at(-30)}, {"offered_at": at(8)}, {"outcome": "abandoned"},
    ]}, (2, 3)),
    ("backlog_over", {"limit_days": 3, "table": "complaints"}, {"complaints": [
        {"closed_at": at(1)}, {}, {"received_at": at(5), "closed_at": at(9)},
    ]}, (1, 2)),
    ("sla_breach_rate", {}, {"contacts": [
        {"sla_due_at": at(1), "resolved_at": at(0, 12)}, {"sla_due_at": at(1), "resolved_at": at(2)},
        {"sla_due_at": at(1)},  # still open
        {"sla_due_at": at(9)},  # falls due in a later week
        {"sla_due_at": at(0), "offered_at": at(-20)}, {},
    ]}, (3, 4)),
    ("dialler_abandon_rate", {}, {"contacts": [
        {"direction": "outbound", "outcome": "abandoned"}, {"direction": "outbound", "wait_s": 3},
        {"direction": "outbound", "outcome": "void"}, {"direction": "inbound", "outcome": "abandoned"},
    ]}, (1, 2)),
    ("dialler_abandon_rate", {"rule": "live"}, {"contacts": [
        {"direction": "outbound", "outcome": "abandoned"}, {"direction": "outbound", "wait_s": 3},
        {"direction": "outbound", "wait_s": 2},
    ]}, (2, 3)),
    ("occupancy", {}, {"agent_states": DAY}, (2200, 2700)),
    ("utilisation", {}, {"agent_states": DAY}, (2700, 3300)),
    ("utilisation", {"absence": "paid"}, {"agent_states": DAY}, (2700, 3400)),
    ("shrinkage", {}, {"agent_states": DAY}, (3500 - 2700, 3500)),
    ("shrinkage", {"part": "planned"}, {"agent_states": DAY}, (500, 3500)),
    ("shrinkage", {"part": "unplanned"}, {"agent_states": DAY}, (300, 3500)),
    ("adherence", {}, {"agent_states": DAY}, (2850, 3300)),
    ("conformance", {}, {"agent_states": DAY}, (3300, 3500)),
    ("non_response", {}, {"segments": [
        {"kind": "agent", "accepted": True, "contact_id": "1"}, {"kind": "agent", "accepted": False, "contact_id": "1"},
        {"kind": "agent", "contact_id": "1"}, {"kind": "queue", "accepted": False, "contact_id": "1"},
    ]}, (1, 2)),
    ("communication_quality", {"expression": "written", "criteria": "Tone; O'Brien's"}, {"evaluations": [
        {"expression": "written", "points": 4.0, "max_points": 5.0, "weight": 2.0},
        {"expression": "written", "points": 1.0, "max_points": 5.0, "criterion": "O'Brien's"},
        {"expression": "written", "points": 1.0, "max_points": 5.0, "criterion": "Accuracy"},
        {"expression": "verbal", "points": 1.0, "max_points": 5.0},
        {"expression": "written", "max_points": 5.0},
    ]}, (900, 1500)),
    ("critical_error_accuracy", {"of": "compliance"}, {"evaluations": [
        {"evaluation_id": "e", "criterion": "a"}, {"evaluation_id": "e", "criterion": "b", "critical": "compliance"},
        {"evaluation_id": "f", "criterion": "a", "critical": "customer"}, {"evaluation_id": "f", "criterion": "b"},
        {"evaluation_id": "g", "criterion": "a", "critical": "compliance", "withdrawn": True},
        {"evaluation_id": "h", "criterion": "a", "critical": "compliance", "source": "self"},
    ]}, (1, 2)),
    ("auto_fail_rate", {}, {"evaluations": [
        {"evaluation_id": "e", "criterion": "a", "auto_fail": True},
        {"evaluation_id": "e", "criterion": "b", "auto_fail": True},
        {"evaluation_id": "f", "criterion": "a", "auto_fail": False}, {"evaluation_id": "f", "criterion": "b"},
    ]}, (1, 2)),
    ("over_asking", {}, {"contacts": [
        {"disclosure": False, "identity_validated": True}, {"disclosure": False, "identity_validated": False},
        {"disclosure": False}, {"disclosure": True, "identity_validated": True},
    ]}, (1, 2)),
    ("statement_compliance", {}, {"contacts": [
        {"n_statements_required": 2, "n_statements_made": 3},  # one made twice stands for none missing
        {"n_statements_required": 2, "n_statements_made": 1}, {"n_statements_required": 2},
    ]}, (3, 4)),
    ("recording_paused", {}, {"contacts": [
        {"payment": True, "recording_paused": True}, {"payment": True, "recording_paused": False},
        {"payment": True},  # missing is not paused
        {"payment": False, "recording_paused": True},
    ]}, (1, 3)),
    ("breach_closure", {"days": 3}, {"breaches": [
        {"requirement_id": "r", "closed_at": at(3, 23)},  # the third day has not ended
        {"requirement_id": "r", "closed_at": at(4, 1)}, {"requirement_id": "r"},
    ]}, (1, 3)),
    ("breach_repeats", {"days": 2}, {"breaches": [
        {"requirement_id": "r", "agent_id": "a"}, {"requirement_id": "r", "agent_id": "a", "found_at": at(2)},
        {"requirement_id": "r", "agent_id": "a", "found_at": at(5)}, {"requirement_id": "s", "agent_id": "a"},
        {"requirement_id": "r", "agent_id": "b"}, {"requirement_id": "r"},
    ]}, (1, 5)),
    ("evaluator_agreement", {}, {"evaluations": [
        calibrated("x", 5.0), calibrated("y", 5.0), calibrated("z", 4.0),  # one pair of three, from both sides
        calibrated("x", 3.0, "c2"), calibrated("y", None, "c2"),
        calibrated("w", 5.0, withdrawn=True), calibrated("v", 5.0, source="self"),
    ]}, (2, 6)),
    ("calibration_deviation", {}, {"evaluations": [
        calibrated("expert", 4.0, expert=True), calibrated("x", 2.5), calibrated("y", 5.0), calibrated("z", None),
        calibrated("x", 1.0, "c2"),  # without a reference nobody deviates
    ]}, (250, 2)),
    ("calibration_deviation", {"sign": "signed"}, {"evaluations": [
        calibrated("expert", 4.0, expert=True), calibrated("x", 2.5), calibrated("y", 5.0),
    ]}, (-50, 2)),
    ("evaluation_coverage", {}, {"evaluations": [
        {"evaluation_id": "e", "criterion": "a"}, {"evaluation_id": "e", "criterion": "b"},
    ], "contacts": [{}, {}, {"outcome": "abandoned"}]}, (1, 2)),
    ("qa_score", {"auto_fail": "zero"}, {"evaluations": [
        {"evaluation_id": "e", "criterion": "a", "points": 5.0, "max_points": 5.0},
        {"evaluation_id": "e", "criterion": "b", "points": 0.0, "max_points": 5.0, "auto_fail": True},
        {"evaluation_id": "f", "criterion": "a", "points": 4.0, "max_points": 5.0},
        {"evaluation_id": "g", "criterion": "a", "points": 5.0, "max_points": 5.0, "withdrawn": True},
    ]}, (400, 1500)),
    ("report_health", {}, {"reports": [
        {"due_on": at(0).date(), "issued_at": at(0, 23), "gates_passed": True},
        {"due_on": at(0).date(), "issued_at": at(1, 1), "gates_passed": True},
        {"due_on": at(0).date(), "issued_at": at(0), "gates_passed": False}, {"due_on": at(0).date()},
    ]}, (1, 4)),
    ("fcr_survey", {}, {"surveys": [
        {"resolved_first_time": True}, {"resolved_first_time": False}, {"csat": 5.0},
    ]}, (1, 2)),
    ("nps", {}, {"surveys": [{"nps": 10.0}, {"nps": 9.0}, {"nps": 8.0}, {"nps": 7.0}, {"nps": 6.0}, {}]}, (100, 5)),
    ("customer_effort", {}, {"surveys": [{"effort": 1.5}, {"effort": 4.0}, {}]}, (550, 2)),
    ("low_effort", {}, {"surveys": [{"effort": 2.0}, {"effort": 2.5}, {}]}, (1, 2)),
    ("complaint_capture", {}, {"evaluations": [
        {"criterion": "Complaint logged", "points": 5.0, "max_points": 5.0},
        {"criterion": "Complaint logged", "points": 0.0, "max_points": 5.0},
        {"criterion": "Complaint logged", "max_points": 5.0},  # nobody was dissatisfied
    ]}, (1, 2)),
    ("resolved_in_three_days", {}, {"complaints": [
        {"closed_at": at(3, 23)},  # Monday to Thursday
        {"closed_at": at(4, 0)},  # Friday
        {"received_at": at(1), "closed_at": at(5)},  # Tuesday to Saturday: the third business day, Friday, has ended
        {"received_at": at(4), "closed_at": at(9)},  # Friday to Wednesday
        {"received_at": at(5), "closed_at": at(9)},  # Saturday to Wednesday
        {"summary_sent_at": at(2), "closed_at": at(20)}, {"summary_sent_at": at(8), "closed_at": at(2)},
        {},
    ]}, (4, 8)),
    ("resolved_in_three_days", {"after_hours": "next business day"}, {"complaints": [
        {"received_at": at(0, 16), "closed_at": at(4)},  # in hours: Friday is the fourth day
        {"received_at": at(0, 17), "closed_at": at(4)},  # after hours it counts as received on Tuesday
        {"received_at": at(5), "closed_at": at(10)},  # Saturday as Monday
        {"received_at": at(5), "closed_at": at(11)},
    ]}, (2, 4)),
    ("final_response", {}, {"complaints": [
        # due in the week: received eight weeks before it
        {"received_at": at(-56), "responded_at": at(0, 23)}, {"received_at": at(-56), "responded_at": at(1, 1)},
        {"received_at": at(-55)}, {"received_at": at(-56), "summary_sent_at": at(-54)},
        {"received_at": at(-56), "summary_sent_at": at(-40), "responded_at": at(-40)},
        {"responded_at": at(1)},
    ]}, (2, 4)),
    ("final_response", {"within": "15 business days"}, {"complaints": [
        {"responded_at": at(21)}, {"responded_at": at(22)},
    ]}, (1, 2)),
    ("uphold_rate", {}, {"complaints": [
        {"closed_at": at(1), "outcome": "upheld"}, {"closed_at": at(1), "outcome": "part_upheld"},
        {"closed_at": at(1), "outcome": "rejected", "redress": 20.0},  # goodwill does not uphold
        {"closed_at": at(1), "redress": 20.0},  # paid before it was decided: upheld
        {"closed_at": at(1)}, {"outcome": "upheld"},
        {"received_at": at(-30), "closed_at": at(0), "outcome": "rejected"},  # by its closing
        {"closed_at": at(8), "outcome": "upheld"},
    ]}, (3, 5)),
    ("recurrence", {}, {"complaints": [
        {"root_cause": "late"}, {"root_cause": "late", "received_at": at(3)}, {"root_cause": "rude"}, {},
    ], "actions": [
        {"root_cause": "late", "decided_on": date(2026, 1, 1), "starts_on": at(1).date(), "what": "x", "state": "done"},
        {"root_cause": "rude", "decided_on": date(2026, 1, 1), "what": "x", "state": "planned"},
    ]}, (1, 3)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "parameters", "tables", "sides"), SMALL, ids=["-".join([c[0], *map(str, c[1].values())]) for c in SMALL]
)
def test_a_measure_counts_what_a_few_rows_say(measured, name, parameters, tables, sides):
    """Both sides by hand; each row of the case is there for one published trap."""
    kpi = make_kpi(from_catalogue(name, parameters))
    given_rows = {table: rows(table, *listed) for table, listed in tables.items()}
    found = measured([kpi], since="2026-W10", calendar=ENGLAND, **given_rows).sums
    assert found[["numerator", "denominator"]].to_numpy().tolist() == [list(sides)]


def test_a_holiday_is_no_business_day_of_its_own_nation_alone(measured):
    """2 January is a holiday in Scotland; Easter Monday is none there."""
    received = datetime(2025, 12, 31, 9, tzinfo=LONDON)
    listed = rows("complaints", {"received_at": received, "closed_at": datetime(2026, 1, 6, 12, tzinfo=LONDON)})

    def resolved(nation):
        kpi = make_kpi(from_catalogue("resolved_in_three_days", {"nation": nation}))
        return int(measured([kpi], since="2026-W01", calendar=ENGLAND, complaints=listed).sums["numerator"].iloc[0])

    assert (resolved(""), resolved("GB-ENG"), resolved("GB-SCT")) == (1, 1, 1)
    listed[0]["closed_at"] = datetime(2026, 1, 7, 12, tzinfo=LONDON)
    assert (resolved("GB-ENG"), resolved("GB-SCT")) == (0, 1)


def test_days_are_those_of_the_centre_and_not_of_greenwich(measured):
    """On 29 June 23:30 UTC it is already 30 June in London."""
    late = datetime(2026, 6, 29, 23, 30, tzinfo=UTC)
    listed = rows("breaches", {"requirement_id": "r", "found_at": late, "closed_at": late + timedelta(days=1)})
    kpi = make_kpi(from_catalogue("breach_closure", {"days": 1}))
    listed[0]["closed_at"] = datetime(2026, 7, 1, 22, 59, tzinfo=UTC)
    assert measured([kpi], since="2026-W27", calendar=ENGLAND, breaches=listed).sums["numerator"].tolist() == [1]
    listed[0]["closed_at"] = datetime(2026, 7, 1, 23, 1, tzinfo=UTC)
    assert measured([kpi], since="2026-W27", calendar=ENGLAND, breaches=listed).sums["numerator"].tolist() == [0]


def test_a_clock_without_a_nation_is_refused(measured):
    """Weekdays alone are no business days: a bank holiday would count."""
    kpi = make_kpi("resolved_in_three_days")
    listed = rows("complaints", {"closed_at": at(1)})
    with pytest.raises(RegisterError) as refused:
        measured([kpi], since="2026-W10", calendar=Calendar(zone="Europe/London"), complaints=listed)
    assert str(refused.value) == (
        "ccanalysis.toml: business days need the holidays of a nation. "
        'Write holidays = "GB-ENG" under [centre], or name the nation in the measure'
    )
    with pytest.raises(RegisterError, match="a measure with a clock needs the centre's calendar"):
        measured([kpi], since="2026-W10", complaints=listed)


# What the field publishes.


def test_every_kpi_that_the_field_publishes_has_its_measure():
    """K01 to K55, each with a measure of the catalogue or a function of the statistics; none lacks."""
    assert [kpi.number for kpi in PUBLISHED] == [f"K{number:02}" for number in range(1, 56)]
    for kpi in PUBLISHED:
        assert kpi.made() or kpi.instead, kpi.number
        for path in kpi.instead:
            module, _, name = path.rpartition(".")
            assert callable(getattr(importlib.import_module(f"ccanalysis.{module}"), name)), path
    used = {name for kpi in PUBLISHED for name, _ in kpi.measures}
    assert used == set(CATALOGUE)


@pytest.mark.shared
def test_the_numbers_are_those_of_the_field_notes(shared):
    """The identifiers of the catalogue of the field, in its order."""
    text = (shared / "reference" / "field.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (K\d\d) \|", text, flags=re.M) == [kpi.number for kpi in PUBLISHED]


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_measure_says_what_a_reader_must_know(name):
    """Words, source, and a trap or what is left out; every parameter is explained."""
    measure = from_catalogue(name, {})
    assert measure.about and measure.source
    assert measure.trap or measure.excluded or name in ("talk_time", "acw", "hold_rate", "survey_response_rate")
    said = CATALOGUE[name].__doc__ or ""
    for parameter in inspect.signature(CATALOGUE[name]).parameters:
        assert f"{parameter}:" in said, parameter


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_choice_of_a_parameter_can_be_made_and_no_other(name):
    """A mistyped choice is answered with the nearest."""
    for parameter, default in from_catalogue(name, {}).parameters:
        known = choices(name, parameter)
        if not known:
            continue
        assert default in known
        for value in known:
            for side in from_catalogue(name, {parameter: value}).sides:
                side.checked(TABLES)
        with pytest.raises(RegisterError):
            from_catalogue(name, {parameter: "something else"})


# What lacks is not nought.


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_a_measure_without_what_it_needs_has_no_figure(tmp_path, name):
    """A table that is absent, or a column without any value, gives no row rather than nought or one."""
    measure = from_catalogue(name, {})
    kpi = make_kpi(measure)
    asked = {"kind": "week", "since": Period.parse("2026-W10"), "until": Period.parse("2026-W10"), "contract": TABLES}
    assert components({}, [kpi], **asked, calendar=ENGLAND).sums.empty
    tables = sorted({need.partition(".")[0] for need in measure.all_needs(TABLES)})
    paths = {
        table: write_table(tmp_path / f"{table}.parquet", TABLES[table], rows(table, {}, {}))
        for table in tables
        if table in KEYS
    }
    wanted = set(measure.needs)
    lacks = lacking(paths, [kpi], TABLES).get(kpi.id, ())
    assert wanted <= {*lacks, *(need for need in wanted if need.partition(".")[0] not in paths)}
    if wanted:
        assert lacks
        assert components(paths, [kpi], **asked, calendar=ENGLAND).sums.empty


def test_what_lacks_is_named(tmp_path):
    """Tables by their name, columns by table and column."""
    paths = {"complaints": write_table(tmp_path / "c.parquet", TABLES["complaints"], rows("complaints", {}))}
    kpis = [make_kpi("uphold_rate"), make_kpi("recurrence"), make_kpi("csat")]
    assert lacking(paths, kpis, TABLES) == {
        "uphold_rate": ("complaints.closed_at", "complaints.outcome"),
        "recurrence": ("actions", "complaints.root_cause"),
        "csat": ("surveys",),
    }


# Adding up.


def some_world(draw):
    """Draw a few rows of every table, in three weeks, two teams and two agents, with gaps everywhere."""
    rng = np.random.default_rng(draw)

    def some(*values):
        return None if rng.random() < 0.2 else values[rng.integers(len(values))]

    def moment():
        return at(int(rng.integers(0, 21)), int(rng.integers(0, 24)))

    def person():
        return {"site": some("L"), "team": some("A", "B"), "agent_id": some("a", "b"), "line_manager": some("M")}

    def flag():
        return some(True, False)

    size = range(40)

    def after():
        return some(MONDAY + timedelta(hours=int(rng.integers(0, 24 * 60))))

    given_rows = {
        "contacts": [
            person()
            | {
                "offered_at": moment(), "outcome": str(rng.choice(["answered", "abandoned", "callback_promised"])),
                "channel": some("voice", "email") or "chat", "direction": some("inbound", "outbound"),
                "queue": some("Q", "R"), "reason": some("x", "y"), "customer_id": some("k", "l", "m"),
                "wait_s": some(1, 5, 20, 400), "talk_s": some(60, 200), "hold_s": some(0, 30), "acw_s": some(10),
                "transfers": some(0, 1), "escalated": flag(), "resolved": flag(), "reopens": some(0, 1),
                "disclosure": flag(), "identity_validated": flag(), "payment": flag(), "recording_paused": flag(),
                "callback_reached": flag(), "n_statements_required": some(1, 2), "n_statements_made": some(0, 2),
                "answered_at": after(), "resolved_at": after(), "sla_due_at": after(),
            }
            for _ in size
        ],
        "surveys": [
            person() | {"invited_at": moment(), "answered_at": after(), "csat": some(1.0, 4.0, 5.0),
                        "nps": some(0.0, 7.0, 10.0),
                        "effort": some(1.0, 2.5), "resolved_first_time": flag(), "channel": some("voice")}
            for _ in size
        ],
        "evaluations": [
            person() | {"evaluation_id": f"e{n // 3}", "criterion": f"q{n % 3}", "evaluated_at": moment(),
                        "source": str(rng.choice(["call_monitoring", "calibration"])), "contact_id": some("c"),
                        "points": some(0.0, 2.5, 5.0), "max_points": 5.0, "weight": some(2.0),
                        "critical": some("compliance"),
                        "auto_fail": flag(), "expert": flag(), "withdrawn": some(True, False, False),
                        "expression": some("verbal", "written")}
            for n in size
        ] + [{"criterion": "Complaint logged", "points": 5.0, "max_points": 5.0, "evaluation_id": "z"}],
        "complaints": [
            person() | {"received_at": moment(), "closed_at": after(), "responded_at": after(),
                        "summary_sent_at": after(),
                        "outcome": some("upheld", "rejected"), "root_cause": some("late"), "redress": some(5.0)}
            for _ in size
        ],
        "breaches": [
            person() | {"requirement_id": some("r", "s") or "t", "found_at": moment(), "closed_at": after()}
            for _ in size
        ],
        "escalations": [
            person() | {"referred_at": moment(), "resolved_at": after(),
                        "reason": some("regulatory", "authority_limit"),
                        "decided_by": some("a", "b"), "amount": some(10.0, 45.0, 80.0), "contact_id": some("c", "d")}
            for _ in size
        ],
        "agent_states": [
            {"agent_id": str(rng.choice(["a", "b"])), "team": some("A", "B"), "site": some("L"),
             "on_date": moment().date(),
             "state": str(rng.choice(["available", "contact", "acw", "break", "absent"])),
             "scheduled_s": some(300, 600), "actual_s": int(rng.integers(1, 900)), "adherent_s": some(100, 200)}
            for _ in size
        ],
        "segments": [
            person() | {"contact_id": "c", "started_at": moment(), "kind": some("agent", "queue"), "accepted": flag()}
            for _ in size
        ],
        "agents": [row | {"agent_id": row["agent_id"]} for row in ROSTER],
        "delegations": LIMITS,
        "actions": [{"root_cause": "late", "decided_on": at(3).date(), "what": "x", "state": "done"}],
    }  # fmt: skip
    return {table: rows(table, *listed) for table, listed in given_rows.items()}


SUMS = ["numerator", "denominator", "n", "squares"]
ALL = {
    f"{name}_{number}": from_catalogue(name, parameters)
    for number, (name, parameters) in enumerate([*((name, {}) for name in CATALOGUE), *((c[0], c[1]) for c in SMALL)])
}
STOCKS = {key for key, measure in ALL.items() if measure.numerator.open_until}


@settings(max_examples=2, deadline=None)
@given(st.integers(0, 10**6))
def test_every_measure_adds_up_over_any_partition_of_units_and_of_time(tmp_path_factory, seed):
    """Units of each level make the centre, and days make their weeks and months: no rate is ever an average.

    A stock adds up over units alone: a case that is open for two weeks is open at the end of both.
    """
    folder = tmp_path_factory.mktemp("world")
    paths = {
        name: write_table(folder / f"{name}.parquet", TABLES[name], listed) for name, listed in some_world(seed).items()
    }
    kpis = [make_kpi(measure, id=key, levels=tuple(LEVELS)) for key, measure in ALL.items()]
    asked = {"contract": TABLES, "calendar": Calendar(
        zone="Europe/London", nation="GB-ENG", opening={"voice": {}, "email": {}, "chat": {}})}  # fmt: skip
    weeks = {"since": Period.parse("2026-W10"), "until": Period.parse("2026-W13")}
    week = components(paths, kpis, kind="week", **weeks, **asked).sums
    assert len(set(week["kpi"])) > 55
    for level in LEVELS:
        own = week[week["level"] == level]
        units = own.groupby(["kpi", "period"])[SUMS].sum()
        whole = week[week["level"] == "centre"].set_index(["kpi", "period"])[SUMS]
        both = units.join(whole.add_suffix("_whole"), how="left")
        for name in ("denominator", "n"):
            assert (both[name] == both[f"{name}_whole"]).all(), level
        # a unit with nothing below the line has no row, so what is above the line can only be less
        same_table = [key for key, m in ALL.items() if len(m.tables) == 1 and m.kind != "ratio"]
        shares = both[both.index.get_level_values("kpi").isin(same_table)]
        assert (shares["numerator"] == shares["numerator_whole"]).all(), level
    days = components(
        paths, kpis, kind="day", since=Period.parse("2026-03-02"), until=Period.parse("2026-03-29"), **asked
    ).sums
    flows = ~week["kpi"].isin(STOCKS) & (week["level"] == "centre")
    by_day = days[(days["level"] == "centre") & ~days["kpi"].isin(STOCKS)].groupby("kpi")[["denominator", "n"]].sum()
    assert by_day.equals(week[flows].groupby("kpi")[["denominator", "n"]].sum())


@pytest.mark.parametrize("seed", [1])
def test_the_parts_of_every_measure_add_up_to_its_unit(tmp_path, seed):
    """Also of measures with clocks, closing days and stocks: drivers take apart what the figure is made of."""
    paths = {
        name: write_table(tmp_path / f"{name}.parquet", TABLES[name], listed)
        for name, listed in some_world(seed).items()
    }
    kpis = [make_kpi(measure, id=key, levels=("centre", "team")) for key, measure in ALL.items()]
    asked = {"kind": "week", "since": Period.parse("2026-W11"), "until": Period.parse("2026-W11"), "contract": TABLES}
    whole = components(paths, kpis, **asked, calendar=ENGLAND).sums.set_index(["kpi", "level", "unit"])
    apart = parts(paths, kpis, **asked, calendar=ENGLAND)
    summed = apart.groupby(["kpi", "level", "unit", "dimension"])[["numerator", "denominator"]].sum()
    assert len(summed) > 100
    for (kpi, level, unit, dimension), row in summed.iterrows():
        assert dimension in dimensions(next(k for k in kpis if k.id == kpi), TABLES)
        if (kpi, level, unit) in whole.index:
            assert row.tolist() == whole.loc[(kpi, level, unit), ["numerator", "denominator"]].tolist()


# Percentiles with a stated error.


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=60))
def test_a_coarse_bin_errs_by_no_more_than_it_says(tmp_path_factory, seconds):
    """Below 128 it is exact; above, the middle of a bin is within the stated share of every value in it."""
    begin = MONDAY.astimezone(UTC)
    ends = [begin + timedelta(seconds=taken) for taken in seconds]
    listed = rows("escalations", *({"referred_at": begin, "resolved_at": end} for end in ends))
    path = write_table(tmp_path_factory.mktemp("bins") / "e.parquet", TABLES["escalations"], listed)
    week = Period.parse("2026-W10")
    found = {}
    for bins in ("coarse", "exact"):
        kpi = make_kpi(from_catalogue("referral_time_percentile", {"bins": bins}))
        asked = {"kind": "week", "since": week, "until": week, "contract": TABLES}
        frame = components({"escalations": path}, [kpi], **asked).histograms
        found[bins] = np.repeat(frame["bin"].to_numpy(dtype=float), frame["n"].to_numpy(dtype=int))
    assert found["exact"].tolist() == sorted(map(float, seconds))
    error = np.abs(found["coarse"] - found["exact"])
    assert (error <= COARSE_ERROR * found["exact"]).all()
    assert (error[found["exact"] < 128] == 0).all()


def test_replies_can_be_timed_by_opening_hours(measured):
    """From Friday 16:00 to Monday 10:00 with hours of 09:00 to 17:00 there are two hours; special days count."""
    hours = (datetime(2026, 1, 1, 9).time(), datetime(2026, 1, 1, 17).time())  # noqa: DTZ001  local hours of a day
    opening = {"voice": dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), hours) | {"holiday": None}}
    calendar = Calendar(zone="Europe/London", nation="GB-ENG", opening=opening)
    kpi = make_kpi(from_catalogue("first_reply_percentile", {"clock": "open", "bins": "exact"}))
    listed = rows(
        "contacts",
        {"offered_at": at(4, 16), "answered_at": at(7)},
        {"offered_at": at(3, 20), "answered_at": at(4, 8)},  # closed all night
        {"offered_at": at(4, 16), "answered_at": at(7), "channel": "chat"},  # no hours are known
        {"offered_at": datetime(2026, 4, 2, 16, tzinfo=LONDON), "answered_at": datetime(2026, 4, 7, 10, tzinfo=LONDON)},
    )
    asked = {"since": "2026-W10", "until": "2026-W14", "calendar": calendar}
    found = measured([kpi], contacts=listed, **asked).histograms
    assert found["bin"].tolist() == [0, 7200, 7200]  # Good Friday and Easter Monday are closed


def test_days_with_opening_hours_of_their_own_count(tmp_path):
    """The table `calendar` goes before the weekday: two and a half hours more on a Saturday."""
    hours = (datetime(2026, 1, 1, 9).time(), datetime(2026, 1, 1, 17).time())  # noqa: DTZ001  local hours of a day
    opening = {"voice": dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), hours)}
    listed = rows("contacts", {"offered_at": at(4, 16), "answered_at": at(7)})
    special = rows("calendar", {"on_date": at(5).date(), "opens": "10:00", "closes": "12:30"})
    paths = {
        "contacts": write_table(tmp_path / "contacts.parquet", TABLES["contacts"], listed),
        "calendar": write_table(tmp_path / "calendar.parquet", TABLES["calendar"], special),
    }
    week = Period.parse("2026-W10")
    kpi = make_kpi(from_catalogue("first_reply_percentile", {"clock": "open", "bins": "exact"}))
    calendar = Calendar(zone="Europe/London", opening=opening)
    asked = {"kind": "week", "since": week, "until": week, "contract": TABLES, "calendar": calendar}
    assert components(paths, [kpi], **asked).histograms["bin"].tolist() == [7200 + 9000]

"""An incident log: figures by incident and not by event, and each defect of the file found, by rule and count.

Every count is taken a second time here, straight from the file and in pandas.
"""

from __future__ import annotations

import pandas as pd
import pytest

from ccanalysis import results
from ccanalysis.views import rows_at_fault

pytestmark = [pytest.mark.shared, pytest.mark.slow]

BY_INCIDENT = 'contact_id = "number"\n'
BY_EVENT = 'contact_id = { column = ["number", "sys_mod_count", "sys_updated_at"] }\n'
MASS = ["18:40", "18:41", "18:50", "18:51", "18:52", "18:59", "19:00", "19:01", "19:02"]


@pytest.fixture(scope="module")
def by_incident(incidents, example):
    """The results of the last month as the workspace is; their look-back is the whole log."""
    return results.compute(example("uci-incidents"), "2017-02")


@pytest.fixture(scope="module")
def by_event(incidents, example):
    """The same with one row per event, which is the mistake that the log invites."""
    return results.compute(example("uci-incidents", {BY_INCIDENT: BY_EVENT}), "2017-02")


@pytest.fixture(scope="module")
def events(incidents):
    """The file as text without the five events of a state that nobody knows; the index is the row, header = 1."""
    raw = pd.read_csv(incidents, dtype=str, keep_default_na=False)
    raw.index = raw.index + 2
    return raw


@pytest.fixture(scope="module")
def known(events):
    """The events of a state that is known."""
    return events[events["ident_state"] != "-100"]


def sides(found, kpi: str) -> tuple[int, int]:
    """Both sides of a KPI of the whole centre, over all months."""
    own = found.series[(found.series["kpi"] == kpi) & (found.series["level"] == "centre")]
    return int(own["numerator"].sum()), int(own["denominator"].sum())


def failed(found) -> dict[str, int]:
    """Rows that fail each rule over all months, where any does."""
    history = found.rule_history[(found.rule_history["level"] == "centre")]
    counts = history.groupby("rule")["n_failed"].sum()
    return {rule.removeprefix("contacts."): int(n) for rule, n in counts.items() if n}


def test_the_service_level_agreement_is_kept_by_63_per_cent_of_incidents_not_93(by_incident, by_event, events):
    """The flag of the last event counts; by event every hour of waiting before the breach counts as kept."""
    last = events.groupby("number").tail(1)
    assert sides(by_incident, "sla_met") == ((last["made_sla"] == "true").sum(), 24_918)
    assert f"{15_803 / 24_918:.2%}" == "63.42%"
    met, of = sides(by_event, "sla_met")
    assert of == 141_707
    assert f"{met / of:.2%}" == "93.50%"
    assert f"{(events['made_sla'] == 'true').mean():.2%}" == "93.50%"


@pytest.mark.parametrize(
    ("kpi", "numerator", "denominator"),
    [("reopened", 275, 24_918), ("first_group", 13_549, 24_918), ("resolution_mean", 14_984_800_200, 23_362)],
)
def test_a_reference_value_is_reproduced(by_incident, kpi, numerator, denominator):
    """1.10 % reopened, 54.37 % never reassigned, 178.2 hours to resolve on average."""
    assert sides(by_incident, kpi) == (numerator, denominator)


def test_events_are_counted_as_repeats_of_their_incident_and_none_is_lost(by_incident, by_event):
    """141,712 events are read; five of an unknown state are set apart, and 24,918 incidents are kept."""
    kept = ["read", "kept", "quarantined", "duplicates"]
    assert by_incident.intake[kept].iloc[0].tolist() == [141_712, 24_918, 5, 116_789]
    assert by_event.intake[kept].iloc[0].tolist() == [141_712, 141_707, 5, 0]


def test_a_state_that_nobody_knows_is_set_apart(by_incident, events):
    """-100 is in no list of codes: its five rows are named with file, row and reason."""
    rows = by_incident.quarantine
    assert sorted(rows["source_row"]) == events.index[events["ident_state"] == "-100"].tolist()
    assert set(rows["reason"]) == {"outcome has a text that 'codes' does not list (export column 'ident_state')"}


def test_counting_events_for_incidents_is_found(by_incident, by_event, known):
    """The rule on the number of the incident passes by incident; by event it fails for all, for each has several."""
    assert "incident_once" not in failed(by_incident)
    repeated = known[known.duplicated("number", keep=False)]
    assert failed(by_event)["incident_once"] == len(repeated) == len(known) == 141_707


def test_every_defect_of_the_incidents_is_found_and_nothing_else(by_incident, events):
    """What is missing, cut or closed in a mass is counted; rules on clean columns fail for no row."""
    last = events.groupby("number").tail(1)
    missing = {name: int((last[name] == "?").sum()) for name in last}
    assert failed(by_incident) == {
        "resolved_given": missing["resolved_at"],
        "created_given": missing["sys_created_at"],
        "group_given": missing["assignment_group"],
        "assignee_given": missing["assigned_to"],
        "configuration_item_given": missing["cmdb_ci"],
        "vendor_whole": int((last["vendor"] == "8s").sum()),
        "closed_by_hand": int(last["closed_at"].isin([f"24/3/2016 {minute}" for minute in MASS]).sum()),
    }
    assert (missing["resolved_at"], missing["assignment_group"], missing["cmdb_ci"]) == (1_556, 2_157, 24_864)


def test_the_defects_have_the_counts_of_their_description_by_event(by_event, known):
    """3,141 without a time of resolving, 53,076 without one of making, and so on; less the five set apart."""
    found = failed(by_event)
    for rule, column, described in (
        ("resolved_given", "resolved_at", 3_141),
        ("created_given", "sys_created_at", 53_076),
        ("group_given", "assignment_group", 14_213),
        ("assignee_given", "assigned_to", 27_496),
        ("configuration_item_given", "cmdb_ci", 141_267),
    ):
        assert found[rule] == (known[column] == "?").sum(), rule
        assert 0 <= described - found[rule] <= 5, rule
    assert found["vendor_whole"] == (known["vendor"] == "8s").sum() == 167
    assert found["order_updated"] == 5


def test_the_mass_closure_is_listed_row_by_row(incidents, example, known):
    """Each event of an incident of March 2016 that was closed in the mass is named; 18:59 alone closed 3,324 events."""
    march = results.compute(example("uci-incidents", {BY_INCIDENT: BY_EVENT}), "2016-03")
    listed = rows_at_fault(march)
    rows = listed.loc[listed["rule"] == "contacts.closed_by_hand", "source_row"]
    in_mass = known[known["closed_at"].isin([f"24/3/2016 {minute}" for minute in MASS])]
    assert (in_mass["closed_at"] == "24/3/2016 18:59").sum() == 3_324
    opened = in_mass["opened_at"].str.split(" ").str[0]
    assert sorted(rows) == in_mass.index[opened.str.endswith("/3/2016")].tolist()


def test_days_and_months_that_can_be_exchanged_are_read_as_declared(by_incident, events):
    """63,801 times of opening read well both ways; the declared format decides, and the order of the stamps holds."""
    day = events["opened_at"].str.split("/").str[0].astype(int)
    assert (day <= 12).sum() == 63_801
    months = by_incident.series[(by_incident.series["kpi"] == "sla_met") & (by_incident.series["level"] == "centre")]
    last = events.groupby("number").tail(1)
    opened = pd.to_datetime(last["opened_at"], format="%d/%m/%Y %H:%M").dt.strftime("%Y-%m").value_counts()
    assert dict(zip(months["period"], months["denominator"].astype(int), strict=True)) == opened.to_dict()


def test_a_format_with_day_and_month_exchanged_is_found_at_the_door(incidents, example, events):
    """Read month first, the 77,911 events opened after a twelfth have no such month; they are set apart, not bent."""
    changed = example(
        "uci-incidents", {'"opened_at", format = "%d/%m/%Y %H:%M"': '"opened_at", format = "%m/%d/%Y %H:%M"'}
    )
    from ccanalysis.sources import stage

    staged = stage(changed)
    day = events["opened_at"].str.split("/").str[0].astype(int)
    unknown = events["ident_state"] == "-100"
    assert int(staged.intake["quarantined"].sum()) == ((day > 12) | unknown).sum()

"""The analyst's front door: what can be chosen, what is shown, and that the rows behind a figure add up to it."""

from __future__ import annotations

import pytest

from ccanalysis import explore
from ccanalysis.errors import SettingsError
from ccanalysis.explore import Panel

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def centre(sample_run):
    """The sample centre."""
    return explore.open(sample_run.folder)


def test_what_can_be_chosen_are_figures_of_units_and_of_no_person(centre):
    """Levels go from the whole to its parts."""
    assert centre.levels("aht_voice") == ["centre", "site", "team", "queue", "reason"]
    assert centre.units("aht_voice", "queue") == ["Account", "Billing", "Technical"]
    assert centre.periods()[0] == "2026-W46" and len(centre.periods()) == 26
    assert set(centre.kpis()) <= set(centre.results.kpis["kpi"])


@pytest.mark.parametrize(
    ("choice", "problem"),
    [
        (("aht_voic",), "there is no KPI 'aht_voic' to look at. Did you mean 'aht_voice'"),
        (("aht_voice", "agent"), "there is no level 'agent' to look at. "),
        (("aht_voice", "team", "Air"), "there is no team 'Air' to look at. Did you mean 'Aire'"),
        (("aht_voice", "centre", "", "2020-W01"), "there is no period '2020-W01' to look at. "),
    ],
)
def test_a_wrong_choice_is_answered_with_the_nearest(centre, choice, problem):
    """People are no level here."""
    with pytest.raises(SettingsError) as told:
        centre.look(*choice)
    assert str(told.value).startswith(problem)


def test_the_rows_behind_a_figure_add_up_to_it_at_every_level(centre):
    """Both sides of every KPI, of the whole and of one unit of each level; a percentile's rows are as many as its n."""
    line = centre.results.series
    for kpi in centre.kpis():
        for level in centre.levels(kpi):
            unit = centre.units(kpi, level)[-1]
            rows = centre.look(kpi, level, unit).rows(most=100_000)
            added = rows.groupby("side")["value"].sum()
            keys = {"kpi": kpi, "level": level, "unit": unit, "period": "2026-W46"}
            figure = line[(line[list(keys)] == list(keys.values())).all(axis=1)].iloc[0]
            assert added.get("above the line", 0) == figure["numerator"], keys
            assert added.get("below the line", 0) == figure["denominator"], keys


def test_no_personal_column_is_among_the_rows(centre):
    """Contacts are named by their reference, files and rows by theirs."""
    rows = centre.look("fcr").rows(most=3)
    assert {"source_file", "source_row", "contact_id"} <= set(rows.columns)
    assert not {"customer_id", "agent_id", "line_manager"} & set(rows.columns)


def test_the_code_of_a_look_gives_the_same_look(centre, sample_run, monkeypatch):
    """It is what the panel leaves to copy."""
    look = centre.look("transfer_rate", "reason", "Fault")
    monkeypatch.chdir(sample_run.folder / "notebooks")
    *before, last = look.code().splitlines()
    names = {}
    exec("\n".join(before), names)
    again = eval(last, names)
    assert (again.kpi, again.level, again.unit, again.period) == (look.kpi, look.level, look.unit, look.period)
    assert again.verdict().plain() == look.verdict().plain()


def test_a_look_shows_verdict_chart_rating_and_drivers(centre):
    """Parts of a team's figure are its own; other levels are not taken apart, and say so."""
    look = centre.look("aht_voice", "team", "Aire")
    assert "Average handling time of calls" in look.verdict().plain()
    assert look.chart().title == "Average handling time of calls: Aire"
    assert look.rating().plain().startswith("Data ") or look.rating().plain().startswith("Use the data")
    assert "Technical" in look.drivers().plain() and "Aire" in look.drivers().plain()
    assert centre.look("aht_voice", "queue", "Account").drivers().plain().startswith("Only figures of the centre")


def test_the_panel_keeps_what_still_fits_and_leaves_the_code(centre):
    """A KPI without queues falls back to the whole centre."""
    panel = Panel(centre)
    panel.kpi.value = "aht_voice"
    panel.level.value = "queue"
    panel.unit.value = "Billing"
    assert panel.code.value.endswith('centre.look("aht_voice", level="queue", unit="Billing")')
    panel.kpi.value = "transfer_rate"
    assert (panel.level.value, panel.unit.value) == ("queue", "Billing")
    panel.kpi.value = "csat"
    assert panel.level.value == "centre"
    assert panel.code.value.endswith('centre.look("csat")')
    panel.drill.click()
    assert panel.code.value.endswith('centre.look("csat").rows()')

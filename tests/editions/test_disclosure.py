"""Small numbers cannot be worked out by subtraction."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccanalysis import disclosure, export
from ccanalysis.disclosure import NARROWEST, WHY, hidden_cells
from ccanalysis.editions import Reader, cut

sys.path.insert(0, str(Path(__file__).parent))
from attacker import WEEKS, Attacker, Centre


def attacked(seed):
    """Let somebody read all pages of two weeks."""
    centre = Centre(seed)
    attacker = Attacker(centre)
    for weeks in (WEEKS[:2], WEEKS):
        attacker.read(centre.results(weeks))
    return attacker


@pytest.mark.slow
@settings(max_examples=6)
@given(st.integers(0, 10**9))
def test_no_small_figure_can_be_worked_out_from_the_pages_of_two_weeks(seed):
    """A linear programme over all that teams and the centre are shown leaves at least three cases open."""
    assert attacked(seed).worked_out(NARROWEST) == []


def test_the_attacker_works_out_what_is_hidden_alone(monkeypatch):
    """Were only the small figure itself hidden, it would be the total less what is shown."""
    monkeypatch.setattr(disclosure, "_closed", lambda primary, tables: primary)
    assert attacked(0).worked_out(NARROWEST)


def figures(n, level="team", **more):
    """Lay out a KPI's figures of one week with so many cases each, and those of the centre."""
    cells = [*((level, unit, cases) for unit, cases in n.items()), ("centre", "centre", sum(n.values()))]
    frame = pd.DataFrame(cells, columns=["level", "unit", "n"]).assign(kpi="waits", period="2026-W46", people=6.0)
    return frame.assign(numerator=frame["n"] // 2, denominator=frame["n"]).assign(**more)


@pytest.mark.parametrize(
    ("n", "gone"),
    [
        pytest.param({"a": 8, "b": 30, "c": 200}, "", id="none_is_small"),
        pytest.param({"a": 3, "b": 30, "c": 200}, "ab", id="the_next_smallest_goes_too"),
        pytest.param({"a": 3, "b": 6, "c": 200}, "ab", id="two_small_ones_hide_each_other"),
        pytest.param({"a": 1, "b": 2, "c": 200}, "abc", id="two_that_add_up_to_three_do_not"),
        pytest.param({"a": 3, "b": 0, "c": 200}, "ac", id="nought_hides_nothing"),
    ],
)
def test_what_is_hidden(n, gone):
    """The n of each hidden cell stays open by three cases at least."""
    assert {key.unit for key in hidden_cells(figures(n), {}) if key.level == "team"} == set(gone)


def test_the_centre_is_hidden_where_its_parts_cannot_be_otherwise():
    """One team alone is the centre."""
    assert {key.level for key in hidden_cells(figures({"a": 3}), {})} == {"centre", "team"}


def test_a_site_of_one_small_team_is_hidden_with_it():
    """And another site, and a team of it."""
    teams = {"a": 3, "b": 90, "c": 100}
    series = pd.concat([figures(teams), figures({"X": 3, "Y": 190}, "site").query("level == 'site'")])
    gone = {(key.level, key.unit) for key in hidden_cells(series, {"a": "X", "b": "Y", "c": "Y"})}
    assert gone == {("team", "a"), ("team", "b"), ("site", "X"), ("site", "Y")}


def test_kpis_over_the_same_cases_hide_the_same_units():
    """What one showed, the other would tell."""
    one = figures({"a": 9, "b": 30, "c": 200})
    few = one.assign(kpi="csat", people=[2.0, 6.0, 6.0, 14.0])
    assert {key.unit for key in hidden_cells(pd.concat([one, few]), {}) if key.kpi == "waits"} == {"a", "b"}


def test_hidden_figures_do_not_tell_that_none_went_well():
    """Where all hidden teams together have no event, a team that has some is hidden with them."""
    series = figures({"a": 3, "b": 30, "c": 200}).assign(numerator=[0.0, 0.0, 50.0, 50.0])
    assert {key.unit for key in hidden_cells(series, {})} == {"a", "c"}


def test_files_beside_a_page_hide_what_the_page_hides():
    """A hidden figure is an empty cell with its reason, in either edition."""
    centre = next(centre for centre in map(Centre, range(20)) if small_team(centre))
    results = centre.results(WEEKS)
    for reader in (Reader("centre"), Reader("team", small_team(centre))):
        text = export.to_csv(cut(results, reader)["verdicts"], export.VERDICT_COLUMNS)
        rows = [row for row in csv.DictReader(io.StringIO(text)) if WHY in row["reasons"]]
        assert rows
        assert {row[name] for row in rows for name in ("numerator", "denominator", "value", "ci_low")} == {""}
        assert {row["status"] for row in rows} == {"not_judged"}


def small_team(centre):
    """Name a team with a small figure in the last week, if there is one."""
    line = centre.results(WEEKS).series
    found = line[(line["level"] == "team") & (line["period"] == WEEKS[-1]) & line["n"].between(1, 7)]["unit"]
    return next((unit for unit in found if unit != "unassigned"), "")

"""Units against their peers: one that stands out does not make the others look good."""

from __future__ import annotations

import pytest

from ccanalysis.questions.compared import against_others


def test_one_that_stands_out_is_found_and_makes_no_other_look_good():
    """Against all, each of the five others would have fewer than the rest."""
    found = against_others([180, 44, 47, 43, 52, 49], [6500] * 6)
    assert found["outcome"].tolist() == ["more", "none", "none", "none", "none", "none"]
    assert found["others"][1] == pytest.approx((47 + 43 + 52 + 49) / (4 * 6500))


def test_few_are_found_as_well_as_many():
    """Both in one call."""
    found = against_others([10, 100, 101, 99, 250], [1000] * 5)
    assert found["outcome"].tolist() == ["fewer", "none", "none", "none", "more"]


def test_too_few_cases_cannot_be_told_and_say_how_many_it_takes():
    """Twice one in a hundred needs thousands of cases; a unit without any cannot be told either."""
    found = against_others([0, 1, 100, 90], [0, 50, 10_000, 9_000])
    assert found["outcome"].tolist() == ["cannot tell", "cannot tell", "none", "none"]
    assert 2_000 < found["needed"][1] < 10_000


def test_units_are_held_against_peers_of_their_own_group():
    """Every unit of a has ten times the rate of b: within each group they are alike."""
    found = against_others([100, 98, 103, 10, 11, 9], [1000] * 6, groups=["a"] * 3 + ["b"] * 3, factor=20)
    assert set(found["outcome"][:3]) == {"none"}
    assert found["ratio"][3] == pytest.approx(1.0)


def test_nothing_to_compare_gives_nothing():
    """No unit, or one alone."""
    assert against_others([], []).empty
    alone = against_others([5], [100])
    assert alone["outcome"].tolist() == ["cannot tell"] and alone["ratio"].isna().all()

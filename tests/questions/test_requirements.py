"""What requirements did: the planted effect is found where it is, and nowhere else."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from ccanalysis.questions import requirements

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def answer(answered):
    """The answer on the sample centre."""
    return answered("requirements")


def test_the_planted_effect_is_found_in_its_queue_and_its_size_lies_in_the_interval(answer, truths):
    """A statement of a minute is asked of account calls since 5 October."""
    truth = truths["requirement_effect"]
    effects = answer.frames["effects"]
    found = effects[(effects["kpi"] == truth["kpi"]) & (effects["level"] == "queue")].set_index("unit")
    own = found.loc[truth["unit"]]
    assert (own["requirement_id"], own["outcome"], own["placebos_as_large"]) == (truth["requirement"], "effect", 0)
    assert own["ci_low"] <= truth["planted"]["added_seconds"] <= own["ci_high"]
    assert own["hours"] == pytest.approx(own["effect"] * own["contacts"] / 3600)
    assert set(found.loc[found.index != truth["unit"], "outcome"]) == {"none"}


def test_no_other_kpi_is_said_to_have_changed(answer, truths):
    """What stands beside it are contact reasons of the same queue."""
    effects = answer.frames["effects"]
    stands = effects[effects["outcome"] == "effect"]
    assert set(stands["kpi"]) == {truths["requirement_effect"]["kpi"]}
    assert set(stands.loc[stands["level"] == "reason", "unit"]) <= {"Address change", "Tariff change", "Cancellation"}


def test_a_requirement_that_is_no_longer_in_force_has_no_effect_and_says_so(answer, truths):
    """Its last day was in 2017."""
    listed = answer.frames["in_force"].set_index("requirement_id")["state"]
    expired = truths["expired_requirement"]["requirement"]
    assert listed[expired] == "expired" and listed["REQ-06"] == "new" and listed["REQ-02"] == "in force"
    assert expired not in set(answer.frames["effects"]["requirement_id"])


def test_with_three_weeks_after_the_change_it_cannot_be_told(answered):
    """At the end of October."""
    effects = answered("requirements", "month").frames["effects"]
    assert set(effects["outcome"]) == {"cannot tell"} and effects["effect"].isna().all()


def test_a_centre_without_requirements_gets_empty_frames(of_tables):
    """With the columns that the report reads."""
    found = requirements.answer(of_tables({}, since=date(2026, 5, 18), until=date(2026, 11, 16)))
    assert all(frame.rows.empty and len(frame.rows.columns) for frame in found.values())


def test_an_hour_costs_what_staff_cost_over_hours_handled(of_tables):
    """2 hours handled for 60 pounds of staff; technology is not time."""
    day = pd.Timestamp("2026-10-05")
    costs = pd.DataFrame(
        {
            "month": [day.replace(day=1)] * 2,
            "channel": "voice",
            "kind": ["staff", "technology"],
            "amount": [60.0, 500.0],
        }
    )
    contacts = pd.DataFrame(
        {"local_date": [day] * 2, "talk_s": [3600, 1800], "hold_s": [None, 600], "acw_s": [900, 300]}
    )
    data = of_tables({"costs": costs, "contacts": contacts}, since=date(2026, 10, 1), until=date(2026, 11, 1))
    effects = pd.DataFrame(
        {"unit_of_value": "s", "kpi": "aht_voice", "outcome": "effect", "effect": 36.0, "contacts": 100.0}, index=[0]
    ).reindex(columns=requirements._EFFECTS)
    found = requirements._with_costs(data, effects).iloc[0]
    assert (found["hours"], found["money"]) == (1.0, 30.0)

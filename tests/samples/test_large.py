"""Contacts for benchmarks are clean by the contract."""

import pandas as pd
import pytest

from ccanalysis import contracts
from ccanalysis.samples import contacts_frame


@pytest.fixture(scope="module")
def frame():
    return contacts_frame(20_000, seed=5)


def test_they_have_the_columns_of_the_contract_in_its_order(frame):
    assert list(frame.columns) == [column.name for column in contracts.CONTACTS.columns]


@pytest.mark.parametrize("column", contracts.CONTACTS.columns, ids=lambda column: column.name)
def test_every_value_keeps_the_contract(frame, column):
    """Required values are there, numbers lie in range, texts are allowed ones."""
    values = frame[column.name]
    if column.required or (column.derived and column.name != "line_manager"):
        assert values.notna().all()
    present = values.dropna()
    if present.empty:  # a column that the large centre does not fill
        assert not column.required
        return
    if column.low is not None:
        assert present.min() >= column.low
    if column.high is not None:
        assert present.max() <= column.high
    if allowed := column.values:  # noqa: PD011  a contract column, not a frame
        assert set(present) <= set(allowed)


def test_identifiers_do_not_repeat_over_parts(frame):
    more = contacts_frame(10, seed=6, first=20_000)
    assert pd.concat([frame["contact_id"], more["contact_id"]]).is_unique


def test_the_same_seed_gives_the_same_contacts():
    assert contacts_frame(100, seed=5).equals(contacts_frame(100, seed=5))
    assert not contacts_frame(100, seed=5).equals(contacts_frame(100, seed=6))


def test_times_are_in_order_and_in_opening_hours(frame):
    answered = frame[frame["outcome"] == "answered"]
    assert (answered["offered_at"] <= answered["answered_at"]).all()
    assert (answered["answered_at"] <= answered["ended_at"]).all()
    local = frame["offered_at"].dt.tz_convert("Europe/London")
    assert (local.dt.hour == frame["local_hour"]).all()
    assert local.dt.hour.between(8, 19).all()

"""Parquet exports: stored types are honoured."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ccanalysis.errors import ContractError, NoInputError

from .conftest import counts, faults, rows

COLUMNS = """
contact_id = "id"
offered_at = { column = "at", format = "iso" }
channel = { value = "voice" }
outcome = { value = "answered" }
"""
AT = datetime(2026, 7, 1, 12, 0)  # noqa: DTZ001  a local time


def export(desk, name="calls.parquet", **columns):
    """Write a Parquet export with an id and a time."""
    count = len(next(iter(columns.values())))
    columns = {"id": [f"c{n}" for n in range(count)], "at": [AT.replace(tzinfo=UTC)] * count} | columns
    path = desk.root / "data" / name
    pq.write_table(pa.table(columns), path)
    return path


def read(desk, column, mapping, cells, kind=None):
    """Read one typed column."""
    export(desk, cell=pa.array(cells, kind))
    base = COLUMNS if column != "contact_id" else COLUMNS.replace('contact_id = "id"', "")
    desk.source("data/*.parquet", f"{base}\n{column} = {mapping}", more='format = "parquet"')
    staged = desk.stage()
    values = dict(rows(staged.tables["contacts"], "source_row", column))
    wrong = {str(row): rule for row, name, rule in faults(staged) if name == column}
    return [wrong.get(str(n), values.get(str(n))) for n in range(1, len(cells) + 1)]


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        ([AT.replace(tzinfo=UTC)], pa.timestamp("us", "UTC"), ["2026-07-01 12:00:00+00"]),
        ([AT.replace(tzinfo=UTC)], pa.timestamp("ns", "America/New_York"), ["2026-07-01 12:00:00+00"]),
        ([AT, None], pa.timestamp("ms"), ["2026-07-01 11:00:00+00", None]),
        ([AT.replace(month=3, day=29, hour=1), None], pa.timestamp("s"), ["time_skipped", None]),
        ([date(2026, 7, 1)], pa.date32(), ["2026-06-30 23:00:00+00"]),
        (["2026-07-01T12:00:00Z", "x"], pa.string(), ["2026-07-01 12:00:00+00", "time"]),
    ],
    ids=["utc", "with_a_zone", "without_a_zone", "skipped", "date", "text"],
)
def test_stored_times_are_honoured(desk, cells, kind, values):
    """With a zone they are instants; without one they are local times of the declared zone."""
    assert read(desk, "ended_at", '{ column = "cell", format = "iso" }', cells, kind) == values


@pytest.mark.parametrize(
    ("column", "mapping", "cells", "kind", "values"),
    [
        ("transfers", '"cell"', [1, None, -1], pa.int32(), ["1", None, "low"]),
        ("transfers", '"cell"', [1.0, float("nan"), 1.5, float("inf")], pa.float64(), ["1", None, "whole", "whole"]),
        ("transfers", '"cell"', [Decimal("2.0"), Decimal("2.5")], pa.decimal128(9, 1), ["2", "whole"]),
        ("wait_s", '{ column = "cell", unit = "ms" }', [1500, 2**40], pa.int64(), ["2", "high"]),
        ("wait_s", '{ column = "cell", unit = "hh:mm:ss" }', [time(0, 10, 10)], pa.time64("us"), ["610"]),
        (
            "wait_s",
            '{ column = "cell", unit = "hh:mm:ss" }',
            [timedelta(hours=30), timedelta(seconds=-1)],
            pa.duration("ms"),
            ["108000", "low"],
        ),
        ("resolved", '"cell"', [True, False, None], pa.bool_(), ["true", "false", None]),
        ("resolved", '{ column = "cell", true = "Y", false = "N" }', ["Y", "x"], pa.string(), ["true", "flag"]),
        ("contact_id", '"cell"', ["007", "1E5"], pa.string(), ["007", "1E5"]),
        ("contact_id", '"cell"', [2**53 + 1], pa.int64(), ["9007199254740993"]),
        ("contact_id", '"cell"', [7.0], pa.float64(), ["7"]),
        ("team", '"cell"', ["None", " A ", ""], pa.large_string(), ["None", "A", None]),
        ("team", '"cell"', ["A", "B"], pa.dictionary(pa.int8(), pa.string()), ["A", "B"]),
    ],
)
def test_stored_values_are_honoured(desk, column, mapping, cells, kind, values):
    """A number is a number, a text is a text."""
    assert read(desk, column, mapping, cells, kind) == values


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.binary()], ids=str)
def test_a_nested_or_binary_column_is_refused_where_it_is_mapped(desk, kind):
    """And stays outside where it is not."""
    export(desk, cell=pa.array([None], kind))
    desk.source("data/*.parquet", COLUMNS, more='format = "parquet"')
    assert counts(desk.stage())["kept"] == 1
    desk.sources.clear()
    desk.source("data/*.parquet", COLUMNS + '\nteam = "cell"', more='format = "parquet"')
    with pytest.raises(ContractError) as error:
        desk.stage()
    assert str(error.value).startswith(f"calls.parquet, column 'cell': the column holds {str(kind)[:4]}")
    assert str(error.value).endswith(", which no mapping can read. Export it as text, number, date or time")


def test_a_control_character_is_quarantined(desk):
    """Text is text in every format."""
    assert read(desk, "team", '"cell"', ["A", "A\x00B", "\x1fd2026", "C\nD"]) == ["A", None, None, "C\nD"]
    staged = desk.stage()
    assert faults(staged) == [(2, None, "control"), (3, None, "control")]


def test_files_of_different_schemas_are_read_each_by_its_own(desk):
    """Another order of columns, another type of the same column."""
    export(desk, "1.parquet", cell=pa.array([60], pa.int64()))
    path = desk.root / "data" / "2.parquet"
    pq.write_table(pa.table({"cell": ["90"], "at": ["2026-07-01T12:00:00Z"], "extra": [1], "id": ["d0"]}), path)
    desk.source("data/*.parquet", COLUMNS + '\nwait_s = { column = "cell", unit = "s" }', more='format = "parquet"')
    assert rows(desk.stage().tables["contacts"], "contact_id", "wait_s") == [("c0", "60"), ("d0", "90")]


@pytest.mark.parametrize("kept", [0.5, 0.98], ids=["half", "end_missing"])
def test_a_truncated_file_is_refused(desk, kept):
    """Its name is said."""
    path = export(desk, cell=list(range(1000)))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    desk.source("data/*.parquet", COLUMNS, more='format = "parquet"')
    with pytest.raises(ContractError) as error:
        desk.stage()
    assert str(error.value) == "calls.parquet: the file is not a whole Parquet file. Export it again"


def test_a_file_damaged_in_the_middle_is_refused(desk):
    """Its end is whole, its pages are not."""
    path = export(desk, cell=list(range(1000)))
    content = bytearray(path.read_bytes())
    content[4:3000] = b"\xff" * 2996
    path.write_bytes(bytes(content))
    desk.source("data/*.parquet", COLUMNS, more='format = "parquet"')
    with pytest.raises(ContractError) as error:
        desk.stage()
    assert str(error.value) == "calls.parquet: the file is damaged. Export it again"


def test_a_file_without_rows_is_no_input(desk):
    """Zero rows are no week."""
    export(desk, cell=pa.array([], pa.int64()))
    desk.source("data/*.parquet", COLUMNS, more='format = "parquet"')
    with pytest.raises(NoInputError):
        desk.stage()

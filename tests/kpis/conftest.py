"""Small contract tables and KPIs made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ccanalysis.contracts import TABLES, Table
from ccanalysis.kpis.calendars import Calendar
from ccanalysis.kpis.components import Components, components
from ccanalysis.kpis.measures import from_catalogue
from ccanalysis.kpis.register import Approval, Kpi
from ccanalysis.periods import Kind, Period

TYPES = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "instant": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
}


def write_table(path: Path, table: Table, rows: Sequence[dict[str, Any]]) -> Path:
    """Write rows with all columns of a contract table; what a row does not name is missing."""
    known = {column.name for column in table.columns}
    assert all(set(row) <= known for row in rows), "a row names a column that the table does not have"
    columns = {
        column.name: pa.array([row.get(column.name) for row in rows], TYPES[column.type]) for column in table.columns
    }
    pq.write_table(pa.table(columns), path)
    return path


def make_kpi(measure: Any, **changes: Any) -> Kpi:
    """Return an approved KPI of a measure of the catalogue, or of one given."""
    made = from_catalogue(measure, {}) if isinstance(measure, str) else measure
    given = {
        "id": made.key,
        "name": made.key.replace("_", " ").capitalize(),
        "purpose": "To see.",
        "measure": made,
        "better": made.better,
        "levels": ("centre",),
        "frequency": "day",
        "minimum_n": 1,
        "owner": "Head of Operations",
        "approval": Approval(state="approved", by="Operations Board", on=date(2020, 1, 1)),
        "action_after_review": "Look again.",
    }
    return Kpi(**(given | changes))


@pytest.fixture
def measured(tmp_path: Path) -> Callable[..., Components]:
    """Write tables, measure KPIs over them and return the components."""

    def run(
        kpis: Sequence[Kpi],
        *,
        kind: Kind = "week",
        since: str,
        until: str | None = None,
        without: dict[str, list[tuple[str, int]]] | None = None,
        contract: dict[str, Table] | None = None,
        calendar: Calendar | None = None,
        **rows: Sequence[dict[str, Any]],
    ) -> Components:
        tables = contract or TABLES
        paths = {name: write_table(tmp_path / f"{name}.parquet", tables[name], each) for name, each in rows.items()}
        bad = {}
        for name, places in (without or {}).items():
            bad[name] = tmp_path / f"bad-{name}.parquet"
            files, numbers = zip(*places, strict=True)
            pq.write_table(pa.table({"source_file": files, "source_row": pa.array(numbers, pa.int64())}), bad[name])
        first = Period.parse(since)
        return components(
            paths,
            kpis,
            kind=kind,
            since=Period.containing(first.start, kind),
            until=Period.parse(until) if until else Period.containing(first.start, kind),
            contract=tables,
            without=bad or None,
            calendar=calendar,
        )

    return run

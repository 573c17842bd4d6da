"""The rows behind a figure: those that a KPI counts of one unit in one period, by reference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ccanalysis.contracts import Table
from ccanalysis.errors import SettingsError, nearest
from ccanalysis.kpis import query
from ccanalysis.kpis.asking import Asker, lacking, opened
from ccanalysis.kpis.calendars import Calendar
from ccanalysis.kpis.query import LEVELS, UNASSIGNED
from ccanalysis.kpis.register import Kpi
from ccanalysis.kpis.sides import Side
from ccanalysis.periods import Period
from ccanalysis.warehouse import Engine

SIDES = {"numerator": "above the line", "denominator": "below the line"}


def rows_behind(
    tables: Mapping[str, Path],
    kpi: Kpi,
    period: Period,
    contract: Mapping[str, Table],
    *,
    level: str = "centre",
    unit: str = "centre",
    calendar: Calendar | None = None,
    most: int = 1_000,
) -> pd.DataFrame:
    """Return the rows that a KPI counts of a unit in a period, in the order of their files.

    Args:
        tables: Contract table -> Parquet file, or folder of weekly partitions.
        kpi: The KPI, as it is defined in the period.
        period: The period.
        contract: The contract tables.
        level: The unit's level.
        unit: The unit; `unassigned` for rows that name none.
        calendar: The centre's; only clocks need it.
        most: How many rows at most of each side.

    Returns:
        One row per row of a table and side: `side` (`above the line`, `below the line`), `table`, `value` (what it adds
        to that side), `source_file`, `source_row`, the table's key and the columns that the KPI reads. No column with
        personal data is in it.

    Raises:
        SettingsError: The KPI is not told apart at that level, or the period lacks what it needs.
    """
    known = query.levels_of(kpi, contract)
    if level not in known:
        raise SettingsError(f"{kpi.name!r} is not told apart at the level {level!r}", remedy=nearest(level, known))
    with opened(tables) as (engine, parted):
        gone = lacking(engine, parted, [kpi], contract).get(kpi.id)
        if gone:
            raise SettingsError(f"{kpi.name!r} cannot be measured here: it needs {', '.join(gone)}")
        asker = Asker(engine, parted, contract, period.kind, period, period, calendar=calendar)
        parts = [
            _of_side(engine, asker, kpi, role, side, contract, period, level=level, unit=unit, most=most)
            for role, side in query.sides(kpi)
        ]
    return pd.concat(parts, ignore_index=True)


def _of_side(
    engine: Engine,
    asker: Asker,
    kpi: Kpi,
    role: str,
    side: Side,
    contract: Mapping[str, Table],
    period: Period,
    *,
    level: str,
    unit: str,
    most: int,
) -> pd.DataFrame:
    table, write = contract[side.table], engine.dialect
    where, of = side.checked(contract)
    condition = query.condition(kpi, side, contract, write, valued=role == "denominator")
    conditions = [condition, f"_period = {write.day(period.start)}"]
    if (column := LEVELS[level]) is not None:
        name = write.quoted(column)
        conditions.append(f"{name} IS NULL" if unit == UNASSIGNED else f"{name} = {write.text(unit)}")
    read = {*where.columns, *(of.columns if of else ()), *kpi.columns}
    personal = {column.name for column in table.columns if column.personal or column.free}
    shown = [c.name for c in table.columns if c.name in read | set(table.key) and c.name not in personal]
    listed = ["source_file", "source_row", *(name for name in shown if name not in ("source_file", "source_row"))]
    value = query.value_of(side, of, write) if of is not None else "1"
    rows = asker.written(table, side.rows(contract), [side])
    found = engine.run(
        f"SELECT {value} AS value, {', '.join(map(write.quoted, listed))} FROM ({rows}) r "
        f"WHERE {' AND '.join(f'({one})' for one in conditions)} ORDER BY source_file, source_row LIMIT {int(most)}"
    ).to_pandas()
    found.insert(0, "side", SIDES[role])
    found.insert(1, "table", side.table)
    return found

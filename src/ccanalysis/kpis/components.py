"""The component query: both sides of every KPI, added up per unit and period.

DuckDB computes only additive whole numbers (counts, sums, sums of squares, whole-second histograms) in one
GROUPING SETS query per table; Python divides. So the same numbers come out of any engine and any order of rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ccanalysis import engine
from ccanalysis.contracts import Table
from ccanalysis.engine import quoted
from ccanalysis.kpis.measures import NEXT_CONTACT, Measure, Side
from ccanalysis.kpis.register import Kpi
from ccanalysis.periods import Kind, Period

if TYPE_CHECKING:
    import duckdb

# Level of a unit -> column that names the unit; the centre is the whole.
LEVELS: dict[str, str | None] = {
    "centre": None,
    "site": "site",
    "team": "team",
    "line_manager": "line_manager",
    "queue": "queue",
    "channel": "channel",
    "reason": "reason",
    "agent": "agent_id",
}
CENTRE = "centre"
UNASSIGNED = "unassigned"
KEYS = ["kpi", "level", "unit", "period"]
_TRUNCATED: dict[Kind, str] = {"day": "day", "week": "week", "month": "month", "quarter": "quarter", "year": "year"}


@dataclass(frozen=True)
class Components:
    """What the query gave.

    Attributes:
        sums: One row per `kpi`, `level`, `unit` and `period` with `numerator`, `denominator`, `n` and `squares`
            (whole numbers; `squares` is of the summed expression, 0 where it is not needed).
        histograms: One row per percentile KPI, level, unit, period and `bin` (whole seconds) with `n`.
    """

    sums: pd.DataFrame
    histograms: pd.DataFrame


def components(
    tables: Mapping[str, Path],
    kpis: Sequence[Kpi],
    *,
    kind: Kind,
    since: Period,
    until: Period,
    contract: Mapping[str, Table],
    without: Mapping[str, Path] | None = None,
) -> Components:
    """Add up both sides of every KPI per level, unit and period.

    Args:
        tables: Contract table -> Parquet file; a KPI whose table is absent gets no row.
        kpis: What to measure, each at its own levels.
        kind: The kind of period to group by.
        since: The first period.
        until: The last period.
        contract: The contract tables, with the workspace's own columns.
        without: Contract table -> Parquet with `source_file` and `source_row` of rows to leave out.

    Returns:
        The components. A unit without a row in a period has no row here: missing is not zero.
    """
    present = [kpi for kpi in kpis if {kpi.measure.numerator.table, kpi.measure.denominator.table} <= set(tables)]
    connection = engine.connect(tables, folders=[path.parent for path in (without or {}).values()])
    try:
        parts = [
            part
            for table in sorted({side.table for kpi in present for side in _sides(kpi.measure)})
            for part in _of_table(connection, contract[table], present, kind, since, until, (without or {}).get(table))
        ]
        sums = _joined(parts, present)
        histograms = [
            _histogram(connection, contract[kpi.measure.numerator.table], kpi, kind, since, until)
            for kpi in present
            if kpi.measure.kind == "percentile"
        ]
    finally:
        connection.close()
    empty = pd.DataFrame(columns=[*KEYS, "bin", "n"])
    return Components(sums, pd.concat(histograms, ignore_index=True) if histograms else empty)


def _sides(measure: Measure) -> tuple[Side, Side]:
    return measure.numerator, measure.denominator


def _levels(kpis: Sequence[Kpi], table: Table) -> list[str]:
    wanted = {level for kpi in kpis for level in kpi.levels}
    return [level for level, column in LEVELS.items() if level in wanted and (column is None or column in table)]


def _population(kpi: Kpi, side: Side, table: Table) -> str:
    where = side.where
    return f"({kpi.population}) and ({where})" if kpi.population and _applies(kpi, table) else where


def _applies(kpi: Kpi, table: Table) -> bool:
    """A population holds for the table of the denominator and for others that have its columns."""
    return all(column in table for column in kpi.population_columns)


def _of_table(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    kpis: Sequence[Kpi],
    kind: Kind,
    since: Period,
    until: Period,
    without: Path | None,
) -> list[pd.DataFrame]:
    """Query the sides that lie in one table; those that look at the next contact apart from the rest."""
    wanted: dict[bool, list[tuple[Kpi, str, Side]]] = {False: [], True: []}
    for kpi in kpis:
        for role, side in zip(("numerator", "denominator"), _sides(kpi.measure), strict=True):
            if side.table == table.name:
                looks_ahead = NEXT_CONTACT.name in kpi.measure.numerator.where
                wanted[looks_ahead].append((kpi, role, side))
    return [
        _query(connection, table, sides, kind, since, until, without, looks_ahead=ahead)
        for ahead, sides in wanted.items()
        if sides
    ]


def _query(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    sides: list[tuple[Kpi, str, Side]],
    kind: Kind,
    since: Period,
    until: Period,
    without: Path | None,
    *,
    looks_ahead: bool,
) -> pd.DataFrame:
    contract = {table.name: table}
    selected, names = [], []
    for number, (kpi, role, side) in enumerate(sides):
        where, of = Side(table=table.name, where=_population(kpi, side, table), of=side.of).checked(contract)
        condition = f"coalesce({where.sql}, false)"
        if of is None:
            selected.append(f"count(*) FILTER (WHERE {condition})::BIGINT AS c{number}")
        else:
            value = f"round(({of.sql}) * {int(side.scale)})::BIGINT"
            selected.append(f"coalesce(sum({value}) FILTER (WHERE {condition}), 0)::BIGINT AS c{number}")
            if role == "numerator" and kpi.measure.kind == "mean":
                square = f"coalesce(sum({value} * {value}) FILTER (WHERE {condition}), 0)::BIGINT AS q{number}"
                selected.append(square)
        names.append((kpi, role))
    levels = _levels([kpi for kpi, _, _ in sides], table)
    columns = [column for level in levels if (column := LEVELS[level])]
    sets = ", ".join(
        "(" + ", ".join(["period", *([quoted(c)] if (c := LEVELS[level]) else [])]) + ")" for level in levels
    )
    grouping = ", ".join(f"grouping({quoted(column)}) AS g_{column}" for column in columns)
    listed = ", ".join(quoted(column) for column in columns)
    sql = (
        f"SELECT period{', ' + listed if listed else ''}{', ' + grouping if grouping else ''}, {', '.join(selected)} "
        f"FROM ({_rows(table, kind, without, looks_ahead=looks_ahead)}) rows GROUP BY GROUPING SETS ({sets})"
    )
    wide = connection.execute(sql, [since.start, until.end]).df()
    frames = []
    for level in levels:
        column = LEVELS[level]
        mask = np.ones(len(wide), dtype=bool)
        for other in columns:
            mask &= wide[f"g_{other}"].to_numpy() == (0 if other == column else 1)
        part = wide[mask]
        units = part[column].fillna(UNASSIGNED).astype(str) if column else pd.Series(CENTRE, index=part.index)
        for number, (kpi, role) in enumerate(names):
            if level in kpi.levels:
                squares = part[f"q{number}"] if f"q{number}" in part else 0
                frames.append(
                    pd.DataFrame(
                        {
                            "kpi": kpi.id,
                            "level": level,
                            "unit": units,
                            "period": part["period"],
                            "role": role,
                            "sum": part[f"c{number}"],
                            "squares": squares,
                        }
                    )
                )
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*KEYS, "role", "sum", "squares"])


def _rows(table: Table, kind: Kind, without: Path | None, *, looks_ahead: bool) -> str:
    day = quoted(table.local_day)
    period = f"date_trunc('{_TRUNCATED[kind]}', {day})::DATE"
    source = quoted(table.name)
    if without is not None:
        bad = f"read_parquet({engine.literal(without)})"
        source = f"(SELECT * FROM {source} ANTI JOIN {bad} USING (source_file, source_row))"
    ahead = ""
    if looks_ahead:
        # the window sees later contacts too, so it is taken before the period is cut
        ahead = (
            ", (lead(epoch(offered_at)) OVER (PARTITION BY customer_id, reason ORDER BY offered_at, contact_id) "
            f"- epoch(offered_at))::BIGINT AS {NEXT_CONTACT.name}"
        )
    return f"SELECT * FROM (SELECT *, {period} AS period{ahead} FROM {source}) x WHERE {day} >= ? AND {day} < ?"


def _joined(parts: list[pd.DataFrame], kpis: Sequence[Kpi]) -> pd.DataFrame:
    """Bring both sides of each KPI beside each other; a side without rows is zero where the other has some."""
    columns = [*KEYS, "numerator", "denominator", "n", "squares"]
    parts = [part for part in parts if len(part)]
    if not parts:
        return pd.DataFrame(columns=columns)
    long = pd.concat(parts, ignore_index=True)
    wide = long.pivot_table(index=KEYS, columns="role", values="sum", aggfunc="sum", fill_value=0, observed=True)
    squares = long[long["role"] == "numerator"].groupby(KEYS, observed=True)["squares"].sum()
    for role in ("numerator", "denominator"):
        if role not in wide:
            wide[role] = 0
    joined = wide[["numerator", "denominator"]].join(squares).reset_index()
    joined["squares"] = joined["squares"].fillna(0)
    scale = joined["kpi"].map({kpi.id: kpi.measure.denominator.scale for kpi in kpis}).astype("int64")
    joined["n"] = joined["denominator"] // scale
    joined = joined[joined["denominator"] > 0]
    joined["period"] = pd.to_datetime(joined["period"]).dt.date
    return joined[columns].sort_values(KEYS, ignore_index=True)


def _histogram(
    connection: duckdb.DuckDBPyConnection, table: Table, kpi: Kpi, kind: Kind, since: Period, until: Period
) -> pd.DataFrame:
    side = kpi.measure.numerator
    where, of = Side(table=table.name, where=_population(kpi, side, table), of=side.of).checked({table.name: table})
    if of is None:
        raise AssertionError("a percentile has an expression")
    levels = _levels([kpi], table)
    columns = [column for level in levels if (column := LEVELS[level])]
    sets = ", ".join(
        "(" + ", ".join(["period", "bin", *([quoted(c)] if (c := LEVELS[level]) else [])]) + ")" for level in levels
    )
    picked = "".join(f", {quoted(column)}, grouping({quoted(column)}) AS g_{column}" for column in columns)
    sql = (
        f"SELECT period, bin{picked}, count(*) AS n FROM (SELECT *, ceil({of.sql})::BIGINT AS bin "
        f"FROM ({_rows(table, kind, None, looks_ahead=False)}) a WHERE coalesce({where.sql}, false)) rows "
        f"WHERE bin IS NOT NULL GROUP BY GROUPING SETS ({sets})"
    )
    wide = connection.execute(sql, [since.start, until.end]).df()
    frames = []
    for level in levels:
        column = LEVELS[level]
        mask = np.ones(len(wide), dtype=bool)
        for other in columns:
            mask &= wide[f"g_{other}"].to_numpy() == (0 if other == column else 1)
        part = wide[mask]
        units = part[column].fillna(UNASSIGNED).astype(str) if column else pd.Series(CENTRE, index=part.index)
        frame = pd.DataFrame({"kpi": kpi.id, "level": level, "unit": units, "period": part["period"]})
        frames.append(frame.assign(bin=part["bin"], n=part["n"]))
    out = pd.concat(frames, ignore_index=True)
    out["period"] = pd.to_datetime(out["period"]).dt.date
    return out.sort_values([*KEYS, "bin"], ignore_index=True)

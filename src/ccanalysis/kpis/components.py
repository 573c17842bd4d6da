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
from ccanalysis.errors import RegisterError
from ccanalysis.kpis.expressions import Expression, parse
from ccanalysis.kpis.measures import NEXT_CONTACT, Measure, Side
from ccanalysis.kpis.register import LEVEL_COLUMNS, Kpi
from ccanalysis.periods import Kind, Period

if TYPE_CHECKING:
    import duckdb

# Level of a unit -> column that names the unit; the centre is the whole.
LEVELS: dict[str, str | None] = LEVEL_COLUMNS
CENTRE = "centre"
UNASSIGNED = "unassigned"
KEYS = ["kpi", "level", "unit", "period"]
# Lengths of intervals that lie wholly within one period of a kind; a week lies in two months.
_WITHIN_A_DAY = ("15min", "30min", "hour", "day")
_LENGTHS: dict[Kind, tuple[str, ...]] = {
    "day": _WITHIN_A_DAY,
    "week": (*_WITHIN_A_DAY, "week"),
    "month": (*_WITHIN_A_DAY, "month"),
    "quarter": (*_WITHIN_A_DAY, "month"),
    "year": (*_WITHIN_A_DAY, "month"),
}


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

    Raises:
        RegisterError: A measure cannot be computed, such as a product too large for a whole number.
    """
    import duckdb  # noqa: PLC0415  loaded by the connection in any case

    present = [kpi for kpi in kpis if set(kpi.measure.tables) <= set(tables)]
    bad = without or {}
    connection = engine.connect(tables, folders=[path.parent for path in bad.values()])
    try:
        parts = [
            part
            for table in sorted({side.table for kpi in present for side in _sides(kpi.measure)})
            for part in _of_table(connection, contract, table, present, kind, since, until, bad.get(table))
        ]
        sums = _joined(parts)
        histograms = [
            _histogram(connection, contract, kpi, kind, since, until, bad.get(kpi.measure.numerator.table))
            for kpi in present
            if kpi.measure.kind == "percentile"
        ]
    except (duckdb.OutOfRangeException, duckdb.ConversionException, duckdb.BinderException) as error:
        # the engine's own words may hold a value, so they are not passed on
        raise RegisterError(
            f"the measures cannot be computed ({type(error).__name__.removesuffix('Exception')})",
            remedy="Look for products and sums that grow too large",
            place="kpis.yml",
        ) from None
    finally:
        connection.close()
    empty = pd.DataFrame(columns=[*KEYS, "bin", "n"])
    return Components(sums, pd.concat(histograms, ignore_index=True) if histograms else empty)


def _sides(measure: Measure) -> tuple[Side, Side]:
    return measure.numerator, measure.denominator


def _levels(kpi: Kpi, contract: Mapping[str, Table]) -> list[str]:
    """List the levels at which both sides of a KPI can be told apart; elsewhere a side would be zero, not missing."""
    tables = [contract[name] for name in kpi.measure.tables]
    return [
        level
        for level, column in LEVELS.items()
        if level in kpi.levels and (column is None or all(column in table for table in tables))
    ]


def _condition(kpi: Kpi, side: Side, contract: Mapping[str, Table]) -> tuple[str, Expression | None]:
    """Write which rows take part on a side, and what is summed over them."""
    where, of = side.checked(contract)
    parts = [where.sql]
    if kpi.population:
        parts.append(parse(kpi.population, contract[side.table]).sql)
    above = kpi.measure.numerator.checked(contract)[1]
    if kpi.measure.kind == "mean" and above is not None:
        parts.append(f"({above.sql}) IS NOT NULL")  # a mean is taken over the rows that have a value
    return f"coalesce({' AND '.join(f'({part})' for part in parts)}, false)", of


def _looks_ahead(kpi: Kpi, contract: Mapping[str, Table]) -> bool:
    """Tell whether a measure looks at the customer's next contact."""
    read = [side.checked(contract) for side in _sides(kpi.measure)]
    return any(NEXT_CONTACT.name in part.columns for pair in read for part in pair if part is not None)


def _of_table(
    connection: duckdb.DuckDBPyConnection,
    contract: Mapping[str, Table],
    name: str,
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
            if side.table == name:
                wanted[name == "contacts" and _looks_ahead(kpi, contract)].append((kpi, role, side))
    return [
        _query(connection, contract, name, sides, kind, since, until, without, looks_ahead=ahead)
        for ahead, sides in wanted.items()
        if sides
    ]


def _query(
    connection: duckdb.DuckDBPyConnection,
    contract: Mapping[str, Table],
    name: str,
    sides: list[tuple[Kpi, str, Side]],
    kind: Kind,
    since: Period,
    until: Period,
    without: Path | None,
    *,
    looks_ahead: bool,
) -> pd.DataFrame:
    table, selected = contract[name], []
    for number, (kpi, role, side) in enumerate(sides):
        condition, of = _condition(kpi, side, contract)
        if of is None:
            selected.append(f"count(*) FILTER (WHERE {condition})::BIGINT AS c{number}")
        else:
            value = f"round(({of.sql}) * {int(side.scale)})::BIGINT"
            selected.append(f"coalesce(sum({value}) FILTER (WHERE {condition}), 0)::BIGINT AS c{number}")
            if role == "denominator" and name != "intervals":  # intervals carry counts: their sum is n
                selected.append(f"count({value}) FILTER (WHERE {condition})::BIGINT AS k{number}")
            if role == "numerator" and kpi.measure.kind == "mean":
                square = f"coalesce(sum({value} * {value}) FILTER (WHERE {condition}), 0)::BIGINT AS q{number}"
                selected.append(square)
    told_apart = {kpi.id: set(_levels(kpi, contract)) for kpi, _, _ in sides}
    levels = [level for level in LEVELS if any(level in own for own in told_apart.values())]
    if not levels:
        return pd.DataFrame(columns=[*KEYS, "role", "sum", "squares", "n"])
    columns = [column for level in levels if (column := LEVELS[level])]
    sets = ", ".join(
        "(" + ", ".join(["_period", *([quoted(c)] if (c := LEVELS[level]) else [])]) + ")" for level in levels
    )
    grouping = ", ".join(f"grouping({quoted(column)}) AS g_{column}" for column in columns)
    listed = ", ".join(quoted(column) for column in columns)
    sql = (
        f"SELECT _period{', ' + listed if listed else ''}{', ' + grouping if grouping else ''}, {', '.join(selected)} "
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
        for number, (kpi, role, side) in enumerate(sides):
            if level in told_apart[kpi.id]:
                sums = part[f"c{number}"]
                frames.append(
                    pd.DataFrame(
                        {
                            "kpi": kpi.id,
                            "level": level,
                            "unit": units,
                            "period": part["_period"],
                            "role": role,
                            "sum": sums,
                            "squares": part.get(f"q{number}", 0),
                            "n": part.get(f"k{number}", sums // side.scale),
                        }
                    )
                )
    return pd.concat(frames, ignore_index=True)


def _rows(table: Table, kind: Kind, without: Path | None, *, looks_ahead: bool) -> str:
    """Write the rows of a table with the period each lies in; own names begin with _, as no contract column does."""
    day = quoted(table.local_day)
    period = f"date_trunc('{kind}', {day})::DATE"
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
    whole = ""
    if table.name == "intervals":
        whole = f" AND length IN ({', '.join(map(engine.literal, _LENGTHS[kind]))})"
    return f"SELECT * FROM (SELECT *, {period} AS _period{ahead} FROM {source}) x WHERE {day} >= ? AND {day} < ?{whole}"


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Bring both sides of each KPI beside each other; a side without rows is zero where the other has some."""
    columns = [*KEYS, "numerator", "denominator", "n", "squares"]
    parts = [part for part in parts if len(part)]
    if not parts:
        return pd.DataFrame(columns=columns)
    long = pd.concat(parts, ignore_index=True)
    wide = long.pivot_table(index=KEYS, columns="role", values="sum", aggfunc="sum", fill_value=0, observed=True)
    squares = long[long["role"] == "numerator"].groupby(KEYS, observed=True)["squares"].sum()
    n = long[long["role"] == "denominator"].groupby(KEYS, observed=True)["n"].sum()
    for role in ("numerator", "denominator"):
        if role not in wide:
            wide[role] = 0
    joined = wide[["numerator", "denominator"]].join(squares).join(n).reset_index()
    joined = joined[joined["denominator"] > 0].fillna({"squares": 0})
    joined = joined.astype(dict.fromkeys(columns[4:], "int64"))
    joined["period"] = pd.to_datetime(joined["period"]).dt.date
    return joined[columns].sort_values(KEYS, ignore_index=True)


def _histogram(
    connection: duckdb.DuckDBPyConnection,
    contract: Mapping[str, Table],
    kpi: Kpi,
    kind: Kind,
    since: Period,
    until: Period,
    without: Path | None,
) -> pd.DataFrame:
    side = kpi.measure.numerator
    condition, of = _condition(kpi, side, contract)
    levels = _levels(kpi, contract)
    if of is None or not levels:
        return pd.DataFrame(columns=[*KEYS, "bin", "n"])
    columns = [column for level in levels if (column := LEVELS[level])]
    sets = ", ".join(
        "(" + ", ".join(["_period", "_bin", *([quoted(c)] if (c := LEVELS[level]) else [])]) + ")" for level in levels
    )
    picked = "".join(f", {quoted(column)}, grouping({quoted(column)}) AS g_{column}" for column in columns)
    sql = (
        f"SELECT _period, _bin{picked}, count(*) AS n FROM (SELECT *, ceil({of.sql})::BIGINT AS _bin "
        f"FROM ({_rows(contract[side.table], kind, without, looks_ahead=False)}) a "
        f"WHERE {condition}) rows WHERE _bin IS NOT NULL GROUP BY GROUPING SETS ({sets})"
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
        frame = pd.DataFrame({"kpi": kpi.id, "level": level, "unit": units, "period": part["_period"]})
        frames.append(frame.assign(bin=part["_bin"], n=part["n"]))
    out = pd.concat(frames, ignore_index=True)
    out["period"] = pd.to_datetime(out["period"]).dt.date
    return out.sort_values([*KEYS, "bin"], ignore_index=True)

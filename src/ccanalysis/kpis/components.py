"""The component query: both sides of every KPI, added up per unit and period.

DuckDB computes only additive whole numbers (counts, sums, sums of squares, whole-second histograms) in one
GROUPING SETS query per table; Python divides. So the same numbers come out of any engine and any order of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ccanalysis import engine
from ccanalysis.contracts import Table
from ccanalysis.engine import quoted
from ccanalysis.errors import RegisterError
from ccanalysis.kpis import calendars
from ccanalysis.kpis.calendars import Calendar
from ccanalysis.kpis.expressions import Clock, Expression, parse
from ccanalysis.kpis.register import LEVEL_COLUMNS, Kpi
from ccanalysis.kpis.sides import AGE, DERIVED, Measure, Rows, Side, coarse_sql
from ccanalysis.periods import Kind, Period

if TYPE_CHECKING:
    import duckdb

# Level of a unit -> column that names the unit; the centre is the whole.
LEVELS: dict[str, str | None] = LEVEL_COLUMNS
CENTRE = "centre"
UNASSIGNED = "unassigned"
KEYS = ["kpi", "level", "unit", "period"]
# Dimension -> columns that hold it, the first that a table has; never a person.
DIMENSIONS: dict[str, tuple[str, ...]] = {
    "site": ("site",),
    "team": ("team",),
    "queue": ("queue",),
    "channel": ("channel",),
    "reason": ("reason",),
    "hour": ("local_hour", "starts_hour"),
}
# Dimensions that mean the same in every table: a complaint comes in by another channel and at another hour than the
# contact it is about.
_ORGANISATION = ("site", "team")
# Tables whose rows lie at the hour of the contact; an evaluation lies at the hour when somebody listened.
_HOURLY = ("contacts", "intervals")
# Levels whose figures are taken apart.
APART = (CENTRE, "team")
NOT_RECORDED = "not recorded"
PART_KEYS = ["kpi", "level", "unit", "dimension", "part", "period"]
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
        histograms: One row per percentile KPI, level, unit, period and `bin` (whole seconds, or the middle of a coarse
            bin) with `n`, and `censored`: how many of which only is known that the event came later.
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
    calendar: Calendar | None = None,
) -> Components:
    """Add up both sides of every KPI per level, unit and period.

    Each period is counted under the definition in force on its last day.

    Args:
        tables: Contract table -> Parquet file; a KPI whose table is absent, or a column that it cannot do without,
            gets no row.
        kpis: What to measure, each at its own levels.
        kind: The kind of period to group by.
        since: The first period.
        until: The last period.
        contract: The contract tables, with the workspace's own columns.
        without: Contract table -> Parquet with `source_file` and `source_row` of rows to leave out.
        calendar: The centre's zone, holidays and opening hours; only measures with a clock need it.

    Returns:
        The components. A unit without a row in a period has no row here: missing is not zero.

    Raises:
        RegisterError: A measure cannot be computed, such as a product too large for a whole number.
    """
    bad = without or {}
    connection = engine.connect(tables, folders=[path.parent for path in bad.values()])
    sums, histograms = [], []
    try:
        with _explained():
            for first, last, present in _by_definition(connection, kpis, tables, contract, kind, since, until):
                query = _Query(connection, contract, kind, first, last, bad, calendar)
                found = [
                    query.sums(table, rows, sides)
                    for table in sorted({side.table for kpi in present for side in _sides(kpi.measure)})
                    for rows, sides in _wanted(contract, table, present).items()
                ]
                sums.append(_joined(found))
                histograms += [query.histogram(kpi) for kpi in present if kpi.measure.kind == "percentile"]
    finally:
        connection.close()
    listed = [part for part in sums if len(part)] or [_joined([])]
    summed = listed[0] if len(listed) == 1 else pd.concat(listed).sort_values(KEYS, ignore_index=True)
    empty = pd.DataFrame(columns=[*KEYS, "bin", "n", "censored"])
    return Components(summed, pd.concat(histograms, ignore_index=True) if histograms else empty)


def lacking(
    tables: Mapping[str, Path], kpis: Sequence[Kpi], contract: Mapping[str, Table]
) -> dict[str, tuple[str, ...]]:
    """Say which KPIs cannot be measured, and the tables and columns (`table.column`) that they lack.

    A column lacks where the table has no value in it at all.

    Args:
        tables: Contract table -> Parquet file.
        kpis: The KPIs.
        contract: The contract tables, with the workspace's own columns.
    """
    connection = engine.connect(tables)
    try:
        return _lacking(connection, tables, kpis, contract)
    finally:
        connection.close()


def _lacking(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, Path],
    kpis: Sequence[Kpi],
    contract: Mapping[str, Table],
) -> dict[str, tuple[str, ...]]:
    needs = {kpi.id: kpi.measure.all_needs(contract) for kpi in kpis}
    asked: dict[str, list[str]] = {}
    for need in sorted({need for own in needs.values() for need in own if "." in need}):
        table, _, column = need.partition(".")
        if table in tables:
            asked.setdefault(table, []).append(column)
    empty = set()
    for table, columns in asked.items():
        listed = ", ".join(f"bool_or({quoted(column)} IS NOT NULL)" for column in columns)
        held = connection.execute(f"SELECT {listed} FROM {quoted(table)}").fetchall()[0]
        empty |= {f"{table}.{column}" for column, some in zip(columns, held, strict=True) if not some}
    found = {}
    for kpi in kpis:
        absent = {need for need in needs[kpi.id] if need.partition(".")[0] not in tables}
        gone = {need for need in absent if "." not in need} | (set(needs[kpi.id]) & empty)
        if gone:
            found[kpi.id] = tuple(sorted(gone))
    return found


def _by_definition(
    connection: duckdb.DuckDBPyConnection,
    kpis: Sequence[Kpi],
    tables: Mapping[str, Path],
    contract: Mapping[str, Table],
    kind: Kind,
    since: Period,
    until: Period,
) -> list[tuple[Period, Period, list[Kpi]]]:
    """Group the KPIs that can be measured by the stretch of periods that each of their definitions is in force for."""
    stretches: dict[tuple[Period, Period], list[Kpi]] = {(since, until): []}
    for kpi in kpis:
        if len(kpi.definitions) < 2:
            stretches[since, until].append(kpi)
            continue
        period, begun = since, since
        while period <= until:
            following = period.shift(1)
            now, then = (kpi.as_of(each.end - timedelta(days=1)) for each in (period, following))
            if period == until or now.measure != then.measure or now.population != then.population:
                stretches.setdefault((begun, period), []).append(now)
                begun = following
            period = following
    found = []
    for (first, last), own in sorted(stretches.items()):
        gone = _lacking(connection, tables, own, contract)
        if present := [kpi for kpi in own if kpi.id not in gone]:
            found.append((first, last, present))
    return found


def dimensions(kpi: Kpi, contract: Mapping[str, Table]) -> dict[str, str]:
    """Return the dimensions that a KPI can be taken apart by, with the column of each.

    A percentile cannot: it is no ratio of sums, so the percentiles of its parts do not add up to it. Sites and teams
    only where the register has the KPI judged for them; where both sides come from different tables, only sites and
    teams.
    """
    if kpi.measure.kind == "percentile":
        return {}
    tables = [contract[name] for name in kpi.measure.tables]
    found = {}
    for name, columns in DIMENSIONS.items():
        if name in _ORGANISATION and name not in kpi.levels:
            continue
        if name not in _ORGANISATION and len(tables) > 1:
            continue
        if name == "hour" and tables[0].name not in _HOURLY:
            continue
        known = [column for column in columns if all(column in table for table in tables)]
        if known:
            found[name] = known[0]
    return found


def parts(
    tables: Mapping[str, Path],
    kpis: Sequence[Kpi],
    *,
    kind: Kind,
    since: Period,
    until: Period,
    contract: Mapping[str, Table],
    calendar: Calendar | None = None,
) -> pd.DataFrame:
    """Add up both sides of every KPI per value of each dimension, for the centre and for each team.

    Args:
        tables: Contract table -> Parquet file; a KPI whose table is absent gets no row.
        kpis: What to take apart; one that is no ratio of sums gets no row.
        kind: The kind of period to group by.
        since: The first period.
        until: The last period.
        contract: The contract tables, with the workspace's own columns.
        calendar: The centre's zone, holidays and opening hours; only measures with a clock need it.

    Returns:
        One row per `kpi`, `level`, `unit`, `dimension`, `part` and `period` with `numerator`, `denominator`, `n` and
        `squares`, as `components` has them, and `people`, at least how many agents the rows below the line name.
        Over the parts of a dimension the sums are those of the unit: rows without a value are the part
        `not recorded`, and a part that has one side only is kept.

    Raises:
        RegisterError: A measure cannot be computed, such as a product too large for a whole number.
    """
    apart = {kpi.id: dimensions(kpi, contract) for kpi in kpis}
    connection = engine.connect(tables)
    joined = []
    try:
        with _explained():
            for first, last, measured in _by_definition(connection, kpis, tables, contract, kind, since, until):
                present = [kpi for kpi in measured if apart[kpi.id]]
                query = _Query(connection, contract, kind, first, last, {}, calendar)
                found = [
                    _parts_of(query, table, rows, sides, apart)
                    for table in sorted({side.table for kpi in present for side in _sides(kpi.measure)})
                    for rows, sides in _wanted(contract, table, present).items()
                ]
                joined.append(_joined(found, PART_KEYS, one_sided=True))
    finally:
        connection.close()
    listed = [part for part in joined if len(part)] or [_joined([], PART_KEYS, one_sided=True)]
    return listed[0] if len(listed) == 1 else pd.concat(listed).sort_values(PART_KEYS, ignore_index=True)


def _parts_of(
    query: _Query,
    name: str,
    rows_of: Rows,
    sides: list[tuple[Kpi, str, Side]],
    apart: Mapping[str, Mapping[str, str]],
) -> pd.DataFrame:
    """Ask one table once: every dimension of the centre, and of each team."""
    contract = query.contract
    table = contract[name]
    held = {dimension: column for kpi, _, _ in sides for dimension, column in apart[kpi.id].items()}
    levels = [level for level in APART if any(level in _levels(kpi, contract) for kpi, _, _ in sides)]
    groups = [(level, name) for level in levels for name in held if level == CENTRE or name not in _ORGANISATION]
    if not groups:
        return pd.DataFrame(columns=[*PART_KEYS, "role", "sum", "squares", "n", "people"])
    columns = sorted({*held.values(), *([LEVELS["team"] or ""] if "team" in levels else [])})
    by = {group: sorted({held[group[1]], *([c] if (c := LEVELS[group[0]]) else [])}) for group in groups}
    sets = ", ".join(f"(_period, {', '.join(map(quoted, own))})" for own in sorted(map(tuple, by.values())))
    listed = ", ".join(quoted(column) for column in columns)
    grouping = ", ".join(f"grouping({quoted(column)}) AS g_{column}" for column in columns)
    selected = ", ".join(_selected(sides, contract, name) + _people(sides, contract))
    source = query.rows(table, rows_of)
    if "agent_id" in table:
        place = "CASE WHEN agent_id IS NULL THEN 0::UBIGINT ELSE 1::UBIGINT << (hash(agent_id) % 64)::UBIGINT END"
        source = f"SELECT *, {place} AS _agents FROM ({source}) y"
    sql = f"SELECT _period, {listed}, {grouping}, {selected} FROM ({source}) rows GROUP BY GROUPING SETS ({sets})"
    wide = query.run(sql)
    counted = [_counted(wide, number, side) for number, (_, _, side) in enumerate(sides)]
    periods, columns_of = wide["_period"].to_numpy(), {column: wide[column] for column in columns}
    held_apart = {column: wide[f"g_{column}"].to_numpy() == 0 for column in columns}
    pieces: dict[str, list[np.ndarray]] = {name: [] for name in (*PART_KEYS, "role", "sum", "squares", "n", "people")}
    for (level, dimension), own in by.items():
        mask = np.ones(len(wide), dtype=bool)
        for column in columns:
            mask &= held_apart[column] == (column in own)
        rows = np.flatnonzero(mask)
        unit = LEVELS[level]
        keys = {
            "level": np.full(len(rows), level, dtype=object),
            "unit": _named(columns_of[unit].iloc[rows], level) if unit else np.full(len(rows), CENTRE, dtype=object),
            "dimension": np.full(len(rows), dimension, dtype=object),
            "part": _named(columns_of[held[dimension]].iloc[rows], dimension),
            "period": periods[rows],
        }
        for (kpi, role, _), found in zip(sides, counted, strict=True):
            if dimension in apart[kpi.id] and level in _levels(kpi, contract):
                given = keys | {"kpi": np.full(len(rows), kpi.id, dtype=object), "role": np.full(len(rows), role)}
                for column, values in (given | {name: values[rows] for name, values in found.items()}).items():
                    pieces[column].append(values)
    return pd.DataFrame({column: np.concatenate(values) for column, values in pieces.items()})


def _people(sides: list[tuple[Kpi, str, Side]], contract: Mapping[str, Table]) -> list[str]:
    """Write at least how many agents each denominator rests on, where the table names them.

    Agents are counted by one of 64 places of a mask each, and two of them in one place count as one: that is enough
    to tell one or two from more, errs to the safe side, and takes a third of the time that counting them exactly does.
    """
    return [
        f"coalesce(bit_count(bit_or(_agents) FILTER (WHERE {_condition(kpi, side, contract)[0]})), 0)::BIGINT "
        f"AS p{number}"
        for number, (kpi, role, side) in enumerate(sides)
        if role == "denominator" and "agent_id" in contract[side.table]
    ]


def _named(values: pd.Series, dimension: str) -> np.ndarray:
    """Name the parts of a dimension; an hour by its beginning."""
    lacking = UNASSIGNED if dimension in _ORGANISATION else NOT_RECORDED
    hourly = dimension == "hour"
    named = [lacking if pd.isna(value) else f"{int(value):02}:00" if hourly else str(value) for value in values]
    return np.array(named, dtype=object)


def _counted(found: pd.DataFrame, number: int, side: Side) -> dict[str, np.ndarray]:
    """Take what the query counted for one side, row by row."""
    sums = found[f"c{number}"].to_numpy()
    nothing = np.zeros(len(found), dtype=np.int64)
    squares, n, people = (f"{letter}{number}" for letter in "qkp")
    return {
        "sum": sums,
        "squares": found[squares].to_numpy() if squares in found else nothing,
        "n": found[n].to_numpy() if n in found else sums // side.scale,
        "people": found[people].to_numpy() if people in found else nothing,
    }


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


def _wanted(contract: Mapping[str, Table], name: str, kpis: Sequence[Kpi]) -> dict[Rows, list[tuple[Kpi, str, Side]]]:
    """List the sides that lie in one table, by the rows they are counted over: each needs a query of its own."""
    wanted: dict[Rows, list[tuple[Kpi, str, Side]]] = {}
    for kpi in kpis:
        for role, side in zip(("numerator", "denominator"), _sides(kpi.measure), strict=True):
            if side.table == name:
                wanted.setdefault(side.rows(contract), []).append((kpi, role, side))
    return wanted


@contextmanager
def _explained() -> Iterator[None]:
    """Tell of a measure that cannot be computed; the engine's own words may hold a value, so they are not passed on."""
    import duckdb  # noqa: PLC0415  loaded by the connection in any case

    try:
        yield
    except (duckdb.OutOfRangeException, duckdb.ConversionException, duckdb.BinderException) as error:
        raise RegisterError(
            f"the measures cannot be computed ({type(error).__name__.removesuffix('Exception')})",
            remedy="Look for products and sums that grow too large",
            place="kpis.yml",
        ) from None


def _selected(sides: list[tuple[Kpi, str, Side]], contract: Mapping[str, Table], name: str) -> list[str]:
    """Write what is counted and summed for each side: `c` the sum, `k` how many rows, `q` the squares."""
    selected = []
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
    return selected


class _Query:
    """Asks one stretch of periods: the rows, their sums and their histograms."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        contract: Mapping[str, Table],
        kind: Kind,
        since: Period,
        until: Period,
        without: Mapping[str, Path],
        calendar: Calendar | None,
    ) -> None:
        self.connection, self.contract, self.kind = connection, contract, kind
        self.since, self.until, self.without, self.calendar = since, until, without, calendar
        self.relations: set[str] = set()

    def run(self, sql: str) -> pd.DataFrame:
        """Run a query whose rows are cut to the periods."""
        return self.connection.execute(sql, [self.since.start, self.until.end]).df()

    def sums(self, name: str, rows: Rows, sides: list[tuple[Kpi, str, Side]]) -> pd.DataFrame:
        """Ask one table once for all its sides at all their levels."""
        contract = self.contract
        table, selected = contract[name], _selected(sides, contract, name)
        told_apart = {kpi.id: set(_levels(kpi, contract)) for kpi, _, _ in sides}
        levels = [level for level in LEVELS if any(level in own for own in told_apart.values())]
        if not levels:
            return pd.DataFrame(columns=[*KEYS, "role", "sum", "squares", "n"])
        columns, sets, grouped = _grouping(levels, ["_period"])
        sql = (
            f"SELECT _period{grouped}, {', '.join(selected)} "
            f"FROM ({self.rows(table, rows)}) rows GROUP BY GROUPING SETS ({sets})"
        )
        wide = self.run(sql)
        frames = []
        for level, part, units in _levels_of(wide, levels, columns):
            for number, (kpi, role, side) in enumerate(sides):
                if level in told_apart[kpi.id]:
                    keys = {"kpi": kpi.id, "level": level, "unit": units, "period": part["_period"], "role": role}
                    frames.append(pd.DataFrame({**keys, **_counted(part, number, side)}, index=part.index))
        return pd.concat(frames, ignore_index=True)

    def histogram(self, kpi: Kpi) -> pd.DataFrame:
        """Count the values of a percentile, bin by bin, with the censored ones beside them."""
        columns_of = [*KEYS, "bin", "n", "censored"]
        levels = _levels(kpi, self.contract)
        sides = [kpi.measure.numerator, *([kpi.measure.censored] if kpi.measure.censored else [])]
        if not levels or any(not side.of for side in sides):
            return pd.DataFrame(columns=columns_of)
        columns, sets, grouped = _grouping(levels, ["_period", "_bin"])
        found = []
        for side, role in zip(sides, ("n", "censored"), strict=False):
            condition, of = _condition(kpi, side, self.contract)
            value = f"ceil({of.sql if of else 'NULL'})::BIGINT"
            binned = coarse_sql(value) if kpi.measure.bins == "coarse" else value
            sql = (
                f"SELECT _period, _bin{grouped}, count(*) AS n FROM (SELECT *, {binned} AS _bin "
                f"FROM ({self.rows(self.contract[side.table], side.rows(self.contract))}) a "
                f"WHERE {condition}) rows WHERE _bin IS NOT NULL GROUP BY GROUPING SETS ({sets})"
            )
            for level, part, units in _levels_of(self.run(sql), levels, columns):
                frame = pd.DataFrame({"kpi": kpi.id, "level": level, "unit": units, "period": part["_period"]})
                counts = {"n": 0, "censored": 0} | {role: part["n"]}
                found.append(frame.assign(bin=part["_bin"], **counts))
        out = pd.concat(found, ignore_index=True)
        out["period"] = pd.to_datetime(out["period"]).dt.date
        return out.sort_values([*KEYS, "bin"], ignore_index=True)

    def rows(self, table: Table, rows: Rows) -> str:
        """Write the rows of a table with the period each lies in; own names begin with _, as no contract column does.

        What looks at other rows is added before the periods are cut, so that it sees them all.
        """
        source = quoted(table.name)
        if (bad := self.without.get(table.name)) is not None:
            out = f"read_parquet({engine.literal(bad)})"
            source = f"(SELECT * FROM {source} ANTI JOIN {out} USING (source_file, source_row))"
        joins = ""
        added = [f"{DERIVED[table.name][name].sql} AS {name}" for name in rows.derived]
        if rows.clocks:
            told, joins = self.clocks(table, rows.clocks)
            added += told
        day = quoted(table.local_day)
        if rows.by:
            day = f"(DATE '1970-01-01' + _day_{rows.by}::INTEGER)" if _timed(table, rows.by) else quoted(rows.by)
        if rows.later_days:
            day = f"({day} + {int(rows.later_days)})"
        whole = ""
        if table.name == "intervals":
            whole = f" AND length IN ({', '.join(map(engine.literal, _LENGTHS[self.kind]))})"
        if not (rows.by or rows.later_days or rows.open_until or rows.clocks):
            more = "".join(f", {one}" for one in added)
            return (
                f"SELECT * FROM (SELECT *, date_trunc('{self.kind}', {day})::DATE AS _period{more} "
                f"FROM {source} x) x WHERE {day} >= ? AND {day} < ?{whole}"
            )
        listed = "".join(f", {one}" for one in added)
        full = f"(SELECT x.*{listed} FROM {source} x{joins})"
        if not rows.open_until:
            placed = f"(SELECT x.*, {day} AS _placed FROM {full} x)"
            return (
                f"SELECT *, date_trunc('{self.kind}', _placed)::DATE AS _period FROM {placed} x "
                f"WHERE _placed >= ? AND _placed < ?{whole}"
            )
        step = {"quarter": "3 month"}.get(self.kind, f"1 {self.kind}")
        ends = (
            f"(SELECT d::DATE AS _period, (d + INTERVAL {step})::DATE AS _end FROM range(?, ?, INTERVAL {step}) t(d))"
        )
        until = f"_day_{rows.open_until}" if _timed(table, rows.open_until) else f"{quoted(rows.open_until)}::DATE"
        closed = f"(DATE '1970-01-01' + {until}::INTEGER)" if _timed(table, rows.open_until) else until
        return (
            f"SELECT x.*, _period, (_end - 1 - {day})::BIGINT AS {AGE.column.name} FROM {full} x "
            f"JOIN {ends} ends ON {day} < _end AND ({until} IS NULL OR {closed} >= _end)"
        )

    def clocks(self, table: Table, clocks: Sequence[Clock]) -> tuple[list[str], str]:
        """Write the columns that tell local days, business days and open hours of times, and the joins they need."""
        if self.calendar is None:
            raise RegisterError("a measure with a clock needs the centre's calendar", remedy="Give calendar=")
        zone = engine.literal(self.calendar.zone)
        columns, joins = [], ""
        for clock in clocks:
            of = f"x.{quoted(clock.column)}"
            timed = _timed(table, clock.column)
            day = f"timezone({zone}, {of})::DATE" if timed else of
            if clock.kind == "day":
                columns.append(f"date_diff('day', DATE '1970-01-01', {day}) AS {quoted(clock.name)}")
                continue
            relation = self.relation(table, clock)
            alias = quoted(f"c{clock.name}")
            if clock.kind == "business":
                joins += f" LEFT JOIN {relation} {alias} ON {alias}.day = {day}"
                columns.append(f"{alias}.n AS {quoted(clock.name)}")
                continue
            joins += f" LEFT JOIN {relation} {alias} ON {alias}.day = {day} AND {alias}.channel = x.channel"
            moment = f"date_diff('second', {day}::TIMESTAMP, timezone({zone}, {of}))"
            within = f"greatest(least({moment}, {alias}.closes_s) - {alias}.opens_s, 0)"
            columns.append(f"({alias}.before_s + {within})::BIGINT AS {quoted(clock.name)}")
        return columns, joins

    def relation(self, table: Table, clock: Clock) -> str:
        """Make the calendar of a clock for the days that the table's times lie on, once per connection."""
        assert self.calendar is not None  # clocks() has looked
        nation = clock.nation or self.calendar.nation
        name = f"_{clock.kind}_{nation}_{table.name}"
        if name in self.relations:
            return quoted(name)
        times = [column.name for column in table.columns if column.type in ("instant", "date")]
        listed = ", ".join(f"min({quoted(time)}::DATE), max({quoted(time)}::DATE)" for time in times)
        spans = self.connection.execute(f"SELECT {listed} FROM {quoted(table.name)}").fetchall()[0]
        days = [day for day in spans if day is not None] or [self.since.start]
        first, last = min(days) - timedelta(days=2), max(days) + timedelta(days=2)
        if clock.kind == "open":
            frame = calendars.open_hours(self.calendar, first, last, self.overrides())
        else:
            frame = calendars.business_days(nation, first, last)
        self.connection.register("_days", frame.astype({"day": "datetime64[us]"}))
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {quoted(name)} AS SELECT * REPLACE (day::DATE AS day) FROM _days"
        )
        self.relations.add(name)
        return quoted(name)

    def overrides(self) -> pd.DataFrame:
        """Read the days with opening hours of their own, where the centre has such a table."""
        known = self.connection.execute("SELECT 1 FROM duckdb_views() WHERE view_name = 'calendar'").fetchall()
        if not known:
            return pd.DataFrame(columns=["on_date", "channel", "opens", "closes"])
        return self.connection.execute("SELECT on_date, channel, opens, closes FROM calendar").df()


def _timed(table: Table, name: str) -> bool:
    return table.column(name).type == "instant"


def _grouping(levels: Sequence[str], keys: Sequence[str]) -> tuple[list[str], str, str]:
    """Write the grouping sets of levels: the columns, the sets, and what is selected of them."""
    columns = [column for level in levels if (column := LEVELS[level])]
    sets = ", ".join("(" + ", ".join([*keys, *([quoted(c)] if (c := LEVELS[level]) else [])]) + ")" for level in levels)
    listed = "".join(f", {quoted(column)}, grouping({quoted(column)}) AS g_{column}" for column in columns)
    return columns, sets, listed


def _levels_of(
    wide: pd.DataFrame, levels: Sequence[str], columns: Sequence[str]
) -> Iterator[tuple[str, pd.DataFrame, pd.Series]]:
    """Take grouping sets apart again: level by level, its rows and the names of their units."""
    for level in levels:
        column = LEVELS[level]
        mask = np.ones(len(wide), dtype=bool)
        for other in columns:
            mask &= wide[f"g_{other}"].to_numpy() == (0 if other == column else 1)
        part = wide[mask]
        units = part[column].fillna(UNASSIGNED).astype(str) if column else pd.Series(CENTRE, index=part.index)
        yield level, part, units


def _joined(found: list[pd.DataFrame], keys: Sequence[str] = tuple(KEYS), *, one_sided: bool = False) -> pd.DataFrame:
    """Bring both sides of each KPI beside each other; a side without rows is zero where the other has some.

    A row with nothing below the line is kept only where `one_sided` asks for it.
    """
    columns = [*keys, "numerator", "denominator", "n", "squares", *(["people"] if one_sided else [])]
    found = [part for part in found if len(part)]
    if not found:
        return pd.DataFrame(columns=columns)
    long = pd.concat(found, ignore_index=True)
    by = list(keys)
    wide = long.pivot_table(index=by, columns="role", values="sum", aggfunc="sum", fill_value=0, observed=True)
    squares = long[long["role"] == "numerator"].groupby(by, observed=True)["squares"].sum()
    n = long[long["role"] == "denominator"].groupby(by, observed=True)["n"].sum()
    for role in ("numerator", "denominator"):
        if role not in wide:
            wide[role] = 0
    joined = wide[["numerator", "denominator"]].join(squares).join(n).reset_index()
    if one_sided:
        people = long[long["role"] == "denominator"].groupby(by, observed=True)["people"].max()
        joined = joined.merge(people.reset_index(), how="left", on=by).fillna({"n": 0, "people": 0})
        joined = joined[(joined["denominator"] != 0) | (joined["numerator"] != 0)]
    else:
        joined = joined[joined["denominator"] > 0]
    joined = joined.fillna({"squares": 0}).astype(dict.fromkeys(columns[len(by) :], "int64"))
    joined["period"] = pd.to_datetime(joined["period"]).dt.date
    return joined[columns].sort_values(by, ignore_index=True)

"""The component query: both sides of every KPI, added up per unit and period.

DuckDB computes only additive whole numbers (counts, sums, sums of squares, whole-second histograms) in one
GROUPING SETS query per table; Python divides. So the same numbers come out of any engine and any order of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
    present = [kpi for kpi in kpis if set(kpi.measure.tables) <= set(tables)]
    bad = without or {}
    connection = engine.connect(tables, folders=[path.parent for path in bad.values()])
    try:
        with _explained():
            found = [
                _query(connection, contract, table, sides, kind, since, until, bad.get(table), looks_ahead=ahead)
                for table in sorted({side.table for kpi in present for side in _sides(kpi.measure)})
                for ahead, sides in _wanted(contract, table, present).items()
                if sides
            ]
            sums = _joined(found)
            histograms = [
                _histogram(connection, contract, kpi, kind, since, until, bad.get(kpi.measure.numerator.table))
                for kpi in present
                if kpi.measure.kind == "percentile"
            ]
    finally:
        connection.close()
    empty = pd.DataFrame(columns=[*KEYS, "bin", "n"])
    return Components(sums, pd.concat(histograms, ignore_index=True) if histograms else empty)


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
) -> pd.DataFrame:
    """Add up both sides of every KPI per value of each dimension, for the centre and for each team.

    Args:
        tables: Contract table -> Parquet file; a KPI whose table is absent gets no row.
        kpis: What to take apart; one that is no ratio of sums gets no row.
        kind: The kind of period to group by.
        since: The first period.
        until: The last period.
        contract: The contract tables, with the workspace's own columns.

    Returns:
        One row per `kpi`, `level`, `unit`, `dimension`, `part` and `period` with `numerator`, `denominator`, `n` and
        `squares`, as `components` has them, and `people`, at least how many agents the rows below the line name.
        Over the parts of a dimension the sums are those of the unit: rows without a value are the part
        `not recorded`, and a part that has one side only is kept.

    Raises:
        RegisterError: A measure cannot be computed, such as a product too large for a whole number.
    """
    apart = {kpi.id: dimensions(kpi, contract) for kpi in kpis}
    present = [kpi for kpi in kpis if apart[kpi.id] and set(kpi.measure.tables) <= set(tables)]
    connection = engine.connect(tables)
    try:
        with _explained():
            found = [
                _parts_of(connection, contract, table, sides, apart, kind, since, until, looks_ahead=ahead)
                for table in sorted({side.table for kpi in present for side in _sides(kpi.measure)})
                for ahead, sides in _wanted(contract, table, present).items()
                if sides
            ]
    finally:
        connection.close()
    return _joined(found, PART_KEYS, one_sided=True)


def _parts_of(
    connection: duckdb.DuckDBPyConnection,
    contract: Mapping[str, Table],
    name: str,
    sides: list[tuple[Kpi, str, Side]],
    apart: Mapping[str, Mapping[str, str]],
    kind: Kind,
    since: Period,
    until: Period,
    *,
    looks_ahead: bool,
) -> pd.DataFrame:
    """Ask one table once: every dimension of the centre, and of each team."""
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
    source = _rows(table, kind, None, looks_ahead=looks_ahead)
    if "agent_id" in table:
        place = "CASE WHEN agent_id IS NULL THEN 0::UBIGINT ELSE 1::UBIGINT << (hash(agent_id) % 64)::UBIGINT END"
        source = f"SELECT *, {place} AS _agents FROM ({source}) y"
    sql = f"SELECT _period, {listed}, {grouping}, {selected} FROM ({source}) rows GROUP BY GROUPING SETS ({sets})"
    wide = connection.execute(sql, [since.start, until.end]).df()
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


def _looks_ahead(kpi: Kpi, contract: Mapping[str, Table]) -> bool:
    """Tell whether a measure looks at the customer's next contact."""
    read = [side.checked(contract) for side in _sides(kpi.measure)]
    return any(NEXT_CONTACT.name in part.columns for pair in read for part in pair if part is not None)


def _wanted(contract: Mapping[str, Table], name: str, kpis: Sequence[Kpi]) -> dict[bool, list[tuple[Kpi, str, Side]]]:
    """List the sides that lie in one table; those that look at the next contact apart from the rest."""
    wanted: dict[bool, list[tuple[Kpi, str, Side]]] = {False: [], True: []}
    for kpi in kpis:
        for role, side in zip(("numerator", "denominator"), _sides(kpi.measure), strict=True):
            if side.table == name:
                wanted[name == "contacts" and _looks_ahead(kpi, contract)].append((kpi, role, side))
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
    table, selected = contract[name], _selected(sides, contract, name)
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
                keys = {"kpi": kpi.id, "level": level, "unit": units, "period": part["_period"], "role": role}
                frames.append(pd.DataFrame({**keys, **_counted(part, number, side)}, index=part.index))
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

"""Figures taken apart: both sides of every KPI per value of each dimension, for the centre and for each team."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ccanalysis.contracts import Table
from ccanalysis.kpis import asking, query
from ccanalysis.kpis.asking import Asker, opened
from ccanalysis.kpis.calendars import Calendar
from ccanalysis.kpis.query import CENTRE, HOURLY, HOURS, LEVELS, UNASSIGNED, levels_of
from ccanalysis.kpis.register import Kpi
from ccanalysis.kpis.sides import Rows, Side
from ccanalysis.periods import Kind, Period
from ccanalysis.warehouse import Engine

# Dimension -> columns that hold it, the first that a table has; never a person.
DIMENSIONS: dict[str, tuple[str, ...]] = {
    "site": ("site",),
    "team": ("team",),
    "queue": ("queue",),
    "channel": ("channel",),
    "reason": ("reason",),
    "hour": HOURS,
}
# Dimensions that mean the same in every table: a complaint comes in by another channel and at another hour than the
# contact it is about.
_ORGANISATION = ("site", "team")
# Levels whose figures are taken apart.
APART = (CENTRE, "team")
NOT_RECORDED = "not recorded"
PART_KEYS = ["kpi", "level", "unit", "dimension", "part", "period"]
_COUNTS = ("sum", "squares", "n", "people")


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
        if name == "hour" and tables[0].name not in HOURLY:
            continue
        known = [column for column in columns if all(column in table for table in tables)]
        if known:
            found[name] = known[0]
    return found


def parts(
    tables: Mapping[str, Path] | Engine,
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
        tables: Contract table -> Parquet file, or folder of weekly partitions; or an engine that holds the tables. A
            KPI whose table is absent gets no row.
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
        EnvironmentFaultError: The engine does not answer.
    """
    apart = {kpi.id: dimensions(kpi, contract) for kpi in kpis}
    joined = []
    with opened(tables) as (engine, parted):
        for first, last, measured in asking.stretches(engine, parted, kpis, contract, kind, since, until):
            present = [kpi for kpi in measured if apart[kpi.id]]
            asker = Asker(engine, parted, contract, kind, first, last, calendar=calendar)
            found = [
                _parts_of(asker, table, rows, sides, apart)
                for table in sorted({side.table for kpi in present for _, side in query.sides(kpi)})
                for rows, sides in query.wanted(contract, table, present).items()
            ]
            joined.append(_joined(found))
    listed = [part for part in joined if len(part)] or [_joined([])]
    return listed[0] if len(listed) == 1 else pd.concat(listed).sort_values(PART_KEYS, ignore_index=True)


def _parts_of(
    asker: Asker,
    name: str,
    rows_of: Rows,
    sides: list[tuple[Kpi, str, Side]],
    apart: Mapping[str, Mapping[str, str]],
) -> pd.DataFrame:
    """Ask one table once: every dimension of the centre, and of each team."""
    contract, write = asker.contract, asker.engine.dialect
    table = contract[name]
    held = {dimension: column for kpi, _, _ in sides for dimension, column in apart[kpi.id].items()}
    levels = [level for level in APART if any(level in levels_of(kpi, contract) for kpi, _, _ in sides)]
    groups = [(level, name) for level in levels for name in held if level == CENTRE or name not in _ORGANISATION]
    if not groups:
        return pd.DataFrame(columns=[*PART_KEYS, "role", *_COUNTS])
    columns = sorted({*held.values(), *([LEVELS["team"] or ""] if "team" in levels else [])})
    by = {group: sorted({held[group[1]], *([c] if (c := LEVELS[group[0]]) else [])}) for group in groups}
    sets = ", ".join(f"(_period, {', '.join(map(write.quoted, own))})" for own in sorted(map(tuple, by.values())))
    grouped = "".join(f", {write.quoted(c)}, grouping({write.quoted(c)}) AS g_{c}" for c in columns)
    selected, refers = _selected(asker, sides)
    source = asker.written(table, rows_of, [side for _, _, side in sides])
    if "agent_id" in table:
        # Agents in order, each at one of 64 places of a mask; two of them at one place count as one: that is enough
        # to tell one or two from more, errs to the safe side, and is quicker than to count them exactly.
        named = f"SELECT DISTINCT agent_id FROM {asker.engine.source(table)} t WHERE agent_id IS NOT NULL"
        ranked = f"SELECT agent_id AS _agent, row_number() OVER (ORDER BY agent_id) - 1 AS _rank FROM ({named}) d"
        place = f"CASE WHEN _rank IS NOT NULL THEN {write.place('_rank')} END"
        source = f"SELECT y.*, {place} AS _agents FROM ({source}) y LEFT JOIN ({ranked}) a ON y.agent_id = a._agent"
    listed = ", ".join(f"{sql} AS {column}" for column, sql in selected.items())
    wide = asker.engine.run(
        f"SELECT _period{grouped}, {listed} FROM ({source}) r GROUP BY GROUPING SETS ({sets})"
    ).to_pandas()
    nothing = np.zeros(len(wide), dtype=np.int64)
    periods, columns_of = wide["_period"].to_numpy(), {column: wide[column] for column in columns}
    held_apart = {column: wide[f"g_{column}"].to_numpy() == 0 for column in columns}
    pieces: dict[str, list[np.ndarray]] = {name: [] for name in (*PART_KEYS, "role", *_COUNTS)}
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
        for kpi, role, side in sides:
            if dimension in apart[kpi.id] and level in levels_of(kpi, contract):
                refer = refers[kpi.id, role]
                found = {name: wide[refer[name]].to_numpy() if name in refer else nothing for name in _COUNTS}
                if "n" not in refer:
                    found["n"] = found["sum"] // (side.scale if side.of else 1)
                given = keys | {"kpi": np.full(len(rows), kpi.id, dtype=object), "role": np.full(len(rows), role)}
                for column, values in (given | {name: values[rows] for name, values in found.items()}).items():
                    pieces[column].append(values)
    return pd.DataFrame({column: np.concatenate(values) for column, values in pieces.items()})


def _selected(
    asker: Asker, sides: Sequence[tuple[Kpi, str, Side]]
) -> tuple[dict[str, str], dict[tuple[str, str], dict[str, str]]]:
    """Write what is counted for each side, and how many agents at least each denominator rests on."""
    contract, write = asker.contract, asker.engine.dialect
    selected: dict[str, str] = {}
    refers: dict[tuple[str, str], dict[str, str]] = {}
    for kpi, role, side in sides:
        counted = query.counted(kpi, role, side, contract, write)
        if role == "denominator" and "agent_id" in contract[side.table]:
            counted["people"] = write.places("_agents", query.condition(kpi, side, contract, write))
        named = {sql: column for column, sql in selected.items()}
        for sql in counted.values():
            selected.setdefault(named.setdefault(sql, f"c{len(named)}"), sql)
        refers[kpi.id, role] = {name: named[sql] for name, sql in counted.items()}
    return selected, refers


def _named(values: pd.Series, dimension: str) -> np.ndarray:
    """Name the parts of a dimension; an hour by its beginning."""
    lacking = UNASSIGNED if dimension in _ORGANISATION else NOT_RECORDED
    hourly = dimension == "hour"
    named = [lacking if pd.isna(value) else f"{int(value):02}:00" if hourly else str(value) for value in values]
    return np.array(named, dtype=object)


def _joined(found: list[pd.DataFrame]) -> pd.DataFrame:
    """Bring both sides of each KPI beside each other; a side without rows is zero where the other has some."""
    columns = [*PART_KEYS, "numerator", "denominator", "n", "squares", "people"]
    found = [part for part in found if len(part)]
    if not found:
        return pd.DataFrame(columns=columns)
    long = pd.concat(found, ignore_index=True)
    wide = long.pivot_table(index=PART_KEYS, columns="role", values="sum", aggfunc="sum", fill_value=0, observed=True)
    squares = long[long["role"] == "numerator"].groupby(PART_KEYS, observed=True)["squares"].sum()
    below = long[long["role"] == "denominator"].groupby(PART_KEYS, observed=True)
    for role in ("numerator", "denominator"):
        if role not in wide:
            wide[role] = 0
    joined = wide[["numerator", "denominator"]].join([squares, below["n"].sum(), below["people"].max()]).reset_index()
    joined = joined[(joined["denominator"] != 0) | (joined["numerator"] != 0)]
    joined = joined.fillna({"squares": 0, "n": 0, "people": 0})
    joined = joined.astype(dict.fromkeys(columns[len(PART_KEYS) :], "int64"))
    joined["period"] = pd.to_datetime(joined["period"]).dt.date
    return joined[columns].sort_values(PART_KEYS, ignore_index=True)

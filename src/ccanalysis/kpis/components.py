"""The component query: both sides of every KPI, added up per unit and period.

The engine computes only additive whole numbers (counts, sums, sums of squares, whole-second histograms) in one
GROUPING SETS query per table; Python divides. So the same numbers come out of any engine and any order of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ccanalysis.contracts import Table
from ccanalysis.kpis import asking, query
from ccanalysis.kpis.asking import Asker, opened
from ccanalysis.kpis.calendars import Calendar
from ccanalysis.kpis.incremental import Store
from ccanalysis.kpis.parts import APART, DIMENSIONS, NOT_RECORDED, PART_KEYS, dimensions, parts
from ccanalysis.kpis.query import CENTRE, LEVELS, UNASSIGNED, Asked, levels_of
from ccanalysis.kpis.register import Kpi
from ccanalysis.periods import Kind, Period
from ccanalysis.warehouse import Engine

__all__ = [
    "APART",
    "CENTRE",
    "DIMENSIONS",
    "KEYS",
    "LEVELS",
    "NOT_RECORDED",
    "PART_KEYS",
    "UNASSIGNED",
    "Components",
    "components",
    "dimensions",
    "lacking",
    "parts",
]

KEYS = ["kpi", "level", "unit", "period"]
SUMS = ["numerator", "denominator", "n", "squares"]


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
    tables: Mapping[str, Path] | Engine,
    kpis: Sequence[Kpi],
    *,
    kind: Kind,
    since: Period,
    until: Period,
    contract: Mapping[str, Table],
    without: Mapping[str, Path] | None = None,
    calendar: Calendar | None = None,
    by_hour: bool = False,
    kept: Path | None = None,
) -> Components:
    """Add up both sides of every KPI per level, unit and period.

    Each period is counted under the definition in force on its last day.

    Args:
        tables: Contract table -> Parquet file, or folder of weekly partitions; or an engine that holds the tables, as
            `warehouse.PostgreSQL`. A KPI whose table is absent, or a column that it cannot do without, gets no row.
        kpis: What to measure, each at its own levels.
        kind: The kind of period to group by.
        since: The first period.
        until: The last period.
        contract: The contract tables, with the workspace's own columns.
        without: Contract table -> Parquet with `source_file` and `source_row` of rows to leave out; of files only.
        calendar: The centre's zone, holidays and opening hours; only measures with a clock need it.
        by_hour: Whether the hours of day are told apart, in a further column `hour` (local, 0 to 23, none where it is
            not recorded). Only KPIs whose sides lie at the hour of a contact or interval have rows then.
        kept: Folder in which the answers for each weekly partition are kept, so that only weeks whose rows changed are
            counted again; nothing is kept when not given. Tables in one file are always counted anew.

    Returns:
        The components. A unit without a row in a period has no row here: missing is not zero.

    Raises:
        RegisterError: A measure cannot be computed, such as a product too large for a whole number.
        EnvironmentFaultError: The engine does not answer.
    """
    bad = without or {}
    hours = {kpi.id: query.hour_of(kpi, contract) for kpi in kpis} if by_hour else {}
    measured = [kpi for kpi in kpis if not by_hour or hours[kpi.id]]
    store = Store(kept) if kept else None
    sums, histograms = [], []
    with opened(tables, folders=[path.parent for path in bad.values()]) as (engine, parted):
        for first, last, present in asking.stretches(engine, parted, measured, contract, kind, since, until):
            asker = Asker(engine, parted, contract, kind, first, last, without=bad, calendar=calendar, store=store)
            answers = []
            for table in sorted({side.table for kpi in present for _, side in query.sides(kpi)}):
                for rows, sides in query.wanted(contract, table, present).items():
                    hour = hours[sides[0][0].id] if by_hour else ""
                    asked = query.sums(contract[table], rows, sides, contract, engine.dialect, hour=hour)
                    if asked:
                        answers.append((asked, asker.answer(asked)))
            sums.append(_added_up(answers, present, contract, first, last))
            for kpi in present:
                if kpi.measure.kind == "percentile":
                    listed = query.histograms(kpi, contract, engine.dialect, hour=hours.get(kpi.id, ""))
                    histograms.append(_binned(kpi, [(role, asker.answer(one)) for role, one in listed], first, last))
    if store:
        store.prune()
    more = ["hour"] if by_hour else []
    listed = [part for part in sums if len(part)]
    both = listed[0] if len(listed) == 1 else _stacked(listed, [*KEYS, *more, *SUMS], [*KEYS, *more])
    found = [part for part in histograms if len(part)]
    return Components(both, _stacked(found, [*KEYS, *more, "bin", "n", "censored"], []))


def lacking(
    tables: Mapping[str, Path] | Engine, kpis: Sequence[Kpi], contract: Mapping[str, Table]
) -> dict[str, tuple[str, ...]]:
    """Say which KPIs cannot be measured, and the tables and columns (`table.column`) that they lack.

    A column lacks where the table has no value in it at all.

    Args:
        tables: Contract table -> Parquet file or folder of partitions; or an engine.
        kpis: The KPIs.
        contract: The contract tables, with the workspace's own columns.
    """
    with opened(tables) as (engine, parted):
        return asking.lacking(engine, parted, kpis, contract)


def _added_up(
    answers: Sequence[tuple[Asked, Sequence[pa.Table]]],
    kpis: Sequence[Kpi],
    contract: Mapping[str, Table],
    since: Period,
    until: Period,
) -> pd.DataFrame:
    """Bring both sides of each KPI beside each other; a side without rows is zero where the other has some."""
    parts = [(number, part) for number, (_, listed) in enumerate(answers) for part in listed if len(part)]
    if not parts:
        return pd.DataFrame()
    groups = _Groups([part for _, part in parts], since, until)
    added: dict[tuple[int, str], np.ndarray] = {}
    for (number, part), (rows, places) in zip(parts, groups.places, strict=True):
        for name in answers[number][0].columns:
            total = added.setdefault((number, name), np.zeros(groups.size, dtype=np.int64))
            np.add.at(total, places, np.asarray(part[name])[rows])
    of = {key: (number, asked.refers[key]) for number, (asked, _) in enumerate(answers) for key in asked.refers}
    nothing = np.zeros(groups.size, dtype=np.int64)
    frames = []
    for kpi in sorted(kpis, key=lambda kpi: kpi.id):
        sides = [of.get((kpi.id, role)) for role in ("numerator", "denominator")]
        above, below = (added.get((side[0], side[1]["sum"]), nothing) if side else nothing for side in sides)
        rows = np.flatnonzero(groups.at(levels_of(kpi, contract)) & (below > 0))
        if not len(rows):
            continue
        squares = added.get((sides[0][0], sides[0][1].get("squares", "")), nothing) if sides[0] else nothing
        side = kpi.measure.denominator
        n = added.get((sides[1][0], sides[1][1].get("n", ""))) if sides[1] else None
        if n is None:
            n = below // (side.scale if side.of else 1)
        counts = dict(zip(SUMS, (above, below, n, squares), strict=True))
        frames.append(groups.keys(kpi, rows).assign(**{name: values[rows] for name, values in counts.items()}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _binned(kpi: Kpi, answers: Sequence[tuple[str, Sequence[pa.Table]]], since: Period, until: Period) -> pd.DataFrame:
    """Bring values and censored values beside each other, bin by bin."""
    parts = [(role, part) for role, listed in answers for part in listed if len(part)]
    if not parts:
        return pd.DataFrame()
    groups = _Groups([part for _, part in parts], since, until)
    bins = np.concatenate(
        [np.asarray(part["_bin"])[rows] for (_, part), (rows, _) in zip(parts, groups.places, strict=True)]
    )
    places = np.concatenate([places for _, places in groups.places])
    order = np.lexsort((bins, places))
    bins, places = bins[order], places[order]
    if not len(bins):
        return pd.DataFrame()
    first = np.flatnonzero(np.r_[True, (np.diff(bins) != 0) | (np.diff(places) != 0)])
    counts = {}
    for wanted in ("n", "censored"):
        listed = [
            np.asarray(part["n0"])[rows] if role == wanted else np.zeros(len(rows), dtype=np.int64)
            for (role, part), (rows, _) in zip(parts, groups.places, strict=True)
        ]
        counts[wanted] = np.add.reduceat(np.concatenate(listed)[order], first)
    return groups.keys(kpi, places[first]).assign(bin=bins[first], **counts)


class _Groups:
    """The units and periods of several answers, each once and in order.

    Args:
        parts: Answers with `_level`, `_unit`, `_period` and perhaps `_hour`.
        since: The first period.
        until: The last period.

    Attributes:
        places: Per answer, which of its rows lie in the periods, and the group of each.
        size: How many groups there are.
    """

    def __init__(self, parts: Sequence[pa.Table], since: Period, until: Period) -> None:
        self.hourly = "_hour" in parts[0].column_names
        names = ["_level", "_unit", "_period", *(["_hour"] if self.hourly else [])]
        whole = pa.concat_tables([part.select(names) for part in parts])
        units = pc.dictionary_encode(whole["_unit"].combine_chunks())
        self.units = np.array(units.dictionary.to_pylist(), dtype=object)
        ranks = np.empty(len(self.units), dtype=np.int64)
        ranks[np.argsort(self.units)] = np.arange(len(self.units))
        self.units = np.sort(self.units)
        self.levels = sorted(LEVELS)
        level_ranks = np.array([self.levels.index(level) for level in LEVELS])
        days = np.asarray(whole["_period"].cast(pa.int32())).astype(np.int64)
        self.first, last = (_day_number(period.start) for period in (since, until))
        self.spread = last - self.first + 1
        hours = np.asarray(whole["_hour"].fill_null(-1)).astype(np.int64) + 1 if self.hourly else 0
        codes = level_ranks[np.asarray(whole["_level"])] * len(self.units) + ranks[np.asarray(units.indices)]
        codes = (codes * self.spread + days - self.first) * 25 + hours
        inside = (days >= self.first) & (days <= last)
        found, places = np.unique(codes[inside], return_inverse=True)
        self.size = len(found)
        ends = np.cumsum([len(part) for part in parts])
        rows, cuts = np.flatnonzero(inside), np.searchsorted(np.flatnonzero(inside), ends)
        starts = [0, *cuts[:-1]]
        self.places = [
            (rows[start:cut] - (end - len(part)), places[start:cut])
            for part, start, cut, end in zip(parts, starts, cuts, ends, strict=True)
        ]
        self.hour = found % 25 - 1
        found = found // 25
        self.day, found = found % self.spread, found // self.spread
        self.unit, self.level = found % len(self.units), found // len(self.units)
        self.days = np.array(
            [date.fromordinal(date(1970, 1, 1).toordinal() + self.first + d) for d in range(self.spread)]
        )

    def at(self, levels: Iterable[str]) -> np.ndarray:
        """Tell which groups are at one of these levels."""
        return np.isin(self.level, [self.levels.index(level) for level in levels])

    def keys(self, kpi: Kpi, rows: np.ndarray) -> pd.DataFrame:
        """Name some groups."""
        named = {
            "kpi": _texts(np.zeros(len(rows), dtype=np.int32), [kpi.id]),
            "level": _texts(self.level[rows], self.levels),
            "unit": _texts(self.unit[rows], self.units),
            "period": pd.Series(self.days[self.day[rows]], dtype=object),
        }
        if self.hourly:
            hours = self.hour[rows]
            named["hour"] = pd.arrays.IntegerArray(np.maximum(hours, 0), hours < 0)
        return pd.DataFrame(named)


def _texts(codes: np.ndarray, names: Sequence[str] | np.ndarray) -> pd.api.extensions.ExtensionArray:
    """Write the texts that codes stand for, without a Python object per row."""
    coded = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(list(names), pa.string()))
    return pd.array(coded.dictionary_decode(), dtype=pd.StringDtype("pyarrow", na_value=np.nan))


def _day_number(day: date) -> int:
    return day.toordinal() - date(1970, 1, 1).toordinal()


def _stacked(parts: Sequence[pd.DataFrame], columns: list[str], by: list[str]) -> pd.DataFrame:
    """Put frames under each other, in order where an order is given."""
    if not parts:
        return pd.DataFrame(columns=columns)
    stacked = pd.concat(parts, ignore_index=True)[columns]
    return stacked.sort_values(by, ignore_index=True) if by else stacked

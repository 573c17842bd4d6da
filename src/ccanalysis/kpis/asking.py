"""Asks an engine: each question of one table whole, or week by week where the table is kept in weekly partitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa

from ccanalysis import __version__, engine, partitions
from ccanalysis.contracts import Table
from ccanalysis.kpis import incremental
from ccanalysis.kpis.calendars import Calendar
from ccanalysis.kpis.incremental import Store
from ccanalysis.kpis.query import Asked, week_told
from ccanalysis.kpis.register import Kpi
from ccanalysis.kpis.rows import RowWriter, Span, look_ahead
from ccanalysis.kpis.sides import Rows, Side
from ccanalysis.partitions import Partitions, Week
from ccanalysis.periods import Kind, Period
from ccanalysis.warehouse import Embedded, Engine

# Rows that one query goes through: many where rows are only counted, fewer where they are sorted to find the next.
PLAIN_ROWS, SORTED_ROWS = 12_000_000, 3_000_000


@contextmanager
def opened(
    tables: Mapping[str, Path] | Engine, *, folders: Sequence[Path] = ()
) -> Iterator[tuple[Engine, dict[str, Partitions]]]:
    """Open the files of tables, or take an engine that is open; and read which tables are in partitions."""
    if not isinstance(tables, Mapping):
        yield tables, {}
        return
    connection = engine.connect(tables, folders=folders)
    try:
        yield (
            Embedded(connection),
            {name: found for name, path in tables.items() if (found := partitions.read(Path(path)))},
        )
    finally:
        connection.close()


class Asker:
    """Answers what is asked of one stretch of periods.

    Args:
        engine: Where the tables lie.
        parted: The tables that are kept in partitions.
        contract: The contract tables.
        kind: The kind of period.
        since: The first period.
        until: The last period.
        without: Contract table -> Parquet with `source_file` and `source_row` of rows to leave out.
        calendar: The centre's.
        store: Where answers are kept; they are worked out anew where it is not given.
    """

    def __init__(
        self,
        engine: Engine,
        parted: Mapping[str, Partitions],
        contract: Mapping[str, Table],
        kind: Kind,
        since: Period,
        until: Period,
        *,
        without: Mapping[str, Path] | None = None,
        calendar: Calendar | None = None,
        store: Store | None = None,
    ) -> None:
        self.engine, self.parted, self.contract, self.kind = engine, parted, contract, kind
        self.since, self.until, self.store = since, until, store
        self.without, self.calendar = without or {}, calendar
        self.rows = RowWriter(engine, contract, kind, since, until, calendar, self.times)

    def answer(self, asked: Asked) -> list[pa.Table]:
        """Answer a question, with `_period` from the first to the last period and perhaps beyond."""
        parted = self.parted.get(asked.table.name)
        ahead = look_ahead(asked.rows, asked.table, asked.sides, self.contract)
        if parted is None or ahead is None or asked.table.name in self.without:
            rows = self.written(asked.table, asked.rows, asked.sides)
            return [incremental.typed(self.engine.run(asked.query(rows, self.engine.dialect, weekly=False)))]
        return self.weekly(asked, parted, ahead)

    def written(self, table: Table, rows: Rows, sides: Sequence[Side]) -> str:
        """Write the rows of a whole table; of those placed by their own day, only the days that can matter are read."""
        source = self.engine.source(table)
        if (bad := self.without.get(table.name)) is not None:
            out = f"read_parquet({engine.literal(bad)})"
            source = f"(SELECT * FROM {source} ANTI JOIN {out} USING (source_file, source_row))"
        ahead = look_ahead(rows, table, sides, self.contract)
        placed = rows.by or rows.later_days or rows.open_until
        span = None if ahead is None or placed else self.span(self.since.start, self.until.end, ahead)
        return self.rows.write(table, rows, source, span, cut=True)

    def weekly(self, asked: Asked, parted: Partitions, ahead: int) -> list[pa.Table]:
        """Answer week by week: what is kept of weeks that have not changed, and the others anew."""
        told = week_told(asked.rows, self.kind)
        own_day = not (asked.rows.by or asked.rows.later_days)
        wanted = parted.within(self.since.start, self.until.end) if own_day else parted.weeks
        question = self.question(asked, ahead, weekly=not told)
        spans = {week.start: self.span(week.start, week.end, ahead) for week in wanted}
        keys = {monday: parted.digest(monday, span.reach) for monday, span in spans.items()}
        kept = self.store.read(question, keys) if self.store else {}
        found = list(kept.values())
        new = [week for week in wanted if week.start not in kept]
        for batch in partitions.batches(new, SORTED_ROWS if ahead else PLAIN_ROWS):
            span = self.span(batch[0].start, batch[-1].end, ahead)
            source = _files(parted.within(span.start, span.reach))
            rows = self.rows.write(asked.table, asked.rows, source, span, cut=False)
            answer = incremental.typed(self.engine.run(asked.query(rows, self.engine.dialect, weekly=not told)))
            found.append(answer)
            if self.store:
                weekly = incremental.with_week(answer) if told else answer
                self.store.write(question, keys, incremental.by_week(weekly, batch))
        names = [name for name in found[0].column_names if name != "_week"] if found else []
        return [pa.concat_tables([part.select(names) for part in found])] if found else []

    def span(self, start: date, end: date, ahead: int) -> Span:
        """Say which days are counted and how many are looked at behind; one more where clocks change in between.

        A contact that comes exactly seven days later lies on the eighth day where an hour was skipped.
        """
        if not ahead:
            return Span(start, end)
        if self.calendar is not None:
            zone = ZoneInfo(self.calendar.zone)
            days = (start + timedelta(days=day) for day in range((end - start).days + ahead + 2))
            if len({datetime(day.year, day.month, day.day, tzinfo=zone).utcoffset() for day in days}) == 1:
                return Span(start, end, ahead)
        return Span(start, end, ahead + 1)

    def question(self, asked: Asked, ahead: int, *, weekly: bool) -> str:
        """Name the question by the query itself, over days and files that stand for any, and what it reads beside."""
        import duckdb  # noqa: PLC0415  loaded by the connection in any case

        week = Span(date(1970, 1, 5), date(1970, 1, 12), ahead)
        rows = self.rows.write(asked.table, asked.rows, asked.table.name, week, cut=False)
        beside: list[object] = []
        if asked.rows.clocks:
            import holidays  # noqa: PLC0415  slow, and only clocks go by it

            beside = [repr(self.calendar), self.rows.overrides().to_csv(), holidays.__version__]
        sql = asked.query(rows, self.engine.dialect, weekly=weekly)
        return incremental.question_of(__version__, duckdb.__version__, sql, *beside)

    def times(self, table: Table) -> tuple[date, date]:
        """Tell the first and the last day of any time in a table."""
        if (parted := self.parted.get(table.name)) is not None:
            return parted.times
        write = self.engine.dialect
        names = [write.quoted(column.name) for column in table.columns if column.type in ("instant", "date")]
        listed = ", ".join(
            f"CAST({end}({name}) AS DATE) AS {end}{number}"
            for number, name in enumerate(names)
            for end in ("min", "max")
        )
        found = self.engine.run(f"SELECT {listed} FROM {self.engine.source(table)} t")
        days = [day for column in found.columns for day in column.to_pylist() if day is not None] or [self.since.start]
        return min(days), max(days)


def _files(weeks: Sequence[Week]) -> str:
    return f"read_parquet([{', '.join(engine.literal(week.path) for week in weeks)}])"


def lacking(
    engine: Engine, parted: Mapping[str, Partitions], kpis: Sequence[Kpi], contract: Mapping[str, Table]
) -> dict[str, tuple[str, ...]]:
    """Say which KPIs cannot be measured, and the tables and columns that they lack."""
    needs = {kpi.id: kpi.measure.all_needs(contract) for kpi in kpis}
    asked: dict[str, list[str]] = {}
    for need in sorted({need for own in needs.values() for need in own if "." in need}):
        table, _, column = need.partition(".")
        if engine.has(table):
            asked.setdefault(table, []).append(column)
    empty = set()
    for table, columns in asked.items():
        if (found := parted.get(table)) is not None:
            some = [column in found.held for column in columns]
        else:
            listed = ", ".join(
                f"bool_or({engine.dialect.quoted(column)} IS NOT NULL) AS h{number}"
                for number, column in enumerate(columns)
            )
            answer = engine.run(f"SELECT {listed} FROM {engine.source(contract[table])} t")
            some = [column.to_pylist()[0] for column in answer.columns]
        empty |= {f"{table}.{column}" for column, held in zip(columns, some, strict=True) if not held}
    told = {}
    for kpi in kpis:
        absent = {need for need in needs[kpi.id] if not engine.has(need.partition(".")[0])}
        if gone := {need for need in absent if "." not in need} | (set(needs[kpi.id]) & empty):
            told[kpi.id] = tuple(sorted(gone))
    return told


def stretches(
    engine: Engine,
    parted: Mapping[str, Partitions],
    kpis: Sequence[Kpi],
    contract: Mapping[str, Table],
    kind: Kind,
    since: Period,
    until: Period,
) -> list[tuple[Period, Period, list[Kpi]]]:
    """Group the KPIs that can be measured by the stretch of periods that each of their definitions is in force for."""
    found: dict[tuple[Period, Period], list[Kpi]] = {(since, until): []}
    for kpi in kpis:
        if len(kpi.definitions) < 2:
            found[since, until].append(kpi)
            continue
        period, begun = since, since
        while period <= until:
            following = period.shift(1)
            now, then = (kpi.as_of(each.end - timedelta(days=1)) for each in (period, following))
            if period == until or now.measure != then.measure or now.population != then.population:
                found.setdefault((begun, period), []).append(now)
                begun = following
            period = following
    told = []
    for (first, last), own in sorted(found.items()):
        gone = lacking(engine, parted, own, contract)
        if present := [kpi for kpi in own if kpi.id not in gone]:
            told.append((first, last, present))
    return told

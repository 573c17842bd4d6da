"""The rows of a table as a query counts them: what looks at other rows, calendars, and the period each lies in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd
from sqlglot import exp

from ccanalysis.contracts import DAY_S, Table
from ccanalysis.errors import RegisterError
from ccanalysis.kpis import calendars
from ccanalysis.kpis.calendars import Calendar
from ccanalysis.kpis.expressions import Clock
from ccanalysis.kpis.sides import AGE, DERIVED, Rows, Side
from ccanalysis.periods import Kind, Period
from ccanalysis.warehouse import Engine

_EPOCH = date(1970, 1, 1)
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
class Span:
    """Local days whose rows are counted, and how far ahead further rows are looked at.

    Attributes:
        start: The first day.
        end: The first day after.
        ahead: Days behind the end whose rows are known but not counted.
    """

    start: date
    end: date
    ahead: int = 0

    @property
    def reach(self) -> date:
        """The first day whose rows are not looked at."""
        return self.end + timedelta(days=self.ahead)


def look_ahead(rows: Rows, table: Table, sides: Iterable[Side], contract: Mapping[str, Table]) -> int | None:
    """Tell how many days ahead rows must be known for these sides, so that no row further on can change them.

    Returns:
        Days of 24 hours; None where a row of any day might matter, and the whole table has to be seen at once.
    """
    if rows.open_until:
        return None
    known = DERIVED.get(table.name, {})
    if any(not known[name].ahead for name in rows.derived):
        return None
    if not rows.derived:
        return 0
    farthest = 0.0
    for side in sides:
        where, of = side.checked(contract)
        seconds = _limit(where.tree, set(rows.derived))
        if seconds is None or (of is not None and set(of.columns) & set(rows.derived)):
            return None
        farthest = max(farthest, seconds)
    return math.ceil(farthest / DAY_S)


def _limit(tree: exp.Expression | None, names: set[str]) -> float | None:
    """Find the number of seconds beyond which a condition takes a row that comes later for none at all.

    That is so where every part of the condition reads `next <= limit`, or `next is null or next > limit`.
    """
    found = 0.0
    for part in _flat(tree, exp.And):
        own = {column.name for column in part.find_all(exp.Column)} & names
        if not own:
            continue
        either = _flat(part, exp.Or)
        for name in own:
            mine = [one for one in either if any(c.name == name for c in one.find_all(exp.Column))]
            empty = [one for one in mine if isinstance(one, exp.Is) and isinstance(one.expression, exp.Null)]
            compared = [one for one in mine if one not in empty]
            wanted = (exp.GT, exp.GTE) if len(either) > 1 else (exp.LT, exp.LTE)
            if len(compared) != 1 or len(empty) != (1 if len(either) > 1 else 0):
                return None
            (one,) = compared
            plain = isinstance(one, wanted) and isinstance(one.this, exp.Column)
            if not plain or not (isinstance(one.expression, exp.Literal) and not one.expression.is_string):
                return None
            found = max(found, float(one.expression.name))
    return found


def _flat(tree: exp.Expression | None, of: type[exp.Expression]) -> list[exp.Expression]:
    """List the parts of a chain of `and` or `or`, brackets opened."""
    while isinstance(tree, exp.Paren):
        tree = tree.this
    if isinstance(tree, of):
        return [*_flat(tree.this, of), *_flat(tree.expression, of)]
    return [tree] if tree is not None else []


class RowWriter:
    """Writes the rows of tables for one kind of period.

    Args:
        engine: Where the tables lie.
        contract: The contract tables.
        kind: The kind of period.
        since: The first period.
        until: The last period.
        calendar: The centre's; only clocks need it.
        times: Tells the first and last day of any time in a table.
    """

    def __init__(
        self,
        engine: Engine,
        contract: Mapping[str, Table],
        kind: Kind,
        since: Period,
        until: Period,
        calendar: Calendar | None,
        times: Callable[[Table], tuple[date, date]],
    ) -> None:
        self.engine, self.contract, self.kind = engine, contract, kind
        self.since, self.until, self.calendar, self.times = since, until, calendar, times
        self.relations: dict[str, str] = {}

    def write(self, table: Table, rows: Rows, source: str, span: Span | None, *, cut: bool) -> str:
        """Write the rows of a table with `_period`; own names begin with _, as no contract column does.

        What looks at other rows is added before any row is left out, so that it sees them all.

        Args:
            table: The table.
            rows: What is added to them, and by which time they are placed.
            source: Where they come from.
            span: The days whose rows are counted; all when not given.
            cut: Whether periods before the first and after the last are left out.
        """
        write = self.engine.dialect
        own = write.quoted(table.local_day)
        if span is not None and span.ahead:
            looked = f"{own} >= {write.day(span.start)} AND {own} < {write.day(span.reach)}"
            source = f"(SELECT * FROM {source} s WHERE {looked})"
        derived = DERIVED.get(table.name, {})
        added = [f"{derived[name].sql(write, self.place)} AS {name}" for name in rows.derived]
        joins = ""
        if rows.clocks:
            told, joins = self.clocks(table, rows.clocks)
            added += told
        full = f"(SELECT x.*{''.join(f', {one}' for one in added)} FROM {source} x{joins})" if added else source
        day = own
        if rows.by:
            at = write.quoted(f"_day_{rows.by}")
            day = write.later(write.day(_EPOCH), at) if _timed(table, rows.by) else write.quoted(rows.by)
        if rows.later_days:
            day = write.later(day, int(rows.later_days))
        if rows.open_until:
            return self.open(table, rows, full, day)
        kept = []
        if span is not None:
            kept += [f"{own} >= {write.day(span.start)}", f"{own} < {write.day(span.end)}"]
        if cut and (span is None or day != own):
            kept += [f"{day} >= {write.day(self.since.start)}", f"{day} < {write.day(self.until.end)}"]
        elif day != own:
            kept.append(f"{day} IS NOT NULL")
        if table.name == "intervals":
            kept.append(f"{write.quoted('length')} IN ({', '.join(map(write.text, _LENGTHS[self.kind]))})")
        where = f" WHERE {' AND '.join(kept)}" if kept else ""
        return f"SELECT x.*, {write.period(self.kind, day)} AS _period FROM {full} x{where}"

    def open(self, table: Table, rows: Rows, full: str, day: str) -> str:
        """Write the rows that are open at the end of each period, once for each."""
        write = self.engine.dialect
        ends, period = [], self.since
        while period <= self.until:
            ends.append((write.day(period.start), write.day(period.end)))
            period = period.shift(1)
        listed = write.rows(["_period", "_end"], ends, ["date", "date"])
        if _timed(table, rows.open_until):
            until = write.quoted(f"_day_{rows.open_until}")
            closed = write.later(write.day(_EPOCH), until)
        else:
            until = closed = write.quoted(rows.open_until)
        age = write.days(write.later("_end", -1), day)
        return (
            f"SELECT x.*, _period, CAST({age} AS {write.types['integer']}) AS {AGE.column.name} FROM {full} x "
            f"JOIN {listed} ends ON {day} < _end AND ({until} IS NULL OR {closed} >= _end)"
        )

    def place(self, name: str) -> str:
        """Write where the rows of another table come from."""
        return self.engine.source(self.contract[name])

    def clocks(self, table: Table, clocks: Sequence[Clock]) -> tuple[list[str], str]:
        """Write the columns that tell local days, business days and open hours of times, and the joins they need."""
        if self.calendar is None:
            raise RegisterError("a measure with a clock needs the centre's calendar", remedy="Give calendar=")
        write = self.engine.dialect
        columns, joins = [], ""
        for clock in clocks:
            of = f"x.{write.quoted(clock.column)}"
            local = write.local(of, self.calendar.zone)
            day = f"CAST({local} AS DATE)" if _timed(table, clock.column) else of
            name = write.quoted(clock.name)
            if clock.kind == "day":
                columns.append(f"{write.days(day, write.day(_EPOCH))} AS {name}")
                continue
            relation, alias = self.relation(table, clock), write.quoted(f"c{clock.name}")
            if clock.kind == "business":
                joins += f" LEFT JOIN {relation} {alias} ON {alias}.day = {day}"
                columns.append(f"{alias}.n AS {name}")
                continue
            joins += f" LEFT JOIN {relation} {alias} ON {alias}.day = {day} AND {alias}.channel = x.channel"
            moment = write.second_of_day(local)
            within = f"greatest(least({moment}, {alias}.closes_s) - {alias}.opens_s, 0)"
            columns.append(f"CAST({alias}.before_s + {within} AS {write.types['integer']}) AS {name}")
        return columns, joins

    def relation(self, table: Table, clock: Clock) -> str:
        """Make the calendar of a clock for the days that the table's times lie on, once."""
        assert self.calendar is not None  # clocks() has looked
        nation = clock.nation or self.calendar.nation
        name = f"_{clock.kind}_{nation}_{table.name}"
        if name not in self.relations:
            least, most = self.times(table)
            first, last = least - timedelta(days=2), most + timedelta(days=2)
            if clock.kind == "open":
                frame = calendars.open_hours(self.calendar, first, last, self.overrides())
                kinds = {"channel": "text", "day": "date", "opens_s": "integer", "closes_s": "integer"}
                kinds["before_s"] = "integer"
            else:
                frame, kinds = calendars.business_days(nation, first, last), {"day": "date", "n": "integer"}
            self.relations[name] = self.engine.relation(name, frame, kinds)  # type: ignore[arg-type]
        return self.relations[name]

    def overrides(self) -> pd.DataFrame:
        """Read the days with opening hours of their own, where the centre has such a table."""
        names = ["on_date", "channel", "opens", "closes"]
        if not self.engine.has("calendar"):
            return pd.DataFrame(columns=names)
        # opening hours are settings of the centre, not records of a person or a contact
        return self.engine.run(f"SELECT {', '.join(names)} FROM {self.place('calendar')} c").to_pandas()


def _timed(table: Table, name: str) -> bool:
    return table.column(name).type == "instant"

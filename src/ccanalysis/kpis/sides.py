"""What a measure is made of: two sides over contract tables, and the columns that only the component query knows.

A measure that no row alone can tell (a repeat, an evaluation of several rows, a limit of authority) reads a derived
column: the query adds it to the rows before anything is counted, so both sides stay sums and add up at every level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ccanalysis import contracts
from ccanalysis.dialects import COARSE_BITS, Dialect
from ccanalysis.errors import ExpressionError, nearest
from ccanalysis.kpis.expressions import Clock, Expression, parse

Unit = Literal["share", "s", "per_1000", "points", "count"]
Better = Literal["up", "down", "within"]
Kind = Literal["share", "mean", "rate", "ratio", "percentile"]
Bins = Literal["exact", "coarse"]

# Greatest relative error of a percentile from coarse bins: from 128 on, a bin is 1/64 of its power of two wide, and its
# middle stands for it. Bins are whole numbers, so they merge exactly on any engine.
COARSE_ERROR = 1 / 2**COARSE_BITS

# Writes a column for an engine, given how a contract table is written there.
Writer = Callable[[Dialect, Callable[[str], str]], str]


@dataclass(frozen=True, kw_only=True)
class Derived:
    """A column of the component query that no export has.

    Attributes:
        column: Its name, type and meaning.
        sql: Writes how it comes from the row `x` and the rows about it.
        ahead: Whether it looks at the row of the same kind that comes next, so that a limit tells how far ahead rows
            have to be known.
        reads: The columns of the row that it comes from.
        tables: Further contract tables that it comes from.
    """

    column: contracts.Column
    sql: Writer
    reads: tuple[str, ...]
    tables: tuple[str, ...] = ()
    ahead: bool = False


def _derived(
    name: str,
    about: str,
    sql: str | Writer,
    reads: tuple[str, ...],
    *,
    kind: contracts.Type = "integer",
    tables: tuple[str, ...] = (),
    ahead: bool = False,
) -> Derived:
    column = contracts.Column(name=name, type=kind, about=about)
    writer: Writer = (lambda dialect, table: sql) if isinstance(sql, str) else sql
    return Derived(column=column, sql=writer, reads=reads, tables=tables, ahead=ahead)


def _until_next(of: str, instant: str, key: str) -> Writer:
    """Write the seconds until the next row of the same kind; ties are broken by the key."""

    def sql(dialect: Dialect, table: Callable[[str], str]) -> str:
        begins = dialect.micros(f"x.{instant}")
        following = f"lead({begins}) OVER (PARTITION BY {of} ORDER BY x.{instant} NULLS LAST, x.{key} NULLS LAST)"
        return dialect.divided(f"({following} - {begins} + 500000)", 1_000_000)  # never negative, in this order

    return sql


_VALID = "NOT coalesce(x.withdrawn, false)"
_EVALUATION = "(PARTITION BY x.evaluation_id)"
_SAME_CASE = "(PARTITION BY x.source, x.contact_id, x.form, x.criterion{more})"


def _errors(of: str) -> Derived:
    return _derived(
        f"{of}_errors",
        f"critical errors of the class {of} in the whole evaluation",
        f"count(CASE WHEN x.critical = '{of}' THEN 1 END) OVER {_EVALUATION}",
        ("evaluation_id", "critical"),
    )


def _limit(of: str) -> Writer:
    """Write the limit of authority of a person on the day, where their role has one that fits the kind of decision."""

    def sql(dialect: Dialect, table: Callable[[str], str]) -> str:
        limit = dialect.quoted("limit")
        return (
            f"(SELECT CASE WHEN count(DISTINCT d.kind) = 1 THEN max(d.{limit}) END FROM {table('agents')} a "
            f"JOIN {table('delegations')} d ON d.role = a.role "
            f"WHERE a.agent_id = x.{of} AND (x.decision IS NULL OR d.kind = x.decision) "
            "AND a.valid_from <= x.local_date AND (a.valid_to IS NULL OR a.valid_to >= x.local_date) "
            "AND d.valid_from <= x.local_date AND (d.valid_to IS NULL OR d.valid_to >= x.local_date))"
        )

    return sql


def _together(dialect: Dialect, table: Callable[[str], str]) -> str:
    """Add amounts up in hundredths, so that the order of rows has no part in it."""
    hundredths = dialect.whole("(x.amount * 100)", "double")
    number = dialect.types["number"]
    return (
        f"(CAST(sum({hundredths}) OVER (PARTITION BY coalesce(x.contact_id, x.escalation_id), x.decided_by, "
        f"x.decision) AS {number}) / CAST(100 AS {number}))"
    )


def _fixed_on(dialect: Dialect, table: Callable[[str], str]) -> str:
    return (
        f"(SELECT min(coalesce(a.starts_on, a.decided_on)) FROM {table('actions')} a "
        "WHERE a.root_cause = x.root_cause AND a.state IN ('running', 'done'))"
    )


# Flags that are false where an export has none: a figure that reads them misses nothing when they are empty.
_FALSE_WHERE_EMPTY = frozenset({"withdrawn"})

AGE = _derived("age_days", "whole days from its local day to the last day of the period", "", ())

DERIVED: dict[str, dict[str, Derived]] = {
    table: {one.column.name: one for one in listed}
    for table, listed in {
        "contacts": (
            _derived(
                "next_contact_s",
                "seconds until the same customer's next contact for the same reason",
                _until_next("x.customer_id, x.reason", "offered_at", "contact_id"),
                ("customer_id", "reason", "offered_at"),
                ahead=True,
            ),
            _derived(
                "next_attempt_s",
                "seconds until the same customer's next contact, whatever the reason",
                _until_next("x.customer_id", "offered_at", "contact_id"),
                ("customer_id", "offered_at"),
                ahead=True,
            ),
        ),
        "evaluations": (
            _derived(
                "evaluation_row",
                "1 for one row of each evaluation, so that evaluations can be counted",
                "row_number() OVER (PARTITION BY x.evaluation_id ORDER BY x.criterion NULLS LAST)",
                ("evaluation_id",),
            ),
            *(_errors(of) for of in ("customer", "business", "compliance")),
            _derived(
                "auto_fails",
                "criteria that failed the whole evaluation",
                f"count(CASE WHEN x.auto_fail THEN 1 END) OVER {_EVALUATION}",
                ("evaluation_id", "auto_fail"),
            ),
            _derived(
                "raters",
                "how many gave points to the same contact and criterion, by the same source",
                f"count(CASE WHEN {_VALID} THEN x.points END) OVER {_SAME_CASE.format(more='')}",
                ("contact_id", "criterion", "points"),
            ),
            _derived(
                "raters_alike",
                "how many of them gave the same points",
                f"count(CASE WHEN {_VALID} THEN x.points END) OVER {_SAME_CASE.format(more=', x.points')}",
                ("contact_id", "criterion", "points"),
            ),
            _derived(
                "expert_points",
                "points that the reference evaluator gave to the same contact and criterion",
                f"max(CASE WHEN x.expert AND {_VALID} THEN x.points END) OVER {_SAME_CASE.format(more='')}",
                ("contact_id", "criterion", "expert", "points"),
                kind="number",
            ),
        ),
        "escalations": (
            _derived(
                "own_limit",
                "limit of authority of the agent who referred it, on that day",
                _limit("agent_id"),
                ("agent_id",),
                kind="number",
                tables=("agents", "delegations"),
            ),
            _derived(
                "decider_limit",
                "limit of authority of whoever decided, on that day",
                _limit("decided_by"),
                ("decided_by",),
                kind="number",
                tables=("agents", "delegations"),
            ),
            _derived(
                "amount_together",
                "what the same person decided on in the same contact, added up",
                _together,
                ("amount", "contact_id", "decided_by"),
                kind="number",
            ),
        ),
        "breaches": (
            _derived(
                "next_breach_s",
                "seconds until the same agent's next breach of the same requirement",
                _until_next("x.requirement_id, x.agent_id", "found_at", "breach_id"),
                ("requirement_id", "agent_id", "found_at"),
                ahead=True,
            ),
        ),
        "complaints": (
            _derived(
                "fixed_on",
                "first day of an action that was to end the root cause",
                _fixed_on,
                ("root_cause",),
                kind="date",
                tables=("actions",),
            ),
        ),
    }.items()
}
NEXT_CONTACT = DERIVED["contacts"]["next_contact_s"].column


@dataclass(frozen=True)
class Rows:
    """Which rows of a table a side is counted over; sides with equal ones share one query.

    Attributes:
        derived: Names of the derived columns that are added.
        clocks: Local days and business clocks that are added.
        by: The column that places a row in time, where it is not the table's own.
        later_days: Days that a row is placed later.
        open_until: For a stock: the column that says when a row ceased to be open.
    """

    derived: tuple[str, ...] = ()
    clocks: tuple[Clock, ...] = ()
    by: str = ""
    later_days: int = 0
    open_until: str = ""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of a ratio: rows counted, or an expression summed, over one contract table.

    Attributes:
        table: The contract table.
        where: Which rows take part.
        of: What is summed; empty where rows are counted.
        scale: Whole number that a summed fraction is multiplied by before it is rounded, so that sums stay whole.
        by: The time or day that places a row in a period, where it is not the table's own: a complaint by its closing.
        later_days: Days that a row is placed later, such as the day on which an answer to it falls due.
        open_until: For a stock, the time at which a row ceased to be open: each row counts in every period at whose end
            it is open. A stock adds up over units, never over periods.
    """

    table: str = "contacts"
    where: str = "true"
    of: str = ""
    scale: int = 1
    by: str = ""
    later_days: int = 0
    open_until: str = ""

    def checked(self, tables: Mapping[str, contracts.Table]) -> tuple[Expression, Expression | None]:
        """Parse both expressions against the table.

        Raises:
            ExpressionError: One of them is not allowed, `where` is no condition, `of` is no number, or a time that is
                named is none.
        """
        plain = tables[self.table]
        more = tuple(one.column for one in DERIVED.get(self.table, {}).values())
        if self.open_until:
            more = (*more, AGE.column)
        table = replace(plain, columns=(*plain.columns, *(column for column in more if column.name not in plain)))
        where, of = parse(self.where, table), parse(self.of, table) if self.of else None
        if not where.condition:
            raise ExpressionError(f"{where.text!r} is not a condition", remedy="Write for example wait_s <= 20")
        if of is not None and of.kind != "number":
            raise ExpressionError(f"{of.text!r} is not a number", remedy="Sum for example talk_s + acw_s")
        for name in (self.by, self.open_until):
            if name and (name not in plain or plain.column(name).type not in ("instant", "date")):
                times = [column.name for column in plain.columns if column.type in ("instant", "date")]
                raise ExpressionError(f"{name!r} is no time or day of {self.table!r}", remedy=nearest(name, times))
        return where, of

    def _names(self, tables: Mapping[str, contracts.Table]) -> set[str]:
        where, of = self.checked(tables)
        return set(where.columns) | set(of.columns if of else ())

    def columns(self, tables: Mapping[str, contracts.Table]) -> tuple[str, ...]:
        """The contract columns that it reads."""
        names = self._names(tables)
        known = DERIVED.get(self.table, {})
        for name in sorted(names & (set(known) - {column.name for column in tables[self.table].columns})):
            names = names - {name} | set(known[name].reads)
        names -= {AGE.column.name, *_FALSE_WHERE_EMPTY}
        return tuple(sorted(names | ({self.by, self.open_until} - {""})))

    def rows(self, tables: Mapping[str, contracts.Table]) -> Rows:
        """Which rows it is counted over."""
        where, of = self.checked(tables)
        table = tables[self.table]
        clocks = set(where.clocks) | set(of.clocks if of else ())
        clocks |= {
            Clock("day", name) for name in (self.by, self.open_until) if name and table.column(name).type == "instant"
        }
        derived = tuple(name for name in DERIVED.get(self.table, {}) if name in self._names(tables))
        return Rows(derived, tuple(sorted(clocks)), self.by, self.later_days, self.open_until)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A measure with both its sides and what a reader must know of it.

    Attributes:
        key: Its name in the register.
        about: What it measures, as a phrase.
        kind: `share` (rows of rows), `mean` (a sum per row), `rate` (events per thousand), `ratio` (sums without
            squares, from interval counts), or `percentile` (of the expression above the line).
        unit: The unit of the value.
        better: Which way is better, unless the register says otherwise.
        numerator: What is summed above the line.
        denominator: What is summed below it.
        quantile: Which quantile a percentile is, between 0 and 1; 1 is the greatest value.
        bins: What a percentile is taken from: `exact` whole numbers, or `coarse` bins with an error of at most
            `COARSE_ERROR` of the value.
        censored: Of a percentile: rows of which only is known that the event came later than the value, as in the wait
            of a caller who gave up; the percentile is then that of Kaplan and Meier.
        settle_days: Days after which a row no longer changes the figure; younger periods are provisional.
        needs: Columns, as `complaints.closed_at`, that must hold something anywhere in the table: without them the
            figure would be nought or one by default, so it is not given.
        not_for: Levels at which it must not be judged.
        excluded: What is left out, in words.
        trap: What commonly goes wrong with it.
        source: Where the formula comes from.
        parameters: What it was made with, where it is of the catalogue.
    """

    key: str
    about: str
    kind: Kind
    unit: Unit
    better: Better
    numerator: Side
    denominator: Side
    quantile: float | None = None
    bins: Bins = "exact"
    censored: Side | None = None
    settle_days: int = 0
    needs: tuple[str, ...] = ()
    not_for: tuple[str, ...] = ()
    excluded: str = ""
    trap: str = ""
    source: str
    parameters: tuple[tuple[str, Any], ...] = field(default=(), compare=False)

    @property
    def factor(self) -> float:
        """What the ratio of the two sums is multiplied by to be in the unit; counts are never scaled."""
        above, below = (side.scale if side.of else 1 for side in (self.numerator, self.denominator))
        return (1000.0 if self.unit == "per_1000" else 1.0) * below / above

    @property
    def sides(self) -> tuple[Side, ...]:
        """Both sides, and the censored rows where there are some."""
        return (self.numerator, self.denominator, *([self.censored] if self.censored else []))

    @property
    def tables(self) -> tuple[str, ...]:
        """The contract tables it counts rows of, in name order."""
        return tuple(sorted({self.numerator.table, self.denominator.table}))

    def all_needs(self, tables: Mapping[str, contracts.Table]) -> tuple[str, ...]:
        """Tables, and columns as `table.column`, without which it cannot be measured, in name order."""
        found = {*self.tables, *self.needs, *(need.partition(".")[0] for need in self.needs)}
        for side in self.sides:
            for name in side.rows(tables).derived:
                found |= set(DERIVED[side.table][name].tables)
        return tuple(sorted(found))

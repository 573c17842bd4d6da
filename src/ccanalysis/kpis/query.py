"""What is asked of a table: both sides of every KPI in one GROUPING SETS query, of additive whole numbers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ccanalysis.contracts import Table
from ccanalysis.dialects import Dialect
from ccanalysis.kpis.expressions import Expression, parse
from ccanalysis.kpis.register import LEVEL_COLUMNS, Kpi
from ccanalysis.kpis.sides import Rows, Side
from ccanalysis.periods import Kind

# Level of a unit -> column that names the unit; the centre is the whole.
LEVELS: dict[str, str | None] = LEVEL_COLUMNS
CENTRE = "centre"
UNASSIGNED = "unassigned"
HOURS = ("local_hour", "starts_hour")
# Tables whose rows lie at the hour of the contact; an evaluation lies at the hour when somebody listened.
HOURLY = ("contacts", "intervals")


@dataclass
class Asked:
    """One question to one table: what is grouped by, and what is counted.

    Attributes:
        table: The contract table.
        rows: Which of its rows, and what is added to them.
        levels: The levels, each a grouping set.
        columns: Name of an answer -> how it is counted. Sides that count the same share one.
        refers: KPI and role -> what of the answer is its sum, how many rows, and its squares.
        sides: The sides that it answers for.
        where: Which rows take part in all of it.
        binned: The bin of a histogram; empty where there is none.
        hour: The column of the hour, where it is told apart.
    """

    table: Table
    rows: Rows
    levels: tuple[str, ...]
    columns: dict[str, str] = field(default_factory=dict)
    refers: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    sides: list[Side] = field(default_factory=list)
    where: str = ""
    binned: str = ""
    hour: str = ""

    def named(self, letter: str, sql: str) -> str:
        """Name what is counted; the same twice has one name."""
        for name, known in self.columns.items():
            if known == sql:
                return name
        name = f"{letter}{len(self.columns)}"
        self.columns[name] = sql
        return name

    def query(self, rows: str, dialect: Dialect, *, weekly: bool) -> str:
        """Write the query over rows that are written already.

        Args:
            rows: The rows, with `_period`.
            dialect: Of the engine.
            weekly: Whether the ISO week of the local day is told apart too.

        Returns:
            A query for `_level` (its place in `LEVELS`), `_unit`, `_period`, then `_week`, `_hour` and `_bin` where
            asked for, then the counts.
        """
        keys = ["_period"]
        source = f"({rows}) r"
        more = []
        if weekly:
            more.append(f"{dialect.period('week', dialect.quoted(self.table.local_day))} AS _week")
        if self.hour:
            more.append(f"{dialect.quoted(self.hour)} AS _hour")
        if self.binned:
            more.append(f"{self.binned} AS _bin")
        if more:
            kept = f" WHERE {self.where}" if self.where else ""
            source = f"(SELECT r.*, {', '.join(more)} FROM {source}{kept}) r"
            keys += [one.rpartition(" ")[2] for one in more]
        elif self.where:
            source = f"(SELECT r.* FROM {source} WHERE {self.where}) r"
        columns = {level: dialect.quoted(column) for level in self.levels if (column := LEVELS[level])}
        order = list(LEVELS)
        sets = ", ".join(
            f"({', '.join([*keys, *([columns[level]] if level in columns else [])])})" for level in self.levels
        )
        which = "".join(f" WHEN grouping({c}) = 0 THEN {order.index(level)}" for level, c in columns.items())
        unit = "".join(
            f" WHEN grouping({c}) = 0 THEN coalesce({c}, {dialect.text(UNASSIGNED)})" for c in columns.values()
        )
        centre = dialect.text(CENTRE)
        level = f"CASE{which} ELSE 0 END" if which else "0"
        named = f"CASE{unit} ELSE {centre} END" if unit else centre
        listed = [f"{level} AS _level", f"{named} AS _unit", *keys]
        listed += [f"{sql} AS {name}" for name, sql in self.columns.items()]
        binned = " WHERE _bin IS NOT NULL" if self.binned else ""
        return f"SELECT {', '.join(listed)} FROM {source}{binned} GROUP BY GROUPING SETS ({sets})"


def sides(kpi: Kpi) -> tuple[tuple[str, Side], ...]:
    """List both sides of a KPI by their role."""
    return ("numerator", kpi.measure.numerator), ("denominator", kpi.measure.denominator)


def levels_of(kpi: Kpi, contract: Mapping[str, Table]) -> list[str]:
    """List the levels at which both sides of a KPI can be told apart; elsewhere a side would be zero, not missing."""
    tables = [contract[name] for name in kpi.measure.tables]
    return [
        level
        for level, column in LEVELS.items()
        if level in kpi.levels and (column is None or all(column in table for table in tables))
    ]


def hour_of(kpi: Kpi, contract: Mapping[str, Table]) -> str:
    """Name the column of the hour of day of a KPI; empty where its sides lie at different hours, or at none."""
    tables = kpi.measure.tables
    if len(tables) > 1 or tables[0] not in HOURLY or kpi.measure.numerator.open_until:
        return ""
    return next((column for column in HOURS if column in contract[tables[0]]), "")


def condition(kpi: Kpi, side: Side, contract: Mapping[str, Table], dialect: Dialect, *, valued: bool = True) -> str:
    """Write which rows take part on a side; where it can be neither true nor false, the row does not.

    Args:
        kpi: The KPI.
        side: One of its sides.
        contract: The contract tables.
        dialect: Of the engine.
        valued: Whether it says of a mean that it is taken over the rows that have a value.
    """
    parts = [side.checked(contract)[0].written(dialect)]
    if kpi.population:
        parts.append(parse(kpi.population, contract[side.table]).written(dialect))
    if valued and (above := _averaged(kpi, contract)) is not None:
        parts.append(f"({above.written(dialect)}) IS NOT NULL")
    return " AND ".join(f"({part})" for part in parts)


def _averaged(kpi: Kpi, contract: Mapping[str, Table]) -> Expression | None:
    """Return what a mean is taken of."""
    return kpi.measure.numerator.checked(contract)[1] if kpi.measure.kind == "mean" else None


def wanted(contract: Mapping[str, Table], name: str, kpis: Sequence[Kpi]) -> dict[Rows, list[tuple[Kpi, str, Side]]]:
    """List the sides that lie in one table, by the rows they are counted over: each needs a query of its own."""
    found: dict[Rows, list[tuple[Kpi, str, Side]]] = {}
    for kpi in kpis:
        for role, side in sides(kpi):
            if side.table == name:
                found.setdefault(side.rows(contract), []).append((kpi, role, side))
    return found


def value_of(side: Side, of: Expression, dialect: Dialect) -> str:
    """Write what a side sums of one row, as a whole number."""
    written, scale = f"({of.written(dialect)})", int(side.scale)
    return dialect.whole(f"({written} * {scale})" if scale != 1 else written, of.number)


def counted(kpi: Kpi, role: str, side: Side, contract: Mapping[str, Table], dialect: Dialect) -> dict[str, str]:
    """Write what is counted and summed for one side: `sum`, and where they differ from it `n` and `squares`."""
    of, averaged = side.checked(contract)[1], _averaged(kpi, contract)
    # sums and counts of values leave out empty ones by themselves
    valued = averaged is not None and role == "denominator" and of is not None
    kept = f"FILTER (WHERE {condition(kpi, side, contract, dialect, valued=valued)})"
    whole = dialect.types["integer"]
    if of is None:
        rows = f"({averaged.written(dialect)})" if averaged is not None else "*"
        return {"sum": f"CAST(count({rows}) {kept} AS {whole})"}
    value = value_of(side, of, dialect)
    found = {"sum": f"CAST(coalesce(sum({value}) {kept}, 0) AS {whole})"}
    if role == "denominator" and side.table != "intervals":  # intervals carry counts: their sum is n
        found["n"] = f"CAST(count({value}) {kept} AS {whole})"
    if role == "numerator" and kpi.measure.kind == "mean":
        found["squares"] = f"CAST(coalesce(sum({value} * {value}) {kept}, 0) AS {whole})"
    return found


def sums(
    table: Table,
    rows: Rows,
    asked: Sequence[tuple[Kpi, str, Side]],
    contract: Mapping[str, Table],
    dialect: Dialect,
    *,
    hour: str = "",
) -> Asked | None:
    """Ask one table once for all its sides at all their levels; nothing where no level can be told apart."""
    told = [(kpi, role, side) for kpi, role, side in asked if levels_of(kpi, contract)]
    levels = tuple(level for level in LEVELS if any(level in levels_of(kpi, contract) for kpi, _, _ in told))
    if not levels:
        return None
    found = Asked(table, rows, levels, hour=hour)
    for kpi, role, side in told:
        found.sides.append(side)
        listed = counted(kpi, role, side, contract, dialect)
        found.refers[kpi.id, role] = {name: found.named("c", sql) for name, sql in listed.items()}
    return found


def histograms(kpi: Kpi, contract: Mapping[str, Table], dialect: Dialect, *, hour: str = "") -> list[tuple[str, Asked]]:
    """Ask for the values of a percentile bin by bin, and for the censored ones; by the role of each."""
    levels = tuple(levels_of(kpi, contract))
    given = [kpi.measure.numerator, *([kpi.measure.censored] if kpi.measure.censored else [])]
    if not levels or any(not side.of for side in given):
        return []
    found = []
    for role, side in zip(("n", "censored"), given, strict=False):
        where, of = condition(kpi, side, contract, dialect), side.checked(contract)[1]
        value = f"CAST(ceil({of.written(dialect) if of else 'NULL'}) AS {dialect.types['integer']})"
        one = Asked(contract[side.table], side.rows(contract), levels, where=where, hour=hour, sides=[side])
        one.binned = dialect.coarse(value) if kpi.measure.bins == "coarse" else value
        one.named("n", f"CAST(count(*) AS {dialect.types['integer']})")
        found.append((role, one))
    return found


def week_told(rows: Rows, kind: Kind) -> bool:
    """Tell whether the period of a row tells the ISO week of its local day, so that it need not be asked for."""
    return kind in ("day", "week") and not (rows.by or rows.later_days or rows.open_until)

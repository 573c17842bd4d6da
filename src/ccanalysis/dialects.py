"""How the component query is written for each engine: DuckDB, PostgreSQL and Spark.

The engines agree on counting, adding and grouping; they differ in a handful of things (where a week begins, how a
half is rounded, how a time becomes a number), each of which is one method here. Everything is done in whole numbers
and plain days, so the answers agree to the last bit and no engine's session zone has a part in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import ClassVar, Literal

from ccanalysis.contracts import Type
from ccanalysis.periods import Kind

Number = Literal["integer", "decimal", "double"]

# From here on a bin is 1/64 of its power of two wide.
COARSE_BITS = 7


class Dialect:
    """What is written the same everywhere; and, where engines differ, how DuckDB writes it.

    Attributes:
        name: The name that sqlglot knows it by.
        types: Contract type -> type of the engine.
    """

    name = "duckdb"
    types: ClassVar[dict[Type, str]] = {
        "text": "VARCHAR",
        "integer": "BIGINT",
        "number": "DOUBLE",
        "boolean": "BOOLEAN",
        "instant": "TIMESTAMPTZ",
        "date": "DATE",
    }

    def quoted(self, name: str) -> str:
        """Write a name as a quoted identifier."""
        return '"' + name.replace('"', '""') + '"'

    def text(self, value: str) -> str:
        """Write a text as a literal."""
        return "'" + value.replace("'", "''") + "'"

    def day(self, value: date) -> str:
        """Write a local day as a literal."""
        return f"DATE '{value.isoformat()}'"

    def instant(self, value: str) -> str:
        """Write an instant as a literal; one without a zone is UTC."""
        return f"CAST({self.text(value)} AS {self.types['instant']})"

    def column(self, name: str, kind: Type) -> str:
        """Write a column of a warehouse in the contract's type."""
        return f"CAST({self.quoted(name)} AS {self.types[kind]})"

    def nothing(self, kind: Type) -> str:
        """Write a column that the warehouse does not have."""
        return f"CAST(NULL AS {self.types[kind]})"

    def period(self, kind: Kind, day: str) -> str:
        """Write the first day of the period that a day lies in; weeks begin on Monday."""
        return day if kind == "day" else f"CAST(date_trunc('{kind}', {day}) AS DATE)"

    def later(self, day: str, days: str | int) -> str:
        """Write a day so many days later."""
        return f"({day} + CAST({days} AS INTEGER))"

    def days(self, later: str, earlier: str) -> str:
        """Write how many days lie between two days."""
        return f"date_diff('day', {earlier}, {later})"

    def micros(self, instant: str) -> str:
        """Write the microseconds of an instant since 1970."""
        return f"epoch_us({instant})"

    def seconds(self, later: str, earlier: str) -> str:
        """Write the whole seconds between two counts of microseconds; half a second counts as one, either way."""
        gap = f"({later} - {earlier})"
        half = f"CASE WHEN {gap} < 0 THEN -500000 ELSE 500000 END"
        return self.divided(f"({gap} + {half})", 1_000_000)

    def divided(self, value: str, by: str | int) -> str:
        """Write a whole number divided by another, cut towards nought."""
        return f"({value} // {by})"

    def local(self, instant: str, zone: str) -> str:
        """Write the wall-clock time of an instant in a zone."""
        return f"timezone({self.text(zone)}, {instant})"

    def second_of_day(self, local: str) -> str:
        """Write the whole seconds of a wall-clock time since its midnight."""
        return f"(hour({local}) * 3600 + minute({local}) * 60 + second({local}))"

    def whole(self, value: str, number: Number) -> str:
        """Write a number rounded to a whole one, halves away from nought."""
        return f"CAST({value} AS BIGINT)" if number == "integer" else f"CAST(round({value}) AS BIGINT)"

    def coarse(self, value: str) -> str:
        """Write the coarse bin of a whole number: itself below 128, else the middle of its 64th of a power of two."""
        step = f"(1::BIGINT << greatest(length(bin(({value})::BIGINT)) - {COARSE_BITS}, 0))"
        return f"(({value})::BIGINT // {step} * {step} + {step} // 2)"

    def place(self, rank: str) -> str:
        """Write a mask of 64 places with one of them set: the one of a rank."""
        return f"(1::UBIGINT << (({rank}) % 64)::UBIGINT)"

    def places(self, masks: str, condition: str) -> str:
        """Count the places that are set in any mask of the rows under a condition."""
        return f"CAST(coalesce(bit_count(bit_or(CASE WHEN {condition} THEN {masks} END)), 0) AS BIGINT)"

    def rows(self, columns: Sequence[str], listed: Iterable[Sequence[str]], kinds: Sequence[Type]) -> str:
        """Write a small relation whole, from the literals of its rows."""
        values = [f"({', '.join(row)})" for row in listed]
        if not values:
            none = ", ".join(f"CAST(NULL AS {self.types[k]}) AS {c}" for c, k in zip(columns, kinds, strict=True))
            return f"(SELECT * FROM (SELECT {none}) e WHERE 1 = 0)"
        given = f"(VALUES {', '.join(values)}) AS v({', '.join(columns)})"
        cast = ", ".join(f"CAST({c} AS {self.types[k]}) AS {c}" for c, k in zip(columns, kinds, strict=True))
        return f"(SELECT {cast} FROM {given})"


class PostgreSQL(Dialect):
    """PostgreSQL 14 or later. Texts are ordered by their bytes, as the others do."""

    name = "postgres"
    types: ClassVar[dict[Type, str]] = {
        "text": "text",
        "integer": "bigint",
        "number": "double precision",
        "boolean": "boolean",
        "instant": "timestamptz",
        "date": "date",
    }

    def instant(self, value: str) -> str:
        """Name UTC where no zone is given, for the session may have another."""
        return super().instant(_zoned(value))

    def column(self, name: str, kind: Type) -> str:
        """A database's own collation would order texts in its language."""
        return super().column(name, kind) + (' COLLATE "C"' if kind == "text" else "")

    def period(self, kind: Kind, day: str) -> str:
        """A day without a time would be taken in the session's zone."""
        return day if kind == "day" else f"CAST(date_trunc('{kind}', CAST({day} AS timestamp)) AS date)"

    def days(self, later: str, earlier: str) -> str:
        """Two days differ by a whole number."""
        return f"CAST({later} - {earlier} AS bigint)"

    def micros(self, instant: str) -> str:
        """The epoch is an exact decimal from PostgreSQL 14 on."""
        return f"CAST(extract(epoch FROM {instant}) * 1000000 AS bigint)"

    def divided(self, value: str, by: str | int) -> str:
        """Whole numbers divide to whole ones."""
        return f"({value} / {by})"

    def second_of_day(self, local: str) -> str:
        """Cut, where a cast would round."""
        return f"CAST(floor(extract(epoch FROM CAST({local} AS time))) AS bigint)"

    def whole(self, value: str, number: Number) -> str:
        """Round a double as the others do: PostgreSQL's own takes halves to the even number."""
        if number != "double":
            return super().whole(value, number)
        cut = f"trunc(CAST({value} AS double precision))"
        up = f"CASE WHEN abs({value} - {cut}) >= 0.5 THEN sign(CAST({value} AS double precision)) ELSE 0 END"
        return f"CAST({cut} + {up} AS bigint)"

    def coarse(self, value: str) -> str:
        """The length in bits is that of the digits without leading noughts."""
        bits = f"length(ltrim(CAST(CAST(({value}) AS bit(64)) AS text), '0'))"
        step = f"(CAST(1 AS bigint) << greatest({bits} - {COARSE_BITS}, 0))"
        return f"(({value}) / {step} * {step} + {step} / 2)"

    def place(self, rank: str) -> str:
        """The highest place is the sign."""
        return f"(CAST(1 AS bigint) << CAST(({rank}) % 64 AS integer))"

    def places(self, masks: str, condition: str) -> str:
        """Bits are counted in a string of bits."""
        found = f"bit_or(CASE WHEN {condition} THEN {masks} END)"
        return f"coalesce(bit_count(CAST({found} AS bit(64))), 0)"


class Spark(Dialect):
    """Spark 4 with ANSI arithmetic, its default: a sum that grows too large is an error and not another number."""

    name = "spark"
    types: ClassVar[dict[Type, str]] = {
        "text": "STRING",
        "integer": "BIGINT",
        "number": "DOUBLE",
        "boolean": "BOOLEAN",
        "instant": "TIMESTAMP_LTZ",
        "date": "DATE",
    }
    _TRUNCATED: ClassVar[dict[Kind, str]] = {"week": "WEEK", "month": "MM", "quarter": "QUARTER", "year": "YEAR"}

    def quoted(self, name: str) -> str:
        """Double quotes would make a text."""
        return "`" + name.replace("`", "``") + "`"

    def text(self, value: str) -> str:
        """How a text escapes a character depends on the session, so what needs it is written by its bytes."""
        if set(value) & set("'\\\"") or not value.isprintable():
            return f"decode(unhex('{value.encode().hex()}'), 'UTF-8')"
        return f"'{value}'"

    def instant(self, value: str) -> str:
        """Name UTC where no zone is given, for the session may have another."""
        return super().instant(_zoned(value))

    def period(self, kind: Kind, day: str) -> str:
        """Days are cut as days, so that no zone has a part in it."""
        return day if kind == "day" else f"trunc({day}, '{self._TRUNCATED[kind]}')"

    def later(self, day: str, days: str | int) -> str:
        """Days are not added by a sign."""
        return f"date_add({day}, CAST({days} AS INT))"

    def days(self, later: str, earlier: str) -> str:
        """The later day comes first."""
        return f"CAST(datediff({later}, {earlier}) AS BIGINT)"

    def micros(self, instant: str) -> str:
        """The same, by another name."""
        return f"unix_micros({instant})"

    def divided(self, value: str, by: str | int) -> str:
        """A slash would give a fraction."""
        return f"({value} DIV {by})"

    def local(self, instant: str, zone: str) -> str:
        """Go by microseconds since 1970, so that the session's zone has no part in it."""
        utc = f"(TIMESTAMP_NTZ '1970-01-01 00:00:00' + unix_micros({instant}) * INTERVAL '0.000001' SECOND)"
        return f"convert_timezone('UTC', {self.text(zone)}, {utc})"

    def coarse(self, value: str) -> str:
        """Shifts have names."""
        step = f"shiftleft(CAST(1 AS BIGINT), CAST(greatest(length(bin({value})) - {COARSE_BITS}, 0) AS INT))"
        return f"(({value}) DIV {step} * {step} + {step} DIV 2)"

    def place(self, rank: str) -> str:
        """The highest place is the sign."""
        return f"shiftleft(CAST(1 AS BIGINT), CAST(({rank}) % 64 AS INT))"


def _zoned(value: str) -> str:
    """Write an instant in ISO 8601 whole, in UTC."""
    read = datetime.fromisoformat(value)
    return (read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)).isoformat(sep=" ")


DUCKDB, POSTGRESQL, SPARK = Dialect(), PostgreSQL(), Spark()

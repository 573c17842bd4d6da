"""From the text of a cell to the value of a contract column, as the mapping declares it, in SQL.

Every format arrives here as text. Cells that a workbook or a Parquet file stores with a type are marked, so that a
real date is never confused with a text that looks like one: `\\x1fd` before a date or time stamp in ISO 8601, `\\x1ft`
before a time of day or a duration as h:mm:ss, `\\x1fe` for an error cell. No cell of a text file can hold the mark, for
rows with control characters are quarantined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

from ccanalysis.contracts import Column, Table
from ccanalysis.engine import literal, quoted
from ccanalysis.errors import SettingsError, nearest, place
from ccanalysis.sources.clock_changes import FIRST_YEAR, LAST_YEAR, instant_sql, local_sql
from ccanalysis.sources.rules import reason
from ccanalysis.workspace import SETTINGS_FILE, FieldMapping, SecondClock, Source

if TYPE_CHECKING:
    import duckdb

Blanks = Literal["none", "spaces", "any"]
MARK = "\x1f"
_BLANKS = "' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(8239) || chr(65279)"
_SECONDS = {"s": 1, "ms": 0.001, "min": 60, "h": 3600, "day": 86_400, "hh:mm:ss": 1}
_OFFSET = r"(Z|z|[+-]\d{2}(:?\d{2})?)"
_ISO_TIME = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?"
_EXCEL_DAYS = (61, 2_958_465)  # 1 March 1900, after the leap day that never was, to 9999


@dataclass(frozen=True)
class Casting:
    """The SQL that turns the rows of one export into rows of its contract table.

    Attributes:
        select: A query over a relation `export` with `_file`, `_row`, `_control` (it holds control characters) and
            `c0`, `c1` ..; it gives file and row, `_zoneless` (a time came without offset), `_aside` (the row is
            declared not to be a record), the mapped columns and `_faults`, a list of `column|rule|detail` or NULL.
        used: The positions of the export's columns that are needed.
        positions: Export column -> position in the file.
        origin: Contract column -> export columns it comes from.
        details: (contract column, rule) -> what the reason adds.
    """

    select: str
    used: tuple[int, ...]
    positions: Mapping[str, int]
    origin: Mapping[str, tuple[str, ...]]
    details: Mapping[tuple[str, str], str]

    def reason(self, column: str, rule: str, detail: str) -> str:
        """Say a fault in words."""
        return reason(
            rule,
            name=column,
            origin=self.origin.get(column, ()),
            detail=detail or self.details.get((column, rule), ""),
        )


def wanted_columns(source: Source) -> dict[str, str]:
    """Return each export column that a mapping names, with the setting that names it."""
    wanted: dict[str, str] = {}
    for key, mapping in source.columns.items():
        for name in mapping.columns:
            wanted.setdefault(name, key)
        for where, _ in mapping.cases:
            for name in where:
                wanted.setdefault(name, key)
        for name in mapping.agrees_with.columns if mapping.agrees_with else ():
            wanted.setdefault(name, key)
    for name in source.ignore_where:
        wanted.setdefault(name, "ignore_where")
    return wanted


def casting(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    table: Table,
    positions: Mapping[str, int],
    *,
    zone: str,
    days: str,
    blanks: Blanks = "any",
    inner_newline: str = "",
) -> Casting:
    """Write the SQL for one source.

    Args:
        connection: The engine, asked whether it can follow a pattern of times.
        source: The declared mapping.
        table: Its contract table.
        positions: Export column -> position in the file.
        zone: The zone of times without an offset.
        days: The tables of days of that zone, as `clock_changes.add_day_tables` names them.
        blanks: What cells may begin or end with; empty cells are NULL in any case.
        inner_newline: The character that stands for a line break inside a value, if there is one.

    Raises:
        SettingsError: The mapping cannot be followed.
    """
    return _Builder(connection, source, table, positions, zone, days, blanks, inner_newline).build()


class _Builder:
    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        source: Source,
        table: Table,
        positions: Mapping[str, int],
        zone: str,
        days: str,
        blanks: Blanks,
        inner_newline: str,
    ) -> None:
        self.connection = connection
        self.source = source
        self.table = table
        self.positions = positions
        self.zone = zone
        self.days = days
        self.blanks = blanks
        self.inner_newline = inner_newline
        self.typed = source.format in ("excel", "parquet", "postgresql")
        self.details: dict[tuple[str, str], str] = {}
        self.moments: list[str] = []
        self.doubts: list[str] = []
        self.joins: list[str] = []
        self.locals: list[str] = []
        self.number = _number_patterns(source)

    def error(self, problem: str, remedy: str) -> SettingsError:
        return SettingsError(
            f"source {self.source.name!r}: {problem}",
            remedy=remedy,
            place=place(SETTINGS_FILE, line=self.source.line),
        )

    def build(self) -> Casting:
        names = {column.name: column for column in self.table.fillable}
        mapped = {name: mapping for name, mapping in self.source.columns.items() if name in names}
        direct = {n: m for n, m in mapped.items() if not m.seconds_between and not m.product}
        texts = {n: self._text(m, names[n]) for n, m in direct.items() if m.columns}
        read = {n: self._direct(names[n], m) for n, m in direct.items()}
        between = {n: self._between(n, m, names) for n, m in mapped.items() if m.seconds_between}
        product = {n: self._product(n, m, names) for n, m in mapped.items() if m.product}
        faults = [f"{fault} AS {_f(name)}" for name, (_, fault) in read.items() if fault]
        faulty = [name for name, (_, fault) in read.items() if fault]
        checks = {n: check for n in mapped if (check := self._check(names[n], has_fault=n in faulty))}
        listed = "NULL::VARCHAR[]"
        if checks:
            every = ", ".join(_v(name) for name in checks)
            listed = f"CASE WHEN coalesce({every}) IS NOT NULL THEN list_filter([{every}], lambda f: f IS NOT NULL) END"
        zoneless = " OR ".join(f"{local} IS NOT NULL" for local in self.locals) or "false"
        columns = [
            f"{_kept(c) if c.name in mapped else 'NULL'}::{c.sql_type} AS {quoted(c.name)}" for c in names.values()
        ]
        used = sorted(set(self.positions.values()))
        cleaned = [f"{self._clean(position)} AS c{position}" for position in used]
        set_aside = self._set_aside()
        # Layers, so that no text is read twice: cells, texts, moments, values, faults, derived values, verdict.
        query = f"SELECT {', '.join(['_file', '_row', '_control', *cleaned, f'{set_aside} AS _aside'])} FROM export"
        values = _aliased({name: value for name, (value, _) in read.items()}, quoted)
        if texts:
            query = f"SELECT *, {', '.join(_aliased(texts, _t))} FROM ({query})"
        if self.moments:
            query = f"SELECT *, {', '.join(self.moments)} FROM ({query})"
        query = f"SELECT q.*, {', '.join([*values, *self.doubts])} FROM ({query}) AS q {' '.join(self.joins)}"
        for layer in (faults, _aliased(between, quoted), _aliased(product, quoted), _aliased(checks, _v)):
            if layer:
                query = f"SELECT *, {', '.join(layer)} FROM ({query})"
        answer = [
            "_file",
            "_row",
            "_aside",
            f"({zoneless}) AS _zoneless",
            *columns,
            f"CASE WHEN _control THEN ['|control'] ELSE {listed} END AS _faults",
        ]
        return Casting(
            select=f"SELECT {', '.join(answer)} FROM ({query})",
            used=tuple(used),
            positions=self.positions,
            origin={name: mapping.columns for name, mapping in mapped.items() if mapping.columns},
            details=self.details,
        )

    def _clean(self, position: int) -> str:
        raw = f"c{position}"
        if self.inner_newline:
            raw = f"replace({raw}, {literal(self.inner_newline)}, chr(10))"
        # Trimming costs 0.7 to 1 µs a cell, looking at its two ends a tenth of that.
        if self.blanks == "any":
            return f"nullif(trim({raw}, {_BLANKS}), '')"
        if self.blanks == "spaces":
            spaced = f"starts_with({raw}, ' ') OR ends_with({raw}, ' ')"
            return f"CASE WHEN {spaced} THEN nullif(trim({raw}), '') ELSE {raw} END"
        return raw

    def _set_aside(self) -> str:
        conditions = [
            f"coalesce({self._clean(self.positions[name])}, '') IN ({_texts(texts)})"
            for name, texts in self.source.ignore_where.items()
            if texts
        ]
        return " OR ".join(conditions) or "false"

    def _text(self, mapping: FieldMapping, column: Column) -> str:
        """The text of a column: its parts without missing ones, joined, and looked up in the codes."""
        parts = [f"c{self.positions[name]}" for name in mapping.columns]
        if mapping.missing:
            parts = [f"CASE WHEN {part} NOT IN ({_texts(mapping.missing)}) THEN {part} END" for part in parts]
        if len(parts) == 1:
            return parts[0]
        if column.type == "text":
            stripped = [self._unmarked(part) for part in parts] if self.typed else parts
            text = f"nullif(concat_ws(' ', {', '.join(stripped)}), '')"
        else:
            text = " || ' ' || ".join(parts)
            if self.typed and len(parts) == 2:  # a date cell and a time cell
                day, clock = parts
                text = (
                    f"CASE WHEN starts_with({day}, {literal(MARK + 'd')}) "
                    f"AND starts_with({clock}, {literal(MARK + 't')}) "
                    f"THEN substr({day}, 1, 12) || ' ' || substr({clock}, 3) ELSE {text} END"
                )
        return f"CASE WHEN ({text}) NOT IN ({_texts(mapping.missing)}) THEN {text} END" if mapping.missing else text

    def _unmarked(self, text: str) -> str:
        return f"CASE WHEN starts_with({text}, {literal(MARK)}) THEN substr({text}, 3) ELSE {text} END"

    def _written(self, text: str) -> str:
        """The text where it is one, and not a cell that the file stores with a type."""
        return f"CASE WHEN NOT starts_with({text}, {literal(MARK)}) THEN {text} END" if self.typed else text

    def _moment_column(self, name: str, sql: str) -> str:
        """Read a moment in a layer of its own and return its name."""
        self.moments.append(f"{sql} AS {quoted(name)}")
        return quoted(name)

    def _direct(self, column: Column, mapping: FieldMapping) -> tuple[str, str]:
        """The value of a column that the export or the settings give, and its fault (`` where it can have none)."""
        value = quoted(column.name)
        if mapping.value is not None:
            return self._constant(column, mapping.value), ""
        if mapping.cases:
            branches = " ".join(
                f"WHEN {self._where(where)} THEN {self._constant(column, given)}" for where, given in mapping.cases
            )
            return f"CASE {branches} END", f"CASE WHEN {value} IS NULL THEN 'cases' END"
        text = _t(column.name)
        if mapping.codes is not None:
            codes = {raw.strip(): self._constant(column, given) for raw, given in mapping.codes.items()}
            branches = " ".join(f"WHEN {literal(raw)} THEN {given}" for raw, given in codes.items())
            subject = f"coalesce({text}, '')" if "" in codes else text
            read = f"CASE {subject} {branches} END" if branches else "NULL"
            faults = [f"WHEN {value} IS NULL THEN 'code'"]
        else:
            builders: dict[str, Callable[[Column, FieldMapping, str], tuple[str, list[str]]]] = {
                "text": self._as_text,
                "boolean": self._as_boolean,
                "integer": self._as_number,
                "number": self._as_number,
                "instant": self._as_instant,
                "date": self._as_date,
            }
            read, faults = builders[column.type](column, mapping, text)
        if self.typed:
            read = f"CASE WHEN {text} = {literal(MARK + 'e')} THEN NULL ELSE {read} END"
            faults.insert(0, f"WHEN {text} = {literal(MARK + 'e')} THEN 'error_cell'")
        fault = f"CASE WHEN {text} IS NULL THEN NULL {' '.join(faults)} END" if faults else ""
        return read, fault

    def _where(self, where: Mapping[str, tuple[str, ...]]) -> str:
        return " AND ".join(
            f"coalesce(c{self.positions[name]}, '') IN ({_texts(texts)})" for name, texts in where.items()
        )

    def _constant(self, column: Column, value: str | float | bool) -> str:
        """A value from the settings as an SQL literal of the column's type."""
        text = str(value)
        try:
            match column.type:
                case "text":
                    return literal(text)
                case "boolean":
                    return {"true": "true", "false": "false"}[text.lower()]
                case "integer":
                    return str(int(text))
                case "number":
                    return f"{float(text)!r}::DOUBLE"
                case "date":
                    return f"DATE {literal(date.fromisoformat(text).isoformat())}"
                case "instant":
                    return f"TIMESTAMPTZ {literal(_with_offset(text).isoformat(' '))}"
        except (KeyError, ValueError):
            kinds = {
                "boolean": "true or false",
                "integer": "a whole number",
                "number": "a number",
                "date": "a date such as 2026-11-09",
                "instant": "a time with its offset such as 2026-11-09T08:00:00+00:00",
            }
            raise self.error(f"{column.name!r} is given {text!r}", f"Give {kinds[column.type]}") from None

    # One method per contract type: text cell -> the value, NULL where it cannot be read, and what is wrong then.

    def _as_text(self, column: Column, mapping: FieldMapping, text: str) -> tuple[str, list[str]]:
        return (self._unmarked(text) if self.typed else text), []

    def _as_boolean(self, column: Column, mapping: FieldMapping, text: str) -> tuple[str, list[str]]:
        true, false = mapping.true, mapping.false
        if self.typed:
            true, false = (*true, "TRUE"), (*false, "FALSE")
        read = f"CASE WHEN {text} IN ({_texts(true)}) THEN true WHEN {text} IN ({_texts(false)}) THEN false END"
        return read, [f"WHEN {quoted(column.name)} IS NULL THEN 'flag'"]

    def _as_number(self, column: Column, mapping: FieldMapping, text: str) -> tuple[str, list[str]]:
        name = column.name
        whole = column.type == "integer"
        measured = bool(mapping.unit) or mapping.scale is not None
        rule = (
            "duration"
            if mapping.unit
            else "time"
            if mapping.format
            else "whole"
            if whole and not measured
            else "number"
        )
        faults = [f"WHEN {quoted(name)} IS NULL THEN '{rule}'"]
        if mapping.unit:
            self.details[name, "duration"] = mapping.unit
        if mapping.unit == "hh:mm:ss":
            seconds = self._clock_seconds(text)
            return (f"round({seconds})::BIGINT" if whole else seconds), faults
        if mapping.format:  # the hour of a time of day
            self._check_format(mapping.format)
            self.details[name, "time"] = mapping.format
            hour = f"hour(try_strptime({self._written(text)}, {literal(mapping.format)}))"
            if self.typed:
                stored = f"split_part(substr({text}, 3), ':', 1)"
                marked = f"starts_with({text}, {literal(MARK + 't')})"
                hour = f"coalesce({hour}, CASE WHEN {marked} THEN try_cast({stored} AS BIGINT) END)"
            return hour, faults
        factor: float = _SECONDS[mapping.unit] if mapping.unit else 1
        if mapping.scale is not None:
            factor *= mapping.scale
        if mapping.scale == 0.01:
            text = f"regexp_replace({text}, ' ?%$', '')"
        plain = self.number(text)
        scaled = _times(f"try_cast({plain} AS DOUBLE)", factor)
        if not whole:
            return scaled, [*faults, f"WHEN NOT isfinite({quoted(name)}) THEN '{rule}'"]
        if measured:
            slow = f"try_cast(round({scaled}) AS BIGINT)"
        else:
            digits = f"regexp_full_match({plain}, '[+-]?\\d+(\\.0*)?')"
            slow = f"CASE WHEN {digits} THEN try_cast(split_part({plain}, '.', 1) AS BIGINT) END"
        if factor != 1:
            return slow, faults
        fast = f"try_cast({text} AS BIGINT)"
        return f"CASE WHEN {fast}::VARCHAR = {text} THEN {fast} ELSE {slow} END", faults

    def _clock_seconds(self, text: str) -> str:
        clock = (
            f"CASE WHEN starts_with({text}, {literal(MARK + 't')}) THEN substr({text}, 3) ELSE {text} END"
            if self.typed
            else text
        )
        pattern = r"-?\d{1,6}:[0-5]\d:[0-5]\d([.,]\d+)?"
        interval = f"try_cast(replace({clock}, ',', '.') AS INTERVAL)"
        return f"CASE WHEN regexp_full_match({clock}, '{pattern}') THEN epoch_us({interval}) / 1000000.0 END"

    def _as_instant(self, column: Column, mapping: FieldMapping, text: str) -> tuple[str, list[str]]:
        name, form = column.name, mapping.format or "iso"
        self.details[name, "time"] = _format_in_words(form, workbook=self.source.format == "excel")
        self.details[name, "year"] = f"{FIRST_YEAR} to {LAST_YEAR}"
        local, instant = self._moment(form, text)
        readings, faults = [], [f"WHEN {quoted(name)} IS NULL THEN 'time'"]
        if instant:
            readings.append(self._moment_column(f"{name}@instant", instant))
        faults.append(f"WHEN year({quoted(name)}) NOT BETWEEN {FIRST_YEAR} AND {LAST_YEAR} THEN 'year'")
        if local:
            local, day = self._moment_column(f"{name}@local", local), quoted(f"{name}@day")
            self.locals.append(local)
            self.joins.append(f"LEFT JOIN {self.days}_local AS {day} ON {day}.day = {local}::DATE")
            readings.append(instant_sql(self.zone, local, day))
            doubt = quoted(f"{name}@doubt")
            self.doubts.append(
                f"CASE WHEN {local} >= {day}.start AND {local} < {day}.stop THEN {day}.fault END AS {doubt}"
            )
            faults.append(f"WHEN {doubt} IS NOT NULL THEN {doubt}")
        if mapping.agrees_with:
            faults.append(self._second_clock(name, mapping.agrees_with))
        return f"coalesce({', '.join(readings)})" if len(readings) > 1 else readings[0], faults

    def _second_clock(self, name: str, clock: SecondClock) -> str:
        """The fault of a time with which another column of the row does not agree, or that this one does not tell."""
        self.details[name, "clocks"] = f"{clock.within_s:,} seconds"
        text = " || ' ' || ".join(f"c{self.positions[column]}" for column in clock.columns)
        local, instant = self._moment(clock.format, text)
        readings = [self._moment_column(f"{name}@instant 2", instant)] if instant else []
        if local:
            local, day = self._moment_column(f"{name}@local 2", local), quoted(f"{name}@day 2")
            self.joins.append(f"LEFT JOIN {self.days}_local AS {day} ON {day}.day = {local}::DATE")
            readings.append(instant_sql(self.zone, local, day))
        self.moments.append(f"{text} AS {quoted(f'{name}@text 2')}")
        other, written = quoted(f"{name}@other"), quoted(f"{name}@text 2")
        self.doubts.append(f"coalesce({', '.join([*readings, 'NULL'])}) AS {other}")
        apart = f"abs(epoch_us({quoted(name)}) - epoch_us({other})) > {clock.within_s * 1_000_000}"
        return f"WHEN ({other} IS NULL AND {written} IS NOT NULL) OR {apart} THEN 'clocks'"

    def _moment(self, form: str, text: str) -> tuple[str, str]:
        """A time as SQL: its local reading without offset, and its instant where the text says it; '' where never."""
        plain = self._written(text)
        stored = f"CASE WHEN starts_with({text}, {literal(MARK + 'd')}) THEN substr({text}, 3) END"
        if form in ("epoch_s", "epoch_ms"):
            exact = f"try_cast({self.number(plain)} AS DECIMAL(24, 6)) * {1_000_000 if form == 'epoch_s' else 1_000}"
            bounded = f"CASE WHEN abs({exact}) < 1e17 THEN make_timestamp(({exact})::BIGINT) END"
            return self._with_stored(form, "", f"timezone('UTC', {bounded})", stored)
        if form == "excel":
            serial = f"try_cast({self.number(plain)} AS DOUBLE)"
            low, high = _EXCEL_DAYS
            moment = (
                f"CASE WHEN {serial} BETWEEN {low} AND {high} THEN "
                f"TIMESTAMP '1899-12-30' + to_milliseconds(round({serial} * 86400000)::BIGINT) END"
            )
            return self._with_stored(form, moment, "", stored)
        if form == "iso":
            local = f"CASE WHEN regexp_full_match({plain}, '{_ISO_TIME}') THEN try_cast({plain} AS TIMESTAMP) END"
            with_offset = f"regexp_full_match({plain}, '{_ISO_TIME}{_OFFSET}')"
            instant = f"CASE WHEN {with_offset} THEN try_cast({plain} AS TIMESTAMPTZ) END"
            return self._with_stored(form, local, instant, stored)
        self._check_format(form)
        parsed = f"try_strptime({plain}, {literal(form)})"
        return self._with_stored(form, *(("", parsed) if "%z" in form else (parsed, "")), stored)

    def _with_stored(self, form: str, local: str, instant: str, stored: str) -> tuple[str, str]:
        """Add the cells that the file itself stores as times; a workbook's only where the mapping says so."""
        if not self.typed or (self.source.format == "excel" and form not in ("excel", "iso")):
            return local, instant
        offset = f"regexp_matches({stored}, '[+-]\\d{{2}}(:?\\d{{2}})?$') AND length({stored}) > 19"
        local_stored = f"CASE WHEN NOT ({offset}) THEN try_cast({stored} AS TIMESTAMP) END"
        instant_stored = f"CASE WHEN {offset} THEN try_cast({stored} AS TIMESTAMPTZ) END"
        return (
            f"coalesce({local}, {local_stored})" if local else local_stored,
            f"coalesce({instant}, {instant_stored})" if instant else instant_stored,
        )

    def _as_date(self, column: Column, mapping: FieldMapping, text: str) -> tuple[str, list[str]]:
        form = mapping.format or "iso"
        self.details[column.name, "date"] = _format_in_words(form, day=True, workbook=self.source.format == "excel")
        self.details[column.name, "year"] = "1900 to 9999"
        if form == "iso":
            plain = self._written(text)
            stored = f"CASE WHEN starts_with({text}, {literal(MARK + 'd')}) THEN substr({text}, 3) END"
            day = (
                f"CASE WHEN regexp_full_match({plain}, '\\d{{4}}-\\d{{2}}-\\d{{2}}([T ]00:00(:00(\\.0+)?)?)?') "
                f"THEN try_cast(substr({plain}, 1, 10) AS DATE) END"
            )
            local, instant = self._with_stored(form, "NULL::TIMESTAMP", "", stored) if self.typed else ("", "")
            days = [day]
        else:
            local, instant = self._moment(form, text)
            days = []
        if local:
            days.append(f"({local})::DATE")
        if instant:
            instant, utc_day = self._moment_column(f"{column.name}@instant", instant), quoted(f"{column.name}@day")
            self.joins.append(
                f"LEFT JOIN {self.days}_utc AS {utc_day} ON {utc_day}.day = make_timestamp(epoch_us({instant}))::DATE"
            )
            days.append(f"({local_sql(self.zone, instant, utc_day)})::DATE")
        return f"coalesce({', '.join(days)})" if len(days) > 1 else days[0], [
            f"WHEN {quoted(column.name)} IS NULL THEN 'date'",
            f"WHEN year({quoted(column.name)}) NOT BETWEEN 1900 AND 9999 THEN 'year'",
        ]

    def _check_format(self, form: str) -> None:
        """Refuse a pattern that the engine cannot follow, or that names zones by ambiguous letters."""
        import duckdb  # noqa: PLC0415  0.2 s, only when a mapping is followed

        try:
            self.connection.execute(f"SELECT typeof(try_strptime('', {literal(form)}))").fetchall()
        except duckdb.Error:
            known = False
        else:
            known = "%" in form and "%Z" not in form
        if not known:
            raise self.error(
                f"the format {form!r} is not a pattern of times",
                'Write for example "%d/%m/%Y %H:%M:%S", "iso", "epoch_s", "epoch_ms" or "excel"; offsets are %z',
            )

    def _between(self, name: str, mapping: FieldMapping, names: Mapping[str, Column]) -> str:
        pair = mapping.seconds_between or ()
        for other in pair:
            if names.get(other) is None or names[other].type != "instant" or other not in self.source.columns:
                raise self.error(
                    f"{name!r} needs the time {other!r}, which this source does not map",
                    nearest(other, [n for n in self.source.columns if names[n].type == "instant"]),
                )
        earlier, later = (quoted(other) for other in pair)
        return f"round((epoch_us({later}) - epoch_us({earlier})) / 1000000.0)::BIGINT"

    def _product(self, name: str, mapping: FieldMapping, names: Mapping[str, Column]) -> str:
        for other in mapping.product:
            factor = self.source.columns.get(other)
            if factor is None or factor.product or names[other].type not in ("integer", "number"):
                raise self.error(
                    f"{name!r} multiplies {other!r}, which this source does not map as a number",
                    nearest(other, [n for n in self.source.columns if names[n].type in ("integer", "number")]),
                )
        product = " * ".join(f"{quoted(other)}::DOUBLE" for other in mapping.product)
        return f"try_cast(round({product}) AS {names[name].sql_type})"

    def _check(self, column: Column, *, has_fault: bool) -> str:
        """The fault of one column, or `` where it can have none: how its cell was read, presence, values, range."""
        name, value = column.name, quoted(column.name)
        branches = []
        if has_fault:
            branches.append(f"WHEN {_f(name)} IS NOT NULL THEN {literal(name + '|')} || {_f(name)}")
        if column.required:
            branches.append(f"WHEN {value} IS NULL THEN {literal(name + '|required')}")
        if column.values:
            self.details[name, "values"] = ", ".join(column.values)
            branches.append(f"WHEN {value} NOT IN ({_texts(column.values)}) THEN {literal(name + '|values')}")
        if column.type in ("integer", "number"):
            for rule, limit, sign in (("low", column.low, "<"), ("high", column.high, ">")):
                if limit is not None:
                    self.details[name, rule] = f"{limit:,.10g}"
                    branches.append(f"WHEN {value} {sign} {limit!r} THEN {literal(f'{name}|{rule}')}")
        return f"CASE {' '.join(branches)} END" if branches else ""


def _with_offset(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at


def _aliased(expressions: Mapping[str, str], alias: Callable[[str], str]) -> list[str]:
    return [f"{sql} AS {alias(name)}" for name, sql in expressions.items()]


def _t(name: str) -> str:
    return quoted(f"{name}~")


def _kept(column: Column) -> str:
    """Write what is kept of a value; of free text, what is left when card data are masked."""
    name = quoted(column.name)
    if not column.free:
        return name
    return f"CASE WHEN length({name}) > 2 THEN mask_card_data({name}) ELSE {name} END"


def _v(name: str) -> str:
    return quoted(f"{name}?")


def _f(name: str) -> str:
    return quoted(f"{name}!")


def _texts(texts: tuple[str, ...]) -> str:
    return ", ".join(literal(text.strip()) for text in texts)


def _times(value: str, factor: float) -> str:
    """Multiply; by a hundredth as a division by 100, which is exact to the last digit where the product is not."""
    if factor == 1:
        return value
    inverse = 1 / factor if factor else 0.0
    if abs(factor) < 1 and abs(inverse - round(inverse)) < 1e-9 * abs(inverse):
        return f"{value} / {round(inverse)}"
    return f"{value} * {factor!r}"


def _number_patterns(source: Source) -> Callable[[str], str]:
    """Return what turns SQL for a text into SQL for the same number with a point, or NULL where it is not one."""
    decimal = r"\." if source.decimal == "." else ","
    exponent = r"([eE][+-]?\d{1,3})?"
    plain = rf"[+-]?(\d+({decimal}\d*)?|{decimal}\d+){exponent}"
    if source.thousands:
        mark = "[ \u00a0\u202f]" if source.thousands in (" ", "\u00a0", "\u202f") else f"[{_escaped(source.thousands)}]"
        plain = rf"{plain}|[+-]?\d{{1,3}}({mark}\d{{3}})+({decimal}\d*)?"
    pattern = literal(plain)

    def number(text: str) -> str:
        clean = f"({text})"
        if source.thousands:
            clean = f"regexp_replace({clean}, {literal(mark)}, '', 'g')"
        if source.decimal == ",":
            clean = f"replace({clean}, ',', '.')"
        return f"(CASE WHEN regexp_full_match({text}, {pattern}) THEN {clean} END)"

    return number


def _escaped(mark: str) -> str:
    return "".join("\\" + character if character in r"\]^-[" else character for character in mark)


def _format_in_words(form: str, *, day: bool = False, workbook: bool = False) -> str:
    words = {
        "iso": "2026-11-09" if day else "2026-11-09T08:00:00, with or without an offset",
        "epoch_s": "seconds since 1970",
        "epoch_ms": "milliseconds since 1970",
        "excel": "a date cell of the workbook, or a number of days",
    }
    return words.get(form, f'{form} (a date cell needs format = "excel")' if workbook else form)

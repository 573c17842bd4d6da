"""Exports of vendors, and declared JSON: flat records in a fixed header, one per contact, leg, question or state.

A file is read once, in bounded memory. Each of its records becomes flat records; where several records tell of one
thing (deliveries of one record, legs of one contact) the engine brings them together, and the vendor's module makes
rows of each group. Every record ends as a row, a fault with its line, a repeat, or part of what another row tells.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ccanalysis.engine import literal, quoted
from ccanalysis.errors import ContractError, nearest, place
from ccanalysis.sources import csv_files
from ccanalysis.sources.cells import wanted_columns
from ccanalysis.sources.csv_files import Records
from ccanalysis.sources.door import Door, identifying, suspect
from ccanalysis.sources.exports import Export
from ccanalysis.sources.json_files import json_records, physical_lines
from ccanalysis.vendors import format_named
from ccanalysis.vendors.common import ASIDE, REPEAT, Asked, Leg, Reading, Record, RefusedError, VendorFormat, at, text
from ccanalysis.workspace import Source

if TYPE_CHECKING:
    import duckdb
    import pyarrow.parquet as pq

BATCH = 10_000
LOOKED_AT = 2_000  # records of a file whose fields are listed in notes
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_MAGIC = (
    (b"\x1f\x8b", "the file is compressed", "Unpack it first"),
    (b"PK\x03\x04", "the file is a workbook or an archive", "Save it as CSV, or unpack it"),
    (b"PAR1", "the file is a Parquet file", 'Take vendor out and set format = "parquet"'),
)


@dataclass
class Flat:
    """The flat records of all files of one source.

    Attributes:
        path: A Parquet file with `_file`, `_row` and the flat columns, all text.
        header: The flat columns.
        records: What was found in each file, by number.
        repeats: Records that another delivery of the same record takes the place of, by number of the file.
        aside: Records that are no row of the table, by number of the file.
        notes: What a reader must know.
        doors: What masked card data in each file, by number.
    """

    path: Path
    header: tuple[str, ...]
    records: dict[int, Records]
    repeats: Counter[int] = field(default_factory=Counter)
    aside: Counter[int] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    doors: dict[int, Door] = field(default_factory=dict)

    def relation(self) -> str:
        """Write the query that the casting reads."""
        cells = ", ".join(f"{quoted(name)} AS c{position}" for position, name in enumerate(self.header))
        return f"SELECT _file, _row, false AS _control, {cells} FROM read_parquet({literal(self.path)})"


def flatten(
    source: Source, exports: Sequence[Export], folder: Path, connection: duckdb.DuckDBPyConnection, *, zone: str
) -> Flat:
    """Make flat records of the files of a source.

    Args:
        source: The declared mapping, with its vendor or with `format = "json"`.
        exports: Its files.
        folder: Where to write.
        connection: The engine, which may read and write there.
        zone: The zone of local days.

    Raises:
        ContractError: A file is not what was declared, or changed while it was read.
        NoInputError: A file has no record.
    """
    form = format_named(source.vendor) if source.vendor else None
    return _Flattening(source, form, exports, folder, connection, zone).run()


class _Flattening:
    def __init__(
        self,
        source: Source,
        form: VendorFormat | None,
        exports: Sequence[Export],
        folder: Path,
        connection: duckdb.DuckDBPyConnection,
        zone: str,
    ) -> None:
        self.source, self.form, self.exports = source, form, exports
        self.folder, self.connection, self.zone = folder, connection, zone
        known = form.header[source.table] if form else ()
        wanted = wanted_columns(source)
        self.extra = tuple(name for name in wanted if name not in known)
        self.header = (*known, *self.extra)
        kept = identifying(source, exports[0].table)
        self.screened = tuple(name for name in wanted if name not in kept)  # texts that people may have written
        # A vendor's own fields of a CSV file are identifiers, times, numbers and names of queues and teams.
        self.kept = (kept | set(known)) - set(self.screened)
        self.group = form.group.get(source.table, "") if form else ""
        number = exports[0].number
        self.flat = Flat(folder / f"flat-{number}.parquet", self.header, {})
        self.raw_path = folder / f"raw-{number}.parquet"
        self.raw_columns: tuple[str, ...] = ()
        self.fields: Counter[str] = Counter()
        self.extra_seen: set[str] = set()
        self.unknown: Counter[str] = Counter()
        self.said: Counter[str] = Counter()

    def run(self) -> Flat:
        if not self.group:
            with _Writer(self.flat.path, self.header) as out:
                for export in self.exports:
                    self._read(export, out.add)
        else:
            columns = self._raw_columns()
            with _Writer(self.raw_path, columns) as out:
                for export in self.exports:
                    self._read(export, out.add)
            self._merge()
            self.raw_path.unlink()
        self._note()
        return self.flat

    def _raw_columns(self) -> tuple[str, ...]:
        # A log's lines, or the record's own fields; what the mapping asks for besides goes along.
        assert self.form is not None
        own = self.form.line or self.header
        return tuple(dict.fromkeys((*own, *self.extra, self.group)))

    # Reading

    def _read(self, export: Export, add: Callable[[int, int, Mapping[str, str | None]], None]) -> None:
        records = Records(header=list(self.header), header_row=1)
        self.flat.records[export.number] = records
        reading = Reading(export.path.name)
        door = Door(self.kept, delimiter=self.source.delimiter, quote=self.source.quote)
        self.flat.doors[export.number] = door
        seen = 0
        for row, record in self._records(export, records, reading):
            if isinstance(record, str):
                records.faults.append((row, record))
                continue
            seen += 1
            self._list_fields(record, seen)
            try:
                rows = list(self._rows(record, reading))
            except RefusedError as error:
                raise ContractError(error.problem, remedy=error.remedy, place=place(export.path, row=row)) from None
            except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
                records.faults.append((row, "record"))
                continue
            if not rows:
                self.flat.aside[export.number] += 1
            for values in rows:
                if _UNFIT.search(" ".join(filter(None, values.values()))):
                    records.faults.append((row, "control"))
                else:
                    records.written += 1
                    self._mask(values, door)
                    add(export.number, row, values)
        if records.sha256 != export.sha256:
            raise ContractError(
                "the file changed while it was read",
                remedy="Run again when the export is complete",
                place=place(export.path),
            )

    def _mask(self, values: dict[str, str | None], door: Door) -> None:
        """Mask card data in the texts of a record, before it is written."""
        texts = {name: one for name in self.screened if (one := values.get(name))}
        if texts and suspect(" \n".join(texts.values())):
            values |= dict(zip(texts, door.cells(list(texts.values()), tuple(texts)), strict=True))

    def _rows(self, record: Record, reading: Reading) -> Iterator[dict[str, str | None]]:
        extra = {name: at(record, name) for name in self.extra}
        self.extra_seen |= {name for name, value in extra.items() if value is not None}
        if self.form is None:
            yield {name: text(value) for name, value in extra.items()}
            return
        for values in self.form.flatten(record, self.source.table, reading):
            yield {name: text(value) for name, value in {**extra, **values}.items()}

    def _records(self, export: Export, records: Records, reading: Reading) -> Iterator[tuple[int, Record | str]]:
        """Yield each record of a file with its line; a fault comes as the rule that was broken."""
        with export.path.open("rb") as file:
            head = file.read(4096)
        for magic, problem, remedy in _MAGIC:
            if head.startswith(magic):
                raise ContractError(problem, remedy=remedy, place=place(export.path))
        readers = self.form.readers if self.form else ("json",)
        begins = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        if self.form and self.form.line:
            yield from self._log(export.path, records)
        elif "json" in readers and (begins in (b"{", b"[") or "csv" not in readers):
            envelope = self.form.envelope if self.form else ""
            yield from json_records(export.path, records, envelope=envelope)
        else:
            yield from self._csv(export, records, reading)

    def _log(self, path: Path, records: Records) -> Iterator[tuple[int, Record | str]]:
        form = self.form
        assert form is not None
        raw = csv_files.Hashing(path)
        with io.BufferedReader(raw, 1 << 20) as file:  # type: ignore[type-var]
            for row, line in physical_lines(file, path):
                written = line.decode("utf-8", errors="replace").rstrip("\r\n")
                if not written.strip():
                    continue
                fields = written.split("|")
                if not line.endswith(b"\n"):
                    yield row, "cut"
                elif len(fields) < 5 or not re.fullmatch(r"\d{9,11}(\.\d+)?", fields[0]) or not fields[4]:
                    yield row, "event"
                elif _UNFIT.search(written):
                    yield row, "control"
                else:
                    fields[0] = fields[0].partition(".")[0]
                    record = dict(itertools.zip_longest(form.line, fields[: len(form.line)], fillvalue=""))
                    event = record["event"]
                    if event not in form.events:
                        self.unknown[event if re.fullmatch(r"[A-Z_]{2,30}", event) else "?"] += 1
                    yield row, record
        records.sha256 = raw.digest.hexdigest()

    def _csv(self, export: Export, records: Records, reading: Reading) -> Iterator[tuple[int, Record | str]]:
        work = self.folder / f"work-{export.number}.csv"
        door = self.flat.doors[export.number]
        found = csv_files.number_records(self.source, export.path, work, number=export.number, door=door, careful=True)
        header = found.header
        reading.header = header
        records.sha256, records.header_row = found.sha256, found.header_row
        self._check_header(header, export, found.header_row)
        for row, rule in found.faults:
            yield row, rule
        if found.repeated:
            self.flat.notes.append(
                f"{export.name}: the header stands {found.repeated:,} times between the rows; these are set aside"
            )
        dialect: dict[str, Any] = {"delimiter": self.source.delimiter}
        dialect |= {"quotechar": self.source.quote} if self.source.quote else {"quoting": csv.QUOTE_NONE}
        with work.open(encoding="utf-8", newline="\n") as file:
            for cells in csv.reader(file, skipinitialspace=True, **dialect):
                row = int(cells[1])
                if len(cells) != len(header) + 2:
                    yield row, "fields_missing" if len(cells) < len(header) + 2 else "fields_extra"
                    continue
                values = (cell.replace(csv_files.INNER_NEWLINE, "\n").strip() or None for cell in cells[2:])
                record: dict[str, Any] = dict(zip(header, values, strict=True))
                if self._aside(record):
                    self.flat.aside[export.number] += 1
                else:
                    yield row, record
        work.unlink()

    def _aside(self, record: Record) -> bool:
        return any((record.get(n) or "") in {t.strip() for t in texts} for n, texts in self.source.ignore_where.items())

    def _check_header(self, header: Sequence[str], export: Export, row: int) -> None:
        twice = [name for name, count in Counter(header).items() if count > 1 and name]
        marks = self.form.marks if self.form else ()
        if twice and twice[0] in (*marks, *self.header):
            places = [n for n, name in enumerate(header, 1) if name == twice[0]]
            raise ContractError(
                f"the header has this name twice, in columns {places[0]} and {places[1]}",
                remedy="Give each column of the export a name of its own",
                place=place(export.path, row=row, column=twice[0]),
            )
        title = self.form.title if self.form else "this format"
        missing = [name for name in (*marks, *self.extra) if name not in header]
        if missing:
            columns = ", ".join(repr(name) for name in missing)
            surely = len(missing) < len(marks)
            raise ContractError(
                f"the header has no column{'s' if len(missing) > 1 else ''} {columns}, which {title} have",
                remedy=nearest(missing[0], [name for name in header if name])
                if surely
                else "Correct 'vendor', 'delimiter' or 'skip_lines', or export the file again",
                place=place(export.path, row=row),
            )

    # Merging

    def _merge(self) -> None:
        """Bring records of one thing together, and let the vendor's module tell what they are."""
        form = self.form
        assert form is not None
        assert form.merge is not None
        raw = _read_parquet(self.raw_path)
        key = quoted(self.group)
        self.connection.execute("CREATE OR REPLACE TEMP TABLE ranked (_file BIGINT, _rank BIGINT)")
        ranked = sorted(self.exports, key=lambda export: (export.name, export.number))
        self.connection.executemany("INSERT INTO ranked VALUES (?, ?)", [(e.number, n) for n, e in enumerate(ranked)])
        together = f"coalesce({key}, '')"
        joined = ""
        if form.parent:
            joined = self._roots(raw, key, quoted(form.parent))
            together = f"coalesce(roots.root, {key}, '')"
        columns = self._raw_columns()
        listed = ", ".join(quoted(name) for name in columns)
        cursor = self.connection.execute(
            f"SELECT {together} AS _together, raw._file, _row, {listed} FROM {raw} AS raw JOIN ranked USING (_file) "
            f"{joined} ORDER BY _together, _rank, _row"
        )
        codes = self.source.columns["state"].codes if "state" in self.source.columns else None
        asked = Asked(self.source.table, codes or {}, _day_of(self.zone), self._say)
        # A row that a merge makes is counted where it stands; records of the files were counted while reading.
        for records in self.flat.records.values():
            records.written = 0
        with _Writer(self.flat.path, self.header) as out:
            for _, rows in itertools.groupby(_fetched(cursor), key=lambda row: row[0]):
                legs = [Leg(row[1], row[2], dict(zip(columns, row[3:], strict=True))) for row in rows]
                self._merge_group(form, legs, asked, out)

    def _merge_group(self, form: VendorFormat, legs: list[Leg], asked: Asked, out: _Writer) -> None:
        assert form.merge is not None
        try:
            told = list(form.merge(legs, asked))
        except (ValueError, TypeError, KeyError, IndexError):
            for leg in legs:
                self.flat.records[leg.file].faults.append((leg.row, "record"))
            return
        extra = {name: next((leg.values[name] for leg in legs if leg.values.get(name)), None) for name in self.extra}
        for one in told:
            if one.fate == REPEAT:
                self.flat.repeats[one.file] += 1
            elif one.fate == ASIDE:
                self.flat.aside[one.file] += 1
            elif one.fate:
                self.flat.records[one.file].faults.append((one.row, one.fate))
            else:
                self.flat.records[one.file].written += 1
                values = dict(one.values)
                if self.source.table == "contacts":  # a field that the mapping asks for: the first leg that has it
                    values |= {name: value for name, value in extra.items() if not values.get(name)}
                out.add(one.file, one.row, {name: values.get(name) or None for name in self.header})

    def _roots(self, raw: str, key: str, parent: str) -> str:
        """Follow each record to the one that began its chain; no chain is followed twice round."""
        pairs = self.connection.execute(
            f"SELECT DISTINCT {key}, {parent} FROM {raw} WHERE {parent} IS NOT NULL AND {parent} <> {key}"
        ).fetchall()
        above = dict(pairs)
        roots = []
        for one, above_it in above.items():
            seen, root = {one}, above_it
            while root in above and root not in seen:
                seen.add(root)
                root = above[root]
            roots.append((one, root))
        self.connection.execute("CREATE OR REPLACE TEMP TABLE roots (one VARCHAR, root VARCHAR)")
        if roots:
            self.connection.executemany("INSERT INTO roots VALUES (?, ?)", roots)
        return f"LEFT JOIN roots ON roots.one = raw.{key}"

    # Notes

    def _list_fields(self, record: Record, seen: int) -> None:
        if seen <= LOOKED_AT and not (self.form and self.form.line):
            self.fields.update(_paths(record, depth=2))

    def _say(self, said: str) -> None:
        self.said[said] += 1

    def _note(self) -> None:
        name, notes = self.source.name, self.flat.notes
        form = self.form
        mapped = set(wanted_columns(self.source))
        if form:
            dropped = [f for f in self.fields if f not in mapped and _below(f, form.personal)]
            shown = sorted({next(p for p in form.personal if _below(f, (p,))) for f in dropped})
            shown = list(form.personal) if form.line else shown  # the lines of a log do not name their fields
            if shown:
                notes.append(
                    f"personal fields of source {name!r} are dropped at the door: {', '.join(map(repr, shown))}"
                )
        for column in self.extra:
            if column not in self.extra_seen:
                notes.append(f"no record of source {name!r} has {column!r}")
        if self.unknown:
            listed = ", ".join(f"{event} ({count:,})" for event, count in sorted(self.unknown.items()))
            notes.append(f"events of source {name!r} that ccanalysis does not know stay outside: {listed}")
        for said, count in self.said.items():
            notes.append(f"source {name!r}: {said} ({count:,})")
        merged = sum(self.flat.aside.values())
        if form and merged:
            notes.append(
                f"source {name!r}: {merged:,} records of {form.title} are no row of {self.source.table!r} of their "
                "own; they are set aside"
            )


def _paths(record: Record, *, depth: int, above: str = "") -> Iterator[str]:
    for name, value in record.items():
        if isinstance(value, Mapping) and depth > 1 and value:
            yield from _paths(value, depth=depth - 1, above=f"{above}{name}.")
        else:
            yield f"{above}{name}"


def _below(name: str, above: Sequence[str]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in above)


def _fetched(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple]:
    while rows := cursor.fetchmany(BATCH):
        yield from rows


def _read_parquet(path: Path) -> str:
    return f"read_parquet({literal(path)})"


def _day_of(zone: str) -> Callable[[int], tuple[date, int]]:
    """Return what tells the local day of an instant, and when the next day begins."""
    info = ZoneInfo(zone)

    def day_of(at_s: int) -> tuple[date, int]:
        day = datetime.fromtimestamp(at_s, info).date()
        following = datetime.combine(day + timedelta(days=1), time(), info)
        return day, int(following.timestamp())

    return day_of


class _Writer:
    """Writes flat records as Parquet, a batch at a time."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        import pyarrow as pa  # noqa: PLC0415  0.3 s

        self.path, self.columns = path, tuple(columns)
        kinds = [("_file", pa.int64()), ("_row", pa.int64()), *((name, pa.string()) for name in self.columns)]
        self.schema = pa.schema(kinds)
        self.rows: list[tuple[Any, ...]] = []
        self.file: pq.ParquetWriter | None = None

    def __enter__(self) -> _Writer:
        import pyarrow.parquet as pq  # noqa: PLC0415

        self.file = pq.ParquetWriter(self.path, self.schema, compression="snappy")
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        assert self.file is not None
        self.file.close()

    def add(self, file: int, row: int, values: Mapping[str, str | None]) -> None:
        """Add one record."""
        self.rows.append((file, row, *map(values.get, self.columns)))
        if len(self.rows) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa  # noqa: PLC0415

        if self.rows:
            assert self.file is not None
            columns = zip(*self.rows, strict=True)
            arrays = [pa.array(column, kind.type) for column, kind in zip(columns, self.schema, strict=True)]
            self.file.write_table(pa.Table.from_arrays(arrays, schema=self.schema))
            self.rows = []

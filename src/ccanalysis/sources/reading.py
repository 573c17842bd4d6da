"""From files to parts: numbered records, cast as the mapping declares, every broken row in quarantine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ccanalysis.engine import literal, quoted
from ccanalysis.errors import ContractError, NoInputError, place
from ccanalysis.sources import csv_files, parquet_files, vendor_files, workbooks
from ccanalysis.sources.card_numbers import mask
from ccanalysis.sources.cells import Casting, casting, wanted_columns
from ccanalysis.sources.clock_changes import add_day_tables
from ccanalysis.sources.csv_files import Records
from ccanalysis.sources.door import Door, identifying
from ccanalysis.sources.exports import Export, sha256_of
from ccanalysis.sources.headers import match_header
from ccanalysis.sources.rules import SHAPE_RULES, reason
from ccanalysis.workspace import Source, Workspace

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH_BYTES = 1 << 29  # files of one source are cast together up to this size
QUARANTINE = {
    "table": "VARCHAR",
    "source": "VARCHAR",
    "source_file": "VARCHAR",
    "source_row": "BIGINT",
    "column": "VARCHAR",
    "rule": "VARCHAR",
    "reason": "VARCHAR",
}
_ENGINE_RULES = {
    "MISSING COLUMNS": "fields_missing",
    "TOO MANY COLUMNS": "fields_extra",
    "UNQUOTED VALUE": "quote",
    "LINE SIZE OVER MAXIMUM": "length",
}


@dataclass
class Stage:
    """One staging on its way.

    Attributes:
        workspace: The settings.
        folder: Where it is written.
        connection: The engine, locked to the folder.
        progress: Told what is done.
        notes: What a reader must know.
        zones: Zone -> its tables of days.
    """

    workspace: Workspace
    folder: Path
    connection: duckdb.DuckDBPyConnection
    progress: Callable[[str], None]
    notes: list[str] = field(default_factory=list)
    zones: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the quarantine, and let the engine mask card data in free text."""
        self.connection.create_function("mask_card_data", lambda text: mask(text).text, ["VARCHAR"], "VARCHAR")  # type: ignore[list-item, arg-type]
        self.sql("CREATE TABLE quarantine (" + ", ".join(f"{quoted(n)} {kind}" for n, kind in QUARANTINE.items()) + ")")

    def sql(self, query: str, parameters: Sequence[object] = ()) -> list[tuple]:
        """Run a query and return its rows."""
        return self.connection.execute(query, parameters).fetchall()

    def note(self, text: str) -> None:
        """Add a note once."""
        if text not in self.notes:
            self.notes.append(text)

    def days(self, zone: str) -> str:
        """Return the name of the tables of days of a zone, made when first asked for."""
        if zone not in self.zones:
            self.zones[zone] = f"days_{len(self.zones)}"
            add_day_tables(self.connection, zone, self.zones[zone])
        return self.zones[zone]


@dataclass
class Arrived:
    """One file as records that the engine can read.

    Attributes:
        export: The file.
        records: What its pass found.
        file: The numbered file, or the copy of a Parquet file.
        positions: Export column -> position.
        schema: The stored types of a Parquet file.
    """

    export: Export
    records: Records
    file: Path
    positions: dict[str, int]
    schema: pa.Schema | None = None


def read_source(stage: Stage, source: Source, exports: Sequence[Export]) -> list[Path]:
    """Read the files of one source.

    Args:
        stage: The staging; faults go to its quarantine.
        source: The source.
        exports: Its files; their counts are filled in.

    Returns:
        Parts with `_file`, `_row`, `_aside`, the mapped contract columns and `_faults`.

    Raises:
        ContractError: A file cannot be read as declared, or no row keeps the contract.
        NoInputError: There is no row.
    """
    if source.vendor or source.format == "json":
        parts = [_read_flat(stage, source, exports)]
        _refuse_unusable(stage, source, exports)
        return parts
    parts = []
    batch: list[Arrived] = []
    for export in exports:
        stage.progress(f"reading {export.name}")
        arrived = _arrive(stage, export, careful=False)
        if batch and (
            arrived.records.header != batch[0].records.header
            or arrived.schema != batch[0].schema
            or sum(a.export.bytes for a in batch) > BATCH_BYTES
        ):
            parts.append(_read_batch(stage, source, batch))
            batch = []
        batch.append(arrived)
    parts.append(_read_batch(stage, source, batch))
    _refuse_unusable(stage, source, exports)
    return parts


def check_headers(exports: Sequence[Export]) -> None:
    """Compare the headers of CSV files with their mappings, before hours are spent on reading.

    Raises:
        ContractError: A mapped column is missing, or stands in a header twice.
    """
    for export in exports:
        if export.source.format == "csv" and not export.source.vendor:
            records = csv_files.read_header(export.source, export.path)
            match_header(export.source, records.header, export.path, records.header_row)


def _arrive(stage: Stage, export: Export, *, careful: bool) -> Arrived:
    """Bring one file into the stage's folder as numbered records."""
    source = export.source
    work = stage.folder / f"work-{export.number}.csv"
    schema = None
    door = Door(identifying(source, export.table), delimiter=source.delimiter, quote=source.quote)
    if export.delivered is not None:
        records, door = export.delivered.records, export.delivered.door
        export.delivered.file.rename(work)
        for note in export.delivered.notes:
            stage.note(note)
    elif source.format == "csv":
        records = csv_files.number_records(source, export.path, work, number=export.number, door=door, careful=careful)
        if records.sha256 != export.sha256:
            raise _changed(export)
    else:
        copy = stage.folder / f"copy-{export.number}.{source.format}"
        shutil.copyfile(export.path, copy)
        if sha256_of(copy) != export.sha256:
            raise _changed(export)
        if source.format == "excel":
            records = workbooks.number_rows(source, copy, export.path, work, number=export.number, door=door)
            copy.unlink()
        else:
            work = copy
            records, schema = parquet_files.columns_of(copy, export.path)
    _note_masked(stage, export, door)
    positions, notes = match_header(source, records.header, export.path, records.header_row or 1)
    for note in notes:
        stage.note(note)
    if records.repeated:
        stage.note(f"{export.name}: the header stands {records.repeated:,} times between the rows; these are set aside")
    return Arrived(export, records, work, positions, schema)


def _note_masked(stage: Stage, export: Export, door: Door) -> None:
    if door.cards:
        often = "once" if door.cards == 1 else f"{door.cards:,} times"
        stage.note(f"{export.name}: card numbers were masked {often}; take them out at the source")
    if door.codes:
        often = "once" if door.codes == 1 else f"{door.codes:,} times"
        stage.note(f"{export.name}: security codes of cards were masked {often}; they may not be kept at all")


def _changed(export: Export) -> ContractError:
    return ContractError(
        "the file changed while it was read",
        remedy="Run again when the export is complete",
        place=place(export.path),
    )


def _read_batch(stage: Stage, source: Source, batch: list[Arrived]) -> Path:
    """Cast files of one header together; where the engine lost a record, scan the quoting of that file line by line."""
    part = stage.folder / f"part-{batch[0].export.number}.parquet"
    for careful in (False, True):
        cast, relation = _casting(stage, source, batch)
        for table in ("reject_errors", "reject_scans"):
            stage.sql(f"DROP TABLE IF EXISTS {table}")
        query = f"WITH export AS ({relation}) {cast.select}"
        with _damaged(source, batch):
            stage.sql(f"COPY ({query}) TO {literal(part)} (FORMAT parquet, COMPRESSION snappy)")
        came = dict(stage.sql(f"SELECT _file, count(*) FROM {parquet([part])} GROUP BY 1"))
        rejected = _rejected(stage, source, batch)
        lost = [
            number
            for number, arrived in enumerate(batch)
            if came.get(arrived.export.number, 0) + len(rejected[arrived.export.number]) != arrived.records.written
        ]
        if not lost:
            break
        if careful or source.format != "csv":
            raise ContractError(
                "rows are lost inside quoted values",
                remedy=f"Correct 'quote' of source {source.name!r}, or export the file again",
                place=place(batch[lost[0]].export.path),
            )
        for number in lost:
            batch[number] = _arrive(stage, batch[number].export, careful=True)
    _count(stage, source, batch, cast, part, rejected)
    if source.zone is None:
        _note_zone(stage, source, part)
    if source.format == "csv" and any(arrived.records.mojibake for arrived in batch):
        _note_mojibake(stage, source, batch, relation)
    for arrived in batch:
        arrived.file.unlink()
    return part


def _read_flat(stage: Stage, source: Source, exports: Sequence[Export]) -> Path:
    """Read the files of a vendor's format together: one contact may stand in several of them."""
    for export in exports:
        stage.progress(f"reading {export.name}")
    zone = source.zone or stage.workspace.centre.time_zone
    flat = vendor_files.flatten(source, exports, stage.folder, stage.connection, zone=stage.workspace.centre.time_zone)
    for note in flat.notes:
        stage.note(note)
    for export in exports:
        _note_masked(stage, export, flat.doors[export.number])
    positions = {name: position for position, name in enumerate(flat.header)}
    wanted = {name: positions[name] for name in wanted_columns(source) if name in positions}
    cast = casting(stage.connection, source, exports[0].table, wanted, zone=zone, days=stage.days(zone))
    part = stage.folder / f"part-{exports[0].number}.parquet"
    stage.sql(f"COPY (WITH export AS ({flat.relation()}) {cast.select}) TO {literal(part)} (FORMAT parquet)")
    batch = [Arrived(e, flat.records[e.number], flat.path, positions) for e in exports]
    for arrived in batch:
        _refuse_shape(arrived, 0)
    _count(stage, source, batch, cast, part, {export.number: [] for export in exports})
    for export in exports:  # what a merge found to be another delivery of a record counts as a duplicate
        export.duplicates = flat.repeats[export.number]
        export.read += flat.repeats[export.number]
        export.set_aside += flat.aside[export.number]
    if source.zone is None:
        _note_zone(stage, source, part)
    flat.path.unlink()
    return part


def _casting(stage: Stage, source: Source, batch: Sequence[Arrived]) -> tuple[Casting, str]:
    """Write the casting and the relation that it casts."""
    first = batch[0]
    zone = source.zone or stage.workspace.centre.time_zone
    inner = any(arrived.records.inner_lines for arrived in batch)
    blanks = {arrived.records.blanks for arrived in batch}
    cast = casting(
        stage.connection,
        source,
        first.export.table,
        first.positions,
        zone=zone,
        days=stage.days(zone),
        blanks="any" if inner or "any" in blanks else "spaces" if "spaces" in blanks else "none",
        inner_newline=csv_files.INNER_NEWLINE if inner else "",
    )
    if first.schema is not None:
        relations = [
            parquet_files.relation(source, a.file, first.schema, cast.used, a.export.path, number=a.export.number)
            for a in batch
        ]
        return cast, " UNION ALL ".join(relations)
    dialect = (source.delimiter, source.quote) if source.format == "csv" else (",", '"')
    return cast, _numbered([arrived.file for arrived in batch], len(first.records.header), *dialect)


def _numbered(files: Sequence[Path], width: int, delimiter: str, quote: str) -> str:
    columns = ["'_file': 'BIGINT'", "'_row': 'BIGINT'", *(f"'c{position}': 'VARCHAR'" for position in range(width))]
    return (
        f"SELECT *, false AS _control FROM read_csv([{', '.join(map(literal, files))}], auto_detect = false, "
        f"columns = {{{', '.join(columns)}}}, header = false, delim = {literal(delimiter)}, quote = {literal(quote)}, "
        f"escape = {literal(quote)}, store_rejects = true, rejects_limit = 0, max_line_size = 8000000)"
    )


def _rejected(stage: Stage, source: Source, batch: Sequence[Arrived]) -> dict[int, list[tuple[int, str, str]]]:
    """List the records that the engine could not split: file -> row, rule and text."""
    found: dict[int, list[tuple[int, str, str]]] = {arrived.export.number: [] for arrived in batch}
    if source.format == "parquet":
        return found
    mark = literal(source.delimiter if source.format == "csv" else ",")
    # A record may have several faults; of these the quoting explains the others, and its name comes last.
    lines = (
        f"SELECT split_part(any_value(csv_line), {mark}, 1)::BIGINT AS file, "
        f"split_part(any_value(csv_line), {mark}, 2)::BIGINT AS number, max(error_type::VARCHAR) AS kind, "
        "any_value(csv_line) AS line FROM reject_errors GROUP BY scan_id, file_id, line_byte_position"
    )
    counts = dict(stage.sql(f"SELECT file, count(*) FROM ({lines}) GROUP BY 1"))
    for arrived in batch:
        _refuse_shape(arrived, int(counts.get(arrived.export.number, 0)))
    for file, row, kind, line in stage.sql(lines) if counts else []:
        found[file].append((row, _ENGINE_RULES.get(kind, "quote"), line))
    return found


def _refuse_shape(arrived: Arrived, rejected: int) -> None:
    """Refuse a file of which more than one row in a hundred has another shape than its header."""
    records, source = arrived.records, arrived.export.source
    total = records.written + len(records.faults)
    bad = rejected + sum(rule in SHAPE_RULES for _, rule in records.faults)
    if bad and (bad == total or (bad > 1 and bad * 100 > total)):
        raise ContractError(
            f"{bad:,} of {total:,} rows do not have the {len(records.header)} fields of the header",
            remedy=f"Check 'delimiter' and 'quote' of source {source.name!r}, or export the file again",
            place=place(arrived.export.path),
        )


def _count(
    stage: Stage,
    source: Source,
    batch: Sequence[Arrived],
    cast: Casting,
    part: Path,
    rejected: Mapping[int, list[tuple[int, str, str]]],
) -> None:
    """Count the rows of every file and put those that broke a rule into quarantine."""
    counts = {
        number: (kept, aside, broken)
        for number, kept, aside, broken in stage.sql(
            "SELECT _file, count(*) FILTER (NOT _aside AND _faults IS NULL), count(*) FILTER (_aside), "
            f"count(*) FILTER (NOT _aside AND _faults IS NOT NULL) FROM {parquet([part])} GROUP BY 1"
        )
    }
    faults: list[tuple[str, str, str, int, str, str]] = []
    for arrived in batch:
        export, records = arrived.export, arrived.records
        kept, aside, broken = counts.get(export.number, (0, 0, 0))
        bad = list(records.faults)
        for row, rule, line in rejected[export.number]:
            if _declared_aside(source, arrived.positions, line):
                aside += 1
            else:
                bad.append((row, rule))
        faults += [(export.table.name, source.name, export.name, row, rule, reason(rule)) for row, rule in bad]
        export.kept, export.set_aside, export.quarantined = kept, aside, broken + len(bad)
        export.read = records.written + len(records.faults) - aside
    if faults:
        stage.connection.executemany("INSERT INTO quarantine VALUES (?, ?, ?, ?, NULL, ?, ?)", faults)
    if any(broken for _, _, broken in counts.values()):
        _quarantine_cells(stage, source, batch, cast, part)


def _quarantine_cells(stage: Stage, source: Source, batch: Sequence[Arrived], cast: Casting, part: Path) -> None:
    rows = f"SELECT _file, _row, unnest(_faults) AS fault FROM {parquet([part])} WHERE NOT _aside"
    said = []
    for (fault,) in stage.sql(f"SELECT DISTINCT fault FROM ({rows})"):
        column, rule, detail = [*fault.split("|"), ""][:3]
        said.append((fault, column or None, rule, cast.reason(column, rule, detail)))
    stage.sql("CREATE OR REPLACE TEMP TABLE said (fault TEXT, col TEXT, rule TEXT, reason TEXT)")
    stage.connection.executemany("INSERT INTO said VALUES (?, ?, ?, ?)", said)
    stage.sql("CREATE OR REPLACE TEMP TABLE files (_file BIGINT, name TEXT)")
    stage.connection.executemany(
        "INSERT INTO files VALUES (?, ?)", [(arrived.export.number, arrived.export.name) for arrived in batch]
    )
    stage.sql(
        f"INSERT INTO quarantine SELECT ?, ?, name, _row, col, rule, reason FROM ({rows}) JOIN said USING (fault) "
        "JOIN files USING (_file)",
        (source.table, source.name),
    )


def _declared_aside(source: Source, positions: Mapping[str, int], line: str) -> bool:
    """Tell whether a record that is too short or too long is one that `ignore_where` names."""
    if not source.ignore_where:
        return False
    cells = csv_files.split(line, source.delimiter, source.quote)[2:]
    for name, texts in source.ignore_where.items():
        position = positions[name]
        if position < len(cells) and cells[position].strip() in {text.strip() for text in texts}:
            return True
    return False


def _note_zone(stage: Stage, source: Source, part: Path) -> None:
    [(count,)] = stage.sql(f"SELECT count(*) FROM {parquet([part])} WHERE _zoneless AND NOT _aside")
    if count:
        stage.note(
            f"source {source.name!r} declares no zone; its times without an offset are read in the centre's zone, "
            f"{stage.workspace.centre.time_zone}"
        )


def _note_mojibake(stage: Stage, source: Source, batch: Sequence[Arrived], relation: str) -> None:
    """Count the cells per column in which UTF-8 was read as a Windows code page."""
    pattern = literal(csv_files.MOJIBAKE.pattern)
    names = {arrived.export.number: arrived.export.name for arrived in batch}
    positions = batch[0].positions
    counts = [f"count(*) FILTER (regexp_matches(c{position}, {pattern}))" for position in positions.values()]
    for number, *found in stage.sql(f"SELECT _file, {', '.join(counts)} FROM ({relation}) GROUP BY 1 ORDER BY 1"):
        for column, count in zip(positions, found, strict=True):
            if count:
                stage.note(
                    f"{names[number]}, column {column!r}: {count:,} cells look like UTF-8 that was read in another "
                    f"encoding; check 'encoding' of source {source.name!r}"
                )


def _refuse_unusable(stage: Stage, source: Source, exports: Sequence[Export]) -> None:
    """Refuse a source that gives no row at all, or none that keeps the contract."""
    if not any(export.read for export in exports) and (source.vendor or source.format == "json"):
        raise NoInputError(
            f"no record of source {source.name!r} is a row of {source.table!r}",
            remedy="Export it again, or take the source out of the settings",
            place=place(exports[0].path),
        )
    if not any(export.read for export in exports):
        raise NoInputError(
            f"the file of source {source.name!r} has a header and no row",
            remedy="Export it again, or take the source out of the settings",
            place=place(exports[0].path),
        )
    for export in exports:
        if not export.read:
            stage.note(f"{export.name} has a header and no row" if not source.vendor else f"{export.name} has no row")
    if not any(export.kept for export in exports):
        [(row, file, said, count)] = stage.sql(
            "SELECT min(source_row), min(source_file), reason, count(*) AS n FROM quarantine WHERE source = ? "
            "GROUP BY reason ORDER BY n DESC, 1 LIMIT 1",
            [source.name],
        )
        raise ContractError(
            f"none of the {sum(export.read for export in exports):,} rows of source {source.name!r} keeps the contract "
            f"of {source.table!r}; {count:,} times: {said}",
            remedy="Correct the mapping of this column, or the export",
            place=place(file, row=row),
        )


@contextmanager
def _damaged(source: Source, batch: Sequence[Arrived]) -> Iterator[None]:
    """Say that a Parquet file whose end is whole cannot be read before it."""
    import duckdb  # noqa: PLC0415  0.2 s

    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        if source.format != "parquet" or "No space left" in str(error):
            raise
        raise ContractError(
            "the file is damaged" if len(batch) == 1 else f"one of {len(batch)} files from here on is damaged",
            remedy="Export it again",
            place=place(batch[0].export.path),
        ) from None


def parquet(paths: Sequence[Path], *, numbered: bool = False) -> str:
    """Write the SQL that reads Parquet files as one relation, with file and row of each record where asked for."""
    more = ", filename = true, file_row_number = true" if numbered else ""
    return f"read_parquet([{', '.join(literal(path) for path in paths)}]{more})"

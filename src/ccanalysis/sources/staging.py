"""From exports to staged contract tables: read, quarantine, take duplicates out, fill from the roster, write."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import ccanalysis
from ccanalysis.contracts import Table
from ccanalysis.engine import connect, literal, quoted
from ccanalysis.errors import ContractError, EnvironmentFaultError, NoInputError, place
from ccanalysis.sources import csv_files, parquet_files, workbooks
from ccanalysis.sources.cells import Casting, casting
from ccanalysis.sources.csv_files import Records
from ccanalysis.sources.headers import match_header
from ccanalysis.sources.rules import SHAPE_RULES, reason
from ccanalysis.workspace import Source, Workspace

if TYPE_CHECKING:
    import duckdb

LAYOUT = 1  # raised when the same inputs are staged differently
QUARANTINE_COLUMNS = (
    ("table", "VARCHAR"),
    ("source", "VARCHAR"),
    ("source_file", "VARCHAR"),
    ("source_row", "BIGINT"),
    ("column", "VARCHAR"),
    ("rule", "VARCHAR"),
    ("reason", "VARCHAR"),
)
_ENGINE_RULES = {
    "MISSING COLUMNS": "fields_missing",
    "TOO MANY COLUMNS": "fields_extra",
    "UNQUOTED VALUE": "quote",
    "LINE SIZE OVER MAXIMUM": "length",
}


@dataclass
class Export:
    """One file on its way.

    Attributes:
        source: Its mapping.
        table: The contract table it fills.
        path: The file.
        name: The file as lineage, quarantine and intake name it.
        bytes: Its size.
        sha256: The digest of its bytes.
        ingest: A short digest of its bytes and its mapping.
        records: Data records, those declared not to be records not counted.
        kept: Rows that reach the staged table.
        quarantined: Rows that broke a rule.
        set_aside: Rows declared not to be records.
        duplicates: Rows whose key another row has.
    """

    source: Source
    table: Table
    path: Path
    name: str
    bytes: int
    sha256: str
    ingest: str
    records: int = 0
    kept: int = 0
    quarantined: int = 0
    set_aside: int = 0
    duplicates: int = 0


@dataclass
class Stage:
    """One staging on its way."""

    workspace: Workspace
    folder: Path
    exports: list[Export]
    progress: Callable[[str], None]
    notes: list[str] = field(default_factory=list)
    tables: dict[str, Path] = field(default_factory=dict)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def find_exports(workspace: Workspace) -> list[Export]:
    """List the files of every source with their digests, in source and name order.

    Raises:
        NoInputError: A source has no file, or a file no byte.
    """
    exports = []
    for source in workspace.sources:
        base = next(
            (folder for name, folder in workspace.paths.items() if source.files.startswith(f"{{{name}}}")),
            workspace.root,
        )
        for path in workspace.files_of(source):
            csv_files.readable(path)
            size = path.stat().st_size
            if size == 0:
                raise NoInputError(
                    f"the file of source {source.name!r} is empty (0 bytes)",
                    remedy="Export it again, or take it away",
                    place=place(path),
                )
            digest = sha256_of(path)
            ingest = hashlib.sha256(f"{digest} {asdict(source)!r}".encode()).hexdigest()[:12]
            exports.append(
                Export(
                    source=source,
                    table=workspace.tables[source.table],
                    path=path,
                    name=path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name,
                    bytes=size,
                    sha256=digest,
                    ingest=ingest,
                )
            )
    return exports


def fingerprint_of(workspace: Workspace, exports: Sequence[Export]) -> str:
    """Return a digest of everything that staging depends on."""
    import duckdb  # noqa: PLC0415  0.2 s

    content = {
        "layout": LAYOUT,
        "package": ccanalysis.__version__,
        "engine": duckdb.__version__,
        "zone": workspace.centre.time_zone,
        "contract": [repr(workspace.tables[source.table]) for source in workspace.sources],
        "sources": [repr({**asdict(source), "line": 0}) for source in workspace.sources],
        "files": [(export.source.name, export.name, export.sha256) for export in exports],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def sha256_of(path: Path) -> str:
    """Return the digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def run(stage: Stage) -> None:
    """Stage every table into the folder of the stage."""
    with environment_faults(stage.folder):
        for export in stage.exports:
            _check_source(export.source)
        order = sorted({e.table.name for e in stage.exports}, key=lambda name: (name != "agents", name))
        with connect(folders=[stage.folder]) as connection:
            listed = ", ".join(f"{quoted(name)} {kind}" for name, kind in QUARANTINE_COLUMNS)
            connection.execute(f"CREATE TABLE quarantine ({listed})")
            for name in order:
                exports = [export for export in stage.exports if export.table.name == name]
                for number, export in enumerate(exports):
                    stage.progress(f"reading {export.name}")
                    _read(stage, connection, export, number)
                for source in {export.source.name: export.source for export in exports}.values():
                    _refuse_unusable(source, exports, connection)
                stage.progress(f"staging {name}")
                _assemble(stage, connection, exports[0].table, exports)
            connection.execute(
                f"COPY (SELECT * FROM quarantine ORDER BY ALL) TO {literal(stage.folder / 'quarantine.parquet')} "
                "(FORMAT parquet, COMPRESSION zstd)"
            )


def _check_source(source: Source) -> None:
    if source.format == "csv":
        csv_files.check_dialect(source)


# Reading one file


def _read(stage: Stage, connection: duckdb.DuckDBPyConnection, export: Export, number: int) -> None:
    """Read one export into a part with typed columns and faults, and its faults into quarantine."""
    work = stage.folder / f"work-{number}.csv"
    part = stage.folder / f"part-{number}.parquet"
    source = export.source
    try:
        if source.format == "csv":
            _read_csv(stage, connection, export, work, part)
        else:
            copy = stage.folder / f"copy-{number}{export.path.suffix.lower()}"
            shutil.copyfile(export.path, copy)
            if sha256_of(copy) != export.sha256:
                raise _changed(export)
            if source.format == "excel":
                records = workbooks.number_rows(source, copy, export.path, work)
                positions = _match(stage, export, records)
                cast = _casting(stage, export, positions, records)
                relation = _numbered(work, len(records.header), ",", '"')
            else:
                records, schema = parquet_files.columns_of(copy, export.path)
                positions = _match(stage, export, records)
                cast = _casting(stage, export, positions, records)
                relation = parquet_files.relation(source, copy, schema, cast.used, export.path)
            _cast(connection, cast, relation, part)
            _finish(stage, connection, export, records, cast, part, rejected=[])
            copy.unlink()
    finally:
        work.unlink(missing_ok=True)


def _read_csv(stage: Stage, connection: duckdb.DuckDBPyConnection, export: Export, work: Path, part: Path) -> None:
    source = export.source
    for careful in (False, True):
        records = csv_files.number_records(source, export.path, work, careful=careful)
        if records.sha256 != export.sha256:
            raise _changed(export)
        positions = _match(stage, export, records)
        cast = _casting(stage, export, positions, records)
        relation = _numbered(work, len(records.header), source.delimiter, source.quote)
        came = _cast(connection, cast, relation, part)
        rejected = _rejected(connection, export, records, source)
        if came + len({row for row, _, _ in rejected}) == records.written:
            _finish(stage, connection, export, records, cast, part, rejected=rejected)
            if records.mojibake:
                _note_mojibake(stage, connection, export, positions, relation)
            return
    raise ContractError(
        f"{records.written - came - len(rejected):,} rows are lost inside quoted values",
        remedy=f"Correct 'quote' of source {source.name!r}, or export the file again",
        place=place(export.path),
    )


def _changed(export: Export) -> ContractError:
    return ContractError(
        "the file changed while it was read",
        remedy="Run again when the export is complete",
        place=place(export.path),
    )


def _match(stage: Stage, export: Export, records: Records) -> dict[str, int]:
    positions, notes = match_header(export.source, records.header, export.path, records.header_row or 1)
    for note in notes:
        stage.note(note)
    if records.repeated:
        stage.note(f"{export.name} repeats its header {records.repeated:,} times; these rows are set aside")
    return positions


def _casting(stage: Stage, export: Export, positions: Mapping[str, int], records: Records) -> Casting:
    centre = stage.workspace.centre.time_zone
    zone = export.source.zone or centre
    inner = csv_files.INNER_NEWLINE if records.inner_lines else ""
    return casting(export.source, export.table, positions, zone=zone, inner_newline=inner)


def _numbered(work: Path, width: int, delimiter: str, quote: str) -> str:
    columns = ", ".join(["'_row': 'BIGINT'", *(f"'c{position}': 'VARCHAR'" for position in range(width))])
    return (
        f"SELECT * FROM read_csv({literal(work)}, auto_detect = false, columns = {{{columns}}}, header = false, "
        f"delim = {literal(delimiter)}, quote = {literal(quote)}, escape = {literal(quote)}, "
        "store_rejects = true, rejects_limit = 0, max_line_size = 8000000)"
    )


def _cast(connection: duckdb.DuckDBPyConnection, cast: Casting, relation: str, part: Path) -> int:
    """Write the part of one export and return how many records came."""
    for table in ("reject_errors", "reject_scans"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    query = f"WITH export AS ({relation}) {cast.select}"
    answer = connection.execute(f"COPY ({query}) TO {literal(part)} (FORMAT parquet, COMPRESSION snappy)").fetchall()
    return int(answer[0][0])


def _rejected(
    connection: duckdb.DuckDBPyConnection, export: Export, records: Records, source: Source
) -> list[tuple[int, str, str]]:
    """List the records that the engine could not split: row, rule and text."""
    (count,) = connection.execute("SELECT count(DISTINCT (scan_id, line)) FROM reject_errors").fetchall()[0]
    _refuse_shape(export, records, int(count))
    rows = connection.execute(
        "SELECT any_value(csv_line), min(error_type::VARCHAR) FROM reject_errors GROUP BY scan_id, file_id, line"
    ).fetchall()
    return [
        (int(line.split(source.delimiter, 1)[0].strip()), _ENGINE_RULES.get(kind, "quote"), line) for line, kind in rows
    ]


def _refuse_shape(export: Export, records: Records, rejected: int) -> None:
    """Refuse a file of which more than one row in a hundred has another shape than its header."""
    total = records.written + len(records.faults)
    bad = rejected + sum(rule in SHAPE_RULES for _, rule in records.faults)
    if bad and (bad == total or (bad > 1 and bad * 100 > total)):
        raise ContractError(
            f"{bad:,} of {total:,} rows do not have the {len(records.header)} fields of the header",
            remedy=f"Check 'delimiter' and 'quote' of source {export.source.name!r}, or export the file again",
            place=place(export.path),
        )


def _finish(
    stage: Stage,
    connection: duckdb.DuckDBPyConnection,
    export: Export,
    records: Records,
    cast: Casting,
    part: Path,
    *,
    rejected: list[tuple[int, str, str]],
) -> None:
    """Count the rows of one export and put those that broke a rule into quarantine."""
    source = export.source
    kept, aside, broken = connection.execute(
        f"SELECT count(*) FILTER (NOT _aside AND _faults IS NULL), count(*) FILTER (_aside), "
        f"count(*) FILTER (NOT _aside AND _faults IS NOT NULL) FROM {_parquet([part])}"
    ).fetchall()[0]
    faults = list(records.faults)
    for row, rule, line in rejected:
        if _declared_aside(source, cast, records, line):
            aside += 1
        else:
            faults.append((row, rule))
    export.kept, export.set_aside, export.quarantined = int(kept), int(aside), int(broken) + len(faults)
    export.records = records.written + len(records.faults) - export.set_aside
    head = (export.table.name, source.name, export.name)
    if faults:
        connection.executemany(
            "INSERT INTO quarantine VALUES (?, ?, ?, ?, NULL, ?, ?)",
            [(*head, row, rule, reason(rule)) for row, rule in faults],
        )
    if broken:
        rows = f"SELECT _row, unnest(_faults) AS fault FROM {_parquet([part])} WHERE NOT _aside"
        said = []
        for (fault,) in connection.execute(f"SELECT DISTINCT fault FROM ({rows})").fetchall():
            column, rule, detail = [*fault.split("|"), ""][:3]
            said.append((fault, column, rule, cast.reason(column, rule, detail)))
        connection.execute("CREATE OR REPLACE TEMP TABLE said (fault TEXT, col TEXT, rule TEXT, reason TEXT)")
        connection.executemany("INSERT INTO said VALUES (?, ?, ?, ?)", said)
        connection.execute(
            f"INSERT INTO quarantine SELECT ?, ?, ?, _row, col, rule, reason FROM ({rows}) JOIN said USING (fault)",
            head,
        )


def _declared_aside(source: Source, cast: Casting, records: Records, line: str) -> bool:
    """Tell whether a record that is too short or too long is one that `ignore_where` names."""
    if not source.ignore_where or source.format != "csv":
        return False
    cells = next(csv.reader([line], delimiter=source.delimiter, **csv_files.quoting(source.quote)), [])[1:]
    for name, texts in source.ignore_where.items():
        position = cast.positions[name]
        if position < len(cells) and cells[position].strip() in {text.strip() for text in texts}:
            return True
    return False


def _note_mojibake(
    stage: Stage, connection: duckdb.DuckDBPyConnection, export: Export, positions: Mapping[str, int], relation: str
) -> None:
    """Count the cells per column in which UTF-8 was read as a Windows code page."""
    pattern = literal(csv_files.MOJIBAKE.pattern)
    counts = [f"count(*) FILTER (regexp_matches(c{position}, {pattern}))" for position in positions.values()]
    row = connection.execute(f"SELECT {', '.join(counts)} FROM ({relation})").fetchall()[0]
    for name, count in zip(positions, row, strict=True):
        if count:
            stage.note(
                f"{export.name}, column {name!r}: {count:,} cells look like UTF-8 that was read in another encoding; "
                f"check 'encoding' of source {export.source.name!r}"
            )


def _refuse_unusable(source: Source, exports: Sequence[Export], connection: duckdb.DuckDBPyConnection) -> None:
    """Refuse a source that gives no row at all, or none that keeps the contract."""
    mine = [export for export in exports if export.source.name == source.name]
    if not any(export.records for export in mine):
        raise NoInputError(
            f"the file of source {source.name!r} has a header and no row",
            remedy="Export it again, or take the source out of the settings",
            place=place(mine[0].path),
        )
    if not any(export.kept for export in mine):
        (row, column, said), count = _most_frequent(connection, source)
        raise ContractError(
            f"none of the {sum(export.records for export in mine):,} rows of source {source.name!r} keeps the contract "
            f"of {source.table!r}; {count:,} times {said}",
            remedy="Correct the mapping of this column, or the export",
            place=place(mine[0].path, row=row, column=column),
        )


def _most_frequent(connection: duckdb.DuckDBPyConnection, source: Source) -> tuple[tuple[int, str | None, str], int]:
    row, column, said, count = connection.execute(
        'SELECT min(source_row), "column", reason, count(*) AS n FROM quarantine WHERE source = ? '
        'GROUP BY "column", reason ORDER BY n DESC, 1 LIMIT 1',
        [source.name],
    ).fetchall()[0]
    return (row, column, said), count


# Assembling one table


def _assemble(stage: Stage, connection: duckdb.DuckDBPyConnection, table: Table, exports: list[Export]) -> None:
    """Join the parts of one table, take duplicates out, fill derived columns and write it."""
    parts = [stage.folder / f"part-{number}.parquet" for number in range(len(exports))]
    ranks = {id(export): rank for rank, export in enumerate(sorted(exports, key=lambda e: (e.name, exports.index(e))))}
    listed = " UNION ALL BY NAME ".join(
        f"SELECT * EXCLUDE (_row, _aside, _faults), {ranks[id(export)]} AS _rank, "
        f"{literal(export.name)} AS source_file, _row::BIGINT AS source_row, {literal(export.ingest)} AS ingest "
        f"FROM {_parquet([part])} WHERE NOT _aside AND _faults IS NULL"
        for part, export in zip(parts, exports, strict=True)
    )
    connection.execute(f"CREATE OR REPLACE TEMP VIEW arrived AS {listed}")
    _take_duplicates_out(stage, connection, table, exports, ranks)
    zone = literal(stage.workspace.centre.time_zone)
    local = f"timezone({zone}, {quoted(table.instant)})" if table.instant else ""
    day, hour = (f"{local}::DATE", f"hour({local})") if local else (quoted(table.local_day), "NULL")
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW timed AS SELECT *, {day} AS _day, {hour} AS _hour "
        "FROM arrived ANTI JOIN repeated USING (_rank, source_row)"
    )
    rostered = _roster(stage, connection, table)
    columns = []
    for column in table.columns:
        name = quoted(column.name)
        filled = {"local_date": "_day", "local_hour": "_hour"}.get(column.name, f"timed.{name}")
        if rostered and column.name in ("team", "site"):
            filled = f"coalesce(timed.{name}, stay.{name})"
        elif column.name == "line_manager" and column.derived:
            filled = "stay.line_manager" if rostered else "NULL"
        columns.append(f"({filled})::{column.sql_type} AS {name}")
    joined = (
        "timed LEFT JOIN stay ON timed.agent_id = stay.agent_id AND timed._day = stay._day" if rostered else "timed"
    )
    target = stage.folder / f"{table.name}.parquet"
    connection.execute(
        f"COPY (SELECT {', '.join(columns)} FROM {joined} ORDER BY timed._day, timed._rank, timed.source_row) "
        f"TO {literal(target)} (FORMAT parquet, COMPRESSION zstd)"
    )
    for part in parts:
        part.unlink()
    stage.tables[table.name] = target
    _note_twins(stage, connection, table, target)


def _take_duplicates_out(
    stage: Stage,
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    exports: list[Export],
    ranks: Mapping[int, int],
) -> None:
    """List the rows that give way to another row of the same key, and count them per file."""
    key = ", ".join(quoted(name) for name in table.key)
    same = " AND ".join(f"arrived.{quoted(n)} IS NOT DISTINCT FROM twice.{quoted(n)}" for n in table.key)
    content = ", ".join(quoted(column.name) for column in table.mapped)
    latest = f"{quoted(table.updated)} DESC NULLS LAST, " if table.updated else ""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE twice AS SELECT {key} FROM arrived GROUP BY {key} HAVING count(*) > 1"
    )
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE repeated AS
        SELECT _rank, source_row, differs FROM (
            SELECT _rank, source_row,
                row_number() OVER (PARTITION BY {key} ORDER BY {latest}_rank DESC, source_row DESC) AS place,
                min(_content) OVER (PARTITION BY {key}) <> max(_content) OVER (PARTITION BY {key}) AS differs
            FROM (SELECT _rank, source_row, {key}{", " + quoted(table.updated) if table.updated else ""},
                    hash({content}) AS _content FROM arrived SEMI JOIN twice ON {same})
        ) WHERE place > 1"""
    )
    counts = dict(connection.execute("SELECT _rank, count(*) FROM repeated GROUP BY 1").fetchall())
    for export in exports:
        export.duplicates = int(counts.get(ranks[id(export)], 0))
        export.kept -= export.duplicates
    (differing,) = connection.execute("SELECT count(*) FROM repeated WHERE differs").fetchall()[0]
    if differing:
        rule = f"the one with the latest {table.updated!r}, else the one" if table.updated else "the one"
        stage.note(
            f"{table.name}: {differing:,} rows have the key of another row and differ from it; of each key {rule} of "
            "the later file or row is kept"
        )


def _roster(stage: Stage, connection: duckdb.DuckDBPyConnection, table: Table) -> bool:
    """Find the stay in force of every agent on every local day of a table; one stay per agent and day."""
    if "agents" not in stage.tables or table.name == "agents":
        return False
    if "agent_id" not in table or not {"team", "site", "line_manager"} & {column.name for column in table.columns}:
        return False
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE stay AS
        SELECT agent_id, _day, team, site, line_manager, stays FROM (
            SELECT days.agent_id, days._day, roster.team, roster.site, roster.line_manager,
                row_number() OVER latest AS place, count(*) OVER (PARTITION BY days.agent_id, days._day) AS stays
            FROM (SELECT DISTINCT agent_id, _day FROM timed WHERE agent_id IS NOT NULL) AS days
            JOIN {_parquet([stage.tables["agents"]])} AS roster
                ON roster.agent_id = days.agent_id AND roster.valid_from <= days._day
                AND (roster.valid_to IS NULL OR roster.valid_to >= days._day)
            WINDOW latest AS (PARTITION BY days.agent_id, days._day
                ORDER BY roster.valid_from DESC, roster.source_file DESC, roster.source_row DESC)
        ) WHERE place = 1"""
    )
    (overlapping,) = connection.execute("SELECT count(*) FROM stay WHERE stays > 1").fetchall()[0]
    if overlapping:
        stage.note(
            f"{table.name}: on {overlapping:,} agent days the roster has more than one stay in force; "
            "the one that began last counts"
        )
    (without,) = connection.execute(
        "SELECT count(*) FROM timed ANTI JOIN stay ON timed.agent_id = stay.agent_id AND timed._day = stay._day "
        "WHERE timed.agent_id IS NOT NULL"
    ).fetchall()[0]
    if without:
        stage.note(f"{table.name}: {without:,} rows name an agent who has no stay in the roster on that day")
    return True


def _note_twins(stage: Stage, connection: duckdb.DuckDBPyConnection, table: Table, target: Path) -> None:
    """Name teams and sites that are written in more than one way."""
    for name in ("team", "site"):
        if name not in table:
            continue
        rows = connection.execute(
            f"SELECT list(DISTINCT {name} ORDER BY {name}) AS forms FROM {_parquet([target])} WHERE {name} IS NOT NULL "
            f"GROUP BY regexp_replace(lower(nfc_normalize({name})), '\\s+', ' ', 'g') HAVING len(forms) > 1 ORDER BY 1"
        ).fetchall()
        for (forms,) in rows[:20]:
            shown = ", ".join(ascii(form) if not form.isascii() else repr(form) for form in forms)
            stage.note(f"{table.name}: one {name} seems to be written in {len(forms)} ways and is kept apart: {shown}")


# Helpers


def _parquet(paths: Sequence[Path]) -> str:
    return f"read_parquet([{', '.join(literal(path) for path in paths)}])"


@contextmanager
def environment_faults(folder: Path) -> Iterator[None]:
    """Turn a full disk, a lack of memory or of rights into an error that says so."""
    import duckdb  # noqa: PLC0415  0.2 s

    try:
        yield
    except duckdb.OutOfMemoryException:
        raise EnvironmentFaultError(
            "the embedded engine's memory does not suffice",
            remedy="Raise the environment variable CCANALYSIS_MEMORY, for example to 4GB",
        ) from None
    except (OSError, duckdb.IOException) as error:
        free = shutil.disk_usage(folder.anchor).free >> 20
        detail = error.strerror if isinstance(error, OSError) and error.strerror else "input or output failed"
        raise EnvironmentFaultError(
            f"the workspace's cache cannot be written or read ({detail}; {free:,} MiB are free)",
            remedy="Make room, or give this account the right to write there",
            place=folder.name,
        ) from None

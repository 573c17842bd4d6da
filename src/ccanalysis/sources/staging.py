"""From parts to staged contract tables: take duplicates out, fill from the roster, write sorted by local day."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ccanalysis import partitions
from ccanalysis.contracts import Table
from ccanalysis.engine import connect, literal, quoted
from ccanalysis.errors import ContractError, EnvironmentFaultError, place
from ccanalysis.sources.clock_changes import local_sql
from ccanalysis.sources.csv_files import check_dialect
from ccanalysis.sources.exports import Export
from ccanalysis.sources.reading import Stage, check_headers, parquet, read_source
from ccanalysis.workspace import Workspace

ONE_ROW = "filename, file_row_number"  # a line of a document may give several rows, so file and line do not tell them


def stage_tables(
    workspace: Workspace, folder: Path, exports: Sequence[Export], progress: Callable[[str], None]
) -> tuple[dict[str, Path], dict[str, Path], list[str]]:
    """Stage every table that has a source, and the quarantine, into a folder.

    Args:
        workspace: The settings.
        folder: Where to write; it exists and is empty.
        exports: All files; their counts are filled in.
        progress: Told what is done.

    Returns:
        Table -> file, table -> file with its free text, and notes.
    """
    tables: dict[str, Path] = {}
    texts: dict[str, Path] = {}
    for source in workspace.sources:
        check_dialect(source)
    check_headers(exports)
    with environment_faults(folder), connect(folders=[folder]) as connection:
        stage = Stage(workspace=workspace, folder=folder, connection=connection, progress=progress)
        names = sorted({export.table.name for export in exports}, key=lambda name: (name != "agents", name))
        for name in names:  # the roster first, for it fills the others
            parts = []
            for source in workspace.sources:
                if source.table == name:
                    parts += read_source(stage, source, [e for e in exports if e.source.name == source.name])
            progress(f"staging {name}")
            mine = [export for export in exports if export.table.name == name]
            tables[name] = _partitioned(
                stage, mine[0].table, _assemble(stage, mine[0].table, mine, parts, tables.get("agents"))
            )
            if (apart := _set_texts_apart(stage, mine[0].table)) is not None:
                texts[name] = apart
            for part in parts:
                part.unlink()
        columns = 'source, source_file, source_row, "column", rule'
        stage.sql(
            f'COPY (SELECT * FROM quarantine ORDER BY "table", {columns}) '
            f"TO {literal(folder / 'quarantine.parquet')} (FORMAT parquet, COMPRESSION zstd)"
        )
        return tables, texts, stage.notes


def _assemble(
    stage: Stage, table: Table, exports: Sequence[Export], parts: Sequence[Path], agents: Path | None
) -> Path:
    """Join the parts of one table, take duplicates out, fill derived columns and write it."""
    stage.sql("CREATE OR REPLACE TEMP TABLE files (_file BIGINT, _rank BIGINT, source_file TEXT, ingest TEXT)")
    ranked = sorted(exports, key=lambda export: (export.name, export.number))
    stage.connection.executemany(
        "INSERT INTO files VALUES (?, ?, ?, ?)", [(e.number, rank, e.name, e.ingest) for rank, e in enumerate(ranked)]
    )
    stage.sql(
        "CREATE OR REPLACE TEMP VIEW arrived AS SELECT * EXCLUDE (_aside, _zoneless, _faults) "
        f"FROM {parquet(parts, numbered=True)} WHERE NOT _aside AND _faults IS NULL"
    )
    _take_duplicates_out(stage, table, exports)
    unrepeated = f"arrived ANTI JOIN repeated USING ({ONE_ROW})"
    if table.instant:
        zone, instant = stage.workspace.centre.time_zone, f"kept.{quoted(table.instant)}"
        days = f"{stage.days(zone)}_utc AS days ON days.day = make_timestamp(epoch_us({instant}))::DATE"
        timed = (
            "SELECT * EXCLUDE (_local), _local::DATE AS _day, hour(_local) AS _hour "
            f"FROM (SELECT kept.*, {local_sql(zone, instant, 'days')} AS _local "
            f"FROM (SELECT * FROM {unrepeated}) AS kept LEFT JOIN {days})"
        )
    else:
        timed = f"SELECT *, {quoted(table.local_day)} AS _day, NULL AS _hour FROM {unrepeated}"
    stage.sql(f"CREATE OR REPLACE TEMP VIEW timed AS {timed}")
    rostered = agents is not None and _find_stays(stage, table, agents)
    filled = {
        "local_date": "timed._day",
        "local_hour": "timed._hour",
        "source_file": "files.source_file",
        "source_row": "timed._row",
        "ingest": "files.ingest",
        "line_manager": "stay.line_manager" if rostered else "NULL",
    }
    if rostered:
        filled |= {name: f"coalesce(timed.{name}, stay.{name})" for name in ("team", "site")}
    columns = []
    for column in table.columns:
        own = f"timed.{quoted(column.name)}"
        value = filled.get(column.name, own) if column.derived or column.name in ("team", "site") else own
        columns.append(f"({value})::{column.sql_type} AS {quoted(column.name)}")
    joined = "timed JOIN files ON files._file = timed._file"
    if rostered:
        joined += " LEFT JOIN stay ON timed.agent_id = stay.agent_id AND timed._day = stay._day"
    target = stage.folder / f"{table.name}.parquet"
    stage.sql(
        f"COPY (SELECT {', '.join(columns)} FROM {joined} ORDER BY timed._day, files._rank, timed._row) "
        f"TO {literal(target)} (FORMAT parquet, COMPRESSION zstd)"
    )
    _note_twins(stage, table, target)
    return target


def _set_texts_apart(stage: Stage, table: Table) -> Path | None:
    """Write what people wrote into a file of its own with the key alone, where the workspace keeps it."""
    sources = [source for source in stage.workspace.sources if source.table == table.name]
    names = [column.name for column in table.texts]
    if left := [name for name in names if any(name in source.left_out for source in sources)]:
        stage.note(f"{table.name}: free text is left out ({', '.join(left)}); 'free_text' under [privacy] keeps it")
    kept = [name for name in names if any(name in source.columns for source in sources)]
    if not kept:
        return None
    key, words = ", ".join(quoted(name) for name in table.key), ", ".join(quoted(name) for name in kept)
    target = stage.folder / f"{table.name}__text.parquet"
    stage.sql(
        f"COPY (SELECT {key}, {words} FROM timed WHERE coalesce({words}) IS NOT NULL ORDER BY {key}) "
        f"TO {literal(target)} (FORMAT parquet, COMPRESSION zstd)"
    )
    target.chmod(0o600)
    stage.note(f"{table.name}: free text is kept apart ({', '.join(kept)}); no rule or figure reads it")
    return target


def _partitioned(stage: Stage, table: Table, whole: Path) -> Path:
    """Keep a large table as weekly partitions; a week that an earlier staging has already is linked from there."""
    [(rows,)] = stage.sql(f"SELECT count(*) FROM {parquet([whole])}")
    if table.name == "agents" or rows < partitions.PARTITION_FROM:  # the roster is small, and filled from as a whole
        return whole
    earlier = sorted(stage.folder.parent.glob(f"*/{table.name}"))
    if not partitions.split(stage.connection, whole, table, whole.with_suffix(""), earlier=earlier):
        return whole
    whole.unlink()
    return whole.with_suffix("")


def _take_duplicates_out(stage: Stage, table: Table, exports: Sequence[Export]) -> None:
    """List the rows that give way to another row of the same key, and count them per file."""
    key = ", ".join(quoted(name) for name in table.key)
    same = " AND ".join(f"arrived.{quoted(n)} IS NOT DISTINCT FROM twice.{quoted(n)}" for n in table.key)
    content = ", ".join(quoted(column.name) for column in table.fillable)
    updated = f", {quoted(table.updated)}" if table.updated else ""
    latest = f"{quoted(table.updated)} DESC NULLS LAST, " if table.updated else ""
    stage.sql(f"CREATE OR REPLACE TEMP TABLE twice AS SELECT {key} FROM arrived GROUP BY {key} HAVING count(*) > 1")
    stage.sql(
        f"""CREATE OR REPLACE TEMP TABLE repeated AS
        SELECT _file, _row, {ONE_ROW}, differs FROM (
            SELECT _file, _row, {ONE_ROW},
                row_number() OVER (PARTITION BY {key} ORDER BY {latest}_rank DESC, _row DESC, {ONE_ROW}) AS place,
                min(_content) OVER (PARTITION BY {key}) <> max(_content) OVER (PARTITION BY {key}) AS differs
            FROM (SELECT _file, _row, {ONE_ROW}, {key}{updated}, hash({content}) AS _content
                FROM arrived SEMI JOIN twice ON {same})
            JOIN files USING (_file)
        ) WHERE place > 1"""
    )
    counts = dict(stage.sql("SELECT _file, count(*) FROM repeated GROUP BY 1"))
    for export in exports:
        repeated = int(counts.get(export.number, 0))
        export.duplicates += repeated
        export.kept -= repeated
    [(differing,)] = stage.sql("SELECT count(*) FROM repeated WHERE differs")
    if differing and table.name == "intervals":
        _refuse_parts_of_hours(stage, exports)
    if differing:
        rule = f"the one with the latest {table.updated!r}, else the one" if table.updated else "the one"
        stage.note(
            f"{table.name}: {differing:,} rows have the key of another row and differ from it; of each key {rule} of "
            "the later file or row is kept"
        )


def _refuse_parts_of_hours(stage: Stage, exports: Sequence[Export]) -> None:
    """Refuse quarter and half hours that fall on one key: taking one of them for a repeat would lose contacts."""
    rows = stage.sql(
        "SELECT _file, count(*) FROM arrived JOIN repeated USING (_file, _row, filename, file_row_number) "
        "WHERE differs AND length IN ('15min', '30min') GROUP BY 1 ORDER BY 1"
    )
    for number, count in rows:
        export = next(export for export in exports if export.number == number)
        raise ContractError(
            f"{count:,} intervals within one hour cannot be told apart, for the contract keeps the hour alone",
            remedy="Export whole hours, or add them up before",
            place=place(export.path),
        )


def _find_stays(stage: Stage, table: Table, agents: Path) -> bool:
    """Find the stay in force of every agent on every local day of a table: one per agent and day."""
    if table.name == "agents" or not {"agent_id", "team", "site", "line_manager"} <= {c.name for c in table.columns}:
        return False
    stage.sql("CREATE OR REPLACE TEMP TABLE agent_day AS SELECT agent_id, _day, count(*) AS n FROM timed GROUP BY ALL")
    stage.sql(
        f"""CREATE OR REPLACE TEMP TABLE stay AS
        SELECT agent_id, _day, team, site, line_manager, stays FROM (
            SELECT agent_day.agent_id, _day, roster.team, roster.site, roster.line_manager,
                row_number() OVER (PARTITION BY agent_day.agent_id, _day
                    ORDER BY roster.valid_from DESC, roster.source_file DESC, roster.source_row DESC) AS place,
                count(*) OVER (PARTITION BY agent_day.agent_id, _day) AS stays
            FROM agent_day JOIN {parquet([agents])} AS roster ON roster.agent_id = agent_day.agent_id
                AND roster.valid_from <= _day AND (roster.valid_to IS NULL OR roster.valid_to >= _day)
        ) WHERE place = 1"""
    )
    [(overlapping,)] = stage.sql("SELECT count(*) FROM stay WHERE stays > 1")
    if overlapping:
        stage.note(
            f"{table.name}: on {overlapping:,} agent days the roster has more than one stay in force; "
            "the one that began last counts"
        )
    [(without,)] = stage.sql(
        "SELECT coalesce(sum(n), 0) FROM agent_day ANTI JOIN stay USING (agent_id, _day) WHERE agent_id IS NOT NULL"
    )
    if without:
        stage.note(f"{table.name}: {int(without):,} rows name an agent without a stay in the roster on that day")
    return True


def _note_twins(stage: Stage, table: Table, target: Path) -> None:
    """Name teams and sites that are written in more than one way."""
    for name in ("team", "site"):
        if name not in table:
            continue
        rows = stage.sql(
            f"SELECT list(DISTINCT {name} ORDER BY {name}) AS forms FROM {parquet([target])} WHERE {name} IS NOT NULL "
            f"GROUP BY regexp_replace(lower(nfc_normalize({name})), '\\s+', ' ', 'g') HAVING len(forms) > 1 ORDER BY 1"
        )
        for (forms,) in rows[:20]:
            shown = " and ".join(repr(form) if form.isascii() else ascii(form) for form in forms)
            stage.note(f"{table.name}: {name} {shown} seem to be one, and are kept apart")


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

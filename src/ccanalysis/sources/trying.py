"""Try a file before it is declared: what it is and why, the mapping, the first problems, and the block of settings."""

from __future__ import annotations

import csv
import json
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ccanalysis import contracts, vendors
from ccanalysis.errors import CcanalysisError, EnvironmentFaultError, NoInputError, SettingsError, place
from ccanalysis.sources import proposing, stage, workbooks
from ccanalysis.sources.door import Door
from ccanalysis.sources.json_files import is_document
from ccanalysis.vendors import Head, VendorFormat
from ccanalysis.workspace import ENDINGS, SETTINGS_FILE, Centre, FieldMapping, Source, Workspace, sources_in

FILL_IN = "FILL IN"
TRIED_BYTES = 8 << 20
SAMPLE_ROWS = 2_000
PROBLEMS = 5
_TRIAL = {"zone": "UTC", "channel": "email"}  # stand-ins while a file is tried; the block asks for the true ones
_VALUE = re.compile(r"^[-+.,:/\d\s]*\d[-+.,:/\d\s]*$|@|^$")  # a number, a time or an address does not name a column
_OFFSET = re.compile(r"(Z|[+-]\d{2}:?\d{2})$")


@dataclass(frozen=True, kw_only=True)
class TriedTable:
    """One contract table that a file was tried for.

    Attributes:
        table: The table.
        block: The block of settings.
        mapping: Contract column and where it comes from, in words.
        counts: Rows `read`, `kept`, `quarantined`, `duplicates` and `set_aside`; empty where nothing was read.
        problems: The first faults, each with its row, column and reason; no cell value.
        faults: How many faults there are.
        notes: What a reader must know.
        error: Why it could not be read at all.
    """

    table: str
    block: str
    mapping: tuple[tuple[str, str], ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    faults: int = 0
    notes: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a file was found to be.

    Attributes:
        file: The file's name.
        title: What it is, in words.
        evidence: Why.
        tables: The tables that it can fill, or the block to fill in.
        header: Position, name and form of each column, where the format is not known.
        known: Whether the format was recognised.
        part: Whether only the beginning of the file was read.
    """

    file: str
    title: str
    evidence: str
    tables: tuple[TriedTable, ...]
    header: tuple[tuple[int, str, str], ...] = ()
    known: bool = False
    part: bool = False

    @property
    def settings(self) -> str:
        """The blocks for the settings file; a table that could not be read at all is left out."""
        return "\n".join(one.block for one in self.tables if not one.error)

    @property
    def complete(self) -> bool:
        """Whether everything is known and no row is at fault."""
        return self.known and FILL_IN not in self.settings and not any(one.faults for one in self.tables)

    def lines(self) -> Iterator[str]:
        """Yield what there is to say, line by line."""
        yield f"{self.file}: {self.title}"
        yield f"  because {self.evidence}"
        if self.part:
            yield f"  the first {TRIED_BYTES >> 20} MiB were read"
        if self.header:
            yield ""
            yield from (f"  {position:>3}  {name}  ({form})" for position, name, form in self.header)
        for one in self.tables:
            if not (one.mapping or one.error):
                continue
            yield ""
            yield one.table
            if one.error:
                yield f"  not from this file: {one.error}"
                continue
            yield "  " + ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in one.counts.items())
            width = max(len(name) for name, _ in one.mapping)
            yield from (f"  {name:<{width}}  {told}" for name, told in one.mapping)
            if one.faults:
                yield f"  first problems of {one.faults:,}:"
                yield from (f"    {problem}" for problem in one.problems)
            yield from (f"  note: {note}" for note in one.notes)


def try_file(path: Path, root: Path, *, zone: str = "", channel: str = "") -> Trial:
    """Find out what a file is, and read its beginning.

    Args:
        path: The file.
        root: The folder of the workspace, from which `files` is told.
        zone: The zone of times without an offset, where somebody has said so.
        channel: The medium of every contact, where somebody has said so and the file does not.

    Raises:
        NoInputError: There is no such file, or it is empty.
    """
    if not path.is_file():
        raise NoInputError(f"there is no file {path.name!r}", remedy="Give the path of one export")
    if path.stat().st_size == 0:
        raise NoInputError("the file is empty (0 bytes)", remedy="Export it again", place=place(path))
    head = vendors.read_head(path)
    found = vendors.recognise(head)
    with tempfile.TemporaryDirectory(prefix="ccanalysis-try-") as folder:
        copy, part = _beginning(path, Path(folder))
        if found is not None:
            form, evidence = found
            tables = tuple(
                _try_table(form, table, path, root, copy, head, part=part, zone=zone, channel=channel)
                for table in form.tables
            )
            title = f"{form.title} ({form.name})"
            return Trial(file=path.name, title=title, evidence=evidence, tables=tables, known=True, part=part)
        if (known := vendors.declared(head)) is not None:
            title, evidence, text = known
            table = _declared(text, path, root, copy, head, part=part, zone=zone)
            title = f"{title}, read by a declared mapping"
            return Trial(file=path.name, title=title, evidence=evidence, tables=(table,), known=True, part=part)
        return _generic(path, root, copy, head, part=part, zone=zone, channel=channel)


def _beginning(path: Path, folder: Path) -> tuple[Path, bool]:
    """Copy a file, or its first lines where it is long and made of lines."""
    copy = folder / path.name
    if path.stat().st_size <= TRIED_BYTES or vendors.read_head(path).kind == "other" or is_document(path):
        shutil.copyfile(path, copy)
        return copy, False
    with path.open("rb") as file:
        head = file.read(TRIED_BYTES)
    copy.write_bytes(head[: head.rfind(b"\n") + 1])
    return copy, True


def _files(path: Path, root: Path) -> tuple[str, str]:
    """Return `files` of a source, and a remark on it."""
    resolved, root = path.resolve(), root.resolve()
    if not resolved.is_relative_to(root):
        return f"exports/{path.name}", "put the file there, below the workspace"
    told = resolved.relative_to(root).as_posix()
    wider = re.sub(r"(?<![^\W\d_])\d+([-_T.]?\d+)*", "*", path.stem) + path.suffix
    remark = f"or {(Path(told).parent / wider).as_posix()} for every file of this kind" if wider != path.name else ""
    return told, remark


def _source_name(path: Path, table: str) -> str:
    words = re.findall(r"[^\W_]+", re.sub(r"\d{4,}", " ", path.stem))
    stem = " ".join(word for word in words if not word.isdigit()) or "export"
    return f"{stem} {table.replace('_', ' ')}"


def _line(name: str, value: Any, remark: str = "") -> str:
    written = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    return f"{name} = {written}" + (f"  # {remark}" if remark else "")


def _try_table(
    form: VendorFormat,
    table: str,
    path: Path,
    root: Path,
    copy: Path,
    head: Head,
    *,
    part: bool,
    zone: str,
    channel: str,
) -> TriedTable:
    files, remark = _files(path, root)
    lines = [
        "[[sources]]",
        _line("name", _source_name(path, table)),
        _line("table", table),
        _line("vendor", form.name),
        _line("files", files, remark),
    ]
    if head.kind == "csv" and head.delimiter != ",":
        lines.append(_line("delimiter", head.delimiter))
    said = {"zone": zone, "channel": channel}
    lines += [_line(setting, said.get(setting) or FILL_IN, why) for setting, why in form.ask.items()]
    told = tomllib.loads(form.tables[table])
    missing = [c for c in contracts.TABLES[table].mapped if c.required and c.name not in told]
    if missing:
        lines.append("[sources.columns]")
    for column in missing:
        why = f"the export does not say it; one of {', '.join(column.values)}" if column.values else column.about  # noqa: PD011
        value = said.get(column.name) or FILL_IN
        lines.append(f"{column.name} = {{ value = {json.dumps(value)} }}  # {why}")
    block = "\n".join([*lines, ""])
    trial = "\n".join(_stand_in(line, copy.name) for line in lines)
    return _stage_one(table, block, trial, copy, part=part)


def _declared(text: str, path: Path, root: Path, copy: Path, head: Head, *, part: bool, zone: str) -> TriedTable:
    """Try a mapping that is declared as a whole: its place and its zone are the file's own."""
    files, remark = _files(path, root)
    own = {
        "name": _line("name", _source_name(path, "contacts")),
        "files": _line("files", files, remark),
        "zone": _line("zone", zone or FILL_IN, "the export writes local times and not of which zone"),
    }
    if head.delimiter != ",":
        own["files"] += "\n" + _line("delimiter", head.delimiter)
    body = text[text.index("[[sources]]") :].splitlines()
    before = True  # the source's own settings stand above its columns
    lines = []
    for line in body:
        before = before and not line.startswith("[sources.")
        lines.append(own.get(line.partition(" ")[0], line) if before else line)
    block = "\n".join([*lines, ""])
    trial = "\n".join(_stand_in(line, copy.name) for line in block.splitlines())
    return _stage_one("contacts", block, trial, copy, part=part)


def _stand_in(line: str, name: str) -> str:
    """Return a line of a block as it is tried: the copy's place, and something where the user must say it."""
    key = line.partition(" ")[0]
    if key == "files":
        return _line("files", "{here}/" + name)
    return line.replace(FILL_IN, _TRIAL.get(key, FILL_IN)) if FILL_IN in line else line


def _stage_one(table: str, block: str, trial: str, copy: Path, *, part: bool) -> TriedTable:
    try:
        [source] = sources_in(trial, copy.parent)
        workspace = Workspace(
            root=copy.parent,
            centre=Centre(name="trial", time_zone=source.zone or "UTC"),
            sources=(source,),
            tables=contracts.TABLES,
            paths={"here": copy.parent},
        )
        staged = stage(workspace)
    except EnvironmentFaultError:
        raise
    except CcanalysisError as error:
        return TriedTable(table=table, block=block, error=str(error))
    counts = {n: int(staged.intake[n].sum()) for n in ("read", "kept", "quarantined", "duplicates", "set_aside")}
    quarantine = pd.read_parquet(staged.quarantine)
    if part:  # contacts that go on behind the beginning that was read are no fault
        quarantine = quarantine[quarantine["rule"] != "unended"]
    problems = tuple(
        f"row {row.source_row}: {row.reason}"
        for row in quarantine.sort_values("source_row").head(PROBLEMS).itertuples()
    )
    notes = tuple(note for note in staged.notes if "are not mapped stay outside" not in note)
    return TriedTable(
        table=table,
        block=block,
        mapping=tuple((name, _told(mapping)) for name, mapping in source.columns.items()),
        counts=counts,
        problems=problems,
        faults=len(quarantine),
        notes=notes,
    )


def _told(mapping: FieldMapping) -> str:
    """Say in words where a column comes from."""
    if mapping.value is not None:
        return f"always {mapping.value}"
    if mapping.cases:
        return f"by {len(mapping.cases)} cases"
    if mapping.seconds_between:
        return " to ".join(mapping.seconds_between)
    said = " and ".join(repr(column) for column in mapping.columns) or " times ".join(mapping.product)
    if mapping.format:
        said += f", written {mapping.format}"
    if mapping.unit:
        said += f", in {mapping.unit}"
    if mapping.codes:
        said += ": " + ", ".join(f"{raw or 'empty'} is {value}" for raw, value in mapping.codes.items())
    return said


# --- files of no known format -----------------------------------------------------------------------------------------


def _generic(path: Path, root: Path, copy: Path, head: Head, *, part: bool, zone: str = "", channel: str = "") -> Trial:
    """Show the columns of a file, and propose a block; what nothing speaks for is left to fill in."""
    kind, evidence = _kind(copy, head)
    names, rows, more = _columns(copy, kind, head)
    forms = {name: _form([row[name] for row in rows if row.get(name)]) for name in names}
    proposed = proposing.propose(names, rows, channel=channel)
    files, remark = _files(path, root)
    lines = [
        "[[sources]]",
        _line("name", _source_name(path, "contacts")),
        _line("table", "contacts"),
        _line("files", files, remark),
    ]
    if kind != ENDINGS.get(path.suffix.lower(), "csv"):
        lines.append(_line("format", kind))
    lines += more
    local = [name for name in names if forms[name].startswith("times") and not forms[name].endswith("with offset")]
    if local or proposed.local:
        why = f"{local[0]!r} holds {forms[local[0]]}, without a zone" if local else "times are written without a zone"
        lines.append(_line("zone", zone or FILL_IN, "" if zone else why))
    lines.append("[sources.columns]")
    lines += [
        f"# {column}: {why}" for column, why in proposed.open.items() if not contracts.CONTACTS.column(column).required
    ]
    for column in contracts.CONTACTS.mapped:
        if column.name in proposed.lines:
            lines.append(proposed.lines[column.name])
        elif column.required:
            lines.append(_asked(column, names, forms))
    doubtful = [position for position, name in enumerate(names, 1) if _VALUE.search(name)]
    if doubtful and kind in ("csv", "excel"):
        raise NoInputError(
            f"its first row is no header: what stands in column {doubtful[0]} is a value, not a name",
            remedy="Export it with a header; title lines above one are left out with skip_lines",
            place=place(path, row=1),
        )
    header = tuple((position, name, forms[name]) for position, name in enumerate(names, 1))
    block = "\n".join([*lines, ""])
    table = TriedTable(table="contacts", block=block)
    if FILL_IN not in block:
        table = _stage_one("contacts", block, "\n".join(_stand_in(line, copy.name) for line in lines), copy, part=part)
    return Trial(
        file=path.name,
        title=f"not an export that ccanalysis knows; {_KIND_WORDS[kind]} with {len(names)} columns",
        evidence=evidence,
        tables=(table,),
        header=header,
        part=part,
    )


_KIND_WORDS = {"csv": "a text table", "excel": "a workbook", "parquet": "a Parquet file", "json": "JSON"}


def _asked(column: contracts.Column, names: Sequence[str], forms: Mapping[str, str]) -> str:
    """Write the line of a required column, with what speaks for one answer or another."""
    empty = json.dumps(FILL_IN)
    if column.type == "instant":
        hints = [f"{name!r} holds {forms[name]}" for name in names if forms[name].startswith("times")]
        why = "; ".join([column.about, *hints[:3]])
        return f"{column.name} = {{ column = {empty}, format = {empty} }}  # {why}"
    if column.values:  # noqa: PD011  a column of a contract, not of a frame
        allowed = ", ".join(column.values)
        if column.name == "channel":
            return f"{column.name} = {{ value = {empty} }}  # or column and codes; one of {allowed}"
        return f"{column.name} = {{ column = {empty}, codes = {{ }} }}  # each text of the export = one of {allowed}"
    return f"{column.name} = {empty}  # {column.about}"


def _kind(copy: Path, head: Head) -> tuple[str, str]:
    with copy.open("rb") as file:
        magic = file.read(4)
    if magic == b"PK\x03\x04":
        return "excel", "it begins like a workbook"
    if magic == b"PAR1":
        return "parquet", "it begins like a Parquet file"
    if head.kind == "json" and head.names:
        return "json", "it begins with a JSON object; its fields are those of no vendor's format"
    if head.kind == "csv" and len(head.names) > 1:
        return "csv", f"its first line has {len(head.names)} fields between {head.delimiter!r}, which are no vendor's"
    raise NoInputError(
        "the file is no table: neither CSV with a header, nor a workbook, Parquet or JSON",
        remedy="Export it as one of these",
        place=place(copy),
    )


def _columns(copy: Path, kind: str, head: Head) -> tuple[list[str], list[dict[str, str]], list[str]]:
    """Return the names, some rows (their values are never shown), and the lines that the dialect needs."""
    if kind == "parquet":
        frame = pd.read_parquet(copy).head(SAMPLE_ROWS)
        texts = frame.astype(str).where(frame.notna(), "")
        return list(frame.columns), texts.to_dict("records"), []
    if kind == "excel":
        source = Source(name="trial", table="contacts", files=copy.name, format="excel")
        work, door = copy.with_suffix(".rows.csv"), Door(set(), delimiter=",", quote='"')
        names = workbooks.number_rows(source, copy, copy, work, number=0, door=door).header
        with work.open(encoding="utf-8", newline="") as file:
            rows = [row[2:] for _, row in zip(range(SAMPLE_ROWS), csv.reader(file), strict=False)]
        return names, _by_name(names, rows), []
    if kind == "json":
        names = list(dict.fromkeys(name for record in head.records for name in _paths(record)))
        found = [{name: _at(record, name) for name in names} for record in head.records]
        return names, [{n: "" if v is None else str(v) for n, v in record.items()} for record in found], []
    more = [] if head.delimiter == "," else [_line("delimiter", head.delimiter)]
    raw = copy.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = raw.count(b"\n", 0, error.start) + 1
        more.append(_line("encoding", FILL_IN, f"row {row} is not UTF-8; perhaps cp1252"))
        text = raw.decode("latin-1")
    reader = csv.reader(text.splitlines(), delimiter=head.delimiter)
    names = [name.strip() for name in next(reader)]
    return names, _by_name(names, [row for _, row in zip(range(SAMPLE_ROWS), reader, strict=False)]), more


def _paths(record: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _paths(value, f"{above}{name}.")
        elif not isinstance(value, list):
            yield f"{above}{name}"


def _at(record: Any, path: str) -> Any:
    for name in path.split("."):
        record = record.get(name) if isinstance(record, Mapping) else None
    return record


def _by_name(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    return [{name: row[n].strip() if n < len(row) else "" for n, name in enumerate(names)} for row in rows]


def _form(values: Sequence[str]) -> str:
    """Say how the values of a column are written, without showing one.

    Examples:
        >>> _form(["09/11/2026 08:00", "13/11/2026 09:30"])
        'times written NN/NN/NNNN NN:NN; the first number goes above 12, so it is the day'
        >>> _form(["09/11/2026"])
        'times written NN/NN/NNNN; neither number goes above 12, so day and month cannot be told apart'
        >>> _form(["12", "7"]), _form(["Billing"]), _form([])
        ('whole numbers', 'text', 'empty')
    """
    if not values:
        return "empty"
    if all(re.fullmatch(r"-?\d+", value) for value in values):
        return "whole numbers"
    if all(re.fullmatch(r"-?\d+[.,]\d+|-?\d+", value) for value in values):
        return "numbers"
    if all(re.fullmatch(r"\d+:\d{2}(:\d{2})?", value) for value in values):
        return "durations or times of day, " + re.sub(r"\d", "N", values[0])
    shape = re.sub(r"\d", "N", values[0])
    if all(re.search(r"\d{4}.*\d:\d{2}", value) and re.search(r"[A-Za-z]{3}", value) for value in values):
        return "times written " + re.sub(r"[A-Za-z]", "A", shape)
    if not re.search(r"N[-/.]N", shape) or re.search(r"[^N\-/.: TZ+,APM]", shape):
        return "text"
    offset = " with offset" if _OFFSET.search(values[0]) else ""
    pairs = [
        (int(m[1]), int(m[2])) for value in values if (m := re.match(r"(\d{1,2})[/.-](\d{1,2})[/.-]\d{2,4}", value))
    ]
    if not pairs:
        return f"times written {shape}{offset}"
    if any(first > 12 for first, _ in pairs):
        order = "the first number goes above 12, so it is the day"
    elif any(second > 12 for _, second in pairs):
        order = "the second number goes above 12, so the first is the month"
    else:
        order = "neither number goes above 12, so day and month cannot be told apart"
    return f"times written {shape}; {order}{offset}"


# --- writing ----------------------------------------------------------------------------------------------------------


def write(trial: Trial, root: Path) -> None:
    """Append the blocks of a trial to the settings of a workspace.

    Raises:
        SettingsError: There are no settings, they are no TOML, or a source of that name is there.
    """
    path = root / SETTINGS_FILE
    if not path.is_file():
        raise SettingsError(
            f"the folder {root.resolve().name!r} has no {SETTINGS_FILE}",
            remedy="Give the folder of a workspace with --workspace",
        )
    if not trial.settings:
        raise SettingsError("there is no block to write", remedy="Read above why the file fills no table")
    text = path.read_text(encoding="utf-8-sig")
    try:
        there = {source.get("name") for source in tomllib.loads(text).get("sources", [])}
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"it is not valid TOML: {error}", remedy="Put it right first", place=SETTINGS_FILE
        ) from None
    for source in tomllib.loads(trial.settings)["sources"]:
        if source["name"] in there:
            raise SettingsError(
                f"there is a source {source['name']!r} already",
                remedy="Rename or remove it, or copy the block by hand",
                place=SETTINGS_FILE,
            )
    aside = path.with_name(f".{SETTINGS_FILE}.writing")
    aside.write_text(f"{text.rstrip()}\n\n{trial.settings}", encoding="utf-8")
    aside.replace(path)

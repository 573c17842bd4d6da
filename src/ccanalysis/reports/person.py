"""All that is held on one person, in one folder or archive: for a request to see one's data.

Rows are the person's own. Where such a row also names somebody else by an identifier, that identifier is left out.
"""

from __future__ import annotations

import html
import io
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ccanalysis import engine, export, sources, text
from ccanalysis.errors import NoInputError, SettingsError
from ccanalysis.reports.publish import PRIVATE
from ccanalysis.sources import Staged
from ccanalysis.workspace import Workspace

_ROLES = ("evaluator_id", "given_by", "decided_by", "owner")  # in which somebody acts on others
_OTHERS = ("customer_id", *_ROLES)
_LEFT_OUT = "(another person)"
_READABLE = {".html", ".csv", ".json", ".jsonl", ".txt"}


def subject(workspace: Workspace, agent: str) -> dict[str, bytes]:
    """Gather what is held on one person.

    Args:
        workspace: The workspace.
        agent: The person's identifier, as the roster or the exports have it.

    Returns:
        File name -> content: a CSV file per table, verdicts and findings of every period at hand, the rows in
        quarantine that name the person, the pages that show them, and `about.txt` with counts.

    Raises:
        NoInputError: Nothing is held under that identifier; no other is named.
    """
    staged = sources.stage(workspace)
    tables = dict(_tables(workspace, staged, agent))
    names = {agent}
    if "agents" in tables and "agent_name" in tables["agents"]:
        own = tables["agents"]
        names |= set(own.loc[own["agent_id"] == agent, "agent_name"].dropna())
    judged = dict(_judged(workspace, agent))
    if not tables and not judged:
        raise NoInputError(
            "no table and no result holds anything under that identifier",
            remedy="Write it as the roster has it, letter by letter",
        )
    parts = {f"tables/{name}.csv": frame for name, frame in tables.items()}
    parts |= {f"results/{name}.csv": frame for name, frame in judged.items()}
    parts["quarantine.csv"], unread = _quarantined(workspace, staged, names)
    parts["pages.csv"] = pd.DataFrame(_pages(workspace.reports_path, names), columns=["file"])
    files = {name: export.to_csv(frame, list(frame.columns)).encode() for name, frame in parts.items()}
    files["about.txt"] = "\n".join(_about(workspace, agent, parts, unread)).encode()
    return files


def _tables(workspace: Workspace, staged: Staged, agent: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows of every staged table about the person, or naming them as who evaluated, gave, decided or does."""
    written = {f"{name}__text": path for name, path in staged.texts.items()}
    connection = engine.connect({**staged.tables, **written})
    try:
        for name in sorted(staged.tables):
            key = ", ".join(map(engine.quoted, workspace.tables[name].key))
            columns = [column.name for column in workspace.tables[name].columns]
            persons = [column for column in columns if column in ("agent_id", *_ROLES)]
            if not persons:
                continue
            named = " OR ".join(f"{engine.quoted(column)} = $agent" for column in persons)
            query = f"SELECT * FROM {engine.quoted(name)} WHERE {named} ORDER BY {key}"
            found = connection.execute(query, {"agent": agent}).fetch_df()
            if len(found):
                yield name, _own(found, agent)
            if f"{name}__text" in written and "agent_id" in persons:  # what was written of them, kept apart
                mine = f"SELECT {key} FROM {engine.quoted(name)} WHERE agent_id = $agent"
                words = engine.quoted(f"{name}__text")
                query = f"SELECT * FROM {words} SEMI JOIN ({mine}) USING ({key}) ORDER BY {key}"
                found = connection.execute(query, {"agent": agent}).fetch_df()
                if len(found):
                    yield f"{name}__text", found
    finally:
        connection.close()


def _own(rows: pd.DataFrame, agent: str) -> pd.DataFrame:
    """Leave out identifiers of others; where the person stands in another role, also whose row it is."""
    rows = rows.astype(object).where(rows.notna(), None)
    mine = rows["agent_id"] == agent if "agent_id" in rows else pd.Series(data=True, index=rows.index)
    for column in rows.columns.intersection([*_OTHERS, "agent_id", "agent_name", "line_manager", "comment"]):
        keep = (rows[column] == agent) | rows[column].isna()
        if column not in _OTHERS:
            keep |= mine
        rows[column] = rows[column].where(keep, _LEFT_OUT)
    return rows


def _judged(workspace: Workspace, agent: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield what was computed of the person, for every set of results that is at hand and every issue that is kept."""
    places = [(workspace.cache_path / "results", sorted((workspace.cache_path / "results").glob("[0-9]*")))]
    places.append((workspace.reports_path, sorted(workspace.reports_path.rglob(PRIVATE))))
    for home, folder in ((home, folder) for home, folders in places for folder in folders):
        for path in sorted(folder.glob("*.parquet")):
            frame = pd.read_parquet(path)
            if {"level", "unit"} <= set(frame.columns):
                own = frame[(frame["level"] == "agent") & (frame["unit"] == agent)]
            elif "agent_id" in frame:
                own = frame[frame["agent_id"] == agent]
            else:
                continue
            if len(own):
                yield (
                    f"{folder.relative_to(home).as_posix()}/{path.stem}",
                    _own(own, agent) if "agent_id" in own else own,
                )


def _quarantined(workspace: Workspace, staged: Staged, names: set[str]) -> tuple[pd.DataFrame, int]:
    """Refer to the rows in quarantine that name the person, and count those of files that cannot be looked into.

    The quarantine holds no value, so the line of the export is looked at again; only text files have lines.
    """
    kept = pd.read_parquet(staged.quarantine)
    pattern = _pattern(names)
    encodings = {source.name: source.encoding for source in workspace.sources}
    found, unread = [], 0
    for (source, name), group in kept.groupby(["source", "source_file"], sort=True):
        path = workspace.root / name
        if path.suffix.lower() not in (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson") or not path.is_file():
            unread += group["source_row"].nunique()
            continue
        encoding = encodings.get(source, "utf-8")
        lines = path.read_text(encoding="utf-8-sig" if encoding == "utf-8" else encoding, errors="replace").split("\n")
        rows = group["source_row"].map(
            lambda row, lines=lines: 0 < row <= len(lines) and bool(pattern.search(lines[row - 1]))
        )
        found.append(group[rows])
    columns = list(kept.columns)
    return (pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns))[columns], unread


def _pattern(names: set[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(names)))})(?!\w)")


def _pages(reports: Path, names: set[str]) -> list[str]:
    """List the published files in which the person stands, by identifier or by name."""
    pattern = _pattern(names)
    files = (path for path in sorted(reports.rglob("*")) if path.is_file() and not path.is_symlink())
    return [path.relative_to(reports).as_posix() for path in files if any(map(pattern.search, _texts(path)))]


def _texts(path: Path) -> Iterator[str]:
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
            yield from (html.unescape(archive.read(name).decode("utf-8", "replace")) for name in archive.namelist())
    elif path.suffix in _READABLE:
        content = path.read_text(encoding="utf-8", errors="replace")
        yield content
        yield html.unescape(content)


def _about(workspace: Workspace, agent: str, parts: dict[str, pd.DataFrame], unread: int) -> list[str]:
    lines = [
        f"{workspace.centre.name}: what is held under the identifier {agent}",
        "",
        *(f"{name}: {text.count(len(frame), 'row')}" for name, frame in parts.items()),
        "",
        "quarantine.csv refers to rows of exports that broke a rule and are in no figure; the export holds the words.",
    ]
    if unread:
        lines.append(f"{unread:,} rows in quarantine are of files that could not be searched; look at them by hand.")
    lines += [
        "pages.csv lists the published files that show the identifier or the name.",
        f"Other persons' identifiers stand as {_LEFT_OUT!r}.",
        "The exports themselves, copies of reports that were sent, and backups are not searched.",
        "",
    ]
    return lines


def write(files: dict[str, bytes], output: Path) -> None:
    """Write the files into a new folder, or a new archive where the name ends in `.zip`; only its owner may read it.

    Raises:
        SettingsError: There is something of that name.
    """
    if output.exists():
        raise SettingsError(f"{output.name!r} is there already", remedy="Give another name with --output")
    if output.suffix == ".zip":
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in sorted(files.items()):
                archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), content)
        return
    output.mkdir(mode=0o700)
    for name, content in files.items():
        path = output / name
        for folder in reversed(list(path.relative_to(output).parents)[:-1]):
            (output / folder).mkdir(exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)

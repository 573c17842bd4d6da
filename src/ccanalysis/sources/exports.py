"""The files that a workspace's sources name, and what is counted of each."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import ccanalysis
from ccanalysis.contracts import Table
from ccanalysis.errors import EnvironmentFaultError, NoInputError, place
from ccanalysis.workspace import Source, Workspace

LAYOUT = 4  # raised when the same inputs are staged differently


@dataclass
class Export:
    """One file on its way.

    Attributes:
        number: Its place among all files of the run.
        source: Its mapping.
        table: The contract table it fills.
        path: The file.
        name: The file as lineage, quarantine and intake name it.
        bytes: Its size.
        sha256: The digest of its bytes.
        ingest: A short digest of its bytes and its mapping.
        read: Data records; those declared not to be records are not counted.
        kept: Rows that reach the staged table.
        quarantined: Rows that broke a rule.
        set_aside: Rows declared not to be records.
        duplicates: Rows whose key another row has.
    """

    number: int
    source: Source
    table: Table
    path: Path
    name: str
    bytes: int
    sha256: str
    ingest: str
    read: int = 0
    kept: int = 0
    quarantined: int = 0
    set_aside: int = 0
    duplicates: int = 0


def find_exports(workspace: Workspace) -> list[Export]:
    """List the files of every source with their digests, in source and name order.

    Raises:
        NoInputError: A source has no file, or a file no byte.
    """
    exports: list[Export] = []
    for source in workspace.sources:
        mapping = repr(replace(source, line=0))
        base, paths = _files(workspace, source)
        for path in paths:
            try:
                size, digest = path.stat().st_size, sha256_of(path)
            except OSError as error:
                raise EnvironmentFaultError(
                    f"it cannot be read ({error.strerror})",
                    remedy="Give this account the right to read it",
                    place=place(path),
                ) from None
            if size == 0:
                raise NoInputError(
                    f"the file of source {source.name!r} is empty (0 bytes)",
                    remedy="Export it again, or take it away",
                    place=place(path),
                )
            ingest = hashlib.sha256(f"{digest} {mapping}".encode()).hexdigest()[:12]
            exports.append(
                Export(
                    number=len(exports),
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


def _files(workspace: Workspace, source: Source) -> tuple[Path, list[Path]]:
    """Return the folder that a source's files are told from, and the files.

    A name is first taken as it stands and only then as a pattern: `team[1].csv` reads itself.
    """
    match = re.match(r"\{(\w+)\}/?(.*)", source.files)
    base, pattern = (workspace.paths[match[1]], match[2]) if match else (workspace.root, source.files)
    path = base / pattern
    return base, [path] if path.is_file() else workspace.files_of(source)


def fingerprint_of(workspace: Workspace, exports: Sequence[Export]) -> str:
    """Return a digest of everything that staging depends on."""
    import duckdb  # noqa: PLC0415  0.2 s

    content = {
        "layout": LAYOUT,
        "package": ccanalysis.__version__,
        "engine": duckdb.__version__,
        "zone": workspace.centre.time_zone,
        "contract": [repr(workspace.tables[source.table]) for source in workspace.sources],
        "sources": [repr(replace(source, line=0)) for source in workspace.sources],
        "files": [(export.source.name, export.name, export.sha256) for export in exports],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def sha256_of(path: Path) -> str:
    """Return the digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

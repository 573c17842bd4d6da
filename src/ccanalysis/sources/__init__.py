"""Exports in, contract tables out: every row is kept, a counted duplicate, or in quarantine with its reason."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ccanalysis.errors import EnvironmentFaultError
from ccanalysis.sources.exports import Export, find_exports, fingerprint_of, sha256_of
from ccanalysis.sources.postgresql import Databases
from ccanalysis.sources.rules import REASONS
from ccanalysis.sources.staging import environment_faults, stage_tables
from ccanalysis.workspace import Workspace

__all__ = ["REASONS", "Staged", "stage"]

# How many stagings stay: the last one, and the one before to go back to.
KEPT = 2
INTAKE_COLUMNS = (
    "source",
    "table",
    "file",
    "sha256",
    "bytes",
    "read",
    "kept",
    "quarantined",
    "duplicates",
    "set_aside",
)


@dataclass(frozen=True, kw_only=True)
class Staged:
    """The contract tables of a workspace, as they were read.

    Attributes:
        folder: Where they lie, below the workspace's cache; named by `fingerprint`.
        tables: Contract table -> Parquet file with exactly the contract's columns, sorted by local day; a large table
            is a folder of weekly partitions (`ccanalysis.partitions`). Only tables that have a source.
        texts: Contract table -> Parquet file with its key and what people wrote, card data masked; only where the
            workspace keeps free text.
        intake: One row per file, or source of a database: `source`, `table`, `file`, `sha256`, `bytes`, then rows
            `read` = `kept` + `quarantined` + `duplicates`, and `set_aside` (declared not to be records; not in `read`).
        quarantine: Parquet, one row per fault: `table`, `source`, `source_file`, `source_row`, `column` (the
            contract's; NULL where the whole row is at fault), `rule`, `reason`. A row of an export with two faults has
            two rows here and counts once in `intake`. No cell value is in it.
        notes: What a reader must know, one sentence each.
        fingerprint: A digest of the files' bytes, the mapping, the contract and the package's version.
    """

    folder: Path
    tables: Mapping[str, Path]
    texts: Mapping[str, Path]
    intake: pd.DataFrame
    quarantine: Path
    notes: tuple[str, ...]
    fingerprint: str


def stage(workspace: Workspace, *, progress: Callable[[str], None] | None = None) -> Staged:
    """Read every export of a workspace into contract tables.

    What did not change is not read again. New files are written aside and appear at once, or not at all.

    Args:
        workspace: The checked settings.
        progress: Told one short line per file and table.

    Raises:
        NoInputError: A source has no file, an empty one, or no row.
        ContractError: A file cannot be read as declared; file, row and column are named.
        SettingsError: The mapping cannot be followed.
        EnvironmentFaultError: Disk, rights or memory do not suffice.
    """
    say = progress or (lambda _: None)
    home = workspace.cache_path / "staged"
    with Databases(home / f".writing-delivered-{os.getpid()}", say) as databases:
        return _stage(workspace, find_exports(workspace, databases), home, say)


def _stage(workspace: Workspace, exports: Sequence[Export], home: Path, say: Callable[[str], None]) -> Staged:
    fingerprint = fingerprint_of(workspace, exports)
    folder = home / fingerprint
    if (staged := _load(folder)) is not None:
        say("nothing changed since the last reading")
        _prune(home, folder)
        return staged
    aside = home / f".writing-{fingerprint}-{os.getpid()}"
    with _writing(home, aside):
        tables, texts, notes = stage_tables(workspace, aside, exports, say)
        intake = [
            (
                *(e.source.name, e.table.name, e.name, e.sha256, e.bytes),
                *(e.read, e.kept, e.quarantined, e.duplicates, e.set_aside),
            )
            for e in exports
        ]
        content = {
            "fingerprint": fingerprint,
            "tables": {name: path.name for name, path in sorted(tables.items())},
            "texts": {name: path.name for name, path in sorted(texts.items())},
            "intake": [dict(zip(INTAKE_COLUMNS, row, strict=True)) for row in intake],
            "notes": notes,
            "sha256": {path.relative_to(aside).as_posix(): sha256_of(path) for path in _files(aside)},
        }
        text = json.dumps(content, indent=1, ensure_ascii=False)
        (aside / "staged.json").write_text(text, encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
    staged = _load(folder)
    if staged is None:
        raise EnvironmentFaultError("the staged tables cannot be read back", remedy="Check the disk", place=folder.name)
    _prune(home, folder)
    return staged


def _files(folder: Path) -> list[Path]:
    """List what staging wrote, but for its own record."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _prune(home: Path, current: Path) -> None:
    """Keep what was staged last and what was staged before it; a partition that both have lies on the disk once."""
    with contextlib.suppress(OSError):
        os.utime(current)
        kept = sorted(
            (path for path in home.iterdir() if path.is_dir() and not path.name.startswith(".")),
            key=lambda path: (path == current, path.stat().st_mtime_ns),
        )
        for old in kept[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)


class _writing:  # noqa: N801  used as a function
    """Make the folder that is written aside, and leave nothing of it behind."""

    def __init__(self, home: Path, aside: Path) -> None:
        self.home, self.aside = home, aside

    def __enter__(self) -> None:
        with environment_faults(self.home):
            for left in self.home.glob(".writing-*-*"):
                if not _alive(int(left.name.rpartition("-")[2])):
                    shutil.rmtree(left, ignore_errors=True)
            shutil.rmtree(self.aside, ignore_errors=True)
            self.aside.mkdir(parents=True)

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.aside, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _load(folder: Path) -> Staged | None:
    """Return what lies in a folder if it is whole, byte by byte."""
    try:
        content = json.loads((folder / "staged.json").read_text(encoding="utf-8"))
        whole = all(sha256_of(folder / name) == digest for name, digest in content["sha256"].items())
    except (OSError, ValueError, KeyError):
        return None
    if not whole:
        return None
    return Staged(
        folder=folder,
        tables={name: folder / file for name, file in content["tables"].items()},
        texts={name: folder / file for name, file in content["texts"].items()},
        intake=pd.DataFrame(content["intake"], columns=list(INTAKE_COLUMNS)),
        quarantine=folder / "quarantine.parquet",
        notes=tuple(content["notes"]),
        fingerprint=content["fingerprint"],
    )

"""Retention: what was kept long enough is listed first, then removed, and a record says what went by which rule.

Exports are touched only where the settings say how long they are kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from ccanalysis import text
from ccanalysis.errors import EnvironmentFaultError, NoInputError, SettingsError
from ccanalysis.periods import Period
from ccanalysis.reports.publish import Lock
from ccanalysis.workspace import Workspace

KINDS = ("inputs", "staged", "results", "reports", "deliveries")
TOMBSTONE = "purged.jsonl"
_PLAN = "purge-plan"
_GONE = ".purging-"
_CACHED = ("staged", "components", "results", "slices", "deliveries")


@dataclass(frozen=True, kw_only=True)
class Item:
    """Something that has been kept long enough.

    Attributes:
        kind: One of `KINDS`.
        path: The file or folder.
        period: The period it is of, where it is of one.
        day: The day its age is told from.
        files: How many files it is.
        bytes: How large they are together.
        rule: Why it goes.
    """

    kind: str
    path: Path
    period: str
    day: date
    files: int
    bytes: int
    rule: str


def plan(workspace: Workspace, before: date | None, today: date) -> list[Item]:
    """List what would be removed.

    Args:
        workspace: The workspace.
        before: Remove what is older than this day; the days of `[retention]` hold where it is not given.
        today: The day from which `[retention]` counts back.

    Raises:
        SettingsError: Neither a day nor `[retention]` is given, or the day has not come.
    """
    kept = {kind: getattr(workspace.retention, kind) for kind in KINDS}
    if before is None and not any(kept.values()):
        raise SettingsError(
            "nothing says how long files are kept", remedy="Give --before DATE, or write [retention] in ccanalysis.toml"
        )
    if before is not None and before > today:
        raise SettingsError("--before is a day that has not come", remedy="Give today or an earlier day")
    items = []
    for kind in KINDS:
        days = kept[kind]
        limit, rule = (before, f"--before {before}") if before else (None, "")
        if days and (before is None or kind == "inputs"):
            own = today - timedelta(days=days)
            limit, rule = (own, f"[retention] {kind} = {days}") if limit is None or own < limit else (limit, rule)
        if limit is None or (kind == "inputs" and not days):
            continue
        for path, period, day in _there(workspace, kind):
            if day < limit:
                files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
                size = sum(file.stat().st_size for file in files)
                items.append(
                    Item(kind=kind, path=path, period=period, day=day, files=len(files), bytes=size, rule=rule)
                )
    return items


def _there(workspace: Workspace, kind: str) -> Iterator[tuple[Path, str, date]]:
    """Yield what there is of a kind, with its period and the day its age is told from."""
    cache = workspace.cache_path
    if kind == "inputs":
        seen = set()
        for source in workspace.sources:
            if source.format == "postgresql":
                continue
            with suppress(NoInputError):
                seen |= {path for path in workspace.files_of(source) if not path.is_symlink()}
        yield from ((path, "", _changed(path)) for path in sorted(seen))
    elif kind == "staged":
        for name in ("staged", "components"):
            yield from ((path, "", _changed(path)) for path in sorted((cache / name).glob("[!.]*")))
    else:
        patterns = {
            "results": [(cache / "results", "*"), (cache / "slices", "*")],
            "reports": [(workspace.reports_path, "[0-9]*")],
            "deliveries": [(cache / "deliveries", "*.jsonl")],
        }[kind]
        for folder, pattern in patterns:
            for path in sorted(folder.glob(pattern)):
                match = re.match(r"\d{4}(?:-W\d\d|-Q\d|-\d\d(?:-\d\d)?(?!\d))?(?=$|\.|-)", path.name)
                with suppress(SettingsError):
                    if match and not path.is_symlink():
                        period = Period.parse(match[0])
                        yield path, period.label, period.end - timedelta(days=1)


def _changed(path: Path) -> date:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()


def lines(items: list[Item], root: Path) -> list[str]:
    """Say what is listed: one line per item, then counts and bytes per kind."""
    said = []
    for item in items:
        where = item.path.relative_to(root).as_posix() if root in item.path.parents else item.path.name
        said.append(f"{item.kind}: {where}: {text.count(item.files, 'file')}, {item.bytes:,} bytes ({item.rule})")
    for kind in KINDS:
        own = [item for item in items if item.kind == kind]
        if own:
            files, size = sum(item.files for item in own), sum(item.bytes for item in own)
            periods = sorted({item.period for item in own} - {""})
            of = f", {periods[0]} to {periods[-1]}" if len(periods) > 1 else f", {periods[0]}" if periods else ""
            said.append(f"all {kind}: {text.count(files, 'file')}, {size:,} bytes{of}")
    return said or ["nothing has been kept long enough"]


def look(workspace: Workspace, items: list[Item]) -> None:
    """Keep what a dry run listed, so that the run after it removes that and nothing else."""
    path = workspace.cache_path / _PLAN
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_digest(items) + "\n", encoding="ascii")


def _digest(items: list[Item]) -> str:
    return hashlib.sha256("\n".join(f"{item.path} {item.files} {item.bytes}" for item in items).encode()).hexdigest()


def purge(workspace: Workspace, items: list[Item], *, unseen: bool = False) -> None:
    """Remove what a dry run listed, and record it.

    Args:
        workspace: The workspace.
        items: What `plan` returned.
        unseen: Whether it may be removed without a dry run.

    Raises:
        SettingsError: No dry run listed just this.
        EnvironmentFaultError: Something cannot be removed; what is recorded before is gone.
        LockedError: A run is at work.
    """
    seen = workspace.cache_path / _PLAN
    if items and not unseen and not (seen.is_file() and seen.read_text(encoding="ascii").strip() == _digest(items)):
        raise SettingsError(
            "no dry run has listed just what would be removed now",
            remedy="Look at it with --dry-run first, or add --yes",
        )
    with Lock(workspace.cache_path / "lock"):
        _complete(workspace, items)
        for kind in KINDS:
            own = [item for item in items if item.kind == kind]
            if own:
                _record(workspace, kind, own)
                for item in own:
                    _take(item.path)
        seen.unlink(missing_ok=True)


def _complete(workspace: Workspace, items: list[Item]) -> None:
    """Remove what a purge that was cut short had taken away already."""
    homes = {workspace.reports_path, *(workspace.cache_path / name for name in _CACHED)}
    homes |= {item.path.parent for item in items}
    for source in workspace.sources:
        if source.format == "postgresql":
            continue
        with suppress(NoInputError):
            homes |= {path.parent for path in workspace.files_of(source)}
    for folder in sorted(homes):
        for left in sorted(folder.glob(f"{_GONE}*")):
            _remove(left)


def _record(workspace: Workspace, kind: str, items: list[Item]) -> None:
    """Write what goes, when and by which rule, before it goes; no name of a file or a person is in it."""
    entry = {
        "day": datetime.now(UTC).date().isoformat(),
        "rule": items[0].rule,
        "kind": kind,
        "items": len(items),
        "files": sum(item.files for item in items),
        "bytes": sum(item.bytes for item in items),
        "periods": sorted({item.period for item in items} - {""}),
    }
    path = workspace.reports_path / TOMBSTONE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, (json.dumps(entry, sort_keys=True) + "\n").encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise EnvironmentFaultError(
            f"what is removed cannot be recorded ({error.strerror}), so it stays", place=TOMBSTONE
        ) from error


def _take(path: Path) -> None:
    """Remove a file, or a folder in one step: nobody ever opens half of it."""
    gone = path.with_name(f"{_GONE}{path.name}")
    try:
        path.rename(gone)
        _remove(gone)
    except OSError as error:
        raise EnvironmentFaultError(
            f"it cannot be removed ({error.strerror})", place=path.name, remedy="Check the permissions, and run again"
        ) from error


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()

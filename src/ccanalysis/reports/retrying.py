"""After a run that failed in part: which reports are sound and stay, and which are made again.

A report stays where its page and tables are as they were published, and would be made from the same data by the same
notebook and the same code; so what comes out is what a run without a fault would have made.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ccanalysis.errors import SettingsError
from ccanalysis.reports.execute import Job, Outcome
from ccanalysis.reports.publish import MANIFEST

_DRAWN_BY = ("jinja2", "mistune", "nbconvert", "openpyxl", "plotly")
_NOT_SHOWN = ("samples", "cli.py", "__pycache__")


def read_manifest(target: Path) -> dict[str, Any] | None:
    """Return the manifest of a published period; None where there is none that can be read."""
    try:
        manifest = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) else None


def check(target: Path, fingerprint: str) -> None:
    """Refuse to complete reports that were made from other data.

    Args:
        target: The published folder of the period.
        fingerprint: What the results of today's data and settings would have.

    Raises:
        SettingsError: Exports, settings, register or rules changed since the reports were made.
    """
    manifest = read_manifest(target)
    if manifest is not None and manifest.get("fingerprint") != fingerprint:
        raise SettingsError(
            f"exports or settings changed since the reports of {target.name} were made, so the old ones would not "
            "fit the new",
            remedy=f"Make all of them again with `ccanalysis run --period {target.name}`",
        )


@functools.cache
def _code() -> str:
    """Return a digest of all that pages are made by, but for the notebook."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.is_file() and not set(_NOT_SHOWN) & set(path.relative_to(package).parts):
            digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update("".join(f"{name} {version(name)}\n" for name in _DRAWN_BY).encode())
    return digest.hexdigest()


def recipe(job: Job) -> str:
    """Return a digest of what makes a report, but for its data: notebook, parameters, texts around it, code."""
    given = {name: value for name, value in job.parameters.items() if name != "slice_path"}
    around = [given, job.title, job.subtitle, job.key, job.audience, job.period, list(job.footer), job.plotly, job.home]
    parts = [job.notebook.read_bytes(), json.dumps(around, sort_keys=True).encode(), _code().encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def keep(target: Path, built: Path, jobs: Sequence[Job]) -> dict[str, Outcome]:
    """Copy the sound reports of a published period into a tree that is being built.

    Args:
        target: The published folder of the period; there may be none.
        built: The tree that is being built; the reports' folders are there.
        jobs: The reports that the period shall have.

    Returns:
        The outcomes of those that were copied, by key.
    """
    manifest = read_manifest(target)
    if manifest is None:
        return {}
    known = {entry.get("path"): entry for entry in manifest.get("reports", [])}
    kept = {}
    for job in jobs:
        path = job.output.relative_to(built)
        entry = known.get(path.as_posix(), {})
        listed = [file for file in manifest["files"] if Path(file["path"]).parent == path.parent]
        names = {Path(file["path"]).name for file in listed}
        if not entry.get("ok") or entry.get("recipe") != recipe(job) or path.name not in names:
            continue
        if all(_sound(target / file["path"], file["sha256"]) for file in listed):
            for name in names:
                shutil.copyfile(target / path.parent / name, built / path.parent / name)
            kept[job.key] = Outcome(job=job, ok=True, statuses=entry["statuses"])
    return kept


def _sound(path: Path, digest: str) -> bool:
    """Tell whether a file is as it was published."""
    return path.is_file() and not path.is_symlink() and hashlib.sha256(path.read_bytes()).hexdigest() == digest

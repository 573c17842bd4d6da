"""Revisions: a report that was issued and now says something else is issued anew, with a number, before and after.

What was issued stands beside the pages, in `issued/`; the tree that is replaced is kept whole below `revisions/` of the
new one, so that both are published in the same step. The same inputs give the same revision and the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ccanalysis import __version__, text
from ccanalysis.reports.publish import MANIFEST, PRIVATE
from ccanalysis.results import Results
from ccanalysis.workspace import SETTINGS_FILE, Workspace

ISSUED, KEPT = PRIVATE, "revisions"
_KEY = ["kpi", "level", "unit"]
_SAID = ["value", "n", "status", "data"]
FIGURES = [*_KEY, "name", "unit_of_value", "numerator", "denominator", "certain", *_SAID]
MOST_NAMED = 8


@dataclass(frozen=True)
class Issue:
    """What a published tree says of itself.

    Attributes:
        tree: Its folder.
        number: Its revision.
        data_until: The last day in the data that it was made from.
        figures: Every figure that it was made with.
        rows: Contract table -> rows of the period.
        made_of: What besides the data it was made of: settings, register, rules, version; each with a digest.
        sources: Source and file -> digest.
    """

    tree: Path
    number: int
    data_until: str
    figures: pd.DataFrame
    rows: dict[str, int]
    made_of: dict[str, str]
    sources: dict[tuple[str, str], str]


@dataclass(frozen=True)
class Revision:
    """The revision that a run publishes.

    Attributes:
        number: 1 for the first report of a period.
        before: What it replaces; None for the first.
        carried: Whether the tree in place already is this revision, so that it takes the place of itself.
        reasons: Why figures changed: sentences without the names of files.
        files: Why, with the names of files.
        changed: Every figure of the centre and every other one that changed, before and after.
    """

    number: int
    before: Issue | None = None
    carried: bool = False
    reasons: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    changed: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def n_changed(self) -> int:
        """How many figures changed."""
        return int(self.changed["changed"].sum()) if len(self.changed) else 0

    def line(self) -> str:
        """Say it in one line, for the end of a command; empty for the first report of a period."""
        if self.before is None:
            return ""
        changed = text.count(self.n_changed, "figure")
        return f"revision {self.number}: {changed} changed since revision {self.before.number}, which is kept"


def read_issue(tree: Path) -> Issue | None:
    """Read what a published tree says of itself; None where there is none, or one that does not say."""
    try:
        told = json.loads((tree / ISSUED / "issued.json").read_text(encoding="utf-8"))
        manifest = json.loads((tree / MANIFEST).read_text(encoding="utf-8"))
        figures = pd.read_parquet(tree / ISSUED / "figures.parquet")
        return Issue(
            tree=tree,
            number=int(told["revision"]),
            data_until=str(told["data_until"]),
            figures=figures,
            rows=dict(told["rows"]),
            made_of=dict(told["made_of"]),
            sources={(one["source"], one["file"]): one["sha256"] for one in manifest["sources"]},
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def revise(workspace: Workspace, computed: Results, target: Path) -> Revision:
    """Compare what is about to be published with what was issued, and tell the results which revision they are.

    Args:
        workspace: The workspace.
        computed: The results; they take the revision into their facts, and its figures into the frame `revised`.
        target: The period's folder.
    """
    revision = _revision(workspace, computed, target)
    if revision.before is not None:
        computed.facts["revision"] = {
            "number": revision.number,
            "before": revision.before.number,
            "data_until": computed.facts["last_day"],
            "reasons": revision.reasons,
            "files": revision.files,
        }
        computed.take("revised", revision.changed)
    return revision


def _revision(workspace: Workspace, computed: Results, target: Path) -> Revision:
    issued = read_issue(target)
    if issued is None:
        return Revision(1)
    now = _figures(computed)
    carried = not _compared(issued.figures, now)["changed"].any()
    if carried:
        before = read_issue(target / KEPT / f"r{issued.number - 1}") if issued.number > 1 else None
        if before is None:
            return Revision(issued.number, carried=True)
    else:
        before = issued
    changed = _compared(before.figures, now)
    reasons, files = _why(workspace, computed, before)
    shown = changed[changed["changed"] | (changed["level"] == "centre")].reset_index(drop=True)
    number = issued.number if carried else issued.number + 1
    return Revision(number, before, carried, reasons, files, shown)


def _figures(computed: Results) -> pd.DataFrame:
    frame = computed.verdicts.reindex(columns=FIGURES)
    return frame.sort_values(_KEY, ignore_index=True)


def _compared(before: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Put figures side by side: those of one side alone are changed, as are a value, a verdict or a rating."""
    both = now.merge(before, how="outer", on=_KEY, suffixes=("", "_before"), indicator=True)
    same = (both["_merge"] == "both").to_numpy(dtype=bool, copy=True)
    for name in ("value", "n", "numerator", "denominator"):
        one, other = (both[column].to_numpy(dtype=float, na_value=np.nan) for column in (name, f"{name}_before"))
        same &= np.isclose(one, other, rtol=1e-9, atol=0, equal_nan=True)
    for name in ("status", "data", "certain"):
        same &= (both[name].astype(object) == both[f"{name}_before"].astype(object)).to_numpy()
    for name in ("name", "unit_of_value"):
        both[name] = both[name].fillna(both[f"{name}_before"])
    both["changed"] = ~same
    return both[[*_KEY, "name", "unit_of_value", *_SAID, *(f"{name}_before" for name in _SAID), "changed"]]


def _why(workspace: Workspace, computed: Results, before: Issue) -> tuple[list[str], list[str]]:
    """Say what changed between two issues: files, rows of the period, and what figures are made of besides."""
    now = {(row["source"], row["file"]): row["sha256"] for _, row in computed.intake.iterrows()}
    new = [file for key, file in ((key, key[1]) for key in now) if key not in before.sources]
    gone = [key[1] for key in before.sources if key not in now]
    changed = [key[1] for key, digest in now.items() if before.sources.get(key, digest) != digest]
    reasons, files = [], []
    for word, names in (("new", new), ("changed", changed), ("no longer there", gone)):
        if names:
            reasons.append(f"{text.count(len(names), 'source file')} {'is' if len(names) == 1 else 'are'} {word}")
            more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            files.append(f"{word[0].upper()}{word[1:]}: {', '.join(sorted(names)[:MOST_NAMED])}{more}")
    rows = _rows(computed)
    for table in sorted(rows.keys() | before.rows.keys()):
        more_rows = rows.get(table, 0) - before.rows.get(table, 0)
        if more_rows:
            word = "came late" if more_rows > 0 else "fell away"
            reasons.append(f"{text.count(abs(more_rows), 'row')} of {table} in the period {word}")
    made_of = _made_of(workspace)
    reasons += [f"{name} changed" for name in made_of if made_of[name] != before.made_of.get(name)]
    return reasons or ["what the figures are computed from changed"], files


def _rows(computed: Results) -> dict[str, int]:
    """Count the rows of the period by contract table."""
    coverage = computed.coverage
    if coverage.empty:
        return {}
    now = coverage[(coverage["period"] == computed.facts["period"]) & (coverage["level"] == "centre")]
    return {str(table): int(n) for table, n in zip(now["table"], now["n_rows"], strict=True) if pd.notna(n)}


def _made_of(workspace: Workspace) -> dict[str, str]:
    rules = sorted(workspace.suites_path.glob("*.json"))
    parts = {
        "the settings": [workspace.root / SETTINGS_FILE],
        "the KPI register": [workspace.register_path],
        "the rules": rules,
    }
    digests = {}
    for name, paths in parts.items():
        digest = hashlib.sha256()
        for path in paths:
            digest.update(path.read_bytes() if path.is_file() else b"")
        digests[name] = digest.hexdigest()
    return digests | {"the version of ccanalysis": __version__}


def keep(revision: Revision, target: Path, built: Path) -> None:
    """Put what is replaced, and what it had replaced before, into the tree that is about to be published."""
    if revision.carried:
        if (target / KEPT).is_dir():
            shutil.copytree(target / KEPT, built / KEPT)
    elif revision.before is not None:
        shutil.copytree(target, built / KEPT / f"r{revision.before.number}")


def write_issue(workspace: Workspace, computed: Results, revision: Revision, built: Path) -> dict[str, Any]:
    """Write what the next run compares with, and return what the manifest says of the revision."""
    folder = built / ISSUED
    folder.mkdir(parents=True)
    _figures(computed).to_parquet(folder / "figures.parquet", index=False)
    told = {
        "revision": revision.number,
        "data_until": computed.facts["last_day"],
        "rows": _rows(computed),
        "made_of": _made_of(workspace),
    }
    written = json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / "issued.json").write_text(written + "\n", encoding="utf-8")
    about: dict[str, Any] = {"revision": revision.number, "data_until": computed.facts["last_day"]}
    if revision.before is not None:
        about["replaces"] = {
            "revision": revision.before.number,
            "data_until": revision.before.data_until,
            "path": f"{KEPT}/r{revision.before.number}",
            "reasons": [*revision.reasons, *revision.files],
            "figures_changed": revision.n_changed,
        }
    return about


def earlier(built: Path) -> list[tuple[int, str, str]]:
    """List the revisions that a tree keeps, the latest first: number, last day of its data, address of its index."""
    found: list[tuple[int, str, str]] = []
    folder, prefix = built, ""
    while kept := next(iter(sorted((folder / KEPT).glob("r*"))), None):
        issue = read_issue(kept)
        prefix += f"{KEPT}/{kept.name}/"
        if issue is not None:
            found.append((issue.number, issue.data_until, f"{prefix}index.html"))
        folder = kept
    return found

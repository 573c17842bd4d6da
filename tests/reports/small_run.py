"""A whole run of a small centre without kernels: slices, pages of a few words, tables, index, manifest."""

from __future__ import annotations

import functools
import shutil
import sys
from concurrent.futures import Future
from pathlib import Path

import pandas as pd

from ccanalysis import editions, views
from ccanalysis import results as results_module
from ccanalysis.display import Note
from ccanalysis.reports import execute as executing
from ccanalysis.reports import run as running
from ccanalysis.reports.publish import verify
from ccanalysis.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "editions"))
from attacker import WEEKS, Centre  # noqa: E402

PERIOD = WEEKS[-1]
ABOUT = (
    *("name", "purpose", "objective", "definition", "population", "excluded", "trap", "source", "unit_of_value"),
    *("better", "frequency", "owner", "approval", "approved_by", "action_after_review"),
)
CUT = editions.cut
REVISE = running.revise


def workspace_in(folder: Path) -> Workspace:
    """Lay out a workspace that has no data of its own."""
    for name in ("ccanalysis.toml", "kpis.yml"):
        shutil.copy(ROOT / name, folder)
    for name in ("expectations", "notebooks"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "data").mkdir()
    return Workspace.open(folder)


@functools.cache
def computed_as(version: str, teams: int) -> results_module.Results:
    """Return results of a version."""
    centre = next(centre for centre in map(Centre, range(100)) if len(centre.site_of) == teams)
    computed = centre.results(WEEKS)
    computed.facts |= {
        "fingerprint": version,
        "seconds": {},
        "unit_names": {},
        "time_zone": "UTC",
        "notes": [],
        "last_day": "2026-11-15",
    }
    computed._frames |= {
        "ratings": pd.DataFrame(columns=["kpi", "level", "unit", "period", "rating", "reasons", "rules"]),
        "kpis": pd.DataFrame({"kpi": centre.kpis}).assign(**dict.fromkeys(ABOUT, "text"), minimum_n=20),
        "intake": pd.DataFrame(
            columns=["table", "source", "file", "sha256", *("read", "kept", "quarantined", "duplicates")]
        ),
        "quarantine": pd.DataFrame(columns=["file", "row"]),
    }
    return computed


@functools.cache
def cut_for(version: str, teams: int, reader: editions.Reader) -> dict[str, pd.DataFrame]:
    """Cut a slice once for all runs of a version."""
    return CUT(computed_as(version, teams), reader)


def stub(patch, version: str, *, teams: int = 2) -> None:
    """Let a run find results at hand, and make each page of the version's name."""
    computed = computed_as(version, teams)
    patch.setattr(editions, "cut", lambda _, reader: cut_for(version, teams, reader))

    def made(jobs, **_):
        outcomes = []
        for job in jobs:
            future: Future = Future()
            page = f"<!doctype html>{version}".encode()
            future.set_result({"ok": True, "html": page, "seconds": 0.0, "statuses": {}})
            outcomes.append(executing._outcome(job, future))
        return outcomes

    patch.setattr(results_module, "compute", lambda *_, **__: computed)
    patch.setattr(running, "execute", made)
    first = REVISE
    patch.setattr(running, "revise", lambda workspace, found, _: first(workspace, found, workspace.root / "none"))
    patch.setattr(running, "keep", lambda *_: None)  # each version stands alone: no revision of another is kept
    patch.setattr(running.summary, "to_json", lambda *_: "{}")
    for name in ("lead", "to_do", "data_lead"):
        patch.setattr(views, name, lambda *_: Note(kind="lead", text=[f"version {version}"]))
    patch.setattr(views, "rows_at_fault", lambda *_: pd.DataFrame({"source_file": ["a.csv"], "source_row": [1]}))


def state(target: Path) -> str:
    """Return the version of a published tree, after checking that it is whole."""
    assert verify(target) == []
    pages = {path.read_text()[15:] for path in target.rglob("0*.html")}
    assert len(pages) == 1
    return pages.pop()

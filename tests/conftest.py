"""Fixtures that every test may use: the reference data, the browser, and the sample workspace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from tests.servers import postgres_programs

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("CCANALYSIS_SHARED", ROOT.parent / "shared"))
SAMPLE_PERIOD = "2026-W46"
REQUIRED = set(filter(None, os.environ.get("CCANALYSIS_REQUIRE", "").split(",")))

# Chromium as root, and without looking anything up by itself.
BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Examples are drawn from a fixed seed, so that a run says the same of the same code.
settings.register_profile(
    "ccanalysis", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("ccanalysis")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what this machine has no part for; where a part is required, let its tests fail."""
    missing = {
        "shared": None if SHARED.is_dir() else "the reference data are absent (set CCANALYSIS_SHARED)",
        "chromium": None if shutil.which("chromium") else "no Chromium on this machine",
        "postgres": None if postgres_programs() and find_spec("psycopg") else "no PostgreSQL server, or no psycopg",
        "spark": None if shutil.which("java") and find_spec("pyspark") else "no Java, or no pyspark",
    }
    for item in items:
        for name, reason in missing.items():
            if reason and name not in REQUIRED and item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference data beside the checkout."""
    return SHARED


@dataclass(frozen=True)
class SampleRun:
    """A copy of the repository's workspace in which one week was run, and how the command ended. Copy it to change it.

    Attributes:
        folder: The workspace.
        done: The command's exit code, stdout and stderr.
    """

    folder: Path
    done: subprocess.CompletedProcess


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory) -> SampleRun:
    """`ccanalysis run` on the sample centre, once for all processes of a test run."""
    base = tmp_path_factory.getbasetemp()
    home = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, ended = home / "sample-run" / "centre", home / "sample-run" / "done.json"
    with FileLock(home / "sample-run.lock"):
        if not ended.is_file():
            folder.mkdir(parents=True)
            for name in ("ccanalysis.toml", "kpis.yml"):
                shutil.copy(ROOT / name, folder)
            for name in ("expectations", "notebooks", "data"):
                shutil.copytree(ROOT / name, folder / name)
            run = [sys.executable, "-m", "ccanalysis.cli", "run", "--period", SAMPLE_PERIOD]
            done = subprocess.run(run, cwd=folder, capture_output=True, text=True, check=False, timeout=900)
            ended.write_text(json.dumps([done.returncode, done.stdout, done.stderr]), encoding="utf-8")
    done = subprocess.CompletedProcess("ccanalysis run", *json.loads(ended.read_text(encoding="utf-8")))
    assert done.returncode == 0, done.stderr[-2000:]
    return SampleRun(folder, done)


@pytest.fixture(scope="session")
def browser():
    """The Chromium of the system, one for all tests of a process: playwright runs one loop per thread."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=BROWSER_FLAGS)
        yield opened
        opened.close()

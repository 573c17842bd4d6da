"""Fixtures that every test may use: the reference data, the browser, and the sample workspace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from .servers import postgres_missing, spark_missing

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
        "postgres": postgres_missing(),
        "spark": spark_missing(),
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


# One page per kind of edition but one: for tests that concern a whole run and not what stands in each page.
FEWER_REPORTS = """
[[reports]]
notebook = "01-data-quality"
audience = "analyst"
each = "centre"

[[reports]]
notebook = "02-kpi-performance"
audience = "centre"
each = "centre"

[[reports]]
notebook = "03-team-report"
audience = "team"
each = "team"
"""


@pytest.fixture(scope="session")
def fewer_reports(sample_run, tmp_path_factory) -> Path:
    """A copy of the sample run's workspace, its results at hand, whose settings ask for eight reports. Copy it too."""
    base = tmp_path_factory.getbasetemp()
    home = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, ended = home / "fewer-reports" / "centre", home / "fewer-reports" / "done"
    with FileLock(home / "fewer-reports.lock"):
        if not ended.is_file():
            shutil.copytree(sample_run.folder, folder)
            with (folder / "ccanalysis.toml").open("a", encoding="utf-8") as settings:
                settings.write(FEWER_REPORTS)
            shutil.rmtree(folder / "reports")
            run = [sys.executable, "-m", "ccanalysis.cli", "run", "--period", SAMPLE_PERIOD]
            done = subprocess.run(run, cwd=folder, capture_output=True, text=True, check=False, timeout=900)
            assert done.returncode == 0, done.stderr[-2000:]
            assert "Checking" not in done.stderr  # which reports are made changes no figure
            ended.touch()
    return folder


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

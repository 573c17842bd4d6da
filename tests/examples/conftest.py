"""The real workspaces, copied aside so that nothing is written into the checkout."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from ccanalysis.workspace import Workspace


@pytest.fixture(scope="session")
def reference_data(shared) -> Iterator[Path]:
    """The reference data, named in the one environment variable that the workspaces read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CCANALYSIS_SHARED", str(shared))
        yield shared / "data"


@pytest.fixture(scope="session")
def incidents(reference_data, tmp_path_factory) -> Iterator[Path]:
    """The incident log, unpacked as its workspace's README says, and named in the variable that it reads."""
    folder = tmp_path_factory.mktemp("incidents")
    with zipfile.ZipFile(reference_data / "uci_incident_log" / "incident_event_log.zip") as packed:
        (name,) = [name for name in packed.namelist() if name.endswith("/incident_event_log.csv")]
        (folder / "incident_event_log.csv").write_bytes(packed.read(name))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CCANALYSIS_INCIDENTS", str(folder))
        yield folder / "incident_event_log.csv"


@pytest.fixture(scope="session")
def example(root, reference_data, tmp_path_factory) -> Callable[..., Workspace]:
    """Copy a workspace aside, change its settings where told, and open it."""

    def copied(name: str, changes: Mapping[str, str] | None = None) -> Workspace:
        folder = tmp_path_factory.mktemp(name) / name
        shutil.copytree(root / "examples" / name, folder, ignore=shutil.ignore_patterns(".ccanalysis", "reports"))
        settings = folder / "ccanalysis.toml"
        text = settings.read_text(encoding="utf-8")
        for old, new in (changes or {}).items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        settings.write_text(text, encoding="utf-8")
        return Workspace.open(folder)

    return copied


@pytest.fixture(scope="session")
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line as a user does."""

    def run(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ccanalysis.cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            env={**os.environ, "PYTHONIOENCODING": "utf-8", **variables},
        )

    return run


@pytest.fixture(scope="session")
def words() -> Callable[[Path], str]:
    """Say what a page says, without its code, its styles and its drawings."""

    def of(page: Path) -> str:
        text = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text)))

    return of

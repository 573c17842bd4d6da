"""The house: lock, packaging and conda describe one environment; commits carry no address and no path of a machine."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@pytest.fixture(scope="module")
def locked(root):
    """Package -> versions of the lock."""
    found: dict[str, set[str]] = {}
    for line in (root / "requirements.lock").read_text().splitlines():
        if match := re.match(r"([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", line):
            found.setdefault(canonicalize_name(match[1]), set()).add(match[2])
    return found


@pytest.fixture(scope="module")
def project(root):
    """The packaging file."""
    return tomllib.loads((root / "pyproject.toml").read_text())


def test_the_lock_satisfies_what_the_packaging_asks_for(locked, project):
    """Every requirement is locked, at a version that it allows."""
    groups = project["dependency-groups"]
    for text in [*project["project"]["dependencies"], *groups["test"], *groups["house"]]:
        requirement = Requirement(text)
        versions = locked.get(canonicalize_name(requirement.name), set())
        assert versions, f"{requirement.name} is not locked"
        assert all(requirement.specifier.contains(version) for version in versions), text


def test_the_lock_has_hashes_and_no_address(root):
    """A lock holds names, versions and hashes; a registry is everybody's own choice."""
    text = (root / "requirements.lock").read_text()
    assert "://" not in text
    assert "--index" not in text and "--find-links" not in text
    blocks = re.split(r"^(?=\S)", text, flags=re.M)
    assert all("--hash=sha256:" in block for block in blocks if "==" in block.split("\n")[0])


def test_conda_installs_the_same_lock(root, project):
    """environment.yml brings the Python that the packaging asks for, and the lock."""
    text = (root / "environment.yml").read_text()
    assert f"python {project['project']['requires-python']}" in text
    assert "--require-hashes -r requirements.lock" in text


@pytest.mark.parametrize(
    "name", ["jupyterlab", "pandas", "great-expectations", "plotly", "scipy", "papermill", "nbval"]
)
def test_the_named_packages_are_there(locked, name):
    """The workbench is built on these."""
    assert name in locked


def test_tracked_files_name_no_machine_and_no_registry(root):
    """Nothing that is committed names a path of a machine or the host of a package registry."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    pattern = re.compile(r"/(?:root|home/\w+)/|/work/|pypi" + r"\.org|files\.pythonhosted|registry\.npmjs|deb\.debian")
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        path = root / name
        if path.is_file() and path.suffix in {
            ".py",
            ".md",
            ".toml",
            ".yml",
            ".yaml",
            ".json",
            ".lock",
            ".ipynb",
            ".txt",
            "",
        }:
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [name] if pattern.search(text) and name != "tests/test_house.py" else []
    assert found == []

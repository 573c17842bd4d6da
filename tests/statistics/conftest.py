"""Where the reference cases lie: beside the checkout, never in it."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def oracle_folder() -> Path:
    """The folder of reference cases, one folder a case."""
    return Path(os.environ.get("CCANALYSIS_SHARED", REPOSITORY.parent / "shared")) / "oracles"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every test that asks for `case_folder` one run per reference case."""
    if "case_folder" not in metafunc.fixturenames:
        return
    folder = oracle_folder()
    cases = sorted(path for path in folder.iterdir() if (path / "case.json").is_file()) if folder.is_dir() else []
    if cases:
        metafunc.parametrize("case_folder", cases, ids=[path.name for path in cases])
    else:
        reason = f"no reference cases in {folder.name} beside the checkout; set CCANALYSIS_SHARED"
        metafunc.parametrize("case_folder", [pytest.param(None, marks=pytest.mark.skip(reason=reason))], ids=["none"])

"""Many reports leave no more behind than a few: memory, open files, children, temporary files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ccanalysis.reports import execute as executing
from ccanalysis.reports import scratch
from ccanalysis.reports.execute import Job, execute

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc")
REPORTS = 40


def held(pid):
    """Return the memory, open files and children of a process."""
    process = Path(f"/proc/{pid}")
    memory = int((process / "statm").read_text().split()[1])
    return memory, len(list((process / "fd").iterdir())), len((process / f"task/{pid}/children").read_text().split())


@pytest.mark.slow
def test_many_reports_in_a_row_leave_nothing_behind(team_report, tmp_path, monkeypatch):
    """After the last as after the eighth: at most a fifth more memory, no file, no process more."""
    (tmp_path / "t").mkdir()
    monkeypatch.setattr(scratch.tempfile, "tempdir", str(tmp_path / "t"))
    names = [f"team-{number}" for number in range(REPORTS)]
    jobs = [
        Job(
            notebook=team_report,
            parameters={"team": name, "seed": 1},
            output=tmp_path / f"{name}.html",
            title=name,
            key=name,
        )
        for name in names
    ]
    seen = []

    def made(outcome):
        assert outcome.error == ""
        seen.append([held(pid) for pid in (os.getpid(), executing._process[0].process.pid)])

    execute(jobs, progress=made)
    for early, late in zip(seen[7], seen[-1], strict=True):
        assert late[0] <= 1.2 * early[0]
        assert late[1] <= early[1] + 1
        assert late[2] <= early[2] + 1
    left = [path for path in (tmp_path / "t").iterdir() if path != executing._process[0].folder]
    assert left == []

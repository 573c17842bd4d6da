"""Any executor of `concurrent.futures` carries the reports of a run: threads, processes, a cluster."""

from __future__ import annotations

import multiprocessing
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from ccanalysis.reports.execute import Job, execute

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")


@contextmanager
def threads():
    """Two threads of this process."""
    with ThreadPoolExecutor(2) as pool:
        yield pool


@contextmanager
def processes():
    """Two processes that know nothing of this one."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@contextmanager
def cluster():
    """A cluster of two workers of one thread each, as a centre with thousands of reports would have."""
    distributed = pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local,
        distributed.Client(local) as client,
    ):
        yield client.get_executor()


@linux
@pytest.mark.parametrize("pool", [threads, processes, cluster])
def test_reports_are_the_same_wherever_they_are_made(pool, team_report, tmp_path):
    """Byte for byte, in the order of the jobs; the executor is the caller's to shut down."""

    def jobs(name):
        (tmp_path / name).mkdir()
        return [
            Job(
                notebook=team_report,
                parameters={"team": team, "seed": 1},
                output=tmp_path / name / f"{team}.html",
                title=team,
                key=team,
            )
            for team in ("North", "South", "West")
        ]

    own, there = jobs("own"), jobs("there")
    assert all(outcome.ok for outcome in execute(own))
    seen = []
    with pool() as executor:
        outcomes = execute(there, executor=executor, progress=seen.append)
        assert executor.submit(abs, -1).result() == 1
    assert [outcome.error for outcome in outcomes] == ["", "", ""]
    assert [outcome.job for outcome in outcomes] == there
    assert len(seen) == 3
    for one, other in zip(own, there, strict=True):
        assert one.output.read_bytes() == other.output.read_bytes()


@linux
@pytest.mark.parametrize("pool", [processes, cluster])
def test_a_report_that_fails_on_a_worker_stops_no_other(pool, notebook, tmp_path):
    """What failed is said as anywhere else."""
    sources = {"good": "print(1)", "bad": "1 / 0", "gone": "import os\nos._exit(0)"}
    parameters = {"cell_type": "code", "source": "team = ''", "metadata": {"tags": ["parameters"]}, "outputs": []}
    cells = {
        name: [
            {**parameters, "execution_count": None},
            {**parameters, "source": source, "metadata": {}, "execution_count": None},
        ]
        for name, source in sources.items()
    }
    jobs = [
        Job(
            notebook=notebook(*own, name=f"{name}.ipynb"),
            parameters={"team": name},
            output=tmp_path / f"{name}.html",
            title=name,
            key=name,
        )
        for name, own in cells.items()
    ]
    with pool() as executor:
        outcomes = execute(jobs, executor=executor)
    assert [outcome.ok for outcome in outcomes] == [True, False, False]
    assert "it stopped with ZeroDivisionError" in outcomes[1].error
    assert outcomes[2].error == "its process ended before its last cell (exit code 0)"


@linux
@pytest.mark.slow
def test_a_whole_run_takes_an_executor(fewer_reports, tmp_path):
    """The tree is that of a run of the same results in this process; nothing stays in the cache."""
    from ccanalysis.reports.publish import MANIFEST
    from ccanalysis.reports.run import run
    from ccanalysis.workspace import Workspace

    folder = tmp_path / "centre"
    shutil.copytree(fewer_reports, folder)
    workspace = Workspace.open(folder)
    published = workspace.reports_path / "2026-W46"
    before = {path.relative_to(published): path.read_bytes() for path in files(published)}
    with processes() as executor:
        done = run(workspace, "2026-W46", executor=executor)
    assert done.failed == []
    assert {path.relative_to(published): path.read_bytes() for path in files(published)} == before
    assert Path(MANIFEST) in before
    assert list(workspace.cache_path.glob("ccanalysis-*")) == []


def files(folder):
    """List the files below a folder."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]

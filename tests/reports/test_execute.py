"""Reports run apart from each other: what one does, or fails to do, never reaches another."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from ccanalysis.errors import ParameterError
from ccanalysis.reports import execute as executing
from ccanalysis.reports.execute import Job, execute, make

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")
ENGINES = [pytest.param("inprocess", marks=linux), "kernel"]
PARAMETERS = "team = 'North'"


def cell(source: str, *tags: str) -> dict:
    """Return a code cell."""
    metadata = {"tags": list(tags)} if tags else {}
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": [], "execution_count": None}


@pytest.fixture
def job(notebook, tmp_path):
    """Return a function that makes a job from the source of a notebook's cells."""

    def made(*sources: str, name: str = "report", **parameters) -> Job:
        path = notebook(cell(PARAMETERS, "parameters"), *map(cell, sources), name=f"{name}.ipynb")
        return Job(notebook=path, parameters=parameters, output=tmp_path / f"{name}.html", title=name, key=name)

    return made


def run(*jobs: Job, engine: str = "inprocess", **options):
    """Execute jobs and return their outcomes."""
    return execute(jobs, engine=engine, **options)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_report_gets_its_parameters(job, engine):
    [outcome] = run(job("print(team)", team="Süd <b>"), engine=engine)
    assert (outcome.ok, outcome.error) == (True, "")
    assert "<pre>Süd &lt;b&gt;</pre>" in outcome.job.output.read_text()


@linux
@pytest.mark.parametrize("first", ["papermill", "ccanalysis.reports.inprocess"])
def test_papermill_finds_the_engine_whichever_is_imported_first(first):
    """Papermill imports the entry points while it is half imported; a notebook can name the engine all the same."""
    code = (
        f"import {first}\nfrom papermill.engines import papermill_engines as engines\n"
        "from ccanalysis.reports.inprocess import NAME, InProcessEngine\n"
        "assert engines.get_engine(NAME).execute_notebook == InProcessEngine.execute_notebook"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@linux
def test_both_engines_give_the_same_page_and_the_same_outputs(team_report, tmp_path, monkeypatch):
    """The forked engine is compared with plain kernels cell by cell, and the two pages byte by byte."""
    kept = {}

    def keep(path, **_):
        if (path / "executed.ipynb").exists():
            kept[engine] = nbformat.read(path / "executed.ipynb", as_version=4)

    monkeypatch.setattr(executing.shutil, "rmtree", keep)
    pages = {}
    for engine in ("inprocess", "kernel"):
        output = tmp_path / f"{engine}.html"
        job = Job(notebook=team_report, parameters={"team": "North", "seed": 3}, output=output, title="T", key="t")
        [outcome] = execute([job], engine=engine)
        assert outcome.ok, outcome.error
        pages[engine] = output.read_bytes()
    assert pages["inprocess"] == pages["kernel"]
    cells = {engine: [cell for cell in kept[engine].cells if cell.cell_type == "code"] for engine in kept}
    assert len(cells["inprocess"]) == len(cells["kernel"]) > 12
    for forked, reference in zip(cells["inprocess"], cells["kernel"], strict=True):
        assert forked.source == reference.source
        assert forked.outputs == reference.outputs
        assert forked.execution_count == reference.execution_count


OUTPUTS = {
    "value": "1 + 1",
    "printed": "import sys\nprint('a')\nprint('b', file=sys.stderr)\nprint('c')",
    "display": "display(1, 'x')\n2",
    "updated": "handle = display('first', display_id=True)\nhandle.update('second')",
    "cleared": "from IPython.display import clear_output\nprint('gone')\nclear_output()\nprint('stays')",
    "cleared_later": "from IPython.display import clear_output\nprint('gone')\nclear_output(wait=True)\nprint('stays')",
    "frame": "import pandas as pd\npd.DataFrame({'a': [1, 2]})",
    "figure": "import plotly.graph_objects as go\ngo.Figure(go.Bar(y=[1]))",
    "silenced": "1 + 1;",
    "awaited": "import asyncio\nawait asyncio.sleep(0)\n'done'",
    "magic": "%precision 2\n1.23456",
    "pickled": "import pickle\nclass A:\n    pass\ntype(pickle.loads(pickle.dumps(A()))).__name__, __name__",
    "threads": "from concurrent.futures import ThreadPoolExecutor\nlist(ThreadPoolExecutor(2).map(abs, [-1, 2]))",
}


@linux
@pytest.mark.slow
def test_every_kind_of_output_is_the_same_under_both_engines(notebook, tmp_path, monkeypatch):
    """What notebooks commonly do leaves equal outputs, cell by cell."""
    path = notebook(cell(PARAMETERS, "parameters"), *map(cell, OUTPUTS.values()))
    kept = {}

    def keep(folder, **_):
        if (folder / "executed.ipynb").exists():
            kept[engine] = nbformat.read(folder / "executed.ipynb", as_version=4)

    monkeypatch.setattr(executing.shutil, "rmtree", keep)
    for engine in ("inprocess", "kernel"):
        job = Job(notebook=path, parameters={}, output=tmp_path / "x.html", title="T", key="t")
        assert [outcome.error for outcome in execute([job], engine=engine)] == [""]
    for name, forked, reference in zip(OUTPUTS, kept["inprocess"].cells[1:], kept["kernel"].cells[1:], strict=False):
        assert forked.outputs == reference.outputs, name


FAILURES = {
    "raises": (
        "secret = 'Ada Lovelace'\n{}[secret]",
        "cell 2: it stopped with KeyError. Run the notebook in JupyterLab",
    ),
    "exits": ("import sys\nsys.exit()", "cell 2, under 'this report': it ended before its last cell"),
    "dies": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "its process was ended by signal 9"),
    "leaves": ("import os\nos._exit(0)", "its process ended before its last cell (exit code 0)"),
    "crashes": ("import ctypes\nctypes.string_at(0)", "its process was ended by signal 11"),
    "own_error": (
        "from ccanalysis.errors import NoInputError\nraise NoInputError('no row in week 46', remedy='Export it again')",
        "cell 2: no row in week 46. Export it again",
    ),
    "no_syntax": ("a = (", "cell 2: it stopped with SyntaxError. Run the notebook in JupyterLab"),
    "no_chart": (
        "import plotly.graph_objects as go\ngo.Figure()",
        "cell 2, under 'this report': a chart cannot be drawn: it has no traces",
    ),
    "picture": (
        "from IPython.display import display\ndisplay({'image/png': 'aGk='}, raw=True)",
        "cell 2, under 'this report': it shows image/png, which a page cannot hold",
    ),
}


@linux
@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_is_named_without_data_and_the_others_are_made(job, kind):
    source, message = FAILURES[kind]
    alone = run(job("print(team)", name="alone"))[0].job.output.read_bytes()
    broken, good = run(job(source, name="broken"), job("print(team)", name="alone"), jobs_at_once=2)
    assert (broken.ok, good.ok) == (False, True)
    assert broken.error.startswith(message)
    assert "Lovelace" not in broken.error
    assert not broken.job.output.exists()
    assert good.job.output.read_bytes() == alone


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["raises", "exits", "dies", "leaves"])
def test_a_failure_under_a_plain_kernel_is_a_failure_too(job, kind):
    [outcome] = run(job(FAILURES[kind][0]), engine="kernel")
    assert not outcome.ok
    assert "Lovelace" not in outcome.error


@linux
def test_the_last_good_page_stays_when_a_report_fails(job):
    good = run(job("print('good')"))[0].job.output
    before = good.read_bytes()
    assert not run(job("1 / 0"))[0].ok
    assert good.read_bytes() == before
    assert [path.name for path in good.parent.iterdir() if path.suffix != ".ipynb"] == ["report.html"]


LEAVE = """
import builtins, gc, os, random, sys, warnings
import numpy as np, pandas as pd
builtins.leaked = os.environ["LEAKED"] = "yes"
pd.options.display.precision = 1
np.set_printoptions(precision=1)
random.seed(1), np.random.seed(1)
sys.path.append("/leaked")
os.chdir("/")
pd.leaked = "yes"
"""
LOOK = """
import builtins, os, random, sys
import numpy as np, pandas as pd
print(hasattr(builtins, "leaked"), "LEAKED" in os.environ, pd.options.display.precision, hasattr(pd, "leaked"))
print("/leaked" in sys.path, os.getcwd() == "/", np.get_printoptions()["precision"], "secret" in dir())
"""


@linux
def test_no_state_passes_from_one_report_to_the_next(job):
    first, second = run(job(LEAVE, name="first"), job(LOOK, name="second"), jobs_at_once=1)
    assert first.ok and second.ok
    assert "<pre>False False 6 False\nFalse False 8 False</pre>" in second.job.output.read_text()


@linux
def test_random_numbers_differ_between_reports(job):
    source = "import random, numpy as np\nprint(random.random(), np.random.random())"
    pages = [outcome.job.output.read_text() for outcome in run(job(source, name="a"), job(source, name="b"))]
    drawn = [page.split("<pre>")[1].split("</pre>")[0].split() for page in pages]
    assert len({number for numbers in drawn for number in numbers}) == 4


def alive(pid: int) -> bool:
    """Return whether a process still runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


CHILDREN = """
import subprocess, sys, time
from pathlib import Path
sleep = [sys.executable, "-c", "import time; time.sleep(300)"]
own = subprocess.Popen(sleep)
apart = subprocess.Popen(sleep, start_new_session=True)
twice = subprocess.run(["sh", "-c", "setsid sleep 300 >/dev/null 2>&1 & echo $!"], capture_output=True, text=True)
Path({pids!r}).write_text(f"{{own.pid}} {{apart.pid}} {{twice.stdout}}")
"""


@linux
@pytest.mark.parametrize("end", ["time.sleep(300)", "pass", "1 / 0"], ids=["hangs", "ends", "fails"])
def test_a_report_leaves_no_process_behind(job, tmp_path, end):
    """Also those that it started in sessions of their own; a report that hangs costs its own deadline."""
    pids = tmp_path / "pids"
    began = time.monotonic()
    [outcome] = run(job(CHILDREN.format(pids=str(pids)) + end), deadline_s=20)
    if end.startswith("time"):
        assert outcome.error == "it took longer than 20 s and was stopped"
        assert time.monotonic() - began < 90
    assert not any(alive(int(pid)) for pid in pids.read_text().split())


@pytest.mark.slow
@linux
def test_a_kernel_that_hangs_is_stopped_with_its_children(job, tmp_path):
    pids = tmp_path / "pids"
    [outcome] = run(job(CHILDREN.format(pids=str(pids)) + "time.sleep(300)"), engine="kernel", deadline_s=25)
    assert outcome.error == "it took longer than 25 s and was stopped"
    own, *_ = map(int, pids.read_text().split())
    assert not alive(own)


@linux
def test_a_report_that_takes_too_much_memory_fails_alone(job):
    big, small = run(job("x = bytearray(3 << 30)", name="big"), job("print(1)", name="small"), memory_bytes=1 << 30)
    assert (big.ok, small.ok) == (False, True)
    assert big.error.startswith("cell 2: it stopped with MemoryError")


@linux
def test_a_flood_of_output_is_cut_with_a_notice(job):
    [outcome] = run(job("for i in range(400):\n    print('x' * 99_999)"))
    page = outcome.job.output.read_text()
    assert outcome.ok
    assert "further characters are not shown" in page
    assert len(page) < 60_000


@linux
def test_nothing_is_left_in_the_temporary_folder(job, tmp_path, monkeypatch, end_warm_process):
    """Neither of a report that is made, nor of one that fails, nor of the process that both were forked from."""
    monkeypatch.setattr(executing, "_close", end_warm_process)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", None)
    run(job("import tempfile, os\nopen(tempfile.mkstemp()[1], 'w').write('a customer')"), job("1 / 0", name="b"))
    assert list((tmp_path / "t").iterdir()) == []


@linux
def test_the_warm_process_ends_when_its_parent_is_killed(team_report):
    """Nothing outlives a run that is killed, whatever it was doing."""
    code = (
        "from ccanalysis.reports.execute import _warm_process\n"
        "print(_warm_process().process.pid, flush=True)\nimport time; time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(200):
        if not alive(pid):
            break
        time.sleep(0.1)
    assert not alive(pid)


@linux
def test_reports_go_on_when_the_warm_process_is_killed(job):
    """A report that was running fails; those after it get a new warm process."""
    fatal = "import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)"
    outcomes = run(job("pass", name="r0"), job(fatal, name="r1"), job("pass", name="r2"), job("pass", name="r3"))
    assert [outcome.ok for outcome in outcomes] == [True, False, True, True]
    assert outcomes[1].error == "its process ended before its last cell"


@linux
def test_any_executor_can_carry_the_reports(job):
    with ThreadPoolExecutor(2) as executor:
        outcomes = execute([job("print(team)", name=name, team=name) for name in "ab"], executor=executor)
    assert [outcome.ok for outcome in outcomes] == [True, True]
    assert "<pre>a</pre>" in outcomes[0].job.output.read_text()


@linux
def test_an_executor_that_fails_is_a_failure_of_the_report(job):
    class Broken(ThreadPoolExecutor):
        def submit(self, function, /, *args, **kwargs):
            return super().submit(lambda: 1 / 0)

    with Broken(1) as executor:
        [outcome] = execute([job("pass")], executor=executor)
    assert outcome.error == "the executor failed: ZeroDivisionError"


def test_what_an_executor_is_given_is_plain_json(job):
    [request] = [executing._request(job("pass"), "kernel", 60, None)]
    assert json.loads(json.dumps(request)) == request
    assert callable(make)


def test_a_parameter_that_is_not_known_stops_everything_before_anything_ran(job):
    good, bad = job("print(1)", name="good"), job("print(1)", name="bad", tema="x")
    with pytest.raises(ParameterError, match=r"bad\.ipynb: the notebook has no parameter 'tema'"):
        run(good, bad)
    assert not good.output.exists()


def test_two_reports_for_one_file_are_refused(job):
    with pytest.raises(ParameterError, match="two reports would be written to one file"):
        run(job("pass"), job("pass"))


@linux
def test_the_same_inputs_give_the_same_bytes(team_report, tmp_path, monkeypatch):
    """Whatever the language, the zone, the hash seed and the number of reports at once."""
    pages = []
    for number, (zone, seed, at_once) in enumerate([("UTC", "0", 1), ("Pacific/Kiritimati", "7", 2)]):
        monkeypatch.setenv("TZ", zone)
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        monkeypatch.setenv("LC_ALL", "C")
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        jobs = [
            Job(notebook=team_report, parameters={"team": name}, output=folder / f"{name}.html", title=name, key=name)
            for name in ("North", "South")
        ]
        assert all(outcome.ok for outcome in execute(jobs, jobs_at_once=at_once))
        pages.append([job.output.read_bytes() for job in jobs])
    assert pages[0] == pages[1]
    assert pages[0][0] != pages[0][1]

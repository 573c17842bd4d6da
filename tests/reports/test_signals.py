"""A run that is told to stop ends at once, with its exit code, without orphans, its last good page in place."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from small_run import workspace_in

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc")
HANGS = """\
import os, subprocess, time
child = subprocess.Popen(["sleep", "300"], start_new_session=True)
with open(mark, "w") as file:
    file.write(f"{os.getpid()} {child.pid} {os.getppid()}")
time.sleep(300)
"""


def alive(pid):
    """Return whether a process still runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["terminated", "interrupted"])
def test_a_command_that_is_stopped_leaves_no_process_and_the_last_good_page(tmp_path, notebook, number):
    workspace_in(tmp_path)
    mark, page = tmp_path / "mark", tmp_path / "page.html"
    page.write_text("the last good one")
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    source = notebook(
        {**cell, "source": "mark = ''", "metadata": {"tags": ["parameters"]}},
        {**cell, "source": HANGS},
        name="slow.ipynb",
    )
    command = [
        sys.executable,
        "-m",
        "ccanalysis.cli",
        "report",
        str(source),
        "-p",
        f"mark={mark}",
        "--output",
        str(page),
    ]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 120
        while not mark.exists() or not mark.read_text():
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.05)
        pids = mark.read_text().split()
        assert all(map(alive, pids))
        process.send_signal(number)
        process.wait(30)
        said = process.stderr.read()
    assert process.returncode == 128 + number
    assert "Traceback" not in said
    until = time.monotonic() + 5
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [pid for pid in pids if alive(pid)]
    assert page.read_text() == "the last good one"

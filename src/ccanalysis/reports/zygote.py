"""A warm process that forks one child per report (Linux).

It imports what reports need once, stays single-threaded, and forks on request. A child starts with everything
imported and nothing computed, runs one report and ends; so no state can pass from one report to the next.

Wire: one Unix socket connection per report. The client sends the request as one line of JSON; the child answers with
one line; when it has ended and its own children are gone, the zygote adds `{"exit": code}`. When the client closes its
side, the report is killed. When the parent goes, stdin ends, and everything is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import random
import selectors
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ccanalysis.errors import EnvironmentFaultError
from ccanalysis.imports import skip_slow_import
from ccanalysis.reports.worker import run

PRELOADED = (
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "duckdb",
    "scipy.stats",
    "plotly.graph_objects",
    "IPython.core.completerlib",
    "IPython.core.interactiveshell",
    "IPython.core.magics",
    "IPython.core.oinspect",
    "papermill",
    "nbformat",
    "ccanalysis.display",
    "ccanalysis.reports.exporter",
    "ccanalysis.reports.inprocess",
)
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
MAX_FILE_BYTES = 1 << 30
GONE_S = 5.0


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def preload(modules: list[str]) -> None:
    """Import what reports need, and pay what the first use of it costs."""
    import importlib  # noqa: PLC0415

    for name in [*PRELOADED, *modules]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with contextlib.suppress(ImportError):
        import tqdm  # noqa: PLC0415

        tqdm.tqdm.monitor_interval = 0  # otherwise a progress bar starts a thread
    import plotly.graph_objects as go  # noqa: PLC0415
    from nbformat.v4 import new_markdown_cell, new_notebook  # noqa: PLC0415

    from ccanalysis.reports import exporter, inprocess, page  # noqa: PLC0415

    line, axis = {"color": "#000000"}, {"title": {"text": "A"}}
    figure = go.Figure(go.Scatter(x=[1, 2], y=[1, 2], line=line, marker=line, error_x={"array": [1, 1]}))
    figure.add_bar(x=[1], y=[1], marker=line)
    figure.update_layout(xaxis=axis, yaxis=axis, legend={"x": 0}, margin={"l": 0})
    figure.add_hline(1, line=line).to_json()
    inprocess.prepare()
    page.render(new_notebook(cells=[new_markdown_cell("## A\n\n|a|\n|-|\n|b|")]), title="A", complete=False)
    with contextlib.suppress(EnvironmentFaultError):  # which the run has said already
        for small in {False, exporter.small_bundle() is not None}:
            exporter.plotly_packed(small=small)
            exporter.script_hash(exporter.plotly_source(small=small))
    gc.collect()
    gc.freeze()  # shared pages stay shared


def _limits(request: dict[str, Any]) -> None:
    import resource  # noqa: PLC0415

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, MAX_FILE_BYTES))
    if memory := request.get("memory_bytes"):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        size = pages * os.sysconf("SC_PAGE_SIZE") + int(memory)
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def _child(connection: socket.socket, request: dict[str, Any]) -> None:
    """Run one report in the forked process; never returns."""
    try:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        os.umask(0o077)
        os.environ.update(TMPDIR=request["scratch"], IPYTHONDIR=request["scratch"])
        tempfile.tempdir = None
        import numpy as np  # noqa: PLC0415

        np.random.seed()  # noqa: NPY002  a fork inherits the global generator
        random.seed()
        _limits(request)
        answer = run(request)
        connection.sendall(json.dumps(answer).encode() + b"\n")
    finally:
        os._exit(0)


class Zygote:
    """The loop that forks, watches and reaps."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.selector = selectors.DefaultSelector()
        self.children: dict[int, socket.socket] = {}

    def serve(self) -> None:
        """Fork on request until stdin ends."""
        wake, woken = socket.socketpair()
        for end in (wake, woken):
            end.setblocking(False)
        signal.set_wakeup_fd(woken.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
        self.selector.register(self.listener, selectors.EVENT_READ, "listener")
        self.selector.register(0, selectors.EVENT_READ, "parent")
        self.selector.register(wake, selectors.EVENT_READ, "wake")
        while True:
            for key, _ in self.selector.select():
                if key.data == "parent":
                    return self.end()
                if key.data == "listener":
                    self.accept()
                elif key.data == "wake":
                    with contextlib.suppress(BlockingIOError):
                        wake.recv(4096)
                elif key.data in self.children:  # the client has given the report up
                    self.selector.unregister(key.fileobj)
                    self.kill(key.data)
            self.reap()

    def accept(self) -> None:
        """Fork a child for a new connection."""
        connection, _ = self.listener.accept()
        connection.settimeout(10)
        try:
            with connection.makefile("rb") as lines:
                request = json.loads(lines.readline())
            pid = os.fork()
        except (OSError, ValueError):
            connection.close()
            return
        if pid == 0:
            os.setsid()
            self.listener.close()
            for other in self.children.values():
                other.close()
            connection.settimeout(None)
            _child(connection, request)
        self.children[pid] = connection
        self.selector.register(connection, selectors.EVENT_READ, pid)

    def kill(self, pid: int) -> None:
        """Kill a report and whatever it started in its session."""
        for stop in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                stop(pid, signal.SIGKILL)

    def reap(self) -> None:
        """Collect the children that have ended, and end what they left behind."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            connection = self.children.pop(pid, None)
            if connection is None:
                continue
            self.kill(pid)
            self.strays()
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(connection)
            with contextlib.suppress(OSError):
                connection.sendall(json.dumps({"exit": os.waitstatus_to_exitcode(status)}).encode() + b"\n")
            connection.close()

    def strays(self) -> None:
        """Kill what a report left behind, in whatever session; as subreaper its orphans have come to us.

        While a report lives its orphans stay with it, so none of another report is among them.
        """
        me, until = os.getpid(), time.monotonic() + GONE_S
        while time.monotonic() < until:
            listed = Path(f"/proc/{me}/task/{me}/children").read_text(encoding="ascii").split()
            left = [pid for pid in map(int, listed) if pid not in self.children]
            if not left:
                return
            for pid in left:
                self.kill(pid)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(0.002)

    def end(self) -> None:
        """Kill everything."""
        for pid in list(self.children):
            self.kill(pid)
        with contextlib.suppress(ChildProcessError):
            while self.children:
                pid, _ = os.waitpid(-1, 0)
                self.children.pop(pid, None)
            self.strays()


def main() -> None:
    """Serve on the socket named by the first argument; the others are modules to import beforehand."""
    skip_slow_import()
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    preload(sys.argv[2:])
    threads = sum(1 for _ in Path("/proc/self/task").iterdir())
    if threads != 1:
        print(f"threads {threads}", flush=True)
        return
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen(128)
        print("ready", flush=True)
        Zygote(listener).serve()


if __name__ == "__main__":
    main()

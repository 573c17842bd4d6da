"""Warm kernels for JupyterLab and nbval (Linux): forked from a process that has imported what notebooks need.

A kernel provisioner: with `JUPYTER_DEFAULT_PROVISIONER_NAME=ccanalysis-warm` every client of Jupyter takes its kernels
from here, `ccanalysis lab` does so by itself. Each kernel is a process of its own that begins with everything imported
and nothing computed, so no state passes from one to the next. Where processes cannot be forked, or the warm process
does not answer, a kernel is started as ever.

Wire: the provisioner writes one line of JSON (command, folder, environment) to a Unix socket in a folder that nobody
else can read; the warm process forks and answers with the kernel's process number. When whoever began it ends, its
standard input ends, and it and its kernels end too.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner

from ccanalysis.imports import skip_slow_import
from ccanalysis.reports.zygote import PR_SET_PDEATHSIG, _prctl

NAME = "ccanalysis-warm"
PRELOADED = ("pandas", "pyarrow.parquet", "duckdb", "scipy.stats", "plotly.graph_objects", "ipykernel.kernelapp")
OWN = ("ccanalysis.views",)
STARTS_S, ANSWERS_S = 120.0, 10.0


class ForkedKernel:
    """A kernel that another process began: as much of `subprocess.Popen` as a provisioner uses.

    Args:
        pid: Its process.
    """

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._descriptor = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Return 0 where it has ended, None where it runs."""
        if self.returncode is None and select.select([self._descriptor], [], [], 0)[0]:
            self.returncode = 0
            os.close(self._descriptor)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait until it has ended, or so many seconds."""
        if self.returncode is None:
            select.select([self._descriptor], [], [], timeout)
        return self.poll()

    def send_signal(self, number: int) -> None:
        """Send a signal to this very process, never to another that took its number."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._descriptor, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


class WarmProvisioner(LocalProvisioner):
    """Takes kernels from one warm process per client; until that is warm, kernels are started as ever."""

    _warm: ClassVar[tuple[subprocess.Popen[bytes], Path] | None] = None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel; start one as ever where that cannot be done."""
        pid = self._forked(cmd, kwargs)
        if pid is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process = cast("Any", ForkedKernel(pid))  # as much of a process as is used
        self.pid = self.pgid = pid
        self.cwd = kwargs.get("cwd") or str(Path.cwd())
        return self.connection_info

    @classmethod
    def _forked(cls, command: Sequence[str], given: dict[str, Any]) -> int | None:
        own = list(command[:3]) == [sys.executable, "-m", "ipykernel_launcher"]
        if not own or not hasattr(os, "pidfd_open") or not sys.platform.startswith("linux"):
            return None
        asked: dict[str, Any] = {"argv": list(command[2:]), "cwd": str(given.get("cwd") or Path.cwd())}
        asked["env"] = dict(given.get("env") or os.environ)
        folder = cls.begin()
        if not (folder / "ready").exists():
            return None
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWERS_S)
                connection.connect(str(folder / "s"))
                connection.sendall(json.dumps(asked).encode() + b"\n")
                return int(json.loads(connection.makefile().readline())["pid"])
        except (OSError, ValueError, KeyError):
            return None

    @classmethod
    def begin(cls, *, wait: bool = False) -> Path:
        """Begin the warm process where none runs, and return its folder.

        Args:
            wait: Whether to wait until it is warm; else it warms up beside.
        """
        if cls._warm is None or cls._warm[0].poll() is not None:
            folder = Path(tempfile.mkdtemp(prefix="ccanalysis-warm-"))
            process = subprocess.Popen(
                [sys.executable, "-m", "ccanalysis.reports.warm_kernels", str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl+C in the terminal is for the kernels' clients
            )
            cls._warm = process, folder
        process, folder = cls._warm
        until = time.monotonic() + STARTS_S
        while wait and not (folder / "ready").exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        return folder


def serve(folder: Path) -> None:
    """Import what notebooks need, then fork a kernel for each request until standard input ends.

    Args:
        folder: Where the socket is made; it is removed at the end.
    """
    import importlib  # noqa: PLC0415

    skip_slow_import()
    for name in (*PRELOADED, *OWN):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    kernels: set[int] = set()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "s"))
        listening.listen()
        (folder / "ready").touch()
        try:
            while True:
                ready, _, _ = select.select([listening, sys.stdin], [], [], 1.0)
                kernels -= _ended(kernels)
                if sys.stdin in ready and not os.read(0, 1):
                    return
                if listening in ready:
                    kernels.add(_fork(listening))
        finally:
            for pid in kernels:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
            shutil.rmtree(folder, ignore_errors=True)


def _ended(kernels: set[int]) -> set[int]:
    """Take leave of the kernels that have ended."""
    found = set()
    for pid in kernels:
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0]:
                found.add(pid)
    return found


def _fork(listening: socket.socket) -> int:
    connection, _ = listening.accept()
    with connection:
        asked = json.loads(connection.makefile().readline())
        pid = os.fork()
        if pid:
            connection.sendall(json.dumps({"pid": pid}).encode() + b"\n")
            return pid
    listening.close()
    _be_a_kernel(asked)
    raise AssertionError  # it never returns


def _be_a_kernel(asked: dict[str, Any]) -> None:
    """Become the kernel that was asked for; never returns."""
    import runpy  # noqa: PLC0415

    code = 1
    try:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        os.environ.clear()
        os.environ.update(asked["env"])
        os.environ["JPY_PARENT_PID"] = str(os.getppid())  # whom the kernel ends with
        tempfile.tempdir = None
        os.chdir(asked["cwd"])
        sys.path[0] = ""
        sys.argv = list(asked["argv"])[1:]
        sys.argv.insert(0, "ipykernel_launcher")
        import numpy as np  # noqa: PLC0415

        np.random.seed()  # noqa: NPY002  a fork inherits the global generator
        runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))

"""Many reports at once, each in a process of its own.

On Linux a warm process forks a child per report, which runs the notebook by papermill with the engine
`ccanalysis-inprocess`. Elsewhere, and as the reference, each report has a plain kernel. Both are driven through one
function of one argument, so that any `concurrent.futures` executor can carry the reports.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ccanalysis.errors import CcanalysisError, EnvironmentFaultError, ExitCode, ParameterError
from ccanalysis.reports.parameters import Scalar, check_parameters
from ccanalysis.reports.scratch import new_folder
from ccanalysis.reports.worker import ENVIRONMENT, KERNEL_PID, PAGE

Engine = Literal["auto", "inprocess", "kernel"]
START_S = 120.0
LAST_WORDS_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Job:
    """One report to make.

    Attributes:
        notebook: The notebook's file.
        parameters: Values for its parameters.
        output: Where the page goes; its folder must be there.
        title: What the page is called.
        key: What tells the report from all others of the run.
        audience: Whom it is for: `centre`, `line_manager`, `team`, `data_quality`.
        subtitle: A line beneath the title.
        period: The period, in words.
        footer: Lines at the end of the page.
        plotly: Whether plotly.js is `inline` or `linked`.
        linked_path: Where plotly.js is, relative to the page.
        home: The page with all reports, relative to this one.
    """

    notebook: Path
    parameters: Mapping[str, Scalar]
    output: Path
    title: str
    key: str
    audience: str = ""
    subtitle: str = ""
    period: str = ""
    footer: Sequence[str] = ()
    plotly: Literal["inline", "linked"] = "inline"
    linked_path: str = ""
    home: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a report.

    Attributes:
        job: The report.
        ok: Whether its page was made.
        error: Why not, in one line without personal data.
        exit_code: What a command ends with that makes this report alone.
        seconds: How long it took.
        statuses: How many KPI cards of the page have which status.
    """

    job: Job
    ok: bool
    error: str = ""
    exit_code: ExitCode = ExitCode.SOME_FAILED
    seconds: float = 0.0
    statuses: Mapping[str, int] = field(default_factory=dict)


def execute(
    jobs: Sequence[Job],
    *,
    jobs_at_once: int = 1,
    engine: Engine = "auto",
    deadline_s: float = 300.0,
    progress: Callable[[Outcome], object] | None = None,
    executor: Executor | None = None,
    memory_bytes: int | None = None,
    preload: Sequence[str] = (),
) -> list[Outcome]:
    """Make all reports; one that fails changes nothing for the others.

    Args:
        jobs: The reports.
        jobs_at_once: How many run at the same time; without effect when an executor is given.
        engine: `inprocess` (Linux), `kernel`, or the first of them that works here.
        deadline_s: After so many seconds a report is stopped, with all its processes.
        progress: Called with each outcome as it comes.
        executor: Runs the reports elsewhere, such as on a cluster; the notebooks and their data must be seen there
            under the same paths. It is not shut down. Its workers start a warm process each where they can.
        memory_bytes: How much memory a forked report may take beyond what it starts with.
        preload: Modules that the warm process imports beforehand.

    Returns:
        One outcome per job, in the order of the jobs.

    Raises:
        ParameterError: A notebook does not know a parameter, or knows it as another type; nothing has run then.
        EnvironmentFaultError: The engine asked for does not work here.
    """
    if len({job.output for job in jobs}) != len(jobs):
        raise ParameterError("two reports would be written to one file", remedy="Give each report its own output")
    for job in jobs:
        check_parameters(job.notebook, job.parameters)
    own = executor is None
    if own and engine != "kernel":
        engine = _warm(engine, preload)
    requests = [_request(job, engine, deadline_s, memory_bytes, preload) for job in jobs]
    pool = executor or ThreadPoolExecutor(max(1, jobs_at_once), thread_name_prefix="report")
    outcomes: dict[int, Outcome] = {}
    futures: dict[Future[dict[str, Any]], int] = {}
    try:
        for number, request in enumerate(requests):
            futures[pool.submit(make, request)] = number
        for future in as_completed(list(futures)):
            number = futures.pop(future)
            outcomes[number] = _outcome(jobs[number], future)
            del future  # it holds the page, and with hundreds of pages of 2 MB that tells
            if progress:
                progress(outcomes[number])
    finally:
        for future in futures:
            future.cancel()
        if own:
            _close()
            pool.shutdown(wait=True, cancel_futures=True)
    return [outcomes[number] for number in range(len(jobs))]


def _request(
    job: Job, engine: Engine, deadline_s: float, memory_bytes: int | None, preload: Sequence[str] = ()
) -> dict[str, Any]:
    return {
        "notebook": str(job.notebook.resolve()),
        "parameters": dict(job.parameters),
        "engine": engine,
        "deadline_s": deadline_s,
        "memory_bytes": memory_bytes,
        "preload": list(preload),
        "cwd": str(Path.cwd()),
        "page": {
            "title": job.title,
            "subtitle": job.subtitle,
            "period": job.period,
            "footer": list(job.footer),
            "plotly": job.plotly,
            "linked_path": job.linked_path,
            "home": job.home,
        },
    }


def _outcome(job: Job, future: Future[dict[str, Any]]) -> Outcome:
    try:
        answer = future.result()
    except CcanalysisError as error:
        return Outcome(job=job, ok=False, error=str(error))
    except Exception as error:
        return Outcome(job=job, ok=False, error=f"the executor failed: {type(error).__name__}")
    if not answer["ok"]:
        code = ExitCode(answer.get("exit_code", ExitCode.SOME_FAILED))
        return Outcome(job=job, ok=False, error=answer["error"], exit_code=code, seconds=answer["seconds"])
    try:
        _write(job.output, answer["html"])
    except OSError as error:
        raise EnvironmentFaultError(
            f"{job.output.name} ({len(answer['html']):,} bytes) cannot be written: {error.strerror}",
            remedy="Make room on the disk, or give another place",
        ) from error
    return Outcome(job=job, ok=True, seconds=answer["seconds"], statuses=answer["statuses"])


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    aside = path.with_name(f".{path.name[:200]}.part")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise


def make(request: Mapping[str, Any]) -> dict[str, Any]:
    """Make one report in a new process and return its page; the function that an executor is given.

    Args:
        request: What `execute` puts together; plain JSON.

    Returns:
        `ok` and `seconds`, with `html` and `statuses`, or with `error`.
    """
    engine = request["engine"]
    if engine == "auto":
        engine = _warm("auto", request["preload"])
    began = time.monotonic()
    scratch = new_folder()
    try:
        sent = {**request, "engine": engine, "scratch": str(scratch)}
        runner = _by_fork if engine == "inprocess" else _by_kernel
        answer = runner(sent, float(request["deadline_s"]))
        if answer["ok"]:
            answer["html"] = (scratch / PAGE).read_bytes()
    except OSError as error:
        answer = {"ok": False, "error": f"its process could not be reached: {type(error).__name__}"}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return {**answer, "seconds": round(time.monotonic() - began, 3)}


def _ended(code: int | None) -> str:
    if code is not None and code < 0:
        return f"its process was ended by signal {-code}"
    known = "" if code is None else f" (exit code {code})"
    return f"its process ended before its last cell{known}"


# --- plain kernels -----------------------------------------------------------------------------------------------


def _environment(scratch: Path | None = None) -> dict[str, str]:
    paths = [path for path in sys.path if path]
    own = {"PYTHONPATH": os.pathsep.join(paths)}
    if scratch:
        own |= {"TMPDIR": str(scratch), "IPYTHONDIR": str(scratch), "JUPYTER_RUNTIME_DIR": str(scratch)}
    return {**os.environ, **ENVIRONMENT, **own}


def _by_kernel(request: dict[str, Any], deadline_s: float) -> dict[str, Any]:
    """Run a report through a plain kernel, driven by a process of its own."""
    scratch = Path(request["scratch"])
    process = subprocess.Popen(
        [sys.executable, "-m", "ccanalysis.reports.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(scratch),
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(json.dumps(request).encode(), timeout=deadline_s)
    except subprocess.TimeoutExpired:
        return {"ok": False, "error": f"it took longer than {deadline_s:g} s and was stopped"}
    finally:
        _kill_group(process.pid)
        with contextlib.suppress(OSError, ValueError):
            _kill_group(int((scratch / KERNEL_PID).read_text(encoding="ascii")))
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
    if not output:
        return {"ok": False, "error": _ended(process.returncode)}
    return json.loads(output)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError, AttributeError):
        if hasattr(os, "killpg"):
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGTERM)


# --- forked children of a warm process ---------------------------------------------------------------------------


class WarmProcess:
    """The parent's end of `ccanalysis.reports.zygote`."""

    def __init__(self, preload: Sequence[str] = ()) -> None:
        self.folder = new_folder()
        self.socket = str(self.folder / "s")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ccanalysis.reports.zygote", self.socket, *preload],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            text=True,
        )
        watchdog = threading.Timer(START_S, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline().strip() if self.process.stdout else ""
        watchdog.cancel()
        if line != "ready":
            self.close()
            raise EnvironmentFaultError(
                f"the warm process did not start ({line or 'it ended'})", remedy="Use the engine 'kernel'"
            )

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def run(self, request: dict[str, Any], deadline_s: float) -> dict[str, Any]:
        """Run one report in a forked child.

        Raises:
            OSError: The warm process cannot be reached.
        """
        answer: dict[str, Any] | None = None
        code: int | None = None
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.socket)
            connection.sendall(json.dumps(request).encode() + b"\n")
            until = time.monotonic() + deadline_s
            late, received = False, b""
            while True:
                connection.settimeout(max(until - time.monotonic(), 0.001))
                try:
                    part = connection.recv(1 << 16)
                except TimeoutError:
                    if late:
                        break
                    late, until = True, time.monotonic() + LAST_WORDS_S
                    connection.shutdown(socket.SHUT_WR)  # the zygote kills the report and says when it is gone
                    continue
                if not part:
                    break
                received += part
        for line in received.splitlines():
            message = json.loads(line)
            if "exit" in message:
                code = message["exit"]
            else:
                answer = message
        if late and (answer is None or not answer["ok"]):
            return {"ok": False, "error": f"it took longer than {deadline_s:g} s and was stopped"}
        return answer or {"ok": False, "error": _ended(code)}

    def close(self) -> None:
        """End it and all reports that still run."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self.process.wait(LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


_lock = threading.Lock()
_process: list[WarmProcess] = []
_started_with: dict[str, str] = {}


def _warm(engine: Engine, preload: Sequence[str]) -> Engine:
    """Start the warm process where it can be, and return the engine that reports shall use."""
    if not sys.platform.startswith("linux"):
        if engine == "inprocess":
            raise EnvironmentFaultError("the engine 'inprocess' needs Linux", remedy="Use the engine 'kernel'")
        return "kernel"
    try:
        _warm_process(preload)
    except EnvironmentFaultError:
        if engine == "inprocess":
            raise
        return "kernel"
    return "inprocess"


def _warm_process(preload: Sequence[str] = ()) -> WarmProcess:
    with _lock:
        if _process and (not _process[0].alive or _started_with != dict(os.environ)):
            _process.pop().close()
        if not _process:
            _started_with.clear()
            _started_with.update(os.environ)
            _process.append(WarmProcess(preload))
        return _process[0]


def _by_fork(request: dict[str, Any], deadline_s: float) -> dict[str, Any]:
    return _warm_process(request["preload"]).run(request, deadline_s)


@atexit.register
def _close() -> None:
    with _lock:
        while _process:
            _process.pop().close()

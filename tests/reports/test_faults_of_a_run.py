"""Whatever fails while a run works, readers see the last good tree or the new one, whole."""

from __future__ import annotations

import builtins
import errno
import io
import os
import random
import signal
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from ccanalysis.errors import EnvironmentFaultError
from ccanalysis.reports.run import run

sys.path.insert(0, str(Path(__file__).parent))
from small_run import PERIOD, state, stub, workspace_in

CALLS = ("open", "write", "fsync", "mkdir", "rename", "replace", "unlink", "rmdir", "sendfile", "ftruncate", "pwrite")
REAL_CLOSE = os.close


class Disk:
    """Counts the calls that write, and lets one of them fail, or all from it on."""

    def __init__(self, fail_at: int, code: int, *, for_good: bool) -> None:
        self.calls, self.fail_at, self.code, self.for_good = 0, fail_at, code, for_good

    def touch(self) -> None:
        """Count a call; fail when its turn has come."""
        self.calls += 1
        if self.calls == self.fail_at or (self.for_good and self.calls > self.fail_at):
            raise OSError(self.code, os.strerror(self.code))

    def wrapped(self, real):
        """Return a function that is counted."""

        def call(*args, **kwargs):
            self.touch()
            return real(*args, **kwargs)

        return call

    def closed(self, descriptor):
        """Close a file, as Linux does even where it says that it could not."""
        REAL_CLOSE(descriptor)
        self.touch()

    def opened(self, real):
        """Return an `open` whose files are counted at each write, where they are written."""

        def call(file, mode="r", *args, **kwargs):
            if not set(mode) & set("wax+"):
                return real(file, mode, *args, **kwargs)
            self.touch()
            return File(real(file, mode, *args, **kwargs), self)

        return call


class File:
    """A file whose writing is counted."""

    def __init__(self, file, disk: Disk) -> None:
        self.file, self.disk = file, disk

    def write(self, content):
        self.disk.touch()
        return self.file.write(content)

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace with a published tree of version a."""
    folder = tmp_path_factory.mktemp("faulty")
    opened = workspace_in(folder)
    with pytest.MonkeyPatch.context() as patch:
        stub(patch, "a")
        run(opened, PERIOD)
    return opened


@pytest.mark.slow
@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for_good"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES], ids=["full", "broken", "refused"])
def test_a_fault_at_any_call_of_a_run_leaves_one_whole_tree(workspace, monkeypatch, tmp_path, code, for_good):
    """Slices, pages, tables, index, manifest, the exchange of trees and clearing up: each write in turn.

    Every eleventh call, another one for each fault; with CCANALYSIS_ENDURANCE every call.
    """
    step = 1 if "CCANALYSIS_ENDURANCE" in os.environ else 11
    target = workspace.reports_path / PERIOD
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    seen = {"a": 0, "b": 0}
    current = state(target)
    for fail_at in range(1 + code % step, 5000, step):
        version = "b" if current == "a" else "a"
        disk = Disk(fail_at, code, for_good=for_good)
        with monkeypatch.context() as patch:
            stub(patch, version)
            for name in CALLS:
                patch.setattr(os, name, disk.wrapped(getattr(os, name)))
            patch.setattr(io, "open", disk.opened(io.open))
            patch.setattr(builtins, "open", disk.opened(builtins.open))
            patch.setattr(pd.DataFrame, "to_parquet", disk.wrapped(pd.DataFrame.to_parquet))
            try:
                run(workspace, PERIOD)
                raised = False
            except EnvironmentFaultError:
                raised = True
        now = state(target)
        assert now == (current if raised else version), f"call {fail_at}"
        seen["a" if raised else "b"] += 1
        current = now
        if disk.calls < fail_at:
            break
    else:
        pytest.fail("no run was without a fault")
    assert seen["a"] > 100 // step
    assert [path.name for path in target.parent.iterdir() if path.name != PERIOD] == []


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kill -9 is not known there")
def test_a_run_killed_at_any_moment_keeps_the_last_good_tree_and_the_next_completes(workspace, monkeypatch, tmp_path):
    """Twenty moments of a run that never stops; what the killed ones left is cleared by the next."""
    target = workspace.reports_path / PERIOD
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    draw = random.Random(40)
    for _ in range(20):
        child = os.fork()
        if child == 0:
            try:
                while True:
                    for version in "ab":
                        with pytest.MonkeyPatch.context() as patch:
                            stub(patch, version)
                            run(workspace, PERIOD)
            finally:
                os._exit(1)
        time.sleep(draw.random() * 0.5)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert state(target) in "ab"
    assert any(tmp_path.iterdir()), "no run was killed in the midst of its work"
    with monkeypatch.context() as patch:
        stub(patch, "c")
        run(workspace, PERIOD)
    assert state(target) == "c"
    assert list(tmp_path.iterdir()) == []
    assert [path.name for path in target.parent.iterdir()] == [PERIOD]

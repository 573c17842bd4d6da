"""Publishing is whole or not at all, names are portable, and one run works at a time."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccanalysis.errors import EnvironmentFaultError, ExitCode, LockedError
from ccanalysis.reports import publish as publishing
from ccanalysis.reports.publish import MANIFEST, Lock, check_target, publish, recover, slug, verify

FAULTS = ("open", "write", "fsync", "close", "mkdir", "rename", "replace", "unlink", "rmdir")


def tree(folder: Path, version: str, *, pages: int = 3) -> Path:
    """Build a tree of pages that name their version."""
    for number in range(pages):
        path = folder / "teams" / f"{number}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(version * 1000)
    (folder / "index.html").write_text(version)
    return folder


def state(target: Path) -> str:
    """Return the version of a published tree after checking that it is whole."""
    assert verify(target) == []
    pages = {path.read_text()[0] for path in target.rglob("*.html")}
    assert len(pages) == 1
    return pages.pop()


@pytest.fixture
def published(tmp_path):
    """Return a place where version a is published, and a tree of version b to publish there."""
    target = tmp_path / "reports" / "2026-W46"
    publish(tree(tmp_path / "a", "a"), target, {"period": "2026-W46"})
    return target, tree(tmp_path / "b", "b")


def test_a_tree_is_published_with_a_manifest_that_names_every_file(published):
    target, _ = published
    manifest = json.loads((target / MANIFEST).read_text())
    assert manifest["period"] == "2026-W46"
    assert [entry["path"] for entry in manifest["files"]] == [
        "index.html",
        "teams/0.html",
        "teams/1.html",
        "teams/2.html",
    ]
    assert manifest["files"][1]["bytes"] == 1000


def test_the_same_tree_gives_the_same_bytes(tmp_path):
    for name in ("one", "other"):
        publish(tree(tmp_path / "built" / name, "a"), tmp_path / name, {"b": 1, "a": [2]})
    one, other = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("one", "other")
    )
    assert one == other


def test_a_new_tree_replaces_the_old_one_and_leaves_nothing_behind(published):
    target, built = published
    publish(built, target, {})
    assert state(target) == "b"
    assert [path.name for path in target.parent.iterdir()] == ["2026-W46"]


def test_a_file_that_the_new_tree_lacks_is_gone(published, tmp_path):
    target, _ = published
    publish(tree(tmp_path / "small", "b", pages=1), target, {})
    assert [path.name for path in (target / "teams").iterdir()] == ["0.html"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES], ids=["full", "broken", "refused"])
@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for_good"])
@pytest.mark.parametrize("exchange", [True, False], ids=["one_step", "two_steps"])
def test_a_fault_at_any_call_leaves_one_whole_tree(tmp_path, monkeypatch, code, for_good, exchange):
    """Every write, fsync, rename and so on fails in turn; what readers see is the old tree or the new one, whole."""
    if not exchange:
        monkeypatch.setattr(publishing, "_exchange", lambda one, other: False)
    real = {name: getattr(os, name) for name in FAULTS}
    outcomes = []
    for fail_at in range(1, 200):
        target = tmp_path / str(fail_at) / "2026-W46"
        publish(tree(tmp_path / f"a{fail_at}", "a", pages=1), target, {})
        built = tree(tmp_path / f"b{fail_at}", "b", pages=1)
        calls = 0

        def faulty(name, at=fail_at):
            def call(*args, **kwargs):
                nonlocal calls
                calls += 1
                if calls == at or (for_good and calls > at):
                    raise OSError(code, os.strerror(code))
                return real[name](*args, **kwargs)

            return call

        with monkeypatch.context() as patch:
            for name in FAULTS:
                patch.setattr(os, name, faulty(name))
            try:
                publish(built, target, {})
                raised = False
            except EnvironmentFaultError as error:
                raised = True
                assert "last good ones are untouched" in str(error)
                assert error.exit_code == ExitCode.ENVIRONMENT
        recover(target)
        outcomes.append(state(target))
        assert outcomes[-1] == ("a" if raised else "b")
        if calls < fail_at:
            break
    else:
        pytest.fail("publishing never ran without a fault")
    assert outcomes.count("a") > 10
    publish(built, target, {})
    assert state(target) == "b"


def test_the_error_names_the_place_and_the_bytes_needed(published, monkeypatch):
    target, built = published

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(EnvironmentFaultError) as caught:
        publish(built, target, {})
    assert str(caught.value) == (
        "2026-W46: the reports (3,001 bytes) cannot be published (No space left on device); the last good ones are "
        "untouched. Make room on the disk or correct the permissions, and run again"
    )


PUBLISHER = """
import sys
from pathlib import Path
from ccanalysis.reports.publish import publish
built, target = Path(sys.argv[1]), Path(sys.argv[2])
print("ready", flush=True)
while True:
    for version in "bc":
        publish(built / version, target, {"version": version})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is not known there")
def test_kill_at_any_moment_leaves_one_whole_tree(published, tmp_path):
    """A publisher that never stops is killed at twenty moments; every time one whole tree is there."""
    target, _ = published
    for version in "bc":
        tree(tmp_path / "versions" / version, version, pages=20)
    for attempt in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", PUBLISHER, str(tmp_path / "versions"), str(target)], stdout=subprocess.PIPE
        )
        process.stdout.readline()
        time.sleep(0.003 * attempt)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if sys.platform.startswith("linux"):
            assert state(target) in "abc"  # before anything is put right
        recover(target)
        assert state(target) in "abc"


def test_a_run_that_was_stopped_between_the_two_steps_is_undone(published):
    """Where folders cannot change places in one step, the next run brings the last good tree back."""
    target, _ = published
    target.rename(target.with_name(".2026-W46.old"))
    recover(target)
    assert state(target) == "a"


def test_verify_names_what_was_changed(published):
    target, _ = published
    (target / "index.html").write_text("x")
    (target / "teams" / "0.html").unlink()
    (target / "stray.txt").write_text("x")
    assert verify(target) == [
        "index.html was changed after it was published",
        "teams/0.html is missing",
        "stray.txt is not in the manifest",
    ]


def test_a_file_in_the_place_of_the_reports_is_refused_beforehand(tmp_path):
    (tmp_path / "reports").write_text("x")
    with pytest.raises(EnvironmentFaultError, match=r"reports: there is a file of this name\. Move it"):
        check_target(tmp_path / "reports")


def test_a_place_that_cannot_be_written_is_refused_beforehand(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(EnvironmentFaultError, match="nothing can be written beside it"):
        check_target(tmp_path / "file" / "2026-W46")


HOSTILE_NAMES = [
    *("../x", "/etc/passwd", "..", ".", "", " ", "NA", "CON", "nul", "COM1.txt", "a\x00b", "a\nb", "x" * 300, "{0}"),
    *("é", unicodedata.normalize("NFD", "é"), "TEAM", "team", "Team", "C:\\x", "a:b", "a|b", "*?", "~", "-rf", "名前"),
    *("\u202egnp.exe", "http://attacker.example", "\ud800", "{pm[run_uuid]}", "a/b", "a%2Fb", "team.", "team "),
]


def portable(name: str) -> bool:
    """Return whether every system takes this as the name of a file."""
    return name.isascii() and len(name) <= 51 and name.replace("-", "").isalnum() and name == name.lower()


def test_hostile_names_give_portable_names_that_differ():
    names = {slug(name, f"team:{name}") for name in HOSTILE_NAMES}
    assert len(names) == len(HOSTILE_NAMES)
    assert all(map(portable, names))


@given(st.text(), st.text())
def test_any_name_is_portable_and_depends_on_its_key(name, key):
    assert portable(slug(name, key))
    assert slug(name, key) == slug(name, key)
    assert slug(name, key) != slug(name, key + "x")


def test_a_second_run_is_told_who_holds_the_lock(tmp_path):
    with Lock(tmp_path / "lock"), pytest.raises(LockedError) as caught, Lock(tmp_path / "lock"):
        pass
    assert str(caught.value) == (
        f"another run (process {os.getpid()}) is at work in this workspace. Wait until it has ended"
    )
    assert caught.value.exit_code == ExitCode.LOCKED


def test_the_lock_of_a_killed_run_is_taken_over(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from ccanalysis.reports.publish import Lock\n"
        "with Lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "lock")], stdout=subprocess.PIPE)
    process.stdout.readline()
    with pytest.raises(LockedError), Lock(tmp_path / "lock"):
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    with Lock(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_the_lock_is_given_back(tmp_path):
    for _ in range(2):
        with Lock(tmp_path / "lock"):
            pass

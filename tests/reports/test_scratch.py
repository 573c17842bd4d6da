"""What a killed run leaves in the folder for temporary files is cleared by the next."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ccanalysis.reports.scratch import clear_stale, new_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a process is asked for by signal 0")


def test_a_folder_of_a_dead_process_is_cleared_and_others_stay(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    dead = tmp_path / f"ccanalysis-{process.pid}-abc"
    dead.mkdir()
    (dead / "slice.parquet").write_text("a customer")
    own = new_folder(tmp_path)
    others = [tmp_path / name for name in ("ccanalysis-notes", f"other-{process.pid}-abc")]
    for folder in others:
        folder.mkdir()
    (tmp_path / f"ccanalysis-{process.pid}-file").write_text("mine")
    (tmp_path / f"ccanalysis-{process.pid}-link").symlink_to(own)
    assert clear_stale(tmp_path) == 1
    assert not dead.exists()
    assert own.is_dir() and all(folder.is_dir() for folder in others)
    assert (tmp_path / f"ccanalysis-{process.pid}-file").exists()
    assert (tmp_path / f"ccanalysis-{process.pid}-link").is_symlink()


def test_nobody_else_may_look_into_it(tmp_path):
    assert new_folder(tmp_path).stat().st_mode & 0o777 == 0o700

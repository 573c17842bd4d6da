"""Folders that a run works in, readable by nobody else; those of a run that was killed are cleared by the next."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path

_NAME = re.compile(r"ccanalysis-(\d+)-\w+", re.ASCII)


def new_folder(where: Path | None = None) -> Path:
    """Make a folder that bears the number of this process.

    Args:
        where: The folder to make it in; the system's one for temporary files where not given.
    """
    return Path(tempfile.mkdtemp(prefix=f"ccanalysis-{os.getpid()}-", dir=where))


def clear_stale(where: Path | None = None) -> int:
    """Remove what processes that no longer run have left; return how many folders those were.

    A folder of another user, and anything that is not a folder of this name, is left alone.
    """
    if os.name != "posix":
        return 0
    cleared = 0
    for path in Path(where or tempfile.gettempdir()).glob("ccanalysis-*"):
        known = _NAME.fullmatch(path.name)
        with contextlib.suppress(OSError):
            ours = not path.is_symlink() and path.is_dir() and path.stat().st_uid == os.getuid()
            if known and ours and not _runs(int(known[1])):
                shutil.rmtree(path, ignore_errors=True)
                cleared += 1
    return cleared


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True

"""From a folder that was built to the folder that people read: whole, or not at all.

A tree is written aside, flushed to the disk, its manifest last, and then takes the place of the one before in a single
step (Linux) or two (elsewhere; the next run completes a step that was cut short). Whatever fails before that step
leaves the last good tree as it was, byte for byte.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import json
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from ccanalysis.errors import EnvironmentFaultError, LockedError

MANIFEST = "manifest.json"
PRIVATE = "issued"  # a folder of frames that hold every figure, those of people too: read by the next run alone
_RENAME_EXCHANGE, _AT_FDCWD = 2, -100
_NEW, _OLD = ".new", ".old"


def slug(name: str, key: str) -> str:
    """Return a portable file name for anything a unit may be called.

    Args:
        name: What people call it; its Latin letters and digits are kept, at most 40 of them.
        key: What tells it from all others; two keys never share a name.

    Examples:
        >>> slug("Équipe Nord", "team:Équipe Nord")
        'equipe-nord-d82373de53'
        >>> slug("../../etc/passwd", "team:x")[:14]
        'etc-passwd-364'
    """
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:40].strip("-") or "unit"
    return f"{stem}-{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"


def _write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a new file and flush it to the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_folder(path: Path) -> None:
    """Flush the names in a folder to the disk, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places in one step; False where the system has no such step."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        return False
    raise OSError(code, os.strerror(code))


def _aside(target: Path, suffix: str) -> Path:
    return target.with_name(f".{target.name}{suffix}")


def recover(target: Path) -> None:
    """Finish or undo what an earlier run left when it was stopped while publishing to this place."""
    old, new = _aside(target, _OLD), _aside(target, _NEW)
    if old.exists() and not target.exists():
        old.rename(target)  # stopped between the two steps: the last good tree comes back
    for left in (old, new):
        if left.exists():
            shutil.rmtree(left, ignore_errors=True)


def check_target(target: Path) -> None:
    """Check, before any work, that a tree can be published to this place.

    Raises:
        EnvironmentFaultError: The place is a file, or its folder cannot be made or written.
    """
    where = target.name
    if target.exists() and not target.is_dir():
        raise EnvironmentFaultError(
            "there is a file of this name", place=where, remedy="Move it, or name another place"
        )
    probe = _aside(target, ".probe")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            probe.unlink()
        _write(probe, b"ccanalysis")
        probe.unlink()
    except OSError as error:
        raise EnvironmentFaultError(
            f"nothing can be written beside it ({error.strerror})",
            place=where,
            remedy="Check the permissions and the room on the disk",
        ) from error


def publish(built: Path, target: Path, manifest: Mapping[str, Any]) -> None:
    """Put a built tree in the place where people read it.

    Args:
        built: The folder with the pages; it is only read.
        target: The folder that people open, such as `reports/2026-W46`.
        manifest: What the manifest says; the list of files with their size and SHA-256 is added under `files`.

    Raises:
        EnvironmentFaultError: The disk is full, or something cannot be written; the last good tree is untouched.
    """
    files = {path.relative_to(built).as_posix(): path for path in sorted(built.rglob("*")) if path.is_file()}
    files.pop(MANIFEST, None)
    new = _aside(target, _NEW)
    needed = sum(path.stat().st_size for path in files.values())
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        recover(target)
        new.mkdir()
        listed = [_copy(path, new / name, name) for name, path in sorted(files.items())]
        text = json.dumps({**manifest, "files": listed}, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        for folder in sorted({(new / name).parent for name in files} | {new}, reverse=True):
            _flush_folder(folder)
        _write(new / MANIFEST, text.encode() + b"\n")
        _flush_folder(new)
        _replace(new, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            recover(target)
        raise EnvironmentFaultError(
            f"the reports ({needed:,} bytes) cannot be published ({error.strerror}); the last good ones are untouched",
            place=target.name,
            remedy="Make room on the disk or correct the permissions, and run again",
        ) from error
    with contextlib.suppress(OSError):  # published: what is left of the old tree is the next run's to clear away
        recover(target)


def _copy(source: Path, copy: Path, name: str) -> dict[str, Any]:
    content = source.read_bytes()
    copy.parent.mkdir(parents=True, exist_ok=True)
    _write(copy, content, 0o600 if PRIVATE in Path(name).parts else 0o644)
    return {"path": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _replace(new: Path, target: Path) -> None:
    """Put the new tree in place of the one before; when the disk refuses to keep that, put the old one back."""
    if not target.exists():
        new.rename(target)
        undo = [(target, new)]
    elif _exchange(new, target):
        undo = []
    else:
        old = _aside(target, _OLD)
        target.rename(old)
        new.rename(target)
        undo = [(target, new), (old, target)]
    try:
        _flush_folder(target.parent)
    except OSError:
        try:
            taken_back = _exchange(new, target) if not undo else undo[0][0].rename(undo[0][1])
        except OSError:
            taken_back = False
        if taken_back is False:
            return  # it cannot be taken back, and it is whole
        for source, place in undo[1:]:
            source.rename(place)
        raise


def verify(target: Path) -> list[str]:
    """Return what is wrong with a published tree: files that are missing, changed or not in its manifest."""
    try:
        manifest = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return [f"{MANIFEST} is missing or cannot be read"]
    wrong = []
    listed = {entry["path"]: entry for entry in manifest["files"]}
    for name, entry in sorted(listed.items()):
        path = target / name
        if not path.is_file():
            wrong.append(f"{name} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
            wrong.append(f"{name} was changed after it was published")
    there = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    return wrong + [f"{name} is not in the manifest" for name in sorted(there - set(listed) - {MANIFEST})]


class Lock:
    """A lock on a workspace, held while a run works in it.

    The system takes it back when its process ends, however that ends, so a lock is never left behind.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, Lock(Path(folder) / "lock"):
        ...     (Path(folder) / "lock").exists()
        True
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def __enter__(self) -> Lock:
        """Take the lock.

        Raises:
            LockedError: Another run holds it.
            EnvironmentFaultError: The file cannot be made or locked here.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise EnvironmentFaultError(
                f"the lock cannot be made ({error.strerror})", place=self.path.name, remedy="Check the permissions"
            ) from error
        try:
            _take(descriptor)
        except OSError as error:
            holder = self._holder(descriptor)
            os.close(descriptor)
            if error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                raise EnvironmentFaultError(
                    f"the lock cannot be taken ({error.strerror})",
                    place=self.path.name,
                    remedy="Keep the workspace on a disk that knows file locks",
                ) from error
            raise LockedError(
                f"another run{holder} is at work in this workspace", remedy="Wait until it has ended"
            ) from None
        self._descriptor = descriptor
        with contextlib.suppress(OSError):  # the lock holds, also where the disk is too full to say whose it is
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0) if hasattr(os, "pwrite") else None
        return self

    @staticmethod
    def _holder(descriptor: int) -> str:
        try:
            return f" (process {int(os.read(descriptor, 20))})"
        except (OSError, ValueError):
            return ""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):  # the system takes it back all the same
                os.close(self._descriptor)
            self._descriptor = None


def _take(descriptor: int) -> None:
    if os.name == "posix":
        import fcntl  # noqa: PLC0415

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        import msvcrt  # noqa: PLC0415

        os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # beyond the text, which others may read
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        os.lseek(descriptor, 0, os.SEEK_SET)

"""Servers that tests start for themselves, each in a folder of its own and on no network."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PLACES = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), None)


def postgres_program(name: str) -> str | None:
    """Find a program of PostgreSQL: Debian keeps them out of the search path."""
    return next((found for place in _PLACES if (found := shutil.which(name, path=place and str(place)))), None)


def postgres_missing() -> str | None:
    """Say why no PostgreSQL server can be started here; nothing where one can."""
    if postgres_program("initdb") is None or postgres_program("pg_ctl") is None:
        return "no PostgreSQL server on this machine"
    return None if importlib.util.find_spec("psycopg") else "psycopg is not installed (ccanalysis[postgres])"


def spark_missing() -> str | None:
    """Say why no Spark session can be started here; nothing where one can."""
    if importlib.util.find_spec("pyspark") is None:
        return "pyspark is not installed (ccanalysis[spark])"
    return None if shutil.which("java") else "no Java on this machine"


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """Start a PostgreSQL server that listens on a socket in a folder only, and stop it.

    Args:
        folder: Where its data and its socket go; short, for the path of a socket has at most 107 bytes.

    Yields:
        How to connect.
    """
    initdb, pg_ctl = postgres_program("initdb"), postgres_program("pg_ctl")
    assert initdb and pg_ctl, postgres_missing()
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "data"
    account: list[str] = []
    if sys.platform != "win32" and os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
        account = ["runuser", "-u", "postgres", "--"]

    def run(*command: str) -> None:
        done = subprocess.run([*account, *command], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    run(initdb, "-D", str(data), "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
    run(pg_ctl, "-D", str(data), "-w", "-s", "-o", options, "-l", str(folder / "log"), "start")
    try:
        yield f"host={folder} user=postgres dbname=postgres"
    finally:
        run(pg_ctl, "-D", str(data), "-w", "-s", "-m", "immediate", "stop")

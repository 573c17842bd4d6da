"""A PostgreSQL server of a test's own, in a folder of its own, stopped in every case."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "ccanalysis"


def postgres_programs() -> Path | None:
    """Return the folder with `initdb` and `pg_ctl`, or None where there is no server."""
    found = [Path(path).parent for name in ("initdb", "pg_ctl") if (path := shutil.which(name))]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((one for one in found if (one / "initdb").is_file() and (one / "pg_ctl").is_file()), None)


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """Run a server for the length of a block.

    The server refuses to run as root; root runs it as the account `postgres`, which needs `folder` to be reachable.

    Args:
        folder: An empty folder for its data and its log.

    Yields:
        The address, as `postgresql://user@127.0.0.1:port/postgres`.
    """
    programs = postgres_programs()
    assert programs, "no PostgreSQL server on this machine"
    as_account: list[str] = []
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        as_account = ["runuser", "-u", "postgres", "--"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    make = [
        str(programs / "initdb"),
        "-D",
        str(data),
        "-U",
        USER,
        "-A",
        "trust",
        "--no-sync",
        "-E",
        "UTF8",
        "--locale=C",
    ]
    subprocess.run([*as_account, *make], check=True, **quiet)  # type: ignore[call-overload]
    control = [*as_account, str(programs / "pg_ctl"), "-D", str(data), "-w"]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    try:
        begin = [*control, "-l", str(folder / "log"), "-o", options, "start"]
        subprocess.run(begin, check=True, **quiet)  # type: ignore[call-overload]
        yield f"postgresql://{USER}@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, **quiet)  # type: ignore[call-overload]

"""A PostgreSQL server of one's own: started in a temporary folder on a local socket, stopped at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..servers import postgres_program

PASSWORD = "wörd of/the:test@"  # every character that a connection string must escape


@dataclass
class Server:
    """A running server.

    Attributes:
        socket: The folder of its socket.
    """

    socket: Path

    def address(self, *, user: str = "reader", password: str = PASSWORD, database: str = "centre") -> str:
        """Return a connection string."""
        host = quote(str(self.socket), safe="")
        return f"postgresql://{user}:{quote(password, safe='')}@{host}/{database}"

    def run(self, *statements: str, user: str = "owner") -> list[tuple[Any, ...]]:
        """Run statements as the owner and return the last one's rows."""
        import psycopg

        with psycopg.connect(self.address(user=user), autocommit=True) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@contextmanager
def running() -> Iterator[Server]:
    """Start a server, make an owner and a reader who may not write, and stop it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="ccanalysis-pg-"))
    who: dict[str, Any] = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        account = pwd.getpwnam("postgres")
        shutil.chown(folder, account.pw_uid, account.pw_gid)
        who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    secret = folder / "secret"
    secret.write_text(PASSWORD, encoding="utf-8")
    secret.chmod(0o644)
    data, log = folder / "data", folder / "log"

    def call(name: str, *arguments: str) -> None:
        done = subprocess.run(
            [postgres_program(name) or name, "-D", str(data), *arguments],
            **who,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=folder,
            timeout=120,
        )
        assert done.returncode == 0, f"{name}: {done.stderr} {log.read_text() if log.is_file() else ''}"

    try:
        options = ("--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--username=owner")
        call("initdb", *options, f"--pwfile={secret}")
        started = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off -c timezone=Asia/Tokyo"
        call("pg_ctl", "-w", "-l", str(log), "-o", started, "start")
        try:
            server = Server(folder)
            import psycopg

            with psycopg.connect(server.address(user="owner", database="postgres"), autocommit=True) as connection:
                connection.execute(b"CREATE DATABASE centre")
            written = PASSWORD.replace("'", "''")
            server.run(f"CREATE ROLE reader LOGIN PASSWORD '{written}'")
            yield server
        finally:
            call("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)

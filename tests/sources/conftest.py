"""A workspace that a test fills with an export and a mapping."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ccanalysis.engine import connect, literal
from ccanalysis.sources import Staged, stage
from ccanalysis.workspace import Workspace

from .server import Server, running

CALLS_HEADER = "Call ID,Start,Channel,Result,Wait,Talk,Agent,Team"
CALLS_COLUMNS = """
contact_id = "Call ID"
offered_at = { column = "Start", format = "%d/%m/%Y %H:%M:%S" }
channel = { column = "Channel", codes = { Phone = "voice", Mail = "email" } }
outcome = { column = "Result", codes = { A = "answered", X = "abandoned" } }
wait_s = { column = "Wait", unit = "s" }
talk_s = { column = "Talk", unit = "hh:mm:ss" }
agent_id = "Agent"
team = "Team"
"""


def call(
    contact: str = "c1",
    start: str = "09/11/2026 08:00:00",
    channel: str = "Phone",
    result: str = "A",
    wait: str = "12",
    talk: str = "0:05:00",
    agent: str = "a1",
    team: str = "Billing",
) -> str:
    """Write one row of the small call export that most tests read."""
    return ",".join((contact, start, channel, result, wait, talk, agent, team))


@dataclass
class Desk:
    """A workspace on disk."""

    root: Path
    time_zone: str = "Europe/London"

    def __post_init__(self) -> None:
        self.sources: list[str] = []
        (self.root / "data").mkdir(exist_ok=True)

    def source(self, files: str, columns: str, *, table: str = "contacts", name: str = "", more: str = "") -> None:
        """Declare a source."""
        name = name or f"source {len(self.sources) + 1}"
        head = f'name = "{name}"\ntable = "{table}"\nfiles = "{files}"\n{more}'
        self.sources.append(f"[[sources]]\n{head}\n[sources.columns]\n{columns}\n")

    def calls(self, *rows: str, name: str = "calls.csv", **more: Any) -> Path:
        """Write rows of the call export, and declare it."""
        path = self.write(name, "\n".join([CALLS_HEADER, *rows]) + "\n")
        if not self.sources:
            self.source("data/*.csv", more.get("columns", CALLS_COLUMNS), more=more.get("more", ""))
        return path

    def write(self, name: str, content: str | bytes) -> Path:
        """Write an export."""
        path = self.root / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def open(self) -> Workspace:
        """Write the settings and open the workspace."""
        head = f'[centre]\nname = "Test"\ntime_zone = "{self.time_zone}"\n'
        (self.root / "ccanalysis.toml").write_text(head + "\n".join(self.sources), encoding="utf-8")
        return Workspace.open(self.root)

    def stage(self) -> Staged:
        """Read everything."""
        return stage(self.open())


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server, one per process of a test run."""
    with running() as started:
        yield started


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty workspace in London."""
    return Desk(tmp_path)


def rows(path: Path, *columns: str, order: str = "source_file, source_row") -> list[Any]:
    """Read columns of a staged table as texts; one column comes as a list of single values."""
    listed = ", ".join(f'"{column}"::VARCHAR' for column in columns)
    with connect(folders=[path.parent]) as connection:
        found = connection.execute(f"SELECT {listed} FROM read_parquet({literal(path)}) ORDER BY {order}").fetchall()
    return [row[0] for row in found] if len(columns) == 1 else found


def faults(staged: Staged) -> list[tuple[int, str | None, str]]:
    """List row, column and rule of everything in quarantine."""
    found = pd.read_parquet(staged.quarantine).sort_values(["source_file", "source_row", "column"])
    return [
        (int(row), None if pd.isna(column) else column, rule)
        for row, column, rule in zip(found["source_row"], found["column"], found["rule"], strict=True)
    ]


def counts(staged: Staged) -> dict[str, int]:
    """Add the intake of all files up."""
    names = ["read", "kept", "quarantined", "duplicates", "set_aside"]
    return {name: int(staged.intake[name].sum()) for name in names}

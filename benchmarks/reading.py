"""How long a CSV export takes to become a staged table, against the engine's own typed reading of the same file.

    python benchmarks/reading.py [ROWS]

Writes an invented export of so many rows (a million when not given), then measures in turn, each in a process of its
own: DuckDB's `read_csv` with types into Parquet, which checks nothing, and `ccanalysis.sources.stage`. Prints seconds,
processor seconds, peak memory and the ratio.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEADER = "call_id,customer,queue,offered,answered,ended,result,wait,talk,hold,wrap,transfers,agent,team,resolved,note"
SETTINGS = """
[centre]
name = "Benchmark"
time_zone = "Europe/London"
[[sources]]
name = "calls"
table = "contacts"
files = "calls.csv"
zone = "Europe/London"
[sources.columns]
contact_id = "call_id"
customer_id = "customer"
queue = "queue"
offered_at = { column = "offered", format = "%Y-%m-%d %H:%M:%S" }
answered_at = { column = "answered", format = "%Y-%m-%d %H:%M:%S" }
ended_at = { column = "ended", format = "%Y-%m-%d %H:%M:%S" }
channel = { value = "voice" }
outcome = { column = "result", codes = { A = "answered", X = "abandoned" } }
wait_s = { column = "wait", unit = "s" }
talk_s = { column = "talk", unit = "s" }
hold_s = { column = "hold", unit = "s" }
acw_s = { column = "wrap", unit = "s" }
transfers = "transfers"
agent_id = "agent"
team = "team"
resolved = { column = "resolved", true = "Y", false = "N" }
"""
TYPED = """
COPY (SELECT * FROM read_csv('{csv}', auto_detect = false, header = true, delim = ',', quote = '"', escape = '"',
  timestampformat = '%Y-%m-%d %H:%M:%S', columns = {{
  'call_id': 'VARCHAR', 'customer': 'VARCHAR', 'queue': 'VARCHAR', 'offered': 'TIMESTAMP', 'answered': 'TIMESTAMP',
  'ended': 'TIMESTAMP', 'result': 'VARCHAR', 'wait': 'BIGINT', 'talk': 'BIGINT', 'hold': 'BIGINT', 'wrap': 'BIGINT',
  'transfers': 'BIGINT', 'agent': 'VARCHAR', 'team': 'VARCHAR', 'resolved': 'VARCHAR', 'note': 'VARCHAR'}}))
TO '{target}' (FORMAT parquet, COMPRESSION zstd)
"""


def write(path: Path, rows: int) -> None:
    """Write the export: calls of a year in time order, every tenth abandoned, notes in quotes."""
    from datetime import datetime, timedelta

    first, step = datetime(2025, 4, 1), timedelta(days=364) / rows  # noqa: DTZ001  local times
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER + "\n")
        for n in range(rows):
            at = (first + n * step).replace(microsecond=0)
            if at.hour < 3:  # closed, so that no time falls into a clock change
                at += timedelta(hours=8)
            wait, talk = n * 7 % 240, n * 13 % 900
            answered = at + timedelta(seconds=wait)
            lost = n % 10 == 0
            file.write(
                f"C{n:09},K{n % 40_000},Q{n % 12},{at},{'' if lost else answered},{answered + timedelta(seconds=talk)},"
                f"{'X' if lost else 'A'},{wait},{talk},{n % 45},{n % 90},{n % 3},A{n % 300},Team {n % 20},"
                f'{"Y" if n % 4 else "N"},"called, asked for {n % 17}"\n'
            )


def typed(folder: Path) -> None:
    """Read with types, and write Parquet."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(TYPED.format(csv=folder / "calls.csv", target=folder / "typed.parquet")).fetchall()


def staged(folder: Path) -> None:
    """Stage the workspace."""
    from ccanalysis.sources import stage
    from ccanalysis.workspace import Workspace

    print(stage(Workspace.open(folder)).intake[["read", "kept", "quarantined", "duplicates"]].to_string(index=False))


def measure(name: str, folder: Path) -> float:
    """Run one of the two in a process of its own, and print what it took; give its processor seconds."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, __file__, name, str(folder)], check=True)
    seconds = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = after.ru_maxrss / 1024
    print(f"{name:7} {seconds:6.1f} s  {used:6.1f} s of processor  most memory so far {peak:5.0f} MiB", flush=True)
    return used


def main(rows: int) -> None:
    """Write the export and measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "calls.csv", rows)
        (folder / "ccanalysis.toml").write_text(SETTINGS, encoding="utf-8")
        print(f"{rows:,} rows, {(folder / 'calls.csv').stat().st_size >> 20} MiB, {os.cpu_count()} processors")
        plain, whole = measure("typed", folder), measure("staged", folder)
        print(f"staged / typed = {whole / plain:.1f} in processor seconds")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        {"typed": typed, "staged": staged}[sys.argv[1]](Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) == 2 else 1_000_000)

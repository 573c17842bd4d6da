"""The weekly run: seconds per stage and peak memory, import time, and a million contacts against hand-written SQL.

Run with `make bench` or `python benchmarks/weekly_run.py [CONTACTS]`. Ratios are within this one run.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = """
[centre]
name = "Benchmark"
time_zone = "Europe/London"
[[sources]]
name = "calls"
table = "contacts"
files = "data/*.csv"
[sources.columns]
contact_id = "contact_id"
offered_at = { column = "offered_at", format = "iso" }
channel = { column = "channel", codes = { voice = "voice", chat = "chat", email = "email" } }
outcome = { column = "outcome", codes = { answered = "answered", abandoned = "abandoned" } }
queue = "queue"
reason = "reason"
customer_id = "customer_id"
team = "team"
agent_id = "agent_id"
wait_s = { column = "wait_s", unit = "s" }
talk_s = { column = "talk_s", unit = "s" }
hold_s = { column = "hold_s", unit = "s" }
acw_s = { column = "acw_s", unit = "s" }
"""
COLUMNS = [
    *("contact_id", "offered_at", "channel", "outcome", "queue", "reason", "customer_id", "team", "agent_id"),
    *("wait_s", "talk_s", "hold_s", "acw_s"),
]
KPI = """
  - id: {id}
    name: {id}
    purpose: Benchmark
    measure: {measure}
    levels: [centre, team, agent]
    targets: [{{from: 2020-01-01, team: {target}, individual: {target}}}]
    frequency: week
    minimum_n: 20
    owner: Benchmark
    approval: {{state: approved, by: Benchmark}}
    action_after_review: None
"""
BY_HAND = """
SELECT date_trunc('week', offered_at)::DATE AS week, team, agent_id, count(*) AS offered,
  count(*) FILTER (WHERE outcome = 'answered') AS answered,
  count(*) FILTER (WHERE outcome = 'answered' AND wait_s <= 20) AS in_time,
  count(*) FILTER (WHERE outcome = 'abandoned') AS abandoned,
  sum(wait_s) FILTER (WHERE outcome = 'answered') AS wait,
  sum(talk_s + coalesce(hold_s, 0) + coalesce(acw_s, 0)) FILTER (WHERE outcome = 'answered') AS handling
FROM read_csv('{path}', header = true) GROUP BY GROUPING SETS ((week), (week, team), (week, agent_id))
"""


def seconds(*command: str) -> float:
    """Time a command in a new process."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begin


def import_time(runs: int = 7) -> None:
    """Importing the package, above Python's own start."""
    own = statistics.median(seconds(sys.executable, "-c", "pass") for _ in range(runs))
    ours = statistics.median(seconds(sys.executable, "-c", "import ccanalysis, ccanalysis.cli") for _ in range(runs))
    print(f"import ccanalysis: {ours - own:.3f} s above Python's own {own:.3f} s")


def sample_centre() -> None:
    """`make report` on the sample centre, with an empty cache."""
    import shutil

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "centre"
        folder.mkdir()
        for name in ("ccanalysis.toml", "kpis.yml"):
            shutil.copy(ROOT / name, folder)
        for name in ("expectations", "notebooks", "data"):
            shutil.copytree(ROOT / name, folder / name)
        for label in ("first run", "second run"):
            begin = time.perf_counter()
            command = [sys.executable, "-m", "ccanalysis.cli", "run", "--workspace", str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            print(
                f"sample centre, {label}: {time.perf_counter() - begin:.1f} s; {done.stdout.strip().splitlines()[-1]}"
            )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"sample centre, peak memory of the largest process: {peak:.0f} MiB")


def generated(n: int) -> None:
    """So many generated contacts from CSV to verdicts, against the same counts by hand in one DuckDB query."""
    import duckdb

    from ccanalysis import results, samples
    from ccanalysis.workspace import Workspace

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "data").mkdir()
        (folder / "expectations").mkdir()
        (folder / "ccanalysis.toml").write_text(SETTINGS)
        measures = {"service_level": 0.8, "abandon_rate": 0.05, "asa": 30, "aht": "[300, 600]"}
        entries = [KPI.format(id=name, measure=name, target=target) for name, target in measures.items()]
        (folder / "kpis.yml").write_text("kpis:\n" + "".join(entries))
        for suite in ("contacts",):
            (folder / "expectations" / f"{suite}.json").write_bytes(
                (ROOT / "expectations" / f"{suite}.json").read_bytes()
            )
        path = folder / "data" / "contacts.csv"
        frame = samples.contacts_frame(n, seed=1)[COLUMNS]
        frame.to_csv(path, index=False, date_format="%Y-%m-%dT%H:%M:%SZ")
        del frame
        begin = time.perf_counter()
        duckdb.connect().execute(BY_HAND.format(path=path)).fetchall()
        by_hand = time.perf_counter() - begin
        begin = time.perf_counter()
        computed = results.compute(Workspace.open(folder))
        ours = time.perf_counter() - begin
        stages = ", ".join(f"{name} {value:.1f}" for name, value in computed.facts["seconds"].items())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{n:,} contacts from CSV to {len(computed.verdicts):,} verdicts: {ours:.1f} s ({stages}), {peak:.0f} MiB"
        )
        print(f"the sums alone by hand in DuckDB, from the same CSV: {by_hand:.1f} s; ratio {ours / by_hand:.1f}")


def main() -> None:
    """Measure everything."""
    import_time()
    sample_centre()
    generated(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)


if __name__ == "__main__":
    main()

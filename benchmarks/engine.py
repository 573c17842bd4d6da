"""The component engine: 12 KPIs by team and agent and ISO week against hand-written SQL and pandas, and Monday runs.

Run with `python tasks.py bench engine` or `python benchmarks/engine.py [--small] [--hundred]`: 1 and 10 million
contacts, with `--small` 1 million, with `--hundred` 100 million as well. Each ratio is of medians within this one run;
every measurement has a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path

WEEKS, LAST = 104, "2026-W46"
GIB = 1 << 30
LOOKED_BACK = "26"  # periods that a run looks back, unless the settings say otherwise
KPIS = (
    *("service_level", "abandon_rate", "short_abandon_rate", "answer_rate", "asa", "aht"),
    *("talk_time", "acw", "hold_rate", "transfer_rate", "escalation_rate", "fcr"),
)
# One week of contacts: an agent has 25,000 in two years, a fifth of the customers come back within days.
WEEK = """
SELECT
  'c' || lpad(({first} + i)::VARCHAR, 10, '0') AS contact_id,
  to_timestamp({begin} + h % {seconds}) AS offered_at,
  to_timestamp({begin} + h % {seconds} + 300) AS ended_at,
  CASE WHEN h // 7 % 100 < 60 THEN 'voice' WHEN h // 7 % 100 < 85 THEN 'chat' ELSE 'email' END AS channel,
  CASE WHEN h // 11 % 100 < 91 THEN 'answered' ELSE 'abandoned' END AS outcome,
  'q' || h // 13 % 12 AS queue, 'r' || h // 17 % 20 AS reason,
  CASE WHEN h // 19 % 50 > 0 THEN 'k' || hash({first} + i, 'customer') % {customers} END AS customer_id,
  's' || h // 23 % {agents} % 4 AS site, 't' || h // 23 % {agents} // 12 AS team,
  CASE WHEN h // 11 % 100 < 91 THEN 'a' || h // 23 % {agents} END AS agent_id,
  'm' || h // 23 % {agents} // 12 AS line_manager,
  (CASE WHEN h // 29 % 5 < 2 THEN 0 ELSE h // 31 % 75 END)::BIGINT AS wait_s,
  CASE WHEN h // 11 % 100 < 91 THEN (60 + h // 37 % 700)::BIGINT END AS talk_s,
  CASE WHEN h // 11 % 100 < 91 AND h // 41 % 10 < 8 THEN (greatest(h // 43 % 200, 120) - 120)::BIGINT END AS hold_s,
  CASE WHEN h // 11 % 100 < 91 THEN (h // 47 % 120)::BIGINT END AS acw_s,
  CASE WHEN h // 11 % 100 < 91 THEN (h // 53 % 11 // 10)::BIGINT END AS transfers,
  CASE WHEN h // 11 % 100 < 91 THEN h // 59 % 33 = 0 END AS escalated,
  'large' AS source_file, ({first} + i + 2)::BIGINT AS source_row, '0' AS ingest
FROM (SELECT i, (hash({first} + i) >> 2)::BIGINT AS h FROM range({rows}) t(i))
"""
BY_HAND = """
SELECT date_trunc('week', local_date) AS week, team, agent_id, grouping(team) AS of_agent,
  count(*) FILTER (WHERE outcome IN ('answered', 'abandoned')) AS offered,
  count(*) FILTER (WHERE outcome = 'answered') AS answered,
  count(*) FILTER (WHERE outcome = 'answered' AND wait_s <= 20) AS in_time,
  count(*) FILTER (WHERE outcome = 'abandoned') AS abandoned,
  count(*) FILTER (WHERE outcome = 'abandoned' AND wait_s < 5) AS short,
  sum(wait_s) FILTER (WHERE outcome = 'answered') AS wait,
  sum(wait_s * wait_s) FILTER (WHERE outcome = 'answered') AS wait_squares,
  sum(talk_s + coalesce(hold_s, 0) + coalesce(acw_s, 0)) FILTER (WHERE outcome = 'answered') AS handling,
  sum((talk_s + coalesce(hold_s, 0) + coalesce(acw_s, 0)) ** 2) FILTER (WHERE outcome = 'answered') AS squares,
  sum(talk_s) FILTER (WHERE outcome = 'answered') AS talk, sum(acw_s) FILTER (WHERE outcome = 'answered') AS acw,
  sum(talk_s * talk_s) FILTER (WHERE outcome = 'answered') AS talk_squares,
  sum(acw_s * acw_s) FILTER (WHERE outcome = 'answered') AS acw_squares,
  count(*) FILTER (WHERE outcome = 'answered' AND hold_s > 0) AS held,
  count(hold_s) FILTER (WHERE outcome = 'answered') AS hold_known,
  count(*) FILTER (WHERE outcome = 'answered' AND transfers > 0) AS transferred,
  count(*) FILTER (WHERE outcome = 'answered' AND escalated) AS escalated
FROM read_parquet('{files}') GROUP BY GROUPING SETS ((week, team), (week, agent_id))
"""
REPEATS_BY_HAND = """
SELECT date_trunc('week', local_date) AS week, team, agent_id, grouping(team) AS of_agent, count(*) AS base,
  count(*) FILTER (WHERE gap IS NULL OR gap > 604800) AS resolved
FROM (SELECT local_date, team, agent_id, outcome, customer_id, epoch(lead(offered_at) OVER
    (PARTITION BY customer_id, reason ORDER BY offered_at, contact_id)) - epoch(offered_at) AS gap
  FROM read_parquet('{files}'))
WHERE outcome = 'answered' AND customer_id IS NOT NULL GROUP BY GROUPING SETS ((week, team), (week, agent_id))
"""


def generate(folder: Path, contacts: int) -> None:
    """Write so many contacts over two years as weekly partitions, and one week more aside."""
    import duckdb

    from ccanalysis import partitions
    from ccanalysis.contracts import CONTACTS
    from ccanalysis.periods import Period

    connection = duckdb.connect(config={"memory_limit": "2GB", "preserve_insertion_order": False})
    connection.execute("SET TimeZone = 'UTC'")
    rows, index = contacts // WEEKS, {}
    agents = max(40, contacts // 25_000)
    for number, week in enumerate([*Period.parse(LAST).back(WEEKS), Period.parse(LAST).shift(1)]):
        begin = (week.start - type(week.start)(1970, 1, 1)).days * 86_400
        made = WEEK.format(
            first=number * rows, begin=begin, seconds=7 * 86_400, agents=agents, customers=contacts // 3, rows=rows
        )
        columns = []
        for column in CONTACTS.columns:
            own = {"local_date": "offered_at::DATE", "local_hour": "hour(offered_at)"}.get(column.name)
            known_one = own or (column.name if f" AS {column.name}" in made else "NULL")
            columns.append(f"({known_one})::{column.sql_type} AS {column.name}")
        path = folder / f"{week.label}.parquet"
        connection.execute(
            f"COPY (SELECT {', '.join(columns)} FROM ({made}) ORDER BY offered_at::DATE, source_row) "
            f"TO '{path}' (FORMAT parquet, COMPRESSION zstd)"
        )
        told = partitions.described(connection, f"read_parquet('{path}')", CONTACTS)
        assert told is not None and list(told) == [week.label]
        index |= told
    (folder / "all.json").write_text(json.dumps(index))
    show(folder, Period.parse(LAST).label)


def show(folder: Path, last: str, *, late: str = "") -> None:
    """Let the index name the weeks up to one; a late row changes the digest of a day of a week."""
    from ccanalysis import partitions

    index = json.loads((folder / "all.json").read_text())
    index = {label: told for label, told in index.items() if label <= last}
    if late:
        day = sorted(index[late]["days"])[3]
        index[late]["days"][day] += "-late"
    partitions.write_index(folder, index)


def ours(folder: Path, *, kpis: str = "", kept: str = "", last: str = LAST, weeks: str = "") -> dict:
    """Measure with the engine, as a run does; the figures of so many weeks, or of all."""
    from ccanalysis.contracts import TABLES
    from ccanalysis.kpis.calendars import Calendar
    from ccanalysis.kpis.components import components
    from ccanalysis.kpis.measures import from_catalogue
    from ccanalysis.kpis.register import Approval, Kpi
    from ccanalysis.periods import Period

    wanted = [
        Kpi(
            **{"id": name, "name": name, "purpose": "Benchmark", "better": "up", "levels": ("team", "agent")},
            **{"measure": from_catalogue(name, {}), "frequency": "week", "minimum_n": 1, "owner": "Benchmark"},
            **{"approval": Approval(state="approved"), "action_after_review": "None"},
        )
        for name in (kpis.split(",") if kpis else KPIS)
    ]
    begin = time.perf_counter()
    found = components(
        {"contacts": folder},
        wanted,
        kind="week",
        since=Period.parse(last).shift(1 - int(weeks)) if weeks else Period.parse(LAST).shift(1 - WEEKS),
        until=Period.parse(last),
        contract=TABLES,
        calendar=Calendar(zone="UTC"),
        kept=Path(kept) if kept else None,
    ).sums
    seconds = time.perf_counter() - begin
    import pandas as pd

    digest = int(pd.util.hash_pandas_object(found, index=False).sum())
    return {"seconds": seconds, "rows": len(found), "digest": digest}


def by_hand(folder: Path, **_: str) -> dict:
    """Measure with two queries that somebody who knows DuckDB would write."""
    import duckdb

    connection = duckdb.connect(config={"memory_limit": os.environ.get("CCANALYSIS_MEMORY", "2GB")})
    files = f"{folder}/20*.parquet"
    weeks = f"(SELECT * FROM read_parquet('{files}') WHERE local_date < DATE '2026-11-16')"
    begin = time.perf_counter()
    plain = connection.execute(BY_HAND.replace("read_parquet('{files}')", weeks)).df()
    repeats = connection.execute(REPEATS_BY_HAND.replace("read_parquet('{files}')", weeks)).df()
    both = plain.merge(repeats, on=["week", "team", "agent_id", "of_agent"], how="left")
    both["fcr"] = both["resolved"] / both["base"]
    for above, below in (("in_time", "offered"), ("handling", "answered"), ("held", "hold_known")):
        both[f"{above}_ratio"] = both[above] / both[below]
    return {"seconds": time.perf_counter() - begin, "rows": len(both)}


def with_pandas(folder: Path, **_: str) -> dict:
    """Measure with pandas: the columns that are needed, texts of few values as categories."""
    import pandas as pd

    few = ["team", "agent_id", "outcome", "reason"]
    columns = [*few, "customer_id", "contact_id", "offered_at", "local_date", "wait_s", "talk_s", "hold_s", "acw_s"]
    begin = time.perf_counter()
    paths = sorted(path for path in folder.glob("20*.parquet") if path.stem <= LAST)
    listed = [pd.read_parquet(path, columns=[*columns, "transfers", "escalated"]) for path in paths]
    frame = pd.concat(listed, ignore_index=True)
    del listed
    for name in few:
        frame[name] = frame[name].astype("category")
    day = pd.to_datetime(frame["local_date"])
    frame["week"] = day - pd.to_timedelta(day.dt.dayofweek, unit="D")
    answered = frame["outcome"] == "answered"
    wait, lost = frame["wait_s"], frame["outcome"] == "abandoned"
    work = frame["talk_s"] + frame["hold_s"].fillna(0) + frame["acw_s"].fillna(0)
    frame = frame.sort_values(["customer_id", "reason", "offered_at", "contact_id"])
    same = (frame["customer_id"] == frame["customer_id"].shift(-1)) & (frame["reason"] == frame["reason"].shift(-1))
    gap = (frame["offered_at"].shift(-1) - frame["offered_at"]).where(same)
    sides = pd.DataFrame(
        {
            "offered": answered | lost,
            "answered": answered,
            "in_time": answered & (wait <= 20),
            "abandoned": lost,
            "short": lost & (wait < 5),
            "wait": wait.where(answered),
            "handling": work.where(answered),
            "talk": frame["talk_s"].where(answered),
            "acw": frame["acw_s"].where(answered),
            "held": answered & (frame["hold_s"] > 0),
            "hold_known": answered & frame["hold_s"].notna(),
            "transferred": answered & (frame["transfers"] > 0),
            "escalated": answered & (frame["escalated"] == True),  # noqa: E712  it has gaps
            "base": answered & frame["customer_id"].notna(),
            "repeated": answered & frame["customer_id"].notna() & (gap <= pd.Timedelta(days=7)),
        }
    )
    rows = 0
    for level in ("team", "agent_id"):
        sums = sides.groupby([frame["week"], frame[level]], observed=True, dropna=False).sum()
        sums["fcr"] = 1 - sums["repeated"] / sums["base"]
        rows += len(sums)
    return {"seconds": time.perf_counter() - begin, "rows": rows}


TASKS = {"ours": ours, "by_hand": by_hand, "pandas": with_pandas, "generate": None}


def _largest(folder: Path, found: list[int], ended: threading.Event) -> None:
    """Watch how much lies in the folder that engines spill to."""
    while not ended.wait(0.2):
        size = 0
        for path in folder.rglob("*"):
            try:
                size += path.stat().st_size
            except OSError:
                continue
        found[0] = max(found[0], size)


def child(task: str, folder: Path, given: dict) -> None:
    """Do one task in this process and print what it took."""
    if task == "generate":
        generate(folder, int(given["contacts"]))
        print(json.dumps({}))
        return
    done = TASKS[task](folder, **given)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(done | {"peak": peak}))


def measure(task: str, folder: Path, **given: str) -> dict:
    """Do one task in a process of its own, and watch what it spills."""
    with tempfile.TemporaryDirectory() as scratch:
        spilled, ended = [0], threading.Event()
        watch = threading.Thread(target=_largest, args=(Path(scratch), spilled, ended))
        watch.start()
        try:
            command = [sys.executable, __file__, "--child", task, str(folder), json.dumps(given)]
            done = subprocess.run(
                command, env=os.environ | {"TMPDIR": scratch}, capture_output=True, text=True, check=False
            )
        finally:
            ended.set()
            watch.join()
    if done.returncode:
        sys.exit(f"{task} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1]) | {"spill": spilled[0]}


class Report:
    """Prints bounds as they are met or not."""

    def __init__(self) -> None:
        self.over = 0

    def bound(self, text: str, *, met: bool) -> None:
        """Print one bound."""
        self.over += not met
        print(f"  {'PASS' if met else 'OVER'}  {text}", flush=True)


def told(name: str, found: dict) -> str:
    """Write what one measurement took."""
    return f"  {name}: {found['seconds']:.2f} s, peak {found['peak'] / (1 << 20):,.0f} MiB"


def size(contacts: int, report: Report, *, runs: int) -> float:
    """Measure one number of contacts."""
    hundred = contacts >= 100_000_000
    print(f"{contacts:,} contacts, {WEEKS} weeks, {max(40, contacts // 25_000):,} agents", flush=True)
    with tempfile.TemporaryDirectory(prefix="ccanalysis-bench-") as scratch:
        folder = Path(scratch) / "contacts"
        folder.mkdir()
        measure("generate", folder, contacts=str(contacts))
        kept = str(Path(scratch) / "kept")
        full = [measure("ours", folder) for _ in range(runs)]
        ours_s = statistics.median(one["seconds"] for one in full)
        print(told(f"ours, everything anew, {full[0]['rows']:,} rows", full[0] | {"seconds": ours_s}), flush=True)
        if not hundred:
            hand = [measure("by_hand", folder) for _ in range(runs)]
            hand_s = statistics.median(one["seconds"] for one in hand)
            print(told("DuckDB by hand", hand[0] | {"seconds": hand_s}), flush=True)
            slow = measure("pandas", folder)
            print(told("pandas", slow), flush=True)
            report.bound(
                f"{ours_s / hand_s:.2f} times hand-written DuckDB SQL (at most 1.2)", met=ours_s <= 1.2 * hand_s
            )
            report.bound(
                f"{slow['seconds'] / ours_s:.1f} times faster than pandas (at least 3)",
                met=slow["seconds"] >= 3 * ours_s,
            )
        first = measure("ours", folder, kept=kept)
        print(told("full run, answers kept", first), flush=True)
        monday = label_of(LAST, 1)
        show(folder, monday)
        run = measure("ours", folder, kept=kept, last=monday, weeks=LOOKED_BACK)
        print(told(f"Monday run: the new week, figures of {LOOKED_BACK} weeks as a run asks for", run), flush=True)
        anew = measure("ours", folder, last=monday, weeks=LOOKED_BACK)
        report.bound("the Monday run has the numbers of a full one", met=run["digest"] == anew["digest"])
        gain = first["seconds"] / run["seconds"]
        text = f"the Monday run is {gain:.0f} times faster than the full one"
        if hundred:
            report.bound(f"{text} (at least 30)", met=gain >= 30)
        else:
            print(f"  {text} (at least 30 is asked at 100 million)")
        show(folder, monday, late=label_of(LAST, -30))
        late = measure("ours", folder, kept=kept, last=monday)
        print(told("a late row in an old week, figures of all weeks", late), flush=True)
        anew = measure("ours", folder, last=monday)
        report.bound("it has the numbers of a full run", met=late["digest"] == anew["digest"])
        repeats = measure("ours", folder, kpis="fcr", last=monday)
        print(told("first-contact resolution alone", repeats), flush=True)
        report.bound(f"its peak is {repeats['peak'] / GIB:.2f} GiB (under 1)", met=repeats["peak"] < GIB)
        spill, peak = max(first["spill"], anew["spill"]), max(first["peak"], anew["peak"])
        report.bound(f"the full run spills {spill / GIB:.2f} GiB (at most 24)", met=spill <= 24 * GIB)
        report.bound(f"the full run peaks at {peak / GIB:.2f} GiB (at most 3)", met=peak <= 3 * GIB)
    return ours_s


def label_of(label: str, later: int = 0) -> str:
    """Return the label of a week so many weeks later."""
    from ccanalysis.periods import Period

    start = Period.parse(label).start + timedelta(weeks=later)
    return Period.containing(start, "week").label


def main() -> None:
    """Measure every size, and say how time grows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="1 million only")
    parser.add_argument("--hundred", action="store_true", help="100 million too; about 25 minutes and 6 GB of disk")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], Path(options.child[1]), json.loads(options.child[2]))
        return
    report = Report()
    sizes = [1_000_000, *([] if options.small else [10_000_000]), *([100_000_000] if options.hundred else [])]
    taken = {contacts: size(contacts, report, runs=1 if contacts > 10_000_000 else 3) for contacts in sizes}
    base = taken[sizes[0]]
    growth = ", ".join(f"{contacts:,}: {seconds / base:.1f}" for contacts, seconds in taken.items())
    print(f"growth of the full computation, 1 million = 1: {growth}")
    sys.exit(1 if report.over else 0)


if __name__ == "__main__":
    main()

"""Checking against hand-written SQL: the contacts suite on generated rows, and the same checks written in DuckDB.

Both look at the same Parquet file in the same process, in turn, and must find the same number of failing rows for each
rule. Three parts of `check` are timed beside the whole: Great Expectations deciding, the same thresholds over the
baseline, and the references to failing rows. Hand-written SQL does none of the last two; what the engine alone takes
against it, and its bounds, is in `deciding.py`.

    python benchmarks/checking.py
    python benchmarks/checking.py --rows 1000000 --repeats 5
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from datetime import time as clock
from pathlib import Path
from typing import Any

import duckdb

from ccanalysis import engine
from ccanalysis.checks import build, check, run, suites
from ccanalysis.contracts import TABLES
from ccanalysis.periods import Period
from ccanalysis.workspace import WEEKDAYS, Centre

SUITES = Path(__file__).parents[1] / "expectations"
PERIOD = Period.parse("2026")
AS_OF = datetime(2027, 1, 1, 6, tzinfo=UTC)
CENTRE = Centre(
    name="Benchmark",
    time_zone="UTC",
    opening={name: dict.fromkeys(WEEKDAYS, (clock(0), clock(23))) for name in ("voice", "chat", "email")},
)
WEEKS = "epoch_ms(1767571200000 + (i % 31000000) * 1000)"  # from 5 January 2026, a contact a second

GENERATE = f"""
COPY (
  WITH drawn AS (
    SELECT i, (hash(i) >> 2)::BIGINT AS h, (hash(i + 7) >> 2)::BIGINT AS g,
      {WEEKS} AT TIME ZONE 'UTC' AS offered_at FROM range({{rows}}) AS r(i)
  ), told AS (
    SELECT *, h % 20 <> 0 AS taken, (3 + h % 90)::BIGINT AS waited, (60 + g % 600)::BIGINT AS talked,
      (g % 30)::BIGINT AS held, ['voice', 'chat', 'email'][1 + (h // 64) % 3] AS medium, (h // 1024) % 24 AS t
    FROM drawn
  )
  SELECT 'C' || lpad(CASE WHEN i % 100003 = 100002 THEN i - 1 ELSE i END::VARCHAR, 12, '0') AS contact_id,
    offered_at,
    CASE WHEN taken THEN offered_at + to_seconds(waited) END AS answered_at,
    CASE WHEN i % 5003 = 0 THEN offered_at - INTERVAL 1 HOUR
      WHEN taken THEN offered_at + to_seconds(waited + talked + held)
      ELSE offered_at + to_seconds(waited) END AS ended_at,
    NULL::TIMESTAMPTZ AS updated_at,
    medium AS channel, 'inbound' AS direction,
    CASE WHEN i % 200003 = 0 THEN 'lost' WHEN taken THEN 'answered' ELSE 'abandoned' END AS outcome,
    'Q' || (g % 24) AS queue, CASE WHEN i % 4001 = 0 THEN NULL ELSE 'R' || (g % 40) END AS reason,
    'K' || (h % 3000000) AS customer_id, 'S' || (t % 3) AS site, 'T' || t AS team,
    CASE WHEN taken THEN 'A' || lpad(((h // 4096) % 800)::VARCHAR, 4, '0') END AS agent_id,
    NULL::VARCHAR AS line_manager,
    CASE WHEN i % 7001 = 0 THEN -1 ELSE waited END AS wait_s,
    CASE WHEN taken THEN talked END AS talk_s, CASE WHEN taken THEN held END AS hold_s,
    CASE WHEN taken THEN (5 + h % 60)::BIGINT END AS acw_s, (h % 30)::BIGINT AS menu_s, (h % 3)::BIGINT AS transfers,
    h % 50 = 0 AS escalated, h % 3 <> 0 AS resolved, h % 4 = 0 AS disclosure,
    CASE WHEN h % 4 = 0 THEN true END AS identity_validated, h % 6 = 0 AS payment, h % 6 = 0 AS recording_paused,
    offered_at::DATE AS local_date, hour(offered_at)::BIGINT AS local_hour,
    'contacts-' || (i // 100000) || '.csv' AS source_file, (i % 100000 + 2)::BIGINT AS source_row, 'hash' AS ingest
  FROM told
) TO '{{path}}' (FORMAT parquet, COMPRESSION zstd)
"""

TRIMMED = r"NOT regexp_matches({0}, '(?s)^[^\s]$|^[^\s].*[^\s]$')"
MOMENT = "({0} < TIMESTAMPTZ '1970-01-01 00:00:00+00' OR {0} > TIMESTAMPTZ '2027-01-01 06:00:00+00')"
TAKEN = "outcome = 'answered'"
OPTIONAL = (
    *("site", "queue", "reason", "direction", "customer_id", "menu_s", "transfers", "escalated", "resolved"),
    *("disclosure", "payment", "ended_at"),
)
OF_ANSWERED = ("team", "agent_id", "wait_s", "talk_s", "hold_s", "acw_s", "answered_at")
# Rule -> the condition of a row that fails it, as somebody would write it for this file.
BY_HAND: dict[str, str] = {
    "contact_id_given": "contact_id IS NULL",
    "offered_at_given": "offered_at IS NULL",
    "channel_given": "channel IS NULL",
    "outcome_given": "outcome IS NULL",
    **{f"{column}_future": MOMENT.format(column) for column in ("offered_at", "answered_at", "ended_at", "updated_at")},
    "channel_known": "channel NOT IN ('voice', 'chat', 'email', 'social', 'sms', 'video', 'post')",
    "direction_known": "direction NOT IN ('inbound', 'outbound', 'callback')",
    "outcome_known": "outcome NOT IN ('answered', 'abandoned', 'left_menu', 'callback_promised', 'flowed_out',"
    " 'voicemail', 'refused', 'void')",
    **{f"{column}_trimmed": TRIMMED.format(column) for column in ("queue", "reason", "site", "team")},
    "wait_s_range": "wait_s NOT BETWEEN 0 AND 604800",
    **{f"{column}_range": f"{column} NOT BETWEEN 0 AND 86400" for column in ("talk_s", "hold_s", "acw_s", "menu_s")},
    "transfers_range": "transfers < 0",
    "order_answered": "answered_at < offered_at",
    "order_answered_often": "answered_at < offered_at",
    "order_ended": "ended_at < answered_at",
    "order_ended_often": "ended_at < answered_at",
    "order_offered_ended": "ended_at < offered_at",
    "answered_has_time": f"{TAKEN} AND answered_at IS NULL",
    "answered_has_agent": f"{TAKEN} AND agent_id IS NULL",
    "unanswered_has_no_time": "outcome IN ('abandoned', 'left_menu') AND answered_at IS NOT NULL",
    "abandoned_has_no_talk": "outcome IN ('abandoned', 'left_menu') AND talk_s > 0",
    "wait_agrees": f"{TAKEN} AND wait_s - (epoch(answered_at) - epoch(offered_at)) NOT BETWEEN -2 AND 2",
    "handling_fits": f"{TAKEN} AND talk_s + coalesce(hold_s, 0) - (epoch(ended_at) - epoch(answered_at)) > 5",
    "talk_very_long": "channel = 'voice' AND talk_s > 14400",
    "ended_given": f"{TAKEN} AND ended_at IS NULL",
    "agent_listed": "agent_id NOT IN (SELECT agent_id FROM agents)",
    "paused_only_for_payment": "NOT payment AND recording_paused",
    "identity_validated_enough": "disclosure AND identity_validated IS NULL",
    "recording_paused_enough": "payment AND recording_paused IS NULL",
    **{f"{column}_enough": f"{column} IS NULL" for column in OPTIONAL},
    **{f"{column}_enough": f"{TAKEN} AND {column} IS NULL" for column in OF_ANSWERED},
}
MEDIANS = {
    "talk_unit": ("talk_s", "voice"),
    "talk_unit_chat": ("talk_s", "chat"),
    "wait_unit": ("wait_s", "voice"),
    "acw_unit": ("acw_s", "voice"),
}


def generate(rows: int, folder: Path) -> dict[str, Path]:
    """Write contacts with a few rows in ten thousand wrong, and a roster of 800."""
    tables = {name: folder / f"{name}-{rows}.parquet" for name in ("contacts", "agents")}
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(GENERATE.format(rows=rows, path=tables["contacts"]))
        connection.execute(
            f"COPY (SELECT 'A' || lpad(i::VARCHAR, 4, '0') AS agent_id, 'T0' AS team, DATE '2025-01-01' AS valid_from,"
            f" 'agents.csv' AS source_file, i + 2 AS source_row FROM range(800) AS r(i)) TO '{tables['agents']}'"
        )
    return tables


def by_hand(tables: dict[str, Path]) -> dict[str, int]:
    """Run the same checks as plain SQL: one scan of conditions, one of keys, one of days."""
    counted = ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in BY_HAND.values())
    middles = ", ".join(
        f"median({column}) FILTER (WHERE {TAKEN} AND channel = '{channel}')" for column, channel in MEDIANS.values()
    )
    with engine.connect(tables) as connection:
        row = connection.execute(f"SELECT {counted}, {middles} FROM contacts").fetchone()
        found = dict(zip(BY_HAND, row, strict=False))
        (found["key_unique"],) = connection.execute(
            "SELECT coalesce(sum(n), 0) FROM"
            " (SELECT count(*) AS n FROM contacts GROUP BY contact_id HAVING count(*) > 1)"
        ).fetchone()
        connection.execute("SELECT local_date, channel, site, team, count(*) FROM contacts GROUP BY ALL").fetchall()
    return {rule: int(n) for rule, n in found.items()}


def by_suite(tables: dict[str, Path], folder: Path) -> dict[str, int]:
    """Run the suite."""
    checked = check(tables, folder, period=PERIOD, centre=CENTRE, baseline=1, as_of=AS_OF)
    rules = checked.expectations[checked.expectations["table"] == "contacts"]
    rules = rules[rules["on"].isin(["rows", "all"]) & rules["n_failed"].notna()]
    return {rule.rule.removeprefix("contacts."): int(rule.n_failed) for rule in rules.itertuples()}


class Parts:
    """Times parts of a check, in processor time, without changing them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def watch(self, module: Any, name: str, part: str) -> None:
        """Add the time of every call of a function to a part."""
        function: Callable[..., Any] = getattr(module, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            begin = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[part] = self.seconds.get(part, 0.0) + time.process_time() - begin

        setattr(module, name, timed)


def measure(rows: int, repeats: int) -> None:
    """Print both times, their ratio and the peak of memory."""
    begin = time.perf_counter()
    import great_expectations  # noqa: F401  once per process, told apart

    from ccanalysis.checks import fused  # noqa: F401

    imported = time.perf_counter() - begin
    folder = Path(tempfile.mkdtemp(prefix="ccanalysis-benchmark-"))
    try:
        tables = generate(rows, folder)
        only = folder / "expectations"
        only.mkdir()
        shutil.copy(SUITES / "contacts.json", only)
        parts = Parts()
        parts.watch(run, "decide", "Great Expectations decides")
        parts.watch(run, "history", "per period and team")
        parts.watch(run, "write_failures", "references to failing rows")
        parts.watch(build, "build", "views, keys and days")
        wall: dict[str, list[float]] = {"by hand": [], "suite": []}
        cpu: dict[str, list[float]] = {"by hand": [], "suite": []}
        found: dict[str, dict[str, int]] = {}
        for _ in range(repeats):
            for name, work in (("by hand", lambda: by_hand(tables)), ("suite", lambda: by_suite(tables, only))):
                begin, busy = time.perf_counter(), time.process_time()
                found[name] = work()
                wall[name].append(time.perf_counter() - begin)
                cpu[name].append(time.process_time() - busy)
        same = {rule: n for rule, n in found["suite"].items() if rule in found["by hand"]}
        different = {rule: (n, found["by hand"][rule]) for rule, n in same.items() if n != found["by hand"][rule]}
        if different or len(same) != len(found["by hand"]):
            raise SystemExit(f"the two disagree: {different or set(found['by hand']) - set(same)}")
        hand, suite = (statistics.median(wall[name]) for name in wall)
        hand_busy, suite_busy = (statistics.median(cpu[name]) for name in cpu)
        decide = parts.seconds["Great Expectations decides"] / repeats
        n_rules = len(suites.load(only, TABLES)[0]["contacts"])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{rows:,} contacts, {n_rules} expectations, median of {repeats}; {len(same)} counts equal")
        print(f"  {'':27} {'wall':>8} {'processor':>10}")
        print(f"  {'hand-written SQL':27} {hand:6.2f} s {hand_busy:8.2f} s")
        print(
            f"  {'check':27} {suite:6.2f} s {suite_busy:8.2f} s   ratio {suite / hand:.2f},"
            f" {suite_busy / hand_busy:.2f}"
        )
        for part, seconds in parts.seconds.items():
            mark = f"   ratio {decide / hand_busy:.2f}" if part.startswith("Great") else ""
            print(f"    {part:34} {seconds / repeats:8.2f} s{mark}")
        print(f"  import, once per process: {imported:.1f} s; peak memory: {peak:.0f} MB")
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Measure each size in a process of its own, so that peaks of memory do not mix."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    if len(asked.rows) == 1:
        measure(asked.rows[0], asked.repeats)
        return
    for rows in asked.rows:
        command = [sys.executable, __file__, "--rows", str(rows), "--repeats", str(asked.repeats)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()

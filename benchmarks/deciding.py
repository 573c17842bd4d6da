"""Great Expectations on DuckDB against hand-written SQL: 29 expectations over 22 columns, both in one run.

Contacts are generated with a few rows in ten thousand wrong. In turn and in one process, hand-written SQL counts what
fails (one scan of conditions, one aggregate for each of two keys), and Great Expectations decides on the same file
through the fused engine, from opening the connection to the last verdict; both must count the same. Only the import of
Great Expectations, once per process, is told apart. Each size ends in PASS or OVER against its bound.

What a whole `ccanalysis check` takes, with history, teams and references to failing rows, is in `checking.py`.

    python benchmarks/deciding.py
    python benchmarks/deciding.py --rows 1000000 --repeats 5
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
from pathlib import Path
from typing import Any

from ccanalysis import engine
from ccanalysis.checks import run
from ccanalysis.checks.batches import Batch
from ccanalysis.checks.suites import Rule

# At most so many times the hand-written SQL, in wall time; and at most so much memory.
BOUNDS = {1_000_000: 3.0, 10_000_000: 1.25}
PEAK_BYTES = 1.5e9
TABLE = "contacts"
AGENTS = [f"A{n:04d}" for n in range(800)]
QUEUES = [f"Q{n:02d}" for n in range(24)]
CHANNELS = ["voice", "chat", "email", "social"]
OUTCOMES = ["abandoned", "resolved", "transferred", "callback"]
ID, NUMBER = "^C[0-9]{12}$", r"^\+44[0-9]{10}$"
FIRST, LAST = "2026-06-01", "2026-12-01"

GENERATE = """
COPY (
  WITH drawn AS (
    SELECT i, (hash(i) >> 2)::BIGINT AS h, (hash(i + 7) >> 2)::BIGINT AS g,
      TIMESTAMP '2026-06-01' + to_seconds((i * 15638400) // {rows}) AS offered_at FROM range({rows}) AS r(i)
  ), told AS (
    SELECT *, h % 12 <> 0 AS taken, 3 + h % 90 AS waited, 60 + g % 600 AS talked, g % 30 AS held, 5 + h % 60 AS wrapped
    FROM drawn
  )
  SELECT 'C' || lpad(CASE WHEN i % 100003 = 100002 THEN i - 1 ELSE i END::VARCHAR, 12, '0') AS contact_id,
    CASE WHEN i % 40009 = 0 THEN NULL ELSE 'K' || (h % 3000000) END AS customer_id,
    ['voice', 'chat', 'email', 'social'][1 + (h // 64) % 4] AS channel,
    'Q' || lpad((g % 24)::VARCHAR, 2, '0') AS queue, 'T' || (h // 4096) % 40 AS team,
    CASE WHEN taken OR i % 5003 = 0 THEN 'A' || lpad(((h // 4096) % 800)::VARCHAR, 4, '0') END AS agent_id,
    CASE WHEN h % 9 = 0 THEN 'outbound' ELSE 'inbound' END AS direction,
    CASE WHEN NOT taken THEN 'abandoned' ELSE ['resolved', 'transferred', 'callback'][1 + g % 3] END AS outcome,
    offered_at, CASE WHEN taken THEN offered_at + to_seconds(waited) END AS answered_at,
    CASE WHEN i % 5003 = 1 THEN offered_at - INTERVAL 1 HOUR ELSE offered_at + to_seconds(waited + talked) END
      AS ended_at,
    CASE WHEN i % 7001 = 0 THEN -1 ELSE waited END AS wait_seconds, CASE WHEN taken THEN talked END AS talk_seconds,
    CASE WHEN taken THEN held END AS hold_seconds, CASE WHEN taken THEN wrapped END AS wrap_seconds,
    CASE WHEN taken THEN talked + held + wrapped + CASE WHEN i % 6007 = 0 THEN 9 ELSE 0 END END AS handle_seconds,
    CASE WHEN h % 5 = 0 THEN CASE WHEN i % 20011 = 0 THEN 9 ELSE 1 + g % 5 END END AS csat_score,
    h % 3 AS transfer_count, CASE WHEN h % 3 <> 0 THEN '+44' || lpad((g % 10000000000)::VARCHAR, 10, '0') END
      AS caller_number,
    'S' || h % 3 AS site, ['en', 'cy', 'pl'][1 + (g // 64) % 3] AS language, h % 7 = 0 AS is_repeat
  FROM told
) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
"""
# The handling time and its parts are compared in one column, which both sides read from the same view.
VIEW = (
    f"CREATE VIEW {TABLE}__now AS SELECT *, talk_seconds + hold_seconds + wrap_seconds - handle_seconds AS handle_gap"
    f" FROM {TABLE}"
)


def listed(values: list[str]) -> str:
    """Return texts as an SQL list."""
    return ", ".join(f"'{value}'" for value in values)


# Rule -> type without `expect_`, kwargs, and how somebody would count its failures by hand.
Line = tuple[str, dict[str, Any], str]


def given(column: str, where: str = "", **more: Any) -> Line:
    """A column that has a value."""
    return "column_values_to_not_be_null", {"column": column, **more}, f"{where}{column} IS NULL"


def known(column: str, values: list[str]) -> Line:
    """A column with a closed list; a long one is looked up instead of compared value by value."""
    among = f"({listed(values)})" if len(values) < 100 else f"(SELECT unnest([{listed(values)}]))"
    return "column_values_to_be_in_set", {"column": column, "value_set": values}, f"{column} NOT IN {among}"


def between(column: str, low: Any, high: Any) -> Line:
    """A column with a range."""
    kwargs = {"column": column, "min_value": low, "max_value": high}
    sides = [f"'{side}'" if isinstance(side, str) else side for side in (low, high)]
    return "column_values_to_be_between", kwargs, f"{column} NOT BETWEEN {sides[0]} AND {sides[1]}"


def after(later: str, earlier: str) -> Line:
    """Two stamps in order."""
    kwargs = {"column_A": later, "column_B": earlier, "or_equal": True, "ignore_row_if": "either_value_is_missing"}
    return "column_pair_values_a_to_be_greater_than_b", kwargs, f"NOT {later} >= {earlier}"


def matches(column: str, regex: str) -> Line:
    """A column of one pattern."""
    kwargs = {"column": column, "regex": regex}
    return "column_values_to_match_regex", kwargs, f"NOT regexp_matches({column}, '{regex}')"


TAKEN = {"type": "comparison", "column": {"name": "outcome"}, "operator": "!=", "parameter": "abandoned"}
ROWS: dict[str, Line] = {
    "id_given": given("contact_id"),
    "id_pattern": matches("contact_id", ID),
    "customer_given": given("customer_id", mostly=0.99),
    "channel_given": given("channel"),
    "channel_known": known("channel", CHANNELS),
    "queue_known": known("queue", QUEUES),
    "team_given": given("team"),
    "agent_given": given("agent_id", "outcome <> 'abandoned' AND ", row_condition=TAKEN),
    "agent_known": known("agent_id", AGENTS),
    "direction_known": known("direction", ["inbound", "outbound"]),
    "offered_given": given("offered_at"),
    "offered_range": between("offered_at", FIRST, LAST),
    "ended_after_offered": after("ended_at", "offered_at"),
    "answered_after_offered": after("answered_at", "offered_at"),
    "wait_range": between("wait_seconds", 0, 3600),
    "talk_range": between("talk_seconds", 0, 14400),
    "hold_range": between("hold_seconds", 0, 7200),
    "wrap_range": between("wrap_seconds", 0, 3600),
    "handle_is_its_parts": between("handle_gap", 0, 0),
    "outcome_known": known("outcome", OUTCOMES),
    "csat_range": between("csat_score", 1, 5),
    "transfers_range": between("transfer_count", 0, 10),
    "caller_pattern": matches("caller_number", NUMBER),
}
KEYS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "id_unique": ("column_values_to_be_unique", {"column": "contact_id"}, ["contact_id"]),
    "customer_moment_unique": (
        "compound_columns_to_be_unique",
        {"column_list": ["customer_id", "offered_at"], "ignore_row_if": "any_value_is_missing"},
        ["customer_id", "offered_at"],
    ),
}
# Rule -> the same for rules on one value of all rows.
VALUES: dict[str, Line] = {
    "rows": ("table_row_count_to_be_between", {"min_value": 1000}, "count(*)"),
    "latest": ("column_max_to_be_between", {"column": "offered_at", "min_value": "2026-11-01"}, "max(offered_at)"),
    "earliest": ("column_min_to_be_between", {"column": "offered_at", "min_value": FIRST}, "min(offered_at)"),
    "mean_handle": (
        "column_mean_to_be_between",
        {"column": "handle_seconds", "min_value": 60, "max_value": 900},
        "avg(handle_seconds)",
    ),
}


def rules() -> list[Rule]:
    """Return the suite."""
    made = []
    for name, (kind, kwargs, _) in (ROWS | KEYS | VALUES).items():  # type: ignore[operator]
        expectation = {"type": f"expect_{kind}", "severity": "critical", "kwargs": kwargs, "meta": {"id": name}}
        made.append(
            Rule(
                id=name, table=TABLE, on="rows", expectation=expectation, dimension="validity", verdict="accuracy",
                severity="block", columns=(), kpis=(), about="", remedy="",
            )
        )  # fmt: skip
    return made


def by_hand(path: Path) -> dict[str, int]:
    """Count as somebody would who writes SQL for this file; return the failures of each row rule."""
    counted = ", ".join(f"count(*) FILTER (WHERE {condition})" for _, _, condition in ROWS.values())
    # What shares are taken of, for rules that speak of some rows only.
    among = "count(*) FILTER (WHERE outcome <> 'abandoned'), count(agent_id), count(csat_score), count(caller_number)"
    values = ", ".join(value for _, _, value in VALUES.values())
    with engine.connect({TABLE: path}) as connection:
        connection.execute(VIEW)
        row = connection.execute(f"SELECT {counted}, {among}, {values} FROM {TABLE}__now").fetchone()
        found = dict(zip(ROWS, row, strict=False))
        for name, (_, _, key) in KEYS.items():
            present = " AND ".join(f"{column} IS NOT NULL" for column in key)
            (found[name],) = connection.execute(
                f"SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n FROM {TABLE}__now WHERE {present}"
                f" GROUP BY {', '.join(key)} HAVING count(*) > 1)"
            ).fetchone()
    return {rule: int(n) for rule, n in found.items()}


def by_suite(path: Path, suite: list[Rule]) -> dict[str, run.Decision]:
    """Let Great Expectations decide."""
    with engine.connect({TABLE: path}) as connection:
        connection.execute(VIEW)
        batch = Batch(
            table=TABLE, on="rows", name=f"{TABLE}__now", history=f"{TABLE}__now", timed=True, rows=1
        )  # fmt: skip
        return run.decide(connection, {TABLE: [(batch, suite)]}, {TABLE: {}})


def failed_in(path: Path, decisions: dict[str, run.Decision], suite: list[Rule]) -> dict[str, int]:
    """Count with the predicates that Great Expectations' answers came from."""
    found = {}
    with engine.connect({TABLE: path}) as connection:
        connection.execute(VIEW)
        for rule in suite:
            predicate = decisions[rule.id].predicate
            if predicate is not None:
                (found[rule.id],) = connection.execute(
                    f"SELECT count_if({predicate.domain} AND {predicate.bad}) FROM {TABLE}__now"
                ).fetchone()
    return found


class Peak:
    """The most memory held since the last reset, where the system tells; else since the process began."""

    @staticmethod
    def reset() -> None:
        """Forget the peak so far."""
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return

    @staticmethod
    def held() -> float:
        """Return the peak in bytes."""
        try:
            lines = Path("/proc/self/status").read_text().splitlines()
            return next(float(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
        except OSError:
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def measure(rows: int, repeats: int) -> bool:
    """Print both times, their ratio, the peak of memory and whether both keep their bounds."""
    begin = time.perf_counter()
    import great_expectations  # noqa: F401  once per process, told apart

    from ccanalysis.checks import fused  # noqa: F401

    imported = time.perf_counter() - begin
    suite = rules()
    folder = Path(tempfile.mkdtemp(prefix="ccanalysis-benchmark-"))
    try:
        path = folder / f"{TABLE}.parquet"
        with engine.connect(folders=[folder]) as connection:
            connection.execute(GENERATE.format(rows=rows, path=path))
        wall: dict[str, list[float]] = {"by hand": [], "suite": []}
        busy: dict[str, list[float]] = {"by hand": [], "suite": []}
        peak = {"by hand": 0.0, "suite": 0.0}
        found: dict[str, Any] = {}
        for _ in range(repeats):
            for name, work in (("by hand", lambda: by_hand(path)), ("suite", lambda: by_suite(path, suite))):
                Peak.reset()
                clock, processor = time.perf_counter(), time.process_time()
                found[name] = work()
                wall[name].append(time.perf_counter() - clock)
                busy[name].append(time.process_time() - processor)
                peak[name] = max(peak[name], Peak.held())
        decisions: dict[str, run.Decision] = found["suite"]
        failed = failed_in(path, decisions, suite)
        assessed = [rule for rule, one in decisions.items() if one.outcome != run.NOT_ASSESSED]
        if failed != found["by hand"] or len(assessed) != len(suite):
            raise SystemExit(f"the two disagree: {set(failed.items()) ^ set(found['by hand'].items())}")
        return told(rows, repeats, imported, wall, busy, peak, len(suite))
    finally:
        shutil.rmtree(folder)


def told(
    rows: int,
    repeats: int,
    imported: float,
    wall: dict[str, list[float]],
    busy: dict[str, list[float]],
    peak: dict[str, float],
    n_rules: int,
) -> bool:
    """Print what was measured; return whether every bound is kept."""
    print(f"{rows:,} contacts, 22 columns, {n_rules} expectations, median of {repeats}; all counts equal")
    print(f"  {'':27} {'wall':>9} {'processor':>11} {'peak':>9}")
    for name, seconds in wall.items():
        print(
            f"  {name:27} {statistics.median(seconds):7.2f} s {statistics.median(busy[name]):9.2f} s"
            f" {peak[name] / 1e6:6.0f} MB"
        )
    ratio = statistics.median(wall["suite"]) / statistics.median(wall["by hand"])
    bound = BOUNDS.get(rows)
    kept = [peak["suite"] <= PEAK_BYTES]
    if bound:
        kept.append(ratio <= bound)
        print(f"  {'PASS' if kept[-1] else 'OVER'}: {ratio:.2f} times the hand-written SQL, bound {bound}")
    else:
        print(f"  {ratio:.2f} times the hand-written SQL")
    print(f"  {'PASS' if kept[0] else 'OVER'}: peak {peak['suite'] / 1e9:.2f} GB, bound {PEAK_BYTES / 1e9} GB")
    print(f"  import, once per process: {imported:.1f} s")
    return all(kept)


def main() -> int:
    """Measure each size in a process of its own; end with 1 where a bound is not kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=list(BOUNDS))
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    if len(asked.rows) == 1:
        return 0 if measure(asked.rows[0], asked.repeats) else 1
    codes = []
    for rows in asked.rows:
        command = [sys.executable, __file__, "--rows", str(rows), "--repeats", str(asked.repeats)]
        codes.append(subprocess.run(command, check=False).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())

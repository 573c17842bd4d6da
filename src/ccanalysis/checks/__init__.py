"""Check the staged tables: is the data right, and is it fit for the question asked of it?

Great Expectations decides, on suites kept as JSON; DuckDB counts. Two verdicts are kept apart throughout:
*accuracy* (is it right?) and *suitability* (is it fit for this question?). The gate turns both into one rating per
KPI, unit and period.

Examples:
    checked = check(staged.tables, workspace.suites_path, period=Period.parse("2026-W46"), centre=workspace.centre)
    ratings = gate(checked, reads)
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ccanalysis import contracts
from ccanalysis.checks import batches as _batches
from ccanalysis.checks import build as _build
from ccanalysis.checks import figures as _figures
from ccanalysis.checks import over_time as _over_time
from ccanalysis.checks import reconcile as _reconcile
from ccanalysis.checks import run as _run
from ccanalysis.checks import suites as _suites
from ccanalysis.checks import words as _words
from ccanalysis.checks.gate import gate
from ccanalysis.checks.reconcile import Issued
from ccanalysis.checks.run import ABSENT, ERROR, NOT_ASSESSED, NOTHING
from ccanalysis.contracts import Table
from ccanalysis.engine import literal, quoted
from ccanalysis.periods import Period
from ccanalysis.workspace import Centre

if TYPE_CHECKING:
    import duckdb

__all__ = ["Checked", "Issued", "check", "failing_rows", "failing_rules", "gate"]

EXPECTATION_COLUMNS = [
    "rule",
    "table",
    "on",
    "columns",
    "expectation",
    "dimension",
    "verdict",
    "severity",
    "kpis",
    "channels",
    "about",
    "remedy",
    "n",
    "n_failed",
    "share_failed",
    "outcome",
    "cause",
    "reason",
]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What the suites found.

    Attributes:
        expectations: One row per rule, for the period: rule, table, on (its batch), columns, expectation, dimension,
            verdict (accuracy, suitability), severity (block, caution, note), kpis (empty: those that read the columns),
            channels (empty: all), about, remedy, n, n_failed, share_failed, outcome (passed, failed, not assessed),
            cause (why not assessed: nothing to look at, error, absent), reason (one plain sentence).
        by_period: The same thresholds per period of the baseline, for the centre, each site and team, and for each
            channel where days, hours or totals are told apart by channel: rule, level, unit,
            period, n, n_failed, value, outcome, cause, reason (where it did not pass).
        failures: Parquet with a reference to every row of the baseline that fails a rule on accuracy: table, rule,
            source_file, source_row, period, team; no cell value.
        coverage: Whether the days of each period are there: table, level, unit, period, days_expected,
            days_present, n_rows, settled, reason.
        figures: The figures that fail a rule on what was measured: rule, kpi, level, unit, period.
        counts: What the tables have on each day, for the next run to hold its own against: table, on_date, n_rows.
        suite_hashes: SHA-256 of each suite, by table.
        tables: Table -> its columns, for the contract tables that were present.
        period: The period that was reported on.
    """

    expectations: pd.DataFrame
    by_period: pd.DataFrame
    failures: Path
    coverage: pd.DataFrame
    suite_hashes: dict[str, str]
    figures: pd.DataFrame = field(default_factory=pd.DataFrame)
    counts: pd.DataFrame = field(default_factory=pd.DataFrame)
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    period: Period | None = None
    _kept: Any = field(default=None, repr=False, compare=False)


def check(
    tables: Mapping[str, Path],
    suites: Path,
    *,
    period: Period,
    centre: Centre,
    baseline: int = 26,
    contract: Mapping[str, Table] = contracts.TABLES,
    as_of: datetime | None = None,
    figures: pd.DataFrame | None = None,
    last: Issued | None = None,
    folder: Path | None = None,
) -> Checked:
    """Check every staged table against its suite. Loads Great Expectations (seconds): call it once per run.

    Args:
        tables: Table name -> staged Parquet file.
        suites: The folder with `<table>.json`.
        period: The period reported on; Great Expectations decides on its rows.
        centre: The centre, for its opening hours, zone and holidays.
        baseline: How many periods to count failures over, with this one.
        contract: The contract tables, with the workspace's own columns.
        as_of: When the exports were taken, with a zone; what lies later is in the future. Not given: now, or the end
            of the period if that is later.
        figures: What was measured of the tables, with the columns of `ccanalysis.checks.batches.FIGURES`.
        last: What the last issued run counted; a count of an earlier day that has changed since is told.
        folder: Where to write `failures.parquet`. Not given: a temporary folder that goes with the answer.

    Raises:
        SettingsError: A suite says something that cannot be followed.
    """
    rules, hashes = _suites.load(suites, contract)
    kept = None if folder else tempfile.TemporaryDirectory(prefix="ccanalysis-checks-")
    out = Path(folder or kept.name)  # type: ignore[union-attr]
    out.mkdir(parents=True, exist_ok=True)
    ended = datetime.combine(period.end, time.min, tzinfo=centre.zone)
    scope = _batches.Scope(
        period=period,
        baseline=baseline,
        centre=centre,
        as_of=as_of or max(datetime.now(UTC), ended),
        told=as_of is not None,
        last=last or Issued(),
    )
    present = {name for name in tables if name in contract}
    connection = _build.open_tables(tables, contract, folder=out)
    try:
        made: dict[tuple[str, str], _batches.Batch] = {}
        coverage, counts = [], []
        for name in sorted(present):
            named = {column for rule in rules.get(name, ()) for column in rule.named}
            built, covered = _build.build(connection, contract[name], scope, present=present, named=named)
            made |= {(name, on): batch for on, batch in built.items()}
            coverage.append(covered)
            if name not in _batches.STANDING:
                volume = _batches.DAILY.get(name, "count(*)")
                counts.append(_reconcile.counts(connection, contract[name], scope, volume))
        if figures is not None:
            present.add(_batches.FIGURES.name)
            made[_batches.FIGURES.name, "rows"] = _figures.build(connection, figures, scope)
        parameters, unknown = _parameters(connection, scope, made)
        decisions, looked_at = _decide(connection, rules, made, parameters, unknown, present)
        histories = [_run.history(connection, batch, batch_rules, decisions, scope) for batch, batch_rules in looked_at]
        by_period = _joined(histories, _run.HISTORY)
        failed = set(by_period.loc[by_period["n_failed"].fillna(0).astype("int64") > 0, "rule"])
        counted = [
            (batch, [rule for rule in batch_rules if rule.id in failed and rule.verdict == "accuracy"])
            for batch, batch_rules in looked_at
            if batch.table != _batches.FIGURES.name
        ]
        wrong = [
            rule for batch, batch_rules in looked_at if batch.table == _batches.FIGURES.name for rule in batch_rules
        ]
        found = _figures.failing(connection, wrong, decisions, scope)
        failures = out / "failures.parquet"
        _run.write_failures(connection, counted, decisions, scope, failures)
    finally:
        connection.close()
    every = [rule for table_rules in rules.values() for rule in table_rules]
    by_period = _settle(by_period, every, decisions, scope)
    return Checked(
        expectations=_expectations(every, decisions, by_period, scope),
        by_period=by_period,
        failures=failures,
        coverage=_joined(coverage, _COVERAGE),
        figures=found,
        counts=_joined(counts, ["table", "on_date", "n_rows"]),
        suite_hashes=hashes,
        tables={
            name: tuple(column.name for column in contract[name].columns) for name in sorted(present & set(contract))
        },
        period=period,
        _kept=kept,
    )


_COVERAGE = [
    "table",
    "level",
    "unit",
    "period",
    "days_expected",
    "days_present",
    "n_rows",
    "settled",
    "reason",
]


def failing_rules(
    checked: Checked,
    table: str,
    columns: Iterable[str],
    *,
    kpi: str = "",
    severities: tuple[str, ...] = ("block", "caution"),
) -> tuple[str, ...]:
    """Return the accuracy rules that rows fail which a figure on these columns should be shown without.

    Args:
        checked: What the suites found.
        table: The table that the figure reads.
        columns: The columns of it that the figure reads.
        kpi: The KPI, for rules that name theirs.
        severities: How grave a rule must be.
    """
    rules = checked.expectations
    wanted = set(columns)
    failed = set(checked.by_period.loc[checked.by_period["n_failed"].fillna(0) > 0, "rule"])
    concerned = [
        rule.table == table
        and rule.on in ("rows", "all")
        and rule.rule in failed
        and (kpi in rule.kpis if rule.kpis else not rule.columns or bool(wanted & set(rule.columns)))
        for rule in rules.itertuples()
    ]
    chosen = rules[pd.Series(concerned, index=rules.index, dtype=bool)]
    chosen = chosen[(chosen["verdict"] == "accuracy") & chosen["severity"].isin(severities)]
    return tuple(chosen["rule"])


def failing_rows(
    connection: duckdb.DuckDBPyConnection,
    checked: Checked,
    table: str,
    columns: Iterable[str],
    *,
    kpi: str = "",
    severities: tuple[str, ...] = ("block", "caution"),
) -> duckdb.DuckDBPyRelation:
    """Return the rows that fail an accuracy rule on these columns, to compare all rows with clean rows.

    Args:
        connection: One that may read the folder of `checked.failures`.
        checked: What the suites found.
        table: The table that the figure reads.
        columns: The columns of it that the figure reads.
        kpi: The KPI, for rules that name theirs.
        severities: How grave a rule must be.

    Returns:
        Distinct source_file and source_row, to anti-join the table with.
    """
    rules = failing_rules(checked, table, columns, kpi=kpi, severities=severities)
    listed = ", ".join(literal(rule) for rule in rules) or "''"
    return connection.sql(
        f"SELECT DISTINCT source_file, source_row FROM read_parquet({literal(checked.failures)})"
        f' WHERE "table" = {literal(table)} AND rule IN ({listed})'
    )


def _joined(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Put frames under each other; empty ones would take the types of the others with them."""
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _parameters(
    connection: duckdb.DuckDBPyConnection,
    scope: _batches.Scope,
    made: Mapping[tuple[str, str], _batches.Batch],
) -> tuple[dict[str, dict[str, Any]], set[tuple[str, str]]]:
    """Compute what suites may refer to, by table; and the parameters that a table's history is too short for."""
    common = {
        "as_of": scope.as_of.astimezone(UTC),
        "as_of_date": scope.as_of.astimezone(scope.centre.zone).date().isoformat(),
        "period_start": scope.period.start.isoformat(),
        "period_end": scope.period.end.isoformat(),
    }
    parameters, unknown = {}, set()
    for name, on in made:
        if on != "rows":
            continue
        parameters[name] = dict(common)
        if (name, "period") in made:
            periods = connection.execute(f"SELECT * FROM {quoted(name + '__period')}").df()
            bounds, lacking = _over_time.bounds(periods, scope)
            parameters[name] |= bounds
            unknown |= {(name, parameter) for parameter in lacking}
    return parameters, unknown


def _decide(
    connection: duckdb.DuckDBPyConnection,
    rules: Mapping[str, tuple[_suites.Rule, ...]],
    made: Mapping[tuple[str, str], _batches.Batch],
    parameters: Mapping[str, Mapping[str, Any]],
    unknown: set[tuple[str, str]],
    present: set[str],
) -> tuple[dict[str, _run.Decision], list[tuple[_batches.Batch, list[_suites.Rule]]]]:
    """Sort out what cannot be looked at, and let Great Expectations decide on the rest."""
    decisions: dict[str, _run.Decision] = {}
    looked_at: list[tuple[_batches.Batch, list[_suites.Rule]]] = []
    for name, table_rules in rules.items():
        waiting: dict[str, list[_suites.Rule]] = {}
        for rule in table_rules:
            absent = [needed for needed in rule.needs if needed not in present]
            if name not in present:
                decisions[rule.id] = _run.Decision(NOT_ASSESSED, ABSENT, "the table is absent")
            elif absent:
                decisions[rule.id] = _run.Decision(NOT_ASSESSED, NOTHING, f"the table {absent[0]!r} is absent")
            elif any((name, parameter) in unknown for parameter in rule.parameters):
                decisions[rule.id] = _run.Decision(
                    NOT_ASSESSED, NOTHING, f"fewer than {_over_time.PERIODS} earlier periods have rows"
                )
            elif (name, rule.on) not in made:
                why = "no earlier run was issued" if rule.on == "issued" else "there is nothing to look at"
                decisions[rule.id] = _run.Decision(NOT_ASSESSED, NOTHING, why)
            elif made[name, rule.on].rows == 0:
                decisions[rule.id] = _run.Decision(NOT_ASSESSED, NOTHING, "the period has no rows")
            else:
                waiting.setdefault(rule.on, []).append(rule)
        looked_at += [(made[name, on], waited) for on, waited in waiting.items()]
    if looked_at:
        by_table: dict[str, list[tuple[_batches.Batch, list[_suites.Rule]]]] = {}
        for batch, waited in looked_at:
            by_table.setdefault(batch.table, []).append((batch, waited))
        decisions |= _run.decide(connection, by_table, parameters)
    return decisions, looked_at


def _settle(
    by_period: pd.DataFrame,
    rules: list[_suites.Rule],
    decisions: Mapping[str, _run.Decision],
    scope: _batches.Scope,
) -> pd.DataFrame:
    """Give every rule a row for the centre and the period, and every row its sentence."""
    now = scope.period.label
    decided = by_period[(by_period["level"] == "centre") & (by_period["period"] == now)]
    there = set(decided["rule"])
    added = [
        {
            "rule": rule.id,
            "level": "centre",
            "unit": "",
            "period": now,
            "n": 0,
            "n_failed": pd.NA,
            "value": float("nan"),
            "outcome": decisions[rule.id].outcome,
            "cause": decisions[rule.id].cause,
        }
        for rule in rules
        if rule.id not in there
    ]
    found = pd.concat([by_period, pd.DataFrame(added, columns=_run.HISTORY)], ignore_index=True)
    found["n"] = found["n"].astype("int64")
    found["n_failed"] = found["n_failed"].astype("Int64")
    found["value"] = found["value"].astype("float64")
    by_id = {rule.id: rule for rule in rules}
    found["reason"] = ""
    told = found["outcome"] != "passed"
    found.loc[told, "reason"] = [_reason(by_id[row.rule], decisions[row.rule], row) for row in found[told].itertuples()]
    return found.sort_values(["rule", "level", "unit", "period"], ignore_index=True)


def _reason(rule: _suites.Rule, decision: _run.Decision, row: Any) -> str:
    if row.outcome != NOT_ASSESSED:
        return _words.found(
            rule,
            n=row.n,
            n_failed=row.n_failed,
            value=row.value,
            kwargs=decision.kwargs,
            passed=row.outcome == "passed",
            level=row.level,
        )
    if decision.cause == ERROR:
        return _words.not_assessed(rule, f"it raised {decision.detail}")
    return _words.not_assessed(rule, decision.detail or f"there are no {_words.noun(rule)} that it speaks of")


def _expectations(
    rules: list[_suites.Rule],
    decisions: Mapping[str, _run.Decision],
    by_period: pd.DataFrame,
    scope: _batches.Scope,
) -> pd.DataFrame:
    now = by_period[(by_period["level"] == "centre") & (by_period["period"] == scope.period.label)]
    rows = {row.rule: row for row in now.itertuples()}
    found = []
    for rule in rules:
        row, decision = rows[rule.id], decisions[rule.id]
        found.append(
            {
                "rule": rule.id,
                "table": rule.table,
                "on": rule.on,
                "columns": rule.columns,
                "expectation": rule.type,
                "dimension": rule.dimension,
                "verdict": rule.verdict,
                "severity": rule.severity,
                "kpis": rule.kpis,
                "channels": rule.channels,
                "about": _words.title(rule),
                "remedy": rule.remedy,
                "n": row.n,
                "n_failed": row.n_failed,
                "share_failed": row.n_failed / row.n if row.n and not pd.isna(row.n_failed) else float("nan"),
                "outcome": NOT_ASSESSED if row.cause == NOTHING else decision.outcome,
                "cause": row.cause or decision.cause,
                "reason": row.reason or _reason(rule, decision, row),
            }
        )
    return pd.DataFrame(found, columns=EXPECTATION_COLUMNS)

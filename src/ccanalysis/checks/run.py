"""Run the suites: Great Expectations decides on the period, the same predicates are counted per period and unit."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ccanalysis.checks.batches import Batch, Scope
from ccanalysis.checks.suites import COUNT_MISSING, Rule
from ccanalysis.checks.tally import Tally
from ccanalysis.engine import literal, quoted
from ccanalysis.imports import skip_slow_import

if TYPE_CHECKING:
    import duckdb

    from ccanalysis.checks.fused import Predicate

NOT_ASSESSED = "not assessed"
# Why a rule was not assessed. A rule with nothing to look at says nothing; the others leave a figure unknown.
NOTHING, ERROR, ABSENT = "nothing", "error", "absent"
_AGGREGATES = {
    "expect_column_max_to_be_between": "max",
    "expect_column_mean_to_be_between": "avg",
    "expect_column_median_to_be_between": "median",
    "expect_column_min_to_be_between": "min",
}
HISTORY = ["rule", "level", "unit", "period", "n", "n_failed", "value", "outcome", "cause"]


@dataclass
class Decision:
    """What Great Expectations said about one rule in the period.

    Attributes:
        outcome: `passed`, `failed` or `not assessed`.
        cause: Why it was not assessed, else empty.
        detail: The kind of error, never a value.
        kwargs: What the expectation was given, with parameters filled in.
        predicate: What it counted, where it counts rows.
    """

    outcome: str
    cause: str = ""
    detail: str = ""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    predicate: Predicate | None = None
    domain: str = "TRUE"


def decide(
    connection: duckdb.DuckDBPyConnection,
    batches: Mapping[str, Sequence[tuple[Batch, Sequence[Rule]]]],
    parameters: Mapping[str, Mapping[str, Any]],
) -> dict[str, Decision]:
    """Validate each batch with its rules.

    Args:
        connection: With the batches' views.
        batches: Table -> batches, each with the rules that look at it; none of them empty.
        parameters: Table -> values for `{"$PARAMETER": ...}`.

    Returns:
        Rule id -> decision. A rule that raises is tried again alone on the stock engine; it never takes others along.
    """
    decisions: dict[str, Decision] = {}
    skip_slow_import()
    with _quiet():
        import great_expectations as gx  # noqa: PLC0415  4 to 6 s
        from great_expectations.data_context.types.base import ProgressBarsConfig  # noqa: PLC0415

        from ccanalysis.checks import fused  # noqa: PLC0415  imports Great Expectations
        from ccanalysis.checks.dialect import lend  # noqa: PLC0415

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        with lend(connection) as address, fused.configured_once():
            source = context.data_sources.add_ccanalysis_fused("fused", connection_string=address)
            stock = context.data_sources.add_ccanalysis_duckdb("stock", connection_string=address)
            for table, pairs in batches.items():
                for batch, rules in pairs:
                    found = _validate(gx, source, batch, rules, parameters[table])
                    for rule in rules:
                        for again in (source, stock):
                            if found.get(rule.id, Decision(NOT_ASSESSED, ERROR)).cause == ERROR:
                                found |= _validate(gx, again, batch, [rule], parameters[table])
                    decisions |= found
            for data_source in (source, stock):
                data_source.get_execution_engine().close()
    return decisions


def _validate(
    gx: Any, source: Any, batch: Batch, rules: Sequence[Rule], parameters: Mapping[str, Any]
) -> dict[str, Decision]:
    try:
        asset = next((asset for asset in source.assets if asset.name == batch.name), None)
        if asset is None:
            asset = source.add_table_asset(batch.name, table_name=batch.name)
            asset.add_batch_definition_whole_table("all")
        loaded = asset.get_batch_definition("all").get_batch()
        suite = gx.ExpectationSuite(name=batch.name, expectations=[dict(rule.expectation) for rule in rules])
        result = loaded.validate(suite, result_format="BOOLEAN_ONLY", expectation_parameters=dict(parameters))
    except Exception as error:  # one suite that cannot be built is not the end of the others
        return {rule.id: Decision(NOT_ASSESSED, ERROR, type(error).__name__) for rule in rules}
    engine = source.get_execution_engine()
    return {found.expectation_config.meta["id"]: _decision(found, engine) for found in result.results}


def _decision(found: Any, engine: Any) -> Decision:
    config = found.expectation_config
    if raised := _raised(found.exception_info):
        return Decision(NOT_ASSESSED, ERROR, raised, config.kwargs)
    decision = Decision("passed" if found.success else "failed", kwargs=config.kwargs)
    with contextlib.suppress(Exception):  # without a predicate its history is not assessed, its verdict stands
        expectation = config.to_domain_obj()
        if hasattr(engine, "predicates"):
            decision.domain = engine._domain({"row_condition": config.kwargs.get("row_condition")}) or ""
            wanted = expectation.get_validation_dependencies(
                execution_engine=engine, runtime_configuration={"result_format": "BOOLEAN_ONLY"}
            )
            name = f"{expectation.map_metric}.unexpected_count"
            metric = wanted.metric_configurations[name]
            decision.predicate = engine.predicates.get(
                (expectation.map_metric, metric.metric_domain_kwargs_id, metric.metric_value_kwargs_id)
            )
    return decision


def _raised(info: Any) -> str:
    """Return the kind of error that a result carries, or an empty text; its message may quote data and is not kept."""
    if not info:
        return ""
    entries = [info] if "raised_exception" in info else list(info.values())
    for entry in entries:
        if isinstance(entry, dict) and entry.get("raised_exception"):
            text = str(entry.get("exception_traceback", ""))
            kinds = re.findall(r"_?duckdb\.(\w+)|^(?:\w+\.)*(\w+(?:Error|Exception))\b", text, flags=re.MULTILINE)
            return next((left or right for left, right in kinds), "error")
    return ""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Great Expectations from writing to logs, opening progress bars or reporting its use."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logger = logging.getLogger("great_expectations")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def history(
    connection: duckdb.DuckDBPyConnection,
    batch: Batch,
    rules: Sequence[Rule],
    decisions: Mapping[str, Decision],
    scope: Scope,
) -> pd.DataFrame:
    """Apply each rule's own threshold to every period of the baseline and to every unit.

    One scan counts what all row rules of a batch count; one more computes the values that rules on a value look at.

    Returns:
        The columns of `HISTORY`. Rules whose predicate is not known have no rows.
    """
    counted = [rule for rule in rules if rule.on_rows and decisions[rule.id].predicate is not None]
    valued = [rule for rule in rules if not rule.on_rows and decisions[rule.id].outcome != NOT_ASSESSED]
    parts = [*_counts(connection, batch, counted, decisions), *_values(connection, batch, valued, decisions)]
    if not parts:
        return pd.DataFrame(columns=HISTORY)
    found = pd.concat(parts, ignore_index=True)
    labels = {pd.Timestamp(period.start): period.label for period in scope.periods}
    found["period"] = pd.to_datetime(found["_period"]).map(labels)
    if not batch.timed:
        found = found.drop(columns="period").merge(pd.DataFrame({"period": scope.labels}), how="cross")
    return found.dropna(subset="period")[HISTORY]


def sql_of(rule: Rule, decision: Decision, table: str) -> tuple[str, str]:
    """Return a row rule as two conditions: the rows that count, and those of them that fail."""
    predicate = decision.predicate
    assert predicate is not None
    population = predicate.domain
    if "column" in rule.kwargs and rule.type not in COUNT_MISSING:
        population += f" AND {quoted(rule.kwargs['column'])} IS NOT NULL"
    if rule.type == "expect_compound_columns_to_be_unique":
        population += "".join(f" AND {quoted(column)} IS NOT NULL" for column in rule.kwargs["column_list"])
    bad = predicate.bad
    if predicate.key:
        from ccanalysis.checks.fused import repeated  # noqa: PLC0415  the module imports Great Expectations

        bad = repeated(predicate.key, quoted(table), predicate.domain, within=('"_period"',))
    return population, f"{population} AND {bad}"


def _counts(
    connection: duckdb.DuckDBPyConnection, batch: Batch, rules: Sequence[Rule], decisions: Mapping[str, Decision]
) -> Iterator[pd.DataFrame]:
    if not rules:
        return
    tally, names = Tally(), []
    for rule in rules:
        predicate = decisions[rule.id].predicate
        assert predicate is not None
        population, bad = sql_of(rule, decisions[rule.id], batch.history)
        held = "column" in rule.kwargs and rule.type not in COUNT_MISSING
        n = tally.present(predicate.domain, quoted(rule.kwargs["column"])) if held else tally.count(population)
        names.append((n, predicate.put(tally) if not predicate.key else tally.count(population, bad)))
    try:
        scanned = connection.execute(tally.query(quoted(batch.history), by=("_period", *batch.levels.values()))).df()
    except Exception:
        if len(rules) > 1:  # leave out what cannot be computed over the baseline, and only that
            half = len(rules) // 2
            yield from _counts(connection, batch, rules[:half], decisions)
            yield from _counts(connection, batch, rules[half:], decisions)
        return
    levels = _by_level(scanned, batch)
    keys = levels[["_period", "level", "unit"]]
    found = pd.concat([keys] * len(rules), ignore_index=True)
    found["rule"] = np.repeat([rule.id for rule in rules], len(levels))
    found["n"] = levels[[n for n, _ in names]].to_numpy().T.ravel()
    found["n_failed"] = levels[[bad for _, bad in names]].to_numpy().T.ravel()
    mostly = np.repeat([float(rule.kwargs.get("mostly", 1)) for rule in rules], len(levels))
    # The same arithmetic as Great Expectations: what succeeded, as a share of what was looked at.
    share = (found["n"] - found["n_failed"]) / found["n"].where(found["n"] > 0)
    found["outcome"] = np.where(share >= mostly, "passed", "failed")
    found["cause"] = ""
    found.loc[found["n"] == 0, ["outcome", "cause"]] = [NOT_ASSESSED, NOTHING]
    found["value"] = float("nan")
    for rule in rules if batch.on == "period" else ():  # one row per period: its value says more than a count of one
        seen = connection.execute(
            f"SELECT _period, {quoted(rule.kwargs['column'])}::DOUBLE AS value FROM {quoted(batch.history)}"
        ).df()
        where = found["rule"] == rule.id
        found.loc[where, "value"] = found.loc[where, "_period"].map(seen.set_index("_period")["value"])
    yield found


def _by_level(scanned: pd.DataFrame, batch: Batch) -> pd.DataFrame:
    """Add counts up to the centre, and to each unit of each level.

    Rows of teams add up to the centre; in the small batches what concerns teams stands beside what concerns the centre.
    """
    counts = [column for column in scanned.columns if column not in ("_period", *batch.levels.values())]
    whole = scanned if batch.on in ("rows", "all") else scanned[scanned["_team"].isna()]
    parts = [whole.groupby("_period", as_index=False)[counts].sum().assign(level="centre", unit="")]
    for level, column in batch.levels.items():
        own = (scanned if level == "team" else whole).dropna(subset=column)
        if len(own):
            summed = own.groupby(["_period", column], as_index=False)[counts].sum()
            parts.append(summed.rename(columns={column: "unit"}).assign(level=level))
    return pd.concat(parts, ignore_index=True)


def _values(
    connection: duckdb.DuckDBPyConnection, batch: Batch, rules: Sequence[Rule], decisions: Mapping[str, Decision]
) -> Iterator[pd.DataFrame]:
    rules = [rule for rule in rules if decisions[rule.id].domain]
    if not rules:
        return
    selected = []
    for number, rule in enumerate(rules):
        among = f"FILTER (WHERE {decisions[rule.id].domain})"
        if rule.type in _AGGREGATES:
            column = quoted(rule.kwargs["column"])
            value, counted = f"{_AGGREGATES[rule.type]}({column}) {among}", f"count({column}) {among}"
        else:
            value = counted = f"count(*) {among}"
        selected += [f"{counted} AS n{number}", f"{value} AS v{number}"]
    levels = batch.levels
    sets = ", ".join(f"(_period, {column})" for column in levels.values())
    named = "CASE " + " ".join(f"WHEN GROUPING({column}) = 0 THEN '{level}'" for level, column in levels.items())
    named += " ELSE 'centre' END"
    try:
        scanned = connection.execute(
            f"SELECT _period, {named} AS level, coalesce({', '.join(levels.values())}, '') AS unit,"
            f" {', '.join(selected)} FROM {quoted(batch.history)} GROUP BY GROUPING SETS ((_period), {sets})"
        ).df()
    except Exception:
        if len(rules) > 1:
            half = len(rules) // 2
            yield from _values(connection, batch, rules[:half], decisions)
            yield from _values(connection, batch, rules[half:], decisions)
        return
    scanned = scanned[(scanned["level"] == "centre") | (scanned["unit"] != "")].copy()
    for number, rule in enumerate(rules):
        found = scanned[["_period", "level", "unit"]].copy()
        found["n"] = scanned[f"n{number}"].astype("int64")
        within = [_between(value, decisions[rule.id].kwargs) for value in scanned[f"v{number}"]]
        found["outcome"] = ["passed" if one else "failed" for one in within]
        found["cause"] = ""
        found.loc[found["n"] == 0, ["outcome", "cause"]] = [NOT_ASSESSED, NOTHING]
        found["value"] = pd.to_numeric(scanned[f"v{number}"], errors="coerce")
        yield found.assign(rule=rule.id, n_failed=pd.NA)


def _between(value: Any, kwargs: Mapping[str, Any]) -> bool:
    if pd.isna(value):
        return False
    low, high = (_comparable(kwargs.get(bound), value) for bound in ("min_value", "max_value"))
    above = low is None or value > low or (value == low and not kwargs.get("strict_min"))
    below = high is None or value < high or (value == high and not kwargs.get("strict_max"))
    return bool(above and below)


def _comparable(bound: Any, value: Any) -> Any:
    if isinstance(bound, str):
        moment = pd.Timestamp(bound)
        return moment if moment.tzinfo is None or getattr(value, "tzinfo", None) else moment.tz_localize(None)
    return bound


def write_failures(
    connection: duckdb.DuckDBPyConnection,
    batches: Sequence[tuple[Batch, Sequence[Rule]]],
    decisions: Mapping[str, Decision],
    scope: Scope,
    path: Path,
) -> None:
    """Write a reference to every row of the baseline that fails a row rule: one scan per table, no cell value.

    Args:
        connection: With the batches' views.
        batches: Batches with the rules that at least one row fails.
        decisions: What was decided, with the predicates.
        scope: The time that is looked at.
        path: The Parquet file to write: table, rule, source_file, source_row, period, team.
    """
    connection.execute(
        'CREATE TABLE failures__found ("table" VARCHAR, rule VARCHAR, source_file VARCHAR, source_row BIGINT,'
        " period VARCHAR, team VARCHAR)"
    )
    starts = ", ".join(f"DATE {literal(one.start.isoformat())}: {literal(one.label)}" for one in scope.periods)
    label = f"MAP {{{starts}}}[_period]"
    for batch, rules in batches:
        listed = [
            f"CASE WHEN {sql_of(rule, decisions[rule.id], batch.history)[1]} THEN {literal(rule.id)} END"
            for rule in rules
            if rule.on_rows and batch.on in ("rows", "all")
        ]
        if listed:
            connection.execute(
                f"INSERT INTO failures__found SELECT {literal(batch.table)}, rule, source_file, source_row, {label},"
                f" _team FROM (SELECT unnest([{', '.join(listed)}]) AS rule, source_file, source_row, _period, _team"
                f" FROM {quoted(batch.history)}) WHERE rule IS NOT NULL"
            )
    connection.execute(
        'COPY (SELECT * FROM failures__found ORDER BY "table", rule, source_file, source_row)'
        f" TO {literal(path)} (FORMAT parquet, COMPRESSION zstd)"
    )

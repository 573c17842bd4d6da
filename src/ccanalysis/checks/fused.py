"""Great Expectations on DuckDB in few scans: its expectation classes decide, one query answers most of their metrics.

Great Expectations asks for a count per predicate, and issues most of them as queries of their own. `FusedEngine`
collects the predicates that are about to be counted and counts them in one scan; what it does not know, and
whatever fails, is left to the engine it derives from. It keeps each predicate, so that the same one can list the
failing rows and count them per period and team.

This module imports Great Expectations (seconds): import it inside functions only.

Source:
    Measured against the stock engine and hand-written SQL by `benchmarks/checking.py`; equal to the stock engine in
    `tests/checks/test_fused.py`.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    column_condition_partial,
)
from great_expectations.expectations.row_conditions import Condition, deserialize_row_condition
from great_expectations.util import convert_to_json_serializable

from ccanalysis.checks.tally import ALL, Tally

COUNT = ".unexpected_count"
POPULATION = ".filtered_row_count"
UNIQUE = ("column_values.unique", "compound_columns.unique")
LONG_SET = 8  # an IN list is compared value by value; a longer one is joined


@dataclass(frozen=True)
class Predicate:
    """What one expectation counts, as SQL over its table.

    Attributes:
        domain: The rows that it speaks of, before missing values are left out.
        bad: Those of them that fail.
        key: The columns of a uniqueness rule, whose `bad` depends on other rows; empty for every other rule.
        missing: The column of a rule whose `bad` is that it has no value, which is counted more cheaply.
    """

    domain: str
    bad: str
    key: tuple[str, ...] = ()
    missing: str = ""

    def put(self, tally: Tally) -> str:
        """Ask for the rows that fail; return the count's name."""
        return tally.missing(self.domain, self.missing) if self.missing else tally.count(self.domain, self.bad)


@dataclass(frozen=True)
class _Ask:
    """One metric as a count, or as an aggregate of the engine's own."""

    domain: str
    predicate: Predicate | None = None
    aggregate: str = ""
    missing_of_none: bool = False

    @property
    def of_a_key(self) -> bool:
        """Whether it counts rows by what other rows hold, which takes a scan of its own."""
        return bool(self.predicate and self.predicate.key and not self.missing_of_none)

    def put(self, tally: Tally) -> tuple[str, str]:
        """Ask for it; return its name, and that of the count without which it is missing."""
        if self.aggregate:
            return tally.add(self.aggregate), ""
        name = self.predicate.put(tally) if self.predicate else tally.count(self.domain)
        return name, tally.count(self.domain) if self.missing_of_none else ""


class FusedEngine(SqlAlchemyExecutionEngine):
    """The SQL engine of Great Expectations, counting in one scan what it is asked for at one time.

    Attributes:
        predicates: (metric without its suffix, domain id, value id) -> what was counted.
        scans: How many fused scans were made.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.predicates: dict[tuple[str, Any, Any], Predicate] = {}
        self.scans = 0

    def _process_direct_and_bundled_metric_computation_configurations(
        self, metric_fn_direct_configurations: list[Any], metric_fn_bundle_configurations: list[Any]
    ) -> dict[Any, Any]:
        try:
            known = self._count(metric_fn_direct_configurations, metric_fn_bundle_configurations)
        except Exception:
            known = {}  # the stock engine answers, or reports what is wrong
        rest = super()._process_direct_and_bundled_metric_computation_configurations(
            [asked for asked in metric_fn_direct_configurations if asked.metric_configuration.id not in known],
            [asked for asked in metric_fn_bundle_configurations if asked.metric_configuration.id not in known],
        )
        return known | rest

    def _count(self, direct: list[Any], bundle: list[Any]) -> dict[Any, Any]:
        """Answer what can be answered, with one query per batch."""
        wanted: dict[Any, dict[Any, _Ask]] = defaultdict(dict)
        for metrics, ask_for in ((direct, self._direct), (bundle, self._bundled)):
            for asked in metrics:
                metric = asked.metric_configuration
                if ask := ask_for(metric, asked):
                    wanted[metric.metric_domain_kwargs.get("batch_id")][metric.id] = ask
        answers: dict[Any, Any] = {}
        for batch, selected in wanted.items():
            keyed = {metric: ask.predicate for metric, ask in selected.items() if ask.predicate and ask.of_a_key}
            for metric, predicate in keyed.items():
                self._scan_key(batch, metric, predicate, answers)
            self._scan(batch, {metric: ask for metric, ask in selected.items() if metric not in keyed}, answers)
        return answers

    def _direct(self, metric: Any, asked: Any) -> _Ask | None:
        """Ask for a metric that the stock engine would make a query of its own; keep its predicate."""
        name = metric.metric_name
        base = name.split(COUNT)[0].removesuffix(POPULATION)
        if name == "column.median":
            return self._median(metric)
        if base in UNIQUE and name.endswith((COUNT, POPULATION)):
            predicate = self._repeats(metric)
        elif name.endswith((COUNT, POPULATION, COUNT + ".aggregate_fn")):
            predicate = self._row_wise(metric, asked.metric_provider_kwargs["metrics"].get("unexpected_condition"))
        else:
            return None
        if predicate is None:
            return None
        self.predicates[_key(base, metric)] = predicate
        if name.endswith(".aggregate_fn"):  # asked for with the bundle that it is part of
            return None
        return _Ask(predicate.domain, predicate if name.endswith(COUNT) else None)

    def _bundled(self, metric: Any, asked: Any) -> _Ask | None:
        """Ask for a metric that the stock engine would bundle with others of the same row condition."""
        name = metric.metric_name
        domain = self._domain(metric.metric_domain_kwargs)
        known = self.predicates.get(_key(name.split(COUNT)[0], metric)) if name.endswith(COUNT) else None
        if known:  # of no rows it is missing, for the stock engine makes it a sum
            return _Ask(known.domain, known, missing_of_none=True)
        if name == "table.row_count" and domain:
            return _Ask(domain)
        if domain == ALL:
            with contextlib.suppress(Exception):
                return _Ask(ALL, aggregate=self._sql(asked.metric_fn))
        return None

    def _scan(self, batch: Any, selected: dict[Any, _Ask], answers: dict[Any, Any]) -> None:
        """Run the query; where it fails, halve it until only what cannot be computed is left to the stock engine."""
        if not selected:
            return
        tally = Tally()
        names = {metric: ask.put(tally) for metric, ask in selected.items()}
        try:
            query = tally.query(self._source(batch))
            row = self.execute_query(sa.text(query.replace(":", r"\:"))).mappings().fetchone()
        except Exception:
            metrics = list(selected)
            if len(metrics) > 1:
                half = len(metrics) // 2
                for part in (metrics[:half], metrics[half:]):
                    self._scan(batch, {metric: selected[metric] for metric in part}, answers)
            return
        self.scans += 1
        for metric, (name, population) in names.items():
            answers[metric] = None if population and not row[population] else convert_to_json_serializable(row[name])

    def _scan_key(self, batch: Any, metric: Any, predicate: Predicate, answers: dict[Any, Any]) -> None:
        """Count the rows whose key repeats; where that fails, the stock engine is left to do it."""
        query = count_repeated(predicate.key, self._source(batch), predicate.domain)
        with contextlib.suppress(Exception):
            row = self.execute_query(sa.text(query.replace(":", r"\:"))).fetchone()
            answers[metric] = convert_to_json_serializable(row[0])
            self.scans += 1

    def _row_wise(self, metric: Any, condition: Any) -> Predicate | None:
        if condition is None:
            return None
        clause, compute_domain, accessor = condition
        if not isinstance(clause, sa.ColumnElement) or clause._from_objects or _has_window(clause):
            return None
        domain = self._domain({**compute_domain, **accessor})
        if not domain:
            return None
        column = metric.metric_name.startswith("column_values.nonnull.") and metric.metric_domain_kwargs["column"]
        return Predicate(domain, self._sql(clause), missing=_quoted(column) if column else "")

    def _median(self, metric: Any) -> _Ask | None:
        domain = self._domain({name: value for name, value in metric.metric_domain_kwargs.items() if name != "column"})
        column = _quoted(metric.metric_domain_kwargs["column"])
        return _Ask(domain, aggregate=f"median({column}) FILTER (WHERE {domain})") if domain else None

    def _repeats(self, metric: Any) -> Predicate | None:
        """Say uniqueness as membership in the keys that occur more than once; a missing key is never a repeat."""
        kwargs = dict(metric.metric_domain_kwargs)
        columns = kwargs["column_list"] if "column_list" in kwargs else [kwargs.pop("column")]
        domain = self._domain(kwargs)
        if not domain:
            return None
        key = tuple(_quoted(column) for column in columns)
        return Predicate(domain, repeated(key, self._source(kwargs.get("batch_id")), domain), key)

    def _domain(self, kwargs: dict[str, Any]) -> str | None:
        """Return the rows of a domain as a condition, as `get_domain_records` would filter them; None: leave it."""
        parts: list[Any] = []
        condition = kwargs.get("row_condition")
        if condition is not None:
            condition = deserialize_row_condition(condition) if isinstance(condition, dict) else condition
            if not isinstance(condition, Condition):
                return None
            parts.append(self.condition_to_filter_clause(condition))
        if kwargs.get("filter_conditions"):
            return None
        columns = kwargs.get("column_list") or [kwargs[name] for name in ("column_A", "column_B") if name in kwargs]
        ignored = kwargs.get("ignore_row_if")
        present = [sa.column(column).isnot(None) for column in columns]
        if ignored in ("either_value_is_missing", "any_value_is_missing"):
            parts.append(sa.and_(*present))
        elif ignored in ("both_values_are_missing", "all_values_are_missing"):
            parts.append(sa.or_(*present))
        elif ignored not in (None, "neither", "never"):
            return None
        return " AND ".join(self._sql(part) for part in parts) or ALL

    def _source(self, batch: Any) -> str:
        selectable = self.get_domain_records({"batch_id": batch} if batch else {})
        if isinstance(selectable, sa.Table):
            return _quoted(selectable.name)
        inner = getattr(selectable, "element", selectable)
        return f"{self._sql(inner)} AS batch"

    def _sql(self, clause: Any) -> str:
        compiled = clause.compile(dialect=self.dialect, compile_kwargs={"literal_binds": True})
        return f"({compiled})"


class DuckDBDatasource(SQLDatasource):
    """Stock Great Expectations on a lent DuckDB connection."""

    type: Literal["ccanalysis_duckdb"] = "ccanalysis_duckdb"  # type: ignore[assignment]


class FusedDatasource(SQLDatasource):
    """The same with `FusedEngine`."""

    type: Literal["ccanalysis_fused"] = "ccanalysis_fused"  # type: ignore[assignment,valid-type]

    @property
    def execution_engine_type(self) -> type[SqlAlchemyExecutionEngine]:  # type: ignore[valid-type]
        """The engine that a batch of this source is validated with."""
        return FusedEngine


class _InSet(ColumnMapMetricProvider):
    """A value set in which a long list is joined instead of compared value by value."""

    condition_metric_name = "column_values.in_set"
    condition_value_keys = ("value_set",)

    @column_condition_partial(engine=FusedEngine)
    def _fused(cls, column, value_set, **kwargs):  # type: ignore[no-untyped-def]  # noqa: N805
        values = [value for value in value_set or () if value is not None]
        if value_set is None:
            return sa.true()
        if not value_set:
            return sa.false()
        if len(values) <= LONG_SET or not all(isinstance(value, str) for value in values):
            return column.in_(values)
        listed = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
        return column.in_(sa.text(f"(SELECT unnest([{listed}]))"))


class _Regex(ColumnMapMetricProvider):
    """A regular expression, which the stock engine does not know for DuckDB."""

    condition_metric_name = "column_values.match_regex"
    condition_value_keys = ("regex",)

    @column_condition_partial(engine=FusedEngine)
    def _fused(cls, column, regex, **kwargs):  # type: ignore[no-untyped-def]  # noqa: N805
        return sa.func.regexp_matches(column, regex)


@contextlib.contextmanager
def configured_once() -> Iterator[None]:
    """Let Great Expectations build an expectation's configuration once per look-up of its arguments.

    It builds it anew for each argument, a hundred times per expectation and half of its time. Within one look-up
    nothing changes it. The class is as it was when the block ends.
    """
    look_up, build = Expectation._get_runtime_kwargs, Expectation.configuration
    held: dict[int, Any] = {}

    def held_or_built(expectation: Any) -> Any:
        return held[id(expectation)] if id(expectation) in held else build.fget(expectation)  # type: ignore[attr-defined]

    def look_up_once(expectation: Any, runtime_configuration: dict[str, Any] | None = None) -> dict[str, Any]:
        held[id(expectation)] = build.fget(expectation)  # type: ignore[attr-defined]
        try:
            return look_up(expectation, runtime_configuration)
        finally:
            del held[id(expectation)]

    Expectation._get_runtime_kwargs = look_up_once  # type: ignore[method-assign]
    Expectation.configuration = property(held_or_built)  # type: ignore[assignment]
    try:
        yield
    finally:
        Expectation._get_runtime_kwargs = look_up  # type: ignore[method-assign]
        Expectation.configuration = build  # type: ignore[assignment,method-assign]


def repeated(key: Sequence[str], source: str, domain: str, *, within: Sequence[str] = ()) -> str:
    """Return the condition that a row's key occurs more than once, as SQL.

    Args:
        key: Quoted columns.
        source: Quoted table.
        domain: The rows that count.
        within: Further quoted columns that repeats must share, such as the period.
    """
    columns = ", ".join((*within, *key))
    present = " AND ".join(f"{column} IS NOT NULL" for column in key)
    return (
        f"({present} AND ({columns}) IN (SELECT ({columns}) FROM {source} WHERE {domain} AND {present}"
        f" GROUP BY {columns} HAVING count(*) > 1))"
    )


def count_repeated(key: Sequence[str], source: str, domain: str) -> str:
    """Return the query that counts rows whose key occurs more than once.

    Hashes of keys are grouped first: they are smaller than the keys, and equal for equal keys. Only the keys whose
    hash repeats are then compared themselves, so that two keys of one hash are not taken for one.

    Args:
        key: Quoted columns.
        source: Quoted table.
        domain: The rows that count.
    """
    columns = ", ".join(key)
    rows = f"{source} WHERE " + " AND ".join((domain, *(f"{column} IS NOT NULL" for column in key)))
    return (
        f"SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n FROM {rows} AND hash({columns}) IN"
        f" (SELECT hashed FROM (SELECT hash({columns}) AS hashed FROM {rows}) GROUP BY hashed HAVING count(*) > 1)"
        f" GROUP BY {columns} HAVING count(*) > 1)"
    )


def _key(base: str, metric: Any) -> tuple[str, Any, Any]:
    return base, metric.metric_domain_kwargs_id, metric.metric_value_kwargs_id


def _quoted(name: Any) -> str:
    return '"' + str(name).replace('"', '""') + '"'


def _has_window(clause: Any) -> bool:
    return any(isinstance(part, sa.sql.elements.Over) for part in sa.sql.visitors.iterate(clause))

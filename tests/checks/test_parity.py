"""One suite means the same on DuckDB, PostgreSQL and Spark, for every expectation that suites allow.

The table is small and nasty: nothing, NaN, empty texts, a line break at the end, repeats, pairs with one side missing.
Where engines differ by nature, `APART` states the difference and how suites keep off it.
"""

from __future__ import annotations

import math
import tempfile
import warnings
from pathlib import Path

import duckdb
import pytest

from ccanalysis.checks.suites import IGNORE_KEY, IGNORE_PAIR, ROW_TYPES, VALUE_TYPES

pytestmark = pytest.mark.slow

COLUMNS = {
    "id": "BIGINT",
    "a": "BIGINT",
    "b": "BIGINT",
    "x": "DOUBLE PRECISION",
    "s": "VARCHAR",
    "t": "VARCHAR",
    "k": "VARCHAR",
}
ROWS = [
    (1, 5, 3, 0.5, "one", "u", "k"),
    (2, None, 3, None, "", "u", "k"),
    (3, 4, None, 2.5, "one\n", None, "k"),
    (4, None, None, 9.0, None, None, "k"),
    (5, 7, 7, 0.5, "two", "v", "k"),
    (6, 2, 9, 1.0, "two", "v", "k"),
    (7, -1, 3, -0.0, "it's 100 %", "v", "k"),
    (8, 0, 0, 0.0, "c:d", "", "k"),
]
VOICE = {"type": "comparison", "column": {"name": "t"}, "operator": "==", "parameter": "v"}
GIVEN = {"type": "nullity", "column": {"name": "a"}, "is_null": False}
BOTH = {"type": "and", "conditions": [VOICE, GIVEN]}
EXPECTATIONS: list[tuple[str, dict]] = [
    ("column_values_to_be_between", {"column": "a", "min_value": 0, "max_value": 5}),
    ("column_values_to_be_between", {"column": "a", "min_value": 0, "strict_min": True, "mostly": 0.5}),
    ("column_values_to_be_between", {"column": "x", "min_value": 0, "row_condition": BOTH}),
    ("column_values_to_be_in_set", {"column": "s", "value_set": ["one", "two", "it's 100 %"]}),
    ("column_values_to_be_in_set", {"column": "s", "value_set": [f"v{n}" for n in range(40)] + ["c:d"]}),
    ("column_values_to_be_in_set", {"column": "a", "value_set": [1, 2, 4, 5], "row_condition": VOICE}),
    ("column_values_to_be_null", {"column": "b", "row_condition": {**GIVEN, "is_null": True}}),
    ("column_values_to_be_null", {"column": "t", "mostly": 0.2}),
    ("column_values_to_be_unique", {"column": "s"}),
    ("column_values_to_be_unique", {"column": "x"}),
    ("column_values_to_be_unique", {"column": "id"}),
    ("column_values_to_match_regex", {"column": "s", "regex": "^[a-z]"}),
    ("column_values_to_not_be_null", {"column": "a", "mostly": 0.7}),
    ("column_values_to_not_be_null", {"column": "s", "row_condition": VOICE}),
    *(
        (
            "column_pair_values_a_to_be_greater_than_b",
            {"column_A": "a", "column_B": "b", "or_equal": equal, "ignore_row_if": ignored},
        )
        for equal in (True, False)
        for ignored in IGNORE_PAIR
        if ignored == "either_value_is_missing"
    ),
    *(
        ("compound_columns_to_be_unique", {"column_list": ["s", "t"], "ignore_row_if": ignored})
        for ignored in IGNORE_KEY
        if ignored == "any_value_is_missing"
    ),
    ("column_max_to_be_between", {"column": "a", "max_value": 6}),
    ("column_mean_to_be_between", {"column": "a", "min_value": 1, "max_value": 3}),
    ("column_median_to_be_between", {"column": "a", "min_value": 2, "max_value": 4}),
    ("column_min_to_be_between", {"column": "x", "min_value": 0, "row_condition": VOICE}),
    ("table_row_count_to_be_between", {"min_value": 3, "max_value": 8}),
]
# What SQL and Spark answer differently by nature, and how suites keep off it.
APART: list[tuple[str, dict]] = [
    # Java's `$` also stands before a line break at the end: texts have a rule of their own on spaces at their ends.
    ("column_values_to_match_regex", {"column": "s", "regex": "^[a-z]+$"}),
    # Missing parts of a key are equal to each other on Spark: keys have rules that each part is given.
    ("compound_columns_to_be_unique", {"column_list": ["k", "t"], "ignore_row_if": "all_values_are_missing"}),
]
ALIKE = len(EXPECTATIONS)
EXPECTATIONS += APART
# Counts that a reader of the table can check, in the order of the expectations; None where it is a value.
BAD = [2, 2, 0, 3, 6, 2, 1, 6, 2, 4, 0, 1, 2, 0, 2, 4, 2]


def test_every_expectation_that_suites_allow_is_compared():
    """A type that is allowed and not compared could mean something else elsewhere."""
    assert {f"expect_{kind}" for kind, _ in EXPECTATIONS} == set(ROW_TYPES) | set(VALUE_TYPES)


def answers(batch, gx) -> list[dict]:
    """Validate, and keep what must not differ: success, counts and observed values."""
    suite = gx.ExpectationSuite(
        name="parity",
        expectations=[
            {"type": f"expect_{kind}", "kwargs": kwargs, "meta": {"id": n}}
            for n, (kind, kwargs) in enumerate(EXPECTATIONS)
        ],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = batch.validate(suite, result_format={"result_format": "SUMMARY", "partial_unexpected_count": 0})
    told = {}
    for one in found.results:
        info = one.exception_info or {}
        raised = info.get("raised_exception", bool(info))
        result = one.result or {}
        value = result.get("observed_value")
        told[one.expectation_config.meta["id"]] = {
            "type": one.expectation_config.type,
            "raised": bool(raised),
            "success": one.success,
            "bad": result.get("unexpected_count"),
            "n": result.get("element_count") if "unexpected_count" in result else None,
            "value": float(value) if isinstance(value, int | float) and math.isfinite(value) else value,
        }
    return [told[n] for n in range(len(EXPECTATIONS))]


@pytest.fixture(scope="module")
def context():
    """Great Expectations without progress bars."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    made = gx.get_context(mode="ephemeral")
    made.variables.progress_bars = ProgressBarsConfig(globally=False)
    return made


def fill(execute) -> None:
    """Make the table by single statements."""
    execute(f"CREATE TABLE nasty ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})")
    for row in ROWS:
        values = ", ".join(
            "NULL" if value is None else "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
            for value in row
        )
        execute(f"INSERT INTO nasty VALUES ({values})")


@pytest.fixture(scope="module")
def fused(context):
    """What the engine of the product says."""
    import great_expectations as gx

    from ccanalysis.checks import fused as _  # noqa: F401  adds the data source
    from ccanalysis.checks.dialect import lend

    with duckdb.connect() as connection, lend(connection) as address:
        fill(connection.execute)
        source = context.data_sources.add_ccanalysis_fused("parity fused", connection_string=address)
        asset = source.add_table_asset("nasty", table_name="nasty")
        return answers(asset.add_batch_definition_whole_table("all").get_batch(), gx)


def differences(found: list[dict], expected: list[dict]) -> list[tuple]:
    """Pairs of answers that are not the same, each with its expectation."""
    return [(EXPECTATIONS[n], *pair) for n, pair in enumerate(zip(found, expected, strict=True)) if pair[0] != pair[1]]


def test_the_fused_engine_counts_what_a_reader_counts(fused):
    """Nothing raises, and the counts are those of the table above."""
    assert [one["raised"] for one in fused] == [False] * len(EXPECTATIONS)
    assert [one["bad"] for one in fused][: len(BAD)] == BAD


def test_stock_great_expectations_on_duckdb_says_the_same(context, fused):
    """But for regular expressions, which it does not know there and calls an error."""
    import great_expectations as gx

    from ccanalysis.checks.dialect import lend

    with duckdb.connect() as connection, lend(connection) as address:
        fill(connection.execute)
        source = context.data_sources.add_ccanalysis_duckdb("parity stock", connection_string=address)
        asset = source.add_table_asset("nasty", table_name="nasty")
        found = answers(asset.add_batch_definition_whole_table("all").get_batch(), gx)
    apart = differences(found, fused)
    assert [(one[0][0], one[1]["raised"]) for one in apart] == [("column_values_to_match_regex", True)] * 2


@pytest.mark.postgres
def test_postgresql_says_the_same(context, fused):
    """Stock Great Expectations on a server, by psycopg 3."""
    import great_expectations as gx
    import sqlalchemy as sa
    from psycopg.conninfo import conninfo_to_dict

    from tests.servers import postgres_server

    with tempfile.TemporaryDirectory() as scratch:  # short, for the path of its socket
        Path(scratch).chmod(0o755)
        with postgres_server(Path(scratch) / "s") as served:
            address = "postgresql+psycopg://{user}@/{dbname}?host={host}".format(**conninfo_to_dict(served))
            database = sa.create_engine(address)
            with database.begin() as connection:
                fill(lambda statement: connection.exec_driver_sql(statement.replace("%", "%%")))
            database.dispose()
            source = context.data_sources.add_sql("parity postgres", connection_string=address)
            asset = source.add_table_asset("nasty", table_name="nasty")
            found = answers(asset.add_batch_definition_whole_table("all").get_batch(), gx)
            source.get_execution_engine().close()
    assert differences(found, fused) == []


@pytest.mark.spark
def test_spark_says_the_same(context, fused, tmp_path):
    """Stock Great Expectations on local Spark."""
    import great_expectations as gx
    from pyspark.sql import SparkSession

    kinds = {"BIGINT": "bigint", "DOUBLE PRECISION": "double", "VARCHAR": "string"}
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.sql.warehouse.dir", str(tmp_path))
        .config("spark.driver.memory", "1g")
        .getOrCreate()
    )
    try:
        spark.sparkContext.setLogLevel("OFF")
        schema = ", ".join(f"{name} {kinds[kind]}" for name, kind in COLUMNS.items())
        frame = spark.createDataFrame(ROWS, schema)
        asset = context.data_sources.add_spark("parity spark").add_dataframe_asset("nasty")
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
        found = answers(batch, gx)
    finally:
        spark.stop()
    assert differences(found[:ALIKE], fused[:ALIKE]) == []
    apart = [(told["bad"], ours["bad"]) for told, ours in zip(found[ALIKE:], fused[ALIKE:], strict=True)]
    assert apart == [(3, 4), (7, 5)]

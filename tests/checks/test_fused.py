"""The fused engine answers what stock Great Expectations answers, in fewer scans."""

from __future__ import annotations

import random

import duckdb
import pytest

TABLES, PER_TABLE = 30, 12
COLUMNS = {"a": "BIGINT", "b": "DOUBLE", "s": "VARCHAR", "t": "VARCHAR", "d": "DATE", "flag": "BOOLEAN"}


def random_table(connection, rng: random.Random) -> None:
    """A small table with repeats, missing values and, now and then, no row at all."""
    n = rng.choice([0, 1, 2, 7, 40])
    connection.execute("DROP TABLE IF EXISTS t")
    connection.execute(f"CREATE TABLE t ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})")
    gone = rng.choice([0, 0.2, 1])
    for _ in range(n):
        row = [
            rng.randint(-2, 9),
            rng.choice([0.5, 1.0, 2.5, 9.0]),
            rng.choice(["x", "y", "it's", ""]),
            rng.choice(["x", "y", "z:1"]),
            rng.choice(["2026-01-01", "2026-02-01"]),
            rng.random() < 0.5,
        ]
        row = [None if rng.random() < gone else value for value in row]
        connection.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", row)


def random_condition(rng: random.Random):
    def compared(name: str, operator: str, parameter):
        return {"type": "comparison", "column": {"name": name}, "operator": operator, "parameter": parameter}

    return rng.choice(
        [
            None,
            compared("s", "==", "x"),
            compared("a", ">", 2),
            compared("t", "IN", ["x", "z:1"]),
            {"type": "nullity", "column": {"name": "b"}, "is_null": False},
            {"type": "and", "conditions": [compared("a", ">=", 0), compared("s", "!=", "y")]},
        ]
    )


def random_expectation(rng: random.Random, number: int) -> dict:
    """One of every kind that suites may use, with random arguments."""
    mostly = rng.choice([1, 0.9, 0.5])
    low, high = sorted((rng.randint(-3, 9), rng.randint(-3, 9)))
    made = [
        ("column_values_to_be_between", {"column": rng.choice("ab"), "min_value": low, "max_value": high}),
        ("column_values_to_be_between", {"column": "a", "min_value": low, "strict_min": True}),
        ("column_values_to_be_between", {"column": "d", "max_value": "2026-01-15"}),
        ("column_values_to_be_in_set", {"column": "s", "value_set": rng.sample(["x", "y", "it's", "q"], 2)}),
        ("column_values_to_be_in_set", {"column": "s", "value_set": [f"v{n}" for n in range(40)] + ["x"]}),
        ("column_values_to_be_in_set", {"column": "flag", "value_set": [True]}),
        ("column_values_to_be_in_set", {"column": "a", "value_set": list(range(50))}),
        ("column_values_to_not_be_null", {"column": rng.choice(list(COLUMNS))}),
        ("column_values_to_be_null", {"column": rng.choice(list(COLUMNS))}),
        ("column_values_to_be_unique", {"column": rng.choice("abs")}),
        (
            "column_pair_values_a_to_be_greater_than_b",
            {
                "column_A": "a",
                "column_B": "b",
                "or_equal": rng.random() < 0.5,
                "ignore_row_if": rng.choice(["both_values_are_missing", "either_value_is_missing"]),
            },
        ),
        (
            "compound_columns_to_be_unique",
            {
                "column_list": ["s", "t"],
                "ignore_row_if": rng.choice(["all_values_are_missing", "any_value_is_missing"]),
            },
        ),
    ]
    values = [
        ("column_median_to_be_between", {"column": rng.choice("ab"), "min_value": low, "max_value": high}),
        ("column_mean_to_be_between", {"column": "a", "min_value": low}),
        ("column_max_to_be_between", {"column": "b", "max_value": high}),
        ("column_min_to_be_between", {"column": "a", "min_value": low}),
        ("table_row_count_to_be_between", {"min_value": rng.choice([0, 1, 10])}),
    ]
    if rng.random() < 0.7:
        kind, kwargs = rng.choice(made)
        kwargs["mostly"] = mostly
    else:
        kind, kwargs = rng.choice(values)
    condition = random_condition(rng)
    if condition:
        kwargs["row_condition"] = condition
    return {"type": f"expect_{kind}", "kwargs": kwargs, "meta": {"id": number}}


def answers(gx, source, number: int, expectations: list[dict], result_format) -> dict:
    asset = source.add_table_asset(f"t{number}-{result_format['result_format']}", table_name="t")
    batch = asset.add_batch_definition_whole_table("all").get_batch()
    suite = gx.ExpectationSuite(name="random", expectations=expectations)
    found = batch.validate(suite, result_format=result_format).results
    return {
        one.expectation_config.meta["id"]: {
            "type": one.expectation_config.type,
            "raised": bool(one.exception_info) and "raised_exception" not in one.exception_info,
            "success": one.success,
            "result": dict(one.result),
        }
        for one in found
    }


@pytest.fixture(scope="module")
def compared():
    """Random expectations on random tables, answered by both engines."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    from ccanalysis.checks import fused
    from ccanalysis.checks.dialect import lend

    rng = random.Random(20261122)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    pairs, scans = [], 0
    with duckdb.connect() as connection, lend(connection) as address:
        for number in range(TABLES):
            random_table(connection, rng)
            expectations = [random_expectation(rng, n) for n in range(PER_TABLE)]
            result_format = (
                {"result_format": "BOOLEAN_ONLY"}
                if number % 3 == 0
                else {"result_format": "SUMMARY", "partial_unexpected_count": 0}
            )
            stock = context.data_sources.add_ccanalysis_duckdb(f"stock{number}", connection_string=address)
            fast = context.data_sources.add_ccanalysis_fused(f"fused{number}", connection_string=address)
            expected = answers(gx, stock, number, expectations, result_format)
            with fused.configured_once():
                found = answers(gx, fast, number, expectations, result_format)
            scans += fast.get_execution_engine().scans
            pairs += [(expected[key], found[key], expectations[key]) for key in expected]
    return pairs, scans


@pytest.mark.slow
def test_every_answer_equals_that_of_the_stock_engine(compared):
    """Great Expectations decides: the engine changes who counts, never what is said."""
    pairs, _ = compared
    assert len(pairs) == TABLES * PER_TABLE
    different = [pair for pair in pairs if pair[0] != pair[1]]
    assert different == []


@pytest.mark.slow
def test_random_answers_are_of_both_kinds(compared):
    """The comparison is worth something only where rules pass and fail."""
    pairs, scans = compared
    outcomes = [expected["success"] for expected, _, _ in pairs]
    assert 50 < sum(outcomes) < len(outcomes) - 50
    assert 0 < scans < len(outcomes)


@pytest.fixture(scope="module")
def engine():
    """A fused engine on a table of five rows."""
    import great_expectations as gx

    from ccanalysis.checks import fused  # noqa: F401
    from ccanalysis.checks.dialect import lend

    context = gx.get_context(mode="ephemeral")
    with duckdb.connect() as connection, lend(connection) as address:
        connection.execute(
            "CREATE TABLE t AS SELECT unnest(['C1', 'C2', 'x', 'C1' || chr(10), NULL]) AS code,"
            " unnest([1, 2, 3, 4, 5]) AS n"
        )
        source = context.data_sources.add_ccanalysis_fused("fused", connection_string=address)
        asset = source.add_table_asset("t", table_name="t")
        yield asset.add_batch_definition_whole_table("all").get_batch(), source.get_execution_engine()


def test_a_regular_expression_counts_what_does_not_match_it(engine):
    """The stock engine knows no regular expressions on DuckDB; a line break at the end is no match."""
    from great_expectations.expectations import ExpectColumnValuesToMatchRegex

    batch, _ = engine
    found = batch.validate(
        ExpectColumnValuesToMatchRegex(column="code", regex="^C[0-9]$"),
        result_format={"result_format": "SUMMARY", "partial_unexpected_count": 0},
    )
    assert (found.success, found.result["unexpected_count"], found.result["missing_count"]) == (False, 2, 1)


def test_an_error_in_the_fused_query_leaves_the_answer_to_the_stock_engine(engine, monkeypatch):
    """Any exception falls back; nothing is lost but speed."""
    from great_expectations.expectations import ExpectColumnValuesToBeBetween

    batch, executor = engine

    def broken(*args):
        raise RuntimeError

    monkeypatch.setattr(type(executor), "_count", broken)
    found = batch.validate(ExpectColumnValuesToBeBetween(column="n", max_value=4))
    assert (found.success, found.result["unexpected_count"]) == (False, 1)


@pytest.mark.parametrize(
    ("values", "repeated"),
    [
        pytest.param("('a'), ('b'), (NULL), (NULL)", 0, id="missing_keys_repeat_nothing"),
        pytest.param("('a'), ('a'), ('b'), ('b'), ('b'), ('c')", 5, id="every_row_of_a_repeated_key_counts"),
        pytest.param("(0.0::DOUBLE), (-0.0::DOUBLE), (1.0::DOUBLE)", 2, id="the_two_zeros_are_one"),
        pytest.param("('nan'::DOUBLE), ('nan'::DOUBLE)", 2, id="not_a_number_repeats_itself"),
        pytest.param("('a'), ('A'), ('a ')", 0, id="texts_are_compared_as_they_stand"),
    ],
)
def test_rows_of_a_repeated_key_are_counted_by_its_value(values, repeated):
    """Hashes only narrow down which keys to compare."""
    from ccanalysis.checks.fused import count_repeated

    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t AS SELECT * FROM (VALUES {values}) AS v(k)")
        assert connection.execute(count_repeated(['"k"'], "t", "TRUE")).fetchone() == (repeated,)
        collided = count_repeated(['"k"'], "t", "TRUE").replace('hash("k")', "1")
        assert connection.execute(collided).fetchone() == (repeated,)


def test_the_patched_class_is_as_it_was_afterwards():
    """The shortcut is lent for the length of a run."""
    from great_expectations.expectations.expectation import Expectation

    from ccanalysis.checks.fused import configured_once

    before = Expectation.configuration, Expectation._get_runtime_kwargs
    with configured_once():
        assert Expectation.configuration is not before[0]
    assert (Expectation.configuration, Expectation._get_runtime_kwargs) == before


def test_a_lent_connection_is_not_closed_and_cannot_be_opened_later():
    """The owner closes it; its address is worth nothing afterwards."""
    import sqlalchemy as sa

    from ccanalysis.checks.dialect import lend

    with duckdb.connect() as connection:
        with lend(connection) as address:
            database = sa.create_engine(address)
            with database.connect() as lent:
                assert lent.execute(sa.text("SELECT 40 + 2")).scalar() == 42
            database.dispose()
        assert connection.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(sa.exc.OperationalError, match="no longer lent"):
            sa.create_engine(address).connect()


def test_columns_are_reflected_with_their_types():
    """Great Expectations asks for types before it compares."""
    import sqlalchemy as sa

    from ccanalysis.checks.dialect import lend

    with duckdb.connect() as connection, lend(connection) as address:
        connection.execute(
            "CREATE VIEW v AS SELECT 1::BIGINT a, 'x' b, DATE '2026-01-01' c, now() d, true e, 0.5::DOUBLE f"
        )
        columns = sa.inspect(sa.create_engine(address)).get_columns("v")
    assert [(column["name"], type(column["type"]).__name__) for column in columns] == [
        ("a", "BigInteger"),
        ("b", "String"),
        ("c", "Date"),
        ("d", "TIMESTAMP"),
        ("e", "Boolean"),
        ("f", "Double"),
    ]

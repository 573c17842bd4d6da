"""Many conditions counted in one scan, each as if it were counted alone."""

from __future__ import annotations

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from ccanalysis.checks.tally import ALL, Tally

NUMBERS = st.lists(st.one_of(st.none(), st.integers(-3, 3)), max_size=12)


@settings(deadline=None, max_examples=50)
@given(NUMBERS)
def test_every_count_is_what_python_counts(values):
    """Missing values meet no condition, and a table without rows has zero of everything."""
    tally = Tally()
    names = [
        tally.count(ALL),
        tally.count(ALL, "x > 0"),
        tally.count("x < 2"),
        tally.count("x < 2", "x > 0"),
        tally.missing(ALL, "x"),
        tally.missing("x < 2 OR x IS NULL", "x"),
        tally.present(ALL, "x"),
        tally.present("x < 2", "x"),
    ]
    told = [value for value in values if value is not None]
    low = [value for value in told if value < 2]
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (x BIGINT)")
        connection.executemany("INSERT INTO t VALUES (?)", [[value] for value in values]) if values else None
        row = connection.execute(tally.query("t")).df().iloc[0]
    none = len(values) - len(told)
    positive = sum(value > 0 for value in low)
    assert [int(row[name]) for name in names] == [
        len(values),
        sum(value > 0 for value in told),
        len(low),
        positive,
        none,
        none,
        len(told),
        len(low),
    ]


def test_what_is_asked_for_twice_is_counted_once():
    """Rules share their rows."""
    tally = Tally()
    assert tally.count("x > 1", "y > 1") == tally.count("x > 1", "y > 1")
    tally.count("x > 1", "y > 2")
    assert tally.query("t", by=("g",)) == (
        "SELECT g, coalesce(count_if(_domain0 AND (y > 1)), 0) AS _count0,"
        " coalesce(count_if(_domain0 AND (y > 2)), 0) AS _count1"
        " FROM (SELECT *, (x > 1) AS _domain0 FROM t) GROUP BY g"
    )

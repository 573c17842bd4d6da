"""Making the batches of each table: the views over its rows, and the small tables beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ccanalysis import engine
from ccanalysis.checks import small
from ccanalysis.checks.batches import (
    HELPERS,
    SAME_KEY,
    STANDING,
    TOLD,
    TOLD_BY,
    Batch,
    On,
    Scope,
    columns_of,
    period_start,
)
from ccanalysis.contracts import SQL_TYPES, Table
from ccanalysis.engine import literal, quoted

if TYPE_CHECKING:
    import duckdb


def open_tables(
    tables: Mapping[str, Path], contract: Mapping[str, Table], *, folder: Path
) -> duckdb.DuckDBPyConnection:
    """Open the staged files, each as `<table>__source` with every column of its contract.

    A column that a file does not have is there without values, so that rules find it and say so.
    """
    connection = engine.connect(
        {f"{name}__file": path for name, path in tables.items() if name in contract}, folders=[folder]
    )
    for name in tables:
        if name not in contract:
            continue
        found = {row[0] for row in connection.execute(f"DESCRIBE {quoted(name + '__file')}").fetchall()}
        columns = ", ".join(
            quoted(column.name)
            if column.name in found
            else f"CAST(NULL AS {SQL_TYPES[column.type]}) AS {quoted(column.name)}"
            for column in contract[name].columns
        )
        connection.execute(
            f"CREATE VIEW {quoted(name + '__source')} AS SELECT {columns} FROM {quoted(name + '__file')}"
        )
    return connection


def build(
    connection: duckdb.DuckDBPyConnection, table: Table, scope: Scope, *, present: set[str], named: set[str]
) -> tuple[dict[str, Batch], pd.DataFrame]:
    """Make the batches of one table and judge which of its days are there.

    Args:
        connection: With `<name>__source` for every table that is present.
        table: The table.
        scope: The time that is looked at.
        present: The tables that are present.
        named: The columns that rules on the table name.

    Returns:
        Batches by `on`, and the rows of `Checked.coverage` that concern the table.
    """
    name = table.name
    timed = name not in STANDING
    _rows_view(connection, table, scope, timed=timed, present=present, named=named)
    batches = {
        "rows": _batch(connection, table, "rows", "rows", "window", timed=timed),
        "all": _batch(connection, table, "all", "all", "all", timed=False),
    }
    if not timed:
        return batches, pd.DataFrame()
    made, coverage = small.build(connection, table, scope, present=present)
    for on in made:
        batches[on] = _batch(connection, table, on, f"{on}_now", on, timed=True)
    return batches, coverage


def _batch(
    connection: duckdb.DuckDBPyConnection, table: Table, on: On, name: str, history: str, *, timed: bool
) -> Batch:
    name, history = f"{table.name}__{name}", f"{table.name}__{history}"
    ((rows,),) = connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchall()
    return Batch(table=table.name, on=on, name=name, history=history, timed=timed, rows=rows)


def _rows_view(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    scope: Scope,
    *,
    timed: bool,
    present: set[str],
    named: set[str],
) -> None:
    name, day = table.name, quoted(table.local_day)
    helpers = {
        column: helper.sql if set(helper.needs) <= present else "CAST(NULL AS BOOLEAN)"
        for column, helper in HELPERS.get(name, {}).items()
    }
    key = [quoted(column) for column in table.key]
    renamed = [f"{column} AS _key{n}" for n, column in enumerate(key)]
    within = f"({day} IS NULL OR ({day} >= {scope.first} AND {day} < {scope.end}))" if timed else "TRUE"
    connection.execute(
        f"CREATE TABLE {quoted(name + '__repeats')} AS SELECT {', '.join(renamed)}, count(*) AS n"
        f" FROM {quoted(name + '__source')} WHERE {within} GROUP BY ALL HAVING count(*) > 1"
    )
    told = sorted(column for column in columns_of(table, "rows") if column.startswith(TOLD) and column in named)
    joined = ""
    if told:
        by = TOLD_BY.get(name, ())
        filled = ", ".join(f"bool_or({quoted(column.removeprefix(TOLD))} IS NOT NULL) AS {column}" for column in told)
        units = "".join(f"{column} AS _by{n}, " for n, column in enumerate(by))
        # Rows without a site are held to what any site of their medium has.
        grouped = (
            f" GROUP BY GROUPING SETS (({', '.join(by)}), ({', '.join(by[:-1])}))"
            f" HAVING NOT (GROUPING({by[-1]}) = 0 AND {by[-1]} IS NULL)"
            if by
            else ""
        )
        connection.execute(
            f"CREATE TABLE {quoted(name + '__told')} AS SELECT {units}{filled} FROM {quoted(name + '__source')}"
            f" WHERE {within}{grouped}"
        )
        on = " AND ".join(f"{column} IS NOT DISTINCT FROM _by{n}" for n, column in enumerate(by)) or "TRUE"
        joined = f" LEFT JOIN {quoted(name + '__told')} AS told ON {on}"
    same = " AND ".join(f"{column} IS NOT DISTINCT FROM _key{n}" for n, column in enumerate(key))
    selected = ", ".join(
        [
            "source.*",
            f"{SAME_KEY.sql} AS same_key",
            *(f"coalesce(told.{column}, FALSE) AS {column}" for column in told),
            *(f"{sql} AS {quoted(column)}" for column, sql in helpers.items()),
            f"{'team' if 'team' in table else 'CAST(NULL AS VARCHAR)'} AS _team",
            f"{'site' if 'site' in table else 'CAST(NULL AS VARCHAR)'} AS _site",
        ]
    )
    now = f"DATE {literal(scope.period.start.isoformat())}"
    # A row that no day places is looked at with the period reported on: it must not go unseen.
    start = f"coalesce({period_start(day, scope.period.kind)}, {now})" if timed else now
    reported = f"({day} IS NULL OR ({day} >= {now} AND {day} < {scope.end}))" if timed else "TRUE"
    for view, condition, period in (("window", within, start), ("rows", reported, now), ("all", "TRUE", now)):
        connection.execute(
            f"CREATE VIEW {quoted(f'{name}__{view}')} AS SELECT {selected}, {period} AS _period"
            f" FROM {quoted(name + '__source')} AS source LEFT JOIN {quoted(name + '__repeats')} AS same_key_of"
            f" ON {same}{joined} WHERE {condition}"
        )

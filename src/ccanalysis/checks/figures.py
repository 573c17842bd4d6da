"""Figures as a batch of their own: one row per KPI, unit and period, so that rules can look at what was measured.

What every share must obey (no part is greater than its whole, nothing is below nought) and what its definition must
(the same from the first day of the period to the last) is decided like every other rule, and concerns exactly the
figures that fail it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from ccanalysis.checks.batches import FIGURES, Batch, Scope
from ccanalysis.checks.run import Decision, sql_of
from ccanalysis.engine import quoted

if TYPE_CHECKING:
    import duckdb

    from ccanalysis.checks.suites import Rule

FOUND = ["rule", "kpi", "level", "unit", "period"]


def build(connection: duckdb.DuckDBPyConnection, figures: pd.DataFrame, scope: Scope) -> Batch:
    """Make the batch of figures.

    Args:
        connection: Where to make it.
        figures: The columns of `FIGURES`.
        scope: The time that is looked at.
    """
    names = ", ".join(
        f"CAST({quoted(column.name)} AS {column.sql_type}) AS {quoted(column.name)}" for column in FIGURES.columns
    )
    connection.register("measured", figures)
    connection.execute(
        f"CREATE TABLE figures__window AS SELECT {names}, CAST(period_start AS DATE) AS _period,"
        " CAST(NULL AS VARCHAR) AS _team, CAST(NULL AS VARCHAR) AS _site FROM measured"
    )
    connection.unregister("measured")
    now = scope.period.start.isoformat()
    connection.execute(f"CREATE VIEW figures__rows AS SELECT * FROM figures__window WHERE _period = DATE '{now}'")
    ((rows,),) = connection.execute("SELECT count(*) FROM figures__rows").fetchall()
    return Batch(table="figures", on="rows", name="figures__rows", history="figures__window", timed=True, rows=rows)


def failing(
    connection: duckdb.DuckDBPyConnection, rules: Sequence[Rule], decisions: Mapping[str, Decision], scope: Scope
) -> pd.DataFrame:
    """Return every figure of the baseline that fails a rule: rule, kpi, level, unit, period (a label)."""
    labels = {pd.Timestamp(one.start): one.label for one in scope.periods}
    parts = []
    for rule in rules:
        if decisions[rule.id].predicate is None:
            continue
        _, bad = sql_of(rule, decisions[rule.id], "figures__window")
        found = connection.execute(
            f"SELECT kpi, level, coalesce(unit, '') AS unit, _period FROM figures__window WHERE {bad}"
        ).df()
        period = pd.to_datetime(found["_period"]).map(labels)
        parts.append(found.assign(rule=rule.id, period=period).dropna(subset="period")[FOUND])
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=FOUND)

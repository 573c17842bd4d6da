"""Counts of one table beside those of somebody else: the strong form of accuracy.

Somebody else is the switch (`control_totals`), the interval report, the roster, or this workspace's own last issued
run, which counted the same days before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from ccanalysis.engine import literal, quoted

if TYPE_CHECKING:
    import duckdb

    from ccanalysis.checks.batches import Scope
    from ccanalysis.contracts import Table

# What counts as offered among contacts, and as volume in any table.
OFFERED = {
    "contacts": "count(*) FILTER (direction IS DISTINCT FROM 'outbound' AND outcome NOT IN ('left_menu', 'void'))",
    "intervals": "coalesce(sum(n_offered), 0)",
}
# The interval report counts as the switch does; only intervals within a day can be told by day.
_TOTALS = {
    "control": "SELECT on_date, channel, site, n_offered AS n_control FROM control_totals__source",
    "intervals": (
        "SELECT starts_on AS on_date, channel, CAST(NULL AS VARCHAR) AS site, sum(n_offered) AS n_control"
        " FROM intervals__source WHERE length NOT IN ('week', 'month') GROUP BY ALL HAVING sum(n_offered) IS NOT NULL"
    ),
}


@dataclass(frozen=True, kw_only=True)
class Issued:
    """What the last issued run counted, to hold this one against.

    Attributes:
        label: The period that it reported on.
        counts: table, on_date, n_rows.
        files: Table -> source file -> SHA-256, as it read them.
        now: The same of this run.
    """

    label: str = ""
    counts: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["table", "on_date", "n_rows"]))
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    now: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def same(self, table: str) -> tuple[str, ...]:
        """Return the files of a table that are as they were."""
        now = self.now.get(table, {})
        return tuple(sorted(name for name, digest in self.files.get(table, {}).items() if now.get(name) == digest))

    def replaced(self, table: str) -> bool:
        """Tell whether a file of a table has changed or gone since."""
        return len(self.same(table)) < len(self.files.get(table, {}))


def by_day(
    connection: duckdb.DuckDBPyConnection, table: Table, scope: Scope, against: str, period: Callable[[str], str]
) -> None:
    """Set each daily total of somebody else beside what the table has for the same day, channel and site.

    Args:
        connection: With `<table>__source` and the other side's.
        table: `contacts` or `intervals`.
        scope: The time that is looked at.
        against: `control` or `intervals`; the table that is made is named by it.
        period: The first day of the period that a day lies in, as SQL.
    """
    name, day = table.name, quoted(table.local_day)
    # A channel that the other side counts and this table has nothing of is no difference but another scope.
    connection.execute(
        f"CREATE TABLE {quoted(f'{name}__{against}')} AS"
        f" WITH recorded AS (SELECT {day} AS on_date, channel, site, team,"
        f" {OFFERED[name]} AS n FROM {quoted(name + '__source')} WHERE {day} >= {scope.first} AND {day} < {scope.end}"
        " GROUP BY ALL),"
        f" totals AS (SELECT * FROM ({_TOTALS[against]})"
        f" WHERE on_date >= {scope.first} AND on_date < {scope.end} AND channel IN (SELECT channel FROM recorded)),"
        " joined AS (SELECT totals.on_date, totals.channel, totals.site, any_value(n_control) AS n_control,"
        " coalesce(sum(recorded.n), 0)::BIGINT AS n_recorded,"
        " abs(n_recorded - any_value(n_control)) / greatest(any_value(n_control), 1) AS gap_share,"
        f" {period('totals.on_date')} AS _period"
        " FROM totals LEFT JOIN recorded ON recorded.on_date = totals.on_date AND recorded.channel = totals.channel"
        " AND (totals.site IS NULL OR recorded.site = totals.site)"
        " GROUP BY totals.on_date, totals.channel, totals.site),"
        # A total of one site says nothing against the teams of another.
        " teams AS (SELECT DISTINCT team, site, channel FROM recorded WHERE team IS NOT NULL)"
        " SELECT *, CAST(NULL AS VARCHAR) AS _team, site AS _site, channel AS _channel FROM joined UNION ALL"
        " SELECT DISTINCT joined.*, team AS _team, joined.site AS _site, joined.channel AS _channel"
        " FROM joined JOIN teams ON teams.channel = joined.channel"
        " AND (joined.site IS NULL OR teams.site = joined.site)"
    )


def roster(connection: duckdb.DuckDBPyConnection, scope: Scope, period: Callable[[str], str]) -> None:
    """Set the days on which agents took contacts beside the days for which the roster has them, per period.

    One row per agent: days_worked (local days with answered contacts), days_outside (those of them that no stay on the
    roster covers), rostered (whether a stay covers the whole period), usual (whether the agent took contacts in any
    period of the baseline). No agent is named.
    """
    day = quoted("local_date")
    edges = ", ".join(
        f"(DATE {literal(one.start.isoformat())}, DATE {literal(one.end.isoformat())})" for one in scope.periods
    )
    connection.execute(
        f"CREATE TABLE contacts__roster AS WITH worked AS (SELECT DISTINCT agent_id, {day} AS on_date"
        f" FROM contacts__source WHERE agent_id IS NOT NULL AND {day} >= {scope.first} AND {day} < {scope.end}),"
        " stays AS (SELECT agent_id, valid_from, coalesce(valid_to, DATE '9999-12-31') AS valid_to, team, site"
        " FROM agents__source WHERE agent_id IS NOT NULL AND valid_from IS NOT NULL),"
        f" periods(_period, until) AS (VALUES {edges}),"
        " known AS (SELECT DISTINCT agent_id FROM stays),"
        " days AS (SELECT worked.agent_id, on_date, bool_or(stays.agent_id IS NOT NULL) AS covered"
        " FROM worked SEMI JOIN known USING (agent_id) LEFT JOIN stays ON stays.agent_id = worked.agent_id"
        " AND on_date >= valid_from AND on_date <= valid_to GROUP BY ALL),"
        f" per AS (SELECT agent_id, {period('on_date')} AS _period, count(*) AS days_worked,"
        " count_if(NOT covered) AS days_outside FROM days GROUP BY ALL),"
        " held AS (SELECT agent_id, _period, any_value(team) AS team, any_value(site) AS site FROM stays, periods"
        " WHERE valid_from <= _period AND valid_to >= until - 1 GROUP BY ALL),"
        " named AS (SELECT agent_id, _period FROM per UNION SELECT agent_id, _period FROM held)"
        " SELECT coalesce(days_worked, 0) AS days_worked, coalesce(days_outside, 0) AS days_outside,"
        " held.agent_id IS NOT NULL AS rostered, agent_id IN (SELECT agent_id FROM per) AS usual, _period,"
        " CAST(NULL AS VARCHAR) AS _team, held.site AS _site"
        " FROM named LEFT JOIN per USING (agent_id, _period) LEFT JOIN held USING (agent_id, _period)"
    )


def counts(connection: duckdb.DuckDBPyConnection, table: Table, scope: Scope, volume: str) -> pd.DataFrame:
    """Return how much a table has on each local day, for the next run to hold its own against.

    Returns:
        table, on_date (as 2026-11-09), n_rows.
    """
    day = quoted(table.local_day)
    found = connection.execute(
        f"SELECT strftime({day}, '%Y-%m-%d') AS on_date, {volume} AS n_rows FROM {quoted(table.name + '__source')}"
        f" WHERE {day} >= {scope.first} AND {day} < {scope.end} GROUP BY 1 ORDER BY 1"
    ).df()
    found["n_rows"] = found["n_rows"].astype("int64")
    return found.assign(table=table.name)[["table", "on_date", "n_rows"]]


def issued(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    scope: Scope,
    volume: str,
) -> bool:
    """Set what the last issued run counted for each day beside what is there now; return whether it counted any.

    A difference that rows of a file account for which was added or replaced since is explained.
    """
    name, day, last = table.name, quoted(table.local_day), scope.last
    then = last.counts[last.counts["table"] == name][["on_date", "n_rows"]]
    if not len(then):
        return False
    connection.register("counted_then", then.assign(on_date=pd.to_datetime(then["on_date"])))
    connection.execute(
        f"CREATE TABLE {quoted(name + '__issued')} AS WITH counted AS (SELECT {day} AS on_date, {volume} AS n_now,"
        f" {_filtered(volume, _listed(last.same(name)))} AS n_same FROM {quoted(name + '__source')}"
        f" WHERE {day} >= {scope.first} AND {day} < {scope.end} GROUP BY 1)"
        " SELECT CAST(earlier.on_date AS DATE) AS on_date, earlier.n_rows AS n_then, coalesce(n_now, 0) AS n_now,"
        " abs(coalesce(n_now, 0) - earlier.n_rows) / greatest(earlier.n_rows, 1) AS gap_share,"
        f" {'TRUE' if last.replaced(name) else 'coalesce(n_same, 0) = earlier.n_rows'} AS explained,"
        # What has changed of earlier days is told with the period reported on.
        f" DATE {literal(scope.period.start.isoformat())} AS _period, CAST(NULL AS VARCHAR) AS _team"
        f" FROM counted_then AS earlier LEFT JOIN counted ON counted.on_date = CAST(earlier.on_date AS DATE)"
        f" WHERE earlier.on_date >= {scope.first} AND earlier.on_date < {scope.end}"
    )
    connection.unregister("counted_then")
    return True


def _listed(files: Sequence[str]) -> str:
    return f"source_file IN ({', '.join(literal(file) for file in files)})" if files else "FALSE"


def _filtered(volume: str, condition: str) -> str:
    """Put a condition on the rows of an aggregate."""
    if volume == "count(*)":
        return f"count_if({condition})"
    return f"coalesce(sum(n_offered) FILTER (WHERE {condition}), 0)"

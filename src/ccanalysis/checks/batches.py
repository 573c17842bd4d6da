"""What rules look at: the rows of a table in the baseline, and small tables of its days, periods and daily totals.

A rule names its batch in `meta.on`:

- `rows`: the rows of the period, with helper columns; of a standing table (a roster, a list of limits) all rows,
- `all`: every row of the export, whatever its date,
- `days`: one row per local day and channel, site or team, with whether it was an open day,
- `period`: one row per period, with its number of rows,
- `control`: one row per independent daily total, beside what the table has.

Helper columns say in one column what takes several, so that a suite stays plain JSON without SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from ccanalysis import engine
from ccanalysis.checks import calendar
from ccanalysis.contracts import SQL_TYPES, Table
from ccanalysis.engine import literal, quoted
from ccanalysis.periods import Kind, Period
from ccanalysis.workspace import Centre

if TYPE_CHECKING:
    import duckdb

On = Literal["rows", "all", "days", "period", "control"]
ONS: tuple[On, ...] = ("rows", "all", "days", "period", "control")
# Tables that hold at all times, so that a period has no rows of its own in them.
STANDING = frozenset({"agents", "delegations", "requirements", "costs", "calendar", "actions"})
# Tables in which an open day without rows is a gap, and what counts as volume in them.
DAILY = {"contacts": "count(*)", "intervals": "coalesce(sum(n_offered), 0)"}
# Columns of the small batches, by batch.
DERIVED_COLUMNS: dict[On, dict[str, str]] = {
    "days": {
        "level": "channel, site, channel_site or team",
        "unit": "which one",
        "on_date": "local day",
        "expected": "whether the centre was open",
        "n_rows": "rows, or contacts offered where the table holds counts",
    },
    "period": {
        "n_rows": "rows, or contacts offered where the table holds counts",
        "n_per_day": "the same for each open day of a channel, so that a week with a holiday is like the others",
        "settled": "whether the export was taken after the period had ended",
    },
    "control": {
        "on_date": "local day",
        "channel": "medium",
        "site": "site, or empty for the whole centre",
        "n_control": "contacts offered by the independent count",
        "n_recorded": "contacts offered by this table",
        "gap_share": "how far the two are apart, as a share of the independent count",
    },
}


@dataclass(frozen=True, kw_only=True)
class Helper:
    """One helper column of a table's rows.

    Attributes:
        sql: The expression over the table's own columns.
        about: What it says.
        needs: Further tables that it looks at; where one is absent, rules on it are not assessed.
    """

    sql: str
    about: str
    needs: tuple[str, ...] = ()


def _seconds_between(earlier: str, later: str) -> str:
    return f"(epoch({later}) - epoch({earlier}))"


def _listed(column: str, table: str) -> Helper:
    return Helper(
        sql=f"CASE WHEN {column} IS NULL THEN NULL ELSE {column} IN (SELECT {column} FROM {table}__source "
        f"WHERE {column} IS NOT NULL) END",
        about=f"whether {column!r} is in table {table!r}",
        needs=(table,),
    )


# After-contact work follows the customer's end, so it is no part of the time between answered and ended.
_SUM_OF_PARTS = "CASE WHEN talk_s IS NULL THEN NULL ELSE talk_s + coalesce(hold_s, 0) - {since} END"
HELPERS: dict[str, dict[str, Helper]] = {
    "contacts": {
        "agent_listed": _listed("agent_id", "agents"),
        "wait_gap_s": Helper(
            sql=f"wait_s - {_seconds_between('offered_at', 'answered_at')}",
            about="wait less the time between offered and answered",
        ),
        "handling_gap_s": Helper(
            sql=_SUM_OF_PARTS.format(since=_seconds_between("answered_at", "ended_at")),
            about="talk and hold less the time between answered and ended",
        ),
        "elapsed_s": Helper(sql=_seconds_between("offered_at", "ended_at"), about="the time between offered and ended"),
        "paused": Helper(sql="payment AND recording_paused", about="whether recording was paused for a payment"),
    },
    "segments": {
        "agent_listed": _listed("agent_id", "agents"),
        "contact_listed": _listed("contact_id", "contacts"),
        "handling_gap_s": Helper(
            sql=f"coalesce(wait_s, 0) + coalesce(talk_s, 0) + coalesce(hold_s, 0) - "
            f"{_seconds_between('started_at', 'ended_at')}",
            about="wait, talk and hold less the time between begin and end",
        ),
    },
    "intervals": {
        "n_left": Helper(
            sql="coalesce(n_answered, 0) + coalesce(n_abandoned, 0)", about="contacts answered and abandoned"
        ),
        "asa_gap_s": Helper(
            sql="CASE WHEN n_answered > 0 THEN asa_s - wait_s_sum / n_answered END",
            about="average speed of answer as the source gives it, less wait through answered",
        ),
        "mean_handle_s": Helper(
            sql="CASE WHEN n_answered > 0 THEN handle_s_sum / n_answered END", about="mean handle time of the interval"
        ),
        "mean_wait_s": Helper(
            sql="CASE WHEN n_answered > 0 THEN wait_s_sum / n_answered END", about="mean wait of the interval"
        ),
    },
    "evaluations": {
        "agent_listed": _listed("agent_id", "agents"),
        "contact_listed": _listed("contact_id", "contacts"),
        "weight_sum": Helper(
            sql="sum(weight) OVER (PARTITION BY evaluation_id)", about="weights of the whole evaluation, per cent"
        ),
        "times_evaluated": Helper(
            sql="CASE WHEN contact_id IS NOT NULL THEN "
            "count(*) OVER (PARTITION BY contact_id, form, source, evaluator_id, criterion) END",
            about="how often one evaluator gave the same contact points for this criterion",
        ),
    },
    "surveys": {
        "contact_listed": _listed("contact_id", "contacts"),
        "scored": Helper(
            sql="csat IS NOT NULL OR nps IS NOT NULL OR effort IS NOT NULL OR resolved_first_time IS NOT NULL",
            about="whether any question was answered",
        ),
    },
    "complaints": {"contact_listed": _listed("contact_id", "contacts")},
    "breaches": {
        "contact_listed": _listed("contact_id", "contacts"),
        "requirement_listed": _listed("requirement_id", "requirements"),
    },
    "escalations": {"contact_listed": _listed("contact_id", "contacts")},
    "agents": {
        "overlap_days": Helper(
            sql="date_diff('day', valid_from, coalesce(lag(coalesce(valid_to, DATE '9999-12-31')) OVER "
            "(PARTITION BY agent_id ORDER BY valid_from), valid_from - 1)) + 1",
            about="days by which a stay begins before the agent's stay before it has ended",
        ),
    },
    "agent_states": {
        "agent_listed": _listed("agent_id", "agents"),
        "day_s": Helper(
            sql="sum(actual_s) OVER (PARTITION BY agent_id, on_date)", about="seconds of the agent's whole day"
        ),
    },
    "activities": {"agent_listed": _listed("agent_id", "agents")},
    "costs": {"day_of_month": Helper(sql="day(month)", about="day of the month")},
}
# An export that has no such column at all has no missing values in it. Contacts and legs come from several systems, so
# it is told per medium and site; every other table is one export.
TOLD_BY: dict[str, tuple[str, ...]] = {"contacts": ("channel", "site"), "segments": ("site",)}
TOLD = "has_"
SAME_KEY = Helper(sql="coalesce(same_key_of.n, 1)", about="how many rows have this row's key; more than 1 repeats it")


def columns_of(table: Table, on: str) -> dict[str, str]:
    """Return the columns that a rule on a batch may name, and what they say."""
    if on in ("rows", "all"):
        own = {column.name: column.about for column in table.columns}
        helpers = {name: helper.about for name, helper in HELPERS.get(table.name, {}).items()}
        told = {
            TOLD + column.name: f"whether the export has {column.name!r} at all, by any value in the baseline"
            for column in table.mapped
            if not column.required
        }
        return own | {"same_key": SAME_KEY.about} | told | helpers
    return DERIVED_COLUMNS[on]  # type: ignore[index]


def needs_of(table: str, columns: set[str], on: str) -> tuple[str, ...]:
    """Return the further tables that a rule on these columns looks at."""
    if on == "control":
        return ("control_totals",)
    helpers = HELPERS.get(table, {})
    needed = {name for column in columns if column in helpers for name in helpers[column].needs}
    return tuple(sorted(needed))


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One thing that rules look at.

    Attributes:
        table: The contract table.
        on: Which batch of it.
        name: The view that Great Expectations validates: the report period alone.
        history: The view with every period of the baseline, with `_period` and `_team`.
        timed: Whether its rows belong to periods; else what it says holds for all of them.
        rows: How many rows the report period has.
    """

    table: str
    on: On
    name: str
    history: str
    timed: bool
    rows: int


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The time that a check looks at.

    Attributes:
        period: The period reported on.
        baseline: How many periods are looked at, with it.
        centre: The centre, whose opening hours say which days to expect.
        as_of: When the exports were taken; what lies after it is in the future.
        told: Whether `as_of` was given, not assumed.
    """

    period: Period
    baseline: int
    centre: Centre
    as_of: datetime
    told: bool

    @property
    def periods(self) -> list[Period]:
        """The periods of the baseline, the oldest first."""
        return list(self.period.back(self.baseline))

    @property
    def labels(self) -> list[str]:
        """Their labels."""
        return [period.label for period in self.periods]

    @property
    def first(self) -> str:
        """The first local day, as an SQL literal."""
        return f"DATE {literal(self.periods[0].start.isoformat())}"

    @property
    def end(self) -> str:
        """The first local day after the period, as an SQL literal."""
        return f"DATE {literal(self.period.end.isoformat())}"


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
    coverage = _days(connection, table, scope)
    if name in DAILY:
        batches["days"] = _batch(connection, table, "days", "days_now", "days", timed=True)
    if name in DAILY and "control_totals" in present:
        _control(connection, table, scope)
        batches["control"] = _batch(connection, table, "control", "control_now", "control", timed=True)
    batches["period"] = _batch(connection, table, "period", "period_now", "period", timed=True)
    return batches, coverage


def _batch(
    connection: duckdb.DuckDBPyConnection, table: Table, on: On, name: str, history: str, *, timed: bool
) -> Batch:
    name, history = f"{table.name}__{name}", f"{table.name}__{history}"
    (rows,) = connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone() or (0,)
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


def period_start(day: str, kind: Kind) -> str:
    """Return the first day of the period that a day lies in, as SQL; cheaper per row than its label."""
    return day if kind == "day" else f"CAST(date_trunc({literal(kind)}, {day}) AS DATE)"


def _days(connection: duckdb.DuckDBPyConnection, table: Table, scope: Scope) -> pd.DataFrame:
    """Count rows per local day and unit, compare with the days of opening, and make the small batches."""
    name = table.name
    units = [level for level in ("channel", "site", "team") if level in table]
    selected = ", ".join(["on_date", *units])
    pairs = ", channel || ' at ' || site AS channel_site" if {"channel", "site"} <= set(units) else ""
    counted = connection.execute(
        f"SELECT {selected}{pairs}, {DAILY.get(name, 'count(*)')} AS n_rows FROM {_by_day(table)}"
        f" WHERE on_date >= {scope.first} AND on_date < {scope.end} GROUP BY {selected}"
    ).df()
    counted["on_date"] = pd.to_datetime(counted["on_date"])
    later, hours = _latest(connection, table, scope)
    expected = calendar.expected_days(scope, counted, overrides=_overrides(connection))
    judged = calendar.coverage(scope, counted, expected, daily=name in DAILY, later=later, hours=hours)
    if name in DAILY:
        _store(connection, f"{name}__days", calendar.days_batch(scope, counted, expected), scope)
    centre = judged[judged["level"] == "centre"]
    starts = {period.label: period.start for period in scope.periods}
    _store(
        connection,
        f"{name}__period",
        pd.DataFrame(
            {
                "n_rows": centre["n_rows"].astype("int64"),
                "n_per_day": centre["n_per_day"].astype("float64"),
                "settled": centre["settled"].astype("boolean"),
                "_period": pd.to_datetime(centre["period"].map(starts)),
                "_team": pd.Series(None, index=centre.index, dtype="object"),
            }
        ),
        scope,
    )
    return judged.drop(columns="n_per_day").assign(table=name)


def _by_day(table: Table) -> str:
    """Return a table's rows with their local day, as SQL; a longer interval is there on each of its days."""
    source = quoted(table.name + "__source")
    if table.name != "intervals":
        return f"(SELECT *, {quoted(table.local_day)} AS on_date FROM {source})"
    last = "CASE length WHEN 'week' THEN starts_on + 6 WHEN 'month' THEN last_day(starts_on) ELSE starts_on END"
    return (
        f"(SELECT * REPLACE (CASE WHEN on_date = starts_on THEN n_offered ELSE least(n_offered, 1) END AS n_offered)"
        f" FROM (SELECT *, CAST(unnest(generate_series(starts_on, {last}, INTERVAL 1 DAY)) AS DATE) AS on_date"
        f" FROM {source}))"
    )


def _latest(connection: duckdb.DuckDBPyConnection, table: Table, scope: Scope) -> tuple[bool, dict[pd.Timestamp, int]]:
    """Tell whether any row is later than the period, and the last local hour with a row on each day."""
    name, day = table.name, quoted(table.local_day)
    (later,) = connection.execute(
        f"SELECT count(*) > 0 FROM {quoted(name + '__source')} WHERE {day} >= {scope.end}"
    ).fetchone() or (False,)
    hour = "local_hour" if "local_hour" in table else "starts_hour" if "starts_hour" in table else None
    if hour is None or name not in DAILY:
        return bool(later), {}
    rows = connection.execute(
        f"SELECT {day}, max({hour}) FROM {quoted(name + '__source')}"
        f" WHERE {day} >= {scope.first} AND {day} < {scope.end} AND {hour} IS NOT NULL GROUP BY 1"
    ).fetchall()
    return bool(later), {pd.Timestamp(on): int(last) for on, last in rows}


def _overrides(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Read the days on which opening hours differ from the workspace's."""
    try:
        return connection.execute("SELECT on_date, channel, opens FROM calendar__source WHERE on_date IS NOT NULL").df()
    except Exception:  # there is no such table
        return pd.DataFrame({"on_date": [], "channel": [], "opens": []})


def _control(connection: duckdb.DuckDBPyConnection, table: Table, scope: Scope) -> None:
    """Set each independent daily total beside what the table has for the same day, channel and site."""
    name, day = table.name, quoted(table.local_day)
    offered = (
        "count(*) FILTER (direction IS DISTINCT FROM 'outbound' AND outcome NOT IN ('left_menu', 'void'))"
        if name == "contacts"
        else "coalesce(sum(n_offered), 0)"
    )
    connection.execute(
        f"CREATE TABLE {quoted(name + '__control')} AS WITH recorded AS (SELECT {day} AS on_date, channel, site, team,"
        f" {offered} AS n FROM {quoted(name + '__source')} WHERE {day} >= {scope.first} AND {day} < {scope.end}"
        " GROUP BY ALL),"
        " totals AS (SELECT on_date, channel, site, n_offered AS n_control FROM control_totals__source"
        f" WHERE on_date >= {scope.first} AND on_date < {scope.end} AND channel IN (SELECT channel FROM recorded)),"
        " joined AS (SELECT totals.on_date, totals.channel, totals.site, any_value(n_control) AS n_control,"
        " coalesce(sum(recorded.n), 0)::BIGINT AS n_recorded,"
        " abs(n_recorded - any_value(n_control)) / greatest(any_value(n_control), 1) AS gap_share,"
        f" {period_start('totals.on_date', scope.period.kind)} AS _period"
        " FROM totals LEFT JOIN recorded ON recorded.on_date = totals.on_date AND recorded.channel = totals.channel"
        " AND (totals.site IS NULL OR recorded.site = totals.site)"
        " GROUP BY totals.on_date, totals.channel, totals.site),"
        # A total of one site says nothing against the teams of another.
        " teams AS (SELECT DISTINCT team, site, channel FROM recorded WHERE team IS NOT NULL)"
        " SELECT *, CAST(NULL AS VARCHAR) AS _team FROM joined UNION ALL"
        " SELECT DISTINCT joined.*, team AS _team FROM joined JOIN teams ON teams.channel = joined.channel"
        " AND (joined.site IS NULL OR teams.site = joined.site)"
    )
    _now_view(connection, f"{name}__control", scope)


def _store(connection: duckdb.DuckDBPyConnection, name: str, frame: pd.DataFrame, scope: Scope) -> None:
    """Keep a small frame as a table, its report period as a view."""
    connection.register("frame_to_store", frame)
    types = {"on_date": "DATE", "_period": "DATE", "level": "VARCHAR", "unit": "VARCHAR", "_team": "VARCHAR"}
    casts = ", ".join(f"CAST({column} AS {kind}) AS {column}" for column, kind in types.items() if column in frame)
    connection.execute(f"CREATE TABLE {quoted(name)} AS SELECT * REPLACE ({casts}) FROM frame_to_store")
    connection.unregister("frame_to_store")
    _now_view(connection, name, scope)


def _now_view(connection: duckdb.DuckDBPyConnection, name: str, scope: Scope) -> None:
    connection.execute(
        f"CREATE VIEW {quoted(name + '_now')} AS SELECT * FROM {quoted(name)}"
        f" WHERE _period = DATE {literal(scope.period.start.isoformat())} AND _team IS NULL"
    )

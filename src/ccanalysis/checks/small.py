"""The small tables beside a table's rows: its days, hours, periods and parts, and what other counts say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from ccanalysis.checks import calendar, hours, over_time, reconcile, resemblance
from ccanalysis.checks.batches import (
    DAILY,
    DERIVED_COLUMNS,
    DURATIONS,
    HOURLY,
    PERIOD_FACTS,
    On,
    Scope,
    period_start,
)
from ccanalysis.contracts import Table
from ccanalysis.engine import literal, quoted

if TYPE_CHECKING:
    import duckdb


def build(
    connection: duckdb.DuckDBPyConnection, table: Table, scope: Scope, *, present: set[str]
) -> tuple[list[On], pd.DataFrame]:
    """Make the small batches of one table, each as `<table>__<on>`, its report period as `<table>__<on>_now`.

    Args:
        connection: With `<name>__source` for every table that is present.
        table: A table whose rows belong to periods.
        scope: The time that is looked at.
        present: The tables that are present.

    Returns:
        Which batches there are, and the rows of `Checked.coverage` that concern the table.
    """
    name = table.name
    coverage = _days(connection, table, scope, present=present)
    made: list[On] = ["days", "period"] if name in DAILY else ["period"]

    def period(day: str) -> str:
        return period_start(day, scope.period.kind)

    if name in DAILY and "control_totals" in present:
        reconcile.by_day(connection, table, scope, "control", period)
        made.append("control")
    if name == "contacts" and "intervals" in present:
        reconcile.by_day(connection, table, scope, "intervals", period)
        made.append("intervals")
    if name == "contacts" and "agents" in present:
        reconcile.roster(connection, scope, period)
        made.append("roster")
    if reconcile.issued(connection, table, scope, DAILY.get(name, "count(*)")):
        made.append("issued")
    if name in DURATIONS:
        _store(connection, f"{name}__parts", _parts(connection, table, scope))
        made.append("parts")
    if name in resemblance.SAMPLES and set(resemblance.SAMPLES[name].needs) <= present:
        compared = resemblance.sample_batch(
            connection, name, scope, period=period_start("local_date", scope.period.kind), present=present
        )
        _store(connection, f"{name}__sample", compared)
        made.append("sample")
    if name in HOURLY:
        made.append("hours")
    for on in made:
        for unit in ("_team", "_site", "_channel"):
            connection.execute(f"ALTER TABLE {quoted(f'{name}__{on}')} ADD COLUMN IF NOT EXISTS {unit} VARCHAR")
        _now_view(connection, f"{name}__{on}", scope)
    return made, coverage


def _parts(connection: duckdb.DuckDBPyConnection, table: Table, scope: Scope) -> pd.DataFrame:
    """Count durations and sum their logarithms per file, day and channel, in one scan."""
    day, measures = quoted(table.local_day), DURATIONS[table.name]
    channel = "channel" if "channel" in table else "CAST(NULL AS VARCHAR)"
    summed = ", ".join(
        f"count_if({sql} > 0) AS n_{name}, sum(ln({sql})) FILTER ({sql} > 0) AS log_{name}"
        for name, sql in measures.items()
    )
    counted = connection.execute(
        f"SELECT source_file, {day} AS on_date, {channel} AS channel, {summed} FROM {quoted(table.name + '__source')}"
        f" WHERE {day} >= {scope.first} AND {day} < {scope.end} GROUP BY ALL"
    ).df()
    return over_time.parts_batch(scope, counted, measures)


def _days(connection: duckdb.DuckDBPyConnection, table: Table, scope: Scope, *, present: set[str]) -> pd.DataFrame:
    """Count rows per local day and unit, compare with the days of opening, and make the batches of days and periods."""
    name = table.name
    units = [level for level in ("channel", "site", "team") if level in table]
    selected = ", ".join(["on_date", *units])
    pairs = ", channel || ' at ' || site AS channel_site" if {"channel", "site"} <= set(units) else ""
    counted = connection.execute(
        f"SELECT {selected}{pairs}, {DAILY.get(name, 'count(*)')} AS n_rows FROM {_by_day(table)}"
        f" WHERE on_date >= {scope.first} AND on_date < {scope.end} GROUP BY {selected}"
    ).df()
    counted["on_date"] = pd.to_datetime(counted["on_date"])
    by_hour = _by_hour(connection, table, scope)
    overrides = _overrides(connection) if "calendar" in present else _NO_OVERRIDES
    expected = calendar.expected_days(scope, counted, overrides=overrides)
    last = by_hour.groupby("on_date")["hour"].max().to_dict() if name in DAILY else {}
    judged = calendar.coverage(
        scope, counted, expected, daily=name in DAILY, later=_later(connection, table, scope), hours=last
    )
    in_hours = hours.hours_batch(scope, by_hour, overrides)
    if name in DAILY:
        _store(connection, f"{name}__days", calendar.days_batch(scope, counted, expected))
    if name in HOURLY:
        _store(connection, f"{name}__hours", in_hours)
    centre = judged[judged["level"] == "centre"]
    starts = pd.to_datetime(centre["period"].map({period.label: period.start for period in scope.periods}))
    facts = _facts(connection, table, scope, counted, in_hours)
    _store(
        connection,
        f"{name}__period",
        pd.DataFrame(
            {
                "n_rows": centre["n_rows"].astype("int64"),
                "n_per_day": centre["n_per_day"].astype("float64"),
                "settled": centre["settled"].astype("boolean"),
                **{fact: starts.map(values).astype("float64") for fact, values in facts.items()},
                "_period": starts,
                "_team": pd.Series(None, index=centre.index, dtype="object"),
            }
        ),
    )
    return judged.drop(columns="n_per_day").assign(table=name)


_NO_OVERRIDES = pd.DataFrame({"on_date": [], "channel": [], "opens": [], "closes": []})


def _facts(
    connection: duckdb.DuckDBPyConnection, table: Table, scope: Scope, counted: pd.DataFrame, in_hours: pd.DataFrame
) -> dict[str, pd.Series]:
    """Return what is told of each period as one value, by the period's first day; missing where it does not apply."""
    name = table.name
    none = pd.Series(dtype="float64")
    facts = {fact: none for fact in DERIVED_COLUMNS["period"] if fact not in ("n_rows", "n_per_day", "settled")}
    facts["gap_days"] = over_time.gap_days(scope, counted)
    for mix in ("channel", "site"):
        if mix in table:
            facts[f"{mix}_shift"] = over_time.shifts(scope, counted, mix)
    if "queue" in table:
        facts["queue_shift"] = over_time.shifts(scope, _by_queue(connection, table, scope), "queue")
    told = in_hours[in_hours["open"].notna() & (in_hours["level"] == "channel")]
    if len(told):
        shut = told["n_rows"].where(~told["open"].astype(bool), 0)
        facts["closed_share"] = shut.groupby(told["_period"]).sum() / told.groupby("_period")["n_rows"].sum()
    for fact, sql in PERIOD_FACTS.get(name, {}).items():
        day = quoted(table.local_day)
        found = connection.execute(
            f"SELECT {period_start(day, scope.period.kind)} AS _period, {sql} AS value"
            f" FROM {quoted(name + '__source')} WHERE {day} >= {scope.first} AND {day} < {scope.end} GROUP BY 1"
        ).df()
        facts[fact] = pd.Series(found["value"].to_numpy(), index=pd.to_datetime(found["_period"]), dtype="float64")
    return facts


def _by_queue(connection: duckdb.DuckDBPyConnection, table: Table, scope: Scope) -> pd.DataFrame:
    return connection.execute(
        f"SELECT on_date, queue, {DAILY.get(table.name, 'count(*)')} AS n_rows FROM {_by_day(table)}"
        f" WHERE on_date >= {scope.first} AND on_date < {scope.end} AND queue IS NOT NULL GROUP BY ALL"
    ).df()


def _by_hour(connection: duckdb.DuckDBPyConnection, table: Table, scope: Scope) -> pd.DataFrame:
    """Count rows per local day, hour and channel; no row for a table that does not tell hours."""
    hour, day = HOURLY.get(table.name), quoted(table.local_day)
    if hour is None:
        return pd.DataFrame({"on_date": pd.to_datetime([]), "hour": [], "channel": [], "n_rows": []})
    counted = connection.execute(
        f"SELECT {day} AS on_date, {hour} AS hour, channel, {DAILY[table.name]} AS n_rows"
        f" FROM {quoted(table.name + '__source')}"
        f" WHERE {day} >= {scope.first} AND {day} < {scope.end} AND {hour} IS NOT NULL GROUP BY ALL"
    ).df()
    return counted.assign(on_date=pd.to_datetime(counted["on_date"]))


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


def _later(connection: duckdb.DuckDBPyConnection, table: Table, scope: Scope) -> bool:
    """Tell whether any row is later than the period."""
    ((later,),) = connection.execute(
        f"SELECT count(*) > 0 FROM {quoted(table.name + '__source')} WHERE {quoted(table.local_day)} >= {scope.end}"
    ).fetchall()
    return bool(later)


def _overrides(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Read the days on which opening hours differ from the workspace's."""
    return connection.execute(
        "SELECT on_date, channel, opens, closes FROM calendar__source WHERE on_date IS NOT NULL"
    ).df()


def _store(connection: duckdb.DuckDBPyConnection, name: str, frame: pd.DataFrame) -> None:
    """Keep a small frame as a table."""
    connection.register("frame_to_store", frame)
    types = {"on_date": "DATE", "_period": "DATE", "open": "BOOLEAN"}
    types |= dict.fromkeys(
        ("level", "unit", "channel", "_team", "_site", "_channel", "measure", "of", "value"), "VARCHAR"
    )
    casts = ", ".join(f"CAST({column} AS {kind}) AS {column}" for column, kind in types.items() if column in frame)
    connection.execute(f"CREATE TABLE {quoted(name)} AS SELECT * REPLACE ({casts}) FROM frame_to_store")
    connection.unregister("frame_to_store")


def _now_view(connection: duckdb.DuckDBPyConnection, name: str, scope: Scope) -> None:
    connection.execute(
        f"CREATE VIEW {quoted(name + '_now')} AS SELECT * FROM {quoted(name)}"
        f" WHERE _period = DATE {literal(scope.period.start.isoformat())} AND _team IS NULL"
    )

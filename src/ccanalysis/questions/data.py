"""What a question is answered from: the contract tables of a window of time, and what the run has judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ccanalysis import contracts, engine
from ccanalysis.periods import Period
from ccanalysis.results import Results
from ccanalysis.workspace import Workspace

if TYPE_CHECKING:
    import duckdb

# A span that is not looked at: the period's label, its first day, and the first day after it.
Span = tuple[str, date, date]


@dataclass(frozen=True)
class Frame:
    """One frame of an answer.

    Attributes:
        rows: The rows. Where they have `level` and `unit`, each reader is given their own; `n` is the number of cases
            that a row rests on, and few of them are hidden from editions that colleagues see. Rows without a level
            are of the whole centre.
        keys: The columns that say what a row is about; every other column is a figure of it.
    """

    rows: pd.DataFrame
    keys: Sequence[str]


@dataclass
class Data:
    """The tables of one question.

    Attributes:
        connection: A locked connection with a view per contract table that is present.
        workspace: The workspace.
        results: The uncut results of the run.
        tables: The contract tables that are present.
        texts: Table -> Parquet file with its key and what people wrote, where the workspace keeps free text.
        period: The last whole period of the question's frequency.
        since: The first local day that is looked at.
        until: The first local day after it.
        left_out: Table -> spans in which it is not fit.
        notes: Sentences for the reader, added while the question is answered.
    """

    connection: duckdb.DuckDBPyConnection
    workspace: Workspace
    results: Results
    tables: tuple[str, ...]
    texts: Mapping[str, Path]
    period: Period
    since: date
    until: date
    left_out: Mapping[str, Sequence[Span]]
    notes: list[str] = field(default_factory=list)

    def has(self, *tables: str) -> bool:
        """Tell whether all of these tables are present."""
        return set(tables) <= set(self.tables)

    def fills(self, table: str, *columns: str) -> bool:
        """Tell whether a table is present and has at least one value in each of some columns."""
        if not self.has(table):
            return False
        counts = ", ".join(f"count({engine.quoted(column)})" for column in columns)
        found = self.connection.execute(f"SELECT {counts} FROM {engine.quoted(table)}").fetchone()
        return bool(found) and all(found or ())

    def sql(self, query: str, given: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Run a query of the package's own on the tables; values are given as `$name`, never written into it."""
        return self.connection.execute(query, dict(given) if given else None).df()

    def window(self, table: str, *, since: date | None = None, fit: bool = True) -> str:
        """Return a query of a table's rows within the window, to stand in brackets in another query.

        Args:
            table: A contract table that is present.
            since: The first day; that of the window where not given.
            fit: Whether periods in which the table is not fit are left out.
        """
        day = engine.quoted(contracts.table(table).local_day)
        where = f"{day} >= {_date(since or self.since)} AND {day} < {_date(self.until)}"
        for _, begin, end in self.left_out.get(table, ()) if fit else ():
            where += f" AND NOT ({day} >= {_date(begin)} AND {day} < {_date(end)})"
        return f"(SELECT * FROM {engine.quoted(table)} WHERE {where})"

    def weeks(self) -> pd.DataFrame:
        """Return the whole ISO weeks of the window: `week` (label) and `starts_on`."""
        week = Period.containing(self.since, "week")
        week = week if week.start == self.since else week.shift(1)
        rows = []
        while week.end <= self.until:
            rows.append((week.label, week.start))
            week = week.shift(1)
        return pd.DataFrame(rows, columns=["week", "starts_on"])

    @property
    def last_day(self) -> date:
        """The last local day that is looked at."""
        return self.until - timedelta(days=1)


def _date(day: date) -> str:
    return f"DATE '{day.isoformat()}'"

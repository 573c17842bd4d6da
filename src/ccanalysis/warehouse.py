"""Where the contract tables lie while they are counted: in files, in PostgreSQL, or where a Spark session reads them.

An engine answers queries with sums; no row of a contract table is fetched from a warehouse, and nothing is written
there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from ccanalysis import contracts, dialects
from ccanalysis.dialects import Dialect
from ccanalysis.engine import quoted
from ccanalysis.errors import EnvironmentFaultError, RegisterError, SettingsError

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa


class Engine(Protocol):
    """Answers the component query.

    Attributes:
        dialect: How queries are written for it.
    """

    dialect: Dialect

    def run(self, sql: str) -> pa.Table:
        """Run a query.

        Raises:
            RegisterError: A measure cannot be computed.
            EnvironmentFaultError: The engine does not answer.
        """

    def has(self, table: str) -> bool:
        """Tell whether it holds a contract table."""

    def source(self, table: contracts.Table) -> str:
        """Write where the rows of a contract table come from, each column in the contract's type."""

    def relation(self, name: str, frame: pd.DataFrame, kinds: Mapping[str, contracts.Type]) -> str:
        """Bring a small relation of ours, and write where it is."""


class Embedded:
    """DuckDB in this process, over Parquet files.

    Args:
        connection: With a view per table.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.dialect: Dialect = dialects.DUCKDB
        self.connection = connection
        views = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        self._tables = {name for (name,) in views}

    def run(self, sql: str) -> pa.Table:
        """Run a query."""
        with _explained():
            return self.connection.sql(sql).to_arrow_table()

    def has(self, table: str) -> bool:
        """Tell whether there is a file."""
        return table in self._tables

    def source(self, table: contracts.Table) -> str:
        """A view has the contract's types already."""
        return quoted(table.name)

    def relation(self, name: str, frame: pd.DataFrame, kinds: Mapping[str, contracts.Type]) -> str:
        """Keep it as a table of the connection."""
        cast = ", ".join(f"{quoted(c)}::{self.dialect.types[kind]} AS {quoted(c)}" for c, kind in kinds.items())
        self.connection.register("_given", frame)
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(name)} AS SELECT {cast} FROM _given")
        self.connection.unregister("_given")
        return quoted(name)


class _Remote:
    """What PostgreSQL and Spark have in common: columns are looked up, and relations travel within the query."""

    dialect: Dialect

    def __init__(self) -> None:
        self._columns: dict[str, frozenset[str]] = {}

    def columns(self, table: str) -> frozenset[str]:
        """List the columns of a table; none where there is no such table."""
        if table not in self._columns:
            self._columns[table] = self._look(table)
        return self._columns[table]

    def _look(self, table: str) -> frozenset[str]:
        raise NotImplementedError

    def _place(self, table: str) -> str:
        raise NotImplementedError

    def has(self, table: str) -> bool:
        """Tell whether the warehouse has the table."""
        return bool(self.columns(table))

    def source(self, table: contracts.Table) -> str:
        """Give every contract column in its type; one that the warehouse does not have is empty."""
        known = self.columns(table.name)
        write = self.dialect
        listed = ", ".join(
            f"{write.column(c.name, c.type) if c.name in known else write.nothing(c.type)} AS {write.quoted(c.name)}"
            for c in table.columns
        )
        return f"(SELECT {listed} FROM {self._place(table.name)})"

    def relation(self, name: str, frame: pd.DataFrame, kinds: Mapping[str, contracts.Type]) -> str:
        """Write the relation into the query, so that nothing is written to the warehouse."""
        writers: dict[str, Any] = {"date": self.dialect.day, "text": self.dialect.text}
        rows = [
            [writers.get(kind, str)(value) for value, kind in zip(row, kinds.values(), strict=True)]
            for row in frame[list(kinds)].itertuples(index=False, name=None)
        ]
        return self.dialect.rows(list(kinds), rows, list(kinds.values()))


class PostgreSQL(_Remote):
    """Contract tables in a schema of PostgreSQL 14 or later.

    Args:
        dsn: How to connect, as `postgresql://reader@host/database`; it is never shown.
        schema: The schema that holds tables or views of the contract's names.

    Raises:
        EnvironmentFaultError: psycopg is not installed, or the server does not answer.
    """

    def __init__(self, dsn: str, *, schema: str = "public") -> None:
        super().__init__()
        self.dialect = dialects.POSTGRESQL
        self.schema = schema
        try:
            import psycopg  # noqa: PLC0415  of the extra [postgres]
        except ImportError:
            raise _not_installed("psycopg", "postgres") from None
        try:
            # the connection's own `read_only` holds for transactions that psycopg begins, and there are none here
            options = "-c timezone=UTC -c search_path=pg_catalog -c default_transaction_read_only=on"
            self.connection = psycopg.connect(dsn, autocommit=True, options=options)
        except psycopg.Error as error:
            raise _unanswered("PostgreSQL", error) from None

    def _look(self, table: str) -> frozenset[str]:
        found = self.connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
            (self.schema, table),
        )
        return frozenset(name for (name,) in found)

    def _place(self, table: str) -> str:
        return f"{self.dialect.quoted(self.schema)}.{self.dialect.quoted(table)}"

    def run(self, sql: str) -> pa.Table:
        """Run a query in a transaction that may only read."""
        import psycopg  # noqa: PLC0415
        import pyarrow as pa  # noqa: PLC0415  0.2 s

        try:
            cursor = self.connection.execute(sql)
        except psycopg.DataError as error:
            raise _uncomputable(error) from None
        except psycopg.Error as error:
            raise _unanswered("PostgreSQL", error) from None
        types = {16: pa.bool_(), 20: pa.int64(), 21: pa.int64(), 23: pa.int64(), 1082: pa.date32()}
        columns = cursor.description or []
        listed = list(zip(*cursor.fetchall(), strict=True)) or [()] * len(columns)
        arrays = [
            pa.array(values, types.get(column.type_code, pa.string()))
            for column, values in zip(columns, listed, strict=True)
        ]
        return pa.table(arrays, names=[column.name for column in columns])


class Spark(_Remote):
    """Contract tables that a Spark 4 session reads; none of its settings is changed.

    Args:
        session: A `pyspark.sql.SparkSession` of yours, on this machine or a cluster.
        schema: The schema (or `catalog.schema`) of the tables or views; empty for the session's own, where temporary
            views are found too.

    Raises:
        SettingsError: The session's arithmetic wraps round where a number grows too large.
    """

    def __init__(self, session: Any, *, schema: str = "") -> None:
        super().__init__()
        self.dialect = dialects.SPARK
        self.session = session
        self.schema = schema
        if str(session.conf.get("spark.sql.ansi.enabled")).lower() != "true":
            raise SettingsError(
                "this Spark session takes a number that grows too large for another one",
                remedy="Start it with spark.sql.ansi.enabled=true, as Spark 4 does by itself",
            )

    def _look(self, table: str) -> frozenset[str]:
        name = self._place(table)
        return frozenset(self.session.table(name).columns) if self.session.catalog.tableExists(name) else frozenset()

    def _place(self, table: str) -> str:
        parts = [*(self.schema.split(".") if self.schema else []), table]
        return ".".join(self.dialect.quoted(part) for part in parts)

    def run(self, sql: str) -> pa.Table:
        """Run a query where the session runs its queries."""
        from pyspark.errors import ArithmeticException, NumberFormatException, PySparkException  # noqa: PLC0415

        try:
            return self.session.sql(sql).toArrow()
        except (ArithmeticException, NumberFormatException) as error:
            raise _uncomputable(error) from None
        except PySparkException as error:
            raise _unanswered("Spark", error) from None


@contextmanager
def _explained() -> Iterator[None]:
    import duckdb  # noqa: PLC0415  loaded by the connection in any case

    try:
        yield
    except (duckdb.OutOfRangeException, duckdb.ConversionException, duckdb.BinderException) as error:
        raise _uncomputable(error) from None


def _uncomputable(error: Exception) -> RegisterError:
    """Tell of a measure that cannot be computed; the engine's own words may hold a value, so they are not passed on."""
    return RegisterError(
        f"the measures cannot be computed ({type(error).__name__.removesuffix('Exception')})",
        remedy="Look for products and sums that grow too large",
        place="kpis.yml",
    )


def _unanswered(name: str, error: Exception) -> EnvironmentFaultError:
    return EnvironmentFaultError(
        f"{name} does not answer ({type(error).__name__})",
        remedy="Look at the connection, the rights to read, and the server's own log",
    )


def _not_installed(package: str, extra: str) -> EnvironmentFaultError:
    return EnvironmentFaultError(f"{package} is not installed", remedy=f"Install ccanalysis[{extra}]")


def from_environment(kind: str, variable: str, schema: str) -> Engine:
    """Open the warehouse that the settings name.

    Args:
        kind: `postgresql` or `spark`.
        variable: The environment variable that holds the connection: for PostgreSQL how to connect, for Spark the
            address of a Spark Connect server, as `sc://host:15002`. Empty for Spark's active session.
        schema: The schema of the tables.

    Raises:
        SettingsError: The variable is not set.
        EnvironmentFaultError: What is needed is not installed, or does not answer.
    """
    given = os.environ.get(variable, "") if variable else ""
    if variable and not given:
        raise SettingsError(
            f"the environment variable {variable} of [engine] is not set",
            remedy="Set it to the connection; it is kept out of files on purpose",
            place="ccanalysis.toml",
        )
    if kind == "postgresql":
        return PostgreSQL(given, schema=schema or "public")
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415  of the extra [spark]
    except ImportError:
        raise _not_installed("pyspark", "spark") from None
    session = SparkSession.builder.remote(given).getOrCreate() if given else SparkSession.getActiveSession()
    if session is None:
        raise SettingsError(
            "there is no Spark session",
            remedy="Start one before, or name the address of a Spark Connect server under [engine]",
            place="ccanalysis.toml",
        )
    return Spark(session, schema=schema)

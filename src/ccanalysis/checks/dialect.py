"""A small SQLAlchemy dialect over one open DuckDB connection, enough for Great Expectations.

Results are fetched when a statement is executed: Great Expectations reads them after its connection block has
ended, and DuckDB drops a pending result there.

Source:
    SQLAlchemy, Writing a dialect: https://docs.sqlalchemy.org/en/20/core/internals.html
    PEP 249, the interface that a driver shows: https://peps.python.org/pep-0249/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import duckdb
from sqlalchemy import text, types
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGIdentifierPreparer, PGTypeCompiler
from sqlalchemy.engine import default

SCHEME = "ccanalysis"
SQLALCHEMY_TYPES: dict[str, Any] = {
    "TINYINT": types.SmallInteger,
    "SMALLINT": types.SmallInteger,
    "INTEGER": types.Integer,
    "BIGINT": types.BigInteger,
    "UINTEGER": types.BigInteger,
    "UBIGINT": types.BigInteger,
    "HUGEINT": types.Numeric,
    "DECIMAL": types.Numeric,
    "FLOAT": types.Double,
    "DOUBLE": types.Double,
    "BOOLEAN": types.Boolean,
    "DATE": types.Date,
    "TIME": types.Time,
    "TIMESTAMP": types.TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": types.TIMESTAMP,
    "VARCHAR": types.String,
}
_lent: dict[str, duckdb.DuckDBPyConnection] = {}


@contextmanager
def lend(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Lend an open connection to SQLAlchemy for the length of a block.

    SQLAlchemy wants an address; this one can be opened inside the block only, and closing it leaves the
    connection open for its owner.

    Yields:
        The address, as `ccanalysis:///<random>`.
    """
    name = uuid4().hex
    _lent[name] = connection
    try:
        yield f"{SCHEME}:///{name}"
    finally:
        del _lent[name]


class _Cursor:
    """Runs a statement on the lent connection and keeps all rows of its answer."""

    arraysize = 1
    rowcount = -1

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._rows: list[tuple[Any, ...]] = []
        self.description: Sequence[Any] | None = None

    def execute(self, statement: str, parameters: Sequence[Any] | None = None) -> _Cursor:
        answer = self._connection.execute(statement, list(parameters) if parameters else None)
        self.description = answer.description
        self._rows = answer.fetchall() if self.description else []
        return self

    def executemany(self, statement: str, parameters: Sequence[Sequence[Any]]) -> _Cursor:
        for row in parameters:
            self.execute(statement, row)
        return self

    def fetchall(self) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows, []
        return rows

    def fetchmany(self, size: int = arraysize) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.pop(0) if self._rows else None

    def close(self) -> None:
        self._rows = []


class _Connection:
    """What SQLAlchemy takes for a connection of its own; it never closes the lent one."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def cursor(self) -> _Cursor:
        return _Cursor(self._connection)

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def close(self) -> None: ...


class _Driver:
    """The PEP 249 module that SQLAlchemy asks for."""

    apilevel = "2.0"
    threadsafety = 1
    paramstyle = "qmark"
    Error = duckdb.Error
    Warning = duckdb.Warning
    InterfaceError = duckdb.Error
    DatabaseError = duckdb.DatabaseError
    InternalError = duckdb.InternalError
    OperationalError = duckdb.OperationalError
    ProgrammingError = duckdb.ProgrammingError
    IntegrityError = duckdb.IntegrityError
    DataError = duckdb.DataError
    NotSupportedError = duckdb.NotSupportedError

    @staticmethod
    def connect(name: str) -> _Connection:
        if name not in _lent:
            raise duckdb.OperationalError("the connection is no longer lent")
        return _Connection(_lent[name])


class DuckDBDialect(default.DefaultDialect):
    """DuckDB's SQL is close to PostgreSQL's; names and types are read from `information_schema`."""

    name = "duckdb"
    driver = "ccanalysis"
    default_paramstyle = "qmark"
    default_schema_name = "main"
    statement_compiler = PGCompiler
    type_compiler_cls = PGTypeCompiler
    preparer = PGIdentifierPreparer
    postfetch_lastrowid = False
    supports_multivalues_insert = True
    supports_native_boolean = True
    supports_native_decimal = True
    supports_sane_rowcount = False
    supports_statement_cache = True
    server_version_info = (16,)
    _backslash_escapes = False

    @classmethod
    def import_dbapi(cls) -> Any:
        return _Driver

    def create_connect_args(self, url: Any) -> tuple[list[str], dict[str, Any]]:
        return [url.database], {}

    def do_begin(self, dbapi_connection: Any) -> None: ...

    def get_isolation_level(self, dbapi_connection: Any) -> Any:
        return "SERIALIZABLE"

    def get_default_isolation_level(self, dbapi_conn: Any) -> Any:
        return "SERIALIZABLE"

    def _get_server_version_info(self, connection: Any) -> tuple[int, ...]:
        return self.server_version_info

    def _get_default_schema_name(self, connection: Any) -> str:
        return self.default_schema_name

    def has_table(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> bool:
        return bool(self.get_columns(connection, table_name, schema))

    def get_schema_names(self, connection: Any, **kw: Any) -> list[str]:
        return [self.default_schema_name]

    def get_table_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        return self._names(connection, "BASE TABLE")

    def get_view_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        return self._names(connection, "VIEW")

    def get_temp_table_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        return []

    def get_temp_view_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        return []

    def get_columns(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> list[Any]:
        rows = connection.execute(
            text(
                "SELECT column_name, data_type FROM information_schema.columns "
                "WHERE table_name = :name AND table_schema = :schema ORDER BY ordinal_position"
            ),
            {"name": str(table_name), "schema": schema or self.default_schema_name},
        )
        return [
            {
                "name": name,
                "type": SQLALCHEMY_TYPES.get(kind.split("(")[0], types.String)(),
                "nullable": True,
                "default": None,
                "autoincrement": False,
                "comment": None,
            }
            for name, kind in rows
        ]

    def get_pk_constraint(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> Any:
        return {"constrained_columns": [], "name": None}

    def get_foreign_keys(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> list[Any]:
        return []

    def get_indexes(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> list[Any]:
        return []

    def get_unique_constraints(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        return []

    def get_check_constraints(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        return []

    def get_table_comment(self, connection: Any, table_name: str, schema: str | None = None, **kw: Any) -> Any:
        return {"text": None}

    def _names(self, connection: Any, kind: str) -> list[str]:
        rows = connection.execute(
            text("SELECT table_name FROM information_schema.tables WHERE table_type = :kind AND table_schema = 'main'"),
            {"kind": kind},
        )
        return [name for (name,) in rows]


registry.register(SCHEME, __name__, DuckDBDialect.__name__)

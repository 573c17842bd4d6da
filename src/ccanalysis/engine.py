"""The embedded engine: DuckDB connections that can read and write only where they are told to.

Source:
    DuckDB, Securing DuckDB: https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

MEMORY_LIMIT = os.environ.get("CCANALYSIS_MEMORY", "2GB")


def quoted(name: str) -> str:
    """Return a name as a quoted SQL identifier.

    Examples:
        >>> quoted('a"b')
        '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | Path) -> str:
    """Return a text as an SQL literal, for the few places that take no parameter.

    Examples:
        >>> literal("it's")
        "'it''s'"
    """
    return "'" + str(value).replace("'", "''") + "'"


def connect(
    tables: Mapping[str, Path] | None = None, *, folders: Iterable[Path] = (), threads: int | None = None
) -> duckdb.DuckDBPyConnection:
    """Open an in-memory database that is locked to its own folders, with a view per table.

    Args:
        tables: Table name -> Parquet file, or folder of them.
        folders: Further folders that may be read and written.
        threads: How many threads; DuckDB's own choice when not given.

    Returns:
        A connection in UTC. It installs no extension, opens no address and touches no other path.
    """
    import duckdb  # noqa: PLC0415  0.2 s that `import ccanalysis` should not pay

    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY_LIMIT,
        "temp_directory": str(Path(tempfile.gettempdir()) / f"ccanalysis-{os.getpid()}"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "preserve_insertion_order": False,
    }
    if threads:
        config["threads"] = threads
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("SET TimeZone = 'UTC'")
    paths = {name: Path(path).resolve() for name, path in (tables or {}).items()}
    allowed = {path.parent for path in paths.values()} | {Path(folder).resolve() for folder in folders}
    listed = ", ".join(literal(f"{folder}{os.sep}") for folder in sorted(allowed))
    connection.execute(f"SET allowed_directories = [{listed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    for name, path in paths.items():
        add_view(connection, name, path)
    return connection


def add_view(connection: duckdb.DuckDBPyConnection, name: str, path: Path) -> None:
    """Make a Parquet file, or all of a folder as one, readable under a table's name."""
    paths = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    listed = ", ".join(literal(one) for one in paths)
    connection.execute(f"CREATE OR REPLACE VIEW {quoted(name)} AS SELECT * FROM read_parquet([{listed}])")

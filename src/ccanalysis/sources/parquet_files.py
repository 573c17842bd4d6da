"""Parquet exports: stored types are honoured, and every cell arrives as the marked text that other formats give."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ccanalysis.engine import literal, quoted
from ccanalysis.errors import ContractError, NoInputError, place
from ccanalysis.sources.cells import MARK
from ccanalysis.sources.csv_files import Records
from ccanalysis.workspace import Source

if TYPE_CHECKING:
    import pyarrow as pa

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_CONTROL = r"'[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}]'"


def columns_of(path: Path, shown: Path) -> tuple[Records, pa.Schema]:
    """Read the names and the number of rows of a Parquet file.

    Raises:
        ContractError: It is not a whole Parquet file.
        NoInputError: It has no row.
    """
    import pyarrow as pa  # noqa: PLC0415  0.3 s
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        with pq.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowInvalid, OSError):
        raise ContractError(
            "the file is not a whole Parquet file", remedy="Export it again", place=place(shown)
        ) from None
    if rows == 0:
        raise NoInputError("the file has no row", remedy="Export it again", place=place(shown))
    return Records(header=list(schema.names), written=rows, lines=rows), schema


def relation(source: Source, path: Path, schema: pa.Schema, used: tuple[int, ...], shown: Path, *, number: int) -> str:
    """Write the query that reads a Parquet file as marked text.

    Raises:
        ContractError: A mapped column is nested or binary.
    """
    import pyarrow.types as kinds  # noqa: PLC0415

    cells, texts = [], []
    for position in used:
        column = schema.field(position)
        kind, name = column.type, quoted(column.name)
        if kinds.is_dictionary(kind):
            kind = kind.value_type
        if kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind):
            text = name
            texts.append(name)
        elif kinds.is_boolean(kind):
            text = f"CASE WHEN {name} THEN 'TRUE' WHEN NOT {name} THEN 'FALSE' END"
        elif kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind):
            text = f"{name}::VARCHAR"
            if kinds.is_floating(kind):  # 12.0 is written 12, as a whole number that had gaps was meant; NaN is a gap
                whole = f"{name} = floor({name}) AND abs({name}) < 1e15"
                text = f"CASE WHEN isnan({name}) THEN NULL WHEN {whole} THEN {name}::BIGINT::VARCHAR ELSE {text} END"
            text = f"replace({text}, '.', {literal(source.decimal)})"
        elif kinds.is_timestamp(kind) and kind.tz:
            text = f"{literal(MARK + 'd')} || strftime(timezone('UTC', {name}), '%Y-%m-%d %H:%M:%S.%f+00')"
        elif kinds.is_timestamp(kind):
            text = f"{literal(MARK + 'd')} || strftime({name}::TIMESTAMP, '%Y-%m-%d %H:%M:%S.%f')"
        elif kinds.is_date(kind):
            text = f"{literal(MARK + 'd')} || strftime({name}::TIMESTAMP, '%Y-%m-%d %H:%M:%S')"
        elif kinds.is_time(kind):
            text = f"{literal(MARK + 't')} || {name}::VARCHAR"
        elif kinds.is_duration(kind):  # the engine reads it as a whole number of its unit
            seconds = f"abs({name}) // {_PER_SECOND[kind.unit]}"
            sign = f"CASE WHEN {name} < 0 THEN '-' ELSE '' END"
            clock = f"printf('%d:%02d:%02d', {seconds} // 3600, {seconds} // 60 % 60, {seconds} % 60)"
            text = f"{literal(MARK + 't')} || {sign} || {clock}"
        else:
            raise ContractError(
                f"the column holds {kind}, which no mapping can read",
                remedy="Export it as text, number, date or time",
                place=place(shown, column=column.name),
            )
        cells.append(f"{text} AS c{position}")
    control = " OR ".join(f"coalesce(regexp_matches({name}, {_CONTROL}), false)" for name in texts) or "false"
    selected = ", ".join([f"{number} AS _file", "file_row_number + 1 AS _row", f"({control}) AS _control", *cells])
    return f"SELECT {selected} FROM read_parquet({literal(path)}, file_row_number = true)"

"""JSON files: the objects in them, each with the line that it begins on, in bounded memory.

A line may hold one record, several or a list of them; a file may be one document with its records in a list. What is no
JSON is a fault of its line, and a document that is not whole is refused.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ccanalysis.errors import ContractError, NoInputError, place
from ccanalysis.sources import csv_files
from ccanalysis.sources.csv_files import Records
from ccanalysis.vendors.common import Record

MAX_DOCUMENT = 64 << 20  # bytes of one line, or of a document that is read whole


def json_records(path: Path, records: Records, *, envelope: str = "") -> Iterator[tuple[int, Record | str]]:
    """Yield the objects of a JSON file with the lines that they begin on.

    JSON lines are read line by line; a line may hold several objects, a list, or a document with a list under
    `envelope`. A file that is one document over several lines is read whole.

    Args:
        path: The file.
        records: Takes the digest of its bytes.
        envelope: The field of a document that holds the records.

    Yields:
        Line and object, or line and the rule that the line broke.

    Raises:
        ContractError: A document is not whole, or larger than can be read at once.
        NoInputError: The file has nothing but blanks.
    """
    if is_document(path):
        yield from _document(path, records, envelope)
        return
    raw = csv_files.Hashing(path)
    found = False
    with io.BufferedReader(raw, 1 << 20) as file:  # type: ignore[type-var]
        for row, line in physical_lines(file, path):
            try:
                written = line.decode("utf-8-sig" if row == 1 else "utf-8").strip()
                objects = _objects(written)
            except (ValueError, RecursionError):
                found = True
                yield row, "json"
                continue
            for value in objects:
                found = True
                for one in _unwrapped(value, envelope):
                    yield row, one if isinstance(one, dict) else "record"
    records.sha256 = raw.digest.hexdigest()
    if not found:
        raise NoInputError("the file has no line with text", remedy="Export it again", place=place(path))


def _objects(written: str) -> list[Any]:
    """Return the values that stand in one line, mostly one."""
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    values, position = [], 0
    while position < len(written):
        value, position = decoder.raw_decode(written, position)
        values.append(value)
        while position < len(written) and written[position] in " \t\r,":
            position += 1
    return values


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _unwrapped(value: Any, envelope: str) -> list[Any]:
    if isinstance(value, list):
        return value
    if envelope and isinstance(value, dict) and isinstance(value.get(envelope), list):
        return value[envelope]
    return [value]


def physical_lines(file: Any, path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file that are not blank, with their numbers.

    Raises:
        ContractError: A line is longer than can be read at once.
    """
    row = 0
    while line := file.readline(MAX_DOCUMENT):
        row += 1
        if len(line) == MAX_DOCUMENT:
            raise ContractError(
                f"a line is longer than {MAX_DOCUMENT >> 20} MiB",
                remedy="Export it as JSON lines, one record a line",
                place=place(path, row=row),
            )
        if line.strip():
            yield row, line


def is_document(path: Path) -> bool:
    """Tell whether a file is one JSON document over several lines, and not one record a line."""
    with path.open("rb") as file:
        first = next((line for line in iter(lambda: file.readline(MAX_DOCUMENT), b"") if line.strip()), b"")
        rest = file.readline(16)
    stripped = first.removeprefix(b"\xef\xbb\xbf").strip()
    if not rest or not stripped:
        return False
    if stripped in (b"{", b"["):
        return True
    try:
        _objects(stripped.decode("utf-8"))
    except (ValueError, RecursionError):
        if stripped[:1] == b"[":
            return True
        if path.stat().st_size > MAX_DOCUMENT:
            return False
        try:
            json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            return False
        return True
    return False


def _document(path: Path, records: Records, envelope: str) -> Iterator[tuple[int, Record | str]]:
    if path.stat().st_size > MAX_DOCUMENT:
        raise ContractError(
            f"the file is one JSON document of more than {MAX_DOCUMENT >> 20} MiB",
            remedy="Export it as JSON lines, one record a line, or in smaller files",
            place=place(path),
        )
    raw = path.read_bytes()
    records.sha256 = hashlib.sha256(raw).hexdigest()
    try:
        written = raw.decode("utf-8-sig")
        value = json.loads(written, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ContractError(
            "the file is not whole JSON, so it is damaged, cut or still being written",
            remedy="Export it again, or run when the export is complete",
            place=place(path, row=getattr(error, "lineno", None)),
        ) from None
    ones = _unwrapped(value, envelope)
    lines = _lines_of(written, value, ones, envelope)
    for row, one in zip(lines, ones, strict=True):
        yield row, one if isinstance(one, dict) else "record"


def _lines_of(written: str, value: Any, ones: Sequence[Any], envelope: str) -> list[int]:
    """Find the line on which each record of a document begins."""
    if ones and ones[0] is value:
        return [written.count("\n", 0, written.index("{")) + 1]
    opened = re.search(r"\[" if isinstance(value, list) else rf'"{re.escape(envelope)}"\s*:\s*\[', written)
    decoder, lines = json.JSONDecoder(), []
    position = opened.end() if opened else 0
    line, counted = 1, 0
    for _ in ones:
        position += len(written[position : position + 10_000]) - len(
            written[position : position + 10_000].lstrip(" \t\r\n,")
        )
        line, counted = line + written.count("\n", counted, position), position
        lines.append(line)
        try:
            _, position = decoder.raw_decode(written, position)
        except ValueError:  # the field stands elsewhere too
            return [1] * len(ones)
    return lines

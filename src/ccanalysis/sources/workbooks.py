"""Excel workbooks, read by a child process with bounded memory and time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from ccanalysis.errors import ContractError, NoInputError, place
from ccanalysis.sources.csv_files import Records
from ccanalysis.sources.door import Door
from ccanalysis.workspace import Source

MAX_CELLS = 2_000_000
MAX_UNPACKED = 1 << 30  # bytes
MEMORY = 2 << 30  # bytes of address space; two million cells of text need about a quarter of it
SECONDS = 60


def number_rows(source: Source, path: Path, shown: Path, work: Path, *, number: int, door: Door) -> Records:
    """Write the rows of a worksheet to a numbered file, one record per line.

    Args:
        source: The declared sheet and decimal mark.
        path: The workbook's own copy.
        shown: The path that errors name.
        work: The file to write.
        number: The number of the file, which begins every line.
        door: Masks card data before a row is written; its counts are added to.

    Raises:
        ContractError: The workbook cannot be read, or not within bounds.
        NoInputError: The sheet has no row.
    """
    request, answer = work.with_suffix(".request.json"), work.with_suffix(".answer.json")
    request.write_text(
        json.dumps(
            {
                "path": str(path),
                "work": str(work),
                "answer": str(answer),
                "sheet": source.sheet,
                "decimal": source.decimal,
                "number": number,
                "skip_lines": source.skip_lines,
                "max_cells": MAX_CELLS,
                "max_unpacked": MAX_UNPACKED,
                "memory": MEMORY,
                "seconds": SECONDS,
                "kept": sorted(door.kept),
            }
        ),
        encoding="utf-8",
    )
    child = Path(__file__).with_name("_workbook_child.py")
    try:
        ended = subprocess.run(
            [sys.executable, "-I", str(child), str(request)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=2 * SECONDS,
            check=False,
            cwd=work.parent,
        ).returncode
    except subprocess.TimeoutExpired:
        ended = -1
    content = json.loads(answer.read_text(encoding="utf-8")) if ended in (0, 3) and answer.is_file() else {}
    for file in (request, answer):
        file.unlink(missing_ok=True)
    if ended == 3:
        raise ContractError(
            content["problem"], remedy=content["remedy"], place=place(shown, row=content["row"] or None)
        )
    if not content:
        raise ContractError(
            f"the workbook cannot be read within {MEMORY >> 30} GiB and {SECONDS} seconds",
            remedy="Delete cells far away from the table, or export it as CSV or Parquet",
            place=place(shown),
        )
    door.cards += content.pop("cards")
    door.codes += content.pop("codes")
    records = Records(**content)
    records.faults = [(row, rule) for row, rule in records.faults]
    if not records.header:
        raise NoInputError("the sheet has no row", remedy="Export it again", place=place(shown))
    return records

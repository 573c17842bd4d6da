"""Workbooks for a spreadsheet: typed values, texts that start no formula, the same bytes for the same rows.

Source:
    ECMA-376, part 1, 22.9.2.19: `_x0041_` in a text stands for a character; `_x005F_` keeps it as it is written.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from ccanalysis import export

MOST_ROWS = 100_000
_LONGEST_TEXT = 32_767
_WIDEST = 60
_CODED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_NOT_XML = re.compile("[\ufffe\uffff]")


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One sheet: a heading row that stays in sight, and rows below it.

    Attributes:
        name: What the sheet is called.
        columns: Its headings.
        rows: Texts, numbers, days, true and false; None where there is no data. A list becomes one text.
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def build(sheets: Sequence[Sheet], *, title: str, day: date) -> bytes:
    """Return a workbook as the bytes of an XLSX file.

    Args:
        sheets: The sheets; of each the first `MOST_ROWS` rows are written.
        title: What the workbook is about.
        day: What stands in it as the day it was made, so that equal rows give equal bytes.
    """
    from openpyxl import Workbook  # noqa: PLC0415  0.3 s
    from openpyxl.styles import Alignment, Font  # noqa: PLC0415

    book = Workbook()
    book.remove(book.active)
    made = datetime.combine(day, time())
    book.properties.creator, book.properties.title = "ccanalysis", safe_text(title)
    book.properties.created = book.properties.modified = made
    bold, wrapped = Font(bold=True), Alignment(wrap_text=True, vertical="top")
    for sheet in sheets:
        page = book.create_sheet(sheet.name)
        widths: dict[int, int] = {}
        for number, row in enumerate([sheet.columns, *sheet.rows[:MOST_ROWS]], start=1):
            for place, value in enumerate(row):
                plain = _plain(value)
                if plain is None:
                    continue
                cell = page.cell(row=number, column=place + 1, value=plain)
                if isinstance(plain, str):
                    cell.data_type = "s"  # never a formula, and never an error such as #N/A
                    widths[place] = max(widths.get(place, 0), min(len(plain), _WIDEST))
                    if len(plain) > _WIDEST:
                        cell.alignment = wrapped
                elif isinstance(plain, date):
                    cell.number_format = "yyyy-mm-dd"
                    widths[place] = max(widths.get(place, 0), 10)
                if number == 1:
                    cell.font = bold
        for place, width in sorted(widths.items()):
            page.column_dimensions[page.cell(row=1, column=place + 1).column_letter].width = width + 2
        page.freeze_panes = "A2"
    return _written(book)


def safe_text(text: str) -> str:
    """Return a text as a cell may hold it: shown and not run, in characters that XML knows, no longer than a cell is.

    Examples:
        >>> safe_text("=1+1"), safe_text("_x003D_1+1"), len(safe_text("x" * 40_000))
        ("'=1+1", '_x005F_x003D_1+1', 32767)
    """
    plain = _CODED.sub("_x005F_", export.safe_cell(_NOT_XML.sub(" ", text)))
    return plain if len(plain) <= _LONGEST_TEXT else plain[: _LONGEST_TEXT - 1] + "…"


def _plain(value: Any) -> Any:
    """Return a value as a cell can hold it."""
    value = export.plain(value)
    if isinstance(value, list):
        value = "; ".join(value)
    if isinstance(value, str):
        return safe_text(value)
    return value if value is None or isinstance(value, (bool, int, float, date)) else safe_text(str(value))


def _written(book: Any) -> bytes:
    """Write a workbook in memory: nothing of it in a temporary file, no clock in it."""
    from openpyxl.worksheet._writer import WorksheetWriter  # noqa: PLC0415
    from openpyxl.writer.excel import ExcelWriter  # noqa: PLC0415

    class Writer(ExcelWriter):  # type: ignore[misc]
        def write_worksheet(self, ws: Any) -> None:
            ws._drawing = None
            sheet = WorksheetWriter(ws, out=io.BytesIO())
            sheet.write()
            ws._rels = sheet._rels
            self._archive.writestr(ws.path[1:], sheet.out.getvalue())
            self.manifest.append(ws)

    out = io.BytesIO()
    Writer(book, _Undated(out, "w", zipfile.ZIP_DEFLATED)).save()
    return out.getvalue()


class _Undated(zipfile.ZipFile):
    """An archive whose members all bear the same day."""

    def writestr(self, name: Any, content: Any, *_: Any, **__: Any) -> None:  # type: ignore[override]
        member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
        member.compress_type, member.create_system, member.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
        super().writestr(member, content)

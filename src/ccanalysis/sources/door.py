"""Card data stay outside: every record is looked at before it is written anywhere, even for a moment.

What a person or a form writes is seen here; a number that is broken up by words is seen where free text is kept. Cells
that fill an identifier, a time or a number are left alone: their texts are never kept as texts for people, and an order
number may have the digits of a card. In all other cells, mapped or not, card numbers and security codes are masked, and
counted.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from ccanalysis.contracts import Table
from ccanalysis.sources.card_numbers import mask
from ccanalysis.workspace import Source

# What is quickly seen in megabytes of records: enough digits in a row, the name of a code, or numbers in words.
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_BETWEEN_DIGITS = b" .-/_()*\xc2\xa0\xe2\x80\x90\x91\x92\x93\x94\x95"
_ENOUGH = b"0" * 13
_NAMES = (b"cv", b"csc", b"securit", b"verificat", b"signature", b"the back", b"the reverse")
_WORDS = (b"zero", b"nought", b"one", b"two", b"three", b"four", b"five", b"six", b"seven", b"eight", b"nine")
_OTHER_DIGITS = re.compile(r"[\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\uff10-\uff19]")


def suspect(text: str) -> bool:
    """Tell quickly whether a text may hold card data that is not broken up by other words."""
    if not text.isascii() and _OTHER_DIGITS.search(text):
        return True
    encoded = text.encode("utf-8", "surrogatepass").lower()
    if _ENOUGH in encoded.translate(_DIGITS, _BETWEEN_DIGITS):
        return True
    return any(name in encoded for name in _NAMES) or sum(map(encoded.count, _WORDS)) >= 5


def identifying(source: Source, table: Table) -> set[str]:
    """Return the export columns that fill an identifier, a time or a number, in which nothing is masked."""
    named: set[str] = set()
    for name, mapping in source.columns.items():
        if name not in table:
            continue
        column = table.column(name)
        if column.type != "text" or column.values or name in table.key or name.endswith("_id"):
            named |= set(mapping.columns)
    return named


class Door:
    """Masks card data in records.

    Args:
        kept: The names of columns in which nothing is masked.
        delimiter: What stands between fields.
        quote: The quote character, or empty for none.

    Attributes:
        cards: How many card numbers were masked.
        codes: How many security codes were masked.
    """

    def __init__(self, kept: set[str], *, delimiter: str, quote: str) -> None:
        self.kept = kept
        self.delimiter, self.quote = delimiter, quote
        self.cards = self.codes = 0

    def screen(self, block: str, header: Sequence[str], *, before: int) -> str:
        """Mask the lines of a block of records.

        Args:
            block: Whole lines.
            header: The names of the columns.
            before: How many fields stand in each line before the first column.
        """
        if not suspect(block):
            return block
        lines = block.split("\n")
        return "\n".join(self._line(line, header, before) if suspect(line) else line for line in lines)

    def cells(self, cells: list[str], header: Sequence[str]) -> list[str]:
        """Mask the cells of one record."""
        masked = []
        for place, cell in enumerate(cells):
            if place < len(header) and header[place] in self.kept:
                masked.append(cell)
                continue
            found = mask(cell)
            self.cards += found.cards
            self.codes += found.codes
            masked.append(found.text)
        return masked

    def _line(self, line: str, header: Sequence[str], before: int) -> str:
        quoted = bool(self.quote) and self.quote in line
        if quoted:
            reader = csv.reader(io.StringIO(line, newline=""), delimiter=self.delimiter, quotechar=self.quote)
            cells = next(reader, [])
        else:
            cells = line.split(self.delimiter)
        masked = self.cells(cells[before:], header)
        if masked == cells[before:]:
            return line
        if not quoted:
            return self.delimiter.join([*cells[:before], *masked])
        out = io.StringIO(newline="")
        writer = csv.writer(
            out, delimiter=self.delimiter, quotechar=self.quote, quoting=csv.QUOTE_ALL, lineterminator=""
        )
        writer.writerow(masked)
        return self.delimiter.join([*cells[:before], out.getvalue()])

"""CSV exports: every physical line is header, blank, part of a numbered record, or a fault with its row.

The embedded engine's CSV reader has four traps (measured): it guesses dialects, it counts records where people count
lines, an unclosed quote swallows the rest of a file, and columns are matched by position. So each file is first
rewritten, in one pass, as one line per record that begins with its file and true row number: decoded as declared,
control characters and unclosed quotes taken out with their reason. What the engine then rejects carries its number with
it, and a number that does not come back shows that a record was swallowed.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ccanalysis.errors import ContractError, NoInputError, SettingsError, place
from ccanalysis.sources.cells import Blanks
from ccanalysis.sources.door import Door
from ccanalysis.workspace import SETTINGS_FILE, Source

INNER_NEWLINE = "\x1e"  # stands for a line break inside a quoted value; a row that holds one itself is quarantined
WIDE_BLANKS = ("\u00a0", "\u202f", "\ufeff")
MAX_ROW = 1_000_000  # characters
MAX_ROW_LINES = 10_000  # lines that one quoted value may run over
CHUNK = 1 << 22
_CONTROLS = bytes([*range(9), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F])
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
MOJIBAKE = re.compile("[ÂÃ][\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â€")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAGIC = (
    (b"PK\x03\x04", "the file is a workbook or an archive, not a CSV file", 'Set format = "excel", or unpack it'),
    (
        b"\xd0\xcf\x11\xe0",
        "the file is an old or encrypted workbook, not a CSV file",
        "Save it as CSV or as .xlsx without password",
    ),
    (b"PAR1", "the file is a Parquet file, not a CSV file", 'Set format = "parquet"'),
    (b"\x1f\x8b", "the file is compressed", "Unpack it first"),
)


@dataclass
class Records:
    """What one pass over a CSV file found.

    Attributes:
        header: The names in the header, in file order.
        header_row: The row the header stands on.
        written: Records written to the numbered file.
        faults: Row and rule of each record that was not written.
        lines: Physical lines of the file.
        title_lines: Lines above the header.
        header_lines: Lines of the header itself.
        blank: Lines without any value between the header and the end.
        repeated: Times that the header came again.
        inner_lines: Line breaks inside quoted values of written records.
        blanks: What cells may begin or end with: `none`, `spaces` or `any` blanks.
        mojibake: Whether UTF-8 seems to have been read as a Windows code page somewhere.
        sha256: The digest of the bytes that were read.
    """

    header: list[str] = field(default_factory=list)
    header_row: int = 0
    written: int = 0
    faults: list[tuple[int, str]] = field(default_factory=list)
    lines: int = 0
    title_lines: int = 0
    header_lines: int = 0
    blank: int = 0
    repeated: int = 0
    inner_lines: int = 0
    blanks: Blanks = "any"
    mojibake: bool = False
    sha256: str = ""


class Hashing(io.RawIOBase):
    """A file opened for reading that hashes what is read."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        count = self._file.readinto(buffer) or 0
        self.digest.update(memoryview(buffer)[:count])
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def check_dialect(source: Source) -> None:
    """Refuse a dialect that cannot be read.

    Raises:
        SettingsError: The delimiter, quote, encoding or marks of numbers are not usable; the source's line is named.
    """

    def refuse(problem: str, remedy: str) -> SettingsError:
        at = place(SETTINGS_FILE, line=source.line)
        return SettingsError(f"source {source.name!r}: {problem}", remedy=remedy, place=at)

    if source.thousands and (len(source.thousands) > 1 or source.thousands.isalnum() or source.thousands in "+-%"):
        raise refuse("'thousands' must be one mark such as a comma, or empty", 'Write for example thousands = ","')
    if source.thousands == source.decimal:
        raise refuse("'thousands' and 'decimal' are the same mark", "Declare the mark that the export uses for each")
    if source.skip_lines < 0:
        raise refuse("'skip_lines' is negative", "Give the number of lines above the header")
    if source.format != "csv":
        return
    if len(source.delimiter) != 1 or not (source.delimiter.isprintable() or source.delimiter == "\t"):
        raise refuse("'delimiter' must be one printable character or a tab", 'Write for example delimiter = ";"')
    if len(source.quote) > 1 or (source.quote and not source.quote.isprintable()) or source.quote == source.delimiter:
        raise refuse(
            "'quote' must be one printable character other than the delimiter, or empty",
            "Write for example quote = '\"'",
        )
    try:
        known = codecs.lookup(source.encoding)
        "".encode(source.encoding)
    except (LookupError, ValueError):
        known = None
    if known is None or not getattr(known, "_is_text_encoding", True):
        raise refuse(f"there is no encoding {source.encoding!r}", 'Write for example encoding = "cp1252"')


def encoding_of(source: Source, path: Path) -> str:
    """Return the encoding a file is read with: that of its byte order mark, else the declared one."""
    with path.open("rb") as file:
        head = file.read(4)
    for magic, problem, remedy in _MAGIC:
        if head.startswith(magic):
            raise ContractError(problem, remedy=remedy, place=place(path))
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return encoding
    return source.encoding


def number_records(
    source: Source, path: Path, work: Path, *, number: int, door: Door, careful: bool = False
) -> Records:
    """Rewrite a CSV file as UTF-8 with one numbered record per line.

    Args:
        source: The declared dialect.
        path: The export.
        work: The file to write: no header, the first two fields are `number` and the row.
        number: The number of the file.
        door: Masks card data before a record is written.
        careful: Whether every line with a quote character is scanned, not only those with an odd number of them.

    Returns:
        What was found; `header` is not yet compared with the mapping.

    Raises:
        ContractError: The bytes are not of the declared encoding, or the last record is cut.
        NoInputError: The file has no byte or no line.
    """
    at = place(path)
    if path.stat().st_size == 0:
        raise NoInputError("the file is empty (0 bytes)", remedy="Export it again", place=at)
    encoding = encoding_of(source, path)
    raw = Hashing(path)
    pass_ = _Pass(source, path, number=number, careful=careful)
    try:
        with (
            io.TextIOWrapper(io.BufferedReader(raw, 1 << 20), encoding=encoding) as text,  # type: ignore[type-var]
            work.open("w", encoding="utf-8", newline="\n") as out,
        ):
            for lines, terminated in _chunks(text, path):
                out.write(door.screen(pass_.feed(lines, terminated=terminated), pass_.records.header, before=2))
            out.write(door.screen(pass_.finish(), pass_.records.header, before=2))
    except UnicodeDecodeError:
        raise _undecodable(source, path, encoding) from None
    except UnicodeError as error:  # a surrogate that the declared encoding lets through
        raise ContractError(f"the text cannot be kept as Unicode ({type(error).__name__})", place=at) from None
    records = pass_.records
    records.sha256 = raw.digest.hexdigest()
    if not records.header:
        raise NoInputError("the file has no line with text", remedy="Export it again", place=at)
    return records


def read_header(source: Source, path: Path) -> Records:
    """Read a CSV file up to its header.

    Raises:
        ContractError: The bytes are not of the declared encoding, or the header is not closed.
        NoInputError: There is no line with text.
    """
    encoding = encoding_of(source, path)
    pass_ = _Pass(source, path, number=0, careful=False)
    try:
        with path.open(encoding=encoding, newline=None) as text:
            while not pass_.header_line and (line := text.readline(MAX_ROW)):
                pass_.feed([line.rstrip("\n")], terminated=True)
            pass_.finish()
    except UnicodeError:
        raise _undecodable(source, path, encoding) from None
    if not pass_.records.header:
        raise NoInputError("the file has no line with text", remedy="Export it again", place=place(path))
    return pass_.records


def _chunks(text: io.TextIOBase, path: Path) -> Iterator[tuple[list[str], bool]]:
    """Yield the physical lines of a file in lists, and whether each list ends with a line end."""
    rest, seen = "", 0
    while chunk := text.read(CHUNK):
        lines = (rest + chunk).split("\n")
        rest = lines.pop()
        seen += len(lines)
        if len(rest) > 4 * CHUNK:
            raise ContractError(
                f"a line is longer than {4 * CHUNK:,} characters",
                remedy="Check that this is a text file with one record per line",
                place=place(path, row=seen + 1),
            )
        yield lines, True
    if rest:
        yield [rest], False


class _Pass:
    """One pass over the lines of a file."""

    def __init__(self, source: Source, path: Path, *, number: int, careful: bool) -> None:
        self.path = path
        self.prefix = f"{number}{source.delimiter}"
        self.records = Records(blanks="none")
        self.delimiter = source.delimiter
        self.quote = source.quote
        self.skip = source.skip_lines
        self.careful = careful
        self.blank_characters = f"{self.delimiter}{self.quote} \t\u00a0\ufeff"
        edges = [self.delimiter, "\n", *self.quote]
        self.spaced_edges = [spaced for edge in edges for spaced in (edge + " ", " " + edge)]
        self.open: list[tuple[int, str]] = []  # lines of a record whose quoted value is not closed yet
        self.open_size = 0
        self.fields = 0
        self.header_line = ""
        self.unterminated = 0  # the row of a last line without line end

    def feed(self, lines: list[str], *, terminated: bool) -> str:
        """Take the next lines and return what to write for them."""
        start = self.records.lines + 1
        self.records.lines += len(lines)
        if not terminated:
            self.unterminated = self.records.lines
        numbered: Iterator[tuple[int, str]] = enumerate(lines, start)
        joined = "\n".join(["", *lines, ""])
        if self.records.blanks != "any":
            if (self.delimiter != "\t" and "\t" in joined) or any(blank in joined for blank in WIDE_BLANKS):
                self.records.blanks = "any"
            elif self.records.blanks == "none" and any(edge in joined for edge in self.spaced_edges):
                self.records.blanks = "spaces"
        if not (self.records.mojibake or joined.isascii()) and any(sign in joined for sign in ("Ã", "Â", "â€")):
            self.records.mojibake = MOJIBAKE.search(joined) is not None
        encoded = joined.encode("utf-8")
        controls = len(encoded.translate(None, _CONTROLS)) != len(encoded) or (
            b"\xc2" in encoded and _CONTROL.search(joined) is not None
        )
        if controls or self.open or not terminated or self._quoted(lines, joined):
            return self._slow(numbered)
        begin = []
        while not self.header_line and (first := next(numbered, None)):
            begin.append(self._slow([first]))
        header, blank, prefix, delimiter = self.header_line, self.blank_characters, self.prefix, self.delimiter
        if any(len(line) > MAX_ROW for line in lines):
            return "".join([*begin, self._slow(numbered)])
        body = lines[len(begin) :]
        out = [f"{prefix}{n}{delimiter}{line}\n" for n, line in numbered if line.strip(blank) and line != header]
        self.records.written += len(out)
        if len(out) != len(body):
            repeated = body.count(header)
            self.records.repeated += repeated
            self.records.blank += len(body) - len(out) - repeated
        return "".join([*begin, *out])

    def _quoted(self, lines: list[str], joined: str) -> bool:
        """Tell whether quoting must be followed line by line: somewhere a quoted value seems to stay open."""
        if not self.quote or self.quote not in joined:
            return False
        return self.careful or any(line.count(self.quote) % 2 for line in lines)

    def finish(self) -> str:
        """Close what is open at the end of the file and return what to write for it."""
        out = []
        while self.open:
            queue: deque[tuple[int, str]] = deque()
            self._unclosed(queue)
            out.append(self._slow(queue))
        cut = self.unterminated
        if cut and self.records.faults and self.records.faults[-1] == (cut, "quote"):
            raise self.cut_error(cut)
        return "".join(out)

    def cut_error(self, row: int) -> ContractError:
        return cut_error(self.path, row)

    def _slow(self, numbered: Iterable[tuple[int, str]]) -> str:
        queue, out = deque(numbered), list[str]()
        while queue:
            row, line = queue.popleft()
            if self.skip and not self.header_line:
                self.skip -= 1
                self.records.title_lines += 1
            elif self.open:
                self._continue(row, line, queue, out)
            elif not line.strip(self.blank_characters):
                if self.header_line:
                    self.records.blank += 1
                else:
                    self.records.title_lines += 1
            elif self.quote and (
                line.count(self.quote) % 2 or ((self.careful or not self.header_line) and self.quote in line)
            ):
                verdict, self.fields = _scan(line, self.delimiter, self.quote, quoted=False, fields=1)
                if verdict == "whole":
                    self._emit([(row, line)], out)
                elif verdict == "broken":
                    self._fault(row, "quote")
                else:
                    self.open, self.open_size = [(row, line)], len(line)
            else:
                self._emit([(row, line)], out)
        return "".join(out)

    def _continue(self, row: int, line: str, queue: deque[tuple[int, str]], out: list[str]) -> None:
        self.open.append((row, line))
        self.open_size += len(line) + 1
        verdict = "open"
        if self.quote in line:
            verdict, self.fields = _scan(line, self.delimiter, self.quote, quoted=True, fields=self.fields)
        width = len(self.records.header)
        if verdict == "open":
            if len(self.open) > MAX_ROW_LINES or self.open_size > MAX_ROW:
                self._unclosed(queue)
        elif verdict == "whole" and (not self.header_line or (self.fields == width and not self._swallowed(width))):
            lines, self.open = self.open, []
            self._emit(lines, out)
        else:
            self._unclosed(queue)

    def _swallowed(self, width: int) -> bool:
        """Tell whether a quoted value runs over a line that is a whole record itself."""
        if width < 5:
            return False
        return any(line.count(self.delimiter) == width - 1 for _, line in self.open[1:-1])

    def _unclosed(self, queue: deque[tuple[int, str]]) -> None:
        """Quarantine the line where an unclosed value begins, and take the lines after it again."""
        (row, _), *again = self.open
        self.open = []
        self._fault(row, "quote")
        queue.extendleft(reversed(again))

    def _fault(self, row: int, rule: str) -> None:
        if not self.header_line:
            raise ContractError(
                "the header has a quoted value that is not closed",
                remedy="Correct 'quote' or 'skip_lines', or export the file again",
                place=place(self.path, row=row),
            )
        self.records.faults.append((row, rule))

    def _emit(self, lines: list[tuple[int, str]], out: list[str]) -> None:
        row, text = lines[0][0], "\n".join(line for _, line in lines)
        if not self.header_line:
            self._take_header(row, text, len(lines))
        elif text == self.header_line:
            self.records.repeated += 1
        elif _CONTROL.search(text):
            self._fault(row, "control")
        elif len(text) > MAX_ROW:
            self._fault(row, "length")
        elif row == self.unterminated and not (self.quote and text.endswith(self.quote)):
            self._last(row, text)
        else:
            self.records.written += 1
            self.records.inner_lines += len(lines) - 1
            out.append(f"{self.prefix}{row}{self.delimiter}{text.replace(chr(10), INNER_NEWLINE)}\n")

    def _last(self, row: int, text: str) -> None:
        """Judge a last row without line end: cut for certain where fields are missing, else perhaps."""
        fields = split(text, self.delimiter, self.quote)
        if len(fields) < len(self.records.header):
            raise self.cut_error(row)
        self._fault(row, "cut" if len(fields) == len(self.records.header) else "fields_extra")

    def _take_header(self, row: int, text: str, lines: int) -> None:
        self.header_line = text
        self.records.header_row = row
        self.records.header_lines = lines
        names = split(text, self.delimiter, self.quote)
        self.records.header = [name.strip(" \t\ufeff") for name in names]


def split(text: str, delimiter: str, quote: str) -> list[str]:
    """Split one record into its fields.

    Examples:
        >>> split('1,"a, b"', ",", '"')
        ['1', 'a, b']
    """
    lines = io.StringIO(text, newline="")
    if not quote:
        return next(csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE), [])
    return next(csv.reader(lines, delimiter=delimiter, quotechar=quote), [])


def cut_error(path: Path, row: int) -> ContractError:
    """Say that a file ends in the middle of a record."""
    return ContractError(
        "the file ends in the middle of this row, so it was cut or is still being written",
        remedy="Export it again, or run when the export is complete",
        place=place(path, row=row),
    )


def _scan(line: str, delimiter: str, quote: str, *, quoted: bool, fields: int) -> tuple[str, int]:
    """Follow the quoting of one line.

    Returns:
        Whether the line ends a record (`whole`), leaves a quoted value open (`open`) or has text after a closing
        quote (`broken`); and the fields counted so far.

    Examples:
        >>> _scan('1,"a', ",", '"', quoted=False, fields=1)
        ('open', 2)
        >>> _scan('b",2', ",", '"', quoted=True, fields=2)
        ('whole', 3)
        >>> _scan('1,"a"b', ",", '"', quoted=False, fields=1)
        ('broken', 2)
    """
    at, end = 0, len(line)
    while True:
        if quoted:
            at = line.find(quote, at)
            if at < 0:
                return "open", fields
            at += 1
            if line.startswith(quote, at):
                at += 1
                continue
            quoted = False
            while at < end and line[at] == " ":
                at += 1
            if at == end:
                return "whole", fields
            if line[at] != delimiter:
                return "broken", fields
            at += 1
            fields += 1
        else:
            begin = at
            while begin < end and line[begin] == " ":
                begin += 1
            if line.startswith(quote, begin):
                quoted, at = True, begin + 1
                continue
            at = line.find(delimiter, at)
            if at < 0:
                return "whole", fields
            at += 1
            fields += 1


def _undecodable(source: Source, path: Path, encoding: str) -> ContractError:
    """Find the first byte that the encoding cannot read, and offer one that can."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line, column = 1, 1
    with path.open("rb") as file:
        while chunk := file.read(1 << 16):
            state = decoder.getstate()
            try:
                text = decoder.decode(chunk)
            except UnicodeDecodeError:
                decoder.setstate(state)
                line, column = _walk(decoder, chunk, line, column)
                break
            line += text.count("\n")
            column = column + len(text) if "\n" not in text else len(text) - text.rfind("\n")
    offered = next((other for other in ("utf-8", "cp1252", "latin-1") if other != encoding and _reads(path, other)), "")
    at = place(SETTINGS_FILE, line=source.line)
    remedy = f'Add encoding = "{offered}" to source {source.name!r} ({at})' if offered else "Export it again as UTF-8"
    return ContractError(
        f"character {column} of this row cannot be read as {encoding.removesuffix('-sig')}",
        remedy=remedy,
        place=place(path, row=line),
    )


def _walk(decoder: codecs.IncrementalDecoder, chunk: bytes, line: int, column: int) -> tuple[int, int]:
    for byte in chunk:
        try:
            text = decoder.decode(bytes([byte]))
        except UnicodeDecodeError:
            break
        for character in text:
            line, column = (line + 1, 1) if character == "\n" else (line, column + 1)
    return line, column


def _reads(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True

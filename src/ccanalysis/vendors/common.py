"""What every vendor format says of itself, and the few helpers that their modules share."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

Record = Mapping[str, Any]
Fate = str  # "" a row; `repeat`, `aside`, or the rule that the record broke
REPEAT, ASIDE = "repeat", "aside"
HEAD_BYTES = 1 << 18
HEAD_RECORDS = 20
ENVELOPES = ("conversations", "ticket_metrics", "calls")  # documents of an interface keep their records below these


class Leg(NamedTuple):
    """One record of an export, flattened.

    Attributes:
        file: The number of the file.
        row: The line that it stands on.
        values: Flat column -> text, or None where the record says nothing.
    """

    file: int
    row: int
    values: Mapping[str, str | None]


class Told(NamedTuple):
    """What became of one record.

    Attributes:
        file: The number of the file.
        row: The line that stands for it.
        fate: Empty for a row of the table; `repeat`, `aside`, or the rule that was broken.
        values: The flat columns of a row.
    """

    file: int
    row: int
    fate: Fate
    values: Mapping[str, Any]


@dataclass
class Reading:
    """What is known while one file is read.

    Attributes:
        name: The file.
        header: Its columns, where it has a header.
        form: Which of a vendor's writings the file has, once that is decided.
    """

    name: str
    header: Sequence[str] = ()
    form: str = ""


class RefusedError(Exception):
    """A record shows that its whole file must not be read as it stands."""

    def __init__(self, problem: str, remedy: str) -> None:
        """Keep what is wrong and what to do about it."""
        super().__init__(problem)
        self.problem, self.remedy = problem, remedy


@dataclass(frozen=True)
class Asked:
    """What a merge needs to know of a run.

    Attributes:
        table: The contract table.
        states: Export text -> state, where the table tells states.
        day_of: The local day of an instant in seconds since 1970, and when the next one begins.
        note: Takes one sentence that a reader must know.
    """

    table: str
    states: Mapping[str, str]
    day_of: Callable[[int], tuple[date, int]]
    note: Callable[[str], None]


Flatten = Callable[[Record, str, Reading], Iterable[Mapping[str, Any]]]
Merge = Callable[[Sequence[Leg], Asked], Iterable[Told]]


@dataclass(frozen=True, kw_only=True)
class VendorFormat:
    """One export format of one vendor.

    Attributes:
        name: As settings name it, `system.record`.
        title: As people name it.
        written: How the file is built, in words.
        readers: `json`, `csv` or `log`; a file that begins with a brace or bracket is read as JSON.
        units: The units of its durations.
        clock: How it writes times, and in which zone.
        key: What tells one record from another.
        delivery: How often a record comes, and how late it may change.
        published: Where the vendor publishes the fields.
        traps: What goes wrong with these data elsewhere, one sentence each.
        tables: Contract table -> the columns of a mapping, as settings write them.
        header: Contract table -> the flat columns that a mapping may name.
        marks: Fields that all of its records have and that tell it from others.
        flatten: Record, contract table, reading -> flat records.
        group: Contract table -> the flat column that holds records of one thing together; absent: nothing is merged.
        parent: The column that points from `group` to the record that created it, where chains must be followed.
        merge: Makes rows of a group.
        personal: Fields that describe people and are dropped unless a mapping names them.
        ask: Setting -> why it cannot be known.
        envelope: The field of a document that holds the list of records.
        line: The fields of a line, in order, where it is a log; `event` is one of them.
        events: The events of a log that are known.
    """

    name: str
    title: str
    written: str
    readers: tuple[Literal["json", "csv", "log"], ...]
    units: str
    clock: str
    key: str
    delivery: str
    published: str
    traps: tuple[str, ...]
    tables: Mapping[str, str]
    header: Mapping[str, tuple[str, ...]]
    marks: tuple[str, ...]
    flatten: Flatten
    group: Mapping[str, str] = field(default_factory=dict)
    parent: str = ""
    merge: Merge | None = None
    personal: tuple[str, ...] = ()
    ask: Mapping[str, str] = field(default_factory=dict)
    envelope: str = ""
    line: tuple[str, ...] = ()
    events: frozenset[str] = frozenset()


def at(record: Any, path: str) -> Any:
    """Return what a record holds at a path of names, or None.

    Raises:
        ValueError: A list or a value stands where an object with further names is expected.

    Examples:
        >>> at({"Queue": {"Name": "Billing"}}, "Queue.Name")
        'Billing'
        >>> at({"Queue": None}, "Queue.Name") is None
        True
    """
    if isinstance(record, dict) and path in record:
        return record[path]
    for name in _names(path):
        if record is None:
            return None
        if not isinstance(record, dict):
            raise ValueError("a list or a value stands where an object is expected")  # noqa: TRY004  a fault of data
        record = record.get(name)
    return record


@lru_cache(maxsize=1024)
def _names(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


def text(value: Any) -> str | None:
    """Return a JSON value as the text of a cell.

    Raises:
        ValueError: It is a list or an object where one value is expected.

    Examples:
        >>> text(True), text(12), text(None), text("")
        ('true', '12', None, None)
    """
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    raise ValueError("a list or an object stands where one value is expected")


def pick(record: Record, header: Iterable[str]) -> dict[str, Any]:
    """Return the values of a record at the paths of a header."""
    return {name: at(record, name) for name in header}


def total(texts: Iterable[str | None]) -> str | None:
    """Add whole numbers up; None where there is none.

    Raises:
        ValueError: One of them is not a whole number.

    Examples:
        >>> total(["3", None, "4"]), total([None])
        ('7', None)
    """
    numbers = [int(one) for one in texts if one is not None]
    return str(sum(numbers)) if numbers else None


def first(texts: Iterable[str | None]) -> str | None:
    """Return the first text that there is."""
    return next((one for one in texts if one), None)


# --- the beginning of a file, for recognition -------------------------------------------------------------------------


@dataclass(frozen=True)
class Head:
    """The beginning of a file, as far as recognition looks.

    Attributes:
        kind: `json`, `csv`, `log` or `other`.
        records: The first records: JSON objects, or rows by the names of the header.
        names: The fields of the first record, or the header in file order.
        delimiter: What separates the columns of a CSV file.
    """

    kind: str
    records: tuple[Record, ...] = ()
    names: tuple[str, ...] = ()
    delimiter: str = ","


def read_head(path: Path) -> Head:
    """Look at the beginning of a file.

    Returns:
        What it seems to be; nothing is decided by it that the whole file would have to agree with.
    """
    with path.open("rb") as file:
        raw = file.read(HEAD_BYTES)
    if raw.startswith(b"\xef\xbb\xbf"):
        raw = raw[3:]
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = raw.decode("utf-16", errors="replace")
    elif b"\x00" in raw[:1024] or raw.startswith((b"PK\x03\x04", b"PAR1", b"\x1f\x8b", b"\xd0\xcf\x11\xe0")):
        return Head("other")
    else:
        head = raw.decode("utf-8", errors="replace")
    if head.lstrip()[:1] in ("{", "["):
        return _json_head(head)
    lines = [line for line in head.splitlines()[: HEAD_RECORDS + 1] if line.strip()]
    if not lines:
        return Head("other")
    if is_log(lines[0]):
        return Head("log", names=tuple(lines[0].split("|")[4:5]), delimiter="|")
    delimiter = max(",;\t|", key=lambda mark: (lines[0].count(mark), -",;\t|".index(mark)))
    header = tuple(name.strip() for name in next(csv.reader([lines[0]], delimiter=delimiter)))
    rows = [dict(zip(header, row, strict=False)) for row in csv.reader(lines[1:], delimiter=delimiter)]
    return Head("csv", records=tuple(rows), names=header, delimiter=delimiter)


def is_log(line: str) -> bool:
    """Tell whether a line is an event of a log: seconds since 1970, four fields and an event in capitals."""
    fields = line.split("|")
    return len(fields) >= 5 and fields[0].isdigit() and fields[4].replace("_", "").isalpha() and fields[4].isupper()


def _json_head(head: str) -> Head:
    records = list(_first_objects(head))
    return Head("json", records=tuple(records), names=tuple(records[0]) if records else ())


def _first_objects(head: str) -> Iterator[Record]:
    """Yield the first objects that are whole, below at most one list or one document with a list."""
    decoder = json.JSONDecoder()
    position, found = 0, 0
    while found < HEAD_RECORDS and 0 <= (position := head.find("{", position)) < len(head):
        try:
            value, end = decoder.raw_decode(head, position)
        except (ValueError, RecursionError):
            position += 1  # an envelope that goes on behind this head: look inside
            if found:
                return
            continue
        inside = next((value[name] for name in ENVELOPES if isinstance(value.get(name), list)), None)
        if inside is not None and not found:
            yield from (one for one in inside[:HEAD_RECORDS] if isinstance(one, dict))
            return
        yield value
        found += 1
        position = end

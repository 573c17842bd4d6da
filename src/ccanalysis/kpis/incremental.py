"""Answers to what is asked of a table, week by week: what is known of a week is kept until one of its rows changes.

The key of a week's answer is a digest of the question, as the engine is asked it, and of the rows that it depends on:
its own days and, for measures that look at the next contact, the days that they look ahead.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ccanalysis.partitions import Week

# How many questions are kept; the ones not asked for longest go first.
KEPT = 96
_KEYS = {"_level": pa.int8(), "_unit": pa.string(), "_period": pa.date32(), "_week": pa.date32(), "_hour": pa.int8()}


def typed(answer: pa.Table) -> pa.Table:
    """Give an answer the same types whatever the engine."""
    fields = [pa.field(name, _KEYS.get(name, pa.int64())) for name in answer.column_names]
    return answer.cast(pa.schema(fields))


@dataclass(frozen=True)
class Kept:
    """What is known of a question.

    Attributes:
        keys: Monday -> what its answer was worked out from.
        answer: All of them, with `_week`.
    """

    keys: dict[date, str]
    answer: pa.Table | None

    def of(self, weeks: Sequence[date]) -> pa.Table | None:
        """Return the answers of some weeks."""
        if self.answer is None or not weeks:
            return None
        if len(weeks) == len(self.keys):
            return self.answer
        return self.answer.filter(pc.is_in(self.answer["_week"], pa.array(weeks, pa.date32())))


class Store:
    """The answers of a workspace: one file per question, with an index that names each week's key.

    Args:
        folder: Where they lie; it is made when something is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, question: str) -> Kept:
        """Return what is known of a question; nothing where a file is gone, half-written or changed."""
        index, path = self._paths(question)
        try:
            told = json.loads(index.read_text(encoding="utf-8"))
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != told["sha256"]:
                return Kept({}, None)
            answer = pq.read_table(pa.BufferReader(content))
            os.utime(index)
        except (OSError, ValueError, KeyError, pa.ArrowException):
            return Kept({}, None)
        return Kept({date.fromisoformat(day): key for day, key in told["weeks"].items()}, answer)

    def write(self, question: str, kept: Kept) -> None:
        """Keep answers in the place of those known before; the index comes last, so that it never tells too much."""
        assert kept.answer is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        index, path = self._paths(question)
        buffer = pa.BufferOutputStream()
        pq.write_table(kept.answer, buffer, compression="zstd", use_dictionary=["_unit"], write_statistics=False)
        content = buffer.getvalue().to_pybytes()
        told = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "weeks": {day.isoformat(): key for day, key in sorted(kept.keys.items())},
        }
        self._put(path, content)
        self._put(index, json.dumps(told, indent=1).encode())

    def prune(self, most: int = KEPT) -> None:
        """Forget the questions that were not asked for longest."""
        try:
            listed = sorted(self.folder.glob("*.json"), key=lambda index: index.stat().st_mtime_ns, reverse=True)
        except OSError:
            return
        for index in listed[most:]:
            for path in self._paths(index.stem):
                path.unlink(missing_ok=True)
        for path in self.folder.glob("*.parquet"):
            if not path.with_suffix(".json").is_file():
                path.unlink(missing_ok=True)

    def _paths(self, question: str) -> tuple[Path, Path]:
        return self.folder / f"{question}.json", self.folder / f"{question}.parquet"

    def _put(self, path: Path, content: bytes) -> None:
        handle, aside = tempfile.mkstemp(dir=self.folder, prefix=".new-")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(aside).replace(path)


def question_of(*parts: object) -> str:
    """Name a question by all that its answer depends on beside the rows."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]


def stale(kept: Kept, keys: dict[date, str], wanted: Sequence[Week]) -> list[Week]:
    """List the wanted weeks whose answer is not known, or was worked out from other rows."""
    return [week for week in wanted if kept.keys.get(week.start) != keys[week.start]]


def merged(kept: Kept, keys: dict[date, str], found: Sequence[pa.Table], new: Sequence[Week]) -> Kept:
    """Put new answers beside the old ones that still hold."""
    own = {week.start: keys[week.start] for week in new}
    old = [day for day, key in kept.keys.items() if day not in own and keys.get(day) == key]
    parts = [part for part in (kept.of(old), *found) if part is not None]
    return Kept({day: keys[day] for day in old} | own, pa.concat_tables(parts) if parts else None)


def with_week(answer: pa.Table) -> pa.Table:
    """Add the Monday of the period of each row."""
    days = np.asarray(answer["_period"].cast(pa.int32()))
    monday = days - (days + 3) % 7  # 1 January 1970 was a Thursday
    return answer.append_column("_week", pa.array(monday, pa.int32()).cast(pa.date32()))

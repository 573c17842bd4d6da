"""Answers to what is asked of a table, week by week: what is known of a week is kept until one of its rows changes.

The key of a week's answer is a digest of the question, as the engine is asked it, and of the rows that it depends on:
its own days and, for measures that look at the next contact, the days that they look ahead.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ccanalysis.partitions import Week

# How many questions are kept; the ones not asked for longest go first.
KEPT = 96
_KEYS = {"_level": pa.int8(), "_unit": pa.string(), "_period": pa.date32(), "_week": pa.date32(), "_hour": pa.int8()}


def typed(answer: pa.Table) -> pa.Table:
    """Give an answer the same types whatever the engine."""
    fields = [pa.field(name, _KEYS.get(name, pa.int64())) for name in answer.column_names]
    return answer.cast(pa.schema(fields))


class Store:
    """The answers of a workspace: a folder per question, in it a file per week that names its key.

    Args:
        folder: Where they lie; it is made when something is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, question: str, keys: Mapping[date, str]) -> dict[date, pa.Table]:
        """Return what is known under these keys, by Monday; not what is gone, half-written or changed."""
        home = self.folder / question
        found = {}
        for monday, key in keys.items():
            try:
                content = (home / _name(monday, key)).read_bytes()
            except OSError:
                continue
            digest, answer = content[:32], memoryview(content)[32:]
            if hashlib.sha256(answer).digest() == digest:
                found[monday] = pa.ipc.open_file(pa.BufferReader(answer)).read_all()
        if found:
            with contextlib.suppress(OSError):
                os.utime(home)
        return found

    def write(self, question: str, keys: Mapping[date, str], answers: Mapping[date, pa.Table]) -> None:
        """Keep answers in the place of those known before of the same weeks; each appears whole, or not at all."""
        home = self.folder / question
        home.mkdir(parents=True, exist_ok=True)
        past: dict[str, list[Path]] = {}
        for path in home.iterdir():
            past.setdefault(path.name[:10], []).append(path)
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        for monday, answer in answers.items():
            buffer = pa.BufferOutputStream()
            with pa.ipc.new_file(buffer, answer.schema, options=options) as writer:
                writer.write_table(answer)
            content = buffer.getvalue()
            for path in past.get(monday.isoformat(), []):
                path.unlink(missing_ok=True)
            handle, aside = tempfile.mkstemp(dir=home, prefix=".new-")
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(content).digest())
                file.write(content)
            Path(aside).replace(home / _name(monday, keys[monday]))

    def prune(self, most: int = KEPT) -> None:
        """Forget the questions that were not asked for longest."""
        with contextlib.suppress(OSError):
            listed = sorted(self.folder.iterdir(), key=lambda home: home.stat().st_mtime_ns, reverse=True)
            for home in listed[most:]:
                shutil.rmtree(home, ignore_errors=True)


def _name(monday: date, key: str) -> str:
    return f"{monday.isoformat()}-{key[:32]}.arrow"


def question_of(*parts: object) -> str:
    """Name a question by all that its answer depends on beside the rows."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]


def by_week(answer: pa.Table, weeks: Sequence[Week]) -> dict[date, pa.Table]:
    """Take an answer apart by `_week`; a week without a row has an empty answer, which is one too."""
    order = pc.sort_indices(answer["_week"])
    answer = answer.take(order)
    days = np.asarray(answer["_week"].cast(pa.int32()))
    found = {}
    for week in weeks:
        number = week.start.toordinal() - date(1970, 1, 1).toordinal()
        first, last = np.searchsorted(days, [number, number + 1])
        found[week.start] = answer.slice(first, last - first)
    return found


def with_week(answer: pa.Table) -> pa.Table:
    """Add the Monday of the period of each row."""
    days = np.asarray(answer["_period"].cast(pa.int32()))
    monday = days - (days + 3) % 7  # 1 January 1970 was a Thursday
    return answer.append_column("_week", pa.array(monday, pa.int32()).cast(pa.date32()))

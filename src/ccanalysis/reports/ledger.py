"""What was sent to whom: one line before and one after each mail, so that nothing is sent twice.

A mail that was begun and of which no end is known may have been sent; it is not sent again unasked.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

State = Literal["sending", "sent", "failed"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is known of one report for one recipient.

    Attributes:
        recipient: The recipient's name.
        report: The report's path in its period's folder.
        digest: Which report that was, byte by byte.
        state: `sending` (begun, and no end known), `sent` or `failed` (certainly not sent).
        day: The day, UTC.
    """

    recipient: str
    report: str
    digest: str
    state: State
    day: str


class Ledger:
    """The record of the deliveries of one period.

    It is readable by its owner alone and holds names of recipients, no addresses.
    """

    def __init__(self, path: Path) -> None:
        """Read the record, where there is one; a last line that was cut short counts for nothing."""
        self.path = path
        self._last: dict[tuple[str, str], Entry] = {}
        self._whole = True
        content = path.read_bytes() if path.is_file() else b""
        self._whole = content.endswith(b"\n") or not content
        for line in content.splitlines():
            try:
                entry = Entry(**json.loads(line))
            except (ValueError, TypeError):
                continue
            self._last[entry.recipient, entry.report] = entry

    def last(self, recipient: str, report: str) -> Entry | None:
        """Return what was last written of a report for a recipient."""
        return self._last.get((recipient, report))

    def write(self, recipient: str, report: str, digest: str, state: State) -> None:
        """Write one line and flush it to the disk."""
        day = datetime.now(UTC).date().isoformat()
        entry = Entry(recipient=recipient, report=report, digest=digest, state=state, day=day)
        new = not self.path.exists()
        if new:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            line = json.dumps(vars(entry), ensure_ascii=False, sort_keys=True) + "\n"
            os.write(descriptor, ("" if self._whole else "\n").encode() + line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if new and os.name == "posix":
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        self._whole = True
        self._last[recipient, report] = entry

"""A seeded, invented contact centre with planted truths and an answer sheet."""

from __future__ import annotations

import json
from pathlib import Path

from ccanalysis.samples.answers import Answers, answers
from ccanalysis.samples.centre import LAST, SEED, WEEKS, Plan
from ccanalysis.samples.exports import everything, write_files
from ccanalysis.samples.large import contacts_frame, contacts_table
from ccanalysis.samples.simulate import simulate

ANSWERS_FILE = "answers.json"

__all__ = ["ANSWERS_FILE", "LAST", "SEED", "WEEKS", "Answers", "contacts_frame", "contacts_table", "write"]


def write(folder: Path, *, seed: int = SEED, weeks: int = WEEKS, last: str = LAST) -> Answers:
    """Write the exports of the invented centre and their answer sheet; the same seed gives the same bytes.

    Args:
        folder: Where to write; files of the same names are replaced, others are left.
        seed: Of every random draw.
        weeks: How many ISO weeks; what was planted before the first of them is not in the answer sheet.
        last: The last week, as `2026-W46`.

    Returns:
        The answer sheet, as also written to `answers.json`.

    Raises:
        SettingsError: `last` is not an ISO week, or there is less than one week.
    """
    truth = everything(simulate(Plan.of(seed=seed, weeks=weeks, last=last)))
    write_files(Path(folder), truth.exports)
    sheet = answers(truth)
    (Path(folder) / ANSWERS_FILE).write_text(_json(sheet), encoding="utf-8", newline="\n")
    return sheet


def _json(sheet: Answers) -> str:
    """Write the answer sheet with one line per entry, so that a change shows as few lines."""

    def line(value: object) -> str:
        return json.dumps(value, ensure_ascii=False)

    def block(value: object) -> str:
        if isinstance(value, dict) and any(isinstance(item, (dict, list)) for item in value.values()):
            return "{\n" + ",\n".join(f"  {line(key)}: {block(item)}" for key, item in value.items()) + "\n }"
        if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
            return "[\n" + ",\n".join(f"  {line(item)}" for item in value) + "\n ]"
        return line(value)

    return "{\n" + ",\n".join(f" {line(key)}: {block(value)}" for key, value in sheet.items()) + "\n}\n"

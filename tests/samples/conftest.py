"""The committed samples and their answer sheet, read as a stranger would read them."""

import csv
import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "data/samples"


@pytest.fixture(scope="session")
def folder():
    return FOLDER


@pytest.fixture(scope="session")
def answers():
    return json.loads((FOLDER / "answers.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def truths(answers):
    return {item["id"]: item for item in answers["truths"]}


@pytest.fixture(scope="session")
def read():
    """Read a text export: its rows as dictionaries, with the number of the line that each stands on."""

    def rows(pattern: str, *, encoding: str = "utf-8", delimiter: str = ","):
        found = []
        for path in sorted(FOLDER.glob(pattern)):
            with path.open(encoding=encoding, newline="") as file:
                reader = csv.DictReader(file, delimiter=delimiter)
                found += [(path.relative_to(FOLDER).as_posix(), reader.line_num, row) for row in reader]
        return found

    return rows

"""Mutated exports: either read as declared or refused in words; never a traceback, never a shifted column."""

from __future__ import annotations

import io
import random
import re
import zipfile

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook

from ccanalysis.errors import CcanalysisError

from .conftest import CALLS_COLUMNS, CALLS_HEADER, call, counts, rows

pytestmark = pytest.mark.slow

# Each column's values tell whose they are, and columns of other types stand between them.
PREFIXES = {"contact_id": "contact-", "agent_id": "agent-", "team": "team-"}
PIECES = [
    b'"',
    b",",
    b"\n",
    b"\r",
    b"\r\n",
    b'""',
    b'",',
    b',"',
    b";",
    b"\x00",
    b"\x1e",
    b"\x1f",
    b"\xff",
    b"\xc3",
    b"\xa0",
]


def line(n):
    """Write one row; every third has a quoted value with a delimiter or a line break."""
    team = (f"team-{n % 7}", f'"team-{n % 7}, north"', f'"team-{n % 7}\nsouth"')[n % 3]
    return call(f"contact-{n}", wait=str(n % 600), agent=f"agent-{n % 40}", team=team)


CSV = "\n".join([CALLS_HEADER, *(line(n) for n in range(300))]).encode() + b"\n"


def mutated(content, chance):
    """Change some bytes: flipped, taken out, put in, copied, cut."""
    content = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 3, 8])):
        at = chance.randrange(len(content))
        match chance.randrange(6):
            case 0:
                content[at] ^= 1 << chance.randrange(8)
            case 1:
                del content[at : at + chance.choice([1, 2, 30, 500])]
            case 2:
                content[at:at] = chance.choice(PIECES)
            case 3:
                begin = chance.randrange(len(content))
                content[at:at] = content[begin : begin + chance.choice([5, 60, 400])]
            case 4:
                content[at : at + 1] = chance.choice(PIECES)
            case 5 if chance.random() < 0.3:
                del content[at:]
        if not content:
            return b"x"
    return bytes(content)


def foreign(staged):
    """Count values that begin as another column's do."""
    found = rows(staged.tables["contacts"], *PREFIXES)
    return [
        (name, other)
        for row in found
        for value, name in zip(row, PREFIXES, strict=True)
        for other, prefix in PREFIXES.items()
        if value and other != name and value.startswith(prefix)
    ]


def outcome(desk):
    """Stage, and check what must hold of whatever comes back."""
    try:
        staged = desk.stage()
    except CcanalysisError as error:
        assert "\n" not in str(error)
        assert not re.search(r"(contact|agent|team)-\d", str(error)), "an error shows a cell"
        return "refused"
    total = counts(staged)
    assert total["read"] == total["kept"] + total["quarantined"] + total["duplicates"]
    assert foreign(staged) == []
    assert len(set(pd.read_parquet(staged.quarantine)["source_row"])) == total["quarantined"]
    return "read"


@pytest.mark.parametrize("seed", range(5))
def test_mutated_csv_files_are_read_or_refused(desk, seed):
    """Thirty files of each seed."""
    chance = random.Random(seed)
    desk.source("data/calls.csv", CALLS_COLUMNS)
    seen = []
    for _ in range(30):
        desk.write("calls.csv", mutated(CSV, chance))
        seen.append(outcome(desk))
    assert {"read", "refused"} == set(seen)


def test_a_header_that_was_run_together_with_a_row_shows_none_of_its_cells(desk):
    """Found by seed 335 of `benchmarks/fuzz.py`: half of the names are there, and the others are somebody's data."""
    desk.source("data/calls.csv", CALLS_COLUMNS)
    desk.write(
        "calls.csv", CSV.replace(b"Wait,Talk,Agent,Team", b'Wa2026 08:00:00,Phone,A,241,agent-1,"team-3, north"', 1)
    )
    with pytest.raises(CcanalysisError) as caught:
        desk.stage()
    assert str(caught.value) == (
        "calls.csv, row 1: the header has no columns 'Wait', 'Talk', 'Agent', 'Team', which source 'source 1' maps. "
        "Correct the mapping, or export the file again"
    )


def test_mutated_parquet_files_are_read_or_refused(desk):
    """Sixty of them."""
    chance = random.Random(1)
    columns = {name: [] for name in CALLS_HEADER.split(",")}
    for n in range(300):
        for name, value in zip(columns, line(n).replace('"', "").replace(", ", " ").split(","), strict=True):
            columns[name].append(value)
    path = desk.root / "data" / "calls.parquet"
    pq.write_table(pa.table(columns), path)
    content = path.read_bytes()
    desk.source("data/calls.parquet", CALLS_COLUMNS, more='format = "parquet"')
    for _ in range(60):
        path.write_bytes(mutated(content, chance))
        outcome(desk)


def workbook():
    """Return the bytes of a workbook with fifty rows."""
    book = Workbook()
    book.active.append(CALLS_HEADER.split(","))
    for n in range(50):
        book.active.append(line(n).replace('"', "").replace(", ", " ").split(","))
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def mutated_sheet(content, chance):
    """Change the text of the sheet or of its shared strings inside a workbook, whose archive stays whole."""
    parts = {}
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    name = chance.choice([one for one in parts if "sheet1.xml" in one or "sharedStrings" in one])
    parts[name] = mutated(parts[name], chance)
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as packed:
        for one, text in parts.items():
            packed.writestr(one, text)
    return changed.getvalue()


@pytest.mark.parametrize("change", [mutated, mutated_sheet], ids=["bytes", "sheet"])
def test_mutated_workbooks_are_read_or_refused(desk, change):
    """Twenty of each kind."""
    chance = random.Random(1)
    content = workbook()
    desk.source("data/calls.xlsx", CALLS_COLUMNS, more='format = "excel"')
    for _ in range(20):
        desk.write("calls.xlsx", change(content, chance))
        outcome(desk)

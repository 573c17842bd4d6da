"""Ten thousand mutated CSV and Excel files: each is read as declared or refused in words.

A traceback, a value found under another column's name, an error that shows a cell, or rows that do not add up count as
failures; any of them ends the run with 1 and names the seed that makes the file again. Every tenth file is a workbook:
bytes of the file are changed, or the text of its sheet inside the archive. The mutations and what must hold of each
answer are those of `tests/sources/test_fuzz.py`, which tries a few hundred.

    python benchmarks/fuzz.py
    python benchmarks/fuzz.py --n 1000 --jobs 1
"""

from __future__ import annotations

import argparse
import collections
import random
import sys
import tempfile
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PER_TASK = 50
WORKBOOKS = 10  # one file in so many


def tried(first: int, n: int) -> tuple[collections.Counter[str], list[str]]:
    """Make and read files of consecutive seeds; return what became of them, and what went wrong."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from tests.sources import test_fuzz as fuzz
    from tests.sources.conftest import CALLS_COLUMNS, Desk

    seen: collections.Counter[str] = collections.Counter()
    wrong = []
    book = fuzz.workbook()
    with tempfile.TemporaryDirectory(prefix="ccanalysis-fuzz-") as folder:
        desks = {}
        for kind, more in (("csv", ""), ("xlsx", 'format = "excel"')):
            root = Path(folder) / kind
            root.mkdir()
            desks[kind] = Desk(root)
            desks[kind].source(f"data/calls.{kind}", CALLS_COLUMNS, more=more)
        for seed in range(first, first + n):
            chance = random.Random(seed)
            kind = "xlsx" if seed % WORKBOOKS == 0 else "csv"
            if kind == "csv":
                content = fuzz.mutated(fuzz.CSV, chance)
            else:
                change = fuzz.mutated if chance.random() < 0.3 else fuzz.mutated_sheet
                content = change(book, chance)
            desks[kind].write(f"calls.{kind}", content)
            try:
                seen[f"{kind} {fuzz.outcome(desks[kind])}"] += 1
            except Exception:
                seen[f"{kind} WRONG"] += 1
                wrong.append(f"seed {seed} ({kind}): {traceback.format_exc().splitlines()[-1]}")
    return seen, wrong


def main() -> int:
    """Try every file; end with 1 where one went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    begin = time.perf_counter()
    seen: collections.Counter[str] = collections.Counter()
    wrong: list[str] = []
    end = asked.first + asked.n
    firsts = range(asked.first, end, PER_TASK)
    with ProcessPoolExecutor(asked.jobs) as pool:
        tasks = pool.map(tried, firsts, [min(PER_TASK, end - first) for first in firsts])
        for number, (counts, found) in enumerate(tasks, start=1):
            seen += counts
            wrong += found
            for line in found:
                print(line, file=sys.stderr, flush=True)
            if number % 10 == 0:
                print(f"{sum(seen.values()):,} files, {len(wrong)} wrong", file=sys.stderr, flush=True)
    print(f"{sum(seen.values()):,} mutated files in {time.perf_counter() - begin:.0f} s")
    for what, n in sorted(seen.items()):
        print(f"  {what:14} {n:7,}")
    for line in wrong:
        print(line)
    print("OVER: some went wrong" if wrong else "PASS: no traceback, no shifted column, no row unaccounted for")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

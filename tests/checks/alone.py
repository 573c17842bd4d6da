"""Look at one table, spoilt, with what Great Expectations made of the clean tables: their conditions and bounds.

Great Expectations is asked once; a spoilt copy of one table then costs a few scans. That both agree is shown in
`test_faults`.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pandas as pd

from ccanalysis import checks
from ccanalysis.checks import Checked, Issued, gate
from ccanalysis.checks import run as engine
from ccanalysis.checks.batches import FIGURES
from ccanalysis.checks.suites import load
from ccanalysis.contracts import TABLES

from . import whole
from .conftest import CENTRE, PERIOD, SUITES, write

WEEKS = 12
RULES, _ = load(SUITES, TABLES)
PLAIN = replace(CENTRE, holidays="")
FIXED = {"period": PERIOD, "centre": PLAIN, "baseline": WEEKS}


class Alone:
    """Clean tables, checked once.

    Attributes:
        frames: The clean tables.
        clean: What the suites say of them.
    """

    def __init__(self, folder: Path, frames: dict[str, pd.DataFrame]) -> None:
        self.folder, self.frames = folder, frames
        (folder / "clean").mkdir()
        self.paths = {name: write(frame, TABLES[name], folder / "clean") for name, frame in frames.items()}
        self.decisions: dict[str, engine.Decision] = {}
        self.asked = engine.decide
        with patch.object(engine, "decide", self._remember):
            first = self._check(self.paths, SUITES)
            self.counts = first.counts
            self.clean = self._check(self.paths, SUITES, last=self.issued())

    def _remember(self, connection, batches, parameters):
        asked = {rule.id for pairs in batches.values() for _, rules in pairs for rule in rules}
        known = asked & set(self.decisions)
        left = {
            table: [(batch, [rule for rule in rules if rule.id not in known]) for batch, rules in pairs]
            for table, pairs in batches.items()
        }
        left = {table: [pair for pair in pairs if pair[1]] for table, pairs in left.items()}
        left = {table: pairs for table, pairs in left.items() if pairs}
        if left:
            self.decisions |= self.asked(connection, left, parameters)
        return {rule: decision for rule, decision in self.decisions.items() if rule in asked}

    def _check(self, paths, suites: Path, **more) -> Checked:
        return checks.check(paths, suites, **(FIXED | {"figures": figures()} | more))

    def issued(self, *, added: int = 0, table: str = "", digest: str = "same") -> Issued:
        """What the last issued run counted: the same, but for rows added to one table's last day before the period."""
        counts = self.counts[self.counts["on_date"] < PERIOD.start.isoformat()].copy()
        own = counts[counts["table"] == table]
        counts.loc[own.index[-1:], "n_rows"] += added
        files = {name: {f"{name}.csv": "same"} for name in self.frames}
        return Issued(label="2026-W45", counts=counts, files=files, now=files | {table: {f"{table}.csv": digest}})

    def look(self, table: str, frame: pd.DataFrame | None = None, **more) -> Checked:
        """Say what the suite of one table says when the table is another; of figures, what contacts and figures say."""
        suites, spoilt = self.folder / "one", self.folder / "spoilt"
        for folder in (suites, spoilt):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        names = ("contacts", "figures") if table == "figures" else (table,)
        for name in names:
            shutil.copy(SUITES / f"{name}.json", suites)
        needed = {*names, "calendar", *(more for name in names for rule in RULES[name] for more in rule.needs)}
        paths = {name: path for name, path in self.paths.items() if name in needed}
        if frame is not None:
            paths[table] = write(frame.assign(source_row=range(2, len(frame) + 2)), TABLES[table], spoilt)
        with patch.object(engine, "decide", self._remember):
            return self._check(paths, suites, **({"last": self.issued()} | more))

    def failed(self, checked: Checked, table: str) -> set[str]:
        """The rules of a table that the period fails."""
        found = checked.by_period
        found = found[(found["period"] == PERIOD.label) & (found["level"] == "centre") & (found["outcome"] == "failed")]
        return {rule for rule in found["rule"] if rule.startswith(f"{table}.")}

    def ratings(self, checked: Checked, table: str) -> pd.Series:
        """The rating of a figure on each column of a table, in the period."""
        found = gate(checked, reads(table))
        found = found[(found["period"] == PERIOD.label) & (found["level"] == "centre")]
        return found.set_index("kpi")["rating"]


def figures() -> pd.DataFrame:
    """Two shares and a net score of the centre, a team and a queue, over two periods."""
    units = [("centre", ""), ("team", "North"), ("queue", "billing")]
    rows = [
        (kpi, level, unit, period.start, 80.0, 100.0, kpi != "net", kpi == "net", False, False)
        for kpi in ("level", "quit", "net")
        for level, unit in units
        for period in PERIOD.back(2)
    ]
    return pd.DataFrame(rows, columns=[column.name for column in FIGURES.columns])


def reads(*tables: str) -> pd.DataFrame:
    """One KPI for each column that an export fills."""
    return pd.DataFrame(
        [
            {"kpi": f"{table}.{column.name}", "table": table, "columns": (column.name,)}
            for table in tables
            for column in TABLES[table].mapped
        ]
    )


def counting_contacts() -> dict[str, pd.DataFrame]:
    """Every table, with an interval report and a switch that count the contacts."""
    frames = {name: make(WEEKS) for name, make in whole.TIMED.items()}
    return frames | whole.standing() | {"intervals": whole.counted(WEEKS)}


def counting_intervals() -> dict[str, pd.DataFrame]:
    """An interval report of its own and a switch that counts the same."""
    intervals = whole.intervals(WEEKS)
    totals = intervals.groupby(["starts_on", "channel", "site"], as_index=False)["n_offered"].sum()
    totals = whole.finish(totals.rename(columns={"starts_on": "on_date"}), TABLES["control_totals"])
    return {"intervals": intervals, "control_totals": totals}

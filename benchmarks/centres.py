"""What verdicts and findings say of whole centres whose truth is known, and how long a large centre takes.

Run `python benchmarks/centres.py`; add `--quick` for a tenth of the seeds. Each seed is a centre in which nobody
differs: 2 sites, 6 teams, 60 people, 26 weeks, every KPI of the register of the sample centre, and every unit truly on
its target, which is where a false alarm is most likely. It ends with exit code 1 when a figure misses its bound.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ccanalysis import findings, verdicts
from ccanalysis.kpis.components import KEYS, Components
from ccanalysis.kpis.register import Kpi, load
from ccanalysis.periods import Period
from ccanalysis.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
NOW = Period.parse("2026-W46")
WEEKS, SEEDS = 26, 200
PEOPLE, TEAMS, SITES = 60, 6, 2
OTHER_LEVELS = {"queue": 5, "reason": 8, "channel": 3}
# Cases of one person in one week, by what is counted.
VOLUMES = {"evaluations": 2.0, "surveys": 6.0, "contacts": 90.0}
# Spread of one handling or waiting time, as a share of its mean.
SPREAD = 0.8


def _level_of(level: str) -> np.ndarray:
    """Which unit of a level each person belongs to."""
    return np.arange(PEOPLE) // (PEOPLE // {"agent": PEOPLE, "team": TEAMS, "site": SITES, "centre": 1}[level])


def _truth(kpi: Kpi) -> float:
    """The target itself, or the middle of a band; where a KPI has no target, anything."""
    bound = kpi.target_on(NOW.start)
    wanted = bound.at("centre") if bound else None
    if isinstance(wanted, tuple):
        return sum(wanted) / 2
    return wanted if wanted is not None else 60.0


def _people(kpi: Kpi, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw both sides of a KPI for each person and week; shape people x weeks."""
    table = kpi.measure.denominator.table
    n = random.poisson(VOLUMES.get(table, VOLUMES["contacts"]), (PEOPLE, WEEKS))
    truth = _truth(kpi) / kpi.measure.factor
    kind = kpi.measure.kind
    squares = np.zeros_like(n)
    if kind == "mean":
        shape = 1 / SPREAD**2
        numerator = np.rint(random.gamma(shape * np.maximum(n, 1), truth / shape)).astype(np.int64) * (n > 0)
        squares = np.rint(numerator**2 / np.maximum(n, 1) + (n - 1).clip(0) * (SPREAD * truth) ** 2).astype(np.int64)
        denominator = n
    elif kind == "ratio":  # points out of ten, which go together within an evaluation
        denominator = 10 * n
        numerator = np.rint(denominator * random.normal(truth, 0.15 / np.sqrt(np.maximum(n, 1)))).clip(0, denominator)
    elif kind == "rate":
        denominator, numerator = n, random.poisson(n * truth)
    else:
        denominator, numerator = n, random.binomial(n, truth)
    return {"numerator": numerator, "denominator": denominator, "n": n, "squares": squares}


def components(kpis: Sequence[Kpi], random: np.random.Generator) -> Components:
    """Draw a centre in which nobody differs; the sums of all levels of people agree."""
    rows = []
    for kpi in kpis:
        drawn = _people(kpi, random)
        for level in kpi.levels:
            # contacts fall to queues and reasons as chance has it
            chance = level in OTHER_LEVELS
            members = random.integers(0, OTHER_LEVELS[level], PEOPLE) if chance else _level_of(level)
            for unit in np.unique(members):
                sums = {name: table[members == unit].sum(axis=0) for name, table in drawn.items()}
                label = "centre" if level == "centre" else f"{level} {unit:03}"
                weeks = [week.start for week in NOW.back(WEEKS)]
                rows.append(pd.DataFrame({"kpi": kpi.id, "level": level, "unit": label, "period": weeks, **sums}))
    sums = pd.concat(rows, ignore_index=True)
    return Components(sums[sums["n"] > 0], pd.DataFrame(columns=[*KEYS, "bin", "n"]))


def fit(kpis: Sequence[Kpi], weeks: int) -> pd.DataFrame:
    """Return the gate's ratings of data in which nothing is wrong."""
    rows = [(kpi.id, "centre", "", week.label, "fit", ()) for kpi in kpis for week in NOW.back(weeks)]
    return pd.DataFrame(rows, columns=["kpi", "level", "unit", "period", "rating", "reasons"])


def found(kpis: Sequence[Kpi], seed: int) -> pd.DataFrame:
    """Return what is found in a centre where there is nothing to find."""
    drawn, ratings = components(kpis, np.random.default_rng(seed)), fit(kpis, WEEKS)
    line = verdicts.series(drawn, kpis, list(NOW.back(WEEKS)), ratings)
    return findings.findings(verdicts.judge(line, kpis, NOW, ratings), kpis, NOW)


def no_differences(kpis: Sequence[Kpi], seeds: int) -> bool:
    """How many centres without differences are told to act."""
    acts = []
    for seed in range(seeds):
        result = found(kpis, seed)
        acts += [(seed, row["kind"], row["kpi"], row["level"]) for _, row in result[result["tier"] == "act"].iterrows()]
    told = 100 * len({seed for seed, *_ in acts}) / seeds
    print(f"centres without differences that are told to act: {told:.1f} % of {seeds} (bound 5 %)")
    for (kind, kpi, level), n in pd.Series([tuple(act[1:]) for act in acts], dtype=object).value_counts().items():
        print(f"  {n} x {kind}: {kpi}, {level}")
    return told <= 5.0


def speed(kpis: Sequence[Kpi]) -> bool:
    """How long 500 units x 30 KPIs x 104 weeks take: values, intervals, limits, verdicts and findings."""
    random = np.random.default_rng(1)
    units, weeks, wanted = 500, 104, 30
    kept = [kpi for kpi in kpis if kpi.measure.kind in ("share", "mean", "rate")]
    many = [replace(kept[i % len(kept)], id=f"kpi_{i:02}", levels=("team",)) for i in range(wanted)]
    frames = []
    for kpi in many:
        n = random.poisson(200, (units, weeks)) + 1
        truth = _truth(kpi) / kpi.measure.factor
        share = kpi.measure.kind == "share"
        numerator = random.binomial(n, truth) if share else random.poisson(n * truth)
        squares = np.zeros_like(n) if share else np.rint(numerator**2 / n + n * (SPREAD * truth) ** 2).astype(np.int64)
        index = pd.MultiIndex.from_product([[f"team {u:03}" for u in range(units)], [w.start for w in NOW.back(weeks)]])
        sums = {"numerator": numerator.ravel(), "denominator": n.ravel(), "n": n.ravel(), "squares": squares.ravel()}
        keys = index.to_frame(index=False, name=["unit", "period"])
        frames.append(keys.assign(kpi=kpi.id, level="team", **sums))
    drawn = Components(pd.concat(frames, ignore_index=True), pd.DataFrame(columns=[*KEYS, "bin", "n"]))
    ratings = fit(many, weeks)
    begin = time.perf_counter()
    line = verdicts.series(drawn, many, list(NOW.back(weeks)), ratings)
    judged = verdicts.judge(line, many, NOW, ratings)
    middle = time.perf_counter()
    findings.findings(judged, many, NOW)
    end = time.perf_counter()
    print(f"{units} units x {wanted} KPIs x {weeks} weeks: judged in {middle - begin:.1f} s (bound 10 s)")
    print(f"  findings in {end - middle:.1f} s more")
    return middle - begin < 10.0


def main() -> int:
    """Simulate and time; say whether every bound is kept."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the seeds")
    workspace = Workspace.open(ROOT)
    kpis = [kpi for kpi in load(workspace.register_path, workspace.tables).kpis if kpi.measure.kind != "percentile"]
    kept = [no_differences(kpis, SEEDS // 10 if parser.parse_args().quick else SEEDS), speed(kpis)]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())

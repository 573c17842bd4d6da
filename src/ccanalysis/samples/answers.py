"""The answer sheet of the sample centre: what was planted where, and where nothing was.

Figures called `observed` are counted from the contacts as they really happened, before any export spoilt them.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from ccanalysis.samples import centre, records
from ccanalysis.samples.centre import CHANNELS, TEAMS, Plan
from ccanalysis.samples.exports import Export, Truth

Answers = dict[str, Any]


def answers(truth: Truth) -> Answers:
    """Write the answer sheet of a world and its exports."""
    plan = truth.world.plan
    return {
        "centre": centre.NAME,
        "seed": plan.seed,
        "first_week": plan.weeks[0].label,
        "last_week": plan.weeks[-1].label,
        "weeks": len(plan.weeks),
        "first_day": plan.first_day.isoformat(),
        "last_day": (plan.end - pd.Timedelta(days=1)).isoformat()[:10],
        "extracted_at": plan.extracted.isoformat(),
        "tables_absent": {"segments": "legs are not exported", "intervals": "contacts are exported one by one"},
        "sources": {export.source: _source(export) for export in truth.exports},
        "bad_rows": [bad for export in truth.exports for bad in _bad_rows(export)],
        "components": _components(truth),
        "truths": _inside(plan, truths(truth)),
        "nothing_here": _inside(plan, nothing_here(truth)),
    }


def _source(export: Export) -> dict[str, Any]:
    counts = export.counts()
    duplicates, superseded = counts.pop("duplicate", 0), counts.pop("superseded", 0)
    clean = counts.pop("", 0)
    return {
        "table": export.table,
        "files": len(export.files),
        "rows": clean + duplicates + superseded + sum(counts.values()),
        "clean": clean,
        "duplicates": duplicates,
        "superseded": superseded,
        "set_aside": export.totals,
        "bad": dict(sorted(counts.items())),
    }


def _bad_rows(export: Export) -> list[dict[str, Any]]:
    return [
        {"source": export.source, "file": name, "row": number, "rule": row.flaw, "column": row.column}
        for name, rows in sorted(export.files.items())
        for number, row in enumerate(rows, start=2)
        if row.flaw not in ("", "duplicate", "superseded")
    ]


def _components(truth: Truth) -> dict[str, Any]:
    """Counts and sums per week, team and channel, for comparison with what the product measures."""
    frame = truth.world.contacts
    answered = ~frame["abandoned"]
    parts = pd.DataFrame(
        {
            "n_offered": 1,
            "n_answered": answered.astype(int),
            "n_abandoned": frame["abandoned"].astype(int),
            "n_in_20s": (answered & (frame["wait_s"] <= centre.SERVICE_LEVEL_S)).astype(int),
            "handle_s": frame["talk_s"] + frame["hold_s"] + frame["acw_s"],
            "transferred": (frame["transfers"] > 0).astype(int),
            "lost": frame["lost"].astype(int),
        }
    )
    weeks = [week.label for week in truth.world.plan.weeks]
    sums = parts.groupby([frame["week"], frame["team"], frame["channel"]]).sum()
    rows = [
        [weeks[week], TEAMS[team].name, CHANNELS[channel], *map(int, values)]
        for (week, team, channel), values in zip(sums.index, sums.to_numpy(), strict=True)
    ]
    return {"columns": ["week", "team", "channel", *sums.columns], "rows": rows}


def truths(truth: Truth) -> list[dict[str, Any]]:
    """List what was planted."""
    return []


def nothing_here(truth: Truth) -> list[dict[str, Any]]:
    """List where nothing was planted."""
    return []


def _inside(plan: Plan, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep what falls into the reported weeks."""
    return [item for item in found if item["to"] >= plan.first_day.isoformat()]


_ = records

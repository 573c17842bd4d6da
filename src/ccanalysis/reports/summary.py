"""A report in short, beside its page: the verdict in words and the KPI table, for mails and other programs."""

from __future__ import annotations

import json
from typing import Any

from ccanalysis import text, views
from ccanalysis.results import Results
from ccanalysis.verdicts import VERDICT_COLUMNS
from ccanalysis.views import common

SUMMARY = "summary.json"


def summary(results: Results) -> dict[str, Any]:
    """Return what a report says, in short: figures of units and of no person.

    Args:
        results: The slice of the report's reader.

    Returns:
        `audience`, `unit`, `period`, the `lead` in words and `kpis`, one per verdict of the reader's own units, all of
        it as texts.
    """
    level, units = common.own_units(results)
    judged = common.frame(results, "verdicts", VERDICT_COLUMNS)
    own = judged[(judged["level"] == level) & judged["unit"].isin(units)]
    if "question" in results.facts:
        lead = views.question_lead(results)
    else:
        lead = views.data_lead(results) if results.facts["audience"] == "analyst" else views.lead(results)
    return {
        "audience": results.facts["audience"],
        "unit": results.facts["unit"],
        "period": results.period.label,
        "lead": " ".join(map(str, lead.text)),
        "kpis": [
            {
                "kpi": str(row["name"]) + (" (experimental)" if row["experimental"] else ""),
                "unit": "" if len(units) == 1 else str(row["unit"]),
                "value": text.value(row["value"], row["unit_of_value"]),
                "interval": text.interval(row),
                "n": text.number(row["n"]),
                "target": text.target(row["target"], row["target_high"], row["better"], row["unit_of_value"]),
                "verdict": text.STATUS_WORDS[row["status"]],
                "data": text.RATING_WORDS[row["data"]],
            }
            for row in own.to_dict("records")
        ],
    }


def to_json(results: Results) -> str:
    """Return the summary of a slice as JSON; equal slices give equal bytes."""
    return json.dumps(summary(results), indent=1, sort_keys=True, ensure_ascii=False) + "\n"

"""Figures that are judged although their data are not fit: who decided so, why, and until when."""

from __future__ import annotations

from datetime import date

import pandas as pd

from ccanalysis import text
from ccanalysis.checks.overrides import COLUMNS
from ccanalysis.display import Note
from ccanalysis.results import Results
from ccanalysis.views import common


def overrides_note(results: Results) -> Note | None:
    """Name each figure of this edition that is judged by override, with name, reason and expiry; None without any.

    An override that has expired or that nothing needs is named to the analyst and the centre.
    """
    listed = common.frame(results, "overrides", COLUMNS).reindex(columns=COLUMNS)
    items = []
    used = listed[listed["state"] == "used"]
    for _, group in used.groupby(["override", "kpi"], sort=False):
        row = group.iloc[0]
        whom = text.listed([_of(results, one) for _, one in group.iterrows()])
        found = text.listed(sorted({_unfit(word) for word in group["was"]}))
        items.append(
            f"{row['name']} of {whom} is judged with caution although its data are {found}. {row['by']} decided so, "
            f"until {_day(row['expires_on'])}: {row['reason']}. What was found: {row['why']}."
        )
    if results.facts.get("audience", "analyst") in ("analyst", "centre"):
        for _, row in listed[listed["state"] != "used"].iterrows():
            whose = f"The override of {row['by']} for {row['name'] or row['rule']}"
            until = _day(row["expires_on"])
            items.append(
                f"{whose} expired on {until} and does nothing."
                if row["state"] == "expired"
                else f"{whose}, until {until}, is not needed: the data can be judged without it."
            )
    return Note(kind="callout", title="Judged by override", items=items) if items else None


def _unfit(was: str) -> str:
    return {"not fit": "not fit to use", "unknown": "not assessed"}[was]


def _of(results: Results, row: pd.Series) -> str:
    return "the centre" if row["level"] == "centre" else common.called(results, row["level"], row["unit"])


def _day(written: str) -> str:
    return common.day(date.fromisoformat(written))

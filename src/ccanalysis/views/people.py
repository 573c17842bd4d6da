"""What was decided and done: the register of actions, what became of them, and development activities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ccanalysis import text
from ccanalysis.display import Cell, Item, Note, Table
from ccanalysis.results import Results
from ccanalysis.views import common

_NONE = "No register of actions was given."
_LATEST_FIRST = ["decided_on", "action_id"]


def actions_table(results: Results) -> Table | Note:
    """Show the register of actions: what, who, when, which KPI, the expected effect, and what became of it."""
    actions = results.actions
    if actions.empty:
        return Note(kind="paragraph", text=_NONE)
    shown = actions.sort_values(_LATEST_FIRST, ascending=False)
    return Table(
        columns=["Action", "Who", "When", "KPI", "Expected", "What became of it"],
        rows=[_action_row(results, row) for _, row in shown.iterrows()],
        caption="Actions",
        note="Worked means: by more than the figure would have moved by itself. It is no proof of a cause.",
    )


def _action_row(results: Results, row: pd.Series) -> list[Any]:
    starts = common.day(row["starts_on"])
    when = Cell(
        text=f"From {starts}" if starts else "No day given",
        note=f"decided on {common.day(row['decided_on'])}; {row['state'] or 'no state given'}",
    )
    kpi = row["name"] or (_asked(row["kpi"]) or "None named")
    return [
        str(row["what"]),
        _asked(row.get("who")) or "Nobody named",
        when,
        Cell(text=kpi, note=_where(results, row)),
        _expected(row),
        Cell(text=text.outcome(row), note=_figures(results, row)),
    ]


def _asked(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _where(results: Results, row: Mapping[str, Any]) -> str:
    """Name the unit that an action concerns."""
    if row["level"] == "centre" or not _asked(row["unit"]):
        return "the whole centre"
    return common.person(results, row["unit"]) if row["level"] == "agent" else str(row["unit"])


def _expected(row: Mapping[str, Any]) -> str:
    """Write the effect that was hoped for."""
    effect, unit = row["expected_effect"], _asked(row["unit_of_value"])
    if np.isnan(effect) or not unit:
        return "None written down"
    return f"{text.difference(effect, unit)} {'higher' if effect >= 0 else 'lower'}"


def _figures(results: Results, row: Mapping[str, Any]) -> str:
    """What the figure has been since, and what it would have been; what the register lacks."""
    if np.isnan(row["beyond"]):
        return _told(results, row)
    unit, lacking = row["unit_of_value"], list(row["problems"])
    now = f"{text.value(row['after'], unit)}, where {text.value(row['expected'], unit)} was to be expected without it"
    return "; ".join([now, *lacking])


def _told(results: Results, row: Mapping[str, Any]) -> str:
    sentence = str(row["sentence"])
    if row["level"] == "agent":
        sentence = sentence.replace(f"{row['unit']}:", f"{common.person(results, str(row['unit']))}:", 1)
    lacking = text.listed(list(row["problems"]))
    return " ".join(part for part in (sentence, f"{lacking[:1].upper()}{lacking[1:]}." if lacking else "") if part)


def actions_note(results: Results) -> Note:
    """Say in sentences what became of earlier actions: the latest decisions first, those that are dropped left out."""
    actions = results.actions
    if actions.empty:
        return Note(kind="paragraph", text=_NONE)
    told = actions[actions["state"] != "dropped"].sort_values(_LATEST_FIRST, ascending=False)
    items = [
        Item(text=f"{row['what']}: {_lower(text.outcome(row))}.", detail=_told(results, row))
        for _, row in told.iterrows()
    ]
    if not items:
        return Note(kind="paragraph", text="No action of the register is under way or done.")
    return Note(kind="list", items=items)


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]


def activities_table(results: Results) -> Table | Note:
    """Show the development activities of a line manager's people."""
    done = results.activities
    if done.empty:
        return Note(kind="paragraph", text="No development activities were given for these people.")
    rows = [
        [common.person(results, row["agent_id"]), common.day(row["done_on"]), str(row["kind"]), str(row["topic"] or "")]
        for _, row in done.sort_values(["agent_id", "done_on"]).iterrows()
    ]
    return Table(columns=["Person", "On", "Kind", "Topic"], rows=rows, caption="Development activities")

"""What follows: what to do this week, findings in words, how many comparisons were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from ccanalysis import text
from ccanalysis.display import Item, Note
from ccanalysis.results import Results
from ccanalysis.views import common

# Findings whose sentence stands for itself, whatever the unit.
_WHOLE_SENTENCES = ("system", "data", "review_target")


def to_do(results: Results, *, most: int = 3) -> Note:
    """Say what to do this week: the first findings that call for action, one line for each unit.

    A line manager hears of their people first: nobody else can see to that.
    """
    _, units = common.own_units(results)
    found = results.findings
    if len(found):
        if results.facts.get("audience") in ("team", "line_manager"):
            mine = found["unit"].isin(units) | (found["kind"].isin(["system", "data"])) | (found["level"] == "agent")
            found = found[mine]
        found = found[found["tier"] == "act"]
        found = found.sort_values("kind", key=lambda kind: kind != "development", kind="stable")
    if found.empty and common.own_verdicts(results)["status"].isin(["not_judged", "no_target"]).all():
        return Note(
            kind="callout",
            title="What to do now",
            text="No figure was held against a target; see what changed, and what the data need.",
        )
    if found.empty:
        missed = common.own_verdicts(results)["status"].isin(["missed_chance", *common.BAD]).any()
        why = "where targets were missed, it could be chance" if missed else "every target was met or nearly met"
        return Note(
            kind="callout", title="What to do now", text=f"Nothing calls for action: {why}. Keep going.", status="met"
        )
    same = found["level"].astype(str) + found["unit"].astype(str)
    apart = found["kind"].isin(_WHOLE_SENTENCES)
    groups = found.groupby(same.mask(apart, found.index.astype(str)), sort=False)
    return Note(kind="callout", title="What to do now", items=[_task(results, group) for _, group in groups][:most])


def _task(results: Results, group: pd.DataFrame) -> Item:
    """Say once what several findings on one unit ask for; the first weighs most."""
    first = group.iloc[0]
    others = [str(name) for name in group["name"].iloc[1:]]
    sentence = _short(results, first) + (f"; also {text.listed(others)}" if others else "")
    detail = f"{first['action']}{_under_way(results, first)}"
    return Item(text=sentence, detail=detail, status=common.STATUS.get(str(first["status"])))


def _under_way(results: Results, row: Mapping[str, Any]) -> str:
    """Name the action that was begun already, so that nobody begins it again."""
    actions = results.actions
    if actions.empty:
        return ""
    same = (actions["kpi"] == row["kpi"]) & (actions["unit"].fillna("centre") == row["unit"])
    begun = actions[same & (actions["state"] == "running")]
    if begun.empty:
        return ""
    latest = begun.sort_values("decided_on").iloc[-1]
    return f" Under way: {latest['what']} ({text.outcome(latest).lower()})."


def _short(results: Results, row: pd.Series) -> str:
    """A finding in half a sentence."""
    if row["kind"] in _WHOLE_SENTENCES:
        return str(row["sentence"])
    about = common.about(results, row["kpi"])
    unit = about["unit_of_value"]
    name = common.name_of(results, row)
    judged = common.verdicts_of(results, row["kpi"], row["level"])
    judged = judged[judged["unit"] == row["unit"]]
    around = text.interval(judged.iloc[0]) if len(judged) else ""
    evidence = f"n {text.number(row['n'])}" + (f", {around}" if around else "")
    figure = f"{name}: {about['name']} at {text.value(row['value'], unit)} ({evidence})"
    if about["better"] == "within":
        return f"{figure}, outside the agreed range"
    return f"{figure}, {text.target(row['target'], np.nan, about['better'], unit)} wanted"


def findings_note(
    results: Results,
    *kinds: str,
    tiers: Sequence[str] = ("act", "watch", "note"),
    whose: Literal["all", "own", "others"] = "all",
    empty: str,
) -> Note:
    """List findings of some kinds in full sentences, in order of certainty and effect.

    Args:
        results: The results.
        kinds: Which kinds: `improve`, `system`, `worsening`, `recognise`, `development`, `review_target`, `data`,
            `not_acted_on`, `rule_not_acted_on`, `cannot_tell`.
        tiers: Which tiers.
        whose: Only of the edition's own unit, or only of others, such as the whole centre.
        empty: What to say where there is none; "cannot tell yet" is an answer.
    """
    found = results.findings
    if len(found):
        found = found[found["kind"].isin(kinds) & found["tier"].isin(list(tiers))]
        level, units = common.own_units(results)
        own = (found["level"] == level) & found["unit"].isin(units)
        found = found[{"all": own | ~own, "own": own, "others": ~own}[whose]]
    if found.empty:
        return Note(kind="paragraph", text=empty)
    found, also = _joined_with_centre(found)
    items = []
    for index, row in found.iterrows():
        sentence = str(row["sentence"])
        if also.get(index):
            sentence += f" The same is seen in {text.listed(also[index])}."
        if row["level"] == "agent":
            sentence = sentence.replace(f"{row['unit']}:", f"{common.person(results, str(row['unit']))}:", 1)
        status: Any = "met" if row["kind"] == "recognise" else common.STATUS.get(str(row["status"]))
        if row["kind"] == "worsening" and row["status"] in common.GOOD:
            status = None  # a green mark would hide what is said
        items.append(Item(text=sentence, detail=f"{_impact(results, row)}{row['action']}", status=status))
    return Note(kind="verdicts", items=items)


def _joined_with_centre(found: pd.DataFrame) -> tuple[pd.DataFrame, dict[Any, list[str]]]:
    """Tell a signal of the whole centre once, and name the units that show it too."""
    also: dict[Any, list[str]] = {}
    whole = found[(found["level"] == "centre") & found["kind"].isin(["recognise", "worsening", "changed"])]
    for index, row in whole.iterrows():
        same = (found["kpi"] == row["kpi"]) & (found["kind"] == row["kind"]) & (found["level"] != "centre")
        if same.sum() > 1:
            also[index] = sorted(found.loc[same, "unit"].astype(str))
            found = found[~same]
    return found, also


def _impact(results: Results, row: Mapping[str, Any]) -> str:
    """What closing the gap would be worth, in natural units, and in money where the register says so."""
    impact = row["impact"]
    if row["kind"] not in ("improve", "development") or np.isnan(impact) or impact <= 0:
        return ""
    unit = common.about(results, row["kpi"])["unit_of_value"]
    size = {
        "share": text.count(round(impact), "contact"),
        "s": f"{text.duration(impact)} over all {text.count(row['n'], 'contact')}",
    }.get(unit, text.count(round(impact), "case"))
    money = row.get("money", np.nan)
    worth = "" if np.isnan(money) else f", or {text.money(money, results.facts.get('currency', 'GBP'))},"
    return f"Closing the gap is worth about {size}{worth} in the period. "


def comparisons(results: Results) -> Note:
    """Say how many comparisons were made, so that a reader can weigh what was found."""
    judged = results.verdicts
    n = int((~judged["status"].isin(["not_judged", "no_target"])).sum()) if len(judged) else 0
    return Note(
        kind="paragraph",
        text=(
            f"{text.count(n, 'comparison')} with a target were made in this report. A miss is called real only where "
            "its whole interval lies beyond target and tolerance and the usual course agrees; of the findings that "
            "call for action at most one in twenty is expected to be a false alarm."
        ),
    )

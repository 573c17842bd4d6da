"""The report on requirements: what a change of rule or procedure did to the KPIs, and what complying costs in time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ccanalysis import charts, text
from ccanalysis.display import Cell, Column, Figure, Item, Note, Table
from ccanalysis.questions import requirements
from ccanalysis.results import Results
from ccanalysis.views import common

STATES = {
    "new": "new in this window",
    "in force": "in force",
    "ended": "ended in this window",
    "expired": "no longer in force",
    "not yet in force": "not yet in force",
}
ORIGINS = {"organisational": "organisation", "regulatory": "regulation", "code_of_practice": "code of practice"}
_ABSENT = "No requirements were given."


def _effects(results: Results) -> pd.DataFrame:
    """The effects that stand, the largest of each requirement first: of time before of others, centre before parts."""
    found = results.answered("effects")
    if found.empty:
        return found
    found = found[found["outcome"] == "effect"]
    return found.sort_values(["requirement_id", "p_value"], kind="stable")


def _main(results: Results) -> pd.DataFrame:
    """The clearest effect of each requirement."""
    found = _effects(results)
    return found.groupby("requirement_id", sort=False).head(1) if len(found) else found


def _title(results: Results, requirement: str) -> str:
    listed = results.answered("in_force")
    found = listed.loc[listed["requirement_id"] == requirement, "title"]
    return str(found.iloc[0]) if len(found) else requirement


def _where(results: Results, row: Mapping[str, Any]) -> str:
    return "at the centre" if row["level"] == "centre" else f"in {common.word(results, row['level'])} {row['unit']}"


def _sentence(results: Results, row: Mapping[str, Any]) -> str:
    """Say what changed, by how much, and how sure that is."""
    unit = row["unit_of_value"]
    way = "higher" if row["effect"] > 0 else "lower"
    ends = sorted(abs(row[key]) for key in ("ci_low", "ci_high"))
    interval = f"{text.difference(ends[0], unit)} to {text.difference(ends[1], unit)}"
    return (
        f"{row['name']} {_where(results, row)} is {text.difference(row['effect'], unit)} {way} since "
        f"{_title(results, row['requirement_id'])} ({row['requirement_id']}); likely {interval}."
    )


def headline(results: Results) -> str:
    """Say in one sentence what the report found."""
    listed, main = results.answered("in_force"), _main(results)
    if listed.empty:
        return _ABSENT
    if len(main):
        return _sentence(results, main.iloc[0].to_dict())
    new = int((listed["state"] == "new").sum())
    return "No requirement is new in the window." if not new else "No effect of a new requirement stands out yet."


def lead(results: Results) -> Note:
    """Say in a few sentences what new requirements did."""
    listed, main = results.answered("in_force"), _main(results)
    if listed.empty:
        return Note(kind="lead", text=_ABSENT)
    new = listed[listed["state"] == "new"]
    if new.empty:
        return Note(kind="lead", text="No requirement is new in the window, so no effect can be looked for.")
    sentences = [_sentence(results, row) for row in main.to_dict("records")]
    without = new[~new["requirement_id"].isin(main["requirement_id"] if len(main) else [])]
    sentences += [
        f"{row.title} ({row.requirement_id}): {_why_none(results, row.requirement_id)}" for row in without.itertuples()
    ]
    return Note(kind="lead", text=" ".join(sentences))


def _why_none(results: Results, requirement: str) -> str:
    found = results.answered("effects")
    found = found[found["requirement_id"] == requirement] if len(found) else found
    if found.empty or (found["outcome"] == "cannot tell").all():
        return (
            f"it cannot be told yet; {requirements.FEWEST_BEFORE} periods before the change and "
            f"{requirements.FEWEST_AFTER} after it are needed."
        )
    return f"none of {text.count(len(found), 'course')} looked at changed by more than chance."


def to_do(results: Results) -> Note:
    """Recommend what to do about each effect, with what it costs."""
    items = []
    for row in _main(results).to_dict("records"):
        title, hours = _title(results, row["requirement_id"]), row["hours"]
        if pd.notna(hours):
            cost = text.count(round(abs(hours), 1), "hour")
            if pd.notna(row["money"]):
                cost += f", or {text.money(abs(row['money']), results.facts['currency'])},"
            more = hours > 0
            items.append(
                Item(
                    text=f"Plan {cost} {'more' if more else 'less'} a week for {title}.",
                    detail="Ask whether a shorter wording or a step done elsewhere fulfils it in less time, and "
                    "measure again after the change."
                    if more
                    else "Keep it as it is.",
                )
            )
        else:
            items.append(
                Item(
                    text=f"Look at how {title} is carried out {_where(results, row)}.",
                    detail=_sentence(results, row),
                )
            )
    listed = results.answered("in_force")
    unverified = (
        listed[(listed["state"].isin(["in force", "new"])) & ~listed["verified"].fillna(False).astype(bool)]
        if len(listed)
        else listed
    )
    if len(unverified):
        names = text.listed([str(name) for name in unverified["requirement_id"]])
        items.append(Item(text=f"Check the citation of {names} at its source; it is not verified."))
    if not items:
        return Note(kind="paragraph", text="Nothing to do: no effect stands out, and every citation is verified.")
    return Note(kind="list", title="What to do", items=items)


def effects_table(results: Results) -> Table | Note:
    """Show every effect that stands: before, the jump with its interval, and the proofs that it is none of chance."""
    found = _effects(results)
    if found.empty:
        return Note(kind="paragraph", text="No effect stands.")
    rows = []
    for row in found.to_dict("records"):
        unit = row["unit_of_value"]
        sign = "+" if row["effect"] > 0 else "-"
        cost = "" if pd.isna(row["hours"]) else f"{text.number(row['hours'], 1)} h a week"
        note = "" if pd.isna(row["money"]) else text.money(row["money"], results.facts["currency"])
        rows.append(
            [
                row["requirement_id"],
                Cell(text=str(row["name"]), note=_where(results, row)),
                text.value(row["before"], unit),
                Cell(
                    text=f"{sign}{text.difference(row['effect'], unit)}",
                    note=text.interval({**row}),
                ),
                Cell(text=f"{row['placebos_as_large']:.0f} of {row['placebos']:.0f}", note=row["method"]),
                Cell(text=cost, note=note),
            ]
        )
    return Table(
        columns=[
            "Requirement",
            "KPI",
            Column(label="Before", align="right"),
            Column(label="Change", align="right"),
            Column(label="Placebo dates with as large a change", align="right"),
            Column(label="Cost", align="right"),
        ],
        rows=rows,
        caption="Effects of new requirements",
        note="Parts of a figure stand beside the whole: a queue and its contact reasons tell of the same contacts, and "
        "their hours do not add up. Seasons of the year are allowed for only with two years of data.",
    )


def courses(results: Results, *, most: int = 2) -> list[Figure]:
    """Draw the clearest effects: the course, and what it was without the change."""
    drawn = []
    lines = results.answered("courses")
    listed = results.answered("in_force")
    for row in _effects(results).head(most).to_dict("records"):
        keys = ("requirement_id", "kpi", "level", "unit")
        part = lines[(lines[list(keys)] == [row[key] for key in keys]).all(axis=1)]
        begins = listed.loc[listed["requirement_id"] == row["requirement_id"], "valid_from"].iloc[0]
        after = part.loc[part["in_force"], "period"]
        drawn.append(
            charts.courses_chart(
                part,
                row["unit_of_value"],
                title=f"{row['name']} {_where(results, row)} and {_title(results, row['requirement_id'])}",
                alt=f"{_sentence(results, row)} In force from {common.day(begins)}.",
                lines={"value": "as it was", "without": "without the change"},
                mark=str(after.iloc[0]) if len(after) else "",
                mark_name=str(row["requirement_id"]),
            )
        )
    return drawn


def unchanged_note(results: Results) -> Note:
    """Say what was looked at and did not change, so that nobody looks for it again."""
    found = results.answered("effects")
    none = found[found["outcome"] == "none"] if len(found) else found
    if none.empty:
        return Note(kind="paragraph", text="No other course could be looked at.")
    items = []
    for requirement, part in none.groupby("requirement_id", sort=True):
        names = text.listed(sorted(set(part["name"])))
        items.append(
            Item(
                text=f"{requirement}: {text.count(len(part), 'course')} did not change by more than chance.",
                detail=f"Of {names}.",
            )
        )
    return Note(kind="list", items=items)


def in_force_table(results: Results) -> Table | Note:
    """Show the requirements with their days, citations and whether these are verified."""
    listed = results.answered("in_force")
    if listed.empty:
        return Note(kind="paragraph", text=_ABSENT)
    rows = [
        [
            Cell(text=str(row["requirement_id"]), note=ORIGINS.get(row["origin"], str(row["origin"]))),
            str(row["title"]),
            Cell(text=STATES[row["state"]].capitalize(), note=_days(row)),
            Cell(text=_asked(row["source"]) or "none", note="verified" if row["verified"] is True else "not verified"),
        ]
        for row in listed.to_dict("records")
    ]
    return Table(columns=["Requirement", "Title", "State", "Citation"], rows=rows, caption="Requirements")


def _days(row: Mapping[str, Any]) -> str:
    begin, end = common.day(row["valid_from"]), common.day(row["valid_to"])
    return f"{begin} to {end}" if end else f"from {begin}"


def _asked(value: Any) -> str:
    return value if isinstance(value, str) else ""


def change_notice(results: Results) -> Note:
    """Tell teams what changed, from when, by which procedure, and what was seen since."""
    listed = results.answered("in_force")
    new = listed[listed["state"].isin(["new", "ended"])] if len(listed) else listed
    if new.empty:
        return Note(kind="paragraph", text="No requirement changed, so there is nothing to tell teams.")
    main = _main(results)
    items = []
    for row in new.to_dict("records"):
        seen = main[main["requirement_id"] == row["requirement_id"]] if len(main) else main
        told = [f"Procedure {row['procedure']}."] if _asked(row["procedure"]) else []
        told += (
            [_sentence(results, seen.iloc[0].to_dict()) + " That is the time it takes, and no fault of anybody."]
            if len(seen) and seen["unit_of_value"].iloc[0] == "s"
            else []
        )
        begins = row["state"] == "new"
        when = common.day(row["valid_from"] if begins else row["valid_to"])
        verb = "applies from" if begins else "applied until"
        items.append(Item(text=f"{row['title']} ({row['requirement_id']}) {verb} {when}.", detail=" ".join(told)))
    return Note(kind="list", title="To tell teams", items=items)

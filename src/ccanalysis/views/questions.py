"""What the reports on all questions of monitoring share: their opening, the trust in their tables, what was absent.

A view module of a question has the two functions that this one hands on, `headline` and `lead`, beside its own tables
and charts.
"""

from __future__ import annotations

import importlib
from typing import Any

from ccanalysis import text
from ccanalysis.display import Item, Note
from ccanalysis.results import Results
from ccanalysis.views import common


def _view(results: Results) -> Any:
    """The view module of the question that a slice answers."""
    return importlib.import_module(f"ccanalysis.views.{results.facts['question']['question']}")


def headline(results: Results) -> str:
    """Say in one sentence, for the index, what a question found."""
    return str(_view(results).headline(results))


def question_lead(results: Results) -> Note:
    """Say in a few sentences what a question found; the first thing on its page."""
    found: Note = _view(results).lead(results)
    return found


def window_note(results: Results) -> Note:
    """Say which days were looked at, which tables were not given and which periods were left out."""
    facts = results.facts["question"]
    since, until = common.day(facts["since"]), common.day(facts["until"])
    items = [Item(text=f"Looked at: {since} to {until}.")]
    if facts["absent"]:
        listed = text.listed([name.replace("_", " ") for name in facts["absent"]])
        items.append(Item(text=f"Not given, so that what needs it is not shown: {listed}."))
    for table, periods in facts["left_out"].items():
        items.append(
            Item(
                text=f"Left out of {table.replace('_', ' ')}, for the data are not fit: {text.listed(list(periods))}.",
            )
        )
    items += [Item(text=note) for note in facts["notes"]]
    return Note(kind="list", title="What this rests on", items=items)


def trust_note(results: Results) -> Note:
    """Say how far each table behind the page can be believed, with the reasons where it is not fit for all."""
    items = [
        Item(
            text=f"{one['table'].replace('_', ' ').capitalize()}: {text.RATING_WORDS[one['rating']].lower()}.",
            detail=" ".join(f"{reason.rstrip('.')}." for reason in one["reasons"]),
            rating=common.RATING[one["rating"]],
        )
        for one in results.facts["question"]["trust"]
    ]
    if not items:
        return Note(kind="paragraph", text="No table of this question was given.")
    return Note(kind="list", title="How far the data can be believed", items=items)

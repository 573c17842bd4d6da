"""What all views share: opening a report, whose it is, and how units, people and days are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ccanalysis import text
from ccanalysis.editions import Audience, Reader, readers, write
from ccanalysis.errors import ReportError
from ccanalysis.periods import Kind
from ccanalysis.questions import answer
from ccanalysis.results import Results, compute
from ccanalysis.verdicts import SERIES_COLUMNS, VERDICT_COLUMNS
from ccanalysis.workspace import Workspace

STATUS: dict[str, Any] = {
    "met": "met",
    "within_tolerance": "tolerance",
    "missed_chance": "chance",
    "missed_real": "missed",
    "cannot_meet": "cannot",
    "not_judged": "not_judged",
    "no_target": None,
}
ASSURANCE: dict[str, Any] = {"hits": "hits", "hit_or_miss": "hit_or_miss", "misses": "misses", "none": None}
RATING: dict[str, Any] = {"fit": "fit", "caution": "caution", "not fit": "not_fit", "unknown": "unknown"}
GOOD, BAD = ("met", "within_tolerance"), ("missed_real", "cannot_meet")


def open_report(
    *, audience: Audience, unit: str = "", slice_path: str = "", workspace: str = "..", period: str = ""
) -> Results:
    """Open what a report may show: the slice it was handed, or one cut now for a notebook run by hand.

    Args:
        audience: Which edition.
        unit: The team or line manager; the first one where empty.
        slice_path: The slice that a scheduled run made; the other arguments are then not used.
        workspace: The workspace's folder, seen from the notebook.
        period: The period's label; the last complete one where empty.
    """
    if slice_path:
        return Results.read(Path(slice_path))
    opened = Workspace.open(workspace)
    results = compute(opened, period)
    known = readers(results, "centre" if audience in ("analyst", "centre") else audience)
    reader = Reader(audience, unit or known[0])
    folder = (
        opened.cache_path
        / "slices"
        / f"{results.folder.name}-{audience}-{known.index(reader.unit) if reader.unit in known else 'x'}"
    )
    return write(results, reader, folder)


def open_question(
    question: str,
    *,
    audience: Audience,
    unit: str = "",
    slice_path: str = "",
    workspace: str = "..",
    period: str = "",
    every: Kind | None = None,
) -> Results:
    """Open what a report on a question of monitoring may show, as `open_report` does for the KPIs.

    Args:
        question: The question's name, such as `quality`.
        audience: Which edition.
        unit: The line manager; the first one where empty.
        slice_path: The slice that a scheduled run made; the other arguments are then not used.
        workspace: The workspace's folder, seen from the notebook.
        period: The period's label; the last complete one where empty.
        every: How often the question is asked; with each run where None.

    Raises:
        ReportError: The question could not be answered.
    """
    if slice_path:
        found = Results.read(Path(slice_path))
    else:
        opened = Workspace.open(workspace)
        results = compute(opened, period)
        known = readers(results, "line_manager" if audience == "line_manager" else "centre")
        reader = Reader(audience, unit or known[0])
        place = known.index(reader.unit) if reader.unit in known else "x"
        folder = opened.cache_path / "slices" / f"{results.folder.name}-{question}-{audience}-{place}"
        found = write(results, reader, folder, answer(opened, results, question, every))
    if "error" in found.facts["question"]:
        raise ReportError(f"the question {question!r} could not be answered ({found.facts['question']['error']})")
    return found


def who(results: Results) -> str:
    """Name whom the report is about, as its heading does."""
    return str(results.facts.get("unit") or results.facts["centre"])


def word(results: Results, level: str, n: float = 1) -> str:
    """Name a level as the centre itself does."""
    return text.level(level, n, results.facts.get("unit_names"))


def own_level(results: Results) -> tuple[str, str]:
    """The level and unit that the cards of an edition show."""
    audience = results.facts.get("audience", "centre")
    if audience == "team":
        return "team", results.facts["unit"]
    if audience == "line_manager":
        teams = results.people["team"].unique().tolist() if len(results.people) else []
        return ("team", teams[0]) if teams else ("centre", "centre")
    return "centre", "centre"


def frame(results: Results, name: str, columns: Sequence[str]) -> pd.DataFrame:
    """Return a frame of the results; one that the slice does not hold has these columns and no row."""
    found: pd.DataFrame = getattr(results, name)
    return found if len(found.columns) else pd.DataFrame(columns=list(columns))


def own_units(results: Results) -> tuple[str, list[str]]:
    """The level and all units that an edition is about: a line manager may have several teams."""
    level, unit = own_level(results)
    if results.facts.get("audience") == "line_manager" and level == "team":
        return level, sorted(results.people["team"].dropna().unique())
    return level, [unit]


def own_verdicts(results: Results) -> pd.DataFrame:
    """Return the verdicts of the edition's own unit."""
    level, unit = own_level(results)
    judged = frame(results, "verdicts", VERDICT_COLUMNS)
    return judged[(judged["level"] == level) & (judged["unit"] == unit)]


def name_of(results: Results, row: Mapping[str, Any]) -> str:
    """Name the unit of a verdict or a finding for a reader."""
    if row["level"] == "centre":
        return "The centre"
    if row["level"] == "agent":
        return person(results, str(row["unit"]))
    return str(row["unit"])


def person(results: Results, agent: str) -> str:
    """Name a person, with the id that tells namesakes apart."""
    people = results.people
    if len(people):
        found = people.loc[people["agent_id"] == agent, "agent_name"].dropna()
        if len(found):
            return f"{found.iloc[0]} ({agent})"
    return agent


def about(results: Results, kpi: str) -> dict[str, Any]:
    """Return a KPI's row of the register frame."""
    return dict(results.kpis[results.kpis["kpi"] == kpi].iloc[0])


def line_of(results: Results, kpi: str, level: str, unit: str) -> pd.DataFrame:
    """Return the series of one KPI and unit, in time order."""
    series = frame(results, "series", SERIES_COLUMNS)
    return series[(series["kpi"] == kpi) & (series["level"] == level) & (series["unit"] == unit)]


def verdicts_of(results: Results, kpi: str, level: str) -> pd.DataFrame:
    """Return the verdicts of one KPI at one level."""
    judged = frame(results, "verdicts", VERDICT_COLUMNS)
    return judged[(judged["kpi"] == kpi) & (judged["level"] == level)]


def called(results: Results, level: str, unit: str) -> str:
    """Name a unit of a level for a reader: people by their names, others by their own."""
    return person(results, unit) if level == "agent" else str(unit)


def variation(row: Mapping[str, Any]) -> Any:
    """The icon for the course of a verdict: its meaning and which way it went."""
    word = row["variation"]
    if word == "not_enough_data":
        return "unknown"
    if word == "common_cause":
        return "common"
    if word in ("higher", "lower"):
        return f"changed_{'up' if word == 'higher' else 'down'}"
    rises = (word == "improving") == (row["better"] == "up")
    return f"{word}_{'up' if rises else 'down'}"


def kpis_at(results: Results, level: str) -> list[str]:
    """List the KPIs that are judged at a level, in the order of the register."""
    judged = results.verdicts
    found = set(judged.loc[(judged["level"] == level) & judged["value"].notna(), "kpi"]) if len(judged) else set()
    return [kpi for kpi in results.kpis["kpi"] if kpi in found] if len(results.kpis) else []


def day(value: Any) -> str:
    """Write a date without doubt about day and month."""
    return "" if pd.isna(value) else f"{pd.Timestamp(value).day} {pd.Timestamp(value):%B %Y}"

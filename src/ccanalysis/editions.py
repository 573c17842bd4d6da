"""Editions: who may see what. Each report is given a slice that holds only what its reader may see.

A notebook that was handed the slice of one team cannot show another, whatever it does: the rows are not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from ccanalysis.errors import SettingsError, nearest
from ccanalysis.results import FRAMES, Results

Audience = Literal["analyst", "centre", "team", "line_manager"]

# Under so many cases a figure is not shown to colleagues of a team.
SMALLEST_SHOWN = 8
_DATA_FRAMES = ("expectations", "rule_history", "ratings", "coverage", "intake", "quarantine", "failures", "effects")
_PERSONAL_LEVELS = ("agent", "line_manager")


@dataclass(frozen=True)
class Reader:
    """Whom a report is for.

    Attributes:
        audience: Which edition.
        unit: The team, or the line manager; empty for the analyst and the centre.
    """

    audience: Audience
    unit: str = ""


def readers(results: Results, each: str) -> list[str]:
    """List the units that get a report of their own.

    Args:
        results: The uncut results.
        each: `centre`, `team` or `line_manager`.
    """
    if each == "centre":
        return [""]
    if each == "line_manager":
        people = results.people
        return sorted(set(people["line_manager"].dropna())) if len(people) else []
    judged = results.verdicts
    if judged.empty:
        return []
    return sorted(set(judged.loc[(judged["level"] == each) & judged["value"].notna(), "unit"]) - {"unassigned"})


def cut(results: Results, reader: Reader) -> dict[str, pd.DataFrame]:
    """Return the frames that a reader may see.

    The analyst and the centre see units but no person's figures. A team sees itself and the centre, no person, and no
    figure of fewer than `SMALLEST_SHOWN` cases. A line manager sees their own people, their team and the centre.

    Raises:
        SettingsError: There is no such team or line manager in the period.
    """
    frames = {name: getattr(results, name) for name in FRAMES}
    if reader.audience == "analyst":
        return _without_people(frames)
    if reader.audience == "centre":
        return _without_people(frames, drop=("quarantine", "failures"))
    known = readers(results, reader.audience)
    if reader.unit not in known:
        raise SettingsError(
            f"there is no {reader.audience.replace('_', ' ')} {reader.unit!r} in {results.facts['period']}",
            remedy=nearest(reader.unit, known) if known else "The results know none",
        )
    if reader.audience == "team":
        return _team(frames, reader.unit)
    return _line_manager(frames, reader.unit)


def _without_people(frames: dict[str, pd.DataFrame], drop: Sequence[str] = ()) -> dict[str, pd.DataFrame]:
    kept = {}
    for name, frame in frames.items():
        if name in ("people", "activities") or name in drop:
            continue
        if "level" in frame and name != "actions":
            frame = frame[~frame["level"].isin(_PERSONAL_LEVELS)]  # noqa: PLW2901
        kept[name] = frame.drop(columns=["owner"]) if name == "actions" and "owner" in frame else frame
    return kept


def _units(frame: pd.DataFrame, team: str) -> pd.Series:
    """Mark the rows of the centre and of one team."""
    return (frame["level"] == "centre") | ((frame["level"] == "team") & (frame["unit"] == team))


def _team(frames: dict[str, pd.DataFrame], team: str) -> dict[str, pd.DataFrame]:
    kept = {"kpis": frames["kpis"], "requirements": frames["requirements"]}
    for name in ("series", "verdicts", "findings", "changes", "ratings"):
        frame = frames[name]
        kept[name] = frame[_units(frame, team)] if len(frame) else frame
    for name in ("series", "verdicts"):
        frame = kept[name].copy()
        few = (frame["level"] == "team") & (frame["n"] < SMALLEST_SHOWN)
        hidden = ["numerator", "denominator", "n", "value", "ci_low", "ci_high"]
        frame.loc[few, hidden] = float("nan")
        kept[name] = frame
    kept["actions"] = _actions(frames["actions"], team)
    return kept


def _actions(actions: pd.DataFrame, team: str) -> pd.DataFrame:
    if actions.empty:
        return actions
    own = actions["unit"].isna() | (actions["unit"] == team) | (actions["level"] == "centre")
    return actions[own & (actions["level"] != "agent")].drop(columns=["owner"], errors="ignore")


def _line_manager(frames: dict[str, pd.DataFrame], manager: str) -> dict[str, pd.DataFrame]:
    people = frames["people"]
    own = people[people["line_manager"] == manager]
    agents, teams = set(own["agent_id"]), set(own["team"])
    kept = {"kpis": frames["kpis"], "requirements": frames["requirements"], "people": own}
    for name in ("series", "verdicts", "findings", "changes", "ratings"):
        frame = frames[name]
        if len(frame):
            unit = frame["unit"]
            frame = frame[
                (frame["level"] == "centre")
                | ((frame["level"] == "team") & unit.isin(teams))
                | ((frame["level"] == "agent") & unit.isin(agents))
                | ((frame["level"] == "line_manager") & (unit == manager))
            ]
        kept[name] = frame
    activities = frames["activities"]
    kept["activities"] = activities[activities["agent_id"].isin(agents)] if len(activities) else activities
    actions = frames["actions"]
    if len(actions):
        units = teams | agents
        actions = actions[actions["unit"].isna() | actions["unit"].isin(units) | (actions["level"] == "centre")]
    kept["actions"] = actions.drop(columns=["owner"], errors="ignore") if len(actions) else actions
    return kept


def write(results: Results, reader: Reader, folder: Path) -> Results:
    """Write the slice of a reader into a folder and return it as results."""
    facts = {
        key: value
        for key, value in results.facts.items()
        if reader.audience in ("analyst", "centre") or key not in ("notes",)
    }
    facts |= {"audience": reader.audience, "unit": reader.unit}
    sliced = Results(folder, facts)
    sliced.write(folder, cut(results, reader))
    return Results.read(folder)

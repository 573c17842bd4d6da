"""Editions: who may see what. Each report is given a slice that holds only what its reader may see.

A notebook that was handed the slice of one team cannot show another, whatever it does: the rows are not there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ccanalysis import disclosure, drivers
from ccanalysis.disclosure import FEWEST_BEHIND, PERSONAL_LEVELS, Hidden
from ccanalysis.errors import SettingsError, nearest
from ccanalysis.kpis.components import UNASSIGNED
from ccanalysis.questions import Answer
from ccanalysis.results import FRAMES, Results
from ccanalysis.workspace import Audience

_COACHED = ("agent_id", "given_by")
_FIGURES = ("numerator", "denominator", "n", "squares", "value", "ci_low", "ci_high")
_LINES = ("centre", "lower", "upper")
# What is measured of an action.
_MEASURED = (
    *("recent", "usual", "expected", "after", "beyond", "low", "high", "more_periods"),
    *("n_before", "n_after", "cases_before", "cases_after", "peers"),
)
# What is said of a verdict whose figure is hidden.
_UNTOLD = {"status": "not_judged", "certain": False}
# What is said of the course of a line that has a hidden period.
_UNCHARTED = {"variation": "not_enough_data", "rules": "", "assurance": "none"}


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
    return sorted(set(judged.loc[(judged["level"] == each) & judged["value"].notna(), "unit"]) - {UNASSIGNED})


def cut(results: Results, reader: Reader) -> dict[str, pd.DataFrame]:
    """Return the frames that a reader may see.

    The analyst, the centre and the quality lead see units but no person's figures. A team sees itself and the centre,
    and no person. Neither the centre nor a team is shown figures of few cases or people, or what they could be worked
    out from (`ccanalysis.disclosure`). A line manager sees their own people, their team and the centre.
    Actions and activities that name somebody else in their words are left out.

    Raises:
        SettingsError: There is no such team or line manager in the period.
    """
    frames = {name: getattr(results, name) for name in FRAMES}
    last = results.memo.get("cut")  # a run asks for the same slice several times
    if last and last[0] == reader and all(last[1][name] is frames[name] for name in FRAMES):
        return dict(last[2])
    kept = _cut(results, reader, frames)
    results.memo["cut"] = (reader, frames, kept)
    return dict(kept)


def _cut(results: Results, reader: Reader, frames: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    if reader.audience == "analyst":
        return _without_people(frames)
    if reader.audience in ("centre", "quality_lead"):
        kept = _without_people(frames, drop=("quarantine", "failures"))
        unseen = hidden(results)
        _hide_small(kept, unseen)
        kept["drivers"] = unseen.parts
        return kept
    known = readers(results, reader.audience)
    if reader.unit not in known:
        raise SettingsError(
            f"there is no {reader.audience.replace('_', ' ')} {reader.unit!r} in {results.facts['period']}",
            remedy=nearest(reader.unit, known) if known else "The results know none",
        )
    if reader.audience == "team":
        return _team(frames, reader.unit, hidden(results))
    return _line_manager(frames, reader.unit)


def hidden(results: Results) -> Hidden:
    """Return what editions that colleagues see hide of these results, worked out once."""
    of = (results.series, results.people, results.drivers)
    known = results.memo.get("hidden")
    if known is None or any(one is not other for one, other in zip(known[0], of, strict=True)):
        known = results.memo["hidden"] = (of, disclosure.hidden(*of))
    found: Hidden = known[1]
    return found


def _without_people(frames: dict[str, pd.DataFrame], drop: Sequence[str] = ()) -> dict[str, pd.DataFrame]:
    kept = {}
    for name, frame in frames.items():
        if name in ("people", "activities") or name in drop:
            continue
        kept[name] = frame[~frame["level"].isin(PERSONAL_LEVELS)] if "level" in frame else frame
    kept["actions"] = _impersonal(kept["actions"], frames)
    return kept


def _persons(frames: dict[str, pd.DataFrame]) -> set[str]:
    """Collect every name of a person that the results know: agents, their names, managers, coaches."""
    found: set[str] = set()
    for frame, columns in (("people", ("agent_id", "agent_name", "line_manager")), ("activities", _COACHED)):
        for column in set(columns) & set(frames[frame].columns):
            found |= set(frames[frame][column].dropna().astype(str))
    for frame in ("series", "verdicts"):
        if len(frames[frame]):
            found |= set(frames[frame].loc[frames[frame]["level"].isin(PERSONAL_LEVELS), "unit"].astype(str))
    return found - {UNASSIGNED}


def _impersonal(
    actions: pd.DataFrame, frames: dict[str, pd.DataFrame], known: Iterable[str] = (), *, team: str = ""
) -> pd.DataFrame:
    """Say who does an action by role, and leave out actions whose words name a person that the reader does not know."""
    if actions.empty:
        return actions
    persons = _persons(frames)
    named = _names_others(actions, ("what",), persons - set(known))
    actions = actions[~named]
    if "owner" not in actions:
        return actions
    return actions.assign(who=_roles(actions["owner"], frames, persons, set(known), team)).drop(columns=["owner"])


def _roles(
    owners: pd.Series, frames: dict[str, pd.DataFrame], persons: set[str], known: set[str], team: str
) -> list[str]:
    """Name the owners of actions by what they are; to a team, none but by words that the KPI register has for roles."""
    people = frames["people"]
    managers = people[["team", "line_manager"]].dropna() if "line_manager" in people else None
    every = set() if managers is None else set(managers["line_manager"])
    own = set() if managers is None else set(managers.loc[managers["team"] == team, "line_manager"])
    kpis = frames["kpis"]
    texts = [text for column in ("owner", "approved_by") if column in kpis for text in kpis[column].dropna()]
    words = {word for text in texts for word in str(text).casefold().split()}
    elsewhere = _names_others(owners.to_frame("owner"), ("owner",), persons - known)
    found = []
    for owner, other in zip(owners, elsewhere, strict=True):
        if not isinstance(owner, str) or not owner.strip():
            found.append("")
        elif owner in own:
            found.append("your line manager")
        elif owner in every and owner not in known:
            found.append("a line manager")
        elif other:
            found.append("a colleague")
        elif team and not set(owner.casefold().split()) <= words:
            found.append("named in the register")
        else:
            found.append(owner)
    return found


def _names_others(frame: pd.DataFrame, columns: Sequence[str], others: set[str]) -> pd.Series:
    """Mark the rows in which a text names one of some persons."""
    others = {name for name in others if len(name.strip()) > 2}  # a short number is not a name
    texts = frame[[column for column in columns if column in frame]]
    if not others or texts.empty:
        return pd.Series(data=False, index=frame.index)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(others)))})(?!\w)", re.IGNORECASE)
    found = [
        any(isinstance(text, str) and pattern.search(text) for text in row) for row in texts.itertuples(index=False)
    ]
    return pd.Series(found, index=frame.index, dtype=bool)


def _units(frame: pd.DataFrame, team: str) -> pd.Series:
    """Mark the rows of the centre and of one team."""
    return (frame["level"] == "centre") | ((frame["level"] == "team") & (frame["unit"] == team))


def _team(frames: dict[str, pd.DataFrame], team: str, unseen: Hidden) -> dict[str, pd.DataFrame]:
    kept = {"kpis": frames["kpis"], "requirements": frames["requirements"], "overrides": _used(frames["overrides"])}
    kept["overrides"] = kept["overrides"][_units(kept["overrides"], team)]
    kept["revised"] = (
        frames["revised"][_units(frames["revised"], team)] if len(frames["revised"]) else frames["revised"]
    )
    for name in ("series", "verdicts", "findings", "changes", "ratings"):
        frame = frames[name]
        kept[name] = frame[_units(frame, team)] if len(frame) else frame
    actions = frames["actions"]
    if len(actions):
        level, unit = actions["level"], actions["unit"]
        own = (level.isna() | (level == "team")) & (unit.isna() | (unit == team))
        actions = actions[own | (level == "centre")]
    kept["actions"] = _impersonal(actions, frames, team=team)
    _hide_small(kept, unseen)
    if "level" in unseen.parts:
        kept["drivers"] = _own_drivers(unseen.parts, {team})
    return kept


def _used(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the overrides that a figure rests on; what is expired or not needed concerns who keeps the settings."""
    frame = frame if "level" in frame else frame.reindex(columns=["level", "unit", "state"])
    return frame[frame["state"] == "used"]


def _own_drivers(frame: pd.DataFrame, teams: set[str]) -> pd.DataFrame:
    """Keep what teams' own figures are made of; of other teams only what many of them together are."""
    own = frame[(frame["level"] == "team") & frame["unit"].isin(teams)].reset_index(drop=True)
    return drivers.without_others(own, fewest=FEWEST_BEHIND)


def _hide_small(kept: dict[str, pd.DataFrame], unseen: Hidden) -> None:
    """Hide the figures that rest on few cases or people, and what they could be worked out from.

    Of a KPI with a hidden period neither the average nor the limits nor the sum of several periods is shown, for the
    hidden one is the difference to what is shown.
    """
    line, judged = kept["series"], kept["verdicts"]
    owners = {(kpi, level, unit) for kpi, level, unit, _ in unseen.cells}
    revised = kept["revised"]
    if len(revised):  # a count that grew beyond the smallest tells what it was
        few = revised[["n", "n_before"]].fillna(0).min(axis=1) < disclosure.SMALLEST_SHOWN
        few &= ~revised["level"].isin(["centre", *PERSONAL_LEVELS])
        kept["revised"] = revised[~few & ~_among(revised, owners)]
    if line.empty or not unseen.cells:
        return
    kept["series"] = _blank(line, _among(line, unseen.cells, disclosure.KEYS), _FIGURES)
    kept["series"] = _blank(kept["series"], _among(line, owners), _LINES)
    kept["actions"] = _untold(kept["actions"], owners)
    if judged.empty:
        return
    now = judged["period"].iloc[0]
    before = line["period"][line["period"] < now].max()
    of_now, of_before = (
        {(kpi, level, unit) for kpi, level, unit, period in unseen.cells if period == when} for when in (now, before)
    )
    few, touched = _among(judged, of_now), _among(judged, owners)
    pooled = [column for column in judged if str(column).startswith("pooled_")]
    judged = _blank(judged, few, _FIGURES)
    judged = _blank(judged, touched, (*_LINES, "hit_rate", "autocorrelation", "cycle_before", *pooled))
    judged = _blank(judged, _among(judged, of_before), ("previous",))
    for column, value in _UNTOLD.items():
        judged[column] = judged[column].mask(few, value)
    for column, value in _UNCHARTED.items():
        judged[column] = judged[column].mask(touched, value)
    judged["reasons"] = [(disclosure.WHY,) if one else given for one, given in zip(few, judged["reasons"], strict=True)]
    kept["verdicts"] = judged
    for name, without in (("findings", of_now), ("changes", of_now | of_before)):
        if len(kept[name]):
            kept[name] = kept[name][~_among(kept[name], without)]
    found = kept["findings"]
    if len(found):  # how long a miss has lasted is told by hidden periods too
        kept["findings"] = found[~(_among(found, owners) & (found["kind"] == "not_acted_on"))]
    ratings = kept["ratings"]
    if "reasons" in ratings:  # which name how many rows failed
        told = _among(ratings, unseen.cells, disclosure.KEYS)
        kept["ratings"] = ratings.assign(
            reasons=[() if one else given for one, given in zip(told, ratings["reasons"], strict=True)]
        )


def _untold(actions: pd.DataFrame, owners: set[tuple[str, str, str]]) -> pd.DataFrame:
    """Say nothing of what became of an action where it rests on a period that is hidden."""
    if actions.empty or "outcome" not in actions:
        return actions
    touched = _among(actions, owners)
    why = "Not shown: it rests on figures that are hidden, so that nobody can be worked out."
    actions = _blank(actions, touched, _MEASURED)
    return actions.assign(
        outcome=actions["outcome"].mask(touched, "not_judged"), sentence=actions["sentence"].mask(touched, why)
    )


def _among(
    frame: pd.DataFrame, keys: Collection[tuple[str, ...]], names: Sequence[str] = ("kpi", "level", "unit")
) -> pd.Series:
    """Mark the rows whose key is among some."""
    if not keys or frame.empty:
        return pd.Series(data=False, index=frame.index)
    found = [key in keys for key in zip(*(frame[name] for name in names), strict=True)]
    return pd.Series(found, index=frame.index, dtype=bool)


def _blank(frame: pd.DataFrame, rows: pd.Series, columns: Sequence[str]) -> pd.DataFrame:
    present = [column for column in columns if column in frame]
    return frame.assign(**{column: frame[column].astype(float).mask(rows) for column in present})


def _line_manager(frames: dict[str, pd.DataFrame], manager: str) -> dict[str, pd.DataFrame]:
    people = frames["people"]
    own = people[people["line_manager"] == manager]
    agents, teams = set(own["agent_id"]), set(own["team"])
    known = agents | set(own["agent_name"].dropna()) | {manager}
    persons = _persons(frames)

    def mine(frame: pd.DataFrame) -> pd.Series:
        level, unit = frame["level"], frame["unit"]
        return (
            (level == "centre")
            | ((level == "team") & unit.isin(teams))
            | ((level == "agent") & unit.isin(agents))
            | ((level == "line_manager") & (unit == manager))
        )

    kept = {"kpis": frames["kpis"], "requirements": frames["requirements"], "people": own}
    kept["overrides"] = _used(frames["overrides"])
    kept["overrides"] = kept["overrides"][mine(kept["overrides"])]
    kept["revised"] = frames["revised"][mine(frames["revised"])] if len(frames["revised"]) else frames["revised"]
    for name in ("series", "verdicts", "findings", "changes", "ratings"):
        frame = frames[name]
        kept[name] = frame[mine(frame)] if len(frame) else frame
    if "level" in frames["drivers"]:
        kept["drivers"] = _own_drivers(frames["drivers"], teams)
    activities = frames["activities"]
    if len(activities):
        activities = activities[activities["agent_id"].isin(agents)]
        activities = activities[~_names_others(activities, ("topic", "need"), persons - known)]
        if "given_by" in activities:
            activities = activities.assign(given_by=activities["given_by"].where(activities["given_by"].isin(known)))
    kept["activities"] = activities
    actions = frames["actions"]
    if len(actions):
        unplaced = actions["level"].isna() & (actions["unit"].isna() | actions["unit"].isin(teams))
        actions = actions[unplaced | mine(actions)]
    kept["actions"] = _impersonal(actions, frames, known)
    return kept


def cut_answer(results: Results, answer: Answer, reader: Reader) -> dict[str, pd.DataFrame]:
    """Return the frames of a question that a reader may see.

    Rows without a level are of the whole centre and stand in every edition. The quality lead sees evaluators; nobody
    but a line manager sees agents, and these only their own; single comments (`comment`) are for the whole centre's
    editions alone, for a team knows whose they are. From editions that colleagues see, figures of few cases
    are taken, and one more of the same kind where it would tell them.
    """
    people = results.people
    own = people[people["line_manager"] == reader.unit] if "line_manager" in people else people
    teams = {reader.unit} if reader.audience == "team" else set(own["team"]) if len(own) else set()
    agents = set(own["agent_id"]) if reader.audience == "line_manager" and len(own) else set()
    kept = {}
    for name, frame in answer.frames.items():
        if "level" not in frame:
            kept[name] = frame
            continue
        level, unit = frame["level"], frame["unit"]
        if reader.audience in ("analyst", "centre", "quality_lead"):
            barred = set(PERSONAL_LEVELS) - ({"evaluator"} if reader.audience == "quality_lead" else set())
            seen = ~level.isin(barred)
        else:
            seen = ~level.isin([*PERSONAL_LEVELS, "team", "comment"]) | ((level == "team") & unit.isin(teams))
            seen |= (level == "agent") & unit.isin(agents)
        part = frame[seen].reset_index(drop=True)
        kept[name] = part if reader.audience == "analyst" else disclosure.without_few(part, answer.keys[name])
    return kept


def write(results: Results, reader: Reader, folder: Path, answer: Answer | None = None) -> Results:
    """Write the slice of a reader into a folder and return it as results; what lay there of another slice goes.

    Args:
        results: The uncut results.
        reader: Whom the slice is for.
        folder: Where it is written.
        answer: The uncut answer of a question, where the report is on one.
    """
    for stale in folder.glob("*.parquet"):
        stale.unlink()
    facts = {
        key: value
        for key, value in results.facts.items()
        if reader.audience in ("analyst", "centre", "quality_lead") or key not in ("notes",)
    }
    facts |= {"audience": reader.audience, "unit": reader.unit}
    if reader.audience in ("team", "line_manager") and "revision" in facts:
        facts["revision"] = {key: value for key, value in facts["revision"].items() if key != "files"}
    frames = cut(results, reader)
    if answer is not None:
        facts["question"] = answer.facts
        frames |= {f"answer_{name}": frame for name, frame in cut_answer(results, answer, reader).items()}
    sliced = Results(folder, facts)
    sliced.write(folder, frames)
    return Results.read(folder)

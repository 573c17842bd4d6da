"""The KPI register: what is measured, why, against which target, who approved it, and what follows from a miss.

The register governs: a KPI that is incomplete cannot be reported, one that is not approved is printed as
experimental, and each period is judged by the target in force then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

from ccanalysis.contracts import Table
from ccanalysis.errors import ExpressionError, RegisterError, nearest, place
from ccanalysis.kpis import expressions
from ccanalysis.kpis.measures import Better, Measure, Side, from_catalogue
from ccanalysis.periods import KINDS, Kind

LEVELS = ("centre", "site", "team", "line_manager", "queue", "channel", "reason", "agent")
STATES = ("draft", "consulted", "approved", "retired")
_KINDS = ("share", "mean", "rate", "ratio")
_UNITS = ("share", "s", "per_1000", "points", "count")
_ID = re.compile(r"[a-z][a-z0-9_]{0,40}")
_REQUIRED = (
    "id",
    "name",
    "purpose",
    "measure",
    "levels",
    "frequency",
    "minimum_n",
    "owner",
    "approval",
    "action_after_review",
)
_OPTIONAL = ("objective", "population", "better", "targets", "rebase", "review_on", "source_requirement", "weight")

Bound = float | tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A target and its tolerance from a day on.

    Attributes:
        since: First local day in force.
        team: For the centre, sites, teams, line managers, queues, channels and reasons: a value, or a pair of
            values for a KPI that must lie within a band. In the unit of the KPI (0 to 1 for shares).
        individual: For agents; None where individuals have no target.
        tolerance: How far a value may miss the target and still count as within tolerance, in the same unit.
        levels: The levels that `team` holds for; empty means all but agents.
    """

    since: date
    team: Bound | None
    individual: Bound | None
    tolerance: float = 0.0
    levels: tuple[str, ...] = ()

    def at(self, level: str) -> Bound | None:
        """Return the target of a level."""
        if level == "agent":
            return self.individual
        return self.team if not self.levels or level in self.levels else None


@dataclass(frozen=True, kw_only=True)
class Approval:
    """Who let the KPI be used, and until when.

    Attributes:
        state: `draft`, `consulted`, `approved` or `retired`.
        by: Who approved it.
        on: When.
        until: Last day of the approval; None means until further notice.
        consulted: Who was consulted.
    """

    state: Literal["draft", "consulted", "approved", "retired"]
    by: str = ""
    on: date | None = None
    until: date | None = None
    consulted: tuple[str, ...] = ()

    def covers(self, day: date) -> bool:
        """Tell whether the KPI is approved on a day."""
        return (
            self.state == "approved"
            and (self.on is None or self.on <= day)
            and (self.until is None or day <= self.until)
        )


@dataclass(frozen=True, kw_only=True)
class Kpi:
    """One KPI of the register.

    Attributes:
        id: Short name in tables, files and commands.
        name: As people read it.
        purpose: Why it is measured; needed for every KPI, also by the law on monitoring workers.
        objective: The aim of the centre that it serves.
        measure: What is summed.
        population: A condition on the contact table that restricts what counts, or empty.
        population_columns: The columns that the population reads.
        better: Which way is better.
        levels: At which levels it is judged.
        targets: Dated targets, the oldest first; may be empty.
        frequency: How often it is due.
        minimum_n: Below so many cases a unit is not judged.
        owner: Who answers for it.
        approval: Whether it may be used.
        action_after_review: What is done once it has been looked at.
        review_on: When the KPI itself is looked at again.
        rebase: Days from which limits are calculated anew, with the reason.
        source_requirement: What it reports on, where law or contract demands it.
        weight: Money that one unit of the numerator is worth, if the centre gives it.
        line: Where it stands in the register.
    """

    id: str
    name: str
    purpose: str
    objective: str = ""
    measure: Measure
    population: str = ""
    population_columns: tuple[str, ...] = ()
    better: Better
    levels: tuple[str, ...]
    targets: tuple[Target, ...] = ()
    frequency: Kind
    minimum_n: int
    owner: str
    approval: Approval
    action_after_review: str
    review_on: date | None = None
    rebase: tuple[tuple[date, str], ...] = ()
    source_requirement: str = ""
    weight: float | None = None
    line: int = 0
    columns: tuple[str, ...] = field(default=())

    def target_on(self, day: date) -> Target | None:
        """Return the target in force on a day, or None before the first."""
        past = [target for target in self.targets if target.since <= day]
        return past[-1] if past else None


@dataclass(frozen=True)
class Register:
    """The KPIs of a workspace, in the order of the file."""

    kpis: tuple[Kpi, ...]

    def __getitem__(self, key: str) -> Kpi:
        """Return a KPI by id.

        Raises:
            RegisterError: The register has no such KPI; the nearest id is offered.
        """
        for kpi in self.kpis:
            if kpi.id == key:
                return kpi
        raise RegisterError(
            f"the register has no KPI {key!r}", remedy=nearest(key, [kpi.id for kpi in self.kpis]), place="kpis.yml"
        )

    def due(self, kind: Kind) -> tuple[Kpi, ...]:
        """Return the KPIs that are due for a kind of period: those as frequent or more frequent."""
        return tuple(kpi for kpi in self.kpis if KINDS.index(kpi.frequency) <= KINDS.index(kind))


def load(path: Path, tables: Mapping[str, Table]) -> Register:
    """Read and check a register.

    Args:
        path: The YAML file.
        tables: The contract tables of the workspace.

    Raises:
        RegisterError: It is missing, is not valid YAML, or a field is missing, unknown or cannot be measured; the
            message names file, line, KPI and field.
    """
    from ruamel.yaml import YAML, YAMLError  # noqa: PLC0415  only needed here
    from ruamel.yaml.constructor import DuplicateKeyError  # noqa: PLC0415

    if not path.is_file():
        raise RegisterError(f"there is no register {path.name}", remedy="Write one, or take the sample's as a model")
    reader = YAML(typ="rt", pure=True)
    try:
        content = reader.load(path.read_text(encoding="utf-8"))
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise RegisterError("a field is given twice", remedy="Keep one", place=place(path, line=line)) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        problem = getattr(error, "problem", None) or "it is not valid YAML"
        raise RegisterError(f"it cannot be read: {problem}", place=place(path, line=line)) from None
    if not isinstance(content, dict) or not isinstance(content.get("kpis"), list):
        raise RegisterError("it has no list 'kpis'", remedy="Begin it with kpis: and a list", place=path.name)
    for key in content:
        if key not in ("version", "kpis"):
            raise RegisterError(f"unknown field {key!r}", remedy="Known are: kpis, version", place=path.name)
    kpis = []
    for number, entry in enumerate(content["kpis"]):
        line = content["kpis"].lc.item(number)[0] + 1
        if not isinstance(entry, dict):
            raise RegisterError("an entry of 'kpis' must be a table of fields", place=place(path, line=line))
        kpi = _Entry(path, entry, line, tables).kpi()
        if any(other.id == kpi.id for other in kpis):
            raise RegisterError(f"two KPIs have the id {kpi.id!r}", remedy="Rename one", place=place(path, line=line))
        kpis.append(kpi)
    if not kpis:
        raise RegisterError("it has no KPI", remedy="Add one under kpis:", place=path.name)
    return Register(tuple(kpis))


class _Entry:
    """One entry of the register, read field by field."""

    def __init__(self, path: Path, entry: Any, line: int, tables: Mapping[str, Table]) -> None:
        self.path, self.entry, self.line, self.tables = path, entry, line, tables
        self.id = str(entry.get("id", "?"))

    def error(self, key: str, problem: str, remedy: str = "") -> RegisterError:
        line = self.line
        if key in self.entry and hasattr(self.entry, "lc"):
            line = self.entry.lc.key(key)[0] + 1
        return RegisterError(f"KPI {self.id!r}: {problem}", remedy=remedy, place=place(self.path, line=line))

    def text(self, key: str, *, required: bool = False) -> str:
        value = self.entry.get(key, "")
        if not isinstance(value, str) or (required and not value.strip()):
            raise self.error(key, f"{key!r} must be a text")
        return " ".join(value.split())

    def day(self, holder: Mapping[str, Any], key: str, parent: str) -> date | None:
        value = holder.get(key)
        if value is not None and not isinstance(value, date):
            raise self.error(parent, f"{key!r} must be a day", "Write it as 2026-11-30")
        return value

    def known(self, holder: Mapping[str, Any], known: tuple[str, ...], parent: str) -> None:
        for key in holder:
            if key not in known:
                raise self.error(
                    parent if parent in self.entry else key, f"unknown field {key!r}", nearest(str(key), list(known))
                )

    def kpi(self) -> Kpi:
        self.known(self.entry, (*_REQUIRED, *_OPTIONAL), "")
        for key in _REQUIRED:
            if key not in self.entry:
                raise self.error(key, f"the field {key!r} is missing", f"Add {key}: to it")
        if not _ID.fullmatch(self.id):
            raise self.error("id", "'id' must be lower-case letters, digits and underscores")
        measure = self.measure()
        better = self.entry.get("better", measure.better)
        if better not in ("up", "down", "within"):
            raise self.error("better", f"'better' is {better!r}, which is not one of up, down, within")
        frequency = self.entry["frequency"]
        if frequency not in KINDS:
            raise self.error("frequency", f"'frequency' is {frequency!r}, which is not one of {', '.join(KINDS)}")
        levels = self.levels()
        minimum = self.entry["minimum_n"]
        if not isinstance(minimum, int) or isinstance(minimum, bool) or minimum < 1:
            raise self.error("minimum_n", "'minimum_n' must be a whole number of at least 1")
        weight = self.entry.get("weight")
        if weight is not None and not isinstance(weight, (int, float)):
            raise self.error("weight", "'weight' must be a number")
        population = self.text("population")
        return Kpi(
            id=self.id,
            name=self.text("name", required=True),
            purpose=self.text("purpose", required=True),
            objective=self.text("objective"),
            measure=measure,
            population=population,
            population_columns=self.population(population, measure),
            better=better,
            levels=levels,
            targets=self.targets(better),
            frequency=frequency,
            minimum_n=minimum,
            owner=self.text("owner", required=True),
            approval=self.approval(),
            action_after_review=self.text("action_after_review", required=True),
            review_on=self.day(self.entry, "review_on", "review_on"),
            rebase=self.rebase(),
            source_requirement=self.text("source_requirement"),
            weight=weight,
            line=self.line,
            columns=self.columns(measure, population),
        )

    def measure(self) -> Measure:
        spec = self.entry["measure"]
        if isinstance(spec, str):
            spec = {"name": spec}
        if not isinstance(spec, dict):
            raise self.error("measure", "'measure' must be a name or a table of fields")
        try:
            if "name" in spec:
                return self._checked(from_catalogue(str(spec["name"]), {k: v for k, v in spec.items() if k != "name"}))
            return self._checked(self.own_measure(spec))
        except ExpressionError as error:
            raise self.error("measure", error.problem, error.remedy) from None
        except RegisterError as error:
            if error.place:
                raise
            raise self.error("measure", error.problem, error.remedy) from None

    def _checked(self, measure: Measure) -> Measure:
        for side in (measure.numerator, measure.denominator):
            where, _ = side.checked(self.tables)
            if not where.condition:
                raise ExpressionError(f"{where.text!r} is not a condition", remedy="Write for example wait_s <= 20")
        return measure

    def own_measure(self, spec: Mapping[str, Any]) -> Measure:
        self.known(spec, ("kind", "unit", "about", "numerator", "denominator", "source", "table"), "measure")
        kind, unit = spec.get("kind", "share"), spec.get("unit", "share")
        if kind not in _KINDS:
            raise RegisterError(f"'kind' is {kind!r}, which is not one of {', '.join(_KINDS)}")
        if unit not in _UNITS:
            raise RegisterError(f"'unit' is {unit!r}, which is not one of {', '.join(_UNITS)}")
        sides = [self.side(spec, role) for role in ("numerator", "denominator")]
        return Measure(
            key=self.id,
            about=" ".join(str(spec.get("about", self.entry["name"])).split()),
            kind=kind,
            unit=unit,
            better=self.entry.get("better", "up"),
            numerator=sides[0],
            denominator=sides[1],
            source=str(spec.get("source", "the centre's own definition")),
        )

    def side(self, spec: Mapping[str, Any], role: str) -> Side:
        part = spec.get(role)
        if not isinstance(part, dict):
            raise RegisterError(
                f"a measure of one's own needs {role!r} as a table", remedy=f"Write {role}: {{sum: n_answered}}"
            )
        self.known(part, ("table", "where", "sum", "count", "scale"), "measure")
        table = str(part.get("table", spec.get("table", "contacts")))
        if table not in self.tables:
            raise RegisterError(f"there is no contract table {table!r}", remedy=nearest(table, list(self.tables)))
        where = str(part.get("count", part.get("where", "true")))
        return Side(table=table, where=where, of=str(part.get("sum", "")), scale=int(part.get("scale", 1)))

    def levels(self) -> tuple[str, ...]:
        levels = self.entry["levels"]
        if not isinstance(levels, list) or not levels:
            raise self.error("levels", "'levels' must be a list", "Write for example [centre, team]")
        for level in levels:
            if level not in LEVELS:
                raise self.error("levels", f"there is no level {level!r}", nearest(str(level), list(LEVELS)))
        return tuple(level for level in LEVELS if level in levels)

    def population(self, text: str, measure: Measure) -> tuple[str, ...]:
        if not text:
            return ()
        try:
            parsed = expressions.parse(text, self.tables[measure.denominator.table])
        except ExpressionError as error:
            raise self.error("population", error.problem, error.remedy) from None
        if not parsed.condition:
            raise self.error("population", f"{text!r} is not a condition", "Write for example channel = 'voice'")
        return parsed.columns

    def columns(self, measure: Measure, population: str) -> tuple[str, ...]:
        names = set()
        for side in (measure.numerator, measure.denominator):
            names |= set(side.columns(self.tables))
        return tuple(sorted(names | set(self.population(population, measure))))

    def targets(self, better: Better) -> tuple[Target, ...]:
        listed = self.entry.get("targets", [])
        if not isinstance(listed, list):
            raise self.error("targets", "'targets' must be a list", "Write - {from: 2026-01-01, team: 0.8}")
        targets = []
        for item in listed:
            if not isinstance(item, dict):
                raise self.error("targets", "a target must be a table", "Write - {from: 2026-01-01, team: 0.8}")
            self.known(item, ("from", "team", "individual", "tolerance", "levels"), "targets")
            since = self.day(item, "from", "targets")
            if since is None:
                raise self.error("targets", "a target has no 'from'", "Say from which day on it holds")
            team = self.bound(item.get("team"), better, "team")
            targets.append(
                Target(
                    since=since,
                    team=team,
                    individual=self.bound(item.get("individual"), better, "individual"),
                    tolerance=self.tolerance(item.get("tolerance"), team),
                    levels=self.target_levels(item),
                )
            )
        return tuple(sorted(targets, key=lambda target: target.since))

    def target_levels(self, item: Mapping[str, Any]) -> tuple[str, ...]:
        levels = item.get("levels", [])
        for level in levels if isinstance(levels, list) else [levels]:
            if level not in LEVELS[:-1]:
                raise self.error("targets", f"there is no level {level!r}", nearest(str(level), list(LEVELS[:-1])))
        return tuple(levels)

    def bound(self, value: Any, better: Better, key: str) -> Bound | None:
        if value is None:
            return None
        if better == "within":
            pair = isinstance(value, list) and len(value) == 2
            if not pair or not all(isinstance(v, (int, float)) for v in value) or value[0] >= value[1]:
                raise self.error("targets", f"the target {key!r} must be a band", "Write for example [360, 480]")
            return float(value[0]), float(value[1])
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.error("targets", f"the target {key!r} must be a number", "Write shares as 0.8, times in seconds")
        return float(value)

    def tolerance(self, value: Any, team: Bound | None) -> float:
        if value is None:
            return 0.0
        if isinstance(value, dict):
            self.known(value, ("absolute", "relative"), "targets")
            if "relative" in value:
                size = max(team) if isinstance(team, tuple) else (team or 0.0)
                return abs(float(value["relative"]) * size)
            value = value.get("absolute")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise self.error(
                "targets", "'tolerance' must be a number of at least 0", "Write {absolute: 0.02} or {relative: 0.05}"
            )
        return float(value)

    def approval(self) -> Approval:
        given = self.entry["approval"]
        if not isinstance(given, dict):
            raise self.error("approval", "'approval' must be a table", "Write {state: draft}")
        self.known(given, ("state", "by", "on", "until", "consulted"), "approval")
        if given.get("state") not in STATES:
            raise self.error(
                "approval", f"the state {given.get('state')!r} is not one of {', '.join(STATES)}", "Begin with draft"
            )
        if given["state"] == "approved" and not given.get("by"):
            raise self.error("approval", "an approved KPI must say who approved it", "Add by: and on:")
        return Approval(
            state=given["state"],
            by=str(given.get("by", "")),
            on=self.day(given, "on", "approval"),
            until=self.day(given, "until", "approval"),
            consulted=tuple(str(name) for name in given.get("consulted", [])),
        )

    def rebase(self) -> tuple[tuple[date, str], ...]:
        listed = self.entry.get("rebase", [])
        steps = []
        for item in listed if isinstance(listed, list) else [None]:
            if not isinstance(item, dict) or set(item) != {"on", "why"} or not isinstance(item["on"], date):
                raise self.error(
                    "rebase", "each step of 'rebase' needs a day and a reason", "Write {on: 2026-01-01, why: ..}"
                )
            steps.append((item["on"], str(item["why"])))
        return tuple(sorted(steps))

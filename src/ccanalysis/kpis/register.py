"""The KPI register: what is measured, why, against which target, who approved it, and what follows from a miss.

The register governs: a KPI that is incomplete cannot be reported, one that is not approved is printed as
experimental, and each period is judged by the target in force then.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from ccanalysis.contracts import Table
from ccanalysis.errors import ExpressionError, RegisterError, nearest, place
from ccanalysis.kpis import expressions, python_measures
from ccanalysis.kpis.measures import Better, Measure, Side, from_catalogue
from ccanalysis.periods import KINDS, Kind

# Level of a unit -> column that names the unit; the centre is the whole.
LEVEL_COLUMNS: dict[str, str | None] = {
    "centre": None,
    "site": "site",
    "team": "team",
    "line_manager": "line_manager",
    "queue": "queue",
    "channel": "channel",
    "reason": "reason",
    "agent": "agent_id",
}
LEVELS = tuple(LEVEL_COLUMNS)
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
_OPTIONAL = (
    "objective",
    "population",
    "definitions",
    "better",
    "targets",
    "rebase",
    "review_on",
    "source_requirement",
    "worth",
)
_DEFINITION = ("from", "measure", "population", "why")
_TARGET = ("from", "team", "individual", "tolerance", "levels")
_TOLERANCE = ("absolute", "relative")
_APPROVAL = ("state", "by", "on", "until", "consulted")
_REBASE = ("on", "why")
_OWN = ("kind", "unit", "about", "numerator", "denominator", "source", "table", "by", "open_until")
_SIDE = ("table", "where", "sum", "count", "scale", "by", "open_until")
_MOST_SCALE = 1_000_000
VERSION = 1

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
        individual_tolerance: The tolerance of agents, where it is another; a relative one is relative to their target.
    """

    since: date
    team: Bound | None
    individual: Bound | None
    tolerance: float = 0.0
    levels: tuple[str, ...] = ()
    individual_tolerance: float | None = None

    def tolerance_at(self, level: str) -> float:
        """Return the tolerance of a level."""
        own = self.individual_tolerance if level == "agent" else None
        return self.tolerance if own is None else own

    def at(self, level: str) -> Bound | None:
        """Return the target of a level."""
        if level == "agent":
            return self.individual
        return self.team if not self.levels or level in self.levels else None


@dataclass(frozen=True, kw_only=True)
class Definition:
    """What is measured, and of whom, from a day on.

    Attributes:
        since: First local day in force; None for the first definition, which holds from the beginning.
        measure: What is summed.
        population: A condition on the contact table that restricts what counts, or empty.
        why: Why it took the place of the one before.
        population_columns: The columns that the population reads.
        columns: The columns that measure and population read.
    """

    since: date | None
    measure: Measure
    population: str = ""
    why: str = ""
    population_columns: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


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
        rebase: Days from which limits are calculated anew, with the reason; a change of the definition is one.
        definitions: Dated changes of `measure` and `population`, the first definition before them.
        approvals: All approvals, the oldest first; `approval` is the last.
        source_requirement: What it reports on, where law or contract demands it.
        worth: What one unit of impact is worth in the centre's currency, if the centre says so: a contact of a
            share, an event of a rate, an hour of a time, a point or a case of other measures.
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
    worth: float | None = None
    line: int = 0
    columns: tuple[str, ...] = field(default=())
    definitions: tuple[Definition, ...] = ()
    approvals: tuple[Approval, ...] = ()

    def definition_on(self, day: date) -> Definition:
        """Return the definition in force on a day."""
        past = [known for known in self.definitions if known.since is None or known.since <= day]
        own = Definition(
            since=None,
            measure=self.measure,
            population=self.population,
            population_columns=self.population_columns,
            columns=self.columns,
        )
        return past[-1] if past else own

    def as_of(self, day: date) -> Kpi:
        """Return the KPI with the definition and the approval in force on a day."""
        known = self.definition_on(day)
        return replace(
            self,
            measure=known.measure,
            population=known.population,
            population_columns=known.population_columns,
            columns=known.columns,
            approval=self.approval_on(day),
        )

    def approval_on(self, day: date) -> Approval:
        """Return the approval that covers a day, or the last one given by then, or the first."""
        known = self.approvals or (self.approval,)
        covering = [one for one in known if one.covers(day)]
        past = [one for one in known if one.on is not None and one.on <= day]
        return (covering or past or list(known))[-1 if covering or past else 0]

    def approved_on(self, day: date) -> bool:
        """Tell whether the KPI is approved on a day."""
        return self.approval_on(day).covers(day)

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
    content = _read(path)
    if not isinstance(content, dict) or not isinstance(content.get("kpis"), list):
        raise RegisterError("it has no list 'kpis'", remedy="Begin it with kpis: and a list", place=path.name)
    for key in content:
        if key not in ("version", "kpis"):
            raise RegisterError(
                f"unknown field {key!r}",
                remedy=nearest(str(key), ["version", "kpis"]),
                place=place(path, line=_line(content, key)),
            )
    if content.get("version", VERSION) != VERSION:
        raise RegisterError(
            f"this release reads version {VERSION} of the register, not {content['version']!r}",
            remedy=f"Write version: {VERSION}",
            place=place(path, line=_line(content, "version")),
        )
    kpis: list[Kpi] = []
    for number, entry in enumerate(content["kpis"]):
        line = _line(content["kpis"], number)
        if not isinstance(entry, dict):
            raise RegisterError(
                "an entry of 'kpis' must be a table of fields",
                remedy="Begin it with - id:",
                place=place(path, line=line),
            )
        kpi = _Entry(path, entry, line or 1, tables).kpi()
        twin = next((other for other in kpis if other.id == kpi.id), None)
        if twin:
            raise RegisterError(
                f"two KPIs have the id {kpi.id!r}",
                remedy=f"Rename this one or the one in line {twin.line}",
                place=place(path, line=line),
            )
        kpis.append(kpi)
    if not kpis:
        raise RegisterError("it has no KPI", remedy="Add one under kpis:", place=path.name)
    return Register(tuple(kpis))


def _read(path: Path) -> Any:
    """Read the YAML with the lines of its fields."""
    from ruamel.yaml import YAML, YAMLError  # noqa: PLC0415  only needed here
    from ruamel.yaml.constructor import DuplicateKeyError  # noqa: PLC0415

    if not path.is_file():
        raise RegisterError(f"there is no register {path.name}", remedy="Write one, or take the sample's as a model")
    reader = YAML(typ="rt", pure=True)
    try:
        return reader.load(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise RegisterError("it is not UTF-8", remedy="Save it as UTF-8", place=path.name) from None
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        key = re.match(r'found duplicate key "(\w+)"', error.problem or "")
        problem = f"the field {key[1]!r} is given twice" if key else "a field is given twice"
        raise RegisterError(problem, remedy="Keep one", place=place(path, line=line)) from None
    except (YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else _impossible_date(path)
        problem = (getattr(error, "problem", None) or str(error) or "it is not valid YAML").splitlines()[0]
        raise RegisterError(
            f"it cannot be read: {problem}",
            remedy="Compare it with the sample's register",
            place=place(path, line=line),
        ) from None


def _impossible_date(path: Path) -> int | None:
    """Return the line of a date that no calendar has, which the YAML reader names without its place."""
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        for found in re.findall(r"\b\d{4}-\d{2}-\d{2}\b", line):
            try:
                date.fromisoformat(found)
            except ValueError:
                return number
    return None


def _line(holder: Any, step: str | int) -> int | None:
    """Return the line of a field or an item, counted from 1; None for one that was merged in from elsewhere."""
    many = isinstance(holder, list)
    try:
        found = holder.lc.item(step) if many else holder.lc.key(step)
    except (AttributeError, KeyError, IndexError, TypeError):
        return None
    return int(found[0]) + 1


def python_files(path: Path) -> list[Path]:
    """Return the Python files that a register takes measures from, in name order; a register that lacks has none."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    found = re.findall(r"python:\s*['\"]?((?:[\w-]+/)*[\w-]+\.py):", text)
    return sorted({path.parent / name for name in found})


class _Entry:
    """One entry of the register, read field by field."""

    def __init__(self, path: Path, entry: Any, line: int, tables: Mapping[str, Table]) -> None:
        self.path, self.entry, self.line, self.tables = path, entry, line, tables
        self.id = str(entry.get("id", "?"))

    def error(self, at: str | tuple[str | int, ...], problem: str, remedy: str = "") -> RegisterError:
        """Make an error that names the line of a field, as near as the file tells it."""
        holder, line = self.entry, self.line
        for step in (at,) if isinstance(at, str) else at:
            inside = step in holder if isinstance(holder, dict) else isinstance(holder, list) and isinstance(step, int)
            if not inside:
                break
            line, holder = _line(holder, step) or line, holder[step]
        return RegisterError(f"KPI {self.id!r}: {problem}", remedy=remedy, place=place(self.path, line=line))

    def text(self, key: str, *, required: bool = False) -> str:
        value = self.entry.get(key, "")
        if not isinstance(value, str) or (required and not value.strip()):
            raise self.error(key, f"{key!r} must be a text" + (" that is not empty" if required else ""))
        return " ".join(value.split())

    def day(self, holder: Mapping[str, Any], *at: str | int) -> date | None:
        value = holder.get(str(at[-1]))
        if value is not None and (not isinstance(value, date) or isinstance(value, datetime)):
            raise self.error(at, f"{at[-1]!r} must be a day", "Write it as 2026-11-30")
        return value

    def number(self, value: Any) -> float | None:
        """Return a finite number, or None where the value is something else."""
        usable = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        return float(value) if usable else None

    def known(self, holder: Mapping[str, Any], known: tuple[str, ...], *at: str | int) -> None:
        for key in holder:
            if key not in known:
                raise self.error((*at, key), f"unknown field {key!r}", nearest(str(key), list(known)))

    def kpi(self) -> Kpi:
        self.known(self.entry, (*_REQUIRED, *_OPTIONAL))
        for key in _REQUIRED:
            if key not in self.entry:
                raise self.error(key, f"the field {key!r} is missing", f"Add {key}: to it")
        if not isinstance(self.entry["id"], str) or not _ID.fullmatch(self.id):
            raise self.error(
                "id", "'id' must be lower-case letters, digits and underscores", "Write for example service_level"
            )
        first = self.definition(self.entry["measure"], self.text("population"), ("measure",))
        definitions = self.definitions(first)
        measure, population, population_columns = (
            definitions[-1].measure,
            definitions[-1].population,
            definitions[-1].population_columns,
        )
        better = self.choice("better", ("up", "down", "within"), first.measure.better)
        levels = self.levels([known.measure for known in definitions])
        minimum = self.entry["minimum_n"]
        if not isinstance(minimum, int) or isinstance(minimum, bool) or minimum < 1:
            raise self.error("minimum_n", "'minimum_n' must be a whole number of at least 1")
        worth = self.entry.get("worth")
        if worth is not None and (self.number(worth) is None or worth < 0):
            raise self.error(
                "worth", "'worth' must be an amount of money of at least 0", "Write for example worth: 4.50"
            )
        approvals = self.approvals()
        return Kpi(
            id=self.id,
            name=self.text("name", required=True),
            purpose=self.text("purpose", required=True),
            objective=self.text("objective"),
            measure=measure,
            population=population,
            population_columns=population_columns,
            better=better,
            levels=levels,
            targets=self.targets(better, measure.unit),
            frequency=self.choice("frequency", KINDS),
            minimum_n=minimum,
            owner=self.text("owner", required=True),
            approval=approvals[-1],
            action_after_review=self.text("action_after_review", required=True),
            review_on=self.day(self.entry, "review_on"),
            rebase=self.rebase(definitions),
            source_requirement=self.text("source_requirement"),
            worth=None if worth is None else float(worth),
            line=self.line,
            columns=definitions[-1].columns,
            definitions=definitions,
            approvals=approvals,
        )

    def definition(
        self,
        spec: Any,
        population: str,
        at: tuple[str | int, ...],
        *,
        restricts: tuple[str | int, ...] = ("population",),
        since: date | None = None,
        why: str = "",
    ) -> Definition:
        measure = self.measure(spec, at)
        columns = self.population(population, measure, restricts)
        return Definition(
            since=since,
            measure=measure,
            population=population,
            why=why,
            population_columns=columns,
            columns=self.columns(measure, columns),
        )

    def definitions(self, first: Definition) -> tuple[Definition, ...]:
        """Read the dated changes of the definition; what one does not name stays as it was."""
        listed = self.entry.get("definitions", [])
        model = "Write - {from: 2026-07-01, measure: .., why: ..}"
        if not isinstance(listed, list):
            raise self.error("definitions", "'definitions' must be a list", model)
        dated: list[tuple[date, int]] = []
        for number, item in enumerate(listed):
            at = ("definitions", number)
            if not isinstance(item, dict):
                raise self.error(at, "a definition must be a table", model)
            self.known(item, _DEFINITION, *at)
            since = self.day(item, *at, "from")
            if since is None:
                raise self.error(at, "a definition has no 'from'", "Say from which day on it holds")
            if "measure" not in item and "population" not in item:
                raise self.error(at, "a definition has neither 'measure' nor 'population'", "Say what changes")
            for key in ("why", "population"):
                if not isinstance(item.get(key, ""), str):
                    raise self.error((*at, key), f"{key!r} must be a text")
            if not item.get("why", "").strip():
                raise self.error(at, "a definition has no 'why'", "Say why it takes the place of the one before")
            if any(day == since for day, _ in dated):
                raise self.error(at, f"two definitions hold from {since.isoformat()} on", "Keep one")
            dated.append((since, number))
        found, spec = [first], self.entry["measure"]
        for since, number in sorted(dated):
            item, place_of = listed[number], ("definitions", number, "measure")
            spec = item.get("measure", spec)
            population = " ".join(item.get("population", found[-1].population).split())
            there: tuple[str | int, ...] = place_of if "measure" in item else ("measure",)
            why = " ".join(item["why"].split())
            restricts = ("definitions", number, "population")
            known = self.definition(spec, population, there, restricts=restricts, since=since, why=why)
            for name in ("kind", "unit"):
                if getattr(known.measure, name) != getattr(first.measure, name):
                    raise self.error(
                        place_of,
                        f"a definition cannot change the {name} of a KPI "
                        f"({getattr(first.measure, name)} to {getattr(known.measure, name)})",
                        "Retire this KPI and write a new one",
                    )
            found.append(known)
        return tuple(found)

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> Any:
        value = self.entry.get(key, default)
        if value not in allowed:
            raise self.error(key, f"{key!r} is {value!r}, which is not one of {', '.join(allowed)}")
        return value

    def measure(self, spec: Any, at: tuple[str | int, ...]) -> Measure:
        if isinstance(spec, str):
            spec = {"name": spec}
        if not isinstance(spec, dict):
            raise self.error(at, "'measure' must be a name or a table of fields", "Write for example aht")
        if "python" in spec:
            return self.python_measure(spec, at)
        if "name" not in spec:
            return self.own_measure(spec, at)
        parameters = {key: value for key, value in spec.items() if key != "name"}
        try:
            measure = from_catalogue(str(spec["name"]), parameters)
            for side in measure.sides:
                side.checked(self.tables)
        except (RegisterError, ExpressionError) as error:
            raise self.error(at, error.problem, error.remedy) from None
        return measure

    def python_measure(self, spec: Mapping[str, Any], at: tuple[str | int, ...]) -> Measure:
        """Make a measure by a function of a Python file beside the register."""
        parameters = {str(key): value for key, value in spec.items() if key != "python"}
        try:
            measure = python_measures.from_python(spec["python"], parameters, self.path.parent, self.tables)
        except RegisterError as error:
            if not error.place:
                raise self.error((*at, "python"), error.problem, error.remedy) from None
            raise RegisterError(f"KPI {self.id!r}: {error.problem}", remedy=error.remedy, place=error.place) from None
        if measure.kind != "percentile":
            self.coherent(measure.kind, measure.unit, measure.numerator, measure.denominator, at)
        return measure

    def own_measure(self, spec: Mapping[str, Any], at: tuple[str | int, ...]) -> Measure:
        self.known(spec, _OWN, *at)
        kind, unit = spec.get("kind", "share"), spec.get("unit", "share")
        for key, value, allowed in (("kind", kind, _KINDS), ("unit", unit, _UNITS)):
            if value not in allowed:
                raise self.error((*at, key), f"{key!r} is {value!r}, which is not one of {', '.join(allowed)}")
        for key in ("about", "source"):
            if not isinstance(spec.get(key, ""), str):
                raise self.error((*at, key), f"{key!r} must be a text")
        above, below = (self.side(spec, role, at) for role in ("numerator", "denominator"))
        self.coherent(kind, unit, above, below, at)
        return Measure(
            key=self.id,
            about=" ".join((spec.get("about") or str(self.entry["name"])).split()),
            kind=kind,
            unit=unit,
            better=self.choice("better", ("up", "down", "within"), "up"),
            numerator=above,
            denominator=below,
            source=spec.get("source") or "the centre's own definition",
        )

    def coherent(self, kind: str, unit: str, above: Side, below: Side, at: tuple[str | int, ...]) -> None:
        """Refuse a kind whose interval the two sides cannot give."""
        counts = all(not side.of or side.table == "intervals" for side in (above, below))
        if kind == "share" and (unit != "share" or not counts or above.table != below.table):
            raise self.error(
                at,
                "a share counts rows of the rows of one table, in the unit share",
                "Count on both sides, or write kind: ratio",
            )
        if kind == "rate" and not counts:
            raise self.error(at, "a rate counts rows on both sides", "Count, or write kind: ratio")
        if kind == "mean" and (not above.of or below.of or above.table != below.table):
            raise self.error(
                at,
                "a mean sums an expression over rows that it counts, in one table",
                "Sum above and count below, or write kind: ratio",
            )

    def side(self, spec: Mapping[str, Any], role: str, within: tuple[str | int, ...]) -> Side:
        part, at = spec.get(role), (*within, role)
        if not isinstance(part, dict):
            raise self.error(
                at, f"a measure of one's own needs {role!r} as a table", f"Write {role}: {{sum: n_answered}}"
            )
        self.known(part, _SIDE, *at)
        table = part.get("table", spec.get("table", "contacts"))
        if table not in self.tables:
            raise self.error(at, f"there is no contract table {table!r}", nearest(str(table), list(self.tables)))
        if "count" in part and ("where" in part or "sum" in part):
            raise self.error(
                at, f"{role!r} has 'count' beside 'where' or 'sum'", "Write count: CONDITION, or sum: and where:"
            )
        scale = part.get("scale", 1)
        whole = isinstance(scale, int) and not isinstance(scale, bool) and 1 <= scale <= _MOST_SCALE
        if not whole or ("scale" in part and "sum" not in part):
            raise self.error((*at, "scale"), f"'scale' must be a whole number from 1 to {_MOST_SCALE:,} beside 'sum'")
        where: Any = part.get("count", part.get("where", "true"))
        where = str(where).lower() if isinstance(where, bool) else where
        placed = {key: part.get(key, spec.get(key, "")) for key in ("by", "open_until")}
        for key, value in placed.items():
            if not isinstance(value, str):
                raise self.error((*at, key), f"{key!r} must be a column with a time or day")
        side = Side(table=table, where=where, of=part.get("sum", ""), scale=int(scale), **placed)
        try:
            side.checked(self.tables)
        except ExpressionError as error:
            raise self.error(at, error.problem, error.remedy) from None
        return side

    def levels(self, measures: list[Measure]) -> tuple[str, ...]:
        levels = self.entry["levels"]
        if not isinstance(levels, list) or not levels:
            raise self.error("levels", "'levels' must be a list", "Write for example [centre, team]")
        for level in levels:
            if level not in LEVELS:
                raise self.error("levels", f"there is no level {level!r}", nearest(str(level), LEVELS))
            column = LEVEL_COLUMNS[level]
            for measure in measures:
                if level in measure.not_for:
                    raise self.error(
                        "levels", f"{measure.key!r} must not be judged at level {level!r}", "Take it out of the levels"
                    )
            for table in sorted({table for measure in measures for table in measure.tables}):
                if column is not None and column not in self.tables[table]:
                    raise self.error(
                        "levels",
                        f"level {level!r} needs the column {column!r}, which table {table!r} does not have",
                        "Take it out of the levels",
                    )
        return tuple(level for level in LEVELS if level in levels)

    def population(self, text: str, measure: Measure, at: tuple[str | int, ...]) -> tuple[str, ...]:
        """Check that the condition can be asked of every table that the measure reads."""
        if not text:
            return ()
        columns: tuple[str, ...] = ()
        for table in measure.tables:
            try:
                parsed = expressions.parse(text, self.tables[table])
            except ExpressionError as error:
                raise self.error(at, error.problem, error.remedy) from None
            if not parsed.condition:
                raise self.error(at, f"{text!r} is not a condition", "Write for example channel = 'voice'")
            columns = parsed.columns
        return columns

    def columns(self, measure: Measure, population: tuple[str, ...]) -> tuple[str, ...]:
        names = set(population)
        for side in measure.sides:
            names |= set(side.columns(self.tables))
        names |= {need.partition(".")[2] for need in measure.needs if need.partition(".")[0] in measure.tables}
        return tuple(sorted(names))

    def targets(self, better: Better, unit: str) -> tuple[Target, ...]:
        listed = self.entry.get("targets", [])
        if not isinstance(listed, list):
            raise self.error("targets", "'targets' must be a list", "Write - {from: 2026-01-01, team: 0.8}")
        targets: list[Target] = []
        for number, item in enumerate(listed):
            target = self.target(item, better, unit, ("targets", number))
            if any(other.since == target.since for other in targets):
                raise self.error(
                    ("targets", number), f"two targets hold from {target.since.isoformat()} on", "Keep one"
                )
            targets.append(target)
        return tuple(sorted(targets, key=lambda target: target.since))

    def target(self, item: Any, better: Better, unit: str, at: tuple[str | int, ...]) -> Target:
        if not isinstance(item, dict):
            raise self.error(at, "a target must be a table", "Write - {from: 2026-01-01, team: 0.8}")
        self.known(item, _TARGET, *at)
        since = self.day(item, *at, "from")
        if since is None:
            raise self.error(at, "a target has no 'from'", "Say from which day on it holds")
        if "team" not in item and "individual" not in item:
            raise self.error(at, "a target has neither 'team' nor 'individual'", "Write team: null to end one")
        team, individual = (self.bound(item.get(key), better, unit, (*at, key)) for key in ("team", "individual"))
        given, there = item.get("tolerance"), (*at, "tolerance")
        return Target(
            since=since,
            team=team,
            individual=individual,
            tolerance=self.tolerance(given, team, unit, there),
            individual_tolerance=self.tolerance(given, individual, unit, there),
            levels=self.target_levels(item, at),
        )

    def target_levels(self, item: Mapping[str, Any], at: tuple[str | int, ...]) -> tuple[str, ...]:
        levels = item.get("levels", [])
        if not isinstance(levels, list):
            raise self.error((*at, "levels"), "'levels' of a target must be a list", "Write for example [centre, team]")
        for level in levels:
            if level not in LEVELS[:-1]:
                raise self.error(
                    (*at, "levels"),
                    f"there is no such level {level!r} for a team's target",
                    nearest(str(level), LEVELS[:-1]),
                )
        return tuple(str(level) for level in levels)

    def bound(self, value: Any, better: Better, unit: str, at: tuple[str | int, ...]) -> Bound | None:
        if value is None:
            return None
        if better == "within":
            pair = value if isinstance(value, list) and len(value) == 2 else [None, None]
            low, high = (self.within_unit(end, unit, at) for end in pair)
            if low is None or high is None or low >= high:
                raise self.error(
                    at, f"the target {at[-1]!r} must be a band", "Write for example [360, 480], or set better: down"
                )
            return low, high
        found = self.within_unit(value, unit, at)
        if found is None:
            raise self.error(at, f"the target {at[-1]!r} must be a number", "Write shares as 0.8, times in seconds")
        return found

    def within_unit(self, value: Any, unit: str, at: tuple[str | int, ...]) -> float | None:
        """Return a number that the unit can have."""
        number = self.number(value)
        if number is not None and unit == "share" and not 0 <= number <= 1:
            raise self.error(at, f"the target {at[-1]!r} is a share, 0 to 1", f"Write {number / 100:g} for {number:g}%")
        if number is not None and unit != "points" and number < 0:
            raise self.error(at, f"the target {at[-1]!r} must be at least 0")
        return number

    def tolerance(self, value: Any, target: Bound | None, unit: str, at: tuple[str | int, ...]) -> float:
        if value is None:
            return 0.0
        relative = False
        if isinstance(value, dict):
            self.known(value, _TOLERANCE, *at)
            if len(value) != 1:
                raise self.error(
                    at, "'tolerance' is absolute or relative", "Write {absolute: 0.02} or {relative: 0.05}"
                )
            relative = "relative" in value
            value = next(iter(value.values()))
        size = self.number(value)
        if size is None or size < 0:
            raise self.error(
                at, "'tolerance' must be a number of at least 0", "Write {absolute: 0.02} or {relative: 0.05}"
            )
        if size >= 1 and (relative or unit == "share"):
            raise self.error(at, "'tolerance' must be below 1", f"Write {size / 100:g} for {size:g}%")
        if relative:
            return size * abs(max(target) if isinstance(target, tuple) else (target or 0.0))
        return size

    def approvals(self) -> tuple[Approval, ...]:
        """Read the approval, or the list of them: what was approved then stays approved then."""
        given = self.entry["approval"]
        if not isinstance(given, list):
            return (self.approval(given, ("approval",)),)
        if not given:
            raise self.error("approval", "'approval' is an empty list", "Write {state: draft}")
        found = [self.approval(item, ("approval", number)) for number, item in enumerate(given)]
        for number, one in enumerate(found):
            if len(found) > 1 and one.on is None:
                raise self.error(("approval", number), "one of several approvals has no 'on'", "Say when it was given")
        return tuple(sorted(found, key=lambda one: one.on or date.min))

    def approval(self, given: Any, at: tuple[str | int, ...]) -> Approval:
        if not isinstance(given, dict):
            raise self.error(at, "'approval' must be a table", "Write {state: draft}")
        self.known(given, _APPROVAL, *at)
        state = given.get("state")
        if state not in STATES:
            raise self.error(
                (*at, "state"), f"the state {state!r} is not one of {', '.join(STATES)}", "Begin with draft"
            )
        by, consulted = given.get("by", ""), given.get("consulted", [])
        on, until = self.day(given, *at, "on"), self.day(given, *at, "until")
        if not isinstance(by, str):
            raise self.error((*at, "by"), "'by' must be a text")
        if not isinstance(consulted, list) or not all(isinstance(name, str) for name in consulted):
            raise self.error(
                (*at, "consulted"), "'consulted' must be a list of texts", "Write [Team managers, Planning]"
            )
        if state == "approved" and not by.strip():
            raise self.error(at, "an approved KPI must say who approved it", "Add by: and on:")
        if on and until and until < on:
            raise self.error((*at, "until"), "the approval ends before it begins", "Correct on: or until:")
        return Approval(
            state=state, by=" ".join(by.split()), on=on, until=until, consulted=tuple(str(name) for name in consulted)
        )

    def rebase(self, definitions: tuple[Definition, ...]) -> tuple[tuple[date, str], ...]:
        listed = self.entry.get("rebase", [])
        steps = [(known.since, f"definition changed: {known.why}") for known in definitions if known.since]
        for number, item in enumerate(listed if isinstance(listed, list) else [None]):
            usable = isinstance(item, dict) and set(item) == set(_REBASE) and isinstance(item["why"], str)
            day = self.day(item, "rebase", number, "on") if usable else None
            if day is None:
                raise self.error(
                    ("rebase", number),
                    "each step of 'rebase' needs a day and a reason",
                    "Write {on: 2026-01-01, why: new rota}",
                )
            steps.append((day, " ".join(item["why"].split())))
        return tuple(sorted(steps))

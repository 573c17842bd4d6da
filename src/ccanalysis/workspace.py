"""A workspace: the folder with a centre's settings, register, suites, notebooks and data.

Everything in `ccanalysis.toml` is read and checked here, once; every error names the line.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ccanalysis import contracts, outgoing, vendors
from ccanalysis.errors import NoInputError, SettingsError, nearest, place
from ccanalysis.periods import KINDS, Kind, Period

SETTINGS_FILE = "ccanalysis.toml"
FORMATS = ("csv", "excel", "parquet", "json", "postgresql")
ENDINGS = {
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".xls": "excel",
    ".ods": "excel",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
UNITS = ("s", "ms", "min", "h", "day", "hh:mm:ss")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LEVELS = ("centre", "site", "team", "line_manager", "queue", "channel", "reason", "agent")
MOST_PERIODS = 1000
Audience = Literal["analyst", "centre", "quality_lead", "team", "line_manager"]
AUDIENCES = ("analyst", "centre", "quality_lead", "team", "line_manager")

Opening = tuple[time, time] | None  # None: closed


@dataclass(frozen=True, kw_only=True)
class SecondClock:
    """Another column that tells the same time, with which the first must agree.

    Attributes:
        columns: Export columns; several are joined with one space.
        format: How they are written, as for a time.
        within_s: How far the two may be apart, seconds; an hour lets a clock change pass.
    """

    columns: tuple[str, ...]
    format: str
    within_s: int = 3600


@dataclass(frozen=True, kw_only=True)
class FieldMapping:
    """How one contract column is filled from an export.

    Exactly one of `columns`, `value`, `cases`, `seconds_between` and `product` says where the value comes from.

    Attributes:
        columns: Export columns; several are joined with one space (a date and a time).
        value: One value for every row.
        cases: Pairs of conditions (export column -> accepted texts) and the value they give; the first that
            holds wins, and a row that none holds for is quarantined.
        seconds_between: Two contract columns of this mapping, earlier and later.
        product: Two or more contract columns of this mapping, multiplied and rounded to a whole number.
        format: How instants and dates are written: a strptime pattern, `iso`, `epoch_s`, `epoch_ms` or `excel`.
        unit: The unit of a duration, one of `UNITS`.
        codes: Export text -> contract value; a text that is not listed is quarantined, never "other".
        missing: Export texts that mean "no value" besides the empty text.
        true: Export texts that mean yes.
        false: Export texts that mean no.
        scale: A factor to multiply a number by (0.01 turns per cent into a share).
        agrees_with: A second clock of the export; a row whose two clocks are further apart is quarantined.
    """

    columns: tuple[str, ...] = ()
    value: str | int | float | bool | None = None
    cases: tuple[tuple[Mapping[str, tuple[str, ...]], str], ...] = ()
    seconds_between: tuple[str, str] | None = None
    product: tuple[str, ...] = ()
    format: str | None = None
    unit: str | None = None
    codes: Mapping[str, str] | None = None
    missing: tuple[str, ...] = ()
    true: tuple[str, ...] = ("true", "True", "TRUE")
    false: tuple[str, ...] = ("false", "False", "FALSE")
    scale: float | None = None
    agrees_with: SecondClock | None = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """One family of export files, or one query of a database, and the contract table it fills.

    Attributes:
        name: A short name for intake tables and errors.
        table: The contract table.
        files: A glob below the workspace, or below a declared path written `{name}/...`; required but for a database.
        vendor: The vendor's format, as `amazon_connect.contact_records`; empty for a table that the mapping alone
            describes. Columns that are given here take the place of the vendor's, codes are added to them.
        format: `csv`, `excel`, `parquet`, `json` or `postgresql`; where it is not given, the ending of `files` tells.
        encoding: The declared encoding; a byte order mark is honoured, nothing else is guessed.
        delimiter: The field delimiter of a CSV file.
        quote: The quote character of a CSV file, or empty for none.
        decimal: The decimal mark of numbers kept as text.
        thousands: The thousands mark to take out of numbers, or empty.
        skip_lines: Title lines above the header.
        ignore_where: Export column -> texts of rows that are not records (a `Total` row); counted as set aside.
        sheet: The worksheet, or empty for the only one.
        connection: For `postgresql`: the name of the environment variable that holds the connection string. The string
            itself never stands in the settings.
        relation: For `postgresql`: a table or view, as `telephony.calls`; only the mapped columns are asked for.
        query: For `postgresql`, in place of `relation`: one SELECT, whose columns the mapping names.
        timeout_s: For `postgresql`: seconds that the server may take over one answer.
        zone: The zone of times without an offset.
        columns: How each contract column is filled.
        left_out: Free text that the mapping names and the workspace does not keep.
        line: Where it stands in the settings file.
    """

    name: str
    table: str
    files: str = ""
    vendor: str = ""
    format: Literal["csv", "excel", "parquet", "json", "postgresql"] = "csv"
    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    decimal: str = "."
    thousands: str = ""
    skip_lines: int = 0
    ignore_where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sheet: str = ""
    connection: str = ""
    relation: str = ""
    query: str = ""
    timeout_s: int = 600
    zone: str | None = None
    columns: Mapping[str, FieldMapping] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, kw_only=True)
class Centre:
    """The centre itself: name, zone, calendar and money.

    Attributes:
        name: As it stands on reports.
        time_zone: IANA zone that days, weeks and hours are told in.
        holidays: Nation or region of the bank holidays, as `GB-ENG`; empty for none.
        currency: ISO 4217 code.
        opening: Channel -> weekday (`mon` .. `sun`, `holiday`) -> opening and closing time, or None when closed.
    """

    name: str
    time_zone: str
    holidays: str = ""
    currency: str = "GBP"
    opening: Mapping[str, Mapping[str, Opening]] = field(default_factory=dict)

    @property
    def zone(self) -> ZoneInfo:
        """The zone as Python knows it."""
        return ZoneInfo(self.time_zone)


@dataclass(frozen=True, kw_only=True)
class Override:
    """A decision to have figures judged although their data are not fit; they are then judged with caution.

    Attributes:
        kpi: The KPI, by its id.
        rule: In place of a KPI, the rule of a suite whose failures are not held against any figure.
        level: `centre` or `team`; both where not given.
        unit: The team, for `level = "team"`.
        period: The period that it holds for, as `2026-W46`; in its place `from` and `until`.
        starts_on: First day that it holds for.
        ends_on: Last day that it holds for; until it expires where not given. A period must lie within whole.
        by: Who decided, as it stands in the reports.
        reason: Why, as it stands in the reports.
        expires_on: Last day on which it is in force, at most 92 days after the first that it holds for; told by the
            last day in the data.
        line: Where it stands in the settings file.
    """

    kpi: str = ""
    rule: str = ""
    level: str = ""
    unit: str = ""
    period: str = ""
    starts_on: date
    ends_on: date
    by: str
    reason: str
    expires_on: date
    line: int = 0


@dataclass(frozen=True, kw_only=True)
class ReportPlan:
    """One notebook and whom it is run for.

    Attributes:
        notebook: The notebook's file name without ending, below `notebooks/`.
        audience: Who reads it.
        each: `centre` for one report, `team` or `line_manager` for one per unit.
        question: The question of monitoring that it answers; empty for the KPIs themselves.
        every: How often a question is asked; with each run where None.
        needs: Tables of which one must be given, or the report is not made.
    """

    notebook: str
    audience: Audience
    each: Literal["centre", "team", "line_manager"]
    question: str = ""
    every: Kind | None = None
    needs: tuple[str, ...] = ()


DEFAULT_REPORTS = (
    ReportPlan(notebook="01-data-quality", audience="analyst", each="centre"),
    ReportPlan(notebook="02-kpi-performance", audience="centre", each="centre"),
    ReportPlan(notebook="03-team-report", audience="team", each="team"),
    ReportPlan(notebook="04-line-manager-report", audience="line_manager", each="line_manager"),
)
# The notebooks of the other questions, made where the centre gives a table that they need: monthly where they rest on
# few cases a week.
_QUESTION_PLANS: tuple[tuple[str, str, Kind | None, tuple[Audience, ...], tuple[str, ...]], ...] = (
    ("05-quality-of-communication", "quality", "month", ("centre", "line_manager"), ("evaluations",)),
    ("06-evaluator-agreement", "agreement", "month", ("quality_lead",), ("evaluations",)),
    ("07-compliance", "compliance", None, ("centre", "line_manager"), ("requirements", "breaches")),
    ("08-complaints-and-escalations", "complaints", None, ("centre", "line_manager"), ("complaints", "escalations")),
    ("09-channels", "channels", "month", ("centre",), ("costs",)),
    ("10-development", "development", "month", ("centre", "line_manager"), ("activities",)),
    ("11-requirements", "requirements", None, ("centre",), ("requirements",)),
    ("12-monitoring-review", "review", "month", ("analyst",), ("evaluations", "surveys", "actions")),
    ("13-voice-of-the-customer", "voice", None, ("centre",), ("surveys", "complaints")),
)
QUESTION_REPORTS = tuple(
    ReportPlan(
        notebook=notebook,
        audience=audience,
        each="line_manager" if audience == "line_manager" else "centre",
        question=question,
        every=every,
        needs=needs,
    )
    for notebook, question, every, audiences, needs in _QUESTION_PLANS
    for audience in audiences
)


def general_path(name: str) -> Path:
    """Return the folder of suites or notebooks that ccanalysis brings: of the installed package, else of its checkout.

    Args:
        name: `expectations` or `notebooks`.
    """
    installed, checkout = Path(__file__).parent / "general", Path(__file__).resolve().parents[2]
    return (installed if installed.is_dir() else checkout) / name


@dataclass(frozen=True, kw_only=True)
class EngineChoice:
    """Where the contract tables lie while they are counted.

    Attributes:
        kind: `duckdb` reads `[[sources]]` into files; `postgresql` and `spark` count tables of the contract's names
            where they lie, for `ccanalysis kpis`.
        connection: The environment variable that holds the way to connect; for `spark` the address of a Spark Connect
            server, or empty for the active session.
        schema: The schema of the tables; empty for `public`, or for the session's own.
    """

    kind: Literal["duckdb", "postgresql", "spark"] = "duckdb"
    connection: str = ""
    schema: str = ""


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A checked workspace.

    Attributes:
        root: The folder.
        centre: The centre.
        sources: Where its tables come from.
        tables: The contract tables, with the workspace's own columns.
        paths: Declared paths by name, resolved.
        variables: Declared path by name -> the environment variable that can set it, where it has one.
        frequency: What a run's period is where the command line does not say.
        baseline_periods: How many periods charts and limits look back.
        unit_names: What this centre calls a site, a team, a line manager (`{"team": "provider"}`).
        reports: What a run makes.
        free_text: What customers and colleagues wrote in their own words and the workspace keeps, as `surveys.comment`,
            masked and apart; `true` for all that is mapped. Without it none is read.
        overrides: Figures that are judged although their data are not fit.
        engine: Where the contract tables lie while they are counted.
        delivery: How mail is sent; None where nothing is.
        recipients: Who is sent which reports.
        retention: How long files are kept.
    """

    root: Path
    centre: Centre
    sources: tuple[Source, ...]
    tables: Mapping[str, contracts.Table]
    paths: Mapping[str, Path]
    frequency: Kind = "week"
    baseline_periods: int = 26
    unit_names: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    reports: tuple[ReportPlan, ...] = DEFAULT_REPORTS
    free_text: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()
    engine: EngineChoice = EngineChoice()
    delivery: outgoing.Delivery | None = None
    recipients: tuple[outgoing.Recipient, ...] = ()
    retention: outgoing.Retention = field(default_factory=outgoing.Retention)

    @classmethod
    def open(cls, root: Path | str = ".") -> Workspace:
        """Read and check `ccanalysis.toml` in a folder.

        Raises:
            SettingsError: There is no such folder or file, or it says something that cannot be followed.
        """
        root = Path(root).resolve()
        path = root / SETTINGS_FILE
        if not root.is_dir():
            raise SettingsError(
                f"there is no folder {root.name!r}", remedy="Give the folder of a workspace with --workspace"
            )
        if not path.is_file():
            raise SettingsError(
                f"the folder {root.name!r} has no {SETTINGS_FILE}",
                remedy="Give the folder of a workspace with --workspace",
            )
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise SettingsError("it is not UTF-8", remedy="Save it as UTF-8", place=SETTINGS_FILE) from None
        try:
            content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            problem, _, where = str(error).partition(" (at ")
            line = re.match(r"line (\d+)", where)
            raise SettingsError(
                f"it is not valid TOML: {problem[0].lower()}{problem[1:]}",
                remedy="Texts stand in quotation marks, and each name is given once",
                place=place(SETTINGS_FILE, line=int(line[1]) if line else len(text.splitlines()) or 1),
            ) from None
        return _workspace(root, _Section(content, _Lines(text)))

    @property
    def register_path(self) -> Path:
        """The KPI register."""
        return self.root / "kpis.yml"

    @property
    def suites_path(self) -> Path:
        """The folder with one suite per table: the workspace's own, else that of ccanalysis itself."""
        return self._own_or_general("expectations")

    @property
    def notebooks_path(self) -> Path:
        """The folder with the notebooks: the workspace's own, else those of ccanalysis itself."""
        return self._own_or_general("notebooks")

    def _own_or_general(self, name: str) -> Path:
        own, general = self.root / name, general_path(name)
        return general if general.is_dir() and not own.is_dir() else own

    @property
    def reports_path(self) -> Path:
        """Where periods' reports are published."""
        return self.root / "reports"

    @property
    def cache_path(self) -> Path:
        """Derived files that can be deleted at any time, but for `deliveries`, the record of what was sent."""
        return self.root / ".ccanalysis"

    def files_of(self, source: Source) -> list[Path]:
        """List the files of a source in name order.

        Raises:
            NoInputError: A declared path does not exist, or no file matches.
        """
        base, pattern = self.root, source.files
        if match := re.match(r"\{(\w+)\}/?(.*)", source.files):
            base, pattern = self.paths[match[1]], match[2]
            variable = self.variables.get(match[1])
            if not base.is_dir():
                raise NoInputError(
                    f"source {source.name!r} needs the folder declared as path {match[1]!r}, and it is not there",
                    remedy=f"Put it there, or name its place in the environment variable {variable}"
                    if variable
                    else f"Put it there, or name another place in [paths.{match[1]}]",
                    place=place(SETTINGS_FILE, line=source.line),
                )
        found = sorted(path for path in base.glob(pattern) if path.is_file())
        if not found:
            raise NoInputError(
                f"source {source.name!r} matches no file with {source.files!r}",
                remedy="Put the export there, or correct 'files'",
                place=place(SETTINGS_FILE, line=source.line),
            )
        return found


class _Lines:
    """Finds the line of a setting, because TOML readers do not keep it."""

    def __init__(self, text: str) -> None:
        self.at: dict[tuple[str | int, ...], int] = {}
        count: dict[tuple[str | int, ...], int] = {}  # how often a list of tables was begun
        here: tuple[str | int, ...] = ()
        for number, line in enumerate(text.splitlines(), start=1):
            if match := re.match(r"\s*(\[\[?)([^\]]+)\]", line):
                here = ()
                *parents, name = self._names(match[2])
                for part in parents:
                    here = (*here, part)
                    here = (*here, count[here] - 1) if here in count else here
                here = (*here, name)
                if match[1] == "[[":
                    count[here] = count.get(here, 0) + 1
                    here = (*here, count[here] - 1)
                for length in range(1, len(here) + 1):
                    self.at.setdefault(here[:length], number)
            elif match := re.match(
                r"""\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=""", line
            ):
                names = self._names(match[1])
                for length in range(1, len(names) + 1):
                    self.at.setdefault((*here, *names[:length]), number)

    @staticmethod
    def _names(text: str) -> list[str]:
        return [part.strip("\"'") for part in re.findall(r"""\"[^\"]*\"|'[^']*'|[\w-]+""", text)]

    def find(self, path: tuple[str | int, ...]) -> int:
        """Return the line of a key given as names and positions, or of the nearest thing it stands in."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.at:
                return self.at[path[:length]]
        return 1


class _Section:
    """One table of the settings file; takes keys one by one and refuses what is left over."""

    def __init__(self, content: Mapping[str, Any], lines: _Lines, path: tuple[str | int, ...] = ()) -> None:
        self.content = dict(content)
        self.lines = lines
        self.path = path
        self.known: list[str] = []

    def error(self, key: str, problem: str, remedy: str = "") -> SettingsError:
        at = place(SETTINGS_FILE, line=self.lines.find((*self.path, key)))
        return SettingsError(problem, remedy=remedy, place=at)

    @property
    def name(self) -> str:
        return ".".join(str(p) for p in self.path if isinstance(p, str)) or "top level"

    def take(self, key: str, kind: type | tuple[type, ...], default: Any = ...) -> Any:
        self.known.append(key)
        if key not in self.content:
            if default is ...:
                raise self.error(key, f"[{self.name}] has no {key!r}", f"Add a line beginning {key} =")
            return default
        value = self.content.pop(key)
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            names = " or ".join(_TYPE_NAMES.get(k, k.__name__) for k in kinds)
            raise self.error(key, f"{key!r} in [{self.name}] must be {names}")
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: Any = ...) -> Any:
        value = self.take(key, str, default)
        if value is not None and value not in allowed:
            raise self.error(key, f"{key!r} is {value!r}, which is not one of {', '.join(allowed)}")
        return value

    def section(self, key: str) -> _Section:
        return _Section(self.take(key, dict, {}), self.lines, (*self.path, key))

    def sections(self, key: str) -> list[_Section]:
        items = self.take(key, list, [])
        if not all(isinstance(item, dict) for item in items):
            raise self.error(key, f"{key!r} in [{self.name}] must be a list of tables", f"Write [[{key}]] for each")
        return [_Section(item, self.lines, (*self.path, key, n)) for n, item in enumerate(items)]

    def zone(self, key: str, default: Any = ...) -> str | None:
        name = self.take(key, str, default)
        if name is not None:
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise self.error(
                    key, f"there is no time zone {name!r}", "Give an IANA name such as Europe/London"
                ) from None
        return name

    def finish(self) -> None:
        for key in self.content:
            raise self.error(key, f"[{self.name}] has no setting {key!r}", nearest(key, self.known))


_TYPE_NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    dict: "a table",
    list: "a list",
    bool: "true or false",
    date: "a day",
}


_TOP = (
    "centre",
    "paths",
    "tables",
    "sources",
    "run",
    "privacy",
    "overrides",
    "unit_names",
    "reports",
    "engine",
    "delivery",
    "recipients",
    "retention",
)


def sources_in(text: str, folder: Path) -> tuple[Source, ...]:
    """Read and check the sources of a text of settings, before it becomes part of a workspace.

    Args:
        text: One or more `[[sources]]`.
        folder: What a path that is written `{here}/...` stands for.

    Raises:
        SettingsError: A source cannot be followed.
    """
    top = _Section(tomllib.loads(text), _Lines(text))
    return tuple(_source(section, contracts.TABLES, {"here": folder}) for section in top.sections("sources"))


def _workspace(root: Path, top: _Section) -> Workspace:
    for key in top.content:
        if key not in _TOP:
            raise top.error(key, f"[{top.name}] has no setting {key!r}", nearest(key, _TOP))
    centre = _centre(top.section("centre"))
    paths, variables = _paths(root, top.section("paths"))
    tables = _tables(top.section("tables"))
    free_text = _free_text(top.section("privacy"), tables)
    sources = tuple(_kept(_source(section, tables, paths), free_text) for section in top.sections("sources"))
    run = top.section("run")
    frequency = run.choice("frequency", KINDS, "week")
    baseline = run.take("baseline_periods", int, 26)
    if not 1 <= baseline <= MOST_PERIODS:
        raise run.error(
            "baseline_periods", f"'baseline_periods' must be 1 to {MOST_PERIODS}", "26 weeks are half a year"
        )
    run.finish()
    names = top.section("unit_names")
    unit_names = {level: names.take(level, str) for level in list(names.content)}
    for level, word in unit_names.items():
        if level not in LEVELS:
            raise names.error(level, f"there is no level {level!r}", nearest(level, LEVELS))
        if not word.strip():
            raise names.error(level, f"{level!r} in [unit_names] is empty", "Give the word, or take the line out")
    overrides = tuple(_override(section) for section in top.sections("overrides"))
    plans = tuple(_plan(section) for section in top.sections("reports"))
    engine = _engine(top.section("engine"))
    recipients = outgoing.read_recipients(top.sections("recipients"))
    delivery = outgoing.read_delivery(top.section("delivery"))
    retention = outgoing.read_retention(top.section("retention"))
    top.finish()
    if not plans:
        given = {source.table for source in sources}
        home = root / "notebooks" if (root / "notebooks").is_dir() else general_path("notebooks")
        asked = (p for p in QUESTION_REPORTS if set(p.needs) & given and (home / f"{p.notebook}.ipynb").is_file())
        plans = DEFAULT_REPORTS + tuple(asked)
    seen: set[str] = set()
    for source in sources:
        if source.name in seen:
            raise SettingsError(
                f"two sources are named {source.name!r}",
                remedy="Give each a name of its own",
                place=place(SETTINGS_FILE, line=source.line),
            )
        seen.add(source.name)
    if engine.kind == "duckdb" and not {"contacts", "intervals"} & {source.table for source in sources}:
        raise SettingsError(
            "no source fills 'contacts' or 'intervals'",
            remedy='Add a [[sources]] with table = "contacts"',
            place=SETTINGS_FILE,
        )
    return Workspace(
        root=root,
        centre=centre,
        sources=sources,
        tables=tables,
        paths=paths,
        frequency=frequency,
        baseline_periods=baseline,
        unit_names=unit_names,
        variables=variables,
        reports=plans,
        engine=engine,
        free_text=free_text,
        overrides=overrides,
        delivery=delivery,
        recipients=recipients,
        retention=retention,
    )


LONGEST_OVERRIDE = 92  # days


def _override(section: _Section) -> Override:
    kpi, rule = section.take("kpi", str, ""), section.take("rule", str, "")
    if bool(kpi) == bool(rule):
        raise section.error("kpi", "an override needs exactly one of 'kpi' and 'rule'", 'Write kpi = "service_level"')
    level, unit = section.choice("level", ("centre", "team"), None) or "", section.take("unit", str, "")
    if unit and level != "team":
        raise section.error("unit", "an override of one unit needs its level", 'Write level = "team"')
    written = {key: section.take(key, str).strip() for key in ("by", "reason")}
    for key, said in written.items():
        if not said:
            raise section.error(key, f"{key!r} of an override is empty", "It stands in the reports; say who and why")
    expires = _calendar_day(section, "expires")
    label = section.take("period", str, "")
    if label:
        for key in ("from", "until"):
            if key in section.content:
                raise section.error(key, f"an override with a 'period' has no {key!r}", f"Take {key!r} out")
        try:
            period = Period.parse(label)
        except SettingsError as error:
            raise section.error("period", error.problem, error.remedy) from None
        starts, ends = period.start, period.end - timedelta(days=1)
    else:
        starts = _calendar_day(section, "from")
        ends = _calendar_day(section, "until") if "until" in section.content else expires
    section.finish()
    if ends < starts:
        raise section.error("until", "an override ends before it begins", "Change 'from' and 'until' round")
    if not starts <= expires <= starts + timedelta(days=LONGEST_OVERRIDE):
        raise section.error(
            "expires",
            f"an override expires within {LONGEST_OVERRIDE} days of the first day that it holds for, which is {starts}",
            f"Write a day up to {starts + timedelta(days=LONGEST_OVERRIDE)}, and mend the data until then",
        )
    line = section.lines.find(section.path)
    return Override(
        kpi=kpi,
        rule=rule,
        level=level,
        unit=unit,
        period=label,
        starts_on=starts,
        ends_on=ends,
        by=written["by"],
        reason=written["reason"].rstrip("."),
        expires_on=expires,
        line=line,
    )


def _calendar_day(section: _Section, key: str) -> date:
    value = section.take(key, (str, date))
    if isinstance(value, datetime):
        value = value.date()
    try:
        return value if isinstance(value, date) else date.fromisoformat(value)
    except ValueError:
        raise section.error(key, f"{key!r} is no day", "Write for example 2026-11-30") from None


def _free_text(section: _Section, tables: Mapping[str, contracts.Table]) -> tuple[str, ...]:
    """Read which free text is kept."""
    known = [f"{table.name}.{column.name}" for table in tables.values() for column in table.texts]
    given = section.take("free_text", (bool, list), False)
    section.finish()
    if isinstance(given, bool):
        return tuple(known) if given else ()
    for name in given:
        if name not in known:
            raise section.error(
                "free_text", f"'free_text' names {name!r}, which is no free text", nearest(str(name), known)
            )
    return tuple(dict.fromkeys(given))


def _kept(source: Source, free_text: tuple[str, ...]) -> Source:
    """Take the free text that is not kept out of a source, before a file is opened."""
    texts = {column.name for column in contracts.TABLES[source.table].texts}
    out = tuple(name for name in source.columns if name in texts and f"{source.table}.{name}" not in free_text)
    columns = {name: mapping for name, mapping in source.columns.items() if name not in out}
    return replace(source, columns=columns, left_out=out) if out else source


def _engine(section: _Section) -> EngineChoice:
    kind = section.choice("kind", ("duckdb", "postgresql", "spark"), "duckdb")
    connection, schema = section.take("connection", str, ""), section.take("schema", str, "")
    section.finish()
    if connection and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", connection):
        # what stands there instead may hold a password, so it is not repeated
        raise section.error(
            "connection",
            "'connection' in [engine] must be the name of an environment variable",
            "Keep the connection itself out of files",
        )
    if kind == "postgresql" and not connection:
        raise section.error("kind", "[engine] has no 'connection'", 'Add a line as connection = "CENTRE_DSN"')
    return EngineChoice(kind=kind, connection=connection, schema=schema)


def _centre(section: _Section) -> Centre:
    hours = section.section("opening_hours")
    for channel in hours.content:
        if channel not in contracts.CHANNELS:
            raise hours.error(channel, f"there is no channel {channel!r}", nearest(channel, contracts.CHANNELS))
    opening = {channel: _opening(hours.section(channel)) for channel in list(hours.content)}
    centre = Centre(
        name=section.take("name", str),
        time_zone=section.zone("time_zone") or "UTC",
        holidays=section.take("holidays", str, ""),
        currency=section.take("currency", str, "GBP"),
        opening=opening,
    )
    section.finish()
    if centre.holidays:
        _check_holidays(section, centre.holidays)
    return centre


def _check_holidays(section: _Section, given: str) -> None:
    """Refuse a nation or region that the calendars do not know."""
    from holidays import list_supported_countries  # noqa: PLC0415  only where a centre names its calendar

    known = list_supported_countries()
    nation, dash, part = given.partition("-")
    if nation not in known:
        raise section.error("holidays", f"there is no calendar of {nation!r}", "Write a nation, as GB, or GB-ENG")
    if dash and part not in known[nation]:
        remedy = nearest(part, known[nation]) if known[nation] else f"It has no regions: write {nation}"
        raise section.error("holidays", f"{nation} has no region {part!r}", remedy)


def _opening(section: _Section) -> dict[str, Opening]:
    days: dict[str, Opening] = {}
    for key in sorted(section.content, key=lambda day: day != "weekdays"):  # a day of its own goes before all weekdays
        text = section.take(key, str)
        if key == "weekdays":
            days |= dict.fromkeys(WEEKDAYS[:5], _hours(section, key, text))
        elif key in (*WEEKDAYS, "holiday"):
            days[key] = _hours(section, key, text)
        else:
            raise section.error(key, f"there is no day {key!r}", nearest(key, [*WEEKDAYS, "weekdays", "holiday"]))
    return days


def _hours(section: _Section, key: str, text: str) -> Opening:
    if text == "closed":
        return None
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)", text, re.ASCII)
    if not match:
        raise section.error(key, f"opening hours {text!r} cannot be read", 'Write "08:00-20:00" or "closed"')
    opens = time(int(match[1]), int(match[2]))
    closes = time(int(match[3]), int(match[4])) if match[3] else time.max
    if closes <= opens:
        raise section.error(key, f"opening hours {text!r} end before they begin", 'Write "00:00-24:00" for a whole day')
    return opens, closes


def _paths(root: Path, section: _Section) -> tuple[dict[str, Path], dict[str, str]]:
    """Read declared paths: a variable is told from where the command runs, a default from the workspace."""
    paths: dict[str, Path] = {}
    variables: dict[str, str] = {}
    for name in list(section.content):
        entry = section.section(name)
        variable, default = entry.take("env", str, ""), entry.take("default", str)
        entry.finish()
        told = os.environ.get(variable) if variable else None
        paths[name] = Path(told).resolve() if told else (root / default).resolve()
        variables |= {name: variable} if variable else {}
    return paths, variables


def _tables(section: _Section) -> dict[str, contracts.Table]:
    tables = dict(contracts.TABLES)
    for name in list(section.content):
        try:
            table = contracts.table(name)
        except SettingsError as error:
            raise section.error(name, error.problem, error.remedy) from None
        entry = section.section(name)
        columns = entry.section("columns")
        extra = []
        for column in list(columns.content):
            spec = columns.section(column)
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", column):
                raise columns.error(
                    column,
                    f"the column name {column!r} is not allowed",
                    "Use lower-case letters, digits and underscores",
                )
            kind = spec.choice("type", ("integer", "number", "text"))
            extra.append(
                contracts.Column(
                    name=column,
                    type=kind,
                    about=spec.take("about", str),
                    low=spec.take("low", (int, float), None if kind == "text" else 0),
                    high=spec.take("high", (int, float), None),
                )
            )
            spec.finish()
        entry.finish()
        try:
            tables[name] = table.extended(tuple(extra))
        except SettingsError as error:
            raise section.error(name, error.problem, error.remedy) from None
    return tables


def _source(section: _Section, tables: Mapping[str, contracts.Table], paths: Mapping[str, Path]) -> Source:
    line = section.lines.find(section.path)
    name = section.take("name", str)
    table_name = section.take("table", str)
    if table_name not in tables:
        raise section.error("table", f"there is no contract table {table_name!r}", nearest(table_name, list(tables)))
    database = _database(section, name)
    files, pattern = ("", "") if database else _files(section, paths)
    table = tables[table_name]
    vendor = _vendor(section, table_name)
    columns_section = section.section("columns")
    if vendor:
        columns_section.content = _over(tomllib.loads(vendor.tables[table_name]), columns_section.content)
    columns = {key: _field(columns_section, key, table) for key in list(columns_section.content)}
    mapped = {column.name for column in table.fillable}
    for key in columns:
        if key not in mapped:
            raise columns_section.error(
                key, f"table {table_name!r} has no column {key!r}", nearest(key, sorted(mapped))
            )
    for column in table.mapped:
        if column.required and column.name not in columns:
            raise columns_section.error(
                column.name,
                f"source {name!r} does not say where {column.name!r} comes from ({column.about})",
                f"Add a line beginning {column.name} =",
            )
    ignore = section.section("ignore_where")
    source = Source(
        name=name,
        table=table_name,
        files=files,
        vendor=vendor.name if vendor else "",
        format=_format(section, pattern, vendor),
        encoding=section.take("encoding", str, "utf-8"),
        delimiter=section.take("delimiter", str, ","),
        quote=section.take("quote", str, '"'),
        decimal=section.choice("decimal", (".", ","), "."),
        thousands=section.take("thousands", str, ""),
        skip_lines=section.take("skip_lines", int, 0),
        ignore_where={key: _texts(ignore, key) for key in list(ignore.content)},
        sheet=section.take("sheet", str, ""),
        zone=section.zone("zone", None),
        columns=columns,
        line=line,
        **database,
    )
    section.finish()
    for setting, why in (vendor.ask if vendor else {}).items():
        if not getattr(source, setting):
            raise section.error(setting, f"source {name!r} does not say its {setting!r}: {why}", _ASKED[setting])
    return source


def _files(section: _Section, paths: Mapping[str, Path]) -> tuple[str, str]:
    """Return the files of a source, as they are written and without the declared path that they lie below."""
    for key in _DATABASE:
        if key in section.content:
            raise section.error(key, f"a file has no {key!r}", 'Add format = "postgresql" to read from a database')
    files = section.take("files", str)
    if (match := re.match(r"\{(\w+)\}", files)) and match[1] not in paths:
        raise section.error("files", f"no path {match[1]!r} is declared", f"Add a section [paths.{match[1]}]")
    pattern = re.sub(r"^\{\w+\}/?", "", files)
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise section.error(
            "files", "'files' must lie below the workspace", "Declare other places as [paths.NAME] and write {NAME}/..."
        )
    if not pattern.strip():
        raise section.error("files", "'files' names no file", 'Write for example files = "data/contacts_*.csv"')
    return files, pattern


_DATABASE = ("connection", "relation", "query", "timeout_s")
_OF_FILES = ("files", "encoding", "delimiter", "quote", "skip_lines", "sheet")


def _database(section: _Section, name: str) -> dict[str, Any]:
    """Read how a database is asked; empty for a source of files. What stands in `connection` is never shown."""
    if section.content.get("format") != "postgresql":
        return {}
    for key in _OF_FILES:
        if key in section.content:
            raise section.error(key, f"a database has no {key!r}", f"Take {key!r} out of source {name!r}")
    connection = section.take("connection", str)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", connection):
        raise section.error(
            "connection",
            "'connection' must be the name of an environment variable, and what stands here is none",
            'Put the connection string into a variable, and write its name: connection = "CENTRE_DATABASE"',
        )
    relation, query = section.take("relation", str, "").strip(), section.take("query", str, "").strip()
    if bool(relation) == bool(query):
        raise section.error(
            "query" if query else "relation",
            f"source {name!r} needs exactly one of 'relation' and 'query'",
            'Write for example relation = "telephony.calls"',
        )
    if relation and not re.fullmatch(r"[^.\x00]+(\.[^.\x00]+)?", relation):
        raise section.error(
            "relation", "'relation' must be a table or a schema and a table", 'Write for example "telephony.calls"'
        )
    timeout = section.take("timeout_s", int, 600)
    if not 1 <= timeout <= 86_400:
        raise section.error("timeout_s", "'timeout_s' must be 1 to 86400 seconds", "600 are ten minutes")
    return {
        "connection": connection,
        "relation": relation,
        "query": re.sub(r"[\s;]+$", "", query),
        "timeout_s": timeout,
    }


_ASKED = {"zone": 'Add zone = "Europe/London", with the zone that the export was made in'}


def _vendor(section: _Section, table: str) -> vendors.VendorFormat | None:
    """Return the vendor's format that a source names."""
    name = section.take("vendor", str, "")
    if not name:
        return None
    try:
        form = vendors.format_named(name)
    except SettingsError as error:
        raise section.error("vendor", error.problem, error.remedy) from None
    if table not in form.tables:
        raise section.error("table", f"{name} does not fill {table!r}", f"It fills {', '.join(form.tables)}")
    return form


def _format(section: _Section, pattern: str, vendor: vendors.VendorFormat | None) -> Any:
    """Return how the files are built: as the settings say, else as their ending does."""
    if vendor and "format" in section.content:
        raise section.error("format", f"{vendor.name} says itself how its files are built", "Take 'format' out")
    told = ENDINGS.get(Path(pattern).suffix.lower(), "csv")
    return section.choice(
        "format", FORMATS, "json" if vendor and vendor.readers == ("json",) else "csv" if vendor else told
    )


def _over(default: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a source's columns over those of its vendor; codes are added, all else takes the old one's place."""
    merged = dict(default)
    for name, mapping in given.items():
        base = default.get(name)
        base = {"column": base} if isinstance(base, str) else base
        tells = isinstance(mapping, str) or not {"column", "value", "cases", "seconds_between", "product"}.isdisjoint(
            mapping
        )
        if base is None or tells or not isinstance(mapping, dict):
            merged[name] = mapping
            continue
        merged[name] = {**base, **mapping}
        if isinstance(mapping.get("codes"), dict) and isinstance(base.get("codes"), dict):
            merged[name]["codes"] = {**base["codes"], **mapping["codes"]}
    return merged


def _texts(section: _Section, key: str) -> tuple[str, ...]:
    value = section.take(key, (str, list), ())
    items = [value] if isinstance(value, str) else list(value)
    if not all(isinstance(item, str) for item in items):
        raise section.error(key, f"{key!r} must be a text or a list of texts")
    return tuple(items)


def _field(columns: _Section, key: str, table: contracts.Table) -> FieldMapping:
    content = columns.take(key, (str, dict))
    if isinstance(content, str):
        content = {"column": content}
    section = _Section(content, columns.lines, (*columns.path, key))
    cases = []
    for case in section.take("cases", list, []):
        if not isinstance(case, dict):
            raise columns.error(
                key, "'cases' must be a list of tables", 'Write { where = { Skill = "1" }, value = "a" }'
            )
        item = _Section(case, columns.lines, (*columns.path, key))
        where = item.section("where")
        cases.append(
            ({name: _texts(where, name) for name in list(where.content)}, str(item.take("value", (str, bool))))
        )
        item.finish()
    codes = section.take("codes", dict, None)
    clock = _second_clock(section, columns, key, table)
    between, product = _texts(section, "seconds_between"), _texts(section, "product")
    if between and len(between) != 2:
        raise columns.error(key, "'seconds_between' takes two columns, the earlier and the later")
    mapping = FieldMapping(
        columns=_texts(section, "column"),
        value=section.take("value", (str, int, float, bool), None),
        cases=tuple(cases),
        seconds_between=(between[0], between[1]) if between else None,
        product=product,
        format=section.take("format", str, None),
        unit=section.choice("unit", UNITS, None),
        codes={str(raw): str(value) for raw, value in codes.items()} if codes is not None else None,
        missing=_texts(section, "missing"),
        true=_texts(section, "true") or FieldMapping.true,
        false=_texts(section, "false") or FieldMapping.false,
        scale=section.take("scale", (int, float), None),
        agrees_with=clock,
    )
    section.finish()
    given = [bool(mapping.columns), mapping.value is not None, bool(cases), bool(between), bool(product)]
    if sum(given) != 1:
        raise columns.error(
            key,
            f"{key!r} needs exactly one of column, value, cases, seconds_between and product",
            'Write for example wait_s = { column = "Queue time", unit = "s" }',
        )
    column = table.column(key) if key in table else None
    if column is not None:
        if column.type in ("instant", "date") and mapping.columns and not mapping.format:
            raise columns.error(
                key,
                f"{key!r} does not say how its {'time' if column.type == 'instant' else 'date'} is written",
                'Add a format such as "%d/%m/%Y %H:%M:%S", "iso", "epoch_s", "epoch_ms" or "excel"',
            )
        if column.type == "integer" and key.endswith(("_s", "_s_sum")) and mapping.columns and not mapping.unit:
            raise columns.error(key, f"{key!r} does not say its unit", f"Add unit = one of {', '.join(UNITS)}")
        allowed = column.values or ()
        given_values = [*(codes or {}).values(), *(value for _, value in cases)]
        given_values += [] if mapping.value is None else [mapping.value]
        for value in given_values if allowed else ():
            if value not in allowed:
                raise columns.error(
                    key, f"{value!r} is not an allowed value of {key!r}", f"Allowed are: {', '.join(allowed)}"
                )
    return mapping


def _second_clock(section: _Section, columns: _Section, key: str, table: contracts.Table) -> SecondClock | None:
    if "agrees_with" not in section.content:
        section.known.append("agrees_with")
        return None
    if key not in table or table.column(key).type != "instant":
        raise columns.error(key, f"{key!r} is not a time, so it has no second clock to agree with")
    clock = section.section("agrees_with")
    names = _texts(clock, "column")
    if not names:
        raise columns.error(key, "'agrees_with' names no column", 'Write agrees_with = { column = "call_date", ... }')
    read = SecondClock(columns=names, format=clock.take("format", str), within_s=clock.take("within_s", int, 3600))
    clock.finish()
    return read


def _plan(section: _Section) -> ReportPlan:
    plan = ReportPlan(
        notebook=section.take("notebook", str),
        audience=section.choice("audience", AUDIENCES),
        each=section.choice("each", ("centre", "team", "line_manager")),
        question=section.take("question", str, ""),
        every=section.choice("every", KINDS, None),
    )
    section.finish()
    wanted = plan.audience if plan.audience in ("team", "line_manager") else "centre"
    if plan.each != wanted:
        raise section.error(
            "each",
            f"a report for the audience {plan.audience!r} is made for each {wanted!r}",
            f'Write each = "{wanted}"',
        )
    if not re.fullmatch(r"[\w][\w -]*", plan.notebook):
        raise section.error(
            "notebook", "'notebook' must be a file name without ending or folder", "Write for example 03-team-report"
        )
    return plan


def filled_columns(workspace: Workspace) -> dict[str, frozenset[str]]:
    """Say which columns of each contract table some source fills; a table without a source is not in it.

    Staging fills the derived columns, and site, team and line manager from the roster where there is one.
    """
    found: dict[str, set[str]] = {}
    for source in workspace.sources:
        derived = {column.name for column in workspace.tables[source.table].columns if column.derived}
        found.setdefault(source.table, derived - {"line_manager"}).update(source.columns)
    if "agents" in found:
        for name, columns in found.items():
            if "agent_id" in columns and name != "agents":
                columns |= {column for column in ("site", "team", "line_manager") if column in workspace.tables[name]}
    return {name: frozenset(columns) for name, columns in found.items()}

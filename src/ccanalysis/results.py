"""The pipeline: read, check, measure and judge a workspace for one period, once, and keep what came out.

The outcome is a folder of frames that notebooks and commands read. It lies in the workspace's cache under a
fingerprint of everything it was made from, so the same inputs are never worked through twice.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from ccanalysis import __version__, actions, checks, drivers, engine, findings, sources, verdicts, warehouse
from ccanalysis.checks import overrides
from ccanalysis.errors import NoInputError, RegisterError, SettingsError
from ccanalysis.kpis import changes, register
from ccanalysis.kpis import variants as published
from ccanalysis.kpis.calendars import Calendar
from ccanalysis.kpis.components import APART, components, lacking, parts
from ccanalysis.kpis.expressions import held_to
from ccanalysis.periods import KINDS, Kind, Period
from ccanalysis.workspace import SETTINGS_FILE, WEEKDAYS, Workspace

Progress = Callable[[str], None]
FRAMES = (
    "kpis",
    "series",
    "verdicts",
    "findings",
    "changes",
    "drivers",
    "effects",
    "sensitivity",
    "expectations",
    "rule_history",
    "ratings",
    "overrides",
    "revised",
    "coverage",
    "counts",
    "intake",
    "quarantine",
    "failures",
    "activities",
    "actions",
    "requirements",
    "people",
)
# Sections of the settings that change no figure.
_NOT_FIGURES = ("reports", "recipients", "delivery", "retention")
STAGES = ("read", "measure", "check", "judge")
_LISTS = ("reasons", "rules", "columns", "kpis", "levels", "problems", "tables", "channels")


@dataclass
class Results:
    """What is known of a workspace in one period.

    Attributes:
        folder: Where the frames lie.
        facts: Name, period, frequency, unit names, zone, fingerprint, stages' seconds, notes.
        slice_of: Whom the frames were cut for: `audience` and `unit`; empty for everything.
        memo: What others have worked out from the frames, kept as long as they are.
    """

    folder: Path
    facts: dict[str, Any]
    _frames: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, folder: Path) -> Results:
        """Read results from a folder.

        Raises:
            NoInputError: The folder holds none.
        """
        path = folder / "facts.json"
        if not path.is_file():
            raise NoInputError(f"there are no results in {folder.name!r}", remedy="Run `ccanalysis run` first")
        return cls(folder, json.loads(path.read_text(encoding="utf-8")))

    def __getattr__(self, name: str) -> pd.DataFrame:
        """Return one of the frames in `FRAMES`."""
        if name not in FRAMES:
            raise AttributeError(name)
        if name not in self._frames:
            path = self.folder / f"{name}.parquet"
            frame = pd.read_parquet(path) if path.is_file() else pd.DataFrame()
            for column in set(_LISTS) & set(frame.columns):
                if len(frame) and not isinstance(frame[column].iloc[0], str):
                    frame[column] = [tuple(value) if value is not None else () for value in frame[column]]
            self._frames[name] = frame
        return self._frames[name]

    def answered(self, name: str) -> pd.DataFrame:
        """Return a frame of the question that a slice answers; one that it does not hold has neither rows nor columns.

        Args:
            name: The frame's name, such as `criteria`.
        """
        key = f"answer_{name}"
        if key not in self._frames:
            path = self.folder / f"{key}.parquet"
            self._frames[key] = pd.read_parquet(path) if path.is_file() else pd.DataFrame()
        return self._frames[key]

    def take(self, name: str, frame: pd.DataFrame) -> None:
        """Take a frame that is made after the results, such as what a revision changes."""
        self._frames[name] = frame

    @property
    def period(self) -> Period:
        """The period that was judged."""
        return Period.parse(self.facts["period"])

    @property
    def refused(self) -> pd.DataFrame:
        """The ratings of the centre's figures that the gate does not let be judged."""
        now = self.ratings[self.ratings["period"] == self.facts["period"]]
        return now[(now["level"] == "centre") & now["rating"].isin(["not fit", "unknown"])]

    def write(self, folder: Path, frames: dict[str, pd.DataFrame]) -> None:
        """Write frames and facts into a new folder; equal frames give equal bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in frames.items():
            plain = frame.copy()
            plain.attrs = {}  # pandas would keep them in the file
            for column in plain.columns[[isinstance(dtype, pd.CategoricalDtype) for dtype in plain.dtypes]]:
                plain[column] = plain[column].astype(object)  # a category keeps values of rows that were cut away
            for column in set(_LISTS) & set(plain.columns):
                plain[column] = [list(v) if isinstance(v, (tuple, list)) else v for v in plain[column]]
            plain.to_parquet(folder / f"{name}.parquet", index=False)
        text = json.dumps(self.facts, indent=1, sort_keys=True, ensure_ascii=False)
        (folder / "facts.json").write_text(text + "\n", encoding="utf-8")


def last_complete(workspace: Workspace, staged: sources.Staged, kind: Kind | None = None) -> Period:
    """Return the last period that the contacts (or intervals) cover to its end.

    Raises:
        NoInputError: There is not one row.
    """
    kind = kind or workspace.frequency
    newest = _last_day(staged, workspace)
    period = Period.containing(newest, kind)
    return period if newest == period.end - pd.Timedelta(days=1).to_pytimedelta() else _whole(period, newest, workspace)


def _whole(period: Period, newest: date, workspace: Workspace) -> Period:
    """A week without weekend work is complete on Friday, a month on its last working day; one that is under way is not.

    The days that lack must be closed by the centre's opening hours, or lie on a weekend where it gives none.
    """
    hours = [days for days in workspace.centre.opening.values() if days]
    lacking = (newest + timedelta(days=day) for day in range(1, (period.end - newest).days))
    for day in lacking:
        name = WEEKDAYS[day.weekday()]
        closed = all(days.get(name) is None for days in hours) if hours else name in ("sat", "sun")
        if not closed:
            return period.shift(-1)
    return period


def _last_day(staged: sources.Staged, workspace: Workspace) -> date:
    name = "contacts" if "contacts" in staged.tables else "intervals"
    connection = engine.connect({name: staged.tables[name]})
    try:
        day = engine.quoted(workspace.tables[name].local_day)
        found = connection.execute(f"SELECT max({day}) FROM {name}").fetchone()
        length = None
        if name == "intervals":
            length = connection.execute("SELECT any_value(length) FROM intervals").fetchone()
    finally:
        connection.close()
    if found is None or found[0] is None:
        raise NoInputError(f"the table {name!r} has no row", remedy="Look at the quarantine with `ccanalysis check`")
    newest: date = found[0]
    if length and length[0] in KINDS:
        return Period.containing(newest, length[0]).end - pd.Timedelta(days=1).to_pytimedelta()
    return newest


def compute(
    workspace: Workspace,
    period: str | Period | None = None,
    *,
    progress: Progress | None = None,
    detail: Progress | None = None,
    fresh: bool = False,
) -> Results:
    """Read, check, measure and judge; return what the cache has where nothing has changed.

    Args:
        workspace: The workspace.
        period: The period or its label; the last complete one when not given.
        progress: Called with a line at the beginning of each stage.
        detail: Called with a line for each file that is read.
        fresh: Work everything through again.

    Raises:
        SettingsError: Settings, register or suites cannot be followed.
        NoInputError: There is no usable input, or none in the period.
    """
    if workspace.engine.kind != "duckdb":
        raise SettingsError(
            "reports need checked rows, and [engine] leaves the rows in the warehouse",
            remedy="Use `ccanalysis kpis`, or give [[sources]] and take [engine] out",
            place=SETTINGS_FILE,
        )
    say = progress or (lambda line: None)
    clock = _Clock()
    wanted = Period.parse(period) if isinstance(period, str) and period else (period or None)
    register_read = register.load(workspace.register_path, workspace.tables)
    overrides.check_names(workspace.overrides, [kpi.id for kpi in register_read.kpis])
    with clock("read"):
        say("Reading exports")
        staged = sources.stage(workspace, progress=detail)
    if not isinstance(wanted, Period):
        wanted = last_complete(workspace, staged)
    issued = _issued(workspace, staged, wanted)
    fingerprint = _fingerprint(workspace, staged, wanted, issued)
    folder = workspace.cache_path / "results" / f"{wanted.label}-{fingerprint}"
    if folder.is_dir() and not fresh:
        kept = Results.read(folder)
        kept.facts["seconds"] = clock.rounded()
        return kept
    last = wanted.end - timedelta(days=1)
    kpis = [kpi.as_of(last) for kpi in register_read.due(wanted.kind) if kpi.approval.state != "retired"]
    if not kpis:
        raise _none_due(wanted)
    newest = _last_day(staged, workspace)
    if newest < wanted.start:
        raise _no_row(wanted, newest)
    frames, facts = _work(workspace, staged, kpis, wanted, clock, say, last_day=newest, issued=issued)
    due = {kpi.id for kpi in kpis}
    later = [kpi.name for kpi in register_read.kpis if kpi.id not in due and kpi.approval.state != "retired"]
    facts |= {
        "definition_changes": changes.definition_changes(register_read, wanted.shift(-1).end - timedelta(days=1), last),
        "fingerprint": fingerprint,
        "not_due": later,
        "seconds": clock.rounded(),
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        Results(aside, facts).write(aside, frames)
        if folder.exists():
            shutil.rmtree(folder)
        aside.replace(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Results.read(folder)


def asked(
    workspace: Workspace, period: str | Period | None = None, *, detail: Progress | None = None
) -> tuple[Period, str]:
    """Return the period that `compute` would judge and the fingerprint of its results; nothing is judged.

    Args:
        workspace: The workspace.
        period: The period or its label; the last complete one when not given.
        detail: Called with a line for each file that is read.

    Raises:
        CcanalysisError: Settings cannot be followed, or there is no usable input.
    """
    staged = sources.stage(workspace, progress=detail)
    wanted = Period.parse(period) if isinstance(period, str) and period else period
    if not isinstance(wanted, Period):
        wanted = last_complete(workspace, staged)
    return wanted, _fingerprint(workspace, staged, wanted, _issued(workspace, staged, wanted))


def _no_row(period: Period, newest: date) -> NoInputError:
    return NoInputError(
        f"there is no row in {period.label}",
        remedy=f"The data end on {newest.isoformat()}; give an earlier period or add the export",
    )


def from_warehouse(
    workspace: Workspace, period: str | Period | None = None, *, engine: warehouse.Engine | None = None
) -> pd.DataFrame:
    """Measure and judge where the contract tables lie in a warehouse; only sums leave it.

    Nothing is read from `[[sources]]` and no rule is checked, so no figure has a rating from the gate: each is
    `unknown`, and is judged by its target and its course alone.

    Args:
        workspace: The workspace; its `[engine]` tells how to connect.
        period: The period or its label; the last one with a contact when not given.
        engine: The warehouse, where it is open already, such as `warehouse.Spark(session)`.

    Returns:
        The verdicts, as `Results.verdicts` has them.

    Raises:
        SettingsError: The connection is not set, or no KPI is due for such a period.
        NoInputError: The warehouse has no row, or none in the period.
        RegisterError: A measure cannot be computed.
        EnvironmentFaultError: The warehouse does not answer.
    """
    chosen = workspace.engine
    store = engine or warehouse.from_environment(chosen.kind, chosen.connection, chosen.schema)
    listed = register.load(workspace.register_path, workspace.tables)
    name = "contacts" if store.has("contacts") else "intervals"
    if not store.has(name):
        raise NoInputError(
            "the warehouse has neither 'contacts' nor 'intervals'",
            remedy="Name the schema of the tables under [engine]",
        )
    table = workspace.tables[name]
    day = store.dialect.quoted(table.local_day)
    newest = store.run(f"SELECT max({day}) AS newest FROM {store.source(table)} t")["newest"].to_pylist()[0]
    if newest is None:
        raise NoInputError(f"the table {name!r} has no row", remedy="Look at how it is loaded")
    wanted = Period.parse(period) if isinstance(period, str) and period else period
    if not isinstance(wanted, Period):
        latest = Period.containing(newest, workspace.frequency)
        whole = newest == latest.end - timedelta(days=1)
        wanted = latest if whole else _whole(latest, newest, workspace)
    last = wanted.end - timedelta(days=1)
    kpis = [kpi.as_of(last) for kpi in listed.due(wanted.kind) if kpi.approval.state != "retired"]
    if not kpis:
        raise _none_due(wanted)
    periods = list(wanted.back(workspace.baseline_periods))
    measured = components(
        store,
        kpis,
        kind=wanted.kind,
        since=periods[0],
        until=wanted,
        contract=workspace.tables,
        calendar=Calendar.of(workspace.centre),
    )
    if not (measured.sums["period"] == wanted.start).any():
        raise _no_row(wanted, newest)
    ratings = pd.DataFrame(columns=["kpi", "level", "unit", "period", "rating", "reasons"])
    line = verdicts.series(measured, kpis, periods, ratings, last_day=newest)
    return verdicts.judge(line, kpis, wanted, ratings)


def _none_due(period: Period) -> SettingsError:
    return SettingsError(
        f"no KPI of the register is due for a {period.kind}",
        remedy="Give another period, or set the KPI's frequency",
        place="kpis.yml",
    )


_UNRATED = pd.DataFrame(columns=["kpi", "level", "unit", "period", "rating"])
SENSITIVITY_COLUMNS = [
    "kpi",
    "variant",
    "own",
    "definition",
    "level",
    "unit",
    "period",
    "numerator",
    "denominator",
    "n",
    "value",
    "difference",
    "unit_of_value",
]


def sensitivity(
    workspace: Workspace, kpi: str, period: str | Period | None = None, *, progress: Progress | None = None
) -> pd.DataFrame:
    """Measure one KPI under all its published definitions, on the same data.

    Args:
        workspace: The workspace.
        kpi: The KPI's id.
        period: The period or its label; the last complete one when not given.
        progress: Called with a line for each file that is read.

    Returns:
        One row per variant, level and unit with `SENSITIVITY_COLUMNS`: both sides, `n`, `value`, and its `difference`
        to the value under the register's own definition (whose row has `own`).

    Raises:
        RegisterError: There is no such KPI, no other definition of it, or it cannot be measured.
        NoInputError: There is no usable input, or none in the period.
    """
    listed = register.load(workspace.register_path, workspace.tables)
    chosen = listed[kpi]
    staged = sources.stage(workspace, progress=progress)
    wanted = Period.parse(period) if isinstance(period, str) and period else period
    if not isinstance(wanted, Period):
        wanted = last_complete(workspace, staged)
    chosen = chosen.as_of(wanted.end - timedelta(days=1))
    kpis = published.as_kpis(chosen)
    lacks = lacking(staged.tables, [chosen], workspace.tables).get(chosen.id)
    if lacks:
        raise RegisterError(
            f"KPI {kpi!r} cannot be measured: it needs {', '.join(lacks)}",
            remedy="Map an export that has it",
            place="kpis.yml",
        )
    line = _side_by_side(workspace, staged, {chosen: kpis}, wanted)
    if not len(line):
        raise NoInputError(f"there is no row in {wanted.label}", remedy="Give another period, or add the export")
    return line


def _side_by_side(
    workspace: Workspace, staged: sources.Staged, wanted: Mapping[register.Kpi, Sequence[register.Kpi]], period: Period
) -> pd.DataFrame:
    """Measure KPIs under other definitions: `SENSITIVITY_COLUMNS`; no row where nothing can be measured."""
    parts = []
    for chosen, kpis in wanted.items():
        measured = components(
            staged.tables,
            kpis,
            kind=period.kind,
            since=period,
            until=period,
            contract=workspace.tables,
            calendar=Calendar.of(workspace.centre),
        )
        line = verdicts.series(measured, list(kpis), [period], _UNRATED)
        if not len(line):
            continue
        about = {each.id: each.measure for each in kpis}
        line = line.rename(columns={"kpi": "variant"}).assign(kpi=chosen.id)
        line["own"] = [about[name] == chosen.measure for name in line["variant"]]
        line["definition"] = [about[name].about for name in line["variant"]]
        line["unit_of_value"] = chosen.measure.unit
        own = line[line["own"]].set_index(["level", "unit"])["value"]
        line["difference"] = line["value"].to_numpy() - own.reindex(line[["level", "unit"]]).to_numpy()
        parts.append(line[SENSITIVITY_COLUMNS])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=SENSITIVITY_COLUMNS)


def _variants(
    workspace: Workspace, staged: sources.Staged, kpis: Sequence[register.Kpi], period: Period
) -> pd.DataFrame:
    """Measure the centre's figures under every published definition of them."""
    lacks, wanted = lacking(staged.tables, kpis, workspace.tables), {}
    for kpi in kpis:
        if kpi.id not in lacks and kpi.measure.key in published.VARIANTS:
            with suppress(RegisterError):  # no other definition can be had from interval counts
                wanted[kpi] = [replace(one, levels=("centre",)) for one in published.as_kpis(kpi)]
    return _side_by_side(workspace, staged, wanted, period)


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begin

    def rounded(self) -> dict[str, float]:
        return {name: round(seconds, 3) for name, seconds in self.seconds.items()}


def _issued(workspace: Workspace, staged: sources.Staged, period: Period) -> checks.Issued:
    """Return what the last issued run of an earlier period of this kind counted, by its manifest."""
    earlier = []
    for path in workspace.reports_path.glob("*/manifest.json"):
        with suppress(SettingsError, ValueError):  # a folder that is no period is none of ours
            then = Period.parse(path.parent.name)
            if then.kind == period.kind and then.start < period.start:
                earlier.append((then.start, path))
    now = _digests(staged.intake.itertuples())
    for _, path in sorted(earlier, reverse=True):
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):  # written by hand, or cut
            told = json.loads(path.read_text(encoding="utf-8"))
            rows = [(table, day, int(n)) for table, days in told["counts"].items() for day, n in days.items()]
            counts = pd.DataFrame(rows, columns=["table", "on_date", "n_rows"])
            counts["on_date"] = pd.to_datetime(counts["on_date"], format="%Y-%m-%d").dt.strftime("%Y-%m-%d")
            files = _digests(SimpleNamespace(**source) for source in told["sources"])
            return checks.Issued(label=str(told["period"]), counts=counts, files=files, now=now)
    return checks.Issued(now=now)


def _digests(files: Iterable[Any]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for file in files:
        found.setdefault(file.table, {})[file.file] = file.sha256
    return found


def _fingerprint(workspace: Workspace, staged: sources.Staged, period: Period, issued: checks.Issued) -> str:
    parts = [__version__, staged.fingerprint, period.label, issued.label, issued.counts.to_csv(index=False)]
    parts += [json.dumps(issued.files, sort_keys=True)]
    parts += [_settings(workspace)]
    paths = [workspace.register_path, *sorted(workspace.suites_path.glob("*.json"))]
    paths += register.python_files(workspace.register_path)
    parts += [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.is_file()]
    package = Path(__file__).parent
    shown = {"reports", "samples", "views", "charts", "display.py", "cli.py", "export.py", "editions.py", "explore.py"}
    shown |= {"outgoing.py", "retention.py", "questions"}
    code = [path for path in sorted(package.rglob("*.py")) if not shown & set(path.relative_to(package).parts)]
    parts += [hashlib.sha256(path.read_bytes()).hexdigest() for path in code]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _settings(workspace: Workspace) -> str:
    """Return the settings that figures depend on: neither who is sent reports, nor which reports are made."""
    path = workspace.root / SETTINGS_FILE
    if not path.is_file():
        return ""
    content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    kept = {key: value for key, value in content.items() if key not in _NOT_FIGURES}
    return json.dumps(kept, sort_keys=True, default=str)


def _work(
    workspace: Workspace,
    staged: sources.Staged,
    kpis: list[register.Kpi],
    period: Period,
    clock: _Clock,
    say: Progress,
    *,
    last_day: date,
    issued: checks.Issued,
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    periods = list(period.back(workspace.baseline_periods))
    with clock("measure"):
        say("Measuring")
        measured = components(
            staged.tables,
            kpis,
            kind=period.kind,
            since=periods[0],
            until=period,
            contract=workspace.tables,
            calendar=Calendar.of(workspace.centre),
            kept=workspace.cache_path / "components",
        )
        if not (measured.sums["period"] == period.start).any():
            raise _no_row(period, last_day)
    with clock("check"):
        say("Checking accuracy and suitability")
        checked = checks.check(
            staged.tables,
            workspace.suites_path,
            period=period,
            centre=workspace.centre,
            baseline=workspace.baseline_periods,
            contract=workspace.tables,
            figures=_figures(measured.sums, kpis, period.kind),
            last=issued,
        )
        overrides.check_names([one for one in workspace.overrides if one.rule], [], list(checked.expectations["rule"]))
        lifting = overrides.Lifting(workspace.overrides, last_day, period)
        ratings = checks.gate(checked, _reads(kpis), lifting)
    with clock("measure"):
        effects = _effects(workspace, staged, checked, kpis, measured.sums, period)
        sensitive = _variants(workspace, staged, kpis, period)
    with clock("judge"):
        say("Judging")
        line = verdicts.series(measured, kpis, periods, ratings, last_day=last_day)
        judged = verdicts.judge(line, kpis, period, ratings)
        earlier = verdicts.series(measured, kpis, periods[:-1], ratings, last_day=last_day)
        before = verdicts.judge(earlier, kpis, period.shift(-1), ratings)
        people = _people(workspace, staged, period)
        whole = checked.by_period[checked.by_period["level"] == "centre"]
        rules = whole.merge(checked.expectations[["rule", "severity", "remedy"]], on="rule")
        found = findings.findings(judged, kpis, period, line=line, actions=people.get("actions"), rules=rules)
        driven = _drivers(workspace, staged, kpis, judged, line, period)
        if "actions" in people:
            people["actions"] = actions.judge(people["actions"], line, kpis, period)
    frames = {
        "kpis": _register_frame(kpis),
        "series": line,
        "verdicts": judged,
        "findings": found,
        "changes": findings.changes(judged, before),
        "drivers": driven,
        "effects": effects,
        "sensitivity": sensitive,
        "expectations": checked.expectations,
        "rule_history": checked.by_period,
        "ratings": ratings,
        "overrides": lifting.frame(ratings, {kpi.id: kpi.name for kpi in kpis}),
        "coverage": checked.coverage,
        "counts": checked.counts,
        "intake": staged.intake,
        "quarantine": pd.read_parquet(staged.quarantine),
        "failures": pd.read_parquet(checked.failures, filters=[("period", "=", period.label)]),
        **people,
    }
    facts = {
        "centre": workspace.centre.name,
        "period": period.label,
        "time_zone": workspace.centre.time_zone,
        "currency": workspace.centre.currency,
        "unit_names": dict(workspace.unit_names),
        "last_day": last_day.isoformat(),
        "notes": [*staged.notes, *_not_measured(workspace, staged, kpis)],
        "absent": sorted(name for name in workspace.tables if name not in staged.tables),
        "version": __version__,
    }
    return frames, facts


def _drivers(
    workspace: Workspace,
    staged: sources.Staged,
    kpis: list[register.Kpi],
    judged: pd.DataFrame,
    line: pd.DataFrame,
    period: Period,
) -> pd.DataFrame:
    """Take apart what is judged of the centre and its teams; the rest is not even asked for."""
    told = judged[judged["level"].isin(APART) & (judged["status"] != "not_judged")]
    wanted = [kpi for kpi in kpis if kpi.id in set(told["kpi"])]
    found = parts(
        staged.tables,
        wanted,
        kind=period.kind,
        since=period.shift(-1),
        until=period,
        contract=workspace.tables,
        calendar=Calendar.of(workspace.centre),
    )
    return drivers.drivers(found, told, line, wanted, period)


def _not_measured(workspace: Workspace, staged: sources.Staged, kpis: list[register.Kpi]) -> list[str]:
    """Say of each KPI without a figure what it lacks: nothing is shown rather than nought."""
    lacks = lacking(staged.tables, kpis, workspace.tables)
    return [f"{kpi.name}: not measured, for it needs {', '.join(lacks[kpi.id])}" for kpi in kpis if kpi.id in lacks]


def _reads(kpis: list[register.Kpi]) -> pd.DataFrame:
    """Which contract columns each KPI reads and which channels it keeps to, one row per KPI and table."""
    rows = [
        {
            "kpi": kpi.id,
            "table": table,
            "columns": kpi.columns,
            "channels": held_to(kpi.population, "channel"),
        }
        for kpi in kpis
        for table in _tables(kpi)
    ]
    return pd.DataFrame(rows, columns=["kpi", "table", "columns", "channels"])


def _tables(kpi: register.Kpi) -> tuple[str, ...]:
    return tuple(sorted({kpi.measure.numerator.table, kpi.measure.denominator.table}))


def _figures(sums: pd.DataFrame, kpis: list[register.Kpi], kind: Kind) -> pd.DataFrame:
    """What was measured of every unit and period, beside what must hold of it."""
    by_id = {kpi.id: kpi for kpi in kpis}
    frame = sums[["kpi", "level", "unit", "period", "numerator", "denominator"]].rename(
        columns={"period": "period_start"}
    )
    measures = frame["kpi"].map(lambda key: by_id[key].measure)
    frame["is_share"] = [measure.unit == "share" for measure in measures]
    frame["can_be_negative"] = [measure.unit == "points" for measure in measures]
    changed = {
        (key, start): _changed(by_id[key], Period.containing(pd.Timestamp(start).date(), kind))
        for key, start in frame[["kpi", "period_start"]].drop_duplicates().itertuples(index=False)
    }
    told = [changed[key] for key in zip(frame["kpi"], frame["period_start"], strict=True)]
    return frame.assign(redefined=[one for one, _ in told], retargeted=[other for _, other in told])


def _changed(kpi: register.Kpi, period: Period) -> tuple[bool, bool]:
    """Tell whether a KPI's definition, and whether its target, changed after the first day of a period."""

    def inside(days: Iterable[date | None]) -> bool:
        return any(day is not None and period.start < day < period.end for day in days)

    return inside(one.since for one in kpi.definitions), inside(target.since for target in kpi.targets)


def _register_frame(kpis: list[register.Kpi]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "kpi": kpi.id,
                "name": kpi.name,
                "purpose": kpi.purpose,
                "objective": kpi.objective,
                "definition": kpi.measure.about,
                "population": kpi.population,
                "excluded": kpi.measure.excluded,
                "trap": kpi.measure.trap,
                "source": kpi.measure.source,
                "unit_of_value": kpi.measure.unit,
                "better": kpi.better,
                "levels": kpi.levels,
                "tables": _tables(kpi),
                "minimum_n": kpi.minimum_n,
                "frequency": kpi.frequency,
                "owner": kpi.owner,
                "approval": kpi.approval.state,
                "approved_by": kpi.approval.by,
                "action_after_review": kpi.action_after_review,
            }
            for kpi in kpis
        ]
    )


def _effects(
    workspace: Workspace,
    staged: sources.Staged,
    checked: checks.Checked,
    kpis: list[register.Kpi],
    sums: pd.DataFrame,
    period: Period,
) -> pd.DataFrame:
    """The size of what failing rows do to each KPI of the centre: all rows against clean rows.

    KPIs that the same rules touch are measured together.
    """
    groups: dict[tuple[str, tuple[str, ...]], list[register.Kpi]] = {}
    for kpi in kpis:
        table = kpi.measure.numerator.table
        rules = tuple(sorted(checks.failing_rules(checked, table, kpi.columns, kpi=kpi.id)))
        groups.setdefault((table, rules), []).append(kpi)
    clean, touched = [sums], set()
    with tempfile.TemporaryDirectory(prefix="ccanalysis-clean-") as scratch:
        for number, ((table, rules), members) in enumerate(groups.items()):
            if rules and table in staged.tables:
                touched |= {kpi.id for kpi in members}
                bad = Path(scratch) / f"{number}.parquet"
                _failing_rows(checked, table, rules, bad)
                centre = [replace(kpi, levels=("centre",)) for kpi in members]
                part = components(
                    staged.tables,
                    centre,
                    kind=period.kind,
                    since=period,
                    until=period,
                    contract=workspace.tables,
                    without={table: bad},
                    calendar=Calendar.of(workspace.centre),
                )
                clean.append(part.sums.assign(clean=True))
    both = pd.concat(clean, ignore_index=True)
    now = both[(both["level"] == "centre") & (both["period"] == period.start)]
    rows = []
    for kpi in kpis:
        own = now[now["kpi"] == kpi.id]
        if len(own) and kpi.measure.kind != "percentile":
            values = own["numerator"] / own["denominator"] * kpi.measure.factor
            n = own["n"]
            # where every row fails there is no clean row left, and nothing can be said of the effect
            left = (values.iloc[-1], int(n.iloc[-1])) if len(own) > 1 or kpi.id not in touched else (float("nan"), 0)
            rows.append((kpi.id, kpi.name, kpi.measure.unit, values.iloc[0], left[0], int(n.iloc[0]), left[1]))
    names = ["kpi", "name", "unit_of_value", "all_rows", "clean_rows", "n_all", "n_clean"]
    return pd.DataFrame(rows, columns=names)


def _failing_rows(checked: checks.Checked, table: str, rules: tuple[str, ...], path: Path) -> None:
    failures = pd.read_parquet(checked.failures, filters=[("table", "=", table), ("rule", "in", list(rules))])
    failures[["source_file", "source_row"]].drop_duplicates().to_parquet(path, index=False)


def _people(workspace: Workspace, staged: sources.Staged, period: Period) -> dict[str, pd.DataFrame]:
    """The roster in force at the end of the period, and the small tables that reports quote."""
    connection = engine.connect(staged.tables)
    out: dict[str, pd.DataFrame] = {}
    try:
        if "agents" in staged.tables:
            out["people"] = connection.execute(
                "SELECT agent_id, agent_name, team, site, line_manager, role FROM agents "
                "WHERE valid_from < ? AND (valid_to IS NULL OR valid_to >= ?) ORDER BY team, agent_id",
                [period.end, period.start],
            ).df()
        for name, order in (("activities", "done_on"), ("actions", "decided_on"), ("requirements", "valid_from")):
            if name in staged.tables:
                columns = [c.name for c in workspace.tables[name].mapped]
                listed = ", ".join(engine.quoted(column) for column in columns)
                out[name] = connection.execute(f"SELECT {listed} FROM {name} ORDER BY {order}, 1").df()
    finally:
        connection.close()
    return out

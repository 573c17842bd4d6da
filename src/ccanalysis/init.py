"""A new workspace from exports: settings, register and roster proposed from what the exports themselves say.

What nothing speaks for is marked to be filled in, and nothing runs before somebody has done so. KPIs are proposed as
drafts without targets: a target is a decision, and no export holds one.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ccanalysis import engine, sources, text
from ccanalysis.errors import NoInputError, SettingsError
from ccanalysis.export import safe_cell
from ccanalysis.kpis import register
from ccanalysis.kpis.components import lacking
from ccanalysis.sources import trying
from ccanalysis.workspace import SETTINGS_FILE, Workspace, general_path

ROSTER = "roster-to-complete.csv"
_GENERAL = ("expectations", "notebooks")
# KPIs that most centres begin with: id, name, purpose, measure, channel it is about, what to do after review.
_DRAFTS: tuple[tuple[str, str, str, str, str, str], ...] = (
    (
        "service_level", "Calls answered within 20 seconds",
        "Customers who ring should reach a person without a long wait.",
        "{name: service_level, threshold_s: 20, variant: SL3}", "voice",
        "Compare staffing with arrivals by half-hour.",
    ),
    (
        "abandon_rate", "Calls abandoned", "Few customers should give up before they are answered.", "abandon_rate",
        "voice", "Look at the hours in which callers give up.",
    ),
    (
        "asa", "Average speed of answer", "Shows how long callers who were answered had to wait.", "asa", "voice",
        "Read it together with calls abandoned; it falls when callers give up.",
    ),
    (
        "aht", "Average handling time", "Planning needs it; a contact should take as long as the customer needs.",
        "aht", "", "Listen to long and short contacts before speaking of speed.",
    ),
    (
        "transfer_rate", "Contacts passed on", "A customer should not have to tell the story twice.", "transfer_rate",
        "", "Find the reasons that are passed on, and who could have settled them.",
    ),
    (
        "fcr", "Contacts not followed by another on the same matter", "One contact should be enough.",
        "{name: fcr, days: 7}", "", "Read the second contacts: what did the first one leave open?",
    ),
    (
        "csat", "Customers who were satisfied", "What customers say is the purpose of the service.", "csat", "",
        "Read the comments beside the scores.",
    ),
    (
        "survey_response_rate", "Surveys answered", "A score of few speaks for few.", "survey_response_rate", "",
        "Ask whom the survey does not reach.",
    ),
    (
        "qa_score", "Quality of contacts", "Shows whether contacts are handled as agreed.", "qa_score", "",
        "Look at the criteria that fail, before the totals.",
    ),
    (
        "complaints_per_1000", "Complaints per 1,000 contacts", "Complaints show where the service failed somebody.",
        "complaints_per_1000", "", "Look for the causes that come back.",
    ),
)  # fmt: skip

_NO_QUEUE = ("csat", "survey_response_rate", "qa_score", "complaints_per_1000")  # their tables have none


@dataclass(frozen=True)
class Created:
    """A new workspace.

    Attributes:
        folder: Where it is.
        said: What was found and proposed, line by line.
        open: Lines of the settings that somebody must fill in, with their numbers.
        notes: What was left out of the proposals and why.
    """

    folder: Path
    said: Sequence[str]
    open: Sequence[str] = ()
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def ready(self) -> bool:
        """Whether nothing is left to fill in."""
        return not self.open


def create(
    folder: Path,
    exports: Sequence[Path],
    *,
    zone: str,
    name: str = "",
    holidays: str = "",
    channel: str = "",
    say: Callable[[str], None] = lambda line: None,
) -> Created:
    """Make a workspace from exports.

    Args:
        folder: Where; it does not exist, or is empty.
        exports: Export files; they are copied below the workspace.
        zone: The centre's time zone, in which times without an offset are read.
        name: The centre's name, as it stands on reports; that of the folder where not given.
        holidays: The nation or region of bank holidays, as `GB-ENG`.
        channel: The medium of every contact, for exports that do not say it.
        say: Told of each stage.

    Raises:
        SettingsError: The folder holds something, or the zone is unknown.
        NoInputError: An export is missing, empty, or fills no table.
    """
    _check(folder, exports, zone)
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        (aside / "exports").mkdir()
        for path in exports:
            shutil.copyfile(path, aside / "exports" / path.name)
        for general in _GENERAL:
            if general_path(general).is_dir():
                shutil.copytree(general_path(general), aside / general, ignore=shutil.ignore_patterns(".*"))
        said, blocks = _tried([aside / "exports" / path.name for path in exports], aside, zone, channel, say)
        settings = _settings(name or folder.name, zone, holidays, blocks)
        (aside / SETTINGS_FILE).write_text(settings, encoding="utf-8")
        (aside / "kpis.yml").write_text("version: 1\nkpis: []\n", encoding="utf-8")
        still = [
            f"{SETTINGS_FILE}:{number}: {line}"
            for number, line in enumerate(settings.splitlines(), 1)
            if trying.FILL_IN in line
        ]
        notes: list[str] = []
        if not still:
            say("Proposing a register and a roster")
            more, notes = _proposed(aside, settings)
            said += more
        if folder.is_dir():
            folder.rmdir()
        aside.chmod(0o755)
        aside.replace(folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return Created(folder, said, still, notes)


def _check(folder: Path, exports: Sequence[Path], zone: str) -> None:
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise SettingsError(f"{folder.name!r} is there and not empty", remedy="Name a new folder")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(
            f"there is no time zone {zone!r}", remedy="Give an IANA name with --time-zone, as Europe/London"
        ) from None
    for path in exports:
        if not path.is_file():
            raise NoInputError(f"there is no file {path.name!r}", remedy="Give the paths of exports")
    names = [path.name for path in exports]
    twice = sorted({one for one in names if names.count(one) > 1})
    if twice:
        raise SettingsError(f"two exports are called {twice[0]!r}", remedy="Rename one of them")


def _tried(
    copies: Sequence[Path], root: Path, zone: str, channel: str, say: Callable[[str], None]
) -> tuple[list[str], list[str]]:
    """Try each export; those of one form become one source."""
    said: list[str] = []
    forms: dict[str, list[tuple[Path, str]]] = {}
    for path in copies:
        say(f"Looking at {path.name}")
        trial = trying.try_file(path, root, zone=zone, channel=channel)
        said.append(f"{path.name}: {trial.title}")
        if not trial.settings:
            problem = next((one.error for one in trial.tables if one.error), "it fills no table")
            raise NoInputError(f"nothing can be read from {path.name!r}: {problem}", remedy="Give another export")
        for one in trial.tables:
            if one.counts:
                said.append(f"  {one.table}: " + _counts(one.counts))
            said += [f"    {problem}" for problem in one.problems]
            said += [f"    {one.faults - len(one.problems):,} more"] if one.faults > len(one.problems) else []
        own = re.sub(r"(?m)^(name|files) = .*$", r"\1", trial.settings)
        forms.setdefault(own, []).append((path, trial.settings))
    blocks = []
    for members in forms.values():
        pattern = _pattern([path.name for path, _ in members], [path.name for path in copies])
        block = re.sub(r"  # or \S+ for every file of this kind", "", members[0][1])
        if len(members) == 1 or not pattern:
            blocks += [re.sub(r"  # or \S+ for every file of this kind", "", block) for _, block in members]
        else:
            blocks.append(re.sub(r"(?m)^files = .*$", f"files = {json.dumps(f'exports/{pattern}')}", block))
    return said, blocks


def _counts(counts: Mapping[str, int]) -> str:
    out = f"{text.count(counts['read'], 'row')} read, {text.number(counts['kept'])} kept"
    for key, word in (("quarantined", "set apart"), ("duplicates", "repeated"), ("set_aside", "no records")):
        out += f", {text.number(counts[key])} {word}" if counts[key] else ""
    return out


def _pattern(names: Sequence[str], everything: Sequence[str]) -> str:
    """Return a glob for some files that no other of the exports matches; nothing where there is none."""
    first, suffix = names[0], Path(names[0]).suffix
    common = next((first[:n] for n in range(len(first), 0, -1) if all(one.startswith(first[:n]) for one in names)), "")
    common = re.sub(r"[\d_-]+$", "", common.removesuffix(suffix))
    matched = [one for one in everything if common and one.startswith(common) and one.endswith(suffix)]
    safe = not re.search(r"[*?\[\]{}]", common)
    return f"{common}*{suffix}" if safe and sorted(matched) == sorted(names) else ""


def _settings(name: str, zone: str, holidays: str, blocks: Sequence[str]) -> str:
    lines = [
        "# Written by `ccanalysis init`: proposals, to be looked through. Every line is explained in the reference of",
        "# settings. Times without an offset are read in the centre's zone.",
        "",
        "[centre]",
        f"name = {json.dumps(name, ensure_ascii=False)}",
        f"time_zone = {json.dumps(zone)}",
        *([f"holidays = {json.dumps(holidays)}"] if holidays else []),
        "",
        "# Say when the centre is open, so that a missing day is told from a closed one:",
        "# [centre.opening_hours.voice]",
        '# weekdays = "08:00-18:00"',
        '# sat = "closed"',
        '# sun = "closed"',
        "",
    ]
    return "\n".join(lines) + "\n" + "\n".join(blocks)


def _proposed(root: Path, settings: str) -> tuple[list[str], list[str]]:
    """Write the drafts of KPIs that the exports can be measured by, and a roster to complete."""
    workspace = Workspace.open(root)
    staged = sources.stage(workspace)
    channels = _values(staged.tables, "contacts", "channel")
    drafts = [one for one in _DRAFTS if not one[4] or one[4] in channels]
    levels = _levels(staged.tables)
    path = root / "kpis.yml"
    path.write_text(_written(drafts, channels, levels), encoding="utf-8")
    kpis = register.load(path, workspace.tables).kpis
    lacks = lacking(staged.tables, kpis, workspace.tables)
    read = {kpi.id for kpi in kpis if kpi.id not in lacks and _is_mapped(workspace, kpi)}
    kept = [one for one in drafts if one[0] in read]
    path.write_text(_written(kept, channels, levels), encoding="utf-8")
    said = [f"kpis.yml: {text.count(len(kept), 'draft')}, without targets: {text.listed([one[1] for one in kept])}"]
    notes: list[str] = []
    found, odd = _roster(staged.tables)
    if found:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerows([("agent_id", "team", "line_manager", "valid_from"), *found])
        (root / ROSTER).write_text(out.getvalue(), encoding="utf-8", newline="")
        (root / SETTINGS_FILE).write_text(settings + _ROSTER_BLOCK, encoding="utf-8")
        said.append(f"{ROSTER}: {text.count(len(found), 'agent')} as the exports name them, without line managers")
    if odd:
        notes.append(f"{text.count(odd, 'agent')} not listed, whose name or team a spreadsheet would run as a formula")
    shutil.rmtree(workspace.cache_path, ignore_errors=True)
    return said, notes


def _is_mapped(workspace: Workspace, kpi: register.Kpi) -> bool:
    """Tell whether the exports have every column that a KPI reads; the gate would not know its figure otherwise."""
    for table in kpi.measure.tables:
        mapped = {name for source in workspace.sources if source.table == table for name in source.columns}
        asked = {column.name for column in workspace.tables[table].mapped} & set(kpi.columns)
        if asked - mapped:
            return False
    return True


_ROSTER_BLOCK = f"""
# The roster says who belongs where, and who leads whom. Complete {ROSTER}, rename it
# to roster.csv, and take these marks away:
# [[sources]]
# name = "roster"
# table = "agents"
# files = "roster.csv"
# [sources.columns]
# agent_id = "agent_id"
# team = "team"
# line_manager = "line_manager"
# valid_from = {{ column = "valid_from", format = "iso" }}
"""


def _values(tables: Mapping[str, Path], table: str, column: str) -> set[str]:
    if table not in tables:
        return set()
    connection = engine.connect({table: tables[table]})
    try:
        found = connection.execute(f"SELECT DISTINCT {engine.quoted(column)} FROM {engine.quoted(table)}").fetchall()
    finally:
        connection.close()
    return {str(value) for (value,) in found if value is not None}


def _levels(tables: Mapping[str, Path]) -> list[str]:
    return ["centre", *(level for level in ("site", "team", "queue") if _values(tables, "contacts", level))]


def _written(drafts: Sequence[tuple[str, ...]], channels: set[str], levels: Sequence[str]) -> str:
    lines = [
        "# Written by `ccanalysis init`: drafts, printed as experimental until somebody approves them. Add a target:",
        "#   targets:",
        "#     - {from: 2026-01-01, team: 0.80, tolerance: {absolute: 0.02}}",
        "version: 1",
        "kpis:" if drafts else "kpis: []",
    ]
    for key, name, purpose, measure, channel, action in drafts:
        lines += [f"  - id: {key}", f"    name: {name}", f"    purpose: {purpose}", f"    measure: {measure}"]
        lines += [f"    population: channel = '{channel}'"] if channel and channels != {channel} else []
        lines += [
            f"    levels: [{', '.join(level for level in levels if level != 'queue' or key not in _NO_QUEUE)}]",
            "    frequency: week",
            "    minimum_n: 30",
            "    owner: to be named",
            "    approval: {state: draft}",
            f"    action_after_review: {json.dumps(action, ensure_ascii=False)}",
            "",
        ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _roster(tables: Mapping[str, Path]) -> tuple[list[tuple[Any, ...]], int]:
    """Return agent, team, an empty line manager and first day; and how many are left out."""
    if "contacts" not in tables:
        return [], 0
    connection = engine.connect({"contacts": tables["contacts"]})
    try:
        rows = connection.execute(
            "SELECT agent_id, mode(team ORDER BY team), min(local_date) FROM contacts WHERE agent_id IS NOT NULL "
            "GROUP BY agent_id ORDER BY 2 NULLS LAST, 1"
        ).fetchall()
    finally:
        connection.close()
    listed = [(agent, team or "", "", day.isoformat()) for agent, team, day in rows]
    safe = [row for row in listed if all(safe_cell(value) == value for value in row[:2])]
    return safe, len(listed) - len(safe)

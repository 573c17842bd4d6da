"""The other questions of monitoring: quality, agreement, compliance, complaints, channels, development and more.

Each question is a module with one function, `answer(data)`, that turns contract tables into small frames; a view module
of the same name shows them, and a notebook joins the two. Answers are kept in the cache under a fingerprint of all that
they were made from.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from ccanalysis import engine, sources
from ccanalysis.errors import SettingsError, nearest
from ccanalysis.periods import Kind, Period
from ccanalysis.questions.data import Data, Frame
from ccanalysis.questions.trust import trust
from ccanalysis.results import Results
from ccanalysis.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question of monitoring.

    Attributes:
        name: The module below `ccanalysis.questions` and below `ccanalysis.views`.
        title: What its report is called.
        uses: Every table that it reads.
    """

    name: str
    title: str
    uses: tuple[str, ...]


QUESTIONS: dict[str, Question] = {
    question.name: question
    for question in (
        Question(
            name="quality",
            title="Quality of communication",
            uses=("evaluations", "surveys", "contacts", "activities"),
        ),
        Question(
            name="agreement",
            title="Agreement of evaluators",
            uses=("evaluations", "contacts"),
        ),
        Question(
            name="compliance",
            title="Compliance",
            uses=("contacts", "breaches", "requirements", "evaluations"),
        ),
        Question(
            name="complaints",
            title="Complaints and escalations",
            uses=("complaints", "escalations", "delegations", "contacts", "evaluations", "actions", "agents"),
        ),
        Question(
            name="channels",
            title="Costs and benefits of each medium",
            uses=("contacts", "costs", "surveys", "complaints", "evaluations"),
        ),
        Question(
            name="development",
            title="Development and whether it worked",
            uses=("activities", "evaluations", "contacts", "agents"),
        ),
        Question(
            name="requirements",
            title="Effect of requirements",
            uses=("requirements", "contacts", "breaches"),
        ),
        Question(
            name="review",
            title="Review of the monitoring",
            uses=("contacts", "intervals", "evaluations", "surveys", "actions", "reports"),
        ),
        Question(
            name="voice",
            title="Voice of the customer",
            uses=("surveys", "complaints", "contacts", "agents"),
        ),
    )
}


def question(name: str) -> Question:
    """Return a question by name.

    Raises:
        SettingsError: There is no such question; the nearest is offered.
    """
    if name not in QUESTIONS:
        raise SettingsError(f"there is no question {name!r}", remedy=nearest(name, list(QUESTIONS)))
    return QUESTIONS[name]


@dataclass
class Answer:
    """What is known of one question.

    Attributes:
        facts: `question`, `title`, `since` and `until` (first and last local day looked at), `period` (label of the
            last whole period of its frequency), `absent` (tables that were not given), `trust` (table, rating,
            reasons), `left_out` (table -> periods that are not fit and not looked at).
        frames: Name -> rows.
        keys: Name of the frame -> the columns that say what a row is about; every other one is a figure of it.
    """

    facts: dict[str, Any]
    frames: dict[str, pd.DataFrame]
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Answer:
        """Read an answer from the cache."""
        about = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
        keys = {name: tuple(columns) for name, columns in about.pop("keys").items()}
        return cls(about, {name: pd.read_parquet(folder / f"{name}.parquet") for name in keys}, keys)

    def write(self, folder: Path) -> None:
        """Write the answer into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in self.frames.items():
            frame.to_parquet(folder / f"{name}.parquet", index=False)
        text = json.dumps({**self.facts, "keys": self.keys}, indent=1, sort_keys=True, ensure_ascii=False)
        (folder / "answer.json").write_text(text + "\n", encoding="utf-8")


def as_of(results: Results, every: Kind | None) -> Period:
    """Return the last whole period of a frequency at the end of the period that was judged.

    Args:
        results: The results.
        every: How often the question is asked; as often as the run where None, or where that is rarer.

    Examples:
        A run of the week to 15 November 2026 carries the monthly report on October.
    """
    period = results.period
    if every is None or every == period.kind:
        return period
    last = period.end - timedelta(days=1)
    containing = Period.containing(last, every)
    if containing.start >= period.start and containing.end <= period.end:
        return containing  # a finer one, which ends with the period
    return containing if containing.end == period.end else containing.shift(-1)


def answer(workspace: Workspace, results: Results, name: str, every: Kind | None = None) -> Answer:
    """Answer one question; what the cache has is taken where nothing has changed.

    Args:
        workspace: The workspace.
        results: The uncut results of the period.
        name: A key of `QUESTIONS`.
        every: How often the question is asked.

    Raises:
        SettingsError: There is no such question.
    """
    asked = question(name)
    period = as_of(results, every)
    folder = workspace.cache_path / "answers" / f"{name}-{period.label}-{_fingerprint(results, period)}"
    if folder.is_dir():
        return Answer.read(folder)
    made = _made(workspace, results, asked, period)
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        made.write(aside)
        if not folder.exists():
            aside.replace(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Answer.read(folder)


def attempt(workspace: Workspace, results: Results, name: str, every: Kind | None = None) -> Answer:
    """Answer one question; where that fails, return an answer that says so, so that its report alone is not made.

    Args:
        workspace: The workspace.
        results: The uncut results of the period.
        name: A key of `QUESTIONS`.
        every: How often the question is asked.

    Raises:
        SettingsError: There is no such question.
    """
    asked = question(name)
    try:
        return answer(workspace, results, name, every)
    except Exception as error:
        period = as_of(results, every)
        facts: dict[str, Any] = {
            "question": name,
            "title": asked.title,
            "period": period.label,
            "absent": [],
            "trust": [],
        }
        facts |= {"since": _since(results, workspace, period).isoformat(), "left_out": {}, "notes": []}
        facts |= {"until": (period.end - timedelta(days=1)).isoformat(), "error": type(error).__name__}
        return Answer(facts, {})


def _made(workspace: Workspace, results: Results, asked: Question, period: Period) -> Answer:
    staged = sources.stage(workspace)
    until = period.end
    since = _since(results, workspace, period)
    trusted, left_out = trust(results, asked.uses, tuple(staged.tables), since, until)
    connection = engine.connect(staged.tables)
    try:
        data = Data(
            connection=connection,
            workspace=workspace,
            results=results,
            tables=tuple(staged.tables),
            texts=dict(staged.texts),
            period=period,
            since=since,
            until=until,
            left_out=left_out,
        )
        frames: Mapping[str, Frame] = importlib.import_module(f"ccanalysis.questions.{asked.name}").answer(data)
    finally:
        connection.close()
    facts = {
        "question": asked.name,
        "title": asked.title,
        "since": since.isoformat(),
        "until": (until - timedelta(days=1)).isoformat(),
        "period": period.label,
        "absent": sorted(set(asked.uses) - set(staged.tables)),
        "trust": trusted,
        "left_out": {table: [label for label, _, _ in spans] for table, spans in left_out.items()},
        "notes": list(data.notes),
    }
    return Answer(
        facts,
        {key: frame.rows.reset_index(drop=True) for key, frame in frames.items()},
        {key: tuple(frame.keys) for key, frame in frames.items()},
    )


def _since(results: Results, workspace: Workspace, period: Period) -> date:
    """The first day looked at: as far back as the baseline of the run reaches."""
    days = results.period.days * workspace.baseline_periods
    return max(period.end - timedelta(days=days), date(1900, 1, 1))


def _fingerprint(results: Results, period: Period) -> str:
    package = Path(__file__).parent
    parts = [results.facts["fingerprint"], period.label]
    parts += [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(package.glob("*.py"))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

"""The weekly run: results once, a slice per reader, a page per slice, published whole.

A page that fails is named in the index and stops nothing; where an earlier run of the period made it, that page stays.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Container, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from ccanalysis import __version__, editions, questions, results, text, views
from ccanalysis.display import Item, Note
from ccanalysis.editions import Reader
from ccanalysis.errors import EnvironmentFaultError, ParameterError, SettingsError, nearest
from ccanalysis.periods import Period
from ccanalysis.questions import Answer
from ccanalysis.reports import retrying, summary, tables
from ccanalysis.reports.execute import Job, Outcome, execute
from ccanalysis.reports.index import Entry, render_index
from ccanalysis.reports.parameters import check_parameters, declared
from ccanalysis.reports.publish import Lock, check_target, publish, recover, slug, verify
from ccanalysis.reports.revisions import Revision, earlier, keep, revise, write_issue
from ccanalysis.reports.scratch import clear_stale, new_folder
from ccanalysis.results import Results
from ccanalysis.workspace import ReportPlan, Workspace

Say = Callable[[str], None]
_FOLDERS = {
    "analyst": "data-quality",
    "centre": "centre",
    "quality_lead": "quality-lead",
    "team": "teams",
    "line_manager": "line-managers",
}
_INDEX_AUDIENCE = {"analyst": "data_quality"}
_PRELOAD = ("ccanalysis.views",)


@dataclass
class Run:
    """What a run made.

    Attributes:
        folder: Where the reports are.
        period: The period that was reported on.
        outcomes: One per report.
        seconds: How long each stage of this run took; a stage whose results were at hand is not among them.
        refused: The KPIs of the centre that the gate does not let be judged, each with its reasons.
        revision: Which issue of the period's reports this is, and what it replaces.
        kept: How many reports of an earlier run were kept as they are.
    """

    folder: Path
    period: Period
    outcomes: list[Outcome]
    seconds: Mapping[str, float] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    revision: Revision = field(default_factory=lambda: Revision(1))
    kept: int = 0

    @property
    def failed(self) -> list[Outcome]:
        """The reports that were not made."""
        return [outcome for outcome in self.outcomes if not outcome.ok]

    def lines(self) -> list[str]:
        """Say where the reports are, what failed, and how long each stage took."""
        made, where = len(self.outcomes) - len(self.failed), _shown(self.folder)
        lines = [f"{text.count(made, 'report')} in {where}, begin with {where}/index.html"]
        if not made:
            lines = [f"no report was made; what was in {where} is untouched"]
        lines += [self.revision.line()] if made and self.revision.line() else []
        if self.kept:
            again = text.count(made - self.kept, "report")
            lines.append(f"{again} made again, {text.number(self.kept)} kept as they were")
        lines += [f"not made: {outcome.job.title}: {outcome.error}" for outcome in self.failed]
        lines += [f"not judged: {refused}" for refused in self.refused]
        seconds = ", ".join(f"{name} {seconds:.1f}" for name, seconds in self.seconds.items())
        at_hand = "" if set(results.STAGES) <= set(self.seconds) else " (the rest was at hand from an earlier run)"
        lines.append(f"seconds: {seconds}{at_hand}")
        return lines


def _shown(path: Path) -> str:
    """A path as the user would type it, where it lies below the current folder."""
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)


def run(
    workspace: Workspace,
    period: str | None = None,
    *,
    jobs: int = 1,
    engine: Any = "auto",
    deadline_s: float = 300.0,
    say: Say = lambda line: None,
    detail: Say | None = None,
    bar: bool = False,
    retry: bool = False,
    executor: Executor | None = None,
) -> Run:
    """Make and publish all reports of a period.

    Args:
        workspace: The workspace.
        period: The period's label; the last complete one where not given.
        jobs: How many reports are made at once.
        engine: How notebooks are executed: `auto`, `inprocess` or `kernel`.
        deadline_s: Seconds that one report may take.
        say: Told of each stage.
        detail: Told of each file that is read.
        bar: Whether a progress bar is drawn on stderr.
        retry: Whether reports of an earlier run that are sound are kept, so that only what is missing is made.
        executor: Makes the reports instead of `jobs` threads here: a pool of processes, or a cluster's executor. Its
            workers must see the workspace under the same path; what reports are made from is put into its cache then.

    Returns:
        What was made. Reports that failed are in it; they do not raise.

    Raises:
        CcanalysisError: Settings, input, the machine or another run stand in the way; nothing was published then.
    """
    check_target(workspace.reports_path)
    if period:
        check_target(workspace.reports_path / Period.parse(period).label)
    for plan in workspace.reports:
        check_parameters(notebook_path(workspace, plan.notebook), {"slice_path": "", "period": "", "unit": ""})
    with Lock(workspace.cache_path / "lock"):
        if retry:
            wanted, fingerprint = results.asked(workspace, period, detail=detail)
            retrying.check(workspace.reports_path / wanted.label, fingerprint)
        computed = results.compute(workspace, period, progress=say, detail=detail)
        begin = time.perf_counter()
        target = workspace.reports_path / computed.period.label
        check_target(target)
        elsewhere = workspace.cache_path if executor else None
        for where in {elsewhere, None}:
            clear_stale(where)  # of a run that was killed
        scratch: Path | None = None
        try:
            recover(target)
            revision = revise(workspace, computed, target)
            scratch = new_folder(elsewhere)
            built = scratch / "built"
            planned, answers = _plan(workspace, computed, scratch, say)
            for job, _ in planned:
                job.output.parent.mkdir(parents=True, exist_ok=True)
            kept = retrying.keep(target, built, [job for job, _ in planned]) if retry else {}
            for job, reader in planned:
                if job.key not in kept or job.key in answers:  # the index quotes what a question found
                    editions.write(computed, reader, Path(str(job.parameters["slice_path"])), answers.get(job.key))
            missing = [job for job, _ in planned if job.key not in kept]
            done = _execute(missing, jobs, engine, deadline_s, say, bar=bar, executor=executor) if missing else []
            made = {outcome.job.key: outcome for outcome in done} | kept
            outcomes = [made[job.key] for job, _ in planned]
            if any(outcome.ok for outcome in outcomes) and not (retry and not missing and not verify(target)):
                _finish(workspace, computed, built, target, planned, answers, outcomes, kept, revision)
        except OSError as error:
            raise EnvironmentFaultError(
                f"the reports cannot be made ({error.strerror}); the last good ones are untouched",
                place=target.name,
                remedy="Make room on the disk or correct the permissions, and run again",
            ) from error
        finally:
            if scratch:
                shutil.rmtree(scratch, ignore_errors=True)
    stages = computed.facts["seconds"]
    seconds = {name: stages[name] for name in results.STAGES if name in stages}
    seconds["reports"] = time.perf_counter() - begin
    refused = [f"{row['kpi']}: {row['rating']}: {'; '.join(row['reasons'])}" for _, row in computed.refused.iterrows()]
    return Run(target, computed.period, outcomes, seconds, refused, revision, len(kept))


def notebook_path(workspace: Workspace, name: str) -> Path:
    """Find a notebook by its name below `notebooks/`, or by its path.

    Raises:
        SettingsError: There is none; the nearest is offered.
    """
    stem = name.removesuffix(".ipynb")
    for path in (workspace.notebooks_path / f"{stem}.ipynb", Path(name)):
        if path.suffix == ".ipynb" and path.is_file():
            return path
    known = sorted(path.stem for path in workspace.notebooks_path.glob("*.ipynb"))
    raise SettingsError(f"there is no notebook {Path(name).name!r}", remedy=nearest(Path(stem).name, known))


def _plan(
    workspace: Workspace, computed: Results, scratch: Path, say: Say
) -> tuple[list[tuple[Job, Reader]], dict[str, Answer]]:
    """List the reports with their readers, and answer the questions that some of them are on."""
    planned, answers = [], {}
    if any(plan.question for plan in workspace.reports):
        say("Answering the other questions")
    for plan in workspace.reports:
        answer = questions.attempt(workspace, computed, plan.question, plan.every) if plan.question else None
        for unit in editions.readers(computed, plan.each):
            reader = Reader(plan.audience, unit)
            name = slug(unit, f"{plan.each}:{unit}") if unit else ""
            folder = Path(_FOLDERS[plan.audience]) / name / plan.question
            sliced = scratch / "slices" / folder / plan.notebook
            job = _job(workspace, computed, plan, reader, sliced, scratch / "built", folder, answer)
            planned.append((job, reader))
            if answer is not None:
                answers[job.key] = answer
    return planned, answers


def _job(
    workspace: Workspace,
    computed: Results,
    plan: ReportPlan,
    reader: Reader,
    sliced: Path,
    built: Path,
    folder: Path,
    answer: Answer | None,
) -> Job:
    own = {"analyst": "Data quality", "centre": "KPI performance"}.get(reader.audience, reader.unit)
    title = own if answer is None else answer.facts["title"] + (f": {reader.unit}" if reader.unit else "")
    again = f"Figures again: ccanalysis kpis --period {computed.period.label}"
    if answer is not None:
        again = f"Figures again: ccanalysis run --period {computed.period.label}"
    return Job(
        notebook=notebook_path(workspace, plan.notebook),
        parameters={"slice_path": str(sliced), "period": computed.period.label, "unit": reader.unit},
        output=built / folder / f"{plan.notebook}.html",
        title=title,
        subtitle=workspace.centre.name,
        key=f"{plan.notebook}:{plan.each}:{reader.unit}",
        audience=_INDEX_AUDIENCE.get(plan.audience, plan.audience),
        period=_period(computed) if answer is None else _window(answer),
        footer=(f"Made by ccanalysis {__version__} from data {computed.facts['fingerprint']}.", again),
        home="../" * len(folder.parts) + "index.html",
    )


def _window(answer: Answer) -> str:
    """The days that a question looks at, in words."""
    since, until = (views.common.day(answer.facts[key]) for key in ("since", "until"))
    return f"{since} to {until}"


def _period(computed: Results) -> str:
    """The period in words, with the revision where the report is not the first."""
    about = computed.facts.get("revision")
    return computed.period.text + (f", revision {about['number']}" if about else "")


def _execute(
    jobs: list[Job],
    at_once: int,
    engine: Any,
    deadline_s: float,
    say: Say,
    *,
    bar: bool,
    executor: Executor | None,
) -> list[Outcome]:
    from tqdm import tqdm  # noqa: PLC0415

    say(f"Writing {text.count(len(jobs), 'report')}")
    with tqdm(total=len(jobs), unit="report", file=sys.stderr, disable=not bar, leave=False) as progress:
        return execute(
            jobs,
            jobs_at_once=at_once,
            engine=engine,
            deadline_s=deadline_s,
            progress=lambda outcome: progress.update(),
            preload=_PRELOAD,
            executor=executor,
        )


def _finish(
    workspace: Workspace,
    computed: Results,
    built: Path,
    target: Path,
    planned: list[tuple[Job, Reader]],
    answers: Mapping[str, Answer],
    outcomes: list[Outcome],
    sound: Container[str],
    revision: Revision,
) -> None:
    """Add tables, index and manifest, and put everything in its place."""
    entries, reports = [], []
    for (job, reader), outcome in zip(planned, outcomes, strict=True):
        path = job.output.relative_to(built).as_posix()
        kept = not outcome.ok and (target / path).is_file()
        if kept:
            for file in (target / path).parent.iterdir():  # the page, and the tables that belong to it
                if not (copy := job.output.parent / file.name).exists():
                    shutil.copyfile(file, copy)
            title = f"{job.title}: the page is of an earlier run"
            entries.append(Entry(title=title, audience=job.audience, href=path, headline=""))
        answer = answers.get(job.key)
        headline = ""
        if outcome.ok and answer is None:
            headline = _headline(computed, reader)
        elif outcome.ok:
            headline = views.headline(Results.read(Path(str(job.parameters["slice_path"]))))
        entries.append(
            Entry(
                title=job.title,
                audience=job.audience,
                href=path if outcome.ok else "",
                headline=headline,
                statuses=outcome.statuses,
                ok=outcome.ok,
                error=outcome.error,
            )
        )
        reports.append(
            {"path": path, "title": job.title, "ok": outcome.ok, "error": outcome.error, "earlier": kept}
            | {"audience": reader.audience, "unit": reader.unit}
            | ({"question": answer.facts["question"], "due": _due(answer, computed)} if answer else {})
            | {"recipe": retrying.recipe(job), "statuses": dict(outcome.statuses)}
        )
        if outcome.ok and job.key not in sound:
            if answer is None:
                tables.write(computed, reader, job.output.parent)
            else:
                tables.write_answer(computed, answer, reader, job.output.parent)
            short = summary.to_json(Results.read(Path(str(job.parameters["slice_path"]))))
            (job.output.parent / summary.SUMMARY).write_text(short, encoding="utf-8", newline="")
    # Whoever opens the index sees what the centre's edition shows: no person.
    centre = editions.write(computed, Reader("centre", ""), built.parent / "slices" / "index")
    keep(revision, target, built)
    about = write_issue(workspace, computed, revision, built)
    revised = views.revision_note(centre)
    page = render_index(
        entries,
        title=workspace.centre.name,
        period=_period(computed),
        footer=[f"Made by ccanalysis {__version__} from data {computed.facts['fingerprint']}."],
        notes=[*([revised] if revised else []), views.lead(centre), views.to_do(centre), *_earlier(built)],
    )
    (built / "index.html").write_text(page, encoding="utf-8")
    sources = [
        {
            "source": row["source"],
            "table": row["table"],
            "file": row["file"],
            "sha256": row["sha256"],
            "rows": int(row["read"]),
        }
        for _, row in computed.intake.iterrows()
    ]
    manifest = {
        "centre": workspace.centre.name,
        "period": computed.period.label,
        "version": __version__,
        "fingerprint": computed.facts["fingerprint"],
        **about,
        "reports": reports,
        "sources": sources,
        "counts": {
            table: dict(zip(days["on_date"], days["n_rows"].tolist(), strict=True))
            for table, days in (computed.counts.groupby("table") if len(computed.counts) else ())
        },
    }
    publish(built, target, manifest)


def _due(answer: Answer, computed: Results) -> bool:
    """Tell whether the period of a question ends within the one that was judged; else it is carried on from before."""
    return computed.period.start < Period.parse(answer.facts["period"]).end <= computed.period.end


def _earlier(built: Path) -> list[Note]:
    """Lead to the revisions that are kept."""
    items = [
        Item(text=f"Revision {number}, from data up to {views.common.day(date.fromisoformat(until))}", href=href)
        for number, until, href in earlier(built)
    ]
    return [Note(kind="list", title="Earlier revisions of this period", items=items)] if items else []


def _headline(computed: Results, reader: Reader) -> str:
    """One sentence of a report for the index."""
    if reader.audience == "analyst":
        return views.data_lead(computed).text[0]
    if reader.audience == "line_manager":
        n = int((computed.people["line_manager"] == reader.unit).sum())
        return f"{text.count(n, 'person', 'people').capitalize()}."
    judged = editions.cut(computed, reader)["verdicts"]  # what the reader is not shown is not counted either
    level = "team" if reader.audience == "team" else "centre"
    unit = reader.unit if reader.audience == "team" else "centre"
    own = judged[(judged["level"] == level) & (judged["unit"] == unit)]
    bad = int(own["status"].isin(["missed_real", "cannot_meet"]).sum())
    return "No miss is certain." if bad == 0 else f"{text.count(bad, 'real miss', 'real misses').capitalize()}."


def one(
    workspace: Workspace,
    notebook: str,
    given: Mapping[str, str],
    output: Path | None,
    *,
    engine: Any = "auto",
    deadline_s: float = 300.0,
) -> Path:
    """Make one page from one notebook and return where it is.

    Args:
        workspace: The workspace; the notebook gets its folder as the parameter `workspace`, if it has one.
        notebook: The notebook's path, or its name below `notebooks/`.
        given: Parameters as texts; each is read as the type of the notebook's own default.
        output: The page; the notebook's name with `.html` in the current folder where not given.
        engine: How the notebook is executed.
        deadline_s: Seconds that it may take.

    Raises:
        ParameterError: A parameter is not declared by the notebook, or is of another type.
        ReportError: The notebook did not run to its end.
    """
    from ccanalysis.errors import ReportError  # noqa: PLC0415

    path = notebook_path(workspace, notebook)
    defaults = declared(path)
    parameters = {name: _typed(name, value, defaults.get(name, ""), path) for name, value in given.items()}
    if "workspace" in defaults:
        parameters.setdefault("workspace", str(workspace.root))
    page = output or Path(f"{path.stem}.html")
    page.parent.mkdir(parents=True, exist_ok=True)
    job = Job(
        notebook=path,
        parameters=parameters,
        output=page.resolve(),
        title=given.get("unit") or path.stem.lstrip("0123456789-").replace("-", " ").capitalize(),
        subtitle=workspace.centre.name,
        key=path.stem,
        audience="centre",
        period=given.get("period", ""),
        footer=(f"Made by ccanalysis {__version__}.",),
    )
    outcome = execute([job], engine=engine, deadline_s=deadline_s, preload=_PRELOAD)[0]
    if not outcome.ok:
        error = ReportError(outcome.error, place=path.name)
        error.exit_code = outcome.exit_code
        raise error
    return page


def _typed(name: str, value: str, default: Any, path: Path) -> Any:
    """Read a text of the command line as the type of the notebook's default."""
    if isinstance(default, bool):
        if value.lower() in ("true", "false"):
            return value.lower() == "true"
    elif isinstance(default, (int, float)):
        try:
            return type(default)(value)
        except ValueError:
            pass
    else:
        return value
    words = {bool: "true or false", int: "a whole number", float: "a number"}[type(default)]
    raise ParameterError(f"the parameter {name!r} must be {words}", place=path.name)

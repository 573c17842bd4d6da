"""The command line: arguments in, tables and reports out, and one exit code with one meaning each."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ccanalysis import __version__
from ccanalysis.errors import (
    CcanalysisError,
    EnvironmentFaultError,
    ExitCode,
    LockedError,
    SettingsError,
    nearest,
    place,
)

if TYPE_CHECKING:
    import pandas as pd

    from ccanalysis.periods import Period
    from ccanalysis.results import Results
    from ccanalysis.workspace import Workspace

_CODES = """\
exit codes:
  0  all was made, every gate passed
  1  some reports failed, or a gate refused; the rest was made
  2  a setting, register, parameter or command cannot be followed; nothing was touched
  3  there is no usable input; nothing was published
  4  disk, permission or a missing system part
  5  another run holds the workspace
"""


_ACTIONS = "lint, show, diff or variants"


def _add_register(command: Callable[..., argparse.ArgumentParser], period: Callable[..., None]) -> None:
    """Add the command that asks about the register."""
    governed = command(
        "register",
        "ask what a good KPI must answer, show a card, compare two days, or measure under all definitions",
        "  ccanalysis register lint\n  ccanalysis register show service_level\n"
        "  ccanalysis register diff --from 2026-06-30 --to 2026-07-31\n  ccanalysis register diff ../before/kpis.yml\n"
        "  ccanalysis register variants service_level --level team",
    )
    governed.add_argument("action", choices=("lint", "show", "diff", "variants"), metavar="ACTION", help=_ACTIONS)
    governed.add_argument("name", nargs="?", default="", metavar="NAME", help="a KPI, or for diff an earlier register")
    governed.add_argument("--on", type=_day, metavar="DAY", help="the day to look at, as 2026-11-30 (default: today)")
    governed.add_argument("--from", dest="since", type=_day, metavar="DAY", help="diff: the earlier day")
    governed.add_argument("--to", dest="until", type=_day, metavar="DAY", help="diff: the later day (default: today)")
    governed.add_argument("--strict", action="store_true", help="lint: exit 1 where a question is open")
    period(governed)
    governed.add_argument("--format", choices=("text", "csv", "json"), default="text", help="how rows are written")
    governed.add_argument("--level", metavar="LEVEL", help="variants: only this level")
    governed.add_argument("--unit", metavar="UNIT", help="variants: only this unit")


def _add_suggest(command: Callable[..., argparse.ArgumentParser], period: Callable[..., None]) -> None:
    """Add the command that proposes rules."""
    proposed = command(
        "suggest",
        "propose rules for a table from its history, for review; writes nothing unless told to",
        "  ccanalysis suggest contacts\n  ccanalysis suggest contacts --period 2026-W46 --format json\n"
        "  ccanalysis suggest surveys --write surveys-proposed.json",
    )
    proposed.add_argument("table", metavar="TABLE", help="a contract table, such as contacts")
    period(proposed)
    proposed.add_argument("--format", choices=("text", "json"), default="text", help="a list to read, or a suite")
    proposed.add_argument("--write", type=Path, metavar="FILE", help="write the suite to a new file")


def _add_init(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command that makes a workspace."""
    begin = command(
        "init",
        "make a workspace from exports: mapping, register and roster proposed, data checked, first report written",
        "  ccanalysis init riverside exports/calls.csv --time-zone Europe/London --channel voice\n"
        "  ccanalysis init amazon exports/*.jsonl --time-zone America/Denver --holidays US",
        workspace=False,
    )
    begin.add_argument("name", metavar="NAME", help="the folder to make")
    begin.add_argument("exports", nargs="+", metavar="EXPORT", help="export files; they are copied below it")
    begin.add_argument("--time-zone", required=True, metavar="ZONE", help="the centre's zone, as Europe/London")
    begin.add_argument("--centre", default="", metavar="NAME", help="the centre's name (default: that of the folder)")
    begin.add_argument("--channel", default="", metavar="CHANNEL", help="the medium, where an export does not say it")
    begin.add_argument("--holidays", default="", metavar="NATION", help="whose bank holidays, as GB-ENG")
    begin.add_argument("--no-report", action="store_true", help="make the workspace only")
    begin.add_argument("--no-browser", action="store_true", help="write the first report and do not open it")


def _add_making(added: argparse.ArgumentParser) -> None:
    """Add the options of commands that make reports."""
    added.add_argument(
        "--jobs", type=_positive(int), default=0, metavar="N", help="reports made at once (default: one per core)"
    )
    added.add_argument(
        "--engine", choices=("auto", "inprocess", "kernel"), default="auto", help="how notebooks are executed"
    )
    added.add_argument(
        "--deadline", type=_positive(float), default=300.0, metavar="S", help="seconds that one report may take"
    )


def _add_handing(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands for what becomes of reports and data once a run has ended."""
    deliver = command(
        "deliver",
        "send the reports of a period by mail to those whom the settings name, each of them once",
        "  ccanalysis deliver --dry-run\n  ccanalysis deliver 2026-W46\n"
        "  ccanalysis deliver --to 'Billing lead' --again",
    )
    latest = "the period (default: the latest that has reports)"
    deliver.add_argument("period", nargs="?", default="", metavar="PERIOD", help=latest)
    deliver.add_argument("--dry-run", action="store_true", help="only say what would be sent; nothing is connected to")
    deliver.add_argument("--to", default="", metavar="NAME", help="only this recipient, by name")
    deliver.add_argument("--again", action="store_true", help="also send what was sent before, or may have been")

    serve = command(
        "serve",
        "show the reports on this machine only, until Ctrl+C",
        "  ccanalysis serve\n  ccanalysis serve --port 8800",
    )
    serve.add_argument("--port", type=_port, default=0, metavar="N", help="the port (default: any that is free)")

    purge = command(
        "purge",
        "remove what has been kept long enough, and record what went by which rule",
        "  ccanalysis purge --dry-run\n  ccanalysis purge --before 2026-01-01 --dry-run\n"
        "  ccanalysis purge --before 2026-01-01",
    )
    purge.add_argument("--before", type=_day, metavar="DAY", help="what is older (default: as [retention] says)")
    purge.add_argument("--dry-run", action="store_true", help="only list what would go")
    purge.add_argument("--yes", action="store_true", help="remove without a dry run before")

    subject = command(
        "subject",
        "gather all that is held on one person",
        "  ccanalysis subject A17\n  ccanalysis subject A17 --output request.zip",
    )
    subject.add_argument("agent", metavar="AGENT", help="the person's identifier, as the roster has it")
    subject.add_argument("--output", metavar="PLACE", help="a new folder, or a new file .zip (default: subject here)")


def _add_sources(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command that knows export formats."""
    sources = command(
        "sources",
        "list the export formats that are known, or try a file",
        "  ccanalysis sources\n  ccanalysis sources try exports/calls.csv\n"
        "  ccanalysis sources try exports/contacts.jsonl --write",
    )
    sources.add_argument(
        "action", nargs="?", choices=("list", "try"), default="list", help="list the formats (default), or try FILE"
    )
    sources.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="an export; exit 0 where all of it is known and sound, 1 where something is at fault or to be filled in",
    )
    sources.add_argument("--write", action="store_true", help="append the block to ccanalysis.toml, under a new name")
    sources.add_argument("--time-zone", default="", metavar="ZONE", help="try: the zone of times without an offset")
    sources.add_argument("--channel", default="", metavar="CHANNEL", help="try: the medium, where FILE does not say it")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ccanalysis",
        description="How far contact-centre data can be believed, where the centre stands, and what to improve first.",
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ccanalysis {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, about: str, example: str, *, workspace: bool = True) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            help=about,
            description=about[0].upper() + about[1:] + ".",
            epilog=f"examples:\n{example}\n\n{_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if workspace:
            added.add_argument(
                "--workspace", default=".", metavar="DIR", help="folder with ccanalysis.toml (default: here)"
            )
        return added

    def period(added: argparse.ArgumentParser) -> None:
        added.add_argument(
            "--period",
            default="",
            metavar="P",
            help="2026-W46, 2026-11, 2026-Q4, 2026, 2026-11-12 (default: the last complete)",
        )

    def named(added: argparse.ArgumentParser) -> None:
        about = "the period, as 2026-W46 (default: the last complete)"
        added.add_argument("period", nargs="?", default="", metavar="PERIOD", help=about)

    def rows(added: argparse.ArgumentParser) -> None:
        added.add_argument("--format", choices=("text", "csv", "json"), default="text", help="how rows are written")
        added.add_argument("--kpi", metavar="ID", help="only this KPI")
        added.add_argument("--level", metavar="LEVEL", help="only this level: centre, site, team, queue, ...")
        added.add_argument("--unit", metavar="UNIT", help="only this unit")

    _add_init(command)
    run = command(
        "run",
        "read, check, measure, judge and write the reports of a period",
        "  ccanalysis run\n  ccanalysis run --period 2026-W46\n"
        "  ccanalysis run --workspace examples/nhs111 --period 2016-03",
    )
    period(run)
    run.set_defaults(retry=False)

    retry = command(
        "retry",
        "make the reports of a period that are missing, failed or were changed, and keep the others as they are",
        "  ccanalysis retry\n  ccanalysis retry 2026-W46",
    )
    named(retry)
    retry.set_defaults(retry=True)
    for added in (run, retry):
        _add_making(added)

    _add_handing(command)

    check = command(
        "check",
        "check the data alone; exit 1 where a figure is not fit to use",
        "  ccanalysis check\n  ccanalysis check --format json > checks.json",
    )
    period(check)
    check.add_argument("--format", choices=("text", "csv", "json"), default="text", help="how rows are written")

    _add_suggest(command, period)

    kpis = command(
        "kpis",
        "write the verdicts: KPI by unit for one period",
        "  ccanalysis kpis --level team\n  ccanalysis kpis --kpi service_level --format csv > service_level.csv",
    )
    period(kpis)
    rows(kpis)

    found = command(
        "findings",
        "write what follows from the verdicts, in order of certainty and effect",
        "  ccanalysis findings\n  ccanalysis findings --level team --format json",
    )
    period(found)
    rows(found)

    _add_register(command, period)

    report = command(
        "report",
        "run one notebook into one page",
        "  ccanalysis report 03-team-report -p unit='Billing' -p period=2026-W46 --output billing.html",
    )
    report.add_argument("notebook", metavar="NOTEBOOK", help="a notebook's path, or its name below notebooks/")
    report.add_argument("-p", dest="parameters", action="append", default=[], metavar="NAME=VALUE", help="a parameter")
    report.add_argument("--output", metavar="FILE", help="the page (default: NOTEBOOK.html here)")
    report.add_argument("--engine", choices=("auto", "inprocess", "kernel"), default="auto", help="how it is executed")
    report.add_argument(
        "--deadline", type=_positive(float), default=300.0, metavar="S", help="seconds that it may take"
    )

    sample = command(
        "sample",
        "write the seeded sample centre",
        "  ccanalysis sample\n  ccanalysis sample --output /somewhere/else --seed 7",
    )
    sample.add_argument("--output", metavar="DIR", help="folder to write to (default: data/samples of the workspace)")
    sample.add_argument("--seed", type=int, help="another centre of the same kind")

    _add_sources(command)
    lab = command(
        "lab",
        "open JupyterLab in the workspace, on this machine only",
        "  ccanalysis lab\n  ccanalysis lab --no-browser",
    )
    lab.add_argument("--no-browser", action="store_true", help="only print the address")
    lab.add_argument("--port", type=int, default=8888, metavar="N", help="the port to try first")
    return parser


def _positive(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """Read a number of the command line that must be above zero."""

    def read(given: str) -> Any:
        if kind(given) <= 0:
            raise ValueError
        return kind(given)

    read.__name__ = "number above zero"  # argparse names it in its error
    return read


def _day(given: str) -> date:
    """Read a day of the command line."""
    return date.fromisoformat(given)


def _port(given: str) -> int:
    """Read a port of the command line."""
    if not 0 <= int(given) <= 65_535:
        raise ValueError
    return int(given)


_port.__name__ = "port"
_day.__name__ = "day"  # argparse names it in its error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        return int(_COMMANDS[options.command](options))
    except CcanalysisError as error:
        print(f"ccanalysis: {error}", file=sys.stderr)
        return int(error.exit_code)
    except BrokenPipeError:  # the reader of a pipe went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.ALL_MADE)
    except OSError as error:
        name = Path(error.filename).name if isinstance(error.filename, str) else "a file"
        fault = EnvironmentFaultError(
            f"{name}: {(error.strerror or 'it cannot be used').lower()}", remedy="Check space and permissions"
        )
        print(f"ccanalysis: {fault}", file=sys.stderr)
        return int(fault.exit_code)
    except KeyboardInterrupt:
        print("ccanalysis: stopped; what was published before is untouched", file=sys.stderr)
        return 128 + signal.SIGINT


def _terminated(number: int, frame: Any) -> NoReturn:
    raise SystemExit(128 + number)


def _open(options: argparse.Namespace) -> Workspace:
    from ccanalysis.workspace import Workspace

    return Workspace.open(options.workspace)


def _say(line: str) -> None:
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(clear + line, file=sys.stderr)


def _passing(line: str) -> None:
    """Show a line that the next one takes the place of, where somebody is watching."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K  {line}", end="\r", file=sys.stderr, flush=True)


def _compute(options: argparse.Namespace) -> Results:
    from ccanalysis import results

    workspace = _open(options)
    computed = results.compute(workspace, options.period, progress=_say, detail=_passing)
    warn_of_unapproved(workspace, computed.period)
    return computed


def warn_of_unapproved(workspace: Workspace, period: Period) -> None:
    """Say on stderr which KPIs are printed as experimental, and why."""
    from ccanalysis.kpis import register

    for kpi in register.load(workspace.register_path, workspace.tables).kpis:
        if kpi.approval.state != "retired" and not kpi.approved_on(period.start):
            problem = f"KPI {kpi.id!r} is not approved for {period.label} ({kpi.approval_on(period.start).state})"
            remedy = "It is printed as experimental; write who approved it, and from when, under 'approval'"
            _say(f"ccanalysis: {place('kpis.yml', line=kpi.line)}: {problem}. {remedy}")


def _write(frame: pd.DataFrame, columns: list[str], options: argparse.Namespace) -> None:
    from ccanalysis import export

    for name in ("kpi", "level", "unit"):
        wanted = getattr(options, name, None)
        if wanted and len(frame):
            known = sorted(set(frame[name].astype(str)))
            if wanted not in known:
                from ccanalysis.errors import nearest

                raise SettingsError(f"there is no {name} {wanted!r} in these rows", remedy=nearest(wanted, known))
            frame = frame[frame[name] == wanted]
    sys.stdout.write(export.FORMATS[options.format](frame, columns))


def _run(options: argparse.Namespace) -> ExitCode:
    from ccanalysis.reports.run import run
    from ccanalysis.reports.run_summary import tell_of_error, tell_of_run

    workspace = _open(options)
    try:
        outcome = run(
            workspace,
            options.period or None,
            jobs=options.jobs or os.cpu_count() or 1,
            engine=options.engine,
            deadline_s=options.deadline,
            say=_say,
            detail=_passing,
            bar=sys.stderr.isatty(),
            retry=options.retry,
        )
    except CcanalysisError as error:
        if not isinstance(error, LockedError) and (said := tell_of_error(workspace, error)):
            _say(f"ccanalysis: {said}")
        raise
    warn_of_unapproved(workspace, outcome.period)
    for line in outcome.lines():
        print(line)
    if said := tell_of_run(workspace, outcome):
        _say(f"ccanalysis: {said}")
    return ExitCode.SOME_FAILED if outcome.failed or outcome.refused else ExitCode.ALL_MADE


def _deliver(options: argparse.Namespace) -> ExitCode:
    from ccanalysis.reports import delivery

    parcels = delivery.deliver(
        _open(options),
        options.period,
        dry_run=options.dry_run,
        to=options.to,
        again=options.again,
        tell=lambda parcel: print(parcel.line(), flush=True),
    )
    print(delivery.counted(parcels))
    return ExitCode.ALL_MADE if all(parcel.ok for parcel in parcels) else ExitCode.SOME_FAILED


def _serve(options: argparse.Namespace) -> ExitCode:
    from ccanalysis.reports.serving import ReportServer

    with ReportServer(_open(options), options.port) as server:
        print(server.address, flush=True)
        _say("Ctrl+C ends it")
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
    return ExitCode.ALL_MADE


def _purge(options: argparse.Namespace) -> ExitCode:
    from ccanalysis.reports import purging

    workspace = _open(options)
    items = purging.plan(workspace, options.before, _today(workspace))
    for line in purging.lines(items, workspace.root):
        print(line)
    if options.dry_run:
        purging.look(workspace, items)
    else:
        purging.purge(workspace, items, unseen=options.yes)
        if items:
            print("removed")
    return ExitCode.ALL_MADE


def _subject(options: argparse.Namespace) -> ExitCode:
    from ccanalysis.reports import person

    output = Path(options.output or "subject")
    files = person.subject(_open(options), options.agent)
    person.write(files, output)
    sys.stdout.write(files["about.txt"].decode())
    print(output)
    return ExitCode.ALL_MADE


def _check(options: argparse.Namespace) -> ExitCode:
    from ccanalysis import export

    computed = _compute(options)
    rules = computed.expectations
    columns = ["rule", "table", "verdict", "severity", "outcome", "n", "n_failed", "reason", "remedy"]
    sys.stdout.write(export.FORMATS[options.format](rules, columns))
    for _, row in computed.refused.iterrows():
        _say(f"{row['kpi']}: {row['rating']}: {'; '.join(row['reasons'])}")
    for _, row in computed.overrides.iterrows():
        who = f"override of {row['by']} until {row['expires_on']}: {row['reason']}"
        figure = f"{row['kpi'] or row['rule']}{' of ' + row['unit'] if row['unit'] else ''}"
        _say(f"{figure}: {row['was'] or row['state']}: {'judged by ' if row['state'] == 'used' else ''}{who}")
    return ExitCode.SOME_FAILED if len(computed.refused) else ExitCode.ALL_MADE


def _suggest(options: argparse.Namespace) -> ExitCode:
    import json

    from ccanalysis import results, sources
    from ccanalysis.checks import suggest, suites
    from ccanalysis.periods import Period

    workspace = _open(options)
    if options.table not in workspace.tables:
        raise SettingsError(
            f"there is no contract table {options.table!r}", remedy=nearest(options.table, list(workspace.tables))
        )
    if options.write and options.write.exists():
        raise SettingsError(
            f"{options.write.name} is there already, and proposals never take the place of a file",
            remedy="Name a new file, and move what you accept into the suite by hand",
        )
    rules, _ = suites.load(workspace.suites_path, workspace.tables)
    staged = sources.stage(workspace, progress=_passing)
    proposals = suggest.suggest(
        staged.tables,
        workspace.tables[options.table],
        rules.get(options.table, ()),
        period=Period.parse(options.period) if options.period else results.last_complete(workspace, staged),
        contract=workspace.tables,
    )
    suite = json.dumps(suggest.as_suite(options.table, proposals), indent=2, ensure_ascii=False) + "\n"
    if options.write:
        with options.write.open("x", encoding="utf-8") as file:
            file.write(suite)
    print(suite if options.format == "json" else "\n".join(suggest.lines(proposals)), end="")
    if options.write:
        _say(f"{len(proposals)} proposals are in {options.write.name}; nothing is in force until a suite has them")
    return ExitCode.ALL_MADE


def _kpis(options: argparse.Namespace) -> ExitCode:
    from ccanalysis import export

    workspace = _open(options)
    if workspace.engine.kind != "duckdb":
        from ccanalysis import results

        _write(results.from_warehouse(workspace, options.period), export.VERDICT_COLUMNS, options)
        return ExitCode.ALL_MADE
    _write(_compute(options).verdicts, export.VERDICT_COLUMNS, options)
    return ExitCode.ALL_MADE


def _findings(options: argparse.Namespace) -> ExitCode:
    from ccanalysis import export

    computed = _compute(options)
    _write(export.with_verdicts(computed.findings, computed.verdicts), export.FINDING_COLUMNS, options)
    return ExitCode.ALL_MADE


def _register(options: argparse.Namespace) -> ExitCode:
    if options.action == "diff":
        return _register_diff(options)
    if options.action == "lint":
        return _register_lint(options)
    if not options.name:
        raise SettingsError(f"register {options.action} needs a KPI", remedy="Write its id behind it")
    if options.action == "show":
        return _register_show(options)
    from ccanalysis import results

    frame = results.sensitivity(_open(options), options.name, options.period, progress=_passing)
    columns = ["variant", "own", "level", "unit", "period", "numerator", "denominator", "n", "value", "difference"]
    _write(frame, columns, options)
    return ExitCode.ALL_MADE


def _today(workspace: Workspace) -> date:
    return datetime.now(workspace.centre.zone).date()


def _register_lint(options: argparse.Namespace) -> ExitCode:
    import pandas as pd

    from ccanalysis import export
    from ccanalysis.kpis import register
    from ccanalysis.kpis.lint import lint
    from ccanalysis.workspace import filled_columns

    workspace = _open(options)
    kept = register.load(workspace.register_path, workspace.tables)
    if options.name:
        kept = register.Register((kept[options.name],))
    found = lint(kept, day=options.on or _today(workspace), tables=workspace.tables, filled=filled_columns(workspace))
    refused = sum(one.refused for one in found)
    if options.format == "text":
        for one in found:
            word = "cannot be measured: " if one.refused else ""
            where = place(workspace.register_path.name, line=one.line)
            print(f"{where}: {one.kpi}: {word}{one.asks} {one.found[0].upper()}{one.found[1:]}. {one.remedy}")
        print(f"{len(kept.kpis)} KPIs, {refused} refused, {len(found) - refused} questions open")
    else:
        columns = ["kpi", "line", "refused", "asks", "found", "remedy"]
        rows = pd.DataFrame([vars(one) for one in found], columns=columns)
        sys.stdout.write(export.FORMATS[options.format](rows, columns))
    if refused:
        return ExitCode.WRONG_SETTINGS
    return ExitCode.SOME_FAILED if found and options.strict else ExitCode.ALL_MADE


def _register_show(options: argparse.Namespace) -> ExitCode:
    import pandas as pd

    from ccanalysis import export
    from ccanalysis.kpis import register
    from ccanalysis.kpis.lint import card

    workspace = _open(options)
    kpi = register.load(workspace.register_path, workspace.tables)[options.name]
    rows = card(kpi, options.on or _today(workspace))
    if options.format == "text":
        width = max(len(heading) for heading, _ in rows)
        for heading, said in rows:
            print(f"{heading:<{width}}  {said}")
    else:
        columns = ["field", "says"]
        sys.stdout.write(export.FORMATS[options.format](pd.DataFrame(rows, columns=columns), columns))
    return ExitCode.ALL_MADE


def _register_diff(options: argparse.Namespace) -> ExitCode:
    import pandas as pd

    from ccanalysis import export
    from ccanalysis.kpis import changes, register

    workspace = _open(options)
    until = options.until or options.on or _today(workspace)
    now = register.load(workspace.register_path, workspace.tables)
    before = register.load(Path(options.name), workspace.tables) if options.name else now
    if not options.name and options.since is None:
        raise SettingsError("register diff needs an earlier day or register", remedy="Write --from 2026-06-30")
    since = options.since or until
    if since > until:
        raise SettingsError("the earlier day lies after the later one", remedy="Change --from and --to round")
    found = changes.compare(before, now, since, until)
    columns = ["kpi", "what", "before", "after", "why"]
    if options.format == "text":
        for one in found:
            why = f" ({one['why']})" if one["why"] else ""
            print(f"{one['kpi']}: {one['what']}: {one['before'] or 'nothing'} -> {one['after'] or 'nothing'}{why}")
        print(f"{len(found)} changes from {since.isoformat()} to {until.isoformat()}")
    else:
        sys.stdout.write(export.FORMATS[options.format](pd.DataFrame(found, columns=columns), columns))
    return ExitCode.ALL_MADE


def _report(options: argparse.Namespace) -> ExitCode:
    from ccanalysis.reports.run import one

    parameters = {}
    for given in options.parameters:
        name, equals, value = given.partition("=")
        if not equals:
            raise SettingsError(f"the parameter {given!r} has no value", remedy="Write -p name=value")
        parameters[name] = value
    path = one(
        _open(options),
        options.notebook,
        parameters,
        Path(options.output) if options.output else None,
        engine=options.engine,
        deadline_s=options.deadline,
    )
    print(path)
    return ExitCode.ALL_MADE


def _sample(options: argparse.Namespace) -> ExitCode:
    from ccanalysis import samples

    folder = Path(options.output) if options.output else Path(options.workspace) / "data" / "samples"
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{str(folder)!r} is a file", remedy="Give a folder with --output")
    with contextlib.redirect_stdout(sys.stderr):
        more = {} if options.seed is None else {"seed": options.seed}
        samples.write(folder, **more)
    print(folder)
    return ExitCode.ALL_MADE


def _sources(options: argparse.Namespace) -> ExitCode:
    from ccanalysis import vendors

    if options.action == "list":
        if options.file or options.write:
            raise SettingsError("a list takes no file", remedy="Write ccanalysis sources try FILE")
        sys.stdout.write(vendors.listed())
        return ExitCode.ALL_MADE
    if not options.file:
        raise SettingsError("there is no file to try", remedy="Write ccanalysis sources try FILE")
    from ccanalysis.sources import trying

    trial = trying.try_file(
        Path(options.file), Path(options.workspace), zone=options.time_zone, channel=_channel(options.channel)
    )
    for line in trial.lines():
        print(line)
    if not trial.settings:
        return ExitCode.NO_USABLE_INPUT
    print(f"\nfor {trying.SETTINGS_FILE}:\n\n{trial.settings}", end="")
    if options.write:
        trying.write(trial, Path(options.workspace))
        _say(f"written to {trying.SETTINGS_FILE}")
    if trying.FILL_IN in trial.settings:
        _say(f"ccanalysis: what the file does not say is marked {trying.FILL_IN!r}; put it in before the next run")
    return ExitCode.ALL_MADE if trial.complete else ExitCode.SOME_FAILED


def _channel(name: str) -> str:
    """Return a channel as it was given, or refuse it."""
    from ccanalysis.contracts import CHANNELS
    from ccanalysis.errors import nearest

    if name and name not in CHANNELS:
        raise SettingsError(f"there is no channel {name!r}", remedy=nearest(name, CHANNELS))
    return name


def _init(options: argparse.Namespace) -> ExitCode:
    from ccanalysis import init
    from ccanalysis.workspace import Workspace

    made = init.create(
        Path(options.name),
        [Path(export) for export in options.exports],
        zone=options.time_zone,
        name=options.centre,
        holidays=options.holidays,
        channel=_channel(options.channel),
        say=_say,
    )
    for line in [*made.said, *(f"note: {note}" for note in made.notes)]:
        print(line)
    here = made.folder.as_posix()
    if not made.ready:
        for line in made.open:
            print(f"to fill in: {line}")
        print(f"then: ccanalysis run --workspace {here}")
        return ExitCode.SOME_FAILED
    if options.no_report:
        print(f"next: ccanalysis run --workspace {here}")
        return ExitCode.ALL_MADE
    from ccanalysis.reports.run import run

    done = run(Workspace.open(made.folder), jobs=os.cpu_count() or 1, say=_say)
    for line in done.lines():
        print(line)
    index = done.folder / "index.html"
    if index.is_file() and not options.no_browser and sys.stdout.isatty():
        import webbrowser

        webbrowser.open(index.as_uri())
    return ExitCode.SOME_FAILED if done.failed or done.refused else ExitCode.ALL_MADE


def _lab(options: argparse.Namespace) -> ExitCode:
    from jupyterlab.labapp import LabApp

    workspace = _open(options)
    given = [
        f"--ServerApp.root_dir={workspace.root}",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={options.port}",
        "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        f"--LabApp.app_settings_dir={Path(__file__).parent / 'lab_settings'}",
    ]
    # kernels forked from a warm process, where this machine has that
    os.environ.setdefault("JUPYTER_DEFAULT_PROVISIONER_NAME", "ccanalysis-warm")
    if sys.platform.startswith("linux"):
        from ccanalysis.reports.warm_kernels import WarmProvisioner

        WarmProvisioner.begin()  # warms up while JupyterLab starts
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container there is often nobody else
        given.append("--allow-root")
    LabApp.launch_instance([*given, *(["--no-browser"] if options.no_browser else [])])
    return ExitCode.ALL_MADE


_COMMANDS = {
    "init": _init,
    "run": _run,
    "retry": _run,
    "deliver": _deliver,
    "serve": _serve,
    "purge": _purge,
    "subject": _subject,
    "check": _check,
    "suggest": _suggest,
    "kpis": _kpis,
    "findings": _findings,
    "register": _register,
    "report": _report,
    "sample": _sample,
    "sources": _sources,
    "lab": _lab,
}

if __name__ == "__main__":
    sys.exit(main())

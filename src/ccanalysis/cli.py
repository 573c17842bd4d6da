"""The command line: arguments in, tables and reports out, and one exit code with one meaning each."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ccanalysis import __version__
from ccanalysis.errors import CcanalysisError, EnvironmentFaultError, ExitCode, SettingsError, place

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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ccanalysis",
        description="How far contact-centre data can be believed, where the centre stands, and what to improve first.",
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ccanalysis {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, about: str, example: str) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            help=about,
            description=about[0].upper() + about[1:] + ".",
            epilog=f"examples:\n{example}\n\n{_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
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

    def rows(added: argparse.ArgumentParser) -> None:
        added.add_argument("--format", choices=("text", "csv", "json"), default="text", help="how rows are written")
        added.add_argument("--kpi", metavar="ID", help="only this KPI")
        added.add_argument("--level", metavar="LEVEL", help="only this level: centre, site, team, queue, ...")
        added.add_argument("--unit", metavar="UNIT", help="only this unit")

    run = command(
        "run",
        "read, check, measure, judge and write the reports of a period",
        "  ccanalysis run\n  ccanalysis run --period 2026-W46\n"
        "  ccanalysis run --workspace examples/nhs111 --period 2016-03",
    )
    period(run)
    run.add_argument(
        "--jobs", type=_positive(int), default=0, metavar="N", help="reports made at once (default: one per core)"
    )
    run.add_argument(
        "--engine", choices=("auto", "inprocess", "kernel"), default="auto", help="how notebooks are executed"
    )
    run.add_argument(
        "--deadline", type=_positive(float), default=300.0, metavar="S", help="seconds that one report may take"
    )

    check = command(
        "check",
        "check the data alone; exit 1 where a figure is not fit to use",
        "  ccanalysis check\n  ccanalysis check --format json > checks.json",
    )
    period(check)
    check.add_argument("--format", choices=("text", "csv", "json"), default="text", help="how rows are written")

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

    workspace = _open(options)
    outcome = run(
        workspace,
        options.period or None,
        jobs=options.jobs or os.cpu_count() or 1,
        engine=options.engine,
        deadline_s=options.deadline,
        say=_say,
        detail=_passing,
        bar=sys.stderr.isatty(),
    )
    warn_of_unapproved(workspace, outcome.period)
    for line in outcome.lines():
        print(line)
    return ExitCode.SOME_FAILED if outcome.failed or outcome.refused else ExitCode.ALL_MADE


def _check(options: argparse.Namespace) -> ExitCode:
    from ccanalysis import export

    computed = _compute(options)
    rules = computed.expectations
    columns = ["rule", "table", "verdict", "severity", "outcome", "n", "n_failed", "reason", "remedy"]
    sys.stdout.write(export.FORMATS[options.format](rules, columns))
    for _, row in computed.refused.iterrows():
        _say(f"{row['kpi']}: {row['rating']}: {'; '.join(row['reasons'])}")
    return ExitCode.SOME_FAILED if len(computed.refused) else ExitCode.ALL_MADE


def _kpis(options: argparse.Namespace) -> ExitCode:
    from ccanalysis import export

    _write(_compute(options).verdicts, export.VERDICT_COLUMNS, options)
    return ExitCode.ALL_MADE


def _findings(options: argparse.Namespace) -> ExitCode:
    from ccanalysis import export

    computed = _compute(options)
    _write(export.with_verdicts(computed.findings, computed.verdicts), export.FINDING_COLUMNS, options)
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
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container there is often nobody else
        given.append("--allow-root")
    LabApp.launch_instance([*given, *(["--no-browser"] if options.no_browser else [])])
    return ExitCode.ALL_MADE


_COMMANDS = {
    "run": _run,
    "check": _check,
    "kpis": _kpis,
    "findings": _findings,
    "report": _report,
    "sample": _sample,
    "lab": _lab,
}

if __name__ == "__main__":
    sys.exit(main())

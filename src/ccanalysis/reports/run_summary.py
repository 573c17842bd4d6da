"""A mail to the analyst where a report failed, a gate refused or the whole run stopped: counts, reasons, no person."""

from __future__ import annotations

from pathlib import Path

from ccanalysis import text
from ccanalysis.errors import CcanalysisError
from ccanalysis.reports.execute import Outcome
from ccanalysis.reports.letters import letter, one_line
from ccanalysis.reports.post import NotSentError, Post, UncertainError
from ccanalysis.reports.run import Run
from ccanalysis.workspace import Workspace


def tell_of_run(workspace: Workspace, outcome: Run) -> str:
    """Mail the analyst what failed in a run, where the settings name one and something did.

    Returns:
        What to print of it: that it was mailed, or why it could not be; empty where there was nothing to mail.
    """
    if not outcome.failed and not outcome.refused:
        return ""
    made = len(outcome.outcomes) - len(outcome.failed)
    lines = [f"{text.count(made, 'report')} made, {len(outcome.failed)} not made."]
    if not made:
        lines.append("What was published before is untouched.")
    lines += [f"not made: {_name(one)}: {one.error}" for one in outcome.failed]
    lines += [f"not judged: {refused}" for refused in outcome.refused]
    if outcome.failed:
        lines.append(f"When the cause is mended: ccanalysis retry {outcome.period.label}")
    return _mail(workspace, f"reports of {outcome.period.label}: not all is well", lines)


def tell_of_error(workspace: Workspace, error: CcanalysisError) -> str:
    """Mail the analyst why a whole run stopped, where the settings name one; say what to print of it."""
    return _mail(workspace, "no reports were made", [str(error), f"exit code {int(error.exit_code)}"])


def _name(outcome: Outcome) -> str:
    """Name a report; one that bears the name of a person by its notebook and the code of its folder."""
    job = outcome.job
    if job.audience != "line_manager":
        return job.title
    code = Path(job.output).parent.name.rpartition("-")[2]
    return f"a line manager's report ({job.notebook.stem}, folder ...{code})"


def _mail(workspace: Workspace, subject: str, lines: list[str]) -> str:
    delivery = workspace.delivery
    if delivery is None or not delivery.analyst:
        return ""
    centre = one_line(workspace.centre.name)
    mail = letter(delivery, ("", delivery.analyst), f"{centre}: {subject}", [centre, "", *map(one_line, lines)])
    try:
        with Post(delivery) as post:
            post.send(mail, delivery.analyst)
    except (NotSentError, UncertainError, CcanalysisError) as error:
        return f"the summary could not be mailed to the analyst: {error}"
    return "a summary was mailed to the analyst"

"""The analyst is told by mail where a run did not go well, without a person in it; a mail that fails is said."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ccanalysis.errors import NoInputError
from ccanalysis.periods import Period
from ccanalysis.reports.execute import Job, Outcome
from ccanalysis.reports.run import Run
from ccanalysis.reports.run_summary import tell_of_error, tell_of_run

ANALYST = "analyst@riverside.example"


def outcome(title, audience, *, ok=False, folder="teams/north-0123456789"):
    """Return what became of a report."""
    job = Job(
        notebook=Path("03-team-report.ipynb"),
        parameters={},
        output=Path(folder) / "page.html",
        title=title,
        key=title,
        audience=audience,
    )
    return Outcome(job=job, ok=ok, error="" if ok else "it took longer than 300 s and was stopped")


def run(*outcomes, refused=()):
    """Return a run."""
    return Run(Path("reports/2026-W46"), Period.parse("2026-W46"), list(outcomes), {}, list(refused))


@pytest.fixture
def told(workspace):
    """A workspace whose analyst is told."""
    return workspace("", analyst=f'"{ANALYST}"')


def test_a_run_that_went_well_is_no_news(told, mail):
    """Nothing is sent, nothing is printed."""
    assert tell_of_run(told, run(outcome("North", "team", ok=True))) == ""
    assert mail.connections == 0


def test_what_failed_is_mailed_with_counts_names_and_reasons(told, mail):
    """A report that bears a person's name goes by its notebook and the code of its folder."""
    failed = [
        outcome("North", "team"),
        outcome("Ann Lee", "line_manager", folder="line-managers/ann-lee-0a1b2c3d4e"),
        outcome("South", "team", ok=True),
    ]
    said = tell_of_run(told, run(*failed, refused=["service_level: not fit: rows are missing"]))
    assert said == "a summary was mailed to the analyst"
    [message] = mail.to(ANALYST)
    assert message["Subject"] == "Riverside: reports of 2026-W46: not all is well"
    assert message.get_content().replace("\r\n", "\n") == (
        "Riverside\n\n"
        "1 report made, 2 not made.\n"
        "not made: North: it took longer than 300 s and was stopped\n"
        "not made: a line manager's report (03-team-report, folder ...0a1b2c3d4e): it took longer than 300 s and was "
        "stopped\n"
        "not judged: service_level: not fit: rows are missing\n"
        "When the cause is mended: ccanalysis retry 2026-W46\n"
    )
    assert "ann" not in message.as_string().lower()


def test_a_gate_that_refused_is_reason_enough(told, mail):
    """All reports were made, and a figure is not fit."""
    tell_of_run(told, run(outcome("South", "team", ok=True), refused=["csat: unknown: no rows"]))
    assert "not judged: csat: unknown: no rows" in mail.to(ANALYST)[0].get_content()


def test_a_run_that_stopped_is_told_with_its_exit_code(told, mail):
    """Nobody reads the log of a timer."""
    tell_of_error(told, NoInputError("there is no row in 2026-W47", remedy="Add the export"))
    content = mail.to(ANALYST)[0].get_content()
    assert "there is no row in 2026-W47. Add the export" in content
    assert "exit code 3" in content


def test_without_an_analyst_nobody_is_told(workspace, mail):
    """The setting is not there, or [delivery] is not."""
    assert tell_of_run(workspace(), run(outcome("North", "team"))) == ""
    assert mail.connections == 0


def test_a_mail_that_fails_is_said_and_raises_nothing(workspace, mail):
    """The reason has no address."""
    mail.refused.add(ANALYST)
    said = tell_of_run(workspace("", analyst=f'"{ANALYST}"'), run(outcome("North", "team")))
    assert said == ("the summary could not be mailed to the analyst: the mail server refused the recipient (550)")
    given = {"user": '"NOT_SET_1"', "password": '"NOT_SET_2"'}
    said = tell_of_run(workspace("", analyst=f'"{ANALYST}"', **given), run(outcome("North", "team")))
    assert "the environment variable NOT_SET_1 is not set" in said


@pytest.mark.parametrize("refused", [False, True])
def test_the_command_ends_with_its_own_exit_code_whatever_becomes_of_the_mail(workspace, mail, refused):
    """A run without exports ends with 3, mailed or not, and says which."""
    opened = workspace("", analyst=f'"{ANALYST}"')
    (opened.root / "kpis.yml").write_text("version: 1\nkpis: []\n", encoding="utf-8")
    mail.refused |= {ANALYST} if refused else set()
    done = subprocess.run(
        [sys.executable, "-m", "ccanalysis.cli", "run"],
        cwd=opened.root,
        env={**os.environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode in (2, 3), done.stderr
    word = "the summary could not be mailed to the analyst" if refused else "a summary was mailed to the analyst"
    assert word in done.stderr
    assert len(mail.to(ANALYST)) == (0 if refused else 1)

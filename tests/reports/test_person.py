"""All that is held on one person: every row of theirs, and of nobody else."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import zipfile

import pandas as pd
import pytest

from ccanalysis.errors import NoInputError, SettingsError
from ccanalysis.reports.person import subject, write
from ccanalysis.workspace import Workspace

SETTINGS = """\
[centre]
name = "Riverside"
time_zone = "Europe/London"

[[sources]]
name = "calls"
table = "contacts"
files = "exports/calls.csv"
[sources.columns]
contact_id = "Id"
offered_at = { column = "Offered", format = "iso" }
channel = { value = "voice" }
outcome = { column = "Outcome", codes = { A = "answered" } }
agent_id = "Agent"
customer_id = "Customer"

[[sources]]
name = "roster"
table = "agents"
files = "exports/roster.csv"
[sources.columns]
agent_id = "Agent"
agent_name = "Name"
team = "Team"
line_manager = "Manager"
valid_from = { column = "From", format = "iso" }

[[sources]]
name = "quality"
table = "evaluations"
files = "exports/quality.csv"
[sources.columns]
evaluation_id = "Id"
criterion = { value = "Tone" }
contact_id = "Contact"
evaluated_at = { column = "At", format = "iso" }
source = { value = "peer_observation" }
agent_id = "Agent"
evaluator_id = "By"
points = "Points"

[privacy]
free_text = ["surveys.comment"]

[[sources]]
name = "surveys"
table = "surveys"
files = "exports/surveys.csv"
[sources.columns]
survey_id = "Id"
contact_id = "Contact"
invited_at = { column = "Sent", format = "iso" }
agent_id = "Agent"
comment = "Words"
"""
SURVEYS = """\
Id,Contact,Sent,Agent,Words
S1,C1,2026-04-29T09:00:00Z,KAN-1,Ann was kind
S2,C2,2026-04-29T09:00:00Z,KAN-2,Bob Parrot was kind
"""
CALLS = """\
Id,Offered,Outcome,Agent,Customer
C1,2026-04-27T09:00:00Z,A,KAN-1,CUST-1
C2,2026-04-27T09:05:00Z,A,KAN-2,CUST-2
C3,2026-04-28T09:00:00Z,A,KAN-1,CUST-3
C4,no time,A,KAN-1,CUST-4
C5,no time,A,KAN-2,CUST-5
C6,2026-04-28T10:00:00Z,A,KAN-11,CUST-6
"""
ROSTER = """\
Agent,Name,Team,Manager,From
KAN-1,Ann Canary,North,Max Manager,2026-01-01
KAN-2,Bob Parrot,North,Max Manager,2026-01-01
KAN-11,Cy Finch,North,Max Manager,2026-01-01
"""
QUALITY = """\
Id,Contact,At,Agent,By,Points
V1,C1,2026-04-29T09:00:00Z,KAN-1,KAN-2,4
V2,C2,2026-04-29T10:00:00Z,KAN-2,KAN-1,5
V3,C6,2026-04-29T11:00:00Z,KAN-11,KAN-2,5
"""


@pytest.fixture
def workspace(tmp_path):
    """A small workspace: exports, results and pages with the marks of three people."""
    folder = tmp_path / "centre"
    (folder / "exports").mkdir(parents=True)
    for name, content in (("calls", CALLS), ("roster", ROSTER), ("quality", QUALITY), ("surveys", SURVEYS)):
        (folder / "exports" / f"{name}.csv").write_text(content, encoding="utf-8")
    (folder / "ccanalysis.toml").write_text(SETTINGS, encoding="utf-8")
    kept = folder / ".ccanalysis" / "results" / "2026-W18-abc"
    kept.mkdir(parents=True)
    rows = [("agent", "KAN-1", 1.0), ("agent", "KAN-2", 2.0), ("agent", "KAN-11", 3.0), ("team", "KAN-1", 4.0)]
    pd.DataFrame(rows, columns=["level", "unit", "value"]).to_parquet(kept / "verdicts.parquet")
    issued = folder / "reports" / "2026-W18" / "revisions" / "r1" / "issued"
    issued.mkdir(parents=True)
    pd.DataFrame(rows, columns=["level", "unit", "value"]).to_parquet(issued / "figures.parquet")
    for name, words in (("ann", "Ann Canary"), ("id", "<td>KAN-1</td>"), ("bob", "Bob Parrot"), ("cy", "KAN-11")):
        page = folder / "reports" / "2026-W18" / name / "page.html"
        page.parent.mkdir(parents=True)
        page.write_text(words, encoding="utf-8")
    with zipfile.ZipFile(folder / "reports" / "2026-W18" / "id" / "figures.xlsx", "w") as archive:
        archive.writestr("xl/sheet1.xml", "<t>Ann Canary</t>")
    return Workspace.open(folder)


def rows(files, name):
    """Read one of the files."""
    return list(csv.DictReader(io.StringIO(files[name].decode())))


def test_every_row_of_the_person_is_there(workspace):
    """Contacts, roster, evaluations in both roles, results, rows in quarantine and pages."""
    files = subject(workspace, "KAN-1")
    assert sorted(files) == [
        "about.txt",
        "pages.csv",
        "quarantine.csv",
        "results/2026-W18-abc/verdicts.csv",
        "results/2026-W18/revisions/r1/issued/figures.csv",
        "tables/agents.csv",
        "tables/contacts.csv",
        "tables/evaluations.csv",
        "tables/surveys.csv",
        "tables/surveys__text.csv",
    ]
    assert [row["comment"] for row in rows(files, "tables/surveys__text.csv")] == ["Ann was kind"]
    assert [row["value"] for row in rows(files, "results/2026-W18/revisions/r1/issued/figures.csv")] == ["1"]
    assert [row["contact_id"] for row in rows(files, "tables/contacts.csv")] == ["C1", "C3"]
    assert [row["agent_name"] for row in rows(files, "tables/agents.csv")] == ["Ann Canary"]
    assert [row["evaluation_id"] for row in rows(files, "tables/evaluations.csv")] == ["V1", "V2"]
    assert [row["value"] for row in rows(files, "results/2026-W18-abc/verdicts.csv")] == ["1"]
    [kept_apart] = rows(files, "quarantine.csv")
    assert (kept_apart["source_file"], kept_apart["source_row"]) == ("exports/calls.csv", "5")
    assert [row["file"] for row in rows(files, "pages.csv")] == [
        "2026-W18/ann/page.html",
        "2026-W18/id/figures.xlsx",
        "2026-W18/id/page.html",
    ]


def test_nobody_else_is_in_any_byte_of_it(workspace):
    """Neither another agent, whose identifier begins alike, nor a customer."""
    files = subject(workspace, "KAN-1")
    content = b"\n".join(files.values()).decode()
    for other in ("KAN-2", "KAN-11", "Bob Parrot", "Cy Finch", "CUST-"):
        assert other not in content
    own, role = rows(files, "tables/evaluations.csv")
    assert (own["agent_id"], own["evaluator_id"]) == ("KAN-1", "(another person)")
    assert (role["agent_id"], role["evaluator_id"]) == ("(another person)", "KAN-1")


@pytest.mark.parametrize("agent", ["KAN-3", "KAN", "kan-1", "KAN-1' OR '1'='1", "", "Ann Canary", "%"])
def test_an_unknown_identifier_is_an_error_that_names_nobody(workspace, agent):
    """The command is no way to find out who works here."""
    with pytest.raises(NoInputError) as error:
        subject(workspace, agent)
    assert str(error.value) == (
        "no table and no result holds anything under that identifier. Write it as the roster has it, letter by letter"
    )


def test_only_its_owner_may_read_what_was_gathered(workspace, tmp_path):
    """A folder or an archive; what is there already is not touched."""
    files = subject(workspace, "KAN-1")
    write(files, tmp_path / "folder")
    write(files, tmp_path / "request.zip")
    with zipfile.ZipFile(tmp_path / "request.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files
    found = {p.relative_to(tmp_path / "folder").as_posix() for p in (tmp_path / "folder").rglob("*") if p.is_file()}
    assert found == set(files)
    if os.name == "posix":
        made = [tmp_path / "folder", tmp_path / "request.zip", *(tmp_path / "folder").rglob("*")]
        assert [path for path in made if path.stat().st_mode & 0o077] == []
    for name in ("folder", "request.zip"):
        with pytest.raises(SettingsError, match="is there already"):
            write(files, tmp_path / name)


def test_the_command_says_what_was_found_and_where_it_lies(workspace):
    """Counts on standard output, the place last."""
    done = subprocess.run(
        [sys.executable, "-m", "ccanalysis.cli", "subject", "KAN-1", "--output", "request.zip"],
        cwd=workspace.root,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "tables/contacts.csv: 2 rows\n" in done.stdout
    assert done.stdout.endswith("request.zip\n")

"""`ccanalysis init`: a workspace from exports, with what nothing speaks for left to fill in."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys

import pytest

from ccanalysis import cli
from ccanalysis.errors import NoInputError, SettingsError
from ccanalysis.init import ROSTER, create
from ccanalysis.kpis import register
from ccanalysis.sources import stage
from ccanalysis.workspace import Workspace

from .sources import vendor_exports as made

HEADER = "Call,Date,Offered,Answered,Ended,Queue,Team,Agent,Result,Queue time,Talk time,Hold time,Wrap time\n"
LONDON = {"zone": "Europe/London", "channel": "voice"}


def row(number, agent="H01", team="Harbour", day=13, result="Answered"):
    """Return one call."""
    return f"{number},{day}/02/2026,09:00:00,09:00:12,09:02:12,Orders,{team},{agent},{result},12,0:02:00,0,30\n"


@pytest.fixture
def calls(tmp_path):
    """An export of four calls."""
    path = tmp_path / "calls_2026-02.csv"
    path.write_text(HEADER + "".join(row(n, agent=f"H0{n}") for n in range(1, 5)), encoding="utf-8")
    return path


def tree(folder):
    """Return what lies in a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_workspace_is_ready_where_the_export_says_everything(tmp_path, calls):
    """Settings that can be read, drafts that can be measured, a roster to complete, suites and notebooks."""
    done = create(tmp_path / "riverside", [calls], **LONDON)
    assert done.ready
    workspace = Workspace.open(done.folder)
    assert (workspace.centre.name, workspace.centre.time_zone) == ("riverside", "Europe/London")
    assert int(stage(workspace).intake["kept"].sum()) == 4
    kpis = register.load(workspace.register_path, workspace.tables).kpis
    assert [kpi.id for kpi in kpis] == ["service_level", "abandon_rate", "asa", "aht"]
    assert {kpi.approval.state for kpi in kpis} == {"draft"}
    assert not any(kpi.targets for kpi in kpis)
    with (done.folder / ROSTER).open(encoding="utf-8", newline="") as file:
        listed = list(csv.reader(file))
    assert listed[:2] == [["agent_id", "team", "line_manager", "valid_from"], ["H01", "Harbour", "", "2026-02-13"]]
    assert {"expectations/contacts.json", "notebooks/01-data-quality.ipynb", "exports/calls_2026-02.csv"} <= set(
        tree(done.folder)
    )
    assert not list(tmp_path.glob(".*"))


def test_the_block_of_the_roster_is_right_once_its_marks_are_gone(tmp_path, calls):
    """Whoever completes it only takes the marks away."""
    folder = create(tmp_path / "riverside", [calls], **LONDON).folder
    settings = (folder / "ccanalysis.toml").read_text(encoding="utf-8")
    head, words, block = settings.partition("take these marks away:\n")
    (folder / "ccanalysis.toml").write_text(head + words + block.replace("# ", ""), encoding="utf-8")
    (folder / ROSTER).rename(folder / "roster.csv")
    staged = stage(Workspace.open(folder))
    assert int(staged.intake.set_index("table").loc["agents", "kept"]) == 4


def test_what_the_export_does_not_say_is_left_to_fill_in_by_line(tmp_path, calls, capsys):
    """Without a channel nothing is read, and no register is proposed."""
    code = cli.main(["init", str(tmp_path / "riverside"), str(calls), "--time-zone", "Europe/London"])
    said = capsys.readouterr().out
    assert code == 1
    settings = (tmp_path / "riverside" / "ccanalysis.toml").read_text(encoding="utf-8").splitlines()
    [number] = [number for number, line in enumerate(settings, 1) if "FILL IN" in line]
    assert f"to fill in: ccanalysis.toml:{number}: channel = " in said
    assert said.endswith(f"then: ccanalysis run --workspace {(tmp_path / 'riverside').as_posix()}\n")
    with pytest.raises(SettingsError, match=f"ccanalysis.toml:{number}"):
        Workspace.open(tmp_path / "riverside")


def test_a_vendors_export_is_recognised(tmp_path):
    """Contacts and segments from one file, with nothing to fill in."""
    path = tmp_path / "ctr.jsonl"
    path.write_bytes(made.amazon_file() if isinstance(made.amazon_file(), bytes) else made.amazon_file().encode())
    done = create(tmp_path / "desk", [path], zone="America/Denver")
    assert done.ready
    assert {source.table for source in Workspace.open(done.folder).sources} == {"contacts", "segments"}
    assert done.said[0].startswith("ctr.jsonl: Amazon Connect contact records")


def test_exports_of_one_form_become_one_source_and_others_their_own(tmp_path, calls):
    """Next month's file is found by the same pattern."""
    other = tmp_path / "calls_2026-03.csv"
    other.write_text(HEADER + row(9, day=14), encoding="utf-8")
    chats = tmp_path / "chats.csv"
    chats.write_text("Ticket,Start,Channel,Status\n7,2026-02-13T09:00:00Z,Chat,Answered\n", encoding="utf-8")
    done = create(tmp_path / "riverside", [calls, other, chats], **LONDON)
    sources = Workspace.open(done.folder).sources
    assert [source.files for source in sources] == ["exports/calls*.csv", "exports/chats.csv"]


def test_agents_that_a_spreadsheet_would_run_are_not_listed_and_counted(tmp_path, calls):
    """The roster is opened in one."""
    calls.write_text(HEADER + row(1) + row(2, agent="=1+1") + row(3, team="@x", agent="H09"), encoding="utf-8")
    done = create(tmp_path / "riverside", [calls], **LONDON)
    assert "=1+1" not in (done.folder / ROSTER).read_text(encoding="utf-8")
    assert done.notes == ["2 agents not listed, whose name or team a spreadsheet would run as a formula"]


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        pytest.param({"zone": "London"}, SettingsError, "there is no time zone 'London'. Give an IANA name", id="zone"),
        pytest.param({"exports": ["no.csv"]}, NoInputError, "there is no file 'no.csv'", id="no_file"),
        pytest.param({"exports": ["empty.csv"]}, NoInputError, r"empty.csv: the file is empty \(0 bytes\)", id="empty"),
        pytest.param({"exports": ["one.csv"]}, NoInputError, "the file is no table", id="no_table"),
        pytest.param({"folder": "there"}, SettingsError, "'there' is there and not empty. Name a new", id="taken"),
        pytest.param(
            {"exports": ["calls_2026-02.csv", "sub/calls_2026-02.csv"]},
            SettingsError,
            "two exports are called 'calls_2026-02.csv'",
            id="two_of_one_name",
        ),
    ],
)
def test_what_cannot_be_made_leaves_nothing_behind(tmp_path, calls, change, error, says):
    """Neither a folder nor a half of one."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "sub").mkdir()
    shutil.copy(calls, tmp_path / "sub")
    (tmp_path / "empty.csv").touch()
    (tmp_path / "one.csv").write_text("only\n1\n", encoding="utf-8")
    before = tree(tmp_path)
    exports = [tmp_path / name for name in change.pop("exports", [calls.name])]
    with pytest.raises(error, match=says):
        create(tmp_path / change.pop("folder", "riverside"), exports, **(LONDON | change))
    assert tree(tmp_path) == before


def test_a_mistyped_channel_is_named_with_the_nearest(tmp_path, calls, capsys):
    """It is one of the contract's."""
    arguments = ["init", str(tmp_path / "x"), str(calls), "--time-zone", "Europe/London", "--channel", "voise"]
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err == "ccanalysis: there is no channel 'voise'. Did you mean 'voice'?\n"


def test_the_first_report_is_written_and_needs_no_register_of_anybody(tmp_path, root):
    """From one export to pages in one command."""
    done = subprocess.run(
        [sys.executable, "-m", "ccanalysis.cli", "init", str(tmp_path / "riverside"), "docs/tutorial/calls.csv",
         "--time-zone", "Europe/London", "--channel", "voice"],
        cwd=root, capture_output=True, text=True, check=False, timeout=300, env={**os.environ},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    [index] = (tmp_path / "riverside" / "reports").glob("*/index.html")
    manifest = json.loads((index.parent / "manifest.json").read_text(encoding="utf-8"))
    assert all(report["ok"] for report in manifest["reports"])
    assert f"begin with {index.as_posix()}" in done.stdout

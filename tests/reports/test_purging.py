"""Retention: listed first, removed whole, recorded, and never more than was listed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime

import pytest

from ccanalysis.errors import LockedError, SettingsError
from ccanalysis.reports import purging
from ccanalysis.reports.delivery import published
from ccanalysis.reports.publish import Lock, publish, verify
from ccanalysis.workspace import Workspace

TODAY = date(2026, 11, 23)
SETTINGS = """\
[centre]
name = "Riverside"
time_zone = "Europe/London"

[[sources]]
name = "calls"
table = "contacts"
files = "exports/*.csv"
[sources.columns]
contact_id = "Id"
offered_at = { column = "Offered", format = "iso" }
channel = { value = "voice" }
outcome = { column = "Outcome", codes = { A = "answered" } }
"""
PERIODS = ("2026-W10", "2026-W46", "2026-03", "2026-11-22")


def aged(path, day):
    """Give a file or folder the age of a day."""
    at = datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
    os.utime(path, (at, at))


@pytest.fixture
def workspace(tmp_path):
    """Return a function that opens a workspace of several periods with these rules of retention."""
    folder = tmp_path / "centre"
    (folder / "exports").mkdir(parents=True)
    for name, day in (("old", "2025-01-01"), ("new", "2026-11-20")):
        (folder / "exports" / f"{name}.csv").write_text("Ann Canary", encoding="utf-8")
        aged(folder / "exports" / f"{name}.csv", day)
        (folder / ".ccanalysis" / "staged" / name).mkdir(parents=True)
        (folder / ".ccanalysis" / "staged" / name / "contacts.parquet").write_text("Ann Canary", encoding="utf-8")
        aged(folder / ".ccanalysis" / "staged" / name, day)
    for period in PERIODS:
        built = tmp_path / "built" / period
        built.mkdir(parents=True)
        (built / "index.html").write_text("Ann Canary", encoding="utf-8")
        publish(built, folder / "reports" / period, {"reports": []})
        kept = folder / ".ccanalysis" / "results" / f"{period}-0123abcd"
        kept.mkdir(parents=True)
        (kept / "people.parquet").write_text("Ann Canary", encoding="utf-8")
        sent = folder / ".ccanalysis" / "deliveries" / f"{period}.jsonl"
        sent.parent.mkdir(exist_ok=True)
        sent.write_text("Ann Canary", encoding="utf-8")
    (folder / "reports" / "README.md").write_text("mine", encoding="utf-8")

    def opened(retention=""):
        (folder / "ccanalysis.toml").write_text(SETTINGS + retention, encoding="utf-8")
        return Workspace.open(folder)

    return opened


def named(items):
    """Return kind and name of what is listed."""
    return {(item.kind, item.path.name) for item in items}


OLD = {
    ("staged", "old"),
    ("results", "2026-W10-0123abcd"),
    ("results", "2026-03-0123abcd"),
    ("reports", "2026-W10"),
    ("reports", "2026-03"),
    ("deliveries", "2026-W10.jsonl"),
    ("deliveries", "2026-03.jsonl"),
}


def test_what_is_older_than_a_day_is_listed_and_no_export(workspace):
    """The age of a period is told from its last day; exports stay unless the settings speak of them."""
    opened = workspace()
    assert named(purging.plan(opened, date(2026, 4, 1), TODAY)) == OLD
    assert ("reports", "2026-03") not in named(purging.plan(opened, date(2026, 3, 31), TODAY))


def test_exports_are_listed_only_where_the_settings_say_how_long_they_are_kept(workspace):
    """And then as old as both allow."""
    opened = workspace("\n[retention]\ninputs = 30\n")
    assert ("inputs", "old.csv") in named(purging.plan(opened, date(2026, 4, 1), TODAY))
    assert ("inputs", "new.csv") not in named(purging.plan(opened, TODAY, TODAY))
    assert named(purging.plan(opened, None, TODAY)) == {("inputs", "old.csv")}
    assert not [item for item in purging.plan(opened, date(2024, 1, 1), TODAY) if item.kind == "inputs"]


def test_each_kind_is_kept_as_long_as_the_settings_say(workspace):
    """Kinds without a number are kept."""
    opened = workspace("\n[retention]\nreports = 5\nresults = 240\n")
    assert named(purging.plan(opened, None, TODAY)) == {
        ("reports", "2026-W10"),
        ("reports", "2026-W46"),
        ("reports", "2026-03"),
        ("results", "2026-W10-0123abcd"),
    }


def test_without_a_day_and_without_rules_nothing_goes(workspace):
    """Nothing is removed by default."""
    with pytest.raises(SettingsError, match="nothing says how long files are kept"):
        purging.plan(workspace(), None, TODAY)
    with pytest.raises(SettingsError, match="a day that has not come"):
        purging.plan(workspace(), date(2027, 1, 1), TODAY)


def test_nothing_is_removed_that_a_dry_run_did_not_list(workspace):
    """Not without a dry run, and not where something has changed since."""
    opened = workspace()
    items = purging.plan(opened, date(2026, 4, 1), TODAY)
    with pytest.raises(SettingsError, match="no dry run has listed just what would be removed now"):
        purging.purge(opened, items)
    purging.look(opened, items)
    more = purging.plan(opened, date(2026, 11, 22), TODAY)
    assert len(more) > len(items)
    with pytest.raises(SettingsError, match="no dry run has listed"):
        purging.purge(opened, more)
    purging.purge(opened, items)
    assert purging.plan(opened, date(2026, 4, 1), TODAY) == []


def test_what_goes_is_gone_and_what_stays_is_whole(workspace):
    """Other periods, their manifests, exports and files of somebody's are untouched."""
    opened = workspace()
    items = purging.plan(opened, date(2026, 4, 1), TODAY)
    purging.purge(opened, items, unseen=True)
    assert [item.path for item in items if item.path.exists()] == []
    assert [period.label for period in published(opened)] == ["2026-W46", "2026-11-22"]
    assert verify(opened.reports_path / "2026-W46") == []
    assert (opened.reports_path / "README.md").read_text() == "mine"
    assert len(list((opened.root / "exports").iterdir())) == 2


def test_a_record_says_what_went_when_and_by_which_rule_and_names_nobody(workspace):
    """One line per kind, readable by its owner alone."""
    opened = workspace("\n[retention]\nreports = 200\n")
    purging.purge(opened, purging.plan(opened, None, TODAY), unseen=True)
    path = opened.reports_path / "purged.jsonl"
    [line] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert line.pop("day") and line.pop("bytes") > 0
    assert line == {
        "kind": "reports",
        "rule": "[retention] reports = 200",
        "items": 2,
        "files": 4,
        "periods": ["2026-03", "2026-W10"],
    }
    assert "Canary" not in path.read_text(encoding="utf-8")
    if os.name == "posix":
        assert path.stat().st_mode & 0o077 == 0


def test_after_a_purge_of_everything_nobody_is_found_on_the_disk(workspace):
    """Not in a hidden folder either."""
    opened = workspace("\n[retention]\ninputs = 1\n")
    purging.purge(opened, purging.plan(opened, TODAY, TODAY), unseen=True)
    left = [path for path in opened.root.rglob("*") if path.is_file() and b"Canary" in path.read_bytes()]
    assert left == []


def test_a_purge_that_was_cut_short_is_completed_by_the_next(workspace, monkeypatch):
    """A folder goes in one step, so nobody opens half of it; what is left of it is hidden, and goes next time."""
    opened = workspace()
    items = purging.plan(opened, date(2026, 4, 1), TODAY)
    with monkeypatch.context() as patched:
        patched.setattr(purging, "_remove", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            purging.purge(opened, items, unseen=True)
    purging.purge(opened, purging.plan(opened, date(2026, 4, 1), TODAY), unseen=True)
    assert list(opened.root.rglob(".purging-*")) == []
    assert [item.path for item in items if item.path.exists()] == []


def test_no_purge_while_a_run_is_at_work(workspace):
    """They would take files from each other."""
    opened = workspace()
    items = purging.plan(opened, date(2026, 4, 1), TODAY)
    with Lock(opened.cache_path / "lock"), pytest.raises(LockedError):
        purging.purge(opened, items, unseen=True)
    assert all(item.path.exists() for item in items)


@pytest.mark.parametrize("text", ["reports = 0", "reports = -1", 'reports = "long"', "reprots = 3"])
def test_a_number_of_days_that_is_none_is_refused(workspace, text):
    """With the line."""
    with pytest.raises(SettingsError, match=r"ccanalysis\.toml:\d+"):
        workspace(f"\n[retention]\n{text}\n")


def test_the_command_lists_first_and_then_removes(workspace):
    """Dry run, the same again for real, and nothing left for a third."""
    opened = workspace()

    def asked(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "ccanalysis.cli", "purge", "--before", "2026-04-01", *arguments],
            cwd=opened.root,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return done.returncode, done.stdout.splitlines(), done.stderr

    code, _, said = asked()
    assert code == 2
    assert "Look at it with --dry-run first, or add --yes" in said
    code, listed, _ = asked("--dry-run")
    assert code == 0
    assert "reports: reports/2026-W10: 2 files, " in listed[4] + listed[3]
    assert any(line.startswith("all reports: 4 files, ") and line.endswith(", 2026-03 to 2026-W10") for line in listed)
    assert asked()[1] == [*listed, "removed"]
    assert asked("--yes") == (0, ["nothing has been kept long enough"], "")

"""`ccanalysis retry`: what is missing is made again, what is sound stays, and the whole is that of a clean run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest

from ccanalysis.reports import retrying
from ccanalysis.reports.execute import Job
from ccanalysis.reports.publish import verify

PERIOD = "2026-W46"


@pytest.fixture(scope="module")
def centre(fewer_reports, tmp_path_factory):
    """A copy of the sample centre with eight reports of one week."""
    folder = tmp_path_factory.mktemp("retry") / "centre"
    shutil.copytree(fewer_reports, folder)
    return folder


def command(folder, *arguments):
    """Run `ccanalysis` in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "ccanalysis.cli", *arguments],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def tree(folder):
    """Return the hash of every file by name."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_what_is_missing_failed_or_changed_is_made_and_the_rest_is_kept(centre):
    """A page gone, a table changed, a report that failed, a file too many: the tree is that of a clean run again."""
    published = centre / "reports" / PERIOD
    clean = tree(published)
    gone = next((published / "teams").glob("ely-*")) / "03-team-report.html"
    changed = next((published / "teams").glob("aire-*")) / "verdicts.csv"
    gone.unlink()
    changed.write_text("1", encoding="utf-8")
    (published / "extra.txt").write_text("x", encoding="utf-8")
    manifest = json.loads((published / "manifest.json").read_text(encoding="utf-8"))
    failed = next(report for report in manifest["reports"] if report["title"] == "Taff")
    failed |= {"ok": False, "error": "it took longer than 300 s and was stopped", "earlier": True}
    (published / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    done = command(centre, "retry", PERIOD)
    assert done.returncode == 0, done.stderr
    assert "3 reports made again, 5 kept as they were" in done.stdout
    assert tree(published) == clean


def test_where_nothing_is_missing_nothing_is_written(centre):
    """The folder is not even replaced."""
    published = centre / "reports" / PERIOD
    before = published.stat().st_ino, tree(published)
    done = command(centre, "retry", PERIOD)
    assert done.returncode == 0, done.stderr
    assert "no reports made again, 8 kept as they were" in done.stdout
    assert (published.stat().st_ino, tree(published)) == before


def test_changed_inputs_are_said_and_refused(centre):
    """Old pages beside new ones would not be of one data."""
    published = centre / "reports" / PERIOD
    before = tree(published)
    settings = centre / "ccanalysis.toml"
    kept = settings.read_text(encoding="utf-8")
    try:
        settings.write_text(kept.replace('currency = "GBP"', 'currency = "EUR"'), encoding="utf-8")
        done = command(centre, "retry", PERIOD)
    finally:
        settings.write_text(kept, encoding="utf-8")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "ccanalysis: exports or settings changed since the reports of 2026-W46 were made, so the old ones would not "
        "fit the new. Make all of them again with `ccanalysis run --period 2026-W46`"
    )
    assert tree(published) == before
    assert verify(published) == []


def test_a_remark_or_another_recipient_changes_no_figure_and_is_not_refused(centre):
    """Neither is what the reports are made from."""
    settings = centre / "ccanalysis.toml"
    kept = settings.read_text(encoding="utf-8")
    more = '\n# a remark\n[[recipients]]\nname = "Ops"\naddress = "ops@centre.example"\n'
    try:
        settings.write_text(kept + more, encoding="utf-8")
        done = command(centre, "retry", PERIOD)
    finally:
        settings.write_text(kept, encoding="utf-8")
    assert done.returncode == 0, done.stderr


def job(folder, notebook, **more):
    """Return a job of a notebook."""
    given = {"slice_path": "somewhere", "unit": "North"} | more.pop("parameters", {})
    return Job(notebook=notebook, parameters=given, output=folder / "a" / "page.html", title="North", key="k", **more)


def test_a_report_has_another_recipe_where_anything_but_its_data_differs(tmp_path):
    """Where the slice lies makes no difference; notebook, parameters and what stands around it do."""
    notebook = tmp_path / "n.ipynb"
    notebook.write_text("{}", encoding="utf-8")
    first = retrying.recipe(job(tmp_path, notebook))
    assert retrying.recipe(job(tmp_path, notebook, parameters={"slice_path": "elsewhere"})) == first
    assert retrying.recipe(job(tmp_path, notebook, parameters={"unit": "South"})) != first
    assert retrying.recipe(job(tmp_path, notebook, footer=("x",))) != first
    notebook.write_text("{ }", encoding="utf-8")
    assert retrying.recipe(job(tmp_path, notebook)) != first


@pytest.mark.parametrize("fault", ["no_tree", "no_manifest", "a_manifest_cut_short"])
def test_without_a_sound_manifest_everything_is_made(tmp_path, fault):
    """Nothing is kept of which it is not known whether it is whole."""
    target, built = tmp_path / "reports" / "2026-W46", tmp_path / "built"
    notebook = tmp_path / "n.ipynb"
    notebook.write_text("{}", encoding="utf-8")
    if fault != "no_tree":
        (target / "a").mkdir(parents=True)
        (target / "a" / "page.html").write_text("x", encoding="utf-8")
    if fault == "a_manifest_cut_short":
        (target / "manifest.json").write_text('{"files": [', encoding="utf-8")
    retrying.check(target, "abc")
    assert retrying.keep(target, built, [job(built, notebook)]) == {}


def test_a_link_in_the_place_of_a_page_is_not_kept(tmp_path):
    """What it leads to may change."""
    target, built = tmp_path / "2026-W46", tmp_path / "built"
    notebook = tmp_path / "n.ipynb"
    notebook.write_text("{}", encoding="utf-8")
    for folder in (target, built):
        (folder / "a").mkdir(parents=True)
    page, one = target / "a" / "page.html", job(built, notebook)
    page.write_text("x", encoding="utf-8")
    manifest = {
        "reports": [{"path": "a/page.html", "ok": True, "recipe": retrying.recipe(one), "statuses": {}}],
        "files": [{"path": "a/page.html", "sha256": hashlib.sha256(b"x").hexdigest()}],
    }
    (target / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert list(retrying.keep(target, built, [one])) == ["k"]
    page.rename(tmp_path / "elsewhere.html")
    page.symlink_to(tmp_path / "elsewhere.html")
    assert retrying.keep(target, built, [one]) == {}

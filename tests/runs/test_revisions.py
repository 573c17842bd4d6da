"""Revisions: a week that is corrected after it was issued is issued anew, numbered, and the old report is kept."""

from __future__ import annotations

import hashlib
import html
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from ccanalysis.reports.publish import verify
from ccanalysis.reports.revisions import FIGURES, _compared
from ccanalysis.reports.run import Run

from .conftest import Weir, make

pytestmark = pytest.mark.slow
LATE = "calls_2.csv"


def tree(folder: Path) -> dict[str, str]:
    """Return the digest of every file by name."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def plain(page: Path) -> str:
    """Return what a page says, without markup."""
    written = re.sub(r"<(script|style).*?</\1>", "", page.read_text(encoding="utf-8"), flags=re.S)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", written)))


@dataclass
class Story:
    """A week that was issued, issued again, corrected, run again, and judged by another target."""

    weir: Weir
    runs: list[Run]
    trees: list[dict[str, str]]
    said: list[dict[str, str]]

    def step(self) -> None:
        made = self.weir.run()
        assert made.failed == []
        self.runs.append(made)
        self.trees.append(tree(made.folder))
        self.said.append({p.relative_to(made.folder).as_posix(): plain(p) for p in made.folder.rglob("*.html")})


@pytest.fixture(scope="module")
def story(tmp_path_factory, all_calls) -> Story:
    """Run it once."""
    weir = make(tmp_path_factory.mktemp("revised"), all_calls)
    friday, aire = all_calls["Offered"] >= "2026-11-13", all_calls["Team"] == "Aire"
    late = all_calls[friday & aire].tail(6)
    weir.export("calls_1.csv", all_calls.drop(late.index))
    found = Story(weir, [], [], [])
    found.step()
    found.step()
    corrected = all_calls[(all_calls["Offered"] >= "2026-11-09") & aire & ~friday & (all_calls["Result"] == "A")].head(
        9
    )
    corrected = corrected.assign(Wait=900, Changed="2026-11-14 08:00:00")
    weir.export(LATE, pd.concat([late, corrected]))
    found.step()
    found.step()
    register = weir.root / "kpis.yml"
    register.write_text(register.read_text().replace("team: 0.10}", "team: 0.01}"))
    found.step()
    return found


def manifest(run: Run) -> dict:
    """Read what stands there now."""
    return json.loads((run.folder / "manifest.json").read_text(encoding="utf-8"))


def test_an_identical_run_is_no_revision(story):
    """The same bytes, and no word of a revision; so too for a report that is itself a revision."""
    assert story.trees[1] == story.trees[0]
    assert story.trees[3] == story.trees[2]
    assert [run.revision.number for run in story.runs] == [1, 1, 2, 2, 3]
    assert not any(name.startswith("revisions/") for name in story.trees[0])
    assert not any("evision" in said for said in story.said[0].values())
    assert story.runs[0].revision.line() == ""


def test_the_report_that_is_replaced_is_kept_whole(story):
    """Byte for byte, with its manifest, below the new one; the next revision keeps both."""
    kept = {
        name.removeprefix("revisions/r1/"): digest for name, digest in story.trees[2].items() if "revisions" in name
    }
    assert kept == story.trees[0]
    again = {
        name.removeprefix("revisions/r2/"): d for name, d in story.trees[4].items() if name.startswith("revisions/")
    }
    assert again == story.trees[2]
    folder = story.runs[-1].folder
    assert verify(folder) == verify(folder / "revisions/r2") == verify(folder / "revisions/r2/revisions/r1") == []


def test_the_manifest_numbers_the_revision_and_says_what_it_replaces(story):
    """For whoever keeps the reports."""
    folder = story.runs[-1].folder
    second = json.loads((folder / "revisions/r2/manifest.json").read_text(encoding="utf-8"))
    assert (second["revision"], second["data_until"]) == (2, "2026-11-13")
    assert second["replaces"] == {
        "revision": 1,
        "data_until": "2026-11-13",
        "path": "revisions/r1",
        "reasons": ["1 source file is new", "6 rows of contacts in the period came late", f"New: exports/{LATE}"],
        "figures_changed": second["replaces"]["figures_changed"],
    }
    assert second["replaces"]["figures_changed"] > 0
    third = manifest(story.runs[-1])
    assert third["revision"] == 3
    assert third["replaces"]["reasons"] == ["the KPI register changed"]


def test_every_edition_says_at_its_top_what_it_replaces_and_why(story):
    """Before the lead; the names of files are for those who keep the data."""
    for name, said in story.said[2].items():
        if name.startswith("revisions/"):
            continue
        assert "week 46, Monday 9 to Sunday 15 November 2026, revision 2" in said, name
        assert "Revision 2, from data up to 13 November 2026" in said, name
        assert (
            "This replaces revision 1 of week 46 of 2026, which is kept. Why: 1 source file is new and 6 rows" in said
        )
        assert (LATE in said) == (not name.startswith(("teams", "line-managers"))) or name.startswith("data"), name
        if "/" in name:
            told = said[said.index("Revision 2, from") :]
            assert "Before" in told and told.index("Before") < told.index(
                "In week 46" if "01-" not in name else "Of the"
            )


def test_the_index_leads_to_the_revisions_that_are_kept(story):
    """The latest first; every link leads to a page that is there."""
    folder = story.runs[-1].folder
    page = (folder / "index.html").read_text(encoding="utf-8")
    links = re.findall(r'href="(revisions/[^"]+)"', page)
    assert links == ["revisions/r2/index.html", "revisions/r2/revisions/r1/index.html"]
    assert all((folder / link).is_file() for link in links)
    assert "Revision 1, from data up to 13 November 2026" in page


def test_figures_stand_before_and_after(story):
    """Of the centre, and of each unit to its own readers alone."""
    frames = story.runs[2].revision.changed
    centre = frames[(frames["kpi"] == "service_level") & (frames["level"] == "centre")].iloc[0]
    assert (centre["n_before"], centre["n"]) == (134, 140)
    assert centre["value"] < centre["value_before"]
    assert set(frames.loc[frames["level"] == "team", "unit"]) == {"Aire"}
    pages = {
        name.split("/")[1].split("-")[0]: said for name, said in story.said[2].items() if name.startswith("teams/")
    }
    assert "Calls answered within 20 seconds Aire" in pages["aire"]
    assert "Aire" not in pages["taff"]
    assert "Calls answered within 20 seconds The centre" in pages["taff"]
    managers = {n.split("/")[1].split("-")[0]: s for n, s in story.said[2].items() if n.startswith("line-managers/")}
    assert "Agent a1 (a1)" in managers["marta"] and "a1" not in managers["idris"]
    assert not any(f"Agent {agent}" in said for said in pages.values() for agent in ("a1", "a2", "a3"))


def test_the_command_ends_with_the_number_of_the_revision(story):
    """One line, so that nobody overlooks it."""
    third = story.runs[-1]
    n = third.revision.n_changed
    assert f"revision 3: {n} figures changed since revision 2, which is kept" in third.lines()


def figures(**more) -> pd.DataFrame:
    row = {"kpi": "a", "level": "centre", "unit": "centre", "name": "A", "unit_of_value": "share", "numerator": 1.0}
    row |= {"denominator": 2.0, "certain": True, "value": 0.5, "n": 2.0, "status": "met", "data": "fit"} | more
    return pd.DataFrame([row], columns=FIGURES)


@pytest.mark.parametrize(
    ("more", "changed"),
    [
        ({}, False),
        ({"value": 0.5 + 1e-15}, False),
        ({"value": 0.5000001}, True),
        ({"value": float("nan")}, True),
        ({"status": "missed_chance"}, True),
        ({"data": "caution"}, True),
        ({"numerator": 2.0, "denominator": 4.0, "n": 4.0}, True),
        ({"name": "Another name"}, False),
        ({"unit": "another"}, True),
    ],
)
def test_what_counts_as_another_figure(more, changed):
    """Value, sides, verdict, rating, or a figure that was not there; a name alone is none."""
    assert _compared(figures(), figures(**more))["changed"].any() == changed


def test_nothing_twice_is_the_same():
    """A figure that could not be told stays one."""
    one = figures(value=float("nan"), n=float("nan"))
    assert not _compared(one, one.copy())["changed"].any()

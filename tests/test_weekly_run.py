"""The weekly run on the sample centre, end to end: what is published, that it is repeatable, and whom it shows."""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from ccanalysis.results import Results
from ccanalysis.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
PERIOD = "2026-W46"


def command(folder, *arguments, **environment):
    """Run `ccanalysis` in a folder as a user would."""
    env = {**os.environ, "TMPDIR": str(folder.parent), **environment}
    return subprocess.run(
        [sys.executable, "-m", "ccanalysis.cli", *arguments],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.fixture(scope="module")
def centre(sample_run, tmp_path_factory):
    """A copy of the repository's workspace with its reports of one week, and what the command printed."""
    folder = tmp_path_factory.mktemp("run") / "centre"
    shutil.copytree(sample_run.folder, folder)
    return folder, sample_run.done


@pytest.fixture
def eight(fewer_reports, tmp_path):
    """A copy of the workspace with eight reports of one week."""
    folder = tmp_path / "centre"
    shutil.copytree(fewer_reports, folder)
    return folder


@pytest.fixture(scope="module")
def results(centre):
    """The run's frames."""
    folder, _ = centre
    return Results.read(next((folder / ".ccanalysis" / "results").glob(f"{PERIOD}-*")))


def tree(folder):
    """Return the hash of every published file by name."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_one_report_per_team_and_line_manager_and_one_each_for_centre_and_data(centre):
    """The published tree holds an index, a manifest, and a page per reader."""
    folder, done = centre
    published = folder / "reports" / PERIOD
    pages = [path.relative_to(published).as_posix() for path in published.rglob("*.html")]
    assert sum(page.startswith("teams/") for page in pages) == 6
    assert sum(page.endswith("04-line-manager-report.html") for page in pages) == 6
    assert {"index.html", "centre/02-kpi-performance.html", "data-quality/01-data-quality.html"} <= set(pages)
    plans = Workspace.open(folder).reports
    assert {plan.notebook for plan in plans} >= {path.stem for path in (ROOT / "notebooks").glob("[01]*.ipynb")} - {
        "00-explore"
    }
    assert len(pages) == 1 + sum(1 if plan.each == "centre" else 6 for plan in plans)
    assert "reports/2026-W46/index.html" in done.stdout
    assert re.search(r"seconds: .*read \d+\.\d.*check \d+\.\d.*reports \d+\.\d", done.stdout)


def test_the_manifest_names_every_file_and_every_source(centre):
    """Nothing is published that the manifest does not name, and each export is named with its hash."""
    folder, _ = centre
    published = folder / "reports" / PERIOD
    manifest = json.loads((published / "manifest.json").read_text(encoding="utf-8"))
    there = tree(published)
    there.pop("manifest.json")
    assert {entry["path"]: entry["sha256"] for entry in manifest["files"]} == there
    assert all(report["ok"] for report in manifest["reports"])
    read = {source["file"]: source["sha256"] for source in manifest["sources"]}
    samples = folder / "data" / "samples"
    for path in samples.rglob("calls*.csv"):
        name = next(file for file in read if file.endswith(path.name))
        assert read[name] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_counts_add_up_for_every_file(results):
    """Read = kept + quarantined + duplicates."""
    intake = results.intake
    assert (intake["read"] == intake["kept"] + intake["quarantined"] + intake["duplicates"]).all()
    assert len(results.quarantine) >= intake["quarantined"].sum() > 0


def test_the_same_inputs_give_the_same_bytes(eight):
    """Another time zone, hash seed, number of workers and locale change nothing; what is at hand is not timed."""
    before = tree(eight / "reports" / PERIOD)
    again = command(
        eight, "run", "--period", PERIOD, "--jobs", "1", TZ="Asia/Tokyo", PYTHONHASHSEED="7", LC_ALL="C.UTF-8"
    )
    assert again.returncode == 0, again.stderr
    assert tree(eight / "reports" / PERIOD) == before
    # Results that were at hand took no time; how long they took once is no news.
    assert re.search(
        r"^seconds: read [\d.]+, reports [\d.]+ \(the rest was at hand from an earlier run\)$", again.stdout, re.M
    )


def stands_in(name, content):
    """Tell whether a name is there as a word of its own; most are not there at all, which is quickly seen."""
    return name in content and re.search(rf"\b{re.escape(name)}\b", content) is not None


def test_no_person_stands_in_a_team_report(centre, results):
    """A team report is seen by colleagues: no name and no agent is in any byte of it."""
    folder, _ = centre
    people = results.people
    wanted = [*people["agent_id"], *people["agent_name"].dropna(), *people["line_manager"].dropna().unique()]
    for page in (folder / "reports" / PERIOD / "teams").rglob("*"):
        if page.is_file():
            assert [name for name in wanted if stands_in(name, written_in(page))] == []


def written_in(page):
    """Everything that a file says; a workbook is an archive of texts."""
    if page.suffix != ".xlsx":
        return html.unescape(page.read_text(encoding="utf-8"))
    with zipfile.ZipFile(page) as book:
        return html.unescape("\n".join(book.read(name).decode() for name in book.namelist()))


def test_no_agent_stands_in_the_index(centre, results):
    """It leads to all reports and is opened by many: what to do is told as in the centre's edition."""
    folder, _ = centre
    content = html.unescape((folder / "reports" / PERIOD / "index.html").read_text(encoding="utf-8"))
    people = results.people[results.people["role"] == "agent"]
    assert [name for name in [*people["agent_id"], *people["agent_name"].dropna()] if stands_in(name, content)] == []
    assert "What to do now" in content


def test_no_agent_stands_in_what_the_centre_and_the_quality_lead_are_given(centre, results):
    """Neither on the pages of the questions nor in the tables beside them."""
    folder, _ = centre
    people = results.people[results.people["role"] == "agent"]
    agents = [*people["agent_id"], *people["agent_name"].dropna()]
    for given in ("centre", "quality-lead"):
        for file in (folder / "reports" / PERIOD / given).rglob("*"):
            if file.is_file():
                content = written_in(file)
                assert [name for name in agents if stands_in(name, content)] == [], file


@pytest.mark.parametrize("folder_of", ["teams", "line-managers"])
def test_no_page_for_teams_and_line_managers_defines_a_figure_in_code_or_jargon(centre, folder_of):
    """Formulas of populations and codes of variants stay in the centre's edition."""
    folder, _ = centre
    for page in (folder / "reports" / PERIOD / folder_of).rglob("*.html"):
        written = re.sub(r"<script.*?</script>", "", page.read_text(encoding="utf-8"), flags=re.S)
        content = html.unescape(written)
        told = [word for word in ("SL3", "right-censored", "histogram", "channel = 'voice'") if word in content]
        assert told == [], page.name
    whole = (folder / "reports" / PERIOD / "centre" / "02-kpi-performance.html").read_text(encoding="utf-8")
    assert "channel = 'voice'" in html.unescape(whole)


def test_a_line_manager_sees_only_their_own_people(centre, results):
    """Another team's people stand in no byte of a line manager's report."""
    folder, _ = centre
    people = results.people
    seen = set()
    for page in (folder / "reports" / PERIOD / "line-managers").rglob("*.html"):
        heading = re.search(r"<h1[^>]*>(.*?)</h1>", html.unescape(page.read_text(encoding="utf-8")), re.S)[1]
        manager = re.sub(r"<[^>]+>", "", heading).strip().rpartition(": ")[2]  # behind the name of a question
        own = people["line_manager"] == manager
        assert own.any(), manager
        others = {*people.loc[~own, "agent_id"], *people.loc[~own, "agent_name"].dropna()}
        for file in page.parent.iterdir():
            content = written_in(file) if file.is_file() and file.suffix != ".parquet" else ""
            assert [name for name in others if stands_in(name, content)] == [], file
            seen |= {manager} if any(agent in content for agent in people.loc[own, "agent_id"]) else set()
    assert len(seen) == 6


def test_kpis_are_written_as_rows_for_machines(centre):
    """`--format csv` and `json` give the same rows with the columns that were promised."""
    folder, _ = centre
    asked = ("kpis", "--period", PERIOD, "--level", "team", "--kpi", "service_level", "--format")
    as_json = json.loads(command(folder, *asked, "json").stdout)
    promised = "kpi level unit period numerator denominator value ci_low ci_high target tolerance status variation"
    assert set(promised.split()) | {"assurance", "data", "reasons"} <= set(as_json[0])
    assert len(as_json) == 6
    from io import StringIO

    frame = pd.read_csv(StringIO(command(folder, *asked, "csv").stdout))
    assert frame["numerator"].tolist() == [row["numerator"] for row in as_json]
    for row in as_json:
        assert row["value"] == pytest.approx(row["numerator"] / row["denominator"])


def test_a_broken_report_stops_no_other_and_its_last_good_page_stays(eight):
    """One report raises: the others are made anew, the index names it, the exit code says so."""
    published = eight / "reports" / PERIOD
    before = tree(published)
    notebook = eight / "notebooks" / "03-team-report.ipynb"
    original = notebook.read_text(encoding="utf-8")
    content = json.loads(original)
    content["cells"].append(
        {
            "cell_type": "code",
            "id": "broken",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": "assert team != 'Ely', 'broken on purpose'",
        }
    )
    try:
        notebook.write_text(json.dumps(content), encoding="utf-8")
        done = command(eight, "run", "--period", PERIOD)
    finally:
        notebook.write_text(original, encoding="utf-8")
    assert done.returncode == 1
    assert "not made: Ely" in done.stdout
    after = tree(published)
    broken = [name for name in after if name.startswith("teams/ely")]
    assert {name: after[name] for name in broken} == {name: before[name] for name in broken}  # its tables too
    assert "Ely" in (published / "index.html").read_text(encoding="utf-8")
    manifest = json.loads((published / "manifest.json").read_text(encoding="utf-8"))
    failed = [report for report in manifest["reports"] if not report["ok"]]
    assert [(report["title"], report["earlier"]) for report in failed] == [("Ely", True)]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        pytest.param(
            ("run", "--period", "2031-W01"),
            3,
            "there is no row in 2031-W01. The data end on 2026-11-",
            id="a_period_without_rows",
        ),
        pytest.param(
            ("run", "--period", "2026-W60"),
            2,
            "ccanalysis: there is no period '2026-W60' in the calendar. Give a week as 2026-W46, a month as 2026-11, "
            "a quarter as 2026-Q4, a year as 2026 or a day as 2026-11-12\n",
            id="a_week_that_does_not_exist",
        ),
        pytest.param(
            ("run", "--workspace", "nowhere"),
            2,
            "ccanalysis: there is no folder 'nowhere'. Give the folder of a workspace with --workspace\n",
            id="a_wrong_path",
        ),
        pytest.param(("report", "03-team-report", "-p", "tema=Ely"), 2, "'tema'", id="a_mistyped_parameter"),
        pytest.param(
            ("report", "03-team-report", "-p", "unit=Elly"),
            2,
            "ccanalysis: 03-team-report.ipynb: cell 3, under 'Team report': there is no team 'Elly' in 2026-W46. "
            "Did you mean 'Ely'?\n",
            id="a_mistyped_team",
        ),
        pytest.param(("run", "--deadline", "0"), 2, "invalid number above zero value: '0'", id="no_time_at_all"),
        pytest.param(
            ("report", "03-team-reprt"),
            2,
            "ccanalysis: there is no notebook '03-team-reprt'. Did you mean '03-team-report'?\n",
            id="a_mistyped_notebook",
        ),
        pytest.param(
            ("kpis", "--period", PERIOD, "--kpi", "servce_level"),
            2,
            "ccanalysis: there is no kpi 'servce_level' in these rows. Did you mean 'service_level'?\n",
            id="a_mistyped_kpi",
        ),
    ],
)
def test_a_mistake_is_one_line_with_a_remedy(centre, arguments, code, says):
    """A user's mistake ends with its exit code and one line, never a traceback, and touches no report."""
    folder, _ = centre
    before = tree(folder / "reports" / PERIOD)
    done = command(folder, *arguments)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert tree(folder / "reports" / PERIOD) == before


def test_where_no_report_can_be_made_nothing_is_touched(eight):
    """Every report is too late: the last good tree stays, to the byte."""
    before = tree(eight / "reports" / PERIOD)
    done = command(eight, "run", "--period", PERIOD, "--deadline", "0.001")
    assert done.returncode == 1
    assert done.stdout.startswith(f"no report was made; what was in reports/{PERIOD} is untouched\nnot made: ")
    assert tree(eight / "reports" / PERIOD) == before


def test_a_file_in_the_place_of_the_reports_is_not_replaced(centre):
    """It is somebody's."""
    folder, _ = centre
    place = folder / "reports" / "2026-W45"
    place.write_text("mine", encoding="utf-8")
    done = command(folder, "run", "--period", "2026-W45")
    assert (done.returncode, place.read_text(encoding="utf-8")) == (4, "mine")
    assert "Reading" not in done.stderr  # before any work
    assert "2026-W45: there is a file of this name. Move it, or name another place" in done.stderr
    place.unlink()


def test_a_week_after_the_data_is_refused_before_anything_is_checked(centre):
    """What is read once is known to end too early; minutes of checks would say no more."""
    folder, _ = centre
    done = command(folder, "run", "--period", "2027-W10")
    assert done.returncode == 3
    assert "there is no row in 2027-W10. The data end on 2026-11-14; give an earlier period" in done.stderr
    assert "Checking" not in done.stderr


def test_a_sample_is_not_written_into_a_file(tmp_path):
    """The file is somebody's."""
    place = tmp_path / "notes.txt"
    place.write_text("mine", encoding="utf-8")
    done = command(tmp_path, "sample", "--output", str(place))
    assert (done.returncode, place.read_text(encoding="utf-8")) == (2, "mine")
    assert done.stderr == f"ccanalysis: {str(place)!r} is a file. Give a folder with --output\n"


def test_a_run_of_a_week_that_is_not_fit_says_so(eight):
    """The reports are made and say why; the exit code tells a scheduler that a gate refused."""
    done = command(eight, "run", "--period", "2026-W33")
    assert done.returncode == 1
    assert "reports in reports/2026-W33" in done.stdout
    assert "not judged: service_level: not fit: " in done.stdout


def test_an_unapproved_kpi_is_named_and_printed_as_experimental(centre):
    """The register governs: what nobody approved is marked wherever it stands."""
    folder, done = centre
    assert re.search(
        r"kpis\.yml:\d+: KPI 'acw' is not approved for 2026-W46 \(consulted\)\. It is printed as", done.stderr
    )
    page = (folder / "reports" / PERIOD / "centre" / "02-kpi-performance.html").read_text(encoding="utf-8")
    assert "experimental" in page


def test_a_second_run_at_the_same_time_is_refused(centre):
    """A lock keeps two runs apart: exit code 5, nothing touched."""
    from ccanalysis.reports.publish import Lock

    folder, _ = centre
    before = tree(folder / "reports" / PERIOD)
    with Lock(folder / ".ccanalysis" / "lock"):
        done = command(folder, "run", "--period", PERIOD)
    assert done.returncode == 5, done.stderr
    assert done.stderr.count("\n") <= 2
    assert tree(folder / "reports" / PERIOD) == before


ANSWERS = json.loads((ROOT / "data" / "samples" / "answers.json").read_text(encoding="utf-8"))
JUDGED = [truth for truth in ANSWERS["truths"] if {"status", "variation"} & set(truth["expect"]) and truth["kpi"]]


def units(truth):
    """Return the units of a truth; the centre's own name here is `centre`."""
    given = truth["unit"] if isinstance(truth["unit"], list) else [truth["unit"]]
    return [unit or "centre" for unit in given]


@pytest.mark.parametrize("truth", JUDGED, ids=[truth["id"] for truth in JUDGED])
def test_what_was_planted_is_found(results, truth):
    """The answer sheet says what the product must say of each planted truth in the last week."""
    judged = results.verdicts
    rows = judged[(judged["kpi"] == truth["kpi"]) & (judged["level"] == truth["level"])]
    for unit in units(truth):
        row = rows[rows["unit"] == unit].iloc[0]
        expected = truth["expect"]
        assert {key: row[key] for key in ("status", "variation") if key in expected} == {
            key: expected[key] for key in ("status", "variation") if key in expected
        }
        if expected.get("finding") == "recognise" and row["better"] != "within":
            found = results.findings
            mine = found[(found["kpi"] == truth["kpi"]) & (found["unit"] == unit)]
            assert "recognise" in set(mine["kind"])
        if expected.get("finding") == "development":
            found = results.findings
            mine = found[(found["kpi"] == truth["kpi"]) & (found["unit"] == unit)]
            assert set(mine["tier"]) == {"act"}


# What is said of an action without effect is not that its team meets the target.
NOTHING = [truth for truth in ANSWERS["nothing_here"] if truth["kpi"] and truth["table"] != "actions"]


@pytest.mark.parametrize("truth", NOTHING, ids=[truth["id"] for truth in NOTHING])
def test_where_nothing_is_nothing_is_found(results, truth):
    """No finding calls for action on units that differ from their peers by chance alone."""
    found = results.findings
    blamed = found[
        (found["kpi"] == truth["kpi"])
        & (found["level"] == truth["level"])
        & found["unit"].isin(units(truth))
        & (found["tier"] == "act")
    ]
    assert blamed["sentence"].tolist() == []


def test_the_week_of_the_broken_export_is_not_fit_and_its_neighbours_are(results):
    """Two days are missing and one unit changed in that week: its figures are held back, no other week's are."""
    (broken,) = (truth for truth in ANSWERS["truths"] if truth["id"] == "broken_export")
    week = broken["from_week"]
    ratings = results.ratings[results.ratings["level"] == "centre"]
    for kpi in ("service_level", "aht_chat"):
        own = ratings[ratings["kpi"] == kpi].set_index("period")["rating"]
        assert own[week] == "not fit"
        assert (own.drop(week) != "not fit").all()
    reasons = " ".join(ratings[(ratings["kpi"] == "service_level") & (ratings["period"] == week)]["reasons"].iloc[0])
    assert "daily totals" in reasons


def test_every_bad_row_that_was_planted_is_in_quarantine(results):
    """Each planted row is set apart, by file and row; and none but those is."""
    planted = {(bad["source"], Path(bad["file"]).name, bad["row"]) for bad in ANSWERS["bad_rows"]}
    out = results.quarantine
    found = {
        (source, Path(file).name, int(row))
        for source, file, row in zip(out["source"], out["source_file"], out["source_row"], strict=True)
    }
    assert found == planted


# Words of the trade that a reader of the team's or the line manager's edition has not learnt.
JARGON = (
    "p-value", "q-value", "sigma", "common cause", "special cause", "shrinkage", "shrunken", "FDR", "XmR", "SPC",
    "baseline", "autocorrelation", "lag-1", "confidence interval", "significant", "significance", "regression",
    "percentile",
    "standard deviation", "variance", "control limit", "outlier", "null hypothesis", "placebo", "counterfactual",
    "false discovery", "Benjamini", "Bayes", "prior", "nan", "None",
)  # fmt: skip


@pytest.mark.parametrize("audience", ["team", "line_manager"])
def test_no_sentence_of_the_team_and_line_manager_editions_holds_jargon(results, audience):
    """Findings, what changed, reasons of verdicts, and what became of actions: plain words in every slice."""
    from ccanalysis.editions import Reader, cut, readers

    sentences = 0
    for unit in readers(results, audience):
        frames = cut(results, Reader(audience, unit))
        actions = frames["actions"]
        told = [
            *frames["findings"]["sentence"],
            *frames["changes"]["sentence"],
            *actions["sentence"],
            *(problem for problems in actions["problems"] for problem in problems),
            *(reason for reasons in frames["verdicts"]["reasons"] for reason in reasons),
        ]
        sentences += len(told)
        for word in JARGON:
            pattern = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])", 0 if word == "None" else re.IGNORECASE)
            assert [one for one in told if pattern.search(one)] == []
    assert sentences > 100


@pytest.mark.parametrize(
    ("action", "outcome"),
    [
        ("ACT-02", "no_change"),  # coaching without effect
        ("ACT-03", "worked"),
        ("ACT-04", "worked"),  # improved after coaching
        ("ACT-05", "worked"),
        ("ACT-06", "no_change"),  # moving breaks changed nothing
        ("ACT-07", "cannot_tell"),  # has not begun
        ("ACT-08", "not_judged"),  # dropped
    ],
)
def test_what_became_of_the_planted_actions_is_found(results, action, outcome):
    """Those with an effect worked, those without did not."""
    row = results.actions.set_index("action_id").loc[action]
    assert row["outcome"] == outcome


def test_the_planted_recurring_cause_is_not_called_solved(results):
    """Late refunds came back after the fix: complaints are no lower than before."""
    assert results.actions.set_index("action_id").loc["ACT-01", "outcome"] != "worked"


def test_the_collapse_that_nobody_acts_on_is_said(results):
    """Rhymney has missed its service level for weeks without an action; Ely misses it too, and has one."""
    found = results.findings
    alone = found[(found["kind"] == "not_acted_on") & (found["kpi"] == "service_level")]
    assert alone["unit"].tolist() == ["Rhymney"]


def drivers_of(results, kpi, unit, dimension):
    """Return the parts of a figure by one dimension, by their names."""
    frame = results.drivers
    own = frame[(frame["kpi"] == kpi) & (frame["unit"] == unit) & (frame["dimension"] == dimension)]
    assert len(own) > 1
    return own.set_index("part")


def test_the_parts_of_every_figure_add_up_to_its_gap_and_its_change(results):
    """Of every KPI, the centre and every team, by every dimension: to the values that the verdicts have."""
    frame = results.drivers
    whole = results.verdicts.set_index(["kpi", "level", "unit"])
    groups = frame.groupby(["kpi", "level", "unit", "dimension"])
    assert len(groups) > 150
    for (kpi, level, unit, _), own in groups:
        row = whole.loc[kpi, level, unit]
        size = max(abs(row["value"]), 1.0) * 1e-9
        assert own["gap"].sum(skipna=False) == pytest.approx(row["value"] - own["bound"].iloc[0], abs=size, nan_ok=True)
        if own["total_before"].notna().all():
            assert own["change"].sum() == pytest.approx(row["value"] - row["previous"], abs=size)
    assert not set(results.verdicts.query("status == 'not_judged' and level == 'centre'")["kpi"]) & set(
        frame.query("level == 'centre'")["kpi"]
    )


def test_the_planted_teams_and_queues_are_named_as_drivers_and_by_the_right_half(results):
    """Ely and Rhymney make the centre miss; Aire is slow in one queue; Rhymney is given more of the slow queue."""
    teams = drivers_of(results, "service_level", "centre", "team")
    assert set(teams.index[teams["gap_driver"]]) == {"Ely", "Rhymney"}
    aire = drivers_of(results, "aht_voice", "Aire", "queue")
    assert aire.index[aire["others_driver"]].tolist() == ["Technical"]
    assert aire["others_rate_driver"].all() and not aire["others_mix_driver"].any()
    rhymney = drivers_of(results, "aht_voice", "Rhymney", "queue")
    assert rhymney["others_mix_driver"].all() and not rhymney["others_rate_driver"].any()
    assert rhymney["mix_total_others"].iloc[0] > 15
    assert not rhymney["others_driver"].any()


def test_no_driver_is_named_of_what_differs_by_chance_alone(results):
    """Transfers, satisfaction and quality are alike everywhere in the last weeks."""
    frame = results.drivers
    alike = frame[frame["kpi"].isin(["transfer_rate", "csat", "qa_score", "identity_validation"])]
    assert alike["kpi"].nunique() == 4
    assert not alike[["gap_driver", "change_driver", "mix_driver"]].any(axis=None)


def test_the_figures_are_shown_under_every_published_definition_of_them(results):
    """The register's own gives the figure of the verdict; service level has six, and they differ."""
    found = results.sensitivity
    centre = results.verdicts[results.verdicts["level"] == "centre"].set_index("kpi")["value"]
    own = found[found["own"]].set_index("kpi")["value"]
    assert {"service_level", "abandon_rate", "fcr", "qa_score"} <= set(own.index)
    pd.testing.assert_series_equal(own, centre.reindex(own.index), check_names=False)
    levels = found[found["kpi"] == "service_level"]
    assert len(levels) == 6 and levels["value"].nunique() > 3
    assert (levels["difference"] == levels["value"] - own["service_level"]).all()

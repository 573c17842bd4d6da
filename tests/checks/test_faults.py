"""What goes wrong with data, suites and the run itself, and what is said of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from ccanalysis import engine
from ccanalysis.checks import check, failing_rows, failing_rules, gate
from ccanalysis.contracts import TABLES

from .conftest import BASELINE, CENTRE, PERIOD, SUITES, write

NOW = PERIOD.label
WAIT = {"kpi": "asa", "table": "contacts", "columns": ("wait_s", "outcome")}
TALK = {"kpi": "aht", "table": "contacts", "columns": ("talk_s", "outcome")}


def run(folder: Path, frames: dict[str, pd.DataFrame], *, suites: Path | None = None, **more):
    """Check frames against the contacts suite alone, or the suites of a folder."""
    if suites is None:
        suites = folder / "expectations"
        suites.mkdir(exist_ok=True)
        shutil.copy(SUITES / "contacts.json", suites)
    staged = folder / "staged"
    staged.mkdir(exist_ok=True)
    tables = {name: write(frame, TABLES[name], staged) for name, frame in frames.items()}
    more = {"period": PERIOD, "centre": CENTRE, "baseline": BASELINE} | more
    return check(tables, suites, **more), tables


def this_week(frame: pd.DataFrame) -> pd.Index:
    return frame.index[pd.to_datetime(frame["local_date"]) >= pd.Timestamp(PERIOD.start)]


def outcomes(checked) -> dict[str, str]:
    return dict(zip(checked.expectations["rule"], checked.expectations["outcome"], strict=True))


def rated(checked, *reads: dict, level: str = "centre", unit: str = "") -> dict[str, tuple]:
    found = gate(checked, pd.DataFrame(list(reads)))
    found = found[(found["period"] == NOW) & (found["level"] == level) & (found["unit"] == unit)]
    return {row.kpi: (row.rating, row.reasons) for row in found.itertuples()}


@pytest.fixture(scope="module")
def dirty(frames, tmp_path_factory):
    """A week in which one team's data is broken in several ways, with canaries where people's data is."""
    frame = frames["contacts"].copy()
    north = [row for row in this_week(frame) if frame.loc[row, "team"] == "North"]
    answered = [row for row in north if frame.loc[row, "outcome"] == "answered"]
    frame.loc[answered[:20], "ended_at"] = frame.loc[answered[:20], "answered_at"] - pd.Timedelta(seconds=9)
    frame.loc[answered[20:40], "agent_id"] = "CANARY-agent"
    frame.loc[north, "customer_id"] = "CANARY-customer"
    frame.loc[north[:2], "contact_id"] = "CANARY-contact"
    frame.loc[north[5], "queue"] = " CANARY-queue"
    frame.loc[north[6], ["offered_at", "local_date"]] = [None, None]
    folder = tmp_path_factory.mktemp("dirty")
    return run(folder, {"contacts": frame, "agents": frames["agents"]})


def test_great_expectations_and_the_history_agree_on_the_period(dirty):
    """The same thresholds on the same predicates: one answer."""
    checked, _ = dirty
    now = checked.by_period[(checked.by_period["period"] == NOW) & (checked.by_period["level"] == "centre")]
    history = dict(zip(now["rule"], now["outcome"], strict=True))
    assert outcomes(checked) == history
    assert list(history.values()).count("failed") >= 6


def test_a_failure_is_said_in_plain_words_with_its_size(dirty):
    """How many of how many, and what is wrong with them."""
    checked, _ = dirty
    said = checked.expectations.set_index("rule")["reason"]
    assert said["contacts.order_ended"] == "20 of 270 contacts (7.4 %) ended before they were answered"
    assert said["contacts.key_unique"] == "2 of 300 contacts (0.7 %) repeat the key of another row"
    assert said["contacts.outcome_known"] == "None of 300 contacts have an outcome outside the closed list"


def test_a_row_that_no_day_places_is_looked_at_with_the_period(dirty):
    """It must not go unseen because no period claims it."""
    checked, _ = dirty
    found = checked.expectations.set_index("rule").loc["contacts.offered_at_given"]
    assert (found["outcome"], found["n"], found["n_failed"]) == ("failed", 300, 1)


def test_a_team_is_not_blamed_for_another(dirty):
    """The same thresholds for each team, on its own rows."""
    checked, _ = dirty
    ended = {"kpi": "duration", "table": "contacts", "columns": ("ended_at",)}
    assert rated(checked, ended, level="team", unit="North")["duration"][0] == "not fit"
    assert rated(checked, ended, level="team", unit="South")["duration"] == ("fit", ())


def test_no_cell_value_leaves_the_check(dirty):
    """References only: files, row numbers, rules, units and counts."""
    checked, _ = dirty
    ratings = gate(checked, pd.DataFrame([WAIT, TALK]))
    frames = [checked.expectations, checked.by_period, checked.coverage, pd.read_parquet(checked.failures), ratings]
    assert [frame.to_csv().count("CANARY") for frame in frames] == [0] * len(frames)


def test_failing_rows_are_those_of_the_rules_on_the_columns(dirty):
    """All rows against clean rows: the rows to leave out, each once."""
    checked, tables = dirty
    assert failing_rules(checked, "contacts", ["queue"]) == ("contacts.key_unique",)
    assert "contacts.queue_trimmed" in failing_rules(checked, "contacts", ["queue"], severities=("block", "note"))
    with engine.connect(tables, folders=[checked.failures.parent]) as connection:
        bad = failing_rows(connection, checked, "contacts", ["ended_at"])
        assert bad.columns == ["source_file", "source_row"]
        assert len(bad) == len(bad.distinct())
        bad.create_view("bad")
        left = connection.sql(
            "SELECT contacts.* FROM contacts ANTI JOIN bad USING (source_file, source_row) WHERE ended_at < answered_at"
        )
        assert len(left) == 0


@pytest.fixture(scope="module")
def early(frames, tmp_path_factory):
    """An export that was taken on the Thursday, with one row dated next year and a column that was never exported."""
    frame = frames["contacts"]
    frame = frame[frame["offered_at"] < pd.Timestamp("2026-11-12 12:00", tz="UTC")].copy()
    frame.loc[frame.index[7], ["offered_at", "local_date"]] = [
        pd.Timestamp("2027-01-04 09:00", tz="UTC"),
        pd.Timestamp("2027-01-04").date(),
    ]
    frame = frame.drop(columns="acw_s")
    taken = datetime(2026, 11, 12, 12, tzinfo=UTC)
    return run(tmp_path_factory.mktemp("early"), {"contacts": frame}, as_of=taken)


def test_an_export_from_before_the_end_of_the_period_is_not_settled(early):
    """What is still to come is not in it."""
    checked, _ = early
    assert outcomes(checked)["contacts.period_settled"] == "failed"
    now = checked.coverage[(checked.coverage["period"] == NOW) & (checked.coverage["level"] == "centre")].iloc[0]
    assert (now["days_expected"], now["days_present"], now["settled"]) == (5, 4, False)
    assert now["reason"] == "1 of 5 open days has no rows"


def test_a_row_dated_after_the_export_was_taken_is_in_the_future(early):
    """Wherever it lies, for it is missing from its own period."""
    checked, _ = early
    found = checked.expectations.set_index("rule").loc["contacts.offered_at_future"]
    assert (found["outcome"], found["n_failed"]) == ("failed", 1)


def test_a_figure_on_a_column_that_was_never_exported_is_unknown(early):
    """Not zero, and not fit because no rule had anything to object to."""
    checked, _ = early
    acw = {"kpi": "acw", "table": "contacts", "columns": ("acw_s", "outcome")}
    rating, reasons = rated(checked, acw)["acw"]
    assert rating == "unknown"
    assert "The export has no 'acw_s', which this figure reads" in reasons
    assert rated(checked, WAIT)["asa"][0] != "unknown"


def test_without_a_roster_the_agents_are_not_looked_up_and_figures_stand(early):
    """A table that only helps to check is no table that a figure reads."""
    checked, _ = early
    found = checked.expectations.set_index("rule").loc["contacts.agent_listed"]
    assert (found["outcome"], found["cause"]) == ("not assessed", "nothing")
    assert found["reason"].endswith("was not assessed: the table 'agents' is absent")


def test_a_table_without_rows_passes_nothing(frames, tmp_path):
    """No row is no evidence."""
    checked, _ = run(tmp_path, {"contacts": frames["contacts"].head(0)})
    assert set(outcomes(checked).values()) == {"not assessed"}
    assert rated(checked, WAIT)["asa"][0] == "unknown"
    assert rated(checked, WAIT)["asa"][1][0] == "There are no rows in 'contacts'"


def test_an_empty_suite_passes_nothing(frames, tmp_path):
    """No rule is no evidence either."""
    suites = tmp_path / "expectations"
    suites.mkdir()
    (suites / "contacts.json").write_text('{"name": "contacts", "expectations": []}')
    checked, _ = run(tmp_path, {"contacts": frames["contacts"]}, suites=suites)
    rating, reasons = rated(checked, WAIT)["asa"]
    assert rating == "unknown"
    assert set(reasons) == {
        "No rule looked at whether what this figure reads is right",
        "No rule looked at whether the data is fit for this question",
        "No rule looks at 'outcome', which this figure reads",
        "No rule looks at 'wait_s', which this figure reads",
    }


def test_a_rule_that_raises_is_not_assessed_and_takes_no_other_along(frames, tmp_path):
    """The figure that it concerns is unknown; its neighbours are rated as ever."""
    suites = tmp_path / "expectations"
    suites.mkdir()
    suite = json.loads((SUITES / "contacts.json").read_text())
    broken = next(one for one in suite["expectations"] if one["meta"]["id"] == "contacts.wait_s_range")
    broken["kwargs"] = {"column": "queue", "min_value": 0}  # a text compared with a number
    (suites / "contacts.json").write_text(json.dumps(suite))
    checked, _ = run(tmp_path, {"contacts": frames["contacts"], "agents": frames["agents"]}, suites=suites)
    found = checked.expectations.set_index("rule").loc["contacts.wait_s_range"]
    assert (found["outcome"], found["cause"]) == ("not assessed", "error")
    assert found["reason"] == (
        "Whether any of the contacts have a wait_s that cannot be was not assessed: it raised InvalidColumnTypeError"
    )
    others = {rule: outcome for rule, outcome in outcomes(checked).items() if rule != "contacts.wait_s_range"}
    assert "failed" not in others.values()
    assert set(checked.expectations.loc[checked.expectations["cause"] == "error", "rule"]) == {"contacts.wait_s_range"}
    found = gate(checked, pd.DataFrame([WAIT, TALK]))
    ratings = found[found["level"] == "centre"].groupby("kpi")["rating"].agg(set).to_dict()
    assert ratings == {"asa": {"unknown"}, "aht": {"fit"}}


def test_an_independent_count_that_differs_makes_figures_not_fit(frames, tmp_path):
    """The strong form of accuracy: somebody else counted too. A total of one site blames its teams alone."""
    totals = frames["contacts"].groupby(["local_date", "channel", "site"], as_index=False).size()
    totals = totals.rename(columns={"local_date": "on_date", "size": "n_offered"})
    off = (totals["site"] == "Leeds") & (pd.to_datetime(totals["on_date"]) == pd.Timestamp(PERIOD.start))
    totals.loc[off, "n_offered"] += 10
    totals = totals.assign(source_file="switch.csv", source_row=range(len(totals)))
    tables = {"contacts": frames["contacts"], "control_totals": totals}
    checked, _ = run(tmp_path, tables)
    rating, reasons = rated(checked, WAIT)["asa"]
    assert rating == "not fit"
    assert reasons[0].endswith("independent daily totals (6.7 %) differ from what this table has by more than 10 %")
    assert rated(checked, WAIT, level="team", unit="North")["asa"][0] == "not fit"
    assert rated(checked, WAIT, level="team", unit="South")["asa"][0] == "fit"


SCRIPT = """
import sys
from pathlib import Path
import pandas as pd
from tests.checks.conftest import CENTRE, PERIOD, SUITES, agents, write
from ccanalysis.contracts import TABLES
import ccanalysis.checks
assert "great_expectations" not in sys.modules, "imported with the package"
folder = Path(sys.argv[1])
tables = {"agents": write(agents(), TABLES["agents"], folder)}
found = ccanalysis.checks.check(tables, SUITES, period=PERIOD, centre=CENTRE, baseline=2)
print(found.expectations["outcome"].eq("passed").sum() > 10)
"""


def test_a_run_says_nothing_of_its_own_and_leaves_nothing_behind(tmp_path):
    """No progress bar, no log, no warning, no leak at exit, no temporary folder."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": "src", "TMPDIR": str(scratch)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
    assert list(scratch.iterdir()) == []

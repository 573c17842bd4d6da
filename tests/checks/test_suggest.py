"""Rules proposed from history: borne out by it, reviewed by nobody yet, and worth something when a week is spoiled."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from ccanalysis.checks import check, suggest, suites
from ccanalysis.contracts import TABLES, Column
from ccanalysis.errors import NoInputError, SettingsError

from .conftest import BASELINE, CENTRE, PERIOD, SUITES, write

CONTACTS = TABLES["contacts"]


@pytest.fixture(scope="module")
def proposals(clean):
    """What ten weeks of contacts propose where no rule stands."""
    return suggest.suggest(clean, CONTACTS, (), period=PERIOD)


@pytest.fixture(scope="module")
def proposed(proposals, tmp_path_factory):
    """A folder with the proposals as the suite of contacts, and nothing else."""
    folder = tmp_path_factory.mktemp("proposed")
    (folder / "contacts.json").write_text(json.dumps(suggest.as_suite("contacts", proposals)), encoding="utf-8")
    return folder


def failed_in(tables, folder) -> dict[str, tuple[str, ...]]:
    """Run a suite over the baseline; return the periods in which each rule fails."""
    history = check(tables, folder, period=PERIOD, centre=CENTRE, baseline=BASELINE).by_period
    history = history[history["level"] == "centre"]
    return {
        rule: tuple(own.loc[own["outcome"] == "failed", "period"]) for rule, own in history.groupby("rule", sort=True)
    }


def kinds(proposals) -> set[str]:
    return {one.expectation["type"] for one in proposals}


def test_every_kind_of_rule_is_proposed(proposals, clean):
    """Filled shares, ranges, lists, uniqueness, order, mix, medians; volume for a table that has no rule on it."""
    assert kinds(proposals) == {
        "expect_column_values_to_not_be_null",
        "expect_column_values_to_be_between",
        "expect_column_values_to_be_in_set",
        "expect_column_pair_values_a_to_be_greater_than_b",
        "expect_column_median_to_be_between",
    }
    surveys = suggest.suggest(clean, TABLES["surveys"], (), period=PERIOD)
    assert "expect_column_values_to_be_unique" in kinds(surveys)
    assert "surveys.rows_usual" in {one.id for one in surveys}


def test_proposals_are_notes_with_their_evidence(proposals):
    """Nobody has reviewed them: they change no rating, and say what they come from."""
    for one in proposals:
        assert (one.expectation["severity"], one.expectation["meta"]["severity"]) == ("info", "note")
        assert one.expectation["notes"].startswith(f"Proposed from {one.n:,} ")
        assert f"of {one.periods} periods" in one.expectation["notes"]


@pytest.mark.slow
def test_great_expectations_finds_of_every_proposal_what_its_evidence_says(proposals, proposed, clean):
    """On the data that they come from they fail in the periods named and no others: a few at most."""
    found = failed_in(clean, proposed)
    assert {one.id: one.failed_in for one in proposals} == found
    assert max(len(periods) for periods in found.values()) <= suggest.FEW * BASELINE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        pytest.param({"talk_s": lambda values: values * 60}, "contacts.talk_s_median_voice", id="a_changed_unit"),
        pytest.param(
            {"team": lambda values: values.where(values != "North")}, "contacts.team_usually_given", id="gaps"
        ),
        pytest.param({"channel": lambda values: "chat"}, "contacts.channel_mix_least", id="another_mix"),
    ],
)
def test_a_spoiled_week_fails_a_proposal_that_no_other_week_fails(frames, clean, proposed, tmp_path, spoil, rule):
    """What the proposals are for."""
    frame = frames["contacts"].copy()
    now = pd.to_datetime(frame["local_date"]) >= pd.Timestamp(PERIOD.start)
    for column, change in spoil.items():
        changed = change(frame.loc[now, column])
        frame[column] = frame[column].where(~now, changed if isinstance(changed, str) else changed.reindex(frame.index))
    found = failed_in({**clean, "contacts": write(frame, CONTACTS, tmp_path)}, proposed)
    assert found[rule] == (PERIOD.label,)


def test_what_stands_is_not_proposed_again(clean, proposals, proposed):
    """Neither an accepted proposal, nor what the suite or the contract already says as strictly."""
    accepted, _ = suites.load(proposed, TABLES)
    assert suggest.suggest(clean, CONTACTS, accepted["contacts"], period=PERIOD) == []
    standing, _ = suites.load(SUITES, TABLES)
    left = {one.id for one in suggest.suggest(clean, CONTACTS, standing["contacts"], period=PERIOD)}
    everything = {one.id for one in proposals}
    assert left < everything
    assert "contacts.answered_at_after_offered_at" in everything - left
    assert "contacts.ended_at_after_offered_at" in everything - left
    closed = {one.expectation["kwargs"]["column"] for one in proposals if one.id.endswith("_of_the_past")}
    assert not closed & {"channel", "outcome", "direction"}


def test_an_order_that_follows_from_two_rules_is_not_proposed(clean):
    """Ended after answered and answered after offered say ended after offered."""
    standing, _ = suites.load(SUITES, TABLES)
    chain = [rule for rule in standing["contacts"] if rule.id in ("contacts.order_answered", "contacts.order_ended")]
    assert len(chain) == 2
    names = {one.id for one in suggest.suggest(clean, CONTACTS, chain, period=PERIOD)}
    assert "contacts.ended_at_after_offered_at" not in names


def test_no_proposal_names_a_person(clean, frames, tmp_path):
    """No list for a personal column, nor for a column of one's own that holds an agent under another name."""
    extra = (
        Column(name="handled_by", type="text", about="who took it"),
        Column(name="mail", type="text", about="mail"),
    )
    table = CONTACTS.extended(extra)
    frame = frames["contacts"].copy()
    frame["handled_by"] = frame["agent_id"]
    frame["mail"] = "desk@" + frame["team"] + ".example"
    tables = {**clean, "contacts": write(frame, table, tmp_path)}
    found = suggest.suggest(tables, table, (), period=PERIOD, contract={**TABLES, "contacts": table})
    text = json.dumps(suggest.as_suite("contacts", found))
    assert not [agent for agent in frames["agents"]["agent_id"] if f'"{agent}"' in text]
    assert "desk@" not in text
    listed = {one.expectation["kwargs"]["column"] for one in found if "value_set" in one.expectation["kwargs"]}
    assert listed <= {"channel", "direction", "outcome", "site", "team"}


def test_too_little_history_proposes_nothing(clean):
    """Seven weeks say too little about what is usual, and the error says how many there are."""
    with pytest.raises(NoInputError) as caught:
        suggest.suggest(clean, CONTACTS, (), period=PERIOD.shift(-3))
    assert caught.value.problem == (
        "table 'contacts' has rows in 7 periods up to 2026-W43, and 8 are the least to learn from"
    )


def test_a_table_that_holds_at_all_times_has_no_history(clean):
    """A roster is not of a week."""
    with pytest.raises(SettingsError, match="'agents' holds at all times and has no periods to learn from"):
        suggest.suggest(clean, TABLES["agents"], (), period=PERIOD)


@pytest.fixture(scope="module")
def centre(root, tmp_path_factory):
    """A copy of the sample centre to ask for proposals."""
    folder = tmp_path_factory.mktemp("suggest") / "centre"
    folder.mkdir()
    for name in ("ccanalysis.toml", "kpis.yml"):
        shutil.copy(root / name, folder)
    for name in ("expectations", "data"):
        shutil.copytree(root / name, folder / name)
    return folder


def asked(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "ccanalysis.cli", "suggest", *arguments, "--workspace", str(folder)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        cwd=folder,
    )


@pytest.mark.slow
def test_the_command_proposes_from_the_sample_centre_and_writes_only_a_new_file(centre):
    """The suite in force stays as it is; a file that is there is never written over."""
    before = (centre / "expectations" / "surveys.json").read_bytes()
    done = asked(centre, "surveys", "--write", "proposed.json", "--format", "json")
    assert done.returncode == 0, done.stderr
    suite = json.loads(done.stdout)
    assert suite == json.loads((centre / "proposed.json").read_text(encoding="utf-8"))
    assert "surveys.rows_usual" in {one["meta"]["id"] for one in suite["expectations"]}
    assert "nothing is in force until a suite has them" in done.stderr
    again = asked(centre, "surveys", "--write", "proposed.json")
    assert again.returncode == 2
    assert again.stderr.strip() == (
        "ccanalysis: proposed.json is there already, and proposals never take the place of a file. Name a new file, "
        "and move what you accept into the suite by hand"
    )
    live = asked(centre, "surveys", "--write", "expectations/surveys.json")
    assert live.returncode == 2
    assert (centre / "expectations" / "surveys.json").read_bytes() == before


def test_an_unknown_table_is_refused_in_words(centre):
    """The nearest name is offered."""
    done = asked(centre, "contact")
    assert done.returncode == 2
    assert "there is no contract table 'contact'" in done.stderr
    assert "contacts" in done.stderr

"""`ccanalysis register`: lint, show, diff and variants, with what they print and how they end."""

from __future__ import annotations

import json

import pytest

from ccanalysis import cli, results, views
from ccanalysis.errors import RegisterError
from ccanalysis.workspace import Workspace

SETTINGS = """\
[centre]
name = "Small"
time_zone = "Europe/London"
holidays = "GB-ENG"

[[sources]]
name = "calls"
table = "contacts"
files = "calls.csv"
zone = "Europe/London"
[sources.columns]
contact_id = "id"
offered_at = { column = "at", format = "%Y-%m-%d %H:%M" }
channel = { value = "voice" }
outcome = { column = "outcome", codes = { A = "answered", B = "abandoned" } }
wait_s = { column = "wait", unit = "s" }
"""
REGISTER = """\
version: 1
kpis:
  - id: quick
    name: Answered quickly
    purpose: Whoever rings should reach a person.
    objective: Easy to reach
    measure: {name: service_level, threshold_s: 20}
    definitions:
      - {from: 2026-07-01, measure: {name: service_level, threshold_s: 30}, why: new contract}
    levels: [centre]
    targets:
      - {from: 2026-01-01, team: 0.8, tolerance: 0.02}
      - {from: 2026-07-01, team: 0.9, tolerance: 0.02}
    frequency: week
    minimum_n: 20
    owner: Head of Planning
    approval: {state: approved, by: Board, on: 2026-07-01, until: 2027-06-30, consulted: [Teams]}
    action_after_review: Look at half-hours with losses.
    review_on: 2027-01-31
"""
SATISFIED = """\
  - id: csat
    name: Satisfied
    purpose: What customers say of us.
    objective: Satisfied customers
    measure: csat
    levels: [centre]
    frequency: week
    minimum_n: 20
    owner: Head of Service
    approval: {state: draft}
    action_after_review: Read the comments of the dissatisfied.
    review_on: 2027-01-31
"""
# SL with 30 s: 12 of 15 within; 3 abandoned at 10, 25 and 50 s
CALLS = [("A", 10)] * 9 + [("A", 25)] * 3 + [("A", 90)] * 3 + [("B", 3), ("B", 25), ("B", 50)]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A workspace of one export and one KPI, as the current folder."""
    (tmp_path / "ccanalysis.toml").write_text(SETTINGS)
    (tmp_path / "kpis.yml").write_text(REGISTER)
    lines = [f"{n},2026-09-{7 + n % 7:02} 10:00,{outcome},{wait}" for n, (outcome, wait) in enumerate(CALLS)]
    (tmp_path / "calls.csv").write_text("\n".join(["id,at,outcome,wait", *lines]) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *arguments):
    """Run a command; return its exit code, and what it wrote on both streams."""
    code = cli.main(list(arguments))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_lint_of_a_complete_register_is_quiet(workspace, capsys):
    """One line, exit 0."""
    assert run(capsys, "register", "lint", "--on", "2026-09-20") == (0, "1 KPIs, 0 refused, 0 questions open\n", "")


def test_lint_asks_and_refuses_by_line(workspace, capsys):
    """What no source can fill ends with 2, whatever else is asked."""
    (workspace / "kpis.yml").write_text(REGISTER + SATISFIED)
    code, out, _ = run(capsys, "register", "lint", "--on", "2027-06-20")
    assert code == 2
    assert out.splitlines() == [
        "kpis.yml:3: quick: Who let it be used? The approval ends on 2027-06-30. Have it approved again",
        "kpis.yml:3: quick: When is the KPI itself looked at again? The review of 2027-01-31 is past. Review it",
        "kpis.yml:20: csat: cannot be measured: Where does the data come from? No source fills the table 'surveys'. "
        "Map an export to 'surveys', or retire the KPI",
        "kpis.yml:20: csat: How good is good enough? No target is in force on 2027-06-20. Add one under targets:",
        "kpis.yml:20: csat: Who let it be used? Draft: printed as experimental. Write who approved it, on: and until:",
        "kpis.yml:20: csat: When is the KPI itself looked at again? The review of 2027-01-31 is past. Review it",
        "kpis.yml:20: csat: Who is not in it? The response rate is not measured beside it. Add survey_response_rate",
        "2 KPIs, 1 refused, 6 questions open",
    ]
    assert run(capsys, "register", "lint", "quick", "--on", "2027-06-20")[0] == 0
    assert run(capsys, "register", "lint", "quick", "--on", "2027-06-20", "--strict")[0] == 1
    rows = json.loads(run(capsys, "register", "lint", "--on", "2027-06-20", "--format", "json")[1])
    assert [row["refused"] for row in rows].count(True) == 1


def test_show_prints_the_card_of_a_day(workspace, capsys):
    """Heading and what it says, line by line."""
    code, out, _ = run(capsys, "register", "show", "quick", "--on", "2026-06-30")
    assert code == 0
    assert out.splitlines() == [
        "KPI             quick: Answered quickly",
        "Purpose         Whoever rings should reach a person.",
        "Objective       Easy to reach",
        "Counts          answered within the threshold, of all offered (SL3, 20 s)",
        "Above the line  rows in contacts where outcome = 'answered' and wait_s <= 20",
        "Below the line  rows in contacts where outcome in ('answered', 'abandoned')",
        "Population      everything",
        "Left out        contacts that left in the menu, flowed out or took a call-back",
        "Mind            the six published variants give six figures; name the variant",
        "Source          ICMI and Call Centre Helper, service-level calculations",
        "Unit            share",
        "Better          more",
        "Levels          centre",
        "Frequency       week",
        "Least cases     20",
        "Target          80 % (from 2026-01-01)",
        "Tolerance       2 %",
        "Owner           Head of Planning",
        "Approval        not yet approved (2026-07-01)",
        "Consulted       Teams",
        "After review    Look at half-hours with losses.",
        "Review          2027-01-31",
    ]
    code, _, error = run(capsys, "register", "show", "quik")
    assert (code, error) == (2, "ccanalysis: kpis.yml: the register has no KPI 'quik'. Did you mean 'quick'?\n")
    assert run(capsys, "register", "show")[::2] == (
        2,
        "ccanalysis: register show needs a KPI. Write its id behind it\n",
    )


def test_diff_compares_two_days(workspace, capsys):
    """By the register's own dates."""
    code, out, _ = run(capsys, "register", "diff", "--from", "2026-06-30", "--to", "2026-07-31")
    assert code == 0
    assert out.splitlines() == [
        "quick: definition: answered within the threshold, of all offered (SL3, 20 s) -> "
        "answered within the threshold, of all offered (SL3, 30 s) (new contract (from 2026-07-01))",
        "quick: target: 80 % -> 90 % (from 2026-07-01)",
        "quick: approval: not yet approved (2026-07-01) -> approved by Board on 2026-07-01, until 2027-06-30",
        "3 changes from 2026-06-30 to 2026-07-31",
    ]


def test_diff_compares_with_an_earlier_file(workspace, capsys):
    """What was edited in place, on one day."""
    (workspace / "before.yml").write_text(REGISTER.replace("minimum_n: 20", "minimum_n: 50"))
    code, out, _ = run(capsys, "register", "diff", "before.yml", "--to", "2026-07-31")
    assert (code, out) == (0, "quick: minimum n: 50 -> 20\n1 changes from 2026-07-31 to 2026-07-31\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["diff"], "register diff needs an earlier day or register. Write --from 2026-06-30"),
        (
            ["diff", "--from", "2026-08-01", "--to", "2026-07-01"],
            "the earlier day lies after the later one. Change --from and --to round",
        ),
        (["diff", "nowhere.yml"], "there is no register nowhere.yml. Write one, or take the sample's as a model"),
        (["variants", "quik"], "kpis.yml: the register has no KPI 'quik'. Did you mean 'quick'?"),
    ],
)
def test_a_command_that_cannot_be_followed_ends_with_2(workspace, capsys, arguments, error):
    """With one line on standard error."""
    assert run(capsys, "register", *arguments) == (2, "", f"ccanalysis: {error}\n")


def test_variants_measure_the_same_data_under_every_definition(workspace, capsys):
    """Six figures by hand: A 15, A_T 12, B 3, B_T 2, B_s 1."""
    code, out, _ = run(capsys, "register", "variants", "quick", "--period", "2026-W37", "--format", "json")
    assert code == 0
    found = {row["variant"]: (row["own"], row["numerator"], row["denominator"]) for row in json.loads(out)}
    assert found == {
        "SL1": (False, 14, 18),
        "SL2": (False, 12, 15),
        "SL3": (True, 12, 18),
        "SL4": (False, 12, 16),
        "SL5": (False, 13, 18),
        "SL6": (False, 12, 17),
    }


def test_variants_are_shown_in_a_notebook(workspace):
    """With the difference to the register's own, in percentage points."""
    frame = results.sensitivity(Workspace.open("."), "quick", "2026-W37")
    assert frame.set_index("variant")["difference"].round(4).to_dict() == {
        "SL1": 0.1111, "SL2": 0.1333, "SL3": 0.0, "SL4": 0.0833, "SL5": 0.0556, "SL6": 0.0392
    }  # fmt: skip
    shown = str(views.sensitivity_table(frame)).splitlines()
    assert shown[0] == "The same data under every published definition"
    assert any("SL3 (the register's own)" in line and "66.7%" in line for line in shown)
    assert any(line.startswith("SL2") and "+13.3 percentage points" in line for line in shown)


def test_a_kpi_without_its_data_is_refused_and_not_nought(workspace):
    """The table is named."""
    (workspace / "kpis.yml").write_text(REGISTER + SATISFIED.replace("measure: csat", "measure: qa_score"))
    with pytest.raises(RegisterError) as refused:
        results.sensitivity(Workspace.open("."), "csat", "2026-W37")
    assert str(refused.value) == (
        "kpis.yml: KPI 'csat' cannot be measured: it needs evaluations. Map an export that has it"
    )

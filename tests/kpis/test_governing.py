"""The register over time: dated definitions, approvals, what changed, and the questions of a good indicator."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest

from ccanalysis.contracts import TABLES
from ccanalysis.errors import RegisterError
from ccanalysis.kpis.changes import WHAT, compare, definition_changes
from ccanalysis.kpis.lint import card, lint
from ccanalysis.kpis.measures import from_catalogue
from ccanalysis.kpis.register import load, python_files
from ccanalysis.kpis.variants import variants
from ccanalysis.periods import Period
from ccanalysis.verdicts import judge, series

from .conftest import make_kpi
from .test_components import contact
from .test_register import GOOD, with_line

DATED = (
    with_line(
        "measure: {name: service_level, threshold_s: 20}",
        instead_of="measure",
    )
    + """\
    definitions:
      - {from: 2026-07-01, measure: {name: service_level, threshold_s: 30}, why: the contract asks for 30 seconds}
      - {from: 2026-03-01, population: channel = 'voice', why: chats have a KPI of their own}
    targets:
      - {from: 2026-01-01, team: 0.8, tolerance: 0.02}
      - {from: 2026-07-01, team: 0.85, tolerance: 0.02}
"""
)


@pytest.fixture
def read(tmp_path):
    """Write a register, and further files beside it, and load it."""

    def run(text, **files):
        for name, content in files.items():
            (tmp_path / f"{name}.py").write_text(content, encoding="utf-8")
        path = tmp_path / "kpis.yml"
        path.write_text(text, encoding="utf-8")
        return load(path, TABLES)

    return run


def test_each_day_has_the_definition_in_force_then(read):
    """What a later definition does not name stays as it was; limits begin anew where the definition changed."""
    kpi = read(DATED)["wait"]
    found = [(d.since, dict(d.measure.parameters)["threshold_s"], d.population, d.why) for d in kpi.definitions]
    assert found == [
        (None, 20, "", ""),
        (date(2026, 3, 1), 20, "channel = 'voice'", "chats have a KPI of their own"),
        (date(2026, 7, 1), 30, "channel = 'voice'", "the contract asks for 30 seconds"),
    ]
    on = {day: kpi.as_of(day) for day in (date(2026, 2, 28), date(2026, 3, 1), date(2026, 7, 1))}
    assert [each.population for each in on.values()] == ["", "channel = 'voice'", "channel = 'voice'"]
    assert [dict(each.measure.parameters)["threshold_s"] for each in on.values()] == [20, 20, 30]
    assert kpi.measure == kpi.definitions[-1].measure
    assert kpi.rebase == (
        (date(2026, 3, 1), "definition changed: chats have a KPI of their own"),
        (date(2026, 7, 1), "definition changed: the contract asks for 30 seconds"),
    )


def test_each_period_is_counted_under_the_definition_in_force_at_its_end(measured, read):
    """The week of the change is under the new definition; a week before it keeps the old one for ever."""
    text = DATED.replace("2026-07-01, measure", "2024-12-26, measure").replace("2026-03-01", "2024-12-20")
    kpi = read(text)["wait"]
    rows = [
        contact(7 * week + n, 7 * week, wait_s=25, channel=channel)
        for week in range(3)
        for n, channel in enumerate(["voice", "voice", "chat"])
    ]
    rows += [contact(30 + week, 7 * week, wait_s=10) for week in range(3)]
    both = [kpi, make_kpi("answer_rate", id="other")]
    found = measured(both, since="2024-W50", until="2025-W02", contacts=rows)
    own = found.sums[(found.sums["kpi"] == "wait") & (found.sums["level"] == "centre")]
    sides = own.set_index("period")[["numerator", "denominator"]].to_numpy().tolist()
    assert sides == [[1, 3], [3, 3], [3, 3]]  # 16 December on: voice alone from the 20th, 30 seconds from the 26th
    assert found.sums[found.sums["kpi"] == "other"]["denominator"].tolist() == [4, 4, 4]
    only_new = measured([kpi.as_of(date(2026, 1, 1))], since="2024-W50", until="2025-W02", contacts=rows)
    assert set(only_new.sums["denominator"]) == {3}


def test_a_definition_that_has_not_begun_changes_nothing(measured, read):
    """Today's report does not know tomorrow's definition."""
    kpi = read(DATED)["wait"]
    rows = [contact(0, 0, wait_s=25), contact(1, 0, wait_s=25, channel="chat")]
    found = measured([kpi], since="2024-W51", contacts=rows).sums
    assert found[found["level"] == "centre"][["numerator", "denominator"]].to_numpy().tolist() == [[0, 2]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("definitions: yes", "'definitions' must be a list. Write - {from: 2026-07-01, measure: .., why: ..}"),
        ("definitions: [asa]", "a definition must be a table. Write - {from: 2026-07-01, measure: .., why: ..}"),
        ("definitions: [{measure: asa, why: a}]", "a definition has no 'from'. Say from which day on it holds"),
        ("definitions: [{from: 2026-01-01, why: a}]",
         "a definition has neither 'measure' nor 'population'. Say what changes"),
        ("definitions: [{from: 2026-01-01, measure: asa}]",
         "a definition has no 'why'. Say why it takes the place of the one before"),
        ("definitions: [{from: 2026-01-01, measure: aas, why: a}]",
         "there is no measure 'aas' in the catalogue. Did you mean 'asa'?"),
        ("definitions: [{from: 2026-01-01, measure: csat, why: a}]",
         "a definition cannot change the kind of a KPI (mean to share). Retire this KPI and write a new one"),
        ("definitions: [{from: 2026-01-01, population: chanel = 'voice', why: a}]",
         "table 'contacts' has no column 'chanel', at character 1 of \"chanel = 'voice'\". Did you mean 'channel'?"),
        ("definitions: [{from: 2026-01-01, measure: asa, why: a}, {from: 2026-01-01, measure: asa, why: b}]",
         "two definitions hold from 2026-01-01 on. Keep one"),
        ("approval: []", "'approval' is an empty list. Write {state: draft}"),
        ("approval: [{state: draft}, {state: draft}]",
         "one of several approvals has no 'on'. Say when it was given"),
    ],
)  # fmt: skip
def test_a_definition_that_cannot_be_followed_is_refused_by_line(read, line, message):
    """With the line of the definition, not of the KPI."""
    replaces = "approval" if line.startswith("approval") else None
    with pytest.raises(RegisterError) as refused:
        read(with_line(line, instead_of=replaces))
    assert str(refused.value) == f"kpis.yml:{11 if replaces else 13}: KPI 'wait': {message}"


TWICE = with_line(
    "approval: [{state: approved, by: Board, on: 2026-02-01, until: 2026-03-31}, "
    "{state: approved, by: New Board, on: 2026-05-01, until: 2026-12-31}]",
    instead_of="approval",
)


def test_an_approval_that_was_given_then_stays_given_then(read):
    """A new approval does not take the old one back, and the gap between them is experimental."""
    kpi = read(TWICE)["wait"]
    days = [date(2026, 1, 31), date(2026, 2, 1), date(2026, 4, 1), date(2026, 5, 1), date(2027, 1, 1)]
    assert [kpi.approved_on(day) for day in days] == [False, True, False, True, False]
    assert [kpi.approval_on(day).by for day in days] == ["Board", "Board", "Board", "New Board", "New Board"]


def test_a_period_outside_its_approval_is_experimental(measured, read):
    """Before, between and after the approvals; within them it is not."""
    kpi = read(TWICE.replace("2026-", "2024-").replace("2024-05-01", "2024-12-30").replace("2024-12-31", "2025-01-08"))[
        "wait"
    ]
    rows = [contact(n, 7 * n, wait_s=9) for n in range(5)]
    found = measured([kpi], since="2024-W51", until="2025-W03", contacts=rows)
    periods = list(Period.parse("2025-W03").back(5))
    ratings = pd.DataFrame(columns=["kpi", "level", "unit", "period", "rating", "reasons"])
    line = series(found, [kpi], periods, ratings)
    experimental = [bool(judge(line, [kpi], period, ratings)["experimental"].iloc[0]) for period in periods]
    assert experimental == [True, True, False, False, True]


# What changed.


def test_what_changed_between_two_days_is_told_by_the_registers_own_dates(read):
    """Definition with its reason, target with its day, and the approval that ran out."""
    register = read(DATED.replace("{state: draft}", "{state: approved, by: Board, on: 2026-01-01, until: 2026-07-15}"))
    assert definition_changes(register, date(2026, 5, 31), date(2026, 6, 30)) == []
    found = definition_changes(register, date(2026, 6, 30), date(2026, 7, 31))
    common = {"kpi": "wait", "name": "Waits"}
    assert found == [
        common | {"what": "definition", "before": "answered within the threshold, of all offered (SL3, 20 s)",
                  "after": "answered within the threshold, of all offered (SL3, 30 s)",
                  "why": "the contract asks for 30 seconds (from 2026-07-01)"},
        common | {"what": "target", "before": "80 %", "after": "85 %", "why": "from 2026-07-01"},
        common | {"what": "approval", "before": "approved by Board on 2026-01-01, until 2026-07-15",
                  "after": "expired on 2026-07-15", "why": ""},
    ]  # fmt: skip
    assert all(change["what"] in WHAT for change in found)


def test_two_registers_are_compared_field_by_field(read):
    """What was edited in place shows as well, KPIs that came and went too."""
    first = read(GOOD)
    later = read(
        with_line("population: channel = 'voice'")
        .replace("minimum_n: 20", "minimum_n: 50")
        .replace("[centre, team]", "[centre]")
        .replace("id: wait", "id: wait2")
        + GOOD.split("kpis:\n")[1].replace("minimum_n: 20", "minimum_n: 30").replace("measure: asa", "measure: aht")
    )
    day = date(2026, 11, 1)
    found = [(c["kpi"], c["what"], c["before"], c["after"]) for c in compare(first, later, day, day)]
    assert found == [
        ("wait2", "added", "", "mean wait of answered contacts"),
        (
            "wait",
            "definition",
            "mean wait of answered contacts",
            "talk, hold and after-contact work per handled contact",
        ),
        ("wait", "better", "down", "within"),
        ("wait", "minimum n", "20", "30"),
    ]
    assert [c["what"] for c in compare(later, first, day, day)][-1] == "removed"


def test_two_measures_with_the_same_words_are_told_apart_by_their_sides(read):
    """Words alone would show no difference."""
    own = "measure: {{about: quick, numerator: {{count: wait_s <= {0}}}, denominator: {{count: true}}}}"
    first, later = (read(with_line(own.format(limit), instead_of="measure")) for limit in (20, 30))
    change = compare(first, later, date(2026, 1, 1), date(2026, 1, 1))[0]
    assert (change["before"], change["after"]) == (
        "quick; rows in contacts where wait_s <= 20",
        "quick; rows in contacts where wait_s <= 30",
    )


# The questions.


def asked(register, day=date(2026, 11, 1), filled=None):
    """Return what lint finds, without its remedies."""
    return [(q.refused, q.asks, q.found) for q in lint(register, day=day, tables=TABLES, filled=filled)]


COMPLETE = """\
version: 1
kpis:
  - id: quick
    name: Answered
    purpose: Whoever rings should reach a person.
    objective: Easy to reach
    measure: answer_rate
    levels: [centre, team]
    targets: [{from: 2026-01-01, team: 0.9, tolerance: 0.02}]
    frequency: week
    minimum_n: 20
    owner: Head of Planning
    approval: {state: approved, by: Board, on: 2026-01-01, until: 2027-06-30, consulted: [Teams]}
    action_after_review: Look at half-hours with losses.
    review_on: 2027-01-31
"""


def test_a_complete_kpi_leaves_no_question(read):
    """And one that is retired is not asked."""
    assert asked(read(COMPLETE)) == []
    assert asked(read(with_line("approval: {state: retired}", instead_of="approval"))) == []


@pytest.mark.parametrize(
    ("change", "question"),
    [
        (("    objective: Easy to reach\n", ""), ("Which aim does it serve?", "it names no objective")),
        (("Whoever rings should reach a person.", "Waits."), ("Why is it measured?", "the purpose says little")),
        (("Look at half-hours with losses.", "Look."), ("What will be done?", "the action after review says little")),
        (("    review_on: 2027-01-31\n", ""),
         ("When is the KPI itself looked at again?", "it has no review date")),
        (("review_on: 2027-01-31", "review_on: 2026-01-31"),
         ("When is the KPI itself looked at again?", "the review of 2026-01-31 is past")),
        (("from: 2026-01-01, team", "from: 2027-01-01, team"),
         ("How good is good enough?", "no target is in force on 2026-11-01")),
        (("[centre, team]", "[centre, agent]"),
         ("What is asked of a person?", "agents are judged and have no target")),
        (("team: 0.9", "team: 0.9, individual: 0.8"), ("What is asked of a person?", "individual: is never used")),
        ((", tolerance: 0.02", ""), ("How far may it miss?", "the tolerance is nought")),
        (("minimum_n: 20", "minimum_n: 5"),
         ("Are there enough cases?", "minimum_n is 5: 7 of 8 is anything from 53 to 98 %")),
        (("until: 2027-06-30", "until: 2026-10-31"),
         ("Who let it be used?", "expired on 2026-10-31: printed as experimental")),
        ((", until: 2027-06-30", ""), ("Who let it be used?", "the approval has no end")),
        (("until: 2027-06-30", "until: 2026-11-20"), ("Who let it be used?", "the approval ends on 2026-11-20")),
        ((", consulted: [Teams]", ""), ("Who was asked?", "nobody is named as consulted")),
        (("    frequency: week\n", "    definitions: [{from: 2026-05-01, population: channel = 'voice', why: a}]\n"
          "    frequency: week\n"),
         ("Who let it be used?", "the definition changed on 2026-05-01, after the approval of 2026-01-01")),
        (("measure: answer_rate", "measure: csat"),
         ("Who is not in it?", "the response rate is not measured beside it")),
        (("answer_rate\n    levels: [centre, team]", "within_authority\n    levels: [centre, team]"),
         ("Can it be gamed?", "its mirror is not measured")),
        (("measure: answer_rate", "measure: dialler_abandon_rate"), None),
        (("measure: answer_rate", "measure: dialler_abandon_rate"), None),
    ],
)  # fmt: skip
def test_each_question_of_a_good_indicator_is_asked(read, change, question):
    """One gap, one question."""
    assert change[0] in COMPLETE
    found = asked(read(COMPLETE.replace(*change)))
    assert found == ([(False, *question)] if question else [])


def test_the_threshold_of_diallers_that_ended_is_asked_about(read):
    """Until 28 February 2017 it was a rule, since then it is folklore."""
    text = (
        COMPLETE.replace("answer_rate", "dialler_abandon_rate")
        .replace("0.9", "0.03")
        .replace("2026-01-01", "2010-01-01")
    )
    words = "the 3 % of the United Kingdom ended on 1 March 2017"
    assert words in [found for _, _, found in asked(read(text))]
    assert words not in [found for _, _, found in asked(read(text), day=date(2017, 2, 28))]


def test_what_no_source_fills_is_refused(read):
    """A table by name, a column by table and column; what a measure only reads where it is there is not asked."""
    register = read(COMPLETE.replace("answer_rate", "recording_paused"))
    assert asked(register, filled={"contacts": {"contact_id", "outcome", "payment"}}) == [
        (True, "Where does the data come from?", "no source fills contacts.recording_paused")
    ]
    assert asked(register, filled={"surveys": {"csat"}}) == [
        (True, "Where does the data come from?", "no source fills the table 'contacts'")
    ]
    assert asked(register, filled={"contacts": {"payment", "recording_paused"}}) == []


def test_the_card_says_what_holds_on_the_day(read):
    """Definition, target and approval of then, and what went before."""
    kpi = read(DATED)["wait"]
    before, after = dict(card(kpi, date(2026, 2, 1))), dict(card(kpi, date(2026, 8, 1)))
    assert (before["Counts"], before["Target"], before["Population"]) == (
        "answered within the threshold, of all offered (SL3, 20 s)", "80 % (from 2026-01-01)", "everything"
    )  # fmt: skip
    assert after["Definition from"] == "2026-07-01: the contract asks for 30 seconds"
    assert after["Target"] == "85 % (from 2026-07-01)"
    assert "Definition from" not in before
    assert "Objective" not in before


# Measures in Python.

QUICK = '''\
"""Measures of this centre."""

from ccanalysis.kpis.measures import Measure, Side


def quick(*, seconds=20):
    """Answered quickly, of all contacts."""
    return Measure(
        key="quick", about=f"within {seconds} s", kind="share", unit="share", better="up",
        numerator=Side(where=f"wait_s <= {seconds}"), denominator=Side(), source="the Board",
    )


def wrong():
    return Measure(key="w", about="w", kind="share", unit="share", better="up",
                   numerator=Side(where="wait <= 20"), denominator=Side(), source="x")


def fails():
    return 1 / 0


def nothing():
    return None


def mixed():
    return Measure(key="w", about="w", kind="mean", unit="s", better="up",
                   numerator=Side(), denominator=Side(), source="x")


def elsewhere():
    return Measure(key="w", about="w", kind="share", unit="share", better="up",
                   numerator=Side(table="calls"), denominator=Side(table="calls"), source="x")
'''


def python(spec):
    """Return the good register with a measure in Python."""
    return with_line(f"measure: {{python: '{spec}'}}", instead_of="measure")


def test_a_function_of_the_workspace_makes_a_measure(read, measured, tmp_path):
    """With its parameters; it is counted, judged and governed like every other."""
    text = with_line("measure: {python: 'my_measures.py:quick', seconds: 30}", instead_of="measure")
    kpi = read(text, my_measures=QUICK)["wait"]
    assert (kpi.measure.about, kpi.columns, kpi.better) == ("within 30 s", ("wait_s",), "up")
    rows = [contact(0, 0, wait_s=25), contact(1, 0, wait_s=35)]
    found = measured([kpi], since="2024-W51", contacts=rows).sums
    assert found[found["level"] == "centre"][["numerator", "denominator"]].to_numpy().tolist() == [[1, 2]]
    assert python_files(tmp_path / "kpis.yml") == [tmp_path / "my_measures.py"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("my_measures.py", "kpis.yml:6: KPI 'wait': 'python' must name a file of the workspace and a function. "
         "Write for example my_measures.py:quick"),
        ("../my_measures.py:quick",
         "kpis.yml:6: KPI 'wait': 'python' must name a file of the workspace and a function."
         " Write for example my_measures.py:quick"),
        ("theirs.py:quick", "kpis.yml:6: KPI 'wait': there is no file theirs.py. Keep the file beside kpis.yml, or "
         "correct the name"),
        ("my_measures.py:quik", "my_measures.py: KPI 'wait': there is no function 'quik'. Did you mean 'quick'?"),
        ("my_measures.py:wrong", "my_measures.py:14: KPI 'wait': wrong: table 'contacts' has no column 'wait', at "
         "character 1 of 'wait <= 20'. Did you mean 'wait_s'?"),
        ("my_measures.py:fails",
         "my_measures.py:20: KPI 'wait': ZeroDivisionError: division by zero. Correct the line"),
        ("my_measures.py:nothing", "my_measures.py:23: KPI 'wait': nothing returns NoneType and not a Measure. "
         "Return a Measure of ccanalysis.kpis.measures"),
        ("my_measures.py:mixed", "kpis.yml:6: KPI 'wait': a mean sums an expression over rows that it counts, in one "
         "table. Sum above and count below, or write kind: ratio"),
        ("my_measures.py:elsewhere", "my_measures.py:32: KPI 'wait': elsewhere: there is no contract table 'calls'. "
         "Known are: " + ", ".join(sorted(TABLES))),
        ("broken.py:quick", "broken.py:2: KPI 'wait': it is not valid Python: invalid syntax. Correct the line"),
        ("stops.py:quick", "stops.py:2: KPI 'wait': SystemExit: 3. Correct the line"),
    ],
)  # fmt: skip
def test_a_python_measure_that_cannot_be_made_is_refused_by_file_and_line(read, spec, message):
    """Whatever goes wrong in the owner's file is told with its place."""
    with pytest.raises(RegisterError) as refused:
        read(python(spec), my_measures=QUICK, broken="x = 1\ny = = 2\n", stops="import sys\nsys.exit(3)\n")
    assert str(refused.value) == message


def test_a_parameter_that_the_function_does_not_take_is_refused(read):
    """At the function's line."""
    with pytest.raises(RegisterError) as refused:
        read(with_line("measure: {python: 'my_measures.py:quick', second: 5}", instead_of="measure"), my_measures=QUICK)
    assert str(refused.value) == (
        "my_measures.py:6: KPI 'wait': quick: got an unexpected keyword argument 'second'. "
        "Give its parameters beside 'python'"
    )


def test_a_link_out_of_the_workspace_is_not_followed(read, tmp_path, tmp_path_factory):
    """Only the owner's own folder is run."""
    away = tmp_path_factory.mktemp("away") / "theirs.py"
    away.write_text(QUICK)
    (tmp_path / "linked.py").symlink_to(away)
    with pytest.raises(RegisterError, match="leads out of the workspace"):
        read(python("linked.py:quick"))


# Levels at which nobody may be judged, and variants.


def test_occupancy_is_never_judged_of_a_person(read):
    """It is not the agent's to control."""
    text = with_line("measure: occupancy", instead_of="measure").replace("[centre, team]", "[centre, agent]")
    with pytest.raises(RegisterError) as refused:
        read(text)
    assert str(refused.value) == (
        "kpis.yml:7: KPI 'wait': 'occupancy' must not be judged at level 'agent'. Take it out of the levels"
    )


def test_the_six_variants_stand_beside_the_registers_own(read):
    """With the register's threshold; interval counts know two of them."""
    kpi = make_kpi(from_catalogue("service_level", {"threshold_s": 30, "variant": "SL5"}))
    found = variants(kpi)
    assert list(found) == ["SL1", "SL2", "SL3", "SL4", "SL5", "SL6"]
    assert found["SL5"] == kpi.measure
    assert {dict(measure.parameters)["threshold_s"] for measure in found.values()} == {30}
    assert list(variants(make_kpi(from_catalogue("service_level", {"table": "intervals"})))) == ["SL2", "SL3"]
    odd = make_kpi(from_catalogue("abandon_rate", {"longer_than_s": 7}))
    assert next(iter(variants(odd))) == "register"


def test_a_measure_without_published_variants_is_refused():
    """With those that have some."""
    with pytest.raises(
        RegisterError, match=r"^no other definition of 'nps' is published\. Variants are known of abandon"
    ):
        variants(make_kpi("nps"))


def test_periods_before_a_definition_settle_by_their_own_days(read):
    """A definition with a longer window makes only its own periods provisional."""
    text = with_line("measure: {name: fcr, days: 7}", instead_of="measure") + (
        "    definitions: [{from: 2026-07-01, measure: {name: fcr, days: 30}, why: repeats come later}]\n"
    )
    kpi = read(text)["wait"]
    assert kpi.as_of(date(2026, 7, 1) - timedelta(days=1)).measure.settle_days == 7
    assert kpi.as_of(date(2026, 7, 1)).measure.settle_days == 30

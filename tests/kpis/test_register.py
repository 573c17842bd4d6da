"""The register: what it governs, and one bad register per rule with the error that names the line."""

from __future__ import annotations

import inspect
import json
from datetime import date
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from ccanalysis.contracts import TABLES
from ccanalysis.errors import RegisterError
from ccanalysis.kpis import register
from ccanalysis.kpis.measures import CATALOGUE, PARAMETER_RANGES, choices
from ccanalysis.kpis.register import LEVELS, STATES, Approval, Target, load
from ccanalysis.periods import KINDS

GOOD = """\
version: 1
kpis:
  - id: wait
    name: Waits
    purpose: To see who waits.
    measure: asa
    levels: [centre, team]
    frequency: week
    minimum_n: 20
    owner: Head of Planning
    approval: {state: draft}
    action_after_review: Look again.
"""


@pytest.fixture
def read(tmp_path):
    """Write a register and load it."""

    def run(text: str | bytes):
        path = tmp_path / "kpis.yml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(path, TABLES)

    return run


def with_line(line, *more, instead_of=None):
    """Return the good register with further fields, or with one replaced; both begin at line 13 or stay in place."""
    if instead_of:
        found = next(one for one in GOOD.splitlines() if one.strip().startswith(instead_of))
        return GOOD.replace(found, "    " + line)
    return GOOD + "".join(f"    {one}\n" for one in (line, *more))


def test_a_register_is_read_with_every_field(read):
    """Texts are put in one line, levels in the order of the centre, targets in the order of time."""
    kpi = read(
        """\
version: 1
kpis:
  - id: wait
    name: >
      Average
      wait
    purpose: To see.
    objective: Easy to reach
    measure: {name: asa}
    population: channel = 'voice'
    better: down
    levels: [agent, centre]
    targets:
      - {from: 2026-06-01, team: 20, individual: 25, tolerance: {relative: 0.1}}
      - {from: 2026-01-01, team: 30, tolerance: 2, levels: [centre]}
    frequency: month
    minimum_n: 50
    owner: Head of Planning
    approval: {state: approved, by: Board, on: 2026-01-01, until: 2026-12-31, consulted: [Teams]}
    action_after_review: Look again.
    review_on: 2027-01-01
    rebase: [{on: 2026-03-01, why: new rota}]
    source_requirement: Contract, 4.2
    worth: 12.5
"""
    )["wait"]
    assert (kpi.name, kpi.levels, kpi.frequency, kpi.worth) == ("Average wait", ("centre", "agent"), "month", 12.5)
    assert (kpi.columns, kpi.population_columns) == (("channel", "outcome", "wait_s"), ("channel",))
    assert [target.since for target in kpi.targets] == [date(2026, 1, 1), date(2026, 6, 1)]
    assert kpi.targets[1] == Target(
        since=date(2026, 6, 1), team=20.0, individual=25.0, tolerance=2.0, individual_tolerance=2.5
    )
    assert (kpi.targets[1].tolerance_at("team"), kpi.targets[1].tolerance_at("agent")) == (2.0, 2.5)
    assert kpi.approval == Approval(
        state="approved", by="Board", on=date(2026, 1, 1), until=date(2026, 12, 31), consulted=("Teams",)
    )
    assert kpi.rebase == ((date(2026, 3, 1), "new rota"),)
    assert (kpi.review_on, kpi.source_requirement, kpi.line) == (date(2027, 1, 1), "Contract, 4.2", 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # the file
        (b"\xff\xfe\x00", "kpis.yml: it is not UTF-8. Save it as UTF-8"),
        ("", "kpis.yml: it has no list 'kpis'. Begin it with kpis: and a list"),
        ("kpis: 5", "kpis.yml: it has no list 'kpis'. Begin it with kpis: and a list"),
        ("kpis: []", "kpis.yml: it has no KPI. Add one under kpis:"),
        ("kpis:\n  - 5", "kpis.yml:2: an entry of 'kpis' must be a table of fields. Begin it with - id:"),
        ("version: 1\nkpi: 1\nkpis: []", "kpis.yml:2: unknown field 'kpi'. Did you mean 'kpis'?"),
        (GOOD.replace("version: 1", "version: 2"),
         "kpis.yml:1: this release reads version 1 of the register, not 2. Write version: 1"),
        ("kpis:\n  - id: [", "kpis.yml:2: it cannot be read: expected the node content, but found '<stream end>'. "
                             "Compare it with the sample's register"),
        ("version: 1\nkpis:\n  - id: x\n    review_on: 2026-13-12",
         "kpis.yml:4: it cannot be read: month must be in 1..12. Compare it with the sample's register"),
        ("kpis:\n\t- id: x", "kpis.yml:2: it cannot be read: found character '\\t' that cannot start any token. "
                             "Compare it with the sample's register"),
        (with_line("name: Twice"), "kpis.yml:13: the field 'name' is given twice. Keep one"),
        (GOOD + GOOD.split("kpis:\n")[1],
         "kpis.yml:13: two KPIs have the id 'wait'. Rename this one or the one in line 3"),
        # missing and unknown
        *((with_line("x", instead_of=field).replace("    x\n", ""),
           f"kpis.yml:3: KPI 'wait': the field {field!r} is missing. Add {field}: to it")
          for field in ("name", "purpose", "measure", "levels", "frequency", "minimum_n", "owner", "approval",
                        "action_after_review")),
        (GOOD.replace("  - id: wait\n    name", "  - name"),
         "kpis.yml:3: KPI '?': the field 'id' is missing. Add id: to it"),
        (with_line("tagrets: []"), "kpis.yml:13: KPI 'wait': unknown field 'tagrets'. Did you mean 'targets'?"),
        (with_line("colour: red"), "kpis.yml:13: KPI 'wait': unknown field 'colour'. Known are: action_after_review, "
         "approval, better, definitions, frequency, id, levels, measure, minimum_n, name, objective, owner, "
         "population, purpose, rebase, review_on, source_requirement, targets, worth"),
        # plain fields
        (GOOD.replace("id: wait", "id: Wait Time"), "kpis.yml:3: KPI 'Wait Time': 'id' must be lower-case letters, "
         "digits and underscores. Write for example service_level"),
        (GOOD.replace("id: wait", "id: 5"), "kpis.yml:3: KPI '5': 'id' must be lower-case letters, digits and "
         "underscores. Write for example service_level"),
        (with_line("name: 5", instead_of="name"), "kpis.yml:4: KPI 'wait': 'name' must be a text that is not empty"),
        (with_line("purpose: ''", instead_of="purpose"),
         "kpis.yml:5: KPI 'wait': 'purpose' must be a text that is not empty"),
        (with_line("owner: [A, B]", instead_of="owner"),
         "kpis.yml:10: KPI 'wait': 'owner' must be a text that is not empty"),
        (with_line("action_after_review:", instead_of="action"),
         "kpis.yml:12: KPI 'wait': 'action_after_review' must be a text that is not empty"),
        (with_line("objective: 5"), "kpis.yml:13: KPI 'wait': 'objective' must be a text"),
        (with_line("source_requirement: [a]"), "kpis.yml:13: KPI 'wait': 'source_requirement' must be a text"),
        (with_line("better: faster"),
         "kpis.yml:13: KPI 'wait': 'better' is 'faster', which is not one of up, down, within"),
        (with_line("frequency: weekly", instead_of="frequency"), "kpis.yml:8: KPI 'wait': 'frequency' is 'weekly', "
         "which is not one of day, week, month, quarter, year"),
        *((with_line(f"minimum_n: {value}", instead_of="minimum_n"),
           "kpis.yml:9: KPI 'wait': 'minimum_n' must be a whole number of at least 1")
          for value in ("0", "-5", "2.5", "true", "'20'")),
        *((with_line(f"worth: {value}"),
           "kpis.yml:13: KPI 'wait': 'worth' must be an amount of money of at least 0. Write for example worth: 4.50")
          for value in ("dear", "-1", ".nan", "true")),
        (with_line("review_on: soon"),
         "kpis.yml:13: KPI 'wait': 'review_on' must be a day. Write it as 2026-11-30"),
        (with_line("review_on: 2026-11-30 10:00:00"),
         "kpis.yml:13: KPI 'wait': 'review_on' must be a day. Write it as 2026-11-30"),
        # levels
        (with_line("levels: centre", instead_of="levels"),
         "kpis.yml:7: KPI 'wait': 'levels' must be a list. Write for example [centre, team]"),
        (with_line("levels: []", instead_of="levels"),
         "kpis.yml:7: KPI 'wait': 'levels' must be a list. Write for example [centre, team]"),
        (with_line("levels: [centre, taem]", instead_of="levels"),
         "kpis.yml:7: KPI 'wait': there is no level 'taem'. Did you mean 'team'?"),
        (with_line("levels: [{a: 1}]", instead_of="levels"),
         "kpis.yml:7: KPI 'wait': there is no level {'a': 1}. Known are: agent, centre, channel, line_manager, queue, "
         "reason, site, team"),
        (with_line("levels: [centre, queue]", instead_of="levels").replace("asa", "complaints_per_1000"),
         "kpis.yml:7: KPI 'wait': level 'queue' needs the column 'queue', which table 'complaints' does not have. "
         "Take it out of the levels"),
        # measures of the catalogue
        (with_line("measure: 5", instead_of="measure"), "kpis.yml:6: KPI 'wait': 'measure' must be a name or a table "
         "of fields. Write for example aht"),
        (with_line("measure: asaa", instead_of="measure"),
         "kpis.yml:6: KPI 'wait': there is no measure 'asaa' in the catalogue. Did you mean 'asa'?"),
        (with_line("measure: {name: fcr, dayz: 7}", instead_of="measure"),
         "kpis.yml:6: KPI 'wait': measure 'fcr' has no parameter 'dayz'. Did you mean 'days'?"),
        (with_line("measure: {name: fcr, days: seven}", instead_of="measure"),
         "kpis.yml:6: KPI 'wait': parameter 'days' of measure 'fcr' must be a whole number"),
        (with_line("measure: {name: fcr, days: 0}", instead_of="measure"),
         "kpis.yml:6: KPI 'wait': parameter 'days' of measure 'fcr' must be 1 to 365"),
        # measures of one's own
        (with_line("measure: {kind: median, numerator: {}, denominator: {}}", instead_of="measure"),
         "kpis.yml:6: KPI 'wait': 'kind' is 'median', which is not one of share, mean, rate, ratio"),
        (with_line("measure: {unit: minutes, numerator: {}, denominator: {}}", instead_of="measure"),
         "kpis.yml:6: KPI 'wait': 'unit' is 'minutes', which is not one of share, s, per_1000, points, count"),
        (with_line("measure: {numerater: {}, denominator: {}}", instead_of="measure"),
         "kpis.yml:6: KPI 'wait': unknown field 'numerater'. Did you mean 'numerator'?"),
        (with_line("measure: {denominator: {}}", instead_of="measure"),
         "kpis.yml:6: KPI 'wait': a measure of one's own needs 'numerator' as a table. "
         "Write numerator: {sum: n_answered}"),
        (with_line("measure: {numerator: {wehre: 'true'}, denominator: {}}", instead_of="measure"),
         "kpis.yml:6: KPI 'wait': unknown field 'wehre'. Did you mean 'where'?"),
        (with_line("measure: {table: contact, numerator: {}, denominator: {}}", instead_of="measure"),
         "kpis.yml:6: KPI 'wait': there is no contract table 'contact'. Did you mean 'contacts'?"),
        (with_line("measure: {numerator: {count: wait_s > 5, where: talk_s > 5}, denominator: {}}",
                   instead_of="measure"),
         "kpis.yml:6: KPI 'wait': 'numerator' has 'count' beside 'where' or 'sum'. "
         "Write count: CONDITION, or sum: and where:"),
        *((with_line(f"measure: {{numerator: {{{side}}}, denominator: {{}}}}", instead_of="measure"),
           "kpis.yml:6: KPI 'wait': 'scale' must be a whole number from 1 to 1,000,000 beside 'sum'")
          for side in ("scale: 10", "sum: wait_s, scale: ten", "sum: wait_s, scale: 0", "sum: wait_s, scale: 2000000")),
        (with_line("measure: {numerator: {count: wait_s}, denominator: {}}", instead_of="measure"),
         "kpis.yml:6: KPI 'wait': 'wait_s' is not a condition. Write for example wait_s <= 20"),
        (with_line("measure: {kind: mean, unit: s, numerator: {sum: channel}, denominator: {}}", instead_of="measure"),
         "kpis.yml:6: KPI 'wait': 'channel' is not a number. Sum for example talk_s + acw_s"),
        (with_line("measure: {numerator: {count: wait > 5}, denominator: {}}", instead_of="measure"),
         "kpis.yml:6: KPI 'wait': table 'contacts' has no column 'wait', at character 1 of 'wait > 5'. "
         "Did you mean 'wait_s'?"),
        (with_line("measure: {numerator: {count: 5}, denominator: {}}", instead_of="measure"),
         "kpis.yml:6: KPI 'wait': an expression must be a text. Write for example wait_s <= 20"),
        (with_line("measure: {about: 5, numerator: {}, denominator: {}}", instead_of="measure"),
         "kpis.yml:6: KPI 'wait': 'about' must be a text"),
        *((with_line(f"measure: {{{spec}}}", instead_of="measure"),
           "kpis.yml:6: KPI 'wait': a share counts rows of the rows of one table, in the unit share. "
           "Count on both sides, or write kind: ratio")
          for spec in ("unit: s, numerator: {}, denominator: {}", "numerator: {sum: wait_s}, denominator: {}",
                       "numerator: {table: complaints}, denominator: {}")),
        (with_line("measure: {kind: rate, unit: per_1000, numerator: {sum: transfers}, denominator: {}}",
                   instead_of="measure"),
         "kpis.yml:6: KPI 'wait': a rate counts rows on both sides. Count, or write kind: ratio"),
        *((with_line(f"measure: {{kind: mean, unit: s, {sides}}}", instead_of="measure"),
           "kpis.yml:6: KPI 'wait': a mean sums an expression over rows that it counts, in one table. "
           "Sum above and count below, or write kind: ratio")
          for sides in ("numerator: {}, denominator: {}", "numerator: {sum: wait_s}, denominator: {sum: talk_s}",
                        "numerator: {sum: wait_s}, denominator: {table: surveys}")),
        # population
        (with_line("population: wait_s"),
         "kpis.yml:13: KPI 'wait': 'wait_s' is not a condition. Write for example channel = 'voice'"),
        (with_line("population: chanel = 'voice'"),
         "kpis.yml:13: KPI 'wait': table 'contacts' has no column 'chanel', at character 1 of \"chanel = 'voice'\". "
         "Did you mean 'channel'?"),
        (with_line("population: queue = 'Billing'").replace("asa", "complaints_per_1000"),
         "kpis.yml:13: KPI 'wait': table 'complaints' has no column 'queue', at character 1 of "
         "\"queue = 'Billing'\". Known are: " + ", ".join(sorted(c.name for c in TABLES["complaints"].columns))),
        (with_line("population: 5"), "kpis.yml:13: KPI 'wait': 'population' must be a text"),
        # targets
        (with_line("targets: 0.8"),
         "kpis.yml:13: KPI 'wait': 'targets' must be a list. Write - {from: 2026-01-01, team: 0.8}"),
        (with_line("targets: [30]"),
         "kpis.yml:13: KPI 'wait': a target must be a table. Write - {from: 2026-01-01, team: 0.8}"),
        (with_line("targets:", "  - {from: 2026-01-01, team: 30}", "  - {from: 2026-02-01, taem: 30}"),
         "kpis.yml:15: KPI 'wait': unknown field 'taem'. Did you mean 'team'?"),
        (with_line("targets:", "  - {team: 30}"),
         "kpis.yml:14: KPI 'wait': a target has no 'from'. Say from which day on it holds"),
        (with_line("targets:", "  - {from: January, team: 30}"),
         "kpis.yml:14: KPI 'wait': 'from' must be a day. Write it as 2026-11-30"),
        (with_line("targets:", "  - from: 2026-01-01 00:00:00", "    team: 30"),
         "kpis.yml:14: KPI 'wait': 'from' must be a day. Write it as 2026-11-30"),
        (with_line("targets:", "  - {from: 2026-01-01}"),
         "kpis.yml:14: KPI 'wait': a target has neither 'team' nor 'individual'. Write team: null to end one"),
        (with_line("targets:", "  - {from: 2026-01-01, team: 30}", "  - {from: 2026-01-01, team: 20}"),
         "kpis.yml:15: KPI 'wait': two targets hold from 2026-01-01 on. Keep one"),
        *((with_line("targets:", "  - from: 2026-01-01", f"    team: {value}"),
           "kpis.yml:15: KPI 'wait': the target 'team' must be a number. Write shares as 0.8, times in seconds")
          for value in ("fast", "true", ".inf", "[20, 30]")),
        (with_line("targets:", "  - {from: 2026-01-01, team: -5}"),
         "kpis.yml:14: KPI 'wait': the target 'team' must be at least 0"),
        (with_line("targets:", "  - {from: 2026-01-01, team: 80}").replace("asa", "answer_rate"),
         "kpis.yml:14: KPI 'wait': the target 'team' is a share, 0 to 1. Write 0.8 for 80%"),
        (with_line("targets:", "  - {from: 2026-01-01, individual: 1.5}").replace("asa", "answer_rate"),
         "kpis.yml:14: KPI 'wait': the target 'individual' is a share, 0 to 1. Write 0.015 for 1.5%"),
        *((with_line("targets:", f"  - {{from: 2026-01-01, team: {value}}}").replace("asa", "aht"),
           "kpis.yml:14: KPI 'wait': the target 'team' must be a band. "
           "Write for example [360, 480], or set better: down")
          for value in ("300", "[300]", "[480, 360]", "[300, 300]", "[a, b]", "[true, 5]")),
        (with_line("targets:", "  - {from: 2026-01-01, team: 30, levels: centre}"),
         "kpis.yml:14: KPI 'wait': 'levels' of a target must be a list. Write for example [centre, team]"),
        (with_line("targets:", "  - {from: 2026-01-01, team: 30, levels: [agent]}"),
         "kpis.yml:14: KPI 'wait': there is no such level 'agent' for a team's target. Known are: centre, channel, "
         "line_manager, queue, reason, site, team"),
        *((with_line("targets:", f"  - {{from: 2026-01-01, team: 30, tolerance: {value}}}"),
           "kpis.yml:14: KPI 'wait': 'tolerance' must be a number of at least 0. "
           "Write {absolute: 0.02} or {relative: 0.05}")
          for value in ("wide", "-1", "true", "{absolute: -1}", "{relative: wide}", ".nan")),
        *((with_line("targets:", f"  - {{from: 2026-01-01, team: 30, tolerance: {value}}}"),
           "kpis.yml:14: KPI 'wait': 'tolerance' is absolute or relative. Write {absolute: 0.02} or {relative: 0.05}")
          for value in ("{}", "{absolute: 1, relative: 0.1}")),
        (with_line("targets:", "  - {from: 2026-01-01, team: 30, tolerance: {relativ: 0.1}}"),
         "kpis.yml:14: KPI 'wait': unknown field 'relativ'. Did you mean 'relative'?"),
        (with_line("targets:", "  - {from: 2026-01-01, team: 30, tolerance: {relative: 5}}"),
         "kpis.yml:14: KPI 'wait': 'tolerance' must be below 1. Write 0.05 for 5%"),
        (with_line("targets:", "  - {from: 2026-01-01, team: 0.8, tolerance: 2}").replace("asa", "answer_rate"),
         "kpis.yml:14: KPI 'wait': 'tolerance' must be below 1. Write 0.02 for 2%"),
        # approval
        (with_line("approval: yes", instead_of="approval"),
         "kpis.yml:11: KPI 'wait': 'approval' must be a table. Write {state: draft}"),
        (with_line("approval: {sate: draft}", instead_of="approval"),
         "kpis.yml:11: KPI 'wait': unknown field 'sate'. Did you mean 'state'?"),
        (with_line("approval: {}", instead_of="approval"), "kpis.yml:11: KPI 'wait': the state None is not one of "
         "draft, consulted, approved, retired. Begin with draft"),
        (with_line("approval: {state: agreed}", instead_of="approval"), "kpis.yml:11: KPI 'wait': the state 'agreed' "
         "is not one of draft, consulted, approved, retired. Begin with draft"),
        (with_line("approval: {state: approved, on: 2026-01-01}", instead_of="approval"),
         "kpis.yml:11: KPI 'wait': an approved KPI must say who approved it. Add by: and on:"),
        (with_line("approval: {state: approved, by: 5}", instead_of="approval"),
         "kpis.yml:11: KPI 'wait': 'by' must be a text"),
        (with_line("approval: {state: approved, by: Board, on: January}", instead_of="approval"),
         "kpis.yml:11: KPI 'wait': 'on' must be a day. Write it as 2026-11-30"),
        (with_line("approval: {state: approved, by: Board, on: 2026-05-01, until: 2026-04-01}", instead_of="approval"),
         "kpis.yml:11: KPI 'wait': the approval ends before it begins. Correct on: or until:"),
        (with_line("approval: {state: draft, consulted: Teams}", instead_of="approval"),
         "kpis.yml:11: KPI 'wait': 'consulted' must be a list of texts. Write [Team managers, Planning]"),
        # rebase
        *((with_line(f"rebase: {value}"), "kpis.yml:13: KPI 'wait': each step of 'rebase' needs a day and a reason. "
           "Write {on: 2026-01-01, why: new rota}")
          for value in ("2026-01-01", "[2026-01-01]", "[{on: 2026-01-01}]", "[{on: 2026-01-01, why: 5}]",
                        "[{on: 2026-01-01, why: a, who: b}]", "[{on: , why: a}]")),
        (with_line("rebase: [{on: January, why: a}]"),
         "kpis.yml:13: KPI 'wait': 'on' must be a day. Write it as 2026-11-30"),
    ],
)  # fmt: skip
def test_a_register_that_cannot_be_followed_is_refused_by_line(read, text, message):
    """One line: file and line, KPI, what is wrong, what to write."""
    with pytest.raises(RegisterError) as refused:
        read(text)
    assert str(refused.value) == message
    assert refused.value.exit_code == 2


def test_a_register_that_is_not_there_is_named(tmp_path):
    """The path of the machine is not."""
    with pytest.raises(RegisterError) as refused:
        load(tmp_path / "kpis.yml", TABLES)
    assert str(refused.value) == "there is no register kpis.yml. Write one, or take the sample's as a model"


def test_fields_that_are_merged_in_are_read_and_refused_at_their_entry(read):
    """YAML's << keeps no line of its own for what it brings; the entry's line is said."""
    text = GOOD.replace("    measure: asa\n", "    measure: &own {kind: share, numerator: {count: wait_s > 5}, "
                        "denominator: {}}\n")  # fmt: skip
    text += (
        text.split("kpis:\n")[1]
        .replace("id: wait", "id: more")
        .replace(
            "measure: &own {kind: share, numerator: {count: wait_s > 5}, denominator: {}}",
            "measure: {<<: *own, denominator: {count: outcome = 'answered'}}",
        )
    )
    assert read(text)["more"].measure.denominator.where == "outcome = 'answered'"
    with pytest.raises(RegisterError) as refused:
        read(text.replace("outcome = 'answered'", "outcome"))
    assert str(refused.value).startswith("kpis.yml:16: KPI 'more': 'outcome' is not a condition.")


@pytest.mark.parametrize(
    ("day", "team", "agent"),
    [
        (date(2025, 12, 31), None, None),
        (date(2026, 1, 1), 30.0, None),
        (date(2026, 5, 31), 30.0, None),
        (date(2026, 6, 1), 20.0, 25.0),
        (date(2026, 9, 1), None, None),
        (date(2030, 1, 1), None, None),
    ],
)
def test_the_target_is_the_one_in_force_on_the_day(read, day, team, agent):
    """Earlier periods keep the earlier target; a target of null ends it."""
    kpi = read(
        with_line(
            "targets:",
            "  - {from: 2026-09-01, team: null}",
            "  - {from: 2026-06-01, team: 20, individual: 25}",
            "  - {from: 2026-01-01, team: 30}",
        )
    )["wait"]
    target = kpi.target_on(day)
    assert ((target.at("team"), target.at("agent")) if target else (None, None)) == (team, agent)


def test_a_target_holds_for_the_levels_it_names():
    """Without levels it holds for all but agents, who have their own."""
    everywhere = Target(since=date(2026, 1, 1), team=0.8, individual=0.7)
    assert [everywhere.at(level) for level in ("centre", "queue", "agent")] == [0.8, 0.8, 0.7]
    some = Target(since=date(2026, 1, 1), team=0.8, individual=0.7, levels=("centre", "team"))
    assert [some.at(level) for level in ("centre", "queue", "agent")] == [0.8, None, 0.7]


@pytest.mark.parametrize(
    ("approval", "covered"),
    [
        ({"state": "approved", "on": date(2026, 2, 1), "until": date(2026, 3, 31)}, [False, True, True, False]),
        ({"state": "approved", "on": date(2026, 2, 1)}, [False, True, True, True]),
        ({"state": "approved"}, [True, True, True, True]),
        ({"state": "consulted", "on": date(2026, 2, 1)}, [False] * 4),
        ({"state": "draft"}, [False] * 4),
        ({"state": "retired", "on": date(2026, 2, 1)}, [False] * 4),
    ],
)
def test_an_approval_covers_its_first_and_its_last_day(approval, covered):
    """Outside them, and in any other state, the KPI is experimental."""
    days = [date(2026, 1, 31), date(2026, 2, 1), date(2026, 3, 31), date(2026, 4, 1)]
    assert [Approval(**approval).covers(day) for day in days] == covered


def test_a_kpi_is_due_for_periods_as_long_as_its_own_or_longer(read):
    """A weekly KPI is in the week's report and in the month's, not in the day's."""
    kpis = read(GOOD)
    assert [kind for kind in KINDS if kpis.due(kind)] == ["week", "month", "quarter", "year"]


def test_an_unknown_kpi_is_answered_with_the_nearest(read):
    """Commands name KPIs by id."""
    with pytest.raises(RegisterError) as refused:
        read(GOOD)["wiat"]
    assert str(refused.value) == "kpis.yml: the register has no KPI 'wiat'. Did you mean 'wait'?"


def test_a_measure_of_ones_own_is_read_with_both_sides(read):
    """Sides count rows or sum expressions; better, unit and source are the register's."""
    kpi = read(
        with_line(
            "measure: {kind: ratio, unit: s, table: intervals, about: wait, numerator: {sum: asa_s * n_answered, "
            "where: asa_s is not null, scale: 10}, denominator: {sum: n_answered, where: asa_s is not null}}",
            instead_of="measure",
        )
    )["wait"]
    measure = kpi.measure
    assert (measure.kind, measure.unit, measure.about, measure.better) == ("ratio", "s", "wait", "up")
    assert (measure.numerator.of, measure.numerator.scale, measure.denominator.table) == (
        "asa_s * n_answered",
        10,
        "intervals",
    )
    assert measure.source == "the centre's own definition"
    assert kpi.columns == ("asa_s", "n_answered")


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_measure_of_the_catalogue_can_be_registered(read, name):
    """With its own default parameters, source and words."""
    text = with_line(f"measure: {name}", instead_of="measure").replace("[centre, team]", "[centre]")
    measure = read(text)["wait"].measure
    assert measure.key == name
    assert measure.about and measure.source


# The schema for editors says the same as the reader.


@pytest.fixture(scope="module")
def schema():
    """The JSON Schema that lies beside the reader."""
    return json.loads(Path(register.__file__).with_name("register.schema.json").read_text(encoding="utf-8"))


def plain(value):
    """Turn what YAML gives into what JSON knows; days become texts, as editors see them."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value.isoformat() if isinstance(value, date) else value


def test_the_schema_is_valid_and_accepts_the_register_of_the_repository(schema, root):
    """Also those of the examples."""
    validator = jsonschema.Draft202012Validator
    validator.check_schema(schema)
    paths = [root / "kpis.yml", *sorted((root / "examples").glob("*/kpis.yml"))]
    for path in paths:
        content = plain(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")))
        errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in validator(schema).iter_errors(content)]
        assert errors == [], path.name


def test_the_schema_knows_the_fields_of_the_reader(schema):
    """A field that is added to the reader needs its line in the schema, and the other way round."""
    kpi = schema["$defs"]["kpi"]
    assert kpi["required"] == list(register._REQUIRED)
    assert set(kpi["properties"]) == {*register._REQUIRED, *register._OPTIONAL}
    assert schema["properties"]["version"]["const"] == register.VERSION
    for name, fields in (
        ("target", register._TARGET),
        ("approval", register._APPROVAL),
        ("rebase", register._REBASE),
        ("definition", register._DEFINITION),
        ("own_measure", register._OWN),
        ("side", register._SIDE),
    ):
        assert set(schema["$defs"][name]["properties"]) == set(fields), name
    choices = {
        ("own_measure", "kind"): register._KINDS,
        ("own_measure", "unit"): register._UNITS,
        ("approval", "state"): STATES,
        ("kpi", "frequency"): KINDS,
    }
    for (name, field), values in choices.items():
        assert schema["$defs"][name]["properties"][field]["enum"] == list(values)
    assert schema["$defs"]["level"]["enum"] == list(LEVELS)
    closed = {name: entry for name, entry in schema["$defs"].items() if "properties" in entry}
    closed.pop("python_measure")  # its parameters are those of the function
    assert all(entry["additionalProperties"] is False for entry in closed.values())


def test_the_schema_knows_the_catalogue(schema):
    """Names, parameters, types and ranges of all measures."""
    measures = schema["$defs"]["catalogue_measure"]["oneOf"]
    assert schema["$defs"]["measure_name"]["enum"] == sorted(CATALOGUE)
    listed = {entry["properties"]["name"]["const"]: entry for entry in measures}
    assert sorted(listed) == sorted(CATALOGUE)
    for name, function in CATALOGUE.items():
        parameters = {key: value.default for key, value in inspect.signature(function).parameters.items()}
        fields = {key: entry for key, entry in listed[name]["properties"].items() if key != "name"}
        assert set(fields) == set(parameters), name
        for key, default in parameters.items():
            assert fields[key]["default"] == default
            if isinstance(default, int):
                least, most = PARAMETER_RANGES[key]
                assert (fields[key]["type"], fields[key]["minimum"], fields[key]["maximum"]) == ("integer", least, most)
            else:
                assert tuple(fields[key].get("enum", ())) == choices(name, key)


@pytest.mark.parametrize(
    "change",
    [
        "tagrets: []",
        "better: faster",
        "worth: dear",
        "targets: 0.8",
        "targets: [{team: 0.8}]",
        "targets: [{from: 2026-01-01, team: fast}]",
        "targets: [{from: 2026-01-01, team: 1, tolerance: {relativ: 1}}]",
        "rebase: [{on: 2026-01-01}]",
        "review_on: soon",
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(schema, change):
    """An editor marks the mistake before a run does."""
    content = plain(YAML(typ="safe", pure=True).load(with_line(change)))
    checker = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    assert list(checker.iter_errors(content))


def test_the_register_of_the_repository_names_its_schema_by_a_relative_path(root):
    """Editors find the schema in any checkout."""
    first = (root / "kpis.yml").read_text(encoding="utf-8").splitlines()[0]
    marker, path = first.split("$schema=")
    assert marker == "# yaml-language-server: "
    assert (root / path).is_file()
    assert not Path(path).is_absolute()


def test_the_register_of_the_repository_can_be_followed(root):
    """Every KPI has a purpose, an owner and an action; most are approved."""
    kpis = load(root / "kpis.yml", TABLES).kpis
    assert len(kpis) >= 10
    assert all(kpi.purpose and kpi.owner and kpi.action_after_review for kpi in kpis)

"""Suites are read whole or refused with file, rule and key."""

from __future__ import annotations

import copy
import hashlib
import json

import pytest

from ccanalysis.checks import suites
from ccanalysis.contracts import TABLES, Column
from ccanalysis.errors import SettingsError

from .conftest import SUITES

RULE = {
    "type": "expect_column_values_to_be_between",
    "severity": "warning",
    "kwargs": {"column": "wait_s", "min_value": 0, "mostly": 0.99},
    "meta": {
        "id": "contacts.wait",
        "dimension": "validity",
        "verdict": "accuracy",
        "severity": "caution",
        "columns": ["wait_s"],
        "kpis": [],
        "about": "have a wait that cannot be",
        "remedy": "Look at the unit",
    },
}


def load(tmp_path, change=lambda rule, suite: None, *, name: str = "contacts", contract=TABLES):
    folder = tmp_path / "expectations"
    folder.mkdir(exist_ok=True)
    rule = copy.deepcopy(RULE)
    suite = {"name": "contacts", "expectations": [rule]}
    change(rule, suite)
    (folder / f"{name}.json").write_text(json.dumps(suite))
    return suites.load(folder, contract)


def test_a_suite_in_the_format_of_great_expectations_is_read(tmp_path):
    """What the gate needs stands in meta; the rest is passed on."""
    rules, hashes = load(tmp_path)
    (rule,) = rules["contacts"]
    assert (rule.id, rule.verdict, rule.severity, rule.columns) == ("contacts.wait", "accuracy", "caution", ("wait_s",))
    content = (tmp_path / "expectations" / "contacts.json").read_bytes()
    assert hashes == {"contacts": hashlib.sha256(content).hexdigest()}


def wrong(path: str, value: object):
    """Set, or with `...` take out, what stands at a dotted path of the rule."""

    def change(rule, suite):
        *parents, last = path.split(".")
        for parent in parents:
            rule = rule[parent]
        if value is ...:
            del rule[last]
        else:
            rule[last] = value

    return change


AT = "expectations/contacts.json, rule 'contacts.wait': "


@pytest.mark.parametrize(
    ("change", "text"),
    [
        pytest.param(
            wrong("meta.severty", "note"),
            AT + "unknown key 'severty' in 'meta'. Did you mean 'severity'?",
            id="a_mistyped_key_of_meta",
        ),
        pytest.param(
            wrong("kwargs.mostyl", 0.9),
            AT + "unknown key 'mostyl' in 'kwargs'. Did you mean 'mostly'?",
            id="an_argument",
        ),
        pytest.param(wrong("meta.remedy", ...), AT + "there is no 'remedy' in 'meta'. Add 'remedy'", id="no_remedy"),
        pytest.param(
            wrong("kwargs.column", "wait"),
            AT + "'kwargs' names 'wait', which the batch 'rows' does not have. Did you mean 'wait_s'?",
            id="a_column_that_is_not_there",
        ),
        pytest.param(
            wrong("meta.columns", ["waits"]),
            AT + "'meta.columns' names 'waits', which table 'contacts' does not have. Did you mean 'wait_s'?",
            id="a_column_that_the_table_does_not_have",
        ),
        pytest.param(
            wrong("severity", "critical"),
            AT + "'severity' is 'critical', but 'meta.severity' is 'caution'. Write 'warning' for 'caution'",
            id="severities_that_disagree",
        ),
        pytest.param(
            wrong("type", "expect_column_values_to_be_betwen"),
            AT + "'type' is 'expect_column_values_to_be_betwen'. Did you mean 'expect_column_values_to_be_between'?",
            id="an_expectation_that_is_not_known",
        ),
        pytest.param(
            wrong("type", "unexpected_rows_expectation"),
            AT
            + "'type' is 'unexpected_rows_expectation'. Known are: "
            + ", ".join(sorted([*suites.ROW_TYPES, *suites.VALUE_TYPES])),
            id="an_expectation_that_would_run_a_users_sql",
        ),
        pytest.param(
            wrong("kwargs.max_value", {"$PARAMETER": "as_off"}),
            AT
            + '\'kwargs.max_value\' must be a number, a text or a parameter. Write for example {"$PARAMETER": "as_of"}',
            id="a_parameter_that_is_not_known",
        ),
        pytest.param(
            wrong("kwargs.mostly", 0), AT + "'kwargs.mostly': 0 is less than or equal to the minimum of 0", id="mostly"
        ),
        pytest.param(
            wrong("meta.verdict", "acuracy"), AT + "'meta.verdict' is 'acuracy'. Did you mean 'accuracy'?", id="verdict"
        ),
        pytest.param(
            wrong("meta.on", "control_totals"),
            AT + "'meta.on' is 'control_totals'. Did you mean 'control'?",
            id="a_batch_that_is_not_known",
        ),
        pytest.param(
            wrong("meta.id", "surveys.wait"),
            "expectations/contacts.json, rule 'surveys.wait': the id must begin with 'contacts.'",
            id="an_id_of_another_table",
        ),
        pytest.param(
            wrong("meta", 5),
            "expectations/contacts.json, rule number 1: 'meta' must be of type object",
            id="a_rule_without_an_id",
        ),
        pytest.param(
            lambda rule, suite: suite.update(owner="quality"),
            "expectations/contacts.json: unknown key 'owner'. Known are: expectations, meta, name",
            id="a_key_of_the_suite",
        ),
        pytest.param(
            lambda rule, suite: suite.update(name="surveys"),
            "expectations/contacts.json: the suite is named 'surveys'. Name it 'contacts', as its file",
            id="the_name_of_another_suite",
        ),
        pytest.param(
            lambda rule, suite: suite["expectations"].append(copy.deepcopy(rule)),
            AT + "two rules have the id 'contacts.wait'. Give each an id of its own",
            id="an_id_given_twice",
        ),
    ],
)
def test_what_cannot_be_followed_is_refused(tmp_path, change, text):
    """A typo must not pass as a rule that holds."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, change)
    assert str(caught.value) == text


def test_a_file_for_no_table_is_refused(tmp_path):
    """A misnamed file would leave its table without rules."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, name="contact")
    assert str(caught.value) == (
        "expectations/contact.json: there is no table 'contact' to expect anything of. Did you mean 'contacts'?"
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b'{"name": "contacts", "name": "contacts"}', "it is not valid JSON: the key 'name' is given twice"),
        (b"{", "it is not valid JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    ],
)
def test_what_is_not_json_is_refused(tmp_path, content, text):
    """A key given twice would hide the first of them."""
    (tmp_path / "contacts.json").write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        suites.load(tmp_path, TABLES)
    assert caught.value.problem == text


def test_the_suites_of_the_product_are_read():
    """One suite for every table and one for the figures, ids named by their table."""
    rules, hashes = suites.load(SUITES, TABLES)
    assert set(rules) == set(hashes) == set(TABLES) | {"figures"}
    assert all(rules.values())


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_suites_hold_what_contracts_imply(table):
    """Required values, closed lists and ranges are expected with the contract's own bounds."""
    rules, _ = suites.load(SUITES, TABLES)
    held = [(rule.type, {k: v for k, v in rule.kwargs.items() if v is not None}) for rule in rules[table.name]]
    implied = [rule for rule in suites.implied(table) if table.name != "calendar" or "opens" not in rule.columns]
    assert [rule.id for rule in implied if (rule.type, dict(rule.kwargs)) not in held] == []


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_every_column_that_a_kpi_could_read_has_a_rule(table):
    """Names and free text of people, and columns that only describe, are the exceptions."""
    rules, _ = suites.load(SUITES, TABLES)
    ruled = {column for rule in rules[table.name] for column in rule.columns}
    without = {column.name for column in table.mapped} - ruled
    assert without <= {
        "actions": {"state", "what"},
        "activities": {"given_by"},
        "agents": {"agent_name"},
        "breaches": {"site", "agent_id"},
        "calendar": {"note"},
        "requirements": {"title", "procedure", "source", "verified"},
    }.get(table.name, set())


def test_a_column_of_the_workspace_gets_the_rules_that_its_contract_implies(tmp_path):
    """Nobody has to write a suite for a count of their own, and none goes unchecked."""
    extra = Column(name="n_transferred", type="integer", about="transferred", low=0, high=9)
    contract = TABLES | {"contacts": TABLES["contacts"].extended((extra,))}
    rules, _ = load(tmp_path, contract=contract)
    assert [(rule.id, rule.severity) for rule in rules["contacts"]] == [
        ("contacts.wait", "caution"),
        ("contacts.n_transferred_range", "block"),
    ]


def test_a_rule_that_keeps_to_a_channel_says_so(tmp_path):
    """So that a rule on chats is not held against calls."""
    condition = {
        "type": "and",
        "conditions": [
            {"type": "comparison", "column": {"name": "outcome"}, "operator": "==", "parameter": "answered"},
            {"type": "comparison", "column": {"name": "channel"}, "operator": "IN", "parameter": ["voice", "chat"]},
        ],
    }
    rules, _ = load(tmp_path, wrong("kwargs.row_condition", condition))
    assert rules["contacts"][0].channels == ("voice", "chat")
    assert rules["contacts"][0].named == {"wait_s", "outcome", "channel"}

"""`ccanalysis check` as a gate in somebody's pipeline: an exit code, and JSON that a program reads."""

from __future__ import annotations

import json

import pytest

from ccanalysis import cli

from .conftest import PERIOD

pytestmark = pytest.mark.slow


def checked(weir, capsys):
    """Run the command; return its exit code and what the JSON says, by rule."""
    weir.open()
    code = cli.main(["check", "--workspace", str(weir.root), "--period", PERIOD, "--format", "json"])
    rows = json.loads(capsys.readouterr().out)  # nothing but JSON on standard output
    return code, {row["rule"]: row for row in rows}


def test_sound_data_pass_and_every_rule_says_what_it_looked_at(weir, capsys):
    """Exit code 0."""
    code, rules = checked(weir, capsys)
    assert code == 0
    assert rules["contacts.key_unique"]["outcome"] == "passed"
    assert rules["contacts.key_unique"]["n"] > 0 == rules["contacts.key_unique"]["n_failed"]
    blocking = {name for name, row in rules.items() if row["outcome"] == "failed" and row["severity"] == "block"}
    assert blocking == set()


def test_a_gate_that_refuses_exits_with_1_and_names_rule_rows_and_remedy(weir, all_calls, capsys):
    """The switch told the waits of the week in milliseconds."""
    week = all_calls["Offered"] >= "2026-11-09"
    weir.export("calls_1.csv", all_calls.assign(Wait=all_calls["Wait"].mask(week, all_calls["Wait"] * 1000)))
    code, rules = checked(weir, capsys)
    assert code == 1
    failed = rules["contacts.wait_unit"]
    assert (failed["outcome"], failed["severity"], failed["verdict"]) == ("failed", "block", "accuracy")
    assert failed["reason"] and failed["remedy"]


def test_a_workspace_that_cannot_be_read_exits_with_2_and_prints_no_json(tmp_path, capsys):
    """A pipeline that reads the output gets none."""
    assert cli.main(["check", "--workspace", str(tmp_path), "--format", "json"]) == 2
    assert capsys.readouterr().out == ""

"""A notebook is given what it declares, and nothing else."""

from __future__ import annotations

import pytest

from ccanalysis.errors import ExitCode, ParameterError
from ccanalysis.reports.parameters import check_parameters, declared


def holding(source: str, *tags: str) -> dict:
    """Return the content of a notebook with one cell."""
    return {"cells": [{"cell_type": "code", "source": source, "metadata": {"tags": list(tags)}}]}


NOTEBOOK = holding(
    '"""What to show."""\nteam = "North"\nthreshold_s: int = 20\nshare = 0.8\nquick = False\nslice = None', "parameters"
)


def test_the_defaults_are_read_without_running_the_notebook():
    assert declared(NOTEBOOK) == {"team": "North", "threshold_s": 20, "share": 0.8, "quick": False, "slice": None}


def test_a_negative_number_is_a_plain_value():
    assert declared(holding("low = -1.5", "parameters")) == {"low": -1.5}


@pytest.mark.parametrize(
    "given",
    [{}, {"team": "007"}, {"threshold_s": 30}, {"share": 1}, {"share": 0.5}, {"quick": True}, {"slice": "x"}],
    ids=str,
)
def test_values_of_the_declared_type_are_taken(given):
    check_parameters(NOTEBOOK, given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tema": "x"}, "the notebook has no parameter 'tema'. Did you mean 'team'?"),
        ({"n=1; import os": 1}, "the notebook has no parameter 'n=1; import os'. Known are: "),
        ({"team": 7}, "the parameter 'team' is a whole number, and the notebook's own is text. Give text"),
        ({"threshold_s": "7"}, "the parameter 'threshold_s' is text, and the notebook's own is a whole number. "),
        ({"threshold_s": 7.5}, "the parameter 'threshold_s' is a number, and the notebook's own is a whole number. "),
        ({"threshold_s": True}, "the parameter 'threshold_s' is true or false, and the notebook's own is a whole "),
        ({"quick": 1}, "the parameter 'quick' is a whole number, and the notebook's own is true or false. "),
        ({"team": None}, "the parameter 'team' is nothing, and the notebook's own is text. Give text"),
        ({"share": float("nan")}, "the parameter 'share' is not a finite number. Give a number"),
        ({"team": ["x"]}, "the parameter 'team' is a list. Give text or a number"),
        ({"team": "\ud800"}, "the parameter 'team' holds half a character. Give text in Unicode"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_anything_else_is_refused_by_name(given, message):
    with pytest.raises(ParameterError) as caught:
        check_parameters(NOTEBOOK, given)
    assert str(caught.value).startswith(message)
    assert caught.value.exit_code == ExitCode.WRONG_SETTINGS


def test_a_missing_parameter_is_refused_where_all_are_asked_for():
    with pytest.raises(ParameterError, match="the parameter 'threshold_s' is not given"):
        check_parameters(NOTEBOOK, {"team": "x"}, complete=True)


@pytest.mark.parametrize(
    ("notebook", "message"),
    [
        (holding("team = 1"), "no cell is tagged 'parameters'. Tag the one cell that holds the defaults"),
        (
            {"cells": holding("a = 1", "parameters")["cells"] * 2},
            "2 cells are tagged 'parameters'. Tag the one cell that holds the defaults",
        ),
        (holding("from os import environ", "parameters"), "line 1 of the parameters cell does not give a plain value"),
        (holding("a = 1\nb = a + 1", "parameters"), "line 2 of the parameters cell does not give a plain value"),
        (holding("a = b = 1", "parameters"), "line 1 of the parameters cell does not give a plain value"),
        (holding("a = [1]", "parameters"), "line 1 of the parameters cell does not give a plain value"),
        (holding("a: int", "parameters"), "line 1 of the parameters cell does not give a plain value"),
        (holding("a = (", "parameters"), "line 1 of the parameters cell is not Python. Correct it"),
    ],
    ids=["no_tag", "two_tags", "import", "computed", "twice", "list", "no_value", "syntax"],
)
def test_a_notebook_without_one_plain_parameters_cell_is_refused(notebook, message):
    with pytest.raises(ParameterError) as caught:
        check_parameters(notebook, {})
    assert str(caught.value).startswith(message)


def test_a_file_that_is_no_notebook_is_named(tmp_path):
    (tmp_path / "x.ipynb").write_text("{")
    with pytest.raises(ParameterError, match=r"x\.ipynb: it is not a notebook"):
        check_parameters(tmp_path / "x.ipynb", {})
    with pytest.raises(ParameterError, match=r"y\.ipynb: the notebook is not there"):
        check_parameters(tmp_path / "y.ipynb", {})

"""Errors: one line with place, problem and remedy, and one exit code per kind."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccanalysis import errors
from ccanalysis.errors import CcanalysisError, ExitCode, nearest, place

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, CcanalysisError)]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"problem": "it is empty"}, "it is empty"),
        ({"problem": "it is empty", "remedy": "Fill it"}, "it is empty. Fill it"),
        ({"problem": "it is empty", "place": "kpis.yml:3"}, "kpis.yml:3: it is empty"),
        ({"problem": "it is empty", "place": "kpis.yml:3", "remedy": "Fill it"}, "kpis.yml:3: it is empty. Fill it"),
    ],
)
def test_an_error_reads_place_problem_remedy(given, text):
    """All three stand in one line, and each can be had by itself."""
    error = CcanalysisError(**given)
    assert str(error) == text
    assert (error.problem, error.remedy, error.place) == (
        given["problem"],
        given.get("remedy", ""),
        given.get("place", ""),
    )


def test_every_kind_of_error_ends_with_its_own_exit_code():
    """A command's exit code tells settings, input, environment and lock apart."""
    assert {kind.__name__: kind.exit_code for kind in KINDS} == {
        "CcanalysisError": ExitCode.WRONG_SETTINGS,
        "SettingsError": ExitCode.WRONG_SETTINGS,
        "RegisterError": ExitCode.WRONG_SETTINGS,
        "ExpressionError": ExitCode.WRONG_SETTINGS,
        "ParameterError": ExitCode.WRONG_SETTINGS,
        "ContractError": ExitCode.NO_USABLE_INPUT,
        "NoInputError": ExitCode.NO_USABLE_INPUT,
        "StatisticsError": ExitCode.WRONG_SETTINGS,
        "ReportError": ExitCode.SOME_FAILED,
        "EnvironmentFaultError": ExitCode.ENVIRONMENT,
        "LockedError": ExitCode.LOCKED,
    }


def test_exit_codes_are_those_of_the_documentation():
    """0 all made, 1 some failed, 2 settings, 3 no usable input, 4 environment, 5 locked."""
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 4, 5]
    assert ExitCode(0).name == "ALL_MADE"


@pytest.mark.parametrize(
    ("path", "where", "text"),
    [
        ("kpis.yml", {}, "kpis.yml"),
        ("kpis.yml", {"line": 12}, "kpis.yml:12"),
        ("data/contacts.csv", {"row": 7}, "data/contacts.csv, row 7"),
        ("contacts.csv", {"row": 7, "column": "Wait"}, "contacts.csv, row 7, column 'Wait'"),
        (Path("/somewhere/of/mine/contacts.csv"), {"column": "It's"}, 'contacts.csv, column "It\'s"'),
    ],
)
def test_a_place_is_written_one_way(path, where, text):
    """Of an absolute path only the name is shown: the rest belongs to one machine."""
    assert place(path, **where) == text


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("tema", "Did you mean 'team'?"),
        ("Team", "Did you mean 'team'?"),
        ("TEAM", "Did you mean 'team'?"),
        ("zebra", "Known are: queue, site, team"),
    ],
)
def test_the_nearest_known_name_is_offered(name, remedy):
    """A mistyped name gets its neighbour, also in other letters; a strange one the whole list."""
    assert nearest(name, ["team", "site", "queue"]) == remedy


@given(st.text(max_size=20), st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4))
def test_the_remedy_names_only_what_is_known(name, known):
    """Whatever was mistyped, what is offered is on the list."""
    remedy = nearest(name, known)
    assert remedy == "Known are: " + ", ".join(sorted(known)) or remedy in {f"Did you mean {one!r}?" for one in known}

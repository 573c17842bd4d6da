"""What the workspaces share: settings, registers and suites that can be followed, and data kept elsewhere."""

from __future__ import annotations

import pytest

from ccanalysis.checks import suites
from ccanalysis.errors import NoInputError
from ccanalysis.kpis import register
from ccanalysis.workspace import Workspace

ELSEWHERE = ("anonymous-bank", "cfpb-complaints", "nhs111", "vancouver-311")
EXAMPLES = (*ELSEWHERE, "uci-incidents")


@pytest.mark.parametrize("name", EXAMPLES)
def test_settings_register_and_suites_of_an_example_can_be_followed(root, name):
    """Each reads without an error, and each KPI says who approved it or that it is a draft."""
    workspace = Workspace.open(root / "examples" / name)
    kpis = register.load(workspace.register_path, workspace.tables).kpis
    rules, _ = suites.load(workspace.suites_path, workspace.tables)
    assert {source.table for source in workspace.sources} | {"figures"} == set(rules)
    assert {kpi.approval.state for kpi in kpis} <= {"approved", "draft"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_borrows_the_notebooks_of_the_checkout(root, name):
    """A workspace without notebooks of its own runs those beside the package."""
    workspace = Workspace.open(root / "examples" / name)
    assert workspace.notebooks_path == root / "notebooks"
    for plan in workspace.reports:
        assert (workspace.notebooks_path / f"{plan.notebook}.ipynb").is_file()


def test_a_workspace_with_notebooks_of_its_own_keeps_to_them(tmp_path):
    """What a workspace has is never mixed with what the checkout has."""
    (tmp_path / "notebooks").mkdir()
    assert _small(tmp_path).notebooks_path == tmp_path / "notebooks"


@pytest.mark.parametrize("name", ELSEWHERE)
def test_an_example_says_in_one_line_that_its_data_are_absent(root, command, tmp_path, name):
    """Exit code 3, and the last line on stderr names the path and the variable that can set it."""
    outcome = command("run", "--workspace", root / "examples" / name, CCANALYSIS_SHARED=str(tmp_path / "nowhere"))
    workspace = Workspace.open(root / "examples" / name)
    source = workspace.sources[0]
    assert outcome.returncode == 3
    assert outcome.stdout == ""
    assert outcome.stderr.splitlines()[-1] == (
        f"ccanalysis: ccanalysis.toml:{source.line}: source {source.name!r} needs the folder declared as path 'shared'"
        ", and it is not there. Put it there, or name its place in the environment variable CCANALYSIS_SHARED"
    )


def _small(folder, paths=""):
    (folder / "ccanalysis.toml").write_text(
        f'[centre]\nname = "Small"\ntime_zone = "UTC"\n{paths}\n[tables.intervals.columns]\n'
        'label = { type = "text", about = "a label" }\nextra = { type = "integer", about = "a count" }\n'
        '[[sources]]\nname = "days"\ntable = "intervals"\nfiles = "{data}/days.csv"\n[sources.columns]\n'
        'starts_on = { column = "day", format = "iso" }\nlength = { value = "day" }\n'
        if paths
        else '[centre]\nname = "Small"\ntime_zone = "UTC"\n'
        '[[sources]]\nname = "days"\ntable = "intervals"\nfiles = "days.csv"\n[sources.columns]\n'
        'starts_on = { column = "day", format = "iso" }\nlength = { value = "day" }\n',
        encoding="utf-8",
    )
    return Workspace.open(folder)


PATH = '[paths.data]\nenv = "SMALL_DATA"\ndefault = "../data"\n'


def test_a_declared_path_lies_beside_the_workspace_unless_a_variable_names_another(tmp_path, monkeypatch):
    """The default is seen from the workspace, the variable from where the command runs; an empty one says nothing."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    for told, expected in ((None, "data"), ("", "data"), ("exports", "there/exports"), (str(tmp_path), "")):
        if told is None:
            monkeypatch.delenv("SMALL_DATA", raising=False)
        else:
            monkeypatch.setenv("SMALL_DATA", told)
        assert _small(tmp_path / "here", PATH).paths == {"data": (tmp_path / expected).resolve()}


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        (PATH, "Put it there, or name its place in the environment variable SMALL_DATA"),
        ('[paths.data]\ndefault = "../data"\n', "Put it there, or name another place in [paths.data]"),
    ],
)
def test_an_absent_path_is_named_with_what_can_set_it(tmp_path, monkeypatch, path, remedy):
    """The error names the source, the path and the variable, where there is one."""
    monkeypatch.delenv("SMALL_DATA", raising=False)
    (tmp_path / "here").mkdir()
    workspace = _small(tmp_path / "here", path)
    with pytest.raises(NoInputError) as caught:
        workspace.files_of(workspace.sources[0])
    assert caught.value.problem == "source 'days' needs the folder declared as path 'data', and it is not there"
    assert caught.value.remedy == remedy


def test_a_text_column_of_a_workspace_has_no_least_value(tmp_path):
    """Counts begin at 0 unless the settings say otherwise; a text has no order to begin with."""
    table = _small(tmp_path, PATH).tables["intervals"]
    assert table.column("label").low is None
    assert table.column("extra").low == 0
    assert [rule.id for rule in suites.implied(table) if "label" in rule.columns] == []

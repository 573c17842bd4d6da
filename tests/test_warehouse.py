"""Judging where a warehouse holds the tables: settings, the command, and what leaves."""

from __future__ import annotations

import re

import pytest

from ccanalysis import cli, engine, results, warehouse
from ccanalysis.errors import NoInputError, SettingsError
from ccanalysis.workspace import Workspace

CENTRE = '[centre]\nname = "Small"\ntime_zone = "Europe/London"\nholidays = "GB-ENG"\n'
REGISTER = """\
version: 1
kpis:
  - id: quick
    name: Answered quickly
    purpose: Whoever rings should reach a person.
    measure: service_level
    levels: [centre, team]
    targets: [{from: 2020-01-01, team: 0.8}]
    frequency: week
    minimum_n: 20
    owner: Head of Planning
    approval: {state: approved, by: Board, on: 2026-01-01}
    action_after_review: Look at half-hours with losses.
"""


@pytest.fixture
def workspace(tmp_path):
    """A workspace without a source: its tables lie elsewhere."""
    (tmp_path / "kpis.yml").write_text(REGISTER, encoding="utf-8")
    settings = CENTRE + '[engine]\nkind = "postgresql"\nconnection = "CENTRE_DSN"\n'
    (tmp_path / "ccanalysis.toml").write_text(settings, encoding="utf-8")
    return Workspace.open(tmp_path)


@pytest.fixture
def held():
    """An engine that holds two weeks of contacts and listens to what it is asked."""
    connection = engine.connect()
    connection.execute(
        "CREATE TABLE contacts AS SELECT 'c' || i AS contact_id,"
        " CASE WHEN i % 7 = 0 THEN 'abandoned' ELSE 'answered' END AS outcome,"
        " (i % 30)::BIGINT AS wait_s, 'voice' AS channel, 'secret' || i AS customer_id,"
        " CASE WHEN i % 2 = 0 THEN 'Aire' ELSE 'Taff' END AS team, DATE '2026-11-02' + (i % 14)::INTEGER AS local_date"
        " FROM range(280) t(i)"
    )
    connection.execute("CREATE VIEW known AS SELECT 1")

    class Held(warehouse.Embedded):
        answers: list = []  # noqa: RUF012  one per test

        def has(self, table):
            return table == "contacts"

        def run(self, sql):
            self.answers.append(super().run(sql))
            return self.answers[-1]

    Held.answers = []
    yield Held(connection)
    connection.close()


def test_figures_are_judged_without_a_row_leaving(workspace, held):
    """Sums come back, for units and periods; no contact or customer is among them."""
    found = results.from_warehouse(workspace, engine=held)
    assert sorted(found["unit"]) == ["Aire", "Taff", "centre"]
    assert found.loc[found["unit"] == "centre", "n"].tolist() == [140]
    texts = {text for answer in held.answers for column in answer.columns for text in column.to_pylist()}
    assert not any(re.fullmatch(r"(secret|c)\d+", str(text)) for text in texts)
    assert max(len(answer) for answer in held.answers) <= 6


def test_the_command_asks_the_warehouse(workspace, held, monkeypatch, capsys):
    """`ccanalysis kpis` follows [engine]."""
    monkeypatch.setattr(warehouse, "from_environment", lambda kind, variable, schema: held)
    assert cli.main(["kpis", "--workspace", str(workspace.root), "--level", "team", "--format", "csv"]) == 0
    written = capsys.readouterr().out
    assert "Aire" in written and "Taff" in written and "centre,centre" not in written


def test_reports_say_that_they_need_rows(workspace):
    """Rather than read nothing and report nothing."""
    with pytest.raises(SettingsError) as refused:
        results.compute(workspace)
    assert str(refused.value) == (
        "ccanalysis.toml: reports need checked rows, and [engine] leaves the rows in the warehouse. "
        "Use `ccanalysis kpis`, or give [[sources]] and take [engine] out"
    )


def test_a_period_without_a_row_is_no_input(workspace, held):
    """The last day that the warehouse has is named."""
    with pytest.raises(NoInputError, match=r"there is no row in 2026-W30\. The data end on 2026-11-15"):
        results.from_warehouse(workspace, "2026-W30", engine=held)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ('kind = "oracle"', "'kind' is 'oracle', which is not one of duckdb, postgresql, spark"),
        ('kind = "postgresql"', "[engine] has no 'connection'. Add a line as connection = \"CENTRE_DSN\""),
        (
            'kind = "postgresql"\nconnection = "postgresql://me:secret@host/db"',
            "'connection' in [engine] must be the name of an environment variable. "
            "Keep the connection itself out of files",
        ),
        ('kind = "spark"\nshema = "x"', "[engine] has no setting 'shema'. Did you mean 'schema'?"),
    ],
)
def test_a_block_that_cannot_be_followed_names_its_line(tmp_path, block, message):
    """A connection in the file is not repeated, for it may hold a password."""
    (tmp_path / "ccanalysis.toml").write_text(f"{CENTRE}[engine]\n{block}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        Workspace.open(tmp_path)
    assert re.sub(r"^ccanalysis\.toml:\d+: ", "", str(refused.value)) == message

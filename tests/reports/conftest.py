"""Notebooks and a browser for the tests of reports."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ccanalysis.reports import execute
from ccanalysis.reports.index import Entry, render_index
from ccanalysis.reports.page import plotly_bytes

SETUP = """\
import numpy as np
import plotly.graph_objects as go

from ccanalysis.display import COLOURS, Card, Cell, Column, Figure, Item, Note, Sparkline, Table

rng = np.random.default_rng(seed)
weeks = [f"2026-W{week:02d}" for week in range(21, 47)]
level = (74 + rng.normal(0, 3, 26)).round(1).tolist()
ink, line, target = COLOURS["muted"][0], COLOURS["series_1"][0], COLOURS["target"][0]
"""
SUMMARY = """\
display(Note(kind="lead", text=f"{team} met 2 of 4 targets. Service level is short of its target."))
Note(kind="verdicts", items=[
    Item(text="Service level was 71.2 %, target at least 80 %.", status="missed", detail="1,204 contacts"),
    Item(text="Abandonment was 5.4 %, target at most 5 %.", status="chance", detail="1,204 contacts"),
    Item(text="First-contact resolution was 78 %, target at least 75 %.", status="met"),
    Item(text="Quality of contacts cannot be judged: 4 evaluations.", status="not_judged"),
])
"""
CARDS = """\
Note(kind="cards", cards=[
    Card(name="Service level", value="71.2 %", target="target ≥ 80 %", status="missed", variation="worsening_down",
         assurance="misses", rating="fit", note="1,204 contacts", spark=Sparkline(level, 80, "falling for 6 weeks")),
    Card(name="Abandonment", value="5.4 %", target="target ≤ 5 %", status="chance", variation="common",
         assurance="hit_or_miss", rating="caution", note="1,204 contacts", spark=Sparkline([5, 4, None, 5.4], 5)),
    Card(name="First-contact resolution", value="78 %", target="target ≥ 75 %", status="met", variation="improving_up",
         assurance="hits", rating="fit", spark=Sparkline([70, 72, 74, 76, 78], 75)),
    Card(name="Average handling time", value="6:12 min", status="tolerance", variation="changed_up", rating="unknown"),
    Card(name="Evaluations", value="–", status="not_judged", variation="unknown", assurance="none", rating="not_fit"),
])
"""
TABLE = """\
Table(caption="All figures of the week", columns=[
    "KPI", Column(label="Value", unit="week 46", align="right"), Column(label="Target", align="right"), "Verdict",
    "Course", "Last 26 weeks", "Data"],
    rows=[
        ["Service level", "71.2 %", "≥ 80 %", Cell(status="missed"), Cell(variation="worsening_down"),
         Cell(spark=Sparkline(level, 80)), Cell(rating="fit", words=False)],
        [team, "5.4 %", "≤ 5 %", Cell(status="chance"), Cell(variation="common"),
         Cell(spark=Sparkline([3, 4, 5])), Cell(rating="caution", words=False)],
        ["Contacts", 1204, None, Cell(status="not_judged"), Cell(variation="unknown"), None, Cell(rating="unknown")],
        ["Escalations", "2.1 %", "≤ 1 %", Cell(status="cannot"), Cell(variation="improving_down"), None,
         Cell(rating="not_fit", words=False)],
    ])
"""
CHARTS = [
    """\
figure = go.Figure()
for name, value, dash in (("usual range", 82, "dot"), ("average", 74, "dash"), ("usual range", 66, "dot")):
    figure.add_scatter(x=weeks, y=[value] * 26, mode="lines", line={"color": ink, "width": 1, "dash": dash},
                       name=name, showlegend=value != 66)
figure.add_scatter(x=weeks, y=[80] * 26, mode="lines", line={"color": target}, name="target")
figure.add_scatter(x=weeks, y=level, mode="lines+markers", name=team, line={"color": line},
                   marker={"symbol": ["circle"] * 20 + ["square"] * 6, "size": [6] * 20 + [9] * 6})
figure.update_xaxes(type="category", nticks=9)
figure.update_yaxes(title="Service level, %")
Figure(figure, title="Service level fell in the last six weeks", alt="Service level per week, between 66 and 82 %.")
""",
    """\
figure = go.Figure(go.Bar(x=["voice", "chat", "email", "social"], y=[620, 310, 204, 70], marker_color=line))
figure.update_yaxes(title="Contacts")
Figure(figure, title="Most contacts are calls", alt="Contacts by channel: voice 620, chat 310, email 204, social 70.")
""",
    """\
figure = go.Figure(go.Scatter(x=[70, 74, 81, 77], y=["East", "North", "South", team], mode="markers",
                              error_x={"array": [4, 3, 5, 2], "color": ink}, marker={"size": 9, "color": line}))
figure.add_vline(x=80, line={"color": target})
figure.update_layout(height=240)
figure.update_xaxes(title="Service level, %")
Figure(figure, title="Teams with their intervals", alt="Four teams between 70 and 81 %.")
""",
    """\
days = [f"2026-11-{day:02d}" for day in range(1, 29)]
low = (40 + rng.normal(0, 2, 28)).round(1)
figure = go.Figure([
    go.Scatter(x=days, y=low, mode="lines", line={"width": 0}, showlegend=False),
    go.Scatter(x=days, y=low + 20, mode="lines", line={"width": 0}, fill="tonexty",
               fillcolor="rgba(31, 95, 168, 0.15)", name="likely range"),
    go.Scatter(x=days, y=low + 10, mode="lines", line={"color": line}, name="wait, seconds")])
Figure(figure, title="Waits were steady", alt="Daily waits with their likely range, about 50 seconds.")
""",
    """\
figure = go.Figure([go.Bar(x=weeks[-8:], y=rng.integers(20, 60, 8), name=name) for name in ("answered", "abandoned")])
figure.update_layout(barmode="stack")
Figure(figure, title="How contacts ended", alt="Answered and abandoned contacts of eight weeks.")
""",
    """\
figure = go.Figure(go.Scatter(x=rng.integers(50, 900, 40), y=rng.normal(0.8, 0.05, 40).round(3), mode="markers"))
figure.update_xaxes(title="Contacts")
figure.update_yaxes(tickformat=".0%")
Figure(figure, title="Small teams vary more", alt="Forty teams: those with few contacts lie further apart.")
""",
]


def cell(source: str, *tags: str) -> dict[str, Any]:
    """Return a code cell."""
    metadata = {"tags": list(tags)} if tags else {}
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": [], "execution_count": None}


def prose(source: str, *tags: str) -> dict[str, Any]:
    """Return a Markdown cell."""
    return {"cell_type": "markdown", "source": source, "metadata": {"tags": list(tags)} if tags else {}}


def write(path: Path, *cells: dict[str, Any]) -> Path:
    """Write a notebook of these cells."""
    numbered = [{**content, "id": f"cell-{number}"} for number, content in enumerate(cells)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"cells": numbered, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    return path


def team_report_cells() -> list[dict[str, Any]]:
    """Return a team report with a summary, cards, a table, six charts and folded detail."""
    cells = [
        prose("# Team report\nWhat went well, where the team falls short, and what to do this week."),
        cell('team = "North"\nseed = 1', "parameters"),
        cell(SETUP),
        cell(SUMMARY, "summary"),
        prose("## How the team stands"),
        cell(CARDS),
        cell(
            'Note(kind="callout", title="First do this", text=f"Look at the lunch hours of {team}.", status="missed")'
        ),
        prose("## The figures\n\nA *marked* point is a real change; see [the definitions](#definitions)."),
        cell(TABLE),
        prose("## The course of the KPIs"),
        *map(cell, CHARTS),
        prose("## Definitions"),
        prose(
            "### How service level is made\nShare of offered contacts answered within 20 s.\n\n|a|b|\n|-|-:|\n|c|1|",
            "detail",
        ),
        cell('print("1,204 contacts, 2 rows in quarantine")', "detail"),
        prose("## What the data cannot show\n\n- why something happened\n- anything about one person"),
        cell('Note(kind="list", items=["one", "two"])'),
    ]
    return cells


@pytest.fixture(scope="session", autouse=True)
def end_warm_process() -> Iterator[Callable[[], None]]:
    """Keep the warm process from one test to the next, and end it after the last; return what ends it."""
    close = execute._close
    execute._close = lambda: None
    yield close
    execute._close = close
    close()


@pytest.fixture
def notebook(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a notebook of cells and returns its path."""
    return lambda *cells, name="report.ipynb": write(tmp_path / name, *cells)


@pytest.fixture(scope="session")
def team_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the notebook of a team report."""
    return write(tmp_path_factory.mktemp("notebooks") / "team-report.ipynb", *team_report_cells())


@pytest.fixture(scope="session")
def pages(team_report: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a team report in both modes, an index, and plotly.js beside them."""
    folder = tmp_path_factory.mktemp("pages")
    jobs = [
        execute.Job(
            notebook=team_report,
            parameters={"team": "North", "seed": 1},
            output=folder / f"{mode}.html",
            title="Team report: North",
            subtitle="For the team and its leader",
            period="Week 46, Monday 9 to Sunday 15 November 2026",
            footer=["ccanalysis", "Data 1a2b3c4d"],
            key=mode,
            plotly=mode,
            linked_path="plotly.min.js",
            home="index.html",
        )
        for mode in ("inline", "linked")
    ]
    assert [outcome.error for outcome in execute.execute(jobs)] == ["", ""]
    (folder / "plotly.min.js").write_bytes(plotly_bytes())
    entries = [
        Entry(title="The centre", audience="centre", href="inline.html", headline="5 of 9 met.", statuses={"met": 5}),
        Entry(title="Data quality", audience="data_quality", href="linked.html", headline="Fit to use."),
        Entry(title="North", audience="team", href="inline.html", statuses={"met": 3, "chance": 1, "missed": 2}),
        Entry(title="West", audience="team", ok=False, error="cell 9: it stopped with KeyError"),
    ]
    (folder / "index.html").write_text(render_index(entries, title="Reports", period="Week 46", footer=["ccanalysis"]))
    return folder

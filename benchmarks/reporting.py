"""How much faster reports are made than by a loop of plain papermill and nbconvert.

Both sides make the same team reports with six charts each, from the same notebook and data, in the same run. The plain
side is what a person types: `papermill` and then `jupyter nbconvert --to html`, once per report, with plotly's
`notebook` renderer, for without it the page has no charts at all. Run it on a quiet machine:

    python benchmarks/reporting.py --reports 100 --plain 5 --jobs 2
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from ccanalysis.reports.execute import Job, execute

SETUP = """\
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy import stats

contacts = pd.read_parquet(data_path)
sides = {"offered": ("wait_s", "size"), "wait_s": ("wait_s", "mean"), "answered": ("answered", "mean")}
daily, weekly = contacts.groupby("day").agg(**sides), contacts.groupby(contacts["day"] // 7).agg(**sides)
trend = stats.linregress(np.arange(len(daily)), daily["wait_s"])
"""
TABLE = """\
rows = [[f"day {day}", f"{row.offered:,.0f}", f"{row.wait_s:.1f} s", f"{row.answered:.1%}"]
        for day, row in daily.tail(14).iterrows()]
"""
CHARTS = [
    "go.Figure(go.Scatter(x=daily.index, y=daily['wait_s'].round(2)))",
    "go.Figure(go.Bar(x=weekly.index, y=weekly['offered']))",
    "go.Figure(go.Scatter(x=daily['offered'], y=daily['answered'].round(4), mode='markers'))",
    "go.Figure([go.Scatter(x=weekly.index, y=weekly['answered']), go.Scatter(x=weekly.index, y=[0.8] * len(weekly))])",
    "go.Figure(go.Bar(x=contacts['queue'].value_counts().index, y=contacts['queue'].value_counts()))",
    "go.Figure(go.Scatter(x=daily.index, y=daily['wait_s'].rolling(7).mean().round(2)))",
]


def notebook(path: Path, *, plain: bool) -> Path:
    """Write the team report, for plain tools or for ours; the two differ in how a table and a chart are shown."""
    ours = "from ccanalysis.display import Figure, Table\nTable(columns=list('abcd'), rows=rows, caption='Two weeks')"
    shown = "pd.DataFrame(rows)" if plain else ours
    lead = "print(f'{team}: the wait changes by {trend.slope:.2f} s a day')"
    charts = [
        f"figure = {chart}\nfigure.update_layout(title='Chart {number}')\n"
        + ("figure" if plain else f"Figure(figure, title='Chart {number}', alt='Chart {number}')")
        for number, chart in enumerate(CHARTS)
    ]
    sources = [SETUP, lead, TABLE, shown, *charts]
    cells = [
        {"cell_type": "markdown", "source": "# Team report", "metadata": {}},
        _cell("team = ''\ndata_path = ''", ["parameters"]),
        *map(_cell, sources),
        {"cell_type": "markdown", "source": "## What the data cannot show", "metadata": {}},
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    return path


def _cell(source: str, tags: list[str] | None = None) -> dict[str, object]:
    metadata = {"tags": tags} if tags else {}
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": [], "execution_count": None}


def data(folder: Path, teams: int) -> list[Path]:
    """Write ten thousand contacts per team."""
    rng = np.random.default_rng(46)
    paths = []
    for team in range(teams):
        frame = pd.DataFrame(
            {
                "day": np.sort(rng.integers(0, 182, 10_000)),
                "wait_s": rng.exponential(30, 10_000).round(1),
                "answered": rng.random(10_000) < 0.93,
                "queue": rng.choice(["sales", "service", "billing"], 10_000),
            }
        )
        paths.append(folder / f"team-{team}.parquet")
        frame.to_parquet(paths[-1])
    return paths


def plain_loop(folder: Path, paths: list[Path]) -> float:
    """Make reports with the two commands, one after the other, and return the seconds per report."""
    source = notebook(folder / "plain.ipynb", plain=True)
    tools = Path(sys.executable).parent
    environment = {**os.environ, "PLOTLY_RENDERER": "notebook"}
    began = time.perf_counter()
    for number, path in enumerate(paths):
        made = folder / f"plain-{number}.ipynb"
        run = [
            tools / "papermill",
            source,
            made,
            "-r",
            "team",
            f"Team {number}",
            "-r",
            "data_path",
            path,
            "--no-progress-bar",
        ]
        subprocess.run([*map(str, run)], check=True, env=environment, capture_output=True)
        subprocess.run(
            [str(tools / "jupyter"), "nbconvert", "--to", "html", "--no-input", str(made)],
            check=True,
            env=environment,
            capture_output=True,
        )
        page = made.with_suffix(".html").read_text()
        charts = len(re.findall(r"Plotly\.newPlot\(", page))
        assert charts >= len(CHARTS), f"the plain page has {charts} charts"
    return (time.perf_counter() - began) / len(paths)


def ours(folder: Path, paths: list[Path], jobs_at_once: int, engine: str) -> float:
    """Make the reports with ccanalysis, start of the warm process included, and return the seconds per report."""
    source = notebook(folder / "ours.ipynb", plain=False)
    jobs = [
        Job(
            notebook=source,
            parameters={"team": f"Team {number}", "data_path": str(path)},
            output=folder / f"ours-{number}.html",
            title=f"Team {number}",
            key=str(number),
        )
        for number, path in enumerate(paths)
    ]
    began = time.perf_counter()
    outcomes = execute(jobs, jobs_at_once=jobs_at_once, engine=engine)
    seconds = time.perf_counter() - began
    failed = [outcome.error for outcome in outcomes if not outcome.ok]
    assert not failed, failed[0]
    assert all(job.output.read_text().count('<figure class="chart"') == len(CHARTS) for job in jobs)
    return seconds / len(paths)


def spent() -> float:
    """Return the processor seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure and print one line per side, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reports", type=int, default=100, help="how many reports ours makes (default: 100)")
    parser.add_argument("--plain", type=int, default=5, help="how many the plain loop makes (default: 5)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="reports at once (default: all cores)")
    parser.add_argument("--engine", choices=["auto", "inprocess", "kernel"], default="auto")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = data(folder, options.reports)
        before = spent()
        loop = plain_loop(folder, paths[: options.plain])
        between = spent()
        own = ours(folder, paths, options.jobs, options.engine)
        after = spent()
        loop_cpu, own_cpu = (between - before) / options.plain, (after - between) / options.reports
        size = (folder / "ours-0.html").stat().st_size
        plain_size = (folder / "plain-0.html").stat().st_size
    print(f"papermill + nbconvert: {loop:.2f} s a report ({loop_cpu:.2f} s of processor), {plain_size:,} bytes a page")
    print(f"ccanalysis, {options.jobs} at once: {own:.3f} s a report ({own_cpu:.2f} s of processor), {size:,} bytes")
    print(f"{options.reports} reports: {loop * options.reports:.0f} s against {own * options.reports:.0f} s")
    print(f"ratio: {loop / own:.1f} in time, {loop_cpu / own_cpu:.1f} in processor time")


if __name__ == "__main__":
    main()

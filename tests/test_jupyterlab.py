"""The notebooks in a real JupyterLab, run by hand in a real browser."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Every kind of output is in these; nbval runs the others, each in a kernel of its own.
NOTEBOOKS = ("02-kpi-performance", "04-line-manager-report")
pytestmark = [pytest.mark.chromium, pytest.mark.slow]


@pytest.fixture(scope="module")
def lab(sample_run, tmp_path_factory):
    """`ccanalysis lab` in a copy of the workspace, on a free port of this machine."""
    folder = tmp_path_factory.mktemp("lab") / "centre"
    shutil.copytree(sample_run.folder, folder)  # with what was computed, which the notebooks read
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = folder.parent / "home"
    home.mkdir()
    server = subprocess.Popen(
        [sys.executable, "-m", "ccanalysis.cli", "lab", "--no-browser", "--port", str(port)],
        cwd=folder,
        env={**os.environ, "JUPYTER_TOKEN": "known", "HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(240):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, "JupyterLab ended"
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}", folder / "notebooks"
    finally:
        server.terminate()
        server.wait(timeout=30)


def opened(page, address, name):
    """Open a notebook, run all of its cells, and return the addresses beyond the server that the page asked for."""
    outside = []
    page.on("request", lambda request: outside.append(request.url) if address not in request.url else None)
    page.goto(
        f"{address}/lab/tree/notebooks/{name}.ipynb?token=known&reset", wait_until="domcontentloaded", timeout=120_000
    )
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=120_000)
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']", timeout=120_000)
    page.wait_for_timeout(2_000)  # the kernel says idle a moment before it listens
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.wait_for_timeout(1_000)
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_selector(".jp-InputPrompt:has-text('*'), .jp-InputPrompt:has-text('[1]')", timeout=60_000)
    return outside


def test_a_figure_is_chosen_with_widgets_and_its_rows_are_shown(lab, browser):
    """Choose a KPI, a level and a unit by hand: table, chart and code follow; the button shows the rows behind them."""
    address, _ = lab
    page = browser.new_page(viewport={"width": 1280, "height": 2400})
    outside = opened(page, address, "00-explore")
    kpi, level, unit, _ = (page.locator(".widget-dropdown select").nth(place) for place in range(4))
    code = page.locator(".widget-textarea textarea").first
    kpi.wait_for(timeout=240_000)
    kpi.select_option(label="Average handling time of calls")
    level.select_option(label="Queue")
    unit.select_option(label="Technical")
    written = (
        "() => [...document.querySelectorAll('.widget-textarea textarea')].some(e => e.value.includes('Technical'))"
    )
    page.wait_for_function(written, timeout=60_000)
    assert code.input_value().endswith('centre.look("aht_voice", level="queue", unit="Technical")')
    panel = page.locator(".jupyter-widgets.widget-vbox").first
    panel.locator("text=Average handling time of calls: Technical").first.wait_for(timeout=60_000)
    panel.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=60_000, state="attached")
    panel.get_by_role("button", name="Show rows").click()
    panel.locator("text=Rows behind the figure").first.wait_for(timeout=60_000)
    assert code.input_value().endswith(".rows()")
    folder = os.environ.get("CCANALYSIS_SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / "lab-00-explore.png"))
    page.close()
    assert [url for url in outside if not url.startswith(("data:", "blob:"))] == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_by_hand_on_its_default_parameters(lab, browser, name):
    """Open it, run all cells: no error, its tables and sentences are shown, its charts are drawn."""
    address, notebooks = lab
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    outside = opened(page, address, name)
    saved = notebooks / f"{name}.ipynb"
    deadline = time.monotonic() + 300
    cells = []
    while time.monotonic() < deadline:
        page.keyboard.press("Control+s")
        time.sleep(1)
        content = json.loads(saved.read_text(encoding="utf-8"))
        cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
        failed = [out for cell in cells for out in cell["outputs"] if out["output_type"] == "error"]
        if failed or all(cell["execution_count"] for cell in cells):
            break
    errors = [f"{out['ename']}: {out['evalue']}" for cell in cells for out in cell["outputs"] if out.get("ename")]
    assert errors == []
    assert cells and all(cell["execution_count"] for cell in cells)
    kinds = {kind for cell in cells for out in cell["outputs"] for kind in out.get("data", {})}
    assert {"application/vnd.ccanalysis.text+json", "text/html"} <= kinds
    if name != "01-data-quality":
        assert "application/vnd.plotly.v1+json" in kinds
        page.wait_for_selector(".js-plotly-plot .main-svg", timeout=60_000, state="attached")
    folder = os.environ.get("CCANALYSIS_SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"lab-{name}.png"))
    page.close()
    assert [url for url in outside if not url.startswith(("data:", "blob:"))] == []

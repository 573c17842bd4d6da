"""How large a page is: with the wheel's plotly.js, with plotly's smaller bundle, and beside one for all pages."""

from __future__ import annotations

import html
import json
import os
from pathlib import Path

import pytest

from ccanalysis.errors import EnvironmentFaultError
from ccanalysis.reports import exporter
from ccanalysis.reports.execute import Job, execute

REAL = os.environ.get("CCANALYSIS_PLOTLY_JS", "")


@pytest.fixture(autouse=True)
def forget():
    """Keep no script from one test to the next."""
    caches = (exporter.plotly_source, exporter.plotly_packed)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


def bundle(path, version):
    """Write a file that begins like the bundle."""
    path.write_text(f"/**\n* plotly.js (cartesian - minified) v{version}\n*/\nvar Plotly = {{}};\n")
    return str(path)


@pytest.fixture
def page(team_report, tmp_path):
    """Return a function that makes a team report with six charts, and one more."""

    def made(more=""):
        content = json.loads(team_report.read_text())
        last = content["cells"][-1]
        if more:
            content["cells"].append({**last, "id": "more", "source": more})
        (tmp_path / "report.ipynb").write_text(json.dumps(content))
        job = Job(
            notebook=tmp_path / "report.ipynb",
            parameters={"team": "North", "seed": 1},
            output=tmp_path / "page.html",
            title="North",
            key="north",
        )
        [outcome] = execute([job])
        assert outcome.error == ""
        return job.output.read_text()

    return made


def test_a_page_carries_the_smaller_bundle_where_it_draws_all_charts(page, tmp_path, monkeypatch):
    """And the policy names that script, not the other."""
    from plotly.offline import get_plotlyjs_version

    monkeypatch.setenv(exporter.BUNDLE, bundle(tmp_path / "small.js", get_plotlyjs_version()))
    shown = page()
    assert exporter.plotly_packed(small=True) in shown
    assert exporter.script_hash(exporter.plotly_source(small=True)) in html.unescape(shown)
    assert exporter.script_hash(exporter.plotly_source()) not in html.unescape(shown)


def test_a_chart_that_it_cannot_draw_brings_the_whole_one(page, tmp_path, monkeypatch):
    from plotly.offline import get_plotlyjs_version

    monkeypatch.setenv(exporter.BUNDLE, bundle(tmp_path / "small.js", get_plotlyjs_version()))
    shown = page('Figure(go.Figure(go.Funnel(x=[3, 2], y=["a", "b"])), title="A", alt="A")')
    assert exporter.script_hash(exporter.plotly_source()) in html.unescape(shown)


@pytest.mark.parametrize("version", ["1.58.5", None], ids=["another_version", "no_bundle"])
def test_any_other_file_is_refused(tmp_path, monkeypatch, version):
    from plotly.offline import get_plotlyjs_version

    path = tmp_path / "small.js"
    monkeypatch.setenv(exporter.BUNDLE, bundle(path, version) if version else str(path))
    with pytest.raises(EnvironmentFaultError) as caught:
        exporter.small_bundle()
    wanted = get_plotlyjs_version()
    but = f", but {version}" if version else ""
    assert str(caught.value) == (
        f"CCANALYSIS_PLOTLY_JS: is not plotly's cartesian bundle, version {wanted}{but}. "
        f"Get it with `npm pack plotly.js-cartesian-dist-min@{wanted}`, or unset the variable"
    )


@pytest.mark.skipif(not REAL, reason="CCANALYSIS_PLOTLY_JS does not name plotly's cartesian bundle")
def test_with_the_smaller_bundle_a_page_keeps_to_its_size(page):
    assert Path(REAL).is_file()
    assert len(page().encode()) <= 800_000


@pytest.mark.chromium
@pytest.mark.skipif(not REAL, reason="CCANALYSIS_PLOTLY_JS does not name plotly's cartesian bundle")
def test_with_the_smaller_bundle_six_charts_are_drawn(page, tmp_path, browser):
    page()
    asked = []
    context = browser.new_context()
    shown = context.new_page()
    shown.on("request", lambda request: asked.append(request.url))
    shown.goto((tmp_path / "page.html").as_uri())
    shown.wait_for_function("document.querySelectorAll('figure.drawn').length === 6")
    assert [Path(url).name for url in asked] == ["page.html"]
    context.close()

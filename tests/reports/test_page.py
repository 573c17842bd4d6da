"""What reaches a page, and what does not."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ccanalysis import display
from ccanalysis.display import Card, Cell, Column, Figure, Item, Note, Sparkline, Table
from ccanalysis.errors import ReportError, SettingsError
from ccanalysis.reports.exporter import END_SOURCE, END_TAG, plotly_packed, stylesheet
from ccanalysis.reports.figures import checked, data_table, pack
from ccanalysis.reports.index import Entry, render_index
from ccanalysis.reports.page import render
from ccanalysis.reports.picture import still


def output(shown, **metadata):
    """Return what a notebook keeps of something it shows."""
    bundle = shown._repr_mimebundle_() if hasattr(shown, "_repr_mimebundle_") else shown
    data, own = bundle if isinstance(bundle, tuple) else (bundle, {})
    return new_output("display_data", data=data, metadata=own | metadata)


def shows(*outputs, tags=()):
    """Return a code cell that shows these."""
    return new_code_cell("secret_code", outputs=[output(shown) for shown in outputs], metadata={"tags": list(tags)})


def page(*cells, **options) -> str:
    """Render cells and return the page without plotly.js."""
    html = render(new_notebook(cells=list(cells)), title="T", **{"complete": False} | options)
    return html.replace(plotly_packed(), "")


def body(*cells, **options) -> str:
    """Render cells and return what stands in the page's main part."""
    return re.search(r"<main.*?</main>", page(*cells, **options), re.DOTALL)[0]


BARS = Figure(go.Figure(go.Bar(x=["a", "b"], y=[1, 2])), title="Bars", alt="Two bars.")


def test_code_and_parameters_are_left_out():
    cells = [new_code_cell("team = 'North'", metadata={"tags": ["parameters"]}), shows(Note(text="x"))]
    assert "secret_code" not in page(*cells)
    assert "team = " not in page(*cells)


def test_the_summary_comes_first_wherever_it_was_made():
    html = body(new_markdown_cell("## Later"), shows(Note(text="first to read"), tags=["summary"]))
    assert html.index("first to read") < html.index("Later</h2>")
    assert '<section class="summary" aria-labelledby="summary">' in html


def test_a_summary_that_shows_nothing_fails():
    with pytest.raises(ReportError, match="cell 1: the summary shows nothing"):
        page(shows(tags=["summary"]))


def test_details_are_folded_under_their_heading():
    html = body(
        new_markdown_cell("## Figures"),
        shows(Note(text="one"), tags=["detail"]),
        shows(Note(text="two"), tags=["detail"]),
        new_markdown_cell("### How\nmade", metadata={"tags": ["detail"]}),
    )
    assert re.findall(r"<summary>(.*?)</summary>", html) == ["Show figures", "How"]
    assert re.search(r"Show figures</summary><p>one</p>\s*<p>two</p></details>", html)


def test_headings_have_anchors_of_their_own_and_a_contents_list():
    html = body(*[new_markdown_cell(source) for source in ("## The same", "## The same", "## Summary")])
    assert re.findall(r'<h2 id="([^"]+)"', html) == ["the-same", "the-same-2", "summary-2"]
    assert re.findall(r'<a href="#([^"]+)"', html) == ["the-same", "the-same-2", "summary-2"]


def test_prose_cannot_hold_html_pictures_or_scripts():
    html = body(
        new_markdown_cell(
            "## <img src=x onerror=alert(1)>\n<script>alert(1)</script> ![picture](https://attacker.example/x.png)\n\n"
            "[link](javascript:alert(1)) [file](file:///etc/passwd) [ok](https://example.org/a) [here](#t)"
        )
    )
    assert re.findall(r'href="([^"]*)"', html) == ["https://example.org/a", "#t"]
    assert "<img" not in html
    assert "<script" not in html


@pytest.mark.parametrize(
    "kind", ["text/html", "text/markdown", "text/latex", "application/javascript", "text/vnd.mermaid"]
)
def test_other_kinds_of_output_are_shown_as_their_plain_text(kind):
    html = body(shows({kind: "<script>alert(1)</script>", "text/plain": "<plain>"}))
    assert "<pre>&lt;plain&gt;</pre>" in html
    assert "alert" not in html


@pytest.mark.parametrize("bundle", [{"text/html": "<p>"}, {"image/png": "aGk=", "text/plain": "<Figure>"}], ids=str)
def test_an_output_that_no_page_can_hold_fails(bundle):
    with pytest.raises(ReportError, match=r"which a page cannot hold\. Show it with"):
        page(shows(bundle))


def test_a_notebook_that_did_not_reach_its_end_fails():
    cells = [shows(Note(text="x"))]
    with pytest.raises(ReportError, match="the notebook did not run to its end"):
        page(*cells, complete=True)
    end = new_code_cell(END_SOURCE, metadata={"tags": [END_TAG]}, outputs=[output({"text/plain": END_SOURCE})])
    assert END_SOURCE not in page(*cells, end, complete=True)


def test_an_error_in_a_cell_fails_without_its_value():
    cell = new_code_cell("x", outputs=[new_output("error", ename="KeyError", evalue="Ada Lovelace", traceback=[])])
    with pytest.raises(ReportError) as caught:
        page(cell)
    assert str(caught.value) == "cell 1, under 'this report': it stopped with KeyError"


def test_the_error_stream_is_left_out():
    cell = new_code_cell("x", outputs=[new_output("stream", name="stderr", text="/tmp/ipykernel_1 warning")])
    assert "warning" not in page(cell)


HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'><svg onload=alert(1)>"


def hostile_cells(text: str) -> list:
    """Return cells with this text at every place that takes one."""
    figure = go.Figure(go.Scatter(x=[text, "b"], y=[1, 2], name=text, text=[text, text], hovertext=text))
    figure.update_layout(title=text, xaxis_title=text)
    figure.add_annotation(text=text, x=0, y=1)
    table = Table(
        columns=[text or "x", Column(label=text, unit=text)],
        rows=[[text, Cell(text=text, note=text, spark=Sparkline([1, 2], label=text))]],
        caption=text,
        note=text,
    )
    return [
        shows(Note(kind="lead", text=text), tags=["summary"]),
        shows(
            table,
            Note(kind="callout", text=text, title=text, status="missed"),
            Note(kind="list", items=[text, Item(text=text, detail=text, status="met")]),
            Note(
                kind="cards",
                cards=[Card(name=text, value=text, target=text, note=text, status_text=text, status="met")],
            ),
            Figure(figure, title=f"t {text}", alt=f"a {text}"),
            {"text/plain": text},
        ),
        new_code_cell("x", outputs=[new_output("stream", name="stdout", text=text)]),
    ]


class Tags(HTMLParser):
    """The tags of a page, and the names of their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, ...]] = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, *sorted(name for name, _ in attributes)))


def test_hostile_text_is_text_everywhere():
    """A page of hostile texts has the tags and attributes of a page of plain ones."""

    def tags(text):
        html = page(*hostile_cells(text), subtitle=text, footer=[text], period=text)
        return [tag for tag in Tags(html).found if tag[0] not in ("text", "path", "g")]

    assert tags(HOSTILE) == tags("North")
    assert not [names for names in tags(HOSTILE) if any(name.startswith("on") for name in names)]


@given(st.text(st.characters(exclude_characters="\n")))
def test_no_text_adds_a_tag(text):
    """The tags of a page do not depend on the texts in it."""

    def tags(one, other):
        return Tags(page(shows(Table(columns=["a", "b"], rows=[[one, other]], caption="c")))).found

    assert tags(f"x{text}", f"{text}y") == tags("x", "y")


def test_the_policy_stands_before_everything_it_governs():
    html = page(shows(BARS))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.count("sha256-") == 2
    assert "unsafe-inline'; img-src" in policy
    assert html.index("Content-Security-Policy") < html.index("<style")
    assert "http" not in re.sub(r"http-equiv|http://www.w3.org", "", html.split("<script>")[0])


def test_a_page_without_charts_has_no_plotly():
    html = render(new_notebook(cells=[shows(Note(text="x"))]), title="T", complete=False)
    assert len(html) < 25_000


def test_equal_notebooks_give_equal_bytes():
    first, second = (shows(BARS), shows(BARS))
    assert first["id"] != second["id"]
    assert page(first) == page(second)


@pytest.mark.parametrize(
    "path", ["https://cdn.example/plotly.js", "//x/plotly.js", "/plotly.js", "x.js?y", "", "a b.js"]
)
def test_linked_mode_takes_relative_paths_only(path):
    with pytest.raises(ReportError, match="linked mode needs the relative path"):
        page(shows(BARS), plotly="linked", linked_path=path)


@pytest.mark.parametrize(
    "href", ["javascript:alert(1)", "https://x.html", "//x/y.html", "/y.html", "x.exe", "../../../x.html"]
)
def test_links_lead_to_pages_of_the_same_tree_only(href):
    with pytest.raises(SettingsError, match="a link may only lead to a page of the same report tree"):
        Cell(text="x", href=href)


@pytest.mark.parametrize("href", ["teams/north-1a2b.html", "../index.html", "#targets", "x.html#targets", ""])
def test_links_within_the_tree_are_taken(href):
    assert Cell(text="x", href=href).href == href


def test_an_unknown_sign_is_refused_with_the_nearest():
    with pytest.raises(SettingsError, match=r"status 'mised' is not known\. Did you mean 'missed'\?"):
        Cell(status="mised")


@pytest.mark.parametrize(
    "shown", [Table(columns=["a"], rows=[["x"]], caption="c", note="n"), Note(kind="list", items=["x"])]
)
def test_what_is_shown_survives_the_notebook(shown):
    assert type(shown).from_payload(shown.payload()).payload() == shown.payload()


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"columns": [], "rows": [[1]]},
        {"columns": [{"label": 1}], "rows": []},
        {"columns": [{"x": "y"}], "rows": []},
    ],
    ids=str,
)
def test_a_forged_table_fails(payload):
    with pytest.raises(ReportError, match="a table in the notebook is not one that ccanalysis wrote"):
        page(shows({display.TABLE: payload}))


def test_a_long_table_is_cut_with_a_notice():
    html = body(shows(Table(columns=["a"], rows=[[str(row)] for row in range(1_203)], caption="c")))
    assert "203 further rows are not shown." in html


# --- charts ---


@pytest.mark.parametrize(
    ("figure", "problem"),
    [
        ({"data": []}, "it has no traces"),
        ({"data": {}}, "it is not a plotly figure"),
        ("x", "it is not a plotly figure"),
        ({"data": [{"type": "choropleth"}]}, "plotly draws 'choropleth' only with help from a server"),
        ({"data": [{"type": "scatter", "x": [1], "y": [1, 2]}]}, "a trace has more x than y, or fewer"),
        ({"data": [{"y": {"dtype": "f8", "bdata": "x"}}]}, "an array in it is malformed"),
        ({"data": [{"y": {"dtype": "zz", "bdata": "AAAA"}}]}, "an array in it is malformed"),
        ({"data": [{"y": [1]}], "layout": {"images": [{"source": "https://x"}]}}, "its layout has 'images'"),
        ({"data": [{"y": [1]}], "layout": {"map2": {"style": "x"}}}, "its layout has 'map2'"),
        ({"data": [{"y": list(range(20_001))}]}, "it has 20,001 points, at most 20,000 can be"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_a_chart_that_cannot_be_drawn_fails_the_report(figure, problem):
    with pytest.raises(ReportError) as caught:
        page(shows({display.PLOTLY: figure, "text/plain": "Figure"}))
    assert f"a chart cannot be drawn: {problem}" in str(caught.value)


def test_packed_arrays_become_numbers():
    import numpy as np

    figure = go.Figure(go.Heatmap(z=np.arange(6.0).reshape(2, 3), x=["a", "b", "c"], y=["u", "v"]))
    shown = checked(figure.to_plotly_json() | {"data": json.loads(figure.to_json())["data"]})
    assert shown["data"][0]["z"] == [[0, 1, 2], [3, 4, 5]]
    assert data_table(shown, caption="").plain().split("\n")[1:] == ["u        | 0 | 1 | 2", "v        | 3 | 4 | 5"]


def test_links_in_labels_become_text_and_plain_formatting_stays():
    shown = checked({"data": [{"y": [1], "name": '<a href="https://x">x</a><b>y</b>'}], "layout": {}})
    assert shown["data"][0]["name"] == '&lt;a href="https://x">x&lt;/a><b>y</b>'


def test_a_chart_without_a_table_gets_one_from_its_data():
    shown = checked({"data": [{"x": ["a", "b"], "y": [1, None], "name": "n"}], "layout": {"xaxis": {"title": "Week"}}})
    assert data_table(shown, caption="").plain() == "Week | n\na    | 1\nb    | –"


@given(st.lists(st.one_of(st.none(), st.integers(-5, 5), st.text(max_size=3), st.booleans()), max_size=40))
def test_packing_loses_nothing(values):
    """The script's unpacking, written once more here, gives back what was packed."""
    packed = pack({"data": [{"x": values, "y": values}], "layout": {"a": {"b": values[:7]}}})
    lists = [
        shown if isinstance(shown, list) else [value for value, times in shown["runs"] for _ in range(times)]
        for shown in packed["lists"]
    ]

    def unpacked(value):
        if isinstance(value, dict):
            return lists[value["$"]] if "$" in value else {name: unpacked(part) for name, part in value.items()}
        return [unpacked(part) for part in value] if isinstance(value, list) else value

    back = unpacked(packed["data"])[0]
    assert [(type(value), value) for value in back["x"]] == [(type(value), value) for value in values]
    assert back["y"] == values
    assert unpacked(packed["layout"]) == {"a": {"b": values[:7]}}


@pytest.mark.parametrize(
    ("trace", "drawn"),
    [
        (
            {"type": "scatter", "x": ["a", "b", "c"], "y": [1, 2, 3], "mode": "lines"},
            r'<path d="M\d+ \d+l\d+-\d+ \d+-\d+"',
        ),
        ({"type": "scatter", "x": [1, 2, 3, 4], "y": [1, None, 3, 4], "mode": "lines"}, r"M\d+ \d+M\d+ \d+l\d+-\d+\""),
        ({"type": "scatter", "x": [1, 2], "y": [3, 4], "mode": "markers"}, r"M\S+ \S+h0M\S+ \S+h0"),
        (
            {"type": "scatter", "x": ["2026-11-01", "2026-11-09"], "y": [1, 2]},
            r">2 Nov</text>|>8 Nov</text>|>9 Nov</text>",
        ),
        ({"type": "bar", "x": ["a", "b"], "y": [1, 2]}, r"M\S+ \S+V\S+h\S+V\S+zM"),
        ({"type": "bar", "x": [1, 2], "y": ["a", "b"], "orientation": "h"}, r"M\S+ \S+H\S+v\S+H\S+zM"),
        ({"type": "scatter", "x": [1], "y": ["a"], "error_x": {"array": [1]}, "mode": "markers"}, r"H\S+m0-4v8"),
        ({"type": "heatmap", "z": [[1, 2]], "colorscale": [[0, "#ffffff"], [1, "#1f5fa8"]]}, r"fill:rgb\(31,95,168\)"),
    ],
    ids=["line", "gap", "marks", "dates", "bars", "flat_bars", "error_bars", "heat_map"],
)
def test_the_still_picture_shows(trace, drawn):
    picture = still(checked({"data": [trace], "layout": {}}))
    assert re.search(drawn, picture)


@pytest.mark.parametrize("kind", ["box", "violin", "pie", "histogram"])
def test_what_only_plotly_draws_has_no_still_picture(kind):
    assert still(checked({"data": [{"type": kind, "y": [1, 2, 3]}], "layout": {}})) is None


def corners(path: str):
    """Yield the places that a path goes to; arcs and curves are not in it."""
    x = y = 0.0
    for letter, numbers in re.findall(r"([MmLlHhVv])([^A-Za-z]*)", path):
        values = [float(number) for number in re.findall(r"-?[\d.]+", numbers)]
        pairs = [(v, None) for v in values] if letter in "Hh" else [(None, v) for v in values] if letter in "Vv" else []
        pairs = pairs or list(zip(values[::2], values[1::2], strict=True))
        for across, down in pairs:
            relative = letter.islower()
            x = x if across is None else across + x * relative
            y = y if down is None else down + y * relative
            yield x, y


@given(
    st.lists(
        st.one_of(st.none(), st.sampled_from([math.nan, math.inf]), st.floats(-1e9, 1e9), st.integers(-99, 99)),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from(["lines", "markers", "lines+markers"]),
    st.sampled_from(["scatter", "bar"]),
)
def test_a_still_picture_never_leaves_its_frame(values, mode, kind):
    trace = {"type": kind, "x": list(range(len(values))), "y": values, "mode": mode}
    picture = still(checked({"data": [trace], "layout": {}}))
    assert picture is not None
    for path in re.findall(r' d="([^"]+)"', picture):
        for x, y in corners(path):
            assert -20 <= x <= 740
            assert -20 <= y <= 340
    assert "nan" not in picture
    assert "inf" not in picture


@given(st.text())
def test_labels_of_a_still_picture_are_text(label):
    trace = {"type": "bar", "x": [label, "b"], "y": [1, 2], "name": label, "showlegend": True}
    picture = still(checked({"data": [trace], "layout": {"yaxis": {"title": {"text": label}}}}))
    assert set(re.findall(r"<(\w+)", picture)) <= {"svg", "path", "g", "text"}


@given(st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9)), min_size=2, max_size=40), st.floats(-1e9, 1e9))
def test_a_small_line_goes_where_its_values_are(values, target):
    """Every value has its place, higher values higher up, the last one marked."""
    drawn = re.findall(r' d="([^"]+)"', Sparkline(values, target).html())
    known = [(index, value) for index, value in enumerate(Sparkline(values).values) if value is not None]
    if not known:
        assert drawn == []
        return
    places = list(corners(drawn[1]))
    assert [x for x, _ in places] == [3 + 3 * index for index, _ in known]
    for (_, one), (_, up), (_, other), (_, down) in zip(known, places, known[1:], places[1:], strict=False):
        assert (up >= down) if one < other else (up <= down) if one > other else (up == down)
    assert next(corners(drawn[2])) == places[-1]
    assert all(3 <= y <= 27 for _, y in places)


def test_a_small_line_shows_both_ends_of_a_target():
    """A range has two levels, both within the picture even where no value comes near them."""
    across = re.search(r'<path class=st d="([^"]+)"', Sparkline([5, 6], 1, target_high=9).html())[1]
    assert across == "M3 27H6M3 3H6"


# --- index ---


def test_the_index_lists_reports_by_audience_and_names_failures():
    html = render_index(
        [
            Entry(title="North", audience="team", href="teams/north.html", statuses={"met": 2, "missed": 1}),
            Entry(title="The centre", audience="centre", href="centre.html", headline="5 of 9 targets were met."),
            Entry(title="South", audience="team", ok=False, error="cell 3: it stopped with KeyError"),
        ],
        title="Reports",
        period="Week 46",
    )
    assert re.findall(r"<h2 id=\"[^\"]+\">(.*?)</h2>", html) == ["The centre", "Teams"]
    assert "One report was not made. The others are not affected." in html
    assert "<li>South: cell 3: it stopped with KeyError</li>" in html
    assert re.findall(r'class="g t-\w+">.*?</svg> (\d+ \w+)</span>', html) == ["2 met", "1 missed"]


def test_the_index_refuses_links_that_lead_elsewhere():
    with pytest.raises(SettingsError, match="a link may only lead to a page of the same report tree"):
        render_index([Entry(title="x", audience="team", href="https://attacker.example/x.html")], title="x")


# --- colours ---


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (WCAG 2.2)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def backgrounds(side: int) -> list[str]:
    """Return the backgrounds of a scheme."""
    css = stylesheet()
    found = []
    for name in ("bg", "soft", "raise"):
        values = re.findall(rf"--{name}:(#\w+)", css)
        value = values[side] if len(values) > 1 else values[0]
        found.append("#" + "".join(c * 2 for c in value[1:]) if len(value) == 4 else value)
    return found


@pytest.mark.parametrize("side", [0, 1], ids=["light", "dark"])
def test_words_and_signs_can_be_read_on_every_background(side):
    """Text keeps 4.5 to 1 (1.4.3), lines and marks of charts 3 to 1 (1.4.11)."""
    own = {colour for name, pair in display.COLOURS.items() if name not in ("line", "band") for colour in [pair[side]]}
    for background in set(backgrounds(side)):
        for name, pair in display.TONES.items():
            assert contrast(pair[side], background) >= 4.5, name
        for colour in own:
            assert contrast(colour, background) >= 3, colour


def test_every_meaning_has_a_shape_of_its_own():
    """No two signs differ by colour alone."""
    shapes = [icon.shapes for icon in display.ICONS.values()]
    assert len(set(shapes)) == len(shapes)
    assert len({icon.word for icon in display.ICONS.values()}) == len(shapes)

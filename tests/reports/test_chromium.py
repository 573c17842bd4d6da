"""Pages in a real browser: charts drawn, nothing asked for, nothing run, and everybody can read them."""

from __future__ import annotations

import http.server
import threading
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

pytestmark = pytest.mark.chromium

DRAWN = "html.charts-drawn"
PATIENCE_MS = 120_000


@pytest.fixture
def opened(browser):
    """Return a function that opens a page and keeps what it asked for and complained of."""
    contexts = []

    def opened_page(url, *, width=1280, scheme="light", scripts=True, drawn=True):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts
        )
        contexts.append(context)
        shown = context.new_page()
        shown.asked, shown.said, shown.failed, shown.answered = [], [], [], []
        shown.on("requestfailed", lambda request: shown.failed.append((request.url, request.failure)))
        shown.on("response", lambda response: shown.answered.append(response.url))
        shown.on("request", lambda request: shown.asked.append(request.url))
        shown.on("console", lambda message: shown.said.append(message.text))
        shown.on("pageerror", lambda error: shown.said.append(str(error)))
        shown.goto(url if "://" in str(url) else Path(url).as_uri())
        if drawn and scripts:
            shown.wait_for_selector(DRAWN, timeout=PATIENCE_MS)
        return shown

    yield opened_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("mode", ["inline", "linked"])
def test_six_charts_are_drawn_and_nothing_is_asked_for(pages, opened, mode, width):
    shown = opened(pages / f"{mode}.html", width=width)
    assert shown.locator("figure.drawn .main-svg").count() >= 6
    assert shown.locator("figure.chart .live:visible").count() == 6
    assert shown.locator("figure.chart .still:visible").count() == 0
    own = [f"{mode}.html"] + (["plotly.min.js"] if mode == "linked" else [])
    assert [Path(url).name for url in shown.asked] == own
    assert shown.said == []


def test_a_page_on_a_server_asks_for_nothing_but_itself(pages, opened):
    """No icon, no script, no font: a server sees one request."""
    seen = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_request(self, code="-", size="-"):
            seen.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(pages)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        opened(f"http://127.0.0.1:{server.server_port}/inline.html")
        assert seen == ["/inline.html"]
        seen.clear()
        opened(f"http://127.0.0.1:{server.server_port}/linked.html")
        assert seen == ["/linked.html", "/plotly.min.js"]
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("mode", ["inline", "linked"])
def test_the_page_keeps_to_its_size(pages, mode):
    assert (pages / f"{mode}.html").stat().st_size <= {"inline": 2_100_000, "linked": 60_000}[mode]


@pytest.mark.parametrize("name", ["inline.html", "index.html"])
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no_scripts"])
def test_a_phone_shows_the_page_without_scrolling_sideways(pages, opened, name, scripts):
    shown = opened(pages / name, width=390, scripts=scripts, drawn=name != "index.html")
    box = shown.locator("html").bounding_box()
    wide = [
        element.bounding_box()
        for element in shown.locator("header, main, footer, figure, .card, .c, .callout, h1, h2, .still").all()
        if element.is_visible()
    ]
    assert box["width"] == 390
    assert max(found["x"] + found["width"] for found in wide) <= 390


def test_without_scripts_charts_are_pictures_and_tables_open(pages, opened):
    shown = opened(pages / "inline.html", scripts=False)
    assert shown.locator("figure.chart .still:visible").count() == 6
    details = shown.locator("figure.chart details").first
    details.locator("summary").click()
    assert details.locator("table").is_visible()
    assert details.locator("tbody tr").count() == 26


def test_the_dark_page_draws_charts_in_its_own_colours(pages, opened):
    """The colours follow the scheme, also when it changes while the page is open."""
    strokes = "[...document.querySelectorAll('figure.chart .js-line')].map(line => getComputedStyle(line).stroke)"
    light, dark = "rgb(31, 95, 168)", "rgb(121, 180, 242)"
    shown = opened(pages / "inline.html", scheme="dark")
    assert dark in shown.evaluate(strokes)
    assert light not in shown.evaluate(strokes)
    shown.emulate_media(color_scheme="light")
    for _ in range(PATIENCE_MS // 100):  # the policy lets no page evaluate a condition itself
        if dark not in shown.evaluate(strokes):
            break
        shown.wait_for_timeout(100)
    assert light in shown.evaluate(strokes)
    assert dark not in shown.evaluate(strokes)


@pytest.mark.parametrize("name", ["inline.html", "index.html"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(pages, opened, name, scheme, width):
    """axe-core reports no violation, with every folded part open."""
    from axe_playwright_python.sync_playwright import Axe

    shown = opened(pages / name, width=width, scheme=scheme, drawn=name != "index.html")
    shown.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    found = Axe().run(shown).response["violations"]
    assert [(violation["id"], violation["nodes"][0]["html"][:200]) for violation in found] == []


def test_keys_alone_reach_every_link_and_fold(pages, opened):
    shown = opened(pages / "inline.html")
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.textContent") == "Skip to the report"
    shown.keyboard.press("Enter")
    assert shown.evaluate("location.hash") == "#main"
    wanted = shown.locator("main a, main summary").count()
    reached = set()
    for _ in range(wanted + 20):
        shown.keyboard.press("Tab")
        reached.add(shown.evaluate("(e => e.matches('a, summary') ? e.textContent : '')(document.activeElement)"))
    texts = {text.strip() for text in shown.locator("main a, main summary").all_text_contents()}
    assert texts <= {text.strip() for text in reached}


def test_paper_shows_whole_charts_and_numbers_its_pages(pages, opened, tmp_path):
    shown = opened(pages / "inline.html")
    shown.emulate_media(media="print")
    assert shown.locator("figure.chart .still:visible").count() == 6
    assert shown.locator("figure.chart .live:visible").count() == 0
    assert shown.locator("nav:visible").count() == 0
    assert shown.locator("figure.chart").first.evaluate("f => getComputedStyle(f).breakInside") == "avoid"
    assert "@bottom-right" in (pages / "inline.html").read_text()


PAYLOADS = [
    "<script>{}</script>",
    "<img src=x onerror={}>",
    "<svg onload={}>",
    "<svg><script>{}</script></svg>",
    "<iframe srcdoc='<script>parent.{}</script>'></iframe>",
    '<iframe src="javascript:parent.{}"></iframe>',
    "<body onload={}>",
    "<details open ontoggle={}>",
    "<video><source onerror={}></video>",
    "<input autofocus onfocus={}>",
    "<p onmouseover={}>hover</p>",
    '"onmouseover="{}',
    "' onmouseover='{}",
    '"><script>{}</script>',
    "</script><script>{}</script>",
    "</title><script>{}</script>",
    "</style><script>{}</script>",
    "--><script>{}</script>",
    '<a href="javascript:{}">click</a>',
    "[click](javascript:{})",
    '<math><a xlink:href="javascript:{}">click</a></math>',
    '<form action="javascript:{}"><button>click</button></form>',
    '<object data="javascript:{}"></object>',
    '<link rel=stylesheet href="https://attacker.example/x.css">',
    '<img src="https://attacker.example/x.png">',
    '<meta http-equiv=refresh content="0;url=https://attacker.example">',
    '<base href="https://attacker.example/">',
    "<style>@import 'https://attacker.example/x.css';</style>",
    "%%{{init: {{'securityLevel': 'loose'}}}}%% <img src=x onerror={}>",
    "{{{{constructor.constructor('{}')()}}}}",
    "<a href='https://attacker.example'>{}</a>",
]
HACK = "void(window.hacked=1)"


def helpers():
    """Return the helpers of the page tests, which put a text everywhere."""
    spec = spec_from_file_location("page_tests", Path(__file__).with_name("test_page.py"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def attack(shown):
    """Hover over everything and click everything that could be clicked."""
    touched = shown.evaluate(
        """() => {
            const seen = chosen => [...document.querySelectorAll(chosen)].filter(one => one.checkVisibility());
            const touch = (one, ...kinds) => kinds.forEach(
                kind => one.dispatchEvent(new MouseEvent(kind, {bubbles: true, cancelable: true, view: window})));
            const texts = seen("main p, main li, main td, main th, main figcaption, main a, main summary");
            texts.forEach(one => touch(one, "mouseover", "focus"));
            const buttons = seen("main a, main button, main summary");
            buttons.forEach(one => touch(one, "click"));
            return [texts.length, buttons.length];
        }"""
    )
    assert min(touched) > 0
    shown.wait_for_timeout(100)


@pytest.mark.parametrize("first", range(0, len(PAYLOADS), 8))
def test_no_payload_runs_or_asks_for_anything(opened, tmp_path, first):
    """Each hostile text stands at every place of a page that takes one; loading, hovering and clicking do nothing."""
    from nbformat.v4 import new_notebook

    made = helpers()
    texts = [payload.format(HACK) for payload in PAYLOADS[first : first + 8]]
    whole = " ".join(texts)
    html = made.render(
        new_notebook(cells=[cell for text in texts for cell in made.hostile_cells(text)]),
        title=whole,
        subtitle=whole,
        period=whole,
        footer=texts,
        complete=False,
        plotly="linked" if first else "inline",
        linked_path="plotly.min.js",
    )
    path = tmp_path / "hostile.html"
    path.write_text(html)
    (tmp_path / "plotly.min.js").write_bytes(made_plotly())
    shown = opened(path)
    shown.wait_for_function(f"document.querySelectorAll('figure.drawn').length >= {len(texts)}", timeout=PATIENCE_MS)
    attack(shown)
    assert shown.evaluate("window.hacked") is None
    assert [url for url in shown.asked if not url.startswith("file:")] == []
    assert [url for url in shown.asked if "hostile" not in url and "plotly" not in url] == []
    assert shown.url.startswith("file:")


def made_plotly() -> bytes:
    """Return plotly.js."""
    from ccanalysis.reports.page import plotly_bytes

    return plotly_bytes()


def test_the_policy_stops_what_escaping_would_have_let_through(pages, opened, tmp_path):
    """The same payloads, written into the page unescaped on purpose: none runs, and nothing is loaded."""
    html = (pages / "inline.html").read_text()
    harmless = [payload.format(HACK) for payload in PAYLOADS if "refresh" not in payload and "--" not in payload]
    path = tmp_path / "unescaped.html"
    path.write_text(html.replace("</main>", "\n".join(harmless) + "</main>", 1))
    shown = opened(path, drawn=False)
    shown.wait_for_timeout(500)
    for element in shown.locator("p, a").all():
        element.dispatch_event("mouseover")
    assert shown.evaluate("window.hacked") is None
    assert {failure for url, failure in shown.failed if "attacker" in url} == {"csp"}
    assert [url for url in shown.answered if not url.startswith(("file:", "data:"))] == []

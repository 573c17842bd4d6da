"""The nbconvert exporter `ccanalysis`: an executed notebook becomes one page that opens offline.

Only typed outputs become HTML (`ccanalysis.display`), with the notebook's own prose, escaped. The page carries a
content security policy that names its scripts by hash, so that a text which got past all else still could not run.
"""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import json
import os
import re
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import jinja2
import mistune
from markupsafe import Markup
from nbconvert.exporters.exporter import Exporter
from nbformat import NotebookNode
from traitlets import Bool, Enum, List, Unicode, default

from ccanalysis import display
from ccanalysis.display import PLOTLY, TABLE, TEXT, Note, Table
from ccanalysis.errors import EnvironmentFaultError, ReportError
from ccanalysis.reports import figures, picture

END_TAG = "ccanalysis-end"
END_SOURCE = "'end of report'"
MADE_TAGS = {"injected-parameters", "papermill-error-cell-tag", END_TAG}
SKIPPED_TAGS = {"parameters", *MADE_TAGS}
MAX_PRINTED = 20_000
BUNDLE = "CCANALYSIS_PLOTLY_JS"
# Kinds of trace that plotly's bundle of charts with axes draws.
WITH_AXES = frozenset(("scatter", "bar", "box", "violin", "histogram", "heatmap", "contour", "pie"))
LINK = re.compile(r"https?://[^\s\"'<>]+|mailto:[\w.@+-]+|(?:[\w./-]+\.html)?(?:#[\w-]+)?", re.ASCII)


def _template(name: str) -> str:
    return files("ccanalysis.reports").joinpath("template", name).read_text(encoding="utf-8")


@functools.cache
def stylesheet() -> str:
    """Return the page's style, with the colours of `ccanalysis.display` in both schemes."""

    def scheme(side: int) -> str:
        colours = {f"--c-{name}": pair[side] for name, pair in display.COLOURS.items()}
        tones = {f"--t-{name}": pair[side] for name, pair in display.TONES.items()}
        return "".join(f"{name}:{value};" for name, value in (colours | tones).items())

    dark = (
        "--bg:#12171d;--fg:#e8edf2;--mut:#a7b1bd;--line:#2e3843;"
        "--soft:#1a2128;--raise:#171d24;--acc:#7cbcf5;--on:#12171d;"
    )
    tones = "".join(f".t-{name}{{color:var(--t-{name})}}" for name in display.TONES)
    rules = (
        f":root{{{scheme(0)}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}{scheme(1)}}}}}"
        + display.ICON_CSS
        + tones
    )
    css = _template("page.css").replace("/* scheme */", rules).replace("/* columns */", _columns())
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    return re.sub(r"\s*([{};,])\s*", r"\1", re.sub(r"\s+", " ", css)).replace(": ", ":").replace(";}", "}").strip()


def _columns() -> str:
    """Return the rules that align whole columns of tables, up to the tenth; what does not fit stays on the left."""
    right, centre = (",".join(f".{side}{n} tr>:nth-child({n})" for n in range(2, 11)) for side in "rm")
    wrapped = "thead tr>th,td>small{white-space:normal!important}"
    return f"{right}{{text-align:right;white-space:nowrap}}{centre}{{text-align:center}}{wrapped}"


@functools.cache
def script() -> str:
    """Return the page's own script, with the pairs of light colours and their names."""
    names = {light: name for name, (light, _) in display.COLOURS.items()}
    source = _template("page.js").replace("COLOURS = {}", f"COLOURS = {json.dumps(names, separators=(',', ':'))}")
    source = source.replace("PANEL_HEIGHT", str(figures.PANEL_HEIGHT))
    return "\n".join(line.strip() for line in source.splitlines() if line.strip())


@functools.cache
def plotly_source(*, small: bool = False) -> str:
    """Return the plotly.js that the plotly wheel itself ships, or the smaller one of `small_bundle`."""
    from plotly.offline import get_plotlyjs  # noqa: PLC0415

    path = small_bundle()
    return path.read_text(encoding="utf-8") if small and path else get_plotlyjs()


def small_bundle() -> Path | None:
    """Return plotly's bundle of charts with axes, where the environment variable CCANALYSIS_PLOTLY_JS names it.

    Raises:
        EnvironmentFaultError: The file is not that bundle, or of another version than the plotly that makes the charts.
    """
    from plotly.offline import get_plotlyjs_version  # noqa: PLC0415

    name = os.environ.get(BUNDLE)
    if not name:
        return None
    wanted = get_plotlyjs_version()
    try:
        with Path(name).open(encoding="utf-8") as file:
            begins = file.read(300)
    except (OSError, UnicodeDecodeError):
        begins = ""
    known = re.search(r"plotly\.js \(cartesian - minified\) v([\w.-]+)", begins)
    if not known or known[1] != wanted:
        raise EnvironmentFaultError(
            f"is not plotly's cartesian bundle, version {wanted}" + (f", but {known[1]}" if known else ""),
            place=BUNDLE,
            remedy=f"Get it with `npm pack plotly.js-cartesian-dist-min@{wanted}`, or unset the variable",
        )
    return Path(name)


@functools.cache
def plotly_packed(*, small: bool = False) -> str:
    """Return that script, gzipped and in base64; equal bytes at every call."""
    return base64.b64encode(gzip.compress(plotly_source(small=small).encode(), 9, mtime=0)).decode()


@functools.cache
def script_hash(source: str) -> str:
    """Return the source expression that lets a content security policy run exactly this script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def policy(*scripts: str) -> str:
    """Return the content security policy of a page that may run these scripts and load nothing.

    Styles are written by plotly.js at run time, so style rules inside the page are allowed; they cannot load anything.
    """
    allowed = " ".join(scripts) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


class _Prose(mistune.HTMLRenderer):
    """Prose of a notebook as HTML: escaped, with anchors, without pictures and with harmless links only."""

    def __init__(self, page: _Page) -> None:
        super().__init__(escape=True)
        self.page = page

    def heading(self, text: str, level: int, **attributes: Any) -> str:
        if level == 1:
            return ""
        label = str(Markup(text).striptags())
        anchor = self.page.anchor(label)
        if level == 2:
            self.page.contents.append((anchor, label))
        self.page.heading = label
        return f'<h{level} id="{anchor}">{text}</h{level}>\n'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        if not LINK.fullmatch(url):
            return text
        return str(Markup('<a href="{}" rel="noreferrer">{}</a>').format(url, Markup(text)))

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return str(Markup("{}").format(Markup(text).striptags()))


class _Page:
    """The parts of a page, gathered cell by cell."""

    def __init__(self) -> None:
        self.contents: list[tuple[str, str]] = []
        self.heading = "this report"
        self.intro = Markup()
        self.summary: list[Markup] = []
        self.body: list[Markup] = []
        self.folded: list[Markup] = []
        self.folded_label = ""
        self.signs: list[str] = []
        self.statuses: Counter[str] = Counter()
        self.charts = 0
        self.kinds: set[str] = set()
        self.tables = 0
        self._anchors: set[str] = {"main", "contents", "summary"}
        self._names: Counter[str] = Counter()
        renderer = _Prose(self)
        self.markdown = mistune.Markdown(renderer, plugins=[mistune.plugins.import_plugin("table")])
        renderer.register("table", self._prose_table)
        renderer.register("table_cell", _prose_table_cell)

    def anchor(self, text: str) -> str:
        """Return an anchor that no other place of the page has."""
        stem = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:48] or "part"
        anchor, number = stem, 2
        while anchor in self._anchors:
            anchor, number = f"{stem}-{number}", number + 1
        self._anchors.add(anchor)
        return anchor

    def name(self, text: str) -> str:
        """Return the text, numbered where it has been used before, so that regions can be told apart."""
        self._names[text] += 1
        return text if self._names[text] == 1 else f"{text} ({self._names[text]})"

    def prose(self, source: str) -> Markup:
        """Return Markdown of the notebook as HTML."""
        return Markup(self.markdown(source))

    def _prose_table(self, _renderer: object, text: str) -> str:
        name = self.name(f"Table: {self.heading}")
        area = Markup('<div class="tbl" role="region" tabindex="0" aria-label="{}"><table>{}</table></div>')
        return str(area.format(name, Markup(text)))

    def add(self, parts: list[Markup], tags: set[str], label: str) -> None:
        """Put what a cell shows where its tags say."""
        if "detail" in tags:
            if label or not self.folded:
                self.unfold()
                self.folded_label = label or f"Show {self.heading[:1].lower()}{self.heading[1:]}"
            self.folded += parts
            return
        self.unfold()
        (self.summary if "summary" in tags else self.body).extend(parts)

    def unfold(self) -> None:
        """Close the fold that is open."""
        if self.folded:
            self.body.append(
                Markup('<details class="more"><summary>{}</summary>{}</details>').format(
                    self.name(self.folded_label), Markup("\n").join(self.folded)
                )
            )
            self.folded = []

    def table(self, table: Table) -> Markup:
        """Return a table as HTML."""
        self.tables += 1
        self.signs += table.signs
        return table.html(sprite=True, name=self.name(table.caption or f"Table {self.tables}"))

    def note(self, note: Note) -> Markup:
        """Return a note as HTML, its KPI cards counted by status."""
        self.signs += note.signs
        self.statuses.update(card.status for card in note.cards if card.status)
        return note.html(sprite=True)

    def chart(self, figure: Any, about: Any, place: str) -> Markup:
        """Return a chart as HTML: title, picture, the figure as JSON, and its data as a table."""
        self.charts += 1
        about = about if isinstance(about, dict) else {}
        shown = figures.checked(figure, place)
        self.kinds |= {trace.get("type", "scatter") for trace in shown["data"]}
        title = display.clean(about.get("title") or figures.title_of(figure)) or f"Chart {self.charts}"
        alt = display.clean(about.get("alt") or f"Chart: {title}")
        given = about.get("data")
        data = Table.from_payload(given) if given else figures.data_table(shown, caption="")
        self.signs += data.signs
        data.caption = ""
        source = json.dumps(
            figures.pack(shown), separators=(",", ":"), sort_keys=True, ensure_ascii=False, allow_nan=False
        )
        for character, code in (
            ("<", "\\u003c"),
            (">", "\\u003e"),
            ("&", "\\u0026"),
            ("\u2028", "\\u2028"),
            ("\u2029", "\\u2029"),
        ):
            source = source.replace(character, code)
        own, panels = display.signs_of(about), display.panels_of(about.get("panels"))
        self.signs += own
        title = self.name(title)
        plots = self._panels(shown, panels) if panels else _plot(picture.still(shown), alt)
        drawn = "has-still" in plots
        return Markup(
            '<figure class="chart" id="{}"><figcaption>{}</figcaption>{}<script type="application/json">{}</script>'
            "<details{}><summary>Data: {}</summary>{}</details></figure>"
        ).format(
            self.anchor(f"chart-{self.charts}"),
            display.caption(title, own, sprite=True),
            plots,
            Markup(source),
            "" if drawn else Markup(" open"),  # without a picture the table is what paper and plain browsers show
            title,
            data.html(sprite=True, name=f"Data: {title}"),
        )

    def _panels(self, shown: dict[str, Any], panels: list[display.Panel]) -> Markup:
        """Return small charts side by side, each under its name and signs."""
        parts = []
        for number, panel in enumerate(panels, start=1):
            self.signs += panel.signs
            still = picture.still(figures.panel(shown, number), width=picture.PANEL_WIDTH)
            head = display.caption(panel.name, panel.signs, sprite=True)
            plot = _plot(still, panel.alt or panel.name)
            parts.append(Markup('<div class="panel"><p class="ph">{}</p>{}</div>').format(head, plot))
        return Markup('<div class="panels">{}</div>').format(Markup("").join(parts))

    def outputs(self, cell: NotebookNode, place: str) -> list[Markup]:
        """Return what a code cell shows."""
        parts: list[Markup] = []
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                name = _error_name(output.get("ename", ""))
                if name == "SystemExit":
                    raise ReportError("it ended before its last cell", place=place, remedy="Take exit() out of it")
                raise ReportError(f"it stopped with {name}", place=place)
            if output.output_type == "stream":
                if output.name == "stdout" and output.text.strip():
                    parts.append(_printed(output.text))
                continue
            bundle = output.get("data", {})
            if TABLE in bundle:
                parts.append(self.table(Table.from_payload(bundle[TABLE])))
            elif TEXT in bundle:
                parts.append(self.note(Note.from_payload(bundle[TEXT])))
            elif PLOTLY in bundle:
                about = output.get("metadata", {}).get(PLOTLY, {})
                parts.append(
                    self.chart(bundle[PLOTLY], about.get("ccanalysis") if isinstance(about, dict) else None, place)
                )
            elif "text/plain" in bundle and not any(kind.startswith("image/") for kind in bundle):
                text = bundle["text/plain"]
                parts.append(_printed(text if isinstance(text, str) else "".join(text)))
            elif bundle:
                raise ReportError(
                    f"it shows {', '.join(sorted(bundle))[:120]}, which a page cannot hold",
                    place=place,
                    remedy="Show it with ccanalysis.display as a Table, a Note or a Figure",
                )
        return parts


def _plot(still: Markup | None, alt: str) -> Markup:
    """Return the place of a chart: its still picture, and room for what plotly.js draws."""
    return Markup('<div class="plot{}" role="img" aria-label="{}">{}<div class="live"></div></div>').format(
        " has-still" if still else "", display.clean(alt), still or ""
    )


def _prose_table_cell(_renderer: object, text: str, align: str | None = None, head: bool = False) -> str:
    tag = "th scope=col" if head else "td"
    side = {"right": " class=r", "center": " class=m"}.get(align or "", "")
    if head and not text.strip():
        tag = "td"
    return f"<{tag}{side}>{text}</{tag[:2]}>"


def _error_name(name: str) -> str:
    return name if re.fullmatch(r"\w{1,60}", name) else "an error"


def _printed(text: str) -> Markup:
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    cut = f"\n… {len(text) - MAX_PRINTED:,} further characters are not shown" if len(text) > MAX_PRINTED else ""
    lines = [display.clean(line) for line in text[:MAX_PRINTED].rstrip().split("\n")]
    return Markup("<pre>{}{}</pre>").format("\n".join(lines), cut)


@functools.cache
def environment() -> jinja2.Environment:
    """Return the templates; every text is escaped in them unless it was built as markup."""
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_template), autoescape=True, undefined=jinja2.StrictUndefined, auto_reload=False
    )


class ReportExporter(Exporter):
    """Notebook in, page out; `jupyter nbconvert --to ccanalysis` and the Export menu of JupyterLab use it too."""

    default_preprocessors: Any = List([], help="None: tags say what a page leaves out")
    export_from_notebook = "Report page (ccanalysis)"
    output_mimetype = "text/html"

    title = Unicode(help="What the page is called; the first heading of the notebook where empty").tag(config=True)
    subtitle = Unicode(help="A line beneath the title").tag(config=True)
    period = Unicode(help="The period, in words, above the title").tag(config=True)
    home = Unicode(help="Where the link to all reports leads; no link where empty").tag(config=True)
    footer = List(Unicode(), help="Lines at the end: version, data, how it was made").tag(config=True)
    plotly = Enum(["inline", "linked"], "inline", help="Where plotly.js is: in the page, or beside it").tag(config=True)
    linked_path = Unicode(help="Where plotly.js is, seen from the page, when it is beside it").tag(config=True)
    complete = Bool(False, help="Whether the mark that a run leaves at its end must be there").tag(config=True)

    @default("file_extension")
    def _file_extension_default(self) -> str:
        return ".html"

    def from_notebook_node(
        self, nb: NotebookNode, resources: Any | None = None, **kw: Any
    ) -> tuple[str, dict[str, Any]]:
        """Return the page, and under `resources['ccanalysis']` how many KPI cards have which status.

        Raises:
            ReportError: A cell failed or shows what a page cannot hold, a chart cannot be drawn, a summary shows
                nothing, or the notebook did not run to its end.
        """
        nb_copy, found = super().from_notebook_node(nb, resources, **kw)
        nb_copy = cast(NotebookNode, nb_copy)
        page = _Page()
        number = 0
        for cell in nb_copy.cells:
            number += not set(cell.metadata.get("tags", [])) & MADE_TAGS  # as the author counts them
            self._add(page, cell, f"cell {number}")
        if self.complete and not _reached_end(nb_copy):
            raise ReportError(
                "the notebook did not run to its end", remedy="Run it in JupyterLab to see where it stops"
            )
        page.unfold()
        return self._write(page, nb_copy), {**found, "ccanalysis": {"statuses": dict(sorted(page.statuses.items()))}}

    def _add(self, page: _Page, cell: NotebookNode, place: str) -> None:
        tags = set(cell.metadata.get("tags", []))
        if tags & SKIPPED_TAGS:
            return
        if cell.cell_type == "markdown":
            source, label = cell.source, ""
            if "detail" in tags and (match := re.match(r"#{2,6} +([^\n]+)\n*", source)):
                source, label = source[match.end() :], display.clean(match[1]).strip("# ")
            if re.match(r"# ", source) and "\n## " not in source and not (page.intro or page.body or page.summary):
                page.intro = page.prose(source)
                return
            parts = [page.prose(source)] if source.strip() or label else []
            if parts:
                page.add(parts, tags, label)
        elif cell.cell_type == "code":
            parts = page.outputs(cell, f"{place}, under '{page.heading}'")
            if parts:
                page.add(parts, tags, "")
            elif "summary" in tags and "optional" not in tags:
                raise ReportError("the summary shows nothing", place=place, remedy="End the cell with what it shows")

    def _write(self, page: _Page, nb: NotebookNode) -> str:
        title = self.title or _first_heading(nb) or "Report"
        own = script()
        packed, source, scripts = "", "", [script_hash(own)]
        if page.charts and self.plotly == "inline":
            small = page.kinds <= WITH_AXES and small_bundle() is not None
            packed = plotly_packed(small=small)
            scripts.append(script_hash(plotly_source(small=small)))
        elif page.charts:
            if not re.fullmatch(r"(?:\.\./)*(?:[\w.-]+/)*[\w.-]+\.js", self.linked_path, re.ASCII):
                raise ReportError("linked mode needs the relative path of plotly.js", remedy="Give linked_path=")
            source = self.linked_path
            scripts += ["'self'", "file:"]
        summary = Markup("\n").join(page.summary)
        own_heading = re.search(r'<h2 id="([^"]+)"', summary)
        contents = list(page.contents)
        if summary and not own_heading:
            contents.insert(0, ("summary", "Summary"))
        html = (
            environment()
            .get_template("page.html.j2")
            .render(
                csp=policy(*scripts),
                title=display.clean(title),
                subtitle=display.clean(self.subtitle),
                period=display.clean(self.period),
                home=self.home,
                intro=page.intro,
                css=Markup(stylesheet()),
                js=Markup(own),
                sprite=display.sprite_sheet(page.signs),
                summary=summary,
                summary_id=own_heading[1] if own_heading else "summary",
                summary_heading="" if own_heading else "Summary",
                contents=contents if len(contents) > 1 else [],
                body=Markup("\n").join(page.body),
                footer=[display.clean(line) for line in self.footer],
                plotly_gz=Markup(packed),
                plotly_src=source,
            )
        )
        return re.sub(r"\n{2,}", "\n", html) + "\n"


def _first_heading(nb: NotebookNode) -> str:
    for cell in nb.cells:
        if cell.cell_type == "markdown" and (match := re.search(r"^# +(.+)$", cell.source, re.MULTILINE)):
            return match[1].strip("# ")
    return ""


def _reached_end(nb: NotebookNode) -> bool:
    last = nb.cells[-1] if nb.cells else None
    return (
        last is not None
        and END_TAG in last.metadata.get("tags", [])
        and any(output.get("data", {}).get("text/plain") == END_SOURCE for output in last.get("outputs", []))
    )

"""One executed notebook, one page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ccanalysis.errors import SettingsError

if TYPE_CHECKING:
    from nbformat import NotebookNode

PLOTLY_FILE = "plotly.min.js"


@dataclass(frozen=True)
class Page:
    """A rendered report.

    Attributes:
        html: The page.
        statuses: How many KPI cards have which status, for the index.
    """

    html: str
    statuses: Mapping[str, int]


def build(
    notebook: NotebookNode,
    *,
    title: str,
    subtitle: str = "",
    footer: str | Sequence[str] = (),
    period: str = "",
    plotly: Literal["inline", "linked"] = "inline",
    linked_path: str = "",
    home: str = "",
    complete: bool = True,
) -> Page:
    """Turn an executed notebook into a page; see `render`."""
    from ccanalysis.reports.exporter import ReportExporter  # noqa: PLC0415  nbconvert takes 0.4 s

    if home and not re.fullmatch(r"(?:\.\./)*[\w.-]+\.html", home, re.ASCII):
        raise SettingsError(
            "the link to all reports must be a relative path to a page", remedy="Give home='../index.html'"
        )
    exporter = ReportExporter(
        title=title,
        subtitle=subtitle,
        period=period,
        home=home,
        footer=[footer] if isinstance(footer, str) else list(footer),
        plotly=plotly,
        linked_path=linked_path,
        complete=complete,
    )
    html, resources = exporter.from_notebook_node(notebook)
    found: dict[str, Any] = resources["ccanalysis"]
    return Page(html, found["statuses"])


def render(
    notebook: NotebookNode,
    *,
    title: str,
    subtitle: str = "",
    footer: str | Sequence[str] = (),
    period: str = "",
    plotly: Literal["inline", "linked"] = "inline",
    linked_path: str = "",
    home: str = "",
    complete: bool = True,
) -> str:
    """Turn an executed notebook into one HTML page that opens offline.

    Args:
        notebook: The notebook as it was executed; cells tagged `summary` go to the top (with `optional` they may show
            nothing), cells tagged `detail` are folded, code is left out.
        title: What the page is called.
        subtitle: A line beneath the title.
        footer: Lines at the end: version, fingerprint of the data, how it was made.
        period: The period, in words.
        plotly: `inline` puts plotly.js, gzipped, into the page; `linked` expects it at `linked_path`.
        linked_path: Where plotly.js is, relative to the page (`write_plotly` puts it there).
        home: The page with all reports, relative to this one; no link where empty.
        complete: Whether a notebook that did not run to its end is refused.

    Returns:
        The page: equal bytes for equal notebooks.

    Raises:
        ReportError: A cell failed or shows what a page cannot hold, a chart cannot be drawn, a summary shows nothing,
            or the notebook did not run to its end.
        SettingsError: `home` does not lead to a page of the same tree.
    """
    return build(
        notebook,
        title=title,
        subtitle=subtitle,
        footer=footer,
        period=period,
        plotly=plotly,
        linked_path=linked_path,
        home=home,
        complete=complete,
    ).html


def plotly_bytes() -> bytes:
    """Return the plotly.js that pages of linked mode expect beside them."""
    from plotly.offline import get_plotlyjs  # noqa: PLC0415

    return get_plotlyjs().encode()

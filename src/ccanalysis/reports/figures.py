"""Charts of a page: plotly's JSON checked and made safe, and its data as a table.

A figure comes out of a notebook as JSON. It is refused where a browser could not draw it or would ask a server for
something, and its texts are made harmless.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from itertools import groupby
from typing import Any

import numpy as np

from ccanalysis.display import Column, Table, clean
from ccanalysis.errors import ReportError
from ccanalysis.reports.picture import plain_text

# Kinds of trace that plotly.js draws from what is in the figure; maps fetch shapes from a server.
DRAWABLE = frozenset(
    ("scatter", "scattergl", "bar", "box", "violin", "histogram", "heatmap", "contour", "pie", "funnel", "waterfall")
)
# Parts of a layout that fetch something, run on a click, or are set by the page.
REFUSED = ("images", "geo", "map", "mapbox", "scene")
DROPPED = frozenset(
    [
        *("template", "title", "updatemenus", "sliders", "newshape", "modebar", "autosize", "width"),
        *("font", "paper_bgcolor", "plot_bgcolor", "margin", "legend", "hoverlabel"),
    ]
)
HARMLESS_TAG = re.compile(r"<(?!/?(?:b|i|em|strong|br|sub|sup|extra)\s*/?>)", re.IGNORECASE)
ARRAY_KINDS = ("f8", "f4", "i4", "i2", "i1", "u4", "u2", "u1")
MAX_POINTS = 20_000
# A small chart among several: its height, and what of its axes is said of the whole figure only.
PANEL_HEIGHT = 150
_PLACING = ("domain", "anchor", "matches", "title")


def _array(value: Any) -> Any:
    """Return plotly's packed arrays as lists; anything else as it is."""
    if not (isinstance(value, Mapping) and "bdata" in value and "dtype" in value):
        return value
    if value["dtype"] not in ARRAY_KINDS:
        raise ValueError
    numbers = np.frombuffer(base64.b64decode(value["bdata"], validate=True), dtype=f"<{value['dtype']}")
    if shape := value.get("shape"):
        numbers = numbers.reshape([int(side) for side in (shape.split(",") if isinstance(shape, str) else shape)])
    return numbers.tolist()


def _safe(value: Any) -> Any:
    """Return JSON with plain lists, finite numbers and texts that plotly cannot take for markup."""
    if isinstance(value, str):
        return HARMLESS_TAG.sub("&lt;", clean(value))
    if isinstance(value, float):
        return (
            (int(value) if value.is_integer() and abs(value) < 1e15 else float(f"{value:.10g}"))
            if math.isfinite(value)
            else None
        )
    value = _array(value)
    if isinstance(value, Mapping):
        return {HARMLESS_TAG.sub("&lt;", clean(name)): _safe(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_safe(part) for part in value]
    return value


def checked(figure: Any, place: str = "") -> dict[str, Any]:
    """Return data and layout of a figure, safe to draw.

    Args:
        figure: Plotly's JSON, as a notebook keeps it.
        place: Where the figure stands, for the error.

    Raises:
        ReportError: The figure has nothing to draw, holds a kind of trace that cannot be drawn offline, is malformed,
            or has more than `MAX_POINTS` points.
    """

    def refuse(problem: str, remedy: str = "Show the same data as lines, bars or a table") -> ReportError:
        return ReportError(f"a chart cannot be drawn: {problem}", place=place, remedy=remedy)

    if not isinstance(figure, Mapping) or not isinstance(figure.get("data"), list):
        raise refuse("it is not a plotly figure")
    if not figure["data"]:
        raise refuse("it has no traces", remedy="Where there is no data, show a note that says so")
    layout = figure.get("layout") or {}
    if not isinstance(layout, Mapping):
        raise refuse("its layout is malformed")
    layout = _without_signs(layout)
    if found := [name for name in layout if name.rstrip("0123456789") in REFUSED and layout[name]]:
        raise refuse(f"its layout has {found[0]!r}, which needs a server")
    try:
        data = [_safe(trace) for trace in figure["data"]]
        layout = _safe({name: part for name, part in layout.items() if name not in DROPPED})
    except (ValueError, TypeError, KeyError, binascii.Error) as error:
        raise refuse("an array in it is malformed") from error
    points = 0
    for trace in data:
        if not isinstance(trace, dict):
            raise refuse("a trace in it is malformed")
        kind = trace.setdefault("type", "scatter")
        if kind not in DRAWABLE:
            raise refuse(f"plotly draws {clean(kind)[:30]!r} only with help from a server")
        if kind == "scattergl":
            trace["type"] = "scatter"
        trace.pop("uid", None)
        lengths = {name: len(trace[name]) for name in ("x", "y") if isinstance(trace.get(name), list)}
        if kind in ("scatter", "bar") and len(set(lengths.values())) > 1:
            raise refuse("a trace has more x than y, or fewer")
        points += max(lengths.values(), default=0)
    if points > MAX_POINTS:
        raise refuse(f"it has {points:,} points, at most {MAX_POINTS:,} can be", remedy="Sum or sample the data first")
    return {"data": data, "layout": layout}


def _without_signs(layout: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out icons and names of panels that a notebook shows in the figure; a page has them in its headings."""
    own = dict(layout)
    for part, name in (("images", "sign"), ("annotations", "head")):
        if isinstance(given := layout.get(part), list):
            own[part] = [one for one in given if not (isinstance(one, Mapping) and one.get("name") == name)]
    return own


def panel(figure: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Return one of the small charts of a checked figure as a figure of its own.

    Args:
        figure: A figure out of `checked`, with the axes `x`, `y`, `x2`, `y2`, ...
        number: Which one, from 1.
    """
    end = "" if number == 1 else str(number)
    layout = figure["layout"]
    own = {
        f"{letter}axis": {
            name: part for name, part in (layout.get(f"{letter}axis{end}") or {}).items() if name not in _PLACING
        }
        for letter in "xy"
    }
    shapes = [
        {**shape, "xref": "x", "yref": str(shape.get("yref", "y")).replace(f"y{end}", "y", 1)}
        for shape in layout.get("shapes") or []
        if shape.get("xref") == f"x{end}"
    ]
    data = [
        {**trace, "xaxis": "x", "yaxis": "y", "showlegend": False}
        for trace in figure["data"]
        if (trace.get("xaxis") or "x") == f"x{end}"
    ]
    return {"data": data, "layout": {**own, "shapes": shapes, "height": PANEL_HEIGHT}}


def pack(figure: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checked figure with every long list written once, and runs of one value as a count.

    The page's script puts the lists back: `{"$": 3}` stands for the fourth of `lists`, and `{"runs": [[80, 26]]}` for
    26 times 80.
    """
    lists: dict[str, tuple[int, Any]] = {}

    def packed(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: packed(part) for name, part in value.items()}
        if not isinstance(value, list):
            return value
        if len(value) < 6 or any(isinstance(part, dict | list) for part in value):
            return [packed(part) for part in value]
        key = json.dumps(value, separators=(",", ":"))
        if key not in lists:
            runs = [[next(same), 1 + sum(1 for _ in same)] for _, same in groupby(value, key=lambda v: (type(v), v))]
            shorter = {"runs": runs}
            shown = shorter if len(json.dumps(shorter, separators=(",", ":"))) < len(key) else value
            lists[key] = (len(lists), shown)
        return {"$": lists[key][0]}

    data, layout = packed(figure["data"]), packed(figure["layout"])
    return {"data": data, "layout": layout, "lists": [shown for _, shown in lists.values()]}


def title_of(figure: Mapping[str, Any]) -> str:
    """Return the title that a plain plotly figure carries, or nothing."""
    title = (figure.get("layout") or {}).get("title") or ""
    return clean(plain_text(title.get("text") or "" if isinstance(title, Mapping) else title))


def _figure_text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return plain_text(value)


def data_table(figure: Mapping[str, Any], *, caption: str, limit: int = 400) -> Table:
    """Return what a checked figure shows as a table: the positions, and a column per trace.

    Args:
        figure: A figure out of `checked`.
        caption: What the table is called.
        limit: How many positions are listed; the rest is counted.
    """
    columns: dict[str, dict[str, str]] = {}
    order: dict[str, None] = {}
    for number, trace in enumerate(figure["data"], start=1):
        name = plain_text(trace.get("name") or "") or ("Value" if len(figure["data"]) == 1 else f"Series {number}")
        if trace.get("z"):
            across = trace.get("x") or range(1, len(trace["z"][0]) + 1)
            down = trace.get("y") or range(1, len(trace["z"]) + 1)
            for row, values in zip(down, trace["z"], strict=False):
                order.setdefault(_figure_text(row))
                for head, value in zip(across, values, strict=False):
                    columns.setdefault(_figure_text(head), {})[_figure_text(row)] = _figure_text(value)
            continue
        places, values = trace.get("x") or trace.get("labels"), trace.get("y") or trace.get("values")
        if trace.get("orientation") == "h":
            places, values = values, places
        if not values:  # a histogram, or a box that lies down, has its values along x
            places, values = None, places or []
        while name in columns:
            name += " "
        column = columns.setdefault(name, {})
        for place, value in zip(places or range(1, len(values) + 1), values, strict=False):
            order.setdefault(_figure_text(place))
            column[_figure_text(place)] = _figure_text(value)
    axis = (figure["layout"].get("xaxis") or {}).get("title") or ""
    axis = axis.get("text") or "" if isinstance(axis, Mapping) else axis
    rows = [[place, *(column.get(place) for column in columns.values())] for place in list(order)[:limit]]
    note = f"{len(order) - limit:,} further points are not listed." if len(order) > limit else ""
    heads = [Column(label=name.strip(), align="right") for name in columns]
    return Table(columns=[plain_text(axis) or "Position", *heads], rows=rows, caption=caption, note=note)

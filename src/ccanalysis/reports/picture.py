"""A checked figure drawn once more, here, as a still picture.

Paper, mail previews and browsers without scripts show this picture, and so does every page until plotly.js has drawn
its own. It is SVG whose colours are the page's variables, so it follows the light and the dark scheme. It knows lines,
marks, areas, bars, heat maps and error bars on plain, date and category axes; a figure with anything else has none,
and its reader the table.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from ccanalysis.display import COLOURS

WIDTH = 720.0
PANEL_WIDTH = 270.0  # of a small chart among several
_TEXT_WIDTH = 7.2  # of a character of 13 px, on average
_NAMES = {light: name for name, (light, _) in COLOURS.items()}
_CHANNELS = {tuple(bytes.fromhex(light[1:])): name for light, name in _NAMES.items()}
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?")
_DASHES = {"dash": "6 4", "dot": "2 3", "dashdot": "6 3 2 3", "longdash": "9 4"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Point = tuple[float, float] | None


def plain_text(text: object) -> str:
    """Return a label of plotly without its markup."""
    text = re.sub(r"<br\s*/?>", " ", str(text), flags=re.IGNORECASE)
    return re.sub(r"<[^>]{0,40}>", "", text).replace("&lt;", "<")


def paint(colour: Any, default: str = "ink") -> tuple[str, float]:
    """Return a colour as CSS, by the page's variable where it is one of ours, and its opacity.

    Examples:
        >>> paint("#1f5fa8"), paint("rgba(31, 95, 168, 0.2)"), paint("url(x)")
        (('var(--c-series_1)', 1.0), ('var(--c-series_1)', 0.2), ('var(--c-ink)', 1.0))
    """
    if isinstance(colour, str):
        text = colour.strip().lower()
        if text in _NAMES:
            return f"var(--c-{_NAMES[text]})", 1.0
        if match := re.fullmatch(r"rgba?\((\d+),\s*(\d+),\s*(\d+)(?:,\s*(\d*\.?\d+))?\)", text):
            channels, opacity = tuple(int(part) for part in match.groups()[:3]), float(match[4] or 1)
            name = _CHANNELS.get(channels)
            return f"var(--c-{name})" if name else "rgb({},{},{})".format(*channels), opacity
        if re.fullmatch(r"#[0-9a-f]{3}(?:[0-9a-f]{3})?|[a-z]{3,20}", text):
            return text, 1.0
    return f"var(--c-{default})", 1.0


def _style(part: str, colour: Any, default: str, opacity: float = 1.0) -> str:
    css, own = paint(colour, default)
    own *= opacity
    return f"{part}:{css}" + (f";{part}-opacity:{own:.3g}" if own < 1 else "")


def _nice(low: float, high: float, most: int) -> tuple[float, int]:
    """Return a step of 1, 2 or 5 times a power of ten, and the decimals it needs."""
    rough = (high - low) / most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
    return step, max(0, -math.floor(math.log10(step) + 1e-9))


@dataclass
class Axis:
    """One axis: from a value of the data to a place in the picture."""

    letter: str
    settings: Mapping[str, Any]
    kind: str
    start: float = 0.0
    end: float = 1.0
    low: float = math.inf
    high: float = -math.inf
    categories: dict[str, int] = field(default_factory=dict)
    with_zero: bool = False
    wide: bool = False  # marks or bars: room at both ends

    def number(self, value: Any) -> float | None:
        """Return a value as a number along the axis, None where it has no place there."""
        if value is None or isinstance(value, bool):
            return None
        try:
            if self.kind == "category":
                return float(self.categories.setdefault(str(value), len(self.categories)))
            if self.kind == "date":
                if isinstance(value, int | float):
                    return value / 86_400_000
                moment = datetime.fromisoformat(str(value)[:19])
                return (moment.replace(tzinfo=UTC) - _EPOCH) / timedelta(days=1)
            number = float(value)
            return (math.log10(number) if number > 0 else None) if self.kind == "log" else number
        except (ValueError, OverflowError):
            return None

    def learn(self, values: Sequence[Any]) -> None:
        """Take the range of these values in."""
        for value in values:
            if (number := self.number(value)) is not None:
                self.low, self.high = min(self.low, number), max(self.high, number)

    def settle(self) -> None:
        """Fix the range, once all values are known."""
        given = self.settings.get("range")
        if isinstance(given, list) and len(given) == 2:
            fixed = self.kind in ("log", "category")
            ends = [float(end) if fixed and isinstance(end, int | float) else self.number(end) for end in given]
            if None not in ends and ends[0] != ends[1]:
                self.low, self.high = ends  # type: ignore[assignment]
                return
        if self.low > self.high:
            self.low, self.high = 0.0, 1.0
        if self.with_zero or self.settings.get("rangemode") == "tozero":
            self.low, self.high = min(self.low, 0.0), max(self.high, 0.0)
        if self.kind == "category" or self.low == self.high:
            self.low, self.high = self.low - 0.5, self.high + 0.5
        elif self.wide or self.letter == "y":
            room = 0.05 * (self.high - self.low)
            self.low -= 0 if self.low == 0 and self.with_zero else room
            self.high += 0 if self.high == 0 and self.with_zero else room
        if self.settings.get("autorange") == "reversed":
            self.low, self.high = self.high, self.low

    def at(self, value: Any) -> float | None:
        """Return the place of a value in the picture."""
        number = self.number(value)
        return None if number is None else self.place(number)

    def place(self, number: float) -> float:
        """Return the place of a number along the axis."""
        return self.start + (self.end - self.start) * (number - self.low) / (self.high - self.low)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Yield numbers along the axis with their texts."""
        values, texts = self.settings.get("tickvals"), self.settings.get("ticktext")
        low, high = sorted((self.low, self.high))
        marks: Sequence[tuple[float | None, str]]
        if self.settings.get("showticklabels") is False or self.settings.get("visible") is False:
            marks = []
        elif isinstance(values, list):
            shown = texts if isinstance(texts, list) else values
            marks = [(self.number(value), str(text)) for value, text in zip(values, shown, strict=False)]
        elif self.kind == "category":
            names = list(self.categories)
            step = math.ceil(len(names) / (9 if self.letter == "x" else 60)) or 1
            marks = [(float(index), names[index]) for index in range(len(names) - 1, -1, -step)][::-1]
        elif self.kind == "date":
            marks = list(self._days(low, high))
        elif self.kind == "log":
            marks = [
                (float(power), self._text(10.0**power, 0)) for power in range(math.ceil(low), math.floor(high) + 1)
            ]
        else:
            step_size, decimals = _nice(low, high, 5)
            first, last = math.ceil(low / step_size - 1e-9), math.floor(high / step_size + 1e-9)
            marks = [(index * step_size, self._text(index * step_size, decimals)) for index in range(first, last + 1)]
        for number, text in marks:
            if number is not None and low - 1e-9 <= number <= high + 1e-9:
                yield number, plain_text(text)

    def _text(self, value: float, decimals: int) -> str:
        before, after = (str(self.settings.get(name) or "") for name in ("tickprefix", "ticksuffix"))
        if str(self.settings.get("tickformat") or "").endswith("%"):
            return f"{before}{value * 100:.{max(decimals - 2, 0)}f}%{after}"
        return f"{before}{value + 0.0:,.{decimals}f}{after}"

    @staticmethod
    def _days(low: float, high: float) -> Iterator[tuple[float, str]]:
        span = high - low
        steps = (1 / 24, 1 / 8, 1 / 4, 1, 2, 7, 14, 28, 56, 91, 182, 364, 728)
        step = next((step for step in steps if span / step <= 8), 3650)
        offset = 4 if step >= 7 else 0  # 1 January 1970 was a Thursday: weeks are marked on Mondays
        for index in range(math.ceil((low - offset) / step - 1e-9), math.floor((high - offset) / step + 1e-9) + 1):
            moment = _EPOCH + timedelta(days=index * step + offset)
            text = f"{moment:%H:%M}" if step < 1 else f"{moment:%b %Y}" if step > 56 else f"{moment.day} {moment:%b}"
            yield index * step + offset, text


def _kind(settings: Mapping[str, Any], values: Sequence[Any]) -> str:
    if settings.get("type") in ("linear", "log", "date", "category"):
        return str(settings["type"])
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, str) and _ISO.fullmatch(value) for value in known):
        return "date"
    return "linear" if all(isinstance(value, int | float) for value in known) else "category"


def _n(number: float) -> str:
    """Return a length, to a tenth of a unit where that is a tenth of it or more."""
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.1f}".removesuffix(".0")


def _halfway(points: Sequence[Point]) -> list[Point]:
    """Return a line that steps halfway between two points."""
    stepped: list[Point] = []
    for one, other in pairwise([*points, None]):
        stepped.append(one)
        if one and other and one[1] != other[1]:
            middle = (one[0] + other[0]) / 2
            stepped += [(middle, one[1]), (middle, other[1])]
    return stepped


def _step(number: int) -> str:
    """Return a relative length as SVG reads it after another: a minus sign parts them, otherwise a blank."""
    return str(number) if number < 0 else f" {number}"


def _path(points: Sequence[Point], *, steps: bool = False) -> str:
    """Return the commands of a line through points, broken at each None; level stretches are one command."""
    path, letter = "", ""
    last: tuple[int, int] | None = None
    level: int | None = None
    for point in [*points, None]:
        here = (round(point[0]), round(point[1])) if point else None
        if here and last and (steps or here[1] == last[1]):
            level = here[0]
            if steps:
                path, level, letter = f"{path}H{here[0]}V{here[1]}", None, ""
        else:
            if level is not None:
                path, level, letter = f"{path}H{level}", None, ""
            if here and last:
                step = f"{here[0] - last[0]}{_step(here[1] - last[1])}"
                path += step if letter and step[0] == "-" else f" {step}" if letter else f"l{step}"
                letter = "l"
            elif here:
                path, letter = f"{path}M{here[0]} {here[1]}", ""
        last = here
    return path


def _mark(symbol: str, x: float, y: float, size: float) -> str:
    """Return the commands of one mark; a disc is a point, which its round pen widens."""
    half = size / 2
    if symbol.startswith("square"):
        return f"M{_n(x - half)} {_n(y - half)}h{size:g}v{size:g}h-{size:g}z"
    if symbol.startswith("diamond"):
        tip = half * 1.3
        return f"M{_n(x)} {_n(y - tip)}l{tip:.2g} {tip:.2g}-{tip:.2g} {tip:.2g}-{tip:.2g}-{tip:.2g}z"
    if symbol.startswith(("triangle-left", "triangle-right")):
        tip = 1 if symbol.startswith("triangle-right") else -1
        return f"M{_n(x + tip * half * 1.2)} {_n(y)}l{-tip * half * 2:.3g} {half * 1.15:.3g}v{-half * 2.3:.3g}z"
    if symbol.startswith("triangle"):
        up = -1 if symbol.startswith("triangle-down") else 1
        return f"M{_n(x)} {_n(y - up * half * 1.2)}l{half * 1.15:.3g} {up * half * 2:.3g}h-{half * 2.3:.3g}z"
    if symbol.startswith("cross"):
        third = size / 3
        arm, back = f"{third:.2g}", f"-{third:.2g}"
        edge = f"h{arm}v{arm}h{arm}v{arm}h{back}v{arm}h{back}v{back}h{back}v{back}h{arm}z"
        return f"M{_n(x - third / 2)} {_n(y - half)}{edge}"
    if symbol.startswith("line-ns"):
        return f"M{_n(x)} {_n(y - 0.7 * size)}v{1.4 * size:.3g}"
    if symbol.startswith("x"):
        return f"M{_n(x - half)} {_n(y - half)}l{size:g} {size:g}m0-{size:g}l-{size:g} {size:g}"
    if symbol.endswith("-open"):
        return f"M{_n(x - half)} {_n(y)}a{half:g} {half:g} 0 1 0 {size:g} 0a{half:g} {half:g} 0 1 0-{size:g} 0z"
    return f"M{_n(x)} {_n(y)}h0"


def _each(value: Any, count: int, default: Any) -> list[Any]:
    """Return one setting per point, whether it was given once or per point."""
    if isinstance(value, list):
        return [*value, *[default] * count][:count]
    return [default if value is None else value] * count


class UnknownError(Exception):
    """The figure holds what is not drawn here."""


class Picture:
    """A checked figure on its way to SVG."""

    def __init__(self, figure: Mapping[str, Any], width: float = WIDTH) -> None:
        self.width = width
        self.traces: list[dict[str, Any]] = [trace for trace in figure["data"] if trace.get("visible", True) is True]
        self.layout: Mapping[str, Any] = figure["layout"]
        for trace in self.traces:
            if trace["type"] not in ("scatter", "bar", "heatmap"):
                raise UnknownError
        self.height = min(max(float(self.layout.get("height") or 320), 120.0), 1600.0)
        self.parts: list[str] = []
        self.axes: dict[str, Axis] = {}
        self.colours = {id(trace): f"series_{number % 6 + 1}" for number, trace in enumerate(self.traces)}

    def svg(self) -> Markup:
        """Draw it."""
        self._make_axes()
        bars = [trace for trace in self.traces if trace["type"] == "bar"]
        self._stack(bars)
        for trace in self.traces:
            self._learn(trace)
        for axis in self.axes.values():
            axis.settle()
        top = self._legend()
        self._place(top)
        for trace in self.traces:
            if trace["type"] == "heatmap":
                self._heatmap(trace)
        shapes = self.layout.get("shapes") or []
        for shape in shapes:
            if shape.get("layer") == "below":
                self._shape(shape)
        self._grid()
        for shape in shapes:
            if shape.get("layer") != "below":
                self._shape(shape)
        self._bars(bars)
        for number, trace in enumerate(self.traces):
            if trace["type"] == "scatter":
                self._scatter(trace, number)
        for note in self.layout.get("annotations") or []:
            self._annotation(note)
        return Markup(
            '<svg class="still" viewBox="0 0 {:g} {:g}" preserveAspectRatio="xMinYMid" aria-hidden="true">{}</svg>'
        ).format(self.width, self.height, Markup("".join(self.parts)))

    # --- axes ---

    def _names(self, trace: Mapping[str, Any]) -> tuple[str, str]:
        return str(trace.get("xaxis") or "x"), str(trace.get("yaxis") or "y")

    def _settings(self, name: str) -> Mapping[str, Any]:
        found = self.layout.get(f"{name[0]}axis{name[1:]}") or {}
        return found if isinstance(found, Mapping) else {}

    def _make_axes(self) -> None:
        values: dict[str, list[Any]] = {}
        for trace in self.traces:
            for name in self._names(trace):
                given = trace.get(name[0])
                values.setdefault(name, []).extend(given if isinstance(given, list) else [])
        if any(self._settings(name).get("overlaying") for name in values):
            raise UnknownError
        for name, known in values.items():
            settings = self._settings(name)
            axis = Axis(letter=name[0], settings=settings, kind=_kind(settings, known))
            order = settings.get("categoryarray")
            for category in order if isinstance(order, list) and axis.kind == "category" else []:
                axis.number(category)
            self.axes[name] = axis

    def _pair(self, trace: Mapping[str, Any]) -> tuple[Axis, Axis]:
        x, y = self._names(trace)
        return self.axes[x], self.axes[y]

    def _values(self, trace: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
        x, y = (trace.get(letter) if isinstance(trace.get(letter), list) else None for letter in "xy")
        count = len(x if x is not None else y or [])
        return x if x is not None else list(range(count)), y if y is not None else list(range(count))

    def _learn(self, trace: Mapping[str, Any]) -> None:
        x_axis, y_axis = self._pair(trace)
        x, y = self._values(trace)
        if trace["type"] == "heatmap":
            return self._learn_cells(trace, x_axis, y_axis)
        if trace["type"] == "bar":
            value_axis, place_axis = (x_axis, y_axis) if trace.get("orientation") == "h" else (y_axis, x_axis)
            places = y if trace.get("orientation") == "h" else x
            value_axis.with_zero = place_axis.wide = True
            place_axis.learn(places)
            if place_axis.kind != "category" and places:  # room for half a bar at both ends
                numbers = sorted({number for place in places if (number := place_axis.number(place)) is not None})
                half = min((b - a for a, b in pairwise(numbers)), default=1.0) / 2
                place_axis.low = min([place_axis.low, *(number - half for number in numbers[:1])])
                place_axis.high = max([place_axis.high, *(number + half for number in numbers[-1:])])
            value_axis.learn([end for span in trace["_spans"] if span for end in span])
            return None
        x_axis.learn(x)
        y_axis.learn(y)
        x_axis.wide = x_axis.wide or "markers" in str(trace.get("mode") or "lines")
        y_axis.with_zero = y_axis.with_zero or trace.get("fill") == "tozeroy"
        for axis, values, key in ((x_axis, x, "error_x"), (y_axis, y, "error_y")):
            for value, (less, more) in zip(values, self._errors(trace, key, len(values)), strict=True):
                if isinstance(value, int | float):
                    axis.learn([value - less, value + more])
        return None

    @staticmethod
    def _learn_cells(trace: Mapping[str, Any], x_axis: Axis, y_axis: Axis) -> None:
        rows = trace.get("z") or [[]]
        for axis, letter, count in ((x_axis, "x", len(rows[0])), (y_axis, "y", len(rows))):
            if isinstance(trace.get(letter), list) and axis.kind != "category":
                raise UnknownError
            axis.kind = "category"
            axis.learn(trace.get(letter) or list(range(count)))

    @staticmethod
    def _errors(trace: Mapping[str, Any], key: str, count: int) -> list[tuple[float, float]]:
        given = trace.get(key)
        if not isinstance(given, Mapping) or given.get("visible") is False:
            return [(0.0, 0.0)] * count
        more = _each(given.get("array", given.get("value")), count, 0.0)
        less = _each(given.get("arrayminus", more if given.get("symmetric", True) else 0.0), count, 0.0)
        return [(float(a or 0), float(b or 0)) for a, b in zip(less, more, strict=True)]

    def _place(self, top: float) -> None:
        left, right, bottom = 14.0, 16.0, 30.0
        for name, axis in self.axes.items():
            title = self._title(axis)
            if name[0] == "y":
                longest = max((len(text) for _, text in axis.ticks()), default=0)
                left = max(left, min(longest * _TEXT_WIDTH, 190.0) + 12 + (20 if title else 0))
            elif title:
                bottom = 48.0
        for axis in self.axes.values():
            low, high = axis.settings.get("domain") or (0, 1)
            if axis.letter == "x":
                room = self.width - left - right
                axis.start, axis.end = left + room * float(low), left + room * float(high)
            else:
                room = self.height - top - bottom
                axis.start, axis.end = (
                    self.height - bottom - room * float(low),
                    self.height - bottom - room * float(high),
                )

    @staticmethod
    def _title(axis: Axis) -> str:
        title = axis.settings.get("title") or ""
        return plain_text(title.get("text") or "" if isinstance(title, Mapping) else title)

    def _partner(self, name: str) -> Axis:
        for trace in self.traces:
            x, y = self._names(trace)
            if name in (x, y):
                return self.axes[y if name == x else x]
        raise UnknownError

    def _grid(self) -> None:
        lines: list[str] = []
        ticks: dict[str, list[str]] = {"end": [], "middle": []}
        for name, axis in self.axes.items():
            other = self._partner(name)
            across = axis.settings.get("showgrid", axis.letter == "y") and axis.kind != "category"
            for number, text in axis.ticks():
                place = axis.place(number)
                if axis.letter == "y":
                    if across:
                        lines.append(f"M{_n(other.start)} {_n(place)}H{_n(other.end)}")
                    ticks["end"].append(self._text(other.start - 8, place + 4, _shortened(text)))
                else:
                    if across:
                        lines.append(f"M{_n(place)} {_n(other.start)}V{_n(other.end)}")
                    shown = _shortened(text, 16)
                    half = len(shown) * _TEXT_WIDTH / 2
                    inside = min(max(place, 4 + half), self.width - 4 - half)
                    ticks["middle"].append(self._text(inside, other.start + 18, shown))
            if title := self._title(axis):
                middle = (axis.start + axis.end) / 2
                if axis.letter == "x":
                    ticks["middle"].append(self._text(middle, self.height - 8, title))
                else:
                    turned = f' transform="rotate(-90 14 {_n(middle)})"'
                    ticks["middle"].append(self._text(14, middle, _shortened(title, int(self.height / 8)), more=turned))
            if axis.letter == "x":
                lines.append(f"M{_n(axis.start)} {_n(other.start)}H{_n(axis.end)}")
        self.parts.append(f'<path d="{"".join(lines)}" style="stroke:var(--c-line);fill:none"/>')
        for anchor, texts in ticks.items():
            if texts:
                self.parts.append(f'<g text-anchor="{anchor}">{"".join(texts)}</g>')

    @staticmethod
    def _text(x: float, y: float, text: str, anchor: str = "start", more: str = "") -> str:
        side = "" if anchor == "start" else f' text-anchor="{anchor}"'
        return str(Markup('<text x="{}" y="{}"{}{}>{}</text>').format(_n(x), _n(y), Markup(side), Markup(more), text))

    def _legend(self) -> float:
        """Draw the legend and return where the plot may begin."""
        several = len([trace for trace in self.traces if trace.get("showlegend") is not False]) > 1
        shown = [
            trace
            for trace in self.traces
            if trace.get("name") and trace.get("showlegend", several) and trace["type"] != "heatmap"
        ]
        if self.layout.get("showlegend") is False or not shown:
            return 12.0
        x, y = 14.0, 14.0
        for trace in shown:
            name = _shortened(plain_text(trace["name"]), 48)
            width = 34 + len(name) * _TEXT_WIDTH + 18
            if x > 14 and x + width > self.width:
                x, y = 14.0, y + 20
            default = self.colours[id(trace)]
            if trace["type"] == "bar":
                fill = _style("fill", self._single(trace, "marker"), default)
                self.parts.append(f'<path d="M{x:g} {y - 9:g}h20v11h-20z" style="{fill}"/>')
            elif trace.get("fill") not in (None, "none"):
                fill = _style("fill", trace.get("fillcolor") or (trace.get("line") or {}).get("color"), default)
                self.parts.append(f'<path d="M{x:g} {y - 9:g}h20v11h-20z" style="{fill}"/>')
            elif trace.get("mode") == "markers":
                self._marks(trace, [(x + 12, y - 4.5), *[None] * (len(self._values(trace)[0]) - 1)], default)
            else:
                style = self._line_style(trace, default)
                self.parts.append(f'<path d="M{x:g} {y - 4:g}h24" style="{style};fill:none"/>')
            self.parts.append(self._text(x + 30, y, name, "start"))
            x += width
        return y + 16.0

    @staticmethod
    def _single(trace: Mapping[str, Any], part: str) -> Any:
        colour = (trace.get(part) or {}).get("color")
        return colour[0] if isinstance(colour, list) and colour else colour

    def _line_style(self, trace: Mapping[str, Any], default: str) -> str:
        line = trace.get("line") or {}
        colour = line.get("color") or self._single(trace, "marker")
        dash = _DASHES.get(str(line.get("dash") or ""), "")
        width = float(line.get("width", 2) or 0)
        return (
            _style("stroke", colour, default)
            + f";stroke-width:{width:g}"
            + (f";stroke-dasharray:{dash}" if dash else "")
        )

    # --- traces ---

    def _points(self, trace: Mapping[str, Any]) -> list[Point]:
        x_axis, y_axis = self._pair(trace)
        points: list[Point] = []
        for x, y in zip(*self._values(trace), strict=True):
            across, up = x_axis.at(x), y_axis.at(y)
            points.append(None if across is None or up is None else (across, up))
        return points

    def _scatter(self, trace: Mapping[str, Any], number: int) -> None:
        points, default = self._points(trace), self.colours[id(trace)]
        mode = str(trace.get("mode") or ("lines+markers" if len(points) < 20 else "lines"))
        self._fill(trace, number, points, default)
        if "lines" in mode and (trace.get("line") or {}).get("width") != 0:
            shape = str((trace.get("line") or {}).get("shape") or "")
            steps = shape == "hv"
            drawn = [point for point in points if point] if trace.get("connectgaps") else points
            drawn = _halfway(drawn) if shape == "hvh" else drawn
            path = _path(drawn, steps=steps)
            self.parts.append(f'<path d="{path}" style="{self._line_style(trace, default)};fill:none"/>')
        self._error_bars(trace, points, default)
        if "markers" in mode:
            self._marks(trace, points, default)
        if "text" in mode:
            for point, text in zip(points, _each(trace.get("text"), len(points), ""), strict=True):
                if point and text:
                    self.parts.append(self._text(point[0], point[1] - 8, plain_text(text), "middle"))

    def _fill(self, trace: Mapping[str, Any], number: int, points: list[Point], default: str) -> None:
        fill = trace.get("fill")
        ring = [point for point in points if point]
        if fill in (None, "none") or len(ring) < 2:
            return
        if fill == "tozeroy":
            floor = self._pair(trace)[1].place(0.0)
            ring = [*ring, (ring[-1][0], floor), (ring[0][0], floor)]
        elif fill == "tonexty":
            before = [other for other in self.traces[:number] if other["type"] == "scatter"]
            below = [point for point in self._points(before[-1]) if point] if before else []
            ring += below[::-1]
        elif fill != "toself":
            raise UnknownError
        colour = trace.get("fillcolor")
        opacity = 1.0 if colour else 0.25
        style = _style("fill", colour or (trace.get("line") or {}).get("color"), default, opacity)
        self.parts.append(f'<path d="{_path(ring)}z" style="{style}"/>')

    def _error_bars(self, trace: Mapping[str, Any], points: list[Point], default: str) -> None:
        x_axis, y_axis = self._pair(trace)
        x, y = self._values(trace)
        for axis, values, key in ((x_axis, x, "error_x"), (y_axis, y, "error_y")):
            if not isinstance(trace.get(key), Mapping):
                continue
            path = ""
            for point, value, (less, more) in zip(points, values, self._errors(trace, key, len(values)), strict=True):
                if point and isinstance(value, int | float) and (less or more):
                    low, high = axis.place(value - less), axis.place(value + more)
                    if axis is x_axis:
                        path += f"M{_n(low)} {_n(point[1])}H{_n(high)}m0-4v8M{_n(low)} {_n(point[1] - 4)}v8"
                    else:
                        path += f"M{_n(point[0])} {_n(low)}V{_n(high)}m-4 0h8M{_n(point[0] - 4)} {_n(low)}h8"
            colour = trace[key].get("color")
            self.parts.append(
                f'<path d="{path}" style="{_style("stroke", colour, default)};fill:none;stroke-width:1.5"/>'
            )

    def _marks(self, trace: Mapping[str, Any], points: list[Point], default: str) -> None:
        marker = trace.get("marker") or {}
        count = len(points)
        groups: dict[str, str] = {}
        fallback = (trace.get("line") or {}).get("color")
        edge = marker.get("line") or {}
        for point, colour, shape, size, around in zip(
            points,
            _each(marker.get("color"), count, fallback),
            _each(marker.get("symbol"), count, "circle"),
            _each(marker.get("size"), count, 6),
            _each(edge.get("color"), count, None),
            strict=True,
        ):
            if point is None or size == 0:
                continue
            if isinstance(colour, int | float):
                raise UnknownError
            symbol = str(shape)
            hollow = symbol.endswith("-open") or symbol.startswith(("x", "line-ns"))
            opacity = marker.get("opacity")
            faint = float(opacity) if isinstance(opacity, int | float) else 1.0
            if hollow:
                style = f"fill:var(--bg);{_style('stroke', colour, default, faint)};stroke-width:1.6"
            elif symbol.startswith(("square", "diamond", "triangle", "cross")):
                style = _style("fill", colour, default, faint)
                if edge.get("width"):
                    style += f";{_style('stroke', around, 'ink')};stroke-width:{float(edge['width']):g}"
            else:
                pen = f"stroke-linecap:round;stroke-width:{float(size or 6):g}"
                style = f"{_style('stroke', colour, default, faint)};{pen}"
            groups[style] = groups.get(style, "") + _mark(symbol, *point, float(size or 6))
        for style, path in groups.items():
            self.parts.append(f'<path d="{path}" style="{style}"/>')

    def _stack(self, bars: list[dict[str, Any]]) -> None:
        """Give every bar trace the spans that its bars cover."""
        mode = self.layout.get("barmode") or "group"
        ends: dict[tuple[Any, ...], float] = {}
        for trace in bars:
            x, y = self._values(trace)
            places, values = (y, x) if trace.get("orientation") == "h" else (x, y)
            bases = _each(trace.get("base"), len(values), None)
            spans: list[tuple[float, float] | None] = []
            for place, value, base in zip(places, values, bases, strict=True):
                if not isinstance(value, int | float):
                    spans.append(None)
                    continue
                if isinstance(base, str):
                    raise UnknownError
                begin = float(base or 0)
                if mode in ("stack", "relative"):
                    key = (*self._names(trace), place, value >= 0)
                    begin = ends.get(key, begin)
                    ends[key] = begin + value
                spans.append((begin, begin + value))
            trace["_spans"] = spans

    def _bars(self, bars: list[dict[str, Any]]) -> None:
        side_by_side = (self.layout.get("barmode") or "group") == "group"
        for number, trace in enumerate(bars):
            x_axis, y_axis = self._pair(trace)
            flat = trace.get("orientation") == "h"
            x, y = self._values(trace)
            places, axis, value_axis = (y, y_axis, x_axis) if flat else (x, x_axis, y_axis)
            numbers = sorted({place for value in places if (place := axis.number(value)) is not None})
            gaps = [b - a for a, b in pairwise(numbers)]
            filled = 1 - float(self.layout.get("bargap", 0.3))
            room = abs(axis.place(min(gaps, default=1.0)) - axis.place(0.0)) * filled
            if isinstance(given := trace.get("width"), int | float):  # in units of the axis, whatever the gaps
                room = abs(axis.place(float(given)) - axis.place(0.0))
            width, shift = room, -room / 2
            if side_by_side:
                width = room / len(bars)
                shift += number * width
            marker = trace.get("marker") or {}
            groups: dict[str, str] = {}
            colours = _each(marker.get("color"), len(places), None)
            for place, span, colour in zip(places, trace["_spans"], colours, strict=True):
                middle = axis.at(place)
                if middle is None or span is None:
                    continue
                if isinstance(colour, int | float):
                    raise UnknownError
                low, high = value_axis.place(span[0]), value_axis.place(span[1])
                style = _style("fill", colour, self.colours[id(trace)], float(trace.get("opacity") or 1))
                start = middle + shift
                box = (
                    f"M{_n(low)} {_n(start)}H{_n(high)}v{width:.3g}H{_n(low)}z"
                    if flat
                    else f"M{_n(start)} {_n(low)}V{_n(high)}h{width:.3g}V{_n(low)}z"
                )
                groups[style] = groups.get(style, "") + box
            for style, path in groups.items():
                self.parts.append(f'<path d="{path}" style="{style}"/>')
            self._error_bars(trace, self._points(trace), "ink")

    def _heatmap(self, trace: Mapping[str, Any]) -> None:
        x_axis, y_axis = self._pair(trace)
        rows = trace.get("z") or []
        known = [value for row in rows for value in row if isinstance(value, int | float)]
        scale = trace.get("colorscale")
        if not known or not isinstance(scale, list):
            raise UnknownError
        low, high = float(trace.get("zmin", min(known))), float(trace.get("zmax", max(known)))
        wide = abs(x_axis.place(1) - x_axis.place(0))
        tall = abs(y_axis.place(1) - y_axis.place(0))
        groups: dict[str, str] = {}
        for down, row in enumerate(rows):
            for across, value in enumerate(row):
                if isinstance(value, int | float):
                    share = min(max((value - low) / ((high - low) or 1), 0), 1)
                    x, y = x_axis.place(across) - wide / 2, y_axis.place(down) - tall / 2
                    style = f"fill:{_between(scale, round(share * 12) / 12)}"
                    groups[style] = groups.get(style, "") + f"M{_n(x)} {_n(y)}h{wide:.3g}v{tall:.3g}h-{wide:.3g}z"
        for style, path in groups.items():
            self.parts.append(f'<path d="{path}" style="{style}"/>')

    # --- shapes and words in the plot ---

    def _where(self, reference: Any, value: Any, letter: str) -> float | None:
        name = str(reference or letter)
        if name == "paper" or name.endswith(" domain"):
            axis = self.axes.get(name.removesuffix(" domain")) or next(
                axis for key, axis in self.axes.items() if key[0] == letter
            )
            return axis.start + (axis.end - axis.start) * float(value) if isinstance(value, int | float) else None
        if name not in self.axes:
            raise UnknownError
        axis = self.axes[name]
        if axis.kind == "category" and isinstance(value, int | float):
            return axis.place(float(value))
        return axis.at(value)

    def _shape(self, shape: Mapping[str, Any]) -> None:
        x0, x1 = (self._where(shape.get("xref"), shape.get(name), "x") for name in ("x0", "x1"))
        y0, y1 = (self._where(shape.get("yref"), shape.get(name), "y") for name in ("y0", "y1"))
        if x0 is None or x1 is None or y0 is None or y1 is None:
            return
        style = self._line_style({"line": shape.get("line")}, "ink")
        if shape.get("type") == "line":
            self.parts.append(f'<path d="M{_n(x0)} {_n(y0)}L{_n(x1)} {_n(y1)}" style="{style}"/>')
        elif shape.get("type") == "rect":
            fill = _style("fill", shape.get("fillcolor"), "band", float(shape.get("opacity") or 1))
            if (shape.get("line") or {}).get("width"):
                fill += f";{style}"
            self.parts.append(f'<path d="M{_n(x0)} {_n(y0)}H{_n(x1)}V{_n(y1)}H{_n(x0)}z" style="{fill}"/>')
        else:
            raise UnknownError

    def _annotation(self, note: Mapping[str, Any]) -> None:
        x = self._where(note.get("xref"), note.get("x"), "x")
        y = self._where(note.get("yref"), note.get("y"), "y")
        if x is None or y is None or not note.get("text"):
            return
        anchors = {"left": "start", "right": "end"}
        anchor = anchors.get(str(note.get("xanchor") or ""), "middle")
        if note.get("showarrow", True):
            x, y = x + float(note.get("ax") or 0), y + float(note.get("ay", -20) or 0)
        self.parts.append(
            self._text(
                min(max(x, 4.0), self.width - 4),
                min(max(y + 4, 12.0), self.height - 4),
                plain_text(note["text"]),
                anchor,
            )
        )


def _shortened(text: str, most: int = 30) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _between(scale: Sequence[Any], share: float) -> str:
    """Return the colour of a plotly colour scale at a share of its length."""
    stops = [(float(at), colour) for at, colour in scale]
    for (low, one), (high, other) in pairwise(stops):
        if low <= share <= high:
            ends = [_rgb(one), _rgb(other)]
            part = (share - low) / ((high - low) or 1)
            return "rgb({},{},{})".format(*(round(a + (b - a) * part) for a, b in zip(*ends, strict=True)))
    raise UnknownError


def _rgb(colour: Any) -> tuple[int, int, int]:
    text = str(colour).lower()
    if re.fullmatch(r"#[0-9a-f]{6}", text):
        return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)
    if match := re.fullmatch(r"rgb\((\d+),\s*(\d+),\s*(\d+)\)", text):
        return int(match[1]), int(match[2]), int(match[3])
    raise UnknownError


def still(figure: Mapping[str, Any], *, width: float = WIDTH) -> Markup | None:
    """Draw a checked figure as a still picture; None where it holds what only plotly draws.

    Args:
        figure: A figure out of `figures.checked`.
        width: Units across; a character is 13 of them high.
    """
    try:
        return Picture({"data": [dict(trace) for trace in figure["data"]], "layout": figure["layout"]}, width).svg()
    except (UnknownError, ValueError, TypeError, KeyError, AttributeError, StopIteration, ZeroDivisionError):
        return None

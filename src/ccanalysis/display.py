"""What a notebook may show: tables, notes, cards and charts as typed values that a page can be built from.

A notebook displays one of the four classes below. Each of them leaves a small JSON value in the executed notebook, and
nothing else reaches a published page: no HTML of a notebook, of a library or of the data is ever copied. Every text is
escaped where it is written, so that a name or a comment stays a name or a comment.

Beside the JSON each class leaves plain text, which `nbval` compares, and escaped HTML for JupyterLab.
"""

from __future__ import annotations

import base64
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, get_args

from markupsafe import Markup, escape

from ccanalysis.errors import ReportError, SettingsError, nearest

if TYPE_CHECKING:
    import pandas as pd

TABLE = "application/vnd.ccanalysis.table+json"
TEXT = "application/vnd.ccanalysis.text+json"
PLOTLY = "application/vnd.plotly.v1+json"

Status = Literal["met", "tolerance", "chance", "missed", "cannot", "not_judged"]
Variation = Literal[
    "improving_up",
    "improving_down",
    "worsening_up",
    "worsening_down",
    "changed_up",
    "changed_down",
    "common",
    "unknown",
]
Assurance = Literal["hits", "hit_or_miss", "misses", "none"]
Rating = Literal["fit", "caution", "not_fit", "unknown"]
Tone = Literal["good", "watch", "worse", "bad", "info", "none"]
Align = Literal["left", "right", "centre"]
NoteKind = Literal["lead", "paragraph", "callout", "list", "verdicts", "cards"]

MAX_ROWS = 1_000
MAX_TEXT = 4_000

# One hue per meaning, in the light and the dark scheme. Text of these colours keeps a contrast of 4.5 to 1 on the
# page and on its tint (WCAG 2.2, 1.4.3); a test computes it. Blue against orange-red, not green against red, and
# never colour alone: every meaning also has a shape and a word. `bad` is for misses that are real and data that cannot
# be used; a course that gets worse is `worse`, for its interval may still reach the target.
TONES: dict[Tone, tuple[str, str]] = {
    "good": ("#0b6470", "#6fd3dc"),
    "watch": ("#765400", "#e8c268"),
    "worse": ("#8f4a00", "#ffb065"),
    "bad": ("#ab3410", "#ffa184"),
    "info": ("#5b4b9a", "#bcb0f2"),
    "none": ("#56606c", "#a7b1bd"),
}
# Colours of charts. A chart that uses the light one of a pair is redrawn with the dark one where the page is dark.
# `missed` is for a miss that is real and for nothing else: a target is a line of ink, a worsening is orange.
COLOURS: dict[str, tuple[str, str]] = {
    "ink": ("#1c2530", "#e8edf2"),
    "muted": ("#5c6773", "#a3aebb"),
    "line": ("#d5dbe2", "#36414d"),
    "band": ("#e8edf3", "#232d38"),
    "series_1": ("#1f5fa8", "#79b4f2"),
    "series_2": ("#c2591a", "#f2a36b"),
    "series_3": ("#0f766e", "#5cc9bd"),
    "series_4": ("#7a4fa3", "#c3a3e6"),
    "series_5": ("#8a6d00", "#d9bf5a"),
    "series_6": ("#a83a6b", "#ee94bd"),
    "improving": ("#1f5fa9", "#79b4f3"),
    "worsening": ("#b45f06", "#ffb066"),
    "changed": ("#7a4fa4", "#c3a3e7"),
    "missed": ("#ab3411", "#ffa185"),
    "target": ("#1c2531", "#e8edf3"),
}


@dataclass(frozen=True)
class _Icon:
    """A sign of 20 by 20 units: the word it stands for, its tone, and shapes that only the package writes."""

    word: str
    tone: Tone
    shapes: str


_RING = '<circle class="o" cx="10" cy="10" r="8"/>'
_DASHED = '<circle class="o d" cx="10" cy="10" r="8"/>'
_DISC = '<circle class="f" cx="10" cy="10" r="9"/>'
_DIAMOND = '<path class="f" d="M10 .6 19.4 10 10 19.4.6 10z"/>'
_BOX = '<rect class="f" x="1.5" y="1.5" width="17" height="17" rx="3"/>'
_UP = '<path class="n" d="M10 14.6V6M6.4 9.2 10 5.6l3.6 3.6"/>'
_DOWN = '<path class="n" d="M10 5.4V14M6.4 10.8l3.6 3.6 3.6-3.6"/>'
_TICK = "M5.6 10.4l3 3 5.8-6.4"


def _bars(filled: int) -> str:
    bars = ((2, 12, 6), (8, 7.5, 10.5), (14, 3, 15))
    return "".join(
        f'<rect class="{"f" if index < filled else "o"}" x="{x}" y="{y}" width="4" height="{height}" rx="1"/>'
        for index, (x, y, height) in enumerate(bars)
    )


ICONS: dict[str, _Icon] = {
    "status-met": _Icon("Met", "good", f'{_DISC}<path class="n" d="{_TICK}"/>'),
    "status-tolerance": _Icon("Within tolerance", "good", f'{_RING}<path class="o" d="{_TICK}"/>'),
    "status-chance": _Icon(
        "Missed, could be chance",
        "watch",
        '<path class="o" d="M10 2.2 18.4 17.2H1.6z"/>'
        '<path class="o" d="M8.2 8.9a1.9 1.9 0 1 1 2.7 1.7c-.6.3-.9.6-.9 1.3"/>'
        '<circle class="f" cx="10" cy="14.6" r="1"/>',
    ),
    "status-missed": _Icon(
        "Missed",
        "bad",
        '<path class="f" d="M10 .9 19.6 18H.4z"/><path class="n" d="M10 7v5"/>'
        '<circle class="m" cx="10" cy="15" r="1.2"/>',
    ),
    "status-cannot": _Icon("This process cannot meet it", "bad", f'{_BOX}<path class="n" d="M6 6l8 8m0-8l-8 8"/>'),
    "status-not_judged": _Icon("Not judged", "none", f'{_DASHED}<path class="o" d="M6.5 10h7"/>'),
    "variation-improving_up": _Icon("Improving, rising", "good", _DISC + _UP),
    "variation-improving_down": _Icon("Improving, falling", "good", _DISC + _DOWN),
    "variation-worsening_up": _Icon("Getting worse, rising", "worse", _DIAMOND + _UP),
    "variation-worsening_down": _Icon("Getting worse, falling", "worse", _DIAMOND + _DOWN),
    "variation-changed_up": _Icon("Changed, rising", "info", _BOX + _UP),
    "variation-changed_down": _Icon("Changed, falling", "info", _BOX + _DOWN),
    "variation-common": _Icon(
        "No real change", "none", f'{_RING}<path class="o" d="M4.8 10c1.7-4 3.5-4 5.2 0s3.5 4 5.2 0"/>'
    ),
    "variation-unknown": _Icon(
        "Course not known yet",
        "none",
        f'{_DASHED}<circle class="f" cx="6" cy="10" r="1.2"/><circle class="f" cx="10" cy="10" r="1.2"/>'
        '<circle class="f" cx="14" cy="10" r="1.2"/>',
    ),
    "assurance-hits": _Icon("Meets the target reliably", "good", f'{_RING}<circle class="f" cx="10" cy="10" r="4.4"/>'),
    "assurance-hit_or_miss": _Icon(
        "May meet or miss the target", "none", f'{_RING}<path class="f" d="M10 5.6a4.4 4.4 0 0 1 0 8.8z"/>'
    ),
    "assurance-misses": _Icon(
        "Misses the target reliably", "worse", f'{_RING}<path class="o" d="M6.8 6.8l6.4 6.4m0-6.4l-6.4 6.4"/>'
    ),
    "assurance-none": _Icon("No target to judge by", "none", _DASHED),
    "rating-fit": _Icon("Data fit to use", "good", _bars(3)),
    "rating-caution": _Icon("Data to be used with caution", "watch", _bars(2)),
    "rating-not_fit": _Icon("Data not fit to use", "bad", _bars(1)),
    "rating-unknown": _Icon("Data not checked", "none", _bars(0)),
}
ICON_CSS = (
    ".f,.m{stroke:none}.f{fill:currentColor}.m{fill:var(--on,#fff)}"
    ".o,.n{fill:none;stroke:currentColor;stroke-width:1.9;stroke-linecap:round;stroke-linejoin:round}"
    ".n{stroke:var(--on,#fff);stroke-width:2.1}.d{stroke-dasharray:2.6 3.6}"
    ".sl,.se,.st{fill:none;stroke:currentColor;vector-effect:non-scaling-stroke}"
    ".se{stroke-width:4.4;stroke-linecap:round}.st{stroke-dasharray:3 3}"
)
_LAB_CSS = (
    "<style>"
    + re.sub(r"(^|\}|,)\.", r"\1.cca .", ICON_CSS)
    + ".cca svg.i{width:1.15em;height:1.15em;vertical-align:-.2em}.cca svg.s{width:84px;height:22px}"
    + ".cca table{border-collapse:collapse}.cca .c{display:inline-block;padding:.4em .8em;border:1px solid #8888;"
    + "margin:.2em;vertical-align:top}"
    + "".join(f".cca .t-{tone}{{color:{light}}}" for tone, (light, _) in TONES.items())
    + "</style>"
)

_INVISIBLE = dict.fromkeys(
    [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200B, 0x200E, 0x200F, 0x061C, 0x2060, 0xFEFF]
)
_HREF = re.compile(r"(?:(?:\.\./)?(?:[\w][\w.-]*/)*[\w][\w.-]*\.html)?(?:#[\w-]+)?", re.ASCII)


def clean(text: object) -> str:
    """Return a text without what can mislead the eye or break a file.

    Control characters become spaces, lone surrogates become U+FFFD, and characters that reorder or hide text are left
    out. Letters of every script stay, and so do the joiners that Persian and emoji need.

    Examples:
        >>> clean("safe" + chr(0x202E) + "txt" + chr(7) + "!")
        'safetxt !'
    """
    characters = str(text).translate(_INVISIBLE)
    if not characters.isprintable():
        characters = "".join(
            "\N{REPLACEMENT CHARACTER}"
            if (kind := unicodedata.category(character)) == "Cs"
            else " "
            if kind == "Cc" and character != "\n"
            else character
            for character in characters
        )
    return characters if len(characters) <= MAX_TEXT else characters[:MAX_TEXT] + " … (cut)"


def _known(value: str | None, kind: Any, name: str) -> None:
    if value is not None and value not in get_args(kind):
        raise SettingsError(f"{name} {value!r} is not known", remedy=nearest(str(value), list(get_args(kind))))


def _href(target: str) -> None:
    if target and not _HREF.fullmatch(target):
        raise SettingsError(
            "a link may only lead to a page of the same report tree",
            remedy="Give a relative path that ends in .html, or an anchor such as #targets",
        )


@dataclass(frozen=True)
class Sparkline:
    """A small line of numbers, the last one marked.

    Attributes:
        values: The numbers in time order; None leaves a gap.
        target: A level drawn across, in the same unit.
        label: What the line says, in words, for those who do not see it.
        target_high: A second level, where the target is a range.
    """

    values: Sequence[float | None]
    target: float | None = None
    label: str = ""
    target_high: float | None = None

    def __post_init__(self) -> None:
        """Keep plain numbers only, so that equal lines are written in equal bytes."""
        object.__setattr__(self, "values", tuple(_number(value) for value in self.values))
        object.__setattr__(self, "target", _number(self.target))
        object.__setattr__(self, "target_high", _number(self.target_high))

    def html(self) -> Markup:
        """Draw it as one SVG, which the page stretches to its place; steps are relative, so that they stay short."""
        points = [value for value in self.values if value is not None]
        if not points:
            return Markup("<span class=q>no trend</span>")
        levels = [level for level in (self.target, self.target_high) if level is not None]
        low, high = (pick([*points, *levels]) for pick in (min, max))
        place = [_place(value, low, high) for value in self.values]
        path, before, x, y = "", "M", 3, 0
        for index, down in enumerate(place):
            if down is None:
                before = "M"
                continue
            if before == "M":
                path, before = f"{path}M{3 + 3 * index} {down}", "l"
            else:
                path, before = f"{path}{before}3{'' if down < y else ' '}{down - y}", " "
            x, y = 3 + 3 * index, down
        width = 3 * len(self.values) + 3
        across = "".join(f"M3 {_place(level, low, high)}H{width - 3}" for level in levels)
        target = f'<path class=st d="{across}"/>' if across else ""
        return Markup(
            '<svg class=s viewBox="0 0 {} 30" preserveAspectRatio=none role=img aria-label="{}">{}'
            '<path class=sl d="{}"/><path class=se d="M{} {}h0"/></svg>'
        ).format(width, clean(self.label or f"trend of {len(points)} values"), Markup(target), path, x, y)


def _place(value: float | None, low: float, high: float) -> int | None:
    """Return how far down a value stands in 30 units, 3 of them free at either end."""
    if value is None:
        return None
    return 15 if high == low else round(27 - 24 * (value - low) / (high - low))


@dataclass(frozen=True, kw_only=True)
class Signs:
    """The signs that a figure can carry; each is drawn as an icon with its word.

    Attributes:
        status: How it stands against its target.
        variation: What process control says about its course.
        assurance: Whether the process will meet the target.
        rating: How far its data can be believed.
    """

    status: Status | None = None
    variation: Variation | None = None
    assurance: Assurance | None = None
    rating: Rating | None = None

    def __post_init__(self) -> None:
        """Refuse a sign that is not one of ours, with the nearest that is."""
        for name, kind in (("status", Status), ("variation", Variation), ("assurance", Assurance), ("rating", Rating)):
            _known(getattr(self, name), kind, name)

    @property
    def signs(self) -> list[str]:
        """The keys of the icons, in the order in which they are shown."""
        names = ("status", "variation", "assurance", "rating")
        return [f"{name}-{value}" for name in names if (value := getattr(self, name))]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        label: Its heading.
        unit: The unit of its figures, shown beneath the heading.
        align: Where its cells stand; figures belong on the right.
    """

    label: str
    unit: str = ""
    align: Align = "left"

    def __post_init__(self) -> None:
        """Refuse an alignment that is not one of ours."""
        _known(self.align, Align, "align")


@dataclass(frozen=True, kw_only=True)
class Cell(Signs):
    """A cell of a table: a text, and what stands beside it.

    Attributes:
        text: What the cell says; without it, a sign is shown with its own word.
        note: A second, quieter line.
        spark: A small line of numbers.
        href: A page of the same report tree that it leads to.
        words: Whether signs show their words, or only their icon, named for those who do not see it.
    """

    text: str = ""
    note: str = ""
    spark: Sparkline | None = None
    href: str = ""
    words: bool = True

    def __post_init__(self) -> None:
        """Check the signs and the link."""
        super().__post_init__()
        _href(self.href)


@dataclass(frozen=True, kw_only=True)
class Item(Signs):
    """A sentence of a list, with the sign that goes before it.

    Attributes:
        text: The sentence.
        detail: A second, quieter sentence.
        href: A page of the same report tree that it leads to.
    """

    text: str
    detail: str = ""
    href: str = ""

    def __post_init__(self) -> None:
        """Check the signs and the link."""
        super().__post_init__()
        _href(self.href)


@dataclass(frozen=True, kw_only=True)
class Card(Signs):
    """One KPI at a glance.

    Attributes:
        name: The KPI.
        value: Its figure with its unit, as text.
        target: Its target as text.
        note: What must be known to read it, such as the number of contacts.
        status_text: Words for the status, where the usual ones say too little.
        spark: Its course.
        href: A page or anchor of the same report tree with more.
    """

    name: str
    value: str
    target: str = ""
    note: str = ""
    status_text: str = ""
    spark: Sparkline | None = None
    href: str = ""

    def __post_init__(self) -> None:
        """Check the signs and the link."""
        super().__post_init__()
        _href(self.href)


@dataclass(frozen=True, kw_only=True)
class Panel(Signs):
    """One of several small charts of a figure: the unit it shows, and what its signs say of it.

    Attributes:
        name: The unit.
        alt: What the small chart shows, for those who do not see it.
    """

    name: str
    alt: str = ""


def _number(value: object) -> float | int | None:
    """Return a plain finite number, or None; numpy's and pandas' own kinds included."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    if not math.isfinite(number):
        return None
    rounded = float(f"{number:.6g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def _sparse(value: Any) -> dict[str, Any]:
    """Return the fields that are set, so that a notebook stays small."""
    sparse = {}
    for field in fields(value):
        content = getattr(value, field.name)
        if content is None or content == "" or (field.name == "words" and content is True):
            continue
        if isinstance(content, Sparkline):
            content = {name: part for name, part in asdict(content).items() if part not in (None, "")}
            content["values"] = list(content["values"])
        elif isinstance(content, str):
            content = clean(content)
        sparse[field.name] = content
    return sparse


def _rebuild(kind: Any, payload: Mapping[str, Any]) -> Any:
    values = dict(payload)
    if "spark" in values:
        values["spark"] = Sparkline(**values["spark"])
    for name, value in values.items():
        if name not in ("spark", "words") and not isinstance(value, str):
            raise TypeError
    return kind(**values)


def icon(key: str, *, sprite: bool = False, named: bool = False) -> Markup:
    """Return an icon as SVG.

    Args:
        key: One of `ICONS`, such as `status-met`.
        sprite: Whether to refer to the page's one copy of the shapes (`sprite_sheet`) instead of repeating them.
        named: Whether the icon stands without its word, and so must carry it itself.
    """
    known = ICONS[key]
    access = Markup('role=img aria-label="{}"').format(known.word) if named else Markup("aria-hidden=true")
    if sprite:
        return Markup('<svg class=i {}><use href="#i-{}"/></svg>').format(access, key)
    return Markup('<svg class=i viewBox="0 0 20 20" {}>{}</svg>').format(access, Markup(known.shapes))


def caption(title: str, signs: Sequence[str], *, sprite: bool = False) -> Markup:
    """Return the heading of a chart: its title, and its signs with their words.

    Args:
        title: The title; it is escaped here.
        signs: Keys of `ICONS`.
        sprite: Whether icons refer to the page's sprite sheet.
    """
    shown = Markup('<span class="fs">{}</span>').format(_signs(signs, sprite=sprite, words=True)) if signs else ""
    return Markup("{}{}").format(clean(title), shown)


def sprite_sheet(keys: Iterable[str]) -> Markup:
    """Return one hidden SVG with the shapes of these icons, for pages that draw them with `sprite=True`."""
    symbols = "".join(
        f'<symbol id="i-{key}" viewBox="0 0 20 20">{ICONS[key].shapes}</symbol>' for key in sorted(set(keys))
    )
    return Markup(f'<svg class="sprite" aria-hidden="true">{symbols}</svg>') if symbols else Markup()


def _signs(signs: Sequence[str], *, sprite: bool, words: bool, own: Mapping[str, str] | None = None) -> Markup:
    parts = []
    for key in signs:
        word = (own or {}).get(key) or ICONS[key].word
        shown = Markup(" {}").format(clean(word)) if words else ""
        sign = icon(key, sprite=sprite, named=not words)
        parts.append(
            Markup('<span class="{} t-{}">{}{}</span>').format("g" if words else "w", ICONS[key].tone, sign, shown)
        )
    return Markup(" ").join(parts)


def _linked(text: Markup | str, href: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(href, text) if href else Markup("{}").format(text)


def _lines(text: str) -> Markup:
    return Markup("<br>").join(clean(text).split("\n"))


class _Shown:
    """What the four classes share: the MIME bundle that a notebook keeps."""

    mime: str

    def payload(self) -> dict[str, Any]:
        raise NotImplementedError

    def html(self, *, sprite: bool = False) -> Markup:
        raise NotImplementedError

    def plain(self) -> str:
        raise NotImplementedError

    def __repr__(self) -> str:
        """Return the plain text, which `nbval` compares."""
        return self.plain()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Any:
        """Return the typed value for the page, escaped HTML for JupyterLab, and plain text."""
        lab = f'{_LAB_CSS}<div class="cca">{self.html()}</div>'
        return {self.mime: self.payload(), "text/html": lab, "text/plain": self.plain()}


class Table(_Shown):
    """A table of texts, signs and small lines.

    Args:
        columns: Headings, as texts or `Column`s.
        rows: One sequence of cells per row: texts, whole numbers, `Cell`s, or None for "no data". The first cell of
            each row names it.
        caption: What the table shows.
        note: What must be known to read it.

    Raises:
        SettingsError: A row has more or fewer cells than there are columns, or a cell is of no known kind.

    Examples:
        >>> Table(columns=["Team", Column(label="Contacts", align="right")], rows=[["North", 1200]], caption="Contacts")
        Contacts
        Team  | Contacts
        North |    1,200
    """

    mime = TABLE

    def __init__(
        self, *, columns: Sequence[str | Column], rows: Iterable[Sequence[object]], caption: str, note: str = ""
    ) -> None:
        self.columns = [column if isinstance(column, Column) else Column(label=str(column)) for column in columns]
        self.caption, self.note = clean(caption), clean(note)
        self.rows: list[list[Cell]] = []
        for number, row in enumerate(rows, start=1):
            if len(row) != len(self.columns):
                raise SettingsError(
                    f"row {number} of the table has {len(row)} cells for {len(self.columns)} columns",
                    remedy="Give one cell per column, None where there is no data",
                )
            self.rows.append([_cell(cell) for cell in row])

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, *, caption: str, columns: Mapping[str, str | Column] | None = None, note: str = ""
    ) -> Table:
        """Show columns of a frame whose values are already texts, whole numbers or `Cell`s.

        Args:
            frame: The frame; its index is not shown.
            caption: What the table shows.
            columns: The columns to show and their headings, in order; all of them where not given.
            note: What must be known to read it.
        """
        shown = dict(columns) if columns else {str(name): str(name) for name in frame.columns}
        rows = frame[list(shown)].astype(object).itertuples(index=False, name=None)
        return cls(columns=list(shown.values()), rows=rows, caption=caption, note=note)

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Table:
        """Read a table back from an executed notebook.

        Raises:
            ReportError: The value is not one that `payload` writes.
        """
        try:
            return cls(
                columns=[_rebuild(Column, column) for column in payload["columns"]],
                rows=[[_rebuild(Cell, cell) for cell in row] for row in payload["rows"]],
                caption=payload.get("caption", ""),
                note=payload.get("note", ""),
            )
        except (KeyError, TypeError, AttributeError, SettingsError) as error:
            raise ReportError("a table in the notebook is not one that ccanalysis wrote") from error

    def payload(self) -> dict[str, Any]:
        """Return the table as JSON: columns, rows of sparse cells, caption and note."""
        value: dict[str, Any] = {
            "columns": [_sparse(column) for column in self.columns],
            "rows": [[_sparse(cell) for cell in row] for row in self.rows],
            "caption": self.caption,
        }
        return value | ({"note": self.note} if self.note else {})

    @property
    def signs(self) -> list[str]:
        """The keys of all icons in it."""
        return [key for row in self.rows for cell in row for key in cell.signs]

    def html(self, *, sprite: bool = False, name: str = "") -> Markup:
        """Return the table as escaped HTML, at most `MAX_ROWS` rows of it.

        Args:
            sprite: Whether icons refer to the page's sprite sheet.
            name: How the area that scrolls a wide table is called; the caption where not given.
        """
        head = Markup().join(
            Markup("<th scope=col>{}{}</th>").format(
                clean(column.label),
                Markup(" <small>{}</small>").format(clean(column.unit)) if column.unit else "",
            )
            if column.label
            else Markup("<td></td>")
            for column in self.columns
        )
        body = Markup().join(
            Markup("<tr>{}\n").format(  # end tags of cells and rows may be left out (HTML, 13.1.2.4)
                Markup().join(
                    Markup("<th scope=row>{}" if index == 0 else "<td>{}").format(_cell_html(cell, sprite=sprite))
                    for index, (column, cell) in enumerate(zip(self.columns, row, strict=True))
                )
            )
            for row in self.rows[:MAX_ROWS]
        )
        notes = [self.note] if self.note else []
        if len(self.rows) > MAX_ROWS:
            notes.append(f"{len(self.rows) - MAX_ROWS:,} further rows are not shown.")
        caption = Markup("<caption>{}</caption>").format(self.caption) if self.caption else Markup()
        table = Markup("<table{}>{}<thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(
            self._aligned(), caption, head, body
        )
        wrapped = Markup('<div class="tbl" role="region" tabindex="0" aria-label="{}">{}</div>').format(
            clean(name) or self.caption or "Table", table
        )
        return wrapped + Markup().join(Markup('<p class="q">{}</p>').format(note) for note in notes)

    def _aligned(self) -> Markup:
        """Return the classes that align whole columns, `r2` for figures in the second."""
        sides = {"right": "r", "centre": "m"}
        names = [
            f"{sides[column.align]}{place}" for place, column in enumerate(self.columns, 1) if column.align in sides
        ]
        return Markup(' class="{}"').format(" ".join(names)) if names else Markup()

    def plain(self) -> str:
        """Return the table as text in columns."""
        texts = [[_cell_plain(cell) for cell in row] for row in self.rows[:MAX_ROWS]]
        heads = [f"{column.label} ({column.unit})" if column.unit else column.label for column in self.columns]
        widths = [max(map(len, column)) for column in zip(heads, *texts, strict=True)] if heads else []

        def line(cells: Sequence[str]) -> str:
            placed = (
                cell.rjust(width) if column.align == "right" else cell.ljust(width)
                for cell, width, column in zip(cells, widths, self.columns, strict=True)
            )
            return " | ".join(placed).rstrip()

        return "\n".join(filter(None, [self.caption, line(heads), *map(line, texts), self.note]))


def _cell(value: object) -> Cell:
    if isinstance(value, Cell):
        return value
    if value is None or value != value:  # noqa: PLR0124  NaN, NaT and NA are no data
        return Cell(text="–")
    if isinstance(value, str):
        return Cell(text=value)
    if isinstance(value, bool):
        return Cell(text="yes" if value else "no")
    if isinstance(value, Integral):
        return Cell(text=f"{value:,}")
    raise SettingsError(
        f"a table cell cannot be a {type(value).__name__}",
        remedy="Write figures as text with their unit first, so that they are rounded on purpose",
    )


def _cell_html(cell: Cell, *, sprite: bool) -> Markup:
    parts = []
    if cell.text:
        parts.append(_linked(_lines(cell.text), cell.href))
    if cell.signs:
        parts.append(_signs(cell.signs, sprite=sprite, words=cell.words))
    if cell.spark:
        parts.append(cell.spark.html())
    if cell.note:
        parts.append(Markup("<small>{}</small>").format(clean(cell.note)))
    return Markup(" ").join(parts)


def _cell_plain(cell: Cell) -> str:
    words = [ICONS[key].word for key in cell.signs]
    return " ".join(
        filter(None, [clean(cell.text).replace("\n", " "), *(f"[{word}]" for word in words), clean(cell.note)])
    )


class Note(_Shown):
    """Sentences: a lead, a paragraph, a callout, a list, verdicts with their signs, or a row of KPI cards.

    Args:
        kind: `lead` is the first thing a reader sees, `callout` stands out and may carry a status, `verdicts` is a list
            whose items carry signs.
        text: One paragraph or several, plain text.
        title: A heading for a callout, a list or a row of cards.
        status: The status of a callout.
        items: The sentences of a `list` or of `verdicts`, as texts or `Item`s.
        cards: The cards of `cards`.

    Raises:
        SettingsError: The kind is not known, or it is given what it cannot show.

    Examples:
        >>> Note(kind="verdicts", items=[Item(text="Service level was 82 %.", status="met")])
        - [Met] Service level was 82 %.
    """

    mime = TEXT

    def __init__(
        self,
        *,
        kind: NoteKind = "paragraph",
        text: str | Sequence[str] = (),
        title: str = "",
        status: Status | None = None,
        items: Iterable[str | Item] = (),
        cards: Iterable[Card] = (),
    ) -> None:
        _known(kind, NoteKind, "kind")
        _known(status, Status, "status")
        self.kind, self.status, self.title = kind, status, clean(title)
        self.text = [clean(part) for part in ([text] if isinstance(text, str) else text)]
        self.items = [item if isinstance(item, Item) else Item(text=str(item)) for item in items]
        self.cards = list(cards)
        if self.items and kind not in ("list", "verdicts", "callout"):
            raise SettingsError(f"a note of kind {kind!r} has no items", remedy="Use kind='list' or kind='verdicts'")
        if self.cards and kind != "cards":
            raise SettingsError(f"a note of kind {kind!r} has no cards", remedy="Use kind='cards'")

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Note:
        """Read a note back from an executed notebook.

        Raises:
            ReportError: The value is not one that `payload` writes.
        """
        try:
            return cls(
                kind=payload["kind"],
                text=["".join([text]) for text in payload.get("text", [])],  # a TypeError for what is no text
                title=payload.get("title", ""),
                status=payload.get("status"),
                items=[_rebuild(Item, item) for item in payload.get("items", [])],
                cards=[_rebuild(Card, card) for card in payload.get("cards", [])],
            )
        except (KeyError, TypeError, AttributeError, SettingsError) as error:
            raise ReportError("a note in the notebook is not one that ccanalysis wrote") from error

    def payload(self) -> dict[str, Any]:
        """Return the note as JSON; parts that are empty are left out."""
        value = {
            "kind": self.kind,
            "title": self.title,
            "status": self.status,
            "text": self.text,
            "items": [_sparse(item) for item in self.items],
            "cards": [_sparse(card) for card in self.cards],
        }
        return {name: part for name, part in value.items() if part}

    @property
    def signs(self) -> list[str]:
        """The keys of all icons in it."""
        own = [f"status-{self.status}"] if self.status else []
        return own + [key for part in (*self.items, *self.cards) for key in part.signs]

    def html(self, *, sprite: bool = False) -> Markup:
        """Return the note as escaped HTML."""
        texts = Markup().join(
            Markup("<p{}>{}</p>").format(Markup(' class="lead"') if self.kind == "lead" else "", _lines(text))
            for text in self.text
        )
        title = Markup('<p class="nt">{}</p>').format(self.title) if self.title else Markup()
        if self.kind == "cards":
            cards = Markup().join(_card_html(card, sprite=sprite) for card in self.cards)
            return title + texts + Markup('<ul class="cards" role="list">{}</ul>').format(cards)
        items = Markup()
        if self.items:
            items = Markup("<ul{}>{}</ul>").format(
                Markup(' class="v" role="list"') if any(item.signs for item in self.items) else "",
                Markup().join(_item_html(item, sprite=sprite) for item in self.items),
            )
        if self.kind == "callout":
            tone = ICONS[f"status-{self.status}"].tone if self.status else "info"
            sign = _signs([f"status-{self.status}"], sprite=sprite, words=True) if self.status else Markup()
            return Markup('<div class="callout t-{}">{}<div class="tx">{}{}{}</div></div>').format(
                tone, sign, title, texts, items
            )
        return title + texts + items

    def plain(self) -> str:
        """Return the note as text."""
        lines = [self.title, f"[{ICONS[f'status-{self.status}'].word}]" if self.status else "", *self.text]
        for item in self.items:
            words = "".join(f"[{ICONS[key].word}] " for key in item.signs)
            lines.append(f"- {words}{clean(item.text)}" + (f" ({clean(item.detail)})" if item.detail else ""))
        for card in self.cards:
            words = ", ".join([card.status_text or "", *(ICONS[key].word for key in card.signs)]).strip(", ")
            lines.append(" | ".join(filter(None, map(clean, [card.name, card.value, card.target, words, card.note]))))
        return "\n".join(filter(None, lines))


def _item_html(item: Item, *, sprite: bool) -> Markup:
    detail = Markup(" <small>{}</small>").format(clean(item.detail)) if item.detail else ""
    text = _linked(_lines(item.text), item.href)
    if not item.signs:
        return Markup("<li>{}{}</li>").format(text, detail)
    return Markup('<li>{}<span class="tx">{}{}</span></li>').format(
        _signs(item.signs, sprite=sprite, words=True), text, detail
    )


def _card_html(card: Card, *, sprite: bool) -> Markup:
    tone = ICONS[f"status-{card.status}"].tone if card.status else "none"
    own = {f"status-{card.status}": card.status_text} if card.status else {}
    head, rest = [key for key in card.signs if key in own], [key for key in card.signs if key not in own]
    return Markup('<li class="c t-{}"><p class="kn">{}</p><p class="kv"><b>{}</b>{}</p>{}{}{}{}</li>').format(
        tone,
        _linked(clean(card.name), card.href),
        clean(card.value) or "–",
        Markup(" <span>{}</span>").format(clean(card.target)) if card.target else "",
        Markup('<p class="ks">{}</p>').format(_signs(head, sprite=sprite, words=True, own=own)) if head else "",
        Markup('<p class="kl">{}</p>').format(card.spark.html()) if card.spark else "",
        Markup('<p class="kf">{}</p>').format(_signs(rest, sprite=sprite, words=True)) if rest else "",
        Markup('<p class="q">{}</p>').format(clean(card.note)) if card.note else "",
    )


class Figure(_Shown):
    """A chart with its title, what it shows in words, and its data as a table.

    Args:
        figure: A plotly figure.
        title: What stands above the chart; better a finding than a list of axes.
        alt: What the chart shows, for those who do not see it.
        data: Its data as a table; made from the figure where not given.
        variation: What process control says about the course; its icon and word stand with the title.
        assurance: Whether the process will meet the target; likewise.
        panels: Where the figure is several small charts on axes of their own (`x`, `x2`, ...): one for each, in order.
            A page sets them in rows that fit its width, each under its name and signs.

    Raises:
        SettingsError: Title or alternative text is missing, or a sign is not known.
    """

    mime = PLOTLY

    def __init__(
        self,
        figure: Any,
        *,
        title: str,
        alt: str,
        data: Table | None = None,
        variation: Variation | None = None,
        assurance: Assurance | None = None,
        panels: Iterable[Panel] = (),
    ) -> None:
        self.figure, self.title, self.alt, self.data = figure, clean(title), clean(alt), data
        self.about = Signs(variation=variation, assurance=assurance)
        self.panels = list(panels)
        if not self.title or not self.alt:
            raise SettingsError(
                "a chart has no title or no alternative text",
                remedy="Say with title= what it shows, and with alt= what one sees in it",
            )

    @property
    def signs(self) -> list[str]:
        """The keys of all icons in it."""
        return [key for part in (self.about, *self.panels) for key in part.signs]

    def payload(self) -> dict[str, Any]:
        """Return the figure as plotly's JSON, without its template, headed as JupyterLab shows it.

        A page has a heading of its own and leaves this one out; the rest is the same in both.
        """
        import json  # noqa: PLC0415

        value = json.loads(self.figure.to_json())
        layout = value.setdefault("layout", {})
        layout.pop("template", None)
        margin = {"t": 100} | layout.get("margin", {})
        margin["t"] = max(margin["t"], 84)
        layout["margin"] = margin
        words = ", ".join(ICONS[key].word for key in self.about.signs)
        layout["title"] = {
            "text": self.title.replace("<", "&lt;"),
            "subtitle": {"text": words},
            "x": 0,
            "xref": "paper",
            "y": 1,
            "yanchor": "top",
            "yref": "container",
            "pad": {"t": 10},
        }
        if self.about.signs:
            plot = max(float(layout.get("height", 450)) - margin["t"] - margin.get("b", 80), 60.0)
            layout["images"] = [
                _image(key, x=1 - 0.05 * place, y=1 + (margin["t"] - 6) / plot, size=26 / plot)
                for place, key in enumerate(reversed(self.about.signs))
            ]
        return value

    def html(self, *, sprite: bool = False) -> Markup:
        """Return title, words and data; the chart itself is drawn by the page or by JupyterLab."""
        data = self.data.html(sprite=sprite) if self.data else Markup()
        head = caption(self.title, self.about.signs, sprite=sprite)
        return Markup("<p><b>{}</b></p><p>{}</p>{}").format(head, self.alt, data)

    def plain(self) -> str:
        """Return title, words and data as text."""
        words = " ".join(f"[{ICONS[key].word}]" for key in self.about.signs)
        panels = [
            f"- {clean(panel.name)}" + "".join(f" [{ICONS[key].word}]" for key in panel.signs) for panel in self.panels
        ]
        table = self.data.plain() if self.data else ""
        return "\n".join(filter(None, [self.title, words, self.alt, *panels, table]))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Any:
        """Return plotly's JSON and plain text, and the title, the words, the signs and the table as metadata."""
        about: dict[str, Any] = {"title": self.title, "alt": self.alt} | _sparse(self.about)
        if self.panels:
            about["panels"] = [_sparse(panel) for panel in self.panels]
        if self.data:
            about["data"] = self.data.payload()
        return {PLOTLY: self.payload(), "text/plain": self.plain()}, {PLOTLY: {"ccanalysis": about}}


def panels_of(payload: object) -> list[Panel]:
    """Read the panels of a figure back from an executed notebook.

    Raises:
        ReportError: They are not what a figure writes.
    """
    try:
        return [_rebuild(Panel, panel) for panel in (payload if isinstance(payload, list) else [])]
    except (TypeError, AttributeError, SettingsError) as error:
        raise ReportError("the panels of a chart in the notebook are not ones that ccanalysis wrote") from error


def signs_of(payload: Mapping[str, Any]) -> list[str]:
    """Read the signs of a figure back from an executed notebook.

    Raises:
        ReportError: There is no such sign.
    """
    try:
        return Signs(variation=payload.get("variation"), assurance=payload.get("assurance")).signs
    except (TypeError, SettingsError) as error:
        raise ReportError("a sign of a chart in the notebook is not one that ccanalysis knows") from error


def _image(key: str, *, x: float, y: float, size: float) -> dict[str, Any]:
    """Return an icon as a picture in a corner of a plotly figure, for notebooks."""
    own = f"color:{TONES[ICONS[key].tone][0]}"
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20" style="{own}"><style>{ICON_CSS}</style>'
    source = base64.b64encode(f"{svg}{ICONS[key].shapes}</svg>".encode()).decode()
    place = {"xref": "paper", "yref": "paper", "x": round(x, 4), "y": round(y, 4), "xanchor": "right", "yanchor": "top"}
    size = round(size, 4)
    return {"name": "sign", "source": f"data:image/svg+xml;base64,{source}", **place, "sizex": 0.04, "sizey": size}


__all__ = [
    "COLOURS",
    "ICONS",
    "PLOTLY",
    "TABLE",
    "TEXT",
    "TONES",
    "Card",
    "Cell",
    "Column",
    "Figure",
    "Item",
    "Note",
    "Panel",
    "Sparkline",
    "Table",
    "caption",
    "clean",
    "escape",
    "icon",
    "sprite_sheet",
]

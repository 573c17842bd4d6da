"""The page that lists all reports of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from ccanalysis import display
from ccanalysis.display import ICONS, Note, icon
from ccanalysis.errors import SettingsError

AUDIENCES = {
    "centre": "The centre",
    "data_quality": "Data quality",
    "quality_lead": "Quality lead",
    "line_manager": "Line managers",
    "team": "Teams",
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A report in the index.

    Attributes:
        title: What it is called.
        audience: Whom it is for; a key of `AUDIENCES`, or words of one's own.
        href: Where it is, relative to the index; empty where it was not made.
        headline: Its finding in one sentence.
        statuses: How many KPIs have which status.
        ok: Whether it was made.
        error: Why not, without personal data.
    """

    title: str
    audience: str
    href: str = ""
    headline: str = ""
    statuses: Mapping[str, int] = field(default_factory=dict)
    ok: bool = True
    error: str = ""


def render_index(
    entries: Sequence[Entry],
    *,
    title: str,
    period: str = "",
    subtitle: str = "",
    footer: Sequence[str] = (),
    notes: Sequence[Note] = (),
) -> str:
    """Return the page that lists the reports by audience; those that were not made come first, with the reason.

    Args:
        entries: The reports; within an audience they keep their order.
        title: What the page is called.
        period: The period, in words.
        subtitle: A line beneath the title.
        footer: Lines at the end.
        notes: What stands before the lists, such as KPI cards of the centre.

    Raises:
        SettingsError: A status is not known, or a link leads out of the tree.
    """
    from ccanalysis.reports.exporter import environment, policy, script, script_hash, stylesheet  # noqa: PLC0415

    signs = [key for note in notes for key in note.signs]
    intro = [note.html(sprite=True) for note in notes]
    failed = [entry for entry in entries if not entry.ok]
    if failed:
        items = [f"{entry.title}: {entry.error or 'not made'}" for entry in failed]
        count = "One report was not made" if len(failed) == 1 else f"{len(failed)} reports were not made"
        note = Note(kind="callout", title=f"{count}. The others are not affected.", status="missed", items=items)
        intro.insert(0, _warning(note))
        signs += note.signs
    groups: list[tuple[str, str, list[dict[str, Any]]]] = []
    for key in [*AUDIENCES, *dict.fromkeys(entry.audience for entry in entries if entry.audience not in AUDIENCES)]:
        members = [entry for entry in entries if entry.audience == key and entry.ok]
        if members:
            signs += [f"status-{status}" for entry in members for status in entry.statuses]
            heading = display.clean(AUDIENCES.get(key, key))
            groups.append((heading, f"group-{len(groups) + 1}", [_shown(entry) for entry in members]))
    own = script()
    return (
        environment()
        .get_template("index.html.j2")
        .render(
            csp=policy(script_hash(own)),
            title=display.clean(title),
            period=display.clean(period),
            subtitle=display.clean(subtitle),
            css=Markup(stylesheet()),
            js=Markup(own),
            sprite=display.sprite_sheet(signs),
            intro=Markup("\n").join(intro),
            groups=groups,
            footer=[display.clean(line) for line in footer],
        )
        + "\n"
    )


def _warning(note: Note) -> Markup:
    """A callout without the word of its status, which speaks of targets."""
    items = Markup().join(Markup("<li>{}</li>").format(display.clean(item.text)) for item in note.items)
    return Markup(
        '<div class="callout t-bad"><p class="nt">{} <span class="tx">{}</span></p><ul class="tx">{}</ul></div>'
    ).format(icon("status-missed", sprite=True), note.title, items)


def _shown(entry: Entry) -> dict[str, Any]:
    display.Item(text=entry.title, href=entry.href)  # refuses a link that leads elsewhere
    unknown = [status for status in entry.statuses if f"status-{status}" not in ICONS]
    if unknown:
        raise SettingsError(f"status {unknown[0]!r} is not known", remedy="Use the statuses of ccanalysis.display")
    counts = Markup().join(
        Markup('<span class="g t-{}">{} {} {}</span>').format(
            ICONS[key].tone, icon(key, sprite=True), entry.statuses[status], ICONS[key].word.lower()
        )
        for key in ICONS
        if key.startswith("status-") and entry.statuses.get(status := key.removeprefix("status-"))
    )
    return {
        "title": display.clean(entry.title),
        "href": entry.href,
        "headline": display.clean(entry.headline),
        "counts": counts,
    }

"""The report on the voice of the customer: who answers, what the scores would be of all asked, what people write."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pandas as pd

from ccanalysis import charts, text
from ccanalysis.display import Cell, Column, Figure, Item, Note, Table
from ccanalysis.questions import voice
from ccanalysis.results import Results
from ccanalysis.views import common

OUTCOMES = {
    "new": "New",
    "rising": "More often than before",
    "falling": "Less often than before",
    "steady": "As before",
    "cannot tell": "Cannot tell yet",
}
MEASURES = {
    "csat": ("Satisfied (4 or 5 of 5)", "share"),
    "nps": ("Net promoter score", "points"),
    "effort": ("Effort", ""),
}
STRATA = {"resolution": "resolution", "channel": "channel", "team": "team", "reason": "contact reason"}
_SOURCES = {"surveys": "survey", "complaints": "complaint"}
_NO_SURVEYS = "No surveys were given."
_NOT_KEPT = (
    "What customers write is not kept at this centre, so nothing is said of it: 'free_text' under [privacy] in the "
    "settings keeps it."
)


def _part(results: Results, name: str, column: str, value: str) -> dict[str, Any]:
    """The row of a frame with a value in a column; empty where there is none."""
    found = results.answered(name)
    found = found[found[column] == value] if len(found) else found
    return found.iloc[0].to_dict() if len(found) else {}


def _themes(results: Results, *outcomes: str) -> list[dict[str, Any]]:
    found = results.answered("themes")
    return found[found["outcome"].isin(outcomes)].to_dict("records") if len(found) else []


def _recent(results: Results) -> str:
    until = date.fromisoformat(results.facts["question"]["until"]) + timedelta(days=1)
    return common.day(voice.recent_from(until))


def _ends(low: float, high: float, unit: str) -> str:
    return f"likely {text.value(low, unit)} to {text.value(high, unit)}"


def _times(row: Mapping[str, Any]) -> str:
    if row["n_before"] == 0:
        return "none before"
    return f"{row['ratio']:.1f} times as often, likely {row['ci_low']:.1f} to {row['ci_high']:.1f} times"


def _theme_sentence(results: Results, row: Mapping[str, Any]) -> str:
    """Say how often a theme came, and how often before."""
    now = f"{text.number(row['n_recent'])} of {text.count(row['texts_recent'], 'text')} since {_recent(results)}"
    if row["n_before"] == 0:
        return f"'{row['theme']}' in {now}, and in none of {text.number(row['texts_before'])} before."
    was = f"{text.number(row['n_before'])} of {text.number(row['texts_before'])} before"
    return f"'{row['theme']}' in {now}, and in {was} ({_times(row)})."


def _who_answers(results: Results) -> str:
    """Say how many answered, and who answers less often."""
    whole = _part(results, "response", "level", "centre")
    if not whole:
        return _NO_SURVEYS
    told = f"{text.value(whole['value'], 'share')} of {text.count(whole['n'], 'customer')} asked answered"
    tested = _part(results, "tested", "by", "resolution")
    less, more = (_part(results, "response", "unit", unit) for unit in ("not resolved", "resolved"))
    if tested and tested["outcome"] == "differs" and less and more:
        often = "less" if less["value"] < more["value"] else "more"
        told += (
            f"; those whose contact was not resolved answered {often} often ({text.value(less['value'], 'share')}, "
            f"n {text.number(less['n'])}) than the others ({text.value(more['value'], 'share')})"
        )
    return f"{told}."


def _satisfied(results: Results) -> str:
    """Say how many of all asked would be satisfied, and how many of those who answered are."""
    score = _part(results, "scores", "measure", "csat")
    if not score:
        return "" if not _part(results, "response", "level", "centre") else "No answer has a score of satisfaction."
    raw, weighted = text.value(score["raw"], "share"), text.value(score["weighted"], "share")
    ends = f"{_ends(score['weighted_low'], score['weighted_high'], 'share')}, n {text.number(score['n'])}"
    if score["bias"] == "none found":
        return f"Of those who answered {raw} were satisfied; of all asked it would be {weighted} ({ends})."
    over = "too high" if score["bias"] == "higher" else "too low"
    return f"Of all asked about {weighted} are satisfied ({ends}); the {raw} of those who answered are {over}."


def _why_no_themes(results: Results) -> str:
    """Say why nothing is said of what customers write; nothing where something is."""
    texts, themes = results.answered("texts"), results.answered("themes")
    if len(themes):
        return ""
    if texts.empty:
        return _NOT_KEPT
    have = text.count(int(texts["texts"].sum()), "text")
    return (
        f"Customers wrote {have} in the window; from {voice.FEWEST_TEXTS} on, {voice.FEWEST_RECENT} of them in the "
        f"last {voice.RECENT_WEEKS} weeks and as many before, themes can be told."
    )


def headline(results: Results) -> str:
    """Say in one sentence what the report found."""
    new, rising = _themes(results, "new"), _themes(results, "rising")
    if new:
        return f"New in what customers write: {_theme_sentence(results, new[0])}"
    if rising:
        return f"More often in what customers write: {_theme_sentence(results, rising[0])}"
    return _satisfied(results) or _who_answers(results)


def lead(results: Results) -> Note:
    """Say in a few sentences who was heard, and what is new in what they write."""
    changed = _themes(results, "new")[:2], _themes(results, "rising")[:2]
    told = [f"New in what customers write: {_theme_sentence(results, row)}" for row in changed[0]]
    told += [f"More often than before: {_theme_sentence(results, row)}" for row in changed[1]]
    if not told:
        told = ["Nothing that customers write of is new or more often than before by more than chance."]
    none = _why_no_themes(results)
    said = [_satisfied(results), _who_answers(results)]
    return Note(kind="lead", text=" ".join(filter(None, [*said, none] if none else [*told, *said])))


def _scored(row: Mapping[str, Any]) -> str:
    """How satisfied those who wrote of a theme said they were."""
    if not row["rated"]:
        return ""
    ends = _ends(row["satisfied_low"], row["satisfied_high"], "share")
    return (
        f"Of {text.count(row['rated'], 'customer')} who wrote of it in a survey, "
        f"{text.value(row['satisfied'], 'share')} were satisfied ({ends})."
    )


def to_do(results: Results) -> Note:
    """Recommend what to do about what is new, what comes more often, and who is not heard."""
    asked = {
        "new": "Find out today what is behind '{}', and who can mend it.",
        "rising": "Take '{}' to whoever is responsible, with the comments below.",
    }
    items = [
        Item(
            text=asked[row["outcome"]].format(row["theme"]),
            detail=f"{_theme_sentence(results, row)} {_scored(row)}".strip(),
        )
        for row in _themes(results, "new", "rising")
    ]
    score = _part(results, "scores", "measure", "csat")
    if score and score["bias"] != "none found":
        items.append(
            Item(
                text=f"Say {text.value(score['weighted'], 'share')} satisfied, not "
                f"{text.value(score['raw'], 'share')}, wherever the whole centre is meant.",
                detail="Remind customers whose contact was not resolved once more, or ask some of them by telephone: "
                "what they think is told by few of them.",
            )
        )
    if not items:
        return Note(kind="paragraph", text="Nothing to do: nothing is new, and no bias of the answers was found.")
    return Note(kind="list", title="What to do", items=items)


def response_chart(results: Results) -> Figure | Note:
    """Draw how often customers answer, by resolution, channel, team and contact reason."""
    found = results.answered("response")
    if found.empty:
        return Note(kind="paragraph", text=_NO_SURVEYS)
    whole = _part(results, "response", "level", "centre")
    parts = found[found["level"].isin(list(STRATA))]
    differing = results.answered("tested")
    names = [STRATA[by] for by in differing.loc[differing["outcome"] == "differs", "by"]] if len(differing) else []
    title = (
        f"How often customers answer differs by {text.listed(names)}" if names else "No kind of customer answers less"
    )
    return charts.intervals_chart(
        parts.assign(kind=parts["level"].map(lambda level: STRATA[level].capitalize())),
        "share",
        title=title,
        alt=f"Share of customers asked who answered, with 95% intervals. {_who_answers(results)}",
        name="unit",
        kind="kind",
        heading="Contact",
        reference=whole.get("value"),
        reference_name="all customers asked",
    )


def response_table(results: Results) -> Table | Note:
    """Show the tests of whether kinds of customers answer differently often, corrected for how many were looked at."""
    found = results.answered("tested")
    if found.empty:
        return Note(kind="paragraph", text="No kinds of customers can be told apart.")
    rows = [
        [
            STRATA[row["by"]].capitalize(),
            text.number(row["units"]),
            text.number(row["n"]),
            "Differs" if row["outcome"] == "differs" else "No difference found",
            "below 0.001" if row["q_value"] < 0.001 else f"{row['q_value']:.3f}",
        ]
        for row in found.to_dict("records")
    ]
    right = [Column(label=label, align="right") for label in ("Kinds", "Customers asked")]
    return Table(
        columns=["By", *right, "Response", Column(label="Share of chance (q)", align="right")],
        rows=rows,
        caption="Does response differ?",
        note=f"q is corrected for {text.count(len(found), 'test')}; at most {voice.FALSE_DISCOVERIES:.0%} is called "
        "a difference.",
    )


def scores_table(results: Results) -> Table | Note:
    """Show each score of those who answered, and as it would be of all who were asked."""
    found = results.answered("scores")
    if found.empty:
        return Note(kind="paragraph", text="No answer has a score.")
    rows = []
    for row in found.to_dict("records"):
        name, unit = MEASURES[row["measure"]]
        rows.append(
            [
                name,
                Cell(text=text.value(row["raw"], unit), note=_ends(row["raw_low"], row["raw_high"], unit)),
                Cell(
                    text=text.value(row["weighted"], unit), note=_ends(row["weighted_low"], row["weighted_high"], unit)
                ),
                Cell(text=text.number(row["n"]), note=f"worth {text.number(row['n_effective'])} weighted"),
                {"higher": "Too high", "lower": "Too low", "none found": "No bias found"}[row["bias"]],
            ]
        )
    labels = ("Of those who answered", "Of all asked, estimated", "Answers")
    return Table(
        columns=["Score", *(Column(label=label, align="right") for label in labels), "The answers alone"],
        rows=rows,
        caption="Scores, raw and weighted",
        note="Each answer is weighted by the inverse of the share who answered among customers with the same "
        f"resolution and channel ({text.count(found['cells'].iloc[0], 'cell')}). Other differences "
        "are not corrected.",
    )


def course(results: Results) -> Figure | Note:
    """Draw the share of satisfied customers of every week, raw and weighted."""
    found = results.answered("course")
    if found.empty or not found["n"].sum():
        return Note(kind="paragraph", text="No week has an answer.")
    score = _part(results, "scores", "measure", "csat")
    over = {"higher": "The answers alone say more than is true", "lower": "The answers alone say less than is true"}
    title = over.get(score["bias"], "Satisfied customers, raw and weighted") if score else "Satisfied customers"
    return charts.courses_chart(
        found,
        "share",
        title=title,
        alt="Share of satisfied customers of each week: of those who answered, and as it would be of all asked.",
        lines={"raw": "of those who answered", "weighted": "of all asked, estimated"},
    )


def themes_chart(results: Results, *, most: int = 12) -> Figure | Note:
    """Draw the share of texts that each theme has, before and in the last weeks; what changed first."""
    found = results.answered("themes")
    if found.empty:
        return Note(kind="paragraph", text=_why_no_themes(results))
    changed = _themes(results, "new", "rising")
    title = (
        f"Customers write of {text.listed([row['theme'].split(',')[0] for row in changed[:3]])} more than before"
        if changed
        else "What customers write of is what it was before"
    )
    return charts.bars_chart(
        found.head(most),
        "share",
        title=title,
        alt=" ".join(_theme_sentence(results, row) for row in changed[:3]) or "No theme changed by more than chance.",
        name="theme",
        bars={"share_before": "before", "share_recent": f"last {voice.RECENT_WEEKS} weeks"},
        heading="Theme",
    )


def themes_table(results: Results) -> Table | Note:
    """Show every theme: how often it came and before, the ratio with its interval, and its writers' own score."""
    found = results.answered("themes")
    if found.empty:
        return Note(kind="paragraph", text=_why_no_themes(results))
    rows = []
    for row in found.to_dict("records"):
        more = f"{text.number(row['n_to_tell'])} texts in {voice.RECENT_WEEKS} weeks would tell"
        rows.append(
            [
                Cell(text=str(row["theme"]), note=str(row["terms"])),
                Cell(text=OUTCOMES[row["outcome"]], note=more if pd.notna(row["n_to_tell"]) else ""),
                Cell(
                    text=text.value(row["share_recent"], "share"),
                    note=f"{text.number(row['n_recent'])} of {text.number(row['texts_recent'])}",
                ),
                Cell(
                    text=text.value(row["share_before"], "share"),
                    note=f"{text.number(row['n_before'])} of {text.number(row['texts_before'])}",
                ),
                _times(row),
                Cell(
                    text=text.value(row["satisfied"], "share") if row["rated"] else "no score",
                    note=f"n {text.number(row['rated'])}" if row["rated"] else "",
                ),
            ]
        )
    labels = (f"Last {voice.RECENT_WEEKS} weeks", "Before", "Ratio", "Satisfied, by their own score")
    return Table(
        columns=["Theme", "Course", *(Column(label=label, align="right") for label in labels)],
        rows=rows,
        caption="Themes in what customers write",
        note="A theme is named after its commonest words. New: less than one text of it was to be expected. What is "
        "said to change is corrected for how many themes and words were looked at: at most "
        f"{voice.FALSE_DISCOVERIES:.0%} of it is chance.",
    )


def terms_table(results: Results, *, most: int = 15) -> Table | Note:
    """Show the words that are new or come more often."""
    found = results.answered("terms")
    if found.empty:
        return Note(kind="paragraph", text="No single word is new or comes more often by more than chance.")
    rows = [
        [
            str(row["term"]),
            str(row["theme"]),
            OUTCOMES[row["outcome"]],
            Cell(text=text.number(row["n_recent"]), note=f"of {text.number(row['texts_recent'])}"),
            Cell(text=text.number(row["n_before"]), note=f"of {text.number(row['texts_before'])}"),
            _times(row),
        ]
        for row in found.head(most).to_dict("records")
    ]
    labels = (f"Last {voice.RECENT_WEEKS} weeks", "Before", "Ratio")
    return Table(
        columns=["Words", "Theme", "Course", *(Column(label=label, align="right") for label in labels)],
        rows=rows,
        caption="Words that are new or come more often",
    )


def quotes_table(results: Results, *, changed: bool = True) -> Table | None:
    """Show typical texts of themes, masked; None where there is none, and in any edition but the whole centre's.

    Args:
        results: The slice.
        changed: Those of themes that are new or come more often; the others otherwise.
    """
    found = results.answered("quotes")
    if found.empty or results.facts.get("audience") in ("team", "line_manager"):
        return None
    of = [row["theme"] for row in _themes(results, "new", "rising")]
    found = found[found["theme"].isin(of) == changed]
    if found.empty:
        return None
    rows = [
        [str(row["theme"]), str(row["words"]), _SOURCES[row["source"]].capitalize()] for row in found.to_dict("records")
    ]
    return Table(
        columns=["Theme", "In their words", "From"],
        rows=rows,
        caption="Typical comments on what changed" if changed else "Typical comments on the other themes",
        note=f"Only of themes with {voice.FEWEST_OF_THEME} texts or more. Names, numbers and addresses are masked, and "
        "so is every word that few texts share.",
    )


def heard_note(results: Results) -> Note:
    """Say how many texts there are, of how many who could have written."""
    found = results.answered("texts")
    if found.empty:
        return Note(kind="paragraph", text=_NOT_KEPT)
    said = {"surveys": "answers to surveys have a comment", "complaints": "complaints have the customer's words"}
    items = [
        Item(
            text=f"{text.number(row['texts'])} of {text.number(row['n'])} {said[row['source']]}, "
            f"{text.number(row['n_recent'])} of them in the last {voice.RECENT_WEEKS} weeks.",
            detail=f"{text.number(row['themed'])} are about a theme." if pd.notna(row["themed"]) else "",
        )
        for row in found.to_dict("records")
    ]
    return Note(kind="list", items=items)

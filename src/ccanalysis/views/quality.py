"""The report on quality of communication: scores, critical errors, five sources side by side, what to develop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ccanalysis import charts, text
from ccanalysis.display import Cell, Column, Figure, Item, Note, Table
from ccanalysis.questions import quality
from ccanalysis.questions.evaluations import MONITORING
from ccanalysis.results import Results
from ccanalysis.views import common

SOURCES = {
    MONITORING: "call monitoring",
    "self": "self-assessment",
    "peer_observation": "peer observation",
    "peer_feedback": "peer feedback",
    "customer_feedback": "customer feedback",
}
WHO = {
    "self": "People mark themselves",
    "peer_observation": "Peers who observe mark",
    "peer_feedback": "Peers who give feedback mark",
    "customer_feedback": "Customers mark",
}
ERRORS = {
    "customer": "critical for the customer",
    "business": "critical for the business",
    "compliance": "critical for compliance",
    quality.AUTO_FAIL: "failed as a whole",
}
_EXPRESSIONS = {"verbal": "calls (verbal)", "written": "written contacts", "": "all contacts"}
_ABSENT = "No evaluation by call monitoring was given, so nothing can be said of quality."


def _rows(results: Results, name: str) -> pd.DataFrame:
    """A frame of the answer; of rows of units only those with a figure, for hidden ones have none."""
    found = results.answered(name)
    return found[found["n"].notna()] if "n" in found else found


def _own(results: Results) -> tuple[str, list[str]]:
    """The level and units that an edition is about."""
    return common.own_units(results)


def _score(results: Results, expression: str, level: str, unit: str) -> dict[str, Any] | None:
    found = _rows(results, "scores")
    if found.empty:
        return None
    own = found[
        (found["level"] == level)
        & (found["unit"] == unit)
        & (found["expression"] == expression)
        & (found["criterion"] == "")
    ]
    return dict(own.iloc[0]) if len(own) else None


def _evidence(row: Mapping[str, Any], noun: str = "evaluation") -> str:
    around = text.interval({**row, "unit_of_value": "share"})
    return ", ".join(filter(None, [text.count(row["n"], noun), around]))


def _points(value: float) -> str:
    return text.difference(value, "share")


def _ends(row: Mapping[str, Any]) -> str:
    """An interval of a difference, with its signs where they differ."""
    low, high = (100 * row[end] for end in ("ci_low", "ci_high"))
    return f"likely {low:+z.1f} to {high:+z.1f}"


def _score_sentence(results: Results, level: str, unit: str, who: str) -> str:
    """Say the score of a unit, verbal and written apart."""
    parts = []
    for expression in ("verbal", "written"):
        row = _score(results, expression, level, unit)
        if row is not None:
            parts.append(f"{text.value(row['value'], 'share')} for {_EXPRESSIONS[expression]} ({_evidence(row)})")
    if not parts:
        row = _score(results, "", level, unit)
        if row is None:
            return ""
        parts = [f"{text.value(row['value'], 'share')} ({_evidence(row)})"]
    return f"The quality score of {who} is {text.listed(parts)}."


def _changed(results: Results) -> pd.DataFrame:
    found = _rows(results, "changes")
    return found[found["outcome"].isin(["improved", "worsened"])] if len(found) else found


def _change_sentence(row: Mapping[str, Any]) -> str:
    since = common.day(row["since"])
    action = f" ({row['action']})" if row["action"] else ""
    why = f", after {row['reason']}{action}" if row["reason"] and row["reason"] != "its course" else ""
    return (
        f"{row['unit']} {row['outcome']} since {since}{why}: from {text.value(row['before'], 'share')} to "
        f"{text.value(row['after'], 'share')}, {_points(row['effect'])} {'more' if row['effect'] > 0 else 'less'} "
        f"than the other teams moved ({_ends(row)}; n {text.number(row['n_before'])} and "
        f"{text.number(row['n_after'])})."
    )


def _differences(results: Results, criterion: str = "") -> pd.DataFrame:
    found = results.answered("differences")
    if found.empty:
        return found
    return found[found["criterion"] == criterion] if criterion == "" else found[found["criterion"] != ""]


def _source_sentence(row: Mapping[str, Any]) -> str:
    base = text.count(row["people"], *(("person", "people") if row["basis"] == "people" else ("contact",)))
    return (
        f"{WHO[row['source']]} {_points(row['value'])} {row['outcome']} than evaluators do on the same {row['basis']} "
        f"({_ends(row)}; {base})."
    )


def headline(results: Results) -> str:
    """Say in one sentence what the report found."""
    level, units = _own(results)
    for unit in units:
        row = _score(results, "", level, unit)
        if row is None:
            continue
        changed = _changed(results)
        mine = changed[changed["unit"].isin(units)] if level == "team" and len(changed) else changed
        told = f"; {mine['unit'].iloc[0]} {mine['outcome'].iloc[0]}" if len(mine) else ""
        who = "the centre" if level == "centre" else unit
        return f"Quality score of {who}: {text.value(row['value'], 'share')} (n {text.number(row['n'])}){told}."
    return _ABSENT


def lead(results: Results) -> Note:
    """Say in a few sentences how good contacts are, what changed, and where sources differ."""
    if _rows(results, "scores").empty:
        return Note(kind="lead", text=_ABSENT)
    level, units = _own(results)
    sentences = [_score_sentence(results, level, unit, "the centre" if level == "centre" else unit) for unit in units]
    changed = _changed(results)
    if level == "team" and len(changed):
        changed = changed[changed["unit"].isin(units)]
    sentences += [_change_sentence(row) for row in changed.to_dict("records")]
    if changed.empty:
        sentences.append("No team changed by more than chance." if level == "centre" else "No change beyond chance.")
    found = _differences(results)
    own = found[(found["source"] == "self") & found["outcome"].isin(["higher", "lower"])] if len(found) else found
    sentences += [_source_sentence(row) for row in own.to_dict("records")]
    return Note(kind="lead", text=" ".join(filter(None, sentences)))


def to_do(results: Results) -> Note:
    """Recommend what to do on Monday."""
    items: list[str | Item] = []
    for row in _changed(results).to_dict("records"):
        if row["outcome"] == "improved":
            words = f"Recognise {row['unit']}: its quality improved by more than chance."
            more = "Ask what was done, offer it to teams with the same need, and measure again in two months."
        else:
            words = f"Ask {row['unit']} what changed around {common.day(row['since'])}: its quality got worse."
            more = "Look at the criteria below before coaching anybody."
        items.append(Item(text=words, detail=f"By {_points(row['effect'])} against the other teams. {more}"))
    critical = _rows(results, "critical")
    apart = critical[critical["outcome"] == "more than others"] if len(critical) else critical
    for (level, unit), part in apart.groupby(["level", "unit"], sort=False) if len(apart) else ():
        kinds = [kind for kind in part["kind"] if kind != quality.AUTO_FAIL] or [quality.AUTO_FAIL]
        shown = part[part["kind"] == kinds[0]].iloc[0]
        items.append(
            Item(
                text=f"Listen to the errors {ERRORS[kinds[0]]} in {common.word(results, level)} {unit}.",
                detail=f"{text.number(shown['errors'])} of {text.number(shown['n'])} evaluations there, more than "
                "elsewhere by more than chance. A few people may stand behind it: look before speaking of the whole.",
            )
        )
    items += _to_develop(results)
    cases = results.answered("cases")
    if len(cases) and common.own_level(results)[0] == "team":
        items.append(
            Item(
                text=f"Listen to {text.count(cases['contact_id'].nunique(), 'contact')} of your people, listed below.",
                detail="Each holds a critical error or shows a need. One contact is no judgement of a person.",
            )
        )
    found = _differences(results, "each")
    blind = found[(found["source"] == "self") & (found["outcome"] == "higher")] if len(found) else found
    if len(blind):
        row = blind.sort_values("value").iloc[-1]
        items.append(
            Item(
                text=f"Let people score one contact beside an evaluator on {row['criterion']}.",
                detail=f"There their own marks are furthest above: {_points(row['value'])} ({_ends(row)}; "
                f"{text.count(row['people'], 'person', 'people')}).",
            )
        )
    lower = found[(found["source"] == "customer_feedback") & (found["outcome"] == "lower")] if len(found) else found
    items += [
        Item(
            text=f"Ask customers what they miss in {row['criterion']}: they mark it lower than evaluators do.",
            detail=f"By {_points(row['value'])} ({_ends(row)}); the form may look at something else than customers do.",
        )
        for row in lower.to_dict("records")
    ]
    if not items:
        return Note(kind="paragraph", text="Nothing to do: nothing stands out by more than chance.")
    return Note(kind="list", title="What to do", items=items)


def _to_develop(results: Results) -> list[Item]:
    found = _rows(results, "development")
    found = found[found["outcome"] == "develop"] if len(found) else found
    return [
        Item(
            text=f"Develop {common.called(results, row['level'], row['unit'])} in {row['criterion']}.",
            detail=f"{text.value(row['raw'], 'share')} against {text.value(row['peers'], 'share')} of peers, n "
            f"{text.number(row['n'])}; {_why_sure(row)}.",
        )
        for row in found.to_dict("records")
    ]


def _why_sure(row: Mapping[str, Any]) -> str:
    if row["reliability"] >= quality.RELIABLE:
        return f"reliability {row['reliability']:.2f}"
    return f"too far apart for chance (q {max(row['q_value'], 0.001):.3f})"


def scores_table(results: Results) -> Table | Note:
    """Show each criterion, spoken and written apart; of a line manager's team beside the centre."""
    found = _rows(results, "scores")
    if found.empty:
        return Note(kind="paragraph", text=_ABSENT)
    level, units = _own(results)
    shown = [("centre", "centre"), *((level, unit) for unit in units if level != "centre")]
    rows = []
    for own_level, unit in shown:
        part = found[(found["level"] == own_level) & (found["unit"] == unit)]
        for row in part.sort_values(["expression", "criterion"]).to_dict("records"):
            weight = "" if pd.isna(row["weight"]) else f"weight {row['weight']:g} %"
            absent = row["not_applicable"]
            more = "" if pd.isna(absent) or absent < 0.005 else f"did not apply in {text.value(absent, 'share')}"
            rows.append(
                [
                    "Centre" if own_level == "centre" else str(unit),
                    _EXPRESSIONS.get(row["expression"], str(row["expression"])).capitalize(),
                    Cell(text=str(row["criterion"]) or "Whole form", note=", ".join(filter(None, [weight, more]))),
                    Cell(text=text.value(row["value"], "share"), note=text.interval({**row, "unit_of_value": "share"})),
                    text.number(row["n"]),
                ]
            )
    columns: list[str | Column] = ["Unit", "Contacts", "Criterion"]
    columns += [Column(label=label, align="right") for label in ("Score", "Evaluations")]
    return Table(
        columns=columns,
        rows=rows,
        caption="Scores by criterion",
        note="Weighted points of those possible. A criterion that did not apply has no weight in its evaluation; it is "
        f"not nought. {_failed(results)}",
    )


def _failed(results: Results) -> str:
    """Say what a failed evaluation counts as, and what the score were otherwise."""
    row = _score(results, "", "centre", "centre")
    if row is None or pd.isna(row["other"]) or abs(row["other"] - row["value"]) < 0.0005:
        return ""
    if row["other"] < row["value"]:
        return (
            "As the KPI register counts, an evaluation that one criterion fails keeps its other points; counted as "
            f"nought, the score of the centre is {text.value(row['other'], 'share')}."
        )
    return (
        "An evaluation that one criterion fails counts as nought; with its points, the score of the centre is "
        f"{text.value(row['other'], 'share')}."
    )


def units_chart(results: Results) -> Figure | Note:
    """Draw the scores of teams and channels with their intervals."""
    found = _rows(results, "scores")
    if found.empty:
        return Note(kind="paragraph", text=_ABSENT)
    part = found[(found["criterion"] == "") & (found["expression"] == "") & found["value"].notna()]
    part = part.assign(
        name=[
            "Centre" if row.level == "centre" else f"{common.word(results, row.level).capitalize()} {row.unit}"
            for row in part.itertuples()
        ]
    )
    if part.empty:
        return Note(kind="paragraph", text="No unit has a score that can be shown.")
    centre = part.loc[part["level"] == "centre", "value"]
    low = part.loc[part["value"].idxmin()]
    return charts.intervals_chart(
        part,
        "share",
        title="Quality scores, with what chance leaves open",
        alt=f"{text.count(len(part), 'score')}; the lowest is {low['name']} with {text.value(low['value'], 'share')}.",
        heading="Unit",
        reference=float(centre.iloc[0]) if len(centre) else None,
        reference_name="centre",
    )


def courses(results: Results) -> list[Figure]:
    """Draw the weekly score: of the centre spoken and written apart, of teams that changed or are the reader's own."""
    found = _rows(results, "courses")
    if found.empty:
        return []
    level, units = _own(results)
    changed = _changed(results)
    drawn = []
    if level == "centre":
        drawn.append(_course(results, found[found["level"] == "centre"], "Weekly quality score of the centre"))
        units = changed["unit"].tolist() if len(changed) else []
    for unit in units:
        part = found[(found["level"] == "team") & (found["unit"] == unit)]
        own = changed[changed["unit"] == unit].to_dict("records") if len(changed) else []
        title = f"{unit} {own[0]['outcome']}" if own else f"Weekly quality score of {unit}"
        if len(part):
            drawn.append(_course(results, part, title, own[0] if own else None))
    return drawn


def _course(results: Results, part: pd.DataFrame, title: str, change: Mapping[str, Any] | None = None) -> Figure:
    """Draw one unit: a line for each expression and version of the form."""
    if (part["expression"] != "").any():
        part = part[part["expression"] != ""]
    versions = len(set(part["version"])) > 1
    names = [
        ", ".join(filter(None, [_EXPRESSIONS.get(row.expression, "") if row.expression else "", row.version]))
        if versions
        else (_EXPRESSIONS[row.expression] if row.expression in _EXPRESSIONS else str(row.expression))
        for row in part.itertuples()
    ]
    wide = part.assign(name=names).pivot_table(index="period", columns="name", values="value", sort=True)
    wide = wide[list(wide.columns)[-6:]]  # the latest versions, where there are more
    lines = {str(name): str(name) for name in wide.columns}
    rows = wide.reset_index()
    alt = "; ".join(f"{name}: {text.value(wide[name].mean(), 'share')} on average" for name in wide.columns)
    mark = ""
    if change is not None:
        began = [period for period in rows["period"] if _monday(period) >= pd.Timestamp(change["since"])]
        mark = began[0] if began else ""
        alt = _change_sentence(change)
    return charts.courses_chart(
        rows, "share", title=title, alt=alt, lines=lines, mark=mark, mark_name=str(change["action"]) if change else ""
    )


def _monday(period: str) -> pd.Timestamp:
    return pd.to_datetime(f"{period}-1", format="%G-W%V-%u")


def changes_table(results: Results) -> Table | Note:
    """Show for each team whether it changed, against the others."""
    found = _rows(results, "changes")
    if found.empty:
        return Note(kind="paragraph", text="No team can be compared with others.")
    words = {"improved": "Improved", "worsened": "Got worse", "none": "No change beyond chance"}
    rows = []
    for row in found.to_dict("records"):
        known = pd.notna(row["effect"])
        effect = Cell(text=f"{100 * row['effect']:+z.1f} points", note=_ends(row)) if known else ""
        looked = common.day(row["since"])
        rows.append(
            [
                str(row["unit"]),
                Cell(text=words.get(row["outcome"], "Cannot tell yet"), note=row["reason"] or ""),
                Cell(text=looked or "no date stands out", note=row["action"] or ""),
                effect,
                f"{row['others_as_much']:.0f} of {row['others']:.0f}" if known else "",
                text.number(row["n"]),
            ]
        )
    columns: list[str | Column] = ["Team", "Course", "Looked at from"]
    columns += [
        Column(label=label, align="right")
        for label in ("More than other teams", "Others that moved as much", "Evaluations")
    ]
    return Table(
        columns=columns,
        rows=rows,
        caption="Changes of teams",
        note="Looked at from the Monday after coaching that reached half of a team, else from the start of an action "
        f"that aims at the score, else from the first week that a control chart marks. {quality.FEWEST_WEEKS} weeks on "
        "each side are needed.",
    )


def critical_note(results: Results) -> Note:
    """Say for the whole centre, or the reader's own team, how many evaluations had an error of each class."""
    found = _rows(results, "critical")
    if found.empty:
        return Note(kind="paragraph", text="Critical errors were not given.")
    level, units = _own(results)
    items = []
    for row in found[(found["level"] == level) & found["unit"].isin(units)].to_dict("records"):
        who = "" if level == "centre" else f"{row['unit']}: "
        items.append(
            Item(
                text=f"{who}{text.value(row['value'], 'share')} without an error {ERRORS[row['kind']]}."
                if row["kind"] != quality.AUTO_FAIL
                else f"{who}{text.value(row['value'], 'share')} not {ERRORS[row['kind']]}.",
                detail=f"{text.number(row['errors'])} of {text.number(row['n'])} evaluations had one; "
                f"{text.interval({**row, 'unit_of_value': 'share'})}.",
            )
        )
    return Note(kind="list", items=items) if items else Note(kind="paragraph", text="Too few evaluations to be shown.")


def critical_table(results: Results) -> Table | Note:
    """Show evaluations without a critical error, each class for itself."""
    found = _rows(results, "critical")
    if found.empty:
        return Note(kind="paragraph", text="Critical errors were not given.")
    found = found[found["level"].isin(["centre", "team"])]
    rows = [
        [
            ERRORS[row["kind"]].capitalize(),
            "Centre" if row["level"] == "centre" else str(row["unit"]),
            Cell(text=text.value(row["value"], "share"), note=text.interval({**row, "unit_of_value": "share"})),
            f"{text.number(row['errors'])} of {text.number(row['n'])}",
            str(row["outcome"] or "").capitalize(),
        ]
        for row in found.to_dict("records")
    ]
    columns: list[str | Column] = ["Class", "Unit"]
    columns += [Column(label=label, align="right") for label in ("Without", "With")]
    return Table(
        columns=[*columns, "Compared with the others"],
        rows=rows,
        caption="Evaluations without a critical error",
        note="Three classes, three figures: one blended figure would hide failures of compliance.",
    )


def sources_charts(results: Results) -> list[Figure]:
    """Draw by how much each source marks above or below call monitoring, per criterion."""
    found = results.answered("differences")
    found = found[found["value"].notna()] if len(found) else found
    drawn = []
    for source, part in found.groupby("source", sort=False) if len(found) else ():
        whole = part[part["criterion"] == ""]
        apart = whole[whole["outcome"].isin(["higher", "lower"])]
        title = f"{WHO[source]} much as evaluators do" if (whole["outcome"] == "alike").any() else ""
        if len(apart):
            title = f"{WHO[source]} {apart['outcome'].iloc[0]} than evaluators do"
        alt = _source_sentence(apart.iloc[0].to_dict()) if len(apart) else "On the whole form no difference stands out."
        shown = part.assign(
            name=[row.criterion or "Whole form" for row in part.itertuples()],
            n=part["people"],
            **{column: 100 * part[column] for column in ("value", "ci_low", "ci_high")},
        )
        drawn.append(
            charts.intervals_chart(
                shown,
                "percentage points",
                title=f"{title or SOURCES[source].capitalize()}, in percentage points",
                alt=alt,
                heading="Criterion",
                reference=0.0,
                reference_name="as evaluators",
            )
        )
    return drawn


def blind_spots(results: Results) -> Note:
    """Say where sources agree with call monitoring, where they do not, and where it cannot be told."""
    found = results.answered("differences")
    if found.empty:
        return Note(kind="paragraph", text="Only call monitoring was given, so there is nothing to hold it against.")
    items: list[str | Item] = []
    for source, part in found.groupby("source", sort=False):
        told = []
        for outcome, words in (("higher", "higher in"), ("lower", "lower in"), ("alike", "alike in")):
            names = [row.criterion or "the whole form" for row in part.itertuples() if row.outcome == outcome]
            if names:
                told.append(f"{words} {text.listed(names)}")
        unsure = part[part["outcome"] == "cannot tell"]
        if len(unsure):
            names = [
                f"{row.criterion or 'the whole form'} (at least {row.needed:.0f} {row.basis} would tell)"
                for row in unsure.itertuples()
            ]
            told.append(f"cannot tell yet in {text.listed(names)}")
        whole = part[part["criterion"] == ""]
        order = ""
        if len(whole) and np.isfinite(whole["order"].iloc[0]):
            row = whole.iloc[0]
            order = (
                f"Whom it marks high and low agrees with call monitoring by {row['order']:.2f} (1 is always; likely "
                f"{row['order_low']:.2f} to {row['order_high']:.2f}; {text.number(row['people'])} {row['basis']})."
            )
        items.append(Item(text=f"{SOURCES[source].capitalize()}: {'; '.join(told)}.", detail=order))
    return Note(kind="list", title="Agreement and blind spots", items=items)


def sources_table(results: Results) -> Table | Note:
    """Show what each source says, spoken and written apart."""
    found = results.answered("sources")
    if found.empty:
        return Note(kind="paragraph", text=_ABSENT)
    rows = [
        [
            SOURCES[row["source"]].capitalize(),
            _EXPRESSIONS.get(row["expression"], str(row["expression"])).capitalize(),
            row["criterion"] or "All criteria it marks",
            Cell(text=text.value(row["value"], "share"), note=text.interval({**row, "unit_of_value": "share"})),
            Cell(text=text.number(row["n"]), note=text.count(row["people"], "person", "people")),
        ]
        for row in found.to_dict("records")
    ]
    columns: list[str | Column] = ["Source", "Contacts", "Criterion"]
    columns += [Column(label=label, align="right") for label in ("Score", "Evaluations")]
    return Table(
        columns=columns,
        rows=rows,
        caption="Five sources",
        note="Never mixed into one score. Sources mark different criteria, so compare them criterion by criterion.",
    )


def _developed(results: Results, level: str) -> pd.DataFrame:
    found = _rows(results, "development")
    return found[found["level"] == level] if len(found) else found


_OUTCOMES = {"develop": "Develop", "strength": "Strength", "as peers": "As peers", "cannot tell": "Cannot tell yet"}


def _development_table(results: Results, found: pd.DataFrame, caption: str) -> Table:
    rows = []
    for row in found.to_dict("records"):
        needed = row["needed"]
        told = "peers do not differ beyond chance" if pd.isna(needed) else f"about {text.number(needed)} would tell"
        rows.append(
            [
                common.called(results, row["level"], row["unit"]),
                str(row["criterion"]),
                Cell(text=text.value(row["raw"], "share"), note=f"n {text.number(row['n'])}"),
                Cell(text=text.value(row["value"], "share"), note=text.interval({**row, "unit_of_value": "share"})),
                text.value(row["peers"], "share"),
                Cell(
                    text=_OUTCOMES[row["outcome"]],
                    note=told if row["outcome"] == "cannot tell" else _why_sure(row),
                ),
            ]
        )
    columns: list[str | Column] = ["Who", "Criterion"]
    columns += [Column(label=label, align="right") for label in ("As marked", "Drawn towards peers", "Peers")]
    return Table(
        columns=[*columns, "What it says"],
        rows=rows,
        caption=caption,
        note=f"Of the last {quality.DEVELOPMENT_WEEKS} weeks, and of a team that changed what came after; beside the "
        f"same channel. Act only where reliability is at least {quality.RELIABLE} or chance is ruled out (q at most "
        f"{quality.CERTAIN}).",
    )


def development_note(results: Results) -> Note:
    """Say which teams stand apart from their peers on a criterion, and that the others do not."""
    found = _developed(results, "team")
    if found.empty:
        return Note(kind="paragraph", text="No team has enough evaluations to be compared with others.")
    apart = found[found["outcome"].isin(["develop", "strength"])]
    if apart.empty:
        return Note(
            kind="paragraph",
            text=f"No team stands apart from the others on any of {found['criterion'].nunique()} criteria; what they "
            "differ in is within chance, so there is no team to coach for a weakness of its own.",
        )
    items: list[str | Item] = [
        Item(
            text=f"{row['unit']}: {row['criterion']} is {'below' if row['outcome'] == 'develop' else 'above'} the "
            f"other teams ({text.value(row['raw'], 'share')} against {text.value(row['peers'], 'share')}, n "
            f"{text.number(row['n'])})."
        )
        for row in apart.to_dict("records")
    ]
    return Note(kind="list", items=items)


def teams_table(results: Results) -> Table | None:
    """Show teams by criterion, drawn towards their peers; nothing where none can be compared."""
    found = _developed(results, "team")
    return _development_table(results, found, "Development areas of teams") if len(found) else None


def people_note(results: Results) -> Note | None:
    """Say of a line manager's own people what can be told; nothing in other editions."""
    found = _developed(results, "agent")
    if found.empty:
        return None
    told = found[found["outcome"].isin(["develop", "strength"])]
    n, people = len(found), found["unit"].nunique()
    items: list[str | Item] = [
        Item(
            text=f"{common.called(results, 'agent', row['unit'])}: {row['criterion']} is "
            f"{'to be developed' if row['outcome'] == 'develop' else 'a strength'}.",
            detail=f"{text.value(row['raw'], 'share')} against {text.value(row['peers'], 'share')} of peers, n "
            f"{text.number(row['n'])}; {_why_sure(row)}.",
        )
        for row in told.to_dict("records")
    ]
    unsure = int((found["outcome"] == "cannot tell").sum())
    if unsure:
        needed = found.loc[found["outcome"] == "cannot tell", "needed"].dropna()
        more = (
            f" About {text.number(needed.min())} evaluations each of one criterion would be needed at least."
            if len(needed)
            else " People do not differ on them beyond chance."
        )
        items.append(
            Item(
                text=f"Cannot tell yet: {unsure} of {n} comparisons of your {people} people.",
                detail=f"Each rests on about {text.number(found['n'].median())} evaluations; a lower mark there is no "
                f"reason to speak of a weakness.{more}",
            )
        )
    return Note(kind="list", title="Your own people", items=items)


def people_table(results: Results) -> Table | None:
    """Show a line manager's own people by criterion; nothing in other editions."""
    found = _developed(results, "agent")
    if found.empty:
        return None
    order = found.assign(place=found["outcome"].map({"develop": 0, "strength": 1, "as peers": 2, "cannot tell": 3}))
    order = order.sort_values(["place", "unit", "criterion"])
    return _development_table(results, order, "Your own people, by criterion")


def cases_table(results: Results) -> Table | None:
    """List the contacts of own people that are worth listening to; nothing in other editions."""
    found = results.answered("cases")
    if found.empty:
        return None
    rows = [
        [
            common.called(results, "agent", row["unit"]),
            str(row["contact_id"]),
            common.day(row["day"]),
            str(row["channel"] or ""),
            Cell(
                text=ERRORS.get(row["kind"], "shows the need").capitalize(),
                note=str(row["criterion"]),
            ),
        ]
        for row in found.to_dict("records")
    ]
    return Table(
        columns=["Who", "Contact", "Evaluated on", "Channel", "Why"],
        rows=rows,
        caption="Contacts to listen to",
        note="Critical errors of the last month, and the lowest marks behind each need. To understand, not to punish.",
    )


def forms_table(results: Results) -> Table | Note:
    """Show the versions of forms and their weights."""
    found = results.answered("forms")
    if found.empty:
        return Note(kind="paragraph", text=_ABSENT)
    rows = [
        [
            Cell(text=str(row["label"]), note="in use" if row["current"] else "replaced"),
            f"{common.day(row['first_day'])} to {common.day(row['last_day'])}",
            text.number(row["n"]),
            Cell(
                text=str(row["weights"]) or "no weights given",
                note="" if pd.isna(row["total"]) else f"together {row['total']:g} %",
            ),
        ]
        for row in found.to_dict("records")
    ]
    return Table(
        columns=["Form", "Used", Column(label="Evaluations", align="right"), "Weights"],
        rows=rows,
        caption="Forms and their versions",
        note="Versions are not one scale: their scores are never drawn as one course.",
    )

"""The report on development: which needs people have, what was done about them, and whether it worked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ccanalysis import charts, text
from ccanalysis.display import Cell, Column, Figure, Item, Note, Table
from ccanalysis.questions import development
from ccanalysis.questions.development import IDENTITY, QUALITY, TIME
from ccanalysis.results import Results
from ccanalysis.views import common

_NONE = "No development activities were given."
_OUTCOMES = {
    "worked": "Worked",
    "worse": "Got worse",
    "longer": "Takes longer",
    "shorter": "Takes less time",
    "no useful effect": "No useful effect",
    "cannot tell": "Cannot tell yet",
}
_REACHED = {"yes": "reached", "no": "not reached", "cannot tell": "cannot tell whether reached"}


def _effects(results: Results, group: str = "", measure: str = "") -> pd.DataFrame:
    found = results.answered("effects")
    if group and len(found):
        found = found[found["group"] == group]
    return found[found["measure"] == measure] if measure and len(found) else found


def _own_people(results: Results) -> bool:
    """Tell whether the edition is that of a line manager."""
    return bool(results.facts.get("audience") == "line_manager")


def _agents(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["level"] == "agent"] if len(frame) else frame


def _programme(row: Mapping[str, Any]) -> str:
    about = str(row["need"] or row["topic"]).lower()
    return f"{row['kind'].capitalize()} at {row['unit']} on {about}"


def _named(row: Mapping[str, Any]) -> str:
    if row["group"] == "programme":
        return _programme(row)
    topic = f" on {row['topic'].lower()}" if row["topic"] else ""
    return f"Everyday {row['kind']}{topic}" if row["kind"] != "buddying" else f"Buddying{topic}"


def _change(row: Mapping[str, Any]) -> str:
    """Say an effect with its direction."""
    more = ("higher", "lower") if row["unit_of_value"] == "share" else ("longer", "shorter")
    return f"{text.difference(row['effect'], row['unit_of_value'])} {more[0] if row['effect'] >= 0 else more[1]}"


def _likely(row: Mapping[str, Any]) -> str:
    """Write the interval of an effect, with signs."""
    if pd.isna(row["ci_low"]) or pd.isna(row["ci_high"]):
        return ""
    factor, unit = (100, "percentage points") if row["unit_of_value"] == "share" else (1, "s")
    return f"likely between {factor * row['ci_low']:+.1f} and {factor * row['ci_high']:+.1f} {unit}"


def _evidence(row: Mapping[str, Any]) -> str:
    return (
        f"n {text.number(row['n'])} of {text.count(row['compared'], 'person', 'people')}, against "
        f"{text.count(row['colleagues'], 'colleague')}"
    )


def _needed(row: Mapping[str, Any]) -> str:
    """Say how many it takes, in words that also stand where it is not known."""
    useful = text.difference(row["useful"], row["unit_of_value"])
    if pd.isna(row["needed"]):
        return "nobody can be compared: cases are lacking before or after, or colleagues who stood alike."
    return (
        f"a change of {useful} would take about {text.count(max(row['needed'], 2), 'person', 'people')} on each side, "
        f"and {text.count(row['compared'], 'person', 'people')} can be compared."
    )


def _sentence(row: Mapping[str, Any]) -> str:
    """Say what came of a group of activities."""
    name, measure = _named(row), str(row["measure"])
    measure = measure[:1].lower() + measure[1:]
    if row["outcome"] == "cannot tell":
        if pd.isna(row["effect"]):
            return f"{name}: whether {measure} changed cannot be told yet; {_needed(row)}"
        before, after, expected = (
            text.value(row[key], row["unit_of_value"]) for key in ("before", "after", "expected")
        )
        return (
            f"{name}: cannot tell yet. {row['measure']} went from {before} to {after} ({_evidence(row)}), and "
            f"{expected} was to be expected anyway, for low figures rise by themselves."
        )
    if row["outcome"] == "no useful effect":
        return f"{name} had no useful effect on {measure}: {_likely(row)} ({_evidence(row)})."
    verb = {"worked": "worked", "worse": "was followed by worse figures"}.get(row["outcome"], "changed the time")
    return f"{name} {verb}: {measure} is {_change(row)} than was to be expected ({_likely(row)}, {_evidence(row)})."


def headline(results: Results) -> str:
    """Say in one sentence what the report found."""
    programmes = _effects(results, "programme", QUALITY)
    found = _effects(results)
    if found.empty:
        return _NONE
    stands = programmes[programmes["outcome"] == "worked"] if len(programmes) else programmes
    if len(stands):
        return _sentence(stands.sort_values("p_value").iloc[0].to_dict())
    other = found[~found["outcome"].isin(["cannot tell", "no useful effect"])]
    if len(other):
        return _sentence(other.sort_values("p_value").iloc[0].to_dict())
    return "No activity shows an effect beyond what was to be expected without it."


def lead(results: Results) -> Note:
    """Say in a few sentences which programmes worked, what everyday activities do, and who needs help."""
    found = _effects(results)
    if found.empty:
        return Note(kind="lead", text=f"{_NONE} {_needs_sentence(results)}".strip())
    programmes = _effects(results, "programme", QUALITY)
    order = programmes["outcome"].map({"worked": 0, "worse": 1}).fillna(2) if len(programmes) else None
    listed = (
        programmes.assign(order=order).sort_values("order", kind="stable").to_dict("records") if len(programmes) else []
    )
    sentences = [_sentence(row) for row in listed]
    sentences += [_everyday(results), _needs_sentence(results)]
    return Note(kind="lead", text=" ".join(filter(None, sentences)))


def _everyday(results: Results) -> str:
    """Say of everyday activities what they do for quality, all methods in one sentence."""
    methods = _effects(results, "method", QUALITY)
    if methods.empty:
        return ""
    parts = []
    for outcome, words in (
        ("worked", "works for quality"),
        ("worse", "is followed by lower quality"),
        ("no useful effect", "has no useful effect on quality"),
        ("cannot tell", "cannot be told apart from chance yet"),
    ):
        named = methods.loc[methods["outcome"] == outcome, "kind"].tolist()
        if named:
            parts.append(f"{text.listed(named)} {words}")
    return f"In everyday use {'; '.join(parts)}."


def _needs_sentence(results: Results) -> str:
    needs = results.answered("needs")
    if needs.empty:
        return ""
    if _own_people(results):
        own = _agents(needs)
        shown = own[own["source"] == "figures"]
        if shown.empty:
            return "Nobody of your people stands out from the team by more than chance."
        told = [f"{common.person(results, str(row['unit']))} on {_need(row)}" for row in shown.to_dict("records")]
        return f"By more than chance stands out: {text.listed(told)}."
    counted = needs[(needs["level"] == "centre") & (needs["source"] == "figures")]
    if counted.empty:
        return "Nobody stands out from their team by more than chance."
    told = [f"{text.count(row['people'], 'person', 'people')} on {_need(row)}" for row in counted.to_dict("records")]
    return f"From their teams stand out by more than chance: {text.listed(told)}."


def to_do(results: Results) -> Note:
    """Recommend what to repeat, what not to call a success, whom to help, and what to record."""
    items: list[Item] = []
    own = _agents(results.answered("needs")).to_dict("records")
    items += [_help(results, row) for row in own if row["source"] == "figures"]
    programmes = _effects(results, "programme", QUALITY)
    for row in programmes.to_dict("records") if len(programmes) else []:
        if row["outcome"] == "worked":
            items.append(
                Item(
                    text=f"Write down what was done in {_lower(_programme(row))} ({row['topic'].lower()}), and "
                    "offer it to others with that need.",
                    detail=_sentence(row),
                )
            )
        elif row["outcome"] == "cannot tell":
            items.append(
                Item(
                    text=f"Do not call {_lower(_programme(row))} a success or a failure yet.",
                    detail=f"To tell, {_needed(row)} Choose the next people by lot among those who need it.",
                )
            )
        else:
            items.append(Item(text=f"Do not repeat {_lower(_programme(row))} as it was.", detail=_sentence(row)))
    items += _aimless(results)
    if not _own_people(results):
        counted = results.answered("needs")
        counted = (
            counted[(counted["level"] == "centre") & (counted["source"] == "figures")] if len(counted) else counted
        )
        items += [
            Item(
                text=f"Ask line managers what is done about {_need(row)}: "
                f"{text.count(row['people'], 'person', 'people')} "
                f"{'stands' if row['people'] == 1 else 'stand'} out from their team.",
                detail="Line managers see who it is.",
            )
            for row in counted.to_dict("records")
        ]
    if not items:
        return Note(kind="paragraph", text="Nothing to do: nobody stands out, and no activity asks for a decision.")
    return Note(kind="list", title="What to do", items=items)


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]


def _help(results: Results, row: Mapping[str, Any]) -> Item:
    """Recommend what to do about one need of one person."""
    person = common.person(results, str(row["unit"]))
    unit = row["unit_of_value"]
    figures = (
        f"{text.value(row['value'], unit)} (n {text.number(row['n'])}, {text.interval({**row})}), team mates "
        f"{text.value(row['others'], unit)}, in the last 8 weeks."
    )
    about = _need(row)
    done = (
        f" The last activity on it was {row['done_kind']} on {common.day(row['done_on'])}."
        if _has(row["done_on"])
        else ""
    )
    if row["measure"] == TIME:
        return Item(
            text=f"Find out with {person} what takes longer than for team mates on the same contacts.",
            detail=f"{figures} A long time alone is no fault.{done}",
        )
    if row["measure"] == IDENTITY:
        return Item(text=f"Go through missed identity checks with {person}.", detail=f"{figures}{done}")
    return Item(text=f"Agree with {person} on help with {about}.", detail=f"{figures}{done}")


def _need(row: Mapping[str, Any]) -> str:
    """Name a need as people speak of it."""
    return {IDENTITY: "identity checks", TIME: "handling time"}.get(row["need"], str(row["need"]).lower())


def _has(value: Any) -> bool:
    return bool(pd.notna(value))


def _aimless(results: Results) -> list[Item]:
    """Say which hours were spent without a recorded need, where they show no effect either."""
    done = results.answered("done")
    if done.empty:
        return []
    whole = done[(done["level"] == "centre") & (done["topic"] == "")]
    n = int(whole["n"].sum())
    without = round(float(((1 - whole["with_need"]) * whole["n"]).sum()))
    if not n or not without:
        return []
    hours = float(whole["hours"].sum())
    detail = f"{text.count(n, 'activity', 'activities')} took {text.number(hours)} hours." if hours > 0 else ""
    return [
        Item(
            text=f"Have the need recorded with each activity: {without} of {n} have none.",
            detail=f"{detail} Without a need it cannot be said what it should change.".strip(),
        )
    ]


def needs_table(results: Results) -> Table | Note:
    """Show how many people have each need, recorded or shown by their figures, and which objective it serves."""
    needs = results.answered("needs")
    counted = needs[needs["level"].isin(["centre", "team"])] if len(needs) else needs
    if counted.empty:
        return Note(
            kind="paragraph", text="No need was recorded, and no figures stand out from a team by more than chance."
        )
    rows = [
        [
            _need(row).capitalize(),
            "the whole centre" if row["level"] == "centre" else str(row["unit"]),
            "recorded with an activity" if row["source"] == "recorded" else "shown by figures",
            text.number(row["people"]) if _has(row["people"]) else "hidden",
            str(row["objective"] or "") if isinstance(row["objective"], str) else "",
        ]
        for row in counted.sort_values(["need", "level"], kind="stable").to_dict("records")
    ]
    return Table(
        columns=["Need", "Where", "How known", Column(label="People", align="right"), "Objective it serves"],
        rows=rows,
        caption="How many people have which need",
        note=f"Shown by figures: the last {development.BEFORE // 7} weeks against the team mates', where "
        "that survives the correction for everybody and everything compared. Of a team, needs of fewer "
        "than three people are not shown.",
    )


def done_chart(results: Results) -> Figure | Note:
    """Draw how many hours went into which method and topic."""
    done = results.answered("done")
    parts = done[(done["level"] == "centre") & (done["topic"] != "")] if len(done) else done
    if parts.empty:
        return Note(kind="paragraph", text=_NONE)
    by = "hours" if parts["hours"].sum() > 0 else "n"
    wide = parts.pivot_table(index="topic", columns="kind", values=by, aggfunc="sum", fill_value=0).reset_index()
    kinds = [kind for kind in wide.columns if kind != "topic"]
    wide = wide.assign(all=wide[kinds].sum(axis=1)).sort_values("all", ascending=False)
    top = wide.iloc[0]
    unit = "hours" if by == "hours" else "activities"
    return charts.bars_chart(
        wide,
        unit,
        title=f"Most {unit} went into {str(top['topic']).lower()}",
        alt=f"{text.number(top['all'])} of {text.number(wide['all'].sum())} {unit} of the centre were on "
        f"{str(top['topic']).lower()}.",
        name="topic",
        bars={kind: str(kind) for kind in kinds},
        stacked=True,
        heading="Topic",
    )


def done_table(results: Results) -> Table | Note:
    """Show activities, people and hours by method, for the centre and the teams of the edition."""
    done = results.answered("done")
    shown = (
        done[done["level"].isin(["centre", "team"]) & ((done["level"] == "team") | (done["topic"] == ""))]
        if len(done)
        else done
    )
    if shown.empty:
        return Note(kind="paragraph", text=_NONE)
    rows = [
        [
            "the whole centre" if row["level"] == "centre" else str(row["unit"]),
            str(row["kind"]),
            text.number(row["n"]) if _has(row["n"]) else "hidden",
            text.number(row["people"]) if _has(row["people"]) else "hidden",
            text.number(row["hours"], 1) if _has(row["hours"]) else "hidden",
            text.value(row["with_need"], "share") if _has(row["with_need"]) else "hidden",
        ]
        for row in shown.to_dict("records")
    ]
    labels = ("Activities", "People", "Hours", "With a need recorded")
    return Table(
        columns=["Where", "Method", *(Column(label=label, align="right") for label in labels)],
        rows=rows,
        caption="What was done",
        note="Hidden: fewer than eight activities, or one more that would tell them.",
    )


def effects_chart(results: Results) -> Figure | Note:
    """Draw what programmes and methods changed in quality beyond what was to be expected."""
    found = _effects(results, measure=QUALITY)
    shown = found[found["group"].isin(["programme", "method"]) & found["effect"].notna()] if len(found) else found
    if shown.empty:
        return Note(
            kind="paragraph", text="No activity has cases enough before and after for its effect to be estimated."
        )
    rows = shown.assign(name=[_named(row) for row in shown.to_dict("records")], value=shown["effect"])
    rows = rows.sort_values("value", ascending=False, kind="stable")
    said = [f"{row['name']}: {_OUTCOMES[row['outcome']].lower()}" for row in rows.to_dict("records")]
    return charts.intervals_chart(
        rows,
        "share",
        title="Quality score beyond what was to be expected, percentage points",
        alt=f"{'; '.join(said)}.",
        heading="Activity",
        reference=0.0,
        reference_name="as was to be expected",
    )


def programmes_table(results: Results) -> Table | Note:
    """Show each programme: before, what was to be expected, after, what is beyond it, and the objective."""
    found = _effects(results, "programme")
    if found.empty:
        return Note(
            kind="paragraph",
            text=f"No programme: nothing was done with {development.FEWEST_IN_PROGRAMME} people of a team or more for "
            "one recorded need.",
        )
    rows = []
    before = ""
    for row in found.to_dict("records"):
        unit, name = row["unit_of_value"], _programme(row)
        begins, ends = common.day(row["begins"]), common.day(row["ends"])
        told = f"{text.count(row['people'], 'person', 'people')}, {begins} to {ends}" if _has(row["people"]) else ""
        rows.append(
            [
                Cell(text=name, note=told) if name != before else "",
                Cell(text=str(row["measure"]), note=_aim(row)),
                Cell(
                    text=f"{text.value(row['before'], unit)} to {text.value(row['after'], unit)}",
                    note=f"expected {text.value(row['expected'], unit)}" if _has(row["expected"]) else "",
                ),
                Cell(text=_change(row) if _has(row["effect"]) else "no data", note=_likely(row)),
                Cell(text=_OUTCOMES.get(row["outcome"], "hidden"), note=_placebo(row) or _few(row)),
            ]
        )
        before = name
    return Table(
        columns=[
            "Programme",
            "Measure",
            Column(label="Before to after", align="right"),
            Column(label="Beyond what was expected", align="right"),
            "What can be said",
        ],
        rows=rows,
        caption="Programmes",
        note="Expected: the figure before, drawn towards the team's as far as it is unreliable, and moved by what "
        "colleagues who stood alike moved in the same time.",
    )


def _aim(row: Mapping[str, Any]) -> str:
    """Name the objective that a measure serves and whether its target is reached."""
    parts = [f"serves: {row['objective']}"] if isinstance(row["objective"], str) and row["objective"] else []
    if row["reached"]:
        parts.append(f"target {text.value(row['target'], row['unit_of_value'])} {_REACHED[row['reached']]}")
    return "; ".join(parts)


def _placebo(row: Mapping[str, Any]) -> str:
    if not _has(row["placebos"]):
        return ""
    return f"{row['placebos_as_large']:.0f} of {row['placebos']:.0f} other teams moved as much"


def _few(row: Mapping[str, Any]) -> str:
    if row["outcome"] != "cannot tell":
        return _evidence(row) if _has(row["n"]) else ""
    if not _has(row["needed"]):
        return "nobody to compare"
    return f"about {text.number(max(row['needed'], 2))} people on each side would tell; {row['compared']:.0f} here"


def methods_table(results: Results) -> Table | Note:
    """Show the effect of everyday activities by method and topic on each measure."""
    found = _effects(results)
    shown = found[found["group"].isin(["method", "topic"])] if len(found) else found
    if shown.empty:
        return Note(kind="paragraph", text="No everyday activities were given.")
    rows = [
        [
            _named(row),
            str(row["measure"]),
            Cell(text=_change(row) if _has(row["effect"]) else "no data", note=_likely(row)),
            Cell(text=text.number(row["compared"]), note=f"against {text.number(row['colleagues'])}"),
            Cell(text=_OUTCOMES[row["outcome"]], note=_few(row) if row["outcome"] == "cannot tell" else ""),
        ]
        for row in shown.to_dict("records")
    ]
    return Table(
        columns=[
            "Activity",
            "Measure",
            Column(label="Beyond what was expected", align="right"),
            Column(label="People", align="right"),
            "What can be said",
        ],
        rows=rows,
        caption="Everyday activities",
        note=f"{len(found)} comparisons were made; an effect is said only where it survives the correction for all of "
        "them. What a team changed as a whole in the same time is taken out.",
    )


def fade_chart(results: Results) -> Figure | Note:
    """Draw the effect of programmes on quality by weeks since."""
    found = results.answered("fade")
    shown = found[(found["group"] == "programme") & found["effect"].notna()] if len(found) else found
    if shown.empty:
        return Note(kind="paragraph", text="There are too few cases to tell whether the effect of a programme lasts.")
    rows = shown.assign(
        value=shown["effect"],
        name=[f"{row['unit']}, {row['part']}" for row in shown.to_dict("records")],
    )
    clear = rows.loc[rows["ci_low"] > 0, "name"].tolist()
    return charts.intervals_chart(
        rows,
        "share",
        title="Does it last? Quality score beyond what was to be expected, percentage points",
        alt=f"Above nought for certain: {text.listed(clear)}." if clear else "No part is above nought for certain.",
        heading="Team and weeks since",
        reference=0.0,
        reference_name="as was to be expected",
    )


def fade_table(results: Results) -> Table | Note:
    """Show the effect on quality by weeks since and by hours given, of programmes and of everyday activities."""
    found = results.answered("fade")
    if found.empty:
        return Note(kind="paragraph", text="There are too few cases to tell whether an effect lasts.")
    rows = [
        [
            _named(row),
            str(row["part"]),
            Cell(
                text=_change({**row, "unit_of_value": "share"}) if _has(row["effect"]) else "hidden",
                note=_likely({**row, "unit_of_value": "share"}),
            ),
            Cell(text=text.number(row["people"]), note=f"n {text.number(row['n'])}") if _has(row["n"]) else "hidden",
        ]
        for row in found.to_dict("records")
    ]
    return Table(
        columns=[
            "Activity",
            "Weeks since, or hours given",
            Column(label="Quality beyond what was expected", align="right"),
            Column(label="People", align="right"),
        ],
        rows=rows,
        caption="Time and dose",
        note="These parts are shown to be looked at together; one that lies off by itself is to be expected by chance.",
    )


def actions_note(results: Results) -> Note:
    """Say what became of actions on teams: those that show an effect, and those that do not."""
    actions = results.actions
    shown = actions[(actions["level"] == "team") & (actions["state"] != "dropped")] if len(actions) else actions
    if shown.empty:
        return Note(kind="paragraph", text="No action on a team is in the register.")
    items = [
        Item(
            text=f"{row['what']} ({row['action_id']}, {row['unit']}): {_lower(text.outcome(row))}.",
            detail=str(row["sentence"]),
        )
        for row in shown.sort_values(["decided_on", "action_id"], ascending=False).to_dict("records")
    ]
    return Note(kind="list", title="Actions on teams", items=items)


def own_needs(results: Results) -> Table | Note | None:
    """Show the needs of a line manager's people, and what was last done about each; nothing in other editions."""
    if not _own_people(results):
        return None
    own = _agents(results.answered("needs"))
    if own.empty:
        return Note(kind="paragraph", text="No need of your people was recorded, and nobody stands out from the team.")
    rows = []
    for row in own.sort_values(["unit", "source"], kind="stable").to_dict("records"):
        unit = row["unit_of_value"]
        shown = row["source"] == "figures"
        last = f"{row['done_kind']} on {common.day(row['done_on'])}" if _has(row["done_on"]) else "nothing on it"
        rows.append(
            [
                common.person(results, str(row["unit"])),
                _need(row).capitalize(),
                "their figures" if shown else "recorded",
                Cell(
                    text=f"{text.value(row['value'], unit)}, team mates {text.value(row['others'], unit)}"
                    if shown
                    else "",
                    note=f"n {text.number(row['n'])}, {text.interval({**row})}" if shown else "",
                ),
                last,
            ]
        )
    return Table(
        columns=["Person", "Need", "Known from", "Figures of the last 8 weeks", "Last activity on it"],
        rows=rows,
        caption="Needs of your people",
        note="Figures stand here only where they differ from the team mates' by more than chance, over all people and "
        "measures compared. A long handling time is a question to ask, not a fault.",
    )


def own_people(results: Results) -> Table | Note | None:
    """Show what was done with each of a line manager's people and what can be said of it; nothing in other editions."""
    if not _own_people(results):
        return None
    own = _agents(results.answered("people"))
    if own.empty:
        return Note(kind="paragraph", text="No activity with your people was given.")
    shown = own[(own["measure"] == QUALITY) | ~own["outcome"].isin(["cannot tell"])]
    shown = shown if len(shown) else own
    rows = []
    for row in shown.sort_values(["unit", "begins"], kind="stable").to_dict("records"):
        unit = row["unit_of_value"]
        told = _has(row["effect"])
        why = str(row["why"] or "")
        if not why and row["outcome"] == "cannot tell" and _has(row["needed"]):
            why = f"about {text.number(max(row['needed'], 2))} cases on each side would tell"
        about = " ".join(filter(None, [row["kind"], "on", str(row["topic"]).lower()]))
        sessions = f", {row['sessions']:.0f} times" if row["sessions"] > 1 else ""
        rows.append(
            [
                common.person(results, str(row["unit"])),
                Cell(
                    text=f"{about.capitalize()}{sessions}",
                    note=f"{common.day(row['begins'])}{', need: ' + row['need'] if row['need'] else ''}",
                ),
                Cell(
                    text=f"{text.value(row['before'], unit)} to {text.value(row['after'], unit)}" if told else "",
                    note=f"{row['measure'].lower()}, n {text.number(row['n_before'])} and {text.number(row['n'])}",
                ),
                Cell(text=_change(row) if told else "", note=_likely(row) if told else ""),
                Cell(text=_OUTCOMES[row["outcome"]], note=why),
            ]
        )
    return Table(
        columns=[
            "Person",
            "What was done",
            Column(label="Before to after", align="right"),
            Column(label="Beyond what was expected", align="right"),
            "What can be said",
        ],
        rows=rows,
        caption="What was done with your people, and what came of it",
        note="With a handful of evaluated contacts a person, cannot tell yet is the usual answer and no judgement of "
        "anybody. Said to have worked is only what is above the time before and above what was to be expected.",
    )


def own_activities(results: Results) -> Table | Note | None:
    """List the hours that each of a line manager's people had, by method; nothing in other editions."""
    if not _own_people(results):
        return None
    own = _agents(results.answered("done"))
    if own.empty:
        return Note(kind="paragraph", text="No activity with your people was given.")
    tally = own.groupby(["unit", "kind"], as_index=False).agg(
        n=("n", "sum"), hours=("hours", "sum"), last=("last_on", "max")
    )
    rows = [
        [
            common.person(results, str(row["unit"])),
            str(row["kind"]),
            text.number(row["n"]),
            text.number(row["hours"], 1),
            common.day(row["last"]),
        ]
        for row in tally.to_dict("records")
    ]
    labels = ("Activities", "Hours", "Last on")
    return Table(
        columns=["Person", "Method", *(Column(label=label, align="right") for label in labels)],
        rows=rows,
        caption="Activities of your people",
    )


def how_note() -> Note:
    """Say how it is decided whether something worked."""
    return Note(
        kind="list",
        title="How it is decided",
        items=[
            f"Compared are {development.BEFORE // 7} weeks before with up to {development.AFTER // 7} weeks after, of "
            f"people with at least {development.FEWEST_CASES} cases on each side.",
            "Low figures rise by themselves. So a person's figure before is first drawn towards the team's, the more "
            "the fewer cases it rests on; only what is beyond that can be due to the activity.",
            "Colleagues who stood in the same third of their team and had no such activity show what the time alone "
            "did. What a whole team did is held against the other teams.",
            "Marks are compared after each evaluator's own strictness, and times after the mix of channels and "
            "reasons, is taken out.",
        ],
    )

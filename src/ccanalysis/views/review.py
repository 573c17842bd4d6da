"""The report on the monitoring itself: what is looked at, how surely, what it tells, what it costs, what to change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ccanalysis import charts, text
from ccanalysis.display import Cell, Column, Figure, Item, Note, Table
from ccanalysis.periods import Period
from ccanalysis.questions import review
from ccanalysis.results import Results
from ccanalysis.views import common

SOURCES = {
    "call_monitoring": "call monitoring",
    "self": "own evaluation",
    "peer_observation": "peer observation",
    "peer_feedback": "peer feedback",
    "calibration": "calibration",
}
STATES = {
    "always met": "Always met",
    "always missed": "Always missed",
    "mixed": "Met or missed",
    "no target": "No target",
}
PROPOSALS = {
    "keep": "Keep",
    "month": "Report monthly",
    "quarter": "Report quarterly",
    "longer": "Judge half-years, or widen the tolerance",
    "whole centre only": "For the whole centre only",
}
# From the first on scores may be relied on, below the second not even tentatively: Krippendorff, Content Analysis
# (2019).
RELIABLE, TENTATIVE = 0.800, 0.667
_FAILING = ("always fails", "mostly fails")


def _first(results: Results, name: str) -> dict[str, Any]:
    found = results.answered(name)
    return found.iloc[0].to_dict() if len(found) else {}


def _period(results: Results) -> str:
    return Period.parse(results.facts["question"]["period"]).short


def _rules(results: Results, *states: str) -> pd.DataFrame:
    found = results.answered("rules")
    return found[found["state"].isin(states)] if len(found) else found


def _too_small(results: Results) -> pd.DataFrame:
    found = results.answered("kpis")
    return found[found["n_to_tell"] > found["n_median"]] if len(found) else found


def _hours(results: Results) -> tuple[float, float]:
    found = results.answered("time")
    return (float(found["hours"].sum()), float(found["money"].sum(min_count=1))) if len(found) else (0.0, float("nan"))


def _agreement_words(row: Mapping[str, Any]) -> str:
    ends = f"likely {row['ci_low']:.2f} to {row['ci_high']:.2f}" if pd.notna(row["ci_low"]) else "no interval"
    if pd.isna(row["value"]):
        return f"All scores of {text.count(row['contacts'], 'contact')} are the same, so agreement cannot be told."
    if pd.notna(row["ci_low"]) and row["ci_low"] >= RELIABLE:
        meaning = "scores may be relied on"
    elif pd.notna(row["ci_high"]) and row["ci_high"] < TENTATIVE:
        meaning = "too little for scores to be compared between evaluators"
    else:
        meaning = f"whether it is enough cannot be told from {text.count(row['contacts'], 'contact')}"
    return (
        f"Evaluators' agreement on whole scores is {row['value']:.2f} (Krippendorff's alpha, {ends}; "
        f"{text.count(row['contacts'], 'contact')} of {row['basis']}, {text.count(row['raters'], 'evaluator')}): "
        f"{meaning}."
    )


def _coverage_words(results: Results) -> str:
    found = results.answered("coverage")
    centre = found[found["level"] == "centre"] if len(found) else found
    if centre.empty:
        return "How many contacts are evaluated cannot be told: contacts or evaluations were not given."
    row = centre.iloc[0]
    if not row["n"]:
        return f"None of {text.count(row['contacts'], 'contact')} of {_period(results)} was evaluated."
    return (
        f"{text.number(row['n'])} of {text.count(row['contacts'], 'contact')} of {_period(results)} were evaluated "
        f"({text.value(row['share'], 'share')}), which tells a share of the centre to "
        f"{text.difference(row['margin'], 'share')} either way."
    )


def headline(results: Results) -> str:
    """Say in one sentence what the report found."""
    small, failing = _too_small(results), _rules(results, *_FAILING)
    if len(small):
        return (
            f"{text.number(small['kpi'].nunique())} of {text.count(results.answered('kpis')['kpi'].nunique(), 'KPI')} "
            "rest on too few cases in a period to show a miss of the tolerance for the centre or for teams."
        )
    if len(failing):
        return f"{text.count(len(failing), 'rule')} of the checks fail nearly always, and nobody acts on them."
    return _coverage_words(results)


def lead(results: Results) -> Note:
    """Say in a few sentences how good the monitoring is."""
    told = [_coverage_words(results)]
    if agreed := _first(results, "agreement"):
        told.append(_agreement_words(agreed))
    found, small = results.answered("kpis"), _too_small(results)
    if len(small):
        at = [
            f"{text.number(small.loc[small['at'] == level, 'kpi'].nunique())} {where}"
            for level, where in (("centre", "at the centre"), ("team", "for teams"))
            if (small["at"] == level).any()
        ]
        told.append(
            f"Of {text.count(found['kpi'].nunique(), 'KPI')}, {text.listed(at)} have too few cases in a period to show "
            "a miss of the tolerance."
        )
    if len(rules := results.answered("rules")):
        told.append(
            f"Of {text.count(len(rules), 'rule')} of the checks, {len(_rules(results, *_FAILING))} fail nearly always "
            f"and {len(_rules(results, 'nothing to look at'))} had nothing to look at."
        )
    hours, money = _hours(results)
    if hours:
        cost = f" or {text.money(money, results.facts['currency'])}" if pd.notna(money) else ""
        told.append(f"Evaluating took about {text.number(hours)} hours{cost} in {_period(results)}.")
    return Note(kind="lead", text=" ".join(told))


def to_do(results: Results) -> Note:
    """Recommend what to change in the monitoring."""
    items = [
        Item(
            text=f"Mend what {row['rule']} looks at, or drop the rule.",
            detail=f"{row['about']}: it failed in {row['failed']} of {text.count(row['periods'], 'period')}.",
        )
        for row in _rules(results, *_FAILING).to_dict("records")
        if row["severity"] != "note"
    ]
    asked = {
        "not_acted_on": "Enter in the register of actions what is done about what is missed, or change the target.",
        "review_target": "Review the targets that no longer tell a good period from a poor one.",
    }
    found = results.answered("found")
    items += [
        Item(text=said, detail=f"{text.listed([_whose(row) for row in own.to_dict('records')])}.")
        for kind, said in asked.items()
        for own in [found[found["kind"] == kind] if len(found) else found]
        if len(own)
    ]
    agreed = _first(results, "agreement")
    if agreed and agreed["ci_high"] < TENTATIVE:
        items.append(
            Item(
                text="Calibrate evaluators before scores of people or teams are compared.",
                detail=_agreement_words(agreed),
            )
        )
    people = _first(results, "people")
    if people and people["without"]:
        items.append(
            Item(
                text=f"Draw contacts of every agent: {text.number(people['without'])} of "
                f"{text.count(people['agents'], 'agent')} had no evaluation in {_period(results)}."
            )
        )
    changed = results.answered("kpis")
    changed = changed[(changed["proposal"] != "keep") & (changed["at"] == "centre")] if len(changed) else changed
    if len(changed):
        names = text.listed(
            [f"{row['name']} ({PROPOSALS[row['proposal']].lower()})" for row in changed.to_dict("records")]
        )
        items.append(Item(text="Have the owners decide on another frequency.", detail=f"At the centre: {names}."))
    if len(results.answered("proposals")):
        items.append(Item(text="Put the KPIs proposed below before whoever approves the register."))
    if not items:
        return Note(kind="paragraph", text="Nothing to change was found.")
    return Note(kind="list", title="What to do", items=items)


def _whose(row: Mapping[str, Any]) -> str:
    return f"{row['name']} ({'the centre' if row['level'] == 'centre' else row['unit']})"


def coverage_chart(results: Results) -> Figure | Note:
    """Draw the share of contacts evaluated by team and channel."""
    found = results.answered("coverage")
    if found.empty:
        return Note(kind="paragraph", text=_coverage_words(results))
    tested = results.answered("tested")
    differs = tested.loc[tested["outcome"] == "differs", "by"].tolist() if len(tested) else []
    title = (
        f"Contacts evaluated differ by {text.listed(differs)}" if differs else "Teams and channels are evaluated alike"
    )
    parts = found[found["level"] != "centre"].rename(columns={"share": "value"})
    whole = found.loc[found["level"] == "centre", "share"]
    return charts.intervals_chart(
        parts.assign(kind=[common.word(results, level).capitalize() for level in parts["level"]]),
        "share",
        title=title,
        alt=f"Share of contacts evaluated, with 95% intervals. {_coverage_words(results)}",
        name="unit",
        kind="kind",
        heading="Unit",
        reference=float(whole.iloc[0]) if len(whole) else None,
        reference_name="centre",
    )


def coverage_table(results: Results) -> Table | Note:
    """Show how many contacts were evaluated, to what margin that tells a share, and how many it would take."""
    found = results.answered("coverage")
    if found.empty:
        return Note(kind="paragraph", text=_coverage_words(results))
    rows = [
        [
            "The centre" if row["level"] == "centre" else str(row["unit"]),
            text.number(row["contacts"]),
            text.number(row["n"]),
            text.value(row["share"], "share"),
            text.difference(row["margin"], "share") if pd.notna(row["margin"]) else text.NO_VALUE,
            text.number(row["wanted"]),
        ]
        for row in found.to_dict("records")
    ]
    points = f"{100 * review.MARGIN:.0f}"
    labels = ("Contacts", "Evaluated", "Share", "Margin either way", f"Wanted for {points} points")
    return Table(
        columns=["Unit", *(Column(label=label, align="right") for label in labels)],
        rows=rows,
        caption=f"Contacts evaluated in {_period(results)}",
        note="The margin is that of a share of one half among the contacts of the period; calibration does not count. "
        "An even share is no even precision.",
    )


def people_note(results: Results) -> Note:
    """Say how many agents were evaluated not at all or hardly; who they are is not said."""
    row = _first(results, "people")
    if not row:
        return Note(kind="paragraph", text="Which agents were evaluated cannot be told.")
    return Note(
        kind="paragraph",
        text=f"Of {text.count(row['agents'], 'agent')} with contacts in {_period(results)}, "
        f"{text.number(row['without'])} had no evaluation and {text.number(row['few'])} had one to "
        f"{review.FEW_PER_AGENT}; half had {text.number(row['median'])} or fewer. So few do not tell people apart.",
    )


def agreement_note(results: Results) -> Note:
    """Say in one figure how far evaluators agree."""
    row = _first(results, "agreement")
    if not row:
        return Note(kind="paragraph", text="No two evaluators scored the same contact, so agreement cannot be told.")
    return Note(
        kind="paragraph",
        text=f"{_agreement_words(row)} From {RELIABLE:.2f} on scores may be relied on, below {TENTATIVE:.2f} not even "
        "tentatively.",
    )


def kpis_table(results: Results) -> Table | Note:
    """Show how often each KPI met its target and gave a signal, the cases it has and needs, and what is proposed."""
    found = results.answered("kpis")
    if found.empty:
        return Note(kind="paragraph", text="No KPI has figures in the window.")
    rows = []
    for row in found.to_dict("records"):
        where = "The centre" if row["at"] == "centre" else text.count(row["units"], common.word(results, row["at"]))
        why = f"no signal in {text.count(row['figures'], 'figure')}"
        if row["n_to_tell"] > row["n_median"]:
            why = f"{text.number(row['n_median'])} cases, {text.number(row['n_to_tell'])} would tell"
        rows.append(
            [
                Cell(text=str(row["name"]), note=where),
                Cell(text=STATES[row["state"]], note=_met(row)),
                Cell(text=text.value(row["signal_share"], "share"), note=f"{row['signals']} of {row['figures']}"),
                Cell(
                    text=text.number(row["n_median"]),
                    note=f"wanted {text.number(row['n_to_tell'])}" if pd.notna(row["n_to_tell"]) else "no tolerance",
                ),
                Cell(text=PROPOSALS[row["proposal"]], note="" if row["proposal"] == "keep" else why),
            ]
        )
    labels = ("Figures with a signal", "Cases in a period")
    return Table(
        columns=["KPI", "Target", *(Column(label=label, align="right") for label in labels), "Proposal"],
        rows=rows,
        caption="How often each KPI is reported, and how often it tells something",
        note="Cases wanted: as many as make the 95% interval no wider than the agreed tolerance either way. Without "
        "them a figure of one period cannot tell a miss of the tolerance from chance.",
    )


def _met(row: Mapping[str, Any]) -> str:
    return "" if pd.isna(row["met"]) else f"met in {text.value(row['met'], 'share')} of {text.number(row['figures'])}"


def found_note(results: Results) -> Note:
    """Name targets to review and what nobody acts on."""
    found = results.answered("found")
    if found.empty:
        return Note(kind="paragraph", text="No target is to be reviewed, and nothing is left alone.")
    items = [Item(text=str(row["sentence"]), detail=str(row["action"])) for row in found.to_dict("records")]
    return Note(kind="list", title="Targets to review, and what nobody acts on", items=items)


def rules_note(results: Results) -> Note:
    """Count the rules of the checks by what they did in the window."""
    rules = results.answered("rules")
    if rules.empty:
        return Note(kind="paragraph", text="No rule of the checks has a history.")
    never, nothing = _rules(results, "never failed"), _rules(results, "nothing to look at")
    items = []
    if len(never):
        most = text.value(float(never["most_share"].median()), "share")
        items.append(
            Item(
                text=f"{text.count(len(never), 'rule')} had something to look at and never failed.",
                detail=f"In half of them failures of up to {most} of periods cannot be ruled out. A rule that never "
                "fails is no waste: it guards against what has not happened yet.",
            )
        )
    if len(nothing):
        tables = nothing.groupby("table", sort=True).size().sort_values(ascending=False, kind="stable").head(5)
        names = text.listed([f"{name} ({count})" for name, count in tables.items()])
        items.append(
            Item(
                text=f"{text.count(len(nothing), 'rule')} never had anything to look at, so they could not fail.",
                detail=f"Most in {names}. Map the columns, or drop the rules.",
            )
        )
    items += [
        Item(
            text=f"{row['rule']} failed in {row['failed']} of {text.count(row['periods'], 'period')}.",
            detail=f"{row['about']} ({row['severity']}).",
        )
        for row in _rules(results, *_FAILING).to_dict("records")
    ]
    if not items:
        items = [Item(text="Every rule both passed and failed in the window.")]
    return Note(kind="list", title="What the rules of the checks did", items=items)


def rules_table(results: Results) -> Table | None:
    """List the rules that never had anything to look at; None where there is none."""
    found = _rules(results, "nothing to look at")
    if found.empty:
        return None
    rows = [[str(row["table"]), str(row["rule"]), str(row["about"])] for row in found.to_dict("records")]
    return Table(columns=["Table", "Rule", "Looks for"], rows=rows, caption="Rules that had nothing to look at")


def time_table(results: Results) -> Table | Note:
    """Show the evaluations of the period with the hours that they took, and what these cost."""
    found = results.answered("time")
    if found.empty:
        return Note(kind="paragraph", text="No evaluation of the period is known, so neither is the time spent.")
    rows = [
        [
            SOURCES[row["source"]].capitalize(),
            text.number(row["n"]),
            text.number(row["listening_h"], 1),
            text.number(row["forms_h"], 1),
            text.number(row["hours"], 1),
            text.money(row["money"], results.facts["currency"]) if pd.notna(row["money"]) else text.NO_VALUE,
        ]
        for row in found.to_dict("records")
    ]
    labels = ("Evaluations", "Listening, h", "Forms, h", "Hours", "Cost")
    return Table(
        columns=["Source", *(Column(label=label, align="right") for label in labels)],
        rows=rows,
        caption=f"Time spent on evaluations in {_period(results)}",
        note="No table says how long an evaluation takes: listening is taken to last as long as the contact, and "
        f"{review.MINUTES_PER_FORM:.0f} minutes are assumed for each form. Cost is that of an hour of handling "
        "contacts.",
    )


def reports_note(results: Results) -> Note:
    """Say how many reports were due, issued and in time."""
    row = _first(results, "reports")
    if not row:
        return Note(kind="paragraph", text="Whether reports came in time cannot be told: no reports are registered.")
    return Note(
        kind="paragraph",
        text=f"Of {text.count(row['due'], 'report')} due, {text.number(row['issued'])} were issued, "
        f"{text.number(row['on_time'])} of them in time; every gate let {text.number(row['passed'])} through.",
    )


def proposals_table(results: Results) -> Table | Note:
    """Show KPIs that the register lacks, as entries that can be put into it."""
    found = results.answered("proposals")
    if found.empty:
        return Note(kind="paragraph", text="No KPI is proposed.")
    rows = [[Cell(text=str(row["kpi"]), note=str(row["why"])), str(row["block"])] for row in found.to_dict("records")]
    return Table(
        columns=["KPI", "Entry for kpis.yml"],
        rows=rows,
        caption="KPIs proposed for approval",
        note="Put an entry under kpis:, set target and owner, run ccanalysis register lint, and name who approved "
        "it. The targets are the level of today.",
    )

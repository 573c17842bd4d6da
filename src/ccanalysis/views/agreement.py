"""The report on evaluators: how far they agree, who marks apart, who calibrates with whom, what to evaluate next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ccanalysis import charts, text
from ccanalysis.display import Cell, Column, Figure, Item, Note, Table
from ccanalysis.questions import agreement
from ccanalysis.results import Results

MEASURES = {
    "equal": "Equal points",
    "ac1": "AC1",
    "ac2": "AC2, near misses count in part",
    "kappa": "Kappa, near misses count in part",
    "alpha": "Krippendorff's alpha",
    "alpha_corrected": "Alpha, severity taken out",
    "icc": "Intraclass correlation",
    "icc_corrected": "Intraclass correlation, severity taken out",
}
OUTCOMES = {
    "severe": "marks lower than the others",
    "lenient": "marks higher than the others",
    "as others": "marks as the others do",
    "cannot tell": "cannot tell yet",
}
_AGREES = {
    "reliable": "reliable",
    "tentative": "enough for tentative conclusions",
    "not reliable": "too little to judge a single contact by",
    "cannot tell": "cannot tell yet",
}
_ABSENT = "No evaluation was given, so nothing can be said of evaluators."
_UNKNOWN = "No contact was scored by several evaluators, so how far they agree is not known."


def _apart(results: Results) -> pd.DataFrame:
    found = results.answered("evaluators")
    return found[found["outcome"].isin(["severe", "lenient"])] if len(found) else found


def _ends(low: float, high: float) -> str:
    return f"likely {100 * low:+z.1f} to {100 * high:+z.1f}"


def _severity_sentence(row: Mapping[str, Any]) -> str:
    """Say by how much an evaluator marks apart: on the same contacts, and over whom they met."""
    told = []
    if pd.notna(row["same"]):
        told.append(
            f"{text.difference(row['same'], 'share')} {'lower' if row['same'] < 0 else 'higher'} on the same "
            f"{text.count(row['n_same'], 'contact')} ({_ends(row['same_low'], row['same_high'])})"
        )
    if pd.notna(row["met"]):
        told.append(
            f"{text.difference(row['met'], 'share')} {'lower' if row['met'] < 0 else 'higher'} over "
            f"{text.count(row['n_met'], 'evaluation')}, allowing for whom they met "
            f"({_ends(row['met_low'], row['met_high'])})"
        )
    return f"{row['unit']} {OUTCOMES[row['outcome']]}: {' and '.join(told)}."


def _alpha(results: Results) -> pd.DataFrame:
    found = results.answered("agreement")
    return found[found["measure"] == "alpha"] if len(found) else found


def headline(results: Results) -> str:
    """Say in one sentence what the report found."""
    evaluators = results.answered("evaluators")
    if evaluators.empty:
        return _ABSENT
    apart = _apart(results)
    if len(apart):
        names = text.listed([f"{row.unit} ({row.outcome})" for row in apart.itertuples()])
        return f"{text.count(len(apart), 'evaluator')} of {len(evaluators)} marks apart from the others: {names}."
    if (evaluators["outcome"] == "as others").all():
        return f"All {len(evaluators)} evaluators mark alike."
    unsure = int((evaluators["outcome"] == "cannot tell").sum())
    return f"No evaluator marks apart from the others; of {unsure} it cannot be told yet."


def lead(results: Results) -> Note:
    """Say in a few sentences who marks apart, how far evaluators agree, and whether the sample is a fair one."""
    evaluators = results.answered("evaluators")
    if evaluators.empty:
        return Note(kind="lead", text=_ABSENT)
    sentences = [_severity_sentence(row) for row in _apart(results).to_dict("records")]
    others = evaluators[evaluators["outcome"] == "as others"]
    if sentences and len(others):
        sentences.append(f"The other {text.count(len(others), 'evaluator')} mark alike.")
    elif not sentences:
        sentences.append(headline(results))
    unsure = evaluators[evaluators["outcome"] == "cannot tell"]
    if len(unsure) and sentences[0] != headline(results):
        sentences.append(f"Of {text.listed(sorted(unsure['unit']))} it cannot be told yet.")
    sentences.append(_agreement_sentence(results))
    sentences.append(_audit_sentence(results))
    return Note(kind="lead", text=" ".join(filter(None, sentences)))


def _agreement_sentence(results: Results) -> str:
    found = _alpha(results)
    if found.empty:
        return _UNKNOWN
    n = int(found["n"].max())
    low = found[found["outcome"] == "not reliable"]
    good = found[found["outcome"].isin(["reliable", "tentative"])]
    where = f"on {text.count(n, 'contact')} scored by several"
    if len(low) == len(found):
        return (
            f"On every criterion evaluators agree too little to judge a single contact by ({where}; alpha at most "
            f"{found['value'].max():.2f}): rest on many evaluations, never on one."
        )
    if len(low):
        return f"They agree too little on {text.listed(low['criterion'].tolist())} ({where})."
    if len(good) == len(found):
        return f"On every criterion they agree well enough ({where}; alpha at least {found['value'].min():.2f})."
    return f"Whether they agree well enough cannot be told yet ({where})."


def _audit_sentence(results: Results) -> str:
    found = results.answered("audit")
    if found.empty:
        return ""
    apart = sorted(set(found.loc[found["outcome"] == "differs", "dimension"]))
    if apart:
        return f"The evaluated contacts are not like all contacts by {text.listed(apart)}."
    if (found["outcome"] == "alike").all():
        return "The evaluated contacts are like all contacts in every respect looked at."
    return ""


def to_do(results: Results) -> Note:
    """Recommend what to do on Monday: who calibrates with whom, what to evaluate, and what to draw otherwise."""
    items: list[str | Item] = []
    evaluators = results.answered("evaluators")
    if evaluators.empty:
        return Note(kind="paragraph", text="Give evaluations with their evaluators, and calibration sessions.")
    for row in results.answered("calibrate").to_dict("records"):
        own = evaluators[evaluators["unit"] == row["unit"]].iloc[0]
        what = f" on {row['criterion']}, where they are furthest apart" if row["criterion"] else ""
        items.append(
            Item(
                text=f"Let {row['unit']} calibrate with {row['other']} ({row['reason']}){what}."
                if row["other"]
                else f"Let {row['unit']} calibrate with an expert{what}.",
                detail=f"By about {text.difference(own['same'] if pd.notna(own['same']) else own['met'], 'share')}. "
                f"Until then read scores of people whom {row['unit']} met with that in mind: it says nothing about "
                "these people.",
            )
        )
    if _alpha(results).empty:
        items.append(
            Item(
                text=f"Let all evaluators score the same {agreement.FEWEST_CONTACTS} contacts, each alone.",
                detail="Without that nobody knows whether a score is the contact's or the evaluator's.",
            )
        )
    plan = results.answered("plan")
    teams = plan[plan["channel"] == ""] if len(plan) else plan
    if len(teams):
        planned, now = int(teams["planned"].sum()), int(teams["evaluated"].sum())
        draw = results.answered("draw")
        common_ones = int((draw["use"] == "calibration").sum()) if len(draw) else 0
        aim = f"{100 * agreement.MARGIN:.0f} points either way"
        enough = bool((teams["planned"] >= teams["wanted"]).all())
        why = (
            f"That tells each team's score to within {aim}; last month it was {text.number(now)}."
            if enough
            else f"For {aim} in each team {text.number(teams['wanted'].sum())} were needed; there was time for "
            f"{text.number(now)} last month."
        )
        more = f", and {text.count(common_ones, 'contact')} that all evaluators score" if common_ones else ""
        items.append(Item(text=f"Evaluate {text.count(planned, 'contact')} next month, drawn below{more}.", detail=why))
    audit = results.answered("audit")
    for dimension in sorted(set(audit.loc[audit["outcome"] == "differs", "dimension"])) if len(audit) else ():
        part = audit[audit["dimension"] == dimension]
        row = part.loc[part["difference"].abs().idxmax()]
        items.append(
            Item(
                text=f"Draw contacts at random by {dimension}: {row['category']} is evaluated too "
                f"{'often' if row['difference'] > 0 else 'rarely'}.",
                detail=f"{text.value(row['evaluated'], 'share')} of evaluations, {text.value(row['share'], 'share')} "
                "of contacts.",
            )
        )
    coverage = results.answered("coverage")
    if len(coverage) and coverage["people_without"].fillna(0).iloc[0] > 0:
        row = coverage.iloc[0]
        items.append(
            Item(
                text=f"{text.number(row['people_without'])} of {text.number(row['people'])} people had no evaluation "
                "last month.",
                detail="A random draw misses some by chance; over three months everybody should come up.",
            )
        )
    return Note(kind="list", title="What to do", items=items)


def agreement_chart(results: Results) -> Figure | Note:
    """Draw agreement per criterion, as it is and with severity taken out."""
    found = results.answered("agreement")
    found = found[found["measure"].isin(["alpha", "alpha_corrected"]) & found["value"].notna()] if len(found) else found
    if found.empty:
        return Note(kind="paragraph", text=_UNKNOWN)
    rows = []
    for measure, kind in (("alpha", "as it is"), ("alpha_corrected", "severity taken out")):
        part = found[found["measure"] == measure]
        rows.append(part.assign(kind=kind, name=part["criterion"] + ("" if measure == "alpha" else " ")))
    part = pd.concat(rows).sort_values(["criterion", "kind"])
    return charts.intervals_chart(
        part,
        "alpha (1 is full agreement, 0 is chance)",
        title="Agreement of evaluators on the same contacts, by criterion",
        alt=_agreement_sentence(results),
        kind="kind",
        heading="Criterion",
        reference=agreement.TENTATIVE,
        reference_name="enough for tentative conclusions",
    )


def measures_table(results: Results) -> Table | Note:
    """Show all measures of agreement per criterion, with their intervals."""
    found = results.answered("agreement")
    if found.empty:
        return Note(kind="paragraph", text=_UNKNOWN)
    rows = []
    for row in found.to_dict("records"):
        known = pd.notna(row["value"])
        equal = row["measure"] == "equal"
        shown = text.value(row["value"], "share") if equal else f"{row['value']:.2f}"
        low, high = row["ci_low"], row["ci_high"]
        ends = f"likely {100 * low:.0f}% to {100 * high:.0f}%" if equal else f"likely {low:.2f} to {high:.2f}"
        rows.append(
            [
                row["criterion"] or "Whole form",
                MEASURES[row["measure"]],
                Cell(text=shown if known else text.NO_VALUE, note=ends if pd.notna(low) else ""),
                Cell(text=text.number(row["n"]), note=f"{row['evaluators']} evaluators"),
                _AGREES.get(row["outcome"], "").capitalize(),
            ]
        )
    columns: list[str | Column] = ["Criterion", "Measure"]
    columns += [Column(label=label, align="right") for label in ("Value", "Contacts")]
    return Table(
        columns=[*columns, "What it says"],
        rows=rows,
        caption="Measures of agreement",
        note="1 is full agreement and 0 what chance gives, but for equal points, which chance alone makes frequent. "
        f"Alpha of {agreement.RELIABLE} and more is reliable, of {agreement.TENTATIVE} enough for tentative "
        "conclusions (Krippendorff, 2019); judged by the lower end of the interval. Kappa is low where nearly all "
        "pass; AC1 and AC2 are not.",
    )


def severity_chart(results: Results) -> Figure | Note:
    """Draw by how much each evaluator marks above or below the others."""
    found = results.answered("evaluators")
    if found.empty:
        return Note(kind="paragraph", text=_ABSENT)
    rows = []
    for place, (name, kind) in enumerate((("same", "on the same contacts"), ("met", "over all they met"))):
        part = pd.DataFrame(
            {
                "name": found["unit"].astype(str) + " " * place,
                "kind": kind,
                "value": 100 * found[name].astype(float),
                "ci_low": 100 * found[f"{name}_low"].astype(float),
                "ci_high": 100 * found[f"{name}_high"].astype(float),
                "n": found[f"n_{name}"],
            }
        )
        rows.append(part[part["value"].notna()])
    part = pd.concat(rows).sort_values(["name", "kind"], kind="stable")
    if part.empty:
        return Note(kind="paragraph", text="Evaluators met too few people in common to be compared.")
    apart = _apart(results)
    alt = " ".join(_severity_sentence(row) for row in apart.to_dict("records")) or headline(results)
    return charts.intervals_chart(
        part,
        "percentage points",
        title=f"Apart from the others: {text.listed(apart['unit'].tolist())}, in percentage points of the score"
        if len(apart)
        else "No evaluator stands apart, in percentage points of the score",
        alt=alt,
        kind="kind",
        heading="Evaluator",
        reference=0.0,
        reference_name="as the others",
    )


def evaluators_table(results: Results) -> Table | Note:
    """Show each evaluator: severity both ways, against the expert, and whether they order contacts as others do."""
    found = results.answered("evaluators")
    if found.empty:
        return Note(kind="paragraph", text=_ABSENT)

    def shown(row: Mapping[str, Any], name: str) -> Cell:
        if pd.isna(row[name]):
            return Cell(text="cannot tell" if row[f"n_{name}"] else "none", note=f"n {text.number(row[f'n_{name}'])}")
        ends = _ends(row[f"{name}_low"], row[f"{name}_high"])
        return Cell(text=f"{100 * row[name]:+z.1f}", note=f"{ends}; n {text.number(row[f'n_{name}'])}")

    with_expert = bool((found["n_expert"].fillna(0) > 0).any())
    rows = []
    for row in found.to_dict("records"):
        order: str | Cell = "cannot tell"
        if pd.notna(row["consistency"]):
            order = Cell(
                text=f"{row['consistency']:.2f}",
                note=f"likely {row['consistency_low']:.2f} to {row['consistency_high']:.2f}",
            )
        needed = "" if pd.isna(row["needed"]) else f"{text.number(row['needed'])} contacts in common would tell"
        rows.append(
            [
                str(row["unit"]),
                shown(row, "same"),
                shown(row, "met"),
                *([shown(row, "expert")] if with_expert else []),
                order,
                Cell(text=OUTCOMES[row["outcome"]].capitalize(), note=needed),
            ]
        )
    labels = ["On the same contacts", "Over all they met", *(["Against the expert"] if with_expert else [])]
    columns: list[str | Column] = ["Evaluator"]
    columns += [Column(label=label, align="right") for label in (*labels, "Orders contacts as the others")]
    return Table(
        columns=[*columns, "What it says"],
        rows=rows,
        caption="Evaluators, in percentage points above or below the others",
        note="Over all they met: allowing for the people, channels and months they evaluated. Who marks apart is no "
        "part of what the others are held against. Severity is not inconsistency: who orders contacts as the others "
        "do is consistent, however severe.",
    )


def criteria_table(results: Results) -> Table | None:
    """Show on which criteria those who mark apart do so; nothing where nobody does."""
    found, apart = results.answered("criteria"), _apart(results)
    if found.empty or apart.empty:
        return None
    part = found[found["unit"].isin(apart["unit"]) & found["value"].notna()].sort_values(["unit", "value"])
    words = {"severe": "Lower than the others", "lenient": "Higher than the others"}
    rows = [
        [
            str(row["unit"]),
            str(row["criterion"]),
            Cell(text=f"{100 * row['value']:+z.1f}", note=_ends(row["ci_low"], row["ci_high"])),
            text.number(row["n_same"]),
            words.get(row["outcome"], "Not beyond chance"),
        ]
        for row in part.to_dict("records")
    ]
    columns: list[str | Column] = ["Evaluator", "Criterion"]
    columns += [Column(label=label, align="right") for label in ("Percentage points", "Contacts")]
    return Table(columns=[*columns, "What it says"], rows=rows, caption="Where those who mark apart do so")


def pairs_table(results: Results) -> Table | Note:
    """Show each two evaluators on the contacts that both scored."""
    found = results.answered("pairs")
    found = found[found["value"].notna()] if len(found) else found
    if found.empty:
        return Note(kind="paragraph", text="No two evaluators scored enough contacts in common.")
    rows = [
        [
            f"{row['unit']} and {row['other']}",
            Cell(
                text=f"{100 * row['difference']:+z.1f}",
                note=_ends(row["low"], row["high"]) + ("" if row["q_value"] > 0.05 else "; beyond chance"),
            ),
            Cell(text=f"{row['value']:.2f}", note=f"likely {row['ci_low']:.2f} to {row['ci_high']:.2f}"),
            text.number(row["n_same"]),
        ]
        for row in found.sort_values("value").to_dict("records")
    ]
    columns: list[str | Column] = ["Evaluators"]
    columns += [
        Column(label=label, align="right")
        for label in ("First less second, percentage points", "Intraclass correlation", "Contacts")
    ]
    return Table(
        columns=columns,
        rows=rows,
        caption="Each two evaluators",
        note="The intervals of pairs are wide: a pair at the bottom of the list need not be worse than the next.",
    )


def teams_table(results: Results) -> Table | Note:
    """Show scores of teams as they are and with severity taken out."""
    found = results.answered("teams")
    found = found[found["n"].notna()] if len(found) else found
    if found.empty:
        return Note(kind="paragraph", text=_ABSENT)
    rows = [
        [
            "Centre" if row["level"] == "centre" else str(row["unit"]),
            text.value(row["value"], "share"),
            Cell(text=text.value(row["adjusted"], "share"), note=text.interval({**row, "unit_of_value": "share"})),
            f"{100 * row['difference']:+z.1f} points",
            text.value(row["by_apart"], "share"),
            text.number(row["n"]),
        ]
        for row in found.to_dict("records")
    ]
    labels = ("As marked", "Severity taken out", "Difference", "By who marks apart", "Evaluations")
    columns: list[str | Column] = ["Team", *(Column(label=label, align="right") for label in labels)]
    return Table(
        columns=columns,
        rows=rows,
        caption="Scores of teams",
        note="Compare teams by the second figure: the first is also a matter of who evaluated them. The KPI stays as "
        "marked.",
    )


def plan_table(results: Results) -> Table | Note:
    """Show how many contacts of each team and channel to evaluate next month."""
    found = results.answered("plan")
    if found.empty:
        return Note(kind="paragraph", text="Contacts of teams were not given, so no sample can be planned.")
    rows = []
    for row in found.to_dict("records"):
        whole = row["channel"] == ""
        rows.append(
            [
                str(row["unit"]) if whole else "",
                "all channels" if whole else str(row["channel"]),
                text.number(row["contacts"]),
                Cell(
                    text=text.number(row["evaluated"]),
                    note=f"± {100 * row['margin']:.1f} points" if pd.notna(row["margin"]) else "",
                ),
                text.number(row["wanted"]) if whole else "",
                Cell(
                    text=text.number(row["planned"]),
                    note=f"± {100 * row['planned_margin']:.1f} points" if pd.notna(row["planned_margin"]) else "",
                ),
            ]
        )
    labels = ("Contacts last month", "Evaluated last month", "Needed", "Next month")
    columns: list[str | Column] = ["Team", "Channel", *(Column(label=label, align="right") for label in labels)]
    return Table(
        columns=columns,
        rows=rows,
        caption="Sample of next month",
        note=f"Needed for a team's score to within {100 * agreement.MARGIN:.0f} points either way, from the spread of "
        "its scores and its number of contacts (finite population), never more in all than there was time for last "
        "month. Channels by their volume. It tells teams apart, not people: for one person it says little.",
    )


def draw_table(results: Results) -> Table | Note:
    """List the contacts drawn at random, by the evaluator each falls to."""
    found = results.answered("draw")
    if found.empty:
        return Note(kind="paragraph", text="No contact was drawn.")
    shown = found.sort_values(["use", "unit", "place"]).head(1_000)
    rows = [
        [str(row["unit"]), str(row["contact_id"]), str(row["team"]), str(row["channel"])]
        for row in shown.to_dict("records")
    ]
    more = "" if len(shown) == len(found) else f" The first {len(shown):,} of {len(found):,} are shown."
    return Table(
        columns=["Evaluator", "Contact", "Team", "Channel"],
        rows=rows,
        caption="Contacts drawn at random",
        note="Of last month's contacts that nobody has evaluated. Evaluators were drawn too, so that each meets each "
        f"team about as often. Take them all: to leave out what looks dull or hard is to choose again.{more}",
    )


def audit_note(results: Results) -> Note:
    """Say in which respects the evaluated contacts are like all contacts."""
    found = results.answered("audit")
    if found.empty:
        return Note(kind="paragraph", text="Evaluations and contacts cannot be joined, so the sample is not audited.")
    words = {"alike": "like all contacts", "differs": "not like all contacts", "cannot tell": "cannot tell yet"}
    items = []
    for dimension, part in found.groupby("dimension", sort=False):
        row = part.loc[part["difference"].abs().idxmax()]
        items.append(
            Item(
                text=f"{str(dimension).capitalize()}: {words[row['outcome']]}.",
                detail=f"Furthest off is {row['category']}: {text.value(row['evaluated'], 'share')} of "
                f"{text.count(part['n'].sum(), 'evaluated contact')} (likely between "
                f"{text.value(row['ci_low'], 'share')} and {text.value(row['ci_high'], 'share')}), "
                f"{text.value(row['share'], 'share')} of all.",
            )
        )
    return Note(kind="list", items=items)


def audit_table(results: Results) -> Table | Note:
    """Show each kind of contact among the evaluated and among all."""
    found = results.answered("audit")
    if found.empty:
        return Note(kind="paragraph", text="Nothing to show.")
    rows = [
        [
            str(row["dimension"]).capitalize(),
            str(row["category"]),
            Cell(text=text.value(row["evaluated"], "share"), note=text.interval({**row, "unit_of_value": "share"})),
            text.value(row["share"], "share"),
            f"{text.number(row['n'])} of {text.number(row['contacts'])}",
        ]
        for row in found.to_dict("records")
    ]
    columns: list[str | Column] = ["By", "Kind"]
    columns += [Column(label=label, align="right") for label in ("Of evaluated", "Of all", "Evaluated")]
    return Table(
        columns=columns,
        rows=rows,
        caption="The sample beside all contacts",
        note=f"Not alike where the rates of evaluation differ beyond chance and a share is off by "
        f"{100 * agreement.MATERIAL:.0f} points or more.",
    )


def coverage_note(results: Results) -> Note:
    """Say how many contacts and people were evaluated in the last month."""
    found = results.answered("coverage")
    if found.empty:
        return Note(kind="paragraph", text=_ABSENT)
    row = found.iloc[0]
    told = f"Last month {text.count(row['evaluators'], 'evaluator')} scored {text.count(row['n'], 'contact')}"
    if pd.notna(row["contacts"]):
        told += f" of {text.number(row['contacts'])} ({text.value(row['share'], 'share')})"
    told += f", and {text.count(row['calibrated'], 'contact')} together."
    if pd.notna(row["people"]):
        told += f" {text.number(row['people_without'])} of {text.number(row['people'])} people had no evaluation."
    return Note(kind="paragraph", text=told.replace(" 0 of ", " None of "))

"""The report on complaints and escalations: recorded and not, in time, upheld, their causes, and authority kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ccanalysis import charts, text
from ccanalysis.display import Cell, Column, Figure, Item, Note, Table
from ccanalysis.questions import complaints
from ccanalysis.results import Results
from ccanalysis.views import common, wording

REASONS = {
    "authority_limit": "Limit of authority",
    "specialist_knowledge": "Specialist knowledge",
    "customer_demand": "Customer demand",
    "regulatory": "Regulatory",
    "": "All reasons",
}
_CLOCKS = {
    "summary": "Resolved by the close of the third business day",
    "final": "Final response within eight weeks",
}
_COURSES = {
    "more": "more often than before",
    "fewer": "less often than before",
    "none": "no change beyond chance",
    "cannot tell": "cannot tell yet",
}
_FIXES = {
    "came back": "Came back",
    "held": "Fell, and has held so far",
    "no change": "No change beyond chance",
    "cannot tell": "Cannot tell yet",
}
_LEVERS = {"after its fix": "of the time after its fix", "the best team": "of the best team beyond chance"}
_ABSENT = "No complaints were given."


def _own(results: Results, name: str) -> pd.DataFrame:
    return wording.of_own(results, results.answered(name))


def _is_manager(results: Results) -> bool:
    return bool(results.facts.get("audience") == "line_manager")


def _at(row: Mapping[str, Any]) -> str:
    return "" if row["level"] == "centre" else f" at {row['unit']}"


def _under_recorded(results: Results) -> pd.DataFrame:
    found = results.answered("rates")
    return found[(found["level"] == "team") & (found["under_recorded"] == True)] if len(found) else found  # noqa: E712


def _back(results: Results) -> pd.DataFrame:
    found = results.answered("recurrence")
    return found[found["outcome"] == "came back"] if len(found) else found


def _a_week(value: float) -> str:
    return f"{text.number(value, 1)} a week"


def _back_sentence(row: Mapping[str, Any]) -> str:
    return (
        f"{row['root_cause']} came back: {_a_week(row['before'])} before {row['action_id']}, "
        f"{_a_week(row['quiet'])} for {text.count(row['quiet_weeks'], 'week')} after it, and {_a_week(row['back'])} "
        f"since {row['back_from']} ({text.number(row['ratio'], 1)} times as many, likely "
        f"{text.number(row['ratio_low'], 1)} to {text.number(row['ratio_high'], 1)}; n {text.number(row['n'])})."
    )


def _under_sentence(row: Mapping[str, Any]) -> str:
    return (
        f"{row['unit']} records {text.value(row['value'], 'per_1000')}, the others "
        f"{text.number(1000 * row['others'], 2)}, and evaluators hear no less dissatisfaction there: a sign of too "
        "little recording, not of good work."
    )


def _unrecorded(row: Mapping[str, Any]) -> str:
    return (
        f"about {text.number(_round(row['unrecorded']))} complaints not recorded (likely "
        f"{text.number(_round(row['unrecorded_low']))} to {text.number(_round(row['unrecorded_high']))})"
    )


def _round(value: float) -> float:
    """Round an estimate to what it can carry: two digits."""
    return float(f"{value:.2g}")


def headline(results: Results) -> str:
    """Say in one sentence what the report found."""
    split = _people(results)
    if len(split):
        return _person_sentence(results, split.iloc[0].to_dict())
    if len(back := _back(results)):
        return _back_sentence(back.iloc[0].to_dict())
    if len(under := _under_recorded(results)):
        return _under_sentence(under.iloc[0].to_dict())
    rates = _own(results, "rates")
    return _rate_sentence(rates.iloc[0].to_dict()) if len(rates) else _ABSENT


def _rate_sentence(row: Mapping[str, Any]) -> str:
    if pd.isna(row["n"]):
        return f"Complaints{_at(row)}: few, and so not shown."
    rate = wording.measured({**row, "n": row["contacts"]}, "per_1000", of="contacts")
    return f"{text.count(row['n'], 'complaint')} recorded{_at(row)}, {rate}."


def lead(results: Results) -> Note:
    """Say in a few sentences how complaints and decisions stand."""
    said = [_rate_sentence(row) for row in _own(results, "rates").to_dict("records")]
    said += [
        f"Dissatisfaction that evaluators heard{_at(row)} was logged in {wording.measured(row)}: {_unrecorded(row)}."
        for row in _own(results, "capture").to_dict("records")
        if pd.notna(row["n"]) and row["n"]
    ]
    said += [_under_sentence(row) for row in _under_recorded(results).to_dict("records")]
    said += [_back_sentence(row) for row in _back(results).to_dict("records")]
    clocks = _own(results, "clocks")
    for row in clocks[clocks["clock"] == "final"].to_dict("records") if len(clocks) else []:
        if pd.notna(row["n"]):
            said.append(f"{_CLOCKS['final']}{_at(row)}: {wording.measured(row)} of those due.")
    for row in _own(results, "authority").to_dict("records"):
        if pd.notna(row["n"]):
            said.append(_authority_sentence(row))
    said += [_person_sentence(results, row) for row in _people(results).to_dict("records")]
    return Note(kind="lead", text=" ".join(said) or _ABSENT)


def _authority_sentence(row: Mapping[str, Any]) -> str:
    if not row["judged"]:
        return f"No limit of authority is known for {text.count(row['n'], 'decision')}{_at(row)}, so none is judged."
    over = text.count(row["over"], "decision") + " above the limit" if row["over"] else "No decision above the limit"
    split = (
        f"{text.count(row['split'], 'contact')} with decisions split under it"
        if row["split"]
        else "none split under it"
    )
    return f"{over} and {split}{_at(row)}, of {text.number(row['judged'])} decisions."


def _people(results: Results) -> pd.DataFrame:
    """Own people with decisions above the limit or split under it, the most first; empty in other editions."""
    found = results.answered("authority")
    found = found[(found["level"] == "agent") & (found["over"] + found["split"] > 0)] if len(found) else found
    return found.sort_values(["split", "over"], ascending=False, kind="stable") if len(found) else found


def _person_sentence(results: Results, row: Mapping[str, Any]) -> str:
    name = wording.who(results, row)
    parts = []
    if row["split"]:
        money = text.money(row["split_amount"], results.facts["currency"])
        parts.append(
            f"on {text.count(row['split'], 'contact')} two or more decisions, each within the limit and together above "
            f"it ({money} in all)"
        )
    if row["over"]:
        parts.append(f"{text.count(row['over'], 'decision')} above the limit")
    return f"{name}: {text.listed(parts)}, of {text.count(row['n'], 'decision')}."


def to_do(results: Results) -> Note:
    """Recommend what to do on Monday."""
    items = [
        Item(
            text=f"Ask {wording.who(results, row)} about single decisions before you judge them.",
            detail=f"{_person_sentence(results, row)} The cases stand below. Was the customer owed twice, is the limit "
            "too low for the work, or was a referral avoided?",
        )
        for row in _people(results).to_dict("records")
    ]
    items += _late_items(results)
    if not _is_manager(results):
        items += _centre_items(results)
    for row in _own(results, "rates").to_dict("records") if _is_manager(results) else []:
        if row["under_recorded"] is True or row["under_recorded"] == 1:
            items.append(
                Item(
                    text=f"Have every dissatisfaction logged at {row['unit']}, also one put right at once.",
                    detail=_under_sentence(row),
                )
            )
    items += _rationale_items(results)
    if not items:
        return Note(kind="paragraph", text="Nothing to do that is not done every week: nothing stands out.")
    return Note(kind="list", title="What to do", items=items)


def _late_items(results: Results) -> list[Item]:
    if _is_manager(results):
        cases = results.answered("open_cases")
        late = cases[cases["days_left"] < 0] if len(cases) else cases
        soon = cases[cases["days_left"].between(0, complaints.DUE_SOON_DAYS)] if len(cases) else cases
        n_late, n_soon = len(late), len(soon)
    else:
        ageing = results.answered("ageing")
        counts = dict(zip(ageing["band"], ageing["n"], strict=True)) if len(ageing) else {}
        n_late, n_soon = counts.get("over 8 weeks", 0), counts.get("due within a week", 0)
    items = []
    if n_late:
        items.append(
            Item(
                text=f"Answer {text.count(n_late, 'complaint')} open for longer than eight weeks today.",
                detail="The customer may go to the ombudsman already; the response says so.",
            )
        )
    if n_soon:
        items.append(Item(text=f"Answer {text.count(n_soon, 'complaint')} whose eight weeks end within a week."))
    return items


def _centre_items(results: Results) -> list[Item]:
    items = []
    under = _under_recorded(results)
    for row in _own(results, "capture").to_dict("records"):
        if row["n"] and row["logged"] < row["n"]:
            begin = f" Begin at {text.listed(under['unit'].astype(str).tolist())}." if len(under) else ""
            items.append(
                Item(
                    text=f"Have every expression of dissatisfaction logged.{begin}",
                    detail=f"Logged in {wording.measured(row)}; {_unrecorded(row)}. Expect the figure of complaints to "
                    "rise: that is better recording.",
                )
            )
    prizes = results.answered("prizes")
    for row in _back(results).to_dict("records"):
        own = prizes[(prizes["root_cause"] == row["root_cause"]) & (prizes["lever"] == "after its fix")]
        prize = _prize_words(results, own.iloc[0].to_dict()) if len(own) else ""
        named = "" if row["named"] else f" Name {row['root_cause']!r} as its root cause in the register of actions."
        items.append(
            Item(
                text=f"Reopen {row['action_id']} ({row['what']}): {row['root_cause'].lower()} is back.",
                detail=f"{_back_sentence(row)} {prize}{named}".strip(),
            )
        )
    items += [
        Item(
            text="Ask line managers to look at decisions above and just under the limit.",
            detail=f"{_authority_sentence(row)} Each line manager is shown those of their own people.",
        )
        for row in _own(results, "authority").to_dict("records")
        if row["over"] or row["split"]
    ]
    fewer = results.answered("escalations")
    fewer = fewer[(fewer["level"] == "team") & (fewer["outcome"] == "fewer")] if len(fewer) else fewer
    items += [
        Item(
            text=f"Ask {row['unit']} why it refers so little for {REASONS[row['reason']].lower()}.",
            detail=f"{text.value(row['value'], 'per_1000')} contacts, the others "
            f"{text.value(1000 * row['others'], 'per_1000')}. Few referrals are good only where none was missed.",
        )
        for row in fewer.to_dict("records")
    ]
    causes = results.answered("causes")
    if len(causes) and _back(results).empty:
        row = causes.iloc[0].to_dict()
        items.append(
            Item(
                text=f"Take {row['root_cause'].lower()} as the next cause to end.",
                detail=f"{text.value(row['share'], 'share')} of {text.number(causes['n'].sum())} complaints whose "
                "cause is known.",
            )
        )
    return items


def _rationale_items(results: Results) -> list[Item]:
    return [
        Item(
            text=f"Ask for the reasons of every decision{_at(row)}: {text.number(row['missing'])} are without.",
            detail=f"{wording.measured(row)} of decisions and referrals.",
        )
        for row in _own(results, "rationale").to_dict("records")
        if pd.notna(row["n"]) and row["missing"]
    ]


def _prize_words(results: Results, row: Mapping[str, Any]) -> str:
    low, high = (text.number(_round(row[f"complaints_{end}"])) for end in ("low", "high"))
    parts = [f"{text.number(_round(row['complaints']))} complaints a year (likely {low} to {high})"]
    if pd.notna(row["redress"]):
        parts.append(f"{text.money(_round(row['redress']), results.facts['currency'])} of redress")
    if pd.notna(row["hours"]):
        parts.append(f"{text.number(_round(row['hours']))} hours of handling")
    lever = "as it was after its fix" if row["lever"] == "after its fix" else "as at the best team"
    return f"Kept {lever}, it saves {text.listed(parts)}."


# --- how many, and how many are not recorded ------------------------------------------------------------------------


def rates_chart(results: Results) -> Figure | Note:
    """Draw complaints per 1,000 contacts by team, in the order of their names."""
    found = results.answered("rates")
    rows = found[(found["level"] == "team") & found["n"].notna()] if len(found) else found
    if rows.empty:
        return Note(kind="paragraph", text="Complaints or contacts of teams were not given.")
    whole = found.loc[found["level"] == "centre", "value"]
    few = rows.loc[rows["outcome"] == "fewer", "unit"].astype(str).tolist()
    many = rows.loc[rows["outcome"] == "more", "unit"].astype(str).tolist()
    seen = [f"{text.listed(few)} records fewer than the others"] if few else []
    seen += [f"{text.listed(many)} records more than the others"] if many else []
    said = " and ".join(seen) or f"no {common.word(results, 'team')} differs by more than chance"
    if len(rows) == 1 and not seen:
        said = f"{rows['unit'].iloc[0]} against the others: {wording.AGAINST[rows['outcome'].iloc[0]]}"
    return charts.intervals_chart(
        rows,
        "per_1000",
        title=f"Complaints per 1,000 contacts: {said}",
        alt=f"Recorded complaints per 1,000 contacts by team with 95% intervals: {said}. Few are no praise.",
        name="unit",
        heading=common.word(results, "team").capitalize(),
        reference=float(whole.iloc[0]) if len(whole) else None,
        reference_name="centre",
    )


def recording_table(results: Results) -> Table | Note:
    """Show complaints recorded beside the dissatisfaction that evaluators found, and what that leaves unrecorded."""
    found = results.answered("rates")
    if found.empty:
        return Note(kind="paragraph", text="Complaints or contacts were not given.")
    capture = results.answered("capture")
    by = capture.set_index(["level", "unit"]) if len(capture) else capture
    rows = []
    for row in found[found["level"].isin(["centre", "team"])].to_dict("records"):
        key = (row["level"], row["unit"])
        heard: dict[str, Any] = by.loc[key].to_dict() if len(capture) and key in by.index else {}
        shown = bool(heard) and pd.notna(heard["n"])
        rows.append(
            [
                wording.who(results, row),
                Cell(text=wording.count(row["n"]), note=f"n {wording.count(row['contacts'])} contacts"),
                wording.figure(row, "per_1000"),
                f"{wording.count(heard['n'])} of {wording.count(heard['evaluated'])}" if shown else "not shown",
                wording.figure(heard) if shown else "not shown",
                Cell(
                    text=text.number(_round(heard["unrecorded"])),
                    note=f"likely {text.number(_round(heard['unrecorded_low']))} to "
                    f"{text.number(_round(heard['unrecorded_high']))}",
                )
                if shown and pd.notna(heard["unrecorded"])
                else "not known",
                "Too little recorded" if row["under_recorded"] else wording.against(row),
            ]
        )
    return Table(
        columns=[
            "Unit",
            Column(label="Complaints", align="right"),
            Column(label="Per 1,000 contacts", unit="95% interval", align="right"),
            Column(label="Dissatisfaction found in evaluations", align="right"),
            Column(label="Of it logged", unit="95% interval", align="right"),
            Column(label="Estimated not recorded", align="right"),
            "Against the others",
        ],
        rows=rows,
        caption="Complaints recorded, and dissatisfaction that was not",
        note=f"By the criterion '{complaints.CRITERION}' of call monitoring. The estimate takes evaluated contacts to "
        "stand for all, so it is as good as their sample.",
    )


# --- time limits ----------------------------------------------------------------------------------------------------


def clocks_table(results: Results) -> Table | Note:
    """Show the share in time of the complaints whose limit has passed."""
    found = results.answered("clocks")
    found = found[found["level"].isin(["centre", "team"]) & found["n"].notna()] if len(found) else found
    if found.empty:
        return Note(kind="paragraph", text="No complaint has passed a limit that could be judged.")
    rows = [
        [
            Cell(text=_CLOCKS[row["clock"]], note=wording.who(results, row)),
            text.number(row["n"]),
            text.number(row["n"] - row["n_in_time"]),
            wording.figure(row),
        ]
        for row in found.to_dict("records")
    ]
    return Table(
        columns=[
            "Limit",
            Column(label="Due", align="right"),
            Column(label="Not in time", align="right"),
            Column(label="In time", unit="95% interval", align="right"),
        ],
        rows=rows,
        caption="Time limits of complaints",
        note="FCA Handbook, DISP 1.5 (summary resolution by the close of the third business day after receipt, by the "
        "centre's bank holidays) and DISP 1.6.2R (eight weeks). Of those whose limit has passed, answered or not. The "
        "third day is no duty: later ones are due within eight weeks. Rows of few cases are not shown.",
    )


def ageing_chart(results: Results) -> Figure | Note:
    """Draw how old the open complaints of the centre are."""
    found = results.answered("ageing")
    ages = found[found["band"] != "due within a week"] if len(found) else found
    if ages.empty or not ages["n"].sum():
        return Note(kind="paragraph", text="No complaint is open.")
    late = ages.loc[ages["band"] == "over 8 weeks", "n"].sum()
    over = f"{text.number(late) if late else 'none'} over eight weeks"
    return charts.bars_chart(
        ages,
        "count",
        title=f"{text.count(ages['n'].sum(), 'complaint')} of the centre open, {over}",
        alt=f"Open complaints by age: {text.listed([f'{row.n:.0f} {row.band}' for row in ages.itertuples()])}.",
        name="band",
        bars={"n": "complaints"},
        heading="Open",
        more=[Column(label="High-risk", align="right")],
        cells=[[text.number(one)] for one in ages["high_risk"]],
    )


def high_risk_note(results: Results) -> Note:
    """Say how high-risk and high-profile complaints of the centre stand."""
    found = results.answered("high_risk")
    if found.empty:
        return Note(kind="paragraph", text="No complaint is marked as high-risk or high-profile.")
    row = found.iloc[0].to_dict()
    said = (
        f"{text.count(row['n'], 'high-risk or high-profile complaint')} at the centre, {text.number(row['open'])} open"
    )
    said += f", {text.number(row['late'])} of these over eight weeks." if row["late"] else ", none over eight weeks."
    if row["answered"]:
        answered = {**row, "n": row["answered"]}
        said += f" Answered within eight weeks: {wording.measured(answered)}."
    return Note(kind="callout" if row["late"] else "paragraph", text=said)


def open_cases_table(results: Results, *, most: int = 40) -> Table | None:
    """Show a line manager the open complaints about contacts of their own people; nothing to others."""
    found = results.answered("open_cases")
    if found.empty:
        return None
    rows = [
        [
            Cell(text=str(row["reference"]), note=common.person(results, str(row["unit"]))),
            common.day(row["received_on"]),
            common.day(row["due_on"]),
            f"{text.number(row['days_left'])} days left"
            if row["days_left"] >= 0
            else f"{-row['days_left']:.0f} days late",
            "high risk" if row["high_risk"] is True else "",
        ]
        for row in found.head(most).to_dict("records")
    ]
    return Table(
        columns=["Complaint", "Received", "Eight weeks end", "Time left", "Mark"],
        rows=rows,
        caption="Open complaints about contacts of your own people, those due first at the top",
        note="" if len(found) <= most else f"The first {most} of {len(found)}.",
    )


def outcomes_table(results: Results) -> Table | Note:
    """Show how many complaints were upheld, in whole or in part, and the redress paid."""
    found = results.answered("outcomes")
    found = found[found["level"].isin(["centre", "team"]) & found["n"].notna()] if len(found) else found
    if found.empty:
        return Note(kind="paragraph", text="No complaint was decided in the window, or no outcome was given.")
    currency = results.facts["currency"]
    rows = [
        [
            wording.who(results, row),
            text.number(row["n"]),
            wording.figure(row),
            Cell(text=text.money(row["redress"], currency), note=f"in {text.count(row['paid'], 'complaint')}"),
        ]
        for row in found.to_dict("records")
    ]
    return Table(
        columns=[
            "Unit",
            Column(label="Decided", align="right"),
            Column(label="Upheld, in whole or in part", unit="95% interval", align="right"),
            Column(label="Redress", align="right"),
        ],
        rows=rows,
        caption="Outcomes and redress",
        note="By the day of closing. Goodwill where nothing was decided counts as upheld; on a rejected complaint it "
        "does not. Rows of few cases are not shown.",
    )


# --- root causes ----------------------------------------------------------------------------------------------------


def causes_chart(results: Results) -> Figure | Note:
    """Draw root causes by how many complaints they make, the most first."""
    found = results.answered("causes")
    if found.empty:
        return Note(kind="paragraph", text="No root cause was given.")
    currency, whole = results.facts["currency"], found["n"].sum()
    half = int((found["cumulative_share"] < 0.5).sum()) + 1
    names = text.listed([str(one) for one in found["root_cause"].head(half)])
    share = text.value(float(found["cumulative_share"].iloc[half - 1]), "share")
    counts = text.listed([f"{row.root_cause} {row.n:.0f}" for row in found.itertuples()])
    return charts.bars_chart(
        found,
        "count",
        title=f"{names}: {share} of {text.number(whole)} complaints with a known cause",
        alt=f"Complaints by root cause: {counts}.",
        name="root_cause",
        bars={"n": "complaints"},
        heading="Root cause",
        more=[
            Column(label="Running share", align="right"),
            Column(label="Upheld", align="right"),
            Column(label="Redress", align="right"),
            Column(label=f"Last {complaints.RECENT_WEEKS} weeks against before", align="right"),
        ],
        cells=[
            [
                text.value(row["cumulative_share"], "share"),
                wording.figure({**row, "value": row["uphold_share"], "n": row["decided"]})
                if pd.notna(row["decided"])
                else "none decided",
                text.money(row["redress"], currency) if pd.notna(row["redress"]) else "none",
                Cell(
                    text=f"{_a_week(row['recent'])} against {_a_week(row['earlier'])}",
                    note=_COURSES[row["course"]],
                ),
            ]
            for row in found.to_dict("records")
        ],
    )


def recurrence_charts(results: Results) -> list[Figure]:
    """Draw the weekly course of each root cause that came back after its fix."""
    weeks = results.answered("cause_weeks")
    drawn = []
    for row in _back(results).to_dict("records"):
        part = weeks[weeks["root_cause"] == row["root_cause"]].rename(columns={"week": "period"})
        starts = pd.to_datetime(part["starts_on"])
        after = part.loc[starts >= pd.Timestamp(row["starts_on"]), "period"]
        drawn.append(
            charts.courses_chart(
                part,
                "count",
                title=f"{row['root_cause']}: gone after {row['action_id']}, back since {row['back_from']}",
                alt=_back_sentence(row),
                lines={"n": "complaints a week"},
                mark=str(after.iloc[0]) if len(after) else "",
                mark_name=str(row["action_id"]),
            )
        )
    return drawn


def recurrence_table(results: Results) -> Table | Note:
    """Show what became of every fix of a root cause."""
    found = results.answered("recurrence")
    if found.empty:
        return Note(
            kind="paragraph",
            text="No action of the window names a root cause that it is to end, and none on complaints as a whole was "
            "followed by fewer of one cause beyond chance.",
        )
    rows = [
        [
            Cell(text=str(row["root_cause"]), note=f"{row['action_id']}: {row['what']}"),
            Cell(
                text=common.day(row["starts_on"]), note="" if row["named"] else "cause found by its course, not named"
            ),
            _rate(row, "before"),
            _rate(row, "quiet"),
            Cell(
                text=_a_week(row["back"]) if pd.notna(row["back"]) else "none",
                note=f"since {row['back_from']}, likely {text.number(row['back_low'], 1)} to "
                f"{text.number(row['back_high'], 1)}"
                if pd.notna(row["back"])
                else "",
            ),
            _FIXES[row["outcome"]],
        ]
        for row in found.to_dict("records")
    ]
    return Table(
        columns=[
            "Root cause",
            "Fix from",
            Column(label="Before", align="right"),
            Column(label="After the fix", align="right"),
            Column(label="Since it came back", align="right"),
            "What became of it",
        ],
        rows=rows,
        caption="Fixes of root causes",
        note=f"It fell where the first {complaints.FIRST_WEEKS} weeks after the fix have fewer than before, beyond "
        "chance, with allowance for all that are compared; it came back where a later week parts the time after "
        "into few and more, with allowance for every week tried.",
    )


def _rate(row: Mapping[str, Any], name: str) -> Cell:
    around = f"likely {text.number(row[f'{name}_low'], 1)} to {text.number(row[f'{name}_high'], 1)}"
    return Cell(text=_a_week(row[name]), note=around)


def prizes_table(results: Results) -> Table | Note:
    """Show what ending a cause is worth in a year."""
    found = results.answered("prizes")
    if found.empty:
        return Note(
            kind="paragraph",
            text="No cause came back after a fix, and no team has fewer of one than the others beyond chance, so the "
            "size of a prize cannot be said.",
        )
    currency = results.facts["currency"]
    rows = [
        [
            Cell(text=str(row["root_cause"]), note=f"brought to the level {_LEVERS[row['lever']]}"),
            f"{_a_week(row['now'])} to {_a_week(row['then'])}",
            Cell(
                text=text.number(_round(row["complaints"])),
                note=f"likely {text.number(_round(row['complaints_low']))} to "
                f"{text.number(_round(row['complaints_high']))}, n {text.number(row['n'])}",
            ),
            text.number(_round(row["contacts"])),
            "not known" if pd.isna(row["hours"]) else f"{text.number(_round(row['hours']))} h",
            "not known" if pd.isna(row["redress"]) else text.money(_round(row["redress"]), currency),
        ]
        for row in found.to_dict("records")
    ]
    return Table(
        columns=[
            "Root cause",
            "From and to",
            Column(label="Complaints", align="right"),
            Column(label="Contacts", align="right"),
            Column(label="Handling time", align="right"),
            Column(label="Redress", align="right"),
        ],
        rows=rows,
        caption="What a cause is worth in a year, if it is ended and stays so",
        note="Of recorded complaints, and of the contacts they were made in: what is not recorded, further contacts "
        "and the work of the complaints team come on top.",
    )


# --- escalations and authority --------------------------------------------------------------------------------------


def escalations_table(results: Results) -> Table | Note:
    """Show referrals by reason, and teams against the others."""
    found = results.answered("escalations")
    found = found[found["level"].isin(["centre", "team"]) & found["n"].notna()] if len(found) else found
    if found.empty:
        return Note(kind="paragraph", text="No escalations were given.")
    rows = [
        [
            Cell(text=REASONS[row["reason"]], note=wording.who(results, row)),
            text.number(row["n"]),
            wording.figure(row, "per_1000"),
            Cell(text=_hours(row["median_h"]), note=f"9 of 10 within {_hours(row['p90_h'])}"),
            Cell(
                text=text.number(row["n_open"]),
                note="" if pd.isna(row["oldest_days"]) else f"oldest {text.count(row['oldest_days'], 'day')}",
            ),
            "" if pd.isna(row["written"]) else text.value(row["written"], "share"),
            wording.against(row),
        ]
        for row in found.to_dict("records")
    ]
    return Table(
        columns=[
            "Reason",
            Column(label="Referred", align="right"),
            Column(label="Per 1,000 contacts", unit="95% interval", align="right"),
            Column(label="Time to resolve", align="right"),
            Column(label="Open", align="right"),
            Column(label="In writing", align="right"),
            "Against the others",
        ],
        rows=rows,
        caption="Escalations by reason",
        note="Fewer than the others is no praise: it may be under-escalation. Decisions without a reason of referral "
        "were made by the first owner and are not counted here.",
    )


def _hours(value: Any) -> str:
    return "not known" if pd.isna(value) else f"{text.number(float(value), 1)} h"


def escalations_chart(results: Results) -> Figure | Note:
    """Draw referrals of the edition's own unit by reason, per 1,000 contacts."""
    own = _own(results, "escalations")
    own = own[(own["reason"] != "") & own["n"].notna() & own["value"].notna()] if len(own) else own
    if own.empty:
        return Note(kind="paragraph", text="No escalations with a reason were given, or no contacts to divide them by.")
    rows = own.assign(label=[REASONS[one] for one in own["reason"]])
    most = rows.sort_values("value").iloc[-1]
    several = len(set(rows["unit"])) > 1
    return charts.intervals_chart(
        rows,
        "per_1000",
        title=f"Most referrals are for {most['label'].lower()}",
        alt=f"Referrals per 1,000 contacts by reason: "
        f"{text.listed([f'{row.label} {row.value:.1f}' for row in rows.itertuples()])}.",
        name="label",
        kind="unit" if several else "",
        heading="Reason",
    )


def authority_table(results: Results) -> Table | Note:
    """Show decisions above the limit of authority and split under it."""
    found = results.answered("authority")
    found = found[found["level"].isin(["centre", "team"]) & found["n"].notna()] if len(found) else found
    if found.empty:
        return Note(kind="paragraph", text="No decisions with an amount were given.")
    currency = results.facts["currency"]
    rows = [
        [
            wording.who(results, row),
            Cell(
                text=text.number(row["n"]), note=f"{text.number(row['unknown'])} not judged" if row["unknown"] else ""
            ),
            Cell(
                text=text.number(row["over"]),
                note=f"{text.number(row['over_own'])} of these not referred" if row["over"] else "",
            ),
            wording.figure(row),
            Cell(
                text=text.number(row["split"]),
                note=text.money(row["split_amount"], currency) + " in all" if row["split"] else "",
            ),
        ]
        for row in found.to_dict("records")
    ]
    return Table(
        columns=[
            "Unit",
            Column(label="Decisions", align="right"),
            Column(label="Above the limit", align="right"),
            Column(label="Share above", unit="95% interval", align="right"),
            Column(label="Contacts split under it", align="right"),
        ],
        rows=rows,
        caption="Limits of authority",
        note="Each decision by the limit of the role that its decider had on that day. Split: two or more by one "
        "person on one contact, each within the limit and together above it. Not judged: no role or no limit is known.",
    )


def decisions_table(results: Results) -> Table | None:
    """Show a line manager the decisions of their own people above the limit or split under it; nothing to others."""
    found = results.answered("decisions")
    if found.empty:
        return None
    currency = results.facts["currency"]
    rows = [
        [
            Cell(text=common.person(results, str(row["unit"])), note=str(row["role"])),
            Cell(text=str(row["reference"]), note="contact" if row["kind"] == "split" else "decision"),
            common.day(row["on_date"]),
            "split under the limit" if row["kind"] == "split" else "above the limit",
            f"{text.money(row['amount'], currency)} in {text.number(row['decisions'])}",
            text.money(row["limit"], currency),
        ]
        for row in found.sort_values(["unit", "kind", "on_date"], kind="stable").to_dict("records")
    ]
    return Table(
        columns=[
            "Person",
            "Reference",
            "Day",
            "What",
            Column(label="Amount", align="right"),
            Column(label="Limit", align="right"),
        ],
        rows=rows,
        caption="Decisions of your own people to ask about",
    )


def rationale_table(results: Results) -> Table | Note:
    """Show decisions and referrals without recorded reasons."""
    found = results.answered("rationale")
    found = found[found["level"].isin(["centre", "team"]) & found["n"].notna()] if len(found) else found
    if found.empty:
        return Note(kind="paragraph", text="It was not given whether reasons were recorded.")
    rows = [
        [
            wording.who(results, row),
            text.number(row["n"]),
            text.number(row["missing"]),
            wording.figure(row),
            wording.against(row),
        ]
        for row in found.to_dict("records")
    ]
    return Table(
        columns=[
            "Unit",
            Column(label="Decisions and referrals", align="right"),
            Column(label="Without reasons", align="right"),
            Column(label="Share", unit="95% interval", align="right"),
            "Against the others",
        ],
        rows=rows,
        caption="Decisions without a recorded rationale",
    )

"""The report on compliance: contacts against agreed criteria, breaches and their closing, what nothing looks at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ccanalysis import charts, text
from ccanalysis.display import Cell, Column, Figure, Item, Note, Table
from ccanalysis.questions import compliance
from ccanalysis.results import Results
from ccanalysis.views import common, wording
from ccanalysis.views.requirements import ORIGINS, STATES

# What a failed check is called, by check.
_FAILED = {
    "identity_validation": ("disclosure without validated identity", "disclosures without validated identity"),
    "recording_paused": ("card payment with recording not paused", "card payments with recording not paused"),
    "statement_compliance": ("mandatory statement not made", "mandatory statements not made"),
}
_ASKED = {
    "identity_validation": ("disclosure", "disclosures"),
    "recording_paused": ("card payment", "card payments"),
    "statement_compliance": ("required statement", "required statements"),
}
_MISSING = {
    "identity_validation": "it is not recorded whether identity was validated; they are not in the figure",
    "recording_paused": "it is not recorded whether recording was paused; that is no pause, and is told apart",
    "statement_compliance": "it is not recorded whether they were made; they are not in the figure",
}
_UNSEEN = ("nothing", "a procedure only")
_ABSENT = "Neither contacts with compliance checks nor requirements nor breaches were given."


def _checks(results: Results, level: str = "") -> pd.DataFrame:
    found = results.answered("checks")
    return found[found["level"] == level] if level and len(found) else found


def _standing_out(results: Results, level: str) -> pd.DataFrame:
    """Units that fail a check more often than their peers, beyond chance."""
    found = _checks(results, level)
    return found[found["outcome"] == "more"].sort_values("p_value", kind="stable") if len(found) else found


def _unseen(results: Results) -> pd.DataFrame:
    found = results.answered("scope")
    return found[found["monitored"].isin(_UNSEEN)] if len(found) else found


def _breaches(results: Results) -> pd.DataFrame:
    """The breaches of all requirements of the edition's own units."""
    found = results.answered("breaches")
    return wording.of_own(results, found[found["requirement_id"] == ""] if len(found) else found)


def _named(results: Results, requirement: str) -> str:
    listed = results.answered("scope")
    found = listed.loc[listed["requirement_id"] == requirement, "title"].tolist() if len(listed) else []
    return f"{found[0]} ({requirement})" if found else requirement


def _failing(row: Mapping[str, Any]) -> str:
    return text.count(row["failed"], *_FAILED[row["check"]])


def _person_sentence(results: Results, row: Mapping[str, Any]) -> str:
    one, _ = _FAILED[row["check"]]
    share = {"value": 1 - row["value"], "ci_low": 1 - row["ci_high"], "ci_high": 1 - row["ci_low"], "n": row["n"]}
    return (
        f"{wording.who(results, row)}: {one} in {wording.measured(share)} of {_ASKED[row['check']][1]}; "
        f"the others {text.value(row['others'], 'share')}."
    )


def headline(results: Results) -> str:
    """Say in one sentence what the report found."""
    people = _standing_out(results, "agent")
    if len(people):
        return _person_sentence(results, people.iloc[0].to_dict())
    teams, unseen = _standing_out(results, "team"), _unseen(results)
    if len(teams):
        row = teams.iloc[0].to_dict()
        return f"{row['name']}: {row['unit']} fails more often than the other {common.word(results, 'team', 2)}."
    if (unseen["monitored"] == "nothing").any() if len(unseen) else False:
        return f"Nothing looks at {_names(unseen[unseen['monitored'] == 'nothing'])}."
    own = wording.of_own(results, _checks(results))
    if len(own):
        row = own.iloc[0].to_dict()
        return f"{row['name']}: {wording.measured(row)}."
    found = _breaches(results)
    return f"{text.count(found['n'].sum(), 'breach', 'breaches')} found." if len(found) else _ABSENT


def _listed(results: Results, requirements: list[str]) -> str:
    return text.listed([_named(results, one) for one in requirements])


def _names(rows: pd.DataFrame) -> str:
    return text.listed([f"{row.title} ({row.requirement_id})" for row in rows.itertuples()])


def lead(results: Results) -> Note:
    """Say in a few sentences how contacts stand against what is required, and what nothing looks at."""
    said = []
    people, teams = _standing_out(results, "agent"), _standing_out(results, "team")
    for row in wording.of_own(results, _checks(results)).to_dict("records"):
        if pd.isna(row["n"]):
            continue
        where = "" if row["level"] == "centre" else f" at {row['unit']}"
        said.append(f"{row['name']}{where}: {wording.measured(row)}; {_failing(row)}.")
        if len(people):
            out = people[people["check"] == row["check"]]
            said += [_person_sentence(results, one) for one in out.to_dict("records")]
        elif len(teams) and row["level"] == "centre":
            said += [
                f"{one['unit']} fails it more often than the other {common.word(results, 'team', 2)} "
                f"({text.value(one['value'], 'share')} fulfilled against {text.value(1 - one['others'], 'share')})."
                for one in teams[teams["check"] == row["check"]].to_dict("records")
            ]
    said += [
        f"{row['criterion']} ({', '.join(row['requirements'])}): evaluators find it in "
        f"{wording.measured(row, of='evaluations')}."
        for row in _mostly_failed(results)
    ]
    for row in _breaches(results).to_dict("records"):
        said.append(_breaches_sentence(results, row))
    unseen = _unseen(results)
    nothing = unseen[unseen["monitored"] == "nothing"] if len(unseen) else unseen
    if len(nothing):
        said.append(f"Nothing looks at {_names(nothing)}: no procedure, criterion or KPI is named.")
    return Note(kind="lead", text=" ".join(said) or _ABSENT)


def _mostly_failed(results: Results) -> list[dict[str, Any]]:
    """The criteria that are missed more often than met, beyond chance, each with the requirements that name it."""
    found = results.answered("criteria")
    if found.empty:
        return []
    low = found[found["ci_high"] < 0.5]
    return [
        part.iloc[0].to_dict() | {"requirements": part["requirement_id"].tolist()}
        for _, part in low.groupby("criterion", sort=True)
    ]


def _breaches_sentence(results: Results, row: Mapping[str, Any]) -> str:
    where = "" if row["level"] == "centre" else f" at {row['unit']}"
    if pd.isna(row["n"]):
        return f"Breaches{where}: few, and so not shown."
    opened = f"{text.number(row['n_open'])} open" if row["n_open"] else "none open"
    longer = text.number(row["n_late"]) if row["n_late"] else "none"
    late = f", {longer} for longer than {compliance.CLOSURE_DAYS} days" if row["n_open"] else ""
    return f"{text.count(row['n'], 'breach', 'breaches')} found{where}, {opened}{late}."


def to_do(results: Results) -> Note:
    """Recommend what to do on Monday, the gravest first."""
    items = []
    for row in _standing_out(results, "agent").to_dict("records"):
        recent = (
            f"In the last {compliance.RECENT_WEEKS} weeks {text.number(row['recent_failed'])} of "
            f"{text.number(row['recent_n'])}. "
        )
        items.append(
            Item(
                text=f"Go through single contacts with {wording.who(results, row)}: {row['name'].lower()}.",
                detail=f"{_person_sentence(results, row)} {recent}Look for what stands in the way before you judge: "
                "system, procedure, or habit. Agree what changes, and look again in four weeks.",
            )
        )
    if results.facts.get("audience") != "line_manager":
        items += [
            Item(
                text=f"Ask the line manager of {row['unit']} what lies behind it: {row['name'].lower()}.",
                detail=f"{_failing(row).capitalize()} of {text.number(row['n'])}. The line manager sees single "
                "contacts; the figure does not say that all of the team is careless.",
            )
            for row in _standing_out(results, "team").to_dict("records")
        ]
    items += [
        Item(
            text=f"Mend '{row['criterion']}': it is met in {text.value(row['value'], 'share')} of evaluations.",
            detail=f"{wording.measured(row, of='evaluations')}. It is what shows "
            f"{_listed(results, row['requirements'])}.",
        )
        for row in _mostly_failed(results)
    ]
    items += _about_breaches(results)
    items += _about_logging(results)
    items += _about_scope(results)
    if not items:
        return Note(kind="paragraph", text="Nothing to do: nothing stands out, and every requirement is looked at.")
    return Note(kind="list", title="What to do", items=items)


def _about_breaches(results: Results) -> list[Item]:
    items = [
        Item(
            text=f"Close {text.count(row['n_late'], 'breach', 'breaches')} open for longer than "
            f"{compliance.CLOSURE_DAYS} days.",
            detail=f"The oldest for {text.count(row['oldest_days'], 'day')}.",
        )
        for row in _breaches(results).to_dict("records")
        if pd.notna(row["n"]) and row["n_late"]
    ]
    done = results.answered("actions")
    light = (
        done[(done["severity"] == "critical") & done["action"].str.casefold().isin(["reminded", "not recorded"])]
        if len(done)
        else done
    )
    if len(light) and results.facts.get("audience") != "line_manager":
        whole = done.loc[done["severity"] == "critical", "n"].sum()
        items.append(
            Item(
                text=f"Look again at {text.number(light['n'].sum())} of "
                f"{text.count(whole, 'critical breach', 'critical breaches')}: "
                f"the action was {text.listed([one.lower() for one in light['action']])}.",
                detail="Ask whether a reminder is enough for what is called critical.",
            )
        )
    return items


def _about_logging(results: Results) -> list[Item]:
    items = []
    for row in results.answered("logged").to_dict("records"):
        if row["level"] != "centre" or row["logged"] == row["n"]:
            continue
        items.append(
            Item(
                text=f"Log every breach: of {text.count(row['n'], *_FAILED[row['check']])} "
                f"{text.number(row['logged'])} are logged.",
                detail=f"{wording.measured(row)}. Whether one of the others is to be reported is for whoever answers "
                "for data protection to say; they cannot while it is not logged.",
            )
        )
    return items if results.facts.get("audience") != "line_manager" else []


def _about_scope(results: Results) -> list[Item]:
    if results.facts.get("audience") == "line_manager":
        return []
    items, unseen = [], _unseen(results)
    for row in unseen.to_dict("records") if len(unseen) else []:
        if row["monitored"] == "nothing":
            title = f"{row['title']} ({row['requirement_id']})"
            items.append(
                Item(
                    text=f"Decide how {title} is fulfilled and what looks at it.",
                    detail="No procedure, evaluation criterion, KPI, check of contacts or breach is known of it.",
                )
            )
    only = unseen[unseen["monitored"] == "a procedure only"] if len(unseen) else unseen
    if len(only):
        items.append(
            Item(
                text=f"Name a criterion or a KPI for {text.listed([str(one) for one in only['requirement_id']])}.",
                detail="A procedure is named, and nothing shows whether it is followed. Where a KPI of the register "
                "measures it, write its name into the table of requirements.",
            )
        )
    listed = results.answered("scope")
    if len(listed):
        unsure = listed[listed["state"].isin(["in force", "new"]) & ~_verified(listed)]
        if len(unsure):
            names = text.listed([str(one) for one in unsure["requirement_id"]])
            items.append(Item(text=f"Check the citation of {names} at its source; it is not verified."))
    return items


# --- contacts -------------------------------------------------------------------------------------------------------


def checks_table(results: Results) -> Table | Note:
    """Show every check with its requirement, what failed and what is not recorded, for the edition's own units."""
    own = wording.of_own(results, _checks(results))
    if own.empty:
        return Note(
            kind="paragraph", text="No check of contacts was given: neither identity, recording nor statements."
        )
    rows = [
        [
            Cell(text=str(row["name"]), note="" if row["level"] == "centre" else str(row["unit"])),
            _requirement(results, str(row["requirement_id"])),
            wording.count(row["n"]),
            wording.count(row["failed"]),
            wording.count(row["missing"]),
            wording.figure(row),
        ]
        for row in own.to_dict("records")
    ]
    return Table(
        columns=[
            "Check",
            "Requirement",
            Column(label="Asked", align="right"),
            Column(label="Failed", align="right"),
            Column(label="Not recorded", align="right"),
            Column(label="Fulfilled", unit="95% interval", align="right"),
        ],
        rows=rows,
        caption="Contacts against what is required",
        note="Every one is required, so the aim is 100%. Contacts of days on which the requirement is not in force are "
        "not counted.",
    )


def _requirement(results: Results, requirement: str) -> Cell:
    listed = results.answered("scope")
    found = listed[listed["requirement_id"] == requirement] if len(listed) and requirement else listed.iloc[:0]
    if found.empty:
        return Cell(text="none is named", note="the check is shown for itself")
    row = found.iloc[0]
    marks = [ORIGINS.get(row["origin"], str(row["origin"])), _given(row["objective"]), _citation(row)]
    return Cell(text=requirement, note=", ".join(filter(None, marks)))


def _citation(row: Mapping[str, Any]) -> str:
    source = row["source"] if isinstance(row["source"], str) else ""
    checked = not pd.isna(row["verified"]) and bool(row["verified"])
    return (source or "no citation") + ("" if checked else ", not verified")


def missing_note(results: Results) -> Note | None:
    """Say what is not recorded: it is neither a pass nor, without a word, a failure."""
    own = wording.of_own(results, _checks(results))
    items = [
        Item(
            text=f"{row['name']}: of {text.count(row['missing'], *_ASKED[row['check']])} {_MISSING[row['check']]}.",
        )
        for row in own.to_dict("records")
        if pd.notna(row["missing"]) and row["missing"]
    ]
    given = set(own["check"]) if len(own) else set()
    items += [
        Item(text=f"{check.name}: no contact carries it, so nothing is said of it.")
        for check in compliance.CHECKS
        if check.key not in given
    ]
    return Note(kind="list", title="Not recorded", items=items) if items else None


def units_chart(results: Results) -> list[Figure]:
    """Draw each check by team, with intervals; people, to their own line manager."""
    drawn = []
    people = _checks(results, "agent")
    level = "agent" if len(people) else "team"
    for check, part in _checks(results, level).groupby("check", sort=False):
        rows = part[part["n"].notna() & part["value"].notna()]
        if rows.empty:
            continue
        rows = _in_order(rows.assign(unit_name=[common.called(results, level, str(unit)) for unit in rows["unit"]]))
        out = rows.loc[rows["outcome"] == "more", "unit_name"].tolist()
        what = str(rows["name"].iloc[0])
        seen = f"no {common.word(results, level)} differs by more than chance"
        if (rows["outcome"] == "cannot tell").all():
            seen = "too few cases to tell anybody apart"
        elif out:
            seen = f"{text.listed(out)} fails more often than the others"
        whole = _checks(results, "centre")
        average = whole.loc[whole["check"] == check, "value"]
        drawn.append(
            charts.intervals_chart(
                rows,
                "share",
                title=f"{what}: {seen}",
                alt=f"{what} by {common.word(results, level)}, with 95% intervals; {seen}.",
                name="unit_name",
                heading=common.word(results, level).capitalize(),
                reference=float(average.iloc[0]) if len(average) else None,
                reference_name="centre",
            )
        )
    return drawn


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Put first what stands out, and the rest by name: an order by values that differ by chance would be a ranking."""
    return rows.sort_values("unit", kind="stable").sort_values(
        "outcome", kind="stable", key=lambda outcomes: outcomes != "more"
    )


def people_table(results: Results) -> Table | None:
    """Show a line manager their own people's checks; nothing where the edition has no people."""
    people = _checks(results, "agent")
    if people.empty:
        return None
    people = pd.concat([_in_order(part) for _, part in people.groupby("check", sort=False)])
    rows = [
        [
            common.person(results, str(row["unit"])),
            str(row["name"]),
            text.number(row["n"]),
            text.number(row["failed"]),
            wording.figure(row),
            f"{text.number(row['recent_failed'])} of {text.number(row['recent_n'])}",
            wording.against(row),
        ]
        for row in people.to_dict("records")
    ]
    return Table(
        columns=[
            "Person",
            "Check",
            Column(label="Asked", align="right"),
            Column(label="Failed", align="right"),
            Column(label="Fulfilled", unit="95% interval", align="right"),
            Column(label=f"Failed in the last {compliance.RECENT_WEEKS} weeks", align="right"),
            "Against colleagues",
        ],
        rows=rows,
        caption="Your own people",
        note="Held against everybody's at the centre, with allowance for how many are compared. 'Cannot tell' names "
        "the number from which four times the others' failures would be found.",
    )


def cases_table(results: Results, *, most: int = 40) -> Table | None:
    """Show a line manager the open, critical and repeated breaches of their own people; nothing to others."""
    found = results.answered("cases")
    if found.empty:
        return None
    told = found[found["open"].astype(bool) | (found["severity"] == "critical") | found["repeat"].astype(bool)]
    rows = [
        [
            Cell(text=common.person(results, str(row["unit"])), note=str(row["breach"])),
            str(row["requirement_id"]),
            common.day(row["found_on"]),
            str(row["severity"] or ""),
            str(row["action"] or "not recorded"),
            f"{'open for' if row['open'] else 'closed after'} {text.count(row['days'], 'day')}",
            "yes" if row["repeat"] else "no",
        ]
        for row in told.head(most).to_dict("records")
    ]
    return Table(
        columns=["Person", "Requirement", "Found", "Severity", "Action", "State", "Repeat"],
        rows=rows,
        caption="Open, critical and repeated breaches of your own people",
        note=f"The latest {min(most, len(told))} of {len(told)}. A repeat follows one of the same person and "
        f"requirement within {compliance.REPEAT_DAYS} days.",
    )


# --- criteria -------------------------------------------------------------------------------------------------------


def criteria_table(results: Results) -> Table | Note:
    """Show what evaluations say of each requirement that names a criterion."""
    found = results.answered("criteria")
    if found.empty:
        return Note(kind="paragraph", text="No requirement names a criterion that evaluations of the window have.")
    listed = results.answered("scope").drop_duplicates("requirement_id", keep="last").set_index("requirement_id")
    rows = [
        [
            Cell(
                text=_named(results, str(row["requirement_id"])),
                note=ORIGINS.get(listed.loc[row["requirement_id"], "origin"], ""),
            ),
            Cell(
                text=str(row["criterion"]),
                note="also the criterion of another requirement" if listed.loc[row["requirement_id"], "shared"] else "",
            ),
            text.number(row["n"]),
            wording.figure(row),
            text.number(row["errors"]),
        ]
        for row in found.to_dict("records")
    ]
    return Table(
        columns=[
            "Requirement",
            "Criterion",
            Column(label="Evaluations", align="right"),
            Column(label="Points of those possible", unit="95% interval", align="right"),
            Column(label="Critical errors of compliance", align="right"),
        ],
        rows=rows,
        caption="What evaluations say of requirements",
        note="Call monitoring alone, on the days on which the requirement is in force. A criterion that serves two "
        "requirements cannot tell them apart.",
    )


# --- breaches -------------------------------------------------------------------------------------------------------


def breaches_table(results: Results) -> Table | Note:
    """Show breaches by requirement and unit: severity, closing in time, open ones, repeats."""
    found = results.answered("breaches")
    if found.empty:
        return Note(kind="paragraph", text="No breach was found in the window, or none was given.")
    found = found[found["level"].isin(["centre", "team"]) & found["n"].notna()]
    found = found.sort_values(["requirement_id", "level", "unit"])
    rows = [
        [
            Cell(
                text="All requirements" if not row["requirement_id"] else _named(results, str(row["requirement_id"])),
                note="the centre" if row["level"] == "centre" else str(row["unit"]),
            ),
            wording.count(row["n"]),
            " / ".join(wording.count(row[one]) for one in ("critical", "major", "minor"))
            if pd.notna(row["n"])
            else "not shown",
            wording.figure(row),
            Cell(
                text=wording.count(row["n_open"]),
                note="" if pd.isna(row["oldest_days"]) else f"oldest {text.count(row['oldest_days'], 'day')}",
            ),
            Cell(text=wording.count(row["n_repeats"]), note=_share(row["repeat_share"])),
        ]
        for row in found.to_dict("records")
    ]
    return Table(
        columns=[
            "Requirement",
            Column(label="Breaches", align="right"),
            Column(label="Critical / major / minor", align="right"),
            Column(label=f"Closed within {compliance.CLOSURE_DAYS} days", unit="95% interval", align="right"),
            Column(label="Open", align="right"),
            Column(label="Repeats", align="right"),
        ],
        rows=rows,
        caption="Breaches",
        note=f"Closed within {compliance.CLOSURE_DAYS} days: of those closed and those open for longer; a young open "
        "one is not judged. Rows of few cases are not shown. A repeat follows one of the same person and requirement "
        f"within {compliance.REPEAT_DAYS} days.",
    )


def _share(value: Any) -> str:
    return "" if pd.isna(value) else text.value(float(value), "share")


def ageing_chart(results: Results) -> Figure | Note:
    """Draw how long open breaches of the centre have been open."""
    found = results.answered("ageing")
    whole = found["n"].sum() if len(found) else 0
    if not whole:
        return Note(kind="paragraph", text="No breach is open.")
    late = found["n"].iloc[-1]
    opened = text.count(whole, "breach", "breaches")
    title = f"{opened} of the centre open, {text.number(late) if late else 'none'} over the limit"
    return charts.bars_chart(
        found,
        "count",
        title=title,
        alt=f"Open breaches by age: {text.listed([f'{row.n:.0f} {row.band}' for row in found.itertuples()])}.",
        name="band",
        bars={"n": "breaches"},
        heading="Open for",
    )


def actions_table(results: Results) -> Table | None:
    """Show what was done, by severity; nothing where no action is recorded."""
    done = results.answered("actions")
    if done.empty:
        return None
    wide = done.pivot_table(index="action", columns="severity", values="n", fill_value=0, aggfunc="sum")
    kinds = [one for one in ("critical", "major", "minor") if one in wide]
    rows = [[str(action), *(text.number(row[kind]) for kind in kinds)] for action, row in wide.iterrows()]
    return Table(
        columns=["Action", *(Column(label=kind.capitalize(), align="right") for kind in kinds)],
        rows=rows,
        caption="What was done about breaches of the centre, by severity",
    )


def weeks_chart(results: Results) -> Figure | Note:
    """Draw the weekly course of the checks of the centre."""
    found = results.answered("weeks")
    lines = {check.key: check.name for check in compliance.CHECKS if len(found) and found[check.key].notna().any()}
    if not lines:
        return Note(kind="paragraph", text="No check of contacts was given.")
    low = {name: float(found[key].min()) for key, name in lines.items()}
    seen = text.listed([f"{name.lower()} never below {text.value(value, 'share')}" for name, value in low.items()])
    return charts.courses_chart(
        found.rename(columns={"week": "period"}),
        "share",
        title="Checks of contacts by week, the centre",
        alt=f"Weekly shares of contacts that fulfil each check: {seen}.",
        lines=lines,
    )


# --- scope ----------------------------------------------------------------------------------------------------------


def scope_note(results: Results) -> Note:
    """Say which requirements nothing looks at, and which judge nothing."""
    listed = results.answered("scope")
    if listed.empty:
        return Note(kind="paragraph", text="No requirements were given, so it cannot be said what is not looked at.")
    items = []
    for row in listed.to_dict("records"):
        title = f"{row['title']} ({row['requirement_id']})"
        if row["monitored"] == "nothing":
            items.append(
                Item(text=f"{title}: monitored by nothing.", detail="Neither procedure nor criterion nor KPI.")
            )
        elif row["monitored"] == "a procedure only":
            items.append(Item(text=f"{title}: a procedure is named, and nothing looks at whether it is followed."))
        elif row["state"] in ("expired", "not yet in force"):
            when = (
                f"until {common.day(row['valid_to'])}"
                if row["state"] == "expired"
                else f"from {common.day(row['valid_from'])}"
            )
            items.append(Item(text=f"{title}: {STATES[row['state']]} ({when}); it judges nothing of this window."))
    unjudged = results.answered("unjudged")
    items += [
        Item(
            text=f"{text.count(row.n, 'breach is', 'breaches are')} logged against "
            f"{_named(results, str(row.requirement_id))} on days on which it was not in force; not judged."
        )
        for row in unjudged.itertuples()
    ]
    if not items:
        return Note(kind="paragraph", text="Every requirement is in force and looked at.")
    return Note(kind="list", items=items)


def origins_table(results: Results) -> Table | Note:
    """Show by origin how many requirements are in force, how many are looked at, and the breaches found."""
    listed = results.answered("scope")
    listed = listed[listed["monitored"] != ""] if len(listed) else listed
    if listed.empty:
        return Note(kind="paragraph", text="No requirement in force was given.")
    rows = []
    for origin, part in listed.groupby("origin", sort=True):
        unseen = part[part["monitored"].isin(_UNSEEN)]
        rows.append(
            [
                ORIGINS.get(str(origin), str(origin)).capitalize(),
                text.number(len(part)),
                text.number(len(part) - len(unseen)),
                ", ".join(unseen["requirement_id"].astype(str)) or "none",
                text.number(part["n_breaches"].sum()),
                ", ".join(part.loc[~_verified(part), "requirement_id"].astype(str)) or "none",
            ]
        )
    return Table(
        columns=[
            "Origin",
            Column(label="In force", align="right"),
            Column(label="Looked at", align="right"),
            "Not looked at",
            Column(label="Breaches", align="right"),
            "Citation not verified",
        ],
        rows=rows,
        caption="Requirements by origin, the centre",
    )


def _verified(rows: pd.DataFrame) -> pd.Series:
    return rows["verified"].map(lambda one: not pd.isna(one) and bool(one)).astype(bool)


def scope_table(results: Results) -> Table | Note:
    """Show each requirement with its policy objective, procedure, criterion and KPI, and what looks at it."""
    listed = results.answered("scope")
    if listed.empty:
        return Note(kind="paragraph", text="No requirements were given.")
    rows = [
        [
            Cell(text=str(row["title"]), note=f"{row['requirement_id']}, {ORIGINS.get(row['origin'], row['origin'])}"),
            _given(row["objective"]),
            _given(row["procedure"]),
            Cell(
                text=_given(row["criterion"]),
                note=text.count(row["n_evaluations"], "evaluation") if isinstance(row["criterion"], str) else "",
            ),
            _given(row["kpi"]),
            Cell(
                text=(row["monitored"] or STATES[row["state"]]).capitalize(),
                note=str(row["check"]) or (f"{row['n_breaches']:.0f} breaches" if row["n_breaches"] else ""),
            ),
            Cell(text=_citation(row), note=_days(row)),
        ]
        for row in listed.to_dict("records")
    ]
    return Table(
        columns=["Requirement", "Policy objective", "Procedure", "Criterion", "KPI", "Looked at by", "Citation"],
        rows=rows,
        caption="Requirements and what looks at them",
    )


def _given(value: Any) -> str:
    return value if isinstance(value, str) and value else "none"


def _days(row: Mapping[str, Any]) -> str:
    begin, end = common.day(row["valid_from"]), common.day(row["valid_to"])
    return f"{begin} to {end}" if end else f"from {begin}"

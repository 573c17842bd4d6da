"""The report on channels: what each medium costs and is good for, like for like, and what moving reasons would save."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ccanalysis import charts, text
from ccanalysis.display import Cell, Column, Figure, Item, Note, Table
from ccanalysis.periods import Period
from ccanalysis.questions import channels
from ccanalysis.results import Results
from ccanalysis.workspace import WEEKDAYS

_NAMES = {"email": "e-mail", "sms": "text message", "social": "social media"}
_DAYS = dict(
    zip(WEEKDAYS, ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"), strict=False)
)
_STATES = {
    "begins before the data": "not whole: the data begin within it",
    "not ended": "not whole: it is not over, or not closed",
    "no costs": "no costs were given",
    "not fit": "contacts are not fit in {why}, so what a contact cost is at most this much",
}
_NO_COSTS = "No costs were given for a whole month, so what a channel costs cannot be said."
_NO_MATTERS = "Contacts do not name customers and reasons, so who came back about the same reason cannot be told."


def _name(channel: Any) -> str:
    return _NAMES.get(str(channel), str(channel))


def _month(label: str) -> str:
    return f"{pd.Timestamp(Period.parse(label).start):%B %Y}"


def _currency(results: Results) -> str:
    return str(results.facts["currency"])


def _price(results: Results, amount: float) -> str:
    return text.price(amount, _currency(results))


def _between(results: Results, low: float, high: float) -> str:
    return "" if pd.isna(low) or pd.isna(high) else f"likely {_price(results, low)} to {_price(results, high)}"


def _ranked(results: Results) -> tuple[pd.DataFrame, str]:
    """The channels by what a settled matter costs, the cheapest first; by contacts where matters are not known."""
    found = results.answered("channels")
    if found.empty:
        return found, "per_matter"
    by = "per_matter" if found["per_matter"].notna().any() else "per_contact"
    return found[found[by].notna()].sort_values(by, kind="stable"), by


def _ends(by: str) -> tuple[str, str]:
    return ("matter_low", "matter_high") if by == "per_matter" else ("per_contact", "per_contact")


def _cheapest(results: Results) -> str:
    """Say which channel costs least, and whether that is more than chance."""
    found, by = _ranked(results)
    if found.empty:
        return _NO_COSTS
    thing = "matter, with every return about it," if by == "per_matter" else "contact"
    first = found.iloc[0]
    if len(found) == 1:
        return f"A {thing} costs {_price(results, first[by])} by {_name(first['unit'])}, the one channel with costs."
    low, high = _ends(by)
    others = text.listed(
        [f"{_price(results, row[by])} by {_name(row['unit'])}" for _, row in found.iloc[1:].iterrows()]
    )
    if first[high] > found.iloc[1:][low].min():
        return (
            f"Which channel is cheapest cannot be told: a {thing} costs {_price(results, first[by])} by "
            f"{_name(first['unit'])} and {others}, and the difference could be chance."
        )
    return f"A {thing} costs least by {_name(first['unit'])}: {_price(results, first[by])}, against {others}."


def headline(results: Results) -> str:
    """Say in one sentence what the report found."""
    return _cheapest(results)


def lead(results: Results) -> Note:
    """Say in a few sentences which channel costs least, in which months, and what it is as good at as the others."""
    found, _ = _ranked(results)
    if found.empty:
        return Note(kind="lead", text=_cheapest(results))
    sentences = [_cheapest(results)]
    first = str(found.iloc[0]["unit"])
    months = results.answered("by_month")
    column = "per_resolved" if months["per_resolved"].notna().any() else "per_contact"
    whole = months[months["state"] == "whole"]
    least = whole.loc[whole.groupby("month")[column].idxmin(), "unit"] if len(whole) else whole["unit"]
    what = "a contact recorded as resolved" if column == "per_resolved" else "a contact"
    if len(found) > 1 and len(least):
        always = f"in each of {text.count(len(least), 'whole month')}"
        often = always if (least == first).all() else f"in {int((least == first).sum())} of {len(least)} whole months"
        sentences.append(f"For {what} it is the cheapest {often}.")
    judged = results.answered("benefits")
    own = judged[judged["unit"] == first] if len(judged) and len(found) > 1 else judged.iloc[:0]
    for verdict, words in (
        ("worse", "Like for like it does worse than all channels together on"),
        ("better", "better"),
    ):
        named = own.loc[own["verdict"] == verdict, "measure"].tolist() if len(own) else []
        if named:
            start = words if verdict == "worse" else "Like for like it does better than all channels together on"
            sentences.append(f"{start} {text.listed([_lower(name) for name in named])}.")
    best = _worth(results)
    if len(best):
        row = best.iloc[0].to_dict()
        sentences.append(f"Most would be saved by {_moving(row)}: {_saving(results, row)}.")
    return Note(kind="lead", text=" ".join(sentences))


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]


def _worth(results: Results) -> pd.DataFrame:
    """The move of each reason that saves most for certain and does not make customers come back more, best first."""
    found = results.answered("moves")
    if found.empty:
        return found
    safe = found[(found["outcome"] == "saves") & ~(found["returns_low"] > 0)]
    return safe.sort_values("saving_low", ascending=False).groupby("unit", sort=False).head(1)


def _moving(row: Mapping[str, Any]) -> str:
    return f"moving {row['unit']} from {_name(row['from_channel'])} to {_name(row['to_channel'])}"


def _saving(results: Results, row: Mapping[str, Any]) -> str:
    low, high = (text.money(row[end], _currency(results)) for end in ("saving_low", "saving_high"))
    return f"up to {text.money(row['saving'], _currency(results))} a month if all moved (likely {low} to {high})"


def to_do(results: Results) -> Note:
    """Recommend which reason to try on another channel, and which data to mend."""
    items = []
    for row in _worth(results).head(3).to_dict("records"):
        tenth = text.money(row["saving"] / 10, _currency(results))
        staff = text.money(row["saving_staff"] / 10, _currency(results))
        items.append(
            Item(
                text=f"Offer {_name(row['to_channel'])} first for a tenth of {row['unit']} contacts that begin by "
                f"{_name(row['from_channel'])}, for four weeks.",
                detail=f"About {tenth} a month, of which {staff} are staff time that must really be saved. Stop if "
                "more of these customers come back than before.",
            )
        )
    months = results.answered("months")
    unfit = months[months["state"] == "not fit"].to_dict("records") if len(months) else []
    items += [
        Item(text=f"Have the contacts of {row['why']} delivered again; {_month(row['month'])} is not whole.")
        for row in unfit
    ]
    if len(months) and (months["state"] == "no costs").any():
        lacking = [_month(month) for month in months.loc[months["state"] == "no costs", "month"]]
        items.append(Item(text=f"Ask finance for the costs of {text.listed(lacking)}."))
    found = results.answered("channels")
    if len(found) and not found["n_matters"].sum():
        items.append(Item(text="Have customer and reason recorded with each contact.", detail=_NO_MATTERS))
    if not items:
        return Note(kind="paragraph", text="Nothing to do: no move of a reason saves more than chance.")
    return Note(kind="list", title="What to do", items=items)


def months_note(results: Results) -> Note:
    """Say which months figures are given for, and why not for the others."""
    months = results.answered("months")
    if months.empty:
        return Note(kind="paragraph", text="There are no contacts, so there is no month to give a cost of.")
    whole = [_month(month) for month in months.loc[months["state"] == "whole", "month"]]
    items = [Item(text=f"Given: {text.listed(whole)}." if whole else "No month is whole and has costs.")]
    for row in months[months["state"] != "whole"].to_dict("records"):
        why = _STATES[row["state"]].format(why=row["why"])
        kind = "Given as an upper end only" if row["given"] else "Not given"
        items.append(Item(text=f"{kind}: {_month(row['month'])}, {why}."))
    return Note(kind="list", items=items)


def cost_chart(results: Results) -> Figure | Note:
    """Draw what a settled matter costs by the channel that it began on."""
    found, by = _ranked(results)
    if found.empty:
        return Note(kind="paragraph", text=_NO_COSTS)
    low, high = _ends(by)
    n = "n_matters" if by == "per_matter" else "n"
    rows = found.assign(
        name=found["unit"].map(_name), value=found[by], ci_low=found[low], ci_high=found[high], n=found[n]
    )
    what = "a settled matter" if by == "per_matter" else "a contact"
    return charts.intervals_chart(
        rows,
        "money",
        title=f"What {what} costs, {_currency(results)}",
        alt=_cheapest(results),
        heading="Channel it began on" if by == "per_matter" else "Channel",
    )


def costs_table(results: Results) -> Table | Note:
    """Show per channel what contacts, those recorded as resolved and settled matters cost, all months together."""
    found, _ = _ranked(results)
    if found.empty:
        return Note(kind="paragraph", text=_NO_COSTS)
    rows = [
        [
            _name(row["unit"]),
            Cell(
                text=_price(results, row["per_contact"]),
                note=f"{text.money(row['amount'], _currency(results))} over {text.number(row['n'])} contacts",
            ),
            Cell(
                text=_price(results, row["per_resolved"]),
                note=_between(results, row["resolved_low"], row["resolved_high"]),
            ),
            Cell(
                text=_price(results, row["per_matter"]),
                note=f"{_between(results, row['matter_low'], row['matter_high'])}, n {text.number(row['n_matters'])}"
                if row["n_matters"]
                else "",
            ),
            Cell(text=text.value(row["returned"], "share"), note=_shares(row, "returned")),
            Cell(text=text.value(row["hopped"], "share"), note=_shares(row, "hopped")),
        ]
        for row in found.to_dict("records")
    ]
    timed = found["timed"].astype(bool).all()
    shared = "Staff costs are shared out by handling time, others by contact." if timed else "Costs are shared equally."
    return Table(
        columns=[
            "Channel",
            *(
                Column(label=label, align="right")
                for label in (
                    "A contact",
                    "A contact recorded as resolved",
                    "A settled matter",
                    "Came back",
                    "Came back elsewhere",
                )
            ),
        ],
        rows=rows,
        caption="Costs of all whole months together",
        note=f"A matter is all contacts of a customer about one reason with at most {channels.RETURNS_WITHIN} days "
        f"between them, and stands with the channel that it began on. {shared}",
    )


def _shares(row: Mapping[str, Any], name: str) -> str:
    return text.interval({"ci_low": row[f"{name}_low"], "ci_high": row[f"{name}_high"], "unit_of_value": "share"})


def course(results: Results) -> Figure | Note:
    """Draw month by month what a contact recorded as resolved costs; months that are not whole are gaps."""
    months = results.answered("by_month")
    if months.empty:
        return Note(kind="paragraph", text=_NO_COSTS)
    column = "per_resolved" if months["per_resolved"].notna().any() else "per_contact"
    what = "a contact recorded as resolved" if column == "per_resolved" else "a contact"
    whole = months.assign(value=months[column].where(months["state"] == "whole"))
    wide = whole.pivot_table(index="month", columns="unit", values="value", dropna=False, sort=True).reset_index()
    wide = wide.rename(columns={"month": "period"})
    lines = {unit: _name(unit) for unit in wide.columns if unit != "period"}
    return charts.courses_chart(
        wide,
        "money",
        title=f"What {what} costs month by month, {_currency(results)}",
        alt=lead(results).text[0],
        lines=dict(list(lines.items())[:6]),
    )


def by_month_table(results: Results) -> Table | Note:
    """Show each month's costs per channel; figures of a month whose contacts are not whole are upper ends."""
    months = results.answered("by_month")
    if months.empty:
        return Note(kind="paragraph", text=_NO_COSTS)
    rows = []
    for row in months.to_dict("records"):
        most = "at most " if row["state"] != "whole" else ""
        matter = "not given" if pd.isna(row["per_matter"]) else _price(results, row["per_matter"])
        resolved = "not recorded" if pd.isna(row["per_resolved"]) else f"{most}{_price(results, row['per_resolved'])}"
        rows.append(
            [
                _month(row["month"]),
                _name(row["unit"]),
                text.money(row["amount"], _currency(results)),
                Cell(text=f"{most}{_price(results, row['per_contact'])}", note=f"n {text.number(row['n'])}"),
                Cell(text=resolved, note=_between(results, row["resolved_low"], row["resolved_high"])),
                Cell(text=matter, note=_between(results, row["matter_low"], row["matter_high"])),
            ]
        )
    labels = ("Costs", "A contact", "A contact recorded as resolved", "A settled matter")
    return Table(
        columns=["Month", "Channel", *(Column(label=label, align="right") for label in labels)],
        rows=rows,
        caption="Costs month by month",
    )


def returns_table(results: Results) -> Table | Note:
    """Show where customers went who came back about the same reason."""
    found = results.answered("hops")
    if found.empty:
        return Note(kind="paragraph", text=_NO_MATTERS)
    rows = [
        [
            _name(row["unit"]),
            _name(row["to"]),
            text.number(row["n"]),
            Cell(text=text.value(row["share"], "share"), note=text.interval({**row, "unit_of_value": "share"})),
        ]
        for row in found.to_dict("records")
    ]
    return Table(
        columns=["Began by", "Came back by", Column(label="n", align="right"), Column(label="Of all", align="right")],
        rows=rows,
        caption="Where customers came back",
    )


def benefits_chart(results: Results) -> Figure | Note:
    """Draw the shares that tell what a channel is good for, at the centre's mix of reasons."""
    found = results.answered("benefits")
    shown = found[(found["unit_of_value"] == "share") & (found["better"] == "up")] if len(found) else found
    shown = shown[shown["adjusted"].notna()] if len(shown) else shown
    if shown.empty:
        return Note(kind="paragraph", text="No channel has cases enough to be compared.")
    rows = shown.assign(value=shown["adjusted"], name=shown["measure"], channel=shown["unit"].map(_name))
    differs = shown[shown["verdict"].isin(["better", "worse"])]
    said = [f"{_name(row['unit'])} {row['verdict']} on {_lower(row['measure'])}" for row in differs.to_dict("records")]
    finding = f"What differs by more than chance: {text.listed(said)}." if said else "None differs by more than chance."
    return charts.intervals_chart(
        rows,
        "share",
        title="The channels on the same mix of reasons",
        alt=finding,
        kind="channel",
        heading="Measure",
    )


def benefits_table(results: Results) -> Table | Note:
    """Show each measure per channel, as it is and at the same mix of reasons, and whether it differs."""
    found = results.answered("benefits")
    if found.empty:
        return Note(kind="paragraph", text="No contacts were given.")
    rows = []
    for row in found.to_dict("records"):
        unit = row["unit_of_value"]
        told = pd.notna(row["adjusted"])
        rows.append(
            [
                str(row["measure"]),
                _name(row["unit"]),
                text.value(row["value"], unit),
                Cell(
                    text=text.value(row["adjusted"], unit) if told else "too few cases",
                    note=text.interval({**row}) if told else "",
                ),
                text.number(row["n"]),
                str(row["verdict"]),
            ]
        )
    return Table(
        columns=[
            "Measure",
            "Channel",
            Column(label="As it is", align="right"),
            Column(label="At the same mix", align="right"),
            Column(label="n", align="right"),
            "Against all together",
        ],
        rows=rows,
        caption="What each channel is good for",
        note="At the same mix: each reason weighs what it has of all contacts. Better or worse is said only where it "
        f"would hold for all {len(found)} figures at once. Spoken and written quality are marked on different forms.",
    )


def capacity_table(results: Results) -> Table | Note:
    """Show the busiest typical hour of each channel, its load, and the agents that Erlang C asks for."""
    found = results.answered("capacity")
    if found.empty:
        return Note(kind="paragraph", text="No handling times were given, so there is no load to staff.")
    rows = []
    for row in found.to_dict("records"):
        target = ""
        if pd.notna(row["needed"]):
            target = f"for {text.value(row['target'], 'share')} within {text.duration(row['threshold_s'])}"
        rows.append(
            [
                _name(row["unit"]),
                Cell(text=f"{_day(row['weekday'])} {row['hour']:02.0f}:00", note=f"n {text.number(row['n'])}"),
                text.number(row["offered"], 1),
                text.duration(row["aht_s"]),
                text.number(row["load"], 1),
                Cell(text=text.number(row["needed"]) if target else "not asked", note=target),
                text.number(row["served_by"], 1),
            ]
        )
    labels = ("Contacts an hour", "Handling time", "People busy all the time", "Agents by Erlang C", "Took a contact")
    return Table(
        columns=["Channel", "Busiest typical hour", *(Column(label=label, align="right") for label in labels)],
        rows=rows,
        caption="Capacity: a reference, no staffing plan",
        note="Erlang C takes it that nobody hangs up and everybody only takes these contacts; breaks, training and "
        "absence come on top. It is not asked of media that wait for hours or where one agent serves several customers "
        "at once. Who took a contact in that hour may have spent most of it on other work.",
    )


def _day(number: float) -> str:
    return _DAYS[WEEKDAYS[int(number)]]


def moves_chart(results: Results) -> Figure | Note:
    """Draw for each reason the move that would save most a month."""
    best = _worth(results)
    if best.empty:
        return Note(kind="paragraph", text=_no_move(results))
    rows = best.assign(
        name=[
            f"{row['unit']}: {_name(row['from_channel'])} to {_name(row['to_channel'])}"
            for row in best.to_dict("records")
        ],
        value=best["saving"],
        ci_low=best["saving_low"],
        ci_high=best["saving_high"],
    ).sort_values("value", ascending=False)
    top = rows.iloc[0].to_dict()
    return charts.intervals_chart(
        rows,
        "money",
        title=f"What moving a reason would save a month if all of it moved, {_currency(results)}",
        alt=f"Most would be saved by {_moving(top)}: {_saving(results, top)}.",
        heading="Move",
    )


def _no_move(results: Results) -> str:
    found = results.answered("moves")
    if found.empty:
        return (
            f"No reason has {channels.FEWEST_MATTERS} settled matters with costs on each of two channels, so what a "
            "move would save cannot be said."
        )
    return "No move of a reason saves more than chance without making more customers come back."


def moves_table(results: Results) -> Table | Note:
    """Show what a matter of each reason costs on each of two channels, and what customers would lose or gain."""
    found = results.answered("moves")
    if found.empty:
        return Note(kind="paragraph", text=_no_move(results))
    currency = _currency(results)
    rows = []
    for row in found.sort_values("saving", ascending=False).to_dict("records"):
        more = "more" if row["returns_more"] > 0 else "fewer"
        low, high = sorted((100 * row["returns_low"], 100 * row["returns_high"]))
        rows.append(
            [
                str(row["unit"]),
                f"{_name(row['from_channel'])} to {_name(row['to_channel'])}",
                Cell(text=_price(results, row["cost_from"]), note=f"n {text.number(row['n_from'])}"),
                Cell(text=_price(results, row["cost_to"]), note=f"n {text.number(row['n_to'])}"),
                Cell(
                    text=text.money(row["saving"], currency) if row["outcome"] == "saves" else "cannot tell",
                    note=f"likely {text.money(row['saving_low'], currency)} to "
                    f"{text.money(row['saving_high'], currency)}, staff {text.money(row['saving_staff'], currency)}",
                ),
                Cell(
                    text=f"{text.difference(row['returns_more'], 'share')} {more}",
                    note=f"likely between {low:+.1f} and {high:+.1f}",
                ),
            ]
        )
    labels = ("A matter now", "A matter there", "Saved a month if all moved", "Customers coming back")
    return Table(
        columns=["Reason", "Move", *(Column(label=label, align="right") for label in labels)],
        rows=rows,
        caption="Moving reasons to another channel",
        note="A saving is said where it survives the correction for all moves compared. Moves of one reason are "
        "alternatives and do not add up.",
    )


def assumptions_note() -> Note:
    """Say what a saving takes for granted."""
    return Note(
        kind="list",
        title="What a saving takes for granted",
        items=[
            "That customers who move cost what customers cost who chose that channel by themselves; they may differ.",
            "That costs follow the contacts. Rent, licences and rosters do not at once: at first only staff time is "
            "freed, and it is saved only where it is used elsewhere or not replaced.",
            "That the channel has room for them at the same quality.",
        ],
    )

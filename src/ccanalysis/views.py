"""What reports show: results in, typed tables, notes and charts out. Notebooks call these and hold no logic.

Each function takes the results that the notebook opened (a slice, in a scheduled run) and returns one thing to show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ccanalysis import charts, text
from ccanalysis.display import Card, Cell, Column, Figure, Item, Note, Sparkline, Table
from ccanalysis.editions import Audience, Reader, readers, write
from ccanalysis.results import Results, compute
from ccanalysis.workspace import Workspace

_STATUS: dict[str, Any] = {
    "met": "met",
    "within_tolerance": "tolerance",
    "missed_chance": "chance",
    "missed_real": "missed",
    "cannot_meet": "cannot",
    "not_judged": "not_judged",
    "no_target": None,
}
_ASSURANCE: dict[str, Any] = {"hits": "hits", "hit_or_miss": "hit_or_miss", "misses": "misses", "none": None}
_RATING: dict[str, Any] = {"fit": "fit", "caution": "caution", "not fit": "not_fit", "unknown": "unknown"}
_GOOD, _BAD = ("met", "within_tolerance"), ("missed_real", "cannot_meet")


def open_report(
    *, audience: Audience, unit: str = "", slice_path: str = "", workspace: str = "..", period: str = ""
) -> Results:
    """Open what a report may show: the slice it was handed, or one cut now for a notebook run by hand.

    Args:
        audience: Which edition.
        unit: The team or line manager; the first one where empty.
        slice_path: The slice that a scheduled run made; the other arguments are then not used.
        workspace: The workspace's folder, seen from the notebook.
        period: The period's label; the last complete one where empty.
    """
    if slice_path:
        return Results.read(Path(slice_path))
    opened = Workspace.open(workspace)
    results = compute(opened, period)
    known = readers(results, "centre" if audience in ("analyst", "centre") else audience)
    reader = Reader(audience, unit or known[0])
    folder = (
        opened.cache_path
        / "slices"
        / f"{results.folder.name}-{audience}-{known.index(reader.unit) if reader.unit in known else 'x'}"
    )
    return write(results, reader, folder)


def who(results: Results) -> str:
    """Name whom the report is about, as its heading does."""
    return str(results.facts.get("unit") or results.facts["centre"])


def _word(results: Results, level: str, n: float = 1) -> str:
    return text.level(level, n, results.facts.get("unit_names"))


def _own_level(results: Results) -> tuple[str, str]:
    """The level and unit that the cards of an edition show."""
    audience = results.facts.get("audience", "centre")
    if audience == "team":
        return "team", results.facts["unit"]
    if audience == "line_manager":
        teams = results.people["team"].unique().tolist() if len(results.people) else []
        return ("team", teams[0]) if teams else ("centre", "centre")
    return "centre", "centre"


def _own(results: Results) -> pd.DataFrame:
    level, unit = _own_level(results)
    judged = results.verdicts
    return judged[(judged["level"] == level) & (judged["unit"] == unit)]


def lead(results: Results) -> Note:
    """Say in a few sentences how things stand, how far the data can be believed, and what to do first."""
    own, period = _own(results), results.period.short
    counted = own["status"].value_counts()
    judged = int(counted.drop(["not_judged", "no_target"], errors="ignore").sum())
    good, bad = (int(counted.reindex(list(group)).sum()) for group in (_GOOD, _BAD))
    sentences = [f"In {period}, {good} of {text.count(judged, 'target')} were met or nearly met; {_missed(bad)}."]
    if not judged:
        sentences = [f"In {period}, no figure was held against a target."]
    chance = int(counted.get("missed_chance", 0))
    if chance:
        more = "more " if bad else ""
        sentences.append(f"{text.count(chance, f'{more}miss', f'{more}misses').capitalize()} could be chance.")
    unfit = own[own["data"].isin(["not fit", "unknown"])]
    caution = own[own["data"] == "caution"]
    if len(unfit):
        sentences.append(f"{text.count(len(unfit), 'figure')} could not be judged because of the data.")
    elif len(caution):
        sentences.append(f"{text.count(len(caution), 'figure')} should be read with caution; the data show why.")
    else:
        sentences.append("The data behind these figures passed their checks.")
    return Note(kind="lead", text=" ".join(sentences))


def _missed(bad: int) -> str:
    return (
        "no miss is certain" if bad == 0 else f"{text.count(bad, 'miss', 'misses')} {'is' if bad == 1 else 'are'} real"
    )


def to_do(results: Results, *, most: int = 3) -> Note:
    """Say what to do this week: the first findings that call for action, one line each."""
    _, unit = _own_level(results)
    found = results.findings
    if len(found):
        if results.facts.get("audience") in ("team", "line_manager"):
            mine = (found["unit"] == unit) | (found["kind"].isin(["system", "data"])) | (found["level"] == "agent")
            found = found[mine]
        found = found[found["tier"] == "act"]
    if found.empty and _own(results)["status"].isin(["not_judged", "no_target"]).all():
        return Note(
            kind="callout",
            title="What to do now",
            text="No figure was held against a target; see what changed, and what the data need.",
        )
    if found.empty:
        return Note(
            kind="callout",
            title="What to do now",
            text="Nothing calls for action: where targets were missed, it could be chance. Keep going.",
            status="met",
        )
    items = [
        Item(text=_short(results, row), detail=row["action"], status=_STATUS.get(str(row["status"])))
        for _, row in found.head(most).iterrows()
    ]
    return Note(kind="callout", title="What to do now", items=items)


def _short(results: Results, row: pd.Series) -> str:
    """A finding in half a sentence."""
    if row["kind"] in ("system", "data", "review_target"):
        return str(row["sentence"])
    about = _about(results, row["kpi"])
    unit = about["unit_of_value"]
    name = _name(results, row)
    target = text.target(row["target"], row.get("target_high", np.nan), about["better"], unit)
    if about["better"] == "within":
        target = "outside the agreed range"
        return f"{name}: {about['name']} at {text.value(row['value'], unit)}, {target}"
    return f"{name}: {about['name']} at {text.value(row['value'], unit)}, {target} wanted"


def _name(results: Results, row: Mapping[str, Any]) -> str:
    if row["level"] == "centre":
        return "The centre"
    if row["level"] == "agent":
        return _person(results, str(row["unit"]))
    return str(row["unit"])


def _person(results: Results, agent: str) -> str:
    people = results.people
    if len(people):
        found = people.loc[people["agent_id"] == agent, "agent_name"].dropna()
        if len(found):
            return f"{found.iloc[0]} ({agent})"
    return agent


def _about(results: Results, kpi: str) -> dict[str, Any]:
    return dict(results.kpis[results.kpis["kpi"] == kpi].iloc[0])


def cards(results: Results) -> Note:
    """Show the KPIs of the edition's own unit at a glance."""
    level, unit = _own_level(results)
    shown = []
    for _, row in _own(results).iterrows():
        line = _line(results, row["kpi"], level, unit)
        shown.append(_card(row, line))
    return Note(kind="cards", cards=shown)


def _card(row: pd.Series, line: pd.DataFrame) -> Card:
    unit = row["unit_of_value"]
    note = [] if np.isnan(row["n"]) else [f"n {text.number(row['n'])}"]
    note += ["experimental"] if row["experimental"] else []
    note += ["provisional"] if row["provisional"] else []
    return Card(
        name=row["name"],
        value=text.value(row["value"], unit),
        target=text.target(row["target"], row["target_high"], row["better"], unit),
        note=", ".join(note),
        status=_STATUS[row["status"]],
        variation=_variation(row),
        assurance=_ASSURANCE[row["assurance"]],
        rating=_RATING[row["data"]],
        spark=_spark(row, line),
    )


def _variation(row: Mapping[str, Any]) -> Any:
    """The icon for the course: its meaning and which way it went."""
    word = row["variation"]
    if word == "not_enough_data":
        return "unknown"
    if word == "common_cause":
        return "common"
    high = row["value"] > row["centre"]
    kind = {"improving": "improving", "worsening": "worsening"}.get(word, "changed")
    return f"{kind}_{'up' if high else 'down'}"


def _spark(row: Mapping[str, Any], line: pd.DataFrame) -> Sparkline | None:
    shown = ~(line["value"].isna() | (line["excluded"] & (line["period"] != row["period"])))  # unfit periods are gaps
    values = [float(value) if known else None for value, known in zip(line["value"], shown, strict=True)]
    if sum(value is not None for value in values) < 2:
        return None
    target = None if np.isnan(row["target"]) or row["better"] == "within" else float(row["target"])
    return Sparkline(values=values, target=target, label=f"{row['name']}, the last {len(values)} periods")


def _line(results: Results, kpi: str, level: str, unit: str) -> pd.DataFrame:
    series = results.series
    return series[(series["kpi"] == kpi) & (series["level"] == level) & (series["unit"] == unit)]


def verdict_table(results: Results, *, level: str, units: Sequence[str] | None = None, kpi: str | None = None) -> Table:
    """Show the verdicts of a level, KPI by KPI, units in name order: no ranking.

    Args:
        results: The results.
        level: The level.
        units: Only these units; all where not given.
        kpi: Only this KPI.
    """
    judged = results.verdicts
    rows = judged[judged["level"] == level] if len(judged) else judged
    if units is not None:
        rows = rows[rows["unit"].isin(list(units))]
    if kpi is not None:
        rows = rows[rows["kpi"] == kpi]
    single = level == "centre" or (units is not None and len(units) == 1)
    columns: list[str | Column] = ["KPI", *([] if single else [_word(results, level).capitalize()])]
    columns += [Column(label="Value", align="right"), Column(label="n", align="right")]
    columns += ["Target", "Verdict", "Course", "Trend", "Data"]
    shown = [_verdict_row(results, row, single=single) for _, row in rows.iterrows()]
    caption = f"Verdicts, {results.period.text}"
    return Table(columns=columns, rows=shown, caption=caption, note="Units stand in name order; this is no ranking.")


def _verdict_row(results: Results, row: pd.Series, *, single: bool) -> list[Any]:
    unit = row["unit_of_value"]
    line = _line(results, row["kpi"], row["level"], row["unit"])
    name = row["name"] + (" (experimental)" if row["experimental"] else "")
    value = Cell(text=text.value(row["value"], unit), note=text.interval(row))
    target = Cell(text=text.target(row["target"], row["target_high"], row["better"], unit), note=_hits(row))
    status = _STATUS[row["status"]]
    why = "; ".join(row["reasons"])
    verdict = Cell(status=status, note=why) if status else Cell(text="No target", note=why)
    return [
        name,
        *([] if single else [_name(results, row)]),
        value,
        None if np.isnan(row["n"]) else int(row["n"]),
        target,
        verdict,
        Cell(variation=_variation(row)),
        Cell(spark=_spark(row, line)) if _spark(row, line) else "",
        Cell(rating=_RATING[row["data"]]),
    ]


def _hits(row: Mapping[str, Any]) -> str:
    if np.isnan(row["hit_rate"]):
        return ""
    return f"met in {row['hit_rate'] * row['n_baseline']:.0f} of {row['n_baseline']} periods"


def findings_note(results: Results, *kinds: str, tiers: Sequence[str] = ("act", "watch", "note"), empty: str) -> Note:
    """List findings of some kinds in full sentences, in order of certainty and effect.

    Args:
        results: The results.
        kinds: Which kinds: `improve`, `system`, `worsening`, `recognise`, `development`, `review_target`, `data`.
        tiers: Which tiers.
        empty: What to say where there is none; "cannot tell yet" is an answer.
    """
    found = results.findings
    if len(found):
        found = found[found["kind"].isin(kinds) & found["tier"].isin(list(tiers))]
    if found.empty:
        return Note(kind="paragraph", text=empty)
    found, also = _joined_with_centre(found)
    items = []
    for index, row in found.iterrows():
        sentence = str(row["sentence"])
        if also.get(index):
            sentence += f" The same is seen in {text.listed(also[index])}."
        if row["level"] == "agent":
            sentence = sentence.replace(f"{row['unit']}:", f"{_person(results, str(row['unit']))}:", 1)
        status: Any = "met" if row["kind"] == "recognise" else _STATUS.get(str(row["status"]))
        items.append(Item(text=sentence, detail=f"{_impact(results, row)}{row['action']}", status=status))
    return Note(kind="verdicts", items=items)


def _joined_with_centre(found: pd.DataFrame) -> tuple[pd.DataFrame, dict[Any, list[str]]]:
    """Tell a signal of the whole centre once, and name the units that show it too."""
    also: dict[Any, list[str]] = {}
    whole = found[(found["level"] == "centre") & found["kind"].isin(["recognise", "worsening", "changed"])]
    for index, row in whole.iterrows():
        same = (found["kpi"] == row["kpi"]) & (found["kind"] == row["kind"]) & (found["level"] != "centre")
        if same.sum() > 1:
            also[index] = sorted(found.loc[same, "unit"].astype(str))
            found = found[~same]
    return found, also


def _impact(results: Results, row: Mapping[str, Any]) -> str:
    """What closing the gap would be worth, in natural units."""
    impact = row["impact"]
    if row["kind"] not in ("improve", "development") or np.isnan(impact) or impact <= 0:
        return ""
    unit = _about(results, row["kpi"])["unit_of_value"]
    size = {"share": text.count(round(impact), "contact"), "s": text.duration(impact)}.get(
        unit, text.count(round(impact), "case")
    )
    return f"Closing the gap is worth about {size} in the period. "


def comparisons(results: Results) -> Note:
    """Say how many comparisons were made, so that a reader can weigh what was found."""
    judged = results.verdicts
    n = int((~judged["status"].isin(["not_judged", "no_target"])).sum()) if len(judged) else 0
    return Note(
        kind="paragraph",
        text=(
            f"{text.count(n, 'comparison')} with a target were made in this report. A miss is called real only where "
            "its whole interval lies beyond target and tolerance and the usual course agrees; of the findings that "
            "call for action at most one in twenty is expected to be a false alarm."
        ),
    )


def changes_note(results: Results) -> Note:
    """List what changed since the period before."""
    level, unit = _own_level(results)
    moved = results.changes
    if len(moved):
        moved = moved[(moved["level"] == level) & (moved["unit"] == unit)]
    if moved.empty:
        return Note(kind="paragraph", text="No verdict changed since the period before.")
    items = []
    for _, row in moved.iterrows():
        parts = []
        if row["status"] != row["status_before"]:
            parts.append(f"{text.STATUS_WORDS[row['status_before']]} → {text.STATUS_WORDS[row['status']]}")
        if row["variation"] != row["variation_before"]:
            parts.append(f"{text.VARIATION_WORDS[row['variation']].lower()}")
        items.append(Item(text=f"{row['name']}: {', '.join(parts)}", status=_STATUS[row["status"]]))
    return Note(kind="verdicts", items=items)


def course(results: Results, kpi: str, *, level: str | None = None, unit: str | None = None) -> Figure:
    """Draw the control chart of a KPI, of the edition's own unit unless another is named."""
    own_level, own_unit = _own_level(results)
    line = _line(results, kpi, level or own_level, unit or own_unit)
    return charts.control_chart(line, _about(results, kpi))


def courses(results: Results, *, level: str | None = None, unit: str | None = None, most: int = 6) -> list[Figure]:
    """Draw the control charts that deserve a look first: real misses, then real changes, then the rest."""
    own_level, own_unit = level or _own_level(results)[0], unit or _own_level(results)[1]
    judged = results.verdicts
    own = judged[(judged["level"] == own_level) & (judged["unit"] == own_unit) & judged["value"].notna()]
    changed = ~own["variation"].isin(["common_cause", "not_enough_data"])
    order = np.select([own["status"].isin(_BAD), changed, own["status"] == "missed_chance"], [0, 1, 2], 3)
    chosen = own.assign(order=order).sort_values("order", kind="stable")["kpi"].head(most)
    return [course(results, kpi, level=own_level, unit=own_unit) for kpi in chosen]


def comparison(results: Results, kpi: str, *, level: str = "team") -> Figure:
    """Draw the units of a level side by side with intervals, in name order."""
    judged = results.verdicts
    rows = judged[(judged["kpi"] == kpi) & (judged["level"] == level) & judged["value"].notna()]
    about = _about(results, kpi)
    return charts.comparison_chart(rows, about, title=f"{about['name']} by {_word(results, level)}")


def kpis_at(results: Results, level: str) -> list[str]:
    """List the KPIs that are judged at a level, in the order of the register."""
    judged = results.verdicts
    found = set(judged.loc[(judged["level"] == level) & judged["value"].notna(), "kpi"]) if len(judged) else set()
    return [kpi for kpi in results.kpis["kpi"] if kpi in found]


def actions_table(results: Results) -> Table | Note:
    """Show the register of actions."""
    actions = results.actions
    if actions.empty:
        return Note(kind="paragraph", text="No register of actions was given.")
    rows = [
        [
            str(row["what"]),
            _day(row["decided_on"]),
            str(row["state"] or ""),
            str(row["kpi"] or ""),
            str(row["unit"] or "centre"),
        ]
        for _, row in actions.iterrows()
    ]
    return Table(columns=["Action", "Decided", "State", "KPI", "Concerns"], rows=rows, caption="Actions")


def activities_table(results: Results) -> Table | Note:
    """Show the development activities of a line manager's people."""
    done = results.activities
    if done.empty:
        return Note(kind="paragraph", text="No development activities were given for these people.")
    rows = [
        [_person(results, row["agent_id"]), _day(row["done_on"]), str(row["kind"]), str(row["topic"] or "")]
        for _, row in done.sort_values(["agent_id", "done_on"]).iterrows()
    ]
    return Table(columns=["Person", "On", "Kind", "Topic"], rows=rows, caption="Development activities")


def _day(value: Any) -> str:
    return "" if pd.isna(value) else f"{pd.Timestamp(value):%-d %B %Y}"


def definitions_table(results: Results) -> Table:
    """Show how each KPI is defined and who answers for it."""
    rows = []
    for _, row in results.kpis.iterrows():
        counted = f"{row['definition']}" + (f"; only where {row['population']}" if row["population"] else "")
        approval = f"approved by {row['approved_by']}" if row["approval"] == "approved" else row["approval"]
        rows.append([row["name"], row["purpose"], counted, row["trap"], f"{row['owner']}; {approval}", row["source"]])
    columns = ["KPI", "Why", "What is counted", "Mind", "Owner and approval", "Source"]
    return Table(columns=columns, rows=rows, caption="Definitions")


# --- data quality -------------------------------------------------------------------------------------------------


def data_lead(results: Results) -> Note:
    """Say how far this period's data can be believed, in two sentences for a manager."""
    own = results.verdicts[results.verdicts["level"] == "centre"]
    counted = own["data"].value_counts()
    parts = [
        f"{text.count(int(counted[key]), 'figure')} {word}"
        for key, word in (
            ("fit", "fit to use"),
            ("caution", "to be read with caution"),
            ("not fit", "not fit to use"),
            ("unknown", "not assessed"),
        )
        if key in counted
    ]
    intake = results.intake
    read, kept = int(intake["read"].sum()), int(intake["kept"].sum())
    out, double = int(intake["quarantined"].sum()), int(intake["duplicates"].sum())
    return Note(
        kind="lead",
        text=[
            f"Of the {text.count(len(own), 'figure')} of the centre in {results.period.short}: {text.listed(parts)}.",
            f"{text.number(read)} rows were read: {text.number(kept)} kept, {text.number(out)} set apart because they "
            f"break a rule, {text.count(double, 'duplicate')}.",
        ],
    )


def ratings_table(results: Results) -> Table:
    """Show for each KPI whether its figure can be trusted: accuracy and suitability apart, with the reasons."""
    ratings = results.ratings
    now = ratings[(ratings["period"] == results.period.label) & (ratings["level"] == "centre")]
    effects = results.effects.set_index("kpi") if len(results.effects) else pd.DataFrame()
    order = {kpi: number for number, kpi in enumerate(results.kpis["kpi"])}
    now = now.assign(_order=now["kpi"].map(order)).sort_values("_order")
    rows = []
    for _, row in now.iterrows():
        about = _about(results, row["kpi"])
        rows.append(
            [
                about["name"],
                Cell(rating=_RATING[row["rating"]]),
                str(row["accuracy"]),
                str(row["suitability"]),
                _effect(effects, row["kpi"], about["unit_of_value"]),
                "; ".join(row["reasons"]) or "all checks passed",
            ]
        )
    columns = ["KPI", "Data", "Accuracy", "Suitability", "Failing rows move it by", "Why"]
    return Table(columns=columns, rows=rows, caption="Which figures can be trusted")


def _effect(effects: pd.DataFrame, kpi: str, unit: str) -> str:
    if kpi not in effects.index:
        return ""
    row = effects.loc[kpi]
    moved = row["clean_rows"] - row["all_rows"]
    if np.isnan(moved):
        return "cannot be said"
    return "nothing" if abs(moved) < 1e-12 else text.difference(moved, unit)


def rules_table(results: Results) -> Table | Note:
    """Show the rules that failed, the gravest first, with the remedy."""
    failed = results.expectations[results.expectations["outcome"] == "failed"]
    if failed.empty:
        return Note(kind="paragraph", text="No rule failed.")
    return _rules(failed, "Rules that failed")


def not_assessed_table(results: Results) -> Table | Note:
    """Show the rules of tables that were read which could not be assessed; absent tables are named elsewhere."""
    rules = results.expectations
    absent = results.facts.get("absent", [])
    unknown = rules[(rules["outcome"] == "not assessed") & ~rules["table"].isin(absent)]
    if unknown.empty:
        return Note(kind="paragraph", text="Every rule of the tables that were read was assessed.")
    return _rules(unknown, "Rules that could not be assessed")


def _rules(rules: pd.DataFrame, caption: str) -> Table:
    order = {"block": 0, "caution": 1, "note": 2}
    shown = rules.assign(_order=rules["severity"].map(order)).sort_values(["_order", "table", "rule"])
    rows = [
        [row["about"], row["table"], row["verdict"], row["severity"], row["reason"] or row["outcome"], row["remedy"]]
        for _, row in shown.iterrows()
    ]
    columns = ["Rule", "Table", "Speaks of", "Severity", "What was found", "What to do"]
    return Table(columns=columns, rows=rows, caption=caption)


def rules_count(results: Results) -> Note:
    """Say how many rules were checked and how they came out."""
    counted = results.expectations["outcome"].value_counts()
    words = [text.count(int(counted[key]), f"rule {key}", f"rules {key}") for key in counted.index]
    return Note(kind="paragraph", text=f"{text.count(len(results.expectations), 'rule')}: {text.listed(words)}.")


def intake_table(results: Results) -> Table:
    """Show what was read from each source, and that the counts add up."""
    intake = results.intake.groupby(["table", "source"], sort=False)[
        ["read", "kept", "quarantined", "duplicates", "set_aside"]
    ].agg("sum")
    files = results.intake.groupby(["table", "source"], sort=False)["file"].nunique()
    rows = [
        [source, table, int(files[table, source]), *(int(value) for value in row)]
        for (table, source), row in zip(intake.index, intake.to_numpy(), strict=True)
    ]
    names = ("Files", "Read", "Kept", "Quarantined", "Duplicates", "Set aside")
    columns: list[str | Column] = ["Source", "Table", *(Column(label=name, align="right") for name in names)]
    note = "Read = kept + quarantined + duplicates. Set aside: rows that the mapping declares not to be records."
    return Table(columns=columns, rows=rows, caption="What was read", note=note)


def quarantine_table(results: Results, *, most: int = 40) -> Table | Note:
    """Show why rows were quarantined, with one example each by file and row."""
    out = results.quarantine
    if out.empty:
        return Note(kind="paragraph", text="No row was quarantined.")
    grouped = out.groupby(["table", "source", "column", "reason"], dropna=False, sort=True)
    rows = []
    for (table, source, column, reason), group in grouped:
        first = group.iloc[0]
        example = f"{Path(str(first['source_file'])).name}, row {first['source_row']}"
        rows.append([str(source), str(table), "" if pd.isna(column) else str(column), str(reason), len(group), example])
    rows.sort(key=lambda row: -int(str(row[4])))
    columns: list[str | Column] = [
        "Source",
        "Table",
        "Column",
        "Reason",
        Column(label="Rows", align="right"),
        "First one",
    ]
    note = "" if len(rows) <= most else f"The {most} most frequent of {len(rows)} reasons."
    return Table(columns=columns, rows=rows[:most], caption="Quarantined rows", note=note)


def rows_at_fault(results: Results) -> pd.DataFrame:
    """List every row that broke its contract or, in the period, a rule on accuracy.

    Returns:
        One row per fault: `table`, `source_file`, `source_row`, `rule`, `counted` (`no` where the row is in quarantine,
        `yes` where it stays in the figures) and `reason`. No cell value is in it.
    """
    columns = ["table", "source_file", "source_row", "rule", "counted", "reason"]
    out = results.quarantine.assign(counted="no")
    failed = results.failures
    if len(failed):
        failed = failed.merge(results.expectations[["rule", "about"]], on="rule")
        failed = failed.rename(columns={"about": "reason"}).assign(counted="yes")
    parts = [part.reindex(columns=columns) for part in (out, failed) if len(part)]
    if not parts:
        return pd.DataFrame(columns=columns)
    return pd.concat(parts, ignore_index=True).sort_values(columns, ignore_index=True)


def rule_history(results: Results) -> Figure | Note:
    """Draw how many rules failed in each period: is the data getting better?"""
    history = results.rule_history
    centre = history[history["level"] == "centre"] if len(history) else history
    if centre.empty:
        return Note(kind="paragraph", text="There is no history of checks yet.")
    failed = centre.assign(failed=centre["outcome"] == "failed").groupby("period")["failed"].sum()
    frame = failed.sort_index().rename("n_failed_rules").reset_index()
    return charts.history_chart(
        frame, title="Rules that failed, period by period", caption="Is the data getting better?"
    )


def notes_list(results: Results) -> Note:
    """List what a reader of the data must know: absent tables, dropped columns, names written in two ways."""
    notes = list(results.facts.get("notes", []))
    if results.facts.get("absent"):
        notes.append(f"Tables without a source: {text.listed(results.facts['absent'])}.")
    if results.facts.get("not_due"):
        notes.append(f"Not due for this kind of period: {text.listed(results.facts['not_due'])}.")
    return Note(kind="list", items=notes) if notes else Note(kind="paragraph", text="Nothing to note.")

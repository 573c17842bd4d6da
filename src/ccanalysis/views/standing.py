"""Where the reader stands: the lead, cards, verdicts, control charts, definitions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ccanalysis import charts, text
from ccanalysis.checks.overrides import OVERRIDDEN
from ccanalysis.display import Card, Cell, Column, Figure, Item, Note, Sparkline, Table
from ccanalysis.results import Results
from ccanalysis.verdicts import VERDICT_COLUMNS
from ccanalysis.views import common

# The code of a published variant at the end of a definition.
_VARIANT = re.compile(r"\(SL\d, ")


def lead(results: Results) -> Note:
    """Say in a few sentences how things stand, how far the data can be believed, and what to do first."""
    own, period = common.own_verdicts(results), results.period.short
    counted = own["status"].value_counts()
    judged = int(counted.drop(["not_judged", "no_target"], errors="ignore").sum())
    good, bad = (int(counted.reindex(list(group)).sum()) for group in (common.GOOD, common.BAD))
    whose = "for the centre as a whole, " if results.facts.get("audience", "centre") in ("centre", "analyst") else ""
    were = "was" if judged == 1 else "were"
    sentences = [
        f"In {period}, {whose}{good} of {text.count(judged, 'target')} {were} met or nearly met; {_missed(bad)}."
    ]
    if not judged:
        sentences = [f"In {period}, no figure was held against a target."]
    chance = int(counted.get("missed_chance", 0))
    if chance:
        more = "more " if bad else ""
        sentences.append(f"{text.count(chance, f'{more}miss', f'{more}misses').capitalize()} could be chance.")
    if own.empty:
        return Note(kind="lead", text=f"In {period}, there is no figure to show.")
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


def cards(results: Results) -> Note:
    """Show the KPIs of the edition's own unit at a glance."""
    level, unit = common.own_level(results)
    shown = []
    for _, row in common.own_verdicts(results).iterrows():
        line = common.line_of(results, row["kpi"], level, unit)
        shown.append(_card(row, line))
    return Note(kind="cards", cards=shown)


def _card(row: pd.Series, line: pd.DataFrame) -> Card:
    unit = row["unit_of_value"]
    note = [] if np.isnan(row["n"]) else [f"n {text.number(row['n'])}"]
    note += [around] if (around := text.interval(row)) else []
    note += ["experimental"] if row["experimental"] else []
    note += ["judged by override"] if any(why.startswith(OVERRIDDEN) for why in row["reasons"]) else []
    if row["status"] == "not_judged":
        note += list(row["reasons"][:1])
    elif row["provisional"]:
        note += ["provisional"]
    return Card(
        name=row["name"],
        value=text.value(row["value"], unit),
        target=text.target(row["target"], row["target_high"], row["better"], unit),
        note=", ".join(note),
        status=common.STATUS[row["status"]],
        variation=common.variation(row),
        assurance=common.ASSURANCE[row["assurance"]],
        rating=common.RATING[row["data"]],
        spark=_spark(row, line),
    )


def _spark(row: Mapping[str, Any], line: pd.DataFrame) -> Sparkline | None:
    shown = ~(line["value"].isna() | (line["excluded"] & (line["period"] != row["period"])))  # unfit periods are gaps
    values = [float(value) if known else None for value, known in zip(line["value"], shown, strict=True)]
    if sum(value is not None for value in values) < 2:
        return None
    low, high = (None if np.isnan(row[name]) else float(row[name]) for name in ("target", "target_high"))
    return Sparkline(
        values=values, target=low, target_high=high, label=f"{row['name']}, the last {len(values)} periods"
    )


def verdict_table(results: Results, *, level: str, units: Sequence[str] | None = None, kpi: str | None = None) -> Table:
    """Show the verdicts of a level, KPI by KPI, units in name order: no ranking.

    Args:
        results: The results.
        level: The level.
        units: Only these units; all where not given.
        kpi: Only this KPI.
    """
    judged = common.frame(results, "verdicts", VERDICT_COLUMNS)
    rows = judged[judged["level"] == level]
    if units is not None:
        rows = rows[rows["unit"].isin(list(units))]
    if kpi is not None:
        rows = rows[rows["kpi"] == kpi]
    single = level == "centre" or (units is not None and len(units) == 1)
    columns: list[str | Column] = ["KPI", *([] if single else [common.word(results, level).capitalize()])]
    columns += [Column(label="Value", align="right"), Column(label="n", align="right")]
    columns += ["Target", "Verdict", "Course", "Trend", "Data"]
    shown = [_verdict_row(results, row, single=single) for _, row in rows.iterrows()]
    caption = f"Verdicts, {results.period.text}"
    return Table(columns=columns, rows=shown, caption=caption, note="Units stand in name order; this is no ranking.")


def _verdict_row(results: Results, row: pd.Series, *, single: bool) -> list[Any]:
    unit = row["unit_of_value"]
    line = common.line_of(results, row["kpi"], row["level"], row["unit"])
    name = row["name"] + (" (experimental)" if row["experimental"] else "")
    value = Cell(text=text.value(row["value"], unit), note=text.interval(row))
    target = Cell(text=text.target(row["target"], row["target_high"], row["better"], unit), note=_hits(row))
    status = common.STATUS[row["status"]]
    why = "; ".join(row["reasons"])
    verdict = Cell(status=status, note=why) if status else Cell(text="No target", note=why)
    return [
        name,
        *([] if single else [common.name_of(results, row)]),
        value,
        None if np.isnan(row["n"]) else int(row["n"]),
        target,
        verdict,
        Cell(variation=common.variation(row)),
        Cell(spark=_spark(row, line)) if _spark(row, line) else "",
        Cell(rating=common.RATING[row["data"]]),
    ]


def _hits(row: Mapping[str, Any]) -> str:
    parts = []
    if not np.isnan(row["target"]) and row["tolerance"] > 0:
        parts.append(f"tolerance {text.difference(row['tolerance'], row['unit_of_value'])}")
    if not np.isnan(row["hit_rate"]):
        parts.append(f"met in {row['hit_rate'] * row['n_baseline']:.0f} of {row['n_baseline']} periods")
    return ", ".join(parts)


def changes_note(results: Results) -> Note:
    """List what changed since the period before."""
    level, unit = common.own_level(results)
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
        what = f"{row['name']}: {', '.join(parts)}"
        items.append(Item(text=what, detail=row["sentence"], status=common.STATUS[row["status"]]))
    return Note(kind="verdicts", items=items)


def course(results: Results, kpi: str, *, level: str | None = None, unit: str | None = None) -> Figure | Note:
    """Draw the control chart of a KPI, of the edition's own unit unless another is named, with its verdict's icons."""
    own_level, own_unit = common.own_level(results)
    level, unit = level or own_level, unit or own_unit
    about = common.about(results, kpi)
    line = common.line_of(results, kpi, level, unit)
    if line["value"].isna().all():
        return Note(text=f"{about['name']}: no data.")
    judged = common.verdicts_of(results, kpi, level)
    judged = judged[judged["unit"] == unit]
    signs: dict[str, Any] = {}
    if len(judged):
        row = judged.iloc[0]
        signs = {"variation": common.variation(row), "assurance": common.ASSURANCE[row["assurance"]]}
    who = "the centre" if level == "centre" else common.called(results, level, unit)
    return charts.control_chart(line, about, who=who, **signs)


def courses(
    results: Results, *, level: str | None = None, unit: str | None = None, most: int = 6
) -> list[Figure | Note]:
    """Draw the control charts that deserve a look first: real misses, then real changes, then the rest."""
    own_level, own_unit = level or common.own_level(results)[0], unit or common.own_level(results)[1]
    judged = results.verdicts
    if judged.empty:
        return []
    own = judged[(judged["level"] == own_level) & (judged["unit"] == own_unit) & judged["value"].notna()]
    changed = ~own["variation"].isin(["common_cause", "not_enough_data"])
    order = np.select([own["status"].isin(common.BAD), changed, own["status"] == "missed_chance"], [0, 1, 2], 3)
    chosen = own.assign(order=order).sort_values("order", kind="stable")["kpi"].head(most)
    return [course(results, kpi, level=own_level, unit=own_unit) for kpi in chosen]


def definitions_table(results: Results) -> Table:
    """Show how each KPI is defined and who answers for it; the formula of a population only to those who keep it."""
    plain = results.facts.get("audience") in ("team", "line_manager")
    rows = []
    for _, row in results.kpis.iterrows():
        counted = _VARIANT.sub("(", row["definition"]) if plain else str(row["definition"])
        if row["population"]:
            counted += "; of the contacts that the register names" if plain else f"; only where {row['population']}"
        approval = f"approved by {row['approved_by']}" if row["approval"] == "approved" else row["approval"]
        rows.append([row["name"], row["purpose"], counted, row["trap"], f"{row['owner']}; {approval}", row["source"]])
    columns = ["KPI", "Why", "What is counted", "Mind", "Owner and approval", "Source"]
    return Table(columns=columns, rows=rows, caption="Definitions")

"""What explains it: which team, queue, channel, reason or hour the largest miss and the largest change come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ccanalysis import charts, drivers, text
from ccanalysis.display import Cell, Column, Figure, Item, Note, Table
from ccanalysis.results import Results
from ccanalysis.verdicts import shortfall
from ccanalysis.views import common

_NO_MISS = "No target was missed for certain, so there is no gap to explain."
_NO_CHANGE = "No figure changed since the period before by more than chance, so there is no change to explain."
_NOT_WHY = "This says where a gap or a change lies, not why it came about."


def drivers_note(results: Results) -> Note:
    """Say what explains the largest miss and the largest change of the edition's own unit, and what sets it apart.

    A part is named only where it is more than chance among all the parts that were compared; that no single one
    explains it is an answer.
    """
    period, names = results.period, results.facts.get("unit_names")
    items = []
    missed = _largest_miss(results)
    if missed is None:
        items.append(Item(text=_NO_MISS, status="met"))
    else:
        said = drivers.gap_sentence(
            _parts(results, missed), missed, period=period.short, who=common.name_of(results, missed), names=names
        )
        items.append(Item(text=said, status=common.STATUS[missed["status"]]))
    changed = _largest_change(results)
    if changed is None:
        items.append(Item(text=_NO_CHANGE))
    else:
        said = drivers.change_sentence(
            _parts(results, changed),
            changed,
            period=period.short,
            before=period.shift(-1).short,
            who=common.name_of(results, changed),
            names=names,
        )
        items.append(Item(text=said))
    items += [Item(text=said) for said in _apart(results)]
    return Note(kind="verdicts", text=_NOT_WHY, items=items)


def driver_table(results: Results, kpi: str = "", dimension: str = "") -> Table | Note:
    """Show every part of a figure with what it adds to the gap and to the change.

    Args:
        results: The results.
        kpi: The KPI; the one with the largest miss, or else the largest change, where empty.
        dimension: The dimension; the one that explains most where empty.
    """
    focus = _focus(results, kpi, dimension, "gap")
    if focus is None:
        return Note(kind="paragraph", text=f"{_NO_MISS} {_NO_CHANGE}")
    verdict, rows = focus
    unit = verdict["unit_of_value"]
    first = rows.iloc[0]
    name = str(first["dimension"])
    factor, side = (100.0 if unit == "share" else 1.0), _adverse(verdict, rows)
    printed = {column: drivers.printed(rows, column, unit) for column in ("gap", "mix", "rate")}
    printed["gap"] = [side * amount for amount in printed["gap"]]
    shown: list[list[Any]] = []
    for number, row in enumerate(rows.to_dict("records")):
        ends = sorted((side * factor * row["gap_low"], side * factor * row["gap_high"]))
        likely = f"likely {_amount(ends[0], unit)} to {_amount(ends[1], unit)}"
        shown.append(
            [
                drivers.part_name(str(row["part"]), name),
                Cell(text=text.value(row["value"], unit), note=_before(row["value_before"], unit)),
                int(row["n"]),
                Cell(
                    text=_amount(printed["gap"][number], unit),
                    note="" if np.isnan(row["gap_low"]) else likely,
                ),
                _amount(printed["mix"][number], unit),
                _amount(printed["rate"][number], unit),
                _said(row),
            ]
        )
    whole = [_amount(sum(printed[column]), unit) for column in ("gap", "mix", "rate")]
    before = f"before: {text.value(float(first['total_before']), unit)}"
    value = Cell(text=text.value(float(first["total"]), unit), note=before)
    shown.append(["All together", value, int(rows["n"].sum()), *whole, ""])
    measure = {"share": "points", "s": "s"}.get(unit, "")
    columns: list[str | Column] = [
        drivers.dimension_word(name, 1, results.facts.get("unit_names")).capitalize(),
        Column(label=str(verdict["name"]), align="right"),
        Column(label="n", align="right"),
        Column(label="Adds to the gap", unit=measure, align="right"),
        Column(label="Change by mix", unit=measure, align="right"),
        Column(label="Change by rate", unit=measure, align="right"),
        "More than chance",
    ]
    note = (
        "The parts add up exactly to the gap to the target and to the change since the period before. Below "
        "nought, a part meets the target."
    )
    return Table(
        columns=columns, rows=shown, caption=f"{_title(results, verdict, name)}, {results.period.text}", note=note
    )


def change_waterfall(results: Results, kpi: str = "", dimension: str = "") -> Figure | Note:
    """Draw what the change since the period before is made of.

    Args:
        results: The results.
        kpi: The KPI; the one with the largest change where empty.
        dimension: The dimension; the one that explains most where empty.
    """
    focus = _focus(results, kpi, dimension, "change")
    if focus is None:
        return Note(kind="paragraph", text=_NO_CHANGE)
    verdict, rows = focus
    chance = "" if rows["moved"].iloc[0] else " (could be chance)"
    return charts.change_waterfall_chart(
        drivers.steps(rows, verdict["unit_of_value"]),
        common.about(results, verdict["kpi"]),
        title=f"What changed since {results.period.shift(-1).short}{chance}: {_title(results, verdict, rows)}",
        dimension=str(rows["dimension"].iloc[0]),
        word=_word(results, rows),
        before=results.period.shift(-1).label,
        now=results.period.label,
    )


def gap_pareto(results: Results, kpi: str = "", dimension: str = "") -> Figure | Note:
    """Draw which parts the gap to the target comes from, the largest first.

    Args:
        results: The results.
        kpi: The KPI; the one with the largest miss where empty.
        dimension: The dimension; the one that explains most where empty.
    """
    missed = _largest_miss(results) if not kpi else None
    focus = _focus(results, kpi or (str(missed["kpi"]) if missed is not None else ""), dimension, "gap")
    if focus is None or (missed is None and not kpi) or not np.nan_to_num(focus[1]["gap"].sum()):
        return Note(kind="paragraph", text=_NO_MISS)
    verdict, rows = focus
    return charts.gap_pareto_chart(
        drivers.vital_few(rows, verdict["unit_of_value"]),
        common.about(results, verdict["kpi"]),
        title=f"Where the gap comes from: {_title(results, verdict, rows)}",
        dimension=str(rows["dimension"].iloc[0]),
        word=_word(results, rows),
    )


def _own(results: Results) -> pd.DataFrame:
    """Return the parts of the edition's own unit."""
    frame = results.drivers
    if frame.empty:
        return frame
    level, unit = common.own_level(results)
    return frame[(frame["level"] == level) & (frame["unit"] == unit)]


def _parts(results: Results, verdict: Mapping[str, Any]) -> pd.DataFrame:
    own = _own(results)
    return own[own["kpi"] == verdict["kpi"]] if len(own) else own


def _told(results: Results) -> pd.DataFrame:
    """Return the verdicts that may be spoken of: judged, and of an approved KPI."""
    judged = common.own_verdicts(results)
    return judged[~judged["experimental"].astype(bool) & (judged["status"] != "not_judged")]


def _largest_miss(results: Results) -> dict[str, Any] | None:
    """Return the verdict of the miss that is largest beside its target: a real one, or one with a part that is real."""
    told = _told(results)
    own = _own(results)
    sure = set(own.loc[own["gap_driver"].astype(bool), "kpi"]) if len(own) else set()
    missed = told[told["status"].isin(common.BAD) | ((told["status"] == "missed_chance") & told["kpi"].isin(sure))]
    if missed.empty:
        return None
    sizes = [
        float(shortfall(row["value"], row["target"], row["target_high"], row["better"])) / (abs(row["target"]) or 1.0)
        for row in missed.to_dict("records")
    ]
    known = missed.assign(_bad=missed["status"].isin(common.BAD), _size=sizes)
    known = known.assign(_apart=known["kpi"].isin(set(own["kpi"]) if len(own) else set()))
    ordered = known.sort_values(["_apart", "_bad", "_size"], ascending=False, kind="stable")
    return dict(ordered.iloc[0])


def _largest_change(results: Results) -> dict[str, Any] | None:
    """Return the verdict of the change that is largest beside its figure, of those that are more than chance."""
    told, own = _told(results), _own(results)
    if own.empty:
        return None
    firsts = own[own["total_before"].notna() & own["moved"].astype(bool)].drop_duplicates("kpi")
    firsts = firsts[firsts["kpi"].isin(told["kpi"])]
    if firsts.empty:
        return None
    size = (firsts["total"] - firsts["total_before"]).abs() / firsts["total_before"].abs().where(lambda one: one > 0)
    kpi = firsts.assign(_size=size.fillna(np.inf)).sort_values("_size", ascending=False, kind="stable")["kpi"].iloc[0]
    return dict(told[told["kpi"] == kpi].iloc[0])


def _focus(results: Results, kpi: str, dimension: str, what: str) -> tuple[dict[str, Any], pd.DataFrame] | None:
    """Return a verdict and its parts by the dimension that says most."""
    verdict: dict[str, Any] | None = None
    if kpi:
        found = _told(results).loc[lambda frame: frame["kpi"] == kpi]
        verdict = dict(found.iloc[0]) if len(found) else None
    elif what == "gap":
        verdict = _largest_miss(results)
    if verdict is None and not kpi:
        verdict = _largest_change(results) or _largest_miss(results)
    if verdict is None:
        return None
    rows = _parts(results, verdict)
    if rows.empty or (what == "change" and np.isnan(rows["total_before"].iloc[0])):
        return None
    named = (
        dimension
        or drivers.telling(rows, what)
        or str(rows.loc[(rows[f"spread_{what}"] + rows["comparable"].astype(float)).idxmax(), "dimension"])
    )
    rows = rows[rows["dimension"] == named]
    return (verdict, rows) if len(rows) else None


def _apart(results: Results) -> list[str]:
    """Say of a team what sets it apart most from the others."""
    if common.own_level(results)[0] != "team":
        return []
    best: tuple[tuple[bool, float], str] = ((False, 0.0), "")
    for verdict in _told(results).to_dict("records"):
        rows = _parts(results, verdict)
        if rows.empty:
            continue
        said = drivers.others_sentence(
            rows,
            verdict,
            period=results.period.short,
            who=common.name_of(results, verdict),
            names=results.facts.get("unit_names"),
        )
        sure = [
            float(rows[f"{what}_total_others"].where(rows[f"others_{what}_driver"].astype(bool)).abs().max())
            for what in ("mix", "rate")
        ]
        size = float(np.nanmax([0.0, *sure])) / (abs(float(rows["total"].iloc[0])) or 1.0)
        own = bool((rows["others_driver"] | rows["others_mix_driver"]).any())  # more than to be better or worse at all
        if said and (own, size) > best[0]:
            best = ((own, size), said)
    return [best[1]] if best[1] else []


def _title(results: Results, verdict: Mapping[str, Any], rows: pd.DataFrame | str) -> str:
    name = rows if isinstance(rows, str) else str(rows["dimension"].iloc[0])
    word = drivers.dimension_word(name, 1, results.facts.get("unit_names"))
    return f"{verdict['name']} by {word}, {common.name_of(results, verdict).removeprefix('The ')}"


def _word(results: Results, rows: pd.DataFrame) -> str:
    return drivers.dimension_word(str(rows["dimension"].iloc[0]), 1, results.facts.get("unit_names"))


def _adverse(verdict: Mapping[str, Any], rows: pd.DataFrame) -> float:
    """Return the sign that makes what adds to a miss positive."""
    above = float(np.nan_to_num(rows["gap"].sum())) >= 0
    return {"up": -1.0, "down": 1.0}.get(str(verdict["better"]), 1.0 if above else -1.0)


def _amount(amount: float, unit: str) -> str:
    return text.NO_VALUE if np.isnan(amount) else f"{amount:+z,.{drivers.DIGITS.get(unit, 1)}f}"


def _before(value: float, unit: str) -> str:
    return "" if np.isnan(value) else f"before: {text.value(value, unit)}"


def _said(row: Mapping[str, Any]) -> str:
    words = [word for flag, word in (("gap_driver", "gap"), ("change_driver", "change")) if row[flag]]
    return text.listed(words) if words else ""

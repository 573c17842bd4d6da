"""Units among their peers: side by side, in a funnel, each in a small chart. Never in the order of their figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ccanalysis import charts
from ccanalysis.display import Figure, Note
from ccanalysis.kpis.components import UNASSIGNED
from ccanalysis.results import Results
from ccanalysis.statistics import funnel as funnels_of
from ccanalysis.verdicts import SERIES_COLUMNS
from ccanalysis.views import common

# Fewer units have no spread to speak of; more small charts than this are not looked at one by one.
FEWEST_UNITS = 3
MOST_PANELS = 30
_STEPS = 25
_NO_CHANGE = ("common_cause", "not_enough_data")


def comparison(results: Results, kpi: str, *, level: str = "team") -> Figure | Note:
    """Draw the units of a level side by side with intervals, in name order."""
    rows = common.verdicts_of(results, kpi, level)
    about = common.about(results, kpi)
    title = f"{about['name']} by {common.word(results, level)}"
    if rows["value"].isna().all():
        return Note(text=f"{title}: no data in this period.")
    names = {unit: common.called(results, level, unit) for unit in rows["unit"]}
    return charts.comparison_chart(rows[rows["value"].notna()], about, title=title, names=names)


def funnel(results: Results, kpi: str, *, level: str = "team") -> Figure | Note:
    """Draw the units of a level by size and value, with the limits of chance about the whole centre.

    Figures that are not judged are left out. People are drawn in a line manager's report only, their own people alone,
    and by all periods that evidence on a person is pooled over.

    Args:
        results: The results.
        kpi: The KPI.
        level: The level.

    Returns:
        The chart, or a note that says why there is none.
    """
    about = common.about(results, kpi)
    people = level == "agent"
    title = f"{about['name']} by {common.word(results, level)}, against how many cases each has"
    if people and results.facts.get("audience") != "line_manager":
        return Note(text=f"{about['name']}: people are shown to their line manager only.")
    units, centre = _evidence(results, kpi, level, pooled=people)
    if len(units) < FEWEST_UNITS:
        return Note(
            text=f"{about['name']}: fewer than {FEWEST_UNITS} {common.word(results, level, 2)} can be compared."
        )
    found = _funnel(units, centre, about["unit_of_value"])
    if found is None:
        return Note(text=f"{about['name']}: chance alone gives no limits for a figure of this kind.")
    drawn, limits, middle, adjusted = found
    drawn["called"] = [common.called(results, level, unit) for unit in units["unit"]]
    if people:
        title += f", last {int(units['pooled_periods'].max())} periods together"
    target = (float(units["target"].max()), float(units["target_high"].max()))
    return charts.funnel_chart(drawn, limits, about, title=title, centre=middle, target=target, adjusted=adjusted)


def _evidence(results: Results, kpi: str, level: str, *, pooled: bool) -> tuple[pd.DataFrame, pd.Series | None]:
    """Return the sums of the units that are judged, and of the whole centre."""
    rows = common.verdicts_of(results, kpi, level)
    rows = rows[(rows["status"] != "not_judged") & (rows["unit"] != UNASSIGNED)]
    whole = common.verdicts_of(results, kpi, "centre")
    ratio = rows["numerator"] / rows["denominator"].replace(0, np.nan)
    rows = rows.assign(factor=(rows["value"] / ratio.replace(0, np.nan)).median())
    if pooled:
        sums = {name: f"pooled_{name}" for name in ("numerator", "denominator", "n", "squares")}
        rows, whole = (frame.assign(**{name: frame[old] for name, old in sums.items()}) for frame in (rows, whole))
    else:
        line = common.frame(results, "series", SERIES_COLUMNS)
        now = line[(line["kpi"] == kpi) & (line["level"] == level) & (line["period"] == results.facts["period"])]
        rows = rows.merge(now[["unit", "squares"]], on="unit", how="left")
    rows = rows[(rows["denominator"] > 0) & (rows["n"] > 0)].sort_values("unit").reset_index(drop=True)
    usable = len(whole) and whole["denominator"].iloc[0] > 0 and whole["status"].iloc[0] != "not_judged"
    return rows, whole.iloc[0] if usable else None


def _funnel(
    units: pd.DataFrame, whole: pd.Series | None, unit: str
) -> tuple[pd.DataFrame, pd.DataFrame, float, bool] | None:
    """Return units with flags, limits at many sizes, the value of the whole, and whether the spread is allowed for.

    Sizes at which limits are wanted are handed over as units without a value, which decide nothing.
    """
    above, below, n = (units[name].to_numpy(dtype=float) for name in ("numerator", "denominator", "n"))
    sizes = np.unique(np.geomspace(max(n.min() * 0.8, 2), n.max() * 1.1, _STEPS).round())
    nothing = np.full(len(sizes), np.nan)
    whole_above, whole_below = (
        (float(whole["numerator"]), float(whole["denominator"])) if whole is not None else (above.sum(), below.sum())
    )
    counted = np.allclose(below, n)
    scale = 1.0
    if unit == "share" and counted and (above <= below).all():
        middle = whole_above / whole_below
        made = funnels_of.proportion_funnel(np.append(above, nothing), np.append(n, sizes), centre=middle)
    elif unit == "per_1000" and counted and whole_above > 0:
        rate = whole_above / whole_below
        made = funnels_of.ratio_funnel(np.append(above, nothing), np.append(n, sizes) * rate)
        scale = middle = rate * 1000.0
    elif unit != "share" and counted and (units["squares"] > 0).all():
        factor = float(units["factor"].iloc[0])
        spread = np.sqrt(np.maximum(units["squares"] - above**2 / n, 0.0) / np.maximum(n - 1, 1)) * factor
        made = funnels_of.mean_funnel(
            np.append(above / n * factor, nothing), np.append(spread, nothing), np.append(n, sizes)
        )
        middle = made.centre
    else:
        return None
    limits = made.units.filter(regex="^(lower|upper)_") * scale
    found = made.units.iloc[: len(n)]
    drawn = pd.DataFrame({"n": n, "value": found["value"] * scale, "flag": found["flag"]})
    return drawn, limits.iloc[len(n) :].assign(n=sizes).reset_index(drop=True), float(middle), bool(made.adjusted)


def small_multiples(results: Results, kpi: str, *, level: str = "team") -> Figure | Note:
    """Draw the course of each unit of a level in a small chart, in name order and on one scale."""
    about = common.about(results, kpi)
    title = f"{about['name']}: the course of each {common.word(results, level)}"
    lines = common.frame(results, "series", SERIES_COLUMNS)
    lines = lines[(lines["kpi"] == kpi) & (lines["level"] == level) & (lines["unit"] != UNASSIGNED)]
    lines = lines[lines.groupby("unit")["value"].transform("count") > 0]
    if lines.empty:
        return Note(text=f"{title}: no data.")
    n = lines["unit"].nunique()
    if n > MOST_PANELS:
        return Note(text=f"{title}: {n} small charts are too many; the table of verdicts lists them all.")
    judged = common.verdicts_of(results, kpi, level)
    signs: dict[str, Any] = {
        row["unit"]: (common.variation(row), common.ASSURANCE[row["assurance"]]) for _, row in judged.iterrows()
    }
    return charts.multiples_chart(lines, about, title=title, signs=signs)


def worth_a_look(results: Results, *, level: str = "team", most: int = 3) -> list[str]:
    """List KPIs by how much there is to see: where a unit misses for certain, where one changed, then the others.

    Within each the order is that of the register.
    """
    judged = results.verdicts
    if judged.empty:
        return []
    order = {}
    for kpi in common.kpis_at(results, level):
        own = judged[(judged["kpi"] == kpi) & (judged["level"] == level)]
        changed = ~own["variation"].isin(_NO_CHANGE)
        order[kpi] = 0 if own["status"].isin(common.BAD).any() else 1 if changed.any() else 2
    return sorted(order, key=lambda kpi: order[kpi])[:most]

"""What the definition decides: one KPI under all its published variants, and what changed in the register."""

from __future__ import annotations

import pandas as pd

from ccanalysis import text
from ccanalysis.display import Cell, Column, Note, Table
from ccanalysis.results import Results


def what_the_definition_decides(results: Results) -> Table | Note:
    """Show the centre's figures under every published definition of them, on the same data, and how far they differ."""
    found = results.sensitivity
    if found.empty:
        return Note(kind="paragraph", text="No figure has another published definition that these data would give.")
    rows = []
    names = dict(zip(results.kpis["kpi"], results.kpis["name"], strict=True))
    for kpi, part in found.groupby("kpi", sort=False):
        unit, known = part["unit_of_value"].iloc[0], part[part["value"].notna()]
        if known.empty:
            continue
        low, high = known.loc[known["value"].idxmin()], known.loc[known["value"].idxmax()]
        own = known[known["own"]]
        rows.append(
            [
                names[kpi],
                text.value(own["value"].iloc[0], unit) if len(own) else None,
                Cell(text=text.value(low["value"], unit), note=str(low["definition"])),
                Cell(text=text.value(high["value"], unit), note=str(high["definition"])),
                text.difference(high["value"] - low["value"], unit),
            ]
        )
    columns: list[str | Column] = [
        "KPI",
        Column(label="As the register has it", align="right"),
        Column(label="Lowest", align="right"),
        Column(label="Highest", align="right"),
        Column(label="Apart", align="right"),
    ]
    return Table(
        columns=columns,
        rows=rows,
        caption=f"The same data under every published definition, {results.period.text}",
        note="Compare figures of two centres only where both use one definition. All variants: ccanalysis register "
        "variants KPI.",
    )


def sensitivity_table(frame: pd.DataFrame) -> Table:
    """Show one KPI under all its published definitions side by side, on the same data.

    Args:
        frame: What `results.sensitivity` returned.
    """
    rows = []
    for _, row in frame.iterrows():
        unit = row["unit_of_value"]
        known = not pd.isna(row["value"])
        rows.append(
            [
                f"{row['variant']} (the register's own)" if row["own"] else row["variant"],
                row["definition"],
                text.level(row["level"]) if row["level"] == "centre" else str(row["unit"]),
                text.value(row["value"], unit) if known else None,
                "" if row["own"] or not known else _signed(row["difference"], unit),
                int(row["n"]) if not pd.isna(row["n"]) else None,
            ]
        )
    columns: list[str | Column] = [
        "Variant",
        "What is counted",
        "Unit",
        Column(label="Value", align="right"),
        Column(label="Against the register's", align="right"),
        Column(label="Cases", align="right"),
    ]
    return Table(
        columns=columns,
        rows=rows,
        caption="The same data under every published definition",
        note="Compare figures of two centres only where both use one definition.",
    )


def _signed(amount: float, unit: str) -> str:
    sign = "+" if amount > 0 else "-" if amount < 0 else ""
    return sign + text.difference(amount, unit)


def definition_changes_note(results: Results) -> Note:
    """List what changed in definitions, targets and approvals since the period before."""
    found = results.facts.get("definition_changes", [])
    if not found:
        return Note(kind="paragraph", text="No definition, target or approval changed since the period before.")
    lines = [
        f"{one['name']}, {one['what']}: {one['before'] or 'nothing'} → {one['after'] or 'nothing'}"
        + (f" ({one['why']})" if one["why"] else "")
        for one in found
    ]
    return Note(kind="list", items=lines)

"""What a report that replaces an earlier one changes: why, and each figure before and after."""

from __future__ import annotations

from datetime import date

import pandas as pd

from ccanalysis import text
from ccanalysis.display import Cell, Column, Note, Table
from ccanalysis.results import Results
from ccanalysis.views import common


def revision_note(results: Results) -> Note | None:
    """Say that this report replaces an earlier one, from which data, and why; None for the first of its period."""
    about = results.facts.get("revision")
    if not about:
        return None
    until = common.day(date.fromisoformat(about["data_until"]))
    own = _shown(results)
    changed = int(own["changed"].sum()) if len(own) else 0
    words = f"{text.count(changed, 'figure')} shown here changed" if changed else "no figure shown here changed"
    return Note(
        kind="callout",
        title=f"Revision {about['number']}, from data up to {until}",
        text=(
            f"This replaces revision {about['before']} of {results.period.short}, which is kept. Why: "
            f"{text.listed(about['reasons'])}; {words}. Charts use the data of this revision for every period."
        ),
        items=about.get("files", []),
    )


def revised_table(results: Results) -> Table | None:
    """Show each figure of the edition's own units before and after; None for the first report of a period."""
    if not results.facts.get("revision"):
        return None
    own = _shown(results)
    if own.empty:
        return None
    rows = []
    for _, row in own.iterrows():
        unit = row["unit_of_value"]
        who = "The centre" if row["level"] == "centre" else common.called(results, row["level"], row["unit"])
        rows.append(
            [
                row["name"],
                who,
                _value(row["value_before"], unit),
                _value(row["value"], unit),
                _count(row["n_before"]),
                _count(row["n"]),
                _verdict(row["status_before"]),
                _verdict(row["status"]),
                _data(row["data_before"], row["data"]),
            ]
        )
    right = [Column(label=name, align="right") for name in ("Before", "Now", "n before", "n now")]
    columns: list[str | Column] = ["KPI", "Unit", *right, "Verdict before", "Verdict now", "Data"]
    about = results.facts["revision"]
    caption = f"Revision {about['before']} and revision {about['number']}"
    return Table(columns=columns, rows=rows, caption=caption, note="Figures of the centre, and others that changed.")


def _shown(results: Results) -> pd.DataFrame:
    """The figures of the edition's own level and of the centre, in the order of the register."""
    frame = results.revised
    if frame.empty:
        return frame.reindex(columns=[*frame.columns, "changed"]) if "changed" not in frame else frame
    levels = {"team": ["centre", "team"], "line_manager": ["centre", "team", "agent"], "centre": ["centre", "team"]}
    wanted = levels.get(results.facts.get("audience", "analyst"), ["centre"])
    order = {kpi: number for number, kpi in enumerate(results.kpis["kpi"])}
    frame = frame[frame["level"].isin(wanted)]
    frame = frame.assign(_level=frame["level"].map(wanted.index), _order=frame["kpi"].map(order))
    return frame.sort_values(["_level", "_order", "unit"], kind="stable")


def _value(value: float, unit: str) -> str:
    return "no figure" if pd.isna(value) else text.value(value, unit)


def _count(n: float) -> int | None:
    return None if pd.isna(n) else int(n)


def _verdict(status: str | None) -> Cell | str:
    if not isinstance(status, str):
        return "not reported"
    shown = common.STATUS[status]
    return Cell(status=shown) if shown else "No target"


def _data(before: str | None, now: str | None) -> str:
    if before == now:
        return "as before"
    return " → ".join(rating if isinstance(rating, str) else "not reported" for rating in (before, now))

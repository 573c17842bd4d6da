"""How far the data can be believed: ratings, rules, what was read and what was set apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ccanalysis import charts, text
from ccanalysis.display import Cell, Column, Figure, Note, Table
from ccanalysis.results import Results
from ccanalysis.views import common

_INTAKE = ("table", "source", "file", "read", "kept", "quarantined", "duplicates", "set_aside")


def data_lead(results: Results) -> Note:
    """Say how far this period's data can be believed, in two sentences for a manager."""
    judged = common.frame(results, "verdicts", ["level", "data"])
    own = judged[judged["level"] == "centre"]
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
    intake = common.frame(results, "intake", _INTAKE)
    read, kept = int(intake["read"].sum()), int(intake["kept"].sum())
    out, double = int(intake["quarantined"].sum()), int(intake["duplicates"].sum())
    return Note(
        kind="lead",
        text=[
            f"Of the {text.count(len(own), 'figure')} of the centre in {results.period.short}: {text.listed(parts)}."
            if parts
            else f"There is no figure of the centre in {results.period.short}.",
            f"{text.number(read)} rows were read: {text.number(kept)} kept, {text.number(out)} set apart because they "
            f"break a rule, {text.count(double, 'duplicate')}.",
        ],
    )


def ratings_table(results: Results) -> Table:
    """Show for each KPI whether its figure can be trusted: accuracy and suitability apart, with the reasons."""
    ratings = common.frame(results, "ratings", ["kpi", "level", "period"])
    now = ratings[(ratings["period"] == results.period.label) & (ratings["level"] == "centre")]
    effects = results.effects.set_index("kpi") if len(results.effects) else pd.DataFrame()
    order = {kpi: number for number, kpi in enumerate(results.kpis["kpi"])}
    now = now.assign(_order=now["kpi"].map(order)).sort_values("_order")
    rows = []
    for _, row in now.iterrows():
        about = common.about(results, row["kpi"])
        rows.append(
            [
                about["name"],
                Cell(rating=common.RATING[row["rating"]]),
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
        return "not worked out"  # a percentile, or a KPI without rows
    row = effects.loc[kpi]
    moved = row["clean_rows"] - row["all_rows"]
    if np.isnan(moved):
        return "cannot be said"
    return "nothing" if abs(moved) < 1e-12 else text.difference(moved, unit)


def rules_table(results: Results) -> Table | Note:
    """Show the rules that failed, the gravest first, with where they failed and the remedy."""
    rules = common.frame(results, "expectations", ["outcome"])
    failed = rules[rules["outcome"] == "failed"]
    if failed.empty:
        return Note(kind="paragraph", text="No rule failed.")
    rows = results.failures
    places = {str(rule): _where(group) for rule, group in rows.groupby("rule")} if len(rows) else {}
    note = "The rows of rules on accuracy; every one of them stands in rows.csv and rows.parquet beside this page."
    return _rules(failed, "Rules that failed", places=places, note=note if places else "")


def not_assessed_table(results: Results) -> Table | Note:
    """Show the rules of tables that were read which could not be assessed; absent tables are named elsewhere."""
    rules = common.frame(results, "expectations", ["outcome", "table"])
    absent = results.facts.get("absent", [])
    unknown = rules[(rules["outcome"] == "not assessed") & ~rules["table"].isin(absent)]
    if unknown.empty:
        return Note(kind="paragraph", text="Every rule of the tables that were read was assessed.")
    return _rules(unknown, "Rules that could not be assessed")


def _rules(rules: pd.DataFrame, caption: str, *, places: Mapping[str, str] | None = None, note: str = "") -> Table:
    order = {"block": 0, "caution": 1, "note": 2}
    shown = rules.assign(_order=rules["severity"].map(order)).sort_values(["_order", "table", "rule"])
    rows = [
        [
            row["about"],
            row["table"],
            row["verdict"],
            row["severity"],
            row["reason"] or row["outcome"],
            *([] if places is None else [places.get(row["rule"], "")]),
            row["remedy"],
        ]
        for _, row in shown.iterrows()
    ]
    where = [] if places is None else ["Where"]
    columns = ["Rule", "Table", "Speaks of", "Severity", "What was found", *where, "What to do"]
    return Table(columns=columns, rows=rows, caption=caption, note=note)


def _where(rows: pd.DataFrame, *, most: int = 3) -> str:
    """Name the first rows that failed a rule by file and row, how many more there are, and a team that has most."""
    first = rows.sort_values(["source_file", "source_row"]).head(most)
    shown = [
        f"{Path(str(name)).name}, {'row' if len(group) == 1 else 'rows'} "
        + text.listed([str(row) for row in group["source_row"]])
        for name, group in first.groupby("source_file", sort=False)
    ]
    files = rows["source_file"].nunique()
    more = f"; {text.number(len(rows) - most)} more" if len(rows) > most else ""
    more += f", in {text.count(files, 'file')}" if more and files > 1 else ""
    teams = rows["team"].dropna().value_counts()
    if len(rows) > most and len(teams) and 2 * teams.iloc[0] > len(rows):
        more += f"; {text.number(teams.iloc[0])} of {text.number(len(rows))} are of team {teams.index[0]}"
    return "; ".join(shown) + more


def rules_count(results: Results) -> Note:
    """Say how many rules were checked and how they came out."""
    if results.expectations.empty:
        return Note(kind="paragraph", text="No rule was checked.")
    counted = results.expectations["outcome"].value_counts()
    words = [text.count(int(counted[key]), f"rule {key}", f"rules {key}") for key in counted.index]
    return Note(kind="paragraph", text=f"{text.count(len(results.expectations), 'rule')}: {text.listed(words)}.")


def intake_table(results: Results) -> Table:
    """Show what was read from each source, and that the counts add up."""
    read = common.frame(results, "intake", _INTAKE)
    grouped = read.groupby(["table", "source"], sort=False)
    intake, files = grouped[list(_INTAKE[3:])].agg("sum"), grouped["file"].nunique()
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

"""The gate: from rule to column to KPI, what may be claimed with each figure.

It labels and withholds; it never repairs data. It fails closed: where a rule could not be computed, or nothing
looks at what a figure reads, the figure is unknown, not fit.

Source:
    The two axes follow the Office for Statistics Regulation's Quality Assurance of Administrative Data toolkit, which
    keeps "how well is it checked" apart from "did it pass".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from ccanalysis.checks import Checked

# From best to worst. Not fit is known to be wrong; unknown may be.
RATINGS = ("fit", "caution", "unknown", "not fit")
_RANK = {rating: rank for rank, rating in enumerate(RATINGS)}
_OF_SEVERITY = {"block": "not fit", "caution": "caution", "note": "fit"}
VERDICTS = ("accuracy", "suitability")
_UNIT = ["kpi", "level", "unit", "period"]
COLUMNS = [*_UNIT, "accuracy", "suitability", "rating", "reasons", "rules"]


def gate(checked: Checked, reads: pd.DataFrame) -> pd.DataFrame:
    """Rate each KPI for the centre and each team, per period.

    A rule concerns a KPI when it names it, or names no KPI and speaks of a column that the KPI reads, or of the rows
    of its table. A rule on the whole centre (an independent total, a missing day) concerns its teams too. The worst
    failure counts: block makes a figure not fit, caution makes it caution, a note is said and changes nothing.

    Args:
        checked: What the suites found.
        reads: One row per KPI and table: kpi, table, columns (tuple of contract columns).

    Returns:
        One row per KPI, level, unit and period: kpi, level (centre, team), unit, period, accuracy, suitability,
        rating (the worse of both; each one of `RATINGS`), reasons (tuple of sentences), rules (tuple of the ids of
        the rules behind them).
    """
    reads = reads.reset_index(drop=True)
    pairs, uncovered = _pairs(checked, reads)
    grid = _grid(checked, reads)
    found = _outcomes(checked, pairs, grid)
    rated = _rated(found, grid)
    parts = [rated, _unlooked(checked, reads, pairs, uncovered, grid), _empty(grid)]
    marks = pd.concat(parts, ignore_index=True)
    worst = (
        marks.pivot_table(index=_UNIT, columns="verdict", values="rank", aggfunc="max")
        .reindex(columns=list(VERDICTS))
        .fillna(_RANK["fit"])
        .astype(int)
    )
    said = marks[marks["reason"] != ""].sort_values(["rank", "rule"], ascending=[False, True], kind="stable")
    reasons = said.groupby(_UNIT)["reason"].agg(lambda each: tuple(dict.fromkeys(each)))
    rules = said[said["rule"] != ""].groupby(_UNIT)["rule"].agg(lambda each: tuple(dict.fromkeys(each)))
    units = grid[_UNIT].drop_duplicates().set_index(_UNIT)
    rated = units.join(worst, how="left")
    result = units.assign(
        **{verdict: [RATINGS[int(rank)] for rank in rated[verdict].fillna(_RANK["unknown"])] for verdict in VERDICTS}
    )
    result["rating"] = [
        max(pair, key=_RANK.__getitem__) for pair in zip(result["accuracy"], result["suitability"], strict=True)
    ]
    result["reasons"] = [reasons.get(key, ()) for key in result.index]
    result["rules"] = [rules.get(key, ()) for key in result.index]
    return result.reset_index()[COLUMNS].sort_values(_UNIT, ignore_index=True)


def _pairs(checked: Checked, reads: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Say which rules concern which KPI, and which columns of a KPI no accuracy rule speaks of."""
    pairs, uncovered = [], []
    rules = list(checked.expectations.itertuples())
    for read in reads.itertuples():
        covered: set[str] = set()
        for rule in rules:
            named = read.kpi in rule.kpis
            by_columns = not rule.kpis and rule.table == read.table
            if named or (by_columns and (not rule.columns or set(rule.columns) & set(read.columns))):
                pairs.append((read.kpi, read.table, rule.rule, rule.verdict, rule.severity, bool(rule.columns)))
            if rule.verdict == "accuracy" and rule.table == read.table:
                covered |= set(rule.columns)
        uncovered += [(read.kpi, read.table, column) for column in read.columns if column not in covered]
    return (
        pd.DataFrame(pairs, columns=["kpi", "table", "rule", "verdict", "severity", "of_columns"]),
        pd.DataFrame(uncovered, columns=["kpi", "table", "column"]),
    )


def _grid(checked: Checked, reads: pd.DataFrame) -> pd.DataFrame:
    """Return every KPI, table, level, unit and period there is something to say about, with its rows."""
    coverage = checked.coverage
    units = coverage[coverage["level"].isin(["centre", "team"])][["table", "level", "unit", "period", "n_rows"]]
    periods = (
        sorted(coverage["period"].unique())
        if len(coverage)
        else sorted({*checked.by_period["period"], *([checked.period.label] if checked.period else [])})
    )
    known = set(units["table"])
    lacking = [table for table in reads["table"].unique() if table not in known]
    standing = [
        pd.DataFrame({"table": table, "level": "centre", "unit": "", "period": periods, "n_rows": pd.NA})
        for table in lacking
    ]
    units = pd.concat([units.astype({"n_rows": "Int64"}), *(one.astype({"n_rows": "Int64"}) for one in standing)])
    grid = reads[["kpi", "table"]].drop_duplicates().merge(units, on="table")
    grid["absent"] = ~grid["table"].isin(checked.tables)
    return grid


def _outcomes(checked: Checked, pairs: pd.DataFrame, grid: pd.DataFrame) -> pd.DataFrame:
    """Return the outcome of each rule for each unit: its own, or the centre's where the rule knows no teams."""
    columns = ["rule", "level", "unit", "period", "outcome", "cause", "reason"]
    history = checked.by_period[columns]
    wanted = grid[["kpi", "table", "level", "unit", "period"]].merge(
        pairs[["kpi", "table", "rule", "verdict", "severity", "of_columns"]], on=["kpi", "table"]
    )
    with_teams = set(history.loc[history["level"] == "team", "rule"])
    own = wanted["rule"].isin(with_teams) | (wanted["level"] == "centre")
    direct = wanted[own].merge(history, on=["rule", "level", "unit", "period"], how="left")
    centre = history[history["level"] == "centre"].drop(columns=["level", "unit"])
    inherited = wanted[~own].merge(centre, on=["rule", "period"], how="left")
    found = pd.concat([direct, inherited], ignore_index=True)
    # A rule that raised or whose table is absent says so for the report period alone; it holds for every other one.
    general = checked.expectations.set_index("rule")
    broken = general[general["cause"].isin(["error", "absent"])]
    where = found["outcome"].isna() & found["rule"].isin(broken.index)
    for column in ("outcome", "cause", "reason"):
        found.loc[where, column] = found.loc[where, "rule"].map(broken[column])
    found["outcome"] = found["outcome"].fillna("not assessed")
    found["cause"] = found["cause"].fillna("nothing")
    found["reason"] = found["reason"].fillna("")
    return found


def _rated(found: pd.DataFrame, grid: pd.DataFrame) -> pd.DataFrame:
    """Turn outcomes into ranks; where no rule of a verdict had anything to look at, the verdict is unknown."""
    failed = found["outcome"] == "failed"
    broken = (found["outcome"] == "not assessed") & (found["cause"] != "nothing")
    assessed = found["outcome"].isin(["passed", "failed"])
    rank = pd.Series(-1, index=found.index)
    rank[assessed] = _RANK["fit"]
    rank[failed] = found.loc[failed, "severity"].map(lambda severity: _RANK[_OF_SEVERITY[severity]])
    rank[broken] = _RANK["unknown"]
    marks = found[[*_UNIT, "verdict"]].assign(rank=rank, rule="", reason="")
    marks.loc[failed | broken, "rule"] = found["rule"]
    marks.loc[failed | broken, "reason"] = found["reason"]
    marks = marks[rank >= 0]
    # Every verdict needs a rule that looked; accuracy needs one on the columns themselves.
    looked = found[(assessed | broken) & (found["of_columns"] | (found["verdict"] == "suitability"))]
    needed = grid[_UNIT].drop_duplicates().merge(pd.DataFrame({"verdict": list(VERDICTS)}), how="cross")
    lacking = needed.merge(looked[[*_UNIT, "verdict"]].drop_duplicates(), how="left", indicator=True)
    lacking = lacking[lacking.pop("_merge") == "left_only"]
    reason = {
        "accuracy": "No rule looked at whether what this figure reads is right",
        "suitability": "No rule looked at whether the data is fit for this question",
    }
    unknown = lacking.assign(rank=_RANK["unknown"], rule="", reason=lacking["verdict"].map(reason))
    return pd.concat([marks, unknown], ignore_index=True)


def _unlooked(
    checked: Checked, reads: pd.DataFrame, pairs: pd.DataFrame, uncovered: pd.DataFrame, grid: pd.DataFrame
) -> pd.DataFrame:
    """Mark figures of which some columns, not all, have no rule."""
    marks = grid[[*_UNIT, "table"]].merge(uncovered, on=["kpi", "table"])
    reason = "No rule looks at " + marks["column"].map(repr) if len(marks) else ""
    return marks[_UNIT].assign(verdict="accuracy", rank=_RANK["caution"], rule="", reason=reason)


def _empty(grid: pd.DataFrame) -> pd.DataFrame:
    """Mark what has no rows, or no table."""
    gone = grid[grid["absent"]]
    none = grid[~grid["absent"] & (grid["n_rows"].fillna(1) == 0)]
    parts = [
        part[_UNIT].assign(
            verdict=verdict,
            rank=_RANK["unknown"],
            rule="",
            reason=[text.format(table=table) for table in part["table"]],
        )
        for part, text in ((gone, "The table {table!r} is absent"), (none, "There are no rows in {table!r}"))
        for verdict in VERDICTS
    ]
    return pd.concat(parts, ignore_index=True)

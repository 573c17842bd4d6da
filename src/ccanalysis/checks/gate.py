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

from ccanalysis.checks.batches import DAILY
from ccanalysis.checks.overrides import Lifting
from ccanalysis.contracts import TABLES

if TYPE_CHECKING:
    from ccanalysis.checks import Checked

# From best to worst. Not fit is known to be wrong; unknown may be.
RATINGS = ("fit", "caution", "unknown", "not fit")
_RANK = {rating: rank for rank, rating in enumerate(RATINGS)}
_OF_SEVERITY = {"block": "not fit", "caution": "caution", "note": "fit"}
VERDICTS = ("accuracy", "suitability")
LEVELS = ("centre", "channel", "site", "team")
_UNIT = ["kpi", "level", "unit", "period"]
COLUMNS = [*_UNIT, "accuracy", "suitability", "rating", "reasons", "rules"]


def gate(checked: Checked, reads: pd.DataFrame, lifting: Lifting | None = None) -> pd.DataFrame:
    """Rate each KPI for the centre and each channel, site and team, per period.

    A rule concerns a KPI when it names it, or names no KPI and speaks of a column that the KPI reads, or of the rows
    of its table. A rule on the whole centre (an independent total, a missing day) concerns its units too, unless it
    says of them what it found. A KPI of some channels is not held to the days, hours and totals of others. The worst
    failure counts: block makes a figure not fit, caution makes it caution, a note is said and changes nothing.

    Args:
        checked: What the suites found.
        reads: One row per KPI and table: kpi, table, columns (tuple of contract columns); where there is a column
            `channels`, the tuple of channels that the KPI keeps to, empty for all: rules on other channels are not
            held against it.
        lifting: Overrides; what they let pass is caution, and they take note of it.

    Returns:
        One row per KPI, level, unit and period: kpi, level (one of `LEVELS`), unit, period, accuracy, suitability,
        rating (the worse of both; each one of `RATINGS`), reasons (tuple of sentences), rules (tuple of the ids of
        the rules behind them).
    """
    reads = reads.reset_index(drop=True)
    grid = _grid(checked, reads)
    present = grid[~grid["absent"]]
    outcomes = _outcomes(checked, _pairs(checked, reads), present)
    unseen = present[[*_UNIT, "table"]].merge(_columns(checked, reads), on=["kpi", "table"])
    unseen = unseen[[*_UNIT, "rank", "reason"]].assign(verdict="accuracy", rule="")
    marks = pd.concat([unseen, _rated(outcomes, present)], ignore_index=True)
    marks, units = _with_figures(checked, reads, marks, grid[_UNIT].drop_duplicates())
    if lifting is not None:
        marks = lifting.lift(marks, _RANK)
    marks = pd.concat([_empty(grid), marks], ignore_index=True)
    worst = (
        marks.pivot_table(index=_UNIT, columns="verdict", values="rank", aggfunc="max")
        .reindex(columns=list(VERDICTS))
        .fillna(_RANK["fit"])
        .astype(int)
    )
    said = marks[marks["reason"] != ""].sort_values(["rank", "rule"], ascending=[False, True], kind="stable")
    reasons = said.groupby(_UNIT)["reason"].agg(lambda each: tuple(dict.fromkeys(each)))
    rules = said[said["rule"] != ""].groupby(_UNIT)["rule"].agg(lambda each: tuple(dict.fromkeys(each)))
    units = units.set_index(_UNIT)
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


def _pairs(checked: Checked, reads: pd.DataFrame) -> pd.DataFrame:
    """Say which rules concern which KPI: kpi, table, rule, verdict, severity, channels (of the KPI)."""
    pairs = []
    rules = list(checked.expectations.itertuples())
    for read in reads.itertuples():
        columns, channels = set(read.columns), set(getattr(read, "channels", None) or ())
        for rule in rules:
            by_columns = rule.table == read.table and (not rule.columns or bool(columns & set(rule.columns)))
            elsewhere = bool(channels) and bool(rule.channels) and not channels & set(rule.channels)
            if (read.kpi in rule.kpis if rule.kpis else by_columns) and not elsewhere:
                kept = tuple(sorted(channels))
                pairs.append((read.kpi, read.table, rule.rule, rule.verdict, rule.severity, kept))
    return pd.DataFrame(pairs, columns=["kpi", "table", "rule", "verdict", "severity", "channels"])


def _columns(checked: Checked, reads: pd.DataFrame) -> pd.DataFrame:
    """Judge each column that a KPI reads: kpi, table, rank, reason, for those that something is to be said of.

    A column without a rule, or without a value that a rule could look at, was not checked. Where the suite expects it
    to be filled in, or where it is all that the KPI reads, nothing can be said of the figure.
    """
    looked_at = set(checked.by_period.loc[checked.by_period["outcome"].isin(["passed", "failed"]), "rule"])
    ruled: set[tuple[str, str]] = set()
    looked: set[tuple[str, str]] = set()
    filled: set[tuple[str, str]] = set()
    for rule in checked.expectations.itertuples():
        keys = {(rule.table, column) for column in rule.columns}
        ruled |= keys
        looked |= keys if rule.rule in looked_at else set()
        filled |= keys if rule.expectation == "expect_column_values_to_not_be_null" else set()
    marks = []
    for read in reads.itertuples():
        derived = (
            {column.name for column in TABLES[read.table].columns if column.derived} if read.table in TABLES else ()
        )
        columns = [column for column in read.columns if column in checked.tables.get(read.table, ())]
        columns = [column for column in columns if column not in derived]
        unseen = [column for column in columns if (read.table, column) not in looked]
        for column in unseen:
            key = (read.table, column)
            if key not in ruled:
                rank, reason = "caution", f"No rule looks at {column!r}, which this figure reads"
            elif key in filled:
                rank, reason = "unknown", f"The export has no {column!r}, which this figure reads"
            else:
                rank, reason = "caution", f"No row of the baseline has {column!r}, which this figure reads"
            rank = "unknown" if unseen == columns else rank
            marks.append((read.kpi, read.table, _RANK[rank], reason))
    return pd.DataFrame(marks, columns=["kpi", "table", "rank", "reason"])


def _grid(checked: Checked, reads: pd.DataFrame) -> pd.DataFrame:
    """Return every KPI, table, level, unit and period there is something to say about, with its rows."""
    coverage = checked.coverage
    units = coverage[coverage["level"].isin(list(LEVELS))][["table", "level", "unit", "period", "n_rows"]]
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
    units = pd.concat([one.astype({"n_rows": "Int64"}) for one in (units, *standing)], ignore_index=True)
    # No complaint about a unit is a figure, not a gap, as long as the centre has complaints of that period.
    centre = units[units["level"] == "centre"].set_index(["table", "period"])["n_rows"]
    of_centre = pd.Series(
        pd.MultiIndex.from_frame(units[["table", "period"]]).map(centre), index=units.index, dtype="Int64"
    )
    none = (units["level"] != "centre") & (units["n_rows"] == 0) & ~units["table"].isin(list(DAILY))
    units["as_centre"] = (none & (of_centre > 0)).fillna(False).astype(bool)
    grid = reads[["kpi", "table"]].drop_duplicates().merge(units, on="table")
    grid["absent"] = ~grid["table"].isin(list(checked.tables))
    return grid


def _outcomes(checked: Checked, pairs: pd.DataFrame, grid: pd.DataFrame) -> pd.DataFrame:
    """Return the outcome of each rule for each unit: its own, or the centre's where the rule knows no teams."""
    columns = ["rule", "level", "unit", "period", "outcome", "cause", "reason"]
    history = checked.by_period[columns]
    wanted = grid[["kpi", "table", "level", "unit", "period", "as_centre"]].merge(pairs, on=["kpi", "table"])
    told = pd.MultiIndex.from_frame(history[["rule", "level"]].drop_duplicates())
    own = pd.MultiIndex.from_frame(wanted[["rule", "level"]]).isin(told) & ~wanted["as_centre"]
    by_channel = _of_channels(wanted, told)
    direct = wanted[own & ~by_channel].merge(history, on=["rule", "level", "unit", "period"], how="left")
    centre = history[history["level"] == "centre"].drop(columns=["level", "unit"])
    inherited = wanted[~own & ~by_channel].merge(centre, on=["rule", "period"], how="left")
    apart = wanted[by_channel].assign(channel=wanted["channels"]).explode("channel")
    channels = history[history["level"] == "channel"].drop(columns="level").rename(columns={"unit": "channel"})
    of_channels = apart.merge(channels, on=["rule", "channel", "period"], how="left")
    found = pd.concat([direct, inherited, of_channels], ignore_index=True)
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


def _with_figures(
    checked: Checked, reads: pd.DataFrame, marks: pd.DataFrame, units: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add what rules found of single figures; a unit that has no rating of its own takes the centre's with it."""
    wrong = checked.figures
    if wrong.empty:
        return marks, units
    rules = checked.expectations.set_index("rule")
    wrong = wrong[wrong["kpi"].isin(reads["kpi"])]
    found = wrong.join(rules[["verdict", "severity", "about"]], on="rule").rename(columns={"about": "reason"})
    found["rank"] = [_RANK[_OF_SEVERITY[severity]] for severity in found.pop("severity")]
    own = found[_UNIT].drop_duplicates().merge(units, how="left", indicator=True)
    own = own[own.pop("_merge") == "left_only"]
    centre = marks[marks["level"] == "centre"].drop(columns=["level", "unit"])
    taken = own.merge(centre, on=["kpi", "period"])
    return (
        pd.concat([marks, taken[marks.columns], found[marks.columns]], ignore_index=True),
        pd.concat([units, own], ignore_index=True),
    )


def _of_channels(wanted: pd.DataFrame, told: pd.MultiIndex) -> pd.Series:
    """Tell where a KPI of some channels is held to what a rule found of those channels alone, not of the centre."""
    keys = pd.MultiIndex.from_arrays([wanted["rule"], ["channel"] * len(wanted)])
    kept = wanted["channels"].map(len) > 0
    return kept & (wanted["level"] == "centre") & pd.Series(keys.isin(told), index=wanted.index)


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
    looked = found[assessed | broken]
    needed = grid[_UNIT].drop_duplicates().merge(pd.DataFrame({"verdict": list(VERDICTS)}), how="cross")
    lacking = needed.merge(looked[[*_UNIT, "verdict"]].drop_duplicates(), how="left", indicator=True)
    lacking = lacking[lacking.pop("_merge") == "left_only"]
    reason = {
        "accuracy": "No rule looked at whether what this figure reads is right",
        "suitability": "No rule looked at whether the data is fit for this question",
    }
    unknown = lacking.assign(rank=_RANK["unknown"], rule="", reason=lacking["verdict"].map(reason))
    return pd.concat([marks, unknown], ignore_index=True)


def _empty(grid: pd.DataFrame) -> pd.DataFrame:
    """Mark what has no rows, or no table."""
    gone = grid[grid["absent"]]
    none = grid[~grid["absent"] & ~grid["as_centre"] & (grid["n_rows"].fillna(1) == 0)]
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

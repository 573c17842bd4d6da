"""Propose rules from history, for somebody to review: what held in past periods, and how often it would not have.

A proposal is an expectation in the form of the suites, of severity *note* until somebody decides otherwise. Its
evidence stands in Great Expectations' own `notes`: how many rows and periods it comes from, and in which it would have
failed. What would have failed in more than a few is not proposed, nor what the contract or the suite already says.

Source:
    Bounds: the median of periods, more or less three scaled median absolute deviations: Leys et al. (2013).
    Proposing rules from data, with evidence: Schelter et al. (2018), Automating large-scale data quality verification,
    Proceedings of the VLDB Endowment 11(12).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ccanalysis import contracts, engine
from ccanalysis.checks import suites
from ccanalysis.checks.batches import DAILY, STANDING, TOLD, period_start
from ccanalysis.checks.tally import Tally
from ccanalysis.contracts import Column, Table
from ccanalysis.engine import literal, quoted
from ccanalysis.errors import NoInputError, SettingsError
from ccanalysis.periods import Period

if TYPE_CHECKING:
    import duckdb

LEAST_PERIODS = 8  # fewer say too little about what is usual
FEW = 0.1  # a rule that would have failed in more than one period in ten is a nuisance, not a rule
LEAST_ROWS = 30
MOSTLY_THERE = 0.8  # a column that fewer rows fill depends on something that no rule of this kind says
DEVIATIONS, MAD_TO_SIGMA = 3.0, 1.4826
LEAST_REACH = 0.1  # of the median: a steady past is no reason to jump at the first change
MOST_VALUES, ROWS_PER_VALUE = 30, 20  # a longer list, or one of rare values, is not closed
OUTER = 0.0025  # of the values on either side lie outside a proposed range, which 99 % must keep to
MIX = ("channel", "direction", "outcome", "kind", "source", "state", "site")
# Texts that name a person or a thing of theirs are never written into a list, whatever their column is called.
_PERSONAL_LOOKING = re.compile(r"@|\d{6}|\+\d{2}")


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """One rule that past periods bear out.

    Attributes:
        expectation: In the form of a suite; it can be moved there as it stands.
        n: The rows, or periods, that it was drawn from.
        failed_in: The past periods in which it would have failed.
        periods: How many periods were looked at and had something to say.
    """

    expectation: dict[str, Any]
    n: int
    failed_in: tuple[str, ...]
    periods: int

    @property
    def id(self) -> str:
        """The rule's id."""
        return self.expectation["meta"]["id"]


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """A rule on rows before it is tried: who counts, who fails, what share must pass."""

    name: str
    type: str
    kwargs: dict[str, Any]
    columns: tuple[str, ...]
    dimension: str
    about: str
    population: str
    bad: str


def suggest(
    tables: Mapping[str, Path],
    table: Table,
    rules: Sequence[suites.Rule],
    *,
    period: Period,
    contract: Mapping[str, Table] = contracts.TABLES,
) -> list[Proposal]:
    """Propose rules for one table from all its periods up to one.

    Args:
        tables: Table name -> staged Parquet file.
        table: The table.
        rules: The rules that stand, those that the contract implies with them.
        period: The last period to look at; its kind is the kind of all.
        contract: The contract tables, with the workspace's own columns.

    Returns:
        Proposals, in the order of their kinds; none of them names a personal value.

    Raises:
        SettingsError: The table holds at all times, so that it has no history.
        NoInputError: It is absent, or has fewer periods than `LEAST_PERIODS`.
    """
    if table.name in STANDING:
        raise SettingsError(
            f"table {table.name!r} holds at all times and has no periods to learn from",
            remedy="Write its rules by hand; see docs/how-to/add-a-rule.md",
        )
    if table.name not in tables:
        raise NoInputError(f"no source fills the table {table.name!r}", remedy="Name a table that is there")
    with engine.connect(tables) as connection:
        labels = _open(connection, table, period)
        if len(labels) < LEAST_PERIODS:
            raise NoInputError(
                f"table {table.name!r} has rows in {len(labels)} periods up to {period.label}, and "
                f"{LEAST_PERIODS} are the least to learn from",
                remedy="Propose rules once there is more history",
            )
        candidates = [
            *_filled(connection, table),
            *_ranges(connection, table),
            *_lists(connection, table, tables, contract),
            *_unique(connection, table),
            *_orders(connection, table, rules),
            *_mixes(connection, table),
        ]
        proposals = _tried(connection, table, candidates, labels)
        proposals += _medians(connection, table, labels)
        proposals += _volume(connection, table, labels)
    standing = [*rules, *suites.implied(table)]
    return [one for one in proposals if not any(_stands(one.expectation, rule) for rule in standing)]


def as_suite(table: str, proposals: Sequence[Proposal]) -> dict[str, Any]:
    """Return proposals as a suite, to be reviewed and moved rule by rule."""
    about = f"Proposals for {table} from history, to be reviewed: move what is right into the suite, with its severity"
    return {"name": table, "meta": {"about": about}, "expectations": [one.expectation for one in proposals]}


def lines(proposals: Sequence[Proposal]) -> list[str]:
    """Return proposals in words, each with what it takes and its evidence, for people to read."""
    if not proposals:
        return ["No rule is proposed: what held in the past is said by the suite or the contract.", ""]
    found = []
    for one in proposals:
        kwargs = {key: value for key, value in one.expectation["kwargs"].items() if key != "ignore_row_if"}
        said = json.dumps(kwargs, ensure_ascii=False)
        found += [one.id, f"  {one.expectation['type']} {said}", f"  {one.expectation['notes']}", ""]
    return found


def _open(connection: duckdb.DuckDBPyConnection, table: Table, period: Period) -> dict[Any, str]:
    """Make the view of past rows; return its periods, the oldest first."""
    start = period_start(quoted(table.local_day), period.kind)
    present = {row[0] for row in connection.execute(f"DESCRIBE {quoted(table.name)}").fetchall()}
    columns = ", ".join(
        quoted(column.name) if column.name in present else f"CAST(NULL AS {column.sql_type}) AS {quoted(column.name)}"
        for column in table.columns
    )
    connection.execute(
        f"CREATE VIEW history AS SELECT {columns}, {start} AS _period FROM {quoted(table.name)}"
        f" WHERE {quoted(table.local_day)} < DATE {literal(period.end.isoformat())}"
    )
    starts = [row[0] for row in connection.execute("SELECT DISTINCT _period FROM history ORDER BY 1").fetchall()]
    return {start: Period.containing(start, period.kind).label for start in starts}


def _filled(connection: duckdb.DuckDBPyConnection, table: Table) -> Iterator[_Candidate]:
    columns = [column for column in table.mapped if not column.required]
    shares = connection.execute(
        f"SELECT {', '.join(f'count({quoted(one.name)}) / count(*) AS {quoted(one.name)}' for one in columns)},"
        " count(*) AS _n FROM history GROUP BY _period"
    ).df()
    rows = float(shares["_n"].median())
    for column in columns:
        share = shares[column.name]
        middle = float(share.median())
        if middle < MOSTLY_THERE:
            continue
        by_chance = math.sqrt(middle * (1 - middle) / max(rows, 1))
        reach = DEVIATIONS * max(float((share - middle).abs().median()) * MAD_TO_SIGMA, by_chance)
        mostly = 1.0 if middle == 1 else math.floor(1000 * max(middle - reach, 0.01)) / 1000
        yield _Candidate(
            name=f"{column.name}_usually_given",
            type="expect_column_values_to_not_be_null",
            kwargs={"column": column.name} | ({"mostly": mostly} if mostly < 1 else {}),
            columns=(column.name,),
            dimension="completeness",
            about=f"have no {column.name}",
            population="TRUE",
            bad=f"{quoted(column.name)} IS NULL",
        )


def _ranges(connection: duckdb.DuckDBPyConnection, table: Table) -> Iterator[_Candidate]:
    for column in table.mapped:
        if column.type not in ("integer", "number"):
            continue
        name = quoted(column.name)
        low, high, n, values = connection.execute(
            f"SELECT quantile_disc({name}, {OUTER}), quantile_disc({name}, {1 - OUTER}), count({name}),"
            f" approx_count_distinct({name}) FROM history"
        ).fetchone() or (None, None, 0, 0)
        if n < LEAST_ROWS / OUTER / 10 or values < 3 or low == high:
            continue
        low, high = (int(end) if column.type == "integer" else float(end) for end in (low, high))
        yield _Candidate(
            name=f"{column.name}_usual_range",
            type="expect_column_values_to_be_between",
            kwargs={"column": column.name, "min_value": low, "max_value": high, "mostly": 0.99},
            columns=(column.name,),
            dimension="validity",
            about=f"have a {column.name} outside the range of the past",
            population=f"{name} IS NOT NULL",
            bad=f"NOT ({name} >= {low} AND {name} <= {high})",
        )


def _lists(
    connection: duckdb.DuckDBPyConnection, table: Table, tables: Mapping[str, Path], contract: Mapping[str, Table]
) -> Iterator[_Candidate]:
    people = _people(connection, tables, contract)
    for column in table.mapped:
        if not _may_be_listed(table, column):
            continue
        name = quoted(column.name)
        counted = connection.execute(
            f"SELECT {name}, count(*) FROM history WHERE {name} IS NOT NULL GROUP BY 1 ORDER BY 1"
            f" LIMIT {MOST_VALUES + 1}"
        ).fetchall()
        values = [value for value, _ in counted]
        rare = sum(n < ROWS_PER_VALUE for _, n in counted)
        if not 2 <= len(values) <= MOST_VALUES or rare or people & set(values):
            continue
        if any(_PERSONAL_LOOKING.search(value) for value in values):
            continue
        yield _Candidate(
            name=f"{column.name}_of_the_past",
            type="expect_column_values_to_be_in_set",
            kwargs={"column": column.name, "value_set": values},
            columns=(column.name,),
            dimension="validity",
            about=f"have a {column.name} that past periods did not have",
            population=f"{name} IS NOT NULL",
            bad=f"{name} NOT IN ({', '.join(literal(value) for value in values)})",
        )


def _may_be_listed(table: Table, column: Column) -> bool:
    """Tell a column whose values may stand in a file: a text of the centre, not of a person, and not an identifier."""
    named = column.name in table.key or column.name.endswith("_id")
    return column.type == "text" and not (column.personal or column.free or _closed(column) or named)


def _closed(column: Column) -> bool:
    """Tell whether the contract already lists the column's values."""
    return column.values is not None  # noqa: PD011  a field of the contract, no frame


def _people(
    connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Path], contract: Mapping[str, Table]
) -> set[str]:
    """Return every value of a personal column of any table, so that no list holds one under another name."""
    found: set[str] = set()
    for name in tables:
        there = {row[0] for row in connection.execute(f"DESCRIBE {quoted(name)}").fetchall()}
        for column in contract[name].columns if name in contract else ():
            if column.personal and not column.free and column.name in there:
                rows = connection.execute(f"SELECT DISTINCT {quoted(column.name)}::VARCHAR FROM {quoted(name)}")
                found |= {value for (value,) in rows.fetchall() if value is not None}
    return found


def _unique(connection: duckdb.DuckDBPyConnection, table: Table) -> Iterator[_Candidate]:
    for column in table.mapped:
        if column.type != "text" or (column.name,) == table.key or column.free or _closed(column):
            continue
        name = quoted(column.name)
        counted = connection.execute(f"SELECT count({name}), count(DISTINCT {name}) FROM history")
        n, distinct = counted.fetchone() or (0, 0)
        if n < LEAST_ROWS or distinct < n:
            continue
        yield _Candidate(
            name=f"{column.name}_unrepeated",
            type="expect_column_values_to_be_unique",
            kwargs={"column": column.name},
            columns=(column.name,),
            dimension="uniqueness",
            about=f"share their {column.name} with another row",
            population=f"{name} IS NOT NULL",
            bad="FALSE",  # it never repeats in all of history, so in no period of it
        )


def _orders(connection: duckdb.DuckDBPyConnection, table: Table, rules: Sequence[suites.Rule]) -> Iterator[_Candidate]:
    stamps = [column.name for column in table.mapped if column.type == "instant"]
    known = _ordered(rules)
    for later, earlier in permutations(stamps, 2):
        if (later, earlier) in known:
            continue
        a, b = quoted(later), quoted(earlier)
        n, kept, apart = connection.execute(
            f"SELECT count({a} - {b}), count_if({a} >= {b}), count_if({a} > {b}) FROM history"
        ).fetchone() or (0, 0, 0)
        if n < LEAST_ROWS or kept < 0.999 * n or apart == 0:
            continue
        yield _Candidate(
            name=f"{later}_after_{earlier}",
            type="expect_column_pair_values_a_to_be_greater_than_b",
            kwargs={
                "column_A": later,
                "column_B": earlier,
                "or_equal": True,
                "ignore_row_if": "either_value_is_missing",
            }
            | ({"mostly": 0.999} if kept < n else {}),
            columns=(earlier, later),
            dimension="consistency",
            about=f"have {later} before {earlier}",
            population=f"{a} IS NOT NULL AND {b} IS NOT NULL",
            bad=f"NOT ({a} >= {b})",
        )


def _ordered(rules: Sequence[suites.Rule]) -> set[tuple[str, str]]:
    """Return the pairs (later, earlier) that rules say, and those that follow from two of them."""
    pairs = {(rule.kwargs["column_A"], rule.kwargs["column_B"]) for rule in rules if "column_A" in rule.kwargs}
    while more := {(a, d) for a, b in pairs for c, d in pairs if b == c and a != d} - pairs:
        pairs |= more
    return pairs


def _mixes(connection: duckdb.DuckDBPyConnection, table: Table) -> Iterator[_Candidate]:
    """Bound the share of the most frequent value from both sides; an upper bound is a lower one on all the others."""
    for column in (table.column(name) for name in MIX if name in table):
        name = quoted(column.name)
        shares = connection.execute(
            f"SELECT _period, {name} AS value, count(*) AS n FROM history WHERE {name} IS NOT NULL GROUP BY ALL"
        ).df()
        wide = shares.pivot_table(index="_period", columns="value", values="n", fill_value=0)
        if not 2 <= wide.shape[1] <= MOST_VALUES or wide.sum(axis=1).median() < LEAST_ROWS:
            continue
        values = sorted(map(str, wide.columns))
        top = str(wide.sum().idxmax())
        share = (wide[top] / wide.sum(axis=1)).to_numpy()
        middle = float(np.median(share))
        by_chance = math.sqrt(middle * (1 - middle) / float(wide.sum(axis=1).median()))
        reach = DEVIATIONS * max(float(np.median(np.abs(share - middle))) * MAD_TO_SIGMA, by_chance, 0.01)
        others = [value for value in values if value != top]
        for side, members, mostly in (("least", [top], middle - reach), ("most", others, 1 - middle - reach)):
            if not 0.01 <= mostly < 1:
                continue
            listed = ", ".join(literal(value) for value in members)
            yield _Candidate(
                name=f"{column.name}_mix_{side}",
                type="expect_column_values_to_be_in_set",
                kwargs={"column": column.name, "value_set": members, "mostly": math.floor(1000 * mostly) / 1000},
                columns=(column.name,),
                dimension="consistency",
                about=f"are {'not ' if side == 'least' else ''}of {column.name} {top}, which shifts the mix",
                population=f"{name} IS NOT NULL",
                bad=f"{name} NOT IN ({listed})",
            )


def _tried(
    connection: duckdb.DuckDBPyConnection, table: Table, candidates: Sequence[_Candidate], labels: Mapping[Any, str]
) -> list[Proposal]:
    """Count each candidate per period in one scan, by its own threshold; keep what few periods would have failed."""
    if not candidates:
        return []
    tally = Tally()
    names = [(tally.count(one.population), tally.count(one.population, one.bad)) for one in candidates]
    counted = connection.execute(tally.query("history", by=("_period",))).df().sort_values("_period")
    found = []
    for candidate, (n, bad) in zip(candidates, names, strict=True):
        own = counted[counted[n] > 0]
        passed = (own[n] - own[bad]) / own[n] >= candidate.kwargs.get("mostly", 1)
        failed_in = tuple(labels[pd.Timestamp(one).date()] for one in own.loc[~passed, "_period"])
        if len(own) < LEAST_PERIODS or len(failed_in) > FEW * len(own):
            continue
        found.append(
            _proposal(
                table,
                candidate.name,
                candidate.type,
                candidate.kwargs,
                candidate.columns,
                candidate.dimension,
                candidate.about,
                n=int(own[n].sum()),
                failed_in=failed_in,
                labels=[labels[pd.Timestamp(one).date()] for one in own["_period"]],
            )
        )
    return found


def _medians(connection: duckdb.DuckDBPyConnection, table: Table, labels: Mapping[Any, str]) -> list[Proposal]:
    """Bound the median of each duration, per medium where there are several: a changed unit moves it at once."""
    found = []
    by = "channel" if "channel" in table else "NULL"
    for column in table.mapped:
        if not (column.name.endswith("_s") and column.type in ("integer", "number")):
            continue
        name = quoted(column.name)
        medians = connection.execute(
            f"SELECT _period, {by} AS medium, median({name})::DOUBLE AS value, count({name}) AS n FROM history"
            f" GROUP BY ALL HAVING count({name}) >= {LEAST_ROWS} ORDER BY 1"
        ).df()
        for medium, own in medians.groupby("medium", dropna=False):
            if len(own) < LEAST_PERIODS:
                continue
            low, high = _bounds(own["value"])
            failed = own.loc[(own["value"] < low) | (own["value"] > high), "_period"]
            failed_in = tuple(labels[pd.Timestamp(one).date()] for one in failed)
            if len(failed_in) > FEW * len(own) or high <= low:
                continue
            one_medium = isinstance(medium, str)
            condition = {"type": "comparison", "column": {"name": "channel"}, "operator": "==", "parameter": medium}
            found.append(
                _proposal(
                    table,
                    f"{column.name}_median" + (f"_{medium}" if one_medium else ""),
                    "expect_column_median_to_be_between",
                    {"column": column.name, "min_value": low, "max_value": high}
                    | ({"row_condition": condition} if one_medium else {}),
                    (column.name,),
                    "consistency",
                    f"the median of {column.name}" + (f" of {medium}" if one_medium else "") + " is unlike the past",
                    n=int(own["n"].sum()),
                    failed_in=failed_in,
                    labels=[labels[pd.Timestamp(one).date()] for one in own["_period"]],
                )
            )
    return found


def _volume(connection: duckdb.DuckDBPyConnection, table: Table, labels: Mapping[Any, str]) -> list[Proposal]:
    """Bound the rows of a period; tables with a volume per open day have a rule that learns by itself."""
    if table.name in DAILY:
        return []
    counted = connection.execute("SELECT _period, count(*) AS n FROM history GROUP BY 1 ORDER BY 1").df()
    low, high = _bounds(counted["n"], noise=math.sqrt(float(counted["n"].median())))
    low, high = math.floor(low), math.ceil(high)
    failed = counted.loc[(counted["n"] < low) | (counted["n"] > high), "_period"]
    failed_in = tuple(labels[pd.Timestamp(one).date()] for one in failed)
    if len(failed_in) > FEW * len(counted):
        return []
    return [
        _proposal(
            table,
            "rows_usual",
            "expect_column_values_to_be_between",
            {"column": "n_rows", "min_value": low, "max_value": high},
            (),
            "completeness",
            "the number of rows is unlike the past",
            n=len(counted),
            failed_in=failed_in,
            labels=list(labels.values()),
            on="period",
            verdict="suitability",
        )
    ]


def _bounds(values: pd.Series, *, noise: float = 0.0) -> tuple[float, float]:
    """Return what the middle of past periods and their spread lead to expect, to three digits, outward."""
    middle = float(values.median())
    spread = max(float((values - middle).abs().median()) * MAD_TO_SIGMA, noise)
    reach = max(DEVIATIONS * spread, LEAST_REACH * abs(middle))
    low, high = max(middle - reach, 0.0) if (values >= 0).all() else middle - reach, middle + reach
    digits = 10.0 ** (math.floor(math.log10(max(abs(high), 1e-9))) - 2)
    # Rounded once more, because 3 x 0.1 is not 0.3.
    return round(math.floor(low / digits) * digits, 9), round(math.ceil(high / digits) * digits, 9)


def _proposal(
    table: Table,
    name: str,
    kind: str,
    kwargs: dict[str, Any],
    columns: tuple[str, ...],
    dimension: str,
    about: str,
    *,
    n: int,
    failed_in: tuple[str, ...],
    labels: Sequence[str],
    on: str = "rows",
    verdict: str = "accuracy",
) -> Proposal:
    would = f"would have failed in {len(failed_in)} of them" if failed_in else "would have failed in none of them"
    which = f" ({', '.join(failed_in)})" if failed_in else ""
    what = "periods" if on == "period" else "rows"
    meta = {
        "id": f"{table.name}.{name}",
        **({"on": on} if on != "rows" else {}),
        "dimension": dimension,
        "verdict": verdict,
        "severity": "note",
        "columns": list(columns),
        "kpis": [],
        "about": about,
        "remedy": "Look whether the export, its mapping or the centre changed; then correct the one or the rule",
    }
    notes = f"Proposed from {n:,} {what} of {len(labels)} periods, {labels[0]} to {labels[-1]}; it {would}{which}."
    expectation = {"type": kind, "severity": "info", "kwargs": kwargs, "notes": notes, "meta": meta}
    return Proposal(expectation=expectation, n=n, failed_in=failed_in, periods=len(labels))


def _stands(expectation: Mapping[str, Any], rule: suites.Rule) -> bool:
    """Tell whether a rule says as much as a proposal, or was made from it."""
    if rule.id == expectation["meta"]["id"]:
        return True
    ours, theirs = expectation["kwargs"], rule.kwargs
    about = ("column", "column_A", "column_B", "column_list")
    if rule.type != expectation["type"] or any(ours.get(key) != theirs.get(key) for key in about):
        return False
    if not _same_rows(ours.get("row_condition"), theirs.get("row_condition")):
        return False
    # A share of the suite that is close to the past's was somebody's choice, and is not haggled with.
    if theirs.get("mostly", 1) < ours.get("mostly", 1) - (0.05 if rule.type in suites.COUNT_MISSING else 0):
        return False
    if "value_set" in ours:
        return set(theirs["value_set"]) <= set(ours["value_set"])
    return _at_least_as_strict(ours, theirs)


def _same_rows(ours: Any, theirs: Any) -> bool:
    if ours == theirs:
        return True
    named = theirs.get("column", {}).get("name", "") if isinstance(theirs, dict) else ""
    return ours is None and named.startswith(TOLD)


def _at_least_as_strict(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    for bound, sign in (("min_value", 1), ("max_value", -1)):
        wanted, there = ours.get(bound), theirs.get(bound)
        if isinstance(there, dict):  # a parameter that the run computes from history itself
            continue
        if wanted is not None and (not isinstance(there, int | float) or sign * there < sign * wanted):
            return False
    return True

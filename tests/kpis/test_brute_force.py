"""Every KPI of the catalogue against a plain recomputation in Python, at every level, kind of period and hour."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccanalysis.contracts import TABLES
from ccanalysis.kpis.components import LEVELS, components
from ccanalysis.kpis.measures import CATALOGUE, from_catalogue
from ccanalysis.periods import KINDS, Period

from . import brute_force
from .conftest import make_kpi
from .worlds import DAYS, calendar, files, world

KPIS = {name: make_kpi(name, levels=tuple(LEVELS)) for name in CATALOGUE}


def levels_of(measure):
    """List the levels that all tables of a measure know."""
    return [
        level for level, column in LEVELS.items() if column is None or all(column in TABLES[t] for t in measure.tables)
    ]


def test_every_measure_has_a_second_implementation():
    """A measure that is added to the catalogue needs one here."""
    assert set(brute_force.figures(world(0))) == set(CATALOGUE)


@settings(max_examples=2)
@given(st.integers(0, 10**6), st.sampled_from(KINDS))
def test_every_kpi_is_what_plain_python_gives(tmp_path_factory, seed, kind):
    """Both sides, n and squares, and all bins of percentiles, of every unit at every level."""
    check(tmp_path_factory.mktemp("world"), seed, kind)


@pytest.mark.parametrize(
    ("seed", "kind"), [(1, "week"), (2, "week"), (3, "week"), (2, "day"), (3, "month"), (1, "quarter"), (2, "year")]
)
def test_every_kind_of_period_at_every_season(tmp_path, seed, kind):
    """New year, spring and autumn, whatever is drawn."""
    check(tmp_path, seed, kind)


def check(folder, seed, kind):
    """Compare every figure of a world with its second implementation."""
    rows = world(seed)
    begin = min(row["local_date"] for row in rows["contacts"])
    since = Period.containing(begin, kind)
    until = Period.containing(begin.fromordinal(begin.toordinal() + DAYS), kind)
    found = components(
        files(folder, rows),
        list(KPIS.values()),
        kind=kind,
        since=since,
        until=until,
        contract=TABLES,
        calendar=calendar(),
    )
    periods, period = [], since
    while period <= until:
        periods.append((period.start, period.end))
        period = period.shift(1)
    sums = dict(list(found.sums.groupby("kpi")))
    histograms = dict(list(found.histograms.groupby("kpi")))
    seen = 0
    for name, figure in brute_force.figures(rows).items():
        measure = from_catalogue(name, {})
        own = sums.get(name, found.sums.head(0))
        listed = own[["level", "unit", "period", "numerator", "denominator", "n", "squares"]].to_numpy().tolist()
        for level in levels_of(measure):
            read = {(unit, start): rest for at, unit, start, *rest in listed if at == level}
            wanted = brute_force.sums(figure, rows, level, kind, periods)
            assert read == wanted, (name, level)
            seen += len(wanted)
        if figure.bins:
            kept = histograms.get(name, found.histograms.head(0))
            kept = kept[["level", "unit", "period", "bin", "n", "censored"]].to_numpy().tolist()
            for level in levels_of(measure):
                read = {(unit, start, at): rest for own_level, unit, start, at, *rest in kept if own_level == level}
                assert read == brute_force.bins(figure, rows, level, kind, periods), (name, level)
    assert seen > 400


@pytest.mark.parametrize("seed", [4, 5])
def test_hours_of_day_are_what_plain_python_gives(tmp_path, seed):
    """Every unit at every level, hour by hour."""
    rows = world(seed)
    begin = min(row["local_date"] for row in rows["contacts"])
    since, until = (
        Period.containing(begin, "year"),
        Period.containing(begin.fromordinal(begin.toordinal() + DAYS), "year"),
    )
    names = ("service_level", "aht", "fcr", "transfer_rate", "asa")
    found = components(
        files(tmp_path, rows),
        [KPIS[name] for name in names],
        kind="year",
        since=since,
        until=until,
        contract=TABLES,
        by_hour=True,
    ).sums
    figures = brute_force.figures(rows)
    for name in names:
        for level in levels_of(from_catalogue(name, {})):
            wanted = {}
            for hour in range(24):
                part = rows | {"contacts": [row for row in rows["contacts"] if row["local_hour"] == hour]}
                totals = brute_force.sums(
                    figures[name], part, level, "year", [(since.start, since.end), (until.start, until.end)]
                )
                wanted |= {(*key, hour): total for key, total in totals.items()}
            own = found[(found["kpi"] == name) & (found["level"] == level)]
            columns = own[["unit", "period", "hour", "numerator", "denominator", "n", "squares"]].to_numpy().tolist()
            assert {(unit, start, hour): rest for unit, start, hour, *rest in columns} == wanted

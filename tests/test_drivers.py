"""Drivers: contributions add up, published figures are met, what is planted is named and noise is not."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccanalysis import drivers
from ccanalysis.kpis.components import PART_KEYS
from ccanalysis.kpis.measures import from_catalogue
from ccanalysis.kpis.register import Approval, Kpi, Target
from ccanalysis.periods import Period

NOW = Period.parse("2026-W46")
BEFORE = NOW.shift(-1)
SHARE, MEAN, RATE = (from_catalogue(name, {}) for name in ("answer_rate", "asa", "complaints_per_1000"))
NAN = float("nan")


def kpi_of(measure=SHARE, better="up", **changed):
    """Return an approved KPI."""
    given = {
        "id": "kpi",
        "name": "The KPI",
        "purpose": "To see.",
        "measure": measure,
        "better": better,
        "levels": ("centre", "team"),
        "targets": (Target(since=date(2020, 1, 1), team=0.8, individual=0.8),),
        "frequency": "week",
        "minimum_n": 1,
        "owner": "Head of Operations",
        "approval": Approval(state="approved", by="Board", on=date(2020, 1, 1)),
        "action_after_review": "Look at the rota.",
    }
    return Kpi(**(given | changed))


def parts_of(cells, *, unit=("centre", "centre"), dimension="queue", kpi="kpi", squares=None):
    """Lay out parts given as `{part: (now above, now below, before above, before below)}`; None is no row."""
    rows = []
    for part, numbers in cells.items():
        for period, (above, below) in ((NOW, numbers[:2]), (BEFORE, numbers[2:])):
            if above is None:
                continue
            square = 0 if squares is None else squares[part, period.label]
            rows.append((kpi, *unit, dimension, part, period.start, above, below, below, square, 0))
    return pd.DataFrame(rows, columns=[*PART_KEYS, "numerator", "denominator", "n", "squares", "people"])


def judged_of(parts, kpi, *, target=0.8, high=NAN, status="missed_real"):
    """Give a verdict to every unit of some parts."""
    now = parts[parts["period"] == NOW.start]
    first = now["dimension"] == now["dimension"].iloc[0]
    sums = now[first].groupby(["kpi", "level", "unit"], as_index=False)[["numerator", "denominator", "n"]].sum()
    return sums.assign(
        value=sums["numerator"] / sums["denominator"] * kpi.measure.factor,
        target=target,
        target_high=high,
        better=kpi.better,
        status=status,
    )


def line_of(judged, *, rating="fit", provisional=False):
    """Give every unit a period before that may be counted from."""
    return judged[["kpi", "level", "unit", "value"]].assign(period=BEFORE.label, rating=rating, provisional=provisional)


def driven(parts, kpi=None, *, line=None, **judging):
    """Take parts apart."""
    kpi = kpi or kpi_of()
    judged = judged_of(parts, kpi, **judging)
    return drivers.drivers(parts, judged, line_of(judged) if line is None else line, [kpi], NOW)


def named(frame, flag="gap_driver"):
    """Return the parts that are named."""
    return [] if frame.empty else frame.loc[frame[flag].astype(bool), "part"].tolist()


# Adding up.

counts = st.integers(0, 100_000)
cell = st.tuples(counts, counts, counts, counts)


@settings(max_examples=100)
@given(
    cells=st.dictionaries(st.sampled_from([*"abcdefgh", "not recorded"]), cell, min_size=2, max_size=9),
    kind=st.sampled_from([SHARE, MEAN, RATE]),
    target=st.floats(0.001, 1000),
    absent=st.sets(st.tuples(st.sampled_from([*"abcdefgh"]), st.booleans())),
)
def test_contributions_add_up_to_the_gap_and_to_the_change(cells, kind, target, absent):
    """Whatever the parts: absent in a period, not recorded, with nothing below the line or nothing above it."""
    for part, then in absent:
        if part in cells:
            one = cells[part]
            cells[part] = (*one[:2], None, None) if then else (None, None, *one[2:])
    kpi = kpi_of(kind, better="down" if kind is not SHARE else "up")
    parts = parts_of(cells)
    if kind is SHARE:  # no more above than below
        parts["numerator"] = np.minimum(parts["numerator"], parts["denominator"])
    now, before = (parts[parts["period"] == period.start] for period in (NOW, BEFORE))
    if not now["denominator"].sum():
        return
    frame = driven(parts, kpi, target=target)
    if frame.empty:
        assert (parts.groupby("part")[["numerator", "denominator"]].sum() != 0).any(axis=1).sum() < 2
        return
    factor = kpi.measure.factor
    value = now["numerator"].sum() / now["denominator"].sum() * factor
    size = max(abs(value), target, 1e-9)
    assert frame["gap"].sum() == pytest.approx(value - target, abs=1e-9 * size)
    assert frame["share"].sum() == pytest.approx(1)
    if before["denominator"].sum():
        base = before["numerator"].sum() / before["denominator"].sum() * factor
        size = max(abs(value), abs(base), 1e-9)
        assert frame["change"].sum() == pytest.approx(value - base, abs=1e-9 * size)
        assert (frame["mix"] + frame["rate"]).tolist() == pytest.approx(frame["change"].tolist())
    else:
        assert frame[["mix", "rate", "change"]].isna().all(axis=None)


@settings(max_examples=60)
@given(
    cells=st.dictionaries(st.sampled_from([*"abcdefgh", "other"]), cell, min_size=2, max_size=9),
    smallest=st.integers(1, 60_000),
    people=st.lists(st.integers(0, 5), min_size=18, max_size=18),
)
def test_merged_parts_add_up_and_none_of_them_is_small(cells, smallest, people):
    """Whatever is merged, the whole is the same, and every part has cases and people enough in both periods."""
    parts = parts_of(cells)
    parts["numerator"] = np.minimum(parts["numerator"], parts["denominator"])
    parts["people"] = np.minimum(people[: len(parts)], parts["n"])
    if not parts.loc[parts["period"] == NOW.start, "denominator"].sum():
        return
    frame = driven(parts)
    if frame.empty:
        return
    merged = drivers.gathered(frame, smallest=smallest, fewest=3)
    if merged.empty:
        return
    assert merged["part"].is_unique
    for column in ("gap", "change", "n", "n_before", "numerator", "denominator_before"):
        assert merged[column].sum(skipna=False) == pytest.approx(frame[column].sum(skipna=False), nan_ok=True)
    for end in ("", "_before"):
        n, known = merged[f"n{end}"].fillna(0), merged[f"people{end}"].fillna(0)
        assert ((n == 0) | (n >= smallest)).all()
        assert ((known == 0) | (known >= 3)).all()


def test_a_change_of_mix_alone_has_no_rate_and_the_other_way_round():
    """Every queue as good as before, and more of the bad one; then the same shares, and one queue worse."""
    moved = driven(parts_of({"a": (90, 100, 270, 300), "b": (150, 300, 50, 100)}))
    assert moved["rate"].tolist() == pytest.approx([0, 0])
    assert moved["mix"].sum() == pytest.approx(240 / 400 - 320 / 400)
    worse = driven(parts_of({"a": (90, 100, 90, 100), "b": (30, 100, 50, 100)}))
    assert worse["mix"].tolist() == pytest.approx([0, 0])
    assert worse["rate"].tolist() == pytest.approx([0, -0.1])


def test_a_queue_that_opened_is_all_mix():
    """It had no figure before, so nothing within it can have changed."""
    frame = driven(parts_of({"a": (80, 100, 80, 100), "new": (20, 100, None, None)})).set_index("part")
    assert frame["rate"].tolist() == pytest.approx([0, 0])
    assert frame["mix"].sum() == pytest.approx(0.5 - 0.8)
    assert np.isnan(frame.loc["new", "value_before"])


def test_an_event_without_its_base_counts_as_rate():
    """Three complaints of a team that handled nothing: they belong to no mix, and are in the sum."""
    kpi = kpi_of(RATE, better="down")
    frame = driven(parts_of({"a": (10, 1000, 10, 1000), "b": (3, 0, 0, 0)}, dimension="team"), kpi, target=12)
    frame = frame.set_index("part")
    assert frame.loc["b", ["gap", "mix", "rate"]].tolist() == pytest.approx([3, 0, 3])
    assert frame["gap"].sum() == pytest.approx(13 - 12)
    assert not frame["gap_driver"].any()


def test_times_and_rates_stand_in_their_own_unit():
    """Seconds of the mean; complaints per thousand, not per contact."""
    squares = {(part, period.label): 10**7 for part in "ab" for period in (NOW, BEFORE)}
    times = driven(
        parts_of({"a": (3000, 100, 2000, 100), "b": (1000, 100, 1000, 100)}, squares=squares),
        kpi_of(MEAN, better="down"),
        target=12,
    )
    assert times[["gap", "rate"]].to_numpy().tolist() == [[9, 5], [-1, 0]]
    rates = driven(parts_of({"a": (30, 1000, 20, 1000), "b": (10, 1000, 10, 1000)}), kpi_of(RATE), target=12)
    assert rates[["gap", "rate"]].to_numpy().tolist() == pytest.approx(np.array([[9, 5], [-1, 0]]))


@pytest.mark.parametrize(
    ("value", "gap"), [(300, -30), (500, 50), (400, NAN)], ids=["too_short", "too_long", "inside_the_band"]
)
def test_a_band_is_missed_at_its_nearer_end(value, gap):
    """Handling times have two wrong sides; inside there is no gap to explain."""
    squares = {(part, period.label): value**2 * 120 for part in "ab" for period in (NOW, BEFORE)}
    cells = dict.fromkeys("ab", (value * 100, 100, value * 100, 100))
    frame = driven(parts_of(cells, squares=squares), kpi_of(MEAN, "within"), target=330, high=450)
    assert frame["gap"].sum(skipna=False) == pytest.approx(gap, nan_ok=True)


# Published.


@pytest.mark.shared
def test_headship_rates_are_split_as_kitagawa_and_das_gupta_do(shared):
    """US headship rates of 1970 and 1985 (Das Gupta 1993, example 5.1): structure 1.2269, rate 1.7403."""
    folder = Path(shared) / "oracles" / "decomp_kitagawa_dg_5_1_headship"
    table = json.loads((folder / "expected.json").read_text())["table"]
    expected = {row["factor"]: row["diff"] for row in table}
    with (folder / "input.csv").open() as file:
        rows = list(csv.DictReader(file))
    cells: dict[str, list[float]] = {}
    for row in sorted(rows, key=lambda row: row["pop"], reverse=True):  # 1985 is now, 1970 before
        size = float(row["size"]) * 1000
        cells.setdefault(row["age_group"], []).extend([float(row["rate"]) * size, size])
    ratio = replace(SHARE, kind="ratio")
    frame = driven(parts_of({part: tuple(numbers) for part, numbers in cells.items()}), kpi_of(ratio), target=50)
    sums = frame[["mix", "rate", "change"]].sum()
    assert sums.round(4).tolist() == [expected["size"], expected["rate"], expected["crude"]]


# What is named.


def test_a_queue_that_fails_alone_is_named():
    """Two queues meet the target, the third does not."""
    frame = driven(parts_of({"a": (450, 500, 450, 500), "b": (440, 500, 440, 500), "c": (250, 500, 260, 500)}))
    assert named(frame) == ["c"]
    assert named(frame, "change_driver") == []


def test_where_all_fall_short_alike_none_is_named():
    """The gap is large and real, and nobody's own."""
    frame = driven(parts_of(dict.fromkeys("abcdef", (300, 500, 300, 500))))
    assert frame["gap"].sum() == pytest.approx(-0.2)
    assert named(frame) == []


def test_what_fell_alone_drives_the_change_and_what_fell_with_all_does_not():
    """One queue falls by thirty points while the others stay; then all fall by thirty."""
    alone = parts_of({"a": (450, 500, 450, 500), "b": (455, 500, 450, 500), "c": (250, 500, 400, 500)})
    assert named(driven(alone), "change_driver") == ["c"]
    every = parts_of(dict.fromkeys("abc", (300, 500, 450, 500)))
    assert named(driven(every), "change_driver") == []


def test_more_of_the_hard_work_is_named_as_mix():
    """The queues are as good as before; the bad one has three times the calls."""
    frame = driven(parts_of({"a": (900, 1000, 1800, 2000), "b": (1000, 2000, 500, 1000)}))
    assert frame["mix_driver"].all()
    assert named(frame, "change_driver") == []


def test_a_change_that_could_be_chance_has_no_driver():
    """One queue fell, another rose as much: the whole did not move."""
    frame = driven(parts_of({"a": (300, 500, 400, 500), "b": (400, 500, 300, 500)}))
    assert not frame["moved"].any()
    assert named(frame, "change_driver") == []


@pytest.mark.parametrize("kind", [SHARE, MEAN, RATE], ids=lambda kind: kind.kind)
def test_a_few_cases_name_nothing(kind):
    """However bad they look."""
    squares = {(part, period.label): 10**9 for part in "ab" for period in (NOW, BEFORE)}
    cells = {"a": (900, 1000, 900, 1000), "b": (1 if kind is SHARE else 6, 4, 3, 4)}
    frame = driven(parts_of(cells, squares=squares), kpi_of(kind, "up" if kind is SHARE else "down"), target=0.95)
    assert "b" not in named(frame) + named(frame, "change_driver")


@pytest.mark.parametrize(
    ("cells", "comparable"),
    [
        pytest.param({"not recorded": (2, 2, 0, 0)}, True, id="a_handful"),
        pytest.param({"not recorded": (95, 100, 0, 0)}, False, id="too_many"),
        pytest.param({"not recorded": (0, 40, 0, 0)}, False, id="of_their_own_kind"),
    ],
)
def test_a_dimension_is_named_only_where_what_is_recorded_speaks_for_all(cells, comparable):
    """Abandoned calls have no reason: by reason every call was answered, and "not recorded" would be to blame."""
    known = {"a": (475, 500, 0, 0), "b": (300, 500, 0, 0)}
    frame = driven(parts_of(known | cells, dimension="reason"))
    assert set(frame["comparable"]) == {comparable}
    assert named(frame) == (["b"] if comparable else [])


@pytest.mark.parametrize("status", ["met", "within_tolerance", "no_target"])
def test_a_gap_is_explained_only_where_the_target_is_missed(status):
    """The contributions are there, no name is."""
    frame = driven(parts_of({"a": (450, 500, 0, 0), "b": (250, 500, 0, 0)}), status=status)
    assert named(frame) == []


def test_a_figure_that_is_not_judged_is_not_taken_apart():
    """Its data are not fit: whatever its parts say, they say it of the data."""
    parts = parts_of({"a": (450, 500, 450, 500), "b": (250, 500, 250, 500)})
    assert driven(parts, status="not_judged").empty


@pytest.mark.parametrize("line", [{"rating": "not fit"}, {"rating": "unknown"}, {"provisional": True}])
def test_nothing_is_counted_from_a_period_that_is_not_fit(line):
    """The gap stands, the change does not."""
    parts = parts_of({"a": (450, 500, 50, 500), "b": (250, 500, 250, 500)})
    judged = judged_of(parts, kpi_of())
    frame = driven(parts, line=line_of(judged, **line))
    assert frame[["mix", "rate", "change", "value_before", "total_before"]].isna().all(axis=None)
    assert frame["gap"].sum() == pytest.approx(-0.1)
    assert not frame["change_driver"].any() and not frame["mix_driver"].any()


def simulated(draw, measure, probability, week):
    """Draw two weeks of a centre in which no dimension tells anything: parts differ by chance alone."""
    frames = []
    for dimension, parts in {"site": 2, "team": 6, "queue": 3, "channel": 3, "reason": 8, "hour": 12}.items():
        cells, squares = {}, {}
        for number, share in enumerate(draw.dirichlet(np.full(parts, 5.0))):
            numbers = []
            for period in (NOW, BEFORE):
                n = int(draw.poisson(1800 * share))
                if measure.kind == "mean":
                    times = np.round(draw.lognormal(np.log(300), 0.6, n))
                    above = times.sum()
                    squares[f"p{number}", period.label] = int((times**2).sum())
                else:
                    above = draw.binomial(n, probability) if measure.kind == "share" else draw.poisson(n * probability)
                numbers += [int(above), n]
            cells[f"p{number}"] = tuple(numbers)
        unit = ("centre", f"week {week}")  # each week is a centre of its own
        frames.append(parts_of(cells, dimension=dimension, squares=squares or None, unit=unit, kpi=f"kpi {week}"))
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize(
    ("measure", "better", "probability", "target"),
    [
        pytest.param(SHARE, "up", 0.75, 0.8, id="service_level"),
        pytest.param(SHARE, "down", 0.06, 0.05, id="abandoned"),
        pytest.param(RATE, "down", 0.014, 12, id="complaints"),
        pytest.param(MEAN, "down", 0, 300, id="handling_time"),
    ],
)
def test_in_two_hundred_weeks_of_noise_hardly_one_in_twenty_names_a_driver(measure, better, probability, target):
    """A centre that misses its target everywhere alike, by site, team, queue, channel, reason and hour."""
    draw = np.random.default_rng(46)
    weeks = range(200)
    parts = pd.concat([simulated(draw, measure, probability, week) for week in weeks], ignore_index=True)
    kpis = [kpi_of(measure, better, id=f"kpi {week}") for week in weeks]
    judged = judged_of(parts, kpis[0], target=target)
    frame = drivers.drivers(parts, judged, line_of(judged), kpis, NOW)
    assert frame["unit"].nunique() == 200 and not frame["peers"].any()
    alarms = frame.groupby("unit")[["gap_driver", "change_driver", "mix_driver"]].any().any(axis=1)
    assert alarms.sum() <= 10

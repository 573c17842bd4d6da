"""Drivers: contributions add up, published figures are met, what is planted is named and noise is not."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccanalysis import charts, drivers, views
from ccanalysis.contracts import TABLES
from ccanalysis.disclosure import FEWEST_BEHIND, SMALLEST_SHOWN
from ccanalysis.display import COLOURS
from ccanalysis.editions import Reader, cut
from ccanalysis.errors import StatisticsError
from ccanalysis.kpis.components import DIMENSIONS, PART_KEYS, components, dimensions, parts
from ccanalysis.kpis.measures import from_catalogue
from ccanalysis.kpis.register import Approval, Kpi, Target
from ccanalysis.periods import Period
from ccanalysis.reports.figures import checked
from ccanalysis.reports.picture import _mark, still
from ccanalysis.results import FRAMES, Results

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
    for dimension, how_many in {"site": 2, "team": 6, "queue": 3, "channel": 3, "reason": 8, "hour": 12}.items():
        cells, squares = {}, {}
        for number, share in enumerate(draw.dirichlet(np.full(how_many, 5.0))):
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


# From rows to parts.

TYPES = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "instant": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
}


def table_of(path, name, rows):
    """Write rows of a contract table; what a row does not name is missing."""
    columns = TABLES[name].columns
    pq.write_table(
        pa.table({c.name: pa.array([row.get(c.name) for row in rows], TYPES[c.type]) for c in columns}), path
    )
    return path


def contacts_of(seed, size=400):
    """Draw contacts of two weeks in which every dimension has gaps."""
    draw = np.random.default_rng(seed)

    def some(*values):
        return None if draw.random() < 0.1 else values[int(draw.integers(len(values)))]

    rows = []
    for number in range(size):
        day = BEFORE.start + timedelta(days=int(draw.integers(14)))
        rows.append(
            {
                "contact_id": str(number),
                "offered_at": datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
                "local_date": day,
                "local_hour": some(8, 9, 13),
                "channel": some("voice", "chat") or "voice",
                "outcome": some("answered", "answered", "abandoned") or "answered",
                **{"queue": some("Billing", "Technical"), "reason": some("Bill", "Fault", "other")},
                **{"site": some("Leeds", "Cardiff"), "team": some("Aire", "Taff"), "agent_id": some(*"abcdef")},
                "wait_s": int(draw.integers(0, 90)),
                "talk_s": some(60, 200, 700),
            }
        )
    return rows


@pytest.mark.parametrize("measure", ["answer_rate", "aht", "complaints_per_1000"])
def test_the_parts_of_every_dimension_add_up_to_the_figure_that_is_judged(tmp_path, measure):
    """Rows without a queue, events in a team that handled nothing: counted once in each dimension, and no row lost."""
    rows = contacts_of(3)
    tables = {"contacts": table_of(tmp_path / "contacts.parquet", "contacts", rows)}
    lodged = [
        {
            "complaint_id": str(number),
            "received_at": datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
            "local_date": day,
            **{"site": site, "team": team, "channel": "email"},
        }
        for number, (day, site, team) in enumerate(
            [(NOW.start, "Leeds", "Aire"), (NOW.start, None, "Swale"), (BEFORE.start, "Leeds", None)]
        )
    ]
    tables["complaints"] = table_of(tmp_path / "complaints.parquet", "complaints", lodged)
    kpi = kpi_of(from_catalogue(measure, {}), levels=("centre", "site", "team"))
    asked = {"kind": "week", "since": BEFORE, "until": NOW, "contract": TABLES}
    found = parts(tables, [kpi], **asked)
    whole = components(tables, [kpi], **asked).sums
    across = ["site", "team"] if measure == "complaints_per_1000" else list(DIMENSIONS)
    within = [name for name in across if name not in ("site", "team")]
    assert set(found.loc[found["level"] == "centre", "dimension"]) == set(across)
    assert set(found.loc[found["level"] == "team", "dimension"]) == set(within)
    sides = ["numerator", "denominator", "n", "squares"]
    for row in whole[whole["level"].isin(["centre", "team"])].to_dict("records"):
        own = found[(found["level"] == row["level"]) & (found["unit"] == row["unit"])]
        own = own[own["period"] == row["period"]]
        for _, rows_of in own.groupby("dimension"):
            assert rows_of[sides].sum().to_dict() == {side: row[side] for side in sides}
    if measure == "complaints_per_1000":
        orphan = found[(found["part"] == "Swale")]
        assert orphan[["numerator", "denominator"]].to_numpy().tolist() == [[1, 0]]
    else:
        assert {"not recorded"} < set(found.loc[found["dimension"] == "queue", "part"])
        assert set(found.loc[found["dimension"] == "hour", "part"]) == {"08:00", "09:00", "13:00", "not recorded"}
        assert "unassigned" in set(found.loc[found["dimension"] == "team", "part"])


def test_people_are_counted_and_never_named(tmp_path):
    """At least how many agents stand behind a part is known; no dimension is a person."""
    rows = contacts_of(5)
    tables = {"contacts": table_of(tmp_path / "contacts.parquet", "contacts", rows)}
    asked = {"kind": "week", "since": BEFORE, "until": NOW, "contract": TABLES}
    found = parts(tables, [kpi_of()], **asked)
    one = found[(found["level"] == "team") & (found["unit"] == "Aire") & (found["part"] == "Billing")]
    for row in one.to_dict("records"):
        end = NOW.end if row["period"] == NOW.start else NOW.start
        mine = [
            contact["agent_id"]
            for contact in rows
            if (contact["team"], contact["queue"]) == ("Aire", "Billing")
            and row["period"] <= contact["local_date"] < end
            and contact["outcome"] in ("answered", "abandoned")
        ]
        assert 0 < row["people"] <= len(set(mine) - {None})
    assert set(found["part"]) & set("abcdef") == set()


@pytest.mark.parametrize(
    ("measure", "levels", "dimensions_of"),
    [
        ("answer_time_percentile", ("centre", "team"), set()),
        ("answer_rate", ("centre",), {"queue", "channel", "reason", "hour"}),
        ("answer_rate", ("centre", "team"), {"team", "queue", "channel", "reason", "hour"}),
        ("complaints_per_1000", ("centre", "team"), {"team"}),
        ("qa_score", ("centre", "team"), {"team", "channel"}),
    ],
)
def test_what_a_figure_is_taken_apart_by(measure, levels, dimensions_of):
    """No percentile; teams only where they are judged; a complaint's own channel and hour are not the contact's."""
    kpi = kpi_of(from_catalogue(measure, {}), levels=levels)
    assert set(dimensions(kpi, TABLES)) == dimensions_of


# Slices.


def centre_with_drivers(teams=("Aire", "Calder", "Ely", "Taff"), small=5):
    """Return results of a centre in which one queue of each team is small, and one team falls short in one queue."""
    frames = []
    for number, team in enumerate(teams):
        cells = {
            "Billing": (400, 500, 400, 500),
            "Technical": (300 if number == 0 else 400, 500, 400, 500),
            "Account": (90, 100, 80, 100),
            "Rare": (small - 1, small, 3, 4),
        }
        one = parts_of(cells, unit=("team", team))
        one["people"] = 6
        frames += [
            one,
            one.assign(dimension="hour"),
            one.assign(level="centre", unit="centre", part=team, dimension="team"),
        ]
    found = pd.concat(frames, ignore_index=True)
    found = found.groupby(PART_KEYS, as_index=False).sum()
    kpi = kpi_of()
    judged = judged_of(found[found["level"] == "team"], kpi)
    whole = judged_of(found[found["level"] == "centre"], kpi)
    judged = pd.concat([judged, whole], ignore_index=True).assign(
        name="The KPI", unit_of_value="share", ci_low=NAN, ci_high=NAN, tolerance=0.0, period=NOW.label,
        experimental=False, data="fit", variation="common_cause", reasons=[()] * (len(teams) + 1),
    )  # fmt: skip
    frame = drivers.drivers(found, judged, line_of(judged), [kpi], NOW)
    given = {name: pd.DataFrame() for name in FRAMES}
    given |= {
        "drivers": frame,
        "verdicts": judged,
        "kpis": pd.DataFrame([{"kpi": "kpi", "name": "The KPI", "unit_of_value": "share", "better": "up"}]),
        "people": pd.DataFrame(
            {"agent_id": ["1"], "agent_name": ["A"], "team": [teams[0]], "line_manager": ["Ann"], "site": ["Leeds"]}
        ),
    }
    facts = {"period": NOW.label, "centre": "Northgate", "unit_names": {}, "notes": []}
    return Results(Path("nowhere"), facts, given)


def test_a_team_sees_its_own_parts_alone_and_none_of_few_cases():
    """The small queue stands with others as "other", and what is shown still adds up to the team's figure."""
    results = centre_with_drivers()
    whole = results.drivers.query("level == 'team' and unit == 'Aire'")
    seen = cut(results, Reader("team", "Aire"))["drivers"]
    assert set(zip(seen["level"], seen["unit"], strict=True)) == {("team", "Aire")}
    assert len(set(seen["dimension"])) == 1
    assert set(seen["part"]) == {"Billing", "Technical", "other"}
    assert (seen[["n", "n_before"]] >= SMALLEST_SHOWN).all(axis=None)
    for column in ("gap", "change", "numerator", "n"):
        assert seen[column].sum() == pytest.approx(whole.query("dimension == 'queue'")[column].sum())
    assert named(seen) == ["Technical"]


def test_the_figures_of_other_teams_are_in_no_column_of_a_slice():
    """Neither part by part, nor as a sum behind which fewer than three teams stand."""
    for teams, told in ((("Aire", "Calder", "Ely"), False), (("Aire", "Calder", "Ely", "Taff"), True)):
        results = centre_with_drivers(teams)
        for reader in (Reader("team", "Aire"), Reader("line_manager", "Ann")):
            seen = cut(results, reader)["drivers"]
            assert set(seen["unit"]) == {"Aire"}
            single = [
                column
                for column in seen
                if column.endswith("_others") and not column.startswith(("total", "mix_total", "rate_total"))
            ]
            assert len(single) > 5 and seen[single].isna().all(axis=None)
            assert seen[["total_others", "mix_total_others", "rate_total_others"]].notna().all(axis=None) == told
            if not told:
                assert not seen[["apart", "others_driver", "others_mix_driver", "others_rate_driver"]].any(axis=None)


def test_a_part_that_one_or_two_people_handled_is_not_shown_to_their_team():
    """Five hundred calls of one person are that person's figure."""
    results = centre_with_drivers()
    frame = results.drivers.copy()
    frame.loc[frame["part"] == "Technical", ["people", "people_before"]] = FEWEST_BEHIND - 1
    results._frames["drivers"] = frame
    assert "Technical" not in set(cut(results, Reader("team", "Aire"))["drivers"]["part"])
    assert "Technical" in set(cut(results, Reader("line_manager", "Ann"))["drivers"]["part"])


def test_a_figure_of_few_cases_is_not_taken_apart_for_its_team():
    """There would be nothing to merge it with."""
    cells = {"a": (2, 3, 200, 300), "b": (1, 4, 200, 300)}
    frame = driven(parts_of(cells, unit=("team", "Aire")))
    assert len(frame) == 2
    assert drivers.gathered(frame, smallest=SMALLEST_SHOWN, fewest=FEWEST_BEHIND).empty


def test_the_centre_sees_its_teams_and_their_parts():
    """Small parts stand together in the centre's edition too; the analyst sees them one by one."""
    for audience, told in (("centre", False), ("analyst", True)):
        seen = cut(centre_with_drivers(), Reader(audience))["drivers"]
        assert set(seen["level"]) == {"centre", "team"}
        assert ("Rare" in set(seen["part"])) == told


# Words and pictures.


def told_of(
    cells,
    *,
    kpi=None,
    dimension="queue",
    target=0.8,
    high=NAN,
    status="missed_real",
    squares=None,
    unit=("centre", "centre"),
):
    """Return the parts of a figure and its verdict, as sentences take them."""
    kpi = kpi or kpi_of()
    found = parts_of(cells, dimension=dimension, squares=squares, unit=unit)
    frame = driven(found, kpi, target=target, high=high, status=status)
    first = frame.iloc[0]
    verdict = {
        "kpi": "kpi", "name": "Calls answered", "level": unit[0], "unit": unit[1], "value": first["total"],
        "n": frame["n"].sum(), "ci_low": NAN, "ci_high": NAN, "target": target, "target_high": high,
        "better": kpi.better, "unit_of_value": kpi.measure.unit, "status": status, "variation": "not_enough_data",
    }  # fmt: skip
    return frame, verdict


WEEK = {"period": "week 46 of 2026", "who": "The centre"}


def test_a_gap_is_told_with_value_n_target_period_and_the_parts_that_make_it():
    """What is said adds up as printed: 9.4 less 2.7 are 6.7."""
    sentence = drivers.gap_sentence(
        *told_of({"a": (420, 500, 0, 0), "b": (420, 500, 0, 0), "c": (260, 500, 0, 0)}), **WEEK
    )
    assert sentence == (
        "The centre: Calls answered was 73.3% in week 46 of 2026 (n 1,500), with a target of at least 80.0%, 6.7 "
        "percentage points away; by queue, c (52.0%, n 500, likely between 47.6% and 56.3%) accounts for 9.4 "
        "percentage points of that, while the other 2 queues make up for 2.7 percentage points."
    )


def test_that_nobody_explains_it_is_an_answer():
    """Every queue misses, and none for itself."""
    same = dict.fromkeys("abc", (350, 500, 350, 500))
    assert drivers.gap_sentence(*told_of(same), **WEEK) == (
        "The centre: Calls answered was 70.0% in week 46 of 2026 (n 1,500), with a target of at least 80.0%, 10.0 "
        "percentage points away; no single queue explains the gap: none stands out by more than chance."
    )
    unknown = {"a": (420, 500, 0, 0), "b": (420, 500, 0, 0), "not recorded": (0, 150, 0, 0)}
    assert drivers.gap_sentence(*told_of(unknown), **WEEK).endswith(
        "; by queue it cannot be told, as the rows without one are many or of their own kind."
    )


@pytest.mark.parametrize(
    ("cells", "end"),
    [
        pytest.param(
            {"a": (450, 500, 450, 500), "b": (450, 500, 450, 500), "c": (250, 500, 400, 500)},
            ", after 86.7% in week 45 of 2026 (n 1,500), a fall of 10.0 percentage points; by queue, c (from 80.0%, n "
            "500, to 50.0%, n 500, likely between 45.6% and 54.4%) accounts for 10.0 percentage points of that.",
            id="one_queue_fell",
        ),
        pytest.param(
            {"a": (900, 1000, 1800, 2000), "b": (1000, 2000, 500, 1000)},
            ", after 76.7% in week 45 of 2026 (n 3,000), a fall of 13.3 percentage points; by queue, another mix of "
            "queues accounts for 13.3 percentage points of that.",
            id="more_of_the_hard_work",
        ),
        pytest.param(
            dict.fromkeys("ab", (300, 500, 450, 500)),
            ", after 90.0% in week 45 of 2026 (n 1,000); no single queue explains the fall of 30.0 percentage points: "
            "none stands out by more than chance.",
            id="all_fell_alike",
        ),
        pytest.param(
            {"a": (395, 500, 400, 500), "b": (400, 500, 400, 500)},
            ", after 80.0% in week 45 of 2026 (n 1,000); the change of 0.5 percentage points could be chance, so there "
            "is nothing to explain.",
            id="could_be_chance",
        ),
        pytest.param(
            {"a": (395, 500, None, None), "b": (400, 500, None, None)},
            "; there is nothing before it to count a change from.",
            id="nothing_before",
        ),
    ],
)
def test_a_change_is_told_with_what_made_it(cells, end):
    """By mix, by a part, by all alike, by chance, or by nothing that is known."""
    sentence = drivers.change_sentence(*told_of(cells), before="week 45 of 2026", **WEEK)
    assert sentence.endswith(end)
    assert sentence.startswith("The centre: Calls answered was ")


USUAL = {"easy": (540, 600, 0, 0), "hard": (240, 400, 0, 0)}


def others_of(own, others):
    """Return the parts of team Aire and its verdict, beside four teams that are alike."""
    every = [parts_of(own, unit=("team", "Aire"))]
    every += [parts_of(others, unit=("team", team)) for team in ("Calder", "Ely", "Taff", "Wharfe")]
    found = pd.concat(every, ignore_index=True)
    kpi = kpi_of()
    judged = judged_of(found, kpi)
    frame = drivers.drivers(found, judged, line_of(judged), [kpi], NOW)
    frame = frame[frame["unit"] == "Aire"]
    verdict = judged[judged["unit"] == "Aire"].iloc[0].to_dict()
    return frame, verdict | {"name": "Calls answered", "unit_of_value": "share", "ci_low": NAN, "ci_high": NAN}


def test_a_team_is_not_blamed_for_its_mix():
    """It does each queue as well as the others, and is given more of the hard one."""
    frame, verdict = others_of({"easy": (180, 200, 0, 0), "hard": (480, 800, 0, 0)}, USUAL)
    sentence = drivers.others_sentence(frame, verdict, period="week 46 of 2026", who="Aire")
    assert sentence == (
        "Aire: Calls answered was 66.0% in week 46 of 2026 (n 1,000), with a target of at least 80.0%; in the other "
        "teams it was 78.0%: its mix of work by queue lowers it by 12.0 percentage points, and how it does within each "
        "queue lowers it by 0.0 percentage points, which could be chance."
    )


def test_what_a_team_does_otherwise_is_named_where_it_does_it():
    """One queue of it is worse than the same queue elsewhere."""
    frame, verdict = others_of({"easy": (540, 600, 0, 0), "hard": (100, 400, 0, 0)}, USUAL)
    sentence = drivers.others_sentence(frame, verdict, period="week 46 of 2026", who="Aire")
    assert sentence.endswith("and how it does within each queue, hard above all, lowers it by 14.0 percentage points.")
    same, verdict = others_of(USUAL, USUAL)
    assert drivers.others_sentence(same, verdict, period="week 46 of 2026", who="Aire") == ""


@given(values=st.lists(st.floats(-1000, 1000), min_size=1, max_size=20), digits=st.integers(0, 3))
def test_what_is_printed_adds_up(values, digits):
    """Rounded parts add up to the rounded whole, and none is off by more than one last digit."""
    rounded = drivers.exactly(values, sum(values), digits)
    assert round(sum(rounded), digits) == pytest.approx(round(sum(values), digits), abs=10**-digits / 2)
    assert all(abs(a - b) <= 10**-digits * 1.001 for a, b in zip(rounded, values, strict=True))


def test_parts_of_another_whole_are_refused():
    """Nothing is pressed into adding up."""
    with pytest.raises(StatisticsError, match="the parts do not add up to the whole"):
        drivers.exactly([1.0, 2.0], 30.0, 1)


ABOUT = {"name": "Calls answered", "unit_of_value": "share", "better": "up"}
TEN = {f"q{number}": (200 + 25 * number, 500, 260 + 12 * number, 500) for number in range(10)}


def test_the_waterfall_goes_from_the_figure_before_to_the_figure_now():
    """Each step begins where the last one ended; the parts that are not shown stand together."""
    frame, _ = told_of(TEN)
    steps = drivers.steps(frame, "share", most=4)
    assert steps["part"].tolist() == ["before", "mix", "q0", "q9", "q1", "q8", "all others", "now"]
    assert steps["begin"].tolist()[1:-1] == pytest.approx(steps["end"].tolist()[:-2])
    assert steps["end"].iloc[-2] == pytest.approx(steps["end"].iloc[-1]) == frame["total"].iloc[0]
    assert steps["end"].iloc[0] == frame["total_before"].iloc[0]
    assert steps["printed"].sum() == pytest.approx(100 * frame["change"].sum(), abs=0.011)


def test_the_running_total_of_the_pareto_ends_at_the_gap():
    """The largest first, the rest together, and last what makes up for some of it."""
    answered = {"a": 100, "b": 450, "c": 250, "d": 350, "e": 375, "f": 300}
    frame, _ = told_of({part: (above, 500, 0, 0) for part, above in answered.items()})
    parts_in_order = drivers.vital_few(frame, "share", most=3)
    assert parts_in_order["part"].tolist() == ["a", "c", "f", "all others", "better than the target"]
    assert parts_in_order["running"].iloc[-1] == pytest.approx(-frame["gap"].sum())
    assert parts_in_order["printed"].sum() == pytest.approx(-100 * frame["gap"].sum(), abs=0.006)
    assert parts_in_order["share"].iloc[-1] == 1
    assert parts_in_order.loc[parts_in_order["driver"], "part"].tolist() == ["a", "c"]


def pictures():
    """Return both charts of one figure."""
    frame, _ = told_of(TEN)
    names = {"title": "What changed", "dimension": "queue", "word": "queue"}
    return (
        charts.change_waterfall_chart(drivers.steps(frame, "share"), ABOUT, before="2026-W45", now="2026-W46", **names),
        charts.gap_pareto_chart(drivers.vital_few(frame, "share"), ABOUT, **names),
    )


def test_every_meaning_of_the_charts_has_a_shape_beside_its_colour():
    """Arrows right and left for what raises and lowers the figure, diamonds for what is more than chance."""
    waterfall, pareto = pictures()
    marks = [trace for trace in waterfall.figure.data if trace.type == "scatter" and trace.mode == "markers"]
    assert {trace.name: trace.marker.symbol for trace in marks} == {
        "raises it: better": "triangle-right",
        "lowers it: worse": "triangle-left",
        "whole figure": "diamond",
    }
    colours = {trace.marker.color for trace in pareto.figure.data if trace.type == "bar"}
    known = {light for light, _ in COLOURS.values()}
    assert colours <= known
    marks = [trace for trace in pareto.figure.data if trace.type == "scatter" and trace.mode == "markers"]
    assert [trace.marker.symbol for trace in marks] == ["diamond"]


def test_the_charts_are_drawn_as_still_pictures_too_and_tell_their_numbers():
    """What plotly draws, paper shows; and who sees neither reads them."""
    for shown in pictures():
        picture = still(checked(shown.payload()))
        assert picture is not None and 'd="M' in picture
        assert "q0" in shown.alt and "q0" in shown.plain()
        assert len(shown.data.rows) >= 8


@pytest.mark.parametrize("direction", [("triangle-right", 1), ("triangle-left", -1)])
def test_an_arrow_of_the_still_picture_points_the_way_of_its_name(direction):
    """Its tip lies beyond its place, on its own side."""
    symbol, side = direction
    tip = float(_mark(symbol, 100, 50, 10)[1:].split()[0])
    assert (tip - 100) * side > 0


# The reports.


def test_the_note_names_the_parts_of_the_largest_miss_and_the_largest_change():
    """One sentence each, in the words of the edition."""
    results = centre_with_drivers()
    results.facts |= {"audience": "centre", "unit": ""}
    note = views.drivers_note(results)
    assert len(note.items) == 2
    assert "by team, Aire (" in note.items[0].text
    assert note.items[1].text == (
        "No figure changed since the period before by more than chance, so there is no change to explain."
    )
    for shown in (views.gap_pareto(results), views.change_waterfall(results), views.driver_table(results)):
        assert "Aire" in shown.plain()
    table = views.driver_table(results)
    assert table.rows[-1][0].text == "All together"


def test_a_report_without_parts_says_so():
    """Interval counts of the centre alone: nothing can be taken apart, and nothing breaks."""
    results = centre_with_drivers()
    results.facts |= {"audience": "centre", "unit": ""}
    results._frames["drivers"] = pd.DataFrame()
    assert views.drivers_note(results).items[0].text.endswith("it has no parts that would add up to it.")
    for shown in (views.gap_pareto(results), views.change_waterfall(results), views.driver_table(results)):
        assert shown.plain() != ""

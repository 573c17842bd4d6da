"""Weekly partitions and kept answers: whatever changes, the figures are those of counting everything anew."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccanalysis import engine, partitions
from ccanalysis.contracts import TABLES
from ccanalysis.kpis import incremental, rows
from ccanalysis.kpis.calendars import Calendar
from ccanalysis.kpis.components import LEVELS, components, lacking, parts
from ccanalysis.kpis.measures import from_catalogue
from ccanalysis.kpis.sides import Side
from ccanalysis.periods import Period
from ccanalysis.warehouse import Embedded

from .conftest import make_kpi, write_table

FIRST, WEEKS = date(2026, 3, 9), 6  # clocks change on 29 March
SINCE, UNTIL = Period.containing(FIRST, "week"), Period.containing(FIRST, "week").shift(WEEKS - 1)
LONDON = Calendar(zone="Europe/London", nation="GB-ENG")
KPIS = [
    make_kpi(name, levels=tuple(LEVELS))
    for name in ("service_level", "aht", "fcr", "adjusted_demand", "transfer_rate", "answer_time_percentile")
]


def contacts(seed, size=400, weeks=WEEKS):
    """Return contacts over six weeks; many of few customers, so that weeks hang together."""
    draw = random.Random(seed)
    listed = []
    for number in range(size):
        local = FIRST + timedelta(days=draw.randrange(7 * weeks))
        moment = datetime(local.year, local.month, local.day, draw.randrange(24), draw.randrange(60), tzinfo=UTC)
        listed.append(
            {
                "contact_id": f"c{number:05}",
                "offered_at": moment,
                "local_date": local,
                "local_hour": moment.hour,
                "channel": draw.choice(["voice", "chat"]),
                "outcome": draw.choice(["answered", "answered", "abandoned"]),
                "team": draw.choice(["Aire", "Taff", None]),
                "agent_id": draw.choice(["1", "2", "3", None]),
                "customer_id": draw.choice([f"k{n}" for n in range(60)] + [None]),
                "reason": draw.choice(["Bill", "Fault"]),
                "wait_s": draw.randrange(90),
                "talk_s": draw.randrange(400),
                "transfers": draw.choice([0, 0, 1]),
                "source_file": "contacts.csv",
                "source_row": number + 2,
            }
        )
    return listed


def split(folder: Path, listed, *, name="contacts", earlier=()):
    """Write a table as weekly partitions."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = write_table(folder / f"{name}-whole.parquet", TABLES[name], listed)
    connection = engine.connect(folders=[folder])
    try:
        assert partitions.split(connection, whole, TABLES[name], folder / name, earlier=earlier)
    finally:
        connection.close()
    return folder / name


def measured(path, *, kept=None, kpis=KPIS, kind="week", since=SINCE, until=UNTIL, name="contacts"):
    """Measure everything, week by week or as one file."""
    given = {"since": Period.containing(since.start, kind), "until": Period.containing(until.start, kind)}
    return components({name: path}, kpis, kind=kind, **given, contract=TABLES, kept=kept, calendar=LONDON)


def alike(one, other):
    """Tell whether two answers are the same to the last number and in the same order."""
    return one.sums.equals(other.sums) and one.histograms.equals(other.histograms)


@pytest.fixture
def asked(monkeypatch):
    """The queries that the engine is asked."""
    listed = []
    run = Embedded.run

    def listening(self, sql):
        listed.append(sql)
        return run(self, sql)

    monkeypatch.setattr(Embedded, "run", listening)
    return listed


@pytest.mark.parametrize("kind", ["day", "week", "month", "quarter", "year"])
def test_partitions_add_up_to_what_one_file_gives(tmp_path, kind):
    """Every kind of period, with and without what is kept, at the first asking and the second."""
    listed = contacts(1)
    whole = measured(write_table(tmp_path / "contacts.parquet", TABLES["contacts"], listed), kind=kind)
    folder = split(tmp_path / "a", listed)
    assert len(whole.sums) > 20
    assert alike(measured(folder, kind=kind), whole)
    for _ in range(2):
        assert alike(measured(folder, kind=kind, kept=tmp_path / "kept"), whole)


def changed(listed, seed):
    """Return the rows of a later week: some late, some corrected, some gone, and a week more."""
    draw = random.Random(seed)
    new = [row for row in listed if draw.random() > 0.01]
    for row in draw.sample(new, 3):
        new[new.index(row)] = row | {"wait_s": draw.randrange(90), "customer_id": draw.choice(["k1", "k2"])}
    more = contacts(seed + 1, size=draw.randrange(1, 8))
    more += [
        row
        | {"local_date": row["local_date"] + timedelta(days=42), "offered_at": row["offered_at"] + timedelta(days=42)}
        for row in contacts(seed + 2, size=30, weeks=1)
    ]
    return [*new, *(row | {"contact_id": f"n{n}", "source_row": 9000 + n} for n, row in enumerate(more))]


@settings(max_examples=12)
@given(st.integers(0, 10**6), st.sampled_from(["day", "week", "month"]), st.sampled_from(["", "gone", "cut", "other"]))
def test_late_changed_and_new_rows_give_the_figures_of_a_full_run(tmp_path_factory, seed, kind, harm):
    """Also where what was kept is deleted, cut off or overwritten in between."""
    folder = tmp_path_factory.mktemp("weeks")
    kept, listed = folder / "kept", contacts(seed)
    last = UNTIL.shift(1)
    first = split(folder / "a", listed)
    measured(first, kind=kind, kept=kept)
    for number, path in enumerate(sorted(kept.glob("*/*.arrow"))):
        if harm == "gone" and number % 2:
            path.unlink()
        elif harm == "cut":
            path.write_bytes(path.read_bytes()[:-40])
        elif harm == "other":
            path.write_bytes(path.read_bytes()[:-9] + b"otherwise")
    listed = changed(listed, seed)
    second = split(folder / "b", listed, earlier=[first])
    whole = write_table(folder / "contacts.parquet", TABLES["contacts"], listed)
    found = measured(second, kind=kind, kept=kept, until=last)
    assert alike(found, measured(whole, kind=kind, until=last))
    assert alike(measured(second, kind=kind, kept=kept, until=last), found)


def test_a_monday_run_counts_the_new_week_and_those_that_look_into_it(tmp_path, asked):
    """And the week before, for its customers may have come back; without repeats, the new week alone."""
    listed = contacts(5)
    first = split(tmp_path / "a", listed)
    measured(first, kept=tmp_path / "kept")
    new = [
        row | {"contact_id": f"n{n}", "local_date": UNTIL.end, "offered_at": datetime(2026, 4, 20, 12, tzinfo=UTC)}
        for n, row in enumerate(listed[:9])
    ]
    second = split(tmp_path / "b", [*listed, *new], earlier=[first])
    asked.clear()
    measured(second, kept=tmp_path / "kept", until=UNTIL.shift(1))
    spans = [sql.partition("read_parquet([")[2].partition("]")[0] for sql in asked]
    weeks = [sorted(part.rpartition("/")[2][:8] for part in span.split(",")) for span in spans]
    assert sorted(weeks) == [["2026-W16", "2026-W17"], ["2026-W16", "2026-W17"], ["2026-W17"], ["2026-W17"]]


def test_what_did_not_change_is_not_counted_again(tmp_path, asked):
    """No query goes to the engine at all the second time, also for another register of the same measures."""
    folder = split(tmp_path / "a", contacts(6))
    measured(folder, kept=tmp_path / "kept")
    asked.clear()
    measured(folder, kept=tmp_path / "kept", kpis=[replace(kpi, name="Another name") for kpi in KPIS])
    assert asked == []


def test_a_late_row_counts_its_own_week_again(tmp_path, asked):
    """A row of the second week touches the second week, and where repeats are looked for the first."""
    listed = contacts(7)
    first = split(tmp_path / "a", listed)
    kpis = [make_kpi("transfer_rate", levels=("team",))]
    measured(first, kept=tmp_path / "kept", kpis=kpis)
    late = listed[0] | {"contact_id": "late", "local_date": FIRST + timedelta(days=8)}
    second = split(tmp_path / "b", [*listed, late], earlier=[first])
    asked.clear()
    measured(second, kept=tmp_path / "kept", kpis=kpis)
    assert len(asked) == 1
    assert "2026-W12.parquet" in asked[0] and "W11" not in asked[0] and "W13" not in asked[0]


def test_a_changed_definition_is_counted_anew(tmp_path):
    """What was kept under another threshold, population or level is not taken for it."""
    folder, kept = split(tmp_path / "a", contacts(8)), tmp_path / "kept"
    whole = tmp_path / "a" / "contacts-whole.parquet"
    for parameters, more in (
        ({}, {}),
        ({"threshold_s": 30}, {}),
        ({"threshold_s": 30, "variant": "SL2"}, {}),
        ({}, {"population": "channel = 'chat'", "population_columns": ("channel",)}),
        ({}, {"levels": ("centre", "agent")}),
    ):
        kpis = [make_kpi(from_catalogue("service_level", parameters), **more)]
        assert alike(measured(folder, kept=kept, kpis=kpis), measured(whole, kpis=kpis))


def test_only_changed_weeks_are_written(tmp_path):
    """A week with the same rows is the very file of the staging before."""
    listed = contacts(9)
    first = split(tmp_path / "a", listed)
    late = listed[0] | {"contact_id": "late", "local_date": FIRST + timedelta(days=8)}
    second = split(tmp_path / "b", [*listed, late], earlier=[first])
    same = {path.name: path.samefile(first / path.name) for path in second.glob("*.parquet")}
    assert [name for name, linked in sorted(same.items()) if not linked] == ["2026-W12.parquet"]
    assert len(same) == WEEKS


def test_where_a_row_came_from_is_no_part_of_its_figures(tmp_path, asked):
    """The same rows in another file are written anew, and not counted again."""
    listed = contacts(10)
    first = split(tmp_path / "a", listed)
    measured(first, kept=tmp_path / "kept")
    second = split(tmp_path / "b", [row | {"source_file": "other.csv"} for row in listed], earlier=[first])
    assert not any(path.samefile(first / path.name) for path in second.glob("*.parquet"))
    asked.clear()
    measured(second, kept=tmp_path / "kept")
    assert asked == []


@pytest.mark.parametrize(
    ("where", "of", "days"),
    [
        ("next_contact_s is null or next_contact_s > 604800", "", 7),
        ("outcome = 'answered' and (next_contact_s > 86401 or next_contact_s is null)", "", 2),
        ("next_contact_s <= 3600", "", 1),
        ("customer_id is null or next_attempt_s is null or next_attempt_s >= 86400", "", 1),
        ("wait_s > 5", "", 0),
        ("next_contact_s > 604800", "", None),  # a contact later still would change it
        ("not (next_contact_s <= 604800)", "", None),
        ("next_contact_s is null", "", None),
        ("next_contact_s <= wait_s", "", None),
        ("next_contact_s <= 3600 or wait_s > 5", "", None),
        ("next_contact_s <= 3600", "next_contact_s", None),
    ],
)
def test_how_far_ahead_a_measure_looks_is_read_from_its_limit(where, of, days):
    """Where no limit tells it, the table is looked at as a whole."""
    side = Side(where=where, of=of)
    assert rows.look_ahead(side.rows(TABLES), TABLES["contacts"], [side], TABLES) == days


def test_a_measure_without_a_limit_sees_the_whole_table(tmp_path):
    """It is counted over all partitions at once, and right."""
    listed = contacts(11)
    measure = replace(from_catalogue("answer_rate", {}), numerator=Side(where="next_contact_s is null"))
    kpis = [make_kpi(measure, levels=("centre", "team"))]
    folder = split(tmp_path / "a", listed)
    whole = measured(tmp_path / "a" / "contacts-whole.parquet", kpis=kpis)
    assert len(whole.sums) > 6
    assert alike(measured(folder, kpis=kpis, kept=tmp_path / "kept"), whole)


def test_rows_that_are_placed_by_another_time_are_found_in_any_partition(tmp_path):
    """A complaint counts in the week of its closing, however long ago it came in."""
    draw = random.Random(12)
    listed = []
    for number in range(200):
        received = datetime(2026, 3, 9, 9, tzinfo=UTC) + timedelta(days=draw.randrange(42))
        closed = received + timedelta(days=draw.randrange(30)) if draw.random() < 0.8 else None
        told = {"outcome": draw.choice(["upheld", "rejected"])} if closed else {}
        listed.append(
            {"complaint_id": f"p{number}", "received_at": received, "local_date": received.date(), "closed_at": closed}
            | told
            | {"responded_at": closed, "channel": "voice", "source_row": number + 2}
        )
    folder = split(tmp_path / "a", listed, name="complaints")
    kpis = [make_kpi(name) for name in ("uphold_rate", "final_response")]

    def run(path, kept=None):
        given = {"kind": "week", "since": SINCE.shift(3), "until": UNTIL.shift(4), "contract": TABLES}
        return components({"complaints": path}, kpis, **given, calendar=LONDON, kept=kept)

    whole = run(tmp_path / "a" / "complaints-whole.parquet")
    assert set(whole.sums["kpi"]) == {"uphold_rate", "final_response"}
    for _ in range(2):
        assert alike(run(folder, tmp_path / "kept"), whole)


def test_parts_and_gaps_are_those_of_one_file(tmp_path):
    """What is taken apart, and what lacks, does not depend on how the table is kept."""
    folder, whole = split(tmp_path / "a", contacts(13)), tmp_path / "a" / "contacts-whole.parquet"
    given = {"kind": "week", "since": SINCE, "until": UNTIL, "contract": TABLES}
    kpis = [kpi for kpi in KPIS if kpi.measure.kind != "percentile"]
    assert parts({"contacts": folder}, kpis, **given).equals(parts({"contacts": whole}, kpis, **given))
    needy = [make_kpi("reopen_rate"), make_kpi("statement_compliance"), make_kpi("aht")]
    assert lacking({"contacts": folder}, needy, TABLES) == lacking({"contacts": whole}, needy, TABLES) != {}


def test_what_is_kept_has_a_bound(tmp_path):
    """The questions that were not asked for longest are forgotten."""
    folder, store = split(tmp_path / "a", contacts(14)), incremental.Store(tmp_path / "kept")
    for threshold in range(1, 6):
        kpis = [make_kpi(from_catalogue("service_level", {"threshold_s": threshold}))]
        measured(folder, kept=store.folder, kpis=kpis)
    store.prune(most=3)
    assert len(list(store.folder.iterdir())) == 3
    measured(folder, kept=store.folder, kpis=kpis)
    assert len(list(store.folder.iterdir())) == 3


@pytest.mark.parametrize(("beyond_s", "resolved"), [(0, 1), (1, 2)])
def test_a_repeat_over_a_change_of_clocks_is_found_in_the_week_after_next(tmp_path, beyond_s, resolved):
    """Seven days after half past eleven on a Sunday night, an hour of which was skipped, is a Monday."""
    first = datetime(2026, 3, 22, 23, 30, tzinfo=UTC)
    second = first + timedelta(days=7, seconds=beyond_s)  # half past midnight on 30 March in London
    told = {"customer_id": "k", "reason": "Bill", "channel": "voice", "outcome": "answered"}
    listed = [
        told | {"contact_id": "a", "offered_at": first, "local_date": date(2026, 3, 22)},
        told | {"contact_id": "b", "offered_at": second, "local_date": date(2026, 3, 30)},
    ]
    found = measured(split(tmp_path / "a", listed), kpis=[make_kpi("fcr")]).sums
    assert (found["numerator"].sum(), found["denominator"].sum()) == (resolved, 2)


def test_hours_of_the_day_add_up_to_their_periods(tmp_path):
    """Told apart by hour, at every level; a KPI whose sides lie at different hours has no row."""
    folder = split(tmp_path / "a", contacts(15))
    given = {"kind": "week", "since": SINCE, "until": UNTIL, "contract": TABLES}
    kpis = [*KPIS, make_kpi("complaints_per_1000")]
    plain = components({"contacts": folder}, KPIS, **given)
    hourly = components({"contacts": folder}, kpis, **given, by_hour=True, kept=tmp_path / "kept")
    keys = ["kpi", "level", "unit", "period"]
    sums = ["numerator", "denominator", "n", "squares"]
    assert hourly.sums["hour"].between(0, 23).all() and hourly.sums["hour"].nunique() == 24
    added = hourly.sums.groupby(keys, as_index=False)[sums].sum()
    both = plain.sums.merge(added, on=keys, suffixes=("", "_added"))
    assert len(both) == len(plain.sums)
    assert (both["denominator"] == both["denominator_added"]).all()
    bins = hourly.histograms.groupby([*keys, "bin"], as_index=False)["n"].sum()
    assert bins["n"].tolist() == plain.histograms["n"].tolist()

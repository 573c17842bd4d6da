"""The component query against counts by hand: every measure, level and kind of period, gaps and edges."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccanalysis.contracts import INTERVALS, TABLES, Column
from ccanalysis.errors import RegisterError
from ccanalysis.kpis.components import LEVELS, components
from ccanalysis.kpis.measures import CATALOGUE, Measure, Side, from_catalogue
from ccanalysis.periods import KINDS, Period

from .conftest import make_kpi, write_table
from .test_catalogue import SMALL

FIRST, DAYS = date(2024, 12, 16), 35  # five weeks about a new year: 30 December 2024 lies in 2025-W01
ALL_LEVELS = tuple(LEVELS)


def contact(number, day, **values):
    """Return one contact at noon of a day of the five weeks."""
    local = FIRST + timedelta(days=day)
    return {
        "contact_id": f"c{number:05d}",
        "offered_at": datetime(local.year, local.month, local.day, 12, tzinfo=UTC),
        "local_date": local,
        "channel": "voice",
        "outcome": "answered",
        "source_file": "contacts.csv",
        "source_row": number + 2,
        **values,
    }


def world(seed, size=300):
    """Return contacts, surveys, evaluations and complaints with gaps everywhere a gap can be."""
    draw = random.Random(seed)

    def some(*values, gap=0.15):
        return None if draw.random() < gap else draw.choice(values)

    def person():
        return {
            "site": some("Leeds", "Cardiff"),
            "team": some("Aire", "Taff", "NA"),
            "agent_id": some("007", "8", "a'b"),
            "line_manager": some("Ann", "Bo"),
        }

    def moment(local):
        return datetime(local.year, local.month, local.day, draw.randrange(8, 20), draw.randrange(60), tzinfo=UTC)

    contacts, surveys, evaluations, complaints = [], [], [], []
    for number in range(size):
        local = FIRST + timedelta(days=draw.randrange(DAYS))
        contacts.append(
            person()
            | {
                "contact_id": f"c{number:05d}",
                "offered_at": moment(local),
                "local_date": local,
                "channel": some("voice", "chat", gap=0),
                "direction": some("inbound", "outbound"),
                "outcome": draw.choice(["answered"] * 6 + ["abandoned"] * 2 + ["left_menu", "void"]),
                "queue": some("Billing", "Account"),
                "reason": some("Bill", "Fault", gap=0.3),
                "customer_id": some(*(f"k{n}" for n in range(40)), gap=0.2),
                "wait_s": some(*range(60), 20, 20, 5, 5),
                "talk_s": some(*range(600)),
                "hold_s": some(0, 0, 30, 60, gap=0.4),
                "acw_s": some(*range(120), gap=0.3),
                "transfers": some(0, 0, 0, 1, 2, gap=0.2),
                "escalated": some(True, False, False, gap=0.2),
                "disclosure": some(True, False),
                "identity_validated": some(True, True, False),
                "source_file": "contacts.csv",
                "source_row": number + 2,
            }
        )
        lineage = {"source_row": number + 2}
        surveys.append(
            person()
            | lineage
            | {
                "survey_id": f"s{number}",
                "invited_at": moment(local),
                "local_date": local,
                "answered_at": some(moment(local), gap=0.5),
                "channel": some("voice", "chat"),
                "csat": some(1.0, 2.0, 3.0, 4.0, 5.0, gap=0.5),
                "source_file": "surveys.csv",
            }
        )
        evaluations.append(
            person()
            | lineage
            | {
                "evaluation_id": f"e{number // 3}",
                "criterion": f"q{number % 3}",
                "evaluated_at": moment(local),
                "local_date": local,
                "source": some("call_monitoring", "call_monitoring", "self", gap=0),
                "points": some(0.0, 0.5, 1.0, 2.0),
                "max_points": some(2.0, 4.0),
                "weight": some(10.0, 12.5, 33.33),
                "source_file": "evaluations.csv",
            }
        )
        if draw.random() < 0.2:
            complaints.append(
                person()
                | lineage
                | {
                    "complaint_id": f"p{number}",
                    "received_at": moment(local),
                    "local_date": local,
                    "channel": some("voice", "chat"),
                    "source_file": "complaints.csv",
                }
            )
    return {"contacts": contacts, "surveys": surveys, "evaluations": evaluations, "complaints": complaints}


# The catalogue by hand. Each entry gives, for one row, what it adds above and below the line: None adds nothing.
# A pair of functions reads the rows of the numerator's and of the denominator's table.


def _answered(row):
    return row["outcome"] == "answered"


def _offered(row):
    return row["outcome"] in ("answered", "abandoned")


def _share(top, bottom):
    return ("contacts", lambda r: 1 if bottom(r) and top(r) else None), (
        "contacts",
        lambda r: 1 if bottom(r) else None,
    )


def _mean(value, rows):
    def above(row):
        return value(row) if rows(row) and value(row) is not None else None

    return ("contacts", above), ("contacts", lambda r: 1 if above(r) is not None else None)


def _short(row, limit, *, equal):
    wait = row["wait_s"]
    return wait is not None and (wait <= limit if equal else wait < limit)


def _service_level(variant, threshold=20, short=5):
    def quick(row):
        return _short(row, threshold, equal=True)

    def early(row):
        return _short(row, short, equal=False)

    def lost(row):
        return row["outcome"] == "abandoned"

    rows = {
        "SL1": (lambda r: _offered(r) and quick(r), _offered),
        "SL2": (lambda r: _answered(r) and quick(r), _answered),
        "SL3": (lambda r: _answered(r) and quick(r), _offered),
        "SL4": (lambda r: _answered(r) and quick(r), lambda r: _offered(r) and not (lost(r) and quick(r))),
        "SL5": (lambda r: (_answered(r) and quick(r)) or (lost(r) and early(r)), _offered),
        "SL6": (lambda r: _answered(r) and quick(r), lambda r: _offered(r) and not (lost(r) and early(r))),
    }[variant]
    return _share(*rows)


def _handling(row):
    return None if row["talk_s"] is None else row["talk_s"] + (row["hold_s"] or 0) + (row["acw_s"] or 0)


def _half_up(number):
    return int(number + Fraction(1, 2))


def _points(column):
    def value(row):
        if row["source"] != "call_monitoring" or row["points"] is None or row["max_points"] is None:
            return None
        weight = 1.0 if row["weight"] is None else row["weight"]
        return _half_up(Fraction(row[column] * weight * 100))

    return "evaluations", value


def _satisfied(good):
    return (
        ("surveys", lambda r: 1 if r["csat"] is not None and r["csat"] >= good else None),
        ("surveys", lambda r: 1 if r["csat"] is not None else None),
    )


def _passed(row):
    return row["disclosure"] and row["identity_validated"] is not None and _answered(row)


BY_HAND = {
    **{("service_level", (("variant", v),)): _service_level(v) for v in ("SL1", "SL2", "SL3", "SL4", "SL5", "SL6")},
    ("service_level", (("threshold_s", 10), ("variant", "SL6"), ("short_s", 3))): _service_level("SL6", 10, 3),
    ("abandon_rate", ()): _share(lambda r: r["outcome"] == "abandoned", _offered),
    ("abandon_rate", (("longer_than_s", 30),)): _share(
        lambda r: r["outcome"] == "abandoned" and r["wait_s"] is not None and r["wait_s"] > 30, _offered
    ),
    ("short_abandon_rate", ()): _share(
        lambda r: r["outcome"] == "abandoned" and _short(r, 5, equal=False), _offered
    ),
    ("answer_rate", ()): _share(_answered, _offered),
    ("asa", ()): _mean(lambda r: r["wait_s"], _answered),
    ("answer_time_percentile", ()): (
        ("contacts", lambda r: r["wait_s"] if _answered(r) else None),
        ("contacts", lambda r: 1 if _answered(r) else None),
    ),
    ("aht", ()): _mean(_handling, _answered),
    ("talk_time", ()): _mean(lambda r: r["talk_s"], _answered),
    ("acw", ()): _mean(lambda r: r["acw_s"], _answered),
    ("hold_time", ()): _mean(lambda r: r["hold_s"] or None, _answered),
    ("hold_rate", ()): _share(
        lambda r: r["hold_s"] and r["hold_s"] > 0, lambda r: _answered(r) and r["hold_s"] is not None
    ),
    ("transfer_rate", ()): _share(
        lambda r: r["transfers"] and r["transfers"] > 0, lambda r: _answered(r) and r["transfers"] is not None
    ),
    ("escalation_rate", ()): _share(
        lambda r: r["escalated"], lambda r: _answered(r) and r["escalated"] is not None
    ),
    ("identity_validation", ()): _share(lambda r: r["identity_validated"], _passed),
    ("csat", ()): _satisfied(4),
    ("csat", (("good", 3),)): _satisfied(3),
    ("survey_response_rate", ()): (
        ("surveys", lambda r: 1 if r["answered_at"] is not None else None),
        ("surveys", lambda r: 1),
    ),
    ("qa_score", ()): (_points("points"), _points("max_points")),
    ("complaints_per_1000", ()): (
        ("complaints", lambda r: 1),
        ("contacts", lambda r: 1 if _answered(r) else None),
    ),
}  # fmt: skip


def _repeats(days):
    """Say per contact whether the same customer was back for the same reason within so many days."""

    def sides(data):
        again = {}
        following = {}
        for row in sorted(data["contacts"], key=lambda r: (r["offered_at"], r["contact_id"]), reverse=True):
            key = row["customer_id"], row["reason"]
            later = following.get(key)
            again[row["contact_id"]] = later is not None and later - row["offered_at"] <= timedelta(days=days)
            following[key] = row["offered_at"]
        return _share(
            lambda r: not again[r["contact_id"]], lambda r: _answered(r) and r["customer_id"] is not None
        )  # fmt: skip

    return sides


FCR = {("fcr", ()): _repeats(7), ("fcr", (("days", 30),)): _repeats(30)}
CASES = [*BY_HAND, *FCR]


def start_of(local, kind):
    """Return the first day of the period a day lies in, by the calendar of the standard library."""
    if kind == "week":
        year, week, _ = local.isocalendar()
        return date.fromisocalendar(year, week, 1)
    month = {"month": local.month, "quarter": (local.month - 1) // 3 * 3 + 1, "year": 1}.get(kind)
    return local if kind == "day" else date(local.year, month, 1)


def by_hand(sides, data, level, kind):
    """Add both sides up per unit and period; only where something lies below the line."""
    column = LEVELS[level]
    found = defaultdict(lambda: [0, 0, 0, 0])
    for role, (table, value) in enumerate(sides):
        for row in data[table]:
            amount = value(row)
            if amount is None:
                continue
            named = "centre" if column is None else row.get(column)
            unit = "unassigned" if named is None else named
            sums = found[unit, start_of(row["local_date"], kind)]
            sums[role] += amount
            if role == 0:
                sums[3] += amount * amount
            else:
                sums[2] += 1
    return {key: sums for key, sums in found.items() if sums[1] > 0}


@pytest.fixture(scope="module")
def data():
    """One small world for all measures."""
    return world(seed=1)


@pytest.fixture(scope="module")
def paths(tmp_path_factory, data):
    """Its tables as files."""
    folder = tmp_path_factory.mktemp("world")
    return {name: write_table(folder / f"{name}.parquet", TABLES[name], rows) for name, rows in data.items()}


@pytest.fixture(scope="module", params=KINDS)
def found(request, paths):
    """Every case of the catalogue measured at once, at every level, in one kind of period."""
    kpis = [
        make_kpi(from_catalogue(name, dict(parameters)), id=f"case_{number}", levels=ALL_LEVELS)
        for number, (name, parameters) in enumerate(CASES)
    ]
    since, until = (Period.containing(day, request.param) for day in (FIRST, FIRST + timedelta(days=DAYS)))
    sums = components(paths, kpis, kind=request.param, since=since, until=until, contract=TABLES).sums
    return request.param, dict(list(sums.groupby("kpi")))


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join([case[0], *(f"{v}" for _, v in case[1])]))
def test_every_measure_is_what_a_count_by_hand_gives(found, data, case):
    """Both sides, n and squares, at every level that the tables know, in every kind of period."""
    kind, sums = found
    measure = from_catalogue(case[0], dict(case[1]))
    sides = BY_HAND[case] if case in BY_HAND else FCR[case](data)
    own = sums[f"case_{CASES.index(case)}"]
    levels = {
        level for level, column in LEVELS.items() if column is None or all(column in TABLES[t] for t in measure.tables)
    }
    assert set(own["level"]) == levels
    columns = own[["unit", "period", "numerator", "denominator", "n", "squares"]]
    for level in levels:
        read = {(unit, start): rest for unit, start, *rest in columns[own["level"] == level].to_numpy().tolist()}
        wanted = by_hand(sides, data, level, kind)
        if measure.kind != "mean":
            wanted = {key: [*values[:3], 0] for key, values in wanted.items()}
        assert read == wanted


def test_every_measure_of_the_catalogue_is_counted_by_hand():
    """A measure that is added to the catalogue needs its count by hand here."""
    assert {name for name, _ in CASES} | {case[0] for case in SMALL} == set(CATALOGUE)


SUMS = ["numerator", "denominator", "n", "squares"]


@settings(max_examples=6)
@given(st.integers(0, 10**6))
def test_the_units_of_every_level_add_up_to_the_centre(tmp_path_factory, seed):
    """Sites, teams, queues, channels, reasons and agents are each a partition, with what is unassigned."""
    data = world(seed, size=60)
    folder = tmp_path_factory.mktemp("world")
    paths = {name: write_table(folder / f"{name}.parquet", TABLES[name], rows) for name, rows in data.items()}
    kpis = [
        make_kpi(name, levels=ALL_LEVELS)
        for name in ("service_level", "aht", "fcr", "csat", "qa_score", "transfer_rate")
    ]
    found = components(
        paths, kpis, kind="month", since=Period.parse("2024-12"), until=Period.parse("2025-01"), contract=TABLES
    ).sums
    whole = found[found["level"] == "centre"].set_index(["kpi", "period"])[SUMS].sort_index()
    assert len(whole) > 6
    for level in ALL_LEVELS:
        own = found[found["level"] == level]
        parts = own.groupby(["kpi", "period"])[SUMS].sum().sort_index()
        expected = whole[whole.index.get_level_values("kpi").isin(own["kpi"].unique())]
        assert parts.equals(expected)


def test_months_add_up_to_their_quarter_and_days_to_their_week(measured, data):
    """No row is in two periods of a kind, or in none."""
    kpi = make_kpi("aht")

    def total(kind, since, until):
        sums = measured([kpi], kind=kind, since=since, until=until, contacts=data["contacts"]).sums
        return sums[SUMS].sum().tolist()

    assert total("day", "2024-12-30", "2025-01-05") == total("week", "2025-W01", "2025-W01")
    assert total("month", "2025-01", "2025-03") == total("quarter", "2025-Q1", "2025-Q1")
    assert total("quarter", "2024-Q1", "2024-Q4") == total("year", "2024", "2024")


def test_who_has_no_team_is_unassigned_and_still_counted(measured):
    """A missing team is a unit of its own; texts that look like nothing are names."""
    rows = [contact(n, 0, team=team) for n, team in enumerate([None, "NA", "null", "", "Aire", None])]
    found = measured([make_kpi("answer_rate", levels=("centre", "team"))], since="2024-W51", contacts=rows).sums
    teams = found[found["level"] == "team"].set_index("unit")["denominator"].to_dict()
    assert teams == {"unassigned": 2, "NA": 1, "null": 1, "": 1, "Aire": 1}
    assert found.loc[found["level"] == "centre", "denominator"].tolist() == [6]


def test_a_team_that_is_called_unassigned_joins_those_without_one(measured):
    """Two groups under one name are one unit, in sums and in percentiles."""
    rows = [contact(0, 0, team=None, wait_s=4), contact(1, 0, team="unassigned", wait_s=4)]
    kpis = [make_kpi("answer_rate", levels=("team",)), make_kpi("answer_time_percentile", levels=("team",))]
    found = measured(kpis, since="2024-W51", contacts=rows)
    assert found.sums["denominator"].tolist() == [2, 2]
    assert found.histograms.groupby(["unit", "bin"])["n"].sum().to_dict() == {("unassigned", 4): 2}


def fcr_of(measured, rows, since="2024-W51", until=None, **parameters):
    """Return numerator and denominator of first-contact resolution in one period."""
    sums = measured([make_kpi(from_catalogue("fcr", parameters))], since=since, until=until, contacts=rows).sums
    return tuple(sums[["numerator", "denominator"]].sum())


NOON = datetime(2024, 12, 16, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("later", "resolved"),
    [
        pytest.param(timedelta(0), 1, id="at_the_same_instant_the_first_is_repeated"),
        pytest.param(timedelta(days=6, hours=23), 1, id="within_seven_days"),
        pytest.param(timedelta(days=7), 1, id="exactly_seven_days_is_within"),
        pytest.param(timedelta(days=7, seconds=1), 2, id="a_second_later_is_not"),
    ],
)
def test_a_contact_is_repeated_within_seven_days(measured, later, resolved):
    """The second contact is never repeated here, the first is where the second comes in time."""
    rows = [
        contact(0, 0, customer_id="k", reason="Bill"),
        contact(1, 0, customer_id="k", reason="Bill", offered_at=NOON + later, local_date=(NOON + later).date()),
    ]
    assert fcr_of(measured, rows, until="2024-W52") == (resolved, 2)


def test_a_repeat_in_the_following_week_counts_for_the_week_before(measured):
    """The window looks past the end of the period, so no week ends with everything solved."""
    rows = [contact(0, 5, customer_id="k"), contact(1, 8, customer_id="k")]
    assert fcr_of(measured, rows, "2024-W51") == (0, 1)
    assert fcr_of(measured, rows, "2024-W52") == (1, 1)


@pytest.mark.parametrize(
    ("second", "resolved"),
    [
        ({"customer_id": "k", "reason": "Bill"}, 1),
        ({"customer_id": "k", "reason": "Bill", "outcome": "abandoned"}, 0),
        ({"customer_id": "k", "reason": "Bill", "channel": "chat"}, 1),
        ({"customer_id": "k", "reason": "Fault"}, 2),
        ({"customer_id": "k", "reason": None}, 2),
        ({"customer_id": "other", "reason": "Bill"}, 2),
        ({"customer_id": None, "reason": "Bill"}, 1),
    ],
)
def test_only_the_same_customer_with_the_same_reason_repeats(measured, second, resolved):
    """Any channel and outcome repeats; nobody is repeated by a stranger or by one without a name."""
    rows = [contact(0, 0, customer_id="k", reason="Bill"), contact(1, 1, **second)]
    assert fcr_of(measured, rows)[0] == resolved


def test_contacts_at_one_instant_are_told_apart_by_their_id(measured):
    """Three at once: two are followed at once, one is not, whatever the order of rows."""
    rows = [contact(n, 0, customer_id="k") for n in (2, 0, 1)]
    assert fcr_of(measured, rows) == (1, 3)
    assert fcr_of(measured, rows[::-1]) == (1, 3)


@settings(max_examples=10)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=80), st.integers(1, 99), st.lists(st.booleans(), min_size=80))
def test_a_percentile_is_the_type_7_quantile_of_all_values(tmp_path_factory, waits, per_cent, missing):
    """The histogram keeps every value, so any quantile of any merge is exact."""
    rows = [
        contact(n, n % 35, wait_s=None if gone else w) for n, (w, gone) in enumerate(zip(waits, missing, strict=False))
    ]
    kept = [row["wait_s"] for row in rows if row["wait_s"] is not None]
    path = write_table(tmp_path_factory.mktemp("p") / "contacts.parquet", TABLES["contacts"], rows)
    year = Period.parse("2024"), Period.parse("2025")
    kpi = make_kpi(from_catalogue("answer_time_percentile", {"per_cent": per_cent}))
    found = components({"contacts": path}, [kpi], kind="year", since=year[0], until=year[1], contract=TABLES).histograms
    values = np.repeat(found["bin"].to_numpy(dtype=float), found["n"].to_numpy(dtype=int))
    assert sorted(values.tolist()) == sorted(kept)
    if kept:
        share = per_cent / 100
        assert np.quantile(values, share) == pytest.approx(np.quantile(kept, share, method="linear"))


def test_a_period_without_rows_has_no_row_and_not_a_zero(measured):
    """Missing is not nought: the week between has no row at all."""
    rows = [contact(0, 0), contact(1, 14)]
    found = measured([make_kpi("answer_rate")], since="2024-W50", until="2025-W02", contacts=rows).sums
    assert found["period"].tolist() == [date(2024, 12, 16), date(2024, 12, 30)]


def test_the_last_days_of_december_lie_in_the_first_week_of_the_new_year(measured):
    """30 December 2024 is counted in 2025-W01 and in December."""
    rows = [contact(0, 13), contact(1, 14), contact(2, 20), contact(3, 21)]  # 29 and 30 December, 5 and 6 January
    kpi = make_kpi("answer_rate")
    week = measured([kpi], since="2025-W01", contacts=rows).sums
    assert (week["period"].tolist(), week["denominator"].tolist()) == ([date(2024, 12, 30)], [2])
    month = measured([kpi], kind="month", since="2024-12", contacts=rows).sums
    assert (month["period"].tolist(), month["denominator"].tolist()) == ([date(2024, 12, 1)], [2])


def test_nothing_below_the_line_gives_no_row(measured):
    """All abandoned: no average handling time, and an abandon rate of one."""
    rows = [contact(n, 0, outcome="abandoned", wait_s=9) for n in range(3)]
    found = measured([make_kpi("aht"), make_kpi("abandon_rate"), make_kpi("asa")], since="2024-W51", contacts=rows)
    assert found.sums[["kpi", "numerator", "denominator"]].to_numpy().tolist() == [["abandon_rate", 3, 3]]


def test_a_side_without_events_is_nought_where_the_other_has_rows(measured):
    """A team without a complaint has a rate of nought; a team without a contact has none."""
    contacts = [contact(0, 0, team="Aire"), contact(1, 0, team="Taff")]
    complaint = {"complaint_id": "p", "received_at": NOON, "local_date": NOON.date()}
    complaints = [complaint | {"team": "Taff"}, complaint | {"complaint_id": "q", "team": "Ely"}]
    kpi = make_kpi("complaints_per_1000", levels=("centre", "team"))
    found = measured([kpi], since="2024-W51", contacts=contacts, complaints=complaints).sums
    rows = found[["level", "unit", "numerator", "denominator"]].to_numpy().tolist()
    assert rows == [["centre", "centre", 2, 2], ["team", "Aire", 0, 1], ["team", "Taff", 1, 1]]


def test_a_level_that_one_side_does_not_know_has_no_row(measured):
    """Complaints know no queue: a queue has no rate of complaints, rather than one of nought."""
    kpi = make_kpi("complaints_per_1000", levels=("centre", "queue"))
    complaints = [{"complaint_id": "p", "received_at": NOON, "local_date": NOON.date()}]
    found = measured([kpi], since="2024-W51", contacts=[contact(0, 0, queue="Billing")], complaints=complaints).sums
    assert found["level"].tolist() == ["centre"]
    assert measured(
        [replace(kpi, levels=("queue",))], since="2024-W51", contacts=[contact(0, 0)], complaints=complaints
    ).sums.empty


def test_a_kpi_whose_table_is_absent_has_no_row(measured):
    """What is absent is left out, and the others are measured."""
    found = measured([make_kpi("csat"), make_kpi("aht")], since="2024-W51", contacts=[contact(0, 0, talk_s=5)])
    assert found.sums["kpi"].tolist() == ["aht"]
    assert measured([make_kpi("csat")], since="2024-W51", contacts=[contact(0, 0)]).sums.empty


def test_a_population_restricts_both_sides_in_every_table(measured):
    """Complaints in chat through contacts in chat, and waits in voice alone."""
    contacts = [contact(n, 0, channel=channel, wait_s=n) for n, channel in enumerate(["voice", "voice", "chat"])]
    complaint = {"received_at": NOON, "local_date": NOON.date()}
    complaints = [complaint | {"complaint_id": c, "channel": c} for c in ("voice", "chat")]
    kpis = [
        make_kpi("complaints_per_1000", population="channel = 'chat'", population_columns=("channel",)),
        make_kpi("asa", population="channel = 'voice'", population_columns=("channel",)),
        make_kpi("answer_time_percentile", population="channel = 'voice'", population_columns=("channel",)),
    ]
    found = measured(kpis, since="2024-W51", contacts=contacts, complaints=complaints)
    sums = found.sums.set_index("kpi")
    assert sums.loc["complaints_per_1000", ["numerator", "denominator"]].tolist() == [1, 1]
    assert sums.loc["asa", ["numerator", "denominator", "n", "squares"]].tolist() == [1, 2, 2, 1]
    assert sorted(found.histograms["bin"]) == [0, 1]


def test_a_population_and_a_measure_may_be_as_long_as_the_language_allows_each(measured):
    """They are read one by one, so that their sum is not too long."""
    long = " or ".join(["channel = 'voice'"] * 18)
    side = Side(where=" and ".join(["wait_s >= 0"] * 25))
    measure = replace(from_catalogue("answer_rate", {}), numerator=side, denominator=side)
    found = measured([make_kpi(measure, population=long)], since="2024-W51", contacts=[contact(0, 0, wait_s=3)]).sums
    assert found["denominator"].tolist() == [1]


def test_rows_can_be_left_out_by_file_and_row(measured):
    """All rows against clean rows: sums, percentiles and repeats change with what is left out."""
    rows = [contact(n, 0, wait_s=10 * n, customer_id="k") for n in range(3)]
    kpis = [make_kpi("asa"), make_kpi("answer_time_percentile"), make_kpi("fcr")]
    every = measured(kpis, since="2024-W51", contacts=rows)
    clean = measured(
        kpis, since="2024-W51", contacts=rows, without={"contacts": [("contacts.csv", 4), ("other.csv", 2)]}
    )
    assert every.sums.set_index("kpi")["denominator"].to_dict() == {"asa": 3, "answer_time_percentile": 3, "fcr": 3}
    assert clean.sums.set_index("kpi")["denominator"].to_dict() == {"asa": 2, "answer_time_percentile": 2, "fcr": 2}
    assert clean.sums.set_index("kpi").loc["asa", "numerator"] == 10
    assert (sorted(every.histograms["bin"]), sorted(clean.histograms["bin"])) == ([0, 10, 20], [0, 10])


def test_the_order_of_rows_changes_nothing(measured, data):
    """Sums of whole numbers come out the same from any order."""
    kpis = [make_kpi(name, levels=ALL_LEVELS) for name in ("aht", "fcr", "answer_time_percentile")]
    rows = list(data["contacts"])
    first = measured(kpis, since="2025-W01", contacts=rows)
    random.Random(3).shuffle(rows)
    second = measured(kpis, since="2025-W01", contacts=rows)
    assert first.sums.equals(second.sums)
    assert first.histograms.equals(second.histograms)


@pytest.mark.parametrize(
    ("variant", "per_cent"),
    [("SL1", 83.02), ("SL2", 86.00), ("SL3", 81.13), ("SL4", 82.69), ("SL5", 82.08), ("SL6", 81.90)],
)
def test_the_six_variants_of_service_level_give_the_six_published_figures(measured, variant, per_cent):
    """A = 1000, B = 60, A_T = 860, B_T = 20, B_s = 10.

    Source:
        ICMI and Call Centre Helper, service-level calculations.
    """
    waits = [("answered", 20)] * 860 + [("answered", 21)] * 140
    waits += [("abandoned", 4)] * 10 + [("abandoned", 20)] * 10 + [("abandoned", 21)] * 40
    rows = [contact(n, 0, outcome=outcome, wait_s=wait) for n, (outcome, wait) in enumerate(waits)]
    rows += [contact(5000 + n, 0, outcome=o, wait_s=1) for n, o in enumerate(["left_menu", "void", "flowed_out"])]
    kpi = make_kpi(from_catalogue("service_level", {"variant": variant}))
    sums = measured([kpi], since="2024-W51", contacts=rows).sums.iloc[0]
    assert round(100 * sums["numerator"] / sums["denominator"], 2) == per_cent


def interval(day=0, **values):
    """Return one row of interval counts."""
    return {
        "starts_on": FIRST + timedelta(days=day),
        "length": "day",
        "n_offered": 100,
        "n_answered": 90,
        "n_abandoned": 10,
        "n_in_threshold": 80,
        "handle_s_sum": 9000,
        "asa_s": 12.5,
        **values,
    }


@pytest.mark.parametrize(
    ("name", "parameters", "gap", "sums"),
    [
        ("service_level", {"variant": "SL3"}, "n_in_threshold", [80, 100]),
        ("service_level", {"variant": "SL2"}, "n_in_threshold", [80, 90]),
        ("abandon_rate", {}, "n_abandoned", [10, 100]),
        ("answer_rate", {}, "n_offered", [90, 100]),
        ("aht", {}, "handle_s_sum", [9000, 90]),
        ("asa", {}, "asa_s", [1125, 90]),
        ("asa", {}, "n_answered", [1125, 90]),
    ],
)
def test_interval_counts_are_summed_where_both_sides_are_known(measured, name, parameters, gap, sums):
    """A count that is missing takes its row out of both sides; n is the sum of what is below the line."""
    rows = [interval(), interval(1, **{gap: None})]
    measure = from_catalogue(name, {**parameters, "table": "intervals"})
    found = measured([make_kpi(measure)], since="2024-W51", intervals=rows).sums
    assert found[["numerator", "denominator", "n"]].to_numpy().tolist() == [[*sums, sums[1]]]


@pytest.mark.parametrize(
    ("kind", "lengths"),
    [
        ("day", {"15min", "30min", "hour", "day"}),
        ("week", {"15min", "30min", "hour", "day", "week"}),
        ("month", {"15min", "30min", "hour", "day", "month"}),
        ("quarter", {"15min", "30min", "hour", "day", "month"}),
        ("year", {"15min", "30min", "hour", "day", "month"}),
    ],
)
def test_an_interval_that_reaches_beyond_a_period_is_not_counted_in_it(measured, kind, lengths):
    """The counts of a month do not belong to its first week, nor those of a week to one month."""
    every = ("15min", "30min", "hour", "day", "week", "month")
    rows = [interval(length=length, n_offered=2**n) for n, length in enumerate(every)]
    kpi = make_kpi(from_catalogue("answer_rate", {"table": "intervals"}))
    found = measured([kpi], kind=kind, since=FIRST.isoformat(), intervals=rows).sums
    assert found["denominator"].tolist() == [sum(2**n for n, length in enumerate(every) if length in lengths)]


def test_a_workspace_sums_columns_of_its_own(measured):
    """Fractions are scaled to whole numbers before they are summed, and back when divided."""
    own = Column(name="period", type="number", about="a name that the query uses itself, in another meaning")
    contract = TABLES | {"intervals": INTERVALS.extended((own,))}
    measure = Measure(
        key="own",
        about="own",
        kind="ratio",
        unit="s",
        better="down",
        numerator=Side(table="intervals", of="period", scale=1000),
        denominator=Side(table="intervals", of="n_answered"),
        source="own",
    )
    rows = [interval(period=0.1234), interval(1, period=0.1)]
    found = measured([make_kpi(measure)], since="2024-W51", intervals=rows, contract=contract).sums.iloc[0]
    assert found[["numerator", "denominator"]].tolist() == [223, 180]
    assert found["numerator"] / found["denominator"] * measure.factor == pytest.approx(0.223 / 180)


def test_counts_are_never_scaled():
    """A scale belongs to a sum; a side that counts rows keeps its count."""
    share = Measure(
        key="own", about="own", kind="share", unit="share", better="up",
        numerator=Side(scale=100), denominator=Side(scale=10), source="own",
    )  # fmt: skip
    assert share.factor == 1.0


def test_a_mean_is_taken_over_the_rows_that_have_a_value(measured):
    """A row whose time is missing is in neither side, also where a measure of one's own forgets to say so."""
    measure = Measure(
        key="own", about="own", kind="mean", unit="s", better="within",
        numerator=Side(of="menu_s"), denominator=Side(), source="own",
    )  # fmt: skip
    rows = [contact(0, 0, menu_s=10), contact(1, 0, menu_s=None), contact(2, 0, menu_s=20)]
    found = measured([make_kpi(measure)], since="2024-W51", contacts=rows).sums.iloc[0]
    assert found[["numerator", "denominator", "n", "squares"]].tolist() == [30, 2, 2, 500]


def test_sums_that_grow_too_large_are_a_register_error_without_a_value(measured):
    """The engine's own message would show a cell."""
    side = Side(of="wait_s * wait_s * wait_s * wait_s")
    measure = Measure(
        key="own", about="own", kind="ratio", unit="count", better="up",
        numerator=side, denominator=side, source="own",
    )  # fmt: skip
    with pytest.raises(RegisterError) as refused:
        measured([make_kpi(measure)], since="2024-W51", contacts=[contact(0, 0, wait_s=604_799)])
    assert str(refused.value) == (
        "kpis.yml: the measures cannot be computed (OutOfRange). Look for products and sums that grow too large"
    )


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("service_levl", {}, "there is no measure 'service_levl' in the catalogue. Did you mean 'service_level'?"),
        ("aht", {"treshold_s": 5}, "measure 'aht' has no parameter 'treshold_s'. Known are: table"),
        ("acw", {"days": 5}, "measure 'acw' has no parameter 'days'. It takes none"),
        ("fcr", {"dys": 5}, "measure 'fcr' has no parameter 'dys'. Did you mean 'days'?"),
        ("fcr", {"days": "7"}, "parameter 'days' of measure 'fcr' must be a whole number"),
        ("fcr", {"days": 7.5}, "parameter 'days' of measure 'fcr' must be a whole number"),
        ("fcr", {"days": True}, "parameter 'days' of measure 'fcr' must be a whole number"),
        ("fcr", {"days": 0}, "parameter 'days' of measure 'fcr' must be 1 to 365"),
        ("csat", {"good": 6}, "parameter 'good' of measure 'csat' must be 1 to 5"),
        ("answer_time_percentile", {"per_cent": 101},
         "parameter 'per_cent' of measure 'answer_time_percentile' must be 1 to 100"),
        ("service_level", {"threshold_s": -1},
         "parameter 'threshold_s' of measure 'service_level' must be 1 to 604800"),
        ("service_level", {"variant": 3}, "parameter 'variant' of measure 'service_level' must be a text"),
        ("service_level", {"variant": "SL9"}, "there is no service-level variant 'SL9'. Did you mean 'SL6'?"),
        ("service_level", {"variant": "SL1", "table": "intervals"},
         "variant SL1 needs single contacts. Use SL2 or SL3 with interval counts"),
        ("aht", {"table": "segments"}, "there is no such measure over table 'segments'. Use contacts or intervals"),
    ],
)  # fmt: skip
def test_a_measure_that_cannot_be_made_is_refused_in_one_line(name, parameters, message):
    """Name, parameter, type and range are checked before anything is measured."""
    with pytest.raises(RegisterError) as refused:
        from_catalogue(name, parameters)
    assert str(refused.value) == message

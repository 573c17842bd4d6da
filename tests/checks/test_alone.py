"""Rules that look at more than the rows of a week: standing tables, other counts, dates of every row, samples.

One copy of one table is spoilt at a time: exactly the rule in mind fails, and exactly the figures that read its columns
change their rating.
"""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from ccanalysis.checks import gate, suites
from ccanalysis.contracts import TABLES

from . import mutations
from .alone import Alone, counting_contacts, counting_intervals, figures
from .conftest import PERIOD, SUITES, write
from .mutate import spoil

RULES, _ = suites.load(SUITES, TABLES)
LATER = pd.Timestamp("2100-01-04 09:00", tz="UTC")
BEFORE = pd.Timestamp("1960-01-04 09:00", tz="UTC")


def week(frame: pd.DataFrame, table: str) -> pd.Series:
    """The rows of the period reported on."""
    return pd.to_datetime(frame[TABLES[table].local_day]) >= pd.Timestamp(PERIOD.start)


def in_week(table: str, broken: mutations.Broken):
    """Spoil the rows of the period, and leave the others."""

    def spoilt(frame: pd.DataFrame) -> pd.DataFrame:
        now = week(frame, table)
        return pd.concat([frame[~now], broken(frame[now])], ignore_index=True)

    return spoilt


def dated(table: str, column: str, at: pd.Timestamp):
    """Put one stamp or day of the period far away."""
    value = at if TABLES[table].column(column).type == "instant" else at.date()
    return in_week(table, mutations.put(column, value, 1, lambda rows: rows[column].notna()))


def undated(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """Take the day of one row of the period."""
    frame = frame.copy()
    frame.loc[frame.index[week(frame, table)][0], TABLES[table].local_day] = None
    return frame


def overlapping(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame.head(1).assign(valid_from=date(2025, 1, 1))], ignore_index=True)


def sampled(trait):
    """Evaluate as many contacts of the week as before, all of a kind."""

    def spoilt(frame: pd.DataFrame, contacts: pd.DataFrame) -> pd.DataFrame:
        now = week(frame, "evaluations")
        of = contacts[week(contacts, "contacts") & (contacts["outcome"] == "answered")]
        chosen = trait(of)
        n = now.sum() // 2
        chosen = chosen.iloc[:: max(1, len(chosen) // n)].head(n)
        rows = frame[now].copy()
        ids = dict(zip(rows["evaluation_id"].unique(), chosen["contact_id"], strict=False))
        rows = rows[rows["evaluation_id"].isin(list(ids))]
        rows["contact_id"] = rows["evaluation_id"].map(ids)
        rows["evaluated_at"] = rows["evaluated_at"].max()
        return pd.concat([frame[~now], rows], ignore_index=True)

    return spoilt


def answering(column: str, value: str):
    """Let those of one kind answer four times as often as the others."""

    def spoilt(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        now = week(frame, "surveys") & (frame[column] != value)
        silent = frame.index[now & frame["answered_at"].notna()]
        silent = silent[[number % 4 != 0 for number in range(len(silent))]]
        frame.loc[silent, ["answered_at", "csat", "nps", "effort", "resolved_first_time"]] = None
        more = frame.index[week(frame, "surveys") & (frame[column] == value) & frame["answered_at"].isna()]
        frame.loc[more, "answered_at"] = frame.loc[more, "invited_at"] + pd.Timedelta(minutes=5)
        frame.loc[more, ["csat", "nps", "effort"]] = [4.0, 9.0, 2.0]
        frame.loc[more, "resolved_first_time"] = True
        return frame

    return spoilt


def by_queue(frame: pd.DataFrame, contacts: pd.DataFrame) -> pd.DataFrame:
    queue = frame["contact_id"].map(contacts.set_index("contact_id")["queue"])
    return answering("queue", "billing")(frame.assign(queue=queue)).drop(columns="queue")


def fewer(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    replies = frame.index[week(frame, "surveys") & frame["answered_at"].notna()]
    gone = replies[[number % 4 != 0 for number in range(len(replies))]]
    frame.loc[gone, ["answered_at", "csat", "nps", "effort", "resolved_first_time"]] = None
    return frame


def longest(contacts: pd.DataFrame) -> pd.DataFrame:
    """The longest third of each hour, so that nothing but the handle time is unlike."""
    rank = contacts.groupby(["local_hour", "queue", "team", "channel"])["talk_s"].rank(pct=True)
    return contacts[rank > 0.67]


STANDING = ("agents", "delegations", "requirements", "costs", "calendar", "actions", "control_totals")
EXPLICIT = {
    "agents.no_overlap": overlapping,
    "costs.month_future": mutations.put("month", date(2100, 1, 1)),
    "actions.decided_on_future": mutations.put("decided_on", date(1960, 1, 4)),
    "calendar.closes_time": mutations.put("closes", "9 p.m."),
    "costs.month_first": mutations.put("month", date(2026, 1, 2)),
    "calendar.order_hours": mutations.put("closes", "08:00"),
    "calendar.closes_given": mutations.put("closes", None),
}
SAMPLES = {
    "evaluations.sample_channel": sampled(lambda of: of[of["channel"] == "chat"]),
    "evaluations.sample_queue": sampled(lambda of: of[of["queue"] == "billing"]),
    "evaluations.sample_hour": sampled(lambda of: of[of["local_hour"] <= 9]),
    "evaluations.sample_site": sampled(lambda of: of[of["team"] == "North"]),
    "evaluations.sample_team": sampled(lambda of: of[of["team"] == "South"]),
    "evaluations.sample_agent": sampled(lambda of: of[of["agent_id"].isin(["a0"])]),
    "evaluations.sample_handle_time": sampled(longest),
    "surveys.sample_channel": lambda frame, _: answering("channel", "chat")(frame),
    "surveys.sample_queue": by_queue,
    "surveys.sample_site": lambda frame, _: answering("site", "Leeds")(frame),
    "surveys.sample_team": lambda frame, _: answering("team", "South")(frame),
}
# Reason -> rule -> companions.
COMPANIONS: dict[str, dict[str, str]] = {
    "what is dated too late comes after what follows it": {
        "complaints.summary_sent_at_future": "order_summary_closed",
        "complaints.responded_at_future": "order_responded_closed",
        "contacts.answered_at_future": "order_ended",
    },
    "what is dated before 1970 lies before the contact that it is of": {
        "evaluations.evaluated_at_future": "after_contact",
        "segments.started_at_future": "after_contact",
        "surveys.invited_at_future": "after_contact",
    },
    "what is placed on no day, or on another, is missing on its own": {
        "intervals.starts_on_given": "control_totals_near control_totals_far",
        "intervals.starts_on_future": "control_totals_near control_totals_far",
    },
    "where the others answer more seldom, fewer answer": {
        "surveys.sample_channel": "response_usual",
        "surveys.sample_queue": "response_usual",
    },
    "a site is its team here": {
        "evaluations.sample_site": "sample_team",
        "evaluations.sample_team": "sample_site",
        "surveys.sample_site": "sample_team",
        "surveys.sample_team": "sample_site",
    },
    "an agent is of one team and site": {"evaluations.sample_agent": "sample_team sample_site"},
    "what is told twice lies over itself": {"agents.key_unique": "no_overlap"},
    "what ends, or takes effect, before 1970 does so before it began": {
        "agents.valid_from_range": "order_employed",
        "agents.valid_to_range": "order_valid",
        "delegations.valid_to_range": "order_valid",
        "requirements.valid_to_range": "order_valid",
        "actions.starts_on_range": "order_starts",
    },
}
ALSO = {rule: names for rules in COMPANIONS.values() for rule, names in rules.items()}


def standing_cases():
    for table in STANDING:
        for rule in RULES[table]:
            if rule.type == "expect_table_row_count_to_be_between" or rule.kwargs.get("value_set") == [True, False]:
                continue
            if rule.on == "all" and rule.id not in EXPLICIT:
                yield rule.id, mutations.put(rule.kwargs["column"], LATER.date())
            else:
                again = rule.id.endswith("key_unique")
                spoilt = EXPLICIT.get(rule.id) or (mutations.again() if again else spoil(rule))
                yield rule.id, in_week(table, spoilt) if table == "control_totals" else spoilt


def dated_cases():
    for table, rules in RULES.items():
        if table in STANDING or table == "figures":
            continue
        for rule in rules:
            if rule.on == "all":
                column = rule.kwargs["column"]
                # The stamp that places the row begins too early; what follows it comes too late: the order holds.
                at = BEFORE if column == TABLES[table].instant else LATER
                yield rule.id, dated(table, column, at)
            elif TABLES[table].day and rule.id == f"{table}.{TABLES[table].day}_given":
                yield rule.id, lambda frame, table=table: undated(frame, table)


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Alone:
    return Alone(tmp_path_factory.mktemp("alone"), counting_contacts())


@pytest.fixture(scope="module")
def reported(tmp_path_factory) -> Alone:
    return Alone(tmp_path_factory.mktemp("reported"), counting_intervals())


def exactly(world: Alone, rule: str, frame: pd.DataFrame | None, also: str = "", **more) -> None:
    """Hold that the rule fails and its companions, and that the figures they concern change, and nothing else."""
    table = rule.split(".", maxsplit=1)[0]
    found = world.look(table, frame, **more)
    wanted = {rule} | {f"{table}.{name}" for name in also.split()}
    assert world.failed(found, table) == wanted
    about = found.expectations.set_index("rule")
    concerned: set[str] = set()
    for one in wanted:
        if about.loc[one, "severity"] != "note":
            columns = about.loc[one, "columns"] or [column.name for column in TABLES[table].mapped]
            concerned |= {f"{table}.{column}" for column in columns}
    before, after = world.ratings(world.clean, table), world.ratings(found, table)
    fit = before[before == "fit"].index
    assert set(fit[after.reindex(fit) != "fit"]) == concerned & set(fit)


@pytest.mark.parametrize(("rule", "spoilt"), [*standing_cases(), *dated_cases()])
def test_a_value_that_breaks_one_rule(alone, rule, spoilt):
    """Of tables that hold at all times, and of dates wherever they lie."""
    exactly(alone, rule, spoilt(alone.frames[rule.split(".")[0]].copy()), ALSO.get(rule, ""))


@pytest.mark.parametrize("rule", SAMPLES)
def test_a_sample_that_is_unlike_in_one_respect(alone, rule):
    """Nobody is blamed for the size of a sample, only for what it is of."""
    spoilt = SAMPLES[rule](alone.frames[rule.split(".")[0]].copy(), alone.frames["contacts"])
    exactly(alone, rule, spoilt, ALSO.get(rule, ""))


def fewest(frame: pd.DataFrame) -> pd.DataFrame:
    return fewer(fewer(fewer(frame)))


@pytest.mark.parametrize(
    ("rule", "spoilt", "also"),
    [("surveys.response_usual", fewer, ""), ("surveys.response_enough", fewest, "response_usual")],
)
def test_fewer_answers_than_usual_and_than_can_stand_for_all(alone, rule, spoilt, also):
    """The first is told from history, the second holds for any centre."""
    exactly(alone, rule, spoilt(alone.frames["surveys"]), also)


def less(share: float, day: str, column: str = ""):
    """Take away a share of the day's rows, or of what they count."""

    def spoilt(frame: pd.DataFrame, table: str) -> pd.DataFrame:
        frame = frame.copy()
        now = week(frame, table) & (frame["channel"] == "voice")
        rows = frame.index[now & (frame[day] == frame.loc[now, day].min())]
        if column:
            frame.loc[rows, column] = (frame.loc[rows, column].astype(float) * (1 - share)).round().astype(int)
            return frame
        return frame.drop(index=rows[: round(share * len(rows))])

    return spoilt


OTHER_COUNTS = [
    ("contacts.control_totals_near", "control_totals", 0.05, ""),
    ("contacts.control_totals_far", "control_totals", 0.2, "control_totals_near"),
    ("contacts.intervals_near", "intervals", 0.05, ""),
    ("contacts.intervals_far", "intervals", 0.2, "intervals_near"),
    ("intervals.control_totals_near", "control_totals", 0.05, ""),
    ("intervals.control_totals_far", "control_totals", 0.2, "control_totals_near"),
]


@pytest.mark.parametrize(("rule", "other", "share", "also"), OTHER_COUNTS, ids=[case[0] for case in OTHER_COUNTS])
def test_another_count_that_differs(alone, reported, tmp_path, rule, other, share, also):
    """The table is as it was; what somebody else counted is not."""
    world = alone if rule.startswith("contacts") else reported
    frame = less(share, TABLES[other].local_day, "n_offered")(world.frames[other], other)
    held = world.paths[other]
    world.paths[other] = write(frame, TABLES[other], tmp_path)
    try:
        exactly(world, rule, None, also)
    finally:
        world.paths[other] = held


ISSUED = [rule.id for rules in RULES.values() for rule in rules if rule.on == "issued"]


@pytest.mark.parametrize("rule", ISSUED)
def test_a_count_of_earlier_days_that_has_changed(alone, reported, rule):
    """The same files that give another count are a caution; files that were replaced explain it."""
    table, _, name = rule.partition(".")
    world = reported if table == "intervals" else alone
    digest = "other" if name == "issued_revised" else "same"
    exactly(world, rule, None, last=world.issued(added=50, table=table, digest=digest))


@pytest.mark.parametrize("table", ["contacts", "intervals"])
def test_an_export_taken_before_the_period_ended(alone, reported, table):
    """The last day ends too early; its last hours are missing too."""
    world, hour = (alone, "local_hour") if table == "contacts" else (reported, "starts_hour")
    frame = world.frames[table]
    day = TABLES[table].local_day
    frame = frame[~((frame[day] == frame[day].max()) & (frame[hour] >= 15))]
    totals = {"contacts": ("control_totals", "intervals"), "intervals": ("control_totals",)}[table]
    held = {name: world.paths.pop(name) for name in totals}
    try:
        exactly(world, f"{table}.period_settled", frame, "hours_present")
    finally:
        world.paths |= held


FIGURES = {
    "figures.part_of_whole": ("numerator", 101.0, "not fit"),
    "figures.numerator_negative": ("numerator", -1.0, "not fit"),
    "figures.denominator_negative": ("denominator", -1.0, "not fit"),
    "figures.definition_constant": ("redefined", True, "caution"),
    "figures.target_constant": ("retargeted", True, "fit"),
}


@pytest.mark.parametrize(
    ("rule", "level"), [(rule, level) for rule in FIGURES for level in ("centre", "team", "queue")]
)
def test_a_figure_that_cannot_be_is_no_other_figures_fault(alone, rule, level):
    """What was measured of one unit and period concerns that figure alone."""
    column, value, rating = FIGURES[rule]
    frame = figures()
    now = frame["period_start"] == PERIOD.start
    row = frame.index[now & (frame["kpi"] == "level") & (frame["level"] == level)]
    frame.loc[row, column] = value
    found = alone.look("figures", figures=frame)
    also = {"figures.part_of_whole"} if rule == "figures.denominator_negative" else set()
    assert alone.failed(found, "figures") == {rule} | also
    asked = pd.DataFrame(
        [{"kpi": kpi, "table": "contacts", "columns": ("wait_s",)} for kpi in ("level", "quit", "net")]
    )
    rated = gate(found, asked)
    changed = rated[rated["rating"] != "fit"][["kpi", "level", "period", "rating"]].to_dict("records")
    wanted = {"kpi": "level", "level": level, "period": PERIOD.label, "rating": rating}
    assert changed == ([wanted] if rating != "fit" else [])


BROKEN = (
    {rule for rule, _ in standing_cases()}
    | {rule for rule, _ in dated_cases()}
    | set(SAMPLES)
    | {"surveys.response_usual", "surveys.response_enough", "contacts.period_settled", "intervals.period_settled"}
    | {rule for rule, *_ in OTHER_COUNTS}
    | set(ISSUED)
    | set(FIGURES)
)

"""What rules look at: the rows of a table in the baseline, and small tables of its days, periods and daily totals.

A rule names its batch in `meta.on`:

- `rows`: the rows of the period, with helper columns; of a standing table (a roster, a list of limits) all rows,
- `all`: every row of the export, whatever its date,
- `days`: one row per local day and channel, site or team, with whether it was an open day,
- `period`: one row per period, with its number of rows,
- `hours`: one row per local hour and channel, with whether it was open and usually brings rows,
- `parts`: one row per file, day, channel and duration, with how long it is beside what is usual,
- `control`: one row per independent daily total, beside what the table has,
- `intervals`: one row per day of the interval report, beside the contacts,
- `roster`: one row per agent, with the days worked and the days on the roster,
- `issued`: one row per day that the last issued run counted, beside what is there now,
- `sample`: one row per trait of a sample, with how far it is from what it was drawn from.

Helper columns say in one column what takes several, so that a suite stays plain JSON without SQL.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from ccanalysis.checks.reconcile import Issued
from ccanalysis.checks.resemblance import SAMPLES
from ccanalysis.contracts import Column, Table
from ccanalysis.engine import literal
from ccanalysis.periods import Kind, Period
from ccanalysis.workspace import Centre

On = Literal["rows", "all", "days", "period", "control", "hours", "parts", "intervals", "roster", "issued", "sample"]
ONS: tuple[On, ...] = get_args(On)
# Tables that hold at all times, so that a period has no rows of its own in them.
STANDING = frozenset({"agents", "delegations", "requirements", "costs", "calendar", "actions"})
# What was measured, held against rules like a table.
FIGURES = Table(
    name="figures",
    about="one row per KPI, unit and period, as it was measured",
    columns=(
        Column(name="kpi", type="text", about="KPI"),
        Column(name="level", type="text", about="level of the unit"),
        Column(name="unit", type="text", about="unit; empty for the centre"),
        Column(name="period_start", type="date", about="first local day of the period"),
        Column(name="numerator", type="number", about="what was summed above the line"),
        Column(name="denominator", type="number", about="what was summed below the line"),
        Column(name="is_share", type="boolean", about="whether the one is a part of the other"),
        Column(name="can_be_negative", type="boolean", about="whether it is a difference, such as a net score"),
        Column(name="redefined", type="boolean", about="whether its definition changed inside the period"),
        Column(name="retargeted", type="boolean", about="whether its target changed inside the period"),
    ),
    key=("kpi", "level", "unit", "period_start"),
    day="period_start",
)
# Tables in which an open day without rows is a gap, and what counts as volume in them.
DAILY = {"contacts": "count(*)", "intervals": "coalesce(sum(n_offered), 0)"}
# Tables that tell the hour of a row, and in which an open hour without rows is a gap.
HOURLY = {"contacts": "local_hour", "intervals": "starts_hour"}
# Durations whose unit may change from one part of the data to the next.
DURATIONS = {
    "contacts": {name: name for name in ("wait_s", "talk_s", "hold_s", "acw_s")},
    "segments": {name: name for name in ("wait_s", "talk_s", "hold_s", "acw_s")},
    "agent_states": {"actual_s": "actual_s"},
    "intervals": {
        "mean_handle_s": "handle_s_sum / nullif(n_answered, 0)",
        "mean_wait_s": "wait_s_sum / nullif(n_answered, 0)",
    },
}
_COUNTED = {
    "on_date": "local day",
    "channel": "medium",
    "site": "site, or empty for the whole centre",
    "n_control": "contacts offered by the other count",
    "n_recorded": "contacts offered by this table",
    "gap_share": "how far the two are apart, as a share of the other count",
}
# What is told of each period by one value over its rows.
PERIOD_FACTS = {
    "surveys": {"response_share": "avg(CASE WHEN answered_at IS NULL THEN 0 ELSE 1 END)"},
    "intervals": {
        "unexplained_share": "sum(n_offered - n_answered - coalesce(n_abandoned, 0) - coalesce(n_flowed_out, 0)"
        " - coalesce(n_short, 0) - coalesce(n_closed, 0)) / nullif(sum(n_offered) FILTER (n_answered IS NOT NULL), 0)"
    },
    "evaluations": {
        "forms_changed": "(count(DISTINCT (form, form_version)) FILTER (form_version IS NOT NULL)"
        " - count(DISTINCT form) FILTER (form_version IS NOT NULL AND form IS NOT NULL))"
    },
}
# Columns of the small batches, by batch.
DERIVED_COLUMNS: dict[On, dict[str, str]] = {
    "days": {
        "level": "channel, site, channel_site or team",
        "unit": "which one",
        "on_date": "local day",
        "expected": "whether the centre was open",
        "n_rows": "rows, or contacts offered where the table holds counts",
    },
    "period": {
        "n_rows": "rows, or contacts offered where the table holds counts",
        "n_per_day": "the same for each open day of a channel, so that a week with a holiday is like the others",
        "settled": "whether the export was taken after the period had ended",
        "gap_days": "days from the last row to the end of the period",
        "channel_shift": "how far the mix of channels is from that of the other periods, 0 to 1",
        "site_shift": "the same for sites",
        "queue_shift": "the same for queues",
        "response_share": "invitations that were answered (surveys)",
        "unexplained_share": "contacts offered that are neither answered nor abandoned nor told otherwise (intervals)",
        "closed_share": "rows in hours in which the centre was closed",
        "forms_changed": "forms that were used in more than one version (evaluations)",
    },
    "control": _COUNTED,
    "intervals": _COUNTED,
    "hours": {
        "level": "channel, or centre for all channels together",
        "unit": "which channel",
        "on_date": "local day; days without any row are left out",
        "hour": "local hour, 0 to 23",
        "expected": "whether the centre was open all that hour and rows are usual in it",
        "open": "whether the centre was open in that hour; empty where no opening hours are known",
        "usual": "median of the rows in this hour of this weekday",
        "n_rows": "rows, or contacts offered where the table holds counts",
    },
    "parts": {
        "measure": "the duration",
        "channel": "medium",
        "on_date": "local day",
        "n": "how many durations above zero",
        "typical": "their geometric mean, seconds",
        "usual": "the median of that over all parts of the baseline",
        "factor": "how many times the one is the other; 1 where they are equal",
    },
    "roster": {
        "days_worked": "local days on which the agent took contacts",
        "days_outside": "those of them for which the roster does not have the agent",
        "rostered": "whether the roster has the agent for the whole period",
        "usual": "whether the agent took any contact in the baseline",
    },
    "issued": {
        "on_date": "local day",
        "n_then": "rows that the last issued run counted",
        "n_now": "rows that there are now",
        "gap_share": "how far the two are apart, as a share of the first",
        "explained": "whether a file that was added or replaced since accounts for it",
    },
    "sample": {
        "of": "the trait that is compared: channel, queue, local_hour, site, team, agent_id or handle_s",
        "value": "which value of it; empty for a mean and for agents",
        "n_sample": "cases in the sample",
        "n_all": "cases that it was drawn from",
        "difference": "standardised difference of the sample",
        "beyond_chance": "its size, less what chance brings to a sample of this size",
    },
}


@dataclass(frozen=True, kw_only=True)
class Helper:
    """One helper column of a table's rows.

    Attributes:
        sql: The expression over the table's own columns.
        about: What it says.
        needs: Further tables that it looks at; where one is absent, rules on it are not assessed.
    """

    sql: str
    about: str
    needs: tuple[str, ...] = ()


def _seconds_between(earlier: str, later: str) -> str:
    return f"(epoch({later}) - epoch({earlier}))"


def _listed(column: str, table: str) -> Helper:
    return Helper(
        sql=f"CASE WHEN {column} IS NULL THEN NULL ELSE {column} IN (SELECT {column} FROM {table}__source "
        f"WHERE {column} IS NOT NULL) END",
        about=f"whether {column!r} is in table {table!r}",
        needs=(table,),
    )


def _score(points: str, possible: str) -> str:
    """Weighted points of those possible over the criteria of an evaluation that have points, as the measures do."""
    return " / ".join(
        f"nullif(sum(CASE WHEN points IS NOT NULL THEN ({of}) * coalesce(weight, 1) END)"
        " OVER (PARTITION BY evaluation_id), 0)"
        if of == possible
        else f"sum(({of}) * coalesce(weight, 1)) OVER (PARTITION BY evaluation_id)"
        for of in (points, possible)
    )


def _after_contact(stamp: str) -> Helper:
    return Helper(
        # Exports that write no seconds lie up to a minute before.
        sql=f"{stamp} >= (SELECT min(offered_at) FROM contacts__source AS of_it WHERE of_it.contact_id ="
        " source.contact_id) - INTERVAL 1 MINUTE",
        about=f"whether {stamp!r} follows the beginning of the contact",
        needs=("contacts",),
    )


# After-contact work follows the customer's end, so it is no part of the time between answered and ended.
_SUM_OF_PARTS = "CASE WHEN talk_s IS NULL THEN NULL ELSE talk_s + coalesce(hold_s, 0) - {since} END"
HELPERS: dict[str, dict[str, Helper]] = {
    "contacts": {
        "agent_listed": _listed("agent_id", "agents"),
        "wait_gap_s": Helper(
            sql=f"wait_s - {_seconds_between('offered_at', 'answered_at')}",
            about="wait less the time between offered and answered",
        ),
        "handling_gap_s": Helper(
            sql=_SUM_OF_PARTS.format(since=_seconds_between("answered_at", "ended_at")),
            about="talk and hold less the time between answered and ended",
        ),
        "elapsed_s": Helper(sql=_seconds_between("offered_at", "ended_at"), about="the time between offered and ended"),
        "threshold_told": Helper(
            # A second of rounding is no contradiction.
            sql="CASE WHEN outcome = 'answered' AND abs(wait_s - threshold_s) > 1 THEN"
            " in_threshold = (wait_s <= threshold_s) END",
            about="whether the source's word agrees with wait and threshold of the answered contact",
        ),
        "paused": Helper(sql="payment AND recording_paused", about="whether recording was paused for a payment"),
    },
    "segments": {
        "after_contact": _after_contact("started_at"),
        "agent_listed": _listed("agent_id", "agents"),
        "contact_listed": _listed("contact_id", "contacts"),
        "handling_gap_s": Helper(
            sql=f"coalesce(wait_s, 0) + coalesce(talk_s, 0) + coalesce(hold_s, 0) - "
            f"{_seconds_between('started_at', 'ended_at')}",
            about="wait, talk and hold less the time between begin and end",
        ),
    },
    "intervals": {
        "n_left": Helper(
            sql="coalesce(n_answered, 0) + coalesce(n_abandoned, 0) + coalesce(n_flowed_out, 0) + coalesce(n_short, 0)"
            " + coalesce(n_closed, 0)",
            about="contacts answered, abandoned, flowed out, short and turned away",
        ),
        "asa_gap_s": Helper(
            sql="CASE WHEN n_answered > 0 THEN asa_s - wait_s_sum / n_answered END",
            about="average speed of answer as the source gives it, less wait through answered",
        ),
        "mean_handle_s": Helper(
            sql="CASE WHEN n_answered > 0 THEN handle_s_sum / n_answered END", about="mean handle time of the interval"
        ),
        "mean_wait_s": Helper(
            sql="CASE WHEN n_answered > 0 THEN wait_s_sum / n_answered END", about="mean wait of the interval"
        ),
    },
    "evaluations": {
        "agent_listed": _listed("agent_id", "agents"),
        "contact_listed": _listed("contact_id", "contacts"),
        "weight_sum": Helper(
            sql="sum(weight) OVER (PARTITION BY evaluation_id)", about="weights of the whole evaluation, per cent"
        ),
        "score_gap": Helper(
            # Points times weight over what was possible, or weights times shares of the points: sources do either.
            sql=f"least(abs(score_share - {_score('points', 'max_points')}),"
            f" abs(score_share - {_score('points / nullif(max_points, 0)', '1')}))",
            about="how far the source's score is from points and weights of the whole evaluation, as a share",
        ),
        "after_contact": _after_contact("evaluated_at"),
        "times_evaluated": Helper(
            sql="CASE WHEN contact_id IS NOT NULL THEN "
            "count(*) OVER (PARTITION BY contact_id, form, source, evaluator_id, criterion) END",
            about="how often one evaluator gave the same contact points for this criterion",
        ),
    },
    "surveys": {
        "after_contact": _after_contact("invited_at"),
        "contact_listed": _listed("contact_id", "contacts"),
        "scored": Helper(
            sql="csat IS NOT NULL OR nps IS NOT NULL OR effort IS NOT NULL OR resolved_first_time IS NOT NULL",
            about="whether any question was answered",
        ),
    },
    "complaints": {"contact_listed": _listed("contact_id", "contacts")},
    "breaches": {
        "contact_listed": _listed("contact_id", "contacts"),
        "requirement_listed": _listed("requirement_id", "requirements"),
    },
    "escalations": {"contact_listed": _listed("contact_id", "contacts")},
    "agents": {
        "overlap_days": Helper(
            sql="date_diff('day', valid_from, coalesce(lag(coalesce(valid_to, DATE '9999-12-31')) OVER "
            "(PARTITION BY agent_id ORDER BY valid_from), valid_from - 1)) + 1",
            about="days by which a stay begins before the agent's stay before it has ended",
        ),
    },
    "agent_states": {
        "agent_listed": _listed("agent_id", "agents"),
        "day_s": Helper(
            sql="sum(actual_s) OVER (PARTITION BY agent_id, on_date)", about="seconds of the agent's whole day"
        ),
    },
    "activities": {"agent_listed": _listed("agent_id", "agents")},
    "costs": {"day_of_month": Helper(sql="day(month)", about="day of the month")},
}
# An export that has no such column at all has no missing values in it. Contacts and legs come from several systems, so
# it is told per medium and site; every other table is one export.
TOLD_BY: dict[str, tuple[str, ...]] = {"contacts": ("channel", "site"), "segments": ("site",)}
TOLD = "has_"
SAME_KEY = Helper(sql="coalesce(same_key_of.n, 1)", about="how many rows have this row's key; more than 1 repeats it")


def columns_of(table: Table, on: str) -> dict[str, str]:
    """Return the columns that a rule on a batch may name, and what they say."""
    if on in ("rows", "all"):
        own = {column.name: column.about for column in table.columns}
        if table.name == FIGURES.name:
            return own
        helpers = {name: helper.about for name, helper in HELPERS.get(table.name, {}).items()}
        told = {
            TOLD + column.name: f"whether the export has {column.name!r} at all, by any value in the baseline"
            for column in table.mapped
            if not column.required
        }
        return own | {"same_key": SAME_KEY.about} | told | helpers
    return DERIVED_COLUMNS[on]  # type: ignore[index]


def ons_of(table: Table) -> tuple[str, ...]:
    """Return the batches that a table has."""
    name = table.name
    if name == FIGURES.name:
        return ("rows",)
    if name in STANDING:
        return ("rows", "all")
    daily = ("days", "control") if name in DAILY else ()
    contacts = ("intervals", "roster") if name == "contacts" else ()
    return (
        *("rows", "all", "period", "issued", *daily, *contacts),
        *(("hours",) if name in HOURLY else ()),
        *(("parts",) if name in DURATIONS else ()),
        *(("sample",) if name in SAMPLES else ()),
    )


def needs_of(table: str, columns: set[str], on: str) -> tuple[str, ...]:
    """Return the further tables that a rule on these columns looks at."""
    if on == "control":
        return ("control_totals",)
    if on == "intervals":
        return ("intervals",)
    if on == "roster":
        return ("agents",)
    if on == "sample":
        return SAMPLES[table].needs
    helpers = HELPERS.get(table, {})
    needed = {name for column in columns if column in helpers for name in helpers[column].needs}
    return tuple(sorted(needed))


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One thing that rules look at.

    Attributes:
        table: The contract table.
        on: Which batch of it.
        name: The view that Great Expectations validates: the report period alone.
        history: The view with every period of the baseline, with `_period` and the unit of each row.
        timed: Whether its rows belong to periods; else what it says holds for all of them.
        rows: How many rows the report period has.
    """

    table: str
    on: On
    name: str
    history: str
    timed: bool
    rows: int

    @property
    def levels(self) -> dict[str, str]:
        """The levels that it can be told by, with the column that holds the unit."""
        whole = {"team": "_team", "site": "_site"}
        return whole if self.on in ("rows", "all") else whole | {"channel": "_channel"}


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The time that a check looks at.

    Attributes:
        period: The period reported on.
        baseline: How many periods are looked at, with it.
        centre: The centre, whose opening hours say which days to expect.
        as_of: When the exports were taken; what lies after it is in the future.
        told: Whether `as_of` was given, not assumed.
        last: What the last issued run counted.
    """

    period: Period
    baseline: int
    centre: Centre
    as_of: datetime
    told: bool
    last: Issued = field(default_factory=Issued)

    @property
    def periods(self) -> list[Period]:
        """The periods of the baseline, the oldest first."""
        return list(self.period.back(self.baseline))

    @property
    def labels(self) -> list[str]:
        """Their labels."""
        return [period.label for period in self.periods]

    @property
    def first(self) -> str:
        """The first local day, as an SQL literal."""
        return f"DATE {literal(self.periods[0].start.isoformat())}"

    @property
    def end(self) -> str:
        """The first local day after the period, as an SQL literal."""
        return f"DATE {literal(self.period.end.isoformat())}"


def period_start(day: str, kind: Kind) -> str:
    """Return the first day of the period that a day lies in, as SQL; cheaper per row than its label."""
    return day if kind == "day" else f"CAST(date_trunc({literal(kind)}, {day}) AS DATE)"

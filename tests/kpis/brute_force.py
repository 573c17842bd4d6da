"""Every measure of the catalogue a second time: plain Python over lists of rows, one row after the other.

Nothing here is shared with the package: no SQL, no expression, no sums in advance. Each measure says for one row what
it adds above and below the line; None adds nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import holidays

Row = dict[str, Any]
World = dict[str, list[Row]]
Adds = Callable[[Row], Any]
LONDON = ZoneInfo("Europe/London")
UNITS = {
    **{"centre": None, "site": "site", "team": "team", "line_manager": "line_manager", "queue": "queue"},
    **{"channel": "channel", "reason": "reason", "agent": "agent_id"},
}
_ENGLAND = holidays.country_holidays("GB", subdiv="ENG")


@dataclass(frozen=True)
class Part:
    """One side: a table, what a row adds, and the day that places it."""

    table: str
    adds: Adds
    day: Callable[[Row], date | None] = lambda row: row.get("local_date") or row.get("due_on") or row.get("on_date")
    until: str = ""  # of a stock: the time at which a row ceased to be open


@dataclass(frozen=True)
class Figure:
    """Both sides of a measure, and how its rows are counted."""

    above: Part
    below: Part
    mean: bool = False
    bins: Callable[[int], int] | None = None
    censored: Part | None = field(default=None)


def local_day(moment: datetime | None) -> date | None:
    """Return the day in London."""
    return None if moment is None else moment.astimezone(LONDON).date()


def rounded(number: float) -> int:
    """Round halves away from nought, exactly."""
    exact = Fraction(number)
    return int(abs(exact) + Fraction(1, 2)) * (1 if exact >= 0 else -1)


def between(earlier: datetime | None, later: datetime | None) -> int | None:
    """Return whole seconds between two times."""
    if earlier is None or later is None:
        return None
    gap = (later - earlier) // timedelta(microseconds=1)
    return rounded(Fraction(gap, 1_000_000))


def business_days(earlier: datetime | None, later: datetime | None) -> int | None:
    """Count the days of work after one day, up to another; a day off belongs to the next day of work."""
    first, last = local_day(earlier), local_day(later)
    if first is None or last is None:
        return None

    def until(day: date) -> int:
        start = date(2024, 1, 1)
        return sum(_ENGLAND.is_working_day(start + timedelta(days=n)) for n in range((day - start).days + 1))

    return until(last) - until(first) + (not _ENGLAND.is_working_day(last))


def coarse(value: int) -> int:
    """Return the middle of the 64th of a power of two that a value lies in; below 128 the value itself."""
    if value < 128:
        return value
    step = 1
    while value >= step * 128:
        step *= 2
    return value // step * step + step // 2


def one(condition: Any) -> int | None:
    """Count a row, or not."""
    return 1 if condition else None


def share(table: str, above: Adds, below: Adds, **more: Any) -> Figure:
    """Count rows above the line and rows below it."""
    return Figure(Part(table, lambda r: one(above(r)), **more), Part(table, lambda r: one(below(r)), **more))


def mean(table: str, value: Adds) -> Figure:
    """Take the mean over the rows that have a value."""
    return Figure(Part(table, value), Part(table, lambda r: one(value(r) is not None)), mean=True)


def percentile(table: str, value: Adds, bins: Callable[[int], int] = coarse) -> Figure:
    """Keep every value."""

    def kept(row: Row) -> int | None:
        found = value(row)
        return None if found is None or found < 0 else found

    return Figure(Part(table, kept), Part(table, lambda r: one(kept(r) is not None)), bins=bins)


def answered(row: Row) -> bool:
    """Tell whether an agent answered."""
    return row["outcome"] == "answered"


def lost(row: Row) -> bool:
    """Tell whether the caller gave up."""
    return row["outcome"] == "abandoned"


def offered(row: Row) -> bool:
    """Tell whether it was offered."""
    return answered(row) or lost(row)


def known(row: Row, name: str) -> bool:
    """Tell whether a row has a value."""
    return row.get(name) is not None


def least(row: Row, name: str, limit: float) -> bool:
    """Tell whether a known value is at least a limit."""
    return known(row, name) and row[name] >= limit


def monitored(row: Row) -> bool:
    """Tell whether a row is of call monitoring that stands."""
    return row["source"] == "call_monitoring" and not row.get("withdrawn")


def calibrated(row: Row) -> bool:
    """Tell whether a row is of a calibration that stands, with points."""
    return row["source"] == "calibration" and not row.get("withdrawn") and known(row, "points")


def handling(row: Row) -> int | None:
    """Add up the work on a contact."""
    if not answered(row) or not known(row, "talk_s"):
        return None
    return row["talk_s"] + (row.get("hold_s") or 0) + (row.get("acw_s") or 0)


def answered_value(name: str) -> Adds:
    """Give a value of answered contacts."""
    return lambda row: row.get(name) if answered(row) else None


def next_of(rows: list[Row], key: tuple[str, ...], at: str, name: str) -> dict[int, datetime]:
    """Give for each row the time of the next of the same key."""
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row.get(part) for part in key)].append(row)
    found = {}
    for group in groups.values():
        group.sort(key=lambda row: (row[at], row[name].encode()))
        for row, following in pairwise(group):
            found[id(row)] = following[at]
    return found


def figures(world: World) -> dict[str, Figure]:  # noqa: PLR0915  one measure after the other
    """Return every measure of the catalogue with its defaults."""
    repeat = next_of(world["contacts"], ("customer_id", "reason"), "offered_at", "contact_id")
    attempt = next_of(world["contacts"], ("customer_id",), "offered_at", "contact_id")
    breach = next_of(world["breaches"], ("requirement_id", "agent_id"), "found_at", "breach_id")

    def comes(following: dict[int, datetime], row: Row, at: str, days: int) -> bool:
        gap = between(row[at], following.get(id(row)))
        return gap is not None and gap <= days * 86_400

    evaluations = defaultdict(list)
    for row in world["evaluations"]:
        evaluations[row["evaluation_id"]].append(row)
    firsts = {id(min(rows, key=lambda r: r["criterion"].encode())) for rows in evaluations.values()}

    def whole(row: Row) -> bool:
        return monitored(row) and id(row) in firsts

    def case(row: Row) -> list[Row]:
        same = ("source", "contact_id", "form", "criterion")
        return [r for r in world["evaluations"] if all(r.get(k) == row.get(k) for k in same) and not r.get("withdrawn")]

    def reference(row: Row) -> float | None:
        given = [r["points"] for r in case(row) if r.get("expert") and known(r, "points")]
        return max(given, default=None)

    def deviation(row: Row) -> int | None:
        if not calibrated(row) or row.get("expert") or reference(row) is None:
            return None
        gap = row["points"] - reference(row)
        return rounded(abs(gap) * 100)

    def alike(row: Row) -> list[int] | None:
        rated = [r["points"] for r in case(row) if known(r, "points")]
        return [len(rated), rated.count(row["points"])] if calibrated(row) and len(rated) > 1 else None

    def points(name: str, where: Adds) -> Adds:
        def value(row: Row) -> int | None:
            if not where(row) or not known(row, "points") or not known(row, "max_points"):
                return None
            weight = row["weight"] if known(row, "weight") else 1
            return rounded(row[name] * weight * 100)

        return value

    def score(where: Adds) -> Figure:
        return Figure(Part("evaluations", points("points", where)), Part("evaluations", points("max_points", where)))

    def limit(row: Row, who: str) -> float | None:
        day, found = row["local_date"], []
        for agent in world["agents"]:
            if agent["agent_id"] != row.get(who) or not in_force(agent, day):
                continue
            for rule in world["delegations"]:
                fits = row.get("decision") is None or rule["kind"] == row["decision"]
                if fits and rule["role"] == agent["role"] and in_force(rule, day):
                    found.append(rule)
        return max(r["limit"] for r in found) if len({r["kind"] for r in found}) == 1 else None

    def together(row: Row) -> float:
        def case_of(r: Row) -> tuple:
            return r.get("contact_id") or r["escalation_id"], r.get("decided_by"), r.get("decision")

        same = [r for r in world["escalations"] if case_of(r) == case_of(row) and known(r, "amount")]
        return sum(rounded(r["amount"] * 100) for r in same) / 100

    def decided(row: Row) -> bool:
        return known(row, "amount") and limit(row, "decided_by") is not None

    def within(row: Row) -> bool:
        return known(row, "amount") and limit(row, "agent_id") is not None and row["amount"] <= limit(row, "agent_id")

    def ended(row: Row) -> bool:
        days = [
            action.get("starts_on") or action["decided_on"]
            for action in world["actions"]
            if action.get("root_cause") == row.get("root_cause") and action.get("state") in ("running", "done")
        ]
        return bool(days) and min(days) <= row["local_date"]

    def summarised(row: Row) -> bool:
        days = business_days(row["received_at"], row.get("summary_sent_at"))
        return days is not None and days <= 3

    def responded(row: Row) -> bool:
        if summarised(row) or not known(row, "responded_at"):
            return False
        return (local_day(row["responded_at"]) - local_day(row["received_at"])).days <= 56

    def third_day(row: Row) -> bool:
        found = [business_days(row["received_at"], row.get(name)) for name in ("summary_sent_at", "closed_at")]
        given = [days for days in found if days is not None]
        return bool(given) and given[0] <= 3

    def closed(row: Row) -> bool:
        return known(row, "closed_at") and (known(row, "outcome") or (row.get("redress") or 0) > 0)

    def upheld(row: Row) -> bool:
        given = row.get("outcome")
        return given in ("upheld", "part_upheld") or (given is None and (row.get("redress") or 0) > 0)

    def live(row: Row) -> bool:
        return row["outcome"] not in ("void", "refused", "left_menu", "abandoned", "flowed_out")

    def state(*names: str) -> Adds:
        return lambda row: row["actual_s"] if row["state"] in names else None

    ready = ("available", "contact", "acw")

    def times(above: Adds, below: Adds) -> Figure:
        return Figure(Part("agent_states", above), Part("agent_states", below))

    def adherent(name: str) -> Adds:
        return lambda row: row[name] if known(row, "scheduled_s") and known(row, "adherent_s") else None

    def statements(row: Row) -> bool:
        return answered(row) and known(row, "n_statements_required") and known(row, "n_statements_made")

    def nps(row: Row) -> int | None:
        if not known(row, "nps"):
            return None
        return 100 if row["nps"] >= 9 else -100 if row["nps"] <= 6 else 0

    def found(row: Row) -> bool:
        there = monitored(row) and row["criterion"] == "Complaint logged"
        return there and known(row, "points") and known(row, "max_points")

    later = {"day": lambda row: row["local_date"] + timedelta(days=56)}
    due = {"day": lambda row: local_day(row.get("sla_due_at"))}
    shut = {"day": lambda row: local_day(row.get("closed_at"))}
    contacts, handled = "contacts", Part("contacts", lambda r: one(answered(r)))
    return {
        "service_level": share(contacts, lambda r: answered(r) and known(r, "wait_s") and r["wait_s"] <= 20, offered),
        "abandon_rate": share(contacts, lost, offered),
        "short_abandon_rate": share(contacts, lambda r: lost(r) and known(r, "wait_s") and r["wait_s"] < 5, offered),
        "answer_rate": share(contacts, answered, offered),
        "asa": mean(contacts, answered_value("wait_s")),
        "answer_time_percentile": Figure(Part(contacts, answered_value("wait_s")), handled, bins=lambda value: value),
        "aht": mean(contacts, handling),
        "talk_time": mean(contacts, answered_value("talk_s")),
        "acw": mean(contacts, answered_value("acw_s")),
        "hold_time": mean(contacts, lambda r: (r.get("hold_s") or None) if answered(r) else None),
        "hold_rate": share(
            contacts, lambda r: answered(r) and least(r, "hold_s", 1), lambda r: answered(r) and known(r, "hold_s")
        ),
        "transfer_rate": share(
            contacts,
            lambda r: answered(r) and least(r, "transfers", 1),
            lambda r: answered(r) and known(r, "transfers"),
        ),
        "escalation_rate": share(
            contacts, lambda r: answered(r) and r.get("escalated"), lambda r: answered(r) and known(r, "escalated")
        ),
        "fcr": share(
            contacts,
            lambda r: answered(r) and known(r, "customer_id") and not comes(repeat, r, "offered_at", 7),
            lambda r: answered(r) and known(r, "customer_id"),
        ),
        "identity_validation": share(
            contacts,
            lambda r: answered(r) and r.get("disclosure") and r.get("identity_validated"),
            lambda r: answered(r) and r.get("disclosure") and known(r, "identity_validated"),
        ),
        "csat": share("surveys", lambda r: least(r, "csat", 4), lambda r: known(r, "csat")),
        "survey_response_rate": share("surveys", lambda r: known(r, "answered_at"), lambda r: True),
        "qa_score": score(monitored),
        "complaints_per_1000": Figure(Part("complaints", lambda r: 1), handled),
        "answer_time_survival": Figure(
            Part(contacts, answered_value("wait_s")),
            Part(contacts, lambda r: one(offered(r) and known(r, "wait_s"))),
            bins=lambda value: value,
            censored=Part(contacts, lambda r: r.get("wait_s") if lost(r) else None),
        ),
        "callback_success": share(
            contacts,
            lambda r: r["outcome"] == "callback_promised" and r.get("callback_reached"),
            lambda r: r["outcome"] == "callback_promised",
        ),
        "adjusted_demand": share(
            contacts,
            lambda r: offered(r) and (not known(r, "customer_id") or not comes(attempt, r, "offered_at", 1)),
            offered,
        ),
        "within_authority": share(
            "escalations",
            lambda r: within(r) and known(r, "resolved_at") and r.get("decided_by") == r.get("agent_id"),
            within,
        ),
        "authority_breaches": share(
            "escalations", lambda r: decided(r) and together(r) > limit(r, "decided_by"), decided
        ),
        "escalated_for": share(
            "escalations", lambda r: r.get("reason") == "authority_limit", lambda r: known(r, "reason")
        ),
        "referral_time_percentile": percentile(
            "escalations", lambda r: between(r["referred_at"], r.get("resolved_at"))
        ),
        "reopen_rate": share(
            contacts,
            lambda r: answered(r) and least(r, "reopens", 1),
            lambda r: answered(r) and known(r, "reopens") and (r.get("resolved") or r["reopens"] > 0),
        ),
        "first_reply_percentile": percentile(
            contacts, lambda r: between(r["offered_at"], r.get("answered_at")) if answered(r) else None
        ),
        "resolution_percentile": percentile(contacts, lambda r: between(r["offered_at"], r.get("resolved_at"))),
        "backlog_over": share(contacts, lambda r: live(r) and r["age"] > 5, live, until="resolved_at"),
        "sla_breach_rate": share(
            contacts,
            lambda r: known(r, "sla_due_at") and (not known(r, "resolved_at") or r["resolved_at"] > r["sla_due_at"]),
            lambda r: known(r, "sla_due_at"),
            **due,
        ),
        "dialler_abandon_rate": share(
            contacts,
            lambda r: r.get("direction") == "outbound" and lost(r),
            lambda r: r.get("direction") == "outbound" and offered(r),
        ),
        "occupancy": times(state("contact", "acw"), state(*ready)),
        "utilisation": times(state(*ready), lambda r: r["actual_s"] if r["state"] != "absent" else None),
        "shrinkage": times(
            lambda r: (r.get("scheduled_s") or 0) - (r["actual_s"] if r["state"] in ready else 0),
            lambda r: r.get("scheduled_s"),
        ),
        "adherence": times(adherent("adherent_s"), adherent("scheduled_s")),
        "conformance": times(
            lambda r: r["actual_s"] if r["state"] != "absent" and known(r, "scheduled_s") else None,
            lambda r: r.get("scheduled_s"),
        ),
        "non_response": share(
            "segments",
            lambda r: r.get("kind") == "agent" and r.get("accepted") is False,
            lambda r: r.get("kind") == "agent" and known(r, "accepted"),
        ),
        "communication_quality": score(lambda r: monitored(r) and r.get("expression") == "verbal"),
        "critical_error_accuracy": share(
            "evaluations",
            lambda r: whole(r) and all(x.get("critical") != "customer" for x in evaluations[r["evaluation_id"]]),
            whole,
        ),
        "auto_fail_rate": share(
            "evaluations",
            lambda r: whole(r) and any(x.get("auto_fail") for x in evaluations[r["evaluation_id"]]),
            whole,
        ),
        "over_asking": share(
            contacts,
            lambda r: answered(r) and r.get("disclosure") is False and r.get("identity_validated"),
            lambda r: answered(r) and r.get("disclosure") is False and known(r, "identity_validated"),
        ),
        "statement_compliance": Figure(
            Part(
                contacts, lambda r: min(r["n_statements_made"], r["n_statements_required"]) if statements(r) else None
            ),
            Part(contacts, lambda r: r["n_statements_required"] if statements(r) else None),
        ),
        "recording_paused": share(
            contacts,
            lambda r: answered(r) and r.get("payment") and r.get("recording_paused"),
            lambda r: answered(r) and r.get("payment"),
        ),
        "breach_closure": share(
            "breaches",
            lambda r: known(r, "closed_at") and (local_day(r["closed_at"]) - local_day(r["found_at"])).days <= 30,
            lambda r: True,
        ),
        "breach_repeats": share(
            "breaches",
            lambda r: known(r, "agent_id") and comes(breach, r, "found_at", 90),
            lambda r: known(r, "agent_id"),
        ),
        "evaluator_agreement": Figure(
            Part("evaluations", lambda r: alike(r)[1] - 1 if alike(r) else None),
            Part("evaluations", lambda r: alike(r)[0] - 1 if alike(r) else None),
        ),
        "calibration_deviation": mean("evaluations", deviation),
        "evaluation_coverage": Figure(Part("evaluations", lambda r: one(whole(r))), handled),
        "report_health": share(
            "reports",
            lambda r: known(r, "issued_at") and local_day(r["issued_at"]) <= r["due_on"] and r.get("gates_passed"),
            lambda r: True,
        ),
        "fcr_survey": share(
            "surveys", lambda r: r.get("resolved_first_time"), lambda r: known(r, "resolved_first_time")
        ),
        "nps": mean("surveys", nps),
        "customer_effort": mean("surveys", lambda r: rounded(r["effort"] * 100) if known(r, "effort") else None),
        "low_effort": share("surveys", lambda r: known(r, "effort") and r["effort"] <= 2, lambda r: known(r, "effort")),
        "complaint_capture": share("evaluations", lambda r: found(r) and r["points"] >= r["max_points"], found),
        "resolved_in_three_days": share("complaints", third_day, lambda r: True),
        "final_response": share("complaints", responded, lambda r: not summarised(r), **later),
        "uphold_rate": share("complaints", lambda r: closed(r) and upheld(r), closed, **shut),
        "recurrence": share(
            "complaints", lambda r: known(r, "root_cause") and ended(r), lambda r: known(r, "root_cause")
        ),
    }


def in_force(row: Row, day: date) -> bool:
    """Tell whether a dated row holds on a day."""
    return row["valid_from"] <= day and (row.get("valid_to") is None or row["valid_to"] >= day)


def begins(day: date, kind: str) -> date:
    """Return the first day of the period a day lies in."""
    if kind == "week":
        return date.fromisocalendar(*day.isocalendar()[:2], 1)
    month = {"month": day.month, "quarter": (day.month - 1) // 3 * 3 + 1, "year": 1}.get(kind)
    return day if month is None else date(day.year, month, 1)


def counted(part: Part, world: World, kind: str, periods: list[tuple[date, date]]) -> Iterator[tuple[Row, date, int]]:
    """Give each row that adds something, the period it lies in, and what it adds."""
    wanted = {start for start, _ in periods}
    for row in world[part.table]:
        if part.until:
            closed = local_day(row.get(part.until))
            for start, end in periods:
                if row["local_date"] < end and (closed is None or closed >= end):
                    aged = row | {"age": (end - row["local_date"]).days - 1}
                    if (amount := part.adds(aged)) is not None:
                        yield row, start, amount
            continue
        day, amount = part.day(row), part.adds(row)
        if day is not None and amount is not None and begins(day, kind) in wanted:
            yield row, begins(day, kind), amount


def sums(figure: Figure, world: World, level: str, kind: str, periods: list[tuple[date, date]]) -> dict:
    """Add both sides up per unit and period: numerator, denominator, n and squares."""
    column = UNITS[level]
    found: dict[tuple[str, date], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for role, part in enumerate((figure.above, figure.below)):
        for row, start, amount in counted(part, world, kind, periods):
            named = "centre" if column is None else row.get(column)
            total = found["unassigned" if named is None else named, start]
            total[role] += amount
            if role == 1:
                total[2] += 1
            elif figure.mean:
                total[3] += amount * amount
    return {key: total for key, total in found.items() if total[1] > 0}


def bins(figure: Figure, world: World, level: str, kind: str, periods: list[tuple[date, date]]) -> dict:
    """Count the values of a percentile per unit, period and bin: those seen, and those known to be longer."""
    column = UNITS[level]
    found: dict[tuple[str, date, int], list[int]] = defaultdict(lambda: [0, 0])
    assert figure.bins is not None
    for role, part in enumerate((figure.above, figure.censored)):
        for row, start, amount in counted(part, world, kind, periods) if part else ():
            named = "centre" if column is None else row.get(column)
            found["unassigned" if named is None else named, start, figure.bins(amount)][role] += 1
    return dict(found)

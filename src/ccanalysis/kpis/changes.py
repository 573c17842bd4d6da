"""What changed in a register: definitions, targets and approvals in force on one day and on another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import date
from typing import Any

from ccanalysis.kpis.register import Approval, Bound, Kpi, Register, Target
from ccanalysis.kpis.sides import Measure, Side

# What of a KPI is said when it changes, in this order.
WHAT = (
    "added",
    "removed",
    "retired",
    "definition",
    "population",
    "target",
    "individual target",
    "tolerance",
    "better",
    "levels",
    "minimum n",
    "frequency",
    "owner",
    "approval",
    "action after review",
)


def definition_changes(register: Register, before: date, after: date) -> list[dict[str, str]]:
    """List what changed in one register between two days, by its own dates.

    Args:
        register: The register.
        before: The earlier day, such as the last of the period reported before.
        after: The later day.

    Returns:
        One entry per change with `kpi`, `name`, `what` (of `WHAT`), `before`, `after` and `why`, all texts.
    """
    return compare(register, register, before, after)


def compare(first: Register, second: Register, before: date, after: date) -> list[dict[str, str]]:
    """List what differs between one register on a day and another on another day.

    Args:
        first: The earlier register.
        second: The later one; the same where only time has passed.
        before: The day that the first is read on.
        after: The day that the second is read on.

    Returns:
        One entry per change with `kpi`, `name`, `what` (of `WHAT`), `before`, `after` and `why`, all texts; in the
        order of the later register, KPIs that it no longer has behind.
    """
    old = {kpi.id: kpi for kpi in first.kpis}
    new = {kpi.id: kpi for kpi in second.kpis}
    found = []
    for key, kpi in {**new, **{key: kpi for key, kpi in old.items() if key not in new}}.items():
        if key not in old:
            changed: Iterator[tuple[str, str, str, str]] = iter([("added", "", describe(kpi.as_of(after).measure), "")])
        elif key not in new:
            changed = iter([("removed", describe(kpi.as_of(before).measure), "", "")])
        else:
            changed = _changed(old[key], kpi, before, after)
        names = ("what", "before", "after", "why")
        found += [{"kpi": key, "name": kpi.name, **dict(zip(names, change, strict=True))} for change in changed]
    return found


def _changed(old: Kpi, new: Kpi, before: date, after: date) -> Iterator[tuple[str, str, str, str]]:
    was, now = old.as_of(before), new.as_of(after)
    since = new.definition_on(after)
    why = f"{since.why} (from {since.since.isoformat()})" if since.since and since.since > before else ""
    if was.measure != now.measure:
        yield "definition", describe(was.measure, beside=now.measure), describe(now.measure, beside=was.measure), why
    if was.population != now.population:
        yield "population", was.population or "everything", now.population or "everything", why
    targets = old.target_on(before), new.target_on(after)
    yield from _targets(*targets, old, new)
    for what, name in (
        ("better", "better"),
        ("levels", "levels"),
        ("minimum n", "minimum_n"),
        ("frequency", "frequency"),
        ("owner", "owner"),
        ("action after review", "action_after_review"),
    ):
        pair = getattr(old, name), getattr(new, name)
        if pair[0] != pair[1]:
            said = tuple(", ".join(one) if isinstance(one, tuple) else str(one) for one in pair)
            yield what, said[0], said[1], ""
    states = approval_words(old.approval_on(before), before), approval_words(new.approval_on(after), after)
    if new.approval.state == "retired" and old.approval.state != "retired":
        yield "retired", states[0], states[1], ""
    elif states[0] != states[1]:
        yield "approval", states[0], states[1], ""


def _targets(was: Target | None, now: Target | None, old: Kpi, new: Kpi) -> Iterator[tuple[str, str, str, str]]:
    why = f"from {now.since.isoformat()}" if now else ""
    for what, name in (("target", "team"), ("individual target", "individual")):
        pair = getattr(was, name, None), getattr(now, name, None)
        if pair[0] != pair[1]:
            yield what, bound_words(pair[0], old.measure.unit), bound_words(pair[1], new.measure.unit), why
    pair = getattr(was, "tolerance", None), getattr(now, "tolerance", None)
    if was and now and pair[0] != pair[1]:
        yield "tolerance", bound_words(pair[0], old.measure.unit), bound_words(pair[1], new.measure.unit), why


def bound_words(bound: Bound | None, unit: str) -> str:
    """Say a target or a tolerance in the unit of the KPI.

    Examples:
        >>> bound_words(0.8, "share"), bound_words((330.0, 450.0), "s"), bound_words(None, "s")
        ('80 %', '330 to 450 s', 'none')
    """
    if bound is None:
        return "none"
    ends = bound if isinstance(bound, tuple) else (bound,)
    size = 100 if unit == "share" else 1
    word = {"share": " %", "s": " s", "per_1000": " per 1,000", "points": " points"}.get(unit, "")
    return " to ".join(f"{round(end * size, 6):g}" for end in ends) + word


def approval_words(approval: Approval, day: date) -> str:
    """Say whether a KPI is approved on a day, by whom and until when."""
    if approval.state != "approved":
        return approval.state
    when = f" on {approval.on.isoformat()}" if approval.on else ""
    until = f", until {approval.until.isoformat()}" if approval.until else ""
    if approval.until and day > approval.until:
        return f"expired on {approval.until.isoformat()}"
    if approval.on and day < approval.on:
        return f"not yet approved ({approval.on.isoformat()})"
    return f"approved by {approval.by}{when}{until}"


def describe(measure: Measure, *, beside: Measure | None = None) -> str:
    """Say what a measure is; with the two sides where words alone would not tell it from another."""
    if beside is None or measure.about != beside.about:
        return measure.about
    sides = [
        f"{side_words(side)}"
        for side, other in zip(measure.sides, beside.sides, strict=False)
        if side != other or len(measure.sides) != len(beside.sides)
    ]
    rest = [
        f"{one.name} {getattr(measure, one.name)}"
        for one in fields(Measure)
        if one.name in ("quantile", "bins", "settle_days", "kind", "unit")
        and getattr(measure, one.name) != getattr(beside, one.name)
    ]
    return "; ".join([measure.about, *sides, *rest])


def side_words(side: Side) -> str:
    """Say what one side counts or sums, and where it places a row in time.

    Examples:
        >>> side_words(Side(table="complaints", where="closed_at is not null", by="closed_at"))
        'rows in complaints where closed_at is not null, by closed_at'
    """
    what = f"sum of {side.of} in {side.table}" if side.of else f"rows in {side.table}"
    where = "" if side.where == "true" else f" where {side.where}"
    placed = f", by {side.by}" if side.by else ""
    placed += f", {side.later_days} days later" if side.later_days else ""
    placed += f", open at the end of the period by {side.open_until}" if side.open_until else ""
    return what + where + placed


def as_rows(changes: list[dict[str, str]]) -> list[list[Any]]:
    """Return changes as rows of a table: KPI, what, before, after, why."""
    return [[change[name] for name in ("kpi", "what", "before", "after", "why")] for change in changes]

"""Measures of time and of offers: occupancy, shrinkage, adherence and what agents take up."""

from __future__ import annotations

from ccanalysis.errors import RegisterError, nearest
from ccanalysis.kpis.sides import Better, Measure, Side

_BUSY = "state in ('contact', 'acw')"
_LOGGED_IN = "state in ('available', 'contact', 'acw')"
_TABLE = "agent_states"
_SOURCE = "ICMI, workforce management glossary"
_NEVER_PERSONAL = ("agent",)


def one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    """Return a parameter that is one of a list.

    Raises:
        RegisterError: It is not; the nearest is offered.
    """
    if value not in known:
        raise RegisterError(f"there is no {name} {value!r}", remedy=nearest(value, known))
    return value


def _times(
    key: str,
    about: str,
    better: Better,
    above: tuple[str, str],
    below: tuple[str, str],
    *,
    needs: tuple[str, ...] = (),
    not_for: tuple[str, ...] = (),
    excluded: str = "",
    trap: str,
) -> Measure:
    (where_above, of_above), (where_below, of_below) = above, below
    return Measure(
        key=key,
        about=about,
        kind="ratio",
        unit="share",
        better=better,
        numerator=Side(table=_TABLE, where=where_above, of=of_above),
        denominator=Side(table=_TABLE, where=where_below, of=of_below),
        needs=tuple(f"{_TABLE}.{need}" for need in needs),
        not_for=not_for,
        excluded=excluded,
        trap=trap,
        source=_SOURCE,
    )


def occupancy() -> Measure:
    """Share of the time ready for contacts that was spent on them: contact and after-contact work."""
    return _times(
        "occupancy",
        "contact and after-contact work, of that and waiting for contacts",
        "within",
        (_BUSY, "actual_s"),
        (_LOGGED_IN, "actual_s"),
        not_for=_NEVER_PERSONAL,
        excluded="breaks, meetings, training and absence",
        trap="not an agent's to control, so never an individual target; contacts handled at once count once",
    )


def utilisation(*, absence: str = "unpaid") -> Measure:
    """Share of paid time that was spent logged in for contacts.

    Args:
        absence: `paid` where recorded absence is paid time, else `unpaid`.
    """
    paid = "true" if one_of("absence", absence, ("paid", "unpaid")) == "paid" else "state <> 'absent'"
    return _times(
        "utilisation",
        "logged in for contacts, of all paid time",
        "within",
        (_LOGGED_IN, "actual_s"),
        (paid, "actual_s"),
        not_for=_NEVER_PERSONAL,
        excluded="" if absence == "paid" else "absence",
        trap="not occupancy: waiting for contacts counts as used",
    )


def shrinkage(*, part: str = "all") -> Measure:
    """Share of scheduled time in which agents were neither ready for contacts nor working on them.

    Args:
        part: `all`; `planned` (scheduled breaks, meetings, training and absence); `unplanned` (the rest).
    """
    off = "case when state in ('available', 'contact', 'acw') then 0 else scheduled_s end"
    worked = "case when state in ('available', 'contact', 'acw') then actual_s else 0 end"
    of = {
        "all": f"coalesce(scheduled_s, 0) - {worked}",
        "planned": off,
        "unplanned": f"coalesce(scheduled_s, 0) - {worked} - coalesce({off}, 0)",
    }[one_of("part", part, ("all", "planned", "unplanned"))]
    words = {"all": "", "planned": " by plan", "unplanned": " against plan"}[part]
    return _times(
        "shrinkage",
        f"neither ready nor working{words}, of all scheduled time",
        "down",
        ("true", of),
        ("true", "scheduled_s"),
        needs=("scheduled_s",),
        not_for=_NEVER_PERSONAL,
        trap="planned and unplanned have different causes; overtime lowers it and can hide absence",
    )


def adherence() -> Measure:
    """Share of scheduled time in which agents were in the state they were scheduled for."""
    both = "scheduled_s is not null and adherent_s is not null"
    return _times(
        "adherence",
        "in the scheduled state, of all scheduled time",
        "up",
        (both, "adherent_s"),
        (both, "scheduled_s"),
        excluded="time whose adherence is not recorded",
        trap="some systems recompute up to 30 days back when a schedule changes: keep the extract that was judged",
    )


def conformance() -> Measure:
    """Time worked per time scheduled, whenever it was worked."""
    there = "state <> 'absent' and scheduled_s is not null"
    return _times(
        "conformance",
        "worked, of all scheduled time",
        "within",
        (there, "actual_s"),
        ("scheduled_s is not null", "scheduled_s"),
        trap="100 % of the hours at the wrong times: read it beside adherence",
    )


def non_response() -> Measure:
    """Share of offers to agents that they did not take."""
    offer = "kind = 'agent' and accepted is not null"
    return Measure(
        key="non_response",
        about="not taken, of all offers to agents",
        kind="share",
        unit="share",
        better="down",
        numerator=Side(table="segments", where=f"{offer} and not accepted"),
        denominator=Side(table="segments", where=offer),
        needs=("segments.accepted",),
        excluded="legs of which is not known whether they were taken",
        trap="one contact can be many offers: count offers, not contacts",
        source="Genesys, reporting definitions: agents who do not respond",
    )

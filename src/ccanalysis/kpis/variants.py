"""The ways in which a measure is published: the same data under each says how much the definition decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ccanalysis.errors import RegisterError
from ccanalysis.kpis.measures import Measure, from_catalogue
from ccanalysis.kpis.register import Kpi

# Measure of the catalogue -> the published variants: a measure, and the parameters that differ.
VARIANTS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "service_level": tuple(("service_level", {"variant": f"SL{number}"}) for number in range(1, 7)),
    "abandon_rate": (
        ("abandon_rate", {"longer_than_s": 0, "of": "offered"}),
        ("abandon_rate", {"longer_than_s": 5, "of": "offered"}),
        ("abandon_rate", {"longer_than_s": 30, "of": "offered"}),
        ("abandon_rate", {"longer_than_s": 0, "of": "received"}),
    ),
    "answer_rate": (("answer_rate", {"of": "offered"}), ("answer_rate", {"of": "received"})),
    "answer_time_percentile": (("answer_time_percentile", {}), ("answer_time_survival", {})),
    "fcr": tuple(("fcr", {"days": days}) for days in (1, 7, 14, 30)),
    "reopen_rate": (("reopen_rate", {"of": "solved"}), ("reopen_rate", {"of": "created"})),
    "first_reply_percentile": tuple(("first_reply_percentile", {"clock": clock}) for clock in ("calendar", "open")),
    "resolution_percentile": tuple(("resolution_percentile", {"clock": clock}) for clock in ("calendar", "open")),
    "shrinkage": tuple(("shrinkage", {"part": part}) for part in ("all", "planned", "unplanned")),
    "utilisation": tuple(("utilisation", {"absence": absence}) for absence in ("unpaid", "paid")),
    "qa_score": tuple(("qa_score", {"auto_fail": rule}) for rule in ("ignore", "zero")),
    "calibration_deviation": tuple(("calibration_deviation", {"sign": sign}) for sign in ("absolute", "signed")),
    "resolved_in_three_days": tuple(
        ("resolved_in_three_days", {"after_hours": rule}) for rule in ("same day", "next business day")
    ),
    "dialler_abandon_rate": tuple(("dialler_abandon_rate", {"rule": rule}) for rule in ("connected", "live")),
}


def variants(kpi: Kpi) -> dict[str, Measure]:
    """Return the published variants of a KPI's measure, the register's own among them, by a short name each.

    Parameters in which the variants do not differ, such as a threshold, stay those of the register.

    Raises:
        RegisterError: No other variant of its measure is known, or none can be had from interval counts.
    """
    own = kpi.measure
    given = dict(own.parameters)
    listed = VARIANTS.get(own.key, ())
    found: dict[str, Measure] = {}
    for name, changes in listed:
        kept = {key: value for key, value in given.items() if key in _parameters(name)}
        try:
            measure = from_catalogue(name, kept | changes)
        except RegisterError:  # interval counts know fewer variants than single contacts
            continue
        found[_label(name, changes, own.key)] = measure
    if own not in found.values():
        found = {"register": own} | found
    if len(found) < 2:
        raise RegisterError(
            f"no other definition of {own.key!r} is published",
            remedy=f"Variants are known of {', '.join(sorted(VARIANTS))}",
        )
    return found


def as_kpis(kpi: Kpi) -> list[Kpi]:
    """Return one KPI per variant, each with the variant's name as its id, to be measured together."""
    return [
        replace(kpi, id=label, measure=measure, definitions=(), columns=()) for label, measure in variants(kpi).items()
    ]


def _parameters(name: str) -> set[str]:
    return set(dict(from_catalogue(name, {}).parameters))


def _label(name: str, changes: dict[str, Any], own: str) -> str:
    words = [f"{value} {key}" if isinstance(value, int) else str(value) for key, value in changes.items()]
    named = [] if name == own else [name]
    return ", ".join([*named, *words]).replace(" longer_than_s", " s").replace(" days", " days") or own

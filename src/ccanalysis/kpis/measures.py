"""Measures: what is summed above and below the line of a KPI.

Every rate is a ratio of two sums over the finest grain, so it adds up over any grouping; nothing averages rates.
Sources of the formulas are named measure by measure.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ccanalysis import contracts
from ccanalysis.errors import RegisterError, nearest
from ccanalysis.kpis import customer, handling, people, quality
from ccanalysis.kpis.expressions import nations
from ccanalysis.kpis.people import one_of
from ccanalysis.kpis.sides import NEXT_CONTACT, Better, Kind, Measure, Side, Unit

DAY_S = contracts.DAY_S

__all__ = [
    "CATALOGUE",
    "NEXT_CONTACT",
    "PARAMETER_CHOICES",
    "PARAMETER_RANGES",
    "Better",
    "Kind",
    "Measure",
    "Side",
    "Unit",
    "choices",
    "from_catalogue",
]

_ANSWERED = "outcome = 'answered'"
_ABANDONED = "outcome = 'abandoned'"
_OFFERED = "outcome in ('answered', 'abandoned')"
_RECEIVED = "outcome <> 'void'"
_DENOMINATORS = {"offered": _OFFERED, "received": _RECEIVED}
_VARIANTS = {
    # numerator, denominator; T threshold, B_s short abandons; an abandon whose wait is not known is not short
    "SL1": ("({a} or {b}) and wait_s <= {t}", "{o}"),
    "SL2": ("{a} and wait_s <= {t}", "{a}"),
    "SL3": ("{a} and wait_s <= {t}", "{o}"),
    "SL4": ("{a} and wait_s <= {t}", "{a} or ({b} and coalesce(wait_s > {t}, true))"),
    "SL5": ("({a} and wait_s <= {t}) or ({b} and wait_s < {s})", "{o}"),
    "SL6": ("{a} and wait_s <= {t}", "{a} or ({b} and coalesce(wait_s >= {s}, true))"),
}
_VARIANT_WORDS = {
    "SL1": "answered or abandoned within the threshold, of all offered",
    "SL2": "answered within the threshold, of all answered",
    "SL3": "answered within the threshold, of all offered",
    "SL4": "answered within the threshold, of all offered less those abandoned within it",
    "SL5": "answered within the threshold or abandoned early, of all offered",
    "SL6": "answered within the threshold, of all offered less those abandoned early",
}


def _counted(table: str) -> bool:
    """Tell whether a measure is taken from interval counts rather than single contacts."""
    if table not in ("contacts", "intervals"):
        raise RegisterError(f"there is no such measure over table {table!r}", remedy="Use contacts or intervals")
    return table == "intervals"


def _of_counts(above: str, below: str) -> tuple[Side, Side]:
    """Take both sides from the interval rows that have both, so that a gap is not a zero."""
    both = f"{above} is not null and {below} is not null"
    return Side(table="intervals", where=both, of=above), Side(table="intervals", where=both, of=below)


def service_level(*, threshold_s: int = 20, variant: str = "SL3", short_s: int = 5, table: str = "contacts") -> Measure:
    """Share of contacts answered within a threshold, in one of the six published variants.

    Args:
        threshold_s: The threshold, in seconds; the wait may equal it.
        variant: `SL1` to `SL6`.
        short_s: An abandon before so many seconds is short; only SL5 and SL6 use it.
        table: `contacts`, or `intervals` where only counts at the source's own threshold exist (SL2 and SL3).
    """
    if variant not in _VARIANTS:
        raise RegisterError(f"there is no service-level variant {variant!r}", remedy=nearest(variant, list(_VARIANTS)))
    if _counted(table):
        if variant not in ("SL2", "SL3"):
            raise RegisterError(
                f"variant {variant} needs single contacts", remedy="Use SL2 or SL3 with interval counts"
            )
        below = "n_answered" if variant == "SL2" else "n_offered"
        sides = _of_counts("n_in_threshold", below)
    else:
        words = {"a": _ANSWERED, "b": _ABANDONED, "o": _OFFERED, "t": threshold_s, "s": short_s}
        above, below = (text.format(**words) for text in _VARIANTS[variant])
        sides = Side(where=above), Side(where=below)
    return Measure(
        key="service_level",
        about=f"{_VARIANT_WORDS[variant]} ({variant}, {threshold_s} s)",
        kind="share",
        unit="share",
        better="up",
        numerator=sides[0],
        denominator=sides[1],
        excluded="contacts that left in the menu, flowed out or took a call-back",
        trap="the six published variants give six figures; name the variant",
        source="ICMI and Call Centre Helper, service-level calculations",
    )


def _of(of: str, table: str) -> str:
    """Return the condition of a denominator by its name; interval counts know only what was offered."""
    one_of("denominator", of, tuple(_DENOMINATORS))
    if table == "intervals" and of != "offered":
        raise RegisterError("'received' needs single contacts", remedy="Use of: offered with interval counts")
    return _DENOMINATORS[of]


def abandon_rate(*, longer_than_s: int = 0, of: str = "offered", table: str = "contacts") -> Measure:
    """Share of contacts abandoned in queue, optionally only after a number of seconds.

    Args:
        longer_than_s: Abandons up to so many seconds do not count above the line; 0 counts all.
        of: `offered` (answered or abandoned) or `received` (with those that left in the menu, flowed out, were
            refused or took a call-back).
        table: `contacts`, or `intervals` where only counts exist.
    """
    below = _of(of, table)
    if _counted(table):
        sides = _of_counts("n_abandoned", "n_offered")
    else:
        after = f" and wait_s > {longer_than_s}" if longer_than_s else ""
        sides = Side(where=_ABANDONED + after), Side(where=below)
    return Measure(
        key="abandon_rate",
        about=f"abandoned in queue, of all {of}" + (f" (after {longer_than_s} s)" if longer_than_s else ""),
        kind="share",
        unit="share",
        better="down",
        numerator=sides[0],
        denominator=sides[1],
        excluded="contacts that left in the menu, flowed out or took a call-back" if of == "offered" else "",
        trap="denominators differ: offered, received, or answered plus abandoned",
        source="NHS England, NHS 111 Minimum Data Set, statistical notes 2014/15",
    )


def short_abandon_rate(*, short_s: int = 5) -> Measure:
    """Share of offered contacts abandoned before a few seconds have passed.

    Args:
        short_s: An abandon before so many seconds is short.
    """
    return Measure(
        key="short_abandon_rate",
        about=f"abandoned in under {short_s} s, of all offered",
        kind="share",
        unit="share",
        better="down",
        numerator=Side(where=f"{_ABANDONED} and wait_s < {short_s}"),
        denominator=Side(where=_OFFERED),
        trap="some systems count short calls neither as offered nor as abandoned",
        source="Cisco and Genesys, reporting definitions",
    )


def answer_rate(*, of: str = "offered", table: str = "contacts") -> Measure:
    """Share of contacts that were answered.

    Args:
        of: `offered` (answered or abandoned) or `received` (with those that left in the menu, flowed out, were
            refused or took a call-back).
        table: `contacts`, or `intervals` where only counts exist.
    """
    single = Side(where=_ANSWERED), Side(where=_of(of, table))
    sides = _of_counts("n_answered", "n_offered") if _counted(table) else single
    return Measure(
        key="answer_rate",
        about=f"answered, of all {of}",
        kind="share",
        unit="share",
        better="up",
        numerator=sides[0],
        denominator=sides[1],
        trap="know which exits from the queue the denominator counts",
        source="ICMI, contact centre metrics",
    )


def asa(*, table: str = "contacts") -> Measure:
    """Average speed of answer: mean wait of answered contacts, in seconds.

    Args:
        table: `contacts`, or `intervals` where only the source's own average exists.
    """
    if _counted(table):
        both = "asa_s is not null and n_answered is not null"
        sides = (
            Side(table=table, where=both, of="asa_s * n_answered"),
            Side(table=table, where=both, of="n_answered"),
        )
    else:
        sides = Side(where=_ANSWERED, of="wait_s"), Side(where=_ANSWERED)
    return Measure(
        key="asa",
        about="mean wait of answered contacts",
        kind="ratio" if table == "intervals" else "mean",
        unit="s",
        better="down",
        numerator=sides[0],
        denominator=sides[1],
        trap="falls when callers give up, because abandoned waits do not count",
        source="ICMI, average speed of answer",
    )


def answer_time_percentile(*, per_cent: int = 90) -> Measure:
    """Percentile of the wait of answered contacts, in seconds, exact to the whole second.

    Args:
        per_cent: Which percentile; 100 is the longest wait.
    """
    return Measure(
        key="answer_time_percentile",
        about=f"wait that {per_cent} of 100 answered contacts did not exceed"
        if per_cent < 100
        else "longest wait of an answered contact",
        kind="percentile",
        unit="s",
        better="down",
        numerator=Side(where=_ANSWERED, of="wait_s"),
        denominator=Side(where=_ANSWERED),
        quantile=per_cent / 100,
        trap="percentiles of periods or teams cannot be averaged; each is counted from all its waits",
        source="Hyndman and Fan (1996), type 7",
    )


def aht(*, table: str = "contacts") -> Measure:
    """Average handling time: talk, hold and after-contact work per handled contact, in seconds.

    Args:
        table: `contacts`, or `intervals` where only sums exist.
    """
    if _counted(table):
        sides = _of_counts("handle_s_sum", "n_answered")
    else:
        handled = f"{_ANSWERED} and talk_s is not null"
        work = "talk_s + coalesce(hold_s, 0) + coalesce(acw_s, 0)"
        sides = Side(where=handled, of=work), Side(where=handled)
    return Measure(
        key="aht",
        about="talk, hold and after-contact work per handled contact",
        kind="ratio" if table == "intervals" else "mean",
        unit="s",
        better="within",
        numerator=sides[0],
        denominator=sides[1],
        trap="a band, not a race: too short is as bad as too long",
        source="ICMI, average handling time",
    )


def _mean_of(key: str, column: str, about: str, better: Better) -> Measure:
    handled = f"{_ANSWERED} and {column} is not null"
    return Measure(
        key=key,
        about=about,
        kind="mean",
        unit="s",
        better=better,
        numerator=Side(where=handled, of=column),
        denominator=Side(where=handled),
        source="ICMI, contact centre metrics",
    )


def talk_time() -> Measure:
    """Mean talk per handled contact, in seconds."""
    return _mean_of("talk_time", "talk_s", "talk per handled contact", "within")


def acw() -> Measure:
    """Mean after-contact work per handled contact, in seconds."""
    return _mean_of("acw", "acw_s", "after-contact work per handled contact", "within")


def hold_time() -> Measure:
    """Mean hold per held contact, in seconds."""
    held = f"{_ANSWERED} and hold_s > 0"
    return Measure(
        key="hold_time",
        about="hold per contact that was held",
        kind="mean",
        unit="s",
        better="down",
        numerator=Side(where=held, of="hold_s"),
        denominator=Side(where=held),
        trap="per held contact, not per handled contact; the parts of AHT do not add up with it",
        source="ICMI, contact centre metrics",
    )


def _share_of_answered(
    key: str, where: str, about: str, better: Better, trap: str = "", among: str = "true"
) -> Measure:
    return Measure(
        key=key,
        about=about,
        kind="share",
        unit="share",
        better=better,
        numerator=Side(where=f"{_ANSWERED} and ({among}) and ({where})"),
        denominator=Side(where=f"{_ANSWERED} and ({among})"),
        trap=trap,
        source="ICMI, contact centre metrics",
    )


def hold_rate() -> Measure:
    """Share of handled contacts that were put on hold."""
    return _share_of_answered(
        "hold_rate", "hold_s > 0", "put on hold, of all handled", "down", among="hold_s is not null"
    )


def transfer_rate() -> Measure:
    """Share of handled contacts that were passed on."""
    return _share_of_answered(
        "transfer_rate",
        "transfers > 0",
        "passed on, of all handled",
        "down",
        "blind, consulted and queue transfers",
        among="transfers is not null",
    )


def escalation_rate() -> Measure:
    """Share of handled contacts that were escalated."""
    return _share_of_answered(
        "escalation_rate",
        "escalated",
        "escalated, of all handled",
        "within",
        "a low rate can mean too few escalations; it is not good in itself",
        among="escalated is not null",
    )


def fcr(*, days: int = 7) -> Measure:
    """First-contact resolution by the repeat method: no contact of the same customer and reason within some days.

    Args:
        days: The window; the last so many days of the data are provisional.
    """
    base = f"{_ANSWERED} and customer_id is not null"
    return Measure(
        key="fcr",
        about=f"not followed by the same customer's contact for the same reason within {days} days",
        kind="share",
        unit="share",
        better="up",
        numerator=Side(where=f"{base} and (next_contact_s is null or next_contact_s > {days * DAY_S})"),
        denominator=Side(where=base),
        settle_days=days,
        excluded="contacts without a customer",
        trap="of the last days it cannot be told yet: shown as provisional",
        source="SQM Group, first call resolution",
    )


def identity_validation() -> Measure:
    """Share of contacts with a disclosure in which identity was validated first."""
    return replace(
        _share_of_answered(
            "identity_validation",
            "identity_validated",
            "identity validated before details were disclosed",
            "up",
            "not applicable is not a pass",
            among="disclosure and identity_validated is not null",
        ),
        source="OCR, principles of customer service in a contact centre, identity validation",
    )


def csat(*, good: int = 4) -> Measure:
    """Share of survey answers at or above a score (top-two box of five).

    Args:
        good: The least score that counts.
    """
    return Measure(
        key="csat",
        about=f"answers of at least {good} of 5",
        kind="share",
        unit="share",
        better="up",
        numerator=Side(table="surveys", where=f"csat >= {good}"),
        denominator=Side(table="surveys", where="csat is not null"),
        trap="who did not answer is not in it; print the response rate beside it",
        source="ICMI, customer satisfaction",
    )


def survey_response_rate() -> Measure:
    """Share of survey invitations that were answered."""
    return Measure(
        key="survey_response_rate",
        about="answered, of all invitations",
        kind="share",
        unit="share",
        better="up",
        numerator=Side(table="surveys", where="answered_at is not null"),
        denominator=Side(table="surveys"),
        source="ICMI, customer satisfaction",
    )


def qa_score(*, auto_fail: str = "ignore") -> Measure:
    """Weighted points of call monitoring as a share of those possible, over applicable criteria.

    Args:
        auto_fail: `ignore`, or `zero` where one failed criterion takes all points of its evaluation.
    """
    return quality.points(
        "qa_score",
        "weighted points of call monitoring, of those possible"
        + (" (nought where a criterion fails the whole)" if auto_fail == "zero" else ""),
        quality.VALID,
        auto_fail=auto_fail,
        needs=("evaluations.auto_fail",) if auto_fail == "zero" else (),
        trap="a blended score hides critical errors; scores of two versions of a form are not one scale",
    )


def complaints_per_1000() -> Measure:
    """Complaints received per thousand handled contacts."""
    return Measure(
        key="complaints_per_1000",
        about="complaints per thousand handled contacts",
        kind="rate",
        unit="per_1000",
        better="down",
        numerator=Side(table="complaints"),
        denominator=Side(where=_ANSWERED),
        trap="a rise can be better recording",
        source="FCA, DISP 1 Annex 1R, complaints in context",
    )


# Least and greatest value of the parameters that are numbers.
PARAMETER_RANGES: dict[str, tuple[int, int]] = {
    "threshold_s": (1, 7 * DAY_S),
    "short_s": (0, 7 * DAY_S),
    "longer_than_s": (0, 7 * DAY_S),
    "per_cent": (1, 100),
    "days": (1, 365),
    "good": (1, 5),
    "most": (1, 5),
    "seconds": (0, 60),
    "limit_days": (0, 3650),
    "close_hour": (0, 24),
}

# Values of the parameters that are one of a list, by name; a measure may take fewer.
PARAMETER_CHOICES: dict[str, tuple[str, ...]] = {
    "variant": tuple(_VARIANTS),
    "table": ("contacts", "intervals", *(name for name in handling.CASES if name != "contacts")),
    "bins": ("exact", "coarse"),
    "clock": ("calendar", "open"),
    "reason": contracts.ESCALATION_REASONS,
    "rule": ("connected", "live"),
    "absence": ("paid", "unpaid"),
    "part": ("all", "planned", "unplanned"),
    "expression": ("verbal", "written"),
    "auto_fail": ("ignore", "zero"),
    "sign": ("absolute", "signed"),
    "after_hours": ("same day", "next business day"),
    "within": ("8 weeks", "15 business days", "35 business days"),
    "of": ("offered", "received", "solved", "created", "customer", "business", "compliance"),
}


def choices(measure: str, parameter: str) -> tuple[str, ...]:
    """Return the values that a parameter of a measure of the catalogue may have; none where any text will do."""
    return tuple(value for value in PARAMETER_CHOICES.get(parameter, ()) if _taken(measure, parameter, value))


def _taken(measure: str, parameter: str, value: str) -> bool:
    try:
        CATALOGUE[measure](**{parameter: value})
    except RegisterError:
        return False
    return True


CATALOGUE: dict[str, Callable[..., Measure]] = {
    function.__name__: function
    for function in (
        service_level,
        abandon_rate,
        short_abandon_rate,
        answer_rate,
        asa,
        answer_time_percentile,
        aht,
        talk_time,
        acw,
        hold_time,
        hold_rate,
        transfer_rate,
        escalation_rate,
        fcr,
        identity_validation,
        csat,
        survey_response_rate,
        qa_score,
        complaints_per_1000,
        handling.answer_time_survival,
        handling.callback_success,
        handling.adjusted_demand,
        handling.within_authority,
        handling.authority_breaches,
        handling.escalated_for,
        handling.referral_time_percentile,
        handling.reopen_rate,
        handling.first_reply_percentile,
        handling.resolution_percentile,
        handling.backlog_over,
        handling.sla_breach_rate,
        handling.dialler_abandon_rate,
        people.occupancy,
        people.utilisation,
        people.shrinkage,
        people.adherence,
        people.conformance,
        people.non_response,
        quality.communication_quality,
        quality.critical_error_accuracy,
        quality.auto_fail_rate,
        quality.over_asking,
        quality.statement_compliance,
        quality.recording_paused,
        quality.breach_closure,
        quality.breach_repeats,
        quality.evaluator_agreement,
        quality.calibration_deviation,
        quality.evaluation_coverage,
        quality.report_health,
        customer.fcr_survey,
        customer.nps,
        customer.customer_effort,
        customer.low_effort,
        customer.complaint_capture,
        customer.resolved_in_three_days,
        customer.final_response,
        customer.uphold_rate,
        customer.recurrence,
    )
}


def from_catalogue(name: str, parameters: Mapping[str, Any]) -> Measure:
    """Make a measure of the catalogue with its parameters.

    Raises:
        RegisterError: There is no such measure, or it has no such parameter, or the parameter is of another type or
            out of range.

    Examples:
        >>> from_catalogue("service_level", {"threshold_s": 30, "variant": "SL2"}).about
        'answered within the threshold, of all answered (SL2, 30 s)'
    """
    if name not in CATALOGUE:
        raise RegisterError(f"there is no measure {name!r} in the catalogue", remedy=nearest(name, list(CATALOGUE)))
    known = inspect.signature(CATALOGUE[name]).parameters
    for key, value in parameters.items():
        if key not in known:
            options = nearest(key, list(known)) if known else "It takes none"
            raise RegisterError(f"measure {name!r} has no parameter {key!r}", remedy=options)
        wanted = type(known[key].default)
        if not isinstance(value, wanted) or isinstance(value, bool):
            words = {int: "a whole number", str: "a text"}[wanted]
            raise RegisterError(f"parameter {key!r} of measure {name!r} must be {words}")
        if key == "nation" and value:
            _check_nation(name, value)
        least, most = PARAMETER_RANGES.get(key, (None, None))
        if least is not None and not least <= value <= most:
            raise RegisterError(f"parameter {key!r} of measure {name!r} must be {least} to {most}")
    given = {key: type(known[key].default)(value) for key, value in parameters.items()}
    every = {key: given.get(key, parameter.default) for key, parameter in known.items()}
    return replace(CATALOGUE[name](**every), parameters=tuple(every.items()))


def _check_nation(name: str, given: str) -> None:
    """Refuse a nation whose holidays nobody keeps."""
    known = nations()
    if given not in known:
        near = sorted(one for one in known if one.partition("-")[0] == given.partition("-")[0])
        raise RegisterError(
            f"parameter 'nation' of measure {name!r} names no known nation",
            remedy=nearest(given, near) if near else "Write a nation, as GB, or GB-ENG",
        )

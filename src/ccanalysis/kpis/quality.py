"""Measures of quality, compliance and how far evaluators agree."""

from __future__ import annotations

from ccanalysis.contracts import DAY_S
from ccanalysis.kpis.people import one_of
from ccanalysis.kpis.sides import Measure, Side

EVALUATIONS = "evaluations"
# Whoever monitors, of evaluations that still stand.
VALID = "source = 'call_monitoring' and not coalesce(withdrawn, false)"
_EACH = f"{VALID} and evaluation_row = 1"
_CALIBRATED = "source = 'calibration' and not coalesce(withdrawn, false) and points is not null"


def quote(text: str) -> str:
    """Write a text as a literal of the language of measures."""
    return "'" + text.replace("'", "''") + "'"


def points(
    key: str, about: str, where: str, *, auto_fail: str = "ignore", needs: tuple[str, ...] = (), trap: str
) -> Measure:
    """Make a score: weighted points of those possible, over the criteria that apply."""
    base = f"{where} and points is not null and max_points is not null"
    earned = "points * coalesce(weight, 1)"
    if one_of("auto_fail", auto_fail, ("ignore", "zero")) == "zero":
        earned = f"case when auto_fails > 0 then 0 else {earned} end"
    return Measure(
        key=key,
        about=about,
        kind="ratio",
        unit="share",
        better="up",
        numerator=Side(table=EVALUATIONS, where=base, of=earned, scale=100),
        denominator=Side(table=EVALUATIONS, where=base, of="max_points * coalesce(weight, 1)", scale=100),
        needs=needs,
        excluded="criteria that did not apply, self and peer evaluations, calibration, withdrawn evaluations",
        trap=trap,
        source="COPC, quality measurement",
    )


def communication_quality(*, expression: str = "verbal", criteria: str = "") -> Measure:
    """Weighted points of call monitoring on how a contact was spoken or written, of those possible.

    Args:
        expression: `verbal` or `written`; the two are not one scale.
        criteria: The criteria that look at language, tone, empathy or clarity, between semicolons; empty for all.
    """
    where = f"{VALID} and expression = '{one_of('expression', expression, ('verbal', 'written'))}'"
    listed = ", ".join(quote(one.strip()) for one in criteria.split(";") if one.strip())
    if listed:
        where += f" and criterion in ({listed})"
    return points(
        "communication_quality",
        f"weighted points for {expression} communication, of those possible",
        where,
        needs=("evaluations.expression",),
        trap="spoken and written forms ask different things; a mean of both says nothing",
    )


def critical_error_accuracy(*, of: str = "customer") -> Measure:
    """Share of evaluations without a critical error of one class.

    Args:
        of: `customer`, `business` or `compliance`; one blended score would hide the last.
    """
    error = f"{one_of('class', of, ('customer', 'business', 'compliance'))}_errors"
    return Measure(
        key="critical_error_accuracy",
        about=f"without a critical error of the class {of}, of all evaluations",
        kind="share",
        unit="share",
        better="up",
        numerator=Side(table=EVALUATIONS, where=f"{_EACH} and {error} = 0"),
        denominator=Side(table=EVALUATIONS, where=_EACH),
        needs=("evaluations.critical",),
        excluded="self and peer evaluations, calibration, withdrawn evaluations",
        trap="three classes, three figures: one blended score hides failures of compliance",
        source="COPC, quality measurement: critical errors by class",
    )


def auto_fail_rate() -> Measure:
    """Share of evaluations that one criterion failed as a whole."""
    return Measure(
        key="auto_fail_rate",
        about="failed as a whole, of all evaluations",
        kind="share",
        unit="share",
        better="down",
        numerator=Side(table=EVALUATIONS, where=f"{_EACH} and auto_fails > 0"),
        denominator=Side(table=EVALUATIONS, where=_EACH),
        needs=("evaluations.auto_fail",),
        excluded="self and peer evaluations, calibration, withdrawn evaluations",
        trap="an evaluation counts once, however many criteria failed it; few cases, so read the interval",
        source="COPC, quality measurement",
    )


def over_asking() -> Measure:
    """Share of contacts without a disclosure in which identity was validated all the same."""
    base = "outcome = 'answered' and not disclosure and identity_validated is not null"
    return Measure(
        key="over_asking",
        about="identity asked for although nothing was disclosed, of all contacts without a disclosure",
        kind="share",
        unit="share",
        better="down",
        numerator=Side(where=f"{base} and identity_validated"),
        denominator=Side(where=base),
        needs=("contacts.disclosure", "contacts.identity_validated"),
        excluded="contacts whose validation is not recorded",
        trap="the other failure of identity validation: data is taken that nobody needed",
        source="UK GDPR, article 5(1)(c): data minimisation",
    )


def statement_compliance() -> Measure:
    """Share of the mandatory statements that contacts called for that were made."""
    both = "outcome = 'answered' and n_statements_required is not null and n_statements_made is not null"
    made = "case when n_statements_made > n_statements_required then n_statements_required else n_statements_made end"
    return Measure(
        key="statement_compliance",
        about="mandatory statements made, of those required",
        kind="ratio",
        unit="share",
        better="up",
        numerator=Side(where=both, of=made),
        denominator=Side(where=both, of="n_statements_required"),
        needs=("contacts.n_statements_required", "contacts.n_statements_made"),
        excluded="contacts whose statements are not recorded",
        trap="speech analytics hears statements that were not made; one made twice does not stand for one missing",
        source="OCR, principles of customer service in a contact centre, mandatory statements",
    )


def recording_paused() -> Measure:
    """Share of contacts with a card payment in which recording was paused across the card step."""
    paid = "outcome = 'answered' and payment"
    return Measure(
        key="recording_paused",
        about="recording paused across the card step, of all contacts with a card payment",
        kind="share",
        unit="share",
        better="up",
        numerator=Side(where=f"{paid} and recording_paused"),
        denominator=Side(where=paid),
        needs=("contacts.payment", "contacts.recording_paused"),
        trap="a status that is missing is not a pause; a pause without a resume hides the rest of the call",
        source="PCI SSC, protecting telephone-based payment card data",
    )


def breach_closure(*, days: int = 30) -> Measure:
    """Share of breaches that were closed within a limit after they were found.

    Args:
        days: The limit, in local days.
    """
    closed = f"closed_at is not null and days_between(found_at, closed_at) <= {days}"
    return Measure(
        key="breach_closure",
        about=f"closed within {days} days, of all breaches found",
        kind="share",
        unit="share",
        better="up",
        numerator=Side(table="breaches", where=closed),
        denominator=Side(table="breaches"),
        settle_days=days,
        needs=("breaches.closed_at",),
        trap="of all that were found, not of those that were closed: open ones count",
        source="OCR, principles of customer service in a contact centre, dealing with breaches",
    )


def breach_repeats(*, days: int = 90) -> Measure:
    """Share of breaches that the same agent repeated within some days.

    Args:
        days: The window; the last so many days of the data are provisional.
    """
    base = "agent_id is not null"
    return Measure(
        key="breach_repeats",
        about=f"followed by the same agent's breach of the same requirement within {days} days, of all breaches",
        kind="share",
        unit="share",
        better="down",
        numerator=Side(table="breaches", where=f"{base} and next_breach_s <= {days * DAY_S}"),
        denominator=Side(table="breaches", where=base),
        settle_days=days,
        needs=("breaches.agent_id",),
        excluded="breaches without an agent",
        trap="the last days are right-censored: shown as provisional",
        source="OCR, principles of customer service in a contact centre, dealing with breaches",
    )


def evaluator_agreement() -> Measure:
    """Share of pairs of evaluators of the same contact and criterion that gave the same points."""
    base = f"{_CALIBRATED} and raters > 1"
    return Measure(
        key="evaluator_agreement",
        about="pairs that gave the same points, of all pairs of evaluators of the same contact and criterion",
        kind="ratio",
        unit="share",
        better="up",
        numerator=Side(table=EVALUATIONS, where=base, of="raters_alike - 1"),
        denominator=Side(table=EVALUATIONS, where=base, of="raters - 1"),
        not_for=("agent",),
        excluded="criteria that only one evaluator scored",
        trap="high by chance where almost all pass: publish kappa or alpha with its interval beside it "
        "(ccanalysis.statistics.agreement)",
        source="Cohen (1960); Krippendorff (2004)",
    )


def calibration_deviation(*, sign: str = "absolute") -> Measure:
    """Mean deviation of evaluators from the reference evaluator, in points of the criterion.

    Args:
        sign: `absolute` (inconsistency) or `signed` (severity below zero, leniency above).
    """
    base = f"{_CALIBRATED} and expert_points is not null and not coalesce(expert, false)"
    of = "points - expert_points"
    if one_of("sign", sign, ("absolute", "signed")) == "absolute":
        of = f"case when points > expert_points then {of} else expert_points - points end"
    return Measure(
        key="calibration_deviation",
        about=f"mean {sign} deviation from the reference evaluator, per criterion",
        kind="mean",
        unit="points",
        better="down" if sign == "absolute" else "within",
        numerator=Side(table=EVALUATIONS, where=base, of=of, scale=100),
        denominator=Side(table=EVALUATIONS, where=base),
        needs=("evaluations.expert",),
        not_for=("agent",),
        excluded="criteria that the reference evaluator did not score",
        trap="the reference can be wrong; severity is not inconsistency, so read both signs",
        source="COPC, quality measurement: calibration",
    )


def evaluation_coverage() -> Measure:
    """Evaluations of call monitoring per handled contact."""
    return Measure(
        key="evaluation_coverage",
        about="evaluations, per handled contact",
        kind="ratio",
        unit="share",
        better="within",
        numerator=Side(table=EVALUATIONS, where=_EACH),
        denominator=Side(where="outcome = 'answered'"),
        excluded="self and peer evaluations, calibration, withdrawn evaluations",
        trap="an even share is no even precision: 278 of 1,000 contacts give 5 points either way, 2 per agent nothing",
        source="Cochran (1977), sampling techniques: finite populations",
    )


def report_health() -> Measure:
    """Share of reports due that were issued in time with every gate passed."""
    in_time = "issued_at is not null and days_between(due_on, issued_at) <= 0 and gates_passed"
    return Measure(
        key="report_health",
        about="issued in time with every gate passed, of all reports due",
        kind="share",
        unit="share",
        better="up",
        numerator=Side(table="reports", where=in_time),
        denominator=Side(table="reports"),
        needs=("reports.issued_at", "reports.gates_passed"),
        trap="of the reports due, not of those issued; a report that a gate held back is not in time",
        source="UK Government Data Quality Framework (2020): communicate quality",
    )

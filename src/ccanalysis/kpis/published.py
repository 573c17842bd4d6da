"""The KPIs that the field publishes, K01 to K55, and what measures each of them here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ccanalysis.kpis.measures import Measure, from_catalogue


@dataclass(frozen=True, kw_only=True)
class Published:
    """One KPI that the field publishes.

    Attributes:
        number: Its number, as `K01`.
        name: Its name in the field.
        measures: Measures of the catalogue with their parameters: one for each figure that the KPI has.
        instead: What gives it where it is no ratio of two sums: a function, as `statistics.agreement.cohen_kappa`.
        needs: What this release lacks for it; empty where nothing.
    """

    number: str
    name: str
    measures: tuple[tuple[str, dict[str, Any]], ...] = ()
    instead: tuple[str, ...] = ()
    needs: str = ""
    notes: str = field(default="", compare=False)

    def made(self) -> tuple[Measure, ...]:
        """Make its measures."""
        return tuple(from_catalogue(name, parameters) for name, parameters in self.measures)


def _kpi(
    number: str,
    name: str,
    *measures: str | tuple[str, dict[str, Any]],
    instead: tuple[str, ...] = (),
    needs: str = "",
    notes: str = "",
) -> Published:
    made = tuple((each, {}) if isinstance(each, str) else each for each in measures)
    return Published(number=number, name=name, measures=made, instead=instead, needs=needs, notes=notes)


def _each(name: str, parameter: str, *values: Any) -> tuple[tuple[str, dict[str, Any]], ...]:
    return tuple((name, {parameter: value}) for value in values)


PUBLISHED: tuple[Published, ...] = (
    _kpi(
        "K01",
        "Service level, six published variants",
        *_each("service_level", "variant", "SL1", "SL2", "SL3", "SL4", "SL5", "SL6"),
    ),
    _kpi(
        "K02",
        "Abandon rate",
        "abandon_rate",
        ("abandon_rate", {"longer_than_s": 30}),
        ("abandon_rate", {"of": "received"}),
    ),
    _kpi("K03", "Short-abandon rate", "short_abandon_rate"),
    _kpi("K04", "Average speed of answer", "asa", ("asa", {"table": "intervals"})),
    _kpi(
        "K05",
        "Answer-time percentiles and longest wait",
        *_each("answer_time_percentile", "per_cent", 50, 90, 95, 100),
        "answer_time_survival",
    ),
    _kpi("K06", "Answered within 60 s (NHS 111)", ("service_level", {"threshold_s": 60, "variant": "SL2"})),
    _kpi(
        "K07",
        "Emergency calls answered in under 10 s",
        ("service_level", {"threshold_s": 9, "variant": "SL2"}),
        notes="under 10 s is at most 9 whole seconds; the national figure includes the transfer by the operator",
    ),
    _kpi("K08", "Answer rate", "answer_rate", ("answer_rate", {"of": "received"})),
    _kpi("K09", "Call-back success", "callback_success"),
    _kpi(
        "K10",
        "Repeat-dial-adjusted demand",
        "adjusted_demand",
        notes="runs of attempts instead of distinct callers, which would not add up over units",
    ),
    _kpi("K11", "Average handling time", "aht", "talk_time", ("aht", {"table": "intervals"})),
    _kpi("K12", "Hold rate, hold time per held contact", "hold_rate", "hold_time"),
    _kpi("K13", "After-contact work", "acw"),
    _kpi("K14", "Transfer rate", "transfer_rate"),
    _kpi(
        "K15",
        "Escalation rate, by reason",
        "escalation_rate",
        *_each("escalated_for", "reason", "authority_limit", "specialist_knowledge", "customer_demand", "regulatory"),
    ),
    _kpi("K16", "Resolved within authority", "within_authority"),
    _kpi("K17", "Authority breaches", "authority_breaches"),
    _kpi(
        "K18",
        "Reply to referrer, referral ageing",
        "referral_time_percentile",
        ("backlog_over", {"table": "escalations"}),
    ),
    _kpi("K19", "First-contact resolution by repeats", *_each("fcr", "days", 7, 30)),
    _kpi("K20", "First-contact resolution by survey", "fcr_survey"),
    _kpi("K21", "Reopen rate", *_each("reopen_rate", "of", "solved", "created")),
    _kpi(
        "K22",
        "First reply time, calendar and business hours",
        *(
            ("first_reply_percentile", {"per_cent": per_cent, "clock": clock})
            for clock in ("calendar", "open")
            for per_cent in (50, 90)
        ),
    ),
    _kpi("K23", "Full resolution time", *_each("resolution_percentile", "per_cent", 50, 90)),
    _kpi("K24", "Backlog ageing", *_each("backlog_over", "limit_days", 1, 5, 30)),
    _kpi("K25", "SLA breach rate", "sla_breach_rate"),
    _kpi("K26", "Occupancy", "occupancy"),
    _kpi("K27", "Utilisation", "utilisation"),
    _kpi("K28", "Shrinkage", *_each("shrinkage", "part", "all", "planned", "unplanned")),
    _kpi("K29", "Schedule adherence", "adherence"),
    _kpi("K30", "Conformance", "conformance"),
    _kpi("K31", "Non-response to offers", "non_response"),
    _kpi("K32", "Quality score", *_each("qa_score", "auto_fail", "ignore", "zero")),
    _kpi(
        "K33",
        "Critical-error accuracy, three classes",
        *_each("critical_error_accuracy", "of", "customer", "business", "compliance"),
    ),
    _kpi("K34", "Auto-fail rate", "auto_fail_rate"),
    _kpi("K35", "Identity validation", "identity_validation", "over_asking"),
    _kpi("K36", "Mandatory statements", "statement_compliance"),
    _kpi("K37", "Card recording control", "recording_paused"),
    _kpi("K38", "Breach closure and repeats", "breach_closure", "breach_repeats"),
    _kpi(
        "K39",
        "Evaluator agreement",
        "evaluator_agreement",
        instead=(
            "statistics.agreement.cohen_kappa",
            "statistics.agreement.krippendorff_alpha",
            "statistics.icc.icc",
        ),
        notes="coefficients do not add up over units: they are computed from the evaluations, with intervals",
    ),
    _kpi("K40", "Calibration deviation", *_each("calibration_deviation", "sign", "signed", "absolute")),
    _kpi(
        "K41",
        "Evaluation coverage and balance",
        "evaluation_coverage",
        instead=("statistics.sampling.margin_of_error", "statistics.sampling.allocate"),
    ),
    _kpi("K42", "Communication quality", *_each("communication_quality", "expression", "verbal", "written")),
    _kpi(
        "K43",
        "Development uplift",
        instead=("statistics.change.difference_in_differences", "statistics.change.expected_without_change"),
        notes="a comparison with agents without coaching, not a ratio",
    ),
    _kpi("K44", "Customer satisfaction", "csat"),
    _kpi("K45", "Net promoter score", "nps"),
    _kpi("K46", "Customer effort", "customer_effort", "low_effort"),
    _kpi("K47", "Survey response rate", "survey_response_rate"),
    _kpi("K48", "Complaints per 1,000 contacts", "complaints_per_1000"),
    _kpi("K49", "Complaint capture", "complaint_capture"),
    _kpi(
        "K50",
        "Resolved by the close of the third business day",
        *_each("resolved_in_three_days", "after_hours", "same day", "next business day"),
    ),
    _kpi(
        "K51",
        "Final response in time",
        *_each("final_response", "within", "8 weeks", "15 business days", "35 business days"),
    ),
    _kpi("K52", "Uphold rate", "uphold_rate"),
    _kpi("K53", "Recurrence", "recurrence"),
    _kpi("K54", "Dialler abandoned-call rate", *_each("dialler_abandon_rate", "rule", "connected", "live")),
    _kpi("K55", "Report health", "report_health"),
)

"""Measures of what customers say, and of complaints and their clocks."""

from __future__ import annotations

from ccanalysis.kpis.people import one_of
from ccanalysis.kpis.quality import EVALUATIONS, VALID, quote
from ccanalysis.kpis.sides import Measure, Side

_SURVEYS, _COMPLAINTS = "surveys", "complaints"
_SURVEYED = "who did not answer is not in it; print the response rate beside it"
# Days in which so many business days have passed at the latest, bank holidays of a nation included.
_LATEST = {"8 weeks": 56, "15 business days": 30, "35 business days": 62}


def fcr_survey() -> Measure:
    """First-contact resolution as customers see it: resolved first time, of all who answered that question."""
    return Measure(
        key="fcr_survey",
        about="resolved first time in the customer's own words, of all answers",
        kind="share",
        unit="share",
        better="up",
        numerator=Side(table=_SURVEYS, where="resolved_first_time"),
        denominator=Side(table=_SURVEYS, where="resolved_first_time is not null"),
        excluded="customers who did not answer",
        trap=f"not to be mixed with the repeat method; {_SURVEYED}",
        source="SQM Group, first call resolution",
    )


def nps() -> Measure:
    """Net promoter score, from -100 to 100: answers of 9 and 10 less answers of 0 to 6, per hundred answers."""
    return Measure(
        key="nps",
        about="answers of 9 and 10 less answers of 0 to 6, per hundred answers",
        kind="mean",
        unit="points",
        better="up",
        numerator=Side(
            table=_SURVEYS,
            where="nps is not null",
            of="case when nps >= 9 then 100 when nps <= 6 then -100 else 0 end",
        ),
        denominator=Side(table=_SURVEYS, where="nps is not null"),
        excluded="customers who did not answer",
        trap=f"its variance is large: read the interval; {_SURVEYED}",
        source="Reichheld (2003), the one number you need to grow",
    )


def customer_effort() -> Measure:
    """Mean effort that customers say they had, 1 low to 5 high."""
    return Measure(
        key="customer_effort",
        about="mean effort, 1 low to 5 high",
        kind="mean",
        unit="points",
        better="down",
        numerator=Side(table=_SURVEYS, where="effort is not null", of="effort", scale=100),
        denominator=Side(table=_SURVEYS, where="effort is not null"),
        excluded="customers who did not answer",
        trap=f"some questions ask how easy it was: map them so that 1 is low effort; {_SURVEYED}",
        source="Dixon, Freeman and Toman (2010), stop trying to delight your customers",
    )


def low_effort(*, most: int = 2) -> Measure:
    """Share of answers at or below an effort, on a scale of 1 low to 5 high.

    Args:
        most: The greatest effort that counts as low.
    """
    return Measure(
        key="low_effort",
        about=f"effort of at most {most} of 5, of all answers",
        kind="share",
        unit="share",
        better="up",
        numerator=Side(table=_SURVEYS, where=f"effort <= {most}"),
        denominator=Side(table=_SURVEYS, where="effort is not null"),
        excluded="customers who did not answer",
        trap=f"some questions ask how easy it was: map them so that 1 is low effort; {_SURVEYED}",
        source="Dixon, Freeman and Toman (2010), stop trying to delight your customers",
    )


def complaint_capture(*, criterion: str = "Complaint logged") -> Measure:
    """Share of the dissatisfaction that monitoring found that had been logged as a complaint.

    Args:
        criterion: The criterion that asks whether dissatisfaction was logged; not applicable where there was none.
    """
    found = f"{VALID} and criterion = {quote(criterion)} and points is not null and max_points is not null"
    return Measure(
        key="complaint_capture",
        about="logged as a complaint, of all dissatisfaction that monitoring found",
        kind="share",
        unit="share",
        better="up",
        numerator=Side(table=EVALUATIONS, where=f"{found} and points >= max_points"),
        denominator=Side(table=EVALUATIONS, where=found),
        excluded="contacts without dissatisfaction",
        trap="any expression of dissatisfaction counts, also one that was put right at once",
        source="FCA Handbook, glossary: complaint; DISP 1",
    )


def resolved_in_three_days(*, nation: str = "", after_hours: str = "same day", close_hour: int = 17) -> Measure:
    """Share of complaints received that were resolved by the close of the third business day after.

    Args:
        nation: Whose bank holidays count, as `GB-SCT`; empty for the centre's own.
        after_hours: `same day`, or `next business day` where complaints received outside business days and hours count
            as received on the next.
        close_hour: With `next business day`: the local hour from which a complaint is received after hours.
    """
    more = f", {quote(nation)}" if nation else ""
    allowed = "3"
    if one_of("rule", after_hours, ("same day", "next business day")) == "next business day":
        late = f"not business_day(received_at{more}) or local_hour >= {close_hour}"
        allowed = f"3 + case when {late} then 1 else 0 end"
    days = ", ".join(
        f"business_days_between(received_at, {column}{more})" for column in ("summary_sent_at", "closed_at")
    )
    return Measure(
        key="resolved_in_three_days",
        about="resolved by the close of the third business day after receipt, of all complaints received",
        kind="share",
        unit="share",
        better="up",
        numerator=Side(table=_COMPLAINTS, where=f"coalesce({days}) <= {allowed}"),
        denominator=Side(table=_COMPLAINTS),
        settle_days=14,
        needs=("complaints.closed_at",),
        trap="business days of the firm's own nation; by the summary resolution communication where one was sent",
        source="FCA Handbook, DISP 1.5: complaints resolved by the close of the third business day",
    )


def final_response(*, within: str = "8 weeks", nation: str = "") -> Measure:
    """Share of complaints due for a final response that had it in time.

    Args:
        within: `8 weeks`, `15 business days` (payment services and electronic money) or `35 business days` (the same,
            exceptionally).
        nation: Whose bank holidays count, as `GB-SCT`; empty for the centre's own.
    """
    more = f", {quote(nation)}" if nation else ""
    one_of("limit", within, tuple(_LATEST))
    summary = f"summary_sent_at is not null and business_days_between(received_at, summary_sent_at{more}) <= 3"
    due = f"not coalesce({summary}, false)"
    if within == "8 weeks":
        in_time, later = "days_between(received_at, responded_at) <= 56", 56
    else:
        count = within.split(maxsplit=1)[0]
        in_time, later = f"business_days_between(received_at, responded_at{more}) <= {count}", 0
    return Measure(
        key="final_response",
        about=f"final response within {within}, of all complaints due for one",
        kind="share",
        unit="share",
        better="up",
        numerator=Side(table=_COMPLAINTS, where=f"{due} and responded_at is not null and {in_time}", later_days=later),
        denominator=Side(table=_COMPLAINTS, where=due, later_days=later),
        settle_days=0 if later else _LATEST[within],
        needs=("complaints.responded_at",),
        excluded="complaints with a summary resolution communication by the third business day",
        trap="of those that fell due, not of those that were closed: an open complaint is late, not absent",
        source="FCA Handbook, DISP 1.6: complaints time limit rules",
    )


def uphold_rate() -> Measure:
    """Share of complaints closed in the period that were upheld, in whole or in part."""
    # goodwill paid where nothing was decided counts as upheld; paid on a rejected complaint it does not
    decided = "closed_at is not null and (outcome is not null or redress > 0)"
    upheld = "outcome in ('upheld', 'part_upheld') or (outcome is null and redress > 0)"
    return Measure(
        key="uphold_rate",
        about="upheld in whole or in part, of all complaints closed",
        kind="share",
        unit="share",
        better="within",
        numerator=Side(table=_COMPLAINTS, where=f"{decided} and ({upheld})", by="closed_at"),
        denominator=Side(table=_COMPLAINTS, where=decided, by="closed_at"),
        needs=("complaints.closed_at", "complaints.outcome"),
        excluded="open complaints, and closed ones without outcome or redress",
        trap="by closing, not by receipt; goodwill on a rejected complaint does not make it upheld",
        source="FCA Handbook, DISP 1 Annex 1R, and DISP 1.10 as it was",
    )


def recurrence() -> Measure:
    """Share of complaints whose root cause an action was to have ended before."""
    known = "root_cause is not null"
    return Measure(
        key="recurrence",
        about="root cause that an action was to have ended before, of all complaints with a root cause",
        kind="share",
        unit="share",
        better="down",
        numerator=Side(table=_COMPLAINTS, where=f"{known} and fixed_on <= local_date"),
        denominator=Side(table=_COMPLAINTS, where=known),
        needs=("actions.root_cause", "complaints.root_cause"),
        excluded="complaints without a root cause, as young ones often are",
        trap="codes of root causes drift: a fix that renames its cause looks like a success",
        source="FCA Handbook, DISP 1.3.3R: recurring or systemic problems",
    )

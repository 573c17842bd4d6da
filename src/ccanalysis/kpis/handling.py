"""Measures of cases that outlast a contact: call-backs, tickets, referrals, decisions and backlogs."""

from __future__ import annotations

from ccanalysis.contracts import DAY_S, ESCALATION_REASONS
from ccanalysis.kpis.people import one_of
from ccanalysis.kpis.sides import COARSE_ERROR, Better, Bins, Measure, Side

_ANSWERED = "outcome = 'answered'"
_OFFERED = "outcome in ('answered', 'abandoned')"
_LIVE = "outcome not in ('void', 'refused', 'left_menu', 'abandoned', 'flowed_out')"
_ESCALATIONS = "escalations"
_BINS: tuple[Bins, ...] = ("exact", "coarse")
_ERROR_WORDS = f"coarse bins err by at most {COARSE_ERROR:.1%} of the value"
# Table of cases -> the time at which a case ceases to be open, which rows are cases, and what they are called.
CASES = {
    "contacts": ("resolved_at", _LIVE, "contacts"),
    "complaints": ("closed_at", "true", "complaints"),
    "escalations": ("resolved_at", "true", "referrals"),
    "breaches": ("closed_at", "true", "breaches"),
}


def time_percentile(
    key: str,
    about: str,
    of: str,
    where: str,
    *,
    table: str,
    per_cent: int,
    bins: str,
    needs: tuple[str, ...],
    **more: str,
) -> Measure:
    """Make a percentile of a time that cases took."""
    taken = f"({where}) and ({of}) >= 0"
    return Measure(
        key=key,
        about=about.format(per_cent=per_cent),
        kind="percentile",
        unit="s",
        better="down",
        numerator=Side(table=table, where=taken, of=of),
        denominator=Side(table=table, where=taken),
        quantile=per_cent / 100,
        bins=one_of("bins", bins, _BINS),  # type: ignore[arg-type]
        needs=needs,
        **more,  # type: ignore[arg-type]
    )


def callback_success() -> Measure:
    """Share of promised call-backs that reached the customer."""
    promised = "outcome = 'callback_promised'"
    return Measure(
        key="callback_success",
        about="reached, of all promised call-backs",
        kind="share",
        unit="share",
        better="up",
        numerator=Side(where=f"{promised} and callback_reached"),
        denominator=Side(where=promised),
        needs=("contacts.callback_reached",),
        trap="a promise takes the contact out of the queue and flatters service level; one without a record failed",
        source="Amazon Connect, metrics definitions",
    )


def adjusted_demand(*, days: int = 1) -> Measure:
    """Share of offered contacts left when a customer's repeated attempts count once.

    Args:
        days: Attempts of one customer with no more than so many days between them are one demand.
    """
    last = f"customer_id is null or next_attempt_s is null or next_attempt_s > {days * DAY_S}"
    return Measure(
        key="adjusted_demand",
        about=f"demands, of all offered contacts (attempts at most {days} days apart are one)",
        kind="share",
        unit="share",
        better="up",
        numerator=Side(where=f"{_OFFERED} and ({last})"),
        denominator=Side(where=_OFFERED),
        settle_days=days,
        excluded="nothing: a contact without a customer is a demand of its own",
        trap="withheld numbers and shared lines; distinct callers do not add up over units, runs of attempts do",
        source="ITU-T E.600 (1993): repeated call attempts",
    )


def within_authority() -> Measure:
    """Share of decisions within the first owner's limit of authority that the first owner took."""
    within = "amount is not null and own_limit is not null and amount <= own_limit"
    return Measure(
        key="within_authority",
        about="decided by their first owner, of all decisions within the first owner's authority",
        kind="share",
        unit="share",
        better="up",
        numerator=Side(table=_ESCALATIONS, where=f"{within} and decided_by = agent_id and resolved_at is not null"),
        denominator=Side(table=_ESCALATIONS, where=within),
        needs=("agents.role", "escalations.amount", "escalations.decided_by", "escalations.resolved_at"),
        excluded="decisions without an amount, and of people whose limit is not known",
        trap="the mirror of authority breaches: read both, so that neither timidity nor boldness looks good",
        source="OCR, principles of customer service in a contact centre, limits of authority",
    )


def authority_breaches() -> Measure:
    """Share of decisions above the limit of whoever took them; what was split in one contact counts together."""
    known = "amount is not null and decider_limit is not null"
    return Measure(
        key="authority_breaches",
        about="above the limit of whoever decided, of all decisions",
        kind="share",
        unit="share",
        better="down",
        numerator=Side(table=_ESCALATIONS, where=f"{known} and amount_together > decider_limit"),
        denominator=Side(table=_ESCALATIONS, where=known),
        needs=("agents.role", "escalations.amount", "escalations.decided_by"),
        excluded="decisions without an amount, and of people whose limit is not known",
        trap="an amount can be split to stay under a limit: all that one person decided in one contact is one amount",
        source="OCR, principles of customer service in a contact centre, limits of authority",
    )


def escalated_for(*, reason: str = "authority_limit") -> Measure:
    """Share of escalations that had one reason.

    Args:
        reason: `authority_limit`, `specialist_knowledge`, `customer_demand` or `regulatory`.
    """
    return Measure(
        key="escalated_for",
        about=f"for {one_of('reason', reason, ESCALATION_REASONS).replace('_', ' ')}, of all escalations with a reason",
        kind="share",
        unit="share",
        better="within",
        numerator=Side(table=_ESCALATIONS, where=f"reason = '{reason}'"),
        denominator=Side(table=_ESCALATIONS, where="reason is not null"),
        needs=("escalations.reason",),
        excluded="escalations without a reason",
        trap="reasons are chosen by whoever escalates",
        source="OCR, principles of customer service in a contact centre, escalation",
    )


def referral_time_percentile(*, per_cent: int = 90, bins: str = "coarse") -> Measure:
    """Percentile of the time from referral to resolution, in seconds.

    Args:
        per_cent: Which percentile.
        bins: `coarse` (mergeable at any size, with a stated error) or `exact`.
    """
    return time_percentile(
        "referral_time_percentile",
        "time from referral to resolution that {per_cent} of 100 resolved referrals did not exceed",
        "seconds_between(referred_at, resolved_at)",
        "resolved_at is not null",
        table=_ESCALATIONS,
        per_cent=per_cent,
        bins=bins,
        needs=("escalations.resolved_at",),
        excluded="open referrals: read their ageing beside it",
        trap=f"the clock starts at referral, not at the contact; {_ERROR_WORDS}",
        source="OCR, principles of customer service in a contact centre, referral",
    )


def backlog_over(*, limit_days: int = 5, table: str = "contacts") -> Measure:
    """Share of cases open at the end of the period that had been open for longer than a limit.

    Args:
        limit_days: The limit, in days.
        table: `contacts`, `complaints`, `escalations` (referrals) or `breaches`.
    """
    until, where, words = CASES[one_of("table", table, tuple(CASES))]
    return Measure(
        key="backlog_over",
        about=f"open for more than {limit_days} days, of all {words} open at the end of the period",
        kind="share",
        unit="share",
        better="down",
        numerator=Side(table=table, where=f"({where}) and age_days > {limit_days}", open_until=until),
        denominator=Side(table=table, where=where, open_until=until),
        needs=(f"{table}.{until}",),
        excluded="abandoned, refused and void contacts" if table == "contacts" else "",
        trap="a stock, not a flow: the same case counts in each period it is open, so periods must not be added up",
        source="Little (1961), a proof for the queueing formula L = λW: stocks and flows",
    )


def sla_breach_rate() -> Measure:
    """Share of promised times of resolution, falling due in the period, that were not kept."""
    due = "sla_due_at is not null"
    return Measure(
        key="sla_breach_rate",
        about="resolved late or not at all, of all that fell due",
        kind="share",
        unit="share",
        better="down",
        numerator=Side(where=f"{due} and (resolved_at is null or resolved_at > sla_due_at)", by="sla_due_at"),
        denominator=Side(where=due, by="sla_due_at"),
        needs=("contacts.sla_due_at", "contacts.resolved_at"),
        excluded="contacts without a promised time",
        trap="by the priority in force when it fell due, not by that of today; by due date, so that open cases count",
        source="Zendesk, service level agreement reporting",
    )


def reopen_rate(*, of: str = "solved", days: int = 7) -> Measure:
    """Share of cases that were opened again.

    Args:
        of: `solved` (all that were ever solved) or `created`.
        days: Days for which the figure is provisional, for later reopening changes it.
    """
    again = f"{_ANSWERED} and reopens > 0"
    base = {"solved": " and (resolved or reopens > 0)", "created": ""}[one_of("of", of, ("solved", "created"))]
    return Measure(
        key="reopen_rate",
        about=f"opened again, of all {of}",
        kind="share",
        unit="share",
        better="down",
        numerator=Side(where=again),
        denominator=Side(where=f"{_ANSWERED} and reopens is not null{base}"),
        settle_days=days,
        needs=("contacts.reopens",),
        excluded="cases whose reopening is not recorded",
        trap="solved and created are two denominators; later reopening changes history",
        source="Zendesk, ticket reporting definitions",
    )


def first_reply_percentile(*, per_cent: int = 50, clock: str = "calendar", bins: str = "coarse") -> Measure:
    """Percentile of the time from creation to the first reply by a person, in seconds.

    Args:
        per_cent: Which percentile.
        clock: `calendar`, or `open` for seconds within the channel's opening hours.
        bins: `coarse` (mergeable at any size, with a stated error) or `exact`.
    """
    of = {"calendar": "seconds_between", "open": "open_seconds_between"}[one_of("clock", clock, ("calendar", "open"))]
    words = "time" if clock == "calendar" else "opening hours"
    return time_percentile(
        "first_reply_percentile",
        words + " to the first reply that {per_cent} of 100 answered contacts did not exceed",
        f"{of}(offered_at, answered_at)",
        f"{_ANSWERED} and answered_at is not null",
        table="contacts",
        per_cent=per_cent,
        bins=bins,
        needs=("contacts.answered_at",),
        excluded="contacts that nobody answered; automatic replies, where the export tells them apart",
        trap=f"bots, merges and reopening inflate or flatter it; {_ERROR_WORDS}",
        source="Zendesk, ticket reporting definitions: first reply time",
    )


def resolution_percentile(*, per_cent: int = 50, clock: str = "calendar", bins: str = "coarse") -> Measure:
    """Percentile of the time from creation to the last resolution, in seconds.

    Args:
        per_cent: Which percentile.
        clock: `calendar`, or `open` for seconds within the channel's opening hours.
        bins: `coarse` (mergeable at any size, with a stated error) or `exact`.
    """
    of = {"calendar": "seconds_between", "open": "open_seconds_between"}[one_of("clock", clock, ("calendar", "open"))]
    return time_percentile(
        "resolution_percentile",
        "time to the last resolution that {per_cent} of 100 resolved contacts did not exceed",
        f"{of}(offered_at, resolved_at)",
        "resolved_at is not null",
        table="contacts",
        per_cent=per_cent,
        bins=bins,
        needs=("contacts.resolved_at",),
        excluded="open contacts: read the ageing of the backlog beside it",
        trap=f"open contacts are censored, so it falls when hard cases stay open; {_ERROR_WORDS}",
        source="Zendesk, ticket reporting definitions: full resolution time",
    )


def answer_time_survival(*, per_cent: int = 90) -> Measure:
    """Percentile of the wait until an answer, had nobody given up: Kaplan and Meier's, in seconds.

    Args:
        per_cent: Which percentile; none where so many never come within the waits that were seen.
    """
    better: Better = "down"
    return Measure(
        key="answer_time_survival",
        about=f"wait within which {per_cent} of 100 would be answered, had nobody given up",
        kind="percentile",
        unit="s",
        better=better,
        numerator=Side(where=_ANSWERED, of="wait_s"),
        denominator=Side(where=f"{_OFFERED} and wait_s is not null"),
        censored=Side(where="outcome = 'abandoned'", of="wait_s"),
        quantile=per_cent / 100,
        excluded="contacts without a wait",
        trap="whoever gives up is not answered sooner; waits of the answered alone look shorter than they are",
        source="Kaplan and Meier (1958); interval: Brookmeyer and Crowley (1982), log-log",
    )


def dialler_abandon_rate(*, rule: str = "connected", seconds: int = 2) -> Measure:
    """Share of live outbound calls in which no agent was there for the customer.

    Args:
        rule: `connected` (abandoned, of abandoned and connected) or `live` (not with an agent in time, of all answered
            live).
        seconds: With `live`: how long after the greeting an agent may take.
    """
    outbound = f"direction = 'outbound' and {_OFFERED}"
    late = "outcome = 'abandoned'" + (
        f" or wait_s > {seconds}" if one_of("rule", rule, ("connected", "live")) == "live" else ""
    )
    return Measure(
        key="dialler_abandon_rate",
        about="live outbound calls without an agent, of all live outbound calls"
        + (f" (after {seconds} s)" if rule == "live" else ""),
        kind="share",
        unit="share",
        better="down",
        numerator=Side(where=f"{outbound} and ({late})"),
        denominator=Side(where=outbound),
        needs=("contacts.direction",),
        excluded="calls that no person answered",
        trap="the 3 % of the United Kingdom ended on 1 March 2017: every abandoned call can be misuse since; answering "
        "machines that were taken for persons count as abandoned",
        source="Ofcom, persistent misuse statement (2016); 47 CFR 64.1200(a)(7): per campaign and 30 days",
    )

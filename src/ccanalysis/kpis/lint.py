"""What to ask of a KPI before it is used, and its card.

The questions are those that guides to good indicators ask: why, of whom, how exactly, against what, by whom, with what
consequence, and whether the data can carry it.

Source:
    NHS Institute for Innovation and Improvement and Association of Public Health Observatories (2008), the good
    indicators guide: ten questions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from ccanalysis.contracts import Table
from ccanalysis.kpis.changes import approval_words, bound_words, side_words
from ccanalysis.kpis.register import Kpi, Register

# Survey measures that say nothing without the response rate beside them.
_OF_SURVEYS = ("csat", "nps", "customer_effort", "low_effort", "fcr_survey")
_SOON = timedelta(days=31)
_FEWEST = 8
_UNITED_KINGDOM_RULE_ENDED = date(2017, 3, 1)


@dataclass(frozen=True, kw_only=True)
class Question:
    """One thing that a KPI leaves open.

    Attributes:
        kpi: The KPI's id.
        line: Where it stands in the register.
        refused: Whether it cannot be measured; else it is a question to the owner.
        asks: The question.
        found: What the register, or the workspace, says.
        remedy: What to do.
    """

    kpi: str
    line: int
    refused: bool
    asks: str
    found: str
    remedy: str


def lint(
    register: Register, *, day: date, tables: Mapping[str, Table], filled: Mapping[str, Collection[str]] | None = None
) -> list[Question]:
    """Ask every KPI of a register what a good indicator must answer.

    Args:
        register: The register.
        day: The day that approvals and reviews are judged on.
        tables: The contract tables of the workspace.
        filled: Contract table -> columns that some source fills; None where the sources are not known.

    Returns:
        What is refused and what is open, in the order of the register.
    """
    found: list[Question] = []
    for kpi in register.kpis:
        if kpi.approval.state == "retired":
            continue
        asked = [(True, *each) for each in _unmeasurable(kpi, tables, filled)]
        asked += [
            (False, *each) for each in (*_purpose(kpi), *_target(kpi, day), *_approval(kpi, day), *_use(kpi, register))
        ]
        found += [
            Question(kpi=kpi.id, line=kpi.line, refused=refused, asks=asks, found=says, remedy=remedy)
            for refused, asks, says, remedy in asked
        ]
    return found


Asked = Iterator[tuple[str, str, str]]


def _unmeasurable(kpi: Kpi, tables: Mapping[str, Table], filled: Mapping[str, Collection[str]] | None) -> Asked:
    if filled is None:
        return
    asks = "Where does the data come from?"
    needs = kpi.measure.all_needs(tables)
    # what the figure cannot do without: its tables, what the measure names, and what its sides alone count by
    needs = (*needs, *(f"{side.table}.{name}" for side in kpi.measure.sides for name in side.columns(tables)))
    told = set()
    for need in needs:
        table, _, column = need.partition(".")
        if table not in filled:
            if table not in told:
                yield asks, f"no source fills the table {table!r}", f"Map an export to {table!r}, or retire the KPI"
            told.add(table)
        elif column and column not in filled[table] and need not in told and _essential(kpi, need):
            told.add(need)
            yield asks, f"no source fills {need}", f"Map a column to {column!r}, or retire the KPI"


def _essential(kpi: Kpi, need: str) -> bool:
    """Tell whether a column is needed by name, rather than read where there is one."""
    if need in kpi.measure.needs:
        return True
    table, _, column = need.partition(".")
    summed = {side.of for side in kpi.measure.sides if side.table == table}
    return column in summed


def _purpose(kpi: Kpi) -> Asked:
    if not kpi.objective:
        yield "Which aim does it serve?", "it names no objective", "Write objective:"
    if len(kpi.purpose.split()) < 4:
        yield "Why is it measured?", "the purpose says little", "Say what would go wrong unseen without it"
    if len(kpi.action_after_review.split()) < 3:
        yield "What will be done?", "the action after review says little", "Say who looks at what, and what follows"
    if kpi.review_on is None:
        yield "When is the KPI itself looked at again?", "it has no review date", "Write review_on:"


def _target(kpi: Kpi, day: date) -> Asked:
    target = kpi.target_on(day)
    if target is None or (target.team is None and target.individual is None):
        yield "How good is good enough?", f"no target is in force on {day.isoformat()}", "Add one under targets:"
        return
    if "agent" in kpi.levels and target.individual is None:
        yield "What is asked of a person?", "agents are judged and have no target", "Write individual:, or drop agent"
    if "agent" not in kpi.levels and target.individual is not None:
        yield "What is asked of a person?", "individual: is never used", "Add agent to the levels, or drop it"
    if target.tolerance == 0 and target.team not in (0.0, 1.0, None):
        yield "How far may it miss?", "the tolerance is nought", "Write tolerance:, or keep it if any miss matters"
    if kpi.measure.kind == "share" and kpi.minimum_n < _FEWEST:
        yield (
            "Are there enough cases?",
            f"minimum_n is {kpi.minimum_n}: 7 of 8 is anything from 53 to 98 %",
            f"Ask for at least {_FEWEST}",
        )
    if kpi.measure.key == "dialler_abandon_rate" and target.team == 0.03 and day >= _UNITED_KINGDOM_RULE_ENDED:
        yield (
            "Is the rule still in force?",
            "the 3 % of the United Kingdom ended on 1 March 2017",
            "Name the rule under source_requirement: if it is another nation's",
        )


def _approval(kpi: Kpi, day: date) -> Asked:
    asks = "Who let it be used?"
    now = kpi.approval_on(day)
    if not now.covers(day):
        yield asks, f"{approval_words(now, day)}: printed as experimental", "Write who approved it, on: and until:"
    else:
        if now.until is None:
            yield asks, "the approval has no end", "Write until:"
        elif now.until - day < _SOON:
            yield asks, f"the approval ends on {now.until.isoformat()}", "Have it approved again"
        changed = kpi.definition_on(day).since
        if changed and now.on and changed > now.on and day >= changed:
            yield (
                asks,
                f"the definition changed on {changed.isoformat()}, after the approval of {now.on.isoformat()}",
                "Have the change approved",
            )
    if not now.consulted and now.state != "draft":
        yield "Who was asked?", "nobody is named as consulted", "Write consulted: with those whose work it measures"
    if kpi.review_on and kpi.review_on < day:
        yield (
            "When is the KPI itself looked at again?",
            f"the review of {kpi.review_on.isoformat()} is past",
            "Review it",
        )


def _use(kpi: Kpi, register: Register) -> Asked:
    keys = {other.measure.key for other in register.kpis if other.approval.state != "retired"}
    if kpi.measure.key in _OF_SURVEYS and "survey_response_rate" not in keys:
        yield "Who is not in it?", "the response rate is not measured beside it", "Add survey_response_rate"
    if kpi.measure.key == "asa" and "abandon_rate" not in keys:
        yield "Who is not in it?", "callers who gave up are not in it", "Add abandon_rate beside it"
    pairs = {"within_authority": "authority_breaches", "authority_breaches": "within_authority"}
    if kpi.measure.key in pairs and pairs[kpi.measure.key] not in keys:
        yield "Can it be gamed?", "its mirror is not measured", f"Add {pairs[kpi.measure.key]}"
    if kpi.better == "up" and kpi.measure.key in ("shrinkage", "abandon_rate", "aht"):
        yield "Which way is better?", f"more {kpi.measure.key} is said to be better", "Look at better:"


def card(kpi: Kpi, day: date) -> list[tuple[str, str]]:
    """Write the card of a KPI as it stands on a day: what, why, of whom, against what, who, and what follows.

    Args:
        kpi: The KPI.
        day: The day.

    Returns:
        Pairs of a heading and what it says; what is empty is left out.
    """
    now = kpi.as_of(day)
    measure, target, known = now.measure, kpi.target_on(day), kpi.definition_on(day)
    rows = [
        ("KPI", f"{kpi.id}: {kpi.name}"),
        ("Purpose", kpi.purpose),
        ("Objective", kpi.objective),
        ("Counts", measure.about),
        ("Above the line", side_words(measure.numerator)),
        ("Below the line", side_words(measure.denominator)),
        ("Population", now.population or "everything"),
        ("Left out", measure.excluded),
        ("Mind", measure.trap),
        ("Source", measure.source),
        ("Needs", ", ".join(measure.needs)),
        ("Unit", measure.unit),
        ("Better", {"up": "more", "down": "less", "within": "within a band"}[kpi.better]),
        ("Levels", ", ".join(kpi.levels)),
        ("Frequency", kpi.frequency),
        ("Least cases", str(kpi.minimum_n)),
        ("Settles", f"{measure.settle_days} days after the period" if measure.settle_days else ""),
        ("Target", f"{bound_words(target.team, measure.unit)} (from {target.since.isoformat()})" if target else "none"),
    ]
    if target and target.individual is not None:
        rows.append(("Individual target", bound_words(target.individual, measure.unit)))
    if target:
        rows.append(("Tolerance", bound_words(target.tolerance, measure.unit)))
    rows += [
        ("Owner", kpi.owner),
        ("Approval", approval_words(kpi.approval_on(day), day)),
        ("Consulted", ", ".join(kpi.approval_on(day).consulted)),
        ("Requirement", kpi.source_requirement),
        ("After review", kpi.action_after_review),
        ("Review", kpi.review_on.isoformat() if kpi.review_on else ""),
    ]
    if known.since:
        rows.append(("Definition from", f"{known.since.isoformat()}: {known.why}"))
    rows += [
        ("Earlier definition", f"until {later.since.isoformat()}: {earlier.measure.about}")
        for earlier, later in zip(kpi.definitions, kpi.definitions[1:], strict=False)
        if later.since and later.since <= day
    ]
    return [(heading, said) for heading, said in rows if said]

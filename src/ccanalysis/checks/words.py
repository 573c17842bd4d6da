"""What a rule found, as a sentence for people who do not know what an expectation is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from ccanalysis.checks.suites import Rule

NOUNS = {
    "agents": "roster rows",
    "segments": "legs of contacts",
    "evaluations": "evaluation rows",
    "surveys": "survey invitations",
    "agent_states": "agent states",
    "delegations": "limits of authority",
    "costs": "cost rows",
    "calendar": "calendar days",
    "control_totals": "independent totals",
    "reports": "reports that were due",
    "figures": "figures",
}
BATCH_NOUNS = {
    "days": "open days of channels and sites",
    "control": "independent daily totals",
    "period": "periods",
    "hours": "open hours",
    "parts": "parts of the export, by file, day and channel,",
    "intervals": "daily totals of the interval report",
    "roster": "agents",
    "issued": "days of earlier periods",
    "sample": "shares",
}
VALUES = {
    "expect_column_max_to_be_between": "the greatest",
    "expect_column_mean_to_be_between": "the mean",
    "expect_column_median_to_be_between": "the median",
    "expect_column_min_to_be_between": "the least",
    "expect_table_row_count_to_be_between": "the number of rows",
}


def noun(rule: Rule, level: str = "centre") -> str:
    """Return what a rule counts at a level, in the plural."""
    if rule.on == "days" and level == "team":
        return "open days"
    return BATCH_NOUNS.get(rule.on) or NOUNS.get(rule.table, rule.table.replace("_", " "))


def title(rule: Rule) -> str:
    """Return what a rule looks for, as the heading of a row.

    Examples:
        >>> rule = Rule(id="contacts.order", table="contacts", on="rows", expectation={"type": "x", "kwargs": {}},
        ...     dimension="consistency", verdict="accuracy", severity="block", columns=(), kpis=(),
        ...     about="ended before they were answered", remedy="")
        >>> title(rule)
        'Contacts that ended before they were answered'
    """
    words = rule.about if _of_a_value(rule) else f"{noun(rule)} that {rule.about}"
    return words[:1].upper() + words[1:]


def not_assessed(rule: Rule, why: str) -> str:
    """Say that a rule was not assessed, and why."""
    if _of_a_value(rule):
        return f"Whether {rule.about} was not assessed: {why}"
    return f"Whether any of the {noun(rule)} {rule.about} was not assessed: {why}"


def found(
    rule: Rule, *, n: Any, n_failed: Any, value: Any, kwargs: Mapping[str, Any], passed: bool, level: str = "centre"
) -> str:
    """Say what a rule found among so many rows.

    Examples:
        >>> rule = Rule(id="contacts.order", table="contacts", on="rows", expectation={"type": "x", "kwargs": {}},
        ...     dimension="consistency", verdict="accuracy", severity="block", columns=(), kpis=(),
        ...     about="ended before they were answered", remedy="")
        >>> found(rule, n=10_233, n_failed=412, value=None, kwargs={}, passed=False)
        '412 of 10,233 contacts (4.0 %) ended before they were answered'
        >>> found(rule, n=10_233, n_failed=0, value=None, kwargs={}, passed=True)
        'None of 10,233 contacts ended before they were answered'
    """
    if _of_a_value(rule):
        bounds = "min_value" in kwargs or "max_value" in kwargs
        say = _say(rule)
        seen = f"{VALUES[rule.type]} is {say(value)}" if rule.type in VALUES else say(value)
        if passed:
            return f"As expected: {seen} ({_range(kwargs, say)})" if bounds else "As expected"
        return f"{title(rule)}: {seen}, expected {_range(kwargs, say)}" if bounds else title(rule)
    of = f"of {int(n):,} {noun(rule, level)}"
    if n_failed == 0:
        return f"None {of} {rule.about}"
    allowed = 1 - rule.kwargs.get("mostly", 1)
    within = f", within the {percent(allowed)} allowed" if n_failed / n <= allowed else ""
    return f"{int(n_failed):,} {of} ({percent(n_failed / n)}) {rule.about}{within}"


def _of_a_value(rule: Rule) -> bool:
    """Tell a rule on one value, such as a median or a number of rows, from a rule on each row or day."""
    return rule.type in VALUES or rule.on == "period"


def percent(share: float) -> str:
    """Return a share as per cent, never rounded to none or all.

    Examples:
        >>> percent(0.0403), percent(0.00001), percent(0.99999)
        ('4.0 %', 'under 0.1 %', 'over 99.9 %')
    """
    if 0 < share < 0.001:
        return "under 0.1 %"
    if 0.999 < share < 1:
        return "over 99.9 %"
    return f"{100 * share:.1f} %"


def number(value: Any) -> str:
    """Return a number with thousands apart, and no more digits than it needs."""
    if value is None or pd.isna(value):
        return "unknown"
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:,.1f}"


def _say(rule: Rule) -> Callable[[Any], str]:
    """Return how a value of the rule is said: shares as per cent."""
    return _share if str(rule.kwargs.get("column", "")).endswith(("_share", "_shift")) else number


def _share(value: Any) -> str:
    return "unknown" if value is None or pd.isna(value) else percent(value)


def _range(kwargs: Mapping[str, Any], say: Callable[[Any], str]) -> str:
    low, high = (
        bound if bound is None or isinstance(bound, str) else say(bound)
        for bound in (kwargs.get("min_value"), kwargs.get("max_value"))
    )
    if low is not None and high is not None:
        return f"{low} to {high}"
    return f"{low} or more" if low is not None else f"{high} or less"

"""Numbers and verdicts in plain words, the same in notebooks, reports and on the command line.

British English, a unit with every number, no jargon. Nothing here computes; it says what is already there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

NO_VALUE = "no data"

STATUS_WORDS = {
    "met": "Met",
    "within_tolerance": "Within tolerance",
    "missed_chance": "Missed, could be chance",
    "missed_real": "Missed, real",
    "cannot_meet": "This process cannot meet it",
    "no_target": "No target",
    "not_judged": "Not judged",
}
VARIATION_WORDS = {
    "improving": "Improving",
    "worsening": "Worsening",
    "higher": "Higher than usual",
    "lower": "Lower than usual",
    "common_cause": "No change beyond the usual ups and downs",
    "not_enough_data": "Not enough history yet",
}
ASSURANCE_WORDS = {
    "hits": "Meets the target reliably",
    "hit_or_miss": "May meet or miss the target",
    "misses": "Misses the target reliably",
    "none": "No statement about the target",
}
RATING_WORDS = {
    "fit": "Data fit to use",
    "caution": "Use the data with caution",
    "not fit": "Data not fit to use",
    "unknown": "Data not assessed",
}
RULE_WORDS = {
    "outside_limits": "the latest point lies outside the usual range",
    "trend": "seven points in a row have moved the same way",
    "two_of_three": "two of the last three points lie close to the limits of the usual range",
    "shift": "seven points in a row lie on the same side of the average",
}
OUTCOME_WORDS = {
    "worked": "Worked",
    "moved": "Moved, but no more than expected without it",
    "no_change": "No change yet",
    "worse": "Got worse",
    "cannot_tell": "Cannot tell yet",
    "not_judged": "Not judged",
}
# Why a miss could be chance: sampling alone may explain it, or only the tolerance is in doubt.
REACHES = "the interval reaches the target"
REACHES_TOLERANCE = "the interval reaches the agreed tolerance"
LEVEL_WORDS = {
    "centre": ("centre", "centres"),
    "site": ("site", "sites"),
    "team": ("team", "teams"),
    "line_manager": ("line manager", "line managers"),
    "queue": ("queue", "queues"),
    "channel": ("channel", "channels"),
    "reason": ("contact reason", "contact reasons"),
    "agent": ("agent", "agents"),
}


def number(value: float, digits: int = 0) -> str:
    """Write a number with a comma at thousands.

    Examples:
        >>> number(10233), number(1234.56, 1)
        ('10,233', '1,234.6')
    """
    return NO_VALUE if _missing(value) else f"{value:z,.{digits}f}"


def count(n: float, singular: str, plural: str | None = None) -> str:
    """Write how many there are of a thing.

    Examples:
        >>> count(1, "team"), count(0, "team"), count(2, "enquiry", "enquiries")
        ('1 team', 'no teams', '2 enquiries')
    """
    many = plural or f"{singular}s"
    return f"no {many}" if n == 0 else f"{number(n)} {singular if n == 1 else many}"


def duration(seconds: float) -> str:
    """Write a duration so that it reads at a glance.

    Examples:
        >>> duration(73.8), duration(372), duration(11100), duration(0)
        ('73.8 s', '6 min 12 s', '3 h 05 min', '0.0 s')
    """
    if _missing(seconds):
        return NO_VALUE
    sign, size = ("-" if seconds <= -0.05 else ""), abs(seconds)
    if size < 119.95:
        return f"{sign}{size:.1f} s"
    whole = round(size)
    if whole < 3600:
        return f"{sign}{whole // 60} min {whole % 60:02d} s"
    minutes = round(size / 60)
    return f"{sign}{minutes // 60:,} h {minutes % 60:02d} min"


def value(amount: float, unit: str) -> str:
    """Write a value of a KPI with its unit.

    Examples:
        >>> value(0.8124, "share"), value(4.2, "per_1000"), value(float("nan"), "s"), value(1400.0, "count")
        ('81.2%', '4.20 per 1,000', 'no data', '1,400')
    """
    if _missing(amount):
        return NO_VALUE
    if unit == "count":
        return number(amount, 0 if float(amount).is_integer() else 1)
    if unit == "share":
        return f"{100 * amount:z.1f}%"
    if unit == "s":
        return duration(amount)
    if unit == "per_1000":
        return f"{amount:z,.2f} per 1,000"
    if unit == "money":  # the heading names the currency
        return f"{amount:z,.2f}"
    return f"{amount:z,.1f}" + (" points" if unit == "points" else "")


def target(low: float, high: float, better: str, unit: str) -> str:
    """Write a target with its direction.

    Examples:
        >>> target(0.8, float("nan"), "up", "share"), target(360, 480, "within", "s"), target(5, 90, "within", "s")
        ('at least 80.0%', '6 to 8 min', '5.0 s to 90.0 s')
    """
    if _missing(low):
        return "no target"
    if better == "within":
        if unit == "s" and low % 60 == high % 60 == 0 and 0 < high < 3600:
            return f"{low / 60:.0f} to {high / 60:.0f} min"
        return f"{value(low, unit)} to {value(high, unit)}"
    return f"{'at least' if better == 'up' else 'at most'} {value(low, unit)}"


def difference(amount: float, unit: str) -> str:
    """Write the size of a difference; shares differ in percentage points.

    Examples:
        >>> difference(-0.031, "share"), difference(12, "s")
        ('3.1 percentage points', '12.0 s')
    """
    size = abs(amount)
    return f"{100 * size:.1f} percentage points" if unit == "share" else value(size, unit)


def money(amount: float, currency: str) -> str:
    """Write an amount of money, without pence.

    Examples:
        >>> money(1234.4, "GBP"), money(240, "EUR"), money(15, "CHF")
        ('£1,234', '€240', '15 CHF')
    """
    sign = {"GBP": "£", "EUR": "€", "USD": "$"}.get(currency)
    return f"{sign}{number(amount)}" if sign else f"{number(amount)} {currency}"


def price(amount: float, currency: str) -> str:
    """Write what one thing costs, with pence.

    Examples:
        >>> price(3.926, "GBP"), price(0.5, "CHF")
        ('£3.93', '0.50 CHF')
    """
    if _missing(amount):
        return NO_VALUE
    sign = {"GBP": "£", "EUR": "€", "USD": "$"}.get(currency)
    return f"{sign}{number(amount, 2)}" if sign else f"{number(amount, 2)} {currency}"


def listed(items: list[str]) -> str:
    """Join items as a sentence does.

    Examples:
        >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
        ('a', 'a and b', 'a, b and c')
    """
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + (f" and {items[-1]}" if items else "")


def level(name: str, n: float = 1, names: Mapping[str, str] | None = None) -> str:
    """Return what a level is called, in this centre's own words where it has some.

    Examples:
        >>> level("team", 2), level("team", 2, {"team": "agency"}), level("agent")
        ('teams', 'agencies', 'agent')
    """
    if names and name in names:
        return names[name] if n == 1 else _plural(names[name])
    return LEVEL_WORDS[name][0 if n == 1 else 1]


def interval(row: Mapping[str, Any]) -> str:
    """Write the interval of a verdict, or nothing where there is none."""
    if _missing(row["ci_low"]) or _missing(row["ci_high"]):
        return ""
    low, high = (value(row[end], row["unit_of_value"]) for end in ("ci_low", "ci_high"))
    return f"likely between {low.removesuffix(' per 1,000')} and {high}"


def verdict(row: Mapping[str, Any], *, period: str, who: str | None = None) -> str:
    """Say a verdict in one or two sentences: value, n, interval, target, and what it means.

    Args:
        row: A row of the verdicts frame with `name`, `unit_of_value` and `better` beside it.
        period: The period in words.
        who: What to call the unit; the unit's own name when not given.
    """
    unit = row["unit_of_value"]
    name = who or ("The centre" if row["level"] == "centre" else str(row["unit"]))
    if _missing(row["value"]):
        return f"{name}: {row['name']} has no data in {period}."
    around = interval(row)
    evidence = f"n {number(row['n'])}" + (f", {around}" if around else "")
    text = f"{name}: {row['name']} was {value(row['value'], unit)} in {period} ({evidence})"
    aim = target(row["target"], row["target_high"], row["better"], unit)
    text += "." if aim == "no target" else f"; the target is {aim}."
    return f"{text} {meaning(row)}".strip()


def meaning(row: Mapping[str, Any]) -> str:
    """Say what a status means for action, without jargon."""
    status = row["status"]
    if status == "not_judged":
        return f"Not judged: {'; '.join(row['reasons']) or 'too little data'}."
    beyond = {"up": "short of", "down": "over"}.get(row["better"], "outside")
    sentence = {
        "met": "Met.",
        "within_tolerance": f"Just {beyond} it, within the agreed tolerance.",
        "missed_chance": "Missed, but this could be chance: do not act on this one figure.",
        "missed_real": "Missed, and the gap is real.",
        "cannot_meet": "Missed, as nearly always: this process cannot meet it, so change the process or the target.",
        "no_target": "",
    }[status]
    if status == "met" and not row["certain"]:
        untold = interval(row) == ""
        sentence = "Met, as far as can be told." if untold else "Met, but a miss cannot be ruled out."
    course = {"improving": "improving", "worsening": "getting worse"}.get(row["variation"], "")
    settled = {"improving": "a better", "worsening": "a worse"}.get(row["variation"], "")
    level = row.get("rules") == "shift"
    if status == "missed_chance" and REACHES_TOLERANCE in row["reasons"]:
        more = f"by more than the agreed tolerance of {difference(row['tolerance'], row['unit_of_value'])}"
        sentence = f"Missed; whether {more} could be chance."
    elif status == "missed_chance" and row["variation"] == "worsening":
        now = "it has settled at a worse level than before" if level else "it is getting worse"
        return f"Missed: the gap itself could be chance, but {now}."
    change = f"It has settled at {settled} level than before." if level and settled else course and f"It is {course}."
    return " ".join(part for part in (sentence, change) if part)


def changed(row: Mapping[str, Any], before: Mapping[str, Any], *, period: str, earlier: str) -> str:
    """Say what another status or course is, and what it was in the period before.

    Args:
        row: A row of the verdicts frame.
        before: The row of the same KPI and unit in the period before.
        period: The period in words.
        earlier: The period before in words.
    """
    sentence = verdict(row, period=period)
    if _missing(before["value"]):
        return f"{sentence} In {earlier} there was no figure."
    was = f"In {earlier} it was {value(before['value'], row['unit_of_value'])} (n {number(before['n'])})"
    status, course = STATUS_WORDS[before["status"]], VARIATION_WORDS[before["variation"]]
    told = []
    if row["status"] != before["status"]:
        told.append(status[:1].lower() + status[1:])
    if row["variation"] != before["variation"]:
        told.append(course[:1].lower() + course[1:])
    return f"{sentence} {was}{': ' + '; '.join(told) if told else ''}."


def outcome(row: Mapping[str, Any]) -> str:
    """Name what became of an action; where there was nothing to compare with, no cause is claimed.

    Examples:
        >>> outcome({"outcome": "worked", "peers": 5}), outcome({"outcome": "worked", "peers": 0})
        ('Worked', 'Moved as hoped, with nothing to compare with')
    """
    if row["outcome"] == "worked" and not row["peers"]:
        return "Moved as hoped, with nothing to compare with"
    return OUTCOME_WORDS[row["outcome"]]


def _plural(word: str) -> str:
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "z", "ch", "sh")) else f"{word}s"


def _missing(amount: Any) -> bool:
    return amount is None or (isinstance(amount, float) and math.isnan(amount))

"""What each medium costs and what it is good for, like for like, and what moving a reason to another would save.

A customer who comes back about the same reason within seven days, on the same or another channel, was not helped at
first: these contacts are one matter, and what the matter costs is the cost of all of them. A month's figures are given
where it is whole, its costs are given and its contacts are fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from ccanalysis.kpis import register
from ccanalysis.kpis.calendars import Calendar, open_hours
from ccanalysis.periods import Period
from ccanalysis.questions.data import Data, Frame
from ccanalysis.statistics import comparison, intervals, queueing, resampling

# Days within which a further contact about the same reason is the same matter: as the KPI of first-contact resolution.
RETURNS_WITHIN = 7
# Matters of a reason that a channel must have for it to be compared.
FEWEST_MATTERS = 100
# Cases that a channel must have for a figure of what it is good for.
FEWEST_CASES = 30
# The least answer to a survey that counts as satisfied, as the KPI of satisfaction has it.
GOOD_ANSWER = 4
# The share of savings that may be chance.
FALSE_DISCOVERIES = 0.05
# Channels on which one agent serves one customer at a time and customers wait: what Erlang C describes.
ONE_AT_A_TIME = ("voice", "video")
# How often an hour of the week must have been seen before it is typical.
FEWEST_HOURS = 4
# The share of a month's contacts with a handling time from which staff costs are shared out by it.
_ENOUGH_TIMED = 0.9

_MONTHS = ["month", "state", "why", "given"]
_BY_MONTH = [
    *("level", "unit", "month", "state", "amount", "n", "per_contact", "n_resolved", "per_resolved"),
    *("resolved_low", "resolved_high", "n_matters", "per_matter", "matter_low", "matter_high"),
]
_CHANNELS = [
    *("level", "unit", "months", "amount", "n", "per_contact", "n_resolved", "per_resolved"),
    *("resolved_low", "resolved_high", "n_matters", "per_matter", "matter_low", "matter_high"),
    *("returned", "returned_low", "returned_high", "hopped", "hopped_low", "hopped_high", "staff_share", "timed"),
]
_HOPS = ["level", "unit", "to", "n", "share", "ci_low", "ci_high"]
_BENEFITS = [
    *("level", "unit", "measure", "unit_of_value", "better", "n", "value", "adjusted", "ci_low", "ci_high"),
    *("centre", "covered", "verdict"),
]
_CAPACITY = [
    *("level", "unit", "kind", "weekday", "hour", "n", "offered", "aht_s", "load", "threshold_s", "target"),
    *("needed", "served_by"),
]
_MOVES = [
    *("level", "unit", "from_channel", "to_channel", "n", "n_from", "n_to", "cost_from", "cost_to"),
    *("difference", "ci_low", "ci_high", "p_value", "q_value", "outcome", "matters_a_month"),
    *("saving", "saving_low", "saving_high", "saving_staff", "returns_more", "returns_low", "returns_high"),
]


def answer(data: Data) -> Mapping[str, Frame]:
    """Return the frames of the question.

    Args:
        data: The tables of the window.

    Returns:
        `months`: one row per month of the window with its `state` (whole, begins before the data, not ended, no costs,
        not fit) and whether figures of it are given.
        `by_month`: per channel and month what a contact, a contact recorded as resolved and a settled matter cost.
        `channels`: the same of all whole months together, and how many customers came back.
        `hops`: where customers who came back went, by the channel that their matter began on.
        `benefits`: per channel and measure the figure as it is and at the centre's mix of reasons, with its interval.
        `capacity`: per channel the busiest typical hour, its load and the agents that Erlang C asks for.
        `moves`: per reason and pair of channels what a matter costs on each, and what moving would save a month.
    """
    contacts = _contacts(data)
    months = _months(data, contacts)
    prices = _prices(data, contacts, months)
    matters = _matters(data, _priced(contacts, prices), months)
    by_month, channels = _costs(prices, matters)
    return {
        "months": Frame(months[_MONTHS], ["month"]),
        "by_month": Frame(by_month, ["level", "unit", "month"]),
        "channels": Frame(channels, ["level", "unit"]),
        "hops": Frame(_hops(matters), ["level", "unit", "to"]),
        "benefits": Frame(_benefits(data, contacts, matters), ["level", "unit", "measure"]),
        "capacity": Frame(_capacity(data, contacts), ["level", "unit"]),
        "moves": Frame(_moves(matters, months), ["level", "unit", "from_channel", "to_channel"]),
    }


def _contacts(data: Data) -> pd.DataFrame:
    """Read the contacts that were offered, with those after the window that tell whether customers came back."""
    columns = ["contact_id", "customer_id", "reason", "channel", "day", "hour", "at_s", "answered", "resolved"]
    columns += ["wait_s", "handle_s", "escalated", "agent_id", "fit"]
    if not data.has("contacts"):
        return pd.DataFrame(columns=columns)
    last = max(data.until, data.results.period.end)
    found = data.sql(
        "SELECT contact_id, customer_id, reason, channel, local_date AS day, local_hour AS hour, "
        "epoch(offered_at)::BIGINT AS at_s, outcome = 'answered' AS answered, resolved, "
        "coalesce(wait_s, date_diff('second', offered_at, answered_at)) AS wait_s, "
        "CASE WHEN talk_s IS NOT NULL THEN talk_s + coalesce(hold_s, 0) + coalesce(acw_s, 0) END AS handle_s, "
        "escalated, agent_id FROM contacts WHERE local_date < $last AND outcome IN ('answered', 'abandoned') "
        "AND (direction IS NULL OR direction = 'inbound') ORDER BY offered_at, contact_id",
        {"last": last},
    )
    day = pd.to_datetime(found["day"])
    unfit = pd.Series(data=False, index=found.index)
    for _, begin, end in data.left_out.get("contacts", ()):
        unfit |= (day >= pd.Timestamp(begin)) & (day < pd.Timestamp(end))
    for name in ("resolved", "escalated"):
        found[name] = found[name].astype("boolean").astype("Float64").astype(float)
    for name in ("wait_s", "handle_s"):
        found[name] = found[name].astype("Float64").astype(float).mask(unfit)
    return found.assign(day=day, fit=~unfit)[columns]


# --- months and prices ----------------------------------------------------------------------------------------------


def _months(data: Data, contacts: pd.DataFrame) -> pd.DataFrame:
    """Say of each month that the contacts reach into whether figures of it can be given."""
    columns = [*_MONTHS, "starts_on", "ends_on"]
    if contacts.empty:
        return pd.DataFrame(columns=columns)
    first, last = contacts["day"].min().date(), contacts["day"].max().date()
    paid = data.sql(f"SELECT DISTINCT month FROM {data.window('costs', fit=False)}") if data.has("costs") else None
    known = set(pd.to_datetime(paid["month"]).dt.date) if paid is not None else set()
    spans = [span for table in ("contacts", "costs") for span in data.left_out.get(table, ())]
    rows = []
    month = Period.containing(max(first, data.since), "month")
    while month.start <= last:
        touched = [label for label, begin, end in spans if begin < month.end and end > month.start]
        if month.start < data.since or _open_between(data, month.start, first):
            state, why = "begins before the data", ""
        elif month.end > data.until:
            state, why = "not ended", ""
        elif month.start not in known:
            state, why = "no costs", ""
        elif touched:
            state, why = "not fit", ", ".join(touched)
        else:
            state, why = "whole", ""
        given = state in ("whole", "not fit")
        rows.append((month.label, state, why, given, pd.Timestamp(month.start), pd.Timestamp(month.end)))
        month = month.shift(1)
    return pd.DataFrame(rows, columns=columns)


def _open_between(data: Data, begin: date, end: date) -> bool:
    """Tell whether the centre is open on a day between; where it names no hours, every day is one."""
    if begin >= end:
        return False
    calendar = Calendar.of(data.workspace.centre)
    none = pd.DataFrame(columns=["on_date", "channel", "opens", "closes"])
    hours = open_hours(calendar, begin, end - timedelta(days=1), none)
    return hours.empty or bool((hours["closes_s"] > hours["opens_s"]).any())


@dataclass(frozen=True)
class _Prices:
    """What contacts cost: per month and channel, and of the whole months together."""

    months: pd.DataFrame
    pooled: pd.DataFrame


def _prices(data: Data, contacts: pd.DataFrame, months: pd.DataFrame) -> _Prices:
    """Share the costs of each month and channel out over its contacts: staff by handling time, the rest by contact."""
    counts = ["amount", "staff", "n", "handle_s", "n_timed", "resolved", "n_known"]
    columns = ["month", "state", "channel", *counts]
    given = months[months["given"].astype(bool)] if len(months) else months
    if given.empty or not data.has("costs"):
        empty = pd.DataFrame(columns=columns)
        return _Prices(empty, pd.DataFrame(columns=["channel", "months", *counts, "second", "each"]))
    paid = data.sql(
        "SELECT month, channel, sum(amount) AS amount, sum(CASE WHEN kind = 'staff' THEN amount ELSE 0 END) AS staff "
        f"FROM {data.window('costs', fit=False)} GROUP BY ALL"
    )
    paid["starts_on"] = pd.to_datetime(paid["month"])
    handled = contacts[contacts["answered"].astype(bool)].assign(
        starts_on=lambda rows: rows["day"].dt.to_period("M").dt.start_time
    )
    done = handled.groupby(["starts_on", "channel"], as_index=False).agg(
        n=("day", "size"),
        handle_s=("handle_s", "sum"),
        n_timed=("handle_s", "count"),
        resolved=("resolved", "sum"),
        n_known=("resolved", "count"),
    )
    joined = given[["month", "state", "starts_on"]].merge(paid.drop(columns="month"), on="starts_on")
    joined = joined.merge(done, on=["starts_on", "channel"])[columns].sort_values(["month", "channel"])
    whole = joined[joined["state"] == "whole"]
    pooled = whole.groupby("channel", as_index=False)[counts].sum()
    pooled["months"] = whole.groupby("channel")["month"].nunique().to_numpy()
    timed = (pooled["n_timed"] >= _ENOUGH_TIMED * pooled["n"]) & (pooled["handle_s"] > 0)
    mean_s = pooled["handle_s"] / pooled["n_timed"]
    pooled["second"] = (pooled["staff"] / (mean_s * pooled["n"])).where(timed, 0.0)
    pooled["each"] = (pooled["amount"] - pooled["staff"].where(timed, 0.0)) / pooled["n"]
    return _Prices(joined.reset_index(drop=True), pooled)


def _priced(contacts: pd.DataFrame, prices: _Prices) -> pd.DataFrame:
    """Put beside each contact that was handled what it cost, at the prices of all whole months together."""
    handled = contacts[contacts["answered"].astype(bool)] if len(contacts) else contacts
    at = prices.pooled.assign(mean_s=prices.pooled["handle_s"] / prices.pooled["n_timed"])
    at = at.assign(staff_each=(at["staff"] / at["n"]).where(at["second"] == 0, 0.0))
    rates = ["second", "each", "mean_s", "staff_each"]
    priced = handled.merge(at[["channel", *rates]].astype(dict.fromkeys(rates, float)), on="channel", how="left")
    by_time = priced["handle_s"].fillna(priced["mean_s"]).fillna(0.0) * priced["second"]
    return priced.assign(cost=by_time + priced["each"], staff_cost=by_time + priced["staff_each"])


# --- matters --------------------------------------------------------------------------------------------------------


def _matters(data: Data, priced: pd.DataFrame, months: pd.DataFrame) -> pd.DataFrame:
    """Join the contacts of one customer about one reason that follow each other within seven days.

    Returns:
        One row per matter that began in a whole month and has been quiet for seven days since: `channel` it began on,
        `reason`, `day`, `month`, `cost`, `staff_cost`, `contacts`, `returned`, `hopped`, `second_channel`, `settle_s`
        (from its first offer to the end of its last contact).
    """
    columns = ["channel", "reason", "day", "month", "cost", "staff_cost", "contacts", "returned", "hopped"]
    columns += ["second_channel", "settle_s"]
    known = priced[priced["customer_id"].notna() & priced["reason"].notna()] if len(priced) else priced
    if known.empty:
        return pd.DataFrame(columns=columns)
    within = RETURNS_WITHIN * 86_400
    rows = known.sort_values(["customer_id", "reason", "at_s"], kind="stable")
    own = rows.groupby(["customer_id", "reason"], sort=False)["at_s"]
    gap = own.diff()
    rows["matter"] = (gap.isna() | (gap > within)).cumsum()
    rows["ends_s"] = rows["at_s"] + rows["wait_s"].fillna(0) + rows["handle_s"].fillna(0)
    grouped = rows.groupby("matter", sort=True)
    found = grouped.agg(
        channel=("channel", "first"),
        reason=("reason", "first"),
        day=("day", "first"),
        first_s=("at_s", "first"),
        last_s=("at_s", "last"),
        ends_s=("ends_s", "last"),
        cost=("cost", "sum"),
        staff_cost=("staff_cost", "sum"),
        priced=("cost", "count"),
        contacts=("at_s", "size"),
        channels=("channel", "nunique"),
    )
    for name in ("cost", "staff_cost"):  # a matter that went on where costs are not given has none
        found[name] = found[name].mask(found["priced"] < found["contacts"])
    found["second_channel"] = rows[grouped.cumcount() == 1].set_index("matter")["channel"]
    found["returned"], found["hopped"] = found["contacts"] > 1, found["channels"] > 1
    found["settle_s"] = found["ends_s"] - found["first_s"]
    whole = months[months["state"] == "whole"]
    named = dict(zip(whole["starts_on"].dt.to_period("M"), whole["month"], strict=True))
    found["month"] = found["day"].dt.to_period("M").map(named)
    end = pd.Timestamp(max(data.until, data.results.period.end), tz=data.workspace.centre.time_zone)
    quiet = found["last_s"] + within <= end.timestamp()
    return found.loc[found["month"].notna() & quiet, columns].reset_index(drop=True)


# --- what they cost -------------------------------------------------------------------------------------------------


def _costs(prices: _Prices, matters: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Say what a contact, a contact recorded as resolved and a matter cost, per month and of all whole months."""
    by_month = [
        {"level": "channel", "unit": row["channel"], "month": row["month"], "state": row["state"]}
        | _per(row, matters[(matters["channel"] == row["channel"]) & (matters["month"] == row["month"])])
        for row in prices.months.to_dict("records")
    ]
    channels = []
    for row in prices.pooled.to_dict("records"):
        own = matters[matters["channel"] == row["channel"]]
        known = {"level": "channel", "unit": row["channel"], "months": row["months"]} | _per(row, own)
        for name in ("returned", "hopped"):
            count = int(own[name].sum())
            low, high = intervals.wilson(count, len(own))
            share = count / len(own) if len(own) else float("nan")
            known |= {name: share, f"{name}_low": float(low), f"{name}_high": float(high)}
        timed = row["second"] > 0
        channels.append(known | {"staff_share": row["staff"] / row["amount"], "timed": timed})
    return pd.DataFrame(by_month, columns=_BY_MONTH), pd.DataFrame(channels, columns=_CHANNELS)


def _per(row: Mapping[str, Any], matters: pd.DataFrame) -> dict[str, Any]:
    """Divide an amount by contacts, by those recorded as resolved, and take the mean cost of a matter."""
    known = {"amount": row["amount"], "n": int(row["n"]), "per_contact": row["amount"] / row["n"]}
    known |= {"n_resolved": float("nan"), "per_resolved": float("nan")}
    known |= {"resolved_low": float("nan"), "resolved_high": float("nan")}
    if row["resolved"] > 0 and row["n_known"] > 0:
        # of contacts without a record the same share is taken to be resolved
        share = row["resolved"] / row["n_known"]
        low, high = intervals.wilson(row["resolved"], row["n_known"])
        known |= {"n_resolved": round(share * row["n"]), "per_resolved": known["per_contact"] / share}
        known |= {
            "resolved_low": known["per_contact"] / float(high),
            "resolved_high": known["per_contact"] / float(low),
        }
    costs = matters["cost"].astype(float).dropna()
    low, high = intervals.mean_t(costs)
    mean = float(costs.mean()) if len(costs) else float("nan")
    return known | {"n_matters": len(costs), "per_matter": mean, "matter_low": float(low), "matter_high": float(high)}


def _hops(matters: pd.DataFrame) -> pd.DataFrame:
    """Count where customers went who came back, by the channel that their matter began on."""
    rows = []
    for channel, own in matters.groupby("channel"):
        for to, n in own["second_channel"].value_counts().sort_index().items():
            low, high = intervals.wilson(n, len(own))
            rows.append(("channel", channel, to, int(n), n / len(own), float(low), float(high)))
    return pd.DataFrame(rows, columns=_HOPS)


# --- what they are good for -----------------------------------------------------------------------------------------


def _benefits(data: Data, contacts: pd.DataFrame, matters: pd.DataFrame) -> pd.DataFrame:
    """Compare the channels on what they do for customers, each as if it had the centre's mix of reasons."""
    inside = contacts[(contacts["day"] >= pd.Timestamp(data.since)) & (contacts["day"] < pd.Timestamp(data.until))]
    inside = inside[inside["fit"].astype(bool)]
    handled = inside[inside["answered"].astype(bool)]
    about = contacts[["contact_id", "reason"]]
    found = [
        ("Settled at the first contact", "share", "up", matters.assign(y=1.0 - matters["returned"].astype(float))),
        ("Recorded as resolved", "share", "up", handled.assign(y=handled["resolved"])),
        ("Time until the matter is settled", "s", "down", matters.assign(y=matters["settle_s"].astype(float))),
        ("Wait until answered", "s", "down", handled.assign(y=handled["wait_s"])),
        ("Handling time", "s", "down", handled.assign(y=handled["handle_s"])),
        ("Escalated", "share", "down", handled.assign(y=handled["escalated"])),
        *_heard(data, about),
    ]
    if data.has("complaints"):
        complained = data.sql(f"SELECT DISTINCT contact_id FROM {data.window('complaints', fit=False)}")["contact_id"]
        made = handled["contact_id"].isin(complained.dropna()).astype(float)
        if made.any():  # else complaints do not name their contact
            found.append(("Complaints", "per_1000", "down", handled.assign(y=1000 * made)))
    rows: list[dict[str, Any]] = []
    for measure, unit, better, cases in found:
        known = cases.dropna(subset=["y", "channel"])
        if len(known):
            rows += _standardised(known, {"measure": measure, "unit_of_value": unit, "better": better})
    asked = sum(1 for row in rows if not np.isnan(row["adjusted"]))
    for row in rows:
        row["verdict"] = _verdict(row, asked)
    return pd.DataFrame(rows, columns=[*_BENEFITS, "_clusters"]).drop(columns="_clusters")


def _heard(data: Data, about: pd.DataFrame) -> list[tuple[str, str, str, pd.DataFrame]]:
    """Read satisfaction and quality scores with the reason of their contacts."""
    found = []
    if data.has("surveys"):
        answers = data.sql(
            "SELECT contact_id, channel, local_date AS day, csat >= $good AS y "
            f"FROM {data.window('surveys')} WHERE csat IS NOT NULL",
            {"good": GOOD_ANSWER},
        )
        found.append(("Customers satisfied", "share", "up", answers))
    if data.has("evaluations"):
        scores = data.sql(
            "SELECT any_value(contact_id) AS contact_id, any_value(channel) AS channel, min(local_date) AS day, "
            "coalesce(sum(points * coalesce(weight, 1)) / nullif(sum(CASE WHEN points IS NOT NULL THEN "
            "max_points * coalesce(weight, 1) END), 0), max(score_share)) AS y "
            f"FROM {data.window('evaluations')} WHERE source = 'call_monitoring' AND NOT coalesce(withdrawn, false) "
            "GROUP BY evaluation_id"
        )
        found.append(("Quality score", "share", "up", scores))
    listed = []
    for measure, unit, better, cases in found:
        joined = cases.merge(about, on="contact_id", how="left").assign(
            y=lambda rows: rows["y"].astype("Float64").astype(float), day=lambda rows: pd.to_datetime(rows["day"])
        )
        listed.append((measure, unit, better, joined))
    return listed


def _standardised(cases: pd.DataFrame, about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give a measure per channel, as it is and at the mix of reasons of all channels together.

    Each case weighs as much as its reason has of all cases, over what it has of the channel's (direct
    standardisation). The interval draws whole days, whose contacts resemble each other.
    """
    with_reason = cases[cases["reason"].notna()]
    mix = with_reason["reason"].value_counts(normalize=True)
    centre = float(cases["y"].mean())
    rows = []
    for channel, own in cases.groupby("channel"):
        row = dict.fromkeys(_BENEFITS, float("nan")) | dict(about)
        row |= {"level": "channel", "unit": channel, "n": len(own), "value": float(own["y"].mean()), "centre": centre}
        row |= {"covered": 0.0, "_clusters": None}
        part = own[own["reason"].notna()]
        if len(part) >= FEWEST_CASES:
            counts = part["reason"].value_counts()
            weight = part["reason"].map(mix) / part["reason"].map(counts)
            days = pd.DataFrame({"above": weight * part["y"], "below": weight}).groupby(part["day"]).sum()
            low, high = resampling.cluster_ratio(days["above"], days["below"])
            row |= {"adjusted": float(days["above"].sum() / days["below"].sum()), "ci_low": low, "ci_high": high}
            row |= {"covered": float(mix[mix.index.isin(counts.index)].sum()), "_clusters": days}
        rows.append(row)
    return rows


def _verdict(row: Mapping[str, Any], asked: int) -> str:
    """Say whether a channel differs from all together; the interval is as much wider as there are comparisons."""
    if row["_clusters"] is None:
        return "cannot tell"
    low, high = resampling.cluster_ratio(
        row["_clusters"]["above"], row["_clusters"]["below"], level=1 - FALSE_DISCOVERIES / max(asked, 1)
    )
    if low <= row["centre"] <= high or np.isnan(low):
        return "as the others"
    return "better" if (row["adjusted"] > row["centre"]) == (row["better"] == "up") else "worse"


# --- how many people ------------------------------------------------------------------------------------------------


def _capacity(data: Data, contacts: pd.DataFrame) -> pd.DataFrame:
    """Give the busiest typical hour of each channel, its load, and the agents that Erlang C asks for."""
    inside = contacts[(contacts["day"] >= pd.Timestamp(data.since)) & (contacts["day"] < pd.Timestamp(data.until))]
    inside = inside[inside["fit"].astype(bool)]
    rows = []
    for channel, own in inside.groupby("channel"):
        hours = own.groupby([own["day"].dt.day_of_week.rename("weekday"), "hour"]).agg(
            n=("day", "size"), days=("day", "nunique")
        )
        hours = hours[hours["days"] >= FEWEST_HOURS]
        handle = own["handle_s"].mean()
        if hours.empty or np.isnan(handle) or handle <= 0:
            continue
        hours["offered"] = hours["n"] / hours["days"]
        weekday, hour = hours["offered"].idxmax()
        busiest = hours.loc[(weekday, hour)]
        there = own[(own["day"].dt.day_of_week == weekday) & (own["hour"] == hour) & own["agent_id"].notna()]
        row = dict.fromkeys(_CAPACITY, float("nan")) | {"level": "channel", "unit": channel, "kind": "load alone"}
        row |= {"weekday": int(weekday), "hour": int(hour), "n": int(busiest["n"]), "offered": busiest["offered"]}
        row |= {"aht_s": float(handle), "load": float(busiest["offered"] * handle / 3600)}
        row["served_by"] = float(there.groupby("day")["agent_id"].nunique().mean()) if len(there) else float("nan")
        wanted = _service_level(data, str(channel))
        if channel in ONE_AT_A_TIME and wanted is not None:
            share, threshold = wanted
            needed = queueing.agents_needed(
                row["offered"], row["aht_s"], service_level=share, threshold_s=threshold, interval_s=3600
            )
            row |= {"kind": "Erlang C", "target": share, "threshold_s": threshold, "needed": needed}
        rows.append(row)
    return pd.DataFrame(rows, columns=_CAPACITY)


def _service_level(data: Data, channel: str) -> tuple[float, float] | None:
    """Return the target and the threshold of the service level of a channel, as the register has them."""
    if not data.workspace.register_path.is_file():
        return None
    for kpi in register.load(data.workspace.register_path, data.workspace.tables).kpis:
        now = kpi.as_of(data.last_day)
        threshold = dict(now.measure.parameters).get("threshold_s")
        if not now.measure.key.startswith("service_level") or threshold is None:
            continue
        target = kpi.target_on(data.last_day)
        share = target.at("centre") if target else None
        if isinstance(share, float) and 0 < share < 1 and (not now.population or f"'{channel}'" in now.population):
            return share, float(threshold)
    return None


# --- what moving would save -----------------------------------------------------------------------------------------


def _moves(matters: pd.DataFrame, months: pd.DataFrame) -> pd.DataFrame:
    """Compare what a matter of one reason costs by the channel that it began on, the dearer one first."""
    priced = matters[matters["cost"].notna()].assign(cost=lambda rows: rows["cost"].astype(float))
    n_months = max(int((months["state"] == "whole").sum()), 1) if len(months) else 1
    rows = []
    for reason, own in priced.groupby("reason"):
        parts = {channel: part for channel, part in own.groupby("channel") if len(part) >= FEWEST_MATTERS}
        for one, other in _pairs(sorted(parts, key=lambda name: -parts[name]["cost"].mean())):
            rows.append({"level": "reason", "unit": reason} | _move(one, parts[one], other, parts[other], n_months))
    if rows:
        for row, q_value in zip(rows, comparison.benjamini_hochberg([row["p_value"] for row in rows]), strict=True):
            row["q_value"] = float(q_value)
            row["outcome"] = "saves" if q_value <= FALSE_DISCOVERIES and row["difference"] > 0 else "cannot tell"
    return pd.DataFrame(rows, columns=_MOVES)


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    return [(one, other) for place, one in enumerate(names) for other in names[place + 1 :]]


def _move(one: str, dearer: pd.DataFrame, other: str, cheaper: pd.DataFrame, n_months: int) -> dict[str, Any]:
    tested = comparison.welch(dearer["cost"], cheaper["cost"])
    staff = comparison.welch(dearer["staff_cost"].astype(float), cheaper["staff_cost"].astype(float)).estimate
    back = [int(part["returned"].sum()) for part in (cheaper, dearer)]
    low, high = intervals.newcombe(back[0], len(cheaper), back[1], len(dearer))
    a_month = len(dearer) / n_months
    return {
        "from_channel": one,
        "to_channel": other,
        "n": min(len(dearer), len(cheaper)),
        "n_from": len(dearer),
        "n_to": len(cheaper),
        "cost_from": float(dearer["cost"].mean()),
        "cost_to": float(cheaper["cost"].mean()),
        "difference": tested.estimate,
        "ci_low": tested.interval.low,
        "ci_high": tested.interval.high,
        "p_value": tested.p,
        "matters_a_month": a_month,
        "saving": tested.estimate * a_month,
        "saving_low": tested.interval.low * a_month,
        "saving_high": tested.interval.high * a_month,
        "saving_staff": staff * a_month,
        "returns_more": back[0] / len(cheaper) - back[1] / len(dearer),
        "returns_low": float(low),
        "returns_high": float(high),
    }

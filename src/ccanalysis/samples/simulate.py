"""What happened at the invented centre, before any vendor writes it down.

Contacts are drawn in whole arrays from named random streams. Local wall-clock times are whole seconds since
1970-01-01 00:00 *local*; the centre is closed in the hour that the autumn clock change doubles.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

import holidays
import numpy as np
import pandas as pd

from ccanalysis.samples import centre
from ccanalysis.samples.centre import CHANNELS, REASONS, TEAM_INDEX, TEAMS, ZONE, Plan

EPOCH = date(1970, 1, 1)
DAY_S = 86_400
WEEKDAY_HOURS = (8, 20)
SATURDAY_HOURS = (9, 17)
DAY_WEIGHTS = (1.15, 1.05, 1.0, 0.98, 0.92, 0.45)
HOUR_WEIGHTS = np.array([0.0] * 8 + [0.8, 1.2, 1.4, 1.3, 1.1, 1.0, 1.15, 1.1, 0.9, 0.8, 0.6, 0.5] + [0.0] * 4)
HOUR_LOAD = np.where(HOUR_WEIGHTS >= 1.1, -0.25, 0.30)  # on the logit of the service level
TALK_S = {"voice": 285.0, "chat": 450.0, "email": 430.0}
ACW_S = {"voice": 52.0, "chat": 40.0, "email": 24.0}
CUSTOMERS = 60_000
UNLUCKY_SHARE = 0.775  # of calls in time: an unlucky week, as one in several hundred of this process is


@dataclass(frozen=True)
class World:
    """The centre as it really was.

    Attributes:
        plan: What was planted when.
        contacts: One row per contact, sorted by time, with the columns of the simulation.
        present: Agent identifiers at work, per (team index, local day).
        open_hours: Opening and closing hour per (channel, local day); closed days are absent.
    """

    plan: Plan
    contacts: pd.DataFrame
    present: dict[tuple[int, date], list[str]]
    open_hours: dict[tuple[str, date], tuple[int, int]]


def day_number(day: date) -> int:
    """Return the days since 1970-01-01."""
    return (day - EPOCH).days


def utc_offset_s(day: date) -> int:
    """Return the offset of the centre's opening hours on a day, seconds east of UTC."""
    noon = datetime.combine(day, time(12), ZONE)
    offset = noon.utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


@lru_cache
def bank_holidays(plan: Plan) -> dict[date, str]:
    """Return the bank holidays of the plan's years."""
    years = range(plan.back(60).year, plan.end.year + 1)
    return dict(holidays.country_holidays("GB", subdiv="ENG", years=years))


def late_opening(plan: Plan) -> date:
    """Return the Wednesday on which an all-staff meeting delays the opening."""
    return plan.back(8, 2)


def opening(plan: Plan, first: date) -> dict[tuple[str, date], tuple[int, int]]:
    """Return the opening hours per channel and open day; chat alone is open on the later bank holidays."""
    closed = bank_holidays(plan)
    hours = {}
    for number in range((plan.end - first).days):
        day = first + timedelta(days=number)
        for channel in CHANNELS:
            if day.weekday() == 6:
                continue
            if day in closed:
                if channel == "chat" and day.month >= 8:
                    hours[channel, day] = (10, 16)
            elif day == late_opening(plan):
                hours[channel, day] = (10, 20)
            else:
                hours[channel, day] = WEEKDAY_HOURS if day.weekday() < 5 else SATURDAY_HOURS
    return hours


def simulate(plan: Plan) -> World:
    """Draw everything that happened, from the plan's seed."""
    first = plan.first_day - timedelta(days=7)  # one week more, so that the first has repeats of earlier contacts
    hours = opening(plan, first)
    arrivals = _with_repeats(plan, _arrivals(plan, hours), hours)
    contacts = arrivals[arrivals["local_s"] >= day_number(plan.first_day) * DAY_S].copy()
    contacts = contacts.sort_values(["local_s", "channel", "team", "customer"], kind="stable").reset_index(drop=True)
    contacts["day"] = contacts["local_s"] // DAY_S
    contacts["hour"] = contacts["local_s"] % DAY_S // 3600
    contacts["week"] = (contacts["day"] - day_number(plan.first_day)) // 7
    _wait(plan, contacts, hours)
    present = _presence(plan)
    _agents(plan, contacts, present)
    _handle(plan, contacts)
    _flags(plan, contacts)
    offsets = {day: utc_offset_s(EPOCH + timedelta(days=int(day))) for day in np.unique(contacts["day"])}
    contacts["utc_s"] = contacts["local_s"] - contacts["day"].map(offsets)
    _identify(plan, contacts)
    return World(plan, contacts, present, hours)


def _arrivals(plan: Plan, hours: dict[tuple[str, date], tuple[int, int]]) -> pd.DataFrame:
    """First contacts about something: time, team, channel, reason, customer."""
    rng = plan.stream("arrivals")
    week_noise: dict[str, float] = {}
    closed = bank_holidays(plan)
    parts = []
    for (channel, day), (opens, closes) in hours.items():
        label = f"{day.isocalendar().year}-{day.isocalendar().week}"
        noise = week_noise.setdefault(label, float(rng.normal(0, 0.02)))
        weight = DAY_WEIGHTS[day.weekday()] / sum(DAY_WEIGHTS) * np.exp(noise)
        if day in closed:
            weight *= 0.5
        elif day - timedelta(days=1) in closed:
            weight *= 1.2
        mean = centre.WEEKLY_VOLUME[channel] * weight / len(TEAMS) / 1.155
        counts = rng.poisson(mean, len(TEAMS))
        total = int(counts.sum())
        chances = HOUR_WEIGHTS[opens:closes] / HOUR_WEIGHTS[opens:closes].sum()
        hour = rng.choice(np.arange(opens, closes), size=total, p=chances)
        parts.append(
            pd.DataFrame(
                {
                    "local_s": day_number(day) * DAY_S + hour * 3600 + rng.integers(0, 3600, total),
                    "channel": CHANNELS.index(channel),
                    "team": np.repeat(np.arange(len(TEAMS)), counts),
                }
            )
        )
    frame = pd.concat(parts, ignore_index=True)
    mixes = np.tile(centre.QUEUE_MIX, (len(TEAMS), 1))
    mixes[TEAM_INDEX["Rhymney"]] = centre.QUEUE_MIX_RHYMNEY
    within = np.array([[r.weight if r.queue == q else 0.0 for r in REASONS] for q in range(len(centre.QUEUES))])
    frame["reason"] = _pick(rng, (mixes @ within)[frame["team"]])
    frame["customer"] = rng.integers(0, CUSTOMERS, len(frame))
    return frame


def _pick(rng: np.random.Generator, chances: np.ndarray) -> np.ndarray:
    """Draw one index per row of chances, each row summing to one."""
    return (rng.random((len(chances), 1)) > chances.cumsum(axis=1)[:, :-1]).sum(axis=1)


def _with_repeats(plan: Plan, frame: pd.DataFrame, hours: dict[tuple[str, date], tuple[int, int]]) -> pd.DataFrame:
    """Add the contacts of customers who come back about the same within a week, and mark what was resolved."""
    rng = plan.stream("repeats")
    repeat = np.array([reason.repeat for reason in REASONS])
    parts, current = [], frame
    for _ in range(4):
        current = current.assign(resolved=rng.random(len(current)) < 0.87)
        parts.append(current)
        chance = repeat[current["reason"]] * np.where(current["resolved"], 0.93, 1.45)
        again = current[rng.random(len(current)) < np.minimum(chance, 0.9)]
        channel = np.where(rng.random(len(again)) < 0.75, again["channel"], 0)
        day = again["local_s"].to_numpy() // DAY_S + rng.integers(1, 6, len(again))
        local = np.full(len(again), -1)
        for index, (number, medium) in enumerate(zip(day, channel, strict=True)):
            at = EPOCH + timedelta(days=int(number))
            found = hours.get((CHANNELS[medium], at)) or hours.get((CHANNELS[medium], at + timedelta(days=1)))
            if found is None:
                continue
            if (CHANNELS[medium], at) not in hours:
                at += timedelta(days=1)
            chances = HOUR_WEIGHTS[found[0] : found[1]] / HOUR_WEIGHTS[found[0] : found[1]].sum()
            hour = found[0] + int(np.searchsorted(chances.cumsum(), rng.random()))
            local[index] = day_number(at) * DAY_S + min(hour, found[1] - 1) * 3600 + int(rng.integers(0, 3600))
        current = again.assign(channel=channel, local_s=local)
        current = current[current["local_s"] >= 0].copy()
        current["team"] = rng.integers(0, len(TEAMS), len(current))
    return pd.concat(parts, ignore_index=True)


def _logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def _virtual_wait(
    rng: np.random.Generator, share: np.ndarray, *, at_once: float, threshold_s: float, patience_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw waits of which `share` lie within the threshold, and who gives up before.

    Some are answered at once, the rest after a fixed five seconds and an exponential time.

    Returns:
        Waited whole seconds until the answer or the abandonment, and whether the customer gave up.
    """
    size = len(share)
    mean = -(threshold_s - 5) / np.log((1 - share) / (1 - at_once))
    later = 5 + rng.exponential(1.0, size) * mean
    wait = np.where(rng.random(size) < at_once, rng.integers(0, 5, size) * (rng.random(size) < 0.5), later)
    patience = 2 + rng.exponential(patience_s, size)
    return np.minimum(wait, patience).astype(np.int64), patience < wait


def chance_in_time(plan: Plan, contacts: pd.DataFrame) -> np.ndarray:
    """Return the underlying chance of an answer in time per contact, from its team, week and hour."""
    rng = plan.stream("service")
    weeks = len(plan.weeks)
    base = np.full((len(TEAMS), weeks), _logit(0.855))
    base[TEAM_INDEX["Ely"]] = _logit(0.68)
    week = np.arange(weeks)
    worse = (plan.worse_from - plan.first_day).days // 7
    base[TEAM_INDEX["Rhymney"], week >= worse] = _logit(0.66)
    base += rng.normal(0, 0.03, weeks) + rng.normal(0, 0.05, (len(TEAMS), weeks))
    eta = base[contacts["team"], contacts["week"]] + HOUR_LOAD[contacts["hour"]]
    return 1 / (1 + np.exp(-eta))


def _wait(plan: Plan, contacts: pd.DataFrame, hours: dict[tuple[str, date], tuple[int, int]]) -> None:
    """Fill wait and outcome; email waits run over closed hours."""
    rng = plan.stream("waits")
    size = len(contacts)
    wait, gave_up = np.zeros(size, np.int64), np.zeros(size, bool)
    share = chance_in_time(plan, contacts)
    voice = (contacts["channel"] == 0).to_numpy()
    chat = (contacts["channel"] == 1).to_numpy()
    options = {"at_once": 0.40, "threshold_s": centre.SERVICE_LEVEL_S, "patience_s": 240.0}
    wait[voice], gave_up[voice] = _virtual_wait(rng, share[voice], **options)
    load = 1 / (1 + np.exp(-(_logit(0.86) + HOUR_LOAD[contacts["hour"]])))
    wait[chat], gave_up[chat] = _virtual_wait(rng, load[chat], at_once=0.35, threshold_s=60, patience_s=500.0)
    # The last week of Wharfe: many honest draws of the same process, of which an unlucky one is kept.
    unlucky = voice & (contacts["team"] == TEAM_INDEX["Wharfe"]).to_numpy()
    unlucky &= (contacts["week"] == len(plan.weeks) - 1).to_numpy()
    draws = [_virtual_wait(plan.stream("unlucky", n), share[unlucky], **options) for n in range(1500)]
    reached = [float(((w <= centre.SERVICE_LEVEL_S) & ~a).mean()) for w, a in draws]
    wait[unlucky], gave_up[unlucky] = draws[int(np.argmin(np.abs(np.array(reached) - UNLUCKY_SHARE)))]
    mail = np.flatnonzero(~voice & ~chat)
    gave_up[mail] = rng.random(len(mail)) < 0.01
    lag = np.minimum(rng.lognormal(np.log(2.4 * 3600), 0.85, len(mail)), 40 * 3600).astype(np.int64)
    spill = rng.integers(120, 3 * 3600, len(mail))
    local = contacts["local_s"].to_numpy()
    for index, seconds, more in zip(mail, lag, spill, strict=True):
        wait[index] = _answer_time(int(local[index] + seconds), int(more), hours) - local[index]
    contacts["wait_s"], contacts["abandoned"] = wait, gave_up


def _answer_time(at: int, spill: int, hours: dict[tuple[str, date], tuple[int, int]]) -> int:
    """Move a reply that would fall into closed hours to the next opening."""
    for step in range(6):
        day = EPOCH + timedelta(days=at // DAY_S + step)
        found = hours.get(("email", day))
        if found is None:
            continue
        start, end = (day_number(day) * DAY_S + hour * 3600 for hour in found)
        if step == 0 and start <= at < end:
            return at
        if step > 0 or at < start:
            return start + spill
    return at


def _presence(plan: Plan) -> dict[tuple[int, date], list[str]]:
    """Who is at work on which day, at least three in a team."""
    rng = plan.stream("presence")
    present: dict[tuple[int, date], list[str]] = {}
    for number in range((plan.end - plan.first_day).days):
        day = plan.first_day + timedelta(days=number)
        chance = 0.85 if day.weekday() < 5 else 0.45
        for team in range(len(TEAMS)):
            roster = [s.agent for s in plan.stays if s.team == team and s.start <= day and (not s.end or day <= s.end)]
            draw = rng.random(len(roster))
            here = [agent for agent, value in zip(roster, draw, strict=True) if value < chance]
            present[team, day] = here if len(here) >= 3 else [roster[index] for index in np.sort(np.argsort(draw)[:3])]
    return present


def _agents(plan: Plan, contacts: pd.DataFrame, present: dict[tuple[int, date], list[str]]) -> None:
    """Give every answered contact an agent of its team who is at work that day."""
    rng = plan.stream("agents")
    agent = np.full(len(contacts), "", dtype=object)
    answered = contacts[~contacts["abandoned"]]
    cell = answered["team"].to_numpy() * 100_000 + answered["day"].to_numpy()
    for key, rows in answered.groupby(cell, sort=True).groups.items():
        team, day = divmod(int(str(key)), 100_000)
        here = present[team, EPOCH + timedelta(days=day)]
        agent[rows] = np.array(here, dtype=object)[rng.integers(0, len(here), len(rows))]
    contacts["agent"] = agent


def _handle(plan: Plan, contacts: pd.DataFrame) -> None:
    """Fill talk, hold and after-contact work with the planted differences and nothing else."""
    rng = plan.stream("handle")
    size = len(contacts)
    channel = contacts["channel"].to_numpy()
    queue = np.array([reason.queue for reason in REASONS])[contacts["reason"]]
    team, day = contacts["team"].to_numpy(), contacts["day"].to_numpy()
    factor = np.array(centre.QUEUE_HANDLE)[queue]
    factor = np.where((team == TEAM_INDEX["Aire"]) & (queue == 2), factor * 1.5, factor)
    factor = np.where((team == TEAM_INDEX["Taff"]) & (day >= day_number(plan.faster_from)), factor * 0.84, factor)
    factor = np.where(contacts["agent"] == centre.SLOW_AGENT, factor * 1.8, factor)
    talk = np.array([TALK_S[name] for name in CHANNELS])[channel] * factor
    talk = talk * rng.lognormal(-(0.5**2) / 2, 0.5, size)
    held = (channel == 0) & (rng.random(size) < 0.22)
    hold = np.where(held, (5 + rng.exponential(55, size)) * factor, 0)
    acw = np.array([ACW_S[name] for name in CHANNELS])[channel] * factor * rng.lognormal(-0.18, 0.6, size)
    statement = (channel == 0) & (queue == 1) & (day >= day_number(plan.requirement_from))
    talk = talk + np.where(statement, rng.uniform(50, 70, size), 0)
    answered = ~contacts["abandoned"].to_numpy()
    contacts["queue"] = queue
    for name, value in (("talk_s", talk), ("hold_s", hold), ("acw_s", acw)):
        contacts[name] = np.where(answered, np.maximum(value, 0), 0).astype(np.int64)
    mail = channel == 2  # the desk keeps tenths of a minute
    for name in ("talk_s", "acw_s"):
        contacts[name] = np.where(mail, np.maximum(contacts[name] // 6 * 6, 6 * answered), contacts[name])


def _flags(plan: Plan, contacts: pd.DataFrame) -> None:
    """Fill transfers, escalation, identity, payment and expressed dissatisfaction."""
    rng = plan.stream("flags")
    size = len(contacts)
    answered = ~contacts["abandoned"].to_numpy()
    day, channel = contacts["day"].to_numpy(), contacts["channel"].to_numpy()
    chance = np.where(day >= day_number(plan.routing_from), 0.09, 0.14)
    contacts["transfers"] = ((rng.random(size) < chance) * (1 + (rng.random(size) < 0.08)) * answered).astype(np.int64)
    contacts["escalated"] = answered & (rng.random(size) < 0.03)
    contacts["resolved"] &= answered
    contacts["disclosure"] = answered & (rng.random(size) < np.array([0.66, 0.50, 0.30])[channel])
    valid = rng.random(size) < np.where(contacts["agent"] == centre.UNCHECKED_AGENT, 0.80, 0.992)
    contacts["validated"] = contacts["disclosure"] & valid
    card = (contacts["reason"] == 1).to_numpy() & (channel == 0)
    contacts["payment"] = answered & card & (rng.random(size) < 0.7)
    contacts["paused"] = contacts["payment"] & (rng.random(size) < 0.985)
    contacts["dissatisfied"] = answered & (rng.random(size) < np.where(contacts["resolved"], 0.022, 0.085))
    capture = np.where(contacts["team"] == TEAM_INDEX["Ely"], 0.08, 0.33)
    contacts["logged"] = contacts["dissatisfied"] & (rng.random(size) < capture)


SYSTEMS = ("telephony_leeds", "telephony_cardiff", "chat", "email_desk")


def _identify(plan: Plan, contacts: pd.DataFrame) -> None:
    """Number the contacts of each system in the order of time, and mark what the broken export lacks."""
    cardiff = (contacts["team"] >= 3).to_numpy()
    system = np.where(contacts["channel"] == 0, cardiff * 1, contacts["channel"] + 1)
    contacts["system"] = system
    number = contacts.groupby("system").cumcount() + 1
    written = [number.map(form.format) for form in ("L1{:06d}", "8800{:06d}", "c-{:06d}", "EM-{:06d}")]
    contacts["contact_id"] = np.select([system == index for index in range(4)], written)
    lost = contacts["day"].isin([day_number(day) for day in plan.missing_days])
    contacts["lost"] = (system == 1) & lost

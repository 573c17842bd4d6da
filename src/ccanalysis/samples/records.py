"""What the other systems hold about the contacts: evaluations, surveys, complaints and the rest, before export.

Every function returns a frame in the words of the contract tables; times are local wall-clock seconds.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from ccanalysis.samples import centre, comments
from ccanalysis.samples.centre import REASONS, TEAM_INDEX, TEAMS, Plan
from ccanalysis.samples.simulate import DAY_S, EPOCH, World, bank_holidays, day_number

FOUND = 0.40  # share of failed identity checks that monitoring finds
AGENT_LIMIT_FROM = 50.0
AGENT_LIMIT_BEFORE = 40.0


def extract_s(plan: Plan) -> int:
    """Return the wall-clock second at which every export was drawn."""
    return day_number(plan.extracted.date()) * DAY_S + plan.extracted.hour * 3600


def awake(local_s: pd.Series | np.ndarray) -> np.ndarray:
    """Move times before seven in the morning to after it: nobody works then, and one such hour comes twice."""
    values = np.asarray(local_s)
    return np.where(values % DAY_S < 7 * 3600, values + 7 * 3600, values)


def next_working_day(plan: Plan, day: date) -> date:
    """Return the first Monday to Friday after a day that is no bank holiday."""
    closed = bank_holidays(plan)
    day += timedelta(days=1)
    while day.weekday() > 4 or day in closed:
        day += timedelta(days=1)
    return day


def quality_share(plan: Plan, team: int, day: date) -> float:
    """Return the underlying share of points that contacts of a team are worth."""
    if team == TEAM_INDEX["Calder"]:
        return 0.86 if day >= plan.coached_from else 0.73
    return 0.86


def evaluations(world: World) -> pd.DataFrame:
    """One row per evaluation and criterion, from five sources and calibration sessions."""
    plan, rng = world.plan, world.plan.stream("evaluations")
    contacts = world.contacts
    answered = contacts[~contacts["abandoned"] & ~contacts["lost"]]
    rows: list[tuple[object, ...]] = []
    number = 0
    kinds = (
        ("call_monitoring", 14),
        ("self", 1),
        ("peer_observation", 1),
        ("peer_feedback", 1),
        ("customer_feedback", 2),
    )
    # Contacts of Friday to Thursday are evaluated on the next working day, so within one week.
    late = answered["day"] % 7 + 3  # 1970-01-01 was a Thursday
    shifted = answered["week"] + (late % 7 >= 4)
    by_cell = answered.groupby([shifted.rename("due"), "team"]).indices
    for week in range(len(plan.weeks)):
        for team in range(len(TEAMS)):
            cell = by_cell[week, team]
            for source, count in kinds:
                for at in rng.choice(cell, count, replace=False):
                    number += 1
                    rows += _evaluation(world, rng, answered.iloc[at], number=number, source=source)
    for month in sorted({(week.end - timedelta(days=1)).replace(day=1) for week in plan.weeks}):
        days = answered["day"].between(day_number(month), day_number(month) + 24)
        chosen = answered.index[days]
        if len(chosen) < 4:
            continue
        for at in rng.choice(chosen, 4, replace=False):
            for evaluator in centre.EVALUATORS:
                number += 1
                contact = answered.loc[at]
                rows += _evaluation(world, rng, contact, number=number, source="calibration", evaluator=evaluator)
    columns = ["evaluation_id", "criterion", "contact_id", "local_s", "source", "evaluator_id", "channel", "agent_id"]
    frame = pd.DataFrame(rows, columns=[*columns, "points", "max_points", "weight", "critical", "auto_fail", "team"])
    return frame[frame["local_s"] < extract_s(plan)].reset_index(drop=True)


OFFSETS = {"self": 0.06, "peer_observation": 0.03, "peer_feedback": 0.03}


def _evaluation(
    world: World,
    rng: np.random.Generator,
    contact: pd.Series,
    *,
    number: int,
    source: str,
    evaluator: str | None = None,
) -> list[tuple[object, ...]]:
    """Write one evaluation: a binomial number of five points per criterion."""
    plan = world.plan
    team, day = int(contact["team"]), EPOCH + timedelta(days=int(contact["day"]))
    done = next_working_day(plan, day)
    local = day_number(done) * DAY_S + int(rng.integers(9 * 3600, 17 * 3600))
    peers = [agent for agent in world.present[team, day] if agent != contact["agent"]]
    drawn = (str(rng.choice(centre.EVALUATORS)), str(rng.choice(peers)))
    if evaluator is None:
        by_source = {"call_monitoring": drawn[0], "self": contact["agent"], "customer_feedback": ""}
        evaluator = by_source.get(source, drawn[1])
    share = quality_share(plan, team, day) + OFFSETS.get(source, 0.0) + float(rng.normal(0, 0.04))
    if evaluator == centre.SEVERE_EVALUATOR and source in ("call_monitoring", "calibration"):
        share -= 0.14
    share = min(max(share, 0.05), 0.98)
    breach = bool(contact["disclosure"] and not contact["validated"])
    found = breach and source in ("call_monitoring", "peer_observation", "calibration")
    wanted = ("Tone", "Next steps") if source == "customer_feedback" else tuple(name for name, _ in centre.CRITERIA)
    rows: list[tuple[object, ...]] = []
    for criterion, weight in centre.CRITERIA:
        points: int | None = int(rng.binomial(5, share))
        critical = ""
        draw = float(rng.random())
        if criterion not in wanted:
            continue
        if criterion == "Complaint logged":
            points = (5 if contact["logged"] else 0) if contact["dissatisfied"] else None
        elif criterion == "Opening and identity" and found:
            points, critical = 0, "compliance"
        elif criterion == "Accuracy" and draw < 0.02:
            critical = "customer" if draw < 0.012 else "business"
        share_of = 50 if source == "customer_feedback" else weight
        failed = critical == "compliance"
        head = (f"V{number:05d}", criterion, contact["contact_id"], local, source, evaluator, int(contact["channel"]))
        rows.append((*head, contact["agent"], points, 5, share_of, critical, failed, team))
    return rows


def surveys(world: World) -> pd.DataFrame:
    """One row per invitation; customers whose contact was not resolved answer less often."""
    plan, rng = world.plan, world.plan.stream("surveys")
    contacts = world.contacts
    frame = contacts[~contacts["abandoned"] & ~contacts["lost"] & (rng.random(len(contacts)) < 0.15)].copy()
    size = len(frame)
    frame["survey_id"] = [f"S{number:05d}" for number in range(1, size + 1)]
    ended = frame["local_s"] + frame["wait_s"] + frame["talk_s"] + frame["hold_s"]
    frame["invited_s"] = (ended + 1800) // 60 * 60
    resolved = frame["resolved"].to_numpy()
    good = np.array([0.02, 0.05, 0.11, 0.40, 0.42])
    bad = np.array([0.30, 0.28, 0.20, 0.15, 0.07])
    csat = 1 + _rows_pick(rng, np.where(resolved[:, None], good, bad))
    csat = np.where(frame["dissatisfied"], np.minimum(csat, 2), csat)
    answers = rng.random(size) < np.where(resolved, RESPONSE["resolved"], RESPONSE["not_resolved"])
    lag = (rng.exponential(8 * 3600, size) // 60 * 60 + 60).astype(np.int64)
    frame["answered_s"] = awake(frame["invited_s"] + lag)
    answers &= (frame["answered_s"] < extract_s(plan)).to_numpy()
    frame["true_csat"] = csat
    frame["answers"] = answers
    frame["nps"] = np.clip(np.round(csat * 2.2 - 1 + rng.normal(0, 1.3, size)), 0, 10).astype(int)
    frame["effort"] = np.clip(np.round((6 - csat + rng.normal(0, 0.7, size)) * 2) / 2, 1, 5)
    frame["first_time"] = np.where(resolved, rng.random(size) < 0.9, rng.random(size) < 0.12)
    frame["comment"], frame["theme"] = comments.of_surveys(plan, frame, _names(plan, frame["agent"]))
    return frame[frame["invited_s"] < extract_s(plan)].reset_index(drop=True)


RESPONSE = {"resolved": 0.36, "not_resolved": 0.10}


def _names(plan: Plan, agents: pd.Series) -> np.ndarray:
    """Name agents as the roster does."""
    return agents.map({stay.agent: stay.name for stay in plan.stays}).to_numpy()


def _rows_pick(rng: np.random.Generator, chances: np.ndarray) -> np.ndarray:
    return (rng.random((len(chances), 1)) > chances.cumsum(axis=1)[:, :-1]).sum(axis=1)


def complaints(world: World) -> pd.DataFrame:
    """One row per complaint that was logged, as it stood when the export was drawn."""
    plan, rng = world.plan, world.plan.stream("complaints")
    frame = world.contacts[world.contacts["logged"] & ~world.contacts["lost"]].copy()
    size = len(frame)
    received = frame["local_s"] + frame["wait_s"] + frame["talk_s"] + frame["hold_s"]
    frame["received_s"] = received // 60 * 60
    mix = np.tile(centre.ROOT_CAUSE_MIX, (size, 1))
    quiet = frame["day"].between(day_number(plan.fix_on), day_number(plan.recurs_from) - 1).to_numpy()
    late = centre.ROOT_CAUSES.index("Late refund")
    mix[quiet, late] *= 0.08
    mix /= mix.sum(axis=1, keepdims=True)
    cause = _rows_pick(rng, mix)
    quick = rng.random(size) < 0.5
    span = np.where(quick, rng.uniform(0.1, 2.8, size), np.minimum(rng.lognormal(3.0, 0.55, size), 90))
    closing = awake((frame["received_s"] + (span * DAY_S).astype(np.int64)) // 60 * 60)
    closed = closing < extract_s(plan)
    frame["closed_s"] = np.where(closed, closing, -1)
    frame["summary_s"] = np.where(closed & quick, closing, -1)
    frame["responded_s"] = np.where(closed & ~quick, closing, -1)
    outcome = rng.choice(["upheld", "part_upheld", "rejected", "withdrawn"], size, p=[0.38, 0.14, 0.44, 0.04])
    frame["outcome"] = np.where(closed, outcome, "")
    frame["root_cause"] = np.where(closed, np.array(centre.ROOT_CAUSES, dtype=object)[cause], "")
    paid = closed & np.isin(outcome, ["upheld", "part_upheld"]) & (rng.random(size) < 0.6)
    amount = np.round(rng.lognormal(3.6, 0.9, size), 2)
    frame["redress"] = np.where(paid, amount, 0.0)
    frame["high_risk"] = rng.random(size) < 0.02
    frame["category"] = np.array([centre.QUEUES[reason.queue] for reason in REASONS], dtype=object)[frame["reason"]]
    frame["words"], frame["theme"] = comments.of_complaints(plan, frame, cause, _names(plan, frame["agent"]))
    frame["complaint_id"] = [f"CMP-{number:05d}" for number in range(1, size + 1)]
    return frame.reset_index(drop=True)


def breaches(world: World) -> pd.DataFrame:
    """One row per breach that monitoring found."""
    plan, rng = world.plan, world.plan.stream("breaches")
    contacts = world.contacts[~world.contacts["lost"]]
    identity = contacts[contacts["disclosure"] & ~contacts["validated"]].assign(requirement_id="REQ-02")
    card = contacts[contacts["payment"] & ~contacts["paused"]].assign(requirement_id="REQ-03")
    frame = pd.concat([identity, card]).sort_values(["local_s", "contact_id"], kind="stable")
    frame = frame[rng.random(len(frame)) < FOUND].copy()
    size = len(frame)
    found = [next_working_day(plan, EPOCH + timedelta(days=int(day))) for day in frame["day"]]
    frame["found_s"] = [day_number(day) * DAY_S for day in found] + rng.integers(9 * 3600, 17 * 3600, size)
    frame = frame[frame["found_s"] < extract_s(plan)].copy()
    size = len(frame)
    closing = frame["found_s"] + (rng.gamma(2.0, 2.5, size) * DAY_S).astype(np.int64)
    frame["closed_s"] = np.where(closing < extract_s(plan), closing, -1)
    frame["severity"] = rng.choice(["minor", "major", "critical"], size, p=[0.6, 0.35, 0.05])
    frame["action"] = rng.choice(["Coached", "Reminded", "Procedure read again"], size)
    frame["breach_id"] = [f"BR{number:04d}" for number in range(1, size + 1)]
    return frame.reset_index(drop=True)


def agent_limit(plan: Plan, day: date) -> float:
    """Return the greatest refund that an agent may decide on, on a day."""
    return AGENT_LIMIT_FROM if day >= plan.back(15) else AGENT_LIMIT_BEFORE


def escalations(world: World) -> pd.DataFrame:
    """One row per escalated contact and per refund decision under delegated authority."""
    plan, rng = world.plan, world.plan.stream("escalations")
    contacts = world.contacts[~world.contacts["lost"]]
    referred = contacts[contacts["escalated"]].copy()
    size = len(referred)
    reasons = ["specialist_knowledge", "authority_limit", "customer_demand", "regulatory"]
    referred["why"] = rng.choice(reasons, size, p=[0.46, 0.28, 0.20, 0.06])
    referred["decided_by"] = [TEAMS[team].line_manager for team in referred["team"]]
    asked = (referred["why"] == "authority_limit").to_numpy()
    referred["amount"] = np.where(asked, np.round(rng.uniform(55, 240, size), 2), np.nan)
    referred["lag"] = (rng.gamma(1.6, 9 * 3600, size)).astype(np.int64)
    referred["rationale"] = rng.random(size) < 0.93
    planted = [*_splits(plan, contacts, rng), _over_limit(plan, contacts, rng)]
    taken = pd.concat(planted)["contact_id"]
    decided = contacts[(contacts["reason"] == 2) & contacts["resolved"] & ~contacts["escalated"]].copy()
    decided = decided[(rng.random(len(decided)) < 0.16) & ~decided["contact_id"].isin(taken)]
    limit = np.array([agent_limit(plan, EPOCH + timedelta(days=int(day))) for day in decided["day"]])
    decided["amount"] = np.minimum(np.round(limit * rng.beta(1.6, 2.2, len(decided)) + 0.5, 2), limit)
    decided = pd.concat([decided, *planted])
    decided["why"], decided["lag"] = "", 0
    decided["decided_by"], decided["rationale"] = decided["agent"], rng.random(len(decided)) < 0.97
    frame = pd.concat([referred, decided]).sort_values(["local_s", "contact_id", "amount"], kind="stable")
    frame["referred_s"] = (frame["local_s"] + frame["wait_s"] + 240) // 60 * 60
    resolved = awake(frame["referred_s"] + frame["lag"] // 60 * 60)
    frame["resolved_s"] = np.where(resolved < extract_s(plan), resolved, -1)
    frame["escalation_id"] = [f"X{number:05d}" for number in range(1, len(frame) + 1)]
    frame["route"] = np.where(frame["channel"] == 0, "verbal", "written")
    return frame.reset_index(drop=True)


SPLITS = 18
OVER_LIMIT = 3


def _splits(plan: Plan, contacts: pd.DataFrame, rng: np.random.Generator) -> list[pd.DataFrame]:
    """Pairs of refunds by one agent on one contact, each just under the limit, together above it."""
    own = contacts[(contacts["agent"] == centre.SPLITTING_AGENT) & (contacts["reason"] == 2)]
    own = own[own["day"] >= day_number(plan.back(15))]
    chosen = own.iloc[np.sort(rng.choice(len(own), min(SPLITS, len(own)), replace=False))]
    return [chosen.assign(amount=np.round(rng.uniform(0.9, 0.995, len(chosen)) * AGENT_LIMIT_FROM, 2)) for _ in "12"]


def _over_limit(plan: Plan, contacts: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A few refunds above the limit that nobody authorised."""
    agents = [stay.agent for stay in plan.stays if stay.team == TEAM_INDEX["Taff"] and stay.role == "Agent"]
    own = contacts[contacts["agent"].isin(agents) & (contacts["reason"] == 2) & contacts["resolved"]]
    chosen = own.iloc[np.sort(rng.choice(len(own), min(OVER_LIMIT, len(own)), replace=False))]
    return chosen.assign(amount=np.round(rng.uniform(1.3, 1.8, len(chosen)) * AGENT_LIMIT_FROM, 2))


def coached_in_aire(plan: Plan, frame: pd.DataFrame) -> list[str]:
    """Return the four agents of Aire with the lowest early scores: the ones whom coaching will seem to help."""
    early = frame[(frame["team"] == TEAM_INDEX["Aire"]) & (frame["source"] == "call_monitoring")]
    early = early[(early["local_s"] < day_number(plan.back(17)) * DAY_S) & early["points"].notna()]
    scores = early["points"].astype(float).groupby(early["agent_id"]).mean().sort_values(kind="stable")
    return sorted(scores.index[:4])


def activities(world: World, judged: pd.DataFrame) -> pd.DataFrame:
    """One row per training, coaching, observation or buddying."""
    plan, rng = world.plan, world.plan.stream("activities")
    rows: list[tuple[object, ...]] = []
    managers = [team.line_manager for team in TEAMS]

    def present(team: int, day: date, agent: str) -> date:
        while agent not in world.present.get((team, day), ()) and day < plan.end:
            day += timedelta(days=1)
        return day

    for stay in plan.stays:
        first, last = max(stay.start, plan.first_day), min(stay.end or plan.end, plan.end - timedelta(days=1))
        day = first + timedelta(days=int(rng.integers(0, 40)))
        while day <= last:
            at = present(stay.team, day, stay.agent)
            kind = str(rng.choice(["training", "coaching", "observation"], p=[0.5, 0.3, 0.2]))
            topic = str(rng.choice(["Systems", "Products", "Call structure", "Written style", "Complaints"]))
            if at <= last:
                rows.append((at, stay.agent, kind, topic, "", float(rng.choice([0.5, 1.0, 1.5])), managers[stay.team]))
            day += timedelta(days=int(rng.integers(25, 60)))
        if stay.employed >= plan.first_day:
            for week in range(3):
                at = present(stay.team, stay.start + timedelta(days=7 * week), stay.agent)
                mate = next(s.agent for s in plan.stays if s.team == stay.team and s.role == "Senior agent")
                rows.append((at, stay.agent, "buddying", "First weeks", "New starter", 1.0, mate))
    planted = (
        ("Calder", plan.back(12), "Call structure", "Accuracy and tone"),
        ("Aire", plan.back(17), "Tone", "Tone"),
    )
    for name, begin, topic, need in planted:
        team = TEAM_INDEX[name]
        agents = coached_in_aire(plan, judged) if name == "Aire" else _team_on(plan, team, begin)
        for agent in agents:
            for step in (0, 7):
                at = present(team, begin + timedelta(days=step + int(rng.integers(0, 4))), agent)
                rows.append((at, agent, "coaching", topic, need, 1.0, managers[team]))
    columns = ["done_on", "agent_id", "kind", "topic", "need", "hours", "given_by"]
    frame = pd.DataFrame(rows, columns=columns)
    frame = frame[(frame["done_on"] >= plan.first_day) & (frame["done_on"] < plan.end)]
    frame = frame.sort_values(["done_on", "agent_id", "kind", "topic"], kind="stable").reset_index(drop=True)
    return frame.assign(activity_id=[f"D{number:04d}" for number in range(1, len(frame) + 1)])


def _team_on(plan: Plan, team: int, day: date) -> list[str]:
    return [s.agent for s in plan.stays if s.team == team and s.start <= day and (not s.end or day <= s.end)]


def agent_states(world: World, done: pd.DataFrame) -> pd.DataFrame:
    """One row per agent, open day and state, whole seconds; agents do casework in the rest of their day."""
    plan, rng = world.plan, world.plan.stream("states")
    contacts = world.contacts[~world.contacts["abandoned"]]
    handled = contacts.assign(contact=contacts["talk_s"] + contacts["hold_s"]).groupby(["agent", "day"])
    sums = handled[["contact", "acw_s"]].sum()
    worked = dict(zip(sums.index, sums.to_numpy().tolist(), strict=True))
    trained = done.assign(day=[day_number(day) for day in done["done_on"]]).groupby(["agent_id", "day"])["hours"].sum()
    training = {key: int(value * 3600) for key, value in trained.items()}
    rows: list[tuple[object, ...]] = []
    open_days = sorted({day for channel, day in world.open_hours if channel == "voice" and day >= plan.first_day})
    for day in open_days:
        number = day_number(day)
        for team in range(len(TEAMS)):
            here = set(world.present[team, day])
            for agent in _team_on(plan, team, day):
                noise = rng.random(4)
                if agent not in here:
                    if day.weekday() < 5:
                        rows += [(agent, number, "available", 7200, 0, 0), (agent, number, "absent", 0, 7200, 0)]
                    continue
                contact, acw = worked.get((agent, number), [600, 60])
                occupancy = 0.74 + 0.14 * noise[0]
                available = int((contact + acw) * (1 / occupancy - 1))
                states = [("available", available), ("contact", int(contact)), ("acw", int(acw))]
                states.append(("break", 540 + int(150 * noise[1])))
                if day.weekday() == 2:
                    states.append(("meeting", 900))
                if (agent, number) in training:
                    states.append(("training", training[agent, number]))
                stretch, adherence = 0.97 + 0.06 * noise[2], 0.88 + 0.11 * noise[3]
                for state, actual in states:
                    planned = int(actual * stretch) if state in ("available", "contact", "acw") else actual
                    planned = 600 if state == "break" else planned
                    rows.append((agent, number, state, planned, actual, int(min(planned, actual) * adherence)))
    columns = ["agent_id", "day", "state", "scheduled_s", "actual_s", "adherent_s"]
    return pd.DataFrame(rows, columns=columns)


def costs(plan: Plan) -> pd.DataFrame:
    """One row per month, channel and kind, whole months only up to the last one that has ended."""
    rng = plan.stream("costs")
    rows = []
    month = plan.first_day.replace(day=1)
    while month < plan.end.replace(day=1):
        for channel, each in COST_PER_CONTACT.items():
            planned = centre.WEEKLY_VOLUME[channel] * 4.35 * each * float(rng.uniform(0.98, 1.02))
            line = "telephony" if channel == "voice" else "other"
            for kind, share in (("staff", 0.72), ("technology", 0.18), (line, 0.10)):
                rows.append((month, channel, kind, round(planned * share, 2)))
        month = (month + timedelta(days=32)).replace(day=1)
    return pd.DataFrame(rows, columns=["month", "channel", "kind", "amount"])


COST_PER_CONTACT = {"voice": 5.40, "chat": 3.10, "email": 4.40}


def control_totals(world: World) -> pd.DataFrame:
    """One row per open day, channel and site: what was really offered, lost rows included."""
    contacts = world.contacts
    site = np.array([team.site for team in TEAMS], dtype=object)[contacts["team"]]
    totals = contacts.groupby(["day", "channel", site]).size().reset_index()
    totals.columns = pd.Index(["day", "channel", "site", "n_offered"])
    return totals

"""A synthetic centre with every table and every column filled, of which no rule has anything to say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from ccanalysis.contracts import TABLES

from .conftest import TEAMS, agents, finish, open_days

A_DAY = 160
HOURS = 10
AGENTS = 8


def contacts(weeks: int) -> pd.DataFrame:
    """A hundred and sixty contacts each open day, sixteen an hour, in two teams, channels and queues."""
    rng = np.random.default_rng(7)
    days = np.repeat(open_days(weeks).to_numpy(), A_DAY)
    n, place = len(days), np.tile(np.arange(A_DAY), len(days) // A_DAY)
    local = pd.Series(days).dt.tz_localize("Europe/London") + pd.to_timedelta(
        8 * 3600 + place * (HOURS * 3600 // A_DAY), unit="s"
    )
    offered = local.dt.tz_convert("UTC")
    answered = pd.Series(place % 10 != 0)
    # What differs from contact to contact goes round the day, so that every hour and every sample has its share of it.
    turn = place + place // 16
    wait, talk, hold = rng.integers(3, 90, n), rng.integers(60, 600, n), rng.integers(1, 30, n)
    answered_at = (offered + pd.to_timedelta(wait, unit="s")).where(answered)
    ended = (answered_at + pd.to_timedelta(talk + hold, unit="s")).where(
        answered, offered + pd.to_timedelta(wait, unit="s")
    )
    team = np.where(turn % 2 == 0, "North", "South")
    payment, disclosure = place % 6 == 1, place % 3 == 1
    statements = rng.integers(1, 4, n)
    return finish(
        pd.DataFrame(
            {
                "contact_id": [f"c{number:06d}" for number in range(n)],
                "offered_at": offered,
                "answered_at": answered_at,
                "ended_at": ended,
                "resolved_at": ended + pd.Timedelta(minutes=1),
                "sla_due_at": offered + pd.Timedelta(days=1),
                "updated_at": ended + pd.Timedelta(minutes=2),
                "channel": np.where(rng.random(n) < 0.25, "chat", "voice"),
                "direction": "inbound",
                "outcome": np.where(answered, "answered", "abandoned"),
                "queue": np.where(turn % 3 == 0, "billing", "general"),
                "reason": "billing",
                "customer_id": [f"k{number % 900:04d}" for number in range(n)],
                "site": [TEAMS[name] for name in team],
                "team": team,
                "agent_id": pd.Series([f"a{number % AGENTS}" for number in turn]).where(answered),
                "wait_s": wait,
                "talk_s": pd.Series(talk).where(answered),
                "hold_s": pd.Series(hold).where(answered),
                "acw_s": pd.Series(rng.integers(5, 60, n)).where(answered),
                "menu_s": 5,
                "in_threshold": pd.Series(wait <= 20, dtype="boolean").where(answered),
                "threshold_s": 20,
                "transfers": 0,
                "escalated": False,
                "resolved": True,
                "reopens": 0,
                "callback_reached": True,
                "n_statements_required": statements,
                "n_statements_made": statements,
                "disclosure": disclosure,
                "identity_validated": pd.Series(np.where(disclosure, True, None), dtype="boolean"),
                "payment": payment,
                "recording_paused": payment,
            }
        ),
        TABLES["contacts"],
    )


def some(weeks: int, every: int, *, answered: bool = True) -> pd.DataFrame:
    """Every so many contacts of the day, from wherever the day before left off."""
    frame = contacts(weeks)
    frame = frame[frame["outcome"] == "answered"] if answered else frame
    return frame.iloc[::every].reset_index(drop=True)


def person(frame: pd.DataFrame) -> dict[str, pd.Series]:
    return {name: frame[name] for name in ("site", "team", "agent_id")}


def segments(weeks: int) -> pd.DataFrame:
    """One leg of every third contact, with the queue or the agent."""
    of = some(weeks, 3)
    return finish(
        pd.DataFrame(
            {
                "segment_id": "s" + of["contact_id"],
                "contact_id": of["contact_id"],
                "started_at": of["offered_at"],
                "ended_at": of["ended_at"],
                "kind": np.where(np.arange(len(of)) % 2 == 0, "agent", "queue"),
                "accepted": True,
                "queue": of["queue"],
                **person(of),
                **{name: of[name] for name in ("wait_s", "talk_s", "hold_s", "acw_s")},
            }
        ),
        TABLES["segments"],
    )


def intervals(weeks: int) -> pd.DataFrame:
    """Hourly counts of two teams, two channels and two queues."""
    days = open_days(weeks)
    grid = pd.MultiIndex.from_product(
        [days, range(8, 8 + HOURS), list(TEAMS), ["voice", "chat"], ["general", "billing"]],
        names=["starts_on", "starts_hour", "team", "channel", "queue"],
    ).to_frame(index=False)
    times = np.where(grid["channel"] == "voice", 4, 2)
    counts = {"n_offered": 40, "n_answered": 34, "n_abandoned": 2, "n_flowed_out": 2, "n_short": 1, "n_closed": 1}
    counts |= {"n_in_threshold": 30, "wait_s_sum": 34 * 20, "handle_s_sum": 34 * 300}
    return finish(
        grid.assign(
            length="hour",
            site=grid["team"].map(TEAMS),
            **{name: count * times for name, count in counts.items()},
            asa_s=20.0,
            service_level_share=0.8,
        ),
        TABLES["intervals"],
    )


def evaluations(weeks: int) -> pd.DataFrame:
    """Two criteria of every eleventh contact."""
    of = some(weeks, 11)
    frames = [
        pd.DataFrame(
            {
                "evaluation_id": "e" + of["contact_id"],
                "criterion": criterion,
                "contact_id": of["contact_id"],
                "evaluated_at": of["ended_at"],
                "source": "call_monitoring",
                "evaluator_id": "v1",
                "form": "standard",
                "form_version": "3",
                "channel": of["channel"],
                "expression": "verbal",
                **person(of),
                "points": 4.0,
                "max_points": 5.0,
                "weight": 50.0,
                "score_share": 0.8,
                "critical": None,
                "auto_fail": False,
                "expert": False,
                "withdrawn": False,
            }
        )
        for criterion in ("greeting", "solution")
    ]
    frame = pd.concat(frames, ignore_index=True)
    frame.loc[frame.index[::50], "critical"] = "customer"
    return finish(frame, TABLES["evaluations"])


def surveys(weeks: int) -> pd.DataFrame:
    """One invitation for every third contact; half of them answered."""
    of = some(weeks, 3)
    replied = pd.Series(np.arange(len(of)) % 2 == 0)
    return finish(
        pd.DataFrame(
            {
                "survey_id": "s" + of["contact_id"],
                "contact_id": of["contact_id"],
                "invited_at": of["ended_at"],
                "answered_at": (of["ended_at"] + pd.Timedelta(minutes=5)).where(replied),
                "channel": of["channel"],
                **person(of),
                "csat": pd.Series(4.0, index=of.index).where(replied),
                "nps": pd.Series(9.0, index=of.index).where(replied),
                "effort": pd.Series(2.0, index=of.index).where(replied),
                "resolved_first_time": pd.Series(True, index=of.index, dtype="boolean").where(replied),
                "comment": None,
            }
        ),
        TABLES["surveys"],
    )


def complaints(weeks: int) -> pd.DataFrame:
    """Closed complaints from every eighth contact, half of them by a summary."""
    of = some(weeks, 8)
    half = pd.Series(np.arange(len(of)) % 2 == 0)
    return finish(
        pd.DataFrame(
            {
                "complaint_id": "q" + of["contact_id"],
                "contact_id": of["contact_id"],
                "received_at": of["ended_at"],
                "summary_sent_at": (of["ended_at"] + pd.Timedelta(minutes=20)).where(half),
                "responded_at": (of["ended_at"] + pd.Timedelta(minutes=30)).where(~half),
                "closed_at": of["ended_at"] + pd.Timedelta(minutes=40),
                "channel": of["channel"],
                **person(of),
                "category": "delay",
                "root_cause": "post",
                "outcome": "upheld",
                "redress": 10.0,
                "high_risk": False,
            }
        ),
        TABLES["complaints"],
    )


def breaches(weeks: int) -> pd.DataFrame:
    """Closed breaches found in every eighth contact."""
    of = some(weeks, 8)
    return finish(
        pd.DataFrame(
            {
                "breach_id": "b" + of["contact_id"],
                "requirement_id": "R1",
                "contact_id": of["contact_id"],
                "found_at": of["ended_at"],
                "closed_at": of["ended_at"] + pd.Timedelta(hours=1),
                **person(of),
                "severity": "minor",
                "action": "coached",
            }
        ),
        TABLES["breaches"],
    )


def escalations(weeks: int) -> pd.DataFrame:
    """Resolved escalations of every eighth contact."""
    of = some(weeks, 8)
    return finish(
        pd.DataFrame(
            {
                "escalation_id": "x" + of["contact_id"],
                "contact_id": of["contact_id"],
                "referred_at": of["ended_at"],
                "resolved_at": of["ended_at"] + pd.Timedelta(hours=1),
                **person(of),
                "reason": "authority_limit",
                "route": "verbal",
                "decided_by": "m1",
                "decision": "refund",
                "amount": 20.0,
                "rationale_recorded": True,
            }
        ),
        TABLES["escalations"],
    )


def agent_states(weeks: int) -> pd.DataFrame:
    """Four states of each agent on every open day, eight hours in all."""
    grid = pd.MultiIndex.from_product(
        [open_days(weeks), [f"a{number}" for number in range(AGENTS)], ["available", "contact", "acw", "break"]],
        names=["on_date", "agent_id", "state"],
    ).to_frame(index=False)
    team = np.where(grid["agent_id"].str[1:].astype(int) % 2 == 0, "North", "South")
    return finish(
        grid.assign(team=team, site=[TEAMS[name] for name in team], scheduled_s=7200, actual_s=7200, adherent_s=7000),
        TABLES["agent_states"],
    )


def activities(weeks: int) -> pd.DataFrame:
    """Four activities on every open day."""
    days = np.repeat(open_days(weeks).to_numpy(), 4)
    return finish(
        pd.DataFrame(
            {
                "activity_id": [f"t{number}" for number in range(len(days))],
                "agent_id": [f"a{number % AGENTS}" for number in range(len(days))],
                "kind": "coaching",
                "topic": "tone",
                "need": "tone",
                "done_on": days,
                "duration_s": 1800,
                "given_by": "m1",
            }
        ),
        TABLES["activities"],
    )


def reports(weeks: int) -> pd.DataFrame:
    """One report on every open day."""
    days = open_days(weeks)
    return finish(
        pd.DataFrame(
            {
                "report_id": [f"r{number}" for number in range(len(days))],
                "due_on": days,
                "issued_at": days.tz_localize("UTC") + pd.Timedelta(hours=9),
                "gates_passed": True,
            }
        ),
        TABLES["reports"],
    )


def control_totals(weeks: int) -> pd.DataFrame:
    """What the switch counted: the same as the contacts, per day, channel and site."""
    totals = contacts(weeks).groupby(["local_date", "channel", "site"], as_index=False).size()
    return finish(totals.rename(columns={"local_date": "on_date", "size": "n_offered"}), TABLES["control_totals"])


def counted(weeks: int) -> pd.DataFrame:
    """The interval report that counts the contacts: per day, channel and team."""
    totals = contacts(weeks).groupby(["local_date", "channel", "team", "site", "queue"], as_index=False).size()
    totals = totals.rename(columns={"local_date": "starts_on", "size": "n_offered"})
    return finish(totals.assign(length="day"), TABLES["intervals"])


def standing() -> dict[str, pd.DataFrame]:
    """The tables that hold at all times."""
    roster = agents()
    gone = roster.head(1).assign(agent_id="gone", agent_name="Agent 9", source_row=99)
    gone["valid_to"] = pd.Timestamp("2024-06-30").date()
    roster = pd.concat([roster.assign(valid_to=pd.Timestamp("2030-12-31").date()), gone], ignore_index=True)
    first = pd.Timestamp("2024-01-01")
    frames = {
        "delegations": {
            "role": ["agent", "lead"],
            "kind": "refund",
            "limit": [50.0, 500.0],
            "valid_from": first,
            "valid_to": pd.Timestamp("2030-12-31"),
        },
        "requirements": {
            "requirement_id": ["R1", "R2"],
            "title": "Identity",
            "origin": "regulatory",
            "objective": "safe",
            "procedure": "P1",
            "criterion": "greeting",
            "kpi": "asa",
            "valid_from": first,
            "valid_to": pd.Timestamp("2030-12-31"),
            "source": "law",
            "verified": True,
        },
        "costs": {"month": pd.date_range("2026-01-01", periods=6, freq="MS"), "channel": "voice", "kind": "staff"}
        | {"amount": 1000.0},
        "calendar": {"on_date": pd.to_datetime(["2024-06-03", "2024-06-04"]), "channel": "voice", "opens": "09:00"}
        | {"closes": "12:00", "note": "training"},
        "actions": {
            "action_id": ["A1", "A2"],
            "decided_on": pd.Timestamp("2026-03-02"),
            "starts_on": pd.Timestamp("2026-04-01"),
            "what": "shift breaks",
            "owner": "m1",
            "kpi": "asa",
            "level": "team",
            "unit": "North",
            "expected_effect": -2.0,
            "root_cause": "post",
            "state": "running",
        },
    }
    found = {name: finish(pd.DataFrame(columns), TABLES[name]) for name, columns in frames.items()}
    return found | {"agents": roster}


TIMED: dict[str, Callable[[int], pd.DataFrame]] = {
    "contacts": contacts,
    "segments": segments,
    "intervals": intervals,
    "evaluations": evaluations,
    "surveys": surveys,
    "complaints": complaints,
    "breaches": breaches,
    "escalations": escalations,
    "agent_states": agent_states,
    "activities": activities,
    "reports": reports,
    "control_totals": control_totals,
}

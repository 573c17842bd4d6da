"""The answer sheet of the sample centre: what was planted where, and where nothing was.

Figures called `observed` are counted from what really happened, before any export spoilt it; figures called
`planted` are those of the process that everything was drawn from.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ccanalysis.periods import Period
from ccanalysis.samples import centre, comments, records
from ccanalysis.samples.centre import CHANNELS, QUEUES, REASONS, TEAM_INDEX, TEAMS, Plan
from ccanalysis.samples.exports import Export, Truth
from ccanalysis.samples.simulate import DAY_S, EPOCH, bank_holidays, day_number, late_opening

Answers = dict[str, Any]
NAMES = [team.name for team in TEAMS]
# Chart limits of single values: mean plus or minus 2.66 mean moving ranges.
LIMIT = 2.66


def answers(truth: Truth) -> Answers:
    """Write the answer sheet of a world and its exports."""
    plan = truth.world.plan
    found = _Facts(truth)
    return {
        "centre": centre.NAME,
        "seed": plan.seed,
        "first_week": plan.weeks[0].label,
        "last_week": plan.weeks[-1].label,
        "weeks": len(plan.weeks),
        "first_day": plan.first_day.isoformat(),
        "last_day": (plan.end - timedelta(days=1)).isoformat(),
        "extracted_at": plan.extracted.isoformat(),
        "tables_absent": {
            "segments": "legs are not exported",
            "intervals": "contacts are exported one by one",
            "reports": "reports are not registered",
        },
        "calendar": _calendar(plan),
        "people": _people(plan),
        "sources": {export.source: _source(export) for export in truth.exports},
        "bad_rows": [bad for export in truth.exports for bad in _bad_rows(export)],
        "components": _components(truth),
        "truths": _inside(plan, found.truths()),
        "nothing_here": _inside(plan, found.nothing_here()),
    }


def _calendar(plan: Plan) -> dict[str, Any]:
    days = [day for day in sorted(bank_holidays(plan)) if plan.first_day <= day < plan.end]
    return {
        "bank_holidays": [day.isoformat() for day in days],
        "late_opening": late_opening(plan).isoformat(),
        "closed_weekday": "Sunday",
    }


def _people(plan: Plan) -> dict[str, Any]:
    inside = [stay for stay in plan.stays if stay.start >= plan.first_day]
    return {
        "agents": len({stay.agent for stay in plan.stays}),
        "joiners": {s.agent: s.start.isoformat() for s in inside if s.employed == s.start},
        "leavers": {
            s.agent: s.end.isoformat()
            for s in plan.stays
            if s.end and not any(o.agent == s.agent and o.start > s.end for o in plan.stays)
        },
        "movers": {s.agent: [s.start.isoformat(), NAMES[s.team]] for s in inside if s.employed != s.start},
        "line_managers": {team.name: team.line_manager for team in TEAMS},
    }


def _source(export: Export) -> dict[str, Any]:
    counts = export.counts()
    duplicates, superseded = counts.pop("duplicate", 0), counts.pop("superseded", 0)
    clean = counts.pop("", 0)
    return {
        "table": export.table,
        "files": len(export.files),
        "rows": clean + duplicates + superseded + sum(counts.values()),
        "clean": clean,
        "duplicates": duplicates,
        "superseded": superseded,
        "set_aside": export.totals,
        "bad": dict(sorted(counts.items())),
    }


def _bad_rows(export: Export) -> list[dict[str, Any]]:
    return [
        {"source": export.source, "file": name, "row": number, "rule": row.flaw, "column": row.column}
        for name, rows in sorted(export.files.items())
        for number, row in enumerate(rows, start=export.first_row)
        if row.flaw not in ("", "duplicate", "superseded")
    ]


def _components(truth: Truth) -> dict[str, Any]:
    """Counts and sums per week, team and channel, for comparison with what the product measures."""
    frame = truth.world.contacts
    answered = ~frame["abandoned"]
    parts = pd.DataFrame(
        {
            "n_offered": 1,
            "n_answered": answered.astype(int),
            "n_abandoned": frame["abandoned"].astype(int),
            "n_in_20s": (answered & (frame["wait_s"] <= centre.SERVICE_LEVEL_S)).astype(int),
            "handle_s": frame["talk_s"] + frame["hold_s"] + frame["acw_s"],
            "n_transferred": (frame["transfers"] > 0).astype(int),
            "n_resolved": frame["resolved"].astype(int),
            "n_lost": frame["lost"].astype(int),
        }
    )
    weeks = [week.label for week in truth.world.plan.weeks]
    sums = parts.groupby([frame["week"], frame["team"], frame["channel"]]).sum()
    rows = [
        [weeks[week], NAMES[team], CHANNELS[channel], *map(int, values)]
        for (week, team, channel), values in zip(sums.index, sums.to_numpy(), strict=True)
    ]
    return {"columns": ["week", "team", "channel", *sums.columns], "rows": rows}


def _inside(plan: Plan, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep what falls into the reported weeks, from its beginning."""
    return [item for item in found if item["from"] >= plan.first_day.isoformat()]


def _number(value: float, places: int = 4) -> float | None:
    """Round a figure for the sheet; one that does not exist is empty."""
    return None if not np.isfinite(value) else round(float(value), places)


class _Facts:
    """The planted truths with the figures that the data really show."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self.plan = truth.world.plan
        contacts = truth.world.contacts
        self.contacts = contacts.assign(
            name=np.array(NAMES, dtype=object)[contacts["team"]],
            handle=contacts["talk_s"] + contacts["hold_s"] + contacts["acw_s"],
            in_time=~contacts["abandoned"] & (contacts["wait_s"] <= centre.SERVICE_LEVEL_S),
        )
        self.answered = self.contacts[~self.contacts["abandoned"]]
        self.calls = self.contacts[self.contacts["channel"] == 0]
        self.handled_calls = self.calls[~self.calls["abandoned"]]

    def item(self, key: str, *, start: date | None = None, end: date | None = None, **more: Any) -> dict[str, Any]:
        """One line of the sheet; `start` and `end` are the first and last local day."""
        start = start or self.plan.first_day
        end = end or self.plan.end - timedelta(days=1)
        return {
            "id": key,
            "from": start.isoformat(),
            "to": end.isoformat(),
            "from_week": Period.containing(start, "week").label,
            "to_week": Period.containing(end, "week").label,
            **more,
        }

    def week(self, day: date) -> int:
        """The number of the week that a day lies in, 0 for the first reported one."""
        return (day - self.plan.first_day).days // 7

    def split(self, frame: pd.DataFrame, column: str, day: date) -> dict[str, float | None]:
        """The mean of a column before and from a day on."""
        later = frame["day"] >= day_number(day)
        return {
            "before": _number(frame.loc[~later, column].astype(float).mean()),
            "after": _number(frame.loc[later, column].astype(float).mean()),
        }

    def weekly_limits(self, values: pd.Series) -> dict[str, float | None]:
        """Mean and limits of weekly values."""
        mean, reach = values.mean(), LIMIT * values.diff().abs().mean()
        return {"mean": _number(mean), "lower": _number(mean - reach), "upper": _number(mean + reach)}

    @cached_property
    def service(self) -> pd.DataFrame:
        """Weekly share of calls in time per team."""
        return self.calls.pivot_table(index="week", columns="name", values="in_time", aggfunc="mean")

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Evaluations by call monitoring: points times weight, and the most possible, per row with points."""
        judged = self.truth.evaluations
        rows = judged[judged["points"].notna()].copy()
        rows["got"] = rows["points"].astype(float) * rows["weight"]
        rows["most"] = rows["max_points"] * rows["weight"]
        rows["day"] = rows["local_s"] // DAY_S
        rows["name"] = np.array(NAMES, dtype=object)[rows["team"]]
        return rows

    def score(self, rows: pd.DataFrame) -> float | None:
        """The quality score of some rows."""
        return _number(rows["got"].sum() / rows["most"].sum()) if len(rows) else None

    def truths(self) -> list[dict[str, Any]]:
        """List what was planted, each with what must be said and what must not."""
        return [
            *self._access(),
            *self._handling(),
            *self._quality(),
            *self._compliance(),
            *self._customers(),
            *self._voices(),
            self._broken_export(),
            self._cheaper_channel(),
        ]

    def _access(self) -> list[dict[str, Any]]:
        plan, last = self.plan, len(self.plan.weeks) - 1
        voice: dict[str, Any] = {"table": "contacts", "kpi": "service_level", "level": "team", "channel": "voice"}
        monday = plan.weeks[-1].start
        transfers = self.answered.assign(passed=self.answered["transfers"] > 0)
        return [
            self.item(
                "cannot_meet_target",
                **voice,
                unit="Ely",
                planted={"stable": True, "target": centre.SERVICE_LEVEL_TARGET},
                observed=self.weekly_limits(self.service["Ely"]),
                expect={"status": "cannot_meet", "variation": "common_cause"},
                say="The process of Ely as it is cannot reach 80 % in 20 seconds; the process must change",
                not_say="That a single week of Ely was worse or better than another; that breaks helped (ACT-06)",
            ),
            self.item(
                "bad_by_chance",
                start=monday,
                **voice,
                unit="Wharfe",
                planted={"underlying": "as Aire, Calder and Taff"},
                observed={
                    "last_week": _number(self.service["Wharfe"].iloc[last]),
                    **self.weekly_limits(self.service["Wharfe"]),
                },
                expect={"status": "missed_chance", "variation": "common_cause"},
                say="Wharfe missed the target in the last week within its usual variation",
                not_say="That Wharfe got worse, or needs action",
            ),
            self.item(
                "worsening_team",
                start=plan.worse_from,
                **voice,
                unit="Rhymney",
                planted={"step": "down"},
                observed=self.split(self.calls[self.calls["name"] == "Rhymney"], "in_time", plan.worse_from),
                expect={"status": "missed_real", "variation": "worsening"},
                say="Rhymney answers clearly fewer calls in time in the last four weeks: a special cause",
                not_say="That this is usual variation",
            ),
            self.item(
                "improving_centre",
                start=plan.routing_from,
                table="contacts",
                kpi="transfer_rate",
                level="centre",
                unit="",
                planted={"before": 0.14, "after": 0.09},
                observed=self.split(transfers, "passed", plan.routing_from),
                expect={"variation": "improving"},
                say="Fewer contacts are passed on since the new routing, everywhere alike",
                not_say="That one team did better at this than the others",
            ),
        ]

    def _handling(self) -> list[dict[str, Any]]:
        plan, calls = self.plan, self.handled_calls
        team: dict[str, Any] = {"table": "contacts", "kpi": "aht_voice", "level": "team", "channel": "voice"}
        aire = calls.assign(own=calls["name"] == "Aire")
        by_queue = aire.pivot_table(index="queue", columns="own", values="handle", aggfunc="mean")
        mix = calls[calls["name"] == "Rhymney"]["queue"].value_counts(normalize=True)
        calder = calls[calls["name"] == "Calder"]
        slow = calder["agent"] == centre.SLOW_AGENT
        account = calls[calls["queue"] == QUEUES.index("Account")]
        return [
            self.item(
                "queue_drives_gap",
                **team,
                unit="Aire",
                queue="Technical",
                planted={"factor": 1.5},
                observed={
                    QUEUES[queue]: {"Aire": _number(row[True], 1), "others": _number(row[False], 1)}
                    for queue, (_, row) in enumerate(by_queue.sort_index().iterrows())
                },
                expect={"driver": "rate", "queue": "Technical"},
                say="The longer handling time of Aire comes from Technical contacts alone",
                not_say="That Aire is slow in Billing or Account, or that its mix explains the gap",
            ),
            self.item(
                "mix_explains_gap",
                **team,
                unit="Rhymney",
                queue="Technical",
                planted={"mix": list(centre.QUEUE_MIX_RHYMNEY), "usual_mix": list(centre.QUEUE_MIX)},
                observed={QUEUES[index]: _number(share) for index, share in enumerate(mix.sort_index())},
                expect={"driver": "mix"},
                say="Rhymney gets more Technical contacts; within each queue it takes as long as others",
                not_say="That Rhymney handles contacts slowly",
            ),
            self.item(
                "recognise_team",
                start=plan.faster_from,
                **team,
                unit="Taff",
                planted={"factor": 0.84},
                observed=self.split(calls[calls["name"] == "Taff"], "handle", plan.faster_from),
                expect={"variation": "lower", "finding": "recognise"},
                say="Taff handles contacts faster since the templates, at the same quality: recognise it",
                not_say="That its quality suffered",
            ),
            self.item(
                "slow_agent",
                **{**team, "level": "agent"},
                unit=centre.SLOW_AGENT,
                team="Calder",
                planted={"factor": 1.8},
                observed={
                    "agent": _number(calder.loc[slow, "handle"].mean(), 1),
                    "team_mates": _number(calder.loc[~slow, "handle"].mean(), 1),
                },
                expect={"status": "missed_real", "finding": "development"},
                say="This agent's contacts take longer than can be chance, in every queue",
                not_say="The same of any other agent of the team; anything by name where teams read it",
            ),
            self.item(
                "requirement_effect",
                start=plan.requirement_from,
                **{**team, "level": "queue"},
                unit="Account",
                requirement="REQ-06",
                planted={"added_seconds": 60},
                observed=self.split(account, "handle", plan.requirement_from),
                expect={"variation": "higher", "cause": "REQ-06"},
                say="Account calls take about a minute longer since the charges statement is required",
                not_say="That agents got slower; that Billing or Technical calls changed",
            ),
            self.item(
                "low_fcr_reason",
                table="contacts",
                kpi="fcr",
                level="reason",
                unit=centre.LOW_FCR_REASON,
                planted={reason.name: reason.repeat for reason in REASONS},
                observed=self._not_repeated(),
                expect={"worst": centre.LOW_FCR_REASON},
                say="Fault contacts come back most often",
                not_say="That one team resolves less at the first contact than another with the same mix",
            ),
        ]

    def _not_repeated(self) -> dict[str, float | None]:
        """Share of resolved contacts without another about the same within seven days, all seven days seen."""
        ordered = self.answered.sort_values("local_s", kind="stable")
        following = ordered.groupby(["customer", "reason"])["local_s"].shift(-1)
        alone = ~(following - ordered["local_s"] <= 7 * DAY_S)
        seen = ordered["resolved"] & (ordered["week"] < len(self.plan.weeks) - 1)
        shares = alone[seen].groupby(ordered.loc[seen, "reason"]).mean()
        return {reason.name: _number(shares.get(index, np.nan)) for index, reason in enumerate(REASONS)}

    def _quality(self) -> list[dict[str, Any]]:
        plan, rows = self.plan, self.scores
        watched = rows[rows["source"] == "call_monitoring"]
        calder = watched[watched["name"] == "Calder"]
        later = calder["day"] >= day_number(plan.coached_from)
        chosen = records.coached_in_aire(plan, self.truth.evaluations)
        early = watched["day"] < day_number(plan.back(17))
        of_chosen = watched["agent_id"].isin(chosen)
        base: dict[str, Any] = {"table": "evaluations", "kpi": "qa_score", "source": "call_monitoring"}
        session = rows[rows["source"] == "calibration"]
        severe = centre.SEVERE_EVALUATOR
        return [
            self.item(
                "improved_after_coaching",
                start=plan.coached_from,
                **base,
                level="team",
                unit="Calder",
                action="ACT-04",
                planted={"before": 0.73, "after": 0.86},
                observed={"before": self.score(calder[~later]), "after": self.score(calder[later])},
                expect={"variation": "improving", "finding": "recognise"},
                say="The quality of Calder's contacts improved after the coaching, by more than chance",
                not_say="That the other teams changed",
            ),
            self.item(
                "coaching_without_effect",
                start=plan.back(17),
                **base,
                level="agent",
                unit=chosen,
                action="ACT-02",
                planted={"before": 0.86, "after": 0.86},
                observed={
                    "before": self.score(watched[of_chosen & early]),
                    "after": self.score(watched[of_chosen & ~early]),
                },
                expect={"effect": "cannot_tell"},
                say="The four were chosen for low scores; what they gained is regression to the mean",
                not_say="That the coaching of Aire worked",
            ),
            self.item(
                "severe_evaluator",
                **base,
                level="evaluator",
                unit=severe,
                planted={"difference": -0.14},
                observed={
                    "call_monitoring": {
                        name: self.score(watched[watched["evaluator_id"] == name]) for name in centre.EVALUATORS
                    },
                    "calibration": {
                        name: self.score(session[session["evaluator_id"] == name]) for name in centre.EVALUATORS
                    },
                },
                expect={"severe": [severe]},
                say="One evaluator marks the same contacts lower than all others",
                not_say="That the agents this evaluator met are worse",
            ),
            self.item(
                "self_marks_higher",
                **{**base, "source": "self"},
                level="centre",
                unit="",
                planted={"difference": records.OFFSETS["self"]},
                observed={
                    source: self.score(rows[rows["source"] == source])
                    for source in ("call_monitoring", "self", "peer_observation", "peer_feedback", "customer_feedback")
                },
                expect={"higher": ["self"]},
                say="Agents mark themselves higher than evaluators do; sources are not mixed into one score",
                not_say="One score over all sources",
            ),
        ]

    def _compliance(self) -> list[dict[str, Any]]:
        plan = self.plan
        told = self.answered[self.answered["disclosure"]]
        own = told["agent"] == centre.UNCHECKED_AGENT
        found = self.truth.breaches
        decided = self.truth.escalations
        decided = decided[decided["why"] == ""]
        pairs = decided.groupby(["contact_id", "agent"])["amount"].agg(["size", "sum"])
        split = pairs[(pairs["size"] > 1) & (pairs["sum"] > records.AGENT_LIMIT_FROM)]
        over = decided[decided["amount"] > records.AGENT_LIMIT_FROM]
        return [
            self.item(
                "identity_not_checked",
                table="contacts",
                kpi="identity_validation",
                level="agent",
                unit=centre.UNCHECKED_AGENT,
                team="Rhymney",
                planted={"agent": 0.80, "others": 0.992},
                observed={
                    "agent": _number(told.loc[own, "validated"].mean()),
                    "others": _number(told.loc[~own, "validated"].mean()),
                    "breaches_found": int((found["agent"] == centre.UNCHECKED_AGENT).sum()),
                    "breaches_found_all": len(found),
                },
                expect={"status": "missed_real", "finding": "development"},
                say="One agent of Rhymney discloses without a completed identity check in one contact of five",
                not_say="The same of any other agent; that all of Rhymney is careless",
            ),
            self.item(
                "limit_splitting",
                start=plan.back(15),
                table="escalations",
                kpi="",
                level="agent",
                unit=centre.SPLITTING_AGENT,
                team="Aire",
                planted={"pairs": records.SPLITS, "limit": records.AGENT_LIMIT_FROM},
                observed={"pairs": len(split), "agents": sorted({agent for _, agent in split.index})},
                expect={"agents": [centre.SPLITTING_AGENT]},
                say="One agent decides two refunds on one contact, each just under the limit, together above it",
                not_say="That any single one of these decisions was above the limit",
            ),
            self.item(
                "over_limit",
                start=EPOCH + timedelta(days=int(over["day"].min())) if len(over) else plan.first_day,
                table="escalations",
                kpi="",
                level="team",
                unit="Taff",
                planted={"decisions": records.OVER_LIMIT},
                observed={"decisions": len(over), "escalation_ids": sorted(over["escalation_id"])},
                expect={"decisions": len(over)},
                say="These refunds were above what their deciders may decide on",
                not_say="The same of refunds of 40 to 50 pounds once the limit was 50",
            ),
            self.item(
                "expired_requirement",
                table="requirements",
                kpi="",
                level="centre",
                unit="",
                requirement="REQ-07",
                planted={"valid_to": "2017-02-28"},
                observed={},
                expect={"in_force": False},
                say="REQ-07 is not in force in any reported week",
                not_say="Any verdict by REQ-07",
            ),
        ]

    def _customers(self) -> list[dict[str, Any]]:
        plan, made, asked = self.plan, self.truth.complaints, self.truth.surveys
        cause = made[made["root_cause"] == "Late refund"].groupby("week").size()
        fix, again = self.week(plan.fix_on), self.week(plan.recurs_from)
        late = cause.reindex(range(len(plan.weeks)), fill_value=0)
        unhappy = self.answered[self.answered["dissatisfied"]]
        judged = self.truth.evaluations
        heard = judged[(judged["criterion"] == "Complaint logged") & judged["points"].notna()]
        heard = heard[heard["source"] != "calibration"]
        ely = heard["team"] == TEAM_INDEX["Ely"]
        rate = made.groupby("team").size() / self.answered.groupby("team").size() * 1000
        satisfied = asked["true_csat"] >= 4
        back = asked["answers"]
        return [
            self.item(
                "recurring_root_cause",
                start=plan.recurs_from,
                table="complaints",
                kpi="complaints",
                level="centre",
                unit="",
                root_cause="Late refund",
                action="ACT-01",
                planted={"fixed_on": plan.fix_on.isoformat(), "back_on": plan.recurs_from.isoformat()},
                observed={
                    "per_week_before": _number(late.iloc[: max(fix, 0)].mean(), 2),
                    "per_week_quiet": _number(late.iloc[max(fix, 0) : max(again, 0)].mean(), 2),
                    "per_week_after": _number(late.iloc[max(again, 0) :].mean(), 2),
                },
                expect={"recurs": True},
                say="Late refunds came back after the fix: it did not last",
                not_say="That the fix of ACT-01 holds",
            ),
            self.item(
                "under_recording",
                table="complaints",
                kpi="complaints",
                level="centre",
                unit="",
                worst_team="Ely",
                planted={"capture_ely": 0.08, "capture_others": 0.33},
                observed={
                    "dissatisfied": len(unhappy),
                    "logged": int(unhappy["logged"].sum()),
                    "evaluated_dissatisfied": len(heard),
                    "evaluated_logged": int((heard["points"] > 0).sum()),
                    "evaluated_dissatisfied_ely": int(ely.sum()),
                    "evaluated_logged_ely": int((heard.loc[ely, "points"] > 0).sum()),
                    "per_1000": {name: _number(rate.get(team, 0.0), 2) for team, name in enumerate(NAMES)},
                },
                expect={"under_recorded": True},
                say="Most dissatisfaction that evaluators hear is not logged; Ely's few complaints are not good news",
                not_say="That Ely should be recognised for few complaints",
            ),
            self.item(
                "survey_bias",
                table="surveys",
                kpi="csat",
                level="centre",
                unit="",
                planted={"response": records.RESPONSE},
                observed={
                    "csat_of_answers": _number(satisfied[back].mean()),
                    "csat_of_all_asked": _number(satisfied.mean()),
                    "response_resolved": _number(back[asked["resolved"]].mean()),
                    "response_not_resolved": _number(back[~asked["resolved"]].mean()),
                },
                expect={"biased": "up"},
                say="Customers whose contact was not resolved answer far less often, so satisfaction is overstated",
                not_say="That satisfaction is what the answers show, without a caution",
            ),
        ]

    def _voices(self) -> list[dict[str, Any]]:
        """What customers write of: how many texts of a theme before a day and from it on, and of all texts."""
        asked, made = self.truth.surveys, self.truth.complaints
        said = {"surveys": asked[asked["comment"] != ""], "complaints": made}

        def counted(theme: str, day: date) -> dict[str, list[int]]:
            found: dict[str, list[int]] = {}
            for name, rows in said.items():
                time = rows["invited_s"] if name == "surveys" else rows["received_s"]
                later, own = time // DAY_S >= day_number(day), rows["theme"] == theme
                found[f"{name}_before"] = [int((own & ~later).sum()), int((~later).sum())]
                found[f"{name}_from"] = [int((own & later).sum()), int(later.sum())]
            return found

        plan = self.plan
        base: dict[str, Any] = {"table": "surveys", "kpi": "", "level": "centre", "unit": ""}
        texts = " ".join([*said["surveys"]["comment"], *made["words"]])
        personal = {
            "names": list(comments.CUSTOMERS),
            "phones": list(comments.PHONES),
            "mails": list(comments.MAILS),
            "cards": list(comments.CARDS),
            "accounts": list(comments.ACCOUNTS),
            "places": list(comments.PLACES),
        }
        return [
            self.item(
                "new_theme",
                **base,
                start=plan.app_from,
                theme="app",
                words=["app", "log"],
                planted={"survey_comments": {"before": 0.0, "from": comments.NEW}},
                observed=counted("app", plan.app_from),
                expect={"outcome": "new"},
                say="Customers cannot log in to the new app; nobody wrote of it before",
                not_say="Any person's name, telephone number, address or card that stands in a comment",
            ),
            self.item(
                "rising_theme",
                **base,
                start=plan.appointments_from,
                theme="appointment",
                words=["appointment", "engineer"],
                planted={"survey_comments": comments.RISING},
                observed=counted("appointment", plan.appointments_from),
                expect={"outcome": "rising"},
                say="Customers write of missed appointments far more often than before",
                not_say="That nobody wrote of missed appointments before",
            ),
            self.item(
                "personal_data_in_comments",
                **base,
                planted=personal,
                observed={kind: sum(texts.count(value) for value in values) for kind, values in personal.items()},
                expect={"in_reports": 0},
                say="Nothing of it in any report",
                not_say="Any of these",
            ),
        ]

    def _broken_export(self) -> dict[str, Any]:
        plan = self.plan
        lost = self.contacts[self.contacts["lost"]]
        week = plan.broken_week
        return self.item(
            "broken_export",
            start=week.start,
            end=week.end - timedelta(days=1),
            table="contacts",
            kpi="",
            level="centre",
            unit="",
            planted={
                "missing": {
                    "source": "telephony_cardiff",
                    "file": f"telephony/cardiff_calldetail_{week.label}.csv",
                    "site": "Cardiff",
                    "channel": "voice",
                    "days": [day.isoformat() for day in plan.missing_days],
                },
                "unit_changed": {
                    "source": "chat",
                    "file": f"chat/chats_{week.label}.csv",
                    "channel": "chat",
                    "declared": "ms",
                    "written": "s",
                    "columns": ["wait_s", "talk_s", "acw_s"],
                },
            },
            observed={"contacts_missing": len(lost)},
            expect={
                "not_fit": ["voice at Cardiff and the centre", "chat times everywhere"],
                "fit": ["voice at Leeds", "e-mail", "chat counts"],
            },
            say="That week's calls of Cardiff are incomplete and its chat times are in another unit: not fit",
            not_say="That calls fell, or that chats were answered at once or handled in a second",
        )

    def _cheaper_channel(self) -> dict[str, Any]:
        plan, spent = self.plan, records.costs(self.plan)
        months = sorted(month for month in set(spent["month"]) if month >= plan.first_day)
        figures: dict[str, dict[str, float | None]] = {}
        for month in months:
            following = (month + timedelta(days=32)).replace(day=1)
            inside = self.answered["day"].between(day_number(month), day_number(following) - 1)
            solved = self.answered[inside & self.answered["resolved"]].groupby("channel").size()
            paid = spent[spent["month"] == month].groupby("channel")["amount"].sum()
            figures[month.isoformat()[:7]] = {
                name: _number(paid[name] / solved.get(index, 0), 2) for index, name in enumerate(CHANNELS)
            }
        return self.item(
            "cheaper_channel",
            start=months[0] if months else date(1970, 1, 1),
            table="costs",
            kpi="",
            level="channel",
            unit="chat",
            planted={"cost_per_contact": records.COST_PER_CONTACT},
            observed={"cost_per_resolved": figures},
            expect={"cheapest": "chat"},
            say="A resolved contact costs least by chat in every whole month",
            not_say="A cost per contact for a month that is not reported whole (the first) or not closed (the last)",
        )

    def nothing_here(self) -> list[dict[str, Any]]:
        """List where nothing was planted, so that nothing must be found."""
        return [self.item(f"nothing_{key}", **more) for key, more in NOTHING]


NOTHING: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "service_level",
        {"table": "contacts", "kpi": "service_level", "level": "team", "unit": ["Aire", "Calder", "Wharfe", "Taff"]}
        | {"note": "one process for all four, the same in every week"},
    ),
    (
        "abandon_rate",
        {"table": "contacts", "kpi": "abandon_rate", "level": "team", "unit": ["Aire", "Calder", "Wharfe", "Taff"]}
        | {"note": "follows from the waits; Ely and, at the end, Rhymney have longer ones"},
    ),
    (
        "aht_chat",
        {"table": "contacts", "kpi": "aht_chat", "level": "team", "unit": ["Wharfe", "Ely", "Rhymney"]}
        | {"note": "no change in any week; the week of the broken export is not fit"},
    ),
    (
        "aht_agents",
        {"table": "contacts", "kpi": "aht_voice", "level": "agent", "unit": "every agent but the slow one"}
        | {"note": "agents of one team differ by chance and by the queues they happen to get"},
    ),
    (
        "fcr",
        {"table": "contacts", "kpi": "fcr", "level": "team", "unit": NAMES}
        | {"note": "no team differs but by its mix of reasons, and nothing changes"},
    ),
    (
        "transfer_rate",
        {"table": "contacts", "kpi": "transfer_rate", "level": "team", "unit": NAMES}
        | {"note": "no difference between teams; all improve with the routing"},
    ),
    (
        "csat",
        {"table": "surveys", "kpi": "csat", "level": "team", "unit": NAMES}
        | {"note": "no difference between teams and no change"},
    ),
    (
        "qa_score",
        {"table": "evaluations", "kpi": "qa_score", "level": "team"}
        | {"unit": ["Aire", "Wharfe", "Taff", "Ely", "Rhymney"], "note": "one quality, no change"},
    ),
    (
        "evaluators",
        {"table": "evaluations", "kpi": "qa_score", "level": "evaluator", "unit": ["E01", "E02", "E03", "E05", "E06"]}
        | {"note": "they mark alike"},
    ),
    (
        "identity_validation",
        {"table": "contacts", "kpi": "identity_validation", "level": "team"}
        | {"unit": ["Aire", "Calder", "Wharfe", "Taff", "Ely"], "note": "one rate of 0.992, no change"},
    ),
    (
        "complaints",
        {"table": "complaints", "kpi": "complaints", "level": "team"}
        | {"unit": ["Aire", "Calder", "Wharfe", "Taff", "Rhymney"], "note": "one rate but for unresolved contacts"},
    ),
    (
        "adherence",
        {"table": "agent_states", "kpi": "", "level": "team", "unit": NAMES}
        | {"note": "adherence, occupancy and absence are drawn alike for everybody"},
    ),
    (
        "steady_theme",
        {
            "table": "surveys",
            "kpi": "",
            "level": "centre",
            "unit": "centre",
            "theme": "wait",
            "words": ["hold", "queue", "wait"],
        }
        | {"note": "one comment in ten is about long waits, in every week"},
    ),
    (
        "action_without_effect",
        {"table": "actions", "kpi": "service_level", "level": "team", "unit": ["Ely"]}
        | {"action": "ACT-06", "note": "moving breaks changed nothing"},
    ),
)

"""Which needs people have, what was done about them, and whether it worked.

People are chosen for coaching because their figures are low, and low figures rise by themselves. So what came after is
held against what was to be expected anyway (the own figure, drawn towards the team's as far as it is unreliable), and
against colleagues who stood alike in their teams at that time and did not have the same activity (difference in
differences). What several people of a team had together for one need is a programme and is looked at by itself;
activities of everyday are looked at by method and by topic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ccanalysis.kpis import register
from ccanalysis.questions.data import Data, Frame
from ccanalysis.statistics import change, comparison, intervals, sampling, shrinkage

# Days before and after an activity that are compared.
BEFORE, AFTER = 56, 56
# Activities of one person, kind, topic and need that lie no further apart are one; so do a programme's beginnings.
TOGETHER = 28
# Cases that a person must have on each side.
FEWEST_CASES = 3
# Cases that a person must have for a need to be read from their figures.
FEWEST_FOR_NEED = 8
# People of a team with the same kind, topic and need who make a programme.
FEWEST_IN_PROGRAMME = 3
# People on each side of a comparison; fewer colleagues who stand alike are no group to compare with.
FEWEST_PEOPLE, FEWEST_COLLEAGUES = 3, 3
# Team mates without the activity whose change is taken out, for it is the team's.
FEWEST_MATES = 2
# The share of a team that makes a programme one of the whole team.
WHOLE_TEAM = 2 / 3
# The share of effects that may be chance.
FALSE_DISCOVERIES = 0.05
# Parts of the time after an activity, in days, that tell whether an effect fades.
PHASES = (("weeks 1 to 4", 0, 28), ("weeks 5 to 8", 28, 56), ("weeks 9 to 12", 56, 84))
# Hours of an activity up to which it counts as short.
SHORT = 1.0
# Thirds of a team that count as standing alike.
_BANDS = 3

QUALITY, TIME, IDENTITY = "Quality score", "Handling time", "Identity validated"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A figure that development is meant to move.

    Attributes:
        unit: Its unit.
        better: Which way is better; empty where neither is by itself.
        useful: The smallest change that is worth the effort, in the unit; for time as a share of the mean.
        kpi: The measure of the register that tells its objective and target.
    """

    unit: str
    better: str
    useful: float
    kpi: str


MEASURES = {
    QUALITY: Measure(unit="share", better="up", useful=0.05, kpi="qa_score"),
    TIME: Measure(unit="s", better="", useful=0.05, kpi="aht"),
    IDENTITY: Measure(unit="share", better="up", useful=0.02, kpi="identity_validation"),
}

_DONE = ["level", "unit", "kind", "topic", "n", "people", "hours", "with_need", "last_on"]
_NEEDS = [
    *("level", "unit", "need", "source", "measure", "unit_of_value", "value", "others", "ci_low", "ci_high", "n"),
    *("people", "p_value", "q_value", "objective", "done_on", "done_kind"),
]
_EFFECTS = [
    *("level", "unit", "group", "kind", "topic", "need", "measure", "unit_of_value", "better", "begins", "ends"),
    *("n", "people", "compared", "colleagues", "before", "expected", "after", "after_low", "after_high"),
    *("effect", "ci_low", "ci_high", "p_value", "q_value", "outcome", "useful", "needed"),
    *("placebos", "placebos_as_large", "objective", "target", "reached"),
]
_FADE = ["level", "unit", "group", "kind", "topic", "need", "part", "n", "people", "effect", "ci_low", "ci_high"]
_PEOPLE = [
    *("level", "unit", "kind", "topic", "need", "measure", "unit_of_value", "begins", "ends", "sessions", "hours"),
    *("n_before", "n", "before", "expected", "after", "effect", "ci_low", "ci_high", "p_value", "q_value"),
    *("outcome", "why", "needed"),
]


def answer(data: Data) -> Mapping[str, Frame]:
    """Return the frames of the question.

    Args:
        data: The tables of the window.

    Returns:
        `needs`: needs that were recorded with activities, and needs that figures show, per person; how many people
        have each, per team and centre.
        `done`: activities, people and hours by method and topic.
        `effects`: per method, topic and programme and measure what changed beyond what was to be expected, and its
        `outcome` (worked, worse, shorter, longer, no useful effect, cannot tell) with the people it would take.
        `fade`: the effect on quality by weeks since, and by hours given.
        `people`: per person and activity what came before and after, and what can be said of it.
    """
    done = _activities(data)
    cases = _cases(data)
    found = _Comparison(data, done, cases)
    effects, fade, people = found.effects(), found.fade(), found.people()
    return {
        "needs": Frame(_needs(data, done, cases, found), ["level", "unit", "need", "source", "measure"]),
        "done": Frame(_done(done, found), ["level", "unit", "kind", "topic"]),
        "effects": Frame(effects, ["level", "unit", "group", "kind", "topic", "need", "measure"]),
        "fade": Frame(fade, ["level", "unit", "group", "kind", "topic", "need", "part"]),
        "people": Frame(people, ["level", "unit", "kind", "topic", "need", "measure", "begins"]),
    }


# --- what is read ---------------------------------------------------------------------------------------------------


def _activities(data: Data) -> pd.DataFrame:
    """Read what was done: one row per activity, with empty texts where nothing was written."""
    columns = ["agent_id", "kind", "topic", "need", "done_on", "hours"]
    if not data.has("activities"):
        return pd.DataFrame(columns=columns)
    found = data.sql(
        "SELECT agent_id, kind, coalesce(topic, '') AS topic, coalesce(need, '') AS need, done_on, "
        f"duration_s / 3600.0 AS hours FROM {data.window('activities')} ORDER BY agent_id, kind, topic, need, done_on"
    )
    return found.assign(done_on=pd.to_datetime(found["done_on"]), hours=found["hours"].astype(float))[columns]


def _episodes(done: pd.DataFrame) -> pd.DataFrame:
    """Join the activities of one person, kind, topic and need that follow each other: begins, ends, sessions, hours."""
    keys = ["agent_id", "kind", "topic", "need"]
    if done.empty:
        return pd.DataFrame(columns=[*keys, "begins", "ends", "sessions", "hours"])
    rows = done.sort_values([*keys, "done_on"], kind="stable")
    gap = rows.groupby(keys, sort=False)["done_on"].diff()
    rows = rows.assign(episode=(gap.isna() | (gap > pd.Timedelta(days=TOGETHER))).cumsum())
    return (
        rows.groupby("episode")
        .agg(
            **{key: (key, "first") for key in keys},
            begins=("done_on", "min"),
            ends=("done_on", "max"),
            sessions=("done_on", "size"),
            hours=("hours", lambda part: part.sum(min_count=1)),
        )
        .reset_index(drop=True)
    )


def _cases(data: Data) -> dict[str, pd.DataFrame]:
    """Read the cases of each measure: agent_id, day, y; strictness of evaluators and mix of contacts are taken out."""
    found: dict[str, pd.DataFrame] = {}
    if data.has("evaluations"):
        scores = _scores(data)
        if len(scores):
            found[QUALITY] = scores
    if data.has("contacts"):
        handled = data.sql(
            "SELECT agent_id, local_date AS day, channel, reason, "
            f"talk_s + coalesce(hold_s, 0) + coalesce(acw_s, 0) AS y FROM {data.window('contacts')} "
            "WHERE outcome = 'answered' AND agent_id IS NOT NULL AND talk_s IS NOT NULL"
        )
        if len(handled):
            usual = handled.groupby(["channel", "reason"], dropna=False)["y"].transform("mean")
            found[TIME] = _cases_of(handled.assign(y=handled["y"] - usual + handled["y"].mean()))
        asked = data.sql(
            f"SELECT agent_id, local_date AS day, identity_validated AS y FROM {data.window('contacts')} "
            "WHERE disclosure AND identity_validated IS NOT NULL AND agent_id IS NOT NULL"
        )
        if len(asked):
            found[IDENTITY] = _cases_of(asked)
    return found


def _cases_of(rows: pd.DataFrame) -> pd.DataFrame:
    y = rows["y"].astype("Float64").astype(float)
    kept = rows.assign(day=pd.to_datetime(rows["day"]), y=y)[["agent_id", "day", "y"]].dropna()
    return kept.sort_values(["agent_id", "day"], kind="stable").reset_index(drop=True)


def _scores(data: Data, criteria: Iterable[str] = ()) -> pd.DataFrame:
    """Read the scores of call monitoring, of all criteria or of some, without each evaluator's own strictness."""
    named = list(criteria)
    only = "AND list_contains($criteria, criterion)" if named else ""
    whole = "" if named else ", max(score_share)"
    rows = data.sql(
        "SELECT any_value(agent_id) AS agent_id, min(local_date) AS day, any_value(evaluator_id) AS evaluator, "
        "coalesce(sum(points * coalesce(weight, 1)) / nullif(sum(CASE WHEN points IS NOT NULL THEN "
        f"max_points * coalesce(weight, 1) END), 0){whole}) AS y FROM {data.window('evaluations')} "
        f"WHERE source = 'call_monitoring' AND NOT coalesce(withdrawn, false) AND agent_id IS NOT NULL {only} "
        "GROUP BY evaluation_id",
        {"criteria": named} if named else None,
    )
    rows = rows[rows["y"].notna()]
    own = rows.groupby("evaluator")["y"].transform("mean")
    return _cases_of(rows.assign(y=rows["y"] - own.fillna(rows["y"].mean()) + rows["y"].mean()))


# --- the comparison -------------------------------------------------------------------------------------------------


@dataclass
class _Course:
    """The cases of one measure, added up so that any span of days is told at once."""

    n: NDArray
    total: NDArray
    squares: NDArray

    @classmethod
    def of(cls, cases: pd.DataFrame, agents: list[str], first: pd.Timestamp, days: int) -> _Course:
        place = {agent: number for number, agent in enumerate(agents)}
        at = (cases["agent_id"].map(place).to_numpy(), (cases["day"] - first).dt.days.to_numpy() + 1)
        sums = []
        for values in (np.ones(len(cases)), cases["y"].to_numpy(), cases["y"].to_numpy() ** 2):
            daily = np.zeros((len(agents), days + 1))
            np.add.at(daily, at, values)
            sums.append(daily.cumsum(axis=1))
        return cls(*sums)

    def span(self, begin: int, end: int) -> tuple[NDArray, NDArray, float]:
        """Return cases and mean of each agent from a day up to another, and the spread of cases within agents."""
        begin, end = (int(np.clip(day, 0, self.n.shape[1] - 1)) for day in (begin, end))
        n, total, squares = (sums[:, end] - sums[:, begin] for sums in (self.n, self.total, self.squares))
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(n > 0, total / n, np.nan)
        within = intervals.squares_about_mean(total, squares, n).sum()
        degrees = (n[n > 0] - 1).sum()
        return n, mean, float(np.sqrt(within / degrees)) if degrees > 0 else float("nan")


@dataclass
class _Window:
    """All people around one activity: cases and means on both sides, what was to be expected, band, and gain."""

    n_before: NDArray
    n_after: NDArray
    before: NDArray
    after: NDArray
    expected: NDArray
    band: NDArray
    gain: NDArray


@dataclass
class _Compared:
    """One episode beside its colleagues: how far beyond them, what was usual in that time, and how they scatter."""

    difference: float
    usual: float
    around: pd.Series


def _of_mates(gain: NDArray, free: NDArray, team: NDArray) -> NDArray:
    """Give per person the mean gain of the untouched others of the team; NaN where they are too few."""
    codes = pd.factorize(team)[0]
    held = np.where(free, gain, 0.0)
    total = np.bincount(codes, weights=held)[codes] - held
    count = np.bincount(codes, weights=free.astype(float))[codes] - free
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count >= FEWEST_MATES, total / count, np.nan)


class _Comparison:
    """What was done, to whom, and what came of it."""

    def __init__(self, data: Data, done: pd.DataFrame, cases: Mapping[str, pd.DataFrame]) -> None:
        self.data, self.done, self.cases = data, done, dict(cases)
        self.first, self.days = pd.Timestamp(data.since), (data.until - data.since).days
        known = [set(done["agent_id"]), *(set(rows["agent_id"]) for rows in self.cases.values())]
        self.agents = sorted(set().union(*known))
        self.place = {agent: number for number, agent in enumerate(self.agents)}
        self.courses = {name: _Course.of(rows, self.agents, self.first, self.days) for name, rows in self.cases.items()}
        self.teams = _teams(data, self.agents, self.first, self.days)
        self.episodes = self._programmes(_episodes(done))
        self.spans = tuple(self.episodes[name].to_numpy(dtype=int) for name in ("agent", "start", "end"))
        self.own = {name: dict(tuple(rows.groupby("agent_id"))) for name, rows in self.cases.items()}
        self.windows: dict[tuple[str, int, int, int, int], _Window | None] = {}
        self.form = _form(data)
        self.named = {need: _criteria_in(self.form, need) for need in sorted(set(done["need"]) | set(done["topic"]))}
        self.objectives = _Objectives(data)

    # --- programmes

    def _programmes(self, episodes: pd.DataFrame) -> pd.DataFrame:
        """Number the episodes that make a programme: one team, kind, topic and need within some weeks."""
        rows = episodes.assign(
            agent=[self.place[agent] for agent in episodes["agent_id"]],
            start=[self._day(day) for day in episodes["begins"]],
            end=[self._day(day) for day in episodes["ends"]],
        )
        rows["team"] = [self.teams[agent, day] for agent, day in zip(rows["agent"], rows["start"], strict=True)]
        rows["programme"], rows["whole_team"] = -1, False
        number = 0
        held = rows[(rows["need"] != "") & (rows["team"] != "")]
        for _, part in held.sort_values("start").groupby(["team", "kind", "topic", "need"], sort=True):
            run = (part["start"].diff() > TOGETHER).cumsum()
            for _, together in part.groupby(run):
                if together["agent"].nunique() < FEWEST_IN_PROGRAMME:
                    continue
                size = (self.teams[:, together["start"].min()] == together["team"].iloc[0]).sum()
                rows.loc[together.index, "programme"] = number
                rows.loc[together.index, "whole_team"] = together["agent"].nunique() >= WHOLE_TEAM * size
                number += 1
        return rows

    def _day(self, day: pd.Timestamp) -> int:
        return int(np.clip((day - self.first).days, 0, self.days - 1))

    # --- windows

    def window(self, measure: str, start: int, end: int, after: tuple[int, int]) -> _Window | None:
        """Return all people around an activity from a day to another; None where nobody has cases enough."""
        key = (measure, start, end, *after)
        if key not in self.windows:
            self.windows[key] = self._window(*key)
        return self.windows[key]

    def _window(self, measure: str, start: int, end: int, begin: int, stop: int) -> _Window | None:
        course = self.courses[measure]
        n_before, before, spread = course.span(start - BEFORE, start)
        n_after, after, _ = course.span(end + 1 + begin, end + 1 + stop)
        last = min(end + stop, self.days - 1)
        team = self.teams[:, start]
        stays = (team == self.teams[:, last]) & (team == self.teams[:, max(start - BEFORE, 0)]) & (team != "")
        sound = stays & (n_before >= FEWEST_CASES)
        if sound.sum() < FEWEST_COLLEAGUES + 1 or not spread > 0:
            return None
        codes = pd.factorize(team)[0]
        peers = np.bincount(codes, weights=np.where(sound, n_before * before, 0.0))[codes]
        count = np.bincount(codes, weights=np.where(sound, n_before, 0.0))[codes]
        mean = np.where(count > 0, peers / np.maximum(count, 1), np.nan)
        own = np.where(sound, before - mean, np.nan)
        error = np.where(sound, spread / np.sqrt(np.maximum(n_before, 1)), np.nan)
        reliability = shrinkage.normal_normal(own, error, method="DL").reliability
        expected = np.where(sound, change.expected_without_change(before, mean, reliability), np.nan)
        cuts = np.nanquantile(own, [place / _BANDS for place in range(1, _BANDS)])
        band = np.where(sound, np.searchsorted(cuts, own), -1)
        told = sound & (n_after >= FEWEST_CASES)
        return _Window(n_before, n_after, before, after, expected, band, np.where(told, after - expected, np.nan))

    # --- who is compared with whom

    def _same(self, kind: str, topic: str = "") -> NDArray:
        """Mark the episodes of a kind, and of a topic where one is given."""
        rows = self.episodes
        return ((rows["kind"] == kind) & ((rows["topic"] == topic) | (topic == ""))).to_numpy(dtype=bool)

    def _touched(self, begin: int, stop: int, which: NDArray) -> NDArray:
        """Mark the people who had one of some episodes in a span of days."""
        agents, starts, ends = self.spans
        found = np.zeros(len(self.agents), dtype=bool)
        found[agents[which & (starts < stop) & (ends >= begin)]] = True
        return found

    def _compared(self, measure: str, one: Any, same: NDArray, after: tuple[int, int]) -> _Compared | None:
        """Hold an episode against colleagues who stood alike in their teams and had nothing of the same.

        What the untouched members of a team changed together is the team's and is taken out first, of the person and
        of the colleagues, unless the whole team took part.
        """
        seen = self.window(measure, one.start, one.end, after)
        if seen is None or np.isnan(seen.gain[one.agent]):
            return None
        begin, stop = one.start - BEFORE, min(one.end + 1 + after[1], self.days)
        programme = self.episodes["programme"].to_numpy()
        barred = self._touched(begin, stop, (programme >= 0) & (programme != one.programme))
        if barred[one.agent] or (one.programme < 0 and self._touched(begin, one.start, same)[one.agent]):
            return None
        free = ~self._touched(begin, stop, same) & ~barred & ~np.isnan(seen.gain)
        gain = seen.gain
        if one.whole_team:
            free &= self.teams[:, one.start] != one.team
        else:
            gain = gain - _of_mates(gain, free, self.teams[:, one.start])
            free &= ~np.isnan(gain)
            if np.isnan(gain[one.agent]):
                return None
        free &= seen.band == seen.band[one.agent]
        if free.sum() < FEWEST_COLLEAGUES:
            return None
        usual = float(gain[free].mean())
        own = float(gain[one.agent]) - usual
        around = pd.Series(gain[free] - usual, index=np.flatnonzero(free))
        return _Compared(own, float(seen.gain[one.agent]) - own, around)

    def differences(
        self, measure: str, episodes: pd.DataFrame, same: NDArray, after: tuple[int, int] = (0, AFTER)
    ) -> tuple[pd.DataFrame, pd.Series]:
        """Compare episodes of one group.

        Returns:
            One row per person with episodes that can be compared: difference beyond the colleagues, before, expected,
            after and cases; and per colleague how far they lay from the others of their band.
        """
        rows: list[dict[str, Any]] = []
        others: list[pd.Series] = []
        for one in episodes.itertuples():
            found = self._compared(measure, one, same, after)
            if found is None:
                continue
            seen = self.window(measure, one.start, one.end, after)
            assert seen is not None
            others.append(found.around)
            row = {"agent": one.agent, "difference": found.difference}
            row |= {"before": seen.before[one.agent], "expected": seen.expected[one.agent] + found.usual}
            rows.append(row | {"after": seen.after[one.agent], "n": seen.n_after[one.agent]})
        if not rows:
            return pd.DataFrame(), pd.Series(dtype=float)
        means = dict.fromkeys(("difference", "before", "expected", "after"), "mean")
        listed = pd.DataFrame(rows).groupby("agent").agg({**means, "n": "sum"})
        around = pd.concat(others)
        around = around.groupby(around.index).mean()
        return listed, around - around.mean()

    # --- groups

    def groups(self) -> list[tuple[dict[str, Any], pd.DataFrame, NDArray]]:
        """List what is looked at together: everyday activities by method and by topic, and programmes."""
        rows = self.episodes
        listed: list[tuple[dict[str, Any], pd.DataFrame, NDArray]] = []
        everyday = rows[rows["programme"] < 0]
        for kind, part in everyday.groupby("kind", sort=True):
            about = {"level": "centre", "unit": "centre", "group": "method", "kind": kind, "topic": "", "need": ""}
            listed.append((about, part, self._same(str(kind))))
        for (kind, topic), part in everyday[everyday["topic"] != ""].groupby(["kind", "topic"], sort=True):
            about = {"level": "centre", "unit": "centre", "group": "topic", "kind": kind, "topic": topic, "need": ""}
            listed.append((about, part, self._same(str(kind), str(topic))))
        for _, part in rows[rows["programme"] >= 0].groupby("programme", sort=True):
            first = part.iloc[0]
            about = {"level": "team", "unit": first["team"], "group": "programme", "kind": first["kind"]}
            about |= {"topic": first["topic"], "need": first["need"]}
            listed.append((about, part, self._same(first["kind"], first["topic"])))
        return listed

    def effects(self) -> pd.DataFrame:
        """Estimate the effect of each group on each measure, with what it would take to tell."""
        rows = []
        for about, episodes, same in self.groups():
            for measure, spec in self._measures(about):
                rows.append(self._effect(about, measure, spec, episodes, same))
        found = pd.DataFrame(rows, columns=_EFFECTS)
        known = found["p_value"].notna()
        if known.any():
            found.loc[known, "q_value"] = comparison.benjamini_hochberg(found.loc[known, "p_value"])
        found["outcome"] = [_outcome(row) for row in found.to_dict("records")]
        return found

    def _measures(self, about: Mapping[str, Any]) -> list[tuple[str, Measure]]:
        """The measures of a group: all, and for a programme also the criteria that its need or topic names."""
        listed = [(name, spec) for name, spec in MEASURES.items() if name in self.courses]
        if about["group"] == "programme" and QUALITY in self.courses:
            criteria = self.named.get(about["need"]) or self.named.get(about["topic"]) or []
            if criteria:
                name = f"Score on {' and '.join([criteria[0], *(one.lower() for one in criteria[1:])])}"
                if name not in self.courses:
                    self.cases[name] = _scores(self.data, criteria)
                    self.courses[name] = _Course.of(self.cases[name], self.agents, self.first, self.days)
                listed.append((name, MEASURES[QUALITY]))
        return listed

    def _effect(
        self, about: Mapping[str, Any], measure: str, spec: Measure, episodes: pd.DataFrame, same: NDArray
    ) -> dict[str, Any]:
        row = dict.fromkeys(_EFFECTS, float("nan")) | dict(about)
        row |= {"measure": measure, "unit_of_value": spec.unit, "better": spec.better, "outcome": "cannot tell"}
        row |= {"begins": episodes["begins"].min(), "ends": episodes["ends"].max(), "compared": 0, "colleagues": 0}
        row |= {"people": int(episodes["agent"].nunique()), "n": 0}
        course = self.courses[measure]
        row["useful"] = spec.useful * (course.total[:, -1].sum() / course.n[:, -1].sum() if spec.unit == "s" else 1.0)
        about_criteria = [*self.named.get(about["need"], []), *self.named.get(about["topic"], [])]
        objective, target = self.objectives.of(measure, about_criteria)
        row |= {"objective": objective, "target": target, "reached": ""}
        listed, around = self.differences(measure, episodes, same)
        row |= {"compared": len(listed), "colleagues": len(around)}
        spread = float(around.std()) if len(around) > 1 else float("nan")
        if spread > 0:
            row["needed"] = _needed(row["useful"], spread)
        if len(listed) < FEWEST_PEOPLE:
            return row
        row |= {"n": int(listed["n"].sum())}
        row |= {name: float(listed[name].mean()) for name in ("before", "expected", "after")}
        low, high = intervals.mean_t(listed["after"])
        row |= {"after_low": float(low), "after_high": float(high)}
        tested = comparison.welch(listed["difference"], around)
        row |= {"effect": float(listed["difference"].mean()), "ci_low": tested.interval.low}
        row |= {"ci_high": tested.interval.high, "p_value": tested.p}
        if not np.isnan(row["target"]):
            row["reached"] = "yes" if low >= row["target"] else "no" if high < row["target"] else "cannot tell"
        if episodes["whole_team"].all():
            row |= self._placebos(measure, episodes)
        return row

    def _placebos(self, measure: str, episodes: pd.DataFrame) -> dict[str, float]:
        """Ask what the other teams would show, had the programme been theirs: how many show as much."""
        start, end, team = int(episodes["start"].min()), int(episodes["end"].max()), episodes["team"].iloc[0]
        course = self.courses[measure]
        shown: dict[str, list[float]] = {}
        spans = ((start - BEFORE, start), (end + 1, min(end + 1 + AFTER, self.days)))
        names = sorted(set(self.teams[:, start]) - {""})
        for name in names:
            own = self.teams[:, start] == name
            pair = []
            for begin, stop in spans:
                n, mean, _ = course.span(begin, stop)
                used = own & (n > 0)
                pair.append(float((n[used] * mean[used]).sum() / n[used].sum()) if used.any() else float("nan"))
            shown[str(name)] = pair
        others = pd.DataFrame({name: pair for name, pair in shown.items() if name != team}).dropna(axis=1)
        if others.shape[1] < 2 or np.isnan(shown[team]).any():
            return {}
        effects = change.placebo_effects(others, 1)
        moved = shown[team][1] - shown[team][0] - float((others.iloc[1] - others.iloc[0]).mean())
        return {"placebos": float(len(effects)), "placebos_as_large": float((effects.abs() >= abs(moved)).sum())}

    def fade(self) -> pd.DataFrame:
        """Estimate the effect on quality by weeks since, and by hours given."""
        rows = []
        if QUALITY not in self.courses:
            return pd.DataFrame(columns=_FADE)
        for about, episodes, same in self.groups():
            if about["group"] == "topic":
                continue
            parts = [(name, episodes, (begin, stop)) for name, begin, stop in PHASES]
            hours = episodes["hours"]
            if hours.notna().any() and about["group"] == "method":
                parts += [
                    (f"up to {SHORT:.0f} hour", episodes[hours <= SHORT], (0, AFTER)),
                    (f"more than {SHORT:.0f} hour", episodes[hours > SHORT], (0, AFTER)),
                ]
            for name, part, after in parts:
                listed, around = self.differences(QUALITY, part, same, after)
                if len(listed) < FEWEST_PEOPLE:
                    continue
                tested = comparison.welch(listed["difference"], around)
                row = dict(about) | {"part": name, "n": int(listed["n"].sum()), "people": len(listed)}
                row |= {"effect": float(listed["difference"].mean())}
                rows.append(row | {"ci_low": tested.interval.low, "ci_high": tested.interval.high})
        return pd.DataFrame(rows, columns=_FADE)

    # --- single people

    def people(self) -> pd.DataFrame:
        """Say of each person's activities what came of them: more than before, and more than was to be expected."""
        rows = []
        for one in self.episodes.itertuples():
            for measure, spec in MEASURES.items():
                if measure in self.courses:
                    rows.append(self._person(one, measure, spec))
        found = pd.DataFrame(rows, columns=_PEOPLE)
        for _, part in found.groupby("measure"):
            known = part["p_value"].notna()
            if known.any():
                found.loc[part.index[known], "q_value"] = comparison.benjamini_hochberg(part.loc[known, "p_value"])
        told = found.assign(better=found["measure"].map(lambda name: MEASURES[name].better), useful=float("inf"))
        found["outcome"] = [_outcome(row) for row in told.to_dict("records")]
        return found

    def _person(self, one: Any, measure: str, spec: Measure) -> dict[str, Any]:
        row = dict.fromkeys(_PEOPLE, float("nan")) | {"level": "agent", "unit": one.agent_id, "measure": measure}
        row |= {name: getattr(one, name) for name in ("kind", "topic", "need", "begins", "ends", "sessions", "hours")}
        row |= {"unit_of_value": spec.unit, "why": "", "n": 0, "n_before": 0}
        cases = self.cases[measure]
        own = self.own[measure].get(one.agent_id, cases.iloc[:0])
        before = own.loc[own["day"].between(one.begins - pd.Timedelta(days=BEFORE), one.begins, inclusive="left"), "y"]
        after = own.loc[own["day"].between(one.ends, one.ends + pd.Timedelta(days=AFTER), inclusive="right"), "y"]
        row |= {"n": len(after), "n_before": len(before)}
        spread = float(before.std()) if len(before) > 1 else float("nan")
        useful = spec.useful * (float(cases["y"].mean()) if spec.unit == "s" else 1.0)
        if spread > 0:
            row["needed"] = _needed(useful, spread)
        if len(before) < FEWEST_CASES:
            return row | {"why": "too few cases before"}
        if len(after) < FEWEST_CASES:
            return row | {"before": float(before.mean()), "why": "too few cases after"}
        seen = self.window(measure, one.start, one.end, (0, AFTER))
        row |= {"before": float(before.mean()), "after": float(after.mean())}
        if seen is None or np.isnan(seen.gain[one.agent]):
            return row | {"why": "changed teams, or nobody to compare with"}
        found = self._compared(measure, one, self._same(one.kind, one.topic), (0, AFTER))
        if found is None:
            return row | {"why": "too few colleagues who stood alike, or another programme in between"}
        expected = seen.expected[one.agent] + found.usual
        low, high = intervals.mean_t(after)
        tested = comparison.mean_test(after, expected)
        if measure == IDENTITY:
            low, high = intervals.wilson(after.sum(), len(after))
            tested = comparison.proportion_test(int(after.sum()), len(after), float(np.clip(expected, 0, 1)))
        moved = comparison.welch(after, before)
        p_value = max(tested.p, moved.p)
        if np.sign(moved.estimate) != np.sign(tested.estimate - expected):
            p_value = 1.0
        row |= {"expected": expected, "effect": tested.estimate - expected, "p_value": p_value}
        return row | {"ci_low": float(low) - expected, "ci_high": float(high) - expected}


def _needed(useful: float, spread: float) -> float:
    """Give how many people, or cases of one person, it takes on each side to tell a useful change."""
    return _size(round(useful / spread, 2) or 0.01)


@lru_cache(maxsize=512)
def _size(difference: float) -> float:
    return float(np.ceil(sampling.sample_size_two_means(difference, 1.0)))


def _outcome(row: Mapping[str, Any]) -> str:
    """Say what an effect amounts to; what might be useful and might be nothing cannot be told yet."""
    if np.isnan(row["effect"]) or np.isnan(row["q_value"]):
        return "cannot tell"
    if row["q_value"] <= FALSE_DISCOVERIES:
        if row["better"]:
            return "worked" if (row["effect"] > 0) == (row["better"] == "up") else "worse"
        return "longer" if row["effect"] > 0 else "shorter"
    enough = row.get("compared", 0) >= row["needed"]
    if enough and max(abs(row["ci_low"]), abs(row["ci_high"])) < row["useful"]:
        return "no useful effect"
    return "cannot tell"


def _teams(data: Data, agents: list[str], first: pd.Timestamp, days: int) -> NDArray:
    """Tell the team of each agent on each day: by the roster, else where most of their cases were; empty if unknown."""
    found = np.full((len(agents), max(days, 1)), "", dtype=object)
    place = {agent: number for number, agent in enumerate(agents)}
    if data.has("agents"):
        for row in data.sql("SELECT agent_id, team, valid_from, valid_to FROM agents").itertuples():
            if row.agent_id in place:
                begin = max((pd.Timestamp(row.valid_from) - first).days, 0)
                end = days if pd.isna(row.valid_to) else (pd.Timestamp(row.valid_to) - first).days + 1
                found[place[row.agent_id], begin : max(end, 0)] = row.team
        return found
    for table in ("evaluations", "contacts"):
        if data.has(table):
            told = data.sql(
                f"SELECT agent_id, mode(team) AS team FROM {data.window(table)} "
                "WHERE agent_id IS NOT NULL AND team IS NOT NULL GROUP BY agent_id"
            )
            for row in told.itertuples():
                if row.agent_id in place and not found[place[row.agent_id]].any():
                    found[place[row.agent_id]] = row.team
    return found


# --- needs, objectives and what was done ----------------------------------------------------------------------------


def _form(data: Data) -> list[str]:
    """List the criteria of call monitoring that are ever marked."""
    if not data.has("evaluations"):
        return []
    listed = data.sql(
        f"SELECT criterion FROM {data.window('evaluations')} WHERE source = 'call_monitoring' GROUP BY criterion "
        "HAVING count(points) > 0 ORDER BY 1"
    )
    return [str(one) for one in listed["criterion"]]


def _criteria_in(form: Iterable[str], words: str) -> list[str]:
    """Find the criteria of the form that a need or topic names, in the order in which it names them."""
    spoken = words.casefold()
    found = [
        (match.start(), one)
        for one in form
        if (match := re.search(rf"(?<!\w){re.escape(one.casefold())}(?!\w)", spoken))
    ]
    return [one for _, one in sorted(found)]


class _Objectives:
    """The objectives that measures and criteria serve, and the targets of their KPIs."""

    def __init__(self, data: Data) -> None:
        self.of_kpi: dict[str, tuple[str, float]] = {}
        if data.workspace.register_path.is_file():
            for kpi in register.load(data.workspace.register_path, data.workspace.tables).kpis:
                now = kpi.target_on(data.last_day)
                wanted = now.at("team") if now else None
                target = float(wanted) if isinstance(wanted, (int, float)) else float("nan")
                self.of_kpi.setdefault(kpi.as_of(data.last_day).measure.key, (kpi.objective, target))
        self.of_criterion: dict[str, list[str]] = {}
        if data.has("requirements"):
            asked = data.sql(
                "SELECT DISTINCT criterion, objective FROM requirements WHERE criterion IS NOT NULL AND objective IS "
                "NOT NULL AND valid_from <= $day AND (valid_to IS NULL OR valid_to >= $day) ORDER BY ALL",
                {"day": data.last_day},
            )
            self.of_criterion = asked.groupby("criterion")["objective"].agg(list).to_dict()

    def of(self, measure: str, criteria: Iterable[str]) -> tuple[str, float]:
        """Return the objectives of a measure and of the criteria it is about, and the measure's target.

        How long a contact takes has a target for planning and none for development.
        """
        spec = MEASURES.get(measure, MEASURES[QUALITY])
        if spec.unit == "s":
            return "", float("nan")
        own, target = self.of_kpi.get(spec.kpi, ("", float("nan")))
        more = [name for one in criteria for name in self.of_criterion.get(one, [])]
        return ", ".join(dict.fromkeys(filter(None, [own, *more]))), target if measure in MEASURES else float("nan")


def _done(done: pd.DataFrame, found: _Comparison) -> pd.DataFrame:
    """Count activities, people and hours: by method and topic at the centre and per person, by method per team."""
    if done.empty:
        return pd.DataFrame(columns=_DONE)
    rows = done.assign(
        need_given=(done["need"] != "").astype(float),
        team=[found.teams[found.place[row.agent_id], found._day(row.done_on)] for row in done.itertuples()],
    )
    parts = [
        _counted(rows[rows["topic"] != ""].assign(level="centre", unit="centre"), by_topic=True),
        _counted(rows.assign(level="centre", unit="centre"), by_topic=False),
        _counted(rows[rows["team"] != ""].assign(level="team", unit=lambda part: part["team"]), by_topic=False),
        _counted(rows.assign(level="agent", unit=lambda part: part["agent_id"]), by_topic=True),
    ]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)[_DONE]


def _counted(rows: pd.DataFrame, *, by_topic: bool) -> pd.DataFrame:
    rows = rows if by_topic else rows.assign(topic="")
    return rows.groupby(["level", "unit", "kind", "topic"], as_index=False).agg(
        n=("done_on", "size"),
        people=("agent_id", "nunique"),
        hours=("hours", "sum"),
        with_need=("need_given", "mean"),
        last_on=("done_on", "max"),
    )


def _needs(data: Data, done: pd.DataFrame, cases: Mapping[str, pd.DataFrame], found: _Comparison) -> pd.DataFrame:
    """List recorded needs and those that figures show, per person; count the people per team and centre."""
    rows = []
    for row in _shown_needs(data, cases, found):
        criteria = _criteria_in(found.form, row["need"])
        about = _about(done, row["unit"], row["need"])
        last = {"done_on": about["done_on"].max(), "done_kind": about["kind"].iloc[-1]} if len(about) else {}
        rows.append(row | {"objective": found.objectives.of(row["measure"], criteria)[0]} | last)
    latest = done[done["need"] != ""].sort_values("done_on").groupby(["agent_id", "need"], as_index=False).last()
    rows += [
        dict.fromkeys(_NEEDS, None)
        | {"level": "agent", "unit": row.agent_id, "need": row.need, "source": "recorded", "measure": ""}
        | {"done_on": row.done_on, "done_kind": row.kind}
        | {"objective": found.objectives.of(QUALITY, found.named[row.need])[0] if found.named[row.need] else ""}
        for row in latest.itertuples()
    ]
    listed = pd.DataFrame(rows, columns=_NEEDS)
    if listed.empty:
        return listed
    team = [found.teams[found.place[agent], -1] if agent in found.place else "" for agent in listed["unit"]]
    counts = []
    for level, units in (("team", team), ("centre", ["centre"] * len(listed))):
        tally = listed.assign(level=level, unit=units).groupby(["level", "unit", "need", "source"], as_index=False)
        part = tally.agg(people=("unit", "size"), objective=("objective", "first"))
        # a need of one or two people of a team would tell who they are
        part = part[(part["unit"] != "") & ((part["people"] >= FEWEST_IN_PROGRAMME) | (level == "centre"))]
        counts.append(part.assign(measure=""))
    numbers = ["value", "others", "ci_low", "ci_high", "n", "people", "p_value", "q_value"]
    whole = pd.concat([listed, *counts], ignore_index=True).reindex(columns=_NEEDS)
    whole[numbers] = whole[numbers].astype(float)
    return whole.assign(done_on=pd.to_datetime(whole["done_on"]))


def _about(done: pd.DataFrame, agent: str, need: str) -> pd.DataFrame:
    """Find what a person has had about a need, by its words."""
    own = done[done["agent_id"] == agent]
    words = own["topic"].str.casefold() + " " + own["need"].str.casefold()
    return own[words.str.contains(re.escape(need.casefold()))].sort_values("done_on")


def _shown_needs(data: Data, cases: Mapping[str, pd.DataFrame], found: _Comparison) -> list[dict[str, Any]]:
    """Find people whose recent figures are worse than their team mates' by more than chance, over all comparisons."""
    recent = pd.Timestamp(data.until) - pd.Timedelta(days=BEFORE)
    asked = [(name, name, cases[name]) for name in (TIME, IDENTITY) if name in cases]
    asked += [(one, QUALITY, _scores(data, [one])) for one in found.form]
    rows: list[dict[str, Any]] = []
    for need, measure, every in asked:
        part = every[every["day"] >= recent]
        part = part.assign(team=[found.teams[found.place[agent], -1] for agent in part["agent_id"]])
        for (team, agent), own in part[part["team"] != ""].groupby(["team", "agent_id"]):
            others = part[(part["team"] == team) & (part["agent_id"] != agent)]
            if len(own) < FEWEST_FOR_NEED or others["agent_id"].nunique() < FEWEST_COLLEAGUES:
                continue
            compared = _against(own["y"], others["y"], measure)
            if not np.isnan(compared["p_value"]):
                row = dict.fromkeys(_NEEDS, None) | {"level": "agent", "unit": agent, "need": need}
                row |= {"source": "figures", "measure": measure, "unit_of_value": MEASURES[measure].unit}
                rows.append(row | compared | {"n": len(own)})
    if not rows:
        return []
    for row, q_value in zip(rows, comparison.benjamini_hochberg([row["p_value"] for row in rows]), strict=True):
        row["q_value"] = float(q_value)
    return [row for row in rows if row["q_value"] <= FALSE_DISCOVERIES and _worse(row)]


def _against(own: pd.Series, others: pd.Series, measure: str) -> dict[str, float]:
    """Compare the cases of one person with those of others."""
    if measure == IDENTITY:
        tested = comparison.proportion_test(int(own.sum()), len(own), float(others.mean()))
        low, high = tested.interval
    else:
        tested = comparison.welch(own, others)
        low, high = intervals.mean_t(own)
    ends = {"ci_low": float(low), "ci_high": float(high)}
    return {"value": float(own.mean()), "others": float(others.mean()), "p_value": tested.p} | ends


def _worse(row: Mapping[str, Any]) -> bool:
    """Tell whether a figure lies on the side that may ask for help; a long time is a question, no verdict."""
    return bool(row["value"] > row["others"]) if row["measure"] == TIME else bool(row["value"] < row["others"])

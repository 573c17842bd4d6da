"""Complaints: how many, in time, upheld, of what cause, and how many are not recorded; escalations and authority.

Time limits are those of the FCA Handbook, DISP: a complaint is judged once its limit has passed, whether or not it
was answered. Few complaints are good news only where dissatisfaction is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from ccanalysis.kpis import register
from ccanalysis.kpis.calendars import is_business_day
from ccanalysis.kpis.quality import VALID
from ccanalysis.periods import Period
from ccanalysis.questions import compared
from ccanalysis.questions.data import Data, Frame
from ccanalysis.statistics import intervals
from ccanalysis.statistics.comparison import benjamini_hochberg, holm, rate_ratio_test
from ccanalysis.statistics.pareto import pareto

# FCA Handbook, DISP 1.5: resolved by the close of the third business day following the day of receipt.
SUMMARY_BUSINESS_DAYS = 3
# FCA Handbook, DISP 1.6.2R: a final or other written response within eight weeks of receipt.
FINAL_DAYS = 56
# How far ahead complaints that fall due are told of, in days: what next week's work can still answer in time.
DUE_SOON_DAYS = 7
# The criterion by which evaluators say whether dissatisfaction was logged; as in the measure `complaint_capture`.
CRITERION = "Complaint logged"
# Weeks after a fix in which its effect is looked for: long enough for it to show, short of a relapse.
FIRST_WEEKS = 6
# Weeks that count as recent in the course of a root cause, and the fewest on either side of a relapse.
RECENT_WEEKS, FEWEST_WEEKS = 8, 3
# What those named as line managers in the roster are called in the table of delegations, beside the centre's own word.
MANAGER_ROLES = ("line manager", "team leader", "team manager")
_WEEKS_A_YEAR = 365.25 / 7
_LEVELS = {"centre": "'centre'", "site": "site", "team": "team"}
_TEAMS = {"team": 2.0}
REASONS = ("authority_limit", "specialist_knowledge", "customer_demand", "regulatory")

_RATES = [
    *("level", "unit", "n", "contacts", "value", "ci_low", "ci_high", *compared.COLUMNS),
    *("evaluated", "n_found", "n_logged", "found_share", "under_recorded"),
]
_CLOCKS = ["clock", "level", "unit", "n", "n_in_time", "value", "ci_low", "ci_high"]
_AGEING = ["band", "n", "high_risk"]
_OUTCOMES = ["level", "unit", "n", "upheld", "value", "ci_low", "ci_high", "redress", "paid"]
_CAPTURE = [
    *("level", "unit", "n", "logged", "value", "ci_low", "ci_high", "evaluated", "contacts"),
    *("unrecorded", "unrecorded_low", "unrecorded_high"),
]
_CAUSES = [
    *("root_cause", "n", "share", "cumulative_share", "decided", "upheld", "uphold_share", "ci_low", "ci_high"),
    *("redress", "high_risk", "recent", "earlier", "ratio", "ratio_low", "ratio_high", "q_value", "course"),
]
_RECURRENCE = [
    *("root_cause", "action_id", "what", "starts_on", "named", "n", "before", "before_low", "before_high", "quiet"),
    *("quiet_low", "quiet_high", "quiet_weeks", "back_from", "back", "back_low", "back_high", "back_weeks"),
    *("ratio", "ratio_low", "ratio_high", "q_value", "outcome"),
]
# What is known only of a cause that came back.
_SINCE = ("back", "back_low", "back_high", "back_weeks", "ratio", "ratio_low", "ratio_high")
_PRIZES = [
    *("root_cause", "lever", "now", "then", "n", "complaints", "complaints_low", "complaints_high"),
    *("contacts", "hours", "redress"),
]
_ESCALATED = [
    *("reason", "level", "unit", "n", "contacts", "value", "ci_low", "ci_high", *compared.COLUMNS),
    *("median_h", "p90_h", "n_open", "oldest_days", "written"),
]
_AUTHORITY = [
    *("level", "unit", "n", "judged", "over", "over_own", "value", "ci_low", "ci_high", "split", "split_amount"),
    *("unknown",),
]
_RATIONALE = ["level", "unit", "n", "missing", "value", "ci_low", "ci_high", *compared.COLUMNS]
_HIGH_RISK = ["n", "open", "late", "answered", "in_time", "value", "ci_low", "ci_high"]
_DECISIONS = ["level", "unit", "kind", "reference", "on_date", "amount", "limit", "decisions", "role"]
_OPEN = ["level", "unit", "reference", "received_on", "due_on", "days_left", "high_risk"]
_COMPLAINT = [
    *("complaint_id", "contact_id", "local_date", "site", "team", "agent_id", "root_cause", "outcome", "redress"),
    *("high_risk", "received_on", "summary_on", "responded_on", "closed_on", "summary_due", "final_due", "window"),
    *("summary", "answered_on", "open"),
]


def answer(data: Data) -> Mapping[str, Frame]:
    """Return the frames of the question.

    Args:
        data: The tables of the window.

    Returns:
        `rates`: complaints per 1,000 contacts by unit, against the others, and whether few are a sign of too little
        recording. `capture`: dissatisfaction that evaluators found, logged and not. `clocks`, `ageing`: time limits.
        `outcomes`: upheld and redress. `causes`, `cause_weeks`, `recurrence`, `prizes`: root causes, their course,
        what became of fixes, and what ending them is worth a year. `escalations`: by reason and unit. `authority`:
        decisions above the limit and split under it. `rationale`: decisions without recorded reasons. `high_risk`:
        high-risk and high-profile cases. `decisions`, `open_cases`: single cases of agents, for their line manager.
    """
    made = _complaints(data)
    capture = _capture(data)
    rates = _rates(data, made, capture)
    recurrence = _recurrence(data, made)
    referred = _escalations(data)
    return {
        "rates": Frame(rates, ["level", "unit"]),
        "capture": Frame(capture, ["level", "unit"]),
        "clocks": Frame(_clocks(data, made), ["clock", "level", "unit"]),
        "ageing": Frame(_ageing(data, made), ["band"]),
        "outcomes": Frame(_outcomes(made, data), ["level", "unit"]),
        "causes": Frame(_causes(data, made), ["root_cause"]),
        "cause_weeks": Frame(_cause_weeks(data, made), ["root_cause", "week"]),
        "recurrence": Frame(recurrence, ["root_cause", "action_id"]),
        "prizes": Frame(_prizes(data, made, rates, recurrence), ["root_cause", "lever"]),
        "escalations": Frame(_by_reason(data, referred), ["reason", "level", "unit"]),
        "authority": Frame(_authority(referred), ["level", "unit"]),
        "rationale": Frame(_rationale(referred), ["level", "unit"]),
        "high_risk": Frame(_high_risk(data, made), []),
        "decisions": Frame(_decisions(referred), ["level", "unit", "kind", "reference"]),
        "open_cases": Frame(_open_cases(data, made), ["level", "unit", "reference"]),
    }


def _local(data: Data, instants: pd.Series) -> pd.Series:
    """Return the local days of instants; one after the window is not known yet at its end."""
    days = pd.to_datetime(instants, utc=True).dt.tz_convert(data.workspace.centre.time_zone)
    days = days.dt.tz_localize(None).dt.normalize().astype("datetime64[us]")
    return days.where(days < pd.Timestamp(data.until))


def _day(day: date) -> str:
    return f"DATE '{day.isoformat()}'"


def _contacts(data: Data, unit: str) -> pd.Series:
    """Count handled contacts by unit, over the days on which both contacts and complaints are fit."""
    if not data.has("contacts"):
        return pd.Series(dtype=float)
    counts = data.sql(
        f"SELECT {unit} AS unit, count(*) AS n FROM {_fit(data, 'contacts', 'complaints')} "
        "WHERE outcome = 'answered' AND unit IS NOT NULL GROUP BY ALL ORDER BY unit"
    )
    return counts.set_index("unit")["n"].astype(float)


def _fit(data: Data, table: str, other: str) -> str:
    """Return the rows of a table within the window, without the days that are left out of it or of another table."""
    where = "".join(
        f" AND NOT (local_date >= {_day(begin)} AND local_date < {_day(end)})"
        for _, begin, end in data.left_out.get(other, ())
    )
    return f"(SELECT * FROM {data.window(table)} WHERE TRUE{where})"


# --- complaints -----------------------------------------------------------------------------------------------------


def _complaints(data: Data) -> pd.DataFrame:
    """Return all complaints received until the end of the window, with their clocks, as they stood at its end."""
    if not data.has("complaints"):
        return pd.DataFrame(columns=_COMPLAINT)
    rows = data.sql(
        f"SELECT * FROM complaints WHERE local_date < {_day(data.until)} "
        f"AND received_at IS NOT NULL ORDER BY received_at, complaint_id"
    )
    received = pd.to_datetime(rows["local_date"]).astype("datetime64[us]")
    left = np.zeros(len(rows), dtype=bool)
    for _, begin, end in data.left_out.get("complaints", ()):
        left |= ((received >= pd.Timestamp(begin)) & (received < pd.Timestamp(end))).to_numpy()
    rows = rows.assign(
        received_on=received,
        summary_on=_local(data, rows["summary_sent_at"]),
        responded_on=_local(data, rows["responded_at"]),
        closed_on=_local(data, rows["closed_at"]),
        summary_due=_third_business_day(data, received),
        final_due=received + pd.Timedelta(days=FINAL_DAYS),
        window=(received >= pd.Timestamp(data.since)) & ~left,
    )
    resolved = rows["summary_on"].fillna(rows["closed_on"])
    # where no final response is ever exported, closing is the best word on when it was answered
    answered = rows["responded_on"] if rows["responded_at"].notna().any() else rows["closed_on"]
    return rows.assign(
        summary=resolved <= rows["summary_due"],
        answered_on=answered,
        open=rows["closed_on"].isna() & rows["responded_on"].isna() & rows["summary_on"].isna(),
    )[_COMPLAINT]


def _third_business_day(data: Data, received: pd.Series) -> pd.Series:
    """Return the last day of the summary resolution; empty where the centre names no nation."""
    nation = data.workspace.centre.holidays
    if not nation or received.empty:
        if not nation:
            data.notes.append('The business-day limit needs the holidays of a nation: write holidays = "GB-ENG".')
        return pd.Series(pd.NaT, index=received.index, dtype="datetime64[us]")
    days = pd.date_range(received.min(), received.max() + timedelta(days=30))
    kept = days[is_business_day(nation, days)].to_numpy()
    after = np.searchsorted(kept, received.to_numpy(), side="right")
    return pd.Series(kept[after + SUMMARY_BUSINESS_DAYS - 1], index=received.index).astype("datetime64[us]")


def _by_level(rows: pd.DataFrame, level: str) -> Any:
    return rows.groupby(pd.Series("centre", index=rows.index) if level == "centre" else rows[level], sort=True)


def _rates(data: Data, made: pd.DataFrame, capture: pd.DataFrame) -> pd.DataFrame:
    """Give complaints per 1,000 handled contacts, against the others, beside what evaluators found."""
    own = made[made["window"].astype(bool)]
    for _, begin, end in data.left_out.get("contacts", ()):
        day = own["received_on"]
        own = own[~((day >= pd.Timestamp(begin)) & (day < pd.Timestamp(end)))]
    rows = []
    for level, column in _LEVELS.items():
        counts = _by_level(own, level).size()
        handled = _contacts(data, column)
        for unit in handled.index:
            row = {"level": level, "unit": unit, "n": float(counts.get(unit, 0)), "contacts": handled[unit]}
            rows.append(row)
    if not rows:
        return pd.DataFrame(columns=_RATES)
    frame = pd.DataFrame(rows)
    frame["value"] = 1000 * frame["n"] / frame["contacts"]
    low, high = intervals.byar(frame["n"], frame["contacts"])
    frame = frame.assign(ci_low=1000 * low, ci_high=1000 * high)
    frame = compared.with_peers(frame, "n", "contacts", levels=_TEAMS)
    seen = capture.rename(columns={"n": "n_found", "logged": "n_logged"})
    frame = frame.merge(seen[["level", "unit", "evaluated", "n_found", "n_logged"]], on=["level", "unit"], how="left")
    frame["found_share"] = frame["n_found"] / frame["evaluated"]
    frame["under_recorded"] = _under_recorded(frame)
    return frame.reindex(columns=_RATES)


def _under_recorded(frame: pd.DataFrame) -> list[bool]:
    """Mark teams of few complaints in whose contacts evaluators find no less dissatisfaction than elsewhere.

    Less is said only beyond chance: a team with few complaints and little dissatisfaction may simply please.
    """
    teams = frame[(frame["level"] == "team") & (frame["evaluated"] > 0)]
    held = compared.against_others(teams["n_found"], teams["evaluated"]).set_index(teams.index)
    less = held.index[held["outcome"] == "fewer"]
    few = frame["outcome"] == "fewer" if "outcome" in frame else pd.Series(data=False, index=frame.index)
    return (few & (frame["evaluated"] > 0) & ~frame.index.isin(less)).tolist()


def _capture(data: Data) -> pd.DataFrame:
    """Give the dissatisfaction that evaluators found and how much of it was logged; what that is of all contacts."""
    if not data.has("evaluations"):
        return pd.DataFrame(columns=_CAPTURE)
    rows = []
    for level, column in _LEVELS.items():
        counts = data.sql(
            f"SELECT {column} AS unit, count(DISTINCT evaluation_id) AS evaluated, "
            "count(*) FILTER (criterion = $criterion AND points IS NOT NULL) AS n, "
            "count(*) FILTER (criterion = $criterion AND points >= max_points) AS logged "
            f"FROM {data.window('evaluations')} WHERE {VALID} GROUP BY ALL HAVING unit IS NOT NULL ORDER BY unit",
            {"criterion": CRITERION},
        )
        handled = _contacts(data, column)
        rows += [
            row | {"level": level, "contacts": handled.get(row["unit"], np.nan)} for row in counts.to_dict("records")
        ]
    frame = pd.DataFrame(rows, columns=["level", "unit", "n", "logged", "evaluated", "contacts"])
    frame = frame.astype(dict.fromkeys(("n", "logged", "evaluated", "contacts"), float))
    if frame["n"].sum() == 0:
        return pd.DataFrame(columns=_CAPTURE)
    frame["value"] = (frame["logged"] / frame["n"]).where(frame["n"] > 0)
    frame["ci_low"], frame["ci_high"] = intervals.wilson(frame["logged"], frame["n"])
    # evaluated contacts stand for all: so many of them held dissatisfaction that nobody logged
    unlogged = frame["n"] - frame["logged"]
    low, high = intervals.wilson(unlogged, frame["evaluated"])
    frame["unrecorded"] = unlogged / frame["evaluated"] * frame["contacts"]
    frame["unrecorded_low"], frame["unrecorded_high"] = low * frame["contacts"], high * frame["contacts"]
    return frame[_CAPTURE]


def _clocks(data: Data, made: pd.DataFrame) -> pd.DataFrame:
    """Give the share in time of the complaints whose limit has passed."""
    end = pd.Timestamp(data.until)
    own = made[made["window"].astype(bool)]
    summary = own[own["summary_due"] < end].assign(in_time=lambda one: one["summary"].astype(bool))
    final = own[~own["summary"].astype(bool) & (own["final_due"] < end)]
    final = final.assign(in_time=final["answered_on"] <= final["final_due"])
    rows = []
    for clock, due in (("summary", summary), ("final", final)):
        for level in _LEVELS:
            for unit, part in _by_level(due, level):
                row = {"clock": clock, "level": level, "unit": unit, "n": float(len(part))}
                rows.append(row | {"n_in_time": float(part["in_time"].sum())})
    frame = pd.DataFrame(rows, columns=_CLOCKS)
    if frame.empty:
        return frame
    frame["value"] = frame["n_in_time"] / frame["n"]
    frame["ci_low"], frame["ci_high"] = intervals.wilson(frame["n_in_time"], frame["n"])
    return frame


_BANDS = ("in the first three business days", "up to 4 weeks", "4 to 8 weeks", "over 8 weeks", "due within a week")


def _ageing(data: Data, made: pd.DataFrame) -> pd.DataFrame:
    """Count open complaints by age; those whose eight weeks end within a week are counted once more."""
    opened = made[made["open"].astype(bool)]
    last = pd.Timestamp(data.last_day)
    days = (last - opened["received_on"]).dt.days if len(opened) else pd.Series(dtype=float)
    young = opened["summary_due"] >= last
    late = opened["final_due"] < last
    soon = ~late & (opened["final_due"] <= last + pd.Timedelta(days=DUE_SOON_DAYS))
    parts = (young, ~young & (days <= 28), ~young & (days > 28) & ~late, late, soon)
    return pd.DataFrame(
        [
            (band, float(part.sum()), float((part & opened["high_risk"].fillna(False).astype(bool)).sum()))
            for band, part in zip(_BANDS, parts, strict=True)
        ],
        columns=_AGEING,
    )


def _decided(made: pd.DataFrame, data: Data) -> pd.DataFrame:
    """Return the complaints closed in the window on which something was decided, with whether they were upheld."""
    closed = made[made["closed_on"] >= pd.Timestamp(data.since)]
    goodwill = closed["outcome"].isna() & (closed["redress"] > 0)
    upheld = closed["outcome"].isin(["upheld", "part_upheld"]) | goodwill
    return closed.assign(upheld=upheld)[closed["outcome"].notna() | goodwill]


def _outcomes(made: pd.DataFrame, data: Data) -> pd.DataFrame:
    decided = _decided(made, data)
    rows = [
        {
            "level": level,
            "unit": unit,
            "n": float(len(part)),
            "upheld": float(part["upheld"].sum()),
            "value": part["upheld"].mean(),
            "redress": float(part["redress"].fillna(0).sum()),
            "paid": float((part["redress"] > 0).sum()),
        }
        for level in _LEVELS
        for unit, part in _by_level(decided, level)
    ]
    frame = pd.DataFrame(rows, columns=_OUTCOMES)
    if len(frame):
        frame["ci_low"], frame["ci_high"] = intervals.wilson(frame["upheld"], frame["n"])
    return frame


def _high_risk(data: Data, made: pd.DataFrame) -> pd.DataFrame:
    """Count high-risk and high-profile complaints and how they stand against eight weeks."""
    own = made[made["window"].astype(bool) & made["high_risk"].fillna(False).astype(bool)]
    if own.empty:
        return pd.DataFrame(columns=_HIGH_RISK)
    last = pd.Timestamp(data.last_day)
    due = own[~own["open"].astype(bool) | (own["final_due"] < last)]
    answered = due["answered_on"].fillna(due["summary_on"]).fillna(due["closed_on"])
    in_time = int((answered <= due["final_due"]).sum())
    low, high = intervals.wilson(in_time, len(due))
    row = {
        "n": float(len(own)),
        "open": float(own["open"].sum()),
        "late": float((own["open"].astype(bool) & (own["final_due"] < last)).sum()),
        "answered": float(len(due)),
        "in_time": float(in_time),
        "value": in_time / len(due) if len(due) else np.nan,
        "ci_low": float(low),
        "ci_high": float(high),
    }
    return pd.DataFrame([row], columns=_HIGH_RISK)


def _open_cases(data: Data, made: pd.DataFrame) -> pd.DataFrame:
    """List the open complaints of single agents, those due first at the top."""
    own = made[made["open"].astype(bool) & made["agent_id"].notna()].sort_values("final_due", kind="stable")
    rows = own.assign(
        level="agent",
        unit=own["agent_id"],
        reference=own["complaint_id"],
        due_on=own["final_due"],
        days_left=(own["final_due"] - pd.Timestamp(data.last_day)).dt.days if len(own) else np.nan,
    )
    return rows[_OPEN]


# --- root causes ----------------------------------------------------------------------------------------------------


def _weeks(data: Data) -> pd.DataFrame:
    """Return the ISO weeks of the window in which complaints are fit."""
    weeks = data.weeks()
    out = [(begin, end) for _, begin, end in data.left_out.get("complaints", ())]
    spans = [Period.parse(label) for label in weeks["week"]]
    fit = [not any(begin < span.end and span.start < end for begin, end in out) for span in spans]
    return weeks[np.array(fit, dtype=bool)].reset_index(drop=True)


def _cause_weeks(data: Data, made: pd.DataFrame) -> pd.DataFrame:
    """Count the complaints of each root cause by ISO week of receipt."""
    own = made[made["window"].astype(bool) & made["root_cause"].notna()]
    starts = own["received_on"] - pd.to_timedelta(own["received_on"].dt.day_of_week, unit="D") if len(own) else []
    weeks = _weeks(data)
    counts = own.groupby(["root_cause", pd.Series(starts, index=own.index)]).size() if len(own) else {}
    rows = [
        (cause, week.week, week.starts_on, float(counts.get((cause, pd.Timestamp(week.starts_on)), 0)))
        for cause in sorted(own["root_cause"].unique())
        for week in weeks.itertuples()
    ]
    return pd.DataFrame(rows, columns=["root_cause", "week", "starts_on", "n"])


def _causes(data: Data, made: pd.DataFrame) -> pd.DataFrame:
    """Order root causes by how many complaints they make; their uphold rate, redress, and course."""
    own = made[made["window"].astype(bool)]
    known = own[own["root_cause"].notna()]
    if known.empty:
        return pd.DataFrame(columns=_CAUSES)
    frame = pareto(known["root_cause"].value_counts())
    frame = frame.rename(columns={"count": "n"}).rename_axis("root_cause").reset_index().drop(columns="cumulative")
    decided = _decided(made, data)
    by = decided[decided["root_cause"].notna()].groupby("root_cause")
    counts = pd.DataFrame({"decided": by.size(), "upheld": by["upheld"].sum(), "redress": by["redress"].sum()})
    frame = frame.join(counts.astype(float), on="root_cause")
    frame["uphold_share"] = frame["upheld"] / frame["decided"]
    frame["ci_low"], frame["ci_high"] = intervals.wilson(frame["upheld"].fillna(0), frame["decided"].fillna(0))
    risky = known[known["high_risk"].fillna(False).astype(bool)]["root_cause"].value_counts()
    frame["high_risk"] = [float(risky.get(cause, 0)) for cause in frame["root_cause"]]
    start = own["received_on"] - pd.to_timedelta(own["received_on"].dt.day_of_week, unit="D")
    return _with_course(frame, _cause_weeks(data, made), own["root_cause"].notna().groupby(start).mean())[_CAUSES]


def _with_course(frame: pd.DataFrame, weeks: pd.DataFrame, known: pd.Series) -> pd.DataFrame:
    """Compare the last weeks of each root cause with those before, over all causes at once.

    A young complaint has no root cause yet. So a week counts for as much as the share of its complaints whose cause
    is known: the others are taken to be like them.

    Args:
        frame: The root causes.
        weeks: Their counts by week.
        known: The share of complaints with a root cause, by first day of the week.
    """
    starts = pd.to_datetime(weeks["starts_on"].drop_duplicates())
    size = starts.map(known).fillna(1.0).set_axis(starts)
    recent, earlier = starts[-RECENT_WEEKS:], starts[:-RECENT_WEEKS]
    now_size, then_size = (max(float(size[some].sum()), 0.0) for some in (recent, earlier))
    rows = []
    for cause in frame["root_cause"]:
        own = weeks.loc[weeks["root_cause"] == cause].set_index(starts)["n"]
        now, then = float(own[recent].sum()), float(own[earlier].sum())
        enough = len(earlier) >= RECENT_WEEKS and now_size > 0 and then_size > 0
        test = rate_ratio_test(int(now), now_size, int(then), then_size) if enough else None
        rows.append(
            {
                "recent": now / now_size if now_size else np.nan,
                "earlier": then / then_size if then_size else np.nan,
                "ratio": test.estimate if test else np.nan,
                "ratio_low": test.interval.low if test else np.nan,
                "ratio_high": test.interval.high if test else np.nan,
                "p": test.p if test else np.nan,
            }
        )
    found = pd.DataFrame(rows)
    found["q_value"] = benjamini_hochberg(found["p"])
    apart = found["q_value"] <= compared.FALSE_DISCOVERIES
    found["course"] = np.select(
        [found["p"].isna(), apart & (found["ratio"] > 1), apart], ["cannot tell", "more", "fewer"], "none"
    )
    return frame.join(found.drop(columns="p"))


def _fixes(data: Data, causes: list[str]) -> list[dict[str, Any]]:
    """List the actions that were to end a root cause: by its name, else each that is to move complaints as a whole."""
    if not data.has("actions"):
        return []
    known = register.load(data.workspace.register_path, data.workspace.tables).kpis
    on_complaints = {kpi.id for kpi in known if kpi.measure.key in ("complaints_per_1000", "recurrence")}
    listed = data.sql(
        "SELECT action_id, what, starts_on, kpi, level, root_cause FROM actions "
        f"WHERE starts_on >= {_day(data.since)} AND starts_on < {_day(data.until)} "
        "AND coalesce(state, '') <> 'dropped' ORDER BY starts_on, action_id"
    )
    found = []
    for row in listed.to_dict("records"):
        named = row["root_cause"] if isinstance(row["root_cause"], str) else ""
        general = not named and row["kpi"] in on_complaints and row["level"] in (None, "centre")
        own = (
            [cause for cause in causes if cause.casefold() == named.casefold()] if named else causes if general else []
        )
        found += [row | {"root_cause": cause, "named": bool(named)} for cause in own]
    return found


def _recurrence(data: Data, made: pd.DataFrame) -> pd.DataFrame:
    """Say of each fix whether its root cause fell, and whether it came back."""
    weeks = _cause_weeks(data, made)
    rows = []
    for fix in _fixes(data, sorted(weeks["root_cause"].unique())):
        own = weeks[weeks["root_cause"] == fix["root_cause"]].reset_index(drop=True)
        row = _around(own, pd.Timestamp(fix["starts_on"]))
        if row is not None:
            rows.append({**fix, **row})
    if not rows:
        return pd.DataFrame(columns=_RECURRENCE)
    frame = pd.DataFrame(rows)
    frame["q_value"] = benjamini_hochberg(frame["p"])
    fell = (frame["q_value"] <= compared.FALSE_DISCOVERIES) & (frame["first_ratio"] < 1)
    frame["outcome"] = np.where(
        fell,
        np.where(frame["back_p"] <= compared.FALSE_DISCOVERIES, "came back", "held"),
        np.where(frame["able"], "no change", "cannot tell"),
    )
    # what fell without being named is told; what did not is no fix of that cause
    frame = frame[frame["named"] | fell]
    held = frame["outcome"] != "came back"
    for column in ("back_from", *_SINCE):
        frame[column] = frame[column].mask(held)
    return frame.reindex(columns=_RECURRENCE).reset_index(drop=True)


def _around(own: pd.DataFrame, day: pd.Timestamp) -> dict[str, Any] | None:
    """Compare the weeks before a fix, the quiet time after it, and the time since it came back."""
    starts = pd.to_datetime(own["starts_on"])
    before = own.loc[starts + pd.Timedelta(days=7) <= day, "n"]
    after = own[starts >= day].reset_index(drop=True)
    if len(before) < FEWEST_WEEKS or len(after) < FEWEST_WEEKS:
        return None
    first = after["n"].head(FIRST_WEEKS)
    test = rate_ratio_test(int(first.sum()), len(first), int(before.sum()), len(before))
    least = rate_ratio_test(0, len(first), int(before.sum()), len(before))
    splits = range(FEWEST_WEEKS, len(after) - FEWEST_WEEKS + 1)
    tried = [_split(after["n"], at) for at in splits]
    ends = {"quiet_weeks": float(len(after)), "quiet": after["n"].mean(), "back_p": np.nan}
    best: dict[str, Any] = dict.fromkeys(_SINCE, np.nan)
    best["back_from"] = None
    quiet = float(after["n"].sum())
    if tried:
        p_values = holm([one.p for one in tried])
        at = int(np.nanargmin([one.p for one in tried])) if np.isfinite(p_values).any() else 0
        place = splits[at]
        rises = tried[at].estimate > 1
        if rises and p_values[at] <= compared.FALSE_DISCOVERIES:
            quiet = float(after["n"][:place].sum())
            back = after["n"][place:]
            ends = {"quiet_weeks": float(place), "quiet": quiet / place, "back_p": float(p_values[at])}
            low, high = intervals.byar(back.sum(), len(back))
            best = {"back": back.mean(), "back_low": float(low), "back_high": float(high)}
            best |= {"back_weeks": float(len(back)), "back_from": str(after["week"].iloc[place])}
            best |= {"ratio": tried[at].estimate}
            best |= dict(zip(("ratio_low", "ratio_high"), map(float, tried[at].interval), strict=True))
    low, high = intervals.byar(before.sum(), len(before))
    quiet_low, quiet_high = intervals.byar(quiet, ends["quiet_weeks"])
    return {
        "n": float(own["n"].sum()),
        "before": before.mean(),
        "before_low": float(low),
        "before_high": float(high),
        "quiet_low": float(quiet_low),
        "quiet_high": float(quiet_high),
        "p": test.p,
        "first_ratio": test.estimate,
        "able": least.p <= compared.FALSE_DISCOVERIES,
        **ends,
        **best,
    }


def _split(counts: pd.Series, at: int) -> Any:
    return rate_ratio_test(int(counts[at:].sum()), len(counts) - at, int(counts[:at].sum()), at)


def _prizes(data: Data, made: pd.DataFrame, rates: pd.DataFrame, recurrence: pd.DataFrame) -> pd.DataFrame:
    """Say what ending a cause would save a year: brought back to after its fix, or to the best team beyond chance."""
    rows = []
    for row in recurrence[recurrence["outcome"] == "came back"].to_dict("records"):
        a_year = row["back"] * _WEEKS_A_YEAR
        saved = [a_year * (1 - 1 / row[key]) for key in ("ratio", "ratio_low", "ratio_high")]
        rows.append(
            {"root_cause": row["root_cause"], "lever": "after its fix", "now": row["back"], "then": row["quiet"]}
            | {"n": row["n"], "complaints": saved[0], "complaints_low": saved[1], "complaints_high": saved[2]}
        )
    rows += _as_best_team(data, made, rates)
    if not rows:
        return pd.DataFrame(columns=_PRIZES)
    each = _each(data, made)
    frame = pd.DataFrame(rows).join(each, on="root_cause")
    for column in ("contacts", "hours", "redress"):
        frame[column] = frame["complaints"] * frame[column]
    return frame.reindex(columns=_PRIZES)


def _as_best_team(data: Data, made: pd.DataFrame, rates: pd.DataFrame) -> list[dict[str, Any]]:
    """Find causes that one team has fewer of than the others beyond chance; one that records too little is no model."""
    handled = rates[(rates["level"] == "team") & ~rates["under_recorded"].astype(bool)].set_index("unit")["contacts"]
    own = made[made["window"].astype(bool) & made["root_cause"].notna() & made["team"].isin(handled.index)]
    counts = own.groupby(["root_cause", "team"]).size()
    pairs = [(cause, team) for cause in sorted(own["root_cause"].unique()) for team in handled.index]
    if not pairs:
        return []
    frame = pd.DataFrame(pairs, columns=["root_cause", "team"])
    frame["n"] = [float(counts.get(pair, 0)) for pair in pairs]
    frame["contacts"] = [handled[team] for _, team in pairs]
    held = compared.against_others(frame["n"], frame["contacts"], groups=frame["root_cause"])
    frame = frame.join(held)
    weeks = max(len(_weeks(data)), 1)
    rows = []
    for cause, part in frame[frame["outcome"] == "fewer"].groupby("root_cause"):
        best = part.loc[part["ratio"].idxmin()]
        others = frame[(frame["root_cause"] == cause) & (frame["team"] != best["team"])]
        a_year = others["n"].sum() / weeks * _WEEKS_A_YEAR
        rows.append(
            {
                "root_cause": cause,
                "lever": "the best team",
                "now": others["n"].sum() / weeks,
                "then": others["contacts"].sum() * best["n"] / best["contacts"] / weeks,
                "n": float(others["n"].sum()),
                "complaints": a_year * (1 - best["ratio"]),
                "complaints_low": a_year * (1 - best["ratio_high"]),
                "complaints_high": a_year * (1 - best["ratio_low"]),
            }
        )
    return rows


def _each(data: Data, made: pd.DataFrame) -> pd.DataFrame:
    """Say what one complaint of a cause takes: the contact it was made in, its handling time, and redress."""
    own = made[made["root_cause"].notna() & made["window"].astype(bool)]
    closed = own[own["closed_on"].notna()]
    each = pd.DataFrame({"redress": closed["redress"].fillna(0).groupby(closed["root_cause"]).mean()})
    each["contacts"] = own["contact_id"].notna().groupby(own["root_cause"]).mean()
    each["hours"] = np.nan
    if data.has("contacts") and data.fills("contacts", "talk_s"):
        times = data.sql(
            "SELECT root_cause, avg(coalesce(talk_s, 0) + coalesce(hold_s, 0) + coalesce(acw_s, 0)) / 3600 AS hours "
            f"FROM {data.window('complaints')} m JOIN {data.window('contacts')} c USING (contact_id) "
            "WHERE root_cause IS NOT NULL AND talk_s IS NOT NULL GROUP BY ALL"
        ).set_index("root_cause")["hours"]
        each["hours"] = times.reindex(each.index) * each["contacts"]
    return each


# --- escalations and authority --------------------------------------------------------------------------------------


def _escalations(data: Data) -> pd.DataFrame:
    """Return escalations and decisions within the window, with the role of who decided and their limit on that day."""
    columns = ["escalation_id", "contact_id", "local_date", "site", "team", "agent_id", "reason", "route", "decided_by"]
    columns += ["decision", "amount", "rationale_recorded", "referred_at", "resolved_at", "decider", "role", "limit"]
    if not data.has("escalations"):
        return pd.DataFrame(columns=columns)
    roles = ", NULL AS decider, NULL AS role"
    joined = ""
    if data.has("agents"):
        roles = ", a.agent_id AS decider, a.role AS role"
        joined = (
            "LEFT JOIN agents a ON e.decided_by IN (a.agent_id, a.agent_name) AND e.local_date >= a.valid_from "
            "AND (a.valid_to IS NULL OR e.local_date <= a.valid_to) "
        )
    rows = data.sql(
        f"SELECT e.*{roles} FROM {data.window('escalations')} e {joined}"
        "QUALIFY row_number() OVER (PARTITION BY e.escalation_id ORDER BY role) = 1 "
        "ORDER BY e.referred_at, e.escalation_id"
    )
    if data.has("agents"):
        managers = set(data.sql("SELECT DISTINCT line_manager FROM agents")["line_manager"].dropna())
        leads = rows["role"].isna() & rows["decided_by"].isin(managers)
        rows["role"] = rows["role"].astype(object).mask(leads, MANAGER_ROLES[0])
    return rows.assign(limit=_limits(data, rows))[columns]


def _limits(data: Data, rows: pd.DataFrame) -> list[float]:
    """Find the limit of each decision: of the role, for its kind, on its day."""
    if not data.has("delegations"):
        return [float("nan")] * len(rows)
    limits = data.sql('SELECT role, kind, "limit", valid_from, valid_to FROM delegations ORDER BY valid_from')
    kinds = limits["kind"].dropna().unique()
    managers = {*MANAGER_ROLES, str(data.workspace.unit_names.get("line_manager", "")).casefold()}
    given = limits["role"].str.casefold().map(lambda role: MANAGER_ROLES[0] if role in managers else role)
    begins, ends = pd.to_datetime(limits["valid_from"]), pd.to_datetime(limits["valid_to"])
    found = []
    for row in rows.itertuples():
        # a decision without a kind is of the only kind that is delegated
        kind = row.decision if isinstance(row.decision, str) else kinds[0] if len(kinds) == 1 else None
        day = pd.Timestamp(row.local_date)
        role = str(row.role).casefold() if isinstance(row.role, str) else ""
        own = limits[(given == role) & (limits["kind"] == kind) & (begins <= day) & ~(ends < day)]
        found.append(float(own["limit"].iloc[-1]) if len(own) else float("nan"))
    return found


def _by_reason(data: Data, referred: pd.DataFrame) -> pd.DataFrame:
    """Count referrals by reason and unit per 1,000 contacts, and how long they took; teams against the others."""
    own = referred[referred["reason"].notna()]
    out = data.left_out.get("contacts", ())
    day = pd.to_datetime(own["local_date"])
    counted = (
        own[~np.any([(day >= pd.Timestamp(a)) & (day < pd.Timestamp(b)) for _, a, b in out], axis=0)] if out else own
    )
    rows = []
    for level, column in _LEVELS.items():
        handled = _handled(data, column)
        for reason in ("", *REASONS):
            some = own[own["reason"] == reason] if reason else own
            rated = counted[counted["reason"] == reason] if reason else counted
            by, events = _by_level(some, level), _by_level(rated, level).size()
            for unit, part in by:
                row = {"reason": reason, "level": level, "unit": unit, "n": float(len(part))}
                row |= {"events": float(events.get(unit, 0)), "contacts": float(handled.get(unit, np.nan))}
                rows.append(row | _times(data, part))
    if not rows:
        return pd.DataFrame(columns=_ESCALATED)
    frame = pd.DataFrame(rows)
    frame["value"] = 1000 * frame["events"] / frame["contacts"]
    low, high = intervals.byar(frame["events"], frame["contacts"].fillna(0))
    frame = frame.assign(ci_low=1000 * low, ci_high=1000 * high)
    one = frame[frame["reason"] != ""]
    held = compared.with_peers(
        one.assign(contacts=one["contacts"].fillna(0)), "events", "contacts", levels=_TEAMS, group="reason"
    )
    return frame.join(held[[*compared.COLUMNS]]).reindex(columns=_ESCALATED)


def _handled(data: Data, column: str) -> pd.Series:
    if not data.has("contacts"):
        return pd.Series(dtype=float)
    counts = data.sql(
        f"SELECT {column} AS unit, count(*) AS n FROM {_fit(data, 'contacts', 'escalations')} "
        "WHERE outcome = 'answered' AND unit IS NOT NULL GROUP BY ALL ORDER BY unit"
    )
    return counts.set_index("unit")["n"].astype(float)


def _times(data: Data, part: pd.DataFrame) -> dict[str, float]:
    """Say how long referrals took, and which are open at the end of the window."""
    resolved = pd.to_datetime(part["resolved_at"], utc=True)
    opened = _local(data, part["resolved_at"]).isna()
    hours = ((resolved - pd.to_datetime(part["referred_at"], utc=True)).dt.total_seconds() / 3600)[~opened]
    ages = (pd.Timestamp(data.last_day) - pd.to_datetime(part["local_date"])).dt.days[opened]
    written = part["route"].dropna() == "written"
    return {
        "median_h": intervals.quantile(hours, 0.5),
        "p90_h": intervals.quantile(hours, 0.9),
        "n_open": float(opened.sum()),
        "oldest_days": float(ages.max()) if len(ages) else np.nan,
        "written": float(written.mean()) if len(written) else np.nan,
    }


def _splits(referred: pd.DataFrame) -> pd.DataFrame:
    """Find contacts on which one person decided twice or more, each within the limit and together above it."""
    own = referred[referred["amount"].notna() & referred["limit"].notna() & referred["contact_id"].notna()]
    own = own[own["decided_by"].notna() & (own["amount"] <= own["limit"])]
    by = own.assign(kind=own["decision"].astype(object).fillna("")).groupby(
        ["contact_id", "decided_by", "kind"], sort=False
    )
    frame = by.agg(
        reference=("contact_id", "first"),
        decider=("decider", "first"),
        site=("site", "first"),
        team=("team", "first"),
        role=("role", "first"),
        on_date=("local_date", "max"),
        amount=("amount", "sum"),
        limit=("limit", "max"),
        decisions=("amount", "size"),
    ).reset_index(drop=True)
    return frame[(frame["decisions"] > 1) & (frame["amount"] > frame["limit"])].reset_index(drop=True)


def _authority(referred: pd.DataFrame) -> pd.DataFrame:
    """Count decisions above the limit and split under it, by unit and, for their line manager, by who decided."""
    decided = referred[referred["amount"].notna()]
    decided = decided.assign(agent=decided["decider"], over=decided["amount"] > decided["limit"])
    splits = _splits(referred).assign(agent=lambda one: one["decider"])
    rows = []
    for level in ("centre", "site", "team", "agent"):
        apart = dict(iter(_by_level(splits, level)))
        for unit, part in _by_level(decided, level):
            judged, over = part["limit"].notna().sum(), part["over"].sum()
            own = apart.get(unit, splits.iloc[:0])
            row = {"level": level, "unit": unit, "n": float(len(part)), "judged": float(judged), "over": float(over)}
            row |= {"over_own": float((part["over"] & part["reason"].isna()).sum())}
            row |= {"split": float(len(own)), "split_amount": float(own["amount"].sum())}
            rows.append(row | {"unknown": float(len(part) - judged)})
    frame = pd.DataFrame(rows, columns=_AUTHORITY)
    if frame.empty:
        return frame
    frame["value"] = (frame["over"] / frame["judged"]).where(frame["judged"] > 0)
    frame["ci_low"], frame["ci_high"] = intervals.wilson(frame["over"], frame["judged"])
    return frame


def _rationale(referred: pd.DataFrame) -> pd.DataFrame:
    """Count decisions without recorded reasons, by unit, teams against the others."""
    own = referred[referred["rationale_recorded"].notna()]
    rows = [
        {"level": level, "unit": unit, "n": float(len(part))}
        | {"missing": float((~part["rationale_recorded"].astype(bool)).sum())}
        for level in _LEVELS
        for unit, part in _by_level(own, level)
    ]
    if not rows:
        return pd.DataFrame(columns=_RATIONALE)
    frame = pd.DataFrame(rows)
    frame["value"] = frame["missing"] / frame["n"]
    frame["ci_low"], frame["ci_high"] = intervals.wilson(frame["missing"], frame["n"])
    return compared.with_peers(frame, "missing", "n", levels=_TEAMS)[_RATIONALE]


def _decisions(referred: pd.DataFrame) -> pd.DataFrame:
    """List the decisions of single agents that were above the limit or split under it."""
    over = referred[(referred["amount"] > referred["limit"]) & referred["decider"].notna()]
    over = over.assign(kind="over", reference=over["escalation_id"], on_date=over["local_date"], decisions=1)
    splits = _splits(referred)
    splits = splits[splits["decider"].notna()].assign(kind="split")
    parts = [part.assign(level="agent", unit=part["decider"])[_DECISIONS] for part in (over, splits) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_DECISIONS)

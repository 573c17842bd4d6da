"""How each rule of a table with periods is broken where the rule does not say so itself, and who else must see it."""

from __future__ import annotations

import pandas as pd

from .mutate import ALL, Broken, keep, put


def answered(week):
    return week["outcome"] == "answered"


def medium(channel: str):
    return lambda week: (week["channel"] == channel) & (week["outcome"] == "answered")


def replied(week):
    return week["answered_at"].notna()


def other(site: str):
    """Every second row of a site."""
    return lambda week: (week["site"] == site) & (week.groupby("site").cumcount() % 2 == 0)


def first_day(week, day: str = "local_date"):
    return week[day] == week[day].min()


def on_day(number: int, day: str = "local_date"):
    return lambda week: week[day] == sorted(set(week[day]))[number]


def without(condition) -> Broken:
    return keep(lambda week: ~condition(week))


def until(number: int, day: str) -> Broken:
    """Keep the first days of the week."""
    return lambda week: week[week[day].isin(sorted(set(week[day]))[:number])]


def times(column: str, factor: int, among=None) -> Broken:
    return put(column, lambda rows: rows[column] * factor, ALL, among or (lambda week: week[column].notna()))


def plus(column: str, seconds: int):
    return lambda rows: rows[column] + pd.Timedelta(seconds=seconds)


def strangers(column: str, rows: int) -> Broken:
    return put(
        column,
        lambda chosen: [f"stranger {number}" for number in range(len(chosen))],
        rows,
        lambda week: week[column].notna(),
    )


def again(*columns: str) -> Broken:
    return lambda week: pd.concat([week, week.head(1)])


def each(*several: Broken) -> Broken:
    def broken(week):
        for one in several:
            week = one(week)
        return week

    return broken


def in_hour(hour: int):
    return lambda week: on_day(1)(week) & (week["local_hour"] == hour)


COUNTS = ["n_offered", "n_answered", "n_abandoned", "n_flowed_out", "n_short", "n_closed", "n_in_threshold"]
SUMS = ["wait_s_sum", "handle_s_sum"]


def scaled(among, factor: float) -> Broken:
    """Count so many times as much in all columns of an interval report."""

    def broken(week):
        week = week.copy()
        rows = week.index[among(week)]
        for column in (*COUNTS, *SUMS):
            week.loc[rows, column] = (week.loc[rows, column].astype(float) * factor).round().astype(int)
        return week

    return broken


def medium_of(channel: str):
    return lambda week: week["channel"] == channel


def queue_of(queue: str):
    return lambda week: week["queue"] == queue


def moved(week):
    """Let some calls of the last day come at night, when nobody is there."""
    week = week.copy()
    rows = week.index[on_day(2)(week) & (week["channel"] == "voice")][:40]
    earlier = pd.Timedelta(hours=10)
    stamps = ["offered_at", "answered_at", "ended_at", "resolved_at", "sla_due_at", "updated_at"]
    for stamp in stamps:
        week.loc[rows, stamp] = week.loc[rows, stamp] - earlier
    local = week.loc[rows, "offered_at"].dt.tz_convert("Europe/London")
    week.loc[rows, "local_date"], week.loc[rows, "local_hour"] = local.dt.date, local.dt.hour
    return week


def at_night(week):
    """Let the counts of some hours come at night."""
    week = week.copy()
    rows = week.index[on_day(2, "starts_on")(week) & (week["starts_hour"] < 16)][::5]  # 16 less 8 is counted already
    week.loc[rows, "starts_hour"] = week.loc[rows, "starts_hour"] - 8
    return week


def evaluated(chosen) -> Broken:
    """Evaluate only some of the contacts: those of the week that are alike, as often as before."""

    def broken(week):
        return week[chosen(week)]

    return broken


CONTACTS = {
    "order_answered": put("offered_at", plus("answered_at", 1), 1, answered),
    "order_answered_often": put("offered_at", plus("answered_at", 1), 50, answered),
    "order_ended": put("ended_at", plus("answered_at", -1), 1, answered),
    "order_ended_often": put("ended_at", plus("answered_at", -1), 50, answered),
    "order_offered_ended": put("ended_at", plus("offered_at", -1), 1, lambda week: ~answered(week)),
    "unanswered_has_no_time": put("answered_at", plus("offered_at", 0), 1, lambda week: ~answered(week)),
    "abandoned_has_no_talk": put("talk_s", 5, 1, lambda week: ~answered(week)),
    "wait_agrees": put(
        "wait_s", lambda rows: rows["wait_s"] + 30, 10, lambda week: answered(week) & (week["wait_s"] > 25)
    ),
    "handling_fits": put("talk_s", lambda rows: rows["talk_s"] + 1000, 10, answered),
    "talk_unit": times("talk_s", 18, medium("voice")),
    "talk_unit_chat": put("talk_s", 5, ALL, medium("chat")),
    "wait_unit": times("wait_s", 200, medium("voice")),
    "acw_unit": put("acw_s", 3700, ALL, medium("voice")),
    "talk_very_long": put("talk_s", 15_000, 1, medium("voice")),
    "paused_only_for_payment": put("recording_paused", True, 10, lambda week: ~week["payment"]),
    "days_present": without(lambda week: (week["channel"] == "chat") & first_day(week)),
    "days_mostly_present": until(3, "local_date"),
    "volume_usual": lambda week: week.iloc[::2],
    "rows_enough": lambda week: week.iloc[::30],
    "fresh": until(2, "local_date"),
    "hours_present": without(in_hour(10)),
    "hours_open": moved,
    "mix_channel": put("channel", "chat", 250, medium("voice")),
    "mix_site": put("site", "Leeds", ALL, other("Bath")),
    "mix_queue": put("queue", "billing", 200, lambda week: week["queue"] == "general"),
    "talk_unit_constant": times("talk_s", 21, lambda week: on_day(1)(week) & medium("voice")(week)),
    "hold_unit_constant": times("hold_s", 1000, lambda week: on_day(1)(week) & medium("voice")(week)),
    "acw_unit_constant": times("acw_s", 60, lambda week: on_day(1)(week) & medium("voice")(week)),
    "wait_unit_constant": times("wait_s", 1000, lambda week: on_day(1)(week) & medium("voice")(week)),
    "threshold_told": put("in_threshold", lambda rows: ~rows["in_threshold"], 10, answered),
    "threshold_told_often": put("in_threshold", lambda rows: ~rows["in_threshold"], 400, answered),
    "roster_covers": put("agent_id", "gone", ALL, lambda week: week["agent_id"] == "a7"),
    "rostered_work": put("agent_id", "a0", ALL, lambda week: week["agent_id"].isin(["a1", "a2"])),
    "agent_listed": strangers("agent_id", 10),
}
SEGMENTS = {
    "times_fit": put("talk_s", lambda rows: rows["talk_s"] + 1000, 5),
    "contact_listed": strangers("contact_id", 5),
    "agent_listed": strangers("agent_id", 5),
    "after_contact": put("started_at", plus("started_at", -1800)),
    "volume_usual": lambda week: week.iloc[::2],
    "rows_enough": lambda week: week.iloc[::12],
    "fresh": until(2, "local_date"),
    "mix_site": put("site", "Leeds", ALL, other("Bath")),
    "mix_queue": put("queue", "billing", 80, lambda week: week["queue"] == "general"),
    "talk_unit_constant": times("talk_s", 30, on_day(1)),
    "hold_unit_constant": times("hold_s", 100, on_day(1)),
    "acw_unit_constant": times("acw_s", 60, on_day(1)),
    "wait_unit_constant": times("wait_s", 500, on_day(1)),
}
INTERVALS = {
    "total_offered": put("n_abandoned", lambda rows: rows["n_abandoned"] + 1),
    "answered_offered": put("n_answered", lambda rows: rows["n_offered"] + 1),
    "abandoned_offered": put("n_abandoned", lambda rows: rows["n_offered"] + 1),
    "threshold_answered": put("n_in_threshold", lambda rows: rows["n_answered"] + 1),
    "asa_agrees": put("asa_s", 25.0, 10),
    "handle_unit": times("handle_s_sum", 30),
    "wait_unit": times("wait_s_sum", 200),
    "days_present": scaled(lambda week: on_day(1, "starts_on")(week) & (week["channel"] == "chat"), 0),
    "days_mostly_present": until(3, "starts_on"),
    "volume_usual": scaled(lambda week: week["channel"] != "", 0.5),
    "fresh": until(2, "starts_on"),
    "hours_present": without(lambda week: on_day(1, "starts_on")(week) & (week["starts_hour"] == 10)),
    "hours_open": at_night,
    "mix_channel": each(scaled(medium_of("voice"), 0.75), scaled(medium_of("chat"), 1.5)),
    "mix_site": put("site", "Leeds", ALL, other("Bath")),
    "mix_queue": each(scaled(queue_of("general"), 0.5), scaled(queue_of("billing"), 1.5)),
    "handle_unit_constant": times("handle_s_sum", 25, on_day(1, "starts_on")),
    "wait_unit_constant": times("wait_s_sum", 500, on_day(1, "starts_on")),
    "total_explained": put("n_short", 0, ALL),
}
EVALUATIONS = {
    "weights_sum": put("weight", 40.0),
    "points_possible": put("points", 6.0),
    "max_points_positive": put("max_points", 0.0),
    "given_once": put("contact_id", lambda rows: rows["contact_id"].iloc[0], 2),
    "no_calibration": put("source", "calibration"),
    "agent_listed": strangers("agent_id", 3),
    "contact_listed": strangers("contact_id", 12),
    "after_contact": put("evaluated_at", plus("evaluated_at", -3000)),
    "score_agrees": put("score_share", 0.5, 4),
    "no_withdrawn": put("withdrawn", True),
    "form_constant": put("form_version", "4", 60),
    "volume_usual": lambda week: week[week["evaluation_id"].isin(sorted(set(week["evaluation_id"]))[::2])],
    "rows_enough": lambda week: week.iloc[::20],
    "fresh": until(2, "local_date"),
}
SURVEYS = {
    "answered_has_score": put(["csat", "nps", "effort", "resolved_first_time"], None, 10, replied),
    "unanswered_has_no_score": put("csat", 3.0, 5, lambda week: ~replied(week)),
    "contact_listed": strangers("contact_id", 15),
    "after_contact": put("invited_at", plus("invited_at", -3000)),
    "order_answered": put("answered_at", plus("invited_at", -1), 1, replied),
    "response_enough": lambda week: week,
    "response_usual": lambda week: week,
    "volume_usual": lambda week: week.iloc[::2],
    "rows_enough": lambda week: week.iloc[::30],
    "fresh": until(2, "local_date"),
    "mix_channel": put("channel", "chat", 80, lambda week: week["channel"] == "voice"),
    "mix_site": put("site", "Leeds", ALL, other("Bath")),
}
COMPLAINTS = {
    "contact_listed": strangers("contact_id", 10),
    "open_has_no_outcome": put("closed_at", None),
    "volume_usual": lambda week: week.iloc[::2],
    "fresh": until(2, "local_date"),
}
BREACHES = {
    "contact_listed": strangers("contact_id", 10),
    "requirement_listed": strangers("requirement_id", 1),
    "volume_usual": lambda week: week.iloc[::2],
    "fresh": until(2, "local_date"),
}
ESCALATIONS = {
    "contact_listed": strangers("contact_id", 10),
    "volume_usual": lambda week: week.iloc[::2],
    "fresh": until(2, "local_date"),
}
AGENT_STATES = {
    "day_length": put("actual_s", 70_000, 1),
    "actual_unit": put("actual_s", 100, ALL),
    "agent_listed": strangers("agent_id", 5),
    "volume_usual": keep(lambda week: week["state"].isin(["available", "contact"])),
    "rows_enough": lambda week: week.iloc[::8],
    "fresh": until(2, "on_date"),
    "mix_site": put("site", "Leeds", ALL, other("Bath")),
    "actual_unit_constant": put("actual_s", 300, ALL, on_day(1, "on_date")),
}
ACTIVITIES = {
    "agent_listed": strangers("agent_id", 1),
    "volume_usual": lambda week: week.iloc[::10],
    "fresh": until(2, "done_on"),
}
REPORTS = {"fresh": until(2, "due_on")}
EXPLICIT = {
    f"{table}.{name}": broken
    for table, rules in {
        "contacts": CONTACTS,
        "segments": SEGMENTS,
        "intervals": INTERVALS,
        "evaluations": EVALUATIONS,
        "surveys": SURVEYS,
        "complaints": COMPLAINTS,
        "breaches": BREACHES,
        "escalations": ESCALATIONS,
        "agent_states": AGENT_STATES,
        "activities": ACTIVITIES,
        "reports": REPORTS,
    }.items()
    for name, broken in rules.items()
}
# Who else must see it, and why it cannot be otherwise. Reason -> rule -> its companions, by name within the table.
COMPANIONS: dict[str, dict[str, str]] = {
    "a stronger failure of the same thing passes the weaker threshold too": {
        "contacts.order_answered_often": "order_answered wait_agrees",
        "contacts.order_ended_often": "order_ended handling_fits",
        "contacts.threshold_told_often": "threshold_told",
        "contacts.days_mostly_present": "days_present volume_usual",
        "intervals.days_mostly_present": "days_present volume_usual",
    },
    "a missing value is incomplete, and not right of a row that must have it": {
        "contacts.ended_at_enough": "ended_given",
        "contacts.answered_at_enough": "answered_has_time",
        "contacts.agent_id_enough": "answered_has_agent",
        "complaints.redress_needs_outcome": "closed_has_outcome",
        "complaints.closed_has_outcome": "redress_needs_outcome",
    },
    "one duration that is wrong disagrees with the times and sums around it": {
        "contacts.talk_unit": "handling_fits",
        "contacts.wait_unit": "wait_agrees threshold_told",
        "contacts.wait_unit_constant": "wait_agrees threshold_told",
        "contacts.talk_unit_constant": "handling_fits",
        "contacts.hold_unit_constant": "handling_fits",
        "segments.talk_unit_constant": "times_fit",
        "segments.hold_unit_constant": "times_fit",
        "segments.wait_unit_constant": "times_fit",
        "intervals.wait_unit": "asa_agrees",
        "intervals.wait_unit_constant": "asa_agrees",
        "agent_states.actual_unit_constant": "adherent_actual",
        "agent_states.actual_s_range": "adherent_actual",
        "agent_states.scheduled_s_range": "adherent_scheduled",
    },
    "a unit that is wrong for a whole week is one that changed, beside the other weeks": {
        "contacts.talk_unit_chat": "talk_unit_constant",
        "contacts.acw_unit": "acw_unit_constant",
        "intervals.handle_unit": "handle_unit_constant",
        "agent_states.actual_unit": "actual_unit_constant adherent_actual",
    },
    "fewer days bring fewer rows": {
        "contacts.fresh": "days_mostly_present days_present volume_usual",
        "intervals.fresh": "days_mostly_present days_present volume_usual",
        **{
            f"{table}.fresh": "volume_usual"
            for table in ("segments", "evaluations", "surveys", "complaints", "breaches", "escalations", "agent_states")
        },
    },
    "next to no rows are few, from few days, hours and units": {
        "contacts.rows_enough": "days_mostly_present days_present hours_present mix_channel mix_site rostered_work "
        "volume_usual",
        "segments.rows_enough": "mix_queue volume_usual",
        "evaluations.rows_enough": "volume_usual weights_sum",
        "surveys.rows_enough": "mix_channel volume_usual",
        "agent_states.rows_enough": "mix_site volume_usual",
    },
    "a part that exceeds the whole adds up to more than the whole": {
        "intervals.answered_offered": "total_offered",
        "intervals.abandoned_offered": "total_offered",
        "intervals.n_answered_range": "threshold_answered",
        "intervals.n_offered_range": "abandoned_offered answered_offered total_offered",
    },
    "points, weights and score are one sum": {
        "evaluations.weight_enough": "weights_sum",
        "evaluations.weight_range": "weights_sum",
        "evaluations.evaluation_id_given": "weights_sum",
        "evaluations.key_unique": "given_once weights_sum",
        "evaluations.max_points_enough": "score_agrees",
        "evaluations.points_possible": "score_agrees",
        "evaluations.points_range": "score_agrees",
        "evaluations.max_points_positive": "points_possible score_agrees",
        "evaluations.max_points_range": "max_points_positive points_possible score_agrees",
    },
    "a form under another name, or under none, is another version": {
        "evaluations.form_enough": "form_constant",
        "evaluations.form_version_trimmed": "form_constant",
    },
    "a value that is none of those known is none of those wanted": {
        "evaluations.source_known": "no_calibration",
        "breaches.requirement_id_trimmed": "requirement_listed",
    },
    "what is closed too early is closed before everything that came between": {
        "complaints.order_closed": "order_summary_closed",
    },
}
ALSO = {rule: names for rules in COMPANIONS.values() for rule, names in rules.items()}

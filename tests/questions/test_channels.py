"""What each medium costs and is good for: the planted cheapest channel, and small centres worked by hand."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import pandas as pd
import pytest

from ccanalysis.editions import Reader, cut_answer
from ccanalysis.questions import Answer, channels
from ccanalysis.results import Results
from ccanalysis.views import channels as view

pytestmark = pytest.mark.slow

SINCE, UNTIL = date(2026, 5, 1), date(2026, 11, 1)


@pytest.fixture(scope="module")
def answer(answered):
    """The answer on the sample centre for October."""
    return answered("channels", "month")


def shown(results, answer, tmp_path, **frames) -> Results:
    """Return results whose slice holds an answer, or frames in the place of its own."""
    found = Results(tmp_path, results.facts | {"audience": "centre", "question": answer.facts})
    for name, frame in (answer.frames | frames).items():
        found._frames[f"answer_{name}"] = frame
    return found


# --- the sample centre ------------------------------------------------------------------------------------------------


def test_the_planted_cheapest_channel_is_the_cheapest_in_every_month(answer, truths):
    """By what a contact recorded as resolved costs, and by what a settled matter costs."""
    truth = truths["cheaper_channel"]
    months = answer.frames["by_month"]
    for column in ("per_contact", "per_resolved"):
        cheapest = months.loc[months.groupby("month")[column].idxmin()].set_index("month")["unit"]
        assert set(cheapest) == {truth["expect"]["cheapest"]}
        assert sorted(cheapest.index) == sorted(truth["observed"]["cost_per_resolved"])
    pooled = answer.frames["channels"].set_index("unit")
    others = pooled.drop(truth["expect"]["cheapest"])
    assert pooled.loc[truth["expect"]["cheapest"], "matter_high"] < others["matter_low"].min()


def test_what_a_resolved_contact_costs_is_what_was_planted_and_in_its_interval(answer, truths):
    """In August calls of two days are missing, so that what is given is at most that much."""
    months = answer.frames["by_month"].set_index(["month", "unit"])
    for month, channel_costs in truths["cheaper_channel"]["observed"]["cost_per_resolved"].items():
        for channel, cost in channel_costs.items():
            row = months.loc[month, channel]
            if row["state"] == "whole":
                assert row["per_resolved"] == pytest.approx(cost, rel=0.005)
                assert row["resolved_low"] <= cost <= row["resolved_high"]
            else:
                assert (month, row["state"]) == ("2026-08", "not fit")
                assert row["per_resolved"] >= cost * 0.995 and pd.isna(row["per_matter"])


def test_months_that_are_not_whole_are_said_and_not_given(answer, truths):
    """The data begin in May and November is not closed."""
    months = answer.frames["months"].set_index("month")
    assert months.loc["2026-05", "state"] == "begins before the data" and not months.loc["2026-05", "given"]
    assert months.loc["2026-11", "state"] == "not ended" and not months.loc["2026-11", "given"]
    assert months.loc["2026-08", ["state", "why"]].tolist() == ["not fit", "2026-W33"]
    assert not {"2026-05", "2026-11"} & set(answer.frames["by_month"]["month"])


def test_no_channel_resolves_more_or_satisfies_more_where_nothing_was_planted(answer):
    """One process makes them all; only times differ."""
    judged = answer.frames["benefits"]
    shares = judged[judged["unit_of_value"].isin(["share", "per_1000"])]
    assert len(shares) >= 15 and set(shares["verdict"]) == {"as the others"}
    waits = judged[judged["measure"] == "Wait until answered"].set_index("unit")["verdict"]
    assert waits.to_dict() == {"chat": "better", "voice": "better", "email": "worse"}


def test_what_a_move_saves_a_month_is_the_difference_times_the_matters(answer):
    """Faults come back most, so that they save most; chat is where everything is cheaper."""
    moves = answer.frames["moves"]
    assert (moves["saving"] - moves["difference"] * moves["matters_a_month"]).abs().max() < 1e-6
    assert ((moves["saving_low"] <= moves["saving"]) & (moves["saving"] <= moves["saving_high"])).all()
    assert (moves["saving_staff"] <= moves["saving"]).all()
    best = moves.loc[moves["difference"].idxmax()]
    assert (best["unit"], best["from_channel"], best["to_channel"]) == ("Fault", "voice", "chat")


def test_no_person_is_in_what_the_centre_reads(answer, results):
    """Neither agents nor customers."""
    cut = cut_answer(results, answer, Reader("centre", results.facts["centre"]))
    assert set(pd.concat([frame["level"] for frame in cut.values() if "level" in frame])) == {"channel", "reason"}
    texts = " ".join(frame.to_csv() for frame in cut.values())
    assert not any(agent in texts for agent in results.people["agent_id"])


def test_the_page_says_which_channel_is_cheapest_and_what_to_try(answer, results, tmp_path):
    """In words, with the months that it holds for."""
    report = shown(results, answer, tmp_path)
    assert view.headline(report).startswith("A matter, with every return about it, costs least by chat: £")
    lead = view.lead(report).plain()
    assert "the cheapest in each of 4 whole months" in lead and "moving Fault from voice to chat" in lead
    todo = view.to_do(report).plain()
    assert "Offer chat first for a tenth of Fault contacts that begin by voice" in todo and "2026-W33" in todo
    said = view.months_note(report).plain()
    assert "Not given: May 2026" in said and "Not given: November 2026" in said and "upper end only: August" in said
    for show in (
        *(view.cost_chart, view.costs_table, view.course, view.by_month_table, view.returns_table),
        *(view.benefits_chart, view.benefits_table, view.capacity_table, view.moves_chart, view.moves_table),
    ):
        assert len(show(report).plain()) > 100


# --- worked by hand ---------------------------------------------------------------------------------------------------


def contacts(*rows, **more) -> pd.DataFrame:
    """Contacts of customer, reason, channel, local time; answered, without times, unless said otherwise."""
    listed = [dict(zip(("customer_id", "reason", "channel", "at"), row, strict=True)) for row in rows]
    frame = pd.DataFrame(listed)
    at = pd.to_datetime(frame.pop("at"), format="ISO8601")
    frame["offered_at"] = at.dt.tz_localize("UTC")
    frame["local_date"], frame["local_hour"] = at.dt.normalize(), at.dt.hour
    frame["contact_id"] = [f"C{number}" for number in range(len(frame))]
    frame["answered_at"] = frame["offered_at"]
    given = {"outcome": "answered", "direction": "inbound", "agent_id": "A1", "resolved": True, "escalated": False}
    for name in ("wait_s", "talk_s", "hold_s", "acw_s"):
        given[name] = None
    for name, value in (given | more).items():
        frame[name] = value
    for name in ("wait_s", "talk_s", "hold_s", "acw_s"):
        frame[name] = frame[name].astype("Int64")
    return frame


def costs(*rows) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["month", "channel", "kind", "amount"])
    return frame.assign(month=pd.to_datetime(frame["month"]))


BEFORE = ("Z", "Other", "voice", "2026-05-29 10:00")  # the data reach back beyond June


def of(of_tables, tables, **more):
    return {
        name: frame.rows for name, frame in channels.answer(of_tables(tables, since=SINCE, until=UNTIL, **more)).items()
    }


def test_a_customer_who_comes_back_on_another_channel_makes_one_matter_of_all_its_contacts(of_tables):
    """A: call, chat 6 days later, call 6 days after that. B: two chats 8 days apart. Calls 10, chats 4 pounds each."""
    made = contacts(
        BEFORE,
        ("A", "Bill", "voice", "2026-06-01 10:00"),
        ("A", "Bill", "chat", "2026-06-07 10:00"),
        ("A", "Bill", "voice", "2026-06-13 10:00"),
        ("B", "Bill", "chat", "2026-06-02 10:00"),
        ("B", "Bill", "chat", "2026-06-10 11:00"),
        ("A", "Fault", "voice", "2026-06-03 10:00"),
    )
    paid = costs(
        ("2026-06-01", "voice", "staff", 24),
        ("2026-06-01", "voice", "telephony", 6),
        ("2026-06-01", "chat", "other", 12),
    )
    found = of(of_tables, {"contacts": made, "costs": paid})
    pooled = found["channels"].set_index("unit")
    assert pooled.loc["voice", ["n", "per_contact", "n_matters", "per_matter"]].tolist() == [3, 10, 2, (24 + 10) / 2]
    assert pooled.loc["chat", ["n", "per_contact", "n_matters", "per_matter"]].tolist() == [3, 4, 2, 4]
    assert pooled.loc["voice", ["returned", "hopped"]].tolist() == [0.5, 0.5]
    hops = found["hops"].set_index(["unit", "to"])["n"]
    assert hops.to_dict() == {("voice", "chat"): 1}


def test_a_contact_exactly_seven_days_later_is_the_same_matter_and_a_second_later_is_not(of_tables):
    """The edge is that of the KPI of first-contact resolution."""
    made = contacts(
        BEFORE,
        ("A", "Bill", "voice", "2026-06-01 10:00:00"),
        ("A", "Bill", "voice", "2026-06-08 10:00:00"),
        ("B", "Bill", "voice", "2026-06-01 10:00:00"),
        ("B", "Bill", "voice", "2026-06-08 10:00:01"),
    )
    paid = costs(("2026-06-01", "voice", "other", 40))
    assert of(of_tables, {"contacts": made, "costs": paid})["channels"].iloc[0]["n_matters"] == 3


def test_a_contact_that_nobody_answered_costs_nothing_and_settles_nothing(of_tables):
    """The caller who gave up and rang again has one matter of one contact."""
    made = contacts(BEFORE, ("A", "Bill", "voice", "2026-06-01 10:00"), ("A", "Bill", "voice", "2026-06-01 10:10"))
    made.loc[1, "outcome"] = "abandoned"
    found = of(of_tables, {"contacts": made, "costs": costs(("2026-06-01", "voice", "other", 40))})["channels"].iloc[0]
    assert (found["n"], found["per_contact"], found["per_matter"], found["returned"]) == (1, 40, 40, 0)


def test_staff_costs_follow_handling_time_and_other_costs_the_contacts(of_tables):
    """80 pounds of staff over 400 seconds; a call of 100 s costs 20 and 5, one of 300 s 60 and 5."""
    made = contacts(BEFORE, ("A", "Bill", "voice", "2026-06-01 10:00"), ("B", "Fault", "voice", "2026-06-02 10:00"))
    made["talk_s"] = pd.array([50, 90, 200], dtype="Int64")
    made["acw_s"] = pd.array([None, 10, 100], dtype="Int64")
    paid = costs(("2026-06-01", "voice", "staff", 80), ("2026-06-01", "voice", "technology", 10))
    data = of_tables({"contacts": made, "costs": paid}, since=SINCE, until=UNTIL)
    rows = channels._contacts(data)
    months = channels._months(data, rows)
    priced = channels._priced(rows, channels._prices(data, rows, months)).set_index("customer_id")
    assert priced.loc[["A", "B"], "cost"].tolist() == [25, 65]
    assert priced.loc[["A", "B"], "staff_cost"].tolist() == [20, 60]


def test_a_month_with_a_week_that_is_not_fit_stands_as_an_upper_end_and_in_no_total(of_tables):
    """June alone is whole."""
    made = contacts(
        BEFORE,
        *(("A", "Bill", "voice", f"2026-06-{day:02d} 10:00") for day in (1, 20)),
        ("B", "Bill", "voice", "2026-07-01 10:00"),
    )
    paid = costs(("2026-06-01", "voice", "other", 20), ("2026-07-01", "voice", "other", 50))
    left_out = {"contacts": [("2026-W28", date(2026, 7, 6), date(2026, 7, 13))]}
    found = of(of_tables, {"contacts": made, "costs": paid}, left_out=left_out)
    assert found["by_month"].set_index("month")["state"].to_dict() == {"2026-06": "whole", "2026-07": "not fit"}
    assert found["channels"].iloc[0][["months", "amount", "per_contact"]].tolist() == [1, 20, 10]


def test_a_matter_that_has_not_been_quiet_for_seven_days_is_not_counted(of_tables, results):
    """Whether the customer comes back cannot be known yet."""
    last = results.period.end - pd.Timedelta(days=3)
    made = contacts(
        BEFORE,
        ("A", "Bill", "voice", "2026-10-30 10:00"),
        ("A", "Bill", "voice", "2026-11-06 09:00"),
        ("A", "Bill", "voice", f"{last} 08:00"),
        ("B", "Bill", "voice", "2026-10-01 10:00"),
    )
    found = of(of_tables, {"contacts": made, "costs": costs(("2026-10-01", "voice", "other", 20))})["channels"].iloc[0]
    assert (found["n"], found["n_matters"], found["per_matter"]) == (2, 1, 10)


def test_channels_are_compared_at_the_same_mix_of_reasons(of_tables):
    """Both answer half of faults and all bills; chat gets three bills for each fault, voice one."""
    rows, resolved = [BEFORE], [True]
    day = 0
    for channel, bills in (("voice", 40), ("chat", 120)):
        for reason, n, good in (("Bill", bills, bills), ("Fault", 40, 20)):
            for number in range(n):
                day += 1
                at = f"2026-06-{1 + day % 28:02d} {9 + day % 8:02d}:00"
                rows.append((f"{channel}{reason}{number}", reason, channel, at))
                resolved.append(number < good)
    found = of(of_tables, {"contacts": contacts(*rows, resolved=resolved)})["benefits"]
    found = found[found["measure"] == "Recorded as resolved"].set_index("unit")
    assert found.loc["chat", "value"] == 0.875 and found.loc["voice", "value"] < 0.76
    whole = (161 - 1) / 241 * 1 + 80 / 241 * 0.5  # one further contact, before June, is of another reason
    assert found.loc["chat", "adjusted"] == pytest.approx(whole / (240 / 241))
    assert found.loc["voice", "adjusted"] == pytest.approx((160 + 1 + 40) / 241)
    assert set(found["verdict"]) == {"as the others"}


def test_the_agents_of_the_busiest_typical_hour_are_those_of_erlang_c(of_tables):
    """Ten calls of six minutes at ten on Mondays are a load of one; 80 % within 20 s then take three agents."""
    from ccanalysis.statistics import queueing

    rows = [BEFORE]
    for week in range(5):
        monday = pd.Timestamp("2026-06-01") + pd.Timedelta(weeks=week)
        rows += [(f"{week}-{n}", "Bill", "voice", f"{monday.date()} 10:{n:02d}") for n in range(10)]
        rows += [(f"{week}-x", "Bill", "voice", f"{monday.date()} 15:00")]
    found = of(of_tables, {"contacts": contacts(*rows, talk_s=360)})["capacity"].iloc[0]
    assert found[["weekday", "hour", "n", "offered", "load"]].tolist() == [0, 10, 50, 10, 1]
    assert (found["target"], found["threshold_s"]) == (0.8, 20)
    reached = [float(queueing.queue(10, 360, n, interval_s=3600, threshold_s=20).service_level) for n in (2, 3)]
    assert reached[0] < 0.8 <= reached[1] and found["needed"] == 3


def test_a_reason_with_few_matters_on_one_channel_is_not_compared(of_tables):
    """No saving is promised from a handful of contacts."""
    rows = [BEFORE]
    for channel, n in (("voice", 100), ("chat", 99)):
        rows += [(f"{channel}{n}", "Bill", channel, f"2026-06-{1 + n % 28:02d} 10:00") for n in range(n)]
    paid = costs(("2026-06-01", "voice", "other", 500), ("2026-06-01", "chat", "other", 100))
    assert of(of_tables, {"contacts": contacts(*rows), "costs": paid})["moves"].empty


# --- what is lacking --------------------------------------------------------------------------------------------------


def test_a_centre_without_tables_gets_empty_frames_and_a_page_that_says_so(of_tables, results, tmp_path):
    """Every function of the page still works."""
    found = of(of_tables, {})
    assert all(frame.empty and len(frame.columns) for frame in found.values())
    report = shown(results, Answer({}, {}), tmp_path, **found)
    assert view.headline(report) == "No costs were given for a whole month, so what a channel costs cannot be said."
    assert view.lead(report).plain() == view.headline(report)
    for show in (
        *(view.to_do, view.months_note, view.cost_chart, view.costs_table, view.course, view.by_month_table),
        *(view.returns_table, view.benefits_chart, view.benefits_table, view.capacity_table),
        *(view.moves_chart, view.moves_table),
    ):
        assert show(report).plain()
    assert view.headline(shown(results, Answer({}, {}), tmp_path)) == view.headline(report)


def test_without_customers_a_contact_has_a_cost_and_matters_are_said_to_be_unknown(of_tables, results, tmp_path):
    """The page says what to record."""
    made = contacts(BEFORE, (None, "Bill", "voice", "2026-06-01 10:00"), (None, "Bill", "chat", "2026-06-02 10:00"))
    made["customer_id"] = pd.array([None] * len(made), dtype="string")
    paid = costs(("2026-06-01", "voice", "other", 10), ("2026-06-01", "chat", "other", 4))
    found = of(of_tables, {"contacts": made, "costs": paid})
    assert found["channels"].set_index("unit")["per_contact"].to_dict() == {"chat": 4, "voice": 10}
    report = shown(results, Answer({}, {}), tmp_path, **found)
    assert view.headline(report) == "A contact costs least by chat: £4.00, against £10.00 by voice."
    assert "Have customer and reason recorded with each contact." in view.to_do(report).plain()


def test_a_difference_that_could_be_chance_makes_no_channel_the_cheapest(results, tmp_path):
    """Their intervals overlap."""
    row = dict.fromkeys(channels._CHANNELS, 1.0) | {"level": "channel"}
    listed = pd.DataFrame(
        [
            row | {"unit": "chat", "per_matter": 4.0, "matter_low": 3.0, "matter_high": 5.5},
            row | {"unit": "voice", "per_matter": 5.0, "matter_low": 4.5, "matter_high": 5.5},
        ]
    )
    report = shown(results, SimpleNamespace(facts={}, frames={}), tmp_path, channels=listed)
    assert view.headline(report).startswith("Which channel is cheapest cannot be told")

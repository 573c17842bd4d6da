"""What the answer sheet says was planted is in the data, and where it says nothing is, nothing is."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from ccanalysis import contracts
from ccanalysis.samples import centre
from ccanalysis.samples.centre import TEAM_INDEX, Plan
from ccanalysis.samples.simulate import chance_in_time
from ccanalysis.statistics import comparison, spc
from ccanalysis.workspace import Workspace

PLANTED = {
    "cannot_meet_target",
    "bad_by_chance",
    "worsening_team",
    "improving_centre",
    "queue_drives_gap",
    "mix_explains_gap",
    "recognise_team",
    "slow_agent",
    "requirement_effect",
    "low_fcr_reason",
    "improved_after_coaching",
    "coaching_without_effect",
    "severe_evaluator",
    "self_marks_higher",
    "identity_not_checked",
    "limit_splitting",
    "over_limit",
    "expired_requirement",
    "recurring_root_cause",
    "under_recording",
    "survey_bias",
    "new_theme",
    "rising_theme",
    "personal_data_in_comments",
    "broken_export",
    "cheaper_channel",
}


@pytest.fixture(scope="module")
def components(answers):
    found = answers["components"]
    return pd.DataFrame(found["rows"], columns=found["columns"])


@pytest.fixture(scope="module")
def service(components):
    """Weekly share of calls answered in time, one column per team."""
    calls = components[components["channel"] == "voice"]
    return (
        calls.assign(share=calls["n_in_20s"] / calls["n_offered"])
        .pivot_table(index="week", columns="team", values="share")
        .reset_index(drop=True)
    )


def test_the_sheet_lists_every_planted_truth_whole(answers, truths):
    """Each says where, when, what must be said and what must not."""
    assert set(truths) == PLANTED
    for item in answers["truths"]:
        assert {"table", "kpi", "level", "unit", "planted", "observed", "expect", "say", "not_say"} <= set(item)
        assert answers["first_day"] <= item["from"] <= item["to"] <= answers["last_day"]
    assert all(item["note"] and item["unit"] for item in answers["nothing_here"])


def test_every_table_but_the_two_named_has_rows(answers):
    """The later notebooks need them all; what is absent is said."""
    filled = {source["table"] for source in answers["sources"].values() if source["clean"] > 0}
    assert filled | set(answers["tables_absent"]) == set(contracts.TABLES)
    assert not filled & set(answers["tables_absent"])


def test_the_size_of_the_centre(answers, components):
    """26 weeks, two sites, six teams, about sixty agents, three channels."""
    assert answers["weeks"] == components["week"].nunique() == 26
    assert (answers["first_week"], answers["last_week"]) == ("2026-W21", "2026-W46")
    assert components["team"].nunique() == 6
    assert components["channel"].nunique() == 3
    assert 60 <= answers["people"]["agents"] <= 65
    assert answers["calendar"]["bank_holidays"] == ["2026-05-25", "2026-08-31"]
    weekly = components.groupby("week")["n_offered"].sum()
    assert weekly.between(2300, 3600).all()
    for kind in ("joiners", "leavers", "movers"):
        assert len(answers["people"][kind]) >= 2
    moved = [date.fromisoformat(day) for day, _ in answers["people"]["movers"].values()]
    assert all(day.isoweekday() in (2, 3, 4) for day in moved)


def test_the_components_are_those_of_the_files(components, read):
    """Calls in time at Leeds, counted from the export itself, week by week and team by team."""
    rows = read("telephony/leeds_*.csv", encoding="cp1252", delimiter=";")
    frame = pd.DataFrame([{**row, "file": file} for file, _, row in rows]).drop_duplicates("N° appel")
    frame = frame[frame["N° appel"].str.match(r"L1[0-8]\d{5}$")]
    frame["week"] = frame["file"].str.extract(r"(2026-W\d\d)")
    frame["team"] = frame["Équipe"].map({"L1": "Aire", "L2": "Calder", "L3": "Wharfe"})
    frame["in_time"] = (frame["Résultat"] == "RÉP") & (frame["Attente"].astype(int) <= 20)
    counted = frame.groupby(["week", "team"])["in_time"].agg(["size", "sum"]).sort_index()
    leeds = components[(components["channel"] == "voice") & components["team"].isin(["Aire", "Calder", "Wharfe"])]
    sheet = leeds.set_index(["week", "team"]).sort_index()
    assert (counted["size"] == sheet["n_offered"]).all()
    assert (counted["sum"] == sheet["n_in_20s"]).all()


def test_ely_is_stable_and_its_limits_stay_below_the_target(service, truths):
    assert spc.variation(spc.xmr(service["Ely"], better="up")).icon == "common_cause"
    assert spc.xmr(service["Ely"], better="up")["upper"].iloc[-1] < centre.SERVICE_LEVEL_TARGET
    assert truths["cannot_meet_target"]["observed"]["upper"] < centre.SERVICE_LEVEL_TARGET


def test_wharfe_looks_bad_in_the_last_week_within_its_limits(service, truths):
    chart = spc.xmr(service["Wharfe"], better="up")
    assert spc.variation(chart).icon == "common_cause"
    assert chart["value"].iloc[-1] < 0.78  # below the target of 0.80 and its tolerance of 0.02
    assert truths["bad_by_chance"]["observed"]["last_week"] == round(chart["value"].iloc[-1], 4)


def test_the_process_behind_the_bad_week_is_that_of_its_peers():
    """The underlying chance of an answer in time is the same for Wharfe and its peers, in that week as in all."""
    plan = Plan.of()
    teams = ["Aire", "Calder", "Wharfe", "Taff"]
    weeks = range(len(plan.weeks))
    cells = pd.DataFrame([(TEAM_INDEX[t], w, 12) for t in teams for w in weeks], columns=["team", "week", "hour"])
    chance = chance_in_time(plan, cells).reshape(len(teams), -1)
    assert np.ptp(chance.mean(axis=1)) < 0.01
    assert abs(chance[2, -1] - chance[:, -1].mean()) < 0.015


def test_rhymney_signals_a_worsening(service, truths):
    variation = spc.variation(spc.xmr(service["Rhymney"], better="up"))
    assert (variation.direction, variation.rule) == ("worsening", "outside_limits")
    assert truths["worsening_team"]["from_week"] == "2026-W43"


@pytest.mark.parametrize("team", ["Aire", "Calder", "Wharfe", "Taff", "Ely"])
def test_no_other_team_signals_on_service_level_in_the_last_week(team, service):
    assert spc.variation(spc.xmr(service[team], better="up")).icon == "common_cause"


def test_transfers_fall_everywhere_alike(components, truths):
    """The step is clear at the centre, and after it no team differs from another beyond chance."""
    centre_wide = components.groupby("week")[["n_transferred", "n_answered"]].sum().reset_index(drop=True)
    share = centre_wide["n_transferred"] / centre_wide["n_answered"]
    assert spc.variation(spc.xmr(share, better="down")).direction == "improving"
    later = components[components["week"] >= truths["improving_centre"]["from_week"]]
    by_team = later.groupby("team")[["n_transferred", "n_answered"]].sum()
    assert comparison.heterogeneity(by_team["n_transferred"], by_team["n_answered"]).p > 0.05


def test_taff_signals_faster_handling(components):
    calls = components[components["channel"] == "voice"]
    aht = calls.assign(aht=calls["handle_s"] / calls["n_answered"])
    taff = aht[aht["team"] == "Taff"]["aht"].reset_index(drop=True)
    assert spc.variation(spc.xmr(taff, better="down")).direction == "improving"


def test_the_gap_of_aire_lies_in_one_queue(truths):
    queues = truths["queue_drives_gap"]["observed"]
    ratio = {name: queue["Aire"] / queue["others"] for name, queue in queues.items()}
    assert ratio["Technical"] == pytest.approx(1.5, abs=0.08)
    assert ratio["Billing"] == pytest.approx(1.0, abs=0.05)
    assert ratio["Account"] == pytest.approx(1.0, abs=0.05)


def test_one_agent_is_slow_and_the_rest_of_calder_is_alike(read, truths):
    """Within a queue the medians of the others lie close together; the planted one stands far off."""
    rows = read("telephony/leeds_*.csv", encoding="cp1252", delimiter=";")
    good = [row for _, _, row in rows if row["Résultat"] == "RÉP" and row["Com."].isdigit() and row["Équipe"] == "L2"]
    frame = pd.DataFrame(good).astype({"Com.": int, "Garde": int, "Post-appel": int})
    frame["log"] = np.log(frame["Com."] + frame["Garde"] + frame["Post-appel"])
    frame["log"] -= frame.groupby("File")["log"].transform("mean")
    agents = frame.groupby("Agent")["log"].agg(["mean", "size"])
    agents = agents[agents["size"] > 100]
    slow = truths["slow_agent"]["unit"]
    assert agents["mean"].idxmax() == slow
    others = agents.drop(index=slow)
    error = frame["log"].std() / np.sqrt(others["size"])
    spread = (others["mean"] - np.average(others["mean"], weights=others["size"])) / error
    assert (spread.abs() < 3.3).all()
    assert agents.loc[slow, "mean"] - others["mean"].mean() == pytest.approx(np.log(1.8), abs=0.06)


def test_account_calls_take_a_minute_longer_from_the_day_of_the_requirement(truths, read):
    observed = truths["requirement_effect"]["observed"]
    assert observed["after"] - observed["before"] == pytest.approx(60, abs=12)
    rules = {row["id"]: row for _, _, row in read("compliance/requirements.csv")}
    assert rules["REQ-06"]["from"] == truths["requirement_effect"]["from"]
    assert rules["REQ-07"]["to"] < "2026"


def test_the_coaching_of_calder_shows_and_that_of_aire_only_seems_to(truths):
    calder = truths["improved_after_coaching"]["observed"]
    assert calder["after"] - calder["before"] > 0.09
    aire = truths["coaching_without_effect"]
    assert aire["planted"]["before"] == aire["planted"]["after"]
    assert 0 < aire["observed"]["after"] - aire["observed"]["before"] < 0.06


def test_one_evaluator_is_severe_on_the_same_contacts(truths):
    marks = truths["severe_evaluator"]["observed"]["calibration"]
    severe = marks.pop("E04")
    assert severe < min(marks.values()) - 0.08
    assert max(marks.values()) - min(marks.values()) < 0.06


def test_one_agent_leaves_identity_unchecked(truths):
    observed = truths["identity_not_checked"]["observed"]
    assert observed["agent"] == pytest.approx(0.80, abs=0.05)
    assert observed["others"] == pytest.approx(0.992, abs=0.003)


def test_refunds_are_split_by_one_agent_just_below_the_limit(read, truths):
    """Counted from the export: two decisions of one agent on one contact, each within, together beyond the limit."""
    decided = {}
    for _, _, row in read("compliance/referrals.csv"):
        if row["Why"] == "" and re_money(row["Amount"]):
            decided.setdefault((row["Contact"], row["Decided by"]), []).append(float(row["Amount"]))
    split = {key: amounts for key, amounts in decided.items() if len(amounts) > 1}
    assert {agent for _, agent in split} == {truths["limit_splitting"]["unit"]}
    assert len(split) == truths["limit_splitting"]["planted"]["pairs"]
    assert all(sum(pair) > 50 and min(pair) >= 45 and max(pair) <= 50 for pair in split.values())
    over = [key for key, amounts in decided.items() if max(amounts) > 50]
    assert len(over) == truths["over_limit"]["planted"]["decisions"]


def re_money(text):
    return text.replace(".", "", 1).isdigit()


def test_late_refunds_fall_silent_and_come_back(truths):
    observed = truths["recurring_root_cause"]["observed"]
    assert observed["per_week_quiet"] < observed["per_week_before"] / 3
    assert observed["per_week_after"] > observed["per_week_quiet"] * 3


def test_most_dissatisfaction_is_not_logged_and_least_at_ely(truths):
    observed = truths["under_recording"]["observed"]
    assert observed["evaluated_dissatisfied"] >= 50
    assert observed["evaluated_logged"] < observed["evaluated_dissatisfied"] / 2
    per_1000 = observed["per_1000"]
    assert per_1000.pop("Ely") < min(per_1000.values()) / 2


def test_the_answers_to_surveys_are_happier_than_the_customers(truths):
    observed = truths["survey_bias"]["observed"]
    assert observed["csat_of_answers"] - observed["csat_of_all_asked"] > 0.04
    assert observed["response_resolved"] > 3 * observed["response_not_resolved"]


def test_chat_is_cheapest_per_resolved_contact_in_every_month(truths):
    months = truths["cheaper_channel"]["observed"]["cost_per_resolved"]
    assert list(months) == ["2026-06", "2026-07", "2026-08", "2026-09", "2026-10"]
    assert all(min(costs, key=costs.get) == "chat" for costs in months.values())


def test_the_broken_week_lacks_two_days_and_speaks_another_unit(read, truths):
    planted = truths["broken_export"]["planted"]
    missing = {f"{day[5:7]}/{day[8:]}/{day[:4]}" for day in planted["missing"]["days"]}
    calls = read("telephony/cardiff_*.csv", encoding="utf-8-sig")
    assert not missing & {row["Start_Date"] for _, _, row in calls}
    talk = pd.DataFrame([{"file": file, "ms": row["chat_ms"]} for file, _, row in read("chat/*.csv")])
    medians = pd.to_numeric(talk["ms"], errors="coerce").groupby(talk["file"]).median()
    broken = medians.pop(planted["unit_changed"]["file"])
    assert broken < 1000
    assert medians.min() > 200_000


def test_control_totals_agree_with_the_exports_but_for_the_missing_days(answers, components, read, truths):
    """The independent count is what was offered; the export lacks what was lost."""
    totals = pd.DataFrame([row for _, _, row in read("control/*.csv")]).astype({"offered": int})
    assert totals["offered"].sum() == components["n_offered"].sum()
    clean = sum(
        answers["sources"][name]["clean"] for name in ("telephony_leeds", "telephony_cardiff", "chat", "email_desk")
    )
    lost = truths["broken_export"]["observed"]["contacts_missing"]
    assert totals["offered"].sum() - clean == lost == components["n_lost"].sum() > 0
    days = [day.replace("-", "") for day in truths["broken_export"]["planted"]["missing"]["days"]]
    gone = totals[totals["date"].isin(days) & (totals["medium"] == "voice") & (totals["site"] == "Cardiff")]
    assert gone["offered"].sum() == lost


def test_everyone_who_answered_was_in_that_team_that_day(read):
    """The agents of the switch at Leeds, movers included, stand in the roster on the day of the call."""
    plan = Plan.of()
    stays = {}
    for stay in plan.stays:
        stays.setdefault(stay.agent, []).append((stay.start, stay.end or date.max, centre.TEAMS[stay.team].code))
    for _, _, row in read("telephony/leeds_*.csv", encoding="cp1252", delimiter=";"):
        if row["Agent"] and row["Début"][3:5] in ("07", "08", "10") and not row["Début"].startswith("31/02"):
            day = date(int(row["Début"][6:10]), int(row["Début"][3:5]), int(row["Début"][:2]))
            assert [code for start, end, code in stays[row["Agent"]] if start <= day <= end] == [row["Équipe"]]


@pytest.mark.slow
def test_the_reader_keeps_and_quarantines_what_the_sheet_says(answers, tmp_path, folder):
    """Staged rows, duplicates, rows set aside and every reason agree with the sheet."""
    from ccanalysis.sources import stage

    root = folder.parents[1]
    (tmp_path / "ccanalysis.toml").write_bytes((root / "ccanalysis.toml").read_bytes())
    (tmp_path / "data").mkdir()
    (tmp_path / "data/samples").symlink_to(folder)
    staged = stage(Workspace.open(tmp_path))
    intake = staged.intake.groupby("source")[["read", "kept", "quarantined", "duplicates", "set_aside"]].sum()
    for name, source in answers["sources"].items():
        copies = source["duplicates"] + source["superseded"]
        wanted = [source["rows"], source["clean"], sum(source["bad"].values()), copies, source["set_aside"]]
        assert intake.loc[name].tolist() == wanted, name
    faults = pd.read_parquet(staged.quarantine)
    found = set(zip(faults["source"], faults["source_file"], faults["source_row"], faults["rule"], strict=True))
    assert found == {
        (bad["source"], f"data/samples/{bad['file']}", bad["row"], bad["rule"]) for bad in answers["bad_rows"]
    }

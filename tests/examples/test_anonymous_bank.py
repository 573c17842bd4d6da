"""Every call of August 1999: reference values, each impossible row with its reason, and what those rows do to a figure.

Every count is taken a second time here, straight from the file and in pandas, and the two must agree row by row.
"""

from __future__ import annotations

import pandas as pd
import pytest

from ccanalysis import results
from ccanalysis.reports import run
from ccanalysis.views import rows_at_fault

pytestmark = [pytest.mark.shared, pytest.mark.slow]

MIDNIGHT = "0:00:00"


@pytest.fixture(scope="module")
def workspace(example):
    """The workspace."""
    return example("anonymous-bank")


@pytest.fixture(scope="module")
def august(workspace):
    """The results of the month."""
    return results.compute(workspace, "2010-08")


@pytest.fixture(scope="module")
def verdicts(august):
    """The verdicts of the whole centre by KPI."""
    return august.verdicts[august.verdicts["level"] == "centre"].set_index("kpi")


@pytest.fixture(scope="module")
def calls(reference_data):
    """The file as text, with its times as seconds; the index is the row of the file, header = 1."""
    path = reference_data / "anonymous_bank_aug1999" / "calls_august.csv"
    raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    raw.index = raw.index + 2
    for column in ("vru_time", "q_time", "ser_time"):
        raw[column] = raw[column].astype(int)
    for column in ("q_start", "q_exit", "ser_start", "ser_exit"):
        parts = raw[column].str.split(":", expand=True).astype(int)
        raw[f"{column}_s"] = parts[0] * 3600 + parts[1] * 60 + parts[2]
    raw["served"] = raw["outcome"] == "AGENT"
    raw["gave_up"] = (raw["outcome"] == "HANG") & (raw["q_start"] != MIDNIGHT)
    raw["offered"] = raw["served"] | raw["gave_up"]
    return raw


REFERENCE = {
    # KPI: numerator, denominator, value at the precision of the reference
    "service_level_sl3": (15_857, 38_711, "0.40963"),
    "service_level_sl2": (15_857, 31_402, "0.50497"),
    "abandoned": (7_309, 38_711, "0.18881"),
    "asa": (2_317_703, 31_402, "73.81"),
    "asa_of_those_who_waited": (2_317_703, 18_392, "126.02"),
    "service_time": (5_790_452, 31_402, "184.40"),
    "left_in_menu": (3_057, 41_768, "0.07319"),
}


@pytest.mark.parametrize("kpi", REFERENCE)
def test_a_reference_value_is_reproduced(verdicts, kpi):
    """38,711 calls wanted an agent, 31,402 were served, 7,309 gave up; every row counts."""
    numerator, denominator, value = REFERENCE[kpi]
    row = verdicts.loc[kpi]
    assert (row["numerator"], row["denominator"]) == (numerator, denominator)
    assert f"{row['value']:.{len(value.partition('.')[2])}f}" == value


def test_the_six_named_variants_of_the_service_level_are_six_figures(verdicts, calls):
    """Each variant is what its definition says, counted here a second time."""
    served, gave_up, wait = calls["served"], calls["gave_up"], calls["q_time"]
    fast, early, short = wait <= 20, gave_up & (wait <= 20), gave_up & (wait < 5)
    good, offered = (served & fast).sum(), calls["offered"].sum()
    expected = {
        "service_level_sl1": (good + early.sum()) / offered,
        "service_level_sl2": good / served.sum(),
        "service_level_sl3": good / offered,
        "service_level_sl4": good / (offered - early.sum()),
        "service_level_sl5": (good + short.sum()) / offered,
        "service_level_sl6": good / (offered - short.sum()),
    }
    assert verdicts.loc[list(expected), "value"].to_dict() == pytest.approx(expected, rel=1e-12)
    assert len({round(value, 6) for value in expected.values()}) == 6


def test_no_call_is_lost_and_none_counts_twice(august):
    """42,078 calls are read and kept; identifiers repeat, but not with their date and line."""
    intake = august.intake.iloc[0]
    assert (intake["read"], intake["kept"], intake["quarantined"], intake["duplicates"]) == (42_078, 42_078, 0, 0)


def impossible(calls: pd.DataFrame) -> dict[str, pd.Series]:
    """What the data's own description calls impossible, as conditions on the file."""
    served, hung_up = calls["served"], calls["outcome"] == "HANG"
    return {
        "menu_negative": calls["vru_time"] < 0,
        "queue_order": calls["q_exit_s"] < calls["q_start_s"],
        "service_order": calls["ser_exit_s"] < calls["ser_start_s"],
        "served_at_midnight": served & (calls["ser_start"] == MIDNIGHT),
        "served_no_time": served & (calls["ser_time"] <= 0),
        "served_by_nobody": served & (calls["server"] == "NO_SERVER"),
        "unserved_with_service": hung_up & (calls["ser_time"] > 0),
        "phantom": calls["outcome"] == "PHANTOM",
        "service_endless": served & (calls["ser_time"] > 14_400),
        "service_short": served & (calls["ser_time"] < 10),
        "service_after_queue": served & (calls["ser_start_s"] < calls["q_exit_s"]),
        "call_number": ~calls["call_id"].str.fullmatch(r"\d+"),
    }


COUNTS = {
    "menu_negative": 19,
    "queue_order": 13,
    "service_order": 26,
    "served_at_midnight": 57,
    "served_no_time": 125,
    "served_by_nobody": 391,
    "unserved_with_service": 126,
    "phantom": 310,
    "service_endless": 1,
    "service_short": 1_725,
    "service_after_queue": 14_421,
    "call_number": 1,
}


@pytest.mark.parametrize("name", COUNTS)
def test_every_impossible_row_is_listed_with_its_reason(august, calls, name):
    """The rows listed are exactly those of the file, each with file, row and reason; the calls stay in the figures."""
    rows = calls.index[impossible(calls)[name]]
    assert len(rows) == COUNTS[name]
    listed = rows_at_fault(august)
    own = listed[listed["rule"] == f"contacts.{name}"]
    assert own["source_row"].tolist() == rows.tolist()
    assert set(own["source_file"]) == {"data/anonymous_bank_aug1999/calls_august.csv"}
    assert set(own["counted"]) == {"yes"}
    assert len(set(own["reason"])) == 1
    assert all(own["reason"])


def test_the_whole_list_of_impossible_rows_is_published_with_the_reports(workspace, august, tmp_path):
    """`rows.csv` beside the data-quality page has a line for each row and reason."""
    made = run.run(workspace, "2010-08")
    assert not made.failed
    published = pd.read_csv(made.folder / "data-quality" / "rows.csv")
    pd.testing.assert_frame_equal(pd.read_parquet(made.folder / "data-quality" / "rows.parquet"), rows_at_fault(august))
    assert len(published) == len(rows_at_fault(august)) == sum(COUNTS.values())
    assert published.columns.tolist() == ["table", "source_file", "source_row", "rule", "counted", "reason"]


CLEAN = {
    # rules that a figure is shown without
    "abandoned": ("served_at_midnight", "served_no_time", "served_by_nobody", "unserved_with_service"),
    "asa": ("served_at_midnight", "served_no_time", "served_by_nobody", "unserved_with_service"),
    "service_time": (
        "served_at_midnight",
        "served_no_time",
        "served_by_nobody",
        "unserved_with_service",
        "service_endless",
        "service_short",
    ),
}


@pytest.mark.parametrize(
    ("kpi", "all_rows", "clean_rows"),
    [("abandoned", 0.188809, 0.188684), ("asa", 73.8075, 74.6172), ("service_time", 184.3976, 194.2161)],
)
def test_a_figure_is_shown_with_all_rows_and_with_clean_rows(august, calls, kpi, all_rows, clean_rows):
    """The effect of the impossible rows is the difference of the two, and both can be counted from the file."""
    bad = impossible(calls)
    clean = calls[~pd.concat([bad[name] for name in CLEAN[kpi]], axis=1).any(axis=1)]
    counted = {
        "abandoned": clean["gave_up"].sum() / clean["offered"].sum(),
        "asa": clean.loc[clean["served"], "q_time"].mean(),
        "service_time": clean.loc[clean["served"], "ser_time"].mean(),
    }[kpi]
    effect = august.effects.set_index("kpi").loc[kpi]
    assert effect["all_rows"] == pytest.approx(all_rows, rel=1e-5)
    assert effect["clean_rows"] == pytest.approx(clean_rows, rel=1e-5)
    assert effect["clean_rows"] == pytest.approx(counted, rel=1e-12)


def test_calls_without_a_customer_make_repeats_unsuitable(august):
    """98% of the calls that did not queue name no customer: said as unfit for that question, not as wrong."""
    rule = august.expectations.set_index("rule").loc["contacts.customer_given"]
    assert (rule["verdict"], rule["outcome"], rule["n_failed"], rule["n"]) == ("suitability", "failed", 15_798, 16_067)


def test_the_year_is_told_to_be_wrong(august):
    """The dates say 2010; the one identifier that the same replacement hit is the proof, and the rule says so."""
    rule = august.expectations.set_index("rule").loc["contacts.call_number"]
    assert rule["reason"] == (
        "1 of 42,078 contacts (under 0.1 %) have an identifier that is no number: '9908' was replaced by '2010-08-' in "
        "the whole file, so that the calls of August 1999 are dated 2010"
    )
    assert rule["remedy"] == "Read every date of this file as August 1999"


def test_the_data_quality_page_says_what_broke(workspace, august, words, tmp_path):
    """Each impossible kind of row stands on the page with its count."""
    page = run.one(workspace, "01-data-quality", {"period": "2010-08"}, tmp_path / "data.html")
    said = words(page)
    for count in ("19 of 42,078", "13 of 42,078", "26 of 42,078", "57 of 31,402", "125 of 31,402", "391 of 31,402"):
        assert f"{count} contacts" in said, count
    assert "42,078 rows were read: 42,078 kept" in said


def test_a_day_has_its_course(workspace, calls):
    """The same registers serve the day: 31 points, and the last day's waits as counted."""
    day = results.compute(workspace, "2010-08-31")
    series = day.series[(day.series["level"] == "centre") & (day.series["kpi"] == "asa")]
    assert len(series) == 31
    served = calls[calls["served"]]
    counted = served.groupby("date")["q_time"].mean()
    assert dict(zip(series["period"], series["value"], strict=True)) == pytest.approx(counted.to_dict(), rel=1e-12)

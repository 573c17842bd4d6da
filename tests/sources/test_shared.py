"""The reader on public data that nobody here wrote: the row counts that its publishers state."""

from __future__ import annotations

import shutil

import pytest

from .conftest import counts, faults, rows

pytestmark = pytest.mark.shared


def test_every_call_of_august_is_read(desk, shared):
    """42,078 calls, of which 19 left the menu before they entered it."""
    shutil.copy(shared / "data" / "anonymous_bank_aug1999" / "calls_august.csv", desk.root / "data")
    desk.source(
        "data/calls_august.csv",
        """
contact_id = { column = ["vru+line", "call_id", "date", "vru_entry"] }
offered_at = { column = ["date", "vru_entry"], format = "%Y-%m-%d %H:%M:%S" }
answered_at = { column = ["date", "ser_start"], format = "%Y-%m-%d %H:%M:%S", missing = "0:00:00" }
channel = { value = "voice" }
outcome = { cases = [
  { where = { outcome = "AGENT" }, value = "answered" },
  { where = { outcome = "HANG", q_start = "0:00:00" }, value = "left_menu" },
  { where = { outcome = "HANG" }, value = "abandoned" },
  { where = { outcome = "PHANTOM" }, value = "void" },
] }
wait_s = { column = "q_time", unit = "s" }
talk_s = { column = "ser_time", unit = "s" }
menu_s = { column = "vru_time", unit = "s" }
agent_id = { column = "server", missing = "NO_SERVER" }
""",
    )
    desk.time_zone = "Asia/Jerusalem"
    staged = desk.stage()
    assert counts(staged) == {"read": 42_078, "kept": 42_059, "quarantined": 19, "duplicates": 0, "set_aside": 0}
    assert {(column, rule) for _, column, rule in faults(staged)} == {("menu_s", "low")}


VANCOUVER = """
starts_on = { column = "Date", format = "%Y-%m-%d" }
length = { value = "day" }
channel = { value = "voice" }
n_offered = "CallsOffered"
n_answered = "CallsHandled"
n_abandoned = "CallsAbandoned"
asa_s = "AverageSpeedofAnswer"
service_level_share = "ServiceLevel"
wait_s_sum = { product = ["asa_s", "n_answered"] }
"""


def test_semicolons_and_a_byte_order_mark_are_read(desk, shared):
    """5,585 days; the waits of 2023 add up to 52.956 s for each of 377,605 handled calls."""
    shutil.copy(shared / "data" / "vancouver_311" / "3-1-1-contact-centre-metrics.csv", desk.root / "data")
    desk.source("data/*.csv", VANCOUVER, table="intervals", more='delimiter = ";"')
    staged = desk.stage()
    assert counts(staged)["kept"] == counts(staged)["read"] == 5_585
    year = [
        row for row in rows(staged.tables["intervals"], "starts_on", "n_answered", "wait_s_sum") if row[0] >= "2023"
    ]
    year = [row for row in year if row[0] < "2024"]
    handled, waited = sum(int(row[1]) for row in year), sum(int(row[2]) for row in year)
    assert handled == 377_605
    assert round(waited / handled, 3) == 52.956


def test_the_workbook_says_what_its_csv_twin_says(desk, shared):
    """365 days of 2023, measure by measure."""
    for name in ("3-1-1-contact-centre-metrics.csv", "3-1-1-contact-centre-metrics-2023.xlsx"):
        shutil.copy(shared / "data" / "vancouver_311" / name, desk.root / "data")
    measures = ("starts_on", "n_offered", "n_answered", "n_abandoned", "asa_s", "service_level_share", "wait_s_sum")
    desk.source("data/*.csv", VANCOUVER, table="intervals", more='delimiter = ";"')
    text = rows(desk.stage().tables["intervals"], *measures, order="starts_on")
    desk.sources.clear()
    desk.source("data/*.xlsx", VANCOUVER, table="intervals", more='format = "excel"')
    staged = desk.stage()
    assert counts(staged)["kept"] == counts(staged)["read"] == 365
    book = rows(staged.tables["intervals"], *measures, order="starts_on")
    assert book == [row for row in text if row[0].startswith("2023")]


def test_official_counts_are_read(desk, shared):
    """534 provider-months; no row is lost to text months and column names with spaces."""
    shutil.copy(shared / "data" / "nhs111_mds_2015_16" / "NHS_Calls.csv", desk.root / "data")
    desk.source(
        "data/NHS_Calls.csv",
        """
starts_on = { column = "Periodname", format = "%b-%y" }
length = { value = "month" }
team = "Provider Name"
site = "Provider Org Code"
channel = { value = "voice" }
n_offered = "Nhs1 Number Calls Offered SUM"
n_answered = "Nhs1 Answered Calls SUM"
n_abandoned = "Nhs1 Abandoned Calls SUM"
n_in_threshold = "Nhs1 Answered 60sec SUM"
""",
        table="intervals",
    )
    staged = desk.stage()
    assert counts(staged)["kept"] == counts(staged)["read"] == 534
    april = [row for row in rows(staged.tables["intervals"], "starts_on", "n_offered") if row[0] == "2015-04-01"]
    assert sum(int(row[1]) for row in april) == 1_130_894


def test_line_breaks_inside_quotes_do_not_make_rows(desk, shared):
    """2,343 service standards on 3,136 lines."""
    shutil.copy(shared / "data" / "canada_service_standards" / "ss_2024.csv", desk.root / "data")
    desk.source(
        "data/ss_2024.csv",
        """
requirement_id = { column = ["service_standard_id", "service_id", "owner_org", "channel"] }
title = "service_standard_fr"
origin = { value = "organisational" }
objective = "service_standard_en"
valid_from = { value = "2023-04-01" }
""",
        table="requirements",
    )
    desk.source(
        "data/ss_2024.csv",
        """
starts_on = { value = "2023-04-01" }
length = { value = "month" }
team = "service_standard_id"
site = "service_id"
queue = "owner_org"
n_offered = "total_volume"
n_in_threshold = "volume_meeting_target"
""",
        table="intervals",
    )
    staged = desk.stage()
    assert staged.intake["read"].tolist() == [2_343, 2_343]
    last = rows(staged.tables["requirements"], "source_row")[-1]
    assert int(last) > 3_100

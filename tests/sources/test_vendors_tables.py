"""Vendors' tables (NICE CXone, Zendesk, Talkdesk): exact rows, and each of their traps."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccanalysis.errors import ContractError, SettingsError

from . import vendor_exports as made
from .conftest import faults, rows
from .vendor_reading import (
    CXONE,
    TALK,
    TALKDESK,
    TICKETS,
    of,
    read,
)

ZONE = 'zone = "America/Denver"\n'


def test_cxone_rows_become_contacts(desk):
    """Two transfers in a row are one contact; abandoned before the queue is not abandoned in it."""
    staged = read(desk, CXONE, made.cxone_file(), "contacts", more=ZONE)
    columns = (
        "contact_id",
        "offered_at",
        "channel",
        "outcome",
        "agent_id",
        "menu_s",
        "wait_s",
        "talk_s",
        "acw_s",
        "transfers",
    )
    assert rows(staged.tables["contacts"], *columns) == [
        ("101", "2026-11-09 15:00:00+00", "voice", "answered", "7", "30", "20", "200", "15", "0"),
        ("102", "2026-11-09 15:01:00+00", "voice", "answered", "7", "30", "95", "200", "15", "0"),
        ("103", "2026-11-09 15:02:00+00", "voice", "abandoned", None, "30", "40", "0", "0", "0"),
        ("104", "2026-11-09 15:03:00+00", "voice", "left_menu", None, "30", "0", "0", "0", "0"),
        ("105", "2026-11-09 15:04:00+00", "voice", "answered", "7", "30", "20", "310", "25", "2"),
        ("108", "2026-11-09 15:05:00+00", "chat", "answered", "7", "30", "20", "200", "15", "0"),
    ]
    assert of(staged, "contacts") == {"read": 6, "kept": 6, "quarantined": 0, "duplicates": 0, "set_aside": 2}
    dropped = (
        "personal fields of source 'contacts' are dropped at the door: 'ANI_Dialnum', 'Agent_Name', 'Contact_Name'"
    )
    assert dropped in staged.notes


def test_cxone_rows_become_segments_of_the_first_master(desk):
    """A contact that is transferred twice gets a new master; the chain is followed to its beginning."""
    staged = read(desk, CXONE, made.cxone_file(), "segments", more=ZONE)
    found = rows(staged.tables["segments"], "segment_id", "contact_id", "agent_id", "talk_s")
    assert [row for row in found if row[1] == "105"] == [
        ("105", "105", "7", "200"),
        ("106", "105", "8", "50"),
        ("107", "105", "9", "60"),
    ]


def test_the_flag_of_cxone_is_turned_round(desk):
    """0 was handled within the level, 1 was not, -1 does not count; anything else is quarantined."""
    desk.sources.append('[tables.contacts.columns]\nwithin = { type = "text", about = "within the service level" }\n')
    content = made.cxone_file() + made.cxone("109", sla="2") + "\n"
    staged = read(desk, CXONE, content, "contacts", more=ZONE, columns='within = "Within service level"')
    assert dict(rows(staged.tables["contacts"], "contact_id", "within"))["101"] == "yes"
    assert dict(rows(staged.tables["contacts"], "contact_id", "within"))["102"] == "no"
    assert dict(rows(staged.tables["contacts"], "contact_id", "within"))["103"] is None
    assert faults(staged) == [(10, None, "record")]


def test_cxone_needs_a_zone(desk):
    """Local times of an unknown zone cannot be placed in time."""
    with pytest.raises(SettingsError) as refused:
        read(desk, CXONE, made.cxone_file(), "contacts")
    assert str(refused.value) == (
        "ccanalysis.toml:4: source 'contacts' does not say its 'zone': CXone writes local times and not of which zone. "
        'Add zone = "Europe/London", with the zone that the export was made in'
    )


def test_a_cxone_file_that_is_written_day_first_is_refused_whole(desk):
    """One month above 12 shows that all the others were read wrongly without a word."""
    content = "\n".join([made.CXONE_HEADER, made.cxone("1", day="05/11/2026"), made.cxone("2", day="13/11/2026"), ""])
    with pytest.raises(ContractError) as refused:
        read(desk, CXONE, content, "contacts", more=ZONE)
    assert str(refused.value) == (
        "export.txt, row 3: Start_Date has a month above 12, so this file is not written month first as CXone "
        "publishes it. Export it again with US dates, or declare it without vendor and with its own format"
    )


def test_a_cxone_row_that_two_exports_repeat_counts_once(desk):
    """Overlapping days; also for a contact of several rows."""
    staged = read(desk, CXONE, [made.cxone_file(), made.cxone_file()], "contacts", more=ZONE)
    assert of(staged, "contacts") == {"read": 14, "kept": 6, "quarantined": 0, "duplicates": 8, "set_aside": 2}
    assert dict(rows(staged.tables["contacts"], "contact_id", "talk_s"))["105"] == "310"


def test_a_local_time_that_came_twice_is_not_guessed(desk):
    """Clocks in Denver went back on 1 November 2026 at two."""
    content = "\n".join([made.CXONE_HEADER, made.cxone("1", day="11/01/2026", clock="01:30:00"), made.cxone("2"), ""])
    staged = read(desk, CXONE, content, "contacts", more=ZONE)
    assert faults(staged) == [(2, "offered_at", "time_twice")]


EMAIL = 'channel = { value = "email" }'


def test_zendesk_minutes_become_seconds(desk):
    """Ninety minutes are 5,400 seconds; a ticket that waits is set aside, one solved without reply flowed out."""
    staged = read(desk, TICKETS, made.tickets_file(), "contacts", columns=EMAIL)
    begins = made.tickets_file().splitlines().index('   "ticket_id": 3,') - 1  # the brace and the record's own id
    columns = ("contact_id", "answered_at", "outcome", "wait_s", "resolved", "transfers", "source_row")
    assert rows(staged.tables["contacts"], *columns) == [
        ("1", "2026-11-09 09:30:00+00", "answered", "5400", "true", "1", "3"),
        ("3", None, "flowed_out", None, "true", "1", str(begins)),
    ]
    assert of(staged, "contacts") == {"read": 2, "kept": 2, "quarantined": 0, "duplicates": 0, "set_aside": 1}


def test_zendesk_business_minutes_are_asked_for_by_one_line(desk):
    """The calendar is the default; the schedule behind business minutes may change."""
    columns = EMAIL + '\nwait_s = { column = "reply_time_in_minutes.business", unit = "min" }'
    staged = read(desk, TICKETS, made.tickets_file(), "contacts", columns=columns)
    assert rows(staged.tables["contacts"], "wait_s") == ["1800", None]


def test_zendesk_tickets_do_not_say_their_channel(desk):
    """The settings must."""
    with pytest.raises(SettingsError) as refused:
        read(desk, TICKETS, made.tickets_file(), "contacts")
    assert "source 'contacts' does not say where 'channel' comes from (medium)" in str(refused.value)


def test_zendesk_tickets_are_read_from_csv_too(desk):
    """Nested fields are columns there, joined by an underscore or a point; the latest version of a ticket holds."""
    header = (
        "ticket_id,created_at,solved_at,updated_at,reopens,replies,assignee_stations,reply_time_in_minutes_calendar"
    )
    old = "1,2026-11-09T08:00:00Z,,2026-11-09T09:00:00Z,0,1,1,12"
    new = "1,2026-11-09T08:00:00Z,2026-11-09T10:00:00Z,2026-11-09T10:00:00Z,0,1,1,12"
    staged = read(desk, TICKETS, "\n".join([header, new, old, ""]), "contacts", columns=EMAIL)
    assert rows(staged.tables["contacts"], "contact_id", "wait_s", "resolved") == [("1", "720", "true")]
    assert of(staged, "contacts")["duplicates"] == 1


def test_zendesk_talk_tells_how_each_call_ended(desk):
    """Abandoned on hold had been answered; abandoned in the menu never queued; with voicemail nobody answered."""
    staged = read(desk, TALK, made.talk_file(), "contacts")
    columns = ("contact_id", "outcome", "direction", "answered_at", "wait_s", "acw_s", "recording_paused")
    answered = "2026-11-09 08:00:40+00"
    assert rows(staged.tables["contacts"], *columns) == [
        ("1", "answered", "inbound", answered, "25", "20", "false"),
        ("2", "abandoned", "inbound", None, "25", "20", "false"),
        ("3", "left_menu", "inbound", None, "25", "20", "false"),
        ("4", "answered", "inbound", answered, "25", "20", "false"),
        ("5", "abandoned", "inbound", None, "25", "20", "false"),
        ("6", "voicemail", "inbound", None, "25", "20", "false"),
        ("7", "answered", "inbound", answered, "25", "20", "true"),
        ("8", "answered", "callback", answered, "25", "20", "false"),
        ("9", "flowed_out", "inbound", None, "25", "20", "false"),
    ]


def test_a_status_of_zendesk_talk_that_is_not_listed_is_quarantined(desk):
    """And a page of the interface is read as well as JSON lines."""
    page = json.dumps({"calls": [made.talk_call(1), made.talk_call(2, "lost_in_space")], "count": 2})
    staged = read(desk, TALK, page, "contacts")
    assert faults(staged) == [(1, "outcome", "code")]
    assert rows(staged.tables["contacts"], "contact_id") == ["1"]


DUBLIN = 'zone = "Europe/Dublin"\n'


def test_talkdesk_is_read_on_both_sides_of_its_change(desk):
    """One history of two files: fractions of a day and seconds give the same six seconds."""
    desk.sources.append('[tables.contacts.columns]\nmoved = { type = "text", about = "whether it was transferred" }\n')
    staged = read(
        desk,
        TALKDESK,
        [made.talkdesk_new(), made.talkdesk_old()],
        "contacts",
        more=DUBLIN,
        columns='moved = "is_transfer"',
    )
    columns = ("contact_id", "offered_at", "outcome", "direction", "wait_s", "talk_s", "moved")
    assert rows(staged.tables["contacts"], *columns, order="contact_id") == [
        ("k1", "2026-05-09 07:00:00+00", "answered", "inbound", "6", "280", "true"),
        ("k2", "2026-05-09 08:00:00+00", "abandoned", "inbound", "6", "0", "false"),
        ("k3", "2026-05-12 08:00:00+00", "answered", "inbound", "6", "280", "true"),
        ("k4", "2026-05-12 09:00:00+00", "abandoned", "inbound", "60", "0", "false"),
        ("k5", "2026-05-12 10:00:00+00", "voicemail", "inbound", "30", "0", "false"),
        ("k6", "2026-05-12 11:00:00+00", "void", "outbound", "0", "0", "false"),
    ]
    assert "personal fields of source 'contacts' are dropped at the door: 'user_email'" in staged.notes


def test_a_talkdesk_file_with_both_writings_is_refused(desk):
    """The form of the times decides for the whole file; nothing is told from the size of a number."""
    content = made.talkdesk_old() + made.talkdesk_new().split("\n", 1)[1]
    with pytest.raises(ContractError) as refused:
        read(desk, TALKDESK, content, "contacts", more=DUBLIN)
    assert str(refused.value).startswith("export.txt, row 4: from this row on times are written in the other way")
    assert str(refused.value).endswith("Export the days before and from 11 May 2026 into files of their own")


@settings(max_examples=20, deadline=None)
@given(seconds=st.integers(0, 86_399))
def test_every_second_of_a_day_survives_talkdesks_fractions(seconds):
    """A fraction of a day with nine decimals tells every second apart."""
    from ccanalysis.vendors.talkdesk_calls import OLD, _seconds

    assert _seconds(f"{seconds / 86_400:.9f}", OLD) == str(seconds)


def test_a_number_of_talkdesk_that_does_not_fit_the_form_is_quarantined(desk):
    """A fraction in a file of seconds is not taken for one."""
    content = made.talkdesk_new().replace(",280,6,", ",280,0.000069444446,")
    assert faults(read(desk, TALKDESK, content, "contacts")) == [(2, None, "record")]

"""Delivery by mail: to whom the settings name, their own report, once, and nothing that was changed."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile

import pytest

from ccanalysis.errors import LockedError, SettingsError
from ccanalysis.outgoing import Delivery
from ccanalysis.reports.delivery import counted, deliver
from ccanalysis.reports.ledger import Ledger
from ccanalysis.reports.letters import report_letter
from ccanalysis.reports.publish import Lock

NORTH, SOUTH = "north@riverside.example", "south@riverside.example"


@pytest.fixture
def two(workspace):
    """Two recipients, each with the report of one team."""
    return workspace.recipient("North lead", NORTH, workspace.team("North")) + workspace.recipient(
        "South lead", SOUTH, workspace.team("South")
    )


def became(parcels):
    """Return what became of each report."""
    return [(parcel.recipient, parcel.report, parcel.became) for parcel in parcels]


def test_each_recipient_is_sent_their_own_report_and_no_other(workspace, mail, two):
    """Text, HTML and attachment hold the reader's own figures alone."""
    parcels = deliver(workspace(two))
    assert became(parcels) == [("North lead", "North", "sent"), ("South lead", "South", "sent")]
    assert counted(parcels) == "2 sent"
    assert mail.connections == 1
    [message] = mail.to(NORTH)
    assert message["Subject"] == "Riverside: North, 2026-W46"
    plain = message.get_body(("plain",)).get_content()
    page = message.get_body(("html",)).get_content()
    for body in (plain, page):
        assert "Two of four targets were met." in body
        assert "Service level of North" in body
        assert "71.2% (likely between 69.0% and 73.0%)" in body
        assert "South" not in body
    [attached] = message.iter_attachments()
    assert attached.get_filename() == "report-2026-W46.zip"
    with zipfile.ZipFile(io.BytesIO(attached.get_content())) as archive:
        assert archive.namelist() == ["figures.xlsx", "page.html"]
        assert b"North" in archive.read("page.html")


def test_the_html_of_a_mail_runs_and_fetches_nothing(workspace, mail, two):
    """Hostile words of the data stay words; there is no script, picture, style or link."""
    hostile = "<script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)>"
    workspace.put(lead=hostile)
    deliver(workspace(two))
    page = mail.to(NORTH)[0].get_body(("html",)).get_content()
    assert "&lt;script&gt;" in page
    tags = set(re.findall(r"<\W*(\w+)", page))
    allowed = "doctype html head meta title body h1 p table thead tbody tr th td"
    assert [tag for tag in tags if tag not in allowed.split()] == []


def test_nothing_is_sent_twice(workspace, mail, two):
    """Not by a second command, and not to one who is named later."""
    opened = workspace(two)
    deliver(opened)
    assert [parcel.became for parcel in deliver(opened)] == ["already sent", "already sent"]
    more = two + workspace.recipient("Head", "head@riverside.example", '{ audience = "centre" }')
    assert [parcel.became for parcel in deliver(workspace(more))] == ["already sent", "already sent", "sent"]
    assert len(mail.sent) == 3
    assert [parcel.became for parcel in deliver(opened, to="North lead", again=True)] == ["sent"]
    assert len(mail.to(NORTH)) == 2


def test_a_dry_run_connects_to_nothing_and_writes_nothing(workspace, mail, two, tree):
    """It says what would be sent."""
    opened = workspace(two)
    before = tree(workspace.folder)
    assert counted(deliver(opened, dry_run=True)) == "2 would be sent"
    assert (mail.connections, tree(workspace.folder)) == (0, before)


def test_a_new_revision_is_sent_anew_and_marked(workspace, mail, two):
    """The subject and the first lines say that it replaces another one."""
    opened = workspace(two)
    deliver(opened)
    workspace.put(lead="Three of four targets were met.", revision=2)
    assert [parcel.became for parcel in deliver(opened)] == ["sent", "sent"]
    message = mail.to(NORTH)[1]
    assert message["Subject"] == "Revised: Riverside: North, 2026-W46"
    assert "This is revision 2; it replaces the report sent on 20" in message.get_body(("plain",)).get_content()


def test_a_recipient_without_a_rule_is_sent_nothing(workspace, mail):
    """Default deny, and no fault."""
    [parcel] = deliver(workspace(workspace.recipient("Visitor", "visitor@riverside.example")))
    assert (parcel.line(), parcel.ok) == ("Visitor: not sent: no report is given to them", True)
    assert mail.connections == 0


def test_a_unit_that_has_no_report_is_an_error_with_the_nearest_and_stops_no_other(workspace, mail):
    """A mistyped team is nobody's."""
    rules = workspace.recipient("North lead", NORTH, workspace.team("Nroth")) + workspace.recipient(
        "South lead", SOUTH, workspace.team("South")
    )
    wrong, right = deliver(workspace(rules))
    assert (wrong.became, wrong.ok, right.became) == ("not sent", False, "sent")
    assert wrong.why == (
        "the recipient 'North lead' is to be sent the report of the team 'Nroth', and 2026-W46 has none. "
        "Did you mean 'North'?"
    )


def test_a_recipient_whom_the_server_refuses_stops_no_other(workspace, mail, two):
    """The reason has the server's number and no address; the next delivery tries again."""
    opened = workspace(two)
    mail.refused.add(NORTH)
    wrong, right = deliver(opened)
    assert (wrong.line(), right.became) == (
        "North lead: North: not sent: the mail server refused the recipient (550)",
        "sent",
    )
    mail.refused.clear()
    assert [parcel.became for parcel in deliver(opened)] == ["sent", "already sent"]


def test_a_mail_that_the_server_may_have_taken_is_not_sent_again_unasked(workspace, mail, two):
    """The connection breaks after the mail was handed over: nobody knows; the others are still sent."""
    opened = workspace(two)
    mail.cut_short.add(NORTH)
    assert [parcel.became for parcel in deliver(opened)] == ["may have been sent", "sent"]
    mail.cut_short.clear()
    unsure, _ = deliver(opened)
    assert (unsure.became, unsure.ok) == ("may have been sent", False)
    assert "was cut short; ask, then use --again" in unsure.why
    assert [parcel.became for parcel in deliver(opened, to="North lead", again=True)] == ["sent"]


def test_a_delivery_that_is_killed_is_told_from_one_that_ended(workspace, mail, two, monkeypatch):
    """Killed between the two lines of the ledger, and in the middle of the second line."""
    opened = workspace(two)
    write = Ledger.write

    def killed(self, recipient, report, digest, state):
        if state == "sent":
            with self.path.open("ab") as file:
                file.write(b'{"recipient": "North le')
            raise KeyboardInterrupt
        write(self, recipient, report, digest, state)

    monkeypatch.setattr(Ledger, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        deliver(opened)
    monkeypatch.setattr(Ledger, "write", write)
    assert [parcel.became for parcel in deliver(opened)] == ["may have been sent", "sent"]
    assert len(mail.to(NORTH)) == 1
    assert [parcel.became for parcel in deliver(opened)] == ["may have been sent", "already sent"]


@pytest.mark.parametrize("name", ["page.html", "figures.xlsx", "summary.json"])
def test_a_report_that_was_changed_after_it_was_published_is_not_sent(workspace, mail, two, name):
    """Page, workbook or summary; the other team's is sent."""
    (workspace.folder / "reports/2026-W46/teams/north-1" / name).write_text("changed", encoding="utf-8")
    wrong, right = deliver(workspace(two))
    assert (wrong.became, wrong.why) == ("not sent", f"{name} is missing or was changed after it was published")
    assert right.became == "sent"
    assert mail.to(NORTH) == []


def test_a_link_in_the_place_of_a_page_is_not_followed(workspace, mail, two, tmp_path):
    """Even to the same words."""
    page = workspace.folder / "reports/2026-W46/teams/north-1/page.html"
    page.rename(tmp_path / "elsewhere.html")
    page.symlink_to(tmp_path / "elsewhere.html")
    assert [parcel.became for parcel in deliver(workspace(two))] == ["not sent", "sent"]


def test_a_report_that_failed_is_not_sent_even_where_an_earlier_page_stands(workspace, mail, two):
    """Its figures are of an earlier run."""
    workspace.put(failed=("North",))
    wrong, right = deliver(workspace(two))
    assert (wrong.became, wrong.why, wrong.ok) == ("not sent", "it was not made in the last run", False)
    assert right.became == "sent"


def test_figures_of_another_reader_are_not_sent(workspace, mail, two):
    """A manifest that names one team and a summary that names another do not go together."""
    published = workspace.folder / "reports" / "2026-W46"
    manifest = json.loads((published / "manifest.json").read_text(encoding="utf-8"))
    for report in manifest["reports"]:
        if report["unit"] == "South":
            report["path"] = "line-managers/ann-lee-0123456789/page.html"
    (published / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert deliver(workspace(two))[1].why == "its figures are another reader's"
    assert mail.to(SOUTH) == []


def test_a_page_is_linked_where_it_is_not_attached(workspace, mail, two):
    """Only the address goes; the page stays where the rights of folders guard it."""
    deliver(workspace(two, attach="false", link='"https://files.riverside.example/reports/"'))
    message = mail.to(NORTH)[0]
    assert list(message.iter_attachments()) == []
    where = "https://files.riverside.example/reports/2026-W46/teams/north-1/page.html"
    assert f"The whole report: {where}" in message.get_body(("plain",)).get_content()


def test_mail_goes_over_an_encrypted_connection_with_a_password_of_the_environment(
    workspace, mail, two, certificate, monkeypatch
):
    """STARTTLS before the password is sent."""
    mail.context, mail.login = certificate, ("reports", "pass word")
    given = {"host": '"localhost"', "security": '"starttls"', "user": '"MAIL_USER"', "password": '"MAIL_PASSWORD"'}
    opened = workspace(two, **given)
    with pytest.raises(SettingsError, match="the environment variable MAIL_USER is not set"):
        deliver(opened)
    monkeypatch.setenv("MAIL_USER", "reports")
    monkeypatch.setenv("MAIL_PASSWORD", "pass word")
    assert counted(deliver(opened)) == "2 sent"
    assert mail.logins == [True]
    assert all(encrypted for *_, encrypted in mail.sent)
    mail.login = ("reports", "another")
    parcels = deliver(opened, again=True)
    assert {parcel.why for parcel in parcels} == {"the mail server refused user and password (535)"}


def test_without_encryption_nothing_is_sent(workspace, mail, two):
    """A server that does not offer STARTTLS is not talked to in the clear."""
    parcels = deliver(workspace(two, host='"localhost"', security='"starttls"'))
    assert [parcel.became for parcel in parcels] == ["not sent", "not sent"]
    assert "does not offer what the settings ask for" in parcels[0].why
    assert mail.sent == []


def test_a_server_that_nobody_knows_is_not_trusted(workspace, mail, two, certificate, monkeypatch):
    """Its certificate is checked."""
    monkeypatch.delenv("SSL_CERT_FILE")
    mail.context = certificate
    parcels = deliver(workspace(two, host='"localhost"', security='"starttls"'))
    assert "certificate is not trusted" in parcels[0].why
    assert mail.sent == []


def test_a_server_that_is_not_there_is_said_and_asked_once(workspace, two):
    """Every recipient is named; nobody waits for each of them."""
    parcels = deliver(workspace(two, port=1))
    assert {(parcel.became, parcel.why) for parcel in parcels} == {
        ("not sent", "the mail server cannot be reached (Connection refused)")
    }


def test_two_deliveries_at_the_same_time_are_refused(workspace, two):
    """One would not know what the other sends."""
    opened = workspace(two)
    with Lock(opened.cache_path / "deliveries" / "lock"), pytest.raises(LockedError):
        deliver(opened)


HOSTILE = [
    "North\r\nBcc: all@evil.example",
    "North\nX: y",
    "N\u2028Bcc: x",
    "North\x00",
    "\u202eNorth",
    "=?utf-8?q?x?=",
]


@pytest.mark.parametrize("title", HOSTILE)
def test_no_name_of_the_data_becomes_a_header(title):
    """Titles, centres and names of recipients stay on their line."""
    delivery = Delivery(host="localhost", sender="reports@riverside.example")
    short = {"lead": title, "kpis": []}
    mail = report_letter(
        delivery, (title, NORTH), centre=title, title=title, period="2026-W46", summary=short, path="a", files={}
    )
    head = mail.as_bytes().partition(b"\r\n\r\n")[0].decode()
    names = [line.partition(":")[0] for line in head.split("\r\n") if not line.startswith((" ", "\t"))]
    assert sorted(names) == sorted(
        ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
    )


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        pytest.param({"security": '"none"', "host": '"smtp.example.org"'}, 'security = "none" is only for', id="clear"),
        pytest.param({"password": '"hunter2 is my secret"'}, "not the name of an environment variable", id="secret"),
        pytest.param({"user": '"MAIL_USER"'}, "'user' and 'password' go together", id="half_a_login"),
        pytest.param({"sender": '"a@b.example\\nBcc: x@y.example"'}, "not one plain mail address", id="a_header"),
        pytest.param({"sender": '"a@b.example, c@d.example"'}, "not one plain mail address", id="two_addresses"),
        pytest.param({"sender": '"Ann <a@b.example>"'}, "not one plain mail address", id="a_name_and_an_address"),
        pytest.param({"subject": '"{team.__class__}"'}, "'subject' cannot be used", id="a_format"),
        pytest.param({"attach": "false"}, "attach = false needs a 'link'", id="no_link"),
        pytest.param({"link": '"javascript:alert(1)"'}, "'link' is not an address", id="a_script"),
        pytest.param({"hots": '"x"'}, "[delivery] has no setting 'hots'. Did you mean 'host'?", id="mistyped"),
        pytest.param({"port": 0}, "'port' must be 1 to 65535", id="port"),
    ],
)
def test_settings_that_cannot_be_followed_are_refused_with_their_line(workspace, settings, says):
    """Before anything is sent; what was written in the place of a secret is not repeated."""
    with pytest.raises(SettingsError) as error:
        workspace("", **settings)
    assert says in str(error.value)
    assert str(error.value).startswith("ccanalysis.toml:")
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ('[[recipients]]\nname = "A"\naddress = "no address"\n', "'address' is not one plain mail address"),
        ('[[recipients]]\nname = "A\\nB"\naddress = "a@b.example"\n', "the name cannot be used"),
        ('[[recipients]]\nname = "A"\naddress = "a@b.example"\n' * 2, "two recipients are named 'A'"),
        (
            '[[recipients]]\nname = "A"\naddress = "a@b.example"\nreports = [{ audience = "team" }]\n',
            "a 'team' report needs a 'unit'",
        ),
        (
            '[[recipients]]\nname = "A"\naddress = "a@b.example"\nreports = [{ audience = "centre", unit = "x" }]\n',
            "the 'centre' report has no 'unit'",
        ),
        (
            '[[recipients]]\nname = "A"\naddress = "a@b.example"\nreports = [{ audience = "all" }]\n',
            "'audience' is 'all', which is not one of",
        ),
    ],
)
def test_recipients_that_cannot_be_followed_are_refused(workspace, rules, says):
    """An address is not repeated."""
    with pytest.raises(SettingsError) as error:
        workspace("\n" + rules)
    assert says in str(error.value)
    assert "no address" not in str(error.value)


def test_the_ledger_holds_no_address_and_is_its_owners_alone(workspace, mail, two):
    """It is a record of who was sent what."""
    deliver(workspace(two))
    path = workspace.folder / ".ccanalysis" / "deliveries" / "2026-W46.jsonl"
    assert "@" not in path.read_text(encoding="utf-8")
    assert [json.loads(line)["state"] for line in path.read_text().splitlines()] == ["sending", "sent"] * 2
    if os.name == "posix":
        assert path.stat().st_mode & 0o077 == 0


def test_the_command_prints_names_and_no_address_and_ends_with_1_where_one_failed(workspace, mail, two):
    """As a scheduler sees it."""
    workspace(two)
    mail.refused.add(SOUTH)
    done = subprocess.run(
        [sys.executable, "-m", "ccanalysis.cli", "deliver"],
        cwd=workspace.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        "North lead: North: sent\nSouth lead: South: not sent: the mail server refused the recipient (550)\n"
        "1 sent, 1 not sent\n"
    )

"""`ccanalysis serve`: to one person on this machine, to read, and nothing beside the reports."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.parse

import pytest

from ccanalysis.reports.exporter import policy
from ccanalysis.reports.publish import publish
from ccanalysis.reports.serving import ReportServer
from ccanalysis.workspace import Workspace

SETTINGS = """\
[centre]
name = "Riverside <b>"
time_zone = "Europe/London"

[[sources]]
name = "calls"
table = "contacts"
files = "calls.csv"
[sources.columns]
contact_id = "Id"
offered_at = { column = "Offered", format = "iso" }
channel = { value = "voice" }
outcome = { column = "Outcome", codes = { A = "answered" } }
"""
TOKEN = "a-token-that-is-known-to-the-test"
OWN = policy("'sha256-abc='")


@pytest.fixture
def folder(tmp_path):
    """A workspace with one published period, and secrets around it."""
    home = tmp_path / "centre"
    built = tmp_path / "built"
    (built / "teams" / "équipe nord").mkdir(parents=True)
    page = f'<html><head><meta http-equiv="Content-Security-Policy" content="{OWN}"></head>'.replace("'", "&#39;")
    (built / "index.html").write_text(page + "all reports", encoding="utf-8")
    (built / "teams" / "équipe nord" / "page.html").write_text(page + "North", encoding="utf-8")
    (built / "teams" / "équipe nord" / "verdicts.csv").write_text("kpi", encoding="utf-8")
    (built / "teams" / "équipe nord" / "odd.exe").write_text("x", encoding="utf-8")
    home.mkdir()
    (home / "ccanalysis.toml").write_text(SETTINGS, encoding="utf-8")
    (home / "secret.html").write_text("secret", encoding="utf-8")
    publish(built, home / "reports" / "2026-W46", {"reports": []})
    return home


@pytest.fixture
def server(folder):
    """A server that runs until the test ends."""
    with ReportServer(Workspace.open(folder), token=TOKEN) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ask(server, path, *, method="GET", cookie=TOKEN, host=None, **headers):
    """Ask as a browser does that has the cookie."""
    port = server.server_address[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    if host != "":
        connection.putheader("Host", host or f"127.0.0.1:{port}")
    if cookie:
        connection.putheader("Cookie", f"other=1; ccanalysis-{port}={cookie}")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), content


NORTH = urllib.parse.quote("/2026-W46/teams/équipe nord/")


def test_it_listens_on_the_loopback_interface_alone(server):
    """Nobody on the network can reach it."""
    assert server.server_address[0] == "127.0.0.1"
    assert server.address == f"http://127.0.0.1:{server.server_address[1]}/?token={TOKEN}"
    mine = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for address in mine:
        if not address.startswith("127."):
            with pytest.raises(OSError), socket.create_connection((address, server.server_address[1]), timeout=2):
                pass


def test_reports_are_shown_to_whom_the_token_is_known(server):
    """The start page leads to the period's index, and that to each page."""
    status, _, content = ask(server, "/")
    assert status == 200
    assert b"2026-W46/index.html" in content
    assert b"Riverside <b>" not in content
    assert ask(server, "/2026-W46/")[2].endswith(b"all reports")
    assert ask(server, "/2026-W46/index.html")[2].endswith(b"all reports")
    assert ask(server, NORTH + "page.html")[2].endswith(b"North")
    assert ask(server, NORTH + "verdicts.csv")[1]["Content-Type"] == "text/csv; charset=utf-8"
    assert ask(server, "/2026-W46")[1]["Location"] == "/2026-W46/"


def test_the_token_of_the_address_becomes_a_cookie(server):
    """It does not stay in the address, where a page could tell it on."""
    status, headers, _ = ask(server, f"{NORTH}page.html?token={TOKEN}", cookie="")
    assert (status, headers["Location"]) == (303, NORTH + "page.html")
    cookie = headers["Set-Cookie"]
    assert cookie == f"ccanalysis-{server.server_address[1]}={TOKEN}; Path=/; HttpOnly; SameSite=Strict"


@pytest.mark.parametrize("path", ["/", "/2026-W46/", "/2026-W46/nothing.html", "/?token=", "/?token=wrong"])
@pytest.mark.parametrize("cookie", ["", "wrong", "é", TOKEN[:-1]])
def test_without_the_token_nothing_is_shown_not_even_what_there_is(server, path, cookie):
    """Other users of the machine can reach the port."""
    status, _, content = ask(server, path, cookie=cookie)
    assert status == 403
    assert b"reports" not in content


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.html",
        "/2026-W46/../../secret.html",
        "/%2e%2e/secret.html",
        "/2026-W46/%2e%2e%2f%2e%2e%2fsecret.html",
        "/2026-W46/..%5c..%5csecret.html",
        "/2026-W46/....//secret.html",
        "//etc/passwd",
        "/2026-W46/%00",
        "/2026-W46/a%0d%0aX:%20y",
        "/C:/secret.html",
        "/2026-W46/teams/",
        "/2026-W46/teams",
        NORTH,
        NORTH + "odd.exe",
        "/.2026-W45.new/index.html",
        "/2026-W46/link.html",
        "/2026-W46/linked/secret.html",
        "/%ff",
        "/" + "a/" * 50,
        "/2026-W45/",
        "/2026-W46/issued/issued.json",
    ],
)
def test_nothing_beside_the_reports_is_shown_and_no_folder_is_listed(server, folder, path):
    """No way up, no link, no hidden folder, no list of files."""
    reports = folder / "reports"
    shutil.copytree(reports / "2026-W46", reports / ".2026-W45.new")
    (reports / "2026-W46" / "issued").mkdir()
    (reports / "2026-W46" / "issued" / "issued.json").write_text("{}", encoding="utf-8")
    (reports / "2026-W46" / "link.html").symlink_to(folder / "secret.html")
    (reports / "2026-W46" / "linked").symlink_to(folder)
    status, headers, content = ask(server, path)
    assert status == 404
    assert content == b"Not Found\n"
    assert "X" not in headers


@pytest.mark.parametrize("host", ["", "evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "localhost.evil"])
def test_another_name_of_the_server_is_refused(server, host):
    """A web page whose name was made to lead here could read the reports otherwise."""
    assert ask(server, "/", host=host)[0] == 421
    assert ask(server, "/", host=f"localhost:{server.server_address[1]}")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "MKCOL"])
def test_it_only_reads(server, folder, method):
    """No other method is known."""
    before = sorted(path for path in folder.rglob("*"))
    assert ask(server, "/2026-W46/index.html", method=method)[0] == 501
    assert sorted(path for path in folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("path", "csp"),
    [
        ("/2026-W46/", OWN),
        (NORTH + "page.html", OWN),
        (NORTH + "verdicts.csv", "default-src 'none'; base-uri 'none'; form-action 'none'"),
        ("/nothing", "default-src 'none'; base-uri 'none'; form-action 'none'"),
    ],
)
def test_every_answer_says_what_a_browser_may_do_with_it(server, path, csp):
    """The page's own policy holds from the first byte; nothing is stored, guessed, framed or told on."""
    _, headers, _ = ask(server, path)
    assert headers["Content-Security-Policy"] == f"{csp}; frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Server"].strip() == "ccanalysis"


def test_a_page_with_a_policy_of_another_kind_may_run_nothing(server, folder):
    """Somebody changed it."""
    page = folder / "reports" / "2026-W46" / "index.html"
    page.write_text('<meta http-equiv="Content-Security-Policy" content="default-src *">', encoding="utf-8")
    policy_of_it = ask(server, "/2026-W46/")[1]["Content-Security-Policy"]
    assert policy_of_it.startswith("default-src 'none'; base-uri 'none'")


def test_the_head_of_a_page_has_no_body(server):
    """As HEAD is defined."""
    status, headers, content = ask(server, "/2026-W46/", method="HEAD")
    assert (status, content) == (200, b"")
    assert int(headers["Content-Length"]) > 0


@pytest.mark.skipif(os.name == "nt", reason="Ctrl+C is sent otherwise there")
def test_the_command_prints_the_address_and_ends_with_ctrl_c(folder):
    """And says nothing else on standard output."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ccanalysis.cli", "serve"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell without a terminal makes what it starts in the background deaf to Ctrl+C, and this heir too
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    address = urllib.parse.urlsplit(process.stdout.readline().strip())
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=10)
    connection.request("GET", f"/?{address.query}")
    assert connection.getresponse().status == 303
    process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=20)
    assert (process.returncode, rest, said) == (0, "", "Ctrl+C ends it\n")

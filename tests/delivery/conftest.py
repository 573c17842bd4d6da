"""A mail server on the loopback interface, and a workspace with reports that are published and small."""

from __future__ import annotations

import base64
import hashlib
import json
import socketserver
import ssl
import threading
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default

import pytest

from ccanalysis.reports.publish import publish
from ccanalysis.workspace import Workspace

CENTRE = """\
[centre]
name = "Riverside"
time_zone = "Europe/London"

[[sources]]
name = "calls"
table = "contacts"
files = "exports/calls.csv"
[sources.columns]
contact_id = "Id"
offered_at = { column = "Offered", format = "iso" }
channel = { value = "voice" }
outcome = { column = "Outcome", codes = { A = "answered" } }
"""


class Conversation(socketserver.StreamRequestHandler):
    """One connection: the SMTP of RFC 5321, with STARTTLS and AUTH where the server has them."""

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self) -> None:
        mail = self.server.mail
        mail.connections += 1
        self.encrypted, sender, to = False, "", []
        self.say("220 test")
        while line := self.rfile.readline():
            word, _, rest = line.decode().strip().partition(" ")
            word = word.upper()
            if word == "EHLO":
                offers = ["test"]
                offers += ["STARTTLS"] if mail.context and not self.encrypted else []
                offers += ["AUTH PLAIN"] if mail.login else []
                for number, offer in enumerate(offers):
                    self.say(f"250{'-' if number < len(offers) - 1 else ' '}{offer}")
            elif word == "STARTTLS":
                self.say("220 go")
                self.connection = mail.context.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
                self.encrypted = True
            elif word == "AUTH":
                given = base64.b64decode(rest.split()[1]).split(b"\0")[1:]
                ok = tuple(part.decode() for part in given) == mail.login
                mail.logins.append(ok and self.encrypted)
                self.say("235 welcome" if ok else "535 no, secret-word")
            elif word == "MAIL":
                sender, to = rest, []
                self.say("250 ok")
            elif word == "RCPT":
                address = rest.partition("<")[2].partition(">")[0]
                refused = address in mail.refused
                to += [] if refused else [address]
                self.say(f"550 {address} is unknown here" if refused else "250 ok")
            elif word == "DATA":
                self.say("354 go on")
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line.removeprefix(b"."))
                if to and to[0] in mail.cut_short:
                    return
                mail.sent.append((sender, to, message_from_bytes(b"".join(lines), policy=default), self.encrypted))
                self.say("250 taken")
            elif word == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")


@dataclass
class Mail:
    """What the server does, and what it was sent."""

    port: int = 0
    refused: set = field(default_factory=set)
    cut_short: set = field(default_factory=set)
    login: tuple | None = None
    context: ssl.SSLContext | None = None
    sent: list = field(default_factory=list)
    logins: list = field(default_factory=list)
    connections: int = 0

    def to(self, address):
        """Return the mails to one address."""
        return [message for _, to, message, _ in self.sent if to == [address]]


@pytest.fixture
def mail():
    """A mail server that stops with the test."""

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, request, client_address):
            """A client that hangs up is what some tests are about."""

    with Server(("127.0.0.1", 0), Conversation) as server:
        server.mail = Mail(port=server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.mail
        server.shutdown()
        thread.join()


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    """A certificate of `localhost` that this process trusts; returns the server's context."""
    pytest.importorskip("cryptography")
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return context


def recipient(name, address, *rules):
    """Write a recipient as settings."""
    listed = ", ".join(rules)
    return f'\n[[recipients]]\nname = "{name}"\naddress = "{address}"\nreports = [{listed}]\n'


def team(name):
    """Write a rule for a team."""
    return f'{{ audience = "team", unit = "{name}" }}'


REPORTS = [("centre", "", "centre"), ("team", "North", "teams/north-1"), ("team", "South", "teams/south-2")]
REPORTS += [("line_manager", "Ann Lee", "line-managers/ann-lee-0123456789")]


def put(folder, *, lead="Two of four targets were met.", failed=(), revision=None, period="2026-W46"):
    """Publish small reports of a period in a workspace."""
    built = folder / "built"
    reports = []
    for audience, unit, place in REPORTS:
        home = built / place
        home.mkdir(parents=True, exist_ok=True)
        (home / "page.html").write_text(f"<h1>{unit or audience}</h1>{lead}", encoding="utf-8")
        (home / "figures.xlsx").write_bytes(b"PK" + unit.encode())
        kpi = {"kpi": f"Service level of {unit or audience}", "unit": "", "value": "71.2%", "n": "1,204"}
        kpi |= {"interval": "likely between 69.0% and 73.0%", "target": "at least 80.0%", "verdict": "Missed, real"}
        summary = {"audience": audience, "unit": unit, "period": period, "lead": lead, "kpis": [kpi]}
        (home / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
        reports.append(
            {"path": f"{place}/page.html", "title": unit or "KPI performance", "ok": unit not in failed}
            | {"audience": audience, "unit": unit, "error": "", "earlier": unit in failed}
        )
    (built / "index.html").write_text("all", encoding="utf-8")
    manifest = {"centre": "Riverside", "period": period, "reports": reports}
    publish(built, folder / "reports" / period, manifest | ({"revision": revision} if revision else {}))


@pytest.fixture
def workspace(tmp_path, mail):
    """Return a function that opens a workspace with published reports and these further settings."""
    folder = tmp_path / "centre"
    folder.mkdir()
    put(folder)

    def opened(more="", **delivery):
        given = {
            "host": '"127.0.0.1"',
            "port": mail.port,
            "security": '"none"',
            "sender": '"reports@riverside.example"',
        }
        given |= delivery
        section = "".join(f"{key} = {value}\n" for key, value in given.items() if value is not None)
        (folder / "ccanalysis.toml").write_text(f"{CENTRE}\n[delivery]\n{section}{more}", encoding="utf-8")
        return Workspace.open(folder)

    opened.folder = folder
    opened.put = lambda **more: put(folder, **more)
    opened.recipient, opened.team = recipient, team
    return opened


@pytest.fixture
def tree():
    """Return a function that returns the hash of every file below a folder."""

    def hashed(folder):
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    return hashed

"""Reports shown to one person on their own machine: read-only, on the loopback interface, behind a token.

Source:
    Jupyter Server, Security: a token in the address, kept in a cookie. WHATWG, Fetch and HTML: the headers.
"""

from __future__ import annotations

import hmac
import html
import os
import re
import secrets
import stat
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from ccanalysis.reports.delivery import published
from ccanalysis.reports.index import Entry, render_index
from ccanalysis.reports.publish import PRIVATE
from ccanalysis.workspace import Workspace

ADDRESS = "127.0.0.1"
_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'"
_POLICY = re.compile(rb'<meta http-equiv="Content-Security-Policy" content="([^"<>]{1,4000})">')
_SAFE_POLICY = re.compile(r"default-src 'none'; [A-Za-z0-9 ';:+/=_.-]*")
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class ReportServer(ThreadingHTTPServer):
    """A server of the published reports of one workspace.

    Attributes:
        token: What whoever asks must know; other users of the machine do not.
    """

    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # elsewhere it would let another program take the port

    def __init__(self, workspace: Workspace, port: int = 0, *, token: str = "") -> None:
        """Listen on the loopback interface.

        Args:
            workspace: The workspace.
            port: The port; any free one where 0.
            token: The token; a new one where empty.

        Raises:
            OSError: The port is taken.
        """
        self.workspace = workspace
        self.root = workspace.reports_path.resolve()
        self.token = token or secrets.token_urlsafe(32)
        super().__init__((ADDRESS, port), _Handler)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names under which the server may be asked; another one is a web page that tries its luck."""
        return tuple(f"{name}:{self.server_address[1]}" for name in (ADDRESS, "localhost"))

    @property
    def address(self) -> str:
        """The address to open."""
        return f"http://{self.hosts[0]}/?token={self.token}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a reader who went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: ReportServer
    server_version, sys_version = "ccanalysis", ""
    timeout = 20

    def log_message(self, *_: Any) -> None:
        """Write nothing: paths hold names."""

    def do_GET(self) -> None:
        """Answer with a file, the list of periods, or a refusal."""
        if self.headers.get_all("Host", []) not in [[host] for host in self.server.hosts]:
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST)
            return
        asked = urlsplit(self.path)
        given = parse_qs(asked.query).get("token", [])
        if len(given) == 1 and self._known(given[0]):
            self._enter(asked.path)
        elif not self._known(self._cookie()):
            self._refuse(HTTPStatus.FORBIDDEN, "Open the address that `ccanalysis serve` printed, with its token.")
        else:
            self._show(asked.path)

    do_HEAD = do_GET  # noqa: N815  the name that the server looks for

    def _known(self, token: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.server.token.encode())

    @property
    def _cookie_name(self) -> str:
        return f"ccanalysis-{self.server.server_address[1]}"

    def _cookie(self) -> str:
        for part in (self.headers.get("Cookie") or "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self._cookie_name:
                return value
        return ""

    def _enter(self, path: str) -> None:
        """Keep the token in a cookie and take it out of the address."""
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("Set-Cookie", f"{self._cookie_name}={self.server.token}; Path=/; HttpOnly; SameSite=Strict")
        self.send_header("Location", "/" + quote("/".join(_parts(path) or [])))
        self._end(b"", "text/plain; charset=utf-8", _NOTHING)

    def _show(self, path: str) -> None:
        parts = _parts(path)
        if parts is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        if not parts:
            page = _start(self.server.workspace).encode()
            self.send_response(HTTPStatus.OK)
            self._end(page, _KINDS[".html"], _policy(page))
            return
        if len(parts) == 1 and not path.endswith("/"):
            self.send_response(HTTPStatus.SEE_OTHER)
            self.send_header("Location", f"/{quote(parts[0])}/")
            self._end(b"", "text/plain; charset=utf-8", _NOTHING)
            return
        name = parts if len(parts) > 1 else [*parts, "index.html"]
        content = _read(self.server.root, name)
        kind = _KINDS.get(Path(name[-1]).suffix)
        if content is None or kind is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        self.send_response(HTTPStatus.OK)
        self._end(content, kind, _policy(content) if kind == _KINDS[".html"] else _NOTHING)

    def _refuse(self, code: HTTPStatus, why: str = "") -> None:
        self.send_response(code)
        self._end(f"{why or code.phrase}\n".encode(), "text/plain; charset=utf-8", _NOTHING)

    def _end(self, content: bytes, kind: str, policy: str) -> None:
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", f"{policy}; frame-ancestors 'none'")
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _parts(path: str) -> list[str] | None:
    """Return the names in a path; None where one of them leads out of the folder or is hidden."""
    try:
        names = unquote(path, errors="strict").split("/")
    except UnicodeDecodeError:
        return None
    names = [name for name in names if name]
    wrong = PRIVATE in names or any(name.startswith(".") or re.search(r"[\\:\x00-\x1f\x7f]", name) for name in names)
    return None if wrong or len(names) > 8 else names


def _read(root: Path, names: list[str]) -> bytes | None:
    """Read a regular file below a folder, through no link; None where there is none."""
    place = root
    for name in names:
        place /= name
        try:
            if stat.S_ISLNK(place.lstat().st_mode):
                return None
        except (OSError, ValueError):
            return None
    try:
        if root not in place.resolve().parents or not place.is_file():
            return None
        descriptor = os.open(place, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            return file.read()
    except OSError:
        return None


def _policy(page: bytes) -> str:
    """Return the policy that a page has of itself, so that it holds before the page is read; else, nothing runs."""
    found = _POLICY.search(page[:8_000])
    own = html.unescape(found[1].decode("utf-8", "replace")) if found else ""
    return own if _SAFE_POLICY.fullmatch(own) else _NOTHING


def _start(workspace: Workspace) -> str:
    """Return the page that lists the periods, the latest first."""
    entries = [
        Entry(title=period.text, audience="Periods", href=f"{period.label}/index.html")
        for period in reversed(published(workspace))
    ]
    return render_index(entries, title=workspace.centre.name, subtitle="Reports on this machine")

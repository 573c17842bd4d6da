"""Who is sent which reports, by which mail server, and how long files are kept: settings, read and checked once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from ccanalysis.errors import SettingsError, nearest

Security = Literal["starttls", "tls", "none"]
SECURITIES = ("starttls", "tls", "none")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
READERS = ("analyst", "centre", "quality_lead", "team", "line_manager")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.:-]*[A-Za-z0-9])?|::1")
_MOST_DAYS = 36_500


class Section(Protocol):
    """A table of the settings file, which takes keys one by one and refuses what is left over."""

    content: dict[str, Any]

    def take(self, key: str, kind: Any, default: Any = ...) -> Any:
        """Take a key of a type."""

    def choice(self, key: str, allowed: tuple[str, ...], default: Any = ...) -> Any:
        """Take a key that is one of some words."""

    def sections(self, key: str) -> Sequence[Section]:
        """Take a list of tables."""

    def error(self, key: str, problem: str, remedy: str = "") -> SettingsError:
        """Return an error that names the line."""

    def finish(self) -> None:
        """Refuse keys that nobody took."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Which report a recipient is sent.

    Attributes:
        audience: Which edition: `analyst`, `centre`, `quality_lead`, `team` or `line_manager`.
        unit: The team or the line manager; not given for the others.
        question: The question whose report is meant, such as `quality`; empty for the edition itself.
    """

    audience: Literal["analyst", "centre", "quality_lead", "team", "line_manager"]
    unit: str = ""
    question: str = ""


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """Somebody who is sent reports. Without `reports` they are sent nothing.

    Attributes:
        name: What the recipient is called in what is printed; each has one of their own.
        address: Where the mail goes. It stands in no log.
        reports: The reports, each as `{ audience = "team", unit = "Billing" }`.
    """

    name: str
    address: str
    reports: tuple[Rule, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """How mail is sent.

    Attributes:
        host: The mail server.
        port: Its port; 587 with `starttls`, 465 with `tls`, 25 with `none`.
        security: `starttls`, `tls`, or `none`, which only a server on this machine may have.
        sender: The address that mail comes from.
        user: The environment variable with the user's name, where the server asks for one.
        password: The environment variable with the password. The password itself never stands in the settings.
        subject: The subject; `{centre}`, `{report}` and `{period}` are filled in.
        attach: Whether the page goes with the mail, in a ZIP archive; if not, `link` is needed.
        link: Where the readers find the folder with the reports, as `https://intranet.example/reports`.
        analyst: Who is told when a report failed or a gate refused.
    """

    host: str
    port: int = 587
    security: Security = "starttls"
    sender: str
    user: str = ""
    password: str = ""
    subject: str = "{centre}: {report}, {period}"
    attach: bool = True
    link: str = ""
    analyst: str = ""


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How many days files are kept; what is not given is kept until somebody removes it.

    Attributes:
        inputs: The exports that the sources read, after their last change. Only where this is given does `purge`
            ever touch them.
        staged: The tables that exports were read into, and the answers kept for each of their weeks.
        results: What was measured and judged.
        reports: The published reports, after the end of their period.
        deliveries: The record of what was sent.
    """

    inputs: int | None = None
    staged: int | None = None
    results: int | None = None
    reports: int | None = None
    deliveries: int | None = None


def read_recipients(sections: Sequence[Section]) -> tuple[Recipient, ...]:
    """Read `[[recipients]]`.

    Raises:
        SettingsError: A name or an address cannot be used, a rule cannot be followed, or two have one name.
    """
    found: dict[str, Recipient] = {}
    for section in sections:
        name = section.take("name", str)
        if not name.strip() or _UNSEEN.search(name) or len(name) > 80:
            raise section.error("name", "the name cannot be used", "Give 1 to 80 characters on one line")
        if name in found:
            raise section.error("name", f"two recipients are named {name!r}", "Give each a name of their own")
        address = _address(section, "address")
        rules = tuple(_rules(section))
        section.finish()
        found[name] = Recipient(name=name, address=address, reports=rules)
    return tuple(found.values())


def _rules(section: Section) -> Iterator[Rule]:
    for part in section.sections("reports"):
        audience = part.choice("audience", READERS)
        own = audience in ("team", "line_manager")
        unit = part.take("unit", str, "")
        if own and not unit.strip():
            raise section.error(
                "reports", f"a {audience!r} report needs a 'unit'", 'Write { audience = "team", unit = "Billing" }'
            )
        if unit and not own:
            raise section.error("reports", f"the {audience!r} report has no 'unit'", "Take 'unit' out")
        question = part.take("question", str, "")
        part.finish()
        yield Rule(audience=audience, unit=unit, question=question)


def _address(section: Section, key: str, default: Any = ...) -> str:
    """Take a mail address that can stand in a header and name nobody else; it is not repeated in an error."""
    given: str = section.take(key, str, default)
    if given == default:
        return given
    try:
        parsed = Address(addr_spec=given)
        local, domain = parsed.username, parsed.domain
    except (ValueError, IndexError, AttributeError):
        local, domain = "", ""
    sound = re.fullmatch(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}", local) and re.fullmatch(
        r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*", domain
    )
    if not sound or given != f"{local}@{domain}":
        raise section.error(key, f"{key!r} is not one plain mail address", "Write it as name@example.org")
    return given


def read_delivery(section: Section) -> Delivery | None:
    """Read `[delivery]`; None where it is not there.

    Raises:
        SettingsError: It cannot be followed, or mail would leave this machine unencrypted.
    """
    if not section.content:
        return None
    host = section.take("host", str)
    if not _HOST.fullmatch(host):
        raise section.error("host", "'host' is not the name of a server", "Write for example smtp.example.org")
    security = section.choice("security", SECURITIES, "starttls")
    if security == "none" and host not in LOOPBACK:
        raise section.error(
            "security",
            'security = "none" is only for a server on this machine, for reports would be sent for all to read',
            'Write security = "starttls" or "tls"',
        )
    port = section.take("port", int, {"starttls": 587, "tls": 465, "none": 25}[security])
    if not 1 <= port <= 65_535:
        raise section.error("port", "'port' must be 1 to 65535")
    user, password = (_variable(section, key) for key in ("user", "password"))
    if bool(user) != bool(password):
        raise section.error("user", "'user' and 'password' go together", "Name an environment variable for each")
    if user and security == "none" and host not in LOOPBACK:
        raise section.error("password", "a password is not sent without encryption")
    subject = section.take("subject", str, Delivery.subject)
    left = re.sub(r"\{(?:centre|report|period)\}", "", subject)
    if not subject.strip() or _UNSEEN.search(subject) or "{" in left or "}" in left:
        raise section.error(
            "subject", "'subject' cannot be used", "Write one line; {centre}, {report} and {period} are filled in"
        )
    attach = section.take("attach", bool, True)
    link = section.take("link", str, "")
    if link and (urlsplit(link).scheme not in ("https", "http", "file") or re.search(r"[\s\"<>\\]", link)):
        raise section.error("link", "'link' is not an address of a folder", "Write https://intranet.example/reports")
    if not attach and not link:
        raise section.error("link", "attach = false needs a 'link'", "Say where readers find the folder of the reports")
    delivery = Delivery(
        host=host,
        port=port,
        security=security,
        sender=_address(section, "sender"),
        user=user,
        password=password,
        subject=subject,
        attach=attach,
        link=link.rstrip("/"),
        analyst=_address(section, "analyst", ""),
    )
    section.finish()
    return delivery


def _variable(section: Section, key: str) -> str:
    """Take the name of an environment variable; what looks like the secret itself is refused and not repeated."""
    given: str = section.take(key, str, "")
    if given and not _VARIABLE.fullmatch(given):
        raise section.error(
            key, f"{key!r} is not the name of an environment variable", f'Write {key} = "SMTP_{key.upper()}"'
        )
    return given


def read_retention(section: Section) -> Retention:
    """Read `[retention]`.

    Raises:
        SettingsError: A number of days is not one.
    """
    days: dict[str, int | None] = {}
    for key in Retention.__dataclass_fields__:
        days[key] = section.take(key, int, None)
        if days[key] is not None and not 1 <= days[key] <= _MOST_DAYS:  # type: ignore[operator]
            raise section.error(key, f"{key!r} must be 1 to {_MOST_DAYS} days", "Take the line out to keep them")
    section.finish()
    return Retention(**days)


def unknown_unit(name: str, audience: str, unit: str, known: Sequence[str], period: str) -> SettingsError:
    """Return the error for a rule that names a unit without a report."""
    return SettingsError(
        f"the recipient {name!r} is to be sent the report of the {audience.replace('_', ' ')} {unit!r}, "
        f"and {period} has none",
        remedy=nearest(unit, list(known)) if known else "The period has no such reports",
    )

"""Delivery: each recipient is sent their own reports by mail, once, from a tree that is as it was published.

Nobody is sent anything that a rule of the settings does not name. What is printed has names of recipients, never an
address.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ccanalysis import text
from ccanalysis.errors import EnvironmentFaultError, NoInputError, SettingsError, nearest
from ccanalysis.outgoing import Delivery, Recipient, unknown_unit
from ccanalysis.periods import Period
from ccanalysis.reports.ledger import Entry, Ledger
from ccanalysis.reports.letters import one_line, report_letter
from ccanalysis.reports.post import NotSentError, Post, UncertainError
from ccanalysis.reports.publish import Lock
from ccanalysis.reports.retrying import read_manifest
from ccanalysis.reports.summary import SUMMARY
from ccanalysis.reports.tables import WORKBOOK
from ccanalysis.workspace import Workspace

Became = Literal["sent", "would be sent", "already sent", "may have been sent", "not sent"]
FOLDER = "deliveries"


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """One report for one recipient, and what became of it.

    Attributes:
        recipient: The recipient's name.
        report: The report's title; empty where the recipient has no rule.
        became: What became of it.
        why: The reason, without an address.
        ok: Whether nothing is left to be done.
    """

    recipient: str
    report: str
    became: Became
    why: str = ""
    ok: bool = True

    def line(self) -> str:
        """Say it in one line."""
        what = f"{one_line(self.recipient)}: {one_line(self.report)}: " if self.report else f"{self.recipient}: "
        return what + self.became + (f": {self.why}" if self.why else "")


def published(workspace: Workspace) -> list[Period]:
    """List the periods that have reports, the latest last."""
    found = []
    for folder in sorted(workspace.reports_path.glob("[0-9]*")):
        if read_manifest(folder) is not None:
            try:
                found.append(Period.parse(folder.name))
            except SettingsError:
                continue
    return sorted(found, key=lambda period: (period.end, period.start))


def deliver(
    workspace: Workspace,
    period: str = "",
    *,
    dry_run: bool = False,
    to: str = "",
    again: bool = False,
    tell: Callable[[Parcel], object] = lambda parcel: None,
) -> list[Parcel]:
    """Send the reports of a period to those whom the settings name.

    Args:
        workspace: The workspace.
        period: The period's label; the latest that has reports where empty.
        dry_run: Only say what would be sent; nothing is connected to and nothing is written.
        to: Only this recipient, by name.
        again: Also send what was sent before, or may have been.
        tell: Told of each report as it is dealt with.

    Returns:
        What became of each report for each recipient; one that fails stops no other.

    Raises:
        SettingsError: There is no `[delivery]`, no recipient of that name, or a variable is not set.
        NoInputError: There are no reports of the period.
        LockedError: Another delivery is under way.
    """
    delivery, chosen = _settings(workspace, to)
    known = published(workspace)
    if not period and not known:
        raise NoInputError("there are no reports", remedy="Make them with `ccanalysis run`")
    label = Period.parse(period).label if period else known[-1].label
    target = workspace.reports_path / label
    manifest = read_manifest(target)
    if manifest is None:
        raise NoInputError(f"there are no reports of {label}", remedy=f"Make them: `ccanalysis run --period {label}`")
    home = workspace.cache_path / FOLDER
    parcels: list[Parcel] = []
    if dry_run:
        for parcel in _parcels(_Sending(delivery, target, manifest, Ledger(home / f"{label}.jsonl"), again), chosen):
            tell(parcel)
            parcels.append(parcel)
        return parcels
    with Lock(home / "lock"), Post(delivery) as post:
        ledger = Ledger(home / f"{label}.jsonl")
        for parcel in _parcels(_Sending(delivery, target, manifest, ledger, again, post), chosen):
            tell(parcel)
            parcels.append(parcel)
    return parcels


def _settings(workspace: Workspace, to: str) -> tuple[Delivery, Sequence[Recipient]]:
    if workspace.delivery is None:
        raise SettingsError(
            "there is no [delivery], so it is not known by which server mail is sent",
            remedy="Write it, and [[recipients]], in ccanalysis.toml",
        )
    if not workspace.recipients:
        raise SettingsError("there are no [[recipients]]", remedy="Write who is sent which reports in ccanalysis.toml")
    if not to:
        return workspace.delivery, workspace.recipients
    chosen = [recipient for recipient in workspace.recipients if recipient.name == to]
    if not chosen:
        names = [recipient.name for recipient in workspace.recipients]
        raise SettingsError(f"there is no recipient {to!r}", remedy=nearest(to, names))
    return workspace.delivery, chosen


@dataclass(frozen=True)
class _Sending:
    """What a delivery works with; without `post` it only says what it would do."""

    delivery: Delivery
    target: Path
    manifest: Mapping[str, Any]
    ledger: Ledger
    again: bool
    post: Post | None = None


def _parcels(sending: _Sending, recipients: Sequence[Recipient]) -> Iterator[Parcel]:
    for recipient in recipients:
        if not recipient.reports:
            yield Parcel(recipient=recipient.name, report="", became="not sent", why="no report is given to them")
        for rule in recipient.reports:
            mine = [
                report
                for report in sending.manifest["reports"]
                if (report.get("audience"), report.get("unit"), report.get("question", ""))
                == (rule.audience, rule.unit, rule.question)
            ]
            if not mine:
                units = sorted({r["unit"] for r in sending.manifest["reports"] if r.get("audience") == rule.audience})
                error = unknown_unit(recipient.name, rule.audience, rule.unit, units, sending.target.name)
                name = rule.unit or rule.audience
                yield Parcel(recipient=recipient.name, report=name, became="not sent", why=str(error), ok=False)
            for report in mine:
                yield _parcel(sending, recipient, report)


def _parcel(sending: _Sending, recipient: Recipient, report: Mapping[str, Any]) -> Parcel:
    """Deal with one report for one recipient."""
    path, title = report["path"], report["title"]

    def done(became: Became, why: str = "", *, ok: bool = True) -> Parcel:
        return Parcel(recipient=recipient.name, report=title, became=became, why=why, ok=ok)

    if not report.get("due", True):
        return done("not sent", "it was due in an earlier period, and has not changed")
    if not report["ok"]:
        return done("not sent", "it was not made in the last run", ok=False)
    try:
        files = _files(sending, path)
        summary = json.loads(files[SUMMARY])
    except (OSError, ValueError, KeyError) as error:
        return done("not sent", str(error) if isinstance(error, _ChangedError) else "it cannot be read", ok=False)
    if (summary["audience"], summary["unit"]) != (report["audience"], report["unit"]):
        return done("not sent", "its figures are another reader's", ok=False)
    digest = _digest(files)
    last = sending.ledger.last(recipient.name, path)
    if last is not None and last.digest == digest and not sending.again:
        if last.state == "sent":
            return done("already sent", f"on {last.day}")
        if last.state == "sending":
            why = f"a delivery on {last.day} was cut short; ask, then use --again"
            return done("may have been sent", why, ok=False)
    if sending.post is None:
        return done("would be sent", _marked(sending, last, digest).rstrip("."))
    mail = report_letter(
        sending.delivery,
        (recipient.name, recipient.address),
        centre=sending.manifest["centre"],
        title=title,
        period=sending.target.name,
        summary=summary,
        path=f"{sending.target.name}/{path}",
        files={name: files[name] for name in (Path(path).name, WORKBOOK) if name in files},
        replaces=_marked(sending, last, digest),
    )
    return _sent(sending, recipient, path, digest, mail, done)


def _sent(
    sending: _Sending, recipient: Recipient, path: str, digest: str, mail: Any, done: Callable[..., Parcel]
) -> Parcel:
    """Send a mail between two lines of the ledger."""
    assert sending.post is not None
    try:
        sending.ledger.write(recipient.name, path, digest, "sending")
    except OSError as error:
        raise EnvironmentFaultError(
            f"what is sent cannot be recorded ({error.strerror}), so nothing more was sent",
            remedy="Make room on the disk, or correct the permissions",
            place=sending.ledger.path.name,
        ) from error
    try:
        sending.post.send(mail, recipient.address)
    except NotSentError as error:
        sending.ledger.write(recipient.name, path, digest, "failed")
        return done("not sent", str(error), ok=False)
    except UncertainError as error:
        return done("may have been sent", f"{error}; ask, then use --again", ok=False)
    sending.ledger.write(recipient.name, path, digest, "sent")
    return done("sent")


def _marked(sending: _Sending, last: Entry | None, digest: str) -> str:
    """Say that a report takes the place of another one; nothing where it is the first."""
    revision = sending.manifest.get("revision")
    number = revision if isinstance(revision, int) and revision > 1 else 0
    before = last is not None and last.digest != digest and last.state != "failed"
    if not number and not before:
        return ""
    named = f"This is revision {number}" if number else "This is a revision"
    return f"{named}; it replaces the report sent on {last.day}." if last and before else f"{named}."


class _ChangedError(ValueError):
    """A file is not as it was published."""


def _files(sending: _Sending, path: str) -> dict[str, bytes]:
    """Read the files of a report, each of them as the manifest has it.

    Raises:
        _ChangedError: One is missing, was changed, or leads elsewhere.
    """
    folder = Path(path).parent
    found = {}
    for listed in sending.manifest["files"]:
        name = Path(listed["path"])
        if name.parent != folder:
            continue
        place = sending.target / name
        inside = not place.is_symlink() and sending.target.resolve() in place.resolve().parents
        content = place.read_bytes() if inside and place.is_file() else b""
        if hashlib.sha256(content).hexdigest() != listed["sha256"]:
            raise _ChangedError(f"{name.name} is missing or was changed after it was published")
        found[name.name] = content
    if Path(path).name not in found:
        raise _ChangedError("its page is not in the manifest")
    return found


def _digest(files: Mapping[str, bytes]) -> str:
    """Tell a report from every other, by all of its files."""
    parts = [f"{name} {hashlib.sha256(content).hexdigest()}" for name, content in sorted(files.items())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def counted(parcels: Sequence[Parcel]) -> str:
    """Say how many reports became what."""
    kinds: tuple[Became, ...] = ("sent", "would be sent", "already sent", "may have been sent", "not sent")
    counts = {kind: sum(parcel.became == kind for parcel in parcels) for kind in kinds}
    return ", ".join(f"{text.number(n)} {kind}" for kind, n in counts.items() if n) or "nothing to send"

"""Mails: the verdict and the KPI table of a report as plain text and simple HTML, and its page attached or linked."""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from ccanalysis.outgoing import Delivery

_COLUMNS = {"kpi": "KPI", "unit": "", "value": "Value", "n": "n", "target": "Target", "verdict": "Verdict"}
_FOOT = (
    "Figures of few cases move by chance; the page says how sure each one is, how it is made and what the data cannot "
    "show."
)


def one_line(text: str) -> str:
    """Return a text as it may stand in a header or in a line: nothing in it breaks a line or turns the reading round.

    Examples:
        >>> one_line("North\\r\\nBcc: all")
        'North Bcc: all'
    """
    plain = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in text)
    return " ".join(plain.split())


def letter(delivery: Delivery, to: tuple[str, str], subject: str, lines: Sequence[str], html: str = "") -> EmailMessage:
    """Return a mail without an attachment.

    Args:
        delivery: The settings.
        to: Name and address of the recipient.
        subject: The subject.
        lines: The text.
        html: The same as HTML, where there is more to it than lines.
    """
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(display_name="ccanalysis", addr_spec=delivery.sender)
    mail["To"] = Address(display_name=one_line(to[0]), addr_spec=to[1])
    mail["Subject"] = one_line(subject)
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = make_msgid(domain=delivery.sender.partition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n".join(lines) + "\n")
    if html:
        mail.add_alternative(html, subtype="html")
    return mail


def report_letter(
    delivery: Delivery,
    to: tuple[str, str],
    *,
    centre: str,
    title: str,
    period: str,
    summary: Mapping[str, Any],
    path: str,
    files: Mapping[str, bytes],
    replaces: str = "",
) -> EmailMessage:
    """Return the mail with one report.

    Args:
        delivery: The settings.
        to: Name and address of the recipient.
        centre: The centre's name.
        title: What the report is called.
        period: The period's label.
        summary: What `summary.summary` wrote beside the page.
        path: The page, as `2026-W46/teams/.../03-team-report.html`.
        files: The files to attach, by name.
        replaces: What this report takes the place of, in words; empty for the first one.
    """
    subject = delivery.subject.format(centre=one_line(centre), report=one_line(title), period=period)
    if replaces:
        subject = f"Revised: {subject}"
    where = f"{delivery.link}/{quote(path)}" if delivery.link else ""
    named = f"report-{re.sub(r'[^0-9A-Za-z-]', '', period)}.zip"
    more = []
    if delivery.attach:
        more.append(f"The whole report is attached: unpack {named} and open the page in it. It opens offline.")
    if where:
        more.append(f"The whole report: {where}" if not delivery.attach else f"It is also here: {where}")
    top = [f"{one_line(centre)}: {one_line(title)}, {period}", replaces, one_line(str(summary["lead"]))]
    top = [line for line in top if line]
    text = [*_spaced(top), *_table(summary["kpis"]), "", *_spaced([*more, _FOOT])]
    mail = letter(delivery, to, subject, text, _html(top, summary["kpis"], more))
    if delivery.attach:
        mail.add_attachment(_zipped(files), maintype="application", subtype="zip", filename=named)
    return mail


def _spaced(lines: Sequence[str]) -> list[str]:
    return [part for line in lines for part in (line, "")]


def _shown(kpis: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the columns that say something."""
    return {key: head for key, head in _COLUMNS.items() if key != "unit" or any(kpi["unit"] for kpi in kpis)}


def _cell(kpi: Mapping[str, str], key: str) -> str:
    text = one_line(str(kpi[key]))
    if key == "value" and kpi.get("interval"):
        text += f" ({one_line(str(kpi['interval']))})"
    return text


def _table(kpis: Sequence[Mapping[str, str]]) -> list[str]:
    columns = _shown(kpis)
    rows = [list(columns.values()), *([_cell(kpi, key) for key in columns] for kpi in kpis)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(columns))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _html(top: Sequence[str], kpis: Sequence[Mapping[str, str]], more: Sequence[str]) -> str:
    """Return the same as HTML: escaped, no script, nothing to fetch."""
    columns = _shown(kpis)
    head = Markup().join(Markup('<th scope="col" align="left">{}</th>').format(name) for name in columns.values())
    rows = Markup("\n").join(
        Markup("<tr>{}</tr>").format(Markup().join(Markup("<td>{}</td>").format(_cell(kpi, key)) for key in columns))
        for kpi in kpis
    )
    table = Markup('<table border="1" cellpadding="6" cellspacing="0"><thead><tr>{}</tr></thead>\n<tbody>{}</tbody>')
    before, after = (
        Markup("\n").join(Markup("<p>{}</p>").format(line) for line in lines) for lines in (top[1:], [*more, _FOOT])
    )
    return str(
        Markup(
            '<!doctype html>\n<html lang="en-GB"><head><meta charset="utf-8"><title>{title}</title></head>\n<body>'
            "<h1>{title}</h1>\n{before}\n{table}</table>\n{after}\n</body></html>\n"
        ).format(
            title=top[0], before=before, table=table.format(head, rows) if kpis else Markup("<table>"), after=after
        )
    )


def _zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, content)
    return out.getvalue()

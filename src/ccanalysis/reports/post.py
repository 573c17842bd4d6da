"""A mail server: connected to once, encrypted, and asked of each mail whether it took, refused or ignored it."""

from __future__ import annotations

import contextlib
import os
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from types import TracebackType

from ccanalysis.errors import SettingsError
from ccanalysis.outgoing import Delivery

TIMEOUT_S = 30.0


class NotSentError(Exception):
    """A mail was certainly not sent; the text says why, without an address."""


class UncertainError(Exception):
    """A mail was handed over and the server did not say whether it took it."""


class Post:
    """A connection to the mail server of the settings.

    What the server says is never repeated but for its number: its words may hold addresses.
    """

    def __init__(self, delivery: Delivery, environment: Mapping[str, str] | None = None) -> None:
        """Read user and password from the environment.

        Raises:
            SettingsError: A variable that the settings name is not set.
        """
        self.delivery = delivery
        self._server: smtplib.SMTP | None = None
        self._dead = ""
        environment = os.environ if environment is None else environment
        self._login: tuple[str, str] | None = None
        if delivery.user:
            for name in (delivery.user, delivery.password):
                if not environment.get(name):
                    raise SettingsError(
                        f"the environment variable {name} is not set",
                        remedy="Set it where the command runs, not in ccanalysis.toml",
                        place="[delivery]",
                    )
            self._login = environment[delivery.user], environment[delivery.password]

    def __enter__(self) -> Post:
        """Return itself; the connection is made with the first mail."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the connection."""
        self._hang_up()

    def send(self, mail: EmailMessage, to: str) -> None:
        """Send one mail.

        Raises:
            NotSentError: The server cannot be reached, or refused it.
            UncertainError: The connection broke after the mail was handed over.
        """
        server = self._connected()
        try:
            self._offer(server, to)
        except (smtplib.SMTPException, OSError) as error:
            self._hang_up()
            raise NotSentError(f"the connection to the mail server broke ({type(error).__name__})") from None
        try:
            code, _ = server.data(mail.as_bytes())
        except smtplib.SMTPDataError as error:
            self._reset()
            raise NotSentError(f"the mail server did not want the mail ({error.smtp_code})") from None
        except (smtplib.SMTPException, OSError):
            self._hang_up()
            raise UncertainError("the connection broke while the mail was handed over") from None
        if code != 250:
            self._reset()
            raise NotSentError(f"the mail server refused the mail ({code})")

    def _offer(self, server: smtplib.SMTP, to: str) -> None:
        code, _ = server.mail(self.delivery.sender)
        if code != 250:
            self._reset()
            raise NotSentError(f"the mail server refused the sender ({code})")
        code, _ = server.rcpt(to)
        if code not in (250, 251):
            self._reset()
            raise NotSentError(f"the mail server refused the recipient ({code})")

    def _connected(self) -> smtplib.SMTP:
        if self._server is not None:
            return self._server
        if self._dead:
            raise NotSentError(self._dead)
        given = self.delivery
        trusted = ssl.create_default_context()
        server: smtplib.SMTP | None = None
        try:
            if given.security == "tls":
                server = smtplib.SMTP_SSL(given.host, given.port, timeout=TIMEOUT_S, context=trusted)
            else:
                server = smtplib.SMTP(given.host, given.port, timeout=TIMEOUT_S)
            server.ehlo_or_helo_if_needed()
            if given.security == "starttls":
                server.starttls(context=trusted)
                server.ehlo()
            if self._login:
                server.login(*self._login)
        except (smtplib.SMTPException, OSError) as error:
            if server is not None:
                server.close()
            self._dead = _why(error)
            raise NotSentError(self._dead) from None
        self._server = server
        return server

    def _reset(self) -> None:
        """Make ready for the next mail."""
        try:
            if self._server is not None:
                self._server.rset()
        except (smtplib.SMTPException, OSError):
            self._hang_up()

    def _hang_up(self) -> None:
        if self._server is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                self._server.quit()
            self._server.close()
            self._server = None


def _why(error: Exception) -> str:
    """Say why there is no connection, without anything that the server said."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"the mail server refused user and password ({error.smtp_code})"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the mail server's certificate is not trusted ({error.verify_message})"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "the mail server does not offer what the settings ask for (encryption, or a log-in)"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the mail server refused the connection ({error.smtp_code})"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return f"the mail server cannot be reached ({reason})"

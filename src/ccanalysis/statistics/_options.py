"""Options that take one of a few words."""

from __future__ import annotations

from collections.abc import Sequence

from ccanalysis.errors import StatisticsError, nearest


def one_of(known: Sequence[str], **named: str) -> None:
    """Raise unless every option is one of the words known."""
    words = [repr(word) for word in known]
    for name, given in named.items():
        if given not in known:
            raise StatisticsError(
                f"{name} is {given!r}, expected {', '.join(words[:-1])} or {words[-1]}",
                remedy=nearest(str(given), tuple(known)),
            )

"""The periods that a centre is reported on: days, ISO weeks and months, in the centre's local time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from ccanalysis.errors import SettingsError

Kind = Literal["day", "week", "month"]
KINDS: tuple[Kind, ...] = ("day", "week", "month")


@dataclass(frozen=True, order=True)
class Period:
    """One day, ISO 8601 week (Monday to Sunday) or calendar month.

    Attributes:
        start: The first local day.
        end: The first local day after it.
        kind: What kind of period it is.
    """

    start: date
    end: date
    kind: Kind

    @classmethod
    def parse(cls, label: str) -> Period:
        """Read `2026-W46`, `2026-11` or `2026-11-12`.

        Raises:
            SettingsError: The label is of none of the three forms, or no such week or day exists.

        Examples:
            >>> Period.parse("2026-W46").start
            datetime.date(2026, 11, 9)
            >>> Period.parse("2026-02").days
            28
        """
        try:
            if match := re.fullmatch(r"(\d{4})-W(\d{2})", label):
                return cls.containing(date.fromisocalendar(int(match[1]), int(match[2]), 1), "week")
            if match := re.fullmatch(r"(\d{4})-(\d{2})", label):
                return cls.containing(date(int(match[1]), int(match[2]), 1), "month")
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}", label):
                return cls.containing(date.fromisoformat(label), "day")
        except ValueError:
            raise SettingsError(
                f"there is no period {label!r} in the calendar",
                remedy="Give a week as 2026-W46, a month as 2026-11 or a day as 2026-11-12",
            ) from None
        raise SettingsError(
            f"the period {label!r} cannot be read",
            remedy="Give a week as 2026-W46, a month as 2026-11 or a day as 2026-11-12",
        )

    @classmethod
    def containing(cls, day: date, kind: Kind) -> Period:
        """Return the period of this kind that a day lies in.

        Examples:
            >>> Period.containing(date(2024, 12, 30), "week").label
            '2025-W01'
        """
        if kind == "day":
            return cls(day, day + timedelta(days=1), kind)
        if kind == "week":
            monday = day - timedelta(days=day.weekday())
            return cls(monday, monday + timedelta(days=7), kind)
        first = day.replace(day=1)
        return cls(first, (first + timedelta(days=32)).replace(day=1), kind)

    @property
    def label(self) -> str:
        """The short name that files, frames and command lines use."""
        if self.kind == "week":
            year, week, _ = self.start.isocalendar()
            return f"{year}-W{week:02d}"
        return self.start.isoformat()[:7] if self.kind == "month" else self.start.isoformat()

    @property
    def text(self) -> str:
        """The period as a person reads it, unambiguous in any country.

        Examples:
            >>> Period.parse("2026-W46").text
            'week 46, Monday 9 to Sunday 15 November 2026'
            >>> Period.parse("2026-11").text
            'November 2026'
        """
        last = self.end - timedelta(days=1)
        if self.kind == "month":
            return f"{self.start:%B %Y}"
        if self.kind == "day":
            return f"{self.start:%A} {self.start.day} {self.start:%B %Y}"
        begin = f"{self.start:%A} {self.start.day}"
        if self.start.month != last.month:
            begin += f" {self.start:%B}"
        if self.start.year != last.year:
            begin += f" {self.start.year}"
        return f"week {self.start.isocalendar().week}, {begin} to {last:%A} {last.day} {last:%B %Y}"

    @property
    def days(self) -> int:
        """How many local days it has."""
        return (self.end - self.start).days

    def shift(self, periods: int) -> Period:
        """Return the period so many periods later, or earlier where negative.

        Examples:
            >>> Period.parse("2026-W53").shift(1).label
            '2027-W01'
            >>> Period.parse("2026-01").shift(-2).label
            '2025-11'
        """
        if self.kind == "month":
            months = self.start.year * 12 + self.start.month - 1 + periods
            return self.containing(date(months // 12, months % 12 + 1, 1), "month")
        return self.containing(self.start + timedelta(days=periods * self.days), self.kind)

    def back(self, periods: int) -> Iterator[Period]:
        """Yield so many periods up to and with this one, the oldest first."""
        for step in range(1 - periods, 1):
            yield self.shift(step)

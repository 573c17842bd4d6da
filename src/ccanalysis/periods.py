"""The periods that a centre is reported on: days, ISO weeks and months, in the centre's local time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from ccanalysis.errors import SettingsError

Kind = Literal["day", "week", "month", "quarter", "year"]
KINDS: tuple[Kind, ...] = ("day", "week", "month", "quarter", "year")  # from the finest to the coarsest
_MONTHS: dict[Kind, int] = {"month": 1, "quarter": 3, "year": 12}
# Years that a label may name; a look-back of decades from either end is still in the calendar.
_YEARS = range(1900, 2200)
_FORMS = "Give a week as 2026-W46, a month as 2026-11, a quarter as 2026-Q4, a year as 2026 or a day as 2026-11-12"


@dataclass(frozen=True, order=True)
class Period:
    """One day, ISO 8601 week (Monday to Sunday), calendar month, quarter or year.

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
        """Read `2026-W46`, `2026-11`, `2026-Q4`, `2026` or `2026-11-12`.

        Raises:
            SettingsError: The label is of none of these forms, or no such week or day exists.

        Examples:
            >>> Period.parse("2026-W46").start
            datetime.date(2026, 11, 9)
            >>> Period.parse("2026-02").days
            28
        """
        if re.match(r"[0-9]{4}", label) and int(label[:4]) not in _YEARS:
            raise SettingsError(f"the period {label!r} lies outside {_YEARS.start} to {_YEARS.stop - 1}", remedy=_FORMS)
        try:
            if match := re.fullmatch(r"(\d{4})-W(\d{2})", label, re.ASCII):
                return cls.containing(date.fromisocalendar(int(match[1]), int(match[2]), 1), "week")
            if match := re.fullmatch(r"(\d{4})-(\d{2})", label, re.ASCII):
                return cls.containing(date(int(match[1]), int(match[2]), 1), "month")
            if match := re.fullmatch(r"(\d{4})-Q([1-4])", label, re.ASCII):
                return cls.containing(date(int(match[1]), 3 * int(match[2]) - 2, 1), "quarter")
            if match := re.fullmatch(r"(\d{4})", label, re.ASCII):
                return cls.containing(date(int(match[1]), 1, 1), "year")
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}", label, re.ASCII):
                return cls.containing(date.fromisoformat(label), "day")
        except ValueError:
            raise SettingsError(f"there is no period {label!r} in the calendar", remedy=_FORMS) from None
        raise SettingsError(f"the period {label!r} cannot be read", remedy=_FORMS)

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
        length = _MONTHS[kind]
        month = day.year * 12 + (day.month - 1) // length * length
        return cls(_first(month), _first(month + length), kind)

    @property
    def label(self) -> str:
        """The short name that files, frames and command lines use."""
        if self.kind == "week":
            year, week, _ = self.start.isocalendar()
            return f"{year}-W{week:02d}"
        if self.kind == "quarter":
            return f"{self.start.year}-Q{(self.start.month + 2) // 3}"
        return self.start.isoformat()[: {"year": 4, "month": 7}.get(self.kind, 10)]

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
        if self.kind == "quarter":
            return f"{self.start:%B} to {last:%B %Y}"
        if self.kind == "year":
            return f"the year {self.start.year}"
        if self.kind == "day":
            return f"{self.start:%A} {self.start.day} {self.start:%B %Y}"
        begin = f"{self.start:%A} {self.start.day}"
        if self.start.month != last.month:
            begin += f" {self.start:%B}"
        if self.start.year != last.year:
            begin += f" {self.start.year}"
        return f"week {self.start.isocalendar().week}, {begin} to {last:%A} {last.day} {last:%B %Y}"

    @property
    def short(self) -> str:
        """The period within a sentence.

        Examples:
            >>> Period.parse("2026-W46").short
            'week 46 of 2026'
        """
        if self.kind == "week":
            year, week, _ = self.start.isocalendar()
            return f"week {week} of {year}"
        return f"{self.start.day} {self.start:%B %Y}" if self.kind == "day" else self.text

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
        if self.kind in _MONTHS:
            month = self.start.year * 12 + self.start.month - 1 + periods * _MONTHS[self.kind]
            return self.containing(_first(month), self.kind)
        return self.containing(self.start + timedelta(days=periods * self.days), self.kind)

    def back(self, periods: int) -> Iterator[Period]:
        """Yield so many periods up to and with this one, the oldest first."""
        for step in range(1 - periods, 1):
            yield self.shift(step)


def _first(month: int) -> date:
    """Return the first day of a month counted from the year 0."""
    return date(month // 12, month % 12 + 1, 1)

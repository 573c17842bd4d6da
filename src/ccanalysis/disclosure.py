"""Small numbers: which figures are hidden, so that nobody can be made out or worked out by subtraction.

A figure of few cases or few people is hidden. So is the next smallest beside it, for a single gap is the total less
what is shown. What is hidden follows from the cells of one period alone, so that the reports of two weeks, or of a team
and of the centre, never differ in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ccanalysis import drivers
from ccanalysis.kpis.components import CENTRE, UNASSIGNED

# Under so many cases a figure is not shown to colleagues (NHS England, HES disclosure control, 2018: counts of 1 to 7).
SMALLEST_SHOWN = 8
# Where fewer people handled the contacts of a part, or fewer other teams stand behind a sum, it would tell of them.
FEWEST_BEHIND = 3
# How far apart the least and the largest count must lie that a hidden cell could have, for all that is shown.
NARROWEST = 3
WHY = (
    f"hidden, so that nobody can be worked out: fewer than {SMALLEST_SHOWN} cases or {FEWEST_BEHIND} people, here or "
    "in a figure that this one would tell"
)
PERSONAL_LEVELS = ("agent", "line_manager", "evaluator")
KEYS = ["kpi", "level", "unit", "period"]


class Cell(NamedTuple):
    """A unit at its level."""

    level: str
    unit: str


class Key(NamedTuple):
    """A figure: of one KPI and unit in one period."""

    kpi: str
    level: str
    unit: str
    period: str


@dataclass(frozen=True)
class Hidden:
    """What is hidden.

    Attributes:
        cells: The figures.
        parts: What each unit's figures are made of, with small parts merged; as `drivers.drivers` has it.
    """

    cells: frozenset[Key] = frozenset()
    parts: pd.DataFrame = field(default_factory=pd.DataFrame)


def hidden(series: pd.DataFrame, people: pd.DataFrame, parts: pd.DataFrame) -> Hidden:
    """Find what team editions and the centre's edition hide.

    Args:
        series: Figures of all units and periods, with `numerator`, `denominator` and `n`.
        people: The roster: how many people a team and a site have, and which teams make up a site.
        parts: Rows of `drivers.drivers`.
    """
    cells = frozenset(hidden_cells(with_people(series, people), sites_of(people)))
    return Hidden(cells, safe_parts(parts, cells, series))


def with_people(series: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Put beside each figure of a team or a site how many people the roster has for it; nothing where it names none."""
    if series.empty or "agent_id" not in people:
        return series
    counted = {
        (level, unit): n
        for level in ("team", "site")
        if level in people
        for unit, n in people.groupby(level)["agent_id"].nunique().items()
    }
    return series.assign(people=[counted.get(key, np.nan) for key in zip(series["level"], series["unit"], strict=True)])


def sites_of(people: pd.DataFrame) -> dict[str, str]:
    """Return the site of each team that lies in one site only."""
    if not {"team", "site"} <= set(people.columns):
        return {}
    placed = people[["team", "site"]].dropna().drop_duplicates()
    placed = placed[~placed["team"].duplicated(keep=False)]
    return {UNASSIGNED: UNASSIGNED, **dict(zip(placed["team"], placed["site"], strict=True))}


def small(frame: pd.DataFrame) -> pd.Series:
    """Mark figures that rest on few cases or on few people."""
    few = (frame["n"] > 0) & (frame["n"] < SMALLEST_SHOWN)
    if "people" in frame:
        few |= (frame["people"] > 0) & (frame["people"] < FEWEST_BEHIND)
    return few & ~frame["level"].isin([CENTRE, *PERSONAL_LEVELS])


def without_few(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Take the figures of few cases from rows of units, and of one more row where it alone would tell them.

    Args:
        frame: Rows of units: level, unit, n (cases), further columns.
        keys: The columns that say what a row is about; every other column is a figure and is emptied.

    Returns:
        The frame with those figures empty. Rows of the centre and of persons stay: the former hide nobody, the latter
        are shown to their own line manager alone.
    """
    if frame.empty or "n" not in frame:
        return frame
    told = frame["level"].isin([CENTRE, *PERSONAL_LEVELS])
    few = ~told & (frame["n"].fillna(0) > 0) & (frame["n"] < SMALLEST_SHOWN)
    if not few.any():
        return frame
    family = [key for key in keys if key != "unit"]
    for _, rows in frame[~told].groupby(family, dropna=False, sort=False):
        if few[rows.index].sum() == 1:
            others = rows.loc[~few[rows.index] & (rows["n"].fillna(0) > 0), "n"]
            if len(others):
                few[others.idxmin()] = True
    figures = [column for column in frame if column not in keys]
    blank = frame.copy()
    for column in figures:
        if pd.api.types.is_numeric_dtype(blank[column]) and not pd.api.types.is_bool_dtype(blank[column]):
            blank[column] = blank[column].astype(float).mask(few)
        else:
            blank[column] = blank[column].astype(object).mask(few, None)
    return blank


def hidden_cells(series: pd.DataFrame, sites: Mapping[str, str]) -> set[Key]:
    """Find the figures that are small, and those that would tell them."""
    if series.empty:
        return set()
    known = series[~series["level"].isin(PERSONAL_LEVELS) & series["n"].notna()].reset_index(drop=True)
    few = small(known)
    found: set[Key] = set()
    for period in known.loc[few, "period"].unique():
        now = known[known["period"] == period]
        tables = {kpi: _Table(own, sites) for kpi, own in now.groupby("kpi", sort=True)}
        first = {kpi: _cells(own[few[own.index]]) for kpi, own in now.groupby("kpi", sort=True)}
        alike: dict[tuple[tuple[Cell, float], ...], list[str]] = {}
        for kpi, table in tables.items():  # KPIs over the same cases: what one shows, the other would tell
            alike.setdefault(tuple(sorted(table.n.items())), []).append(str(kpi))
        for kpis in alike.values():
            primary = set().union(*(first[kpi] for kpi in kpis))
            if primary:
                closed = _closed(primary, [tables[kpi] for kpi in kpis])
                found |= {Key(kpi, cell.level, cell.unit, str(period)) for kpi in kpis for cell in closed}
    return found


def _cells(frame: pd.DataFrame) -> set[Cell]:
    return {Cell(level, unit) for level, unit in zip(frame["level"], frame["unit"], strict=True)}


class _Table:
    """One KPI in one period: its cells and which of them add up to which."""

    def __init__(self, own: pd.DataFrame, sites: Mapping[str, str]) -> None:
        cells = [Cell(level, unit) for level, unit in zip(own["level"], own["unit"], strict=True)]
        self.n = dict(zip(cells, own["n"].astype(float), strict=True))
        self.above = dict(zip(cells, own["numerator"].astype(float), strict=True))
        below = own["denominator"].to_numpy(dtype=float)
        # a share counts cases of its n; of a sum of seconds, or of events per thousand, nothing is left over
        counted = (self_n := own["n"].to_numpy(dtype=float)) == below
        self.share = bool(counted.all() and (own["numerator"].to_numpy(dtype=float) <= self_n).all())
        self.families = [
            (Cell(CENTRE, CENTRE), [cell for cell in cells if cell.level == level])
            for level in sorted({cell.level for cell in cells} - {CENTRE})
        ]
        for site in sorted({cell for cell in cells if cell.level == "site"}):
            teams = [cell for cell in cells if cell.level == "team" and sites.get(cell.unit) == site.unit]
            if teams and sum(self.n[team] for team in teams) == self.n[site]:
                self.families.append((site, teams))

    def counts(self, cells: Iterable[Cell]) -> NDArray:
        """Return cases and sums above the line of some cells, one row each."""
        return np.array([(self.n[cell], self.above[cell]) for cell in cells]).reshape(-1, 2)

    def safe(self, gaps: Iterable[Cell], family: list[Cell]) -> bool:
        """Say whether the sum of some hidden cells leaves each of them open."""
        return leaves_open(self.counts(gaps), self.counts(family), share=self.share)


def leaves_open(gaps: NDArray, family: NDArray, *, share: bool) -> bool:
    """Say whether the sums of hidden cells leave each of them open by `NARROWEST`.

    Of fewer events than that in the whole family, the total itself tells as much, and no gap can help.

    Args:
        gaps: Cases and sums above the line of the hidden cells, one row each.
        family: The same of all cells that add up to what is shown.
        share: Whether what is above the line are some of the cases, so that the others can be told too.
    """
    (n, above), (whole_n, whole_above) = gaps.sum(axis=0), family.sum(axis=0)
    if len(gaps) < 2 or n < len(gaps) + NARROWEST:
        return False
    if whole_above >= NARROWEST > above:
        return False
    return not (share and whole_n - whole_above >= NARROWEST > n - above)


def _closed(primary: set[Cell], tables: list[_Table]) -> set[Cell]:
    """Add what would tell the hidden cells, until nothing does."""
    gone = set(primary)
    while True:
        before = len(gone)
        for table in tables:
            for parent, family in table.families:
                _close(parent, family, gone, table)
        if len(gone) == before:
            return gone


def _close(parent: Cell, family: list[Cell], gone: set[Cell], table: _Table) -> None:
    left = sorted((cell for cell in family if cell not in gone and table.n[cell] > 0), key=lambda c: (table.n[c], c))
    if parent in gone or parent not in table.n:
        if parent in gone and left and not any(cell in gone for cell in family):
            gone.add(left[0])  # else its parts add up to it
        return
    gaps = [cell for cell in family if cell in gone]
    while gaps and not table.safe(gaps, family):
        if not left:
            gone.add(parent)
            return
        chosen = next((cell for cell in left if table.safe([*gaps, cell], family)), left[0])
        left.remove(chosen)
        gaps.append(chosen)
        gone.add(chosen)


# --- what figures are made of ---------------------------------------------------------------------------------------


def safe_parts(parts: pd.DataFrame, cells: frozenset[Key], series: pd.DataFrame) -> pd.DataFrame:
    """Merge small parts and parts that would tell them.

    Of the centre every dimension is kept, of a team the one that explains most. A part that one team hides is hidden
    by another team too, since the parts of all teams add up to that of the centre.

    Args:
        parts: Rows of `drivers.drivers`.
        cells: The hidden figures.
        series: Figures of all units and periods; its last two periods are those of the parts.
    """
    if "level" not in parts or parts.empty:
        return parts
    last = sorted(series["period"].unique())[-2:] if len(series) else []
    untold = {(key.kpi, key.level, key.unit) for key in cells if key.period in last}
    owner = pd.Series(list(zip(parts["kpi"], parts["level"], parts["unit"], strict=True)), index=parts.index)
    parts = parts[~owner.isin(untold)]
    of_centre = parts["level"] == CENTRE
    named = pd.Series(list(zip(parts["kpi"], parts["dimension"], parts["part"], strict=True)), index=parts.index)
    kept = [
        _merged(group, named[group.index].isin(untold)) for _, group in parts[of_centre].groupby([*_OWN, "dimension"])
    ]
    every = drivers.without_others(parts[~of_centre], fewest=FEWEST_BEHIND).reset_index(drop=True)
    names = pd.Series(list(zip(every["kpi"], every["dimension"], every["part"], strict=True)), index=every.index)
    now = {(key.kpi, key.level, key.unit) for key in cells if key.period == last[-1]} if last else set()
    totals = _open_totals(kept, names, now)
    shown = _safe_teams(every, totals, ~totals | names.isin(untold))  # what the centre hides, each team hides
    shown = shown.assign(value_before=np.nan)  # last week's reports merged other parts: the two together would tell
    frames = [frame for frame in (*kept, shown) if frame is not None and len(frame)]
    return pd.concat(frames, ignore_index=True)[parts.columns] if frames else parts.iloc[:0]


_OWN = ["kpi", "level", "unit"]


def _merged(group: pd.DataFrame, more: pd.Series) -> pd.DataFrame | None:
    return drivers.merged(group, SMALLEST_SHOWN, FEWEST_BEHIND, more)


def _open_totals(kept: list[pd.DataFrame | None], names: pd.Series, gone: set[tuple[str, str, str]]) -> pd.Series:
    """Mark parts of teams whose sum over all teams can be seen, as a figure of its own or as a part of the centre's."""
    whole: set[tuple[str, str]] = set()
    merged: set[tuple[str, str, str]] = set()
    for frame in kept:
        if frame is not None and (frame["part"] == drivers.OTHER).any():
            kpi, dimension = frame[["kpi", "dimension"]].iloc[0]
            whole.add((kpi, dimension))
            merged |= {(kpi, dimension, part) for part in frame["part"]}
    # where the centre's own parts were merged, those that are not named are not seen there, nor as figures, being small
    return pd.Series(
        [name not in gone and (name[:2] not in whole or name in merged) for name in names],
        index=names.index,
        dtype=bool,
    )


def _safe_teams(every: pd.DataFrame, totals: pd.Series, more: pd.Series) -> pd.DataFrame:
    """Merge parts of teams until neither the sums over teams nor those over parts tell a part that is not shown."""
    rows = every.groupby([*_OWN, "dimension"], sort=False).ngroup()
    left = pd.Series(data=True, index=every.index)
    while True:
        asked = every[left]
        shown = drivers.gathered(asked, smallest=SMALLEST_SHOWN, fewest=FEWEST_BEHIND, more=more[left])
        keys = [*_OWN, "dimension", "part"]
        there = pd.MultiIndex.from_frame(shown[keys])
        seen = pd.Series(pd.MultiIndex.from_frame(every[keys]).isin(there), index=every.index)
        used = set(zip(*(shown[name] for name in [*_OWN, "dimension"]), strict=True))
        telling, told = _columns(every, seen, totals, shown)
        if (telling & ~more).any():
            more |= telling
            continue
        thin = _thin_rows(every, seen, told, used)
        if not thin:
            return shown
        left &= ~rows.isin(thin)


def _columns(
    every: pd.DataFrame, seen: pd.Series, totals: pd.Series, shown: pd.DataFrame
) -> tuple[pd.Series, pd.Series]:
    """Mark parts to hide because, with the sum over all teams, they tell others; and hidden parts that are told."""
    telling, told = (pd.Series(data=False, index=every.index) for _ in range(2))
    dimensions = set(zip(shown["kpi"], shown["dimension"], strict=True))
    for (kpi, dimension, _), column in every[totals].groupby(["kpi", "dimension", "part"], sort=True):
        if (kpi, dimension) not in dimensions:
            continue
        share = column["kind"].iloc[0] == "share"
        held = column[column["n"] > 0].sort_values(["n", "unit"], kind="stable")
        counts = held[["n", "numerator"]].to_numpy(dtype=float)
        gap = ~seen[held.index].to_numpy(dtype=bool)
        while gap.any() and not leaves_open(counts[gap], counts, share=share):
            left = np.flatnonzero(~gap)
            if not len(left):
                told[held.index] = True
                break
            ends = (one for one in left if leaves_open(counts[[*np.flatnonzero(gap), one]], counts, share=share))
            gap[next(ends, left[0])] = True
        telling[held.index[gap]] |= seen[held.index[gap]]
    return telling, told


def _thin_rows(every: pd.DataFrame, seen: pd.Series, told: pd.Series, used: set[tuple[str, ...]]) -> list[int]:
    """Find the teams' dimensions whose part "other" holds too little that is not told elsewhere."""
    thin = []
    for number, (key, row) in enumerate(every.groupby([*_OWN, "dimension"], sort=False)):
        if key not in used:
            continue
        gaps = row[~seen[row.index] & (row["n"] > 0)]
        unknown = gaps[~told[gaps.index]][["n", "numerator"]].to_numpy(dtype=float)
        whole = row[["n", "numerator"]].to_numpy(dtype=float)
        if len(unknown) and not leaves_open(unknown, whole, share=row["kind"].iloc[0] == "share"):
            thin.append(number)
    return thin

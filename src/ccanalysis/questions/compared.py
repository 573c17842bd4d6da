"""Units held against the others: who has more or fewer events than chance explains, and who too few to tell."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ccanalysis.statistics import sampling
from ccanalysis.statistics.comparison import benjamini_hochberg, rate_ratio_test

# The share of differences said that may be chance.
FALSE_DISCOVERIES = 0.05
COLUMNS = ("others", "ratio", "ratio_low", "ratio_high", "p_value", "q_value", "outcome", "needed")


def against_others(
    events: ArrayLike, exposure: ArrayLike, *, groups: ArrayLike | None = None, factor: float = 2.0
) -> pd.DataFrame:
    """Compare the rate of events of each unit with that of its peers.

    One unit that stands out would make all others look good. So the one that stands out most is set aside, and the
    rest is compared anew, until no further one stands out. All units of the call are one family: the false-discovery
    rate is held over them.

    Args:
        events: Events of each unit.
        exposure: What they are divided by: contacts, cases, weeks.
        groups: Which units are peers, such as the check or the reason that is counted; all of them where not given.
        factor: How many times the peers' rate a unit must have for its difference to matter; from it follows how many
            cases it takes to tell.

    Returns:
        One row per unit: `others` (rate of the peers), `ratio` to it with `ratio_low` and `ratio_high`, `p_value`,
        `q_value`, `outcome` (`more`, `fewer`, `none`, `cannot tell`) and `needed` (exposure from which it can be told).

    Source:
        Exact test of two Poisson rates: Lehmann and Romano (2005), 4.5. Benjamini and Hochberg (1995).
    """
    count, size = (np.asarray(values, dtype=float) for values in (events, exposure))
    group = np.zeros(count.size) if groups is None else pd.factorize(np.asarray(groups, dtype=object))[0]
    outcome = np.full(count.size, "none", dtype=object)
    found = np.full((count.size, 6), np.nan)
    given = (size > 0) & np.isfinite(count)
    outcome[~given] = "cannot tell"
    asked = given.copy()
    stale = given.copy()
    while stale.any():
        for place in np.flatnonzero(stale):
            peers = asked & (group == group[place])
            peers[place] = False
            if peers.any():
                other, of = count[peers].sum(), size[peers].sum()
                test = rate_ratio_test(int(count[place]), size[place], int(other), of)
                found[place] = [other / of, test.estimate, *test.interval, test.p, np.nan]
        found[asked, 5] = benjamini_hochberg(found[asked, 4])
        able = asked & (found[:, 5] <= FALSE_DISCOVERIES) & [(asked & (group == one)).sum() > 1 for one in group]
        if not able.any():
            break
        place = np.flatnonzero(able)[np.nanargmin(found[able, 4])]
        outcome[place] = "more" if found[place, 1] > 1 else "fewer"
        asked[place] = False
        stale = asked & (group == group[place])
    needed = np.array([_needed(other, factor) for other in found[:, 0]])
    outcome[(outcome == "none") & ~(size >= needed)] = "cannot tell"
    return pd.DataFrame(dict(zip(COLUMNS, [*found.T, outcome, needed], strict=True)))


def with_peers(
    rows: pd.DataFrame, events: str, exposure: str, *, levels: Mapping[str, float], group: str = ""
) -> pd.DataFrame:
    """Put beside rows of units how they compare with their peers; rows of other levels have empty columns.

    Args:
        rows: `level`, and the columns named.
        events: The column of events.
        exposure: The column of what they are divided by.
        levels: Level to compare, and the factor of `against_others`; each level is a family of its own.
        group: The column within which units are peers, such as the check; empty for all.
    """
    parts = []
    for level, factor in levels.items():
        own = rows[rows["level"] == level]
        if len(own):
            held = against_others(own[events], own[exposure], groups=own[group] if group else None, factor=factor)
            parts.append(held.set_index(own.index))
    found = pd.concat(parts) if parts else pd.DataFrame(columns=list(COLUMNS))
    return rows.drop(columns=[column for column in COLUMNS if column in rows]).join(found)


def _needed(rate: float, factor: float) -> float:
    """Cases from which a rate so many times that of the peers is found, four times of five."""
    if not 0 < rate < 1:
        return float("nan")
    return float(np.ceil(sampling.sample_size_two_proportions(rate, min(rate * factor, 0.999))))

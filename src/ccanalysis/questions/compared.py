"""Units held against the others: who has more or fewer events than chance explains, and who too few to tell."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ccanalysis.statistics import sampling
from ccanalysis.statistics.comparison import benjamini_hochberg, rate_ratio_test

# The share of differences said that may be chance.
FALSE_DISCOVERIES = 0.05
COLUMNS = ("others", "ratio", "ratio_low", "ratio_high", "p_value", "q_value", "outcome", "needed")


def against_others(events: ArrayLike, exposure: ArrayLike, *, factor: float = 2.0) -> pd.DataFrame:
    """Compare the rate of events of each unit with that of its peers.

    One unit that stands out would make all others look good. So the one that stands out most is set aside, and the
    rest is compared anew, until no further one stands out. All units of the call are one family: the false-discovery
    rate is held over them.

    Args:
        events: Events of each unit.
        exposure: What they are divided by: contacts, cases, weeks.
        factor: How many times the peers' rate a unit must have for its difference to matter; from it follows how many
            cases it takes to tell.

    Returns:
        One row per unit: `others` (rate of the peers), `ratio` to it with `ratio_low` and `ratio_high`, `p_value`,
        `q_value`, `outcome` (`more`, `fewer`, `none`, `cannot tell`) and `needed` (exposure from which it can be told).

    Source:
        Exact test of two Poisson rates: Lehmann and Romano (2005), 4.5. Benjamini and Hochberg (1995).
    """
    count, size = (np.asarray(values, dtype=float) for values in (events, exposure))
    outcome = np.full(count.size, "none", dtype=object)
    found = np.full((count.size, 6), np.nan)
    fixed = ~((size > 0) & np.isfinite(count))
    outcome[fixed] = "cannot tell"
    while (~fixed).sum() >= 2:
        asked = np.flatnonzero(~fixed)
        for place in asked:
            peers = asked[asked != place]
            other, of = count[peers].sum(), size[peers].sum()
            test = rate_ratio_test(int(count[place]), size[place], int(other), of)
            found[place] = [other / of, test.estimate, *test.interval, test.p, np.nan]
        found[asked, 5] = benjamini_hochberg(found[asked, 4])
        lowest = np.nanmin(found[asked, 5]) if np.isfinite(found[asked, 5]).any() else 1.0
        if lowest > FALSE_DISCOVERIES or asked.size == 2:
            break
        place = asked[np.nanargmin(found[asked, 4])]
        outcome[place] = "more" if found[place, 1] > 1 else "fewer"
        fixed[place] = True
    needed = np.array([_needed(other, factor) for other in found[:, 0]])
    thin = (outcome == "none") & ~(size >= needed)
    outcome[thin] = "cannot tell"
    return pd.DataFrame(dict(zip(COLUMNS, [*found.T, outcome, needed], strict=True)))


def _needed(rate: float, factor: float) -> float:
    """Cases from which a rate so many times that of the peers is found, four times of five."""
    if not 0 < rate < 1:
        return float("nan")
    return float(np.ceil(sampling.sample_size_two_proportions(rate, min(rate * factor, 0.999))))

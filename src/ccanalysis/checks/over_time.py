"""Rules over time: what the periods before lead to expect of volume, mix, freshness and response.

Bounds come from the workspace's own history and are handed to Great Expectations as parameters. They are robust: the
median of the periods before, and so many scaled median deviations of it.

Source:
    Leys et al. (2013), Detecting outliers: Do not use standard deviation around the mean, use absolute deviation around
    the median, Journal of Experimental Social Psychology 49(4): three scaled deviations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from ccanalysis.checks.calendar import starts

if TYPE_CHECKING:
    from ccanalysis.checks.batches import Scope

# What is usual is judged from so many earlier periods at least.
PERIODS = 8
DEVIATIONS = 3.0
MAD_TO_SIGMA = 1.4826
# A part of the day, by file and channel, is looked at where it has so many durations.
PART_ROWS = 20


@dataclass(frozen=True, kw_only=True)
class Usual:
    """A bound that history gives.

    Attributes:
        parameter: The name that suites refer to.
        column: The column of the period batch that it bounds.
        side: Whether it is the least or the greatest value.
        least: How far from the median the bound lies at least, in the unit of the column; of a volume, as a share.
    """

    parameter: str
    column: str
    side: Literal["low", "high"]
    least: float


# A steady history has next to no deviation; a volume is never called unlike it for a tenth, a mix for a twentieth.
USUAL = (
    Usual(parameter="volume_low", column="n_per_day", side="low", least=0.1),
    Usual(parameter="volume_high", column="n_per_day", side="high", least=0.1),
    Usual(parameter="gap_days_high", column="gap_days", side="high", least=2.0),
    Usual(parameter="channel_shift_high", column="channel_shift", side="high", least=0.05),
    Usual(parameter="site_shift_high", column="site_shift", side="high", least=0.05),
    Usual(parameter="queue_shift_high", column="queue_shift", side="high", least=0.05),
    Usual(parameter="response_low", column="response_share", side="low", least=0.05),
)
PARAMETERS = tuple(usual.parameter for usual in USUAL)
MIXES = ("channel", "site", "queue")


def bounds(periods: pd.DataFrame, scope: Scope) -> tuple[dict[str, float], set[str]]:
    """Return what the periods before this one lead to expect, and what they are too few to say.

    Args:
        periods: The period batch of one table, one row per period.
        scope: The time that is looked at.

    Returns:
        Parameter -> bound, and the parameters without one.
    """
    now = pd.Timestamp(scope.period.start)
    periods = periods[periods["n_rows"] > 0]
    earlier = periods[pd.to_datetime(periods["_period"]) < now]
    this = periods[pd.to_datetime(periods["_period"]) == now]
    found, unknown = {}, set()
    for usual in USUAL:
        past = earlier[usual.column].dropna() if usual.column in earlier else pd.Series(dtype="float64")
        if len(past) < PERIODS:
            unknown.add(usual.parameter)
            continue
        middle = float(past.median())
        deviation = float((past - middle).abs().median()) * MAD_TO_SIGMA
        reach = max(DEVIATIONS * max(deviation, _by_chance(usual, middle, earlier, this)), _least(usual, middle))
        found[usual.parameter] = max(0.0, middle - reach) if usual.side == "low" else middle + reach
    return found, unknown


def _least(usual: Usual, middle: float) -> float:
    return usual.least * middle if usual.column == "n_per_day" else usual.least


def _by_chance(usual: Usual, middle: float, earlier: pd.DataFrame, this: pd.DataFrame) -> float:
    """Return the standard deviation that counts of this size have by chance."""
    n = float(earlier["n_rows"].median())
    few = min(n, float(this["n_rows"].iloc[0])) if len(this) else n
    if usual.column == "n_per_day":
        return middle / n**0.5  # Poisson, of the whole period's count
    if usual.column == "response_share":
        return (middle * (1 - middle) / few) ** 0.5
    return 0.5 / few**0.5 if usual.column.endswith("_shift") else 0.0


def shifts(scope: Scope, counted: pd.DataFrame, column: str) -> pd.Series:
    """Return how far the mix of each period is from the median mix of the other periods.

    The distance is the share of rows that would have to be of another value for the two mixes to be the same (total
    variation distance), 0 to 1.

    Args:
        scope: The time that is looked at.
        counted: on_date, the column, n_rows.
        column: What the mix is of.

    Returns:
        One share per period, by its first day; missing where the baseline has fewer than two values.
    """
    named = counted[counted[column].notna() & (counted["n_rows"] > 0)]
    edges = pd.to_datetime([period.start for period in scope.periods])
    if named[column].nunique() < 2:
        return pd.Series(np.nan, index=edges)
    counts = named.pivot_table(
        index=starts(scope, named["on_date"]).to_numpy(), columns=column, values="n_rows", aggfunc="sum", fill_value=0
    )
    shares = counts.div(counts.sum(axis=1), axis=0)
    found = {}
    for period in shares.index:
        others = shares[shares.index != period]
        usual = others.median()
        usual = usual / usual.sum() if usual.sum() > 0 else usual
        found[period] = float((shares.loc[period] - usual).abs().sum() / 2) if len(others) else np.nan
    return pd.Series(found, dtype="float64").reindex(edges)


def gap_days(scope: Scope, counted: pd.DataFrame) -> pd.Series:
    """Return for each period the days from its last row to its end, 0 where the last day has rows."""
    days = pd.to_datetime(counted.loc[counted["n_rows"] > 0, "on_date"])
    last = days.groupby(starts(scope, days).to_numpy()).max()
    ends = pd.Series({pd.Timestamp(one.start): pd.Timestamp(one.end) for one in scope.periods})
    return ((ends - last).dt.days - 1).reindex(ends.index).astype("float64")


def parts_batch(scope: Scope, counted: pd.DataFrame, measures: Mapping[str, str]) -> pd.DataFrame:
    """Return how long durations are in each part of the data, beside what is usual.

    A file whose unit changes on a Wednesday has a usual median for the week; its Thursday is a thousand times longer.

    Args:
        scope: The time that is looked at.
        counted: One row per source_file, on_date and channel, with `n_<measure>` and `log_<measure>`: how many
            durations above zero, and the sum of their natural logarithms.
        measures: Measure -> its expression; only its names are read.

    Returns:
        measure, channel, on_date, n, typical (the geometric mean, seconds), usual (the median of the parts' means),
        factor (how many times the one is the other, 1 or more), and what the row belongs to.
    """
    found = []
    for measure in measures:
        part = counted[counted[f"n_{measure}"] >= PART_ROWS]
        found.append(
            pd.DataFrame(
                {
                    "measure": measure,
                    "channel": part["channel"].fillna(""),
                    "on_date": part["on_date"],
                    "n": part[f"n_{measure}"],
                    "typical": np.exp(part[f"log_{measure}"] / part[f"n_{measure}"]),
                }
            )
        )
    frame = pd.concat(found, ignore_index=True)
    by_channel = frame.groupby(["measure", "channel"])["typical"]
    frame["usual"] = by_channel.transform("median")
    ratio = frame["typical"] / frame["usual"]
    frame["factor"] = np.maximum(ratio, 1 / ratio)
    frame["_period"] = starts(scope, frame["on_date"])
    frame["_team"] = None
    frame["_channel"] = frame["channel"].where(frame["channel"] != "", None)
    return frame[frame.groupby(["measure", "channel"])["typical"].transform("size") >= 2]

"""Where the parts of a chart start, and which points are left out, told by labels of its index."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ccanalysis.errors import StatisticsError


def check_periods(index: pd.Index) -> None:
    """Raise unless every period occurs once and, where they are dates, in time order."""
    if index.empty:
        raise StatisticsError("there is no value to chart")
    if not index.is_unique:
        raise StatisticsError(
            f"{int(index.duplicated().sum())} periods occur more than once",
            remedy="Add up both sides of the measure per period before charting.",
        )
    timed = isinstance(index, pd.DatetimeIndex | pd.PeriodIndex)
    if timed and not index.is_monotonic_increasing:
        raise StatisticsError("the periods are not in time order", remedy="Sort the values by their index.")


def locate(index: pd.Index, labels: Any, name: str) -> list[int]:
    """Find the positions of labels in an index; every label must be there.

    Examples:
        >>> locate(pd.DatetimeIndex(["2026-01-01", "2026-02-01"]), "2026-02-01", "rebase")
        [1]
    """
    wanted = [labels] if isinstance(labels, str) or not isinstance(labels, Iterable) else list(labels)
    if not wanted:
        return []
    if isinstance(index, pd.DatetimeIndex):
        sought: pd.Index = pd.DatetimeIndex(wanted, tz=index.tz)
    elif isinstance(index, pd.PeriodIndex):
        sought = pd.PeriodIndex(wanted, freq=index.freq)
    else:
        sought = pd.Index(wanted)
    found = index.get_indexer(sought)
    if (found < 0).any():
        missing = ", ".join(str(label) for label, at in zip(sought, found, strict=True) if at < 0)
        raise StatisticsError(
            f"{name} names periods that are not in the series: {missing}", remedy="Name periods of its index."
        )
    return [int(at) for at in found]


def mask(index: pd.Index, exclude: Any) -> NDArray[np.bool_]:
    """Turn labels, or one flag per value, into one flag per value."""
    result = np.zeros(len(index), dtype=bool)
    if exclude is None:
        return result
    flags = np.asarray(exclude)
    if flags.dtype == bool:
        if len(flags) != len(index):
            raise StatisticsError(f"exclude has {len(flags)} flags for {len(index)} values")
        return flags
    result[locate(index, exclude, "exclude")] = True
    return result

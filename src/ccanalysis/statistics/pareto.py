"""The vital few: categories by how much they count, with running totals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ccanalysis.errors import StatisticsError


def pareto(counts: pd.Series, *, other: str | None = "other") -> pd.DataFrame:
    """Order categories from the largest down and add running totals.

    Args:
        counts: Count per category, with the categories as index; NaN counts as 0.
        other: The category that is shown last whatever its size; None for no such category.

    Returns:
        A frame with the categories as index and `count`, `cumulative`, `share` and `cumulative_share` (0
        to 1; NaN where nothing was counted). Ties are in the order of their names.

    Raises:
        StatisticsError: Negative counts, or a category that occurs twice.

    Examples:
        >>> pareto(pd.Series({"billing": 5, "other": 9, "login": 15}))["cumulative"].to_dict()
        {'login': 15.0, 'billing': 20.0, 'other': 29.0}

    Source:
        Juran, Quality Control Handbook (1951).
    """
    if not counts.index.is_unique:
        raise StatisticsError(f"{int(counts.index.duplicated().sum())} categories occur more than once")
    filled = counts.fillna(0).astype(float)
    if (filled < 0).any():
        raise StatisticsError(f"{int((filled < 0).sum())} counts are negative")
    name = filled.index.astype(str)
    last = np.zeros(len(filled), dtype=bool) if other is None else (name.str.lower() == other.lower())
    order = np.lexsort((name.to_numpy(dtype=str), -filled.to_numpy(), last))
    count = filled.iloc[order]
    total = count.sum() if count.sum() > 0 else np.nan
    cumulative = count.cumsum()
    return pd.DataFrame(
        {"count": count, "cumulative": cumulative, "share": count / total, "cumulative_share": cumulative / total}
    )

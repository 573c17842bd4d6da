"""Charts that remember: EWMA and CUSUM, for small shifts that last."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ccanalysis.errors import StatisticsError
from ccanalysis.statistics.spc.rules import RELATIVE_TOLERANCE

#: Average moving range of a normal process, in standard deviations (d2 for n = 2).
D2 = 1.128


def _standard(values: ArrayLike, centre: float | None, sd: float | None) -> tuple[pd.Series, float, float]:
    series = (values if isinstance(values, pd.Series) else pd.Series(np.asarray(values))).astype(float)
    if not series.notna().any():
        raise StatisticsError("there is no value to chart")
    mean = float(series.mean()) if centre is None else float(centre)
    spread = float(series.diff().abs().mean() / D2) if sd is None else float(sd)
    if sd is None and spread <= RELATIVE_TOLERANCE * float(series.abs().max()):
        spread = 0.0  # what varies in the last digits of floats does not vary
    if np.isnan(spread):
        raise StatisticsError("no two neighbouring values to estimate the standard deviation from", remedy="Pass sd.")
    return series, mean, spread


def ewma(
    values: ArrayLike,
    *,
    weight: float = 0.2,
    sigmas: float = 3.0,
    centre: float | None = None,
    sd: float | None = None,
) -> pd.DataFrame:
    """Draw a chart of the exponentially weighted moving average.

    Args:
        values: One value per period, in any unit; a missing one leaves the average as it was.
        weight: Weight of the latest value, above 0 up to 1.
        sigmas: Distance of the limits, in standard deviations of the average.
        centre: The line to judge against; by default the mean of the values.
        sd: Standard deviation of the values; by default their mean moving range / 1.128.

    Returns:
        A frame with `value`, `average`, `centre`, `lower`, `upper` and `signal` (-1, 0 or 1).

    Raises:
        StatisticsError: A weight outside 0 to 1, or nothing to estimate from.

    Examples:
        >>> ewma([33.75, 33.05, 34.0, 33.81], weight=0.3, centre=33.5, sd=0.4)["average"].round(3).tolist()
        [33.575, 33.418, 33.592, 33.658]

    Source:
        Roberts (1959), Technometrics 1: 239-250; limits as in Montgomery (2013), 9.2.
    """
    if not 0 < weight <= 1:
        raise StatisticsError(f"weight is {weight}, expected more than 0 and at most 1")
    series, mean, spread = _standard(values, centre, sd)
    average = np.empty(len(series))
    last = mean
    seen = np.cumsum(series.notna().to_numpy())
    for i, value in enumerate(series):
        last = last if np.isnan(value) else weight * value + (1 - weight) * last
        average[i] = last
    reach = sigmas * spread * np.sqrt(weight / (2 - weight) * (1 - (1 - weight) ** (2 * seen)))
    tolerance = RELATIVE_TOLERANCE * max(abs(mean), float(np.nanmax(np.abs(series))))
    signal = (average > mean + reach + tolerance).astype(int) - (average < mean - reach - tolerance).astype(int)
    return pd.DataFrame(
        {
            "value": series.to_numpy(),
            "average": average,
            "centre": mean,
            "lower": mean - reach,
            "upper": mean + reach,
            "signal": signal,
        },
        index=series.index,
    )


def cusum(
    values: ArrayLike,
    *,
    shift: float = 1.0,
    decision: float = 5.0,
    centre: float | None = None,
    sd: float | None = None,
) -> pd.DataFrame:
    """Draw a chart of the cumulative sums above and below a line.

    Args:
        values: One value per period, in any unit; a missing one leaves the sums as they were.
        shift: The shift to find, in standard deviations; half of it is allowed for.
        decision: The sum that is a signal, in standard deviations.
        centre: The line to judge against; by default the mean of the values.
        sd: Standard deviation of the values; by default their mean moving range / 1.128.

    Returns:
        A frame with `value`, `above` (from 0 up) and `below` (from 0 down), in standard deviations, and
        `signal` (-1, 0 or 1).

    Raises:
        StatisticsError: Values that do not vary where `sd` is not given, or nothing to estimate from.

    Examples:
        >>> cusum([1.0, 2.0, 3.0], centre=0.0, sd=1.0)["above"].tolist()
        [0.5, 2.0, 4.5]

    Source:
        Page (1954), Biometrika 41: 100-115; tabular form as in Montgomery (2013), 9.1.
    """
    series, mean, spread = _standard(values, centre, sd)
    if spread == 0:
        raise StatisticsError("the values do not vary, so there is no unit for their sums", remedy="Pass sd.")
    z: NDArray = (series.to_numpy() - mean) / spread
    above, below = np.empty(len(z)), np.empty(len(z))
    high = low = 0.0
    for i, value in enumerate(np.nan_to_num(z)):
        if not np.isnan(z[i]):
            high, low = max(0.0, high + value - shift / 2), min(0.0, low + value + shift / 2)
        above[i], below[i] = high, low
    signal = (above > decision).astype(int) - (below < -decision).astype(int)
    return pd.DataFrame(
        {"value": series.to_numpy(), "above": above, "below": below, "signal": signal}, index=series.index
    )

"""What an XmR chart says of the latest point (variation) and of its target (assurance)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from ccanalysis.errors import StatisticsError
from ccanalysis.statistics.intervals import Interval, wilson
from ccanalysis.statistics.spc.judge import FULL_BASELINE, improvement_sign
from ccanalysis.statistics.spc.rules import RELATIVE_TOLERANCE
from ccanalysis.statistics.spc.xmr import LIMIT_FACTOR, Charts

AssuranceIcon = Literal["pass", "fail", "inconsistent", "none"]

_DIRECTIONS = {
    "common_cause": "none",
    "improvement_high": "improving",
    "improvement_low": "improving",
    "concern_high": "worsening",
    "concern_low": "worsening",
    "neutral_high": "high",
    "neutral_low": "low",
}

#: Average moving range of a normal process, in standard deviations (d2 for n = 2).
D2 = 1.128


@dataclass(frozen=True)
class Variation:
    """The verdict on the latest point of a chart.

    Attributes:
        icon: Its point type, as `improvement_high`.
        direction: "improving", "worsening", "high", "low" or "none" (common cause).
        rule: The rule that names it, or "".
        rules: All rules it fits, in the order of the rule set.
        n_baseline: Points that set the limits it is held against.
        trial_limits: Fewer than 13 points set the limits, so they may still move a lot.
        at: The index label of the latest point that is not missing; None when all are.
    """

    icon: str
    direction: str
    rule: str
    rules: tuple[str, ...]
    n_baseline: int
    trial_limits: bool
    at: Any


def variation(chart: pd.DataFrame) -> Variation:
    """Judge the latest point of a chart.

    Args:
        chart: What `xmr` returns. Leave a partial latest period out of it.

    Returns:
        The verdict on the last point that is not missing.

    Examples:
        >>> from ccanalysis.statistics.spc import xmr
        >>> verdict = variation(xmr([5, 6, 5, 7, 6, 5, 6, 7, 5, 6, 5, 6, 20], better="down"))
        >>> verdict.icon, verdict.rules, verdict.trial_limits
        ('concern_high', ('outside_limits',), False)

    Source:
        NHS England, Making Data Count: the icon is that of the latest point.
    """
    present = chart["value"].notna().to_numpy()
    if not present.any():
        return Variation("common_cause", "none", "", (), 0, True, None)
    position = int(np.flatnonzero(present)[-1])
    latest = chart.iloc[position]
    n_baseline = int(latest["n_baseline"])
    return Variation(
        icon=latest["point"],
        direction=_DIRECTIONS[latest["point"]],
        rule=latest["rule"],
        rules=tuple(latest["rules"].split()),
        n_baseline=n_baseline,
        trial_limits=n_baseline < FULL_BASELINE,
        at=chart.index[position],
    )


@dataclass(frozen=True)
class Assurance:
    """Whether a process can be relied on to meet its target.

    Attributes:
        icon: "pass" (consistently meets it), "fail" (consistently misses it), "inconsistent" (hit or
            miss), or "none" (no target, no direction or no limits).
        hit_rate: Share of the periods of the last part that met the target, 0 to 1.
        hit_rate_interval: Its 95 % Wilson interval.
        modelled_hit_rate: Chance of meeting the latest target if the process stays as it is and is
            normal, 0 to 1.
        n: Periods counted.
    """

    icon: AssuranceIcon
    hit_rate: float
    hit_rate_interval: Interval
    modelled_hit_rate: float
    n: int


def assurance(
    chart: pd.DataFrame, target: ArrayLike | None = None, better: str = "neither", *, inclusive: bool | None = None
) -> Assurance:
    """Hold the limits of the last part of a chart against its target.

    The icon is very conservative: a process that meets its target 99 times in 100 is mostly
    "inconsistent", so read it together with the hit rate.

    Args:
        chart: What `xmr` returns.
        target: In the unit of the values: one, or one per row; by default the chart's `target` column.
            The icon takes the last row's, the hit rate each row's own.
        better: "up" when the target is a floor, "down" when it is a ceiling.
        inclusive: Whether a limit that equals the target is beyond it; by default as the chart's rule set
            has it (`mdc` does). A process that never varies is always judged inclusively.

    Returns:
        Icon, hit rate and what the model expects.

    Raises:
        StatisticsError: `target` is neither one number nor one per row.

    Examples:
        >>> from ccanalysis.statistics.spc import xmr
        >>> result = assurance(xmr([0.9, 0.92, 0.91, 0.93, 0.9]), target=0.8, better="up")
        >>> result.icon, result.hit_rate
        ('pass', 1.0)

    Source:
        NHS England, Making Data Count; NHSRplotthedots 0.2.2 for the strict comparison.
    """
    sign = improvement_sign(better)
    given = chart["target"].to_numpy(dtype=float) if target is None else np.asarray(target, dtype=float)
    if given.ndim and len(given) != len(chart):
        raise StatisticsError(f"target has {len(given)} entries for a chart of {len(chart)} rows")
    wanted = np.broadcast_to(given, (len(chart),))
    last_part = (chart["part"] == chart["part"].iloc[-1]).to_numpy()
    held = assurance_many(
        chart["value"].to_numpy(dtype=float)[None, last_part],
        lower=chart["lower"].to_numpy(dtype=float)[-1:],
        upper=chart["upper"].to_numpy(dtype=float)[-1:],
        target=wanted[None, last_part],
        sign=np.array([sign]),
        inclusive=bool(chart.attrs.get("inclusive", False)) if inclusive is None else inclusive,
    ).iloc[0]
    return Assurance(
        icon=held["icon"],
        hit_rate=float(held["hit_rate"]),
        hit_rate_interval=Interval(float(held["hit_rate_low"]), float(held["hit_rate_high"])),
        modelled_hit_rate=float(held["modelled_hit_rate"]),
        n=int(held["n"]),
    )


def assurance_many(
    values: NDArray, *, lower: NDArray, upper: NDArray, target: ArrayLike, sign: ArrayLike, inclusive: bool = False
) -> pd.DataFrame:
    """Hold many charts against their targets at once.

    Args:
        values: The last part of each chart, shape (series, periods), NaN for gaps.
        lower: Lower limit of each, shape (series,).
        upper: Upper limit of each.
        target: Broadcastable to `values`: one for all, one per series (as a column) or one per value.
        sign: +1 where the target is a floor, -1 a ceiling, 0 no direction; shape (series,).
        inclusive: Whether a limit that equals the target is beyond it.

    Returns:
        One row a series: `icon`, `hit_rate`, `hit_rate_low`, `hit_rate_high`, `modelled_hit_rate`, `n`.

    Examples:
        >>> values = np.array([[0.9, 0.92, 0.91, 0.93, 0.9]])
        >>> limits = {"lower": np.array([0.85]), "upper": np.array([0.97])}
        >>> assurance_many(values, **limits, target=0.9, sign=[1])["icon"].tolist()
        ['inconsistent']

    Source:
        As `assurance`.
    """
    direction = np.broadcast_to(np.asarray(sign), (len(values),))
    wanted = np.broadcast_to(np.asarray(target, dtype=float), values.shape)
    latest = wanted[:, -1]
    centre, reach = (lower + upper) / 2, (upper - lower) / 2
    magnitude = np.where(np.isnan(values), 0.0, np.abs(values)).max(axis=1, initial=0.0)
    tolerance = RELATIVE_TOLERANCE * np.maximum(magnitude, np.nan_to_num(np.abs(latest)))
    constant = reach <= tolerance
    margin = direction * (centre - latest)  # how far the centre is on the good side
    worst, best = margin - reach, margin + reach
    judged = (direction != 0) & ~np.isnan(latest) & ~np.isnan(reach)
    passes = np.where(constant, margin >= -tolerance, worst >= -tolerance if inclusive else worst > tolerance)
    fails = np.where(constant, margin < -tolerance, best <= tolerance if inclusive else best < -tolerance)
    icon = np.select([~judged, passes, fails], ["none", "pass", "fail"], "inconsistent").astype(object)

    counted = ~np.isnan(values) & ~np.isnan(wanted) & (direction != 0)[:, None]
    with np.errstate(invalid="ignore"):
        met = counted & (direction[:, None] * (values - wanted) >= -tolerance[:, None])
        n, hits = counted.sum(axis=1), met.sum(axis=1)
        hit_rate = hits / np.where(n > 0, n, np.nan)
        spread = np.where(constant, np.nan, reach / (LIMIT_FACTOR * D2))
        chance = np.where(constant, margin >= -tolerance, ndtr(margin / spread))
    interval = wilson(hits, n)
    return pd.DataFrame(
        {
            "icon": icon,
            "hit_rate": hit_rate,
            "hit_rate_low": interval.low,
            "hit_rate_high": interval.high,
            "modelled_hit_rate": np.where(judged, chance, np.nan),
            "n": n,
        }
    )


def charts_assurance(
    charts: Charts, target: ArrayLike, better: str | list[str], *, inclusive: bool | None = None
) -> pd.DataFrame:
    """Hold the last part of every chart of `xmr_many` against its target.

    Args:
        charts: The charts.
        target: One for all, one per series, or one per value (shape (series, periods)).
        better: One direction for all, or one per series.
        inclusive: Whether a limit that equals the target is beyond it; by default as the rule set of the
            charts has it.

    Returns:
        As `assurance_many`.

    Examples:
        >>> from ccanalysis.statistics.spc import xmr_many
        >>> charts = xmr_many([[0.9, 0.92, 0.91, 0.93, 0.9], [0.7, 0.8, 0.75, 0.82, 0.78]])
        >>> charts_assurance(charts, 0.8, "up")["icon"].tolist()
        ['pass', 'inconsistent']

    Source:
        As `assurance`.
    """
    series = len(charts.value)
    given = np.asarray(target, dtype=float)
    wanted = given[:, None] if given.ndim == 1 else given
    directions = [better] * series if isinstance(better, str) else better
    last = charts.part[0] == charts.part[0, -1]
    return assurance_many(
        charts.value[:, last],
        lower=charts.lower[:, -1],
        upper=charts.upper[:, -1],
        target=np.broadcast_to(wanted, charts.value.shape)[:, last],
        sign=[improvement_sign(one) for one in directions],
        inclusive=charts.inclusive if inclusive is None else inclusive,
    )


def autocorrelation(values: ArrayLike) -> float:
    """Correlate each value with the one before it (lag 1).

    Above about 0.3 the limits of an XmR chart are too narrow.

    Args:
        values: One value per period, in time order; pairs with a missing value are left out.

    Returns:
        The coefficient, about -1 to 1; NaN for a series that does not vary or has fewer than three pairs.

    Examples:
        >>> round(autocorrelation([1, 2, 3, 4, 5, 6]), 3)
        0.5

    Source:
        Box & Jenkins, Time Series Analysis (1976), equation 2.1.11, for the estimator.
    """
    return float(autocorrelation_many(np.asarray(values, dtype=float)[np.newaxis])[0])


def autocorrelation_many(values: np.ndarray) -> np.ndarray:
    """Correlate each value with the one before it, series by series.

    Args:
        values: Series x periods; missing values are NaN.

    Returns:
        One coefficient per series, as `autocorrelation` gives it.

    Examples:
        >>> autocorrelation_many(np.array([[1.0, 2, 3, 4, 5, 6], [2, 2, 2, 2, 2, 2]])).round(3).tolist()
        [0.5, nan]

    Source:
        Box & Jenkins, Time Series Analysis (1976), equation 2.1.11, for the estimator.
    """
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = filled.sum(axis=1, keepdims=True) / known.sum(axis=1, keepdims=True)
        deviation = np.where(known, values - mean, 0.0)
        variance = (deviation**2).sum(axis=1)
        found = (deviation[:, 1:] * deviation[:, :-1]).sum(axis=1) / variance
    scale = np.abs(filled).max(axis=1, initial=0.0)
    pairs = (known[:, 1:] & known[:, :-1]).sum(axis=1)
    constant = variance <= (RELATIVE_TOLERANCE * scale) ** 2 * values.shape[1]
    return np.where((pairs < 3) | constant, np.nan, found)

"""What the statistics of ccanalysis do on data whose truth is known: false alarms, coverage, ranking, speed.

Run `python benchmarks/simulations.py`; add `--quick` for a tenth of the repetitions. It prints a table and ends with
exit code 1 when a figure misses its bound.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ccanalysis.statistics import comparison, funnel, intervals, shrinkage, spc

SEED = 20260105


@dataclass(frozen=True)
class Line:
    """One figure of the table, and the bound it should keep (None for a figure that is only shown)."""

    what: str
    figure: float
    bound: tuple[float, float] | None
    unit: str = "%"

    @property
    def kept(self) -> bool:
        return self.bound is None or self.bound[0] <= self.figure <= self.bound[1]

    def __str__(self) -> str:
        between = "" if self.bound is None else f"{self.bound[0]:g} to {self.bound[1]:g}"
        mark = "" if self.bound is None else ("ok" if self.kept else "MISSED")
        return f"{self.what:<78}{self.figure:>9.2f} {self.unit:<4}{between:>14}  {mark}"


def false_alarms(random: np.random.Generator, repetitions: int) -> Iterator[Line]:
    """How often a chart of nothing but noise calls its latest point special, or any point."""
    noise = random.normal(size=(repetitions, 24))
    correlated = stats.norm.rvs(size=(repetitions, 24), random_state=random)
    for t in range(1, 24):
        correlated[:, t] = 0.6 * correlated[:, t - 1] + 0.8 * correlated[:, t]
    skewed = random.lognormal(0, 1, size=(repetitions, 24))
    for name, data, sets in (
        ("white noise, 24 months", noise, list(spc.RULE_SETS)),
        ("white noise, 104 weeks", random.normal(size=(repetitions // 2, 104)), ["ptd"]),
        ("autocorrelation 0.6, 24 months", correlated, ["ptd"]),
        ("single log-normal times, 24 points", skewed, ["ptd"]),
        ("the same, on logarithms", np.log(skewed), ["ptd"]),
    ):
        for rule_set in sets:
            charts = spc.xmr_many(data, rule_set=rule_set)
            latest, ever = charts.point[:, -1] != 0, (charts.point != 0).any(axis=1)
            bound = (0.0, 2.0) if rule_set == "ptd" and name == "white noise, 24 months" else None
            yield Line(f"latest point flagged, {rule_set}: {name}", 100 * latest.mean(), bound)
            if rule_set == "ptd":
                yield Line(f"some point flagged, {rule_set}: {name}", 100 * ever.mean(), None)


def assurance_icon(random: np.random.Generator, repetitions: int) -> Iterator[Line]:
    """How often a process that hits its target 99 times in 100 is called hit or miss, and what the model says."""
    charts = spc.xmr_many(random.normal(size=(repetitions, 24)), better="up")
    held = spc.charts_assurance(charts, float(stats.norm.ppf(0.01)), "up")
    yield Line("assurance 'inconsistent' where 99 % hit", 100 * (held["icon"] == "inconsistent").mean(), None)
    yield Line("modelled hit rate where 99 % hit, median", 100 * held["modelled_hit_rate"].median(), (97.5, 99.9))


def equal_agents(random: np.random.Generator, repetitions: int) -> Iterator[Line]:
    """How many of 200 agents who do not differ lie outside limits at 99.8 %."""
    flagged: dict[str, list[float]] = {"plain": [], "with the spread between units": []}
    for _ in range(max(repetitions // 100, 10)):
        n = random.integers(20, 400, 200)
        x = random.binomial(n, 0.85)
        for name, adjust in (("plain", False), ("with the spread between units", True)):
            flags = funnel.proportion_funnel(x, n, adjust=adjust).units["flag"]
            flagged[name].append(flags.str.endswith("998").mean())
    for name, shares in flagged.items():
        yield Line(f"equal agents outside 99.8 % funnel limits, {name}", 100 * float(np.mean(shares)), (0.0, 1.0))


def _covered(interval: intervals.Interval, truth: float | np.ndarray) -> float:
    low, high = np.asarray(interval.low), np.asarray(interval.high)
    return 100 * float(((low <= truth) & (truth <= high)).mean())


def coverage(random: np.random.Generator, repetitions: int) -> Iterator[Line]:
    """How often 95 % intervals hold the truth."""
    for p, n in ((0.8, 30), (0.95, 100), (0.5, 400)):
        x = random.binomial(n, p, repetitions)
        yield Line(f"Wilson, {p:g} of {n}", _covered(intervals.wilson(x, n), p), (92.5, 98.5))
        yield Line(f"Clopper-Pearson, {p:g} of {n}", _covered(intervals.clopper_pearson(x, n), p), (94.5, 100.0))
    x, y = random.binomial(60, 0.8, repetitions), random.binomial(80, 0.7, repetitions)
    yield Line("Newcombe, 0.8 of 60 less 0.7 of 80", _covered(intervals.newcombe(x, 60, y, 80), 0.1), (93.5, 97.0))
    for rate in (3.0, 20.0):
        count = random.poisson(rate, repetitions)
        yield Line(f"Byar, {rate:g} events", _covered(intervals.byar(count), rate), (94.0, 99.0))
        yield Line(f"exact Poisson, {rate:g} events", _covered(intervals.poisson_exact(count), rate), (94.5, 99.5))
    first, second = random.poisson(20, repetitions), random.poisson(15, repetitions)
    yield Line(
        "exact rate ratio, 20 and 15 events", _covered(intervals.rate_ratio(first, 1, second, 1), 20 / 15), (94.5, 99.0)
    )
    values = random.normal(300, 60, size=(repetitions, 20))
    sums = (values.sum(axis=1), (values**2).sum(axis=1), 20)
    yield Line("t, 20 normal values", _covered(intervals.mean_from_sums(*sums), 300), (94.0, 96.0))
    for n in (20, 100):
        logs = random.normal(5, 0.9, size=(repetitions, n))
        log_sums = (logs.sum(axis=1), (logs**2).sum(axis=1), n)
        truth = np.exp(5 + 0.9**2 / 2)
        yield Line(f"Zou, mean of {n} log-normal times", _covered(intervals.log_mean(*log_sums), truth), (93.5, 96.5))
        cox = intervals.log_mean(*log_sums, method="cox")
        yield Line(f"Cox, mean of {n} log-normal times", _covered(cox, truth), (92.5, 96.5))
        geometric = intervals.log_mean(*log_sums, method="geometric")
        yield Line(f"geometric mean of {n} log-normal times", _covered(geometric, np.exp(5)), (94.0, 96.0))
        plain = np.exp(logs)
        t = intervals.mean_from_sums(plain.sum(axis=1), (plain**2).sum(axis=1), n)
        yield Line(f"t, mean of {n} log-normal times (not advised below 100)", _covered(t, truth), None)
    few = max(repetitions // 10, 100)
    ends = np.array([intervals.quantile_order(random.exponential(60, 50), 0.9) for _ in range(few)])
    p90 = intervals.Interval(ends[:, 0], np.where(np.isnan(ends[:, 1]), np.inf, ends[:, 1]))
    yield Line("order statistics, 90th percentile of 50", _covered(p90, -60 * np.log(0.1)), (93.0, 99.5))


def shrunken_coverage(random: np.random.Generator, repetitions: int) -> Iterator[Line]:
    """How often the intervals of shrunken figures hold the agents' true figures."""
    within_80, within_95 = [], []
    for _ in range(max(repetitions // 500, 10)):
        true = random.beta(80, 20, 200)
        n = random.integers(5, 61, 200)
        shrunken = shrinkage.beta_binomial(random.binomial(n, true), n)
        within_80.append(_covered(intervals.Interval(shrunken.low_80, shrunken.high_80), true))
        within_95.append(_covered(intervals.Interval(shrunken.low, shrunken.high), true))
    yield Line("shrunken shares of 200 agents, 80 % interval", float(np.mean(within_80)), (76.0, 84.0))
    yield Line("shrunken shares of 200 agents, 95 % interval", float(np.mean(within_95)), (92.0, 98.0))


Order = Callable[[dict[str, np.ndarray]], np.ndarray]

ORDERS: dict[str, Order] = {
    "raw gap": lambda d: d["raw"],
    "raw gap x volume": lambda d: d["raw"] * d["volume"],
    "p-value": lambda d: -d["p"],
    "shrunken gap x volume": lambda d: d["shrunken"] * d["volume"],
    "shrunken lower (80 %) gap x volume": lambda d: d["cautious"] * np.where(d["cautious"] > 0, d["volume"], 1),
}


def ranking(random: np.random.Generator, repetitions: int) -> Iterator[Line]:
    """What the ten agents put first are worth: share of the avoidable failures that the true top ten hold.

    200 agents, 5 to 60 evaluations each, true standard deviation four points, target at their mean.
    """
    for name, follows in (("volume follows evaluations", True), ("volume independent", False)):
        captured: dict[str, list[float]] = {order: [] for order in ORDERS}
        wrong: dict[str, list[float]] = {order: [] for order in ORDERS}
        flagged = []
        for _ in range(max(repetitions // 60, 30)):
            true = np.clip(random.normal(0.85, 0.04, 200), 0.01, 0.99)
            n = random.integers(5, 61, 200)
            volume = n * 20.0 if follows else random.uniform(100, 1200, 200)
            x, target = random.binomial(n, true), 0.85
            shrunken = shrinkage.beta_binomial(x, n)
            p = comparison.proportion_below_target(x, n, target)
            seen = {
                "raw": target - x / n,
                "volume": volume,
                "p": p,
                "shrunken": target - shrunken.value,
                "cautious": target - shrunken.high_80,
            }
            avoidable = np.maximum(target - true, 0) * volume
            best = np.sort(avoidable)[-10:].sum()
            flagged.append(int((comparison.benjamini_hochberg(p) <= 0.1).sum()))
            for order, key in ORDERS.items():
                top = np.argsort(key(seen))[-10:]
                captured[order].append(avoidable[top].sum() / best)
                wrong[order].append((true[top] >= target).mean())
        for order in ORDERS:
            yield Line(f"avoidable failures captured, {order}: {name}", 100 * float(np.mean(captured[order])), None)
            yield Line(f"wrongly put first, {order}: {name}", 100 * float(np.mean(wrong[order])), None)
        better = 100 * float(np.mean(captured["shrunken gap x volume"]) - np.mean(captured["raw gap"]))
        yield Line(f"shrunken gap x volume captures more than raw gap: {name}", better, (10.0, 100.0), "pts")
        yield Line(f"agents flagged by false-discovery rate 10 %: {name}", float(np.mean(flagged)), None, "of 200")


def no_difference(random: np.random.Generator, repetitions: int) -> Iterator[Line]:
    """How many of 200 agents who are all on target look below it, raw and by false-discovery rate."""
    raw, found = [], []
    for _ in range(max(repetitions // 60, 30)):
        n = random.integers(5, 61, 200)
        x = random.binomial(n, 0.85)
        raw.append(int((x / n < 0.85).sum()))
        found.append(int((comparison.benjamini_hochberg(comparison.proportion_below_target(x, n, 0.85)) <= 0.1).sum()))
    yield Line("equal agents below target, raw", float(np.mean(raw)), None, "of 200")
    yield Line("equal agents below target, false-discovery rate 10 %", float(np.mean(found)), (0.0, 0.5), "of 200")


def speed(random: np.random.Generator, repetitions: int) -> Iterator[Line]:
    """Time to judge 500 units x 30 KPIs x 104 weeks on one core: charts, latest points and assurance."""
    values = random.normal(size=(500 * 30, 104))
    values[random.random(values.shape) < 0.02] = np.nan
    better = ["up", "down", "neither"] * 5000
    for rule_set in ("ptd", "mdc", "anhoej", "nelson"):
        start = time.perf_counter()
        charts = spc.xmr_many(values, rule_set=rule_set, better=better, rebase=[52])
        charts.latest()
        spc.charts_assurance(charts, -1.0, better)
        yield Line(f"500 x 30 x 104 judged, {rule_set}", time.perf_counter() - start, (0.0, 10.0), "s")


PARTS = (false_alarms, assurance_icon, equal_agents, coverage, shrunken_coverage, ranking, no_difference, speed)


def main() -> int:
    """Run every simulation and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the repetitions")
    repetitions = 2_000 if parser.parse_args().quick else 20_000
    kept = True
    for part in PARTS:
        print(f"\n{part.__doc__.splitlines()[0]}")
        for line in part(np.random.default_rng(SEED), repetitions):
            print(f"  {line}", flush=True)
            kept &= line.kept
    print("\nEvery bound is kept." if kept else "\nA bound is missed.")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())

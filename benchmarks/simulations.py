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
import pandas as pd
from scipy import stats

from ccanalysis.statistics import (
    agreement,
    change,
    comparison,
    funnel,
    icc,
    intervals,
    resampling,
    shrinkage,
    spc,
)

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
    checked = random.hypergeometric(160, 40, 50, repetitions)
    sampled = intervals.wilson(checked, 50, population=200)
    yield Line("Wilson with population, 50 of 200 of which 160 pass", _covered(sampled, 0.8), (92.0, 98.5))


def resampled_coverage(random: np.random.Generator, repetitions: int) -> Iterator[Line]:
    """How often 95 % bootstrap intervals hold the truth; with few cases or agents they are known to be short."""
    few = max(repetitions // 20, 300)
    for name, drawn, truth in (
        ("40 normal values", random.normal(300, 60, (few, 40)), 300.0),
        ("40 log-normal times", random.lognormal(5, 0.9, (few, 40)), np.exp(5 + 0.9**2 / 2)),
    ):
        ends = np.array([resampling.bootstrap(values, resamples=999) for values in drawn])
        bound = (90.0, 98.0) if "normal values" in name else (84.0, 96.0)
        yield Line(f"BCa bootstrap, mean of {name}", _covered(intervals.Interval(*ends.T), truth), bound)
    for agents, bound in ((10, (84.0, 96.0)), (40, (90.0, 98.0))):
        n = random.integers(20, 200, (few, agents))
        x = random.binomial(n, random.beta(16, 4, (few, agents)))
        ends = np.array([resampling.cluster_ratio(*pair, resamples=999) for pair in zip(x, n, strict=True)])
        yield Line(f"cluster bootstrap, share of {agents} agents", _covered(intervals.Interval(*ends.T), 0.8), bound)
        pooled = intervals.wilson(x.sum(axis=1), n.sum(axis=1))
        yield Line(f"Wilson, share of {agents} agents who differ (not advised)", _covered(pooled, 0.8), None)


def _two_raters(random: np.random.Generator, times: int, units: int) -> tuple[np.ndarray, dict[str, float]]:
    """Draw ratings of two raters, each right 95 times in 100, of contacts of which 85 in 100 pass; and the truth."""
    passes = random.random((times, units, 1)) < 0.85
    ratings = passes ^ (random.random((times, units, 2)) < 0.05)
    agree, share = 0.95**2 + 0.05**2, 0.85 * 0.95 + 0.15 * 0.05
    by_chance = share**2 + (1 - share) ** 2
    kappa = (agree - by_chance) / (1 - by_chance)
    flat = 2 * share * (1 - share)
    return ratings.astype(int), {"kappa": kappa, "ac1": (agree - flat) / (1 - flat), "flat": 2 * agree - 1}


def agreement_coverage(random: np.random.Generator, repetitions: int) -> Iterator[Line]:
    """How often 95 % intervals of agreement between two raters of 100 contacts, of which 85 pass, hold the truth."""
    few = max(repetitions // 20, 200)
    ratings, true = _two_raters(random, few, 100)
    for name, function, key in (
        ("Cohen's kappa", agreement.cohen_kappa, "kappa"),
        ("Fleiss' kappa", agreement.fleiss_kappa, "kappa"),
        ("Gwet's AC1", agreement.gwet_ac, "ac1"),
        ("Brennan and Prediger", agreement.brennan_prediger, "flat"),
    ):
        ends = np.array([function(table, categories=[0, 1]).interval for table in ratings])
        yield Line(f"{name}, 100 contacts", _covered(intervals.Interval(*ends.T), true[key]), (90.0, 98.5))
    ends = np.array(
        [agreement.krippendorff_alpha(table, resamples=199).interval for table in ratings[: max(few // 3, 150)]]
    )
    yield Line(
        "Krippendorff's alpha, 100 contacts, bootstrap (short)",
        _covered(intervals.Interval(*ends.T), true["kappa"]),
        (86.0, 98.0),
    )
    units, raters, noise = 1.0, 0.3, 0.7
    shape = (few, 30, 4)
    scores = random.normal(0, units, (few, 30, 1)) + random.normal(0, noise, shape)
    with_raters = scores + random.normal(0, raters, (few, 1, 4))
    strict = units**2 / (units**2 + raters**2 + noise**2)
    loose = units**2 / (units**2 + noise**2)
    for name, drawn, how, truth in (
        ("one-way", scores, {"model": "oneway"}, loose),
        ("agreement", with_raters, {"kind": "agreement"}, strict),
        ("consistency", with_raters, {"kind": "consistency"}, loose),
    ):
        ends = np.array([icc.icc(table, **how).interval for table in drawn])
        yield Line(f"ICC, {name}, 30 x 4 scores", _covered(intervals.Interval(*ends.T), truth), (92.0, 98.0))


def change_coverage(random: np.random.Generator, repetitions: int) -> Iterator[Line]:
    """How often 95 % intervals of a change hold it."""
    few = max(repetitions // 20, 300)
    time, after = np.arange(48), np.arange(48) >= 24
    noise = random.normal(size=(few, 48))
    correlated = noise.copy()
    for t in range(1, 48):
        correlated[:, t] = 0.4 * correlated[:, t - 1] + np.sqrt(1 - 0.4**2) * noise[:, t]
    for name, errors, lags, bound in (
        ("white noise", noise, None, (92.0, 98.0)),
        ("autocorrelation 0.4, lags=4 (short)", correlated, 4, (78.0, 94.0)),
        ("autocorrelation 0.4, no lags (the fit warns)", correlated, None, None),
    ):
        ends = np.array(
            [change.interrupted_time_series(0.1 * time + 2 * after + e, 24, lags=lags).effect[1] for e in errors]
        )
        yield Line(f"interrupted series, 24 + 24, {name}", _covered(intervals.Interval(*ends.T), 2.0), bound)
    design = pd.DataFrame({"intercept": 1.0, "trend": time, "level": after.astype(float)})
    fits = [change.gls_ar1(0.1 * time + 2 * after + e, design).coefficients for e in correlated[: max(few // 4, 100)]]
    ends = np.array([fit.loc["level", ["low", "high"]].to_numpy(dtype=float) for fit in fits])
    covered = _covered(intervals.Interval(*ends.T), 2.0)
    yield Line("the same, autocorrelation 0.4, by gls_ar1", covered, (86.0, 98.5))
    mean = np.exp(3 + 0.01 * time - 0.3 * after)
    for name, counts in (
        ("Poisson", random.poisson(mean, (few, 48))),
        ("twice a Poisson's variance", random.negative_binomial(mean, 0.5, (few, 48))),
    ):
        ends = np.array([change.interrupted_time_series(y, 24, family="poisson").effect[1] for y in counts])
        covered = _covered(intervals.Interval(*ends.T), np.exp(-0.3))
        yield Line(f"interrupted counts, 24 + 24, {name}", covered, (90.0, 98.5))
    treated, late = np.repeat([0, 0, 1, 1], 30), np.tile(np.repeat([0, 1], 30), 2)
    scatter = np.where(treated == 1, 2.0, 1.0) * random.normal(size=(few, 120))
    ends = np.array([change.difference_in_differences(3 * treated * late + e, treated, late).interval for e in scatter])
    yield Line("difference in differences, 4 x 30, HC1", _covered(intervals.Interval(*ends.T), 3.0), (91.5, 97.5))
    units, times = np.repeat(np.arange(20), 8), np.tile(np.arange(8), 20)
    on = ((units < 10) & (times >= 4)).astype(float)
    lasting = np.repeat(random.normal(size=(few, 20, 2)), 4, axis=2).reshape(few, 160)
    outcome = 2 * on + lasting + random.normal(size=(few, 160))
    ends = np.array([change.two_way_effects(y, units, times, on).interval for y in outcome[: max(few // 2, 200)]])
    yield Line("two-way effects, 20 teams x 8 periods, CR1", _covered(intervals.Interval(*ends.T), 2.0), (90.0, 98.5))


def _shares(n: np.ndarray, random: np.random.Generator, *, differ: bool) -> tuple[shrinkage.Shrunken, np.ndarray]:
    true = random.beta(80, 20, n.size) if differ else np.full(n.size, 0.8)
    return shrinkage.beta_binomial(random.binomial(n, true), n), true


def _rates(n: np.ndarray, random: np.random.Generator, *, differ: bool) -> tuple[shrinkage.Shrunken, np.ndarray]:
    true = random.gamma(16, 0.8 / 16, n.size) if differ else np.full(n.size, 0.8)
    return shrinkage.gamma_poisson(random.poisson(true * n), n), true


def _means(n: np.ndarray, random: np.random.Generator, *, differ: bool) -> tuple[shrinkage.Shrunken, np.ndarray]:
    true = random.normal(300, 20, n.size) if differ else np.full(n.size, 300.0)
    error = 100 / np.sqrt(n)
    return shrinkage.normal_normal(random.normal(true, error), error), true


def shrunken_coverage(random: np.random.Generator, repetitions: int) -> Iterator[Line]:
    """How often the intervals of shrunken figures hold the agents' true figures.

    200 agents with 5 to 60 cases each. Agents who do not differ share one true figure, which all or none of a draw's
    intervals hold, and the spread that is estimated although there is none makes them long.
    """
    few = max(repetitions // 50, 60)
    for name, draw in (("shares", _shares), ("rates", _rates), ("means", _means)):
        for which, differ in (("who differ", True), ("who do not differ", False)):
            within: dict[int, list[float]] = {80: [], 95: []}
            for _ in range(few):
                drawn, true = draw(random.integers(5, 61, 200), random, differ=differ)
                within[80].append(_covered(intervals.Interval(drawn.low_80, drawn.high_80), true))
                within[95].append(_covered(intervals.Interval(drawn.low, drawn.high), true))
            # shares of so few cases have a skewed posterior: their 95 % intervals hold about 92 of 100 (measured)
            bounds = {80: (76.0, 84.0), 95: (92.0, 98.0)} if differ else {80: (76.0, 100.0), 95: (92.0, 100.0)}
            if name == "shares" and differ:
                bounds = {80: (75.0, 84.0), 95: (91.0, 98.0)}
            for level, shares in within.items():
                yield Line(
                    f"shrunken {name} of 200 agents {which}, {level} % interval", float(np.mean(shares)), bounds[level]
                )


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


PARTS = (
    false_alarms,
    assurance_icon,
    equal_agents,
    coverage,
    resampled_coverage,
    agreement_coverage,
    change_coverage,
    shrunken_coverage,
    ranking,
    no_difference,
    speed,
)


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

"""Intervals, exact tests and false-discovery rate: published examples, properties, and empty or extreme data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccanalysis.errors import StatisticsError
from ccanalysis.statistics import comparison, intervals, resampling

counts = st.integers(0, 500)


@pytest.mark.parametrize(
    ("function", "arguments", "low", "high"),
    [
        pytest.param(intervals.wilson, (81, 263), 0.2553, 0.3662, id="wilson_newcombe_1998_table_1"),
        pytest.param(intervals.wilson, (0, 20), 0.0, 0.1611, id="wilson_none_of_twenty"),
        pytest.param(intervals.wilson, (20, 20), 0.8389, 1.0, id="wilson_all_of_twenty"),
        pytest.param(intervals.clopper_pearson, (0, 20), 0.0, 0.1684, id="exact_none_of_twenty"),
        pytest.param(intervals.newcombe, (56, 70, 48, 80), 0.0524, 0.3339, id="newcombe_1998_example_a"),
        pytest.param(intervals.newcombe, (10, 10, 0, 10), 0.6075, 1.0, id="newcombe_1998_example_g"),
        pytest.param(intervals.poisson_exact, (0,), 0.0, 3.6889, id="poisson_none"),
    ],
)
def test_published_intervals(function, arguments, low, high):
    """Newcombe (1998) prints these to four places."""
    np.testing.assert_allclose(function(*arguments), (low, high), atol=6e-5)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: intervals.wilson(0, 0), id="wilson"),
        pytest.param(lambda: intervals.clopper_pearson(0, 0), id="clopper_pearson"),
        pytest.param(lambda: intervals.newcombe(0, 0, 1, 2), id="newcombe"),
        pytest.param(lambda: intervals.byar(3, 0), id="byar"),
        pytest.param(lambda: intervals.poisson_exact(3, 0), id="poisson_exact"),
        pytest.param(lambda: intervals.mean_t([4.0]), id="mean_t_of_one"),
        pytest.param(lambda: intervals.mean_t([]), id="mean_t_of_none"),
        pytest.param(lambda: intervals.mean_from_sums(0, 0, 0), id="mean_from_sums"),
        pytest.param(lambda: intervals.log_mean(4.0, 16.0, 1), id="log_mean_of_one"),
        pytest.param(lambda: intervals.quantile_order([], 0.5), id="quantile_order"),
        pytest.param(lambda: resampling.bootstrap([1.0]), id="bootstrap_of_one"),
        pytest.param(lambda: resampling.cluster_ratio([1], [2]), id="cluster_ratio_of_one"),
    ],
)
def test_nothing_to_estimate_from(call):
    """No data, no interval: NaN at both ends, and no exception."""
    assert np.isnan(call()).all()


@given(st.lists(st.tuples(counts, counts), min_size=1, max_size=20))
def test_wilson_stays_in_bounds_and_encloses_the_share(pairs):
    """0 <= low <= share <= high <= 1, also for none and for all."""
    x, n = np.array([min(pair) for pair in pairs]), np.array([max(pair) for pair in pairs])
    low, high = intervals.wilson(x, n)
    some = n > 0
    share = x[some] / n[some]
    assert ((low[some] >= 0) & (low[some] <= share + 1e-12) & (share <= high[some] + 1e-12) & (high[some] <= 1)).all()
    assert np.isnan(low[~some]).all()


@given(st.integers(1, 300), st.data())
def test_failures_mirror_successes(n, data):
    """The interval of the failures is that of the successes, from the other end."""
    x = data.draw(st.integers(0, n))
    for function in (intervals.wilson, intervals.clopper_pearson):
        low, high = function(x, n)
        low_failures, high_failures = function(n - x, n)
        np.testing.assert_allclose((low, high), (1 - high_failures, 1 - low_failures), atol=1e-9)


@given(st.integers(1, 200), st.data())
def test_the_exact_interval_is_the_wider_one(n, data):
    """Clopper and Pearson's interval is never shorter than Wilson's by more than rounding."""
    x = data.draw(st.integers(0, n))
    assert np.diff(intervals.clopper_pearson(x, n)) >= np.diff(intervals.wilson(x, n)) - 1e-3


@given(counts)
def test_byar_is_near_the_exact_interval(count):
    """From ten events on the approximation differs by less than one part in a hundred of the width."""
    exact, byar = intervals.poisson_exact(count), intervals.byar(count)
    np.testing.assert_allclose(byar, exact, atol=0.01 * (exact.high - exact.low))


@settings(max_examples=50)
@given(st.lists(st.floats(1, 3600), min_size=2, max_size=40), st.sampled_from([0.8, 0.95, 0.998]))
def test_sums_give_what_values_give(values, level):
    """The t interval needs three sums only, so that it can be had for any grouping."""
    data = np.array(values)
    ours = intervals.mean_from_sums(data.sum(), (data**2).sum(), data.size, level=level)
    np.testing.assert_allclose(ours, intervals.mean_t(data, level=level), rtol=1e-4, atol=0.05)


def test_mean_of_a_table_by_column():
    """One interval per column, missing values left out."""
    low, high = intervals.mean_t([[1.0, 5.0], [2.0, np.nan], [3.0, 7.0]])
    np.testing.assert_allclose((low + high) / 2, [2.0, 6.0])


def test_a_census_has_no_sampling_error():
    """All contacts checked: the month's own quality is known; the agent's underlying rate is not."""
    known = intervals.wilson(45, 50, population=50)
    assert known == (pytest.approx(0.9), pytest.approx(0.9))
    partly = intervals.wilson(45, 50, population=200)
    assert np.diff(partly) < np.diff(intervals.wilson(45, 50))


def test_the_two_means_of_a_skewed_time():
    """The arithmetic mean, which staffing needs, lies above the geometric one."""
    logs = np.log(np.random.default_rng(2).lognormal(5, 0.9, 400))
    sums = (logs.sum(), (logs**2).sum(), logs.size)
    assert intervals.log_mean(*sums).low > intervals.log_mean(*sums, method="geometric").high
    assert intervals.log_mean(*sums).low < np.exp(5 + 0.9**2 / 2) < intervals.log_mean(*sums).high


@pytest.mark.parametrize(("n", "bounded"), [(35, False), (36, True)])
def test_the_ninetieth_percentile_needs_36_values(n, bounded):
    """With fewer the sample maximum is not an upper end at 95 %."""
    low, high = intervals.quantile_order(range(n), 0.9)
    assert not np.isnan(low)
    assert np.isnan(high) != bounded


def test_harrell_davis_does_not_depend_on_order():
    """Shuffled values give the same percentile."""
    values = np.random.default_rng(1).exponential(60, 50)
    assert intervals.harrell_davis(values, 0.9) == pytest.approx(intervals.harrell_davis(values[::-1], 0.9))


def test_clustered_contacts_have_wider_intervals():
    """Agents who differ make the team's share less certain than its contacts alone suggest."""
    passed, checked = [20, 5, 20, 4, 19, 6, 20, 5], [20] * 8
    clustered = resampling.cluster_ratio(passed, checked)
    assert np.diff(clustered) > 1.5 * np.diff(intervals.wilson(sum(passed), sum(checked)))


# Tests against a target and false discovery ------------------------------------------------------------


@given(st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=30))
def test_adjusted_p_values(p):
    """Never below p, in the same order, at most 1, NaN where p is NaN; ordered by strictness."""
    p = np.array(p, dtype=float)
    bh, by, holm = (f(p) for f in (comparison.benjamini_hochberg, comparison.benjamini_yekutieli, comparison.holm))
    known = ~np.isnan(p)
    for adjusted in (bh, by, holm):
        assert (np.isnan(adjusted) == ~known).all()
        assert (adjusted[known] >= p[known]).all()
        assert (adjusted[known] <= 1).all()
        assert (np.diff(adjusted[known][np.argsort(p[known], kind="stable")]) >= 0).all()
    assert (bh[known] <= holm[known] + 1e-12).all()
    assert (bh[known] <= by[known] + 1e-12).all()


def test_adjusting_keeps_the_shape():
    """A table of p-values is one family and stays a table."""
    assert comparison.benjamini_hochberg([[0.01, 0.02], [np.nan, 0.5]]).shape == (2, 2)


@given(st.integers(1, 60), st.data(), st.floats(0.01, 0.99))
def test_one_sided_exact_tests_share_the_outcome_seen(n, data, target):
    """P(X <= x) + P(X >= x) = 1 + P(X = x), for shares and for counts."""
    x = data.draw(st.integers(0, n))
    from scipy.stats import binom, poisson

    below, above = comparison.proportion_below_target(x, n, target), comparison.proportion_above_target(x, n, target)
    assert below + above == pytest.approx(1 + binom.pmf(x, n, target))
    below, above = comparison.count_below_target(x, n, target), comparison.count_above_target(x, n, target)
    assert below + above == pytest.approx(1 + poisson.pmf(x, n * target))


@given(st.integers(0, 60), st.floats(0.1, 50))
def test_two_sided_poisson_p_by_summation(count, expected):
    """It is the chance of all counts no more likely than the one seen, added up one by one."""
    from scipy.stats import poisson

    k = np.arange(0, 2000)
    pmf = poisson.pmf(k, expected)
    p = pmf[pmf <= poisson.pmf(count, expected) * (1 + 1e-7)].sum()
    assert comparison.rate_test(count, 1.0, expected).p == pytest.approx(p, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(
    ("miss", "p"), [("below", 0.0), ("above", 1.0)], ids=["the_floor_is_missed", "the_ceiling_is_kept"]
)
def test_values_that_do_not_vary_against_a_target(miss, p):
    """Without spread the mean is on one side of the target for certain."""
    assert comparison.mean_vs_target_from_sums(20, 100, 4, 6, miss=miss) == p
    assert comparison.mean_vs_target_from_sums(20, 100, 4, 5, miss=miss) == 0.5


def test_the_test_against_a_target_agrees_with_scipy():
    """Both sides of a one-sided t test, from sums."""
    from scipy.stats import ttest_1samp

    values = np.array([300.0, 320, 280, 350, 310])
    sums = (values.sum(), (values**2).sum(), values.size)
    for miss, alternative in (("below", "less"), ("above", "greater")):
        ours = comparison.mean_vs_target_from_sums(*sums, 330, miss=miss)
        assert ours == pytest.approx(ttest_1samp(values, 330, alternative=alternative).pvalue)


def test_no_trials_no_p():
    """Nothing observed is no evidence either way."""
    for function in (comparison.proportion_below_target, comparison.count_above_target):
        assert np.isnan(function(0, 0, 0.5))
    assert np.isnan(comparison.mean_vs_target_from_sums(5, 25, 1, 4))
    assert np.isnan(comparison.heterogeneity([1, 0], [3, 0]).p)


def test_groups_without_failures_do_not_differ():
    """All at 100 % is no difference, not a division by zero."""
    assert comparison.heterogeneity([10, 20], [10, 20]).p == 1.0


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=3, max_size=9, unique=True), st.integers(1, 40))
def test_hodges_lehmann_follows_a_shift(values, shift):
    """Moving one group moves the estimate and its interval by as much."""
    other = [0.25, 3.75, -7.6, 12.3]
    before, after = (
        comparison.hodges_lehmann(values, other),
        comparison.hodges_lehmann([v + shift for v in values], other),
    )
    assert after.estimate - before.estimate == pytest.approx(shift)
    np.testing.assert_allclose(np.subtract(after.interval, before.interval), shift)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(
            lambda: intervals.wilson([1, 6], [5, 5]),
            "1 rows have fewer than 0 or more than n successes. Check both sides.",
            id="more_than_all",
        ),
        pytest.param(
            lambda: intervals.wilson(1, 5, level=95),
            "level is 95, expected a share between 0 and 1 such as 0.95",
            id="level_in_percent",
        ),
        pytest.param(
            lambda: intervals.wilson(1, 5, population=4),
            "1 rows have a population smaller than the sample",
            id="population_too_small",
        ),
        pytest.param(lambda: intervals.byar(-1), "1 entries of count are negative", id="negative_count"),
        pytest.param(
            lambda: intervals.quantile_order([1, 2], 90),
            "share is 90, expected a share between 0 and 1 such as 0.9",
            id="percentile_in_percent",
        ),
        pytest.param(
            lambda: intervals.log_mean(1, 1, 3, method="log"),
            "method is 'log', expected 'zou', 'cox' or 'geometric'",
            id="unknown_method",
        ),
        pytest.param(
            lambda: comparison.benjamini_hochberg([0.5, 1.5]), "1 p-values are outside 0 to 1", id="no_p_value"
        ),
        pytest.param(
            lambda: comparison.mean_vs_target_from_sums(1, 1, 3, 1, miss="under"),
            "miss is 'under', expected 'below' or 'above'",
            id="unknown_side",
        ),
        pytest.param(
            lambda: comparison.ratio_of_geometric_means([1, 0], [2, 3]),
            "1 values are 0 or less and have no logarithm",
            id="zero_times",
        ),
    ],
)
def test_error_texts(call, message):
    """An error says what was found and what was expected, never a value of the data."""
    with pytest.raises(StatisticsError) as caught:
        call()
    assert str(caught.value) == message

"""Inputs at the edge: missing units, nothing that varies, events that hardly can be, and names mistyped.

The right value of each stands beside it, from a formula, from scipy or statsmodels, or from the source named.
"""

from __future__ import annotations

import warnings
from fractions import Fraction
from math import exp, factorial, log

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import optimize, stats

from ccanalysis.errors import StatisticsError
from ccanalysis.statistics import (
    agreement,
    change,
    comparison,
    funnel,
    icc,
    intervals,
    sampling,
    shrinkage,
    spc,
)

NAN = float("nan")


@pytest.fixture(autouse=True)
def no_warning_leaves_a_function():
    """A defined answer needs no warning beside it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# A unit that is missing ------------------------------------------------------------------------------


@pytest.mark.parametrize("shrink", [shrinkage.beta_binomial, shrinkage.gamma_poisson])
@pytest.mark.parametrize(("counts", "sizes"), [([5, NAN, 6], [10, 10, 10]), ([5, 1, 6], [10, NAN, 10])])
def test_a_missing_unit_leaves_the_others_what_they_are(shrink, counts, sizes):
    """Eleven of twenty is .55, for those that are known and for the one that is not."""
    drawn, alone = shrink(counts, sizes), shrink([5, 6], [10, 10])
    assert drawn.value == pytest.approx(11 / 20)
    assert drawn.reliability[1] == 0
    for name in ("value", "low", "high", "low_80", "high_80", "reliability"):
        np.testing.assert_allclose(getattr(drawn, name)[[0, 2]], getattr(alone, name))


@pytest.mark.parametrize("shrink", [shrinkage.beta_binomial, shrinkage.gamma_poisson])
def test_a_missing_unit_among_units_that_differ(shrink):
    """It gets the peers' mean, and a prior no different from that without it."""
    drawn, alone = shrink([2, NAN, 18, 9], [20, 20, 20, 20]), shrink([2, 18, 9], [20, 20, 20])
    assert drawn.prior == pytest.approx(alone.prior)
    assert drawn.value[1] == pytest.approx(alone.prior["mean"])
    np.testing.assert_allclose(drawn.value[[0, 2, 3]], alone.value)


def test_a_missing_unit_does_not_move_the_centre_of_a_funnel():
    """Both sides are summed over the units that have both: 11 of 20, 4 of 10."""
    assert funnel.proportion_funnel([5, NAN, 6], [10, 10, 10]).centre == 11 / 20
    assert funnel.proportion_flags([60, NAN, 95], [100] * 3).tolist() == ["low_998", "", "high_998"]
    assert funnel.rate_flags([5, NAN, 60], [100, 100, 100]).tolist() == ["low_998", "", "high_998"]
    assert funnel.rate_flags([5, 1, 60], [100, NAN, 100]).tolist() == ["low_998", "", "high_998"]
    drawn = funnel.count_ratio_funnel([4, NAN], [10, 10])
    assert drawn.centre == 4 / 10
    # about the logarithm of the centre, with half the root of 1 / n as standard error
    reach = stats.norm.ppf(0.975) / (2 * np.sqrt(10))
    np.testing.assert_allclose(drawn.units["upper_95"], 0.4 * np.exp(reach))
    assert drawn.units["flag"].tolist() == ["", ""]


def test_a_missing_group_is_left_out_of_heterogeneity():
    """As scipy's chi-square without continuity correction on the two groups that are known."""
    ours = comparison.heterogeneity([5, NAN, 3], [10, 10, 10])
    theirs = stats.chi2_contingency([[5, 3], [5, 7]], correction=False)
    assert (ours.statistic, ours.p, ours.degrees_of_freedom) == pytest.approx((theirs.statistic, theirs.pvalue, 1))


# Events that hardly can be ---------------------------------------------------------------------------


def poisson_p(count, expected):
    """The two-sided p of an exact test, every count added up in whole numbers."""
    weights = [Fraction(expected) ** k / factorial(k) for k in range(int(expected * 4) + 60)]
    limit = weights[count] * (1 + Fraction(1, 10**7))
    share = sum((weight for weight in weights if weight <= limit), Fraction(0))
    return exp(log(share.numerator) - log(share.denominator) - expected)


@pytest.mark.parametrize(
    ("count", "expected"), [(0, 280), (0, 500), (5, 330), (10, 400), (330, 100), (30, 31), (12, 12), (9, 2), (0, 1)]
)
def test_few_events_where_many_are_expected(count, expected):
    """However small the chance, it is the sum of the chances of all counts no more likely."""
    assert comparison.rate_test(count, 1, expected).p == pytest.approx(min(1.0, poisson_p(count, expected)), rel=1e-7)


# Parts of a chart ------------------------------------------------------------------------------------


def test_no_moving_range_crosses_a_rebase():
    """Both parts have ranges of 1 alone, so their limits are 3.267: qicharts2 takes the ranges within a part."""
    chart = spc.mr_chart([1, 2] * 6 + [101, 102] * 6, rebase=12)
    assert chart["value"].isna().tolist() == [at in (0, 12) for at in range(24)]
    np.testing.assert_allclose(chart["centre"], 1)
    np.testing.assert_allclose(chart["upper"], 3.267)
    assert (chart["value"].dropna() == 1).all()


# Nothing that varies ---------------------------------------------------------------------------------

ALL_KINDS = [
    {"model": model, "kind": kind, "average": average}
    for model, kind in (("oneway", "agreement"), ("twoway", "agreement"), ("twoway", "consistency"))
    for average in (False, True)
]


@pytest.mark.parametrize("how", ALL_KINDS)
@pytest.mark.parametrize("score", [0.1, 1 / 3, 7.0, 0.0])
def test_scores_that_do_not_vary_have_no_correlation(how, score):
    """Nothing over nothing is not a number, whatever the last digit of the mean is."""
    result = icc.icc([[score] * 3] * 7, **how)
    assert np.isnan([result.estimate, *result.interval, result.f, result.p]).all()


def test_units_that_do_not_differ():
    """Between units nothing: 0 over 0 for the order, 0 over the raters' variance for the same score."""
    table = [[1, 2]] * 3
    assert np.isnan(icc.icc(table, kind="consistency").estimate)
    agreed = icc.icc(table)
    assert agreed.estimate == 0  # McGraw and Wong's ratio: 0 / (0 + 0 + k / n * 1.5)
    assert np.isnan([*agreed.interval, agreed.f, agreed.p]).all()


@pytest.mark.parametrize("kind", ["agreement", "consistency"])
def test_raters_who_reverse_one_another(kind):
    """The same marginals in reverse order: the correlation is Pearson's, -1, and no mean can be relied on."""
    table = np.array([[1, 3], [2, 2], [3, 1]])
    result = icc.icc(table, kind=kind)
    assert result.estimate == pytest.approx(np.corrcoef(table.T)[0, 1])
    assert result.p == 1
    assert icc.icc(table, kind=kind, average=True).estimate == -np.inf


def test_raters_who_agree_up_to_the_last_digit():
    """Scores of 0.1 + 0.2 and 0.3 are the same score."""
    table = [[0.1 + 0.2, 0.3], [0.5, 0.5], [0.7, 0.7]]
    for how in ALL_KINDS:
        assert icc.icc(table, **how).estimate == 1


@pytest.mark.parametrize("miss", ["below", "above"])
@pytest.mark.parametrize("value", [0.29, 0.1, 1 / 3, 1e6 + 0.1])
@pytest.mark.parametrize("n", [3, 30, 1000])
def test_a_constant_on_target_is_on_neither_side(miss, value, n):
    """A mean on its target has a chance of a half, though sums of floats miss it by their last digit."""
    data = np.full(n, value)
    sums = (data.sum(), (data**2).sum(), n)
    assert comparison.mean_vs_target_from_sums(*sums, value, miss=miss) == 0.5
    side = {"below": 0.0, "above": 1.0}[miss]
    assert comparison.mean_vs_target_from_sums(*sums, value * 1.001, miss=miss) == side


@pytest.mark.parametrize("value", [100.0, 0.29, 1 / 3, 3601.7])
def test_a_constant_has_an_interval_of_no_width(value):
    """What rounding leaves of a sum of squares is not a spread."""
    data = np.full(30, value)
    np.testing.assert_allclose(intervals.mean_from_sums(data.sum(), (data**2).sum(), 30), value, rtol=1e-14)
    logs = np.log(data)
    for method in ("zou", "cox", "geometric"):
        ends = intervals.log_mean(logs.sum(), (logs**2).sum(), 30, method=method)
        np.testing.assert_allclose(ends, value, rtol=1e-12)


def test_a_series_constant_but_for_the_last_digit_has_no_cumulative_sums():
    """0.1 + 0.2 is 0.3."""
    message = "the values do not vary, so there is no unit for their sums. Pass sd."
    for values in ([0.1 + 0.2, 0.3, 0.3, 0.3], [0.3] * 4):
        with pytest.raises(StatisticsError) as caught:
            spc.cusum(values)
        assert str(caught.value) == message
        assert set(spc.ewma(values)["signal"]) == {0}
    assert set(spc.cusum([0.1 + 0.2, 0.3, 0.3], sd=0.1, centre=0.3)["signal"]) == {0}


# Shrinkage -------------------------------------------------------------------------------------------


def test_the_spread_of_rates_with_large_exposures_is_found():
    """Five large units: the negative binomial of scipy is likeliest with mean .570 and standard deviation .196."""
    count, exposure = np.array([500, 600, 550, 900, 300]) * 100, np.full(5, 1e5)

    def loss(parameters):
        shape, mean = np.exp(parameters)
        return -stats.nbinom.logpmf(count, shape, 1 / (1 + mean / shape * exposure)).sum()

    tight = {"xatol": 1e-10, "fatol": 1e-10, "maxiter": 5000}
    shape, mean = np.exp(optimize.minimize(loss, np.log([5, 0.5]), method="Nelder-Mead", options=tight).x)
    drawn = shrinkage.gamma_poisson(count, exposure)
    assert drawn.prior["mean"] == pytest.approx(mean, rel=1e-4)
    assert drawn.prior["sd"] == pytest.approx(mean / np.sqrt(shape), rel=1e-4)
    assert drawn.prior["sd"] == pytest.approx(0.196, abs=5e-4)


def test_one_unit_alone_is_as_uncertain_as_its_own_figure():
    """Five of ten: nothing says more of the mean of the peers than the unit itself, p (1 - p) / n and x / t**2."""
    share, rate = shrinkage.beta_binomial([5], [10]), shrinkage.gamma_poisson([5], [10])
    assert share.posterior.std() == pytest.approx(np.sqrt(0.25 / 10), rel=1e-6)
    assert rate.posterior.std() == pytest.approx(np.sqrt(5) / 10, rel=1e-6)
    for drawn in (share, rate):
        assert drawn.value == pytest.approx(0.5)
        assert drawn.low[0] < 0.5 < drawn.high[0]


@pytest.mark.parametrize("name", ["beta_binomial", "gamma_poisson"])
def test_intervals_hold_the_figure_of_units_that_do_not_differ(name):
    """All units are 0.8: nine intervals in ten and more should say so at 95 %."""
    random, held = np.random.default_rng(20260105), []
    for _ in range(60):
        n = random.integers(5, 61, 40)
        x = random.binomial(n, 0.8) if name == "beta_binomial" else random.poisson(0.8 * n)
        drawn = getattr(shrinkage, name)(x, n)
        held.append(((drawn.low <= 0.8) & (drawn.high >= 0.8)).mean())
    assert np.mean(held) > 0.93


def test_the_mean_of_the_peers_adds_its_variance():
    """Given mean m and size s of the prior: var = m'(1 - m') / (n + s + 1), and the mean's share of (1 - B)**2."""
    x, n = np.array([18, 14, 10, 3]), np.full(4, 20)
    drawn = shrinkage.beta_binomial(x, n)
    a, b = drawn.prior["alpha"], drawn.prior["beta"]
    own = stats.beta(a + x, b + n - x).var()
    of_mean = stats.betabinom(20, a, b).var() / 20**2 / 4
    reach = (a + b) / (a + b + 20)
    np.testing.assert_allclose(drawn.posterior.var(), own + reach**2 * of_mean, rtol=1e-9)


@pytest.mark.parametrize(("x", "low", "high"), [(0, 0.5, 15.5), (15, 15.5, 0.5)])
def test_nothing_but_failures_or_successes_is_as_certain_as_all_its_cases(x, low, high):
    """Fifteen cases of one kind: the interval of Jeffreys for their common share."""
    drawn = shrinkage.beta_binomial(np.array([5, 10]) * (x / 15), [5, 10])
    np.testing.assert_allclose(drawn.low, stats.beta.ppf(0.025, low, high))
    np.testing.assert_allclose(drawn.high, stats.beta.ppf(0.975, low, high))


def test_no_event_anywhere_is_as_certain_as_all_exposure():
    """Jeffreys' interval of a rate: gamma with shape one half."""
    drawn = shrinkage.gamma_poisson([0, 0], [10, 20])
    np.testing.assert_allclose(drawn.high, stats.gamma.ppf(0.975, 0.5, scale=1 / 30))
    assert (drawn.value == 0).all()


# Funnels ---------------------------------------------------------------------------------------------


def test_a_funnel_is_not_widened_where_phi_is_at_most_1():
    """Units of very different size can have tau squared above 0 with phi below 1; FunnelPlotR 0.6.0 leaves those be."""
    sizes = np.array([40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150])
    z = np.array([1, -1] * 6) * 0.98
    centre = np.arcsin(np.sqrt(0.5))
    shares = np.sin(centre + z / (2 * np.sqrt(sizes))) ** 2
    drawn = funnel.proportion_funnel(shares * sizes, sizes, centre=0.5)
    assert drawn.phi == pytest.approx(0.98**2)
    assert drawn.tau2 > 0
    assert not drawn.adjusted
    np.testing.assert_allclose(drawn.units["upper_95"], 0.5 + stats.norm.ppf(0.975) * np.sqrt(0.25 / sizes))


# Intervals -------------------------------------------------------------------------------------------


def test_an_infinite_population_is_no_finite_population():
    """Without end there is nothing to correct."""
    assert intervals.wilson(3, 10, population=np.inf) == intervals.wilson(3, 10)
    low, high = intervals.wilson([3, 3], 10, population=[np.inf, 20])
    exact = [sm.stats.proportion_confint(3, n, method="wilson") for n in (10,)]
    assert (low[0], high[0]) == pytest.approx(exact[0])
    assert low[0] < low[1] < high[1] < high[0]


# Options ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: spc.p_chart([1, 2], [5, 5], rule_sets="nelson"),
            "charts have no keyword 'rule_sets'. Did you mean 'rule_set'?",
        ),
        (lambda: spc.mr_chart([1, 2, 4], bettr="up"), "charts have no keyword 'bettr'. Did you mean 'better'?"),
        (
            lambda: change.interrupted_time_series(range(20), 10, family="gauss"),
            "family is 'gauss', expected 'linear' or 'poisson'. Known are: linear, poisson",
        ),
        (
            lambda: icc.icc([[1, 2], [3, 4]], model="two-way"),
            "model is 'two-way', expected 'oneway' or 'twoway'. Did you mean 'twoway'?",
        ),
        (
            lambda: icc.icc([[1, 2], [3, 4]], kind="consistent"),
            "kind is 'consistent', expected 'agreement' or 'consistency'. Did you mean 'consistency'?",
        ),
        (
            lambda: change.difference_in_differences([1, 2, 3, 4], [0, 0, 1, 1], [0, 1, 0, 1], covariance="HC3"),
            "covariance is 'HC3', expected 'HC1' or 'classical'. Did you mean 'HC1'?",
        ),
        (
            lambda: change.two_way_effects([1, 2], [1, 2], [1, 1], [0, 1], covariance="clustered"),
            "covariance is 'clustered', expected 'CR1', 'CR0' or 'classical'. Known are: CR0, CR1, classical",
        ),
        (
            lambda: funnel.dispersion([1, 2], [1, 1], outliers="winsorize"),
            "outliers is 'winsorize', expected 'winsorise' or 'truncate'. Did you mean 'winsorise'?",
        ),
        (
            lambda: funnel.ratio_funnel([1, 2], [1, 1], method="roots"),
            "method is 'roots', expected 'log' or 'root'. Did you mean 'root'?",
        ),
        (
            lambda: sampling.allocate(5, [10, 10], how="even"),
            "how is 'even', expected 'equal', 'proportional' or 'neyman'. Known are: equal, neyman, proportional",
        ),
    ],
)
def test_a_mistyped_option_is_refused(call, message):
    """An option that is not known changes nothing in silence: the nearest is named."""
    with pytest.raises(StatisticsError) as caught:
        call()
    assert str(caught.value) == message


def test_a_chart_carries_how_its_rule_set_takes_equality():
    """A floor that equals the lower limit is passed by Making Data Count and hit or miss by plot the dots."""
    values = [4.0, 6, 4, 6, 4, 6, 4, 6, 4, 6, 4, 6, 4]
    strict, inclusive = (spc.xmr(values, rule_set=name, screened=False) for name in ("ptd", "mdc"))
    limit = float(np.mean(values) - 2.66 * 2)
    for chart, icon in ((strict, "inconsistent"), (inclusive, "pass")):
        assert chart["lower"].iloc[-1] == pytest.approx(limit)
        assert spc.assurance(chart, limit, "up").icon == icon
    assert spc.assurance(inclusive, limit, "up", inclusive=False).icon == "inconsistent"
    assert spc.assurance(strict, limit, "up", inclusive=True).icon == "pass"
    chart = spc.i_chart(values, rule_set="mdc")
    assert spc.assurance(chart, chart["upper"].iloc[-1], "down").icon == "pass"
    assert spc.assurance(chart, chart["upper"].iloc[-1], "down", inclusive=False).icon == "inconsistent"
    for name, icon in (("ptd", "inconsistent"), ("mdc", "pass")):
        charts = spc.xmr_many([values], rule_set=name, screened=False)
        assert spc.charts_assurance(charts, limit, "up")["icon"].tolist() == [icon]
        assert spc.assurance(charts.frame(0), limit, "up").icon == icon
        other = spc.charts_assurance(charts, limit, "up", inclusive=icon != "pass")["icon"].tolist()
        assert other == [{"pass": "inconsistent", "inconsistent": "pass"}[icon]]


# Subgroups -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sd", "n"), [([1.0, 1.2, NAN, 0.8], [5] * 4), ([1.0, 1.2, 3.0, 0.8], [5, 5, 1, 5])])
def test_a_subgroup_without_a_spread_is_a_gap(sd, n):
    """The others keep their limits: A3 = 1.427 and B4 = 2.089 for n = 5, of the mean standard deviation 1."""
    chart = spc.xbar_chart([10.0, 11.0, 99.0, 10.5], sd, n)
    assert chart[["value", "lower", "upper"]].isna().any(axis=1).tolist() == [False, False, True, False]
    np.testing.assert_allclose(chart["upper"].drop(2), 10.5 + 1.427, atol=5e-4)
    np.testing.assert_allclose(spc.s_chart(sd, n)["upper"].drop(2), 2.089, atol=5e-4)


# Nothing to answer from ------------------------------------------------------------------------------


def all_missing(tested):
    return np.isnan([tested.statistic, tested.p, tested.estimate, *tested.interval]).all()


def test_tests_of_nothing():
    """No trial, no exposure, no event and no value: nothing is known, and nothing crashes."""
    assert all_missing(comparison.proportion_test(0, 0, 0.5))
    assert all_missing(comparison.rate_test(1, 0, 1))
    assert all_missing(comparison.rate_ratio_test(0, 1, 0, 1))
    assert all_missing(comparison.hodges_lehmann([], [1]))
    assert all_missing(comparison.welch([], [1, 2]))
    assert all_missing(comparison.mean_test([], 1))


def test_means_of_values_that_do_not_vary():
    """On the target, or the same, p is 1; off it, 0; one value alone has a mean and no test."""
    assert comparison.welch([1, 1, 1], [1, 1, 1])[2:] == (1.0, 0.0, (0.0, 0.0))
    assert comparison.welch([1, 1], [3, 3])[2:] == (0.0, -2.0, (-2.0, -2.0))
    assert comparison.mean_test([3, 3, 3], 3)[2:] == (1.0, 3.0, (3.0, 3.0))
    assert comparison.mean_test([0.1 + 0.2, 0.3], 0.3).p == 1
    assert comparison.mean_test([3, 3, 3], 4).p == 0
    alone = comparison.welch([1, 2], [3])
    assert alone.estimate == -1.5
    assert np.isnan([alone.p, *alone.interval]).all()


def test_a_group_that_does_not_vary_beside_one_that_does():
    """Welch's test is then Student's one-sample test of the group that varies."""
    ours, theirs = comparison.welch([2.0, 4, 9], [3.0] * 5), stats.ttest_1samp([2.0, 4, 9], 3)
    assert (ours.statistic, ours.degrees_of_freedom, ours.p) == pytest.approx((theirs.statistic, 2, theirs.pvalue))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: agreement.cohen_z([["a"], ["b"]]), "1 raters, expected 2. Use fleiss_kappa or gwet_ac."),
        (lambda: agreement.conger_kappa([]), "no unit has two ratings, so there is no agreement to measure"),
        (lambda: agreement.conger_kappa([["a"]]), "no unit has two ratings, so there is no agreement to measure"),
        (
            lambda: agreement.fleiss_kappa([["a", 1], [2, "b"]]),
            "ratings of different types (int, str) have no order. Make them one type, or pass categories.",
        ),
        (
            lambda: agreement.krippendorff_alpha([["low", "high"], ["low", "low"]], measurement="ordinal"),
            "ratings are no numbers, which 'ordinal' needs. Pass categories in their order.",
        ),
        (
            lambda: agreement.krippendorff_alpha([["low", "high"], ["low", "low"]], measurement="ratio"),
            "ratings are no numbers, which 'ratio' needs. Rate by numbers or take 'ordinal'.",
        ),
        (
            lambda: icc.icc([1, 2, 3]),
            "scores have 1 dimensions, expected units in rows and raters in columns",
        ),
        (lambda: spc.xmr_many(np.empty((2, 0))), "there is no value to chart"),
        (
            lambda: change.gls_ar1([1.0, 2.0], pd.DataFrame({"intercept": [1.0, 1], "trend": [0.0, 1]})),
            "2 terms for 2 values, expected more values than terms",
        ),
        (
            lambda: change.interrupted_time_series([0] * 20, 10, family="poisson"),
            "there is no event on either side of the change",
        ),
        (
            lambda: change.interrupted_time_series([1] * 20, 10, family="poisson", exposure=[0] + [5] * 19),
            "1 periods have counts without exposure",
        ),
        (
            lambda: funnel.dispersion([1, 2], [1, 1], trim=0.5),
            "trim is 0.5, expected a share from 0 up to below a half such as 0.1",
        ),
        (lambda: funnel.count_ratio_funnel([NAN], [5]), "no unit has both counts, so there is nothing to compare with"),
        (lambda: intervals.harrell_davis([1, 3], 1.5), "share is 1.5, expected a share between 0 and 1 such as 0.9"),
        (lambda: intervals.quantile([1, 3], 1.5), "share is 1.5, expected a share from 0 to 1 such as 0.9"),
        (lambda: comparison.rate_test(-1, 1, 1), "counts, exposures or targets are negative"),
        (
            lambda: comparison.proportion_test(3, 2, 0.5),
            "there are fewer than 0 or more than n successes. Check both sides.",
        ),
    ],
)
def test_what_cannot_be_answered_is_said(call, message):
    """A user's mistake is an error of ours, in words."""
    with pytest.raises(StatisticsError) as caught:
        call()
    assert str(caught.value) == message


def test_one_category_only_has_no_coefficient():
    """Chance explains everything: not a number, and no warning."""
    ratings = [["pass", "pass"]] * 3
    assert np.isnan(agreement.cohen_z(ratings))
    assert np.isnan(agreement.conger_kappa(ratings))


def test_ordered_texts_are_rated_as_their_places():
    """Low, middle and high in their order are one, two and three."""
    words = ["low", "middle", "high"]
    numbers = np.array([[0, 1], [1, 1], [2, 2], [0, 0], [2, 1]])
    ours = agreement.krippendorff_alpha(
        [[words[one] for one in row] for row in numbers], measurement="ordinal", categories=words, resamples=0
    )
    assert ours.estimate == agreement.krippendorff_alpha(numbers, measurement="ordinal", resamples=0).estimate


def test_dispersion_that_leaves_nothing_out():
    """Without trimming both ways are the plain mean of squares."""
    for outliers in ("winsorise", "truncate"):
        assert funnel.dispersion([1, 2, 3], [1, 1, 1], trim=0.0, outliers=outliers).phi == pytest.approx(14 / 3)


def test_one_size_for_all_periods():
    """One number of cases counts for every period of an I' chart: an I chart with sqrt(pi) / 2 for 1 / 1.128."""
    values = [300.0, 310.0, 295.0, 305.0]
    chart = spc.i_prime_chart(values, 100, screened=False)
    reach = 3 * np.sqrt(np.pi / 2) * np.abs(np.diff(values)).mean() / np.sqrt(2)
    np.testing.assert_allclose(chart["upper"] - chart["centre"], reach)


def test_one_period_has_no_spread_of_its_own():
    """A chart of one point has a centre and no limits."""
    chart = spc.p_prime_chart([5], [10], ordered=False)
    assert chart["centre"].tolist() == [0.5]
    assert chart[["lower", "upper", "sigma_z"]].isna().all(axis=None)


@pytest.mark.parametrize("difference", [8, 100, 1e9])
def test_a_huge_difference_needs_two_cases_a_group(difference):
    """With two a group the noncentral t has more power than asked for, and there is no test with fewer."""
    nc = min(difference, 30) * np.sqrt(2 / 2)
    assert stats.nct.sf(stats.t.ppf(0.975, 2), 2, nc) > 0.8
    assert sampling.sample_size_two_means(difference, 1) == 2


# Change ----------------------------------------------------------------------------------------------

COUNTS = np.array([5, 6, 4, 5, 7, 6, 5, 4, 9, 8, 7, 9, 8, 9, 7, 8])


def test_a_period_without_exposure_is_left_out():
    """The fit is statsmodels' Poisson regression of the other fifteen periods."""
    exposure, counts = np.full(16, 10.0), COUNTS.copy()
    exposure[3] = counts[3] = 0
    ours = change.interrupted_time_series(counts, 8, family="poisson", exposure=exposure)
    kept, time = np.arange(16) != 3, np.arange(1, 17)
    x = np.column_stack([np.ones(16), time, time > 8])[kept]
    theirs = sm.GLM(counts[kept], x, family=sm.families.Poisson(), offset=np.log(exposure[kept])).fit(scale="X2")
    assert ours.effect[0] == pytest.approx(np.exp(theirs.params[2]), rel=1e-6)
    np.testing.assert_allclose(ours.effect[1], np.exp(theirs.conf_int()[2]), rtol=1e-6)
    assert (ours.n_before, ours.n_after) == (7, 8)


@pytest.mark.parametrize("slope", [False, True])
@pytest.mark.parametrize(("side", "ratio"), [("after", 0.0), ("before", np.inf)])
def test_no_event_on_one_side_of_a_change(side, ratio, slope):
    """A ratio of nothing to something is 0, of something to nothing infinite; neither has an interval."""
    counts = COUNTS.copy()
    counts[slice(8, None) if side == "after" else slice(0, 8)] = 0
    ours = change.interrupted_time_series(counts, 8, family="poisson", slope=slope)
    assert ours.effect[0] == ratio
    assert np.isnan(ours.effect[1]).all()
    assert f"There is no event {side} the change: no finite ratio." in ours.warnings
    if side == "after":  # the first eight periods alone say what the trend was
        x = np.column_stack([np.ones(8), np.arange(1, 9)])
        alone = sm.GLM(counts[:8], x, family=sm.families.Poisson()).fit()
        np.testing.assert_allclose(ours.coefficients["estimate"].iloc[:2], alone.params, rtol=1e-3)


def test_a_perfect_line_has_no_residuals_to_be_correlated():
    """What is left of a perfect fit is rounding."""
    line = [1, 2, 3, 4, 5, 6, 7, 8, 19, 20, 21, 22, 23, 24, 25, 26]
    fit = change.interrupted_time_series(line, 8)
    assert fit.effect[0] == pytest.approx(10)
    assert np.isnan(fit.durbin_watson)
    assert fit.warnings == ()


def test_no_ratio_at_all_above_the_line():
    """Three units without any event: a centre of 0, limits of 0 and no flag."""
    drawn = funnel.count_ratio_funnel([0, 0, 0], [5, 6, 7])
    assert drawn.centre == 0
    assert (drawn.units[["lower_998", "upper_998"]] == 0).all(axis=None)
    assert drawn.units["flag"].tolist() == [""] * 3
    assert drawn.units["z"].isna().all()


# Small figures ---------------------------------------------------------------------------------------


def test_small_figures_are_not_rounded_away():
    """What is measured in billionths is not nothing: half way between two values, and 1e-13 more for the treated."""
    assert intervals.harrell_davis([1e-13, 3e-13], 0.5).estimate == pytest.approx(2e-13, rel=1e-12)
    outcome = np.array([1.0, 2, 2, 3, 1, 2, 6, 7]) * 1e-13
    result = change.difference_in_differences(outcome, [0] * 4 + [1] * 4, [0, 0, 1, 1] * 2)
    assert result.effect == pytest.approx(4e-13, rel=1e-9)


def test_distances_from_a_round_figure_keep_the_digits_that_squares_lose():
    """As the docstring says: near a million, sums of squares are one part in a hundred off, distances are not."""
    values = 1e6 + np.array([0.1, 0.2, 0.3])
    reach = stats.t.ppf(0.975, 2) * values.std(ddof=1) / np.sqrt(3)
    low, high = intervals.mean_from_sums((values - 1e6).sum(), ((values - 1e6) ** 2).sum(), 3)
    assert (high - low) / 2 == pytest.approx(reach, rel=1e-6)
    low, high = intervals.mean_from_sums(values.sum(), (values**2).sum(), 3)
    assert (high - low) / 2 == pytest.approx(reach, rel=2e-2)


def test_the_reference_names_every_rule_set_with_its_source_and_every_kind_of_point():
    """The page of control charts is made from the package's docstring."""
    said = " ".join((spc.__doc__ or "").split())
    for rule_set in spc.RULE_SETS.values():
        assert f"`{rule_set.name}`" in said
        assert rule_set.source in said
    assert all(f"`{point}`" in said for point in spc.POINT_TYPES)

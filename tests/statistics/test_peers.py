"""Comparing units with their peers: shrinkage, funnels, agreement, decomposition and what follows from them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccanalysis.errors import StatisticsError
from ccanalysis.statistics import (
    agreement,
    change,
    decomposition,
    funnel,
    icc,
    pareto,
    queueing,
    sampling,
    shrinkage,
)
from ccanalysis.statistics.intervals import wilson

RANDOM = np.random.default_rng(20260105)


# Shrinkage -------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=25))
def test_shrunken_shares_lie_between_the_unit_and_its_peers(pairs):
    """No unit is moved beyond the peers' mean, and all figures and reliabilities are shares."""
    x, n = np.array([min(p) for p in pairs]), np.array([max(p) for p in pairs])
    if not n.sum():
        return
    shrunken = shrinkage.beta_binomial(x, n)
    own = np.where(n > 0, x / np.maximum(n, 1), shrunken.prior["mean"])
    low, high = np.minimum(own, shrunken.prior["mean"]), np.maximum(own, shrunken.prior["mean"])
    assert ((shrunken.value >= low - 1e-9) & (shrunken.value <= high + 1e-9)).all()
    assert ((shrunken.reliability >= 0) & (shrunken.reliability < 1)).all()
    assert (shrunken.reliability[n == 0] == 0).all()
    assert (shrunken.low <= shrunken.low_80).all()
    assert (shrunken.high_80 <= shrunken.high).all()


def test_units_alike_get_the_pooled_share():
    """Where chance explains all differences nobody stands out, however few checks they have."""
    shrunken = shrinkage.beta_binomial([8, 16, 24, 4], [10, 20, 30, 5])
    assert shrunken.value == pytest.approx(0.8)
    assert shrunken.reliability == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_nothing_but_successes_or_failures(rate):
    """100 % everywhere has a figure and an interval, not NaN."""
    shrunken = shrinkage.beta_binomial(np.array([5, 10, 0]) * rate, [5, 10, 0])
    assert shrunken.value == pytest.approx(rate)
    assert np.isfinite([shrunken.low, shrunken.high]).all()


def test_the_peers_are_found_again():
    """A large sample from a known beta prior gives its mean, its spread and honest intervals."""
    true = RANDOM.beta(40, 10, 3000)
    n = RANDOM.integers(20, 200, 3000)
    shrunken = shrinkage.beta_binomial(RANDOM.binomial(n, true), n)
    assert shrunken.prior["mean"] == pytest.approx(0.8, abs=0.005)
    assert shrunken.prior["sd"] == pytest.approx(np.sqrt(0.8 * 0.2 / 51), rel=0.05)
    covered = ((shrunken.low_80 <= true) & (true <= shrunken.high_80)).mean()
    assert 0.77 < covered < 0.83
    below = shrunken.probability_below(0.8)
    assert (true < 0.8)[below > 0.9].mean() > 0.9


def test_rates_of_known_peers_are_found_again():
    """The same for counts with a gamma prior."""
    true = RANDOM.gamma(4, 0.05, 3000)
    exposure = RANDOM.integers(20, 200, 3000)
    shrunken = shrinkage.gamma_poisson(RANDOM.poisson(true * exposure), exposure)
    assert shrunken.prior["mean"] == pytest.approx(0.2, abs=0.01)
    assert shrunken.prior["sd"] == pytest.approx(0.1, abs=0.01)
    assert 0.77 < ((shrunken.low_80 <= true) & (true <= shrunken.high_80)).mean() < 0.83


def test_converged_and_metafor_estimates_are_near():
    """Where metafor stops is within its stated 1e-5 (1e-4 for Paule and Mandel) of the solution."""
    y, v = np.array([0.1, 0.5, -0.3, 0.9, 0.2]), np.array([0.02, 0.03, 0.05, 0.04, 0.02])
    for method, near in (("REML", 5e-5), ("EB", 5e-5), ("PM", 2e-4), ("DL", 0)):
        ours = shrinkage.between_variance(y, v, method=method)
        assert shrinkage.between_variance(y, v, method=method, stop="metafor") == pytest.approx(ours, abs=near)


@given(st.floats(-100, 100), st.floats(0.1, 10))
def test_normal_shrinkage_does_not_depend_on_unit_or_origin(shift, scale):
    """Seconds or minutes, and from whatever zero: the same units, shrunken the same."""
    y, se = np.array([1.0, 2.0, 4.0, 8.0]), np.array([0.5, 1.0, 0.7, 1.5])
    plain, moved = shrinkage.normal_normal(y, se), shrinkage.normal_normal(y * scale + shift, se * scale)
    np.testing.assert_allclose(moved.value, plain.value * scale + shift, rtol=1e-4, atol=1e-3 * scale)


def test_units_without_a_figure_get_their_peers_mean():
    """Missing is not zero."""
    shrunken = shrinkage.normal_normal([10.0, 12.0, np.nan], [1.0, 1.0, 1.0])
    assert shrunken.value[2] == pytest.approx(shrunken.prior["mean"])
    assert shrunken.reliability[2] == 0


def test_regression_to_the_mean():
    """A unit chosen for being worst comes back by what is not its own."""
    assert change.expected_without_change(0.5, 0.9, 0.25) == pytest.approx(0.8)
    assert change.expected_without_change(0.5, 0.9, 1.0) == 0.5


# Funnels ---------------------------------------------------------------------------------------------


def test_large_units_that_differ_are_not_all_flagged():
    """Plain limits flag nearly every large unit; limits with the spread between units do not."""
    n = np.full(60, 100_000)
    x = RANDOM.binomial(n, RANDOM.normal(0.8, 0.02, 60))
    plain, adjusted = funnel.proportion_funnel(x, n, adjust=False), funnel.proportion_funnel(x, n)
    assert (plain.units["flag"] != "").mean() > 0.8
    assert (adjusted.units["flag"].str.endswith("998")).mean() < 0.05
    assert adjusted.adjusted


@given(st.integers(1, 2000), st.floats(0.01, 0.99))
def test_the_funnel_is_the_wilson_interval_turned_round(n, centre):
    """At a limit inside 0 to 1 the unit's own interval just reaches the centre."""
    low, high = funnel.proportion_limits(n, centre)
    if low > 0:
        assert float(wilson(low * n, n).high) == pytest.approx(centre, abs=1e-9)
    if high < 1:
        assert float(wilson(high * n, n).low) == pytest.approx(centre, abs=1e-9)


def test_units_without_trials_have_no_limits_and_no_flag():
    """An empty unit neither fails nor shifts the others."""
    drawn = funnel.proportion_funnel([80, 0, 78], [100, 0, 100])
    assert drawn.units["flag"].iloc[1] == ""
    assert np.isnan(drawn.units["upper_95"].iloc[1])
    assert drawn.centre == 0.79


def test_a_unit_without_events_is_judged():
    """None observed where thirty were expected is flagged, on either scale."""
    for method in ("root", "log"):
        drawn = funnel.ratio_funnel([0, 31, 29, 30], [30.0, 30, 30, 30], method=method, adjust=False)
        assert drawn.units["flag"].iloc[0] == "low_998"


def test_means_that_do_not_vary():
    """No spread at all: limits on the centre, nothing flagged."""
    drawn = funnel.mean_funnel([5.0, 5.0, 5.0], [0.0, 0.0, 0.0], [10, 20, 30])
    assert set(drawn.units["flag"]) == {""}


def test_a_size_without_a_mean_has_limits_and_decides_nothing():
    """Curves are drawn by sizes that no unit has; centre, spread and flags stay those of the units."""
    means, sds, sizes = [300.0, 310.0, 290.0, 500.0], [60.0] * 4, [50, 60, 70, 80]
    alone = funnel.mean_funnel(means, sds, sizes)
    drawn = funnel.mean_funnel([*means, np.nan], [*sds, np.nan], [*sizes, 50])
    assert drawn.centre == alone.centre
    assert drawn.tau2 == alone.tau2
    assert drawn.units["flag"].tolist() == [*alone.units["flag"], ""]
    assert drawn.units["lower_998"].iloc[4] == alone.units["lower_998"].iloc[0]


# Agreement -------------------------------------------------------------------------------------------


def test_kappa_collapses_where_ac1_does_not():
    """Nine in ten pass and raters mostly agree: kappa is near 0, AC1 near percent agreement."""
    ratings = [["p", "p"]] * 90 + [["p", "f"]] * 5 + [["f", "p"]] * 5
    assert agreement.percent_agreement(ratings) == 0.9
    assert agreement.cohen_kappa(ratings).estimate < 0
    assert agreement.gwet_ac(ratings).estimate == pytest.approx(0.8895, abs=1e-3)


def test_krippendorffs_own_example():
    """Krippendorff (2011), reliability data with 12 units, 4 observers and gaps: .743, .815, .849, .797."""
    n = np.nan
    data = np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, n, n, n],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, n, 3],
            [n, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, n],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, n],
        ]
    ).T
    published = {"nominal": 0.743, "ordinal": 0.815, "interval": 0.849, "ratio": 0.797}
    for measurement, value in published.items():
        ours = agreement.krippendorff_alpha(data, measurement=measurement, resamples=0)
        assert ours.estimate == pytest.approx(value, abs=6e-4)


def test_shrout_and_fleiss_example():
    """Shrout & Fleiss (1979), table 4: six coefficients of the same scores."""
    scores = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    ours = [
        icc.icc(scores, model=model, kind=kind, average=average).estimate
        for average in (False, True)
        for model, kind in (("oneway", "agreement"), ("twoway", "agreement"), ("twoway", "consistency"))
    ]
    np.testing.assert_allclose(ours, [0.17, 0.29, 0.71, 0.44, 0.62, 0.91], atol=6e-3)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=30))
def test_coefficients_do_not_depend_on_names_or_order_of_raters(rows):
    """Renaming unordered categories and reordering raters changes nothing; none exceeds 1."""
    ratings = np.array(rows)
    renamed = np.array(["d", "a", "c", "b"])[ratings][:, ::-1]
    for function in (agreement.fleiss_kappa, agreement.gwet_ac, agreement.brennan_prediger):
        ours, theirs = function(ratings), function(renamed)
        np.testing.assert_allclose(ours.estimate, theirs.estimate, atol=1e-12)
        assert not ours.estimate > 1 + 1e-12
        assert not ours.interval.high > 1


@pytest.mark.parametrize("function", [agreement.fleiss_kappa, agreement.cohen_kappa, agreement.krippendorff_alpha])
def test_one_category_only(function):
    """Raters who never differ in a world of one category: no coefficient corrected for chance, no crash."""
    assert np.isnan(function([["pass", "pass"]] * 5).estimate)


def test_perfect_agreement():
    """Everything agrees: 1 whichever way it is corrected."""
    ratings = [[1, 1], [2, 2], [3, 3], [1, 1]]
    for function in (agreement.cohen_kappa, agreement.fleiss_kappa, agreement.gwet_ac, agreement.krippendorff_alpha):
        assert function(ratings).estimate == pytest.approx(1)
    assert icc.icc(ratings).estimate == 1


def test_missing_ratings_are_no_category():
    """A contact that one of three raters skipped counts with the two ratings it has."""
    ratings = pd.DataFrame({"a": ["x", "y", "x", None], "b": ["x", "y", "y", "x"], "c": ["x", None, "x", None]})
    result = agreement.fleiss_kappa(ratings)
    assert result.n == 3
    assert result.observed == pytest.approx((1 + 1 + 1 / 3) / 3)


# Decomposition ---------------------------------------------------------------------------------------

sizes = st.lists(st.integers(0, 100), min_size=4, max_size=4).filter(lambda s: sum(s) > 0)
rates = st.lists(st.floats(0, 1), min_size=4, max_size=4)


@given(sizes, rates, sizes, rates)
def test_mix_and_rate_add_up(weights_0, rates_0, weights_1, rates_1):
    """They are the change of the overall rate, to the last digit that floats have, whoever came or went."""
    parts = decomposition.kitagawa(weights_0, rates_0, weights_1, rates_1)
    before, after = np.average(rates_0, weights=weights_0), np.average(rates_1, weights=weights_1)
    assert parts["total"].sum() == pytest.approx(after - before, abs=1e-12)
    backwards = decomposition.kitagawa(weights_1, rates_1, weights_0, rates_0)
    np.testing.assert_allclose(backwards, -parts, atol=1e-12)


def test_simpsons_paradox_is_all_mix():
    """Every queue got better and the centre got worse: the mix did it."""
    parts = decomposition.kitagawa([80, 20], [0.90, 0.50], [20, 80], [0.92, 0.52])
    assert parts["rate"].sum() == pytest.approx(0.02)
    assert parts["mix"].sum() == pytest.approx(-0.24)


def test_a_queue_that_opened_is_all_mix():
    """A category without a past has no change of rate."""
    parts = decomposition.kitagawa([100, 0], [0.9, np.nan], [50, 50], [0.9, 0.5])
    assert parts["rate"].tolist() == [0.0, 0.0]
    assert parts["mix"].sum() == pytest.approx(-0.2)


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), min_size=1, max_size=6))
def test_das_gupta_adds_up_whatever_the_number_of_factors(factors):
    """The effects are the whole change, and the order of the factors is of no consequence."""
    before = {f"f{i}": pair[0] for i, pair in enumerate(factors)}
    after = {f"f{i}": pair[1] for i, pair in enumerate(factors)}
    effects = decomposition.das_gupta(before, after)["effect"]
    total = np.prod(list(after.values())) - np.prod(list(before.values()))
    assert effects.sum() == pytest.approx(total, rel=1e-9, abs=1e-9)
    reversed_order = decomposition.das_gupta(dict(reversed(before.items())), after)["effect"]
    np.testing.assert_allclose(reversed_order[effects.index], effects, rtol=1e-9, atol=1e-9)


@given(st.lists(st.integers(1, 100), min_size=12, max_size=12), st.lists(st.integers(0, 100), min_size=12, max_size=12))
def test_shift_share_adds_up(base, end):
    """Whole, mix and own are a unit's growth; own and mix add up to nothing over all units."""
    before, after = (pd.DataFrame(np.array(one, dtype=float).reshape(3, 4)) for one in (base, end))
    parts = decomposition.shift_share(before, after)
    np.testing.assert_allclose(parts[["whole", "mix", "own"]].sum(axis=1), parts["growth"], atol=1e-9)
    np.testing.assert_allclose(parts[["own_at_whole_mix", "allocation"]].sum(axis=1), parts["own"], atol=1e-9)
    np.testing.assert_allclose(parts[["mix", "own"]].sum().sum(), 0, atol=1e-9)


# Change ----------------------------------------------------------------------------------------------


def test_a_known_jump_and_slope_are_found():
    """Level 100, trend 0.5, then a jump of 20 and 1.5 more per period."""
    t = np.arange(1, 41)
    after = t > 20
    values = 100 + 0.5 * t + after * (20 + 1.5 * (t - 20)) + np.sin(t) * 1e-6
    fit = change.interrupted_time_series(values, 20, slope=True)
    assert fit.coefficients["estimate"].round(3).tolist() == [100.0, 0.5, 20.0, 1.5]
    assert (fit.n_before, fit.n_after) == (20, 20)


def test_a_season_is_not_taken_for_a_change():
    """A weekly pattern explains itself, by labels and by waves."""
    day = np.arange(56)
    values = 50 + 10 * (day % 7 == 0) + 1e-6 * np.cos(day)
    for season in ({"season": day % 7}, {"period": 7, "harmonics": 3}):
        assert change.interrupted_time_series(values, 30, **season).effect[0] == pytest.approx(0, abs=1e-4)


def test_few_points_and_autocorrelation_are_said():
    """Warnings are sentences for the reader."""
    values = np.concatenate([np.zeros(5), np.full(40, 5.0)]) + np.sin(np.arange(45) / 6)
    warnings = change.interrupted_time_series(values, 5).warnings
    assert any("5 points on one side" in text for text in warnings)
    assert any("autocorrelated" in text for text in warnings)


def test_gls_finds_the_correlation_it_was_given():
    """A long AR(1) series about a trend gives back correlation, spread and slope."""
    noise = RANDOM.normal(size=4000)
    errors = np.empty(4000)
    errors[0] = noise[0]
    for i in range(1, 4000):
        errors[i] = 0.6 * errors[i - 1] + 0.8 * noise[i]
    time = np.arange(4000.0)
    design = pd.DataFrame({"intercept": 1.0, "trend": time})
    for restricted in (True, False):
        fit = change.gls_ar1(3 + 0.01 * time + errors, design, restricted=restricted)
        assert fit.rho == pytest.approx(0.6, abs=0.04)
        assert fit.sigma == pytest.approx(1.0, abs=0.08)
        assert fit.coefficients.loc["trend", "estimate"] == pytest.approx(0.01, abs=3e-4)


def test_gls_likelihood_by_definition():
    """The log likelihood is that of the multivariate normal with the fitted correlation."""
    from scipy.stats import multivariate_normal

    y = RANDOM.normal(size=12).cumsum()
    design = pd.DataFrame({"intercept": np.ones(12)})
    fit = change.gls_ar1(y, design, restricted=False)
    place = np.arange(12)
    covariance = fit.sigma**2 * fit.rho ** np.abs(place[:, None] - place[None, :])
    mean = np.full(12, fit.coefficients.loc["intercept", "estimate"])
    assert fit.log_likelihood == pytest.approx(multivariate_normal.logpdf(y, mean, covariance))


def test_few_clusters_get_no_p_value():
    """Six teams: an effect and its spread, but no p-value; fourteen get one."""
    for teams, has_p in ((6, False), (14, True)):
        team, week = np.repeat(np.arange(teams), 6), np.tile(np.arange(6), teams)
        on = ((team < teams // 2) & (week >= 3)).astype(float)
        outcome = team + week + 2 * on + RANDOM.normal(size=on.size)
        result = change.two_way_effects(outcome, team, week, on)
        assert np.isnan(result.p) != has_p
        assert result.effect == pytest.approx(2, abs=2)


def test_placebos_show_the_spread_of_chance():
    """Each untreated team against the rest: the effects add up to nothing."""
    weeks = pd.DataFrame(RANDOM.normal(size=(12, 7)).cumsum(axis=0))
    placebos = change.placebo_effects(weeks, 6)
    assert placebos.sum() == pytest.approx(0)
    assert placebos.std() > 0


# Queueing, sampling, Pareto --------------------------------------------------------------------------


@given(st.floats(0.1, 80), st.integers(1, 100))
def test_erlang_shares_are_shares_and_more_agents_help(load, agents):
    """Blocking and waiting lie between 0 and 1, waiting is the larger, and both fall with every agent."""
    b, c = float(queueing.erlang_b(load, agents)), float(queueing.erlang_c(load, agents))
    assert 0 <= b <= c <= 1
    assert float(queueing.erlang_b(load, agents + 1)) < b
    assert float(queueing.erlang_c(load, agents + 1)) <= c


@pytest.mark.parametrize(
    ("contacts", "agents", "asa", "service_level"),
    [(0, 5, 0.0, 1.0), (100, 10, np.inf, 0.0), (100, 5, np.inf, 0.0), (0, 0, 0.0, 1.0)],
    ids=["no_contacts", "exactly_as_much_as_they_can", "more_than_they_can", "nobody_and_nothing"],
)
def test_queues_at_the_edges(contacts, agents, asa, service_level):
    """An overloaded queue grows without end, an empty one does not wait."""
    result = queueing.queue(contacts, 180, agents)
    assert (float(result.asa_s), float(result.service_level)) == (asa, service_level)


@given(st.floats(1, 400), st.floats(30, 600), st.sampled_from([0.5, 0.8, 0.95]))
@settings(max_examples=30, deadline=None)
def test_agents_needed_are_the_fewest(contacts, aht_s, wanted):
    """One agent fewer misses the level."""
    agents = queueing.agents_needed(contacts, aht_s, service_level=wanted)
    assert queueing.queue(contacts, aht_s, agents).service_level >= wanted
    assert queueing.queue(contacts, aht_s, agents - 1).service_level < wanted


@given(st.integers(1, 5000), st.floats(0.01, 0.3))
def test_a_sample_of_the_size_given_keeps_the_margin(population, margin):
    """The margin of the sample size is within the margin asked for, and one case fewer is not."""
    n = float(sampling.sample_size_proportion(margin, population=population))
    assert n <= population
    assert sampling.margin_of_error(n, population=population) <= margin + 1e-9
    if n > 1:
        assert sampling.margin_of_error(n - 1, population=population) > margin - 1e-9


@pytest.mark.parametrize("how", ["equal", "proportional"])
@given(total=st.integers(0, 200), volume=st.lists(st.integers(0, 50), min_size=1, max_size=12))
def test_allocation_gives_out_everything_there_is(how, total, volume):
    """All checks are given out, none beyond the contacts there are."""
    drawn = sampling.allocate(total, volume, how=how)
    assert drawn.sum() == min(total, sum(volume))
    assert (drawn <= volume).all()


def test_ties_are_in_the_order_of_their_names_and_other_comes_last():
    """The same data give the same chart."""
    counts = pd.Series({"login": 5, "Other": 90, "billing": 5, "delivery": 7, "none": np.nan})
    ordered = pareto.pareto(counts)
    assert ordered.index.tolist() == ["delivery", "billing", "login", "none", "Other"]
    assert ordered["cumulative_share"].iloc[-1] == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(
            lambda: shrinkage.beta_binomial([0], [0]),
            "no unit has a trial and known successes, so there is nothing to shrink towards",
            id="no_trial",
        ),
        pytest.param(
            lambda: shrinkage.normal_normal([1, 2], [1, 0]), "1 standard errors are not above 0", id="no_standard_error"
        ),
        pytest.param(
            lambda: shrinkage.james_stein([1, 2, 3], 1),
            "3 units, expected at least 4. Show them unshrunken.",
            id="too_few_units",
        ),
        pytest.param(
            lambda: agreement.cohen_kappa([[1, 2, 3]]),
            "3 raters, expected 2. Use fleiss_kappa or gwet_ac.",
            id="three_raters",
        ),
        pytest.param(
            lambda: agreement.fleiss_kappa([["a", None], [None, "b"]]),
            "no unit has two ratings, so there is no agreement to measure",
            id="nothing_rated_twice",
        ),
        pytest.param(
            lambda: agreement.gwet_ac([[1, 2]], categories=[1]),
            "1 ratings are not among the categories",
            id="unknown_category",
        ),
        pytest.param(
            lambda: icc.icc([[1.0, 2.0]]), "1 complete units and 2 raters, expected at least 2 of each", id="one_unit"
        ),
        pytest.param(
            lambda: decomposition.kitagawa([1, 2], [0.5, np.nan], [1, 2], [0.5, 0.6]),
            "1 categories have weight but no rate",
            id="no_rate",
        ),
        pytest.param(
            lambda: decomposition.das_gupta({"a": 1}, {"b": 1}),
            "the factors before and after are not the same",
            id="other_factors",
        ),
        pytest.param(
            lambda: change.interrupted_time_series([1, 2, 3], 3),
            "3 points before the change and 0 from it on, expected some of each",
            id="no_point_after",
        ),
        pytest.param(
            lambda: change.difference_in_differences([1, 2, 3], [0, 0, 1], [0, 1, 0]),
            "one of the four groups (treated or not, before or after) is empty",
            id="empty_group",
        ),
        pytest.param(
            lambda: change.two_way_effects([1, 2, 3, 4], [1, 1, 2, 2], [1, 2, 1, 2], [0, 0, 1, 1]),
            "the treatment does not vary within units and times, so it has no effect to show",
            id="always_treated",
        ),
        pytest.param(lambda: queueing.erlang_b(2, 2.5), "agents are whole numbers from 0", id="half_an_agent"),
        pytest.param(
            lambda: sampling.sample_size_proportion(5),
            "margin is not between 0 and 1. Give shares, such as 0.05 for 5 %.",
            id="margin_in_percent",
        ),
        pytest.param(
            lambda: pareto.pareto(pd.Series([1, -1], index=["a", "b"])), "1 counts are negative", id="negative_counts"
        ),
    ],
)
def test_error_texts(call, message):
    """An error says what was found, what was expected and what to do."""
    with pytest.raises(StatisticsError) as caught:
        call()
    assert str(caught.value) == message

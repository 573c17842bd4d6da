"""Control charts: the rules point by point, the verdicts, and the series that break naive code."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccanalysis.errors import StatisticsError
from ccanalysis.statistics import spc
from ccanalysis.statistics.spc import RULE_SETS, assurance, autocorrelation, variation, xmr, xmr_many
from ccanalysis.statistics.spc.rules import see

UP, DOWN, ON = 1.0, -1.0, 0.0
NONE: list[int] = []


def flagged(rule_set, rule, steps, *, sigma=10.0):
    """Positions a rule flags among values given as distances from a centre line of 0."""
    points = see(np.array([steps], dtype=float), np.zeros((1, 1)), np.full((1, 1), sigma))
    return np.flatnonzero(RULE_SETS[rule_set].rules[rule](points)[0]).tolist()


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([UP] * 6, NONE, id="six_are_too_few"),
        pytest.param([DOWN] + [UP] * 7, range(1, 8), id="only_the_run_is_flagged"),
        pytest.param([UP] * 9, range(9), id="a_longer_run_is_flagged_whole"),
        pytest.param([UP] * 4 + [ON] + [UP] * 4, NONE, id="a_point_on_the_line_ends_it"),
        pytest.param([UP] * 4 + [np.nan] + [UP] * 4, NONE, id="a_gap_ends_it"),
        pytest.param([ON] * 9, NONE, id="on_the_line_is_on_no_side"),
        pytest.param([UP] * 3 + [1e-13] + [UP] * 3, NONE, id="nearly_on_the_line_is_on_it"),
    ],
)
def test_shift_of_seven(steps, expected):
    """Seven in a row on one side of the centre are flagged, and nothing else is."""
    assert flagged("ptd", "shift", steps) == list(expected)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([1, 2, 3, 4, 5, 6], NONE, id="six_are_too_few"),
        pytest.param([9, 1, 2, 3, 4, 5, 6, 7], range(1, 8), id="seven_with_their_start"),
        pytest.param([1, 2, 3, 3, 4, 5, 6, 7], NONE, id="a_tie_breaks_it"),
        pytest.param([1, 2, 3, np.nan, 4, 5, 6, 7], NONE, id="a_gap_breaks_it"),
        pytest.param([7, 6, 5, 4, 3, 2, 1], range(7), id="falling_counts_too"),
        pytest.param([0.1, 0.2, 0.3, 0.1 + 0.2, 0.4, 0.5, 0.6, 0.7], NONE, id="a_tie_by_float_breaks_it"),
    ],
)
def test_trend_of_seven(steps, expected):
    """Six strict steps in one direction flag all seven points."""
    assert flagged("ptd", "trend", steps) == list(expected)


def test_a_turning_point_takes_the_direction_of_the_later_trend():
    """The peak of a rise and a fall of seven points each belongs to the fall."""
    points = see(np.array([[1.0, 2, 3, 4, 5, 6, 7, 6, 5, 4, 3, 2, 1]]), np.zeros((1, 1)), np.ones((1, 1)))
    assert RULE_SETS["ptd"].rules["trend"](points)[0].tolist() == [1] * 6 + [-1] * 7


@pytest.mark.parametrize(
    ("rule_set", "steps", "expected"),
    [
        pytest.param("ptd", [25, 1, 25], [0, 2], id="two_of_three_near"),
        pytest.param("ptd", [25, -1, 25], NONE, id="the_third_on_the_other_side"),
        pytest.param("ptd", [25, 0, 25], NONE, id="the_third_on_the_line"),
        pytest.param("ptd", [35, 1, 25], NONE, id="outside_does_not_count_for_ptd"),
        pytest.param("mdc", [35, 1, 25], [0, 2], id="outside_counts_for_mdc"),
        pytest.param("ptd", [20, 1, 20], NONE, id="on_two_sigma_is_not_beyond"),
        pytest.param("western_electric", [25, -1, 25], [2], id="western_electric_lets_the_third_lie_anywhere"),
        pytest.param("western_electric", [25, 25, -1], [1], id="western_electric_flags_the_point_that_completes_it"),
    ],
)
def test_two_of_three(rule_set, steps, expected):
    """Rule sets differ in what counts as near and where the third point may lie."""
    leading = [-1.0] if rule_set == "western_electric" else []
    found = flagged(rule_set, "two_of_three", leading + steps)
    assert found == [position + len(leading) for position in expected]


@pytest.mark.parametrize(
    ("rule", "steps", "expected"),
    [
        pytest.param("shift", [UP] * 9, [8], id="rule_2_nine_on_one_side"),
        pytest.param("trend", [1, 2, 3, 4, 5, 6], [5], id="rule_3_six_in_a_row"),
        pytest.param("alternating", [1, -1] * 7, [13], id="rule_4_fourteen_up_and_down"),
        pytest.param("alternating", [1, -1] * 6 + [1], NONE, id="rule_4_thirteen_are_too_few"),
        pytest.param("four_of_five", [11, 11, -1, 11, 11], [4], id="rule_6_four_of_five_beyond_one_sigma"),
        pytest.param("hugging", [1.0] * 15, [14], id="rule_7_fifteen_within_one_sigma"),
        pytest.param("avoiding", [11, -11] * 4, [7], id="rule_8_eight_beyond_one_sigma"),
        pytest.param("avoiding", [11, -11, 11, 1, 11, -11, 11, -11], NONE, id="rule_8_one_within_ends_it"),
    ],
)
def test_nelson_rules(rule, steps, expected):
    """Nelson (1984): the point that completes a pattern is flagged."""
    assert flagged("nelson", rule, steps) == expected


def test_eight_on_one_side_by_western_electric():
    """Western Electric rule 4 signals at the eighth point and after."""
    assert flagged("western_electric", "shift", [UP] * 9) == [7, 8]


def test_run_chart_by_its_published_limits():
    """Anhoej & Olesen (2014): of 10 useful points runs over 6 and fewer than 2 crossings are signals."""
    runs = spc.run_test(spc.run_chart([1, 2, 1, 2, 1, 2, 1, 2, 1, 2]))
    assert runs[["longest_run_max", "crossings_min"]].iloc[0].tolist() == [6, 2]
    shifted = spc.run_test(spc.run_chart([1] * 6 + [2] * 6))
    assert shifted["signal"].item()
    assert shifted["crossings"].item() == 1


def test_anhoej_flags_the_run_and_the_want_of_crossings():
    """A chart that shifts once is flagged by both rules; a jagged one is not."""
    shifted = xmr([1.0, 1.1] * 8 + [2.0, 2.1] * 8, rule_set="anhoej", better="up")
    assert set(shifted["rules"]) == {"long_run few_crossings"}
    assert shifted["point"].iloc[-1] == "improvement_high"
    assert set(xmr([1.0, 2.0] * 10, rule_set="anhoej")["rule"]) == {""}


def test_order_of_labels():
    """A point beyond the limits in a shift is named for the limits, and both rules are told."""
    chart = xmr([5, 6] * 10 + [7] * 6 + [30], better="down")
    latest = chart.iloc[-1]
    assert latest["rule"] == "outside_limits"
    assert latest["rules"] == "outside_limits shift"
    assert variation(chart).rules == ("outside_limits", "shift")


def test_making_data_count_shows_improvement_first():
    """A latest point that fits both directions is an improvement in `mdc`, a matter of order elsewhere."""
    values = [-9.0, 10.0] * 10 + [10.0, 8.0, 6.0, 5.0, 4.0, 3.0, 2.5]  # above the mean for 7, falling for 7
    kinds = {name: variation(xmr(values, rule_set=name, better="up")) for name in ("ptd", "mdc")}
    assert kinds["ptd"].icon == "concern_low"
    assert kinds["ptd"].rule == "trend"
    assert kinds["mdc"].icon == "improvement_high"
    assert kinds["mdc"].rule == "shift"


@pytest.mark.parametrize(
    ("better", "last", "icon", "direction"),
    [
        ("up", 30, "improvement_high", "improving"),
        ("up", -30, "concern_low", "worsening"),
        ("down", 30, "concern_high", "worsening"),
        ("down", -30, "improvement_low", "improving"),
        ("neither", 30, "neutral_high", "high"),
        ("neither", -30, "neutral_low", "low"),
        ("up", 5, "common_cause", "none"),
    ],
)
def test_variation_by_direction(better, last, icon, direction):
    """What is an improvement depends on which way is better."""
    verdict = variation(xmr([5, 6, 4, 5, 6, 4, 5, 6, 4, 5, 6, 4, last], better=better))
    assert (verdict.icon, verdict.direction) == (icon, direction)


def test_screening_leaves_out_one_jump():
    """Published captions of NHSRplotthedots: 4.6 and -0.72 screened, 6.95 and -3.06 unscreened."""
    values = [1, 2, 1, 2, 10, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1]
    screened, plain = xmr(values), xmr(values, screened=False)
    assert screened[["upper", "lower"]].iloc[0].round(2).tolist() == [4.6, -0.72]
    assert plain[["upper", "lower"]].iloc[0].round(2).tolist() == [6.95, -3.06]


def test_factor_of_xmr_and_of_the_i_chart():
    """2.66 is the published, rounded 3 / 1.128."""
    values = [3.0, 5.0, 4.0, 6.0, 5.0]
    assert xmr(values)["upper"].iloc[0] - np.mean(values) == pytest.approx(2.66 * 1.5)
    assert spc.i_chart(values)["upper"].iloc[0] - np.mean(values) == pytest.approx(3 / 1.128 * 1.5)


# Series that break naive code ------------------------------------------------------------------------


@pytest.mark.parametrize("rule_set", list(RULE_SETS))
@pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, 0.7, -3.3, 1e9])
def test_a_constant_series_has_limits_and_no_signal(rule_set, constant):
    """A compliance of 100 % every week lies on its line and its limits."""
    chart = xmr([constant] * 24, rule_set=rule_set, better="up")
    assert not chart[["centre", "lower", "upper", "lower_near", "upper_near"]].isna().any().any()
    assert chart["upper"].to_numpy() == pytest.approx(constant)
    sided = chart["point"].isin(["neutral_high", "neutral_low"]) & (rule_set == "nelson")
    assert (sided | (chart["point"] == "common_cause")).all()  # Nelson's rule 7 is about hugging the line


@pytest.mark.parametrize(
    ("constant", "target", "better", "icon"),
    [
        (1.0, 1.0, "up", "pass"),
        (1.0, 0.95, "up", "pass"),
        (0.9, 0.95, "up", "fail"),
        (0.0, 0.0, "down", "pass"),
        (0.3, 0.1 + 0.2, "up", "pass"),
        (5.0, 4.0, "down", "fail"),
    ],
)
def test_assurance_of_a_constant_series(constant, target, better, icon):
    """A process that never varies hits its target, equality included, or it never does."""
    result = assurance(xmr([constant] * 20), target, better)
    assert result.icon == icon
    assert result.hit_rate == result.modelled_hit_rate == (1.0 if icon == "pass" else 0.0)


def test_one_blip_in_a_constant_series_does_not_flag_the_rest():
    """Screening would leave only ranges of 0, and limits that every point is outside of."""
    chart = xmr([1.0] * 30 + [0.9] + [1.0] * 5, better="up")
    assert chart.index[chart["rules"].str.contains("outside_limits")].tolist() == [30]


def test_missing_values_are_gaps():
    """A gap has no label, ends runs and gives no moving range; the rest is judged as before."""
    values = [UP] * 4 + [np.nan] + [UP] * 4 + [DOWN, UP] * 6 + [np.nan]
    chart = xmr(values, better="up")
    assert chart["moving_range"].isna().tolist() == [i in (0, 4, 5, 21) for i in range(22)]
    assert chart["rule"].iloc[4] == ""
    assert chart["n_baseline"].iloc[0] == 20
    assert not chart["rules"].str.contains("shift").any()


def test_a_missing_latest_value_leaves_the_verdict_to_the_last_present_one():
    """The verdict names the period it speaks of."""
    index = pd.period_range("2026-01", periods=15, freq="M")
    chart = xmr(pd.Series([5, 6, 4] * 4 + [5, 30, np.nan], index=index), better="down")
    verdict = variation(chart)
    assert verdict.at == pd.Period("2027-02", "M")
    assert verdict.icon == "concern_high"


@pytest.mark.parametrize("values", [[np.nan] * 5, [7.0], [7.0, np.nan, 8.0]])
def test_too_little_for_limits(values):
    """Without two neighbouring values there are no limits, no signal and no assurance."""
    chart = xmr(values, better="up")
    assert chart["upper"].isna().all()
    assert set(chart["point"]) == {"common_cause"}
    assert variation(chart).trial_limits
    assert assurance(chart, 1.0, "up").icon == "none"


def test_rebase_restarts_limits_and_runs():
    """Four points high before and four after the start of a part are no shift."""
    index = pd.date_range("2026-01-05", periods=20, freq="7D")
    values = pd.Series([1, -1] * 4 + [1, 1, 1, 1] + [11, 9] * 4, index=index, dtype=float)
    chart = xmr(values, rebase="2026-03-30")
    assert chart["part"].tolist() == [0] * 12 + [1] * 8
    assert chart["centre"].iloc[-1] == 10
    assert np.isnan(chart["moving_range"].iloc[12])


def test_freeze_judges_later_points_by_the_first():
    """Limits are those of the first twelve periods, and the later level is seen as special."""
    values = [5, 6] * 6 + [8, 9] * 6
    chart = xmr(values, freeze=12, better="up")
    assert chart["centre"].iloc[0] == 5.5
    assert chart["n_baseline"].iloc[0] == 12
    assert variation(chart).icon == "improvement_high"
    assert variation(chart).trial_limits


def test_excluded_points_are_shown_and_held_against_the_limits():
    """An excluded outlier moves no limit and breaks no run, but is still outside."""
    values = [5, 6, 4] * 5 + [60] + [5, 6, 4] * 2
    chart, without = xmr(values, exclude=[15]), xmr([v for v in values if v != 60])
    assert chart["upper"].iloc[0] == pytest.approx(without["upper"].iloc[0])
    assert chart["rule"].iloc[15] == "outside_limits"
    kept = chart.drop(index=15)
    assert kept["rule"].tolist() == without["rule"].tolist()
    assert kept["moving_range"].tolist()[1:] == pytest.approx(without["moving_range"].tolist()[1:])


def test_limits_are_judged_as_they_are_and_clipped_only_for_display():
    """A lower limit below 0 % stays below until it is shown."""
    chart = spc.p_chart([1, 0, 2, 1, 0, 1], [20] * 6)
    assert (chart["lower"] < 0).all()
    assert (spc.clipped(chart, high=1)["lower"] == 0).all()


@pytest.mark.parametrize(
    ("target", "better", "inclusive", "icon"),
    [
        pytest.param(0.61, "up", False, "inconsistent", id="equal_to_the_lower_limit_strict"),
        pytest.param(0.61, "up", True, "pass", id="equal_to_the_lower_limit_inclusive"),
        pytest.param(8.59, "up", False, "inconsistent", id="equal_to_the_upper_limit_strict"),
        pytest.param(8.59, "up", True, "fail", id="equal_to_the_upper_limit_inclusive"),
        pytest.param(9.0, "up", False, "fail", id="above_all"),
        pytest.param(9.0, "down", False, "pass", id="a_ceiling_above_all"),
        pytest.param(0.0, "down", False, "fail", id="a_ceiling_below_all"),
        pytest.param(5.0, "neither", False, "none", id="no_direction"),
        pytest.param(np.nan, "up", False, "none", id="no_target"),
    ],
)
def test_assurance_icons(target, better, inclusive, icon):
    """Limits of 0.61 and 8.59 against targets on, between and beyond them."""
    assert assurance(xmr([3, 5, 4, 6, 5]), target, better, inclusive=inclusive).icon == icon


def test_a_target_that_changed_counts_for_its_own_periods():
    """The hit rate takes each row's target, the icon the latest."""
    values, target = [80, 82, 81, 79, 80, 81], [75, 75, 75, 85, 85, 85]
    chart = xmr(values, target=target)
    result = assurance(chart, better="up")
    assert result.hit_rate == 0.5
    assert result.n == 6
    assert result.modelled_hit_rate < 0.05


def test_only_the_last_part_counts_for_assurance():
    """What was true before a rebase says nothing of the process as it is."""
    chart = xmr([1, 2] * 8 + [11, 12] * 8, rebase=[16])
    result = assurance(chart, 5, "up")
    assert (result.icon, result.hit_rate, result.n) == ("pass", 1.0, 16)


def test_many_charts_are_the_same_as_one_by_one():
    """The batch form is only faster."""
    values = np.random.default_rng(5).normal(size=(20, 40)).cumsum(axis=1)
    values[3, 7] = values[4, -1] = np.nan
    better = ["up", "down", "neither", "up"] * 5
    target = np.linspace(-1, 1, 20)
    charts = xmr_many(values, better=better, rebase=[20])
    latest, held = charts.latest(), spc.charts_assurance(charts, target, better)
    for i in range(20):
        alone = xmr(values[i], better=better[i], rebase=[20])
        pd.testing.assert_frame_equal(charts.frame(i), alone.drop(columns="target"))
        assert latest["point"][i] == variation(alone).icon
        assert latest["rules"][i] == " ".join(variation(alone).rules)
        one = assurance(alone, target[i], better[i])
        assert (held["icon"][i], held["n"][i]) == (one.icon, one.n)
        np.testing.assert_allclose(held["modelled_hit_rate"][i], one.modelled_hit_rate)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([1, -1] * 10, -0.95, id="alternating"),
        pytest.param([3.0] * 10, np.nan, id="constant"),
        pytest.param([0.1 + 0.2] * 5 + [0.3] * 5, np.nan, id="constant_by_float"),
        pytest.param([1, 2], np.nan, id="too_short"),
        pytest.param([np.nan] * 5, np.nan, id="nothing"),
    ],
)
def test_autocorrelation(values, expected):
    """Correlation with the value before, by the usual estimator."""
    np.testing.assert_allclose(autocorrelation(values), expected)


# Other charts ----------------------------------------------------------------------------------------


def test_prime_limits_may_be_narrower_unless_floored():
    """Too regular a process has a sigma_z below 1; the floor is a choice."""
    n = [100] * 8
    regular = [50, 50, 51, 50, 50, 51, 50, 50]
    free = spc.p_prime_chart(regular, n)
    floored = spc.p_prime_chart(regular, n, at_least_binomial=True)
    assert free["sigma_z"].iloc[0] < 1
    assert floored["sigma_z"].iloc[0] == pytest.approx(1)
    assert floored["upper"].iloc[0] == pytest.approx(spc.p_chart(regular, n)["upper"].iloc[0])


def test_all_successes_have_limits_on_the_line():
    """A p' chart of 100 % every period neither fails nor signals."""
    chart = spc.p_prime_chart([30, 40, 50], [30, 40, 50])
    assert chart["upper"].tolist() == chart["lower"].tolist() == [1.0, 1.0, 1.0]
    assert set(chart["rule"]) == {""}


def test_zero_denominators_are_gaps():
    """A period without contacts has no share, and the others are unmoved by it."""
    chart = spc.p_chart([5, 0, 6], [50, 0, 50])
    assert np.isnan(chart["value"].iloc[1])
    assert chart["centre"].iloc[0] == pytest.approx(11 / 100)
    assert chart["n_baseline"].iloc[0] == 2


def test_the_centre_of_shares_is_not_the_mean_of_shares():
    """Adding up both sides first keeps a small bad day from weighing as much as a large good one."""
    assert spc.p_chart([1, 900], [10, 1000])["centre"].iloc[0] == pytest.approx(901 / 1010)


def test_cusum_finds_a_small_shift_that_lasts():
    """A shift of one standard deviation accumulates by half of one a period."""
    chart = spc.cusum([0.0] * 5 + [1.0] * 12, centre=0.0, sd=1.0)
    assert chart["above"].iloc[-1] == pytest.approx(6.0)
    assert chart["signal"].tolist().index(1) == 15
    assert (spc.cusum([0.0] * 5 + [-1.0] * 12, centre=0.0, sd=1.0)["signal"] == -chart["signal"]).all()


def test_ewma_carries_on_over_a_gap():
    """A missing value leaves the average as it was, and its limits too."""
    chart = spc.ewma([1.0, np.nan, 1.0], weight=0.5, centre=0.0, sd=1.0)
    assert chart["average"].tolist() == [0.5, 0.5, 0.75]
    assert chart["upper"].iloc[0] == chart["upper"].iloc[1] < chart["upper"].iloc[2]


# Properties ------------------------------------------------------------------------------------------

ENDS = (("high", "low"), ("low", "high"))
series = st.lists(st.integers(-1000, 1000).map(float) | st.just(float("nan")), min_size=3, max_size=60)


@settings(max_examples=60, deadline=None)
@given(series, st.sampled_from(list(RULE_SETS)))
def test_turning_a_series_upside_down_turns_its_points(values, rule_set):
    """Judged the other way round, an improvement high is an improvement low."""
    chart = xmr(values, rule_set=rule_set, better="up")
    flipped = xmr([-v for v in values], rule_set=rule_set, better="down")
    turned = flipped["point"].replace(
        {f"{kind}_{a}": f"{kind}_{b}" for kind in ("improvement", "concern", "neutral") for a, b in ENDS}
    )
    unsided = chart["rule"].isin(["hugging", "avoiding", "alternating", "few_crossings"])  # on the line is called high
    assert turned[~unsided].tolist() == chart["point"][~unsided].tolist()


@settings(max_examples=60, deadline=None)
@given(series, st.sampled_from([0.001, 3.0, 250.0]))
def test_the_unit_does_not_matter(values, factor):
    """Seconds or hours: the labels are the same and the limits scale."""
    chart, scaled = xmr(values), xmr([v * factor for v in values])
    assert chart["rules"].tolist() == scaled["rules"].tolist()
    np.testing.assert_allclose(scaled["upper"], chart["upper"] * factor, rtol=1e-9, atol=1e-9 * factor)


@settings(max_examples=60, deadline=None)
@given(series)
def test_limits_enclose_the_mean_and_the_near_limits(values):
    """lower <= near lower <= centre <= near upper <= upper, or none at all."""
    chart = xmr(values).dropna(subset=["upper"])
    ordered = chart[["lower", "lower_near", "centre", "upper_near", "upper"]].to_numpy()
    assert (np.diff(ordered, axis=1) >= -1e-9).all()


# Errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(
            lambda: xmr([1, 2, 3], rule_set="nelsen"),
            "no rule set is named 'nelsen'. Did you mean 'nelson'?",
            id="unknown_rule_set",
        ),
        pytest.param(
            lambda: xmr([1, 2, 3], better="higher"),
            "better is 'higher', expected 'up', 'down' or 'neither'. Did you mean 'neither'?",
            id="unknown_direction",
        ),
        pytest.param(
            lambda: xmr(pd.Series([1.0, 2.0], index=pd.to_datetime(["2026-01-01", "2026-02-01"])), rebase="2026-01-15"),
            "rebase names periods that are not in the series: 2026-01-15 00:00:00. Name periods of its index.",
            id="rebase_not_in_the_data",
        ),
        pytest.param(
            lambda: xmr(pd.Series([1.0, 2.0], index=["w1", "w1"])),
            "1 periods occur more than once. Add up both sides of the measure per period before charting.",
            id="repeated_period",
        ),
        pytest.param(
            lambda: xmr(pd.Series([1.0, 2.0], index=pd.to_datetime(["2026-02-01", "2026-01-01"]))),
            "the periods are not in time order. Sort the values by their index.",
            id="unordered",
        ),
        pytest.param(
            lambda: xmr([1, float("inf")]),
            "1 values are infinite. Pass NaN where a period has no value.",
            id="infinite",
        ),
        pytest.param(lambda: xmr([]), "there is no value to chart", id="empty"),
        pytest.param(
            lambda: xmr([1] * 30, freeze=11),
            "freeze=11, but the rule set 'ptd' freezes no fewer than 12 periods",
            id="freeze_too_few",
        ),
        pytest.param(
            lambda: xmr([1, 2, 3], target=[1, 2]), "target has 2 entries for 3 values", id="target_of_another_length"
        ),
        pytest.param(
            lambda: xmr([1, 2, 3], exclude=[True, False]), "exclude has 2 flags for 3 values", id="flags_too_few"
        ),
        pytest.param(
            lambda: xmr_many([[1, 2, 3]], rebase=[3]),
            "rebase at position 3, but the series has 3 periods, from 0",
            id="rebase_position",
        ),
        pytest.param(
            lambda: spc.p_chart([6], [5]),
            "1 periods have more successes than trials. Check both sides.",
            id="more_successes_than_trials",
        ),
        pytest.param(lambda: spc.c_chart([-1, 2]), "1 entries of count are negative", id="negative_counts"),
        pytest.param(
            lambda: spc.t_chart([3, 0, 5]),
            "1 times are 0 or less. Chart events that share a time as one.",
            id="zero_times",
        ),
        pytest.param(
            lambda: spc.s_chart([1.0, np.nan], [1, 5]),
            "no subgroup has two cases and a standard deviation. Use an XmR chart.",
            id="subgroups_of_one",
        ),
        pytest.param(
            lambda: spc.ewma([1, 2], weight=0), "weight is 0, expected more than 0 and at most 1", id="ewma_weight"
        ),
        pytest.param(
            lambda: spc.cusum([2, 2, 2]),
            "the values do not vary, so there is no unit for their sums. Pass sd.",
            id="cusum_of_a_constant",
        ),
    ],
)
def test_error_texts(call, message):
    """An error says what was found, what was expected and what to do."""
    with pytest.raises(StatisticsError) as caught:
        call()
    assert str(caught.value) == message

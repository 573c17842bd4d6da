"""Verdicts: each status at its edges, what history adds, what data take away, and no red without evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ccanalysis import verdicts
from ccanalysis.kpis.components import KEYS, Components
from ccanalysis.kpis.measures import Measure, Side, from_catalogue
from ccanalysis.kpis.register import Approval, Kpi, Target
from ccanalysis.periods import Period
from ccanalysis.statistics import intervals
from ccanalysis.verdicts import judge, series, shortfall, survival_quantile

NOW = Period.parse("2026-W46")
NAN = float("nan")
MEASURES = {
    "share": from_catalogue("answer_rate", {}),
    "mean": from_catalogue("asa", {}),
    "rate": from_catalogue("complaints_per_1000", {}),
    "ratio": from_catalogue("qa_score", {}),
    "percentile": from_catalogue("answer_time_percentile", {"per_cent": 90}),
}


def kpi_of(kind="share", *, better="up", team=0.8, tolerance=0.0, minimum_n=10, targets=None, **changes):
    """Return an approved KPI with one target in force for years, or with the targets given."""
    standing = (Target(since=date(2020, 1, 1), team=team, individual=team, tolerance=tolerance),)
    given = {
        "id": "kpi",
        "name": "The KPI",
        "purpose": "To see.",
        "measure": MEASURES[kind],
        "better": better,
        "levels": ("centre", "team", "agent"),
        "targets": standing if targets is None else targets,
        "frequency": "week",
        "minimum_n": minimum_n,
        "owner": "Head of Operations",
        "approval": Approval(state="approved", by="Board", on=date(2020, 1, 1)),
        "action_after_review": "Look again.",
    }
    return Kpi(**(given | changes))


def components_of(values, *, level="centre", unit="centre", n=1000, period=NOW, squares=0, kpi="kpi"):
    """Return components with one denominator of n a week, the last week last; None leaves a week out."""
    weeks = list(period.back(len(values)))
    rows = [
        (kpi, level, unit, week.start, value, n, n, squares)
        for week, value in zip(weeks, values, strict=True)
        if value is not None
    ]
    columns = [*KEYS, "numerator", "denominator", "n", "squares"]
    return Components(pd.DataFrame(rows, columns=columns), pd.DataFrame(columns=[*KEYS, "bin", "n"]))


def rated(kpis=("kpi",), *, rating="fit", reasons=(), weeks=26, unfit=(), level="centre", unit=""):
    """Return the gate's ratings of the centre: all weeks alike, but for those named as not fit."""
    rows = [
        (kpi, level, unit, week.label, "not fit" if week.label in unfit else rating, reasons)
        for kpi in kpis
        for week in NOW.back(weeks)
    ]
    return pd.DataFrame(rows, columns=["kpi", "level", "unit", "period", "rating", "reasons"])


def verdict_of(kpi, values, *, ratings=None, last_day=None, period=NOW, baseline=26, **more):
    """Judge the last of these weeks; weeks before the first are gaps."""
    parts = components_of(values, period=period, **more)
    ratings = rated() if ratings is None else ratings
    line = series(parts, [kpi], list(period.back(baseline)), ratings, last_day=last_day)
    found = judge(line, [kpi], period, ratings)
    assert len(found) == 1
    return found.iloc[0]


# One figure without history: the value, its interval, target and tolerance.


@pytest.mark.parametrize(
    ("better", "team", "tolerance", "numerator", "status", "certain"),
    [
        # of 1,000; the interval of 800 is 77.4 % to 82.4 %
        ("up", 0.80, 0.02, 900, "met", True),
        ("up", 0.80, 0.02, 830, "met", True),
        ("up", 0.80, 0.02, 810, "met", False),
        ("up", 0.80, 0.02, 800, "met", False),
        ("up", 0.80, 0.02, 799, "within_tolerance", False),
        ("up", 0.80, 0.02, 780, "within_tolerance", False),
        ("up", 0.80, 0.02, 779, "missed_chance", False),
        ("up", 0.80, 0.00, 799, "missed_chance", False),
        ("up", 0.80, 0.02, 760, "missed_chance", False),
        ("up", 0.80, 0.02, 700, "missed_real", True),
        ("up", 1.00, 0.00, 1000, "met", False),
        ("up", 1.00, 0.00, 999, "missed_real", True),
        ("up", 0.00, 0.00, 0, "met", True),
        ("down", 0.05, 0.01, 30, "met", True),
        ("down", 0.05, 0.01, 45, "met", False),
        ("down", 0.05, 0.01, 50, "met", False),
        ("down", 0.05, 0.01, 51, "within_tolerance", False),
        ("down", 0.05, 0.01, 60, "within_tolerance", False),
        ("down", 0.05, 0.01, 61, "missed_chance", False),
        ("down", 0.05, 0.01, 90, "missed_real", True),
        ("down", 0.00, 0.00, 0, "met", False),
        ("within", (0.40, 0.60), 0.01, 500, "met", True),
        ("within", (0.40, 0.60), 0.01, 400, "met", False),
        ("within", (0.40, 0.60), 0.01, 600, "met", False),
        ("within", (0.40, 0.60), 0.01, 390, "within_tolerance", False),
        ("within", (0.40, 0.60), 0.01, 610, "within_tolerance", False),
        ("within", (0.40, 0.60), 0.01, 389, "missed_chance", False),
        ("within", (0.40, 0.60), 0.01, 300, "missed_real", True),
        ("within", (0.40, 0.60), 0.01, 700, "missed_real", True),
    ],
)
def test_a_share_is_judged_by_value_tolerance_and_interval(better, team, tolerance, numerator, status, certain):
    """Equality meets; tolerance is inclusive; a miss is real only where the whole interval lies beyond both."""
    found = verdict_of(kpi_of(better=better, team=team, tolerance=tolerance), [numerator])
    assert (found["status"], found["certain"]) == (status, certain)


@pytest.mark.parametrize(
    ("kind", "better", "team", "tolerance", "numerator", "squares", "status"),
    [
        # mean wait of 1,000 contacts; a standard deviation of 10 s gives an interval of 0.62 s to each side
        ("mean", "down", 20.0, 1.0, 20_000, 500_000, "met"),
        ("mean", "down", 20.0, 1.0, 21_000, 541_000, "within_tolerance"),
        ("mean", "down", 20.0, 1.0, 21_500, 562_250, "missed_chance"),
        ("mean", "down", 20.0, 1.0, 22_000, 584_000, "missed_real"),
        ("mean", "within", (18.0, 19.0), 0.5, 17_500, 406_250, "within_tolerance"),
        ("mean", "within", (18.0, 19.0), 0.5, 16_000, 356_000, "missed_real"),
        # complaints per 1,000 of 1,000 contacts
        ("rate", "down", 12.0, 2.0, 12, 0, "met"),
        ("rate", "down", 12.0, 2.0, 14, 0, "within_tolerance"),
        ("rate", "down", 12.0, 2.0, 20, 0, "missed_chance"),
        ("rate", "down", 12.0, 2.0, 40, 0, "missed_real"),
        ("rate", "down", 0.0, 0.0, 0, 0, "met"),
    ],
)
def test_a_mean_and_a_rate_are_judged_the_same_way(kind, better, team, tolerance, numerator, squares, status):
    """In the unit of the KPI: seconds, or events per 1,000."""
    kpi = kpi_of(kind, better=better, team=team, tolerance=tolerance)
    assert verdict_of(kpi, [numerator], squares=squares)["status"] == status


@pytest.mark.parametrize("per_cent", [7, 14, 28, 29, 35, 55, 56, 57, 58, 70, 83])
def test_a_value_on_its_target_is_met_whatever_floating_point_makes_of_it(per_cent):
    """A hundred times 0.29 is 28.999999999999996 in floating point; 29 of 100 still meet 29 %."""
    target, tolerance = per_cent / 100, 0.1
    assert verdict_of(kpi_of(team=target), [per_cent], n=100)["status"] == "met"
    assert verdict_of(kpi_of(team=target, better="down"), [per_cent], n=100)["status"] == "met"
    short = kpi_of(team=target + tolerance, tolerance=tolerance)
    assert verdict_of(short, [per_cent], n=100)["status"] == "within_tolerance"


@pytest.mark.parametrize(
    ("numerator", "reason"),
    [
        pytest.param(778, "the interval reaches the target", id="target"),
        pytest.param(760, "the interval reaches the agreed tolerance", id="tolerance_alone"),
    ],
)
def test_an_open_miss_says_which_of_the_two_its_interval_reaches(numerator, reason):
    """A miss whose interval lies wholly below the target is certain; only whether by more than agreed is open."""
    found = verdict_of(kpi_of(team=0.80, tolerance=0.02), [numerator])
    assert found["status"] == "missed_chance"
    assert (found["ci_high"] >= 0.80) == (numerator == 778)
    assert found["reasons"] == (reason,)


@pytest.mark.parametrize(("minimum_n", "status"), [(1000, "met"), (1001, "not_judged")])
def test_a_figure_of_too_few_cases_is_not_judged(minimum_n, status):
    """As many as asked for are enough; the reason says how many there are."""
    found = verdict_of(kpi_of(minimum_n=minimum_n), [900])
    assert found["status"] == status
    wanted = () if status == "met" else ("only 1,000 cases, and at least 1001 are needed",)
    assert found["reasons"] == wanted


def test_one_case_is_one_case():
    """The reason is English for any number."""
    assert verdict_of(kpi_of(minimum_n=5), [1], n=1)["reasons"] == ("only 1 case, and at least 5 are needed",)


@pytest.mark.parametrize("targets", [(), (Target(since=date(2026, 11, 16), team=0.8, individual=None),)])
def test_a_figure_without_a_target_is_not_red_or_green(targets):
    """There is none, or it holds only from the day after the period."""
    found = verdict_of(kpi_of(targets=targets), [100])
    assert (found["status"], found["certain"], found["assurance"]) == ("no_target", False, "none")
    assert np.isnan(found["hit_rate"])


def test_a_target_of_teams_is_none_of_agents():
    """Individuals are judged by their own target or by none."""
    kpi = kpi_of(targets=(Target(since=date(2020, 1, 1), team=0.8, individual=None),))
    assert verdict_of(kpi, [100], level="team", unit="North")["status"] == "missed_real"
    assert verdict_of(kpi, [100], level="agent", unit="a7")["status"] == "no_target"


def test_a_relative_tolerance_of_agents_is_relative_to_their_own_target():
    """Five per cent of 0.6 are 0.03."""
    targets = (Target(since=date(2020, 1, 1), team=0.8, individual=0.6, tolerance=0.04, individual_tolerance=0.03),)
    kpi = kpi_of(targets=targets)
    assert verdict_of(kpi, [575], level="agent", unit="a7")["status"] == "within_tolerance"
    assert verdict_of(kpi, [569], level="agent", unit="a7")["status"] == "missed_chance"
    assert verdict_of(kpi, [761], level="team", unit="North")["status"] == "within_tolerance"


def test_each_period_is_judged_by_the_target_of_its_last_day():
    """A target from Monday on does not reach back to the week that ends on Sunday; one from Sunday on does."""
    monday = NOW.end
    later = Target(since=monday, team=0.5, individual=None)
    first = Target(since=date(2020, 1, 1), team=0.8, individual=None)
    assert verdict_of(kpi_of(targets=(first, later)), [700])["target"] == 0.8
    sooner = replace(later, since=monday - timedelta(days=1))
    assert verdict_of(kpi_of(targets=(first, sooner)), [700])["target"] == 0.5
    february = Target(since=date(2026, 2, 1), team=0.5, individual=None)
    january = Period.parse("2026-01")
    parts = components_of([700], period=january)
    line = series(parts, [kpi_of(targets=(first, february))], [january], rated())
    assert line["target"].tolist() == [0.8]


def test_earlier_periods_keep_the_earlier_target():
    """Hits are counted against the target of each period's own time, and periods without a target not at all."""
    weeks = list(NOW.back(20))
    targets = (
        Target(since=weeks[4].start, team=0.9, individual=None),
        Target(since=weeks[14].start, team=0.5, individual=None),
    )
    found = verdict_of(kpi_of(targets=targets), [700] * 20)
    assert (found["n_baseline"], found["n_judged"], found["hit_rate"]) == (20, 16, 6 / 16)


# What the data take away.


@pytest.mark.parametrize(
    ("rating", "status", "reasons"),
    [
        ("fit", "missed_real", ()),
        ("caution", "missed_real", ("two days are missing",)),
        ("not fit", "not_judged", ("data not fit to use", "two days are missing")),
        ("unknown", "not_judged", ("data not assessed", "two days are missing")),
    ],
)
def test_figures_that_are_not_fit_or_not_assessed_are_not_judged(rating, status, reasons):
    """The gate's reasons stand beside every figure that it marks."""
    gate = rated(rating=rating, reasons=() if rating == "fit" else ("two days are missing",))
    found = verdict_of(kpi_of(), [100], ratings=gate)
    assert (found["status"], found["data"], found["reasons"]) == (status, rating, reasons)


def test_a_unit_of_its_own_rating_is_judged_by_it_and_others_by_the_centres():
    """A team whose data are not fit does not hide another's figure."""
    gate = pd.concat(
        [rated(rating="caution", reasons=("a rule failed",)), rated(rating="not fit", level="team", unit="North")]
    )
    north = verdict_of(kpi_of(), [900], ratings=gate, level="team", unit="North")
    south = verdict_of(kpi_of(), [900], ratings=gate, level="team", unit="South")
    assert (north["status"], north["data"], north["reasons"]) == ("not_judged", "not fit", ("data not fit to use",))
    assert (south["status"], south["data"], south["reasons"]) == ("met", "caution", ("a rule failed",))


def test_a_figure_that_the_gate_does_not_know_is_not_assessed():
    """It fails closed."""
    found = verdict_of(kpi_of(), [900], ratings=rated(kpis=("another",)))
    assert (found["status"], found["data"], found["reasons"]) == ("not_judged", "unknown", ("data not assessed",))


def test_a_period_without_a_row_is_not_judged():
    """Nothing is known of it: no value, no course, and no hit or miss."""
    found = verdict_of(kpi_of(), [900] * 15 + [None])
    assert (found["status"], found["variation"]) == ("not_judged", "not_enough_data")
    assert found["reasons"] == ("there is no data for this period",)
    assert np.isnan(found["value"]) and np.isnan(found["n"])
    assert found["previous"] == 0.9


def test_a_unit_that_was_never_there_has_no_verdict():
    """Only units with a row in the look-back are judged."""
    line = series(components_of([900]), [kpi_of(), kpi_of(id="other")], [NOW], rated())
    assert set(line["kpi"]) == {"kpi"}
    empty = judge(line.iloc[:0], [kpi_of()], NOW, rated())
    assert empty.empty
    assert list(empty.columns) == verdicts.VERDICT_COLUMNS
    assert list(judge(line, [kpi_of()], NOW, rated()).columns) == verdicts.VERDICT_COLUMNS


@pytest.mark.parametrize(
    ("settle", "behind", "status"),
    [(7, 7, "met"), (7, 6, "not_judged"), (7, 0, "not_judged"), (7, -1, "not_judged"), (0, -1, "met")],
)
def test_a_figure_that_settles_later_is_shown_and_not_judged(settle, behind, status):
    """First-contact resolution looks best in the last week, for nobody had the time to come back."""
    kpi = kpi_of(measure=replace(MEASURES["share"], settle_days=settle))
    last = NOW.end + timedelta(days=behind - 1)
    found = verdict_of(kpi, [800] * 15 + [900], last_day=last)
    assert (found["status"], found["provisional"]) == (status, status == "not_judged")
    if status == "not_judged":
        assert found["reasons"] == ("provisional: it settles 7 days after the period",)
        assert found["variation"] == "not_enough_data"
        assert found["value"] == 0.9
        assert found["centre"] == pytest.approx(0.8)
    else:
        assert found["centre"] > 0.8


@pytest.mark.parametrize(
    ("approval", "experimental"),
    [
        (Approval(state="approved", by="Board", on=NOW.start), False),
        (Approval(state="approved", by="Board", on=NOW.start + timedelta(days=1)), True),
        (Approval(state="approved", by="Board", until=NOW.start - timedelta(days=1)), True),
        (Approval(state="consulted"), True),
    ],
)
def test_a_kpi_that_is_not_approved_is_experimental(approval, experimental):
    """It is judged, and said to be experimental."""
    found = verdict_of(kpi_of(approval=approval), [900])
    assert (found["status"], found["experimental"]) == ("met", experimental)
    reasons = ("experimental: the KPI is not approved for this period",) if experimental else ()
    assert found["reasons"] == reasons


# What history adds.

STEADY = [800, 790, 810, 795, 805, 800, 785, 815, 800, 790, 810, 795, 805, 800, 790, 810]


@pytest.mark.parametrize(
    ("better", "latest", "variation", "rule"),
    [
        ("up", 800, "common_cause", ""),
        ("up", 900, "improving", "outside_limits"),
        ("up", 700, "worsening", "outside_limits"),
        ("down", 900, "worsening", "outside_limits"),
        ("down", 700, "improving", "outside_limits"),
        ("within", 900, "higher", "outside_limits"),
        ("within", 700, "lower", "outside_limits"),
    ],
)
def test_the_course_is_told_in_the_direction_of_the_kpi(better, latest, variation, rule):
    """Lower is better turns the words round; a band knows higher and lower alone."""
    team = (0.7, 0.9) if better == "within" else 0.8
    found = verdict_of(kpi_of(better=better, team=team), [*STEADY, latest])
    assert (found["variation"], found["rules"]) == (variation, rule)


@pytest.mark.parametrize(
    ("history", "variation"),
    [(8, "not_enough_data"), (9, "not_enough_data"), (11, "not_enough_data"), (12, "worsening")],
)
def test_limits_are_used_from_thirteen_points(history, variation):
    """Below ten nothing is said; from ten on the run rules hold, from thirteen on the limits."""
    found = verdict_of(kpi_of(), [*STEADY[:history], 600])
    assert (found["n_baseline"], found["variation"]) == (history + 1, variation)
    assert found["assurance"] == ("none" if history < 12 else "hit_or_miss")
    assert found["status"] == "missed_real"


def test_run_rules_are_used_from_ten_points():
    """Seven points in a row on one side are a signal in a short history too."""
    found = verdict_of(kpi_of(), [740, 720, 700, 830, 860, 820, 850, 830, 860, 835])
    assert (found["n_baseline"], found["variation"], found["rules"]) == (10, "improving", "shift")


@pytest.mark.parametrize(
    ("better", "team", "values", "assurance", "hit_rate"),
    [
        ("up", 0.70, STEADY, "hits", 1.0),
        ("up", 0.80, STEADY, "hit_or_miss", 10 / 16),
        ("up", 0.90, STEADY, "misses", 0.0),
        ("down", 0.90, STEADY, "hits", 1.0),
        ("down", 0.70, STEADY, "misses", 0.0),
        ("within", (0.70, 0.90), STEADY, "hits", 1.0),
        ("within", (0.80, 0.90), STEADY, "hit_or_miss", 10 / 16),
        ("within", (0.85, 0.90), STEADY, "misses", 0.0),
        ("within", (0.60, 0.70), STEADY, "misses", 0.0),
        # a series that never varies meets its target on equality
        ("up", 0.80, [800] * 15, "hits", 1.0),
        ("up", 1.00, [1000] * 15, "hits", 1.0),
        ("up", 0.81, [800] * 15, "misses", 0.0),
        ("down", 0.80, [800] * 15, "hits", 1.0),
        ("within", (0.80, 0.90), [800] * 15, "hits", 1.0),
        ("within", (0.70, 0.80), [800] * 15, "hits", 1.0),
        ("within", (0.81, 0.90), [800] * 15, "misses", 0.0),
    ],
)
def test_the_usual_range_is_held_against_the_target(better, team, values, assurance, hit_rate):
    """Of a band both sides must hold; the share of hits stands beside it."""
    found = verdict_of(kpi_of(better=better, team=team), values)
    assert (found["assurance"], found["hit_rate"]) == (assurance, hit_rate)


@pytest.mark.parametrize(
    ("team", "values", "status", "reasons"),
    [
        pytest.param(0.95, STEADY, "cannot_meet", (), id="never_in_reach"),
        pytest.param(0.82, [*STEADY, 700], "missed_real", (), id="changed_for_the_worse"),
        pytest.param(0.82, [700, 900] * 8 + [780], "missed_real", (), id="the_usual_level_misses_too"),
        pytest.param(
            0.80, [900, 750] * 8 + [765], "missed_chance",
            ("the usual level meets the target, and this period is within the usual ups and downs",),
            id="the_usual_level_meets_it",
        ),
        pytest.param(0.80, [765], "missed_real", (), id="no_history_to_say_otherwise"),
        pytest.param(0.80, [*[900, 750] * 4, 765], "missed_real", (), id="nine_points_are_no_history"),
    ],
)  # fmt: skip
def test_a_miss_is_real_where_the_process_agrees(team, values, status, reasons):
    """The interval lies beyond the target in each case; the course and the usual level decide between the three."""
    found = verdict_of(kpi_of(team=team), values)
    assert found["ci_high"] < team
    assert (found["status"], found["reasons"]) == (status, reasons)


def test_periods_that_are_not_fit_set_no_limit():
    """They are shown, and neither move the average nor count as history."""
    weeks = [week.label for week in NOW.back(16)]
    values = [*STEADY[:13], 100, 100, 800]
    with_them = verdict_of(kpi_of(), values)
    without = verdict_of(kpi_of(), values, ratings=rated(unfit=weeks[13:15]))
    assert (with_them["n_baseline"], without["n_baseline"]) == (16, 14)
    assert without["centre"] == pytest.approx(np.mean([*STEADY[:13], 800]) / 1000)
    assert without["hit_rate"] == pytest.approx(np.mean([v >= 800 for v in [*STEADY[:13], 800]]))
    assert with_them["centre"] < 0.75


def test_limits_begin_anew_where_the_register_says_so():
    """A step in the process that is known and explained is not a signal."""
    weeks = list(NOW.back(26))
    values = [500, 510, 490, 505, 495, 500, 510, 490, 505, 495, 500, 510, *[800, 810, 790, 805, 795, 800, 810] * 2]
    plain = verdict_of(kpi_of(), values)
    begun = verdict_of(kpi_of(rebase=((weeks[12].start + timedelta(days=3), "new rota"),)), values)
    assert plain["variation"] == "improving"
    assert (begun["variation"], begun["n_baseline"], begun["n_judged"]) == ("common_cause", 14, 14)
    assert begun["centre"] == pytest.approx(np.mean(values[12:]) / 1000)
    outside = verdict_of(kpi_of(rebase=((date(2020, 1, 1), "long ago"),)), values)
    assert outside["n_baseline"] == 26


def test_successive_periods_that_resemble_each_other_are_said():
    """Limits of a wandering series are too narrow; the reason says so, a steady series has none."""
    reason = verdicts.RESEMBLANCE
    assert reason == (
        "successive periods resemble each other, so a mark on its chart comes about by chance several times as often "
        "as usual: wait for a second one"
    )
    drifts = [800, 800, 817, 825, 809, 802, 795, 804, 802, 810, 784, 809, 804, 811, 805, 798, 805, 813, 805, 801, 809]
    once = verdict_of(kpi_of(), [*drifts, 795, 779, 792, 787, 769])
    assert (once["rules"], reason in once["reasons"]) == ("outside_limits", True)
    assert once["autocorrelation"] > verdicts.HIGH_AUTOCORRELATION
    twice = verdict_of(kpi_of(), [*drifts, 779, 792, 787, 769, 765])
    assert (twice["rules"], reason in twice["reasons"]) == ("outside_limits", False)  # the second one has come
    assert twice["autocorrelation"] > verdicts.HIGH_AUTOCORRELATION
    unmarked = verdict_of(kpi_of(), [800 + round(9 * np.sin(n)) for n in range(26)])
    assert (unmarked["rules"], reason in unmarked["reasons"]) == ("", False)
    steady = verdict_of(kpi_of(), STEADY)
    assert reason not in steady["reasons"]
    assert steady["autocorrelation"] <= verdicts.HIGH_AUTOCORRELATION
    assert reason not in verdict_of(kpi_of(), [800] * 20)["reasons"]
    # before a rebase it does not matter
    weeks = list(NOW.back(26))
    begun = kpi_of(rebase=((weeks[10].start, "new rota"),))
    assert reason not in verdict_of(begun, [300] * 10 + STEADY)["reasons"]


YEAR = [800, 790, 780, 760, 740, 730, 720, 730, 750, 770, 790, 805]
SEASON = "it follows the time of the year: the same month of the year before is the fairer comparison"
SAME = "it was much the same in the same month of the year before, so this may be the time of the year"


def monthly(values, **more):
    """Judge the last of these months."""
    month = Period.parse("2026-11")
    labels = [one.label for one in month.back(len(values))]
    ratings = pd.DataFrame(
        [("kpi", "centre", "", label, "fit", ()) for label in labels],
        columns=["kpi", "level", "unit", "period", "rating", "reasons"],
    )
    kpi = kpi_of(frequency="month", **more)
    return verdict_of(kpi, values, period=month, baseline=len(values), ratings=ratings)


def test_a_figure_that_follows_the_year_is_said_to_after_two_whole_years():
    """Not sooner, and not of a figure that only rises, wanders or stays."""
    draw = np.random.default_rng(4)
    two = [value + int(draw.integers(-8, 8)) for value in [*YEAR, *YEAR]]
    found = monthly(two)
    assert found["seasonal"]
    assert SEASON in found["reasons"]
    assert found["cycle_before"] == two[11] / 1000
    short = monthly(two[1:])
    assert not short["seasonal"]
    assert SEASON not in short["reasons"]
    for other in ([600 + 8 * n for n in range(24)], [800 + round(40 * np.sin(n / 7)) for n in range(24)], [800] * 24):
        assert not monthly(other)["seasonal"]


def test_months_without_a_season_are_hardly_ever_said_to_have_one():
    """Of 300 series of pure chance at most one, of random walks at most nine."""
    draw = np.random.default_rng(0)
    noise = draw.standard_normal((300, 24))
    wander = np.cumsum(noise, axis=1)
    for lines, most in ((noise, 1), (wander, 9)):
        own = pd.DataFrame({name: lines.ravel() for name in ("value", "ci_low", "ci_high", "n")})
        assert verdicts._cycle(own, "month", np.ones(lines.shape, dtype=bool))["seasonal"].sum() <= most


def test_a_remarkable_month_that_was_the_same_a_year_before_is_said():
    """One year tells no season, but a remarkable month can be held against the same month of the year before."""
    dip = [800, 805, 795, 800, 810, 790, 800, 805, 795, 800, 810, 795]
    found = monthly([650, *dip[1:], 650])
    assert found["status"] == "missed_real"
    assert SAME in found["reasons"]
    assert found["cycle_before"] == 0.65
    assert SAME not in monthly([800, *dip[1:], 650])["reasons"]
    assert SAME not in monthly([*dip, 810])["reasons"]
    assert SAME not in monthly([650, *dip[1:], 650], minimum_n=2000)["reasons"]
    assert np.isnan(monthly([*dip[1:], 650])["cycle_before"])


def test_a_gap_is_a_gap_and_not_a_fall(n=14):
    """Weeks without a row move no limit and are no run."""
    with_gaps = verdict_of(kpi_of(), [*STEADY[:7], None, *STEADY[7:14]])
    assert (with_gaps["n_baseline"], with_gaps["variation"]) == (n, "common_cause")
    assert with_gaps["centre"] == pytest.approx(np.mean(STEADY[:14]) / 1000)


def test_the_value_before_is_that_of_the_period_before():
    """Not the last one that happened to have a value."""
    assert verdict_of(kpi_of(), [700, 800, 900])["previous"] == 0.8
    assert np.isnan(verdict_of(kpi_of(), [700, None, 900])["previous"])
    assert np.isnan(verdict_of(kpi_of(), [900], baseline=1)["previous"])


# Kinds of measures.


def test_every_kind_of_measure_gets_the_interval_of_its_kind():
    """Wilson for shares, Student for means, Byar for rates, in the unit of the KPI."""
    share = verdict_of(kpi_of(), [800])
    assert (share["ci_low"], share["ci_high"]) == pytest.approx(tuple(intervals.wilson(800, 1000)))
    mean = verdict_of(kpi_of("mean", better="down", team=30.0), [20_000], squares=500_000)
    assert (mean["ci_low"], mean["ci_high"]) == pytest.approx(tuple(intervals.mean_from_sums(20_000, 500_000, 1000)))
    rate = verdict_of(kpi_of("rate", better="down", team=30.0), [20])
    low, high = intervals.byar(20, 1000)
    assert (rate["value"], rate["ci_low"], rate["ci_high"]) == pytest.approx((20.0, 1000 * low, 1000 * high))


def test_a_ratio_of_sums_takes_its_interval_from_its_own_ups_and_downs():
    """It has no sampling theory of its own; below ten points there is none, and nothing is called real."""
    kpi = kpi_of("ratio", team=0.8)
    long = verdict_of(kpi, [700, 720] * 8)
    reach = 1.959963985 * 2.66 / 3 * 0.02
    assert (long["ci_low"], long["ci_high"]) == pytest.approx((0.72 - reach, 0.72 + reach))
    short = verdict_of(kpi, [700, 720] * 4)
    assert np.isnan(short["ci_low"])
    assert (short["status"], short["reasons"]) == (
        "missed_chance",
        ("no interval can be given for this figure yet",),
    )
    assert verdict_of(kpi, [850, 870] * 4)["status"] == "met"


def test_the_interval_of_a_share_stays_within_what_a_share_can_be():
    """Also where it comes from ups and downs; only points may be negative."""
    wide = verdict_of(kpi_of("ratio", team=0.5), [10, 990] * 8)
    assert (wide["ci_low"], wide["ci_high"]) == (0.0, 1.0) or wide["ci_high"] == 1.0
    points = replace(MEASURES["ratio"], unit="points")
    assert verdict_of(kpi_of(measure=points, team=0.5), [10, 990] * 8 + [10])["ci_low"] < 0


def test_more_events_than_cases_give_a_value_and_no_interval():
    """One provider of NHS 111 counted more callers triaged than calls answered."""
    found = verdict_of(kpi_of(), [1050])
    assert (found["value"], found["status"], found["certain"]) == (1.05, "met", False)
    assert np.isnan(found["ci_low"]) and np.isnan(found["ci_high"])


def percentile_of(waits):
    """Judge the 90th percentile of these waits in one week."""
    bins, counts = np.unique(waits, return_counts=True)
    histogram = pd.DataFrame({"bin": bins, "n": counts}).assign(
        kpi="kpi", level="centre", unit="centre", period=NOW.start
    )
    parts = Components(components_of([sum(waits)], n=len(waits)).sums, histogram[[*KEYS, "bin", "n"]])
    kpi = kpi_of("percentile", better="down", team=30.0)
    return judge(series(parts, [kpi], [NOW], rated()), [kpi], NOW, rated()).iloc[0]


def test_a_percentile_is_judged_by_order_statistics():
    """Its interval ends at two of the waits themselves."""
    found = percentile_of(list(range(1, 101)))
    assert found["value"] == pytest.approx(90.1)
    assert (found["ci_low"], found["ci_high"]) == (84.0, 96.0)
    assert found["status"] == "missed_real"


def test_a_percentile_of_too_few_waits_has_no_upper_end():
    """Nine waits cannot bound a 90th percentile from above: no miss of theirs is real."""
    found = percentile_of([60] * 12)
    assert found["value"] == 60.0
    assert np.isnan(found["ci_high"])
    assert found["status"] == "missed_chance"


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=120),
    st.floats(0.01, 0.99),
)
def test_a_quantile_told_from_counts_is_that_of_the_values(values, share):
    """Value and interval are those of numpy and of the exact test, without writing the values out."""
    bins, counts = np.unique(np.array(values, dtype=float), return_counts=True)
    value, low, high = verdicts.quantile(bins, counts, share)
    assert value == pytest.approx(np.quantile(values, share))
    assert (low, high) == pytest.approx(tuple(intervals.quantile_order(values, share)), nan_ok=True)


def test_a_quantile_of_a_hundred_million_waits_needs_no_hundred_million_numbers():
    """Only as many numbers as there are different waits."""
    value, low, high = verdicts.quantile(np.arange(600.0), np.full(600, 200_000), 0.9)
    assert 539.0 <= value <= 540.0
    assert low <= value <= high


def test_two_units_of_the_gate_with_one_name_do_not_stop_the_run():
    """A team may be called like the centre."""
    gate = pd.concat([rated(), rated(unit="centre", rating="caution")])
    assert verdict_of(kpi_of(), [900], ratings=gate)["status"] == "met"


# Properties.

RANK = {"met": 3, "within_tolerance": 2, "missed_chance": 1, "missed_real": 0, "cannot_meet": 0}
betters = st.sampled_from(["up", "down", "within"])


def band(better, low, width):
    """Return a target of a direction."""
    return (low, min(low + width + 0.01, 1.0)) if better == "within" else low


def judged_all(kpi, lines, n=400):
    """Judge many units at once, each with its own weeks; the last week is the same for all."""
    weeks = list(NOW.back(26))
    rows = [
        ("kpi", "team", f"team {number}", week.start, value, n, n, 0)
        for number, line in enumerate(lines)
        for week, value in zip(weeks[-len(line) :], line, strict=True)
        if value is not None
    ]
    columns = [*KEYS, "numerator", "denominator", "n", "squares"]
    parts = Components(pd.DataFrame(rows, columns=columns), pd.DataFrame(columns=[*KEYS, "bin", "n"]))
    ratings = rated(weeks=26)
    found = judge(series(parts, [kpi], weeks, ratings), [kpi], NOW, ratings).set_index("unit")
    return found.loc[[f"team {number}" for number in range(len(lines))]].reset_index()


@settings(max_examples=16)
@given(
    better=betters,
    low=st.floats(0, 0.99),
    width=st.floats(0, 0.5),
    tolerance=st.floats(0, 0.2),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_miss_is_called_real_where_the_interval_reaches_target_or_tolerance(better, low, width, tolerance, seed):
    """Whatever came before; and a figure that meets its target is never called missed."""
    draw = np.random.default_rng(seed)
    team = band(better, low, width)
    lines = []
    for _ in range(50):
        about = draw.choice([low * 400, draw.integers(0, 401)])
        weeks = np.clip(draw.normal(about, draw.choice([0, 2, 15, 80]), draw.integers(1, 26)), 0, 400).round()
        lines.append([None if draw.random() < 0.1 else int(value) for value in weeks[:-1]] + [int(weeks[-1])])
    found = judged_all(kpi_of(better=better, team=team, tolerance=tolerance), lines)
    assert set(found["status"]) <= set(RANK)
    floor, ceiling = {
        "up": (low, np.inf),
        "down": (-np.inf, low),
        "within": (low, team[1] if better == "within" else 0),
    }[better]
    real = found[found["status"].isin(["missed_real", "cannot_meet"])]
    reaches = (real["ci_high"] >= floor - tolerance) & (real["ci_low"] <= ceiling + tolerance)
    assert not reaches.any()
    assert real["certain"].all()
    inside = found["value"].between(floor, ceiling)
    assert (found.loc[inside, "status"] == "met").all()
    sure = found[(found["status"] == "met") & found["certain"]]
    assert ((sure["ci_low"] >= floor - 1e-6) & (sure["ci_high"] <= ceiling + 1e-6)).all()


@settings(max_examples=8)
@given(better=st.sampled_from(["up", "down"]), low=st.floats(0.01, 0.99), tolerance=st.floats(0, 0.2))
def test_a_better_value_never_has_a_worse_verdict(better, low, tolerance):
    """With everything else the same, the status is monotone in the value."""
    kpi = kpi_of(better=better, team=low, tolerance=tolerance)
    found = judged_all(kpi, [[value] for value in range(0, 401, 5)])
    ranks = found["status"].map(RANK)
    assert ranks.is_monotonic_increasing if better == "up" else ranks.is_monotonic_decreasing


@settings(max_examples=8)
@given(team=st.floats(0.05, 0.95), seed=st.integers(0, 2**32 - 1))
def test_higher_and_lower_is_better_are_mirror_images(team, seed):
    """Turning successes into failures and the target round changes no status and no course."""
    draw = np.random.default_rng(seed)
    lines = [
        np.clip(draw.normal(400 * team, draw.choice([2, 20, 60]), draw.integers(10, 26)), 0, 400).round().astype(int)
        for _ in range(40)
    ]
    up = judged_all(kpi_of(better="up", team=team), [list(line) for line in lines])
    down = judged_all(kpi_of(better="down", team=1 - team), [list(400 - line) for line in lines])
    columns = ["status", "variation", "assurance"]
    assert up[columns].equals(down[columns])


def test_a_shortfall_is_how_far_a_value_is_on_the_wrong_side():
    """Nought on the target and on the right side of it; of a band, from the nearer end."""
    assert shortfall(0.9, 0.8, NAN, "up") == 0
    assert shortfall(0.8, 0.8, NAN, "down") == 0
    assert shortfall(0.7, 0.8, NAN, "up") == pytest.approx(0.1)
    assert shortfall(0.9, 0.8, NAN, "down") == pytest.approx(0.1)
    assert [float(shortfall(v, 360, 480, "within")) for v in (300, 360, 400, 480, 500)] == [60, 0, 0, 0, 20]
    assert np.isnan(shortfall(0.9, NAN, NAN, "up"))


def test_people_are_weighed_by_their_last_quarter_of_usable_periods():
    """Thirteen weeks that have data and are fit, gaps passed over."""
    weeks = [week.label for week in NOW.back(26)]
    values = [100] * 12 + [None] + [900] * 13
    found = verdict_of(kpi_of(), values, level="agent", unit="a7", ratings=rated(unfit=weeks[20:21]))
    assert found["pooled_periods"] == 13
    assert (found["pooled_n"], found["pooled_numerator"]) == (13_000, 12 * 900 + 100)


def test_an_own_measure_without_scale_is_judged_in_its_unit():
    """Thousandths that are summed are divided back."""
    measure = Measure(
        key="own", about="own", kind="ratio", unit="s", better="down",
        numerator=Side(table="intervals", of="asa_s * n_answered", scale=1000),
        denominator=Side(table="intervals", of="n_answered"), source="own",
    )  # fmt: skip
    assert verdict_of(kpi_of(measure=measure, better="down", team=30.0), [12_500_000])["value"] == pytest.approx(12.5)


# A course of rare cases: one more or less is a jump, and a run without any is no improvement.


def test_a_run_of_weeks_without_a_miss_is_no_improvement_where_misses_are_rare():
    """A person with a miss every other week and then none for ten weeks has done nothing that chance does not do."""
    kpi = kpi_of(levels=("agent",), minimum_n=5)
    values = [24, 25] * 8 + [25] * 10
    row = verdict_of(kpi, values, n=25, level="agent", unit="A1")
    assert (row["variation"], row["rules"]) == ("common_cause", "")


def test_many_misses_at_once_are_told_however_rare_they_were():
    """Six misses in a week of 25 cases, after a miss every other week."""
    kpi = kpi_of(levels=("agent",), minimum_n=5)
    row = verdict_of(kpi, [24, 25] * 12 + [25, 19], n=25, level="agent", unit="A1")
    assert (row["variation"], row["rules"]) == ("worsening", "outside_limits")


def test_frequent_cases_keep_their_course():
    """The same shares of a hundred times the cases say that something changed."""
    kpi = kpi_of(levels=("agent",), minimum_n=5)
    values = [2400, 2500] * 8 + [2500] * 10
    assert verdict_of(kpi, values, n=2500, level="agent", unit="A1")["variation"] == "improving"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_percentile_with_censored_waits_is_that_of_kaplan_and_meier(seed, share):
    """The estimate and its pointwise interval are SciPy's; ties of answers come before those who gave up."""
    rng = np.random.default_rng(seed)
    waits = rng.integers(0, 60, 300)
    gave_up = rng.random(300) < 0.3
    data = stats.CensoredData(uncensored=waits[~gave_up], right=waits[gave_up])
    oracle = stats.ecdf(data)
    values = np.unique(waits).astype(float)
    counts = np.array([((waits == v) & ~gave_up).sum() for v in values])
    censored = np.array([((waits == v) & gave_up).sum() for v in values])
    found, low, high = survival_quantile(values, counts, censored, share)
    reached = oracle.cdf.quantiles[oracle.cdf.probabilities >= share - 1e-12]
    assert found == (reached[0] if len(reached) else pytest.approx(np.nan, nan_ok=True))
    around = oracle.sf.confidence_interval(method="log-log")
    for end, curve in ((low, around.low), (high, around.high)):
        within = curve.quantiles[curve.probabilities <= 1 - share + 1e-9]
        assert end == (within[0] if len(within) else pytest.approx(np.nan, nan_ok=True))
    if not np.isnan(high):
        assert low <= found <= high


def test_without_anyone_who_gave_up_it_is_the_plain_share():
    """And where most gave up, no figure is given rather than the longest wait."""
    values = np.array([5.0, 9.0, 20.0])
    assert survival_quantile(values, np.array([5, 4, 1]), np.zeros(3, dtype=int), 0.9)[0] == 9.0
    assert np.isnan(survival_quantile(values, np.array([1, 1, 0]), np.array([5, 5, 9]), 0.5)[0])

"""Vancouver 3-1-1: 15 years of days, weighted averages, limits calculated anew, two file formats with one answer."""

from __future__ import annotations

import pandas as pd
import pytest

from ccanalysis import results
from ccanalysis.views import lead, to_do

pytestmark = [pytest.mark.shared, pytest.mark.slow]

CSV = 'files = "{shared}/data/vancouver_311/3-1-1-contact-centre-metrics.csv"\ndelimiter = ";"\n'
EXCEL = 'files = "{shared}/data/vancouver_311/3-1-1-contact-centre-metrics-2023.xlsx"\nformat = "excel"\n'


@pytest.fixture(scope="module")
def workspace(example):
    """The workspace."""
    return example("vancouver-311")


@pytest.fixture(scope="module")
def course(workspace):
    """The results of the last month; their look-back is all 184 months."""
    return results.compute(workspace, "2024-09")


@pytest.fixture(scope="module")
def year(workspace):
    """The results of 2023 as one period."""
    return results.compute(workspace, "2023")


@pytest.fixture(scope="module")
def days(reference_data):
    """The file as it is, by month."""
    path = reference_data / "vancouver_311" / "3-1-1-contact-centre-metrics.csv"
    raw = pd.read_csv(path, sep=";", encoding="utf-8-sig")
    return raw.assign(month=raw["Date"].str[:7], seconds=(raw["AverageSpeedofAnswer"] * raw["CallsHandled"]).round())


def test_the_average_speed_of_answer_of_2023_is_weighted_by_calls(year, days):
    """52.956 s: the summed wait through 377,605 calls handled, not the mean of the days' averages, 48.214 s."""
    row = year.verdicts.set_index("kpi").loc["asa"]
    assert (row["numerator"], row["denominator"]) == (19_996_634, 377_605)
    assert f"{row['value']:.3f}" == "52.956"
    of_year = days[days["month"].str.startswith("2023")]
    assert f"{of_year['AverageSpeedofAnswer'].mean():.3f}" == "48.214"


def test_abandonment_of_2023(year):
    """19,661 of 400,896 calls offered."""
    row = year.verdicts.set_index("kpi").loc["abandoned"]
    assert (row["numerator"], row["denominator"]) == (19_661, 400_896)
    assert f"{100 * row['value']:.3f}" == "4.904"


def test_the_workbook_gives_the_figures_of_the_csv(example, year):
    """The same settings on the Excel file of 2023 give the same sides and values, to the last digit."""
    workbook = results.compute(example("vancouver-311", {CSV: EXCEL}), "2023")
    assert int(workbook.intake["kept"].sum()) == 365
    kept = ["kpi", "numerator", "denominator", "n", "value"]
    pd.testing.assert_frame_equal(workbook.verdicts[kept], year.verdicts[kept], check_exact=True)


def test_the_course_spans_the_15_years(course, days):
    """184 months, each the sums of its days."""
    series = course.series.set_index(["kpi", "period"])
    months = days.groupby("month")[["CallsOffered", "CallsHandled", "CallsAbandoned", "seconds"]].sum()
    assert len(months) == 184
    asa, abandoned = series.loc["asa"], series.loc["abandoned"]
    assert asa["value"].to_dict() == pytest.approx((months["seconds"] / months["CallsHandled"]).to_dict(), abs=1e-3)
    shares = months["CallsAbandoned"] / months["CallsOffered"]
    assert abandoned["value"].to_dict() == pytest.approx(shares.to_dict(), rel=1e-12)


@pytest.mark.parametrize(
    ("kpi", "parts"),
    [
        (
            "asa",
            [
                ("2009-06", "2010-01"),
                ("2010-02", "2012-12"),
                ("2013-01", "2018-12"),
                ("2019-01", "2020-03"),
                ("2020-04", "2024-09"),
            ],
        ),
        ("abandoned", [("2009-06", "2010-01"), ("2010-02", "2020-03"), ("2020-04", "2024-09")]),
    ],
)
def test_limits_are_calculated_anew_on_the_days_that_the_register_gives(course, kpi, parts):
    """Each part has one centre line and its own limits; the opening months are no measure for the rest."""
    series = course.series[course.series["kpi"] == kpi]
    lines = series.groupby((series["centre"] != series["centre"].shift()).cumsum())["period"].agg(["min", "max"])
    assert list(lines.itertuples(index=False, name=None)) == parts
    assert series.groupby("centre")["upper"].nunique().eq(1).all()


def test_months_that_stand_out_are_marked(course):
    """June 2015 and June 2019 lie outside their limits, for the worse."""
    series = course.series[course.series["kpi"] == "asa"].set_index("period")
    for month in ("2015-06", "2019-06"):
        assert series.loc[month, ["rule", "point"]].tolist() == ["outside_limits", "concern_high"]


@pytest.mark.parametrize(
    ("day", "kpi", "value"),
    [("2019-07-02", "asa", "588.5"), ("2015-08-29", "abandoned", "0.4")],
    ids=["asa", "abandoned"],
)
def test_an_extreme_day_stands_out_on_its_own_chart(workspace, day, kpi, value):
    """By day, with 184 days before it: 588.5 s on average, and 1,437 of 3,203 callers who gave up."""
    row = results.compute(workspace, day).verdicts.set_index("kpi").loc[kpi]
    assert (row["variation"], row["rules"]) == ("worsening", "outside_limits")
    assert f"{row['value']:.1f}" == value


def failed(course, rule: str) -> dict[str, int]:
    """Count failing rows per month."""
    history = course.rule_history
    own = history[(history["rule"] == f"intervals.{rule}") & (history["level"] == "centre")]
    own = own[own["outcome"] == "failed"]
    return dict(zip(own["period"], own["n_failed"].astype(int), strict=True))


def test_days_with_more_calls_handled_and_abandoned_than_offered_are_found(course, days):
    """23 days, month by month."""
    gap = days["CallsOffered"] - days["CallsHandled"] - days["CallsAbandoned"]
    expected = days[gap < 0].groupby("month").size().to_dict()
    assert sum(expected.values()) == 23
    assert failed(course, "parts_offered") == expected


def test_missing_days_are_found(course):
    """7 March 2010 and 8 March 2013 are missing, and the file begins in the middle of June 2009."""
    assert failed(course, "days_present") == {"2009-06": 14, "2010-03": 1, "2013-03": 1}
    coverage = course.coverage[(course.coverage["level"] == "centre") & (course.coverage["reason"] != "")]
    assert dict(zip(coverage["period"], coverage["reason"], strict=True)) == {
        "2009-06": "14 of 30 open days have no rows",
        "2010-03": "1 of 31 open days has no rows",
        "2013-03": "1 of 31 open days has no rows",
    }


def test_a_change_of_precision_is_found(course, days):
    """From 2013 to 2018 every day has whole seconds; in 2023 none has. Three decimals of service level end in 2011."""
    whole = failed(course, "asa_precise")
    sizes = days.groupby("month").size()
    rounded = [month for month in sizes.index if "2013" <= month < "2019"]
    assert len(rounded) == 72
    assert {month: whole[month] for month in rounded} == sizes[rounded].to_dict()
    assert not [month for month in whole if month.startswith("2023")]
    short = failed(course, "service_level_precise")
    assert short["2010-06"] == 30
    assert max(count for month, count in short.items() if month > "2011-06") < 10


def test_an_average_of_no_second_at_all_is_found(course):
    """Two days in December 2017, with more than a thousand calls each."""
    assert failed(course, "asa_zero") == {"2017-12": 2}


def test_a_service_level_without_a_definition_is_printed_as_experimental(year):
    """Its threshold and denominator are not documented, so nobody has approved it."""
    row = year.verdicts.set_index("kpi").loc["service_level"]
    assert row["experimental"]
    assert "service_level" not in set(year.findings["kpi"])


def test_a_centre_without_targets_is_not_told_that_they_were_met(course):
    """The file names no target: nothing is judged, and the report does not say that all is well."""
    said = "In September 2024, no figure was held against a target. 4 figures should be read with caution"
    assert said in "".join(lead(course).text)
    advice = to_do(course)
    assert "".join(advice.text) == "No figure was held against a target; see what changed, and what the data need."
    assert advice.status is None

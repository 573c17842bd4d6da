"""A sample of complaints: the bureau's own flags reproduced, and each defect of the file found, by rule and count.

Every count is taken a second time here, straight from the file and in pandas.
"""

from __future__ import annotations

import pandas as pd
import pytest

from ccanalysis import results

pytestmark = [pytest.mark.shared, pytest.mark.slow]

MONTHS = ["2011-12", "2012-12", "2013-12", "2014-12", "2015-09", "2015-10"]


@pytest.fixture(scope="module")
def found(example):
    """The results of the last month; their look-back is the whole file."""
    return results.compute(example("cfpb-complaints"), "2015-10")


@pytest.fixture(scope="module")
def complaints(reference_data):
    """The file as text."""
    path = reference_data / "cfpb_complaints" / "ConsumerComplaints.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False)


@pytest.mark.parametrize(
    ("kpi", "numerator", "denominator"),
    [
        ("timely", 9_072, 9_224),
        ("disputed", 1_673, 6_894),
        ("relief", 1_591, 8_573),
        ("to_company", 39_652 * 86_400, 9_224),
    ],
)
def test_a_reference_value_is_reproduced(found, kpi, numerator, denominator):
    """98.35 % in time; 24.27 % disputed of those for which it is known; 4.3 days on the way to the company."""
    own = found.series[(found.series["kpi"] == kpi) & (found.series["level"] == "centre")]
    assert (int(own["numerator"].sum()), int(own["denominator"].sum())) == (numerator, denominator)


def test_every_complaint_is_kept_and_none_counts_twice(found):
    """9,224 rows, each with an identifier of its own, lines of quoted text and all."""
    kept = ["read", "kept", "quarantined", "duplicates"]
    assert found.intake[kept].iloc[0].tolist() == [9_224, 9_224, 0, 0]


def test_every_defect_is_found_and_nothing_else(found, complaints):
    """What was escaped, cut, masked or left empty is counted; rules on clean columns fail for no row."""
    history = found.rule_history[(found.rule_history["level"] == "centre")]
    counts = history.groupby("rule")["n_failed"].sum()
    failed = {rule.removeprefix("contacts."): int(n) for rule, n in counts.items() if n}
    escaped = {name: int(complaints[name].str.contains("\\", regex=False).sum()) for name in complaints}
    empty = {name: int((complaints[name] == "").sum()) for name in complaints}
    late = complaints["TimelyResponseSts"] == "No"
    answer, code = complaints["CompanyResponseConsumer"], complaints["ZipCode"]
    assert failed == {
        "issue_plain": escaped["Issue"],
        "sub_issue_plain": escaped["SubIssue"],
        "sub_product_plain": escaped["SubProduct"],
        "public_response_plain": escaped["CompanyPublicResponse"],
        "company_plain": escaped["Company"],
        "complaint_text_given": empty["ConsumerComplaint"],
        "sub_issue_given": empty["SubIssue"],
        "sub_product_given": empty["SubProduct"],
        "public_response_given": empty["CompanyPublicResponse"],
        "disputed_given": empty["ConsumerDisputedSts"],
        "state_given": empty["State"],
        "zip_given": empty["ZipCode"],
        "zip_whole": int(code.str.len().between(1, 4).sum()),
        "zip_unmasked": int(code.str.contains("X").sum()),
        "response_words": int(answer.isin(["Closed with relief", "Closed without relief"]).sum()),
        "response_final": int((answer == "In progress").sum()),
        "untimely_agrees": int((late & (answer != "Untimely response")).sum()),
        "months_there": 41,
    }
    assert (failed["issue_plain"], failed["zip_whole"], failed["zip_unmasked"]) == (1_003, 723, 1_129)
    assert (failed["response_final"], failed["untimely_agrees"], late.sum()) == (614, 115, 152)


def test_the_change_of_words_is_dated(found):
    """Relief without saying which kind was a word of December 2011 alone."""
    history = found.rule_history[found.rule_history["rule"] == "contacts.response_words"]
    failed = history[(history["level"] == "centre") & (history["outcome"] == "failed")]
    assert dict(zip(failed["period"], failed["n_failed"].astype(int), strict=True)) == {"2011-12": 49}


def test_dates_in_clusters_are_found(found):
    """Complaints of six months in four years: the other 41 months are told to have none."""
    history = found.rule_history[found.rule_history["rule"] == "contacts.months_there"]
    passed = history[(history["level"] == "centre") & (history["outcome"] == "passed")]
    assert passed["period"].tolist() == MONTHS
    coverage = found.coverage[found.coverage["level"] == "centre"]
    assert (coverage["reason"] == "there are no rows").sum() == 41


def test_an_unknown_dispute_is_no_no(found, complaints):
    """2,330 complaints, 614 of them still in progress, stand on neither side of the share."""
    unknown = complaints["ConsumerDisputedSts"] == ""
    assert unknown.sum() == 2_330
    assert unknown[complaints["CompanyResponseConsumer"] == "In progress"].all()
    own = found.series[(found.series["kpi"] == "disputed") & (found.series["level"] == "centre")]
    assert int(own["denominator"].sum()) == (~unknown).sum()

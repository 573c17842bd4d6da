"""Canada's service standards: 1,815 performances and 1,783 official verdicts, computed anew from their two volumes.

The contract has no interval of a year, so there is no workspace to show: the file is read by a mapping here, as one
interval per standard, and its figures go the way of every figure: read at the door, summed by the engine, divided last,
and held against a target by the arithmetic of the verdicts.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ccanalysis import results
from ccanalysis.verdicts import shortfall
from ccanalysis.workspace import Workspace

pytestmark = [pytest.mark.shared, pytest.mark.slow]

SETTINGS = """
[centre]
name = "Service standards"
time_zone = "America/Toronto"
[paths.shared]
env = "CCANALYSIS_SHARED"
default = "../shared"
[run]
frequency = "month"
baseline_periods = 1
[[sources]]
name = "standards"
table = "intervals"
files = "{shared}/data/canada_service_standards/ss_2024.csv"
[sources.columns]
starts_on = { value = "2023-04-01", format = "iso" }
length = { value = "month" }
queue = { column = ["service_id", "service_standard_id"] }
channel = { value = "voice" }
n_offered = "total_volume"
n_in_threshold = "volume_meeting_target"
"""
REGISTER = """
version: 1
kpis:
  - id: performance
    name: Performance
    purpose: Share of the volume that met the standard.
    measure:
      kind: ratio
      unit: share
      table: intervals
      about: volume that met the standard, of all volume
      numerator: {sum: n_in_threshold, where: n_offered is not null}
      denominator: {sum: n_offered, where: n_in_threshold is not null}
      source: Treasury Board of Canada Secretariat, service inventory
    better: up
    levels: [queue]
    frequency: month
    minimum_n: 1
    owner: Nobody
    approval: {state: draft}
    action_after_review: None.
"""


@pytest.fixture(scope="module")
def standards(reference_data):
    """The file, with a name for each standard; one has the identifier NA, which is a text and not a missing value."""
    path = reference_data / "canada_service_standards" / "ss_2024.csv"
    raw = pd.read_csv(path, encoding="utf-8-sig")
    as_text = pd.read_csv(path, encoding="utf-8-sig", dtype=str, keep_default_na=False)
    identifier = as_text["service_id"] + " " + as_text["service_standard_id"]
    assert identifier.is_unique
    return raw.assign(unit=identifier)


@pytest.fixture(scope="module")
def computed(standards, tmp_path_factory):
    """The standards by row of the file, with the value and both sums that the pipeline arrives at."""
    folder = tmp_path_factory.mktemp("standards")
    (folder / "ccanalysis.toml").write_text(SETTINGS, encoding="utf-8")
    (folder / "kpis.yml").write_text(REGISTER, encoding="utf-8")
    (folder / "expectations").mkdir()
    found = results.compute(Workspace.open(folder), "2023-04")
    assert int(found.intake["kept"].sum()) == len(standards) == 2_343
    values = found.series[found.series["level"] == "queue"].set_index("unit")
    return standards.join(values[["numerator", "denominator", "value"]], on="unit")


def test_1815_of_1815_performances_are_reproduced(computed):
    """Volume that met the standard through all volume agrees with the published figure to its four decimals."""
    both = computed.dropna(subset=["volume_meeting_target", "total_volume", "performance"])
    assert len(both) == 1_815
    assert ((both["value"] - both["performance"]).abs() <= 0.5e-4 + 1e-12).sum() == 1_815


def test_1783_of_1783_verdicts_are_reproduced(computed):
    """A standard is met where its figure, at the four decimals published, does not fall short of its target."""
    judged = computed.dropna(subset=["target_met"])
    missing = shortfall(judged["value"].round(4), judged["target"], np.nan, "up")
    assert ((missing == 0) == (judged["target_met"] == "Y")).sum() == len(judged) == 1_783
    assert (judged["target_met"] == "Y").sum() == 1_313


def test_six_verdicts_hang_on_the_rounding_of_the_figure(computed):
    """Held against the target without rounding, six standards that were called met fall short by under 0.00005."""
    judged = computed.dropna(subset=["target_met"])
    missing = shortfall(judged["value"], judged["target"], np.nan, "up")
    differ = judged[(missing == 0) != (judged["target_met"] == "Y")]
    assert len(differ) == 6
    assert set(differ["target_met"]) == {"Y"}
    assert (differ["target"] - differ["value"]).between(0, 0.5e-4, inclusive="neither").all()


def test_pooled_volume_and_the_share_of_standards_met_answer_different_questions(computed):
    """By telephone 63 % of the standards were met, and 51.4 % of the volume."""
    phone = computed[(computed["channel"] == "TEL") & computed["value"].notna()]
    assert (phone["numerator"].sum(), phone["denominator"].sum()) == (20_189_266, 39_250_890)
    assert phone["target_met"].value_counts().to_dict() == {"Y": 66, "N": 38}

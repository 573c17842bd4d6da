"""Overrides: a figure whose data are not fit is judged with caution where a named person says so, and it is printed."""

from __future__ import annotations

import html
import re
from datetime import date

import pandas as pd
import pytest

from ccanalysis import cli
from ccanalysis.checks.overrides import Lifting
from ccanalysis.errors import SettingsError
from ccanalysis.periods import Period
from ccanalysis.results import Results
from ccanalysis.workspace import Override

from .conftest import PERIOD, make

USED = """
[[overrides]]
kpi = "service_level"
period = "2026-W46"
by = "Ada Reed, Head of Operations"
reason = "The switch tells <b>milliseconds</b>; Leeds agrees"
expires = 2026-11-30
"""
EXPIRED = """
[[overrides]]
kpi = "abandon_rate"
from = 2026-10-05
until = 2026-11-15
by = "Bo Hart"
reason = "Agreed in October"
expires = 2026-11-12
"""
NEEDLESS = """
[[overrides]]
rule = "contacts.days_mostly_present"
period = "2026-W46"
by = "Cy Dunn"
reason = "The days were closed"
expires = "2026-11-30"
"""

# What blocks the service level of a week told in milliseconds.
BLOCKING = ("contacts.wait_unit", "contacts.wait_unit_constant")


@pytest.fixture(scope="module")
def broken(tmp_path_factory, all_calls):
    """A centre whose switch told the waits of the week in milliseconds, so that no figure of waits is fit."""
    weir = make(tmp_path_factory.mktemp("broken"), all_calls)
    week = all_calls["Offered"] >= "2026-11-09"
    weir.export("calls_1.csv", all_calls.assign(Wait=all_calls["Wait"].mask(week, all_calls["Wait"] * 1000)))
    return weir


def verdict(results: Results, kpi: str, level: str = "centre") -> pd.Series:
    """Return the verdict of the first unit of a level."""
    judged = results.verdicts
    return judged[(judged["kpi"] == kpi) & (judged["level"] == level)].iloc[0]


@pytest.mark.slow
def test_without_an_override_nothing_is_judged_and_the_gate_refuses(broken, capsys):
    """What the gate says stands."""
    found = broken.compute()
    assert verdict(found, "service_level")["status"] == "not_judged"
    assert found.refused["kpi"].tolist() == ["service_level"]
    assert cli.main(["check", "--workspace", str(broken.root), "--period", PERIOD]) == 1


@pytest.mark.slow
def test_an_override_lets_one_kpi_be_judged_with_caution_and_no_other(broken, capsys):
    """Centre, teams and agents; who decided so stands first among the reasons of the gate."""
    found = broken.compute(USED, EXPIRED, NEEDLESS)
    why = (
        "judged by override of Ada Reed, Head of Operations until 30 November 2026: "
        "The switch tells <b>milliseconds</b>; Leeds agrees"
    )
    for level in ("centre", "team", "agent"):
        row = verdict(found, "service_level", level)
        assert row["data"] == "caution" and row["status"] != "not_judged"
        assert why in row["reasons"]
    assert verdict(found, "abandon_rate")["data"] == "fit"
    listed = found.overrides
    assert listed[["state", "kpi", "level", "unit", "was"]].to_numpy().tolist() == [
        ["used", "service_level", "centre", "", "not fit"],
        ["used", "service_level", "channel", "voice", "not fit"],
        ["used", "service_level", "team", "Aire", "not fit"],
        ["used", "service_level", "team", "Taff", "not fit"],
        ["expired", "abandon_rate", "centre", "", ""],
        ["not needed", "", "centre", "", ""],
    ]
    assert cli.main(["check", "--workspace", str(broken.root), "--period", PERIOD]) == 0
    said = capsys.readouterr().err
    assert "service_level: not fit: judged by override of Ada Reed, Head of Operations until 2026-11-30: The sw" in said
    assert "abandon_rate: expired: override of Bo Hart until 2026-11-12: Agreed in October" in said


@pytest.mark.slow
def test_every_edition_that_shows_the_figure_names_who_why_and_until_when(broken):
    """Readers of the centre, of a team and of a line manager see it; what changes nothing is the analyst's."""
    made = broken.run(USED, EXPIRED, NEEDLESS)
    assert made.failed == []
    pages = {page.name: page for folder in ("*", "*/*") for page in made.folder.glob(f"{folder}/0*.html")}
    assert len(pages) == 4
    for page in (page for folder in ("*", "*/*") for page in made.folder.glob(f"{folder}/0*.html")):
        written = re.sub(r"<(script|style).*?</\1>", "", page.read_text(encoding="utf-8"), flags=re.S)
        plain = html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", written)))
        assert "decided so, until 30 November 2026: The switch tells" in plain, page.name
        assert "Ada Reed, Head of Operations" in plain
        assert "<b>milliseconds" not in written
        for whom in ("Bo Hart", "Cy Dunn"):
            assert (whom in plain) == page.name.startswith(("01", "02")), page.name
    data = pages["01-data-quality.html"].read_text(encoding="utf-8")
    assert "expired on 12 November 2026 and does nothing" in data
    assert "is not needed: the data can be judged without it" in data


@pytest.mark.slow
def test_an_override_of_one_team_is_not_told_to_another(broken):
    """It is printed where the figure is, and nowhere else."""
    made = broken.run(USED + 'level = "team"\nunit = "Aire"\n')
    assert made.failed == []
    told = {
        page.parent.name.split("-")[0]: "Ada Reed" in page.read_text() for page in made.folder.glob("teams/*/03*.html")
    }
    assert told == {"aire": True, "taff": False}
    found = broken.compute(USED + 'level = "team"\nunit = "Aire"\n')
    assert found.refused["kpi"].tolist() == ["service_level"]


@pytest.mark.slow
def test_an_override_of_a_rule_concerns_every_figure_that_it_alone_blocks(broken):
    """Two rules tell of one fault here; only where both are overridden does the gate let the figures through."""
    rules = [USED.replace('kpi = "service_level"', f'rule = "{name}"') for name in BLOCKING]
    assert broken.compute(rules[0]).refused["kpi"].tolist() == ["service_level"]
    found = broken.compute(*rules)
    assert found.refused.empty
    judged = found.verdicts
    assert set(judged.loc[judged["kpi"] == "service_level", "data"]) == {"caution"}
    assert cli.main(["check", "--workspace", str(broken.root), "--period", PERIOD]) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ('kpi = "service_levl"', "an override names the KPI 'service_levl', which is not there. Did you mean"),
        ('rule = "contacts.days"', "an override names the rule 'contacts.days', which is not there. "),
    ],
)
def test_an_override_of_what_is_not_there_is_refused(broken, wrong, problem):
    """A mistyped name must not look like a decision."""
    with pytest.raises(SettingsError) as told:
        broken.compute(USED.replace('kpi = "service_level"', wrong))
    assert problem in str(told.value)


# --- the rules of lifting ---------------------------------------------------------------------------------------------

RANKS = {"fit": 0, "caution": 1, "unknown": 2, "not fit": 3}


def override(**more) -> Override:
    days = {"starts_on": date(2026, 11, 9), "ends_on": date(2026, 11, 15), "expires_on": date(2026, 11, 30)}
    return Override(by="A", reason="b", **({"kpi": "wait"} | days | more))


def ranks(*overrides: Override, day: date = date(2026, 11, 15)) -> dict[tuple[str, str, str], int]:
    """Lift marks of two KPIs, two units and two periods; return the ranks that are left, by KPI, unit and period."""
    marks = pd.DataFrame(
        [
            (kpi, level, unit, period, "accuracy", rank, rule, "why")
            for kpi, rank, rule in (("wait", 3, "r1"), ("talk", 2, "r1"), ("talk", 3, "r2"), ("csat", 0, "r3"))
            for level, unit in (("centre", ""), ("team", "Aire"))
            for period in ("2026-W45", "2026-W46")
        ],
        columns=["kpi", "level", "unit", "period", "verdict", "rank", "rule", "reason"],
    )
    lifted = Lifting(overrides, day, Period.parse("2026-W46")).lift(marks, RANKS)
    before, left = (frame.groupby(["kpi", "unit", "period"])["rank"].max() for frame in (marks, lifted))
    return {key: rank for key, rank in left.items() if rank != before[key]}


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        (override(), {("wait", "", "2026-W46"): 1, ("wait", "Aire", "2026-W46"): 1}),
        (override(level="centre"), {("wait", "", "2026-W46"): 1}),
        (override(level="team", unit="Aire"), {("wait", "Aire", "2026-W46"): 1}),
        (override(level="team", unit="Taff"), {}),
        (override(starts_on=date(2026, 11, 10)), {}),
        (override(ends_on=date(2026, 11, 14)), {}),
        (override(starts_on=date(2026, 11, 3), level="centre"), {("wait", "", "2026-W46"): 1}),
        (override(expires_on=date(2026, 11, 14)), {}),
        (override(expires_on=date(2026, 11, 15), level="centre"), {("wait", "", "2026-W46"): 1}),
        (override(kpi="csat"), {}),
        (override(kpi="", rule="r2", level="centre"), {("talk", "", "2026-W46"): 2}),
        (override(kpi="talk", level="centre"), {("talk", "", "2026-W46"): 1}),
    ],
)  # fmt: skip
def test_only_what_an_override_names_is_lifted_and_never_to_fit(given, changed):
    """KPI or rule, level, unit, whole periods, not yet expired; a second rule that blocks still does."""
    assert ranks(given) == changed


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"kpi": '"service_level"\nrule = "x"'}, "an override needs exactly one of 'kpi' and 'rule'"),
        ({"by": '" "'}, "'by' of an override is empty. It stands in the reports; say who and why"),
        ({"reason": None}, "[overrides] has no 'reason'"),
        ({"expires": None}, "[overrides] has no 'expires'"),
        ({"expires": "2027-02-10"}, "an override expires within 92 days of the first day that it holds for, which is "),
        ({"expires": "2026-11-08"}, "an override expires within 92 days of the first day that it holds for, which is "),
        ({"expires": '"soon"'}, "'expires' is no day. Write for example 2026-11-30"),
        ({"period": '"2026-W46"\nuntil = 2026-11-20'}, "an override with a 'period' has no 'until'"),
        ({"period": '"2026-W99"'}, "there is no period '2026-W99' in the calendar"),
        ({"period": '"2026-W46"\nunit = "Aire"'}, "an override of one unit needs its level"),
        ({"period": '"2026-W46"\nlevel = "queue"'}, "'level' is 'queue', which is not one of centre, team"),
    ],
)  # fmt: skip
def test_an_override_that_cannot_be_followed_is_refused_by_its_line(weir, changes, problem):
    """Name, reason and expiry are asked for, and it cannot last longer than a quarter."""
    keys = {"kpi": '"service_level"', "period": '"2026-W46"', "by": '"A"', "reason": '"b"', "expires": "2026-11-30"}
    lines = [f"{key} = {value}" for key, value in (keys | changes).items() if value is not None]
    with pytest.raises(SettingsError) as told:
        weir.open("[[overrides]]", *lines)
    assert re.match(r"ccanalysis\.toml:\d+: ", str(told.value))
    assert problem in str(told.value)

"""Views: results in, typed values out; icons that mean what the verdict says; nobody shown to whom they are not."""

from __future__ import annotations

import inspect
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from ccanalysis import text, views
from ccanalysis.display import Figure, Note, Table
from ccanalysis.editions import Reader, write
from ccanalysis.findings import changes, findings
from ccanalysis.kpis.components import KEYS, UNASSIGNED, Components
from ccanalysis.kpis.measures import from_catalogue
from ccanalysis.kpis.register import Approval, Kpi, Target
from ccanalysis.periods import Period
from ccanalysis.reports.figures import checked
from ccanalysis.results import FRAMES, Results, _register_frame
from ccanalysis.verdicts import judge, series
from ccanalysis.views import common
from ccanalysis.views.peers import MOST_PANELS

NOW = Period.parse("2026-W46")
WEEKS = 14
SHARE, MEAN, RATE = (from_catalogue(name, {}) for name in ("answer_rate", "asa", "complaints_per_1000"))
# Frames without which there is nothing to report; they may be empty, but a slice always has them.
ALWAYS = ("kpis", "verdicts", "series")


def kpi_of(name, measure, better, aim):
    """Return an approved KPI with one target in force for years."""
    return Kpi(
        id=name,
        name=f"KPI {name}",
        purpose="To see.",
        measure=measure,
        better=better,
        levels=("centre", "team", "agent"),
        targets=(Target(since=date(2020, 1, 1), team=aim, individual=aim),),
        frequency="week",
        minimum_n=1,
        owner="Head of Operations",
        approval=Approval(state="approved", by="Board", on=date(2020, 1, 1)),
        action_after_review="Look at the rota.",
    )


KPIS = [kpi_of("answered", SHARE, "up", 0.8), kpi_of("wait", MEAN, "down", 20.0), kpi_of("complaints", RATE, "down", 9)]
# Share of offered calls that each answers: one team far below the others, one that falls in the last week.
TEAMS = {"Aire": 0.85, "Calder": 0.84, "Ely": 0.60, "Wharfe": 0.86}
AGENTS = {"a1": 0.85, "a2": 0.84, "a3": 0.50, "a4": 0.86}


def sums_of(kpi, level, unit, answered, n, week):
    """Return both sides of a KPI of one unit and week: steady, but for small ups and downs."""
    wobble = (week % 3 - 1) * 0.01
    if kpi.measure.kind == "share":
        return round(n * (answered + wobble)), n, n, 0.0
    if kpi.measure.kind == "mean":
        mean = 10 + 20 * (0.9 - answered) + wobble * 10
        return mean * n, n, n, n * (mean**2 + 25)
    return round(n * 0.005 * (1 + week % 2)), n, n, 0.0


def frames_of(*, teams=TEAMS, agents=AGENTS, weeks=WEEKS, kpis=KPIS):
    """Work small components through to verdicts and findings, as a run does."""
    periods = list(NOW.back(weeks))
    units = [("centre", "centre", 0.8, 4000), *(("team", name, share, 1000) for name, share in teams.items())]
    units += [("agent", name, share, 250) for name, share in agents.items()]
    rows = [
        (kpi.id, level, unit, period.start, *sums_of(kpi, level, unit, answered, n, week))
        for kpi in kpis
        for level, unit, answered, n in units
        for week, period in enumerate(periods)
    ]
    sums = pd.DataFrame(rows, columns=[*KEYS, "numerator", "denominator", "n", "squares"])
    gate = pd.DataFrame(
        [(kpi.id, "centre", "", period.label, "fit", "fit", "fit", ()) for kpi in kpis for period in periods],
        columns=["kpi", "level", "unit", "period", "rating", "accuracy", "suitability", "reasons"],
    )
    line = series(Components(sums, pd.DataFrame(columns=[*KEYS, "bin", "n"])), kpis, periods, gate)
    judged = judge(line, kpis, NOW, gate)
    earlier = line[line["period"] < NOW.label]
    before = judge(earlier, kpis, NOW.shift(-1), gate) if weeks > 1 else judged.head(0)
    people = pd.DataFrame(
        [(name, f"Name {name}", "Aire", "Leeds", "Amelie", "agent") for name in agents],
        columns=["agent_id", "agent_name", "team", "site", "line_manager", "role"],
    )
    rules = pd.DataFrame(
        [("r1", "A wait is not negative", "contacts", "accuracy", "block", "failed", "3 rows", "Mend the export")],
        columns=["rule", "about", "table", "verdict", "severity", "outcome", "reason", "remedy"],
    )
    return {
        "kpis": _register_frame(list(kpis)),
        "series": line,
        "verdicts": judged,
        "findings": findings(judged, list(kpis), NOW),
        "changes": changes(judged, before),
        "ratings": gate,
        "expectations": rules,
        "rule_history": pd.DataFrame({"level": ["centre"], "period": [NOW.label], "outcome": ["failed"]}),
        "intake": pd.DataFrame(
            [("contacts", "calls", "a.csv", 10, 8, 1, 1, 0)],
            columns=["table", "source", "file", "read", "kept", "quarantined", "duplicates", "set_aside"],
        ),
        "people": people,
    }


def results_of(folder, frames, **facts):
    """Write frames as the results of a run."""
    told = {"centre": "The Centre", "period": NOW.label, "currency": "GBP", "unit_names": {}, "audience": "centre"}
    results = Results(folder, told | {"unit": "", "notes": [], "absent": [], "last_day": "2026-11-15"} | facts)
    results.write(folder, frames)
    return Results.read(folder)


@pytest.fixture(scope="module")
def frames():
    return frames_of()


@pytest.fixture(scope="module")
def centre(frames, tmp_path_factory):
    """The results of a centre with four teams, before they are cut."""
    return results_of(tmp_path_factory.mktemp("results"), frames)


@pytest.fixture(scope="module")
def manager(centre, tmp_path_factory):
    """The slice of a line manager with four people."""
    return write(centre, Reader("line_manager", "Amelie"), tmp_path_factory.mktemp("slice"))


GIVEN = {"kpi": "answered", "level": "team", "empty": "Nothing."}
# `sensitivity_table` shows the frame of a question that a run does not ask
# The views of the other questions need a slice that answers one (tests/questions).
OF_QUESTIONS = {"open_question", "headline", "question_lead", "trust_note", "window_note"}
SHOWN = sorted(set(views.__all__) - {"open_report", "sensitivity_table"} - OF_QUESTIONS)


def shown_by(name, results):
    """Call a view with what it needs."""
    view = getattr(views, name)
    needed = [
        parameter.name
        for parameter in list(inspect.signature(view).parameters.values())[1:]
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL
    ]
    assert set(needed) <= set(GIVEN), f"{name} needs {needed}: say in GIVEN what to hand it"
    shown = view(results, **{one: GIVEN[one] for one in needed})
    return [] if shown is None and view in AT_TIMES else shown


# They say what is out of the ordinary, and nothing where nothing is.
AT_TIMES = (views.overrides_note, views.revision_note, views.revised_table)


def assert_typed(shown):
    for one in shown if isinstance(shown, list) else [shown]:
        assert isinstance(one, (Table, Note, Figure, str, pd.DataFrame)), type(one)
        if isinstance(one, Figure):
            assert checked(one.payload())["data"]


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("audience", ["analyst", "centre", "team", "line_manager"])
def test_every_view_shows_something_typed_in_every_edition(name, audience, centre, tmp_path):
    unit = {"team": "Aire", "line_manager": "Amelie"}.get(audience, "")
    assert_typed(shown_by(name, write(centre, Reader(audience, unit), tmp_path)))


@pytest.mark.parametrize("name", SHOWN)
def test_no_view_needs_a_frame_that_may_be_absent(name, frames, tmp_path):
    """Each frame that a run or a slice may lack, taken away by itself and all together."""
    optional = [frame for frame in FRAMES if frame not in ALWAYS]
    for number, gone in enumerate([*[[one] for one in optional], optional]):
        kept = {key: frame for key, frame in frames.items() if key not in gone}
        assert_typed(shown_by(name, results_of(tmp_path / str(number), kept)))


@pytest.mark.parametrize("name", SHOWN)
def test_no_view_fails_where_nothing_was_measured(name, frames, tmp_path):
    """The register alone: frames without a row, and frames that are not there."""
    empty = {"kpis": frames["kpis"]} | {key: frames[key].head(0) for key in ("verdicts", "series", "findings")}
    for number, kept in enumerate([empty, {"kpis": frames["kpis"]}]):
        assert_typed(shown_by(name, results_of(tmp_path / str(number), kept)))


@pytest.mark.parametrize("name", SHOWN)
def test_no_view_fails_in_the_first_week_of_all(name, tmp_path):
    assert_typed(shown_by(name, results_of(tmp_path, frames_of(weeks=1))))


# --- courses and their icons ---


def test_a_chart_carries_the_icons_of_its_verdict(centre):
    for kpi, level, unit in (("answered", "team", "Ely"), ("wait", "team", "Aire"), ("complaints", "centre", "centre")):
        judged = common.verdicts_of(centre, kpi, level)
        row = judged[judged["unit"] == unit].iloc[0]
        figure = views.course(centre, kpi, level=level, unit=unit)
        assert figure.about.variation == common.variation(row)
        assert figure.about.assurance == common.ASSURANCE[row["assurance"]]
    assert views.course(centre, "answered", level="team", unit="Ely").about.assurance == "misses"


@pytest.mark.parametrize(
    ("word", "better", "sign"),
    [
        ("improving", "up", "improving_up"),
        ("improving", "down", "improving_down"),
        ("worsening", "up", "worsening_down"),
        ("worsening", "down", "worsening_up"),
        ("higher", "within", "changed_up"),
        ("lower", "within", "changed_down"),
        ("common_cause", "up", "common"),
        ("not_enough_data", "up", "unknown"),
    ],
)
@pytest.mark.parametrize("value", [1.0, 3.0], ids=["below_average", "above_average"])
def test_the_arrow_of_a_course_goes_where_the_course_goes(word, better, sign, value):
    """Seven in a row may fall and still lie above the average: the arrow falls."""
    assert common.variation({"variation": word, "better": better, "value": value, "centre": 2.0}) == sign


def test_the_course_of_nothing_is_a_sentence(centre):
    assert views.course(centre, "answered", level="team", unit="nobody").text == ["KPI answered: no data."]


def test_courses_come_in_the_order_of_what_deserves_a_look(centre):
    shown = views.courses(centre, level="team", unit="Ely", most=2)
    assert shown[0].title == "KPI answered: Ely"
    assert len(shown) == 2


# --- peers ---


def test_a_comparison_lists_units_in_name_order_without_those_not_measured(centre):
    figure = views.comparison(centre, "answered")
    assert [row[0].text for row in figure.data.rows] == list(TEAMS)


def test_a_funnel_is_drawn_about_the_value_of_the_whole(centre):
    """About the centre's own value, not about the mean of the teams."""
    figure = views.funnel(centre, "answered")
    assert [row[0].text for row in figure.data.rows] == sorted(TEAMS)
    assert "4 units about 80.0%" in figure.alt
    assert figure.data.note.startswith("The whole: 80.0%; target at least 80.0%. The limits allow for the usual")


def test_a_funnel_with_no_spread_between_units_is_that_of_chance(tmp_path):
    """Many alike and one far away: the far one lies beyond the outer limits, the others within."""
    teams = {f"t{number}": 0.8 for number in range(12)} | {"far": 0.6}
    results = results_of(tmp_path, frames_of(teams=teams, weeks=1))
    told = {row[0].text: row[3].text for row in views.funnel(results, "answered").data.rows}
    assert told.pop("far") == "lower than chance explains"
    assert set(told.values()) == {"no more different than chance makes it"}


@pytest.mark.parametrize("kpi", ["wait", "complaints"])
def test_the_limits_of_a_funnel_narrow_with_the_number_of_cases(kpi, centre):
    figure = checked(views.funnel(centre, kpi).payload())
    lower, upper = [trace["y"] for trace in figure["data"] if trace["name"] == "99.8 % limit"]
    gaps = np.subtract(upper, lower)
    assert (gaps > 0).all()
    assert gaps[0] >= gaps[-1]


def test_the_values_of_a_funnel_are_those_of_the_verdicts(centre):
    for kpi in ("answered", "wait", "complaints"):
        judged = common.verdicts_of(centre, kpi, "team").set_index("unit")["value"]
        scale = 100 if kpi == "answered" else 1
        drawn = {
            name: value / scale
            for trace in checked(views.funnel(centre, kpi).payload())["data"]
            for name, value in zip(trace.get("hovertext", []), trace["y"], strict=False)
        }
        assert drawn == pytest.approx(judged.to_dict(), rel=1e-3)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"status": "not_judged"}, "KPI answered: fewer than 3 teams can be compared."),
        ({"unit": UNASSIGNED}, "KPI answered: fewer than 3 teams can be compared."),
        ({"denominator": 7.0}, "KPI answered: chance alone gives no limits for a figure of this kind."),
    ],
)
def test_a_funnel_that_cannot_be_drawn_says_why(change, sentence, frames, tmp_path):
    judged = frames["verdicts"].assign(**change)
    results = results_of(tmp_path, frames | {"verdicts": judged})
    assert views.funnel(results, "answered").text == [sentence]


@pytest.mark.parametrize("audience", ["analyst", "centre", "team"])
def test_people_are_drawn_for_their_line_manager_only(audience, frames, tmp_path):
    results = results_of(tmp_path, frames, audience=audience, unit="Aire")
    assert views.funnel(results, "answered", level="agent").text == [
        "KPI answered: people are shown to their line manager only."
    ]


def test_a_line_manager_sees_people_in_name_order_over_all_pooled_periods(manager):
    figure = views.funnel(manager, "answered", level="agent")
    assert figure.title == "KPI answered by agent, against how many cases each has, last 13 periods together"
    assert [row[0].text for row in figure.data.rows] == [f"Name {name} ({name})" for name in AGENTS]
    assert {row[2].text for row in figure.data.rows} == {f"{13 * 250:,}"}


def test_small_charts_show_every_team_in_name_order_with_its_icon(centre):
    figure = views.small_multiples(centre, "answered")
    judged = common.verdicts_of(centre, "answered", "team").set_index("unit")
    assert [one.name for one in figure.panels] == sorted(TEAMS)
    for one in figure.panels:
        assert one.variation == common.variation(judged.loc[one.name])
        assert one.assurance == common.ASSURANCE[judged.loc[one.name, "assurance"]]


def test_too_many_small_charts_are_left_to_the_table(tmp_path):
    teams = {f"t{number:02d}": 0.8 for number in range(MOST_PANELS + 1)}
    results = results_of(tmp_path, frames_of(teams=teams, weeks=2, kpis=KPIS[:1]))
    assert views.small_multiples(results, "answered").text == [
        "KPI answered: the course of each team: 31 small charts are too many; the table of verdicts lists them all."
    ]


def test_kpis_worth_a_look_come_first_and_no_unit_is_ranked(centre):
    """A real miss before a change before the rest, each in the order of the register."""
    assert views.worth_a_look(centre) == ["answered", "wait", "complaints"]
    assert views.worth_a_look(centre, most=1) == ["answered"]
    calm = replace(centre, _frames={"verdicts": centre.verdicts.assign(status="met", variation="common_cause")})
    assert views.worth_a_look(calm) == ["answered", "wait", "complaints"]
    turned = centre.verdicts.assign(status="met", variation="common_cause")
    turned.loc[turned["kpi"] == "complaints", "variation"] = "improving"
    assert views.worth_a_look(replace(centre, _frames={"verdicts": turned})) == ["complaints", "answered", "wait"]


def test_a_card_says_with_how_many_cases_and_between_which_ends(centre):
    """The interval stands beside n, so that nobody takes a card for the truth."""
    rows = centre.verdicts[(centre.verdicts["level"] == "centre")].set_index("name")
    for card in views.cards(centre).cards:
        around = text.interval(rows.loc[card.name])
        assert around
        assert card.note.startswith(f"n {text.number(rows.loc[card.name, 'n'])}, {around}")


def test_a_card_that_was_not_judged_says_its_first_reason_once(frames, tmp_path):
    """A reader sees why there is no verdict without opening the table."""
    changed = dict(frames)
    judged = frames["verdicts"].copy()
    mine = (judged["kpi"] == "wait") & (judged["level"] == "centre")
    judged.loc[mine, "status"] = "not_judged"
    judged.loc[mine, "provisional"] = True
    judged["reasons"] = [
        ("provisional: it settles 7 days after the period", "another") if own else given
        for own, given in zip(mine, judged["reasons"], strict=True)
    ]
    changed["verdicts"] = judged
    [card] = [card for card in views.cards(results_of(tmp_path, changed)).cards if card.name == "KPI wait"]
    assert card.note.endswith(", provisional: it settles 7 days after the period")
    assert card.note.count("provisional") == 1


def test_the_table_of_verdicts_carries_the_tolerance_beside_the_target(tmp_path):
    """A miss within the tolerance cannot be understood without it."""
    share = replace(
        kpi_of("answered", SHARE, "up", 0.8),
        targets=(Target(since=date(2020, 1, 1), team=0.8, individual=None, tolerance=0.02),),
    )
    results = results_of(tmp_path, frames_of(kpis=[share]))
    table = views.verdict_table(results, level="centre")
    target = table.rows[0][[getattr(column, "label", column) for column in table.columns].index("Target")]
    assert target.note.startswith("tolerance 2")
    assert "points" in target.note


def test_what_to_do_carries_the_cases_and_the_interval(centre):
    """A line that calls for action says on what it rests."""
    found = centre.findings
    improve = found[(found["tier"] == "act") & (found["kind"] == "improve")].iloc[0]
    [item] = [item for item in views.to_do(centre, most=99).items if improve["unit"] in item.text]
    row = centre.verdicts.query("kpi == @improve.kpi and level == @improve.level and unit == @improve.unit").iloc[0]
    assert f"(n {text.number(row['n'])}, {text.interval(row)})" in item.text


def test_what_changed_carries_the_whole_sentence(frames, tmp_path):
    """A word such as "missed" alone says neither how much nor how sure."""
    moved = frames["changes"].copy()
    assert (moved["level"] == "centre").any()
    items = views.changes_note(results_of(tmp_path, frames)).items
    assert [item.detail for item in items] == moved.loc[moved["level"] == "centre", "sentence"].tolist()
    assert all(item.detail for item in items)


def test_a_rule_that_failed_names_its_first_rows_by_file_and_row(frames, tmp_path):
    """The analyst opens the file at the row; the team that has most of them is where to ask."""
    failing = [("b", 7, "Ely"), ("a", 12, "Ely"), ("a", 3, "Aire"), ("b", 2, "Ely"), ("c", 9, None)]
    rows = [("contacts", "r1", f"data/{name}.csv", row, NOW.label, team) for name, row, team in failing]
    failures = pd.DataFrame(rows, columns=["table", "rule", "source_file", "source_row", "period", "team"])
    table = views.rules_table(results_of(tmp_path, frames | {"failures": failures}))
    where = table.rows[0][[getattr(column, "label", column) for column in table.columns].index("Where")]
    assert where.text == "a.csv, rows 3 and 12; b.csv, row 2; 2 more, in 3 files; 3 of 5 are of team Ely"

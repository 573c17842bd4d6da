"""Charts: shape and word say what colour says, nothing is marked that is not told, the table holds what is drawn."""

from __future__ import annotations

import json
import re
from datetime import date
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook, new_output

from ccanalysis import charts, display, text
from ccanalysis.charts import marks
from ccanalysis.charts.comparison import STATUS_MARKS
from ccanalysis.charts.funnel import FUNNEL_MARKS
from ccanalysis.display import COLOURS, ICONS, PLOTLY, Figure
from ccanalysis.errors import ReportError, SettingsError
from ccanalysis.kpis.components import KEYS, Components
from ccanalysis.kpis.measures import from_catalogue
from ccanalysis.kpis.register import Approval, Kpi, Target
from ccanalysis.periods import Period
from ccanalysis.reports.exporter import plotly_packed, stylesheet
from ccanalysis.reports.figures import checked, panel
from ccanalysis.reports.page import render
from ccanalysis.reports.picture import still
from ccanalysis.verdicts import judge, series

NOW = Period.parse("2026-W46")
SHARE, MEAN, RATE = (from_catalogue(name, {}) for name in ("answer_rate", "asa", "complaints_per_1000"))
ABOUT = {"name": "Answered", "unit_of_value": "share", "better": "up"}
SECONDS = {"name": "Wait", "unit_of_value": "s", "better": "down"}
NAN = float("nan")
HOSTILE = [
    '<script>alert("x")</script>',
    "\"quoted\" & 'single' <b>bold</b>",
    "فريق الشمال \N{RIGHT-TO-LEFT OVERRIDE}txet",
    "N" * 193 + " Team 1",
    "N" * 193 + " Team 2",
]


def kpi_of(measure=SHARE, *, better="up", aim=0.8, **changed):
    """Return an approved KPI with one target in force for years."""
    given = {
        "id": "kpi",
        "name": "Answered",
        "purpose": "To see.",
        "measure": measure,
        "better": better,
        "levels": ("centre", "team"),
        "targets": (Target(since=date(2020, 1, 1), team=aim, individual=aim),),
        "frequency": "week",
        "minimum_n": 1,
        "owner": "Head of Operations",
        "approval": Approval(state="approved", by="Board", on=date(2020, 1, 1)),
        "action_after_review": "Look at the rota.",
    }
    return Kpi(**(given | changed))


def judged_of(units, kpi=None, *, n=1000, unfit=()):
    """Return the series and the verdicts of teams given as `{name: [numerator, ...]}`; None leaves a week out."""
    kpi = kpi or kpi_of()
    weeks = len(next(iter(units.values())))
    periods = list(NOW.back(weeks))
    rows = [
        ("kpi", "team", name, period.start, value, n, n, 0.0)
        for name, line in units.items()
        for period, value in zip(periods, line, strict=True)
        if value is not None
    ]
    sums = pd.DataFrame(rows, columns=[*KEYS, "numerator", "denominator", "n", "squares"])
    gate = pd.DataFrame(
        [("kpi", "centre", "", p.label, "not fit" if i in unfit else "fit", ()) for i, p in enumerate(periods)],
        columns=["kpi", "level", "unit", "period", "rating", "reasons"],
    )
    line = series(Components(sums, pd.DataFrame(columns=[*KEYS, "bin", "n"])), [kpi], periods, gate)
    return line, judge(line, [kpi], NOW, gate)


def line_of(values, kpi=None, **more):
    """Return the series of one team."""
    return judged_of({"North": values}, kpi, **more)[0]


def plain_line(values, **columns):
    """Return a series by hand: equal limits about 0.8, every point common, unless columns say otherwise."""
    n = len(values)
    frame = {
        "level": "team",
        "unit": "North",
        "period": [period.label for period in NOW.back(n)],
        "value": values,
        "n": 1000.0,
        "target": 0.8,
        "target_high": NAN,
        "centre": 0.8,
        "lower": 0.7,
        "upper": 0.9,
        "rule": "",
        "point": "common_cause",
        "part": 0,
        "excluded": False,
        "provisional": False,
        "rating": "fit",
    }
    return pd.DataFrame(frame | columns, index=range(n))


def verdict_row(unit, value, low, high, status, **columns):
    row = {
        "unit": unit,
        "value": value,
        "n": 100.0,
        "ci_low": low,
        "ci_high": high,
        "target": 0.8,
        "target_high": NAN,
        "better": "up",
        "unit_of_value": "share",
        "status": status,
    }
    return row | columns


def traces(figure):
    """Return the traces of a figure as the page gets them."""
    return checked(figure.payload())["data"]


def values_of(trace, letter="y"):
    return trace.get(letter) or []


def page_of(*shown):
    """Return the page that shows these, without plotly.js."""
    outputs = []
    for one in shown:
        bundle = one._repr_mimebundle_()
        data, about = bundle if isinstance(bundle, tuple) else (bundle, {})
        outputs.append(new_output("display_data", data=data, metadata=about))
    html = render(new_notebook(cells=[new_code_cell("x", outputs=outputs)]), title="T", complete=False)
    return html.replace(plotly_packed(), "")


def look(trace):
    """Return what tells a mark apart without its colour: shape, filling and outline."""
    marker = trace["marker"]
    return marker["symbol"], bool(marker["line"].get("width")), "-open" in marker["symbol"]


# --- verdicts side by side ---


def test_every_verdict_has_a_shape_and_a_word_of_its_own():
    """Colour is never alone, and no two verdicts share a shape."""
    rows = [verdict_row(f"team {status}", 0.7, 0.65, 0.75, status) for status in STATUS_MARKS]
    figure = charts.comparison_chart(pd.DataFrame(rows), ABOUT, title="T")
    drawn = {trace["name"]: trace["marker"]["symbol"] for trace in traces(figure) if "error_x" in trace}
    assert set(drawn) == set(text.STATUS_WORDS.values())
    assert len(set(drawn.values())) == len(text.STATUS_WORDS)
    assert all(trace["showlegend"] for trace in traces(figure) if "error_x" in trace)


def test_only_real_misses_have_the_colour_of_a_miss():
    missed = COLOURS["missed"][0]
    assert {status for status, (_, colour) in STATUS_MARKS.items() if colour == missed} == {
        "missed_real",
        "cannot_meet",
    }
    assert missed not in {colour for _, colour, _ in FUNNEL_MARKS.values()}


@given(
    st.lists(st.lists(st.integers(60, 100), min_size=3, max_size=3), min_size=1, max_size=6),
    st.sampled_from(["up", "down"]),
    st.integers(70, 90),
)
def test_no_unit_whose_interval_reaches_the_target_is_drawn_in_the_colour_of_a_miss(units, better, aim):
    """Whatever is measured: red means that the whole interval lies on the wrong side."""
    named = {f"t{number}": line for number, line in enumerate(units)}
    _, judged = judged_of(named, kpi_of(better=better, aim=aim / 100), n=100)
    figure = charts.comparison_chart(judged, ABOUT, title="T")
    red = {
        unit
        for trace in traces(figure)
        if trace["marker"].get("color") == COLOURS["missed"][0]
        for unit in values_of(trace)
    }
    reach = judged["ci_high"] >= judged["target"] if better == "up" else judged["ci_low"] <= judged["target"]
    assert red.isdisjoint(judged.loc[reach, "unit"])


def test_units_stand_in_name_order_and_each_has_its_own_target():
    rows = [verdict_row(unit, value, value - 0.1, value + 0.1, "met") for unit, value in (("b", 0.9), ("a", 0.8))]
    rows[0]["target"] = 0.85
    figure = charts.comparison_chart(pd.DataFrame(rows), ABOUT, title="T")
    assert checked(figure.payload())["layout"]["yaxis"]["categoryarray"] == ["b", "a"]  # from below
    target = next(trace for trace in traces(figure) if trace["name"] == "Target")
    assert dict(zip(target["y"], target["x"], strict=True)) == {"a": 80, "b": 85}
    assert [row[0].text for row in figure.data.rows] == ["a", "b"]


def test_the_table_of_units_holds_what_is_drawn():
    rows = pd.DataFrame(
        [
            verdict_row("a", 0.8123, 0.7, 0.9, "met"),
            verdict_row("b", 0.7, NAN, NAN, "missed_chance"),
            verdict_row("c", 0.5, 0.4, 0.6, "missed_real"),
        ]
    )
    figure = charts.comparison_chart(rows, ABOUT, title="T")
    drawn = {
        unit: (f"{value:.1f}%", trace["name"], more, less)
        for trace in traces(figure)
        if "error_x" in trace
        for unit, value, more, less in zip(
            trace["y"], trace["x"], trace["error_x"]["array"], trace["error_x"]["arrayminus"], strict=True
        )
    }
    told = {row[0].text: (row[1].text, row[5].text) for row in figure.data.rows}
    assert told == {unit: one[:2] for unit, one in drawn.items()}
    assert drawn["b"][2:] == (0, 0)  # no interval, no bar
    assert drawn["c"][2:] == (10, 10)
    assert [row[3].text for row in figure.data.rows] == ["70.0% and 90.0%", "", "40.0% and 60.0%"]


@pytest.mark.parametrize("rows", [[], [verdict_row("a", NAN, NAN, NAN, "not_judged")]], ids=["none", "no_value"])
def test_a_comparison_of_nothing_says_so(rows):
    frame = pd.DataFrame(rows, columns=list(verdict_row("a", 1, 1, 1, "met")))
    figure = charts.comparison_chart(frame.astype({"value": float, "n": float}), ABOUT, title="T")
    assert figure.alt == "T: no data."


# --- control charts ---

RULES = ("outside_limits", "trend", "two_of_three", "shift")
POINTS = tuple(f"{kind}_{side}" for kind in ("improvement", "concern", "neutral") for side in ("high", "low"))


def test_each_rule_has_a_shape_and_each_meaning_a_filling():
    """A reader who sees no colour can tell every rule and every meaning, by shape, filling and outline."""
    looks, words = {}, set()
    for rule, point in product(RULES, POINTS):
        mark = marks.mark_of({"rule": rule, "point": point}, point.partition("_")[0])
        meaning = point.partition("_")[0]
        shape = mark.symbol.removesuffix("-open").removesuffix("-up").removesuffix("-down")
        looks.setdefault((rule, meaning), set()).add((shape, mark.symbol.endswith("-open"), mark.outline > 0))
        words.add(mark.words)
    assert all(len(found) == 1 for found in looks.values())
    assert len({next(iter(found)) for found in looks.values()}) == len(RULES) * 3
    assert len(words) == len(RULES) * len(POINTS)


@pytest.mark.parametrize(("rule", "point"), list(product(RULES, POINTS)))
def test_a_marked_point_tells_its_rule_by_shape_hover_and_table(rule, point):
    line = plain_line([0.8] * 20, rule=[""] * 19 + [rule], point=["common_cause"] * 19 + [point])
    figure = charts.control_chart(line, ABOUT)
    (marked,) = [trace for trace in traces(figure) if trace.get("mode") == "markers"]
    mark = marks.mark_of({"rule": rule, "point": point}, point.partition("_")[0])
    assert marked["x"] == [NOW.label]
    assert marked["marker"]["symbol"] == mark.symbol
    assert marked["name"] == mark.key
    assert mark.words in marked["hovertemplate"]
    assert figure.data.rows[-1][3].text == mark.words
    assert [row[3].text for row in figure.data.rows[:-1]] == [""] * 19


def test_a_rule_that_is_not_known_here_is_still_named():
    line = plain_line([0.8] * 20, rule=[""] * 19 + ["long_run"], point=["common_cause"] * 19 + ["neutral_high"])
    assert charts.control_chart(line, ABOUT).data.rows[-1][3].text == "real change: long run"


@pytest.mark.parametrize(
    ("weeks", "rule", "marked"),
    [
        (9, "shift", False),
        (10, "shift", True),
        (12, "shift", True),
        (10, "outside_limits", False),
        (12, "outside_limits", False),
        (13, "outside_limits", True),
    ],
)
def test_nothing_is_marked_on_too_few_periods(weeks, rule, marked):
    """The same numbers of periods as for a verdict."""
    line = plain_line(
        [0.8] * weeks, rule=[""] * (weeks - 1) + [rule], point=["common_cause"] * (weeks - 1) + ["concern_low"]
    )
    assert (marks.kinds(line)[-1] == "concern") is marked


@given(
    st.lists(st.one_of(st.none(), st.integers(700, 900)), min_size=2, max_size=20),
    st.sets(st.integers(0, 19), max_size=6),
    st.sampled_from(["up", "down", "within"]),
)
def test_the_last_point_is_marked_where_and_as_the_verdict_says(values, unfit, better):
    """Card and chart never disagree about the latest period."""
    values = [*values[:-1], values[-1] or 800]
    aim = (0.7, 0.9) if better == "within" else 0.8
    line, judged = judged_of({"North": values}, kpi_of(better=better, aim=aim), unfit=unfit)
    kind = marks.kinds(line)[-1]
    word = {"improvement": ["improving"], "concern": ["worsening"], "neutral": ["higher", "lower"]}
    assert judged["variation"].iloc[0] in word.get(kind, ["common_cause", "not_enough_data"])
    if kind in ("unfit", "unsettled"):
        assert judged["variation"].iloc[0] == "not_enough_data"


def test_a_hidden_usual_range_leaves_nothing_marked():
    """An edition that hides few cases hides limits; marks would give them away."""
    line = plain_line([0.8] * 20, centre=NAN, lower=NAN, upper=NAN, rule="shift", point="concern_low")
    assert set(marks.kinds(line)) == {"common"}
    figure = charts.control_chart(line, ABOUT)
    assert "usual range" not in figure.data.note
    assert not [trace for trace in traces(figure) if trace.get("name") in ("usual range", "average")]


def test_missing_periods_are_gaps_and_not_zeros():
    line = line_of([800, None, 810, None, None, 790])
    figure = charts.control_chart(line, ABOUT)
    drawn = next(trace for trace in traces(figure) if "customdata" in trace)
    assert drawn["y"] == [80, None, 81, None, None, 79]
    assert drawn["customdata"] == [1000, None, 1000, None, None, 1000]
    assert drawn.get("connectgaps") is None
    assert [row[1].text for row in figure.data.rows] == ["80.0%", "no data", "81.0%", "no data", "no data", "79.0%"]
    assert figure.alt.endswith("3 periods without data.")


def test_one_period_is_a_point_without_a_range():
    figure = charts.control_chart(line_of([800]), ABOUT)
    assert [trace["name"] for trace in traces(figure) if trace.get("name")] == ["target"]
    assert figure.data.note == "2026-W46: target at least 80.0%."
    assert still(checked(figure.payload()))


def test_a_course_without_any_value_is_drawn_empty_and_says_so():
    line = plain_line([NAN] * 5, centre=NAN, lower=NAN, upper=NAN)
    figure = charts.control_chart(line, ABOUT)
    assert figure.alt == "Answered of North: no data."
    assert {row[1].text for row in figure.data.rows} == {"no data"}


@pytest.mark.parametrize("value", [0, 800, 1000])
@pytest.mark.parametrize("aim", [0.8, 1.0])
def test_a_constant_share_is_drawn_within_what_is_possible(value, aim):
    """All 0 % and all 100 % leave room for half a mark and promise no share beyond; nothing of them is a change."""
    line = line_of([value] * 20, kpi_of(aim=aim))
    figure = charts.control_chart(line, ABOUT)
    low, high = checked(figure.payload())["layout"]["yaxis"]["range"]
    assert -1.5 <= low < value / 10 < high <= 101.5
    assert set(marks.kinds(line)) == {"common"}


def test_limits_are_drawn_and_told_within_what_a_share_can_be():
    figure = charts.control_chart(plain_line([0.99, 0.97] * 10, centre=0.98, lower=0.9, upper=1.06), ABOUT)
    upper = next(trace for trace in traces(figure) if trace.get("name") == "usual range")
    assert set(upper["y"]) == {100}
    assert "usual range 90.0% to 100.0%" in figure.data.note


def test_a_target_of_two_sides_is_two_lines():
    figure = charts.control_chart(plain_line([0.8] * 14, target=0.7, target_high=0.9), ABOUT | {"better": "within"})
    lines = [trace for trace in traces(figure) if trace.get("line", {}).get("color") == COLOURS["target"][0]]
    assert [set(trace["y"]) for trace in lines] == [{70}, {90}]
    assert [trace["showlegend"] for trace in lines] == [True, False]
    assert "target 70.0% to 90.0%" in figure.data.note


def test_a_target_steps_where_it_changed_and_begins_where_it_began():
    figure = charts.control_chart(plain_line([0.8] * 14, target=[NAN] * 3 + [0.75] * 5 + [0.8] * 6), ABOUT)
    target = next(trace for trace in traces(figure) if trace.get("name") == "target")
    assert target["y"] == [None] * 3 + [75] * 5 + [80] * 6
    assert target["line"]["shape"] == "hvh"
    assert re.findall(r"2026-W\d+ to 2026-W\d+: [^.]*(?:\.\d[^.]*)*", figure.data.note)[0].startswith("2026-W33 to")
    assert figure.data.note.count("average") == 3
    assert "target at least 75.0%" in figure.data.note
    assert "target at least 80.0%" in figure.data.note


def test_a_range_drawn_anew_has_its_line_and_its_own_band():
    line = plain_line(
        [0.8] * 10 + [0.6] * 14,
        part=[0] * 10 + [1] * 14,
        centre=[0.8] * 10 + [0.6] * 14,
        lower=[0.7] * 10 + [0.5] * 14,
        upper=[0.9] * 10 + [0.7] * 14,
    )
    figure = charts.control_chart(line, ABOUT)
    layout = checked(figure.payload())["layout"]
    bands = [(s["x0"], s["x1"], s["y0"], s["y1"]) for s in layout["shapes"] if s["type"] == "rect"]
    assert bands == [(-0.5, 9.5, 70, 90), (9.5, 23.5, 50, 70)]
    assert [(s["x0"], s["x1"]) for s in layout["shapes"] if s["type"] == "line"] == [(9.5, 9.5)]
    assert [note["text"].strip() for note in layout["annotations"]] == ["from here anew"]
    assert "usual range, on few periods" in [trace.get("name") for trace in traces(figure)]  # ten and fourteen


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"rating": "not fit"}, "data not fit to use, so it is left out"),
        ({"provisional": True}, "not settled yet, so it is left out"),
    ],
)
def test_a_period_left_out_is_an_open_mark_with_its_reason(columns, words):
    line = plain_line([0.8] * 19 + [0.2], excluded=[False] * 19 + [True], rule="shift", point="concern_low")
    for name, value in columns.items():
        line[name] = [line[name].iloc[0]] * 19 + [value]
    figure = charts.control_chart(line, ABOUT)
    (left_out,) = [trace for trace in traces(figure) if trace.get("marker", {}).get("symbol") == "circle-open"]
    assert left_out["x"] == [NOW.label]
    assert figure.data.rows[-1][3].text == words
    course = next(trace for trace in traces(figure) if "customdata" in trace)
    assert course["marker"]["size"] == [5] * 19 + [0]  # no filled point beneath


def test_the_table_of_a_course_holds_what_is_drawn():
    line = line_of([812, 790, None, 805, *range(770, 790), 640, 815])
    figure = charts.control_chart(line, ABOUT)
    drawn = next(trace for trace in traces(figure) if "customdata" in trace)
    told = [("no data" if y is None else f"{y:.1f}%", x) for x, y in zip(drawn["x"], drawn["y"], strict=True)]
    assert [(row[1].text, row[0].text) for row in figure.data.rows] == told
    marked = {x for trace in traces(figure) if trace.get("mode") == "markers" for x in trace["x"]}
    assert {row[0].text for row in figure.data.rows if row[3].text} == marked
    lines = {trace["name"]: trace["y"][0] for trace in traces(figure) if trace.get("name") in ("average", "target")}
    assert f"average {lines['average']:.1f}%" in figure.data.note
    assert f"target at least {lines['target']:.1f}%" in figure.data.note


# --- icons ---


@pytest.mark.parametrize("key", [key for key in ICONS if key.startswith(("variation", "assurance"))])
def test_every_verdict_on_course_and_target_stands_with_its_figure(key):
    """In a notebook as a picture and in words, on a page as an icon with its word."""
    kind, _, value = key.partition("-")
    figure = charts.control_chart(plain_line([0.8] * 14), ABOUT, **{kind: value})
    assert f"[{ICONS[key].word}]" in figure.plain()
    layout = figure.payload()["layout"]
    assert layout["title"]["subtitle"]["text"] == ICONS[key].word
    assert [image["source"][:26] for image in layout["images"]] == ["data:image/svg+xml;base64,"]
    html = page_of(figure)
    caption = re.search(r"<figcaption>(.*?)</figcaption>", html, re.DOTALL)[1]
    assert f'<use href="#i-{key}"/>' in caption
    assert ICONS[key].word in caption
    assert "data:image" not in html.split("<body>")[1]


def test_red_icons_are_for_statuses_and_ratings_only():
    """A course that gets worse may belong to a figure whose interval reaches its target."""
    bad = {key for key, icon in ICONS.items() if icon.tone == "bad"}
    assert bad == {"status-missed", "status-cannot", "rating-not_fit"}


def test_a_sign_that_is_not_known_is_refused():
    with pytest.raises(SettingsError, match="variation 'up' is not known"):
        charts.control_chart(plain_line([0.8] * 14), ABOUT, variation="up")


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"variation": "up"}, "a sign of a chart in the notebook is not one that ccanalysis knows"),
        ({"panels": [{"name": 1}]}, "the panels of a chart in the notebook are not ones that ccanalysis wrote"),
        ({"panels": [{"x": "y"}]}, "the panels of a chart in the notebook are not ones that ccanalysis wrote"),
    ],
)
def test_a_forged_sign_or_panel_fails(about, message):
    figure = charts.control_chart(plain_line([0.8] * 14), ABOUT)
    data, own = figure._repr_mimebundle_()
    own[PLOTLY]["ccanalysis"] |= about
    cell = new_code_cell("x", outputs=[new_output("display_data", data=data, metadata=own)])
    with pytest.raises(ReportError, match=message):
        render(new_notebook(cells=[cell]), title="T", complete=False)


# --- funnels ---


def funnel_frames(flags):
    units = pd.DataFrame(
        {
            "called": [f"t{number}" for number in range(len(flags))],
            "n": [float(100 + 50 * number) for number in range(len(flags))],
            "value": [0.8 - 0.01 * number for number in range(len(flags))],
            "flag": flags,
        }
    )
    limits = pd.DataFrame(
        {
            "n": [80.0, 400.0],
            "lower_95": [0.7, 0.75],
            "upper_95": [0.9, 0.85],
            "lower_998": [0.6, 0.7],
            "upper_998": [1.02, 0.9],
        }
    )
    return units, limits


def test_a_funnel_tells_by_shape_who_differs_by_more_than_chance():
    units, limits = funnel_frames(["", "low_95", "high_95", "low_998", "high_998"])
    figure = charts.funnel_chart(units, limits, ABOUT, title="T", centre=0.8, target=(0.75, NAN), adjusted=True)
    drawn = {
        name: trace["marker"]["symbol"] for trace in traces(figure) if "marker" in trace for name in trace["hovertext"]
    }
    assert drawn == {"t0": "circle", "t1": "circle-open", "t2": "circle-open", "t3": "diamond", "t4": "diamond"}
    named = [trace for trace in traces(figure) if trace.get("text")]
    assert [trace["text"] for trace in named] == [["t3", "t4"]]
    assert figure.alt == "T: 5 units about 80.0%; 2 units beyond what is usual here (t3 and t4)."
    assert [row[3].text for row in figure.data.rows] == [
        "no more different than units here usually are",
        "low, but within what is usual in one of twenty",
        "high, but within what is usual in one of twenty",
        "lower than units here usually are",
        "higher than units here usually are",
    ]
    assert figure.data.note == (
        "The whole: 80.0%; target at least 75.0%. The limits allow for the usual differences between units besides "
        "chance, so a unit within them can still miss its target for certain. Units stand in name order; this is no "
        "ranking."
    )
    plain = charts.funnel_chart(units, limits, ABOUT, title="T", centre=0.8, target=(0.75, NAN))
    assert plain.alt == "T: 5 units about 80.0%; 2 units beyond what chance explains (t3 and t4)."
    assert [row[3].text for row in plain.data.rows] == [
        "no more different than chance makes it",
        "low, but one in twenty is by chance",
        "high, but one in twenty is by chance",
        "lower than chance explains",
        "higher than chance explains",
    ]


def test_a_funnel_draws_its_values_limits_and_target():
    units, limits = funnel_frames([""] * 3)
    figure = charts.funnel_chart(units, limits, ABOUT, title="T", centre=0.8, target=(0.75, NAN))
    shown = {trace["name"]: trace for trace in traces(figure)}
    assert shown["within chance"]["x"] == [100, 150, 200]
    assert [f"{y:.1f}%" for y in shown["within chance"]["y"]] == [row[1].text for row in figure.data.rows]
    assert shown["the whole"]["y"] == [80, 80]
    assert shown["target"]["y"] == [75, 75]
    outer = [trace["y"] for trace in traces(figure) if trace["name"] == "99.8 % limit"]
    assert outer == [[60, 70], [100, 90]]  # no share beyond 100 %


# --- small multiples ---


def panels_figure(units, about=ABOUT, **more):
    line, _ = judged_of(units)
    return charts.multiples_chart(line, about, title="Answered: each team", **more)


def test_small_charts_stand_in_name_order_on_one_scale_with_their_icons():
    units = {"c": [800, 700, 750], "a": [900, 910, 920], "b": [100, 120, 110], "d": [500, 510, 520]}
    signs = {"a": ("improving_up", "hits"), "b": ("worsening_down", None)}
    figure = panels_figure(units, signs=signs)
    assert [(one.name, one.signs) for one in figure.panels] == [
        ("a", ["variation-improving_up", "assurance-hits"]),
        ("b", ["variation-worsening_down"]),
        ("c", []),
        ("d", []),
    ]
    layout = checked(figure.payload())["layout"]
    for letter in "xy":
        assert len({tuple(layout[f"{letter}axis{end}"]["range"]) for end in ("", "2", "3", "4")}) == 1
    assert figure.panels[1].alt.startswith("Answered of b from 2026-W44 to 2026-W46: between 10.0% and 12.0%")
    html = page_of(figure)
    heads = re.findall(r'<p class="ph">(\w)', html)
    assert heads == ["a", "b", "c", "d"]
    assert html.count('<use href="#i-variation-improving_up"/>') == 1
    assert html.count('class="plot has-still"') == 4


def test_the_table_of_small_charts_holds_what_is_drawn():
    figure = panels_figure({"b": [800, None, 750], "a": [900, 910, None]})
    columns = [column.label for column in figure.data.columns]
    drawn = {"Period": [period.label for period in NOW.back(3)]}
    for number, name in enumerate(columns[1:], start=1):
        (course,) = panel(checked(figure.payload()), number)["data"]
        assert course["x"] == drawn["Period"]
        drawn[name] = ["no data" if y is None else f"{y:.1f}%" for y in course["y"]]
    assert columns == ["Period", "a", "b"]
    assert {name: [row[at].text for row in figure.data.rows] for at, name in enumerate(columns)} == drawn


def test_a_marked_period_of_a_small_chart_has_shape_hover_and_a_star_in_the_table():
    values = [780, 820] * 9 + [600]
    figure = panels_figure({"North": values})
    course, marked = panel(checked(figure.payload()), 1)["data"]
    assert marked["x"] == [NOW.label]
    assert marked["marker"]["symbol"] == ["diamond"]
    assert marked["hovertext"] == ["real worsening: below the usual range"]
    assert figure.data.rows[-1][1].text == "60.0%*"
    assert course["y"][-1] == 60


def test_a_panel_is_the_same_whether_cut_here_or_by_the_page():
    """Axes lose what places them among others; shapes and traces of other panels stay away."""
    figure = checked(panels_figure({"a": [800, 810], "b": [100, 120]}).payload())
    second = panel(figure, 2)
    assert second["layout"]["xaxis"].keys() & {"domain", "anchor"} == set()
    assert second["layout"]["yaxis"]["range"] == figure["layout"]["yaxis2"]["range"]
    assert [trace["y"] for trace in second["data"]] == [[10, 12]]
    assert {shape["xref"] for shape in second["layout"]["shapes"]} == {"x"}
    assert still(second, width=270)


def test_a_team_costs_little_in_small_charts():
    """What is said once is not said for every team: its figure, its picture and its column of the table together."""
    rng = np.random.default_rng(3)
    few, many = (
        len(page_of(panels_figure({f"t{n:02d}": rng.integers(780, 820, 26).tolist() for n in range(count)})))
        for count in (3, 9)
    )
    assert (many - few) / 6 < 3_600


# --- hostile names ---


@pytest.mark.parametrize("name", HOSTILE, ids=["script", "quotes", "right_to_left", "long_1", "long_2"])
def test_hostile_names_stay_names(name):
    """Nothing of a name is markup, nothing is lost from the table, and no label fills the chart."""
    line = plain_line([0.8] * 14, unit=name)
    units, limits = funnel_frames(["high_998"] * 3)
    shown = [
        charts.control_chart(line, ABOUT | {"name": name}),
        charts.comparison_chart(pd.DataFrame([verdict_row(name, 0.8, 0.7, 0.9, "met")]), ABOUT, title=name),
        charts.funnel_chart(units.assign(called=name), limits, ABOUT, title=name, centre=0.8),
        charts.multiples_chart(line, ABOUT, title=name),
    ]
    html = page_of(*shown).split("<body>")[1]
    tags = {tag.lower() for tag in re.findall(r"<([a-zA-Z]+)", html)}
    assert "<script>alert" not in html
    assert "b" not in tags - {"body"}
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in html
    assert display.clean(name) in shown[1].data.plain()
    for figure in shown:
        assert "<script" not in json.dumps(checked(figure.payload()))
        picture = still(checked(figure.payload()))
        labels = re.findall(r">([^<>]+)</text>", picture)
        assert max(map(len, labels), default=0) <= 60


def test_long_names_that_differ_at_their_end_still_differ_beside_the_axis():
    rows = pd.DataFrame([verdict_row(name, 0.8, 0.7, 0.9, "met") for name in HOSTILE[3:]])
    axis = checked(charts.comparison_chart(rows, ABOUT, title="T").payload())["layout"]["yaxis"]
    assert len(set(axis["ticktext"])) == 2
    assert set(axis["tickvals"]) == set(HOSTILE[3:])
    assert max(map(len, axis["ticktext"])) <= 24


# --- notebook, page and still picture ---


def unpacked(source):
    """Return the figure of a page, put together as its script does."""
    packed = json.loads(source)
    lists = [
        shown if isinstance(shown, list) else [value for value, times in shown["runs"] for _ in range(times)]
        for shown in packed["lists"]
    ]

    def back(value):
        if isinstance(value, dict):
            return lists[value["$"]] if "$" in value else {name: back(part) for name, part in value.items()}
        return [back(part) for part in value] if isinstance(value, list) else value

    return {"data": back(packed["data"]), "layout": back(packed["layout"])}


def every_figure():
    line, judged = judged_of({"a": [800, 810, 640] * 6, "b": [900, None, 910] * 6, "c": [700, 705, 690] * 6})
    units, limits = funnel_frames(["", "low_95", "high_998"])
    history = pd.DataFrame({"period": ["2026-W45", "2026-W46"], "n_failed_rules": [3, 1]})
    one = line[line["unit"] == "a"]
    return {
        "control": charts.control_chart(one, ABOUT, variation="worsening_down", assurance="misses"),
        "comparison": charts.comparison_chart(judged, ABOUT, title="T"),
        "funnel": charts.funnel_chart(units, limits, ABOUT, title="T", centre=0.8, target=(0.7, NAN)),
        "multiples": charts.multiples_chart(line, ABOUT, title="T", signs={"a": ("common", "hits")}),
        "history": charts.history_chart(history, title="T", caption="C"),
    }


@pytest.mark.parametrize("name", ["control", "comparison", "funnel", "multiples", "history"])
def test_the_figure_of_the_page_is_that_of_the_notebook(name):
    """All data and the layout, but for what the page says in its own heading and style."""
    figure = every_figure()[name]
    source = re.search(r'<script type="application/json">(.*?)</script>', page_of(figure), re.DOTALL)[1]
    shown, own = unpacked(source), figure.payload()
    assert shown["data"] == checked(own)["data"]
    kept = ("xaxis", "yaxis", "shapes", "height", "xaxis2", "yaxis2")
    assert {key: shown["layout"].get(key) for key in kept} == {key: checked(own)["layout"].get(key) for key in kept}
    assert own["layout"]["title"]["text"] == figure.title


@pytest.mark.parametrize("name", ["control", "comparison", "funnel", "multiples", "history"])
def test_every_chart_has_a_still_picture_and_an_alternative_text(name):
    figure = every_figure()[name]
    html = page_of(figure)
    assert 'class="plot has-still"' in html
    assert '<svg class="still"' in html
    assert 'aria-label=""' not in html
    assert len(figure.alt) > 10


@pytest.mark.parametrize("kind", ["box", "violin", "histogram", "pie"])
def test_what_has_no_still_picture_shows_its_table_openly(kind):
    """Paper and a browser without scripts have the table instead, unfolded."""
    import plotly.graph_objects as go

    traces = {
        "box": go.Box(y=[1, 2, 3]),
        "violin": go.Violin(y=[1, 2, 3]),
        "histogram": go.Histogram(x=[1, 2, 3]),
        "pie": go.Pie(labels=["a", "b", "c"], values=[1, 2, 3]),
    }
    html = page_of(Figure(go.Figure(traces[kind]), title="T", alt="What it shows."))
    assert "has-still" not in html.split("<body>")[1]
    table = re.search(r"<details open><summary>Data: T</summary>(.*?)</details>", html, re.DOTALL)[1]
    assert [re.search(rf">{number}\b", table) is not None for number in (1, 2, 3)] == [True] * 3


def test_a_step_is_drawn_halfway_and_a_band_beneath_the_grid():
    line = plain_line([0.8] * 4 * 4, target=[0.7] * 8 + [0.8] * 8)
    picture = still(checked(charts.control_chart(line, ABOUT).payload()))
    grid, band = picture.index("stroke:var(--c-line)"), picture.index("fill:var(--c-band)")
    assert band < grid
    target = re.search(r'<path d="(M[^"]*)" style="stroke:var\(--c-target\)', picture[grid:])[1]
    assert re.fullmatch(r"M\d+ \d+H\d+l0-\d+H\d+", target)


@pytest.mark.parametrize("symbol", ["diamond", "square", "triangle-up", "triangle-down", "cross", "line-ns-open"])
def test_every_shape_of_a_mark_is_another_in_the_picture(symbol):
    from ccanalysis.reports.picture import _mark

    shapes = {name: _mark(name, 50, 50, 10) for name in ("diamond", "square", "triangle-up", "triangle-down", "cross")}
    shapes |= {"line-ns-open": _mark("line-ns-open", 50, 50, 10), "circle": _mark("circle", 50, 50, 10)}
    assert [name for name, path in shapes.items() if path == shapes[symbol]] == [symbol]


# --- colours ---


def luminance(colour):
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """Contrast of two colours (WCAG 2.2)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def backgrounds(side):
    """The page's own backgrounds in the light (0) or the dark (1) scheme, and the band of the usual range."""
    parts = stylesheet().split("@media screen and (prefers-color-scheme:dark)")
    scheme = parts[1] if side else parts[0] + parts[1].split("}}", 1)[1]
    found = {name: re.findall(rf"--{name}:(#[0-9a-f]{{3,6}})[;}}]", scheme) for name in ("bg", "soft", "raise")}
    values = {colours[0] for colours in found.values()} | {COLOURS["band"][side]}
    return {"#" + "".join(c * 2 for c in colour[1:]) if len(colour) == 4 else colour for colour in values}


# Grid lines and the band are no information by themselves: the usual range has dotted lines of its own.
DECORATION = {"line", "band"}


@pytest.mark.parametrize("side", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("name", sorted(set(COLOURS) - DECORATION))
def test_what_a_chart_says_can_be_seen_on_every_background(name, side):
    """At least 3 to 1 (WCAG 2.2, 1.4.11)."""
    for background in backgrounds(side):
        assert contrast(COLOURS[name][side], background) >= 3, background


def test_charts_use_no_colour_that_the_dark_page_cannot_turn():
    light = {pair[0] for pair in COLOURS.values()}
    for figure in every_figure().values():
        used = set(re.findall(r'"(#[0-9a-f]{6})"', json.dumps(checked(figure.payload()))))
        assert used <= light

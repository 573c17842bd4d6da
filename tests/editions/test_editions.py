"""Editions: a slice holds what its reader may see, down to the last byte."""

from __future__ import annotations

import json
import os
import random
from functools import partialmethod
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccanalysis.disclosure import SMALLEST_SHOWN, WHY
from ccanalysis.editions import Reader, cut, readers, write
from ccanalysis.errors import SettingsError
from ccanalysis.results import FRAMES, Results
from ccanalysis.verdicts import SERIES_COLUMNS, VERDICT_COLUMNS

PERIODS = ["2026-W44", "2026-W45", "2026-W46"]
NAN = float("nan")
ABOUT = {"unit_of_value": "share", "better": "up", "name": "The KPI", "rules": "shift", "reasons": ("a reason",)}


def centre_of(seed, *, teams=4, agents=12, managers=3, kpis=("waits", "csat"), periods=PERIODS, texts=10):
    """Invent a centre: who is where, under whom, what was done with whom, and figures of all of them.

    Every name is a word of its own that no other name contains.
    """
    draw = random.Random(seed)
    team_names = [f"team-{k:02}-end" for k in range(teams)]
    boss_names = [f"boss-{k:02}-end" for k in range(managers)]
    people = []
    for number in range(agents):
        agent = {"agent_id": f"agent-{number:02}-end", "agent_name": f"name-{number:02}-end", "role": "agent"}
        people += [
            agent | {"team": draw.choice(team_names), "line_manager": draw.choice([*boss_names, None])}
            for _ in range(draw.choice([1, 1, 1, 2]))  # some move within the period
        ]
    roster = pd.DataFrame(people).drop_duplicates()
    persons = [*sorted(set(roster["agent_id"])), *boss_names]
    units = [("centre", "centre"), ("site", "Leeds"), ("queue", draw.choice([*team_names, "Billing"]))]
    units += [("team", name) for name in [*team_names, "unassigned"]]
    units += [("agent", name) for name in sorted(set(roster["agent_id"]))]
    units += [("line_manager", name) for name in boss_names]
    series = pd.DataFrame(
        {"kpi": kpi, "level": level, "unit": unit, "period": period, "n": float(draw.choice([3, 7, 8, 200]))}
        for kpi in kpis
        for level, unit in units
        for period in periods
    )
    series = series.assign(
        numerator=series["n"] / 2, denominator=series["n"], squares=0.0, value=0.5, ci_low=0.4, ci_high=0.6,
        target=0.8, target_high=NAN, tolerance=0.0, centre=0.5, lower=0.3, upper=0.7, rule="", point="common_cause",
        part=0, excluded=False, provisional=False, rating="fit",
    )[SERIES_COLUMNS]  # fmt: skip
    verdicts = series[series["period"] == PERIODS[-1]].assign(
        **{key: value for key, value in ABOUT.items() if key != "reasons"},
        status="missed_real", certain=True, variation="worsening", assurance="misses", hit_rate=0.5, n_judged=3,
        data="fit", n_baseline=3, previous=0.4, autocorrelation=0.1, cycle_before=0.4, seasonal=False,
        experimental=False, pooled_numerator=1.0, pooled_denominator=2.0,
        pooled_n=2.0, pooled_squares=0.0, pooled_periods=3,
    )  # fmt: skip
    verdicts["reasons"] = [("a reason",)] * len(verdicts)
    verdicts = verdicts[VERDICT_COLUMNS]
    names = dict(zip(roster["agent_id"], roster["agent_name"], strict=True))
    findings = verdicts[["kpi", "level", "unit", "period", "status", "value", "target", "n"]].assign(
        kind="improve",
        tier="act",
        sentence=[f"{unit} {names.get(unit, '')} was low." for unit in verdicts["unit"]],
        action="Look again.",
    )
    changes = verdicts[["name", "kpi", "level", "unit", "status", "variation"]].assign(
        status_before="met", variation_before="common_cause"
    )
    ratings = pd.DataFrame(
        {"kpi": kpi, "level": level, "unit": unit, "period": period, "rating": "fit", "reasons": (), "rules": ()}
        for kpi in kpis
        for level, unit in [("centre", ""), *(("team", name) for name in team_names)]
        for period in periods
    )
    activities = pd.DataFrame(
        {
            "activity_id": f"x{number}",
            "agent_id": draw.choice(persons[:agents]),
            "kind": "coaching",
            "topic": draw.choice(["tone", f"calls of {draw.choice(persons)}", f"{draw.choice(list(names.values()))}?"]),
            "need": "waits",
            "given_by": draw.choice([*persons, None]),
        }
        for number in range(texts)
    )
    places = [*units, (None, None), (None, draw.choice(team_names))]
    asked = [f"Coach {draw.choice(persons)}", f"Ask {draw.choice(list(names.values()))}."]
    actions = pd.DataFrame(
        {
            "action_id": f"y{number}",
            "what": draw.choice(["new rota", *asked]),
            "owner": draw.choice(persons),
            **dict(zip(("level", "unit"), draw.choice(places), strict=True)),
        }
        for number in range(texts)
    )
    revised = verdicts[["kpi", "level", "unit", "name", "value", "n", "status", "data"]].assign(
        value_before=0.4, n_before=draw.choice([3.0, 200.0]), status_before="met", data_before="fit", changed=True
    )
    overrides = ratings.drop(columns=["period", "rating", "reasons", "rules"]).assign(
        override=1, state="used", by="A. Head", reason="seen", expires_on="2026-12-01", was="not fit", why="a rule"
    )
    plain = {name: pd.DataFrame({"n": [1]}) for name in FRAMES}
    frames = plain | {
        "revised": revised,
        "overrides": overrides,
        "series": series,
        "verdicts": verdicts,
        "findings": findings,
        "changes": changes,
        "ratings": ratings,
        "people": roster,
        "activities": activities,
        "actions": actions,
        "kpis": pd.DataFrame({"kpi": ["waits", "csat"]}),
    }
    facts = {"period": PERIODS[-1], "centre": "Northgate", "notes": ["a file was read twice"], "unit_names": {}}
    return Results(Path("nowhere"), facts, frames)


def bytes_of(results, reader):
    """Write a slice without compression, so that every text in it stands in its bytes, and read them back."""
    plain = partialmethod(pd.DataFrame.to_parquet, compression=None)
    with TemporaryDirectory() as folder, patch.object(pd.DataFrame, "to_parquet", plain):
        write(results, reader, Path(folder))
        return b"".join(path.read_bytes() for path in sorted(Path(folder).iterdir()))


def every(results):
    """Give all names of people and teams of a centre: agents, their names, managers, teams."""
    people = results.people
    return (
        {name: set(people[name].dropna()) for name in ("agent_id", "agent_name", "team")}
        | {"line_manager": {f"boss-{k:02}-end" for k in range(10)}}
    )  # fmt: skip


@settings(max_examples=1000 if "CCANALYSIS_ENDURANCE" in os.environ else 200)
@given(st.integers(0, 10**9))
def test_no_name_of_anybody_else_is_in_any_byte_of_a_slice(seed):
    """Random centres, movers, actions and activities that name people, and one reader of each drawn."""
    draw = random.Random(seed)
    size = {"teams": draw.randint(1, 4), "agents": draw.randint(1, 7), "managers": draw.randint(1, 3)}
    results = centre_of(seed, **size, kpis=("waits",), periods=PERIODS[-2:], texts=4)
    audience = draw.choice(["analyst", "centre", "team", "team", "line_manager", "line_manager"])
    known = readers(results, audience if audience in ("team", "line_manager") else "centre")
    if not known:
        return
    reader = Reader(audience, draw.choice(known))
    written = bytes_of(results, reader)
    people, names = results.people, every(results)
    allowed = set()
    if audience == "line_manager":
        own = people[people["line_manager"] == reader.unit]
        allowed = {*own["agent_id"], *own["agent_name"], *own["team"], reader.unit}
        assert all(name.encode() in written for name in own["agent_id"]), "the scan would find a name that is there"
    elif audience == "team":
        allowed = {reader.unit}
        assert reader.unit.encode() in written
    else:
        allowed = names["team"]
    foreign = set().union(*names.values()) - allowed
    assert [name for name in sorted(foreign) if name.encode() in written] == []


def test_a_category_that_was_cut_away_leaves_no_trace(tmp_path):
    """Categories, the index and attributes of a frame keep more than its rows; none of it is written."""
    results = centre_of(1)
    for name in ("verdicts", "findings", "series"):
        frame = results._frames[name]
        frame = frame.assign(unit=frame["unit"].astype("category")).set_index("unit", drop=False)
        frame.index.name = "someone"
        frame.attrs = {"whose": "agent-00-end"}
        results._frames[name] = frame.reset_index(drop=True) if name == "series" else frame
    reader = Reader("team", "team-00-end")
    written = bytes_of(results, reader)
    assert b"team-00-end" in written
    assert b"agent-" not in written and b"boss-" not in written and b"team-01-end" not in written
    sliced = write(results, reader, tmp_path)
    assert set(sliced.verdicts["unit"]) == {"centre", "team-00-end"}


@pytest.mark.parametrize(
    ("audience", "unit", "levels", "frames"),
    [
        ("analyst", "", {"centre", "site", "queue", "team"}, set(FRAMES) - {"people", "activities"}),
        ("centre", "", {"centre", "site", "queue", "team"},
         set(FRAMES) - {"people", "activities", "quarantine", "failures"}),
        ("team", "team-00-end", {"centre", "team"},
         {"kpis", "requirements", "series", "verdicts", "findings", "changes", "ratings", "actions", "overrides",
          "revised"}),
        ("line_manager", "boss-00-end", {"centre", "team", "agent", "line_manager"},
         {"kpis", "requirements", "people", "series", "verdicts", "findings", "changes", "ratings", "activities",
          "actions", "overrides", "revised"}),
    ],
)  # fmt: skip
def test_each_reader_has_the_frames_and_levels_of_their_edition(tmp_path, audience, unit, levels, frames):
    """A frame that is not cut is empty to the reader, whatever asks for it."""
    results = centre_of(3)
    sliced = write(results, Reader(audience, unit), tmp_path)
    assert set(cut(results, Reader(audience, unit))) == frames
    assert set(sliced.verdicts["level"]) == levels
    assert {path.stem for path in tmp_path.glob("*.parquet")} == frames
    assert all(getattr(sliced, name).empty for name in set(FRAMES) - frames)
    facts = json.loads((tmp_path / "facts.json").read_text(encoding="utf-8"))
    assert (facts["audience"], facts["unit"]) == (audience, unit)
    assert ("notes" in facts) == (audience in ("analyst", "centre"))


def test_a_team_sees_no_person_at_all():
    """Neither in a level nor in a column."""
    frames = cut(centre_of(5), Reader("team", "team-01-end"))
    for name, frame in frames.items():
        assert not {"agent_id", "agent_name", "line_manager", "owner", "given_by"} & set(frame.columns), name
        if "level" in frame:
            assert set(frame["level"].dropna()) <= {"centre", "team"}, name


def test_a_line_manager_sees_their_own_people_their_teams_and_nobody_else():
    """Someone who moved within the period is seen by both managers, each with their own rows of the roster."""
    results = centre_of(7)
    people = results.people
    for manager in readers(results, "line_manager"):
        own = people[people["line_manager"] == manager]
        frames = cut(results, Reader("line_manager", manager))
        agents = frames["verdicts"].query("level == 'agent'")["unit"]
        assert set(agents) == set(own["agent_id"])
        assert set(frames["verdicts"].query("level == 'team'")["unit"]) == set(own["team"])
        assert set(frames["people"]["line_manager"]) == {manager}
        assert set(frames["activities"]["agent_id"]) <= set(own["agent_id"])
        known = {*own["agent_id"], *own["agent_name"], manager}
        assert set(frames["activities"]["given_by"].dropna()) <= known


def test_who_coached_is_seen_where_the_reader_knows_them():
    """Another's name is taken out, the activity stays."""
    results = centre_of(7)
    own = results.people.query("line_manager == 'boss-00-end'")["agent_id"].iloc[0]
    row = {"agent_id": own, "kind": "coaching", "topic": "tone", "need": None}
    results._frames["activities"] = pd.DataFrame(
        [row | {"activity_id": "1", "given_by": "boss-00-end"}, row | {"activity_id": "2", "given_by": "boss-01-end"}]
    )
    kept = cut(results, Reader("line_manager", "boss-00-end"))["activities"].set_index("activity_id")["given_by"]
    assert kept["1"] == "boss-00-end"
    assert pd.isna(kept["2"])


@pytest.mark.parametrize(
    ("what", "seen"),
    [
        ("New rota", True),
        ("Coach agent-00-end on tone", False),
        ("Coach NAME-00-END.", False),
        ("Ask boss-01-end", False),
        ("agent-00-ending is a word of its own", True),
    ],
)
@pytest.mark.parametrize(("level", "unit"), [("centre", None), ("team", "team-00-end"), (None, None)])
def test_an_action_that_names_a_person_is_not_shown_to_the_team(what, seen, level, unit):
    """Nor to the centre; in other words it is."""
    results = centre_of(2)
    action = {"action_id": "1", "what": what, "owner": "boss-01-end", "level": level, "unit": unit}
    results._frames["actions"] = pd.DataFrame([action])
    for reader in (Reader("team", "team-00-end"), Reader("centre"), Reader("analyst")):
        kept = cut(results, reader)["actions"]
        assert (len(kept) == 1) == seen
        assert "owner" not in kept


def test_an_action_on_a_person_is_their_managers_alone():
    """Also where a person is called like a team."""
    results = centre_of(2)
    people = results.people
    person = people["agent_id"].iloc[0]
    mine = people.loc[people["agent_id"] == person, "line_manager"].dropna().tolist()
    results._frames["actions"] = pd.DataFrame(
        [
            {"action_id": "1", "what": "Coach", "level": "agent", "unit": person},
            {"action_id": "2", "what": "Coach", "level": "agent", "unit": "team-00-end"},
        ]
    )
    for manager in readers(results, "line_manager"):
        kept = cut(results, Reader("line_manager", manager))["actions"]["action_id"].tolist()
        assert kept == (["1"] if manager in mine else [])
    for reader in (Reader("team", "team-00-end"), Reader("centre"), Reader("analyst")):
        assert cut(results, reader)["actions"].empty


@pytest.mark.parametrize(
    ("owner", "reader", "who"),
    [
        ("boss-00-end", Reader("team", "team-00-end"), "your line manager"),
        ("boss-01-end", Reader("team", "team-00-end"), "a line manager"),
        ("agent-00-end", Reader("team", "team-00-end"), "a colleague"),
        ("Ask NAME-00-END", Reader("team", "team-00-end"), "a colleague"),
        ("Planning", Reader("team", "team-00-end"), "Planning"),
        ("Head of Planning", Reader("team", "team-00-end"), "Head of Planning"),
        ("Jo Bloggs", Reader("team", "team-00-end"), "named in the register"),
        (None, Reader("team", "team-00-end"), ""),
        ("boss-00-end", Reader("line_manager", "boss-00-end"), "boss-00-end"),
        ("boss-01-end", Reader("line_manager", "boss-00-end"), "a line manager"),
        ("boss-01-end", Reader("centre"), "a line manager"),
        ("agent-00-end", Reader("analyst"), "a colleague"),
        ("Finance", Reader("centre"), "Finance"),
    ],
)
def test_who_does_an_action_is_said_by_role(owner, reader, who):
    """To a team only in words that the KPI register has for roles: a text of an export may be anybody's name."""
    results = centre_of(2)
    results._frames["people"] = pd.DataFrame(
        {
            "agent_id": ["agent-00-end", "agent-01-end"],
            "agent_name": ["name-00-end", "name-01-end"],
            "team": ["team-00-end", "team-01-end"],
            "line_manager": ["boss-00-end", "boss-01-end"],
        }
    )
    results._frames["kpis"] = pd.DataFrame({"kpi": ["waits"], "owner": ["Head of Planning"], "approved_by": ["Board"]})
    action = {"action_id": "1", "what": "New rota", "owner": owner, "level": "centre", "unit": "centre"}
    results._frames["actions"] = pd.DataFrame([action])
    assert cut(results, reader)["actions"]["who"].tolist() == [who]


@pytest.mark.parametrize(
    ("before", "now", "kept"), [(200.0, 200.0, True), (200.0, 7.0, False), (7.0, 200.0, False), (NAN, 200.0, False)]
)
def test_a_team_sees_what_a_revision_changed_only_where_both_figures_rest_on_enough_cases(before, now, kept):
    """The old figure is a figure like any other; a line manager sees their own people's all the same."""
    results = centre_of(3)
    results._frames["people"] = pd.concat([results.people, staffed(3)], ignore_index=True)
    results._frames["series"] = results.series.assign(n=200.0)
    results._frames["revised"] = results.revised.assign(n_before=before, n=now)
    own = cut(results, Reader("team", "team-00-end"))["revised"]
    assert ("team" in set(own["level"])) == kept
    assert "centre" in set(own["level"])
    mine = cut(results, Reader("line_manager", "boss-00-end"))["revised"]
    assert {"centre", "team", "agent"} <= set(mine["level"])


def test_the_names_of_files_that_a_revision_came_from_stay_with_who_keeps_the_data(tmp_path):
    """Teams and line managers are told how many."""
    results = centre_of(3)
    results.facts["revision"] = {"number": 2, "reasons": ["1 source file is new"], "files": ["New: calls_ada.csv"]}
    for audience, unit in (("team", "team-00-end"), ("line_manager", "boss-00-end")):
        assert write(results, Reader(audience, unit), tmp_path).facts["revision"] == {
            "number": 2,
            "reasons": ["1 source file is new"],
        }
    assert "files" in write(results, Reader("centre"), tmp_path).facts["revision"]


# Few cases.


def staffed(n, manager="boss-00-end"):
    """Give each team so many people."""
    return pd.DataFrame(
        {"agent_id": f"agent-{team}{k}-end", "agent_name": f"name-{team}{k}-end", "line_manager": manager}
        | {"team": f"team-0{team}-end", "role": "agent"}
        for team in range(4)
        for k in range(n)
    )


def small(n_by_week, kpi="waits", team="team-00-end"):
    """Return a centre whose team has so many cases week by week."""
    results = centre_of(4, agents=2, managers=1)
    results._frames["people"] = staffed(3)
    series = results.series.copy()
    series["n"] = 200.0
    own = (series["kpi"] == kpi) & (series["level"] == "team") & (series["unit"] == team)
    series.loc[own, ["n", "denominator"]] = [[float(n)] * 2 for n in n_by_week]
    results._frames["series"] = series
    verdicts = results.verdicts.copy()
    verdicts["n"] = 200.0
    now = (verdicts["kpi"] == kpi) & (verdicts["level"] == "team") & (verdicts["unit"] == team)
    verdicts.loc[now, "n"] = float(n_by_week[-1])
    results._frames["verdicts"] = verdicts
    return results


FIGURES = ["numerator", "denominator", "n", "value", "ci_low", "ci_high"]
LINES = ["centre", "lower", "upper"]


def own_of(frames, name, kpi="waits"):
    """Return the team's own rows of a KPI."""
    frame = frames[name]
    return frame[(frame["level"] == "team") & (frame["kpi"] == kpi)]


def test_what_became_of_an_action_is_not_told_by_hidden_weeks():
    """Nor for how long a miss has lasted; of another KPI it is."""
    results = small([SMALLEST_SHOWN - 1, 200, 200])
    told = {"level": "team", "unit": "team-00-end", "what": "New rota", "outcome": "worked", "sentence": "Up by 5."}
    figures = {"usual": 0.5, "after": 0.55, "beyond": 0.05, "low": 0.01, "high": 0.09, "n_after": 3, "peers": 4}
    results._frames["actions"] = pd.DataFrame([told | figures | {"kpi": kpi} for kpi in ("waits", "csat")])
    results._frames["findings"] = results.findings.assign(kind="not_acted_on")
    frames = cut(results, Reader("team", "team-00-end"))
    hidden, shown = (frames["actions"].set_index("kpi").loc[kpi] for kpi in ("waits", "csat"))
    assert hidden[list(figures)].isna().all()
    assert (hidden["outcome"], hidden["sentence"]) == (
        "not_judged",
        "Not shown: it rests on figures that are hidden, so that nobody can be worked out.",
    )
    assert (shown["outcome"], shown["sentence"], shown["beyond"]) == ("worked", "Up by 5.", 0.05)
    assert own_of(frames, "findings").empty
    assert len(own_of(frames, "findings", "csat")) == 1


def test_a_figure_of_few_cases_is_hidden_from_the_team():
    """The figure, its sentence, and that it changed; the course and sums of weeks too, which it could be told from."""
    frames = cut(small([200, 200, SMALLEST_SHOWN - 1]), Reader("team", "team-00-end"))
    line = own_of(frames, "series").set_index("period")
    assert line.loc["2026-W46", [*FIGURES, "squares"]].isna().all()
    assert line.loc[["2026-W44", "2026-W45"], FIGURES].notna().all().all()
    assert line[LINES].isna().all().all()
    row = own_of(frames, "verdicts").iloc[0]
    assert row[FIGURES].isna().all() and row[LINES].isna().all()
    assert row[[c for c in frames["verdicts"] if c.startswith("pooled_")]].isna().all()
    assert (row["status"], row["certain"], row["variation"], row["assurance"]) == (
        "not_judged",
        False,
        "not_enough_data",
        "none",
    )
    assert row["reasons"] == (WHY,)
    assert row["previous"] == 0.4
    assert own_of(frames, "findings").empty
    assert own_of(frames, "changes").empty
    # the other KPI and the centre are as they were
    assert len(own_of(frames, "findings", "csat")) == 1
    other = own_of(frames, "verdicts", "csat").iloc[0]
    assert other[[*FIGURES, *LINES]].notna().all()
    assert other["status"] == "missed_real"
    centre = frames["verdicts"].query("level == 'centre'")
    assert centre[[*FIGURES, *LINES]].notna().all().all()


def test_a_hidden_week_of_before_hides_what_it_could_be_told_from():
    """This week's figure stays; the average, the limits and the value before go."""
    frames = cut(small([200, 3, 200]), Reader("team", "team-00-end"))
    line = own_of(frames, "series").set_index("period")
    assert line.loc["2026-W45", [*FIGURES, "squares"]].isna().all()
    assert line.loc[["2026-W44", "2026-W46"], FIGURES].notna().all().all()
    assert line[LINES].isna().all().all()
    row = own_of(frames, "verdicts").iloc[0]
    assert row[FIGURES].notna().all()
    assert row["status"] == "missed_real"
    assert row[[*LINES, "hit_rate", "previous"]].isna().all()
    assert row["variation"] == "not_enough_data"
    assert len(own_of(frames, "findings")) == 1
    assert own_of(frames, "changes").empty


def test_as_many_as_the_smallest_are_shown_and_a_gap_is_no_secret():
    """Eight cases are; a week without a row hides nothing."""
    for weeks in ([200, 200, SMALLEST_SHOWN], [200, NAN, 200]):
        frames = cut(small(weeks), Reader("team", "team-00-end"))
        assert own_of(frames, "verdicts")[[*FIGURES, *LINES]].notna().all().all()
        assert own_of(frames, "series")[LINES].notna().all().all()


def test_few_cases_are_shown_to_the_line_manager_alone():
    """Who answers for the team sees its figures; the centre's edition would tell the teams."""
    results = small([3, 3, 3])
    manager = results.people.assign(team="team-00-end", line_manager="boss-00-end")
    results._frames["people"] = manager
    for reader, n in ((Reader("line_manager", "boss-00-end"), 3.0), (Reader("centre"), NAN)):
        frame = cut(results, reader)["verdicts"]
        row = frame[(frame["level"] == "team") & (frame["unit"] == "team-00-end") & (frame["kpi"] == "waits")].iloc[0]
        assert row["n"] == n or (pd.isna(row["n"]) and pd.isna(n))


def test_the_next_smallest_team_is_hidden_with_the_small_one():
    """Its n is what the centre's n would otherwise be short of; the reason is the same, so that none is told apart."""
    results = small([200, 200, 3])
    seen = cut(results, Reader("centre"))["verdicts"]
    gone = seen[(seen["level"] == "team") & (seen["kpi"] == "waits") & seen["n"].isna()]
    assert len(gone) == 2
    assert set(gone["reasons"]) == {(WHY,)}


def test_figures_of_a_team_of_two_people_are_hidden_however_many_cases_they_have():
    """And of the next smallest team; with three people they are shown."""
    for n, shown in ((2, False), (3, True)):
        results = centre_of(6, agents=2, managers=1)
        results._frames["series"] = results.series.assign(n=200.0)
        results._frames["verdicts"] = results.verdicts.assign(n=200.0)
        people = staffed(5)
        results._frames["people"] = people[(people["team"] != "team-00-end") | (people.index < n)]
        frames = cut(results, Reader("team", "team-00-end"))
        assert own_of(frames, "verdicts")["n"].notna().all() == shown


# Readers.


def test_readers_are_the_teams_with_a_figure_and_the_managers_on_the_roster():
    """Nobody reports to those without a team."""
    results = centre_of(9)
    verdicts = results.verdicts.copy()
    verdicts.loc[verdicts["unit"] == "team-03-end", "value"] = NAN
    results._frames["verdicts"] = verdicts
    assert readers(results, "centre") == [""]
    assert readers(results, "team") == ["team-00-end", "team-01-end", "team-02-end"]
    assert readers(results, "line_manager") == sorted(set(results.people["line_manager"].dropna()))


@pytest.mark.parametrize(
    ("reader", "message"),
    [
        (Reader("team", "team-00-edn"), "there is no team 'team-00-edn' in 2026-W46. Did you mean 'team-00-end'?"),
        (Reader("team", "unassigned"), "there is no team 'unassigned' in 2026-W46. Known are: team-00-end, "
                                       "team-01-end, team-02-end, team-03-end"),
        (Reader("line_manager", "boss-00-edn"),
         "there is no line manager 'boss-00-edn' in 2026-W46. Did you mean 'boss-00-end'?"),
    ],
)  # fmt: skip
def test_a_reader_that_is_not_there_is_refused(reader, message):
    """Nobody is handed the slice of another for a slip of the pen."""
    with pytest.raises(SettingsError) as refused:
        cut(centre_of(9), reader)
    assert str(refused.value) == message


def test_results_without_people_or_verdicts_have_no_reader():
    """And a slice of nothing can still be cut for the centre."""
    empty = Results(Path("nowhere"), {"period": PERIODS[-1]}, {name: pd.DataFrame() for name in FRAMES})
    assert readers(empty, "team") == readers(empty, "line_manager") == []
    with pytest.raises(SettingsError, match=r"there is no team 'x' in 2026-W46\. The results know none"):
        cut(empty, Reader("team", "x"))
    assert all(frame.empty for frame in cut(empty, Reader("centre")).values())


def test_a_slice_replaces_another_that_lay_in_its_folder(tmp_path):
    """What the first reader had is gone for the second."""
    results = centre_of(3)
    write(results, Reader("line_manager", "boss-00-end"), tmp_path)
    assert (tmp_path / "people.parquet").is_file()
    sliced = write(results, Reader("team", "team-00-end"), tmp_path)
    assert not (tmp_path / "people.parquet").exists()
    assert sliced.people.empty and sliced.activities.empty


def test_a_slice_is_written_the_same_every_time(tmp_path):
    """The same results, reader and version give the same bytes."""
    for name in ("a", "b"):
        write(centre_of(3), Reader("line_manager", "boss-00-end"), tmp_path / name)
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_lists_come_back_from_a_slice_as_lists(tmp_path):
    """Reasons and rules are tuples before and after."""
    sliced = write(centre_of(3), Reader("analyst"), tmp_path)
    assert set(sliced.verdicts["reasons"]) == {("a reason",)}
    assert set(sliced.ratings["rules"]) == {()}
    assert sliced.verdicts["rules"].iloc[0] == "shift"

"""Somebody who has every page that colleagues may see, and works out by linear programming what the pages hide."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy.optimize import linprog
from scipy.sparse import csr_array

from ccanalysis import drivers
from ccanalysis.disclosure import FEWEST_BEHIND, SMALLEST_SHOWN
from ccanalysis.editions import Reader, cut, readers
from ccanalysis.periods import Period
from ccanalysis.results import FRAMES, Results
from ccanalysis.verdicts import POOLED, SERIES_COLUMNS, VERDICT_COLUMNS

NAN = float("nan")
WEEKS = ["2026-W44", "2026-W45", "2026-W46"]
QUEUES = ["billing", "orders", "repairs", "sales"]


class Centre:
    """A centre as it is: how many cases of each KPI each team had in each queue and week, and how many went well."""

    def __init__(self, seed: int) -> None:
        draw = self.draw = random.Random(seed)
        sites = [f"site-{number}" for number in range(draw.randint(1, 3))]
        self.site_of = {f"team-{number}": draw.choice(sites) for number in range(draw.randint(1, 6))}
        if draw.random() < 0.3:
            self.site_of["unassigned"] = "unassigned"
        self.queues = QUEUES[: draw.randint(1, 4)]
        self.kpis = ["waits", "csat"]
        self.cases: dict[tuple[str, str, str, str], tuple[int, int]] = {}
        self.people: dict[tuple[str, str], int] = {}
        staff = {team: draw.choice([1, 2, *[6] * 12]) for team in self.site_of}
        few = draw.choice([0.1, 0.3, 0.6])
        same = draw.random() < 0.5
        for week in WEEKS:
            for team in self.site_of:
                self.people[team, week] = 6 if team == "unassigned" else staff[team]
                for queue in self.queues:
                    for kpi in self.kpis:
                        n = draw.choice([1, 2, 3, 5, 7]) if draw.random() < few else draw.choice([0, 8, 30, 200])
                        n = self.cases["waits", week, team, queue][0] if same and kpi == "csat" else n
                        self.cases[kpi, week, team, queue] = (n, sum(draw.random() < draw_share(kpi) for _ in range(n)))

    def units(self, level: str) -> list[str]:
        """List the units of a level."""
        return {
            "centre": ["centre"],
            "site": sorted(set(self.site_of.values())),
            "team": sorted(self.site_of),
            "queue": self.queues,
        }[level]

    def within(self, level: str, unit: str) -> list[tuple[str, str]]:
        """List the teams and queues whose cases are a unit's."""
        return [
            (team, queue)
            for team, site in self.site_of.items()
            for queue in self.queues
            if unit in {"centre": ("centre",), "site": (site,), "team": (team,), "queue": (queue,)}[level]
        ]

    def count(self, kpi: str, week: str, pairs: list[tuple[str, str]]) -> tuple[int, int]:
        """Add up cases, and those that went well."""
        found = [self.cases[kpi, week, *pair] for pair in pairs]
        return sum(n for n, _ in found), sum(above for _, above in found)

    def results(self, weeks: list[str]) -> Results:
        """Return what a run of the last of some weeks works out."""
        series = []
        for kpi in self.kpis:
            for level in ("centre", "site", "team", "queue"):
                for unit in self.units(level):
                    series += self._line(kpi, level, unit, weeks)
        line = pd.DataFrame(series, columns=SERIES_COLUMNS)
        judged = line[line["period"] == weeks[-1]].assign(
            name="The KPI", status="missed_real", certain=True, variation="worsening", rules="", assurance="misses",
            hit_rate=0.5, n_judged=3, data="fit", unit_of_value="share", better="up", n_baseline=3, seasonal=False,
            autocorrelation=0.1, cycle_before=NAN, experimental=False, previous=NAN, **dict.fromkeys(POOLED, NAN),
        )  # fmt: skip
        keyed = line.set_index(["kpi", "level", "unit", "period"])
        for index, row in judged.iterrows():
            key = (row["kpi"], row["level"], row["unit"])
            own = line[(line[["kpi", "level", "unit"]] == list(key)).all(axis=1)]
            judged.loc[index, "pooled_n"] = own["n"].sum()
            judged.loc[index, "pooled_numerator"] = own["numerator"].sum()
            if (*key, weeks[-2]) in keyed.index:
                judged.loc[index, "previous"] = keyed.loc[(*key, weeks[-2]), "value"]
        judged["reasons"] = [("a reason",)] * len(judged)
        judged = judged[VERDICT_COLUMNS]
        given = {name: pd.DataFrame() for name in FRAMES}
        given |= {"series": line, "verdicts": judged, "drivers": self._drivers(judged, line, weeks)}
        given["people"] = pd.DataFrame(
            {"agent_id": f"{team}-{number}", "team": team, "site": site, "line_manager": None}
            for team, site in self.site_of.items()
            if team != "unassigned"
            for number in range(self.people[team, WEEKS[0]])
        )
        return Results(Path("nowhere"), {"period": weeks[-1], "centre": "Northgate"}, given)

    def _line(self, kpi: str, level: str, unit: str, weeks: list[str]) -> list[dict[str, object]]:
        pairs = self.within(level, unit)
        counted = {week: self.count(kpi, week, pairs) for week in weeks}
        whole, good = (sum(both[side] for both in counted.values()) for side in (0, 1))
        return [
            {
                "kpi": kpi, "level": level, "unit": unit, "period": week, "numerator": float(above),
                "denominator": float(n), "n": float(n), "squares": 0.0, "value": above / n, "ci_low": 0.1,
                "ci_high": 0.9, "target": 0.8, "target_high": NAN, "tolerance": 0.0, "centre": good / whole,
                "lower": 0.1, "upper": 0.9, "rule": "", "point": "", "part": 0, "excluded": False,
                "provisional": False, "rating": "fit",
            }
            for week, (n, above) in counted.items()
            if n
        ]  # fmt: skip

    def _drivers(self, judged: pd.DataFrame, line: pd.DataFrame, weeks: list[str]) -> pd.DataFrame:
        rows = []
        for kpi in self.kpis:
            for level, unit, dimension in [
                *(("centre", "centre", dimension) for dimension in ("site", "team", "queue")),
                *(("team", team, "queue") for team in self.units("team")),
            ]:
                for part in self.units(dimension):
                    pairs = [pair for pair in self.within(dimension, part) if pair in self.within(level, unit)]
                    for week in weeks[-2:]:
                        n, above = self.count(kpi, week, pairs)
                        people = sum(self.people[team, week] for team in {team for team, _ in pairs})
                        if n:
                            start = Period.parse(week).start
                            rows.append((kpi, level, unit, dimension, part, start, above, n, n, 0, people))
        columns = ["kpi", "level", "unit", "dimension", "part", "period", *("numerator", "denominator", "n", "squares")]
        found = pd.DataFrame(rows, columns=[*columns, "people"])
        measure = SimpleNamespace(kind="share", factor=1.0, unit="share")
        kpis = [SimpleNamespace(id=kpi, measure=measure, better="up") for kpi in self.kpis]
        return drivers.drivers(found, judged, line, kpis, Period.parse(weeks[-1]))


def draw_share(kpi: str) -> float:
    """The share of cases that go well: a usual one and a rare one."""
    return {"waits": 0.7, "csat": 0.05}[kpi]


class Attacker:
    """Gathers what pages show about a centre whose teams, sites and queues are known, and bounds what they hide."""

    def __init__(self, centre: Centre) -> None:
        self.centre = centre
        self.places = {
            key: number
            for number, key in enumerate((side, *cell) for cell in sorted(centre.cases) for side in ("n", "above"))
        }
        self.equal: list[tuple[dict[int, float], float]] = []
        self.least: list[tuple[dict[int, float], float]] = [
            ({self.places["n", *cell]: 1.0, self.places["above", *cell]: -1.0}, 0.0) for cell in centre.cases
        ]

    def sum(self, side: str, kpi: str, weeks: list[str], pairs: list[tuple[str, str]]) -> dict[int, float]:
        """Write a sum over weeks, teams and queues."""
        return {self.places[side, kpi, week, *pair]: 1.0 for week in weeks for pair in pairs}

    def read(self, results: Results) -> None:
        """Read the editions of every team and of the centre, with the files beside them."""
        every = [Reader("centre"), *(Reader("team", unit) for unit in readers(results, "team"))]
        for reader in every:
            frames = cut(results, reader)
            weeks = sorted(frames["series"]["period"].unique())
            for row in (*frames["series"].to_dict("records"), *frames["verdicts"].to_dict("records")):
                self._figure(row, weeks)
            for _, rows in frames["drivers"].groupby(["kpi", "level", "unit", "dimension"]):
                self._parts(rows, weeks)

    def _figure(self, row: dict[str, object], weeks: list[str]) -> None:
        kpi, week = str(row["kpi"]), str(row["period"])
        pairs = self.centre.within(str(row["level"]), str(row["unit"]))
        n, above = (self.sum(side, kpi, [week], pairs) for side in ("n", "above"))
        if np.isnan(row["n"]):
            self.least.append((n, 1.0))  # there is a row, so there was a case
        else:
            self.equal += [(n, float(row["n"])), (above, float(row["numerator"]))]
        self._ratio(kpi, [week], pairs, row["value"])
        self._ratio(kpi, weeks, pairs, row["centre"])
        for column, side in (("pooled_n", "n"), ("pooled_numerator", "above")):
            if not np.isnan(row.get(column, NAN)):
                self.equal.append((self.sum(side, kpi, weeks, pairs), float(row[column])))
        if len(weeks) > 1:
            self._ratio(kpi, [weeks[-2]], pairs, row.get("previous", NAN))

    def _ratio(self, kpi: str, weeks: list[str], pairs: list[tuple[str, str]], value: object) -> None:
        if not np.isnan(value):
            n = {place: -float(value) for place in self.sum("n", kpi, weeks, pairs)}
            self.equal.append((self.sum("above", kpi, weeks, pairs) | n, 0.0))

    def _parts(self, rows: pd.DataFrame, weeks: list[str]) -> None:
        kpi, level, unit, dimension = rows[["kpi", "level", "unit", "dimension"]].iloc[0]
        whole = self.centre.within(level, unit)
        named = {part: self.centre.within(dimension, part) for part in rows["part"] if part != drivers.OTHER}
        taken = {pair for pairs in named.values() for pair in pairs}
        for row in rows.to_dict("records"):
            pairs = [pair for pair in named.get(row["part"], whole) if pair in whole]
            if row["part"] == drivers.OTHER:
                pairs = [pair for pair in pairs if pair not in taken]
            for side, column in (("n", "n"), ("above", "numerator")):
                self.equal.append((self.sum(side, kpi, [weeks[-1]], pairs), float(row[column])))
            if not np.isnan(row["value_before"]):  # of the period before, a page shows the value to one decimal
                for sign in (1.0, -1.0):
                    n = self.sum("n", kpi, [weeks[-2]], pairs)
                    rows_of = dict.fromkeys(n, sign * (0.0005 * sign - row["value_before"]))
                    above = dict.fromkeys(self.sum("above", kpi, [weeks[-2]], pairs), sign)
                    self.least.append((above | rows_of, 0.0))

    def bounds(self, side: str, kpi: str, week: str, pairs: list[tuple[str, str]]) -> float:
        """Return how far apart the least and the largest sum are, for all that was read."""
        own = {place: number for number, place in enumerate(p for key, p in self.places.items() if key[1] == kpi)}

        def matrix(rows: list[tuple[dict[int, float], float]], sign: float) -> tuple[csr_array | None, np.ndarray]:
            kept = {(tuple(row.items()), end) for row, end in rows if next(iter(row)) in own}
            values = [(at, own[p], sign * f) for at, (row, _) in enumerate(kept) for p, f in row]
            if not values:
                return None, np.array([])
            at, places, factors = (np.array(column) for column in zip(*values, strict=True))
            return csr_array((factors, (at, places)), (len(kept), len(own))), np.array([sign * end for _, end in kept])

        equal, right = matrix(self.equal, 1.0)
        least, above = matrix(self.least, -1.0)
        cost = np.zeros(len(own))
        for place in self.sum(side, kpi, [week], pairs):
            cost[own[place]] = 1.0
        ends = []
        for sign in (1.0, -1.0):
            found = linprog(sign * cost, least, above, equal, right, bounds=(0, None), method="highs")
            assert found.status in (0, 3), found.message
            ends.append(sign * found.fun if found.status == 0 else -sign * np.inf)
        return ends[1] - ends[0]

    def worked_out(self, narrowest: float) -> list[tuple[object, ...]]:
        """List the small figures and parts that are narrower than this."""
        centre, found = self.centre, []
        for kpi in centre.kpis:
            for week in WEEKS:
                cells = [
                    (level, unit, centre.within(level, unit))
                    for level in ("site", "team", "queue")
                    for unit in centre.units(level)
                ]
                cells += [
                    ("part", (team, queue), [(team, queue)]) for team in centre.site_of for queue in centre.queues
                ]
                for level, unit, pairs in cells:
                    n, _ = centre.count(kpi, week, pairs)
                    people = sum(centre.people[team, week] for team in {team for team, _ in pairs})
                    if not n > 0 or (n >= SMALLEST_SHOWN and people >= FEWEST_BEHIND):
                        continue
                    for side in ("n", "above") if level != "part" else ("n",):
                        width = self.bounds(side, kpi, week, pairs)
                        if width < narrowest - 1e-6 and (side == "n" or not self._rare(kpi, week, level, unit)):
                            found.append((kpi, week, level, unit, n, people, side, round(width, 6)))
        return found

    def _rare(self, kpi: str, week: str, level: str, unit: str) -> bool:
        """Say whether the centre, or the site of a team, had so few events that its own figure tells as much."""
        sites = {self.centre.site_of[team] for team, _ in self.centre.within(level, unit)} if level == "team" else set()
        for above_level, name in [("centre", "centre"), *(("site", site) for site in sites)]:
            n, above = self.centre.count(kpi, week, self.centre.within(above_level, name))
            if min(above, n - above) < 3:
                return True
        return False

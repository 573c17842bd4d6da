"""A small centre with a roster, whose exports a test changes between two runs."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ccanalysis import results
from ccanalysis.reports.run import Run, run
from ccanalysis.results import Results
from ccanalysis.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
PERIOD = "2026-W46"
FIRST, WEEKS = date(2026, 9, 21), 8  # the last week is W46
TEAMS = {"Aire": ["a1", "a2", "a3"], "Taff": ["t1", "t2", "t3"]}
MANAGERS = {"Aire": "Marta Lane", "Taff": "Idris Pugh"}
SETTINGS = """
[centre]
name = "Weir"
time_zone = "Europe/London"
[centre.opening_hours.voice]
weekdays = "08:00-18:00"
sat = "closed"
sun = "closed"
[[sources]]
name = "calls"
table = "contacts"
files = "exports/calls_*.csv"
zone = "Europe/London"
[sources.columns]
contact_id = "Call"
offered_at = { column = "Offered", format = "%Y-%m-%d %H:%M:%S" }
updated_at = { column = "Changed", format = "%Y-%m-%d %H:%M:%S" }
channel = { value = "voice" }
outcome = { column = "Result", codes = { A = "answered", X = "abandoned" } }
team = "Team"
agent_id = "Agent"
wait_s = { column = "Wait", unit = "s" }
talk_s = { column = "Talk", unit = "s" }
[[sources]]
name = "roster"
table = "agents"
files = "exports/roster.csv"
[sources.columns]
agent_id = "Agent"
agent_name = "Name"
team = "Team"
line_manager = "Manager"
role = { value = "agent" }
valid_from = { column = "From", format = "iso" }
"""
REGISTER = """
version: 1
kpis:
  - id: service_level
    name: Calls answered within 20 seconds
    purpose: Customers should reach a person.
    measure: {name: service_level, threshold_s: 20, variant: SL3}
    levels: [centre, team, agent]
    targets:
      - {from: 2026-01-01, team: 0.80, individual: 0.8, tolerance: {absolute: 0.02}}
    minimum_n: 5
    frequency: week
    owner: Operations
    approval: {state: approved, by: Board, on: 2026-01-12}
    action_after_review: Compare staffing with arrivals.
  - id: abandon_rate
    name: Calls abandoned
    purpose: Few customers should give up.
    measure: abandon_rate
    levels: [centre, team]
    targets:
      - {from: 2026-01-01, team: 0.10}
    minimum_n: 5
    frequency: week
    owner: Operations
    approval: {state: approved, by: Board, on: 2026-01-12}
    action_after_review: Look at the hours.
"""


def calls(per_day: int = 14, seed: int = 3) -> pd.DataFrame:
    """Return the calls of all weeks."""
    rng = np.random.default_rng(seed)
    rows = []
    for day in (FIRST + timedelta(days=n) for n in range(7 * WEEKS)):
        if day.weekday() > 4:
            continue
        for team, agents in TEAMS.items():
            for number in range(per_day):
                second = int(rng.integers(0, 9 * 3600))
                at = pd.Timestamp(day) + pd.Timedelta(hours=8, seconds=second)
                answered = rng.random() < 0.95
                rows.append(
                    {
                        "Call": f"{day:%m%d}{team[0]}{number:02d}",
                        "Offered": at.strftime("%Y-%m-%d %H:%M:%S"),
                        "Changed": at.strftime("%Y-%m-%d %H:%M:%S"),
                        "Result": "A" if answered else "X",
                        "Team": team,
                        "Agent": agents[number % 3],
                        "Wait": int(rng.integers(1, 24)),
                        "Talk": int(rng.integers(60, 400)) if answered else "",
                    }
                )
    return pd.DataFrame(rows)


@dataclass
class Weir:
    """The centre's workspace."""

    root: Path
    settings: str = SETTINGS
    _made: int = field(default=0)

    def export(self, name: str, frame: pd.DataFrame) -> Path:
        """Write an export."""
        path = self.root / "exports" / name
        path.parent.mkdir(exist_ok=True)
        frame.to_csv(path, index=False)
        return path

    def open(self, *more: str) -> Workspace:
        """Write the settings, with more of them, and open the workspace."""
        (self.root / "ccanalysis.toml").write_text("\n".join([self.settings, *more]), encoding="utf-8")
        return Workspace.open(self.root)

    def compute(self, *more: str) -> Results:
        """Work the week through."""
        return results.compute(self.open(*more), PERIOD)

    def run(self, *more: str) -> Run:
        """Publish the week."""
        return run(self.open(*more), PERIOD, engine="inprocess")


@pytest.fixture(scope="session")
def all_calls() -> pd.DataFrame:
    """The centre's calls."""
    return calls()


def make(root: Path, all_calls: pd.DataFrame) -> Weir:
    """Write the workspace of a centre whose data are sound."""
    weir = Weir(root)
    (root / "kpis.yml").write_text(REGISTER, encoding="utf-8")
    for name in ("expectations", "notebooks"):
        shutil.copytree(ROOT / name, root / name)
    weir.export("calls_1.csv", all_calls)
    roster = [
        {"Agent": agent, "Name": f"Agent {agent}", "Team": team, "Manager": MANAGERS[team], "From": "2026-01-01"}
        for team, agents in TEAMS.items()
        for agent in agents
    ]
    weir.export("roster.csv", pd.DataFrame(roster))
    return weir


@pytest.fixture
def weir(tmp_path, all_calls) -> Weir:
    """A centre whose data are sound."""
    return make(tmp_path, all_calls)

"""A small synthetic centre whose staged tables break no rule, to be broken one rule at a time."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ccanalysis.contracts import TABLES, Table
from ccanalysis.periods import Period
from ccanalysis.workspace import Centre

PERIOD = Period.parse("2026-W46")
BASELINE = 10
HOURS = {day: (time(8), time(18)) for day in ("mon", "tue", "wed", "thu", "fri")} | {
    "sat": None,
    "sun": None,
    "holiday": None,
}
CENTRE = Centre(
    name="Test centre",
    time_zone="Europe/London",
    holidays="GB-ENG",
    opening={"voice": HOURS, "chat": HOURS},
)
SUITES = Path(__file__).parents[2] / "expectations"
TEAMS = {"North": "Leeds", "South": "Bath"}
PER_DAY = 60


def finish(frame: pd.DataFrame, table: Table, *, file: str = "") -> pd.DataFrame:
    """Give a frame every column of its table, local days and lineage, in the types of staging."""
    frame = frame.copy()
    if table.instant:
        local = pd.to_datetime(frame[table.instant], utc=True).dt.tz_convert("Europe/London")
        frame["local_date"] = local.dt.date
        frame["local_hour"] = local.dt.hour
    frame["source_file"] = file or f"{table.name}.csv"
    frame["source_row"] = np.arange(len(frame)) + 2
    frame["ingest"] = "0123abcd"
    types = {
        "text": "str",
        "integer": "Int64",
        "number": "Float64",
        "boolean": "boolean",
        "instant": "datetime64[us, UTC]",
    }
    for column in table.columns:
        if column.name not in frame:
            frame[column.name] = None
        if column.type == "date":
            frame[column.name] = pd.to_datetime(frame[column.name]).dt.date
        else:
            frame[column.name] = frame[column.name].astype(types[column.type])
    return frame[[column.name for column in table.columns]]


def write(frame: pd.DataFrame, table: Table, folder: Path) -> Path:
    """Write a staged table, with the contract's types also where a column holds nothing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {
        "text": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "instant": pa.timestamp("us", tz="UTC"),
        "date": pa.date32(),
    }
    schema = pa.schema([(column.name, kinds[column.type]) for column in table.columns if column.name in frame])
    path = folder / f"{table.name}.parquet"
    pq.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False), path)
    return path


def open_days(weeks: int = BASELINE) -> pd.DatetimeIndex:
    """The weekdays of the baseline; none of its last ten weeks has a bank holiday."""
    first = PERIOD.shift(1 - weeks).start
    return pd.bdate_range(first, PERIOD.end, inclusive="left")


def contacts(weeks: int = BASELINE) -> pd.DataFrame:
    """Sixty contacts each open day, 8:00 to 18:00, in two teams and two channels."""
    rng = np.random.default_rng(46)
    days = np.repeat(open_days(weeks).to_numpy(), PER_DAY)
    n = len(days)
    place = np.tile(np.arange(PER_DAY), n // PER_DAY)
    local = pd.Series(days).dt.tz_localize("Europe/London") + pd.to_timedelta(8 * 3600 + place * 600, unit="s")
    offered = local.dt.tz_convert("UTC")
    answered = place % 10 != 0
    wait = rng.integers(3, 90, n)
    talk = rng.integers(60, 600, n)
    hold = rng.integers(0, 30, n)
    answered_at = (offered + pd.to_timedelta(wait, unit="s")).where(answered)
    ended = (answered_at + pd.to_timedelta(talk + hold, unit="s")).where(
        answered, offered + pd.to_timedelta(wait, unit="s")
    )
    team = np.where(place % 2 == 0, "North", "South")
    payment = place % 6 == 1
    disclosure = place % 3 == 1
    return finish(
        pd.DataFrame(
            {
                "contact_id": [f"c{number:06d}" for number in range(n)],
                "offered_at": offered,
                "answered_at": answered_at,
                "ended_at": ended,
                "channel": np.where(place % 4 == 3, "chat", "voice"),
                "direction": "inbound",
                "outcome": np.where(answered, "answered", "abandoned"),
                "queue": "general",
                "reason": "billing",
                "customer_id": [f"k{number % 900:04d}" for number in range(n)],
                "site": [TEAMS[name] for name in team],
                "team": team,
                "agent_id": pd.Series([f"a{number % 8}" for number in range(n)]).where(answered),
                "wait_s": wait,
                "talk_s": pd.Series(talk).where(answered),
                "hold_s": pd.Series(hold).where(answered),
                "acw_s": pd.Series(rng.integers(5, 60, n)).where(answered),
                "menu_s": 5,
                "transfers": 0,
                "escalated": False,
                "resolved": True,
                "disclosure": disclosure,
                "identity_validated": pd.Series(np.where(disclosure, True, None), dtype="boolean"),
                "payment": payment,
                "recording_paused": payment,
            }
        ),
        TABLES["contacts"],
    )


def intervals(weeks: int = BASELINE) -> pd.DataFrame:
    """Daily counts of two teams on the voice channel."""
    days = np.repeat(open_days(weeks).to_numpy(), 2)
    n = len(days)
    team = np.tile(["North", "South"], n // 2)
    return finish(
        pd.DataFrame(
            {
                "starts_on": days,
                "starts_hour": None,
                "length": "day",
                "site": [TEAMS[name] for name in team],
                "team": team,
                "queue": "general",
                "channel": "voice",
                "n_offered": np.tile([30, 15], n // 2),
                "n_answered": np.tile([27, 13], n // 2),
                "n_abandoned": np.tile([3, 2], n // 2),
                "n_in_threshold": np.tile([25, 12], n // 2),
                "wait_s_sum": np.tile([27 * 20, 13 * 20], n // 2),
                "handle_s_sum": np.tile([27 * 300, 13 * 300], n // 2),
                "asa_s": 20.0,
                "service_level_share": 0.8,
            }
        ),
        TABLES["intervals"],
    )


def agents() -> pd.DataFrame:
    """Eight agents in two teams."""
    return finish(
        pd.DataFrame(
            {
                "agent_id": [f"a{number}" for number in range(8)],
                "agent_name": [f"Agent {number}" for number in range(8)],
                "team": ["North", "South"] * 4,
                "site": ["Leeds", "Bath"] * 4,
                "line_manager": ["M1", "M2"] * 4,
                "role": "agent",
                "employed_from": pd.Timestamp("2024-01-01"),
                "valid_from": pd.Timestamp("2024-01-01"),
                "valid_to": None,
            }
        ),
        TABLES["agents"],
    )


def control_totals() -> pd.DataFrame:
    """What the switch counted: the same as the contacts, per day and channel."""
    frame = contacts()
    totals = frame.groupby(["local_date", "channel"], as_index=False).size()
    return finish(totals.rename(columns={"local_date": "on_date", "size": "n_offered"}), TABLES["control_totals"])


def evaluations(weeks: int = BASELINE) -> pd.DataFrame:
    """Two criteria for each of four contacts a day."""
    some = contacts(weeks)
    some = some[some["outcome"] == "answered"].groupby("local_date").head(8)
    frames = [
        pd.DataFrame(
            {
                "evaluation_id": "e" + some["contact_id"],
                "criterion": criterion,
                "contact_id": some["contact_id"],
                "evaluated_at": some["ended_at"],
                "source": "call_monitoring",
                "evaluator_id": "v1",
                "form": "standard",
                "form_version": "3",
                "channel": some["channel"],
                "expression": "verbal",
                "site": some["site"],
                "team": some["team"],
                "agent_id": some["agent_id"],
                "points": 4.0,
                "max_points": 5.0,
                "weight": 50.0,
                "auto_fail": False,
            }
        )
        for criterion in ("greeting", "solution")
    ]
    return finish(pd.concat(frames, ignore_index=True), TABLES["evaluations"])


def surveys(weeks: int = BASELINE) -> pd.DataFrame:
    """One invitation for every answered contact; half of them answered."""
    some = contacts(weeks)
    some = some[some["outcome"] == "answered"].reset_index(drop=True)
    replied = pd.Series(np.arange(len(some)) % 2 == 0)
    return finish(
        pd.DataFrame(
            {
                "survey_id": "s" + some["contact_id"],
                "contact_id": some["contact_id"],
                "invited_at": some["ended_at"],
                "answered_at": (some["ended_at"] + pd.Timedelta(minutes=5)).where(replied),
                "channel": some["channel"],
                "site": some["site"],
                "team": some["team"],
                "agent_id": some["agent_id"],
                "csat": pd.Series(4.0, index=some.index).where(replied),
                "nps": pd.Series(9.0, index=some.index).where(replied),
                "effort": pd.Series(2.0, index=some.index).where(replied),
                "resolved_first_time": pd.Series(True, index=some.index, dtype="boolean").where(replied),
            }
        ),
        TABLES["surveys"],
    )


MAKERS = {
    "contacts": contacts,
    "intervals": intervals,
    "agents": agents,
    "control_totals": control_totals,
    "evaluations": evaluations,
    "surveys": surveys,
}


@pytest.fixture(scope="session")
def frames() -> dict[str, pd.DataFrame]:
    """The clean tables, as frames to copy and break."""
    return {name: make() for name, make in MAKERS.items()}


@pytest.fixture(scope="session")
def clean(frames, tmp_path_factory) -> dict[str, Path]:
    """The clean tables, staged."""
    folder = tmp_path_factory.mktemp("clean")
    return {name: write(frame, TABLES[name], folder) for name, frame in frames.items()}


@pytest.fixture(scope="session")
def checked(clean):
    """What the suites say of the clean tables."""
    from ccanalysis.checks import check

    return check(clean, SUITES, period=PERIOD, centre=CENTRE, baseline=BASELINE)

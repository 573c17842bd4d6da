"""Clean contract contacts in any number, for benchmarks: whole arrays, no vendor, nothing planted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ccanalysis import contracts
from ccanalysis.samples import centre
from ccanalysis.samples.centre import CHANNELS, QUEUES, REASONS, TEAMS, Plan
from ccanalysis.samples.simulate import DAY_S, EPOCH, HOUR_WEIGHTS, day_number, utc_offset_s

if TYPE_CHECKING:
    import pyarrow as pa

AGENTS_PER_TEAM = 10


def contacts_table(n: int, seed: int = centre.SEED, *, first: int = 0, weeks: int = centre.WEEKS) -> pa.Table:
    """Return so many clean contacts with exactly the columns of the contract, sorted by local day.

    Args:
        n: How many.
        seed: Of every random draw.
        first: The number in the first identifier, so that parts made with other seeds do not repeat it.
        weeks: Over how many weeks up to 2026-W46 they are spread.

    Returns:
        Arrow columns of the contract's types; texts of few values are dictionaries.
    """
    import pyarrow as pa  # noqa: PLC0415  slow, and only benchmarks need it

    plan = Plan.of(seed=seed, weeks=weeks)
    rng = plan.stream("large")
    days = np.array([day for day in range(day_number(plan.first_day), day_number(plan.end)) if (day + 3) % 7 != 6])
    day = np.sort(days[rng.integers(0, len(days), n)])
    hour = rng.choice(np.arange(24), n, p=HOUR_WEIGHTS / HOUR_WEIGHTS.sum())
    offsets = np.array([utc_offset_s(EPOCH + pd.Timedelta(days=int(d))) for d in range(days[0], days[-1] + 1)])
    offered = day * DAY_S + hour * 3600 + rng.integers(0, 3600, n) - offsets[day - days[0]]
    channel = rng.choice(3, n, p=[0.56, 0.23, 0.21]).astype(np.int8)
    reason = rng.integers(0, len(REASONS), n, dtype=np.int8)
    agent = rng.integers(0, len(TEAMS) * AGENTS_PER_TEAM, n, dtype=np.int16)
    team = (agent // AGENTS_PER_TEAM).astype(np.int8)
    wait = np.where(rng.random(n) < 0.4, 0, rng.exponential(15, n)).astype(np.int64)
    lost = (rng.random(n, dtype=np.float32) < 0.04) & (wait > 0)
    talk = rng.lognormal(5.7, 0.5, n).astype(np.int64).clip(1, 14_000)
    hold = np.where(rng.random(n, dtype=np.float32) < 0.2, rng.exponential(50, n), 0).astype(np.int64)
    acw = rng.lognormal(3.7, 0.6, n).astype(np.int64)
    told = rng.random(n, dtype=np.float32) < 0.6
    card = (reason == 1) & (channel == 0)

    def few(index: np.ndarray, values: list[str], empty: np.ndarray | None = None) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(index, mask=empty), pa.array(values))

    def instant(seconds: np.ndarray, empty: np.ndarray | None = None) -> pa.Array:
        return pa.array(seconds * 1_000_000, pa.int64(), mask=empty).cast(pa.timestamp("us", "UTC"))

    def flag(share: float) -> pa.Array:
        return pa.array(rng.random(n, dtype=np.float32) < share, mask=lost)

    queue = np.array([r.queue for r in REASONS], dtype=np.int8)[reason]
    one = np.zeros(n, np.int8)
    ended = offered + wait + np.where(lost, 0, talk + hold)
    made: dict[str, pa.Array] = {
        "contact_id": _numbered("B", first, n),
        "offered_at": instant(offered),
        "answered_at": instant(offered + wait, lost),
        "ended_at": instant(ended),
        "updated_at": instant(ended + acw),
        "channel": few(channel, list(CHANNELS)),
        "direction": few(one, ["inbound"]),
        "outcome": few(lost.astype(np.int8), ["answered", "abandoned"]),
        "queue": few(queue, list(QUEUES)),
        "reason": few(reason, [r.name for r in REASONS], lost),
        "customer_id": _numbered("K", 0, n, rng.integers(0, max(n * 2 // 3, 1), n)),
        "site": few((team >= 3).astype(np.int8), list(centre.SITES)),
        "team": few(team, [t.name for t in TEAMS]),
        "agent_id": few(agent, [f"A{number + 1:03d}" for number in range(len(TEAMS) * AGENTS_PER_TEAM)], lost),
        "line_manager": few(team, [t.line_manager for t in TEAMS], lost),
        "wait_s": pa.array(wait),
        "talk_s": pa.array(talk, mask=lost),
        "hold_s": pa.array(hold, mask=lost),
        "acw_s": pa.array(acw, mask=lost),
        "menu_s": pa.array(rng.integers(5, 60, n)),
        "transfers": pa.array((rng.random(n, dtype=np.float32) < 0.1).astype(np.int64), mask=lost),
        "escalated": flag(0.03),
        "resolved": flag(0.88),
        "disclosure": pa.array(told, mask=lost),
        "identity_validated": pa.array(rng.random(n, dtype=np.float32) < 0.99, mask=lost | ~told),
        "payment": pa.array(card, mask=lost),
        "recording_paused": pa.array(rng.random(n, dtype=np.float32) < 0.985, mask=lost | ~card),
        "local_date": pa.array(day.astype("int32")).cast(pa.date32()),
        "local_hour": pa.array(hour.astype(np.int64)),
        "source_file": few(one, ["large"]),
        "source_row": pa.array(np.arange(first + 1, first + n + 1)),
        "ingest": few(one, ["0" * 12]),
    }
    kinds = {"boolean": pa.bool_(), "instant": pa.timestamp("us", "UTC"), "integer": pa.int64()}
    columns = contracts.CONTACTS.columns
    made |= {column.name: pa.nulls(n, kinds[column.type]) for column in columns if column.name not in made}
    return pa.table({column.name: made[column.name] for column in columns})


def contacts_frame(n: int, seed: int = centre.SEED, *, first: int = 0, weeks: int = centre.WEEKS) -> pd.DataFrame:
    """Return `contacts_table` as a frame with Arrow-backed columns.

    Examples:
        >>> contacts_frame(3, seed=1)["contact_id"].tolist()
        ['B0000000000', 'B0000000001', 'B0000000002']
    """
    return contacts_table(n, seed, first=first, weeks=weeks).to_pandas(types_mapper=pd.ArrowDtype)


def _numbered(letter: str, first: int, n: int, numbers: np.ndarray | None = None) -> pa.Array:
    """Write numbers behind a letter, ten digits each, without a Python object per row."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    numbers = np.arange(first, first + n) if numbers is None else numbers
    return pc.binary_join_element_wise(letter, pc.utf8_lpad(pa.array(numbers).cast(pa.string()), 10, "0"), "")

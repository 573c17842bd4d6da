"""Is a sample like what it was drawn from? Evaluated contacts beside all, those who answered beside those asked.

The measure is the standardised difference: by how many standard deviations the sample's share (or mean) is apart from
the population's. A tenth is where balance is doubted. What chance alone brings to a sample of its size is taken off
first, so that a small sample is not blamed for being small.

Source:
    P. C. Austin (2009), Balance diagnostics for comparing the distribution of baseline covariates, Statistics in
    Medicine 28(25): standardised differences, and 0.1 as the mark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ccanalysis.engine import quoted

if TYPE_CHECKING:
    import duckdb

    from ccanalysis.checks.batches import Scope

# So many standard errors are taken off: over thirty shares, chance passes four of them in under 1 of 400 periods.
ERRORS = 4.0
# A share is compared where so many cases would be expected in the sample; a normal interval holds from there.
EXPECTED = 5.0
COLUMNS = ["of", "value", "n_sample", "n_all", "difference", "beyond_chance", "_period", "_team"]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What is compared with what.

    Attributes:
        needs: The tables that are read, beside its own.
        traits: What is compared: shares of each value.
        means: What is compared by its mean.
    """

    needs: tuple[str, ...]
    traits: tuple[str, ...]
    means: tuple[str, ...] = ()


SAMPLES = {
    "evaluations": Sample(
        needs=("contacts",), traits=("channel", "queue", "local_hour", "site", "team", "agent_id"), means=("handle_s",)
    ),
    "surveys": Sample(needs=(), traits=("channel", "site", "team", "queue"), means=()),
}
# A hidden name of an agent is never kept: only that one of them differs.
HIDDEN = ("agent_id",)


def sample_batch(
    connection: duckdb.DuckDBPyConnection, table: str, scope: Scope, *, period: str, present: set[str]
) -> pd.DataFrame:
    """Return one row per period, trait and value, with how far the sample is from the population.

    Args:
        connection: With `<table>__source` for every table that is present.
        table: One of `SAMPLES`.
        scope: The time that is looked at.
        period: The first day of the period of a local day `local_date`, as SQL.
        present: The tables that are present.

    Returns:
        of (the trait), value (which one; empty for a mean and for agents), n_sample, n_all, difference (standardised),
        beyond_chance (its size less what chance brings, not below 0), and what the row belongs to.
    """
    sample = SAMPLES[table]
    population = _evaluated(scope, period) if table == "evaluations" else _asked(scope, period, present)
    name = f"{table}__people"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(name)} AS {population}")
    try:
        found = [_shares(_counts(connection, name, trait), trait) for trait in sample.traits]
        found += [_means(_moments(connection, name, mean), mean) for mean in sample.means]
    finally:
        connection.execute(f"DROP TABLE {quoted(name)}")
    frame = pd.concat([part for part in found if len(part)] or found, ignore_index=True)
    frame["_team"] = None
    return frame.reindex(columns=COLUMNS)


def _evaluated(scope: Scope, period: str) -> str:
    """All answered contacts of each period, and whether call monitoring of that period or later looked at them."""
    return (
        f"SELECT {period} AS _period, channel, queue, local_hour, site, team, agent_id,"
        " talk_s + coalesce(hold_s, 0) + coalesce(acw_s, 0) AS handle_s,"
        " contact_id IN (SELECT contact_id FROM evaluations__source WHERE contact_id IS NOT NULL"
        " AND source IN ('call_monitoring', 'peer_observation')) AS taken"
        " FROM contacts__source WHERE outcome = 'answered'"
        f" AND local_date >= {scope.first} AND local_date < {scope.end}"
    )


def _asked(scope: Scope, period: str, present: set[str]) -> str:
    """All who were asked in each period, and whether they answered."""
    queue = "CAST(NULL AS VARCHAR)"
    joined = ""
    if "contacts" in present:
        queue = "contacts.queue"
        joined = (
            " LEFT JOIN (SELECT contact_id, any_value(queue) AS queue FROM contacts__source GROUP BY contact_id)"
            " AS contacts ON contacts.contact_id = asked.contact_id"
        )
    return (
        f"SELECT {period} AS _period, channel, site, team, {queue} AS queue, answered_at IS NOT NULL AS taken"
        f" FROM surveys__source AS asked{joined} WHERE local_date >= {scope.first} AND local_date < {scope.end}"
    )


def _counts(connection: duckdb.DuckDBPyConnection, name: str, trait: str) -> pd.DataFrame:
    return connection.execute(
        f"SELECT _period, CAST({trait} AS VARCHAR) AS value, count(*) AS n_all, count_if(taken) AS n_sample"
        f" FROM {quoted(name)} WHERE {trait} IS NOT NULL GROUP BY ALL ORDER BY ALL"
    ).df()


def _moments(connection: duckdb.DuckDBPyConnection, name: str, mean: str) -> pd.DataFrame:
    return connection.execute(
        f"SELECT _period, count({mean}) AS n_all, count({mean}) FILTER (WHERE taken) AS n_sample,"
        f" avg({mean}) AS all_mean, avg({mean}) FILTER (WHERE taken) AS sample_mean, stddev_samp({mean}) AS spread"
        f" FROM {quoted(name)} GROUP BY ALL ORDER BY ALL"
    ).df()


def _shares(counted: pd.DataFrame, trait: str) -> pd.DataFrame:
    """Compare each value's share in the sample with its share in the population."""
    if not len(counted):
        return pd.DataFrame(columns=COLUMNS)
    totals = counted.groupby("_period")[["n_all", "n_sample"]].transform("sum")
    share, taken = (
        counted["n_all"] / totals["n_all"],
        counted["n_sample"] / totals["n_sample"].where(totals["n_sample"] > 0),
    )
    spread = np.sqrt((share * (1 - share)).clip(lower=1e-9))
    found = _told(counted, (taken - share) / spread, totals["n_sample"], totals["n_all"], trait)
    found["value"] = "" if trait in HIDDEN else counted["value"]
    enough = (share * totals["n_sample"] >= EXPECTED) & (share < 1)
    return found[enough]


def _means(moments: pd.DataFrame, mean: str) -> pd.DataFrame:
    """Compare the sample's mean with the population's."""
    difference = (moments["sample_mean"] - moments["all_mean"]) / moments["spread"].where(moments["spread"] > 0)
    found = _told(moments, difference, moments["n_sample"], moments["n_all"], mean).assign(value="")
    return found[moments["n_sample"] >= EXPECTED * 2]


def _told(
    frame: pd.DataFrame, difference: pd.Series, n_sample: pd.Series, n_all: pd.Series, trait: str
) -> pd.DataFrame:
    error = np.sqrt((1 / n_sample.where(n_sample > 0) - 1 / n_all).clip(lower=0))
    return pd.DataFrame(
        {
            "of": trait,
            "n_sample": n_sample.astype("int64"),
            "n_all": n_all.astype("int64"),
            "difference": difference.astype("float64"),
            "beyond_chance": (difference.abs() - ERRORS * error).clip(lower=0).astype("float64"),
            "_period": frame["_period"],
        }
    )

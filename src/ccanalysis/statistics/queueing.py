"""Erlang B and C: what a queue of given load and staff should look like if nobody hangs up.

Real customers abandon, so Erlang C overstates waits: use it as a yardstick, not as a forecast.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ccanalysis.errors import StatisticsError


def erlang_b(load: ArrayLike, agents: ArrayLike) -> NDArray[np.float64]:
    """Give the share of contacts blocked when there is no queue.

    Args:
        load: Offered load in Erlangs: contacts per hour times handling time in hours.
        agents: Number of agents or lines, whole, at least 0.

    Returns:
        Share from 0 to 1.

    Raises:
        StatisticsError: Negative loads, or agents that are not whole numbers from 0.

    Examples:
        >>> round(float(erlang_b(2, 5)), 4)
        0.0367

    Source:
        Erlang (1917); recursion as in Cooper, Introduction to Queueing Theory (1981), 3.
    """
    offered, servers = np.broadcast_arrays(np.asarray(load, dtype=float), np.asarray(agents, dtype=float))
    if (offered < 0).any():
        raise StatisticsError(f"{int((offered < 0).sum())} loads are negative")
    if ((servers < 0) | (servers != np.floor(servers))).any():
        raise StatisticsError("agents are whole numbers from 0")
    blocked = np.ones(offered.shape)
    for n in range(1, int(servers.max(initial=0)) + 1):
        step = offered * blocked / (n + offered * blocked)
        blocked = np.where(n <= servers, step, blocked)
    return blocked[()]


def erlang_c(load: ArrayLike, agents: ArrayLike) -> NDArray[np.float64]:
    """Give the share of contacts that have to wait when nobody hangs up.

    Args:
        load: Offered load in Erlangs.
        agents: Number of agents, whole, at least 0.

    Returns:
        Share from 0 to 1; 1 where the load is no smaller than the staff.

    Examples:
        >>> round(float(erlang_c(48, 55)), 4)
        0.2387

    Source:
        Erlang (1917): C = B / (1 - occupancy (1 - B)).
    """
    offered, servers = np.asarray(load, dtype=float), np.asarray(agents, dtype=float)
    blocked = erlang_b(offered, servers)
    with np.errstate(divide="ignore", invalid="ignore"):
        occupancy = offered / servers
        waiting = blocked / (1 - occupancy * (1 - blocked))
    return np.where(offered < servers, waiting, np.where(offered > 0, 1.0, 0.0))[()]


class Queue(NamedTuple):
    """A queue in the long run; times in seconds, shares from 0 to 1.

    Attributes:
        load: Offered load in Erlangs.
        occupancy: Share of time that agents are busy; 1 and above cannot last.
        p_wait: Share of contacts that wait.
        asa_s: Mean wait of all contacts; infinite where the load is no smaller than the staff.
        service_level: Share of contacts answered within the threshold.
        queue_length: Mean number of contacts waiting.
    """

    load: NDArray[np.float64]
    occupancy: NDArray[np.float64]
    p_wait: NDArray[np.float64]
    asa_s: NDArray[np.float64]
    service_level: NDArray[np.float64]
    queue_length: NDArray[np.float64]


def queue(
    contacts: ArrayLike, aht_s: ArrayLike, agents: ArrayLike, *, interval_s: float = 1800.0, threshold_s: ArrayLike = 20
) -> Queue:
    """Describe the queue that contacts, handling time and staff make, if nobody hangs up.

    Args:
        contacts: Contacts offered per interval.
        aht_s: Mean handling time, seconds.
        agents: Agents at work, whole.
        interval_s: Length of the interval, seconds; half an hour unless said otherwise.
        threshold_s: Wait within which a contact counts as answered in time, seconds.

    Returns:
        The queue.

    Raises:
        StatisticsError: Negative contacts, or agents that are not whole numbers from 0.

    Examples:
        >>> busy = queue(360, 240, 55, threshold_s=15)
        >>> round(float(busy.asa_s), 2), round(float(busy.service_level), 3)
        (8.18, 0.846)

    Source:
        Erlang (1917); Koole, Call Center Optimization (2013), 4.
    """
    calls, time, servers, limit = (
        np.asarray(one, dtype=float) for one in np.broadcast_arrays(contacts, aht_s, agents, threshold_s)
    )
    load = calls * time / interval_s
    waiting = np.asarray(erlang_c(load, servers))
    spare = servers - load
    stable = spare > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        asa = np.where(load == 0, 0.0, np.where(stable, waiting * time / spare, np.inf))
        in_time = np.where(load == 0, 1.0, np.where(stable, 1 - waiting * np.exp(-spare * limit / time), 0.0))
        occupancy = load / servers
        length = np.where(load == 0, 0.0, np.where(stable, waiting * load / spare, np.inf))
    return Queue(*(np.asarray(one)[()] for one in (load, occupancy, waiting, asa, in_time, length)))


def agents_needed(
    contacts: float, aht_s: float, *, service_level: float, threshold_s: float = 20, interval_s: float = 1800.0
) -> int:
    """Give the fewest agents that reach a service level, if nobody hangs up.

    Args:
        contacts: Contacts offered per interval.
        aht_s: Mean handling time, seconds.
        service_level: Share to be answered within the threshold, above 0 and below 1.
        threshold_s: Threshold, seconds.
        interval_s: Length of the interval, seconds.

    Returns:
        Number of agents at work, before shrinkage.

    Raises:
        StatisticsError: A service level outside 0 to 1.

    Examples:
        >>> agents_needed(100, 180, service_level=0.8)
        14

    Source:
        As `queue`.
    """
    if not 0 < service_level < 1:
        raise StatisticsError(f"service_level is {service_level}, expected a share between 0 and 1")
    agents = int(np.floor(contacts * aht_s / interval_s)) + 1
    reached = 0.0
    while reached < service_level:
        reached = float(queue(contacts, aht_s, agents, interval_s=interval_s, threshold_s=threshold_s).service_level)
        agents += 1
    return agents - 1

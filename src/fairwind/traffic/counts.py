"""What happened to hosts, counted: deltas that replicas send, and the sums that prices are made from. Pure.

Counts are whole numbers, and utility is counted in millionths, so that sums are exact: deltas merged in any order, in
any grouping, are the same.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwind.traffic.allocator import Hosts, Ranking, Scores, Why

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

MICRO = 1_000_000


class Count(IntEnum):
    """The columns of counts. The first four are impressions by why they were made."""

    UTILITY = Why.UTILITY
    FLOOR = Why.FLOOR
    STAGE = Why.STAGE
    WELFARE = Why.WELFARE
    UTILITY_MICRO = 4
    CLICKS = 5
    CANDIDACIES = 6


IMPRESSIONS = slice(0, len(Why))


class Delta(NamedTuple):
    """What was counted of some hosts. hosts: int32[m], each once, rising. counts: int64[m, len(Count)]."""

    hosts: Hosts
    counts: Counts


NOTHING = Delta(np.empty(0, np.int32), np.empty((0, len(Count)), np.int64))


def delta(hosts: Hosts, columns: NDArray[np.integer], amounts: NDArray[np.integer] | int = 1) -> Delta:
    """Amounts of hosts, each as often as it likes. columns: int[n], of Count. Hosts below 0 are left out."""
    known = hosts >= 0
    found, place = np.unique(hosts[known], return_inverse=True)
    counts = np.zeros((len(found), len(Count)), np.int64)
    np.add.at(
        counts, (place, np.broadcast_to(columns, hosts.shape)[known]), np.broadcast_to(amounts, hosts.shape)[known]
    )
    return Delta(found.astype(np.int32), counts)


def shown(ranking: Ranking, scores: Scores, hosts: Hosts) -> Delta:
    """What a request adds when its whole list was seen: an impression for each slot, and its utility."""
    owners, utilities = hosts[ranking.positions], scores[ranking.positions].astype(np.float64)
    sound = np.where(np.isfinite(utilities) & (utilities > 0), utilities, 0)
    micro = np.rint(np.minimum(sound, MICRO) * MICRO).astype(np.int64)
    columns = np.concatenate((ranking.why, np.full(len(owners), Count.UTILITY_MICRO)))
    return delta(np.tile(owners, 2), columns, np.concatenate((np.ones(len(owners), np.int64), micro)))


def merged(*deltas: Delta) -> Delta:
    """All of them as one."""
    hosts, place = np.unique(np.concatenate([each.hosts for each in (NOTHING, *deltas)]), return_inverse=True)
    counts = np.zeros((len(hosts), len(Count)), np.int64)
    np.add.at(counts, place, np.concatenate([each.counts for each in (NOTHING, *deltas)]))
    return Delta(hosts, counts)


class Exposure:
    """All that was counted of G hosts, and what is left of it after decay. The leader's, of one thread.

    counts: int64[G, len(Count)], exact. impressions, utility: float64[G], decayed to the time of the last change.
    """

    def __init__(self, hosts: int, half_life_s: float, at_s: float) -> None:
        self.counts: Counts = np.zeros((hosts, len(Count)), np.int64)
        self.impressions: Floats = np.zeros(hosts)
        self.utility: Floats = np.zeros(hosts)
        self._half_life_s = half_life_s
        self._at_s = at_s

    @property
    def at_s(self) -> float:
        """The time to which the sums are decayed."""
        return self._at_s

    def decay(self, now_s: float) -> None:
        """Let time pass. An earlier time than the last changes nothing: clocks of replicas differ."""
        if now_s > self._at_s:
            left = 0.5 ** ((now_s - self._at_s) / self._half_life_s)
            self.impressions *= left
            self.utility *= left
            self._at_s = now_s

    def add(self, change: Delta, now_s: float) -> None:
        """Count change as of now. Hosts outside 0 … G − 1 must not be in it."""
        self.decay(now_s)
        self.counts[change.hosts] += change.counts
        self.impressions[change.hosts] += change.counts[:, IMPRESSIONS].sum(axis=1)
        self.utility[change.hosts] += change.counts[:, Count.UTILITY_MICRO] / MICRO

    def total_impressions(self) -> Counts:
        """int64[G]."""
        total: Counts = self.counts[:, IMPRESSIONS].sum(axis=1)
        return total

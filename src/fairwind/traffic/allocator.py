"""The allocator: who is shown, of those that retrieval found, in microseconds. Pure but for the prices it holds.

A candidate's bid is what it is worth to the viewer plus the price of its host; the K highest bids are shown, in the
order of utility. What a request may lose of its utility is bounded: while it would lose more, prices are halved, and at
last left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwind.traffic.measures import dcg_weights
from fairwind.traffic.policy import TrafficPolicy
from fairwind.traffic.prices import PriceSnapshot

Scores = NDArray[np.float32]
Hosts = NDArray[np.int32]
Positions = NDArray[np.intp]
Floats = NDArray[np.float64]

_MANY, _BLOCK = 2048, 64
"""From how many candidates a threshold sorts out most of them first, by the maxima of blocks of so many."""
_LEAST, _MOST = 1e-30, 1e30
"""Utilities beyond these would overflow when they are compared: less is nothing, more counts as this."""


class Why(IntEnum):
    """Why a slot is whose it is. All but UTILITY would not have been there without prices."""

    UTILITY = 0
    FLOOR = 1
    STAGE = 2
    WELFARE = 3


class Ranking(NamedTuple):
    """The answer to a request. positions: intp[m], m ≤ k, into its candidates, best slot first. why: uint8[m], of Why.

    factor: which part of the prices was used: 1, 1/2, 1/4, …, or 0. utility, utility_max: what the slots are worth to
    the viewer, and what the pure top list would be. version: of the prices.
    """

    positions: Positions
    why: NDArray[np.uint8]
    factor: float
    utility: float
    utility_max: float
    version: int


class Allocator:
    """Ranks requests with the last prices it was given. Any thread may rank while another publishes."""

    def __init__(self, policy: TrafficPolicy, snapshot: PriceSnapshot) -> None:
        self._policy = policy
        self._snapshot = snapshot

    @property
    def snapshot(self) -> PriceSnapshot:
        return self._snapshot

    def publish(self, snapshot: PriceSnapshot) -> None:
        """Serve with these prices from now on. One reference is replaced, so a request sees the old or the new ones."""
        self._snapshot = snapshot

    def rank(self, scores: Scores, hosts: Hosts, k: int) -> Ranking:
        """The list for one request.

        scores: float32[n], predicted utilities û; what is not a finite number above 0 counts as 0, what is above
        1e30 as 1e30. hosts: int32[n], whose
        the candidates are; one outside 0 … G − 1 has no price. A host may have several candidates. k: slots. With fewer
        candidates than slots all are shown. Equal candidates keep their order.
        """
        assert len(scores) == len(hosts)
        return _ranked(self._policy, self._snapshot, _utilities(scores), np.asarray(hosts, np.int32), k)

    def rank_batch(self, scores: Scores, hosts: Hosts, offsets: Sequence[int], k: int) -> list[Ranking]:
        """The lists for several requests, by the same prices. Request i has candidates offsets[i] to offsets[i+1]."""
        assert len(scores) == len(hosts) == offsets[-1]
        snapshot, utilities, owners = self._snapshot, _utilities(scores), np.asarray(hosts, np.int32)
        return [
            _ranked(self._policy, snapshot, utilities[start:end], owners[start:end], k)
            for start, end in pairwise(offsets)
        ]


def _utilities(scores: Scores) -> Scores:
    """scores with 0 for what is not a finite number above 0. Looked at first, and copied only when one is bad."""
    utilities = np.asarray(scores, np.float32)
    if len(utilities) and not (utilities.min() >= 0 and utilities.max() <= _MOST):
        utilities = np.where(np.isfinite(utilities) & (utilities > 0), np.minimum(utilities, np.float32(_MOST)), 0)
    return utilities


def _ranked(policy: TrafficPolicy, snapshot: PriceSnapshot, utilities: Scores, hosts: Hosts, k: int) -> Ranking:
    slots = min(k, len(utilities))
    if slots <= 0:
        return Ranking(np.empty(0, np.intp), np.empty(0, np.uint8), 1.0, 0.0, 0.0, snapshot.version)
    values = dcg_weights(slots) if policy.slot_values == "dcg" else np.ones(slots)
    pure = _in_order(utilities, _largest(utilities, slots))
    best = float(values @ utilities[pure])
    for factor, chosen in _tries(policy, snapshot, utilities, hosts, pure, values):
        positions = _in_order(utilities, chosen)
        utility = float(values @ utilities[positions])
        if utility >= (1 - policy.utility_loss_max) * best:
            why = _why(snapshot, hosts, positions, pure)
            return Ranking(positions, why, factor, utility, best, snapshot.version)
    return Ranking(pure, np.zeros(slots, np.uint8), 0.0, best, best, snapshot.version)


def _tries(
    policy: TrafficPolicy, snapshot: PriceSnapshot, utilities: Scores, hosts: Hosts, pure: Positions, values: Floats
) -> Iterator[tuple[float, Positions]]:
    """The lists by whole prices, half of them, a quarter, …; each with the part of the prices it was made with."""
    if len(pure) == len(utilities):
        yield 1.0, pure
        return
    worth = _worth(utilities, pure, values)
    # As unsigned numbers the unknown below 0 lie above G as well, and all of them are clipped to the price of nobody.
    prices = snapshot.price.take(hosts.view(np.uint32), mode="clip")
    if snapshot.per_utility:
        # A price may take all of a candidate's worth and no more, or more utility would make a lower bid.
        prices = np.maximum(prices * utilities, -worth)
    for halvings in range(policy.retries_max + 1):
        factor = 0.5**halvings
        yield factor, _largest(worth + np.float32(factor) * prices, len(pure))


def _worth(utilities: Scores, pure: Positions, values: Floats) -> Scores:
    """What each candidate is worth to the viewer, in average slots of the pure list: float32[n].

    With slots that are worth less and less, a candidate of the pure list that is left out takes with it what it adds in
    its slot, and moves those behind it up: Σ wⱼ(sⱼ − sⱼ₊₁) from its slot on. One that comes in stands last. So worth is
    utility in the last slot's value, and for the pure list what its better slots add.
    """
    best = utilities[pure].astype(np.float64)
    scale = float(values @ best) / float(values.sum())
    if scale < _LEAST:
        return np.zeros_like(utilities)
    worth = utilities * np.float32(values[-1] / scale)
    if values[0] > values[-1]:
        steps = (values[:-1] - values[-1]) * (best[:-1] - best[1:])
        worth[pure[:-1]] += (np.cumsum(steps[::-1])[::-1] / scale).astype(np.float32)
    return worth


def _largest(amounts: Scores, k: int) -> Positions:
    """Where the k largest amounts are, in the order of position; of equal ones the earlier. 0 < k ≤ n."""
    count = len(amounts)
    if count > _MANY and k * _BLOCK * 4 <= count:
        whole = amounts[: count - count % _BLOCK].reshape(_BLOCK, -1).max(axis=0)
        # k blocks have a maximum of at least this, so the k largest do as well.
        likely = np.flatnonzero(amounts >= np.partition(whole, len(whole) - k)[len(whole) - k])
        if len(likely) < count:
            return likely[_largest(amounts[likely], k)]
    least = np.partition(amounts, count - k)[count - k]
    found = np.flatnonzero(amounts >= least)
    if len(found) > k:
        above = amounts[found] > least
        ties = found[~above][: k - np.count_nonzero(above)]
        found = np.sort(np.concatenate((found[above], ties)))
    return found


def _in_order(utilities: Scores, positions: Positions) -> Positions:
    """positions, which rise, by utility, the best first."""
    return positions[np.argsort(-utilities[positions], kind="stable")]


def _why(snapshot: PriceSnapshot, hosts: Hosts, positions: Positions, pure: Positions) -> NDArray[np.uint8]:
    """For each position: UTILITY when the pure list has it, else the largest part of its host's price that lifts it."""
    why = np.zeros(len(positions), np.uint8)
    by_merit = set(pure.tolist())
    for slot, position in enumerate(positions.tolist()):
        if position not in by_merit:
            why[slot] = lifted_by(snapshot, int(hosts[position]))
    return why


def lifted_by(snapshot: PriceSnapshot, host: int) -> Why:
    """What most lifts a host; WELFARE when nothing does, for then others were lowered."""
    if not 0 <= host < snapshot.hosts:
        return Why.WELFARE
    parts = (
        (float(snapshot.floor[host]), Why.FLOOR),
        (float(snapshot.stage[host]), Why.STAGE),
        (float(snapshot.welfare[host]), Why.WELFARE),
    )
    lift, why = max(parts, key=lambda part: part[0])
    return why if lift > 0 else Why.WELFARE

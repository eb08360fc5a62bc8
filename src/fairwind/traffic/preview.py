"""What a day would have looked like under another policy: its requests ranked again, with the prices it makes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from fairwind.kernel import Refused
from fairwind.traffic.allocator import Allocator, Hosts, Positions, Scores
from fairwind.traffic.counts import shown
from fairwind.traffic.leader import Leader
from fairwind.traffic.policy import TrafficPolicy
from fairwind.traffic.replay import Outlook, Request, log_of, outlook
from fairwind.traffic.sample import unpacked

DAY_S = 86_400.0
_REFRESHES = 1000
"""How often prices are made in the replayed day."""
_SEED = 20_200_618
"""Of the bootstrap: the same question gets the same answer."""


class NothingSampled(Refused):
    """There is no request to look at."""

    code = "nothing_sampled"
    status = 409


class Replaying:
    """Ranks as a platform under the policy would that sees these requests in a day, and makes its prices by them."""

    def __init__(self, policy: TrafficPolicy, hosts: int, active: NDArray[np.bool_], requests: int) -> None:
        self._leader = Leader(policy, hosts)
        self._leader.active[:] = active
        self._allocator = Allocator(policy, self._leader.snapshot)
        self._pause_s = DAY_S / max(requests, 1)
        self._every = max(1, requests // _REFRESHES)
        self._ranked = 0

    def __call__(self, scores: Scores, hosts: Hosts, k: int) -> Positions:
        ranking = self._allocator.rank(scores, hosts, k)
        self._ranked += 1
        now_s = self._ranked * self._pause_s
        self._leader.add(shown(ranking, scores, hosts), now_s)
        if self._ranked % self._every == 0:
            snapshot, _ = self._leader.refresh(now_s)
            self._allocator.publish(snapshot)
        return ranking.positions


def request_of(body: bytes, clicked: Collection[int]) -> Request:
    """A request that was kept. clicked: the slots that were."""
    kept = unpacked(body)
    return Request(
        kept.hosts,
        kept.utilities,
        kept.positions,
        np.isin(np.arange(len(kept.positions)), np.fromiter(clicked, np.int64, len(clicked))),
    )


def preview(policy: TrafficPolicy, requests: Sequence[Request]) -> Outlook:
    """What these requests, a day's in their order, would have looked like under the policy; those with as many slots as
    most have.

    They are ranked twice, and looked at the second time, when prices are those of a platform that has had the policy
    for a day.
    """
    [(slots, _)] = Counter(len(each.positions) for each in requests if len(each.positions)).most_common(1) or [(0, 0)]
    requests = [each for each in requests if len(each.positions) == slots > 0]
    if not requests:
        raise NothingSampled("every request that was kept had nothing to show")
    hosts = int(max(each.hosts.max(initial=-1) for each in requests)) + 1
    active = np.zeros(hosts, np.bool_)
    for each in requests:
        active[each.hosts] = True
    rank = Replaying(policy, hosts, active, len(requests))
    for each in requests:
        rank(each.utilities, each.hosts, len(each.positions))
    return outlook(
        log_of(requests, slots),
        rank,
        active,
        np.random.default_rng(_SEED),
        floor_share=policy.floor_share,
        head_part=policy.head_part,
    )

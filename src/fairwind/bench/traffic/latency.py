"""How long one request and one refresh take, on one core."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from time import perf_counter

import msgspec
import numpy as np

from fairwind.bench.traffic.guaranteed import ALL_GUARANTEES
from fairwind.traffic import Allocator, Count, Delta, Leader, delta

CANDIDATES = (1_000, 10_000, 100_000)
HOSTS = (10_000, 100_000)
SLOTS = 10

_WARM_UP = 20


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Of so many runs of what is measured, on so many candidates or hosts."""

    what: str
    size: int
    runs: int
    p50_us: float
    p99_us: float


def ranking(candidates: int, runs: int, seed: int, *, refused: bool = False) -> Latency:
    """Requests for ten slots of so many candidates, each of a host of its own, at prices with every part.

    refused: whether no loss is allowed, so that prices are halved as often as may be and then left out: the worst case.
    """
    random = np.random.default_rng([seed, candidates])
    leader = _busy_leader(candidates, random)
    policy = msgspec.structs.replace(leader.policy, utility_loss_max=0.0) if refused else leader.policy
    allocator = Allocator(policy, leader.snapshot)
    hosts = random.permutation(candidates).astype(np.int32)
    scores = [np.exp(0.5 * random.standard_normal(candidates, np.float32)) for _ in range(16)]
    calls = (partial(allocator.rank, scores[run % len(scores)], hosts, SLOTS) for run in range(runs))
    return _measured("ranking, prices refused" if refused else "ranking", candidates, calls)


def refreshing(hosts: int, runs: int, seed: int) -> Latency:
    """Refreshes over so many hosts, after a hundred requests each."""
    random = np.random.default_rng([seed, hosts])
    leader = _busy_leader(hosts, random)

    def prepared() -> Iterable[Callable[[], object]]:
        for run in range(1, runs + 1):
            leader.add(_shown(hosts, 100 * SLOTS, random), run)
            yield partial(leader.refresh, run)

    return _measured("refresh", hosts, prepared())


def _measured(what: str, size: int, calls: Iterable[Callable[[], object]]) -> Latency:
    took_us = []
    for call in calls:
        started = perf_counter()
        call()
        took_us.append((perf_counter() - started) * 1e6)
    took_us = took_us[min(_WARM_UP, len(took_us) // 10) :]
    p50_us, p99_us = np.percentile(took_us, (50, 99))
    return Latency(what=what, size=size, runs=len(took_us), p50_us=float(p50_us), p99_us=float(p99_us))


def _busy_leader(hosts: int, random: np.random.Generator) -> Leader:
    """A leader in the middle of a day: some exposure for all, more for few, some hosts new."""
    leader = Leader(ALL_GUARANTEES, hosts)
    leader.join(np.arange(0, hosts, 20), 0.0)
    for second in range(20):
        leader.add(_shown(hosts, 2 * hosts, random), second)
        leader.refresh(second)
    return leader


def _shown(hosts: int, impressions: int, random: np.random.Generator) -> Delta:
    """Impressions of hosts, of which few get most."""
    place = np.minimum((hosts * random.random(impressions) ** 4).astype(np.int32), hosts - 1)
    return delta(place, np.full(impressions, Count.UTILITY))

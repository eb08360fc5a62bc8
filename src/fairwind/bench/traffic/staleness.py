"""What it costs that replicas rank on old prices, with processes of their own as replicas.

In every round each replica ranks its part of the round's requests, and sends what it counted to the one leader, which
makes prices and sends them to all. Counts are held back in the replica until they are of a given age, so that all
prices are made from counts that are at least so old: what a slow or broken connection would do.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

import msgspec

from fairwind.bench.traffic.guaranteed import ALL_GUARANTEES, Replica, leader_of, refresh_every
from fairwind.bench.traffic.simulator import BLOCK, DAY_S, Block, Day, Feed, Outcome, Size, served
from fairwind.traffic import NOTHING, TrafficPolicy, merged, unpriced

_ANSWER_S = 60.0
"""How long a replica may take for a round before the measurement is given up."""
_STOP_S = 5.0

REPLICAS = (1, 8)
STALENESS = (0.0, 0.005, 0.02)
"""How old counts are, as a part of the shortest guarantee's window."""

Progress = Callable[[int], None]
"""Told how many requests were served since it was last told."""


class ReplicaError(RuntimeError):
    """A replica did not answer."""


class Stale(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a day with so many replicas and counts of that age."""

    replicas: int
    staleness: float
    outcome: Outcome


def stale_day(
    size: Size,
    seed: int,
    replicas: int,
    staleness: float,
    *,
    policy: TrafficPolicy = ALL_GUARANTEES,
    progress: Progress = lambda _: None,
) -> Stale:
    """Serve a day with replicas in processes of their own. Raises ReplicaError when one does not answer in a minute.

    staleness: 0 to 1, of the policy's shortest guarantee.
    """
    feed = Feed(size, seed)
    leader = leader_of(feed, policy)
    every = refresh_every(size)
    round_s = DAY_S * every / size.requests
    held_rounds = round(staleness * policy.guarantee_s / round_s)
    day = Day(feed)
    with _started(size, seed, replicas, policy, held_rounds) as connections:
        for start in range(0, size.requests, every):
            count = min(every, size.requests - start)
            now_s = DAY_S * (start + count) / size.requests
            leader.add(merged(*(_answer(connection) for connection in connections)), now_s)
            # Just within the age, and not by a rounding error beyond it, where prices would be frozen.
            snapshot, _ = leader.refresh(
                now_s, now_s - min(held_rounds * round_s, staleness * policy.guarantee_s) + 1e-6
            )
            for connection in connections:
                connection.send(snapshot)
            progress(count)
        for connection in connections:
            day.add(_answer(connection))
    return Stale(
        replicas=replicas, staleness=staleness, outcome=day.outcome(feed, f"{replicas} × at {100 * staleness:g} %")
    )


@contextmanager
def _started(
    size: Size, seed: int, replicas: int, policy: TrafficPolicy, held_rounds: int
) -> Iterator[list[Connection[Any, Any]]]:
    """Connections to so many replicas, which are ended with the block, whatever happens in it."""
    context = multiprocessing.get_context("spawn")
    processes: list[SpawnProcess] = []
    connections: list[Connection[Any, Any]] = []
    try:
        for number in range(replicas):
            here, there = context.Pipe()
            process = context.Process(
                target=_replica, args=(there, size, seed, policy, number, replicas, held_rounds), daemon=True
            )
            process.start()
            there.close()
            processes.append(process)
            connections.append(here)
        yield connections
    finally:
        for connection in connections:
            connection.close()
        for process in processes:
            _ended(process)


def _ended(process: SpawnProcess) -> None:
    """It ends by itself when its connection is closed; what does not is ended."""
    process.join(_STOP_S)
    if process.is_alive():
        process.kill()
        process.join(_STOP_S)
    process.close()


def _answer(connection: Connection[Any, Any]) -> Any:
    try:
        if connection.poll(_ANSWER_S):
            return connection.recv()
    except (EOFError, ConnectionError):
        raise ReplicaError("a replica has ended in the middle of the day") from None
    raise ReplicaError(f"a replica has not answered for {_ANSWER_S:g} s")


def _replica(
    connection: Connection[Any, Any],
    size: Size,
    seed: int,
    policy: TrafficPolicy,
    number: int,
    replicas: int,
    held_rounds: int,
) -> None:
    """One replica's day: every so many requests one is its own."""
    feed = Feed(size, seed)
    replica = Replica(policy, unpriced(size.hosts))
    day = Day(feed)
    held = deque([NOTHING] * held_rounds)
    try:
        for requests in _rounds(feed):
            for block, first, last in requests:
                own = (number - block.first - first) % replicas
                served(block, replica, day, slice(first + own, last, replicas))
            held.append(replica.counted())
            connection.send(held.popleft())
            replica.publish(connection.recv())
        connection.send(day)
    except (EOFError, ConnectionError):
        return  # the leader has gone


def _rounds(feed: Feed) -> Iterator[list[tuple[Block, int, int]]]:
    """For each round where its requests are: parts of blocks, from the first to before the last."""
    every = refresh_every(feed.size)
    block = feed.block(0)
    for start in range(0, feed.size.requests, every):
        end = min(start + every, feed.size.requests)
        parts = []
        for number in range(start // BLOCK, (end - 1) // BLOCK + 1):
            if block.first != number * BLOCK:
                block = feed.block(number)
            parts.append((block, max(start - block.first, 0), min(end - block.first, BLOCK)))
        yield parts

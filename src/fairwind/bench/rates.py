"""What is counted in rounds: how many a second, and how ways compare within a round."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from statistics import median
from time import perf_counter
from typing import Any, TypeVar

from fairwind.kernel import Refused

T = TypeVar("T")

NAIVE_CONNECTIONS = (8, 16, 32, 64)

Report = Callable[[str], None]
"""Told in a line how far a measurement is."""


class Rates:
    """What one way did in each round, per second."""

    def __init__(self) -> None:
        self._per_s: list[float] = []

    def add(self, per_s: float) -> None:
        self._per_s.append(per_s)

    @property
    def last(self) -> float:
        return self._per_s[-1]

    @property
    def median(self) -> float:
        return median(self._per_s)

    def ratio(self, other: Rates) -> float:
        """The median over the rounds of this to other in the same round."""
        return median(mine / theirs for mine, theirs in zip(self._per_s, other._per_s, strict=True))


async def timed(items: Sequence[T], callers: int, call: Callable[[T], Any]) -> float:
    """Items per second when so many callers take them in turn; every one must be accepted."""
    waiting: Iterator[T] = iter(items)

    async def caller() -> None:
        for item in waiting:
            outcome = await call(item)
            for each in outcome if isinstance(outcome, list) else [outcome]:
                assert not isinstance(each, Refused), each

    started = perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return len(items) / (perf_counter() - started)


async def best_of(naive: Callable[[int], Awaitable[float]], report: Report) -> int:
    """With how many connections the naive way does most."""
    trials = {connections: await naive(connections) for connections in NAIVE_CONNECTIONS}
    best = max(trials, key=lambda connections: trials[connections])
    report(f"naive is at its best with {best} connections")
    return best

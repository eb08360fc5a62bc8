"""A live feed in the shape of public logs: hosts, viewers and a day of requests, drawn from a seed.

A few hosts have nearly all viewers, most have nearly none, and some are new. Retrieval finds candidates by how good
their hosts are, some at random, and keeps a quota for new hosts. What a candidate is worth to a viewer is known to the
simulator; rankers see a prediction of it. The shape is calibrated so that ranking by the prediction alone shares
exposure as public logs do: a Gini of .926, and 89.9 % for the tenth of hosts that has most.

Requests come in blocks, each from a random generator of its own. So every ranker is asked the same, and a process that
serves a part of the requests draws no more than that part.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist
from typing import NamedTuple, Protocol, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

from fairwind.bench.traffic.published import Owners, Ranker, Scores
from fairwind.traffic import dcg_weights, gini, min_share, top_share

Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

DAY_S = 86_400.0
FLOOR_SHARE = 0.1
NEW_IMPRESSIONS = 100
"""What hosts are promised in a day: the share of an equal share, and the impressions of a new host's first stage."""
BLOCK = 250
"""Requests that are drawn at a time."""

_CATEGORIES = 20
_QUALITY, _TASTE, _MOOD = 0.57, 0.145, 0.59
"""Spreads of log utility: between hosts, between a viewer's categories, and what neither explains."""
_NOISE, _NOISE_NEW = 0.135, 0.13
"""Spreads of the error of log predictions, for hosts with a past and for new ones."""
_BEND = 0.212
"""How much closer together the best hosts are than the worst: 0 for as far."""
_REACH, _AT_RANDOM = 3.0, 0.12
"""How much more often retrieval finds better hosts, as a power of their quality; and the part it draws evenly."""
_CLICK = 0.1
"""The click rate of utility 1 in the best slot."""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large a simulation is. new_part, fresh_quota: shares of hosts, and of candidates, that are new."""

    hosts: int = 10_000
    new_part: float = 0.05
    candidates: int = 400
    slots: int = 8
    requests: int = 100_000
    fresh_quota: float = 0.1

    def __post_init__(self) -> None:
        assert 0 < self.slots <= self.candidates
        assert self.fresh_candidates <= self.new_hosts, "a new host is found once in a request"
        assert self.candidates - self.fresh_candidates <= self.hosts - self.new_hosts

    @property
    def new_hosts(self) -> int:
        return round(self.hosts * self.new_part)

    @property
    def fresh_candidates(self) -> int:
        return round(self.candidates * self.fresh_quota)

    @property
    def impressions(self) -> int:
        return self.requests * self.slots


class Block(NamedTuple):
    """Requests one after another, from number first on. hosts: int32[b, candidates]. worth, predicted:
    float32[b, candidates], utilities. luck: float32[b, slots], 0 to 1: low is a click.
    """

    first: int
    hosts: Owners
    worth: Scores
    predicted: Scores
    luck: Scores


@runtime_checkable
class Learner(Protocol):
    """A ranker that wants to know what came of it."""

    def learn(self, clicks: Flags) -> None:
        """clicks: bool[k], which slots of the last list were clicked."""
        ...


class Feed:
    """The hosts of a simulation, and its requests. The last hosts are the new ones."""

    def __init__(self, size: Size, seed: int) -> None:
        self.size = size
        self._seed = seed
        random = np.random.default_rng([seed, 0])
        self._quality = random.permutation(_quality(size.hosts))
        self._category = random.integers(_CATEGORIES, size=size.hosts)
        mature = size.hosts - size.new_hosts
        found = _reach(self._quality[:mature], size.candidates - size.fresh_candidates)
        fresh = np.full(size.new_hosts, size.fresh_candidates / max(1, size.new_hosts))
        self._found = np.concatenate((found, fresh))

    @property
    def new(self) -> NDArray[np.intp]:
        return np.arange(self.size.hosts - self.size.new_hosts, self.size.hosts)

    @property
    def blocks(self) -> int:
        return -(-self.size.requests // BLOCK)

    def block(self, number: int) -> Block:
        """Requests number · BLOCK and on; fewer at the end."""
        size, random = self.size, np.random.default_rng([self._seed, 1 + number])
        first = number * BLOCK
        count = min(BLOCK, size.requests - first)
        hosts = self._retrieved(random, count)
        taste = _TASTE * random.standard_normal((count, _CATEGORIES), np.float32)
        worth = self._quality[hosts] + np.take_along_axis(taste, self._category[hosts], axis=1)
        worth += _MOOD * random.standard_normal(hosts.shape, np.float32)
        noise = np.where(hosts >= size.hosts - size.new_hosts, np.float32(_NOISE_NEW), np.float32(_NOISE))
        predicted = np.exp(worth + noise * random.standard_normal(hosts.shape, np.float32))
        luck = random.random((count, size.slots), np.float32)
        return Block(first, hosts, np.exp(worth), predicted, luck)

    def _retrieved(self, random: np.random.Generator, count: int) -> Owners:
        """Candidates of count requests, each host once at most, by systematic sampling (Madow, 1949).

        Hosts stand one after another, each as long as its chance to be found; of every unit of the way one is found,
        at the same place. The order of hosts is another one in each block.
        """
        order = random.permutation(self.size.hosts)
        ends = np.cumsum(self._found[order])
        places = random.random((count, 1)) + np.arange(self.size.candidates)
        at = np.minimum(np.searchsorted(ends, places, side="right"), self.size.hosts - 1)
        return order[at].astype(np.int32)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a day. Shares are 0 to 1. utility_kept: of the best list that the candidates allow, by true utility.

    top_10, top_1: shares of exposure of the hosts that have most. never_shown, floors_held: shares of hosts; the
    latter with at least a tenth of an equal share. new_held: of new hosts, with at least 100 impressions.
    """

    name: str
    utility_kept: float
    gini: float
    top_10: float
    top_1: float
    never_shown: float
    floors_held: float
    new_held: float
    worst: float
    clicks: int


class Day:
    """What is counted while requests are served. Days of several processes add up."""

    def __init__(self, feed: Feed) -> None:
        self.exposure: Counts = np.zeros(feed.size.hosts, np.int64)
        self.worth = 0.0
        self.worth_max = 0.0
        self.clicks = 0

    def add(self, other: Day) -> None:
        self.exposure += other.exposure
        self.worth += other.worth
        self.worth_max += other.worth_max
        self.clicks += other.clicks

    def outcome(self, feed: Feed, name: str) -> Outcome:
        exposure = self.exposure
        equal = exposure.sum() / len(exposure)
        return Outcome(
            name=name,
            utility_kept=self.worth / self.worth_max,
            gini=gini(exposure),
            top_10=top_share(exposure, 0.1),
            top_1=top_share(exposure, 0.01),
            never_shown=float(np.mean(exposure == 0)),
            floors_held=float(np.mean(exposure >= FLOOR_SHARE * equal)),
            new_held=float(np.mean(exposure[feed.new] >= NEW_IMPRESSIONS)) if len(feed.new) else 1.0,
            worst=min_share(exposure),
            clicks=self.clicks,
        )


def play(feed: Feed, ranker: Ranker) -> Iterator[Day]:
    """Serve the whole day. Yields what was counted so far after each block, the same Day each time."""
    day = Day(feed)
    for number in range(feed.blocks):
        served(feed.block(number), ranker, day)
        yield day


def played(feed: Feed, ranker: Ranker) -> Outcome:
    """What comes of the whole day."""
    day = Day(feed)
    for day in play(feed, ranker):  # noqa: B007  the last is the whole
        pass
    return day.outcome(feed, ranker.name)


def served(block: Block, ranker: Ranker, day: Day, only: slice = slice(None)) -> None:
    """Serve the requests of a block and count them. only: which of them."""
    slots = block.luck.shape[1]
    click_rates = _CLICK * dcg_weights(slots)
    learner = ranker if isinstance(ranker, Learner) else None
    shown, worths = [], []
    for hosts, worth, predicted, luck in zip(
        block.hosts[only], block.worth[only], block.predicted[only], block.luck[only], strict=True
    ):
        positions = ranker.rank(predicted, hosts, slots)
        got = worth[positions]
        shown.append(hosts[positions])
        worths.append(got)
        clicks = luck[: len(got)] < got * click_rates[: len(got)]
        day.clicks += int(np.count_nonzero(clicks))
        if learner:
            learner.learn(clicks)
    if shown:
        np.add.at(day.exposure, np.concatenate(shown), 1)
        day.worth += float(np.concatenate(worths).sum(dtype=np.float64))
        best = np.partition(block.worth[only], -slots, axis=1)[:, -slots:]
        day.worth_max += float(best.sum(dtype=np.float64))


def _quality(hosts: int) -> Scores:
    """Log utilities, ascending: quantiles of the normal distribution, bent so that the best are close together.

    Quantiles and not draws, so that hosts are as unequal with any seed.
    """
    inverse = NormalDist().inv_cdf
    normal = np.array([inverse((rank + 0.5) / hosts) for rank in range(hosts)])
    return (_QUALITY * (1 - np.exp(-_BEND * normal)) / _BEND).astype(np.float32)


def _reach(quality: Scores, candidates: int) -> NDArray[np.float64]:
    """The chance of each host to be found for a request, at most 1; they sum to candidates."""
    weight = np.exp(_REACH * quality.astype(np.float64))
    weight = (1 - _AT_RANDOM) * weight / weight.sum() + _AT_RANDOM / len(weight)
    low, high = 0.0, len(weight) / weight.min()
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if np.minimum(1, middle * weight).sum() < candidates else (low, middle)
    chance: NDArray[np.float64] = np.minimum(1, high * weight)
    return chance

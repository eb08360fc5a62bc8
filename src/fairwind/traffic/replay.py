"""What the last day would have looked like under another policy, with how sure that is. Pure.

Of a sample of requests the log keeps the whole candidate list and what was shown of it. Other lists can be made of the
same candidates, so what follows from lists alone is replayed. Clicks are known for what was shown only, so they are
estimated (see clicks), and not when too little of the new lists was shown.

What a replay cannot know: which candidates another policy would have retrieved in the long run, and how viewers and
hosts would have changed by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from fairwind.traffic.clicks import Clicks, Slots
from fairwind.traffic.measures import bottom_share, gini, top_share

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Hosts = NDArray[np.int32]
Scores = NDArray[np.float32]
Lists = NDArray[np.int32]
Rank = Callable[[Scores, Hosts, int], NDArray[np.integer]]
"""rank(scores: float32[n], hosts: int32[n], k) → int[m], m ≤ k, positions, best slot first. It may keep state."""

FLOOR_MIN = 5.0
"""Floors are judged when the sample's floor is so many impressions: below it chance alone misses many."""
PROPENSITY_MIN = 0.01
"""Smaller ones count as this: no single impression may decide an estimate."""
BOTTOM_PART = 0.5
_EMPTY = -1
_NORMAL_95 = 1.96
_LEVELS = {"gini": 1.0, "head_share": 1.0, "bottom_share": 1.0, "floors_met": 1.0, "utility_kept": 1.0, "clicks": None}
"""The figures in their order, and what each is at most."""


class Request(NamedTuple):
    """A request of the sample. hosts: int32[n], whose its candidates were. utilities: float32[n], predicted.

    positions: int[m], m ≤ k, which were shown, best slot first. clicked: bool[m]. propensities: float[m], how likely
    each was to be shown at all, when chance had a say in the list; None when it had none.
    """

    hosts: Hosts
    utilities: Scores
    positions: NDArray[np.integer]
    clicked: Flags
    propensities: Floats | None = None


class Log(NamedTuple):
    """R requests with k slots each. offsets: int64[R + 1], request i has candidates offsets[i] to offsets[i + 1].

    hosts: int32[N]. utilities: float32[N], finite, not negative. shown: int32[R, k], positions in the request's own
    candidates, −1 for a slot that stayed empty. clicked: bool[R, k]. propensity: float64[R, k], 1 without chance.
    """

    offsets: NDArray[np.int64]
    hosts: Hosts
    utilities: Scores
    shown: Lists
    clicked: Flags
    propensity: Floats

    @property
    def requests(self) -> int:
        return len(self.shown)

    @property
    def slots(self) -> int:
        return int(self.shown.shape[1])


class Figure(msgspec.Struct, frozen=True):
    """An estimate, and between what it lies with 95 % confidence."""

    value: float
    low: float
    high: float


class Compared(msgspec.Struct, frozen=True):
    """A figure of what was, of what would have been, and their difference, which is surer than either."""

    logged: Figure
    replayed: Figure
    change: Figure


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. What the sample cannot tell is None, and missing says why, by the figure's name.

    requests, impressions_per_host: in the sample, of active hosts. gini, head_share, bottom_share: of the exposure of
    active hosts, in impressions; the bottom is the half that has least. floors_met: which part of the active hosts has
    its floor. utility_kept: predicted utility of the lists by that of the pure top lists. clicks: for a request.
    overlap: which part of the new slots shows what was shown to the same viewer. effective_impressions: how many the
    estimate of clicks is worth.
    """

    requests: int
    impressions_per_host: float
    gini: Compared | None
    head_share: Compared | None
    bottom_share: Compared | None
    floors_met: Compared | None
    utility_kept: Compared | None
    clicks: Compared | None
    overlap: Figure
    effective_impressions: float
    missing: dict[str, str]


def log_of(requests: Iterable[Request], slots: int) -> Log:
    """The log of these requests, of which none had more than slots slots."""
    kept = list(requests)
    shown = np.full((len(kept), slots), _EMPTY, np.int32)
    clicked, propensity = np.zeros(shown.shape, np.bool_), np.ones(shown.shape)
    for row, each in enumerate(kept):
        filled = slice(len(each.positions))
        shown[row, filled], clicked[row, filled] = each.positions, each.clicked
        if each.propensities is not None:
            propensity[row, filled] = np.clip(each.propensities, PROPENSITY_MIN, 1)
    utilities = np.concatenate([np.empty(0, np.float32), *(each.utilities for each in kept)])
    return Log(
        np.cumsum([0, *(len(each.hosts) for each in kept)], dtype=np.int64),
        np.concatenate([np.empty(0, np.int32), *(each.hosts for each in kept)]),
        np.maximum(np.nan_to_num(utilities, posinf=0.0), 0).astype(np.float32),
        shown,
        clicked,
        propensity,
    )


def replayed(log: Log, rank: Rank) -> Lists:
    """The lists that rank makes of the sample, in the order of requests: int32[R, k], −1 for an empty slot."""
    lists = np.full_like(log.shown, _EMPTY)
    for row, (start, end) in enumerate(pairwise(log.offsets.tolist())):
        if start < end:
            positions = rank(log.utilities[start:end], log.hosts[start:end], log.slots)[: log.slots]
            lists[row, : len(positions)] = positions
    return lists


def outlook(
    log: Log,
    rank: Rank,
    active: ArrayLike,
    random: Generator,
    *,
    floor_share: float = 0.1,
    head_part: float = 0.01,
    replicates: int = 400,
) -> Outlook:
    """Replay the sample under rank.

    log: at least one request. active: bool[G], which hosts are counted. floor_share: what each is promised, in equal
    shares. head_part: which part of the hosts is the head. random: for the replicates.

    Intervals are by the bootstrap over requests: each replicate draws as many of them, with replacement. Its bias is
    taken off the values, since counts of a sample look less even than the day was, and its root mean square error makes
    the interval, of a normal distribution (Efron & Tibshirani, "An introduction to the bootstrap", 1993, sections 10.3
    and 10.6). Lists stay as they are: what a ranker that keeps state would have done in another order is not drawn.
    """
    assert log.requests > 0
    counted, lists = np.asarray(active, np.bool_), replayed(log, rank)
    was, would = (_Exposure(log, each, counted, floor_share, head_part) for each in (log.shown, lists))
    source = _source(log.shown, lists)
    clicks = _clicks(log, lists, source)
    missing = _missing(was, clicks)

    def figures(weights: Floats) -> Floats:
        both = np.array(
            (
                [*was.figures(weights), clicks.logged(weights)],
                [*would.figures(weights), float("nan") if "clicks" in missing else clicks.estimated(weights)],
            )
        )
        return np.vstack((both, both[1] - both[0]))

    whole = figures(np.ones(log.requests))
    drawn = np.array([figures(weights) for weights in _replicates(random, log.requests, replicates)])
    compared = {
        name: None if name in missing else _compared(whole[:, column], drawn[:, :, column], most)
        for column, (name, most) in enumerate(_LEVELS.items())
    }
    return Outlook(
        requests=log.requests,
        impressions_per_host=was.per_host,
        **compared,
        overlap=_overlap(source >= 0, lists != _EMPTY, random, replicates),
        effective_impressions=clicks.effective_impressions(),
        missing=missing,
    )


class _Exposure:
    """Whom lists expose, and what they are worth, for requests that count more or less often."""

    def __init__(self, log: Log, lists: Lists, active: Flags, floor_share: float, head_part: float) -> None:
        filled, rows = _filled(log, lists)
        hosts = log.hosts[rows]
        known = (hosts >= 0) & (hosts < len(active))
        known[known] = active[hosts[known]]
        self._requests = np.nonzero(filled)[0][known]
        self._hosts = (np.cumsum(active) - 1)[hosts[known]]
        self._active = int(np.count_nonzero(active))
        self.per_host = len(self._hosts) / max(self._active, 1)
        self._floor_share, self._head_part = floor_share, head_part
        self._utility = np.zeros(lists.shape)
        self._utility[filled] = log.utilities[rows]
        self._utility = self._utility.sum(axis=1)
        self._utility_max = _best(log)

    def figures(self, weights: Floats) -> tuple[float, float, float, float, float]:
        """Those of _LEVELS but clicks. weights: float64[R], how often each request counts."""
        shown = np.bincount(self._hosts, weights[self._requests], self._active)
        best = float(weights @ self._utility_max)
        return (
            gini(shown),
            top_share(shown, self._head_part),
            bottom_share(shown, BOTTOM_PART),
            float(np.mean(shown >= self._floor_share * shown.mean())) if self._active else 1.0,
            float(weights @ self._utility) / best if best > 0 else 1.0,
        )

    @property
    def floor(self) -> float:
        """How many impressions of the sample are the floor of a host."""
        return self._floor_share * self.per_host


def _best(log: Log) -> Floats:
    """What the pure top list of each request is worth: float64[R]."""
    best = np.zeros(log.requests)
    for row, (start, end) in enumerate(pairwise(log.offsets.tolist())):
        rest = max(end - start - log.slots, 0)
        utilities = log.utilities[start:end]
        best[row] = (np.partition(utilities, rest)[rest:] if rest else utilities).sum(dtype=np.float64)
    return best


def _filled(log: Log, lists: Lists) -> tuple[Flags, NDArray[np.int64]]:
    """Which slots are not empty, and which candidates of all N are in them, in their order."""
    filled = lists != _EMPTY
    return filled, (lists + log.offsets[:-1, None])[filled]


def _source(shown: Lists, lists: Lists) -> Lists:
    """For each new slot the slot in which the same item was shown to the same viewer, −1 for none: int32[R, k]."""
    same = (lists[:, :, None] == shown[:, None, :]) & (lists != _EMPTY)[:, :, None]
    return np.where(same.any(axis=2), same.argmax(axis=2), _EMPTY).astype(np.int32)


def _clicks(log: Log, lists: Lists, source: Lists) -> Clicks:
    filled = log.shown != _EMPTY
    place = np.cumsum(filled).reshape(filled.shape) - 1
    from_place = np.where(source == _EMPTY, _EMPTY, np.take_along_axis(place, np.maximum(source, 0), axis=1))
    return Clicks(
        _slots(log, log.shown),
        log.clicked[filled],
        log.propensity[filled],
        _slots(log, lists),
        from_place[lists != _EMPTY],
        log.requests,
        log.slots,
    )


def _slots(log: Log, lists: Lists) -> Slots:
    filled, rows = _filled(log, lists)
    requests, slots = np.nonzero(filled)
    return Slots(requests, slots, log.utilities[rows].astype(np.float64))


def _missing(was: _Exposure, clicks: Clicks) -> dict[str, str]:
    """Which figures the sample cannot tell, and why."""
    missing, floor = {}, was.floor
    if floor < FLOOR_MIN:
        missing["floors_met"] = f"a floor is {floor:.2g} impressions of the sample; it takes {FLOOR_MIN:g}"
    unknown = clicks.unknown()
    if unknown is not None:
        missing["clicks"] = unknown
    return missing


def _replicates(random: Generator, requests: int, replicates: int) -> Iterator[Floats]:
    for _ in range(replicates):
        yield np.bincount(random.integers(0, requests, requests), minlength=requests).astype(np.float64)


def _compared(whole: Floats, drawn: Floats, most: float | None) -> Compared:
    """whole: float64[3], of what was, what would have been, and the difference. drawn: float64[replicates, 3]."""
    was, would, change = (_figure(value, draws) for value, draws in zip(whole, drawn.T, strict=True))
    return Compared(_level(was, most), _level(would, most), change)


def _overlap(same: Flags, filled: Flags, random: Generator, replicates: int) -> Figure:
    shared, slots = same.sum(axis=1), filled.sum(axis=1)

    def part(weights: Floats) -> float:
        return float(weights @ shared / max(weights @ slots, 1.0))

    drawn = np.array([part(weights) for weights in _replicates(random, len(slots), replicates)])
    return _level(_figure(part(np.ones(len(slots))), drawn), 1.0)


def _figure(value: float, drawn: Floats) -> Figure:
    unbiased, error = float(2 * value - drawn.mean()), float(np.sqrt(np.mean((drawn - value) ** 2)))
    return Figure(unbiased, unbiased - _NORMAL_95 * error, unbiased + _NORMAL_95 * error)


def _level(figure: Figure, most: float | None) -> Figure:
    """The figure between 0 and what it is at most, which a correction may leave."""
    return Figure(*(float(np.clip(each, 0, most)) for each in (figure.value, figure.low, figure.high)))

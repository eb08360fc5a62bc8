"""Which of all live items are ranked for a request: mostly the best, never the same ones, with places kept. Pure.

Ranking cannot show what was not retrieved, so places are kept for new hosts and for those that are short of what they
were promised; and a shop with ten thousand products has no more places than the next.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from fairwind.traffic.settings import check, settings_of

Scores = NDArray[np.float32]
Indices = NDArray[np.int32]
Positions = NDArray[np.intp]

SCORE_MIN = 1e-6
"""What an item's score counts for at least, so that everything has a chance."""
_NEVER = np.float32(-np.inf)
_WINDOW, _WIDER = 4, 8
"""How many times the places are looked at first, and how much wider the look is when hosts with many items fill it."""


class RetrievalSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How items are chosen. Invalid, when made with a value out of its range, names the setting, range and unit."""

    temperature: Annotated[
        float,
        Meta(
            ge=0,
            le=5,
            description="How much chance there is; 0 for none. At t, twice the score has odds of 2^(1/t) to 1",
            extra={"unit": "log score"},
        ),
    ] = 0.3
    per_host_max: Annotated[
        int, Meta(ge=1, le=1000, description="Most items of one host in a list", extra={"unit": "items"})
    ] = 5
    floor_quota: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Which part of a list is kept for hosts that are short of their floor",
            extra={"unit": "share of candidates"},
        ),
    ] = 0.1

    def __post_init__(self) -> None:
        check(self, SETTINGS)


SETTINGS = settings_of(RetrievalSettings)
"""Every setting of retrieval, in its order."""
DEFAULTS = RetrievalSettings()


class Shelf(NamedTuple):
    """All n live items, made every few seconds. Rows are items in the order of their index.

    items, hosts: int32[n]. categories: uint32[n], the unknown ones above all. log_score: float32[n]. log_part:
    float32[n], of its host's score. fresh: intp[f], rows of new hosts' items. log_fresh: float32[f], what speaks for
    them. hosts_max: hosts are below this.
    """

    items: Indices
    hosts: Indices
    categories: NDArray[np.uint32]
    log_score: Scores
    log_part: Scores
    fresh: Positions
    log_fresh: Scores
    hosts_max: int


def shelf_of(
    hosts: Indices,
    categories: Indices,
    scores: Scores,
    new: NDArray[np.bool_],
    exposure: ArrayLike,
    live: NDArray[np.bool_] | None = None,
) -> Shelf:
    """The shelf of those of N items that are live. Arrays over all N.

    hosts: int32[N], from 0. categories: int32[N], −1 for unknown. scores: float32[N], for a viewer without known taste;
    what is no number above 0 counts as SCORE_MIN. new: bool[N], whether its host is new. exposure: number[N],
    impressions that its host had; among new hosts those with less go first. live: bool[N]; None when all are.
    """
    rows = np.arange(len(hosts)) if live is None else np.flatnonzero(live)
    owners = np.asarray(hosts, np.int32)[rows]
    assert not len(owners) or owners.min() >= 0
    worth = np.nan_to_num(np.asarray(scores, np.float64)[rows], posinf=0.0)
    worth = np.maximum(worth, SCORE_MIN)
    log_part = np.log(worth / np.bincount(owners, worth)[owners]) if len(rows) else worth
    fresh = np.flatnonzero(np.asarray(new)[rows])
    had = np.maximum(np.asarray(exposure, np.float64)[rows[fresh]], 0)
    return Shelf(
        rows.astype(np.int32),
        owners,
        np.asarray(categories, np.int32)[rows].view(np.uint32),
        np.log(worth).astype(np.float32),
        log_part.astype(np.float32),
        fresh,
        (log_part[fresh] - np.log1p(had)).astype(np.float32),
        int(owners.max(initial=-1)) + 1,
    )


def retrieve(
    shelf: Shelf,
    affinity: Scores | None,
    seen: AbstractSet[int] | NDArray[np.integer],
    random: Generator,
    *,
    count: int = 400,
    fresh_quota: float = 0.1,
    under_served: ArrayLike | None = None,
    settings: RetrievalSettings = DEFAULTS,
) -> Indices:
    """The items to rank for a request: int32[m], m ≤ count, each once, the likeliest first. None of seen.

    affinity: float32[C], the viewer's factors, above 0; None for a viewer who is not known. seen: item indices, in any
    order; those that are not on the shelf do not matter. fresh_quota: which part is kept for new hosts, 0 to 1.
    under_served: number[G], for each host how much it is short, in any unit; what is no number above 0 is nothing. Of
    the rest of the list floor_quota of count is kept for them. A part that finds too few leaves its places to all.

    The rest are drawn without replacement with odds of (score · factor)^(1/temperature): the largest of log score plus
    temperature times Gumbel noise (Kool et al., "Stochastic beams and where to find them", ICML 2019, section 2.3). In
    the kept parts it is hosts that are drawn, with odds of what they are short, or of 1/(1 + exposure) for new
    ones, however many items they have; and items of a host with odds of score · factor.
    """
    assert 0 <= fresh_quota <= 1
    taste = _taste(shelf, affinity)
    keys = shelf.log_score + taste + np.float32(settings.temperature) * _gumbel(random, len(shelf.items))
    draw = _Draw(shelf, seen, settings.per_host_max)
    fresh_count = round(fresh_quota * count)
    draw.take(shelf.fresh, shelf.log_fresh + taste[shelf.fresh] + _gumbel(random, len(shelf.fresh)), fresh_count)
    if under_served is not None:
        short = _short(shelf, under_served)
        rows = np.flatnonzero(short > 0)
        log_odds = np.log(short[rows]) + shelf.log_part[rows] + taste[rows]
        places = min(round(settings.floor_quota * count), count - fresh_count)
        draw.take(rows, log_odds + _gumbel(random, len(rows)), places)
    draw.take(None, keys, count - len(draw.rows))
    rows = draw.rows
    return shelf.items[rows[np.argsort(-keys[rows], kind="stable")]]


class _Draw:
    """What was chosen for one request so far, and what may still be."""

    def __init__(self, shelf: Shelf, seen: AbstractSet[int] | NDArray[np.integer], per_host_max: int) -> None:
        self._hosts = shelf.hosts
        self._free = np.ones(len(shelf.items), np.bool_)
        self._free[_rows(shelf, seen)] = False
        self._room = np.full(shelf.hosts_max, per_host_max, np.int32)
        self.rows: Positions = np.empty(0, np.intp)

    def take(self, rows: Positions | None, keys: Scores, count: int) -> None:
        """Choose count more of rows, those with the largest keys. rows: None for all."""
        free, hosts = (self._free, self._hosts) if rows is None else (self._free[rows], self._hosts[rows])
        found = _largest_by_host(np.where(free, keys, _NEVER), hosts, self._room, count)
        chosen = found if rows is None else rows[found]
        self._free[chosen] = False
        self.rows = np.concatenate((self.rows, chosen))


def _largest_by_host(keys: Scores, hosts: Indices, room: Indices, count: int) -> Positions:
    """Where the count largest keys are, with no more of a host than it has room. Takes from room; changes keys."""
    found: list[Positions] = []
    window = count * _WINDOW
    while count > 0 and len(keys):
        top = _largest(keys, window)
        owners = hosts[top]
        fit = top[_occurrence(owners) < room[owners]][:count]
        np.subtract.at(room, hosts[fit], 1)
        found.append(fit)
        count -= len(fit)
        if len(top) < window:
            break
        # A host without room would fill the next look as well.
        keys[top] = _NEVER
        keys[(room <= 0)[hosts]] = _NEVER
        window *= _WIDER
    return np.concatenate((np.empty(0, np.intp), *found))


def _largest(keys: Scores, count: int) -> Positions:
    """Where the count largest keys are that may be chosen at all, the largest first."""
    rest = max(len(keys) - count, 0)
    top = np.argpartition(keys, rest)[rest:]
    top = top[keys[top] > _NEVER]
    return top[np.argsort(-keys[top])]


def _occurrence(hosts: Indices) -> Positions:
    """For each place, how often its host stands before it: intp[n]."""
    order = np.argsort(hosts, kind="stable")
    ordered = hosts[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(hosts) else order
    occurrence = np.empty(len(hosts), np.intp)
    occurrence[order] = np.arange(len(hosts)) - np.repeat(starts, np.diff(starts, append=len(hosts)))
    return occurrence


def _taste(shelf: Shelf, affinity: Scores | None) -> Scores:
    """The logarithm of the viewer's factor for each row: float32[n]."""
    if affinity is None:
        return np.zeros(len(shelf.items), np.float32)
    return np.append(np.log(affinity), np.float32(0)).take(shelf.categories, mode="clip")


def _short(shelf: Shelf, under_served: ArrayLike) -> Scores:
    """How much the host of each row is short: float32[n]."""
    short = np.append(np.asarray(under_served, np.float32), np.float32(0))
    return np.nan_to_num(short, posinf=0.0).take(shelf.hosts, mode="clip")


def _rows(shelf: Shelf, seen: AbstractSet[int] | NDArray[np.integer]) -> Positions:
    items = seen if isinstance(seen, np.ndarray) else np.fromiter(seen, np.int64, len(seen))
    if not len(shelf.items):
        return np.empty(0, np.intp)
    rows = np.minimum(np.searchsorted(shelf.items, items), len(shelf.items) - 1)
    found: Positions = rows[shelf.items[rows] == items]
    return found


def _gumbel(random: Generator, count: int) -> Scores:
    """Standard Gumbel noise, as the logarithm of exponential noise, which is drawn faster."""
    drawn = random.standard_exponential(count, np.float32)
    return -np.log(np.maximum(drawn, np.float32(1e-30)))

"""All that can be shown now with what is known of it, remade every few seconds, and choosing of it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from fairwind.traffic.allocator import Allocator, Ranking, Why
from fairwind.traffic.counts import Count, Delta, delta
from fairwind.traffic.host import Host, Subject
from fairwind.traffic.policy import TrafficPolicy
from fairwind.traffic.retrieval import Shelf, retrieve, shelf_of
from fairwind.traffic.showing import Item, ItemKind
from fairwind.traffic.utility import DEFAULTS, Affinity, Outcomes, Predictor, fitted, outcomes

Indices = NDArray[np.int32]

NEW_FOR = timedelta(days=30)
"""Who has had a room or a shop for longer is no newcomer, however little was shown of them."""
CANDIDATES = 400
Tastes = Iterable[tuple[int, int, int, int]]
"""What a viewer made of categories: id, impressions, clicks, orders."""


class Offer(NamedTuple):
    """Something that can be shown, whose it is, and its category."""

    item: Item
    subject: Subject
    category_id: int | None


class Known(NamedTuple):
    """What came of showing an item so far."""

    host_no: int
    impressions: int
    clicks: int
    orders: int
    watch_ms: int


class OnShow(NamedTuple):
    """What can be shown. Arrays and lists by the index of the item; at: the index of an item.

    codes: uint32[n], what cursors remember items by. hosts: int32[n]. host_nos: of those who show something.
    categories: the index of a category by its id. shelves: for each kind, and None for all.
    """

    items: Sequence[Item]
    at: Mapping[Item, int]
    category_ids: Sequence[int | None]
    hosts: Indices
    host_nos: frozenset[int]
    codes: NDArray[np.uint32]
    categories: Mapping[int, int]
    shelves: Mapping[ItemKind | None, Shelf]
    predictor: Predictor
    affinity: Affinity


class Chosen(NamedTuple):
    """An item for a slot, and why it is there."""

    item: Item
    host_no: int
    why: Why
    utility: float


class Selection(NamedTuple):
    """The answer to a request. candidates, utilities: int32[n] of item indices and float32[n], what was ranked.

    left: how many items could be shown on later pages.
    """

    chosen: list[Chosen]
    candidates: Indices
    utilities: NDArray[np.float32]
    hosts: Indices
    ranking: Ranking
    left: int

    def candidacies(self) -> Delta:
        """One for each candidate's host, however many items it had."""
        owners = np.unique(self.hosts)
        return delta(owners, np.full(len(owners), Count.CANDIDACIES))


def code_of(item: Item) -> int:
    """What a cursor remembers an item by: the same on every server."""
    return int.from_bytes(blake2b(bytes([item.kind]) + item.id.bytes, digest_size=4).digest(), "big")


def is_new(host: Host, impressions: int, policy: TrafficPolicy, now: datetime) -> bool:
    """Whether a host counts as new to retrieval: it came lately and has not had all stages' impressions."""
    stages = policy.stage_impressions
    return bool(stages) and now - host.entered_at < NEW_FOR and impressions < stages[-1]


def on_show(
    offers: Sequence[Offer],
    hosts: Sequence[Host],
    known: Mapping[Item, Known],
    suspended: Collection[int],
    policy: TrafficPolicy,
    now: datetime,
) -> OnShow:
    """What can be shown of offers: those of hosts that are known and not kept out.

    hosts: all there are, by their number.
    """
    number = {host.subject: host.no for host in hosts}
    out = set(suspended)
    shown = [each for each in offers if each.subject in number and number[each.subject] not in out]
    items = [each.item for each in shown]
    owners = np.array([number[each.subject] for each in shown], np.int32)
    named = sorted({each.category_id for each in shown if each.category_id is not None})
    categories = {category_id: place for place, category_id in enumerate(named)}
    places = np.array([-1 if each.category_id is None else categories[each.category_id] for each in shown], np.int32)
    of_hosts = _host_outcomes(known.values(), len(hosts))
    mine = [known.get(item) for item in items]
    of_items = outcomes(*([each[name] if each else 0 for each in mine] for name in (1, 2, 3, 4)))
    new = np.array([is_new(host, int(of_hosts.impressions[host.no]), policy, now) for host in hosts], np.bool_)
    prior = fitted(of_hosts, of_items, owners, ~new, DEFAULTS)
    predictor = Predictor(prior, of_hosts, of_items, owners, places)
    kinds = np.array([item.kind for item in items], np.int64)
    fresh, had = new[owners] if len(owners) else new[:0], of_hosts.impressions[owners]
    shelves: dict[ItemKind | None, Shelf] = {
        kind: shelf_of(owners, places, predictor.scores, fresh, had, None if kind is None else kinds == kind)
        for kind in (None, *ItemKind)
    }
    return OnShow(
        items,
        {item: place for place, item in enumerate(items)},
        [each.category_id for each in shown],
        owners,
        frozenset(owners.tolist()),
        np.array([code_of(item) for item in items], np.uint32),
        categories,
        shelves,
        predictor,
        Affinity(_category_outcomes(of_items, places, len(categories))),
    )


def _host_outcomes(known: Iterable[Known], hosts: int) -> Outcomes:
    """What came of each host's items together, those that are gone as well."""
    rows = np.array([each for each in known if each.host_no < hosts], np.float64).reshape(-1, len(Known._fields))
    owner = rows[:, 0].astype(np.int64)
    return outcomes(*(np.bincount(owner, rows[:, column], hosts) for column in (1, 2, 3, 4)))


def _category_outcomes(items: Outcomes, places: Indices, categories: int) -> Outcomes:
    inside = places >= 0
    return outcomes(*(np.bincount(places[inside], each[inside], categories) for each in items))


def select(
    shown: OnShow,
    allocator: Allocator,
    policy: TrafficPolicy,
    kind: ItemKind | None,
    tastes: Tastes | None,
    seen: Collection[int],
    gone: Collection[Item],
    slots: int,
    random: Generator,
) -> Selection:
    """Choose for one request.

    tastes: of a viewer who is known. seen: codes of what was shown before. gone: items that cannot be shown any more.
    """
    factors = None if tastes is None or not shown.categories else shown.affinity.of(_outcomes(tastes, shown.categories))
    before = np.flatnonzero(np.isin(shown.codes, np.fromiter(seen, np.uint32, len(seen))))
    left = np.array([shown.at[item] for item in gone if item in shown.at], np.int64)
    candidates = retrieve(
        shown.shelves[kind],
        factors,
        np.concatenate((before, left)),
        random,
        count=CANDIDATES,
        fresh_quota=policy.fresh_quota,
        under_served=np.maximum(allocator.snapshot.floor[:-1], 0),
    )
    utilities, owners = shown.predictor.predict(candidates, factors), shown.hosts[candidates]
    ranking = allocator.rank(utilities, owners, slots)
    chosen = [
        Chosen(shown.items[candidates[position]], int(owners[position]), Why(int(why)), float(utilities[position]))
        for position, why in zip(ranking.positions.tolist(), ranking.why.tolist(), strict=True)
    ]
    shelf = shown.shelves[kind].items
    passed = np.count_nonzero(np.isin(shelf, np.concatenate((before, left))))
    return Selection(chosen, candidates, utilities, owners, ranking, len(shelf) - int(passed) - len(chosen))


def _outcomes(tastes: Tastes, categories: Mapping[int, int]) -> Outcomes:
    counts = np.zeros((3, len(categories)))
    for category_id, *of_viewer in tastes:
        if category_id in categories:
            counts[:, categories[category_id]] = of_viewer
    return outcomes(*counts)

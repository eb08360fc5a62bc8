"""The feed: this server's view of what can be shown, and the way of a request through it.

A request reads memory but for two things: what a viewer who has signed in likes, and whether what was chosen is still
there this very moment. Both are asked for together with what other requests ask. It writes nothing: what is shown is
signed into tokens, and told of once it was seen.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import structlog

from fairwind.identity import Caller, network
from fairwind.kernel import (
    Gate,
    PersonId,
    Platform,
    ProductId,
    Refused,
    ShopId,
    Transaction,
    day_in_china,
    secret,
    uuid7,
)
from fairwind.traffic import showing as tokens
from fairwind.traffic.commands.exposures import Report, sent, take_in
from fairwind.traffic.counts import NOTHING, Count, Delta, merged
from fairwind.traffic.exposure import LOG_KEPT, Bounds, Exposure, ExposureDraft, TokenInvalid, Told
from fairwind.traffic.host import HostKind, Newcomer, Subject
from fairwind.traffic.onshow import Known, Offer, OnShow, Selection, code_of, on_show, select
from fairwind.traffic.sample import Sampled, packed
from fairwind.traffic.serving import Serving
from fairwind.traffic.showing import Item, ItemKind, Showing, live_item, product_item, product_of
from fairwind.traffic.store import exposures as exposure_store
from fairwind.traffic.store import hosts as store
from fairwind.traffic.store import pricing as pricing_store
from fairwind.traffic.store import samples as sample_store
from fairwind.traffic.store.exposures import Tastes
from fairwind.traffic.store.hosts import LiveCard, OnShelf, ProductCard

log = structlog.get_logger(__name__)

EVERYONE = ShopId(0)
"""The lane of what belongs to no shop."""
PRODUCTS_MAX = 100_000
PRODUCTS_EVERY, KNOWN_EVERY = timedelta(seconds=60), timedelta(seconds=10)
SAMPLED_PART, SAMPLED_MAX = 0.05, 2
"""The part of the requests of which everything that could have been shown is kept; and how many a second at most."""
SAMPLES_KEPT = timedelta(days=2)
_FORGOTTEN_MAX = 10_000
_ROUNDS_MAX = 100
_TRIES = 4

Card = LiveCard | ProductCard


class Served(NamedTuple):
    """An item of the answer. token: to tell of it once it was seen."""

    card: Card
    showing: Showing
    token: str


class Answer(NamedTuple):
    """A page of the feed. codes: what a next page must not repeat. more: whether there is anything for one."""

    items: list[Served]
    codes: list[int]
    more: bool


class Feed:
    """The feed of this server."""

    def __init__(self, platform: Platform, serving: Serving) -> None:
        self._database = platform.database
        self._clock = platform.clock
        self._serving = serving
        settings = platform.settings
        self._bounds = Bounds(settings.feed_viewer_day_max, settings.feed_viewer_host_day_max)
        self._cards: Gate[ShopId, Sequence[Item], dict[Item, Card]] = platform.gate("feed_cards", _look_up)
        self._tastes: Gate[ShopId, PersonId, Tastes] = platform.gate("feed_tastes", _tastes_of)
        self._reports: Gate[ShopId, Report, list[Exposure | Refused]] = platform.gate("exposures", self._take_in)
        self._random = np.random.default_rng()
        self._key: bytes | None = None
        self._first_look = asyncio.Lock()
        self._on_show: OnShow | None = None
        self._products: list[OnShelf] = []
        self._products_at: datetime | None = None
        self._known: dict[Item, Known] = {}
        self._known_at: datetime | None = None
        self._candidacies: Delta = NOTHING
        self._samples: list[Sampled] = []

    # What can be shown.

    async def look_around(self) -> None:
        """Take stock of what can be shown, every few seconds; who shows something for the first time becomes a host."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            live, hosts, out = await tx.together(store.live_now(), store.hosts(), store.suspended(now))
            if self._products_at is None or now - self._products_at >= PRODUCTS_EVERY:
                self._products, self._products_at = await tx.ask(store.on_shelf(PRODUCTS_MAX)), now
            if self._known_at is None or now - self._known_at >= KNOWN_EVERY:
                self._known, self._known_at = await tx.ask(exposure_store.items_known()), now
        since = {Subject(HostKind.CREATOR, each.host_id): each.room_since for each in live}
        since |= {Subject(HostKind.SHOP, each.shop_id): each.shop_since for each in self._products}
        there = {host.subject for host in hosts}
        newcomers = [Newcomer(subject, at) for subject, at in since.items() if subject not in there]
        if newcomers:
            await self._database.run(lambda tx: store.add_hosts(tx, newcomers))
            async with self._database.transaction() as tx:
                hosts = await tx.ask(store.hosts())
        offers = [
            Offer(live_item(each.session_id), Subject(HostKind.CREATOR, each.host_id), each.category_id)
            for each in live
        ]
        offers += [
            Offer(
                product_item(ShopId(each.shop_id), ProductId(each.product_id)),
                Subject(HostKind.SHOP, each.shop_id),
                each.category_id,
            )
            for each in self._products
        ]
        self._on_show = await asyncio.to_thread(on_show, offers, hosts, self._known, out, self._serving.policy, now)
        self._serving.show(self._on_show.host_nos)

    # Requests.

    async def answer(
        self, caller: Caller, address: str, kind: ItemKind | None, seen: Collection[int], slots: int
    ) -> Answer:
        """Choose what a viewer is shown next. seen: codes of what the pages before showed."""
        shown = self._on_show
        if shown is None:
            async with self._first_look:
                if self._on_show is None:
                    await self.look_around()
            shown = self._on_show
            assert shown is not None
        tastes = None if caller.person_id is None else await self._tastes(EVERYONE, caller.person_id)
        gone: set[Item] = set()
        for attempt in range(_TRIES):
            serving = self._serving
            selection = select(shown, serving.allocator, serving.policy, kind, tastes, seen, gone, slots, self._random)
            cards = await self._cards(EVERYONE, [each.item for each in selection.chosen])
            missing = {each.item for each in selection.chosen} - cards.keys()
            if not missing:
                return await self._signed(selection, cards, await self._viewer(caller, address))
            gone |= missing
            if attempt:  # not a product or two, but a shop that closed: its other goods would fill the next try
                lost = {each.host_no for each in selection.chosen if each.item in missing}
                gone |= {item for item, host in zip(shown.items, shown.hosts.tolist(), strict=True) if host in lost}
        selection = selection._replace(chosen=[each for each in selection.chosen if each.item in cards])
        return await self._signed(selection, cards, await self._viewer(caller, address))

    async def _signed(self, selection: Selection, cards: dict[Item, Card], viewer: int) -> Answer:
        now, key = self._clock.now(), await self._secret()
        feed_id = uuid7(now)
        served = []
        for slot, each in enumerate(selection.chosen):
            showing = Showing(
                feed_id,
                slot,
                len(selection.chosen),
                each.item,
                each.host_no,
                viewer,
                each.why,
                each.utility,
                self._serving.policy_version,
                selection.ranking.version,
                now,
            )
            served.append(Served(cards[each.item], showing, tokens.sign(showing, key)))
        self._candidacies = merged(self._candidacies, selection.candidacies())
        if self._random.random() < SAMPLED_PART and len(self._samples) < SAMPLED_MAX:
            self._samples.append(
                Sampled(feed_id, now, self._serving.policy_version, packed(selection), selection.ranking.version)
            )
        return Answer(served, [code_of(each.item) for each in selection.chosen], selection.left > 0)

    async def _viewer(self, caller: Caller, address: str) -> int:
        """A keyed hash of who has signed in, or else of the network they come from."""
        name = f"address {network(address)}" if caller.person_id is None else f"person {caller.person_id}"
        digest = hmac.digest(await self._secret(), name.encode(), "sha256")
        return int.from_bytes(digest[:8], "big") >> 1

    async def _secret(self) -> bytes:
        if self._key is None:
            self._key = await self._database.run(lambda tx: secret(tx, "traffic.showing"))
        return self._key

    # What viewers tell of.

    async def take_in(self, caller: Caller, address: str, drafts: Sequence[ExposureDraft]) -> list[Exposure | Refused]:
        """Count what a viewer saw; answers one outcome for each, in order."""
        key = await self._secret()
        told: list[Told | Refused] = []
        for draft in drafts:
            showing = tokens.read(draft.token, key)
            told.append(
                TokenInvalid("the token was not issued here; take it from the feed's items")
                if showing is None
                else Told(showing, draft.clicked, draft.watch_ms)
            )
        return await self._reports(EVERYONE, Report(told, caller.person_id, await self._viewer(caller, address)))

    async def _take_in(
        self, tx: Transaction, _: ShopId, reports: Sequence[Report], now: datetime
    ) -> Sequence[list[Exposure | Refused]]:
        return await take_in(tx, reports, self._bounds, self._category_of, now)

    def _category_of(self, item: Item) -> int | None:
        shown = self._on_show
        place = None if shown is None else shown.at.get(item)
        return None if shown is None or place is None else shown.category_ids[place]

    async def forget(self) -> None:
        """Drop exposures and sampled requests that are older than they are kept; what was counted of them stays."""
        now = self._clock.now()
        for _ in range(_ROUNDS_MAX):
            if (
                await self._database.run(
                    lambda tx: tx.ask(exposure_store.exposures_forgotten(now - LOG_KEPT, _FORGOTTEN_MAX))
                )
                + await self._database.run(
                    lambda tx: tx.ask(sample_store.samples_forgotten(now - SAMPLES_KEPT, _FORGOTTEN_MAX))
                )
                == 0
            ):
                return

    async def hand_over(self) -> None:
        """Leave for the leader how often hosts were candidates, and keep the sampled requests."""
        counts, self._candidacies = self._candidacies, NOTHING
        samples, self._samples = self._samples, []
        now = self._clock.now()
        if not len(counts.hosts) and not samples:
            return
        queries: list[Any] = []
        if len(counts.hosts):
            could = dict(zip(counts.hosts.tolist(), counts.counts[:, Count.CANDIDACIES].tolist(), strict=True))
            queries += [
                exposure_store.candidacies_added(could, day_in_china(now)),
                pricing_store.delta_sent(sent(counts, now)),
            ]
        if samples:
            queries.append(sample_store.samples_kept(samples))
        try:
            await self._database.run(lambda tx: tx.together(*queries))
        except BaseException:
            self._candidacies = merged(self._candidacies, counts)
            raise


async def _look_up(
    tx: Transaction, _: ShopId, wanted: Sequence[Sequence[Item]], now: datetime
) -> Sequence[dict[Item, Card]]:
    """What can be shown of each list, as it stands now."""
    items = {item for each in wanted for item in each}
    live, products = await tx.together(
        store.live_cards([item.id for item in items if item.kind is ItemKind.LIVE], now),
        store.product_cards([product_of(item) for item in items if item.kind is ItemKind.PRODUCT], now),
    )
    cards: dict[Item, Card] = {Item(ItemKind.LIVE, session_id): card for session_id, card in live.items()}
    cards |= {product_item(*key): card for key, card in products.items()}
    return [{item: cards[item] for item in each if item in cards} for each in wanted]


async def _tastes_of(tx: Transaction, _: ShopId, people: Sequence[PersonId], __: datetime) -> Sequence[Tastes]:
    found = await tx.ask(exposure_store.affinities(set(people)))
    return [found[person_id] for person_id in people]

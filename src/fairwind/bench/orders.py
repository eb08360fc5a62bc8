"""How many orders a second: one by one, in batches, bare, and through HTTP; interleaved on one database.

Machines are shared and noisy, so each round measures every way once and the ratios are taken within a round.
"""

from __future__ import annotations

import asyncio
import random
from datetime import datetime, timedelta
from functools import partial
from time import perf_counter
from uuid import UUID

from fairwind.bench.rates import timed
from fairwind.bench.store import Ceiling, promote, seed
from fairwind.content import Placement
from fairwind.inventory import add_stock
from fairwind.kernel import (
    Database,
    Fen,
    LiveSessionId,
    OrderId,
    PaymentId,
    PersonId,
    Platform,
    ProductId,
    Settings,
    ShopId,
    SkuId,
    SystemClock,
    uuid7s,
)
from fairwind.orders import Address, LineDraft, OrderDraft, Placing, ShipmentDraft, Shipping, deliver, place, ship
from fairwind.payments import Draft, Notice, Part, create

SHOP = ShopId(1)
SKUS = [SkuId(n) for n in range(1, 1001)]
PROMOTED_SHOP, PROMOTED_SKU = ShopId(2), SkuId(1001)
"""A shop like the other, whose one SKU a creator sells while a campaign runs."""
CALLERS = 512
_HOLD = timedelta(hours=1)
_ADDRESS = Address("王小明", "13800000000", "110105", "建国路 1 号")
_STOCK = 500_000_000
_CREATOR = PersonId(1000)


class Bench:
    """A database with one shop, and the ways to put orders into it."""

    def __init__(self, database: Database, url: str) -> None:
        self._database = database
        self._platform = Platform(database, SystemClock(), Settings())
        self._place = self._platform.gate("place", partial(place, hold_ttl=_HOLD))
        self._deliver = self._platform.gate("deliver", deliver)
        self._ship = self._platform.gate("ship", partial(ship, receipt_after=_HOLD))
        self._ceiling = Ceiling(url)
        self._random = random.Random(20200614)  # noqa: S311

    async def prepare(self, url: str) -> None:
        now = self._platform.clock.now()
        await asyncio.to_thread(seed, url, SHOP, SKUS, now)
        await self._database.run(lambda tx: add_stock(tx, SHOP, [(sku, _STOCK) for sku in SKUS], now))
        await self._prepare_terms(url, now)

    async def _prepare_terms(self, url: str, now: datetime) -> None:
        await asyncio.to_thread(seed, url, PROMOTED_SHOP, [PROMOTED_SKU], now)
        await asyncio.to_thread(promote, url, PROMOTED_SHOP, ProductId(PROMOTED_SKU), _CREATOR, now)
        await self._database.run(lambda tx: add_stock(tx, PROMOTED_SHOP, [(PROMOTED_SKU, _STOCK)], now))
        self._placement = Placement(LiveSessionId(UUID(int=1)), PROMOTED_SHOP, ProductId(PROMOTED_SKU), _CREATOR, now)

    def close(self) -> None:
        self._ceiling.close()

    async def naive(self, count: int, connections: int) -> float:
        """Orders on the hot SKU, a transaction for each."""
        now = self._platform.clock.now
        return await timed(
            self._drafts(count, hot=True),
            connections,
            lambda item: self._database.run(lambda tx: place(tx, SHOP, [item], now(), _HOLD)),
        )

    async def intake(self, count: int, *, hot: bool) -> float:
        """Orders through the gate, on one SKU or evenly over a thousand."""
        return await timed(self._drafts(count, hot=hot), CALLERS, lambda item: self._place(SHOP, item))

    async def intake_terms(self, count: int) -> float:
        """Orders through the gate on one SKU, each owed to a creator by a plan and subsidised by two funders."""
        items = [
            Placing(
                self._buyer(), OrderDraft(OrderId(id_), (LineDraft(PROMOTED_SKU, 1),), _ADDRESS), (self._placement,)
            )
            for id_ in uuid7s(self._platform.clock.now(), count)
        ]
        return await timed(items, CALLERS, lambda item: self._place(PROMOTED_SHOP, item))

    async def ceiling(self, count: int, batch: int) -> float:
        """The same rows by bare INSERT … SELECT unnest, in batches as large as the gate's."""
        now = self._platform.clock.now()
        batches = [
            ([self._random.choice(SKUS) for _ in range(batch)], [OrderId(i) for i in uuid7s(now, batch)])
            for _ in range(count // batch)
        ]

        def insert() -> float:
            started = perf_counter()
            for sku_ids, ids in batches:
                self._ceiling.insert(SHOP, sku_ids, ids, now)
            return len(batches) * batch / (perf_counter() - started)

        return await asyncio.to_thread(insert)

    async def paid(self, count: int) -> float:
        """Providers' callbacks through the gate: payment, order, stock, book and event of each."""
        notices, _ = await self._callbacks(count)
        return await timed(notices, CALLERS, lambda item: self._deliver(SHOP, item))

    async def paid_naive(self, count: int, connections: int) -> float:
        """The same callbacks, a transaction for each."""
        now = self._platform.clock.now
        notices, _ = await self._callbacks(count)
        return await timed(
            notices,
            connections,
            lambda item: self._database.run(lambda tx: deliver(tx, SHOP, [item], now())),
        )

    async def shipped(self, count: int) -> float:
        """Shipments through the gate, of orders just paid."""
        return await timed(await self._parcels(count), CALLERS, lambda item: self._ship(SHOP, item))

    async def shipped_naive(self, count: int, connections: int) -> float:
        """The same shipments, a transaction for each."""
        now = self._platform.clock.now
        return await timed(
            await self._parcels(count),
            connections,
            lambda item: self._database.run(lambda tx: ship(tx, SHOP, [item], now(), _HOLD)),
        )

    async def _parcels(self, count: int) -> list[Shipping]:
        notices, items = await self._callbacks(count)
        await timed(notices, CALLERS, lambda item: self._deliver(SHOP, item))
        return [Shipping(item.draft.id, ShipmentDraft("顺丰速运", "SF1234567890")) for item in items]

    def _drafts(self, count: int, *, hot: bool) -> list[Placing]:
        return [
            Placing(
                self._buyer(),
                OrderDraft(OrderId(id_), (LineDraft(SKUS[0] if hot else self._random.choice(SKUS), 1),), _ADDRESS),
                (None,),
            )
            for id_ in uuid7s(self._platform.clock.now(), count)
        ]

    def _buyer(self) -> PersonId:
        return PersonId(self._random.randrange(1001, 101_001))

    async def _callbacks(self, count: int) -> tuple[list[Notice], list[Placing]]:
        """The provider's word that all payments of so many orders just placed were paid, and those orders."""
        items = self._drafts(count, hot=True)
        await timed(items, CALLERS, lambda item: self._place(SHOP, item))
        now = self._platform.clock.now()
        drafts = [
            Draft(PaymentId(id_), item.buyer_id, (Part(SHOP, item.draft.id, Fen(9900)),), now + _HOLD)
            for id_, item in zip(uuid7s(now, count), items, strict=True)
        ]
        for start in range(0, count, 1000):
            some = drafts[start : start + 1000]
            await self._database.run(lambda tx, some=some: create(tx, SHOP, some, now))  # type: ignore[misc]
        return [Notice(draft.id, SHOP, Fen(9900), "succeeded", f"bench-{draft.id}", now) for draft in drafts], items

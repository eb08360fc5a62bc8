"""Withholding lines from settling and releasing them; the desk with its gates, and the work that goes on by itself."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import msgspec

from fairwind.kernel import Gate, NotFound, OrderId, PersonId, Platform, Refused, ShopId, Transaction, isolated
from fairwind.kernel.pages import Before
from fairwind.orders import orders_locked
from fairwind.settlement.store import withholdings as store
from fairwind.settlement.withholding import (
    Asker,
    Withholding,
    WithholdingDraft,
    WithholdingId,
    open_withholding,
    release,
)

_SWEPT_MAX = 1000


class Opening(msgspec.Struct, frozen=True):
    """A withholding that somebody wants to open."""

    order_id: OrderId
    draft: WithholdingDraft
    asker: Asker


class Releasing(msgspec.Struct, frozen=True):
    """A withholding that somebody wants to release."""

    id: WithholdingId
    asker: Asker


async def open_withholdings(
    tx: Transaction, shop_id: ShopId, items: Sequence[Opening], now: datetime
) -> list[Withholding | Refused]:
    """Keep lines from settling. Locks their orders, as settling does, so that a line does one or the other."""
    order_ids = {item.order_id for item in items}
    ids = {item.draft.id for item in items}
    _, subjects, there = await tx.together(
        orders_locked(shop_id, order_ids),
        store.subjects(shop_id, order_ids),
        store.withholdings_about(shop_id, ids, order_ids),
    )
    known: dict[WithholdingId, Withholding] = {each.id: each for each in there}
    fresh: list[Withholding] = []
    outcomes: list[Withholding | Refused] = []
    for item in items:
        outcome = open_withholding(
            subjects.get(item.order_id), item.draft, item.asker, known.values(), shop_id, item.order_id, now
        )
        if isinstance(outcome, Withholding) and outcome.id not in known:
            known[outcome.id] = outcome
            fresh.append(outcome)
        outcomes.append(outcome)
    await tx.together(*store.withholdings_opened(shop_id, fresh))
    return outcomes


async def release_withholdings(
    tx: Transaction, shop_id: ShopId, items: Sequence[Releasing], now: datetime
) -> list[Withholding | Refused]:
    """Let lines settle again. Releasing once more changes nothing."""
    known = {each.id: each for each in await tx.ask(store.withholdings_locked(shop_id, {item.id for item in items}))}
    changed: dict[WithholdingId, Withholding] = {}
    outcomes: list[Withholding | Refused] = []
    for item in items:
        outcome = release(known.get(item.id), item.asker, now)
        if isinstance(outcome, Withholding) and outcome != known[item.id]:
            known[outcome.id] = changed[outcome.id] = outcome
        outcomes.append(outcome)
    await tx.together(*store.withholdings_released(shop_id, list(changed.values())))
    return outcomes


class Withholdings:
    """Withholdings of all shops."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._opening: Gate[ShopId, Opening, Withholding] = platform.gate("withhold", open_withholdings)
        self._releasing: Gate[ShopId, Releasing, Withholding] = platform.gate("release", release_withholdings)

    async def open(self, shop_id: ShopId, order_id: OrderId, draft: WithholdingDraft, asker: Asker) -> Withholding:
        """Keep a line from settling; it is committed when this answers."""
        return await self._opening(shop_id, Opening(order_id, draft, asker))

    async def release(self, shop_id: ShopId, withholding_id: WithholdingId, asker: Asker) -> Withholding:
        """Let the line settle again."""
        return await self._releasing(shop_id, Releasing(withholding_id, asker))

    async def of_order(self, shop_id: ShopId, order_id: OrderId, buyer_id: PersonId | None) -> list[Withholding]:
        """The order's withholdings, oldest first; buyer_id: None for its shop. Raises NotFound."""
        async with self._platform.database.transaction() as tx:
            found = await tx.ask(store.withholdings_of_order(shop_id, order_id, buyer_id))
        if found is None:
            raise NotFound(f"there is no order {order_id} that you may see")
        return found

    async def of_shop(self, shop_id: ShopId, before: Before, limit: int, *, only_open: bool) -> list[Withholding]:
        async with self._platform.database.transaction() as tx:
            return await tx.ask(store.withholdings_of_shop(shop_id, only_open=only_open, before=before, limit=limit))

    async def everywhere(self, before: Before, limit: int, *, only_open: bool) -> list[Withholding]:
        async with self._platform.database.transaction() as tx:
            return await tx.ask(store.withholdings_everywhere(only_open=only_open, before=before, limit=limit))

    async def end_withholdings(self) -> int:
        """Release those whose time has passed; answers how many were due."""
        now = self._platform.clock.now()
        async with self._platform.database.transaction() as tx:
            due = await tx.ask(store.withholdings_ending(now, _SWEPT_MAX))
        by_shop: dict[ShopId, list[WithholdingId]] = defaultdict(list)
        for shop_id, withholding_id in due:
            by_shop[shop_id].append(withholding_id)
        await asyncio.gather(*(self._end(shop_id, ids, now) for shop_id, ids in by_shop.items()))
        return len(due)

    async def _end(self, shop_id: ShopId, ids: Sequence[WithholdingId], now: datetime) -> None:
        async with isolated("withholdings_not_ended", shop_id=shop_id):
            await self._platform.database.run(lambda tx: tx.ask(store.withholdings_ended(shop_id, ids, now)))

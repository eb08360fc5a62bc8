"""Changing stock by hand: adjustments and buyer limits. Holds change with their orders, see `Shelf`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from fairwind.catalog import availability_marked
from fairwind.inventory import store
from fairwind.inventory.stock import Adjustment, AdjustmentDraft, Stock, StockTooLow
from fairwind.kernel import IdReused, NotFound, PersonId, Refused, ShopId, SkuId, Transaction, uuid7s


class Adjusting(msgspec.Struct, frozen=True):
    """Who wants which change of which SKU's stock."""

    sku_id: SkuId
    draft: AdjustmentDraft
    person_id: PersonId


async def adjust(
    tx: Transaction, shop_id: ShopId, items: Sequence[Adjusting], now: datetime
) -> list[Adjustment | Refused]:
    """Change stock; each change keeps who made it and why. Repeating an id changes nothing."""
    stock = await tx.ask(store.stock_locked(shop_id, {item.sku_id for item in items}))
    made = await store.adjustments_by_id(tx, shop_id, {item.draft.id for item in items})
    left = {sku_id: row.available for sku_id, row in stock.items()}
    fresh: list[Adjustment] = []
    outcomes: list[Adjustment | Refused] = []
    for item in items:
        outcome = _decide(item, left, made, now)
        outcomes.append(outcome)
        if isinstance(outcome, Adjustment) and outcome.id not in made:
            made[outcome.id] = outcome
            left[outcome.sku_id] += outcome.quantity
            fresh.append(outcome)
    await store.save_adjustments(tx, shop_id, fresh)
    crossed = {sku_id: left[sku_id] > 0 for sku_id, row in stock.items() if (row.available > 0) != (left[sku_id] > 0)}
    if crossed:
        await tx.ask(availability_marked(shop_id, crossed))
    return outcomes


def _decide(
    item: Adjusting, left: dict[SkuId, int], made: dict[UUID, Adjustment], now: datetime
) -> Adjustment | Refused:
    draft = item.draft
    wanted = Adjustment(draft.id, item.sku_id, draft.quantity, draft.reason, item.person_id, now)
    before = made.get(draft.id)
    if before is not None:
        same = msgspec.structs.replace(wanted, made_at=before.made_at) == before
        return before if same else IdReused(f"adjustment {draft.id} was made before with other content; make a new id")
    if item.sku_id not in left:
        return NotFound(f"shop has no SKU {item.sku_id}", sku_id=item.sku_id)
    if left[item.sku_id] + draft.quantity < 0:
        return StockTooLow(
            f"only {left[item.sku_id]} of SKU {item.sku_id} can be taken away; the rest is sold or held for orders",
            available=left[item.sku_id],
        )
    return wanted


async def add_stock(tx: Transaction, shop_id: ShopId, items: Sequence[tuple[SkuId, int]], now: datetime) -> None:
    """Open the stock of new SKUs with their first quantity (0 or more)."""
    await store.open_stock(tx, shop_id, {sku_id for sku_id, _ in items})
    await tx.ask(store.stock_locked(shop_id, {sku_id for sku_id, _ in items}))
    adjustments = [
        Adjustment(id, sku_id, quantity, "first stock", None, now)
        for id, (sku_id, quantity) in zip(uuid7s(now, len(items)), items, strict=True)  # noqa: A001
        if quantity
    ]
    await store.save_adjustments(tx, shop_id, adjustments)
    if adjustments:
        await tx.ask(availability_marked(shop_id, {a.sku_id: True for a in adjustments}))


async def set_buyer_limit(tx: Transaction, shop_id: ShopId, sku_id: SkuId, buyer_limit: int | None) -> Stock:
    """Limit how many of a SKU each buyer may have, from the next order on; None lifts the limit.

    While a limit stands, what each buyer takes is counted; a limit set anew counts from then on.
    """
    stock = (await tx.ask(store.stock_locked(shop_id, {sku_id}))).get(sku_id)
    if stock is None:
        raise NotFound(f"shop has no SKU {sku_id}")
    await store.save_limit(tx, shop_id, sku_id, buyer_limit)
    return msgspec.structs.replace(stock, buyer_limit=buyer_limit)

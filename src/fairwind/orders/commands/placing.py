"""Placing orders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from fairwind.catalog import offers
from fairwind.inventory import Hold, Shelf, bought, holds_added, shelf_saved, stock_locked
from fairwind.kernel import (
    IdReused,
    Refused,
    ShopId,
    Transaction,
    events_written,
)
from fairwind.orders import events
from fairwind.orders.order import Order, Placing, content_hash
from fairwind.orders.pricing import price, priced_order
from fairwind.orders.store import orders as order_store


async def place(
    tx: Transaction, shop_id: ShopId, items: Sequence[Placing], now: datetime, hold_ttl: timedelta
) -> list[Order | Refused]:
    """Place orders: each that the shelf can serve is written with its lines, frozen prices and a hold on its stock.

    The order's id is the idempotency key: the same draft again answers the order as it stands, another draft under the
    same id is refused.
    """
    sku_ids = {line.sku_id for item in items for line in item.draft.lines}
    ids = [item.draft.id for item in items]
    stock, on_offer, rule, hashes = await tx.together(
        stock_locked(shop_id, sku_ids),
        offers(shop_id, sku_ids),
        order_store.freight_rule(shop_id),
        order_store.order_hashes(shop_id, ids),
    )
    shelf = Shelf(stock)
    if pairs := {(sku_id, item.buyer_id) for sku_id in shelf.limited(sku_ids) for item in items}:
        shelf.bought = await tx.ask(bought(shop_id, pairs))
    placed = await order_store.orders_by_id(tx, shop_id, hashes) if hashes else {}

    fresh: list[Order] = []
    fresh_hashes: list[bytes] = []
    holds: list[Hold] = []
    outcomes: list[Order | Refused] = []
    expires_at = now + hold_ttl
    for item in items:
        draft = item.draft
        digest = content_hash(draft, item.buyer_id)
        if draft.id in placed:
            same = hashes[draft.id] == digest
            outcomes.append(
                placed[draft.id] if same else IdReused(f"order {draft.id} was placed with other content; make a new id")
            )
            continue
        priced = price(item, on_offer, rule, shelf)
        if isinstance(priced, Refused):
            outcomes.append(priced)
            continue
        order = priced_order(shop_id, item, priced, now, expires_at)
        shelf.hold(priced.goods)
        holds += [Hold(order.id, sku_id, quantity) for sku_id, quantity in priced.goods.quantities.items()]
        placed[order.id] = order
        hashes[order.id] = digest
        fresh.append(order)
        fresh_hashes.append(digest)
        outcomes.append(order)
    if fresh:
        await tx.together(
            *shelf_saved(shop_id, shelf),
            *order_store.orders_added(shop_id, fresh, fresh_hashes, now),
            *holds_added(shop_id, holds, expires_at),
            events_written(shop_id, [(events.PLACED, events.placed(order)) for order in fresh], now),
        )
    return outcomes

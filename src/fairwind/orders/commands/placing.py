"""Placing orders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from fairwind.alliance import Commissions, clicks, commissions, reserves_locked, reserves_saved
from fairwind.catalog import offers
from fairwind.inventory import Hold, Shelf, bought, holds_added, shelf_saved, stock_locked
from fairwind.kernel import IdReused, OrderId, Refused, ShopId, Transaction, events_written
from fairwind.orders import events
from fairwind.orders.order import Order, Placing, content_hash
from fairwind.orders.pricing import Market, owed_to, price, priced_order, wares
from fairwind.orders.store import orders as order_store
from fairwind.orders.store.orders import Fresh
from fairwind.policy import campaigns_locked, prepare, purse_saved, shop_terms

WINDOW = timedelta(days=15)
"""The after-sales window where nothing else is said."""
NOBODY = Commissions({})
"""What is earned where nobody has shown anything."""


async def place(
    tx: Transaction,
    shop_id: ShopId,
    items: Sequence[Placing],
    now: datetime,
    hold_ttl: timedelta,
    window: timedelta = WINDOW,
) -> list[Order | Refused]:
    """Place orders: each that the shelf can serve is written with its lines, frozen terms and a hold on its stock.

    The order's id is the idempotency key: the same draft again answers the order as it stands, another draft under the
    same id is refused. window: the after-sales window of goods whose category has none of its own.
    """
    ids = [item.draft.id for item in items]
    market, hashes = await _market(tx, shop_id, items, ids, now, int(window.total_seconds()))
    placed = await order_store.orders_by_id(tx, shop_id, hashes) if hashes else {}

    fresh: list[Fresh] = []
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
        priced = price(item, market, now)
        if isinstance(priced, Refused):
            outcomes.append(priced)
            continue
        order = priced_order(shop_id, item, priced, now, expires_at)
        market.take(priced)
        holds += [Hold(order.id, sku_id, quantity) for sku_id, quantity in priced.goods.quantities.items()]
        placed[order.id] = order
        hashes[order.id] = digest
        fresh.append((order, priced.terms, digest))
        outcomes.append(order)
    if fresh:
        await tx.together(
            *shelf_saved(shop_id, market.shelf),
            *reserves_saved(shop_id, market.reserves),
            *purse_saved(shop_id, market.purse, now),
            *order_store.orders_added(shop_id, fresh, now),
            *holds_added(shop_id, holds, expires_at),
            events_written(shop_id, [(events.PLACED, events.placed(order, terms)) for order, terms, _ in fresh], now),
        )
    return outcomes


async def _market(
    tx: Transaction,
    shop_id: ShopId,
    items: Sequence[Placing],
    ids: Sequence[OrderId],
    now: datetime,
    window_s: int,
) -> tuple[Market, dict[OrderId, bytes]]:
    """What the batch is priced by, stock, reserves and allotments locked in that order; and which ids are known.

    Most batches need one round trip. Limits per buyer, clicks and subsidies cost one more each.
    """
    sku_ids = {line.sku_id for item in items for line in item.draft.lines}
    click_ids = {click_id for item in items for line in item.draft.lines for click_id in line.clicks}
    showings = {showing for item in items for showing in owed_to(item, {}, {})}
    stock, reserves, purse, on_offer, rule, terms, hashes, *earned = await tx.together(
        stock_locked(shop_id, sku_ids),
        reserves_locked(shop_id, sku_ids),
        campaigns_locked(shop_id, now),
        offers(shop_id, sku_ids),
        order_store.freight_rule(shop_id),
        shop_terms(shop_id, now),
        order_store.order_hashes(shop_id, ids),
        *([commissions(shop_id, showings, now)] if showings else []),
    )
    market = Market(on_offer, rule, Shelf(stock), terms, purse, window_s, earned[0] if earned else NOBODY, reserves)
    if pairs := {(sku_id, item.buyer_id) for sku_id in market.shelf.limited(sku_ids) for item in items}:
        market.shelf.bought = await tx.ask(bought(shop_id, pairs))
    if click_ids:
        market.clicks = await tx.ask(clicks(shop_id, click_ids))
        showings = {showing for item in items for showing in owed_to(item, market.clicks, on_offer)}
        market.commissions = await tx.ask(commissions(shop_id, showings, now))
    if market.purse:
        wanted = [(item.buyer_id, wares(item, on_offer)) for item in items if item.draft.id not in hashes]
        await prepare(tx, shop_id, market.purse, wanted, now)
    return market, hashes

"""Keeping stock for creators outside the head."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from fairwind.alliance.reserve import NotPromised, Reserve, keep
from fairwind.alliance.store.plans import plans_of
from fairwind.alliance.store.pool import items_shared
from fairwind.alliance.store.reserves import reserve_kept, reserves_of
from fairwind.catalog import offers
from fairwind.inventory import stock_locked
from fairwind.kernel import NotFound, Refused, ShopId, SkuId, Transaction


class Keeping(msgspec.Struct, frozen=True):
    """How many pieces of a SKU are kept in all."""

    sku_id: SkuId
    kept_quantity: int


async def keep_stock(
    tx: Transaction, shop_id: ShopId, items: Sequence[Keeping], now: datetime
) -> list[Reserve | Refused]:
    """Keep part of SKUs' stock while their product has a plan. Refusals: NotFound, NotPromised, ReserveTooLarge."""
    sku_ids = {item.sku_id for item in items}
    # The stock's lock keeps sales away from what is kept of it as well.
    stock, on_offer, kept = await tx.together(
        stock_locked(shop_id, sku_ids), offers(shop_id, sku_ids), reserves_of(shop_id, sku_ids)
    )
    products = {offer.product_id for offer in on_offer.values()}
    await tx.ask(items_shared(shop_id, products))
    promised = {plan.product_id for plan in await tx.ask(plans_of(shop_id, products, now))}
    changed: dict[SkuId, Reserve] = {}
    outcomes: list[Reserve | Refused] = []
    for item in items:
        offer = on_offer.get(item.sku_id)
        if offer is None or item.sku_id not in stock:
            outcomes.append(NotFound(f"shop has no SKU {item.sku_id}"))
            continue
        if offer.product_id not in promised:
            outcomes.append(NotPromised("nobody earns by the product, so nothing is kept of it; publish a plan first"))
            continue
        there = kept.get(item.sku_id) or Reserve(item.sku_id, offer.product_id, 0, 0)
        outcome = keep(there, item.kept_quantity, stock[item.sku_id].available)
        outcomes.append(outcome)
        if isinstance(outcome, Reserve):
            kept[item.sku_id] = changed[item.sku_id] = outcome
    await tx.together(*(reserve_kept(shop_id, changed[sku_id]) for sku_id in sorted(changed)))
    return outcomes

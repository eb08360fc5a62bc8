"""The SQL of stock kept for creators outside the head."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, LiteralString

from fairwind.alliance.reserve import Reserve, Reserves
from fairwind.kernel import ProductId, Query, ShopId, SkuId, int_array, statement

_RESERVE: LiteralString = "SELECT sku_id, product_id, kept_quantity, sold_quantity, over FROM alliance.reserve "


def reserves_locked(shop_id: ShopId, sku_ids: Collection[SkuId]) -> Query[Reserves]:
    """What is kept of these SKUs, locked in the order of their ids; to be asked when their stock is locked."""
    return Query(
        _RESERVE + "WHERE shop_id = %s AND sku_id = ANY (%s::bigint[]) ORDER BY sku_id FOR UPDATE",
        (shop_id, int_array(sku_ids)),
        lambda rows: Reserves({row.sku_id: Reserve(*row) for row in rows}),
    )


def reserves_saved(shop_id: ShopId, reserves: Reserves) -> list[Query[Any]]:
    """Save what a batch took of what is kept and gave back: one update per SKU."""
    changed = sorted(sku_id for sku_id, quantity in reserves.changes.items() if quantity)
    if not changed:
        return []
    return [
        statement(
            """
            UPDATE alliance.reserve SET sold_quantity = sold_quantity + change.quantity
            FROM unnest(%s::bigint[], %s::bigint[]) AS change (sku_id, quantity)
            WHERE reserve.shop_id = %s AND reserve.sku_id = change.sku_id
            """,
            (int_array(changed), int_array(reserves.changes[sku_id] for sku_id in changed), shop_id),
        )
    ]


def reserves_of(shop_id: ShopId, sku_ids: Collection[SkuId]) -> Query[dict[SkuId, Reserve]]:
    """What is kept of these SKUs as it is now, not locked."""
    return Query(
        _RESERVE + "WHERE shop_id = %s AND sku_id = ANY (%s::bigint[])",
        (shop_id, int_array(sku_ids)),
        lambda rows: {row.sku_id: Reserve(*row) for row in rows},
    )


def reserve_kept(shop_id: ShopId, reserve: Reserve) -> Query[None]:
    """Write how many are kept; the SKU's stock is locked, so that nothing is sold of it meanwhile."""
    return statement(
        """
        INSERT INTO alliance.reserve (shop_id, sku_id, product_id, kept_quantity, sold_quantity)
        VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (shop_id, sku_id) DO UPDATE SET kept_quantity = excluded.kept_quantity, over = false
        """,
        (shop_id, reserve.sku_id, reserve.product_id, reserve.kept_quantity, reserve.sold_quantity),
    )


def reserves_let_go(shop_id: ShopId, product_ids: Collection[ProductId], now: datetime) -> list[Query[None]]:
    """Keep nothing more of those of these products that have no live plan: nobody could sell it.

    Theirs are locked first, in the order of their SKUs' ids as by everybody.
    """
    wanted = {"shop": shop_id, "products": int_array(product_ids), "now": now}
    return [
        statement(
            """
            SELECT sku_id FROM alliance.reserve
            WHERE shop_id = %(shop)s AND product_id = ANY (%(products)s::bigint[]) AND NOT over
            ORDER BY sku_id FOR UPDATE
            """,
            wanted,
        ),
        statement(
            """
            UPDATE alliance.reserve SET over = true
            WHERE shop_id = %(shop)s AND product_id = ANY (%(products)s::bigint[]) AND NOT over
              AND NOT EXISTS (SELECT FROM alliance.plan
                              WHERE plan.shop_id = reserve.shop_id AND plan.product_id = reserve.product_id
                                AND (plan.ends_at IS NULL OR plan.ends_at > %(now)s))
            """,
            wanted,
        ),
    ]

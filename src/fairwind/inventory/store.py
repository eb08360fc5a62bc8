"""The inventory's SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from fairwind.catalog import availability_marked
from fairwind.inventory.stock import Adjustment, Hold, Shelf, Stock
from fairwind.kernel import (
    OrderId,
    PersonId,
    Query,
    ShopId,
    SkuId,
    Transaction,
    int_array,
    statement,
    text_array,
    time_array,
    uuid_array,
)
from fairwind.kernel.pages import Before


def stock_locked(shop_id: ShopId, sku_ids: Collection[SkuId]) -> Query[dict[SkuId, Stock]]:
    """The stock of these SKUs, locked in the order of their ids; a SKU without stock is absent."""
    return Query(
        """
        SELECT sku_id, adjusted_quantity, sold_quantity, held_quantity, buyer_limit
        FROM inventory.stock WHERE shop_id = %s AND sku_id = ANY (%s::bigint[]) ORDER BY sku_id FOR UPDATE
        """,
        (shop_id, int_array(sku_ids)),
        lambda rows: {row.sku_id: Stock(*row) for row in rows},
    )


def bought(shop_id: ShopId, pairs: Collection[tuple[SkuId, PersonId]]) -> Query[dict[tuple[SkuId, PersonId], int]]:
    """What these buyers have of these SKUs; safe to read while the SKUs' stock is locked."""
    return Query(
        """
        SELECT sku_id, buyer_id, quantity FROM inventory.bought
        WHERE shop_id = %s AND (sku_id, buyer_id) IN (SELECT * FROM unnest(%s::bigint[], %s::bigint[]))
        """,
        (shop_id, int_array(sku_id for sku_id, _ in pairs), int_array(buyer_id for _, buyer_id in pairs)),
        lambda rows: {(row.sku_id, row.buyer_id): row.quantity for row in rows},
    )


def shelf_saved(shop_id: ShopId, shelf: Shelf) -> list[Query[Any]]:
    """Save what a batch changed on the shelf: one update per SKU, however many orders.

    The catalog hears of SKUs that sold out or came back, for its searches.
    """
    changed = sorted({sku_id for part in (shelf.held, shelf.sold) for sku_id, quantity in part.items() if quantity})
    more = {pair: quantity for pair, quantity in sorted(shelf.bought_more.items()) if quantity}
    queries: list[Query[Any]] = []
    if changed:
        queries.append(
            statement(
                """
                UPDATE inventory.stock
                SET held_quantity = held_quantity + change.held, sold_quantity = sold_quantity + change.sold
                FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS change (sku_id, held, sold)
                WHERE stock.shop_id = %s AND stock.sku_id = change.sku_id
                """,
                (
                    int_array(changed),
                    int_array(shelf.held.get(sku_id, 0) for sku_id in changed),
                    int_array(shelf.sold.get(sku_id, 0) for sku_id in changed),
                    shop_id,
                ),
            )
        )
    if more:
        # Two statements: the CHECK would judge the negative part of an upsert before it found the row to add it to.
        pairs = (int_array(sku_id for sku_id, _ in more), int_array(buyer_id for _, buyer_id in more))
        queries += [
            statement(
                """
                INSERT INTO inventory.bought (shop_id, sku_id, buyer_id, quantity)
                SELECT %s, sku_id, buyer_id, 0 FROM unnest(%s::bigint[], %s::bigint[]) AS pair (sku_id, buyer_id)
                ON CONFLICT (shop_id, sku_id, buyer_id) DO NOTHING
                """,
                (shop_id, *pairs),
            ),
            statement(
                """
                UPDATE inventory.bought SET quantity = bought.quantity + change.quantity
                FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS change (sku_id, buyer_id, quantity)
                WHERE bought.shop_id = %s AND bought.sku_id = change.sku_id AND bought.buyer_id = change.buyer_id
                """,
                (*pairs, int_array(more.values()), shop_id),
            ),
        ]
    if crossed := shelf.crossed():
        queries.append(availability_marked(shop_id, crossed))
    return queries


def holds_added(shop_id: ShopId, holds: Sequence[Hold], expires_at: datetime) -> list[Query[Any]]:
    """Write holds, which all expire together."""
    if not holds:
        return []
    return [
        statement(
            """
            INSERT INTO inventory.hold (shop_id, order_id, sku_id, quantity, expires_at)
            SELECT %s, order_id, sku_id, quantity, %s
            FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[]) AS new (order_id, sku_id, quantity)
            """,
            (
                shop_id,
                expires_at,
                uuid_array(hold.order_id for hold in holds),
                int_array(hold.sku_id for hold in holds),
                int_array(hold.quantity for hold in holds),
            ),
        )
    ]


def holds_removed(shop_id: ShopId, order_ids: Collection[OrderId]) -> list[Query[Any]]:
    if not order_ids:
        return []
    return [
        statement(
            "DELETE FROM inventory.hold WHERE shop_id = %s AND order_id = ANY (%s::uuid[])",
            (shop_id, uuid_array(order_ids)),
        )
    ]


def expired_holds(now: datetime, limit: int) -> Query[list[tuple[ShopId, OrderId]]]:
    """Orders whose holds have expired, each once: of the oldest holds, at most limit of them."""
    return Query(
        "SELECT shop_id, order_id FROM inventory.hold WHERE expires_at <= %s ORDER BY expires_at, shop_id LIMIT %s",
        (now, limit),
        lambda rows: list(dict.fromkeys((row.shop_id, row.order_id) for row in rows)),
    )


async def stock_of(tx: Transaction, shop_id: ShopId, sku_ids: Collection[SkuId]) -> dict[SkuId, Stock]:
    """The stock of these SKUs as it is now, not locked."""
    rows = await tx.rows(
        """
        SELECT sku_id, adjusted_quantity, sold_quantity, held_quantity, buyer_limit
        FROM inventory.stock WHERE shop_id = %s AND sku_id = ANY (%s::bigint[])
        """,
        (shop_id, int_array(sku_ids)),
    )
    return {row.sku_id: Stock(*row) for row in rows}


async def stock_page(tx: Transaction, shop_id: ShopId, after: SkuId, limit: int) -> list[Stock]:
    """The shop's stock by SKU id, after `after`."""
    rows = await tx.rows(
        """
        SELECT sku_id, adjusted_quantity, sold_quantity, held_quantity, buyer_limit
        FROM inventory.stock WHERE shop_id = %s AND sku_id > %s ORDER BY sku_id LIMIT %s
        """,
        (shop_id, after, limit),
    )
    return [Stock(*row) for row in rows]


async def open_stock(tx: Transaction, shop_id: ShopId, sku_ids: Collection[SkuId]) -> None:
    """Make sure that each SKU has a row of stock."""
    await tx.execute(
        """
        INSERT INTO inventory.stock (shop_id, sku_id, adjusted_quantity)
        SELECT %s, sku_id, 0 FROM unnest(%s::bigint[]) AS sku (sku_id) ON CONFLICT (shop_id, sku_id) DO NOTHING
        """,
        (shop_id, int_array(sorted(sku_ids))),
    )


async def adjustments_by_id(tx: Transaction, shop_id: ShopId, ids: Collection[UUID]) -> dict[UUID, Adjustment]:
    rows = await tx.rows(
        """
        SELECT id, sku_id, quantity, reason, person_id, made_at
        FROM inventory.adjustment WHERE shop_id = %s AND id = ANY (%s::uuid[])
        """,
        (shop_id, uuid_array(ids)),
    )
    return {row.id: Adjustment(*row) for row in rows}


async def adjustments_page(
    tx: Transaction, shop_id: ShopId, sku_id: SkuId, before: Before, limit: int
) -> list[Adjustment]:
    """The SKU's adjustments, newest first, before `before`."""
    rows = await tx.rows(
        """
        SELECT id, sku_id, quantity, reason, person_id, made_at FROM inventory.adjustment
        WHERE shop_id = %s AND sku_id = %s AND (made_at, id) < (%s, %s) ORDER BY made_at DESC, id DESC LIMIT %s
        """,
        (shop_id, sku_id, *before, limit),
    )
    return [Adjustment(*row) for row in rows]


async def save_adjustments(tx: Transaction, shop_id: ShopId, adjustments: Sequence[Adjustment]) -> None:
    """Write adjustments and move the stock by them; the SKUs' stock is locked."""
    if not adjustments:
        return
    await tx.together(
        statement(
            """
            INSERT INTO inventory.adjustment (shop_id, id, sku_id, quantity, reason, person_id, made_at)
            SELECT %s, * FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::text[], %s::bigint[],
                                     %s::timestamptz[])
            """,
            (
                shop_id,
                uuid_array(a.id for a in adjustments),
                int_array(a.sku_id for a in adjustments),
                int_array(a.quantity for a in adjustments),
                text_array(a.reason for a in adjustments),
                text_array(a.person_id for a in adjustments),
                time_array(a.made_at for a in adjustments),
            ),
        ),
        statement(
            """
            UPDATE inventory.stock SET adjusted_quantity = adjusted_quantity + change.quantity
            FROM (SELECT sku_id, sum(quantity)::bigint AS quantity
                  FROM unnest(%s::bigint[], %s::bigint[]) AS item (sku_id, quantity) GROUP BY sku_id) AS change
            WHERE stock.shop_id = %s AND stock.sku_id = change.sku_id
            """,
            (int_array(a.sku_id for a in adjustments), int_array(a.quantity for a in adjustments), shop_id),
        ),
    )


async def save_limit(tx: Transaction, shop_id: ShopId, sku_id: SkuId, buyer_limit: int | None) -> None:
    await tx.execute(
        "UPDATE inventory.stock SET buyer_limit = %s WHERE shop_id = %s AND sku_id = %s",
        (buyer_limit, shop_id, sku_id),
    )

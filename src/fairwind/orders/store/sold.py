"""The SQL that settlement asks orders by."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from fairwind.kernel import OrderId, Query, Row, ShopId, uuid_array
from fairwind.orders.sold import Receipt, SoldLine
from fairwind.policy import Grant


def orders_locked(shop_id: ShopId, order_ids: Collection[OrderId]) -> Query[None]:
    """Lock these orders in the order of their ids: no refund is agreed to meanwhile."""
    return Query(
        """
        SELECT count(*) FROM (
            SELECT 1 FROM orders.shop_order WHERE shop_id = %s AND id = ANY (%s::uuid[]) ORDER BY id FOR UPDATE
        ) AS locked
        """,
        (shop_id, uuid_array(order_ids)),
        lambda _: None,
    )


def orders_waiting(shop_id: ShopId, order_ids: Collection[OrderId]) -> Query[set[OrderId]]:
    """Those of these orders of which a refund that their buyer asked for waits for a decision.

    What a shop offers by itself puts nothing off: a shop could hold back what others have earned for ever.
    """
    return Query(
        """
        SELECT DISTINCT order_id
        FROM orders.refund JOIN orders.shop_order ON shop_order.shop_id = refund.shop_id AND shop_order.id = order_id
        WHERE refund.shop_id = %(shop_id)s AND order_id = ANY (%(ids)s::uuid[])
          AND shop_order.shop_id = %(shop_id)s AND shop_order.id = ANY (%(ids)s::uuid[])
          AND refund.state IN ('requested', 'awaiting_return') AND asked_by = buyer_id
        """,
        {"shop_id": shop_id, "ids": uuid_array(order_ids)},
        lambda rows: {row.order_id for row in rows},
    )


def sold_lines(shop_id: ShopId, order_ids: Collection[OrderId]) -> Query[list[SoldLine]]:
    """The lines of these orders, and their freight where there is some; to be asked with the orders locked."""
    return Query(
        """
        SELECT order_id, line_no, goods_fen - subsidy_fen AS paid_fen, refunded_fen, subsidies, seller, fee_ppm,
               earner_id, plan_id, plan_version, creator_ppm, alliance_ppm, mcn_id, mcn_ppm, agency_id, agency_ppm,
               fee_rule_id, attribution
        FROM orders.line WHERE shop_id = %(shop_id)s AND order_id = ANY (%(ids)s::uuid[])
        UNION ALL
        SELECT id, 0, freight_fen, refunded_freight_fen, NULL,
               (SELECT seller FROM orders.line
                WHERE line.shop_id = shop_order.shop_id AND order_id = id AND line_no = 1),
               0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        FROM orders.shop_order
        WHERE shop_id = %(shop_id)s AND id = ANY (%(ids)s::uuid[]) AND freight_fen > 0
        """,
        {"shop_id": shop_id, "ids": uuid_array(order_ids)},
        lambda rows: [_sold(row) for row in rows],
    )


def _sold(row: Row) -> SoldLine:
    grants = tuple(Grant(**grant) for grant in row.subsidies) if row.subsidies else ()
    return SoldLine._make([*row[:4], grants, *row[5:]])


def receipts(shop_id: ShopId, order_ids: Collection[OrderId], window: timedelta) -> Query[list[Receipt]]:
    """The lines, and the freight, of those of these orders that were received. Freight waits for the last line.

    window: of the lines that have none of their own.
    """
    return Query(
        """
        SELECT order_id, line_no, received_at + make_interval(secs => coalesce(window_s, %(window_s)s))
        FROM orders.line JOIN orders.shop_order ON shop_order.shop_id = line.shop_id AND shop_order.id = order_id
        WHERE line.shop_id = %(shop_id)s AND order_id = ANY (%(ids)s::uuid[]) AND received_at IS NOT NULL
        UNION ALL
        SELECT id, 0, received_at + make_interval(secs =>
               (SELECT max(coalesce(window_s, %(window_s)s)) FROM orders.line
                WHERE line.shop_id = shop_order.shop_id AND order_id = id))
        FROM orders.shop_order
        WHERE shop_id = %(shop_id)s AND id = ANY (%(ids)s::uuid[]) AND received_at IS NOT NULL AND freight_fen > 0
        """,
        {"shop_id": shop_id, "ids": uuid_array(order_ids), "window_s": int(window.total_seconds())},
        lambda rows: [Receipt(*row) for row in rows],
    )

"""The benchmark's SQL: a shop to sell from, and the bare inserts that set the ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import psycopg

from fairwind.kernel import OrderId, ShopId, SkuId, int_array, uuid_array


def seed(url: str, shop_id: ShopId, sku_ids: Sequence[SkuId], now: datetime) -> None:
    """An open shop with one product per SKU, each with a title and a spec of ordinary length, at 99 yuan."""
    with psycopg.connect(url) as connection:
        connection.execute(
            """
            INSERT INTO catalog.shop (shop_id, name, channel, opened_on, created_at)
            VALUES (%s, 'bench', 'own', %s, %s)
            """,
            (shop_id, now.date(), now),
        )
        connection.execute(
            """
            INSERT INTO catalog.product (shop_id, id, code, title, brief, brand, unit, on_shelf, price_fen, created_at,
                                         updated_at)
            SELECT %(shop)s, id, 'P' || id, '乘风测试商品 舒适四件套 ' || id, '', '乘风', '件', true, 9900, %(now)s,
                   %(now)s
            FROM unnest(%(ids)s::bigint[]) AS sku (id)
            """,
            {"shop": shop_id, "now": now, "ids": int_array(sku_ids)},
        )
        connection.execute(
            """
            INSERT INTO catalog.sku (shop_id, id, product_id, position, spec, price_fen, list_price_fen, on_shelf,
                                     created_at, updated_at)
            SELECT %(shop)s, id, id, 1, '1.5m 床 / 浅杏粉', 9900, 19900, true, %(now)s, %(now)s
            FROM unnest(%(ids)s::bigint[]) AS sku (id)
            """,
            {"shop": shop_id, "now": now, "ids": int_array(sku_ids)},
        )


class Ceiling:
    """One connection that inserts the rows of orders and does nothing else: no lock, no check, no decision."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, prepare_threshold=0)

    def close(self) -> None:
        self._connection.close()

    def insert(self, shop_id: ShopId, sku_ids: Sequence[SkuId], ids: Sequence[OrderId], now: datetime) -> None:
        """The rows of len(ids) orders of one line each: order, line, hold and event; committed."""
        batch = (uuid_array(ids), int_array(sku_ids))
        self._connection.execute(
            """
            INSERT INTO orders.shop_order (shop_id, id, content_hash, buyer_id, state, goods_fen, freight_fen,
                                           total_fen, address, note, placed_at, expires_at)
            SELECT %s, id, decode('00112233445566778899aabbccddeeff', 'hex'), 1001, 'placed', 9900, 0, 9900,
                   '{"name": "王小明", "phone": "13800000000", "region": "110105", "detail": "建国路 1 号"}'::jsonb,
                   '', %s, %s
            FROM unnest(%s::uuid[]) AS new (id)
            """,
            (shop_id, now, now, batch[0]),
        )
        self._connection.execute(
            """
            INSERT INTO orders.line (shop_id, order_id, line_no, sku_id, product_id, title, spec, quantity, price_fen,
                                     list_price_fen, goods_fen, limited)
            SELECT %s, id, 1, sku_id, sku_id, '乘风测试商品 舒适四件套', '1.5m 床 / 浅杏粉', 1, 9900, 19900, 9900, false
            FROM unnest(%s::uuid[], %s::bigint[]) AS new (id, sku_id)
            """,
            (shop_id, *batch),
        )
        self._connection.execute(
            """
            INSERT INTO inventory.hold (shop_id, order_id, sku_id, quantity, expires_at)
            SELECT %s, id, sku_id, 1, %s FROM unnest(%s::uuid[], %s::bigint[]) AS new (id, sku_id)
            """,
            (-shop_id, now, *batch),
        )
        self._connection.execute(
            """
            INSERT INTO kernel.outbox (shop_id, id, topic, payload, created_at)
            SELECT %s, id, 'bench', jsonb_build_object('order_id', id, 'buyer_id', 1001, 'total_fen', 9900), %s
            FROM unnest(%s::uuid[]) AS new (id)
            """,
            (shop_id, now, batch[0]),
        )
        self._connection.commit()

"""The benchmark's SQL: a shop to sell from, the bare inserts that set the ceiling, orders that wait to be settled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple

import psycopg

from fairwind.kernel import OrderId, PersonId, ProductId, ShopId, SkuId, int_array, uuid_array


def seed(url: str, shop_id: ShopId, sku_ids: Sequence[SkuId], now: datetime) -> None:
    """An open shop with one product per SKU, each with a title and a spec of ordinary length, at 99 yuan.

    The prices are older than a campaign's guard looks back, see `promote`.
    """
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
        connection.execute(
            """
            INSERT INTO catalog.price_change (shop_id, sku_id, revision, price_fen, list_price_fen, changed_at)
            SELECT shop_id, id, price_revision, price_fen, list_price_fen, created_at - interval '40 days'
            FROM catalog.sku WHERE shop_id = %s
            """,
            (shop_id,),
        )


def promote(url: str, shop_id: ShopId, product_id: ProductId, creator_id: PersonId, now: datetime) -> None:
    """A creator's live plan and pick of a product, and a campaign of the shop that it and the platform pay half each.

    The campaign gives 20 yuan a piece, at most 200 an order, and looks at the prices of 30 days.
    """
    values = {"shop": shop_id, "product": product_id, "creator": creator_id, "now": now}
    with psycopg.connect(url) as connection:
        for rows in _PROMOTED:
            connection.execute(rows, values)


_PROMOTED: Sequence[LiteralString] = (
    """
    INSERT INTO alliance.plan (shop_id, id, product_id, kind, made_at)
    VALUES (%(shop)s, 1, %(product)s, 'ordinary', %(now)s)
    """,
    """
    INSERT INTO alliance.plan_version (shop_id, plan_id, version, creator_ppm, agency_ppm, step_from, step_ppm, cut,
                                       published_by, published_at, effective_from)
    VALUES (%(shop)s, 1, 1, 200000, 0, '{}', '{}', false, 1, %(now)s, %(now)s)
    """,
    """
    INSERT INTO alliance.pick (shop_id, creator_id, product_id, position, note, picked_at)
    VALUES (%(shop)s, %(creator)s, %(product)s, 0, '', %(now)s)
    """,
    """
    INSERT INTO policy.campaign (id, draft_id, name, piece_fen, order_max_fen, guard_days, shop_ids, category_ids,
                                 product_ids, starts_at, ends_at, state, proposed_by, proposed_at, agreed_at)
    VALUES (1, gen_random_uuid(), '双百亿补贴', 2000, 20000, 30, ARRAY[%(shop)s]::bigint[], '{}', '{}', %(now)s,
            %(now)s + interval '30 days', 'agreed', 1, %(now)s, %(now)s)
    """,
    """
    INSERT INTO policy.funding (campaign_id, funder_id, share_ppm, budget_fen, in_base, accepted_at, accepted_by)
    SELECT 1, funder_id, 500000, 1000000000000, true, %(now)s, 1
    FROM (VALUES (0::bigint), (%(shop)s)) AS funder (funder_id)
    """,
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
                                     list_price_fen, goods_fen, limited, window_s, seller, fee_ppm, fee_rule_id)
            SELECT %s, id, 1, sku_id, sku_id, '乘风测试商品 舒适四件套', '1.5m 床 / 浅杏粉', 1, 9900, 19900, 9900,
                   false, 1296000, 'shop', 20000, 1
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


class Due(NamedTuple):
    """An order with lines that are due: the pairs of its id and a line's number."""

    shop_id: ShopId
    keys: list[tuple[OrderId, int]]


_UUID7: LiteralString = """
CREATE FUNCTION pg_temp.uuid7(at timestamptz) RETURNS uuid LANGUAGE sql AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
                                          PLACING substring(int8send((extract(epoch FROM at) * 1000)::bigint) FROM 3)
                                          FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$
"""
_SALES: LiteralString = """
CREATE TEMPORARY TABLE sale ON COMMIT DROP AS
SELECT (%(shops)s::bigint[])[1 + n %% %(shop_count)s] AS shop_id,
       pg_temp.uuid7(paid_at - interval '1 minute') AS order_id, pg_temp.uuid7(paid_at) AS payment_id, paid_at,
       paid_at + interval '3 days' AS received_at, 1001 + n %% 100000 AS buyer_id, 1 + n %% 1000 AS sku_id,
       9900 AS goods_fen,
       CASE WHEN n %% 3 = 0 THEN 2000 ELSE 0 END AS subsidy_fen,
       CASE WHEN n %% 10 = 0 THEN 600 ELSE 0 END AS freight_fen,
       CASE WHEN n %% 4 > 0 THEN 200001 + n %% 199 END AS earner_id,
       CASE WHEN n %% 8 IN (1, 2) THEN 300001 + n %% 7 END AS mcn_id,
       CASE WHEN n %% 8 IN (2, 3) THEN 400001 + n %% 5 END AS agency_id
FROM generate_series(1, %(orders)s) AS one (n)
CROSS JOIN LATERAL (SELECT %(now)s - interval '19 days' + n * interval '1 millisecond' AS paid_at) AS payment
"""
"""Of ten orders one pays freight; of twelve lines four are subsidised, half by the platform and half by the shop, nine
are a creator's, three of these with an MCN and three with an agency."""

_RECEIVED: Sequence[LiteralString] = (
    """
    INSERT INTO orders.shop_order (shop_id, id, content_hash, buyer_id, state, goods_fen, subsidy_fen, freight_fen,
                                   total_fen, address, note, placed_at, expires_at, paid_at, payment_shop_id,
                                   payment_id, shipped_at, carrier, tracking_number, received_at)
    SELECT shop_id, order_id, decode('00112233445566778899aabbccddeeff', 'hex'), buyer_id, 'received', goods_fen,
           subsidy_fen, freight_fen, goods_fen - subsidy_fen + freight_fen,
           '{"name": "王小明", "phone": "13800000000", "region": "110105", "detail": "建国路 1 号"}'::jsonb, '',
           paid_at - interval '1 minute', paid_at + interval '14 minutes',
           paid_at, shop_id, payment_id, received_at - interval '2 days', '顺丰速运', 'SF1234567890', received_at
    FROM sale
    """,
    """
    INSERT INTO orders.line (shop_id, order_id, line_no, sku_id, product_id, title, spec, quantity, price_fen,
                             list_price_fen, goods_fen, live_session_id, creator_id, limited, window_s, seller, fee_ppm,
                             fee_rule_id, subsidy_fen, subsidies, evidence, attribution, earner_id, plan_id,
                             plan_version, creator_ppm, alliance_ppm, mcn_id, mcn_ppm, agency_id, agency_ppm)
    SELECT shop_id, order_id, 1, sku_id, sku_id, '乘风测试商品 舒适四件套', '1.5m 床 / 浅杏粉', 1, goods_fen, 19900,
           goods_fen, CASE WHEN earner_id IS NOT NULL THEN '0172a4c1-0000-7000-8000-000000000001'::uuid END, earner_id,
           false, 15 * 86400, 'shop', 20000, 1, subsidy_fen,
           CASE WHEN subsidy_fen > 0 THEN (
               SELECT jsonb_agg(jsonb_build_object('campaign_id', 1, 'funder_id', funder_id,
                                                   'amount_fen', subsidy_fen / 2, 'in_base', true))
               FROM (VALUES (0::bigint), (shop_id)) AS funder (funder_id)) END,
           CASE WHEN earner_id IS NOT NULL THEN jsonb_build_object('placement', jsonb_build_object(
               'session_id', '0172a4c1-0000-7000-8000-000000000001', 'creator_id', earner_id,
               'issued_at', '2020-06-14T12:00:00Z'), 'clicks', '[]'::jsonb) END,
           CASE WHEN earner_id IS NOT NULL THEN 'placement' END, earner_id,
           CASE WHEN earner_id IS NOT NULL THEN sku_id END, CASE WHEN earner_id IS NOT NULL THEN 1 END,
           CASE WHEN earner_id IS NOT NULL THEN 200000 END, CASE WHEN earner_id IS NOT NULL THEN 100000 END,
           mcn_id, CASE WHEN mcn_id IS NOT NULL THEN 300000 END,
           agency_id, CASE WHEN agency_id IS NOT NULL THEN 50000 END
    FROM sale
    """,
    """
    INSERT INTO orders.deadline (shop_id, order_id, due_at)
    SELECT shop_id, order_id, received_at + interval '15 days' FROM sale
    """,
    """
    INSERT INTO settlement.earning (shop_id, order_id, line_no, creator_id, earns, reason, paid_at)
    SELECT shop_id, order_id, 1, earner_id, true, 'placement', paid_at FROM sale WHERE earner_id IS NOT NULL
    """,
    """
    INSERT INTO settlement.agency_earning (shop_id, order_id, line_no, agency_id, part, paid_at)
    SELECT shop_id, order_id, 1, agency_id, 'agency', paid_at FROM sale WHERE agency_id IS NOT NULL
    UNION ALL
    SELECT shop_id, order_id, 1, mcn_id, 'mcn', paid_at FROM sale WHERE mcn_id IS NOT NULL
    """,
    """
    CREATE TEMPORARY TABLE moved ON COMMIT DROP AS
    SELECT shop_id, order_id, paid_at AS made_at, kind, party_id, amount_fen, reason
    FROM sale CROSS JOIN LATERAL (VALUES
        ('provider', 0::bigint, goods_fen - subsidy_fen + freight_fen, 'paid'),
        ('subsidy', 0, subsidy_fen / 2, 'subsidised'),
        ('subsidy', shop_id, subsidy_fen / 2, 'subsidised')) AS part (kind, party_id, amount_fen, reason)
    WHERE amount_fen > 0
    """,
    """
    INSERT INTO ledger.transfer (shop_id, id, debit_kind, debit_party_id, credit_kind, credit_party_id, amount_fen,
                                 reason, order_id, made_at)
    SELECT shop_id, pg_temp.uuid7(made_at), kind, party_id, 'escrow', 0, amount_fen, reason, order_id, made_at
    FROM moved
    """,
    """
    INSERT INTO ledger.account (shop_id, kind, party_id, balance_fen)
    SELECT shop_id, kind, party_id, -sum(amount_fen) FROM moved GROUP BY shop_id, kind, party_id
    UNION ALL
    SELECT shop_id, 'escrow', 0, sum(amount_fen) FROM moved GROUP BY shop_id
    ON CONFLICT (shop_id, kind, party_id) DO UPDATE SET balance_fen = account.balance_fen + excluded.balance_fen
    """,
)
_DUE: LiteralString = """
INSERT INTO settlement.due (shop_id, order_id, line_no, due_at)
SELECT shop_id, order_id, 1, received_at + interval '15 days' FROM sale
UNION ALL
SELECT shop_id, order_id, 0, received_at + interval '15 days' FROM sale WHERE freight_fen > 0
"""


def receive(url: str, shop_ids: Sequence[ShopId], orders: int, now: datetime) -> int:
    """So many orders of one line, paid and received so long ago that they are due: the rows that trade would have left.

    Answers how many lines are due, the freight of those that have some included.
    """
    with psycopg.connect(url) as connection:
        connection.execute(_UUID7)
        connection.execute(
            _SALES, {"shops": int_array(shop_ids), "shop_count": len(shop_ids), "orders": orders, "now": now}
        )
        for rows in _RECEIVED:
            connection.execute(rows)
        due = connection.execute(_DUE).rowcount
    with psycopg.connect(url, autocommit=True) as connection:  # as autovacuum would have in the days between
        connection.execute("VACUUM ANALYZE orders.shop_order, orders.line, ledger.transfer, settlement.due")
    return due


def due_orders(url: str) -> list[Due]:
    """What is due, order by order."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            """
            SELECT shop_id, order_id, array_agg(line_no ORDER BY line_no) FROM settlement.due
            GROUP BY shop_id, order_id ORDER BY min(due_at)
            """
        ).fetchall()
    return [Due(shop_id, [(order_id, line_no) for line_no in line_nos]) for shop_id, order_id, line_nos in rows]


def settled_count(url: str) -> int:
    """How many lines are settled."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM settlement.settled_line").fetchone()
    assert row
    return int(row[0])

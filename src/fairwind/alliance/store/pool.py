"""The SQL of the goods pool. Searching reads the catalog's rows beside the pool's own, shop by shop."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import LiteralString

from fairwind.alliance.pool import Pooled, PoolSearch, Sort
from fairwind.catalog import wanted_grams
from fairwind.kernel import ProductId, Query, ShopId, Transaction, int_array, statement, text_array


def items_opened(shop_id: ShopId, product_ids: Collection[ProductId]) -> Query[None]:
    """Make sure that each product has its row."""
    return statement(
        """
        INSERT INTO alliance.pool_item (shop_id, product_id)
        SELECT %s, product_id FROM unnest(%s::bigint[]) AS product (product_id)
        ON CONFLICT (shop_id, product_id) DO NOTHING
        """,
        (shop_id, int_array(sorted(product_ids))),
    )


def items_locked(shop_id: ShopId, product_ids: Collection[ProductId]) -> Query[None]:
    """Lock these products' rows in the order of their ids: their plans do not change meanwhile."""
    return statement(
        """
        SELECT product_id FROM alliance.pool_item WHERE shop_id = %s AND product_id = ANY (%s::bigint[])
        ORDER BY product_id FOR UPDATE
        """,
        (shop_id, int_array(product_ids)),
    )


def items_shared(shop_id: ShopId, product_ids: Collection[ProductId]) -> Query[None]:
    """Keep these products' plans as they are until the transaction ends, beside others who want the same."""
    return statement(
        """
        SELECT product_id FROM alliance.pool_item WHERE shop_id = %s AND product_id = ANY (%s::bigint[])
        ORDER BY product_id FOR SHARE
        """,
        (shop_id, int_array(product_ids)),
    )


def items_refreshed(shop_id: ShopId, product_ids: Collection[ProductId], now: datetime) -> Query[None]:
    """Work out anew what any creator may have of these products now, and when that changes next by itself."""
    return statement(
        """
        UPDATE alliance.pool_item
        SET public_ppm = found.public_ppm, refreshed_at = %(now)s, next_change_at = found.next_change_at
        FROM (
            SELECT product.id AS product_id,
                   CASE WHEN bool_or(plan.kind = 'exclusive' AND promised.creator_ppm IS NOT NULL) THEN NULL
                        ELSE max(promised.creator_ppm) FILTER (WHERE plan.kind IN ('ordinary', 'activity'))
                   END AS public_ppm,
                   min(following.effective_from) AS next_change_at
            FROM unnest(%(products)s::bigint[]) AS product (id)
            LEFT JOIN alliance.plan ON plan.shop_id = %(shop)s AND plan.product_id = product.id
                AND (plan.ends_at IS NULL OR plan.ends_at > %(now)s)
            LEFT JOIN LATERAL (
                SELECT creator_ppm FROM alliance.plan_version
                WHERE plan_version.shop_id = %(shop)s AND plan_version.plan_id = plan.id
                  AND superseded_at IS NULL AND effective_from <= %(now)s
                ORDER BY effective_from DESC, version DESC LIMIT 1) AS promised ON true
            LEFT JOIN LATERAL (
                SELECT min(effective_from) AS effective_from FROM alliance.plan_version
                WHERE plan_version.shop_id = %(shop)s AND plan_version.plan_id = plan.id
                  AND superseded_at IS NULL AND effective_from > %(now)s) AS following ON true
            GROUP BY product.id
        ) AS found
        WHERE pool_item.shop_id = %(shop)s AND pool_item.product_id = found.product_id
        """,
        {"shop": shop_id, "products": int_array(product_ids), "now": now},
    )


def items_due(now: datetime, limit: int) -> Query[dict[ShopId, list[ProductId]]]:
    """Products whose public rate changes by itself about now, by shop; the longest overdue first."""

    def read(rows: list[tuple[ShopId, ProductId]]) -> dict[ShopId, list[ProductId]]:
        by_shop: dict[ShopId, list[ProductId]] = {}
        for shop_id, product_id in rows:
            by_shop.setdefault(shop_id, []).append(product_id)
        return by_shop

    return Query(
        """
        SELECT shop_id, product_id FROM alliance.pool_item WHERE next_change_at <= %s
        ORDER BY next_change_at, shop_id, product_id LIMIT %s
        """,
        (now, limit),
        read,
    )


def items_sold(shop_id: ShopId, sold: Mapping[ProductId, tuple[int, int]]) -> Query[None]:
    """Count pieces and fen that were paid for."""
    return _counted(
        """
        INSERT INTO alliance.pool_item AS item (shop_id, product_id, sold_quantity, sold_fen)
        SELECT %s, * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])
        ON CONFLICT (shop_id, product_id) DO UPDATE
        SET sold_quantity = item.sold_quantity + excluded.sold_quantity, sold_fen = item.sold_fen + excluded.sold_fen
        """,
        shop_id,
        sold,
    )


def items_returned(shop_id: ShopId, returned: Mapping[ProductId, tuple[int, int]]) -> Query[None]:
    """Count pieces and fen that went back."""
    return _counted(
        """
        INSERT INTO alliance.pool_item AS item (shop_id, product_id, returned_quantity, refunded_fen)
        SELECT %s, * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])
        ON CONFLICT (shop_id, product_id) DO UPDATE
        SET returned_quantity = item.returned_quantity + excluded.returned_quantity,
            refunded_fen = item.refunded_fen + excluded.refunded_fen
        """,
        shop_id,
        returned,
    )


def _counted(sql: LiteralString, shop_id: ShopId, counts: Mapping[ProductId, tuple[int, int]]) -> Query[None]:
    ids = sorted(counts)
    return statement(
        sql,
        (
            shop_id,
            int_array(ids),
            int_array(counts[product_id][0] for product_id in ids),
            int_array(counts[product_id][1] for product_id in ids),
        ),
    )


_EARNING: LiteralString = (
    "(product.price_fen * item.public_ppm / 1000000"
    " - product.price_fen * item.public_ppm / 1000000 * fee.rate_ppm / 1000000)"
)
_SHOWN: LiteralString = """
SELECT item.shop_id, item.product_id, product.title, shop.name AS shop_name, product.category_id, product.price_fen,
       item.public_ppm, through.activity_id, """
_IN_POOL: LiteralString = """ AS earning_fen, item.sold_quantity, item.return_rate_ppm
FROM alliance.pool_item AS item
JOIN catalog.product ON product.shop_id = item.shop_id AND product.id = item.product_id
JOIN catalog.shop ON shop.shop_id = item.shop_id
CROSS JOIN (SELECT rate_ppm FROM alliance.fee WHERE effective_from <= %(now)s
            ORDER BY effective_from DESC, version DESC LIMIT 1) AS fee
LEFT JOIN LATERAL (
    SELECT plan.activity_id
    FROM alliance.plan
    CROSS JOIN LATERAL (
        SELECT creator_ppm FROM alliance.plan_version
        WHERE plan_version.shop_id = plan.shop_id AND plan_version.plan_id = plan.id
          AND superseded_at IS NULL AND effective_from <= %(now)s
        ORDER BY effective_from DESC, version DESC LIMIT 1) AS promised
    WHERE plan.shop_id = item.shop_id AND plan.product_id = item.product_id
      AND (plan.ends_at IS NULL OR plan.ends_at > %(now)s) AND plan.kind IN ('ordinary', 'activity')
    ORDER BY promised.creator_ppm DESC, plan.activity_id NULLS FIRST LIMIT 1) AS through ON true
WHERE item.public_ppm IS NOT NULL AND product.on_shelf AND product.price_fen IS NOT NULL AND shop.state = 'open'
"""
_FOUND: LiteralString = _SHOWN + _EARNING + _IN_POOL
_FILTERS: dict[str, LiteralString] = {
    "shop_id": "AND item.shop_id = %(shop_id)s\n",
    "product_id": "AND item.product_id = %(product_id)s\n",
    "category_id": """AND product.category_id IN (
    SELECT id FROM catalog.category WHERE id = %(category_id)s OR parent_id = %(category_id)s)
""",
    "activity_id": """AND EXISTS (
    SELECT FROM alliance.plan
    WHERE plan.shop_id = item.shop_id AND plan.product_id = item.product_id AND plan.activity_id = %(activity_id)s
      AND (plan.ends_at IS NULL OR plan.ends_at > %(now)s))
""",
    "rate_min_ppm": "AND item.public_ppm >= %(rate_min_ppm)s\n",
    "price_min_fen": "AND product.price_fen >= %(price_min_fen)s\n",
    "price_max_fen": "AND product.price_fen <= %(price_max_fen)s\n",
    "sold_min_quantity": "AND item.sold_quantity >= %(sold_min_quantity)s\n",
    "return_rate_max_ppm": "AND item.return_rate_ppm <= %(return_rate_max_ppm)s\n",
}
_WORDED: LiteralString = """
AND (item.shop_id, item.product_id) IN (
    SELECT wording.shop_id, wording.product_id FROM catalog.wording
    WHERE wording.grams @> %(grams)s::text[]
      AND NOT EXISTS (SELECT FROM unnest(%(words)s::text[]) AS word WHERE position(word IN wording.text) = 0))
"""
_ORDERS: dict[Sort, tuple[LiteralString, LiteralString, LiteralString]] = {
    Sort.RATE: ("item.public_ppm", "<", "DESC"),
    Sort.EARNING: (_EARNING, "<", "DESC"),
    Sort.SALES: ("item.sold_quantity", "<", "DESC"),
    Sort.RETURNS: ("item.return_rate_ppm", ">", "ASC"),
    Sort.PRICE: ("product.price_fen", ">", "ASC"),
    Sort.PRICE_DOWN: ("product.price_fen", "<", "DESC"),
}
"""What is sorted by, how the next page compares with the last item of this one, and the direction."""


async def pooled(
    tx: Transaction,
    search: PoolSearch,
    now: datetime,
    after: tuple[int, ShopId, ProductId] | None = None,
    limit: int = 100,
) -> list[Pooled]:
    """What the search finds in the pool, in its order, after the key `after`."""
    column, comparison, direction = _ORDERS[search.sort]
    sql = _FOUND
    wanted = {name: getattr(search, name) for name in _FILTERS}
    for name, condition in _FILTERS.items():
        if wanted[name] is not None:
            sql += condition
    if search.words:
        sql += _WORDED
    if after is not None:
        sql += f"AND ({column}, item.shop_id, item.product_id) {comparison} (%(value)s, %(after_shop)s, %(after_id)s)\n"
    sql += f"ORDER BY {column} {direction}, item.shop_id {direction}, item.product_id {direction} LIMIT %(limit)s"
    value, after_shop, after_id = after or (None, None, None)
    rows = await tx.rows(
        sql,
        {
            **wanted,
            "now": now,
            "words": text_array(search.words),
            "grams": text_array(wanted_grams(search.words)),
            "value": value,
            "after_shop": after_shop,
            "after_id": after_id,
            "limit": limit,
        },
    )
    return [Pooled(*row) for row in rows]

"""The SQL of ratings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from fairwind.alliance.rating import ProductRating, Rating, centistars
from fairwind.kernel import (
    OrderId,
    ProductId,
    Query,
    ShopId,
    Transaction,
    int_array,
    statement,
    text_array,
    time_array,
    uuid_array,
)

Before = tuple[datetime, UUID, int]
"""The key of a product's ratings, newest first: when it was given, for which order and line."""

_RATING: LiteralString = """
SELECT shop_id, order_id, line_no, product_id, buyer_id, stars, text, rated_at, changed_at FROM alliance.rating
"""
_OF_LINES: LiteralString = """
WHERE shop_id = %s AND (order_id, line_no) IN (SELECT * FROM unnest(%s::uuid[], %s::smallint[]))
ORDER BY order_id, line_no FOR UPDATE
"""


def ratings_locked(shop_id: ShopId, lines: Collection[tuple[OrderId, int]]) -> Query[dict[tuple[OrderId, int], Rating]]:
    """The ratings of these lines, locked in their order; a line that nobody has rated is absent."""
    return Query(
        _RATING + _OF_LINES,
        (
            shop_id,
            uuid_array(order_id for order_id, _ in lines),
            int_array(line_no for _, line_no in lines),
        ),
        lambda rows: {(row.order_id, row.line_no): Rating(*row) for row in rows},
    )


def ratings_added(shop_id: ShopId, added: Collection[Rating]) -> Query[None]:
    """Write first ratings. One that somebody else has written meanwhile violates the key, and the command runs anew."""
    return statement(
        """
        INSERT INTO alliance.rating
            (shop_id, order_id, line_no, product_id, buyer_id, stars, text, rated_at, changed_at)
        SELECT %s, * FROM unnest(%s::uuid[], %s::smallint[], %s::bigint[], %s::bigint[], %s::smallint[], %s::text[],
                                 %s::timestamptz[], %s::timestamptz[])
        """,
        (
            shop_id,
            uuid_array(rating.order_id for rating in added),
            int_array(rating.line_no for rating in added),
            int_array(rating.product_id for rating in added),
            int_array(rating.buyer_id for rating in added),
            int_array(rating.stars for rating in added),
            text_array(rating.text for rating in added),
            time_array(rating.rated_at for rating in added),
            time_array(rating.changed_at for rating in added),
        ),
    )


def ratings_changed(shop_id: ShopId, changed: Collection[Rating]) -> Query[None]:
    """Save what has changed in ratings, which are locked."""
    return statement(
        """
        UPDATE alliance.rating SET stars = change.stars, text = change.text, changed_at = change.changed_at
        FROM unnest(%s::uuid[], %s::smallint[], %s::smallint[], %s::text[], %s::timestamptz[])
            AS change (order_id, line_no, stars, text, changed_at)
        WHERE rating.shop_id = %s AND rating.order_id = change.order_id AND rating.line_no = change.line_no
        """,
        (
            uuid_array(rating.order_id for rating in changed),
            int_array(rating.line_no for rating in changed),
            int_array(rating.stars for rating in changed),
            text_array(rating.text for rating in changed),
            time_array(rating.changed_at for rating in changed),
            shop_id,
        ),
    )


def sums_moved(shop_id: ShopId, moves: Mapping[ProductId, tuple[int, int]]) -> list[Query[None]]:
    """Move each product's number of ratings and sum of stars by so much, in the order of their ids."""
    in_order = dict(sorted(moves.items()))
    # Two statements: the CHECK would judge the negative part of an upsert before it found the row to add it to.
    return [
        statement(
            """
            INSERT INTO alliance.product_rating (shop_id, product_id)
            SELECT %s, product_id FROM unnest(%s::bigint[]) AS rated (product_id)
            ON CONFLICT (shop_id, product_id) DO NOTHING
            """,
            (shop_id, int_array(in_order)),
        ),
        statement(
            """
            UPDATE alliance.product_rating
            SET ratings = product_rating.ratings + move.ratings, stars = product_rating.stars + move.stars
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS move (product_id, ratings, stars)
            WHERE product_rating.shop_id = %s AND product_rating.product_id = move.product_id
            """,
            (
                int_array(in_order),
                int_array(ratings for ratings, _ in in_order.values()),
                int_array(stars for _, stars in in_order.values()),
                shop_id,
            ),
        ),
    ]


def sums_locked(shop_id: ShopId, product_ids: Collection[ProductId]) -> Query[None]:
    """Lock what these products' ratings come to, in the order of their ids."""
    return statement(
        """
        SELECT FROM alliance.product_rating
        WHERE shop_id = %s AND product_id = ANY (%s::bigint[]) ORDER BY product_id FOR UPDATE
        """,
        (shop_id, int_array(product_ids)),
    )


def product_ratings(shop_id: ShopId, product_ids: Collection[ProductId]) -> Query[dict[ProductId, ProductRating]]:
    """What these products' ratings come to; a product without any is absent."""
    return Query(
        """
        SELECT product_id, ratings, stars FROM alliance.product_rating
        WHERE shop_id = %s AND product_id = ANY (%s::bigint[])
        """,
        (shop_id, int_array(product_ids)),
        lambda rows: {row.product_id: ProductRating(row.ratings, centistars(row.stars, row.ratings)) for row in rows},
    )


async def ratings_page(
    tx: Transaction, shop_id: ShopId, product_id: ProductId, before: Before, limit: int
) -> list[Rating]:
    """The product's ratings, newest first, before `before`."""
    rows = await tx.rows(
        _RATING
        + """
        WHERE shop_id = %s AND product_id = %s AND (rated_at, order_id, line_no) < (%s, %s, %s)
        ORDER BY rated_at DESC, order_id DESC, line_no DESC LIMIT %s
        """,
        (shop_id, product_id, *before, limit),
    )
    return [Rating(*row) for row in rows]

"""The SQL of picks and shelves. A shelf spans shops, and shows products as the catalog lists them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString

from fairwind.alliance.pick import Pick, ShelfItem
from fairwind.kernel import (
    PersonId,
    ProductId,
    Query,
    Row,
    ShopId,
    Transaction,
    int_array,
    statement,
    text_array,
    time_array,
    uuid_array,
)

Place = tuple[int, datetime, ShopId, ProductId]
"""Where a pick stands on its creator's shelf."""

_PICK: LiteralString = (
    "SELECT shop_id, creator_id, product_id, activity_id, position, note, picked_at FROM alliance.pick "
)
_PAIRS: LiteralString = """
WHERE shop_id = %s AND dropped_at IS NULL
  AND (creator_id, product_id) IN (SELECT * FROM unnest(%s::bigint[], %s::bigint[]))
"""


def _picks(rows: list[Row]) -> dict[tuple[PersonId, ProductId], Pick]:
    return {(row.creator_id, row.product_id): Pick(*row) for row in rows}


def picks_locked(
    shop_id: ShopId, pairs: Collection[tuple[PersonId, ProductId]]
) -> Query[dict[tuple[PersonId, ProductId], Pick]]:
    """The live picks of these creators and products of the shop, locked."""
    return Query(
        _PICK + _PAIRS + "ORDER BY creator_id, product_id FOR UPDATE",
        (shop_id, int_array(creator_id for creator_id, _ in pairs), int_array(product_id for _, product_id in pairs)),
        _picks,
    )


def picks_saved(shop_id: ShopId, picks: Sequence[Pick]) -> list[Query[Any]]:
    if not picks:
        return []
    return [
        statement(
            """
            INSERT INTO alliance.pick (shop_id, creator_id, product_id, activity_id, position, note, picked_at)
            SELECT %s, * FROM unnest(%s::bigint[], %s::bigint[], %s::uuid[], %s::integer[], %s::text[],
                                     %s::timestamptz[])
            ON CONFLICT (shop_id, creator_id, product_id) DO UPDATE
            SET activity_id = excluded.activity_id, position = excluded.position, note = excluded.note,
                picked_at = excluded.picked_at, dropped_at = NULL
            """,
            (
                shop_id,
                int_array(pick.creator_id for pick in picks),
                int_array(pick.product_id for pick in picks),
                uuid_array(pick.activity_id for pick in picks),
                int_array(pick.position for pick in picks),
                text_array(pick.note for pick in picks),
                time_array(pick.picked_at for pick in picks),
            ),
        )
    ]


def picks_dropped(shop_id: ShopId, pairs: Collection[tuple[PersonId, ProductId]], now: datetime) -> Query[None]:
    return statement(
        """
        UPDATE alliance.pick SET dropped_at = greatest(picked_at, %s)
        WHERE shop_id = %s AND dropped_at IS NULL
          AND (creator_id, product_id) IN (SELECT * FROM unnest(%s::bigint[], %s::bigint[]))
        """,
        (
            now,
            shop_id,
            int_array(creator_id for creator_id, _ in pairs),
            int_array(product_id for _, product_id in pairs),
        ),
    )


def shelf_sizes(creator_ids: Collection[PersonId]) -> Query[dict[PersonId, int]]:
    """How many products each of these creators shows, over all shops; one who shows none is absent."""
    return Query(
        """
        SELECT creator_id, count(*) AS picks FROM alliance.pick
        WHERE creator_id = ANY (%s::bigint[]) AND dropped_at IS NULL GROUP BY creator_id
        """,
        (int_array(creator_ids),),
        lambda rows: {row.creator_id: row.picks for row in rows},
    )


def shop_owners(person_ids: Collection[PersonId]) -> Query[set[PersonId]]:
    """Those of these people who are members of an open shop."""
    return Query(
        """
        SELECT DISTINCT person_id FROM identity.membership JOIN catalog.shop ON shop.shop_id = membership.shop_id
        WHERE person_id = ANY (%s::bigint[]) AND shop.state = 'open'
        """,
        (int_array(person_ids),),
        lambda rows: {row.person_id for row in rows},
    )


_SHELF: LiteralString = """
FROM alliance.pick
JOIN catalog.product ON product.shop_id = pick.shop_id AND product.id = pick.product_id
JOIN catalog.shop ON shop.shop_id = pick.shop_id
WHERE pick.creator_id = %(creator)s AND pick.dropped_at IS NULL
  AND (pick.position, pick.picked_at, pick.shop_id, pick.product_id) > (%(position)s, %(at)s, %(shop)s, %(product)s)
ORDER BY pick.position, pick.picked_at, pick.shop_id, pick.product_id LIMIT %(limit)s
"""
_FIRST: Place = (-1, datetime(2000, 1, 1, tzinfo=UTC), ShopId(0), ProductId(0))


async def shelf(tx: Transaction, creator_id: PersonId, after: Place | None, limit: int) -> list[ShelfItem]:
    """What the creator shows, in its order, after the place `after`."""
    rows = await tx.rows(
        """
        SELECT pick.shop_id, pick.product_id, product.title, product.price_fen,
               product.on_shelf AND product.price_fen IS NOT NULL AND shop.state = 'open' AS on_shelf,
               pick.position, pick.note, pick.picked_at
        """
        + _SHELF,
        _after(creator_id, after, limit),
    )
    return [ShelfItem(*row) for row in rows]


async def picks_page(tx: Transaction, creator_id: PersonId, after: Place | None, limit: int) -> list[Pick]:
    """The creator's live picks in the order of their shelf, after the place `after`."""
    rows = await tx.rows(
        "SELECT pick.shop_id, pick.creator_id, pick.product_id, pick.activity_id, pick.position, pick.note,"
        " pick.picked_at" + _SHELF,
        _after(creator_id, after, limit),
    )
    return [Pick(*row) for row in rows]


def _after(creator_id: PersonId, after: Place | None, limit: int) -> dict[str, Any]:
    position, at, shop_id, product_id = after or _FIRST
    return {
        "creator": creator_id,
        "position": position,
        "at": at,
        "shop": shop_id,
        "product": product_id,
        "limit": limit,
    }

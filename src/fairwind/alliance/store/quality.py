"""The SQL of the quality pool. Its list reads the catalog's rows beside the pool's own, shop by shop."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import LiteralString

import msgspec

from fairwind.alliance.quality import (
    Criteria,
    CriteriaDraft,
    Fault,
    Nomination,
    NominationId,
    NominationState,
    QualityGood,
)
from fairwind.catalog import wanted_grams
from fairwind.kernel import (
    CategoryId,
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
from fairwind.kernel.pages import Before

_CRITERIA: LiteralString = """
SELECT version, rating_min_centistars, ratings_min, return_rate_max_ppm, sold_min_quantity, stock_min_quantity,
       price_days, price_rise_max_ppm, set_by, set_at
FROM alliance.quality_criteria
"""
_NOMINATION: LiteralString = """
SELECT shop_id, id, product_id, state, nominated_by, nominated_at, decided_by, decided_at, criteria_version, message,
       faults, left_at, left_by
FROM alliance.nomination
"""
_GOOD: LiteralString = """
SELECT nomination.shop_id, nomination.product_id, nomination.id, product.title, shop.name AS shop_name,
       product.category_id, product.price_fen,
       CASE WHEN rating.ratings > 0 THEN rating.stars * 100 / rating.ratings END AS centistars,
       coalesce(rating.ratings, 0) AS ratings, coalesce(item.sold_quantity, 0) AS sold_quantity,
       coalesce(item.return_rate_ppm, 0) AS return_rate_ppm, nomination.decided_at
FROM alliance.nomination
JOIN catalog.product ON product.shop_id = nomination.shop_id AND product.id = nomination.product_id
JOIN catalog.shop ON shop.shop_id = nomination.shop_id
LEFT JOIN alliance.product_rating AS rating
    ON rating.shop_id = nomination.shop_id AND rating.product_id = nomination.product_id
LEFT JOIN alliance.pool_item AS item
    ON item.shop_id = nomination.shop_id AND item.product_id = nomination.product_id
WHERE nomination.state = 'member' AND (nomination.decided_at, nomination.id) < (%(at)s, %(id)s)
"""
_IN_CATEGORY: LiteralString = """
AND product.category_id IN (SELECT id FROM catalog.category WHERE id = %(category_id)s OR parent_id = %(category_id)s)
"""
_WORDED: LiteralString = """
AND (nomination.shop_id, nomination.product_id) IN (
    SELECT wording.shop_id, wording.product_id FROM catalog.wording
    WHERE wording.grams @> %(grams)s::text[]
      AND NOT EXISTS (SELECT FROM unnest(%(words)s::text[]) AS word WHERE position(word IN wording.text) = 0))
"""


def _nomination(row: Row) -> Nomination:
    return Nomination(
        row.shop_id,
        row.id,
        row.product_id,
        NominationState(row.state),
        row.nominated_by,
        row.nominated_at,
        row.decided_by,
        row.decided_at,
        row.criteria_version,
        row.message,
        None if row.faults is None else msgspec.convert(row.faults, list[Fault]),
        row.left_at,
        row.left_by,
    )


# Criteria.


def criteria() -> Query[Criteria]:
    """What is asked of goods now."""
    return Query(_CRITERIA + "ORDER BY version DESC LIMIT 1", (), lambda rows: Criteria(*rows[0]))


async def criteria_page(tx: Transaction, before: int, limit: int) -> list[Criteria]:
    """Every version, the one in force first, before version `before`."""
    rows = await tx.rows(_CRITERIA + "WHERE version < %s ORDER BY version DESC LIMIT %s", (before, limit))
    return [Criteria(*row) for row in rows]


async def add_criteria(
    tx: Transaction, version: int, draft: CriteriaDraft, person_id: PersonId, now: datetime
) -> Criteria:
    """Write the version; one that somebody else has written meanwhile violates the key."""
    row = await tx.row(
        """
        INSERT INTO alliance.quality_criteria
            (version, rating_min_centistars, ratings_min, return_rate_max_ppm, sold_min_quantity, stock_min_quantity,
             price_days, price_rise_max_ppm, set_by, set_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        RETURNING version, rating_min_centistars, ratings_min, return_rate_max_ppm, sold_min_quantity,
                  stock_min_quantity, price_days, price_rise_max_ppm, set_by, set_at
        """,
        (version, *msgspec.structs.astuple(draft), person_id, now),
    )
    assert row is not None
    return Criteria(*row)


# What is measured.


def sales(shop_id: ShopId, product_ids: Collection[ProductId]) -> Query[dict[ProductId, tuple[int, int]]]:
    """Pieces of these products that were sold and that came back; a product that was never sold is absent."""
    return Query(
        """
        SELECT product_id, sold_quantity, returned_quantity FROM alliance.pool_item
        WHERE shop_id = %s AND product_id = ANY (%s::bigint[])
        """,
        (shop_id, int_array(product_ids)),
        lambda rows: {row.product_id: (row.sold_quantity, row.returned_quantity) for row in rows},
    )


# Nominations.


def nominations(shop_id: ShopId, ids: Collection[NominationId]) -> Query[dict[NominationId, Nomination]]:
    return Query(
        _NOMINATION + "WHERE shop_id = %s AND id = ANY (%s::uuid[])",
        (shop_id, uuid_array(ids)),
        lambda rows: {row.id: _nomination(row) for row in rows},
    )


def nominations_locked(shop_id: ShopId, ids: Collection[NominationId]) -> Query[dict[NominationId, Nomination]]:
    return Query(
        _NOMINATION + "WHERE shop_id = %s AND id = ANY (%s::uuid[]) ORDER BY id FOR UPDATE",
        (shop_id, uuid_array(ids)),
        lambda rows: {row.id: _nomination(row) for row in rows},
    )


def open_nominations(shop_id: ShopId, product_ids: Collection[ProductId]) -> Query[dict[ProductId, Nomination]]:
    """The nominations of these products that are in the pool or wait to be; at most one each."""
    return Query(
        _NOMINATION + "WHERE shop_id = %s AND product_id = ANY (%s::bigint[]) AND state IN ('nominated', 'member')",
        (shop_id, int_array(product_ids)),
        lambda rows: {row.product_id: _nomination(row) for row in rows},
    )


def nominations_added(shop_id: ShopId, added: Collection[Nomination]) -> Query[None]:
    """Write nominations. One of a product that somebody else has nominated meanwhile violates the unique index."""
    return statement(
        """
        INSERT INTO alliance.nomination (shop_id, id, product_id, state, nominated_by, nominated_at)
        SELECT %s, * FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::bigint[], %s::timestamptz[])
        """,
        (
            shop_id,
            uuid_array(each.id for each in added),
            int_array(each.product_id for each in added),
            text_array(each.state for each in added),
            int_array(each.nominated_by for each in added),
            time_array(each.nominated_at for each in added),
        ),
    )


def nominations_saved(shop_id: ShopId, changed: Collection[Nomination]) -> Query[None]:
    """Save what has happened to nominations, which are locked."""
    return statement(
        """
        UPDATE alliance.nomination
        SET state = change.state, decided_by = change.decided_by, decided_at = change.decided_at,
            criteria_version = change.criteria_version, message = change.message, faults = change.faults,
            left_at = change.left_at, left_by = change.left_by
        FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::timestamptz[], %s::integer[], %s::text[], %s::jsonb[],
                    %s::timestamptz[], %s::bigint[])
            AS change (id, state, decided_by, decided_at, criteria_version, message, faults, left_at, left_by)
        WHERE nomination.shop_id = %s AND nomination.id = change.id
        """,
        (
            uuid_array(each.id for each in changed),
            text_array(each.state for each in changed),
            text_array(each.decided_by for each in changed),
            time_array(each.decided_at for each in changed),
            text_array(each.criteria_version for each in changed),
            text_array(each.message for each in changed),
            text_array(each.faults and msgspec.json.encode(each.faults).decode() for each in changed),
            time_array(each.left_at for each in changed),
            text_array(each.left_by for each in changed),
            shop_id,
        ),
    )


async def nominations_page(
    tx: Transaction, shop_id: ShopId | None, state: NominationState | None, before: Before, limit: int
) -> list[Nomination]:
    """Nominations of a shop or of all, all or those in one state, newest first, before `before`."""
    rows = await tx.rows(
        _NOMINATION
        + "WHERE (nominated_at, id) < (%(at)s, %(id)s)\n"
        + ("" if shop_id is None else "AND shop_id = %(shop_id)s\n")
        + ("" if state is None else "AND state = %(state)s\n")
        + "ORDER BY nominated_at DESC, id DESC LIMIT %(limit)s",
        {"shop_id": shop_id, "state": state, "at": before[0], "id": before[1], "limit": limit},
    )
    return [_nomination(row) for row in rows]


async def history(
    tx: Transaction, shop_id: ShopId, product_id: ProductId, before: Before, limit: int
) -> list[Nomination]:
    """The product's nominations, newest first, before `before`."""
    rows = await tx.rows(
        _NOMINATION
        + """
        WHERE shop_id = %s AND product_id = %s AND (nominated_at, id) < (%s, %s)
        ORDER BY nominated_at DESC, id DESC LIMIT %s
        """,
        (shop_id, product_id, *before, limit),
    )
    return [_nomination(row) for row in rows]


def members(after: tuple[ShopId, NominationId], limit: int) -> Query[list[tuple[ShopId, NominationId]]]:
    """What is in the pool, by shop and id, after `after`."""
    return Query(
        """
        SELECT shop_id, id FROM alliance.nomination
        WHERE state = 'member' AND (shop_id, id) > (%s, %s) ORDER BY shop_id, id LIMIT %s
        """,
        (*after, limit),
        lambda rows: [(row.shop_id, row.id) for row in rows],
    )


async def goods(
    tx: Transaction, words: Sequence[str], category_id: CategoryId | None, before: Before, limit: int
) -> list[QualityGood]:
    """What is in the pool, the latest to enter first, before `before`; with words, what holds them all."""
    sql = _GOOD
    if category_id is not None:
        sql += _IN_CATEGORY
    if words:
        sql += _WORDED
    rows = await tx.rows(
        sql + "ORDER BY nomination.decided_at DESC, nomination.id DESC LIMIT %(limit)s",
        {
            "at": before[0],
            "id": before[1],
            "category_id": category_id,
            "words": text_array(words),
            "grams": text_array(wanted_grams(words)),
            "limit": limit,
        },
    )
    return [QualityGood(*row) for row in rows]

"""The SQL of imports and exports."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from fairwind.catalog.files.lines import First, Goods, Key
from fairwind.catalog.shop import CategoryPath
from fairwind.kernel import Query, ShopId, SkuId, Transaction, text_array


class Place(NamedTuple):
    """How far an export has come."""

    code: str
    position: int
    sku_id: SkuId


BEGINNING = Place("", 0, SkuId(0))


def seen(shop_id: ShopId, import_id: UUID, keys: Collection[Key]) -> Query[dict[Key, First]]:
    """Where the import met these keys first; one that it has not met is absent.

    LIMIT makes it one look-up per key: a join may be planned while the table is empty, and then reads all of it.
    """
    return Query(
        """
        SELECT key.code, key.spec, first.line, first.digest
        FROM unnest(%s::text[], %s::text[]) AS key (code, spec)
        CROSS JOIN LATERAL (
            SELECT line, digest FROM catalog.import_key
            WHERE shop_id = %s AND import_id = %s AND import_key.code = key.code AND import_key.spec = key.spec LIMIT 1
        ) AS first
        """,
        (text_array(key.code for key in keys), text_array(key.spec for key in keys), shop_id, import_id),
        lambda rows: {Key(row.code, row.spec): First(row.line, row.digest) for row in rows},
    )


async def remember(
    tx: Transaction, shop_id: ShopId, import_id: UUID, firsts: Mapping[Key, First], now: datetime
) -> None:
    """Keep keys that the import met for the first time."""
    if not firsts:
        return
    await tx.execute(
        """
        INSERT INTO catalog.import_key (shop_id, import_id, code, spec, line, digest, started_at)
        SELECT %s, %s, code, spec, line, decode(digest, 'hex'), %s
        FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[]) AS given (code, spec, line, digest)
        ON CONFLICT (shop_id, import_id, code, spec) DO NOTHING
        """,
        (
            shop_id,
            import_id,
            now,
            text_array(key.code for key in firsts),
            text_array(key.spec for key in firsts),
            text_array(first.line for first in firsts.values()),
            text_array(first.digest and first.digest.hex() for first in firsts.values()),
        ),
    )


async def forget(tx: Transaction, shop_id: ShopId, import_id: UUID, before: datetime) -> None:
    """Drop what the import met, and what imports met that began before `before` and were never finished."""
    await tx.execute(
        "DELETE FROM catalog.import_key WHERE shop_id = %s AND (import_id = %s OR started_at < %s)",
        (shop_id, import_id, before),
    )


async def goods_after(tx: Transaction, shop_id: ShopId, after: Place, limit: int) -> list[tuple[Place, Goods]]:
    """The shop's SKUs by product code and position, after `after`; the stock is left open."""
    rows = await tx.rows(
        """
        SELECT product.code, product.title, product.brief, product.brand, product.unit,
               coalesce(parent.name, '') AS parent, coalesce(category.name, '') AS category,
               sku.id, sku.spec, sku.position, sku.price_fen, sku.list_price_fen,
               product.on_shelf AND sku.on_shelf AS on_sale,
               NOT EXISTS (SELECT FROM catalog.sku AS other
                           WHERE other.shop_id = product.shop_id AND other.product_id = product.id
                             AND other.id <> sku.id) AS single,
               product.on_shelf AND product.price_fen IS NOT NULL AS published
        FROM catalog.product
        JOIN catalog.sku ON sku.shop_id = product.shop_id AND sku.product_id = product.id
        LEFT JOIN catalog.category ON category.id = product.category_id
        LEFT JOIN catalog.category AS parent ON parent.id = category.parent_id
        WHERE product.shop_id = %(shop_id)s AND product.code >= %(code)s
          AND (product.code, sku.position, sku.id) > (%(code)s COLLATE "C", %(position)s, %(sku_id)s)
        ORDER BY product.code, sku.position, sku.id LIMIT %(limit)s
        """,
        {"shop_id": shop_id, "limit": limit} | after._asdict(),
    )
    return [
        (
            Place(row.code, row.position, row.id),
            Goods(
                row.code, row.title, row.brief, row.brand, row.unit, CategoryPath(row.parent, row.category), row.spec,
                row.position, row.price_fen, row.list_price_fen, None, row.on_sale, row.single, row.published,
            ),
        )
        for row in rows
    ]  # fmt: skip

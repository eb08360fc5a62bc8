"""The SQL that reads products and SKUs, and what others ask of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import LiteralString

from fairwind.catalog.product import Listing, Offer, PriceChange, Product, Sku
from fairwind.kernel import Fen, ProductId, Query, ShopId, SkuId, Transaction, int_array, statement, text_array

PRODUCT: LiteralString = """
SELECT shop_id, id, code, title, brief, brand, unit, category_id, on_shelf, price_fen, sold, created_at, updated_at
FROM catalog.product
"""
_SKU: LiteralString = """
SELECT id, product_id, position, spec, price_fen, list_price_fen, price_revision, on_shelf, in_stock,
       created_at, updated_at
FROM catalog.sku
"""
_BY_SPEC: LiteralString = """
WHERE shop_id = %(shop_id)s AND id = ANY (ARRAY(
    SELECT found.id FROM unnest(%(product_ids)s::bigint[], %(specs)s::text[]) AS given (product_id, spec)
    CROSS JOIN LATERAL (
        SELECT id FROM catalog.sku
        WHERE shop_id = %(shop_id)s AND sku.product_id = given.product_id AND sku.spec = given.spec LIMIT 1) AS found))
"""
"""LIMIT makes it one look-up per spec: a join may be planned while the table is empty, and then reads all of it."""


def products(shop_id: ShopId, ids: Collection[ProductId], *, lock: bool = False) -> Query[list[Product]]:
    """Products by id; those that the shop does not have are absent."""
    return Query(
        PRODUCT + "WHERE shop_id = %s AND id = ANY (%s::bigint[]) ORDER BY id" + (" FOR UPDATE" if lock else ""),
        (shop_id, int_array(ids)),
        lambda rows: [Product(*row) for row in rows],
    )


def products_by_code(shop_id: ShopId, codes: Collection[str]) -> Query[list[Product]]:
    """Products by code, locked."""
    return Query(
        PRODUCT + "WHERE shop_id = %s AND code = ANY (%s::text[]) ORDER BY id FOR UPDATE",
        (shop_id, text_array(codes)),
        lambda rows: [Product(*row) for row in rows],
    )


def skus_of(shop_id: ShopId, product_ids: Collection[ProductId], *, lock: bool = False) -> Query[list[Sku]]:
    """All SKUs of these products, in their order."""
    return Query(
        _SKU
        + "WHERE shop_id = %s AND product_id = ANY (%s::bigint[]) "
        + ("ORDER BY id FOR UPDATE" if lock else "ORDER BY product_id, position, id"),
        (shop_id, int_array(product_ids)),
        lambda rows: [Sku(*row) for row in rows],
    )


def skus_by_spec(shop_id: ShopId, specs: Collection[tuple[ProductId, str]]) -> Query[list[Sku]]:
    """SKUs by product and spec, locked."""
    return Query(
        _SKU + _BY_SPEC + "ORDER BY id FOR UPDATE",
        {
            "shop_id": shop_id,
            "product_ids": int_array(product_id for product_id, _ in specs),
            "specs": text_array(spec for _, spec in specs),
        },
        lambda rows: [Sku(*row) for row in rows],
    )


def sku_counts(shop_id: ShopId, product_ids: Collection[ProductId]) -> Query[dict[ProductId, int]]:
    """How many SKUs each product has; one that has none is absent."""
    return Query(
        """
        SELECT product_id, count(*) AS skus FROM catalog.sku
        WHERE shop_id = %s AND product_id = ANY (%s::bigint[]) GROUP BY product_id
        """,
        (shop_id, int_array(product_ids)),
        lambda rows: {row.product_id: row.skus for row in rows},
    )


async def products_of_skus(tx: Transaction, shop_id: ShopId, sku_ids: Collection[SkuId]) -> dict[SkuId, ProductId]:
    rows = await tx.rows(
        "SELECT id, product_id FROM catalog.sku WHERE shop_id = %s AND id = ANY (%s::bigint[])",
        (shop_id, int_array(sku_ids)),
    )
    return {row.id: row.product_id for row in rows}


async def prices_page(
    tx: Transaction, shop_id: ShopId, sku_id: SkuId, before: int | None, limit: int
) -> list[PriceChange]:
    """The SKU's prices, the present one first, before revision `before`."""
    rows = await tx.rows(
        """
        SELECT revision, price_fen, list_price_fen, changed_at FROM catalog.price_change
        WHERE shop_id = %(shop_id)s AND sku_id = %(sku_id)s
          AND (%(before)s::bigint IS NULL OR revision < %(before)s::bigint)
        ORDER BY revision DESC LIMIT %(limit)s
        """,
        {"shop_id": shop_id, "sku_id": sku_id, "before": before, "limit": limit},
    )
    return [PriceChange(*row) for row in rows]


def offers(shop_id: ShopId, sku_ids: Collection[SkuId]) -> Query[dict[SkuId, Offer]]:
    """What these SKUs are offered for now; a SKU that the shop does not have is absent."""
    return Query(
        """
        SELECT sku.id, sku.product_id, product.title, sku.spec, sku.price_fen, sku.list_price_fen,
               sku.on_shelf AND product.on_shelf AND shop.state = 'open' AS on_shelf,
               product.category_id, category.parent_id
        FROM catalog.sku
        JOIN catalog.product ON product.shop_id = sku.shop_id AND product.id = sku.product_id
        JOIN catalog.shop ON shop.shop_id = sku.shop_id
        LEFT JOIN catalog.category ON category.id = product.category_id
        WHERE sku.shop_id = %s AND sku.id = ANY (%s::bigint[])
        """,
        (shop_id, int_array(sku_ids)),
        lambda rows: {row.id: Offer(*row) for row in rows},
    )


def listings(shop_id: ShopId, product_ids: Collection[ProductId]) -> Query[dict[ProductId, Listing]]:
    """How these products are listed now; a product that the shop does not have is absent."""
    return Query(
        """
        SELECT product.id, product.title, product.price_fen,
               product.on_shelf AND product.price_fen IS NOT NULL AND shop.state = 'open' AS on_shelf
        FROM catalog.product JOIN catalog.shop ON shop.shop_id = product.shop_id
        WHERE product.shop_id = %s AND product.id = ANY (%s::bigint[])
        """,
        (shop_id, int_array(product_ids)),
        lambda rows: {row.id: Listing(*row) for row in rows},
    )


def lowest_prices(
    shop_id: ShopId, sku_ids: Collection[SkuId], since: datetime, *, throughout: bool = False
) -> Query[dict[SkuId, Fen]]:
    """The lowest price that each SKU has had at any moment since then, the present one included.

    throughout: only of SKUs that have had a price all that time; one that is newer is absent.
    """
    return Query(
        """
        SELECT sku_id, min(price_fen) AS lowest_fen
        FROM (
            SELECT sku_id, price_fen, changed_at,
                   lead(changed_at) OVER (PARTITION BY sku_id ORDER BY revision) AS until
            FROM catalog.price_change WHERE shop_id = %(shop_id)s AND sku_id = ANY (%(sku_ids)s::bigint[])
        ) AS price
        WHERE until IS NULL OR until > %(since)s
        GROUP BY sku_id
        HAVING NOT %(throughout)s OR min(changed_at) <= %(since)s
        """,
        {"shop_id": shop_id, "sku_ids": int_array(sorted(sku_ids)), "since": since, "throughout": throughout},
        lambda rows: {row.sku_id: row.lowest_fen for row in rows},
    )


def availability_marked(shop_id: ShopId, in_stock: Mapping[SkuId, bool]) -> Query[None]:
    """Note which SKUs have sold out (False) or can be had again (True), for searches.

    The inventory asks this beside the change itself, with the SKUs' stock locked.
    """
    sku_ids = sorted(in_stock)
    return statement(
        """
        UPDATE catalog.sku SET in_stock = mark.in_stock
        FROM unnest(%s::bigint[], %s::boolean[]) AS mark (sku_id, in_stock)
        WHERE sku.shop_id = %s AND sku.id = mark.sku_id AND sku.in_stock <> mark.in_stock
        """,
        (int_array(sku_ids), text_array(in_stock[sku_id] for sku_id in sku_ids), shop_id),
    )


async def add_sold(tx: Transaction, shop_id: ShopId, quantities: Mapping[ProductId, int]) -> None:
    """Count pieces sold."""
    product_ids = sorted(quantities)
    await tx.together(
        products(shop_id, product_ids, lock=True),
        statement(
            """
            UPDATE catalog.product SET sold = product.sold + sale.quantity
            FROM unnest(%s::bigint[], %s::bigint[]) AS sale (product_id, quantity)
            WHERE product.shop_id = %s AND product.id = sale.product_id
            """,
            (int_array(product_ids), int_array(quantities[product_id] for product_id in product_ids), shop_id),
        ),
    )

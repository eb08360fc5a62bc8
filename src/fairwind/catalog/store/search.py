"""The SQL of searches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

from fairwind.catalog.grams import wanted_grams
from fairwind.catalog.product import PRICE_MAX_FEN, Product
from fairwind.catalog.search import Found, Search, Sort
from fairwind.catalog.store.products import PRODUCT
from fairwind.kernel import ProductId, ShopId, Transaction, text_array

# in_stock is an aggregate: an EXISTS would be answered for all products at once, by hashing every SKU there is.
_FOUND: LiteralString = """
SELECT product.shop_id, product.id, product.code, product.title, product.brief, product.brand, product.unit,
       product.category_id, product.on_shelf, product.price_fen, product.sold, product.created_at, product.updated_at,
       shop.name AS shop_name,
       coalesce((SELECT bool_or(sku.in_stock) FROM catalog.sku
                 WHERE sku.shop_id = product.shop_id AND sku.product_id = product.id AND sku.on_shelf),
                false) AS in_stock
FROM catalog.product
JOIN catalog.shop ON shop.shop_id = product.shop_id
WHERE product.on_shelf AND product.price_fen IS NOT NULL AND shop.state = 'open'
"""
_IN_SHOP: LiteralString = "AND product.shop_id = %(shop_id)s\n"
_IN_CATEGORY: LiteralString = """
AND product.category_id IN (SELECT id FROM catalog.category WHERE id = %(category_id)s OR parent_id = %(category_id)s)
"""
_OF_SKUS: LiteralString = """
AND EXISTS (
    SELECT FROM catalog.sku
    WHERE sku.shop_id = product.shop_id AND sku.product_id = product.id AND sku.on_shelf
      AND sku.price_fen >= %(price_min_fen)s AND sku.price_fen <= %(price_max_fen)s
      AND (sku.in_stock OR NOT %(in_stock)s))
"""
_WORDED: LiteralString = """
AND (product.shop_id, product.id) IN (
    SELECT wording.shop_id, wording.product_id FROM catalog.wording
    WHERE wording.grams @> %(grams)s::text[]
      AND NOT EXISTS (SELECT FROM unnest(%(words)s::text[]) AS word WHERE position(word IN wording.text) = 0))
"""
_ORDERS: dict[Sort, tuple[LiteralString, LiteralString, LiteralString]] = {
    Sort.SALES: ("product.sold", "<", "DESC"),
    Sort.NEWEST: ("product.created_at", "<", "DESC"),
    Sort.PRICE: ("product.price_fen", ">", "ASC"),
    Sort.PRICE_DOWN: ("product.price_fen", "<", "DESC"),
}
"""What is sorted by, how the next page compares with the last item of this one, and the direction."""


async def found(
    tx: Transaction, search: Search, after: tuple[Any, ShopId, ProductId] | None, limit: int
) -> list[Found]:
    """What the search finds, in its order, after the key `after`."""
    column, comparison, direction = _ORDERS[search.sort]
    sql = _FOUND
    if search.shop_id is not None:
        sql += _IN_SHOP
    if search.category_id is not None:
        sql += _IN_CATEGORY
    if search.of_skus:
        sql += _OF_SKUS
    if search.words:
        sql += _WORDED
    if after is not None:
        sql += f"AND ({column}, product.shop_id, product.id) {comparison} (%(value)s, %(after_shop)s, %(after_id)s)\n"
    sql += f"ORDER BY {column} {direction}, product.shop_id {direction}, product.id {direction} LIMIT %(limit)s"
    value, after_shop, after_id = after or (None, None, None)
    rows = await tx.rows(
        sql,
        {
            "shop_id": search.shop_id,
            "category_id": search.category_id,
            "price_min_fen": search.price_min_fen or 0,
            "price_max_fen": PRICE_MAX_FEN if search.price_max_fen is None else search.price_max_fen,
            "in_stock": search.in_stock,
            "words": text_array(search.words),
            "grams": text_array(wanted_grams(search.words)),
            "value": value,
            "after_shop": after_shop,
            "after_id": after_id,
            "limit": limit,
        },
    )
    return [Found(*row) for row in rows]


async def products_by_code_after(
    tx: Transaction, shop_id: ShopId, words: Sequence[str], after: str, limit: int
) -> list[Product]:
    """The shop's products, on the shelf or not, by code after `after`; with words, those that hold them all."""
    rows = await tx.rows(
        PRODUCT
        + "WHERE product.shop_id = %(shop_id)s AND product.code > %(after)s\n"
        + (_WORDED if words else "")
        + "ORDER BY product.code LIMIT %(limit)s",
        {
            "shop_id": shop_id,
            "after": after,
            "limit": limit,
            "words": text_array(words),
            "grams": text_array(wanted_grams(words)),
        },
    )
    return [Product(*row) for row in rows]

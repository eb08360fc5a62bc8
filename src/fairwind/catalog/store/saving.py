"""The SQL that saves what a batch changed: a few statements, however many items."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fairwind.catalog.assortment import Assortment
from fairwind.catalog.grams import grams, searched
from fairwind.catalog.product import Product, Sku
from fairwind.kernel import ProductId, Query, ShopId, Transaction, int_array, statement, text_array, time_array


async def save(tx: Transaction, assortment: Assortment) -> None:
    """Save what has changed in the assortment: a few statements, however many items."""
    new_products = [assortment.products[product_id] for product_id in sorted(assortment.new_products)]
    changed_products = [assortment.products[product_id] for product_id in sorted(assortment.changed_products)]
    new_skus = [assortment.skus[sku_id] for sku_id in sorted(assortment.new_skus)]
    changed_skus = [assortment.skus[sku_id] for sku_id in sorted(assortment.changed_skus)]
    touched = {sku.product_id for sku in (*new_skus, *changed_skus)} | assortment.cleared
    touched -= assortment.new_products  # whose lowest price goes in with them
    queries = [
        *(_products_added(assortment, new_products) if new_products else ()),
        *(_products_changed(assortment.shop_id, changed_products) if changed_products else ()),
        *(_skus_added(assortment, new_skus) if new_skus else ()),
        *(_skus_changed(assortment.shop_id, changed_skus) if changed_skus else ()),
        *(_cleared(assortment) if assortment.cleared else ()),
        *(_prices_noted(assortment) if assortment.prices else ()),
        *(_lowest_refreshed(assortment.shop_id, touched) if touched else ()),
    ]
    if queries:
        await tx.together(*queries)


def _products_added(assortment: Assortment, products: Sequence[Product]) -> list[Query[None]]:
    lowest = assortment.lowest_prices()
    texts = [searched(product.title, product.brand) for product in products]
    ids = int_array(product.id for product in products)
    return [
        statement(
            """
            INSERT INTO catalog.product
                (shop_id, id, code, title, brief, brand, unit, category_id, on_shelf, price_fen, created_at, updated_at)
            SELECT %s, id, code, title, brief, brand, unit, category_id, on_shelf, price_fen, %s, %s
            FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[],
                        %s::boolean[], %s::bigint[])
                 AS given (id, code, title, brief, brand, unit, category_id, on_shelf, price_fen)
            """,
            (
                assortment.shop_id,
                assortment.now,
                assortment.now,
                ids,
                text_array(product.code for product in products),
                *_words(products),
                text_array(product.on_shelf for product in products),
                text_array(lowest.get(product.id) for product in products),
            ),
        ),
        statement(
            """
            INSERT INTO catalog.wording (shop_id, product_id, text, grams)
            SELECT %s, product_id, text, string_to_array(grams, ' ')
            FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS given (product_id, text, grams)
            """,
            (assortment.shop_id, ids, text_array(texts), text_array(" ".join(grams(text)) for text in texts)),
        ),
    ]


def _products_changed(shop_id: ShopId, products: Sequence[Product]) -> list[Query[None]]:
    texts = [searched(product.title, product.brand) for product in products]
    ids = int_array(product.id for product in products)
    return [
        statement(
            """
            UPDATE catalog.product
            SET title = given.title, brief = given.brief, brand = given.brand, unit = given.unit,
                category_id = given.category_id, on_shelf = given.on_shelf, updated_at = given.updated_at
            FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::boolean[],
                        %s::timestamptz[])
                 AS given (id, title, brief, brand, unit, category_id, on_shelf, updated_at)
            WHERE product.shop_id = %s AND product.id = given.id
            """,
            (
                ids,
                *_words(products),
                text_array(product.on_shelf for product in products),
                time_array(product.updated_at for product in products),
                shop_id,
            ),
        ),
        statement(
            """
            UPDATE catalog.wording SET text = given.text, grams = string_to_array(given.grams, ' ')
            FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS given (product_id, text, grams)
            WHERE wording.shop_id = %s AND wording.product_id = given.product_id AND wording.text <> given.text
            """,
            (ids, text_array(texts), text_array(" ".join(grams(text)) for text in texts), shop_id),
        ),
    ]


def _words(products: Sequence[Product]) -> tuple[str, ...]:
    return (
        text_array(product.title for product in products),
        text_array(product.brief for product in products),
        text_array(product.brand for product in products),
        text_array(product.unit for product in products),
        text_array(product.category_id for product in products),
    )


def _skus_added(assortment: Assortment, skus: Sequence[Sku]) -> list[Query[None]]:
    return [
        statement(
            """
            INSERT INTO catalog.sku
                (shop_id, id, product_id, position, spec, price_fen, list_price_fen, price_revision, on_shelf,
                 created_at, updated_at)
            SELECT %s, id, product_id, position, spec, price_fen, list_price_fen, revision, on_shelf, %s, %s
            FROM unnest(%s::bigint[], %s::bigint[], %s::integer[], %s::text[], %s::bigint[], %s::bigint[],
                        %s::integer[], %s::boolean[])
                 AS given (id, product_id, position, spec, price_fen, list_price_fen, revision, on_shelf)
            """,
            (
                assortment.shop_id,
                assortment.now,
                assortment.now,
                int_array(sku.id for sku in skus),
                int_array(sku.product_id for sku in skus),
                int_array(sku.position for sku in skus),
                text_array(sku.spec for sku in skus),
                int_array(sku.price_fen for sku in skus),
                int_array(sku.list_price_fen for sku in skus),
                int_array(sku.price_revision for sku in skus),
                text_array(sku.on_shelf for sku in skus),
            ),
        )
    ]


def _skus_changed(shop_id: ShopId, skus: Sequence[Sku]) -> list[Query[None]]:
    return [
        statement(
            """
            UPDATE catalog.sku
            SET price_fen = given.price_fen, list_price_fen = given.list_price_fen,
                price_revision = given.revision, on_shelf = given.on_shelf, updated_at = given.updated_at
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::integer[], %s::boolean[], %s::timestamptz[])
                 AS given (id, price_fen, list_price_fen, revision, on_shelf, updated_at)
            WHERE sku.shop_id = %s AND sku.id = given.id
            """,
            (
                int_array(sku.id for sku in skus),
                int_array(sku.price_fen for sku in skus),
                int_array(sku.list_price_fen for sku in skus),
                int_array(sku.price_revision for sku in skus),
                text_array(sku.on_shelf for sku in skus),
                time_array(sku.updated_at for sku in skus),
                shop_id,
            ),
        )
    ]


def _cleared(assortment: Assortment) -> list[Query[None]]:
    """Take SKUs off the shelf that the assortment did not load, of products of which it offers only some."""
    return [
        statement(
            """
            UPDATE catalog.sku SET on_shelf = false, updated_at = greatest(updated_at, %s)
            WHERE shop_id = %s AND product_id = ANY (%s::bigint[]) AND on_shelf AND id <> ALL (%s::bigint[])
            """,
            (assortment.now, assortment.shop_id, int_array(assortment.cleared), int_array(assortment.skus)),
        )
    ]


def _prices_noted(assortment: Assortment) -> list[Query[None]]:
    return [
        statement(
            """
            INSERT INTO catalog.price_change (shop_id, sku_id, revision, price_fen, list_price_fen, changed_at)
            SELECT %s, sku_id, revision, price_fen, list_price_fen, %s
            FROM unnest(%s::bigint[], %s::integer[], %s::bigint[], %s::bigint[])
                 AS given (sku_id, revision, price_fen, list_price_fen)
            """,
            (
                assortment.shop_id,
                assortment.now,
                int_array(sku_id for sku_id, _ in assortment.prices),
                int_array(price.revision for _, price in assortment.prices),
                int_array(price.price_fen for _, price in assortment.prices),
                int_array(price.list_price_fen for _, price in assortment.prices),
            ),
        )
    ]


def _lowest_refreshed(shop_id: ShopId, product_ids: Collection[ProductId]) -> list[Query[None]]:
    return [
        statement(
            """
            UPDATE catalog.product SET price_fen = lowest.price_fen
            FROM (SELECT touched.id, min(sku.price_fen) AS price_fen
                  FROM unnest(%s::bigint[]) AS touched (id)
                  LEFT JOIN catalog.sku ON sku.shop_id = %s AND sku.product_id = touched.id AND sku.on_shelf
                  GROUP BY touched.id) AS lowest
            WHERE product.shop_id = %s AND product.id = lowest.id
              AND product.price_fen IS DISTINCT FROM lowest.price_fen
            """,
            (int_array(sorted(product_ids)), shop_id, shop_id),
        )
    ]

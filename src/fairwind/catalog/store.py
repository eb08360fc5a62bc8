"""The catalog's SQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fairwind.catalog.product import Listing, Offer
from fairwind.kernel import ProductId, Query, ShopId, SkuId, int_array, statement


def offers(shop_id: ShopId, sku_ids: Collection[SkuId]) -> Query[dict[SkuId, Offer]]:
    """What these SKUs are offered for now; a SKU that the shop does not have is absent."""
    return Query(
        """
        SELECT sku.id, sku.product_id, product.title, sku.spec, sku.price_fen, sku.list_price_fen,
               sku.on_shelf AND product.on_shelf AND shop.state = 'open' AS on_shelf
        FROM catalog.sku
        JOIN catalog.product ON product.shop_id = sku.shop_id AND product.id = sku.product_id
        JOIN catalog.shop ON shop.shop_id = sku.shop_id
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
        (int_array(sku_ids), "{" + ",".join("t" if in_stock[sku_id] else "f" for sku_id in sku_ids) + "}", shop_id),
    )

"""Products and their SKUs: what a shop offers, and on what terms it is offered now. Pure."""

from __future__ import annotations

import msgspec

from fairwind.kernel import Fen, ProductId, SkuId


class Offer(msgspec.Struct, frozen=True):
    """A SKU as it is offered at this moment.

    price_fen: what one costs. list_price_fen: what it is marked at, which may be lower. on_shelf: it can be bought,
    because SKU, product and shop are all open for sale; stock is the inventory's word.
    """

    sku_id: SkuId
    product_id: ProductId
    title: str
    spec: str
    price_fen: Fen
    list_price_fen: Fen
    on_shelf: bool


class Listing(msgspec.Struct, frozen=True):
    """A product as it is listed at this moment.

    price_fen: the lowest of its SKUs' prices, None when none is for sale. on_shelf: it can be bought, as in Offer.
    """

    product_id: ProductId
    title: str
    price_fen: Fen | None
    on_shelf: bool

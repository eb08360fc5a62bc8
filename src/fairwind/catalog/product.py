"""Products and their SKUs: what a shop offers, and on what terms it is offered now. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fairwind.catalog.texts import PLAIN_SPEC, Brand, Brief, Code, Spec, Title, Unit
from fairwind.kernel import CategoryId, Fen, ProductId, Refused, ShopId, SkuId
from fairwind.kernel.pages import BIGINT_MAX

PRICE_MAX_FEN = Fen(10_000_000_000)
"""100 million yuan: the schema's CHECKs say the same."""
STOCK_MAX = 1_000_000_000
SKUS_MAX = 1000
"""Most SKUs of one product, so that a product is read as a whole."""

PriceFen = Annotated[Fen, Meta(ge=1, le=PRICE_MAX_FEN)]
InCategory = Annotated[CategoryId, Meta(ge=1, le=BIGINT_MAX)] | None


class CodeTaken(Refused):
    """The shop has another product with this code."""

    code = "code_taken"
    status = 409


class SpecTaken(Refused):
    """The product has another SKU with this spec."""

    code = "spec_taken"
    status = 409


class TooManySkus(Refused):
    """The product has as many SKUs as a product may have."""

    code = "too_many_skus"
    status = 409


class Offer(msgspec.Struct, frozen=True):
    """A SKU as it is offered at this moment.

    price_fen: what one costs. list_price_fen: what it is marked at, which may be lower. on_shelf: it can be bought,
    because SKU, product and shop are all open for sale; stock is the inventory's word. parent_id: the category above
    category_id.
    """

    sku_id: SkuId
    product_id: ProductId
    title: str
    spec: str
    price_fen: Fen
    list_price_fen: Fen
    on_shelf: bool
    category_id: CategoryId | None = None
    parent_id: CategoryId | None = None


class Listing(msgspec.Struct, frozen=True):
    """A product as it is listed at this moment, for contexts that show goods of many shops.

    price_fen: the lowest of its SKUs' prices, None when none is for sale. on_shelf: it can be bought, as in Offer.
    """

    product_id: ProductId
    title: str
    price_fen: Fen | None
    on_shelf: bool


class Sku(msgspec.Struct, frozen=True):
    """One spec of a product. position: its place among them. price_revision: counts its prices from 1."""

    id: SkuId
    product_id: ProductId
    position: int
    spec: str
    price_fen: Fen
    list_price_fen: Fen
    price_revision: int
    on_shelf: bool
    in_stock: bool
    created_at: datetime
    updated_at: datetime


class Product(msgspec.Struct, frozen=True):
    """A product. price_fen: the lowest price among its SKUs on the shelf, null when none is. sold: pieces paid for."""

    shop_id: ShopId
    id: ProductId
    code: str
    title: str
    brief: str
    brand: str
    unit: str
    category_id: CategoryId | None
    on_shelf: bool
    price_fen: Fen | None
    sold: int
    created_at: datetime
    updated_at: datetime


class ProductWithSkus(Product, frozen=True):
    """A product and its SKUs, in their order."""

    skus: list[Sku]


class SkuDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A SKU to add. list_price_fen: what it is marked at; the price when absent. stock: the first stock."""

    spec: Spec = PLAIN_SPEC
    price_fen: PriceFen
    list_price_fen: PriceFen | None = None
    on_shelf: bool = True
    stock: Annotated[int, Meta(ge=0, le=STOCK_MAX)] = 0


class ProductDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A product to add, with its SKUs. Its code makes it one: sent again, the same draft adds nothing."""

    code: Code
    title: Title
    brief: Brief = ""
    brand: Brand = ""
    unit: Unit = ""
    category_id: InCategory = None
    on_shelf: bool = True
    skus: Annotated[list[SkuDraft], Meta(min_length=1, max_length=SKUS_MAX)]


class ProductChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a product is to be called from now on; absent fields stay as they are."""

    title: Title | UnsetType = UNSET
    brief: Brief | UnsetType = UNSET
    brand: Brand | UnsetType = UNSET
    unit: Unit | UnsetType = UNSET
    category_id: InCategory | UnsetType = UNSET


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a SKU costs from now on; list_price_fen is the price when absent. Placed orders keep their price."""

    price_fen: PriceFen
    list_price_fen: PriceFen | None = None


class PriceChange(msgspec.Struct, frozen=True):
    """A price that a SKU has had since changed_at."""

    revision: int
    price_fen: Fen
    list_price_fen: Fen
    changed_at: datetime

"""What a buyer may ask of a search, and how its answers are ordered. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from fairwind.catalog.product import PRICE_MAX_FEN, Product
from fairwind.kernel import CategoryId, Fen, ProductId, ShopId

Query = Annotated[
    str, Meta(max_length=100, description="Words, or parts of them, that title or brand hold, all of them")
]
PriceBound = Annotated[Fen, Meta(ge=0, le=PRICE_MAX_FEN)]


class Sort(StrEnum):
    """What comes first; what is equal in it keeps one order, so that pages neither repeat nor skip."""

    SALES = "sales"
    """What was sold most."""
    NEWEST = "newest"
    PRICE = "price"
    """What costs least."""
    PRICE_DOWN = "price-down"


class Found(Product, frozen=True):
    """A product as a search finds it. in_stock: at least one SKU on the shelf can be had."""

    shop_name: str
    in_stock: bool


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """A search among what is on the shelf. Price and stock are met by one and the same SKU."""

    words: list[str] = []
    shop_id: ShopId | None = None
    category_id: CategoryId | None = None
    """With its children."""
    price_min_fen: Fen | None = None
    price_max_fen: Fen | None = None
    in_stock: bool = False
    sort: Sort = Sort.SALES

    @property
    def of_skus(self) -> bool:
        """Whether a product's SKUs decide."""
        return self.in_stock or self.price_min_fen is not None or self.price_max_fen is not None

    def key(self, found: Found) -> tuple[Any, ShopId, ProductId]:
        """Where an answer stands in the order."""
        return (_VALUES[self.sort](found), found.shop_id, found.id)

    @property
    def key_shape(self) -> Any:
        value = datetime if self.sort is Sort.NEWEST else int
        return tuple[value, int, int]  # type: ignore[valid-type]


_VALUES = {
    Sort.SALES: lambda found: found.sold,
    Sort.NEWEST: lambda found: found.created_at,
    Sort.PRICE: lambda found: found.price_fen,
    Sort.PRICE_DOWN: lambda found: found.price_fen,
}

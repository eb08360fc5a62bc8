"""The goods pool 选品池: what creators may look for, and in which order they find it. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from fairwind.kernel import PPM_WHOLE, CategoryId, Fen, Ppm, ProductId, ShopId

Words = Annotated[
    str, Meta(max_length=100, description="Words, or parts of them, that title or brand hold, all of them")
]
PpmBound = Annotated[Ppm, Meta(ge=0, le=PPM_WHOLE)]
FenBound = Annotated[Fen, Meta(ge=0, le=10_000_000_000)]
QuantityBound = Annotated[int, Meta(ge=0, le=10**12)]


class Sort(StrEnum):
    """What comes first; what is equal in it keeps one order, so that pages neither repeat nor skip."""

    RATE = "rate"
    """The highest commission rate."""
    EARNING = "earning"
    """What earns most per piece."""
    SALES = "sales"
    """What was sold most."""
    RETURNS = "returns"
    """What came back least."""
    PRICE = "price"
    """What costs least."""
    PRICE_DOWN = "price-down"


class Pooled(msgspec.Struct, frozen=True):
    """A product in the pool.

    public_ppm: the best rate that any creator may have, before steps. activity_id: the activity to pick it through for
    that rate, null for the ordinary plan's. earning_fen: what one piece at price_fen, the lowest of its SKUs', earns
    then after the platform's share. return_rate_ppm: of the pieces sold, those that came back.
    """

    shop_id: ShopId
    product_id: ProductId
    title: str
    shop_name: str
    category_id: CategoryId | None
    price_fen: Fen
    public_ppm: Ppm
    activity_id: UUID | None
    earning_fen: Fen
    sold_quantity: int
    return_rate_ppm: Ppm


class PoolSearch(msgspec.Struct, frozen=True, kw_only=True):
    """A search among goods that are on the shelf and that any creator may earn by."""

    words: list[str] = []
    shop_id: ShopId | None = None
    product_id: ProductId | None = None
    category_id: CategoryId | None = None
    """With its children."""
    activity_id: UUID | None = None
    """Only goods of this activity."""
    rate_min_ppm: Ppm | None = None
    price_min_fen: Fen | None = None
    price_max_fen: Fen | None = None
    sold_min_quantity: int | None = None
    return_rate_max_ppm: Ppm | None = None
    sort: Sort = Sort.RATE

    def key(self, found: Pooled) -> tuple[int, ShopId, ProductId]:
        """Where an answer stands in the order."""
        return (_VALUES[self.sort](found), found.shop_id, found.product_id)


_VALUES: dict[Sort, Any] = {
    Sort.RATE: lambda found: found.public_ppm,
    Sort.EARNING: lambda found: found.earning_fen,
    Sort.SALES: lambda found: found.sold_quantity,
    Sort.RETURNS: lambda found: found.return_rate_ppm,
    Sort.PRICE: lambda found: found.price_fen,
    Sort.PRICE_DOWN: lambda found: found.price_fen,
}

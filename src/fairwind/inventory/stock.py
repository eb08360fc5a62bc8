"""Stock: what is there, what is held, and who may have it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta

from fairwind.kernel import NotFound, OrderId, PersonId, Refused, SkuId

QUANTITY_MAX = 1_000_000_000
Quantity = Annotated[int, Meta(ge=1, le=9999)]
"""How many of one SKU an order may ask for."""


class OutOfStock(Refused):
    """Fewer are left than were asked for."""

    code = "out_of_stock"
    status = 409


class OverBuyerLimit(Refused):
    """The buyer would have more of a SKU than each buyer may."""

    code = "over_buyer_limit"
    status = 409


class StockTooLow(Refused):
    """The adjustment would take away what is held or sold."""

    code = "stock_too_low"
    status = 409


class Stock(msgspec.Struct, frozen=True):
    """What a shop has of a SKU. available = adjusted − sold − held."""

    sku_id: SkuId
    adjusted_quantity: int
    sold_quantity: int
    held_quantity: int
    buyer_limit: int | None

    @property
    def available(self) -> int:
        return self.adjusted_quantity - self.sold_quantity - self.held_quantity


class AdjustmentDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of a SKU's stock: positive for goods that came, negative for goods that went."""

    id: UUID
    quantity: Annotated[int, Meta(ge=-QUANTITY_MAX, le=QUANTITY_MAX)]
    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class Adjustment(msgspec.Struct, frozen=True):
    """A change of stock that was made. person_id is None for what the platform did by itself."""

    id: UUID
    sku_id: SkuId
    quantity: int
    reason: str
    person_id: PersonId | None
    made_at: datetime


class Hold(msgspec.Struct, frozen=True):
    """Stock kept for an unpaid order."""

    order_id: OrderId
    sku_id: SkuId
    quantity: int


class Goods(NamedTuple):
    """What an order takes or gives back: quantities by SKU, whose it is, and which of it counts towards a limit."""

    quantities: Mapping[SkuId, int]
    buyer_id: PersonId
    limited: Collection[SkuId]


@dataclass
class Shelf:
    """The stock that a batch works on: each item takes from what the items before it left.

    stock: locked rows by SKU. bought: what buyers have already of SKUs with a limit.
    The changes it collects (by SKU, and by SKU and buyer) are saved once for the whole batch.
    """

    stock: Mapping[SkuId, Stock]
    bought: dict[tuple[SkuId, PersonId], int] = field(default_factory=dict)
    held: dict[SkuId, int] = field(default_factory=lambda: defaultdict(int))
    sold: dict[SkuId, int] = field(default_factory=lambda: defaultdict(int))
    bought_more: dict[tuple[SkuId, PersonId], int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        self._limited = frozenset(sku_id for sku_id, row in self.stock.items() if row.buyer_limit is not None)

    def available(self, sku_id: SkuId) -> int:
        return self.stock[sku_id].available - self.held[sku_id] - self.sold[sku_id]

    def refusal(self, wanted: Mapping[SkuId, int], buyer_id: PersonId) -> Refused | None:
        """Why the buyer cannot have all of wanted, or None."""
        for sku_id, quantity in wanted.items():
            stock = self.stock.get(sku_id)
            if stock is None:
                return NotFound(f"SKU {sku_id} is not sold here", sku_id=sku_id)
            left = self.available(sku_id)
            if quantity > left:
                return OutOfStock(
                    f"only {left} of SKU {sku_id} left; order fewer"
                    if left
                    else f"SKU {sku_id} is sold out; leave it out",
                    sku_id=sku_id,
                    available=left,
                )
            if stock.buyer_limit is not None:
                mine = self.bought.get((sku_id, buyer_id), 0) + self.bought_more[sku_id, buyer_id]
                if mine + quantity > stock.buyer_limit:
                    return OverBuyerLimit(
                        f"each buyer may have {stock.buyer_limit} of SKU {sku_id}, and you have {mine}; order fewer",
                        sku_id=sku_id,
                        buyer_limit=stock.buyer_limit,
                    )
        return None

    def limited(self, wanted: Collection[SkuId]) -> frozenset[SkuId]:
        """Which of wanted have a limit per buyer, so that what an order takes of them is counted."""
        return self._limited.intersection(wanted)

    def hold(self, goods: Goods) -> None:
        """Keep goods for an unpaid order; `refusal` was None."""
        for sku_id, quantity in goods.quantities.items():
            self.held[sku_id] += quantity
        self._count(goods, +1)

    def release(self, goods: Goods) -> None:
        """Give a hold back."""
        for sku_id, quantity in goods.quantities.items():
            self.held[sku_id] -= quantity
        self._count(goods, -1)

    def take(self, goods: Goods) -> None:
        """Turn a hold into a sale."""
        for sku_id, quantity in goods.quantities.items():
            self.held[sku_id] -= quantity
            self.sold[sku_id] += quantity

    def put_back(self, goods: Goods) -> None:
        """Goods sold before are for sale again."""
        for sku_id, quantity in goods.quantities.items():
            self.sold[sku_id] -= quantity
        self._count(goods, -1)

    def crossed(self) -> dict[SkuId, bool]:
        """SKUs that sold out (False) or are available again (True) through this batch."""
        return {
            sku_id: self.available(sku_id) > 0
            for sku_id, stock in self.stock.items()
            if (stock.available > 0) != (self.available(sku_id) > 0)
        }

    def _count(self, goods: Goods, sign: int) -> None:
        for sku_id in goods.limited:
            self.bought_more[sku_id, goods.buyer_id] += sign * goods.quantities[sku_id]

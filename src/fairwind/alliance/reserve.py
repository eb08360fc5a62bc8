"""Stock kept for creators outside the head 中腰部预留库存: one big room does not sell out the small ones. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import msgspec

from fairwind.kernel import ProductId, Refused, SkuId


class ReserveTooLarge(Refused):
    """More would be kept than is there, or less than was sold of it already."""

    code = "reserve_out_of_bounds"
    status = 409


class NotPromised(Refused):
    """The product has no plan."""

    code = "not_promised"
    status = 409


class Reserve(msgspec.Struct, frozen=True):
    """What is kept of a SKU: kept_quantity in all, of which sold_quantity is held by orders or sold.

    over: the product's plans have ended, so that nothing is kept any more; what was sold of it may still come back.
    """

    sku_id: SkuId
    product_id: ProductId
    kept_quantity: int
    sold_quantity: int
    over: bool = False

    @property
    def left(self) -> int:
        return 0 if self.over else self.kept_quantity - self.sold_quantity


class Reserves:
    """What is kept of the SKUs that a batch works on, locked; for others `left` of the available stock is not there."""

    __slots__ = ("_reserves", "changes")

    def __init__(self, reserves: Mapping[SkuId, Reserve]) -> None:
        self._reserves = reserves
        self.changes: dict[SkuId, int] = defaultdict(int)
        """By how many pieces sold_quantity changes, by SKU."""

    def __bool__(self) -> bool:
        """Whether anything is kept or was sold of what is kept."""
        return bool(self._reserves)

    def left(self, sku_id: SkuId) -> int:
        """How many pieces are kept and not sold yet; 0 for a SKU of which nothing is kept."""
        reserve = self._reserves.get(sku_id)
        return 0 if reserve is None or reserve.over else reserve.left - self.changes.get(sku_id, 0)

    def take(self, sku_id: SkuId, quantity: int) -> int:
        """Sell quantity to a buyer of a creator outside the head; answers how many came from what is kept."""
        assert quantity >= 0
        taken = min(quantity, self.left(sku_id))
        if taken:
            self.changes[sku_id] += taken
        return taken

    def give_back(self, sku_id: SkuId, quantity: int) -> None:
        """Take back what an order took from what is kept, because it was cancelled or its goods came back.

        Of goods that come back those are last that it took from what is kept.
        """
        assert quantity >= 0
        if quantity:
            assert quantity <= self._reserves[sku_id].sold_quantity + self.changes.get(sku_id, 0)
            self.changes[sku_id] -= quantity


def keep(reserve: Reserve, kept_quantity: int, available: int) -> Reserve | ReserveTooLarge:
    """The reserve with kept_quantity in all, the pieces sold of it included; available: the SKU's stock."""
    if kept_quantity < reserve.sold_quantity:
        return ReserveTooLarge(
            f"kept_quantity: {reserve.sold_quantity} of what is kept are sold; keep at least so many",
            sold_quantity=reserve.sold_quantity,
        )
    if kept_quantity - reserve.sold_quantity > max(available, reserve.left):
        return ReserveTooLarge(
            f"kept_quantity: only {available} are available beside the {reserve.sold_quantity} sold of what is kept",
            available=available,
        )
    return msgspec.structs.replace(reserve, kept_quantity=kept_quantity, over=False)

"""The inventory as the rest of the platform meets it: gates for changes, and reads."""

from __future__ import annotations

from fairwind.inventory import store
from fairwind.inventory.commands import Adjusting, adjust, set_buyer_limit
from fairwind.inventory.stock import Adjustment, AdjustmentDraft, Stock
from fairwind.kernel import NotFound, PersonId, Platform, ShopId, SkuId
from fairwind.kernel.pages import Before


class Inventory:
    """Stock of all shops."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._adjusting = platform.gate("adjust_stock", adjust)

    async def adjust(self, shop_id: ShopId, sku_id: SkuId, draft: AdjustmentDraft, person_id: PersonId) -> Adjustment:
        return await self._adjusting(shop_id, Adjusting(sku_id, draft, person_id))

    async def set_buyer_limit(self, shop_id: ShopId, sku_id: SkuId, buyer_limit: int | None) -> Stock:
        return await self._platform.database.run(lambda tx: set_buyer_limit(tx, shop_id, sku_id, buyer_limit))

    async def stock(self, shop_id: ShopId, sku_id: SkuId) -> Stock:
        async with self._platform.database.transaction() as tx:
            found = (await store.stock_of(tx, shop_id, {sku_id})).get(sku_id)
        if found is None:
            raise NotFound(f"shop {shop_id} has no SKU {sku_id}")
        return found

    async def stock_page(self, shop_id: ShopId, after: SkuId, limit: int) -> list[Stock]:
        async with self._platform.database.transaction() as tx:
            return await store.stock_page(tx, shop_id, after, limit)

    async def adjustments(self, shop_id: ShopId, sku_id: SkuId, before: Before, limit: int) -> list[Adjustment]:
        async with self._platform.database.transaction() as tx:
            return await store.adjustments_page(tx, shop_id, sku_id, before, limit)

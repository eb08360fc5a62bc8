"""What the inventory adds to the app."""

from __future__ import annotations

from collections.abc import Collection

from fairwind.catalog import Stockroom
from fairwind.inventory.commands import add_stock
from fairwind.inventory.inventory import Inventory
from fairwind.inventory.routes import HANDLERS
from fairwind.inventory.store import stock_of
from fairwind.kernel import Platform, ShopId, SkuId, Transaction, Wiring


def wire(platform: Platform) -> Wiring:
    platform.provided["catalog"].stockroom = Stockroom(add_stock, _available)
    return Wiring(handlers=HANDLERS, provides={"inventory": Inventory(platform)})


async def _available(tx: Transaction, shop_id: ShopId, sku_ids: Collection[SkuId]) -> dict[SkuId, int]:
    return {sku_id: stock.available for sku_id, stock in (await stock_of(tx, shop_id, sku_ids)).items()}

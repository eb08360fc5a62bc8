"""Stock over HTTP; for a shop's members only."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import get, post, put
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from fairwind.identity import Access, Caller
from fairwind.inventory.inventory import Inventory
from fairwind.inventory.stock import Adjustment, AdjustmentDraft, Stock, StockTooLow
from fairwind.kernel import IdReused, Invalid, NotFound, ShopId, SkuId
from fairwind.kernel.pages import Cursor, Limit, Page, page, read_before, read_cursor


class StockView(msgspec.Struct, frozen=True):
    """What a shop has of a SKU; available = adjusted − sold − held."""

    sku_id: SkuId
    available_quantity: int
    adjusted_quantity: int
    sold_quantity: int
    held_quantity: int
    buyer_limit: int | None


class BuyerLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many each buyer may have from now on; null lifts the limit."""

    buyer_limit: Annotated[int, Meta(ge=1, le=1_000_000)] | None


def _view(stock: Stock) -> StockView:
    return StockView(
        stock.sku_id,
        stock.available,
        stock.adjusted_quantity,
        stock.sold_quantity,
        stock.held_quantity,
        stock.buyer_limit,
    )


@get("/shops/{shop_id:int}/stock", opt={"access": Access.SHOP_MEMBER})
async def list_stock(
    shop_id: FromPath[ShopId],
    inventory: Inventory,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 50,
) -> Page[StockView]:
    """The shop's stock, by SKU id."""
    found = await inventory.stock_page(shop_id, read_cursor(cursor, SkuId) or SkuId(0), limit + 1)
    return page([_view(stock) for stock in found], limit, lambda stock: stock.sku_id)


@get("/shops/{shop_id:int}/skus/{sku_id:int}/stock", opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound]})
async def get_stock(shop_id: FromPath[ShopId], sku_id: FromPath[SkuId], inventory: Inventory) -> StockView:
    """What the shop has of a SKU."""
    return _view(await inventory.stock(shop_id, sku_id))


@post(
    "/shops/{shop_id:int}/skus/{sku_id:int}/stock-adjustments",
    opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound, StockTooLow, IdReused, Invalid]},
)
async def adjust_stock(
    shop_id: FromPath[ShopId],
    sku_id: FromPath[SkuId],
    data: JSONBody[AdjustmentDraft],
    caller: Caller,
    inventory: Inventory,
) -> Adjustment:
    """Add goods that came or take goods that went, with the reason. What is sold or held cannot be taken away."""
    if data.quantity == 0:
        raise Invalid("quantity must not be 0")
    return await inventory.adjust(shop_id, sku_id, data, caller.person)


@get("/shops/{shop_id:int}/skus/{sku_id:int}/stock-adjustments", opt={"access": Access.SHOP_MEMBER})
async def list_adjustments(
    shop_id: FromPath[ShopId],
    sku_id: FromPath[SkuId],
    inventory: Inventory,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 50,
) -> Page[Adjustment]:
    """Why the SKU's stock is what it is, newest first."""
    found = await inventory.adjustments(shop_id, sku_id, read_before(cursor), limit + 1)
    return page(found, limit, lambda adjustment: (adjustment.made_at, adjustment.id))


@put("/shops/{shop_id:int}/skus/{sku_id:int}/buyer-limit", opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound]})
async def put_buyer_limit(
    shop_id: FromPath[ShopId], sku_id: FromPath[SkuId], data: JSONBody[BuyerLimit], inventory: Inventory
) -> StockView:
    """Limit how many each buyer may have. Counting begins when the limit is set."""
    return _view(await inventory.set_buyer_limit(shop_id, sku_id, data.buyer_limit))


HANDLERS = (list_stock, get_stock, adjust_stock, list_adjustments, put_buyer_limit)

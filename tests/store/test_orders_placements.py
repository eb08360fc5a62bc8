"""What an order says of where it was bought: only what was really shown, and not long after."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from fairwind.content import Placement, Placements
from fairwind.kernel import Database, LiveSessionId, PersonId, Platform, Settings, ShiftedClock, ShopId, uuid7
from fairwind.orders import Orders
from fairwind.orders.orders import PlacementElsewhere, PlacementExpired
from fairwind.orders.pricing import PlacementMismatch
from market import BUYER, open_shop, placing


async def test_a_placement_is_taken_for_its_own_goods_and_while_it_is_fresh(database: Database) -> None:
    clock = ShiftedClock()
    placements = Placements(database)
    orders = Orders(Platform(database, clock, Settings(placement_ttl_s=3600)), None, placements)  # type: ignore[arg-type]
    shop = await open_shop(database, 10)
    product_id = (await orders.place(shop.id, placing((shop.sku_id, 1)).draft, BUYER)).lines[0].product_id
    shown = Placement(LiveSessionId(uuid7(clock.now())), shop.id, product_id, PersonId(77), clock.now())

    async def order(placement: Placement) -> PersonId | None:
        draft = placing((shop.sku_id, 1)).draft
        line = replace(draft.lines[0], placement=await placements.sign(placement))
        return (await orders.place(shop.id, replace(draft, lines=(line,)), BUYER)).lines[0].creator_id

    assert await order(shown) == 77
    with pytest.raises(PlacementElsewhere):
        await order(replace(shown, shop_id=ShopId(shop.id + 1)))
    with pytest.raises(PlacementMismatch):
        await order(replace(shown, product_id=product_id + 1))
    clock.advance(timedelta(hours=1))
    with pytest.raises(PlacementExpired):
        await order(shown)

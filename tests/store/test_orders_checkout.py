"""A checkout over several shops: all of its orders or none, however often it is asked for."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fairwind.inventory import AdjustmentDraft, OutOfStock, stock_of
from fairwind.inventory.commands import Adjusting, adjust
from fairwind.kernel import Busy, Database, IdReused, Platform, Settings, ShiftedClock, uuid7
from fairwind.orders import Order, Orders, Placing, State
from fairwind.orders.orders import ShopOrderDraft
from fairwind.orders.states import WrongState
from market import BUYER, NOW, Shop, open_shop, placing


@pytest.fixture
async def orders(database: Database) -> Orders:
    return Orders(Platform(database, ShiftedClock(), Settings()), None, None)  # type: ignore[arg-type]


@pytest.fixture
async def shops(database: Database) -> tuple[Shop, Shop]:
    """One shop with goods, and one that has a single piece."""
    return await open_shop(database, 10), await open_shop(database, 1)


def wanted(shop: Shop, quantity: int = 1) -> ShopOrderDraft:
    return ShopOrderDraft(shop.id, placing((shop.sku_id, quantity)).draft)


async def left(database: Database, shop: Shop) -> int:
    async with database.transaction() as tx:
        return (await stock_of(tx, shop.id, {shop.sku_id}))[shop.sku_id].available


async def states(orders: Orders, *drafts: ShopOrderDraft) -> list[State]:
    return [(await orders.order(draft.shop_id, draft.order.id, BUYER)).state for draft in drafts]


async def test_asked_again_a_checkout_answers_the_same_orders(
    database: Database, orders: Orders, shops: tuple[Shop, Shop]
) -> None:
    drafts = [wanted(shop) for shop in shops]

    placed = await orders.check_out(drafts, BUYER)

    assert [order.state for order in placed] == [State.PLACED, State.PLACED]
    assert await orders.check_out(drafts, BUYER) == placed
    assert [await left(database, shop) for shop in shops] == [9, 0]


async def test_when_a_shop_refuses_nothing_stays_placed_and_a_repetition_places_nothing(
    database: Database, orders: Orders, shops: tuple[Shop, Shop]
) -> None:
    plenty, scarce = shops
    drafts = [wanted(plenty), wanted(scarce, 2)]
    with pytest.raises(OutOfStock):
        await orders.check_out(drafts, BUYER)
    assert await states(orders, drafts[0]) == [State.CANCELLED]

    more = Adjusting(scarce.sku_id, AdjustmentDraft(uuid7(NOW), 5, "a delivery"), BUYER)
    await database.run(lambda tx: adjust(tx, scarce.id, [more], NOW))
    with pytest.raises(WrongState, match="new order ids"):
        await orders.check_out(drafts, BUYER)

    assert [await left(database, shop) for shop in shops] == [10, 6]


async def test_a_repetition_with_other_content_leaves_the_orders_alone(
    orders: Orders, shops: tuple[Shop, Shop]
) -> None:
    first, second = (wanted(shop) for shop in shops)
    await orders.check_out([first, second], BUYER)
    other = replace(second, order=replace(second.order, note="as a present, please"))

    with pytest.raises(IdReused):
        await orders.check_out([first, other], BUYER)

    assert await states(orders, first, second) == [State.PLACED, State.PLACED]


async def test_what_passes_undoes_nothing_and_asked_again_the_checkout_goes_on(
    orders: Orders, shops: tuple[Shop, Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (wanted(shop) for shop in shops)
    placing_gate = orders.placing

    async def busy(shop_id: int, item: Placing) -> Order:
        if shop_id == second.shop_id:
            raise Busy("too many requests are waiting; try again in a second")
        return await placing_gate(first.shop_id, item)

    monkeypatch.setattr(orders, "placing", busy)
    with pytest.raises(Busy):
        await orders.check_out([first, second], BUYER)
    monkeypatch.undo()
    assert await states(orders, first) == [State.PLACED]

    assert [order.state for order in await orders.check_out([first, second], BUYER)] == [State.PLACED, State.PLACED]

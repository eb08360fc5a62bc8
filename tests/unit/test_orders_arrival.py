"""Money that arrives: it pays its order, buys a lapsed one anew, or goes back in full."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fairwind.alliance import Reserves
from fairwind.alliance.reserve import Reserve
from fairwind.inventory import Shelf, Stock
from fairwind.kernel import Fen, ProductId, ShopId, SkuId
from fairwind.orders import Order, State
from fairwind.orders.order import Line
from fairwind.orders.payment import Arrival, Stray, arrive, goods_of
from fairwind.policy import purse_of
from market import ADDRESS, BUYER, NOW, order_id, payment_id, refund_id

SKU = SkuId(1)
STRAY = refund_id()


def order(state: State, *, cancel_reason: str | None = None, quantity: int = 2, limited: bool = False) -> Order:
    line = Line(1, SKU, ProductId(1), "伞", "蓝", quantity, Fen(100), Fen(100), Fen(100 * quantity), limited=limited)
    return Order(
        shop_id=ShopId(1),
        id=order_id(),
        buyer_id=BUYER,
        state=state,
        lines=(line,),
        goods_fen=line.goods_fen,
        freight_fen=Fen(7),
        total_fen=Fen(line.goods_fen + 7),
        refunded_fen=Fen(0),
        refunded_freight_fen=Fen(0),
        address=ADDRESS,
        note="",
        placed_at=NOW,
        expires_at=NOW,
        closed_at=NOW if state == State.CANCELLED else None,
        cancel_reason=cancel_reason,  # type: ignore[arg-type]
    )


def shelf(left: int, *, held: int = 0, limit: int | None = None, mine: int = 0) -> Shelf:
    return Shelf({SKU: Stock(SKU, left + held, 0, held, limit)}, bought={(SKU, BUYER): mine} if mine else {})


def money(order: Order) -> Arrival:
    return Arrival(order.id, ShopId(1), payment_id(), order.total_fen)


def arriving(order: Order, arrival: Arrival, shelf: Shelf) -> Order | Stray:
    return arrive(order, arrival, shelf, purse_of(ShopId(1), []), Reserves({}), STRAY, NOW)


def test_money_in_time_takes_what_was_held() -> None:
    placed, stock = order(State.PLACED), shelf(0, held=2)
    arrival = money(placed)
    paid = arriving(placed, arrival, stock)
    assert isinstance(paid, Order)
    assert (paid.state, paid.paid_at, paid.payment_id) == (State.PAID, NOW, arrival.payment_id)
    assert (stock.held[SKU], stock.sold[SKU], stock.available(SKU)) == (-2, 2, 0)


def test_late_money_still_buys_what_is_left() -> None:
    lapsed, stock = order(State.CANCELLED, cancel_reason="timeout", limited=True), shelf(2, limit=2)
    paid = arriving(lapsed, money(lapsed), stock)
    assert isinstance(paid, Order)
    assert (paid.state, paid.cancel_reason, paid.closed_at) == (State.PAID, None, None)
    assert (stock.held[SKU], stock.sold[SKU], stock.available(SKU)) == (0, 2, 0)
    assert stock.bought_more[SKU, BUYER] == 2


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        (order(State.CANCELLED, cancel_reason="timeout", quantity=3), "sold_out"),
        (order(State.CANCELLED, cancel_reason="buyer"), "cancelled"),
        *((order(state), "paid_twice") for state in State if state not in (State.PLACED, State.CANCELLED)),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.state}",
)
def test_money_that_the_order_cannot_take_goes_back_in_full(there: Order, reason: str) -> None:
    stock, arrival = shelf(2), money(there)
    stray = arriving(there, arrival, stock)
    assert stray == Stray(STRAY, there.id, ShopId(1), arrival.payment_id, there.total_fen, reason)  # type: ignore[arg-type]
    assert not any(stock.held.values())
    assert not any(stock.sold.values())


def test_late_money_does_not_break_a_buyers_limit() -> None:
    lapsed = order(State.CANCELLED, cancel_reason="timeout", limited=True)
    assert isinstance(arriving(lapsed, money(lapsed), shelf(9, limit=2, mine=1)), Stray)


@pytest.mark.parametrize(("kept_left", "taken"), [(5, 2), (1, 1), (0, 0)])
def test_late_money_has_of_the_kept_stock_what_others_left_of_it(kept_left: int, taken: int) -> None:
    lapsed = order(State.CANCELLED, cancel_reason="timeout")
    lapsed = replace(lapsed, lines=(replace(lapsed.lines[0], reserved_quantity=2),))
    reserves = Reserves({SKU: Reserve(SKU, ProductId(1), 5, 5 - kept_left)})
    paid = arrive(lapsed, money(lapsed), shelf(9), purse_of(ShopId(1), []), reserves, STRAY, NOW)
    assert isinstance(paid, Order)
    assert paid.lines[0].reserved_quantity == reserves.changes.get(SKU, 0) == taken


def test_an_arrival_is_for_the_orders_own_total() -> None:
    placed = order(State.PLACED)
    with pytest.raises(AssertionError):
        arriving(placed, Arrival(placed.id, ShopId(1), payment_id(), Fen(1)), shelf(2))


def test_an_order_takes_each_sku_once_and_counts_what_was_limited() -> None:
    goods = goods_of(order(State.PLACED, limited=True))
    assert goods.quantities == {SKU: 2}
    assert goods.buyer_id == BUYER
    assert set(goods.limited) == {SKU}

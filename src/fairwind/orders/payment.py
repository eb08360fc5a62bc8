"""What money does to the order it was paid for. Pure.

A payment that arrives is never lost: it pays its order; when it is late it still does, while the goods last; and when
the order cannot take it, it is a stray that goes back in full at once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from fairwind.alliance import Reserves
from fairwind.inventory import Goods, Shelf
from fairwind.kernel import Fen, OrderId, PaymentId, RefundId, ShopId
from fairwind.orders.order import Line, Order, summed
from fairwind.orders.states import TRANSITIONS, Action, State, after
from fairwind.policy import Purse

StrayReason = Literal["cancelled", "sold_out", "paid_twice", "subsidy_over"]


class Arrival(msgspec.Struct, frozen=True):
    """Money that came for an order."""

    order_id: OrderId
    payment_shop_id: ShopId
    payment_id: PaymentId
    amount_fen: Fen


class Stray(msgspec.Struct, frozen=True):
    """Money that its order could not take, on its way back under its own refund id."""

    id: RefundId
    order_id: OrderId
    payment_shop_id: ShopId
    payment_id: PaymentId
    amount_fen: Fen
    reason: StrayReason


def goods_of(order: Order) -> Goods:
    """What the order takes from the shelf."""
    return Goods(order.quantities, order.buyer_id, order.limited)


def arrive(
    order: Order, arrival: Arrival, shelf: Shelf, purse: Purse, reserves: Reserves, stray_id: RefundId, now: datetime
) -> Order | Stray:
    """The paid order, its goods taken from the shelf; or the stray that goes back.

    A cancelled order takes its goods and its subsidies anew, while both last and the campaigns run.
    """
    assert arrival.amount_fen == order.total_fen, "a payment is made for what its order costs"
    reason = _cannot_take(order, shelf, purse, reserves)
    if reason is not None:
        return Stray(stray_id, order.id, arrival.payment_shop_id, arrival.payment_id, arrival.amount_fen, reason)
    goods = goods_of(order)
    if order.state == State.CANCELLED:
        shelf.hold(goods)
        order = replace(order, lines=tuple([_reserved_anew(line, reserves) for line in order.lines]))
    shelf.take(goods)
    state = after(TRANSITIONS, order.state, Action.PAY)
    assert isinstance(state, State)
    return replace(
        order,
        state=state,
        paid_at=now,
        payment_shop_id=arrival.payment_shop_id,
        payment_id=arrival.payment_id,
        closed_at=None,
        cancel_reason=None,
    )


def _cannot_take(order: Order, shelf: Shelf, purse: Purse, reserves: Reserves) -> StrayReason | None:
    """Why the order cannot take the money; None once its subsidies are taken again, where they had been given back."""
    if order.state == State.PLACED:
        return None
    if order.state != State.CANCELLED:
        return "paid_twice"
    if order.cancel_reason == "buyer":
        return "cancelled"
    if shelf.refusal(order.quantities, order.buyer_id) is not None or _kept_for_others(order, shelf, reserves):
        return "sold_out"
    if order.subsidy_fen and not purse.take(order.buyer_id, order.subsidies):
        return "subsidy_over"
    return None


def _kept_for_others(order: Order, shelf: Shelf, reserves: Reserves) -> bool:
    """Whether the order would need more of the stock kept for creators outside the head than it had of it before."""
    reserved = summed((line.sku_id, line.reserved_quantity) for line in order.lines)
    return any(
        quantity - min(reserved[sku_id], reserves.left(sku_id)) > shelf.available(sku_id) - reserves.left(sku_id)
        for sku_id, quantity in order.quantities.items()
    )


def _reserved_anew(line: Line, reserves: Reserves) -> Line:
    """The line with what it takes of the kept stock now: others may have had some of it meanwhile."""
    if not line.reserved_quantity:
        return line
    return replace(line, reserved_quantity=reserves.take(line.sku_id, line.reserved_quantity))


def give_up(order: Order, shelf: Shelf, purse: Purse, reserves: Reserves) -> None:
    """Give back what an unpaid order holds: goods, subsidies, kept stock."""
    shelf.release(goods_of(order))
    if order.subsidy_fen:
        purse.give_back(order.buyer_id, order.subsidies)
    for line in order.lines:
        if line.reserved_quantity:
            reserves.give_back(line.sku_id, line.reserved_quantity)

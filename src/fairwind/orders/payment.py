"""What money does to the order it was paid for. Pure.

A payment that arrives is never lost: it pays its order; when it is late it still does, while the goods last; and when
the order cannot take it, it is a stray that goes back in full at once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from fairwind.inventory import Goods, Shelf
from fairwind.kernel import Fen, OrderId, PaymentId, RefundId, ShopId
from fairwind.orders.order import Order
from fairwind.orders.states import TRANSITIONS, Action, State, after


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
    reason: Literal["cancelled", "sold_out", "paid_twice"]


def goods_of(order: Order) -> Goods:
    """What the order takes from the shelf."""
    return Goods(order.quantities, order.buyer_id, order.limited)


def arrive(order: Order, arrival: Arrival, shelf: Shelf, stray_id: RefundId, now: datetime) -> Order | Stray:
    """The paid order, its goods taken from the shelf; or the stray that goes back."""
    assert arrival.amount_fen == order.total_fen, "a payment is made for what its order costs"
    reason = _cannot_take(order, shelf)
    if reason is not None:
        return Stray(stray_id, order.id, arrival.payment_shop_id, arrival.payment_id, arrival.amount_fen, reason)
    goods = goods_of(order)
    if order.state == State.CANCELLED:
        shelf.hold(goods)
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


def _cannot_take(order: Order, shelf: Shelf) -> Literal["cancelled", "sold_out", "paid_twice"] | None:
    if order.state == State.PLACED:
        return None
    if order.state != State.CANCELLED:
        return "paid_twice"
    if order.cancel_reason == "buyer":
        return "cancelled"
    return None if shelf.refusal(order.quantities, order.buyer_id) is None else "sold_out"

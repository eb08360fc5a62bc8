"""Rating what was received."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from fairwind.alliance import Rating, RatingDraft, Reviewing, rate
from fairwind.kernel import NotFound, OrderId, PersonId, Refused, ShopId, Transaction
from fairwind.orders.commands.batch import order_of
from fairwind.orders.order import Order
from fairwind.orders.states import WrongState
from fairwind.orders.store.orders import orders_by_id


class Saying(msgspec.Struct, frozen=True):
    """What a buyer says of a line of theirs."""

    order_id: OrderId
    line_no: int
    buyer_id: PersonId
    draft: RatingDraft


async def rate_lines(
    tx: Transaction, shop_id: ShopId, items: Sequence[Saying], now: datetime
) -> list[Rating | Refused]:
    """Rate lines of orders that were received. Refusals: NotFound, WrongState, RatingClosed."""
    orders = await orders_by_id(tx, shop_id, {item.order_id for item in items})
    judged = [_judged(orders, item) for item in items]
    said = iter(await rate(tx, shop_id, [each for each in judged if isinstance(each, Reviewing)], now))
    return [each if isinstance(each, Refused) else next(said) for each in judged]


def _judged(orders: Mapping[OrderId, Order], item: Saying) -> Reviewing | Refused:
    order = order_of(orders, item.order_id, item.buyer_id)
    if isinstance(order, Refused):
        return order
    line = next((line for line in order.lines if line.line_no == item.line_no), None)
    if line is None:
        return NotFound(f"order {item.order_id} has no line {item.line_no}")
    if order.received_at is None:
        return WrongState(f"an order is rated once it was received; this one is {order.state}", state=order.state.value)
    return Reviewing(order.id, line.line_no, line.product_id, order.buyer_id, item.draft)

"""What orders tell the rest of the platform, through the outbox. Pure."""

from __future__ import annotations

import msgspec

from fairwind.kernel import Fen, LiveSessionId, OrderId, PersonId, ProductId, RefundId, ShopId, SkuId
from fairwind.orders.order import Order
from fairwind.orders.payment import Arrival
from fairwind.orders.refund import Refund

PLACED = "orders.placed"
PAID = "orders.paid"
PART_PAID = "orders.part_paid"
CANCELLED = "orders.cancelled"
SHIPPED = "orders.shipped"
RECEIVED = "orders.received"
COMPLETED = "orders.completed"
REFUND_AGREED = "orders.refund_agreed"


class Placed(msgspec.Struct, frozen=True):
    order_id: OrderId
    buyer_id: PersonId
    total_fen: Fen
    live_session_id: LiveSessionId | None


class PaidLine(msgspec.Struct, frozen=True):
    sku_id: SkuId
    product_id: ProductId
    quantity: int


class Paid(msgspec.Struct, frozen=True):
    order_id: OrderId
    buyer_id: PersonId
    total_fen: Fen
    lines: tuple[PaidLine, ...]


class PartPaid(msgspec.Struct, frozen=True):
    """A payment whose home is elsewhere paid for an order of shop_id."""

    shop_id: ShopId
    arrival: Arrival


class Cancelled(msgspec.Struct, frozen=True):
    order_id: OrderId
    total_fen: Fen
    reason: str | None


class Moved(msgspec.Struct, frozen=True):
    order_id: OrderId
    buyer_id: PersonId


class RefundAgreed(msgspec.Struct, frozen=True):
    refund_id: RefundId
    order_id: OrderId
    amount_fen: Fen


def placed(order: Order) -> Placed:
    return Placed(order.id, order.buyer_id, order.total_fen, order.lines[0].live_session_id)


def paid(order: Order) -> Paid:
    lines = tuple(PaidLine(line.sku_id, line.product_id, line.quantity) for line in order.lines)
    return Paid(order.id, order.buyer_id, order.total_fen, lines)


def cancelled(order: Order) -> Cancelled:
    return Cancelled(order.id, order.total_fen, order.cancel_reason)


def moved(order: Order) -> Moved:
    return Moved(order.id, order.buyer_id)


def refund_agreed(refund: Refund) -> RefundAgreed:
    return RefundAgreed(refund.id, refund.order_id, refund.amount_fen)

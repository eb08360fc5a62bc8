"""What orders tell the rest of the platform, through the outbox. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from fairwind.kernel import Fen, LiveSessionId, OrderId, PersonId, PlanId, ProductId, RefundId, ShopId, SkuId
from fairwind.orders.order import Line, LineTerms, Order
from fairwind.orders.payment import Arrival
from fairwind.orders.refund import Refund, RefundLine

PLACED = "orders.placed"
PAID = "orders.paid"
PART_PAID = "orders.part_paid"
CANCELLED = "orders.cancelled"
SHIPPED = "orders.shipped"
RECEIVED = "orders.received"
COMPLETED = "orders.completed"
REFUND_AGREED = "orders.refund_agreed"


class Placed(msgspec.Struct, frozen=True, omit_defaults=True):
    """link_codes: the outside links that brought some of its lines."""

    order_id: OrderId
    buyer_id: PersonId
    total_fen: Fen
    live_session_id: LiveSessionId | None
    link_codes: tuple[str, ...] = ()


class PaidLine(msgspec.Struct, frozen=True):
    """goods_fen = price × quantity; who earns a commission of it by which plan, if anybody does."""

    line_no: int
    sku_id: SkuId
    product_id: ProductId
    quantity: int
    goods_fen: Fen
    live_session_id: LiveSessionId | None
    earner_id: PersonId | None
    plan_id: PlanId | None


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


class ReturnedLine(msgspec.Struct, frozen=True):
    """quantity and amount_fen are what the refund says of goods and money.

    unsold_quantity, unsold_fen: how much less of the line's quantity and goods_fen counts as sold, by plan_id for
    earner_id and in live_session_id, see Line.unsold.
    """

    line_no: int
    product_id: ProductId
    quantity: int
    amount_fen: Fen
    earner_id: PersonId | None
    plan_id: PlanId | None
    unsold_quantity: int
    unsold_fen: Fen
    live_session_id: LiveSessionId | None


class RefundAgreed(msgspec.Struct, frozen=True):
    """paid_at: when the order was paid; on that day its goods had been counted as sold."""

    refund_id: RefundId
    order_id: OrderId
    amount_fen: Fen
    paid_at: datetime
    lines: tuple[ReturnedLine, ...]


def placed(order: Order, terms: Iterable[LineTerms]) -> Placed:
    codes = sorted({each.link_code for each in terms if each.link_code})
    return Placed(order.id, order.buyer_id, order.total_fen, order.lines[0].live_session_id, tuple(codes))


def paid(order: Order) -> Paid:
    lines = tuple(
        PaidLine(
            line.line_no,
            line.sku_id,
            line.product_id,
            line.quantity,
            line.goods_fen,
            line.live_session_id,
            line.earner_id,
            line.plan_id,
        )
        for line in order.lines
    )
    return Paid(order.id, order.buyer_id, order.total_fen, lines)


def cancelled(order: Order) -> Cancelled:
    return Cancelled(order.id, order.total_fen, order.cancel_reason)


def moved(order: Order) -> Moved:
    return Moved(order.id, order.buyer_id)


def refund_agreed(before: Order, after: Order, refund: Refund) -> RefundAgreed:
    """What agreeing to refund, which turned the order from before into after, is told as."""
    assert after.paid_at is not None
    back = {line.line_no: line for line in refund.lines}
    lines = tuple(
        _returned(was, line, back[line.line_no])
        for was, line in zip(before.lines, after.lines, strict=True)
        if line.line_no in back
    )
    return RefundAgreed(refund.id, refund.order_id, refund.amount_fen, after.paid_at, lines)


def _returned(was: Line, line: Line, back: RefundLine) -> ReturnedLine:
    (quantity_before, fen_before), (quantity, fen) = was.unsold, line.unsold
    return ReturnedLine(
        line.line_no,
        line.product_id,
        back.quantity,
        back.amount_fen,
        line.earner_id,
        line.plan_id,
        quantity - quantity_before,
        Fen(fen - fen_before),
        line.live_session_id,
    )

"""Refunds: money on its way back to a buyer. Pure.

A refund lives in the shop of its order. It is sent to the provider under its own id until the provider takes it, so
that sending twice pays once; what failed at the provider waits for an operator to send it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from fairwind.kernel import Fen, IdReused, OrderId, PaymentId, RefundId, Refused, ShopId

RefundState = Literal["pending", "sent", "succeeded", "failed"]
RefundWord = Literal["processing", "succeeded", "failed", "retry"]

REFUND_TRANSITIONS: Mapping[RefundState, Mapping[RefundWord, RefundState]] = {
    "pending": {"processing": "sent", "succeeded": "succeeded", "failed": "failed"},
    "sent": {"succeeded": "succeeded", "failed": "failed"},
    "failed": {"succeeded": "succeeded", "retry": "pending"},
    "succeeded": {},
}
"""What the provider's word, or an operator's `retry`, turns a refund into; other words come late and change nothing."""


class PaymentUnpaid(Refused):
    """Only money that a payment brought for the order can go back."""

    code = "payment_unpaid"


class RefundTooHigh(Refused):
    """More would go back than the payment brought for the order."""

    code = "refund_too_high"


class RefundRequest(msgspec.Struct, frozen=True):
    """Money to send back to the buyer of an order, from the payment that paid it."""

    id: RefundId
    payment_shop_id: ShopId
    payment_id: PaymentId
    order_id: OrderId
    amount_fen: Fen


class Refund(msgspec.Struct, frozen=True):
    """A refund as it stands. attempts: how often the provider was spoken to; reason: why it failed."""

    shop_id: ShopId
    id: RefundId
    payment_shop_id: ShopId
    payment_id: PaymentId
    order_id: OrderId
    amount_fen: Fen
    provider: str
    state: RefundState
    reason: str | None
    attempts: int
    requested_at: datetime
    finished_at: datetime | None

    def answers(self, request: RefundRequest) -> bool:
        """Whether request asks for this very refund."""
        return (self.payment_shop_id, self.payment_id, self.order_id, self.amount_fen) == (
            request.payment_shop_id,
            request.payment_id,
            request.order_id,
            request.amount_fen,
        )


class Refunded(msgspec.Struct, frozen=True):
    """Payload of the event `payments.refunded`: the provider has sent the money back."""

    refund_id: RefundId
    order_id: OrderId
    payment_id: PaymentId
    amount_fen: Fen


class RefundTold(msgspec.Struct, frozen=True):
    """The provider's word about a refund. attempt: the one that it answers; reason: why it failed."""

    id: RefundId
    attempt: int
    word: RefundWord
    reason: str | None = None


@dataclass
class RefundCap:
    """What one payment brought for one order, and how much of it has been asked back so far."""

    payment_id: PaymentId
    order_id: OrderId
    payment_shop_id: ShopId
    provider: str
    part_fen: int
    asked_fen: int

    def take(self, request: RefundRequest, shop_id: ShopId, now: datetime) -> Refund | Refused:
        """The refund that request asks for, counted; or why it cannot be."""
        left_fen = self.part_fen - self.asked_fen
        if request.order_id != self.order_id:
            return unpaid(request)
        if request.amount_fen > left_fen:
            return RefundTooHigh(
                f"of the {self.part_fen} fen that payment {self.payment_id} brought for the order, {left_fen} are left",
                left_fen=left_fen,
            )
        self.asked_fen += request.amount_fen
        return Refund(
            shop_id=shop_id,
            id=request.id,
            payment_shop_id=self.payment_shop_id,
            payment_id=self.payment_id,
            order_id=self.order_id,
            amount_fen=request.amount_fen,
            provider=self.provider,
            state="pending",
            reason=None,
            attempts=0,
            requested_at=now,
            finished_at=None,
        )


def unpaid(request: RefundRequest) -> PaymentUnpaid:
    return PaymentUnpaid(f"payment {request.payment_id} has brought no money for order {request.order_id}")


def reused(request: RefundRequest) -> IdReused:
    return IdReused(f"refund {request.id} was requested before with other content")


def refund_told(refund: Refund, told: RefundTold, now: datetime) -> Refund:
    """The refund after the provider's word; the same when the word is late.

    A success counts whenever it comes. Anything else counts only as the answer to the latest attempt: the refund may
    have been sent again since.
    """
    if told.word != "succeeded" and told.attempt != refund.attempts:
        return refund
    state = REFUND_TRANSITIONS[refund.state].get(told.word)
    if state is None:
        return refund
    return replace(
        refund,
        state=state,
        reason=(told.reason or "the provider gave no reason") if state == "failed" else None,
        finished_at=now if state == "succeeded" else None,
    )

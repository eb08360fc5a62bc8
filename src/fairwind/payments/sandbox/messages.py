"""What Fairwind and the sandbox provider say to each other, as JSON. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

PAYMENTS = "/v1/payments"
REFUNDS = "/v1/refunds"
PAYOUTS = "/v1/payouts"

Name = Annotated[str, Meta(pattern=r"^[0-9A-Za-z-]{1,64}$")]
Payee = Annotated[str, Meta(pattern=r"^[0-9A-Za-z-]{1,32} [0-9]{1,19}$")]
Url = Annotated[str, Meta(pattern=r"^https?://[^\s\x00-\x1f]+$", max_length=500)]
AmountFen = Annotated[int, Meta(ge=1, le=10**15)]


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the provider is to collect. reference: the merchant's; orders: its order numbers, for the buyer to see."""

    reference: Name
    amount_fen: AmountFen
    orders: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=100)]
    expires_in_s: Annotated[int, Meta(ge=1, le=7 * 86_400)]
    callback_url: Url
    return_url: Url


class OrderStatus(msgspec.Struct, frozen=True):
    """What became of it: the answer to a question, and the body of a callback. trade_no: the provider's own number."""

    reference: Name
    trade_no: Name
    state: Literal["open", "closed", "succeeded"]
    amount_fen: AmountFen
    at: datetime
    pay_url: str


class RefundOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Money to give back. id: the merchant's."""

    id: Name
    reference: Name
    amount_fen: AmountFen


class RefundStatus(msgspec.Struct, frozen=True):
    """What became of it. reason: why it failed."""

    id: Name
    state: Literal["processing", "succeeded", "failed"]
    reason: str | None = None


class PayoutOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Money to pay out. id: the merchant's; payee: whom the merchant pays, in its own words, such as "creator 7".

    attempt: which of the merchant's attempts this is; the answers say which one they are about.
    """

    id: Name
    payee: Payee
    amount_fen: AmountFen
    attempt: Annotated[int, Meta(ge=1)]
    callback_url: Url


class PayoutStatus(msgspec.Struct, frozen=True):
    """What became of it: the answer to a question, and the body of a callback. reason: why it failed.

    cancelled: it was not paid and never will be.
    """

    id: Name
    state: Literal["processing", "succeeded", "failed", "cancelled"]
    amount_fen: AmountFen
    attempt: int
    reason: str | None = None


class Failure(msgspec.Struct, frozen=True):
    """Why a request was not done."""

    error: str

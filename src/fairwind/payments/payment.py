"""Payments: what a buyer is to pay at a provider, and what the provider says became of it. Pure.

A payment lives in its home shop, the lowest shop of its checkout, and has one part for each order it pays. Money that
arrived is never lost: a payment can succeed after it was closed, and nothing undoes a success.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from msgspec.structs import replace

from fairwind.kernel import Fen, NotFound, OrderId, PaymentId, PersonId, Refused, ShopId

State = Literal["created", "succeeded", "closed"]
Outcome = Literal["succeeded", "closed"]

TRANSITIONS: Mapping[State, Mapping[Outcome, State]] = {
    "created": {"succeeded": "succeeded", "closed": "closed"},
    "closed": {"succeeded": "succeeded"},
    "succeeded": {},
}
"""What a provider's word turns a payment into; a word that is not here comes late and changes nothing."""


class Misfit(Refused):
    """The provider tells of money that does not fit: kept for an operator, and the payment stays as it was."""

    code = "misfit"


class AmountMismatch(Misfit):
    """The provider took another amount than the payment's."""

    code = "amount_mismatch"


class PaidTwice(Misfit):
    """The provider took the payment's amount a second time, under another reference of its own."""

    code = "paid_twice"


class UnknownPayment(Misfit):
    """The provider tells of a payment that was never made here, or was made with another provider."""

    code = "unknown_payment"
    status = 404


class PaymentFinished(Refused):
    """The payment has succeeded or is closed: there is nothing left to pay."""

    code = "payment_finished"


class Part(msgspec.Struct, frozen=True, order=True):
    """What a payment pays of one order."""

    shop_id: ShopId
    order_id: OrderId
    amount_fen: Fen


class Draft(msgspec.Struct, frozen=True):
    """A payment to be made. parts: at least one, at most one per shop; the lowest shop is the payment's home.

    expires_at: until when the provider lets the buyer pay.
    """

    id: PaymentId
    buyer_id: PersonId
    parts: tuple[Part, ...]
    expires_at: datetime
    provider: str = "sandbox"

    @property
    def amount_fen(self) -> Fen:
        return Fen(sum(part.amount_fen for part in self.parts))


class Payment(msgspec.Struct, frozen=True):
    """A payment as it stands. provider_ref and paid_at are known once it succeeded, pay_url once its page was opened.

    parts: in the order of their shops.
    """

    shop_id: ShopId
    id: PaymentId
    buyer_id: PersonId
    amount_fen: Fen
    state: State
    provider: str
    provider_ref: str | None
    pay_url: str | None
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    parts: tuple[Part, ...]

    def answers(self, draft: Draft) -> bool:
        """Whether draft asks for this very payment. The expiry may differ: a repeated request reckons it anew."""
        return (self.buyer_id, self.provider, self.parts) == (
            draft.buyer_id,
            draft.provider,
            tuple(sorted(draft.parts)),
        )


class Notice(msgspec.Struct, frozen=True):
    """A provider's word about a payment. at: when it came to be, by the provider's clock."""

    payment_id: PaymentId
    shop_id: ShopId
    amount_fen: Fen
    outcome: Outcome
    provider_ref: str
    at: datetime
    provider: str = "sandbox"


class Discrepancy(msgspec.Struct, frozen=True):
    """A success that did not fit, as an operator sees it. code: of the refusal; note: how it was settled."""

    shop_id: ShopId
    id: UUID
    payment_id: PaymentId
    code: str
    provider: str
    provider_ref: str
    amount_fen: Fen
    told_at: datetime
    settled_at: datetime | None
    settled_by: PersonId | None
    note: str | None


class Recorded(msgspec.Struct, frozen=True):
    """The payment after a notice. newly: whether this very notice changed it."""

    payment: Payment
    newly: bool


def drafted(draft: Draft, now: datetime) -> Payment:
    """The payment that draft asks for."""
    assert draft.parts, "a payment pays at least one order"
    assert all(part.amount_fen > 0 for part in draft.parts)
    assert len({part.shop_id for part in draft.parts}) == len(draft.parts), "one order per shop"
    parts = tuple(sorted(draft.parts))
    return Payment(
        shop_id=parts[0].shop_id,
        id=draft.id,
        buyer_id=draft.buyer_id,
        amount_fen=draft.amount_fen,
        state="created",
        provider=draft.provider,
        provider_ref=None,
        pay_url=None,
        created_at=now,
        expires_at=draft.expires_at,
        paid_at=None,
        parts=parts,
    )


def told(payment: Payment | None, notice: Notice, now: datetime) -> Recorded | Misfit:
    """The payment after notice, which may come twice, late, or in the wrong order."""
    if payment is None or payment.provider != notice.provider:
        return UnknownPayment(f"{notice.provider} has no payment {notice.payment_id} in shop {notice.shop_id}")
    if notice.outcome == "succeeded":
        misfit = _misfit(payment, notice)
        if misfit is not None:
            return misfit
    state = TRANSITIONS[payment.state].get(notice.outcome)
    if state is None:
        return Recorded(payment, newly=False)
    if state == "closed":
        return Recorded(replace(payment, state=state), newly=True)
    paid = replace(payment, state=state, provider_ref=notice.provider_ref, paid_at=now)
    return Recorded(paid, newly=True)


def _misfit(payment: Payment, notice: Notice) -> Misfit | None:
    if notice.amount_fen != payment.amount_fen:
        return AmountMismatch(
            f"payment {payment.id} is for {payment.amount_fen} fen, and the provider took {notice.amount_fen} fen; "
            "an operator has to look at it"
        )
    if payment.state == "succeeded" and notice.provider_ref != payment.provider_ref:
        return PaidTwice(
            f"payment {payment.id} was paid as {payment.provider_ref} and again as {notice.provider_ref}; "
            "an operator has to look at it"
        )
    return None


def not_found(shop_id: ShopId, payment_id: PaymentId) -> NotFound:
    return NotFound(f"shop {shop_id} has no payment {payment_id}")

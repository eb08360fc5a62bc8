"""Payouts 打款: money on its way to a payee. Pure.

A payout is sent to the provider under its own id until the provider takes it, so that sending twice pays once. What
failed waits for an operator, who has it sent again or releases what it was made of for a later one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from msgspec.structs import replace

from fairwind.kernel import Fen, NotFound, PayoutId, Refused, ShopId
from fairwind.settlement.netting import Payee, PayeeKind

PayoutState = Literal["pending", "sent", "succeeded", "failed", "released"]
PayoutWord = Literal["processing", "succeeded", "failed", "retry", "release"]

PAYOUT_TRANSITIONS: Mapping[PayoutState, Mapping[PayoutWord, PayoutState]] = {
    "pending": {"processing": "sent", "succeeded": "succeeded", "failed": "failed"},
    "sent": {"succeeded": "succeeded", "failed": "failed"},
    "failed": {"succeeded": "succeeded", "retry": "pending", "release": "released"},
    "succeeded": {},
    "released": {},
}
"""What the provider's word, or an operator's `retry` or `release`, turns a payout into; other words change nothing.

Nobody releases a payout before the provider has said that it will never pay it.
"""


class WrongPayoutState(Refused):
    """The payout is not in a state in which this can be done."""

    code = "wrong_payout_state"


class Payout(msgspec.Struct, frozen=True):
    """A payout as it stands. attempts: how often the provider was spoken to; reason: why it failed."""

    id: PayoutId
    payee_kind: PayeeKind
    payee_id: int
    amount_fen: Fen
    provider: str
    state: PayoutState
    reason: str | None
    attempts: int
    requested_at: datetime
    finished_at: datetime | None

    @property
    def payee(self) -> Payee:
        return Payee(self.payee_kind, self.payee_id)


class PayoutTold(msgspec.Struct, frozen=True):
    """A word about a payout. attempt: the one that it answers; reason: why it failed."""

    id: PayoutId
    attempt: int
    word: PayoutWord
    reason: str | None = None


class PaidOut(msgspec.Struct, frozen=True):
    """Payload of the event `settlement.paid_out`: a payout succeeded that this shop's book has a part in.

    amount_fen: that part; below zero, what the payee owed to this book and has paid with what others owed it.
    """

    payout_id: PayoutId
    payee_kind: PayeeKind
    payee_id: int
    amount_fen: int


class PayoutItem(msgspec.Struct, frozen=True):
    """What a payout has of one sweep of one shop's book; below zero, a debt that it was netted with.

    paid_out_at: when the book took note that it was paid.
    """

    shop_id: ShopId
    id: UUID
    amount_fen: int
    swept_at: datetime
    paid_out_at: datetime | None


class Carried(msgspec.Struct, frozen=True):
    """What a payee is owed and no payout has yet; below zero, a debt, to be netted with what it earns next.

    since: since when the oldest part waits; None when there is none.
    """

    payee_kind: PayeeKind
    payee_id: int
    amount_fen: int
    since: datetime | None


def requested(payout_id: PayoutId, payee: Payee, amount_fen: Fen, provider: str, now: datetime) -> Payout:
    """A new payout, to be sent."""
    assert amount_fen > 0
    return Payout(
        id=payout_id,
        payee_kind=payee.kind,
        payee_id=payee.id,
        amount_fen=amount_fen,
        provider=provider,
        state="pending",
        reason=None,
        attempts=0,
        requested_at=now,
        finished_at=None,
    )


def payout_told(payout: Payout, told: PayoutTold, now: datetime) -> Payout:
    """The payout after a word; the same when the word is late.

    A success counts whenever it comes, but for a payout that was released. Anything else counts only as the answer to
    the latest attempt: the payout may have been sent again since, and to send it again is an attempt.
    """
    if told.word != "succeeded" and told.attempt != payout.attempts:
        return payout
    state = PAYOUT_TRANSITIONS[payout.state].get(told.word)
    if state is None:
        return payout
    return replace(
        payout,
        state=state,
        reason=_reason(payout, told, state),
        attempts=payout.attempts + (told.word == "retry"),
        finished_at=now if state in ("succeeded", "released") else None,
    )


def _reason(payout: Payout, told: PayoutTold, state: PayoutState) -> str | None:
    if state == "released":
        return payout.reason
    return (told.reason or "the provider gave no reason") if state == "failed" else None


def not_found(payout_id: PayoutId) -> NotFound:
    return NotFound(f"there is no payout {payout_id} that you may see")

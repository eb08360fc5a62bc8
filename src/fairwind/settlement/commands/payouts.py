"""Putting what waits into payouts, and recording what becomes of them. A payee's payout spans its books."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from msgspec.structs import replace

from fairwind.kernel import Fen, PayoutId, Query, Refused, Transaction, events_told, uuid7
from fairwind.payments import next_try
from fairwind.settlement.netting import Payee, payable
from fairwind.settlement.payout import (
    PaidOut,
    Payout,
    PayoutTold,
    WrongPayoutState,
    not_found,
    payout_told,
    requested,
)
from fairwind.settlement.store import payouts as store

log = structlog.get_logger(__name__)

PAID_OUT = "settlement.paid_out"
"""The topic of `payout.PaidOut`, told in each shop whose book has a part in a payout that succeeded."""


async def assemble(tx: Transaction, payee: Payee, min_fen: Fen, provider: str, now: datetime) -> Payout | None:
    """A new payout of all that waits for the payee, netted; None when that is less than min_fen and is carried."""
    await tx.together(store.payee_opened(payee), store.payee_locked(payee))
    waiting = await tx.ask(store.waiting(payee))
    amount_fen = payable([each.amount_fen for each in waiting], min_fen)
    if amount_fen is None:
        return None
    payout = requested(PayoutId(uuid7(now)), payee, amount_fen, provider, now)
    _, put_fen = await tx.together(store.payout_added(payout), store.put_into(payout, [each.id for each in waiting]))
    assert put_fen == amount_fen, "what waits for a payee is only taken under its lock"
    return payout


async def claim_payouts(tx: Transaction, now: datetime, limit: int) -> list[Payout]:
    """Payouts that are due and in nobody else's hands: one attempt more, their next turn put off."""
    due = await tx.ask(store.payouts_claimed(now, limit))
    payouts = [replace(payout, attempts=payout.attempts + 1) for payout in due]
    if payouts:
        await tx.ask(store.payouts_changed([(payout, next_try(payout.attempts, now)) for payout in payouts]))
    return payouts


async def record_payouts(tx: Transaction, told: Sequence[PayoutTold], now: datetime) -> list[Payout | Refused]:
    """Record what the provider, or an operator, says of payouts; answers them as they then stand, or NotFound.

    One that succeeds is told of by the event `settlement.paid_out` in every shop that has a part in it, in the same
    transaction. A release goes through release_payout.
    """
    payouts = await tx.ask(store.payouts_locked({word.id for word in told}))
    changed: dict[PayoutId, Payout] = {}
    for word in told:
        assert word.word != "release"
        before = payouts.get(word.id)
        after = before and payout_told(before, word, now)
        if before and (before.state, word.word) == ("released", "succeeded"):
            log.error("released_payout_paid", payout_id=str(word.id), payee=str(before.payee), fen=before.amount_fen)
        if after and after != before:
            payouts[word.id] = changed[word.id] = after
    if changed:
        await tx.ask(store.payouts_changed([(payout, _next_try(payout, now)) for payout in changed.values()]))
    succeeded = {payout.id: payout for payout in changed.values() if payout.state == "succeeded"}
    if succeeded:
        shares = await tx.ask(store.shares(succeeded))
        events = [(shop_id, PAID_OUT, _part(succeeded[payout_id], fen)) for shop_id, payout_id, fen in shares]
        await tx.ask(events_told(events, now))
    return [payouts.get(word.id) or not_found(word.id) for word in told]


def _part(payout: Payout, amount_fen: int) -> PaidOut:
    return PaidOut(payout.id, payout.payee_kind, payout.payee_id, amount_fen)


async def retry_payout(tx: Transaction, payout_id: PayoutId, now: datetime) -> Payout:
    """Send a failed payout again; one that is on its way or done stays as it is. NotFound, WrongPayoutState."""
    payout = (await tx.ask(store.payouts_locked([payout_id]))).get(payout_id)
    if payout is None:
        raise not_found(payout_id)
    if payout.state == "released":
        raise WrongPayoutState(f"payout {payout_id} was released; what it was made of goes into the next one")
    after = payout_told(payout, PayoutTold(payout_id, payout.attempts, "retry"), now)
    if after != payout:
        await tx.ask(store.payouts_changed([(after, now)]))
    return after


async def release_payout(tx: Transaction, payout: Payout, now: datetime) -> Payout:
    """What a failed payout was made of waits again. The provider has said before that it will never pay it.

    WrongPayoutState when the payout has gone on meanwhile.
    """
    await tx.ask(store.payee_locked(payout.payee))
    before = (await tx.ask(store.payouts_locked([payout.id])))[payout.id]
    after = payout_told(before, PayoutTold(payout.id, payout.attempts, "release"), now)
    if after.state != "released":
        raise WrongPayoutState(f"payout {payout.id} is {after.state}; only one that has failed can be released")
    if after != before:
        changes: list[Query[Any]] = [store.payouts_changed([(after, None)]), store.taken_out(payout.id)]
        await tx.together(*changes)
    return after


def _next_try(payout: Payout, now: datetime) -> datetime | None:
    if payout.state == "pending":
        return now
    return next_try(payout.attempts, now) if payout.state == "sent" else None

"""Payouts at the sandbox provider: each is paid at most once, however often it is asked for."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from fairwind.payments.sandbox.book import Book, Conflict
from fairwind.payments.sandbox.messages import PayoutOrder, PayoutStatus


class PaidOut(NamedTuple):
    """A payout at the provider; its outcome is settled and shows at done_at.

    tries: how often it was tried to be paid. attempt: which of the merchant's the last try was. requests: how often it
    was asked for.
    """

    id: str
    payee: str
    amount_fen: int
    outcome: Literal["succeeded", "failed", "cancelled"]
    tries: int
    attempt: int
    requests: int
    done_at: float


def pay_out(book: Book, order: PayoutOrder, now: float) -> PaidOut:
    """The payout that order asks for: paid, or tried again when that failed. Conflict when it cannot be."""
    with book.transaction():
        before = _known(book, order)
        requests = before.requests + 1 if before else 1
        if before is not None and before.outcome == "cancelled":
            raise Conflict(f"{order.id} was cancelled")
        if before is not None and _state(before, now) != "failed":
            payout = before._replace(requests=requests)
        else:
            payout = _tried(book, order, before.tries if before else 0, requests, now)
            outcome = payout_status(payout, payout.done_at)
            waits_s = book.switches.deliveries(f"{order.id} {payout.tries}", outcome.state)
            book.call_back(order.callback_url, msgspec.json.encode(outcome), waits_s, now)
        book.save("payout", payout)
    return payout


def cancel_payout(book: Book, order: PayoutOrder, now: float) -> PaidOut:
    """The payout, cancelled unless it is paid or on its way; also one that was never asked for before."""
    with book.transaction():
        before = _known(book, order)
        if before is not None and _state(before, now) != "failed":
            return before
        tries, requests = (before.tries, before.requests) if before else (0, 0)
        payout = PaidOut(order.id, order.payee, order.amount_fen, "cancelled", tries, order.attempt, requests, now)
        book.save("payout", payout)
    return payout


def payout(book: Book, payout_id: str) -> PaidOut | None:
    return book.one(PaidOut, "SELECT * FROM payout WHERE id = ?", payout_id)


def payout_status(payout: PaidOut, now: float) -> PayoutStatus:
    """What the provider says of payout."""
    state = _state(payout, now)
    reason = "the payee's bank refused it" if state == "failed" else None
    return PayoutStatus(payout.id, state, payout.amount_fen, payout.attempt, reason)


def _known(book: Book, order: PayoutOrder) -> PaidOut | None:
    before = payout(book, order.id)
    if before is not None and (before.payee, before.amount_fen) != (order.payee, order.amount_fen):
        raise Conflict(f"{order.id} was used for another payout")
    return before


def _tried(book: Book, order: PayoutOrder, tries: int, requests: int, now: float) -> PaidOut:
    fails = book.switches.fails_to_pay_out(order.id, tries)
    return PaidOut(
        id=order.id,
        payee=order.payee,
        amount_fen=order.amount_fen,
        outcome="failed" if fails else "succeeded",
        tries=tries + 1,
        attempt=order.attempt,
        requests=requests,
        done_at=now + book.switches.delay_s,
    )


def _state(payout: PaidOut, now: float) -> Literal["processing", "succeeded", "failed", "cancelled"]:
    return "processing" if payout.done_at > now else payout.outcome

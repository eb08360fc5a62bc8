"""Making payments, recording what providers say of them, and sending money back: batches of one shop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from fairwind.kernel import IdReused, NotFound, PaymentId, PersonId, RefundId, Refused, ShopId, Transaction, emit
from fairwind.payments import store
from fairwind.payments.payment import Discrepancy, Draft, Misfit, Notice, Payment, Recorded, drafted, told
from fairwind.payments.refund import (
    Refund,
    Refunded,
    RefundRequest,
    RefundTold,
    refund_told,
    reused,
    unpaid,
)
from fairwind.payments.schedule import first_ask, next_ask, next_try


async def create(tx: Transaction, shop_id: ShopId, drafts: Sequence[Draft], now: datetime) -> list[Payment | Refused]:
    """Make payments in their home shop. The same id and content answers the same payment; other content, IdReused."""
    payments = await load(tx, shop_id, [draft.id for draft in drafts])
    fresh: list[Payment] = []
    outcomes: list[Payment | Refused] = []
    for draft in drafts:
        payment = payments.get(draft.id)
        if payment is None:
            payment = drafted(draft, now)
            assert payment.shop_id == shop_id, "a payment is made in the lowest shop of its parts"
            payments[payment.id] = payment
            fresh.append(payment)
        same = payment.answers(draft)
        outcomes.append(payment if same else IdReused(f"payment {draft.id} was made before with other content"))
    if fresh:
        await tx.together(*store.payments_added(shop_id, fresh, first_ask(now)))
    return outcomes


async def load(tx: Transaction, shop_id: ShopId, ids: Sequence[PaymentId]) -> dict[PaymentId, Payment]:
    """Payments of shop_id by id; one that does not exist is absent."""
    rows, parts = await tx.together(store.payments(shop_id, ids), store.parts(shop_id, ids))
    return store.joined(rows, parts)


async def record(
    tx: Transaction, shop_id: ShopId, notices: Sequence[Notice], now: datetime
) -> list[Recorded | Refused]:
    """Record what providers say of shop_id's payments. Notices may come twice, late and in any order.

    Refusals: AmountMismatch, PaidTwice, UnknownPayment; the money they tell of is kept as a discrepancy.
    """
    ids = {notice.payment_id for notice in notices}
    rows, parts = await tx.together(store.payments_locked(shop_id, ids), store.parts(shop_id, ids))
    payments = store.joined(rows, parts)
    changed: dict[PaymentId, Payment] = {}
    misfits: list[tuple[Notice, str]] = []
    outcomes: list[Recorded | Refused] = []
    for notice in notices:
        assert notice.shop_id == shop_id
        outcome = told(payments.get(notice.payment_id), notice, now)
        outcomes.append(outcome)
        if isinstance(outcome, Misfit):
            if notice.outcome == "succeeded":
                misfits.append((notice, outcome.code))
        elif outcome.newly:
            payments[notice.payment_id] = changed[notice.payment_id] = outcome.payment
    saves = []
    if changed:
        plans = [(payment, next_ask(payment, 0, now)) for payment in changed.values()]
        saves.append(store.payments_changed(shop_id, plans))
    if misfits:
        saves.append(store.discrepancies_added(shop_id, misfits, now))
    if saves:
        await tx.together(*saves)
    return outcomes


async def keep_pages(
    tx: Transaction, shop_id: ShopId, pages: Sequence[tuple[PaymentId, str]], _: datetime
) -> list[Refused | None]:
    """Keep the addresses of payments' pages at the provider."""
    await tx.ask(store.pages_opened(shop_id, pages))
    return [None] * len(pages)


async def request_refunds(
    tx: Transaction, shop_id: ShopId, requests: Sequence[RefundRequest], now: datetime
) -> list[Refused | None]:
    """Ask for money to go back to buyers of shop_id's orders; it is sent soon after. The same id asks once.

    Refusals: PaymentUnpaid, RefundTooHigh, IdReused.
    """
    await _open_caps(tx, shop_id, requests)
    caps, refunds = await tx.together(
        store.caps_locked(shop_id, {request.payment_id for request in requests}),
        store.refunds(shop_id, {request.id for request in requests}),
    )
    fresh: list[Refund] = []
    outcomes: list[Refused | None] = []
    for request in requests:
        refund = refunds.get(request.id)
        if refund is None:
            cap = caps.get((request.payment_shop_id, request.payment_id))
            refund = unpaid(request) if cap is None else cap.take(request, shop_id, now)
            if isinstance(refund, Refused):
                outcomes.append(refund)
                continue
            refunds[refund.id] = refund
            fresh.append(refund)
        outcomes.append(None if refund.answers(request) else reused(request))
    if fresh:
        touched = {(refund.payment_shop_id, refund.payment_id) for refund in fresh}
        await tx.together(*store.refunds_added(shop_id, fresh, [caps[payment] for payment in touched]))
    return outcomes


async def _open_caps(tx: Transaction, shop_id: ShopId, requests: Sequence[RefundRequest]) -> None:
    by_home: dict[ShopId, set[PaymentId]] = defaultdict(set)
    for request in requests:
        by_home[request.payment_shop_id].add(request.payment_id)
    await tx.together(*(store.caps_opened(shop_id, home, ids) for home, ids in sorted(by_home.items())))


async def record_refunds(tx: Transaction, shop_id: ShopId, told: Sequence[RefundTold], now: datetime) -> list[Refund]:
    """Record what the provider, or an operator, says of shop_id's refunds; answers them as they then stand.

    A refund that succeeds is told of by the event `payments.refunded`, in the same transaction.
    """
    refunds = await tx.ask(store.refunds_locked(shop_id, {word.id for word in told}))
    changed: dict[RefundId, Refund] = {}
    for word in told:
        before = refunds[word.id]
        after = refund_told(before, word, now)
        if after != before:
            refunds[word.id] = changed[word.id] = after
    if changed:
        await tx.ask(store.refunds_changed(shop_id, [(refund, _next_try(refund, now)) for refund in changed.values()]))
    done = [refund for refund in changed.values() if refund.state == "succeeded"]
    await emit(tx, shop_id, [("payments.refunded", _refunded(refund)) for refund in done], now)
    return [refunds[word.id] for word in told]


def _next_try(refund: Refund, now: datetime) -> datetime | None:
    if refund.state == "pending":
        return now
    return next_try(refund.attempts, now) if refund.state == "sent" else None


def _refunded(refund: Refund) -> Refunded:
    return Refunded(refund.id, refund.order_id, refund.payment_id, refund.amount_fen)


async def retry_refund(tx: Transaction, shop_id: ShopId, refund_id: RefundId, now: datetime) -> Refund:
    """Send a failed refund again; one that is on its way or done stays as it is. NotFound."""
    refund = (await tx.ask(store.refunds_locked(shop_id, [refund_id]))).get(refund_id)
    if refund is None:
        raise NotFound(f"shop {shop_id} has no refund {refund_id}")
    (refund,) = await record_refunds(tx, shop_id, [RefundTold(refund_id, refund.attempts, "retry")], now)
    return refund


async def settle_discrepancy(
    tx: Transaction, shop_id: ShopId, discrepancy_id: UUID, person_id: PersonId, note: str, now: datetime
) -> Discrepancy:
    """Keep who settled a discrepancy and how; the first word stands. NotFound."""
    discrepancy = await tx.ask(store.discrepancy_settled(shop_id, discrepancy_id, person_id, note, now))
    if discrepancy is None:
        raise NotFound(f"shop {shop_id} has no discrepancy {discrepancy_id}")
    return discrepancy


async def claim_payments(tx: Transaction, shop_id: ShopId, ids: Sequence[PaymentId], now: datetime) -> list[Payment]:
    """Those of the payments that are still due and in nobody else's hands: one ask more, their next turn put off."""
    rows = await tx.ask(store.payments_claimed(shop_id, ids, now))
    if not rows:
        return []
    parts = await tx.ask(store.parts(shop_id, [row.id for row in rows]))
    payments = store.joined(rows, parts)
    plans = [(row.id, next_ask(payments[row.id], row.asks + 1, now)) for row in rows]
    await tx.ask(store.asks_planned(shop_id, plans, now))
    return list(payments.values())


async def claim_refunds(tx: Transaction, shop_id: ShopId, ids: Sequence[RefundId], now: datetime) -> list[Refund]:
    """Those of the refunds that are still due and in nobody else's hands: one attempt more, their next turn put off."""
    due = (await tx.ask(store.refunds_claimed(shop_id, ids, now))).values()
    refunds = [replace(refund, attempts=refund.attempts + 1) for refund in due]
    if refunds:
        plans = [(refund, next_try(refund.attempts, now)) for refund in refunds]
        await tx.ask(store.refunds_changed(shop_id, plans))
    return refunds

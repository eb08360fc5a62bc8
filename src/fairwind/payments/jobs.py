"""Reconciliation: what the provider did not tell is asked for, and refunds are sent until the provider has them.

Whatever is due is first claimed: in one transaction its next turn is put off, so that of several servers one takes it,
and a server that dies on the way leaves it to the next turn. Everything carries an id of ours, so that a turn too many
does no harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from fairwind.kernel import Clock, Refused
from fairwind.payments.payment import Notice, Payment
from fairwind.payments.payments import Payments
from fairwind.payments.provider import ProviderDown, ProviderRefused, RefundStanding, Standing
from fairwind.payments.refund import Refund, RefundTold

log = structlog.get_logger(__name__)

_ROUND_MAX = 200
_AT_ONCE_MAX = 16

T = TypeVar("T")


class Reconciliation:
    """Two rounds of work, each to be run again and again."""

    def __init__(self, payments: Payments, clock: Clock) -> None:
        self._payments = payments
        self._clock = clock

    async def ask_about_payments(self) -> int:
        """Ask about payments whose outcome is overdue; answers how many."""
        due = await self._payments.payments_to_ask_about(self._clock.now(), _ROUND_MAX)
        await _some_at_once(self._ask_about, due)
        return len(due)

    async def move_refunds(self) -> int:
        """Send refunds that are pending, and ask about those that are sent; answers how many."""
        due = await self._payments.refunds_to_move(self._clock.now(), _ROUND_MAX)
        await _some_at_once(self._move, due)
        return len(due)

    async def _ask_about(self, payment: Payment) -> None:
        provider = self._payments.providers.get(payment.provider)
        if provider is None:
            log.warning("provider_not_configured", provider=payment.provider, payment_id=str(payment.id))
            return
        notice = self._heard(payment, await provider.query(payment))
        if notice is not None:
            misfit = await self._payments.hand_on(notice, by="query")
            if misfit is not None:
                log.warning("payment_misfit", code=misfit.code, detail=misfit.detail)

    def _heard(self, payment: Payment, standing: Standing) -> Notice | None:
        """The notice in what the provider said. What it never heard of and now never will cannot be paid any more."""
        if isinstance(standing, Notice):
            return standing
        now = self._clock.now()
        if standing == "unknown" and now >= payment.expires_at:
            return Notice(payment.id, payment.shop_id, payment.amount_fen, "closed", "", now, payment.provider)
        return None

    async def _move(self, refund: Refund) -> None:
        standing = await self._spoken_of(refund)
        if standing is not None and standing.word != "unknown":
            told = RefundTold(refund.id, refund.attempts, standing.word, standing.reason)
            after = await self._payments.record_refund(refund.shop_id, told)
            if after.state == "failed":
                log.warning("refund_failed", shop_id=refund.shop_id, refund_id=str(refund.id), reason=after.reason)

    async def _spoken_of(self, refund: Refund) -> RefundStanding | None:
        """What the provider says when the refund is sent, or asked about."""
        provider = self._payments.providers.get(refund.provider)
        if provider is None:
            log.warning("provider_not_configured", provider=refund.provider, refund_id=str(refund.id))
            return None
        if refund.state == "sent":
            standing = await provider.query_refund(refund)
            if standing.word != "unknown":
                return standing
        try:
            return await provider.refund(refund)
        except ProviderRefused as refusal:
            return RefundStanding("failed", refusal.detail)


async def _some_at_once(work: Callable[[T], Awaitable[None]], items: Sequence[T]) -> None:
    """work on every item, a few side by side; one that fails has its next turn and does not hold up the others."""
    slots = asyncio.Semaphore(_AT_ONCE_MAX)

    async def one(item: T) -> None:
        async with slots:
            try:
                await work(item)
            except (ProviderDown, ProviderRefused) as refusal:
                log.info("provider_no_answer", code=refusal.code, detail=refusal.detail)
            except Refused as refusal:
                log.info("reconciliation_put_off", code=refusal.code, detail=refusal.detail)
            except Exception:
                log.exception("reconciliation_failed")

    await asyncio.gather(*map(one, items))

"""The payment desk: pages opened at the provider, its words handed on, and what operators look after."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from fairwind.kernel import Gate, NotFound, PaymentId, PersonId, Platform, Query, RefundId, ShopId
from fairwind.payments import metrics, store
from fairwind.payments.commands import (
    claim_payments,
    claim_refunds,
    keep_pages,
    load,
    record_refunds,
    retry_refund,
    settle_discrepancy,
)
from fairwind.payments.payment import Discrepancy, Misfit, Notice, Payment, PaymentFinished, not_found
from fairwind.payments.provider import Provider
from fairwind.payments.refund import Refund, RefundTold

T = TypeVar("T")


class Payments:
    """Payments of all shops. providers: by name, as payments name them."""

    def __init__(self, platform: Platform, providers: Mapping[str, Provider]) -> None:
        self.providers = providers
        self._platform = platform
        self._deliver: Callable[[ShopId, Notice], Awaitable[None]] | None = None
        self._keep_page: Gate[ShopId, tuple[PaymentId, str], None] = platform.gate("keep_page", keep_pages)
        self.record_refund: Gate[ShopId, RefundTold, Refund] = platform.gate("record_refund", record_refunds)

    def deliver_to(self, handler: Callable[[ShopId, Notice], Awaitable[None]]) -> None:
        """Hand every notice to handler, which has recorded it for good when it answers."""
        self._deliver = handler

    async def open_page(self, shop_id: ShopId, payment_id: PaymentId) -> str:
        """The address of the provider's page where the payment is paid; safe to ask for again.

        Raises NotFound, PaymentFinished, ProviderDown or ProviderRefused.
        """
        return await self.page_of(await self.payment(shop_id, payment_id))

    async def page_of(self, payment: Payment) -> str:
        """The same for a payment that was just loaded or made."""
        if payment.state != "created":
            raise PaymentFinished(f"payment {payment.id} is {payment.state}: there is nothing left to pay")
        if payment.pay_url is not None:
            return payment.pay_url
        url = await self.providers[payment.provider].create(payment, self._platform.clock.now())
        await self._keep_page(payment.shop_id, (payment.id, url))
        return url

    async def take_callback(self, provider: str, headers: Mapping[str, str], body: bytes) -> Misfit | None:
        """Take a provider's callback; None once its notice is recorded.

        A Misfit is recorded too, for an operator, and sending it again would change nothing. Raises NotFound,
        CallbackUnsigned or CallbackMalformed, and what keeps us from recording: then it is to be sent again.
        """
        if provider not in self.providers:
            raise NotFound("there is no such payment provider here")
        return await self.hand_on(await self.providers[provider].read_callback(headers, body), by="callback")

    async def hand_on(self, notice: Notice, by: str) -> Misfit | None:
        """Have notice recorded; by: how it came, for the metrics."""
        assert self._deliver is not None, "somebody has to take notices before they come"
        try:
            await self._deliver(notice.shop_id, notice)
        except Misfit as misfit:
            metrics.NOTICES.labels(by, misfit.code).inc()
            return misfit
        metrics.NOTICES.labels(by, notice.outcome).inc()
        return None

    async def payment(self, shop_id: ShopId, payment_id: PaymentId) -> Payment:
        """The payment as it stands. Raises NotFound."""
        async with self._platform.database.transaction() as tx:
            payment = (await load(tx, shop_id, [payment_id])).get(payment_id)
        if payment is None:
            raise not_found(shop_id, payment_id)
        return payment

    # For operators.

    async def failed_refunds(self, after: tuple[ShopId, RefundId], limit: int) -> list[Refund]:
        return await self._ask(store.failed_refunds(after, limit))

    async def retry_refund(self, shop_id: ShopId, refund_id: RefundId) -> Refund:
        now = self._platform.clock.now()
        return await self._platform.database.run(lambda tx: retry_refund(tx, shop_id, refund_id, now))

    async def open_discrepancies(self, after: tuple[ShopId, UUID], limit: int) -> list[Discrepancy]:
        return await self._ask(store.open_discrepancies(after, limit))

    async def settle_discrepancy(
        self, shop_id: ShopId, discrepancy_id: UUID, person_id: PersonId, note: str
    ) -> Discrepancy:
        now = self._platform.clock.now()
        return await self._platform.database.run(
            lambda tx: settle_discrepancy(tx, shop_id, discrepancy_id, person_id, note, now)
        )

    # For reconciliation.

    async def payments_to_ask_about(self, now: datetime, limit: int) -> list[Payment]:
        """Payments whose outcome is overdue, each put off so that nobody else asks meanwhile."""
        due = await self._ask(store.payments_due(now, limit))
        run = self._platform.database.run
        claimed = [await run(lambda tx: claim_payments(tx, *shop, now)) for shop in due.items()]  # noqa: B023
        return [payment for payments in claimed for payment in payments]

    async def refunds_to_move(self, now: datetime, limit: int) -> list[Refund]:
        """Refunds to send or to ask about, each put off so that nobody else does meanwhile."""
        due = await self._ask(store.refunds_due(now, limit))
        run = self._platform.database.run
        claimed = [await run(lambda tx: claim_refunds(tx, *shop, now)) for shop in due.items()]  # noqa: B023
        return [refund for refunds in claimed for refund in refunds]

    async def _ask(self, query: Query[T]) -> T:
        async with self._platform.database.transaction() as tx:
            return await tx.ask(query)

"""The sandbox as a provider of payments: pages, refunds and callbacks in its words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from fairwind.kernel import Fen, PaymentId, ShopId
from fairwind.payments.client.signed import SandboxClient
from fairwind.payments.payment import Notice, Payment
from fairwind.payments.provider import CallbackMalformed, RefundStanding, Standing
from fairwind.payments.refund import Refund
from fairwind.payments.sandbox.messages import PAYMENTS, REFUNDS, Order, OrderStatus, RefundOrder, RefundStatus

NAME = "sandbox"

_SHOP_MAX = 2**63 - 1


class SandboxProvider:
    """The sandbox provider, spoken to through client.

    callback_url: where it reports to; return_url: where it sends the buyer back to, given the payment.
    """

    def __init__(self, client: SandboxClient, *, callback_url: str, return_url: Callable[[Payment], str]) -> None:
        self._client = client
        self._callback_url = callback_url
        self._return_url = return_url

    async def create(self, payment: Payment, now: datetime) -> str:
        order = Order(
            reference=_reference(payment.shop_id, payment.id),
            amount_fen=payment.amount_fen,
            orders=tuple(str(part.order_id) for part in payment.parts),
            expires_in_s=max(1, int((payment.expires_at - now).total_seconds())),
            callback_url=self._callback_url,
            return_url=self._return_url(payment),
        )
        return (await self._client.order("create", "POST", PAYMENTS, order, OrderStatus)).pay_url

    async def query(self, payment: Payment) -> Standing:
        path = f"{PAYMENTS}/{_reference(payment.shop_id, payment.id)}"
        status = await self._client.ask("query", "GET", path, None, OrderStatus)
        if status is None:
            return "unknown"
        return "open" if status.state == "open" else _notice(payment.shop_id, payment.id, status)

    async def refund(self, refund: Refund) -> RefundStanding:
        reference = _reference(refund.payment_shop_id, refund.payment_id)
        order = RefundOrder(str(refund.id), reference, refund.amount_fen)
        status = await self._client.order("refund", "POST", REFUNDS, order, RefundStatus)
        return RefundStanding(status.state, status.reason)

    async def query_refund(self, refund: Refund) -> RefundStanding:
        status = await self._client.ask("query_refund", "GET", f"{REFUNDS}/{refund.id}", None, RefundStatus)
        return RefundStanding(status.state, status.reason) if status else RefundStanding("unknown")

    async def read_callback(self, headers: Mapping[str, str], body: bytes) -> Notice:
        status = await self._client.read_callback(headers, body, OrderStatus)
        try:
            shop_id, payment_id = _read_reference(status.reference)
        except ValueError as error:
            raise CallbackMalformed(f"the callback cannot be understood: {error}") from None
        if status.state == "open":
            raise CallbackMalformed("the callback tells of no outcome")
        return _notice(shop_id, payment_id, status)


def _notice(shop_id: ShopId, payment_id: PaymentId, status: OrderStatus) -> Notice:
    assert status.state != "open"
    return Notice(payment_id, shop_id, Fen(status.amount_fen), status.state, status.trade_no, status.at, NAME)


def _reference(shop_id: ShopId, payment_id: PaymentId) -> str:
    """Our name for a payment at the provider: its shop and its id."""
    return f"{shop_id}-{payment_id}"


def _read_reference(reference: str) -> tuple[ShopId, PaymentId]:
    shop, _, payment = reference.partition("-")
    shop_id = int(shop)
    if not 0 < shop_id <= _SHOP_MAX:
        raise ValueError("no shop has such an id")
    return ShopId(shop_id), PaymentId(UUID(payment))

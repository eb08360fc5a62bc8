"""The sandbox provider as Fairwind speaks to it: signed JSON over kept connections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from time import perf_counter
from typing import TypeVar
from uuid import UUID

import aiohttp
import msgspec

from fairwind.kernel import Clock, Fen, PaymentId, ShopId
from fairwind.payments import metrics
from fairwind.payments.payment import Notice, Payment
from fairwind.payments.provider import (
    CallbackMalformed,
    CallbackUnsigned,
    ProviderDown,
    ProviderRefused,
    RefundStanding,
    Standing,
)
from fairwind.payments.refund import Refund
from fairwind.payments.sandbox.messages import PAYMENTS, REFUNDS, Failure, Order, OrderStatus, RefundOrder, RefundStatus
from fairwind.payments.signature import CALLBACK, flaw, signed

NAME = "sandbox"

_TIMEOUT_S = 5
_CONNECTIONS_MAX = 64
_IDLE_MAX_S = 3
"""Less than the provider waits for: it must not close a connection at the moment at which we ask by it."""
_SHOP_MAX = 2**63 - 1

T = TypeVar("T")


class SandboxProvider:
    """The sandbox provider at url.

    key: fetches the secret that we share with it. callback_url: where it reports to; return_url: where it sends the
    buyer back to, given the payment. clock: the real one, also where the platform's is moved ahead, since the provider
    in its own process looks at no other.
    """

    def __init__(
        self,
        url: str,
        key: Callable[[], Awaitable[bytes]],
        *,
        callback_url: str,
        return_url: Callable[[Payment], str],
        clock: Clock,
    ) -> None:
        self._fetch_key = key
        self._key: bytes | None = None
        self._callback_url = callback_url
        self._return_url = return_url
        self._clock = clock
        self._url = url
        self._opened: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()

    async def create(self, payment: Payment, now: datetime) -> str:
        order = Order(
            reference=_reference(payment.shop_id, payment.id),
            amount_fen=payment.amount_fen,
            orders=tuple(str(part.order_id) for part in payment.parts),
            expires_in_s=max(1, int((payment.expires_at - now).total_seconds())),
            callback_url=self._callback_url,
            return_url=self._return_url(payment),
        )
        return _found(await self._ask("create", "POST", PAYMENTS, order, OrderStatus)).pay_url

    async def query(self, payment: Payment) -> Standing:
        path = f"{PAYMENTS}/{_reference(payment.shop_id, payment.id)}"
        status = await self._ask("query", "GET", path, None, OrderStatus)
        if status is None:
            return "unknown"
        return "open" if status.state == "open" else _notice(payment.shop_id, payment.id, status)

    async def refund(self, refund: Refund) -> RefundStanding:
        reference = _reference(refund.payment_shop_id, refund.payment_id)
        order = RefundOrder(str(refund.id), reference, refund.amount_fen)
        status = _found(await self._ask("refund", "POST", REFUNDS, order, RefundStatus))
        return RefundStanding(status.state, status.reason)

    async def query_refund(self, refund: Refund) -> RefundStanding:
        status = await self._ask("query_refund", "GET", f"{REFUNDS}/{refund.id}", None, RefundStatus)
        return RefundStanding(status.state, status.reason) if status else RefundStanding("unknown")

    async def read_callback(self, headers: Mapping[str, str], body: bytes) -> Notice:
        wrong = flaw(await self._shared_key(), CALLBACK, headers, body, self._clock.now())
        if wrong is not None:
            raise CallbackUnsigned(f"the callback was not taken: {wrong}")
        try:
            status = msgspec.json.decode(body, type=OrderStatus)
            shop_id, payment_id = _read_reference(status.reference)
        except (msgspec.MsgspecError, ValueError) as error:
            raise CallbackMalformed(f"the callback cannot be understood: {error}") from None
        if status.state == "open":
            raise CallbackMalformed("the callback tells of no outcome")
        return _notice(shop_id, payment_id, status)

    async def _shared_key(self) -> bytes:
        if self._key is None:
            self._key = await self._fetch_key()
        return self._key

    async def _ask(self, operation: str, method: str, path: str, asked: object, answer: type[T]) -> T | None:
        """What the provider answers; None for what it has never heard of. Raises ProviderDown or ProviderRefused."""
        started = perf_counter()
        try:
            answered = await self._send(method, path, asked, answer)
        except (ProviderDown, ProviderRefused) as refusal:
            metrics.PROVIDER_S.labels(operation, refusal.code).observe(perf_counter() - started)
            raise
        metrics.PROVIDER_S.labels(operation, "answered").observe(perf_counter() - started)
        return answered

    async def _send(self, method: str, path: str, asked: object, answer: type[T]) -> T | None:
        body = b"" if asked is None else msgspec.json.encode(asked)
        headers = signed(await self._shared_key(), f"{method} {path}", body, self._clock.now())
        try:
            status, content = await self._exchange(method, path, body, headers)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ProviderDown(f"the payment provider did not answer ({type(error).__name__}); try again") from error
        if status == HTTPStatus.NOT_FOUND:
            return None
        if status == HTTPStatus.CONFLICT:
            raise ProviderRefused(f"the payment provider refused: {_reason(content)}")
        if not 200 <= status < 300:
            raise ProviderDown(f"the payment provider answered {status}: {_reason(content)}; try again")
        try:
            return msgspec.json.decode(content, type=answer)
        except msgspec.MsgspecError as error:
            raise ProviderDown(f"the payment provider's answer cannot be understood: {error}; try again") from error

    async def _exchange(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        request = self._http().request(method, path, data=body or None, headers=headers, allow_redirects=False)
        async with request as response:
            return response.status, await response.read()

    def _http(self) -> aiohttp.ClientSession:
        # Opened on first use: a session belongs to a running event loop, and a provider is made before there is one.
        if self._opened is None:
            self._opened = aiohttp.ClientSession(
                self._url,
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS_MAX, keepalive_timeout=_IDLE_MAX_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._opened


def _found(status: T | None) -> T:
    if status is None:
        raise ProviderDown("the payment provider has no such address; try again")
    return status


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


def _reason(content: bytes) -> str:
    try:
        return msgspec.json.decode(content, type=Failure).error
    except msgspec.MsgspecError:
        return "no reason given"

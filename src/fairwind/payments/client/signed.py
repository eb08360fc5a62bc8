"""Signed JSON over kept connections: how anything is asked of the sandbox provider."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from time import perf_counter
from typing import TypeVar

import aiohttp
import msgspec

from fairwind.kernel import Clock
from fairwind.payments import metrics
from fairwind.payments.provider import CallbackMalformed, CallbackUnsigned, ProviderDown, ProviderRefused
from fairwind.payments.sandbox.messages import Failure
from fairwind.payments.signature import CALLBACK, flaw, signed

_TIMEOUT_S = 5.0
_CONNECTIONS_MAX = 64
_IDLE_MAX_S = 3
"""Less than the provider waits for: it must not close a connection at the moment at which we ask by it."""

T = TypeVar("T")


class SandboxClient:
    """Whoever speaks to the sandbox provider at url does it through one of these.

    key: fetches the secret that we share with it. clock: the real one, also where the platform's is moved ahead, since
    the provider in its own process looks at no other. timeout_s: the longest wait for an answer.
    """

    def __init__(
        self, url: str, key: Callable[[], Awaitable[bytes]], *, clock: Clock, timeout_s: float = _TIMEOUT_S
    ) -> None:
        self._fetch_key = key
        self._key: bytes | None = None
        self._clock = clock
        self._url = url
        self._timeout_s = timeout_s
        self._opened: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()

    async def ask(self, operation: str, method: str, path: str, asked: object, answer: type[T]) -> T | None:
        """What the provider answers; None for what it has never heard of. Raises ProviderDown or ProviderRefused.

        operation: what it is called in the metrics; asked: what to send, None for nothing.
        """
        started = perf_counter()
        try:
            answered = await self._send(method, path, asked, answer)
        except (ProviderDown, ProviderRefused) as refusal:
            metrics.PROVIDER_S.labels(operation, refusal.code).observe(perf_counter() - started)
            raise
        metrics.PROVIDER_S.labels(operation, "answered").observe(perf_counter() - started)
        return answered

    async def order(self, operation: str, method: str, path: str, asked: object, answer: type[T]) -> T:
        """The same at an address that is always there."""
        answered = await self.ask(operation, method, path, asked, answer)
        if answered is None:
            raise ProviderDown("the payment provider has no such address; try again")
        return answered

    async def read_callback(self, headers: Mapping[str, str], body: bytes, shape: type[T]) -> T:
        """What a callback says, else CallbackUnsigned or CallbackMalformed. headers: names in lower case."""
        wrong = flaw(await self._shared_key(), CALLBACK, headers, body, self._clock.now())
        if wrong is not None:
            raise CallbackUnsigned(f"the callback was not taken: {wrong}")
        try:
            return msgspec.json.decode(body, type=shape)
        except msgspec.MsgspecError as error:
            raise CallbackMalformed(f"the callback cannot be understood: {error}") from None

    async def _shared_key(self) -> bytes:
        if self._key is None:
            self._key = await self._fetch_key()
        return self._key

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
        # Opened on first use: a session belongs to a running event loop, and a client is made before there is one.
        if self._opened is None:
            self._opened = aiohttp.ClientSession(
                self._url,
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS_MAX, keepalive_timeout=_IDLE_MAX_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._opened


def _reason(content: bytes) -> str:
    try:
        return msgspec.json.decode(content, type=Failure).error
    except msgspec.MsgspecError:
        return "no reason given"

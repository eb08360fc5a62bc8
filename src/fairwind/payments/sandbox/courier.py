"""Callbacks: sent side by side over kept connections, and again, ever later, until they are answered with a 2xx."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit

import aiohttp
import structlog

from fairwind.kernel import Clock
from fairwind.payments.sandbox.book import Book, Callback
from fairwind.payments.signature import CALLBACK, signed

log = structlog.get_logger(__name__)

_IN_FLIGHT_MAX = 64
_TIMEOUT_S = 10
_IDLE_MAX_S = 3
"""Less than the merchant's server waits for: it must not close a connection at the moment at which we use it."""
_SWEEP_S = 1.0
_EXPIRED_MAX = 500


class Courier:
    """Delivers what the book has to tell, and closes what expired."""

    def __init__(self, book: Book, key: bytes, clock: Clock) -> None:
        self._book = book
        self._key = key
        self._clock = clock
        self._woken = asyncio.Event()
        self._in_flight: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """There is something new to deliver."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled; what is in flight then is sent again by the next process."""
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
            connector=aiohttp.TCPConnector(limit=_IN_FLIGHT_MAX, keepalive_timeout=_IDLE_MAX_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        ) as client:
            swept_at = 0.0
            while True:
                self._woken.clear()
                now = self._now()
                if now - swept_at >= _SWEEP_S:
                    self._book.close_expired(now, _EXPIRED_MAX)
                    swept_at = now
                free = _IN_FLIGHT_MAX - len(self._in_flight)
                for callback in self._book.callbacks_due(now, free) if free else ():
                    self._send(client, callback)
                await self._pause()

    async def _pause(self) -> None:
        due_at = self._book.next_due_at() if len(self._in_flight) < _IN_FLIGHT_MAX else None
        pause_s = _SWEEP_S if due_at is None else min(_SWEEP_S, max(0.0, due_at - self._now()))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), pause_s)

    def _send(self, client: aiohttp.ClientSession, callback: Callback) -> None:
        task = asyncio.create_task(self._deliver(client, callback))
        self._in_flight.add(task)
        task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self.wake()

    async def _deliver(self, client: aiohttp.ClientSession, callback: Callback) -> None:
        headers = signed(self._key, CALLBACK, callback.body, self._clock.now())
        headers["content-type"] = "application/json"
        try:
            sending = client.post(callback.url, data=callback.body, headers=headers, allow_redirects=False)
            async with sending as response:
                await response.read()  # or its connection could not be used again
                said = str(response.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            said = type(error).__name__
        if said.startswith("2"):
            self._book.delivered(callback)
            return
        self._book.undelivered(callback, self._now())
        log.info("callback_undelivered", to=urlsplit(callback.url).netloc, said=said, attempts=callback.attempts + 1)

    def _now(self) -> float:
        return self._clock.now().timestamp()

"""A client's connection: uvicorn's, with a bound on what a client may send that never becomes a request.

uvicorn's fast parser gathers a header of any length, ever more slowly, and waits for its end for ever: without a bound
one connection stops the server for everyone. Where a proxy stands in front, it has bounds of its own.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

UNREAD_BYTES_MAX = 1 << 16
"""Of a head, or of what stands between the parts of a body."""
UNREAD_MAX_S = 15.0
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 32\r\n\r\nThe head is larger than 64 KiB.\n"
)


class Connection(HttpToolsProtocol):
    """Ends when too many bytes came, or too long ago, since the parser last made something of them."""

    _unread_bytes = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # One that never says anything is idle from the beginning.
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        self._unread_bytes += len(data)
        super().data_received(data)
        if not self._unread_bytes or self.transport.is_closing():
            return
        if self._unread_bytes > UNREAD_BYTES_MAX:
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(UNREAD_MAX_S, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_keepalive_if_required()
        self._made_something()
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        self._made_something()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._made_something()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._made_something()
        super().on_message_complete()

    def _made_something(self) -> None:
        self._unread_bytes = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

"""The crowd's way to the servers: HTTP/1.1 over kept connections, parsed by httptools.

httpx would be the natural choice, but it costs about a millisecond of CPU a request, and the crowd shares its machine
with the server it visits.
"""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple, cast
from urllib.parse import urlencode, urlsplit

import httptools
import msgspec

from fairwind.identity import SESSION_COOKIE

_TIMEOUT_S = 30


class Answer(NamedTuple):
    """What a server answered. location: where it sends the visitor on to."""

    status: int
    body: bytes
    location: str = ""

    @property
    def ok(self) -> bool:
        return self.status < 400

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        """The refusal's code; of another server, the status."""
        try:
            return str(self.json()["code"])
        except (msgspec.DecodeError, KeyError, TypeError):
            return f"http_{self.status}"


class Client:
    """Asks one server. Repeats a request whose connection broke, so requests must bear being repeated."""

    def __init__(self, url: str, *, connections_max: int = 200) -> None:
        self._address = urlsplit(url)
        self._places = asyncio.Semaphore(connections_max)
        self._idle: list[_Connection] = []

    async def ask(self, method: str, path: str, body: object = None, *, session: str = "") -> Answer:
        """The answer to a request with a JSON body, as whoever holds the session token. Raises OSError."""
        return await self._ask(
            method, path, b"" if body is None else msgspec.json.encode(body), "application/json", session
        )

    async def send_form(self, path: str, fields: dict[str, str]) -> Answer:
        """The answer to a form that was filled in. Raises OSError."""
        return await self._ask("POST", path, urlencode(fields).encode(), "application/x-www-form-urlencoded", "")

    def close(self) -> None:
        while self._idle:
            self._idle.pop().abort()

    async def _ask(self, method: str, path: str, body: bytes, content_type: str, session: str) -> Answer:
        cookie = f"cookie: {SESSION_COOKIE}={session}\r\n" if session else ""
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: {self._address.netloc}\r\naccept: application/json\r\n{cookie}"
            f"content-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        async with self._places, asyncio.timeout(_TIMEOUT_S):
            try:
                return await self._exchange(head.encode() + body)
            except ConnectionError:
                return await self._exchange(head.encode() + body)

    async def _exchange(self, request: bytes) -> Answer:
        connection = self._idle.pop() if self._idle else await self._connect()
        try:
            answer = await connection.exchange(request)
        except BaseException:
            connection.abort()
            raise
        if connection.usable:
            self._idle.append(connection)
        return answer

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        assert self._address.hostname
        _, connection = await loop.create_connection(_Connection, self._address.hostname, self._address.port or 80)
        return connection


class _Connection(asyncio.Protocol):
    """One connection with at most one request under way."""

    def __init__(self) -> None:
        self.usable = True
        self._transport: asyncio.Transport
        self._answer: asyncio.Future[Answer] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._location = ""

    async def exchange(self, request: bytes) -> Answer:
        if not self.usable:
            raise ConnectionResetError("the server closed the connection")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def abort(self) -> None:
        self.usable = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.abort()

    def connection_lost(self, _: Exception | None) -> None:
        self.usable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("the server closed the connection"))

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"location":
            self._location = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        self._body.append(part)

    def on_message_complete(self) -> None:
        answer = Answer(self._parser.get_status_code(), b"".join(self._body), self._location)
        self._body.clear()
        self._location = ""
        if not self._parser.should_keep_alive():
            self.abort()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

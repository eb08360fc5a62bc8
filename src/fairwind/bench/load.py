"""A load generator, in a process of its own so that it disturbs the server it measures as little as it can.

`python -m fairwind.bench.load` reads a `Load` as JSON from standard input and writes a `Measured` as JSON to standard
output; `measure` does both from another process. A closed loop sends a connection's next request when the last is
answered. With a rate, requests are due at fixed times whether or not answers come, and latency counts from when a
request was due: a server that stalls cannot hide it by slowing its clients down.
"""

from __future__ import annotations

import asyncio
import gc
import re
import sys
from array import array
from collections import Counter, deque
from itertools import cycle
from random import getrandbits
from time import perf_counter, process_time, time
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import msgspec
import uvloop

NEW_ID = "$new-id"
"""Stands for a fresh UUIDv7 in a request's path or body; the same one everywhere in a request."""
_ID_LENGTH = 36
_COOKIE = b"$cookie"
_TICK_S = 0.001
_DRAIN_S = 10.0
_RECONNECT_S = 0.05


class LoadError(Exception):
    """The load could not be made; the message says why."""


class Request(msgspec.Struct, frozen=True):
    """One request to send again and again. body: JSON text."""

    method: str
    path: str
    body: str = ""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What to send where.

    requests and cookies are taken in turn by all connections together. rate_per_s: requests due per second in all;
    None for a closed loop. headers: sent with every request.
    """

    url: str
    requests: list[Request]
    cookies: list[str] = []
    headers: dict[str, str] = {}
    connections: int = 256
    warm_up_s: float = 2.0
    seconds: float = 10.0
    rate_per_s: float | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What came back between the end of the warm-up and the end of the load.

    acknowledged_per_s: answers with 200 or 201. Latencies are of all requests due in that time, also those answered
    after it. unanswered: broken connections and answers that never came. samples: the first answer of each other
    status. client_us: the generator's own CPU time for a request.
    """

    acknowledged_per_s: float
    answered_per_s: float
    statuses: dict[int, int]
    unanswered: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    client_us: float
    samples: dict[int, str]


async def measure(load: Load) -> Measured:
    """Run load in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        answer, _ = await process.communicate(msgspec.json.encode(load))
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise LoadError(f"the load generator ended with {process.returncode}; its messages are above")
    return msgspec.json.decode(answer, type=Measured)


class Answer(NamedTuple):
    """The first response of a buffer: its status, where its body starts, where it ends, whether more may follow."""

    status: int
    body: int
    end: int
    keep_alive: bool


_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_NO_BODY = (204, 304)
_ACKNOWLEDGED = (200, 201)


def answer_in(buffer: bytes) -> Answer | None:
    """The first HTTP/1.1 response in buffer, or None while it is incomplete; ValueError when it is none."""
    head = buffer.find(b"\r\n\r\n")
    if head < 0:
        return None
    if not buffer.startswith(b"HTTP/1."):
        raise ValueError("not an HTTP/1 response")
    status, body = int(buffer[9:12]), head + 4
    if length := _LENGTH.search(buffer, 0, body):
        end = body + int(length[1])
    elif _CHUNKED.search(buffer, 0, body):
        end = _end_of_chunks(buffer, body)
    elif status in _NO_BODY:
        end = body
    else:
        raise ValueError("a response without a length")
    if not body <= end <= len(buffer):
        return None
    return Answer(status, body, end, _CLOSE.search(buffer, 0, body) is None)


def _end_of_chunks(buffer: bytes, at: int) -> int:
    """Where a chunked body ends, or -1 while it is incomplete."""
    while (line := buffer.find(b"\r\n", at)) >= 0:
        size = int(buffer[at:line].partition(b";")[0], 16)
        at = line + 2 + size + 2
        if size == 0:  # trailers are not sent to us
            return at
    return -1


class _Generator:
    """Makes requests, knows when each is due, and counts the answers."""

    def __init__(self, load: Load, started: float) -> None:
        self.measured_from = started + load.warm_up_s
        self.measured_until = self.measured_from + load.seconds
        self.latencies_s = array("d")
        self.statuses: Counter[int] = Counter()
        self.samples: dict[int, str] = {}
        self.sent = 0
        self.answered = 0
        self.unanswered = 0
        self._started = started
        self._rate_per_s = load.rate_per_s
        self._templates = cycle(_templates(load))
        self._cookies = cycle([f"cookie: {cookie}\r\n".encode() for cookie in load.cookies] or [b""])
        self._waiting: deque[float] = deque()
        self._idle: deque[_Connection] = deque()

    def next_request(self) -> bytes:
        self.sent += 1
        return next(self._templates) % {b"cookie": next(self._cookies), b"id": _new_id()}

    def ready(self, connection: _Connection) -> None:
        """connection can take a request: the one that waits longest, or in a closed loop one that is due now."""
        now = perf_counter()
        if now >= self.measured_until:
            return
        if self._rate_per_s is None:
            connection.send(now)
        elif self._waiting:
            connection.send(self._waiting.popleft())
        else:
            self._idle.append(connection)

    def lost(self, connection: _Connection, due: float | None) -> None:
        """connection was cut while the request due then was under way."""
        if connection in self._idle:
            self._idle.remove(connection)
        if due is not None:
            self.answered += 1
            self.unanswered += due >= self.measured_from

    async def keep_rate(self, rate_per_s: float) -> None:
        """Let requests become due at rate_per_s until the end; those that found no connection stay unanswered."""
        count = 0
        while (now := perf_counter()) < self.measured_until:
            due_count = int((now - self._started) * rate_per_s)
            for due in [self._started + k / rate_per_s for k in range(count, due_count)]:
                if self._idle:
                    self._idle.popleft().send(due)
                else:
                    self._waiting.append(due)
            count = due_count
            await asyncio.sleep(_TICK_S)
        self.unanswered += sum(due >= self.measured_from for due in self._waiting)

    def answer(self, due: float, status: int, body: bytes) -> None:
        now = perf_counter()
        self.answered += 1
        if due >= self.measured_from:
            self.latencies_s.append(now - due)
        if self.measured_from <= now < self.measured_until:
            self.statuses[status] += 1
        if status not in _ACKNOWLEDGED and status not in self.samples:
            self.samples[status] = body[:500].decode(errors="replace")


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self, generator: _Generator) -> None:
        self.lost = asyncio.get_running_loop().create_future()
        self._generator = generator
        self._transport: asyncio.Transport
        self._buffer = b""
        self._due: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._generator.ready(self)

    def send(self, due: float) -> None:
        self._due = due
        self._transport.write(self._generator.next_request())

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data
        answer = answer_in(data)
        if answer is None:
            self._buffer = data
            return
        if self._due is None or answer.end < len(data):
            raise LoadError("an answer that nothing asked for")
        self._buffer = b""
        due, self._due = self._due, None
        self._generator.answer(due, answer.status, data[answer.body :])
        if answer.keep_alive:
            self._generator.ready(self)
        else:
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        self._generator.lost(self, self._due)
        self.lost.set_result(None)


async def _generate(load: Load) -> Measured:
    used_s = process_time()
    generator = _Generator(load, perf_counter())
    connections = [asyncio.create_task(_keep_connected(load.url, generator)) for _ in range(load.connections)]
    pace = asyncio.create_task(generator.keep_rate(load.rate_per_s)) if load.rate_per_s else None
    await asyncio.sleep(generator.measured_until - perf_counter())
    if pace:
        await pace
    await _drained(generator)
    failures = [task.exception() for task in connections if task.done()]
    for task in connections:
        task.cancel()
    await asyncio.gather(*connections, return_exceptions=True)
    if not generator.answered:
        raise LoadError(f"no answer from {load.url}: {next(iter(failures), 'nothing came')}")
    return _measured(load, generator, process_time() - used_s)


async def _keep_connected(url: str, generator: _Generator) -> None:
    address = urlsplit(url)
    assert address.hostname
    loop = asyncio.get_running_loop()
    while perf_counter() < generator.measured_until:
        try:
            _, connection = await loop.create_connection(
                lambda: _Connection(generator), address.hostname, address.port or 80
            )
        except OSError:
            if not generator.answered:
                raise
        else:
            await connection.lost
        await asyncio.sleep(_RECONNECT_S)


async def _drained(generator: _Generator) -> None:
    """Give the requests under way time to be answered; count those that are not."""
    until = perf_counter() + _DRAIN_S
    while generator.answered < generator.sent and perf_counter() < until:  # noqa: ASYNC110  an event would cost every answer
        await asyncio.sleep(_TICK_S)
    generator.unanswered += generator.sent - generator.answered


def _measured(load: Load, generator: _Generator, used_s: float) -> Measured:
    latencies_ms = sorted(1000 * latency_s for latency_s in generator.latencies_s) or [0.0]
    return Measured(
        acknowledged_per_s=sum(generator.statuses[status] for status in _ACKNOWLEDGED) / load.seconds,
        answered_per_s=generator.statuses.total() / load.seconds,
        statuses=dict(sorted(generator.statuses.items())),
        unanswered=generator.unanswered,
        p50_ms=latencies_ms[(len(latencies_ms) - 1) // 2],
        p99_ms=latencies_ms[(len(latencies_ms) - 1) * 99 // 100],
        max_ms=latencies_ms[-1],
        client_us=used_s / generator.sent * 1e6,
        samples=generator.samples,
    )


def _templates(load: Load) -> list[bytes]:
    """Each request's bytes with places for %(cookie)b and %(id)b."""
    common = {"host": urlsplit(load.url).netloc, "content-type": "application/json"} | load.headers
    templates = []
    for request in load.requests:
        body = request.body.encode()
        length = len(body) + body.count(NEW_ID.encode()) * (_ID_LENGTH - len(NEW_ID))
        lines = [f"{name}: {value}\r\n" for name, value in {**common, "content-length": str(length)}.items()]
        head = f"{request.method} {request.path} HTTP/1.1\r\n" + "".join(lines)
        text = (head.encode() + _COOKIE + b"\r\n" + body).replace(b"%", b"%%")
        templates.append(text.replace(_COOKIE, b"%(cookie)b").replace(NEW_ID.encode(), b"%(id)b"))
    return templates


def _new_id() -> bytes:
    """A UUIDv7 in its text form, made for speed."""
    milliseconds, noise = int(time() * 1000), getrandbits(74)
    return b"%08x-%04x-7%03x-%04x-%012x" % (
        milliseconds >> 16,
        milliseconds & 0xFFFF,
        noise >> 62,
        0x8000 | noise >> 48 & 0x3FFF,
        noise & 0xFFFF_FFFF_FFFF,
    )


def main() -> None:
    """Read a Load, make it, write what was measured."""
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    gc.disable()  # a pause would be taken for the server's
    try:
        measured = uvloop.run(_generate(load))
    except LoadError as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(msgspec.json.encode(measured))


if __name__ == "__main__":
    main()

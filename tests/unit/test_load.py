"""The load generator: it reads every form of answer, counts what came, and does not hide a stall."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwind.bench.load import NEW_ID, Answer, Load, LoadError, Request, answer_in, measure

PLAIN = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nabcd"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n10;x=y\r\n0123456789abcdef\r\n0\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("response", "status", "keep_alive"), [(PLAIN, 201, True), (CHUNKED, 200, True), (EMPTY, 204, False)]
)
def test_an_answer_is_read_whole_or_not_at_all(response: bytes, status: int, keep_alive: bool) -> None:
    body = response.index(b"\r\n\r\n") + 4

    assert all(answer_in(response[:end]) is None for end in range(len(response)))
    assert answer_in(response) == Answer(status, body, len(response), keep_alive)
    assert answer_in(response + b"HTTP/1.1 2") == Answer(status, body, len(response), keep_alive)


@given(body=st.binary(max_size=300), cuts=st.lists(st.integers(1, 40), min_size=1))
def test_chunks_of_any_size_end_where_they_end(body: bytes, cuts: list[int]) -> None:
    chunks, rest = b"", body
    for size in cuts:
        if rest[:size]:
            chunks += b"%x\r\n%b\r\n" % (len(rest[:size]), rest[:size])
        rest = rest[size:]
    response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"

    answer = answer_in(response + b"x")

    assert answer is not None
    assert answer.end == len(response)


@pytest.mark.parametrize("junk", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nwhere does it end?"])
def test_what_is_no_answer_is_an_error(junk: bytes) -> None:
    with pytest.raises(ValueError, match="response"):
        answer_in(junk)


Respond = Callable[[bytes, bytes], Awaitable[tuple[int, bytes]]]


@asynccontextmanager
async def server(respond: Respond) -> AsyncIterator[str]:
    """A server that answers each request's head and body with what respond says."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length"))
                status, body = await respond(head, await reader.readexactly(int(length.split(b":")[1])))
                writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


async def test_every_request_has_its_cookie_and_an_id_of_its_own() -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def respond(head: bytes, body: bytes) -> tuple[int, bytes]:
        seen.append((head, body))
        return (201, b"{}")

    async with server(respond) as url:
        orders = Request("PUT", f"/orders/{NEW_ID}", json.dumps({"id": NEW_ID, "note": "100 % 乘风"}))
        measured = await measure(
            Load(url=url, requests=[orders], cookies=["s=1", "s=2"], connections=4, warm_up_s=0.1, seconds=0.4)
        )

    ids = [UUID(json.loads(body)["id"]) for _, body in seen]
    assert measured.statuses.keys() == {201}
    assert measured.unanswered == 0
    assert 0 < measured.acknowledged_per_s * 0.4 <= len(seen)
    assert len(set(ids)) == len(ids)
    assert {one.version for one in ids} == {7}
    assert all(
        head.startswith(b"PUT /orders/%b HTTP/1.1\r\n" % str(one).encode())
        for (head, _), one in zip(seen, ids, strict=True)
    )
    assert {head.partition(b"\r\ncookie: ")[2][:3] for head, _ in seen} == {b"s=1", b"s=2"}


async def test_refusals_are_counted_apart_and_one_is_shown() -> None:
    async def respond(head: bytes, body: bytes) -> tuple[int, bytes]:
        return (409, b'{"code":"out_of_stock"}')

    async with server(respond) as url:
        measured = await measure(
            Load(url=url, requests=[Request("POST", "/x", "{}")], connections=2, warm_up_s=0.1, seconds=0.2)
        )

    assert measured.acknowledged_per_s == 0
    assert measured.answered_per_s > 0
    assert measured.samples == {409: '{"code":"out_of_stock"}'}


@pytest.mark.parametrize("rate_per_s", [None, 200.0])
async def test_with_a_rate_a_stall_counts_for_every_request_that_was_due_in_it(
    rate_per_s: float | None,
) -> None:
    answers = 0
    stalled = asyncio.Event()

    async def respond(head: bytes, body: bytes) -> tuple[int, bytes]:
        nonlocal answers
        answers += 1
        if answers == 40:
            await asyncio.sleep(0.4)
            stalled.set()
        return (200, b"{}")

    async with server(respond) as url:
        measured = await measure(
            Load(
                url=url,
                requests=[Request("POST", "/x", "{}")],
                connections=1,
                warm_up_s=0.0,
                seconds=0.8,
                rate_per_s=rate_per_s,
            )
        )

    assert stalled.is_set()
    assert measured.max_ms >= 390
    if rate_per_s is None:
        assert measured.p99_ms < 200, "one request of many saw the stall"
    else:
        assert measured.p99_ms > 300, "all that were due in the stall had to wait"


async def test_a_server_that_cuts_connections_is_counted_and_asked_again() -> None:
    answers = 0

    async def respond(head: bytes, body: bytes) -> tuple[int, bytes]:
        nonlocal answers
        answers += 1
        if answers % 5 == 0:
            raise ConnectionError
        return (200, b"{}")

    async with server(respond) as url:
        measured = await measure(
            Load(url=url, requests=[Request("POST", "/x", "{}")], connections=2, warm_up_s=0.0, seconds=0.5)
        )

    assert measured.unanswered > 1
    assert measured.acknowledged_per_s > 0


async def test_a_server_that_is_not_there_is_an_error() -> None:
    with pytest.raises(LoadError):
        await measure(
            Load(url="http://127.0.0.1:1", requests=[Request("GET", "/")], connections=1, warm_up_s=0, seconds=0.1)
        )

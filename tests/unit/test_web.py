"""The web app's own parts: what it reads from a request, what it says of a mistake, what it refuses to start with."""

from __future__ import annotations

import io
import json
import logging
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from fairwind.identity import Access, Role
from fairwind.kernel import Database, Platform, Refused, Settings, ShopId, SystemClock, Wiring
from fairwind.kernel.pages import BadCursor, Limit, page, read_cursor, write_cursor
from fairwind.orders.routes.shop import Moment
from fairwind.web import app as web_app
from fairwind.web.binding import INPUTS, bind
from fairwind.web.inputs import InvalidBody, InvalidQuery, decode
from fairwind.web.journal import Journal
from fairwind.web.problems import UnknownRoute, as_refusal


class Thing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(max_length=5)]
    counts: list[Annotated[int, Meta(ge=1)]] = []


@post("/shops/{shop_id:int}/things/{role:str}", opt={"access": Access.PUBLIC})
async def make(
    shop_id: FromPath[ShopId],
    role: FromPath[Role],
    data: JSONBody[Thing],
    tags: FromQuery[list[str] | None] = None,
    limit: FromQuery[Limit] = 20,
    since: FromQuery[Moment | None] = None,
    deep: FromQuery[bool] = False,
) -> Thing:
    """Make a thing."""
    return data


async def read(query: bytes = b"", body: bytes = b'{"name": "x"}', role: str = "buyer") -> dict[str, Any]:
    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", b"application/json")]
    scope: Any = {"path_params": {"shop_id": 7, "role": role}, "query_string": query, "headers": headers}
    inputs = bind(make, {}, 100).opt[INPUTS]
    return dict(await inputs.read(scope, receive))


async def test_path_query_and_body_become_what_the_handler_says() -> None:
    arguments = await read(b"tags=a&tags=b%20c&limit=7&since=2020-06-18T08:00:00Z&deep=true")

    assert arguments["shop_id"] == 7
    assert arguments["role"] is Role.BUYER
    assert arguments["data"] == Thing("x")
    assert arguments["tags"] == ["a", "b c"]
    assert (arguments["limit"], arguments["deep"]) == (7, True)
    assert arguments["since"].isoformat() == "2020-06-18T08:00:00+00:00"


@pytest.mark.parametrize("time", ["2020-06-18T08:00:00", "2020-06-18", "yesterday"])
async def test_a_time_says_its_zone(time: str) -> None:
    with pytest.raises(InvalidQuery, match="since must be a time such as 2026-01-31T08:00:00Z"):
        await read(f"since={time}".encode())


async def test_what_is_left_out_has_its_default() -> None:
    arguments = await read()

    assert (arguments["tags"], arguments["limit"], arguments["since"], arguments["deep"]) == (None, 20, None, False)


@pytest.mark.parametrize("query", [b"limit=%ff", b"&".join([b"tags=x"] * 200), b"limit=5&limit=5", b"other=1"])
async def test_a_query_that_is_not_asked_for_is_refused(query: bytes) -> None:
    with pytest.raises(InvalidQuery):
        await read(query)


async def test_a_path_that_names_nothing_is_unknown() -> None:
    with pytest.raises(UnknownRoute):
        await read(role="king")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"name": "too long"}', "name must be a text with a length <= 5"),
        (b'{"name": "x", "counts": [1, 0]}', "counts[1] must be a whole number >= 1"),
        (b'{"name": "x", "counts": ["1"]}', "counts[0] must be a whole number, not a text"),
        (b'{"name": "x", "counts": [1.5]}', "counts[0] must be a whole number, not a fraction"),
        (b'{"name": null}', "name must be a text, not null"),
        (b'{"nam": "x"}', "nam is not known here"),
        (b"[]", "the body must be an object, not a list"),
    ],
)
async def test_a_mistake_is_named_in_plain_words(body: bytes, detail: str) -> None:
    with pytest.raises(InvalidBody) as refused:
        await read(body=body)

    assert refused.value.detail == detail


@given(st.text(st.sampled_from('\0\\u0"a')), st.booleans())
def test_a_text_with_a_nul_is_refused_and_no_other(text: str, escaped: bool) -> None:
    body = json.dumps([text], ensure_ascii=escaped).encode()
    try:
        decode(body, msgspec.json.Decoder(list[str]))
        refused = False
    except InvalidBody:
        refused = True

    assert refused == ("\0" in text)


@given(
    st.tuples(
        st.integers(-(2**62), 2**62),
        st.uuids(),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    )
)
def test_a_cursor_comes_back_as_it_went(key: tuple[int, UUID, str]) -> None:
    assert read_cursor(write_cursor(key), tuple[int, UUID, str]) == key


@given(st.text())
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with suppress(BadCursor):
        read_cursor(text, tuple[datetime, UUID])


@pytest.mark.parametrize("key", [2**63, [1, 2**64], "a\0b"])
def test_a_forged_key_that_postgresql_cannot_hold_is_refused(key: object) -> None:
    with pytest.raises(BadCursor):
        read_cursor(write_cursor(key), object)


@given(st.lists(st.integers(1, 1000), unique=True, max_size=30), st.integers(1, 10))
def test_leafing_shows_everything_once(numbers: list[int], limit: int) -> None:
    numbers.sort()
    seen: list[int] = []
    after, more = 0, True
    while more:
        shown = page([number for number in numbers if number > after][: limit + 1], limit, lambda number: number)
        seen += shown.items
        more = shown.next_cursor is not None
        after = read_cursor(shown.next_cursor, int) or after

    assert seen == numbers


# What does not start


def built_with(handler: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wired = web_app.wire_all

    def wire_all(platform: Platform) -> dict[str, Wiring]:
        return {**wired(platform), "more": Wiring(handlers=[handler])}

    monkeypatch.setattr(web_app, "wire_all", wire_all)
    web_app.build(Platform(Database("postgresql://nobody@127.0.0.1:1/none"), SystemClock(), Settings()))


async def test_a_route_that_does_not_say_who_may_call_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    @get("/open-to-whom")
    async def forgotten() -> None: ...

    with pytest.raises(AssertionError, match="needs opt"):
        built_with(forgotten, monkeypatch)


async def test_a_route_for_members_names_their_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    @get("/of-which-shop", opt={"access": Access.SHOP_MEMBER})
    async def forgotten() -> None: ...

    with pytest.raises(AssertionError, match="shop_id"):
        built_with(forgotten, monkeypatch)


# What is told of errors


class UnstorableError(Exception):
    sqlstate = "22003"


class OwnError(Exception):
    sqlstate = "22012"


def test_a_value_that_cannot_be_stored_is_the_clients_mistake_and_a_division_by_zero_is_ours() -> None:
    assert as_refusal(UnstorableError()).status == 400
    assert as_refusal(OwnError("secret")).status == 500
    assert "secret" not in as_refusal(OwnError("secret")).detail


def test_a_refusal_is_answered_as_it_is() -> None:
    refusal = Refused("no")

    assert as_refusal(refusal) is refusal


async def test_the_journal_writes_a_line_per_request_without_the_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for form, expected in (("json", '"path":"/orders\\nx"'), ("text", "GET '/orders\\nx' 200 12.5 ms")):
        out = io.StringIO()
        journal = Journal(form, out)  # type: ignore[arg-type]
        journal.note("id-1", "127.0.0.1", "GET", "/orders", "/orders\nx", 200, 0.0125)
        journal.note("id-2", "127.0.0.1", "GET", "/orders", "/orders", 404, 0.1)
        assert out.getvalue() == ""
        journal.write()
        lines = out.getvalue().splitlines()
        assert len(lines) == 2
        assert expected in lines[0]
        assert "id-2" in lines[1]
        journal.write()
        assert len(out.getvalue().splitlines()) == 2

"""What every request meets, whatever it asks for: the door, refusals, health, metrics and the server's own pages."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from served import Client, Server

from fairwind.identity import Identity, Person
from fairwind.kernel import PersonId
from fairwind.web import connection

# Requests that another site's page may have made. The rows are those of Go's net/http.CrossOriginProtection.


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "OWN"}, False),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, True),
        ({"Origin": "OWN"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://["}, False),
        ({"Origin": "OWN.evil.example"}, False),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_page_of_another_site_changes_nothing(
    server: Server, buyer: Client, method: str, headers: dict[str, str], passes: bool
) -> None:
    headers = {name: value.replace("OWN", server.url) for name, value in headers.items()}

    answer = buyer.request(method, "/people/me", headers=headers)

    assert answer.json()["code"] == ("method_not_allowed" if passes else "cross_origin")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_reading_is_allowed_from_everywhere(buyer: Client, site: str) -> None:
    headers = {"Sec-Fetch-Site": site, "Origin": "https://evil.example"}

    assert buyer.get("/people/me", headers=headers).status_code == 200


def test_the_public_address_is_ones_own_behind_a_proxy(database_url: str) -> None:
    with Server(database_url, public_url="https://shop.example").running() as server:
        answers = [
            server.client().delete("/sessions/current", headers={"Origin": origin}).status_code
            for origin in ("https://shop.example", "http://shop.example", "https://shop.example.evil")
        ]

    assert answers == [204, 403, 403]


@pytest.fixture(scope="module")
def buyer(server: Server) -> Client:
    return server.someone("buyer")


# Request ids and headers


def test_every_answer_names_its_request_and_forbids_what_pages_need_not(server: Server) -> None:
    client = server.client()
    answers = [
        client.get("/"),
        client.get("/nothing-here"),
        client.get("/people/me"),
        client.post("/sessions", headers={"Sec-Fetch-Site": "cross-site"}),
        client.get("/products", params={"x": "\0"}),
    ]

    assert [answer.status_code for answer in answers] == [200, 404, 401, 403, 400]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert len(set(ids)) == len(ids)
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("order-42.retry_1", True), ("short", False), ("x" * 65, False), ("a b c d e f", False), ("<script>1", False)],
)
def test_a_well_formed_request_id_is_kept(server: Server, given: str, kept: bool) -> None:
    answer = server.client().get("/health/live", headers={"X-Request-Id": given})

    assert (answer.headers["x-request-id"] == given) is kept


# Bad input


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        (b"", 400, "invalid_body", "a JSON body is needed"),
        (b"{", 400, "invalid_body", "not JSON"),
        (b"null", 400, "invalid_body", "must be an object"),
        (b"\xff", 400, "invalid_body", "not JSON"),
        (b"{}", 400, "invalid_body", "login is missing"),
        (b'{"login": 5, "password": "x"}', 400, "invalid_body", "login must be a text, not a whole number"),
        (b'{"login": "lin", "password": "x", "more": 1}', 400, "invalid_body", "more is not known here"),
        (b'{"login": "l\\u0000n", "password": "x"}', 400, "invalid_body", "NUL"),
        (b'{"login": "l\\ud800n", "password": "x"}', 400, "invalid_body", "not JSON"),
        (b'{"login": "l\\\\u0000n", "password": "x"}', 401, "wrong_credentials", "check both"),
        (b"[" * 100_000, 400, "invalid_body", ""),
        (b'{"login": "' + b"x" * 1_000_000 + b'"}', 413, "body_too_large", "1,000,000"),
    ],
)
def test_a_bad_body_is_refused_in_plain_words(server: Server, body: bytes, status: int, code: str, words: str) -> None:
    answer = server.client().post("/sessions", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    "declared", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_body_that_a_form_could_send_is_refused(server: Server, declared: str) -> None:
    answer = server.client().post("/sessions", content=b"{}", headers={"Content-Type": declared})

    assert (answer.status_code, answer.json()["code"]) == (415, "wrong_content_type")


@pytest.mark.parametrize("declared", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_is_taken_however_it_is_spelt(server: Server, declared: str) -> None:
    answer = server.client().post("/sessions", content=b"{}", headers={"Content-Type": declared})

    assert answer.json()["code"] == "invalid_body"


@pytest.mark.parametrize(
    ("query", "field", "reason"),
    [
        ("limit=0", "limit", "must be a whole number >= 1"),
        ("limit=101", "limit", "must be a whole number <= 100"),
        ("limit=ten", "limit", "must be a whole number, not a text"),
        ("limit=1&limit=2", "limit", "is given more than once"),
        ("limt=1", "limt", "is not known here"),
        ("limit=" + "9" * 5000, "limit", "is a number out of range"),
        ("cursor=" + "x" * 513, "cursor", "must be a text with a length <= 512"),
    ],
)
def test_a_bad_query_is_refused_in_plain_words(server: Server, query: str, field: str, reason: str) -> None:
    answer = server.client().get(f"/products?{query}")

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_query")
    assert answer.json()["errors"] == [{"field": field, "reason": reason}]


@pytest.mark.parametrize(
    "number", ["0", "-1", "1_0", "+1", "%201", "01", "１", "9223372036854775808", "9" * 5000, "x", "%00"]
)
def test_what_is_no_id_is_no_address(server: Server, number: str) -> None:
    answer = server.client().get(f"/shops/{number}")

    assert answer.status_code in (400, 404)
    assert answer.json()["code"] in ("unknown_route", "bad_request")


def test_an_address_tells_which_methods_it_takes(server: Server) -> None:
    client = server.client()

    assert client.options("/people").headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert client.options("/sessions").headers["allow"] == "DELETE, OPTIONS, POST"
    refused = client.patch("/people")
    assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")
    assert set(refused.headers["allow"].split(", ")) == {"GET", "POST", "OPTIONS"}


def test_head_is_get_without_the_body(server: Server) -> None:
    client = server.client()

    for path, status in (("/health/live", 200), ("/people/me", 401), ("/nothing-here", 404)):
        got, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (status, b"")
        assert head.headers["content-length"] == got.headers["content-length"]
        assert head.headers["content-type"] == got.headers["content-type"]


def test_what_goes_wrong_inside_stays_inside(
    buyer: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("the secret ingredient")

    monkeypatch.setattr(Identity, "person", broken)

    answer = buyer.get("/people/me")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text


# Health, metrics, pages


def test_health_is_told_to_anyone(server: Server) -> None:
    for path in ("/health/live", "/health/ready"):
        answer = server.client().get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_server_whose_database_does_not_answer_is_alive_but_not_ready(database_url: str) -> None:
    with Server(database_url).running() as server:
        server.run(server.platform.database.close())
        live, ready = (server.client().get(f"/health/{each}") for each in ("live", "ready"))

    assert live.status_code == 200
    assert (ready.status_code, ready.json()["code"], ready.headers["retry-after"]) == (503, "unavailable", "1")


def test_a_server_that_stops_finishes_what_is_in_flight_and_takes_nothing_new(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, person = threading.Event(), Identity.person

    async def slow(identity: Identity, person_id: PersonId) -> Person:
        begun.set()
        await asyncio.sleep(0.5)
        return await person(identity, person_id)

    with ThreadPoolExecutor(1) as threads:
        with Server(database_url).running() as server:
            client = server.someone("buyer")
            monkeypatch.setattr(Identity, "person", slow)
            answer = threads.submit(client.get, "/people/me")
            assert begun.wait(10)
        assert answer.result(10).json() == client.person
    with pytest.raises(httpx.ConnectError):
        server.client().get("/health/live")


def test_metrics_are_for_collectors_on_this_machine_and_for_operators(server: Server, buyer: Client) -> None:
    through_a_proxy = {"X-Forwarded-For": "203.0.113.9"}
    server.client().get("/people/me")

    text = server.client().get("/metrics").text
    assert re.search(r'fairwind_request_seconds_count{method="GET",route="/people/me",status="401"} [1-9]', text)
    assert re.search(r'fairwind_refusals_total{code="sign_in_needed"} [1-9]', text)
    assert 'fairwind_batch_items_bucket{gate="sessions"' in text
    assert server.client().get("/metrics", headers=through_a_proxy).status_code == 403
    assert buyer.get("/metrics", headers=through_a_proxy).status_code == 403
    assert server.someone("operator").get("/metrics", headers=through_a_proxy).status_code == 200


def test_metrics_do_not_grow_with_made_up_addresses(server: Server) -> None:
    for number in range(20):
        server.client().get(f"/made-up-{number}")

    assert "made-up" not in server.client().get("/metrics").text


def test_the_pages_need_nothing_from_elsewhere(server: Server) -> None:
    client = server.client()
    pages = [client.get("/"), client.get("/docs"), client.get("/sign-in?next=/platform/statement.html")]

    linked = {link for page in pages for link in re.findall(r'(?:src|href)="([^"]+)"', page.text)}
    assert "/assets/swagger-ui-bundle.js" in linked
    for link in linked:
        assert link.startswith("/")
        answer = client.get(link)
        assert answer.status_code == 200, link
    for page in pages:
        assert page.headers["content-type"].startswith("text/html")
        policy = page.headers.get_list("content-security-policy")
        assert any("default-src 'none'" in each for each in policy)
        assert not re.search(r"<script>|\son\w+=", page.text)


def test_who_follows_a_link_signs_in_first_and_goes_on_from_there(server: Server) -> None:
    link = "/platform/statement.html?period=2020-06&lang=zh"
    browser = server.client()
    browser.headers["Sec-Fetch-Mode"] = "navigate"

    sent = browser.get(link)
    assert sent.status_code == 303
    assert sent.headers["location"] == f"/sign-in?{urlencode({'next': link})}"
    assert browser.get(sent.headers["location"]).status_code == 200
    # A program, a call of a script, and whoever is signed in and may not, get the problem as ever.
    assert server.client().get(link).status_code == 401
    assert browser.get(link, headers={"Sec-Fetch-Mode": "cors"}).status_code == 401
    assert browser.delete("/sessions").status_code == 401
    refused = server.someone("buyer").get(link, headers={"Sec-Fetch-Mode": "navigate"})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


def test_assets_are_only_those_of_the_pages(server: Server) -> None:
    for name in ("index.html", "..%2fapp.py", "swagger-ui.js"):
        assert server.client().get(f"/assets/{name}").status_code == 404


def test_assets_travel_packed_to_whom_can_unpack(server: Server) -> None:
    path = f"{server.url}/assets/pages.css"

    packed = httpx.get(path, headers={"Accept-Encoding": "gzip"})
    plain = httpx.get(path, headers={"Accept-Encoding": "identity"})

    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text


# What a client sends that never becomes a request.

_HEAD = b"POST /sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "start",
    [
        b"GET /health/live HTTP/1.1\r\nX-Endless: ",
        b"GET /health/live?",
        _HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;endless=",
        _HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Endless: ",
    ],
    ids=["header", "address", "chunk extension", "trailer"],
)
def test_a_head_without_end_is_cut_off(server: Server, start: bytes) -> None:
    """The parser gathers it in memory, more slowly with each piece, so that one connection could stop the server."""
    with connected(server) as line:
        line.sendall(start)
        with pytest.raises(ConnectionError):
            flood(line)


def test_a_head_that_trickles_in_is_not_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "UNREAD_MAX_S", 0.2)
    with connected(server) as line:
        line.sendall(b"GET /health/live HTTP/1.1\r\nX-Slow: ")

        assert line.recv(100) == b""


def test_a_head_that_pauses_is_answered(server: Server) -> None:
    with connected(server) as line:
        for piece in (b"GET /health/live HTTP/1.1\r\n", b"Host: x\r\nX-Long: " + b"a" * 50_000 + b"\r\n", b"\r\n"):
            line.sendall(piece)
            time.sleep(0.05)

        assert line.recv(100).startswith(b"HTTP/1.1 200")


def flood(line: socket.socket) -> None:
    for _ in range(200):
        line.sendall(b"a" * 65_536)
        time.sleep(0.005)


def connected(server: Server) -> socket.socket:
    host, _, port = server.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=10)

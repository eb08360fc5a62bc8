"""Signing up, in and out over HTTP, and who may look after people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from http.cookies import SimpleCookie
from uuid import uuid4

import httpx
import pytest
from served import PASSWORD, Client, Server


def new_login() -> str:
    return f"lin-{uuid4().hex}"


def sign_up(client: Client, **changed: object) -> httpx.Response:
    return client.post("/people", json={"login": new_login(), "password": PASSWORD, "name": "林小姐"} | changed)


@pytest.fixture
def another_server(database_url: str) -> Iterator[Server]:
    """A server of the test's own on the same database: its clock may be moved."""
    with Server(database_url, public_url="https://shop.example").running() as running:
        yield running


def test_someone_signs_up_out_and_in_again(server: Server) -> None:
    login, client = new_login(), server.client()
    signed_up = sign_up(client, login=login)
    assert signed_up.status_code == 201
    assert signed_up.json()["roles"] == ["buyer"]
    assert client.get("/people/me").json() == signed_up.json()

    assert client.delete("/sessions/current").status_code == 204
    assert client.get("/people/me").status_code == 401
    assert client.delete("/sessions/current").status_code == 204

    signed_in = client.post("/sessions", json={"login": login.upper(), "password": PASSWORD})
    assert signed_in.status_code == 201
    assert client.get("/people/me").json() == signed_up.json() == signed_in.json()


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(server: Server, another_server: Server) -> None:
    plain, secure = (sign_up(each.client()).headers["set-cookie"] for each in (server, another_server))

    for text, is_https in ((plain, False), (secure, True)):
        cookie = SimpleCookie(text)["fairwind_session"]
        assert cookie["httponly"]
        assert cookie["samesite"].lower() == "lax"
        assert cookie["path"] == "/"
        assert cookie["max-age"] == str(14 * 86_400)
        assert bool(cookie["secure"]) is is_https
        assert not cookie["domain"]
        assert len(cookie.value) >= 43


def test_the_cookie_goes_when_its_session_does(server: Server) -> None:
    client = server.someone("buyer")

    gone = client.delete("/sessions/current")

    assert "Max-Age=0" in gone.headers["set-cookie"]
    assert "fairwind_session" not in client.cookies


def test_signing_out_everywhere_ends_the_sessions_of_all_devices(server: Server) -> None:
    phone = server.someone("buyer")
    desk = server.signed_in(phone.id)
    other = server.someone("buyer")

    assert phone.delete("/sessions").status_code == 204

    assert desk.get("/people/me").status_code == 401
    assert other.get("/people/me").status_code == 200


def test_a_session_signed_out_on_one_server_is_gone_on_the_other(server: Server, another_server: Server) -> None:
    here = server.someone("buyer")
    there = another_server.client()
    there.cookies.set("fairwind_session", here.cookies["fairwind_session"])
    assert there.get("/people/me").status_code == 200

    here.delete("/sessions/current")

    assert there.get("/people/me").status_code == 401


def test_a_session_ends_when_it_is_not_used(another_server: Server) -> None:
    client = another_server.someone("buyer")
    another_server.clock.advance(timedelta(days=13))
    assert client.get("/people/me").status_code == 200
    another_server.clock.advance(timedelta(days=13))
    assert client.get("/people/me").status_code == 200
    another_server.clock.advance(timedelta(days=15))

    ended = client.get("/people/me")

    assert (ended.status_code, ended.json()["code"]) == (401, "sign_in_needed")


@pytest.mark.parametrize("cookie", ["", "x", "fairwind_session", "fairwind_session=", "fairwind_session=%00", "a=b; c"])
def test_a_cookie_that_makes_no_sense_is_nobodys(server: Server, cookie: str) -> None:
    assert server.client().get("/people/me", headers={"Cookie": cookie}).status_code == 401


def test_a_wrong_password_and_an_unknown_login_cannot_be_told_apart(server: Server) -> None:
    login = new_login()
    sign_up(server.client(), login=login)

    wrong, unknown = (
        server.client().post("/sessions", json={"login": each, "password": "wrong horse battery"})
        for each in (login, new_login())
    )

    def answer(response: httpx.Response) -> object:
        return response.status_code, {**response.json(), "request_id": ""}

    assert answer(wrong) == answer(unknown)
    assert wrong.json()["code"] == "wrong_credentials"
    assert "set-cookie" not in wrong.headers


def test_guesses_are_limited_over_both_servers(server: Server, another_server: Server) -> None:
    login = new_login()
    sign_up(server.client(), login=login)
    given = {"login": login, "password": "wrong horse battery"}

    codes = [each.client().post("/sessions", json=given).json()["code"] for each in [server, another_server] * 6]
    right = server.client().post("/sessions", json=given | {"password": PASSWORD})

    assert codes == ["wrong_credentials"] * 10 + ["too_many_attempts"] * 2
    assert right.status_code == 429
    assert 0 < int(right.headers["retry-after"]) <= 300
    assert right.json()["retry_after_s"] == int(right.headers["retry-after"])


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"roles": ["operator"]}, 400, "invalid_body"),
        ({"roles": []}, 400, "invalid_body"),
        ({"login": "a b c"}, 422, "invalid"),
        ({"login": "ab"}, 400, "invalid_body"),
        ({"password": "short"}, 400, "invalid_body"),
        ({"login": "lin@example.com", "password": "LIN@example.com"}, 422, "invalid"),
        ({"name": "\u200b"}, 422, "invalid"),
        ({"admin": True}, 400, "invalid_body"),
    ],
)
def test_a_sign_up_that_makes_no_sense_is_refused(
    server: Server, changed: dict[str, object], status: int, code: str
) -> None:
    refused = sign_up(server.client(), **changed)

    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert "set-cookie" not in refused.headers


def test_a_login_is_given_once(server: Server) -> None:
    login = new_login()

    answers = [sign_up(server.client(), login=each) for each in (login, login.upper())]

    assert [answer.status_code for answer in answers] == [201, 409]
    assert answers[1].json()["code"] == "login_taken"


def test_an_operator_finds_people_and_gives_and_takes_their_roles(server: Server) -> None:
    operator, someone = server.someone("operator"), server.someone("buyer")

    found = operator.get("/people", params={"login": someone.person["login"].upper()}).json()
    assert found == {"items": [someone.person], "next_cursor": None}

    path = f"/people/{someone.id}/roles/creator"
    assert operator.put(path).json()["roles"] == ["buyer", "creator"]
    assert someone.put("/rooms/mine", json={"title": "直播间"}).status_code == 200
    assert operator.delete(path).json()["roles"] == ["buyer"]
    assert someone.put("/rooms/mine", json={"title": "直播间"}).status_code == 403

    assert operator.put("/people/9000000000000000/roles/creator").json()["code"] == "not_found"
    assert operator.put(f"/people/{someone.id}/roles/king").json()["code"] == "unknown_route"


def test_people_come_in_pages_that_end(server: Server) -> None:
    operator = server.someone("operator")
    made = [server.someone("buyer").id for _ in range(3)]

    seen: list[int] = []
    cursor: str | None = None
    while True:
        page = operator.get("/people", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == sorted(set(seen))
    assert set(made) < set(seen)


@pytest.mark.parametrize("cursor", ["", "x", "!!!", "bnVsbA", "WzFd", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk"])
def test_a_forged_cursor_is_refused_or_harmless(server: Server, cursor: str) -> None:
    answer = server.someone("operator").get("/people", params={"cursor": cursor})

    assert answer.status_code == 200 or answer.json()["code"] == "bad_cursor"

"""Going live over HTTP: a host shows goods, viewers see them, and nobody else changes anything."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from served import Client, Server

from fairwind.kernel import SystemClock, uuid7
from market import Shop, open_shop


def new_id() -> str:
    return str(uuid7(SystemClock().now()))


@pytest.fixture
def host(server: Server) -> Client:
    host = server.someone("creator")
    assert host.put("/rooms/mine", json={"title": "小风的直播间"}).status_code == 200
    return host


@pytest.fixture
def session(host: Client) -> dict[str, Any]:
    """A live session of host."""
    return host.put(f"/live-sessions/{new_id()}", json={"title": "618"}).raise_for_status().json()


@pytest.fixture
def shop(server: Server) -> Shop:
    return server.run(open_shop(server.platform.database, 10, 10))


def pin_of(session: dict[str, Any], shop: Shop, place: int = 0) -> str:
    return f"/live-sessions/{session['id']}/pins/{shop.id}/{shop.product_ids[place]}"


def test_a_host_goes_live_pins_goods_and_ends(server: Server, host: Client, shop: Shop) -> None:
    path = f"/live-sessions/{new_id()}"
    started = host.put(path, json={"title": "618"})
    assert started.status_code == 200
    assert started.json()["state"] == "live"
    assert host.put(path, json={"title": "618"}).json() == started.json()
    assert host.put(path, json={"title": "other"}).json()["code"] == "id_reused"

    first = host.put(pin_of(started.json(), shop, 0), json={"note": "今晚最低价", "position": 1})
    host.put(pin_of(started.json(), shop, 1), json={}).raise_for_status()
    assert first.status_code == 200

    viewer = server.client()
    seen = viewer.get(path).json()
    assert [pin["product_id"] for pin in seen["pins"]] == [shop.product_ids[1], shop.product_ids[0]]
    assert seen["pins"][1]["note"] == "今晚最低价"
    assert seen["pins"][1]["price_fen"] == 9900
    assert seen["pins"][1]["on_shelf"] is True

    assert host.delete(pin_of(started.json(), shop, 1)).status_code == 204
    assert [pin["product_id"] for pin in viewer.get(path).json()["pins"]] == [shop.product_ids[0]]

    ended = host.put(f"{path}/end")
    assert ended.json()["state"] == "ended"
    assert viewer.get(path).json()["ended_at"] == ended.json()["ended_at"]


def test_all_viewers_of_a_pin_get_one_token_and_an_order_carries_it(
    server: Server, host: Client, session: dict[str, Any], shop: Shop
) -> None:
    host.put(pin_of(session, shop), json={}).raise_for_status()
    path = f"/live-sessions/{session['id']}"
    tokens = {server.client().get(path).json()["pins"][0]["placement"] for _ in range(3)}
    [token] = tokens
    buyer = server.someone("buyer")

    def order(placement: str) -> dict[str, Any]:
        return {
            "id": new_id(),
            "lines": [{"sku_id": shop.sku_ids[0], "quantity": 1, "placement": placement}],
            "address": {"name": "王小明", "phone": "13800000000", "region": "110105", "detail": "建国路 1 号"},
        }

    placed = buyer.post(f"/shops/{shop.id}/orders", json=order(token))
    forged = buyer.post(f"/shops/{shop.id}/orders", json=order(token[:-1] + ("A" if token[-1] != "A" else "B")))

    assert placed.status_code == 201
    assert placed.json()["lines"][0]["live_session_id"] == session["id"]
    assert placed.json()["lines"][0]["creator_id"] == host.id
    assert (forged.status_code, forged.json()["code"]) == (422, "placement_invalid")


def test_another_creator_changes_nothing(server: Server, host: Client, session: dict[str, Any], shop: Shop) -> None:
    host.put(pin_of(session, shop), json={}).raise_for_status()
    stranger = server.someone("creator")
    stranger.put("/rooms/mine", json={"title": "别人的"}).raise_for_status()
    path = f"/live-sessions/{session['id']}"

    answers = [
        stranger.put(pin_of(session, shop, 1), json={}),
        stranger.delete(pin_of(session, shop)),
        stranger.put(f"{path}/end"),
        stranger.put(path, json={"title": "618"}),
    ]

    assert [answer.json()["code"] for answer in answers] == ["forbidden", "forbidden", "forbidden", "id_reused"]
    seen = server.client().get(path).json()
    assert (seen["state"], len(seen["pins"])) == ("live", 1)


@pytest.mark.parametrize("roles", [(), ("buyer",), ("merchant",), ("operator",)])
def test_only_creators_go_live(server: Server, roles: tuple[str, ...]) -> None:
    client = server.someone(*roles) if roles else server.client()

    room = client.put("/rooms/mine", json={"title": "x"})
    session = client.put(f"/live-sessions/{new_id()}", json={"title": "x"})

    assert {room.status_code, session.status_code} == ({403} if roles else {401})


def test_a_creator_opens_a_room_before_going_live(server: Server) -> None:
    creator = server.someone("creator")

    early = creator.put(f"/live-sessions/{new_id()}", json={"title": "x"})
    room = creator.put("/rooms/mine", json={"title": "新房间"}).json()

    assert (early.status_code, early.json()["code"]) == (409, "no_room")
    assert server.client().get(f"/rooms/{room['id']}").json() == room
    assert server.client().get("/rooms/1").status_code == 404


def test_a_room_is_live_once_at_a_time(host: Client, session: dict[str, Any]) -> None:
    second = host.put(f"/live-sessions/{new_id()}", json={"title": "again"})

    assert (second.status_code, second.json()["code"]) == (409, "already_live")
    assert second.json()["session_id"] == session["id"]
    host.put(f"/live-sessions/{session['id']}/end").raise_for_status()
    assert host.put(f"/live-sessions/{new_id()}", json={"title": "again"}).status_code == 200


def test_what_ended_shows_nothing_more(host: Client, session: dict[str, Any], shop: Shop) -> None:
    host.put(f"/live-sessions/{session['id']}/end").raise_for_status()

    pinned = host.put(pin_of(session, shop), json={})

    assert (pinned.status_code, pinned.json()["code"]) == (409, "session_ended")


def test_only_goods_on_the_shelf_are_pinned(server: Server, host: Client, session: dict[str, Any], shop: Shop) -> None:
    missing = host.put(f"/live-sessions/{session['id']}/pins/{shop.id}/1", json={})

    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert host.put(f"/live-sessions/{uuid4()}/pins/{shop.id}/{shop.product_ids[0]}", json={}).status_code == 404


@pytest.mark.parametrize(
    "body", [{"position": -1}, {"position": "first"}, {"note": "x" * 201}, {"colour": "red"}, [], "x"]
)
def test_a_pin_that_makes_no_sense_is_refused(host: Client, session: dict[str, Any], shop: Shop, body: object) -> None:
    answer = host.put(pin_of(session, shop), json=body)

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_body"


def test_live_sessions_are_listed_newest_first_a_page_at_a_time(server: Server) -> None:
    started = []
    for _ in range(3):
        host = server.someone("creator")
        host.put("/rooms/mine", json={"title": "x"}).raise_for_status()
        started.append(host.put(f"/live-sessions/{new_id()}", json={"title": "x"}).json()["id"])

    viewer = server.client()
    first = viewer.get("/live-sessions?limit=2").json()
    second = viewer.get("/live-sessions", params={"limit": 1, "cursor": first["next_cursor"]}).json()

    assert [one["id"] for one in first["items"] + second["items"]] == started[::-1]
    assert viewer.get("/live-sessions?cursor=junk").json()["code"] == "bad_cursor"
    assert viewer.get("/live-sessions?limit=0").status_code == 400

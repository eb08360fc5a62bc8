"""The feed through the HTTP API: 200 rooms, a few of them popular, 20 new ones, and viewers who come by the hundred."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any
from uuid import uuid4

import httpx
import pytest
from served import Client, Server

from databases import set_up_database
from fairwind.identity import SESSION_COOKIE, NewPerson, Role, create_people, open_sessions
from fairwind.kernel import LiveSessionId, PersonId, Transaction, accepted, int_array, text_array, time_array, uuid7
from market import open_shop

ROOMS, POPULAR, NEW = 200, 5, 20
VIEWERS, ROUNDS, TOGETHER, SLOTS = 300, 150, 24, 8
POLICY = {
    "refresh_s": 30,
    "floor_share": 0.2,
    "floor_window_s": 7200,
    "stage_pace_s": 3600,
    "stage_impressions": [30, 300, 2000],
    "head_part": 0.025,
    "head_share_max": 0.3,
    "decay_half_life_s": 1800,
    "head_margin": 0.14,
    "head_step": 0.15,
    "new_share_max": 0.5,
    "utility_loss_max": 0.35,
}


class Market:
    """Rooms that are live, and who watches. rate: of clicks, by the id of the host."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.hosts: list[PersonId] = []
        self.sessions: list[LiveSessionId] = []
        self.viewers: list[str] = []
        self.rate: dict[int, float] = {}
        server.run(self._open())

    async def _open(self) -> None:
        now, database = self.server.clock.now(), self.server.platform.database
        people = [
            NewPerson(f"{name}-{uuid4().hex[:12]}", name, "-", frozenset({role}))
            for name, role, count in (("host", Role.CREATOR, ROOMS), ("viewer", Role.BUYER, VIEWERS))
            for _ in range(count)
        ]

        async def work(tx: Transaction) -> list[PersonId]:
            made = [accepted(person).id for person in await create_people(tx, people, now)]
            since = [now - timedelta(days=90 if number < ROOMS - NEW else 1) for number in range(ROOMS)]
            sessions = [LiveSessionId(uuid7(now)) for _ in range(ROOMS)]
            hosts = made[:ROOMS]
            await tx.execute(
                "INSERT INTO content.room (id, host_id, title, created_at)"
                " SELECT host, host, '直播间', since FROM unnest(%s::bigint[], %s::timestamptz[]) AS new (host, since)",
                (int_array(hosts), time_array(since)),
            )
            await tx.execute(
                "INSERT INTO content.live_session (id, room_id, host_id, title, state, started_at)"
                " SELECT id, host, host, '晚场', 'live', %s FROM unnest(%s::uuid[], %s::bigint[]) AS new (id, host)",
                (now, text_array(sessions), int_array(hosts)),
            )
            self.sessions = sessions
            self.viewers = await open_sessions(tx, made[ROOMS:], now, timedelta(days=14))
            return made

        self.hosts = (await database.run(work))[:ROOMS]
        for number, host_id in enumerate(self.hosts):
            self.rate[host_id] = 0.09 if number < POPULAR else 0.07 if number >= ROOMS - NEW // 2 else 0.05

    def watch(self, rounds: int) -> Counter[int]:
        """Let viewers come, a minute after one another; answers how often each host was seen."""
        seen: Counter[int] = Counter()
        for number in range(0, rounds, 10):
            seen += self.server.run(self._watch(Random(number)))
        return seen

    async def _watch(self, dice: Random) -> Counter[int]:
        seen: Counter[int] = Counter()
        platform = self.server.platform
        async with httpx.AsyncClient(base_url=self.server.url, timeout=30, verify=False) as client:
            for _ in range(10):
                viewers = dice.sample(self.viewers, TOGETHER)
                for shown in await asyncio.gather(*(self._visit(client, viewer, dice) for viewer in viewers)):
                    seen.update(shown)
                self.server.clock.advance(timedelta(seconds=60))
                await platform.provided["feed"].hand_over()
                await platform.provided["leading"].turn()
            await platform.provided["feed"].look_around()
        return seen

    async def _visit(self, client: httpx.AsyncClient, viewer: str, dice: Random) -> list[int]:
        cookie = {"cookie": f"{SESSION_COOKIE}={viewer}"}
        page = (await client.get("/feed", params={"kind": "live", "limit": SLOTS}, headers=cookie)).raise_for_status()
        hosts = [each["item"]["host_id"] for each in page.json()["items"]]
        told = [
            {"token": each["token"], "clicked": dice.random() < self.rate[host], "watch_ms": 900}
            for each, host in zip(page.json()["items"], hosts, strict=True)
        ]
        answers = (await client.post("/exposures", json={"items": told}, headers=cookie)).raise_for_status().json()
        return [host for host, answer in zip(hosts, answers, strict=True) if answer["counted"]]


@pytest.fixture(scope="module")
def feed_server(server_url: str) -> Iterator[Server]:
    """A server of its own: the feed of another has what other tests show."""
    with set_up_database(server_url) as url, Server(url).running() as server:
        yield server


@pytest.fixture(scope="module")
def operator(feed_server: Server) -> Client:
    return feed_server.someone("operator")


@pytest.fixture(scope="module")
def market(feed_server: Server, operator: Client) -> Market:
    operator.put(f"/traffic-policies/{new_id(feed_server)}", json={"settings": POLICY}).raise_for_status()
    market = Market(feed_server)
    feed_server.run(feed_server.platform.provided["feed"].look_around())
    return market


def new_id(server: Server) -> str:
    return str(uuid7(server.clock.now()))


def test_every_room_is_seen_new_ones_come_through_their_stages_and_the_head_keeps_to_its_cap(
    market: Market, operator: Client
) -> None:
    seen = market.watch(ROUNDS)

    assert sum(seen.values()) > ROUNDS * TOGETHER * SLOTS * 0.95, "a viewer counts so often a day and no more"
    assert [host for host in market.hosts if not seen[host]] == []

    standings = [operator.get(f"/traffic/hosts/creator/{host}").raise_for_status().json() for host in market.hosts]
    lately = sorted((standing["share"] for standing in standings), reverse=True)
    assert sum(lately[:POPULAR]) / sum(lately) <= POLICY["head_share_max"]
    assert all(standing["words"] for standing in standings if standing["stage"]["needed"] is not None)
    for host in market.hosts[-NEW:]:
        standing = operator.get(f"/traffic/hosts/creator/{host}").raise_for_status().json()
        assert standing["stage"]["stage"] != "first", standing
        [first, *_] = standing["stages_ended"]
        assert first["decision"]["impressions"] >= 30
        assert "clicks of" in first["reason"]
        assert sum(day["impressions"] for day in standing["days"]) == seen[host]

    report = market.server.client().get("/traffic-report").raise_for_status().json()
    assert report["impressions"] <= sum(seen.values())
    assert (report["hosts"], report["hosts_shown"]) == (ROOMS, ROOMS)
    assert sum(report["why"].values()) == pytest.approx(1, abs=0.001)
    assert len(report["lorenz"]) == 21
    kept = {promise["name"]: promise["kept"] for promise in report["promises"]}
    assert (kept["utility_kept"], kept["first_stages_filled"]) == (True, True)


def test_a_policy_is_tried_out_on_the_last_day_before_it_is_published_and_taken_back(
    market: Market, operator: Client
) -> None:
    market.watch(20)
    market.server.client().get("/feed?kind=live&limit=50").raise_for_status()  # a list of another length
    before = operator.get("/traffic-policy").json()
    outlook = operator.post("/traffic-policies/preview", json={"settings": {"utility_loss_max": 0}}).raise_for_status()
    kept = outlook.json()["utility_kept"]
    assert outlook.json()["requests"] >= 5
    assert kept["replayed"]["value"] == pytest.approx(1, abs=0.001)
    assert kept["logged"]["low"] <= kept["logged"]["value"] <= kept["logged"]["high"] < 1
    assert operator.get("/traffic-policy").json() == before

    wrong = operator.post("/traffic-policies/preview", json={"settings": {"floor_share": 2}})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid")
    assert "floor_share must be from 0 to 0.9" in wrong.json()["detail"]
    assert market.server.client().post("/traffic-policies/preview", json={"settings": {}}).status_code == 401

    request = f"/traffic-policies/{new_id(market.server)}"
    tried = operator.put(request, json={"settings": POLICY | {"floor_share": 0.3}, "note": "保底提高"}).json()
    assert tried["version"] == before["version"] + 1
    assert operator.put(request, json={"settings": POLICY | {"floor_share": 0.3}, "note": "保底提高"}).json() == tried
    assert operator.put(request, json={"settings": {}}).json()["code"] == "id_reused"
    back = operator.put(f"/traffic-policies/{new_id(market.server)}/rollback", json={"version": before["version"]})
    assert back.json()["settings"] == before["settings"]
    assert [each["version"] for each in operator.get("/traffic-policies").json()["items"]][:2] == [
        tried["version"] + 1,
        tried["version"],
    ]


def everything(client: Client, kind: str = "live") -> list[dict[str, Any]]:
    """All pages of the feed."""
    items, cursor = [], None
    while True:
        params = {"kind": kind, "limit": 50} | ({"cursor": cursor} if cursor else {})
        page = client.get("/feed", params=params).raise_for_status().json()
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return [each["item"] for each in items]


def test_pages_show_everything_that_is_live_and_nothing_twice(market: Market) -> None:
    shown = [each["live_session_id"] for each in everything(market.server.client())]

    assert sorted(shown) == sorted(map(str, market.sessions))
    assert market.server.client().get("/feed?cursor=AAA").json()["code"] == "bad_cursor"


def test_what_was_closed_or_kept_out_this_moment_is_not_shown(market: Market, operator: Client) -> None:
    viewer, host = market.server.client(), market.hosts[7]
    suspension = f"/traffic/hosts/creator/{host}/suspensions/{new_id(market.server)}"
    kept_out = operator.put(suspension, json={"reason": "虚假宣传"}).raise_for_status().json()
    assert operator.put(suspension, json={"reason": "虚假宣传"}).json() == kept_out
    assert operator.put(suspension, json={"reason": "别的"}).json()["code"] == "id_reused"
    other = suspension.rsplit("/", 1)[0] + "/" + new_id(market.server)
    assert operator.put(other, json={"reason": "再来"}).json()["code"] == "already_suspended"
    past = {"reason": "虚假宣传", "until": "2020-01-01T00:00:00Z"}
    assert operator.put(other.replace(str(host), str(market.hosts[9])), json=past).json()["code"] == "invalid"
    of_another = suspension.replace(f"/creator/{host}/", f"/creator/{market.hosts[9]}/")
    assert operator.put(of_another, json={"reason": "虚假宣传"}).json()["code"] == "id_reused"
    closed = market.sessions[8]
    market.server.run(_end(market.server, closed))

    shown = everything(viewer)
    assert len(shown) == ROOMS - 2
    assert host not in {each["host_id"] for each in shown}
    assert str(closed) not in {each["live_session_id"] for each in shown}
    assert "虚假宣传" in operator.get(f"/traffic/hosts/creator/{host}").json()["words"][0]["zh"]

    lifted = operator.put(f"/traffic/suspensions/{kept_out['id']}/lifting").raise_for_status().json()
    assert operator.put(f"/traffic/suspensions/{kept_out['id']}/lifting").json() == lifted
    market.server.run(_end(market.server, closed, state="live"))
    market.server.run(market.server.platform.provided["feed"].look_around())
    assert len(everything(viewer)) == ROOMS


async def _end(server: Server, session_id: LiveSessionId, state: str = "ended") -> None:
    ended_at = server.clock.now() if state == "ended" else None
    async with server.platform.database.transaction() as tx:
        await tx.execute(
            "UPDATE content.live_session SET state = %s, ended_at = %s WHERE id = %s", (state, ended_at, session_id)
        )


def test_goods_are_in_the_feed_as_well_and_gone_when_they_leave_the_shelf(feed_server: Server) -> None:
    feed, database = feed_server.platform.provided["feed"], feed_server.platform.database
    shop = feed_server.run(open_shop(database, 9, 9))
    feed_server.clock.advance(timedelta(minutes=2))
    feed_server.run(feed.look_around())
    viewer = feed_server.client()
    mine = {(shop.id, product_id) for product_id in shop.product_ids}
    shown = everything(viewer, "product")
    assert {(each["shop_id"], each["product_id"]) for each in shown} >= mine
    assert all(each["price_fen"] > 0 for each in shown)

    async def off_shelf() -> None:
        async with database.transaction() as tx:
            await tx.execute("UPDATE catalog.product SET on_shelf = false WHERE shop_id = %s", (shop.id,))

    feed_server.run(off_shelf())
    assert not mine & {(each["shop_id"], each["product_id"]) for each in everything(viewer, "product")}


def test_a_host_sees_where_it_stands_and_nobody_else_s(market: Market) -> None:
    host = market.server.signed_in(market.hosts[0])
    standing = host.get("/traffic/mine").raise_for_status().json()
    assert (standing["kind"], standing["subject_id"], standing["active"]) == ("creator", market.hosts[0], True)
    assert standing["stage"]["stage"] == "graduated"
    assert set(standing["price"]) == {"price", "welfare", "floor", "stage", "cap"}
    assert host.get(f"/traffic/hosts/creator/{market.hosts[1]}").json()["code"] == "forbidden"
    assert market.server.someone("creator").get("/traffic/mine").json()["code"] == "not_found"
    assert market.server.someone("buyer").get("/traffic/mine").json()["code"] == "forbidden"


def test_what_was_not_served_here_cannot_be_told_of(market: Market) -> None:
    viewer = market.server.client()
    [item] = viewer.get("/feed?kind=live&limit=1").raise_for_status().json()["items"]
    forged = item["token"][:-4] + ("AAAA" if item["token"][-4:] != "AAAA" else "BBBB")
    told = {"items": [{"token": forged}, {"token": item["token"], "watch_ms": 10}, {"token": item["token"]}]}
    answers = viewer.post("/exposures", json=told).raise_for_status().json()
    assert answers == [
        {"counted": False, "code": "exposure_token_invalid"},
        {"counted": True, "code": None},
        {"counted": True, "code": None},
    ]
    too_many = {"items": [{"token": forged}] * 101}
    assert viewer.post("/exposures", json=too_many).json()["code"] == "invalid_body"

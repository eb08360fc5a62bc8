"""Outside links, samples, ratings and the quality pool over HTTP: creators, merchants, operators, and strangers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from served import Client, Server

from fairwind.alliance import RatingDraft, Reviewing, rate
from fairwind.alliance.store.pool import items_sold
from fairwind.identity import grant_membership
from fairwind.kernel import OrderId, PersonId, ShopId, Transaction, uuid7
from market import Shop, open_shop

DAY = 86_400
ADDRESS = {"name": "小风", "phone": "13800000000", "region": "330106", "detail": "文三路 1 号"}
LOOSE = {
    "rating_min_centistars": 0, "ratings_min": 0, "return_rate_max_ppm": 1_000_000, "sold_min_quantity": 0,
    "stock_min_quantity": 0, "price_days": 0, "price_rise_max_ppm": 0,
}  # fmt: skip


@pytest.fixture
def shop(server: Server) -> Shop:
    return server.run(open_shop(server.platform.database, 10, 10))


@pytest.fixture
def merchant(server: Server, shop: Shop) -> Client:
    someone = server.someone("merchant")

    async def join() -> None:
        async with server.platform.database.transaction() as tx:
            await grant_membership(tx, shop.id, PersonId(someone.id), server.clock.now())

    server.run(join())
    return someone


@pytest.fixture
def creator(server: Server) -> Client:
    return server.someone("creator")


def new_id(server: Server) -> str:
    return str(uuid7(server.clock.now()))


def promotion(creator: Client, outlet: str = "wechat") -> int:
    return int(creator.post("/promotions", json={"name": "粉丝群", "outlet": outlet}).raise_for_status().json()["id"])


def link(creator: Client, shop: Shop, **more: Any) -> dict[str, Any]:
    body = {"promotion_id": promotion(creator), "shop_id": shop.id, "product_id": shop.product_ids[0], **more}
    answer: dict[str, Any] = creator.post("/links", json=body).raise_for_status().json()
    return answer


def click(viewer: Client, made: dict[str, Any]) -> str:
    """The id of a click of this link."""
    answer = viewer.get(f"/l/{made['code']}")
    assert answer.status_code == 303
    return answer.headers["location"].partition("click=")[2]


def test_a_link_leads_to_the_product_and_the_click_can_be_carried_there(
    server: Server, creator: Client, shop: Shop
) -> None:
    made = link(creator, shop, window_days=7, model="first")
    assert (made["window_s"], made["model"], made["creator_id"]) == (7 * DAY, "first", creator.id)
    assert len(made["code"]) >= 8
    viewer = server.client()

    followed = viewer.get(f"/l/{made['code']}")
    assert followed.status_code == 303
    assert followed.headers["cache-control"] == "no-store"
    product = viewer.get(followed.headers["location"])
    assert (product.status_code, product.json()["id"]) == (200, shop.product_ids[0])

    whole = creator.post("/links", json={"promotion_id": made["promotion_id"], "shop_id": shop.id}).json()
    place = viewer.get(f"/l/{whole['code']}").headers["location"]
    assert place.startswith(f"/shops/{shop.id}?click=")
    assert viewer.get(place).json()["id"] == shop.id


def test_the_same_link_and_promotion_again_are_the_same(server: Server, creator: Client, shop: Shop) -> None:
    assert link(creator, shop) == link(creator, shop)
    assert promotion(creator) == promotion(creator) != promotion(creator, "weibo")
    assert len(creator.get("/promotions").json()["items"]) == 2
    assert [each["code"] for each in creator.get("/links").json()["items"]] == [link(creator, shop)["code"]]
    assert creator.get(f"/links?promotion_id={promotion(creator, 'weibo')}").json()["items"] == []


def test_every_click_has_an_id_of_its_own_and_is_counted(server: Server, creator: Client, shop: Shop) -> None:
    made = link(creator, shop)
    buyer = server.someone("buyer")

    ids = {click(buyer, made), click(buyer, made), click(server.client(), made)}

    looked = buyer.head(f"/l/{made['code']}")

    assert len(ids) == 3
    assert (looked.status_code, "click" in looked.headers["location"]) == (303, False)
    assert all(UUID(each).version == 7 for each in ids)
    [today] = creator.get(f"/links/{made['code']}/days").json()["items"]
    assert (today["clicks"], today["orders"]) == (3, 0)
    [all_links] = creator.get(f"/promotions/{made['promotion_id']}/days").json()["items"]
    assert all_links == today


def test_a_code_that_nobody_made_leads_nowhere(server: Server) -> None:
    unknown = server.client().get("/l/abcdefgh12")
    odd = server.client().get("/l/.well-known")

    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert (odd.status_code, odd.json()["code"]) == (404, "unknown_route")


def test_a_link_that_has_ended_leads_nowhere(server: Server, creator: Client, shop: Shop) -> None:
    ends_at = (server.clock.now() + timedelta(hours=1)).isoformat()
    short, ended = link(creator, shop, ends_at=ends_at), link(creator, shop, window_days=1)
    assert creator.delete(f"/links/{ended['code']}").status_code == 200
    viewer = server.client()
    click(viewer, short)

    server.clock.advance(timedelta(hours=1))

    answers = [viewer.get(f"/l/{each['code']}") for each in (short, ended)]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(410, "link_ended")] * 2
    late = creator.post("/links", json={"promotion_id": promotion(creator), "shop_id": shop.id, "ends_at": ends_at})
    assert (late.status_code, late.json()["code"]) == (422, "invalid")


def test_a_strangers_links_are_closed(server: Server, creator: Client, shop: Shop) -> None:
    made = link(creator, shop)
    stranger = server.someone("creator")

    answers = [
        stranger.delete(f"/links/{made['code']}"),
        stranger.get(f"/links/{made['code']}/days"),
        stranger.get(f"/promotions/{made['promotion_id']}/days"),
        stranger.post("/links", json={"promotion_id": made["promotion_id"], "shop_id": shop.id}),
        server.someone("buyer").post("/promotions", json={"name": "x", "outlet": "web"}),
    ]

    assert [(each.status_code, each.json()["code"]) for each in answers] == [(403, "forbidden")] * 5
    assert server.client().get("/links").status_code == 401
    assert stranger.get("/links").json()["items"] == []


@pytest.mark.parametrize(
    "body", [{"window_days": 2}, {"model": "every"}, {"product_id": 0}, {"ends_at": "soon"}, {"colour": "red"}]
)
def test_a_link_that_makes_no_sense_is_refused(creator: Client, shop: Shop, body: dict[str, Any]) -> None:
    wanted = {"promotion_id": 1, "shop_id": shop.id, "product_id": shop.product_ids[0], **body}

    assert creator.post("/links", json=wanted).json()["code"] == "invalid_body"


def test_a_sample_goes_from_request_to_showing(server: Server, merchant: Client, creator: Client, shop: Shop) -> None:
    offer = f"/shops/{shop.id}/products/{shop.product_ids[0]}/sample-offer"
    assert server.client().get(offer).status_code == 404
    merchant.put(offer, json={"quantity": 5}).raise_for_status()
    path = f"/shops/{shop.id}/samples/{new_id(server)}"
    body = {"product_id": shop.product_ids[0], "address": ADDRESS, "note": "试穿"}

    assert creator.put(path, json=body).json()["state"] == "requested"
    assert creator.put(path, json=body).json()["state"] == "requested"
    more = creator.put(f"/shops/{shop.id}/samples/{new_id(server)}", json=body)
    assert (more.status_code, more.json()["code"]) == (409, "sample_limit")
    assert merchant.get(f"/shops/{shop.id}/samples?state=requested").json()["items"][0]["address"] == ADDRESS

    assert merchant.put(f"{path}/approval", json={"message": "请多拍细节"}).json()["message"] == "请多拍细节"
    assert merchant.put(f"{path}/refusal", json={}).json()["code"] == "wrong_state"
    merchant.put(f"{path}/shipment", json={"carrier": "顺丰", "tracking_number": "SF1234"}).raise_for_status()
    received = creator.put(f"{path}/receipt").json()
    assert received["show_by"] > received["received_at"]
    shown = creator.put(f"{path}/showing", json={"url": "https://example.com/v/1"})
    assert (shown.status_code, shown.json()["state"]) == (200, "shown")
    assert creator.get("/samples").json()["items"] == [shown.json()]
    assert server.client().get(offer).json()["given_quantity"] == 1


def test_a_stranger_sees_and_moves_nobodys_samples(
    server: Server, merchant: Client, creator: Client, shop: Shop
) -> None:
    merchant.put(f"/shops/{shop.id}/products/{shop.product_ids[0]}/sample-offer", json={"quantity": 5})
    path = f"/shops/{shop.id}/samples/{new_id(server)}"
    body = {"product_id": shop.product_ids[0], "address": ADDRESS}
    creator.put(path, json=body).raise_for_status()
    stranger = server.someone("creator", "merchant")

    assert stranger.put(path, json=body).json()["code"] == "id_reused"
    assert stranger.put(f"{path}/withdrawal").json()["code"] == "not_found"
    assert stranger.put(f"{path}/approval", json={}).json()["code"] == "forbidden"
    assert stranger.get(f"/shops/{shop.id}/samples").json()["code"] == "forbidden"
    assert stranger.get("/samples").json()["items"] == []
    assert creator.put(f"{path}/withdrawal").json()["state"] == "withdrawn"


def test_a_good_enters_the_quality_pool_by_both_sides_and_leaves_with_a_reason(
    server: Server, merchant: Client, shop: Shop
) -> None:
    operator = server.someone("operator")
    product = f"/shops/{shop.id}/products/{shop.product_ids[0]}"
    sale = {shop.product_ids[0]: (10, 10)}
    server.run(server.platform.database.run(lambda tx: tx.ask(items_sold(shop.id, sale))))
    operator.post("/quality-criteria", json={**LOOSE, "ratings_min": 1}).raise_for_status()
    path = f"/shops/{shop.id}/nominations/{new_id(server)}"
    body = {"product_id": shop.product_ids[0]}

    early = merchant.put(path, json=body)
    assert (early.status_code, early.json()["code"]) == (422, "criteria_unmet")
    [fault] = early.json()["faults"]
    assert (fault["criterion"], fault["needed"], fault["measured"], fault["by"]) == ("ratings", 1, 0, 1)
    assert merchant.get(f"{product}/quality").json()["faults"] == [fault]

    _rate(server, shop, 5)
    assert operator.put(path, json=body).json()["code"] == "only_members"
    assert merchant.put(path, json=body).json()["state"] == "nominated"
    assert merchant.put(f"{path}/approval", json={}).json()["code"] == "forbidden"
    assert operator.put(f"{path}/approval", json={"message": "欢迎"}).json()["state"] == "member"
    viewer = server.client()
    listed = viewer.get("/quality-pool", params={"q": "雨伞"}).json()["items"]
    [good] = [each for each in listed if each["shop_id"] == shop.id]
    assert (good["centistars"], good["ratings"], good["sold_quantity"]) == (500, 1, 10)
    assert viewer.get("/quality-pool?q=毛毯").json()["items"] == []

    gone = operator.put(f"{path}/removal", json={"message": "标题夸大"})
    assert gone.json()["state"] == "removed"
    [history] = viewer.get(f"{product}/quality-history").json()["items"]
    assert (history["state"], history["message"]) == ("removed", "标题夸大")
    assert "decided_by" not in history
    assert viewer.get("/quality-criteria").json()["items"][0]["ratings_min"] == 1
    assert merchant.post("/quality-criteria", json=LOOSE).json()["code"] == "forbidden"
    assert merchant.get("/nominations").json()["code"] == "forbidden"
    assert operator.get("/nominations?state=removed").json()["items"][0]["id"] == gone.json()["id"]
    assert merchant.get(f"/shops/{shop.id}/nominations").json()["items"] == [gone.json()]


def test_ratings_are_seen_by_everybody_without_a_name(server: Server, shop: Shop) -> None:
    product = f"/shops/{shop.id}/products/{shop.product_ids[0]}"
    viewer = server.client()
    assert viewer.get(f"{product}/rating").json() == {"ratings": 0, "centistars": None}

    for stars in (5, 4, 2):
        _rate(server, shop, stars)

    assert viewer.get(f"{product}/rating").json() == {"ratings": 3, "centistars": 366}
    first = viewer.get(f"{product}/ratings?limit=2").json()
    rest = viewer.get(f"{product}/ratings", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [each["stars"] for each in first["items"] + rest["items"]] == [2, 4, 5]
    assert first["items"][0].keys() == {"stars", "text", "rated_at", "changed_at"}


def _rate(server: Server, shop: Shop, stars: int) -> None:
    item = Reviewing(
        OrderId(uuid7(server.clock.now())), 1, shop.product_ids[0], PersonId(7), RatingDraft(stars, "不错")
    )

    async def work(tx: Transaction) -> None:
        await rate(tx, ShopId(shop.id), [item], server.clock.now())

    server.run(server.platform.database.run(work))

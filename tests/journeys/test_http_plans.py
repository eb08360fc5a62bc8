"""The alliance over HTTP: merchants promise, creators pick and apply, agencies recruit, each for themselves."""

from __future__ import annotations

from typing import Any

import pytest
from served import Client, Server

from fairwind.identity import grant_membership
from fairwind.kernel import PersonId, ShopId, SystemClock, uuid7
from market import Shop, open_shop


def new_id() -> str:
    return str(uuid7(SystemClock().now()))


@pytest.fixture
def shop(server: Server) -> Shop:
    return server.run(open_shop(server.platform.database, 10, 10))


def joining(server: Server, shop_id: int, client: Client) -> None:
    async def join() -> None:
        async with server.platform.database.transaction() as tx:
            await grant_membership(tx, ShopId(shop_id), PersonId(client.id), server.clock.now())

    server.run(join())


@pytest.fixture
def merchant(server: Server, shop: Shop) -> Client:
    merchant = server.someone("merchant")
    joining(server, shop.id, merchant)
    return merchant


@pytest.fixture
def creator(server: Server) -> Client:
    """A creator with a shop of their own, opened as anybody opens one."""
    creator = server.someone("creator", "merchant")
    creator.post("/shops", json={"id": new_id(), "name": "小风的小店"}).raise_for_status()
    return creator


def plans_of(shop: Shop, product: int = 0) -> str:
    return f"/shops/{shop.id}/products/{shop.product_ids[product]}/plans"


def shelf_of(creator: Client, shop: Shop, product: int = 0) -> str:
    return f"/creators/{creator.id}/shelf/{shop.id}/{shop.product_ids[product]}"


def ordinary(merchant: Client, shop: Shop, ppm: int = 200_000, product: int = 0, **more: Any) -> dict[str, Any]:
    answer = merchant.put(f"{plans_of(shop, product)}/ordinary", json={"creator_ppm": ppm, **more})
    return answer.raise_for_status().json()


def test_a_merchant_promises_raises_cuts_and_ends(merchant: Client, shop: Shop) -> None:
    plan = ordinary(merchant, shop)
    assert plan["present"]["terms"]["creator_ppm"] == 200_000
    assert ordinary(merchant, shop) == plan
    raised = ordinary(merchant, shop, 250_000, steps_by="gmv", steps=[{"reached": 10_000, "creator_ppm": 300_000}])
    assert (raised["id"], raised["present"]["version"], raised["following"]) == (plan["id"], 2, None)
    cut = ordinary(merchant, shop, 100_000)
    assert (cut["present"]["version"], cut["following"]["version"]) == (2, 3)
    assert cut["following"]["effective_from"].endswith("16:00:00Z")
    ended = merchant.put(f"/shops/{shop.id}/plans/{plan['id']}/end").raise_for_status().json()
    assert (ended["following"]["terms"], ended["ends_at"]) == (None, cut["following"]["effective_from"])

    versions = merchant.get(f"/shops/{shop.id}/plans/{plan['id']}/versions").json()["items"]
    assert [(each["version"], each["superseded_at"] is None) for each in versions] == [
        (4, True),
        (3, False),
        (2, True),
        (1, True),
    ]
    first = merchant.get(f"/shops/{shop.id}/plans/{plan['id']}/versions", params={"limit": 3}).json()
    rest = merchant.get(f"/shops/{shop.id}/plans/{plan['id']}/versions", params={"cursor": first["next_cursor"]}).json()
    assert [each["version"] for each in [*first["items"], *rest["items"]]] == [4, 3, 2, 1]
    listed = merchant.get(f"/shops/{shop.id}/plans", params={"live": True}).json()["items"]
    assert [each["id"] for each in listed] == [plan["id"]]
    assert merchant.get(f"/shops/{shop.id}/plans/1").status_code == 404


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("ordinary", {"creator_ppm": 500_001}, "rate_too_high"),
        ("ordinary", {"creator_ppm": 1, "agency_ppm": 1}, "invalid"),
        ("ordinary", {"creator_ppm": 900_000}, "invalid_body"),
        ("targeted", {"creator_ppm": 600_000}, "ordinary_needed"),
        ("exclusive", {"creator_id": 1, "terms": {"creator_ppm": 1}}, "not_found"),
        ("activities/00000000-0000-7000-8000-000000000000", {"creator_ppm": 1}, "not_found"),
    ],
)
def test_what_cannot_be_promised_is_refused(merchant: Client, shop: Shop, kind: str, body: Any, code: str) -> None:
    assert merchant.put(f"{plans_of(shop)}/{kind}", json=body).json()["code"] == code


def test_a_creator_finds_goods_picks_them_and_sees_what_they_earn(
    server: Server, merchant: Client, creator: Client, shop: Shop
) -> None:
    ordinary(merchant, shop)
    found = creator.get("/pool", params={"query": "雨伞", "shop_id": shop.id}).json()["items"]
    assert [(each["product_id"], each["earning_fen"]) for each in found] == [(shop.product_ids[0], 1782)]
    picked = creator.put(shelf_of(creator, shop), json={"note": "自用"})
    assert (picked.status_code, picked.json()["activity_id"]) == (200, None)
    assert creator.put(shelf_of(creator, shop, 1), json={}).json()["code"] == "not_in_pool"

    [mine] = creator.get(f"/creators/{creator.id}/picks").json()["items"]
    assert (mine["commission"]["creator_ppm"], mine["commission"]["alliance_ppm"], mine["reason"]) == (
        200_000,
        100_000,
        None,
    )
    [shown] = server.client().get(f"/creators/{creator.id}/shelf").json()["items"]
    assert (shown["product_id"], shown["price_fen"], shown["note"]) == (shop.product_ids[0], 9900, "自用")
    assert "commission" not in shown

    assert creator.delete(shelf_of(creator, shop)).status_code == 204
    terms = creator.get(f"/creators/{creator.id}/terms/{shop.id}/{shop.product_ids[0]}").json()
    assert (terms["commission"], terms["reason"], len(terms["plans"])) == (None, "not_picked", 1)
    assert server.client().get(f"/creators/{creator.id}/shelf").json()["items"] == []


def test_without_a_shop_of_their_own_a_creator_adds_nothing(server: Server, merchant: Client, shop: Shop) -> None:
    ordinary(merchant, shop)
    creator = server.someone("creator")

    refused = creator.put(shelf_of(creator, shop), json={})

    assert (refused.status_code, refused.json()["code"]) == (409, "shop_needed")


def test_a_creator_applies_for_a_targeted_plan_and_the_shop_decides(
    merchant: Client, creator: Client, shop: Shop
) -> None:
    plain = ordinary(merchant, shop)
    plan = merchant.put(f"{plans_of(shop)}/targeted", json={"creator_ppm": 700_000}).raise_for_status().json()
    creator.put(shelf_of(creator, shop), json={}).raise_for_status()
    application = f"/creators/{creator.id}/applications/{shop.id}"
    assert creator.put(f"{application}/{plain['id']}", json={}).json()["code"] == "not_targeted"
    asked = creator.put(f"{application}/{plan['id']}", json={"note": "家居类"}).raise_for_status().json()
    assert asked["state"] == "applied"

    participants = f"/shops/{shop.id}/plans/{plan['id']}/participants"
    [waiting] = merchant.get(participants, params={"state": "applied"}).json()["items"]
    assert (waiting["creator_id"], waiting["note"]) == (creator.id, "家居类")
    assert merchant.put(f"{participants}/{creator.id}").json()["state"] == "approved"
    terms = creator.get(f"/creators/{creator.id}/terms/{shop.id}/{shop.product_ids[0]}").json()
    assert terms["commission"]["plan_id"] == plan["id"]
    assert [each["state"] for each in creator.get(f"/creators/{creator.id}/applications").json()["items"]] == [
        "approved"
    ]
    assert merchant.delete(f"{participants}/{creator.id}").json()["until"].endswith("16:00:00Z")
    assert merchant.delete(f"{participants}/1").status_code == 404


def test_an_agency_recruits_goods_and_creators(server: Server, merchant: Client, creator: Client, shop: Shop) -> None:
    agency, activity_id = server.someone("agency"), new_id()
    asked = {"title": "秋冬招商", "creator_ppm_min": 300_000, "agency_ppm_min": 50_000}
    opened = agency.put(f"/activities/{activity_id}", json=asked).raise_for_status().json()
    assert agency.put(f"/activities/{activity_id}", json=asked).json() == opened
    assert agency.put(f"/activities/{activity_id}", json={**asked, "title": "x"}).json()["code"] == "id_reused"
    assert opened in server.client().get("/activities", params={"agency_id": agency.id}).json()["items"]

    join = f"{plans_of(shop)}/activities/{activity_id}"
    low = merchant.put(join, json={"creator_ppm": 300_000, "agency_ppm": 1})
    assert (low.status_code, low.json()["code"]) == (422, "below_activity")
    plan = merchant.put(join, json={"creator_ppm": 400_000, "agency_ppm": 100_000}).raise_for_status().json()
    assert plan["agency_id"] == agency.id
    [recruited] = agency.get(f"/activities/{activity_id}/plans").json()["items"]
    assert recruited == plan

    creator.put(shelf_of(creator, shop), json={"activity_id": activity_id}).raise_for_status()
    invitation = f"/agencies/{agency.id}/members/{creator.id}"
    agency.put(invitation, json={"split_ppm": 300_000}).raise_for_status()
    wrong = creator.put(f"/creators/{creator.id}/mcn/{agency.id}", json={"split_ppm": 100_000})
    assert wrong.json()["code"] == "invitation_changed"
    joined = creator.put(f"/creators/{creator.id}/mcn/{agency.id}", json={"split_ppm": 300_000}).json()
    assert joined["starts_at"].endswith("16:00:00Z")
    assert creator.get(f"/creators/{creator.id}/mcn").json()["items"] == [joined]
    assert agency.get(f"/agencies/{agency.id}/members").json()["items"] == [joined]
    [pick] = creator.get(f"/creators/{creator.id}/picks").json()["items"]
    assert (pick["commission"]["agency_id"], pick["commission"]["agency_ppm"]) == (agency.id, 100_000)
    assert pick["commission"]["mcn_id"] is None, "from midnight on"
    assert creator.delete(f"/creators/{creator.id}/mcn/{agency.id}").json()["ends_at"] == joined["starts_at"]
    assert agency.delete(invitation).status_code == 404

    assert agency.put(f"/activities/{activity_id}/end").json()["closed_at"] is not None
    closed = merchant.put(f"{plans_of(shop, 1)}/activities/{activity_id}", json={"creator_ppm": 400_000})
    assert closed.json()["code"] == "activity_closed"
    ended = agency.put(f"/activities/{activity_id}/plans/{shop.id}/{plan['id']}/end").raise_for_status().json()
    assert ended["ends_at"].endswith("16:00:00Z")


def test_what_is_somebodys_own_is_closed_to_others_of_the_same_role(
    server: Server, merchant: Client, creator: Client, shop: Shop
) -> None:
    ordinary(merchant, shop)
    agency, activity_id = server.someone("agency"), new_id()
    asked = {"title": "招商", "creator_ppm_min": 0, "agency_ppm_min": 0}
    agency.put(f"/activities/{activity_id}", json=asked).raise_for_status()
    stranger = server.someone("creator", "agency", "merchant")

    answers = [
        stranger.put(shelf_of(creator, shop), json={}),
        stranger.delete(shelf_of(creator, shop)),
        stranger.get(f"/creators/{creator.id}/picks"),
        stranger.get(f"/creators/{creator.id}/terms/{shop.id}/{shop.product_ids[0]}"),
        stranger.put(f"/creators/{creator.id}/applications/{shop.id}/1", json={}),
        stranger.get(f"/creators/{creator.id}/mcn"),
        stranger.delete(f"/creators/{creator.id}/mcn/{agency.id}"),
        stranger.put(f"/activities/{activity_id}/end"),
        stranger.get(f"/activities/{activity_id}/plans"),
        stranger.put(f"/agencies/{agency.id}/members/{creator.id}", json={"split_ppm": 1}),
        stranger.get(f"/agencies/{agency.id}/members"),
        stranger.put(f"{plans_of(shop)}/ordinary", json={"creator_ppm": 0}),
        stranger.post("/alliance-fees", json={"rate_ppm": 0}),
    ]

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(403, "forbidden")}


def test_a_shop_keeps_stock_for_creators_outside_the_head(merchant: Client, shop: Shop) -> None:
    reserve = f"/shops/{shop.id}/skus/{shop.sku_ids[0]}/reserve"
    assert merchant.put(reserve, json={"kept_quantity": 4}).json()["code"] == "not_promised"
    ordinary(merchant, shop)
    kept = merchant.put(reserve, json={"kept_quantity": 4}).raise_for_status().json()
    assert kept == merchant.get(reserve).json()
    assert (kept["kept_quantity"], kept["left_quantity"]) == (4, 4)
    assert merchant.put(reserve, json={"kept_quantity": 11}).json()["code"] == "reserve_out_of_bounds"
    assert merchant.get(f"/shops/{shop.id}/skus/1/reserve").json()["kept_quantity"] == 0


def test_an_operator_sets_the_platforms_share_from_a_time_on(server: Server) -> None:
    operator = server.someone("operator")
    far = "2099-01-01T00:00:00Z"

    made = operator.post("/alliance-fees", json={"rate_ppm": 120_000, "effective_from": far})
    early = operator.post("/alliance-fees", json={"rate_ppm": 120_000, "effective_from": "2020-01-01T00:00:00Z"})

    assert (made.status_code, made.json()["effective_from"]) == (201, far)
    assert (early.status_code, early.json()["code"]) == (422, "invalid")
    fees = server.client().get("/alliance-fees").json()
    assert (fees[0]["rate_ppm"], fees[-1]["rate_ppm"]) == (120_000, 100_000)
    assert operator.get("/alliance-head").status_code == 200

"""A subsidy campaign over HTTP: proposed, agreed upon by who pays, seen by all, stopped by who may."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from served import Client, Server

from fairwind.identity import grant_membership
from fairwind.kernel import PersonId, ShopId, SystemClock, uuid7
from market import Shop, open_shop


@pytest.fixture
def shop(server: Server) -> Shop:
    return server.run(open_shop(server.platform.database, 10, price_fen=1000))


@pytest.fixture
def supplier(server: Server) -> Shop:
    return server.run(open_shop(server.platform.database, 10))


@pytest.fixture
def operator(server: Server) -> Client:
    return server.someone("operator")


@pytest.fixture
def merchant(server: Server, supplier: Shop) -> Client:
    """A member of the supplier's."""
    merchant = server.someone("merchant")
    server.run(join(server, supplier, merchant))
    return merchant


async def join(server: Server, shop: Shop, member: Client) -> None:
    async with server.platform.database.transaction() as tx:
        await grant_membership(tx, ShopId(shop.id), PersonId(member.id), server.clock.now())


def draft(shop: Shop, supplier: Shop, **changed: Any) -> dict[str, Any]:
    """Half and half of half the price, for the shop's goods."""
    now = SystemClock().now()
    return {
        "id": str(uuid7(now)),
        "name": "双百亿补贴",
        "rule": {"rate_ppm": 500_000},
        "fundings": [
            {"funder_id": 0, "share_ppm": 500_000, "budget_fen": 100_000},
            {"funder_id": supplier.id, "share_ppm": 500_000, "budget_fen": 100_000, "in_base": False},
        ],
        "scope": {"shop_ids": [shop.id]},
        "guard_days": 0,
        "starts_at": (now - timedelta(minutes=1)).isoformat(),
        "ends_at": (now + timedelta(days=300)).isoformat(),
        **changed,
    }


@pytest.fixture
def proposal(operator: Client, shop: Shop, supplier: Shop) -> dict[str, Any]:
    return operator.post("/campaigns", json=draft(shop, supplier)).raise_for_status().json()


def saving(client: Client, shop: Shop, **query: Any) -> dict[str, Any]:
    path = f"/shops/{shop.id}/skus/{shop.sku_id}/subsidy"
    return client.get(path, params=query).raise_for_status().json()


def test_a_campaign_is_proposed_accepted_seen_and_stopped(
    server: Server, operator: Client, merchant: Client, shop: Shop, supplier: Shop
) -> None:
    wanted = draft(shop, supplier)
    proposed = operator.post("/campaigns", json=wanted)
    assert (proposed.status_code, proposed.json()["state"]) == (201, "proposed")
    assert operator.post("/campaigns", json=wanted).json()["id"] == proposed.json()["id"]
    changed = operator.post("/campaigns", json={**wanted, "name": "另一活动"})
    assert (changed.status_code, changed.json()["code"]) == (409, "id_reused")
    path, anybody = f"/campaigns/{proposed.json()['id']}", server.client()
    assert anybody.get(path).status_code == 404, "nothing is said of a proposal"
    assert saving(anybody, shop)["subsidy_fen"] == 0

    mine = f"/shops/{supplier.id}{path}"
    assert merchant.get(f"/shops/{supplier.id}/campaigns").json()["items"][0]["id"] == proposed.json()["id"]
    accepted = merchant.put(f"{mine}/acceptance")
    assert (accepted.status_code, accepted.json()["state"], accepted.json()["running"]) == (200, "agreed", True)
    assert merchant.put(f"{mine}/decline").json()["code"] == "campaign_closed"
    seen = saving(anybody, shop, quantity=2)
    assert (seen["goods_fen"], seen["subsidy_fen"], seen["buyer_pays_fen"], seen["code"]) == (2000, 1000, 1000, "given")
    assert seen["reason"]["zh"]

    public = anybody.get(path).json()
    assert (public["budget_fen"], public["left_fen"], public["running"]) == (200_000, 200_000, True)
    assert "fundings" not in public
    assert public["id"] in [each["id"] for each in anybody.get("/campaigns").json()["items"]]
    burnt = operator.get(f"{path}/burn-down").json()
    assert [each["funder_id"] for each in burnt["fundings"]] == [0, supplier.id]
    assert [each["in_base"] for each in burnt["fundings"]] == [True, False]
    assert merchant.get(mine).json() == burnt

    part = merchant.put(f"{mine}/stop").json()
    assert (part["state"], part["fundings"][1]["stopped_at"] is not None) == ("agreed", True)
    assert saving(anybody, shop, quantity=2)["subsidy_fen"] == 500
    stopped = operator.put(f"{path}/stop").json()
    assert stopped["state"] == "stopped"
    assert operator.put(f"{path}/stop").json()["closed_at"] == stopped["closed_at"]
    assert saving(anybody, shop)["code"] != "given"
    assert anybody.get(path).json()["state"] == "stopped"


def test_a_declined_proposal_is_off_and_stays_unseen(
    server: Server, operator: Client, merchant: Client, supplier: Shop, proposal: dict[str, Any]
) -> None:
    mine = f"/shops/{supplier.id}/campaigns/{proposal['id']}"

    assert merchant.put(f"{mine}/decline").json()["state"] == "declined"
    assert merchant.put(f"{mine}/decline").json()["state"] == "declined"
    assert merchant.put(f"{mine}/acceptance").json()["code"] == "campaign_closed"
    assert operator.put(f"/campaigns/{proposal['id']}/stop").json()["code"] == "campaign_closed"
    assert server.client().get(f"/campaigns/{proposal['id']}").status_code == 404
    assert proposal["id"] in [each["id"] for each in operator.get("/campaigns/burn-downs").json()["items"]]


def test_an_operator_cannot_bind_a_funder(operator: Client, supplier: Shop, proposal: dict[str, Any]) -> None:
    mine = f"/shops/{supplier.id}/campaigns/{proposal['id']}"

    answers = [operator.put(f"{mine}/{verb}") for verb in ("acceptance", "decline", "stop")]

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(409, "only_members")}


def test_a_stranger_changes_nothing_and_sees_no_budgets(
    server: Server, shop: Shop, supplier: Shop, proposal: dict[str, Any]
) -> None:
    stranger, other = server.someone("buyer", "creator", "merchant", "agency"), f"/campaigns/{proposal['id']}"
    server.run(join(server, shop, stranger))
    theirs, own = f"/shops/{supplier.id}{other}", f"/shops/{shop.id}{other}"

    closed = [stranger.put(f"{theirs}/{verb}") for verb in ("acceptance", "decline", "stop")]
    closed += [
        stranger.get(theirs),
        stranger.get(f"/shops/{supplier.id}/campaigns"),
        stranger.get(f"{other}/burn-down"),
    ]
    closed += [stranger.put(f"{other}/stop"), stranger.post("/campaigns", json=draft(shop, supplier))]
    not_mine = [stranger.put(f"{own}/{verb}") for verb in ("acceptance", "decline", "stop")] + [stranger.get(own)]

    assert {answer.status_code for answer in closed} == {403}
    assert {answer.status_code for answer in not_mine} == {404}, "a shop that does not pay has no say"


@pytest.mark.parametrize(
    "changed",
    [
        {"rule": {}},
        {"rule": {"rate_ppm": 1, "piece_fen": 1}},
        {"fundings": [{"funder_id": 0, "share_ppm": 999_999, "budget_fen": 1}]},
        {"fundings": [{"funder_id": 2**40, "share_ppm": 1_000_000, "budget_fen": 1}]},
        {"scope": {"product_ids": [2**40]}},
        {"ends_at": "2020-01-01T00:00:00+08:00"},
    ],
)
def test_a_draft_that_makes_no_sense_is_refused(
    operator: Client, shop: Shop, supplier: Shop, changed: dict[str, Any]
) -> None:
    answer = operator.post("/campaigns", json=draft(shop, supplier, **changed))

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_pages_of_campaigns_go_on_where_the_last_one_ended(operator: Client, shop: Shop, supplier: Shop) -> None:
    made = [operator.post("/campaigns", json=draft(shop, supplier)).json()["id"] for _ in range(3)]

    first = operator.get("/campaigns/burn-downs", params={"limit": 2}).json()
    second = operator.get("/campaigns/burn-downs", params={"limit": 2, "cursor": first["next_cursor"]}).json()

    assert [each["id"] for each in first["items"] + second["items"]][:3] == made[::-1]


def test_a_preview_of_what_is_not_sold_is_not_found(server: Server, shop: Shop) -> None:
    assert server.client().get(f"/shops/{shop.id}/skus/{2**40}/subsidy").status_code == 404

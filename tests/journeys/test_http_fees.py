"""What a sale costs, over HTTP: an operator publishes, a merchant asks, everybody compares."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from time import sleep
from typing import Any
from uuid import uuid4

import pytest
from served import Client, Server

from fairwind.kernel import SystemClock, uuid7
from market import open_shop, paid, placed

LATER = SystemClock().now() + timedelta(days=3000)
"""When what these tests publish begins: other tests on this server go by the schedule that ships."""
CHANNELS = ["own", "youzan", "mokuai", "supplier"]
MONTH = {"within_days": 30, "lasts_days": 30}


def new_id() -> str:
    return str(uuid7(SystemClock().now()))


@pytest.fixture(scope="module")
def operator(server: Server) -> Client:
    return server.someone("operator")


@pytest.fixture(scope="module")
def merchant(server: Server) -> Client:
    return server.someone("merchant")


def shop_of(merchant: Client, channel: str = "own") -> str:
    body = {"id": new_id(), "name": "乘风小店", "channel": channel}
    return f"/shops/{merchant.post('/shops', json=body).raise_for_status().json()['id']}"


def category(operator: Client, parent_id: int | None = None) -> int:
    body = {"name": f"类目 {uuid4().hex[:8]}", "parent_id": parent_id}
    return operator.post("/categories", json=body).raise_for_status().json()["id"]


def schedule(*more: dict[str, Any], rate_ppm: int = 30_000, **changed: Any) -> dict[str, Any]:
    """A schedule of one rate for every channel, and what is said."""
    rates = [{"channel": channel, "rate_ppm": rate_ppm} for channel in CHANNELS]
    return {"id": new_id(), "rates": [*rates, *more], "starts_at": LATER.isoformat(), **changed}


def programme(**changed: Any) -> dict[str, Any]:
    return {
        "id": new_id(),
        "code": f"p-{uuid4().hex[:12]}",
        "name_en": "summer support",
        "name_zh": "夏季扶持",
        "rate_ppm": 5_000,
        "channels": ["own"],
        "conditions": {"kind": "growth_tier", "paid_min_fen": 10**15, **MONTH},
        **changed,
    }


def test_a_new_merchant_is_quoted_the_rate_for_new_merchants_and_why(merchant: Client) -> None:
    shop = shop_of(merchant)
    opened_on = datetime.fromisoformat(merchant.get(shop).json()["opened_on"])
    ends_on = (opened_on + timedelta(days=90)).date()

    quote = merchant.get(f"{shop}/fee-quote", params={"amount_fen": 9_999}).json()

    assert (quote["rate_ppm"], quote["fee_fen"], quote["rule_id"]) == (10_000, 99, 11)
    assert quote["reason_en"] == f"new-merchant support, until {ends_on}"
    assert quote["reason_zh"] == f"新商家扶持，至 {ends_on}"
    later = merchant.get(f"{shop}/fee-quote", params={"amount_fen": 9_999, "at": f"{ends_on}T00:00:00+08:00"}).json()
    assert (later["rate_ppm"], later["fee_fen"], later["until"]) == (20_000, 199, None)
    assert later["reason_en"] == "service fee of own shops, schedule 1"


@pytest.mark.parametrize(("channel", "rate_ppm"), [("youzan", 80_000), ("mokuai", 80_000), ("supplier", 20_000)])
def test_other_channels_are_quoted_their_rates(merchant: Client, channel: str, rate_ppm: int) -> None:
    quote = merchant.get(f"{shop_of(merchant, channel)}/fee-quote", params={"amount_fen": 100}).json()

    assert quote["rate_ppm"] == rate_ppm


def test_a_quote_is_for_the_shops_members_and_for_what_there_is(server: Server, merchant: Client) -> None:
    path = f"{shop_of(merchant)}/fee-quote"
    stranger = server.someone("merchant")

    assert stranger.get(path, params={"amount_fen": 1}).status_code == 403
    assert server.client().get(path, params={"amount_fen": 1}).status_code == 401
    assert merchant.get(path, params={"amount_fen": 1, "category_id": 2**62}).json()["code"] == "not_found"
    assert merchant.get(path, params={"amount_fen": 1, "at": "0001-01-01T00:00:00Z"}).json()["code"] == "invalid"
    assert merchant.get(path, params={"amount_fen": 1, "at": "2026-01-01"}).json()["code"] == "invalid_query"
    assert merchant.get(path).json()["code"] == "invalid_query"
    assert server.someone("operator").get("/shops/1/fee-quote", params={"amount_fen": 1}).status_code == 404


def test_an_operator_publishes_fees_for_a_time_to_come(server: Server, operator: Client, merchant: Client) -> None:
    home = category(operator)
    child = category(operator, home)
    draft = schedule({"channel": "own", "category_id": home, "rate_ppm": 1_000, "age_from_days": 90}, note="新费率")

    made = operator.post("/fee-schedules", json=draft)

    assert made.status_code == 201
    assert operator.post("/fee-schedules", json=draft).json() == made.json()
    assert operator.post("/fee-schedules", json=draft | {"note": ""}).json()["code"] == "id_reused"
    anyone = server.client()
    listed = anyone.get("/fee-schedules").raise_for_status().json()["items"]
    assert listed[0]["ends_at"] == made.json()["starts_at"], "until then what there was applies"
    assert listed[-1] == made.json()
    first = anyone.get("/fee-schedules?limit=1").json()
    second = anyone.get("/fee-schedules", params={"cursor": first["next_cursor"]}).json()
    assert first["items"] + second["items"] == listed
    assert anyone.get(f"/fee-schedules/{made.json()['version']}").json() == made.json()
    assert anyone.get("/fee-schedules/999999").status_code == 404

    asked = {"amount_fen": 10_000, "category_id": child}
    at = {"at": (LATER + timedelta(days=1)).isoformat()}
    quote = f"{shop_of(merchant)}/fee-quote"
    assert merchant.get(quote, params=asked | at).json()["fee_fen"] == 10
    assert merchant.get(quote, params=asked | at).json()["reason_zh"].startswith("自营店铺技术服务费，类目")
    assert merchant.get(quote, params=asked).json()["rule_id"] == 11


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (schedule(rate_ppm=100_001), "rate_too_high"),
        (schedule({"channel": "own", "rate_ppm": 1, "age_from_days": 30}), "ages_overlap"),
        (schedule(rates=[{"channel": "own", "rate_ppm": 1}]), "rates_incomplete"),
        (schedule({"channel": "own", "rate_ppm": 1, "category_id": 2**62}), "not_found"),
        (schedule(starts_at="2020-01-01T00:00:00Z"), "too_soon"),
        (schedule(starts_at="9999-01-01T00:00:00Z"), "invalid"),
        (schedule({"channel": "taobao", "rate_ppm": 1}), "invalid_body"),
        (schedule(rate_ppm=-1), "invalid_body"),
        (schedule(rates=[]), "invalid_body"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(operator: Client, body: dict[str, Any], code: str) -> None:
    assert operator.post("/fee-schedules", json=body).json()["code"] == code


@pytest.mark.parametrize("roles", [(), ("buyer",), ("merchant", "creator", "agency")])
def test_only_operators_publish(server: Server, roles: tuple[str, ...]) -> None:
    client = server.someone(*roles) if roles else server.client()

    answers = [
        client.post("/fee-schedules", json=schedule()),
        client.post("/support-programmes", json=programme()),
        client.put("/support-programmes/11/end", json={}),
        client.put("/categories/1/after-sales-window", json={"window_s": 0}),
    ]

    assert {answer.status_code for answer in answers} == ({403} if roles else {401})


def test_a_support_programme_is_published_listed_and_ended(server: Server, operator: Client) -> None:
    home = category(operator)
    body = programme(conditions={"kind": "category_support"}, categories=[home])

    made = operator.post("/support-programmes", json=body)

    assert made.status_code == 201
    assert operator.post("/support-programmes", json=body).json() == made.json()
    assert made.json()["conditions"] == {"kind": "category_support"}
    anyone = server.client()

    def listed(**params: Any) -> list[int]:
        items: list[Any] = []
        cursor: dict[str, Any] = {}
        while True:
            page = anyone.get("/support-programmes", params={"limit": 2, **params, **cursor}).json()
            items += page["items"]
            if page["next_cursor"] is None:
                return [item["id"] for item in items]
            cursor = {"cursor": page["next_cursor"]}

    assert {11, 12, 13, made.json()["id"]} <= set(listed())
    ended = operator.put(f"/support-programmes/{made.json()['id']}/end", json={"ends_at": None})
    assert ended.status_code == 200
    assert ended.json()["ends_at"] is not None
    server.clock.advance(timedelta(minutes=3))
    assert made.json()["id"] not in listed()
    assert made.json()["id"] in listed(ended=True)
    assert operator.put(f"/support-programmes/{made.json()['id']}/end", json={}).json() == ended.json()
    late = operator.put(f"/support-programmes/{made.json()['id']}/end", json={"ends_at": LATER.isoformat()})
    assert late.json()["code"] == "programme_ended"
    assert operator.put(f"/support-programmes/{2**62}/end", json={}).status_code == 404


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"rate_ppm": 100_001}, "rate_too_high"),
        ({"code": "new-merchant"}, "programme_overlaps"),
        ({"conditions": {"kind": "category_support"}}, "invalid"),
        ({"categories": [2**62]}, "not_found"),
        ({"starts_at": "2020-01-01T00:00:00Z"}, "too_soon"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "invalid"),
        ({"conditions": {"kind": "friend_of_the_house"}}, "invalid_body"),
        ({"conditions": {"kind": "new_merchant"}}, "invalid_body"),
        ({"channels": []}, "invalid_body"),
        ({"code": "New Merchant"}, "invalid_body"),
    ],
)
def test_a_programme_that_makes_no_sense_is_refused(operator: Client, changed: dict[str, Any], code: str) -> None:
    assert operator.post("/support-programmes", json=programme(**changed)).json()["code"] == code


def test_a_shop_sees_which_support_it_has_and_what_is_missing_for_the_rest(server: Server, merchant: Client) -> None:
    shop = shop_of(merchant)

    support = {each["programme"]["code"]: each for each in merchant.get(f"{shop}/support").json()["programmes"]}

    assert support["new-merchant"]["has"] is True
    assert support["growth-tier"]["has"] is False
    assert support["growth-tier"]["reason_en"].endswith("0.00 yuan, needed: 100,000.00")
    assert "需 8 场" in support["content-incentive"]["reason_zh"]
    assert merchant.get(f"{shop}/enrolments").json() == {"items": [], "next_cursor": None}
    assert merchant.get(f"{shop_of(merchant, 'youzan')}/support").json()["programmes"] == []
    stranger = server.someone("merchant")
    assert stranger.get(f"{shop}/support").status_code == 403
    assert stranger.get(f"{shop}/enrolments").status_code == 403


def test_anybody_compares_what_a_good_nets_through_each_channel(server: Server) -> None:
    asked = {"price_fen": 9_900, "commission_ppm": 100_000}

    found = server.client().get("/channel-comparison", params=asked).json()

    assert [(row["channel"], row["new"], row["fee_fen"], row["net_fen"]) for row in found["rows"]] == [
        ("own", True, 99, 8_811),
        ("own", False, 198, 8_712),
        ("supplier", False, 198, 8_712),
        ("youzan", False, 792, 8_118),
        ("mokuai", False, 792, 8_118),
    ]
    assert {row["commission_fen"] for row in found["rows"]} == {990}
    refused = server.client().get("/channel-comparison", params={"price_fen": 1, "category_id": 2**62})
    assert refused.json()["code"] == "not_found"
    assert server.client().get("/channel-comparison?price_fen=0").json()["code"] == "invalid_query"


def test_an_operator_sets_the_after_sales_window_of_a_category(server: Server, operator: Client) -> None:
    fresh = category(operator)
    path = f"/categories/{fresh}/after-sales-window"

    week = operator.put(path, json={"window_s": 7 * 86_400})
    none = operator.put(path, json={"window_s": None, "starts_at": LATER.isoformat()})

    assert (week.status_code, week.json()["version"]) == (200, 1)
    assert operator.put(path, json={"window_s": None}).json() == none.json()
    found: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = server.client().get("/after-sales-windows", params={"limit": 1, **cursor}).json()
        found += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert [each for each in found if each["category_id"] == fresh] == [week.json(), none.json()]
    assert operator.put("/categories/9999999/after-sales-window", json={"window_s": 1}).status_code == 404
    assert operator.put(path, json={"window_s": -1}).json()["code"] == "invalid_body"
    assert operator.put(path, json={"window_s": 9, "starts_at": "2020-01-01T00:00:00Z"}).json()["code"] == "too_soon"


def test_a_shop_that_sells_much_earns_the_growth_tier_from_the_next_day_on(server: Server, operator: Client) -> None:
    database, policy = server.platform.database, server.platform.provided["policy"]
    shop = server.run(open_shop(database, 5, price_fen=10_000_000))
    path = f"/shops/{shop.id}"
    server.run(paid(database, server.run(placed(database, shop)), server.clock.now()))

    def standing() -> dict[str, Any]:
        found = operator.get(f"{path}/support").raise_for_status().json()["programmes"]
        return next(each for each in found if each["programme"]["code"] == "growth-tier")

    until("100,000.00 yuan", lambda: standing()["reason_en"])
    assert standing()["from_at"] is None
    server.clock.advance(timedelta(minutes=2))
    server.run(policy.assess_shops())

    until("earned from", lambda: standing()["reason_en"])
    assert standing()["has"] is False
    [enrolment] = operator.get(f"{path}/enrolments").json()["items"]
    assert (enrolment["programme_id"], enrolment["measured"]) == (13, 10_000_000)
    asked = {"amount_fen": 100, "at": enrolment["starts_at"]}
    quote = operator.get(f"{path}/fee-quote", params=asked).json()
    assert (quote["rate_ppm"], quote["until"]) == (15_000, enrolment["ends_at"])
    assert quote["reason_zh"].startswith("成长激励，至 ")


def until(words: str, said: Callable[[], str]) -> None:
    """Wait for the server's own periodic work to come to what is said."""
    for _ in range(600):
        if words in said():
            return
        sleep(0.05)
    raise AssertionError(f"still {said()!r}")

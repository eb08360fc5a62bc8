"""The catalog over HTTP: a merchant opens a shop and fills it, buyers find the goods, and nobody else touches them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from served import Client, Server

from catalogue import REAL, catalogue, many
from fairwind.catalog.routes import HANDLERS
from fairwind.identity import Access
from fairwind.kernel import SystemClock, uuid7


def new_id() -> str:
    return str(uuid7(SystemClock().now()))


@pytest.fixture
def merchant(server: Server) -> Client:
    return server.someone("merchant")


@pytest.fixture
def shop(merchant: Client) -> dict[str, Any]:
    return opened(merchant)


@pytest.fixture
def product(merchant: Client, shop: dict[str, Any]) -> dict[str, Any]:
    return merchant.post(f"/shops/{shop['id']}/products", json=draft()).raise_for_status().json()


def opened(merchant: Client) -> dict[str, Any]:
    return merchant.post("/shops", json={"id": new_id(), "name": "顺风家居"}).raise_for_status().json()


def draft(**said: Any) -> dict[str, Any]:
    skus = [{"spec": "大", "price_fen": 45900, "stock": 5}, {"spec": "小", "price_fen": 35900}]
    return {"code": "quilt", "title": "秋冬保暖羊毛被", "brand": "MUJI", "unit": "件", "skus": skus} | said


def all_pages(client: Client, path: str, **query: Any) -> Iterator[dict[str, Any]]:
    while True:
        page = client.get(path, params=query).raise_for_status().json()
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        query["cursor"] = page["next_cursor"]


def test_a_merchant_opens_a_shop_lists_goods_and_buyers_find_them(server: Server, merchant: Client):
    asked = {"id": new_id(), "name": "顺风家居", "channel": "youzan"}
    shop = merchant.post("/shops", json=asked)
    assert shop.status_code == 201
    assert merchant.post("/shops", json=asked).json() == shop.json()
    assert merchant.post("/shops", json=asked | {"name": "别家"}).json()["code"] == "id_reused"
    assert shop.json()["id"] in merchant.get("/people/me").json()["shop_ids"]

    goods = f"/shops/{shop.json()['id']}/products"
    product = merchant.post(goods, json=draft())
    assert product.status_code == 201
    assert merchant.post(goods, json=draft()).json() == product.json()
    assert merchant.post(goods, json=draft(title="别的")).json()["code"] == "code_taken"
    assert [sku["spec"] for sku in product.json()["skus"]] == ["大", "小"]
    assert product.json()["price_fen"] == 35900

    buyer = server.client()
    [found] = buyer.get("/products", params={"q": "羊毛 muji", "shop_id": shop.json()["id"]}).json()["items"]
    assert (found["title"], found["shop_name"], found["price_fen"]) == ("秋冬保暖羊毛被", "顺风家居", 35900)
    assert found["in_stock"] is True
    shown = buyer.get(f"{goods}/{found['id']}").json()
    assert [sku["in_stock"] for sku in shown["skus"]] == [True, False]

    sku = f"/shops/{shop.json()['id']}/skus/{shown['skus'][1]['id']}"
    assert merchant.put(f"{sku}/price", json={"price_fen": 29900, "list_price_fen": 39900}).status_code == 200
    assert [each["price_fen"] for each in all_pages(merchant, f"{sku}/prices", limit=1)] == [29900, 35900]
    assert merchant.delete(f"{sku}/shelf").json()["on_shelf"] is False
    assert buyer.get(f"{goods}/{found['id']}").json()["price_fen"] == 45900
    assert merchant.delete(f"{goods}/{found['id']}/shelf").json()["on_shelf"] is False
    assert buyer.get(f"{goods}/{found['id']}").json()["code"] == "not_found"
    assert len(merchant.get(f"{goods}/{found['id']}").json()["skus"]) == 2
    changed = merchant.patch(f"{goods}/{found['id']}", json={"title": "鹅绒被", "category_id": None})
    assert (changed.json()["title"], changed.json()["brand"]) == ("鹅绒被", "MUJI")


def test_members_let_others_in_and_out_and_the_last_one_stays(server: Server, merchant: Client, shop: dict[str, Any]):
    helper, path = server.someone("merchant"), f"/shops/{shop['id']}/members"
    assert helper.get(path).json()["code"] == "forbidden"
    assert merchant.put(f"{path}/{helper.id}").status_code == 204
    assert [each["person_id"] for each in all_pages(helper, path, limit=1)] == sorted([merchant.id, helper.id])
    assert helper.delete(f"{path}/{merchant.id}").status_code == 204
    assert merchant.get(path).status_code == 403
    assert helper.delete(f"{path}/{helper.id}").json()["code"] == "last_member"
    assert helper.put(f"{path}/{10**15}").json()["code"] == "not_found"


def test_a_stranger_to_the_shop_can_do_none_of_its_members_things(
    server: Server, merchant: Client, shop: dict[str, Any], product: dict[str, Any]
):
    stranger, nobody = server.someone("merchant", "buyer", "creator"), server.client()
    opened(stranger)
    before = server_rows(merchant, shop)
    bodies: dict[str, Any] = {
        "change_shop": {"name": "强占"},
        "add_product": draft(code="other"),
        "change_product": {"title": "改"},
        "add_sku": {"price_fen": 1},
        "set_price": {"price_fen": 1},
    }
    tried = 0
    for handler in HANDLERS:
        if handler.opt["access"] is not Access.SHOP_MEMBER:
            continue
        [path], [method] = handler.paths, handler.http_methods
        for name, value in {
            "{shop_id:int}": shop["id"],
            "{product_id:int}": product["id"],
            "{sku_id:int}": product["skus"][0]["id"],
            "{person_id:int}": stranger.id,
        }.items():
            path = path.replace(name, str(value))
        body = bodies.get(handler.handler_name)
        content = {"content": many(3)} if "imports" in path else {"json": body} if body else {}
        assert stranger.request(method, path, **content).json()["code"] == "forbidden", (method, path)
        assert nobody.request(method, path, **content).json()["code"] == "sign_in_needed", (method, path)
        tried += 1
    assert tried == 18
    assert server_rows(merchant, shop) == before


def server_rows(member: Client, shop: dict[str, Any]) -> list[str]:
    return [
        member.get(path).text
        for path in (f"/shops/{shop['id']}", f"/shops/{shop['id']}/products.csv", f"/shops/{shop['id']}/members")
    ]


def test_a_members_own_shop_opens_no_door_to_anothers_goods(server: Server, merchant: Client, product: dict[str, Any]):
    thief = server.someone("merchant")
    own = f"/shops/{opened(thief)['id']}"
    sku = product["skus"][0]["id"]
    for method, path, body in [
        ("PATCH", f"{own}/products/{product['id']}", {"title": "改"}),
        ("PUT", f"{own}/products/{product['id']}/shelf", None),
        ("DELETE", f"{own}/products/{product['id']}/shelf", None),
        ("POST", f"{own}/products/{product['id']}/skus", {"price_fen": 1}),
        ("PUT", f"{own}/skus/{sku}/price", {"price_fen": 1}),
        ("PUT", f"{own}/skus/{sku}/shelf", None),
        ("DELETE", f"{own}/skus/{sku}/shelf", None),
    ]:
        assert thief.request(method, path, json=body).json()["code"] == "not_found", path
    assert thief.get(f"{own}/skus/{sku}/prices").json()["items"] == []


def test_who_may_open_shops_and_add_categories(server: Server, merchant: Client):
    assert server.someone("buyer").post("/shops", json={"id": new_id(), "name": "x"}).status_code == 403
    assert server.client().post("/shops", json={"id": new_id(), "name": "x"}).status_code == 401
    assert merchant.post("/categories", json={"name": "丁零"}).status_code == 403
    operator = server.someone("operator")
    top = operator.post("/categories", json={"name": "丁零"}).json()
    child = operator.post("/categories", json={"name": "丁一", "parent_id": top["id"]}).json()
    assert operator.post("/categories", json={"name": "丁二", "parent_id": child["id"]}).json()["code"] == "invalid"
    assert child in all_pages(server.client(), "/categories", limit=1)


def test_a_closed_shop_is_out_of_sight_until_it_opens_again(
    server: Server, merchant: Client, shop: dict[str, Any], product: dict[str, Any]
):
    path, buyer = f"/shops/{shop['id']}", server.client()
    assert merchant.put(f"{path}/closure").json()["state"] == "closed"
    assert buyer.get("/products", params={"shop_id": shop["id"]}).json()["items"] == []
    assert shop["id"] not in [each["id"] for each in all_pages(buyer, "/shops", limit=100)]
    assert buyer.get(path).json()["state"] == "closed"
    assert merchant.delete(f"{path}/closure").json()["state"] == "open"
    assert len(buyer.get("/products", params={"shop_id": shop["id"]}).json()["items"]) == 1


def test_a_file_goes_in_through_http_and_comes_out_again(merchant: Client, shop: dict[str, Any]):
    path, data = f"/shops/{shop['id']}", REAL.read_bytes() if REAL.exists() else many(300).encode()
    report = merchant.post(f"{path}/imports", content=data, headers={"content-type": "text/csv"})
    assert report.status_code == 200
    assert (report.json()["refused"], report.json()["format"]) == (0, "fairwind")
    again = merchant.post(f"{path}/imports", content=data).json()
    assert again["skus_unchanged"] == report.json()["skus_created"] == report.json()["lines"]

    out = merchant.get(f"{path}/products.csv", params={"format": "shopify"})
    assert out.headers["content-type"] == "text/csv; charset=utf-8"
    assert out.headers["content-disposition"].startswith("attachment")
    second = f"/shops/{opened(merchant)['id']}"
    assert merchant.post(f"{second}/imports", content=out.content).json()["refused"] == 0
    assert merchant.get(f"{second}/products.csv", params={"format": "shopify"}).content == out.content


def test_a_file_larger_than_any_other_body_is_taken_in_pieces(server: Server, merchant: Client, shop: dict[str, Any]):
    data = many(6000, brief="暖" * 200).encode()
    assert len(data) > 2 * server.settings.body_bytes_max

    def sent() -> Iterator[bytes]:
        for start in range(0, len(data), 10_000):
            yield data[start : start + 10_000]

    report = merchant.post(f"/shops/{shop['id']}/imports", content=sent()).json()
    assert (report["skus_created"], report["refused"]) == (6000, 0)


def test_refused_lines_come_with_number_and_reason(merchant: Client, shop: dict[str, Any]):
    report = merchant.post(f"/shops/{shop['id']}/imports", content=catalogue({}, {"price_yuan": "-1"}, {})).json()
    assert report["refused_lines"] == [{"line": 3, "reason": "price_yuan is not a price in yuan such as 12 or 12.34"}]
    assert report["skus_created"] == 2


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfea\0,\0", b'"', b'{"json": true}'])
def test_what_is_no_catalogue_is_refused(merchant: Client, shop: dict[str, Any], content: bytes):
    answer = merchant.post(f"/shops/{shop['id']}/imports", content=content)
    assert answer.status_code == 422
    assert answer.json()["code"] in ("unknown_format", "unreadable_file")


def test_a_form_is_told_to_send_the_file_itself(merchant: Client, shop: dict[str, Any]):
    answer = merchant.post(f"/shops/{shop['id']}/imports", files={"file": ("goods.csv", many(3))})

    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_format")
    assert "--data-binary" in answer.json()["detail"]


def test_an_operator_learns_that_a_shop_is_not_there(server: Server):
    operator, path = server.someone("operator"), f"/shops/{10**15}"
    assert operator.post(f"{path}/products", json=draft()).json()["code"] == "not_found"
    assert operator.post(f"{path}/imports", content=many(3)).json()["code"] == "not_found"
    assert operator.get(f"{path}/products.csv").json()["code"] == "not_found"
    assert operator.put(f"{path}/members/{operator.id}").json()["code"] == "not_found"
    assert operator.put(f"{path}/closure").json()["code"] == "not_found"


@pytest.mark.parametrize(
    "body",
    [
        {},
        draft(skus=[]),
        draft(title=""),
        draft(title=" "),
        draft(title="\n羊"),
        draft(title="长" * 256),
        draft(code="a\tb"),
        draft(skus=[{"price_fen": 0}]),
        draft(skus=[{"price_fen": 10**11}]),
        draft(skus=[{"price_fen": 1.5}]),
        draft(skus=[{"price_fen": 1, "stock": -1}]),
        draft(category_id=0),
        draft(category_id=2**63),
        draft(more=1),
    ],
)
def test_a_draft_that_makes_no_sense_is_refused_and_changes_nothing(
    merchant: Client, shop: dict[str, Any], body: dict[str, Any]
):
    answer = merchant.post(f"/shops/{shop['id']}/products", json=body)
    assert answer.status_code == 400
    assert merchant.get(f"/shops/{shop['id']}/products").json()["items"] == []


@pytest.mark.parametrize(
    "query",
    [
        {"q": "长" * 101},
        {"sort": "best"},
        {"limit": 0},
        {"limit": 101},
        {"cursor": "x"},
        {"cursor": "WyJhIiwxLDFd"},
        {"price_min_fen": -1},
        {"price_max_fen": 10**11},
        {"category_id": 2**63},
        {"in_stock": "maybe"},
        {"colour": "red"},
    ],
)
def test_a_search_that_makes_no_sense_is_refused(server: Server, query: dict[str, Any]):
    assert server.client().get("/products", params=query).status_code == 400


@pytest.mark.parametrize("q", ["%", "_", "'", '"', "\\", "{}", "a,b", "NULL", "\u202e", "👨‍👩‍👧", "ﷺ", " "])
def test_a_search_for_any_text_answers(server: Server, q: str):
    assert server.client().get("/products", params={"q": q}).status_code == 200

"""Shops, products, prices, shelves and searches on the real database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from catalogue import World, catalogue, many
from fairwind.catalog import ProductDraft, ShopDraft, SkuDraft, availability_marked, listings, offers
from fairwind.catalog.commands.products import Repricing, add_products, reprice
from fairwind.catalog.commands.sales import count_sold
from fairwind.catalog.grams import words
from fairwind.catalog.product import CodeTaken, Price, ProductChange, SpecTaken
from fairwind.catalog.search import Found, Search, Sort
from fairwind.catalog.shop import CategoryDraft, ShopState
from fairwind.catalog.stockroom import Stockroom
from fairwind.identity import LastMember
from fairwind.kernel import Database, IdReused, Invalid, NotFound, Refused, emit, uuid7
from fairwind.kernel.audit import audit


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def draft(code: str = "P1", *prices_fen: int, **said: Any) -> ProductDraft:
    skus = [SkuDraft(spec=f"{n}", price_fen=fen, stock=5) for n, fen in enumerate(prices_fen or (100,))]
    return ProductDraft(**{"code": code, "title": f"羊毛被 {code}", "skus": skus} | said)


async def findings(world: World) -> dict[str, int]:
    found = await audit(world.database, ["fairwind.catalog"])
    return {finding.invariant: finding.offending for finding in found.findings}


# Shops


async def test_the_same_draft_opens_one_shop_and_another_with_its_id_none(world: World):
    merchant, other = await world.person(), await world.person()
    asked = ShopDraft(uuid7(world.now()), " 顺风家居 ")
    shops = await asyncio.gather(*(world.catalog.open_shop(merchant, asked) for _ in range(5)))
    assert len({shop.id for shop in shops}) == 1
    assert shops[0].name == "顺风家居"
    assert [member.person_id for member in await world.catalog.members(shops[0].id, 0, 10)] == [merchant]
    for person, again in ((merchant, replace(asked, name="别家")), (other, asked)):
        with pytest.raises(IdReused):
            await world.catalog.open_shop(person, again)


async def test_of_two_members_who_take_each_other_out_one_stays(world: World):
    for _ in range(5):
        shop = await world.shop()
        [first] = await world.catalog.members(shop.id, 0, 10)
        second = await world.person()
        await world.catalog.add_member(shop.id, second)
        outcomes = await asyncio.gather(
            world.catalog.remove_member(shop.id, first.person_id),
            world.catalog.remove_member(shop.id, second),
            return_exceptions=True,
        )
        assert sorted(type(outcome) for outcome in outcomes if outcome) == [LastMember]
        assert len(await world.catalog.members(shop.id, 0, 10)) == 1


# Categories


async def test_the_category_tree_has_two_levels(world: World):
    top = await world.catalog.add_category(CategoryDraft("乙零"))
    child = await world.catalog.add_category(CategoryDraft("乙一", top.id))
    assert await world.catalog.add_category(CategoryDraft("乙一", top.id)) == child
    with pytest.raises(Invalid):
        await world.catalog.add_category(CategoryDraft("乙二", child.id))
    with pytest.raises(NotFound):
        await world.catalog.add_category(CategoryDraft("乙二", 10**15))


async def test_a_category_made_by_many_at_once_is_one(world: World):
    made = await asyncio.gather(*(world.catalog.add_category(CategoryDraft("乙三")) for _ in range(8)))
    assert len({category.id for category in made}) == 1


# Products


async def test_one_refused_draft_does_not_fail_its_neighbours(world: World):
    shop = await world.shop()
    double = draft("P3", 100, 200)
    drafts = [
        draft("P1"),
        draft("P1", 200),
        replace(double, skus=[double.skus[0], double.skus[0]]),
        draft("P4", category_id=10**15),
        draft("P2"),
        draft("P1"),
    ]
    outcomes = await world.database.run(
        lambda tx: add_products(tx, shop.id, drafts, world.now(), world.catalog.stockroom)
    )
    kinds = [type(outcome) if isinstance(outcome, Refused) else outcome.code for outcome in outcomes]
    assert kinds == ["P1", CodeTaken, SpecTaken, NotFound, "P2", "P1"]
    assert outcomes[0] == outcomes[5]
    assert len((await world.rows(shop.id))["catalog.product"]) == 2


async def test_the_same_draft_by_many_at_once_is_one_product(world: World):
    shop = await world.shop()
    made = await asyncio.gather(*(world.catalog.add_product(shop.id, draft()) for _ in range(20)))
    assert len({product.id for product in made}) == 1
    rows = await world.rows(shop.id)
    assert [row.adjusted_quantity for row in rows["inventory.stock"]] == [5]


async def test_a_draft_replayed_after_the_shelf_moved_still_answers_the_product(world: World):
    shop = await world.shop()
    made = await world.catalog.add_product(shop.id, draft())
    await world.catalog.shelve_product(shop.id, made.id, on_shelf=False)
    assert (await world.catalog.add_product(shop.id, draft())).id == made.id


async def test_texts_are_kept_without_blanks_around_them(world: World):
    shop = await world.shop()
    made = await world.catalog.add_product(shop.id, draft(" P1 ", title="\u3000羊毛被 ", brief="一\r\n二\n"))
    assert (made.code, made.title, made.brief) == ("P1", "羊毛被", "一\n二")


async def test_every_price_is_kept_and_the_present_one_is_offered(world: World):
    shop = await world.shop()
    made = await world.catalog.add_product(shop.id, draft("P1", 100, 300))
    cheap, dear = made.skus
    items = [Repricing(dear.id, Price(80)), Repricing(10**15, Price(1)), Repricing(dear.id, Price(90, 95))]
    outcomes = await world.database.run(lambda tx: reprice(tx, shop.id, items, world.now()))
    assert isinstance(outcomes[1], NotFound)
    await world.catalog.reprice(shop.id, dear.id, Price(90, 95))

    prices = await world.catalog.prices(shop.id, dear.id, None, 10)
    assert [(each.revision, each.price_fen, each.list_price_fen) for each in prices] == [
        (3, 90, 95), (2, 80, 80), (1, 300, 300),
    ]  # fmt: skip
    async with world.database.transaction() as tx:
        offered, listed = await tx.together(offers(shop.id, [cheap.id, dear.id, 1]), listings(shop.id, [made.id]))
    assert {sku_id: offer.price_fen for sku_id, offer in offered.items()} == {cheap.id: 100, dear.id: 90}
    assert listed[made.id].price_fen == 90


async def test_what_is_off_the_shelf_is_neither_offered_nor_found_nor_shown(world: World):
    shop = await world.shop()
    made = await world.catalog.add_product(shop.id, draft("P1", 100, 300))
    cheap, dear = made.skus

    async def seen() -> tuple[list[bool], list[int | None], int]:
        async with world.database.transaction() as tx:
            offered = await tx.ask(offers(shop.id, [cheap.id, dear.id]))
        found = await world.catalog.search(Search(shop_id=shop.id), None, 10)
        try:
            shown = len((await world.catalog.product(shop.id, made.id, whole=False)).skus)
        except NotFound:
            shown = 0
        return [offered[sku.id].on_shelf for sku in made.skus], [each.price_fen for each in found], shown

    assert await seen() == ([True, True], [100], 2)
    await world.catalog.shelve_sku(shop.id, cheap.id, on_shelf=False)
    assert await seen() == ([False, True], [300], 1)
    await world.catalog.shelve_sku(shop.id, dear.id, on_shelf=False)
    assert await seen() == ([False, False], [], 0)
    await world.catalog.shelve_sku(shop.id, cheap.id, on_shelf=True)
    await world.catalog.shelve_product(shop.id, made.id, on_shelf=False)
    assert await seen() == ([False, False], [], 0)
    await world.catalog.shelve_product(shop.id, made.id, on_shelf=True)
    assert await seen() == ([True, False], [100], 1)
    await world.catalog.change_shop(shop.id, state=ShopState.CLOSED)
    assert await seen() == ([False, False], [], 0)
    assert len((await world.catalog.product(shop.id, made.id, whole=True)).skus) == 2


async def test_changes_meet_at_the_product_and_none_is_lost(world: World):
    shop = await world.shop()
    made = await world.catalog.add_product(shop.id, draft())
    catalog = world.catalog
    await asyncio.gather(
        *(catalog.add_sku(shop.id, made.id, SkuDraft(spec=f"新{n}", price_fen=50 + n)) for n in range(10)),
        *(catalog.reprice(shop.id, made.skus[0].id, Price(1000 + n)) for n in range(10)),
        *(catalog.reword(shop.id, made.id, ProductChange(title=f"改{n}")) for n in range(10)),
        world.bring(shop.id, catalogue({"product_code": "P1", "title": "改", "spec": "导入"})),
    )
    product = await catalog.product(shop.id, made.id, whole=True)
    assert [sku.position for sku in product.skus] == list(range(1, 13))
    assert product.price_fen == 50
    assert product.skus[0].price_revision == 11
    assert sum((await findings(world)).values()) == 0


# Searches


async def found(world: World, query: str = "", **said: Any) -> list[Found]:
    return await world.catalog.search(Search(words=words(query), **said), None, 100)


async def test_a_chinese_text_is_found_by_any_part_of_its_title_or_brand(world: World):
    shop = await world.shop()
    title = "双宫茧桑蚕丝被 空调被"
    await world.bring(
        shop.id, catalogue({"title": title, "brand": "ＭＵＪＩ制造商"}, {"title": "丝瓜绒被", "brand": ""})
    )
    whole = title.replace(" ", "")
    parts = {title[a:b] for a in range(len(title)) for b in range(a + 1, len(title) + 1)}
    for part in sorted(parts):
        expected = {title} | ({"丝瓜绒被"} if all(word in "丝瓜绒被" for word in part.split()) else set())
        assert {each.title for each in await found(world, part, shop_id=shop.id)} == (
            expected if part.strip() else {title, "丝瓜绒被"}
        ), part
    assert [each.title for each in await found(world, "muji 蚕丝", shop_id=shop.id)] == [title]
    for absent in ("丝蚕", "丝绒", "宫茧双", "空调被双", "muji 丝瓜", whole + "x", "%", "_", "\\", "'"):
        assert await found(world, absent, shop_id=shop.id) == [], absent


async def test_a_title_that_changes_is_found_by_its_new_words_only(world: World):
    shop = await world.shop()
    made = await world.catalog.add_product(shop.id, draft("P1", title="羊毛被"))
    await world.catalog.reword(shop.id, made.id, ProductChange(title="鹅绒被"))
    assert await found(world, "羊毛", shop_id=shop.id) == []
    assert len(await found(world, "鹅绒", shop_id=shop.id)) == 1


async def test_filters_are_met_by_one_and_the_same_sku(world: World):
    shop = await world.shop()
    await world.bring(
        shop.id,
        catalogue(
            {"product_code": "a", "title": "a", "spec": "1", "price_yuan": "1", "stock": "0"},
            {"product_code": "a", "title": "a", "spec": "2", "price_yuan": "10", "stock": "3"},
            {"product_code": "b", "title": "b", "price_yuan": "1", "category": "丙一", "parent_category": "丙零"},
            {"product_code": "c", "title": "c", "price_yuan": "9", "category": "丙零", "parent_category": ""},
        ),
    )
    categories = {each.name: each.id for each in await world.catalog.categories(0, 100)}

    async def codes(**said: Any) -> str:
        return "".join(sorted(each.code for each in await found(world, shop_id=shop.id, **said)))

    assert await codes(price_max_fen=100) == "ab"
    assert await codes(price_max_fen=100, in_stock=True) == "b"
    assert await codes(price_min_fen=500, in_stock=True) == "ac"
    assert await codes(price_min_fen=101, price_max_fen=899) == ""
    assert await codes(category_id=categories["丙零"]) == "bc"
    assert await codes(category_id=categories["丙一"]) == "b"
    assert await codes(category_id=10**15) == ""
    assert {each.code: each.in_stock for each in await found(world, shop_id=shop.id)} == dict.fromkeys("abc", True)


@pytest.mark.parametrize("sort", Sort)
async def test_pages_neither_repeat_nor_skip_what_is_equal(world: World, sort: Sort):
    shop = await world.shop()
    prices = [100, 200, 300]
    await world.bring(
        shop.id, catalogue(*({"price_yuan": f"{prices[n % 3] // 100}", "list_price_yuan": ""} for n in range(50)))
    )
    async with world.database.transaction() as tx:
        await tx.execute("UPDATE catalog.product SET sold = mod(id, 4) WHERE shop_id = %s", (shop.id,))
    search = Search(shop_id=shop.id, sort=sort)
    seen: list[Found] = []
    while True:
        page = await world.catalog.search(search, search.key(seen[-1]) if seen else None, 7)
        seen += page
        if len(page) < 7:
            break
    assert len({each.id for each in seen}) == len(seen) == 50
    keys = [search.key(each)[0] for each in seen]
    assert keys == sorted(keys, reverse=sort is not Sort.PRICE)


async def test_a_search_with_words_uses_the_index(world: World):
    shop = await world.shop()
    await world.bring(shop.id, many(60))
    async with world.database.transaction() as tx:
        await tx.execute("SET LOCAL enable_seqscan = off")
        plan = await tx.rows("EXPLAIN SELECT * FROM catalog.wording WHERE grams @> %s::text[]", ("{12,23}",))
    assert any("wording_grams" in row[0] for row in plan)


# Sales and stock


async def test_paid_orders_raise_what_was_sold(world: World):
    shop = await world.shop()
    first, second = [await world.catalog.add_product(shop.id, draft(code)) for code in ("P1", "P2")]
    world.platform.relay.subscribe("orders.paid", count_sold)
    async with world.database.transaction() as tx:
        payloads = [
            {"order_id": str(uuid7(world.now())), "buyer_id": 7, "total_fen": 300, "lines": [
                {"sku_id": 1, "product_id": product.id, "quantity": quantity} for product, quantity in lines]}
            for lines in ([(first, 2), (second, 1)], [(first, 1)])
        ]  # fmt: skip
        await emit(tx, shop.id, [("orders.paid", payload) for payload in payloads], world.now())
    await world.platform.relay.drain()
    await world.platform.relay.drain()
    assert [each.sold for each in await found(world, shop_id=shop.id, sort=Sort.SALES)] == [3, 1]


async def test_a_catalog_without_an_inventory_works_too(world: World):
    shop = await world.shop()
    world.catalog.stockroom = Stockroom()
    await world.bring(shop.id, catalogue({}))
    assert (await world.exported(shop.id)).splitlines()[1].endswith(",459.00,479.00,,1")


async def test_sold_out_and_back_shows_in_searches(world: World, database: Database):
    shop = await world.shop()
    made = await world.catalog.add_product(shop.id, draft())
    for in_stock in (False, True):
        await database.run(lambda tx, mark=in_stock: tx.ask(availability_marked(shop.id, {made.skus[0].id: mark})))
        assert [each.in_stock for each in await found(world, shop_id=shop.id)] == [in_stock]
        assert len(await found(world, shop_id=shop.id, in_stock=True)) == in_stock


# The audit

DAMAGE: dict[str, Callable[[int], tuple[str, tuple[int, ...]]]] = {
    "a product's lowest price is that of its SKUs on the shelf": lambda shop: (
        "UPDATE catalog.product SET price_fen = price_fen + 1 WHERE shop_id = %s", (shop,)),
    "a SKU's price is the last of its history": lambda shop: (
        "UPDATE catalog.price_change SET list_price_fen = 1 WHERE shop_id = %s AND revision = 2", (shop,)),
    "no price is missing from a SKU's history": lambda shop: (
        "DELETE FROM catalog.price_change WHERE shop_id = %s AND revision = 1", (shop,)),
    "every product can be found by its words": lambda shop: (
        "DELETE FROM catalog.wording WHERE shop_id = %s", (shop,)),
}  # fmt: skip


@pytest.mark.parametrize("invariant", DAMAGE)
async def test_the_audit_finds_each_kind_of_damage(world: World, invariant: str):
    shop = await world.shop()
    made = await world.catalog.add_product(shop.id, draft())
    await world.catalog.reprice(shop.id, made.skus[0].id, Price(90))
    before = await findings(world)
    assert set(before) == set(DAMAGE)

    sql, parameters = DAMAGE[invariant](shop.id)
    async with world.database.transaction() as tx:
        assert await tx.execute(sql, parameters) == 1

    try:
        assert {name: count - before[name] for name, count in (await findings(world)).items()} == {
            name: int(name == invariant) for name in DAMAGE
        }
    finally:
        async with world.database.transaction() as tx:  # the database is shared
            for table in ("price_change", "sku", "wording", "product"):
                if table == "sku":
                    await tx.execute("DELETE FROM inventory.adjustment WHERE shop_id = %s", (shop.id,))
                await tx.execute(f"DELETE FROM catalog.{table} WHERE shop_id = %s", (shop.id,))

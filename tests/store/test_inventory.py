"""Stock against the database: adjustments and why they were made, limits, holds, and what searches show."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from msgspec.structs import replace

from fairwind.inventory import AdjustmentDraft, Stock, add_stock, expired_holds, set_buyer_limit, stock_of, store
from fairwind.inventory.commands import Adjusting, adjust
from fairwind.inventory.stock import Adjustment, StockTooLow
from fairwind.kernel import Database, IdReused, NotFound, PersonId, Refused, SkuId, accepted, uuid7
from fairwind.kernel.pages import NEWEST
from fairwind.orders import Order
from fairwind.orders.commands.delivery import Cancelling, cancel
from fairwind.orders.commands.placing import place
from market import BUYER, HOLD_TTL, NOW, Shop, broken, open_shop, paid, placed, placing

MERCHANT = PersonId(1)
NO_SKU = SkuId(1)


@pytest.fixture(scope="module")
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as database:
        yield database


def change(shop: Shop, quantity: int, sku_id: SkuId | None = None) -> Adjusting:
    return Adjusting(sku_id or shop.sku_ids[0], AdjustmentDraft(uuid7(NOW), quantity, "盘点"), MERCHANT)


async def adjusted(database: Database, shop: Shop, *items: Adjusting) -> list[Adjustment | Refused]:
    return await database.run(lambda tx: adjust(tx, shop.id, items, NOW))


async def stock(database: Database, shop: Shop) -> Stock:
    async with database.transaction() as tx:
        assert await broken(tx, [shop.id]) == []
        return (await stock_of(tx, shop.id, shop.sku_ids))[shop.sku_ids[0]]


async def in_stock(database: Database, shop: Shop) -> bool:
    """Whether searches show the shop's first SKU as in stock."""
    async with database.transaction() as tx:
        row = await tx.row("SELECT in_stock FROM catalog.sku WHERE id = %s", (shop.sku_ids[0],))
        assert row is not None
        return bool(row.in_stock)


class TestAdjusting:
    async def test_each_change_takes_from_what_the_ones_before_it_left(self, database: Database) -> None:
        shop = await open_shop(database, 5)
        outcomes = await adjusted(database, shop, *(change(shop, quantity) for quantity in (-3, -3, 4, -6, -1)))
        assert [getattr(outcome, "code", outcome.quantity if isinstance(outcome, Adjustment) else 0)
                for outcome in outcomes] == [-3, "stock_too_low", 4, -6, "stock_too_low"]  # fmt: skip
        assert (await stock(database, shop)).available == 0

    async def test_what_is_held_or_sold_cannot_be_taken_away(self, database: Database) -> None:
        shop = await open_shop(database, 5)
        await placed(database, shop, (shop.sku_id, 2))
        await paid(database, await placed(database, shop))
        [refusal] = await adjusted(database, shop, change(shop, -3))
        assert isinstance(refusal, StockTooLow)
        assert refusal.more == {"available": 2}
        await adjusted(database, shop, change(shop, -2))
        assert await stock(database, shop) == Stock(shop.sku_id, 3, 1, 2, None)

    async def test_repeating_a_change_makes_it_once_and_answers_the_first(self, database: Database) -> None:
        shop = await open_shop(database, 5)
        item = change(shop, 7)
        first, second = await adjusted(database, shop, item, item)
        later = NOW + timedelta(days=1)
        [third] = await database.run(lambda tx: adjust(tx, shop.id, [item], later))
        assert first == second == third
        assert accepted(third).made_at == NOW
        assert (await stock(database, shop)).adjusted_quantity == 12

    @pytest.mark.parametrize("apart", ["quantity", "reason", "person", "sku"])
    async def test_an_id_stands_for_one_change_only(self, database: Database, apart: str) -> None:
        shop = await open_shop(database, 5, 5)
        item = change(shop, 7)
        other = {
            "quantity": replace(item, draft=replace(item.draft, quantity=8)),
            "reason": replace(item, draft=replace(item.draft, reason="补货")),
            "person": replace(item, person_id=PersonId(2)),
            "sku": replace(item, sku_id=shop.sku_ids[1]),
        }[apart]
        for outcomes in (await adjusted(database, shop, item, other), await adjusted(database, shop, item, other)):
            assert isinstance(outcomes[0], Adjustment)
            assert isinstance(outcomes[1], IdReused)

    async def test_a_refused_change_may_come_again(self, database: Database) -> None:
        shop = await open_shop(database, 1)
        item = change(shop, -2)
        assert isinstance((await adjusted(database, shop, item))[0], StockTooLow)
        assert isinstance((await adjusted(database, shop, change(shop, 1), item))[1], Adjustment)

    async def test_a_sku_of_nobody_is_refused_beside_its_neighbours(self, database: Database) -> None:
        shop, elsewhere = await open_shop(database, 1), await open_shop(database, 1)
        outcomes = await adjusted(
            database, shop, change(shop, 1), change(shop, 1, NO_SKU), change(shop, 1, elsewhere.sku_id)
        )
        assert [type(outcome) for outcome in outcomes] == [Adjustment, NotFound, NotFound]

    async def test_the_history_says_who_changed_what_and_why_newest_first(self, database: Database) -> None:
        shop = await open_shop(database, 5)
        for day in range(5):
            item, now = change(shop, day + 1), NOW + timedelta(days=day)
            await database.run(lambda tx, item=item, now=now: adjust(tx, shop.id, [item], now))
        pages: list[Adjustment] = []
        async with database.transaction() as tx:
            before = NEWEST
            while page := await store.adjustments_page(tx, shop.id, shop.sku_id, before, 2):
                pages += page
                before = (page[-1].made_at, page[-1].id)
        assert [each.quantity for each in pages] in ([5, 4, 3, 2, 1, 5], [5, 4, 3, 2, 5, 1])
        assert {each.reason: each.person_id for each in pages} == {"盘点": MERCHANT, "first stock": None}


class TestFirstStock:
    async def test_a_sku_may_begin_with_nothing(self, database: Database) -> None:
        shop = await open_shop(database, 0)
        assert await stock(database, shop) == Stock(shop.sku_id, 0, 0, 0, None)
        assert not await in_stock(database, shop)

    async def test_stock_is_opened_once_and_added_to_after(self, database: Database) -> None:
        shop = await open_shop(database, 2)
        await database.run(lambda tx: add_stock(tx, shop.id, [(shop.sku_id, 3)], NOW))
        assert (await stock(database, shop)).adjusted_quantity == 5


class TestAvailability:
    async def test_searches_show_what_can_be_had(self, database: Database) -> None:
        shop = await open_shop(database, 1)
        assert await in_stock(database, shop)
        order = await placed(database, shop)
        assert not await in_stock(database, shop)
        await database.run(lambda tx: cancel(tx, shop.id, [Cancelling(order.id, BUYER)], NOW))
        assert await in_stock(database, shop)
        await adjusted(database, shop, change(shop, -1))
        assert not await in_stock(database, shop)
        await adjusted(database, shop, change(shop, 1))
        assert await in_stock(database, shop)

    async def test_a_batch_that_sells_out_and_comes_back_shows_nothing_new(self, database: Database) -> None:
        shop = await open_shop(database, 1)
        await adjusted(database, shop, change(shop, -1), change(shop, 1))
        assert await in_stock(database, shop)


class TestLimits:
    async def test_a_limit_counts_from_the_next_order_on(self, database: Database) -> None:
        shop = await open_shop(database, 99)
        before = await placed(database, shop, (shop.sku_id, 5))
        await database.run(lambda tx: set_buyer_limit(tx, shop.id, shop.sku_id, 2))
        assert not before.lines[0].limited
        assert await orders_fit(database, shop, 2, 1) == [True, False]

    async def test_what_comes_back_can_be_bought_again(self, database: Database) -> None:
        shop = await open_shop(database, 99)
        await database.run(lambda tx: set_buyer_limit(tx, shop.id, shop.sku_id, 2))
        order = await placed(database, shop, (shop.sku_id, 2))
        assert await orders_fit(database, shop, 1) == [False]
        await database.run(lambda tx: cancel(tx, shop.id, [Cancelling(order.id, BUYER)], NOW))
        assert await orders_fit(database, shop, 2) == [True]

    async def test_a_limit_that_is_lifted_and_set_again_remembers_what_it_counted(self, database: Database) -> None:
        shop = await open_shop(database, 99)
        await database.run(lambda tx: set_buyer_limit(tx, shop.id, shop.sku_id, 2))
        await placed(database, shop, (shop.sku_id, 1))
        await database.run(lambda tx: set_buyer_limit(tx, shop.id, shop.sku_id, None))
        await placed(database, shop, (shop.sku_id, 9))
        await database.run(lambda tx: set_buyer_limit(tx, shop.id, shop.sku_id, 2))
        assert await orders_fit(database, shop, 2, 1, 1) == [False, True, False]

    async def test_each_buyer_has_a_limit_of_their_own(self, database: Database) -> None:
        shop = await open_shop(database, 99)
        stocked = await database.run(lambda tx: set_buyer_limit(tx, shop.id, shop.sku_id, 1))
        assert stocked.buyer_limit == 1
        items = [placing((shop.sku_id, 1), buyer_id=PersonId(buyer)) for buyer in (7, 8, 7, 8)]
        outcomes = await database.run(lambda tx: place(tx, shop.id, items, NOW, HOLD_TTL))
        assert [isinstance(outcome, Order) for outcome in outcomes] == [True, True, False, False]

    async def test_a_sku_of_nobody_has_no_limit(self, database: Database) -> None:
        shop = await open_shop(database, 1)
        with pytest.raises(NotFound):
            await database.run(lambda tx: set_buyer_limit(tx, shop.id, NO_SKU, 1))


async def orders_fit(database: Database, shop: Shop, *quantities: int) -> list[bool]:
    """Which orders of these quantities the same buyer may place, one after another."""
    items = [placing((shop.sku_id, quantity)) for quantity in quantities]
    outcomes = await database.run(lambda tx: place(tx, shop.id, items, NOW, HOLD_TTL))
    await stock(database, shop)
    return [isinstance(outcome, Order) for outcome in outcomes]


class TestHolds:
    async def test_an_order_is_due_when_its_hold_expires_and_not_before(self, database: Database) -> None:
        shop = await open_shop(database, 9, 9)
        order = await placed(database, shop, *[(sku_id, 1) for sku_id in shop.sku_ids])
        assert order.expires_at == NOW + HOLD_TTL
        for at, due in ((order.expires_at - timedelta(microseconds=1), False), (order.expires_at, True)):
            async with database.transaction() as tx:
                assert ((shop.id, order.id) in await tx.ask(expired_holds(at, 10_000))) is due

    async def test_orders_placed_together_are_all_found(self, database: Database) -> None:
        """They expire at the same moment, and have two holds each."""
        shop = await open_shop(database, 99, 99)
        items = [placing(*[(sku_id, 1) for sku_id in shop.sku_ids]) for _ in range(20)]
        await database.run(lambda tx: place(tx, shop.id, items, NOW, HOLD_TTL))
        async with database.transaction() as tx:
            due = [id for at, id in await tx.ask(expired_holds(NOW + HOLD_TTL, 10_000)) if at == shop.id]  # noqa: A001
        assert sorted(due) == sorted(item.draft.id for item in items)

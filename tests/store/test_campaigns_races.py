"""Many shops at the same moment for the last fen of a budget: never one too many, and none that nobody can have.

Beside it a twin that reads what is left and writes what it spends, as one would without a lock; it must overspend.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from campaigns import OPERATOR, broken, budgets, draft, give_back, halves, platform_only, running, spend, total
from fairwind.kernel import Database, PersonId, Transaction, metrics
from fairwind.policy.campaign import PLATFORM, Campaign, Scope
from fairwind.policy.commands.campaigns import stop
from fairwind.policy.commands.purses import return_unused
from market import NOW, Shop, open_shop, people

SHOPS = 5
BUYERS = 40
CONNECTIONS = 20
PRICE_FEN = 200
"""Half of it is subsidised."""


@pytest.fixture(scope="module")
async def database(module_database_url: str) -> AsyncIterator[Database]:
    async with Database(module_database_url, connections_max=CONNECTIONS) as database:
        yield database


@pytest.fixture
async def shops(database: Database) -> list[Shop]:
    return [await open_shop(database, 999, price_fen=PRICE_FEN) for _ in range(SHOPS)]


@pytest.fixture(autouse=True)
async def sound(database: Database) -> AsyncIterator[None]:
    """After each race the books are sound, and nobody had to be thrown out of a ring of waiters."""
    deadlocks = metrics.RETRIES.labels("40P01")
    before = deadlocks._value.get()
    yield
    async with database.transaction() as tx:
        assert await broken(tx) == []
    assert deadlocks._value.get() == before


def of(shops: list[Shop]) -> Scope:
    return Scope(shop_ids=tuple(sorted(shop.id for shop in shops)))


async def rush(shops: list[Shop], buy: Callable[[Shop, PersonId], Awaitable[int]]) -> int:
    """What all buyers are granted when each buys one in some shop, all at the same moment."""
    calls = [(random.choice(shops), buyer) for buyer in people(BUYERS)]
    return sum(await asyncio.gather(*(buy(shop, buyer) for shop, buyer in calls)))


async def spent_of(database: Database, campaign: Campaign) -> dict[int, tuple[int, int, int]]:
    async with database.transaction() as tx:
        return await budgets(tx, campaign.id)


@pytest.mark.parametrize("budget_fen", [100, 1_700, 1_799])
async def test_the_last_fen_of_a_budget_is_spent_once(database: Database, shops: list[Shop], budget_fen: int) -> None:
    campaign = await running(database, draft(platform_only(budget_fen), scope=of(shops)))

    async def buy(shop: Shop, buyer: PersonId) -> int:
        [grants] = await database.run(lambda tx: spend(tx, shop.id, [(buyer, shop.sku_id, 1)]))
        return total(grants)

    granted = await rush(shops, buy)

    [(budget, drawn, spent)] = (await spent_of(database, campaign)).values()
    assert granted == spent <= drawn <= budget == budget_fen
    # Shops that have drawn what is not enough for a line may hold it; it comes back, and everything can be spent.
    later = NOW + timedelta(minutes=2)
    await return_unused(database, later)
    for buyer in people(BUYERS):
        grants = await database.run(
            lambda tx, buyer=buyer: spend(tx, shops[0].id, [(buyer, shops[0].sku_id, 1)], later)
        )
        granted += total(grants[0])
    assert granted == budget_fen // 100 * 100


async def test_a_twin_that_reads_and_then_writes_overspends(database: Database, shops: list[Shop]) -> None:
    campaign = await running(database, draft(platform_only(100), scope=of(shops)))

    async def buy(shop: Shop, buyer: PersonId) -> int:
        async def work(tx: Transaction) -> int:
            row = await tx.row(
                "SELECT coalesce(sum(spent_fen), 0) AS spent FROM policy.burn_down WHERE campaign_id = %s",
                (campaign.id,),
            )
            assert row is not None
            if row.spent + 100 > 100:
                return 0
            await asyncio.sleep(0.01)  # the rest of placing an order
            await tx.execute(
                "INSERT INTO policy.allotment VALUES (%s, %s, 0, 100, 100) ON CONFLICT DO NOTHING",
                (shop.id, campaign.id),
            )
            await tx.execute(
                "INSERT INTO policy.burn_down VALUES (%s, %s, 0, %s, 100, 0)",
                (shop.id, campaign.id, NOW + timedelta(minutes=int(buyer))),
            )
            return 100

        return await database.run(work)

    granted = await rush(shops, buy)

    assert granted > 100
    async with database.transaction() as tx:
        assert "what is drawn of a budget is the sum of what shops have drawn" in await broken(tx)
        for table in ("burn_down", "allotment"):
            await tx.execute(f"DELETE FROM policy.{table} WHERE campaign_id = %s", (campaign.id,))  # type: ignore[arg-type]


async def test_a_buyer_who_orders_everywhere_at_once_gets_no_more_than_each_buyer_may(
    database: Database, shops: list[Shop]
) -> None:
    campaign = await running(database, draft(platform_only(100_000), scope=of(shops), buyer_max_fen=350))
    buyer = PersonId(77)

    async def buy(shop: Shop, _: PersonId) -> int:
        [grants] = await database.run(lambda tx: spend(tx, shop.id, [(buyer, shop.sku_id, 1)]))
        return total(grants)

    assert await rush(shops, buy) == 350
    assert (await spent_of(database, campaign))[PLATFORM][2] == 350


async def test_the_first_orders_of_shops_that_never_met_a_campaign_wait_for_each_other_in_one_order(
    database: Database, shops: list[Shop]
) -> None:
    """Each batch has all buyers, in an order of its own, and two campaigns to choose from."""
    campaigns = [
        await running(database, draft(*halves(50_000, shops[0]), scope=of(shops), buyer_max_fen=cap_fen))
        for cap_fen in (150, 170)
    ]
    buyers = people(6)

    async def buy(shop: Shop, _: PersonId) -> int:
        wanted = [(buyer, shop.sku_id, 1) for buyer in random.sample(buyers, len(buyers))]
        return sum(map(total, await database.run(lambda tx: spend(tx, shop.id, wanted))))

    granted = await rush(shops, buy)

    assert granted == len(buyers) * (150 + 170)
    found = [await spent_of(database, campaign) for campaign in campaigns]
    assert sum(spent for each in found for *_, spent in each.values()) == granted


async def test_buying_giving_back_and_returning_at_once_keeps_every_budget(
    database: Database, shops: list[Shop]
) -> None:
    campaign = await running(database, draft(*halves(1_000, shops[0]), scope=of(shops), buyer_max_fen=500))

    async def buy(shop: Shop, buyer: PersonId) -> int:
        """Two lines, and half of what they got goes back."""
        wanted = [(buyer, shop.sku_id, 1), (PersonId(99), shop.sku_id, 1)]
        first, second = await database.run(lambda tx: spend(tx, shop.id, wanted))
        if first:
            await database.run(lambda tx: give_back(tx, shop.id, buyer, first))
        return total(second)

    async def sweep() -> None:
        for _ in range(10):
            await return_unused(database, NOW + timedelta(minutes=2))

    granted, _ = await asyncio.gather(rush(shops, buy), sweep())

    assert granted <= 500
    found = await spent_of(database, campaign)
    assert all(spent <= drawn <= budget for budget, drawn, spent in found.values())
    assert sum(spent for *_, spent in found.values()) == granted


async def test_nothing_is_drawn_once_a_campaign_has_stopped(database: Database, shops: list[Shop]) -> None:
    campaign = await running(database, draft(platform_only(100_000), scope=of(shops)))

    async def buy(shop: Shop, buyer: PersonId) -> int:
        if buyer == people(BUYERS)[BUYERS // 2]:
            await database.run(lambda tx: stop(tx, campaign.id, OPERATOR, NOW))
        [grants] = await database.run(lambda tx: spend(tx, shop.id, [(buyer, shop.sku_id, 1)]))
        return total(grants)

    granted = await rush(shops, buy)
    await return_unused(database, NOW)

    assert await spent_of(database, campaign) == {PLATFORM: (100_000, granted, granted)}

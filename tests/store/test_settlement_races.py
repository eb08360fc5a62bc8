"""Settling, giving back, changing terms and spending budgets at the same moment: every fen has one place.

Beside each race stands a twin that reads, decides and writes without a lock; the race finds it out.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest

from campaigns import budgets, draft, halves, running
from deals import LATER, OPERATOR, book, creator, ordered, picked, received, subsidised
from fairwind.alliance.commands.plans import publish_plans
from fairwind.alliance.plan import Kind, Terms
from fairwind.alliance.promise import Publishing
from fairwind.kernel import (
    Database,
    Fen,
    OrderId,
    PersonId,
    Platform,
    Ppm,
    RefundId,
    Settings,
    ShopId,
    Transaction,
    accepted,
    metrics,
    uuid7,
)
from fairwind.ledger import transfers_posted
from fairwind.orders import Order, place, sold_lines
from fairwind.orders.commands.after_sales import Asking, Backing, ask_refunds
from fairwind.orders.refund import RefundDraft, RefundLineDraft
from fairwind.policy.campaign import Rule, Scope
from fairwind.policy.commands.purses import return_unused
from fairwind.settlement.commands.settling import claw_back, settle
from fairwind.settlement.commands.sweeps import sweep_book
from fairwind.settlement.entries import settling
from fairwind.settlement.settlement import Settlement
from fairwind.settlement.share import SettledLine, held, share_line, terms_of
from fairwind.settlement.store import settling as store
from market import HOLD_TTL, NOW, WINDOW, Shop, broken, open_shop, paid, people, placing

OVER = LATER + WINDOW
ORDERS = 12
CONNECTIONS = 20
DAY = timedelta(days=1)
Work = Callable[[Transaction], Awaitable[Any]]


@pytest.fixture(scope="module")
async def database(module_database_url: str) -> AsyncIterator[Database]:
    async with Database(module_database_url, connections_max=CONNECTIONS) as database:
        yield database


class Deal(NamedTuple):
    """A shop with received orders that are due at OVER, and the creator who sold them."""

    shop: Shop
    host: PersonId
    orders: list[Order]

    @property
    def keys(self) -> list[tuple[OrderId, int]]:
        return [(order.id, 1) for order in self.orders]


@pytest.fixture
async def deal(database: Database) -> Deal:
    shop, host = await open_shop(database, 99), await creator(database)
    await published(database, shop, 200_000, NOW)
    await picked(database, shop, host)
    await subsidised(database, shop, 901)
    orders = [await received(database, await ordered(database, shop, by=host)) for _ in range(ORDERS)]
    return Deal(shop, host, orders)


async def published(database: Database, shop: Shop, creator_ppm: int, now: datetime) -> None:
    item = Publishing(shop.product_ids[0], Kind.ORDINARY, Terms(Ppm(creator_ppm)), OPERATOR)
    [outcome] = await database.run(lambda tx: publish_plans(tx, shop.id, [item], now))
    accepted(outcome)


async def at_once(database: Database, works: Sequence[Work]) -> list[Any]:
    """Each in a transaction of its own, in any order."""
    return await asyncio.gather(*(database.run(work) for work in random.sample(works, len(works))))


async def sound(database: Database, *shops: Shop) -> None:
    async with database.transaction() as tx:
        assert await broken(tx, [shop.id for shop in shops]) == []


async def money_of_others(database: Database, deal: Deal) -> None:
    """So much more in the same escrow that it is not seen at once when money leaves it twice."""
    await paid(database, await ordered(database, deal.shop, 60), LATER)


def giving(order: Order, amount_fen: int | None) -> Work:
    """The shop gives so much of the order's line back; None: all of it."""
    lines = None if amount_fen is None else (RefundLineDraft(1, amount_fen),)
    asking = Asking(order.id, RefundDraft(RefundId(uuid7(OVER)), "refund_only", "补偿", lines), OPERATOR, None)

    async def work(tx: Transaction) -> None:
        [outcome] = await ask_refunds(tx, order.shop_id, [asking], OVER, WINDOW, Backing(claw_back))
        accepted(outcome)

    return work


def settling_of(shop_id: ShopId, keys: Sequence[tuple[OrderId, int]]) -> Work:
    return lambda tx: settle(tx, shop_id, keys, OVER)


# Settlement against refund.


async def test_what_is_given_back_while_it_settles_comes_from_escrow_or_from_who_earned(
    database: Database, deal: Deal
) -> None:
    """Whichever was first: all went back, so that every account is as before."""
    refunds = [giving(order, None) for order in deal.orders]
    await at_once(database, [*refunds, *[settling_of(deal.shop.id, [key]) for key in deal.keys]])
    paid_fen = ORDERS * (9900 - 901)
    assert await book(database, deal.shop.id) == {("provider", 0): -paid_fen, ("buyer_refund", 0): paid_fen}
    await sound(database, deal.shop)


async def test_parts_given_back_while_lines_settle_end_with_books_that_add_up(database: Database, deal: Deal) -> None:
    refunds = [giving(order, fen) for order in deal.orders for fen in (1, 3333, 2999)]
    settles = [settling_of(deal.shop.id, deal.keys)] * 3
    sweeps: list[Work] = [lambda tx, day=day: sweep_book(tx, deal.shop.id, DAY, OVER + day * DAY) for day in range(3)]  # type: ignore[misc]
    deadlocks = metrics.RETRIES.labels("40P01")
    before = deadlocks._value.get()
    await at_once(database, [*refunds, *settles, *sweeps])
    assert deadlocks._value.get() == before
    async with database.transaction() as tx:
        row = await tx.row(
            "SELECT count(*) AS lines, sum(paid_fen - returned_fen) AS left_fen FROM settlement.settled_line"
            " WHERE shop_id = %s",
            (deal.shop.id,),
        )
    assert row is not None
    assert (row.lines, row.left_fen) == (ORDERS, ORDERS * (9900 - 901 - 6333))
    assert ("escrow", 0) not in await book(database, deal.shop.id)
    await sound(database, deal.shop)


async def test_a_twin_that_settles_without_the_orders_lock_pays_for_what_went_back(
    database: Database, deal: Deal
) -> None:
    async def naive(tx: Transaction) -> None:
        order_ids = {order.id for order in deal.orders}
        lines = await tx.ask(sold_lines(deal.shop.id, order_ids))
        await tx.ask(store.due_taken(deal.shop.id, deal.keys, OVER))
        await asyncio.sleep(0.1)
        settled = [settled_line(line) for line in lines]  # as they were a moment ago
        await tx.together(
            *store.settled_added(deal.shop.id, settled, OVER),
            *transfers_posted(deal.shop.id, settling(settled), OVER),
        )

    await money_of_others(database, deal)
    await at_once(database, [naive, *[giving(order, None) for order in deal.orders]])
    async with database.transaction() as tx:
        found = {invariant[:20] for invariant, _ in await broken(tx, [deal.shop.id])}
    assert {"each book's escrow i", "each settled line he"} <= found


def settled_line(line: Any) -> SettledLine:
    there, terms = held(line.paid_fen, line.grants, line.refunded_fen), terms_of(line)
    return SettledLine(line.order_id, line.line_no, there, share_line(there, terms), terms)


# The same lines, several servers.


async def seller_fen(database: Database, shop: Shop) -> int:
    return (await book(database, shop.id))["shop", 0]


DUE_FEN = 9900 - 99 - 1980
"""What the seller has of one line: all but one percent and the creator's fifth."""


async def test_what_many_servers_settle_at_once_settles_once(
    database: Database, module_database_url: str, deal: Deal
) -> None:
    class At:
        def now(self) -> datetime:
            return OVER

    settings = Settings(database_url=module_database_url)
    servers = [Settlement(Platform(database, At(), settings)) for _ in range(4)]
    await asyncio.gather(*(server.settle_due() for server in servers * 2))
    assert await seller_fen(database, deal.shop) == ORDERS * DUE_FEN
    await sound(database, deal.shop)


async def test_lines_taken_in_any_order_settle_once_and_nobody_waits_in_a_ring(database: Database, deal: Deal) -> None:
    deadlocks = metrics.RETRIES.labels("40P01")
    before = deadlocks._value.get()
    pages = [random.sample(deal.keys, ORDERS // 2) for _ in range(16)]
    await at_once(database, [settling_of(deal.shop.id, keys) for keys in [*pages, deal.keys]])
    assert deadlocks._value.get() == before
    assert await seller_fen(database, deal.shop) == ORDERS * DUE_FEN
    await sound(database, deal.shop)


async def test_a_twin_that_looks_what_is_due_settles_it_again_and_again(database: Database, deal: Deal) -> None:
    async def naive(tx: Transaction) -> None:
        due = [key for key in await tx.ask(store.due_lines(OVER, None, 1000)) if key[1] == deal.shop.id]
        lines = await tx.ask(sold_lines(deal.shop.id, {order_id for _, _, order_id, _ in due}))
        await asyncio.sleep(0.05)
        await tx.together(*transfers_posted(deal.shop.id, settling(map(settled_line, lines)), OVER))
        await tx.ask(store.due_taken(deal.shop.id, deal.keys, OVER))

    await money_of_others(database, deal)
    await at_once(database, [naive] * 4)
    assert await seller_fen(database, deal.shop) > ORDERS * DUE_FEN


# A plan that changes while orders are placed.


class Version(NamedTuple):
    version: int
    creator_ppm: int


async def frozen(database: Database, shop: Shop) -> Counter[Version]:
    """The versions and rates that the shop's lines were sold on."""
    async with database.transaction() as tx:
        rows = await tx.rows("SELECT plan_version, creator_ppm FROM orders.line WHERE shop_id = %s", (shop.id,))
    return Counter(Version(*row) for row in rows)


async def promised(database: Database, shop: Shop) -> set[Version]:
    async with database.transaction() as tx:
        rows = await tx.rows("SELECT version, creator_ppm FROM alliance.plan_version WHERE shop_id = %s", (shop.id,))
    return {Version(*row) for row in rows}


async def test_a_plan_that_is_raised_while_orders_are_placed_gives_each_one_version_whole(
    database: Database,
) -> None:
    """Each order has the rate of the version that it names, one that was published by its time, and keeps it."""
    shop, host = await open_shop(database, 999), await creator(database)
    await published(database, shop, 100_000, NOW)
    await picked(database, shop, host)

    async def buy(number: int) -> None:
        await ordered(database, shop, by=host, now=NOW + timedelta(seconds=number))

    async def raise_it(number: int) -> None:
        await published(database, shop, 100_000 + number * 1000, NOW + timedelta(seconds=number))

    seconds = range(1, 40)
    await asyncio.gather(*(each(number) for number in seconds for each in (buy, raise_it)))
    sold, versions = await frozen(database, shop), await promised(database, shop)
    assert sold.total() == len(seconds)
    assert sold.keys() <= versions
    await published(database, shop, 500_000, NOW + timedelta(hours=1))
    assert await frozen(database, shop) == sold


async def test_of_two_changes_at_the_same_moment_the_last_one_counts(database: Database) -> None:
    """As when a shop cuts a rate and thinks better of it, and the gate puts both into one batch."""
    shop, host = await open_shop(database, 9), await creator(database)
    await published(database, shop, 300_000, NOW)
    await picked(database, shop, host)
    goods, kind = shop.product_ids[0], Kind.ORDINARY
    items = [Publishing(goods, kind, Terms(Ppm(rate)), OPERATOR) for rate in (200_000, 400_000)]
    await database.run(lambda tx: publish_plans(tx, shop.id, items, NOW))
    await ordered(database, shop, by=host, now=NOW + DAY)
    assert await frozen(database, shop) == Counter({Version(3, 400_000): 1})
    await sound(database, shop)


async def test_an_order_placed_once_a_raise_was_told_has_it(database: Database) -> None:
    shop, host = await open_shop(database, 999), await creator(database)
    await published(database, shop, 100_000, NOW)
    await picked(database, shop, host)
    told = asyncio.Event()
    due: list[Version] = []

    async def buy() -> None:
        await told.wait()
        await ordered(database, shop, by=host, now=LATER)

    async def raise_it() -> None:
        await published(database, shop, 300_000, LATER)
        due.append(Version(2, 300_000))
        told.set()

    await asyncio.gather(*(buy() for _ in range(10)), raise_it())
    assert await frozen(database, shop) == Counter({due[0]: 10})
    await sound(database, shop)


async def test_a_twin_that_looks_the_rate_up_behind_the_version_mixes_them(database: Database) -> None:
    shop = await open_shop(database, 1)
    await published(database, shop, 100_000, NOW)
    latest = "SELECT {} AS found FROM alliance.plan_version WHERE shop_id = %s ORDER BY version DESC LIMIT 1"

    async def sell() -> Version:
        async def work(tx: Transaction) -> Version:
            version = await tx.row(latest.format("version"), (shop.id,))  # type: ignore[arg-type]
            await asyncio.sleep(0.05)
            rate = await tx.row(latest.format("creator_ppm"), (shop.id,))  # type: ignore[arg-type]
            assert version is not None
            assert rate is not None
            return Version(version.found, rate.found)

        return await database.run(work)

    async def raise_it() -> None:
        await asyncio.sleep(0.02)
        await published(database, shop, 300_000, LATER)

    *sold, _ = await asyncio.gather(*(sell() for _ in range(10)), raise_it())
    assert not set(sold) <= await promised(database, shop)


# The last fen of a budget, through orders of two shops.

BUYERS = 40
PIECE_FEN = 100


async def overspent_fen(budget_fen: int, buy: Callable[[PersonId], Awaitable[int]]) -> int:
    """How much more than the budget forty buyers are given at the same moment."""
    return sum(await asyncio.gather(*map(buy, people(BUYERS)))) - budget_fen


@pytest.mark.parametrize("budget_fen", [50, 375, 824])
async def test_orders_of_two_shops_never_have_more_than_the_last_fen_of_a_budget(
    database: Database, budget_fen: int
) -> None:
    """Platform and shop pay half and half; either's money may end first."""
    shops = [await open_shop(database, 999) for _ in range(2)]
    scope = Scope(shop_ids=tuple(sorted(shop.id for shop in shops)))
    platform, shop = halves(budget_fen, shops[0])
    wanted = draft(platform, (*shop[:2], budget_fen + 1), rule=Rule(piece_fen=Fen(PIECE_FEN)), scope=scope)
    campaign = await running(database, wanted)

    async def buy(buyer: PersonId, now: datetime = NOW) -> int:
        shop = random.choice(shops)
        item = placing((shop.sku_id, 1), buyer_id=buyer)
        [outcome] = await database.run(lambda tx: place(tx, shop.id, [item], now, HOLD_TTL))
        return accepted(outcome).subsidy_fen

    assert await overspent_fen(2 * budget_fen, buy) <= 0
    await sound(database, *shops)
    # What a shop has drawn and cannot use comes back, and then all but what is too little for one is spent.
    later = NOW + timedelta(minutes=2)
    await return_unused(database, later)
    for buyer in people(BUYERS):
        await buy(buyer, later)
        await return_unused(database, later + timedelta(minutes=2))
    async with database.transaction() as tx:
        found = await budgets(tx, campaign.id)
    assert {spent for _, _, spent in found.values()} == {budget_fen // (PIECE_FEN // 2) * (PIECE_FEN // 2)}
    assert all(spent <= drawn <= budget for budget, drawn, spent in found.values())
    await sound(database, *shops)


async def test_a_twin_that_looks_what_is_left_overspends(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute("CREATE TABLE IF NOT EXISTS public.naive_budget (left_fen bigint NOT NULL)")
        await tx.execute("DELETE FROM public.naive_budget")
        await tx.execute("INSERT INTO public.naive_budget VALUES (%s)", (PIECE_FEN,))

    async def buy(_: PersonId) -> int:
        async def work(tx: Transaction) -> int:
            row = await tx.row("SELECT left_fen FROM public.naive_budget")
            assert row is not None
            if row.left_fen < PIECE_FEN:
                return 0
            await asyncio.sleep(0.01)  # the rest of placing an order
            await tx.execute("UPDATE public.naive_budget SET left_fen = %s", (row.left_fen - PIECE_FEN,))
            return PIECE_FEN

        return await database.run(work)

    assert await overspent_fen(PIECE_FEN, buy) > 0

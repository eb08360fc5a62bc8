"""Plans changed by many at the same moment, and picked and ordered meanwhile: one version in force, whoever is quicker.

As in the races of orders, each is run with a transaction for each call, and beside a twin that looks before it writes.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from fairwind.alliance.commands.mcn import accept, invite
from fairwind.alliance.commands.picks import Picking, pick
from fairwind.alliance.commands.plans import end_plans, publish_plans
from fairwind.alliance.commission import Commission
from fairwind.alliance.pick import NotInPool, Pick, PickDraft
from fairwind.alliance.plan import Kind
from fairwind.alliance.promise import Dated, Ending, PlanLive, Publishing
from fairwind.alliance.store.commissions import commissions
from fairwind.alliance.store.reserves import reserves_let_go, reserves_locked, reserves_saved
from fairwind.identity import Role
from fairwind.kernel import Database, PersonId, Ppm, Query, Refused, Transaction, statement
from market import NOW, Shop, broken, open_shop
from plans import MERCHANT, MIDNIGHT, creator, publish, someone, terms

CALLS = 30
CONNECTIONS = 20


@pytest.fixture(scope="module")
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, connections_max=CONNECTIONS) as database:
        yield database


async def gathered(database: Database, calls: list[Callable[[Transaction], Awaitable[Any]]]) -> list[Any]:
    """Each call in a transaction of its own, all at the same moment; refusals that are raised are answers too."""

    async def run(call: Callable[[Transaction], Awaitable[Any]]) -> Any:
        try:
            return await database.run(call)
        except Refused as refusal:
            return refusal

    return await asyncio.gather(*(run(call) for call in random.sample(calls, len(calls))))


def publishing(shop: Shop, percent: int, kind: Kind = Kind.ORDINARY, **more: Any) -> Any:
    item = Publishing(shop.product_ids[0], kind, terms(percent), MERCHANT, **more)
    return lambda tx: publish_plans(tx, shop.id, [item], NOW)


async def sound(database: Database, shop: Shop) -> None:
    async with database.transaction() as tx:
        assert await broken(tx, [shop.id]) == []


async def versions(database: Database, shop: Shop) -> list[Any]:
    async with database.transaction() as tx:
        return await tx.rows("SELECT * FROM alliance.plan_version WHERE shop_id = %s ORDER BY version", (shop.id,))


# Two versions at once, and a twin that publishes both as the second.


async def test_versions_published_at_the_same_moment_follow_each_other(database: Database) -> None:
    shop = await open_shop(database, 9)
    await publish(database, shop, terms(20))
    await gathered(database, [publishing(shop, percent) for percent in random.sample(range(51), CALLS)])
    found = await versions(database, shop)
    assert [row.version for row in found] == list(range(1, len(found) + 1))
    waiting = [row for row in found if row.superseded_at is None and row.effective_from == MIDNIGHT]
    assert len(waiting) <= 1
    await sound(database, shop)


async def test_forty_who_publish_the_first_plan_make_one(database: Database) -> None:
    shop = await open_shop(database, 9)
    await gathered(database, [publishing(shop, 20)] * CALLS)
    found = await versions(database, shop)
    assert [(row.version, row.creator_ppm) for row in found] == [(1, 200_000)]
    await sound(database, shop)


async def test_a_twin_that_looks_before_it_publishes_makes_two_versions_of_one_number(database: Database) -> None:
    """It reads the versions, decides by the same rule and writes, with no lock and no key."""
    shop = await open_shop(database, 9)
    async with database.transaction() as tx:
        await tx.execute("DROP TABLE IF EXISTS public.naive_version")
        await tx.execute("CREATE TABLE public.naive_version (shop bigint, version integer, creator_ppm bigint)")
        await tx.execute("INSERT INTO public.naive_version VALUES (%s, 1, 200000)", (shop.id,))

    def naive(percent: int) -> Any:
        async def work(tx: Transaction) -> None:
            last = await tx.row("SELECT max(version) AS version FROM public.naive_version WHERE shop = %s", (shop.id,))
            assert last is not None
            row = (shop.id, last.version + 1, percent * 10_000)
            await tx.execute("INSERT INTO public.naive_version VALUES (%s, %s, %s)", row)

        return work

    await gathered(database, [naive(percent) for percent in range(21, 21 + CALLS)])
    async with database.transaction() as tx:
        found = await tx.rows("SELECT version FROM public.naive_version WHERE shop = %s", (shop.id,))
    numbers = Counter(row.version for row in found)
    assert max(numbers.values()) > 1


async def test_of_two_exclusive_plans_for_different_creators_one_stands(database: Database) -> None:
    shop, one, other = await open_shop(database, 9), await creator(database), await creator(database)
    calls = [publishing(shop, 50, Kind.EXCLUSIVE, creator_id=who) for who in (one, other) * (CALLS // 2)]
    outcomes = [outcome for [outcome] in await gathered(database, calls)]
    stands = {outcome.plan.creator_id for outcome in outcomes if isinstance(outcome, Dated)}
    assert len(stands) == 1
    assert sum(isinstance(outcome, PlanLive) for outcome in outcomes) == CALLS // 2
    await sound(database, shop)


async def test_a_targeted_plan_never_outlives_the_ordinary_one_that_is_ended_meanwhile(database: Database) -> None:
    for _ in range(5):
        shop = await open_shop(database, 9)
        plan = await publish(database, shop, terms(20))
        assert isinstance(plan, Dated)
        ending = Ending(plan.plan.id, MERCHANT)
        calls = [publishing(shop, 60, Kind.TARGETED), lambda tx, e=ending, s=shop: end_plans(tx, s.id, [e], NOW)]
        await gathered(database, calls * 4)
        await sound(database, shop)


# Plan changes against picking and placing.


async def test_who_picks_while_an_exclusive_plan_comes_is_answered_by_it_or_refused(database: Database) -> None:
    """The plan begins at once, where nobody else has one: its creator picks once it is there, and the others never."""
    shop, one = await open_shop(database, 9), await creator(database)
    others = [await creator(database) for _ in range(6)]
    product_id = shop.product_ids[0]
    await publish(database, shop, terms(20), at=NOW - timedelta(days=2))
    [plan] = [row.plan_id for row in await versions(database, shop)]
    await database.run(lambda tx: end_plans(tx, shop.id, [Ending(plan, MERCHANT)], NOW - timedelta(days=2)))

    def picking(who: PersonId) -> Any:
        return lambda tx: pick(tx, shop.id, [Picking(who, product_id, PickDraft())], NOW)

    calls = [picking(who) for who in [one, *others]] * 3
    calls += [publishing(shop, 50, Kind.EXCLUSIVE, creator_id=one)] * 3
    outcomes = [outcome for [outcome] in await gathered(database, calls)]
    assert {type(each) for each in outcomes} <= {Pick, NotInPool, Dated}
    assert {each.creator_id for each in outcomes if isinstance(each, Pick)} <= {one}
    await sound(database, shop)


async def test_whoever_orders_while_plans_change_gets_one_version_whole(database: Database) -> None:
    """Rates and number of a version are read together: never the rate of one with the number of another."""
    shop, who = await open_shop(database, 9), await creator(database)
    product_id = shop.product_ids[0]
    await publish(database, shop, terms(1))
    await database.run(lambda tx: pick(tx, shop.id, [Picking(who, product_id, PickDraft())], NOW))

    async def place(tx: Transaction) -> Commission | str:
        return (await tx.ask(commissions(shop.id, [(product_id, who)], NOW))).of(product_id, who)

    raises = [publishing(shop, percent) for percent in range(2, 20)]
    outcomes = await gathered(database, [*raises, *[place] * 40])
    frozen = [each for each in outcomes if isinstance(each, Commission)]
    assert len(frozen) == 40
    by_number = {row.version: row.creator_ppm for row in await versions(database, shop)}
    assert all(by_number[each.version] == each.creator_ppm for each in frozen)
    await sound(database, shop)


async def test_a_twin_that_reads_a_plan_in_two_statements_mixes_two_versions(database: Database) -> None:
    """It asks for the number of the newest version, and then for the newest rate; a raise comes in between."""
    shop = await open_shop(database, 9)
    await publish(database, shop, terms(1))
    newest = "FROM alliance.plan_version WHERE shop_id = %s ORDER BY version DESC LIMIT 1"

    async def place(tx: Transaction) -> tuple[int, int]:
        number = await tx.row("SELECT version " + newest, (shop.id,))
        await tx.rows("SELECT pg_sleep(0.02)")
        rate = await tx.row("SELECT creator_ppm " + newest, (shop.id,))
        assert number is not None
        assert rate is not None
        return number.version, rate.creator_ppm

    raises = [publishing(shop, percent) for percent in range(2, 20)]
    outcomes = await gathered(database, [*raises, *[place] * 40])
    by_number = {row.version: row.creator_ppm for row in await versions(database, shop)}
    frozen = [each for each in outcomes if isinstance(each, tuple)]
    assert any(by_number[number] != ppm for number, ppm in frozen)


# What is kept, and who belongs to whom.


async def test_what_is_kept_is_sold_once(database: Database) -> None:
    shop = await open_shop(database, 30)
    await publish(database, shop, terms(20))
    async with database.transaction() as tx:
        await tx.execute(
            "INSERT INTO alliance.reserve (shop_id, sku_id, product_id, kept_quantity) VALUES (%s, %s, %s, 7)",
            (shop.id, shop.sku_id, shop.product_ids[0]),
        )

    async def take(tx: Transaction) -> int:
        reserves = await tx.ask(reserves_locked(shop.id, [shop.sku_id]))
        taken = reserves.take(shop.sku_id, 1)
        await tx.together(*reserves_saved(shop.id, reserves))
        return taken

    assert sum(await gathered(database, [take] * CALLS)) == 7


LETTING_GO: dict[str, Callable[[Shop], list[Query[Any]]]] = {
    "by_sku": lambda shop: list(reserves_let_go(shop.id, shop.product_ids, NOW)),
    # The twin updates the rows as they lie: they were written with the higher SKU first.
    "as_they_lie": lambda shop: [
        statement("SET LOCAL enable_indexscan = off", ()),
        statement("UPDATE alliance.reserve SET over = true WHERE shop_id = %s AND NOT over", (shop.id,)),
    ],
}


@pytest.mark.parametrize("way", LETTING_GO)
async def test_letting_go_of_what_is_kept_takes_the_locks_in_the_order_of_everybody(
    database: Database, way: str
) -> None:
    shop = await open_shop(database, 9, 9)
    low, high = sorted(shop.sku_ids)
    async with database.transaction() as tx:
        for sku_id, product_id in sorted(zip(shop.sku_ids, shop.product_ids, strict=True), reverse=True):
            await tx.execute(
                "INSERT INTO alliance.reserve (shop_id, sku_id, product_id, kept_quantity) VALUES (%s, %s, %s, 7)",
                (shop.id, sku_id, product_id),
            )

    async def let_go() -> None:
        async with database.transaction() as tx:
            await tx.together(*LETTING_GO[way](shop))

    # An order has the lower SKU and is about to want the higher one: whoever waits for the first must not have it.
    async with database.transaction() as tx:
        await tx.ask(reserves_locked(shop.id, [low]))
        me = await tx.row("SELECT pg_backend_pid() AS pid")
        assert me is not None
        sweep = asyncio.create_task(let_go())
        for _ in range(1000):
            if await blocked_by(database, me.pid):
                break
            await asyncio.sleep(0.01)
        row = await tx.row(
            "SELECT sku_id FROM alliance.reserve WHERE shop_id = %s AND sku_id = %s FOR UPDATE SKIP LOCKED",
            (shop.id, high),
        )
    await sweep
    assert (row is not None) == (way == "by_sku")


async def blocked_by(database: Database, pid: int) -> bool:
    """Whether somebody waits for this connection."""
    async with database.transaction() as tx:
        row = await tx.row(
            "SELECT count(*) AS waiting FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))", (pid,)
        )
    return bool(row and row.waiting)


async def test_a_creator_who_accepts_two_invitations_at_the_same_moment_joins_one(database: Database) -> None:
    who = await creator(database)
    agencies = [await someone(database, Role.AGENCY) for _ in range(4)]
    for agency_id in agencies:
        await database.run(lambda tx, a=agency_id: invite(tx, a, who, Ppm(100_000), NOW))
    outcomes = await gathered(
        database, [lambda tx, a=agency_id: accept(tx, who, a, Ppm(100_000), NOW) for agency_id in agencies]
    )
    assert Counter(getattr(each, "code", "joined") for each in outcomes) == {"joined": 1, "in_mcn": 3}

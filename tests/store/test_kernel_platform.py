"""The platform: gates before the database, work that repeats, and an orderly end. And what installations share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from itertools import chain

import pytest
from structlog.testing import capture_logs

from fairwind.kernel import (
    Database,
    NotFound,
    Platform,
    Refused,
    Settings,
    ShiftedClock,
    ShopId,
    Stopping,
    Transaction,
    Unavailable,
    isolated,
    next_ids,
    secret,
)

SHOP = ShopId(1)


@pytest.fixture
def platform(database: Database) -> Platform:
    return Platform(database, ShiftedClock(), Settings(batch_items_max=64))


async def backend(tx: Transaction) -> tuple[int, int]:
    """What tells one transaction from another."""
    row = await tx.row("SELECT pg_backend_pid() AS pid, pg_current_xact_id()::text::bigint AS xact")
    assert row is not None
    return row.pid, row.xact


async def test_a_batch_is_one_transaction_at_one_time(platform: Platform) -> None:
    async def command(tx: Transaction, shop_id: ShopId, items: Sequence[int], now: datetime) -> list[object]:
        mark = await backend(tx)
        return [(shop_id, item, now, mark) if item != 3 else NotFound("three") for item in items]

    gate = platform.gate("test", command)
    outcomes = await asyncio.gather(*(gate(SHOP, item) for item in range(5)), return_exceptions=True)

    assert outcomes[3] == NotFound("three")
    answers = [outcome for outcome in outcomes if not isinstance(outcome, Refused)]
    assert [(shop_id, item) for shop_id, item, _, _ in answers] == [(SHOP, 0), (SHOP, 1), (SHOP, 2), (SHOP, 4)]
    assert len({(now, mark) for _, _, now, mark in answers}) == 1


async def test_a_sweep_goes_on_after_a_shop_that_fails_and_stops_when_the_database_is_gone() -> None:
    done = []
    with capture_logs() as logged:
        for shop in range(3):
            async with isolated("shop_not_swept", shop_id=shop):
                done.append(1 // (shop - 1))
    assert done == [-1, 1]
    assert [(each["event"], each["shop_id"], each["log_level"]) for each in logged] == [("shop_not_swept", 1, "error")]
    with pytest.raises(Unavailable):
        async with isolated("shop_not_swept", shop_id=1):
            raise Unavailable("the database is down")


async def test_one_poisoned_item_leaves_what_its_neighbours_did(platform: Platform, database: Database) -> None:
    async def command(tx: Transaction, shop_id: ShopId, items: Sequence[int], now: datetime) -> Sequence[int]:
        await tx.execute("INSERT INTO poured SELECT unnest(%s::bigint[])", (list(items),))
        await tx.rows("SELECT 1 / (number - 13) FROM poured")
        return items

    async with database.transaction() as tx:
        await tx.execute("CREATE TABLE poured (number bigint PRIMARY KEY)")
    try:
        gate = platform.gate("test", command)
        outcomes = await asyncio.gather(*(gate(SHOP, item) for item in range(20)), return_exceptions=True)
        async with database.transaction() as tx:
            poured = [row.number for row in await tx.rows("SELECT number FROM poured ORDER BY number")]
    finally:
        async with database.transaction() as tx:
            await tx.execute("DROP TABLE poured")

    fine = [item for item in range(20) if item != 13]
    assert [outcome for outcome in outcomes if isinstance(outcome, int)] == fine
    assert poured == fine


async def test_stopping_finishes_what_waits_at_the_gates(platform: Platform) -> None:
    async def command(tx: Transaction, shop_id: ShopId, items: Sequence[int], now: datetime) -> Sequence[int]:
        await tx.execute("SELECT pg_sleep(0.02)")
        return items

    gate = platform.gate("test", command)
    platform.start()
    calls = [asyncio.create_task(gate(ShopId(item % 3), item)) for item in range(30)]
    await asyncio.sleep(0)
    await platform.stop()

    assert [call.result() for call in calls] == list(range(30))
    with pytest.raises(Stopping):
        await gate(SHOP, 1)


async def test_work_repeats_also_after_it_failed_and_ends_with_the_platform(platform: Platform) -> None:
    rounds = 0
    enough = asyncio.Event()

    async def work() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 2:
            raise ValueError("oh")
        if rounds == 4:
            enough.set()

    platform.every(0.001, "test", work)
    platform.start()
    async with asyncio.timeout(5):
        await enough.wait()
    await platform.stop()

    done = rounds
    await asyncio.sleep(0.02)
    assert rounds == done


async def test_work_that_loses_its_cancellation_is_stopped_all_the_same(platform: Platform) -> None:
    started = asyncio.Event()

    async def deaf_once() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)

    platform.every(0.001, "test", deaf_once)
    platform.start()
    await started.wait()
    async with asyncio.timeout(5):
        await platform.stop()


async def test_a_platform_that_never_started_stops(platform: Platform) -> None:
    await platform.stop()


async def test_a_secret_is_made_once_for_all_who_ask(database: Database) -> None:
    async def ask(name: str) -> bytes:
        return await database.run(lambda tx: secret(tx, name))

    first = set(await asyncio.gather(*(ask("test one") for _ in range(8))))

    assert len(first) == 1
    assert {len(value) for value in first} == {32}
    assert first == {await ask("test one")}
    assert first != {await ask("test two")}


async def test_ids_from_the_sequence_are_never_given_twice(database: Database) -> None:
    async def take(count: int) -> list[int]:
        return await database.run(lambda tx: next_ids(tx, count))

    taken = list(chain(*await asyncio.gather(*map(take, [0, 1, 50, 100, 3]))))

    assert len(set(taken)) == len(taken) == 154
    assert min(taken) > 1000

"""The outbox: what was told is handed on exactly once to whoever writes to this database, whatever breaks meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from itertools import chain

import msgspec
import psycopg
import pytest

from fairwind.kernel import (
    Busy,
    Database,
    Event,
    Refused,
    Relay,
    ShiftedClock,
    ShopId,
    Stopping,
    Transaction,
    Unavailable,
    emit,
    events_told,
)
from fairwind.kernel.schema import upgrade

SHOP, OTHER = ShopId(1), ShopId(2)


class Said(msgspec.Struct, frozen=True):
    number: int
    text: str = ""


@pytest.fixture
async def outbox(empty_database_url: str) -> AsyncIterator[Database]:
    """An empty outbox, and a table for consumers to write into."""
    await asyncio.to_thread(upgrade, empty_database_url, ["fairwind.kernel"])
    async with Database(empty_database_url) as database:
        async with database.transaction() as tx:
            await tx.execute("CREATE TABLE heard (number bigint NOT NULL)")
        yield database


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
def relay(outbox: Database, clock: ShiftedClock) -> Relay:
    return Relay(outbox, clock, pause_s=0.01)


async def say(database: Database, clock: ShiftedClock, *numbers: int, topic: str = "said", shop: ShopId = SHOP) -> None:
    async with database.transaction() as tx:
        await emit(tx, shop, [(topic, Said(number)) for number in numbers], clock.now())


async def hear(tx: Transaction, shop_id: ShopId, events: Sequence[Event], now: datetime) -> None:
    """A consumer that writes to this database."""
    numbers = [event.read(Said).number for event in events]
    await tx.execute("INSERT INTO heard (number) SELECT unnest(%s::bigint[])", (numbers,))


class Chokes:
    """A consumer that hears everything but a few numbers."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = set(numbers)
        self.batches: list[list[int]] = []

    async def __call__(self, tx: Transaction, shop_id: ShopId, events: Sequence[Event], now: datetime) -> None:
        numbers = [event.read(Said).number for event in events]
        self.batches.append(numbers)
        await hear(tx, shop_id, events, now)
        if self.numbers & set(numbers):
            raise ValueError("choked")


async def heard(database: Database) -> list[int]:
    async with database.transaction() as tx:
        return [row.number for row in await tx.rows("SELECT number FROM heard ORDER BY number")]


async def waiting(database: Database) -> list[tuple[int, int, bool]]:
    """What is in the outbox: number, attempts, parked."""
    async with database.transaction() as tx:
        rows = await tx.rows("SELECT (payload->>'number')::int, attempts, parked FROM kernel.outbox ORDER BY id")
    return [tuple(row) for row in rows]


async def test_events_are_handed_on_once_in_order_and_with_what_they_told(
    outbox: Database, clock: ShiftedClock, relay: Relay
) -> None:
    got: list[tuple[ShopId, list[Event], datetime]] = []

    async def consumer(tx: Transaction, shop_id: ShopId, events: Sequence[Event], now: datetime) -> None:
        got.append((shop_id, list(events), now))

    relay.subscribe("said", consumer)
    before = clock.now()
    async with outbox.transaction() as tx:
        told = [Said(n, "“\\\"'{},\n乘风😀") for n in range(50)]
        await emit(tx, SHOP, [("said", each) for each in told], before)
        await emit(tx, SHOP, [], before)

    assert await relay.drain() == 50
    assert await relay.drain() == 0

    [(shop_id, events, now)] = got
    assert shop_id == SHOP
    assert [event.read(Said) for event in events] == told
    assert {(event.shop_id, event.topic, event.created_at) for event in events} == {(SHOP, "said", before)}
    assert now >= before
    assert await waiting(outbox) == []


@pytest.mark.parametrize("no_room", [Busy("try again in a second"), Stopping("shutting down")])
async def test_an_event_whose_consumer_has_no_room_waits_without_being_blamed(
    outbox: Database, clock: ShiftedClock, relay: Relay, no_room: Refused
) -> None:
    async def refuse(*_: object) -> None:
        raise no_room

    relay.subscribe("said", refuse)
    relay.subscribe("heard elsewhere", hear)
    await say(outbox, clock, 1, 2)
    await say(outbox, clock, 3, topic="heard elsewhere")

    assert await relay.drain() == 1

    assert await waiting(outbox) == [(1, 0, False), (2, 0, False)]
    assert await heard(outbox) == [3]


async def test_a_transaction_that_fails_tells_nothing(outbox: Database, clock: ShiftedClock) -> None:
    async def work(tx: Transaction) -> None:
        await emit(tx, SHOP, [("said", Said(1))], clock.now())
        raise ValueError("oh")

    with pytest.raises(ValueError, match="oh"):
        await outbox.run(work)

    assert await waiting(outbox) == []


async def test_shops_and_topics_are_handed_on_apart(outbox: Database, clock: ShiftedClock, relay: Relay) -> None:
    got = set()

    async def consumer(tx: Transaction, shop_id: ShopId, events: Sequence[Event], now: datetime) -> None:
        got.add((shop_id, *(event.topic for event in events)))

    relay.subscribe("said", consumer)
    relay.subscribe("sung", consumer)
    await say(outbox, clock, 1, 2)
    await say(outbox, clock, 3, shop=OTHER)
    await say(outbox, clock, 4, topic="sung")

    assert await relay.drain() == 4
    assert got == {(SHOP, "said", "said"), (OTHER, "said"), (SHOP, "sung")}


async def test_what_nobody_listens_to_leaves_without_a_trace(
    outbox: Database, clock: ShiftedClock, relay: Relay
) -> None:
    await say(outbox, clock, 1)

    assert await relay.drain() == 1
    assert await waiting(outbox) == []


async def test_a_consumer_that_fails_leaves_nothing_of_what_it_and_others_did(
    outbox: Database, clock: ShiftedClock, relay: Relay
) -> None:
    relay.subscribe("said", hear)
    relay.subscribe("said", Chokes(1))
    await say(outbox, clock, 1)

    assert await relay.drain() == 0
    assert await heard(outbox) == []
    assert await waiting(outbox) == [(1, 1, False)]


async def test_a_poison_event_holds_nobody_up(outbox: Database, clock: ShiftedClock, relay: Relay) -> None:
    consumer = Chokes(13)
    relay.subscribe("said", consumer)
    await say(outbox, clock, *range(64))

    assert await relay.drain() == 63
    assert await heard(outbox) == [n for n in range(64) if n != 13]
    assert await waiting(outbox) == [(13, 1, False)]
    assert len(consumer.batches) == 1 + 2 * 6, "halved until it stood alone"


async def test_a_poison_event_rests_twice_as_long_each_time_and_is_parked_after_ten_failures(
    outbox: Database, clock: ShiftedClock, relay: Relay
) -> None:
    consumer = Chokes(1)
    relay.subscribe("said", consumer)
    await say(outbox, clock, 1)

    for attempt in range(1, 11):
        await relay.drain()
        assert await waiting(outbox) == [(1, attempt, attempt == 10)]
        await relay.drain()
        assert len(consumer.batches) == attempt, "it rests"
        clock.advance(timedelta(seconds=2 ** (attempt - 1)))

    clock.advance(timedelta(days=1))
    await relay.drain()
    assert len(consumer.batches) == 10, "it is parked"


async def test_an_event_that_failed_is_heard_once_its_reason_is_gone(
    outbox: Database, clock: ShiftedClock, relay: Relay
) -> None:
    consumer = Chokes(1)
    relay.subscribe("said", consumer)
    await say(outbox, clock, 1)
    await relay.drain()

    consumer.numbers.clear()
    clock.advance(timedelta(seconds=1))
    assert await relay.drain() == 1
    assert await heard(outbox) == [1]


async def test_a_collision_is_tried_again_and_counts_as_no_failure(
    outbox: Database, clock: ShiftedClock, relay: Relay
) -> None:
    tries = 0

    async def collides(tx: Transaction, shop_id: ShopId, events: Sequence[Event], now: datetime) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            await tx.execute("DO $$ BEGIN RAISE 'collision' USING ERRCODE = '40001'; END $$")

    relay.subscribe("said", collides)
    await say(outbox, clock, 1)

    assert await relay.drain() == 1
    assert tries == 3


async def test_a_backlog_leaves_a_thousand_at_a_time_the_oldest_first(
    outbox: Database, clock: ShiftedClock, relay: Relay
) -> None:
    consumer = Chokes()
    relay.subscribe("said", consumer)
    for first in range(0, 2500, 500):
        await say(outbox, clock, *range(first, first + 500))
        clock.advance(timedelta(milliseconds=2))

    assert [await relay.drain() for _ in range(4)] == [1000, 1000, 500, 0]
    assert list(chain(*consumer.batches)) == list(range(2500))


async def test_the_relay_runs_through_an_absent_database_and_its_own_failures(
    outbox: Database, clock: ShiftedClock
) -> None:
    class Stumbling(Relay):
        stumbles = [Unavailable("away"), ValueError("oh")]  # noqa: RUF012

        async def drain(self) -> int:
            if self.stumbles:
                raise self.stumbles.pop()
            return await super().drain()

    relay = Stumbling(outbox, clock, pause_s=0.001)
    relay.subscribe("said", hear)
    running = asyncio.create_task(relay.run())
    await say(outbox, clock, 1)
    async with asyncio.timeout(5):
        while not await heard(outbox):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


class DeletesAfterwards(Relay):
    """The naive twin: consumers act in one transaction, the events leave in another."""

    async def _deliver(self, shop_id: ShopId, topic: str, ids: Sequence[object]) -> int:
        async with self._database.transaction() as tx:
            rows = await tx.rows(
                "SELECT id, payload::text, created_at FROM kernel.outbox WHERE shop_id = %s AND id = ANY (%s)",
                (shop_id, list(ids)),
            )
            events = [Event(r.id, shop_id, topic, msgspec.Raw(r.payload.encode()), r.created_at) for r in rows]
            for consumer in self._consumers[topic]:
                await consumer(tx, shop_id, events, self._clock.now())
        async with self._database.transaction() as tx:
            return await tx.execute(
                "DELETE FROM kernel.outbox WHERE shop_id = %s AND id = ANY (%s)", (shop_id, list(ids))
            )


async def relayed_by_two_under_fire(outbox: Database, url: str, clock: ShiftedClock, kind: type[Relay]) -> list[int]:
    """What is heard of 300 events when two relays race and connections die under them all the time."""
    failed = 0
    for shop in range(60):
        await say(outbox, clock, *range(shop * 5, shop * 5 + 5), shop=ShopId(1 + shop))

    async def hear_slowly(tx: Transaction, shop_id: ShopId, events: Sequence[Event], now: datetime) -> None:
        await hear(tx, shop_id, events, now)
        await asyncio.sleep(0.005)

    async def relay_all(relay: Relay) -> None:
        nonlocal failed
        relay.subscribe("said", hear_slowly)
        while True:
            try:
                if not await waiting(outbox):
                    return
                await relay.drain()
            except Unavailable:
                failed += 1

    async def kill(killer: psycopg.AsyncConnection[object]) -> None:
        while True:
            await asyncio.sleep(0.02)
            await killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND state <> 'idle' ORDER BY random() LIMIT 1"
            )

    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as killer, asyncio.timeout(30):
        killing = asyncio.create_task(kill(killer))
        await asyncio.gather(*(relay_all(kind(outbox, clock)) for _ in range(2)))
        killing.cancel()
        await asyncio.wait([killing])

    assert failed > 0
    async with await psycopg.AsyncConnection.connect(url) as other:
        return [n for (n,) in await (await other.execute("SELECT number FROM heard ORDER BY number")).fetchall()]


async def test_two_relays_whose_connections_die_hand_on_each_event_exactly_once(
    outbox: Database, empty_database_url: str, clock: ShiftedClock
) -> None:
    assert await relayed_by_two_under_fire(outbox, empty_database_url, clock, Relay) == list(range(300))


async def test_a_naive_twin_hands_events_on_twice(
    outbox: Database, empty_database_url: str, clock: ShiftedClock
) -> None:
    assert len(await relayed_by_two_under_fire(outbox, empty_database_url, clock, DeletesAfterwards)) > 300


async def test_events_of_several_shops_are_handed_on_by_shop_in_their_order(
    outbox: Database, relay: Relay, clock: ShiftedClock
) -> None:
    heard: list[tuple[ShopId, list[int]]] = []

    async def listen(_: Transaction, shop_id: ShopId, events: Sequence[Event], __: datetime) -> None:
        heard.append((shop_id, [event.read(Said).number for event in events]))

    relay.subscribe("said", listen)
    events = [(SHOP, "said", Said(1)), (SHOP, "said", Said(2)), (OTHER, "said", Said(3))]
    async with outbox.transaction() as tx:
        await tx.ask(events_told(events, clock.now()))

    assert await relay.drain() == 3
    assert sorted(heard) == [(SHOP, [1, 2]), (OTHER, [3])]

"""The outbox: facts leave in the transaction that made them true.

`emit` writes events beside the change. The `Relay` takes each shop's events in one transaction, hands them to the
consumers of their topic and deletes them with what the consumers changed: a consumer that writes to this database acts
exactly once, one that calls outside acts at least once and recognises an event by its id. Events of one shop and topic
come oldest first, but one that fails waits while later ones pass it, and topics do not wait for each other.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec
import structlog

from fairwind.kernel import metrics
from fairwind.kernel.arrays import int_array, text_array, uuid_array
from fairwind.kernel.clock import Clock
from fairwind.kernel.database import Database, Query, Transaction, Unavailable, statement
from fairwind.kernel.ids import EventId, ShopId, uuid7s
from fairwind.kernel.refusals import Busy, Stopping

__all__ = ["Consumer", "Event", "Relay", "emit", "events_told", "events_written"]

log = structlog.get_logger(__name__)

_EVENTS_MAX = 1000
_ATTEMPTS_MAX = 10
"""An event that failed so often, over eight minutes, is parked: kept and shown by the audit, but out of the way."""


class Event(msgspec.Struct, frozen=True):
    """A fact: payload is JSON of the topic's own shape."""

    id: EventId
    shop_id: ShopId
    topic: str
    payload: msgspec.Raw
    created_at: datetime

    def read(self, shape: type[Any]) -> Any:
        """The payload as `shape`."""
        return msgspec.json.decode(self.payload, type=shape)


Consumer = Callable[[Transaction, ShopId, Sequence[Event], datetime], Awaitable[None]]

_INSERT: LiteralString = """
INSERT INTO kernel.outbox (shop_id, id, topic, payload, created_at)
SELECT %s, id, topic, payload, %s
FROM unnest(%s::uuid[], %s::text[], %s::jsonb[]) AS event (id, topic, payload)
"""


def events_written(shop_id: ShopId, events: Sequence[tuple[str, Any]], now: datetime) -> Query[None]:
    """Write events, each a topic and a payload that msgspec can encode; to be asked beside the change they tell of."""
    return statement(
        _INSERT,
        (
            shop_id,
            now,
            uuid_array(uuid7s(now, len(events))),
            text_array(topic for topic, _ in events),
            text_array(msgspec.json.encode(payload).decode() for _, payload in events),
        ),
    )


def events_told(events: Sequence[tuple[ShopId, str, Any]], now: datetime) -> Query[None]:
    """Write events of several shops, each a shop, a topic and a payload; for a fact that is known in many books.

    Sorted by shop they are relayed best: those of one shop stand together, and go in one transaction.
    """
    return statement(
        """
        INSERT INTO kernel.outbox (shop_id, id, topic, payload, created_at)
        SELECT shop_id, id, topic, payload, %s
        FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::jsonb[]) AS event (shop_id, id, topic, payload)
        """,
        (
            now,
            int_array(shop_id for shop_id, _, _ in events),
            uuid_array(uuid7s(now, len(events))),
            text_array(topic for _, topic, _ in events),
            text_array(msgspec.json.encode(payload).decode() for _, _, payload in events),
        ),
    )


async def emit(tx: Transaction, shop_id: ShopId, events: Sequence[tuple[str, Any]], now: datetime) -> None:
    """Write events beside the change they tell of."""
    if events:
        await tx.ask(events_written(shop_id, events, now))


class Relay:
    """Hands events to their consumers; started and stopped with the server."""

    def __init__(self, database: Database, clock: Clock, *, pause_s: float = 0.2) -> None:
        self._database = database
        self._clock = clock
        self._pause_s = pause_s
        self._consumers: dict[str, list[Consumer]] = defaultdict(list)

    def subscribe(self, topic: str, consumer: Consumer) -> None:
        self._consumers[topic].append(consumer)

    async def run(self) -> None:
        """Relay until cancelled."""
        while True:
            moved = 0
            try:
                moved = await self.drain()
            except Unavailable as refusal:
                log.warning("relay_waits", reason=refusal.detail)
            except Exception:
                log.exception("relay_failed")
            if moved == 0:
                await asyncio.sleep(self._pause_s)

    async def drain(self) -> int:
        """Relay the oldest events that are due; answers how many left."""
        async with self._database.transaction() as tx:
            due = await tx.rows(_DUE, (self._clock.now(), _EVENTS_MAX))
        return sum([await self._deliver(row.shop_id, row.topic, row.ids) for row in due])

    async def _deliver(self, shop_id: ShopId, topic: str, ids: Sequence[EventId]) -> int:
        async def hand_over(tx: Transaction) -> int:
            events = await _take(tx, shop_id, ids)
            if events:  # another relay may have been quicker
                for consumer in self._consumers.get(topic, ()):
                    await consumer(tx, shop_id, events, self._clock.now())
            return len(events)

        try:
            moved = await self._database.run(hand_over)
        except Unavailable:
            raise
        except (Busy, Stopping) as refusal:  # no fault of the event's: it is tried again and must not be parked
            log.info("consumer_has_no_room", topic=topic, reason=refusal.detail)
            return 0
        except Exception:
            if len(ids) > 1:  # find the event at fault, as the gate does
                half = len(ids) // 2
                left = await self._deliver(shop_id, topic, ids[:half])
                return left + await self._deliver(shop_id, topic, ids[half:])
            log.exception("consumer_failed", shop_id=shop_id, topic=topic, event_id=str(ids[0]))
            async with self._database.transaction() as tx:
                await _count_failure(tx, shop_id, ids[0])
            return 0
        metrics.OUTBOX_EVENTS.labels(topic).inc(moved)
        return moved


_DUE: LiteralString = """
SELECT shop_id, topic, array_agg(id ORDER BY id) AS ids
FROM (
    SELECT shop_id, topic, id FROM kernel.outbox
    WHERE NOT parked
      -- after each failure an event rests twice as long: 1 s, 2 s, 4 s
      AND (attempts = 0 OR created_at + make_interval(secs => power(2, attempts) - 1) <= %s)
    ORDER BY id LIMIT %s
) AS event
GROUP BY shop_id, topic
"""


async def _take(tx: Transaction, shop_id: ShopId, ids: Sequence[EventId]) -> list[Event]:
    rows = await tx.rows(
        """
        DELETE FROM kernel.outbox
        WHERE shop_id = %(shop_id)s AND id = ANY (ARRAY(
            SELECT id FROM kernel.outbox WHERE shop_id = %(shop_id)s AND id = ANY (%(ids)s::uuid[])
            ORDER BY id FOR UPDATE SKIP LOCKED))
        RETURNING id, topic, payload::text AS payload, created_at
        """,
        {"shop_id": shop_id, "ids": uuid_array(ids)},
    )
    return [
        Event(row.id, shop_id, row.topic, msgspec.Raw(row.payload.encode()), row.created_at)
        for row in sorted(rows, key=lambda row: row.id)
    ]


async def _count_failure(tx: Transaction, shop_id: ShopId, event_id: EventId) -> None:
    await tx.execute(
        """
        UPDATE kernel.outbox SET attempts = attempts + 1, parked = attempts + 1 >= %s
        WHERE shop_id = %s AND id = %s
        """,
        (_ATTEMPTS_MAX, shop_id, event_id),
    )

"""What a running installation hands to each context, and what a context hands back.

Each context has `wire(platform) -> Wiring` in its package: it makes its gates, subscribes to events, registers its
periodic work, and answers its HTTP handlers and what they are to be given by name. The web app only collects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import structlog

from fairwind.kernel.clock import Clock
from fairwind.kernel.database import Database, Transaction
from fairwind.kernel.gate import Gate
from fairwind.kernel.ids import ShopId
from fairwind.kernel.outbox import Relay
from fairwind.kernel.refusals import Refused
from fairwind.kernel.settings import Settings

log = structlog.get_logger(__name__)

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741

Command = Callable[[Transaction, ShopId, Sequence[I], datetime], Awaitable[Sequence[O | Refused]]]
"""A batch command of one shop: one outcome per item, in order."""


@dataclass(frozen=True)
class Wiring:
    """What a context adds to the app: HTTP handlers, and objects that handlers take by parameter name."""

    handlers: Sequence[Any] = ()
    provides: Mapping[str, Any] = field(default_factory=dict)


class Platform:
    """The running installation: database, clock, settings, relay, gates and periodic work."""

    def __init__(self, database: Database, clock: Clock, settings: Settings) -> None:
        self.database = database
        self.clock = clock
        self.settings = settings
        self.relay = Relay(database, clock)
        self.provided: dict[str, Any] = {}
        """What the contexts wired so far provide, for the contexts above them."""
        self._gates: list[Gate[Any, Any, Any]] = []
        self._jobs: list[tuple[str, float, Callable[[], Awaitable[object]]]] = []
        self._endings: list[Callable[[], Awaitable[object]]] = []
        self._tasks: list[asyncio.Task[None]] = []

    def gate(self, name: str, command: Command[I, O]) -> Gate[ShopId, I, O]:
        """A gate in front of command: each batch in one transaction of one shop."""

        async def run(shop_id: ShopId, items: Sequence[I]) -> Sequence[O | Refused]:
            return await self.database.run(lambda tx: command(tx, shop_id, items, self.clock.now()))

        gate: Gate[ShopId, I, O] = Gate(
            name,
            run,
            items_max=self.settings.batch_items_max,
            queue_max=self.settings.queue_items_max,
            batches_max=self.settings.database_connections_max // 2,
        )
        self._gates.append(gate)
        return gate

    def every(self, pause_s: float, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Run work again and again, pause_s apart. A failure is logged and the next round tries again."""
        self._jobs.append((name, pause_s, work))

    def at_stop(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do work last of all, when nothing runs any more; for what a context holds open."""
        self._endings.append(work)

    def start(self) -> None:
        """Start the relay and the periodic work."""
        self._tasks = [asyncio.create_task(self.relay.run(), name="relay")]
        self._tasks += [asyncio.create_task(_repeat(*job), name=job[0]) for job in self._jobs]

    async def stop(self) -> None:
        """Take nothing new, finish what waits at the gates, then stop the periodic work."""
        await asyncio.gather(*(gate.close() for gate in self._gates))
        running: Collection[asyncio.Task[None]] = self._tasks
        while running:  # Python 3.11 may lose a cancellation that meets the end of a wait
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=1)
        for work in self._endings:
            await work()


async def _repeat(name: str, pause_s: float, work: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await work()
        except Exception:
            log.exception("job_failed", job=name)
        await asyncio.sleep(pause_s)

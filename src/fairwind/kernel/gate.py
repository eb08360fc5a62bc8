"""The batch gate: concurrent calls for one key gather while the previous batch runs, and go through together.

Under load a hot row then costs one update per batch instead of one per call, and a call that comes alone runs at once.
Calls with one key run one batch at a time, in the order they came; different keys run side by side.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from time import perf_counter
from typing import Generic, TypeVar

from fairwind.kernel import metrics
from fairwind.kernel.refusals import Busy, Refused, Stopping, Unavailable

K = TypeVar("K", bound=Hashable)
I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741


class Gate(Generic[K, I, O]):
    """Gathers calls and hands them to `run` in batches.

    run: takes a key and a batch, answers one outcome per item, in order; refusals are returned, and a call gets its
    refusal raised. When run itself fails, the batch is halved and tried again until the item at fault stands alone,
    which is safe because a failed transaction has changed nothing: neighbours do not suffer. Unavailable alone is not
    tried again, for it leaves open whether the batch was committed.
    items_max: the most items in one batch. queue_max: the most items waiting over all keys; one more is Busy.
    batches_max: the most batches under way at once; keys take turns, and those that wait go on gathering.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[K, Sequence[I]], Awaitable[Sequence[O | Refused]]],
        *,
        items_max: int = 256,
        queue_max: int = 10_000,
        batches_max: int = 8,
    ) -> None:
        self._run = run
        self._items_max = items_max
        self._queue_max = queue_max
        self._turns = asyncio.Semaphore(batches_max)
        self._lanes: dict[K, deque[tuple[I, asyncio.Future[O], float]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting = 0
        self._stopping = False
        self._batch_items = metrics.BATCH_ITEMS.labels(name)
        self._batch_s = metrics.BATCH_S.labels(name)
        self._queue_wait_s = metrics.QUEUE_WAIT_S.labels(name)
        metrics.QUEUE_ITEMS.labels(name).set_function(lambda: self._waiting)

    async def __call__(self, key: K, item: I) -> O:
        """The outcome of item, committed; raises its refusal."""
        if self._stopping:
            raise Stopping("the server is shutting down; try again in a moment")
        if self._waiting >= self._queue_max:
            raise Busy("too many requests are waiting; try again in a second")
        future: asyncio.Future[O] = asyncio.get_running_loop().create_future()
        lane = self._lanes.get(key)
        self._waiting += 1
        if lane is not None:
            lane.append((item, future, perf_counter()))
        else:
            self._lanes[key] = deque([(item, future, perf_counter())])
            # In a context of its own: a lane may outlive the request that opened it, and its logs are nobody's request.
            task = asyncio.create_task(self._drain(key), context=Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            return await future
        finally:
            del future  # or a refusal, its traceback and this frame would keep each other alive

    async def close(self) -> None:
        """Take nothing new and finish what waits."""
        self._stopping = True
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _drain(self, key: K) -> None:
        lane = self._lanes[key]
        batch: list[tuple[I, asyncio.Future[O], float]] = []
        try:
            while lane:
                async with self._turns:
                    batch = [lane.popleft() for _ in range(min(len(lane), self._items_max))]
                    self._waiting -= len(batch)
                    await self._pass(key, batch)
        finally:
            del self._lanes[key]
            self._waiting -= len(lane)
            for _, future, _ in (*batch, *lane):  # all are settled, unless this task was cancelled
                future.cancel()

    async def _pass(self, key: K, batch: Sequence[tuple[I, asyncio.Future[O], float]]) -> None:
        started = perf_counter()
        self._batch_items.observe(len(batch))
        self._queue_wait_s.observe(started - batch[0][2])
        outcomes = await self._outcomes(key, [item for item, _, _ in batch])
        self._batch_s.observe(perf_counter() - started)
        for (_, future, _), outcome in zip(batch, outcomes, strict=True):
            _settle(future, outcome)

    async def _outcomes(self, key: K, items: Sequence[I]) -> Sequence[O | BaseException]:
        try:
            outcomes = await self._run(key, items)
        except Unavailable as refusal:
            return [refusal] * len(items)
        except Exception as error:
            if len(items) == 1:
                return [error]
            half = len(items) // 2
            return [*await self._outcomes(key, items[:half]), *await self._outcomes(key, items[half:])]
        if len(outcomes) != len(items):  # what run did stands, so that it must not be done again
            return [AssertionError("a batch command answers every item")] * len(items)
        return outcomes


def _settle(future: asyncio.Future[O], outcome: O | BaseException) -> None:
    if future.done():  # the caller has gone; what it asked for is done all the same
        return
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)

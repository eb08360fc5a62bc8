"""How many lines settle in a second, by the job and with a transaction for each order; and in how much memory."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import NamedTuple

import psutil

from fairwind.bench.rates import Report, timed
from fairwind.bench.store import Due, due_orders, receive, settled_count
from fairwind.kernel import Database, Platform, Settings, ShopId, SystemClock
from fairwind.kernel.audit import audit
from fairwind.settlement import Settlement, settle

SHOPS = [ShopId(n) for n in range(1, 5)]
CHECKED = ("fairwind.ledger", "fairwind.settlement")
_TENTHS = 10


class Run(NamedTuple):
    """rss_mb: this process's memory before the job began, and when each tenth of the lines was settled."""

    rows: int
    seconds: float
    rss_mb: list[float]


class Settling:
    """A database of received orders, and the ways to settle them."""

    def __init__(self, database: Database, url: str) -> None:
        self._database = database
        self._url = url
        self._clock = SystemClock()
        self._settlement = Settlement(Platform(database, self._clock, Settings()))
        self._process = psutil.Process()
        self.due_rows = 0
        """What was due so far, freight included."""

    async def naive(self, orders: int, connections: int) -> float:
        """Lines per second of new orders, a transaction for each order."""
        rows = await self._receive(orders)
        due = await asyncio.to_thread(due_orders, self._url)

        async def one(order: Due) -> None:
            now = self._clock.now()
            await self._database.run(lambda tx: settle(tx, order.shop_id, order.keys, now))

        return await timed(due, connections, one) * rows / len(due)

    async def batched(self, orders: int) -> float:
        """Lines per second of new orders, by the job."""
        rows = await self._receive(orders)
        started = perf_counter()
        looked_at = await self._settlement.settle_due()
        assert looked_at == rows, f"{rows} lines were due, and {looked_at} were looked at"
        return rows / (perf_counter() - started)

    async def in_one_run(self, orders: int, report: Report) -> Run:
        """All lines of new orders, settled by the job at once."""
        rows = await self._receive(orders)
        rss_mb = [self.rss_mb]
        report(f"{rows:,} lines are due; {self.rss_mb:,.0f} MB")

        def told(looked_at: int) -> None:
            while looked_at * _TENTHS >= len(rss_mb) * rows:
                report(f"{len(rss_mb) * 100 // _TENTHS} % are settled; {self.rss_mb:,.0f} MB")
                rss_mb.append(self.rss_mb)

        started = perf_counter()
        await self._settlement.settle_due(told)
        return Run(rows, perf_counter() - started, rss_mb)

    @property
    def rss_mb(self) -> float:
        """What this process, which settles, has in memory."""
        return float(self._process.memory_info().rss) / 2**20

    async def verified(self) -> int:
        """How many lines are settled: all that were due, and the books and the settlement are sound."""
        settled = await asyncio.to_thread(settled_count, self._url)
        assert settled == self.due_rows, f"{self.due_rows} lines were due, and {settled} settled"
        found = await audit(self._database, CHECKED)
        broken = [(finding.invariant, finding.rows[:1]) for finding in found.findings if finding.offending]
        assert not broken, broken
        return settled

    async def _receive(self, orders: int) -> int:
        rows = await asyncio.to_thread(receive, self._url, SHOPS, orders, self._clock.now())
        self.due_rows += rows
        return rows

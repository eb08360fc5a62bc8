"""Settling by itself: what is due is found, oldest first, and settled shop by shop."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from fairwind.kernel import Event, Platform, ShopId, Transaction, Unavailable
from fairwind.settlement.commands.settling import note_due, settle
from fairwind.settlement.store import settling as store
from fairwind.settlement.store.settling import DueKey, LineKey

log = structlog.get_logger(__name__)

LINES_MAX = 2000
"""Lines of one shop that settle in one transaction."""
_PAGE_LINES = 8000
_SHOPS_AT_ONCE = 4


class Settlement:
    """Settles what is due, of all shops."""

    def __init__(self, platform: Platform) -> None:
        self._database = platform.database
        self._clock = platform.clock
        self._window = timedelta(seconds=platform.settings.after_sales_window_s)

    async def note_due(self, tx: Transaction, shop_id: ShopId, events: Sequence[Event], now: datetime) -> None:
        """Consumer of `orders.received`: note when the lines of these orders can settle."""
        await note_due(tx, shop_id, events, now, self._window)

    async def settle_due(self, told: Callable[[int], None] = lambda _: None) -> int:
        """Settle all that is due by now; answers how many lines were looked at, and tells it after each page.

        Takes a bounded page at a time, so that a million lines need no more memory than a thousand. Of several servers
        that do so at once one settles a line and the other finds it gone.
        """
        now, looked_at = self._clock.now(), 0
        after: DueKey | None = None
        while True:
            async with self._database.transaction() as tx:
                page = await tx.ask(store.due_lines(now, after, _PAGE_LINES))
            if not page:
                return looked_at
            await self._settle(page)
            looked_at += len(page)
            told(looked_at)
            after = page[-1]

    async def _settle(self, page: Sequence[DueKey]) -> None:
        by_shop: dict[ShopId, list[LineKey]] = defaultdict(list)
        for _, shop_id, order_id, line_no in page:
            by_shop[shop_id].append((order_id, line_no))
        slots = asyncio.Semaphore(_SHOPS_AT_ONCE)

        async def one(shop_id: ShopId, keys: Sequence[LineKey]) -> None:
            async with slots:
                for start in range(0, len(keys), LINES_MAX):
                    await self._settle_some(shop_id, keys[start : start + LINES_MAX])

        await asyncio.gather(*(one(shop_id, keys) for shop_id, keys in by_shop.items()))

    async def _settle_some(self, shop_id: ShopId, keys: Sequence[LineKey]) -> None:
        """Settle lines of a shop. One that fails is found by halving, as a gate does, and holds up no other line."""
        try:
            await self._database.run(lambda tx: settle(tx, shop_id, keys, self._clock.now()))
        except Unavailable as refusal:
            log.warning("settling_waits", shop_id=shop_id, reason=refusal.detail)
        except Exception:
            if len(keys) == 1:
                [(order_id, line_no)] = keys
                log.exception("line_not_settled", shop_id=shop_id, order_id=str(order_id), line_no=line_no)
                return
            half = len(keys) // 2
            await self._settle_some(shop_id, keys[:half])
            await self._settle_some(shop_id, keys[half:])

"""What the alliance does without being asked: it keeps the pool to the plans, and finds the head."""

from __future__ import annotations

from fairwind.alliance.head import head_since, head_size
from fairwind.alliance.store import sales as sales_store
from fairwind.alliance.store.pool import items_due, items_locked, items_refreshed
from fairwind.alliance.store.reserves import reserves_let_go
from fairwind.kernel import Database, Platform, Ppm, ProductId, ShopId, Transaction, day_in_china, isolated

_SWEPT_MAX = 2000
_SWEEPS_MAX = 50
"""Plans change together at midnight: one round takes many pages of them."""


class Sweeps:
    """The alliance's periodic work."""

    def __init__(self, platform: Platform) -> None:
        self._database: Database = platform.database
        self._clock = platform.clock
        self._share_ppm = Ppm(platform.settings.alliance_head_share_ppm)

    async def refresh_pool(self) -> None:
        """Show products at the rates that have taken effect, and let go of stock that is kept for no plan."""
        for _ in range(_SWEEPS_MAX):
            async with self._database.transaction() as tx:
                due = await tx.ask(items_due(self._clock.now(), _SWEPT_MAX))
            for shop_id, product_ids in due.items():
                await self._refresh(shop_id, product_ids)
            if sum(map(len, due.values())) < _SWEPT_MAX:
                return

    async def _refresh(self, shop_id: ShopId, product_ids: list[ProductId]) -> None:
        async def work(tx: Transaction) -> None:
            await tx.ask(items_locked(shop_id, product_ids))
            now = self._clock.now()
            await tx.together(items_refreshed(shop_id, product_ids, now), *reserves_let_go(shop_id, product_ids, now))

        async with isolated("pool_not_refreshed", shop_id=shop_id):
            await self._database.run(work)

    async def find_head(self) -> None:
        """Make the head anew of what creators sold of late."""

        async def work(tx: Transaction) -> None:
            now = self._clock.now()
            since = head_since(day_in_china(now))
            size = head_size(await tx.ask(sales_store.creators_selling(since)), self._share_ppm)
            head = await tx.ask(sales_store.head_found(since, size))
            await tx.together(*sales_store.head_saved(head, now))

        await self._database.run(work)

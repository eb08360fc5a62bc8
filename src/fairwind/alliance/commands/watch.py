"""What time does in the alliance without anybody asking: samples fall due, goods leave the quality pool, clicks go."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import groupby
from uuid import UUID

from fairwind.alliance.commands.quality import recheck
from fairwind.alliance.commands.samples import move_samples
from fairwind.alliance.link import CLICKS_KEPT
from fairwind.alliance.quality import NominationId
from fairwind.alliance.sample import SampleAction, SampleStep
from fairwind.alliance.store import links as link_store
from fairwind.alliance.store import quality as quality_store
from fairwind.alliance.store import samples as sample_store
from fairwind.kernel import ClickId, Platform, ShopId, Transaction, isolated

_PAGE = 1000
_CLICKS_MAX = 10_000
_ROUNDS_MAX = 100


class Watch:
    """Sweeps, each a page at a time and each shop in a transaction of its own."""

    def __init__(self, platform: Platform) -> None:
        self._database = platform.database
        self._clock = platform.clock
        self._show_within = timedelta(seconds=platform.settings.sample_show_within_s)

    async def miss_samples(self) -> None:
        """Mark samples overdue that should have been shown by now."""
        now = self._clock.now()
        for _ in range(_ROUNDS_MAX):
            async with self._database.transaction() as tx:
                late = await tx.ask(sample_store.overdue(now, _PAGE))
            for shop_id, ids in late.items():
                steps = [SampleStep(sample_id, SampleAction.MISS) for sample_id in ids]
                await self._miss(shop_id, steps)
            if sum(map(len, late.values())) < _PAGE:
                return

    async def _miss(self, shop_id: ShopId, steps: list[SampleStep]) -> None:
        async with isolated("samples_not_missed", shop_id=shop_id):
            await self._database.run(
                lambda tx: move_samples(tx, shop_id, steps, self._clock.now(), show_within=self._show_within)
            )

    async def recheck_quality(self) -> None:
        """Take goods out of the quality pool that no longer meet its criteria."""
        after = (ShopId(0), NominationId(UUID(int=0)))
        while True:
            async with self._database.transaction() as tx:
                found = await tx.ask(quality_store.members(after, _PAGE))
            for shop_id, those in groupby(found, key=lambda member: member[0]):
                await self._recheck(shop_id, [nomination_id for _, nomination_id in those])
            if len(found) < _PAGE:
                return
            after = found[-1]

    async def _recheck(self, shop_id: ShopId, ids: list[NominationId]) -> None:
        async with isolated("quality_not_rechecked", shop_id=shop_id):
            await self._database.run(lambda tx: recheck(tx, shop_id, ids, self._clock.now()))

    async def forget_clicks(self) -> None:
        """Drop clicks that no order can hand in any more and nobody asks about."""
        before = self._clock.now() - CLICKS_KEPT
        for _ in range(_ROUNDS_MAX):
            async with self._database.transaction() as tx:
                old = await tx.ask(link_store.oldest_clicks(before, _CLICKS_MAX))
            for shop_id, ids in old.items():
                await self._forget(shop_id, ids)
            if sum(map(len, old.values())) < _CLICKS_MAX:
                return

    async def _forget(self, shop_id: ShopId, ids: Iterable[ClickId]) -> None:
        async def work(tx: Transaction) -> None:
            await tx.ask(link_store.clicks_dropped(shop_id, list(ids)))

        await self._database.run(work)

"""Paying out: books are swept and payouts put together when their turn comes, and sent until the provider has them.

Every payout is claimed before the provider is spoken to: in one transaction its next turn is put off, so that of
several servers one takes it, and a server that dies on the way leaves it to the next turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import structlog

from fairwind.kernel import Platform, Refused, ShopId, isolated
from fairwind.ledger import books_with_payables
from fairwind.payments import ProviderRefused
from fairwind.settlement.commands.sweeps import sweep_book
from fairwind.settlement.payout import Payout, PayoutTold
from fairwind.settlement.payouts import Payouts
from fairwind.settlement.provider import PayoutStanding
from fairwind.settlement.store.sweeps import swept_at
from fairwind.settlement.sweep import is_due

log = structlog.get_logger(__name__)

_BOOKS_MAX = 500
_ROUND_MAX = 200
_AT_ONCE_MAX = 64


class PayingOut:
    """Two rounds of work, each to be run again and again."""

    def __init__(self, platform: Platform, payouts: Payouts) -> None:
        self._platform = platform
        self._payouts = payouts
        self._every = timedelta(seconds=platform.settings.payout_every_s)

    async def gather(self) -> int:
        """Sweep the books that have their turn, then put what waits into payouts; answers how many payouts."""
        after = ShopId(0)
        while books := await self._books(after):
            for shop_id in await self._due(books):
                await self._sweep(shop_id)
            after = books[-1]
        return await self._payouts.assemble()

    async def _books(self, after: ShopId) -> list[ShopId]:
        async with self._platform.database.transaction() as tx:
            return await tx.ask(books_with_payables(after, _BOOKS_MAX))

    async def _due(self, books: Sequence[ShopId]) -> list[ShopId]:
        async with self._platform.database.transaction() as tx:
            last = await tx.ask(swept_at(books))
        now = self._platform.clock.now()
        return [shop_id for shop_id in books if is_due(last.get(shop_id), self._every, now)]

    async def _sweep(self, shop_id: ShopId) -> None:
        async with isolated("book_not_swept", shop_id=shop_id):
            more = True
            while more:  # each page at a moment of its own, by which a statement finds the payout of an entry
                now = self._platform.clock.now()
                more = await self._platform.database.run(
                    partial(sweep_book, shop_id=shop_id, every=self._every, now=now)
                )

    async def move(self) -> int:
        """Send payouts that are pending, and ask about those that are sent; answers how many."""
        due = await self._payouts.claim(_ROUND_MAX)
        slots = asyncio.Semaphore(_AT_ONCE_MAX)
        await asyncio.gather(*(self._move(payout, slots) for payout in due))
        return len(due)

    async def _move(self, payout: Payout, slots: asyncio.Semaphore) -> None:
        """One that fails has its next turn and does not hold up the others."""
        async with slots:
            try:
                standing = await self._spoken_of(payout)
                if standing is not None:
                    await self._record(payout, standing)
            except Refused as refusal:
                log.info("payout_put_off", payout_id=str(payout.id), code=refusal.code, detail=refusal.detail)
            except Exception:
                log.exception("payout_not_moved", payout_id=str(payout.id))

    async def _spoken_of(self, payout: Payout) -> PayoutStanding | None:
        """What the provider says when the payout is sent, or asked about."""
        provider = self._payouts.providers.get(payout.provider)
        if provider is None:
            log.warning("provider_not_configured", provider=payout.provider, payout_id=str(payout.id))
            return None
        if payout.state == "sent":
            standing = await provider.query(payout)
            if standing.word != "unknown":
                return standing
        try:
            return await provider.pay(payout)
        except ProviderRefused as refusal:
            return PayoutStanding("failed", refusal.detail)

    async def _record(self, payout: Payout, standing: PayoutStanding) -> None:
        assert standing.word != "unknown", "a provider that was asked to pay knows of it"
        word = "failed" if standing.word == "cancelled" else standing.word
        after = await self._payouts.record(PayoutTold(payout.id, payout.attempts, word, standing.reason))
        if after.state == "failed":
            log.warning("payout_failed", payout_id=str(payout.id), payee=str(payout.payee), reason=after.reason)

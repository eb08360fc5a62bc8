"""Noting who has a part in what was paid, and reading what that brings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from fairwind.kernel import Event, OrderId, PersonId, Platform, ShopId, Transaction
from fairwind.settlement.earning import Earning, EarningState, EarningTotals, earning, noted, noted_of_agencies
from fairwind.settlement.period import Period
from fairwind.settlement.store import earnings as store
from fairwind.settlement.store.earnings import Before, Earner


class _Paid(msgspec.Struct, frozen=True):
    order_id: OrderId


async def note_earnings(tx: Transaction, shop_id: ShopId, events: Sequence[Event], _: datetime) -> None:
    """Consumer of `orders.paid`: note every creator in the lines' evidence, earning or not, and the agencies.

    Told twice, it changes nothing: what a line was placed on never changes.
    """
    lines = await tx.ask(store.paid_lines(shop_id, {event.read(_Paid).order_id for event in events}))
    if lines:
        await tx.together(
            *store.earnings_noted(shop_id, [each for line in lines for each in noted(line)]),
            *store.agency_earnings_noted(shop_id, [each for line in lines for each in noted_of_agencies(line)]),
        )


class Earnings:
    """What creators and agencies earn, over all shops."""

    def __init__(self, platform: Platform) -> None:
        self._database = platform.database

    async def page(
        self,
        earner: Earner,
        person_id: PersonId,
        state: EarningState | None,
        period: Period | None,
        before: Before,
        limit: int,
    ) -> list[Earning]:
        """What somebody had a part in before that key, the newest first; in a state, or paid in a period."""
        async with self._database.transaction() as tx:
            found = await tx.ask(store.sales(earner, person_id, state, period, before, limit))
        return [earning(sale) for sale in found]

    async def totals(self, earner: Earner, person_id: PersonId) -> EarningTotals:
        """What somebody has earned, of one moment."""
        async with self._database.transaction() as tx:
            await tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            estimated_fen = await store.estimated_fen(tx, earner, person_id)
            return await tx.ask(store.totals(earner, person_id, estimated_fen))

"""Closing months 关账: what every account of every book came to is frozen, book by book."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import structlog

from fairwind.kernel import NotFound, Platform, ShopId, Transaction
from fairwind.settlement.period import ClosedPeriod, Period, next_to_close
from fairwind.settlement.statement import AccountKey, ClosedStatement, account_sums, differences
from fairwind.settlement.store import periods as store

log = structlog.get_logger(__name__)

_BOOKS_MAX = 500
_FIRST = AccountKey(ShopId(0), "", 0)
LAST_PERIOD = "9999-99"


async def close_book(tx: Transaction, shop_id: ShopId, period: Period) -> bool:
    """Freeze what the accounts of the book came to; False, and nothing frozen, when that is not what the ledger says.

    Earlier months are closed: this one opens with what they closed with. The accounts are locked, so that whatever is
    being posted is in. Closing a book again changes nothing.
    """
    _, opening, listed, moved = await tx.together(
        store.accounts_locked(shop_id),
        store.closings(shop_id, period),
        store.listed_in(shop_id, period),
        store.moved_in(shop_id, period),
    )
    sums = {key: each for key, each in account_sums(opening, listed).items() if each.entries}
    if wrong := differences(sums, moved):
        log.error("period_not_closed", shop_id=shop_id, period=period.name, differences=len(wrong), first=str(wrong[0]))
        return False
    await tx.together(*store.statements_frozen(shop_id, period, sums))
    return True


class Periods:
    """The months that are closed, and the work that closes them."""

    def __init__(self, platform: Platform) -> None:
        self._database = platform.database
        self._clock = platform.clock
        self._wait = timedelta(seconds=platform.settings.close_after_s)

    async def closed(self, before: str | None, limit: int) -> list[ClosedPeriod]:
        """Closed months, the latest first; those before that one."""
        async with self._database.transaction() as tx:
            return await tx.ask(store.closed_periods(before or LAST_PERIOD, limit))

    async def statements(self, period: str, after: AccountKey | None, limit: int) -> list[ClosedStatement]:
        """What accounts came to in a closed month, by book. Raises NotFound when it is not closed."""
        async with self._database.transaction() as tx:
            closed, found = await tx.together(
                store.closed_period(period), store.closed_statements(period, after or _FIRST, limit)
            )
        if closed is None:
            raise NotFound(f"{period} is not closed")
        return list(found)

    async def close_periods(self) -> int:
        """Close every month that is over long enough, the earliest first; answers how many."""
        count = 0
        while (period := await self._due()) is not None and await self._close(period):
            log.info("period_closed", period=period.name)
            count += 1
        return count

    async def _due(self) -> Period | None:
        async with self._database.transaction() as tx:
            until = await tx.ask(store.closed_until())
            first_at = await tx.ask(store.first_transfer_at()) if until is None else None
        return next_to_close(until, first_at, self._clock.now(), self._wait)

    async def _close(self, period: Period) -> bool:
        """Close all books; one that does not agree with the ledger keeps the month open."""
        agreed, more, last = True, True, ShopId(0)
        while more:
            async with self._database.transaction() as tx:
                shop_ids = await tx.ask(store.books_moved_in(period, last, _BOOKS_MAX))
            for shop_id in shop_ids:
                agreed &= await self._database.run(partial(close_book, shop_id=shop_id, period=period))
                last = shop_id
            more = len(shop_ids) == _BOOKS_MAX
        if agreed:
            await self._database.run(lambda tx: tx.ask(store.period_closed(period, self._clock.now())))
        return agreed

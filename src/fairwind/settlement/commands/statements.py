"""Reading statements: whole ones in parts, so that a long one takes no more memory than a short one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import NamedTuple

from fairwind.kernel import NotFound, Platform, Query, ShopId, Transaction
from fairwind.kernel.pages import read_cursor, write_cursor
from fairwind.settlement.listing import Part, Statement, lines_of
from fairwind.settlement.netting import Payee
from fairwind.settlement.period import Period, month_of, period
from fairwind.settlement.statement import (
    BEGINNING,
    AccountKey,
    Book,
    Difference,
    Entry,
    Heading,
    Place,
    Sums,
    account_sums,
    books,
    differences,
    place_after,
    total,
)
from fairwind.settlement.store import periods, statements
from fairwind.settlement.store.statements import ENTRIES_MAX, Base


class Summary(NamedTuple):
    """What a payee's accounts came to in a period, and where that is not what the ledger says."""

    sums: dict[AccountKey, Sums]
    differences: list[Difference]


async def summary(tx: Transaction, payee: Payee, of: Period, shop_ids: Collection[ShopId] | None = None) -> Summary:
    """What the payee's accounts came to in a period, checked against the ledger's transfers, fen by fen.

    shop_ids: the books asked about; None for all in which the payee has an account. The check holds of one snapshot:
    ask in a transaction that has one.
    """
    base = await _base(tx, of)
    opening, before, listed, moved = await tx.together(
        *_opening(payee, of, base, shop_ids),
        statements.listed(payee, of, shop_ids),
        statements.moved(payee, of, shop_ids),
    )
    sums = account_sums(_added(opening, before), listed)
    return Summary(sums, differences(sums, moved))


async def part(tx: Transaction, payee: Payee, of: Period, start: Place, limit: int) -> Part:
    """Up to limit entries, of up to limit books, from start on."""
    # A plan that fits every place in every book would read a book to its end for each page of it.
    await tx.execute("SET LOCAL plan_cache_mode = force_custom_plan")
    base = await _base(tx, of)
    inside = start.at is not None
    found = await tx.ask(
        statements.books_from(payee, start.shop_id if inside else ShopId(start.shop_id + 1), limit + 1)
    )
    begun: list[Book] = []
    entries: list[Entry] = []
    place = start
    for shop_id, name in found[:limit]:
        left = limit - len(entries)
        if left == 0:
            return Part(begun, entries, place)
        here = place if place.at is not None and place.shop_id == shop_id else Place(shop_id)
        asked = statements.entries(payee, of, here, left + 1)
        if here.at is None:
            opening, before, listed, more = await tx.together(
                *_opening(payee, of, base, [shop_id]), statements.listed(payee, of, [shop_id]), asked
            )
            begun += books(account_sums(_added(opening, before), listed), {shop_id: name})
        else:  # its sums were told when it began
            more = await tx.ask(asked)
        entries += more[:left]
        if len(more) > left:
            return Part(begun, entries, place_after(more[:left], here))
        place = Place(shop_id)
    return Part(begun, entries, place if len(found) > limit else None)


async def _base(tx: Transaction, of: Period) -> Base | None:
    closed = await tx.ask(periods.last_closed(of.since))
    return None if closed is None else Base(closed.period, closed.until)


def _opening(
    payee: Payee, of: Period, base: Base | None, shop_ids: Collection[ShopId] | None
) -> tuple[Query[dict[AccountKey, int]], Query[dict[AccountKey, int]]]:
    """What the accounts were closed with last, and what moved them since, up to the beginning of the period."""
    return (
        statements.carried(payee, of, base or Base("", of.since), shop_ids),
        statements.moved_before(payee, of, base, shop_ids),
    )


def _added(carried: dict[AccountKey, int], moved: dict[AccountKey, int]) -> dict[AccountKey, int]:
    return {key: carried.get(key, 0) + moved.get(key, 0) for key in carried.keys() | moved.keys()}


class Statements:
    """Statements of all payees."""

    def __init__(self, platform: Platform) -> None:
        self._database = platform.database
        self._clock = platform.clock

    def period(self, name: str | None) -> Period:
        """The period that is called so, by default the month it is in China. Raises Invalid."""
        return month_of(self._clock.now()) if name is None else period(name)

    async def page(self, payee: Payee, of: Period, cursor: str | None, limit: int) -> Statement:
        """A page of the payee's statement; sums are on the first. Raises NotFound, BadCursor."""
        start = read_cursor(cursor, Place) or BEGINNING
        async with self._database.transaction() as tx:
            await _one_moment(tx)
            heading = await _heading(tx, payee, of)
            whole = await summary(tx, payee, of) if cursor is None else None
            found = await part(tx, payee, of, start, limit)
        return Statement(
            heading=heading,
            sums=None if whole is None else total(whole.sums.values()),
            agrees_with_ledger=None if whole is None else not whole.differences,
            books=found.books,
            items=lines_of(found.entries),
            next_cursor=None if found.place is None else write_cursor(found.place),
        )

    async def heading(self, payee: Payee, of: Period) -> Heading:
        """Whose statement it is and of when. Raises NotFound."""
        async with self._database.transaction() as tx:
            return await _heading(tx, payee, of)

    async def summary(self, payee: Payee, of: Period) -> tuple[Heading, Summary]:
        """Whose statement it is and what it comes to. Raises NotFound."""
        async with self._database.transaction() as tx:
            await _one_moment(tx)
            return await _heading(tx, payee, of), await summary(tx, payee, of)

    async def parts(self, payee: Payee, of: Period) -> AsyncIterator[Part]:
        """The whole statement, part by part.

        Each part is a transaction of its own: someone who reads slowly holds no connection and no snapshot. What is
        entered meanwhile, into an open period, may be missed before the place that was read to; the sums of the head
        are of one moment, and the audit and the closing read everything at one.
        """
        place: Place | None = BEGINNING
        while place is not None:
            async with self._database.transaction() as tx:
                found = await part(tx, payee, of, place, ENTRIES_MAX)
            yield found
            place = found.place


async def _one_moment(tx: Transaction) -> None:
    await tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


async def _heading(tx: Transaction, payee: Payee, of: Period) -> Heading:
    name, closed_at = await tx.together(statements.name_of(payee), periods.closed_at_of(of))
    if name == "" and payee.kind != "platform":
        raise NotFound(f"there is no {payee.kind} {payee.id}")
    return Heading(payee.kind, payee.id, name, of, closed_at)

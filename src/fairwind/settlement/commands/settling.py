"""Settling what is due, and taking back what was settled when a refund comes later.

Locks are taken in one order: orders by id, ledger accounts by name. What is due, settled and taken back of an order
changes only under its lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from fairwind.kernel import Event, Fen, OrderId, ShopId, Transaction
from fairwind.ledger import Transfer, transfers_posted
from fairwind.orders import GivenBack, SoldLine, escrow_returns, orders_locked, orders_waiting, receipts, sold_lines
from fairwind.settlement.entries import clawing_back, settling
from fairwind.settlement.period import hold_open
from fairwind.settlement.share import SettledLine, Shares, back, held, share_line, terms_of
from fairwind.settlement.store import settling as store
from fairwind.settlement.store.periods import closed_until
from fairwind.settlement.store.settling import LineKey
from fairwind.settlement.store.withholdings import withheld

_PUT_OFF = timedelta(hours=1)
"""A line that may not settle yet, for a refund waits or it is withheld, is looked at again so much later."""


class _Received(msgspec.Struct, frozen=True):
    order_id: OrderId


async def note_due(tx: Transaction, shop_id: ShopId, events: Sequence[Event], _: datetime, window: timedelta) -> None:
    """Orders were received: note when each of their lines can settle. window: the platform's."""
    order_ids = {event.read(_Received).order_id for event in events}
    there = await tx.ask(receipts(shop_id, order_ids, window))
    due = {(each.order_id, each.line_no): each.over_at for each in there}
    if due:
        await tx.together(*store.due_added(shop_id, due))


async def settle(tx: Transaction, shop_id: ShopId, keys: Sequence[LineKey], now: datetime) -> list[None]:
    """Settle those of these lines that are due and have nothing against them; answers one None each.

    Every settled line is written once with what each party gets, and the shop's book posts it. A line of which nothing
    is left settles to nothing.
    """
    order_ids = {order_id for order_id, _ in keys}
    _, closed, taken, lines, waiting, kept = await tx.together(
        orders_locked(shop_id, order_ids),
        closed_until(),
        store.due_taken(shop_id, keys, now),
        sold_lines(shop_id, order_ids),
        orders_waiting(shop_id, order_ids),
        withheld(shop_id, order_ids, now),
    )
    hold_open(closed, now)
    put_off = {key: now + _PUT_OFF for key in taken if key[0] in waiting or key in kept}
    ready = [
        line
        for line in lines
        if (key := (line.order_id, line.line_no)) in taken and key not in put_off and line.refunded_fen < line.paid_fen
    ]
    settled = [_settled(line) for line in ready]
    await tx.together(
        *store.settled_added(shop_id, settled, now),
        *store.due_added(shop_id, put_off),
        *transfers_posted(shop_id, settling(settled), now),
    )
    return [None] * len(keys)


def _settled(line: SoldLine) -> SettledLine:
    there, terms = held(line.paid_fen, line.grants, line.refunded_fen), terms_of(line)
    return SettledLine(line.order_id, line.line_no, there, share_line(there, terms), terms)


async def claw_back(tx: Transaction, shop_id: ShopId, given: Sequence[GivenBack], now: datetime) -> list[Transfer]:
    """The transfers of what refunds give back: out of escrow, or from those who have earned of a line since."""
    settled, closed = await tx.together(store.settled_lines(shop_id, {each.order_id for each in given}), closed_until())
    returns: list[tuple[GivenBack, SettledLine, Shares]] = []
    for each in given:
        line = settled.get((each.order_id, each.line_no))
        if line is None:
            continue
        returns.append((each, line, back(line, each.amount_fen, Fen(sum(grant.amount_fen for grant in each.grants)))))
        settled[each.order_id, each.line_no] = replace(line, returned_fen=Fen(line.returned_fen + each.amount_fen))
    if returns or any(each.grants for each in given):
        hold_open(closed, now)
    if returns:
        await tx.together(*store.clawbacks_added(shop_id, returns, now))
    unsettled = [each for each in given if (each.order_id, each.line_no) not in settled]
    return escrow_returns(unsettled) + clawing_back(returns)

"""Sweeping books, one at a time, and noting in them what was paid out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from fairwind.kernel import Event, ShopId, Transaction
from fairwind.ledger import payables_locked, transfers_posted
from fairwind.settlement.payout import PaidOut
from fairwind.settlement.period import hold_open
from fairwind.settlement.store import sweeps as store
from fairwind.settlement.store.periods import closed_until
from fairwind.settlement.sweep import is_due, paid_out, sweep


async def sweep_book(
    tx: Transaction, shop_id: ShopId, every: timedelta, now: datetime, accounts_max: int = 1000
) -> bool:
    """Sweep the shop's book when it has its turn; answers whether there may be more than accounts_max to sweep.

    Several servers may come at once: the second waits for the first, and finds nothing or the next page.
    """
    _, swept_at, closed = await tx.together(store.sweep_opened(shop_id), store.sweep_locked(shop_id), closed_until())
    hold_open(closed, now)
    if not is_due(swept_at, every, now):
        return False
    balances = await tx.ask(payables_locked(shop_id, accounts_max))
    moved = sweep(shop_id, balances)
    more = len(balances) == accounts_max
    saves = [] if more else [store.sweep_over(shop_id, now)]
    if moved.amounts:
        saves.append(store.swept_added(shop_id, moved.amounts, now))
    await tx.together(*saves, *transfers_posted(shop_id, moved.transfers, now))
    return more


async def note_paid_out(tx: Transaction, shop_id: ShopId, events: Sequence[Event], now: datetime) -> None:
    """Move what payouts have paid from on its way to paid out, in the shop's book. Told again, it moves nothing."""
    payout_ids = {event.read(PaidOut).payout_id for event in events}
    amounts_fen = await tx.ask(store.paid_out_noted(shop_id, payout_ids, now))
    await tx.together(*transfers_posted(shop_id, [paid_out(fen) for fen in amounts_fen], now))

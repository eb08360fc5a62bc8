"""Money in shops' books that somebody has earned or owes, without the sales it came from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from fairwind.kernel import Database, Event, EventId, Fen, PersonId, ShopId
from fairwind.kernel.audit import checks_of
from fairwind.ledger import (
    ALLIANCE_FEE,
    BUYER_REFUND,
    ESCROW,
    PROVIDER,
    REFUND_CLEARING,
    Account,
    Transfer,
    balances,
    creator,
    transfers_posted,
)
from fairwind.settlement.commands.sweeps import sweep_book
from fairwind.settlement.payout import Payout
from market import NOW, order_id

DAY = timedelta(days=1)
_WORDS = {
    "on its way": "on its way out of each book",
    "paid out": "what each book has paid out",
    "for each payee": "what was swept for each payee",
    "sum": "each payout is the sum",
    "whose": "made of what was swept for its payee",
    "noted": "what succeeded is noted",
}
CHECKS = {
    name: next(check for check in checks_of("fairwind.settlement") if words in check.invariant)
    for name, words in _WORDS.items()
}
"""The audit's checks of sweeps and payouts. Those of sales would find that this money came from nowhere."""


async def post(database: Database, shop_id: int, fen: Mapping[Account, int]) -> None:
    """Change these payables of the shop's book by so many fen, as sales and refunds would."""
    moved = [transfer for account, change_fen in fen.items() for transfer in _moved(account, change_fen)]
    await database.run(lambda tx: tx.together(*transfers_posted(ShopId(shop_id), moved, NOW)))


def _moved(account: Account, fen: int) -> list[Transfer]:
    order, amount_fen = order_id(), Fen(abs(fen))
    paid = Transfer(PROVIDER, ESCROW, amount_fen, "paid", order)
    if account.kind == "subsidy":
        if fen < 0:
            return [Transfer(account, ESCROW, amount_fen, "subsidised", order)]
        return [paid, Transfer(ESCROW, account, amount_fen, "subsidy_returned", order)]
    if fen < 0:
        return [
            Transfer(account, REFUND_CLEARING, amount_fen, "clawed_back", order),
            Transfer(REFUND_CLEARING, BUYER_REFUND, amount_fen, "refund_agreed", order),
        ]
    if account == ALLIANCE_FEE:
        someone = creator(PersonId(1))
        return [
            paid,
            Transfer(ESCROW, someone, amount_fen, "settled", order),
            Transfer(someone, ALLIANCE_FEE, amount_fen, "alliance_fee", order),
        ]
    return [paid, Transfer(ESCROW, account, amount_fen, "settled", order)]


async def book(database: Database, shop_id: int) -> dict[Account, int]:
    """The balances of the shop's book that are not zero."""
    async with database.transaction() as tx:
        found = await tx.ask(balances(ShopId(shop_id)))
    return {Account(each.kind, each.party_id): each.balance_fen for each in found if each.balance_fen}  # type: ignore[arg-type]


async def swept(database: Database, shop_id: int, days: int = 0, accounts_max: int = 1000) -> int:
    """Sweep the shop's book to its end; answers how many transactions that took."""
    now, pages = NOW + days * DAY, 1
    while await database.run(lambda tx: sweep_book(tx, ShopId(shop_id), DAY, now, accounts_max)):
        pages += 1
    return pages


async def paid_out_events(database: Database, payout: Payout) -> list[Event]:
    async with database.transaction() as tx:
        rows = await tx.rows(
            "SELECT shop_id, id, topic, payload::text AS payload, created_at FROM kernel.outbox"
            " WHERE topic = 'settlement.paid_out' AND payload ->> 'payout_id' = %s ORDER BY shop_id",
            (str(payout.id),),
        )
    return [
        Event(EventId(row.id), row.shop_id, row.topic, msgspec.Raw(row.payload.encode()), row.created_at)
        for row in rows
    ]

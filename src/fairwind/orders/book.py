"""A shop's book as its members read it: balances, statements, and what one order moved."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import msgspec

from fairwind.kernel import Fen, OrderId, Platform, ShopId
from fairwind.ledger import (
    Account,
    AccountKind,
    Balance,
    StatementLine,
    balances,
    statement_lines,
    transfers_of_order,
)

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


class TransferView(msgspec.Struct, frozen=True):
    """amount_fen from the debit account to the credit account."""

    debit_kind: str
    debit_party_id: int
    credit_kind: str
    credit_party_id: int
    amount_fen: Fen
    reason: str


class Book:
    """Reads shops' books."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def balances(self, shop_id: ShopId) -> list[Balance]:
        async with self._platform.database.transaction() as tx:
            return await tx.ask(balances(shop_id))

    async def statement(
        self,
        shop_id: ShopId,
        kind: AccountKind,
        party_id: int,
        since: datetime | None,
        until: datetime | None,
        after: UUID | None,
        limit: int,
    ) -> list[StatementLine]:
        """The account's transfers in [since, until), oldest first; from the first and up to now by default."""
        since = _aware(since) or _EARLIEST
        until = _aware(until) or self._platform.clock.now()
        lines = statement_lines(shop_id, Account(kind, party_id), since, until, after, limit)
        async with self._platform.database.transaction() as tx:
            return await tx.ask(lines)

    async def transfers(self, shop_id: ShopId, order_id: OrderId) -> list[TransferView]:
        async with self._platform.database.transaction() as tx:
            found = await tx.ask(transfers_of_order(shop_id, order_id))
        return [TransferView(*t.debit, *t.credit, t.amount_fen, t.reason) for t in found]


def _aware(at: datetime | None) -> datetime | None:
    """A time without a zone is taken as UTC."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at

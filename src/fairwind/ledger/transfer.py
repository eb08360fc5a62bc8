"""Accounts and transfers. Pure.

A transfer has one debit account, one credit account and one amount, so it cannot be unbalanced; all transfers of an
order are made in its shop's own book.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from fairwind.kernel import Fen, OrderId, TransferId

AccountKind = Literal["provider", "escrow", "buyer_refund"]
Reason = Literal["paid", "refund_agreed", "refund_paid"]


class Account(NamedTuple):
    """An account of a book: its kind and, where several parties have one, whose it is (0 otherwise)."""

    kind: AccountKind
    party_id: int = 0


PROVIDER = Account("provider")
"""What the payment provider holds for the shop's orders; in the red by as much as it owes us."""
ESCROW = Account("escrow")
"""What buyers paid and nobody has earned yet."""
BUYER_REFUND = Account("buyer_refund")
"""What is on its way back to buyers."""


class Transfer(NamedTuple):
    """amount_fen from the debit account to the credit account, because of an order."""

    debit: Account
    credit: Account
    amount_fen: Fen
    reason: Reason
    order_id: OrderId


class StatementLine(msgspec.Struct, frozen=True):
    """One transfer as the account saw it: amount_fen is negative for a debit; balance_fen is what it left."""

    transfer_id: TransferId
    made_at: datetime
    reason: str
    order_id: OrderId
    other_kind: str
    other_party_id: int
    amount_fen: int
    balance_fen: int


class Balance(msgspec.Struct, frozen=True):
    """What an account holds."""

    kind: str
    party_id: int
    balance_fen: int


def changes(transfers: Iterable[Transfer]) -> dict[Account, int]:
    """By how many fen each account's balance changes; accounts in the order in which they are locked."""
    by_account: dict[Account, int] = defaultdict(int)
    for transfer in transfers:
        by_account[transfer.debit] -= transfer.amount_fen
        by_account[transfer.credit] += transfer.amount_fen
    return dict(sorted(by_account.items()))

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

from fairwind.kernel import Fen, OrderId, PersonId, TransferId

AccountKind = Literal[
    "provider",
    "subsidy",
    "escrow",
    "buyer_refund",
    "service_fee",
    "alliance_fee",
    "creator",
    "agency",
    "shop",
    "supplier",
    "refund_clearing",
    "payout",
    "paid_out",
]
Reason = Literal[
    "paid",
    "subsidised",
    "refund_agreed",
    "refund_paid",
    "subsidy_returned",
    "settled",
    "alliance_fee",
    "mcn_share",
    "clawed_back",
    "swept",
    "paid_out",
]


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
SERVICE_FEE = Account("service_fee")
"""What the platform keeps of sales."""
ALLIANCE_FEE = Account("alliance_fee")
"""What the platform keeps of commissions."""
SHOP = Account("shop")
"""What the shop has earned; below zero it owes."""
SUPPLIER = Account("supplier")
"""The same of a shop whose channel is the supplier's."""
REFUND_CLEARING = Account("refund_clearing")
"""Where those who have earned of a sale give back what a refund takes from each; at rest it is empty."""
PAYOUT = Account("payout")
"""What has left the payables of this book and is on its way to its owners, less what they owed to it."""
PAID_OUT = Account("paid_out")
"""What has reached its owners, less what they owed."""


PAYABLES: tuple[AccountKind, ...] = (
    "agency",
    "alliance_fee",
    "creator",
    "service_fee",
    "shop",
    "subsidy",
    "supplier",
)
"""The kinds of account whose balance is paid out to its owner, or owed by it below zero."""


def subsidy(funder_id: int) -> Account:
    """What a funder has put on top of buyers' prices, in the red by as much as it owes.

    funder_id: the supplier's or shop's id, 0 for the platform.
    """
    return Account("subsidy", funder_id)


def creator(creator_id: PersonId) -> Account:
    """What a creator has earned; below zero it owes."""
    return Account("creator", creator_id)


def agency(agency_id: PersonId) -> Account:
    """What an agency has earned by recruiting goods, or as the MCN of creators; below zero it owes."""
    return Account("agency", agency_id)


class Transfer(NamedTuple):
    """amount_fen from the debit account to the credit account, because of an order; None for what is paid out."""

    debit: Account
    credit: Account
    amount_fen: Fen
    reason: Reason
    order_id: OrderId | None


class StatementLine(msgspec.Struct, frozen=True):
    """One transfer as the account saw it: amount_fen is negative for a debit; balance_fen is what it left."""

    transfer_id: TransferId
    made_at: datetime
    reason: str
    order_id: OrderId | None
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

"""The ledger 账本: a book per shop, of accounts and the transfers between them.

Invariants: a transfer moves one amount from one account to another, so a book always sums to zero; an account's balance
is the sum of its transfers; only the provider's account may be in the red. Transfers are never changed or removed.
"""

from fairwind.kernel import Platform, Wiring
from fairwind.ledger.store import (
    balance_at,
    balances,
    statement_lines,
    transfers_of_order,
    transfers_posted,
)
from fairwind.ledger.transfer import (
    BUYER_REFUND,
    ESCROW,
    PROVIDER,
    Account,
    AccountKind,
    Balance,
    StatementLine,
    Transfer,
)

__all__ = [
    "BUYER_REFUND",
    "ESCROW",
    "PROVIDER",
    "Account",
    "AccountKind",
    "Balance",
    "StatementLine",
    "Transfer",
    "balance_at",
    "balances",
    "statement_lines",
    "transfers_of_order",
    "transfers_posted",
    "wire",
]


def wire(_: Platform) -> Wiring:
    """Nobody meets the ledger directly: its book is kept and shown by the contexts above it."""
    return Wiring()

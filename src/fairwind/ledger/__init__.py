"""The ledger 账本: a book per shop, of accounts and the transfers between them.

Invariants: a transfer moves one amount from one account to another, so a book always sums to zero; an account's balance
is the sum of its transfers; money held for others (escrow, refunds on their way, fees) is never in the red. Transfers
are never changed or removed.
"""

from fairwind.kernel import Platform, Wiring
from fairwind.ledger.store import (
    balance_at,
    balance_of,
    balances,
    books_with_payables,
    payables_locked,
    statement_lines,
    transfers_of_order,
    transfers_posted,
)
from fairwind.ledger.transfer import (
    ALLIANCE_FEE,
    BUYER_REFUND,
    ESCROW,
    PAID_OUT,
    PAYABLES,
    PAYOUT,
    PROVIDER,
    REFUND_CLEARING,
    SERVICE_FEE,
    SHOP,
    SUPPLIER,
    Account,
    AccountKind,
    Balance,
    Reason,
    StatementLine,
    Transfer,
    agency,
    creator,
    subsidy,
)

__all__ = [
    "ALLIANCE_FEE",
    "BUYER_REFUND",
    "ESCROW",
    "PAID_OUT",
    "PAYABLES",
    "PAYOUT",
    "PROVIDER",
    "REFUND_CLEARING",
    "SERVICE_FEE",
    "SHOP",
    "SUPPLIER",
    "Account",
    "AccountKind",
    "Balance",
    "Reason",
    "StatementLine",
    "Transfer",
    "agency",
    "balance_at",
    "balance_of",
    "balances",
    "books_with_payables",
    "creator",
    "payables_locked",
    "statement_lines",
    "subsidy",
    "transfers_of_order",
    "transfers_posted",
    "wire",
]


def wire(_: Platform) -> Wiring:
    """Nobody meets the ledger directly: its book is kept and shown by the contexts above it."""
    return Wiring()

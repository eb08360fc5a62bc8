"""Who is owed what: a book's accounts become amounts of payees, and a payee's amounts a payout. Pure.

Whatever a payee has earned or owes is one sum, over all of its accounts and all books: a debt in one shop's book is
paid with what was earned in another's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from fairwind.kernel import Fen, ShopId
from fairwind.ledger import Account

PayeeKind = Literal["platform", "shop", "creator", "agency"]


class Payee(NamedTuple):
    """Whom money is paid to. id: the shop's or the person's; 0 for the platform."""

    kind: PayeeKind
    id: int

    def __str__(self) -> str:
        """The payee's name at the provider, such as `creator 7`."""
        return f"{self.kind} {self.id}"


PLATFORM = Payee("platform", 0)


def payee_of(shop_id: ShopId, account: Account) -> Payee:
    """Who owns a payable of the shop's book. A funder is the platform or, with its own id, a shop."""
    match account.kind:
        case "service_fee" | "alliance_fee":
            return PLATFORM
        case "shop" | "supplier":
            return Payee("shop", shop_id)
        case "subsidy":
            return Payee("shop", account.party_id) if account.party_id else PLATFORM
        case "creator" | "agency":
            return Payee(account.kind, account.party_id)
        case _:
            raise AssertionError(f"nobody is paid what is in {account.kind}")


def netted(shop_id: ShopId, balances: Mapping[Account, int]) -> dict[Payee, int]:
    """What each payee has in these accounts of the shop's book, in fen, below zero what it owes; never zero."""
    sums: dict[Payee, int] = defaultdict(int)
    for account, balance_fen in balances.items():
        sums[payee_of(shop_id, account)] += balance_fen
    return {payee: amount_fen for payee, amount_fen in sorted(sums.items()) if amount_fen}


def payable(amounts_fen: Iterable[int], min_fen: Fen) -> Fen | None:
    """What is paid for all of these amounts of one payee together; None when they are carried.

    min_fen: the least that is paid, at least 1.
    """
    assert min_fen > 0
    sum_fen = sum(amounts_fen)
    return Fen(sum_fen) if sum_fen >= min_fen else None

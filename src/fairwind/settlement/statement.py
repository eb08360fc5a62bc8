"""Statements 结算单: what a payee earned, gave back, funded and was paid in a period, book by book. Pure.

A payee's money stands in accounts of many books: a creator has one in the book of every shop whose goods they sold. A
statement opens and closes each of these accounts and lists what moved it, line by line; its sums are the ledger's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta

from fairwind.kernel import Fen, OrderId, ShopId
from fairwind.settlement.netting import PayeeKind
from fairwind.settlement.period import Period
from fairwind.settlement.share import Held, Shares, Terms

Kind = Literal["settled", "clawed_back", "subsidised", "subsidy_returned", "swept"]
Item = Literal["proceeds", "service_fee", "commission", "alliance_fee", "mcn_share", "agency_fee", "subsidy", "sweep"]

KINDS: tuple[Kind, ...] = ("settled", "clawed_back", "subsidised", "subsidy_returned", "swept")


class Heading(msgspec.Struct, frozen=True):
    """Whose statement it is and of when. closed_at: when the period was closed, null while it is open."""

    payee_kind: PayeeKind
    payee_id: int
    name: str
    period: Period
    closed_at: datetime | None


class AccountKey(NamedTuple):
    """A payee's account in a book."""

    shop_id: ShopId
    account: str
    party_id: int


class Sums(msgspec.Struct, frozen=True):
    """What an account, a book or a whole statement comes to, as the payee sees it: what it gives is negative.

    closing_fen = opening_fen + the five in between. entries: how many lines the statement lists.
    """

    opening_fen: int = 0
    settled_fen: int = 0
    clawed_back_fen: int = 0
    subsidised_fen: int = 0
    subsidy_returned_fen: int = 0
    swept_fen: int = 0
    closing_fen: int = 0
    entries: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))

    @property
    def is_empty(self) -> bool:
        return self == _NOTHING


class ClosedStatement(msgspec.Struct, frozen=True):
    """What a payee's account came to in a closed period."""

    shop_id: ShopId
    account: str
    party_id: int
    payee_kind: PayeeKind
    payee_id: int
    sums: Sums


class AccountSums(msgspec.Struct, frozen=True):
    """What one account came to."""

    account: str
    sums: Sums


class Book(msgspec.Struct, frozen=True):
    """A payee's accounts in a shop's book."""

    shop_id: ShopId
    shop_name: str
    sums: Sums
    accounts: tuple[AccountSums, ...]


class Sold(msgspec.Struct, frozen=True):
    """What an entry's line sold. paid_fen: by the buyer, before any refund."""

    title: str
    spec: str
    quantity: int
    paid_fen: Fen


class Settled(msgspec.Struct, frozen=True):
    """How a line was shared when it settled: what escrow held for it, on which terms, and each party's part."""

    held: Held
    terms: Terms
    shares: Shares


class Returned(msgspec.Struct, frozen=True):
    """What a refund took back of a settled line, and each party's part in that.

    before_fen: what earlier refunds had returned to the buyer; subsidies_fen: what went back to the funders.
    """

    before_fen: Fen
    returned_fen: Fen
    subsidies_fen: Fen
    parts: Shares


class Funded(NamedTuple):
    """What a campaign put on a line for its funder."""

    line_no: int
    campaign_id: int
    amount_fen: int


class Entry(msgspec.Struct, frozen=True):
    """One line of a statement. amount_fen: as the payee sees it, negative for what it gives.

    item: what the amount is. order_id, line_no: of which sale; line 0 is its freight. reference: the refund of what was
    clawed back, the payout of what was swept, once it is in one. settled, returned, funded: what the formula is made
    of.
    """

    shop_id: ShopId
    at: datetime
    account: str
    kind: Kind
    item: Item
    order_id: OrderId | None
    line_no: int
    reference: UUID | None
    amount_fen: int
    sold: Sold | None = None
    settled: Settled | None = None
    returned: Returned | None = None
    funded: tuple[Funded, ...] = ()


class Place(NamedTuple):
    """How far a statement was read: entries of a book from `at` on, of which `skip` were read.

    at: None when nothing of the books after shop_id was read.
    """

    shop_id: Annotated[ShopId, Meta(ge=0, le=2**62)]
    at: datetime | None = None
    order_id: UUID = UUID(int=0)
    line_no: Annotated[int, Meta(ge=0, le=2**15 - 1)] = 0
    skip: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0


class Difference(msgspec.Struct, frozen=True):
    """Where a statement says something else than the ledger."""

    shop_id: ShopId
    account: str
    kind: str
    statement_fen: int
    ledger_fen: int


BEGINNING = Place(ShopId(0))
_NOTHING = Sums()

_KIND_OF: Mapping[str, Kind] = {
    "settled": "settled",
    "alliance_fee": "settled",
    "mcn_share": "settled",
    "clawed_back": "clawed_back",
    "subsidised": "subsidised",
    "subsidy_returned": "subsidy_returned",
    "swept": "swept",
}
"""Which kind of entry tells of the transfers of a reason: what a creator passes on settles with the rest."""


def kind_of(reason: str) -> Kind | None:
    """The kind of the entries that tell of transfers with this reason; None when no payee's account moves so."""
    return _KIND_OF.get(reason)


def account_sums(
    opening: Mapping[AccountKey, int], listed: Iterable[tuple[AccountKey, Kind, int, int]]
) -> dict[AccountKey, Sums]:
    """What each account comes to, from its opening balance and its listed entries.

    listed: of an account and a kind of entries, how many there are and what they sum to in fen.
    """
    amounts: dict[AccountKey, dict[str, int]] = {key: {} for key in opening}
    counts: dict[AccountKey, int] = dict.fromkeys(opening, 0)
    for key, kind, count, amount_fen in listed:
        of_kind = amounts.setdefault(key, {})
        of_kind[kind] = of_kind.get(kind, 0) + amount_fen
        counts[key] = counts.get(key, 0) + count
    sums = {key: _sums(opening.get(key, 0), of_kind, counts[key]) for key, of_kind in sorted(amounts.items())}
    return {key: each for key, each in sums.items() if not each.is_empty}


def _sums(opening_fen: int, of_kind: Mapping[str, int], entries: int) -> Sums:
    settled_fen, clawed_back_fen, subsidised_fen, returned_fen, swept_fen = (of_kind.get(kind, 0) for kind in KINDS)
    closing_fen = opening_fen + sum(of_kind.values())
    return Sums(
        opening_fen, settled_fen, clawed_back_fen, subsidised_fen, returned_fen, swept_fen, closing_fen, entries
    )


def books(sums: Mapping[AccountKey, Sums], names: Mapping[ShopId, str]) -> list[Book]:
    """The accounts book by book, ids ascending."""
    by_shop: dict[ShopId, list[AccountSums]] = {}
    for key, each in sorted(sums.items()):
        by_shop.setdefault(key.shop_id, []).append(AccountSums(key.account, each))
    return [
        Book(shop_id, names.get(shop_id, ""), total(each.sums for each in accounts), tuple(accounts))
        for shop_id, accounts in by_shop.items()
    ]


def total(sums: Iterable[Sums]) -> Sums:
    """Several sums as one."""
    whole = _NOTHING
    for each in sums:
        whole += each
    return whole


def differences(sums: Mapping[AccountKey, Sums], moved: Iterable[tuple[AccountKey, str, int]]) -> list[Difference]:
    """Where the sums of a statement are not the ledger's, account by account and kind by kind; [] when it is right.

    moved: of an account and a transfer's reason, by how many fen the ledger's transfers of the period moved it.
    """
    ledger: dict[tuple[AccountKey, str], int] = {}
    for key, reason, amount_fen in moved:
        kind = kind_of(reason) or reason
        ledger[key, kind] = ledger.get((key, kind), 0) + amount_fen
    listed: dict[tuple[AccountKey, str], int] = {
        (key, kind): getattr(each, f"{kind}_fen") for key, each in sums.items() for kind in KINDS
    }
    return [
        Difference(key.shop_id, key.account, kind, listed.get((key, kind), 0), ledger.get((key, kind), 0))
        for key, kind in sorted(listed.keys() | ledger.keys())
        if listed.get((key, kind), 0) != ledger.get((key, kind), 0)
    ]


def place_after(entries: Sequence[Entry], start: Place) -> Place:
    """How far reading went once `entries`, which are not none, were read from start on in one book."""
    last = entries[-1]
    key = (last.at, _order(last), last.line_no)
    read = sum((each.at, _order(each), each.line_no) == key for each in entries)
    before = start.skip if (start.at, start.order_id, start.line_no) == key else 0
    return Place(last.shop_id, *key, skip=before + read)


def _order(entry: Entry) -> UUID:
    return entry.order_id or UUID(int=0)


def _values(sums: Sums) -> tuple[int, ...]:
    return msgspec.structs.astuple(sums)

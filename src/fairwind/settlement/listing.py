"""Statements as they are shown: lines with their formula in words, and how books follow each other. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from fairwind.kernel import OrderId, ShopId
from fairwind.kernel.words import Words
from fairwind.settlement.formula import formula
from fairwind.settlement.statement import Book, Entry, Heading, Item, Kind, Place, Sums


class Line(msgspec.Struct, frozen=True):
    """A line of a statement. shop_id: in whose book. amount_fen: negative for what the payee gives.

    item: what the amount is; order_id and line_no: of which sale (line 0: its freight); reference: the refund of what
    was clawed back, or the payout of what was swept. formula: how the amount comes about.
    """

    shop_id: ShopId
    at: datetime
    account: str
    kind: Kind
    item: Item
    order_id: OrderId | None
    line_no: int
    reference: UUID | None
    title: str
    spec: str
    amount_fen: int
    formula: Words


class Statement(msgspec.Struct, frozen=True):
    """A payee's statement, a page of it.

    sums and agrees_with_ledger: of the whole period, on the first page only. books: those that begin on this page, each
    with its own opening and closing. items: in the order of books, then of time.
    """

    heading: Heading
    sums: Sums | None
    agrees_with_ledger: bool | None
    books: list[Book]
    items: list[Line]
    next_cursor: str | None


class Part(NamedTuple):
    """Some of a statement: books that begin here, entries in order, and where to go on; None at the end."""

    books: list[Book]
    entries: list[Entry]
    place: Place | None


class Begun(NamedTuple):
    """A book begins."""

    book: Book


class Ended(NamedTuple):
    """A book is over. closing_fen: its opening and all that was read of it."""

    book: Book
    closing_fen: int


class Reading:
    """Turns the parts of a statement into one sequence: a book begins, its entries, the book ends.

    balance_fen: of the book, after the last entry read; closing_fen: of the books that are over. Both are carried along
    from what was read, so that whoever adds up what is shown gets what is shown. listed: whether any book began.
    """

    def __init__(self) -> None:
        self.balance_fen = 0
        self.closing_fen = 0
        self.listed = False
        self._book: Book | None = None

    def read(self, part: Part) -> Iterator[Begun | Entry | Ended]:
        """What the next part adds."""
        begun = list(part.books)
        for entry in part.entries:
            while begun and begun[0].shop_id <= entry.shop_id:
                yield from self._begin(begun.pop(0))
            self.balance_fen += entry.amount_fen
            yield entry
        for book in begun:
            yield from self._begin(book)

    def end(self) -> Iterator[Ended]:
        """What is left to say once all parts are read."""
        if self._book is not None:
            self.closing_fen += self.balance_fen
            yield Ended(self._book, self.balance_fen)
            self._book = None

    def _begin(self, book: Book) -> Iterator[Begun | Ended]:
        yield from self.end()
        self._book = book
        self.balance_fen = book.sums.opening_fen
        self.listed = True
        yield Begun(book)


def line_of(entry: Entry) -> Line:
    """The entry with its formula in words."""
    return Line(
        shop_id=entry.shop_id,
        at=entry.at,
        account=entry.account,
        kind=entry.kind,
        item=entry.item,
        order_id=entry.order_id,
        line_no=entry.line_no,
        reference=entry.reference,
        title=entry.sold.title if entry.sold else "",
        spec=entry.sold.spec if entry.sold else "",
        amount_fen=entry.amount_fen,
        formula=formula(entry),
    )


def lines_of(entries: Sequence[Entry]) -> list[Line]:
    return [line_of(entry) for entry in entries]

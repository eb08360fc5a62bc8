"""The transfers that settle lines and that take back what was settled. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from fairwind.kernel import Fen, OrderId
from fairwind.ledger import (
    ALLIANCE_FEE,
    BUYER_REFUND,
    ESCROW,
    REFUND_CLEARING,
    SERVICE_FEE,
    SHOP,
    SUPPLIER,
    Account,
    Reason,
    Transfer,
    agency,
    creator,
    subsidy,
)
from fairwind.orders import GivenBack
from fairwind.settlement.share import SettledLine, Shares, Terms

Move = tuple[OrderId, Account, Account, Reason]


def settling(lines: Iterable[SettledLine]) -> list[Transfer]:
    """Out of escrow to whoever earned: the commission goes to its creator whole, who passes on what others have of it.

    Lines of one order that move money between the same accounts do so together.
    """
    moves: dict[Move, int] = defaultdict(int)
    for line in lines:
        shares, terms = line.shares, line.terms
        moves[line.order_id, ESCROW, SERVICE_FEE, "settled"] += shares.service_fee_fen
        moves[line.order_id, ESCROW, seller(terms), "settled"] += shares.seller_fen
        if terms.creator_id is not None:
            earner = creator(terms.creator_id)
            moves[line.order_id, ESCROW, earner, "settled"] += shares.commission_fen
            moves[line.order_id, earner, ALLIANCE_FEE, "alliance_fee"] += shares.alliance_fee_fen
            if terms.mcn_id is not None:
                moves[line.order_id, earner, agency(terms.mcn_id), "mcn_share"] += shares.mcn_fen
            if terms.agency_id is not None:
                moves[line.order_id, ESCROW, agency(terms.agency_id), "settled"] += shares.agency_fen
    return _transfers(moves)


def clawing_back(returns: Sequence[tuple[GivenBack, SettledLine, Shares]]) -> list[Transfer]:
    """From whoever earned into refund clearing, and from there to the buyer and to the funders.

    returns: what goes back, the settled line that it is of, and each party's part.
    """
    moves: dict[Move, int] = defaultdict(int)
    for given, line, parts in returns:
        order_id = line.order_id
        for account, amount_fen in _parties(line.terms, parts):
            if amount_fen < 0:
                moves[order_id, REFUND_CLEARING, account, "clawed_back"] -= amount_fen
            else:
                moves[order_id, account, REFUND_CLEARING, "clawed_back"] += amount_fen
        moves[order_id, REFUND_CLEARING, BUYER_REFUND, "refund_agreed"] += given.amount_fen
        for grant in given.grants:
            moves[order_id, REFUND_CLEARING, subsidy(grant.funder_id), "subsidy_returned"] += grant.amount_fen
    return _transfers(moves)


def seller(terms: Terms) -> Account:
    """The account of who gets what the others leave."""
    return SUPPLIER if terms.seller == "supplier" else SHOP


def _parties(terms: Terms, parts: Shares) -> Iterator[tuple[Account, int]]:
    yield SERVICE_FEE, parts.service_fee_fen
    yield seller(terms), parts.seller_fen
    if terms.creator_id is not None:
        yield creator(terms.creator_id), parts.creator_fen
        yield ALLIANCE_FEE, parts.alliance_fee_fen
    if terms.mcn_id is not None:
        yield agency(terms.mcn_id), parts.mcn_fen
    if terms.agency_id is not None:
        yield agency(terms.agency_id), parts.agency_fen


def _transfers(moves: dict[Move, int]) -> list[Transfer]:
    return [
        Transfer(debit, credit, Fen(amount_fen), reason, order_id)
        for (order_id, debit, credit, reason), amount_fen in moves.items()
        if amount_fen
    ]

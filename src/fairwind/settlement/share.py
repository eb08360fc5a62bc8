"""How what escrow holds for a line is shared, and how a refund takes it back. Pure.

Each share rounds down and the seller keeps the odd fen. When a part of what the buyer paid goes back later, each party
has given back the same part of its own share, rounded down, and the seller the rest: so any order of refunds that ends
at the same amount ends with the same books, and a whole refund gives back every fen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from fairwind.kernel import Fen, OrderId, PersonId, Ppm, portion, pro_rata
from fairwind.orders import SoldLine
from fairwind.policy import Grant


class Terms(NamedTuple):
    """What a line was sold on: rates, and whose they are. Without a creator nobody earns a commission."""

    seller: Literal["shop", "supplier"]
    fee_ppm: Ppm
    creator_id: PersonId | None = None
    creator_ppm: Ppm = Ppm(0)
    alliance_ppm: Ppm = Ppm(0)
    mcn_id: PersonId | None = None
    mcn_ppm: Ppm = Ppm(0)
    agency_id: PersonId | None = None
    agency_ppm: Ppm = Ppm(0)


def terms_of(line: SoldLine) -> Terms:
    """What a sold line is shared by."""
    return Terms(
        line.seller,
        line.fee_ppm,
        line.earner_id,
        line.creator_ppm or Ppm(0),
        line.alliance_ppm or Ppm(0),
        line.mcn_id,
        line.mcn_ppm or Ppm(0),
        line.agency_id,
        line.agency_ppm or Ppm(0),
    )


class Shares(NamedTuple):
    """Who gets how much of a line. creator_fen: what the alliance's and the MCN's part leave of the commission."""

    service_fee_fen: Fen
    creator_fen: Fen
    alliance_fee_fen: Fen
    mcn_fen: Fen
    agency_fen: Fen
    seller_fen: Fen

    @property
    def commission_fen(self) -> Fen:
        """The commission before it is shared."""
        return Fen(self.creator_fen + self.alliance_fee_fen + self.mcn_fen)


class Held(NamedTuple):
    """What escrow holds for a line: paid_fen by the buyer and not given back, escrow_fen with the subsidies left.

    base_fen: what commissions and fees are reckoned on, the buyer's money and those subsidies that count.
    """

    paid_fen: Fen
    escrow_fen: Fen
    base_fen: Fen


def held(paid_fen: Fen, grants: Sequence[Grant], refunded_fen: Fen) -> Held:
    """What is held of a line for which the buyer paid paid_fen and got refunded_fen back, subsidised by grants."""
    if not grants:
        left_fen = Fen(paid_fen - refunded_fen)
        return Held(left_fen, left_fen, left_fen)
    left = [grant.amount_fen - pro_rata(grant.amount_fen, refunded_fen, paid_fen) for grant in grants]
    counted_fen = sum(fen for grant, fen in zip(grants, left, strict=True) if grant.in_base)
    rest_fen = Fen(paid_fen - refunded_fen)
    return Held(rest_fen, Fen(rest_fen + sum(left)), Fen(rest_fen + counted_fen))


def share_line(held: Held, terms: Terms) -> Shares:
    """Split what escrow holds for a line. Each share rounds down; the seller keeps the odd fen.

    The alliance's fee is a part of the commission, and the MCN's split a part of what that leaves.
    """
    assert 0 <= held.base_fen <= held.escrow_fen
    fee_fen = portion(held.base_fen, terms.fee_ppm)
    alliance_fen = mcn_fen = agency_fen = commission_fen = Fen(0)
    if terms.creator_id is not None:
        commission_fen = portion(held.base_fen, terms.creator_ppm)
        alliance_fen = portion(commission_fen, terms.alliance_ppm)
        if terms.mcn_id is not None:
            mcn_fen = portion(Fen(commission_fen - alliance_fen), terms.mcn_ppm)
        if terms.agency_id is not None:
            agency_fen = portion(held.base_fen, terms.agency_ppm)
    seller_fen = Fen(held.escrow_fen - fee_fen - commission_fen - agency_fen)
    assert seller_fen >= 0, "terms are refused at publishing when their sum exceeds 100 %"
    creator_fen = Fen(commission_fen - alliance_fen - mcn_fen)
    return Shares(fee_fen, creator_fen, alliance_fen, mcn_fen, agency_fen, seller_fen)


class SettledLine(msgspec.Struct, frozen=True):
    """A line when it settled, and how much of what the buyer had paid went back since (returned_fen of paid_fen)."""

    order_id: OrderId
    line_no: int
    held: Held
    shares: Shares
    terms: Terms
    returned_fen: Fen = Fen(0)


def back(line: SettledLine, amount_fen: Fen, subsidies_fen: Fen) -> Shares:
    """What each party gives back when amount_fen more goes back to the buyer and subsidies_fen to the funders.

    The seller's part may be negative: the odd fen that it gave for others with earlier refunds comes back to it.
    """
    before, after = line.returned_fen, line.returned_fen + amount_fen
    assert after <= line.held.paid_fen, "no more goes back than was paid"
    *others, _ = (
        pro_rata(share_fen, after, line.held.paid_fen) - pro_rata(share_fen, before, line.held.paid_fen)
        for share_fen in line.shares
    )
    return Shares._make([*others, amount_fen + subsidies_fen - sum(others)])

"""Earnings 收益: what a line brings to a creator or an agency, as it stands, and why or why not. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from fairwind.alliance import REASONS, Evidence, attribute, explain
from fairwind.kernel import Fen, OrderId, PersonId, PlanId, Ppm, ProductId, ShopId
from fairwind.kernel.words import Words
from fairwind.settlement.formula import fen, rate
from fairwind.settlement.share import Held, Shares, Terms, share_line

Part = Literal["creator", "agency", "mcn"]
"""What someone earns as: who showed the goods, who recruited them, or the MCN of who showed them."""
EarningState = Literal["estimated", "settled", "clawed_back", "refunded", "not_earned"]

_UNKNOWN = Words("for reasons that are not told any more", "原因已无法说明")
_OF_PART: Mapping[Part, Words] = {
    "creator": Words("you showed the goods", "您展示了该商品"),
    "agency": Words("the sale was made by your activity", "该订单来自您的团长活动"),
    "mcn": Words("the sale was made by a creator of yours", "该订单由您旗下达人带来"),
}


class PaidLine(msgspec.Struct, frozen=True):
    """A line of an order that was paid, as far as it matters to whom it is owed."""

    order_id: OrderId
    line_no: int
    product_id: ProductId
    buyer_id: PersonId
    placed_at: datetime
    paid_at: datetime
    evidence: Evidence | None
    attribution: str | None
    earner_id: PersonId | None
    mcn_id: PersonId | None
    agency_id: PersonId | None


class NotedEarning(msgspec.Struct, frozen=True):
    """That a creator had a part in a paid line. reason: a code of REASONS, why they earn of it or why not."""

    order_id: OrderId
    line_no: int
    creator_id: PersonId
    earns: bool
    reason: str
    paid_at: datetime


class NotedAgencyEarning(msgspec.Struct, frozen=True):
    """That an agency earns of a paid line."""

    order_id: OrderId
    line_no: int
    agency_id: PersonId
    part: Part
    paid_at: datetime


class EarningTerms(msgspec.Struct, frozen=True):
    """The terms that the line's order froze."""

    plan_id: PlanId | None
    plan_version: int | None
    creator_ppm: Ppm | None
    alliance_ppm: Ppm | None
    mcn_ppm: Ppm | None
    agency_ppm: Ppm | None


class Earning(msgspec.Struct, frozen=True):
    """What a line brings to somebody.

    estimated_fen: what it will bring by its frozen terms, net of refunds so far; 0 once it has settled. settled_fen:
    what it brought then, of which clawed_back_fen was given back since. reason: a stable code; why: the same in words.
    formula: how the estimated or the settled amount comes about.
    """

    shop_id: ShopId
    shop_name: str
    order_id: OrderId
    line_no: int
    title: str
    spec: str
    quantity: int
    paid_at: datetime
    settled_at: datetime | None
    part: Part
    state: EarningState
    withheld: bool
    estimated_fen: int
    settled_fen: int
    clawed_back_fen: int
    reason: str
    why: Words
    formula: Words | None
    terms: EarningTerms


class EarningTotals(msgspec.Struct, frozen=True):
    """What somebody has earned over all shops.

    estimated_fen: of lines that have not settled yet. settled_fen: of those that have, of which clawed_back_fen was
    given back. paid_out_fen: what has reached them. owed_fen = settled − clawed back − paid out; below zero they owe.
    """

    estimated_fen: int
    settled_fen: int
    clawed_back_fen: int
    paid_out_fen: int
    owed_fen: int


class Sale(msgspec.Struct, frozen=True):
    """A line that somebody had a part in, as it stands.

    held: what escrow holds for it or, once it has settled, held then. settled: how it was shared then.
    """

    shop_id: ShopId
    shop_name: str
    order_id: OrderId
    line_no: int
    title: str
    spec: str
    quantity: int
    paid_at: datetime
    settled_at: datetime | None
    part: Part
    state: EarningState
    withheld: bool
    reason: str
    held: Held
    terms: Terms
    settled: Shares | None
    clawed_back_fen: int
    plan_id: PlanId | None
    plan_version: int | None


def noted(line: PaidLine) -> list[NotedEarning]:
    """Which creators had a part in the line, each with the reason why they earn of it or why not."""
    if line.evidence is None or line.attribution is None:
        return []
    seen = (line.evidence, line.product_id, line.placed_at, line.buyer_id)
    decided_for, reasons = attribute(*seen).creator_id, explain(*seen)
    # Attribution may have decided for a creator who then had no commission; the order froze the last word.
    return [
        NotedEarning(
            line.order_id,
            line.line_no,
            creator_id,
            creator_id == line.earner_id,
            line.attribution if creator_id == decided_for else reason,
            line.paid_at,
        )
        for creator_id, reason in sorted(reasons.items())
    ]


def noted_of_agencies(line: PaidLine) -> list[NotedAgencyEarning]:
    """Which agencies earn of the line."""
    parts: list[tuple[Part, PersonId | None]] = [("agency", line.agency_id), ("mcn", line.mcn_id)]
    return [
        NotedAgencyEarning(line.order_id, line.line_no, agency_id, part, line.paid_at)
        for part, agency_id in parts
        if agency_id is not None
    ]


def share_of(part: Part, shares: Shares) -> Fen:
    """What is for whoever has this part."""
    return {"creator": shares.creator_fen, "agency": shares.agency_fen, "mcn": shares.mcn_fen}[part]


def estimate(part: Part, held: Held, terms: Terms) -> Fen:
    """What a line will bring when it settles as it stands: by its frozen terms, net of refunds so far."""
    return share_of(part, share_line(held, terms))


def earning(sale: Sale) -> Earning:
    """What the line brings, with the reason in words."""
    open_line = sale.state == "estimated"
    terms = sale.terms
    return Earning(
        shop_id=sale.shop_id,
        shop_name=sale.shop_name,
        order_id=sale.order_id,
        line_no=sale.line_no,
        title=sale.title,
        spec=sale.spec,
        quantity=sale.quantity,
        paid_at=sale.paid_at,
        settled_at=sale.settled_at,
        part=sale.part,
        state=sale.state,
        withheld=sale.withheld and open_line,
        estimated_fen=estimate(sale.part, sale.held, terms) if open_line else 0,
        settled_fen=share_of(sale.part, sale.settled) if sale.settled and sale.state != "not_earned" else 0,
        clawed_back_fen=sale.clawed_back_fen,
        reason=sale.reason,
        why=why(sale),
        formula=_formula(sale),
        terms=_terms(sale),
    )


def _terms(sale: Sale) -> EarningTerms:
    """The rates that are the reader's own business: whoever earns nothing is told nothing of another's terms."""
    terms = sale.terms
    if sale.state == "not_earned":
        return EarningTerms(None, None, None, None, None, None)
    if sale.part == "agency":
        return EarningTerms(sale.plan_id, sale.plan_version, None, None, None, terms.agency_ppm)
    mcn_ppm = terms.mcn_ppm if terms.mcn_id is not None else None
    return EarningTerms(sale.plan_id, sale.plan_version, terms.creator_ppm, terms.alliance_ppm, mcn_ppm, None)


def why(sale: Sale) -> Words:
    """Why it was earned, or why not, as a sentence to whoever asks."""
    words = Words(*REASONS[sale.reason]) if sale.reason in REASONS else _UNKNOWN
    if sale.state == "not_earned":
        return Words(f"You earn nothing of this line: {words.en}.", f"该订单行没有收益：{words.zh}。")
    if sale.part != "creator":
        part = _OF_PART[sale.part]
        return Words(f"You earn of this line: {part.en}.", f"该订单行有收益：{part.zh}。")
    return Words(f"You earn of this line: {words.en}.", f"该订单行有收益：{words.zh}。")


def _formula(sale: Sale) -> Words | None:
    """How the share comes about: of what escrow holds now, or held when the line settled."""
    if sale.state in ("not_earned", "refunded"):
        return None
    terms = sale.terms
    shares = sale.settled or share_line(sale.held, terms)
    base, mine = fen(sale.held.base_fen), fen(share_of(sale.part, shares))
    if sale.part == "agency":
        ppm = rate(terms.agency_ppm)
        return Words(f"base {base} fen × {ppm} = {mine} fen", f"基数 {base} 分 × {ppm} = {mine} 分")
    ppm, gross = rate(terms.creator_ppm), fen(shares.commission_fen)
    en, zh = f"base {base} fen × {ppm} = {gross} fen commission", f"基数 {base} 分 × {ppm} = 佣金 {gross} 分"
    if terms.alliance_ppm:
        part, ppm = fen(shares.alliance_fee_fen), rate(terms.alliance_ppm)
        en, zh = f"{en}; alliance fee {ppm} of it = {part} fen", f"{zh}；联盟服务费 {ppm} = {part} 分"
    if terms.mcn_id is not None:
        part, ppm = fen(shares.mcn_fen), rate(terms.mcn_ppm)
        en, zh = f"{en}; MCN {ppm} of the rest = {part} fen", f"{zh}；机构分成为余额的 {ppm} = {part} 分"
    return Words(f"{en}; yours {mine} fen", f"{zh}；您得 {mine} 分")

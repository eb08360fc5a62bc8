"""An order line by line: what each was sold on and why, and who gets, or got, how much of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from fairwind.alliance import REASONS
from fairwind.kernel import Fen, PersonId, PlanId, Ppm
from fairwind.orders import SoldLine
from fairwind.policy import NO_RULE, FeeRule, Grant, Programme, reason_of
from fairwind.settlement.share import SettledLine, Shares, Terms, held, share_line


class SharesView(msgspec.Struct, frozen=True):
    """Who gets how much; together escrow_fen. base_fen: what fee and commission are reckoned on."""

    escrow_fen: Fen
    base_fen: Fen
    service_fee_fen: Fen
    creator_fen: Fen
    alliance_fee_fen: Fen
    mcn_fen: Fen
    agency_fen: Fen
    seller_fen: Fen


class LineBreakdown(msgspec.Struct, frozen=True):
    """One line (0 is the freight) and the terms that were frozen with it.

    paid_fen: what the buyer pays for it, of which refunded_fen went back; grants: what others put on top. state:
    whether shares is what settled (returned_fen has gone back of it since) or what it would be by now. attribution: why
    the earner earns, or nobody does; None where nothing pointed to anybody.
    """

    line_no: int
    paid_fen: Fen
    refunded_fen: Fen
    grants: tuple[Grant, ...]
    seller: Literal["shop", "supplier"]
    fee_ppm: Ppm
    fee_reason_en: str
    fee_reason_zh: str
    attribution: str | None
    attribution_en: str
    attribution_zh: str
    earner_id: PersonId | None
    plan_id: PlanId | None
    plan_version: int | None
    creator_ppm: Ppm | None
    alliance_ppm: Ppm | None
    mcn_id: PersonId | None
    mcn_ppm: Ppm | None
    agency_id: PersonId | None
    agency_ppm: Ppm | None
    state: Literal["estimated", "settled"]
    shares: SharesView
    returned_fen: Fen


_NOBODY = ("nothing pointed to a creator", "无达人推广")


def broken_down(
    line: SoldLine, terms: Terms, settled: SettledLine | None, rules: Mapping[int, FeeRule | Programme]
) -> LineBreakdown:
    """The line as it stands. settled: when it has settled; rules: the fee rules that lines name, by id."""
    rule = rules.get(line.fee_rule_id or 0)
    why = NO_RULE if rule is None else reason_of(rule)
    attribution_en, attribution_zh = REASONS[line.attribution] if line.attribution else _NOBODY
    there = held(line.paid_fen, line.grants, line.refunded_fen) if settled is None else settled.held
    shares = share_line(there, terms) if settled is None else settled.shares
    return LineBreakdown(
        line_no=line.line_no,
        paid_fen=line.paid_fen,
        refunded_fen=line.refunded_fen,
        grants=line.grants,
        seller=line.seller,
        fee_ppm=line.fee_ppm,
        fee_reason_en="freight is free of fees" if line.line_no == 0 else why.en,
        fee_reason_zh="运费不收服务费" if line.line_no == 0 else why.zh,
        attribution=line.attribution,
        attribution_en=attribution_en,
        attribution_zh=attribution_zh,
        earner_id=line.earner_id,
        plan_id=line.plan_id,
        plan_version=line.plan_version,
        creator_ppm=line.creator_ppm,
        alliance_ppm=line.alliance_ppm,
        mcn_id=line.mcn_id,
        mcn_ppm=line.mcn_ppm,
        agency_id=line.agency_id,
        agency_ppm=line.agency_ppm,
        state="estimated" if settled is None else "settled",
        shares=_view(there.escrow_fen, there.base_fen, shares),
        returned_fen=Fen(0) if settled is None else settled.returned_fen,
    )


def _view(escrow_fen: Fen, base_fen: Fen, shares: Shares) -> SharesView:
    return SharesView(escrow_fen, base_fen, *shares)

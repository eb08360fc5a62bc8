"""What an order costs and on what terms it is sold: prices, subsidies, freight, fee, commission. Pure.

Everything is taken as it stands when the order is placed and frozen with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from fairwind.alliance import OWN_PURCHASE, Click, Commission, Commissions, Evidence, Reserves, Shown, attribute
from fairwind.catalog import Offer
from fairwind.content import Placement
from fairwind.inventory import Goods, OutOfStock, Shelf
from fairwind.kernel import FEN_MAX, ClickId, Fen, Invalid, NotFound, PersonId, ProductId, Refused, ShopId, SkuId
from fairwind.orders.order import Line, LineDraft, LineTerms, Order, Placing, summed
from fairwind.orders.states import State
from fairwind.policy import Grant, Purse, ShopTerms, Ware

Showing = tuple[ProductId, PersonId]
"""A product and a creator who may have sold it."""
RegionPrefix = Annotated[str, Meta(pattern=r"^[1-9][0-9]{1,5}$")]


class FreightRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a shop asks for delivery.

    flat_fen: the ordinary freight. free_from_fen: goods worth this much travel free, None for never.
    regions: freight for regions whose code begins so (two to six digits), whatever the goods are worth; the longest
    prefix that fits decides.
    """

    flat_fen: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    free_from_fen: Annotated[int, Meta(ge=0, le=FEN_MAX)] | None = None
    regions: Annotated[dict[RegionPrefix, Annotated[int, Meta(ge=0, le=1_000_000)]], Meta(max_length=500)] = {}

    def freight_fen(self, goods_fen: Fen, region: str) -> Fen:
        """The freight of an order of goods_fen to region."""
        prefixes = [prefix for prefix in self.regions if region.startswith(prefix)]
        if prefixes:
            return Fen(self.regions[max(prefixes, key=len)])
        if self.free_from_fen is not None and goods_fen >= self.free_from_fen:
            return Fen(0)
        return Fen(self.flat_fen)


FREE_FREIGHT = FreightRule()
"""The rule of a shop that has set none."""


class OffShelf(Refused):
    """The SKU is not for sale now."""

    code = "off_shelf"
    status = 409


class TotalChanged(Refused):
    """The order would cost something else than the buyer was shown."""

    code = "total_changed"
    status = 409


class PlacementMismatch(Refused):
    """The placement belongs to other goods."""

    code = "placement_mismatch"
    status = 422


class Priced(msgspec.Struct, frozen=True):
    """An order's lines, the terms of each, and its amounts."""

    lines: tuple[Line, ...]
    terms: tuple[LineTerms, ...]
    goods: Goods
    goods_fen: Fen
    subsidy_fen: Fen
    freight_fen: Fen
    total_fen: Fen


@dataclass
class Market:
    """What the orders of one batch are priced by: the shop's offers and terms, and what is left to take from.

    shelf, purse and reserves change as orders take from them; the rest stands for the whole batch. clicks: those that
    the batch's lines came with. window_s: the platform's after-sales window.
    """

    offers: Mapping[SkuId, Offer]
    rule: FreightRule
    shelf: Shelf
    terms: ShopTerms
    purse: Purse
    window_s: int
    commissions: Commissions
    reserves: Reserves
    clicks: dict[ClickId, Click] = field(default_factory=dict)
    _sold_on: dict[tuple[ProductId, int], LineTerms] = field(default_factory=dict)
    _windows_s: dict[ProductId, int] = field(default_factory=dict)

    def sold_on(
        self, wanted: LineDraft, placement: Placement | None, offer: Offer, buyer_id: PersonId, now: datetime
    ) -> LineTerms:
        """The terms of a line. Lines of one product and placement have the same, since all viewers share its token.

        A placement is known again by its identity, which costs less than comparing what it says; one that was read
        twice is looked at twice. Only where the buyer matters, by clicks or as the one who showed it, each is looked
        at.
        """
        if wanted.clicks or (placement is not None and placement.creator_id == buyer_id):
            return _terms(wanted, placement, offer, self, buyer_id, now)
        key = (offer.product_id, id(placement))
        known = self._sold_on.get(key)
        if known is None:
            known = self._sold_on[key] = _terms(wanted, placement, offer, self, buyer_id, now)
        return known

    def window_of(self, offer: Offer) -> int:
        """The after-sales window of what is offered, in seconds."""
        window_s = self._windows_s.get(offer.product_id)
        if window_s is None:
            of_category = self.terms.window_s(offer.category_id, offer.parent_id)
            window_s = self._windows_s[offer.product_id] = self.window_s if of_category is None else of_category
        return window_s

    def take(self, priced: Priced) -> None:
        """Take what an order that was priced holds once it is placed."""
        self.shelf.hold(priced.goods)
        if priced.subsidy_fen:
            grants = [grant for line in priced.lines for grant in line.subsidies]
            there = self.purse.take(priced.goods.buyer_id, grants)
            assert there, "what was granted in this batch is there"
        if self.reserves:
            for line in priced.lines:
                self.reserves.take(line.sku_id, line.reserved_quantity)


def price(placing: Placing, market: Market, now: datetime) -> Priced | Refused:
    """Price a draft and see that its goods are there; changes nothing."""
    draft = placing.draft
    offers: list[Offer] = []
    for line_no, (wanted, placement) in enumerate(zip(draft.lines, placing.placements, strict=True), 1):
        offer = _offer(line_no, wanted, placement, market.offers)
        if isinstance(offer, Refused):
            return offer
        offers.append(offer)
    quantities = summed((line.sku_id, line.quantity) for line in draft.lines)
    refusal = market.shelf.refusal(quantities, placing.buyer_id)
    if refusal is not None:
        return refusal
    terms = [
        market.sold_on(wanted, placement, offer, placing.buyer_id, now)
        for wanted, placement, offer in zip(draft.lines, placing.placements, offers, strict=True)
    ]
    reserved = _reserved(draft.lines, terms, market)
    if isinstance(reserved, Refused):
        return reserved
    limited = market.shelf.limited(quantities)
    grants = _grants(placing, offers, market)
    lines = tuple(
        [
            Line(
                line_no=line_no,
                sku_id=wanted.sku_id,
                product_id=offer.product_id,
                title=offer.title,
                spec=offer.spec,
                quantity=wanted.quantity,
                price_fen=offer.price_fen,
                list_price_fen=offer.list_price_fen,
                goods_fen=Fen(offer.price_fen * wanted.quantity),
                live_session_id=None if placement is None else placement.session_id,
                creator_id=None if placement is None else placement.creator_id,
                limited=wanted.sku_id in limited,
                subsidy_fen=Fen(sum([grant.amount_fen for grant in granted])) if granted else Fen(0),
                subsidies=granted,
                window_s=market.window_of(offer),
                earner_id=sold_on.earner_id,
                plan_id=None if sold_on.commission is None else sold_on.commission.plan_id,
                reserved_quantity=kept,
            )
            for line_no, wanted, placement, offer, sold_on, granted, kept in zip(
                range(1, len(offers) + 1), draft.lines, placing.placements, offers, terms, grants, reserved, strict=True
            )
        ]
    )
    goods_fen = Fen(sum([line.goods_fen for line in lines]))
    subsidy_fen = Fen(sum([line.subsidy_fen for line in lines]))
    freight_fen = market.rule.freight_fen(goods_fen, draft.address.region)
    total_fen = Fen(goods_fen - subsidy_fen + freight_fen)
    if not 0 < total_fen <= FEN_MAX:
        return Invalid("an order must cost between 0.01 yuan and ten trillion yuan")
    if draft.total_fen is not None and draft.total_fen != total_fen:
        return TotalChanged(
            f"the order now costs {total_fen} fen, not {draft.total_fen}; show the buyer and ask again",
            total_fen=total_fen,
        )
    goods = Goods(quantities, placing.buyer_id, limited)
    return Priced(lines, tuple(terms), goods, goods_fen, subsidy_fen, freight_fen, total_fen)


def _offer(
    line_no: int, draft: LineDraft, placement: Placement | None, offers: Mapping[SkuId, Offer]
) -> Offer | Refused:
    offer = offers.get(draft.sku_id)
    if offer is None:
        return NotFound(f"SKU {draft.sku_id} is not sold here", sku_id=draft.sku_id)
    if not offer.on_shelf:
        return OffShelf(f"SKU {draft.sku_id} is off the shelf; leave it out", sku_id=draft.sku_id)
    if placement is not None and placement.product_id != offer.product_id:
        return PlacementMismatch(
            f"the placement of line {line_no} is for other goods; use that of the goods' own pin, or none",
            line_no=line_no,
        )
    return offer


def _terms(
    wanted: LineDraft, placement: Placement | None, offer: Offer, market: Market, buyer_id: PersonId, now: datetime
) -> LineTerms:
    """What the line is sold on: the shop's fee, and who earns a commission by which plan, or why nobody does."""
    fee = market.terms.fee(offer.category_id, offer.parent_id)
    evidence = _evidence(wanted, placement, market.clicks)
    if evidence is None:
        return LineTerms(market.terms.seller, fee.rate_ppm, fee.rule_id)
    decision = attribute(evidence, offer.product_id, now, buyer_id)
    outcome: Commission | str = decision.reason
    if decision.creator_id == buyer_id:
        outcome = OWN_PURCHASE
    elif decision.creator_id is not None:
        outcome = market.commissions.of(offer.product_id, decision.creator_id)
    frozen = LineTerms(market.terms.seller, fee.rate_ppm, fee.rule_id, evidence, link_code=decision.link_code)
    if isinstance(outcome, str):
        return replace(frozen, attribution=outcome)
    return replace(frozen, attribution=decision.reason, earner_id=decision.creator_id, commission=outcome)


def _evidence(wanted: LineDraft, placement: Placement | None, clicks: Mapping[ClickId, Click]) -> Evidence | None:
    known = tuple([clicks[click_id] for click_id in wanted.clicks if click_id in clicks]) if wanted.clicks else ()
    if placement is None and not known:
        return None
    if placement is None:
        return Evidence(None, known)
    return Evidence(Shown(placement.session_id, placement.creator_id, placement.issued_at), known)


def owed_to(placing: Placing, clicks: Mapping[ClickId, Click], offers: Mapping[SkuId, Offer]) -> set[Showing]:
    """Whom the lines of a draft may be owed to, with the product of each."""
    wanted: set[Showing] = set()
    for line, placement in zip(placing.draft.lines, placing.placements, strict=True):
        if placement is not None:
            wanted.add((placement.product_id, placement.creator_id))
        elif line.sku_id in offers:
            wanted |= {
                (offers[line.sku_id].product_id, clicks[click_id].creator_id)
                for click_id in line.clicks
                if click_id in clicks
            }
    return wanted


def _reserved(lines: Sequence[LineDraft], terms: Sequence[LineTerms], market: Market) -> list[int] | Refused:
    """How many of each line come from the stock kept for creators outside the head; others must leave it alone."""
    reserved = [0] * len(lines)
    if not market.reserves:
        return reserved
    left = {line.sku_id: market.reserves.left(line.sku_id) for line in lines}
    free = {sku_id: market.shelf.available(sku_id) - kept for sku_id, kept in left.items()}
    for number, (line, sold_on) in enumerate(zip(lines, terms, strict=True)):
        if sold_on.commission is not None and not sold_on.commission.head:
            reserved[number] = min(line.quantity, left[line.sku_id])
            left[line.sku_id] -= reserved[number]
        free[line.sku_id] -= line.quantity - reserved[number]
        if free[line.sku_id] < 0:
            available = free[line.sku_id] + line.quantity - reserved[number]
            return OutOfStock(
                f"of SKU {line.sku_id} {available} are left here; the rest is kept for smaller rooms",
                sku_id=line.sku_id,
                available=max(available, 0),
            )
    return reserved


def wares(placing: Placing, offers: Mapping[SkuId, Offer]) -> list[Ware]:
    """What a draft wants, as subsidies look at it; a SKU that is not sold here is left out."""
    return [_ware(wanted, offers[wanted.sku_id]) for wanted in placing.draft.lines if wanted.sku_id in offers]


def _ware(wanted: LineDraft, offer: Offer) -> Ware:
    return Ware(wanted.sku_id, offer.product_id, offer.category_id, offer.parent_id, offer.price_fen, wanted.quantity)


def _grants(placing: Placing, offers: Sequence[Offer], market: Market) -> Sequence[tuple[Grant, ...]]:
    if not market.purse:
        return [()] * len(offers)
    wanted = [_ware(line, offer) for line, offer in zip(placing.draft.lines, offers, strict=True)]
    return market.purse.grants(placing.buyer_id, wanted)


def priced_order(shop_id: ShopId, placing: Placing, priced: Priced, now: datetime, expires_at: datetime) -> Order:
    """The order as it is placed now."""
    return Order(
        shop_id=shop_id,
        id=placing.draft.id,
        buyer_id=placing.buyer_id,
        state=State.PLACED,
        lines=priced.lines,
        goods_fen=priced.goods_fen,
        freight_fen=priced.freight_fen,
        total_fen=priced.total_fen,
        refunded_fen=Fen(0),
        refunded_freight_fen=Fen(0),
        address=placing.draft.address,
        note=placing.draft.note,
        placed_at=now,
        expires_at=expires_at,
        subsidy_fen=priced.subsidy_fen,
    )

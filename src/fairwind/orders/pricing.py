"""What an order costs: goods at the shop's prices and freight by the shop's rule. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from fairwind.catalog import Offer
from fairwind.content import Placement
from fairwind.inventory import Goods, Shelf
from fairwind.kernel import FEN_MAX, Fen, Invalid, NotFound, Refused, ShopId, SkuId
from fairwind.orders.order import Line, LineDraft, Order, Placing, summed
from fairwind.orders.states import State

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
    """An order's lines and amounts."""

    lines: tuple[Line, ...]
    goods: Goods
    goods_fen: Fen
    freight_fen: Fen
    total_fen: Fen


def price(placing: Placing, offers: Mapping[SkuId, Offer], rule: FreightRule, shelf: Shelf) -> Priced | Refused:
    """Price a draft and see that the shelf has the goods; changes nothing."""
    draft = placing.draft
    lines: list[Line] = []
    for line_no, (line_draft, placement) in enumerate(zip(draft.lines, placing.placements, strict=True), 1):
        line = _line(line_no, line_draft, placement, offers)
        if isinstance(line, Refused):
            return line
        lines.append(line)
    quantities = summed((line.sku_id, line.quantity) for line in lines)
    refusal = shelf.refusal(quantities, placing.buyer_id)
    if refusal is not None:
        return refusal
    goods_fen = Fen(sum(line.goods_fen for line in lines))
    freight_fen = rule.freight_fen(goods_fen, draft.address.region)
    total_fen = Fen(goods_fen + freight_fen)
    if not 0 < total_fen <= FEN_MAX:
        return Invalid("an order must cost between 0.01 yuan and ten trillion yuan")
    if draft.total_fen is not None and draft.total_fen != total_fen:
        return TotalChanged(
            f"the order now costs {total_fen} fen, not {draft.total_fen}; show the buyer and ask again",
            total_fen=total_fen,
        )
    limited = shelf.limited(quantities)
    if limited:
        lines = [msgspec.structs.replace(line, limited=line.sku_id in limited) for line in lines]
    return Priced(tuple(lines), Goods(quantities, placing.buyer_id, limited), goods_fen, freight_fen, total_fen)


def _line(line_no: int, draft: LineDraft, placement: Placement | None, offers: Mapping[SkuId, Offer]) -> Line | Refused:
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
    return Line(
        line_no=line_no,
        sku_id=draft.sku_id,
        product_id=offer.product_id,
        title=offer.title,
        spec=offer.spec,
        quantity=draft.quantity,
        price_fen=offer.price_fen,
        list_price_fen=offer.list_price_fen,
        goods_fen=Fen(offer.price_fen * draft.quantity),
        live_session_id=None if placement is None else placement.session_id,
        creator_id=None if placement is None else placement.creator_id,
    )


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
    )

"""Orders as buyers ask for them and as they are kept. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from fairwind.alliance import CLICKS_MAX, Commission, Evidence
from fairwind.content import Placement
from fairwind.inventory import Quantity
from fairwind.kernel import (
    ClickId,
    Fen,
    LiveSessionId,
    OrderId,
    PaymentId,
    PersonId,
    PlanId,
    Ppm,
    ProductId,
    ShopId,
    SkuId,
    pro_rata,
)
from fairwind.orders.states import State
from fairwind.policy import Grant

LINES_MAX = 50


class Address(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an order goes. region: the six-digit code of the county (GB/T 2260), which freight rules look at."""

    name: Annotated[str, Meta(min_length=1, max_length=64, examples=["王小明"])]
    phone: Annotated[str, Meta(pattern=r"^\+?[0-9][0-9 -]{4,18}[0-9]$", examples=["13800000000"])]
    region: Annotated[str, Meta(pattern=r"^[1-9][0-9]{5}$", examples=["110105"])]
    detail: Annotated[str, Meta(min_length=1, max_length=200, examples=["建国路 1 号"])]


class LineDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One SKU that a buyer wants.

    placement: the signed token of the live session it was bought from, if any. clicks: ids of clicks on outside links
    that led the buyer to it; a placement goes before them.
    """

    sku_id: Annotated[SkuId, Meta(ge=1)]
    quantity: Quantity
    placement: Annotated[str, Meta(max_length=200)] | None = None
    clicks: Annotated[tuple[ClickId, ...], Meta(max_length=CLICKS_MAX)] = ()


class OrderDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a buyer asks of one shop.

    id: a UUIDv7 of the client's making, which makes repeating safe. total_fen: what the buyer was shown; when given,
    an order that would cost anything else is refused.
    """

    id: OrderId
    lines: Annotated[tuple[LineDraft, ...], Meta(min_length=1, max_length=LINES_MAX)]
    address: Address
    total_fen: Annotated[int, Meta(ge=0)] | None = None
    note: Annotated[str, Meta(max_length=200)] = ""


class Line(msgspec.Struct, frozen=True):
    """What was sold, as it was when the order was placed.

    goods_fen = price × quantity, of which subsidy_fen is paid by others (subsidies says by whom) and the rest by the
    buyer. limited: whether it counts towards a limit per buyer. refunded_fen (of what the buyer paid) and
    returned_quantity count refunds agreed to. window_s: the after-sales window, None for the platform's own.
    earner_id: the creator who earns a commission of it, by plan_id. reserved_quantity: how many came from the stock
    kept for creators outside the head. These three are not shown to buyers.
    """

    line_no: int
    sku_id: SkuId
    product_id: ProductId
    title: str
    spec: str
    quantity: int
    price_fen: Fen
    list_price_fen: Fen
    goods_fen: Fen
    refunded_fen: Fen = Fen(0)
    returned_quantity: int = 0
    live_session_id: LiveSessionId | None = None
    creator_id: PersonId | None = None
    limited: bool = False
    subsidy_fen: Fen = Fen(0)
    subsidies: tuple[Grant, ...] = ()
    window_s: int | None = None
    earner_id: PersonId | None = None
    plan_id: PlanId | None = None
    reserved_quantity: int = 0

    @property
    def paid_fen(self) -> Fen:
        """What the buyer pays for the line."""
        return Fen(self.goods_fen - self.subsidy_fen)

    @property
    def unsold(self) -> tuple[int, Fen]:
        """What refunds have undone of the sale: of quantity, the pieces that came back or whose price did; of goods_fen
        the part that the buyer has back of paid_fen.

        Both are rounded down and only grow, so that what each refund adds sums to the whole in any order.
        """
        if self.refunded_fen == 0:
            return self.returned_quantity, Fen(0)
        of_price = self.quantity * self.refunded_fen // self.paid_fen
        return max(self.returned_quantity, of_price), pro_rata(self.goods_fen, self.refunded_fen, self.paid_fen)

    @property
    def reserve_returned(self) -> int:
        """How many of reserved_quantity have come back: goods that were not kept for anybody come back first."""
        return max(0, self.returned_quantity - (self.quantity - self.reserved_quantity))

    def returned(self, refunded_fen: int) -> tuple[Grant, ...]:
        """What has gone back to the funders in all when refunded_fen of paid_fen has gone back to the buyer.

        Each gets the same part of its own, rounded down, so that nothing depends on the order of refunds, and a whole
        refund gives back every fen.
        """
        return tuple(
            replace(grant, amount_fen=pro_rata(grant.amount_fen, refunded_fen, self.paid_fen))
            for grant in self.subsidies
        )


class LineTerms(msgspec.Struct, frozen=True):
    """What a line was sold on, frozen with it; the shop's and the creator's business, not the buyer's.

    seller: who gets what is left, a shop or a supplier. fee_rule_id: why the service fee is fee_ppm. evidence: what
    attribution decided from; attribution: the reason, also when nobody earns; None where there was no evidence.
    """

    seller: Literal["shop", "supplier"]
    fee_ppm: Ppm
    fee_rule_id: int
    evidence: Evidence | None = None
    attribution: str | None = None
    earner_id: PersonId | None = None
    commission: Commission | None = None
    link_code: str | None = None
    """The outside link whose click decided, if one did; the evidence has it for good."""


class Order(msgspec.Struct, frozen=True):
    """An order of one shop. Amounts are frozen at placing; refunded_fen counts refunds agreed to.

    total_fen = goods_fen − subsidy_fen + freight_fen is what the buyer pays.
    """

    shop_id: ShopId
    id: OrderId
    buyer_id: PersonId
    state: State
    lines: tuple[Line, ...]
    goods_fen: Fen
    freight_fen: Fen
    total_fen: Fen
    refunded_fen: Fen
    refunded_freight_fen: Fen
    address: Address
    note: str
    placed_at: datetime
    expires_at: datetime
    paid_at: datetime | None = None
    payment_shop_id: ShopId | None = None
    payment_id: PaymentId | None = None
    shipped_at: datetime | None = None
    carrier: str | None = None
    tracking_number: str | None = None
    received_at: datetime | None = None
    closed_at: datetime | None = None
    cancel_reason: Literal["buyer", "timeout"] | None = None
    subsidy_fen: Fen = Fen(0)

    @property
    def subsidies(self) -> tuple[Grant, ...]:
        """What funders put on top of what the buyer pays."""
        return tuple(grant for line in self.lines for grant in line.subsidies)

    @property
    def quantities(self) -> dict[SkuId, int]:
        """How many of each SKU."""
        return summed((line.sku_id, line.quantity) for line in self.lines)

    @property
    def limited(self) -> frozenset[SkuId]:
        """SKUs that count towards a limit per buyer."""
        return frozenset(line.sku_id for line in self.lines if line.limited)


def for_buyer(order: Order) -> Order:
    """The order as its buyer sees it: who earns of it by which plan is not their business."""
    if not any(line.earner_id is not None or line.reserved_quantity for line in order.lines):
        return order
    hidden = tuple(replace(line, earner_id=None, plan_id=None, reserved_quantity=0) for line in order.lines)
    return replace(order, lines=hidden)


class Placing(msgspec.Struct, frozen=True):
    """A draft with who sends it and what its placements say (None where a line has none)."""

    buyer_id: PersonId
    draft: OrderDraft
    placements: tuple[Placement | None, ...]


def content_hash(content: msgspec.Struct, person_id: PersonId) -> bytes:
    """16 bytes that tell whether two requests under one id ask for the same thing."""
    return hashlib.blake2b(
        msgspec.json.encode(content), digest_size=16, salt=person_id.to_bytes(8, "big", signed=True)
    ).digest()


def summed(pairs: Iterable[tuple[SkuId, int]]) -> dict[SkuId, int]:
    """Quantities by SKU, ids ascending."""
    totals: dict[SkuId, int] = {}
    for sku_id, quantity in pairs:
        totals[sku_id] = totals.get(sku_id, 0) + quantity
    return dict(sorted(totals.items()))

"""Orders as buyers ask for them and as they are kept. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fairwind.content import Placement
from fairwind.inventory import Quantity
from fairwind.kernel import Fen, LiveSessionId, OrderId, PaymentId, PersonId, ProductId, ShopId, SkuId
from fairwind.orders.states import State

LINES_MAX = 50


class Address(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an order goes. region: the six-digit code of the county (GB/T 2260), which freight rules look at."""

    name: Annotated[str, Meta(min_length=1, max_length=64, examples=["王小明"])]
    phone: Annotated[str, Meta(pattern=r"^\+?[0-9][0-9 -]{4,18}[0-9]$", examples=["13800000000"])]
    region: Annotated[str, Meta(pattern=r"^[1-9][0-9]{5}$", examples=["110105"])]
    detail: Annotated[str, Meta(min_length=1, max_length=200, examples=["建国路 1 号"])]


class LineDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One SKU that a buyer wants. placement: the signed token of the live session it was bought from, if any."""

    sku_id: Annotated[SkuId, Meta(ge=1)]
    quantity: Quantity
    placement: Annotated[str, Meta(max_length=200)] | None = None


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

    limited: whether it counts towards a limit per buyer. refunded_fen and returned_quantity count refunds agreed to.
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


class Order(msgspec.Struct, frozen=True):
    """An order of one shop. Amounts are frozen at placing; refunded_fen counts refunds agreed to."""

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

    @property
    def quantities(self) -> dict[SkuId, int]:
        """How many of each SKU."""
        return summed((line.sku_id, line.quantity) for line in self.lines)

    @property
    def limited(self) -> frozenset[SkuId]:
        """SKUs that count towards a limit per buyer."""
        return frozenset(line.sku_id for line in self.lines if line.limited)


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

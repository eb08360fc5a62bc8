"""The figures of a live sale, as they are shown while it runs and in the battle report. Pure.

Amounts are what buyers owe, paid or got back: goods less subsidies, and freight.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from fairwind.kernel import Fen, ProductId, ShopId, SkuId

BANDS_YUAN = (100, 300, 500, 1000)
"""Where the price bands are cut: below 100, 100 to 300, and so on to 1,000 and above."""
DEAR_YUAN = 500
"""The article's measure of selling good things: the share of goods above 500 yuan."""


class Count(msgspec.Struct, frozen=True):
    """Orders and what they amount to."""

    orders: int
    amount_fen: Fen


class Band(msgspec.Struct, frozen=True):
    """What was paid for of one price band."""

    quantity: int
    goods_fen: Fen


class Candidate(msgspec.Struct, frozen=True):
    """A SKU that could be shown in a live session."""

    shop_id: ShopId
    product_id: ProductId
    sku_id: SkuId
    title: str
    price_fen: Fen


class Hot(msgspec.Struct, frozen=True):
    """A SKU of a drop. offered_quantity: what it had when it was pinned, available_quantity: what is left."""

    title: str
    price_fen: Fen
    offered_quantity: int
    available_quantity: int
    held_quantity: int


class Figures(msgspec.Struct, frozen=True):
    """A live session so far.

    refunded: orders with money agreed to go back, and that money. per_second: orders placed in each
    second since the session began. bands: by BANDS_YUAN, of orders paid.
    """

    placed: Count
    paid: Count
    refunded: Count
    cancelled: Count
    timed_out: Count
    shipped_orders: int
    received_orders: int
    buyers: int
    per_second: Sequence[int]
    bands: Sequence[Band]
    hot: Sequence[Hot]

    @property
    def net_fen(self) -> int:
        return self.paid.amount_fen - self.refunded.amount_fen

    @property
    def peak_per_s(self) -> int:
        return max(self.per_second, default=0)

    @property
    def dear(self) -> Band:
        """What was paid for at DEAR_YUAN and above."""
        first = BANDS_YUAN.index(DEAR_YUAN) + 1
        return _sum(self.bands[first:])

    @property
    def all_bands(self) -> Band:
        return _sum(self.bands)


class Seller(msgspec.Struct, frozen=True):
    """A product as the session sold it; refunded_fen of its own lines."""

    title: str
    quantity: int
    orders: int
    goods_fen: Fen
    refunded_fen: Fen


class Proceeds(msgspec.Struct, frozen=True):
    """Where the money of a session went once it settled.

    paid_fen and subsidy_fen: what buyers had paid for what settled, and what was put on top; returned_fen and
    subsidy_returned_fen: what of them has gone back since. The rest is who has earned it, less what was taken back.
    """

    orders: int
    paid_fen: Fen
    subsidy_fen: Fen
    returned_fen: Fen
    subsidy_returned_fen: Fen
    service_fee_fen: Fen
    creator_fen: Fen
    alliance_fee_fen: Fen
    agency_fen: Fen
    shop_fen: Fen
    supplier_fen: Fen

    @property
    def kept_fen(self) -> int:
        """What settled and did not go back."""
        return self.paid_fen + self.subsidy_fen - self.returned_fen - self.subsidy_returned_fen

    def earned(self) -> dict[str, int]:
        """Who earned how much; together kept_fen."""
        return {
            "shops": self.shop_fen,
            "suppliers": self.supplier_fen,
            "creators": self.creator_fen,
            "agencies": self.agency_fen,
            "service fee": self.service_fee_fen,
            "alliance fee": self.alliance_fee_fen,
        }


class Given(msgspec.Struct, frozen=True):
    """How many orders gave something back: late, and after they had settled."""

    late: int
    after_settlement: int


class PaidOut(msgspec.Struct, frozen=True):
    """What a payee has been paid in all."""

    payee_kind: str
    payee_id: int
    name: str
    payouts: int
    amount_fen: Fen


class Step(msgspec.Struct, frozen=True):
    """A transfer of an order: amount_fen from one account of the shop's book to another."""

    made_at: datetime
    debit_kind: str
    credit_kind: str
    amount_fen: Fen
    reason: str


class Story(msgspec.Struct, frozen=True):
    """One order from placing to where its money is now."""

    shop_id: int
    shop_name: str
    order_id: UUID
    state: str
    title: str
    spec: str
    quantity: int
    price_fen: Fen
    goods_fen: Fen
    subsidy_fen: Fen
    freight_fen: Fen
    total_fen: Fen
    refunded_fen: Fen
    moments: Sequence[tuple[str, datetime]]
    steps: Sequence[Step]

    def balances(self) -> dict[str, int]:
        """What the order has moved into each account in all; the sum is zero."""
        moved: dict[str, int] = {}
        for step in self.steps:
            moved[step.debit_kind] = moved.get(step.debit_kind, 0) - step.amount_fen
            moved[step.credit_kind] = moved.get(step.credit_kind, 0) + step.amount_fen
        return moved


def share_ppm(part: int, whole: int) -> int:
    """part of whole in parts per million, rounded down; nothing of nothing is 0."""
    return part * 1_000_000 // whole if whole else 0


def _sum(bands: Sequence[Band]) -> Band:
    return Band(sum(band.quantity for band in bands), Fen(sum(band.goods_fen for band in bands)))

"""Lines as settlement looks at them: what was paid for each, what went back, and on what terms it was sold. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from fairwind.kernel import Fen, OrderId, PersonId, PlanId, Ppm
from fairwind.policy import Grant


class SoldLine(NamedTuple):
    """A line of a paid order; line 0 is the order's freight, on which nobody but the seller earns.

    paid_fen: what the buyer paid for it, of which refunded_fen went back. The terms are those frozen at placing.
    """

    order_id: OrderId
    line_no: int
    paid_fen: Fen
    refunded_fen: Fen
    grants: tuple[Grant, ...]
    seller: Literal["shop", "supplier"]
    fee_ppm: Ppm
    earner_id: PersonId | None
    plan_id: PlanId | None
    plan_version: int | None
    creator_ppm: Ppm | None
    alliance_ppm: Ppm | None
    mcn_id: PersonId | None
    mcn_ppm: Ppm | None
    agency_id: PersonId | None
    agency_ppm: Ppm | None
    fee_rule_id: int | None
    attribution: str | None


class Receipt(NamedTuple):
    """A line, or the freight as line 0, of a received order, and when its after-sales window is over."""

    order_id: OrderId
    line_no: int
    over_at: datetime

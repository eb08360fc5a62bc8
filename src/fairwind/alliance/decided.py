"""Deciding placed lines again from the evidence that was stored with them. Pure."""

from __future__ import annotations

from datetime import datetime

import msgspec

from fairwind.alliance.attribution import Decision, Evidence, attribute
from fairwind.alliance.commission import OWN_PURCHASE
from fairwind.alliance.reasons import COMMISSION_CODES
from fairwind.kernel import OrderId, PersonId, ProductId, ShopId


class DecidedLine(msgspec.Struct, frozen=True):
    """A placed line as it was decided. reason: why earner_id, or nobody, earns, see REASONS."""

    shop_id: ShopId
    order_id: OrderId
    line_no: int
    product_id: ProductId
    placed_at: datetime
    buyer_id: PersonId
    evidence: Evidence
    reason: str
    earner_id: PersonId | None


class Difference(msgspec.Struct, frozen=True):
    """A line that is decided otherwise today than it was when it was placed."""

    line: DecidedLine
    decision: Decision


def replay(line: DecidedLine) -> Difference | None:
    """Decide the line again; None when that comes to the same."""
    decision = attribute(line.evidence, line.product_id, line.placed_at, line.buyer_id)
    if decision.creator_id == line.buyer_id:
        decision = Decision(None, OWN_PURCHASE, decision.link_code)
    if line.reason in COMMISSION_CODES and line.reason != OWN_PURCHASE:
        # A creator was decided for, and earns nothing for want of a commission: whoever it was, it was somebody.
        same = line.earner_id is None and decision.creator_id is not None
    else:
        same = (line.earner_id, line.reason) == (decision.creator_id, decision.reason)
    return None if same else Difference(line, decision)

"""Attribution 归因: which creator an order line is owed to, decided from its evidence alone. Pure.

Inside the platform the signed placement decides. Without one the clicks of outside links count: of those that are valid
the latest decides, unless its link goes by the first click; then the earliest valid click of such links does. Clicks of
one moment stand in the order of their ids. A click of somebody who was signed in counts for them alone. The decision
depends on nothing but the evidence, the product, the time of placing and the buyer, so that replaying it later gives
the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from fairwind.kernel import ClickId, LiveSessionId, PersonId, ProductId

CLICKS_MAX = 20
"""Most clicks that a line hands in: the latest that the buyer's device remembers."""

Model = Literal["last", "first"]
"""Which of several clicks decides, by the word of the link that was clicked last."""

PLACEMENT, LAST_CLICK, FIRST_CLICK = "placement", "last_click", "first_click"
NO_EVIDENCE = "no_evidence"
TOO_OLD, AFTER_ORDER, OTHER_GOODS = "click_too_old", "click_after_order", "click_for_other_goods"
OF_ANOTHER = "click_of_another"
PLACEMENT_DECIDED, LATER_DECIDED, FIRST_DECIDED = "placement_decided", "later_click_decided", "first_click_decided"

_NEAREST = (OF_ANOTHER, TOO_OLD, AFTER_ORDER, OTHER_GOODS)
"""Of several clicks that miss, the one named first comes nearest and is the reason given."""
_LOST_TO: Mapping[str, str] = {
    PLACEMENT: PLACEMENT_DECIDED,
    LAST_CLICK: LATER_DECIDED,
    FIRST_CLICK: FIRST_DECIDED,
}


class Shown(msgspec.Struct, frozen=True):
    """What a signed placement says: who showed the product in which live session, and since when."""

    session_id: LiveSessionId
    creator_id: PersonId
    issued_at: datetime


class Click(msgspec.Struct, frozen=True):
    """One following of a short link, with the link's terms of that moment.

    product_id: None for a link to a whole shop, which counts for all its goods. window_s: how long the click counts,
    from clicked_at itself up to, and not including, clicked_at + window_s. person_id: who clicked; None for somebody
    who had not signed in, whose click counts for whoever hands it in.
    """

    id: ClickId
    link_code: str
    creator_id: PersonId
    product_id: ProductId | None
    clicked_at: datetime
    window_s: int
    model: Model
    person_id: PersonId | None = None


class Evidence(msgspec.Struct, frozen=True):
    """What an order line brought along. The clicks are of the shop that the line is of."""

    placement: Shown | None = None
    clicks: tuple[Click, ...] = ()


class Decision(msgspec.Struct, frozen=True):
    """Whom a line is owed to and why: a code of REASONS. link_code: the link whose click decided, if one did."""

    creator_id: PersonId | None
    reason: str
    link_code: str | None = None


def attribute(evidence: Evidence, product_id: ProductId, placed_at: datetime, buyer_id: PersonId) -> Decision:
    """Whom the line of this product, placed at this moment by this buyer, is owed to."""
    if evidence.placement is not None:
        return Decision(evidence.placement.creator_id, PLACEMENT)
    misses = {click: miss(click, product_id, placed_at, buyer_id) for click in evidence.clicks}
    valid = [click for click, reason in misses.items() if reason is None]
    if not valid:
        return Decision(None, _nearest(misses.values()))
    latest = max(valid, key=_order)
    if latest.model == "last":
        return Decision(latest.creator_id, LAST_CLICK, latest.link_code)
    earliest = min((click for click in valid if click.model == "first"), key=_order)
    return Decision(earliest.creator_id, FIRST_CLICK, earliest.link_code)


def explain(evidence: Evidence, product_id: ProductId, placed_at: datetime, buyer_id: PersonId) -> dict[PersonId, str]:
    """Why each creator in the evidence was decided for, or why not: a code of REASONS, by creator."""
    decision = attribute(evidence, product_id, placed_at, buyer_id)
    by_creator: dict[PersonId, list[str | None]] = {}
    for click in evidence.clicks:
        by_creator.setdefault(click.creator_id, []).append(miss(click, product_id, placed_at, buyer_id))
    reasons = {
        creator_id: _LOST_TO[decision.reason] if None in misses else _nearest(misses)
        for creator_id, misses in by_creator.items()
    }
    return reasons if decision.creator_id is None else reasons | {decision.creator_id: decision.reason}


def miss(click: Click, product_id: ProductId, placed_at: datetime, buyer_id: PersonId) -> str | None:
    """Why the click does not count for this buyer's order of this product at this moment; None when it does."""
    if click.product_id not in (None, product_id):
        return OTHER_GOODS
    if placed_at < click.clicked_at:
        return AFTER_ORDER
    if placed_at >= click.clicked_at + timedelta(seconds=click.window_s):
        return TOO_OLD
    if click.person_id not in (None, buyer_id):
        return OF_ANOTHER
    return None


def _order(click: Click) -> tuple[datetime, ClickId]:
    return click.clicked_at, click.id


def _nearest(misses: Iterable[str | None]) -> str:
    found = set(misses)
    return next((reason for reason in _NEAREST if reason in found), NO_EVIDENCE)

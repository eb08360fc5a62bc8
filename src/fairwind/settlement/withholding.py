"""Withholdings 暂缓结算: what keeps a line from settling, who may open one, and who may release it. Pure.

A line is withheld as long as one of its withholdings is open. Line 0 stands for the order's freight.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Annotated, Literal, NewType
from uuid import UUID

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from fairwind.kernel import Forbidden, IdReused, Invalid, NotFound, OrderId, PersonId, Refused, ShopId

WithholdingId = NewType("WithholdingId", UUID)
Reason = Literal["dispute", "price_protection"]

_LEFT_TO = frozenset({"paid", "shipped", "received", "completed"})
"""States of an order whose money is still to be shared."""


class AlreadySettled(Refused):
    """The line's money was shared already; a refund can still take it back."""

    code = "already_settled"
    status = 409


class AlreadyWithheld(Refused):
    """The line is withheld for this reason already, or was before: then only an operator withholds it again."""

    code = "already_withheld"
    status = 409


class NotWithholdable(Refused):
    """The order has no money that could be kept from settling."""

    code = "not_withholdable"
    status = 409


HELD_DEFAULT, HELD_MAX = timedelta(days=30), timedelta(days=90)
"""How long a buyer or a shop keeps a line from settling unless they say, and at most: others wait for their money. An
operator may keep it until somebody releases it.
"""


class WithholdingDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A withholding as it is asked for.

    until: when it ends by itself, 90 days on at most for a buyer or a shop; left out, it is 30 days for them, and for
    an operator until somebody releases it.
    """

    id: WithholdingId
    line_no: Annotated[int, Meta(ge=0, le=999, description="The order's line; 0 for its freight")]
    reason: Reason
    note: Annotated[str, Meta(min_length=1, max_length=500)]
    until: Annotated[datetime, Meta(tz=True)] | None = None


class Withholding(msgspec.Struct, frozen=True):
    """What keeps a line from settling. released_by: null once it ended by itself."""

    shop_id: ShopId
    id: WithholdingId
    order_id: OrderId
    line_no: int
    reason: Reason
    note: str
    until: datetime | None
    opened_by: PersonId
    opened_at: datetime
    released_by: PersonId | None = None
    released_at: datetime | None = None


class Subject(msgspec.Struct, frozen=True):
    """What of an order a withholding can be about. settled: the lines whose money was shared."""

    order_id: OrderId
    buyer_id: PersonId
    state: str
    lines: frozenset[int]
    settled: frozenset[int]


class Asker(msgspec.Struct, frozen=True):
    """Who asks. shop: a member of the order's shop; operator: somebody who runs the platform."""

    person_id: PersonId
    shop: bool = False
    operator: bool = False


def open_withholding(
    subject: Subject | None,
    draft: WithholdingDraft,
    asker: Asker,
    there: Collection[Withholding],
    shop_id: ShopId,
    order_id: OrderId,
    now: datetime,
) -> Withholding | Refused:
    """The withholding that draft asks for, or why it cannot be.

    there: what is there already of these lines or by this id. The same draft again answers what it opened. The buyer's
    and the shop's stand beside each other, so that neither can use up the other's.
    """
    if subject is None or not (asker.shop or asker.operator or asker.person_id == subject.buyer_id):
        return NotFound(f"there is no order {order_id} that you may see")
    before = next((each for each in there if each.id == draft.id), None)
    if before is not None:
        same = _opened(draft, asker, shop_id, order_id, before.opened_at)
        if replace(before, released_by=None, released_at=None) != same:
            return IdReused(f"withholding {draft.id} was opened with other content; make a new id")
        return before
    if draft.reason != "dispute" and not (asker.shop or asker.operator):
        return Forbidden("a buyer can open a dispute; price protection is for the shop and the platform")
    refusal = _not_now(subject, draft, now)
    if refusal is not None:
        return refusal
    by_buyer = asker.person_id == subject.buyer_id
    earlier = [
        each
        for each in there
        if (each.order_id, each.line_no, each.reason) == (order_id, draft.line_no, draft.reason)
        and (each.opened_by == subject.buyer_id) == by_buyer
    ]
    if any(is_open(each) for each in earlier):
        return AlreadyWithheld(f"line {draft.line_no} is withheld for this reason already; wait for its release")
    if not asker.operator:
        if earlier:
            return AlreadyWithheld(f"line {draft.line_no} was withheld for this reason before; ask an operator")
        if draft.until is not None and draft.until > now + HELD_MAX:
            return Invalid(f"until lies more than {HELD_MAX.days} days ahead; ask an operator", field="until")
    return _opened(draft, asker, shop_id, order_id, now)


def _not_now(subject: Subject, draft: WithholdingDraft, now: datetime) -> Refused | None:
    if draft.line_no not in subject.lines:
        what = "freight to pay" if draft.line_no == 0 else f"line {draft.line_no}"
        return Invalid(f"the order has no {what}", line_no=draft.line_no)
    if draft.line_no in subject.settled:
        return AlreadySettled(
            f"line {draft.line_no} has settled; ask for a refund, which takes the money back", line_no=draft.line_no
        )
    if subject.state not in _LEFT_TO:
        return NotWithholdable(f"an order that is {subject.state} has nothing to settle", state=subject.state)
    if draft.until is not None and draft.until <= now:
        return Invalid("until is in the past; name a later time or leave it out", field="until")
    return None


def _opened(
    draft: WithholdingDraft, asker: Asker, shop_id: ShopId, order_id: OrderId, opened_at: datetime
) -> Withholding:
    return Withholding(
        shop_id=shop_id,
        id=draft.id,
        order_id=order_id,
        line_no=draft.line_no,
        reason=draft.reason,
        note=draft.note,
        until=draft.until or (None if asker.operator else opened_at + HELD_DEFAULT),
        opened_by=asker.person_id,
        opened_at=opened_at,
    )


def release(withholding: Withholding | None, asker: Asker, now: datetime) -> Withholding | Refused:
    """The withholding released by asker; one that was released before stays as it is.

    Whoever opened it may, and an operator. The shop sees all of its withholdings, so it is told why not.
    """
    if withholding is None or not (asker.operator or asker.shop or asker.person_id == withholding.opened_by):
        return NotFound("there is no such withholding that you may see")
    if not (asker.operator or asker.person_id == withholding.opened_by):
        return Forbidden("a withholding is released by whoever opened it, or by an operator")
    if not is_open(withholding):
        return withholding
    return replace(withholding, released_by=asker.person_id, released_at=max(now, withholding.opened_at))


def is_open(withholding: Withholding) -> bool:
    """Whether it still keeps its line from settling."""
    return withholding.released_at is None

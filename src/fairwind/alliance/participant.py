"""Who takes part in a targeted plan: creators whom the shop names, or who apply and are approved. Pure.

Who is approved earns by the plan at once, or from the next midnight in China if the plan may give them less than the
ordinary one does now; who is removed earns by it until the next midnight.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from fairwind.alliance.plan import Terms, fall_ppm
from fairwind.alliance.versions import next_midnight
from fairwind.kernel import PersonId, PlanId, Refused, ShopId


class State(StrEnum):
    """Where a creator stands with a targeted plan."""

    APPLIED = "applied"
    APPROVED = "approved"
    DECLINED = "declined"
    REMOVED = "removed"


class Action(StrEnum):
    """What happens to it; by the shop, but for applying."""

    APPLY = "apply"
    APPROVE = "approve"
    DECLINE = "decline"


TRANSITIONS: Mapping[tuple[State | None, Action], State] = {
    (None, Action.APPLY): State.APPLIED,
    (State.DECLINED, Action.APPLY): State.APPLIED,
    (State.REMOVED, Action.APPLY): State.APPLIED,
    (None, Action.APPROVE): State.APPROVED,
    (State.APPLIED, Action.APPROVE): State.APPROVED,
    (State.DECLINED, Action.APPROVE): State.APPROVED,
    (State.REMOVED, Action.APPROVE): State.APPROVED,
    (State.APPLIED, Action.DECLINE): State.DECLINED,
    (State.APPROVED, Action.DECLINE): State.REMOVED,
}
"""None: the two have nothing to do with each other yet. What is not here changes nothing."""


class NotTargeted(Refused):
    """Only a targeted plan that is live has participants."""

    code = "not_targeted"
    status = 409


class ApplicationDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a creator says of themselves when they apply."""

    note: Annotated[str, Meta(max_length=200, examples=["家居类主播，月销 3000 单"])] = ""


class Participant(msgspec.Struct, frozen=True):
    """A creator and a targeted plan. They earn by it from since until until, both null when they do not."""

    shop_id: ShopId
    plan_id: PlanId
    creator_id: PersonId
    state: State
    note: str
    asked_at: datetime
    decided_at: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None


def apply(
    there: Participant | None, shop_id: ShopId, plan_id: PlanId, creator_id: PersonId, note: str, now: datetime
) -> Participant:
    """The creator's application; who applied or takes part already does not apply again."""
    state = TRANSITIONS.get((there.state if there else None, Action.APPLY))
    if state is None:
        assert there is not None
        return there
    # Who was removed today still earns by it until midnight.
    since, until = (there.since, there.until) if there and there.until and there.until > now else (None, None)
    return Participant(shop_id, plan_id, creator_id, state, note, now, None, since, until)


def approve(
    there: Participant | None,
    shop_id: ShopId,
    plan_id: PlanId,
    creator_id: PersonId,
    now: datetime,
    *,
    terms: Terms | None,
    ordinary: Terms | None,
) -> Participant:
    """The creator taking part. terms, ordinary: what the plan and the ordinary one promise now, if they do."""
    state = TRANSITIONS.get((there.state if there else None, Action.APPROVE))
    if state is None:
        assert there is not None
        return there
    if there and there.since and there.until and there.until > now:
        since = there.since
    elif terms is not None and ordinary is not None and fall_ppm(ordinary, terms) > 0:
        since = next_midnight(now)
    else:
        since = now
    if there is None:
        return Participant(shop_id, plan_id, creator_id, state, "", now, now, since)
    return replace(there, state=state, decided_at=max(now, there.asked_at), since=since, until=None)


def decline(there: Participant | None, now: datetime) -> Participant | None:
    """The application declined, or the creator out of the plan from the next midnight on."""
    state = TRANSITIONS.get((there.state if there else None, Action.DECLINE))
    if state is None or there is None:
        return there
    if state is State.DECLINED:
        return replace(there, state=state, decided_at=max(now, there.asked_at))
    assert there.since is not None
    return replace(there, state=state, decided_at=now, until=max(there.since, next_midnight(now)))

"""Plans as shops, agencies and creators see them: with what they promise now and what is to come. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from fairwind.alliance.commission import Commission
from fairwind.alliance.participant import State
from fairwind.alliance.plan import Kind, Plan
from fairwind.alliance.versions import Version, in_force, pending
from fairwind.kernel import Fen, PersonId, PlanId, ProductId, ShopId


class PlanView(msgspec.Struct, frozen=True):
    """A plan with the version in force, null before the first one takes effect, and the one that is to follow.

    A version whose terms are null ends the plan. ends_at: since when it has ended, or will have.
    """

    shop_id: ShopId
    id: PlanId
    product_id: ProductId
    kind: Kind
    creator_id: PersonId | None
    activity_id: UUID | None
    agency_id: PersonId | None
    made_at: datetime
    ends_at: datetime | None
    present: Version | None
    following: Version | None


class Offered(msgspec.Struct, frozen=True):
    """A plan of a product as one creator sees it, with what they have sold under it.

    state: how they stand with a targeted plan, null when they do not. since, until: when they earn by it.
    """

    plan: PlanView
    state: State | None
    since: datetime | None
    until: datetime | None
    sold_quantity: int
    sold_fen: Fen


class TermsView(msgspec.Struct, frozen=True):
    """What a product offers a creator. commission: what a sale would earn them now; null with the reason's code."""

    shop_id: ShopId
    product_id: ProductId
    plans: list[Offered]
    commission: Commission | None
    reason: str | None


class PickView(msgspec.Struct, frozen=True):
    """A pick as its creator sees it. commission: what a sale earns now; null with the reason's code."""

    shop_id: ShopId
    product_id: ProductId
    activity_id: UUID | None
    position: int
    note: str
    picked_at: datetime
    commission: Commission | None
    reason: str | None


def viewed(plan: Plan, versions: Sequence[Version], at: datetime) -> PlanView:
    """The plan at a moment."""
    return PlanView(
        plan.shop_id,
        plan.id,
        plan.product_id,
        plan.kind,
        plan.creator_id,
        plan.activity_id,
        plan.agency_id,
        plan.made_at,
        plan.ends_at,
        in_force(versions, at),
        pending(versions, at),
    )

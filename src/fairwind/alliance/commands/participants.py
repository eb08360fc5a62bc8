"""Applying for targeted plans, approving and declining."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from fairwind.alliance.participant import Action, NotTargeted, Participant, apply, approve, decline
from fairwind.alliance.plan import Kind, Plan, Terms
from fairwind.alliance.store import plans as plan_store
from fairwind.alliance.store.participants import participants, participants_saved
from fairwind.alliance.store.pool import items_shared
from fairwind.alliance.versions import in_force
from fairwind.kernel import NotFound, PersonId, PlanId, ProductId, Refused, ShopId, Transaction


class TakingPart(msgspec.Struct, frozen=True):
    """What is to happen between a creator and a targeted plan. note: what the creator says, when applying."""

    plan_id: PlanId
    creator_id: PersonId
    action: Action
    note: str = ""


async def take_part(
    tx: Transaction, shop_id: ShopId, items: Sequence[TakingPart], now: datetime
) -> list[Participant | Refused]:
    """Apply for targeted plans of the shop, approve or name creators, decline or remove them.

    What has been done already answers as it stands. Refusals: NotFound, NotTargeted.
    """
    known = await tx.ask(plan_store.plans(shop_id, {item.plan_id for item in items}))
    products = {plan.product_id for plan in known.values()}
    await tx.ask(items_shared(shop_id, products))
    live, there, creators = await tx.together(
        plan_store.plans_of(shop_id, products, now),
        participants(shop_id, {(item.plan_id, item.creator_id) for item in items}, lock=True),
        plan_store.creators_among({item.creator_id for item in items}),
    )
    versions = await tx.ask(plan_store.versions_of(shop_id, [plan.id for plan in live]))
    promised: dict[PlanId, Terms] = {}
    ordinary: dict[ProductId, Terms] = {}
    for plan in live:
        present = in_force(versions[plan.id], now)
        if present is not None and present.terms is not None:
            promised[plan.id] = present.terms
            if plan.kind is Kind.ORDINARY:
                ordinary[plan.product_id] = present.terms
    changed: dict[tuple[PlanId, PersonId], Participant] = {}
    outcomes: list[Participant | Refused] = []
    for item in items:
        key = (item.plan_id, item.creator_id)
        outcome = _decide(item, known.get(item.plan_id), there.get(key), promised, ordinary, shop_id, now)
        if not isinstance(outcome, Refused) and item.creator_id not in creators:
            outcome = NotFound(f"there is no creator {item.creator_id}")
        outcomes.append(outcome)
        if isinstance(outcome, Participant) and outcome != there.get(key):
            there[key] = changed[key] = outcome
    await tx.together(*participants_saved(shop_id, [changed[key] for key in sorted(changed)]))
    return outcomes


def _decide(
    item: TakingPart,
    plan: Plan | None,
    there: Participant | None,
    promised: dict[PlanId, Terms],
    ordinary: dict[ProductId, Terms],
    shop_id: ShopId,
    now: datetime,
) -> Participant | Refused:
    if plan is None:
        return NotFound(f"the shop has no plan {item.plan_id}")
    if item.action is Action.DECLINE:
        return decline(there, now) or NotFound(f"creator {item.creator_id} has not applied for plan {plan.id}")
    if plan.kind is not Kind.TARGETED or not plan.live(now):
        return NotTargeted(
            "only a targeted plan that has not ended has participants; pick goods of other plans directly"
        )
    if item.action is Action.APPLY:
        return apply(there, shop_id, plan.id, item.creator_id, item.note, now)
    return approve(
        there,
        shop_id,
        plan.id,
        item.creator_id,
        now,
        terms=promised.get(plan.id),
        ordinary=ordinary.get(plan.product_id),
    )

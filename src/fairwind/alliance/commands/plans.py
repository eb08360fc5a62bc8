"""Publishing and ending plans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from fairwind.alliance.activity import Activity, refusal_to_join
from fairwind.alliance.promise import Dated, Ending, Promises, Publishing
from fairwind.alliance.store import plans as store
from fairwind.alliance.store.activities import activities
from fairwind.alliance.store.pool import items_locked, items_opened, items_refreshed
from fairwind.alliance.versions import EXCLUSIVE_CUT_EVERY
from fairwind.catalog import listings
from fairwind.kernel import NotFound, PlanId, ProductId, Query, Refused, ShopId, Transaction, next_ids


async def publish_plans(
    tx: Transaction, shop_id: ShopId, items: Sequence[Publishing], now: datetime
) -> list[Dated | Refused]:
    """Publish terms for products: a new version of the live plan of that kind, or a new plan.

    The same terms again answer the plan as it stands. Refusals: NotFound, Invalid, RateTooHigh, OrdinaryNeeded,
    PlanLive, CutTooDeep, CutTooSoon, ActivityClosed, BelowActivity.
    """
    ids = {item.product_id for item in items}
    listed, open_activities, creators = await tx.together(
        listings(shop_id, ids),
        activities({item.activity_id for item in items if item.activity_id is not None}),
        store.creators_among({item.creator_id for item in items if item.creator_id is not None}),
    )
    promises = await _promises(tx, shop_id, ids & listed.keys(), now)
    outcomes: list[Dated | Refused] = []
    for item, new_id in zip(items, await next_ids(tx, len(items)), strict=True):
        promise = promises.get(item.product_id)
        if promise is None:
            outcomes.append(NotFound(f"the shop has no product {item.product_id}"))
        elif item.creator_id is not None and item.creator_id not in creators:
            outcomes.append(NotFound(f"there is no creator {item.creator_id}"))
        elif item.activity_id is not None:
            outcomes.append(_join(promise, item, open_activities.get(item.activity_id), PlanId(new_id), now))
        else:
            outcomes.append(promise.publish(item, PlanId(new_id), now))
    await _save(tx, shop_id, promises.values(), now)
    return outcomes


def _join(
    promise: Promises, item: Publishing, activity: Activity | None, new_id: PlanId, now: datetime
) -> Dated | Refused:
    if activity is None:
        return NotFound(f"there is no activity {item.activity_id}")
    joined = any(each.plan.activity_id == activity.id and each.live(now) for each in promise.plans)
    if no := refusal_to_join(activity, item.terms, joined=joined):
        return no
    return promise.publish(replace(item, agency_id=activity.agency_id), new_id, now)


async def end_plans(tx: Transaction, shop_id: ShopId, items: Sequence[Ending], now: datetime) -> list[Dated | Refused]:
    """End plans, at the next midnight in China where somebody loses by it. Refusals: NotFound, Forbidden,
    OrdinaryNeeded.
    """
    known = await tx.ask(store.plans(shop_id, {item.plan_id for item in items}))
    promises = await _promises(tx, shop_id, {plan.product_id for plan in known.values()}, now, also=known)
    outcomes: list[Dated | Refused] = []
    for item in items:
        plan = known.get(item.plan_id)
        if plan is None:
            outcomes.append(NotFound(f"the shop has no plan {item.plan_id}"))
        else:
            outcomes.append(promises[plan.product_id].end(item, now))
    await _save(tx, shop_id, promises.values(), now)
    return outcomes


async def _promises(
    tx: Transaction,
    shop_id: ShopId,
    product_ids: Collection[ProductId],
    now: datetime,
    also: Collection[PlanId] = (),
) -> dict[ProductId, Promises]:
    """These products' plans that are live or ended lately, and those named, under the products' locks."""
    if not product_ids:
        return {}
    await tx.ask(items_opened(shop_id, product_ids))
    await tx.ask(items_locked(shop_id, product_ids))
    live, named = await tx.together(
        store.plans_of(shop_id, product_ids, now - EXCLUSIVE_CUT_EVERY), store.plans(shop_id, also)
    )
    plans = {plan.id: plan for plan in (*live, *named.values())}
    versions = await tx.ask(store.versions_of(shop_id, plans))
    by_product: dict[ProductId, list[Dated]] = defaultdict(list)
    for plan_id in sorted(plans):
        by_product[plans[plan_id].product_id].append(Dated(plans[plan_id], versions[plan_id]))
    return {product_id: Promises(shop_id, product_id, by_product[product_id]) for product_id in product_ids}


async def _save(tx: Transaction, shop_id: ShopId, promises: Collection[Promises], now: datetime) -> None:
    changed = [promise for promise in promises if promise.added]
    if not changed:
        return
    queries: list[Query[Any]] = [
        # Before new ones, so that one plan that ended makes room for the next.
        *store.plans_ended(shop_id, [plan for each in changed for plan in each.ended.values()]),
        *store.plans_added(shop_id, [dated.plan for each in changed for dated in each.plans if dated.fresh]),
        *store.versions_added(shop_id, [version for each in changed for version in each.added]),
        # After new ones, for one of them may be superseded by the next of the same batch.
        *store.versions_superseded(shop_id, [mark for each in changed for mark in each.superseded]),
        items_refreshed(shop_id, [each.product_id for each in changed], now),
    ]
    await tx.together(*queries)

"""The quality pool: setting criteria, nominating, approving, and looking again at what is in.

Locks are taken in one order: nominations by id. What is measured is read beside them and may move on at once: the next
look finds it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import msgspec

from fairwind.alliance.quality import (
    AlreadyNominated,
    Criteria,
    CriteriaDraft,
    Nomination,
    NominationAction,
    NominationId,
    NominationState,
    NominationStep,
    PastPrice,
    Quality,
    Standing,
    faults,
    no_nomination,
    step,
    unmet,
)
from fairwind.alliance.store import quality as store
from fairwind.alliance.store.ratings import product_ratings
from fairwind.catalog import Sku, listings, lowest_prices, skus_of
from fairwind.inventory import stock_of
from fairwind.kernel import IdReused, NotFound, PersonId, ProductId, Refused, ShopId, Transaction


class Nominating(msgspec.Struct, frozen=True):
    """Who of a shop nominates which product, under which id."""

    id: NominationId
    product_id: ProductId
    person_id: PersonId


async def set_criteria(tx: Transaction, draft: CriteriaDraft, person_id: PersonId, now: datetime) -> Criteria:
    """Ask this of goods from now on. The same as in force changes nothing."""
    there = await tx.ask(store.criteria())
    if all(getattr(there, name) == getattr(draft, name) for name in draft.__struct_fields__):
        return there
    # A clock that was set back must not let a version precede the one before it.
    return await store.add_criteria(tx, there.version + 1, draft, person_id, max(now, there.set_at))


async def standings(
    tx: Transaction, shop_id: ShopId, product_ids: Collection[ProductId], criteria: Criteria, now: datetime
) -> dict[ProductId, Standing]:
    """What is known of these products; one that the shop does not have is absent."""
    on_offer, skus, ratings, sales = await tx.together(
        listings(shop_id, product_ids),
        skus_of(shop_id, product_ids),
        product_ratings(shop_id, product_ids),
        store.sales(shop_id, product_ids),
    )
    shown: dict[ProductId, list[Sku]] = {product_id: [] for product_id in on_offer}
    for sku in skus:
        if sku.on_shelf:
            shown[sku.product_id].append(sku)
    sku_ids = [sku.id for those in shown.values() for sku in those]
    lows = await tx.ask(lowest_prices(shop_id, sku_ids, now - timedelta(days=criteria.price_days)))
    stock = await stock_of(tx, shop_id, sku_ids)
    found = {}
    for product_id, listing in on_offer.items():
        mine = shown[product_id]
        rating = ratings.get(product_id)
        sold_quantity, returned_quantity = sales.get(product_id, (0, 0))
        found[product_id] = Standing(
            listing.on_shelf,
            rating.centistars if rating else None,
            rating.ratings if rating else 0,
            sold_quantity,
            returned_quantity,
            sum(stock[sku.id].available for sku in mine if sku.id in stock),
            tuple(PastPrice(sku.id, sku.price_fen, lows.get(sku.id, sku.price_fen)) for sku in mine),
        )
    return found


async def quality(tx: Transaction, shop_id: ShopId, product_id: ProductId, now: datetime) -> Quality:
    """How a product stands to the criteria in force. Raises NotFound."""
    criteria = await tx.ask(store.criteria())
    standing = (await standings(tx, shop_id, [product_id], criteria, now)).get(product_id)
    if standing is None:
        raise NotFound(f"shop {shop_id} has no product {product_id}")
    return Quality(criteria, standing, faults(criteria, standing))


async def nominate(
    tx: Transaction, shop_id: ShopId, items: Sequence[Nominating], now: datetime
) -> list[Nomination | Refused]:
    """Nominate products that meet the criteria. The id is the idempotency key: the same again answers as it stands."""
    product_ids = {item.product_id for item in items}
    criteria, known, there = await tx.together(
        store.criteria(),
        store.nominations(shop_id, [item.id for item in items]),
        store.open_nominations(shop_id, product_ids),
    )
    measured = await standings(tx, shop_id, product_ids, criteria, now)
    fresh: list[Nomination] = []
    outcomes: list[Nomination | Refused] = []
    for item in items:
        before = known.get(item.id)
        if before is not None:
            same = before.product_id == item.product_id
            outcomes.append(before if same else IdReused(f"nomination {item.id} was made for another product"))
            continue
        no = _refusal(shop_id, item, there.get(item.product_id), measured.get(item.product_id), criteria)
        if no is None:
            nomination = Nomination(shop_id, item.id, item.product_id, NominationState.NOMINATED, item.person_id, now)
            known[item.id] = there[item.product_id] = nomination
            fresh.append(nomination)
            outcomes.append(nomination)
        else:
            outcomes.append(no)
    if fresh:
        await tx.ask(store.nominations_added(shop_id, fresh))
    return outcomes


def _refusal(
    shop_id: ShopId, item: Nominating, there: Nomination | None, standing: Standing | None, criteria: Criteria
) -> Refused | None:
    if standing is None:
        return NotFound(f"shop {shop_id} has no product {item.product_id}")
    if there is not None:
        return AlreadyNominated(
            "the product is in the pool"
            if there.state is NominationState.MEMBER
            else "the product is nominated already",
            nomination_id=str(there.id),
        )
    return unmet(faults(criteria, standing))


async def move_nominations(
    tx: Transaction, shop_id: ShopId, items: Sequence[NominationStep], now: datetime
) -> list[Nomination | Refused]:
    """Approve, decline, withdraw, remove. What no longer meets the criteria is not approved."""
    criteria, known = await tx.together(
        store.criteria(), store.nominations_locked(shop_id, [item.nomination_id for item in items])
    )
    judged = {known[item.nomination_id].product_id for item in items
              if item.action is NominationAction.APPROVE and item.nomination_id in known}  # fmt: skip
    measured = await standings(tx, shop_id, judged, criteria, now) if judged else {}
    changed: dict[NominationId, Nomination] = {}
    outcomes: list[Nomination | Refused] = []
    for item in items:
        nomination = known.get(item.nomination_id)
        if nomination is None:
            outcomes.append(no_nomination(item.nomination_id))
            continue
        those = faults(criteria, measured[nomination.product_id]) if item.action is NominationAction.APPROVE else []
        outcome = step(nomination, item, those, criteria, now)
        outcomes.append(outcome)
        if isinstance(outcome, Nomination) and outcome != nomination:
            known[nomination.id] = changed[nomination.id] = outcome
    if changed:
        await tx.ask(store.nominations_saved(shop_id, changed.values()))
    return outcomes


async def recheck(
    tx: Transaction, shop_id: ShopId, nomination_ids: Collection[NominationId], now: datetime
) -> list[Nomination]:
    """Take those of a shop's members out that no longer meet the criteria in force, with the reasons; answers them."""
    criteria, known = await tx.together(store.criteria(), store.nominations_locked(shop_id, nomination_ids))
    members = [each for each in known.values() if each.state is NominationState.MEMBER]
    measured = await standings(tx, shop_id, {each.product_id for each in members}, criteria, now)
    removed: list[Nomination] = []
    for member in members:
        those = faults(criteria, measured[member.product_id])
        if those:
            wanted = NominationStep(member.id, NominationAction.REMOVE, None)
            outcome = step(member, wanted, those, criteria, now)
            assert isinstance(outcome, Nomination)
            removed.append(outcome)
    if removed:
        await tx.ask(store.nominations_saved(shop_id, removed))
    return removed

"""Picking and dropping."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from fairwind.alliance.commission import Commission, Commissions
from fairwind.alliance.pick import PICKS_MAX, NotInPool, Pick, PickDraft, ShelfFull, ShopNeeded, moved
from fairwind.alliance.store import picks as store
from fairwind.alliance.store.commissions import commissions_if_picked
from fairwind.alliance.store.plans import activities_joined
from fairwind.alliance.store.pool import items_shared
from fairwind.catalog import Listing, listings
from fairwind.kernel import NotFound, PersonId, ProductId, Refused, ShopId, Transaction


class Picking(msgspec.Struct, frozen=True):
    """Who takes which product onto their shelf, how."""

    creator_id: PersonId
    product_id: ProductId
    draft: PickDraft


class Dropping(msgspec.Struct, frozen=True):
    """Who takes which product off their shelf."""

    creator_id: PersonId
    product_id: ProductId


async def pick(tx: Transaction, shop_id: ShopId, items: Sequence[Picking], now: datetime) -> list[Pick | Refused]:
    """Take products of a shop onto shelves, or move those that are there.

    Refusals: ShopNeeded, NotFound, NotInPool (nobody, or not this creator, earns by it in this way), ShelfFull.
    """
    pairs = {(item.creator_id, item.product_id) for item in items}
    creators = {creator_id for creator_id, _ in pairs}
    await tx.ask(items_shared(shop_id, {product_id for _, product_id in pairs}))
    there, owners, listed, joined, sizes = await tx.together(
        store.picks_locked(shop_id, pairs),
        store.shop_owners(creators),
        listings(shop_id, {product_id for _, product_id in pairs}),
        activities_joined(shop_id, {product_id for _, product_id in pairs}, now),
        store.shelf_sizes(creators),
    )
    saved: dict[tuple[PersonId, ProductId], Pick] = {}
    outcomes: list[Pick | Refused] = []
    ways = await tx.together(
        *(
            commissions_if_picked(shop_id, [(item.product_id, item.creator_id, item.draft.activity_id)], now)
            for item in items
        )
    )
    for item, earned in zip(items, ways, strict=True):
        key = (item.creator_id, item.product_id)
        no = _refusal(item, there.get(key), item.creator_id in owners, listed.get(item.product_id), joined, earned)
        if no is None and key not in there and sizes.get(item.creator_id, 0) >= PICKS_MAX:
            no = ShelfFull(f"your shelf holds {PICKS_MAX} products; drop one first")
        if no is not None:
            outcomes.append(no)
            continue
        if key not in there:
            sizes[item.creator_id] = sizes.get(item.creator_id, 0) + 1
        picked = moved(there.get(key), item.draft, shop_id, item.creator_id, item.product_id, now)
        there[key] = saved[key] = picked
        outcomes.append(picked)
    await tx.together(*store.picks_saved(shop_id, [saved[key] for key in sorted(saved)]))
    return outcomes


def _refusal(
    item: Picking,
    there: Pick | None,
    owner: bool,
    listed: Listing | None,
    joined: Collection[tuple[ProductId, UUID]],
    earned: Commissions,
) -> Refused | None:
    if not owner:
        return ShopNeeded("open a shop of your own first: POST /shops; only then can you add alliance goods")
    if listed is None:
        return NotFound(f"the shop has no product {item.product_id}")
    if there is not None and there.activity_id == item.draft.activity_id:
        return None
    if not listed.on_shelf:
        return NotInPool("the product is off the shelf; its shop can put it back")
    through = item.draft.activity_id
    if through is not None and (item.product_id, through) not in joined:
        return NotInPool("the product is not in this activity now; pick it directly", reason="not_in_activity")
    commission = earned.of(item.product_id, item.creator_id)
    if not isinstance(commission, Commission):
        return NotInPool("the product earns you nothing in this way now; look for it in the pool", reason=commission)
    return None


async def drop(tx: Transaction, shop_id: ShopId, items: Sequence[Dropping], now: datetime) -> list[None]:
    """Take products off shelves; one that is not there is fine too."""
    pairs = {(item.creator_id, item.product_id) for item in items}
    await tx.ask(store.picks_dropped(shop_id, pairs, now))
    return [None] * len(items)

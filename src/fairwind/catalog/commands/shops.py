"""Opening and changing shops, and the platform's categories."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

from fairwind.catalog.shop import (
    NO_CATEGORY,
    Category,
    CategoryDraft,
    CategoryPath,
    Opening,
    Shop,
    ShopDraft,
    ShopState,
)
from fairwind.catalog.store import shops as store
from fairwind.catalog.texts import tidy
from fairwind.identity import grant_membership
from fairwind.kernel import (
    CategoryId,
    IdReused,
    Invalid,
    NotFound,
    PersonId,
    ShopId,
    Transaction,
    day_in_china,
    next_ids,
)


async def open_shop(
    tx: Transaction, person_id: PersonId, draft: ShopDraft, now: datetime, opened_on: date | None = None
) -> Shop:
    """Open a shop with person_id as its first member; the same draft again answers the same shop.

    opened_on: its first day, today in China when not said. IdReused for another draft with the same id.
    """
    before = await store.opening(tx, draft.id)
    if before is not None:
        if before != _opening(draft, person_id, before.shop_id):
            raise IdReused(f"shop request {draft.id} was made before with other content; make a new id")
        return await shop(tx, before.shop_id)
    shop_id = ShopId((await next_ids(tx, 1))[0])
    await store.insert_opening(tx, _opening(draft, person_id, shop_id))
    await store.insert_shop(tx, shop_id, tidy(draft.name), draft.channel, opened_on or day_in_china(now), now)
    await grant_membership(tx, shop_id, person_id, now)
    return await shop(tx, shop_id)


def _opening(draft: ShopDraft, person_id: PersonId, shop_id: ShopId) -> Opening:
    return Opening(draft.id, person_id, tidy(draft.name), draft.channel, shop_id)


async def change_shop(
    tx: Transaction, shop_id: ShopId, *, name: str | None = None, state: ShopState | None = None
) -> Shop:
    """Set what is not None."""
    await store.update_shop(tx, shop_id, None if name is None else tidy(name), state)
    return await shop(tx, shop_id)


async def shop(tx: Transaction, shop_id: ShopId) -> Shop:
    """The shop; raises NotFound."""
    found = await store.shop(tx, shop_id)
    if found is None:
        raise NotFound(f"there is no shop {shop_id}")
    return found


async def add_category(tx: Transaction, draft: CategoryDraft) -> Category:
    """Add a category, or answer the one that has this name there."""
    if draft.parent_id is not None:
        parent = await store.category_by_id(tx, draft.parent_id)
        if parent is None:
            raise NotFound(f"there is no category {draft.parent_id}")
        if parent.parent_id is not None:
            raise Invalid(f"parent_id: {parent.name} is itself under another category; the tree has two levels")
    name = tidy(draft.name)
    await store.insert_categories(tx, [(draft.parent_id, name)])
    category = await store.category(tx, draft.parent_id, name)
    assert category is not None
    return category


async def categories_for(tx: Transaction, paths: Collection[CategoryPath]) -> dict[CategoryPath, CategoryId]:
    """The categories with these names; those that are missing are added."""
    paths = set(paths) - {NO_CATEGORY}
    known = await store.categories_by_path(tx, paths)
    missing = paths - known.keys()
    if not missing:
        return known
    tops = {CategoryPath("", path.parent or path.name) for path in missing}
    await store.insert_categories(tx, [(None, top.name) for top in sorted(tops)])
    parents = await store.categories_by_path(tx, tops)
    below = sorted(path for path in missing if path.parent)
    await store.insert_categories(tx, [(parents[CategoryPath("", path.parent)], path.name) for path in below])
    return await store.categories_by_path(tx, paths)

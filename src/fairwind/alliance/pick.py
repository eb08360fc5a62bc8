"""Picks 选品 and shelves 橱窗: what a creator shows, directly or through an agency's activity. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from fairwind.kernel import Fen, PersonId, ProductId, Refused, ShopId

PICKS_MAX = 1000
"""Products on one creator's shelf."""


class ShopNeeded(Refused):
    """Only creators who have opened a shop add alliance goods."""

    code = "shop_needed"
    status = 409


class NotInPool(Refused):
    """Nobody earns by the product in this way now."""

    code = "not_in_pool"
    status = 409


class ShelfFull(Refused):
    """The creator shows as many products as one may."""

    code = "shelf_full"
    status = 409


class PickDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a product stands on the shelf: lowest position first, then in the order of picking.

    activity_id: the agency's activity to pick it through; null picks it directly.
    """

    activity_id: UUID | None = None
    position: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    note: Annotated[str, Meta(max_length=200, examples=["自用两年，回购三次"])] = ""


class Pick(msgspec.Struct, frozen=True):
    """A product that a creator shows since picked_at."""

    shop_id: ShopId
    creator_id: PersonId
    product_id: ProductId
    activity_id: UUID | None
    position: int
    note: str
    picked_at: datetime


class ShelfItem(msgspec.Struct, frozen=True):
    """A pick as visitors of the shelf see it, with the product as it is listed now."""

    shop_id: ShopId
    product_id: ProductId
    title: str
    price_fen: Fen | None
    on_shelf: bool
    position: int
    note: str
    picked_at: datetime


def moved(
    there: Pick | None, draft: PickDraft, shop_id: ShopId, creator_id: PersonId, product_id: ProductId, now: datetime
) -> Pick:
    """The pick that the draft makes, or of the one that is there."""
    picked_at = there.picked_at if there else now
    return Pick(shop_id, creator_id, product_id, draft.activity_id, draft.position, draft.note, picked_at)

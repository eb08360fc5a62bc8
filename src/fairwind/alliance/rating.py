"""Ratings 评价: what buyers say of what they received, and what a product's ratings come to. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from fairwind.kernel import OrderId, PersonId, ProductId, Refused, ShopId
from fairwind.kernel.lines import LINES

CHANGE_WITHIN = timedelta(days=30)
"""So long after it was given a rating may be changed."""


class RatingClosed(Refused):
    """The rating was given so long ago that it stays as it is."""

    code = "rating_closed"


class RatingDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a buyer says of a line: one to five stars, and words."""

    stars: Annotated[int, Meta(ge=1, le=5)]
    text: Annotated[str, Meta(max_length=500, pattern=LINES, examples=["料子很厚实，发货快"])] = ""


class Reviewing(msgspec.Struct, frozen=True):
    """What the buyer of a line says of it. That the line is theirs and was received, the caller has made sure."""

    order_id: OrderId
    line_no: int
    product_id: ProductId
    buyer_id: PersonId
    draft: RatingDraft


class Rating(msgspec.Struct, frozen=True):
    """What a buyer said of a line; changed_at is None as long as it is what was said first."""

    shop_id: ShopId
    order_id: OrderId
    line_no: int
    product_id: ProductId
    buyer_id: PersonId
    stars: int
    text: str
    rated_at: datetime
    changed_at: datetime | None = None


class RatingView(msgspec.Struct, frozen=True):
    """A rating as everybody sees it: without a word of who gave it and for which order."""

    stars: int
    text: str
    rated_at: datetime
    changed_at: datetime | None


class ProductRating(msgspec.Struct, frozen=True):
    """What a product's ratings come to: how many there are, and the mean in hundredths of a star, null for none."""

    ratings: int
    centistars: int | None


def view(rating: Rating) -> RatingView:
    return RatingView(rating.stars, rating.text, rating.rated_at, rating.changed_at)


def rated(shop_id: ShopId, wanted: Reviewing, there: Rating | None, now: datetime) -> Rating | RatingClosed:
    """The line's rating after what the buyer says; saying the same again changes nothing, however late."""
    if there is None:
        return Rating(
            shop_id,
            wanted.order_id,
            wanted.line_no,
            wanted.product_id,
            wanted.buyer_id,
            wanted.draft.stars,
            wanted.draft.text,
            now,
        )
    if (there.stars, there.text) == (wanted.draft.stars, wanted.draft.text):
        return there
    if now >= there.rated_at + CHANGE_WITHIN:
        return RatingClosed(
            f"a rating may be changed for {CHANGE_WITHIN.days} days after it was given, and those are over"
        )
    # A clock that was set back must not let a change precede what it changes.
    changed_at = max(now, there.rated_at)
    return replace(there, stars=wanted.draft.stars, text=wanted.draft.text, changed_at=changed_at)


def centistars(stars: int, ratings: int) -> int | None:
    """The mean of ratings that sum to stars, in hundredths of a star, rounded down; None when there are none."""
    return stars * 100 // ratings if ratings else None

"""Ratings over HTTP, as everybody sees them. Buyers rate their orders' lines, see the orders."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from litestar import get
from litestar.params import FromPath, FromQuery

from fairwind.alliance.rating import ProductRating, RatingView, view
from fairwind.alliance.store import ratings as store
from fairwind.identity import Access
from fairwind.kernel import Database, ProductId, ShopId
from fairwind.kernel.pages import Cursor, Limit, Page, page, read_cursor

_NEWEST: store.Before = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1), 2**15 - 1)


@get("/shops/{shop_id:int}/products/{product_id:int}/rating", opt={"access": Access.PUBLIC})
async def get_product_rating(
    shop_id: FromPath[ShopId], product_id: FromPath[ProductId], database: Database
) -> ProductRating:
    """What a product's ratings come to."""
    async with database.transaction() as tx:
        found = await tx.ask(store.product_ratings(shop_id, [product_id]))
    return found.get(product_id, ProductRating(0, None))


@get("/shops/{shop_id:int}/products/{product_id:int}/ratings", opt={"access": Access.PUBLIC})
async def list_ratings(
    shop_id: FromPath[ShopId],
    product_id: FromPath[ProductId],
    database: Database,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[RatingView]:
    """What buyers say of a product, newest first."""
    before = read_cursor(cursor, tuple[datetime, UUID, int]) or _NEWEST
    async with database.transaction() as tx:
        found = await store.ratings_page(tx, shop_id, product_id, before, limit + 1)
    shown = page(found, limit, lambda rating: (rating.rated_at, rating.order_id, rating.line_no))
    return Page([view(rating) for rating in shown.items], shown.next_cursor)


HANDLERS = (get_product_rating, list_ratings)

"""The feed over HTTP, and what viewers tell of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.params import FromQuery, JSONBody
from msgspec import Meta

from fairwind.identity import Access, Caller
from fairwind.kernel import Fen, PersonId, ProductId, Refused, ShopId
from fairwind.traffic import cursor as cursors
from fairwind.traffic.allocator import Why
from fairwind.traffic.cursor import FeedCursor
from fairwind.traffic.exposure import REPORTED_MAX, ExposureDraft
from fairwind.traffic.feed import Feed, Served
from fairwind.traffic.showing import ItemKind
from fairwind.traffic.store.hosts import LiveCard

Kind = Literal["live", "product"]
Slots = Annotated[int, Meta(ge=1, le=50, description="Most items in the answer")]
Reason = Literal["utility", "floor", "stage", "welfare"]

_KINDS = {"live": ItemKind.LIVE, "product": ItemKind.PRODUCT}
_REASONS: dict[Why, Reason] = {
    Why.UTILITY: "utility",
    Why.FLOOR: "floor",
    Why.STAGE: "stage",
    Why.WELFARE: "welfare",
}


class FeedLive(msgspec.Struct, frozen=True, tag_field="kind", tag="live"):
    """A live session."""

    live_session_id: UUID
    room_id: int
    host_id: PersonId
    host_name: str
    title: str
    started_at: datetime


class FeedProduct(msgspec.Struct, frozen=True, tag_field="kind", tag="product"):
    """A product that can be bought."""

    shop_id: ShopId
    product_id: ProductId
    shop_name: str
    title: str
    brief: str
    price_fen: Fen


class FeedItem(msgspec.Struct, frozen=True):
    """An item of the feed. why: what put it there: it is expected to please this viewer most (utility), its host is
    short of what every host is promised (floor), new (stage), or has had less than others (welfare). token: to hand in
    with POST /exposures once the item was on the screen.
    """

    item: FeedLive | FeedProduct
    why: Reason
    token: str


class FeedPage(msgspec.Struct, frozen=True):
    """Some items of the feed, best first; no later page repeats one. next_cursor: null at the feed's end."""

    items: list[FeedItem]
    next_cursor: str | None


class ExposureDrafts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a viewer saw."""

    items: Annotated[tuple[ExposureDraft, ...], Meta(min_length=1, max_length=REPORTED_MAX)]


class ExposureTold(msgspec.Struct, frozen=True):
    """What became of one of them. code: why it is not counted; null when it is, or was before."""

    counted: bool
    code: str | None = None


@get("/feed", opt={"access": Access.PUBLIC})
async def get_feed(
    caller: Caller,
    feed: Feed,
    request: Request[Any, Any, Any],
    kind: FromQuery[Kind | None] = None,
    cursor: FromQuery[FeedCursor | None] = None,
    limit: FromQuery[Slots] = 8,
) -> FeedPage:
    """What to show this viewer next: live sessions and goods, by what is expected to please, and shared fairly.

    Whoever has signed in gets what they like. No page repeats what those before showed.
    """
    seen = cursors.read(cursor)
    slots = min(limit, cursors.ITEMS_MAX - len(seen))
    answer = await feed.answer(caller, _address(request), None if kind is None else _KINDS[kind], seen, slots)
    shown = (*seen, *answer.codes)
    more = answer.more and len(answer.items) > 0 and len(shown) < cursors.ITEMS_MAX
    return FeedPage([_item(each) for each in answer.items], cursors.written(shown) if more else None)


@post("/exposures", status_code=200, opt={"access": Access.PUBLIC})
async def report_exposures(
    data: JSONBody[ExposureDrafts], caller: Caller, feed: Feed, request: Request[Any, Any, Any]
) -> list[ExposureTold]:
    """Tell what was on the screen, what was clicked and how long it was watched; one answer for each, in order.

    Each token counts once; told of again, clicks and watch time only grow. A viewer counts so often a day and no more.
    """
    outcomes = await feed.take_in(caller, _address(request), data.items)
    return [
        ExposureTold(counted=False, code=each.code) if isinstance(each, Refused) else ExposureTold(counted=True)
        for each in outcomes
    ]


def _address(request: Request[Any, Any, Any]) -> str:
    return request.client.host if request.client else ""


def _item(served: Served) -> FeedItem:
    card = served.card
    shown: FeedLive | FeedProduct
    if isinstance(card, LiveCard):
        shown = FeedLive(*card)
    else:
        shown = FeedProduct(
            ShopId(card.shop_id),
            ProductId(card.product_id),
            card.shop_name,
            card.title,
            card.brief,
            Fen(card.price_fen),
        )
    return FeedItem(shown, _REASONS[served.showing.why], served.token)


HANDLERS = (get_feed, report_exposures)

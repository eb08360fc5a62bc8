"""Promotions and short links over HTTP: a creator's own, and the public address that a link is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any

from litestar import Request, Response, delete, get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import Redirect
from msgspec import Meta

from fairwind.alliance.commands import links as commands
from fairwind.alliance.commands.desk import Links
from fairwind.alliance.commands.links import Ending, Linking
from fairwind.alliance.link import (
    Code,
    Link,
    LinkCode,
    LinkDay,
    LinkDraft,
    LinkEnded,
    NotOnShelf,
    Promotion,
    PromotionDraft,
    PromotionId,
    TooManyLinks,
    TooManyPromotions,
    address,
)
from fairwind.alliance.store import links as store
from fairwind.identity import Access, Caller
from fairwind.kernel import Clock, Database, Forbidden, Invalid, NotFound, accepted
from fairwind.kernel.pages import BIGINT_MAX, Cursor, Limit, Page, page, read_cursor

_NEWEST: store.Before = (datetime.max.replace(tzinfo=UTC), "~")
_AnyPromotion = Annotated[PromotionId, Meta(ge=1, le=BIGINT_MAX)]


@post("/promotions", opt={"access": Access.CREATOR, "refusals": [TooManyPromotions]})
async def open_promotion(data: JSONBody[PromotionDraft], caller: Caller, database: Database, clock: Clock) -> Promotion:
    """Name a place outside the platform where you spread links. The same name and outlet again are the same place."""
    return await database.run(lambda tx: commands.open_promotion(tx, caller.person, data, clock.now()))


@get("/promotions", opt={"access": Access.CREATOR})
async def list_promotions(
    caller: Caller, database: Database, cursor: FromQuery[Cursor | None] = None, limit: FromQuery[Limit] = 50
) -> Page[Promotion]:
    """Your promotions."""
    after = read_cursor(cursor, PromotionId) or PromotionId(0)
    async with database.transaction() as tx:
        found = await store.promotions_page(tx, caller.person, after, limit + 1)
    return page(found, limit, lambda promotion: promotion.id)


@get(
    "/promotions/{promotion_id:int}/days",
    opt={"access": Access.CREATOR, "refusals": [NotFound, Forbidden]},
)
async def list_promotion_days(
    promotion_id: FromPath[PromotionId],
    caller: Caller,
    database: Database,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 31,
) -> Page[LinkDay]:
    """What came of all links of your promotion, day by day in China, the latest first."""
    async with database.transaction() as tx:
        promotion = await store.promotion(tx, promotion_id)
        if promotion is None:
            raise NotFound(f"there is no promotion {promotion_id}")
        if promotion.creator_id != caller.person:
            raise Forbidden("only the creator of a promotion sees what came of it")
        found = await store.days_of_promotion(tx, promotion_id, read_cursor(cursor, date) or date.max, limit + 1)
    return page(found, limit, lambda day: day.day)


@post(
    "/links",
    opt={"access": Access.CREATOR, "refusals": [NotFound, Forbidden, Invalid, NotOnShelf, TooManyLinks]},
)
async def make_link(data: JSONBody[LinkDraft], caller: Caller, database: Database, clock: Clock) -> Link:
    """Make a short link to a product or a whole shop, for one of your promotions; it is at `/l/{code}`.

    window_days says how long a click of it counts, model whether a buyer's last click decides or the first. The same
    again answers the link that you have, as long as it has not ended.
    """
    item = Linking(caller.person, data)
    [link] = await database.run(lambda tx: commands.make_links(tx, [item], clock.now()))
    return accepted(link)


@get("/links", opt={"access": Access.CREATOR})
async def list_links(
    caller: Caller,
    database: Database,
    promotion_id: FromQuery[_AnyPromotion | None] = None,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 50,
) -> Page[Link]:
    """Your short links, newest first; those of one promotion when you name it."""
    before = read_cursor(cursor, tuple[datetime, str]) or _NEWEST
    async with database.transaction() as tx:
        found = await store.links_page(tx, caller.person, promotion_id, before, limit + 1)
    return page(found, limit, lambda link: (link.created_at, link.code))


@delete("/links/{code:str}", status_code=200, opt={"access": Access.CREATOR, "refusals": [NotFound, Forbidden]})
async def end_link(code: FromPath[Code], caller: Caller, database: Database, clock: Clock) -> Link:
    """End your short link: it leads nowhere any more. Clicks made before go on counting."""
    item = Ending(caller.person, LinkCode(code))
    [link] = await database.run(lambda tx: commands.end_links(tx, [item], clock.now()))
    return accepted(link)


@get("/links/{code:str}/days", opt={"access": Access.CREATOR, "refusals": [NotFound, Forbidden]})
async def list_link_days(
    code: FromPath[Code],
    caller: Caller,
    database: Database,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 31,
) -> Page[LinkDay]:
    """What came of your short link, day by day in China, the latest first: clicks, and orders that they decided."""
    async with database.transaction() as tx:
        link = (await tx.ask(store.links([LinkCode(code)]))).get(LinkCode(code))
        if link is None:
            raise commands.no_link()
        if link.creator_id != caller.person:
            raise Forbidden("only the creator of a link sees what came of it")
        found = await store.days_of_link(tx, link, read_cursor(cursor, date) or date.max, limit + 1)
    return page(found, limit, lambda day: day.day)


@get("/l/{code:str}", status_code=303, opt={"access": Access.PUBLIC, "refusals": [NotFound, LinkEnded]})
async def follow_link(
    code: FromPath[Code], caller: Caller, links: Links, request: Request[Any, Any, Any]
) -> Response[None]:
    """Follow a short link to the product or shop that it is for.

    The address it leads to carries `click`: hand it in with the lines of an order, so that the creator gets credit.
    HEAD says where the link leads and is no click: that is how previews ask.
    """
    if request.scope["state"].get("head"):
        place = address(await links.find(LinkCode(code)), None)
    else:
        click = await links.follow(LinkCode(code), caller.person_id)
        place = address(click.link, click.id)
    return Redirect(place, status_code=303, headers={"Cache-Control": "no-store"})


HANDLERS = (
    open_promotion,
    list_promotions,
    list_promotion_days,
    make_link,
    list_links,
    end_link,
    list_link_days,
    follow_link,
)

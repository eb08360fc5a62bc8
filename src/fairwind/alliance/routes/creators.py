"""What creators do in the alliance over HTTP: look for goods, pick them, apply for plans, belong to an MCN."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import delete, get, put
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from fairwind.alliance.commands import mcn as mcn_commands
from fairwind.alliance.commands.participants import TakingPart, take_part
from fairwind.alliance.commands.picks import Dropping, Picking, drop, pick
from fairwind.alliance.commission import Commission, Commissions
from fairwind.alliance.mcn import InMcn, InvitationChanged, McnMember, Split
from fairwind.alliance.participant import Action, ApplicationDraft, NotTargeted, Participant
from fairwind.alliance.pick import NotInPool, Pick, PickDraft, ShelfFull, ShelfItem, ShopNeeded
from fairwind.alliance.pool import FenBound, Pooled, PoolSearch, PpmBound, QuantityBound, Sort, Words
from fairwind.alliance.store import mcn as mcn_store
from fairwind.alliance.store import picks as pick_store
from fairwind.alliance.store import plans as plan_store
from fairwind.alliance.store.commissions import commissions
from fairwind.alliance.store.participants import applications_page, participants
from fairwind.alliance.store.pool import pooled
from fairwind.alliance.view import Offered, PickView, TermsView, viewed
from fairwind.catalog import words
from fairwind.identity import Access, Caller
from fairwind.kernel import (
    CategoryId,
    Clock,
    Database,
    Fen,
    Forbidden,
    NotFound,
    PersonId,
    PlanId,
    ProductId,
    ShopId,
    accepted,
)
from fairwind.kernel.pages import BIGINT_MAX, Cursor, Limit, Page, page, read_cursor

AnyId = Annotated[int, Meta(ge=1, le=BIGINT_MAX)]
_OWN: dict[str, Any] = {"access": Access.CREATOR, "refusals": [Forbidden]}


def check_self(caller: Caller, person_id: PersonId) -> None:
    """Raise Forbidden unless the address is the caller's own."""
    if caller.person != person_id:
        raise Forbidden("this belongs to somebody else; use your own id")


@get("/pool", opt={"access": Access.SIGNED_IN})
async def search_pool(
    database: Database,
    clock: Clock,
    query: FromQuery[Words] = "",
    shop_id: FromQuery[AnyId | None] = None,
    product_id: FromQuery[AnyId | None] = None,
    category_id: FromQuery[AnyId | None] = None,
    activity_id: FromQuery[UUID | None] = None,
    rate_min_ppm: FromQuery[PpmBound | None] = None,
    price_min_fen: FromQuery[FenBound | None] = None,
    price_max_fen: FromQuery[FenBound | None] = None,
    sold_min_quantity: FromQuery[QuantityBound | None] = None,
    return_rate_max_ppm: FromQuery[PpmBound | None] = None,
    sort: FromQuery[Sort] = Sort.RATE,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[Pooled]:
    """Goods that any creator may earn by, with what one piece earns. Give the cursor with the same search."""
    search = PoolSearch(
        words=words(query),
        shop_id=None if shop_id is None else ShopId(shop_id),
        product_id=None if product_id is None else ProductId(product_id),
        category_id=None if category_id is None else CategoryId(category_id),
        activity_id=activity_id,
        rate_min_ppm=rate_min_ppm,
        price_min_fen=price_min_fen,
        price_max_fen=price_max_fen,
        sold_min_quantity=sold_min_quantity,
        return_rate_max_ppm=return_rate_max_ppm,
        sort=sort,
    )
    after = read_cursor(cursor, tuple[int, ShopId, ProductId])
    async with database.transaction() as tx:
        found = await pooled(tx, search, clock.now(), after, limit + 1)
    return page(found, limit, search.key)


@get("/creators/{creator_id:int}/terms/{shop_id:int}/{product_id:int}", opt={**_OWN, "refusals": [Forbidden, NotFound]})
async def show_terms(
    creator_id: FromPath[PersonId],
    shop_id: FromPath[ShopId],
    product_id: FromPath[ProductId],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> TermsView:
    """The product's plans as they stand to you, cuts and ends to come included, and what a sale would earn you now."""
    check_self(caller, creator_id)
    now = clock.now()
    async with database.transaction() as tx:
        plans = await tx.ask(plan_store.plans_of(shop_id, [product_id], now))
        if not plans:
            raise NotFound(f"product {product_id} of shop {shop_id} has no plan")
        ids = [plan.id for plan in plans]
        versions, sold, standing, earned = await tx.together(
            plan_store.versions_of(shop_id, ids),
            plan_store.progress_of(shop_id, ids, creator_id),
            participants(shop_id, {(plan_id, creator_id) for plan_id in ids}),
            commissions(shop_id, [(product_id, creator_id)], now),
        )
    offered = []
    for plan in plans:
        mine: Participant | None = standing.get((plan.id, creator_id))
        quantity, gmv_fen = sold.get(plan.id, (0, Fen(0)))
        offered.append(
            Offered(
                viewed(plan, versions[plan.id], now),
                mine.state if mine else None,
                mine.since if mine else None,
                mine.until if mine else None,
                quantity,
                gmv_fen,
            )
        )
    return TermsView(shop_id, product_id, offered, *_earned(earned, product_id, creator_id))


def _earned(earned: Commissions, product_id: ProductId, creator_id: PersonId) -> tuple[Commission | None, str | None]:
    commission = earned.of(product_id, creator_id)
    return (commission, None) if isinstance(commission, Commission) else (None, commission)


@put(
    "/creators/{creator_id:int}/shelf/{shop_id:int}/{product_id:int}",
    opt={**_OWN, "refusals": [Forbidden, NotFound, ShopNeeded, NotInPool, ShelfFull]},
)
async def put_on_shelf(
    creator_id: FromPath[PersonId],
    shop_id: FromPath[ShopId],
    product_id: FromPath[ProductId],
    data: JSONBody[PickDraft],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> Pick:
    """Pick a product, directly or through an agency's activity, or move it on your shelf. You need an open shop of your
    own. Only what you have picked earns you anything.
    """
    check_self(caller, creator_id)
    item = Picking(creator_id, product_id, data)
    [outcome] = await database.run(lambda tx: pick(tx, shop_id, [item], clock.now()))
    return accepted(outcome)


@delete("/creators/{creator_id:int}/shelf/{shop_id:int}/{product_id:int}", opt=_OWN)
async def take_off_shelf(
    creator_id: FromPath[PersonId],
    shop_id: FromPath[ShopId],
    product_id: FromPath[ProductId],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> None:
    """Drop a product; one that is not on your shelf is fine too. Orders placed before keep what they earn you."""
    check_self(caller, creator_id)
    await database.run(lambda tx: drop(tx, shop_id, [Dropping(creator_id, product_id)], clock.now()))


@get("/creators/{creator_id:int}/shelf", opt={"access": Access.PUBLIC})
async def show_shelf(
    creator_id: FromPath[PersonId],
    database: Database,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[ShelfItem]:
    """What a creator shows, in their order."""
    after = read_cursor(cursor, tuple[int, datetime, ShopId, ProductId])
    async with database.transaction() as tx:
        found = await pick_store.shelf(tx, creator_id, after, limit + 1)
    return page(found, limit, lambda item: (item.position, item.picked_at, item.shop_id, item.product_id))


@get("/creators/{creator_id:int}/picks", opt=_OWN)
async def list_picks(
    creator_id: FromPath[PersonId],
    caller: Caller,
    database: Database,
    clock: Clock,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[PickView]:
    """Your picks in the order of your shelf, each with what a sale earns you now, or why nothing."""
    check_self(caller, creator_id)
    now = clock.now()
    after = read_cursor(cursor, tuple[int, datetime, ShopId, ProductId])
    async with database.transaction() as tx:
        found = await pick_store.picks_page(tx, creator_id, after, limit + 1)
        by_shop: dict[ShopId, list[tuple[ProductId, PersonId]]] = defaultdict(list)
        for each in found:
            by_shop[each.shop_id].append((each.product_id, creator_id))
        answers = await tx.together(*(commissions(shop_id, wanted, now) for shop_id, wanted in by_shop.items()))
    earned: dict[ShopId, Commissions] = dict(zip(by_shop, answers, strict=True))
    shown = [
        PickView(
            each.shop_id,
            each.product_id,
            each.activity_id,
            each.position,
            each.note,
            each.picked_at,
            *_earned(earned[each.shop_id], each.product_id, creator_id),
        )
        for each in found
    ]
    return page(shown, limit, lambda item: (item.position, item.picked_at, item.shop_id, item.product_id))


@put(
    "/creators/{creator_id:int}/applications/{shop_id:int}/{plan_id:int}",
    opt={**_OWN, "refusals": [Forbidden, NotFound, NotTargeted]},
)
async def apply_for_plan(
    creator_id: FromPath[PersonId],
    shop_id: FromPath[ShopId],
    plan_id: FromPath[PlanId],
    data: JSONBody[ApplicationDraft],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> Participant:
    """Apply for a targeted plan; applying again changes nothing, unless you were declined or removed."""
    check_self(caller, creator_id)
    item = TakingPart(plan_id, creator_id, Action.APPLY, data.note)
    [outcome] = await database.run(lambda tx: take_part(tx, shop_id, [item], clock.now()))
    return accepted(outcome)


@get("/creators/{creator_id:int}/applications", opt=_OWN)
async def list_applications(
    creator_id: FromPath[PersonId],
    caller: Caller,
    database: Database,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 50,
) -> Page[Participant]:
    """Targeted plans that you applied for or take part in, newest first."""
    check_self(caller, creator_id)
    before = read_cursor(cursor, tuple[datetime, ShopId, PlanId])
    async with database.transaction() as tx:
        found = await applications_page(tx, creator_id, before, limit + 1)
    return page(found, limit, lambda each: (each.asked_at, each.shop_id, each.plan_id))


@get("/creators/{creator_id:int}/mcn", opt=_OWN)
async def list_mcn(
    creator_id: FromPath[PersonId],
    caller: Caller,
    database: Database,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 50,
) -> Page[McnMember]:
    """Invitations to MCNs and memberships, newest first."""
    check_self(caller, creator_id)
    before = read_cursor(cursor, int) or BIGINT_MAX
    async with database.transaction() as tx:
        found = await mcn_store.members_of_creator(tx, creator_id, before, limit + 1)
    return page(found, limit, lambda member: member.id)


@put(
    "/creators/{creator_id:int}/mcn/{agency_id:int}",
    opt={**_OWN, "refusals": [Forbidden, NotFound, InMcn, InvitationChanged]},
)
async def join_mcn(
    creator_id: FromPath[PersonId],
    agency_id: FromPath[PersonId],
    data: JSONBody[Split],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> McnMember:
    """Accept an MCN's invitation, with the split that you were shown: you are its member from the next midnight in
    China on, and orders placed since then share your commission.
    """
    check_self(caller, creator_id)
    return await database.run(lambda tx: mcn_commands.accept(tx, creator_id, agency_id, data.split_ppm, clock.now()))


@delete(
    "/creators/{creator_id:int}/mcn/{agency_id:int}", status_code=200, opt={**_OWN, "refusals": [Forbidden, NotFound]}
)
async def leave_mcn(
    creator_id: FromPath[PersonId], agency_id: FromPath[PersonId], caller: Caller, database: Database, clock: Clock
) -> McnMember:
    """Leave an MCN at the next midnight in China, or turn its invitation down."""
    check_self(caller, creator_id)
    return await database.run(lambda tx: mcn_commands.end(tx, creator_id, agency_id, clock.now()))


HANDLERS = (
    search_pool,
    show_terms,
    put_on_shelf,
    take_off_shelf,
    show_shelf,
    list_picks,
    apply_for_plan,
    list_applications,
    list_mcn,
    join_mcn,
    leave_mcn,
)

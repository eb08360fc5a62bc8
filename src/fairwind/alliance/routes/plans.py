"""A shop's plans over HTTP: publishing, ending, versions, participants, stock kept for creators outside the head."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import delete, get, put
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from fairwind.alliance.activity import ActivityClosed, ActivityId, BelowActivity
from fairwind.alliance.commands.participants import TakingPart, take_part
from fairwind.alliance.commands.plans import end_plans, publish_plans
from fairwind.alliance.commands.reserves import Keeping, keep_stock
from fairwind.alliance.participant import Action, NotTargeted, Participant, State
from fairwind.alliance.plan import Kind, Plan, Terms
from fairwind.alliance.promise import Ending, OrdinaryNeeded, PlanLive, Publishing
from fairwind.alliance.reserve import NotPromised, Reserve, ReserveTooLarge
from fairwind.alliance.store import plans as store
from fairwind.alliance.store.participants import participants_page
from fairwind.alliance.store.reserves import reserves_of
from fairwind.alliance.versions import CutTooDeep, CutTooSoon, Version
from fairwind.alliance.view import PlanView, viewed
from fairwind.identity import Access, Caller
from fairwind.kernel import (
    Clock,
    Database,
    Invalid,
    NotFound,
    PersonId,
    PlanId,
    ProductId,
    ShopId,
    SkuId,
    Transaction,
    accepted,
)
from fairwind.kernel.pages import BIGINT_MAX, Cursor, Limit, Page, page, read_cursor
from fairwind.kernel.rates import RateTooHigh

AnyProduct = Annotated[ProductId, Meta(ge=1, le=BIGINT_MAX)]
_MEMBERS: dict[str, Any] = {"access": Access.SHOP_MEMBER, "refusals": [NotFound]}
_PUBLISHING: dict[str, Any] = {"access": Access.SHOP_MEMBER, "refusals": [NotFound, Invalid, RateTooHigh]}


class ExclusiveDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The one creator of an exclusive plan, and what it promises them."""

    creator_id: Annotated[PersonId, Meta(ge=1, le=BIGINT_MAX)]
    terms: Terms


class KeptDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many pieces are kept for creators outside the head, those that were sold of it included."""

    kept_quantity: Annotated[int, Meta(ge=0, le=1_000_000_000)]


class KeptView(msgspec.Struct, frozen=True):
    """What is kept of a SKU for creators outside the head; left_quantity is not there for others."""

    sku_id: SkuId
    kept_quantity: int
    sold_quantity: int
    left_quantity: int


async def _publish(database: Database, clock: Clock, shop_id: ShopId, item: Publishing) -> PlanView:
    now = clock.now()
    [outcome] = await database.run(lambda tx: publish_plans(tx, shop_id, [item], now))
    dated = accepted(outcome)
    return viewed(dated.plan, dated.versions, now)


@put("/shops/{shop_id:int}/products/{product_id:int}/plans/ordinary", opt=_PUBLISHING)
async def publish_ordinary(
    shop_id: FromPath[ShopId],
    product_id: FromPath[ProductId],
    data: JSONBody[Terms],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> PlanView:
    """Promise any creator a commission, or change it. What nobody loses by takes effect at once, anything else at the
    next midnight in China; placed orders keep what they had. The same again changes nothing.
    """
    item = Publishing(product_id, Kind.ORDINARY, data, caller.person)
    return await _publish(database, clock, shop_id, item)


@put(
    "/shops/{shop_id:int}/products/{product_id:int}/plans/targeted",
    opt={**_PUBLISHING, "refusals": [*_PUBLISHING["refusals"], OrdinaryNeeded]},
)
async def publish_targeted(
    shop_id: FromPath[ShopId],
    product_id: FromPath[ProductId],
    data: JSONBody[Terms],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> PlanView:
    """Promise a commission to creators whom you name or approve; it goes before the ordinary plan, which it needs."""
    item = Publishing(product_id, Kind.TARGETED, data, caller.person)
    return await _publish(database, clock, shop_id, item)


@put(
    "/shops/{shop_id:int}/products/{product_id:int}/plans/exclusive",
    opt={**_PUBLISHING, "refusals": [*_PUBLISHING["refusals"], PlanLive, CutTooDeep, CutTooSoon]},
)
async def publish_exclusive(
    shop_id: FromPath[ShopId],
    product_id: FromPath[ProductId],
    data: JSONBody[ExclusiveDraft],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> PlanView:
    """Give the product to one creator: nobody else earns by it meanwhile. Where others have plans it begins at the next
    midnight in China. It is cut at most once in seven days, by at most five points.
    """
    item = Publishing(product_id, Kind.EXCLUSIVE, data.terms, caller.person, creator_id=data.creator_id)
    return await _publish(database, clock, shop_id, item)


@put(
    "/shops/{shop_id:int}/products/{product_id:int}/plans/activities/{activity_id:uuid}",
    opt={**_PUBLISHING, "refusals": [*_PUBLISHING["refusals"], PlanLive, ActivityClosed, BelowActivity]},
)
async def join_activity(
    shop_id: FromPath[ShopId],
    product_id: FromPath[ProductId],
    activity_id: FromPath[ActivityId],
    data: JSONBody[Terms],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> PlanView:
    """Join the product to an agency's activity, or change its terms there: at least what the activity asks for."""
    item = Publishing(product_id, Kind.ACTIVITY, data, caller.person, activity_id=UUID(str(activity_id)))
    return await _publish(database, clock, shop_id, item)


@put("/shops/{shop_id:int}/plans/{plan_id:int}/end", opt={**_MEMBERS, "refusals": [NotFound, OrdinaryNeeded]})
async def end_plan(
    shop_id: FromPath[ShopId], plan_id: FromPath[PlanId], caller: Caller, database: Database, clock: Clock
) -> PlanView:
    """End a plan at the next midnight in China. Publishing it again before then lets it go on."""
    now = clock.now()
    [outcome] = await database.run(lambda tx: end_plans(tx, shop_id, [Ending(plan_id, caller.person)], now))
    dated = accepted(outcome)
    return viewed(dated.plan, dated.versions, now)


@get("/shops/{shop_id:int}/plans", opt={"access": Access.SHOP_MEMBER})
async def list_plans(
    shop_id: FromPath[ShopId],
    database: Database,
    clock: Clock,
    product_id: FromQuery[AnyProduct | None] = None,
    live: FromQuery[bool] = False,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 50,
) -> Page[PlanView]:
    """The shop's plans, all or those that have not ended."""
    now = clock.now()
    after = read_cursor(cursor, PlanId) or PlanId(0)
    async with database.transaction() as tx:
        found = await store.plans_page(tx, shop_id, product_id, now if live else None, after, limit + 1)
        versions = await tx.ask(store.versions_of(shop_id, [plan.id for plan in found]))
    return page([viewed(plan, versions[plan.id], now) for plan in found], limit, lambda plan: plan.id)


@get("/shops/{shop_id:int}/plans/{plan_id:int}", opt=_MEMBERS)
async def show_plan(shop_id: FromPath[ShopId], plan_id: FromPath[PlanId], database: Database, clock: Clock) -> PlanView:
    """One plan, with what it promises now and what is to follow."""
    async with database.transaction() as tx:
        plan = await _plan(tx, shop_id, plan_id)
        versions = await tx.ask(store.versions_of(shop_id, [plan_id]))
    return viewed(plan, versions[plan_id], clock.now())


@get("/shops/{shop_id:int}/plans/{plan_id:int}/versions", opt=_MEMBERS)
async def list_versions(
    shop_id: FromPath[ShopId],
    plan_id: FromPath[PlanId],
    database: Database,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 50,
) -> Page[Version]:
    """All that the plan has promised and is to promise, newest first, with the times from which it does."""
    before = read_cursor(cursor, int) or BIGINT_MAX
    async with database.transaction() as tx:
        await _plan(tx, shop_id, plan_id)
        versions = await tx.ask(store.versions_of(shop_id, [plan_id]))
    found = [version for version in reversed(versions[plan_id]) if version.version < before]
    return page(found[: limit + 1], limit, lambda version: version.version)


async def _plan(tx: Transaction, shop_id: ShopId, plan_id: PlanId) -> Plan:
    found = await tx.ask(store.plans(shop_id, [plan_id]))
    if plan_id not in found:
        raise NotFound(f"the shop has no plan {plan_id}")
    return found[plan_id]


@get("/shops/{shop_id:int}/plans/{plan_id:int}/participants", opt=_MEMBERS)
async def list_participants(
    shop_id: FromPath[ShopId],
    plan_id: FromPath[PlanId],
    database: Database,
    state: FromQuery[State | None] = None,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 50,
) -> Page[Participant]:
    """Who takes part in a targeted plan, and who asks to."""
    after = read_cursor(cursor, PersonId) or PersonId(0)
    async with database.transaction() as tx:
        await _plan(tx, shop_id, plan_id)
        found = await participants_page(tx, shop_id, plan_id, state, after, limit + 1)
    return page(found, limit, lambda participant: participant.creator_id)


@put(
    "/shops/{shop_id:int}/plans/{plan_id:int}/participants/{creator_id:int}",
    opt={**_MEMBERS, "refusals": [NotFound, NotTargeted]},
)
async def approve_participant(
    shop_id: FromPath[ShopId],
    plan_id: FromPath[PlanId],
    creator_id: FromPath[PersonId],
    database: Database,
    clock: Clock,
) -> Participant:
    """Name a creator for a targeted plan, or approve their application. Where it may give them less than the ordinary
    plan does, it begins at the next midnight in China.
    """
    item = TakingPart(plan_id, creator_id, Action.APPROVE)
    [outcome] = await database.run(lambda tx: take_part(tx, shop_id, [item], clock.now()))
    return accepted(outcome)


@delete(
    "/shops/{shop_id:int}/plans/{plan_id:int}/participants/{creator_id:int}",
    status_code=200,
    opt=_MEMBERS,
)
async def decline_participant(
    shop_id: FromPath[ShopId],
    plan_id: FromPath[PlanId],
    creator_id: FromPath[PersonId],
    database: Database,
    clock: Clock,
) -> Participant:
    """Decline an application, or take a creator out of the plan from the next midnight in China on."""
    item = TakingPart(plan_id, creator_id, Action.DECLINE)
    [outcome] = await database.run(lambda tx: take_part(tx, shop_id, [item], clock.now()))
    return accepted(outcome)


@put(
    "/shops/{shop_id:int}/skus/{sku_id:int}/reserve",
    opt={**_MEMBERS, "refusals": [NotFound, NotPromised, ReserveTooLarge]},
)
async def keep_reserve(
    shop_id: FromPath[ShopId], sku_id: FromPath[SkuId], data: JSONBody[KeptDraft], database: Database, clock: Clock
) -> KeptView:
    """Keep part of the SKU's stock for creators outside the head, for as long as its product has a plan."""
    item = Keeping(sku_id, data.kept_quantity)
    [outcome] = await database.run(lambda tx: keep_stock(tx, shop_id, [item], clock.now()))
    return _kept(accepted(outcome))


@get("/shops/{shop_id:int}/skus/{sku_id:int}/reserve", opt={"access": Access.SHOP_MEMBER})
async def show_reserve(shop_id: FromPath[ShopId], sku_id: FromPath[SkuId], database: Database) -> KeptView:
    """What is kept of the SKU for creators outside the head."""
    async with database.transaction() as tx:
        found = await tx.ask(reserves_of(shop_id, [sku_id]))
    return _kept(found.get(sku_id) or Reserve(sku_id, ProductId(0), 0, 0))


def _kept(reserve: Reserve) -> KeptView:
    return KeptView(reserve.sku_id, reserve.kept_quantity, reserve.sold_quantity, reserve.left)


HANDLERS = (
    publish_ordinary,
    publish_targeted,
    publish_exclusive,
    join_activity,
    end_plan,
    list_plans,
    show_plan,
    list_versions,
    list_participants,
    approve_participant,
    decline_participant,
    keep_reserve,
    show_reserve,
)

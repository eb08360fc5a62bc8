"""What agencies do over HTTP: recruit goods by activities, and creators as an MCN."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import delete, get, put
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from fairwind.alliance.activity import Activity, ActivityDraft, ActivityId
from fairwind.alliance.commands import mcn as mcn_commands
from fairwind.alliance.commands.activities import close_activity, open_activity
from fairwind.alliance.commands.plans import end_plans
from fairwind.alliance.mcn import InMcn, McnMember, Split
from fairwind.alliance.promise import Ending
from fairwind.alliance.routes.creators import check_self
from fairwind.alliance.store import mcn as mcn_store
from fairwind.alliance.store import plans as plan_store
from fairwind.alliance.store.activities import activities, activities_page
from fairwind.alliance.view import PlanView, viewed
from fairwind.identity import Access, Caller
from fairwind.kernel import (
    Clock,
    Database,
    Forbidden,
    IdReused,
    NotFound,
    PersonId,
    PlanId,
    ShopId,
    Transaction,
    accepted,
)
from fairwind.kernel.pages import BIGINT_MAX, Cursor, Limit, Page, page, read_before, read_cursor

_OWN: dict[str, Any] = {"access": Access.AGENCY, "refusals": [NotFound, Forbidden]}


@put("/activities/{activity_id:uuid}", opt={"access": Access.AGENCY, "refusals": [IdReused]})
async def put_activity(
    activity_id: FromPath[ActivityId],
    data: JSONBody[ActivityDraft],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> Activity:
    """Open an activity that shops join goods to, under an id of your making. The same again answers it as it stands."""
    return await database.run(lambda tx: open_activity(tx, activity_id, caller.person, data, clock.now()))


@put("/activities/{activity_id:uuid}/end", opt=_OWN)
async def end_activity(activity_id: FromPath[ActivityId], caller: Caller, database: Database, clock: Clock) -> Activity:
    """Take no more goods into your activity; what is in it stays until its plan ends."""
    return await database.run(lambda tx: close_activity(tx, activity_id, caller.person, clock.now()))


@get("/activities", opt={"access": Access.PUBLIC})
async def list_activities(
    database: Database,
    agency_id: FromQuery[Annotated[PersonId, Meta(ge=1, le=BIGINT_MAX)] | None] = None,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[Activity]:
    """Activities that take goods, or all of one agency, newest first."""
    async with database.transaction() as tx:
        found = await activities_page(tx, agency_id, read_before(cursor), limit + 1)
    return page(found, limit, lambda activity: (activity.created_at, activity.id))


@get("/activities/{activity_id:uuid}", opt={"access": Access.PUBLIC, "refusals": [NotFound]})
async def show_activity(activity_id: FromPath[ActivityId], database: Database) -> Activity:
    """One activity."""
    async with database.transaction() as tx:
        return await _activity(tx, activity_id)


async def _activity(tx: Transaction, activity_id: ActivityId) -> Activity:
    found = await tx.ask(activities([activity_id]))
    if activity_id not in found:
        raise NotFound(f"there is no activity {activity_id}")
    return found[activity_id]


@get("/activities/{activity_id:uuid}/plans", opt=_OWN)
async def list_activity_plans(
    activity_id: FromPath[ActivityId],
    caller: Caller,
    database: Database,
    clock: Clock,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[PlanView]:
    """The goods that are or were in your activity, with their terms."""
    now = clock.now()
    after = read_cursor(cursor, tuple[ShopId, PlanId]) or (ShopId(0), PlanId(0))
    async with database.transaction() as tx:
        check_self(caller, (await _activity(tx, activity_id)).agency_id)
        found = await plan_store.plans_of_activity(tx, activity_id, after, limit + 1)
        versions = await tx.together(*(plan_store.versions_of(plan.shop_id, [plan.id]) for plan in found))
    shown = [viewed(plan, those[plan.id], now) for plan, those in zip(found, versions, strict=True)]
    return page(shown, limit, lambda plan: (plan.shop_id, plan.id))


@put("/activities/{activity_id:uuid}/plans/{shop_id:int}/{plan_id:int}/end", opt=_OWN)
async def end_activity_plan(
    activity_id: FromPath[ActivityId],
    shop_id: FromPath[ShopId],
    plan_id: FromPath[PlanId],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> PlanView:
    """Take goods out of your activity at the next midnight in China."""
    now = clock.now()

    async def work(tx: Transaction) -> PlanView:
        check_self(caller, (await _activity(tx, activity_id)).agency_id)
        plan = (await tx.ask(plan_store.plans(shop_id, [plan_id]))).get(plan_id)
        if plan is None or plan.activity_id != activity_id:
            raise NotFound(f"plan {plan_id} of shop {shop_id} is not in this activity")
        [outcome] = await end_plans(tx, shop_id, [Ending(plan_id, caller.person, caller.person)], now)
        dated = accepted(outcome)
        return viewed(dated.plan, dated.versions, now)

    return await database.run(work)


@put("/agencies/{agency_id:int}/members/{creator_id:int}", opt={**_OWN, "refusals": [NotFound, Forbidden, InMcn]})
async def invite_member(
    agency_id: FromPath[PersonId],
    creator_id: FromPath[PersonId],
    data: JSONBody[Split],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> McnMember:
    """Invite a creator into your MCN for a part of what they earn net. Another split replaces an open invitation."""
    check_self(caller, agency_id)
    return await database.run(lambda tx: mcn_commands.invite(tx, agency_id, creator_id, data.split_ppm, clock.now()))


@delete("/agencies/{agency_id:int}/members/{creator_id:int}", status_code=200, opt=_OWN)
async def let_member_go(
    agency_id: FromPath[PersonId], creator_id: FromPath[PersonId], caller: Caller, database: Database, clock: Clock
) -> McnMember:
    """Let a member go at the next midnight in China, or take an invitation back."""
    check_self(caller, agency_id)
    return await database.run(lambda tx: mcn_commands.end(tx, creator_id, agency_id, clock.now()))


@get("/agencies/{agency_id:int}/members", opt=_OWN)
async def list_members(
    agency_id: FromPath[PersonId],
    caller: Caller,
    database: Database,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 50,
) -> Page[McnMember]:
    """Your MCN's members and invitations, those of the past included, newest first."""
    check_self(caller, agency_id)
    before = read_cursor(cursor, int) or BIGINT_MAX
    async with database.transaction() as tx:
        found = await mcn_store.members_of_agency(tx, agency_id, before, limit + 1)
    return page(found, limit, lambda member: member.id)


HANDLERS = (
    put_activity,
    end_activity,
    list_activities,
    show_activity,
    list_activity_plans,
    end_activity_plan,
    invite_member,
    let_member_go,
    list_members,
)

"""The quality pool over HTTP: what it asks, what is in it, how goods get in, and why they left."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post, put
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from fairwind.alliance.commands import quality as commands
from fairwind.alliance.commands.quality import Nominating
from fairwind.alliance.quality import (
    AlreadyNominated,
    Criteria,
    CriteriaDraft,
    CriteriaUnmet,
    Nomination,
    NominationAction,
    NominationAnswer,
    NominationDraft,
    NominationId,
    NominationState,
    NominationStep,
    NominationView,
    Quality,
    QualityGood,
    RemovalReason,
    view,
)
from fairwind.alliance.store import quality as store
from fairwind.catalog import words
from fairwind.identity import Access, Caller, OnlyMembers
from fairwind.kernel import CategoryId, Clock, Database, IdReused, NotFound, ProductId, ShopId, accepted
from fairwind.kernel.pages import BIGINT_MAX, Cursor, Limit, Page, page, read_before, read_cursor
from fairwind.kernel.states import WrongState

_Words = Annotated[
    str, Meta(max_length=100, description="Words, or parts of them, that title or brand hold, all of them")
]
_AnyCategory = Annotated[CategoryId, Meta(ge=1, le=BIGINT_MAX)]
_FIRST = 2**31 - 1


@get("/quality-criteria", opt={"access": Access.PUBLIC})
async def list_criteria(
    database: Database, cursor: FromQuery[Cursor | None] = None, limit: FromQuery[Limit] = 20
) -> Page[Criteria]:
    """What the quality pool asks of goods: the version in force first, then those before it."""
    before = min(read_cursor(cursor, int) or _FIRST, _FIRST)
    async with database.transaction() as tx:
        found = await store.criteria_page(tx, before, limit + 1)
    return page(found, limit, lambda criteria: criteria.version)


@post("/quality-criteria", opt={"access": Access.OPERATOR})
async def set_criteria(data: JSONBody[CriteriaDraft], caller: Caller, database: Database, clock: Clock) -> Criteria:
    """Ask this of goods from now on. Goods that no longer meet it leave the pool within minutes."""
    return await database.run(lambda tx: commands.set_criteria(tx, data, caller.person, clock.now()))


@get("/quality-pool", opt={"access": Access.PUBLIC})
async def list_quality_pool(
    database: Database,
    q: FromQuery[_Words] = "",
    category_id: FromQuery[_AnyCategory | None] = None,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[QualityGood]:
    """What is in the quality pool, the latest to enter first; with `q`, goods whose title or brand hold its words."""
    async with database.transaction() as tx:
        found = await store.goods(tx, words(q), category_id, read_before(cursor), limit + 1)
    return page(found, limit, lambda good: (good.since, good.nomination_id))


@get("/nominations", opt={"access": Access.OPERATOR})
async def list_nominations(
    database: Database,
    state: FromQuery[NominationState | None] = None,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[Nomination]:
    """Nominations of all shops, newest first; all or those in one state."""
    async with database.transaction() as tx:
        found = await store.nominations_page(tx, None, state, read_before(cursor), limit + 1)
    return page(found, limit, lambda nomination: (nomination.nominated_at, nomination.id))


@get("/shops/{shop_id:int}/nominations", opt={"access": Access.SHOP_MEMBER})
async def list_shop_nominations(
    shop_id: FromPath[ShopId],
    database: Database,
    state: FromQuery[NominationState | None] = None,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[Nomination]:
    """The shop's nominations, newest first; all or those in one state."""
    async with database.transaction() as tx:
        found = await store.nominations_page(tx, shop_id, state, read_before(cursor), limit + 1)
    return page(found, limit, lambda nomination: (nomination.nominated_at, nomination.id))


@get(
    "/shops/{shop_id:int}/products/{product_id:int}/quality",
    opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound]},
)
async def get_quality(
    shop_id: FromPath[ShopId], product_id: FromPath[ProductId], database: Database, clock: Clock
) -> Quality:
    """How your product stands to the pool's criteria: what was measured, what it does not meet and by how much."""
    async with database.transaction() as tx:
        return await commands.quality(tx, shop_id, product_id, clock.now())


@get("/shops/{shop_id:int}/products/{product_id:int}/quality-history", opt={"access": Access.PUBLIC})
async def list_quality_history(
    shop_id: FromPath[ShopId],
    product_id: FromPath[ProductId],
    database: Database,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[NominationView]:
    """When a product entered the quality pool, when it left and why, newest first."""
    async with database.transaction() as tx:
        found = await store.history(tx, shop_id, product_id, read_before(cursor), limit + 1)
    return page([view(each) for each in found], limit, lambda each: (each.nominated_at, each.id))


@put(
    "/shops/{shop_id:int}/nominations/{nomination_id:uuid}",
    opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound, CriteriaUnmet, AlreadyNominated, IdReused, OnlyMembers]},
)
async def nominate(
    shop_id: FromPath[ShopId],
    nomination_id: FromPath[NominationId],
    data: JSONBody[NominationDraft],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> Nomination:
    """Nominate a product for the quality pool under an id of your making (UUIDv7): that is your approval.

    It enters once an operator approves too, who cannot nominate in the shop's stead. A product that does not meet the
    criteria is refused, and told which.
    """
    caller.speak_for(shop_id)
    item = Nominating(nomination_id, data.product_id, caller.person)
    [nomination] = await database.run(lambda tx: commands.nominate(tx, shop_id, [item], clock.now()))
    return accepted(nomination)


@put(
    "/shops/{shop_id:int}/nominations/{nomination_id:uuid}/withdrawal",
    opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound, WrongState]},
)
async def withdraw_nomination(
    shop_id: FromPath[ShopId],
    nomination_id: FromPath[NominationId],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> Nomination:
    """Take back a nomination, or a product out of the quality pool."""
    step = NominationStep(nomination_id, NominationAction.WITHDRAW, caller.person)
    return await _moved(database, clock, shop_id, step)


@put(
    "/shops/{shop_id:int}/nominations/{nomination_id:uuid}/approval",
    opt={"access": Access.OPERATOR, "refusals": [NotFound, WrongState, CriteriaUnmet]},
)
async def approve_nomination(
    shop_id: FromPath[ShopId],
    nomination_id: FromPath[NominationId],
    data: JSONBody[NominationAnswer],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> Nomination:
    """Let a nominated product into the quality pool, if it still meets the criteria."""
    step = NominationStep(nomination_id, NominationAction.APPROVE, caller.person, data.message)
    return await _moved(database, clock, shop_id, step)


@put(
    "/shops/{shop_id:int}/nominations/{nomination_id:uuid}/refusal",
    opt={"access": Access.OPERATOR, "refusals": [NotFound, WrongState]},
)
async def decline_nomination(
    shop_id: FromPath[ShopId],
    nomination_id: FromPath[NominationId],
    data: JSONBody[NominationAnswer],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> Nomination:
    """Keep a nominated product out, and say why."""
    step = NominationStep(nomination_id, NominationAction.DECLINE, caller.person, data.message)
    return await _moved(database, clock, shop_id, step)


@put(
    "/shops/{shop_id:int}/nominations/{nomination_id:uuid}/removal",
    opt={"access": Access.OPERATOR, "refusals": [NotFound, WrongState]},
)
async def remove_nomination(
    shop_id: FromPath[ShopId],
    nomination_id: FromPath[NominationId],
    data: JSONBody[RemovalReason],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> Nomination:
    """Take a product out of the quality pool, and say why."""
    step = NominationStep(nomination_id, NominationAction.REMOVE, caller.person, data.message)
    return await _moved(database, clock, shop_id, step)


async def _moved(database: Database, clock: Clock, shop_id: ShopId, step: NominationStep) -> Nomination:
    [nomination] = await database.run(lambda tx: commands.move_nominations(tx, shop_id, [step], clock.now()))
    return accepted(nomination)


HANDLERS = (
    list_criteria,
    set_criteria,
    list_quality_pool,
    list_nominations,
    list_shop_nominations,
    get_quality,
    list_quality_history,
    nominate,
    withdraw_nomination,
    approve_nomination,
    decline_nomination,
    remove_nomination,
)

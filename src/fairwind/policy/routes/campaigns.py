"""Subsidy campaigns over HTTP: operators propose, funders agree, everybody sees what there is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from litestar import get, post, put
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from fairwind.identity import Access, Caller, OnlyMembers
from fairwind.inventory import Quantity
from fairwind.kernel import (
    CampaignId,
    Clock,
    Database,
    IdReused,
    Invalid,
    NotFound,
    ShopId,
    SkuId,
    Transaction,
)
from fairwind.kernel.pages import BIGINT_MAX, Cursor, Limit, Page, page, read_cursor
from fairwind.policy.burn_down import CampaignSummary, CampaignView, summary
from fairwind.policy.campaign import (
    Campaign,
    CampaignClosed,
    CampaignDraft,
    FunderId,
)
from fairwind.policy.commands import campaigns as commands
from fairwind.policy.commands.purses import previewed
from fairwind.policy.preview import SubsidyPreview
from fairwind.policy.store import burn_downs
from fairwind.policy.store import campaigns as store

_NEWEST = CampaignId(BIGINT_MAX)
_FUNDER: dict[str, Any] = {"access": Access.SHOP_MEMBER, "refusals": [NotFound, OnlyMembers, CampaignClosed]}


@post("/campaigns", opt={"access": Access.OPERATOR, "refusals": [Invalid, IdReused]})
async def propose_campaign(
    data: JSONBody[CampaignDraft], caller: Caller, database: Database, clock: Clock
) -> CampaignView:
    """Propose a subsidy campaign. It is agreed when every funder but the platform has accepted, and never changes then.

    rule: either rate_ppm of each piece's price or piece_fen, at most piece_max_fen. The shares of all funders sum to
    1,000,000 ppm.
    """
    now = clock.now()

    async def work(tx: Transaction) -> CampaignView:
        campaign = await commands.propose(tx, data, caller.person, now)
        return await _view(tx, campaign, now)

    return await database.run(work)


@get("/campaigns", opt={"access": Access.PUBLIC})
async def list_campaigns(
    database: Database,
    clock: Clock,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[CampaignSummary]:
    """Campaigns that were agreed upon, newest first: to come, running, and over."""
    async with database.transaction() as tx:
        ids = await store.page_of_agreed(tx, read_cursor(cursor, CampaignId) or _NEWEST, limit + 1)
        seen = await _page(tx, ids, limit, clock.now())
    return Page([summary(each) for each in seen.items], seen.next_cursor)


@get("/campaigns/burn-downs", opt={"access": Access.OPERATOR})
async def list_burn_downs(
    database: Database,
    clock: Clock,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[CampaignView]:
    """All campaigns, proposals too, with what became of each funder's budget; newest first."""
    async with database.transaction() as tx:
        ids = await store.page_of_all(tx, read_cursor(cursor, CampaignId) or _NEWEST, limit + 1)
        return await _page(tx, ids, limit, clock.now())


@get("/campaigns/{campaign_id:int}", opt={"access": Access.PUBLIC, "refusals": [NotFound]})
async def show_campaign(campaign_id: FromPath[CampaignId], database: Database, clock: Clock) -> CampaignSummary:
    """A campaign that was agreed upon, and how much of its budget is left."""
    seen = await _shown(database, campaign_id, clock.now())
    if seen.agreed_at is None:
        raise NotFound(f"there is no campaign {campaign_id}")
    return summary(seen)


@get("/campaigns/{campaign_id:int}/burn-down", opt={"access": Access.OPERATOR, "refusals": [NotFound]})
async def show_burn_down(campaign_id: FromPath[CampaignId], database: Database, clock: Clock) -> CampaignView:
    """A campaign with what became of each funder's budget, the last three days by the hour."""
    return await _shown(database, campaign_id, clock.now())


@put("/campaigns/{campaign_id:int}/stop", opt={"access": Access.OPERATOR, "refusals": [NotFound, CampaignClosed]})
async def stop_campaign(
    campaign_id: FromPath[CampaignId], caller: Caller, database: Database, clock: Clock
) -> CampaignView:
    """Stop a campaign for good, or take a proposal back. What orders have got already stays theirs."""
    now = clock.now()

    async def work(tx: Transaction) -> CampaignView:
        return await _view(tx, await commands.stop(tx, campaign_id, caller.person, now), now)

    return await database.run(work)


@get("/shops/{shop_id:int}/campaigns", opt={"access": Access.SHOP_MEMBER})
async def list_funded_campaigns(
    shop_id: FromPath[ShopId],
    database: Database,
    clock: Clock,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[CampaignView]:
    """Campaigns that the shop pays for or is asked to pay for, newest first."""
    async with database.transaction() as tx:
        ids = await store.page_of_funder(tx, FunderId(shop_id), read_cursor(cursor, CampaignId) or _NEWEST, limit + 1)
        return await _page(tx, ids, limit, clock.now())


@get("/shops/{shop_id:int}/campaigns/{campaign_id:int}", opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound]})
async def show_funded_campaign(
    shop_id: FromPath[ShopId], campaign_id: FromPath[CampaignId], database: Database, clock: Clock
) -> CampaignView:
    """A campaign that the shop pays for or is asked to pay for, with what became of each funder's budget."""
    seen = await _shown(database, campaign_id, clock.now())
    if FunderId(shop_id) not in seen.funder_ids:
        raise NotFound(f"shop {shop_id} is no funder of a campaign {campaign_id}")
    return seen


@put("/shops/{shop_id:int}/campaigns/{campaign_id:int}/acceptance", opt=_FUNDER)
async def accept_campaign(
    shop_id: FromPath[ShopId], campaign_id: FromPath[CampaignId], caller: Caller, database: Database, clock: Clock
) -> CampaignView:
    """Agree to pay the shop's part of each subsidy, up to its budget. Only a member of the shop can."""
    caller.speak_for(shop_id)
    now = clock.now()

    async def work(tx: Transaction) -> CampaignView:
        return await _view(tx, await commands.accept(tx, campaign_id, FunderId(shop_id), caller.person, now), now)

    return await database.run(work)


@put("/shops/{shop_id:int}/campaigns/{campaign_id:int}/decline", opt=_FUNDER)
async def decline_campaign(
    shop_id: FromPath[ShopId], campaign_id: FromPath[CampaignId], caller: Caller, database: Database, clock: Clock
) -> CampaignView:
    """Decline a proposal; it is off for all funders then. Only a member of the shop can."""
    caller.speak_for(shop_id)
    now = clock.now()

    async def work(tx: Transaction) -> CampaignView:
        return await _view(tx, await commands.decline(tx, campaign_id, FunderId(shop_id), now), now)

    return await database.run(work)


@put("/shops/{shop_id:int}/campaigns/{campaign_id:int}/stop", opt=_FUNDER)
async def stop_funding(
    shop_id: FromPath[ShopId], campaign_id: FromPath[CampaignId], caller: Caller, database: Database, clock: Clock
) -> CampaignView:
    """Pay no more from now on. The other funders go on with their parts; only a member of the shop can."""
    caller.speak_for(shop_id)
    now = clock.now()

    async def work(tx: Transaction) -> CampaignView:
        return await _view(tx, await commands.stop_part(tx, campaign_id, FunderId(shop_id), caller.person, now), now)

    return await database.run(work)


@get("/shops/{shop_id:int}/skus/{sku_id:int}/subsidy", opt={"access": Access.PUBLIC, "refusals": [NotFound]})
async def preview_subsidy(
    shop_id: FromPath[ShopId],
    sku_id: FromPath[SkuId],
    caller: Caller,
    database: Database,
    clock: Clock,
    quantity: FromQuery[Annotated[Quantity, Meta(description="How many pieces")]] = 1,
) -> SubsidyPreview:
    """What a buyer would save now on so many pieces, and where nothing, why. What counts is the moment of ordering.

    Who has signed in sees it with what they have got of each campaign already.
    """
    async with database.transaction() as tx:
        return await previewed(tx, shop_id, sku_id, quantity, caller.person_id, clock.now())


async def _shown(database: Database, campaign_id: CampaignId, now: datetime) -> CampaignView:
    async with database.transaction() as tx:
        campaign = (await store.campaigns(tx, [campaign_id])).get(campaign_id)
        if campaign is None:
            raise NotFound(f"there is no campaign {campaign_id}")
        return await _view(tx, campaign, now)


async def _view(tx: Transaction, campaign: Campaign, now: datetime) -> CampaignView:
    [seen] = await burn_downs.views(tx, [campaign], now)
    return seen


async def _page(tx: Transaction, ids: Sequence[CampaignId], limit: int, now: datetime) -> Page[CampaignView]:
    found = await store.campaigns(tx, ids)
    return page(await burn_downs.views(tx, [found[id] for id in ids], now), limit, lambda seen: seen.id)  # noqa: A001


HANDLERS = (
    propose_campaign,
    list_campaigns,
    list_burn_downs,
    show_campaign,
    show_burn_down,
    stop_campaign,
    list_funded_campaigns,
    show_funded_campaign,
    accept_campaign,
    decline_campaign,
    stop_funding,
    preview_subsidy,
)

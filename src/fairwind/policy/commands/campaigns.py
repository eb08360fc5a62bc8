"""Proposing campaigns, agreeing upon them, stopping them: each loads a campaign under its lock, decides, saves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fairwind.kernel import (
    CampaignId,
    Database,
    IdReused,
    Invalid,
    NotFound,
    PersonId,
    Refused,
    Transaction,
    accepted,
    next_ids,
)
from fairwind.policy import campaign as rules
from fairwind.policy.campaign import Campaign, CampaignDraft, FunderId
from fairwind.policy.store import campaigns as store

_ENDED_MAX = 100


async def propose(tx: Transaction, draft: CampaignDraft, person_id: PersonId, now: datetime) -> Campaign:
    """Propose a campaign. The same draft again answers the campaign as it stands.

    Refusals: Invalid, also for a funder or something in the scope that there is not; IdReused.
    """
    draft = rules.tidied(draft)
    there = await store.campaign_of_draft(tx, draft.id)
    if there is not None:
        campaign = (await store.campaigns(tx, [there]))[there]
        if (campaign.draft(), campaign.proposed_by) != (draft, person_id):
            raise IdReused(f"campaign draft {draft.id} was proposed with other content; make a new id")
        return campaign
    if fault := rules.fault(draft, now):
        raise fault
    if unknown := await store.unknown_ids(tx, draft):
        raise Invalid(f"{unknown[0]}; name those that are there")
    [id] = await next_ids(tx, 1)  # noqa: A001
    campaign = rules.proposed(CampaignId(id), draft, person_id, now)
    await store.insert_campaign(tx, campaign)
    return campaign


async def accept(
    tx: Transaction, campaign_id: CampaignId, funder_id: FunderId, person_id: PersonId, now: datetime
) -> Campaign:
    """A funder binds itself to pay its part; the last one's word makes the campaign agreed."""
    return await _change(tx, campaign_id, lambda campaign: rules.accept(campaign, funder_id, person_id, now))


async def decline(tx: Transaction, campaign_id: CampaignId, funder_id: FunderId, now: datetime) -> Campaign:
    """A funder does not want the campaign."""
    return await _change(tx, campaign_id, lambda campaign: rules.decline(campaign, funder_id, now))


async def stop(tx: Transaction, campaign_id: CampaignId, person_id: PersonId, now: datetime) -> Campaign:
    """The operator stops a campaign, or takes a proposal back. What was granted stays granted."""
    return await _change(tx, campaign_id, lambda campaign: rules.stop(campaign, person_id, now))


async def stop_part(
    tx: Transaction, campaign_id: CampaignId, funder_id: FunderId, person_id: PersonId, now: datetime
) -> Campaign:
    """A funder gives no more from now on; the others' parts go on."""
    return await _change(tx, campaign_id, lambda campaign: rules.stop_part(campaign, funder_id, person_id, now))


async def end_over(database: Database, now: datetime) -> int:
    """End the campaigns whose period is over; how many."""

    async def work(tx: Transaction) -> int:
        found = await store.over(tx, now, _ENDED_MAX)
        ended = [rules.end(each, now) for each in (await store.campaigns(tx, found, lock=True)).values()]
        # Whatever somebody stopped or declined in between is over anyway.
        changed = [each for each in ended if not isinstance(each, Refused)]
        for campaign in changed:
            await store.update_campaign(tx, campaign)
        return len(changed)

    return await database.run(work)


async def _change(
    tx: Transaction, campaign_id: CampaignId, change: Callable[[Campaign], Campaign | Refused]
) -> Campaign:
    campaign = (await store.campaigns(tx, [campaign_id], lock=True)).get(campaign_id)
    if campaign is None:
        raise NotFound(f"there is no campaign {campaign_id}")
    changed = accepted(change(campaign))
    if changed != campaign:
        await store.update_campaign(tx, changed)
    return changed

"""Burn-down: what became of a campaign's budgets, hour by hour, and when they will be used up. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from fairwind.kernel import CampaignId, Fen, Ppm
from fairwind.policy.campaign import Campaign, FunderId, Funding, Rule, Scope, State

RATE_OVER = timedelta(hours=1)
"""The present rate is that of the last hour, or of as much of it as the campaign has run."""


class HourOfFunder(msgspec.Struct, frozen=True):
    """What a funder's money did in an hour, over all shops."""

    funder_id: FunderId
    hour: datetime
    spent_fen: Fen
    given_back_fen: Fen


class Burnt(msgspec.Struct, frozen=True):
    """What a funder's money did, over all shops and times. lately_fen: spent less given back, within the last hour."""

    spent_fen: int = 0
    given_back_fen: int = 0
    lately_fen: int = 0


class Hour(msgspec.Struct, frozen=True):
    """What was spent in an hour, and what refunds and cancellations gave back."""

    hour: datetime
    spent_fen: Fen
    given_back_fen: Fen


class FunderBurnDown(msgspec.Struct, frozen=True):
    """A funder's budget. left_fen = budget − spent + given back; drawn_fen: what shops have of it, spent or not.

    per_hour_fen: the present rate. used_up_at: when nothing will be left at that rate; null when that is not before
    the end. hours: the last of them, oldest first; an hour without sales is absent.
    """

    funder_id: FunderId
    share_ppm: Ppm
    in_base: bool
    accepted_at: datetime | None
    stopped_at: datetime | None
    budget_fen: Fen
    drawn_fen: Fen
    spent_fen: int
    given_back_fen: int
    left_fen: int
    per_hour_fen: int
    used_up_at: datetime | None
    hours: Sequence[Hour]


class CampaignSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign as everybody may see it, with its budget as a whole.

    order_max_fen, buyer_max_fen: the most for one order, and for one buyer over all shops. guard_days: nothing is given
    for a price above the lowest of so many days, nor for a SKU that had no price yet so many days ago. used_up_at: when
    the first funder will have nothing left at the present rate, null when that is not before the end.
    """

    id: CampaignId
    name: str
    state: State
    running: bool
    rule: Rule
    scope: Scope
    order_max_fen: Fen | None
    buyer_max_fen: Fen | None
    guard_days: int
    starts_at: datetime
    ends_at: datetime
    agreed_at: datetime | None
    closed_at: datetime | None
    funder_ids: Sequence[FunderId]
    budget_fen: int
    spent_fen: int
    given_back_fen: int
    left_fen: int
    per_hour_fen: int
    used_up_at: datetime | None


class CampaignView(CampaignSummary, frozen=True, kw_only=True):
    """A campaign as its operator and its funders see it, with the budget of each."""

    fundings: Sequence[FunderBurnDown]


def rate_since(campaign: Campaign, now: datetime) -> datetime:
    """Since when what was spent makes the present rate."""
    began_at = max(campaign.starts_at, campaign.agreed_at or campaign.proposed_at)
    return max(now - RATE_OVER, min(began_at, now - timedelta(minutes=1))).replace(second=0, microsecond=0)


def used_up_at(left_fen: int, lately_fen: int, lately: timedelta, now: datetime, until: datetime) -> datetime | None:
    """When left_fen will be gone if it goes on like lately; None when that is not before until."""
    if left_fen <= 0:
        return now
    if lately_fen <= 0:
        return None
    # First in whole numbers: a budget that lasts for ages must not leave the calendar.
    seconds = left_fen * (lately // timedelta(seconds=1)) // lately_fen
    return None if seconds >= (until - now).total_seconds() else now + timedelta(seconds=seconds)


def funder_burn_down(
    campaign: Campaign, funding: Funding, burnt: Burnt, hours: Iterable[HourOfFunder], now: datetime
) -> FunderBurnDown:
    """What became of one funder's budget."""
    left_fen = funding.budget_fen - burnt.spent_fen + burnt.given_back_fen
    lately = now - rate_since(campaign, now)
    runs = campaign.runs(now) and funding.stopped_at is None
    return FunderBurnDown(
        funding.funder_id,
        funding.share_ppm,
        funding.in_base,
        funding.accepted_at,
        funding.stopped_at,
        funding.budget_fen,
        funding.drawn_fen,
        burnt.spent_fen,
        burnt.given_back_fen,
        left_fen,
        burnt.lately_fen * 3600 // (lately // timedelta(seconds=1)),
        used_up_at(left_fen, burnt.lately_fen, lately, now, campaign.ends_at) if runs else None,
        [Hour(each.hour, each.spent_fen, each.given_back_fen) for each in hours if each.funder_id == funding.funder_id],
    )


def view(
    campaign: Campaign, burnt: Mapping[FunderId, Burnt], hours: Sequence[HourOfFunder], now: datetime
) -> CampaignView:
    """The campaign with its burn-down."""
    fundings = [
        funder_burn_down(campaign, funding, burnt.get(funding.funder_id, Burnt()), hours, now)
        for funding in campaign.fundings
    ]
    ends = [each.used_up_at for each in fundings if each.used_up_at is not None]
    return CampaignView(
        id=campaign.id,
        name=campaign.name,
        state=campaign.state,
        running=campaign.runs(now),
        rule=campaign.terms.rule,
        scope=campaign.terms.scope,
        order_max_fen=campaign.terms.order_max_fen,
        buyer_max_fen=campaign.terms.buyer_max_fen,
        guard_days=campaign.terms.guard_days,
        starts_at=campaign.starts_at,
        ends_at=campaign.ends_at,
        agreed_at=campaign.agreed_at,
        closed_at=campaign.closed_at,
        funder_ids=[each.funder_id for each in fundings],
        budget_fen=sum(each.budget_fen for each in fundings),
        spent_fen=sum(each.spent_fen for each in fundings),
        given_back_fen=sum(each.given_back_fen for each in fundings),
        left_fen=sum(each.left_fen for each in fundings),
        per_hour_fen=sum(each.per_hour_fen for each in fundings),
        used_up_at=min(ends, default=None),
        fundings=fundings,
    )


def summary(seen: CampaignView) -> CampaignSummary:
    """What everybody may see of it."""
    return CampaignSummary(**{name: getattr(seen, name) for name in CampaignSummary.__struct_fields__})

"""What a buyer would save on a SKU now, and where a campaign gives nothing, why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from fairwind.kernel import CampaignId, Fen, PersonId, SkuId
from fairwind.kernel.words import Words
from fairwind.policy.campaign import Campaign
from fairwind.policy.purse import Purse, Ware

GIVEN = "given"
NO_CAMPAIGN = "no_campaign"
REASONS: Mapping[str, Words] = {
    GIVEN: Words("this campaign pays a part of the price", "该活动补贴部分价款"),
    "less_than_another": Words("another campaign gives more", "另一活动补贴更多"),
    "price_new": Words(
        "the goods had no price yet when the days of the price guard began, and new prices are not subsidised",
        "商品上架时间短于价格保护期，新定价不予补贴",
    ),
    "price_raised": Words(
        "the price was lower not long ago, and raised prices are not subsidised", "近期价格更低，涨价后不予补贴"
    ),
    "buyer_cap": Words("you have got as much as each buyer may get", "您已达到每人补贴上限"),
    "budget_used_up": Words("what is left of the budget does not pay it", "补贴预算余额不足"),
    "too_little": Words("a part of this price would be less than 0.01 yuan", "补贴不足 0.01 元"),
    "not_in_period": Words("the campaign is not running now", "不在活动时间内"),
    "not_in_scope": Words("the goods are not part of the campaign", "商品不在活动范围内"),
    NO_CAMPAIGN: Words("there is no campaign now", "目前没有补贴活动"),
}
"""Why a campaign gives what it gives; the first of them that holds for any campaign tells why there is nothing."""


class CampaignVerdict(msgspec.Struct, frozen=True):
    """What a campaign says of a SKU: a stable code, and the words for people."""

    campaign_id: CampaignId
    name: str
    code: str
    reason: Words


class SubsidyPreview(msgspec.Struct, frozen=True):
    """What a buyer would pay for so many pieces of a SKU, ordered alone and now; freight aside.

    campaign_id: the campaign that pays subsidy_fen of it, null for none. code and reason: why that is so. verdicts:
    what each campaign that runs or will run says, by its id.
    """

    sku_id: SkuId
    quantity: int
    goods_fen: Fen
    subsidy_fen: Fen
    buyer_pays_fen: Fen
    campaign_id: CampaignId | None
    code: str
    reason: Words
    verdicts: Sequence[CampaignVerdict]


def preview(
    campaigns: Iterable[Campaign], purse: Purse, buyer_id: PersonId, ware: Ware, now: datetime
) -> SubsidyPreview:
    """campaigns: those that run or will. purse: ready for the ware, with the rests drawn."""
    [grants] = purse.grants(buyer_id, [ware])
    given_by = grants[0].campaign_id if grants else None
    verdicts = []
    for campaign in sorted(campaigns, key=lambda campaign: campaign.id):
        code = GIVEN if campaign.id == given_by else why_not(campaign, purse, buyer_id, ware, now)
        verdicts.append(CampaignVerdict(campaign.id, campaign.name, code, REASONS[code]))
    codes = {verdict.code for verdict in verdicts} or {NO_CAMPAIGN}
    code = next(code for code in REASONS if code in codes)
    goods_fen = Fen(ware.price_fen * ware.quantity)
    subsidy_fen = Fen(sum(grant.amount_fen for grant in grants))
    return SubsidyPreview(
        ware.sku_id,
        ware.quantity,
        goods_fen,
        subsidy_fen,
        Fen(goods_fen - subsidy_fen),
        given_by,
        code,
        REASONS[code],
        verdicts,
    )


def why_not(campaign: Campaign, purse: Purse, buyer_id: PersonId, ware: Ware, now: datetime) -> str:
    """Why the campaign pays nothing of the ware: the code of the first reason there is."""
    terms = campaign.terms
    if not terms.scope.holds(purse.shop_id, ware.product_id, ware.category_id, ware.parent_id):
        return "not_in_scope"
    if not campaign.runs(now) or campaign.id not in purse.terms:
        return "not_in_period"
    if not terms.amount_fen(ware.price_fen, ware.quantity):
        return "too_little"
    if purse.price_guarded(campaign.id, ware):
        return "price_raised" if purse.price_known(campaign.id, ware) else "price_new"
    if purse.caps.get((campaign.id, buyer_id), 1) <= 0:
        return "buyer_cap"
    [alone] = purse.of(campaign.id).grants(buyer_id, [ware])
    return "less_than_another" if alone else "budget_used_up"

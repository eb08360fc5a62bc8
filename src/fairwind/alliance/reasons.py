"""Why a line earns a creator a commission, or why not: every code in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from fairwind.alliance import attribution, commission

COMMISSION_CODES = frozenset(
    {
        commission.NO_PLAN,
        commission.NOT_PICKED,
        commission.EXCLUSIVE_TO_OTHER,
        commission.NOT_FOR_CREATOR,
        commission.OWN_PURCHASE,
    }
)
"""Codes of lines whose creator was decided and yet earns nothing."""

REASONS: Mapping[str, tuple[str, str]] = {
    attribution.PLACEMENT: (
        "it was bought from where this creator showed it on the platform",
        "从该达人在平台内的展示位下单",
    ),
    attribution.LAST_CLICK: (
        "the last valid click before the order was on this creator's link",
        "下单前最后一次有效点击来自该达人的链接",
    ),
    attribution.FIRST_CLICK: (
        "the last valid click was on a link that goes by the first one, and the first was on this creator's link",
        "最后一次有效点击的链接按首次点击归因，首次点击来自该达人的链接",
    ),
    attribution.NO_EVIDENCE: (
        "nothing says who brought the buyer: neither a placement nor a click of a short link",
        "没有归因依据：既无平台内展示位，也无短链点击",
    ),
    attribution.TOO_OLD: (
        "the click's window was over when the order was placed",
        "下单时点击已超出归因有效期",
    ),
    attribution.AFTER_ORDER: ("the click came after the order", "点击晚于下单时间"),
    attribution.OTHER_GOODS: ("the clicked link is for other goods", "点击的链接对应其他商品"),
    attribution.OF_ANOTHER: (
        "the click was somebody else's, who was signed in when they clicked",
        "点击来自另一已登录的用户，并非下单人本人",
    ),
    attribution.PLACEMENT_DECIDED: (
        "it was bought from where another creator showed it, which goes before any click",
        "从其他达人的平台内展示位下单，展示位优先于点击",
    ),
    attribution.LATER_DECIDED: (
        "a later click on another creator's link decided",
        "其他达人的链接有更晚的有效点击",
    ),
    attribution.FIRST_DECIDED: (
        "the last link goes by the first click, and that was on another creator's link",
        "最后点击的链接按首次点击归因，首次点击来自其他达人的链接",
    ),
    commission.NO_PLAN: (
        "no commission plan of the product was in force when the order was placed",
        "下单时该商品没有生效的分佣计划",
    ),
    commission.NOT_PICKED: (
        "the creator had not picked the product when the order was placed",
        "下单时达人未选该商品",
    ),
    commission.EXCLUSIVE_TO_OTHER: (
        "an exclusive plan with another creator was in force",
        "该商品当时为其他达人的专属计划",
    ),
    commission.NOT_FOR_CREATOR: (
        "the plans in force were for other creators: targeted ones, or an activity that this creator had not picked by",
        "当时生效的计划不面向该达人（定向计划或未经其活动选品）",
    ),
    commission.OWN_PURCHASE: (
        "the creator bought it themselves, and nobody earns of their own purchase",
        "该达人本人下单，自购订单没有佣金",
    ),
}
"""What each code says, in English and in Chinese."""

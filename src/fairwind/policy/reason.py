"""Why a fee is what it is, in words for people, English and Chinese. Pure."""

from __future__ import annotations

from datetime import datetime

from fairwind.catalog import Channel
from fairwind.kernel import day_in_china
from fairwind.kernel.words import Words
from fairwind.policy.fees import FeeRule
from fairwind.policy.programme import Programme

CHANNELS = {
    Channel.OWN: Words("own shops", "自营店铺"),
    Channel.YOUZAN: Words("Youzan shops", "有赞店铺"),
    Channel.MOKUAI: Words("Mokuai shops", "魔筷店铺"),
    Channel.SUPPLIER: Words("suppliers", "供应商"),
}
NO_RULE = Words("no fee schedule was in force", "当时没有生效的费率表")
"""The reason of `NO_FEE`."""


def reason_of(rule: FeeRule | Programme, until: datetime | None = None) -> Words:
    """Why the rule asks what it asks. until: when the shop's right to a programme ends, as far as that is known."""
    if isinstance(rule, FeeRule):
        return _of_base(rule)
    if until is None:
        return Words(rule.name_en, rule.name_zh)
    day = day_in_china(until)
    return Words(f"{rule.name_en}, until {day}", f"{rule.name_zh}，至 {day}")


def _of_base(rule: FeeRule) -> Words:
    en, zh = [f"service fee of {CHANNELS[rule.channel].en}"], [f"{CHANNELS[rule.channel].zh}技术服务费"]
    if rule.category_id is not None:
        name = rule.category or str(rule.category_id)
        en.append(f"category {name}")
        zh.append(f"{name}类目")
    if rule.age_from_days:
        en.append(f"from {rule.age_from_days} days of age")
        zh.append(f"开店满 {rule.age_from_days} 天")
    if rule.age_until_days is not None:
        en.append(f"below {rule.age_until_days} days of age")
        zh.append(f"开店不满 {rule.age_until_days} 天")
    en.append(f"schedule {rule.version}")
    zh.append(f"费率表第 {rule.version} 版")
    return Words(", ".join(en), "，".join(zh))

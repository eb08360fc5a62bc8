"""How a shop stands with the support programmes of its channel: which it has, and why or why not. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta

import msgspec

from fairwind.catalog import Channel
from fairwind.kernel import day_in_china, format_yuan
from fairwind.kernel.words import Words
from fairwind.policy.enrolment import Enrolment, Facts, Measured, measured
from fairwind.policy.programme import (
    CategorySupport,
    ContentIncentive,
    Earned,
    GrowthTier,
    NewMerchant,
    Programme,
    new_until,
    supports,
)


class Standing(msgspec.Struct, frozen=True):
    """Whether a shop has a programme now, until when, and why or why not.

    from_at: when it will have it, of one that it has earned and that has not begun.
    """

    programme: Programme
    has: bool
    from_at: datetime | None
    until: datetime | None
    reason_en: str
    reason_zh: str


class ShopSupport(msgspec.Struct, frozen=True):
    """How a shop stands with every programme of its channel that is in force."""

    at: datetime
    programmes: list[Standing]


def standings(
    programmes: Iterable[Programme],
    channel: Channel,
    opened_on: date,
    facts: Facts,
    enrolments: Collection[Enrolment],
    now: datetime,
) -> list[Standing]:
    """How a shop stands with programmes in force. enrolments: those of the shop that are not over."""
    ours = [programme for programme in programmes if channel in programme.channels]
    begun = {each.programme_id: each.ends_at for each in enrolments if each.starts_at <= now}
    until = {support.programme.id: support.until for support in supports(ours, channel, opened_on, begun, now)}
    found = []
    for programme in ours:
        mine = sorted((each for each in enrolments if each.programme_id == programme.id), key=lambda e: e.starts_at)
        why = _why(programme, opened_on, facts, mine[0] if mine else None, now)
        to_come = mine[0].starts_at if mine and mine[0].starts_at > now else None
        found.append(
            Standing(programme, programme.id in until, to_come, until.get(programme.id), why.en, why.zh),
        )
    return found


def _why(programme: Programme, opened_on: date, facts: Facts, enrolment: Enrolment | None, now: datetime) -> Words:
    match programme.conditions:
        case NewMerchant(first_days):
            return _of_age(opened_on, first_days, now)
        case CategorySupport():
            return Words("goods of the programme's categories", "限本计划所列类目的商品")
        case ContentIncentive() | GrowthTier() as conditions:
            if enrolment is None:
                return _of_deeds(conditions, measured(conditions, facts, day_in_china(now)))
            did = Measured(enrolment.measured, _needed(conditions), enrolment.measured_from, enrolment.measured_to)
            words = _of_deeds(conditions, did)
            starts_on, ends_on = day_in_china(enrolment.starts_at), day_in_china(enrolment.ends_at)
            return Words(
                f"earned from {starts_on} until {ends_on}: {words.en}", f"{starts_on} 起入选，至 {ends_on}：{words.zh}"
            )


def _of_age(opened_on: date, first_days: int, now: datetime) -> Words:
    ends_on = opened_on + timedelta(days=first_days)
    if now < new_until(opened_on, first_days):
        return Words(f"opened on {opened_on}, new until {ends_on}", f"{opened_on} 开店，新商家期至 {ends_on}")
    return Words(f"opened on {opened_on}, was new until {ends_on}", f"{opened_on} 开店，新商家期已于 {ends_on} 结束")


def _of_deeds(conditions: Earned, did: Measured) -> Words:
    match conditions:
        case ContentIncentive():
            return Words(
                f"live sessions that sold from {did.first} to {did.last}: {did.amount}, needed: {did.needed}",
                f"{did.first} 至 {did.last} 有成交的直播 {did.amount} 场，需 {did.needed} 场",
            )
        case GrowthTier():
            paid, needed = format_yuan(did.amount), format_yuan(did.needed)
            return Words(
                f"paid for goods from {did.first} to {did.last}, refunds taken off: {paid} yuan, needed: {needed}",
                f"{did.first} 至 {did.last} 成交货款（已减退款）{paid} 元，需 {needed} 元",
            )


def _needed(conditions: Earned) -> int:
    match conditions:
        case ContentIncentive(sessions_min):
            return sessions_min
        case GrowthTier(paid_min_fen):
            return paid_min_fen

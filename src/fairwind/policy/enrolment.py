"""Enrolments 入选: what a shop did, and which support programmes that earns it for a time. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

import msgspec
from msgspec.structs import replace

from fairwind.catalog import Channel
from fairwind.kernel import Fen, ShopId, day_in_china, midnight_in_china
from fairwind.policy.moments import LEAD_TIME
from fairwind.policy.programme import ContentIncentive, Earned, GrowthTier, Programme

LOOK_BACK_DAYS = 366
"""No programme asks what a shop did longer ago."""
_DAY = timedelta(days=1)


class Enrolment(msgspec.Struct, frozen=True):
    """That a shop has earned a programme for a time.

    measured: what it did from measured_from to measured_to, both included: fen paid, or live sessions that sold.
    """

    shop_id: ShopId
    programme_id: int
    starts_at: datetime
    ends_at: datetime
    measured: int
    measured_from: date
    measured_to: date
    enrolled_at: datetime


class Facts(msgspec.Struct, frozen=True):
    """What a shop did, without what refunds have undone.

    paid_fen: what was paid for its goods, by day in China. last_sold_on: of each live session that sold, the last day
    on which it did.
    """

    paid_fen: Mapping[date, Fen]
    last_sold_on: Sequence[date]


class Measured(msgspec.Struct, frozen=True):
    """How much a shop did of what a programme asks for, from one day to another, both included."""

    amount: int
    needed: int
    first: date
    last: date

    @property
    def enough(self) -> bool:
        return self.amount >= self.needed


def measured(conditions: Earned, facts: Facts, today: date) -> Measured:
    """How much the shop did within the days that the conditions name, today the last of them."""
    first = today - (conditions.within_days - 1) * _DAY
    match conditions:
        case ContentIncentive(sessions_min):
            return Measured(sum(first <= day <= today for day in facts.last_sold_on), sessions_min, first, today)
        case GrowthTier(paid_min_fen):
            paid_fen = sum(paid_fen for day, paid_fen in facts.paid_fen.items() if first <= day <= today)
            return Measured(paid_fen, paid_min_fen, first, today)


def enrolled(
    shop_id: ShopId,
    channel: Channel,
    programmes: Iterable[Programme],
    facts: Facts,
    there: Collection[Enrolment],
    now: datetime,
) -> list[Enrolment]:
    """What the shop has earned that it does not have: from the next midnight in China on, for the days that are stated.

    there: its enrolments. One that lasts beyond that midnight is left alone; on its last day the next one is earned.
    """
    today = day_in_china(now)
    start = _next_start(now)
    found = []
    for programme in programmes:
        conditions = programme.conditions
        if not isinstance(conditions, ContentIncentive | GrowthTier):
            continue
        if channel not in programme.channels or not programme.in_force(start):
            continue
        if any(each.programme_id == programme.id and each.ends_at > start for each in there):
            continue
        did = measured(conditions, facts, today)
        if did.enough:
            end = midnight_in_china(day_in_china(start) + conditions.lasts_days * _DAY)
            found.append(Enrolment(shop_id, programme.id, start, end, did.amount, did.first, did.last, now))
    return found


def unearned(
    programmes: Iterable[Programme], facts: Facts, there: Iterable[Enrolment], now: datetime
) -> list[Enrolment]:
    """Enrolments, of those there, that refunds have left without what earned them, with the earlier ends they get.

    They end with the next midnight in China, like they begin; one that has not begun by then ends where it begins. Who
    has earned the programme anew in the meantime keeps it. What a shop did longer ago than facts go is not asked again.
    """
    today = day_in_china(now)
    end = _next_start(now)
    conditions = {programme.id: programme.conditions for programme in programmes}
    found = []
    for each in there:
        asked = conditions.get(each.programme_id)
        if not isinstance(asked, ContentIncentive | GrowthTier) or each.ends_at <= end:
            continue
        if each.measured_from <= today - LOOK_BACK_DAYS * _DAY:
            continue
        if not _still_earned(asked, facts, each) and not measured(asked, facts, today).enough:
            found.append(replace(each, ends_at=max(each.starts_at, end)))
    return found


def _still_earned(conditions: Earned, facts: Facts, enrolment: Enrolment) -> bool:
    """Whether what the shop did in an enrolment's days is enough, refunds since then taken off."""
    first, last = enrolment.measured_from, enrolment.measured_to
    match conditions:
        case ContentIncentive(sessions_min):
            return sum(day >= first for day in facts.last_sold_on) >= sessions_min  # one may have sold again since
        case GrowthTier(paid_min_fen):
            return sum(fen for day, fen in facts.paid_fen.items() if first <= day <= last) >= paid_min_fen


def _next_start(now: datetime) -> datetime:
    """The next midnight in China of which everybody can know."""
    return midnight_in_china(day_in_china(now + LEAD_TIME) + _DAY)


def next_look(facts: Facts, now: datetime) -> datetime | None:
    """When to look at the shop again though nothing new came: the next day, as long as it did something that counts."""
    tomorrow = day_in_china(now) + _DAY
    oldest = tomorrow - LOOK_BACK_DAYS * _DAY
    alive = any(day > oldest for day in (*facts.paid_fen, *facts.last_sold_on))
    return midnight_in_china(tomorrow) if alive else None

"""Support programmes 商家扶持: lower rates for some shops in a time, under conditions that are data. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from fairwind.catalog import Channel
from fairwind.kernel import FEN_MAX, CategoryId, Fen, Ppm, midnight_in_china

Days = Annotated[int, Meta(ge=1, le=366)]


class NewMerchant(msgspec.Struct, frozen=True, tag_field="kind", tag="new_merchant", forbid_unknown_fields=True):
    """For a shop's first days, its day of opening included."""

    first_days: Annotated[int, Meta(ge=1, le=3660)]


class ContentIncentive(
    msgspec.Struct, frozen=True, tag_field="kind", tag="content_incentive", forbid_unknown_fields=True
):
    """Earned by at least so many live sessions that sold within so many days; lasts for some days.

    A session whose goods all went back has not sold.
    """

    sessions_min: Annotated[int, Meta(ge=1, le=10_000)]
    within_days: Days
    lasts_days: Days


class GrowthTier(msgspec.Struct, frozen=True, tag_field="kind", tag="growth_tier", forbid_unknown_fields=True):
    """Earned by goods of at least so much paid within so many days, refunds taken off; lasts for some days."""

    paid_min_fen: Annotated[Fen, Meta(ge=1, le=FEN_MAX)]
    within_days: Days
    lasts_days: Days


class CategorySupport(
    msgspec.Struct, frozen=True, tag_field="kind", tag="category_support", forbid_unknown_fields=True
):
    """For whatever is sold of the programme's categories."""


Earned = ContentIncentive | GrowthTier
"""What a shop has to earn: it is enrolled for a time, by what it did."""
Conditions = NewMerchant | ContentIncentive | GrowthTier | CategorySupport


class Programme(msgspec.Struct, frozen=True):
    """A version of a support programme. categories: empty for goods of any; a category stands for its children too.

    Never edited, but for an earlier end; ends_at: None for never.
    """

    id: int
    code: str
    version: int
    name_en: str
    name_zh: str
    rate_ppm: Ppm
    channels: tuple[Channel, ...]
    categories: tuple[CategoryId, ...]
    conditions: Conditions
    starts_at: datetime
    ends_at: datetime | None
    published_at: datetime

    def in_force(self, now: datetime) -> bool:
        return self.starts_at <= now and (self.ends_at is None or now < self.ends_at)

    def covers(self, category_id: CategoryId | None, parent_id: CategoryId | None) -> bool:
        """Whether goods of a category under parent_id are meant."""
        return not self.categories or category_id in self.categories or parent_id in self.categories


class Support(msgspec.Struct, frozen=True):
    """That a shop has a right to a programme now, and until when as far as is known; None for no end."""

    programme: Programme
    until: datetime | None


def supports(
    programmes: Iterable[Programme],
    channel: Channel,
    opened_on: date,
    enrolled_until: Mapping[int, datetime],
    now: datetime,
) -> list[Support]:
    """The programmes that a shop has a right to now. enrolled_until: by the id of a programme that it has earned."""
    found = []
    for programme in programmes:
        if not programme.in_force(now) or channel not in programme.channels:
            continue
        until = programme.ends_at
        match programme.conditions:
            case NewMerchant(first_days):
                until = _earlier(until, new_until(opened_on, first_days))
            case ContentIncentive() | GrowthTier():
                until = _earlier(until, enrolled_until.get(programme.id, now))
        if until is None or now < until:
            found.append(Support(programme, until))
    return found


def new_until(opened_on: date, first_days: int) -> datetime:
    """When a shop that opened on a day in China is no longer new."""
    return midnight_in_china(opened_on + timedelta(days=first_days))


def _earlier(end: datetime | None, other: datetime) -> datetime:
    return other if end is None else min(end, other)

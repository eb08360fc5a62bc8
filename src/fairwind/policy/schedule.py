"""Fee schedules 费率表: all rates of a time, published as one, and what a schedule must be to be published. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from fairwind.catalog import Channel
from fairwind.kernel import CategoryId, NotFound, Ppm, Refused
from fairwind.kernel.pages import BIGINT_MAX
from fairwind.kernel.rates import FEE_PPM_MAX, RateTooHigh
from fairwind.policy.fees import FeeRule
from fairwind.policy.moments import LEAD_TIME, Moment

AGE_MAX_DAYS = 3660
CategoryRef = Annotated[CategoryId, Meta(ge=1, le=BIGINT_MAX)]
Rate = Annotated[Ppm, Meta(ge=0, le=1_000_000, description="Parts per million; at most 100,000, a tenth")]
Note = Annotated[str, Meta(max_length=500, description="Why, for whoever reads it later")]


class AgesOverlap(Refused):
    """Two rates of a schedule would apply to the same shops and goods."""

    code = "ages_overlap"
    status = 422


class RatesIncomplete(Refused):
    """Some shops would have no rate."""

    code = "rates_incomplete"
    status = 422


class RateDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shops of a channel and an age shall pay for goods of a category; null: of any.

    The age is in days, from age_from_days on and below age_until_days; null: for ever.
    """

    channel: Channel
    rate_ppm: Rate
    category_id: CategoryRef | None = None
    age_from_days: Annotated[int, Meta(ge=0, le=AGE_MAX_DAYS)] = 0
    age_until_days: Annotated[int, Meta(ge=1, le=AGE_MAX_DAYS)] | None = None


class ScheduleDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A schedule to publish. id: a UUID that the client makes; sent again, it publishes nothing twice.

    rates: for each channel those for goods of any category cover every age. starts_at: null for as soon as may be.
    """

    id: UUID
    rates: Annotated[list[RateDraft], Meta(min_length=1, max_length=500)]
    starts_at: Moment | None = None
    note: Note = ""


class Schedule(msgspec.Struct, frozen=True):
    """A published schedule; ends_at: when another takes its place, as far as that is known."""

    version: int
    starts_at: datetime
    note: str
    published_at: datetime
    rules: list[FeeRule] = []
    ends_at: datetime | None = None


def refusal(draft: ScheduleDraft, known: Collection[CategoryId]) -> Refused | None:
    """Why the draft may not be published. known: those of its categories that exist."""
    by_place: dict[tuple[Channel, CategoryId | None], list[RateDraft]] = defaultdict(list)
    for rate in draft.rates:
        if rate.rate_ppm > FEE_PPM_MAX:
            return too_high(rate.rate_ppm)
        if rate.category_id is not None and rate.category_id not in known:
            return NotFound(f"there is no category {rate.category_id}")
        by_place[rate.channel, rate.category_id].append(rate)
    for (channel, category_id), rates in by_place.items():
        rates.sort(key=lambda rate: rate.age_from_days)
        if not _apart(rates):
            goods = "goods of any category" if category_id is None else f"category {category_id}"
            return AgesOverlap(
                f"two rates of {channel} for {goods} fit shops of one age; let each begin where the one before ends"
            )
    for channel in Channel:
        if not _whole(by_place[channel, None]):
            return RatesIncomplete(
                f"the rates of {channel} for goods of any category leave out shops of some age; cover all of them"
            )
    return None


def too_high(rate_ppm: Ppm) -> RateTooHigh:
    return RateTooHigh(f"{rate_ppm} ppm is above {FEE_PPM_MAX} ppm, the most that a service fee may be; ask for less")


def _apart(rates: Sequence[RateDraft]) -> bool:
    """Whether rates, by age, never fit the same shop."""
    return all(rate.age_until_days is None or rate.age_from_days < rate.age_until_days for rate in rates) and all(
        earlier.age_until_days is not None and earlier.age_until_days <= later.age_from_days
        for earlier, later in pairwise(rates)
    )


def _whole(rates: Sequence[RateDraft]) -> bool:
    """Whether rates, by age and apart, fit every shop."""
    return (
        len(rates) > 0
        and rates[0].age_from_days == 0
        and rates[-1].age_until_days is None
        and all(earlier.age_until_days == later.age_from_days for earlier, later in pairwise(rates))
    )


def same(draft: ScheduleDraft, there: Schedule) -> bool:
    """Whether the draft is what was published as `there`."""
    starts_at = there.published_at + LEAD_TIME if draft.starts_at is None else draft.starts_at
    drawn = {(r.channel, r.category_id, r.age_from_days, r.age_until_days, r.rate_ppm) for r in draft.rates}
    known = {(r.channel, r.category_id, r.age_from_days, r.age_until_days, r.rate_ppm) for r in there.rules}
    return (drawn, draft.note, starts_at) == (known, there.note, there.starts_at)


def timeline(schedules: Iterable[Schedule], now: datetime) -> list[Schedule]:
    """The schedule in force and those to come, in the order in which they begin, each with its end.

    A version takes the place of all before it from its start on, so that one of them that would begin later never does.
    """
    found: list[Schedule] = []
    for schedule in sorted(schedules, key=lambda each: each.version, reverse=True):
        ends_at = found[-1].starts_at if found else None
        if ends_at is not None and ends_at <= max(schedule.starts_at, now):
            continue
        found.append(replace(schedule, ends_at=ends_at))
    return found[::-1]

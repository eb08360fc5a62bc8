"""What a support programme must be to be published, and how it ends. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from fairwind.catalog import Channel
from fairwind.kernel import CategoryId, Invalid, NotFound, Refused
from fairwind.kernel.rates import FEE_PPM_MAX
from fairwind.policy.moments import AHEAD_MAX, LEAD_TIME, Moment, TooSoon
from fairwind.policy.programme import CategorySupport, Conditions, Programme
from fairwind.policy.schedule import CategoryRef, Rate, too_high

Code = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9-]{1,39}$",
        description="Names the programme through its versions",
        examples=["new-merchant"],
    ),
]
Name = Annotated[
    str, Meta(min_length=1, max_length=60, pattern=r"^\S[^\x00-\x1f\x7f-\x9f]*$", examples=["new-merchant"])
]


class ProgrammeOverlaps(Refused):
    """A programme of this code has a time that meets the one asked for."""

    code = "programme_overlaps"
    status = 409


class ProgrammeEnded(Refused):
    """The programme ends earlier already; an end is only ever brought forward."""

    code = "programme_ended"
    status = 409


class ProgrammeDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A support programme to publish. id: a UUID that the client makes; sent again, it publishes nothing twice.

    categories: empty for goods of any. starts_at: null for as soon as may be. ends_at: null for never.
    """

    id: UUID
    code: Code
    name_en: Name
    name_zh: Name
    rate_ppm: Rate
    channels: Annotated[list[Channel], Meta(min_length=1, max_length=len(Channel))]
    conditions: Conditions
    categories: Annotated[list[CategoryRef], Meta(max_length=500)] = []
    starts_at: Moment | None = None
    ends_at: Moment | None = None


class ProgrammeEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a programme shall end; null: as soon as may be."""

    ends_at: Moment | None = None


def refusal(
    draft: ProgrammeDraft, starts_at: datetime, known: Collection[CategoryId], others: Sequence[Programme]
) -> Refused | None:
    """Why the draft may not be published to begin at starts_at.

    known: those of its categories that exist. others: all versions of its code.
    """
    if draft.rate_ppm > FEE_PPM_MAX:
        return too_high(draft.rate_ppm)
    for category_id in draft.categories:
        if category_id not in known:
            return NotFound(f"there is no category {category_id}")
    if isinstance(draft.conditions, CategorySupport) and not draft.categories:
        return Invalid("categories: category support is for some categories; name them")
    if draft.ends_at is not None and not starts_at < draft.ends_at <= starts_at + AHEAD_MAX:
        return Invalid("ends_at: a programme ends after it began, and within ten years of that")
    for other in others:
        if _meet(other, starts_at, draft.ends_at):
            return ProgrammeOverlaps(
                f"{other.code} {_period(other)} already; end that first, or choose a time that does not meet it",
                programme_id=other.id,
            )
    return None


def _meet(other: Programme, starts_at: datetime, ends_at: datetime | None) -> bool:
    return (
        other.starts_at != other.ends_at
        and (other.ends_at is None or starts_at < other.ends_at)
        and (ends_at is None or other.starts_at < ends_at)
    )


def _period(programme: Programme) -> str:
    until = "" if programme.ends_at is None else f" until {programme.ends_at.isoformat()}"
    return f"runs from {programme.starts_at.isoformat()}{until}"


def same(draft: ProgrammeDraft, there: Programme) -> bool:
    """Whether the draft is what was published as `there`; its end may have come forward since."""
    starts_at = there.published_at + LEAD_TIME if draft.starts_at is None else draft.starts_at
    words = ("code", "name_en", "name_zh", "rate_ppm", "conditions")
    return (
        all(getattr(draft, name) == getattr(there, name) for name in words)
        and {*draft.channels} == {*there.channels}
        and {*draft.categories} == {*there.categories}
        and starts_at == there.starts_at
        and (draft.ends_at is None or (there.ends_at is not None and there.ends_at <= draft.ends_at))
    )


def end_of(programme: Programme, asked: datetime | None, now: datetime) -> datetime:
    """When the programme ends from now on; one that has not begun is withdrawn: it ends as it begins.

    Raises TooSoon; ProgrammeEnded when it would be later than it is. Asked again for the same end, that stays.
    """
    soonest = now + LEAD_TIME
    if programme.ends_at is not None and (
        asked == programme.ends_at or (asked is None and programme.ends_at <= max(soonest, programme.starts_at))
    ):
        return programme.ends_at
    if asked is not None and asked < soonest:
        raise TooSoon(
            f"{asked.isoformat()} is not a minute from now; name a later time, or none for as soon as may be",
            earliest=soonest.isoformat(),
        )
    ends_at = max(programme.starts_at, asked or soonest)
    if programme.ends_at is not None and ends_at > programme.ends_at:
        raise ProgrammeEnded(
            f"the programme ends at {programme.ends_at.isoformat()}; an end only comes forward, so publish another",
            ends_at=programme.ends_at.isoformat(),
        )
    return ends_at

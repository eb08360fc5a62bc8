"""The platform's share of commissions: versions, each in force until the next takes effect. Pure.

A share that rises takes from creators, so it begins at the next midnight in China at the earliest, as a cut does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from fairwind.alliance.versions import next_midnight
from fairwind.kernel import PPM_WHOLE, Invalid, PersonId, Ppm


class FeeDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The platform's share from effective_from on; as soon as may be when absent."""

    rate_ppm: Annotated[Ppm, Meta(ge=0, le=PPM_WHOLE)]
    effective_from: Annotated[datetime, Meta(tz=True)] | None = None


class AllianceFee(msgspec.Struct, frozen=True):
    """What the platform keeps of each commission from effective_from on. set_by: null for what was there first."""

    version: int
    rate_ppm: Ppm
    set_by: PersonId | None
    set_at: datetime
    effective_from: datetime


def in_force(fees: Sequence[AllianceFee], at: datetime) -> AllianceFee:
    """The share in force at a moment; there has always been one."""
    begun = [fee for fee in fees if fee.effective_from <= at]
    return max(begun, key=lambda fee: (fee.effective_from, fee.version))


def set_fee(fees: Sequence[AllianceFee], draft: FeeDraft, person_id: PersonId, now: datetime) -> AllianceFee | Invalid:
    """The next version. The one that was set last, set again, stays as it is."""
    last = max(fees, key=lambda fee: fee.version)
    now = max(now, last.set_at)
    if draft.rate_ppm == last.rate_ppm and draft.effective_from in (None, last.effective_from):
        return last
    # What waits may begin before this one does, so it counts as well.
    lowest_ppm = min(fee.rate_ppm for fee in (in_force(fees, now), *(fee for fee in fees if fee.effective_from > now)))
    earliest = next_midnight(now) if draft.rate_ppm > lowest_ppm else now
    effective_from = draft.effective_from or earliest
    if effective_from < earliest:
        return Invalid(f"effective_from: this share begins at {earliest.isoformat()} at the earliest")
    return AllianceFee(last.version + 1, draft.rate_ppm, person_id, now, effective_from)

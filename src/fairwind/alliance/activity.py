"""Agency activities 团长活动: an agency recruits goods, shops join products to it on its terms or better. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, NewType
from uuid import UUID

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from fairwind.alliance.plan import AGENCY_MAX_PPM, CREATOR_MAX_PPM, Kind, Terms
from fairwind.kernel import Forbidden, PersonId, Ppm, Refused
from fairwind.kernel.rates import COMMISSION_PPM_MAX

ActivityId = NewType("ActivityId", UUID)


class ActivityClosed(Refused):
    """The activity takes no more goods."""

    code = "activity_closed"
    status = 409


class BelowActivity(Refused):
    """The shop offers less than the activity asks for."""

    code = "below_activity"
    status = 422


class ActivityDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an agency asks of goods: at least creator_ppm_min for creators and agency_ppm_min for itself."""

    title: Annotated[str, Meta(min_length=1, max_length=60, examples=["秋冬家居招商"])]
    creator_ppm_min: Annotated[Ppm, Meta(ge=0, le=CREATOR_MAX_PPM[Kind.ACTIVITY])]
    agency_ppm_min: Annotated[Ppm, Meta(ge=0, le=AGENCY_MAX_PPM)]


class Activity(msgspec.Struct, frozen=True):
    """An activity of an agency. closed_at: since when no more goods join; those in it stay until their plans end."""

    id: ActivityId
    agency_id: PersonId
    title: str
    creator_ppm_min: Ppm
    agency_ppm_min: Ppm
    created_at: datetime
    closed_at: datetime | None = None

    def opened_by(self, draft: ActivityDraft, agency_id: PersonId) -> bool:
        """Whether this is what the draft asked for."""
        asked = (agency_id, draft.title, draft.creator_ppm_min, draft.agency_ppm_min)
        return asked == (self.agency_id, self.title, self.creator_ppm_min, self.agency_ppm_min)


def close(activity: Activity, person_id: PersonId, now: datetime) -> Activity | Refused:
    """The activity closed; closing it again changes nothing."""
    if activity.agency_id != person_id:
        return Forbidden("only the agency whose activity it is closes it")
    return activity if activity.closed_at else replace(activity, closed_at=max(now, activity.created_at))


def refusal_to_join(activity: Activity, terms: Terms, *, joined: bool) -> Refused | None:
    """Why a product may not be in the activity on these terms, or None. joined: it is in it already."""
    if activity.closed_at is not None and not joined:
        return ActivityClosed("the activity takes no more goods; look for another one")
    if terms.creator_ppm < activity.creator_ppm_min or terms.agency_ppm < activity.agency_ppm_min:
        return BelowActivity(
            f"the activity asks for at least {activity.creator_ppm_min} ppm for creators and "
            f"{activity.agency_ppm_min} ppm for its agency",
            creator_ppm_min=activity.creator_ppm_min,
            agency_ppm_min=activity.agency_ppm_min,
        )
    return None


assert CREATOR_MAX_PPM[Kind.ACTIVITY] + AGENCY_MAX_PPM <= COMMISSION_PPM_MAX

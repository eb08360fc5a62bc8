"""Commission plans 分佣计划: their kinds, what they may promise, and what a creator's sales make of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from fairwind.kernel import Fen, Invalid, PersonId, PlanId, Ppm, ProductId, Refused, ShopId, portion
from fairwind.kernel.rates import COMMISSION_PPM_MAX, RateTooHigh

AGENCY_MAX_PPM = Ppm(400_000)
STEPS_MAX = 5
REACHED_MAX = 10**12


class Kind(StrEnum):
    """For whom a plan is. A product has one live plan of a kind; of activities, one per agency."""

    ORDINARY = "ordinary"
    """普通计划: any creator."""
    TARGETED = "targeted"
    """定向计划: creators whom the shop names, or who apply and are approved. Needs a live ordinary plan."""
    EXCLUSIVE = "exclusive"
    """专属计划: one creator. While it is in force nobody else earns."""
    ACTIVITY = "activity"
    """团长活动: creators who pick through an agency's activity; the agency earns its fee."""


CREATOR_MAX_PPM: Mapping[Kind, Ppm] = {
    Kind.ORDINARY: Ppm(500_000),
    Kind.TARGETED: Ppm(800_000),
    Kind.EXCLUSIVE: Ppm(800_000),
    Kind.ACTIVITY: Ppm(500_000),
}

CreatorPpm = Annotated[Ppm, Meta(ge=0, le=800_000)]
AgencyPpm = Annotated[Ppm, Meta(ge=0, le=400_000)]


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From `reached` pieces or fen on, the creator has creator_ppm."""

    reached: Annotated[int, Meta(ge=1, le=REACHED_MAX)]
    creator_ppm: CreatorPpm


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a plan promises of the commission base: creator_ppm to the creator, agency_ppm to an activity's agency.

    steps 阶梯: higher rates from what the creator has sold under the plan, counted by steps_by: pieces or paid fen,
    less what refunds undid.
    """

    creator_ppm: CreatorPpm
    agency_ppm: AgencyPpm = Ppm(0)
    steps_by: Literal["quantity", "gmv"] | None = None
    steps: Annotated[tuple[Step, ...], Meta(max_length=STEPS_MAX)] = ()

    def rate(self, quantity: int, gmv_fen: int) -> Ppm:
        """The rate of a creator who has sold so much under the plan."""
        return self.rate_at(gmv_fen if self.steps_by == "gmv" else quantity)

    def rate_at(self, reached: int) -> Ppm:
        """The rate at so many of what the steps count."""
        rate_ppm = self.creator_ppm
        for step in self.steps:
            if reached < step.reached:
                break
            rate_ppm = step.creator_ppm
        return rate_ppm

    @property
    def highest_ppm(self) -> Ppm:
        """The rate of the last step."""
        return self.steps[-1].creator_ppm if self.steps else self.creator_ppm


class Plan(msgspec.Struct, frozen=True):
    """A promise of a product's shop. creator_id: of an exclusive plan; activity_id, agency_id: of an activity's.

    ends_at: since when it has ended, or will have.
    """

    shop_id: ShopId
    id: PlanId
    product_id: ProductId
    kind: Kind
    creator_id: PersonId | None
    activity_id: UUID | None
    agency_id: PersonId | None
    made_at: datetime
    ends_at: datetime | None = None

    def live(self, at: datetime) -> bool:
        """Whether it has not ended; its first version may be yet to take effect."""
        return self.ends_at is None or at < self.ends_at


def terms_refusal(kind: Kind, terms: Terms) -> Refused | None:
    """Why a plan of this kind may not promise terms, or None."""
    if (terms.steps_by is None) != (not terms.steps):
        return Invalid("steps_by: say it when there are steps, and only then")
    rates = [terms.creator_ppm, *(step.creator_ppm for step in terms.steps)]
    if not _rising(step.reached for step in terms.steps) or not _rising(rates):
        return Invalid(
            "steps: each begins later and has a higher rate than the one before; leave out those that do not"
        )
    highest_ppm = CREATOR_MAX_PPM[kind]
    if terms.highest_ppm > highest_ppm:
        return RateTooHigh(f"creator_ppm: a plan of kind {kind} gives at most {highest_ppm}", highest_ppm=highest_ppm)
    if kind is not Kind.ACTIVITY and terms.agency_ppm:
        return Invalid("agency_ppm: only an agency's activity pays one; leave it out")
    if terms.agency_ppm > AGENCY_MAX_PPM:
        return RateTooHigh(f"agency_ppm: an agency has at most {AGENCY_MAX_PPM}", highest_ppm=AGENCY_MAX_PPM)
    if terms.highest_ppm + terms.agency_ppm > COMMISSION_PPM_MAX:
        return RateTooHigh(
            f"creator_ppm and agency_ppm: together they are at most {COMMISSION_PPM_MAX}",
            highest_ppm=COMMISSION_PPM_MAX,
        )
    return None


def fall_ppm(before: Terms, after: Terms) -> int:
    """The most that the rate of any creator falls from before to after; 0 or less when nobody's does.

    Where the two count different things, a creator may be far by one count and at the beginning by the other.
    """
    if before.steps and after.steps and before.steps_by != after.steps_by:
        return before.highest_ppm - after.creator_ppm
    turns = [0, *(step.reached for step in (*before.steps, *after.steps))]
    return max(before.rate_at(reached) - after.rate_at(reached) for reached in turns)


def takes_away(before: Terms | None, after: Terms | None) -> bool:
    """Whether anybody, creator or agency, has less after than before; None: the plan promises nothing."""
    if before is None:
        return False
    return after is None or fall_ppm(before, after) > 0 or after.agency_ppm < before.agency_ppm


def earning_fen(price_fen: Fen, creator_ppm: Ppm, alliance_ppm: Ppm) -> Fen:
    """What one piece earns its creator after the platform's share: both shares round down, as when a line settles."""
    gross_fen = portion(price_fen, creator_ppm)
    return Fen(gross_fen - portion(gross_fen, alliance_ppm))


def _rising(values: Iterable[int]) -> bool:
    listed = list(values)
    return all(lower < higher for lower, higher in pairwise(listed))

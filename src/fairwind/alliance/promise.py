"""A product's plans as one: what publishing and ending do to them, seen together. Pure.

What holds over the plans of a product: one live plan of a kind (of activities, one per agency); a targeted plan lives
no longer than the ordinary one; an exclusive plan that would take from creators with other plans begins tomorrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec.structs import replace

from fairwind.alliance.plan import Kind, Plan, Terms, terms_refusal
from fairwind.alliance.versions import Change, Version, in_force, publish
from fairwind.kernel import Forbidden, PersonId, PlanId, ProductId, Refused, ShopId


class PlanLive(Refused):
    """Another plan stands where this one would."""

    code = "plan_live"
    status = 409


class OrdinaryNeeded(Refused):
    """A targeted plan needs a live ordinary plan on its product for as long as it lives."""

    code = "ordinary_needed"
    status = 409


class Publishing(msgspec.Struct, frozen=True):
    """Who promises what for a product. creator_id: of an exclusive plan; activity_id, agency_id: of an activity's."""

    product_id: ProductId
    kind: Kind
    terms: Terms
    person_id: PersonId
    creator_id: PersonId | None = None
    activity_id: UUID | None = None
    agency_id: PersonId | None = None


class Ending(msgspec.Struct, frozen=True):
    """Who ends which plan. agency_id: the agency, when it takes the product out of its activity."""

    plan_id: PlanId
    person_id: PersonId
    agency_id: PersonId | None = None


@dataclass
class Dated:
    """A plan with its versions, oldest first."""

    plan: Plan
    versions: list[Version]
    fresh: bool = False

    def live(self, at: datetime) -> bool:
        present = in_force(self.versions, at)
        return self.plan.live(at) and (present is None or present.terms is not None)


@dataclass
class Promises:
    """The plans of one product, and what a batch changes of them."""

    shop_id: ShopId
    product_id: ProductId
    plans: list[Dated]
    added: list[tuple[PlanId, Version]] = field(default_factory=list)
    superseded: list[tuple[PlanId, Version]] = field(default_factory=list)
    ended: dict[PlanId, Plan] = field(default_factory=dict)

    def publish(self, item: Publishing, new_id: PlanId, now: datetime) -> Dated | Refused:
        """Publish terms: a version of the live plan of this kind, or the first of a new plan under new_id."""
        if no := terms_refusal(item.kind, item.terms):
            return no
        ordinary = self._live(Kind.ORDINARY, None, now)
        if item.kind is Kind.TARGETED and (ordinary is None or ordinary.plan.ends_at is not None):
            return OrdinaryNeeded("a targeted plan needs an ordinary one that goes on; publish that first")
        there = self._live(item.kind, item.agency_id, now)
        if there is None:
            plan = Plan(
                self.shop_id,
                new_id,
                self.product_id,
                item.kind,
                item.creator_id,
                item.activity_id,
                item.agency_id,
                now,
            )
            there = Dated(plan, [], fresh=True)
        elif (there.plan.creator_id, there.plan.activity_id) != (item.creator_id, item.activity_id):
            return PlanLive(
                f"plan {there.plan.id} stands here for another "
                f"{'creator' if item.kind is Kind.EXCLUSIVE else 'activity of the agency'}; end it first",
                plan_id=there.plan.id,
            )
        waits = item.kind is Kind.EXCLUSIVE and any(each.live(now) for each in self.plans if each is not there)
        change = publish(
            item.kind, there.versions, item.terms, item.person_id, now, waits=waits, former=self._former(item, there)
        )
        if isinstance(change, Refused):
            return change
        if there.fresh and not any(each is there for each in self.plans):
            self.plans.append(there)
        return self._changed(there, change)

    def end(self, item: Ending, now: datetime) -> Dated | Refused:
        """End one of the plans; ending it again changes nothing."""
        there = next(each for each in self.plans if each.plan.id == item.plan_id)
        plan = there.plan
        if item.agency_id is not None and item.agency_id != plan.agency_id:
            return Forbidden("only the agency whose activity it is takes goods out of it")
        if not there.live(now):
            return there
        change = publish(plan.kind, there.versions, None, item.person_id, now)
        assert not isinstance(change, Refused), "ending is never refused by the plan's own versions"
        targeted = self._live(Kind.TARGETED, None, now)
        if plan.kind is Kind.ORDINARY and targeted is not None:
            ends_at = targeted.plan.ends_at
            if ends_at is None or ends_at > change.version.effective_from:
                return OrdinaryNeeded(f"the targeted plan {targeted.plan.id} needs this one; end that first")
        return self._changed(there, change)

    def _changed(self, there: Dated, change: Change) -> Dated:
        if not change.fresh:
            return there
        plan, version = there.plan, change.version
        if change.superseded is not None:
            there.versions[change.superseded.version - 1] = change.superseded
            self.superseded.append((plan.id, change.superseded))
        there.versions.append(version)
        self.added.append((plan.id, version))
        ends_at = version.effective_from if version.terms is None else None
        if ends_at != plan.ends_at:
            there.plan = self.ended[plan.id] = replace(plan, ends_at=ends_at)
        return there

    def _live(self, kind: Kind, agency_id: PersonId | None, at: datetime) -> Dated | None:
        live = [
            each for each in self.plans if each.plan.kind is kind and each.plan.agency_id == agency_id and each.live(at)
        ]
        assert len(live) <= 1, "one live plan of a kind"
        return live[0] if live else None

    def _former(self, item: Publishing, there: Dated) -> Sequence[Version]:
        """The versions of the creator's exclusive plan before this one, if that is among the plans still looked at."""
        former = [
            each
            for each in self.plans
            if item.kind is Kind.EXCLUSIVE and each is not there and each.plan.creator_id == item.creator_id
        ]
        return former[-1].versions if former else ()

"""Who earns what of a sale: one answer for each product and creator, or the reason why there is none. Pure.

Of the plans in force an exclusive one goes before a targeted one, that before the activity that the creator picked
through, that before the ordinary one. Without a live pick nobody earns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from fairwind.alliance.plan import Kind
from fairwind.kernel import PersonId, PlanId, Ppm, ProductId

NO_PLAN = "no_plan"
"""No plan of the product is in force."""
EXCLUSIVE_TO_OTHER = "exclusive_to_other"
"""An exclusive plan with another creator is in force."""
NOT_PICKED = "not_picked"
"""The creator has no live pick of the product."""
NOT_FOR_CREATOR = "not_for_creator"
"""Plans are in force, but none that this creator takes part in or picked through."""
OWN_PURCHASE = "own_purchase"
"""The creator is the buyer."""


class Commission(msgspec.Struct, frozen=True):
    """What a creator earns of a sale placed now, in ppm of the commission base.

    agency_id, agency_ppm: the activity's agency and its part of the base, beside the creator's. alliance_ppm: the
    platform's part of the creator's commission. mcn_id, mcn_ppm: the creator's MCN and its part of what is left of the
    commission then. head: the creator belongs to the head, and gets nothing of the stock kept for others.
    """

    plan_id: PlanId
    version: int
    creator_ppm: Ppm
    agency_id: PersonId | None
    agency_ppm: Ppm
    alliance_ppm: Ppm
    mcn_id: PersonId | None
    mcn_ppm: Ppm
    head: bool


class Standing(msgspec.Struct, frozen=True):
    """One plan in force as it stands to a creator. open: they may earn by it, once they have picked the product."""

    kind: Kind
    open: bool
    commission: Commission


class Commissions:
    """The commissions of a batch's products and creators."""

    __slots__ = ("_found",)

    def __init__(self, found: Mapping[tuple[ProductId, PersonId], Commission | str]) -> None:
        self._found = found

    def of(self, product_id: ProductId, creator_id: PersonId) -> Commission | str:
        """What the creator earns of the product, or the code of the reason why nothing; asked for with the batch."""
        return self._found[product_id, creator_id]


_PRECEDENCE = (Kind.EXCLUSIVE, Kind.TARGETED, Kind.ACTIVITY, Kind.ORDINARY)


def decide(picked: bool, standings: Sequence[Standing]) -> Commission | str:
    """What a creator earns by the plans in force of a product, at most one of them an exclusive one."""
    if not standings:
        return NO_PLAN
    exclusive = [standing for standing in standings if standing.kind is Kind.EXCLUSIVE]
    assert len(exclusive) <= 1
    if exclusive and not exclusive[0].open:
        return EXCLUSIVE_TO_OTHER
    if not picked:
        return NOT_PICKED
    for kind in _PRECEDENCE:
        for standing in standings:
            if standing.kind is kind and standing.open:
                return standing.commission
    return NOT_FOR_CREATOR

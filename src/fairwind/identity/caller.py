"""Who calls, and what each kind of route asks of them. Pure."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property

import msgspec

from fairwind.kernel import Forbidden, PersonId, Refused, ShopId, SignInNeeded


class Role(StrEnum):
    """What a person may act as; a person may have several."""

    BUYER = "buyer"
    CREATOR = "creator"
    MERCHANT = "merchant"
    AGENCY = "agency"
    OPERATOR = "operator"


class Access(StrEnum):
    """Who may call a route: `opt={"access": Access.BUYER}`. A route without it does not start."""

    PUBLIC = "public"
    """Anyone."""
    SIGNED_IN = "signed_in"
    """Anyone who has signed in."""
    BUYER = "buyer"
    CREATOR = "creator"
    MERCHANT = "merchant"
    AGENCY = "agency"
    OPERATOR = "operator"
    SHOP_MEMBER = "shop_member"
    """A member of the shop in the path parameter `shop_id`, or an operator."""
    PROVIDER = "provider"
    """A payment provider; the handler checks its signature."""


_OPEN = {Access.PUBLIC, Access.PROVIDER}


class OnlyMembers(Refused):
    """A shop is bound by its own members only, not by an operator."""

    code = "only_members"
    status = 409


class Caller(msgspec.Struct, frozen=True, dict=True):
    """Whoever makes a request: a person with their roles and shops, or nobody."""

    person_id: PersonId | None
    roles: frozenset[Role] = frozenset()
    shop_ids: frozenset[ShopId] = frozenset()

    @cached_property
    def person(self) -> PersonId:
        """The person's id; SignInNeeded for nobody."""
        if self.person_id is None:
            raise SignInNeeded("sign in first: POST /sessions with your login and password")
        return self.person_id

    def runs(self, shop_id: ShopId) -> bool:
        """Whether the caller may see and change what belongs to the shop."""
        return shop_id in self.shop_ids or Role.OPERATOR in self.roles

    def speak_for(self, shop_id: ShopId) -> None:
        """Raise OnlyMembers unless the caller binds the shop: an operator may look at everything, and decides nothing
        that takes the shop's word beside the platform's.
        """
        if shop_id not in self.shop_ids:
            raise OnlyMembers(f"only a member of shop {shop_id} speaks for it here; ask one of them")

    def check(self, access: Access, shop_id: ShopId | None = None) -> None:
        """Raise SignInNeeded or Forbidden unless the caller may pass."""
        if access in _OPEN:
            return
        _ = self.person
        if access is Access.SIGNED_IN:
            return
        if access is Access.SHOP_MEMBER:
            assert shop_id is not None, "a route with Access.SHOP_MEMBER has {shop_id:int} in its path"
            self.check_shop(shop_id)
        elif access.value not in self.roles:
            raise Forbidden(f"this needs the role {access.value}; sign in as someone who has it")

    def check_shop(self, shop_id: ShopId) -> None:
        """Raise Forbidden unless the caller runs the shop; for handlers that learn the shop inside."""
        if not self.runs(shop_id):
            raise Forbidden("this belongs to a shop that you are not a member of; ask its owner to add you")


NOBODY = Caller(None)

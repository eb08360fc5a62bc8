"""People as the API shows them, and what signing up and in takes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from fairwind.identity.caller import Role
from fairwind.kernel import PersonId, Refused, ShopId


class Person(msgspec.Struct, frozen=True):
    """A person, as they see themselves and operators see them."""

    id: PersonId
    login: str
    name: str
    roles: list[Role]
    shop_ids: list[ShopId]
    created_at: datetime


class Member(msgspec.Struct, frozen=True):
    """A person who may act for a shop."""

    person_id: PersonId
    name: str
    granted_at: datetime


class SignUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a new person gives."""

    login: Annotated[
        str,
        Meta(
            min_length=3, max_length=64, description="Email address, phone number or name", examples=["lin@example.com"]
        ),
    ]
    password: Annotated[
        str, Meta(min_length=8, max_length=128, description="Not the login", examples=["correct horse battery"])
    ]
    name: Annotated[str, Meta(min_length=1, max_length=64, description="Shown to others", examples=["林小姐"])]
    roles: Annotated[
        list[Literal["buyer", "creator", "merchant", "agency"]],
        Meta(min_length=1, max_length=4, description="What they come for; operators are made by operators"),
    ] = msgspec.field(default_factory=lambda: ["buyer"])


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What someone signs in with."""

    login: Annotated[str, Meta(max_length=256, examples=["lin@example.com"])]
    password: Annotated[str, Meta(max_length=256, examples=["correct horse battery"])]


class NewPerson(msgspec.Struct, frozen=True):
    """Someone to be kept: clean, and with the password hashed."""

    login: str
    name: str
    password_hash: str
    roles: frozenset[Role]


class Grant(NamedTuple):
    """A role for a person."""

    person_id: PersonId
    role: Role


class LoginTaken(Refused):
    """Someone has this login already."""

    code = "login_taken"
    status = 409


class LastMember(Refused):
    """The shop would be left to nobody."""

    code = "last_member"
    status = 409


class WrongCredentials(Refused):
    """Login and password do not belong together. The answer is the same for a login that nobody has."""

    code = "wrong_credentials"
    status = 401


class TooManyAttempts(Refused):
    """Too many sign-ins failed for this login or from this address; retry_after_s says when to come again."""

    code = "too_many_attempts"
    status = 429


def asked_roles(names: Iterable[str]) -> frozenset[Role]:
    return frozenset(Role(name) for name in names)

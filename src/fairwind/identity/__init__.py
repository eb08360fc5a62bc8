"""Identity: people, their roles and shops, and who is calling.

Invariants: a login belongs to one person, whatever its case or width; a session is known by the hash of its token
only, and is looked up anew for each request, so that signing out and taking a role away work at once and everywhere;
failed sign-ins are counted in the database before the password is checked.
"""

from fairwind.identity.caller import NOBODY, Access, Caller, OnlyMembers, Role
from fairwind.identity.commands import (
    create_people,
    grant_membership,
    grant_roles,
    members,
    open_sessions,
    revoke_membership,
)
from fairwind.identity.identity import Identity, network
from fairwind.identity.logins import clean_login, clean_name, clean_password
from fairwind.identity.passwords import hash_password
from fairwind.identity.people import Grant, LastMember, LoginTaken, Member, NewPerson, Person
from fairwind.identity.routes import HANDLERS, SESSION_COOKIE
from fairwind.kernel import Platform, Wiring

__all__ = [
    "NOBODY",
    "SESSION_COOKIE",
    "Access",
    "Caller",
    "Grant",
    "Identity",
    "LastMember",
    "LoginTaken",
    "Member",
    "NewPerson",
    "OnlyMembers",
    "Person",
    "Role",
    "clean_login",
    "clean_name",
    "clean_password",
    "create_people",
    "grant_membership",
    "grant_roles",
    "hash_password",
    "members",
    "network",
    "open_sessions",
    "revoke_membership",
    "wire",
]


def wire(platform: Platform) -> Wiring:
    return Wiring(handlers=HANDLERS, provides={"identity": Identity(platform)})

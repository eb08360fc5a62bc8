"""What changes identity: batches in, one outcome per item."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from fairwind.identity import store
from fairwind.identity.caller import NOBODY, Caller, Role
from fairwind.identity.logins import login_key
from fairwind.identity.people import Grant, LastMember, LoginTaken, Member, NewPerson, Person
from fairwind.kernel import NotFound, PersonId, Refused, Row, ShopId, Transaction, next_ids

_SEEN_EVERY = timedelta(hours=1)
"""A session's end moves ahead at most this often: reading stays reading."""


async def create_people(tx: Transaction, drafts: Sequence[NewPerson], now: datetime) -> Sequence[Person | Refused]:
    """Keep new people; of two with one login the first is kept, the other is LoginTaken."""
    ids = [PersonId(n) for n in await next_ids(tx, len(drafts))]
    kept = await store.insert_people(
        tx,
        ids,
        [draft.login for draft in drafts],
        [login_key(draft.login) for draft in drafts],
        [draft.name for draft in drafts],
        [draft.password_hash for draft in drafts],
        now,
    )
    outcomes = [
        Person(person_id, draft.login, draft.name, sorted(draft.roles), [], now)
        if person_id in kept
        else LoginTaken(f"someone has the login {draft.login} already; choose another or sign in", field="login")
        for person_id, draft in zip(ids, drafts, strict=True)
    ]
    grants = [Grant(person.id, role) for person in outcomes if isinstance(person, Person) for role in person.roles]
    await store.insert_roles(tx, grants, now)
    return outcomes


async def grant_roles(tx: Transaction, grants: Sequence[Grant], now: datetime) -> Sequence[Person | Refused]:
    """Give roles; giving one again changes nothing."""
    there = {row.id for row in await store.people(tx, [grant.person_id for grant in grants])}
    await store.insert_roles(tx, [grant for grant in grants if grant.person_id in there], now)
    return await people(tx, [grant.person_id for grant in grants])


async def revoke_roles(tx: Transaction, grants: Sequence[Grant]) -> Sequence[Person | Refused]:
    """Take roles away, at once and everywhere; taking one that is not there changes nothing."""
    await store.delete_roles(tx, grants)
    return await people(tx, [grant.person_id for grant in grants])


async def people(tx: Transaction, ids: Sequence[PersonId]) -> Sequence[Person | Refused]:
    """People by id; NotFound for ids that nobody has."""
    found = {row.id: person(row) for row in await store.people(tx, ids)}
    return [found.get(person_id) or NotFound(f"there is no person {person_id}") for person_id in ids]


def person(row: Row) -> Person:
    return Person(row.id, row.login, row.name, [Role(role) for role in row.roles], row.shop_ids, row.created_at)


async def grant_membership(tx: Transaction, shop_id: ShopId, person_id: PersonId, now: datetime) -> None:
    """Make person_id a member of shop_id; once is enough. Raises NotFound."""
    if not await store.people(tx, [person_id]):
        raise NotFound(f"there is no person {person_id}")
    await store.insert_membership(tx, shop_id, person_id, now)


async def revoke_membership(tx: Transaction, shop_id: ShopId, person_id: PersonId) -> None:
    """Take person_id out of shop_id's members, at once and everywhere; raises LastMember."""
    if await store.members_locked(tx, shop_id) == {person_id}:
        raise LastMember("a shop keeps at least one member; add another before this one leaves")
    await store.delete_membership(tx, shop_id, person_id)


async def members(tx: Transaction, shop_id: ShopId, after: PersonId, limit: int) -> list[Member]:
    """The shop's members by id, after `after`."""
    return [Member(*row) for row in await store.members_after(tx, shop_id, after, limit)]


async def open_sessions(tx: Transaction, person_ids: Sequence[PersonId], now: datetime, ttl: timedelta) -> list[str]:
    """Sign people in; answers a token for each, which is the value of their cookie and kept nowhere."""
    tokens = [secrets.token_urlsafe(32) for _ in person_ids]
    await store.insert_sessions(tx, [hash_token(token) for token in tokens], person_ids, now, ttl)
    return tokens


async def callers(tx: Transaction, token_hashes: Sequence[bytes], now: datetime, ttl: timedelta) -> list[Caller]:
    """Whose sessions these are; NOBODY for one that is unknown, signed out or expired."""
    rows = await store.sessions(tx, token_hashes, now)
    found = {
        row.token_hash: Caller(row.person_id, frozenset(map(Role, row.roles)), frozenset(row.shop_ids)) for row in rows
    }
    if due := [row.token_hash for row in rows if row.seen_at <= now - _SEEN_EVERY]:
        await store.extend_sessions(tx, due, now, ttl)
    return [found.get(token_hash, NOBODY) for token_hash in token_hashes]


def hash_token(token: str) -> bytes:
    return sha256(token.encode()).digest()

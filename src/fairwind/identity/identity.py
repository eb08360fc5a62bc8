"""The door of a running server: signing up, in and out, and who is calling."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from math import ceil

from fairwind.identity import commands, store
from fairwind.identity.caller import NOBODY, Caller, Role
from fairwind.identity.logins import clean_login, clean_name, clean_password, login_key, normal
from fairwind.identity.passwords import Passwords
from fairwind.identity.people import (
    Grant,
    NewPerson,
    Person,
    SignIn,
    SignUp,
    TooManyAttempts,
    WrongCredentials,
    asked_roles,
)
from fairwind.kernel import PersonId, Platform, Refused, Row, ShopId, Transaction, accepted

EVERYONE = ShopId(0)
"""The lane of what belongs to no shop."""
WINDOW = timedelta(minutes=5)
LOGIN_FAILURES_MAX = 10
ADDRESS_FAILURES_MAX = 100
"""Many people share one address behind a company's or a carrier's gateway."""


class Identity:
    """What the web app and identity's routes ask; one per server."""

    def __init__(self, platform: Platform) -> None:
        self._database = platform.database
        self._clock = platform.clock
        self.session_ttl = timedelta(seconds=platform.settings.session_ttl_s)
        self._passwords = Passwords()
        self._callers = platform.gate("sessions", self._look_up)
        self._people = platform.gate("sign_ups", _create)
        platform.every(600, "identity.expire", self.expire)

    async def caller(self, token: str | None) -> Caller:
        """Who holds the session token, as of now; NOBODY without one or when it is not in force.

        Look-ups gather: those of concurrent requests are one query.
        """
        return NOBODY if not token else await self._callers(EVERYONE, commands.hash_token(token))

    async def _look_up(self, tx: Transaction, _: ShopId, hashes: Sequence[bytes], now: datetime) -> Sequence[Caller]:
        return await commands.callers(tx, hashes, now, self.session_ttl)

    async def sign_up(self, draft: SignUp) -> tuple[Person, str]:
        """A new person and their session token. Raises Invalid, LoginTaken, Busy."""
        login = clean_login(draft.login)
        password = clean_password(draft.password, login)
        name = clean_name(draft.name)
        with self._passwords.place():
            password_hash = await self._passwords.hash(password)
        person = await self._people(EVERYONE, NewPerson(login, name, password_hash, asked_roles(draft.roles)))
        return person, await self._open(person.id)

    async def sign_in(self, given: SignIn, address: str) -> tuple[Person, str]:
        """The person and a new session token. Raises WrongCredentials, TooManyAttempts, Busy.

        Each attempt counts as failed until it has gone well: guesses made side by side cannot slip past the limit.
        """
        key = login_key(given.login)
        subjects = (f"login {key}", f"address {network(address)}")
        with self._passwords.place():
            kept = await self._database.run(lambda tx: self._attempt(tx, key, subjects))
            password = normal(given.password)
            if not await self._passwords.fits(password, kept and kept.password_hash) or kept is None:
                raise WrongCredentials("login and password do not belong together; check both")
            fresh = await self._passwords.hash(password) if self._passwords.is_dated(kept.password_hash) else None

        async def work(tx: Transaction) -> tuple[Person, str]:
            await store.forgive(tx, *subjects)
            if fresh is not None:
                await store.update_password_hash(tx, kept.id, kept.password_hash, fresh)
            [person] = await commands.people(tx, [kept.id])
            [token] = await commands.open_sessions(tx, [kept.id], self._clock.now(), self.session_ttl)
            return accepted(person), token

        return await self._database.run(work)

    async def _attempt(self, tx: Transaction, key: str, subjects: tuple[str, str]) -> Row | None:
        now = self._clock.now()
        for row in await store.count_failures(tx, subjects, now, WINDOW):
            limit = LOGIN_FAILURES_MAX if row.subject == subjects[0] else ADDRESS_FAILURES_MAX
            if row.failures > limit:
                wait_s = ceil((row.began_at + WINDOW - now).total_seconds())
                raise TooManyAttempts(
                    f"too many sign-ins failed; try again in {wait_s} seconds", retry_after_s=max(wait_s, 1)
                )
        return await store.credentials(tx, key)

    async def _open(self, person_id: PersonId) -> str:
        now = self._clock.now()
        [token] = await self._database.run(lambda tx: commands.open_sessions(tx, [person_id], now, self.session_ttl))
        return token

    async def sign_out(self, token: str) -> None:
        await self._database.run(lambda tx: store.delete_sessions(tx, [commands.hash_token(token)]))

    async def sign_out_everywhere(self, person_id: PersonId) -> None:
        await self._database.run(lambda tx: store.delete_sessions_of(tx, [person_id]))

    async def person(self, person_id: PersonId) -> Person:
        """Raises NotFound."""
        async with self._database.transaction() as tx:
            [person] = await commands.people(tx, [person_id])
        return accepted(person)

    async def people(self, login: str | None, after: int, limit: int) -> list[Person]:
        """People in the order of their ids from after on; with a login, only who has it."""
        async with self._database.transaction() as tx:
            if login is None:
                rows = await store.people_after(tx, after, limit)
            else:
                rows = await store.people_with_login(tx, login_key(login))
        return [commands.person(row) for row in rows if row.id > after]

    async def grant_role(self, person_id: PersonId, role: Role) -> Person:
        """Raises NotFound."""
        now = self._clock.now()
        [person] = await self._database.run(lambda tx: commands.grant_roles(tx, [Grant(person_id, role)], now))
        return accepted(person)

    async def revoke_role(self, person_id: PersonId, role: Role) -> Person:
        """Raises NotFound."""
        [person] = await self._database.run(lambda tx: commands.revoke_roles(tx, [Grant(person_id, role)]))
        return accepted(person)

    async def expire(self) -> None:
        """Forget sessions that have ended and failures that no longer count."""
        now = self._clock.now()
        await self._database.run(lambda tx: store.delete_expired(tx, now, WINDOW))


async def _create(tx: Transaction, _: ShopId, drafts: Sequence[NewPerson], now: datetime) -> Sequence[Person | Refused]:
    return await commands.create_people(tx, drafts, now)


def network(address: str) -> str:
    """What one customer of a provider holds: an IPv4 address, or the first 64 bits of an IPv6 address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return address

"""People, roles and sessions against the database, in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from argon2 import PasswordHasher

from fairwind.identity import (
    NOBODY,
    Access,
    Caller,
    Grant,
    LoginTaken,
    NewPerson,
    Person,
    Role,
    clean_login,
    clean_name,
    clean_password,
    commands,
    create_people,
    grant_membership,
    grant_roles,
    hash_password,
    open_sessions,
)
from fairwind.identity.commands import callers, hash_token, revoke_roles
from fairwind.identity.identity import ADDRESS_FAILURES_MAX, LOGIN_FAILURES_MAX, WINDOW, Identity, network
from fairwind.identity.passwords import Passwords
from fairwind.identity.people import SignIn, SignUp, TooManyAttempts, WrongCredentials
from fairwind.kernel import (
    Busy,
    Database,
    Forbidden,
    Invalid,
    NotFound,
    PersonId,
    Platform,
    Settings,
    ShiftedClock,
    ShopId,
    SignInNeeded,
    Transaction,
    accepted,
)
from fairwind.kernel.audit import checks_of

NOW = datetime(2020, 6, 18, 12, tzinfo=UTC)
TTL = timedelta(days=14)
PASSWORD = "correct horse battery"
NOT_THERE = PersonId(999_999_999)


def unique(name: str = "lin") -> str:
    return f"{name}-{uuid4().hex[:16]}"


def draft(login: str | None = None, *roles: Role) -> NewPerson:
    return NewPerson(login or unique(), "林小姐", "not-a-hash", frozenset(roles or {Role.BUYER}))


async def person(database: Database, *roles: Role) -> Person:
    [outcome] = await database.run(lambda tx: create_people(tx, [draft(None, *roles)], NOW))
    return accepted(outcome)


async def token_of(database: Database, person_id: PersonId, now: datetime = NOW) -> str:
    [token] = await database.run(lambda tx: open_sessions(tx, [person_id], now, TTL))
    return token


async def caller(database: Database, token: str, now: datetime = NOW) -> Caller:
    [found] = await database.run(lambda tx: callers(tx, [hash_token(token)], now, TTL))
    return found


def door(database: Database, clock: ShiftedClock | None = None) -> Identity:
    """What a server of its own asks."""
    return Identity(Platform(database, clock or ShiftedClock(), Settings()))


# People and logins


async def test_in_a_batch_a_taken_login_is_refused_and_its_neighbours_are_kept(database: Database) -> None:
    taken, fresh, other = unique(), unique(), unique()
    await database.run(lambda tx: create_people(tx, [draft(taken)], NOW))

    batch = [draft(other), draft(taken.upper()), draft(fresh), draft(fresh)]
    outcomes = await database.run(lambda tx: create_people(tx, batch, NOW))

    assert [type(outcome) for outcome in outcomes] == [Person, LoginTaken, Person, LoginTaken]
    assert [outcome.login for outcome in outcomes if isinstance(outcome, Person)] == [other, fresh]


@pytest.mark.parametrize(
    ("first", "second"),
    [("Alice", "aLICE"), ("Ａｌｉｃｅ", "alice"), ("Straße", "STRASSE"), ("ﬁnn", "FINN"), ("Ωmega", "Ωmega")],
)
async def test_logins_that_look_alike_are_one(database: Database, first: str, second: str) -> None:
    end = uuid4().hex[:16]
    batch = [draft(clean_login(first + end)), draft(clean_login(second + end))]

    outcomes = await database.run(lambda tx: create_people(tx, batch, NOW))

    assert [type(outcome) for outcome in outcomes] == [Person, LoginTaken]


@pytest.mark.parametrize("login", ["林小姐", "lin@example.com", "+8613800000000", "  lin.xiao  ", "Ĳsbrand", "अनीता"])
def test_names_of_any_script_addresses_and_numbers_are_logins(login: str) -> None:
    assert clean_login(login) == clean_login(clean_login(login))


@pytest.mark.parametrize(
    "login",
    [
        *("ab", "  a ", "a b c", "a\0bc", "a\nbc", "x" * 65, "abc\u200b", "a<b>c", "\u202eabc"),
        *("abc\u034f", "abc\u3164", "abc\ufe0f", "abc\U000e0100", "abc\u180b"),
    ],
)
def test_what_cannot_be_told_apart_or_typed_is_no_login(login: str) -> None:
    with pytest.raises(Invalid):
        clean_login(login)


@pytest.mark.parametrize("name", ["", " ", "\u3164", "\u3164\ufe0f", "a\nb", "x" * 65])
def test_a_name_shows_something(name: str) -> None:
    with pytest.raises(Invalid):
        clean_name(name)


@pytest.mark.parametrize("password", ["short", "x" * 129, "LIN@example.com", "ｌｉｎ@example.com"])
def test_a_password_is_long_enough_and_not_the_login(password: str) -> None:
    with pytest.raises(Invalid):
        clean_password(password, "lin@example.com")


async def test_roles_are_given_and_taken_in_batches(database: Database) -> None:
    anna, ben = await person(database), await person(database, Role.MERCHANT)
    grants = [Grant(anna.id, Role.CREATOR), Grant(NOT_THERE, Role.CREATOR), Grant(ben.id, Role.MERCHANT)]

    granted = await database.run(lambda tx: grant_roles(tx, grants, NOW))
    revoked = await database.run(lambda tx: revoke_roles(tx, [Grant(anna.id, Role.BUYER), Grant(ben.id, Role.BUYER)]))

    assert [type(outcome) for outcome in granted] == [Person, NotFound, Person]
    assert accepted(granted[0]).roles == [Role.BUYER, Role.CREATOR]
    assert [accepted(outcome).roles for outcome in revoked] == [[Role.CREATOR], [Role.MERCHANT]]


# Sessions


async def test_a_token_tells_who_calls_with_roles_and_shops(database: Database) -> None:
    someone = await person(database, Role.MERCHANT, Role.BUYER)
    await database.run(lambda tx: grant_membership(tx, ShopId(42), someone.id, NOW))

    found = await caller(database, await token_of(database, someone.id))

    assert found == Caller(someone.id, frozenset({Role.MERCHANT, Role.BUYER}), frozenset({ShopId(42)}))


async def test_tokens_are_kept_as_hashes_only(database: Database) -> None:
    token = await token_of(database, (await person(database)).id)

    async with database.transaction() as tx:
        rows = await tx.rows("SELECT s::text AS text FROM identity.session AS s")

    assert rows
    assert not any(token in row.text or token.encode().hex() in row.text for row in rows)


async def test_many_tokens_are_looked_up_together_and_answered_in_order(database: Database) -> None:
    anna, ben = await person(database), await person(database, Role.CREATOR)
    tokens = await database.run(lambda tx: open_sessions(tx, [anna.id, ben.id], NOW, TTL))
    asked = [hash_token(token) for token in (tokens[1], "unknown", tokens[0], tokens[1])]

    found = await database.run(lambda tx: callers(tx, asked, NOW, TTL))

    assert [each.person_id for each in found] == [ben.id, None, anna.id, ben.id]


async def test_requests_that_come_together_are_looked_up_in_a_few_queries(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    someone, identity, batches = await person(database), door(database), []
    tokens = [await token_of(database, someone.id, ShiftedClock().now()) for _ in range(3)]

    async def counted(tx: Transaction, hashes: Sequence[bytes], now: datetime, ttl: timedelta) -> Sequence[Caller]:
        batches.append(len(hashes))
        return await callers(tx, hashes, now, ttl)

    monkeypatch.setattr(commands, "callers", counted)
    found = await asyncio.gather(*(identity.caller(tokens[number % 3]) for number in range(200)))

    assert {each.person_id for each in found} == {someone.id}
    assert sum(batches) == 200
    assert len(batches) <= 2


async def test_a_session_ends_when_it_was_not_used_for_its_ttl(database: Database) -> None:
    token = await token_of(database, (await person(database)).id)

    assert await caller(database, token, NOW + TTL - timedelta(seconds=1)) != NOBODY
    assert await caller(database, token, NOW + 2 * TTL) == NOBODY


async def test_use_keeps_a_session_alive_but_writes_once_an_hour(database: Database) -> None:
    token = await token_of(database, (await person(database)).id)

    async def seen_at() -> datetime:
        async with database.transaction() as tx:
            row = await tx.row("SELECT seen_at FROM identity.session WHERE token_hash = %s", (hash_token(token),))
            assert row is not None
            return row.seen_at

    await caller(database, token, NOW + timedelta(minutes=59))
    assert await seen_at() == NOW
    await caller(database, token, NOW + timedelta(minutes=60))
    assert await seen_at() == NOW + timedelta(minutes=60)
    assert await caller(database, token, NOW + TTL + timedelta(minutes=30)) != NOBODY


async def test_a_revoked_role_is_gone_with_the_next_request_on_every_server(database: Database) -> None:
    someone = await person(database, Role.OPERATOR)
    one, other = door(database), door(database)
    [token] = await database.run(lambda tx: open_sessions(tx, [someone.id], ShiftedClock().now(), TTL))

    assert Role.OPERATOR in (await other.caller(token)).roles
    await one.revoke_role(someone.id, Role.OPERATOR)
    assert Role.OPERATOR not in (await other.caller(token)).roles


async def test_signing_out_works_at_once_here_or_everywhere(database: Database) -> None:
    someone = await person(database)
    one, other = door(database), door(database)
    first, second, third = [await token_of(database, someone.id, ShiftedClock().now()) for _ in range(3)]

    await one.sign_out(first)
    assert [(await other.caller(token)).person_id for token in (first, second, third)] == [None, someone.id, someone.id]
    await one.sign_out_everywhere(someone.id)
    assert [await other.caller(token) for token in (second, third)] == [NOBODY, NOBODY]


async def test_what_has_ended_is_forgotten(database: Database) -> None:
    token = await token_of(database, (await person(database)).id, NOW - 2 * TTL)

    await door(database).expire()

    async with database.transaction() as tx:
        assert await tx.row("SELECT 1 FROM identity.session WHERE token_hash = %s", (hash_token(token),)) is None


# Signing up and in


async def signed_up(identity: Identity) -> str:
    login = unique()
    await identity.sign_up(SignUp(login, PASSWORD, "林小姐"))
    return login


async def test_a_login_is_found_however_it_is_written(database: Database) -> None:
    identity = door(database)
    login = await signed_up(identity)

    person, token = await identity.sign_in(SignIn(f" {login.upper()} ", PASSWORD), unique())

    assert person.login == login
    assert (await identity.caller(token)).person_id == person.id


@pytest.mark.parametrize("login", [None, "nobody-has-this", "", "\0", "x" * 256])
async def test_a_wrong_password_and_an_unknown_login_get_the_same_answer(database: Database, login: str | None) -> None:
    identity = door(database)
    known = await signed_up(identity)

    with pytest.raises(WrongCredentials) as refused:
        await identity.sign_in(SignIn(known if login is None else login, "wrong horse battery"), unique())

    assert refused.value.detail == "login and password do not belong together; check both"
    assert refused.value.more == {}


async def test_guesses_stop_on_all_servers_and_begin_again_after_the_window(database: Database) -> None:
    clock = ShiftedClock()
    servers = [door(database, clock), door(database, clock)]
    login = await signed_up(servers[0])

    for guess in range(LOGIN_FAILURES_MAX):
        with pytest.raises(WrongCredentials):
            await servers[guess % 2].sign_in(SignIn(login, f"wrong horse {guess}"), unique())
    for server in servers:
        with pytest.raises(TooManyAttempts) as refused:
            await server.sign_in(SignIn(login, PASSWORD), unique())
        assert 0 < refused.value.more["retry_after_s"] <= WINDOW.total_seconds()

    clock.advance(WINDOW)
    await servers[0].sign_in(SignIn(login, PASSWORD), unique())


async def test_guesses_side_by_side_cannot_slip_past_the_limit(database: Database) -> None:
    identity = door(database)
    login = await signed_up(identity)

    guesses = [identity.sign_in(SignIn(login, f"wrong horse {guess}"), unique()) for guess in range(40)]
    outcomes = await asyncio.gather(*guesses, return_exceptions=True)

    assert sum(isinstance(outcome, WrongCredentials) for outcome in outcomes) == LOGIN_FAILURES_MAX
    assert sum(isinstance(outcome, TooManyAttempts) for outcome in outcomes) == 40 - LOGIN_FAILURES_MAX


async def test_one_address_cannot_try_one_password_on_all_logins(database: Database) -> None:
    identity = door(database)
    login, address = await signed_up(identity), unique()
    async with database.transaction() as tx:
        await tx.execute(
            "INSERT INTO identity.sign_in_failure (subject, began_at, failures) VALUES (%s, %s, %s)",
            (f"address {address}", ShiftedClock().now(), ADDRESS_FAILURES_MAX),
        )

    with pytest.raises(TooManyAttempts):
        await identity.sign_in(SignIn(login, PASSWORD), address)
    await identity.sign_in(SignIn(login, PASSWORD), unique())


async def test_a_success_clears_the_login_and_costs_its_address_nothing(database: Database) -> None:
    identity = door(database)
    login, address = await signed_up(identity), unique()

    for _ in range(LOGIN_FAILURES_MAX + 2):
        with pytest.raises(WrongCredentials):
            await identity.sign_in(SignIn(login, "wrong horse battery"), address)
        await identity.sign_in(SignIn(login, PASSWORD), address)

    async with database.transaction() as tx:
        row = await tx.row("SELECT failures FROM identity.sign_in_failure WHERE subject = %s", (f"address {address}",))
    assert row is not None
    assert row.failures == LOGIN_FAILURES_MAX + 2


@pytest.mark.parametrize(
    ("address", "whole"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
    ],
)
def test_an_ipv6_customer_counts_as_one_address(address: str, whole: str) -> None:
    assert network(address) == whole


async def test_a_hash_made_with_older_parameters_is_renewed_at_sign_in(database: Database) -> None:
    identity, login = door(database), unique()
    old = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    await database.run(lambda tx: create_people(tx, [NewPerson(login, "x", old, frozenset({Role.BUYER}))], NOW))

    await identity.sign_in(SignIn(login, PASSWORD), unique())

    async with database.transaction() as tx:
        row = await tx.row("SELECT password_hash FROM identity.person WHERE login = %s", (login,))
    assert row is not None
    assert row.password_hash != old
    await identity.sign_in(SignIn(login, PASSWORD), unique())


async def test_a_broken_hash_lets_nobody_in(database: Database) -> None:
    login = unique()
    await database.run(lambda tx: create_people(tx, [draft(login)], NOW))

    with pytest.raises(WrongCredentials):
        await door(database).sign_in(SignIn(login, PASSWORD), unique())


async def test_the_queue_before_the_hashing_threads_is_bounded() -> None:
    passwords = Passwords()
    places = [passwords.place() for _ in range(100)]
    for place in places:
        place.__enter__()

    with pytest.raises(Busy), passwords.place():
        pass
    places[0].__exit__(None, None, None)
    with passwords.place():
        pass


async def test_the_same_password_hashes_differently_each_time() -> None:
    assert hash_password(PASSWORD) != hash_password(PASSWORD)
    assert hash_password(PASSWORD).startswith("$argon2id$")


# Who may pass


@pytest.mark.parametrize("access", sorted(set(Access) - {Access.PUBLIC, Access.PROVIDER}))
def test_nobody_passes_nothing_but_open_doors(access: Access) -> None:
    with pytest.raises(SignInNeeded):
        NOBODY.check(access, ShopId(1))
    NOBODY.check(Access.PUBLIC)


def test_a_shop_is_for_its_members_and_operators() -> None:
    member = Caller(PersonId(1), frozenset({Role.BUYER}), frozenset({ShopId(1)}))
    operator = Caller(PersonId(2), frozenset({Role.OPERATOR}))

    member.check(Access.SHOP_MEMBER, ShopId(1))
    operator.check(Access.SHOP_MEMBER, ShopId(2))
    with pytest.raises(Forbidden):
        member.check(Access.SHOP_MEMBER, ShopId(2))
    with pytest.raises(Forbidden):
        operator.check(Access.BUYER)


async def test_the_audit_finds_two_people_with_one_login(database: Database) -> None:
    login = unique()
    check = next(each for each in checks_of("fairwind.identity") if "one person" in each.invariant)

    async with database.transaction() as tx:
        for number, spelling in enumerate((login, login.upper())):
            await tx.execute(
                "INSERT INTO identity.person VALUES (%s, %s, %s, 'x', 'x', %s)",
                (-1 - number, spelling, spelling, NOW),
            )
        found = await tx.rows(check.sql)  # type: ignore[arg-type]
        await tx.execute("DELETE FROM identity.person WHERE id < 0")

    assert [row.person_ids for row in found if row.login == login] == [[-2, -1]]

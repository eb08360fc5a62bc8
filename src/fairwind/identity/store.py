"""The SQL of identity."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import LiteralString

from fairwind.identity.caller import Role
from fairwind.kernel import PersonId, Row, ShopId, Transaction, bytes_array, int_array, text_array

_PEOPLE: LiteralString = """
SELECT id, login, name, created_at,
       ARRAY(SELECT role FROM identity.role WHERE person_id = id ORDER BY role) AS roles,
       ARRAY(SELECT shop_id FROM identity.membership WHERE person_id = id ORDER BY shop_id) AS shop_ids
FROM identity.person
"""


async def insert_people(
    tx: Transaction,
    ids: Sequence[int],
    logins: Sequence[str],
    keys: Sequence[str],
    names: Sequence[str],
    password_hashes: Sequence[str],
    now: datetime,
) -> set[PersonId]:
    """Those of ids whose login was free."""
    rows = await tx.rows(
        """
        INSERT INTO identity.person (id, login, login_key, name, password_hash, created_at)
        SELECT id, login, login_key, name, password_hash, %s
        FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[])
             AS given (id, login, login_key, name, password_hash)
        ORDER BY login_key, id
        ON CONFLICT (login_key) DO NOTHING
        RETURNING id
        """,
        (now, int_array(ids), text_array(logins), text_array(keys), text_array(names), text_array(password_hashes)),
    )
    return {row.id for row in rows}


async def people(tx: Transaction, ids: Sequence[PersonId]) -> list[Row]:
    return await tx.rows(_PEOPLE + "WHERE id = ANY (%s::bigint[]) ORDER BY id", (int_array(ids),))


async def people_after(tx: Transaction, after: int, limit: int) -> list[Row]:
    """People by id, from after on."""
    return await tx.rows(_PEOPLE + "WHERE id > %s ORDER BY id LIMIT %s", (after, limit))


async def people_with_login(tx: Transaction, key: str) -> list[Row]:
    """Whoever has the login key: one person or nobody."""
    return await tx.rows(_PEOPLE + "WHERE login_key = %s", (key,))


async def credentials(tx: Transaction, key: str) -> Row | None:
    """id, login and password_hash of whoever has the login key."""
    return await tx.row("SELECT id, login, password_hash FROM identity.person WHERE login_key = %s", (key,))


async def update_password_hash(tx: Transaction, person_id: PersonId, before: str, after: str) -> None:
    """Only over the hash that was checked: a password changed meanwhile stays."""
    await tx.execute(
        "UPDATE identity.person SET password_hash = %s WHERE id = %s AND password_hash = %s",
        (after, person_id, before),
    )


async def insert_roles(tx: Transaction, grants: Sequence[tuple[PersonId, Role]], now: datetime) -> None:
    await tx.execute(
        """
        INSERT INTO identity.role (person_id, role, granted_at)
        SELECT person_id, role, %s FROM unnest(%s::bigint[], %s::text[]) AS given (person_id, role)
        ORDER BY person_id, role
        ON CONFLICT (person_id, role) DO NOTHING
        """,
        (now, int_array(person_id for person_id, _ in grants), text_array(role for _, role in grants)),
    )


async def delete_roles(tx: Transaction, grants: Sequence[tuple[PersonId, Role]]) -> None:
    await tx.execute(
        """
        DELETE FROM identity.role AS role USING unnest(%s::bigint[], %s::text[]) AS given (person_id, role)
        WHERE role.person_id = given.person_id AND role.role = given.role
        """,
        (int_array(person_id for person_id, _ in grants), text_array(role for _, role in grants)),
    )


async def insert_membership(tx: Transaction, shop_id: ShopId, person_id: PersonId, now: datetime) -> None:
    await tx.execute(
        """
        INSERT INTO identity.membership (shop_id, person_id, granted_at) VALUES (%s, %s, %s)
        ON CONFLICT (shop_id, person_id) DO NOTHING
        """,
        (shop_id, person_id, now),
    )


async def members_locked(tx: Transaction, shop_id: ShopId) -> set[PersonId]:
    rows = await tx.rows(
        "SELECT person_id FROM identity.membership WHERE shop_id = %s ORDER BY person_id FOR UPDATE", (shop_id,)
    )
    return {row.person_id for row in rows}


async def members_after(tx: Transaction, shop_id: ShopId, after: PersonId, limit: int) -> list[Row]:
    """person_id, name and granted_at of the shop's members, by person_id from after on."""
    return await tx.rows(
        """
        SELECT membership.person_id, person.name, membership.granted_at
        FROM identity.membership JOIN identity.person ON person.id = membership.person_id
        WHERE shop_id = %s AND person_id > %s ORDER BY person_id LIMIT %s
        """,
        (shop_id, after, limit),
    )


async def delete_membership(tx: Transaction, shop_id: ShopId, person_id: PersonId) -> None:
    await tx.execute("DELETE FROM identity.membership WHERE shop_id = %s AND person_id = %s", (shop_id, person_id))


async def insert_sessions(
    tx: Transaction, token_hashes: Sequence[bytes], person_ids: Sequence[PersonId], now: datetime, ttl: timedelta
) -> None:
    await tx.execute(
        """
        INSERT INTO identity.session (token_hash, person_id, created_at, seen_at, expires_at)
        SELECT token_hash, person_id, %(now)s, %(now)s, %(now)s + %(ttl)s
        FROM unnest(%(hashes)s::bytea[], %(people)s::bigint[]) AS given (token_hash, person_id)
        """,
        {"now": now, "ttl": ttl, "hashes": bytes_array(token_hashes), "people": int_array(person_ids)},
    )


async def sessions(tx: Transaction, token_hashes: Sequence[bytes], now: datetime) -> list[Row]:
    """The sessions in force: token_hash, person_id, seen_at, roles and shop_ids."""
    return await tx.rows(
        """
        SELECT token_hash, person_id, seen_at,
               ARRAY(SELECT role FROM identity.role WHERE role.person_id = session.person_id) AS roles,
               ARRAY(SELECT shop_id FROM identity.membership WHERE membership.person_id = session.person_id) AS shop_ids
        FROM identity.session WHERE token_hash = ANY (%s::bytea[]) AND expires_at > %s
        """,
        (bytes_array(token_hashes), now),
    )


async def extend_sessions(tx: Transaction, token_hashes: Sequence[bytes], now: datetime, ttl: timedelta) -> None:
    await tx.execute(
        """
        UPDATE identity.session SET seen_at = %(now)s, expires_at = %(now)s + %(ttl)s
        WHERE token_hash = ANY (ARRAY(
            SELECT token_hash FROM identity.session
            WHERE token_hash = ANY (%(hashes)s::bytea[]) AND seen_at < %(now)s ORDER BY token_hash FOR UPDATE))
        """,
        {"now": now, "ttl": ttl, "hashes": bytes_array(token_hashes)},
    )


async def delete_sessions(tx: Transaction, token_hashes: Sequence[bytes]) -> None:
    await tx.execute("DELETE FROM identity.session WHERE token_hash = ANY (%s::bytea[])", (bytes_array(token_hashes),))


async def delete_sessions_of(tx: Transaction, person_ids: Sequence[PersonId]) -> None:
    await tx.execute("DELETE FROM identity.session WHERE person_id = ANY (%s::bigint[])", (int_array(person_ids),))


async def delete_expired(tx: Transaction, now: datetime, window: timedelta) -> None:
    """Sessions that have ended and failures that no longer count."""
    await tx.execute("DELETE FROM identity.session WHERE expires_at <= %s", (now,))
    await tx.execute("DELETE FROM identity.sign_in_failure WHERE began_at <= %s", (now - window,))


async def count_failures(tx: Transaction, subjects: Sequence[str], now: datetime, window: timedelta) -> list[Row]:
    """Count one failure for each of subjects; answers failures and began_at of each window, this one included."""
    return await tx.rows(
        """
        INSERT INTO identity.sign_in_failure AS kept (subject, began_at, failures)
        SELECT subject, %(now)s, 1 FROM unnest(%(subjects)s::text[]) AS given (subject) ORDER BY subject
        ON CONFLICT (subject) DO UPDATE SET
            failures = CASE WHEN kept.began_at > excluded.began_at - %(window)s THEN kept.failures + 1 ELSE 1 END,
            began_at = CASE WHEN kept.began_at > excluded.began_at - %(window)s THEN kept.began_at
                            ELSE excluded.began_at END
        RETURNING subject, failures, began_at
        """,
        {"now": now, "window": window, "subjects": text_array(sorted(set(subjects)))},
    )


async def forgive(tx: Transaction, login_subject: str, address_subject: str) -> None:
    """A sign-in went well: its address has one failure less, and its login starts afresh."""
    await tx.execute(
        "UPDATE identity.sign_in_failure SET failures = failures - 1 WHERE subject = %s AND failures > 0",
        (address_subject,),
    )
    await tx.execute("DELETE FROM identity.sign_in_failure WHERE subject = %s", (login_subject,))

"""The SQL of support programmes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import msgspec

from fairwind.catalog import Channel
from fairwind.kernel import PersonId, Query, Row, Transaction, int_array, text_array
from fairwind.policy.programme import Conditions, Programme
from fairwind.policy.store.terms import PROGRAMME, PROGRAMMES_IN_FORCE


def _read(rows: list[Row]) -> list[Programme]:
    return [_programme(row) for row in rows]


def _programme(row: Row) -> Programme:
    return Programme(
        row.id,
        row.code,
        row.version,
        row.name_en,
        row.name_zh,
        row.rate_ppm,
        tuple(map(Channel, row.channels)),
        tuple(row.categories),
        msgspec.convert(row.conditions, Conditions),
        row.starts_at,
        row.ends_at,
        row.published_at,
    )


def programmes(ids: Collection[int]) -> Query[list[Programme]]:
    """Programmes by id; one that does not exist is absent."""
    return Query(PROGRAMME + "WHERE id = ANY (%s::bigint[])", (int_array(ids),), _read)


def programmes_in_force(now: datetime) -> Query[list[Programme]]:
    return Query(PROGRAMMES_IN_FORCE + "ORDER BY id", {"now": now}, _read)


def programmes_to_earn(now: datetime) -> Query[list[Programme]]:
    """Programmes that a shop has to earn, in force or to come."""
    return Query(
        PROGRAMME
        + """
        WHERE conditions ->> 'kind' IN ('content_incentive', 'growth_tier') AND (ends_at IS NULL OR ends_at > %s)
        ORDER BY id
        """,
        (now,),
        _read,
    )


def programmes_page(now: datetime, after: int, limit: int, *, ended: bool) -> Query[list[Programme]]:
    """Programmes in force and to come, and with `ended` those that are over too, by id after `after`."""
    return Query(
        PROGRAMME + "WHERE (%s OR ends_at IS NULL OR ends_at > %s) AND id > %s ORDER BY id LIMIT %s",
        (ended, now, after, limit),
        _read,
    )


def programme_asked_for(request_id: UUID) -> Query[list[Programme]]:
    """The programme that a request published; empty when there is none."""
    return Query(PROGRAMME + "WHERE request_id = %s", (request_id,), _read)


def versions_locked(code: str) -> Query[list[Programme]]:
    """All versions of a code, locked. Who is later of two that publish the first at once meets a key that is taken."""
    return Query(PROGRAMME + "WHERE code = %s ORDER BY id FOR UPDATE", (code,), _read)


def programme_locked(programme_id: int) -> Query[list[Programme]]:
    return Query(PROGRAMME + "WHERE id = %s FOR UPDATE", (programme_id,), _read)


async def insert_programme(tx: Transaction, programme: Programme, request_id: UUID, person_id: PersonId) -> None:
    await tx.execute(
        """
        INSERT INTO policy.programme (id, request_id, code, version, name_en, name_zh, rate_ppm, channels, categories,
                                      conditions, starts_at, ends_at, published_by, published_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s::text[], %s::bigint[], %s::jsonb, %s, %s, %s, %s)
        """,
        (
            programme.id,
            request_id,
            programme.code,
            programme.version,
            programme.name_en,
            programme.name_zh,
            programme.rate_ppm,
            text_array(programme.channels),
            int_array(programme.categories),
            msgspec.json.encode(programme.conditions).decode(),
            programme.starts_at,
            programme.ends_at,
            person_id,
            programme.published_at,
        ),
    )


async def end_programme(tx: Transaction, programme_id: int, ends_at: datetime, person_id: PersonId) -> None:
    await tx.execute(
        "UPDATE policy.programme SET ends_at = %s, ended_by = %s WHERE id = %s", (ends_at, person_id, programme_id)
    )

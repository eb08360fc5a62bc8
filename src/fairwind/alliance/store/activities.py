"""The SQL of agencies' activities."""

from __future__ import annotations

from collections.abc import Collection
from typing import LiteralString
from uuid import UUID

from fairwind.alliance.activity import Activity, ActivityId
from fairwind.kernel import PersonId, Query, Row, Transaction, statement, uuid_array
from fairwind.kernel.pages import Before

_ACTIVITY: LiteralString = """
SELECT id, agency_id, title, creator_ppm_min, agency_ppm_min, created_at, closed_at FROM alliance.activity
"""


def _activities(rows: list[Row]) -> dict[ActivityId, Activity]:
    return {row.id: Activity(*row) for row in rows}


def activities(ids: Collection[UUID], *, lock: bool = False) -> Query[dict[ActivityId, Activity]]:
    """Activities by id; those that do not exist are absent."""
    return Query(
        _ACTIVITY + "WHERE id = ANY (%s::uuid[])" + (" ORDER BY id FOR UPDATE" if lock else ""),
        (uuid_array(ids),),
        _activities,
    )


async def activities_page(tx: Transaction, agency_id: PersonId | None, before: Before, limit: int) -> list[Activity]:
    """Activities, of one agency or those of all that still take goods, newest first, before `before`."""
    rows = await tx.rows(
        _ACTIVITY
        + "WHERE (created_at, id) < (%(at)s, %(id)s)"
        + (" AND closed_at IS NULL" if agency_id is None else " AND agency_id = %(agency_id)s")
        + " ORDER BY created_at DESC, id DESC LIMIT %(limit)s",
        {"agency_id": agency_id, "at": before[0], "id": before[1], "limit": limit},
    )
    return [Activity(*row) for row in rows]


def activity_added(activity: Activity) -> Query[None]:
    return statement(
        """
        INSERT INTO alliance.activity (id, agency_id, title, creator_ppm_min, agency_ppm_min, created_at)
        VALUES (%s, %s, %s, %s, %s, %s)
        """,
        (
            activity.id,
            activity.agency_id,
            activity.title,
            activity.creator_ppm_min,
            activity.agency_ppm_min,
            activity.created_at,
        ),
    )


def activity_closed(activity: Activity) -> Query[None]:
    return statement(
        "UPDATE alliance.activity SET closed_at = %s WHERE id = %s AND closed_at IS NULL",
        (activity.closed_at, activity.id),
    )

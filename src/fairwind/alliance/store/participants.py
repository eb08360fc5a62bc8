"""The SQL of who takes part in targeted plans."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, LiteralString

from fairwind.alliance.participant import Participant, State
from fairwind.kernel import (
    PersonId,
    PlanId,
    Query,
    Row,
    ShopId,
    Transaction,
    int_array,
    statement,
    text_array,
    time_array,
)

_PARTICIPANT: LiteralString = """
SELECT shop_id, plan_id, creator_id, state, note, asked_at, decided_at, since, until FROM alliance.participant
"""
_PAIRS: LiteralString = """
WHERE shop_id = %s AND (plan_id, creator_id) IN (SELECT * FROM unnest(%s::bigint[], %s::bigint[]))
"""


def _participant(row: Row) -> Participant:
    return Participant(
        row.shop_id,
        row.plan_id,
        row.creator_id,
        State(row.state),
        row.note,
        row.asked_at,
        row.decided_at,
        row.since,
        row.until,
    )


def participants(
    shop_id: ShopId, pairs: Collection[tuple[PlanId, PersonId]], *, lock: bool = False
) -> Query[dict[tuple[PlanId, PersonId], Participant]]:
    """How these creators stand with these plans; those that have nothing to do with each other are absent."""
    return Query(
        _PARTICIPANT + _PAIRS + ("ORDER BY plan_id, creator_id FOR UPDATE" if lock else ""),
        (shop_id, int_array(plan_id for plan_id, _ in pairs), int_array(creator_id for _, creator_id in pairs)),
        lambda rows: {(row.plan_id, row.creator_id): _participant(row) for row in rows},
    )


def participants_saved(shop_id: ShopId, saved: Sequence[Participant]) -> list[Query[Any]]:
    if not saved:
        return []
    return [
        statement(
            """
            INSERT INTO alliance.participant (shop_id, plan_id, creator_id, state, note, asked_at, decided_at, since,
                                              until)
            SELECT %s, * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::timestamptz[],
                                     %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])
            ON CONFLICT (shop_id, plan_id, creator_id) DO UPDATE
            SET state = excluded.state, note = excluded.note, asked_at = excluded.asked_at,
                decided_at = excluded.decided_at, since = excluded.since, until = excluded.until
            """,
            (
                shop_id,
                int_array(each.plan_id for each in saved),
                int_array(each.creator_id for each in saved),
                text_array(each.state.value for each in saved),
                text_array(each.note for each in saved),
                time_array(each.asked_at for each in saved),
                time_array(each.decided_at for each in saved),
                time_array(each.since for each in saved),
                time_array(each.until for each in saved),
            ),
        )
    ]


async def participants_page(
    tx: Transaction, shop_id: ShopId, plan_id: PlanId, state: State | None, after: PersonId, limit: int
) -> list[Participant]:
    """Who takes part in the plan or asks to, all or those in one state, by creator, after `after`."""
    rows = await tx.rows(
        _PARTICIPANT
        + "WHERE shop_id = %(shop)s AND plan_id = %(plan)s AND creator_id > %(after)s"
        + (" AND state = %(state)s" if state else "")
        + " ORDER BY creator_id LIMIT %(limit)s",
        {"shop": shop_id, "plan": plan_id, "after": after, "state": state, "limit": limit},
    )
    return [_participant(row) for row in rows]


async def applications_page(
    tx: Transaction, creator_id: PersonId, before: tuple[datetime, ShopId, PlanId] | None, limit: int
) -> list[Participant]:
    """The creator's applications and participations over all shops, newest first, before `before`."""
    rows = await tx.rows(
        _PARTICIPANT
        + "WHERE creator_id = %(creator)s"
        + ("" if before is None else " AND (asked_at, shop_id, plan_id) < (%(at)s, %(shop)s, %(plan)s)")
        + " ORDER BY asked_at DESC, shop_id DESC, plan_id DESC LIMIT %(limit)s",
        {
            "creator": creator_id,
            "limit": limit,
            **dict(zip(("at", "shop", "plan"), before or (), strict=False)),
        },
    )
    return [_participant(row) for row in rows]

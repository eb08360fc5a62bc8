"""The SQL of what shops did, of when to look at it, and of what it earned them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import LiteralString, NamedTuple

from fairwind.catalog import Channel
from fairwind.kernel import (
    LiveSessionId,
    Query,
    Row,
    ShopId,
    Transaction,
    int_array,
    statement,
    text_array,
    time_array,
    uuid_array,
)
from fairwind.policy.enrolment import LOOK_BACK_DAYS, Enrolment, Facts


class DayCount(NamedTuple):
    """What was paid for goods on a day, by how many orders, and what of that refunds have undone."""

    paid_fen: int = 0
    undone_fen: int = 0
    orders: int = 0


class SessionCount(NamedTuple):
    """How many pieces a live session sold, the last of them on a day, and how many of them refunds have undone."""

    day: date
    sold: int = 0
    undone: int = 0


async def add_facts(
    tx: Transaction,
    shop_id: ShopId,
    days: Mapping[date, DayCount],
    sessions: Mapping[LiveSessionId, SessionCount],
    look_at: datetime,
) -> None:
    """Add to what is known of days and live sessions, and have the shop looked at at look_at."""
    by_day, by_session = sorted(days.items()), sorted(sessions.items())
    await tx.together(
        statement(
            """
            INSERT INTO policy.turnover (shop_id, day, paid_fen, undone_fen, orders)
            SELECT %s, day, paid_fen, undone_fen, orders
            FROM unnest(%s::date[], %s::bigint[], %s::bigint[], %s::bigint[])
                AS more (day, paid_fen, undone_fen, orders)
            ON CONFLICT (shop_id, day) DO UPDATE
            SET paid_fen = turnover.paid_fen + excluded.paid_fen,
                undone_fen = turnover.undone_fen + excluded.undone_fen,
                orders = turnover.orders + excluded.orders
            """,
            (
                shop_id,
                text_array(day for day, _ in by_day),
                int_array(count.paid_fen for _, count in by_day),
                int_array(count.undone_fen for _, count in by_day),
                int_array(count.orders for _, count in by_day),
            ),
        ),
        statement(
            """
            INSERT INTO policy.live_sale (shop_id, live_session_id, last_sold_on, sold, undone)
            SELECT %s, live_session_id, sold_on, sold, undone
            FROM unnest(%s::uuid[], %s::date[], %s::bigint[], %s::bigint[])
                AS more (live_session_id, sold_on, sold, undone)
            ON CONFLICT (shop_id, live_session_id) DO UPDATE
            SET last_sold_on = greatest(live_sale.last_sold_on, excluded.last_sold_on),
                sold = live_sale.sold + excluded.sold,
                undone = live_sale.undone + excluded.undone
            """,
            (
                shop_id,
                uuid_array(session_id for session_id, _ in by_session),
                text_array(count.day for _, count in by_session),
                int_array(count.sold for _, count in by_session),
                int_array(count.undone for _, count in by_session),
            ),
        ),
        statement(
            """
            INSERT INTO policy.assessment (shop_id, due_at) VALUES (%s, %s)
            ON CONFLICT (shop_id) DO UPDATE SET due_at = least(assessment.due_at, excluded.due_at)
            """,
            (shop_id, look_at),
        ),
    )


def facts_of(shop_id: ShopId, today: date) -> Query[Facts]:
    """What a shop did that a programme may still ask about, without what refunds have undone."""

    def read(rows: list[Row]) -> Facts:
        paid_fen = {row.day: row.paid_fen for row in rows if row.paid_fen is not None}
        return Facts(paid_fen, [row.day for row in rows if row.paid_fen is None])

    return Query(
        """
        SELECT day, paid_fen - undone_fen AS paid_fen FROM policy.turnover
        WHERE shop_id = %(shop_id)s AND day > %(after)s
        UNION ALL
        SELECT last_sold_on, NULL FROM policy.live_sale
        WHERE shop_id = %(shop_id)s AND last_sold_on > %(after)s AND sold > undone
        """,
        {"shop_id": shop_id, "after": today - timedelta(days=LOOK_BACK_DAYS)},
        read,
    )


def shop_of(shop_id: ShopId) -> Query[tuple[Channel, date] | None]:
    """The channel and the first day of a shop; None when there is no such shop."""
    return Query(
        "SELECT channel, opened_on FROM catalog.shop WHERE shop_id = %s",
        (shop_id,),
        lambda rows: (Channel(rows[0].channel), rows[0].opened_on) if rows else None,
    )


# When to look.


async def shops_due(tx: Transaction, now: datetime, limit: int) -> list[ShopId]:
    """Shops to look at, those that wait longest first."""
    rows = await tx.rows(
        "SELECT shop_id FROM policy.assessment WHERE due_at <= %s ORDER BY due_at, shop_id LIMIT %s", (now, limit)
    )
    return [row.shop_id for row in rows]


async def claimed(tx: Transaction, shop_id: ShopId, now: datetime) -> bool:
    """Whether the shop is due and nobody else looks at it; it is locked then."""
    row = await tx.row(
        "SELECT 1 FROM policy.assessment WHERE shop_id = %s AND due_at <= %s FOR UPDATE SKIP LOCKED", (shop_id, now)
    )
    return row is not None


def look_again(shop_id: ShopId, due_at: datetime | None) -> Query[None]:
    """Look at the shop again at due_at; with None not until there are new facts."""
    if due_at is None:
        return statement("DELETE FROM policy.assessment WHERE shop_id = %s", (shop_id,))
    return statement("UPDATE policy.assessment SET due_at = %s WHERE shop_id = %s", (due_at, shop_id))


# What it earned.

_ENROLMENT: LiteralString = """
SELECT shop_id, programme_id, starts_at, ends_at, measured, measured_from, measured_to, enrolled_at
FROM policy.enrolment
"""


def _read_enrolments(rows: list[Row]) -> list[Enrolment]:
    return [Enrolment(*row) for row in rows]


def enrolments_from(shop_id: ShopId, now: datetime) -> Query[list[Enrolment]]:
    """The shop's enrolments that are not over."""
    return Query(_ENROLMENT + "WHERE shop_id = %s AND ends_at > %s", (shop_id, now), _read_enrolments)


def enrolments_page(shop_id: ShopId, before: tuple[datetime, int], limit: int) -> Query[list[Enrolment]]:
    """The shop's enrolments, the latest first, before a start and a programme."""
    return Query(
        _ENROLMENT
        + """
        WHERE shop_id = %s AND (starts_at, programme_id) < (%s, %s)
        ORDER BY starts_at DESC, programme_id DESC LIMIT %s
        """,
        (shop_id, *before, limit),
        _read_enrolments,
    )


def enrolments_ended(shop_id: ShopId, ended: Sequence[Enrolment]) -> list[Query[None]]:
    """Save the earlier ends of enrolments; those that end before they begin are taken away."""
    if not ended:
        return []
    keys = (int_array(each.programme_id for each in ended), time_array(each.starts_at for each in ended))
    return [
        statement(
            """
            DELETE FROM policy.enrolment USING unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[])
                AS ended (programme_id, starts_at, ends_at)
            WHERE shop_id = %s AND enrolment.programme_id = ended.programme_id
              AND enrolment.starts_at = ended.starts_at AND ended.ends_at <= ended.starts_at
            """,
            (*keys, time_array(each.ends_at for each in ended), shop_id),
        ),
        statement(
            """
            UPDATE policy.enrolment SET ends_at = ended.ends_at
            FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS ended (programme_id, starts_at, ends_at)
            WHERE shop_id = %s AND enrolment.programme_id = ended.programme_id
              AND enrolment.starts_at = ended.starts_at
            """,
            (*keys, time_array(each.ends_at for each in ended), shop_id),
        ),
    ]


def enrolments_saved(shop_id: ShopId, enrolments: Sequence[Enrolment]) -> Query[None]:
    return statement(
        """
        INSERT INTO policy.enrolment (shop_id, programme_id, starts_at, ends_at, measured, measured_from, measured_to,
                                      enrolled_at)
        SELECT %s, * FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::bigint[], %s::date[],
                                 %s::date[], %s::timestamptz[])
        """,
        (
            shop_id,
            int_array(each.programme_id for each in enrolments),
            time_array(each.starts_at for each in enrolments),
            time_array(each.ends_at for each in enrolments),
            int_array(each.measured for each in enrolments),
            text_array(each.measured_from for each in enrolments),
            text_array(each.measured_to for each in enrolments),
            time_array(each.enrolled_at for each in enrolments),
        ),
    )

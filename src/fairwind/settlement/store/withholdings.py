"""The SQL of withholdings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, LiteralString

from fairwind.kernel import (
    OrderId,
    PersonId,
    Query,
    Row,
    ShopId,
    int_array,
    statement,
    text_array,
    time_array,
    uuid_array,
)
from fairwind.kernel.pages import Before
from fairwind.settlement.withholding import Subject, Withholding, WithholdingId

_WITHHOLDING: LiteralString = """
    SELECT shop_id, id, order_id, line_no, reason, note, until, opened_by, opened_at, released_by, released_at
    FROM settlement.withholding
"""


def _read(rows: list[Row]) -> list[Withholding]:
    return [Withholding(*row) for row in rows]


def withheld(shop_id: ShopId, order_ids: Collection[OrderId], now: datetime) -> Query[set[tuple[OrderId, int]]]:
    """The withheld lines of these orders, as pairs of order and line.

    To be asked under the orders' locks, which opening a withholding takes as well. now: what was released only after
    it, while these locks were waited for, is withheld still.
    """
    return Query(
        """
        SELECT DISTINCT order_id, line_no FROM settlement.withholding
        WHERE shop_id = %s AND order_id = ANY (%s::uuid[])
          AND (released_at IS NULL OR released_at > %s)
        """,
        (shop_id, uuid_array(order_ids), now),
        lambda rows: {(row.order_id, row.line_no) for row in rows},
    )


def subjects(shop_id: ShopId, ids: Collection[OrderId]) -> Query[dict[OrderId, Subject]]:
    """What of these orders can be withheld; to be asked under their locks."""
    return Query(
        """
        SELECT id, buyer_id, state, freight_fen,
               ARRAY(SELECT line_no FROM orders.line
                     WHERE line.shop_id = shop_order.shop_id AND line.order_id = shop_order.id) AS lines,
               ARRAY(SELECT line_no FROM settlement.settled_line
                     WHERE settled_line.shop_id = shop_order.shop_id
                       AND settled_line.order_id = shop_order.id) AS settled
        FROM orders.shop_order WHERE shop_id = %s AND id = ANY (%s::uuid[])
        """,
        (shop_id, uuid_array(ids)),
        lambda rows: {row.id: _subject(row) for row in rows},
    )


def _subject(row: Row) -> Subject:
    freight = [0] if row.freight_fen else []
    return Subject(row.id, row.buyer_id, row.state, frozenset([*freight, *row.lines]), frozenset(row.settled))


def withholdings_about(
    shop_id: ShopId, ids: Collection[WithholdingId], order_ids: Collection[OrderId]
) -> Query[list[Withholding]]:
    """Those with these ids, and all of these orders, released ones as well."""
    return Query(
        _WITHHOLDING
        + """
        WHERE shop_id = %s
          AND (id = ANY (%s::uuid[]) OR order_id = ANY (%s::uuid[]))
        """,
        (shop_id, uuid_array(ids), uuid_array(order_ids)),
        _read,
    )


def withholdings_locked(shop_id: ShopId, ids: Collection[WithholdingId]) -> Query[list[Withholding]]:
    """These, locked in the order of their ids."""
    return Query(
        _WITHHOLDING + "WHERE shop_id = %s AND id = ANY (%s::uuid[]) ORDER BY id FOR UPDATE",
        (shop_id, uuid_array(ids)),
        _read,
    )


def withholdings_opened(shop_id: ShopId, opened: Sequence[Withholding]) -> list[Query[Any]]:
    """Write new withholdings."""
    if not opened:
        return []
    return [
        statement(
            """
            INSERT INTO settlement.withholding (shop_id, id, order_id, line_no, reason, note, until, opened_by,
                                                opened_at)
            SELECT %s, id, order_id, line_no, reason, note, until, opened_by, opened_at
            FROM unnest(%s::uuid[], %s::uuid[], %s::smallint[], %s::text[], %s::text[], %s::timestamptz[],
                        %s::bigint[], %s::timestamptz[])
                AS new (id, order_id, line_no, reason, note, until, opened_by, opened_at)
            """,
            (
                shop_id,
                uuid_array(each.id for each in opened),
                uuid_array(each.order_id for each in opened),
                int_array(each.line_no for each in opened),
                text_array(each.reason for each in opened),
                text_array(each.note for each in opened),
                time_array(each.until for each in opened),
                int_array(each.opened_by for each in opened),
                time_array(each.opened_at for each in opened),
            ),
        )
    ]


def withholdings_released(shop_id: ShopId, released: Sequence[Withholding]) -> list[Query[Any]]:
    """Save by whom and when these were released."""
    if not released:
        return []
    return [
        statement(
            """
            UPDATE settlement.withholding SET released_by = change.released_by, released_at = change.released_at
            FROM unnest(%s::uuid[], %s::bigint[], %s::timestamptz[]) AS change (id, released_by, released_at)
            WHERE withholding.shop_id = %s AND withholding.id = change.id
            """,
            (
                uuid_array(each.id for each in released),
                text_array(each.released_by for each in released),
                time_array(each.released_at for each in released),
                shop_id,
            ),
        )
    ]


def withholdings_ending(now: datetime, limit: int) -> Query[list[tuple[ShopId, WithholdingId]]]:
    """Open ones whose time has passed, the longest overdue first."""
    return Query(
        """
        SELECT shop_id, id FROM settlement.withholding
        WHERE released_at IS NULL AND until <= %s ORDER BY until, shop_id, id LIMIT %s
        """,
        (now, limit),
        lambda rows: [(row.shop_id, row.id) for row in rows],
    )


def withholdings_ended(shop_id: ShopId, ids: Collection[WithholdingId], now: datetime) -> Query[None]:
    """Release those of these whose time has passed and that are still open, by nobody."""
    return statement(
        """
        UPDATE settlement.withholding SET released_at = greatest(%(now)s, opened_at)
        WHERE shop_id = %(shop_id)s AND released_at IS NULL AND until <= %(now)s
          AND id = ANY (ARRAY(SELECT id FROM settlement.withholding
                              WHERE shop_id = %(shop_id)s AND id = ANY (%(ids)s::uuid[]) ORDER BY id FOR UPDATE))
        """,
        {"shop_id": shop_id, "ids": uuid_array(ids), "now": now},
    )


def withholdings_of_order(
    shop_id: ShopId, order_id: OrderId, buyer_id: PersonId | None
) -> Query[list[Withholding] | None]:
    """The order's withholdings, oldest first; None when there is no such order, or it is not the buyer's.

    buyer_id: None for somebody who may see the shop's orders.
    """

    def read(rows: list[Row]) -> list[Withholding] | None:
        return _read([row[1:] for row in rows if row.id is not None]) if rows else None

    return Query(
        """
        SELECT shop_order.id AS whole_order_id, withholding.shop_id, withholding.id, order_id, line_no, reason,
               withholding.note, until, opened_by, opened_at, released_by, released_at
        FROM orders.shop_order
        LEFT JOIN settlement.withholding
            ON withholding.shop_id = shop_order.shop_id AND withholding.order_id = shop_order.id
        WHERE shop_order.shop_id = %s AND shop_order.id = %s
          AND (%s::bigint IS NULL OR buyer_id = %s::bigint)
        ORDER BY opened_at, withholding.id
        """,
        (shop_id, order_id, buyer_id, buyer_id),
        read,
    )


def withholdings_of_shop(shop_id: ShopId, *, only_open: bool, before: Before, limit: int) -> Query[list[Withholding]]:
    """The shop's withholdings before that time and id, newest first."""
    return Query(
        _WITHHOLDING
        + """
        WHERE shop_id = %s AND (opened_at, id) < (%s, %s) AND (NOT %s OR released_at IS NULL)
        ORDER BY opened_at DESC, id DESC LIMIT %s
        """,
        (shop_id, *before, only_open, limit),
        _read,
    )


def withholdings_everywhere(*, only_open: bool, before: Before, limit: int) -> Query[list[Withholding]]:
    """All shops' withholdings before that time and id, newest first."""
    return Query(
        _WITHHOLDING
        + """
        WHERE (opened_at, id) < (%s, %s) AND (NOT %s OR released_at IS NULL)
        ORDER BY opened_at DESC, id DESC LIMIT %s
        """,
        (*before, only_open, limit),
        _read,
    )

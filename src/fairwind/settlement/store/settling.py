"""The SQL of settling: what is due, what was settled, and what was taken back of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fairwind.kernel import OrderId, Ppm, Query, Row, ShopId, int_array, statement, text_array, time_array, uuid_array
from fairwind.orders import GivenBack
from fairwind.settlement.share import Held, SettledLine, Shares, Terms

LineKey = tuple[OrderId, int]
"""An order and the number of a line of it; 0 is its freight."""
DueKey = tuple[datetime, ShopId, OrderId, int]
"""A due line in the order in which due lines are taken."""

_FIRST: DueKey = (datetime.min.replace(tzinfo=UTC), ShopId(0), OrderId(UUID(int=0)), 0)


def due_lines(until: datetime, after: DueKey | None, limit: int) -> Query[list[DueKey]]:
    """Lines due by `until`, the oldest first, behind `after`.

    A run goes on behind what it took before, so as not to search among rows that it has just removed.
    """
    return Query(
        """
        SELECT due_at, shop_id, order_id, line_no FROM settlement.due
        WHERE due_at <= %s AND (due_at, shop_id, order_id, line_no) > (%s, %s, %s, %s)
        ORDER BY due_at, shop_id, order_id, line_no LIMIT %s
        """,
        (until, *(after or _FIRST), limit),
        lambda rows: [tuple(row) for row in rows],
    )


def due_added(shop_id: ShopId, due: Mapping[LineKey, datetime]) -> list[Query[Any]]:
    """When lines can settle; one that is known already keeps its time, and one that has settled is not due again."""
    if not due:
        return []
    return [
        statement(
            """
            INSERT INTO settlement.due (shop_id, order_id, line_no, due_at)
            SELECT %s, * FROM unnest(%s::uuid[], %s::smallint[], %s::timestamptz[]) AS new (order_id, line_no, due_at)
            WHERE NOT EXISTS (SELECT FROM settlement.settled_line AS settled
                              WHERE settled.shop_id = %s AND settled.order_id = new.order_id
                                AND settled.line_no = new.line_no)
            ON CONFLICT (shop_id, order_id, line_no) DO NOTHING
            """,
            (shop_id, *_keys(due), time_array(due.values()), shop_id),
        )
    ]


def due_taken(shop_id: ShopId, keys: Collection[LineKey], until: datetime) -> Query[set[LineKey]]:
    """Take these lines off what is due by `until`; answers those that were there: nobody else settles them."""
    return Query(
        """
        DELETE FROM settlement.due USING unnest(%s::uuid[], %s::smallint[]) AS taken (order_id, line_no)
        WHERE due.shop_id = %s AND due.order_id = taken.order_id AND due.line_no = taken.line_no AND due_at <= %s
        RETURNING due.order_id, due.line_no
        """,
        (*_keys(keys), shop_id, until),
        lambda rows: {(row.order_id, row.line_no) for row in rows},
    )


def settled_added(shop_id: ShopId, lines: Sequence[SettledLine], now: datetime) -> list[Query[Any]]:
    if not lines:
        return []
    return [
        statement(
            """
            INSERT INTO settlement.settled_line
                (shop_id, settled_at, order_id, line_no, paid_fen, escrow_fen, base_fen, service_fee_fen, creator_fen,
                 alliance_fee_fen, mcn_fen, agency_fen, seller_fen, seller, creator_id, mcn_id, agency_id)
            SELECT %s, %s, * FROM unnest(%s::uuid[], %s::smallint[], %s::bigint[], %s::bigint[], %s::bigint[],
                                         %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
                                         %s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
            """,
            (
                shop_id,
                now,
                uuid_array(line.order_id for line in lines),
                int_array(line.line_no for line in lines),
                *(int_array(column) for column in zip(*(line.held for line in lines), strict=True)),
                *(int_array(column) for column in zip(*(line.shares for line in lines), strict=True)),
                text_array(line.terms.seller for line in lines),
                text_array(line.terms.creator_id for line in lines),
                text_array(line.terms.mcn_id for line in lines),
                text_array(line.terms.agency_id for line in lines),
            ),
        )
    ]


def settled_lines(shop_id: ShopId, order_ids: Collection[OrderId]) -> Query[dict[LineKey, SettledLine]]:
    """What was settled of these orders, with who earned; to be asked with the orders locked, under which it changes."""
    return Query(
        """
        SELECT order_id, line_no, paid_fen, escrow_fen, base_fen, service_fee_fen, creator_fen, alliance_fee_fen,
               mcn_fen, agency_fen, seller_fen, seller, creator_id, mcn_id, agency_id, returned_fen
        FROM settlement.settled_line WHERE shop_id = %s AND order_id = ANY (%s::uuid[])
        """,
        (shop_id, uuid_array(order_ids)),
        lambda rows: {(row.order_id, row.line_no): _settled(row) for row in rows},
    )


def _settled(row: Row) -> SettledLine:
    """Rates are left out: shares are taken back as they are, and not reckoned again."""
    terms = Terms(row.seller, fee_ppm=Ppm(0), creator_id=row.creator_id, mcn_id=row.mcn_id, agency_id=row.agency_id)
    return SettledLine(row.order_id, row.line_no, Held(*row[2:5]), Shares(*row[5:11]), terms, row.returned_fen)


def clawbacks_added(
    shop_id: ShopId, returns: Sequence[tuple[GivenBack, SettledLine, Shares]], now: datetime
) -> list[Query[Any]]:
    """Write what each party gave back of settled lines, and count it on them."""
    if not returns:
        return []
    given = [each for each, _, _ in returns]
    lines = [line for _, line, _ in returns]
    return [
        statement(
            """
            INSERT INTO settlement.clawback
                (shop_id, clawed_at, order_id, line_no, refund_id, returned_fen, subsidy_fen, service_fee_fen,
                 creator_fen, alliance_fee_fen, mcn_fen, agency_fen, seller_fen, seller, creator_id, mcn_id, agency_id)
            SELECT %s, %s, * FROM unnest(%s::uuid[], %s::smallint[], %s::uuid[], %s::bigint[], %s::bigint[],
                                         %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
                                         %s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
            """,
            (
                shop_id,
                now,
                uuid_array(each.order_id for each in given),
                int_array(each.line_no for each in given),
                uuid_array(each.refund_id for each in given),
                int_array(each.amount_fen for each in given),
                int_array(sum(grant.amount_fen for grant in each.grants) for each in given),
                *(int_array(column) for column in zip(*(parts for _, _, parts in returns), strict=True)),
                text_array(line.terms.seller for line in lines),
                text_array(line.terms.creator_id for line in lines),
                text_array(line.terms.mcn_id for line in lines),
                text_array(line.terms.agency_id for line in lines),
            ),
        ),
        statement(
            """
            UPDATE settlement.settled_line SET returned_fen = settled_line.returned_fen + more.fen
            FROM (SELECT order_id, line_no, sum(fen) AS fen
                  FROM unnest(%s::uuid[], %s::smallint[], %s::bigint[]) AS one (order_id, line_no, fen)
                  GROUP BY order_id, line_no) AS more
            WHERE settled_line.shop_id = %s AND settled_line.order_id = more.order_id
              AND settled_line.line_no = more.line_no
            """,
            (
                uuid_array(each.order_id for each in given),
                int_array(each.line_no for each in given),
                int_array(each.amount_fen for each in given),
                shop_id,
            ),
        ),
    ]


def _keys(keys: Collection[LineKey]) -> tuple[str, str]:
    return uuid_array(order_id for order_id, _ in keys), int_array(line_no for _, line_no in keys)

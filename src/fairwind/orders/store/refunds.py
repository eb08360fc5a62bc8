"""The SQL of refunds and stray payments."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from fairwind.kernel import (
    OrderId,
    PaymentId,
    Query,
    RefundId,
    Row,
    ShopId,
    Transaction,
    bytes_array,
    int_array,
    statement,
    text_array,
    time_array,
    uuid_array,
)
from fairwind.kernel.pages import Before
from fairwind.orders.payment import Stray
from fairwind.orders.refund import Refund, RefundLine
from fairwind.orders.states import RefundState

_REFUND = """
    SELECT shop_id, id, order_id, kind, state, freight_fen, amount_fen, reason, answer, asked_by, asked_at,
           decided_at, refunded_at,
           ARRAY(SELECT ARRAY[line_no, quantity, refund_line.amount_fen] FROM orders.refund_line
                 WHERE refund_line.shop_id = refund.shop_id AND refund_id = refund.id ORDER BY line_no) AS lines
    FROM orders.refund
"""


def _refund(row: Row) -> Refund:
    values = row._asdict()
    lines = tuple(RefundLine(*line) for line in row.lines)
    return Refund(**values | {"state": RefundState(row.state), "lines": lines})


def refunds_of_orders(shop_id: ShopId, order_ids: Collection[OrderId]) -> Query[list[Refund]]:
    """All refunds of these orders, oldest first; they change only under their order's lock."""
    return Query(
        _REFUND + "WHERE shop_id = %s AND order_id = ANY (%s::uuid[]) ORDER BY asked_at, id",
        (shop_id, uuid_array(order_ids)),
        lambda rows: [_refund(row) for row in rows],
    )


def refund_orders(shop_id: ShopId, refund_ids: Collection[RefundId]) -> Query[dict[RefundId, OrderId]]:
    """Which order each of these refunds belongs to."""
    return Query(
        "SELECT id, order_id FROM orders.refund WHERE shop_id = %s AND id = ANY (%s::uuid[])",
        (shop_id, uuid_array(refund_ids)),
        lambda rows: {row.id: row.order_id for row in rows},
    )


def refund_hashes(shop_id: ShopId, ids: Collection[RefundId]) -> Query[dict[RefundId, bytes]]:
    """The content hashes of those of these refunds that exist."""
    return Query(
        "SELECT id, content_hash FROM orders.refund WHERE shop_id = %s AND id = ANY (%s::uuid[])",
        (shop_id, uuid_array(ids)),
        lambda rows: {row.id: bytes(row.content_hash) for row in rows},
    )


def refunds_added(shop_id: ShopId, refunds: Sequence[Refund], hashes: Sequence[bytes]) -> list[Query[Any]]:
    if not refunds:
        return []
    lines = [(refund.id, line) for refund in refunds for line in refund.lines]
    return [
        statement(
            """
            INSERT INTO orders.refund (shop_id, id, content_hash, order_id, kind, state, freight_fen, amount_fen,
                                       reason, asked_by, asked_at)
            SELECT %s, * FROM unnest(%s::uuid[], %s::bytea[], %s::uuid[], %s::text[], %s::text[], %s::bigint[],
                                     %s::bigint[], %s::text[], %s::bigint[], %s::timestamptz[])
            """,
            (
                shop_id,
                uuid_array(refund.id for refund in refunds),
                bytes_array(hashes),
                uuid_array(refund.order_id for refund in refunds),
                text_array(refund.kind for refund in refunds),
                text_array(refund.state.value for refund in refunds),
                int_array(refund.freight_fen for refund in refunds),
                int_array(refund.amount_fen for refund in refunds),
                text_array(refund.reason for refund in refunds),
                int_array(refund.asked_by for refund in refunds),
                time_array(refund.asked_at for refund in refunds),
            ),
        ),
        statement(
            """
            INSERT INTO orders.refund_line (shop_id, refund_id, line_no, quantity, amount_fen)
            SELECT %s, * FROM unnest(%s::uuid[], %s::smallint[], %s::bigint[], %s::bigint[])
            """,
            (
                shop_id,
                uuid_array(refund_id for refund_id, _ in lines),
                int_array(line.line_no for _, line in lines),
                int_array(line.quantity for _, line in lines),
                int_array(line.amount_fen for _, line in lines),
            ),
        ),
    ]


def refunds_changed(shop_id: ShopId, refunds: Sequence[Refund]) -> list[Query[Any]]:
    if not refunds:
        return []
    return [
        statement(
            """
            UPDATE orders.refund
            SET state = change.state, answer = change.answer, decided_at = change.decided_at,
                refunded_at = change.refunded_at
            FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
                AS change (id, state, answer, decided_at, refunded_at)
            WHERE refund.shop_id = %s AND refund.id = change.id
            """,
            (
                uuid_array(refund.id for refund in refunds),
                text_array(refund.state.value for refund in refunds),
                text_array(refund.answer for refund in refunds),
                time_array(refund.decided_at for refund in refunds),
                time_array(refund.refunded_at for refund in refunds),
                shop_id,
            ),
        )
    ]


async def refunds_of_shop(
    tx: Transaction, shop_id: ShopId, state: RefundState | None, before: Before, limit: int
) -> list[Refund]:
    """A shop's refunds, all or those in one state, newest first."""
    rows = await tx.rows(
        _REFUND
        + "WHERE shop_id = %(shop_id)s AND (asked_at, id) < (%(at)s, %(id)s)"
        + (" AND state = %(state)s" if state else "")
        + " ORDER BY asked_at DESC, id DESC LIMIT %(limit)s",
        {"shop_id": shop_id, "state": state, "at": before[0], "id": before[1], "limit": limit},
    )
    return [_refund(row) for row in rows]


def strays_of(shop_id: ShopId, order_ids: Collection[OrderId]) -> Query[set[tuple[OrderId, ShopId, PaymentId]]]:
    """Which payments, by home and id, already went back as strays of these orders."""
    return Query(
        """
        SELECT order_id, payment_shop_id, payment_id FROM orders.stray_payment
        WHERE shop_id = %s AND order_id = ANY (%s::uuid[])
        """,
        (shop_id, uuid_array(order_ids)),
        lambda rows: {(row.order_id, row.payment_shop_id, row.payment_id) for row in rows},
    )


def strays_added(shop_id: ShopId, strays: Sequence[Stray], now: datetime) -> list[Query[Any]]:
    if not strays:
        return []
    return [
        statement(
            """
            INSERT INTO orders.stray_payment (shop_id, id, order_id, payment_shop_id, payment_id, amount_fen, reason,
                                              arrived_at)
            SELECT %s, id, order_id, payment_shop_id, payment_id, amount_fen, reason, %s
            FROM unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::uuid[], %s::bigint[], %s::text[])
                AS new (id, order_id, payment_shop_id, payment_id, amount_fen, reason)
            """,
            (
                shop_id,
                now,
                uuid_array(stray.id for stray in strays),
                uuid_array(stray.order_id for stray in strays),
                int_array(stray.payment_shop_id for stray in strays),
                uuid_array(stray.payment_id for stray in strays),
                int_array(stray.amount_fen for stray in strays),
                text_array(stray.reason for stray in strays),
            ),
        )
    ]


def strays_refunded(shop_id: ShopId, ids: Collection[RefundId], now: datetime) -> Query[list[RefundId]]:
    """Mark strays as sent back; answers those that were not marked before."""
    return Query(
        """
        UPDATE orders.stray_payment SET refunded_at = %s
        WHERE shop_id = %s AND id = ANY (%s::uuid[]) AND refunded_at IS NULL RETURNING id
        """,
        (now, shop_id, uuid_array(ids)),
        lambda rows: [row.id for row in rows],
    )

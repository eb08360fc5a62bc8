"""The payments' SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from fairwind.kernel import (
    PaymentId,
    PersonId,
    Query,
    RefundId,
    Row,
    ShopId,
    int_array,
    statement,
    text_array,
    time_array,
    uuid7s,
    uuid_array,
)
from fairwind.payments.payment import Discrepancy, Notice, Part, Payment
from fairwind.payments.refund import Refund, RefundCap

_PAYMENTS: LiteralString = """
SELECT shop_id, id, buyer_id, amount_fen, state, provider, provider_ref, pay_url, created_at, expires_at, paid_at, asks
FROM payments.payment
"""
_REFUNDS: LiteralString = """
SELECT shop_id, id, payment_shop_id, payment_id, order_id, amount_fen, provider, state, reason, attempts, requested_at,
       finished_at
FROM payments.refund
"""


def payments_locked(shop_id: ShopId, ids: Collection[PaymentId]) -> Query[list[Row]]:
    """The rows of these payments, locked in the order of their ids; to be joined with `parts`."""
    return Query(
        _PAYMENTS + "WHERE shop_id = %s AND id = ANY (%s::uuid[]) ORDER BY id FOR UPDATE",
        (shop_id, uuid_array(ids)),
        list,
    )


def payments(shop_id: ShopId, ids: Collection[PaymentId]) -> Query[list[Row]]:
    """The rows of these payments; to be joined with `parts`."""
    return Query(
        _PAYMENTS + "WHERE shop_id = %s AND id = ANY (%s::uuid[])",
        (shop_id, uuid_array(ids)),
        list,
    )


def parts(shop_id: ShopId, payment_ids: Collection[PaymentId]) -> Query[dict[PaymentId, list[Part]]]:
    """The parts of these payments, each payment's in the order of their shops."""

    def read(rows: list[Row]) -> dict[PaymentId, list[Part]]:
        by_payment: dict[PaymentId, list[Part]] = defaultdict(list)
        for payment_id, order_shop_id, order_id, amount_fen in rows:
            by_payment[payment_id].append(Part(order_shop_id, order_id, amount_fen))
        return by_payment

    return Query(
        """
        SELECT payment_id, order_shop_id, order_id, amount_fen FROM payments.part
        WHERE shop_id = %s AND payment_id = ANY (%s::uuid[]) ORDER BY payment_id, order_shop_id
        """,
        (shop_id, uuid_array(payment_ids)),
        read,
    )


def joined(rows: Iterable[Row], parts: Mapping[PaymentId, Sequence[Part]]) -> dict[PaymentId, Payment]:
    """Payments from their rows and parts."""
    return {row.id: Payment(*row[:-1], tuple(parts[row.id])) for row in rows}  # type: ignore[call-arg]


def payments_added(shop_id: ShopId, payments: Sequence[Payment], ask_at: datetime) -> list[Query[Any]]:
    """New payments with their parts; the provider is asked about them at ask_at when it has said nothing by then."""
    pairs = [(payment.id, part) for payment in payments for part in payment.parts]
    return [
        statement(
            """
            INSERT INTO payments.payment
                (shop_id, id, buyer_id, amount_fen, state, provider, created_at, expires_at, ask_at)
            SELECT %s, id, buyer_id, amount_fen, 'created', provider, created_at, expires_at, %s
            FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[], %s::timestamptz[])
                AS payment (id, buyer_id, amount_fen, provider, created_at, expires_at)
            """,
            (
                shop_id,
                ask_at,
                uuid_array(payment.id for payment in payments),
                int_array(payment.buyer_id for payment in payments),
                int_array(payment.amount_fen for payment in payments),
                text_array(payment.provider for payment in payments),
                time_array(payment.created_at for payment in payments),
                time_array(payment.expires_at for payment in payments),
            ),
        ),
        statement(
            """
            INSERT INTO payments.part (shop_id, payment_id, order_shop_id, order_id, amount_fen)
            SELECT %s, * FROM unnest(%s::uuid[], %s::bigint[], %s::uuid[], %s::bigint[])
            """,
            (
                shop_id,
                uuid_array(payment_id for payment_id, _ in pairs),
                int_array(part.shop_id for _, part in pairs),
                uuid_array(part.order_id for _, part in pairs),
                int_array(part.amount_fen for _, part in pairs),
            ),
        ),
    ]


def payments_changed(shop_id: ShopId, changes: Sequence[tuple[Payment, datetime | None]]) -> Query[None]:
    """Save the states of payments, each with when to ask the provider about it again."""
    payments = [payment for payment, _ in changes]
    return statement(
        """
        UPDATE payments.payment
        SET state = change.state, provider_ref = change.provider_ref, paid_at = change.paid_at,
            ask_at = change.ask_at, asks = 0
        FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
            AS change (id, state, provider_ref, paid_at, ask_at)
        WHERE payment.shop_id = %s AND payment.id = change.id
        """,
        (
            uuid_array(payment.id for payment in payments),
            text_array(payment.state for payment in payments),
            text_array(payment.provider_ref for payment in payments),
            time_array(payment.paid_at for payment in payments),
            time_array(ask_at for _, ask_at in changes),
            shop_id,
        ),
    )


def pages_opened(shop_id: ShopId, pages: Sequence[tuple[PaymentId, str]]) -> Query[None]:
    """Keep the addresses of payments' pages; the first one stays."""
    return statement(
        """
        WITH locked AS (
            SELECT payment.id, page.url FROM payments.payment
            JOIN unnest(%s::uuid[], %s::text[]) AS page (id, url) ON page.id = payment.id
            WHERE payment.shop_id = %s AND payment.pay_url IS NULL ORDER BY payment.id FOR UPDATE OF payment
        )
        UPDATE payments.payment SET pay_url = locked.url FROM locked
        WHERE payment.shop_id = %s AND payment.id = locked.id
        """,
        (uuid_array(payment_id for payment_id, _ in pages), text_array(url for _, url in pages), shop_id, shop_id),
    )


def discrepancies_added(shop_id: ShopId, misfits: Sequence[tuple[Notice, str]], now: datetime) -> Query[None]:
    """Keep notices that do not fit, each with the code of its refusal; one told again is kept once."""
    notices = [notice for notice, _ in misfits]
    return statement(
        """
        INSERT INTO payments.discrepancy (shop_id, id, payment_id, code, provider, provider_ref, amount_fen, told_at)
        SELECT %s, id, payment_id, code, provider, provider_ref, amount_fen, %s
        FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::bigint[])
            AS misfit (id, payment_id, code, provider, provider_ref, amount_fen)
        ON CONFLICT (shop_id, payment_id, code, provider, provider_ref, amount_fen) DO NOTHING
        """,
        (
            shop_id,
            now,
            uuid_array(uuid7s(now, len(misfits))),
            uuid_array(notice.payment_id for notice in notices),
            text_array(code for _, code in misfits),
            text_array(notice.provider for notice in notices),
            text_array(notice.provider_ref for notice in notices),
            int_array(notice.amount_fen for notice in notices),
        ),
    )


def caps_opened(shop_id: ShopId, payment_shop_id: ShopId, payment_ids: Collection[PaymentId]) -> Query[None]:
    """Begin to count what is asked back of these payments' parts in shop_id; those that brought no money have none.

    The payment may live in another shop. Its part is read without a lock: it never changes, nor does a success.
    """
    return statement(
        """
        INSERT INTO payments.refund_cap (shop_id, payment_id, order_id, payment_shop_id, provider, part_fen)
        SELECT part.order_shop_id, part.payment_id, part.order_id, part.shop_id, payment.provider, part.amount_fen
        FROM payments.part JOIN payments.payment ON payment.shop_id = part.shop_id AND payment.id = part.payment_id
        WHERE part.shop_id = %s AND part.payment_id = ANY (%s::uuid[]) AND part.order_shop_id = %s
          AND payment.state = 'succeeded'
        ORDER BY part.payment_id
        ON CONFLICT (shop_id, payment_shop_id, payment_id) DO NOTHING
        """,
        (payment_shop_id, uuid_array(payment_ids), shop_id),
    )


def caps_locked(
    shop_id: ShopId, payment_ids: Collection[PaymentId]
) -> Query[dict[tuple[ShopId, PaymentId], RefundCap]]:
    """What was asked back of these payments, by their home and id, locked in that order."""
    return Query(
        """
        SELECT payment_id, order_id, payment_shop_id, provider, part_fen, asked_fen FROM payments.refund_cap
        WHERE shop_id = %s AND payment_id = ANY (%s::uuid[]) ORDER BY payment_shop_id, payment_id FOR UPDATE
        """,
        (shop_id, uuid_array(payment_ids)),
        lambda rows: {(row.payment_shop_id, row.payment_id): RefundCap(*row) for row in rows},
    )


def refunds(shop_id: ShopId, ids: Collection[RefundId]) -> Query[dict[RefundId, Refund]]:
    return Query(
        _REFUNDS + "WHERE shop_id = %s AND id = ANY (%s::uuid[])",
        (shop_id, uuid_array(ids)),
        _read_refunds,
    )


def refunds_locked(shop_id: ShopId, ids: Collection[RefundId]) -> Query[dict[RefundId, Refund]]:
    """These refunds, locked in the order of their ids."""
    return Query(
        _REFUNDS + "WHERE shop_id = %s AND id = ANY (%s::uuid[]) ORDER BY id FOR UPDATE",
        (shop_id, uuid_array(ids)),
        _read_refunds,
    )


def _read_refunds(rows: list[Row]) -> dict[RefundId, Refund]:
    return {row.id: Refund(*row) for row in rows}


def refunds_added(shop_id: ShopId, refunds: Sequence[Refund], caps: Iterable[RefundCap]) -> list[Query[Any]]:
    """New refunds, to be sent at once, and what is asked back with them."""
    changed = list(caps)
    return [
        statement(
            """
            UPDATE payments.refund_cap SET asked_fen = change.asked_fen
            FROM unnest(%s::bigint[], %s::uuid[], %s::bigint[]) AS change (payment_shop_id, payment_id, asked_fen)
            WHERE refund_cap.shop_id = %s AND refund_cap.payment_shop_id = change.payment_shop_id
              AND refund_cap.payment_id = change.payment_id
            """,
            (
                int_array(cap.payment_shop_id for cap in changed),
                uuid_array(cap.payment_id for cap in changed),
                int_array(cap.asked_fen for cap in changed),
                shop_id,
            ),
        ),
        statement(
            """
            INSERT INTO payments.refund (shop_id, id, payment_shop_id, payment_id, order_id, amount_fen, provider,
                                         state, next_try_at, requested_at)
            SELECT %s, id, payment_shop_id, payment_id, order_id, amount_fen, provider, 'pending', requested_at,
                   requested_at
            FROM unnest(%s::uuid[], %s::bigint[], %s::uuid[], %s::uuid[], %s::bigint[], %s::text[], %s::timestamptz[])
                AS refund (id, payment_shop_id, payment_id, order_id, amount_fen, provider, requested_at)
            """,
            (
                shop_id,
                uuid_array(refund.id for refund in refunds),
                int_array(refund.payment_shop_id for refund in refunds),
                uuid_array(refund.payment_id for refund in refunds),
                uuid_array(refund.order_id for refund in refunds),
                int_array(refund.amount_fen for refund in refunds),
                text_array(refund.provider for refund in refunds),
                time_array(refund.requested_at for refund in refunds),
            ),
        ),
    ]


def refunds_changed(shop_id: ShopId, changes: Sequence[tuple[Refund, datetime | None]]) -> Query[None]:
    """Save the states of refunds, each with when to speak to the provider next."""
    refunds = [refund for refund, _ in changes]
    return statement(
        """
        UPDATE payments.refund
        SET state = change.state, reason = change.reason, attempts = change.attempts,
            next_try_at = change.next_try_at, finished_at = change.finished_at
        FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::integer[], %s::timestamptz[], %s::timestamptz[])
            AS change (id, state, reason, attempts, next_try_at, finished_at)
        WHERE refund.shop_id = %s AND refund.id = change.id
        """,
        (
            uuid_array(refund.id for refund in refunds),
            text_array(refund.state for refund in refunds),
            text_array(refund.reason for refund in refunds),
            int_array(refund.attempts for refund in refunds),
            time_array(next_try_at for _, next_try_at in changes),
            time_array(refund.finished_at for refund in refunds),
            shop_id,
        ),
    )


def payments_due(now: datetime, limit: int) -> Query[dict[ShopId, list[PaymentId]]]:
    """The payments that the provider is to be asked about, by shop: the longest due, at most limit of them."""
    return Query(
        "SELECT shop_id, id FROM payments.payment WHERE ask_at <= %s ORDER BY ask_at LIMIT %s",
        (now, limit),
        _by_shop,
    )


def refunds_due(now: datetime, limit: int) -> Query[dict[ShopId, list[RefundId]]]:
    """The refunds that the provider is to be spoken to about, by shop: the longest due, at most limit of them."""
    return Query(
        "SELECT shop_id, id FROM payments.refund WHERE next_try_at <= %s ORDER BY next_try_at LIMIT %s",
        (now, limit),
        _by_shop,
    )


def _by_shop(rows: list[Row]) -> dict[ShopId, list[Any]]:
    by_shop: dict[ShopId, list[Any]] = defaultdict(list)
    for row in rows:
        by_shop[row.shop_id].append(row.id)
    return by_shop


def payments_claimed(shop_id: ShopId, ids: Collection[PaymentId], now: datetime) -> Query[list[Row]]:
    """The rows of those payments that are still due and that nobody else has in hand, locked."""
    return Query(
        _PAYMENTS
        + """WHERE shop_id = %s AND id = ANY (%s::uuid[]) AND ask_at <= %s ORDER BY id FOR UPDATE SKIP LOCKED
        """,
        (shop_id, uuid_array(ids), now),
        list,
    )


def asks_planned(shop_id: ShopId, plans: Sequence[tuple[PaymentId, datetime | None]], now: datetime) -> Query[None]:
    """Count one more question about each payment, and keep when to ask the next."""
    return statement(
        """
        UPDATE payments.payment SET asks = asks + 1, asked_at = %s, ask_at = plan.ask_at
        FROM unnest(%s::uuid[], %s::timestamptz[]) AS plan (id, ask_at)
        WHERE payment.shop_id = %s AND payment.id = plan.id
        """,
        (
            now,
            uuid_array(payment_id for payment_id, _ in plans),
            time_array(ask_at for _, ask_at in plans),
            shop_id,
        ),
    )


def refunds_claimed(shop_id: ShopId, ids: Collection[RefundId], now: datetime) -> Query[dict[RefundId, Refund]]:
    """Those of the refunds that are still due and that nobody else has in hand, locked."""
    return Query(
        _REFUNDS
        + """WHERE shop_id = %s AND id = ANY (%s::uuid[]) AND next_try_at <= %s ORDER BY id FOR UPDATE SKIP LOCKED
        """,
        (shop_id, uuid_array(ids), now),
        _read_refunds,
    )


def failed_refunds(after: tuple[ShopId, RefundId], limit: int) -> Query[list[Refund]]:
    """Refunds that wait for an operator, over all shops, by shop and id."""
    return Query(
        _REFUNDS
        + """WHERE state = 'failed' AND (shop_id, id) > (%s, %s) ORDER BY shop_id, id LIMIT %s
        """,
        (*after, limit),
        lambda rows: [Refund(*row) for row in rows],
    )


def open_discrepancies(after: tuple[ShopId, UUID], limit: int) -> Query[list[Discrepancy]]:
    """Discrepancies that wait for an operator, over all shops, by shop and id."""
    return Query(
        """
        SELECT shop_id, id, payment_id, code, provider, provider_ref, amount_fen, told_at, settled_at, settled_by, note
        FROM payments.discrepancy WHERE settled_at IS NULL AND (shop_id, id) > (%s, %s) ORDER BY shop_id, id LIMIT %s
        """,
        (*after, limit),
        lambda rows: [Discrepancy(*row) for row in rows],
    )


def discrepancy_settled(
    shop_id: ShopId, discrepancy_id: UUID, person_id: PersonId, note: str, now: datetime
) -> Query[Discrepancy | None]:
    """Keep how an operator settled a discrepancy; the first word stands. None when there is no such one."""
    return Query(
        """
        UPDATE payments.discrepancy
        SET settled_at = coalesce(settled_at, %s), settled_by = coalesce(settled_by, %s), note = coalesce(note, %s)
        WHERE shop_id = %s AND id = %s
        RETURNING shop_id, id, payment_id, code, provider, provider_ref, amount_fen, told_at, settled_at, settled_by,
                  note
        """,
        (now, person_id, note, shop_id, discrepancy_id),
        lambda rows: Discrepancy(*rows[0]) if rows else None,
    )

"""The SQL of sweeps."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from fairwind.kernel import PayoutId, Query, ShopId, int_array, statement, text_array, uuid7s, uuid_array
from fairwind.settlement.netting import Payee


def swept_at(shop_ids: Collection[ShopId]) -> Query[dict[ShopId, datetime | None]]:
    """When each of these books was last swept; one that never was may be absent."""
    return Query(
        "SELECT shop_id, swept_at FROM settlement.sweep WHERE shop_id = ANY (%s::bigint[])",
        (int_array(shop_ids),),
        lambda rows: {row.shop_id: row.swept_at for row in rows},
    )


def sweep_opened(shop_id: ShopId) -> Query[None]:
    """Make the row that keeps when the book was swept, unless it is there."""
    return statement(
        "INSERT INTO settlement.sweep (shop_id) VALUES (%s) ON CONFLICT (shop_id) DO NOTHING",
        (shop_id,),
    )


def sweep_locked(shop_id: ShopId) -> Query[datetime | None]:
    """When the book was last swept. Locked, so that one sweep of it follows another."""
    return Query(
        "SELECT swept_at FROM settlement.sweep WHERE shop_id = %s FOR UPDATE",
        (shop_id,),
        lambda rows: rows[0].swept_at,
    )


def sweep_over(shop_id: ShopId, now: datetime) -> Query[None]:
    return statement("UPDATE settlement.sweep SET swept_at = %s WHERE shop_id = %s", (now, shop_id))


def swept_added(shop_id: ShopId, amounts: Mapping[Payee, int], now: datetime) -> Query[None]:
    """Keep what a sweep found for each payee, to be put into payouts."""
    return statement(
        """
        INSERT INTO settlement.swept (shop_id, id, payee_kind, payee_id, amount_fen, swept_at)
        SELECT %s, id, payee_kind, payee_id, amount_fen, %s
        FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::bigint[])
            AS swept (id, payee_kind, payee_id, amount_fen)
        """,
        (
            shop_id,
            now,
            uuid_array(uuid7s(now, len(amounts))),
            text_array(payee.kind for payee in amounts),
            int_array(payee.id for payee in amounts),
            int_array(amounts.values()),
        ),
    )


def paid_out_noted(shop_id: ShopId, payout_ids: Collection[PayoutId], now: datetime) -> Query[list[int]]:
    """Take note that what these payouts have of the book was paid: the amounts of which that is news, in fen."""
    return Query(
        """
        UPDATE settlement.swept SET paid_out_at = %s
        WHERE shop_id = %s AND payout_id = ANY (%s::uuid[]) AND paid_out_at IS NULL
        RETURNING amount_fen
        """,
        (now, shop_id, uuid_array(payout_ids)),
        lambda rows: [row.amount_fen for row in rows],
    )

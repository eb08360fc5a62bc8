"""The SQL of payouts and of what they are made of."""
# ruff: noqa: S608  LiteralString already keeps values out of statements

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple
from uuid import UUID

from fairwind.kernel import PayoutId, Query, Row, ShopId, int_array, statement, text_array, time_array, uuid_array
from fairwind.kernel.pages import Before
from fairwind.settlement.netting import Payee
from fairwind.settlement.payout import Carried, Payout, PayoutItem, PayoutState

_PAYOUTS: LiteralString = """
SELECT id, payee_kind, payee_id, amount_fen, provider, state, reason, attempts, requested_at, finished_at
FROM settlement.payout
"""
_CARRIED: LiteralString = """
SELECT payee_kind, payee_id, sum(amount_fen)::bigint AS amount_fen, min(swept_at) AS since
FROM settlement.swept
"""


class Waiting(NamedTuple):
    """An amount that no payout has yet."""

    id: UUID
    amount_fen: int


# What waits is put into payouts, and taken out again.


def payees_to_pay(min_fen: int, after: Payee, limit: int) -> Query[list[Payee]]:
    """Payees with min_fen or more waiting for them: those that come next after one, by kind and id."""
    return Query(
        """
        SELECT payee_kind, payee_id FROM settlement.swept
        WHERE payout_id IS NULL AND (payee_kind, payee_id) > (%s, %s)
        GROUP BY payee_kind, payee_id HAVING sum(amount_fen) >= %s
        ORDER BY payee_kind, payee_id LIMIT %s
        """,
        (*after, min_fen, limit),
        lambda rows: [Payee(*row) for row in rows],
    )


def payee_opened(payee: Payee) -> Query[None]:
    """Make the payee's row, unless it is there."""
    return statement(
        "INSERT INTO settlement.payee (kind, id) VALUES (%s, %s) ON CONFLICT (kind, id) DO NOTHING",
        payee,
    )


def payee_locked(payee: Payee) -> Query[None]:
    """Nobody else puts amounts of this payee into payouts, or takes them out, until the transaction ends."""
    return statement("SELECT 1 FROM settlement.payee WHERE kind = %s AND id = %s FOR UPDATE", payee)


def waiting(payee: Payee) -> Query[list[Waiting]]:
    """What waits for the payee, in all books; to be asked under its lock. New amounts may come meanwhile."""
    return Query(
        """
        SELECT id, amount_fen FROM settlement.swept
        WHERE payee_kind = %s AND payee_id = %s AND payout_id IS NULL
        """,
        payee,
        lambda rows: [Waiting(*row) for row in rows],
    )


def owed_by(shop_id: ShopId) -> Query[int]:
    """What the shop owes of its earlier sweeps, in all books and in fen. What it has waiting is as good as paid."""
    return Query(
        """
        SELECT greatest(-coalesce(sum(amount_fen), 0), 0)::bigint AS owed_fen FROM settlement.swept
        WHERE payee_kind = 'shop' AND payee_id = %s AND payout_id IS NULL
        """,
        (shop_id,),
        lambda rows: int(rows[0].owed_fen),
    )


def put_into(payout: Payout, ids: Collection[UUID]) -> Query[int]:
    """Put these amounts, which wait for the payout's payee, into the payout; answers their sum in fen."""
    return Query(
        """
        WITH put AS (
            UPDATE settlement.swept SET payout_id = %s
            WHERE payee_kind = %s AND payee_id = %s AND payout_id IS NULL AND id = ANY (%s::uuid[])
            RETURNING amount_fen
        )
        SELECT coalesce(sum(amount_fen), 0)::bigint AS sum_fen FROM put
        """,
        (payout.id, *payout.payee, uuid_array(ids)),
        lambda rows: int(rows[0].sum_fen),
    )


def taken_out(payout_id: PayoutId) -> Query[None]:
    """What the payout was made of waits again; to be asked under the payee's lock."""
    return statement("UPDATE settlement.swept SET payout_id = NULL WHERE payout_id = %s", (payout_id,))


def shares(payout_ids: Collection[PayoutId]) -> Query[list[tuple[ShopId, PayoutId, int]]]:
    """What these payouts have of each shop's book, in fen, by shop and payout."""
    return Query(
        """
        SELECT shop_id, payout_id, sum(amount_fen)::bigint AS amount_fen FROM settlement.swept
        WHERE payout_id = ANY (%s::uuid[]) GROUP BY shop_id, payout_id ORDER BY shop_id, payout_id
        """,
        (uuid_array(payout_ids),),
        lambda rows: [(row.shop_id, row.payout_id, row.amount_fen) for row in rows],
    )


# Payouts on their way.


def payout_added(payout: Payout) -> Query[None]:
    """A new payout, to be sent at once."""
    return statement(
        """
        INSERT INTO settlement.payout (id, payee_kind, payee_id, amount_fen, provider, state, next_try_at, requested_at)
        VALUES (%s, %s, %s, %s, %s, 'pending', %s, %s)
        """,
        (payout.id, *payout.payee, payout.amount_fen, payout.provider, payout.requested_at, payout.requested_at),
    )


def payouts_locked(ids: Collection[PayoutId]) -> Query[dict[PayoutId, Payout]]:
    """These payouts, locked in the order of their ids."""
    return Query(
        _PAYOUTS + "WHERE id = ANY (%s::uuid[]) ORDER BY id FOR UPDATE",
        (uuid_array(ids),),
        lambda rows: {row.id: Payout(*row) for row in rows},
    )


def payouts_claimed(now: datetime, limit: int) -> Query[list[Payout]]:
    """The payouts that the provider is to be spoken to about and that nobody else has in hand, locked."""
    return Query(
        _PAYOUTS + "WHERE next_try_at <= %s ORDER BY next_try_at LIMIT %s FOR UPDATE SKIP LOCKED",
        (now, limit),
        _read,
    )


def payouts_changed(changes: Sequence[tuple[Payout, datetime | None]]) -> Query[None]:
    """Save the states of payouts, each with when to speak to the provider next."""
    payouts = [payout for payout, _ in changes]
    return statement(
        """
        UPDATE settlement.payout
        SET state = change.state, reason = change.reason, attempts = change.attempts,
            next_try_at = change.next_try_at, finished_at = change.finished_at
        FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::integer[], %s::timestamptz[], %s::timestamptz[])
            AS change (id, state, reason, attempts, next_try_at, finished_at)
        WHERE payout.id = change.id
        """,
        (
            uuid_array(payout.id for payout in payouts),
            text_array(payout.state for payout in payouts),
            text_array(payout.reason for payout in payouts),
            int_array(payout.attempts for payout in payouts),
            time_array(next_try_at for _, next_try_at in changes),
            time_array(payout.finished_at for payout in payouts),
        ),
    )


# What payees and operators see.


def payout(payout_id: PayoutId) -> Query[Payout | None]:
    return Query(_PAYOUTS + "WHERE id = %s", (payout_id,), lambda rows: Payout(*rows[0]) if rows else None)


def payouts_of(payees: Collection[Payee], before: Before, limit: int) -> Query[list[Payout]]:
    """The payouts of these payees, newest first."""
    return Query(
        _PAYOUTS
        + """
        WHERE (payee_kind, payee_id) IN (SELECT * FROM unnest(%s::text[], %s::bigint[]))
          AND (requested_at, id) < (%s, %s)
        ORDER BY requested_at DESC, id DESC LIMIT %s
        """,
        (*_columns(payees), *before, limit),
        _read,
    )


def payouts_in(states: Collection[PayoutState], before: Before, limit: int) -> Query[list[Payout]]:
    """The payouts in these states, of all payees, newest first."""
    return Query(
        _PAYOUTS
        + """
        WHERE state = ANY (%s::text[]) AND (requested_at, id) < (%s, %s)
        ORDER BY requested_at DESC, id DESC LIMIT %s
        """,
        (text_array(states), *before, limit),
        _read,
    )


def items(payout_id: PayoutId, after: tuple[ShopId, UUID], limit: int) -> Query[list[PayoutItem]]:
    """What the payout is made of, by shop and id."""
    return Query(
        """
        SELECT shop_id, id, amount_fen, swept_at, paid_out_at FROM settlement.swept
        WHERE payout_id = %s AND (shop_id, id) > (%s, %s) ORDER BY shop_id, id LIMIT %s
        """,
        (payout_id, *after, limit),
        lambda rows: [PayoutItem(*row) for row in rows],
    )


def carried(payees: Collection[Payee]) -> Query[list[Carried]]:
    """What waits for each of these payees, in their order."""

    def read(rows: list[Row]) -> list[Carried]:
        found = {Payee(row.payee_kind, row.payee_id): Carried(*row) for row in rows}
        return [found.get(payee, Carried(*payee, amount_fen=0, since=None)) for payee in payees]

    return Query(
        _CARRIED
        + """
        WHERE payout_id IS NULL AND (payee_kind, payee_id) IN (SELECT * FROM unnest(%s::text[], %s::bigint[]))
        GROUP BY payee_kind, payee_id
        """,
        _columns(payees),
        read,
    )


def debts(after: Payee, limit: int) -> Query[list[Carried]]:
    """The payees who owe more than waits for them: those that come next after one, by kind and id."""
    return Query(
        _CARRIED
        + """
        WHERE payout_id IS NULL AND (payee_kind, payee_id) > (%s, %s)
        GROUP BY payee_kind, payee_id HAVING sum(amount_fen) < 0 ORDER BY payee_kind, payee_id LIMIT %s
        """,
        (*after, limit),
        lambda rows: [Carried(*row) for row in rows],
    )


def _columns(payees: Collection[Payee]) -> tuple[str, str]:
    return text_array(payee.kind for payee in payees), int_array(payee.id for payee in payees)


def _read(rows: list[Row]) -> list[Payout]:
    return [Payout(*row) for row in rows]

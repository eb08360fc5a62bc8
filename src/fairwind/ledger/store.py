"""The ledger's SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from fairwind.kernel import OrderId, Query, ShopId, int_array, statement, text_array, uuid7s, uuid_array
from fairwind.ledger.transfer import PAYABLES, Account, AccountKind, Balance, StatementLine, Transfer, changes


def transfers_posted(shop_id: ShopId, transfers: Sequence[Transfer], now: datetime) -> list[Query[Any]]:
    """Post transfers in the shop's book: the transfers, and each account's balance changed once.

    The queries are to be asked together, at the end of a transaction: accounts come last in the order of locks.
    """
    if not transfers:
        return []
    deltas = changes(transfers)
    accounts = (text_array(a.kind for a in deltas), int_array(a.party_id for a in deltas))
    return [
        statement(
            """
            INSERT INTO ledger.account (shop_id, kind, party_id, balance_fen)
            SELECT %s, kind, party_id, 0 FROM unnest(%s::text[], %s::bigint[]) AS account (kind, party_id)
            ON CONFLICT (shop_id, kind, party_id) DO NOTHING
            """,
            (shop_id, *accounts),
        ),
        statement(
            """
            SELECT 1 FROM ledger.account
            WHERE shop_id = %s AND (kind, party_id) IN (SELECT * FROM unnest(%s::text[], %s::bigint[]))
            ORDER BY kind, party_id FOR UPDATE
            """,
            (shop_id, *accounts),
        ),
        statement(
            """
            UPDATE ledger.account SET balance_fen = account.balance_fen + change.fen
            FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS change (kind, party_id, fen)
            WHERE account.shop_id = %s AND account.kind = change.kind AND account.party_id = change.party_id
            """,
            (*accounts, int_array(deltas.values()), shop_id),
        ),
        statement(
            """
            INSERT INTO ledger.transfer (shop_id, id, debit_kind, debit_party_id, credit_kind, credit_party_id,
                                         amount_fen, reason, order_id, made_at)
            SELECT %s, id, debit_kind, debit_party_id, credit_kind, credit_party_id, amount_fen, reason, order_id, %s
            FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::text[],
                        %s::uuid[])
                AS transfer (id, debit_kind, debit_party_id, credit_kind, credit_party_id, amount_fen, reason, order_id)
            """,
            (
                shop_id,
                now,
                uuid_array(uuid7s(now, len(transfers))),
                text_array(t.debit.kind for t in transfers),
                int_array(t.debit.party_id for t in transfers),
                text_array(t.credit.kind for t in transfers),
                int_array(t.credit.party_id for t in transfers),
                int_array(t.amount_fen for t in transfers),
                text_array(t.reason for t in transfers),
                uuid_array(t.order_id for t in transfers),
            ),
        ),
    ]


def balances(shop_id: ShopId) -> Query[list[Balance]]:
    """Every account of the shop's book."""
    return Query(
        "SELECT kind, party_id, balance_fen FROM ledger.account WHERE shop_id = %s ORDER BY kind, party_id",
        (shop_id,),
        lambda rows: [Balance(*row) for row in rows],
    )


def books_with_payables(after: ShopId, limit: int) -> Query[list[ShopId]]:
    """The shops in whose books something is payable or owed: those that come next after one, in order of their ids.

    Read along the primary key. An index on balances would cost every posting more than it spares a sweep: whatever
    changes an indexed column has to be written into all indexes again.
    """
    return Query(
        """
        SELECT shop_id FROM ledger.account
        WHERE shop_id > %s AND kind = ANY (%s::text[]) AND balance_fen <> 0
        GROUP BY shop_id ORDER BY shop_id LIMIT %s
        """,
        (after, text_array(PAYABLES), limit),
        lambda rows: [row.shop_id for row in rows],
    )


def balance_of(shop_id: ShopId, kinds: Collection[AccountKind]) -> Query[int]:
    """What the accounts of these kinds hold together in the shop's book, in fen."""
    return Query(
        """
        SELECT coalesce(sum(balance_fen), 0)::bigint AS balance_fen FROM ledger.account
        WHERE shop_id = %s AND kind = ANY (%s::text[])
        """,
        (shop_id, text_array(kinds)),
        lambda rows: int(rows[0].balance_fen),
    )


def payables_locked(shop_id: ShopId, limit: int) -> Query[dict[Account, int]]:
    """What the shop's book owes (or, below zero, is owed) by account, locked together with what is on its way out.

    At most limit accounts; those of creators and agencies, of which there may be many, come last.
    """
    return Query(
        """
        SELECT kind, party_id, balance_fen FROM ledger.account
        WHERE shop_id = %(shop_id)s AND (kind = 'payout' OR (kind, party_id) IN (
            SELECT kind, party_id FROM ledger.account
            WHERE shop_id = %(shop_id)s AND kind = ANY (%(kinds)s::text[]) AND balance_fen <> 0
            ORDER BY kind IN ('creator', 'agency'), kind, party_id LIMIT %(limit)s))
        ORDER BY kind, party_id FOR UPDATE
        """,
        {"shop_id": shop_id, "kinds": text_array(PAYABLES), "limit": limit},
        lambda rows: {
            Account(row.kind, row.party_id): row.balance_fen for row in rows if row.kind != "payout" and row.balance_fen
        },
    )


def balance_at(shop_id: ShopId, account: Account, at: datetime) -> Query[int]:
    """The account's balance in fen just before `at`."""
    return Query(
        """
        SELECT coalesce(sum(CASE WHEN (debit_kind, debit_party_id) = (%(kind)s, %(party_id)s)
                                 THEN -amount_fen ELSE amount_fen END), 0)::bigint AS balance_fen
        FROM ledger.transfer
        WHERE shop_id = %(shop_id)s AND made_at < %(at)s
          AND ((debit_kind, debit_party_id) = (%(kind)s, %(party_id)s)
               OR (credit_kind, credit_party_id) = (%(kind)s, %(party_id)s))
        """,
        {"shop_id": shop_id, "kind": account.kind, "party_id": account.party_id, "at": at},
        lambda rows: int(rows[0].balance_fen),
    )


def statement_lines(
    shop_id: ShopId, account: Account, since: datetime, until: datetime, after: UUID | None, limit: int
) -> Query[list[StatementLine]]:
    """The account's transfers in [since, until), oldest first, each with the balance it left.

    after: the id of the transfer before the page, or None for the first page.
    """
    return Query(
        """
        WITH moved AS (
            SELECT id, made_at, reason, order_id,
                   CASE WHEN debit_kind = %(kind)s AND debit_party_id = %(party_id)s THEN credit_kind
                        ELSE debit_kind END AS other_kind,
                   CASE WHEN debit_kind = %(kind)s AND debit_party_id = %(party_id)s THEN credit_party_id
                        ELSE debit_party_id END AS other_party_id,
                   CASE WHEN debit_kind = %(kind)s AND debit_party_id = %(party_id)s THEN -amount_fen
                        ELSE amount_fen END AS amount_fen
            FROM ledger.transfer
            WHERE shop_id = %(shop_id)s AND made_at < %(until)s
              AND ((debit_kind = %(kind)s AND debit_party_id = %(party_id)s)
                   OR (credit_kind = %(kind)s AND credit_party_id = %(party_id)s))
        ), running AS (
            SELECT *, sum(amount_fen) OVER (ORDER BY made_at, id)::bigint AS balance_fen FROM moved
        )
        SELECT id, made_at, reason, order_id, other_kind, other_party_id, amount_fen, balance_fen
        FROM running
        WHERE made_at >= %(since)s
          AND (%(after)s::uuid IS NULL
               OR (made_at, id) > (SELECT made_at, id FROM ledger.transfer
                                   WHERE shop_id = %(shop_id)s AND id = %(after)s::uuid))
        ORDER BY made_at, id LIMIT %(limit)s
        """,
        {
            "shop_id": shop_id,
            "kind": account.kind,
            "party_id": account.party_id,
            "since": since,
            "until": until,
            "after": after,
            "limit": limit,
        },
        lambda rows: [StatementLine(*row) for row in rows],
    )


def transfers_of_order(shop_id: ShopId, order_id: OrderId) -> Query[list[Transfer]]:
    """What one order moved, oldest first."""
    return Query(
        """
        SELECT debit_kind, debit_party_id, credit_kind, credit_party_id, amount_fen, reason
        FROM ledger.transfer WHERE shop_id = %s AND order_id = %s ORDER BY made_at, id
        """,
        (shop_id, order_id),
        lambda rows: [
            Transfer(
                Account(row.debit_kind, row.debit_party_id),
                Account(row.credit_kind, row.credit_party_id),
                row.amount_fen,
                row.reason,
                order_id,
            )
            for row in rows
        ],
    )

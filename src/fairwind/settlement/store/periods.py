"""The SQL of closed periods and of what accounts came to in them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, LiteralString

from fairwind.kernel import Query, Row, ShopId, int_array, statement, text_array
from fairwind.ledger import Account
from fairwind.settlement.netting import payee_of
from fairwind.settlement.period import ClosedPeriod, Period
from fairwind.settlement.statement import AccountKey, ClosedStatement, Kind, Sums

_PERIOD: LiteralString = "SELECT period, since, until, closed_at, statements FROM settlement.closed_period "


def _read(rows: list[Row]) -> list[ClosedPeriod]:
    return [ClosedPeriod(*row) for row in rows]


def closed_until() -> Query[datetime | None]:
    """The moment up to which the books of all shops are closed; None when no period is closed yet.

    Whoever posts in the present asks for it beside the locks and refuses when `now` lies before it: `hold_open`.
    """
    return Query("SELECT max(until) AS until FROM settlement.closed_period", (), lambda rows: rows[0].until)


def last_closed(before: datetime | None = None) -> Query[ClosedPeriod | None]:
    """The latest closed period; of those that were over by `before`, when that is given."""
    return Query(
        _PERIOD + "WHERE until <= %s ORDER BY until DESC LIMIT 1",
        (before or datetime.max.replace(tzinfo=UTC),),
        lambda rows: _read(rows)[0] if rows else None,
    )


def closed_period(name: str) -> Query[ClosedPeriod | None]:
    return Query(_PERIOD + "WHERE period = %s", (name,), lambda rows: _read(rows)[0] if rows else None)


def closed_at_of(period: Period) -> Query[datetime | None]:
    """When the month that holds this period was closed; None while it is open."""
    return Query(
        "SELECT closed_at FROM settlement.closed_period WHERE since <= %s AND until >= %s",
        (period.since, period.until),
        lambda rows: rows[0].closed_at if rows else None,
    )


def closed_periods(before: str, limit: int) -> Query[list[ClosedPeriod]]:
    """Closed periods before this one, the latest first."""
    return Query(_PERIOD + "WHERE period < %s ORDER BY period DESC LIMIT %s", (before, limit), _read)


def first_transfer_at() -> Query[datetime | None]:
    """When the first of all transfers was made; asked only until a period is closed."""
    return Query(
        """
        SELECT min(first.made_at) AS made_at
        FROM (SELECT DISTINCT shop_id FROM ledger.account) AS book
        CROSS JOIN LATERAL (SELECT made_at FROM ledger.transfer WHERE transfer.shop_id = book.shop_id
                            ORDER BY made_at LIMIT 1) AS first
        """,
        (),
        lambda rows: rows[0].made_at,
    )


def books_moved_in(period: Period, after: ShopId, limit: int) -> Query[list[ShopId]]:
    """Books in which something was posted in the period, ids ascending."""
    return Query(
        """
        SELECT shop_id FROM (SELECT DISTINCT shop_id FROM ledger.account WHERE shop_id > %(after)s) AS book
        WHERE EXISTS (SELECT FROM ledger.transfer
                      WHERE transfer.shop_id = book.shop_id AND made_at >= %(since)s AND made_at < %(until)s)
        ORDER BY shop_id LIMIT %(limit)s
        """,
        {"after": after, "since": period.since, "until": period.until, "limit": limit},
        lambda rows: [row.shop_id for row in rows],
    )


def accounts_locked(shop_id: ShopId) -> Query[list[AccountKey]]:
    """The payees' accounts of the book, locked in their order: what is being posted is waited for."""
    return Query(
        """
        SELECT shop_id, kind, party_id FROM ledger.account
        WHERE shop_id = %s
          AND kind IN ('service_fee', 'alliance_fee', 'subsidy', 'shop', 'supplier', 'creator', 'agency')
        ORDER BY kind, party_id FOR UPDATE
        """,
        (shop_id,),
        lambda rows: [AccountKey(*row) for row in rows],
    )


def closings(shop_id: ShopId, period: Period) -> Query[dict[AccountKey, int]]:
    """What the accounts of the book were last closed with before the period, in fen."""
    return Query(
        """
        SELECT DISTINCT ON (account, party_id) shop_id, account, party_id, closing_fen
        FROM settlement.closed_statement WHERE shop_id = %s AND period < %s ORDER BY account, party_id, period DESC
        """,
        (shop_id, period.name),
        lambda rows: {AccountKey(*row[:3]): row.closing_fen for row in rows},
    )


def listed_in(shop_id: ShopId, period: Period) -> Query[list[tuple[AccountKey, Kind, int, int]]]:
    """How many entries of each kind the period has in each account of the book, and their sum in fen."""
    return Query(
        """
        SELECT shop_id, account, party_id, kind, count(*) AS entries, sum(amount_fen)::bigint AS amount_fen
        FROM settlement.entry WHERE shop_id = %s AND at >= %s AND at < %s GROUP BY shop_id, account, party_id, kind
        """,
        (shop_id, period.since, period.until),
        lambda rows: [(AccountKey(*row[:3]), row.kind, row.entries, row.amount_fen) for row in rows],
    )


def moved_in(shop_id: ShopId, period: Period) -> Query[list[tuple[AccountKey, str, int]]]:
    """By how many fen the ledger's transfers of the period moved each payee's account of the book, by their reasons."""
    return Query(
        """
        SELECT shop_id, account, party_id, reason, sum(amount_fen)::bigint AS amount_fen
        FROM (
            SELECT shop_id, debit_kind AS account, debit_party_id AS party_id, made_at, reason,
                   -amount_fen AS amount_fen
            FROM ledger.transfer
            UNION ALL
            SELECT shop_id, credit_kind, credit_party_id, made_at, reason, amount_fen FROM ledger.transfer
        ) AS leg
        WHERE shop_id = %s AND made_at >= %s AND made_at < %s
          AND account IN ('service_fee', 'alliance_fee', 'subsidy', 'shop', 'supplier', 'creator', 'agency')
        GROUP BY shop_id, account, party_id, reason
        """,
        (shop_id, period.since, period.until),
        lambda rows: [(AccountKey(*row[:3]), row.reason, row.amount_fen) for row in rows],
    )


def statements_frozen(shop_id: ShopId, period: Period, sums: Mapping[AccountKey, Sums]) -> list[Query[Any]]:
    """Freeze what the accounts of the book came to; those that are frozen already stay as they are."""
    if not sums:
        return []
    payees = [payee_of(key.shop_id, Account(key.account, key.party_id)) for key in sums]  # type: ignore[arg-type]
    return [
        statement(
            """
            INSERT INTO settlement.closed_statement (shop_id, period, account, party_id, payee_kind, payee_id,
                opening_fen, settled_fen, clawed_back_fen, subsidised_fen, subsidy_returned_fen, swept_fen,
                closing_fen, entries)
            SELECT %s, %s, *
            FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
                        %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
            ON CONFLICT (shop_id, account, party_id, period) DO NOTHING
            """,
            (
                shop_id,
                period.name,
                text_array(key.account for key in sums),
                int_array(key.party_id for key in sums),
                text_array(payee.kind for payee in payees),
                int_array(payee.id for payee in payees),
                int_array(each.opening_fen for each in sums.values()),
                int_array(each.settled_fen for each in sums.values()),
                int_array(each.clawed_back_fen for each in sums.values()),
                int_array(each.subsidised_fen for each in sums.values()),
                int_array(each.subsidy_returned_fen for each in sums.values()),
                int_array(each.swept_fen for each in sums.values()),
                int_array(each.closing_fen for each in sums.values()),
                int_array(each.entries for each in sums.values()),
            ),
        )
    ]


def period_closed(period: Period, now: datetime) -> Query[None]:
    """Say that all books are closed for the period; once is enough."""
    return statement(
        """
        INSERT INTO settlement.closed_period (period, since, until, closed_at, statements)
        SELECT %(period)s, %(since)s, %(until)s, %(now)s, count(*)
        FROM settlement.closed_statement WHERE period = %(period)s
        ON CONFLICT (period) DO NOTHING
        """,
        {"period": period.name, "since": period.since, "until": period.until, "now": now},
    )


def closed_statements(period: str, after: AccountKey, limit: int) -> Query[list[ClosedStatement]]:
    """What accounts came to in a closed period, by book, account and party, after that one."""
    return Query(
        """
        SELECT shop_id, account, party_id, payee_kind, payee_id, opening_fen, settled_fen, clawed_back_fen,
               subsidised_fen, subsidy_returned_fen, swept_fen, closing_fen, entries
        FROM settlement.closed_statement
        WHERE period = %s AND (shop_id, account, party_id) > (%s, %s, %s)
        ORDER BY shop_id, account, party_id LIMIT %s
        """,
        (period, *after, limit),
        lambda rows: [_closed(row) for row in rows],
    )


def _closed(row: Row) -> ClosedStatement:
    shop_id, account, party_id, payee_kind, payee_id, *sums = row
    return ClosedStatement(shop_id, account, party_id, payee_kind, payee_id, Sums(*sums))

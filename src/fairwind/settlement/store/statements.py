"""The SQL of statements: a payee's books, what they opened with, and the entries of a period.

What moves accounts is the view `settlement.entry`, made of settled lines and clawbacks; `moved` asks the ledger the
same question, so that the two can be compared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString, NamedTuple

from fairwind.kernel import Fen, Ppm, Query, Row, ShopId, int_array
from fairwind.settlement.netting import Payee, PayeeKind
from fairwind.settlement.period import Period
from fairwind.settlement.share import Held, Shares, Terms
from fairwind.settlement.statement import AccountKey, Entry, Funded, Kind, Place, Returned, Settled, Sold

_ACCOUNTS: Mapping[PayeeKind, LiteralString] = {
    "platform": "(account IN ('service_fee', 'alliance_fee') OR (account = 'subsidy' AND party_id = 0))",
    "shop": """((account IN ('shop', 'supplier') AND shop_id = %(payee_id)s)
                OR (account = 'subsidy' AND party_id = %(payee_id)s))""",
    "creator": "(account = 'creator' AND party_id = %(payee_id)s)",
    "agency": "(account = 'agency' AND party_id = %(payee_id)s)",
}
"""A payee's accounts, among rows with shop_id, account and party_id."""
ENTRIES_MAX = 1000
"""Most entries that are read at once."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Base(NamedTuple):
    """The closed period that a statement's opening balances are carried on from."""

    period: str
    until: datetime


def _of(payee: Payee, sql: LiteralString, shop_ids: Collection[ShopId] | None = None) -> LiteralString:
    """sql with its words in capitals filled in: the payee's accounts, the books asked about, transfers by account.

    shop_ids: None for all books in which the payee has an account.
    """
    books: LiteralString = "%(shop_ids)s::bigint[]" if shop_ids is not None else _BOOKS
    return sql.replace("BOOKS", books).replace("LEG", _LEG).replace("OF_PAYEE", _ACCOUNTS[payee.kind])


_BOOKS: LiteralString = """
    ARRAY(SELECT shop_id FROM (SELECT shop_id, kind AS account, party_id FROM ledger.account) AS own WHERE OF_PAYEE)
"""
_LEG: LiteralString = """
    (SELECT shop_id, debit_kind AS account, debit_party_id AS party_id, made_at, reason, -amount_fen AS amount_fen
     FROM ledger.transfer
     UNION ALL
     SELECT shop_id, credit_kind, credit_party_id, made_at, reason, amount_fen FROM ledger.transfer) AS leg
"""
"""Each transfer as each of its two accounts sees it."""


def _asked(payee: Payee, period: Period, shop_ids: Collection[ShopId] | None = None) -> dict[str, Any]:
    return {
        "payee_kind": payee.kind,
        "payee_id": payee.id,
        "since": period.since,
        "until": period.until,
        "shop_ids": None if shop_ids is None else int_array(shop_ids),
    }


def books_from(payee: Payee, shop_id: ShopId, limit: int) -> Query[list[tuple[ShopId, str]]]:
    """Books in which the payee has an account, from this shop's on, with the shops' names."""
    sql: LiteralString = """
        SELECT own.shop_id, coalesce(name, '') AS name
        FROM (SELECT DISTINCT shop_id FROM (SELECT shop_id, kind AS account, party_id FROM ledger.account) AS account
              WHERE shop_id >= %(from)s AND OF_PAYEE ORDER BY shop_id LIMIT %(limit)s) AS own
        LEFT JOIN catalog.shop ON shop.shop_id = own.shop_id ORDER BY own.shop_id
        """
    return Query(
        _of(payee, sql),
        {"payee_id": payee.id, "from": shop_id, "limit": limit},
        lambda rows: [(row.shop_id, row.name) for row in rows],
    )


def name_of(payee: Payee) -> Query[str]:
    """What the payee is called; an empty text for nobody, and for the platform."""
    sources: Mapping[PayeeKind, LiteralString] = {
        "platform": "SELECT '' AS name WHERE %s = 0",
        "shop": "SELECT name FROM catalog.shop WHERE shop_id = %s",
        "creator": "SELECT name FROM identity.person WHERE id = %s",
        "agency": "SELECT name FROM identity.person WHERE id = %s",
    }
    return Query(sources[payee.kind], (payee.id,), lambda rows: rows[0].name if rows else "")


def carried(
    payee: Payee, period: Period, base: Base, shop_ids: Collection[ShopId] | None
) -> Query[dict[AccountKey, int]]:
    """What the payee's accounts were last closed with, up to the base, in fen."""
    sql: LiteralString = """
        SELECT DISTINCT ON (shop_id, account, party_id) shop_id, account, party_id, closing_fen
        FROM settlement.closed_statement
        WHERE period <= %(base)s AND payee_kind = %(payee_kind)s AND payee_id = %(payee_id)s AND shop_id = ANY (BOOKS)
        ORDER BY shop_id, account, party_id, period DESC
        """
    return Query(
        _of(payee, sql, shop_ids),
        _asked(payee, period, shop_ids) | {"base": base.period},
        lambda rows: {_key(row): row.closing_fen for row in rows},
    )


def moved_before(
    payee: Payee, period: Period, base: Base | None, shop_ids: Collection[ShopId] | None
) -> Query[dict[AccountKey, int]]:
    """By how many fen transfers moved the payee's accounts from the base (or ever) to the beginning of the period."""
    sql: LiteralString = """
        SELECT shop_id, account, party_id, sum(amount_fen)::bigint AS amount_fen FROM LEG
        WHERE made_at >= %(base)s AND made_at < %(since)s AND OF_PAYEE AND shop_id = ANY (BOOKS)
        GROUP BY shop_id, account, party_id
        """
    return Query(
        _of(payee, sql, shop_ids),
        _asked(payee, period, shop_ids) | {"base": base.until if base else _LONG_AGO},
        lambda rows: {_key(row): row.amount_fen for row in rows},
    )


def moved(
    payee: Payee, period: Period, shop_ids: Collection[ShopId] | None
) -> Query[list[tuple[AccountKey, str, int]]]:
    """By how many fen the ledger's transfers of the period moved each account of the payee, by their reasons."""
    sql: LiteralString = """
        SELECT shop_id, account, party_id, reason, sum(amount_fen)::bigint AS amount_fen FROM LEG
        WHERE made_at >= %(since)s AND made_at < %(until)s AND OF_PAYEE AND shop_id = ANY (BOOKS)
        GROUP BY shop_id, account, party_id, reason
        """
    return Query(
        _of(payee, sql, shop_ids),
        _asked(payee, period, shop_ids),
        lambda rows: [(_key(row), row.reason, row.amount_fen) for row in rows],
    )


def listed(
    payee: Payee, period: Period, shop_ids: Collection[ShopId] | None
) -> Query[list[tuple[AccountKey, Kind, int, int]]]:
    """How many entries of each kind the period has in each account of the payee, and their sum in fen."""
    sql: LiteralString = """
        SELECT shop_id, account, party_id, kind, count(*) AS entries, sum(amount_fen)::bigint AS amount_fen
        FROM settlement.entry
        WHERE at >= %(since)s AND at < %(until)s AND OF_PAYEE AND shop_id = ANY (BOOKS)
        GROUP BY shop_id, account, party_id, kind
        """
    return Query(
        _of(payee, sql, shop_ids),
        _asked(payee, period, shop_ids),
        lambda rows: [(_key(row), row.kind, row.entries, row.amount_fen) for row in rows],
    )


def _key(row: Row) -> AccountKey:
    return AccountKey(row.shop_id, row.account, row.party_id)


def entries(payee: Payee, period: Period, start: Place, limit: int) -> Query[list[Entry]]:
    """The entries of one book in the period from `start` on, in their order, at most limit of them.

    Each kind and item is asked for by itself, in the order of an index and no further than needed, so that a page costs
    what it shows, however long the book is. The limit in the text leaves room for what was read of the moment at which
    start stands, where no more than a few entries share an order and a line.
    """
    assert limit <= ENTRIES_MAX + 1
    sql: LiteralString = """
        SELECT entry.shop_id, entry.at, entry.account, entry.kind, entry.item, entry.order_id, entry.line_no,
               CASE WHEN entry.kind = 'clawed_back' THEN entry.reference ELSE swept.payout_id END AS reference,
               entry.amount_fen,
               line.title, line.spec, line.quantity, line.goods_fen - line.subsidy_fen AS line_paid_fen,
               settled.paid_fen, settled.escrow_fen, settled.base_fen, settled.service_fee_fen, settled.creator_fen,
               settled.alliance_fee_fen, settled.mcn_fen, settled.agency_fen, settled.seller_fen, settled.seller,
               settled.creator_id, settled.mcn_id, settled.agency_id,
               line.fee_ppm, line.creator_ppm, line.alliance_ppm, line.mcn_ppm, line.agency_ppm,
               clawback.returned_fen, clawback.subsidy_fen AS back_subsidy_fen,
               clawback.service_fee_fen AS back_service_fee_fen, clawback.creator_fen AS back_creator_fen,
               clawback.alliance_fee_fen AS back_alliance_fee_fen, clawback.mcn_fen AS back_mcn_fen,
               clawback.agency_fen AS back_agency_fen, clawback.seller_fen AS back_seller_fen,
               (SELECT coalesce(sum(earlier.returned_fen), 0)::bigint FROM settlement.clawback AS earlier
                WHERE earlier.shop_id = clawback.shop_id AND earlier.order_id = clawback.order_id
                  AND earlier.line_no = clawback.line_no
                  AND (earlier.clawed_at, earlier.refund_id) < (clawback.clawed_at, clawback.refund_id)) AS before_fen,
               CASE WHEN entry.kind = 'subsidised' THEN ARRAY(
                   SELECT ARRAY[funded.line_no, (part ->> 'campaign_id')::bigint, (part ->> 'amount_fen')::bigint]
                   FROM orders.line AS funded, jsonb_array_elements(funded.subsidies) WITH ORDINALITY AS one (part, no)
                   WHERE funded.shop_id = entry.shop_id AND funded.order_id = entry.order_id
                     AND (part ->> 'funder_id')::bigint = entry.party_id
                   ORDER BY funded.line_no, no) END AS funded
        FROM (SELECT * FROM (PARTS) AS near
              ORDER BY at, order_id, line_no, kind, item, reference OFFSET %(skip)s LIMIT %(limit)s) AS entry
        LEFT JOIN settlement.settled_line AS settled
            ON settled.shop_id = entry.shop_id AND settled.order_id = entry.order_id AND settled.line_no = entry.line_no
        LEFT JOIN orders.line
            ON line.shop_id = entry.shop_id AND line.order_id = entry.order_id AND line.line_no = entry.line_no
        LEFT JOIN settlement.clawback
            ON clawback.shop_id = entry.shop_id AND clawback.order_id = entry.order_id
            AND clawback.line_no = entry.line_no AND clawback.refund_id = entry.reference
        LEFT JOIN settlement.swept
            ON entry.kind = 'swept' AND swept.shop_id = entry.shop_id AND swept.swept_at = entry.at
            AND swept.payee_kind = %(payee_kind)s AND swept.payee_id = %(payee_id)s
        ORDER BY entry.at, entry.order_id, entry.line_no, entry.kind, entry.item, entry.reference
        """
    place = {
        "shop_id": start.shop_id,
        "at": start.at or period.since,
        "order_id": start.order_id,
        "line_no": start.line_no,
        "skip": start.skip,
        "limit": limit,
    }
    return Query(
        _of(payee, sql.replace("PARTS", _parts(payee))),
        _asked(payee, period) | place,
        lambda rows: [_entry(row) for row in rows],
    )


def _parts(payee: Payee) -> LiteralString:
    part: LiteralString = """
        (SELECT * FROM settlement.entry
         WHERE ONE AND shop_id = %(shop_id)s AND at >= %(since)s AND at < %(until)s
           AND (at, order_id, line_no) >= (%(at)s, %(order_id)s, %(line_no)s::bigint) AND OF_PAYEE
         ORDER BY at, order_id, line_no LIMIT 1200)
        """
    union: LiteralString = " UNION ALL "
    return union.join([part.replace("ONE", one) for one in _LISTED[payee.kind]])


_LISTED: Mapping[PayeeKind, Sequence[LiteralString]] = {
    "platform": (
        "kind = 'settled' AND item = 'service_fee'",
        "kind = 'settled' AND item = 'alliance_fee'",
        "kind = 'clawed_back' AND item = 'service_fee'",
        "kind = 'clawed_back' AND item = 'alliance_fee'",
        "kind = 'subsidised'",
        "kind = 'subsidy_returned'",
        "kind = 'swept'",
    ),
    "shop": (
        "kind = 'settled' AND item = 'proceeds'",
        "kind = 'clawed_back' AND item = 'proceeds'",
        "kind = 'subsidised'",
        "kind = 'subsidy_returned'",
        "kind = 'swept'",
    ),
    "creator": (
        "kind = 'settled' AND item = 'commission'",
        "kind = 'clawed_back' AND item = 'commission'",
        "kind = 'swept'",
    ),
    "agency": (
        "kind = 'settled' AND item = 'agency_fee'",
        "kind = 'settled' AND item = 'mcn_share'",
        "kind = 'clawed_back' AND item = 'agency_fee'",
        "kind = 'clawed_back' AND item = 'mcn_share'",
        "kind = 'swept'",
    ),
}
"""What a statement lists, each a part of the view by itself."""


def _entry(row: Row) -> Entry:
    return Entry(
        shop_id=row.shop_id,
        at=row.at,
        account=row.account,
        kind=row.kind,
        item=row.item,
        order_id=row.order_id if row.kind != "swept" else None,
        line_no=row.line_no,
        reference=row.reference,
        amount_fen=row.amount_fen,
        sold=None if row.title is None else Sold(row.title, row.spec, row.quantity, row.line_paid_fen),
        settled=None if row.paid_fen is None else _settled(row),
        returned=None if row.returned_fen is None else _returned(row),
        funded=tuple(Funded(*part) for part in row.funded or ()),
    )


def _settled(row: Row) -> Settled:
    terms = Terms(
        row.seller,
        row.fee_ppm or Ppm(0),  # a freight has no line, and no rates
        row.creator_id,
        row.creator_ppm or Ppm(0),
        row.alliance_ppm or Ppm(0),
        row.mcn_id,
        row.mcn_ppm or Ppm(0),
        row.agency_id,
        row.agency_ppm or Ppm(0),
    )
    shares = Shares(
        row.service_fee_fen, row.creator_fen, row.alliance_fee_fen, row.mcn_fen, row.agency_fen, row.seller_fen
    )
    return Settled(Held(row.paid_fen, row.escrow_fen, row.base_fen), terms, shares)


def _returned(row: Row) -> Returned:
    parts: Sequence[Fen] = (
        row.back_service_fee_fen,
        row.back_creator_fen,
        row.back_alliance_fee_fen,
        row.back_mcn_fen,
        row.back_agency_fen,
        row.back_seller_fen,
    )
    return Returned(row.before_fen, row.returned_fen, row.back_subsidy_fen, Shares(*parts))

"""The SQL of earnings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, LiteralString
from uuid import UUID

import msgspec
from msgspec import Meta

from fairwind.alliance import Evidence
from fairwind.kernel import (
    Fen,
    OrderId,
    PersonId,
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
from fairwind.kernel.pages import BIGINT_MAX
from fairwind.policy import Grant
from fairwind.settlement.earning import (
    EarningState,
    EarningTotals,
    NotedAgencyEarning,
    NotedEarning,
    PaidLine,
    Sale,
    estimate,
)
from fairwind.settlement.period import Period
from fairwind.settlement.share import Held, Shares, held, terms_of

Earner = Literal["creator", "agency"]
Before = tuple[datetime, UUID, Annotated[int, Meta(ge=0, le=2**15 - 1)], int, str]
"""Key of a list of earnings, the newest first: when the order was paid, order, line, shop and part."""
NEWEST: Before = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1), 2**15 - 1, BIGINT_MAX, "~")


def paid_lines(shop_id: ShopId, order_ids: Collection[OrderId]) -> Query[list[PaidLine]]:
    """The lines of those of these orders that were paid and that somebody had a part in."""
    return Query(
        """
        SELECT order_id, line_no, product_id, buyer_id, placed_at, paid_at, evidence, attribution, earner_id, mcn_id,
               agency_id
        FROM orders.line JOIN orders.shop_order ON shop_order.shop_id = line.shop_id AND shop_order.id = order_id
        WHERE line.shop_id = %s AND order_id = ANY (%s::uuid[]) AND paid_at IS NOT NULL AND evidence IS NOT NULL
        """,
        (shop_id, uuid_array(order_ids)),
        lambda rows: [_paid_line(row) for row in rows],
    )


def _paid_line(row: Row) -> PaidLine:
    values = row._asdict()
    return PaidLine(**values | {"evidence": msgspec.convert(row.evidence, Evidence)})


def earnings_noted(shop_id: ShopId, earnings: Sequence[NotedEarning]) -> list[Query[Any]]:
    """Write them; those that are there already stay as they are."""
    if not earnings:
        return []
    return [
        statement(
            """
            INSERT INTO settlement.earning (shop_id, order_id, line_no, creator_id, earns, reason, paid_at)
            SELECT %s, * FROM unnest(%s::uuid[], %s::smallint[], %s::bigint[], %s::boolean[], %s::text[],
                                     %s::timestamptz[])
            ON CONFLICT (shop_id, order_id, line_no, creator_id) DO NOTHING
            """,
            (
                shop_id,
                uuid_array(each.order_id for each in earnings),
                int_array(each.line_no for each in earnings),
                int_array(each.creator_id for each in earnings),
                text_array("t" if each.earns else "f" for each in earnings),
                text_array(each.reason for each in earnings),
                time_array(each.paid_at for each in earnings),
            ),
        )
    ]


def agency_earnings_noted(shop_id: ShopId, earnings: Sequence[NotedAgencyEarning]) -> list[Query[Any]]:
    """Write them; those that are there already stay as they are."""
    if not earnings:
        return []
    return [
        statement(
            """
            INSERT INTO settlement.agency_earning (shop_id, order_id, line_no, agency_id, part, paid_at)
            SELECT %s, * FROM unnest(%s::uuid[], %s::smallint[], %s::bigint[], %s::text[], %s::timestamptz[])
            ON CONFLICT (shop_id, order_id, line_no, part) DO NOTHING
            """,
            (
                shop_id,
                uuid_array(each.order_id for each in earnings),
                int_array(each.line_no for each in earnings),
                int_array(each.agency_id for each in earnings),
                text_array(each.part for each in earnings),
                time_array(each.paid_at for each in earnings),
            ),
        )
    ]


_NOTED: Mapping[Earner, LiteralString] = {
    "creator": """
        (SELECT shop_id, order_id, line_no, paid_at, 'creator'::text AS part, earns, reason
         FROM settlement.earning WHERE creator_id = %(person_id)s) AS noted
    """,
    "agency": """
        (SELECT shop_id, order_id, line_no, paid_at, part, true AS earns, ''::text AS reason
         FROM settlement.agency_earning WHERE agency_id = %(person_id)s) AS noted
    """,
}
_SALE: LiteralString = """
    SELECT noted.shop_id, coalesce(shop.name, '') AS shop_name, noted.order_id, noted.line_no, line.title, line.spec,
           line.quantity, noted.paid_at, settled.settled_at, noted.part, now_is.state,
           EXISTS (SELECT FROM settlement.withholding
                   WHERE withholding.shop_id = noted.shop_id AND withholding.order_id = noted.order_id
                     AND withholding.line_no = noted.line_no AND released_at IS NULL) AS withheld,
           noted.reason,
           line.goods_fen - line.subsidy_fen AS line_paid_fen, line.refunded_fen, line.subsidies, line.seller,
           line.fee_ppm, line.earner_id, line.creator_ppm, line.alliance_ppm, line.mcn_id, line.mcn_ppm,
           line.agency_id, line.agency_ppm, line.plan_id, line.plan_version,
           settled.paid_fen, settled.escrow_fen, settled.base_fen, settled.service_fee_fen, settled.creator_fen,
           settled.alliance_fee_fen, settled.mcn_fen, settled.agency_fen, settled.seller_fen,
           CASE WHEN settled.returned_fen > 0 AND noted.earns THEN
               (SELECT sum(CASE noted.part WHEN 'creator' THEN clawback.creator_fen
                                           WHEN 'mcn' THEN clawback.mcn_fen ELSE clawback.agency_fen END)::bigint
                FROM settlement.clawback
                WHERE clawback.shop_id = noted.shop_id AND clawback.order_id = noted.order_id
                  AND clawback.line_no = noted.line_no) ELSE 0 END AS clawed_back_fen
    FROM NOTED
    JOIN orders.line
        ON line.shop_id = noted.shop_id AND line.order_id = noted.order_id AND line.line_no = noted.line_no
    LEFT JOIN settlement.settled_line AS settled
        ON settled.shop_id = noted.shop_id AND settled.order_id = noted.order_id AND settled.line_no = noted.line_no
    LEFT JOIN catalog.shop ON shop.shop_id = noted.shop_id
    CROSS JOIN LATERAL (SELECT CASE
        WHEN NOT noted.earns THEN 'not_earned'
        WHEN settled.order_id IS NOT NULL AND settled.returned_fen = settled.paid_fen THEN 'clawed_back'
        WHEN settled.order_id IS NOT NULL THEN 'settled'
        WHEN line.refunded_fen = line.goods_fen - line.subsidy_fen THEN 'refunded'
        ELSE 'estimated' END AS state) AS now_is
"""


def sales(
    earner: Earner,
    person_id: PersonId,
    state: EarningState | None,
    period: Period | None,
    before: Before,
    limit: int,
) -> Query[list[Sale]]:
    """The lines that somebody had a part in before that key, the newest first; in a state, or paid in a period."""
    sql: LiteralString = (
        _SALE
        + """
        WHERE (noted.paid_at, noted.order_id, noted.line_no, noted.shop_id, noted.part)
              < (%(paid_at)s, %(order_id)s, %(line_no)s::bigint, %(shop_id)s, %(part)s)
          AND noted.paid_at >= %(since)s AND noted.paid_at < %(until)s
          AND (%(state)s::text IS NULL OR now_is.state = %(state)s::text)
        ORDER BY noted.paid_at DESC, noted.order_id DESC, noted.line_no DESC, noted.shop_id DESC, noted.part DESC
        LIMIT %(limit)s
        """
    )
    paid_at, order_id, line_no, shop_id, part = before
    return Query(
        sql.replace("NOTED", _NOTED[earner]),
        {
            "person_id": person_id,
            "paid_at": paid_at,
            "order_id": order_id,
            "line_no": line_no,
            "shop_id": shop_id,
            "part": part,
            "since": period.since if period else datetime.min.replace(tzinfo=UTC),
            "until": period.until if period else datetime.max.replace(tzinfo=UTC),
            "state": state,
            "limit": limit,
        },
        lambda rows: [_sale(row) for row in rows],
    )


async def estimated_fen(tx: Transaction, earner: Earner, person_id: PersonId) -> int:
    """What all lines that have not settled yet will bring to somebody, by the lines' frozen terms."""
    sql: LiteralString = _SALE + "WHERE now_is.state = 'estimated'"
    rows: AsyncIterator[Row] = tx.stream(sql.replace("NOTED", _NOTED[earner]), {"person_id": person_id})
    return sum([_estimate(row) async for row in rows])


def _estimate(row: Row) -> int:
    return estimate(row.part, _held(row), terms_of(row))


def totals(earner: Earner, person_id: PersonId, estimated: int) -> Query[EarningTotals]:
    """What somebody has earned over all shops; estimated: of lines that have not settled yet, in fen."""
    sources: Mapping[Earner, LiteralString] = {
        "creator": """
            SELECT creator_fen AS fen, 0 AS back_fen FROM settlement.settled_line WHERE creator_id = %(person_id)s
            UNION ALL
            SELECT 0, creator_fen FROM settlement.clawback WHERE creator_id = %(person_id)s
            """,
        "agency": """
            SELECT agency_fen AS fen, 0 AS back_fen FROM settlement.settled_line WHERE agency_id = %(person_id)s
            UNION ALL
            SELECT mcn_fen, 0 FROM settlement.settled_line WHERE mcn_id = %(person_id)s
            UNION ALL
            SELECT 0, agency_fen FROM settlement.clawback WHERE agency_id = %(person_id)s
            UNION ALL
            SELECT 0, mcn_fen FROM settlement.clawback WHERE mcn_id = %(person_id)s
            """,
    }
    sql: LiteralString = """
        SELECT coalesce(sum(fen), 0)::bigint AS settled_fen, coalesce(sum(back_fen), 0)::bigint AS clawed_back_fen,
               (SELECT coalesce(sum(amount_fen), 0)::bigint FROM settlement.payout
                WHERE payee_kind = %(kind)s AND payee_id = %(person_id)s AND state = 'succeeded') AS paid_out_fen
        FROM (EARNED) AS earned
        """

    def read(rows: list[Row]) -> EarningTotals:
        [row] = rows
        owed_fen = row.settled_fen - row.clawed_back_fen - row.paid_out_fen
        return EarningTotals(estimated, row.settled_fen, row.clawed_back_fen, row.paid_out_fen, owed_fen)

    return Query(sql.replace("EARNED", sources[earner]), {"person_id": person_id, "kind": earner}, read)


def _sale(row: Row) -> Sale:
    settled = row.settled_at is not None
    return Sale(
        shop_id=row.shop_id,
        shop_name=row.shop_name,
        order_id=row.order_id,
        line_no=row.line_no,
        title=row.title,
        spec=row.spec,
        quantity=row.quantity,
        paid_at=row.paid_at,
        settled_at=row.settled_at,
        part=row.part,
        state=row.state,
        withheld=row.withheld,
        reason=row.reason,
        held=Held(row.paid_fen, row.escrow_fen, row.base_fen) if settled else _held(row),
        terms=terms_of(row),
        settled=_shares(row) if settled else None,
        clawed_back_fen=row.clawed_back_fen,
        plan_id=row.plan_id,
        plan_version=row.plan_version,
    )


def _held(row: Row) -> Held:
    grants = tuple(Grant(**grant) for grant in row.subsidies or ())
    return held(Fen(row.line_paid_fen), grants, Fen(row.refunded_fen))


def _shares(row: Row) -> Shares:
    return Shares(
        row.service_fee_fen, row.creator_fen, row.alliance_fee_fen, row.mcn_fen, row.agency_fen, row.seller_fen
    )

"""The demo's SQL: what a session sold, computed from the rows of orders, stock and ledger themselves."""

# ruff: noqa: S608  LiteralString already keeps values out of statements

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString, NamedTuple

from fairwind.demo.figures import (
    BANDS_YUAN,
    Band,
    Candidate,
    Count,
    Figures,
    Hot,
    PaidOut,
    Proceeds,
    Seller,
    Step,
    Story,
)
from fairwind.kernel import (
    Fen,
    LiveSessionId,
    OrderId,
    PersonId,
    Query,
    Row,
    ShopId,
    SkuId,
    Transaction,
    int_array,
    text_array,
)

_SOLD: LiteralString = """
    WITH session AS (SELECT started_at FROM content.live_session WHERE id = %(session_id)s),
    sold AS MATERIALIZED (
        SELECT shop_order.* FROM orders.shop_order, session
        WHERE shop_id = ANY (%(shop_ids)s::bigint[]) AND placed_at >= started_at
          AND EXISTS (SELECT FROM orders.line WHERE line.shop_id = shop_order.shop_id
                      AND line.order_id = shop_order.id AND live_session_id = %(session_id)s)
    )
"""
"""The orders that carry a placement of the session."""


async def figures(
    tx: Transaction, session_id: LiveSessionId, shop_ids: Sequence[ShopId], hot: Sequence[tuple[ShopId, SkuId, int]]
) -> Figures:
    """The session so far. hot: the SKUs of its drops, each with what it had when it was pinned."""
    scope = {"session_id": session_id, "shop_ids": int_array(shop_ids)}
    totals, per_second, bands, stock = await tx.together(
        Query(
            _SOLD
            + """
            SELECT count(*) AS placed, sum(total_fen)::bigint AS placed_fen,
                   count(paid_at) AS paid, sum(total_fen) FILTER (WHERE paid_at IS NOT NULL)::bigint AS paid_fen,
                   count(*) FILTER (WHERE refunded_fen > 0) AS refunded, sum(refunded_fen)::bigint AS refunded_fen,
                   count(*) FILTER (WHERE cancel_reason = 'buyer') AS cancelled,
                   sum(total_fen) FILTER (WHERE cancel_reason = 'buyer')::bigint AS cancelled_fen,
                   count(*) FILTER (WHERE cancel_reason = 'timeout') AS timed_out,
                   sum(total_fen) FILTER (WHERE cancel_reason = 'timeout')::bigint AS timed_out_fen,
                   count(shipped_at) AS shipped, count(received_at) AS received, count(DISTINCT buyer_id) AS buyers
            FROM sold
            """,
            scope,
            lambda rows: rows[0],
        ),
        Query(
            _SOLD
            + """
            SELECT floor(extract(epoch FROM placed_at - started_at))::integer AS second, count(*) AS placed
            FROM sold, session GROUP BY second
            """,
            scope,
            lambda rows: {row.second: row.placed for row in rows},
        ),
        Query(
            _SOLD
            + """
            SELECT width_bucket(price_fen, %(cuts)s::bigint[]) AS band, sum(quantity)::bigint AS quantity,
                   sum(line.goods_fen)::bigint AS goods_fen
            FROM sold JOIN orders.line ON line.shop_id = sold.shop_id AND line.order_id = sold.id
            WHERE paid_at IS NOT NULL GROUP BY band
            """,
            scope | {"cuts": int_array(yuan * 100 for yuan in BANDS_YUAN)},
            lambda rows: {row.band: Band(row.quantity, row.goods_fen) for row in rows},
        ),
        _stock([(shop_id, sku_id) for shop_id, sku_id, _ in hot]),
    )
    return Figures(
        placed=_count(totals.placed, totals.placed_fen),
        paid=_count(totals.paid, totals.paid_fen),
        refunded=_count(totals.refunded, totals.refunded_fen),
        cancelled=_count(totals.cancelled, totals.cancelled_fen),
        timed_out=_count(totals.timed_out, totals.timed_out_fen),
        shipped_orders=totals.shipped,
        received_orders=totals.received,
        buyers=totals.buyers,
        per_second=[per_second.get(second, 0) for second in range(max(per_second, default=-1) + 1)],
        bands=[bands.get(band, Band(0, Fen(0))) for band in range(len(BANDS_YUAN) + 1)],
        hot=[_hot(stock[shop_id, sku_id], quantity) for shop_id, sku_id, quantity in hot],
    )


def _count(orders: int, sum_fen: int | None) -> Count:
    return Count(orders, Fen(sum_fen or 0))


def _hot(row: Row, offered_quantity: int) -> Hot:
    return Hot(row.title, row.price_fen, offered_quantity, row.available, row.held_quantity)


def _stock(skus: Sequence[tuple[ShopId, SkuId]]) -> Query[dict[tuple[ShopId, SkuId], Row]]:
    return Query(
        """
        SELECT shop_id, sku.id, title, sku.price_fen, held_quantity,
               adjusted_quantity - sold_quantity - held_quantity AS available
        FROM unnest(%s::bigint[], %s::bigint[]) AS hot (shop_id, sku_id)
        JOIN catalog.sku USING (shop_id) JOIN catalog.product USING (shop_id) JOIN inventory.stock USING (shop_id)
        WHERE sku.id = hot.sku_id AND product.id = sku.product_id AND stock.sku_id = sku.id
        """,
        (int_array(shop_id for shop_id, _ in skus), int_array(sku_id for _, sku_id in skus)),
        lambda rows: {(row.shop_id, row.id): row for row in rows},
    )


async def top_sellers(
    tx: Transaction, session_id: LiveSessionId, shop_ids: Sequence[ShopId], limit: int
) -> list[Seller]:
    """What the session's paid orders brought in most with."""
    rows = await tx.rows(
        _SOLD
        + """
        SELECT min(title) AS title, sum(quantity)::bigint AS quantity, count(DISTINCT sold.id) AS orders,
               sum(line.goods_fen)::bigint AS goods_fen, sum(line.refunded_fen)::bigint AS refunded_fen
        FROM sold JOIN orders.line ON line.shop_id = sold.shop_id AND line.order_id = sold.id
        WHERE paid_at IS NOT NULL
        GROUP BY line.shop_id, line.product_id ORDER BY goods_fen DESC, line.shop_id, line.product_id LIMIT %(limit)s
        """,
        {"session_id": session_id, "shop_ids": int_array(shop_ids), "limit": limit},
    )
    return [Seller(*row) for row in rows]


async def story(tx: Transaction, session_id: LiveSessionId, shop_ids: Sequence[ShopId]) -> Story | None:
    """The order of the session to which most happened: of those with the most transfers, the dearest."""
    order = await tx.row(
        _SOLD
        + """
        SELECT sold.*, shop.name AS shop_name, line.title, line.spec, line.quantity, line.price_fen, steps.transfers
        FROM sold
        JOIN catalog.shop ON shop.shop_id = sold.shop_id
        JOIN orders.line ON line.shop_id = sold.shop_id AND line.order_id = sold.id AND line_no = 1
        JOIN (SELECT shop_id, order_id, count(*) AS transfers FROM ledger.transfer GROUP BY shop_id, order_id) AS steps
            ON steps.shop_id = sold.shop_id AND steps.order_id = sold.id
        ORDER BY (received_at IS NOT NULL) DESC, (sold.refunded_fen BETWEEN 1 AND total_fen - 1) DESC, transfers DESC,
                 freight_fen > 0 DESC, total_fen DESC, sold.id
        LIMIT 1
        """,
        {"session_id": session_id, "shop_ids": int_array(shop_ids)},
    )
    if order is None:
        return None
    steps = await tx.rows(
        """
        SELECT made_at, debit_kind, credit_kind, amount_fen, reason
        FROM ledger.transfer WHERE shop_id = %s AND order_id = %s ORDER BY made_at, id
        """,
        (order.shop_id, order.id),
    )
    moments = [(name, getattr(order, f"{name}_at")) for name in ("placed", "paid", "shipped", "received")]
    return Story(
        shop_id=order.shop_id,
        shop_name=order.shop_name,
        order_id=order.id,
        state=order.state,
        title=order.title,
        spec=order.spec,
        quantity=order.quantity,
        price_fen=order.price_fen,
        goods_fen=order.goods_fen,
        subsidy_fen=order.subsidy_fen,
        freight_fen=order.freight_fen,
        total_fen=order.total_fen,
        refunded_fen=order.refunded_fen,
        moments=[(name, at) for name, at in moments if at is not None],
        steps=[Step(*row) for row in steps],
    )


async def sessions_held(tx: Transaction) -> int:
    """How many live sessions there have been."""
    row = await tx.row("SELECT count(*) AS held FROM content.live_session")
    assert row is not None
    return int(row.held)


async def refunds_under_way(tx: Transaction, shop_ids: Sequence[ShopId]) -> int:
    """How many refunds the provider has yet to confirm."""
    row = await tx.row(
        """
        SELECT (SELECT count(*) FROM orders.refund WHERE shop_id = ANY (%(shop_ids)s::bigint[]) AND state = 'refunding')
             + (SELECT count(*) FROM orders.stray_payment
                WHERE shop_id = ANY (%(shop_ids)s::bigint[]) AND refunded_at IS NULL) AS under_way
        """,
        {"shop_ids": int_array(shop_ids)},
    )
    assert row is not None
    return int(row.under_way)


async def offered(tx: Transaction, shop_ids: Sequence[ShopId]) -> list[Candidate]:
    """What could be shown: products on the shelf that come in one spec, cheapest first."""
    rows = await tx.rows(
        """
        SELECT shop_id, product.id AS product_id, min(sku.id) AS sku_id, title, min(sku.price_fen) AS price_fen
        FROM catalog.product JOIN catalog.sku USING (shop_id)
        WHERE shop_id = ANY (%s::bigint[]) AND sku.product_id = product.id AND product.on_shelf AND sku.on_shelf
        GROUP BY shop_id, product.id HAVING count(*) = 1 ORDER BY min(sku.price_fen), shop_id, product.id
        """,
        (int_array(shop_ids),),
    )
    return [Candidate(*row) for row in rows]


async def people(tx: Transaction, logins: Sequence[str]) -> dict[str, PersonId]:
    """The ids of those of these people who have signed up."""
    rows = await tx.rows("SELECT login, id FROM identity.person WHERE login = ANY (%s::text[])", (text_array(logins),))
    return {row.login: row.id for row in rows}


class Received(NamedTuple):
    """A line of an order that was received, with the buyer's money that has not gone back."""

    shop_id: ShopId
    order_id: OrderId
    line_no: int
    left_fen: Fen


async def received_lines(tx: Transaction, session_id: LiveSessionId, shop_ids: Sequence[ShopId]) -> list[Received]:
    """The session's lines of which something could still be given back."""
    rows = await tx.rows(
        _SOLD
        + """
        SELECT line.shop_id, line.order_id, line.line_no,
               line.goods_fen - line.subsidy_fen - line.refunded_fen AS left_fen
        FROM sold JOIN orders.line ON line.shop_id = sold.shop_id AND line.order_id = sold.id
        WHERE received_at IS NOT NULL AND line.goods_fen - line.subsidy_fen > line.refunded_fen
          AND NOT EXISTS (SELECT FROM orders.refund WHERE refund.shop_id = sold.shop_id AND refund.order_id = sold.id
                          AND refund.state IN ('requested', 'awaiting_return'))
        ORDER BY line.order_id, line.line_no
        """,
        {"session_id": session_id, "shop_ids": int_array(shop_ids)},
    )
    return [Received(*row) for row in rows]


async def not_received(tx: Transaction, shop_ids: Sequence[ShopId]) -> int:
    """How many shipped orders nobody has received yet, and receipts that settlement has not heard of."""
    return await _left(
        tx,
        """
        SELECT (SELECT count(*) FROM orders.shop_order
                WHERE shop_id = ANY (%(shop_ids)s::bigint[]) AND state = 'shipped')
             + (SELECT count(*) FROM kernel.outbox
                WHERE shop_id = ANY (%(shop_ids)s::bigint[]) AND topic = 'orders.received') AS left
        """,
        shop_ids,
    )


async def due(tx: Transaction, shop_ids: Sequence[ShopId]) -> int:
    """How many lines are yet to settle, those that wait for a refund's decision left out."""
    return await _left(
        tx,
        """
        SELECT count(*) AS left FROM settlement.due
        WHERE shop_id = ANY (%(shop_ids)s::bigint[])
          AND NOT EXISTS (SELECT FROM orders.refund
                          WHERE refund.shop_id = due.shop_id AND refund.order_id = due.order_id
                            AND refund.state IN ('requested', 'awaiting_return'))
        """,
        shop_ids,
    )


async def payouts_under_way(tx: Transaction) -> int:
    """How many payees are yet to be paid what books owe them."""
    row = await tx.row(
        """
        SELECT (SELECT count(*) FROM settlement.payout WHERE state IN ('pending', 'sent'))
             + (SELECT count(*) FROM ledger.account
                WHERE kind IN ('service_fee', 'alliance_fee', 'creator', 'agency', 'shop', 'supplier', 'subsidy')
                  AND balance_fen <> 0) AS left
        """
    )
    assert row is not None
    return int(row.left)


async def _left(tx: Transaction, sql: LiteralString, shop_ids: Sequence[ShopId]) -> int:
    row = await tx.row(sql, {"shop_ids": int_array(shop_ids)})
    assert row is not None
    return int(row.left)


async def proceeds(tx: Transaction, session_id: LiveSessionId, shop_ids: Sequence[ShopId]) -> Proceeds:
    """What the session's orders have settled to, and who got how much, less what was taken back since."""
    row = await tx.row(
        _SOLD
        + """
        , settled AS (
            SELECT line.* FROM sold
            JOIN settlement.settled_line AS line ON line.shop_id = sold.shop_id AND line.order_id = sold.id
        ), back AS (
            SELECT line.* FROM sold
            JOIN settlement.clawback AS line ON line.shop_id = sold.shop_id AND line.order_id = sold.id
        ), share AS (
            SELECT service_fee_fen, creator_fen, alliance_fee_fen, mcn_fen, agency_fen, seller_fen, seller FROM settled
            UNION ALL
            SELECT -service_fee_fen, -creator_fen, -alliance_fee_fen, -mcn_fen, -agency_fen, -seller_fen, seller
            FROM back
        )
        SELECT (SELECT count(DISTINCT order_id) FROM settled) AS orders,
               coalesce((SELECT sum(paid_fen) FROM settled), 0)::bigint AS paid_fen,
               coalesce((SELECT sum(escrow_fen - paid_fen) FROM settled), 0)::bigint AS subsidy_fen,
               coalesce((SELECT sum(returned_fen) FROM back), 0)::bigint AS returned_fen,
               coalesce((SELECT sum(subsidy_fen) FROM back), 0)::bigint AS subsidy_returned_fen,
               coalesce(sum(service_fee_fen), 0)::bigint AS service_fee_fen,
               coalesce(sum(creator_fen), 0)::bigint AS creator_fen,
               coalesce(sum(alliance_fee_fen), 0)::bigint AS alliance_fee_fen,
               coalesce(sum(mcn_fen + agency_fen), 0)::bigint AS agency_fen,
               coalesce(sum(seller_fen) FILTER (WHERE seller = 'shop'), 0)::bigint AS shop_fen,
               coalesce(sum(seller_fen) FILTER (WHERE seller = 'supplier'), 0)::bigint AS supplier_fen
        FROM share
        """,
        {"session_id": session_id, "shop_ids": int_array(shop_ids)},
    )
    assert row is not None
    return Proceeds(*row)


async def payouts(tx: Transaction) -> list[PaidOut]:
    """What was paid out to whom, the most first."""
    rows = await tx.rows(
        """
        SELECT payee_kind, payee_id, coalesce(shop.name, person.name, '') AS name, count(*) AS payouts,
               sum(amount_fen)::bigint AS amount_fen
        FROM settlement.payout
        LEFT JOIN catalog.shop ON payee_kind = 'shop' AND shop.shop_id = payee_id
        LEFT JOIN identity.person ON payee_kind IN ('creator', 'agency') AND person.id = payee_id
        WHERE payout.state = 'succeeded'
        GROUP BY payee_kind, payee_id, shop.name, person.name ORDER BY amount_fen DESC, payee_kind, payee_id
        """
    )
    return [PaidOut(*row) for row in rows]

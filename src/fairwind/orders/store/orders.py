"""The SQL of orders, their lines and deadlines, and freight rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec

from fairwind.kernel import (
    OrderId,
    PersonId,
    Query,
    Row,
    ShopId,
    SkuId,
    Transaction,
    bytes_array,
    int_array,
    statement,
    text_array,
    time_array,
    uuid_array,
)
from fairwind.kernel.pages import Before
from fairwind.orders.order import Address, Line, LineTerms, Order
from fairwind.orders.pricing import FREE_FREIGHT, FreightRule
from fairwind.orders.states import State
from fairwind.policy import Grant

_ORDER = """
    SELECT shop_id, id, buyer_id, state, goods_fen, freight_fen, total_fen, refunded_fen, refunded_freight_fen,
           address, note, placed_at, expires_at, paid_at, payment_shop_id, payment_id, shipped_at, carrier,
           tracking_number, received_at, closed_at, cancel_reason, subsidy_fen
    FROM orders.shop_order
"""


_LINE = """
    SELECT order_id, line_no, sku_id, product_id, title, spec, quantity, price_fen, list_price_fen, goods_fen,
           refunded_fen, returned_quantity, live_session_id, creator_id, limited, subsidy_fen, subsidies, window_s,
           earner_id, plan_id, reserved_quantity
    FROM orders.line
"""


Lines = dict[OrderId, tuple[Line, ...]]
Fresh = tuple[Order, tuple[LineTerms, ...], bytes]
"""An order to be added, the terms of its lines, and its content hash."""
_SUBSIDIES = Line.__struct_fields__.index("subsidies")


def _line(row: Row) -> Line:
    grants = () if row.subsidies is None else tuple([Grant(**grant) for grant in row.subsidies])
    values = list(row[1:])
    values[_SUBSIDIES] = grants
    return Line(*values)


def _order(row: Row, lines: Sequence[Line]) -> Order:
    values = row._asdict()
    return Order(
        **values | {"state": State(row.state), "address": msgspec.convert(row.address, Address)}, lines=tuple(lines)
    )


def freight_rule(shop_id: ShopId) -> Query[FreightRule]:
    """The shop's freight rule; free freight when it has none."""
    return Query(
        "SELECT flat_fen, free_from_fen, regions FROM orders.freight_rule WHERE shop_id = %s",
        (shop_id,),
        lambda rows: FreightRule(*rows[0]) if rows else FREE_FREIGHT,
    )


def freight_rule_saved(shop_id: ShopId, rule: FreightRule) -> Query[None]:
    return statement(
        """
        INSERT INTO orders.freight_rule (shop_id, flat_fen, free_from_fen, regions) VALUES (%s, %s, %s, %s::jsonb)
        ON CONFLICT (shop_id) DO UPDATE SET flat_fen = excluded.flat_fen, free_from_fen = excluded.free_from_fen,
                                            regions = excluded.regions
        """,
        (shop_id, rule.flat_fen, rule.free_from_fen, msgspec.json.encode(rule.regions).decode()),
    )


def order_hashes(shop_id: ShopId, ids: Collection[OrderId]) -> Query[dict[OrderId, bytes]]:
    """The content hashes of those of these orders that exist."""
    return Query(
        "SELECT id, content_hash FROM orders.shop_order WHERE shop_id = %s AND id = ANY (%s::uuid[])",
        (shop_id, uuid_array(ids)),
        lambda rows: {row.id: bytes(row.content_hash) for row in rows},
    )


def lines_of(shop_id: ShopId, ids: Collection[OrderId]) -> Query[Lines]:
    """The lines of these orders. What they sold never changes; what was refunded needs the order's lock."""

    def read(rows: list[Row]) -> Lines:
        lines: dict[OrderId, list[Line]] = defaultdict(list)
        for row in rows:
            lines[row.order_id].append(_line(row))
        return {order_id: tuple(of_order) for order_id, of_order in lines.items()}

    return Query(
        _LINE + "WHERE shop_id = %s AND order_id = ANY (%s::uuid[]) ORDER BY order_id, line_no",
        (shop_id, uuid_array(ids)),
        read,
    )


def buyers_of(shop_id: ShopId, ids: Collection[OrderId]) -> Query[dict[OrderId, PersonId]]:
    """Whose these orders are, which never changes."""
    return Query(
        "SELECT id, buyer_id FROM orders.shop_order WHERE shop_id = %s AND id = ANY (%s::uuid[])",
        (shop_id, uuid_array(ids)),
        lambda rows: {row.id: row.buyer_id for row in rows},
    )


def order_rows_locked(shop_id: ShopId, ids: Collection[OrderId]) -> Query[list[Row]]:
    """The orders' own rows, locked in the order of their ids."""
    return Query(
        _ORDER + "WHERE shop_id = %s AND id = ANY (%s::uuid[]) ORDER BY id FOR UPDATE",
        (shop_id, uuid_array(ids)),
        lambda rows: rows,
    )


def assembled(rows: Sequence[Row], lines: Lines) -> dict[OrderId, Order]:
    """Orders from their rows and lines."""
    return {row.id: _order(row, lines.get(row.id, ())) for row in rows}


async def orders_by_id(tx: Transaction, shop_id: ShopId, ids: Collection[OrderId]) -> dict[OrderId, Order]:
    """These orders as they are now, not locked."""
    rows, lines = await tx.together(
        Query(
            _ORDER + "WHERE shop_id = %s AND id = ANY (%s::uuid[])",
            (shop_id, uuid_array(ids)),
            lambda rows: rows,
        ),
        lines_of(shop_id, ids),
    )
    return assembled(rows, lines)


def orders_added(shop_id: ShopId, fresh: Sequence[Fresh], now: datetime) -> list[Query[Any]]:
    """Write new orders with their lines and terms; all placed now and expiring together."""
    if not fresh:
        return []
    orders = [order for order, _, _ in fresh]
    return [
        statement(
            """
            INSERT INTO orders.shop_order (shop_id, id, content_hash, buyer_id, state, goods_fen, subsidy_fen,
                                           freight_fen, total_fen, address, note, placed_at, expires_at)
            SELECT %s, id, content_hash, buyer_id, 'placed', goods_fen, subsidy_fen, freight_fen,
                   goods_fen - subsidy_fen + freight_fen, address, note, %s, %s
            FROM unnest(%s::uuid[], %s::bytea[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::jsonb[],
                        %s::text[])
                AS new (id, content_hash, buyer_id, goods_fen, subsidy_fen, freight_fen, address, note)
            """,
            (
                shop_id,
                now,
                orders[0].expires_at,
                uuid_array(order.id for order in orders),
                bytes_array(digest for _, _, digest in fresh),
                int_array(order.buyer_id for order in orders),
                int_array(order.goods_fen for order in orders),
                int_array(order.subsidy_fen for order in orders),
                int_array(order.freight_fen for order in orders),
                text_array(msgspec.json.encode(order.address).decode() for order in orders),
                text_array(order.note for order in orders),
            ),
        ),
        _lines_added(shop_id, fresh),
    ]


def _lines_added(shop_id: ShopId, fresh: Sequence[Fresh]) -> Query[None]:
    """Lines are many, and what they sell and its terms are few: those of a drop sell the same, so it is sent once."""
    numbers: dict[tuple[SkuId, int], int] = {}
    different: list[tuple[Line, LineTerms]] = []
    lines: list[tuple[OrderId, Line, int]] = []
    for order, terms_of_lines, _ in fresh:
        for line, terms in zip(order.lines, terms_of_lines, strict=True):
            # What is offered of a SKU stands for the batch; who showed it is the terms' own.
            number = numbers.setdefault((line.sku_id, id(terms)), len(different))
            if number == len(different):
                different.append((line, terms))
            lines.append((order.id, line, number))
    return statement(
        """
        INSERT INTO orders.line (shop_id, order_id, line_no, sku_id, product_id, title, spec, quantity, price_fen,
                                 list_price_fen, goods_fen, live_session_id, creator_id, limited, subsidy_fen,
                                 subsidies, window_s, reserved_quantity, seller, fee_ppm, fee_rule_id, evidence,
                                 attribution, earner_id, plan_id, plan_version, creator_ppm, alliance_ppm, mcn_id,
                                 mcn_ppm, agency_id, agency_ppm)
        SELECT %s, order_id, line_no, sku_id, product_id, title, spec, quantity, price_fen, list_price_fen,
               price_fen * quantity, live_session_id, creator_id, limited, subsidy_fen, subsidies, window_s,
               reserved_quantity, seller, fee_ppm, fee_rule_id, evidence, attribution, earner_id, plan_id,
               plan_version, creator_ppm, alliance_ppm, mcn_id, mcn_ppm, agency_id, agency_ppm
        FROM unnest(%s::uuid[], %s::smallint[], %s::integer[], %s::bigint[], %s::bigint[], %s::jsonb[], %s::bigint[])
            AS new (order_id, line_no, sold_no, quantity, subsidy_fen, subsidies, reserved_quantity)
        JOIN unnest(%s::integer[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::bigint[],
                    %s::uuid[], %s::bigint[], %s::boolean[], %s::integer[], %s::text[], %s::integer[], %s::bigint[],
                    %s::jsonb[], %s::text[], %s::bigint[], %s::bigint[], %s::integer[], %s::integer[], %s::integer[],
                    %s::bigint[], %s::integer[], %s::bigint[], %s::integer[])
            AS sold (sold_no, sku_id, product_id, title, spec, price_fen, list_price_fen, live_session_id, creator_id,
                     limited, window_s, seller, fee_ppm, fee_rule_id, evidence, attribution, earner_id, plan_id,
                     plan_version, creator_ppm, alliance_ppm, mcn_id, mcn_ppm, agency_id, agency_ppm) USING (sold_no)
        """,
        (
            shop_id,
            uuid_array([order_id for order_id, _, _ in lines]),
            int_array([line.line_no for _, line, _ in lines]),
            int_array([number for _, _, number in lines]),
            int_array([line.quantity for _, line, _ in lines]),
            int_array([line.subsidy_fen for _, line, _ in lines]),
            _subsidies_array([line.subsidies for _, line, _ in lines]),
            int_array([line.reserved_quantity for _, line, _ in lines]),
            int_array(range(len(different))),
            *_wares_arrays([line for line, _ in different]),
            *_terms_arrays([terms for _, terms in different]),
        ),
    )


def _subsidies_array(subsidies: Sequence[tuple[Grant, ...]]) -> str:
    """Each line's subsidies as JSON, NULL where it has none. A batch grants the same again and again: written once."""
    different = {id(each): each for each in subsidies if each}
    written = {key: _json(each) for key, each in different.items()}
    return text_array([written.get(id(each)) for each in subsidies])


def _wares_arrays(lines: Sequence[Line]) -> list[str]:
    return [
        int_array(line.sku_id for line in lines),
        int_array(line.product_id for line in lines),
        text_array(line.title for line in lines),
        text_array(line.spec for line in lines),
        int_array(line.price_fen for line in lines),
        int_array(line.list_price_fen for line in lines),
        uuid_array(line.live_session_id for line in lines),
        text_array(line.creator_id for line in lines),
        text_array("t" if line.limited else "f" for line in lines),
        text_array(line.window_s for line in lines),
    ]


def _terms_arrays(terms: Sequence[LineTerms]) -> list[str]:
    commissions = [each.commission for each in terms]
    names = ("plan_id", "version", "creator_ppm", "alliance_ppm", "mcn_id", "mcn_ppm", "agency_id", "agency_ppm")
    # A split without somebody to split with is none at all.
    only_with = {"mcn_ppm": "mcn_id", "agency_ppm": "agency_id"}
    return [
        text_array(each.seller for each in terms),
        int_array(each.fee_ppm for each in terms),
        int_array(each.fee_rule_id for each in terms),
        text_array(None if each.evidence is None else _json(each.evidence) for each in terms),
        text_array(each.attribution for each in terms),
        text_array(each.earner_id for each in terms),
        *(
            text_array(
                None if each is None or getattr(each, only_with.get(name, name)) is None else getattr(each, name)
                for each in commissions
            )
            for name in names
        ),
    ]


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def orders_changed(shop_id: ShopId, orders: Collection[Order]) -> list[Query[Any]]:
    """Save what can change of an order; its lines' refunds are saved by lines_changed."""
    if not orders:
        return []
    return [
        statement(
            """
            UPDATE orders.shop_order
            SET state = change.state, refunded_fen = change.refunded_fen,
                refunded_freight_fen = change.refunded_freight_fen, paid_at = change.paid_at,
                payment_shop_id = change.payment_shop_id, payment_id = change.payment_id,
                shipped_at = change.shipped_at, carrier = change.carrier, tracking_number = change.tracking_number,
                received_at = change.received_at, closed_at = change.closed_at, cancel_reason = change.cancel_reason
            FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::bigint[],
                        %s::uuid[], %s::timestamptz[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[],
                        %s::text[])
                AS change (id, state, refunded_fen, refunded_freight_fen, paid_at, payment_shop_id, payment_id,
                           shipped_at, carrier, tracking_number, received_at, closed_at, cancel_reason)
            WHERE shop_order.shop_id = %s AND shop_order.id = change.id
            """,
            (
                uuid_array(order.id for order in orders),
                text_array(order.state.value for order in orders),
                int_array(order.refunded_fen for order in orders),
                int_array(order.refunded_freight_fen for order in orders),
                time_array(order.paid_at for order in orders),
                text_array(order.payment_shop_id for order in orders),
                text_array(order.payment_id for order in orders),
                time_array(order.shipped_at for order in orders),
                text_array(order.carrier for order in orders),
                text_array(order.tracking_number for order in orders),
                time_array(order.received_at for order in orders),
                time_array(order.closed_at for order in orders),
                text_array(order.cancel_reason for order in orders),
                shop_id,
            ),
        )
    ]


def lines_changed(shop_id: ShopId, orders: Collection[Order]) -> list[Query[Any]]:
    """Save what was refunded and returned of each line, and how much it has of the kept stock."""
    lines = [(order.id, line) for order in orders for line in order.lines]
    if not lines:
        return []
    return [
        statement(
            """
            UPDATE orders.line SET refunded_fen = change.refunded_fen, returned_quantity = change.returned_quantity,
                                   reserved_quantity = change.reserved_quantity
            FROM unnest(%s::uuid[], %s::smallint[], %s::bigint[], %s::bigint[], %s::bigint[])
                AS change (order_id, line_no, refunded_fen, returned_quantity, reserved_quantity)
            WHERE line.shop_id = %s AND line.order_id = change.order_id AND line.line_no = change.line_no
            """,
            (
                uuid_array(order_id for order_id, _ in lines),
                int_array(line.line_no for _, line in lines),
                int_array(line.refunded_fen for _, line in lines),
                int_array(line.returned_quantity for _, line in lines),
                int_array(line.reserved_quantity for _, line in lines),
                shop_id,
            ),
        )
    ]


async def orders_of_buyer(tx: Transaction, buyer_id: PersonId, before: Before, limit: int) -> list[Order]:
    """A buyer's orders over all shops, newest first."""
    rows = await tx.rows(
        _ORDER
        + """
        WHERE buyer_id = %s AND (placed_at, id) < (%s, %s) ORDER BY placed_at DESC, id DESC LIMIT %s
        """,
        (buyer_id, *before, limit),
    )
    return await _with_lines(tx, rows)


async def orders_of_shop(
    tx: Transaction, shop_id: ShopId, state: State | None, before: Before, limit: int
) -> list[Order]:
    """A shop's orders, all or those in one state, newest first."""
    rows = await tx.rows(
        _ORDER
        + "WHERE shop_id = %(shop_id)s AND (placed_at, id) < (%(at)s, %(id)s)"
        + (" AND state = %(state)s" if state else "")
        + " ORDER BY placed_at DESC, id DESC LIMIT %(limit)s",
        {"shop_id": shop_id, "state": state, "at": before[0], "id": before[1], "limit": limit},
    )
    return await _with_lines(tx, rows)


async def _with_lines(tx: Transaction, rows: Sequence[Row]) -> list[Order]:
    by_shop: dict[ShopId, list[OrderId]] = defaultdict(list)
    for row in rows:
        by_shop[row.shop_id].append(row.id)
    answers = await tx.together(*(lines_of(shop_id, ids) for shop_id, ids in by_shop.items()))
    lines = dict(zip(by_shop, answers, strict=True))
    return [_order(row, lines[row.shop_id].get(row.id, ())) for row in rows]


def deadlines_set(shop_id: ShopId, deadlines: Collection[tuple[OrderId, datetime]]) -> list[Query[Any]]:
    """When each order is next looked at by itself; an earlier deadline of the order is replaced."""
    if not deadlines:
        return []
    return [
        statement(
            """
            INSERT INTO orders.deadline (shop_id, order_id, due_at)
            SELECT %s, * FROM unnest(%s::uuid[], %s::timestamptz[])
            ON CONFLICT (shop_id, order_id) DO UPDATE SET due_at = excluded.due_at
            """,
            (shop_id, uuid_array(order_id for order_id, _ in deadlines), time_array(at for _, at in deadlines)),
        )
    ]


def deadlines_removed(shop_id: ShopId, order_ids: Collection[OrderId]) -> list[Query[Any]]:
    if not order_ids:
        return []
    return [
        statement(
            "DELETE FROM orders.deadline WHERE shop_id = %s AND order_id = ANY (%s::uuid[])",
            (shop_id, uuid_array(order_ids)),
        )
    ]


def deadlines_due(now: datetime, limit: int) -> Query[list[tuple[ShopId, OrderId]]]:
    """Orders whose deadline has come, the oldest first."""
    return Query(
        "SELECT shop_id, order_id FROM orders.deadline WHERE due_at <= %s ORDER BY due_at, shop_id, order_id LIMIT %s",
        (now, limit),
        lambda rows: [(row.shop_id, row.order_id) for row in rows],
    )
